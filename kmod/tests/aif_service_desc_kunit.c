// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The check of a service description: each rule's inside and outside, defaults, the one form. */
#include "aif_test.h"

#define S(field, value)	POKE(aif_service_desc, field, value)
#define NAME_63		"abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ_012345678"

static const struct aif_service_desc base = {
	.name = "minilm", .device = "cpu", .model = "all-MiniLM-L6-v2",
	.step_tokens = 2,
	.io_count = 3,
	.io = {
		{ .name = "text", .kind = AIF_IO_UTF8, .dtype = AIF_DTYPE_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 65536 },
		{ .name = "vector", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_F32, .dims = 1,
		  .flags = AIF_IO_F_OUTPUT, .shape = { 384 }, .max_bytes = 1536 },
		{ .name = "facts", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_I32, .dims = 1,
		  .flags = AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL, .shape = { 2 },
		  .max_bytes = 8 },
	},
};

struct service_row {
	const char *name;
	int want;
	struct poke pokes[6];
};

#define IN	0
#define OUT	AIF_IO_F_OUTPUT
#define OPT	(AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL)
#define FLAGS(a, b, c)	S(io[0].flags, a), S(io[1].flags, b), S(io[2].flags, c)
#define SHAPE(a, b, c, d)	S(io[1].shape[0], a), S(io[1].shape[1], b), \
				S(io[1].shape[2], c), S(io[1].shape[3], d)

