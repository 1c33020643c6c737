// SPDX-License-Identifier: GPL-2.0-only
/* Clients: their arrays, handles, waits, and ends. */
#include "aif_fixture.h"

#define DEPTH	4

static int info(struct kunit *test, struct file *filp, u32 depth, u64 features,
		struct aif_ioc_info *arg)
{
	*arg = (struct aif_ioc_info) { .depth = depth, .features = features };
	return aif_client_info(aif_fx_file(filp), arg);
}

static const struct depth_row {
	const char *name;
	u32 max, asked;
	int err;
	u32 depth;
} depth_rows[] = {
	{ "one", 64, 1, 0, 1 },
	{ "the most", 64, 64, 0, 64 },
	{ "more than the most", 64, 128, -EINVAL, 0 },
	{ "no power of two", 64, 3, -EINVAL, 0 },
	{ "the default", 1024, 0, 0, 256 },
	{ "the default where there are fewer", 64, 0, 0, 64 },
	{ "the largest number", 64, 0x80000000, -EINVAL, 0 },
};

KUNIT_ARRAY_PARAM_DESC(depth_rows, depth_rows, name);

static void test_client_depth(struct kunit *test)
{
	const struct depth_row *row = test->param_value;
	struct aif_ioc_info *arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);
	struct aif_client *c;
	struct file *filp;

	KUNIT_ASSERT_NOT_NULL(test, arg);
	AIF_FX_SET(test, aif_max_depth, row->max);
	c = aif_fx_client_file(test, 0, &filp);
	KUNIT_EXPECT_EQ(test, info(test, filp, row->asked, 0, arg), row->err);
	KUNIT_EXPECT_EQ(test, aif_client_depth(c), row->depth);
	if (row->err)
		return;
	KUNIT_EXPECT_EQ(test, arg->depth, row->depth);
	KUNIT_EXPECT_EQ(test, arg->out_arrays[AIF_ARRAY_DESC].count, row->depth);
	KUNIT_EXPECT_EQ(test, arg->out_arrays[AIF_ARRAY_COMPLETION].count, row->depth);
	KUNIT_EXPECT_EQ(test, arg->out_arrays[AIF_ARRAY_CLIENT_STATUS].count, 1);
	KUNIT_EXPECT_EQ(test, arg->out_arrays[AIF_ARRAY_SLOT].count, 0);
}

/* The first call fixes it; features add up, and are those that there are. */
static void test_client_info_again(struct kunit *test)
{
	struct aif_ioc_info *arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);
	struct aif_request *requests;
	struct aif_client *c;
	struct file *filp;

	KUNIT_ASSERT_NOT_NULL(test, arg);
	c = aif_fx_client_file(test, DEPTH, &filp);
	requests = c->requests;
	KUNIT_EXPECT_EQ(test, info(test, filp, 2 * DEPTH, 0, arg), -EBUSY);
	KUNIT_EXPECT_EQ(test, info(test, filp, 0, 0, arg), 0);
	KUNIT_EXPECT_EQ(test, arg->depth, DEPTH);
	KUNIT_EXPECT_EQ(test, arg->features, 0);
	KUNIT_EXPECT_EQ(test, info(test, filp, DEPTH, ~0ull, arg), 0);
	/* A kernel thread has every capability. */
	KUNIT_EXPECT_EQ(test, arg->features, AIF_F_ALL | AIF_F_REALTIME);
	KUNIT_EXPECT_EQ(test, info(test, filp, DEPTH, 0, arg), 0);
	KUNIT_EXPECT_EQ(test, arg->features, AIF_F_ALL | AIF_F_REALTIME);
	KUNIT_EXPECT_EQ(test, arg->out_tenant, c->tenant->id);
	KUNIT_EXPECT_PTR_EQ(test, c->requests, requests);
}

/* While an INFO makes the arrays, and may have to take them back, none can be mapped. */
static void test_client_maps_whole(struct kunit *test)
{
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct aif_mapped *ring;
	struct file *filp;

	KUNIT_ASSERT_NOT_NULL(test, vma);
	ring = &aif_fx_client_file(test, 0, &filp)->arrays[AIF_ARRAY_DESC];
	KUNIT_ASSERT_EQ(test, aif_mapped_alloc(ring, sizeof(struct aif_desc), DEPTH, NULL), 0);
	KUNIT_EXPECT_EQ(test, aif_client_fops.mmap(filp, vma), -ENXIO);
	aif_mapped_free(ring);
}

