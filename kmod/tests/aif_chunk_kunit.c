// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Transfers: cuts on both sides of each edge, costs that follow what is measured. */
#include "aif_test.h"

static const struct cut_row {
	const char *name;
	u64 at;
	u32 left;
	u32 want;
} cut_rows[] = {
	{ "a byte", 0, 1, 1 },
	{ "a byte less than a chunk", 0, AIF_CHUNK_MAX - 1, AIF_CHUNK_MAX - 1 },
	{ "a chunk", 0, AIF_CHUNK_MAX, AIF_CHUNK_MAX },
	{ "a byte more", 0, AIF_CHUNK_MAX + 1, AIF_CHUNK_MAX },
	{ "all there can be", 0, ~0u, AIF_CHUNK_MAX },
	{ "from byte 1", 1, ~0u, AIF_CHUNK_MAX - 1 },
	{ "the last byte before a cut", AIF_CHUNK_MAX - 1, ~0u, 1 },
	{ "at a cut", AIF_CHUNK_MAX, ~0u, AIF_CHUNK_MAX },
	{ "at a cut past 4 GiB", 5ull << 32, 7, 7 },
	{ "before a cut past 4 GiB", (5ull << 32) - 3, 7, 3 },
};

KUNIT_ARRAY_PARAM_DESC(cut_rows, cut_rows, name);

static void test_chunk_cut(struct kunit *test)
{
	const struct cut_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, aif_chunk_cut(row->at, row->left), row->want);
}

/* All of it, no piece longer than a chunk, and no more pieces than it takes. */
static void test_chunk_cut_whole(struct kunit *test)
{
	const u32 lengths[] = { 1, 4096, AIF_CHUNK_MAX - 1, 3 * AIF_CHUNK_MAX + 5 };

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (u64 at = 0; at < 2 * AIF_CHUNK_MAX; at += 4099) {
			u32 done = 0, pieces = 0;

			for (; done < lengths[i]; pieces++) {
				u32 n = aif_chunk_cut(at + done, lengths[i] - done);

				KUNIT_ASSERT_LT(test, 0, n);
				KUNIT_ASSERT_LE(test, n, AIF_CHUNK_MAX);
				done += n;
			}
			KUNIT_EXPECT_EQ(test, done, lengths[i]);
			KUNIT_EXPECT_LE(test, pieces, lengths[i] / AIF_CHUNK_MAX + 2);
		}
	}
}

static void test_cost_of(struct kunit *test)
{
	struct aif_cost c = { .fixed_ns = 500, .ps_byte = 250 };

	KUNIT_EXPECT_EQ(test, aif_cost_of(&c, 0), 500);
	KUNIT_EXPECT_EQ(test, aif_cost_of(&c, 4), 501);
	KUNIT_EXPECT_EQ(test, aif_cost_of(&c, 1 << 20), 500 + 262144);
	c = (struct aif_cost){ ~0u, ~0u };
	KUNIT_EXPECT_EQ(test, aif_cost_of(&c, ~0u), 0xffffffffull + 18446744065119617ull);
}

/* It comes near what is measured, from both sides, and leaves its range for nothing. */
static void test_cost_learn(struct kunit *test)
{
	struct aif_cost fast = { .ps_byte = 10 }, slow = { .ps_byte = ~0u };

	for (u32 i = 0; i < 200; i++) {
		aif_cost_learn(&fast, AIF_CHUNK_MAX, 100 * 1000);
		aif_cost_learn(&slow, AIF_CHUNK_MAX, 100 * 1000);
	}
	KUNIT_EXPECT_GE(test, fast.ps_byte, 370);
	KUNIT_EXPECT_LE(test, fast.ps_byte, 382);
	KUNIT_EXPECT_GE(test, slow.ps_byte, 380);
	KUNIT_EXPECT_LE(test, slow.ps_byte, 390);
	for (u32 i = 0; i < 400; i++) {
		aif_cost_learn(&fast, AIF_CHUNK_MAX, 0);
		aif_cost_learn(&slow, 4096, ~0ull);
	}
	KUNIT_EXPECT_EQ(test, fast.ps_byte, 1);
	KUNIT_EXPECT_GE(test, slow.ps_byte, ~0u - 8);
}

/* A chunk too short to say anything, and one within what each costs. */
static void test_cost_learn_short(struct kunit *test)
{
	struct aif_cost c = { .fixed_ns = 500, .ps_byte = 100 };

	aif_cost_learn(&c, 4095, 1 << 30);
	KUNIT_EXPECT_EQ(test, c.ps_byte, 100);
	aif_cost_learn(&c, 4096, 500);
	KUNIT_EXPECT_EQ(test, c.ps_byte, 87);
	KUNIT_EXPECT_EQ(test, c.fixed_ns, 500);
}

