// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Real time: who is admitted, on both sides of the edge, and until when. */
#include "aif_sim.h"

#define RTS_MAX	4

static const struct fits_row {
	const char *name;
	u32 blocking_us;
	struct aif_rt rts[RTS_MAX];	/* until the one of period 0 */
	bool want;
} fits_rows[] = {
	{ "nobody", 1000000, { { 0 } }, true },
	{ "one, all that there is", 0, { { 100, 95 } }, true },
	{ "a little more", 0, { { 1000000, 950001 } }, false },
	{ "blocked as long as it has", 600, { { 1000, 400 } }, true },
	{ "a microsecond more", 601, { { 1000, 400 } }, false },
	{ "blocked for a period", 1000, { { 1000, 1 } }, false },
	{ "blocked for longer than a period", 1001, { { 1000, 1 } }, false },
	{ "blocked for ages", ~0u, { { ~0u, 1 } }, false },
	{ "two", 100, { { 1000, 400 }, { 2000, 1000 } }, true },
	{ "the first is blocked", 601, { { 1000, 400 }, { 100000, 1 } }, false },
	{ "the second is blocked", 100, { { 1000, 400 }, { 1100, 561 } }, false },
	{ "it is not", 100, { { 1000, 400 }, { 1100, 559 } }, true },
	{ "within 95 %", 50, { { 1000, 400 }, { 1100, 604 } }, true },
	{ "in any order", 601, { { 100000, 1 }, { 1000, 400 } }, false },
	{ "alike, together", 0, { { 1000, 475 }, { 1000, 475 } }, true },
	{ "alike, too much", 0, { { 1000, 475 }, { 1000, 476 } }, false },
	{ "long ones do not count for short ones", 500,
	  { { 1000, 500 }, { 100000, 44000 } }, true },
	{ "thirds are rounded up", 0, { { 3, 1 }, { 3, 1 }, { 60, 17 } }, false },
	{ "the longest of all", 1000, { { ~0u, AIF_RT_BUDGET_MAX_US } }, true },
};

KUNIT_ARRAY_PARAM_DESC(fits_rows, fits_rows, name);

static void test_rt_fits(struct kunit *test)
{
	const struct fits_row *row = test->param_value;
	u32 count = 0;

	for (; count < RTS_MAX && row->rts[count].period_us; count++)
		KUNIT_EXPECT_TRUE(test, aif_rt_valid(&row->rts[count]));
	KUNIT_EXPECT_EQ(test, aif_rt_fits(row->rts, count, row->blocking_us), row->want);
}

static const struct valid_row {
	const char *name;
	struct aif_rt rt;
	bool want;
} valid_rows[] = {
	{ "nothing", { 0, 0 }, false },
	{ "no budget", { 1000, 0 }, false },
	{ "the least", { 1, 1 }, true },
	{ "all the time", { 1000, 1000 }, true },
	{ "more than all", { 1000, 1001 }, false },
	{ "the most", { ~0u, AIF_RT_BUDGET_MAX_US }, true },
	{ "more than the most", { ~0u, AIF_RT_BUDGET_MAX_US + 1 }, false },
};

KUNIT_ARRAY_PARAM_DESC(valid_rows, valid_rows, name);

static void test_rt_valid(struct kunit *test)
{
	const struct valid_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, aif_rt_valid(&row->rt), row->want);
}

/* Its budget in a period, for ever: each is due in a period; not a nanosecond earlier or more. */
static void test_rt_due(struct kunit *test)
{
	static const struct aif_rt rts[] = { { 3, 1 }, { 1000, 300 }, { 7000, 7000 },
					     { ~0u, AIF_RT_BUDGET_MAX_US } };

	for (u32 i = 0; i < ARRAY_SIZE(rts); i++) {
		u64 period = rts[i].period_us * 1000ull, budget = rts[i].budget_us * 1000ull;
		struct aif_rt_budget b = { 0 };
		u64 now = 12345;

		aif_rt_budget_set(&b, &rts[i], now);
		for (u32 k = 0; k < 1000; k++) {
			KUNIT_ASSERT_EQ(test, aif_rt_due(&b, budget, 0, now), now + period);
			KUNIT_ASSERT_EQ(test, aif_rt_due(&b, 2, 0, now), 0);
			now += period;
		}
		KUNIT_EXPECT_EQ(test, aif_rt_due(&b, budget + 1, 0, now), 0);
	}
}

/* What a deadline does: a later one is taken, an earlier one gains nothing. */
static void test_rt_deadline(struct kunit *test)
{
	const struct aif_rt rt = { 1000, 500 };
	struct aif_rt_budget b = { 0 };

	aif_rt_budget_set(&b, &rt, 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 1, 1, 0), 1000000);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 1, 999999, 0), 1000000);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 1, 1000001, 0), 1000001);
}

/* It took longer than it said: the next ones wait for that, and not for less. */
static void test_rt_overrun(struct kunit *test)
{
	const struct aif_rt rt = { 1000, 500 };
	struct aif_rt_budget b = { 0 };

	aif_rt_budget_set(&b, &rt, 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 200000, 0, 0), 1000000);
	aif_rt_overrun(&b, 200000, 100000, b.bucket.stamp_ns);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 300001, 0, 0), 0);
	aif_rt_overrun(&b, 200000, 250000, b.bucket.stamp_ns);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 250001, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 250000, 0, 0), 1000000);
}

