// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recovery decision: what becomes of a request whose executor died, by who
 * still reaches its memory.  Processes really end here; pins are imitated
 * (aif_fx_pin()), and the recovery's time passes by moving the hour of death.
 */
#include "aif_fixture.h"

#define TAG		1
#define GENERATION	5
#define INPUT		0	/* the page of the input, ... */
#define OUTPUT		1	/* the pages of the output, ... */
#define OUTPUT_PAGES	2
#define OTHER		3	/* ... and one that is nobody's */
#define PAGES		4

struct recovery_row {
	const char *name;
	u8 flags;
	u8 max_attempts;	/* 0: 2 */
	u32 produced;
	s8 pins[PAGES];		/* of each page of the buffer, after the death */
	u8 client_declared;
	u8 dead_declared;
	u8 other_declared;	/* by a second executor, which lives */
	u8 stranger_declared;	/* by a client that the buffer was shared with */
	u8 by_stranger;		/* by a second executor, for that client's grant */
	bool stranger_revokes;
	struct aif_range incoming; /* a transfer to there is on its way */
	bool alive;		/* its process is */
	bool late;		/* longer than recovery_ms */
	bool service_gone;
	u32 state;		/* after the recovery's look */
	int result;
	u32 quiet_state;	/* and once nobody reaches the memory any more */
};

#define QUEUED		AIF_STATE_QUEUED
#define RECOVERING	AIF_STATE_RECOVERING
#define ORPHANED	AIF_STATE_ORPHANED
#define DONE		AIF_STATE_DONE

static const struct recovery_row recovery_rows[] = {
	{ "nobody reaches it", .state = QUEUED, .quiet_state = QUEUED },
	{ "nobody reaches it, late", .late = true, .state = QUEUED, .quiet_state = QUEUED },
	{ "its process lives", .alive = true, .state = RECOVERING, .quiet_state = QUEUED },
	{ "its process lives, late", .alive = true, .late = true,
	  .state = ORPHANED, .result = -EOWNERDEAD, .quiet_state = DONE },
	{ "a pin on the output's first page", .pins = { [OUTPUT] = 1 },
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "a pin on the output's last page", .pins = { [OUTPUT + 1] = 1 },
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "a pin, late", .pins = { [OUTPUT] = 1 }, .late = true,
	  .state = ORPHANED, .result = -EOWNERDEAD, .quiet_state = DONE },
	{ "a pin on the input", .pins = { [INPUT] = 1 }, .state = QUEUED, .quiet_state = QUEUED },
	{ "a pin behind the output", .pins = { [OTHER] = 1 },
	  .state = QUEUED, .quiet_state = QUEUED },
	{ "the client's declared pin", .pins = { [OUTPUT] = 1, [OUTPUT + 1] = 1 },
	  .client_declared = 1, .state = QUEUED, .quiet_state = QUEUED },
	{ "one pin more than the client's", .pins = { [OUTPUT] = 1, [OUTPUT + 1] = 2 },
	  .client_declared = 1, .state = RECOVERING, .quiet_state = QUEUED },
	{ "the dead one's declared pin", .pins = { [OUTPUT] = 1 }, .dead_declared = 1,
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "another executor's declared pin", .pins = { [OUTPUT] = 1 }, .other_declared = 1,
	  .state = QUEUED, .quiet_state = QUEUED },
	{ "an executor's pin, by another client's grant", .pins = { [OUTPUT] = 1 },
	  .by_stranger = 1, .state = QUEUED, .quiet_state = QUEUED },
	{ "an executor's pin, by another client's grant that is revoked",
	  .pins = { [OUTPUT] = 1 }, .by_stranger = 1, .stranger_revokes = true,
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "another client's declared pin", .pins = { [OUTPUT] = 1 }, .stranger_declared = 1,
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "the client's, another's, and one more", .pins = { [OUTPUT] = 3 },
	  .client_declared = 1, .other_declared = 1, .dead_declared = 1,
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "a transfer to its last byte",
	  .incoming = { .offset = (OUTPUT + OUTPUT_PAGES) * PAGE_SIZE - 1, .length = 1 },
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "a transfer that ends in its first byte",
	  .incoming = { .offset = INPUT * PAGE_SIZE,
			.length = (OUTPUT - INPUT) * PAGE_SIZE + 1 },
	  .state = RECOVERING, .quiet_state = QUEUED },
	{ "a transfer to it, late",
	  .incoming = { .offset = OUTPUT * PAGE_SIZE, .length = 1 }, .late = true,
	  .state = DONE, .result = -EOWNERDEAD, .quiet_state = DONE },
	{ "a transfer behind it",
	  .incoming = { .offset = (OUTPUT + OUTPUT_PAGES) * PAGE_SIZE, .length = 1 },
	  .state = QUEUED, .quiet_state = QUEUED },
	{ "output was published", .produced = 1, .alive = true,
	  .state = ORPHANED, .result = -EOWNERDEAD, .quiet_state = DONE },
	{ "output was published, restart", .produced = 1, .flags = AIF_REQ_F_RESTART,
	  .state = QUEUED, .quiet_state = QUEUED },
	{ "its last attempt", .max_attempts = 1, .alive = true,
	  .state = ORPHANED, .result = -EIO, .quiet_state = DONE },
	{ "its service is gone", .service_gone = true, .alive = true,
	  .state = ORPHANED, .result = -ENODEV, .quiet_state = DONE },
};

