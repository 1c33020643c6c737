/* SPDX-License-Identifier: MIT */
/*
 * Parties: processes of their own, with a uid of their own, that do what the
 * test tells them to.  A test never calls into the module itself, so it cannot
 * hang, and it can kill, stop or replace whoever does.
 *
 * A deed is a function of the test program that runs in the party's process,
 * with up to PARTY_ARGS numbers; what it writes to them comes back.  A party is
 * forked when it is made, so it begins with the test's memory as it was then.
 *
 * All functions are for the test's one thread.  Those that wait do so for
 * PARTY_LIMIT_S and then fail the test.
 */
#ifndef PARTY_H
#define PARTY_H

#include <stdbool.h>
#include <sys/types.h>

#define PARTY_ARGS	6
#define PARTY_LIMIT_S	20

struct party;

typedef long (*party_deed)(long *arg);

/*
 * First thing in main().  The process is the test from now on; or, if it is one
 * that party_exec() made, a party again, and then this does not return.
 */
void party_main(int argc, char **argv);

/* A process with @uid (and the same gid, no other groups). */
struct party *party_new(uid_t uid);
/* A child of @p: its memory, its files, its uid. */
struct party *party_fork(struct party *p);
/* @p executes this program anew: the same pid and files, nothing else. */
void party_exec(struct party *p);

pid_t party_pid(const struct party *p);

/* Have it done and say what it returned: ASK(p, fn, 1, 2). */
#define ASK(p, ...)	party_ask(p, PARTY_DEED(__VA_ARGS__, 0), PARTY_NUMBERS(__VA_ARGS__, 0))
/* The same in two halves, for what may block: BEGIN(p, fn, 1, 2), party_end(p). */
#define BEGIN(p, ...)	party_begin(p, PARTY_DEED(__VA_ARGS__, 0), PARTY_NUMBERS(__VA_ARGS__, 0))
#define PARTY_DEED(fn, ...)	(fn)
#define PARTY_NUMBERS(fn, ...)	((long[PARTY_ARGS]){ __VA_ARGS__ })

/* @arg: PARTY_ARGS of them, in and out. */
long party_ask(struct party *p, party_deed fn, long *arg);
void party_begin(struct party *p, party_deed fn, const long *arg);
bool party_is_done(const struct party *p);	/* looks, does not wait */
long party_end(struct party *p);
/* With what the deed wrote to its PARTY_ARGS numbers. */
long party_end_with(struct party *p, long *arg);

void party_signal(struct party *p, int signal);
/* SIGSTOP, and stopped: it runs no more, in the kernel either. */
void party_stop(struct party *p);
/* Wait until it is gone: its exit status, or -signal. */
int party_gone(struct party *p);
/* SIGKILL, and gone. */
void party_kill(struct party *p);
/* End all that are left; false if one does not die. */
bool party_kill_all(void);

/* Does @condition come true?  Looks every millisecond. */
#define EVENTUALLY(condition) do {					\
	int tries_ = PARTY_LIMIT_S * 1000;				\
									\
	while (!(condition)) {						\
		if (!tries_--)						\
			party_late(#condition, __FILE__, __LINE__);	\
		party_sleep_ms(1);					\
	}								\
} while (0)
void party_late(const char *what, const char *file, int line);
void party_sleep_ms(unsigned int ms);

/* Is it false now, and for @ms more?  For what must not happen. */
#define NEVER_FOR(ms, condition) do {					\
	int left_ = (ms);						\
									\
	do {								\
		assert_false(condition);				\
		party_sleep_ms(1);					\
	} while (left_--);						\
} while (0)

#endif
