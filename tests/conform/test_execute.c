// SPDX-License-Identifier: MIT
/* From FETCH to the answer: deliveries, commits, cancelling, deadlines, progress. */
#include <stdlib.h>

#include "conform.h"

static struct service service;
static struct client client;
static struct executor executor;

static void start(void)
{
	service_start(&service);
	client_start(&client, &service);
	executor_start(&executor, &service, 4);
}

static const struct aif_delivery *cancelled_event(void)
{
	unsigned int i;

	for (i = 0; i < executor.event_count; i++) {
		if (executor.events[i].type == AIF_EVENT_CANCELLED)
			return &executor.events[i];
	}
	FAIL("no AIF_EVENT_CANCELLED");
}

/* One request, in place: what the executor reads and writes is the client's memory. */
static void test_round_trip(void)
{
	const struct aif_completion *done;
	const struct aif_slot *slot;
	struct aif_delivery request;
	int64_t begin = now_ns();

	start();
	memcpy(input_of(&client, 3), "question", 8);
	submit(&client, 3, 77);
	done = &client.done[3];
	IS(state_of(&client, 3), AIF_STATE_QUEUED);
	IS(client.status->submitted, 1);
	TRUE((int64_t)done->submitted_ns >= begin && !done->fetched_ns && !done->answered_ns);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	slot = slot_of(&executor, 0);
	IS(state_of(&client, 3), AIF_STATE_FETCHED);
	IS(slot->generation, request.generation);
	IS(slot->attempt, 1);
	IS(slot->sched_class, AIF_CLASS_NORMAL);
	IS(slot->range_count, 2);
	IS(slot->inline_length, 0);
	IS(slot->tag, 3);
	IS(slot->tenant, client.info.out_tenant);
	IS(slot->ranges[0].length, 8);
	IS(memcmp(mapped(&executor, slot->ranges[0]), "question", 8), 0);
	memcpy(mapped(&executor, slot->ranges[1]), "answer", 6);
	IS(commit(&executor, &request, 42, 6), 0);
	IS(state_of(&client, 3), AIF_STATE_DONE);
	IS(done->generation, 77);
	IS(done->result, 42);
	IS(done->produced, 6);
	IS(done->attempt, 1);
	IS(client.status->answered, 1);
	IS(memcmp(output_of(&client, 3), "answer", 6), 0);
	TRUE(done->submitted_ns <= done->fetched_ns && done->fetched_ns <= done->answered_ns);
	TRUE((int64_t)done->answered_ns <= now_ns());
	TRUE(done->device_ns <= done->answered_ns - done->fetched_ns);
	IS(done->__reserved0 | done->__reserved1, 0);
}

static void test_inline_input(void)
{
	const struct aif_slot *slot;
	struct aif_desc d;

	start();
	d = desc_of(&client, 0, 1);
	d.range = d.ranges[1];
	memset(d.input, 0, sizeof(d.input));
	memcpy(d.input, "four and twenty bytes...", 24);
	d.inline_length = 24;
	d.range_count = 1;
	OK(submit_desc(&client, &d, 0));
	fetch_exactly(&executor, 1);
	slot = slot_of(&executor, 0);
	IS(slot->inline_length, 24);
	IS(slot->range_count, 1);
	IS(memcmp(slot->input, "four and twenty bytes...", 24), 0);
	mapped(&executor, slot->range)[0] = 'x';
	IS(output_of(&client, 0)[0], 'x');
}

static void test_empty_input(void)
{
	struct aif_desc d;

	start();
	d = desc_of(&client, 0, 1);
	d.ranges[0].length = 0;
	OK(submit_desc(&client, &d, 0));
	fetch_exactly(&executor, 1);
	IS(slot_of(&executor, 0)->ranges[0].length, 0);
}