static const struct service_row service_rows[] = {
	{ "as it is", 0 },
	/* texts */
	{ "no name", -EINVAL, { S(name[0], 0) } },
	{ "a blank in the name", -EINVAL, { S(name[1], ' ') } },
	{ "a slash in the name", -EINVAL, { S(name[1], '/') } },
	{ "before 0", -EINVAL, { S(name[1], '0' - 1) } },
	{ "0 and 9", 0, { S(name[1], '0'), S(name[2], '9') } },
	{ "after 9", -EINVAL, { S(name[1], '9' + 1) } },
	{ "before A", -EINVAL, { S(name[1], 'A' - 1) } },
	{ "A and Z", 0, { S(name[1], 'A'), S(name[2], 'Z') } },
	{ "after Z", -EINVAL, { S(name[1], 'Z' + 1) } },
	{ "before a", -EINVAL, { S(name[1], 'a' - 1) } },
	{ "a and z", 0, { S(name[1], 'a'), S(name[2], 'z') } },
	{ "after z", -EINVAL, { S(name[1], 'z' + 1) } },
	{ "dot, dash, underscore", 0, { S(name[0], '.'), S(name[1], '-'), S(name[2], '_') } },
	{ "a byte over 127 in the name", -EINVAL, { S(name[1], 0xe4) } },
	{ "no device", -EINVAL, { S(device[0], 0) } },
	{ "a colon in the device", -EINVAL, { S(device[0], ':') } },
	{ "no model", 0, { S(model[0], 0) } },
	{ "blank and tilde in the model", 0, { S(model[0], ' '), S(model[1], '~') } },
	{ "a control character in the model", -EINVAL, { S(model[0], 0x1f) } },
	{ "delete in the model", -EINVAL, { S(model[0], 0x7f) } },
	{ "a byte over 127 in the model", -EINVAL, { S(model[0], 0x80) } },
	{ "no io name", -EINVAL, { S(io[1].name[0], 0) } },
	{ "a blank in the io name", -EINVAL, { S(io[2].name[1], ' ') } },
	/* numbers */
	{ "no step tokens", -EINVAL, { S(step_tokens, 0) } },
	{ "one step token", 0, { S(step_tokens, 1) } },
	{ "64 step tokens", 0, { S(step_tokens, 64) } },
	{ "65 step tokens", -EINVAL, { S(step_tokens, 65) } },
	{ "16 attempts", 0, { S(max_attempts, 16) } },
	{ "17 attempts", -EINVAL, { S(max_attempts, 17) } },
	{ "an hour's step", 0, { S(longest_step_ms, 3600000) } },
	{ "more than an hour's step", -EINVAL, { S(longest_step_ms, 3600001) } },
	{ "an hour's progress", 0, { S(progress_ms, 3600000) } },
	{ "more than an hour's progress", -EINVAL, { S(progress_ms, 3600001) } },
	{ "an hour's recovery", 0, { S(recovery_ms, 3600000) } },
	{ "more than an hour's recovery", -EINVAL, { S(recovery_ms, 3600001) } },
	{ "reserved", -EINVAL, { S(__reserved, 1ull << 63) } },
	{ "no io", -EINVAL, { S(io_count, 0) } },
	{ "four io", -EINVAL, { S(io_count, 4) } },
	{ "something in an unused io", -EINVAL, { S(io_count, 2) } },
	/* order */
	{ "input, output, output", 0, { FLAGS(IN, OUT, OUT) } },
	{ "input, input, output", 0, { FLAGS(IN, IN, OUT) } },
	{ "outputs only", 0, { FLAGS(OUT, OUT, OPT) } },
	{ "optional outputs only", 0, { FLAGS(OPT, OPT, OPT) } },
	{ "inputs only", -EINVAL, { FLAGS(IN, IN, IN) } },
	{ "input after output", -EINVAL, { FLAGS(IN, OUT, IN) } },
	{ "input behind outputs", -EINVAL, { FLAGS(OUT, IN, OUT) } },
	{ "optional in the middle", -EINVAL, { FLAGS(IN, OPT, OUT) } },
	{ "optional input", -EINVAL, { FLAGS(AIF_IO_F_OPTIONAL, OUT, OUT) } },
	{ "optional input in the middle", -EINVAL, { FLAGS(IN, AIF_IO_F_OPTIONAL, OUT) } },
	{ "optional input after output", -EINVAL, { FLAGS(IN, OUT, AIF_IO_F_OPTIONAL) } },
	{ "optional input before outputs", -EINVAL, { FLAGS(AIF_IO_F_OPTIONAL, OPT, OPT) } },
	{ "unknown flag", -EINVAL, { FLAGS(IN, OUT, OUT | 4) } },
	/* an io */
	{ "kind 0", -EINVAL, { S(io[1].kind, 0) } },
	{ "kind 3", -EINVAL, { S(io[1].kind, 3) } },
	{ "dtype 0", -EINVAL, { S(io[1].dtype, 0) } },
	{ "dtype 8", 0, { S(io[1].dtype, 8), S(io[1].max_bytes, 3072) } },
	{ "dtype 9", -EINVAL, { S(io[1].dtype, 9) } },
	{ "text of numbers", -EINVAL, { S(io[0].dtype, AIF_DTYPE_I32) } },
	{ "text without a dimension", -EINVAL, { S(io[0].dims, 0), S(io[0].shape[0], 0) } },
	{ "text in a plane", -EINVAL, { S(io[0].dims, 2), S(io[0].shape[1], 2) } },
	{ "text of fixed length", 0, { S(io[0].shape[0], 65536) } },
	{ "io reserved", -EINVAL, { S(io[2].__reserved, 1) } },
	{ "alignment 1", 0, { S(io[1].alignment, 1) } },
	{ "alignment 3", -EINVAL, { S(io[1].alignment, 3) } },
	{ "alignment 4096", 0, { S(io[1].alignment, 4096) } },
	{ "alignment 8192", -EINVAL, { S(io[1].alignment, 8192) } },
	{ "alignment 96", -EINVAL, { S(io[1].alignment, 96) } },
	/* shapes: io[1] has 1536 bytes of 4-byte elements */
	{ "no dimensions", 0, { S(io[1].dims, 0), SHAPE(0, 0, 0, 0) } },
	{ "four dimensions", 0, { S(io[1].dims, 4), SHAPE(2, 4, 6, 8) } },
	{ "five dimensions", -EINVAL, { S(io[1].dims, 5), SHAPE(1, 1, 1, 1) } },
	{ "an unused entry", -EINVAL, { SHAPE(384, 1, 0, 0) } },
	{ "the last unused entry", -EINVAL, { SHAPE(384, 0, 0, -1) } },
	{ "a missing entry", -EINVAL, { S(io[1].dims, 2) } },
	{ "entry -2", -EINVAL, { SHAPE(-2, 0, 0, 0) } },
	{ "entry -2^63", -EINVAL, { SHAPE(1ull << 63, 0, 0, 0) } },
	{ "shape fits", 0, { S(io[1].dims, 2), SHAPE(2, 192, 0, 0) } },
	{ "shape too large", -EINVAL, { S(io[1].dims, 2), SHAPE(2, 193, 0, 0) } },
	{ "product wraps 32 bits", -EINVAL, { S(io[1].dims, 2), SHAPE(65536, 65536, 0, 0) } },
	{ "product wraps 64 bits", -EINVAL, { S(io[1].dims, 2),
					      SHAPE(1ull << 32, 1ull << 32, 0, 0) } },
	{ "2^63-1 elements", -EINVAL, { SHAPE(~0ull >> 1, 0, 0, 0) } },
	{ "2^32+1 elements", -EINVAL, { SHAPE((1ull << 32) + 1, 0, 0, 0) } },
	{ "rows fit", 0, { S(io[1].dims, 2), SHAPE(-1, 384, 0, 0) } },
	{ "not one row fits", -EINVAL, { S(io[1].dims, 2), SHAPE(-1, 385, 0, 0) } },
	{ "not one row fits, turned", -EINVAL, { S(io[1].dims, 2), SHAPE(385, -1, 0, 0) } },
	{ "all any", 0, { S(io[1].dims, 4), SHAPE(-1, -1, -1, -1) } },
	{ "4 GiB - 4", 0, { SHAPE(0x3fffffff, 0, 0, 0), S(io[1].max_bytes, ~0u) } },
	{ "4 GiB", -EINVAL, { SHAPE(0x40000000, 0, 0, 0), S(io[1].max_bytes, ~0u) } },
	{ "no bytes", -EINVAL, { S(io[0].max_bytes, 0) } },
	{ "one byte", 0, { S(io[0].max_bytes, 1) } },
	{ "less than an element", -EINVAL, { SHAPE(-1, 0, 0, 0), S(io[1].max_bytes, 3) } },
	{ "an element", 0, { SHAPE(-1, 0, 0, 0), S(io[1].max_bytes, 4) } },
	{ "a byte short of the shape", -EINVAL, { S(io[1].max_bytes, 1535) } },
};

