// SPDX-License-Identifier: MIT
/*
 * A command on a terminal of 24 lines of 80: what it writes there is copied to
 * standard output, and after a while it is given KEYS.
 *
 * usage: terminal KEYS COMMAND [ARGUMENT...]
 *
 * Exit status: the command's; 124 if it has not ended ten seconds after the keys.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WHILE_MS	2500
#define END_MS		10000

static int ended(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For so long.  Has it closed the terminal? */
static bool copy(int terminal, int ms)
{
	struct pollfd p = { .fd = terminal, .events = POLLIN };
	int64_t end = now_ms() + ms, left;
	char bytes[4096];
	ssize_t n;

	while ((left = end - now_ms()) > 0) {
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(terminal, bytes, sizeof(bytes));
		if (n <= 0)
			return true;
		fwrite(bytes, 1, (size_t)n, stdout);
		fflush(stdout);
	}
	return false;
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int terminal;
	pid_t child;

	if (argc < 3)
		return 125;
	child = forkpty(&terminal, NULL, NULL, &size);
	if (child < 0)
		return 125;
	if (!child) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (!copy(terminal, WHILE_MS) && write(terminal, argv[1], strlen(argv[1])) < 0)
		return 125;
	if (!copy(terminal, END_MS)) {
		kill(child, SIGKILL);
		ended(child);
		return 124;
	}
	return ended(child);
}
