// SPDX-License-Identifier: GPL-2.0-only
/* Tenants on devices and at services: shares, room for requests, debts. */
#include <linux/cred.h>

#include "aif_fixture.h"

static void put_tenant(void *tenant)
{
	aif_tenant_put(tenant);
}

/* A uid's tenant, until the test ends. */
static struct aif_tenant *tenant(struct kunit *test, uid_t euid)
{
	struct cred *cred = kunit_kzalloc(test, sizeof(*cred), GFP_KERNEL);
	struct aif_tenant *t;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->euid = KUIDT_INIT(euid);
	AIF_FX_SET(test, aif_tenant_by_uid, true);
	t = aif_tenant_get(cred);
	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_tenant, t), 0);
	return t;
}

/* One member for all of a tenant's opens; one share for all of its services here. */
static void test_device_shares(struct kunit *test)
{
	struct aif_service *a = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_service *b = aif_fx_service(test, "b", "cpu", 1, NULL);
	struct aif_service *c = aif_fx_service(test, "c", "gpu", 1, NULL);
	struct aif_tenant *t = tenant(test, 1), *u = tenant(test, 2);
	struct aif_member *at = aif_member_get(a, t, 4), *bt = aif_member_get(b, t, 4);
	struct aif_member *ct = aif_member_get(c, t, 4), *au = aif_member_get(a, u, 4);

	KUNIT_EXPECT_PTR_EQ(test, aif_member_get(a, t, 8), at);
	KUNIT_EXPECT_EQ(test, at->users, 2);
	KUNIT_EXPECT_PTR_NE(test, at, au);
	KUNIT_EXPECT_PTR_EQ(test, at->share, bt->share);
	KUNIT_EXPECT_PTR_NE(test, at->share, ct->share);
	KUNIT_EXPECT_PTR_NE(test, at->share, au->share);
	KUNIT_EXPECT_EQ(test, at->share->users, 2);
	aif_member_put(a, at, 4);
	aif_member_put(a, at, 8);
	aif_member_put(b, bt, 4);
	aif_member_put(c, ct, 4);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&a->device->shares));
	aif_member_put(a, au, 4);
	KUNIT_EXPECT_TRUE(test, list_empty(&a->device->shares));
	KUNIT_EXPECT_TRUE(test, list_empty(&c->device->shares));
}

/* Each class has a clock and a lane, of the tenant's weight. */
static void test_device_clocks(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_tenant *t = tenant(test, 1);
	struct aif_member *m;
	int class;

	t->set.weight = 250;
	m = aif_member_get(s, t, 1);
	KUNIT_ASSERT_NOT_NULL(test, m);
	for (class = 0; class < AIF_CLASS_COUNT; class++) {
		KUNIT_EXPECT_EQ(test, m->share->clocks[class].weight, 250);
		KUNIT_EXPECT_PTR_EQ(test, m->lanes[class].clock, &m->share->clocks[class]);
		KUNIT_EXPECT_PTR_EQ(test, m->lanes[class].queue, &s->queue);
		KUNIT_EXPECT_EQ(test, m->lanes[class].class, class);
	}
	aif_member_put(s, m, 1);
}

/* Room for every request that a tenant's clients can have, in every class. */
static void test_device_room_for_requests(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_tenant *t = tenant(test, 1);
	struct aif_member *m = aif_member_get(s, t, 4);
	int class;

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_EXPECT_EQ(test, m->capacity, 4);
	KUNIT_ASSERT_PTR_EQ(test, aif_member_get(s, t, 64), m);
	KUNIT_EXPECT_EQ(test, m->capacity, 68);
	for (class = 0; class < AIF_CLASS_COUNT; class++)
		KUNIT_EXPECT_GE(test, m->lanes[class].requests.capacity, 68);
	aif_member_put(s, m, 64);
	KUNIT_EXPECT_EQ(test, m->capacity, 4);
	/* The room that is there serves again. */
	KUNIT_ASSERT_PTR_EQ(test, aif_member_get(s, t, 64), m);
	KUNIT_EXPECT_EQ(test, m->lanes[0].requests.capacity, 68);
	aif_member_put(s, m, 64);
	aif_member_put(s, m, 4);
}

