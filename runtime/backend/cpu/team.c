// SPDX-License-Identifier: MIT
/*
 * One word, `left`, holds the job's number (upper half) and how many of its tasks
 * nobody has claimed (lower half).  A thread claims one by lowering `left` from
 * the value it read; if that succeeds, the job cannot end before that task is
 * counted in `done`, so its other fields are stable.  A thread that comes late,
 * even by several jobs, fails to claim: the number changes with every job.  So
 * run() waits for claimed tasks only, not until everybody has looked.
 *
 * On a busy machine a member may wake on the caller's own processor, find the job
 * done by the caller, and sleep again: too short for the system ever to move it, and
 * the team computes at half its speed for seconds.  So members keep off the processor
 * that the caller is on; when it moved, they are told before the next job.
 *
 * Sleeping is the usual pair: the sleeper announces itself, then looks again;
 * the waker publishes, then looks for sleepers; both in one total order.
 */
#include "runtime/backend/cpu/team.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/backend/relax.h"

#define SPINS 2000
#define ALIGN 64

struct member {
	struct cpu_team *team;
	pthread_t thread;
	void *scratch;
};

struct cpu_team {
	struct aif_team team;
	struct member *members;		/* [0] is the caller */
	unsigned int started;		/* members with a thread, [1] to [started] */
	cpu_set_t allowed;		/* to the creator; empty: unknown */
	int caller_cpu;			/* that the members keep off; -1 none yet */

	/* The job; stable from a claim until that task is counted. */
	aif_task_fn *fn;
	const void *arg;
	unsigned int tasks;

	alignas(ALIGN) _Atomic uint64_t left;
	alignas(ALIGN) atomic_uint jobs;	/* futex of sleeping members */
	atomic_uint sleepers;
	atomic_bool stop;
	alignas(ALIGN) atomic_uint done;	/* tasks of this job; futex of a sleeping caller */
	atomic_bool caller_sleeps;
};

static void futex_wait(atomic_uint *word, unsigned int seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, unsigned int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* Until *word is no longer @seen, or for some ten microseconds; returns the last value read. */
static unsigned int spin(atomic_uint *word, unsigned int seen)
{
	unsigned int now;

	for (unsigned int i = 0; i < SPINS; i++) {
		now = atomic_load_explicit(word, memory_order_acquire);
		if (now != seen)
			break;
		aif_relax();
	}
	return now;
}

/* Run tasks of the current job until none is left to claim. */
static void work(struct cpu_team *t, void *scratch)
{
	uint64_t left = atomic_load_explicit(&t->left, memory_order_acquire);

	while ((uint32_t)left) {
		unsigned int tasks;

		if (!atomic_compare_exchange_weak_explicit(&t->left, &left, left - 1,
							   memory_order_acq_rel,
							   memory_order_acquire))
			continue;
		tasks = t->tasks;
		t->fn(t->arg, tasks - (uint32_t)left, scratch);
		if (atomic_fetch_add(&t->done, 1) + 1 == tasks && atomic_load(&t->caller_sleeps))
			futex_wake(&t->done, 1);
		left = atomic_load_explicit(&t->left, memory_order_acquire);
	}
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct cpu_team *t = m->team;
	unsigned int seen = 0;

	while (!atomic_load_explicit(&t->stop, memory_order_acquire)) {
		unsigned int now = spin(&t->jobs, seen);

		if (now == seen) {
			atomic_fetch_add(&t->sleepers, 1);
			futex_wait(&t->jobs, seen);
			atomic_fetch_sub(&t->sleepers, 1);
			continue;
		}
		seen = now;
		work(t, m->scratch);
	}
	return NULL;
}

static void wait_done(struct cpu_team *t, unsigned int tasks)
{
	unsigned int done = atomic_load(&t->done);

	for (unsigned int i = 0; done != tasks && i < SPINS; i++) {
		aif_relax();
		done = atomic_load_explicit(&t->done, memory_order_acquire);
	}
	if (done == tasks)
		return;
	atomic_store(&t->caller_sleeps, true);
	while ((done = atomic_load(&t->done)) != tasks)
		futex_wait(&t->done, done);
	atomic_store(&t->caller_sleeps, false);
}

/*
 * A process with fewer processors than the team has threads must share; one with
 * more than a cpu_set_t holds has enough of them.
 */
static void keep_off_caller(struct cpu_team *t)
{
	int cpu = sched_getcpu();
	cpu_set_t set = t->allowed;

	if (cpu == t->caller_cpu || (unsigned int)CPU_COUNT(&set) < t->team.threads)
		return;
	t->caller_cpu = cpu;
	CPU_CLR(cpu, &set);
	for (unsigned int i = 1; i <= t->started; i++)
		pthread_setaffinity_np(t->members[i].thread, sizeof(set), &set);
}

static void run_job(struct cpu_team *t, unsigned int tasks, aif_task_fn *fn, const void *arg)
{
	uint64_t job = (atomic_load_explicit(&t->left, memory_order_relaxed) >> 32) + 1;

	keep_off_caller(t);
	t->fn = fn;
	t->arg = arg;
	t->tasks = tasks;
	atomic_store_explicit(&t->done, 0, memory_order_relaxed);
	atomic_store_explicit(&t->left, job << 32 | tasks, memory_order_release);
	atomic_fetch_add(&t->jobs, 1);
	if (atomic_load(&t->sleepers))
		futex_wake(&t->jobs, t->team.threads);
	work(t, t->members[0].scratch);
	wait_done(t, tasks);
}

static void team_run(struct aif_team *team, size_t tasks, aif_task_fn *fn, const void *arg)
{
	struct cpu_team *t = (struct cpu_team *)team;

	if (team->threads > 1 && tasks > 1 && tasks <= UINT32_MAX) {
		run_job(t, tasks, fn, arg);
		return;
	}
	for (size_t i = 0; i < tasks; i++)
		fn(arg, i, t->members[0].scratch);
}

/* The mask is as wide as the kernel wants it: widen until it fits. */
unsigned int aif_cpu_allowed(void)
{
	for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
		size_t size = CPU_ALLOC_SIZE(cpus);
		cpu_set_t *set = CPU_ALLOC(cpus);
		int count = 0;

		if (!set)
			return 1;
		if (!sched_getaffinity(0, size, set))
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count > 0)
			return count;
		if (errno != EINVAL)
			return 1;
	}
	return 1;
}

