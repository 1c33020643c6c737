// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

#define DEBUGFS	"/sys/kernel/debug/"

static int nth = -1;

static int set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int inject_init(bool loud)
{
	const char *verbose = loud ? "2" : "0";
	const struct {
		const char *path;
		const char *value;
	} settings[] = {
		{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
		{ DEBUGFS "failslab/verbose", verbose },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
		{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ DEBUGFS "fail_page_alloc/min-order", "0" },
		{ DEBUGFS "fail_page_alloc/verbose", verbose },
		{ DEBUGFS "fail_usercopy/verbose", verbose },
	};
	unsigned int i;
	int err;

	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		return -errno;
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		err = set(settings[i].path, settings[i].value);
		if (err)
			return err;
	}
	return 0;
}

void inject_arm(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth, text, (size_t)length, 0) != length)
		abort();
}

/*
 * What is left of n is 0 if it was used up.  Reading and resetting copy too:
 * when one of these is what fails, the operation was through before.
 */
bool inject_disarm(void)
{
	char left[16] = "";
	ssize_t got = pread(nth, left, sizeof(left) - 1, 0);
	ssize_t put = pwrite(nth, "0", 1, 0);
	bool used = got > 0 && put == 1 && atoi(left) == 0;

	if (put != 1 && pwrite(nth, "0", 1, 0) != 1)
		abort();
	return used;
}
