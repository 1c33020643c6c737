// SPDX-License-Identifier: MIT
/*
 * What only a ring can do to the module: both sides in one ring, rings that
 * complete each other's commands, commands that are parked when their process
 * executes, exits, is killed or closes the ring, chains, drains, workers.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "side.h"

#define A_WHILE_MS	100
#define PARKED_MAX	64	/* waits of a client, see AIF_CMD_WAIT */

/* ---- commands that park ---- */

enum parking {
	FETCH,
	WAIT,
	WAIT_PRODUCED,
	WAIT_QUIET,
	SUBMIT,		/* and wait for all */
	PARKINGS
};

static const char *const parking_names[PARKINGS] = {
	"FETCH", "WAIT", "WAIT for progress", "WAIT_QUIET", "SUBMIT",
};

static long start_fetch(struct door *d, uint32_t commits, uint32_t credit)
{
	struct aif_cmd_commit_fetch cmd = { .commit_count = commits, .credit = credit };

	return door_start(d, me.executor.fd, AIF_CMD_COMMIT_FETCH, &cmd);
}

static long start_wait(struct door *d, uint32_t flags, uint32_t tag, uint64_t value)
{
	struct aif_cmd_wait cmd = { .flags = flags, .tag = tag, .value = value };

	return door_start(d, me.client.fd, AIF_CMD_WAIT, &cmd);
}

static long start_wait_quiet(struct door *d, uint32_t tag)
{
	struct aif_cmd_wait_quiet cmd = { .tag = tag };

	return door_start(d, me.client.fd, AIF_CMD_WAIT_QUIET, &cmd);
}

/* Tags 0 .. @n - 1. */
static struct aif_cmd_submit place(uint32_t n, uint32_t flags)
{
	struct raw_client *c = &me.client;
	struct aif_cmd_submit cmd = { .flags = flags, .first = c->position, .count = n };
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct aif_desc d = side_request(i, 0, 0);

		me.generation[i] = d.generation;
		c->desc[c->position++ & (c->depth - 1)] = d;
	}
	return cmd;
}

static long start_submit(struct door *d, uint32_t n, uint32_t flags)
{
	struct aif_cmd_submit cmd = place(n, flags);

	return door_start(d, me.client.fd, AIF_CMD_SUBMIT, &cmd);
}

static long park(struct door *d, enum parking what)
{
	switch (what) {
	case FETCH:
		return start_fetch(d, 0, 1);
	case WAIT:
		return start_wait(d, 0, 0, 1);
	case WAIT_PRODUCED:
		return start_wait(d, AIF_WAIT_F_PRODUCED, 0, 0);
	case WAIT_QUIET:
		return start_wait_quiet(d, 0);
	default:
		return start_submit(d, 1, AIF_SUBMIT_F_WAIT_ALL);
	}
}

static struct door *door_for(enum parking what)
{
	return what == FETCH ? me.executor_door : me.client_door;
}

static long deed_park(long *arg)
{
	return park(door_for((enum parking)arg[0]), (enum parking)arg[0]);
}

static long deed_ended(long *arg)
{
	return door_ended(door_for((enum parking)arg[0]), arg[1]);
}

static long deed_end(long *arg)
{
	return door_end(door_for((enum parking)arg[0]), arg[1]);
}

static long deed_fetch_by_ioctl(long *arg)
{
	return raw_turn(&me.executor, (uint32_t)arg[0], 0, 1);
}

/*
 * Number of the command, which is parked in @p's ring when this returns.  Of a
 * WAIT nobody can say that, but what follows holds also when it is on its way.
 */
static long park_in(struct party *p, enum parking what)
{
	long number = ASK(p, deed_park, what);

	assert_true(number > 0);
	if (what == FETCH)
		EVENTUALLY(ASK(p, deed_fetch_by_ioctl, AIF_FETCH_F_NONBLOCK) == -EALREADY);
	if (what == SUBMIT)
		EVENTUALLY(client_state(p, 0) == AIF_STATE_QUEUED);
	NEVER_FOR(10, ASK(p, deed_ended, what, number));
	return number;
}

/* ---- what becomes of parked commands ---- */

enum ending {
	EXITS,
	IS_KILLED,
	EXECS,
	CLOSES_THE_RING,
	ENDS_THE_THREAD,
	ENDINGS
};

static const char *const ending_names[ENDINGS] = {
	"the process exits", "it is killed", "it executes", "the ring is closed",
	"the thread ends",
};

struct parked {
	enum parking what;
	enum ending how;
};

static long deed_exit(long *arg)
{
	_exit(7);
}

/* And go on by ioctl. */
static long deed_close_ring(long *arg)
{
	struct door *d = door_for((enum parking)arg[0]);

	door_close(d);
	return door_open(d, DOOR_IOCTL);
}

