// SPDX-License-Identifier: GPL-2.0-only
/* Maps: what a driver may say of one, whose room it takes, and who ends it. */
#include <linux/cred.h>
#include <linux/scatterlist.h>

#include "aif_fixture.h"

/*
 * An engine's driver, which maps a page to where it is.
 *
 * @quiet:   what quiesce() says
 * @answers: of its map(), one after the other; then 0
 * @lie:     about what it has mapped
 */
static struct {
	u64 limit;
	u32 flags;
	int quiet;
	int answers[4];
	u32 asked, maps, unmaps;
	struct slow *slow_unmap;
	void (*lie)(struct sg_table *pages);
} fake;

/* One that takes its time, if it is handed one: the test says how long. */
struct slow {
	struct completion begun, over;
};

static void slow_init(struct slow *s)
{
	init_completion(&s->begun);
	init_completion(&s->over);
}

static void be_slow(struct slow *s)
{
	if (!s)
		return;
	complete(&s->begun);
	wait_for_completion_timeout(&s->over, 10 * HZ);
}

static void fake_capabilities(void *driver, struct aif_engine_caps *caps)
{
	*caps = (struct aif_engine_caps){
		.kinds = BIT(AIF_CHUNK_COPY), .depth = 1, .mapped_bytes = fake.limit,
		.flags = fake.flags,
	};
}

static int fake_submit(void *driver, const struct aif_chunk_desc *desc)
{
	return -EBUSY;
}

static int fake_quiesce(void *driver)
{
	return fake.quiet;
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
	be_slow(driver);
	return 0;
}

static void fake_unmap(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	be_slow(fake.slow_unmap);
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
static struct aif_engine *engine_of(struct kunit *test, const char *name, struct slow *slow)
{
	struct aif_engine *e = aif_engine_register(name, &ops, sizeof(ops), AIF_ENGINE_VERSION,
						   slow);

	KUNIT_ASSERT_FALSE(test, IS_ERR(e));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister, e), 0);
	return e;
}

static struct aif_engine *fake_engine(struct kunit *test)
{
	return engine_of(test, "fake", NULL);
}

static struct aif_client *client(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);

	c->granted_features |= AIF_F_MAP;
	return c;
}

/* One of a tenant of its own. */
static struct aif_client *client_of(struct kunit *test, uid_t euid)
{
	struct cred *cred = prepare_creds();
	const struct cred *old;
	struct aif_client *c;

	KUNIT_ASSERT_NOT_NULL(test, cred);
	AIF_FX_SET(test, aif_tenant_by_uid, true);
	cred->euid = KUIDT_INIT(euid);
	old = override_creds(cred);
	c = client(test);
	revert_creds(old);
	put_cred(cred);
	return c;
}

static int map_for(struct aif_client *c, u32 handle, const char *name, u32 *engine)
{
	struct aif_ioc_buffer_map arg = { .handle = handle };
	int err;

	strscpy(arg.engine, name, sizeof(arg.engine));
	err = aif_buffer_map(c, &arg);
	*engine = arg.out_engine;
	return err;
}

static int map(struct aif_client *c, u32 handle, u32 *engine)
{
	return map_for(c, handle, "fake", engine);
}

