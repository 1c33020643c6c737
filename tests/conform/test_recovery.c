// SPDX-License-Identifier: MIT
/* Executors that die: executed at least once, answered exactly once. */
#include <stdlib.h>
#include <unistd.h>

#include "conform.h"

static struct service service;
static struct client client;
static struct mortal mortal;
static struct executor heir;

static void start(uint32_t slots)
{
	service_start(&service);
	client_start(&client, &service);
	mortal_start(&mortal, &service, slots);
}

/* Wait until a request comes; recovery takes what the device's end takes. */
static void inherit(uint32_t credit)
{
	do {
		OK(fetch_wait(&heir, credit));
	} while (!heir.count);
}

static void test_requeued(void)
{
	start(4);
	memcpy(input_of(&client, 0), "question", 8);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	mortal_die(&mortal);
	executor_start(&heir, &service, 4);
	inherit(4);
	IS(slot_of(&heir, 0)->attempt, 2);
	IS(memcmp(mapped(&heir, slot_of(&heir, 0)->ranges[0]), "question", 8), 0);
	IS(client.done[0].attempt, 2);
	IS(commit(&heir, &heir.requests[0], 7, 0), 0);
	IS(client.done[0].result, 7);
	IS(client.done[0].attempt, 2);
	IS(client.status->answered, 1);
}

/* Queued ones go to the next executor as if nothing had been. */
static void test_queued_unharmed(void)
{
	start(1);
	submit(&client, 0, 1);
	submit(&client, 1, 1);
	OK(mortal_fetch(&mortal, 1));
	IS(mortal_commit(&mortal, 0), 0);
	mortal_die(&mortal);
	executor_start(&heir, &service, 4);
	inherit(4);
	IS(slot_of(&heir, 0)->tag, 1);
	IS(slot_of(&heir, 0)->attempt, 1);
}

/* What may have killed its executor comes alone, to one that holds nothing. */
static void test_alone(void)
{
	uint32_t i;

	start(4);
	for (i = 0; i < 3; i++)
		submit(&client, i, 1);
	OK(mortal_fetch(&mortal, 2));
	IS(mortal.e.count, 2);
	mortal_die(&mortal);
	executor_start(&heir, &service, 4);
	for (i = 0; i < 3;) {
		inherit(4);
		IS(heir.count, 1);
		if (slot_of(&heir, 0)->attempt == 2)
			IS(fetch(&heir, 4) == -EBUSY || fetch(&heir, 4) == -EAGAIN, 1);
		IS(commit(&heir, &heir.requests[0], 0, 0), 0);
		i++;
	}
	OK(wait_quiet(&client, AIF_TAG_ALL, 0));
	IS(client.done[0].attempt, 2);
	IS(client.done[1].attempt, 2);
	IS(client.done[2].attempt, 1);
}

static void *fetch_one(void *unused)
{
	int err;

	do {
		err = fetch_wait(&heir, 1);
	} while (!err && !heir.count);
	return (void *)(intptr_t)err;
}