static struct door thread_door;
static long thread_number;

static void *park_in_thread(void *arg)
{
	enum parking what = (enum parking)(intptr_t)arg;

	thread_number = door_open(&thread_door, side_door);
	if (!thread_number)
		thread_number = park(&thread_door, what);
	do {
		raw_sleep_ms(5);
	} while (what == SUBMIT && !raw_state(&me.client, 0, me.generation[0]));
	return NULL;
}

static long deed_park_in_thread(long *arg)
{
	pthread_t thread;
	int err;

	err = pthread_create(&thread, NULL, park_in_thread, (void *)(intptr_t)arg[0]);
	return -(err ?: pthread_join(thread, NULL)) ?: thread_number;
}

/* True when the party is gone, or another program. */
static bool end_party(struct party *p, struct parked *k)
{
	if (k->how != ENDS_THE_THREAD)
		park_in(p, k->what);
	switch (k->how) {
	case EXITS:
		BEGIN(p, deed_exit);
		assert_int_equal(party_gone(p), 7);
		return true;
	case IS_KILLED:
		party_kill(p);
		return true;
	case EXECS:
		party_exec(p);
		return true;
	case CLOSES_THE_RING:
		assert_int_equal(ASK(p, deed_close_ring, k->what), 0);
		return false;
	default:
		/* The ring stays, with its commands; then it is closed as well. */
		assert_true(ASK(p, deed_park_in_thread, k->what) > 0);
		return false;
	}
}

static long deed_close_thread_ring(long *arg)
{
	if (thread_door.open)
		door_close(&thread_door);
	return door_open(door_for((enum parking)arg[0]), DOOR_IOCTL);
}

/* Whoever executes now gets the next request. */
static void after_fetch(struct trio *t, bool gone)
{
	if (gone)
		t->executor = executor_new(side_door);
	else
		assert_int_equal(ASK(t->executor, deed_close_thread_ring, FETCH), 0);
	/* A closed ring is torn down in the background. */
	EVENTUALLY(executor_take(t->executor, 1) != -EALREADY);
	assert_int_equal(client_send(t->client, 0, 1), 1);
	assert_int_equal(executor_take(t->executor, 1), 1);
	assert_int_equal(executor_held(t->executor, 0).attempt, 1);
	assert_int_equal(executor_echo(t->executor, 0), 0);
	assert_int_equal(client_result(t->client, 0), 0);
}

/* The request goes with its client, or goes on. */
static void after_wait(struct trio *t, bool gone)
{
	if (gone) {
		assert_int_equal(raw_alive_becomes("clients", 0), 0);
		assert_int_equal(executor_take(t->executor, 1), 0);
		return;
	}
	assert_int_equal(ASK(t->client, deed_close_thread_ring, WAIT), 0);
	assert_int_equal(executor_take(t->executor, 1), 1);
	assert_int_equal(executor_echo(t->executor, 0), 0);
	assert_int_equal(client_result(t->client, 0), 0);
	client_begin_wait(t->client, 1);
	assert_int_equal(party_end(t->client), 0);
}

static void test_parked(void **state)
{
	struct parked *k = *state;
	struct trio t = trio_new(NULL);

	if (k->what == FETCH) {
		after_fetch(&t, end_party(t.executor, k));
		return;
	}
	if (k->what != SUBMIT)
		assert_int_equal(client_send(t.client, 0, 1), 1);
	after_wait(&t, end_party(t.client, k));
}

