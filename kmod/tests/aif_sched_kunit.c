// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Who goes next: shares, lateness, classes, deadlines, estimates, bounds. */
#include "aif_sim.h"

/* @part of @whole is @weight of @weights, within 2 %. */
static void expect_share(struct kunit *test, u64 part, u64 whole, u32 weight, u32 weights)
{
	u64 want = whole / weights * weight;
	u64 off = part > want ? part - want : want - part;

	if (off > want / 50)
		KUNIT_FAIL(test, "%llu of %llu, not %u of %u", (unsigned long long)part,
			   (unsigned long long)whole, weight, weights);
}

/* Steps until @l is served; at most @max. */
static u32 steps_until(struct sim *s, struct sim_lane *l, u32 max)
{
	u32 steps = 0;

	while (steps < max && sim_step(s) != l)
		steps++;
	return steps;
}

/* ---- fair share ---------------------------------------------------- */

static const struct weights_row {
	const char *name;
	u32 weights[3];
	u64 costs[3];
	u32 credit;
	u64 run;
} weights_rows[] = {
	{ "equal costs", { 100, 200, 400 }, { MS, MS, MS }, 1, 100 * SECOND },
	{ "unequal costs", { 100, 200, 400 }, { MS, 3 * MS, 700000 }, 1, 100 * SECOND },
	{ "long requests", { 100, 200, 400 }, { 5 * MS, MS, 8 * MS }, 1, 300 * SECOND },
	{ "steps of 8", { 100, 200, 400 }, { MS, 3 * MS, 700000 }, 8, 100 * SECOND },
	{ "least weights, steps of 32", { 1, 2, 4 }, { MS, 2 * MS, MS }, 32, 100 * SECOND },
	{ "least weights, short requests", { 1, 2, 4 }, { 300, 100, 200 }, 1, SECOND / 10 },
	{ "most weight, a few nanoseconds", { 2500, 5000, 10000 }, { 7, 11, 13 }, 1, 2 * MS },
	{ "most weight, steps of 4", { 2500, 5000, 10000 }, { 9000, 11000, 10000 }, 4, SECOND / 4 },
	{ "most weight for all", { 10000, 10000, 10000 }, { 9000, 11000, 10000 }, 4, SECOND / 4 },
};

KUNIT_ARRAY_PARAM_DESC(weights_rows, weights_rows, name);

static void test_sched_weights(struct kunit *test)
{
	const struct weights_row *row = test->param_value;
	struct sim *s = sim_new(test);
	u32 sum = 0;

	for (u32 t = 0; t < 3; t++) {
		s->clocks[t][AIF_CLASS_NORMAL].weight = row->weights[t];
		sum += row->weights[t];
		sim_backlog(s, sim_lane(s, 0, t), 40, row->costs[t]);
	}
	sim_run(s, row->credit, row->run);
	for (u32 t = 0; t < 3; t++)
		expect_share(test, sim_lane(s, 0, t)->served_ns, s->now, row->weights[t], sum);
}

/* Costs that nobody can foresee, from 0.01 to 20 ms. */
static void test_sched_weights_random_costs(struct kunit *test)
{
	struct sim *s = sim_new(test);
	u64 random = 42;

	for (u32 t = 0; t < 3; t++) {
		s->clocks[t][AIF_CLASS_NORMAL].weight = 100u << t;
		sim_backlog(s, sim_lane(s, 0, t), 10, MS);
	}
	while (s->now < 1000 * SECOND) {
		for (u32 t = 0; t < 3; t++)
			sim_lane(s, 0, t)->cost = 10000 + next_random(&random) % (20 * MS);
		sim_step(s);
	}
	for (u32 t = 0; t < 3; t++)
		expect_share(test, sim_lane(s, 0, t)->served_ns, s->now, 1u << t, 7);
}

/* A step mixes tenants: what is fetched counts before anything was measured. */
static void test_sched_step_mixes(struct kunit *test)
{
	struct sim *s = sim_new(test);

	for (u32 t = 0; t < 2; t++)
		sim_backlog(s, sim_lane(s, 0, t), 10, MS);
	for (u32 i = 0; i < 8; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0)->lane, sim_lane(s, 0, i % 2));
}

/* A new weight counts from now on. */
static void test_sched_weight_changes(struct kunit *test)
{
	struct sim *s = sim_new(test);
	u64 before[2], start;

	for (u32 t = 0; t < 2; t++)
		sim_backlog(s, sim_lane(s, 0, t), 10, MS);
	sim_run(s, 4, 10 * SECOND);
	for (u32 t = 0; t < 2; t++) {
		expect_share(test, sim_lane(s, 0, t)->served_ns, s->now, 1, 2);
		before[t] = sim_lane(s, 0, t)->served_ns;
	}
	start = s->now;
	s->clocks[0][AIF_CLASS_NORMAL].weight = 300;
	sim_run(s, 4, 20 * SECOND);
	expect_share(test, sim_lane(s, 0, 0)->served_ns - before[0], s->now - start, 3, 4);
	expect_share(test, sim_lane(s, 0, 1)->served_ns - before[1], s->now - start, 1, 4);
}

