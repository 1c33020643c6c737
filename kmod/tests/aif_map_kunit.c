// SPDX-License-Identifier: GPL-2.0-only
/* Maps: what a driver may say of one, whose room it takes, and who ends it. */
#include <linux/scatterlist.h>

#include "aif_fixture.h"

/*
 * An engine's driver, which maps a page to where it is.
 *
 * @answers: of its map(), one after the other; then 0
 * @lie:     about what it has mapped
 */
static struct {
	u64 limit;
	int answers[4];
	u32 asked, maps, unmaps;
	void (*lie)(struct sg_table *pages);
} fake;

static void fake_capabilities(void *driver, struct aif_engine_caps *caps)
{
	*caps = (struct aif_engine_caps){
		.kinds = BIT(AIF_CHUNK_COPY), .depth = 1, .mapped_bytes = fake.limit,
	};
}

static int fake_submit(void *driver, const struct aif_chunk_desc *desc)
{
	return -EBUSY;
}

static int fake_quiesce(void *driver)
{
	return 0;
}

static int fake_map(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	u32 asked = fake.asked++;
	struct scatterlist *sg;
	u32 i;

	if (asked < ARRAY_SIZE(fake.answers) && fake.answers[asked])
		return fake.answers[asked];
	for_each_sgtable_sg(pages, sg, i) {
		sg_dma_address(sg) = sg_phys(sg);
		sg_dma_len(sg) = sg->length;
	}
	pages->nents = pages->orig_nents;
	if (fake.lie)
		fake.lie(pages);
	fake.maps++;
	return 0;
}

static void fake_unmap(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	fake.unmaps++;
}

static const struct aif_engine_ops ops = {
	.capabilities = fake_capabilities, .submit_chunk = fake_submit, .quiesce = fake_quiesce,
	.map = fake_map, .unmap = fake_unmap,
};

static int map_init(struct kunit *test)
{
	memset(&fake, 0, sizeof(fake));
	return aif_fx_init(test);
}

static void unregister(void *e)
{
	aif_engine_unregister(e);
}

/* Until the test ends, or kunit_release_action(test, unregister, ...). */
static struct aif_engine *fake_engine(struct kunit *test)
{
	struct aif_engine *e = aif_engine_register("fake", &ops, sizeof(ops), AIF_ENGINE_VERSION,
						   NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(e));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister, e), 0);
	return e;
}

static struct aif_client *client(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);

	c->granted_features |= AIF_F_MAP;
	return c;
}

static int map(struct aif_client *c, u32 handle, u32 *engine)
{
	struct aif_ioc_buffer_map arg = { .handle = handle, .engine = "fake" };
	int err = aif_buffer_map(c, &arg);

	*engine = arg.out_engine;
	return err;
}

static bool is_mapped(struct aif_client *c, u32 handle, u32 engine)
{
	return aif_buffer_mapped_for(aif_fx_handle(c, handle)->buffer, engine);
}

static void expect_mapped(struct kunit *test, struct aif_client *c, u64 bytes)
{
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->mapped), bytes);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.mapped_bytes), bytes);
}

/* ---- what a driver says ---- */

static void lie_nothing(struct sg_table *t)
{
	t->nents = 0;
}

static void lie_more(struct sg_table *t)
{
	t->nents = t->orig_nents + 1;
}

static void lie_empty(struct sg_table *t)
{
	sg_dma_len(t->sgl) = 0;
}

static void lie_short(struct sg_table *t)
{
	sg_dma_len(t->sgl) -= PAGE_SIZE;
}

static void lie_long(struct sg_table *t)
{
	sg_dma_len(t->sgl) += PAGE_SIZE;
}

static void lie_odd_address(struct sg_table *t)
{
	sg_dma_address(t->sgl) += 512;
}

static void lie_odd_length(struct sg_table *t)
{
	sg_dma_len(t->sgl) -= 512;
}

static const struct lie_row {
	const char *name;
	void (*lie)(struct sg_table *pages);
} lie_rows[] = {
	{ "nothing is mapped", lie_nothing },
	{ "more pieces than it was given", lie_more },
	{ "a piece of no bytes", lie_empty },
	{ "a page too few", lie_short },
	{ "a page too many", lie_long },
	{ "an address within a page", lie_odd_address },
	{ "a length that is no whole pages", lie_odd_length },
};