/* Nobody is there to run what was parked: it goes to another executor. */
static void test_fetch_of_an_ended_thread(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *other;
	struct trio t;

	desc.longest_step_ms = 100;	/* for a token that nobody uses */
	t = trio_new(&desc);
	other = executor_new(side_door);
	executor_begin_take(other, 1);
	raw_sleep_ms(20);
	assert_true(ASK(t.executor, deed_park_in_thread, FETCH) > 0);
	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(party_end(other), 1);
	assert_int_equal(executor_held(other, 0).attempt, 1);
	assert_int_equal(executor_echo(other, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

/* ---- exec() with what the new program inherits ---- */

static long deed_inherit_client(long *arg)
{
	if (fcntl(me.client.fd, F_SETFD, 0) || fcntl(me.client_door->ring.ring_fd, F_SETFD, 0))
		return -errno;
	return me.client.fd;
}

/* The new program finds what it needs in the arrays. */
static long deed_adopt_client(long *arg)
{
	int err = raw_client_init(&me.client, (int)arg[0], SIDE_DEPTH, AIF_F_URING);

	me.generation[0] = me.client.done[0].generation;
	return err ? err : door_open(me.client_door, side_door);
}

/* Parked commands go, the file and its requests stay. */
static void test_client_execs_and_keeps_its_files(void **state)
{
	struct trio t = trio_new(NULL);
	long fd = ASK(t.client, deed_inherit_client);

	assert_true(fd > 0);
	park_in(t.client, SUBMIT);
	park_in(t.client, WAIT);
	park_in(t.client, WAIT_QUIET);
	party_exec(t.client);
	assert_int_equal(ASK(t.client, deed_adopt_client, fd), 0);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_QUEUED);
	client_begin_wait(t.client, 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_give(t.executor, 0, 5), 0);
	assert_int_equal(party_end(t.client), 0);
	assert_int_equal(client_result(t.client, 0), 5);
	assert_int_equal(client_answered(t.client), 1);
}

static long deed_inherit_executor(long *arg)
{
	fcntl(me.executor_door->ring.ring_fd, F_SETFD, 0);
	return fcntl(me.executor.fd, F_SETFD, 0);
}

/* What it holds is another's, although file and ring are still open. */
static void test_executor_execs_with_a_parked_fetch(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(ASK(t.executor, deed_inherit_executor), 0);
	park_in(t.executor, FETCH);
	party_exec(t.executor);
	heir = executor_new(side_door);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_held(heir, 0).attempt, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

/* ---- several parked ---- */

static long deed_second_fetch(long *arg)
{
	struct aif_cmd_commit_fetch cmd = { .flags = (uint32_t)arg[0], .credit = 1 };
	long number = door_start(me.executor_door, me.executor.fd, AIF_CMD_COMMIT_FETCH, &cmd);

	return number < 0 ? number : door_end(me.executor_door, number);
}

static long deed_take_parked(long *arg)
{
	int n = door_end(me.executor_door, arg[0]);

	if (n > 0)
		n = raw_deliveries(&me.executor, (uint32_t)n, me.taken + me.taken_count);
	if (n > 0)
		me.taken_count += (uint32_t)n;
	return n;
}

static void test_one_fetch_at_a_time(void **state)
{
	struct trio t = trio_new(NULL);
	long number = park_in(t.executor, FETCH);

	assert_int_equal(ASK(t.executor, deed_second_fetch, 0), -EALREADY);
	assert_int_equal(ASK(t.executor, deed_second_fetch, AIF_FETCH_F_NONBLOCK), -EALREADY);
	assert_int_equal(ASK(t.executor, deed_fetch_by_ioctl, 0), -EALREADY);
	assert_int_equal(ASK(t.executor, deed_fetch_by_ioctl, AIF_FETCH_F_NONBLOCK), -EALREADY);
	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(ASK(t.executor, deed_take_parked, number), 1);
	/* What is given back beside a parked FETCH is taken. */
	number = park_in(t.executor, FETCH);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
	assert_int_equal(client_send(t.client, 1, 1), 1);
	assert_int_equal(ASK(t.executor, deed_take_parked, number), 1);
	assert_int_equal(executor_echo(t.executor, 1), 0);
}

static long deed_park_waits(long *arg)
{
	long first = start_wait(me.client_door, 0, 0, 1), i;

	for (i = 1; i < arg[0]; i++)
		if (i & 1 ? start_wait_quiet(me.client_door, 0) < 0 :
			    start_wait(me.client_door, AIF_WAIT_F_PRODUCED, 0, 0) < 0)
			return -EIO;
	return first;
}

/* How many commands of the client's have ended with @arg[0]. */
static long deed_count_ended(long *arg)
{
	uint32_t i;
	long n = 0;

	door_ended(me.client_door, 0);
	for (i = 0; i < me.client_door->ended_count; i++)
		n += me.client_door->ended[i].res == arg[0];
	return n;
}

static void test_so_many_waits(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_true(ASK(t.client, deed_park_waits, PARKED_MAX + 2) > 0);
	EVENTUALLY(ASK(t.client, deed_count_ended, -ENOSPC) == 2);
	NEVER_FOR(10, ASK(t.client, deed_count_ended, 0));
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	EVENTUALLY(ASK(t.client, deed_count_ended, 0) == PARKED_MAX);

	/* Their places are free again. */
	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = park_in(t.client, WAIT_QUIET);
	assert_int_equal(client_cancel(t.client, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT_QUIET, number), 0);
}

static long deed_cancel_waits(long *arg)
{
	struct aif_cmd_cancel cmd = {
		.flags = AIF_CANCEL_F_WAITS, .tag = (uint32_t)arg[0], .generation = (uint32_t)arg[1],
	};
	struct aif_ioc_cancel ioc = {
		.size = sizeof(ioc), .flags = cmd.flags, .tag = cmd.tag, .generation = cmd.generation,
	};

	if (arg[2])
		return raw_call(me.client.fd, AIF_IOC_CANCEL, &ioc);
	return door_end(me.client_door,
			door_start(me.client_door, me.client.fd, AIF_CMD_CANCEL, &cmd));
}

static void cancel_waits(bool by_ioctl)
{
	struct trio t = trio_new(NULL);
	long submit = park_in(t.client, SUBMIT);

	assert_true(ASK(t.client, deed_park_waits, 6) > 0);
	assert_int_equal(ASK(t.client, deed_cancel_waits, 0, 0, by_ioctl), -EINVAL);
	assert_int_equal(ASK(t.client, deed_cancel_waits, AIF_TAG_ALL, 1, by_ioctl), -EINVAL);
	/* Those that are on their way park after a first cancel. */
	EVENTUALLY(!ASK(t.client, deed_cancel_waits, AIF_TAG_ALL, 0, by_ioctl) &&
		   ASK(t.client, deed_count_ended, -ECANCELED) == 6);
	NEVER_FOR(10, ASK(t.client, deed_ended, SUBMIT, submit));
	assert_int_equal(client_state(t.client, 0), AIF_STATE_QUEUED);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, submit), 1);
	assert_int_equal(client_result(t.client, 0), 0);
}

static void test_cancel_waits(void **state)
{
	cancel_waits(false);
}

static void test_cancel_waits_by_ioctl(void **state)
{
	cancel_waits(true);
}

/* io_uring's own cancel does not know such commands, and leaves them alone. */
static long deed_async_cancel(long *arg)
{
	struct door *d = me.client_door;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);
	long number;

	io_uring_prep_cancel64(sqe, (uint64_t)arg[0], 0);
	number = door_add(d, sqe);
	return door_go(d) ?: door_end(d, number);
}

