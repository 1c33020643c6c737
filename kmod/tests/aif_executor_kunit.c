// SPDX-License-Identifier: GPL-2.0-only
/* Executors: who may attach, what FETCH brings, what COMMIT and PROGRESS do, tokens. */
#include "aif_fixture.h"

#define DEPTH		4
#define SLOTS		2
#define OUT_NS		1000000ull	/* since FETCH, at least */

/* A path, an executor of @slots, and @requests requests queued; tags and generations from 0. */
static void scene_init(struct kunit *test, struct aif_fx_path *p, u32 slots, u32 requests)
{
	struct aif_desc d[DEPTH];
	u32 i;

	aif_fx_path(test, p, DEPTH);
	for (i = 0; i < requests; i++)
		d[i] = aif_fx_desc(p, i, i);
	if (requests)
		KUNIT_ASSERT_EQ(test, aif_fx_submit(p, d, requests), requests);
	aif_fx_process_enter(test);
	p->executor = aif_fx_executor(test, p->service, slots);
}

static struct aif_delivery *delivery(struct aif_executor *ex, u32 i)
{
	return aif_mapped_at(&ex->arrays[AIF_ARRAY_DELIVERY], i);
}

static int fetch(struct aif_executor *ex, u32 credit)
{
	return aif_executor_fetch(ex, credit, true);
}

/* ---- attach ---- */

static const struct attach_row {
	const char *name;
	u32 euid, flags, slots, reserved;
	s32 holder_fd;
	bool no_service;
	int err;
} attach_rows[] = {
	{ "the owner", 1000, 0, 1, 0, -1, false, 0 },
	{ "root", 0, 0, 1, 0, -1, false, 0 },
	{ "the most slots", 0, 0, 1024, 0, -1, false, 0 },
	{ "somebody else", 1001, 0, 1, 0, -1, false, -EACCES },
	{ "somebody else, a bad descriptor", 1001, 0, 1, 0, 1 << 20, false, -EBADF },
	{ "no such service", 0, 0, 1, 0, -1, true, -ENOENT },
	{ "undefined flag", 0, 1, 1, 0, -1, false, -EINVAL },
	{ "reserved", 0, 0, 1, 1, -1, false, -EINVAL },
	{ "no slots", 0, 0, 0, 0, -1, false, -EINVAL },
	{ "too many slots", 0, 0, 1025, 0, -1, false, -EINVAL },
	{ "a negative descriptor", 0, 0, 1, 0, -2, false, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(attach_rows, attach_rows, name);

static void test_executor_attach(struct kunit *test)
{
	const struct attach_row *row = test->param_value;
	struct file *holder = aif_fx_open_serve(test, 1000);
	struct aif_file *f = aif_fx_file(aif_fx_open_serve(test, row->euid));
	struct aif_ioc_executor_attach arg = {
		.flags = row->flags, .slots = row->slots, .__reserved = row->reserved,
		.holder_fd = row->holder_fd,
	};
	struct aif_service *s;

	KUNIT_ASSERT_EQ(test, aif_fx_create(test, holder, "a", "cpu", 1), 0);
	s = aif_fx_file(holder)->service;
	arg.service = s->id + row->no_service;
	aif_fx_process_enter(test);
	KUNIT_EXPECT_EQ(test, aif_executor_attach(f, &arg), row->err);
	KUNIT_EXPECT_EQ(test, aif_file_role(f), row->err ? AIF_ROLE_SERVE : AIF_ROLE_EXECUTOR);
	KUNIT_EXPECT_EQ(test, s->executor_count, row->err ? 0 : 1);
	if (!row->err)
		KUNIT_EXPECT_EQ(test, aif_executor_attach(f, &arg), -EBUSY);
	aif_fx_process_leave();
}

/* It is the process that attached, and no other. */
static void test_executor_is_its_process(struct kunit *test)
{
	struct aif_fx_path p;

	scene_init(test, &p, SLOTS, 0);
	KUNIT_EXPECT_EQ(test, aif_executor_check(p.executor), 0);
	aif_fx_process_leave();
	aif_fx_process_enter(test);
	KUNIT_EXPECT_EQ(test, aif_executor_check(p.executor), -EPERM);
	aif_fx_process_leave();
}

/* ---- FETCH ---- */

/* Events first, then requests, as many as credit and slots allow. */
static void test_executor_fetch(struct kunit *test)
{
	struct aif_delivery *d;
	struct aif_fx_path p;

	scene_init(test, &p, SLOTS, 3);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 2);
	d = delivery(p.executor, 0);
	KUNIT_EXPECT_EQ(test, d->type, AIF_EVENT_GRANT_ADDED);
	KUNIT_EXPECT_EQ(test, d->index, p.granted->id);
	KUNIT_EXPECT_EQ(test, d->flags, AIF_DELIVERY_F_WRITE);
	KUNIT_EXPECT_EQ(test, d->length, AIF_FX_BYTES);
	KUNIT_EXPECT_EQ(test, d->offset, (u64)p.granted->id << AIF_MMAP_SHIFT);
	d = delivery(p.executor, 1);
	KUNIT_EXPECT_EQ(test, d->type, AIF_DELIVERY_REQUEST);
	KUNIT_EXPECT_EQ(test, d->generation, p.executor->slots[d->index].generation);
	KUNIT_EXPECT_EQ(test, p.executor->held, 1);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->state, AIF_STATE_FETCHED);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->attempt, 1);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 1)->state, AIF_STATE_QUEUED);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, SLOTS), 1);	/* one slot is left */
	KUNIT_EXPECT_EQ(test, p.service->fetched, 2);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, SLOTS), -EBUSY);	/* none is */
	aif_fx_process_leave();
}

