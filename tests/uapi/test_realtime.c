// SPDX-License-Identifier: MIT
/*
 * Real time: who may ask for it, who is admitted, who goes first, and what is left when
 * a budget is used up.  It is the order that is looked at, and what a slot says, not the
 * clock: budgets here fill in an hour.  Tenants are uids.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

#define MS		1000u	/* microseconds */
#define HOUR		(3600u * 1000 * MS)
#define SECOND		1000000000ull
#define MOVED		(8u << 20)
#define SMALL		(64u << 10)
#define DEVICE		"rt"
#define QUEUED_MAX	32	/* tests/suite/table: requests of a device */

/* A tenant's use of the service. */
struct party {
	struct raw_client c;
	struct raw_buffer buffer;
	uint32_t handle, grant;
};

static struct raw_service service;	/* steps of a millisecond */
static struct raw_executor executor;
static struct raw_taken taken[16];
static int root;

static struct aif_service_desc desc_of(const char *name, const char *device, uint32_t longest_ms)
{
	struct aif_service_desc desc = raw_service_desc(name);

	memset(desc.device, 0, sizeof(desc.device));
	strcpy(desc.device, device);
	desc.longest_step_ms = longest_ms;
	return desc;
}

static int rt_setup(void **state)
{
	struct aif_service_desc desc = desc_of("scoring", DEVICE, 1);
	int err;

	root = raw_open_as("/dev/aif", 0);
	err = raw_service_create(&service, &desc, RAW_EXECUTOR_UID);
	return err ? err : raw_executor_open(&executor, &service, 16);
}

static int budget(uid_t uid, const char *device, uint32_t budget_us, uint32_t period_us)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = AIF_TENANT_F_REALTIME, .id = uid,
		.realtime = { .budget_us = budget_us, .period_us = period_us },
	};

	strcpy(arg.realtime.device, device);
	return raw_call(root, AIF_IOC_TENANT_SET, &arg);
}

static int rt_teardown(void **state)
{
	static const uid_t uids[] = { RAW_CLIENT_UID, RAW_ATTACKER_UID, RAW_EXECUTOR_UID };
	size_t i;

	for (i = 0; i < COUNT(uids); i++)
		budget(uids[i], "", 0, 0);
	raw_executor_close(&executor);
	raw_service_close(&service);
	close(root);
	return raw_all_gone();
}

static void party_join(struct party *p)
{
	int handle = raw_service_open(&p->c, "scoring", RAW_EXECUTOR_UID);

	assert_true(handle > 0);
	p->handle = (uint32_t)handle;
	assert_int_equal(raw_buffer_alloc(&p->c, 8192, &p->buffer), 0);
	assert_int_equal(raw_grant(&p->c, p->buffer.handle, p->handle, AIF_GRANT_F_WRITE,
				   &p->grant), 0);
}

static void party_open(struct party *p, uid_t uid)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(raw_client_init(&p->c, raw_open_as("/dev/aif", uid), 32,
					 AIF_F_REALTIME | AIF_F_TRANSFER), 0);
	party_join(p);
}

static void party_close(struct party *p)
{
	raw_client_close(&p->c);
	munmap(p->buffer.base, 8192);
}

static int submit(struct party *p, uint32_t tag, uint8_t class, uint64_t deadline)
{
	struct aif_desc d = {
		.tag = tag, .generation = ++p->c.generation, .service = p->handle,
		.sched_class = class, .range_count = 2, .deadline = deadline,
		.ranges = { { p->grant, 0, 64 }, { p->grant, 4096, 64 } },
	};

	return raw_submit(&p->c, &d, 1, 0);
}

static void realtime(struct party *p, uint32_t tag)
{
	assert_int_equal(submit(p, tag, AIF_CLASS_REALTIME, 0), 1);
}

/* What goes next is @tag, alone in its step, in @class. */
static void expect_next(uint32_t tag, uint8_t class)
{
	int n = raw_take(&executor, AIF_FETCH_F_NONBLOCK, class == AIF_CLASS_REALTIME ? 16 : 1,
			 taken);

	if (!n)		/* events only */
		n = raw_take(&executor, AIF_FETCH_F_NONBLOCK,
			     class == AIF_CLASS_REALTIME ? 16 : 1, taken);
	assert_int_equal(n, 1);
	assert_int_equal(executor.slot[taken[0].slot].tag, tag);
	assert_int_equal(executor.slot[taken[0].slot].sched_class, class);
	/* A nanosecond: on a busy machine the time since FETCH may use up any budget. */
	assert_int_equal(raw_give(&executor, taken[0], 0, 0, 1), 0);
}

