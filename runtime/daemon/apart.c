// SPDX-License-Identifier: MIT
#include "runtime/daemon/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS 1000	/* after SIGKILL */

static bool write_all(int fd, const char *from, size_t bytes)
{
	ssize_t n;

	while (bytes && (n = write(fd, from, bytes)) > 0) {
		from += n;
		bytes -= (size_t)n;
	}
	return !bytes;
}

/* In a group of its own: what a driver starts is killed with it. */
static void become_child(pid_t parent)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* How many bytes came until the end of the stream, or of time, which is *@late. */
static size_t read_until(int fd, char *to, size_t bytes, int64_t end, bool *late)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t got = 0;
	ssize_t n = 1;

	while (got < bytes && n) {
		int64_t left = end - now_ms();

		*late = left <= 0;
		if (*late)
			break;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = read(fd, to + got, bytes - got);
		got += n > 0 ? (size_t)n : 0;
	}
	return got;
}

/* False: it does not end. */
static bool reap(pid_t pid, int *status)
{
	for (int ms = 0; ms < END_MS; ms++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return false;
}

static int say_end(bool reaped, int status, bool late, unsigned int seconds, char *why,
		   size_t bytes)
{
	if (late || !reaped)
		snprintf(why, bytes, "no answer in %u s", seconds);
	else if (WIFSIGNALED(status))
		snprintf(why, bytes, "its driver ends in signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, bytes, "its driver ends the process, with status %d",
			 WEXITSTATUS(status));
	return late ? -ETIME : -ENODEV;
}

static int refuse(int err, char *why, size_t bytes)
{
	snprintf(why, bytes, "cannot be tried: %s", strerror(err));
	return -err;
}

int apart(void (*what)(void *ctx, void *answer), void *ctx, void *answer, size_t bytes,
	  unsigned int seconds, char *why, size_t why_bytes)
{
	pid_t self = getpid(), pid;
	bool late = false, reaped;
	int ends[2], status = 0, err;
	size_t got;

	if (pipe2(ends, O_CLOEXEC))
		return refuse(errno, why, why_bytes);
	pid = fork();
	err = errno;
	if (!pid) {
		become_child(self);
		what(ctx, answer);
		_exit(write_all(ends[1], answer, bytes) ? 0 : 1);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return refuse(err, why, why_bytes);
	}
	setpgid(pid, pid);
	got = read_until(ends[0], answer, bytes, now_ms() + seconds * 1000ll, &late);
	close(ends[0]);
	if (late)
		kill(-pid, SIGKILL);
	reaped = reap(pid, &status);
	kill(-pid, SIGKILL);
	return got == bytes ? 0 : say_end(reaped, status, late, seconds, why, why_bytes);
}
