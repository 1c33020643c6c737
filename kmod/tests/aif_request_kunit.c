// SPDX-License-Identifier: GPL-2.0-only
/* Requests: what SUBMIT refuses and takes, batches, cancel, expiry, quiet memory. */
#include "aif_fixture.h"

#define DEPTH		4
#define TAG		1
#define GENERATION	5
#define FAR_OFF		(3600ull * NSEC_PER_SEC)

static struct aif_desc right(const struct aif_fx_path *p)
{
	return aif_fx_desc(p, TAG, GENERATION);
}

static int submit_right(struct aif_fx_path *p)
{
	struct aif_desc d = right(p);

	return aif_fx_submit(p, &d, 1);
}

/* An executor that has the request; GRANT_ADDED came first. */
static void fetch(struct kunit *test, struct aif_fx_path *p)
{
	aif_fx_process_enter(test);
	p->executor = aif_fx_executor(test, p->service, DEPTH);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(p->executor, DEPTH, true), 2);
}

static int commit(struct aif_fx_path *p, int result)
{
	struct aif_commit c = { .generation = p->executor->slots[0].generation, .result = result };
	u32 stale = 0;

	return aif_fx_commit(p->executor, &c, &stale) ?: -(int)stale;
}

static void expect(struct kunit *test, const struct aif_fx_path *p, u32 state, int result)
{
	const struct aif_completion *done = aif_fx_completion(p, TAG);

	KUNIT_EXPECT_EQ(test, done->generation, GENERATION);
	KUNIT_EXPECT_EQ(test, done->state, state);
	KUNIT_EXPECT_EQ(test, done->result, result);
	KUNIT_EXPECT_EQ(test, READ_ONCE(p->client->requests[TAG].busy), aif_req_busy(state));
}

/* Nothing in flight, nothing kept. */
static void expect_idle(struct kunit *test, const struct aif_fx_path *p)
{
	KUNIT_EXPECT_EQ(test, p->client->busy, 0);
	KUNIT_EXPECT_EQ(test, p->service->queue.queued, 0);
	KUNIT_EXPECT_EQ(test, p->service->device->sched.queued, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&p->client->tenant->requests), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&p->granted->users), 1);
}

/* ---- what SUBMIT refuses ---- */

/* One thing that is wrong with a request that is right otherwise. */
struct refused_row {
	const char *name;
	void (*spoil)(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d);
	int err;
};

static void tag_out_of_range(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->tag = DEPTH;
}

static void undefined_flag(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->flags = 0x80;
}

static void realtime_class(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->sched_class = AIF_CLASS_REALTIME;
}

static void in_fence(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->in_fence = 1;
}

static void late(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->deadline = 1;
}

static void no_such_service(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->service = p->open + 1;
}

static void no_such_grant(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->ranges[1].grant = p->grant + 1;
}

static void grant_of_another_service(struct kunit *test, struct aif_fx_path *p,
				     struct aif_desc *d)
{
	struct aif_service *b = aif_fx_service(test, "b", "cpu", 1, NULL);

	d->service = aif_fx_open_service(test, p->client, b);
}

static void past_the_buffer(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->ranges[1].offset = AIF_FX_BYTES - AIF_FX_OUTPUT + 64;
}

static void overflowing_range(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	d->ranges[1].offset = 0xffffffc0;
	d->ranges[1].length = 0x80;
}

static void output_read_only(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	struct aif_ioc_grant arg = { .buffer = p->buffer, .service = p->open };

	KUNIT_ASSERT_EQ(test, aif_grant_create(p->client, &arg), 0);
	d->ranges[1].grant = arg.out_grant;
}

static void revoked(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	u32 grant = aif_fx_grant(test, p->client, p->buffer, p->open);

	KUNIT_ASSERT_EQ(test, aif_grant_revoke(p->client, grant), 0);
	d->ranges[0].grant = grant;
}