/* Who holds a request can wait for one that comes alone: until it has given back its own. */
static void test_waits_for_one_that_comes_alone(void)
{
	struct aif_delivery own;
	pthread_t thread;
	void *err;

	service_init(&service);
	service.arg.desc.step_tokens = 2;
	service_create(&service);
	client_start(&client, &service);
	mortal_start(&mortal, &service, 1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	submit(&client, 1, 1);
	executor_start(&heir, &service, 4);
	inherit(1);
	own = heir.requests[0];
	mortal_die(&mortal);
	while (state_of(&client, 0) != AIF_STATE_QUEUED)
		usleep(1000);
	OK(pthread_create(&thread, NULL, fetch_one, NULL));
	usleep(50000);				/* it waits by now */
	IS(commit(&heir, &own, 0, 0), 0);
	OK(pthread_join(thread, &err));
	IS((intptr_t)err, 0);
	IS(slot_of(&heir, 0)->attempt, 2);
	IS(commit(&heir, &heir.requests[0], 0, 0), 0);
	OK(wait_quiet(&client, AIF_TAG_ALL, 0));
}

/* The second death with the same request is the request's own fault. */
static void test_poison(void)
{
	struct mortal second;
	unsigned int i;

	start(4);
	submit(&client, 5, 9);
	OK(mortal_fetch(&mortal, 1));
	mortal_start(&second, &service, 4);
	mortal_die(&mortal);
	OK(mortal_fetch(&second, 1));
	executor_start(&heir, &service, 4);
	mortal_die(&second);
	OK(wait_answer(&client, 5, FOREVER));
	IS(client.done[5].result, -EIO);
	IS(client.done[5].attempt, 2);
	IS(client.status->answered, 1);
	do {
		OK(fetch_wait(&heir, 0));
	} while (!heir.event_count);
	for (i = 0; i < heir.event_count; i++) {
		if (heir.events[i].type != AIF_EVENT_POISON)
			continue;
		IS(heir.events[i].index, 5);
		TRUE(heir.events[i].offset);
		OK(wait_quiet(&client, 5, FOREVER));
		submit(&client, 5, 10);	/* it alone failed; the next one is a new one */
		inherit(1);
		IS(slot_of(&heir, 0)->attempt, 1);
		return;
	}
	FAIL("no AIF_EVENT_POISON");
}

static void test_max_attempts(void)
{
	service_init(&service);
	service.arg.desc.max_attempts = 1;
	service_create(&service);
	client_start(&client, &service);
	mortal_start(&mortal, &service, 1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	mortal_die(&mortal);
	OK(wait_answer(&client, 0, FOREVER));
	IS(client.done[0].result, -EIO);
	IS(client.done[0].attempt, 1);
}

/* Something was published: it is not started again behind the client's back. */
static void test_progress_is_not_repeated(void)
{
	start(1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	OK(mortal_progress(&mortal, 0, 100));
	mortal_die(&mortal);
	OK(wait_answer(&client, 0, FOREVER));
	IS(client.done[0].result, -EOWNERDEAD);
	IS(client.done[0].produced, 100);
	OK(wait_quiet(&client, 0, FOREVER));
}

static void test_restart(void)
{
	struct aif_desc d;

	start(1);
	d = desc_of(&client, 0, 1);
	d.flags = AIF_REQ_F_RESTART;
	OK(submit_desc(&client, &d, 0));
	OK(mortal_fetch(&mortal, 1));
	OK(mortal_progress(&mortal, 0, 100));
	mortal_die(&mortal);
	executor_start(&heir, &service, 1);
	inherit(1);
	IS(slot_of(&heir, 0)->attempt, 2);
	IS(slot_of(&heir, 0)->flags, AIF_REQ_F_RESTART);
	IS(client.done[0].produced, 0);
	IS(commit(&heir, &heir.requests[0], 0, 50), 0);
	IS(client.done[0].produced, 50);
}

/* Cancelled, then its executor dies: answered once, quiet when the memory is. */
static void test_orphan_becomes_quiet(void)
{
	start(1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	OK(cancel(&client, 0, 1));
	IS(wait_quiet(&client, 0, 0), -ETIME);
	mortal_die(&mortal);
	OK(wait_quiet(&client, 0, FOREVER));
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, -ECANCELED);
	IS(client.status->answered, 1);
}

static void test_cancel_recovered(void)
{
	start(1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	mortal_die(&mortal);
	OK(cancel(&client, 0, 1));
	OK(wait_quiet(&client, 0, FOREVER));
	IS(client.done[0].result, -ECANCELED);
	IS(client.status->answered, 1);
}

static void test_deadline_outlives(void)
{
	struct aif_desc d;

	start(1);
	d = desc_of(&client, 0, 1);
	d.deadline = (uint64_t)(now_ns() + 100 * NS_PER_MS);
	OK(submit_desc(&client, &d, 0));
	OK(mortal_fetch(&mortal, 1));
	mortal_die(&mortal);
	OK(wait_quiet(&client, 0, FOREVER));
	IS(client.done[0].result, -ETIME);
}

/* Alive, and silent: detached.  Its memory may still be written: no second execution. */
static void test_watchdog(void)
{
	service_init(&service);
	service.arg.desc.progress_ms = 50;
	service.arg.desc.recovery_ms = 50;
	service_create(&service);
	client_start(&client, &service);
	mortal_start(&mortal, &service, 1);
	executor_start(&heir, &service, 1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	OK(wait_answer(&client, 0, FOREVER));
	IS(client.done[0].result, -EOWNERDEAD);
	IS(state_of(&client, 0), AIF_STATE_ORPHANED);
	IS(mortal_commit(&mortal, 0), -ENODEV);
	IS(mortal_progress(&mortal, 0, 1), -ENODEV);
	IS(mortal_fetch(&mortal, 1), -ENODEV);
	IS(wait_quiet(&client, 0, 0), -ETIME);
	mortal_die(&mortal);
	OK(wait_quiet(&client, 0, FOREVER));
	IS(client.done[0].attempt, 1);
}

/* To call is not to work. */
static void test_calls_are_no_progress(void)
{
	int err;

	service_init(&service);
	service.arg.desc.progress_ms = 50;
	service.arg.desc.recovery_ms = 50;
	service_create(&service);
	client_start(&client, &service);
	executor_start(&heir, &service, 1);
	submit(&client, 0, 1);
	inherit(1);
	OK(progress(&heir, &heir.requests[0], 5, NULL));
	do {
		err = fetch(&heir, 0);
	} while (!err || err == -EAGAIN);
	IS(err, -ENODEV);
	OK(wait_answer(&client, 0, FOREVER));
	IS(client.done[0].result, -EOWNERDEAD);
	IS(client.done[0].produced, 5);
}

/* What only a detached executor holds is no reason to wait with the end. */
static void test_drained_without_the_detached(void)
{
	struct aif_ioc_service_drain drain = { .size = sizeof(drain) };

	service_init(&service);
	service.arg.desc.progress_ms = 50;
	service.arg.desc.recovery_ms = 50;
	service_create(&service);
	client_start(&client, &service);
	mortal_start(&mortal, &service, 1);
	executor_start(&heir, &service, 1);
	OK(fetch(&heir, 0));
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	OK(libaif_call(service.holder, AIF_IOC_SERVICE_DRAIN, &drain));
	IS(fetch_wait(&heir, 1), -ESHUTDOWN);	/* when it was answered -EOWNERDEAD */
	IS(client.done[0].result, -EOWNERDEAD);
	IS(state_of(&client, 0), AIF_STATE_ORPHANED);
}

static void test_service_gone_while_recovering(void)
{
	start(1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	close_node(service.holder);
	mortal_die(&mortal);
	OK(wait_answer(&client, 0, FOREVER));
	IS(client.done[0].result, -ENODEV);
}

static void test_counts(void)
{
	struct aif_ioc_service_describe d = { .size = sizeof(d) };

	start(1);
	submit(&client, 0, 1);
	OK(mortal_fetch(&mortal, 1));
	mortal_die(&mortal);
	executor_start(&heir, &service, 1);
	inherit(1);
	d.id = service.id;
	OK(libaif_call(client.f, AIF_IOC_SERVICE_DESCRIBE, &d));
	IS(d.out_recovered, 1);
	IS(d.out_executors, 1);
	IS(d.out_fetched, 1);
	/* What died with it was device time too. */
	TRUE(d.out_device_ns && (int64_t)d.out_device_ns < now_ns());
}

const struct test recovery_tests[] = {
	{ "a dead executor's request goes to the next", test_requeued },
	{ "queued requests do not notice", test_queued_unharmed },
	{ "a recovered request comes alone", test_alone },
	{ "one that holds others waits for it", test_waits_for_one_that_comes_alone },
	{ "EIO: the second death; the others are told", test_poison },
	{ "EIO: max_attempts is 1", test_max_attempts },
	{ "EOWNERDEAD: progress was published", test_progress_is_not_repeated },
	{ "progress with the restart flag starts over", test_restart },
	{ "a cancelled one becomes quiet", test_orphan_becomes_quiet },
	{ "ECANCELED while recovering", test_cancel_recovered },
	{ "ETIME: a deadline outlives an executor", test_deadline_outlives },
	{ "EOWNERDEAD: a silent executor is detached; ENODEV for it", test_watchdog },
	{ "EOWNERDEAD: calls are no progress", test_calls_are_no_progress },
	{ "drained, but for a detached executor's", test_drained_without_the_detached },
	{ "ENODEV: the service goes while recovering", test_service_gone_while_recovering },
	{ "counts of a recovery", test_counts },
	{ 0 },
};