/* ---- the scheduler's side ---- */

struct engine {
	struct aif_sched sched;
	struct aif_sched_queue queue;
	struct aif_heap_node *slots[AIF_CLASS_COUNT][4];
	struct aif_sched_clock clocks[2];
	struct aif_sched_lane lanes[2];
	struct aif_heap_node *requests[2][4];
	struct aif_heap_node transfer[2];
};

/* Two tenants, @weight of the first to 100 of the second. */
static void engine_init(struct engine *e, u32 weight)
{
	memset(e, 0, sizeof(*e));
	aif_sched_init(&e->sched, 1, 16);
	aif_sched_queue_init(&e->queue);
	for (u32 i = 0; i < AIF_CLASS_COUNT; i++) {
		e->queue.lanes[i].slots = e->slots[i];
		e->queue.lanes[i].capacity = 4;
	}
	for (u32 i = 0; i < 2; i++) {
		e->clocks[i].weight = i ? 100 : weight;
		aif_sched_lane_init(&e->lanes[i], &e->queue, &e->clocks[i], AIF_CLASS_NORMAL);
		e->lanes[i].requests.slots = e->requests[i];
		e->lanes[i].requests.capacity = 4;
		aif_heap_node_init(&e->transfer[i]);
	}
}

/* One chunk of @ns of whoever is next: its number.  It is queued again. */
static u32 engine_step(struct engine *e, u64 expected_ns, u64 ns)
{
	struct aif_sched_lane *l = aif_sched_next(&e->queue);
	struct aif_heap_node *n = aif_sched_pop_chunk(&e->sched, l, expected_ns);

	aif_sched_correct(l, expected_ns, ns);
	aif_sched_push_again(&e->sched, l, n, 0, n->seq);
	return l == &e->lanes[1];
}

static const struct share_row {
	const char *name;
	u32 weight;
	u64 ns[2];		/* that a chunk of each takes */
	u64 expected_ns;
	u32 first;		/* chunks of the first in 1000, within 1 % */
} share_rows[] = {
	{ "equal", 100, { 1000, 1000 }, 1000, 500 },
	{ "three times the weight", 300, { 1000, 1000 }, 1000, 750 },
	{ "longer chunks", 100, { 3000, 1000 }, 1000, 250 },
	{ "expected to cost nothing", 100, { 1000, 1000 }, 0, 500 },
	{ "expected to cost far too much", 100, { 1000, 3000 }, 100000, 750 },
};

KUNIT_ARRAY_PARAM_DESC(share_rows, share_rows, name);

static void test_chunk_share(struct kunit *test)
{
	const struct share_row *row = test->param_value;
	struct engine e;
	u32 first = 0;

	engine_init(&e, row->weight);
	aif_sched_push(&e.sched, &e.lanes[0], &e.transfer[0], 0);
	aif_sched_push(&e.sched, &e.lanes[1], &e.transfer[1], 0);
	for (u32 i = 0; i < 1000; i++) {
		struct aif_sched_lane *l = aif_sched_next(&e.queue);

		first += !engine_step(&e, row->expected_ns, row->ns[l == &e.lanes[1]]);
	}
	KUNIT_EXPECT_GE(test, first, row->first - 10);
	KUNIT_EXPECT_LE(test, first, row->first + 10);
}

/* Who slept gets its share from now on, not what it did not use. */
static void test_chunk_sleeper(struct kunit *test)
{
	struct engine e;
	u32 second = 0;

	engine_init(&e, 100);
	aif_sched_push(&e.sched, &e.lanes[0], &e.transfer[0], 0);
	for (u32 i = 0; i < 1000; i++)
		engine_step(&e, 1000, 1000);
	aif_sched_push(&e.sched, &e.lanes[1], &e.transfer[1], 0);
	for (u32 i = 0; i < 100; i++)
		second += engine_step(&e, 1000, 1000);
	KUNIT_EXPECT_GE(test, second, 49);
	KUNIT_EXPECT_LE(test, second, 52);
}

static struct kunit_case aif_chunk_cases[] = {
	KUNIT_CASE_PARAM(test_chunk_cut, cut_rows_gen_params),
	KUNIT_CASE(test_chunk_cut_whole),
	KUNIT_CASE(test_cost_of),
	KUNIT_CASE(test_cost_learn),
	KUNIT_CASE(test_cost_learn_short),
	KUNIT_CASE_PARAM(test_chunk_share, share_rows_gen_params),
	KUNIT_CASE(test_chunk_sleeper),
	{}
};

static struct kunit_suite aif_chunk_suite = {
	.name = "aif_chunk",
	.test_cases = aif_chunk_cases,
};

kunit_test_suite(aif_chunk_suite);
