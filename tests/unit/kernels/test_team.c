// SPDX-License-Identifier: MIT
/* Every task of every job runs exactly once, whoever sleeps, and run() returns after the last. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/backend/cpu/team.h"
#include "tests/unit/kernels/rig.h"

#define TASKS_MAX 5000

struct job {
	atomic_uint *ran;	/* [TASKS_MAX] */
};

static void count(const void *arg, size_t task, void *scratch)
{
	const struct job *job = arg;

	assert_int_equal((uintptr_t)scratch % 64, 0);
	atomic_fetch_add_explicit(&job->ran[task], 1, memory_order_relaxed);
}

/* The counters are read without waiting: run() must have ordered them before its return. */
static void run_and_check(struct aif_team *team, const struct job *job, size_t tasks)
{
	team->run(team, tasks, count, job);
	for (size_t i = 0; i < TASKS_MAX; i++) {
		unsigned int ran = atomic_load_explicit(&job->ran[i], memory_order_relaxed);

		if (ran != (i < tasks))
			fail_msg("task %zu of %zu ran %u times", i, tasks, ran);
		if (i < tasks)
			atomic_store_explicit(&job->ran[i], 0, memory_order_relaxed);
		else if (i > tasks)
			break;
	}
}

static void test_run_each_task_once(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 7, 100, TASKS_MAX };
	struct job job = { calloc(TASKS_MAX, sizeof(atomic_uint)) };
	struct aif_team *team;

	for (unsigned int threads = 1; threads <= 7; threads += 2) {
		assert_int_equal(aif_team_create(threads, 100, &team), 0);
		for (size_t round = 0; round < 2000; round++)
			run_and_check(team, &job, sizes[round % (COUNT(sizes) - 1)]);
		run_and_check(team, &job, TASKS_MAX);
		aif_team_free(team);
	}
	free(job.ran);
}

/* Pauses longer than the members spin: each run wakes sleepers. */
static void test_run_after_sleep(void **state)
{
	struct job job = { calloc(TASKS_MAX, sizeof(atomic_uint)) };
	struct aif_team *team;

	assert_int_equal(aif_team_create(3, 0, &team), 0);
	for (int round = 0; round < 100; round++) {
		usleep(round % 5 * 300);
		run_and_check(team, &job, 50);
	}
	aif_team_free(team);
	free(job.ran);
}

/* A task that ends only when @count of them have begun, or after some seconds in vain. */
struct meeting {
	atomic_uint *here, *met;
	unsigned int count;
};

static void meet(const void *arg, size_t task, void *scratch)
{
	const struct meeting *m = arg;

	atomic_fetch_add(m->here, 1);
	for (int i = 0; i < 10000 && atomic_load(m->here) < m->count; i++)
		usleep(1000);
	if (atomic_load(m->here) == m->count)
		atomic_fetch_add(m->met, 1);
}

/* As many tasks as threads, each waiting for all: nobody may be left asleep. */
static void test_run_wakes_all(void **state)
{
	atomic_uint here, met;
	struct meeting meeting = { &here, &met, 4 };
	struct aif_team *team;

	assert_int_equal(aif_team_create(4, 0, &team), 0);
	for (int round = 0; round < 5; round++) {
		usleep(50000);
		atomic_store(&here, 0);
		atomic_store(&met, 0);
		team->run(team, 4, meet, &meeting);
		assert_int_equal(atomic_load(&met), 4);
	}
	aif_team_free(team);
}

struct shadow {
	struct meeting meeting;
	pthread_t caller;
	cpu_set_t *member;
};

static void note_member(const void *arg, size_t task, void *scratch)
{
	const struct shadow *s = arg;

	if (!pthread_equal(pthread_self(), s->caller))
		sched_getaffinity(0, sizeof(*s->member), s->member);
	meet(&s->meeting, task, scratch);
}

/* The member may go wherever the team may, except where the caller is. */
static void test_run_member_off_caller(void **state)
{
	atomic_uint here, met;
	cpu_set_t all, one, member;
	struct shadow shadow = { { &here, &met, 2 }, pthread_self(), &member };
	struct aif_team *team;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2) {
		print_message("# SKIP: this process may use one processor only\n");
		skip();
	}
	assert_int_equal(aif_team_create(2, 0, &team), 0);
	for (int cpu = 0, seen = 0; seen < 2; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		seen++;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		atomic_store(&here, 0);
		atomic_store(&met, 0);
		team->run(team, 2, note_member, &shadow);
		assert_int_equal(atomic_load(&met), 2);
		CPU_OR(&one, &one, &member);
		assert_false(CPU_ISSET(cpu, &member));
		assert_true(CPU_EQUAL(&one, &all));
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	aif_team_free(team);
}

static void slow(const void *arg, size_t task, void *scratch)
{
	usleep(3000);
	count(arg, task, scratch);
}

/* Tasks longer than the caller spins: it sleeps, and the last task wakes it. */
static void test_run_waits_asleep(void **state)
{
	struct job job = { calloc(TASKS_MAX, sizeof(atomic_uint)) };
	struct aif_team *team;

	assert_int_equal(aif_team_create(4, 0, &team), 0);
	for (int round = 0; round < 20; round++) {
		team->run(team, 5, slow, &job);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(atomic_exchange(&job.ran[i], 0), 1);
	}
	aif_team_free(team);
	free(job.ran);
}

/* Plain memory written by tasks is visible after run() and to the next job's tasks. */
static void add_up(const void *arg, size_t task, void *scratch)
{
	long *const *cells = arg;

	cells[0][task] += cells[1][(task + 1) % 64];
}

static void test_run_orders_memory(void **state)
{
	long a[64], b[64], *forth[] = { a, b }, *back[] = { b, a };
	struct aif_team *team;
	uint64_t x = 1, y = 1;

	for (size_t i = 0; i < 64; i++)
		a[i] = b[i] = 1;
	assert_int_equal(aif_team_create(3, 0, &team), 0);
	for (int round = 0; round < 40; round++) {
		team->run(team, 64, add_up, forth);
		team->run(team, 64, add_up, back);
		x += y;
		y += x;
	}
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(a[i], x);
		assert_int_equal(b[i], y);
	}
	aif_team_free(team);
}

static void *own_team(void *arg)
{
	struct job job = { calloc(TASKS_MAX, sizeof(atomic_uint)) };
	struct aif_team *team;

	assert_int_equal(aif_team_create(3, 0, &team), 0);
	for (int round = 0; round < 1000; round++)
		run_and_check(team, &job, round % 20);
	aif_team_free(team);
	free(job.ran);
	return NULL;
}

static void test_teams_side_by_side(void **state)
{
	pthread_t threads[3];

	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, own_team, NULL), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
}

static void test_create_too_large(void **state)
{
	struct aif_team *team;

	assert_int_equal(aif_team_create(2, (size_t)PTRDIFF_MAX, &team), -ENOMEM);
	assert_int_equal(aif_team_create(2, SIZE_MAX, &team), -ENOMEM);
	aif_team_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_each_task_once),
		cmocka_unit_test(test_run_after_sleep),
		cmocka_unit_test(test_run_wakes_all),
		cmocka_unit_test(test_run_member_off_caller),
		cmocka_unit_test(test_run_waits_asleep),
		cmocka_unit_test(test_run_orders_memory),
		cmocka_unit_test(test_teams_side_by_side),
		cmocka_unit_test(test_create_too_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