static void test_cancel_of_io_uring(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = park_in(t.client, WAIT);
	assert_int_equal(ASK(t.client, deed_async_cancel, number), -ENOENT);
	NEVER_FOR(10, ASK(t.client, deed_ended, WAIT, number));
	assert_int_equal(client_cancel(t.client, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT, number), 0);
}

/* ---- what wakes them ---- */

static void test_progress_wakes_a_wait(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = park_in(t.client, WAIT_PRODUCED);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_progress(t.executor, 0, 0), 0);
	NEVER_FOR(10, ASK(t.client, deed_ended, WAIT_PRODUCED, number));
	assert_int_equal(executor_progress(t.executor, 0, 1), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT_PRODUCED, number), 0);
	assert_int_equal(executor_echo(t.executor, 0), 0);
}

static long deed_submit_three(long *arg)
{
	return start_submit(me.client_door, 3, (uint32_t)arg[0]);
}

static void test_submit_waits_for_the_first(void **state)
{
	struct trio t = trio_new(NULL);
	long number = ASK(t.client, deed_submit_three, AIF_SUBMIT_F_WAIT_FIRST);

	EVENTUALLY(executor_take(t.executor, 3) == 3);
	assert_false(ASK(t.client, deed_ended, SUBMIT, number));
	assert_int_equal(executor_echo(t.executor, 1), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number), 3);
	assert_int_equal(client_result(t.client, 1), 0);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_FETCHED);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(executor_echo(t.executor, 2), 0);
	assert_int_equal(client_answered(t.client), 3);
}

static void test_submit_waits_for_all(void **state)
{
	struct trio t = trio_new(NULL);
	long number = ASK(t.client, deed_submit_three, AIF_SUBMIT_F_WAIT_ALL);

	EVENTUALLY(executor_take(t.executor, 3) == 3);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(executor_echo(t.executor, 2), 0);
	NEVER_FOR(10, ASK(t.client, deed_ended, SUBMIT, number));
	assert_int_equal(client_cancel(t.client, 1), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number), 3);
	assert_int_equal(client_look(t.client, 1).result, -ECANCELED);
	assert_int_equal(executor_give(t.executor, 1, 0), 0);
}

static void test_end_of_the_service_wakes_a_fetch(void **state)
{
	struct trio t = trio_new(NULL);
	long number = park_in(t.executor, FETCH);

	party_kill(t.holder);
	assert_int_equal(ASK(t.executor, deed_end, FETCH, number), -ENODEV);
}

static void test_drain_wakes_a_fetch(void **state)
{
	struct trio t = trio_new(NULL);
	long number = park_in(t.executor, FETCH);

	assert_int_equal(holder_drain(t.holder), 0);
	assert_int_equal(ASK(t.executor, deed_end, FETCH, number), -ESHUTDOWN);
}

static void test_watchdog_wakes_a_fetch(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct trio t;
	long number;

	desc.progress_ms = 1000;
	t = trio_new(&desc);
	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	number = park_in(t.executor, FETCH);
	assert_int_equal(ASK(t.executor, deed_end, FETCH, number), -ENODEV);
	assert_int_equal(side_counted("watchdog_detached"), 1);
}

