// SPDX-License-Identifier: MIT
/*
 * kill -9 of each side, and of several at once, in each state that a request can
 * be in.  Whoever is left finds the request answered exactly once, and in the
 * end nothing is left of anybody.
 */
#include <stdio.h>
#include <stdlib.h>

#include "side.h"

#define CLIENT		1u
#define EXECUTOR	2u
#define HOLDER		4u
#define EVERYBODY	(CLIENT | EXECUTOR | HOLDER)

/* Where the request is when they are killed. */
enum place {
	QUEUED,
	FETCHED,
	RECOVERING,	/* the executor was detached, but is not gone */
	ORPHANED,	/* cancelled while fetched */
	LOST,		/* likewise, and then the executor was detached */
	PLACES
};

static const struct {
	const char *name;
	uint32_t state;
} places[PLACES] = {
	[QUEUED] = { "queued", AIF_STATE_QUEUED },
	[FETCHED] = { "fetched", AIF_STATE_FETCHED },
	[RECOVERING] = { "recovering", AIF_STATE_RECOVERING },
	[ORPHANED] = { "orphaned", AIF_STATE_ORPHANED },
	[LOST] = { "orphaned, its executor detached", AIF_STATE_ORPHANED },
};

struct killing {
	enum place place;
	unsigned int victims;
	struct party *holder, *executor, *client;
};

static bool killed(const struct killing *k, unsigned int who)
{
	return k->victims & who;
}

/* A stopped process makes no progress: the watchdog detaches it, it lives on. */
static void detach(struct killing *k)
{
	party_stop(k->executor);
	EVENTUALLY(side_counted("executor_deaths") == 1);
	assert_int_equal(side_counted("watchdog_detached"), 1);
}

static void begin(struct killing *k)
{
	struct aif_service_desc desc = side_desc();

	/* Soon, but not while the next executor is at work. */
	if (k->place == RECOVERING || k->place == LOST)
		desc.progress_ms = 400;
	k->holder = holder_new(&desc);
	k->executor = executor_new(side_door);
	k->client = client_new(side_door);
	assert_int_equal(executor_take(k->executor, 1), 0);	/* the grant */
	assert_int_equal(client_send(k->client, 0, 1), 1);
	if (k->place != QUEUED)
		assert_int_equal(executor_take(k->executor, 1), 1);
	if (k->place == ORPHANED || k->place == LOST)
		assert_int_equal(client_cancel(k->client, 0), 0);
	if (k->place == RECOVERING || k->place == LOST)
		detach(k);
	assert_int_equal(client_state(k->client, 0), places[k->place].state);
	/* They die in the middle of something. */
	client_begin_quiet(k->client, 0);
	raw_sleep_ms(2);
	assert_false(party_is_done(k->client));
}

static void kill_victims(struct killing *k)
{
	if (killed(k, CLIENT))
		party_signal(k->client, SIGKILL);
	if (killed(k, EXECUTOR))
		party_signal(k->executor, SIGKILL);
	if (killed(k, HOLDER))
		party_signal(k->holder, SIGKILL);
	if (killed(k, CLIENT))
		party_gone(k->client);
	if (killed(k, EXECUTOR))
		party_gone(k->executor);
	if (killed(k, HOLDER))
		party_gone(k->holder);
}

/* The executor lives and has the request: nobody else gets it, it gives it back. */
static void executor_ends(struct killing *k)
{
	bool cancelled = k->place == ORPHANED || killed(k, CLIENT);

	if (killed(k, CLIENT)) {
		EVENTUALLY(side_counted("answered") == 1);
		assert_int_equal(raw_alive("clients"), 1);	/* its memory is not quiet */
	}
	/* Even when the service is gone: then it says so, and takes what comes back. */
	assert_int_equal(executor_take(k->executor, 1), killed(k, HOLDER) ? -ENODEV : 0);
	if (!killed(k, HOLDER))
		assert_int_equal(executor_events(k->executor, AIF_EVENT_CANCELLED), cancelled);
	/* A dead client's memory was taken from it. */
	assert_int_equal(killed(k, CLIENT) ? executor_give(k->executor, 0, 0) :
			 executor_echo(k->executor, 0), 0);
	assert_int_equal(side_counted("stale_commits"), 0);
}

