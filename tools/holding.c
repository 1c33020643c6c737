// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/holding.h"

#define LINE_BYTES	1024
#define PATH_BYTES	(64 + sizeof(((struct dirent *)0)->d_name))

struct found {
	struct holding *all;
	size_t count, room;
};

static int add(struct found *f, const struct holding *h)
{
	if (f->count == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		struct holding *more = reallocarray(f->all, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->all = more;
		f->room = room;
	}
	f->all[f->count++] = *h;
	return 0;
}

static bool begins(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

/* "aif-buffer: NUMBER KIND N bytes of tenant ID RIGHTS ENGINE..." */
static int take_line(struct found *f, struct holding *h, const char *line)
{
	unsigned long long buffer, charged, tenant;
	int end = 0;

	if (begins(line, "aif-client:"))
		h->by = HOLDING_CLIENT;
	if (begins(line, "aif-executor:"))
		h->by = HOLDING_EXECUTOR;
	if (sscanf(line, "aif-buffer: %llu %15s %llu bytes of tenant %llu %4s%n", &buffer,
		   h->kind, &charged, &tenant, h->rights, &end) != 5)
		return 0;
	h->buffer = buffer;
	h->charged = charged;
	h->tenant = tenant;
	snprintf(h->engines, sizeof(h->engines), "%s", line + end + (line[end] == ' '));
	h->engines[strcspn(h->engines, "\n")] = 0;
	return add(f, h);
}

/*
 * Only files of ours say true: in those of others what a user has named may stand.  @at is
 * /proc/PID/fd.
 */
static bool is_ours(int at, const char *fd, unsigned int devices)
{
	static const char passed[] = "anon_inode:[aif-buffer]";
	char target[sizeof(passed)];
	struct stat st;
	ssize_t n;

	if (!fstatat(at, fd, &st, 0) && S_ISCHR(st.st_mode))
		return major(st.st_rdev) == devices;
	n = readlinkat(at, fd, target, sizeof(target));
	return n == sizeof(passed) - 1 && !memcmp(target, passed, (size_t)n);
}

/* A file that has gone meanwhile keeps nothing. */
static int read_file(struct found *f, const struct holding *process, const char *path)
{
	FILE *file = fopen(path, "re");
	struct holding h = *process;
	char line[LINE_BYTES];
	int err = 0;

	if (!file)
		return 0;
	h.by = HOLDING_PASSED;
	while (!err && fgets(line, sizeof(line), file))
		err = take_line(f, &h, line);
	fclose(file);
	return err;
}

static void read_name(struct holding *h)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", h->pid);
	file = fopen(path, "re");
	if (!file || !fgets(h->name, sizeof(h->name), file))
		strcpy(h->name, "?");
	if (file)
		fclose(file);
	h->name[strcspn(h->name, "\n")] = 0;
	cli_plain(h->name);
}

static int read_process(struct found *f, const char *pid, unsigned int devices)
{
	struct holding h = { .pid = (pid_t)strtol(pid, NULL, 10) };
	char path[PATH_BYTES];
	struct dirent *e;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", h.pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	read_name(&h);
	while (!err && (e = readdir(dir))) {
		if (*e->d_name == '.' || !is_ours(dirfd(dir), e->d_name, devices))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", h.pid, e->d_name);
		err = read_file(f, &h, path);
	}
	closedir(dir);
	return err;
}

static int order(const void *a, const void *b)
{
	const struct holding *x = a, *y = b;

	if (x->buffer != y->buffer)
		return x->buffer < y->buffer ? -1 : 1;
	if (x->by != y->by)
		return x->by < y->by ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->rights, y->rights);
}

/* A process that has a file twice has it once. */
static size_t drop_repeated(struct holding *all, size_t count)
{
	size_t i, kept = 0;

	for (i = 0; i < count; i++)
		if (!kept || order(&all[kept - 1], &all[i]))
			all[kept++] = all[i];
	return kept;
}

int holding_all(const char *device, struct holding **all)
{
	struct found f = { 0 };
	struct stat st;
	struct dirent *e;
	int err = 0;
	DIR *dir;

	*all = NULL;
	if (stat(device, &st))
		return -errno;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (!err && (e = readdir(dir)))
		if (isdigit((unsigned char)*e->d_name))
			err = read_process(&f, e->d_name, major(st.st_rdev));
	closedir(dir);
	if (err) {
		free(f.all);
		return err;
	}
	if (f.count)
		qsort(f.all, f.count, sizeof(*f.all), order);
	*all = f.all;
	return (int)drop_repeated(f.all, f.count);
}