/* ---- lateness ------------------------------------------------------ */

/* It goes next or after one other, and from then on has its half, no more. */
static void test_sched_late_tenant(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *early = sim_lane(s, 0, 0), *late = sim_lane(s, 0, 1);
	u64 had;

	sim_backlog(s, early, 10, MS);
	sim_run(s, 1, 100 * SECOND);
	sim_backlog(s, late, 10, MS);
	KUNIT_EXPECT_TRUE(test, steps_until(s, late, 10) <= 1);
	KUNIT_EXPECT_TRUE(test, steps_until(s, early, 10) <= 1);
	had = early->served_ns;
	sim_run(s, 1, 101 * SECOND);
	expect_share(test, early->served_ns - had, SECOND, 1, 2);
	expect_share(test, late->served_ns, SECOND, 1, 2);
}

/* A tenant that comes and goes takes its turn each time, and no debt or credit grows. */
static void test_sched_idle_does_not_save(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *steady = sim_lane(s, 0, 0), *now_and_then = sim_lane(s, 0, 1);

	sim_backlog(s, steady, 10, MS);
	for (u32 i = 0; i < 100; i++) {
		sim_run(s, 1, s->now + SECOND);
		for (u32 k = 0; k < 10; k++)
			sim_submit(s, now_and_then, 0);
		KUNIT_EXPECT_TRUE(test, steps_until(s, now_and_then, 10) <= 1);
		for (u32 k = 0; k < 9; k++) {
			KUNIT_EXPECT_PTR_EQ(test, sim_step(s), steady);
			KUNIT_EXPECT_PTR_EQ(test, sim_step(s), now_and_then);
		}
	}
}

/* One request at a time, each ten times another's: idle in between, and yet no more than half. */
static void test_sched_idle_does_not_forget(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *steady = sim_lane(s, 0, 0), *single = sim_lane(s, 0, 1);

	sim_backlog(s, steady, 10, MS);
	single->cost = 10 * MS;
	while (s->now < 100 * SECOND) {
		if (!single->lane.requests.count)
			sim_submit(s, single, 0);
		sim_step(s);
	}
	expect_share(test, steady->served_ns, s->now, 1, 2);
	expect_share(test, single->served_ns, s->now, 1, 2);
}

/* What is owed on one service is not lost by asking another. */
static void test_sched_owed_on_both_services(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *busy = sim_lane(s, 0, 0);
	struct sim_lane *stuck = sim_lane(s, 1, 1), *elsewhere = sim_lane(s, 0, 1);

	sim_backlog(s, busy, 10, MS);
	sim_backlog(s, stuck, 10, MS);
	while (s->now < SECOND / 2)
		sim_commit(s, sim_fetch(s, 0));
	sim_backlog(s, elsewhere, 10, MS);
	steps_until(s, busy, 1000);
	expect_share(test, stuck->served_ns + elsewhere->served_ns, SECOND / 2, 1, 1);
}

/* Its service had no executor for long: it is owed a second, not the whole time. */
static void test_sched_absent_executor(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *busy = sim_lane(s, 0, 0), *stuck = sim_lane(s, 1, 1);
	u64 had;

	sim_backlog(s, busy, 10, MS);
	sim_backlog(s, stuck, 10, MS);
	while (s->now < 100 * SECOND)
		sim_commit(s, sim_fetch(s, 0));
	had = busy->served_ns;
	while (busy->served_ns == had)
		sim_step(s);
	KUNIT_EXPECT_GE(test, stuck->served_ns, SECOND);
	KUNIT_EXPECT_LE(test, stuck->served_ns, SECOND + 2 * MS);
	sim_run(s, 1, 110 * SECOND);
	expect_share(test, busy->served_ns - had, 9 * SECOND, 1, 2);
}

/* Corrections that come after a rest are not credit either. */
static void test_sched_refund_does_not_save(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *steady = sim_lane(s, 0, 0), *odd = sim_lane(s, 1, 1);
	struct sim_req *held[10];
	u64 had;

	s->services[1].queue.estimate_ns = 10 * SECOND;
	sim_backlog(s, steady, 10, MS);
	odd->cost = MS;
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, odd, 0));
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		held[i] = sim_fetch(s, 1);
	sim_run(s, 1, 200 * SECOND);
	sim_backlog(s, odd, 10, MS);
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		sim_commit(s, held[i]);
	s->services[1].queue.estimate_ns = MS;
	had = odd->served_ns;
	steps_until(s, steady, 100000);
	KUNIT_EXPECT_GE(test, odd->served_ns - had, 1);
	KUNIT_EXPECT_LE(test, odd->served_ns - had, SECOND + 2 * MS);
}

/* ---- classes, deadlines, ties -------------------------------------- */