static long deed_fetch_events(long *arg)
{
	return start_fetch(me.executor_door, 0, 0);
}

static void test_fetch_of_events_only(void **state)
{
	struct trio t = trio_new(NULL);
	long number = ASK(t.executor, deed_fetch_events);
	struct party *other;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	NEVER_FOR(10, ASK(t.executor, deed_ended, FETCH, number));
	other = client_new(side_door);	/* its grant is news */
	assert_int_equal(ASK(t.executor, deed_take_parked, number), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_GRANT_ADDED), 2);
	party_kill(other);
	EVENTUALLY(executor_take(t.executor, 1) == 1);
}

/* ---- rings that go while much is parked ---- */

static long deed_reopen(long *arg)
{
	door_close(me.client_door);
	return door_open(me.client_door, side_door);
}

/* Every batch that waited in a closed ring is free again. */
static void test_closed_rings_keep_no_batches(void **state)
{
	struct trio t = trio_new(NULL);
	uint32_t i;

	for (i = 0; i < 3 * SIDE_DEPTH; i++) {
		assert_true(ASK(t.client, deed_park, SUBMIT) > 0);
		EVENTUALLY(client_state(t.client, 0) == AIF_STATE_QUEUED);
		assert_int_equal(ASK(t.client, deed_reopen), 0);
		assert_int_equal(client_cancel(t.client, 0), 0);
	}
	assert_int_equal(client_answered(t.client), 3 * SIDE_DEPTH);
}

static void test_killed_with_everything_parked(void **state)
{
	struct trio t = trio_new(NULL);

	park_in(t.client, SUBMIT);
	assert_true(ASK(t.client, deed_park_waits, PARKED_MAX) > 0);
	raw_sleep_ms(10);
	party_kill(t.client);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

/* The file is closed, and the ring with it: nothing but a command holds them. */
static long deed_close_fds(long *arg)
{
	munmap(me.buffer.base, me.buffer.length);
	raw_client_close(&me.client);
	return 0;
}

static void test_parked_command_holds_the_file(void **state)
{
	struct trio t = trio_new(NULL);
	long number = park_in(t.client, SUBMIT);

	assert_int_equal(ASK(t.client, deed_close_fds), 0);
	NEVER_FOR(20, raw_alive("clients") != 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number), 1);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

static long deed_register_and_close(long *arg)
{
	struct aif_cmd_wait_quiet cmd = { .tag = 0 };
	struct door *d = me.client_door;
	struct io_uring_sqe *sqe;
	int err = io_uring_register_files(&d->ring, &me.client.fd, 1);
	long number;

	if (err)
		return err;
	deed_close_fds(arg);
	sqe = raw_ring_prep(&d->ring, 0, AIF_CMD_WAIT_QUIET, &cmd, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	number = door_add(d, sqe);
	return door_go(d) ?: number;
}

static void test_registered_file(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = ASK(t.client, deed_register_and_close);
	assert_true(number > 0);
	NEVER_FOR(20, ASK(t.client, deed_ended, WAIT_QUIET, number));
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT_QUIET, number), 0);
	assert_int_equal(raw_alive("clients"), 1);
	assert_int_equal(ASK(t.client, deed_close_ring, WAIT), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

/* ---- chains and drains ---- */

static struct io_uring_sqe *next_sqe(uint8_t flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&me.client_door->ring);

	io_uring_prep_nop(sqe);
	sqe->flags = flags;
	return sqe;
}

/* SUBMIT of @arg[0] requests -> WAIT_QUIET -> NOP: the number of the first. */
static long deed_chain(long *arg)
{
	struct aif_cmd_submit submit = place((uint32_t)arg[0], AIF_SUBMIT_F_WAIT_ALL);
	struct aif_cmd_wait_quiet quiet = { .tag = AIF_TAG_ALL };
	struct door *d = me.client_door;
	struct io_uring_sqe *sqe;
	long number;

	sqe = raw_ring_prep(&d->ring, me.client.fd, AIF_CMD_SUBMIT, &submit, 0);
	/* The rest of a chain is copied when its turn comes, or by a worker at once. */
	sqe->flags |= IOSQE_IO_LINK;
	number = door_add(d, sqe);
	sqe = raw_ring_prep(&d->ring, me.client.fd, AIF_CMD_WAIT_QUIET, &quiet, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_ASYNC;
	door_add(d, sqe);
	door_add(d, next_sqe(0));
	return door_go(d) ?: number;
}

static void test_chain(void **state)
{
	struct trio t = trio_new(NULL);
	long number = ASK(t.client, deed_chain, 2);

	assert_true(number > 0);
	EVENTUALLY(executor_take(t.executor, 2) == 2);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	NEVER_FOR(10, ASK(t.client, deed_ended, SUBMIT, number + 2));
	assert_int_equal(executor_echo(t.executor, 1), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number), 2);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number + 1), 0);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number + 2), 0);
	assert_true(client_echoed(t.client, 0) && client_echoed(t.client, 1));
}