/* ---- waits ---- */

static const struct wait_row {
	const char *name;
	struct aif_ioc_wait arg;
	int err;
} wait_rows[] = {
	{ "nothing asked for", { }, 0 },
	{ "not answered yet", { .value = 1 }, -ETIME },
	{ "a tag without the flag", { .tag = 1 }, -EINVAL },
	{ "undefined flag", { .flags = 2 }, -EINVAL },
	{ "reserved", { .__reserved = 1 }, -EINVAL },
	{ "produced, tag out of range",
	  { .flags = AIF_WAIT_F_PRODUCED, .tag = DEPTH }, -EINVAL },
	{ "produced, a tag that was never used",
	  { .flags = AIF_WAIT_F_PRODUCED, .tag = 1, .value = 9 }, 0 },
	{ "produced, nothing yet", { .flags = AIF_WAIT_F_PRODUCED, .tag = 0 }, -ETIME },
};

KUNIT_ARRAY_PARAM_DESC(wait_rows, wait_rows, name);

/* One request, tag 0, is queued. */
static void test_client_wait(struct kunit *test)
{
	const struct wait_row *row = test->param_value;
	struct aif_ioc_wait arg = row->arg;
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	d = aif_fx_desc(&p, 0, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	KUNIT_EXPECT_EQ(test, aif_client_wait(p.client, &arg), row->err);
}

static void test_client_wait_quiet(struct kunit *test)
{
	struct aif_ioc_wait_quiet busy = { .tag = 0 }, other = { .tag = 1 };
	struct aif_ioc_wait_quiet all = { .tag = AIF_TAG_ALL }, wrong = { .tag = DEPTH };
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &all), 0);
	d = aif_fx_desc(&p, 0, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &busy), -ETIME);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &all), -ETIME);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &other), 0);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &wrong), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &busy), 0);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &all), 0);
}

static bool is_readable(struct aif_fx_path *p)
{
	return aif_client_poll(p->client, p->file, NULL) & EPOLLIN;
}

/* Readable until a WAIT that was satisfied has named all answers. */
static void test_client_poll(struct kunit *test)
{
	struct aif_ioc_wait first = { .value = 1 }, second = { .value = 2 };
	struct aif_fx_path p;
	struct aif_desc d[2];

	aif_fx_path(test, &p, DEPTH);
	d[0] = aif_fx_desc(&p, 0, 1);
	d[1] = aif_fx_desc(&p, 1, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, d, 2), 2);
	KUNIT_EXPECT_FALSE(test, is_readable(&p));
	KUNIT_ASSERT_EQ(test, aif_cancel(p.client, 0, 1), 0);
	KUNIT_EXPECT_TRUE(test, is_readable(&p));
	KUNIT_EXPECT_EQ(test, aif_client_wait(p.client, &first), 0);
	KUNIT_EXPECT_FALSE(test, is_readable(&p));
	KUNIT_ASSERT_EQ(test, aif_cancel(p.client, 1, 1), 0);
	KUNIT_EXPECT_EQ(test, aif_client_wait(p.client, &first), 0);
	KUNIT_EXPECT_TRUE(test, is_readable(&p));
	KUNIT_EXPECT_EQ(test, aif_client_wait(p.client, &second), 0);
	KUNIT_EXPECT_FALSE(test, is_readable(&p));
}

