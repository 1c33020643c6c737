// SPDX-License-Identifier: MIT
/* Waiting: batches, WAIT, WAIT_QUIET, eventfd, poll, signals. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "conform.h"

static struct service service;
static struct client client;
static struct executor executor;

static void start(void)
{
	service_start(&service);
	client_start(&client, &service);
	executor_start(&executor, &service, 8);
}

/* An executor that answers the first @n requests that it gets, each by itself. */
static void *answer_some(void *n)
{
	intptr_t left = (intptr_t)n;
	int err;

	while (left) {
		err = fetch_wait(&executor, 1);
		if (err)
			return (void *)(intptr_t)err;
		if (!executor.count)
			continue;
		err = commit(&executor, &executor.requests[0], 1, 0);
		if (err)
			return (void *)(intptr_t)err;
		left--;
	}
	return NULL;
}

static pthread_t answering(intptr_t n)
{
	pthread_t thread;

	OK(pthread_create(&thread, NULL, answer_some, (void *)n));
	return thread;
}

static void joined(pthread_t thread)
{
	void *result;

	OK(pthread_join(thread, &result));
	OK((intptr_t)result);
}

static void fill(uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		client.descs[i] = desc_of(&client, i, 1);
}

static void test_submit_wait_one(void)
{
	pthread_t thread;

	start();
	thread = answering(1);
	fill(1);
	OK(submit_ring(&client, 0, 1, AIF_SUBMIT_F_WAIT_ALL, NULL));
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(client.done[0].result, 1);
	joined(thread);
}

static void test_submit_wait_all(void)
{
	uint32_t accepted, i;
	pthread_t thread;

	start();
	thread = answering(5);
	fill(5);
	OK(submit_ring(&client, 0, 5, AIF_SUBMIT_F_WAIT_ALL, &accepted));
	IS(accepted, 5);
	for (i = 0; i < 5; i++)
		IS(state_of(&client, i), AIF_STATE_DONE);
	joined(thread);
}

static void test_submit_wait_first(void)
{
	uint32_t accepted, i, answered = 0;
	pthread_t thread;

	start();
	thread = answering(1);
	fill(3);
	OK(submit_ring(&client, 0, 3, AIF_SUBMIT_F_WAIT_FIRST, &accepted));
	IS(accepted, 3);
	joined(thread);
	for (i = 0; i < 3; i++)
		answered += state_of(&client, i) == AIF_STATE_DONE;
	IS(answered, 1);
	joined(answering(2));	/* the others are answered too, later */
	OK(wait_quiet(&client, AIF_TAG_ALL, 0));
}

/* Only what was taken is waited for. */
static void test_submit_wait_partial(void)
{
	uint32_t accepted;
	pthread_t thread;

	start();
	thread = answering(2);
	fill(2);
	client.descs[2] = desc_of(&client, 0, 1);
	OK(submit_ring(&client, 0, 3, AIF_SUBMIT_F_WAIT_ALL, &accepted));
	IS(accepted, 2);
	IS(state_of(&client, 0), AIF_STATE_DONE);
	IS(state_of(&client, 1), AIF_STATE_DONE);
	joined(thread);
}

/* A waiting SUBMIT ends when its requests are cancelled: they are answered. */
static void *submit_in_thread(void *unused)
{
	fill(2);
	return (void *)(intptr_t)submit_ring(&client, 0, 2, AIF_SUBMIT_F_WAIT_ALL, NULL);
}

static void test_submit_wait_cancelled(void)
{
	pthread_t thread;

	start();
	OK(pthread_create(&thread, NULL, submit_in_thread, NULL));
	while (cancel(&client, 0, 1))
		continue;
	while (cancel(&client, 1, 1))
		continue;
	joined(thread);
	IS(client.done[0].result, -ECANCELED);
	IS(client.done[1].result, -ECANCELED);
}

static int wait_count(uint64_t value, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .value = value, .timeout_ns = timeout_ns,
	};

	return libaif_call(client.f, AIF_IOC_WAIT, &arg);
}

static int wait_produced(uint32_t tag, uint64_t value, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .flags = AIF_WAIT_F_PRODUCED, .tag = tag, .value = value,
		.timeout_ns = timeout_ns,
	};

	return libaif_call(client.f, AIF_IOC_WAIT, &arg);
}

static void test_wait_count(void)
{
	int64_t begin;

	start();
	OK(wait_count(0, 0));
	IS(wait_count(1, 0), -ETIME);
	begin = now_ns();
	IS(wait_count(1, 20 * NS_PER_MS), -ETIME);
	TRUE(now_ns() - begin >= 20 * NS_PER_MS);
	fill(3);
	OK(submit_ring(&client, 0, 3, 0, NULL));
	joined(answering(2));
	OK(wait_count(2, 0));
	IS(wait_count(3, 0), -ETIME);
	IS(client.status->answered, 2);
}