/* ---- who may ask ---- */

static void test_granted(void **state)
{
	struct party nobody, niced;
	long over = raw_counter("over_budget");

	party_open(&nobody, RAW_CLIENT_UID);
	party_open(&niced, 0);
	assert_false(nobody.c.features & AIF_F_REALTIME);
	assert_true(niced.c.features & AIF_F_REALTIME);
	assert_int_equal(submit(&nobody, 0, AIF_CLASS_REALTIME, 0), -EOPNOTSUPP);
	/* The right to ask is no budget: what came before it goes before it. */
	assert_int_equal(submit(&nobody, 1, AIF_CLASS_NORMAL, 0), 1);
	realtime(&niced, 2);
	assert_int_equal(raw_counter("over_budget"), over + 1);
	expect_next(1, AIF_CLASS_NORMAL);
	expect_next(2, AIF_CLASS_NORMAL);
	/* A budget is for files that are opened or ask anew; it ends for all of them. */
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 10 * MS, HOUR), 0);
	assert_true(raw_client_ask(&nobody.c, AIF_F_REALTIME) & AIF_F_REALTIME);
	realtime(&nobody, 3);
	expect_next(3, AIF_CLASS_REALTIME);
	assert_int_equal(budget(RAW_CLIENT_UID, "", 0, 0), 0);
	realtime(&nobody, 4);
	expect_next(4, AIF_CLASS_NORMAL);
	party_close(&nobody);
	party_close(&niced);
}

/* ---- who goes first ---- */

/* Before a flood that came first; the earliest due of all tenants, whoever asked first. */
static void test_order(void **state)
{
	struct party flood, a, b;
	uint32_t tag;

	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 10 * MS, HOUR), 0);
	assert_int_equal(budget(RAW_EXECUTOR_UID, DEVICE, 10 * MS, HOUR / 2), 0);
	party_open(&flood, RAW_ATTACKER_UID);
	party_open(&a, RAW_CLIENT_UID);
	party_open(&b, RAW_EXECUTOR_UID);
	for (tag = 0; tag < 20; tag++)	/* their own deadlines are no reason */
		assert_int_equal(submit(&flood, tag, AIF_CLASS_NORMAL, raw_now() + 600 * SECOND), 1);
	realtime(&a, 21);
	realtime(&a, 22);
	realtime(&b, 23);
	assert_int_equal(submit(&b, 24, AIF_CLASS_REALTIME, raw_now() + 7200 * SECOND), 1);
	expect_next(23, AIF_CLASS_REALTIME);
	expect_next(21, AIF_CLASS_REALTIME);
	realtime(&b, 25);
	expect_next(25, AIF_CLASS_REALTIME);
	expect_next(22, AIF_CLASS_REALTIME);
	expect_next(24, AIF_CLASS_REALTIME);
	for (tag = 0; tag < 20; tag++)
		expect_next(tag, AIF_CLASS_NORMAL);
	party_close(&flood);
	party_close(&a);
	party_close(&b);
}

/* ---- what a budget holds ---- */

/* Another uid, by a file that it was handed. */
static int child_submits(void *arg)
{
	struct party *from = arg, p = *from;

	RAW_CHECK(!raw_client_init(&p.c, from->c.fd, 0, 0));
	p.c.generation = 1000;
	p.c.position = from->c.position;
	RAW_CHECK(submit(&p, 9, AIF_CLASS_REALTIME, 0) == 1);
	return 0;
}

/* Three steps for all files of the tenant, whoever submits; closing them fills nothing. */
static void test_used_up(void **state)
{
	struct party a, b;
	long over;

	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 3 * MS, HOUR), 0);
	party_open(&a, RAW_CLIENT_UID);
	party_open(&b, RAW_CLIENT_UID);
	over = raw_counter("over_budget");
	realtime(&a, 0);
	realtime(&b, 1);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, child_submits, &a), 0);
	assert_int_equal(raw_counter("over_budget"), over);
	realtime(&b, 2);
	assert_int_equal(raw_counter("over_budget"), over + 1);
	expect_next(0, AIF_CLASS_REALTIME);
	expect_next(1, AIF_CLASS_REALTIME);
	expect_next(9, AIF_CLASS_REALTIME);
	expect_next(2, AIF_CLASS_NORMAL);
	party_close(&a);
	party_close(&b);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	party_open(&a, RAW_CLIENT_UID);
	realtime(&a, 3);
	expect_next(3, AIF_CLASS_NORMAL);
	party_close(&a);
}