static void test_sched_class_strict(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *idle = &s->lanes[0][0][AIF_CLASS_IDLE];
	struct sim_lane *normal = &s->lanes[0][1][AIF_CLASS_NORMAL];
	struct sim_lane *other = &s->lanes[1][2][AIF_CLASS_NORMAL];
	struct sim_lane *realtime = &s->lanes[1][0][AIF_CLASS_REALTIME];

	sim_backlog(s, idle, 10, MS);
	for (u32 i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_step(s), idle);
	for (u32 i = 0; i < 100; i++)
		KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, i % 2 ? normal : other, 0));
	for (u32 i = 0; i < 5; i++)
		KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, realtime, 0));
	for (u32 i = 0; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_step(s), realtime);
	for (u32 i = 0; i < 100; i++)
		KUNIT_EXPECT_PTR_NE(test, sim_step(s), idle);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), idle);
	KUNIT_EXPECT_EQ(test, normal->served + other->served, 100);
}

/* Classes have clocks of their own: what was had in one does not count in another. */
static void test_sched_class_clocks_apart(struct kunit *test)
{
	static const struct {
		u32 class, early, late;
	} rows[] = {
		{ AIF_CLASS_IDLE, 0, 1 },
		{ AIF_CLASS_NORMAL, 0, 1 },
		{ AIF_CLASS_NORMAL, 0, 2 },
		{ AIF_CLASS_IDLE, 0, 2 },
	};
	struct sim *s = sim_new(test);

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sim_lane *early = &s->lanes[0][rows[i].early][rows[i].class];
		struct sim_lane *late = &s->lanes[0][rows[i].late][rows[i].class];

		sim_backlog(s, early, 10, MS);
		sim_run(s, 1, s->now + (i + 1) * 20 * SECOND);
		sim_backlog(s, late, 10, MS);
		sim_run(s, 1, s->now + 2 * SECOND);
		expect_share(test, late->served_ns, 2 * SECOND, 1, 2);
		early->refill = 0;
		late->refill = 0;
		while (sim_step(s))
			;
	}
}

static void test_sched_deadlines_inside_tenant(struct kunit *test)
{
	static const u64 deadlines[] = { 0, 500, 100, 0, 300, 100, ~0ull };
	static const u32 order[] = { 2, 5, 4, 1, 0, 3, 6 };
	struct sim *s = sim_new(test);
	struct sim_req *reqs[ARRAY_SIZE(deadlines)];

	for (u32 i = 0; i < ARRAY_SIZE(deadlines); i++)
		reqs[i] = sim_submit(s, sim_lane(s, 0, 0), deadlines[i]);
	for (u32 i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[order[i]]);
}

/* ... on two services too, though the other was asked first. */
static void test_sched_deadlines_across_services(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *none = sim_submit(s, sim_lane(s, 0, 0), 0);
	struct sim_req *second = sim_submit(s, sim_lane(s, 0, 0), 20);
	struct sim_req *first = sim_submit(s, sim_lane(s, 1, 0), 10);
	struct sim_req *last = sim_submit(s, sim_lane(s, 1, 0), 0);
	struct sim_req *want[] = { first, second, none, last };

	for (u32 i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, sim_choose(s)), want[i]);
}

/* A deadline does not beat another tenant's turn. */
static void test_sched_deadline_not_across_tenants(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *patient = sim_lane(s, 0, 0), *hasty = sim_lane(s, 0, 1);
	struct sim_lane *far = sim_lane(s, 1, 2);

	sim_submit(s, patient, 0);
	for (u32 i = 0; i < 3; i++)
		sim_submit(s, hasty, 1 + i);
	sim_submit(s, far, 1);
	sim_submit(s, patient, 0);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), patient);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), hasty);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), far);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), patient);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), hasty);
}

static void test_sched_fifo_ties(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *reqs[20];

	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		reqs[i] = sim_submit(s, sim_lane(s, 0, 0), 77);
	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[i]);
	/* Equal clocks: whoever came first, whatever the order of lanes. */
	for (u32 i = 0; i < SIM_TENANTS; i++)
		s->clocks[i][AIF_CLASS_NORMAL].vruntime = SECOND;
	for (u32 i = 0; i < SIM_TENANTS; i++)
		reqs[i] = sim_submit(s, sim_lane(s, i % 2, (i + 2) % SIM_TENANTS), 0);
	for (u32 i = 0; i < SIM_TENANTS; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, sim_choose(s)), reqs[i]);
}

/* ---- two services -------------------------------------------------- */

/* A tenant's share is the device's, not the service's. */
static void test_sched_two_services(struct kunit *test)
{
	struct sim *s = sim_new(test);

	sim_backlog(s, sim_lane(s, 0, 0), 10, MS);
	sim_backlog(s, sim_lane(s, 1, 0), 10, 4 * MS);
	sim_backlog(s, sim_lane(s, 1, 1), 10, 2 * MS);
	sim_run(s, 1, 100 * SECOND);
	expect_share(test, sim_lane(s, 0, 0)->served_ns + sim_lane(s, 1, 0)->served_ns, s->now,
		     1, 2);
	expect_share(test, sim_lane(s, 1, 1)->served_ns, s->now, 1, 2);
	KUNIT_EXPECT_TRUE(test, sim_lane(s, 0, 0)->served > 0);
	KUNIT_EXPECT_TRUE(test, sim_lane(s, 1, 0)->served > 0);
}

