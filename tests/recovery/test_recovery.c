// SPDX-License-Identifier: MIT
/*
 * What becomes of the requests that a dead executor held: who gets them, when
 * that is safe, and what is answered when it is not.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "side.h"

#define ELSEWHERE	"elsewhere"
#define POISONED_TAG	3u
#define A_WHILE_MS	100	/* long for the module, which looks every few ms */

/* Kills the executor @p, with what it holds. */
static void crash(struct party *p)
{
	party_kill(p);
	EVENTUALLY(side_counted("executor_deaths") > 0);
}

/* An executor that holds @n requests of a client that has sent just these. */
static struct party *executor_with(struct party *client, uint32_t n)
{
	struct party *p = executor_new(side_door);

	assert_int_equal(client_send(client, 0, n), (int)n);
	assert_int_equal(executor_take(p, n), (int)n);
	return p;
}

/* Waits for one request, which is tag @tag's execution number @attempt. */
static void expect_request(struct party *p, uint32_t i, uint32_t tag, uint32_t attempt)
{
	executor_begin_take(p, SIDE_SLOTS);
	assert_int_equal(party_end(p), 1);
	assert_int_equal(executor_held(p, i).tag, tag);
	assert_int_equal(executor_held(p, i).attempt, attempt);
}

static void expect_echo(struct party *client, uint32_t tag, uint32_t attempt)
{
	assert_int_equal(client_result(client, tag), 0);
	assert_int_equal(client_look(client, tag).attempt, attempt);
	assert_int_equal(client_look(client, tag).produced, 64);
	assert_true(client_echoed(client, tag));
}

/* ---- poison ---- */

/* Executes whatever comes, and dies of the poison; false when nothing is left. */
static bool one_life(uint32_t *deaths)
{
	struct party *p = executor_new(side_door);
	uint32_t i;
	int n;

	for (i = 0; ; i++) {
		n = executor_take(p, SIDE_SLOTS);
		if (!n)
			break;
		assert_int_equal(n, 1);		/* alone, whatever the credit */
		assert_true(executor_take(p, SIDE_SLOTS) <= 0);
		if (executor_held(p, i).tag == POISONED_TAG) {
			(*deaths)++;
			party_kill(p);
			return true;
		}
		assert_int_equal(executor_echo(p, i), 0);
	}
	party_kill(p);
	return false;
}

static void poison_among(uint32_t max_attempts)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *bystander;
	uint32_t deaths = 1, tag;

	desc.max_attempts = max_attempts;
	holder_new(&desc);
	client = client_new(side_door);
	bystander = executor_new(side_door);
	crash(executor_with(client, 8));
	EVENTUALLY(side_counted("recoveries") == 8);
	while (one_life(&deaths))
		EVENTUALLY(side_counted("recoveries") == 7 + deaths ||
			   side_counted("poisoned") == 1);
	assert_int_equal(deaths, max_attempts);
	assert_int_equal(client_answered(client), 8);
	for (tag = 0; tag < 8; tag++) {
		if (tag != POISONED_TAG)
			expect_echo(client, tag, 2);
	}
	assert_int_equal(client_result(client, POISONED_TAG), -EIO);
	assert_int_equal(client_look(client, POISONED_TAG).attempt, max_attempts);
	assert_int_equal(executor_take(bystander, 1), 0);
	assert_int_equal(executor_events(bystander, AIF_EVENT_POISON), 1);
}

static void test_poison_fails_alone(void **state)
{
	poison_among(2);
}

static void test_poison_has_as_many_attempts_as_the_service_says(void **state)
{
	poison_among(4);
}

static void test_poison_at_once(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client;

	desc.max_attempts = 1;
	holder_new(&desc);
	client = client_new(side_door);
	crash(executor_with(client, 2));
	client_begin_quiet(client, AIF_TAG_ALL);
	assert_int_equal(party_end(client), 0);
	assert_int_equal(client_result(client, 0), -EIO);
	assert_int_equal(client_result(client, 1), -EIO);
	assert_int_equal(side_counted("recoveries"), 0);
}

/* Waiting for work is not executing it: no attempt is counted. */
static void test_idle_deaths_cost_no_attempt(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *p;
	int i;

	holder_new(&desc);
	client = client_new(side_door);
	for (i = 0; i < 5; i++) {
		p = executor_new(side_door);
		executor_begin_take(p, 1);
		raw_sleep_ms(5);
		party_kill(p);
	}
	assert_int_equal(client_send(client, 0, 1), 1);
	p = executor_new(side_door);
	expect_request(p, 0, 0, 1);
	assert_int_equal(executor_echo(p, 0), 0);
	expect_echo(client, 0, 1);
}