static void test_wait_count_sleeps(void)
{
	pthread_t thread;

	start();
	fill(3);
	OK(submit_ring(&client, 0, 3, 0, NULL));
	thread = answering(3);
	OK(wait_count(3, FOREVER));
	IS(client.status->answered, 3);
	joined(thread);
}

static void test_wait_refused(void)
{
	struct aif_ioc_wait arg;

	start();
	arg = (struct aif_ioc_wait){ .size = sizeof(arg), .flags = 2 };
	IS(libaif_call(client.f, AIF_IOC_WAIT, &arg), -EINVAL);
	arg = (struct aif_ioc_wait){ .size = sizeof(arg), .tag = 1 };
	IS(libaif_call(client.f, AIF_IOC_WAIT, &arg), -EINVAL);
	arg = (struct aif_ioc_wait){ .size = sizeof(arg), .__reserved = 1 };
	IS(libaif_call(client.f, AIF_IOC_WAIT, &arg), -EINVAL);
	IS(wait_produced(CLIENT_DEPTH, 0, 0), -EINVAL);
	IS(wait_quiet(&client, CLIENT_DEPTH, 0), -EINVAL);
	OK(wait_quiet(&client, 0, 0));			/* never used: quiet */
	OK(wait_quiet(&client, AIF_TAG_ALL, 0));
}

static void test_wait_produced(void)
{
	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	IS(wait_produced(0, 0, 0), -ETIME);
	OK(progress(&executor, &executor.requests[0], 100, NULL));
	OK(wait_produced(0, 99, 0));
	IS(wait_produced(0, 100, 0), -ETIME);
	IS(commit(&executor, &executor.requests[0], 0, 100), 0);
	OK(wait_produced(0, 100, 0));		/* answered: no more will come */
	OK(wait_produced(0, UINT64_MAX, 0));
	OK(wait_produced(1, UINT64_MAX, 0));	/* never used: nothing will */
}

static void *wait_produced_in_thread(void *value)
{
	return (void *)(intptr_t)wait_produced(0, (uint64_t)(intptr_t)value, FOREVER);
}

static void test_wait_produced_sleeps(void)
{
	pthread_t thread;

	start();
	submit(&client, 0, 1);
	fetch_exactly(&executor, 1);
	OK(pthread_create(&thread, NULL, wait_produced_in_thread, (void *)50));
	OK(progress(&executor, &executor.requests[0], 20, NULL));
	OK(progress(&executor, &executor.requests[0], 51, NULL));
	joined(thread);
	OK(pthread_create(&thread, NULL, wait_produced_in_thread, (void *)1000));
	OK(cancel(&client, 0, 1));
	joined(thread);
}

static void *wait_quiet_in_thread(void *tag)
{
	return (void *)(intptr_t)wait_quiet(&client, (uint32_t)(intptr_t)tag, FOREVER);
}

static void test_wait_quiet_sleeps(void)
{
	pthread_t one, all;

	start();
	submit(&client, 0, 1);
	submit(&client, 1, 1);
	fetch_exactly(&executor, 2);
	OK(cancel(&client, 0, 1));
	IS(wait_quiet(&client, 0, 5 * NS_PER_MS), -ETIME);
	OK(pthread_create(&one, NULL, wait_quiet_in_thread, (void *)0));
	OK(pthread_create(&all, NULL, wait_quiet_in_thread, (void *)(intptr_t)AIF_TAG_ALL));
	IS(commit(&executor, &executor.requests[0], 0, 0), 0);
	joined(one);
	IS(wait_quiet(&client, AIF_TAG_ALL, 0), -ETIME);
	IS(commit(&executor, &executor.requests[1], 0, 0), 0);
	joined(all);
}

static int set_eventfd(int fd)
{
	struct aif_ioc_set_eventfd arg = { .size = sizeof(arg), .fd = fd };

	return libaif_call(client.f, AIF_IOC_SET_EVENTFD, &arg);
}

static void test_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t value = 0;

	start();
	OK(set_eventfd(fd));
	fill(2);
	OK(submit_ring(&client, 0, 2, 0, NULL));
	IS(read(fd, &value, sizeof(value)), -1);
	joined(answering(2));
	IS(read(fd, &value, sizeof(value)), sizeof(value));
	IS(value, 2);
	OK(set_eventfd(-1));
	submit(&client, 0, 2);
	joined(answering(1));
	IS(read(fd, &value, sizeof(value)), -1);
	IS(set_eventfd(1023), -EBADF);
	IS(set_eventfd(-2), -EBADF);
	IS(set_eventfd(STDERR_FILENO), -EINVAL);
	close(fd);
}

