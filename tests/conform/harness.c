// SPDX-License-Identifier: MIT
/* The device under test: nodes, limits, tenants, checks. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conform.h"
#include "harness.h"
#include "runtime/lib/local.h"

#define PARAMETERS	"/sys/module/aif/parameters"
#define NODES_MAX	2048

static const char *device_path;
static int report_fd = STDERR_FILENO;

/* ---- checks ---- */

void report_to(int fd)
{
	report_fd = fd;
}

static void report(const char *format, va_list args)
{
	vdprintf(report_fd, format, args);
}

_Noreturn void fail_at(const char *file, int line, const char *format, ...)
{
	va_list args;

	dprintf(report_fd, "%s:%d: ", file, line);
	va_start(args, format);
	report(format, args);
	va_end(args);
	_exit(1);
}

_Noreturn void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(format, args);
	va_end(args);
	_exit(EXIT_SKIP);
}

static const char *errno_name(long long value)
{
	const char *name = value < 0 && value > -4096 ? strerrorname_np((int)-value) : NULL;

	return name ? name : "";
}

void check_is(const char *file, int line, const char *what, long long is, long long want)
{
	if (is == want)
		return;
	fail_at(file, line, "%s is %lld %s, want %lld %s", what, is, errno_name(is), want,
		errno_name(want));
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* ---- the device ---- */

const char *device(void)
{
	return device_path;
}

bool is_local(void)
{
	return !strncmp(device_path, "local", 5);
}

/* What a test opened and mapped is given back in order, so that leaks are the device's. */
static struct {
	struct libaif_file *f;
	void *address;		/* a mapping, or NULL for the file itself */
	size_t length;
} nodes[NODES_MAX];
static unsigned int node_count;

static void remember(struct libaif_file *f, void *address, size_t length)
{
	if (node_count == NODES_MAX)
		FAIL("a test opens and maps more than %d things", NODES_MAX);
	nodes[node_count].f = f;
	nodes[node_count].address = address;
	nodes[node_count++].length = length;
}

static struct libaif_file *open_device(const char *path, enum libaif_node node)
{
	struct libaif_file *f = libaif_open(path, node);

	if (!f)
		FAIL("cannot open %s%s: %s", path, node == LIBAIF_SERVE ? "-serve" : "",
		     strerror(errno));
	remember(f, NULL, 0);
	return f;
}

struct libaif_file *open_node(enum libaif_node node)
{
	return open_device(device_path, node);
}

void *map_node(struct libaif_file *f, uint64_t offset, size_t length, int prot)
{
	void *address = libaif_map(f, offset, length, prot);

	if (!address)
		FAIL("cannot map %zu bytes at %#llx: %s", length, (unsigned long long)offset,
		     strerror(errno));
	remember(f, address, length);
	return address;
}

void close_node(struct libaif_file *f)
{
	unsigned int i;

	for (i = node_count; i-- > 0;) {
		if (nodes[i].f != f)
			continue;
		if (nodes[i].address)
			libaif_unmap(f, nodes[i].address, nodes[i].length);
		nodes[i].f = NULL;
	}
	libaif_close(f);
}

/* The last opened goes first. */
void harness_end(void)
{
	while (node_count) {
		if (nodes[node_count - 1].f)
			close_node(nodes[node_count - 1].f);
		node_count--;
	}
}

/* ---- limits ---- */

#define LIMIT(name)	{ #name, offsetof(struct libaif_local_limits, name), \
			  sizeof(((struct libaif_local_limits *)0)->name), 0 }

static struct {
	const char *name;
	size_t offset;
	size_t size;
	uint64_t before;
} limits[] = {
	LIMIT(max_buffers), LIMIT(max_grants), LIMIT(max_services), LIMIT(tenant_requests),
	LIMIT(tenant_bytes), LIMIT(service_bytes), LIMIT(device_requests), LIMIT(max_depth),
};

#define LIMIT_COUNT	(sizeof(limits) / sizeof(limits[0]))

static bool parameter_read(const char *name, uint64_t *value)
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), PARAMETERS "/%s", name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%lu", value) == 1;
	fclose(f);
	return ok;
}

static bool parameter_write(const char *name, uint64_t value)
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), PARAMETERS "/%s", name);
	f = fopen(path, "we");
	if (!f)
		return false;
	ok = fprintf(f, "%lu\n", value) > 0;
	return !fclose(f) && ok;
}

static void local_limit(unsigned int i, uint64_t value)
{
	char *field = (char *)&libaif_local_limits + limits[i].offset;
	uint32_t narrow = (uint32_t)value;

	memcpy(field, limits[i].size == sizeof(narrow) ? (void *)&narrow : &value, limits[i].size);
}

void harness_init(const char *path)
{
	unsigned int i;

	device_path = path;
	for (i = 0; !is_local() && i < LIMIT_COUNT; i++)
		parameter_read(limits[i].name, &limits[i].before);
}

void limits_restore(void)
{
	uint64_t value;
	unsigned int i;

	for (i = 0; !is_local() && i < LIMIT_COUNT; i++) {
		if (parameter_read(limits[i].name, &value) && value != limits[i].before)
			parameter_write(limits[i].name, limits[i].before);
	}
}

/* A parameter that cannot be written may have been given when the module was loaded. */
void limit(const char *name, uint64_t value)
{
	uint64_t is;
	unsigned int i = 0;

	while (i < LIMIT_COUNT && strcmp(limits[i].name, name))
		i++;
	if (i == LIMIT_COUNT)
		FAIL("no limit is called %s", name);
	if (is_local()) {
		local_limit(i, value);
		return;
	}
	if (parameter_read(name, &is) && is == value)
		return;
	if (!parameter_write(name, value))
		skip("needs the module's parameter %s=%lu", name, value);
}

/* ---- tenants ---- */

static const char *cgroup_root(void)
{
	static char made[] = "/tmp/aif-cgroup-XXXXXX";

	if (!access("/sys/fs/cgroup/cgroup.procs", W_OK))
		return "/sys/fs/cgroup";
	if (!mkdtemp(made) || mount("none", made, "cgroup2", 0, NULL))
		skip("needs a cgroup2 hierarchy that it may write to");
	return made;
}

static void cgroup_enter(const char *root, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", root, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		skip("cannot enter the cgroup %s/%s: %s", root, name, strerror(errno));
	close(fd);
}

/* A client is charged to where its opener is at that moment. */
struct libaif_file *open_as_tenant(unsigned int n)
{
	static const char *root;
	struct libaif_file *f;
	char name[32];

	if (!n)
		return open_node(LIBAIF_CLIENT);
	if (is_local()) {
		snprintf(name, sizeof(name), "local:%u", n);
		return open_device(name, LIBAIF_CLIENT);
	}
	if (!root)
		root = cgroup_root();
	snprintf(name, sizeof(name), "aif-conform-%u", n);
	cgroup_enter(root, name);
	f = open_node(LIBAIF_CLIENT);
	cgroup_enter(root, ".");
	return f;
}