/* Nor is work that was on its way when the executor died. */
static void test_killed_before_it_came(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *p, *heir;

	holder_new(&desc);
	client = client_new(side_door);
	p = executor_new(side_door);
	executor_begin_take(p, 1);
	raw_sleep_ms(20);
	party_stop(p);
	assert_int_equal(client_send(client, 0, 1), 1);
	raw_sleep_ms(5);
	party_kill(p);
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 1);
	assert_int_equal(side_counted("recoveries"), 0);
}

/* ---- delivered alone ---- */

static void test_recovered_waits_for_an_empty_executor(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *busy, *dead;

	desc.step_tokens = 2;
	holder_new(&desc);
	client = client_new(side_door);
	busy = executor_with(client, 1);
	dead = executor_new(side_door);
	assert_int_equal(client_send(client, 1, 1), 1);
	assert_int_equal(executor_take(dead, 1), 1);
	crash(dead);
	EVENTUALLY(side_counted("recoveries") == 1);
	assert_int_equal(executor_take(busy, 1), -EBUSY);
	executor_begin_take(busy, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(busy));
	party_kill(busy);	/* and so tag 0 is recovered as well */
	EVENTUALLY(side_counted("recoveries") == 2);
	busy = executor_new(side_door);
	expect_request(busy, 0, 0, 2);
	assert_int_equal(executor_echo(busy, 0), 0);
	expect_request(busy, 1, 1, 2);
	assert_int_equal(executor_echo(busy, 1), 0);
	expect_echo(client, 0, 2);
	expect_echo(client, 1, 2);
}

/* A blocked FETCH of another gets it, and nothing joins it. */
static void test_recovered_goes_to_who_waits(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *heir, *dead;

	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 2);
	heir = executor_new(side_door);
	executor_begin_take(heir, SIDE_SLOTS);
	assert_int_equal(client_send(client, 2, 1), 1);
	NEVER_FOR(20, party_is_done(heir));	/* one token, and the dead one has it */
	party_kill(dead);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	executor_begin_take(heir, SIDE_SLOTS);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 1), 0);
	executor_begin_take(heir, SIDE_SLOTS);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 2), 0);
	assert_int_equal(client_answered(client), 3);
	expect_echo(client, 0, 2);
	expect_echo(client, 1, 2);
	assert_int_equal(client_result(client, 2), 0);
}

/* ---- progress ---- */

static void test_progress_is_kept(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead;

	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	assert_int_equal(executor_progress(dead, 0, 100), 0);
	assert_int_equal(client_look(client, 0).produced, 100);
	crash(dead);
	client_begin_quiet(client, 0);
	assert_int_equal(party_end(client), 0);
	assert_int_equal(client_result(client, 0), -EOWNERDEAD);
	assert_int_equal(client_look(client, 0).produced, 100);
	assert_int_equal(side_counted("owner_dead"), 1);
	assert_int_equal(executor_take(executor_new(side_door), 1), 0);
}

static void test_progress_of_nothing_is_no_progress(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir;

	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	assert_int_equal(executor_progress(dead, 0, 0), 0);
	crash(dead);
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

static void test_restart_begins_again(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir;

	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_new(side_door);
	assert_int_equal(client_send_flags(client, 0, AIF_REQ_F_RESTART), 1);
	assert_int_equal(executor_take(dead, 1), 1);
	assert_int_equal(executor_held(dead, 0).flags, AIF_REQ_F_RESTART);
	assert_int_equal(executor_progress(dead, 0, 100), 0);
	crash(dead);
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 2);
	assert_int_equal(client_look(client, 0).produced, 0);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

/* ---- pins that survive ---- */

/*
 * @dead holds the request of tag 0; when it is killed, what it returns still has
 * the output pinned.
 */
static struct party *keeper_of(struct party *dead)
{
	struct party *keeper;

	assert_int_equal(executor_pin(dead, 0), 0);
	keeper = party_fork(dead);
	keeper_keep_pins(keeper);
	return keeper;
}

static void test_pin_ends_in_owner_dead(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir, *keeper;

	side_needs_ring();
	desc.recovery_ms = 200;
	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	heir = executor_new(side_door);
	keeper = keeper_of(dead);
	crash(dead);
	EVENTUALLY(client_state(client, 0) == AIF_STATE_ORPHANED);
	assert_int_equal(client_look(client, 0).result, -EOWNERDEAD);
	assert_int_equal(side_counted("owner_dead"), 1);

	/* What the answer was about. */
	assert_int_equal(keeper_write(keeper, 'L'), 1);
	assert_int_equal(client_output(client, 0), 'L');
	assert_int_equal(executor_take(heir, 1), 0);
	assert_int_equal(client_send(client, 0, 1), -EBUSY);
	assert_int_equal(client_cancel(client, 0), -ENOENT);
	client_begin_quiet(client, 0);
	NEVER_FOR(A_WHILE_MS, party_is_done(client));

	keeper_drop(keeper);
	assert_int_equal(party_end(client), 0);
	assert_int_equal(client_result(client, 0), -EOWNERDEAD);
	assert_int_equal(client_answered(client), 1);
	assert_int_equal(client_send(client, 0, 1), 1);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 1);
}