KUNIT_ARRAY_PARAM_DESC(service_rows, service_rows, name);

static void test_service_desc_check(struct kunit *test)
{
	const struct service_row *row = test->param_value;
	struct aif_service_desc desc = base;

	poke_all(&desc, row->pokes, ARRAY_SIZE(row->pokes));
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), row->want);
}

/* Names fill their fields but for the NUL. */
static void test_service_desc_check_text_lengths(struct kunit *test)
{
	struct aif_service_desc desc = base;

	KUNIT_EXPECT_EQ(test, strlen(NAME_63), AIF_NAME_MAX - 1);
	memcpy(desc.name, NAME_63, AIF_NAME_MAX - 1);
	memcpy(desc.device, NAME_63, AIF_NAME_MAX - 1);
	memcpy(desc.model, NAME_63, AIF_NAME_MAX - 1);
	memcpy(desc.io[0].name, NAME_63, AIF_IO_NAME_MAX - 1);
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), 0);

	for (u32 i = 0; i < 4; i++) {
		struct aif_service_desc full = desc;
		char *text[4] = { full.name, full.device, full.model, full.io[0].name };

		text[i][(i < 3 ? AIF_NAME_MAX : AIF_IO_NAME_MAX) - 1] = 'x';
		KUNIT_EXPECT_EQ(test, aif_service_desc_check(&full), -EINVAL);
	}
}