/* Device time that the executor states counts as far as the clock allows. */
static void test_device_time(void)
{
	struct aif_commit c = { .type = AIF_COMMIT_RESULT };
	const struct aif_completion *done;

	start();
	submit(&client, 0, 1);
	submit(&client, 1, 1);
	fetch_exactly(&executor, 2);
	c.index = executor.requests[0].index;
	c.generation = executor.requests[0].generation;
	c.device_ns = 1;
	IS(commit_raw(&executor, c), 0);
	IS(client.done[0].device_ns, 1);
	c.index = executor.requests[1].index;
	c.generation = executor.requests[1].generation;
	c.device_ns = UINT64_MAX;
	IS(commit_raw(&executor, c), 0);
	done = &client.done[1];
	TRUE(done->device_ns && done->device_ns <= done->answered_ns - done->fetched_ns);
}

static void test_error_result(void)
{
	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	IS(commit(&executor, &executor.requests[0], -EILSEQ, 0), 0);
	IS(client.done[0].result, -EILSEQ);
	IS(state_of(&client, 0), AIF_STATE_DONE);
}

static void test_credit_and_slots(void)
{
	unsigned int i;

	start();
	for (i = 0; i < 6; i++)
		submit(&client, i, 1);
	OK(fetch(&executor, 0));		/* events only: the grant */
	IS(executor.count, 0);
	fetch_exactly(&executor, 1);
	IS(fetch(&executor, 0), -EAGAIN);	/* no events: nothing, whatever is queued */
	fetch_exactly(&executor, 2);
	OK(fetch(&executor, 4));
	IS(executor.count, 1);			/* four slots */
	IS(fetch(&executor, 4), -EBUSY);	/* two are queued, no slot is free */
	IS(commit(&executor, &executor.requests[0], 0, 0), 0);
	OK(fetch(&executor, 4));
	IS(executor.count, 1);
}

static void test_fetch_refused(void)
{
	struct aif_ioc_commit_fetch arg;

	start();
	IS(fetch(&executor, 5), -EINVAL);
	arg = (struct aif_ioc_commit_fetch){ .size = sizeof(arg), .flags = 4 };
	IS(libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg), -EINVAL);
	arg = (struct aif_ioc_commit_fetch){
		.size = sizeof(arg), .flags = AIF_FETCH_F_COMMIT_ONLY, .credit = 1,
	};
	IS(libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg), -EINVAL);
	arg = (struct aif_ioc_commit_fetch){
		.size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK, .__reserved = 1,
	};
	IS(libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg), -EINVAL);
	arg = (struct aif_ioc_commit_fetch){
		.size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK, .commit_count = 1u << 20,
	};
	IS(libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg), -EINVAL);
	IS(fetch(&executor, 4), 0);		/* the grant */
	IS(fetch(&executor, 4), -EAGAIN);
}

static void *fetch_in_thread(void *unused)
{
	return (void *)(intptr_t)fetch_wait(&executor, 4);
}

/* Another FETCH, from another copy: this one's arrays are the waiting one's. */
static int second_fetch(void)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK,
	};

	return libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg);
}

static void test_second_fetch(void)
{
	pthread_t thread;
	void *result;
	int err;

	start();
	OK(fetch(&executor, 4));
	OK(pthread_create(&thread, NULL, fetch_in_thread, NULL));
	do {
		err = second_fetch();
	} while (err == -EAGAIN);
	IS(err, -EALREADY);
	submit(&client, 0, 1);
	OK(pthread_join(thread, &result));
	OK((intptr_t)result);
	IS(executor.count, 1);
}

/* Answers go first, then comes what is next, in one call. */
static void test_commit_and_fetch(void)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK, .commit_first = 2,
		.commit_count = 1, .credit = 1,
	};
	uint32_t slot;

	start();
	submit(&client, 0, 1);
	submit(&client, 1, 1);
	fetch_exactly(&executor, 1);
	slot = executor.requests[0].index;
	executor.commits[2] = (struct aif_commit){
		.index = slot, .generation = executor.requests[0].generation, .result = 9,
	};
	OK(libaif_call(executor.f, AIF_IOC_COMMIT_FETCH, &arg));
	IS(arg.out_stale, 0);
	IS(arg.out_count, 1);
	IS(client.done[0].result, 9);
	IS(executor.deliveries[0].type, AIF_DELIVERY_REQUEST);
	IS(executor.slots[executor.deliveries[0].index].tag, 1);
}