static void test_pin_delays_the_next_execution(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir, *keeper;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 2);
	heir = executor_new(side_door);
	keeper = keeper_of(dead);
	crash(dead);
	expect_request(heir, 0, 1, 2);		/* its pages are its own */
	assert_int_equal(executor_echo(heir, 0), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	assert_int_equal(client_state(client, 0), AIF_STATE_RECOVERING);
	assert_int_equal(keeper_write(keeper, 'L'), 1);
	party_kill(keeper);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 1), 0);
	expect_echo(client, 0, 2);
	expect_echo(client, 1, 2);
}

static void test_pin_and_client_gone(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *keeper;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	keeper = keeper_of(dead);
	crash(dead);
	party_kill(client);
	EVENTUALLY(side_counted("answered") == 1);
	NEVER_FOR(A_WHILE_MS, raw_alive("clients") != 1);
	assert_int_equal(raw_alive("buffer_bytes"), 2 * SIDE_DEPTH * SIDE_PAGE);
	party_kill(keeper);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

/* Draining ends when nothing is left to execute, whoever still has a pin. */
static void test_pin_does_not_stop_a_drain(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *holder, *client, *dead, *other;

	side_needs_ring();
	desc.recovery_ms = 50;
	holder = holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	other = executor_new(side_door);
	keeper_of(dead);
	crash(dead);
	EVENTUALLY(client_state(client, 0) == AIF_STATE_ORPHANED);
	assert_int_equal(executor_take(other, 1), 0);
	assert_int_equal(holder_drain(holder), 0);
	assert_int_equal(executor_take(other, 1), -ESHUTDOWN);
}

static void test_declared_client_pin_is_no_obstacle(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *heir;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	assert_int_equal(client_pin(client, 0), 0);
	assert_int_equal(client_declare(client, 1), 0);
	crash(executor_with(client, 1));
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

static void test_undeclared_client_pin_is_one(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *heir;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	assert_int_equal(client_pin(client, 0), 0);
	crash(executor_with(client, 1));
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	assert_int_equal(client_declare(client, 1), 0);	/* it may be said late */
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

static void test_one_pin_more_than_declared(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir, *keeper;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	assert_int_equal(client_pin(client, 0), 0);
	assert_int_equal(client_declare(client, 1), 0);
	dead = executor_with(client, 1);
	keeper = keeper_of(dead);
	crash(dead);
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	keeper_drop(keeper);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_give(heir, 0, 0), 0);
}

static void test_declaration_dies_with_its_executor(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir, *keeper;

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	keeper = keeper_of(dead);
	assert_int_equal(executor_declare(dead, 1), 0);
	crash(dead);
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	keeper_drop(keeper);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_give(heir, 0, 0), 0);
}

static void test_declared_pin_of_another_executor_is_no_obstacle(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir;

	side_needs_ring();
	desc.step_tokens = 2;
	holder_new(&desc);
	client = client_new(side_door);
	heir = executor_with(client, 1);
	assert_int_equal(executor_pin(heir, 0), 0);	/* tag 0's output ... */
	assert_int_equal(executor_declare(heir, 1), 0);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_send(client, 0, 1), 1);	/* ... is used again */
	dead = executor_new(side_door);
	assert_int_equal(executor_take(dead, 1), 1);
	crash(dead);
	expect_request(heir, 1, 0, 2);
	assert_int_equal(executor_echo(heir, 1), 0);
	expect_echo(client, 0, 2);
}

static long deed_serve_elsewhere(long *arg)
{
	struct aif_service_desc desc = side_desc();
	int err;

	strcpy(desc.name, ELSEWHERE);
	err = raw_service_create(&me.service, &desc, RAW_EXECUTOR_UID);
	return err ? err : raw_executor_open(&me.executor, &me.service, 1);
}