static void test_sched_before_empty(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct aif_sched_queue *a = &s->services[0].queue, *b = &s->services[1].queue;

	KUNIT_EXPECT_FALSE(test, aif_sched_before(a, b));
	sim_submit(s, sim_lane(s, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, aif_sched_before(a, b));
	KUNIT_EXPECT_FALSE(test, aif_sched_before(b, a));
	KUNIT_EXPECT_FALSE(test, aif_sched_before(a, a));
}

/* Who may go with a step of service 0 that has begun, while service 1 waits. */
static const struct joins_row {
	const char *name;
	u8 class;
	u32 weight;
	u64 clock;
	u8 rival_class;		/* AIF_CLASS_COUNT: nobody waits */
	u64 rival_clock;
	bool want;
} joins_rows[] = {
	{ "nobody waits", AIF_CLASS_IDLE, 100, ~0ull, AIF_CLASS_COUNT, 0, true },
	{ "behind", AIF_CLASS_NORMAL, 100, 6, AIF_CLASS_NORMAL, 7, true },
	{ "level", AIF_CLASS_NORMAL, 100, 7, AIF_CLASS_NORMAL, 7, true },
	{ "ahead", AIF_CLASS_NORMAL, 100, 7 + MS, AIF_CLASS_NORMAL, 7, true },
	{ "too far ahead", AIF_CLASS_NORMAL, 100, 8 + MS, AIF_CLASS_NORMAL, 7, false },
	{ "ahead, a light one", AIF_CLASS_NORMAL, 1, 100 * MS, AIF_CLASS_NORMAL, 0, true },
	{ "too far, a light one", AIF_CLASS_NORMAL, 1, 100 * MS + 1, AIF_CLASS_NORMAL, 0, false },
	{ "ahead, a heavy one", AIF_CLASS_NORMAL, 10000, 10000, AIF_CLASS_NORMAL, 0, true },
	{ "too far, a heavy one", AIF_CLASS_NORMAL, 10000, 10001, AIF_CLASS_NORMAL, 0, false },
	{ "of a higher class, far ahead", AIF_CLASS_NORMAL, 100, ~0ull, AIF_CLASS_IDLE, 0, true },
	{ "of a lower class, behind", AIF_CLASS_IDLE, 100, 0, AIF_CLASS_NORMAL, 7, false },
};

KUNIT_ARRAY_PARAM_DESC(joins_rows, joins_rows, name);

static void test_sched_joins(struct kunit *test)
{
	const struct joins_row *row = test->param_value;
	struct sim *s = sim_new(test);
	const struct aif_sched_queue *rival = NULL;

	s->clocks[0][row->class].weight = row->weight;
	s->clocks[0][row->class].vruntime = row->clock;
	sim_submit(s, &s->lanes[0][0][row->class], 0);
	if (row->rival_class < AIF_CLASS_COUNT) {
		s->clocks[1][row->rival_class].vruntime = row->rival_clock;
		sim_submit(s, &s->lanes[1][1][row->rival_class], 0);
		rival = &s->services[1].queue;
	}
	KUNIT_EXPECT_EQ(test, aif_sched_joins(&sim_lane(s, 0, 3)->lane, rival), row->want);
	KUNIT_EXPECT_TRUE(test, aif_sched_joins(&sim_lane(s, 0, 3)->lane,
						&s->services[0].queue));
}

/* An empty queue is no rival. */
static void test_sched_joins_nobody(struct kunit *test)
{
	struct sim *s = sim_new(test);

	s->clocks[0][AIF_CLASS_NORMAL].vruntime = SECOND;
	sim_submit(s, sim_lane(s, 0, 0), 0);
	KUNIT_EXPECT_TRUE(test, aif_sched_joins(&sim_lane(s, 0, 1)->lane,
						&s->services[1].queue));
}

/* The first of a step moves the time; those that go with it, and are ahead, do not. */
static void test_sched_step_time(struct kunit *test)
{
	struct sim *s = sim_new(test);
	u64 *vtime = &s->dev.vtime[AIF_CLASS_NORMAL];
	struct aif_sched_lane *ahead = &sim_lane(s, 0, 1)->lane;

	s->clocks[0][AIF_CLASS_NORMAL].vruntime = 5 * MS;
	s->clocks[1][AIF_CLASS_NORMAL].vruntime = 6 * MS;
	sim_submit(s, sim_lane(s, 0, 0), 0);
	sim_submit(s, sim_lane(s, 0, 1), 0);
	sim_fetch(s, 0);
	KUNIT_EXPECT_EQ(test, *vtime, 5 * MS);
	KUNIT_EXPECT_PTR_NE(test, NULL, aif_sched_pop_more(&s->dev, ahead));
	KUNIT_EXPECT_EQ(test, *vtime, 5 * MS);
	KUNIT_EXPECT_EQ(test, ahead->clock->vruntime, 6 * MS + AIF_SCHED_ESTIMATE_NS / 100);
	KUNIT_EXPECT_EQ(test, s->dev.queued, 0);
	/* Who had nothing queued since the step began is not set back. */
	sim_submit(s, sim_lane(s, 0, 2), 0);
	KUNIT_EXPECT_EQ(test, s->clocks[2][AIF_CLASS_NORMAL].vruntime, 5 * MS);
}

/* ---- estimates ----------------------------------------------------- */

/* Off by a hundred either way: the shares hold, and the estimate learns. */
static void test_sched_wrong_estimates(struct kunit *test)
{
	static const u64 costs[] = { 100 * MS, MS / 100 };
	static const u64 runs[] = { 200 * SECOND, 2 * SECOND };

	for (u32 i = 0; i < ARRAY_SIZE(costs); i++) {
		struct sim *s = sim_new(test);
		u64 *estimate = &s->services[0].queue.estimate_ns;

		KUNIT_EXPECT_EQ(test, *estimate, AIF_SCHED_ESTIMATE_NS);
		sim_backlog(s, sim_lane(s, 0, 0), 10, costs[i]);
		sim_backlog(s, sim_lane(s, 1, 1), 10, MS);
		sim_run(s, 4, runs[i]);
		expect_share(test, sim_lane(s, 0, 0)->served_ns, s->now, 1, 2);
		KUNIT_EXPECT_GE(test, *estimate, costs[i] * 99 / 100);
		KUNIT_EXPECT_LE(test, *estimate, costs[i] * 101 / 100);
	}
}

static void test_sched_estimate_stays_positive(struct kunit *test)
{
	struct sim *s = sim_new(test);

	for (u32 i = 0; i < 1000; i++)
		aif_sched_account(&sim_lane(s, 0, 0)->lane, 0, 0, true);
	KUNIT_EXPECT_GE(test, s->services[0].queue.estimate_ns, 1);
	KUNIT_EXPECT_LE(test, s->services[0].queue.estimate_ns, 7);
}

/* Charges: in progress they only grow; the last word may lower them. */
static void test_sched_account_steps(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct aif_sched_lane *l = &sim_lane(s, 0, 0)->lane;
	u64 *clock = &l->clock->vruntime;
	u64 estimate = s->services[0].queue.estimate_ns;

	sim_submit(s, sim_lane(s, 0, 0), 0);
	sim_fetch(s, 0);
	KUNIT_EXPECT_EQ(test, *clock, estimate / 100);
	KUNIT_EXPECT_EQ(test, aif_sched_account(l, estimate, estimate / 2, false), estimate);
	KUNIT_EXPECT_EQ(test, *clock, estimate / 100);
	KUNIT_EXPECT_EQ(test, aif_sched_account(l, estimate, 3 * estimate, false), 3 * estimate);
	KUNIT_EXPECT_EQ(test, *clock, 3 * estimate / 100);
	KUNIT_EXPECT_EQ(test, s->services[0].queue.estimate_ns, estimate);
	KUNIT_EXPECT_EQ(test, aif_sched_account(l, 3 * estimate, 2 * estimate, true), 2 * estimate);
	KUNIT_EXPECT_EQ(test, *clock, 2 * estimate / 100);
	KUNIT_EXPECT_EQ(test, s->services[0].queue.estimate_ns, estimate + estimate / 8);
}

/* Charging and refunding what no weight divides leaves the clock where it was. */
static void test_sched_account_exact(struct kunit *test)
{
	static const u32 weights[] = { 1, 3, 7, 100, 9999, 10000 };

	for (u32 i = 0; i < ARRAY_SIZE(weights); i++) {
		struct sim *s = sim_new(test);
		struct aif_sched_lane *l = &sim_lane(s, 0, 0)->lane;
		struct aif_sched_clock *c = l->clock;
		u64 random = 7, sum = 0;

		c->weight = weights[i];
		for (u32 k = 0; k < 10000; k++) {
			u64 ns = next_random(&random) % 100000;
			bool back = ns <= sum && next_random(&random) % 2;

			aif_sched_account(l, back ? ns : 0, back ? 0 : ns, true);
			sum += back ? -ns : ns;
			KUNIT_EXPECT_TRUE(test, c->rest < c->weight);
			KUNIT_EXPECT_TRUE(test, c->vruntime * c->weight + c->rest == sum);
		}
	}
}

/* A heavier weight between charge and refund cannot turn the clock below zero. */
static void test_sched_refund_floor(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct aif_sched_lane *l = &sim_lane(s, 0, 0)->lane;

	aif_sched_account(l, 0, SECOND, true);
	l->clock->weight = 1;
	aif_sched_account(l, SECOND, 0, true);
	KUNIT_EXPECT_EQ(test, l->clock->vruntime, 0);
}

/* ---- lanes that wait for a time ------------------------------------ */

/* Others pass it, and it comes in again at its time, in its time's order. */
static void test_sched_pause(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *a = sim_lane(s, 0, 0), *b = sim_lane(s, 0, 1), *c = sim_lane(s, 0, 2);
	struct aif_sched_queue *q = &s->services[0].queue;

	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), ~0ull);
	sim_backlog(s, a, 2, MS);
	sim_backlog(s, b, 2, MS);
	sim_backlog(s, c, 2, MS);
	aif_sched_pause(&a->lane, 300);
	aif_sched_pause(&b->lane, 200);
	for (u32 i = 0; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_step(s), c);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), 200);
	aif_sched_resume(&s->dev, q, 199);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), c);
	aif_sched_resume(&s->dev, q, 200);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), 300);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), b);
	aif_sched_pause(&c->lane, ~0ull - 1);
	aif_sched_pause(&b->lane, 500);
	KUNIT_EXPECT_NULL(test, aif_sched_next(q));
	KUNIT_EXPECT_EQ(test, sim_choose(s), -1);
	KUNIT_EXPECT_EQ(test, q->queued, 6);
	aif_sched_resume(&s->dev, q, ~0ull);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), ~0ull);
	a->refill = 0;
	b->refill = 0;
	c->refill = 0;
	for (u32 i = 0; i < 6; i++)
		KUNIT_EXPECT_PTR_NE(test, sim_step(s), NULL);
	KUNIT_EXPECT_NULL(test, sim_step(s));
}

