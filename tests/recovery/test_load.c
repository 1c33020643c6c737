// SPDX-License-Identifier: MIT
/*
 * Clients that send as fast as they can while their executors are killed at
 * random.  Each client keeps a ledger, and the module's counters must agree with
 * them: every request is answered once, by an execution that began after the one
 * before it had died.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "side.h"

#define LOAD_MS		4000
#define CLIENTS		4
#define WORKERS		3
#define ATTEMPTS_MAX	16	/* nobody is as unlucky as that */

/* ---- workers ---- */

/*
 * Some of what it takes lasts, and some of that it says.  That it was detached
 * meanwhile it will learn soon enough.
 */
static void work_on(struct raw_taken t)
{
	switch (rand() % 4) {
	case 0:
		raw_sleep_ms((unsigned int)rand() % 4);
		break;
	case 1:
		door_progress(me.executor_door, &me.executor, t, 8);
		raw_sleep_ms(1);
		break;
	}
}

static uint32_t work_through(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		struct raw_taken t = me.taken[i];

		work_on(t);
		me.executor.commit[i] = (struct aif_commit){
			.index = t.slot, .generation = t.generation,
		};
		if (side_echo(t) < 0)	/* revoked: its client is gone */
			me.executor.commit[i].result = -EFAULT;
		else
			me.executor.commit[i].produced = 64;
	}
	return (uint32_t)n;
}

/* Until it is killed; what it returns before that is what went wrong. */
static long deed_work(long *arg)
{
	uint32_t commits = 0;
	int n;

	srand((unsigned int)arg[0]);
	for (;;) {
		n = door_turn(me.executor_door, &me.executor, 0, commits,
			      1 + (uint32_t)rand() % SIDE_SLOTS);
		if (n >= 0)
			n = raw_deliveries(&me.executor, (uint32_t)n, me.taken);
		if (n == -EINTR)	/* what was given back was taken */
			n = 0;
		if (n < 0)
			return n;
		commits = work_through(n);
	}
}

/* ---- clients ---- */

struct ledger {
	long sent;
	long good;
	long dead;	/* -EOWNERDEAD */
	long ended;	/* cancelled, expired */
	long repeated;	/* executions beyond the first */
	long wrong;	/* what must not be */
};

static struct ledger ledger;
static uint8_t flags_of[SIDE_DEPTH];
static bool open_tags[SIDE_DEPTH];	/* sent, and not in the ledger yet */
static uint32_t open_count;

static bool tag_is_free(uint32_t tag)
{
	uint32_t state = raw_state(&me.client, tag, me.generation[tag]);

	return !open_tags[tag] && (state == AIF_STATE_FREE || state == AIF_STATE_DONE);
}

/* A few of the free tags; with @unruly, some will not wait for long. */
static int send_some(bool unruly)
{
	struct aif_desc d[SIDE_DEPTH];
	uint32_t want = 1 + (uint32_t)rand() % 8, n = 0, tag;
	uint64_t deadline;
	int i, sent;

	for (tag = 0; tag < SIDE_DEPTH && n < want; tag++) {
		if (!tag_is_free(tag))
			continue;
		deadline = unruly && rand() % 8 == 0 ?
			   raw_now() + (uint64_t)(1 + rand() % 20) * 1000000 : 0;
		d[n++] = side_request(tag, rand() % 2 ? AIF_REQ_F_RESTART : 0, deadline);
	}
	sent = n ? door_submit(me.client_door, &me.client, d, n, 0) : 0;
	if (sent == -ETIME && unruly)	/* the time was over before it came there */
		return 0;
	for (i = 0; i < sent; i++) {
		me.generation[d[i].tag] = d[i].generation;
		flags_of[d[i].tag] = d[i].flags;
		open_tags[d[i].tag] = true;
		open_count++;
		ledger.sent++;
	}
	return sent;
}

static void enter(uint32_t tag, bool unruly)
{
	const struct aif_completion *c = &me.client.done[tag];

	open_tags[tag] = false;
	open_count--;
	if (c->attempt)
		ledger.repeated += c->attempt - 1;
	if (c->result == 0 && side_echoed(tag))
		ledger.good++;
	else if (c->result == -EOWNERDEAD && (unruly || !(flags_of[tag] & AIF_REQ_F_RESTART)))
		ledger.dead++;
	else if (unruly && (c->result == -ECANCELED || c->result == -ETIME))
		ledger.ended++;
	else
		ledger.wrong++;
}

