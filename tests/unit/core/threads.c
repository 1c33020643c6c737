// SPDX-License-Identifier: MIT
/*
 * No hidden state: two devices need no lock between them, and one device none
 * but the caller's.  ThreadSanitizer is the judge; without it these tests only
 * see the sums.
 */
#include <pthread.h>

#include "aif_sim.h"

#define ROUNDS	20000

struct worker {
	struct sim *sim;
	pthread_mutex_t *lock;	/* NULL: the device is mine alone */
	u32 tenant;
	u32 executed;
};

/* Assertions belong to the main thread: failures only show in the counts. */
static void *work(void *arg)
{
	struct worker *w = arg;

	for (u32 i = 0; i < ROUNDS; i++) {
		if (w->lock)
			pthread_mutex_lock(w->lock);
		sim_submit(w->sim, sim_lane(w->sim, i % 2, w->tenant), i % 7);
		w->executed += sim_step(w->sim) != NULL;
		if (w->lock)
			pthread_mutex_unlock(w->lock);
	}
	return NULL;
}

static void run_two(struct kunit *test, struct worker *workers)
{
	pthread_t threads[2];

	for (u32 i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (u32 i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, pthread_join(threads[i], NULL), 0);
}

static void test_threads_two_devices(struct kunit *test)
{
	struct worker workers[] = { { .sim = sim_new(test) }, { .sim = sim_new(test) } };

	run_two(test, workers);
	for (u32 i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, workers[i].executed, ROUNDS);
		KUNIT_EXPECT_EQ(test, workers[i].sim->dev.queued, 0);
	}
}

static void test_threads_one_device(struct kunit *test)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct sim *sim = sim_new(test);
	struct worker workers[] = {
		{ .sim = sim, .lock = &lock, .tenant = 0 },
		{ .sim = sim, .lock = &lock, .tenant = 1 },
	};

	run_two(test, workers);
	KUNIT_EXPECT_EQ(test, workers[0].executed + workers[1].executed, 2 * ROUNDS);
	KUNIT_EXPECT_EQ(test, sim->dev.queued, 0);
}

static struct kunit_case threads_cases[] = {
	KUNIT_CASE(test_threads_two_devices),
	KUNIT_CASE(test_threads_one_device),
	{}
};

static struct kunit_suite threads_suite = {
	.name = "threads",
	.test_cases = threads_cases,
};

kunit_test_suite(threads_suite);
