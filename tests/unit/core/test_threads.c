// SPDX-License-Identifier: MIT
/*
 * No hidden state: two devices need no lock between them, and one device none
 * but the caller's.  ThreadSanitizer is the judge; without it these tests only
 * see the sums.
 */
#include <pthread.h>

#include "sim.h"

#define ROUNDS	20000

struct worker {
	struct sim *sim;
	pthread_mutex_t *lock;	/* NULL: the device is mine alone */
	u32 tenant;
	u32 executed;
};

/* cmocka's asserts belong to the main thread: failures only show in the counts. */
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

static void run_two(struct worker *workers)
{
	pthread_t threads[2];

	for (u32 i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (u32 i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_threads_two_devices(void **state)
{
	struct worker workers[] = { { .sim = sim_new() }, { .sim = sim_new() } };

	run_two(workers);
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(workers[i].executed, ROUNDS);
		assert_int_equal(workers[i].sim->dev.queued, 0);
		free(workers[i].sim);
	}
}

static void test_threads_one_device(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct sim *sim = sim_new();
	struct worker workers[] = {
		{ .sim = sim, .lock = &lock, .tenant = 0 },
		{ .sim = sim, .lock = &lock, .tenant = 1 },
	};

	run_two(workers);
	assert_int_equal(workers[0].executed + workers[1].executed, 2 * ROUNDS);
	assert_int_equal(sim->dev.queued, 0);
	free(sim);
}

const struct CMUnitTest thread_tests[] = {
	cmocka_unit_test(test_threads_two_devices),
	cmocka_unit_test(test_threads_one_device),
	{ 0 },
};
