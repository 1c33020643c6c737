// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The descriptor check: each rule with a value just inside and one just outside. */
#include "aif_test.h"

#define DEPTH	256
#define NOW	1000
#define D(field, value)	POKE(aif_desc, field, value)

static const struct aif_desc base = {
	.tag = 5,
	.generation = 7,
	.service = 1,
	.sched_class = AIF_CLASS_NORMAL,
	.range_count = 2,
	.ranges = { { 1, 0, 100 }, { 2, 64, 1536 } },
};

struct desc_row {
	const char *name;
	int want;
	struct poke pokes[7];
	u64 features;
};

#define REALTIME	AIF_F_REALTIME
#define FENCE		AIF_F_IN_FENCE
#define NO_RANGE(i)	D(ranges[i].grant, 0), D(ranges[i].offset, 0), D(ranges[i].length, 0)

static const struct desc_row desc_rows[] = {
	{ "as it is", 0 },
	{ "first tag", 0, { D(tag, 0) } },
	{ "last tag", 0, { D(tag, DEPTH - 1) } },
	{ "tag past the last", -EINVAL, { D(tag, DEPTH) } },
	{ "tag far out", -EINVAL, { D(tag, ~0u) } },
	{ "any generation", 0, { D(generation, ~0u) } },
	{ "idle class", 0, { D(sched_class, AIF_CLASS_IDLE) } },
	{ "no such class", -EINVAL, { D(sched_class, AIF_CLASS_COUNT) } },
	{ "class 255", -EINVAL, { D(sched_class, 255) } },
	{ "real-time, not granted", -EOPNOTSUPP, { D(sched_class, 0) } },
	{ "real-time, other feature", -EOPNOTSUPP, { D(sched_class, 0) }, FENCE },
	{ "real-time, granted", 0, { D(sched_class, 0) }, REALTIME },
	{ "restart", 0, { D(flags, AIF_REQ_F_RESTART) } },
	{ "flag 2", -EINVAL, { D(flags, 4) } },
	{ "transfer, not granted", -EOPNOTSUPP, { D(flags, AIF_REQ_F_TRANSFER) } },
	{ "transfer, other features", -EOPNOTSUPP, { D(flags, AIF_REQ_F_TRANSFER) },
	  REALTIME | FENCE | AIF_F_URING },
	{ "transfer, granted", 0, { D(flags, AIF_REQ_F_TRANSFER), D(service, 0) },
	  AIF_F_TRANSFER },
	{ "transfer by an engine, not granted", -EOPNOTSUPP,
	  { D(flags, AIF_REQ_F_TRANSFER), D(service, 1) }, AIF_F_TRANSFER },
	{ "transfer by an engine, granted", 0,
	  { D(flags, AIF_REQ_F_TRANSFER), D(service, 1) }, AIF_F_TRANSFER | AIF_F_MAP },
	{ "transfer, granted, late", -ETIME,
	  { D(flags, AIF_REQ_F_TRANSFER), D(service, 0), D(deadline, 1) }, AIF_F_TRANSFER },
	{ "flag 7", -EINVAL, { D(flags, 0x81) } },
	{ "in-fence, not granted", -EOPNOTSUPP, { D(in_fence, 1) } },
	{ "in-fence, other feature", -EOPNOTSUPP, { D(in_fence, 1) }, REALTIME },
	{ "in-fence, granted", 0, { D(in_fence, 1) }, FENCE },
	{ "malformed wins over not granted", -EINVAL, { D(in_fence, 1), D(sched_class, 3) } },
	{ "no ranges", -EINVAL, { D(range_count, 0), NO_RANGE(0), NO_RANGE(1) } },
	{ "one range", 0, { D(range_count, 1), NO_RANGE(1) } },
	{ "three ranges", 0, { D(range_count, 3), D(ranges[2].length, 1) } },
	{ "four ranges", -EINVAL, { D(range_count, 4) } },
	{ "255 ranges", -EINVAL, { D(range_count, 255) } },
	{ "unused grant", -EINVAL, { D(ranges[2].grant, 1) } },
	{ "unused offset", -EINVAL, { D(ranges[2].offset, 1) } },
	{ "unused length", -EINVAL, { D(ranges[2].length, 1u << 31) } },
	{ "two unused, the first set", -EINVAL, { D(range_count, 1) } },
	{ "no deadline", 0, { D(deadline, 0) } },
	{ "deadline before", -ETIME, { D(deadline, NOW - 1) } },
	{ "deadline now", -ETIME, { D(deadline, NOW) } },
	{ "deadline next", 0, { D(deadline, NOW + 1) } },
	{ "deadline never", 0, { D(deadline, ~0ull) } },
	{ "malformed wins over late", -EINVAL, { D(deadline, 1), D(tag, DEPTH) } },
};