static void test_executor_fetch_nothing(struct kunit *test)
{
	struct aif_fx_path p;

	scene_init(test, &p, SLOTS, 0);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 1), 1);	/* the grant */
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 1), -EAGAIN);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 0), -EAGAIN);
	KUNIT_EXPECT_EQ(test, aif_service_drain(p.service), 0);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 1), -ESHUTDOWN);
	aif_fx_close(test, p.holder);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 1), -ENODEV);
	aif_fx_process_leave();
}

/* No credit brings events only. */
static void test_executor_fetch_events_only(struct kunit *test)
{
	struct aif_fx_path p;

	scene_init(test, &p, SLOTS, 1);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 0), 1);
	KUNIT_EXPECT_EQ(test, p.executor->held, 0);
	KUNIT_EXPECT_EQ(test, p.service->queue.queued, 1);
	KUNIT_EXPECT_FALSE(test, p.executor->token);
	aif_fx_process_leave();
}

static const struct turn_row {
	const char *name;
	u32 flags, count, credit;
	int err;
} turn_rows[] = {
	{ "fetch", 0, 0, SLOTS, 0 },
	{ "undefined flag", 4, 0, 1, -EINVAL },
	{ "more than it has slots", 0, 0, SLOTS + 1, -EINVAL },
	{ "credit, and no fetch", AIF_FETCH_F_COMMIT_ONLY, 0, 1, -EINVAL },
	{ "more commits than the array has", AIF_FETCH_F_COMMIT_ONLY, SLOTS + AIF_EVENTS_EXTRA + 1,
	  0, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(turn_rows, turn_rows, name);

static void test_executor_turn(struct kunit *test)
{
	const struct turn_row *row = test->param_value;
	struct aif_fx_path p;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 1);
	KUNIT_EXPECT_EQ(test, aif_executor_turn(p.executor, row->flags, 0, row->count, row->credit,
						&stale), row->err);
	KUNIT_EXPECT_EQ(test, stale, 0);
	aif_fx_process_leave();
}

/* ---- COMMIT ---- */

static const struct commit_row {
	const char *name;
	struct aif_commit commit;	/* generation: added to the slot's */
	bool stale;
	int result;
	u32 produced;
} commit_rows[] = {
	{ "a result", { .result = 7, .produced = 5 }, false, 7, 5 },
	{ "an error", { .result = -EDOM }, false, -EDOM, 0 },
	{ "all of the output", { .produced = AIF_FX_OUTPUT }, false, 0, AIF_FX_OUTPUT },
	{ "more than the output", { .produced = ~0u }, false, 0, AIF_FX_OUTPUT },
	{ "an older generation", { .generation = -1 }, true },
	{ "a newer generation", { .generation = 1 }, true },
	{ "a free slot", { .index = 1 }, true },
	{ "no such slot", { .index = SLOTS }, true },
	{ "the largest number", { .index = ~0u }, true },
	{ "undefined type", { .type = 2 }, true },
	{ "reserved", { .__reserved = 1 }, true },
	{ "a grant that was not revoked", { .type = AIF_COMMIT_GRANT_ACK, .index = 1 }, true },
};

KUNIT_ARRAY_PARAM_DESC(commit_rows, commit_rows, name);

static void test_executor_commit(struct kunit *test)
{
	const struct commit_row *row = test->param_value;
	struct aif_commit commit = row->commit;
	const struct aif_completion *done;
	struct aif_fx_path p;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 1);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, SLOTS), 2);
	commit.generation += p.executor->slots[0].generation;
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, row->stale);
	done = aif_fx_completion(&p, 0);
	KUNIT_EXPECT_EQ(test, done->state, row->stale ? AIF_STATE_FETCHED : AIF_STATE_DONE);
	KUNIT_EXPECT_EQ(test, done->result, row->result);
	KUNIT_EXPECT_EQ(test, done->produced, row->produced);
	KUNIT_EXPECT_EQ(test, p.executor->held, row->stale);
	KUNIT_EXPECT_EQ(test, p.client->answered, !row->stale);
	/* The same again names nothing any more. */
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, 1 + row->stale);
	KUNIT_EXPECT_EQ(test, p.client->answered, !row->stale);
	aif_fx_process_leave();
}