static void test_stale_commits(void)
{
	struct aif_commit c;
	struct aif_delivery d;

	start();
	IS(commit_raw(&executor, (struct aif_commit){ .index = 0, .generation = 1 }), 1);
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	d = executor.requests[0];
	c = (struct aif_commit){ .index = d.index, .generation = d.generation + 1 };
	IS(commit_raw(&executor, c), 1);
	c = (struct aif_commit){ .index = 4, .generation = d.generation };
	IS(commit_raw(&executor, c), 1);
	c = (struct aif_commit){ .index = UINT32_MAX, .generation = d.generation };
	IS(commit_raw(&executor, c), 1);
	c = (struct aif_commit){ .type = 9, .index = d.index, .generation = d.generation };
	IS(commit_raw(&executor, c), 1);
	c = (struct aif_commit){ .index = d.index, .generation = d.generation, .__reserved = 1 };
	IS(commit_raw(&executor, c), 1);
	IS(state_of(&client, 0), AIF_STATE_FETCHED);
	IS(commit(&executor, &d, 0, 0), 0);
	IS(commit(&executor, &d, 0, 0), 1);	/* twice */
	submit(&client, 0, 2);
	OK(fetch(&executor, 1));
	IS(executor.requests[0].index, d.index);	/* the slot's next use ... */
	IS(commit(&executor, &d, 0, 0), 1);		/* ... is another */
	IS(state_of(&client, 0), AIF_STATE_FETCHED);
}

static void test_cancel_queued(void)
{
	start();
	submit(&client, 0, 5);
	IS(cancel(&client, 0, 4), -ENOENT);
	IS(cancel(&client, 1, 5), -ENOENT);
	IS(cancel(&client, CLIENT_DEPTH, 5), -EINVAL);
	OK(cancel(&client, 0, 5));
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, -ECANCELED);
	IS(client.done[0].attempt, 0);
	IS(cancel(&client, 0, 5), -ENOENT);
	OK(fetch(&executor, 4));
	IS(executor.count, 0);
	submit(&client, 0, 6);
}

/* Answered, not quiet: the tag stays busy until the executor lets go. */
static void test_cancel_fetched(void)
{
	struct aif_delivery request;
	struct aif_desc d;

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	OK(cancel(&client, 0, 1));
	IS(state_of(&client, 0), AIF_STATE_ORPHANED);
	IS(client.done[0].result, -ECANCELED);
	IS(client.status->answered, 1);
	OK(wait_answer(&client, 0, 0));
	IS(wait_quiet(&client, 0, 0), -ETIME);
	d = desc_of(&client, 0, 2);
	IS(submit_desc(&client, &d, 0), -EBUSY);
	OK(fetch(&executor, 4));
	IS(cancelled_event()->index, request.index);
	IS(cancelled_event()->generation, request.generation);
	IS(commit(&executor, &request, 0, 0), 0);
	OK(wait_quiet(&client, 0, 0));
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, -ECANCELED);	/* answered once */
	IS(client.status->answered, 1);
	OK(submit_desc(&client, &d, 0));
}

/* An executor that committed before it looked is told nothing any more. */
static void test_cancelled_event_withdrawn(void)
{
	struct aif_delivery request;

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	OK(cancel(&client, 0, 1));
	IS(commit(&executor, &request, 0, 0), 0);
	IS(fetch(&executor, 4), -EAGAIN);
}