static void being_revoked(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	struct aif_grant *g;

	d->ranges[0].grant = aif_fx_grant(test, p->client, p->buffer, p->open);
	g = xa_load(&p->client->grants, d->ranges[0].grant);
	g->revoked = true;
}

static void tenant_is_full(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	AIF_FX_SET(test, aif_tenant_requests, 0);
}

static void device_is_full(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	AIF_FX_SET(test, p->service->device->sched.max_queued, 0);
}

static void draining(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	KUNIT_ASSERT_EQ(test, aif_service_drain(p->service), 0);
}

static void service_gone(struct kunit *test, struct aif_fx_path *p, struct aif_desc *d)
{
	aif_fx_close(test, p->holder);
}

static const struct refused_row refused_rows[] = {
	{ "tag out of range", tag_out_of_range, -EINVAL },
	{ "undefined flag", undefined_flag, -EINVAL },
	{ "real-time without the feature", realtime_class, -EOPNOTSUPP },
	{ "in-fence without the feature", in_fence, -EOPNOTSUPP },
	{ "its deadline has passed", late, -ETIME },
	{ "no such service", no_such_service, -EBADF },
	{ "no such grant", no_such_grant, -ENOENT },
	{ "a grant of another service", grant_of_another_service, -ENOENT },
	{ "past the buffer's end", past_the_buffer, -EINVAL },
	{ "a range that overflows", overflowing_range, -EINVAL },
	{ "output in a read-only grant", output_read_only, -EACCES },
	{ "a grant that was revoked", revoked, -ENOENT },
	{ "a grant that is being revoked", being_revoked, -EKEYREVOKED },
	{ "the tenant has as many as it may", tenant_is_full, -EDQUOT },
	{ "the device's queue is full", device_is_full, -EAGAIN },
	{ "the service drains", draining, -ESHUTDOWN },
	{ "the service is gone", service_gone, -ENODEV },
};

KUNIT_ARRAY_PARAM_DESC(refused_rows, refused_rows, name);

static void test_submit_refuses(struct kunit *test)
{
	const struct refused_row *row = test->param_value;
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	d = right(&p);
	row->spoil(test, &p, &d);
	KUNIT_EXPECT_EQ(test, aif_fx_submit(&p, &d, 1), row->err);
	expect_idle(test, &p);
	KUNIT_EXPECT_EQ(test, p.client->requests[TAG].busy, 0);
	KUNIT_EXPECT_EQ(test, p.client->submitted, 0);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, TAG)->state, AIF_STATE_FREE);
}

static const struct call_row {
	const char *name;
	u32 flags, count;
} call_rows[] = {
	{ "undefined flag", 4, 1 },
	{ "both ways of waiting", AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST, 1 },
	{ "nothing", 0, 0 },
	{ "more than there are tags", 0, DEPTH + 1 },
};

KUNIT_ARRAY_PARAM_DESC(call_rows, call_rows, name);

static void test_submit_call(struct kunit *test)
{
	const struct call_row *row = test->param_value;
	struct aif_batch *wait;
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_EXPECT_EQ(test, aif_submit(p.client, row->flags, 0, row->count, &wait), -EINVAL);
	KUNIT_EXPECT_NULL(test, wait);
	expect_idle(test, &p);
}

/* ---- what it takes ---- */

