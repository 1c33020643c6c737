// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

#define PAUSE_MS	10
#define PATIENCE_NS	5000000000ull
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const gauges[] = {
	"files", "clients", "services", "executors", "devices", "tenants", "buffers", "grants",
	"views", "buffer_bytes", "held_bytes", "pinned_bytes", "mapped_bytes",
};

static short readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? (short)-errno : p.revents;
}

static void take_services(struct world *w, struct state *s)
{
	struct aif_ioc_service_list list = {
		.size = sizeof(list), .capacity = COUNT(w->ids), .ids = (uintptr_t)w->ids,
	};
	struct aif_ioc_service_describe d;
	uint32_t i;

	if (raw_call(w->serve, AIF_IOC_SERVICE_LIST, &list))
		abort();
	s->now.services = list.out_count;
	for (i = 0; i < list.out_count && i < WORLD_SERVICES_MAX; i++) {
		if (raw_service_describe(w->serve, w->ids[i], &d))
			abort();
		s->now.service[i].executors = d.out_executors;
		s->now.service[i].queued = d.out_queued;
		s->now.service[i].fetched = d.out_fetched;
		s->now.service[i].draining = d.out_draining;
		s->now.service[i].grants = d.out_grants;
		s->now.service[i].granted_bytes = d.out_granted_bytes;
		s->past.answered[i] = d.out_answered;
		s->past.recovered[i] = d.out_recovered;
	}
}

void state_take(struct world *w, struct state *s)
{
	uint32_t i, state;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < COUNT(gauges); i++)
		s->now.alive[i] = raw_alive(gauges[i]);
	take_services(w, s);
	s->past.status = *w->rig.client.status;
	memcpy(s->past.done, w->rig.client.done, sizeof(s->past.done));
	for (i = 0; i < WORLD_DEPTH; i++) {
		state = s->past.done[i].state;
		s->now.busy += state != AIF_STATE_FREE && state != AIF_STATE_DONE;
	}
	s->now.readable[0] = readable(w->rig.client.fd);
	s->now.readable[1] = readable(w->rig.executor.fd);
	s->past.queued = w->rig.executor.status->queued;
}

/* The first difference, in words, or nothing. */
static void compare(const struct state *a, const struct state *b, bool past, char *text,
		    size_t size)
{
	uint32_t i;

	text[0] = '\0';
	for (i = 0; i < COUNT(gauges); i++)
		if (a->now.alive[i] != b->now.alive[i])
			snprintf(text, size, "alive/%s was %ld, is %ld", gauges[i],
				 a->now.alive[i], b->now.alive[i]);
	if (!text[0] && a->now.services != b->now.services)
		snprintf(text, size, "%u services were there, now %u", a->now.services,
			 b->now.services);
	for (i = 0; i < WORLD_SERVICES_MAX && !text[0]; i++)
		if (memcmp(&a->now.service[i], &b->now.service[i], sizeof(a->now.service[i])))
			snprintf(text, size, "service %u has other executors, requests or grants",
				 i);
	if (!text[0] && a->now.busy != b->now.busy)
		snprintf(text, size, "%u tags were in flight, now %u", a->now.busy, b->now.busy);
	if (!text[0] && memcmp(a->now.readable, b->now.readable, sizeof(a->now.readable)))
		snprintf(text, size, "poll() was %d and %d, is %d and %d", a->now.readable[0],
			 a->now.readable[1], b->now.readable[0], b->now.readable[1]);
	if (!text[0] && past && memcmp(&a->past, &b->past, sizeof(a->past)))
		snprintf(text, size, "completions or counters of client or services changed");
}

int state_becomes(struct world *w, const struct state *want, bool past)
{
	struct state is;
	uint64_t end = raw_now() + PATIENCE_NS;
	char text[128];

	do {
		state_take(w, &is);
		compare(want, &is, past, text, sizeof(text));
		if (!text[0])
			return 0;
		raw_sleep_ms(PAUSE_MS);
	} while (raw_now() < end);
	printf("# %s\n", text);
	return -ETIME;
}

/* ---- pages ---- */

/* Bits of /proc/kpageflags: Documentation/admin-guide/mm/pagemap.rst. */
#define OTHER_USES	(1ull << 5 | 1ull << 7 | 1ull << 10 | 1ull << 11 | 1ull << 12 | 1ull << 26)
/*			LRU	   SLAB	       BUDDY	     MMAP	   ANON		 PGTABLE */
#define BLOCK		4096

static uint64_t own_group(void)
{
	char line[256] = "", path[300];
	FILE *f = fopen("/proc/self/cgroup", "r");
	struct stat st;

	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, "0::", 3))
		abort();
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* Entries of one 64-bit word a page. */
static ssize_t read_some(int fd, uint64_t *to, off_t at, size_t n)
{
	return pread(fd, to, n * sizeof(*to), at * (off_t)sizeof(*to)) / (ssize_t)sizeof(*to);
}

static bool kernel_page(int fd, off_t at)
{
	uint64_t flags;

	return read_some(fd, &flags, at, 1) == 1 && !(flags & OTHER_USES);
}

long state_pages(void)
{
	static uint64_t group[BLOCK];
	int groups = open("/proc/kpagecgroup", O_RDONLY | O_CLOEXEC);
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t own = own_group();
	ssize_t n = 0, i;
	long found = 0;
	off_t at;

	if (groups < 0 || flags < 0)
		found = -ENOENT;
	for (at = 0; found >= 0 && (n = read_some(groups, group, at, BLOCK)) > 0; at += n)
		for (i = 0; i < n; i++)
			found += group[i] == own && kernel_page(flags, at + i);
	close(groups);
	close(flags);
	return found;
}

/*
 * A processor that idles keeps the map of the last process that ran there, ended or not, and that is
 * a page, the topmost of its tables, which has no flag.  Until another runs there: this one.
 */
static void run_everywhere(void)
{
	cpu_set_t all, one;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

int state_pages_become(long want)
{
	uint64_t end = raw_now() + PATIENCE_NS;
	long pages;

	do {
		run_everywhere();
		pages = state_pages();
		if (pages == want)
			return 0;
		raw_sleep_ms(PAUSE_MS);
	} while (raw_now() < end);
	printf("# %ld pages were charged, now %ld\n", want, pages);
	return -ETIME;
}