/* It is owed nothing for the time: it comes back as one that slept. */
static void test_sched_pause_does_not_save(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *a = sim_lane(s, 0, 0), *b = sim_lane(s, 0, 1);
	u64 had;

	sim_backlog(s, a, 4, MS);
	sim_backlog(s, b, 4, MS);
	sim_run(s, 1, SECOND);
	aif_sched_pause(&a->lane, 0);
	sim_run(s, 1, 2 * SECOND);
	had = a->served_ns;
	aif_sched_resume(&s->dev, &s->services[0].queue, 0);
	sim_run(s, 1, 3 * SECOND);
	expect_share(test, a->served_ns - had, SECOND, 1, 2);
}

/* What comes, goes and changes meanwhile: emptied, it is paused no more. */
static void test_sched_pause_under_change(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *a = sim_lane(s, 0, 0), *rt = &s->lanes[0][1][AIF_CLASS_REALTIME];
	struct aif_sched_queue *q = &s->services[0].queue;
	struct sim_req *first = sim_submit(s, a, 7), *second, *due;

	aif_sched_pause(&a->lane, 100);
	second = sim_submit(s, a, 3);
	KUNIT_ASSERT_NOT_NULL(test, second);
	aif_sched_correct(&a->lane, 0, SECOND);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), 100);
	KUNIT_EXPECT_NULL(test, aif_sched_next(q));
	aif_sched_remove(&s->dev, &a->lane, &second->node);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), 100);
	aif_sched_remove(&s->dev, &a->lane, &first->node);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), ~0ull);
	KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, a, 0));
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), a);
	/* In real time it is the first that is due that counts, when it is back. */
	due = sim_submit(s, rt, 900);
	aif_sched_pause(&rt->lane, 100);
	due = sim_submit(s, rt, 800);
	KUNIT_EXPECT_EQ(test, aif_sched_paused_until(q), 100);
	aif_sched_resume(&s->dev, q, 100);
	KUNIT_EXPECT_EQ(test, rt->lane.node.key, 800);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), due);
}

