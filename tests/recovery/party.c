// SPDX-License-Identifier: MIT
/*
 * Test and party talk through shared memory with two semaphores, so that a party
 * can close, fork and execute as it likes, and die at any time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "party.h"

#define PARTIES_MAX	32
#define SHARED_FD	200	/* stays open over exec */

struct party {
	sem_t go, done;
	ptrdiff_t deed;		/* see deed_place() */
	long arg[PARTY_ARGS];
	long ret;
	pid_t pid;		/* 0: free */
	bool busy;
	bool leaves;		/* for exec(): touches nothing here any more */
};

static struct party *parties;
static char program[4096];

static void map_parties(void)
{
	parties = mmap(NULL, PARTIES_MAX * sizeof(*parties), PROT_READ | PROT_WRITE, MAP_SHARED,
		       SHARED_FD, 0);
	if (parties == MAP_FAILED) {
		perror("parties");
		exit(125);
	}
}

/* Where a deed is in the program, which each exec() may load somewhere else. */
static ptrdiff_t deed_place(party_deed fn)
{
	return (ptrdiff_t)((uintptr_t)fn - (uintptr_t)party_main);
}

static party_deed deed_at(ptrdiff_t place)
{
	return (party_deed)((uintptr_t)party_main + (uintptr_t)place);
}

static void __attribute__((noreturn)) party_loop(struct party *p)
{
	for (;;) {
		while (sem_wait(&p->go))
			;
		p->ret = deed_at(p->deed)(p->arg);
		sem_post(&p->done);
	}
}

void party_main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (argc == 3 && !strcmp(argv[1], "--party")) {
		map_parties();
		party_loop(&parties[atoi(argv[2])]);
	}
	if (n < 0 || dup2(memfd_create("parties", 0), SHARED_FD) < 0 ||
	    ftruncate(SHARED_FD, PARTIES_MAX * sizeof(*parties)) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		perror("party_main");
		exit(125);
	}
	map_parties();
}

static struct party *party_alloc(void)
{
	struct party *p;

	for (p = parties; p < parties + PARTIES_MAX; p++) {
		if (p->pid)
			continue;
		memset(p, 0, sizeof(*p));
		sem_init(&p->go, 1, 0);
		sem_init(&p->done, 1, 0);
		return p;
	}
	fail_msg("more than %d parties", PARTIES_MAX);
	return NULL;
}

/*
 * Children of parties are reaped by themselves, and orphans by the test.  One
 * that crashes dies of it, instead of becoming the test by cmocka's handlers.
 */
static void __attribute__((noreturn)) party_child(struct party *p, uid_t uid)
{
	static const int crashes[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };
	size_t i;

	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		signal(crashes[i], SIG_DFL);
	signal(SIGCHLD, SIG_IGN);
	if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))) {
		perror("setresuid");
		_exit(125);
	}
	party_loop(p);
}

struct party *party_new(uid_t uid)
{
	struct party *p = party_alloc();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		party_child(p, uid);
	if (pid < 0)
		fail_msg("fork: %s", strerror(errno));
	p->pid = pid;
	return p;
}

static long deed_fork(long *arg)
{
	pid_t pid = fork();

	if (!pid)
		party_child(&parties[arg[0]], 0);
	return pid < 0 ? -errno : pid;
}

struct party *party_fork(struct party *p)
{
	struct party *child = party_alloc();
	long pid = ASK(p, deed_fork, child - parties);

	if (pid < 0)
		fail_msg("fork: %s", strerror((int)-pid));
	child->pid = (pid_t)pid;
	return child;
}

static long deed_exec(long *arg)
{
	struct party *p = &parties[arg[0]];
	char number[16];

	snprintf(number, sizeof(number), "%ld", arg[0]);
	p->leaves = true;
	execl(program, program, "--party", number, NULL);
	perror(program);
	_exit(125);
}

static long deed_nothing(long *arg)
{
	return 0;
}

void party_exec(struct party *p)
{
	p->leaves = false;
	BEGIN(p, deed_exec, p - parties);
	EVENTUALLY(__atomic_load_n(&p->leaves, __ATOMIC_ACQUIRE));
	p->busy = false;	/* this deed does not end; the next is the new image's */
	assert_int_equal(ASK(p, deed_nothing), 0);
}

pid_t party_pid(const struct party *p)
{
	return p->pid;
}

void party_begin(struct party *p, party_deed fn, const long *arg)
{
	if (p->busy)
		fail_msg("party %d is still busy", p->pid);
	p->busy = true;
	p->deed = deed_place(fn);
	memcpy(p->arg, arg, sizeof(p->arg));
	sem_post(&p->go);
}

bool party_is_done(const struct party *p)
{
	int value;

	sem_getvalue((sem_t *)&p->done, &value);
	return value > 0;
}

long party_end(struct party *p)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += PARTY_LIMIT_S;
	while (sem_timedwait(&p->done, &limit))
		if (errno != EINTR)
			fail_msg("party %d: not done after %d s", p->pid, PARTY_LIMIT_S);
	p->busy = false;
	return p->ret;
}

long party_end_with(struct party *p, long *arg)
{
	long ret = party_end(p);

	memcpy(arg, p->arg, sizeof(p->arg));
	return ret;
}

long party_ask(struct party *p, party_deed fn, long *arg)
{
	party_begin(p, fn, arg);
	return party_end_with(p, arg);
}

void party_signal(struct party *p, int signal)
{
	if (kill(p->pid, signal))
		fail_msg("kill %d: %s", p->pid, strerror(errno));
}

void party_stop(struct party *p)
{
	int status = 0;

	party_signal(p, SIGSTOP);
	EVENTUALLY(waitpid(p->pid, &status, WUNTRACED | WNOHANG) == p->pid);
	assert_true(WIFSTOPPED(status));
}

/* True when it is gone.  A party's child is its parent's to reap while that lives. */
static bool party_reap(struct party *p, int *status)
{
	pid_t pid = waitpid(p->pid, status, WNOHANG);

	if (pid == p->pid)
		return true;
	*status = 0;
	return pid < 0 && errno == ECHILD && kill(p->pid, 0) && errno == ESRCH;
}

static bool party_reap_soon(struct party *p, int *status)
{
	int tries = PARTY_LIMIT_S * 1000;

	while (!party_reap(p, status)) {
		if (!tries--)
			return false;
		party_sleep_ms(1);
	}
	p->pid = 0;
	return true;
}

int party_gone(struct party *p)
{
	int status;

	if (!party_reap_soon(p, &status))
		fail_msg("party %d is not gone after %d s", p->pid, PARTY_LIMIT_S);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void party_kill(struct party *p)
{
	party_signal(p, SIGKILL);
	party_gone(p);
}

bool party_kill_all(void)
{
	bool all = true;
	struct party *p;
	int status;

	for (p = parties; p < parties + PARTIES_MAX; p++)
		if (p->pid)
			kill(p->pid, SIGKILL);
	for (p = parties; p < parties + PARTIES_MAX; p++) {
		if (p->pid && !party_reap_soon(p, &status)) {
			print_error("party %d does not die\n", p->pid);
			all = false;
		}
	}
	return all;
}

void party_late(const char *what, const char *file, int line)
{
	print_error("after %d s it is still not true that %s\n", PARTY_LIMIT_S, what);
	_fail(file, line);
}

void party_sleep_ms(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}