/* A revocation is acknowledged once, after it was told. */
static void test_executor_acknowledges(struct kunit *test)
{
	struct aif_commit ack = { .type = AIF_COMMIT_GRANT_ACK };
	struct aif_fx_path p;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 0);
	ack.index = p.granted->id;
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 1);
	KUNIT_ASSERT_EQ(test, aif_grant_revoke(p.client, p.grant), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &ack, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, 1);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 1);
	KUNIT_EXPECT_EQ(test, delivery(p.executor, 0)->type, AIF_EVENT_GRANT_REVOKED);
	KUNIT_EXPECT_EQ(test, delivery(p.executor, 0)->index, ack.index);
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &ack, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, 1);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.views, 0));
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &ack, &stale), 0);
	KUNIT_EXPECT_EQ(test, stale, 2);
	aif_fx_process_leave();
}

/* Device time is what it says, within what the clock allows; else its part of the step. */
static const struct time_row {
	const char *name;
	u64 says;
	u64 least;		/* ns */
	u32 part;		/* of the time it was out, at most */
} time_rows[] = {
	{ "what it says", 1000, 1000, 1 },
	{ "more than can be", ~0ull, OUT_NS, 1 },
	{ "nothing: half of a step of two", 0, OUT_NS / 2, 2 },
};

KUNIT_ARRAY_PARAM_DESC(time_rows, time_rows, name);

static void test_executor_device_time(struct kunit *test)
{
	const struct time_row *row = test->param_value;
	struct aif_commit commit = { .device_ns = row->says };
	u64 fetched_ns, charged_ns;
	struct aif_fx_path p;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 2);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, SLOTS), 3);
	p.client->requests[0].fetched_ns -= OUT_NS;
	fetched_ns = p.client->requests[0].fetched_ns;
	commit.generation = p.executor->slots[0].generation;
	KUNIT_ASSERT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	charged_ns = aif_fx_completion(&p, 0)->device_ns;
	KUNIT_EXPECT_GE(test, charged_ns, row->least);
	KUNIT_EXPECT_LE(test, charged_ns, div_u64(ktime_get_ns() - fetched_ns, row->part));
	aif_fx_process_leave();
}

/*
 * A commit whose clock was read before a PROGRESS that had the lock first: what was
 * measured by then is what it took, for everybody who counts, and none of it given back.
 */