static void test_service_desc_check_defaults(struct kunit *test)
{
	struct aif_service_desc desc = base, again;

	desc.io[0].alignment = 128;
	desc.io[1].max_bytes = 4000;
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), 0);
	KUNIT_EXPECT_EQ(test, desc.max_attempts, 2);
	KUNIT_EXPECT_EQ(test, desc.longest_step_ms, 1000);
	KUNIT_EXPECT_EQ(test, desc.progress_ms, 10000);
	KUNIT_EXPECT_EQ(test, desc.recovery_ms, 1000);
	KUNIT_EXPECT_EQ(test, desc.io[0].alignment, 128);
	KUNIT_EXPECT_EQ(test, desc.io[1].alignment, 64);
	KUNIT_EXPECT_EQ(test, desc.io[0].max_bytes, 65536);
	KUNIT_EXPECT_EQ(test, desc.io[1].max_bytes, 1536);

	again = desc;
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&again), 0);
	KUNIT_EXPECT_MEMEQ(test, &again, &desc, sizeof(desc));
}

static void test_service_desc_check_keeps_values(struct kunit *test)
{
	struct aif_service_desc desc = base;

	desc.max_attempts = 1;
	desc.longest_step_ms = 1;
	desc.progress_ms = 2;
	desc.recovery_ms = 3;
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), 0);
	KUNIT_EXPECT_EQ(test, desc.max_attempts, 1);
	KUNIT_EXPECT_EQ(test, desc.longest_step_ms, 1);
	KUNIT_EXPECT_EQ(test, desc.progress_ms, 2);
	KUNIT_EXPECT_EQ(test, desc.recovery_ms, 3);
}

/* -1 anywhere: max_bytes stays the creator's. */
static void test_service_desc_check_any_entry(struct kunit *test)
{
	for (u32 i = 0; i < AIF_SHAPE_MAX; i++) {
		struct aif_service_desc desc = base;

		desc.io[1].dims = 4;
		for (u32 k = 0; k < AIF_SHAPE_MAX; k++)
			desc.io[1].shape[k] = k == i ? -1 : 2;
		KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), 0);
		KUNIT_EXPECT_EQ(test, desc.io[1].max_bytes, 1536);
	}
}

/* No io at all, whatever stands before them. */
static void test_service_desc_check_no_io(struct kunit *test)
{
	struct aif_service_desc desc = base;

	desc.io_count = 0;
	memset(desc.io, 0, sizeof(desc.io));
	memset(desc.digest, 0xff, sizeof(desc.digest));
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), -EINVAL);
}

/* What stood behind a string's end is shown to nobody. */
static void test_service_desc_check_clears_tails(struct kunit *test)
{
	struct aif_service_desc clean = base, dirty = base;

	dirty.name[7] = 'x';
	dirty.device[63] = '\n';
	dirty.model[20] = '\x80';
	dirty.io[2].name[31] = '/';
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&clean), 0);
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&dirty), 0);
	KUNIT_EXPECT_MEMEQ(test, &clean, &dirty, sizeof(clean));
}

/* Any byte in an unused io refuses. */
static void test_service_desc_check_unused_io(struct kunit *test)
{
	struct aif_service_desc desc = base;

	desc.io_count = 2;
	memset(&desc.io[2], 0, sizeof(desc.io[2]));
	KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), 0);
	for (u32 i = 0; i < sizeof(desc.io[2]); i++) {
		((char *)&desc.io[2])[i] = 1;
		KUNIT_EXPECT_EQ(test, aif_service_desc_check(&desc), -EINVAL);
		((char *)&desc.io[2])[i] = 0;
	}
}

static struct kunit_case aif_service_desc_cases[] = {
	KUNIT_CASE_PARAM(test_service_desc_check, service_rows_gen_params),
	KUNIT_CASE(test_service_desc_check_text_lengths),
	KUNIT_CASE(test_service_desc_check_defaults),
	KUNIT_CASE(test_service_desc_check_keeps_values),
	KUNIT_CASE(test_service_desc_check_any_entry),
	KUNIT_CASE(test_service_desc_check_no_io),
	KUNIT_CASE(test_service_desc_check_clears_tails),
	KUNIT_CASE(test_service_desc_check_unused_io),
	{}
};

static struct kunit_suite aif_service_desc_suite = {
	.name = "aif_service_desc",
	.test_cases = aif_service_desc_cases,
};

kunit_test_suite(aif_service_desc_suite);