/* Waits in a ring; no command is needed to ask whether one holds. */
static void test_client_wait_done(struct kunit *test)
{
	struct aif_parked answered = { .op = AIF_CMD_WAIT, .value = 1 };
	struct aif_parked produced = { .op = AIF_CMD_WAIT, .produced = 1, .value = 7 };
	struct aif_parked quiet = { .op = AIF_CMD_WAIT_QUIET };
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	d = aif_fx_desc(&p, 0, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	spin_lock(&p.client->wait_lock);
	KUNIT_EXPECT_FALSE(test, aif_client_wait_done(p.client, &answered));
	KUNIT_EXPECT_FALSE(test, aif_client_wait_done(p.client, &quiet));
	p.client->requests[0].produced = 7;
	KUNIT_EXPECT_FALSE(test, aif_client_wait_done(p.client, &produced));
	p.client->requests[0].produced = 8;
	KUNIT_EXPECT_TRUE(test, aif_client_wait_done(p.client, &produced));
	spin_unlock(&p.client->wait_lock);
	KUNIT_ASSERT_EQ(test, aif_cancel(p.client, 0, 1), 0);
	spin_lock(&p.client->wait_lock);
	KUNIT_EXPECT_TRUE(test, aif_client_wait_done(p.client, &answered));
	KUNIT_EXPECT_TRUE(test, aif_client_wait_done(p.client, &quiet));
	spin_unlock(&p.client->wait_lock);
}

static const struct cancel_row {
	const char *name;
	u32 depth, flags, tag, generation;
	int err;
} cancel_rows[] = {
	{ "undefined flag", DEPTH, 2, 0, 0, -EINVAL },
	{ "no arrays yet", 0, 0, AIF_TAG_ALL, 0, -ENXIO },
	{ "waits, of one tag", DEPTH, AIF_CANCEL_F_WAITS, 0, 0, -EINVAL },
	{ "waits, of a generation", DEPTH, AIF_CANCEL_F_WAITS, AIF_TAG_ALL, 1, -EINVAL },
	{ "waits, there are none", DEPTH, AIF_CANCEL_F_WAITS, AIF_TAG_ALL, 0, 0 },
	{ "a tag out of range", DEPTH, 0, DEPTH, 0, -EINVAL },
	{ "a tag that was never used", DEPTH, 0, 0, 0, -ENOENT },
	{ "all, there are none", DEPTH, 0, AIF_TAG_ALL, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(cancel_rows, cancel_rows, name);

static void test_client_cancel(struct kunit *test)
{
	const struct cancel_row *row = test->param_value;
	struct aif_client *c = aif_fx_client(test, row->depth);

	KUNIT_EXPECT_EQ(test, aif_client_cancel(c, row->flags, row->tag, row->generation),
			row->err);
}

/* ---- the end ---- */

/* What is queued goes with the file. */
static void test_client_closes_queued(struct kunit *test)
{
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	d = aif_fx_desc(&p, 0, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	aif_fx_close(test, p.file);
	KUNIT_EXPECT_EQ(test, p.service->queue.queued, 0);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.buffers, 0));
	KUNIT_EXPECT_EQ(test, p.service->answered_total, 1);
}

/* What an executor has keeps the client, and its memory, until that gives it back. */
static void test_client_closes_fetched(struct kunit *test)
{
	struct aif_commit commit = { };
	struct aif_fx_path p;
	struct aif_desc d;
	u32 stale = 0;

	aif_fx_path(test, &p, DEPTH);
	d = aif_fx_desc(&p, 0, 1);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	aif_fx_process_enter(test);
	p.executor = aif_fx_executor(test, p.service, 1);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(p.executor, 1, true), 2);
	aif_fx_close(test, p.file);
	flush_workqueue(aif_wq);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.clients), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	KUNIT_EXPECT_EQ(test, p.service->fetched, 1);
	commit.generation = p.executor->slots[0].generation;
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, 0);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
	KUNIT_EXPECT_EQ(test, p.service->fetched, 0);
	aif_fx_process_leave();
}

static struct kunit_case aif_client_cases[] = {
	KUNIT_CASE_PARAM(test_client_depth, depth_rows_gen_params),
	KUNIT_CASE(test_client_info_again),
	KUNIT_CASE(test_client_maps_whole),
	KUNIT_CASE_PARAM(test_client_wait, wait_rows_gen_params),
	KUNIT_CASE(test_client_wait_quiet),
	KUNIT_CASE(test_client_poll),
	KUNIT_CASE(test_client_wait_done),
	KUNIT_CASE_PARAM(test_client_cancel, cancel_rows_gen_params),
	KUNIT_CASE(test_client_closes_queued),
	KUNIT_CASE(test_client_closes_fetched),
	{}
};

static struct kunit_suite aif_client_suite = {
	.name = "aif_client",
	.init = aif_fx_init,
	.test_cases = aif_client_cases,
};

kunit_test_suite(aif_client_suite);