/* Signals are the application's: our threads take none. */
static int start_member(struct member *m)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&m->thread, NULL, member_main, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		pthread_setname_np(m->thread, "aif-cpu");
	return err;
}

static int alloc_members(struct cpu_team *t, size_t scratch)
{
	if (scratch > PTRDIFF_MAX - ALIGN)
		return -ENOMEM;
	scratch = (scratch + ALIGN - 1) / ALIGN * ALIGN;
	t->members = calloc(t->team.threads, sizeof(*t->members));
	if (!t->members)
		return -ENOMEM;
	for (unsigned int i = 0; i < t->team.threads; i++) {
		struct member *m = &t->members[i];

		m->team = t;
		m->scratch = aligned_alloc(ALIGN, scratch ? scratch : ALIGN);
		if (!m->scratch)
			return -ENOMEM;
		memset(m->scratch, 0, scratch);
	}
	return 0;
}

int aif_team_create(unsigned int threads, size_t scratch, struct aif_team **team)
{
	struct cpu_team *t = aligned_alloc(ALIGN, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	t->team = (struct aif_team){ .threads = threads, .run = team_run };
	t->caller_cpu = -1;
	if (sched_getaffinity(0, sizeof(t->allowed), &t->allowed))
		CPU_ZERO(&t->allowed);
	err = alloc_members(t, scratch);
	while (!err && t->started + 1 < threads) {
		err = start_member(&t->members[t->started + 1]);
		if (!err)
			t->started++;
	}
	if (err) {
		aif_team_free(&t->team);
		return err;
	}
	*team = &t->team;
	return 0;
}

void aif_team_free(struct aif_team *team)
{
	struct cpu_team *t = (struct cpu_team *)team;

	if (!t)
		return;
	atomic_store(&t->stop, true);
	atomic_fetch_add(&t->jobs, 1);
	futex_wake(&t->jobs, t->team.threads);
	for (unsigned int i = 1; i <= t->started; i++)
		pthread_join(t->members[i].thread, NULL);
	for (unsigned int i = 0; t->members && i < t->team.threads; i++)
		free(t->members[i].scratch);
	free(t->members);
	free(t);
}
