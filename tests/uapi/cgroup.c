// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "raw.h"

#define ROOT	"/sys/fs/cgroup/"

static const char *path_of(char path[256], const char *name, const char *file)
{
	snprintf(path, 256, ROOT "%s/%s", name, file);
	return path;
}

int cgroup_make(const char *name)
{
	char path[256];

	return mkdir(path_of(path, name, ""), 0755) && errno != EEXIST ? -errno : 0;
}

int cgroup_remove(const char *name)
{
	char path[256];
	int tries;

	path_of(path, name, "");
	for (tries = 0; rmdir(path); tries++) {
		if (errno != EBUSY || tries == 1000)
			return -errno;
		raw_sleep_ms(10);
	}
	return 0;
}

int cgroup_set(const char *name, const char *file, const char *value)
{
	ssize_t n = (ssize_t)strlen(value);
	char path[256];
	int fd, err = 0;

	fd = open(path_of(path, name, file), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, (size_t)n) != n)
		err = -errno;
	close(fd);
	return err;
}

int cgroup_enter(const char *name)
{
	return cgroup_set(name, "cgroup.procs", "0");
}

long cgroup_get(const char *name, const char *file, const char *key)
{
	char path[256], line[256];
	size_t skip = key ? strlen(key) : 0;
	long n = -ENOENT;
	FILE *f;

	f = fopen(path_of(path, name, file), "r");
	if (!f)
		return -errno;
	while (n == -ENOENT && fgets(line, sizeof(line), f))
		if (!key || (!strncmp(line, key, skip) && line[skip] == ' '))
			sscanf(line + skip, "%ld", &n);
	fclose(f);
	return n;
}