static void test_executor_device_time_stays(struct kunit *test)
{
	struct aif_commit commit = { .device_ns = 1 };
	const struct aif_sched_clock *clock;
	u64 measured_ns, vruntime;
	struct aif_request *r;
	struct aif_fx_path p;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 1);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 2);
	r = &p.client->requests[0];
	clock = r->open->member->lanes[r->desc.sched_class].clock;
	r->fetched_ns -= OUT_NS;
	commit.generation = p.executor->slots[0].generation;
	KUNIT_ASSERT_EQ(test, aif_executor_progress(p.executor, 0, commit.generation, 8, ~0ull), 0);
	measured_ns = aif_fx_completion(&p, 0)->device_ns;
	vruntime = clock->vruntime;
	KUNIT_EXPECT_GE(test, measured_ns, OUT_NS);
	r->fetched_ns = ~0ull;	/* no clock can have been read earlier */
	KUNIT_ASSERT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->device_ns, measured_ns);
	KUNIT_EXPECT_EQ(test, p.service->device_ns, measured_ns);
	KUNIT_EXPECT_EQ(test, clock->vruntime, vruntime);
	aif_fx_process_leave();
}

/* ---- PROGRESS ---- */

static void test_executor_progress(struct kunit *test)
{
	struct aif_fx_path p;
	u32 generation;

	scene_init(test, &p, SLOTS, 1);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 2);
	generation = p.executor->slots[0].generation;
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation + 1, 8, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 1, generation, 8, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, ~0u, generation, 8, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->produced, 0);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation, 8, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->produced, 8);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation, 3, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->produced, 8);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation, ~0u, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->produced, AIF_FX_OUTPUT);
	KUNIT_EXPECT_EQ(test, aif_cancel(p.client, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation, 8, 0), 1);
	KUNIT_EXPECT_EQ(test, aif_fx_completion(&p, 0)->produced, AIF_FX_OUTPUT);
	aif_executor_die(p.executor);
	KUNIT_EXPECT_EQ(test, aif_executor_progress(p.executor, 0, generation, 8, 0), -ENODEV);
	aif_fx_process_leave();
}

/* ---- tokens ---- */

/* From the FETCH that delivers until the last slot came back. */
static void test_executor_token(struct kunit *test)
{
	struct aif_commit commit = { };
	struct aif_executor *other;
	struct aif_fx_path p;
	struct aif_sched *sched;
	u32 stale = 0;

	scene_init(test, &p, SLOTS, 3);
	sched = &p.service->device->sched;
	other = aif_fx_executor(test, p.service, SLOTS);
	KUNIT_ASSERT_EQ(test, fetch(other, 0), 1);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, SLOTS), 3);
	KUNIT_EXPECT_EQ(test, sched->tokens_used, 1);
	KUNIT_EXPECT_EQ(test, fetch(other, SLOTS), -EBUSY);
	commit.generation = p.executor->slots[0].generation;
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, sched->tokens_used, 1);
	KUNIT_EXPECT_EQ(test, fetch(other, SLOTS), -EBUSY);
	commit.index = 1;
	commit.generation = p.executor->slots[1].generation;
	KUNIT_EXPECT_EQ(test, aif_fx_commit(p.executor, &commit, &stale), 0);
	KUNIT_EXPECT_EQ(test, sched->tokens_used, 0);
	KUNIT_EXPECT_EQ(test, fetch(other, SLOTS), 1);
	KUNIT_EXPECT_EQ(test, sched->tokens_used, 1);
	KUNIT_EXPECT_EQ(test, stale, 0);
	aif_fx_process_leave();
}

/* One FETCH waits at a time; a request wakes it, and it runs in its own context. */
static void test_executor_waits(struct kunit *test)
{
	struct aif_fx_path p;
	struct aif_desc d;

	scene_init(test, &p, SLOTS, 0);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 1);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch_begin(p.executor, 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch_begin(p.executor, 1, NULL), -EALREADY);
	KUNIT_EXPECT_EQ(test, fetch(p.executor, 1), -EALREADY);
	d = aif_fx_desc(&p, 0, 0);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	KUNIT_EXPECT_TRUE(test, p.executor->woken);
	KUNIT_EXPECT_TRUE(test, p.executor->token);
	KUNIT_EXPECT_EQ(test, p.executor->held, 0);
	KUNIT_EXPECT_EQ(test, p.service->coming, 1);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch_resume(p.executor), 1);
	KUNIT_EXPECT_EQ(test, p.executor->held, 1);
	KUNIT_EXPECT_EQ(test, p.service->coming, 0);
	KUNIT_EXPECT_FALSE(test, p.executor->fetching);
	aif_fx_process_leave();
}