KUNIT_ARRAY_PARAM_DESC(lie_rows, lie_rows, name);

/* It is not believed, and undone as it was done. */
static void test_map_lies(struct kunit *test)
{
	const struct lie_row *row = test->param_value;
	struct aif_client *c;
	u32 buffer, engine;

	fake_engine(test);
	c = client(test);
	buffer = aif_fx_buffer(test, c, 4 * PAGE_SIZE);
	fake.lie = row->lie;
	KUNIT_EXPECT_EQ(test, map(c, buffer, &engine), -EIO);
	KUNIT_EXPECT_EQ(test, engine, 0);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 1);
	expect_mapped(test, c, 0);
	fake.lie = NULL;
	KUNIT_EXPECT_EQ(test, map(c, buffer, &engine), 0);
	expect_mapped(test, c, 4 * PAGE_SIZE);
}

static const struct refusal_row {
	const char *name;
	int answer, want;
} refusal_rows[] = {
	{ "no memory", -ENOMEM, -ENOMEM },
	{ "no addresses", -ENOSPC, -ENOSPC },
	{ "no bounce buffers", -EIO, -ENOSPC },
	{ "whatever else", -EINVAL, -ENOSPC },
};

KUNIT_ARRAY_PARAM_DESC(refusal_rows, refusal_rows, name);

/* Nothing is idle that could make room: it is asked once, and nothing was mapped. */
static void test_map_refusals(struct kunit *test)
{
	const struct refusal_row *row = test->param_value;
	struct aif_client *c;
	u32 buffer, engine;

	fake_engine(test);
	c = client(test);
	buffer = aif_fx_buffer(test, c, PAGE_SIZE);
	fake.answers[0] = row->answer;
	KUNIT_EXPECT_EQ(test, map(c, buffer, &engine), row->want);
	KUNIT_EXPECT_EQ(test, fake.asked, 1);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 0);
	expect_mapped(test, c, 0);
	KUNIT_EXPECT_EQ(test, map(c, buffer, &engine), 0);
}

/* ---- room ---- */

/* A driver without room is asked again for what idle maps leave: twice as much each time. */
static void test_map_makes_room(struct kunit *test)
{
	struct aif_client *c;
	u32 buffers[4], engine, i;

	fake_engine(test);
	c = client(test);
	for (i = 0; i < 4; i++)
		buffers[i] = aif_fx_buffer(test, c, PAGE_SIZE);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, map(c, buffers[i], &engine), 0);
	fake.asked = 0;
	fake.answers[0] = -ENOSPC;
	KUNIT_EXPECT_EQ(test, map(c, buffers[3], &engine), 0);
	KUNIT_EXPECT_EQ(test, fake.asked, 2);
	KUNIT_EXPECT_FALSE(test, is_mapped(c, buffers[0], engine));
	KUNIT_EXPECT_TRUE(test, is_mapped(c, buffers[1], engine));
	KUNIT_EXPECT_EQ(test, map(c, buffers[0], &engine), 0);
	fake.asked = 0;
	fake.answers[1] = -ENOSPC;
	KUNIT_EXPECT_EQ(test, aif_buffer_unmap(c, &(struct aif_ioc_buffer_unmap){
			      .handle = buffers[3], .engine = engine }), 0);
	KUNIT_EXPECT_EQ(test, map(c, buffers[3], &engine), 0);
	KUNIT_EXPECT_EQ(test, fake.asked, 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_FALSE(test, is_mapped(c, buffers[i], engine));
	expect_mapped(test, c, PAGE_SIZE);
}

/* What is over an engine's limit sends nobody away; what fits sends the oldest. */
static void test_map_engine_limit(struct kunit *test)
{
	struct aif_client *c;
	u32 one, two, three, engine;

	fake.limit = 2 * PAGE_SIZE;
	fake_engine(test);
	c = client(test);
	one = aif_fx_buffer(test, c, PAGE_SIZE);
	two = aif_fx_buffer(test, c, 2 * PAGE_SIZE);
	three = aif_fx_buffer(test, c, 3 * PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, map(c, one, &engine), 0);
	KUNIT_EXPECT_EQ(test, map(c, three, &engine), -ENOSPC);
	KUNIT_ASSERT_EQ(test, map(c, one, &engine), 0);
	KUNIT_EXPECT_EQ(test, fake.maps, 1);
	KUNIT_EXPECT_EQ(test, map(c, two, &engine), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped(c, one, engine));
	expect_mapped(test, c, 2 * PAGE_SIZE);
}