KUNIT_ARRAY_PARAM_DESC(desc_rows, desc_rows, name);

static void test_desc_check(struct kunit *test)
{
	const struct desc_row *row = test->param_value;
	struct aif_desc d = base;

	poke_all(&d, row->pokes, ARRAY_SIZE(row->pokes));
	KUNIT_EXPECT_EQ(test, aif_desc_check(&d, DEPTH, row->features, NOW), row->want);
}

/* Every inline length, with each unused byte set once. */
static void test_desc_check_inline(struct kunit *test)
{
	for (u32 length = 1; length <= AIF_INLINE_MAX + 1; length++) {
		struct aif_desc d = { .sched_class = AIF_CLASS_NORMAL, .range_count = 1 };
		int want = length <= AIF_INLINE_MAX ? 0 : -EINVAL;

		d.range = (struct aif_range){ 1, 0, 64 };
		d.inline_length = length;
		memset(d.input, 0xff, length - (length > AIF_INLINE_MAX));
		KUNIT_EXPECT_EQ(test, aif_desc_check(&d, 1, 0, 0), want);
		for (u32 i = length; i < AIF_INLINE_MAX; i++) {
			d.input[i] = 1;
			KUNIT_EXPECT_EQ(test, aif_desc_check(&d, 1, 0, 0), -EINVAL);
			d.input[i] = 0;
		}
		d.range_count = 2;
		KUNIT_EXPECT_EQ(test, aif_desc_check(&d, 1, 0, 0), -EINVAL);
		d.range_count = 0;
		KUNIT_EXPECT_EQ(test, aif_desc_check(&d, 1, 0, 0), -EINVAL);
	}
}

static void test_desc_check_empty_depth(struct kunit *test)
{
	struct aif_desc d = base;

	d.tag = 0;
	KUNIT_EXPECT_EQ(test, aif_desc_check(&d, 0, 0, NOW), -EINVAL);
}

static const struct aif_desc copy = {
	.flags = AIF_REQ_F_TRANSFER,
	.range_count = 2,
	.ranges = { { 1, 0, 100 }, { 1, 100, 100 } },
}, fill = {
	.flags = AIF_REQ_F_TRANSFER,
	.range_count = 1,
	.inline_length = 1,
	.range = { 1, 0, ~0u },
};