static void test_cancel_all(void)
{
	struct aif_ioc_cancel arg = { .size = sizeof(arg), .tag = AIF_TAG_ALL };

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	submit(&client, 1, 1);
	submit(&client, 2, 1);
	OK(libaif_call(client.f, AIF_IOC_CANCEL, &arg));
	IS(state_of(&client, 0), AIF_STATE_ORPHANED);
	IS(state_of(&client, 1), AIF_STATE_DONE);
	IS(state_of(&client, 2), AIF_STATE_DONE);
	IS(client.status->answered, 3);
	IS(wait_quiet(&client, AIF_TAG_ALL, 0), -ETIME);
	IS(commit(&executor, &executor.requests[0], 0, 0), 0);
	OK(wait_quiet(&client, AIF_TAG_ALL, 0));
	arg.flags = 2;
	IS(libaif_call(client.f, AIF_IOC_CANCEL, &arg), -EINVAL);
	arg = (struct aif_ioc_cancel){ .size = sizeof(arg), .flags = AIF_CANCEL_F_WAITS };
	IS(libaif_call(client.f, AIF_IOC_CANCEL, &arg), -EINVAL);
	arg.tag = AIF_TAG_ALL;
	OK(libaif_call(client.f, AIF_IOC_CANCEL, &arg));
}

static void submit_with_deadline(uint32_t tag, int64_t ns)
{
	struct aif_desc d = desc_of(&client, tag, 1);

	d.deadline = (uint64_t)(now_ns() + ns);
	OK(submit_desc(&client, &d, 0));
}

static void test_deadline_queued(void)
{
	start();
	submit_with_deadline(1, 3600000 * NS_PER_MS);
	submit_with_deadline(0, 20 * NS_PER_MS);
	OK(wait_answer(&client, 0, FOREVER));
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, -ETIME);
	IS(state_of(&client, 1), AIF_STATE_QUEUED);
	OK(fetch(&executor, 4));
	IS(executor.count, 1);
}

static void test_deadline_fetched(void)
{
	struct aif_delivery request;

	start();
	submit_with_deadline(0, 50 * NS_PER_MS);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	OK(fetch_wait(&executor, 0));		/* for events */
	IS(cancelled_event()->index, request.index);
	IS(state_of(&client, 0), AIF_STATE_ORPHANED);
	IS(client.done[0].result, -ETIME);
	TRUE(client.done[0].answered_ns >= client.descs[0].deadline);
	IS(commit(&executor, &request, 0, 0), 0);
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, -ETIME);
}

static void test_deadline_kept(void)
{
	start();
	submit_with_deadline(0, 3600000 * NS_PER_MS);
	fetch_exactly(&executor, 1);
	TRUE(slot_of(&executor, 0)->deadline == client.descs[0].deadline);
	IS(commit(&executor, &executor.requests[0], 1, 0), 0);
	IS(client.done[0].result, 1);
}

static void test_progress(void)
{
	struct aif_delivery request, wrong;
	bool cancelled;

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	OK(progress(&executor, &request, 10, &cancelled));
	TRUE(!cancelled);
	IS(client.done[0].produced, 10);
	OK(progress(&executor, &request, 5, &cancelled));	/* never goes back */
	IS(client.done[0].produced, 10);
	wrong = request;
	wrong.generation++;
	IS(progress(&executor, &wrong, 20, NULL), -ESTALE);
	wrong = request;
	wrong.index = 4;
	IS(progress(&executor, &wrong, 20, NULL), -ESTALE);
	OK(cancel(&client, 0, 1));
	OK(progress(&executor, &request, 20, &cancelled));
	TRUE(cancelled);
	IS(client.done[0].produced, 10);	/* answered: what was there stays */
	IS(commit(&executor, &request, 0, 30), 0);
	IS(client.done[0].produced, 10);
	IS(progress(&executor, &request, 40, NULL), -ESTALE);
}

