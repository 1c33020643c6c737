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

static int set_number(const char *path, const char *hexadecimal)
{
	char value[32];

	snprintf(value, sizeof(value), "0x%s", hexadecimal);
	return set(path, value);
}

/* Where in the kernel's text a function is: [first, last) in hexadecimal. */
static bool find_function(const char *name, char first[20], char last[20])
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	bool found = false, ended = false;
	char line[512], at[20], type;
	char symbol[400];

	while (symbols && !ended && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%19s %c %399s", at, &type, symbol) != 3)
			break;
		ended = found && strcmp(at, first);
		if (ended)
			strcpy(last, at);
		else if (!found && !strcmp(symbol, name))
			found = strcpy(first, at);
	}
	if (symbols)
		fclose(symbols);
	return ended;
}

/*
 * What the kernel's look at DMA allocates for itself is nobody's failure, and it
 * would look no more.
 */
static int spare_dma_debug(void)
{
	char first[20], last[20], path[64];
	static const char *const faults[] = { "failslab", "fail_page_alloc" };
	unsigned int i;
	int err = 0;

	if (!find_function("add_dma_entry", first, last))
		return 0;	/* a kernel that does not look */
	for (i = 0; !err && i < sizeof(faults) / sizeof(faults[0]); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/reject-start", faults[i]);
		err = set_number(path, first);
		snprintf(path, sizeof(path), DEBUGFS "%s/reject-end", faults[i]);
		err = err ? err : set_number(path, last);
	}
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
	return spare_dma_debug();
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