static const struct transfer_row {
	const char *name;
	int want;
	const struct aif_desc *of;
	struct poke pokes[4];
} transfer_rows[] = {
	{ "copy that touches itself", 0, &copy },
	{ "copy with a byte in common, before", -EINVAL, &copy, { D(ranges[1].offset, 99) } },
	{ "copy with a byte in common, behind", -EINVAL, &copy,
	  { D(ranges[0].offset, 101), D(ranges[1].offset, 200) } },
	{ "copy that touches itself behind", 0, &copy,
	  { D(ranges[0].offset, 200), D(ranges[1].offset, 100) } },
	{ "copy onto itself", -EINVAL, &copy, { D(ranges[1].offset, 0) } },
	{ "the same places of two buffers", 0, &copy,
	  { D(ranges[1].offset, 0), D(ranges[1].grant, 2) } },
	{ "copy of a byte", 0, &copy, { D(ranges[0].length, 1), D(ranges[1].length, 1) } },
	{ "copy of nothing", -EINVAL, &copy, { D(ranges[0].length, 0), D(ranges[1].length, 0) } },
	{ "copy to a longer place", -EINVAL, &copy, { D(ranges[1].length, 101) } },
	{ "copy to a shorter place", -EINVAL, &copy, { D(ranges[1].length, 99) } },
	{ "copy near 4 GiB, which wraps", 0, &copy,
	  { D(ranges[0].offset, ~0u), D(ranges[1].offset, 0) } },
	{ "copy with a third range", -EINVAL, &copy, { D(range_count, 3) } },
	{ "copy without a target", -EINVAL, &copy, { D(range_count, 1) } },
	{ "copy by an engine", 0, &copy, { D(service, 1) } },
	{ "copy that starts over", -EINVAL, &copy,
	  { D(flags, AIF_REQ_F_TRANSFER | AIF_REQ_F_RESTART) } },
	{ "fill of all there is", 0, &fill },
	{ "fill with 24 bytes", 0, &fill, { D(inline_length, 24) } },
	{ "fill of a byte", 0, &fill, { D(range.length, 1), D(inline_length, 24) } },
	{ "fill of nothing", -EINVAL, &fill, { D(range.length, 0) } },
	{ "fill by an engine", 0, &fill, { D(service, ~0u) } },
};

KUNIT_ARRAY_PARAM_DESC(transfer_rows, transfer_rows, name);

static void test_desc_check_transfer(struct kunit *test)
{
	const struct transfer_row *row = test->param_value;
	struct aif_desc d = *row->of;

	poke_all(&d, row->pokes, ARRAY_SIZE(row->pokes));
	KUNIT_EXPECT_EQ(test, aif_desc_check_transfer(&d), row->want);
	KUNIT_EXPECT_PTR_EQ(test, aif_desc_target(row->of),
			    &row->of->ranges[row->of->range_count - 1]);
}

#define IN	0
#define OUT	AIF_IO_F_OUTPUT
#define OPT	(AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL)

/* Descriptions as aif_service_desc_check() leaves them. */
static const struct {
	u32 count;
	struct aif_io io[AIF_IO_MAX];
} services[] = {
	/* 0: text of up to 1000 bytes; a vector; two optional numbers */
	{ 3, { { .dtype = AIF_DTYPE_U8, .flags = IN, .dims = 1, .shape = { -1 },
		 .alignment = 64, .max_bytes = 1000 },
	       { .dtype = AIF_DTYPE_F32, .flags = OUT, .dims = 1, .shape = { 384 },
		 .alignment = 64, .max_bytes = 1536 },
	       { .dtype = AIF_DTYPE_I32, .flags = OPT, .dims = 1, .shape = { 2 },
		 .alignment = 4, .max_bytes = 8 } } },
	/* 1: rows of doubles; a fixed input; bytes of any number */
	{ 3, { { .dtype = AIF_DTYPE_F64, .flags = IN, .dims = 2, .shape = { -1, 2 },
		 .alignment = 4096, .max_bytes = 1601 },
	       { .dtype = AIF_DTYPE_I32, .flags = IN, .dims = 4, .shape = { 1, 1, 2, 2 },
		 .alignment = 1, .max_bytes = 16 },
	       { .dtype = AIF_DTYPE_U8, .flags = OUT, .dims = 1, .shape = { -1 },
		 .alignment = 64, .max_bytes = 100 } } },
	/* 2: nothing in, a scalar out */
	{ 1, { { .dtype = AIF_DTYPE_F16, .flags = OUT, .alignment = 2, .max_bytes = 2 } } },
	/* 3: a fixed record, small enough for inline; two optional outputs */
	{ 3, { { .dtype = AIF_DTYPE_F32, .flags = IN, .dims = 1, .shape = { 6 },
		 .alignment = 64, .max_bytes = 24 },
	       { .dtype = AIF_DTYPE_BF16, .flags = OPT, .dims = 3, .shape = { 2, 2, -1 },
		 .alignment = 64, .max_bytes = 8 },
	       { .dtype = AIF_DTYPE_I8, .flags = OPT, .dims = 1, .shape = { 5 },
		 .alignment = 64, .max_bytes = 5 } } },
	/* 4: nothing in, two vectors out, the second of any length */
	{ 2, { { .dtype = AIF_DTYPE_U8, .flags = OUT, .dims = 1, .shape = { 4 },
		 .alignment = 64, .max_bytes = 4 },
	       { .dtype = AIF_DTYPE_U8, .flags = OUT, .dims = 4, .shape = { 1, 1, 1, -1 },
		 .alignment = 64, .max_bytes = 4 } } },
	/* 5: -1 in the second place */
	{ 2, { { .dtype = AIF_DTYPE_F32, .flags = IN, .dims = 2, .shape = { 2, -1 },
		 .alignment = 64, .max_bytes = 64 },
	       { .dtype = AIF_DTYPE_U8, .flags = OUT, .dims = 1, .shape = { 1 },
		 .alignment = 64, .max_bytes = 1 } } },
};

