// SPDX-License-Identifier: GPL-2.0-only
/* What a vendor's driver may say of itself, and what is made of its answers. */
#include "aif_fixture.h"

static struct aif_engine_caps said;

static void fake_capabilities(void *driver, struct aif_engine_caps *caps)
{
	*caps = said;
}

static int fake_submit(void *driver, const struct aif_chunk_desc *desc)
{
	return -EBUSY;
}

static int quiet;	/* what quiesce() says */

static int fake_quiesce(void *driver)
{
	return quiet;
}

static const struct aif_engine_ops good = {
	.capabilities = fake_capabilities,
	.submit_chunk = fake_submit,
	.quiesce = fake_quiesce,
};

static int vendor_init(struct kunit *test)
{
	said = (struct aif_engine_caps){ .kinds = BIT(AIF_CHUNK_COPY), .depth = 1 };
	quiet = 0;
	return aif_fx_init(test);
}

/* What registering says; what was registered is gone again. */
static int try(const char *name, const void *ops, u32 size, u32 version)
{
	struct aif_engine *e = aif_engine_register(name, ops, size, version, NULL);

	if (IS_ERR(e))
		return PTR_ERR(e);
	aif_engine_unregister(e);
	return 0;
}

/* What the first drivers were compiled with. */
#define FIRST	offsetofend(struct aif_engine_ops, quiesce)

/* Another version is refused; a longer structure only if it says more than we know. */
static void test_vendor_versions(struct kunit *test)
{
	struct {
		struct aif_engine_ops ops;
		u64 more[4];
	} longer = { .ops = good };

	KUNIT_EXPECT_EQ(test, try("e", &good, sizeof(good), AIF_ENGINE_VERSION), 0);
	KUNIT_EXPECT_EQ(test, try("e", &good, sizeof(good), 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, try("e", &good, sizeof(good), AIF_ENGINE_VERSION + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, try("e", &good, FIRST - 1, AIF_ENGINE_VERSION), -EINVAL);
	KUNIT_EXPECT_EQ(test, try("e", &good, FIRST, AIF_ENGINE_VERSION), 0);
	KUNIT_EXPECT_EQ(test, try("e", &good, 0, AIF_ENGINE_VERSION), -EINVAL);
	KUNIT_EXPECT_EQ(test, try("e", &longer, sizeof(longer), AIF_ENGINE_VERSION), 0);
	longer.more[3] = 1ull << 63;
	KUNIT_EXPECT_EQ(test, try("e", &longer, sizeof(longer), AIF_ENGINE_VERSION), -E2BIG);
	KUNIT_EXPECT_EQ(test, try("e", &longer, sizeof(longer) - 8, AIF_ENGINE_VERSION), 0);
}

/* What a driver's header of another time has for its capabilities. */
static struct {
	struct aif_engine_caps caps;
	u64 more[4];
} said_longer;

static void longer_capabilities(void *driver, struct aif_engine_caps *caps)
{
	memcpy(caps, &said_longer, sizeof(said_longer));
}

static void shorter_capabilities(void *driver, struct aif_engine_caps *caps)
{
	memcpy(caps, &said, offsetof(struct aif_engine_caps, device));
}

/* One that knows less leaves the rest as it is; one that knows more must not say so. */
static void test_vendor_caps_sizes(struct kunit *test)
{
	struct aif_engine_ops ops = good;

	ops.capabilities = shorter_capabilities;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), 0);
	ops.capabilities = longer_capabilities;
	said_longer.caps = said;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), 0);
	said_longer.more[3] = 1;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -E2BIG);
	said_longer.more[3] = 0;
}

static int fake_map(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	return -ENOMEM;
}

static void fake_unmap(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
}

static void test_vendor_ops(struct kunit *test)
{
	struct aif_engine_ops ops;

	ops = good;
	ops.capabilities = NULL;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
	ops = good;
	ops.submit_chunk = NULL;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
	ops = good;
	ops.quiesce = NULL;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
	ops = good;
	ops.map = fake_map;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
	KUNIT_EXPECT_EQ(test, try("e", &ops, FIRST, AIF_ENGINE_VERSION), 0);
	ops.unmap = fake_unmap;
	said.mapped_bytes = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), 0);
	said.mapped_bytes = PAGE_SIZE + 1;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
	said.mapped_bytes = 0;
	ops.map = NULL;
	KUNIT_EXPECT_EQ(test, try("e", &ops, sizeof(ops), AIF_ENGINE_VERSION), -EINVAL);
}

static const struct name_row {
	const char *name;
	int want;
} name_rows[] = {
	{ "a", 0 },
	{ "Vendor_7.dma-0", 0 },
	{ "a234567890123456789012345678901", 0 },
	{ "a2345678901234567890123456789012", -EINVAL },
	{ "", -EINVAL },
	{ ".hidden", -EINVAL },
	{ "..", -EINVAL },
	{ "a/b", -EINVAL },
	{ "a b", -EINVAL },
	{ "cpu", -EEXIST },
};

KUNIT_ARRAY_PARAM_DESC(name_rows, name_rows, name);

