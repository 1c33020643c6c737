// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Who takes a chunk: what an engine can, what it costs, and that one must be free. */
#include "aif_test.h"

#define CPU	{ .cost = { 500, 250 }, .kinds = 3, .alignment = 1, .max_bytes = AIF_CHUNK_MAX }
#define DMA	{ .cost = { 20000, 20 }, .kinds = 1, .alignment = 64, .max_bytes = 65536 }

static const struct pick_row {
	const char *name;
	u32 cpu_free, dma_free;
	u32 kind, bits, bytes;
	int want;
} pick_rows[] = {
	{ "a little: not worth the DMA's while", 1, 1, 0, 0, 64, 0 },
	{ "a whole piece of the DMA's", 1, 1, 0, 0, 65536, 0 },
	{ "a chunk in four pieces", 1, 1, 0, 0, 262144, 0 },
	{ "nobody is free", 0, 0, 0, 0, 64, -EBUSY },
	{ "the cheaper is not free", 0, 1, 0, 0, 64, 1 },
	{ "a kind that only the CPU can", 0, 1, 1, 0, 64, -EBUSY },
	{ "a kind that nobody can", 1, 1, 2, 0, 64, -EBUSY },
	{ "an offset that the other cannot", 0, 1, 0, 32, 64, -EBUSY },
	{ "a length that it cannot", 0, 1, 0, 65, 65, -EBUSY },
	{ "bits above its alignment are no matter", 0, 1, 0, 4096 | 64, 64, 1 },
};

KUNIT_ARRAY_PARAM_DESC(pick_rows, pick_rows, name);

static int pick(const struct aif_engine_row *rows, u32 count, u32 kind, u32 bits, u32 bytes)
{
	const struct aif_engine_ask ask = { .kind = kind, .bits = bits, .bytes = bytes };

	return aif_engine_pick(rows, count, &ask);
}

static void test_engine_pick(struct kunit *test)
{
	const struct pick_row *row = test->param_value;
	struct aif_engine_row rows[] = { CPU, DMA };

	rows[0].free = row->cpu_free;
	rows[1].free = row->dma_free;
	KUNIT_EXPECT_EQ(test, pick(rows, 2, row->kind, row->bits, row->bytes), row->want);
}

/* Where the costs cross, to the byte; every piece costs its beginning. */
static void test_engine_pick_crosses(struct kunit *test)
{
	struct aif_engine_row rows[] = { CPU, DMA };

	rows[0].free = 1;
	rows[1].free = 1;
	rows[1].max_bytes = AIF_CHUNK_MAX;
	/* 500 + 0.25 n against 20000 + 0.02 n: 84782.6 */
	KUNIT_EXPECT_EQ(test, pick(rows, 2, 0, 0, 84736), 0);
	KUNIT_EXPECT_EQ(test, pick(rows, 2, 0, 0, 84800), 1);
	rows[1].max_bytes = 65536;
	KUNIT_EXPECT_EQ(test, pick(rows, 2, 0, 0, 84800), 0);
	rows[1].cost.fixed_ns = 10300;
	KUNIT_EXPECT_EQ(test, pick(rows, 2, 0, 0, 131072), 1);
	KUNIT_EXPECT_EQ(test, pick(rows, 2, 0, 0, 131136), 0);
}

/* The first of equals; none of none; nothing overflows. */
static void test_engine_pick_edges(struct kunit *test)
{
	struct aif_engine_row rows[] = { CPU, CPU, CPU };
	u32 i;

	KUNIT_EXPECT_EQ(test, pick(rows, 0, 0, 0, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, pick(rows, 3, 0, 0, 1), -EBUSY);
	for (i = 3; i--;) {
		rows[i].free = 1;
		KUNIT_EXPECT_EQ(test, pick(rows, 3, 0, 0, 1), (int)i);
	}
	rows[0].cost = (struct aif_cost){ ~0u, ~0u };
	rows[0].max_bytes = 1;
	rows[1].cost = (struct aif_cost){ ~0u, ~0u };
	rows[2].free = 0;
	KUNIT_EXPECT_EQ(test, pick(rows, 3, 0, ~0u, AIF_CHUNK_MAX), 1);
}

/* What maps takes what is mapped for it; who is named goes before who is cheaper. */
static void test_engine_pick_mapped(struct kunit *test)
{
	struct aif_engine_row rows[] = { CPU, DMA, DMA };
	struct aif_engine_ask ask = { .bytes = 65536 };
	u32 i;

	for (i = 0; i < 3; i++) {
		rows[i].free = 1;
		rows[i].id = 7 + i;
		rows[i].maps = i;
		rows[i].cost.ps_byte = 100;
	}
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 0);
	rows[0].cost.fixed_ns = 1000000;
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 0);
	ask.mapped = 1 << 2;
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 2);
	ask.mapped = 1 << 2 | 1 << 1;
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 1);
	for (i = 0; i < 3; i++) {
		ask.named = 7 + i;
		KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), (int)i);
	}
	rows[2].free = 0;			/* the others do it */
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 1);
	ask.mapped = 0;
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 0);
	ask.named = 8;				/* so if it is not mapped any more */
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 0);
	ask.mapped = ~0u;
	ask.bits = 1;				/* or cannot do it */
	KUNIT_EXPECT_EQ(test, aif_engine_pick(rows, 3, &ask), 0);
}

static struct kunit_case aif_engine_cases[] = {
	KUNIT_CASE_PARAM(test_engine_pick, pick_rows_gen_params),
	KUNIT_CASE(test_engine_pick_crosses),
	KUNIT_CASE(test_engine_pick_edges),
	KUNIT_CASE(test_engine_pick_mapped),
	{}
};

static struct kunit_suite aif_engine_suite = {
	.name = "aif_engine",
	.test_cases = aif_engine_cases,
};

kunit_test_suite(aif_engine_suite);