static int unmap(struct aif_client *c, u32 handle, u32 engine)
{
	return aif_buffer_unmap(c, &(struct aif_ioc_buffer_unmap){ .handle = handle,
								   .engine = engine });
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
	KUNIT_EXPECT_EQ(test, unmap(c, buffers[3], engine), 0);
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

/* Whoever needs room sends its own away before others', and of others' the oldest. */
static void test_map_own_first(struct kunit *test)
{
	struct aif_client *a, *b, *c;
	u32 old, own, next, engine;

	fake.limit = 2 * PAGE_SIZE;
	fake_engine(test);
	a = client_of(test, 1);
	b = client_of(test, 2);
	c = client_of(test, 3);
	old = aif_fx_buffer(test, a, PAGE_SIZE);
	own = aif_fx_buffer(test, b, PAGE_SIZE);
	next = aif_fx_buffer(test, b, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, map(a, old, &engine), 0);
	KUNIT_ASSERT_EQ(test, map(b, own, &engine), 0);
	KUNIT_EXPECT_EQ(test, map(b, next, &engine), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped(a, old, engine));
	KUNIT_EXPECT_FALSE(test, is_mapped(b, own, engine));
	KUNIT_EXPECT_EQ(test, map(c, aif_fx_buffer(test, c, PAGE_SIZE), &engine), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped(a, old, engine));
	KUNIT_EXPECT_TRUE(test, is_mapped(b, next, engine));
}

/* ---- drivers that take their time ---- */

/* A call in another thread. */
struct call {
	struct work_struct work;
	struct aif_client *client;
	u32 handle, engine;
	int err;
};

static void call_map(struct work_struct *work)
{
	struct call *call = container_of(work, struct call, work);

	call->err = map_for(call->client, call->handle, "slow", &call->engine);
}

static void call_unmap(struct work_struct *work)
{
	struct call *call = container_of(work, struct call, work);

	call->err = unmap(call->client, call->handle, call->engine);
}

/* Begun, and as slow as it is told to be. */
static void call_slowly(struct call *call, work_func_t function, struct slow *slow)
{
	slow_init(slow);
	INIT_WORK(&call->work, function);
	queue_work(system_unbound_wq, &call->work);
	wait_for_completion(&slow->begun);
}

/* It keeps nobody from mapping for another, the same buffer too; and is waited for when it goes. */
static void test_map_slow_driver(struct kunit *test)
{
	struct aif_client *c = client(test);
	u32 other = aif_fx_buffer(test, c, PAGE_SIZE), engine;
	static struct slow slow;
	static struct call call;

	fake_engine(test);
	engine_of(test, "slow", &slow);
	call = (struct call){ .client = c, .handle = aif_fx_buffer(test, c, PAGE_SIZE) };
	call_slowly(&call, call_map, &slow);
	KUNIT_EXPECT_EQ(test, map(c, other, &engine), 0);
	KUNIT_EXPECT_EQ(test, map(c, call.handle, &engine), 0);
	KUNIT_EXPECT_TRUE(test, work_busy(&call.work));
	complete(&slow.over);
	flush_work(&call.work);
	KUNIT_EXPECT_EQ(test, call.err, 0);
	KUNIT_EXPECT_NE(test, call.engine, engine);
}

static void end_unmap(struct work_struct *work)
{
	complete(&fake.slow_unmap->over);
}

static DECLARE_DELAYED_WORK(later, end_unmap);

/* There will be room in a moment: nobody is told that there is none. */
static void expect_waits(struct kunit *test, struct aif_client *c)
{
	u32 one = aif_fx_buffer(test, c, PAGE_SIZE), two = aif_fx_buffer(test, c, PAGE_SIZE);
	static struct slow slow;
	static struct call call;
	u32 engine;

	KUNIT_ASSERT_EQ(test, map(c, one, &engine), 0);
	fake.slow_unmap = &slow;
	call = (struct call){ .client = c, .handle = one, .engine = engine };
	call_slowly(&call, call_unmap, &slow);
	queue_delayed_work(system_unbound_wq, &later, HZ / 10);
	KUNIT_EXPECT_EQ(test, map(c, two, &engine), 0);
	flush_delayed_work(&later);
	flush_work(&call.work);
	fake.slow_unmap = NULL;
	KUNIT_EXPECT_EQ(test, call.err, 0);
	expect_mapped(test, c, PAGE_SIZE);
}

static void test_map_waits_for_engine(struct kunit *test)
{
	fake.limit = PAGE_SIZE;
	fake_engine(test);
	expect_waits(test, client(test));
}

static void test_map_waits_for_tenant(struct kunit *test)
{
	fake_engine(test);
	AIF_FX_SET(test, aif_tenant_mapped, PAGE_SIZE);
	expect_waits(test, client(test));
}

/* A driver without room, and nothing idle: what is being undone leaves some. */
static void test_map_waits_for_device(struct kunit *test)
{
	fake_engine(test);
	fake.answers[1] = -ENOSPC;
	expect_waits(test, client(test));
	KUNIT_EXPECT_EQ(test, fake.asked, 3);
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

static struct aif_chunk *answered;

static void finish(struct work_struct *work)
{
	aif_engine_finish(answered);
}

static DECLARE_DELAYED_WORK(finish_later, finish);

/* What it answered last keeps a driver there, quiet or not, until its maps are undone. */
static void test_map_late_answer(struct kunit *test)
{
	const struct aif_engine_ask ask = { .kind = AIF_CHUNK_COPY, .bytes = PAGE_SIZE };
	struct aif_client *c = client(test);
	u32 handle = aif_fx_buffer(test, c, PAGE_SIZE), engine;
	struct aif_engine *e;

	fake.flags = AIF_ENGINE_F_INLINE;	/* nobody looks at its answers but us */
	e = aif_engine_register("fake", &ops, sizeof(ops), AIF_ENGINE_VERSION, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(e));
	KUNIT_ASSERT_EQ(test, map(c, handle, &engine), 0);
	answered = aif_engine_take(&ask, NULL, aif_fx_handle(c, handle)->buffer, false);
	KUNIT_ASSERT_PTR_EQ(test, answered->engine, e);
	aif_engine_done(e, answered->desc.cookie, 0, PAGE_SIZE);
	queue_delayed_work(system_unbound_wq, &finish_later, HZ / 10);
	fake.quiet = -EBUSY;
	aif_engine_unregister(e);
	KUNIT_EXPECT_EQ(test, fake.unmaps, 1);
	flush_delayed_work(&finish_later);
	expect_mapped(test, c, 0);
	module_put(THIS_MODULE);
}

static struct kunit_case aif_map_cases[] = {
	KUNIT_CASE_PARAM(test_map_lies, lie_rows_gen_params),
	KUNIT_CASE_PARAM(test_map_refusals, refusal_rows_gen_params),
	KUNIT_CASE(test_map_makes_room),
	KUNIT_CASE(test_map_engine_limit),
	KUNIT_CASE(test_map_tenant_limit),
	KUNIT_CASE(test_map_own_first),
	KUNIT_CASE(test_map_slow_driver),
	KUNIT_CASE(test_map_waits_for_engine),
	KUNIT_CASE(test_map_waits_for_tenant),
	KUNIT_CASE(test_map_waits_for_device),
	KUNIT_CASE(test_map_again),
	KUNIT_CASE(test_map_ends_with_buffer),
	KUNIT_CASE(test_map_ends_with_engine),
	KUNIT_CASE(test_map_late_answer),
	{}
};

static struct kunit_suite aif_map_suite = {
	.name = "aif_map",
	.init = map_init,
	.test_cases = aif_map_cases,
};

kunit_test_suite(aif_map_suite);