static void test_vendor_names(struct kunit *test)
{
	const struct name_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, try(row->name, &good, sizeof(good), AIF_ENGINE_VERSION), row->want);
}

#define CAPS(_kinds, _depth, ...)	{ .kinds = _kinds, .depth = _depth, __VA_ARGS__ }

static const struct caps_row {
	const char *name;
	struct aif_engine_caps caps;
	int want;
} caps_rows[] = {
	{ "the least", CAPS(1, 1), 0 },
	{ "the most", { 3, 0, 256, PAGE_SIZE, ~0u & PAGE_MASK, 60000, ~0u, ~0u }, 0 },
	{ "no kind", CAPS(0, 1), -EINVAL },
	{ "a kind that is none", CAPS(4, 1), -EINVAL },
	{ "an unknown flag", CAPS(1, 1, .flags = 2), -EINVAL },
	{ "no depth", CAPS(1, 0), -EINVAL },
	{ "too deep", CAPS(1, 257), -EINVAL },
	{ "no power of two", CAPS(1, 1, .alignment = 3), -EINVAL },
	{ "more than a page", CAPS(1, 1, .alignment = 2 * PAGE_SIZE), -EINVAL },
	{ "a length that is not aligned", CAPS(1, 1, .alignment = 64, .max_bytes = 96), -EINVAL },
	{ "patience", CAPS(1, 1, .timeout_ms = 60001), -EINVAL },
	{ "a limit of what it does not map", CAPS(1, 1, .mapped_bytes = PAGE_SIZE), -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(caps_rows, caps_rows, name);

static void test_vendor_caps(struct kunit *test)
{
	const struct caps_row *row = test->param_value;

	said = row->caps;
	KUNIT_EXPECT_EQ(test, try("e", &good, sizeof(good), AIF_ENGINE_VERSION), row->want);
}

/* As many as there can be, each by its name; a place is free again. */
static void test_vendor_many(struct kunit *test)
{
	struct aif_engine *e[16];
	char name[8];
	u32 i, n;

	for (n = 0; n < ARRAY_SIZE(e); n++) {
		snprintf(name, sizeof(name), "e%u", n);
		e[n] = aif_engine_register(name, &good, sizeof(good), AIF_ENGINE_VERSION, NULL);
		if (IS_ERR(e[n]))
			break;
	}
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(e) - 1);	/* the CPU is there */
	KUNIT_EXPECT_EQ(test, PTR_ERR(e[n]), -ENOSPC);
	KUNIT_EXPECT_EQ(test, try("e0", &good, sizeof(good), AIF_ENGINE_VERSION), -EEXIST);
	aif_engine_unregister(e[7]);
	KUNIT_EXPECT_EQ(test, try("another", &good, sizeof(good), AIF_ENGINE_VERSION), 0);
	for (i = 0; i < n; i++)
		if (i != 7)
			aif_engine_unregister(e[i]);
}

/* Answers to what was never asked. */
static void test_vendor_stray_answers(struct kunit *test)
{
	static const u64 cookies[] = { 0, 1, 255, 256, 257, ~0ull, 1ull << 63 };
	struct aif_engine *e = aif_engine_register("e", &good, sizeof(good), AIF_ENGINE_VERSION,
						   NULL);
	u32 room = aif_engine_room(), i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(e));
	for (i = 0; i < ARRAY_SIZE(cookies); i++)
		aif_engine_done(e, cookies[i], 0, 1);
	KUNIT_EXPECT_EQ(test, aif_engine_room(), room);
	aif_engine_unregister(e);
	KUNIT_EXPECT_EQ(test, aif_engine_room(), room - 1);
}

/* Not known quiet, it may answer when it is gone, although it had nothing. */
static void test_vendor_not_quiet(struct kunit *test)
{
	struct aif_engine *e = aif_engine_register("e", &good, sizeof(good), AIF_ENGINE_VERSION,
						   NULL);
	int users = module_refcount(THIS_MODULE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(e));
	quiet = -EBUSY;
	aif_engine_unregister(e);
	aif_engine_done(e, 1ull << 8, 0, 1);
	KUNIT_EXPECT_EQ(test, module_refcount(THIS_MODULE), users + 1);
	quiet = 0;
	KUNIT_EXPECT_EQ(test, try("e", &good, sizeof(good), AIF_ENGINE_VERSION), 0);
	module_put(THIS_MODULE);
}

static struct kunit_case aif_vendor_cases[] = {
	KUNIT_CASE(test_vendor_versions),
	KUNIT_CASE(test_vendor_caps_sizes),
	KUNIT_CASE(test_vendor_ops),
	KUNIT_CASE_PARAM(test_vendor_names, name_rows_gen_params),
	KUNIT_CASE_PARAM(test_vendor_caps, caps_rows_gen_params),
	KUNIT_CASE(test_vendor_many),
	KUNIT_CASE(test_vendor_stray_answers),
	KUNIT_CASE(test_vendor_not_quiet),
	{}
};

static struct kunit_suite aif_vendor_suite = {
	.name = "aif_vendor",
	.init = vendor_init,
	.test_cases = aif_vendor_cases,
};

kunit_test_suite(aif_vendor_suite);