KUNIT_ARRAY_PARAM_DESC(recovery_rows, recovery_rows, name);

struct scene {
	struct aif_client *client;
	struct aif_service *service;
	struct file *holder;
	struct aif_buffer *buffer;
	struct aif_request *request;
	struct aif_request *writer;	/* the transfer that is on its way */
	struct aif_executor *executor;
	struct aif_grant *strange;
	u32 buffer_handle, grant_id;
};

/* One request, one byte of input, two pages of output; not fetched yet. */
static void submit(struct kunit *test, struct scene *s, u32 open, u32 grant, u8 flags)
{
	struct aif_desc *d = aif_mapped_at(&s->client->arrays[AIF_ARRAY_DESC], 0);
	struct aif_batch *wait;

	*d = (struct aif_desc) {
		.tag = TAG, .generation = GENERATION, .service = open,
		.sched_class = AIF_CLASS_NORMAL, .flags = flags, .range_count = 2,
		.ranges = {
			{ grant, INPUT * PAGE_SIZE, 1 },
			{ grant, OUTPUT * PAGE_SIZE, OUTPUT_PAGES * PAGE_SIZE },
		},
	};
	KUNIT_ASSERT_EQ(test, aif_submit(s->client, 0, 0, 1, &wait), 1);
	s->request = &s->client->requests[TAG];
}

/* GRANT_ADDED comes first. */
static void fetch(struct kunit *test, struct scene *s)
{
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(s->executor, 1, true), 2);
	KUNIT_ASSERT_EQ(test, s->request->state, AIF_STATE_FETCHED);
}

static void scene_init(struct kunit *test, struct scene *s, const struct recovery_row *row)
{
	u32 open, grant;

	s->service = aif_fx_service(test, "a", "cpu", 1, &s->holder);
	s->service->desc.max_attempts = row->max_attempts ?: 2;
	s->service->desc.recovery_ms = 3600 * MSEC_PER_SEC;
	s->client = aif_fx_client(test, 4);
	open = aif_fx_open_service(test, s->client, s->service);
	s->buffer_handle = aif_fx_buffer(test, s->client, PAGES * PAGE_SIZE);
	s->buffer = aif_fx_handle(s->client, s->buffer_handle)->buffer;
	grant = aif_fx_grant(test, s->client, s->buffer_handle, open);
	s->grant_id = ((struct aif_grant *)xa_load(&s->client->grants, grant))->id;
	aif_fx_process_enter(test);
	s->executor = aif_fx_executor(test, s->service, 1);
	submit(test, s, open, grant, row->flags);
	fetch(test, s);
}

static void transfer_begins(struct kunit *test, struct scene *s, const struct recovery_row *row)
{
	s->writer = kunit_kzalloc(test, sizeof(*s->writer), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->writer);
	s->writer->desc.range_count = 1;
	s->writer->desc.range = row->incoming;
	aif_buffer_incoming_add(s->buffer, s->writer);
}

static void pin_all(struct scene *s, const struct recovery_row *row, int sign)
{
	int i;

	for (i = 0; i < PAGES; i++)
		aif_fx_pin(s->buffer->pages.page[i], sign * row->pins[i]);
}