/* ---- queueing ------------------------------------------------------ */

static void expect_empty(struct sim *s)
{
	struct kunit *test = s->test;

	KUNIT_EXPECT_EQ(test, s->dev.queued, 0);
	for (u32 i = 0; i < SIM_SERVICES; i++) {
		KUNIT_EXPECT_EQ(test, s->services[i].queue.queued, 0);
		KUNIT_EXPECT_NULL(test, aif_sched_next(&s->services[i].queue));
	}
	KUNIT_EXPECT_EQ(test, sim_choose(s), -1);
}

static void test_sched_remove(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *reqs[9];

	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		reqs[i] = sim_submit(s, sim_lane(s, 0, i % 3), 100 + i);
	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++) {
		if (i % 3 != 1 && i != 3)
			continue;
		aif_sched_remove(&s->dev, &reqs[i]->lane->lane, &reqs[i]->node);
		KUNIT_EXPECT_EQ(test, reqs[i]->node.pos, AIF_HEAP_OUT);
	}
	KUNIT_EXPECT_EQ(test, s->dev.queued, 5);
	KUNIT_EXPECT_EQ(test, s->services[0].queue.queued, 5);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[0]);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[2]);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[6]);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[5]);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[8]);
	expect_empty(s);
}

/* Anything in any order, and the counts and heaps agree in the end. */
static void test_sched_random_churn(struct kunit *test)
{
	struct sim *s = sim_new(test);
	u64 random = 99;

	for (u32 i = 0; i < 200000; i++) {
		u64 r = next_random(&random);
		struct sim_lane *l = &s->lanes[r % 2][r / 2 % 4][r / 8 % 3];
		struct sim_req *req = &s->reqs[r / 32 % SIM_REQUESTS];

		l->cost = r / 64 % (4 * MS);
		if (req->used && req->node.pos != AIF_HEAP_OUT && r % 5 == 0) {
			aif_sched_remove(&s->dev, &req->lane->lane, &req->node);
			req->used = false;
		} else if (r % 7 == 0 && l->lane.requests.count) {
			aif_sched_pause(&l->lane, s->now + r / 128 % (40 * MS));
		} else if (r % 13 == 0) {
			aif_sched_resume(&s->dev, l->lane.queue, s->now);
		} else if (s->dev.queued < SIM_REQUESTS && r % 2) {
			KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, l, r / 128 % 4));
		} else {
			sim_step(s);
		}
	}
	for (u32 i = 0; i < SIM_SERVICES; i++)
		aif_sched_resume(&s->dev, &s->services[i].queue, ~0ull);
	while (sim_step(s))
		;
	expect_empty(s);
}