/* Another budget: what was used stays used, and what has no room is gone. */
static void test_rt_budget_set(struct kunit *test)
{
	const struct aif_rt more = { 1000, 500 }, less = { 2000, 100 };
	struct aif_rt_budget b = { 0 };

	aif_rt_budget_set(&b, &more, 0);
	KUNIT_EXPECT_FALSE(test, aif_rt_budget_used(&b, 0));
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 450000, 0, 0), 1000000);
	KUNIT_EXPECT_TRUE(test, aif_rt_budget_used(&b, 0));
	aif_rt_budget_set(&b, &less, 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 50001, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 50000, 0, 0), 2000000);
	KUNIT_EXPECT_TRUE(test, aif_rt_budget_used(&b, 2000000 - 1));
	KUNIT_EXPECT_FALSE(test, aif_rt_budget_used(&b, 2000000));
	aif_rt_budget_set(&b, &more, 2000000);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 100001, 0, 2000000), 0);
	KUNIT_EXPECT_EQ(test, aif_rt_due(&b, 100000, 0, 2000000), 3000000);
}

/* ---- the scheduler's side ---- */

static struct sim_lane *rt_lane(struct sim *s, u32 service, u32 tenant)
{
	return &s->lanes[service][tenant][AIF_CLASS_REALTIME];
}

/* Among all tenants and services the earliest goes first, whatever anybody had. */
static void test_rt_earliest_first(struct kunit *test)
{
	static const struct {
		u32 service, tenant;
		u64 due;
	} rows[] = { { 0, 0, 50 }, { 0, 1, 40 }, { 1, 1, 10 }, { 1, 2, 45 }, { 0, 0, 20 },
		     { 0, 2, 30 }, { 1, 0, 40 } };
	static const u32 order[] = { 2, 4, 5, 1, 6, 3, 0 };
	struct sim *s = sim_new(test);
	struct sim_req *reqs[ARRAY_SIZE(rows)];

	s->clocks[1][AIF_CLASS_REALTIME].vruntime = SECOND;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		reqs[i] = sim_submit(s, rt_lane(s, rows[i].service, rows[i].tenant), rows[i].due);
	for (u32 i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, sim_choose(s)), reqs[order[i]]);
}

/* The first of a lane leaves, or something earlier comes: the lane moves. */
static void test_rt_lane_moves(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *first = sim_submit(s, rt_lane(s, 0, 0), 10);
	struct sim_req *other = sim_submit(s, rt_lane(s, 0, 1), 20);
	struct sim_req *last = sim_submit(s, rt_lane(s, 0, 0), 30);
	struct sim_req *sudden;

	aif_sched_remove(&s->dev, &first->lane->lane, &first->node);
	KUNIT_EXPECT_PTR_EQ(test, aif_sched_next(&s->services[0].queue), &other->lane->lane);
	sudden = sim_submit(s, rt_lane(s, 0, 0), 15);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), sudden);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), other);
	KUNIT_EXPECT_EQ(test, sim_requeue(s, other), 0);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), last);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), other);
}

/* Due at once: first come, first served, and a charge changes nothing of that. */
static void test_rt_ties(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *reqs[8];

	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		reqs[i] = sim_submit(s, rt_lane(s, 0, i % 3), 77);
	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[i]);
}

/* A step that begins in real time is one request. */
static void test_rt_step_alone(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *l = rt_lane(s, 0, 0), *normal = sim_lane(s, 0, 1);

	sim_submit(s, l, 10);
	sim_submit(s, normal, 0);
	KUNIT_EXPECT_FALSE(test, aif_sched_joins(&l->lane, NULL));
	sim_fetch(s, 0);
	KUNIT_EXPECT_FALSE(test, aif_sched_joins(&l->lane, NULL));
	KUNIT_EXPECT_TRUE(test, aif_sched_joins(&normal->lane, NULL));
	sim_submit(s, l, 10);
	KUNIT_EXPECT_FALSE(test, aif_sched_joins(&normal->lane, NULL));
}

static struct kunit_case aif_rt_cases[] = {
	KUNIT_CASE_PARAM(test_rt_fits, fits_rows_gen_params),
	KUNIT_CASE_PARAM(test_rt_valid, valid_rows_gen_params),
	KUNIT_CASE(test_rt_due),
	KUNIT_CASE(test_rt_deadline),
	KUNIT_CASE(test_rt_overrun),
	KUNIT_CASE(test_rt_budget_set),
	KUNIT_CASE(test_rt_earliest_first),
	KUNIT_CASE(test_rt_lane_moves),
	KUNIT_CASE(test_rt_ties),
	KUNIT_CASE(test_rt_step_alone),
	{}
};

static struct kunit_suite aif_rt_suite = {
	.name = "aif_rt",
	.test_cases = aif_rt_cases,
};

kunit_test_suite(aif_rt_suite);
