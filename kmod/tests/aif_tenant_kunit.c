// SPDX-License-Identifier: GPL-2.0-only
/* Tenants: who is one, and how long. */
#include <linux/cgroup.h>
#include <linux/cred.h>

#include "aif_fixture.h"

static const struct cred *cred_of(struct kunit *test, uid_t uid, uid_t euid)
{
	struct cred *cred = kunit_kzalloc(test, sizeof(*cred), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->uid = KUIDT_INIT(uid);
	cred->euid = KUIDT_INIT(euid);
	return cred;
}

/* By cgroup: the opener's, whatever its uid. */
static void test_tenant_of_cgroup(struct kunit *test)
{
	struct aif_tenant *a = aif_tenant_get(cred_of(test, 1000, 1000));
	struct aif_tenant *b = aif_tenant_get(cred_of(test, 1001, 1001));

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_EQ(test, kref_read(&a->ref), 2);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 1);
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, a->id, cgroup_id(task_dfl_cgroup(current)));
	rcu_read_unlock();
	aif_tenant_put(a);
	aif_tenant_put(b);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 0);
}

/* By uid: the effective one. */
static void test_tenant_of_uid(struct kunit *test)
{
	struct aif_tenant *t[3];
	int i;

	AIF_FX_SET(test, aif_tenant_by_uid, true);
	t[0] = aif_tenant_get(cred_of(test, 0, 1000));
	t[1] = aif_tenant_get(cred_of(test, 1000, 1001));
	t[2] = aif_tenant_get(cred_of(test, 1002, 1000));
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_NOT_NULL(test, t[i]);
	KUNIT_EXPECT_PTR_NE(test, t[0], t[1]);
	KUNIT_EXPECT_PTR_EQ(test, t[0], t[2]);
	KUNIT_EXPECT_EQ(test, t[0]->id, 1000);
	KUNIT_EXPECT_EQ(test, t[1]->id, 1001);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 2);
	for (i = 0; i < 3; i++)
		aif_tenant_put(t[i]);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 0);
}

/* A new one owes nothing, has nothing, and weighs what all do. */
static void test_tenant_is_new(struct kunit *test)
{
	struct aif_tenant *t = aif_tenant_get(cred_of(test, 0, 0));

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_EXPECT_EQ(test, aif_tenant_weight(t), 100);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->requests), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->bytes), 0);
	aif_tenant_put(t);
}

/* Resolved at open: what was found then stays charged. */
static void test_tenant_stays(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	struct aif_tenant *t = c->tenant;

	AIF_FX_SET(test, aif_tenant_by_uid, true);
	aif_fx_buffer(test, c, PAGE_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, c->tenant, t);
	KUNIT_EXPECT_EQ(test, atomic64_read(&t->bytes), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 1);
}

static int set(u64 id, u32 flags, struct aif_tenant_limits limits)
{
	struct aif_ioc_tenant_set arg = { .id = id, .flags = flags, .limits = limits };

	return aif_tenant_set(&arg);
}

/* A limit keeps its tenant, once, however often it is set; the default lets it go. */
static void test_tenant_kept(struct kunit *test)
{
	const u32 both = AIF_TENANT_F_WEIGHT | AIF_TENANT_F_REQUESTS;
	struct aif_tenant *t;
	int i;

	AIF_FX_SET(test, aif_tenant_by_uid, true);
	for (i = 1; i < 4; i++)
		KUNIT_EXPECT_EQ(test, set(7, both, (struct aif_tenant_limits){
						     .weight = i, .requests = i }), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.tenants), 1);
	t = aif_tenant_get(cred_of(test, 7, 7));
	KUNIT_EXPECT_EQ(test, kref_read(&t->ref), 2);
	KUNIT_EXPECT_EQ(test, aif_tenant_weight(t), 3);
	KUNIT_EXPECT_EQ(test, aif_tenant_max_requests(t), 3);
	KUNIT_EXPECT_EQ(test, set(7, AIF_TENANT_F_WEIGHT, (struct aif_tenant_limits){}), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&t->ref), 2);
	KUNIT_EXPECT_EQ(test, set(7, AIF_TENANT_F_REQUESTS, (struct aif_tenant_limits){}), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&t->ref), 1);
	KUNIT_EXPECT_EQ(test, set(7, both, (struct aif_tenant_limits){}), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&t->ref), 1);
	KUNIT_EXPECT_EQ(test, aif_tenant_max_requests(t), aif_tenant_requests);
	aif_tenant_put(t);
}

static struct kunit_case aif_tenant_cases[] = {
	KUNIT_CASE(test_tenant_of_cgroup),
	KUNIT_CASE(test_tenant_of_uid),
	KUNIT_CASE(test_tenant_is_new),
	KUNIT_CASE(test_tenant_stays),
	KUNIT_CASE(test_tenant_kept),
	{}
};

static struct kunit_suite aif_tenant_suite = {
	.name = "aif_tenant",
	.init = aif_fx_init,
	.test_cases = aif_tenant_cases,
};

kunit_test_suite(aif_tenant_suite);