/* Requests of @l, until one is refused. */
static u32 submit_all(struct sim *s, struct sim_lane *l)
{
	u32 n = 0;

	while (sim_submit(s, l, 0))
		n++;
	return n;
}

/* Who floods the queue does not keep out who has little there, in any class. */
static void test_sched_queue_part(struct kunit *test)
{
	struct sim *s = sim_new(test);

	aif_sched_init(&s->dev, 1, 2 * AIF_SCHED_OWN_PART);
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 0, 0)), 2 * AIF_SCHED_OWN_PART);
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 0, 1)), 2);
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 1, 1)), 0);
	KUNIT_EXPECT_EQ(test, submit_all(s, &s->lanes[1][1][AIF_CLASS_IDLE]), 2);
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 1, 2)), 2);
	/* Its own that are gone make room for its own. */
	while (sim_fetch(s, 0)->lane != sim_lane(s, 0, 1))
		;
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 0, 0)), 0);
	KUNIT_EXPECT_EQ(test, submit_all(s, sim_lane(s, 0, 1)), 1);
}

static void test_sched_queue_bound(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_req *r;

	aif_sched_init(&s->dev, 1, 3);
	for (u32 i = 0; i < 3; i++)
		KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, sim_lane(s, i % 2, i), 0));
	KUNIT_EXPECT_NULL(test, sim_submit(s, sim_lane(s, 0, 0), 0));
	KUNIT_EXPECT_NULL(test, sim_submit(s, sim_lane(s, 0, 3), 0));
	KUNIT_EXPECT_EQ(test, s->dev.queued, 3);
	r = sim_fetch(s, 0);
	KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, sim_lane(s, 0, 3), 0));
	KUNIT_EXPECT_NULL(test, sim_submit(s, sim_lane(s, 0, 3), 0));
	/* A recovered one is never refused for the device's bound. */
	KUNIT_EXPECT_EQ(test, sim_requeue(s, r), 0);
	KUNIT_EXPECT_EQ(test, s->dev.queued, 4);
}

/* Arrays too small refuse and leave all as it was. */
static void test_sched_arrays_bound(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *l = sim_lane(s, 0, 0);

	l->lane.requests.capacity = 1;
	KUNIT_ASSERT_NOT_NULL(test, sim_submit(s, l, 0));
	KUNIT_EXPECT_NULL(test, sim_submit(s, l, 0));
	s->services[0].queue.lanes[AIF_CLASS_NORMAL].capacity = 1;
	KUNIT_EXPECT_NULL(test, sim_submit(s, sim_lane(s, 0, 1), 0));
	KUNIT_EXPECT_EQ(test, sim_lane(s, 0, 1)->lane.requests.count, 0);
	KUNIT_EXPECT_EQ(test, s->dev.queued, 1);
	KUNIT_EXPECT_PTR_EQ(test, sim_step(s), l);
	expect_empty(s);
}

static void test_sched_tokens(struct kunit *test)
{
	struct aif_sched dev;

	aif_sched_init(&dev, 2, 1);
	KUNIT_EXPECT_TRUE(test, aif_sched_token_get(&dev));
	KUNIT_EXPECT_TRUE(test, aif_sched_token_get(&dev));
	KUNIT_EXPECT_FALSE(test, aif_sched_token_get(&dev));
	aif_sched_token_put(&dev);
	KUNIT_EXPECT_TRUE(test, aif_sched_token_get(&dev));
	KUNIT_EXPECT_FALSE(test, aif_sched_token_get(&dev));
	aif_sched_init(&dev, 0, 1);
	KUNIT_EXPECT_FALSE(test, aif_sched_token_get(&dev));
}