/* The request is for the next executor: alone, with the number of its attempt. */
static void another_takes_it(struct killing *k, uint32_t attempt)
{
	struct party *heir = executor_new(side_door);

	executor_begin_take(heir, 2);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_held(heir, 0).attempt, attempt);
	assert_int_equal(executor_echo(heir, 0), 0);
}

/* There is nothing for the next executor. */
static void nobody_gets_it(struct killing *k)
{
	if (!killed(k, HOLDER))
		assert_int_equal(executor_take(executor_new(side_door), 1), 0);
}

static bool somebody_holds_it(const struct killing *k)
{
	return (k->place == FETCHED || k->place == ORPHANED) && !killed(k, EXECUTOR);
}

/* It can be executed again, and somebody waits for it. */
static bool it_goes_on(const struct killing *k)
{
	return !killed(k, HOLDER) && !killed(k, CLIENT) &&
	       (k->place == QUEUED ||
		(k->place == FETCHED && killed(k, EXECUTOR)) || k->place == RECOVERING);
}

static int expected_result(const struct killing *k)
{
	if (k->place == ORPHANED || k->place == LOST)
		return -ECANCELED;
	if (killed(k, HOLDER) && !somebody_holds_it(k))
		return -ENODEV;
	return 0;
}

/* Detached, it is as good as dead for the service; its memory waits for its end. */
static void end_detached(struct killing *k)
{
	if (killed(k, EXECUTOR) || (k->place != RECOVERING && k->place != LOST))
		return;
	if (killed(k, CLIENT)) {
		EVENTUALLY(side_counted("answered") == 1);
		NEVER_FOR(50, raw_alive("clients") != 1);
	} else {
		NEVER_FOR(50, party_is_done(k->client));
	}
	party_kill(k->executor);
}

static void test_kill(void **state)
{
	struct killing *k = *state;

	begin(k);
	kill_victims(k);
	end_detached(k);
	if (somebody_holds_it(k))
		executor_ends(k);
	else if (it_goes_on(k))
		another_takes_it(k, k->place == QUEUED ? 1 : 2);
	if (killed(k, CLIENT)) {
		assert_int_equal(raw_alive_becomes("clients", 0), 0);
	} else {
		assert_int_equal(party_end(k->client), 0);
		assert_int_equal(client_result(k->client, 0), expected_result(k));
		assert_int_equal(client_echoed(k->client, 0),
				 somebody_holds_it(k) || it_goes_on(k));
	}
	nobody_gets_it(k);
	if (!killed(k, CLIENT))
		assert_int_equal(client_answered(k->client), 1);
	assert_int_equal(side_counted("answered"), 1);
	assert_int_equal(side_counted("poisoned") + side_counted("owner_dead"), 0);
}

/* "queued: kill client and holder (ring)" */
static char *name_of(const struct killing *k)
{
	static const char *const victims[] = {
		"", "client", "executor", "client and executor", "holder", "client and holder",
		"executor and holder", "everybody",
	};
	char *name;

	if (asprintf(&name, "%s: kill %s (%s)", places[k->place].name, victims[k->victims],
		     door_name(side_door)) < 0)
		abort();
	return name;
}

int main(int argc, char **argv)
{
	static struct killing killings[PLACES][EVERYBODY];
	static struct CMUnitTest tests[PLACES * EVERYBODY];
	struct CMUnitTest *t = tests;
	unsigned int victims, place;

	side_main(argc, argv);
	for (place = 0; place < PLACES; place++) {
		for (victims = 1; victims <= EVERYBODY; victims++) {
			struct killing *k = &killings[place][victims - 1];

			k->place = place;
			k->victims = victims;
			*t++ = (struct CMUnitTest){
				.name = name_of(k), .test_func = test_kill,
				.setup_func = side_setup, .teardown_func = side_teardown,
				.initial_state = k,
			};
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