/* No more than its range can be in the first output. */
static void test_produced_is_cut(void)
{
	struct aif_desc d;

	start();
	d = desc_of(&client, 0, 1);
	d.ranges[1].length = 64;
	OK(submit_desc(&client, &d, 0));
	d.tag = 1;
	OK(submit_desc(&client, &d, 0));
	fetch_exactly(&executor, 2);
	OK(progress(&executor, &executor.requests[0], 100, NULL));
	IS(client.done[0].produced, 64);
	IS(commit(&executor, &executor.requests[0], 0, UINT32_MAX), 0);
	IS(client.done[0].produced, 64);
	IS(commit(&executor, &executor.requests[1], 0, 65), 0);
	IS(client.done[1].produced, 64);
}

/* The client's file ends: its executor is told, and lets go in peace. */
static void test_client_closes(void)
{
	struct aif_delivery request;

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	request = executor.requests[0];
	submit(&client, 1, 1);
	close_node(client.f);
	OK(fetch(&executor, 4));
	IS(cancelled_event()->index, request.index);
	IS(executor.count, 0);
	IS(commit(&executor, &request, 0, 0), 0);
	client_start(&client, &service);
	submit(&client, 0, 1);
	OK(fetch(&executor, 4));
	IS(executor.count, 1);
}

static void test_doorbell(void)
{
	uint64_t before;

	start();
	before = executor.status->queued;
	submit(&client, 0, 1);
	submit(&client, 1, 1);
	IS(__atomic_load_n(&executor.status->queued, __ATOMIC_ACQUIRE), before + 2);
}

/* A request whose deadline is @ahead from now; false: it was over already. */
static bool submit_until(uint32_t generation, int64_t ahead, int64_t *deadline)
{
	struct aif_desc d = desc_of(&client, 0, generation);
	int err;

	*deadline = now_ns() + ahead;
	d.deadline = (uint64_t)*deadline;
	err = submit_desc(&client, &d, 0);
	if (err != -ETIME)
		OK(err);
	return !err;
}

/* Whether the device's clock or the executor comes first makes no difference. */
static void test_too_late(void)
{
	int64_t deadline, ahead = NS_PER_MS;
	bool commits;
	uint32_t i;

	start();
	for (i = 1; i <= 50; i++) {
		if (!submit_until(i, ahead, &deadline)) {
			ahead *= 2;
			continue;
		}
		fetch(&executor, i % 2);	/* sometimes before it is over */
		commits = executor.count;
		while (now_ns() <= deadline)
			;
		if (commits)
			commit(&executor, &executor.requests[0], 7, 0);
		fetch(&executor, 1);
		IS(executor.count, 0);
		OK(wait_quiet(&client, 0, FOREVER));
		IS(client.done[0].result, -ETIME);
	}
}

const struct test execute_tests[] = {
	{ "a round trip, in place", test_round_trip },
	{ "input inside the descriptor", test_inline_input },
	{ "an input of no bytes", test_empty_input },
	{ "device time is cut to what has passed", test_device_time },
	{ "the executor's own error", test_error_result },
	{ "credit and slots bound what is delivered", test_credit_and_slots },
	{ "EINVAL, EAGAIN: FETCH refused", test_fetch_refused },
	{ "EALREADY: a second FETCH while one waits", test_second_fetch },
	{ "commit and fetch in one", test_commit_and_fetch },
	{ "stale commits are counted and skipped", test_stale_commits },
	{ "ECANCELED: cancelled while queued", test_cancel_queued },
	{ "ECANCELED: cancelled while fetched: answered, then quiet", test_cancel_fetched },
	{ "a commit withdraws the cancelled event", test_cancelled_event_withdrawn },
	{ "all of a client's requests cancelled", test_cancel_all },
	{ "ETIME: a deadline while queued", test_deadline_queued },
	{ "ETIME: a deadline while fetched", test_deadline_fetched },
	{ "ETIME: too late to be delivered, or answered", test_too_late },
	{ "a deadline that is kept", test_deadline_kept },
	{ "progress; ESTALE; cancelled seen by progress", test_progress },
	{ "produced is cut to the output", test_produced_is_cut },
	{ "the client closes its file", test_client_closes },
	{ "the doorbell counts what is queued", test_doorbell },
	{ 0 },
};