/* Back in its place: before what came later, behind what came before. */
static void test_sched_recovered_keeps_place(struct kunit *test)
{
	struct sim *s = sim_new(test);
	struct sim_lane *l = sim_lane(s, 0, 0);
	struct sim_req *reqs[4];
	struct sim_req *lost;

	for (u32 i = 0; i < ARRAY_SIZE(reqs); i++)
		reqs[i] = sim_submit(s, l, i == 3 ? 50 : 0);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[3]);
	KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[0]);
	lost = sim_fetch(s, 0);
	KUNIT_EXPECT_PTR_EQ(test, lost, reqs[1]);
	sim_submit(s, l, 0);
	KUNIT_EXPECT_EQ(test, sim_requeue(s, reqs[0]), 0);
	KUNIT_EXPECT_EQ(test, sim_requeue(s, lost), 0);
	for (u32 i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, sim_fetch(s, 0), reqs[i]);
}

/* Lanes leave from any place. */
static void test_sched_lane_fini(struct kunit *test)
{
	struct aif_sched_queue q;
	struct aif_sched_clock c = { .weight = 100 };
	struct aif_sched_lane lanes[3] = { 0 };

	aif_sched_queue_init(&q);
	for (u32 i = 0; i < 3; i++)
		aif_sched_lane_init(&lanes[i], &q, &c, AIF_CLASS_NORMAL);
	aif_sched_lane_fini(&lanes[1]);
	KUNIT_EXPECT_PTR_EQ(test, c.lanes, &lanes[2]);
	KUNIT_EXPECT_PTR_EQ(test, lanes[2].next, &lanes[0]);
	KUNIT_EXPECT_NULL(test, lanes[0].next);
	aif_sched_lane_fini(&lanes[2]);
	KUNIT_EXPECT_PTR_EQ(test, c.lanes, &lanes[0]);
	aif_sched_lane_fini(&lanes[0]);
	KUNIT_EXPECT_NULL(test, c.lanes);
}

/* ---- time ---------------------------------------------------------- */

/* After nine years of one tenant at weight 1 on 64 steps at once. */
static void test_sched_nine_years(struct kunit *test)
{
	struct sim *s = sim_new(test);

	s->dev.vtime[AIF_CLASS_NORMAL] = 9ull * 365 * 86400 * 64 * SECOND;
	KUNIT_EXPECT_TRUE(test, s->dev.vtime[AIF_CLASS_NORMAL] > 1ull << 63);
	for (u32 t = 0; t < 3; t++) {
		s->clocks[t][AIF_CLASS_NORMAL].weight = 1u << t;
		sim_backlog(s, sim_lane(s, 0, t), 10, MS);
	}
	sim_run(s, 4, 100 * SECOND);
	for (u32 t = 0; t < 3; t++)
		expect_share(test, sim_lane(s, 0, t)->served_ns, s->now, 1u << t, 7);
}

static struct kunit_case aif_sched_cases[] = {
	KUNIT_CASE_PARAM(test_sched_weights, weights_rows_gen_params),
	KUNIT_CASE(test_sched_weights_random_costs),
	KUNIT_CASE(test_sched_step_mixes),
	KUNIT_CASE(test_sched_weight_changes),
	KUNIT_CASE(test_sched_late_tenant),
	KUNIT_CASE(test_sched_idle_does_not_save),
	KUNIT_CASE(test_sched_idle_does_not_forget),
	KUNIT_CASE(test_sched_owed_on_both_services),
	KUNIT_CASE(test_sched_absent_executor),
	KUNIT_CASE(test_sched_refund_does_not_save),
	KUNIT_CASE(test_sched_class_strict),
	KUNIT_CASE(test_sched_class_clocks_apart),
	KUNIT_CASE(test_sched_deadlines_inside_tenant),
	KUNIT_CASE(test_sched_deadlines_across_services),
	KUNIT_CASE(test_sched_deadline_not_across_tenants),
	KUNIT_CASE(test_sched_fifo_ties),
	KUNIT_CASE(test_sched_two_services),
	KUNIT_CASE(test_sched_before_empty),
	KUNIT_CASE_PARAM(test_sched_joins, joins_rows_gen_params),
	KUNIT_CASE(test_sched_joins_nobody),
	KUNIT_CASE(test_sched_step_time),
	KUNIT_CASE(test_sched_wrong_estimates),
	KUNIT_CASE(test_sched_estimate_stays_positive),
	KUNIT_CASE(test_sched_account_steps),
	KUNIT_CASE(test_sched_account_exact),
	KUNIT_CASE(test_sched_refund_floor),
	KUNIT_CASE(test_sched_pause),
	KUNIT_CASE(test_sched_pause_does_not_save),
	KUNIT_CASE(test_sched_pause_under_change),
	KUNIT_CASE(test_sched_remove),
	KUNIT_CASE(test_sched_random_churn),
	KUNIT_CASE(test_sched_queue_bound),
	KUNIT_CASE(test_sched_queue_part),
	KUNIT_CASE(test_sched_arrays_bound),
	KUNIT_CASE(test_sched_tokens),
	KUNIT_CASE(test_sched_recovered_keeps_place),
	KUNIT_CASE(test_sched_lane_fini),
	KUNIT_CASE(test_sched_nine_years),
	{}
};

static struct kunit_suite aif_sched_suite = {
	.name = "aif_sched",
	.test_cases = aif_sched_cases,
};

kunit_test_suite(aif_sched_suite);