/* What a full queue refuses takes nothing from the budget. */
static void test_refused_for_room(void **state)
{
	struct party flood, a;
	uint32_t tag;
	long over;
	int i;

	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 2 * MS, HOUR), 0);
	party_open(&flood, RAW_ATTACKER_UID);
	party_open(&a, RAW_CLIENT_UID);
	over = raw_counter("over_budget");
	for (tag = 0; tag < QUEUED_MAX; tag++)
		assert_int_equal(submit(&flood, tag, AIF_CLASS_NORMAL, 0), 1);
	for (i = 0; i < 5; i++)
		assert_int_equal(submit(&a, 0, AIF_CLASS_REALTIME, 0), -EAGAIN);
	for (tag = 0; tag < QUEUED_MAX; tag++)
		expect_next(tag, AIF_CLASS_NORMAL);
	realtime(&a, 1);
	realtime(&a, 2);
	assert_int_equal(raw_counter("over_budget"), over);
	expect_next(1, AIF_CLASS_REALTIME);
	expect_next(2, AIF_CLASS_REALTIME);
	party_close(&flood);
	party_close(&a);
}

/* What a step takes beyond what was said is owed; a cancelled one's is not given back. */
static void test_overrun(void **state)
{
	struct party a;

	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 4 * MS, HOUR), 0);
	party_open(&a, RAW_CLIENT_UID);
	realtime(&a, 0);
	assert_int_equal(raw_cancel(&a.c, 0, a.c.generation), 0);
	realtime(&a, 1);
	while (raw_take(&executor, AIF_FETCH_F_NONBLOCK, 16, taken) != 1)
		;
	raw_sleep_ms(5);
	assert_int_equal(raw_progress(&executor, taken[0], 0, 2 * SECOND / 1000), 0);
	assert_int_equal(raw_give(&executor, taken[0], 0, 0, SECOND / 2000), 0);
	/* Of four, one was cancelled, one took two and a half. */
	realtime(&a, 2);
	expect_next(2, AIF_CLASS_NORMAL);
	party_close(&a);
}

/* ---- the engines ---- */

static void test_transfer(void **state)
{
	struct raw_client flood, c;
	struct raw_buffer to, small;
	struct aif_desc d;
	uint32_t tag;
	long over;

	assert_int_equal(budget(RAW_CLIENT_UID, "", 4000 * MS, HOUR), 0);
	assert_int_equal(raw_client_init(&flood, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 8,
					 AIF_F_TRANSFER), 0);
	assert_int_equal(raw_client_init(&c, raw_open_as("/dev/aif", RAW_CLIENT_UID), 8,
					 AIF_F_TRANSFER | AIF_F_REALTIME), 0);
	assert_true(c.features & AIF_F_REALTIME);
	assert_int_equal(raw_buffer_alloc(&flood, MOVED, &to), 0);
	assert_int_equal(raw_buffer_alloc(&c, SMALL, &small), 0);
	for (tag = 0; tag < 8; tag++) {
		d = raw_fill_desc(&flood, tag, "f", 1, (struct aif_range){ to.handle, 0, MOVED });
		d.deadline = raw_now() + 600 * SECOND;
		assert_int_equal(raw_submit(&flood, &d, 1, 0), 1);
	}
	d = raw_fill_desc(&c, 0, "r", 1, (struct aif_range){ small.handle, 0, SMALL });
	d.sched_class = AIF_CLASS_REALTIME;
	over = raw_counter("over_budget");
	assert_int_equal(raw_transfer(&c, d), 0);
	assert_int_equal(raw_counter("over_budget"), over);
	assert_true(raw_filled(small.base, SMALL, 'r'));
	assert_int_equal(raw_wait_quiet(&flood, AIF_TAG_ALL, 60 * SECOND), 0);
	assert_true(c.done[0].answered_ns < flood.done[7].answered_ns);
	/* More than the budget has: it goes on with its share. */
	assert_int_equal(budget(RAW_CLIENT_UID, "", 1, HOUR), 0);
	d = raw_fill_desc(&c, 0, "n", 1, (struct aif_range){ small.handle, 0, SMALL });
	d.sched_class = AIF_CLASS_REALTIME;
	assert_int_equal(raw_transfer(&c, d), 0);
	assert_int_equal(raw_counter("over_budget"), over + 1);
	raw_client_close(&flood);
	raw_client_close(&c);
	munmap(to.base, MOVED);
	munmap(small.base, SMALL);
}