/* In order, up to the first that is refused; positions are taken modulo the ring. */
static void test_submit_prefix(struct kunit *test)
{
	struct aif_batch *wait;
	struct aif_fx_path p;
	struct aif_desc d[3];

	aif_fx_path(test, &p, DEPTH);
	d[0] = aif_fx_desc(&p, 0, GENERATION);
	d[1] = aif_fx_desc(&p, 1, GENERATION);
	d[2] = aif_fx_desc(&p, 1, GENERATION + 1);	/* its tag is busy */
	KUNIT_EXPECT_EQ(test, aif_fx_submit(&p, d, 3), 2);
	KUNIT_EXPECT_EQ(test, p.client->submitted, 2);
	KUNIT_EXPECT_EQ(test, p.client->busy, 2);
	KUNIT_EXPECT_EQ(test, p.service->queue.queued, 2);
	KUNIT_EXPECT_EQ(test, refcount_read(&p.granted->users), 1 + 2 * 2);
	KUNIT_EXPECT_EQ(test, aif_fx_submit(&p, &d[2], 1), -EBUSY);
	d[2].tag = 3;
	*(struct aif_desc *)aif_mapped_at(&p.client->arrays[AIF_ARRAY_DESC], 3) = d[2];
	KUNIT_EXPECT_EQ(test, aif_submit(p.client, 0, DEPTH + 3, 1, &wait), 1);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 3)->generation, GENERATION + 1);
}

/* A tag is free again when it is done, for another generation. */
static void test_submit_again(struct kunit *test)
{
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	KUNIT_ASSERT_EQ(test, aif_cancel(p.client, TAG, GENERATION), 0);
	expect_idle(test, &p);
	KUNIT_EXPECT_EQ(test, submit_right(&p), -EINVAL);
	d = aif_fx_desc(&p, TAG, GENERATION + 1);
	KUNIT_EXPECT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
}

/* What the client writes after SUBMIT changes nothing. */
static void test_submit_copies(struct kunit *test)
{
	struct aif_slot *slot;
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	memset(aif_mapped_at(&p.client->arrays[AIF_ARRAY_DESC], 0), 0xff, sizeof(struct aif_desc));
	fetch(test, &p);
	slot = aif_mapped_at(&p.executor->arrays[AIF_ARRAY_SLOT], 0);
	KUNIT_EXPECT_EQ(test, slot->tag, TAG);
	KUNIT_EXPECT_EQ(test, slot->range_count, 2);
	KUNIT_EXPECT_EQ(test, slot->ranges[1].grant, p.granted->id);
	KUNIT_EXPECT_EQ(test, slot->ranges[1].offset, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, slot->ranges[1].length, AIF_FX_OUTPUT);
	aif_fx_process_leave();
}

/* ---- batches ---- */

static u32 free_batches(struct aif_client *c)
{
	struct aif_batch *b;
	u32 n = 0;

	for (b = c->free_batches; b; b = b->next_free)
		n++;
	return n;
}

static const struct batch_row {
	const char *name;
	u32 flags;
	bool after_first, after_second;	/* fired */
} batch_rows[] = {
	{ "all", AIF_SUBMIT_F_WAIT_ALL, false, true },
	{ "the first", AIF_SUBMIT_F_WAIT_FIRST, true, true },
};

KUNIT_ARRAY_PARAM_DESC(batch_rows, batch_rows, name);

static void test_batch(struct kunit *test)
{
	const struct batch_row *row = test->param_value;
	struct aif_batch *wait;
	struct aif_fx_path p;
	u32 i;

	aif_fx_path(test, &p, DEPTH);
	for (i = 0; i < 3; i++)	/* the third is refused, and not waited for */
		*(struct aif_desc *)aif_mapped_at(&p.client->arrays[AIF_ARRAY_DESC], i) =
			aif_fx_desc(&p, min(i, 1u), GENERATION);
	KUNIT_ASSERT_EQ(test, aif_submit(p.client, row->flags, 0, 3, &wait), 2);
	KUNIT_ASSERT_NOT_NULL(test, wait);
	KUNIT_EXPECT_FALSE(test, wait->fired);
	KUNIT_EXPECT_EQ(test, free_batches(p.client), 2 * DEPTH - 1);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, 0, GENERATION), 0);
	KUNIT_EXPECT_EQ(test, wait->fired, row->after_first);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, 1, GENERATION), 0);
	KUNIT_EXPECT_EQ(test, wait->fired, row->after_second);
	aif_batch_release(p.client, wait);
	KUNIT_EXPECT_EQ(test, free_batches(p.client), 2 * DEPTH);
}