#define TENANTS	9

/* Room for every tenant's lane, however many come. */
static void test_device_room_for_lanes(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_member *m[TENANTS];
	int i, class;

	for (i = 0; i < TENANTS; i++) {
		m[i] = aif_member_get(s, tenant(test, 1 + i), 1);
		KUNIT_ASSERT_NOT_NULL(test, m[i]);
		for (class = 0; class < AIF_CLASS_COUNT; class++)
			KUNIT_EXPECT_GT(test, s->queue.lanes[class].capacity, i);
	}
	for (i = 0; i < TENANTS; i++)
		aif_member_put(s, m[i], 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&s->members));
}

#define REQUESTS	5

/* Heaps move to larger arrays under what is queued in them. */
static void test_device_grows_while_queued(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_tenant *t = tenant(test, 1);
	struct aif_member *m = aif_member_get(s, t, REQUESTS), *other;
	static const u64 deadlines[REQUESTS] = { 50, 20, 40, 10, 30 };
	static const u8 order[REQUESTS] = { 3, 1, 4, 2, 0 };
	struct aif_heap_node *req = kunit_kcalloc(test, REQUESTS, sizeof(*req), GFP_KERNEL);
	struct aif_sched *sched = &s->device->sched;
	struct aif_sched_lane *lane;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_NOT_NULL(test, req);
	lane = &m->lanes[AIF_CLASS_NORMAL];
	for (i = 0; i < REQUESTS; i++) {
		aif_heap_node_init(&req[i]);
		KUNIT_EXPECT_EQ(test, aif_sched_push(sched, lane, &req[i], deadlines[i]), 0);
	}
	KUNIT_EXPECT_PTR_EQ(test, aif_member_get(s, t, 100), m);
	other = aif_member_get(s, tenant(test, 2), 1);
	KUNIT_EXPECT_NOT_NULL(test, other);
	for (i = 0; i < REQUESTS; i++) {
		KUNIT_EXPECT_PTR_EQ(test, aif_sched_next(&s->queue), lane);
		KUNIT_EXPECT_PTR_EQ(test, aif_sched_pop(sched, lane), &req[order[i]]);
	}
	KUNIT_EXPECT_EQ(test, s->queue.queued, 0);
	aif_member_put(s, other, 1);
	aif_member_put(s, m, 100);
	aif_member_put(s, m, REQUESTS);
}

/* Who leaves with a debt finds it again; who owes nothing is forgotten. */
static void test_device_keeps_debts(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_tenant *debtor = tenant(test, 1), *t = tenant(test, 2);
	struct aif_device *d = s->device;
	struct aif_member *m = aif_member_get(s, debtor, 1);

	m->share->clocks[AIF_CLASS_IDLE].vruntime = 1000;
	aif_member_put(s, m, 1);
	m = aif_member_get(s, debtor, 1);
	KUNIT_EXPECT_EQ(test, m->share->clocks[AIF_CLASS_IDLE].vruntime, 1000);
	aif_member_put(s, m, 1);
	KUNIT_EXPECT_FALSE(test, list_empty(&d->shares));
	/* The others had as much meanwhile. */
	d->sched.vtime[AIF_CLASS_IDLE] = 1000;
	m = aif_member_get(s, t, 1);
	aif_member_put(s, m, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&d->shares));
}

static struct kunit_case aif_device_cases[] = {
	KUNIT_CASE(test_device_shares),
	KUNIT_CASE(test_device_clocks),
	KUNIT_CASE(test_device_room_for_requests),
	KUNIT_CASE(test_device_room_for_lanes),
	KUNIT_CASE(test_device_grows_while_queued),
	KUNIT_CASE(test_device_keeps_debts),
	{}
};

static struct kunit_suite aif_device_suite = {
	.name = "aif_device",
	.init = aif_fx_init,
	.test_cases = aif_device_cases,
};

kunit_test_suite(aif_device_suite);