/* A tenant's limit is for all that it has mapped; nobody's map goes for it. */
static void test_map_tenant_limit(struct kunit *test)
{
	struct aif_client *c;
	u32 one, two, engine, none;

	fake_engine(test);
	c = client(test);
	AIF_FX_SET(test, aif_tenant_mapped, PAGE_SIZE);
	one = aif_fx_buffer(test, c, PAGE_SIZE);
	two = aif_fx_buffer(test, c, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, map(c, one, &engine), 0);
	KUNIT_EXPECT_EQ(test, map(c, two, &none), -EDQUOT);
	KUNIT_EXPECT_TRUE(test, is_mapped(c, one, engine));
	KUNIT_EXPECT_EQ(test, fake.asked, 1);
	expect_mapped(test, c, PAGE_SIZE);
}

/* ---- the end ---- */

/* Once however often it is asked for; unmapped once. */
static void test_map_again(struct kunit *test)
{
	struct aif_ioc_buffer_unmap off = { 0 };
	struct aif_client *c;
	u32 again;

	fake_engine(test);
	c = client(test);
	off.handle = aif_fx_buffer(test, c, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, map(c, off.handle, &off.engine), 0);
	KUNIT_ASSERT_EQ(test, map(c, off.handle, &again), 0);
	KUNIT_EXPECT_EQ(test, again, off.engine);
	KUNIT_EXPECT_EQ(test, fake.maps, 1);
	KUNIT_EXPECT_EQ(test, aif_buffer_unmap(c, &off), 0);
	KUNIT_EXPECT_EQ(test, aif_buffer_unmap(c, &off), -ENOENT);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 1);
	expect_mapped(test, c, 0);
}

/* A buffer takes its map along. */
static void test_map_ends_with_buffer(struct kunit *test)
{
	struct aif_client *c;
	u32 buffer, engine;

	fake_engine(test);
	c = client(test);
	buffer = aif_fx_buffer(test, c, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, map(c, buffer, &engine), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, buffer), 0);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffer_bytes), 0);
	expect_mapped(test, c, 0);
}

/* An engine that goes takes all maps of it off before it has gone; the next has another number. */
static void test_map_ends_with_engine(struct kunit *test)
{
	struct aif_engine *e = fake_engine(test);
	struct aif_client *c = client(test);
	u32 one = aif_fx_buffer(test, c, PAGE_SIZE), two = aif_fx_buffer(test, c, PAGE_SIZE);
	u32 engine, next;

	KUNIT_ASSERT_EQ(test, map(c, one, &engine), 0);
	KUNIT_ASSERT_EQ(test, map(c, two, &engine), 0);
	kunit_release_action(test, unregister, e);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 2);
	expect_mapped(test, c, 0);
	KUNIT_EXPECT_EQ(test, map(c, one, &next), -ENOENT);
	fake_engine(test);
	KUNIT_EXPECT_EQ(test, map(c, one, &next), 0);
	KUNIT_EXPECT_NE(test, next, engine);
	KUNIT_EXPECT_FALSE(test, is_mapped(c, one, engine));
}

static struct kunit_case aif_map_cases[] = {
	KUNIT_CASE_PARAM(test_map_lies, lie_rows_gen_params),
	KUNIT_CASE_PARAM(test_map_refusals, refusal_rows_gen_params),
	KUNIT_CASE(test_map_makes_room),
	KUNIT_CASE(test_map_engine_limit),
	KUNIT_CASE(test_map_tenant_limit),
	KUNIT_CASE(test_map_again),
	KUNIT_CASE(test_map_ends_with_buffer),
	KUNIT_CASE(test_map_ends_with_engine),
	{}
};

static struct kunit_suite aif_map_suite = {
	.name = "aif_map",
	.init = map_init,
	.test_cases = aif_map_cases,
};

kunit_test_suite(aif_map_suite);