static void stranger_declares(struct kunit *test, struct scene *s, u32 pins)
{
	struct aif_client *c = aif_fx_client(test, 0);
	u32 handle = aif_fx_shared(test, s->client, s->buffer_handle, c, AIF_RIGHT_ALL);

	KUNIT_EXPECT_EQ(test, aif_handle_declare(c, handle, pins), 0);
}

/* Before the death: what the client, and who is going to die, say and do. */
static void live(struct kunit *test, struct scene *s, const struct recovery_row *row)
{
	KUNIT_EXPECT_EQ(test, aif_handle_declare(s->client, s->buffer_handle,
						 row->client_declared), 0);
	KUNIT_EXPECT_EQ(test, aif_executor_declare(s->executor, s->grant_id,
						   row->dead_declared), 0);
	if (row->stranger_declared)
		stranger_declares(test, s, row->stranger_declared);
	if (row->produced)
		KUNIT_EXPECT_EQ(test, aif_executor_progress(s->executor, 0,
							    s->executor->slots[0].generation,
							    row->produced, 0), 0);
	pin_all(s, row, 1);
	if (row->incoming.length)
		transfer_begins(test, s, row);
}

/* A second executor, of a process of its own. */
static void attach_other(struct kunit *test, struct scene *s, u32 declared)
{
	struct aif_executor *other;

	aif_fx_process_enter(test);
	other = aif_fx_executor(test, s->service, 1);
	KUNIT_EXPECT_EQ(test, aif_executor_declare(other, s->grant_id, declared), 0);
}

/* A second executor sees a grant that another client made of the buffer, and pins by it. */
static void stranger_grants(struct kunit *test, struct scene *s, const struct recovery_row *row)
{
	struct aif_client *c = aif_fx_client(test, 4);
	u32 handle = aif_fx_shared(test, s->client, s->buffer_handle, c, AIF_RIGHT_ALL);
	u32 grant = aif_fx_grant(test, c, handle, aif_fx_open_service(test, c, s->service));
	struct aif_grant *g = xa_load(&c->grants, grant);
	struct aif_executor *other;

	refcount_inc(&g->users);	/* as a request would */
	s->strange = g;
	aif_fx_process_enter(test);
	other = aif_fx_executor(test, s->service, 1);
	KUNIT_EXPECT_EQ(test, aif_executor_declare(other, g->id, row->by_stranger), 0);
	if (row->stranger_revokes)
		KUNIT_EXPECT_EQ(test, aif_grant_revoke(c, grant), 0);
}

/* The worker looks, and looks again: once is enough for each step. */
static void recover(struct scene *s)
{
	int looks;

	for (looks = 0; looks < 3; looks++)
		flush_delayed_work(&s->service->tend);
}

static void die(struct kunit *test, struct scene *s, const struct recovery_row *row)
{
	if (row->service_gone)
		aif_fx_close(test, s->holder);
	aif_executor_die(s->executor);
	KUNIT_EXPECT_TRUE(test, s->executor->dead);
	KUNIT_EXPECT_EQ(test, s->executor->held, 0);
	if (row->late)
		WRITE_ONCE(s->executor->death_ns,
			   s->executor->death_ns - 3601ull * NSEC_PER_SEC);
}

static struct aif_completion *completion(struct scene *s)
{
	return aif_mapped_at(&s->client->arrays[AIF_ARRAY_COMPLETION], TAG);
}

/* What the client is shown is what the request is. */
static void expect(struct kunit *test, struct scene *s, u32 state, int result)
{
	KUNIT_EXPECT_EQ(test, READ_ONCE(s->request->state), state);
	KUNIT_EXPECT_EQ(test, completion(s)->state, state);
	KUNIT_EXPECT_EQ(test, completion(s)->generation, GENERATION);
	KUNIT_EXPECT_EQ(test, READ_ONCE(s->request->busy), aif_req_busy(state));
	if (aif_req_answered(state))
		KUNIT_EXPECT_EQ(test, completion(s)->result, result);
	KUNIT_EXPECT_EQ(test, s->client->answered, aif_req_answered(state) ? 1 : 0);
	KUNIT_EXPECT_EQ(test, s->service->recovering, state == RECOVERING ? 1 : 0);
	KUNIT_EXPECT_EQ(test, s->service->queue.queued, state == QUEUED ? 1 : 0);
}

