// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A limit a second: what is taken, when, and that nothing is lost on the way. */
#include "aif_test.h"

#define SECOND	1000000000ull
#define FOREVER	(~0ull)

/* From full at time 0: after @ns and @taken in one piece, can @n be taken? */
static const struct take_row {
	const char *name;
	u64 rate, burst;
	u64 taken;	/* at 0 */
	u64 owed;	/* and charged */
	u64 ns;
	u64 n;
	bool want;
	u64 wait;	/* from then, if not */
} take_rows[] = {
	{ "all of it", 1000, 100, 0, 0, 0, 100, true, 0 },
	{ "one more", 1000, 100, 0, 0, 0, 101, false, FOREVER },
	{ "what is left", 1000, 100, 40, 0, 0, 60, true, 0 },
	{ "more than is left", 1000, 100, 40, 0, 0, 61, false, 1000000 },
	{ "nothing, of nothing", 1000, 100, 100, 0, 0, 0, true, 0 },
	{ "nothing, of less", 1000, 100, 100, 1, 0, 0, false, 1000000 },
	{ "a nanosecond before", 1000, 100, 100, 0, 999999, 1, false, 1 },
	{ "when it is there", 1000, 100, 100, 0, 1000000, 1, true, 0 },
	{ "full again", 1000, 100, 100, 0, SECOND / 10, 100, true, 0 },
	{ "no fuller", 1000, 100, 100, 0, 1000 * SECOND, 101, false, FOREVER },
	{ "a part of a unit", 3, 100, 100, 0, SECOND / 3, 1, false, 1 },
	{ "the whole of it", 3, 100, 100, 0, SECOND / 3 + 1, 1, true, 0 },
	{ "what was owed first", 1000, 100, 100, 50, SECOND / 20, 1, false, 1000000 },
	{ "and then", 1000, 100, 100, 50, SECOND / 20 + 1000000, 1, true, 0 },
	{ "owed more than is counted", 1, 1, 1, FOREVER, 0, 1, false,
	  (AIF_BUCKET_BURST_MAX + 1) * SECOND },
	{ "owed, and after that time", 1, 1, 1, FOREVER, (AIF_BUCKET_BURST_MAX + 1) * SECOND, 1,
	  true, 0 },
	{ "owed all, most bytes", AIF_BUCKET_RATE_MAX, AIF_BUCKET_BURST_MAX,
	  AIF_BUCKET_BURST_MAX, FOREVER, 7812500, AIF_BUCKET_BURST_MAX, true, 0 },
	{ "just before", AIF_BUCKET_RATE_MAX, AIF_BUCKET_BURST_MAX, AIF_BUCKET_BURST_MAX, FOREVER,
	  7812499, AIF_BUCKET_BURST_MAX, false, 1 },
	{ "after ages", AIF_BUCKET_RATE_MAX, AIF_BUCKET_BURST_MAX, AIF_BUCKET_BURST_MAX, FOREVER,
	  FOREVER, AIF_BUCKET_BURST_MAX, true, 0 },
	{ "when what flowed in is 2^64", AIF_BUCKET_RATE_MAX, AIF_BUCKET_BURST_MAX,
	  AIF_BUCKET_BURST_MAX, FOREVER, 1 << 24, AIF_BUCKET_BURST_MAX, true, 0 },
	{ "a unit a second, after ages", 1, AIF_BUCKET_BURST_MAX, AIF_BUCKET_BURST_MAX, FOREVER,
	  FOREVER, AIF_BUCKET_BURST_MAX, true, 0 },
	{ "more than any burst", AIF_BUCKET_RATE_MAX, AIF_BUCKET_BURST_MAX, 0, 0, 0, FOREVER,
	  false, FOREVER },
};

KUNIT_ARRAY_PARAM_DESC(take_rows, take_rows, name);

static void test_bucket_take(struct kunit *test)
{
	const struct take_row *row = test->param_value;
	struct aif_bucket b, before;

	aif_bucket_init(&b, row->rate, row->burst, 0);
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, row->taken, 0));
	aif_bucket_charge(&b, row->owed, b.stamp_ns);
	KUNIT_EXPECT_EQ(test, aif_bucket_wait(&b, row->n, row->ns), row->wait);
	before = b;
	KUNIT_EXPECT_EQ(test, aif_bucket_take(&b, row->n, row->ns), row->want);
	if (row->want || row->wait == FOREVER)
		return;
	/* What it said is the first moment that will do. */
	b = before;
	KUNIT_EXPECT_FALSE(test, aif_bucket_take(&b, row->n, row->ns + row->wait - 1));
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, row->n, row->ns + row->wait));
}

/* Looked at every nanosecond or never: the same. */
static void test_bucket_exact(struct kunit *test)
{
	static const u64 rates[] = { 1, 7, 999999999, 1000000000, 1000000001, 3333333333ull };
	struct aif_bucket often, once;
	u64 random = 5;

	for (u32 i = 0; i < ARRAY_SIZE(rates); i++) {
		u64 now = 0;

		aif_bucket_init(&often, rates[i], AIF_BUCKET_BURST_MAX, 0);
		aif_bucket_charge(&often, 2 * AIF_BUCKET_BURST_MAX, often.stamp_ns);
		once = often;
		for (u32 k = 0; k < 10000; k++) {
			now += next_random(&random) % 1000;
			aif_bucket_take(&often, 0, now);
		}
		aif_bucket_take(&once, 0, now);
		KUNIT_EXPECT_EQ(test, often.level, once.level);
		KUNIT_EXPECT_EQ(test, often.rest, once.rest);
	}
}