static const struct io_row {
	const char *name;
	int want;
	u32 service;
	u8 inline_length;
	u8 range_count;
	struct aif_range r[3];
} io_rows[] = {
	/* service 0: text */
	{ "text in full, both outputs", 0, 0, 0, 3,
	  { { 1, 0, 1000 }, { 1, 64, 1536 }, { 1, 4, 8 } } },
	{ "text in full, without the optional output", 0, 0, 0, 2,
	  { { 1, 0, 1000 }, { 1, 64, 1536 } } },
	{ "text without its output", -EINVAL, 0, 0, 1,
	  { { 1, 0, 1000 } } },
	{ "no text", 0, 0, 0, 2,
	  { { 1, 0, 0 }, { 1, 64, 1536 } } },
	{ "text too long by one", -EINVAL, 0, 0, 2,
	  { { 1, 0, 1001 }, { 1, 64, 1536 } } },
	{ "text of 4 GiB", -EINVAL, 0, 0, 2,
	  { { 1, 0, ~0u }, { 1, 64, 1536 } } },
	{ "text, output short by one", -EINVAL, 0, 0, 2,
	  { { 1, 0, 10 }, { 1, 64, 1535 } } },
	{ "text, output long by one", 0, 0, 0, 2,
	  { { 1, 0, 10 }, { 1, 64, 1537 } } },
	{ "text, output of 4 GiB", 0, 0, 0, 2,
	  { { 1, 0, 10 }, { 1, 64, ~0u } } },
	{ "text at byte 1", -EINVAL, 0, 0, 2,
	  { { 1, 1, 10 }, { 1, 64, 1536 } } },
	{ "text at half its alignment", -EINVAL, 0, 0, 2,
	  { { 1, 32, 10 }, { 1, 64, 1536 } } },
	{ "text at the last aligned byte", 0, 0, 0, 2,
	  { { 1, 0xffffffc0, 10 }, { 1, 128, 1536 } } },
	{ "text, output one byte before its alignment", -EINVAL, 0, 0, 2,
	  { { 1, 0, 10 }, { 1, 63, 1536 } } },
	{ "text, optional output short by one", -EINVAL, 0, 0, 3,
	  { { 1, 0, 10 }, { 1, 0, 1536 }, { 1, 4, 7 } } },
	{ "text, optional output at half its alignment", -EINVAL, 0, 0, 3,
	  { { 1, 0, 10 }, { 1, 0, 1536 }, { 1, 2, 8 } } },
	{ "text inline, one byte", 0, 0, 1, 1,
	  { { 1, 64, 1536 } } },
	{ "text inline, 24 bytes", 0, 0, 24, 1,
	  { { 1, 64, 1536 } } },
	{ "text inline, output short by one", -EINVAL, 0, 24, 1,
	  { { 1, 64, 1535 } } },
	{ "text inline, output at half its alignment", -EINVAL, 0, 24, 1,
	  { { 1, 32, 1536 } } },
	/* service 1: two inputs */
	{ "rows, as many as fit", 0, 1, 0, 3,
	  { { 1, 4096, 1600 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows, one", 0, 1, 0, 3,
	  { { 1, 4096, 8 }, { 1, 3, 16 }, { 1, 0, 1000 } } },
	{ "rows, max_bytes is no row", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 1601 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows, more than fit", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 1608 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows, half an element", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 12 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows, one byte", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 1 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows at half their alignment", -EINVAL, 1, 0, 3,
	  { { 1, 2048, 8 }, { 1, 3, 16 }, { 1, 0, 0 } } },
	{ "rows, second input short by an element", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 8 }, { 1, 3, 12 }, { 1, 0, 0 } } },
	{ "rows, second input long by an element", -EINVAL, 1, 0, 3,
	  { { 1, 4096, 8 }, { 1, 3, 20 }, { 1, 0, 0 } } },
	{ "rows without the output", -EINVAL, 1, 0, 2,
	  { { 1, 4096, 8 }, { 1, 3, 16 } } },
	{ "rows inline, second input missing", -EINVAL, 1, 8, 1,
	  { { 1, 0, 16 } } },
	/* service 2: no inputs */
	{ "scalar", 0, 2, 0, 1,
	  { { 1, 2, 2 } } },
	{ "scalar, short by one", -EINVAL, 2, 0, 1,
	  { { 1, 2, 1 } } },
	{ "scalar at half its alignment", -EINVAL, 2, 0, 1,
	  { { 1, 1, 2 } } },
	{ "scalar and one more", -EINVAL, 2, 0, 2,
	  { { 1, 0, 2 }, { 1, 2, 2 } } },
	{ "scalar and two more", -EINVAL, 2, 0, 3,
	  { { 1, 0, 2 }, { 1, 2, 2 }, { 1, 2, 2 } } },
	{ "scalar, inline input", -EINVAL, 2, 2, 1,
	  { { 1, 0, 2 } } },
	/* service 3: all outputs optional */
	{ "record without outputs", 0, 3, 0, 1,
	  { { 1, 0, 24 } } },
	{ "record, first output of any length", 0, 3, 0, 2,
	  { { 1, 0, 24 }, { 1, 0, 3 } } },
	{ "record, both outputs", 0, 3, 0, 3,
	  { { 1, 0, 24 }, { 1, 0, 8 }, { 1, 0, 5 } } },
	{ "record, second output short by one", -EINVAL, 3, 0, 3,
	  { { 1, 0, 24 }, { 1, 0, 8 }, { 1, 0, 4 } } },
	{ "record short by an element", -EINVAL, 3, 0, 1,
	  { { 1, 0, 20 } } },
	{ "record empty", -EINVAL, 3, 0, 1,
	  { { 1, 0, 0 } } },
	{ "record inline", 0, 3, 24, 1,
	  { { 1, 0, 4 } } },
	{ "record inline, short by one", -EINVAL, 3, 23, 1,
	  { { 1, 0, 4 } } },
	{ "record inline, short by an element", -EINVAL, 3, 20, 1,
	  { { 1, 0, 4 } } },
	/* service 4: inline input, but nothing takes any */
	{ "two outputs, no input", 0, 4, 0, 2,
	  { { 1, 0, 4 }, { 1, 0, 3 } } },
	{ "two outputs, inline input", -EINVAL, 4, 4, 1,
	  { { 1, 0, 4 } } },
	/* service 5: which entry is -1 does not matter */
	{ "columns, as many as fit", 0, 5, 0, 2,
	  { { 1, 0, 64 }, { 1, 0, 1 } } },
	{ "columns, one", 0, 5, 0, 2,
	  { { 1, 0, 32 }, { 1, 0, 1 } } },
	{ "columns, more than fit", -EINVAL, 5, 0, 2,
	  { { 1, 0, 68 }, { 1, 0, 1 } } },
};