static void test_recovery(struct kunit *test)
{
	const struct recovery_row *row = test->param_value;
	struct scene s;

	scene_init(test, &s, row);
	live(test, &s, row);
	if (!row->alive)
		aif_fx_process_leave();
	if (row->other_declared)
		attach_other(test, &s, row->other_declared);
	if (row->by_stranger)
		stranger_grants(test, &s, row);
	die(test, &s, row);
	recover(&s);
	expect(test, &s, row->state, row->result);
	if (current->mm)
		aif_fx_process_leave();
	if (row->by_stranger)
		aif_grant_put(s.strange);
	pin_all(&s, row, -1);
	if (row->incoming.length)
		aif_buffer_incoming_del(s.buffer, s.writer);
	recover(&s);
	expect(test, &s, row->quiet_state, row->result);
}

static const struct recovery_row plain;

/* The next executor gets it as the second attempt; the dead one's commit is stale. */
static void test_recovery_second_attempt(struct kunit *test)
{
	struct aif_executor *second;
	struct aif_slot *slot;
	struct scene s;

	scene_init(test, &s, &plain);
	aif_fx_process_leave();
	die(test, &s, &plain);
	recover(&s);
	expect(test, &s, QUEUED, 0);
	aif_fx_process_enter(test);
	second = aif_fx_executor(test, s.service, 4);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(second, 4, true), 2);
	slot = aif_mapped_at(&second->arrays[AIF_ARRAY_SLOT], 0);
	KUNIT_EXPECT_EQ(test, slot->attempt, 2);
	KUNIT_EXPECT_EQ(test, completion(&s)->attempt, 2);
	KUNIT_EXPECT_TRUE(test, second->alone);
	/* It dies too: two attempts are all there are. */
	aif_executor_die(second);
	expect(test, &s, ORPHANED, -EIO);
	aif_fx_process_leave();
	recover(&s);
	expect(test, &s, DONE, -EIO);
}

/* Dead once: whoever else finds it dead changes nothing. */
static void test_recovery_dies_once(struct kunit *test)
{
	struct scene s;

	scene_init(test, &s, &plain);
	aif_executor_die(s.executor);
	expect(test, &s, RECOVERING, 0);
	aif_executor_die(s.executor);
	expect(test, &s, RECOVERING, 0);
	KUNIT_EXPECT_EQ(test, s.service->executor_count, 0);
	KUNIT_EXPECT_EQ(test, s.service->fetched, 0);
	KUNIT_EXPECT_EQ(test, s.service->device->sched.tokens_used, 0);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch(s.executor, 1, true), -ENODEV);
	aif_fx_process_leave();
}

/* The watchdog finds a process that is gone without anybody saying so. */
static void test_recovery_watchdog(struct kunit *test)
{
	struct scene s;

	scene_init(test, &s, &plain);
	recover(&s);
	expect(test, &s, AIF_STATE_FETCHED, 0);
	aif_fx_process_leave();
	recover(&s);
	expect(test, &s, QUEUED, 0);
}

/* ... and one that lives and does nothing for longer than progress_ms. */
static void test_recovery_watchdog_silence(struct kunit *test)
{
	struct scene s;

	scene_init(test, &s, &plain);
	spin_lock(&s.service->device->lock);
	s.executor->progress_ns -= (u64)s.service->desc.progress_ms * NSEC_PER_MSEC;
	spin_unlock(&s.service->device->lock);
	recover(&s);
	expect(test, &s, RECOVERING, 0);
	aif_fx_process_leave();
	recover(&s);
	expect(test, &s, QUEUED, 0);
}

static struct kunit_case aif_recovery_cases[] = {
	KUNIT_CASE_PARAM(test_recovery, recovery_rows_gen_params),
	KUNIT_CASE(test_recovery_second_attempt),
	KUNIT_CASE(test_recovery_dies_once),
	KUNIT_CASE(test_recovery_watchdog),
	KUNIT_CASE(test_recovery_watchdog_silence),
	{}
};

static struct kunit_suite aif_recovery_suite = {
	.name = "aif_recovery",
	.init = aif_fx_init,
	.test_cases = aif_recovery_cases,
};

kunit_test_suite(aif_recovery_suite);