/* Whoever takes all that it can, whenever: never more than burst + rate t, and no less. */
static void test_bucket_bound(struct kunit *test)
{
	u64 random = 11;

	for (u32 i = 0; i < 100; i++) {
		u64 rate = 1 + next_random(&random) % 1000000000;
		u64 burst = 1 + next_random(&random) % 10000000;
		u64 now = 0, taken = 0;
		struct aif_bucket b;

		aif_bucket_init(&b, rate, burst, 0);
		for (u32 k = 0; k < 200; k++) {
			u64 most = burst * SECOND / rate;	/* it never gets full */

			if (most > 50000000)
				most = 50000000;
			now += k ? next_random(&random) % (most + 1) : 0;
			for (u64 n = burst; n; n /= 2) {
				while (aif_bucket_take(&b, n, now))
					taken += n;
			}
			KUNIT_ASSERT_LE(test, taken, burst + rate * now / SECOND);
		}
		KUNIT_EXPECT_EQ(test, taken, burst + rate * now / SECOND);
	}
}

/* What is charged is charged to what there is by then: idleness is kept to a burst. */
static void test_bucket_charge_after_idleness(struct kunit *test)
{
	struct aif_bucket b;

	aif_bucket_init(&b, 1000, 100, 0);
	aif_bucket_charge(&b, 1, 0);
	aif_bucket_charge(&b, 100, 60 * SECOND);
	KUNIT_EXPECT_EQ(test, b.level, 0);
	KUNIT_EXPECT_EQ(test, aif_bucket_wait(&b, 1, 60 * SECOND), SECOND / 1000);
	aif_bucket_charge(&b, 50, 60 * SECOND);
	KUNIT_EXPECT_EQ(test, aif_bucket_wait(&b, 1, 60 * SECOND), 51 * SECOND / 1000);
}

/* What was not used comes back, into the room that there is. */
static void test_bucket_refund(struct kunit *test)
{
	struct aif_bucket b;

	aif_bucket_init(&b, 1000, 100, 0);
	aif_bucket_charge(&b, 150, b.stamp_ns);
	aif_bucket_refund(&b, 30);
	KUNIT_EXPECT_EQ(test, b.level, -20);
	aif_bucket_refund(&b, 120);
	KUNIT_EXPECT_EQ(test, b.level, 100);
	aif_bucket_charge(&b, 1, b.stamp_ns);
	aif_bucket_refund(&b, FOREVER);
	KUNIT_EXPECT_EQ(test, b.level, 100);
}

/* A new limit takes nothing back but what has no room, and gives nothing. */
static void test_bucket_set(struct kunit *test)
{
	struct aif_bucket b;

	aif_bucket_init(&b, 1000, 100, 0);
	aif_bucket_set(&b, 10, 1000, 0);
	KUNIT_EXPECT_EQ(test, b.level, 100);
	aif_bucket_set(&b, 1000, 1000, SECOND);
	KUNIT_EXPECT_EQ(test, b.level, 110);
	aif_bucket_set(&b, 1000, 50, SECOND);
	KUNIT_EXPECT_FALSE(test, aif_bucket_take(&b, 51, SECOND));
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, 50, SECOND));
	aif_bucket_charge(&b, 30, b.stamp_ns);
	aif_bucket_set(&b, 1000, 10, SECOND);
	KUNIT_EXPECT_EQ(test, b.level, -30);
}

/* What a full one had no room for is gone, to the last part of a unit. */
static void test_bucket_full_is_full(struct kunit *test)
{
	struct aif_bucket b;

	aif_bucket_init(&b, 3, 1, 0);
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, 1, 0));
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, 1, SECOND / 2));
	KUNIT_EXPECT_EQ(test, aif_bucket_wait(&b, 1, SECOND / 2), SECOND / 3 + 1);
}

/* Time that goes back fills nothing and takes nothing. */
static void test_bucket_time_goes_back(struct kunit *test)
{
	struct aif_bucket b;

	aif_bucket_init(&b, 1000, 100, SECOND);
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, 100, SECOND));
	KUNIT_EXPECT_FALSE(test, aif_bucket_take(&b, 1, 0));
	KUNIT_EXPECT_FALSE(test, aif_bucket_take(&b, 1, SECOND));
	KUNIT_EXPECT_TRUE(test, aif_bucket_take(&b, 1, SECOND + 1000000));
}

static struct kunit_case aif_bucket_cases[] = {
	KUNIT_CASE_PARAM(test_bucket_take, take_rows_gen_params),
	KUNIT_CASE(test_bucket_exact),
	KUNIT_CASE(test_bucket_bound),
	KUNIT_CASE(test_bucket_refund),
	KUNIT_CASE(test_bucket_charge_after_idleness),
	KUNIT_CASE(test_bucket_set),
	KUNIT_CASE(test_bucket_full_is_full),
	KUNIT_CASE(test_bucket_time_goes_back),
	{}
};

static struct kunit_suite aif_bucket_suite = {
	.name = "aif_bucket",
	.test_cases = aif_bucket_cases,
};

kunit_test_suite(aif_bucket_suite);