/* Whoever stopped waiting gets nothing, and the batch comes back with its last answer. */
static void test_batch_released_early(struct kunit *test)
{
	struct aif_batch *wait;
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	*(struct aif_desc *)aif_mapped_at(&p.client->arrays[AIF_ARRAY_DESC], 0) = right(&p);
	KUNIT_ASSERT_EQ(test, aif_submit(p.client, AIF_SUBMIT_F_WAIT_ALL, 0, 1, &wait), 1);
	aif_batch_release(p.client, wait);
	KUNIT_EXPECT_EQ(test, free_batches(p.client), 2 * DEPTH - 1);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION), 0);
	KUNIT_EXPECT_EQ(test, free_batches(p.client), 2 * DEPTH);
}

static void test_batch_none_left(struct kunit *test)
{
	struct aif_batch *wait, *all;
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	all = p.client->free_batches;
	p.client->free_batches = NULL;
	*(struct aif_desc *)aif_mapped_at(&p.client->arrays[AIF_ARRAY_DESC], 0) = right(&p);
	KUNIT_EXPECT_EQ(test, aif_submit(p.client, AIF_SUBMIT_F_WAIT_ALL, 0, 1, &wait), -EBUSY);
	p.client->free_batches = all;
	expect_idle(test, &p);
}

/* ---- cancel, expiry, revocation ---- */

static void test_cancel_queued(struct kunit *test)
{
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION), -ENOENT);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, DEPTH, GENERATION), -EINVAL);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION + 1), -ENOENT);
	expect(test, &p, AIF_STATE_QUEUED, 0);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION), 0);
	expect(test, &p, AIF_STATE_DONE, -ECANCELED);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION), -ENOENT);
	KUNIT_EXPECT_EQ(test, p.client->answered, 1);
	expect_idle(test, &p);
}

/* Answered at once; the memory is quiet when the executor gave the slot back. */
static void test_cancel_fetched(struct kunit *test)
{
	struct aif_ioc_wait_quiet look = { .tag = TAG };
	struct aif_delivery *event;
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	fetch(test, &p);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, TAG, GENERATION), 0);
	expect(test, &p, AIF_STATE_ORPHANED, -ECANCELED);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &look), -ETIME);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch(p.executor, DEPTH, true), 1);
	event = aif_mapped_at(&p.executor->arrays[AIF_ARRAY_DELIVERY], 0);
	KUNIT_EXPECT_EQ(test, event->type, AIF_EVENT_CANCELLED);
	KUNIT_EXPECT_EQ(test, event->generation, p.executor->slots[0].generation);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch(p.executor, DEPTH, true), -EAGAIN);
	KUNIT_EXPECT_EQ(test, commit(&p, 0), 0);
	expect(test, &p, AIF_STATE_DONE, -ECANCELED);
	KUNIT_EXPECT_EQ(test, aif_client_wait_quiet(p.client, &look), 0);
	KUNIT_EXPECT_EQ(test, p.client->answered, 1);
	expect_idle(test, &p);
	aif_fx_process_leave();
}

static void test_cancel_all(struct kunit *test)
{
	struct aif_fx_path p;
	struct aif_desc d[2];

	aif_fx_path(test, &p, DEPTH);
	d[0] = aif_fx_desc(&p, 0, GENERATION);
	d[1] = aif_fx_desc(&p, 3, GENERATION);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, d, 2), 2);
	KUNIT_EXPECT_EQ(test, aif_client_cancel(p.client, 0, AIF_TAG_ALL, 0), 0);
	KUNIT_EXPECT_EQ(test, p.client->answered, 2);
	expect_idle(test, &p);
	KUNIT_EXPECT_EQ(test, aif_client_cancel(p.client, 0, AIF_TAG_ALL, 0), 0);
	KUNIT_EXPECT_EQ(test, p.client->answered, 2);
}