static short poll_once(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

/* Readable while more was answered than a satisfied WAIT has named. */
static void test_poll_client(void)
{
	start();
	IS(poll_once(client.f->fd), 0);
	fill(3);
	OK(submit_ring(&client, 0, 3, 0, NULL));
	IS(poll_once(client.f->fd), 0);
	joined(answering(2));
	IS(poll_once(client.f->fd), POLLIN);
	IS(poll_once(client.f->fd), POLLIN);
	IS(wait_count(3, 0), -ETIME);
	OK(wait_count(1, 0));
	IS(poll_once(client.f->fd), POLLIN);
	OK(wait_count(2, 0));
	IS(poll_once(client.f->fd), 0);
	OK(wait_count(1, 0));
	IS(poll_once(client.f->fd), 0);
	joined(answering(1));
	IS(poll_once(client.f->fd), POLLIN);
}

/* Readable when a FETCH that does not wait would bring something. */
static void test_poll_executor(void)
{
	struct executor other;

	start();
	executor_start(&other, &service, 1);
	IS(poll_once(executor.f->fd), POLLIN);	/* a grant */
	OK(fetch(&executor, 0));
	OK(fetch(&other, 0));
	IS(poll_once(executor.f->fd), 0);
	submit(&client, 0, 1);
	IS(poll_once(executor.f->fd), POLLIN);
	fetch_exactly(&other, 1);
	IS(poll_once(executor.f->fd), 0);
	submit(&client, 1, 1);
	IS(poll_once(executor.f->fd), 0);	/* the token is out */
	IS(commit(&other, &other.requests[0], 0, 0), 0);
	IS(poll_once(executor.f->fd), POLLIN);
	fetch_exactly(&executor, 1);
	OK(cancel(&client, 1, 1));
	IS(poll_once(executor.f->fd), POLLIN);
	OK(fetch(&executor, 0));
	IS(poll_once(executor.f->fd), 0);
}

/* ---- signals ---- */

static void on_signal(int number)
{
}

/* No wait of a thread that a signal reaches goes on; what was submitted does. */
static void interrupted(void *(*wait)(void *), void *arg)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	pthread_t thread;
	void *result;

	OK(sigaction(SIGUSR1, &action, NULL));
	OK(pthread_create(&thread, NULL, wait, arg));
	while (pthread_tryjoin_np(thread, &result)) {
		pthread_kill(thread, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	IS((intptr_t)result, -EINTR);
}

static void *wait_count_in_thread(void *value)
{
	return (void *)(intptr_t)wait_count((uint64_t)(intptr_t)value, FOREVER);
}

static void *fetch_in_thread(void *unused)
{
	int err;

	do {
		err = fetch_wait(&executor, 1);
	} while (!err);
	return (void *)(intptr_t)err;
}

static void test_signals(void)
{
	if (is_local())
		skip("waits of the local device are not interrupted");
	start();
	interrupted(wait_count_in_thread, (void *)1);
	interrupted(fetch_in_thread, NULL);
	interrupted(submit_in_thread, NULL);
	IS(state_of(&client, 0), AIF_STATE_QUEUED);
	IS(state_of(&client, 1), AIF_STATE_QUEUED);
	joined(answering(2));
	OK(wait_count(2, 0));
}

const struct test wait_tests[] = {
	{ "SUBMIT waits for one", test_submit_wait_one },
	{ "SUBMIT waits for all", test_submit_wait_all },
	{ "SUBMIT waits for the first", test_submit_wait_first },
	{ "SUBMIT waits for what was taken", test_submit_wait_partial },
	{ "SUBMIT's wait ends with a cancel", test_submit_wait_cancelled },
	{ "WAIT for a count: ETIME, or there", test_wait_count },
	{ "WAIT for a count sleeps", test_wait_count_sleeps },
	{ "EINVAL: waits refused", test_wait_refused },
	{ "WAIT for progress", test_wait_produced },
	{ "WAIT for progress sleeps; a cancel ends it", test_wait_produced_sleeps },
	{ "WAIT_QUIET sleeps, for one and for all", test_wait_quiet_sleeps },
	{ "an eventfd counts answers", test_eventfd },
	{ "poll on a client", test_poll_client },
	{ "poll on an executor", test_poll_executor },
	{ "EINTR: a signal ends a wait, not a request", test_signals },
	{ 0 },
};