static long deed_grant_elsewhere(long *arg)
{
	int service = raw_service_open(&me.client, ELSEWHERE, RAW_EXECUTOR_UID);
	uint32_t grant;

	return service < 0 ? service : raw_grant(&me.client, me.buffer.handle, (uint32_t)service,
						 AIF_GRANT_F_WRITE, &grant);
}

static long deed_look_elsewhere(long *arg)
{
	return raw_take(&me.executor, AIF_FETCH_F_NONBLOCK, 1, me.taken);
}

/* What an executor declares is of no use to other services, which it could harm. */
static void test_declared_at_another_service(void **state)
{
	struct party *client, *dead, *heir, *keeper, *elsewhere;
	struct aif_service_desc desc = side_desc();

	side_needs_ring();
	holder_new(&desc);
	client = client_new(side_door);
	elsewhere = party_new(RAW_EXECUTOR_UID);
	assert_int_equal(ASK(elsewhere, deed_serve_elsewhere), 0);
	assert_int_equal(ASK(client, deed_grant_elsewhere), 0);
	assert_int_equal(ASK(elsewhere, deed_look_elsewhere), 0);
	assert_int_equal(executor_declare(elsewhere, 1), 0);
	dead = executor_with(client, 1);
	keeper = keeper_of(dead);
	crash(dead);
	heir = executor_new(side_door);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	keeper_drop(keeper);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

/* ---- the watchdog ---- */

static void detach_by_watchdog(struct party *p)
{
	party_stop(p);
	EVENTUALLY(side_counted("executor_deaths") == 1);
	assert_int_equal(side_counted("watchdog_detached"), 1);
}

static void test_stopped_executor_is_detached(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *stopped, *heir;

	desc.progress_ms = 100;
	desc.recovery_ms = 100;
	holder_new(&desc);
	client = client_new(side_door);
	stopped = executor_with(client, 1);
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
	detach_by_watchdog(stopped);
	/* It may wake up and write at any time: nobody else gets the request. */
	EVENTUALLY(client_state(client, 0) == AIF_STATE_ORPHANED);
	assert_int_equal(client_look(client, 0).result, -EOWNERDEAD);
	assert_int_equal(executor_take(heir, 1), 0);

	/* It does: into a page of its own, and what it commits is stale. */
	party_signal(stopped, SIGCONT);
	assert_int_equal(executor_echo(stopped, 0), -ENODEV);
	assert_int_equal(client_output(client, 0), 0);
	assert_int_equal(side_counted("stale_commits"), 1);
	assert_int_equal(executor_progress(stopped, 0, 1), -ENODEV);
	assert_int_equal(executor_take(stopped, 1), -ENODEV);
	client_begin_quiet(client, 0);
	NEVER_FOR(A_WHILE_MS, party_is_done(client));
	party_kill(stopped);
	assert_int_equal(party_end(client), 0);
	assert_int_equal(client_result(client, 0), -EOWNERDEAD);
	assert_int_equal(client_answered(client), 1);
}

static void test_detached_and_dead_within_the_recovery_time(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *stopped, *heir;

	desc.progress_ms = 500;
	holder_new(&desc);
	client = client_new(side_door);
	stopped = executor_with(client, 1);
	heir = executor_new(side_door);
	detach_by_watchdog(stopped);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	party_kill(stopped);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_held(heir, 0).attempt, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

/* Calls are signs of life, PROGRESS as good as any. */
static void test_working_executor_is_not_detached(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *p;
	int i;

	desc.progress_ms = 1000;
	holder_new(&desc);
	client = client_new(side_door);
	p = executor_with(client, 1);
	for (i = 0; i < 30; i++) {
		assert_int_equal(executor_progress(p, 0, 0), 0);
		raw_sleep_ms(50);
	}
	assert_int_equal(executor_echo(p, 0), 0);
	expect_echo(client, 0, 1);
	raw_sleep_ms(1500);	/* nor is one that has nothing to do */
	assert_int_equal(executor_take(p, 1), 0);
	assert_int_equal(side_counted("watchdog_detached"), 0);
}

/* ---- several threads ---- */

static int fetched_by_thread;
static pthread_t thread;

static void *fetch_forever(void *arg)
{
	struct door door;

	fetched_by_thread = door_open(&door, side_door);
	if (!fetched_by_thread)
		fetched_by_thread = door_turn(&door, &me.executor, 0, 0, 1);
	door_close(&door);
	return NULL;
}

static long deed_start_thread(long *arg)
{
	return -pthread_create(&thread, NULL, fetch_forever, NULL);
}

static long deed_join_thread(long *arg)
{
	return -pthread_join(thread, NULL) ?: fetched_by_thread;
}

static void test_death_while_a_thread_fetches(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *dead, *heir;

	holder_new(&desc);
	client = client_new(side_door);
	dead = executor_with(client, 1);
	assert_int_equal(ASK(dead, deed_start_thread), 0);
	raw_sleep_ms(20);
	crash(dead);
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

/* One thread hangs with a request, another waits for more. */
static void test_waiting_thread_of_a_detached_executor(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *hung, *heir;

	desc.progress_ms = 500;
	holder_new(&desc);
	client = client_new(side_door);
	hung = executor_with(client, 1);
	assert_int_equal(ASK(hung, deed_start_thread), 0);
	EVENTUALLY(side_counted("watchdog_detached") == 1);
	assert_int_equal(ASK(hung, deed_join_thread), -ENODEV);
	party_kill(hung);
	heir = executor_new(side_door);
	expect_request(heir, 0, 0, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	expect_echo(client, 0, 2);
}

/* ---- tokens ---- */

static void test_step_too_long_loses_its_token(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *slow, *other;

	desc.longest_step_ms = 100;
	holder_new(&desc);
	client = client_new(side_door);
	slow = executor_with(client, 1);
	other = executor_new(side_door);
	assert_int_equal(client_send(client, 1, 1), 1);
	executor_begin_take(other, 1);
	assert_int_equal(party_end(other), 1);
	assert_true(side_counted("step_overruns") >= 1);	/* the other's too on a slow machine */
	assert_int_equal(executor_echo(other, 0), 0);
	assert_int_equal(executor_echo(slow, 0), 0);	/* it has lost nothing else */
	expect_echo(client, 0, 1);
	expect_echo(client, 1, 1);
	assert_int_equal(client_send(client, 0, 1), 1);
	assert_int_equal(executor_take(slow, 1), 1);
	assert_int_equal(executor_echo(slow, 1), 0);
}

/* One token, and whoever is given it for a FETCH may never run. */
static void test_stopped_idle_executor_keeps_no_token(void **state)
{
	struct aif_service_desc desc = side_desc();
	struct party *client, *p[3];
	int i;

	desc.longest_step_ms = 100;
	holder_new(&desc);
	client = client_new(side_door);
	for (i = 0; i < 3; i++) {	/* whoever came first or last, it is stopped */
		p[i] = executor_new(side_door);
		executor_begin_take(p[i], 1);
		raw_sleep_ms(20);
		if (i != 1)
			party_stop(p[i]);
	}
	assert_int_equal(client_send(client, 0, 1), 1);
	assert_int_equal(party_end(p[1]), 1);
	assert_int_equal(executor_echo(p[1], 0), 0);
	expect_echo(client, 0, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIDE_TEST(test_poison_fails_alone),
		SIDE_TEST(test_poison_has_as_many_attempts_as_the_service_says),
		SIDE_TEST(test_poison_at_once),
		SIDE_TEST(test_idle_deaths_cost_no_attempt),
		SIDE_TEST(test_killed_before_it_came),
		SIDE_TEST(test_recovered_waits_for_an_empty_executor),
		SIDE_TEST(test_recovered_goes_to_who_waits),
		SIDE_TEST(test_progress_is_kept),
		SIDE_TEST(test_progress_of_nothing_is_no_progress),
		SIDE_TEST(test_restart_begins_again),
		SIDE_TEST(test_pin_ends_in_owner_dead),
		SIDE_TEST(test_pin_delays_the_next_execution),
		SIDE_TEST(test_pin_and_client_gone),
		SIDE_TEST(test_pin_does_not_stop_a_drain),
		SIDE_TEST(test_declared_client_pin_is_no_obstacle),
		SIDE_TEST(test_undeclared_client_pin_is_one),
		SIDE_TEST(test_one_pin_more_than_declared),
		SIDE_TEST(test_declaration_dies_with_its_executor),
		SIDE_TEST(test_declared_pin_of_another_executor_is_no_obstacle),
		SIDE_TEST(test_declared_at_another_service),
		SIDE_TEST(test_stopped_executor_is_detached),
		SIDE_TEST(test_detached_and_dead_within_the_recovery_time),
		SIDE_TEST(test_working_executor_is_not_detached),
		SIDE_TEST(test_death_while_a_thread_fetches),
		SIDE_TEST(test_waiting_thread_of_a_detached_executor),
		SIDE_TEST(test_step_too_long_loses_its_token),
		SIDE_TEST(test_stopped_idle_executor_keeps_no_token),
	};

	side_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
