// SPDX-License-Identifier: MIT
/* What a process of its own answers, and what becomes of one that does not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/apart.h"

/* More than a pipe holds, and than one read brings. */
struct answer {
	pid_t pid;
	char bytes[200000];
};

static struct answer answer;
static char why[128];

static int try(void (*what)(void *ctx, void *answer), unsigned int seconds)
{
	memset(&answer, 0, sizeof(answer));
	*why = '\0';
	return apart(what, "ctx", &answer, sizeof(answer), seconds, why, sizeof(why));
}

static void speaks(void *ctx, void *to)
{
	struct answer *a = to;

	a->pid = getpid();
	memset(a->bytes, *(const char *)ctx, sizeof(a->bytes));
}

static void test_answers(void **state)
{
	assert_int_equal(try(speaks, 30), 0);
	assert_true(answer.pid && answer.pid != getpid());
	for (size_t i = 0; i < sizeof(answer.bytes); i++)
		assert_int_equal(answer.bytes[i], 'c');
}

static void aborts(void *ctx, void *to)
{
	abort();
}

static void test_aborts(void **state)
{
	assert_int_equal(try(aborts, 30), -ENODEV);
	assert_string_equal(why, "its driver ends in signal 6 (Aborted)");
}

static void leaves(void *ctx, void *to)
{
	_exit(3);
}

static void test_leaves(void **state)
{
	assert_int_equal(try(leaves, 30), -ENODEV);
	assert_string_equal(why, "its driver ends the process, with status 3");
}

static void hangs(void *ctx, void *to)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (;;)
		pause();
}

static void test_hangs(void **state)
{
	assert_int_equal(try(hangs, 1), -ETIME);
	assert_string_equal(why, "no answer in 1 s");
}

/* Its child has the pipe, and would keep it open for as long as it lives. */
static void leaves_a_child(void *ctx, void *to)
{
	if (!fork())
		hangs(NULL, NULL);
	_exit(0);
}

static void test_leaves_a_child(void **state)
{
	assert_int_equal(try(leaves_a_child, 1), -ETIME);
	assert_string_equal(why, "no answer in 1 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_aborts),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_leaves_a_child),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