/* ---- who is admitted ---- */

static void test_admitted(void **state)
{
	struct raw_service slow;
	struct aif_service_desc desc = desc_of("slow", DEVICE, 6);

	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 9 * MS, 10 * MS), 0);
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 9 * MS + 1, 10 * MS), -EBUSY);
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 4 * MS, 10 * MS), 0);
	assert_int_equal(budget(RAW_ATTACKER_UID, DEVICE, 5 * MS, 10 * MS), 0);
	assert_int_equal(budget(RAW_EXECUTOR_UID, DEVICE, 1, 100), -EBUSY);
	assert_int_equal(budget(RAW_EXECUTOR_UID, DEVICE, HOUR / 1000, HOUR), 0);
	/* Another device's are others'; one that is not there yet has no steps. */
	assert_int_equal(budget(RAW_EXECUTOR_UID, "none", 950 * MS, 1000 * MS), 0);
	assert_int_equal(raw_service_create(&slow, &desc, RAW_EXECUTOR_UID), -ETIME);
	close(slow.fd);
	desc = desc_of("slow", "other", 6);
	assert_int_equal(raw_service_create(&slow, &desc, RAW_EXECUTOR_UID), 0);
	raw_service_close(&slow);
	assert_int_equal(budget(RAW_ATTACKER_UID, "", 0, 0), 0);
	desc = desc_of("slow", DEVICE, 6);
	assert_int_equal(raw_service_create(&slow, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(budget(RAW_ATTACKER_UID, DEVICE, 1, 10 * MS), -EBUSY);
	raw_service_close(&slow);
	assert_int_equal(budget(RAW_ATTACKER_UID, DEVICE, 1, 10 * MS), 0);
}

static void test_refused(void **state)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = AIF_TENANT_F_WEIGHT, .id = RAW_CLIENT_UID,
		.realtime.device = "x",
	};
	struct aif_tenant_now now;

	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), -EINVAL);
	arg.flags = AIF_TENANT_F_REALTIME;
	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), -EINVAL);
	arg.realtime.device[63] = 1;
	arg.realtime.budget_us = 1;
	arg.realtime.period_us = MS;
	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), -EINVAL);
	memset(arg.realtime.device, 'x', 64);
	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), -EINVAL);
	assert_int_equal(budget(RAW_CLIENT_UID, ":copy", 1, MS), -EINVAL);
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 0, MS), -EINVAL);
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, MS + 1, MS), -EINVAL);
	assert_int_equal(budget(RAW_CLIENT_UID, DEVICE, 4000 * MS + 1, HOUR), -EINVAL);
	assert_int_equal(raw_tenant(root, RAW_CLIENT_UID, &now), -ENOENT);
	/* Of a call that fails nothing is done. */
	arg = (struct aif_ioc_tenant_set){
		.size = sizeof(arg), .flags = AIF_TENANT_F_REALTIME | AIF_TENANT_F_WEIGHT,
		.id = RAW_CLIENT_UID, .limits.weight = 7,
		.realtime = { .budget_us = 96, .period_us = 100, .device = "y" },
	};
	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), -EBUSY);
	assert_int_equal(raw_tenant(root, RAW_CLIENT_UID, &now), -ENOENT);
	arg.realtime.budget_us = 95;
	assert_int_equal(raw_call(root, AIF_IOC_TENANT_SET, &arg), 0);
	assert_int_equal(raw_tenant(root, RAW_CLIENT_UID, &now), 0);
	assert_int_equal(now.flags, AIF_TENANT_F_REALTIME | AIF_TENANT_F_WEIGHT);
	assert_memory_equal(&now.realtime, &arg.realtime, sizeof(arg.realtime));
	assert_int_equal(raw_tenant_set(root, RAW_CLIENT_UID, AIF_TENANT_F_WEIGHT,
					(struct aif_tenant_limits){ 0 }), 0);
}

#define RT_TEST(name)	cmocka_unit_test_setup_teardown(name, rt_setup, rt_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RT_TEST(test_granted),
		RT_TEST(test_order),
		RT_TEST(test_used_up),
		RT_TEST(test_refused_for_room),
		RT_TEST(test_overrun),
		RT_TEST(test_transfer),
		RT_TEST(test_admitted),
		RT_TEST(test_refused),
	};

	return tap_run("realtime", tests, NULL, NULL);
}
