// SPDX-License-Identifier: MIT
/*
 * test_conform [--device /dev/aif|local] [--list] [NAME-PART]
 *
 * Does a device keep to <linux/aif.h>?  Prints TAP; exit status 0: all passed or
 * skipped with a reason.  Against /dev/aif it needs root, for /dev/aif-serve and the
 * module's parameters.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"
#include "harness.h"

#define SECONDS_MAX	60	/* a test that takes longer hangs */

static const struct {
	const char *name;
	const struct test *tests;
	bool kernel_only;	/* what the local device never grants */
} groups[] = {
	{ "info", info_tests, false },
	{ "buffer", buffer_tests, false },
	{ "service", service_tests, false },
	{ "submit", submit_tests, false },
	{ "execute", execute_tests, false },
	{ "wait", wait_tests, false },
	{ "recovery", recovery_tests, false },
	{ "schedule", schedule_tests, false },
	{ "library", library_tests, false },
	{ "ring", ring_tests, true },
	{ "transfer", transfer_tests, true },
};

#define GROUP_COUNT	(sizeof(groups) / sizeof(groups[0]))

/* Every test is a process, and ThreadSanitizer lets each sleep a second at its end. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}

/* In the test's own process. */
static _Noreturn void child(const struct test *t, int report)
{
	report_to(report);
	alarm(SECONDS_MAX);
	t->run();
	harness_end();
	exit(0);
}

/* The child's last words, in @words. */
static int run(const struct test *t, char *words, size_t room)
{
	int pipe_fds[2], status;
	size_t length = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(pipe_fds)) {
		perror("pipe");
		exit(2);
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(pipe_fds[0]);
		child(t, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], words + length, room - 1 - length)) > 0)
		length += (size_t)n;
	words[length] = '\0';
	close(pipe_fds[0]);
	waitpid(pid, &status, 0);
	return status;
}

static bool report(unsigned int number, const char *name, int status, const char *words)
{
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP;
	bool passed = WIFEXITED(status) && !WEXITSTATUS(status);

	printf("%sok %u - %s%s%s\n", passed || skipped ? "" : "not ", number, name,
	       skipped ? " # SKIP " : "", skipped ? words : "");
	if (passed || skipped)
		return true;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("# hangs: no end after %d s\n", SECONDS_MAX);
	else if (WIFSIGNALED(status))
		printf("# killed by %s\n", strsignal(WTERMSIG(status)));
	printf("# %s\n", *words ? words : "said nothing");
	return false;
}

static void test_name(char *name, size_t room, unsigned int group, const struct test *t)
{
	snprintf(name, room, "%s: %s: %s", is_local() ? "local" : "kernel", groups[group].name,
		 t->name);
}

static void do_list(unsigned int number, const char *name, const struct test *t)
{
	puts(name);
}

static void do_count(unsigned int number, const char *name, const struct test *t)
{
}

static unsigned int failed;

static void do_run(unsigned int number, const char *name, const struct test *t)
{
	char words[1024];
	int status = run(t, words, sizeof(words));

	failed += !report(number, name, status, words);
	limits_restore();
}

/* Those whose name contains @part (NULL: all); returns how many. */
static unsigned int for_each(const char *part,
			     void (*what)(unsigned int number, const char *name,
					  const struct test *t))
{
	unsigned int i, number = 0;
	const struct test *t;
	char name[256];

	for (i = 0; i < GROUP_COUNT; i++) {
		if (groups[i].kernel_only && is_local())
			continue;
		for (t = groups[i].tests; t->name; t++) {
			test_name(name, sizeof(name), i, t);
			if (!part || strstr(name, part))
				what(++number, name, t);
		}
	}
	return number;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "list", no_argument, NULL, 'l' },
		{ 0 },
	};
	const char *path = "local", *part;
	bool list = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			path = optarg;
		else if (option == 'l')
			list = true;
		else
			return 2;
	}
	part = argv[optind];
	harness_init(path);
	if (list) {
		for_each(part, do_list);
		return 0;
	}
	printf("TAP version 13\n1..%u\n", for_each(part, do_count));
	for_each(part, do_run);
	return failed ? 1 : 0;
}