static void enter_answered(bool unruly)
{
	uint32_t tag;

	for (tag = 0; tag < SIDE_DEPTH; tag++)
		if (open_tags[tag] && raw_answered(&me.client, tag, me.generation[tag]))
			enter(tag, unruly);
}

static int cancel_one(void)
{
	uint32_t tag = (uint32_t)rand() % SIDE_DEPTH;
	int err = door_cancel(me.client_door, &me.client, tag, me.generation[tag]);

	return err == -ENOENT ? 0 : err;
}

/* Send for @arg[0] ms, wait for the rest, report the ledger: 0 or -errno. */
static long deed_load(long *arg)
{
	uint64_t end = raw_now() + (uint64_t)arg[0] * 1000000;
	bool unruly = arg[2];
	uint64_t answered;
	int err = 0;

	srand((unsigned int)arg[1]);
	while (err >= 0 && (raw_now() < end || open_count)) {
		answered = __atomic_load_n(&me.client.status->answered, __ATOMIC_ACQUIRE);
		if (raw_now() < end)
			err = send_some(unruly);
		if (err >= 0 && unruly && rand() % 4 == 0)
			err = cancel_one();
		enter_answered(unruly);
		if (err >= 0 && open_count)
			err = door_wait(me.client_door, &me.client, answered + 1);
		else if (err >= 0)	/* all tags wait for dead executors' memory */
			err = door_wait_quiet(me.client_door, &me.client, AIF_TAG_ALL);
	}
	if (err >= 0)
		err = door_wait_quiet(me.client_door, &me.client, AIF_TAG_ALL);
	memcpy(arg, &ledger, sizeof(ledger));
	if ((long)me.client.status->answered != ledger.sent)
		return -EPROTO;
	return err < 0 ? err : 0;
}

/* ---- the killings ---- */

_Static_assert(sizeof(struct ledger) == PARTY_ARGS * sizeof(long), "a ledger is reported whole");

static enum door_kind some_door(unsigned int i)
{
	static const enum door_kind doors[] = { DOOR_IOCTL, DOOR_RING, DOOR_DEFER, DOOR_SQPOLL };

	return side_door == DOOR_IOCTL ? DOOR_IOCTL : doors[i % COUNT(doors)];
}

static struct party *new_worker(void)
{
	struct party *p = executor_new(some_door((unsigned int)rand()));

	BEGIN(p, deed_work, rand());
	return p;
}

static struct party *new_client(bool unruly, long ms)
{
	struct party *p = client_new(some_door((unsigned int)rand()));

	BEGIN(p, deed_load, ms, rand(), unruly);
	return p;
}

static void replace_worker(struct party **p)
{
	/* Only death ends its work. */
	assert_false(party_is_done(*p));
	party_kill(*p);
	*p = new_worker();
}

static struct ledger settle(struct party *client)
{
	struct ledger l;

	assert_int_equal(party_end_with(client, (long *)&l), 0);
	assert_int_equal(l.wrong, 0);
	assert_int_equal(l.sent, l.good + l.dead + l.ended);
	return l;
}

/* @progress_ms 0: no watchdog. */
static void begin_load(struct party **holder, struct party **workers, uint32_t progress_ms)
{
	struct aif_service_desc desc = side_desc();
	unsigned int i;

	srand((unsigned int)time(NULL));
	if (progress_ms) {
		desc.progress_ms = progress_ms;
		desc.recovery_ms = 2 * progress_ms;
	}
	desc.max_attempts = ATTEMPTS_MAX;
	desc.step_tokens = 2;
	*holder = holder_new(&desc);
	for (i = 0; i < WORKERS; i++)
		workers[i] = new_worker();
}

/* It may be detached while it is stopped, and finds out when it goes on. */
static void interrupt_worker(struct party **p, unsigned int ms)
{
	long err;

	party_stop(*p);
	raw_sleep_ms(ms);
	party_signal(*p, SIGCONT);
	if (!party_is_done(*p))
		return;
	err = party_end(*p);
	assert_true(err == -ENODEV || err == -ENOENT);	/* FETCH, or mapping what it brought */
	party_kill(*p);
	*p = new_worker();
}

static bool any_busy(struct party **clients)
{
	unsigned int i;

	for (i = 0; i < CLIENTS; i++)
		if (!party_is_done(clients[i]))
			return true;
	return false;
}