/* As if its deadline had come: the worker that was armed for it looks now. */
static void pass(struct aif_fx_path *p)
{
	struct aif_request *r = &p->client->requests[TAG];

	spin_lock(&p->service->device->lock);
	spin_lock(&p->client->wait_lock);
	r->desc.deadline = 1;
	aif_heap_rekey(&p->client->deadlines, &r->deadline, 1);
	spin_unlock(&p->client->wait_lock);
	spin_unlock(&p->service->device->lock);
	flush_delayed_work(&p->client->expire);
}

static const struct expire_row {
	const char *name;
	bool fetched;
	u32 state;
} expire_rows[] = {
	{ "queued", false, AIF_STATE_DONE },
	{ "fetched", true, AIF_STATE_ORPHANED },
};

KUNIT_ARRAY_PARAM_DESC(expire_rows, expire_rows, name);

static void test_expire(struct kunit *test)
{
	const struct expire_row *row = test->param_value;
	struct aif_fx_path p;
	struct aif_desc d;

	aif_fx_path(test, &p, DEPTH);
	d = right(&p);
	d.deadline = ktime_get_ns() + FAR_OFF;
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	if (row->fetched)
		fetch(test, &p);
	flush_delayed_work(&p.client->expire);
	KUNIT_EXPECT_EQ(test, p.client->answered, 0);
	pass(&p);
	expect(test, &p, row->state, -ETIME);
	KUNIT_EXPECT_EQ(test, p.client->deadlines.count, 0);
	if (row->fetched)
		aif_fx_process_leave();
}

/* Before the worker came: neither delivered nor answered otherwise. */
static void test_expire_unseen(struct kunit *test)
{
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	p.client->requests[TAG].desc.deadline = 1;
	aif_fx_process_enter(test);
	p.executor = aif_fx_executor(test, p.service, DEPTH);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch(p.executor, DEPTH, true), 1);	/* GRANT_ADDED */
	expect(test, &p, AIF_STATE_DONE, -ETIME);
	expect_idle(test, &p);
	aif_fx_process_leave();
}

static void test_revoke_answers(struct kunit *test)
{
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(p.client, p.grant), 0);
	expect(test, &p, AIF_STATE_DONE, -EKEYREVOKED);
	KUNIT_EXPECT_EQ(test, p.client->busy, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&p.client->tenant->requests), 0);
}

/* The holder's end answers what is queued. */
static void test_service_end_answers(struct kunit *test)
{
	struct aif_fx_path p;

	aif_fx_path(test, &p, DEPTH);
	KUNIT_ASSERT_EQ(test, submit_right(&p), 1);
	aif_fx_close(test, p.holder);
	expect(test, &p, AIF_STATE_DONE, -ENODEV);
	expect_idle(test, &p);
}

static struct kunit_case aif_request_cases[] = {
	KUNIT_CASE_PARAM(test_submit_refuses, refused_rows_gen_params),
	KUNIT_CASE_PARAM(test_submit_call, call_rows_gen_params),
	KUNIT_CASE(test_submit_prefix),
	KUNIT_CASE(test_submit_again),
	KUNIT_CASE(test_submit_copies),
	KUNIT_CASE_PARAM(test_batch, batch_rows_gen_params),
	KUNIT_CASE(test_batch_released_early),
	KUNIT_CASE(test_batch_none_left),
	KUNIT_CASE(test_cancel_queued),
	KUNIT_CASE(test_cancel_fetched),
	KUNIT_CASE(test_cancel_all),
	KUNIT_CASE_PARAM(test_expire, expire_rows_gen_params),
	KUNIT_CASE(test_expire_unseen),
	KUNIT_CASE(test_revoke_answers),
	KUNIT_CASE(test_service_end_answers),
	{}
};

static struct kunit_suite aif_request_suite = {
	.name = "aif_request",
	.init = aif_fx_init,
	.test_cases = aif_request_cases,
};

kunit_test_suite(aif_request_suite);