/* The tag is busy: the chain ends there. */
static void test_chain_breaks(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = ASK(t.client, deed_chain, 1);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number), -EBUSY);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number + 1), -ECANCELED);
	assert_int_equal(ASK(t.client, deed_end, SUBMIT, number + 2), -ECANCELED);
	assert_int_equal(client_cancel(t.client, AIF_TAG_ALL), 0);
}

static void test_killed_in_a_chain(void **state)
{
	struct trio t = trio_new(NULL);

	assert_true(ASK(t.client, deed_chain, 1) > 0);
	EVENTUALLY(executor_take(t.executor, 1) == 1);
	party_kill(t.client);
	EVENTUALLY(side_counted("answered") == 1);
	assert_int_equal(executor_give(t.executor, 0, 0), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

/* WAIT for one more answer, and a NOP that must not pass it. */
static long deed_wait_then_drain(long *arg)
{
	long number = start_wait(me.client_door, 0, 0, 1);

	door_add(me.client_door, next_sqe(IOSQE_IO_DRAIN));
	return door_go(me.client_door) ?: number;
}

static void test_drain_flag_waits(void **state)
{
	struct trio t = trio_new(NULL);
	long number;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	number = ASK(t.client, deed_wait_then_drain);
	NEVER_FOR(20, ASK(t.client, deed_ended, WAIT, number + 1));
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT, number), 0);
	assert_int_equal(ASK(t.client, deed_end, WAIT, number + 1), 0);
}

/* A drain that can never end, for who it waits for was never submitted. */
static long deed_wait_then_drain_submit(long *arg)
{
	long number = start_wait(me.client_door, 0, 0, 1);
	struct aif_cmd_submit cmd = place(1, 0);
	struct io_uring_sqe *sqe = raw_ring_prep(&me.client_door->ring, me.client.fd,
						 AIF_CMD_SUBMIT, &cmd, 0);

	sqe->flags |= IOSQE_IO_DRAIN;
	door_add(me.client_door, sqe);
	return door_go(me.client_door) ?: number;
}