/* Woken for nothing (it was cancelled): the token goes back, the FETCH waits on. */
static void test_executor_woken_for_nothing(struct kunit *test)
{
	struct aif_fx_path p;
	struct aif_desc d;

	scene_init(test, &p, SLOTS, 0);
	KUNIT_ASSERT_EQ(test, fetch(p.executor, 1), 1);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch_begin(p.executor, 1, NULL), 0);
	d = aif_fx_desc(&p, 0, 0);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, &d, 1), 1);
	KUNIT_ASSERT_EQ(test, aif_cancel(p.client, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch_resume(p.executor), 0);
	KUNIT_EXPECT_FALSE(test, p.executor->token);
	KUNIT_EXPECT_FALSE(test, p.executor->woken);
	KUNIT_EXPECT_TRUE(test, p.executor->fetching);
	KUNIT_EXPECT_EQ(test, p.service->device->sched.tokens_used, 0);
	aif_executor_fetch_end(p.executor);
	KUNIT_EXPECT_FALSE(test, p.executor->fetching);
	KUNIT_EXPECT_TRUE(test, list_empty(&p.service->idle));
	aif_fx_process_leave();
}

/* An executor of @s that waits in FETCH; what it is told first was delivered. */
static struct aif_executor *waiting(struct kunit *test, struct aif_service *s)
{
	struct aif_executor *ex = aif_fx_executor(test, s, DEPTH);

	KUNIT_ASSERT_EQ(test, fetch(ex, 0), 1);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch_begin(ex, DEPTH, NULL), 0);
	return ex;
}

/*
 * What is of the idle class waits for another service's normal request, and joins no
 * step meanwhile, although an executor of its own service waits too.
 */
static void test_executor_no_rival_of_its_own(struct kunit *test)
{
	struct aif_executor *first, *second, *other;
	struct aif_service *b;
	struct aif_fx_path p;
	struct aif_desc d[DEPTH];
	u32 open, i;

	aif_fx_path(test, &p, DEPTH);
	b = aif_fx_service(test, "b", "cpu", 1, NULL);
	open = aif_fx_open_service(test, p.client, b);
	for (i = 0; i < DEPTH; i++) {
		d[i] = aif_fx_desc(&p, i, i);
		d[i].sched_class = i % 2 ? AIF_CLASS_IDLE : AIF_CLASS_NORMAL;
	}
	d[2].service = open;
	d[2].ranges[0].grant = aif_fx_grant(test, p.client, p.buffer, open);
	d[2].ranges[1].grant = d[2].ranges[0].grant;
	aif_fx_process_enter(test);
	first = waiting(test, p.service);
	second = waiting(test, p.service);
	other = waiting(test, b);
	KUNIT_ASSERT_EQ(test, aif_fx_submit(&p, d, DEPTH), DEPTH);
	KUNIT_ASSERT_TRUE(test, first->token);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch_resume(first), 1);
	KUNIT_EXPECT_EQ(test, first->held, 1);
	KUNIT_EXPECT_TRUE(test, other->fetching);
	aif_executor_fetch_end(second);
	aif_executor_fetch_end(other);
	aif_fx_process_leave();
}

static struct kunit_case aif_executor_cases[] = {
	KUNIT_CASE_PARAM(test_executor_attach, attach_rows_gen_params),
	KUNIT_CASE(test_executor_is_its_process),
	KUNIT_CASE(test_executor_fetch),
	KUNIT_CASE(test_executor_fetch_nothing),
	KUNIT_CASE(test_executor_fetch_events_only),
	KUNIT_CASE_PARAM(test_executor_turn, turn_rows_gen_params),
	KUNIT_CASE_PARAM(test_executor_commit, commit_rows_gen_params),
	KUNIT_CASE(test_executor_acknowledges),
	KUNIT_CASE_PARAM(test_executor_device_time, time_rows_gen_params),
	KUNIT_CASE(test_executor_device_time_stays),
	KUNIT_CASE(test_executor_progress),
	KUNIT_CASE(test_executor_token),
	KUNIT_CASE(test_executor_waits),
	KUNIT_CASE(test_executor_woken_for_nothing),
	KUNIT_CASE(test_executor_no_rival_of_its_own),
	{}
};

static struct kunit_suite aif_executor_suite = {
	.name = "aif_executor",
	.init = aif_fx_init,
	.test_cases = aif_executor_cases,
};

kunit_test_suite(aif_executor_suite);