KUNIT_ARRAY_PARAM_DESC(io_rows, io_rows, name);

static void test_desc_check_io(struct kunit *test)
{
	const struct io_row *row = test->param_value;
	struct aif_desc d = {
		.inline_length = row->inline_length,
		.range_count = row->range_count,
	};

	memcpy(d.ranges, row->r, sizeof(d.ranges));
	KUNIT_EXPECT_EQ(test, aif_desc_check_io(&d, services[row->service].io,
						services[row->service].count), row->want);
}

/* An io behind the last one is not there, whatever stands in its place. */
static void test_desc_check_io_count(struct kunit *test)
{
	struct aif_desc d = { .range_count = 3, .ranges = { { 1, 0, 9 }, { 1, 0, 1536 },
							    { 1, 0, 8 } } };

	KUNIT_EXPECT_EQ(test, aif_desc_check_io(&d, services[0].io, 3), 0);
	KUNIT_EXPECT_EQ(test, aif_desc_check_io(&d, services[0].io, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_desc_check_io(&d, services[0].io, 1), -EINVAL);
}

static void test_desc_range_io(struct kunit *test)
{
	const struct aif_io *io = services[0].io;
	struct aif_desc d = { .range_count = 3 };

	for (u32 i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, aif_desc_range_io(&d, io, i), &io[i]);
	d = (struct aif_desc){ .range_count = 1, .inline_length = 24 };
	KUNIT_EXPECT_PTR_EQ(test, aif_desc_range_io(&d, io, 0), &io[1]);
}

static const struct inside_row {
	const char *name;
	u32 offset, length;
	u64 bytes;
	bool want;
} inside_rows[] = {
	{ "nothing in nothing", 0, 0, 0, true },
	{ "a byte in nothing", 0, 1, 0, false },
	{ "nothing behind nothing", 1, 0, 0, false },
	{ "all", 0, 4096, 4096, true },
	{ "all, moved by one", 1, 4096, 4096, false },
	{ "nothing at the end", 4096, 0, 4096, true },
	{ "twice 4 GiB - 1 in 4 GiB - 1", ~0u, ~0u, 0xffffffffull, false },
	{ "twice 4 GiB - 1 in as much", ~0u, ~0u, 2 * 0xffffffffull, true },
	{ "the sum wraps to nothing", ~0u, 1, 0, false },
	{ "the last byte of 4 GiB", ~0u, 1, 1ull << 32, true },
	{ "a byte behind 4 GiB", ~0u, 2, 1ull << 32, false },
};

KUNIT_ARRAY_PARAM_DESC(inside_rows, inside_rows, name);

static void test_range_inside(struct kunit *test)
{
	const struct inside_row *row = test->param_value;
	struct aif_range r = { 0, row->offset, row->length };

	KUNIT_EXPECT_EQ(test, aif_range_inside(&r, row->bytes), row->want);
}

static void test_dtype_size(struct kunit *test)
{
	static const u32 want[] = { 0, 1, 1, 4, 8, 2, 2, 4, 8, 0, 0 };

	for (u32 i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_EQ(test, aif_dtype_size(i), want[i]);
	KUNIT_EXPECT_EQ(test, aif_dtype_size(~0u), 0);
}

static struct kunit_case aif_desc_cases[] = {
	KUNIT_CASE_PARAM(test_desc_check, desc_rows_gen_params),
	KUNIT_CASE(test_desc_check_inline),
	KUNIT_CASE(test_desc_check_empty_depth),
	KUNIT_CASE_PARAM(test_desc_check_transfer, transfer_rows_gen_params),
	KUNIT_CASE_PARAM(test_desc_check_io, io_rows_gen_params),
	KUNIT_CASE(test_desc_check_io_count),
	KUNIT_CASE(test_desc_range_io),
	KUNIT_CASE_PARAM(test_range_inside, inside_rows_gen_params),
	KUNIT_CASE(test_dtype_size),
	{}
};

static struct kunit_suite aif_desc_suite = {
	.name = "aif_desc",
	.test_cases = aif_desc_cases,
};

kunit_test_suite(aif_desc_suite);