/* Nobody dies: whoever is not woken when he should be waits for ever. */
static void test_nobody_dies(void **state)
{
	struct party *holder, *workers[WORKERS], *clients[CLIENTS];
	struct ledger l;
	unsigned int i;

	begin_load(&holder, workers, 0);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = new_client(false, LOAD_MS / 2);
	for (i = 0; i < CLIENTS; i++) {
		l = settle(clients[i]);
		assert_int_equal(l.good, l.sent);
		assert_int_equal(l.repeated, 0);
	}
	assert_int_equal(side_counted("executor_deaths"), 0);
}

static void test_ledgers_agree(void **state)
{
	struct party *holder, *workers[WORKERS], *clients[CLIENTS];
	struct ledger all = { 0 }, l;
	unsigned int i;

	begin_load(&holder, workers, 0);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = new_client(false, LOAD_MS);
	while (any_busy(clients)) {
		raw_sleep_ms((unsigned int)rand() % 40);
		replace_worker(&workers[rand() % WORKERS]);
	}
	for (i = 0; i < CLIENTS; i++) {
		l = settle(clients[i]);
		all.sent += l.sent;
		all.good += l.good;
		all.dead += l.dead;
		all.repeated += l.repeated;
	}
	print_message("# %ld sent, %ld good, %ld owner dead, %ld repeated, %ld deaths\n", all.sent,
		      all.good, all.dead, all.repeated, side_counted("executor_deaths"));
	assert_int_equal(side_counted("requests"), all.sent);
	assert_int_equal(side_counted("answered"), all.sent);
	assert_int_equal(side_counted("owner_dead"), all.dead);
	assert_int_equal(side_counted("recoveries"), all.repeated);
	assert_int_equal(side_counted("poisoned"), 0);
	assert_int_equal(side_counted("stale_commits"), 0);
	assert_int_equal(holder_describe(holder).out_answered, all.sent);
	assert_int_equal(holder_describe(holder).out_recovered, all.repeated);
	/* A load that met no death has shown nothing. */
	assert_true(all.good > 0 && all.repeated > 0);
}

/* Clients cancel, give up and die as well. */
static void test_everybody_dies(void **state)
{
	struct party *holder, *workers[WORKERS], *clients[CLIENTS];
	uint64_t end = raw_now() + (uint64_t)LOAD_MS * 1000000;
	uint64_t patience = end + (uint64_t)LOAD_MS * 4000000;
	unsigned int i;

	begin_load(&holder, workers, 0);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = new_client(true, 100);
	/* On a busy machine few die, and perhaps none with a request in hand. */
	while (raw_now() < end || (!side_counted("recoveries") && raw_now() < patience)) {
		raw_sleep_ms((unsigned int)rand() % 30);
		replace_worker(&workers[rand() % WORKERS]);
		i = (unsigned int)rand() % CLIENTS;
		if (party_is_done(clients[i]))
			settle(clients[i]);
		party_kill(clients[i]);
		clients[i] = new_client(true, 1 + rand() % 200);
	}
	for (i = 0; i < CLIENTS; i++)
		settle(clients[i]);
	print_message("# %ld sent, %ld recovered, %ld deaths\n", side_counted("requests"),
		      side_counted("recoveries"), side_counted("executor_deaths"));
	EVENTUALLY(side_counted("answered") == side_counted("requests"));
	EVENTUALLY(raw_alive("clients") == CLIENTS);
	assert_int_equal(holder_describe(holder).out_queued, 0);
	assert_int_equal(side_counted("poisoned"), 0);
	assert_true(side_counted("recoveries") > 0);
}

/*
 * Executors that were detached go on writing, into pages of their own: what is
 * answered well stays so, and what is answered otherwise is answered once.
 */
static void test_detached_under_load(void **state)
{
	struct party *holder, *workers[WORKERS], *clients[CLIENTS];
	long sent = 0;
	unsigned int i;

	begin_load(&holder, workers, 20);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = new_client(true, LOAD_MS);
	while (any_busy(clients))
		interrupt_worker(&workers[rand() % WORKERS], (unsigned int)rand() % 60);
	for (i = 0; i < CLIENTS; i++)
		sent += settle(clients[i]).sent;
	print_message("# %ld sent, %ld detached, %ld owner dead, %ld stale commits\n", sent,
		      side_counted("watchdog_detached"), side_counted("owner_dead"),
		      side_counted("stale_commits"));
	assert_int_equal(side_counted("answered"), sent);
	assert_true(side_counted("watchdog_detached") > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIDE_TEST(test_nobody_dies),
		SIDE_TEST(test_ledgers_agree),
		SIDE_TEST(test_everybody_dies),
		SIDE_TEST(test_detached_under_load),
	};

	side_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