static void test_drain_flag_for_ever(void **state)
{
	struct trio t = trio_new(NULL);
	long number = ASK(t.client, deed_wait_then_drain_submit);

	assert_true(number > 0);
	NEVER_FOR(20, ASK(t.client, deed_ended, WAIT, number));
	assert_int_equal(side_counted("requests"), 0);
	party_kill(t.client);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

#define TEXT	"what is read from one file is executed and written to another..."

/* read(file) -> infer -> write(file), one submission. */
static long deed_read_infer_write(long *arg)
{
	struct aif_cmd_submit cmd = place(1, AIF_SUBMIT_F_WAIT_ALL);
	int from = memfd_create("from", 0), to = memfd_create("to", 0);
	uint8_t *in = me.buffer.base, *out = me.buffer.base + SIDE_DEPTH * SIDE_PAGE;
	struct door *d = me.client_door;
	char written[64] = "";
	struct io_uring_sqe *sqe;
	long number;
	int i, res = 0;

	if (write(from, TEXT, 64) != 64)
		return -errno;
	sqe = io_uring_get_sqe(&d->ring);
	io_uring_prep_read(sqe, from, in, 64, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_ASYNC;
	number = door_add(d, sqe);
	sqe = raw_ring_prep(&d->ring, me.client.fd, AIF_CMD_SUBMIT, &cmd, 0);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_ASYNC;
	door_add(d, sqe);
	sqe = io_uring_get_sqe(&d->ring);
	io_uring_prep_write(sqe, to, out, 64, 0);
	sqe->flags |= IOSQE_ASYNC;
	door_add(d, sqe);
	res = door_go(d);
	for (i = 0; i < 3 && res >= 0; i++)
		res = door_end(d, number + i);
	if (res == 64 && (pread(to, written, 64, 0) != 64 || memcmp(written, TEXT, 64)))
		res = -EIO;
	close(from);
	close(to);
	return res;
}

static void test_read_infer_write(void **state)
{
	struct trio t = trio_new(NULL);

	BEGIN(t.client, deed_read_infer_write);
	executor_begin_take(t.executor, 1);
	assert_int_equal(party_end(t.executor), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(party_end(t.client), 64);
}

/* ---- other rings ---- */

static long deed_all_by_ring(long *arg)
{
	static const struct {
		uint32_t op;
		bool executor;
	} commands[] = {
		{ AIF_CMD_SUBMIT }, { AIF_CMD_WAIT }, { AIF_CMD_WAIT_QUIET }, { AIF_CMD_CANCEL },
		{ AIF_CMD_COMMIT_FETCH, true }, { AIF_CMD_PROGRESS, true },
	};
	struct io_uring ring;
	char payload[16] = "";
	int err = io_uring_queue_init(8, &ring, (unsigned int)arg[0]);
	size_t i;

	for (i = 0; i < COUNT(commands) && !err; i++) {
		if (commands[i].executor != !!me.executor.slots)
			continue;
		err = raw_ring_call(&ring, commands[i].executor ? me.executor.fd : me.client.fd,
				    commands[i].op, payload);
		if (err != -EOPNOTSUPP)
			return err ?: 1;
		err = 0;
	}
	io_uring_queue_exit(&ring);
	return err;
}

static void test_polled_ring_is_refused(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(ASK(t.client, deed_all_by_ring, IORING_SETUP_IOPOLL), 0);
	assert_int_equal(ASK(t.executor, deed_all_by_ring, IORING_SETUP_IOPOLL), 0);
}

static long deed_submit_by_large_ring(long *arg)
{
	struct aif_cmd_submit cmd = place(1, AIF_SUBMIT_F_WAIT_ALL);
	struct io_uring ring;
	int res = io_uring_queue_init(8, &ring, IORING_SETUP_SQE128 | IORING_SETUP_CQE32);

	if (!res)
		res = raw_ring_call(&ring, me.client.fd, AIF_CMD_SUBMIT, &cmd);
	io_uring_queue_exit(&ring);
	return res;
}

static void test_large_entries(void **state)
{
	struct trio t = trio_new(NULL);

	BEGIN(t.client, deed_submit_by_large_ring);
	executor_begin_take(t.executor, 1);
	assert_int_equal(party_end(t.executor), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(party_end(t.client), 1);
	assert_int_equal(client_result(t.client, 0), 0);
}

static long deed_turn_by_inherited_ring(long *arg)
{
	struct aif_cmd_commit_fetch cmd = { .flags = AIF_FETCH_F_NONBLOCK, .credit = 1 };

	return raw_ring_call(&me.executor_door->ring, me.executor.fd, AIF_CMD_COMMIT_FETCH, &cmd);
}

/* An SQPOLL ring works for whoever it is shared with: its thread is the owner's. */
static void test_inherited_ring(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *helper = party_fork(t.executor);
	long ret;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	ret = ASK(helper, deed_turn_by_inherited_ring);
	if (side_door == DOOR_SQPOLL)
		assert_int_equal(ret, 1);
	else
		assert_int_equal(ret, side_door == DOOR_DEFER ? -EEXIST : -EPERM);
}

/* ---- conversations ---- */

#define ROUNDS	200
#define BATCH	4

static int *conversations_over;	/* shared by the parties that converse */

/* What was delivered is answered by the COMMIT that the next FETCH brings along. */
static int answer(int deliveries)
{
	struct raw_taken taken[SIDE_SLOTS];
	int i, n = raw_deliveries(&me.executor, (uint32_t)deliveries, taken);

	for (i = 0; i < n; i++)
		me.executor.commit[i] = (struct aif_commit){
			.index = taken[i].slot, .generation = taken[i].generation,
			.produced = (uint32_t)side_echo(taken[i]),
		};
	return n;
}

static bool all_echoed(int accepted)
{
	uint32_t tag;

	for (tag = 0; tag < BATCH; tag++)
		if (me.client.done[tag].result || !side_echoed(tag))
			return false;
	return accepted == BATCH;
}

/* Both roles in one ring until all are through: 0 or what went wrong. */
static long deed_converse(long *arg)
{
	struct door *d = me.executor_door;
	long fetch = start_fetch(d, 0, SIDE_SLOTS), submit = 0, rounds = ROUNDS, number;
	int res, n;

	while (__atomic_load_n(conversations_over, __ATOMIC_ACQUIRE) < arg[0]) {
		if (!submit && rounds)
			submit = start_submit(d, BATCH, AIF_SUBMIT_F_WAIT_ALL);
		number = door_end_any(d, 10, &res);
		if (number < 0)
			return number;
		if (number == fetch) {
			n = res < 0 ? res : answer(res);
			if (n < 0)
				return n;
			fetch = start_fetch(d, (uint32_t)n, SIDE_SLOTS);
		} else if (number && number == submit) {
			if (!all_echoed(res))
				return res < 0 ? res : -EPROTO;
			submit = 0;
			if (!--rounds)
				__atomic_add_fetch(conversations_over, 1, __ATOMIC_RELEASE);
		}
	}
	return 0;
}

/* Serve @arg[0]'s name and be a client of @arg[1]'s, all in one ring. */
static long deed_found(long *arg)
{
	struct aif_service_desc desc = side_desc();
	int err;

	snprintf(desc.name, sizeof(desc.name), "side%ld", arg[0]);
	err = raw_service_create(&me.service, &desc, RAW_EXECUTOR_UID);
	if (!err)
		err = raw_executor_open(&me.executor, &me.service, SIDE_SLOTS);
	me.client_door = me.executor_door;
	return err ? err : door_open(me.executor_door, (enum door_kind)arg[1]);
}

static long deed_join(long *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "side%ld", arg[0]);
	return side_connect(name, side_door);
}

/* @n parties, each a client of the next one's service. */
static void converse(long n)
{
	struct party *p[3];
	long i;

	conversations_over = mmap(NULL, SIDE_PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < n; i++) {
		p[i] = party_new(RAW_EXECUTOR_UID);
		assert_int_equal(ASK(p[i], deed_found, i, side_door), 0);
	}
	for (i = 0; i < n; i++)
		assert_int_equal(ASK(p[i], deed_join, (i + 1) % n), 0);
	for (i = 0; i < n; i++)
		BEGIN(p[i], deed_converse, n);
	for (i = 0; i < n; i++)
		assert_int_equal(party_end(p[i]), 0);
	assert_int_equal(side_counted("requests"), n * ROUNDS * BATCH);
	munmap(conversations_over, SIDE_PAGE);
}

static void test_both_roles_in_one_ring(void **state)
{
	converse(1);
}

static void test_two_rings_cross(void **state)
{
	converse(2);
}

static void test_three_rings_in_a_circle(void **state)
{
	converse(3);
}

/* ---- all of it ---- */

static struct CMUnitTest parked_test(struct parked *k)
{
	struct CMUnitTest test = {
		.test_func = test_parked, .setup_func = side_setup,
		.teardown_func = side_teardown, .initial_state = k,
	};
	char *name;

	if (asprintf(&name, "parked %s: %s", parking_names[k->what], ending_names[k->how]) < 0)
		abort();
	test.name = name;
	return test;
}

int main(int argc, char **argv)
{
	static struct parked parked[PARKINGS][ENDINGS];
	const struct CMUnitTest others[] = {
		SIDE_TEST(test_fetch_of_an_ended_thread),
		SIDE_TEST(test_client_execs_and_keeps_its_files),
		SIDE_TEST(test_executor_execs_with_a_parked_fetch),
		SIDE_TEST(test_one_fetch_at_a_time),
		SIDE_TEST(test_so_many_waits),
		SIDE_TEST(test_cancel_waits),
		SIDE_TEST(test_cancel_waits_by_ioctl),
		SIDE_TEST(test_cancel_of_io_uring),
		SIDE_TEST(test_progress_wakes_a_wait),
		SIDE_TEST(test_submit_waits_for_the_first),
		SIDE_TEST(test_submit_waits_for_all),
		SIDE_TEST(test_end_of_the_service_wakes_a_fetch),
		SIDE_TEST(test_drain_wakes_a_fetch),
		SIDE_TEST(test_watchdog_wakes_a_fetch),
		SIDE_TEST(test_fetch_of_events_only),
		SIDE_TEST(test_closed_rings_keep_no_batches),
		SIDE_TEST(test_killed_with_everything_parked),
		SIDE_TEST(test_parked_command_holds_the_file),
		SIDE_TEST(test_registered_file),
		SIDE_TEST(test_chain),
		SIDE_TEST(test_chain_breaks),
		SIDE_TEST(test_killed_in_a_chain),
		SIDE_TEST(test_drain_flag_waits),
		SIDE_TEST(test_drain_flag_for_ever),
		SIDE_TEST(test_read_infer_write),
		SIDE_TEST(test_polled_ring_is_refused),
		SIDE_TEST(test_large_entries),
		SIDE_TEST(test_inherited_ring),
		SIDE_TEST(test_both_roles_in_one_ring),
		SIDE_TEST(test_two_rings_cross),
		SIDE_TEST(test_three_rings_in_a_circle),
	};
	struct CMUnitTest tests[PARKINGS * ENDINGS + COUNT(others)];
	unsigned int i;

	side_main(argc, argv);
	if (side_door == DOOR_IOCTL)
		side_door = DOOR_RING;
	for (i = 0; i < PARKINGS * ENDINGS; i++) {
		struct parked *k = &parked[i / ENDINGS][i % ENDINGS];

		k->what = i / ENDINGS;
		k->how = i % ENDINGS;
		tests[i] = parked_test(k);
	}
	memcpy(tests + i, others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
