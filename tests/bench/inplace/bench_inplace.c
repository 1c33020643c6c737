/* SPDX-License-Identifier: MIT */
/*
 * Is the payload really left alone?  An executor sums the bytes of its input,
 * 4 KiB to 16 MiB, in the client's pages.  The plugin beside this file counts
 * the instructions of the round trip outside the summing loop, and the kernel's
 * loads and stores on the payload's pages.  At the end the same pages are read
 * through the kernel (pread of /proc/self/mem), to show that the plugin would see
 * it.  One line of output for each line of the plugin's.
 *
 * Runs as root in the guest, alone, with one processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "marks.h"
#include "tests/bench/count.h"
#include "tests/uapi/raw.h"

#define BYTES_MAX	(16u << 20)
#define TRIPS		15	/* of each size: ticks hit some */
#define CONTRAST	65536u

static uint64_t sum(const uint8_t *p, size_t n)
{
	const uint64_t *w = (const uint64_t *)p;
	uint64_t s = 0;
	size_t i;

	for (i = 0; i < n / 8; i++)
		s = s * 31 + w[i];
	return s;
}

static void answer(struct raw_executor *ex, struct raw_taken t)
{
	const struct aif_range *in = &ex->slot[t.slot].ranges[0];
	const struct aif_range *out = &ex->slot[t.slot].ranges[1];
	uint32_t length = in->length;
	uint64_t s;

	MARK(MARK_PAUSE);
	s = sum(raw_at(ex, in), length);
	MARK(MARK_RESUME);
	memcpy(raw_at(ex, out), &s, sizeof(s));
	must(raw_give(ex, t, 0, sizeof(s), 1000), "commit");
}

static void execute(uint32_t service)
{
	struct raw_executor ex = { 0 };
	struct raw_taken t[4];
	int i, n;

	must(raw_executor_init(&ex, open("/dev/aif-serve", O_RDWR), service, -1, 4, 0), "attach");
	for (;;) {
		n = raw_take(&ex, 0, 4, t);
		must(n, "fetch");
		for (i = 0; i < n; i++)
			answer(&ex, t[i]);
	}
}

static void watch(const uint8_t *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += 4096)
		MARK_LOAD(p + i);
}

/* One round trip, checked; counted when @count. */
static void round_trip(struct raw_client *c, struct aif_desc d, const uint8_t *base, bool count)
{
	uint64_t s;

	d.tag = 0;
	d.generation = ++c->generation;
	if (count) {
		watch(base + d.ranges[0].offset, d.ranges[0].length);
		MARK(MARK_BEGIN);
	}
	must(raw_submit(c, &d, 1, AIF_SUBMIT_F_WAIT_ALL), "submit");
	if (count)
		MARK(MARK_END);
	memcpy(&s, base + d.ranges[1].offset, sizeof(s));
	if (s != sum(base + d.ranges[0].offset, d.ranges[0].length) || c->done[0].result) {
		fprintf(stderr, "bench_inplace: wrong sum, result %d\n", c->done[0].result);
		exit(1);
	}
}

/* The same bytes through the kernel: these the plugin must see. */
static void contrast(const uint8_t *base, size_t bytes)
{
	int fd = open("/proc/self/mem", O_RDONLY);
	uint8_t *copy = malloc(bytes);

	watch(base, bytes);
	MARK(MARK_BEGIN);
	if (!copy || pread(fd, copy, bytes, (off_t)(uintptr_t)base) != (ssize_t)bytes)
		must(-EIO, "/proc/self/mem");
	MARK(MARK_END);
	free(copy);
	close(fd);
}

int main(void)
{
	struct aif_service_desc desc = raw_service_desc("sum");
	struct raw_service s = { 0 };
	struct raw_client c = { 0 };
	struct aif_desc d = { .sched_class = AIF_CLASS_NORMAL, .range_count = 2 };
	struct raw_buffer b;
	uint32_t grant, bytes;
	pid_t child;
	int handle, i;

	desc.io[0].max_bytes = BYTES_MAX;
	must(raw_service_create(&s, &desc, 0), "service");
	child = fork();
	if (!child)
		execute(s.id);
	must(raw_client_open(&c, 16), "/dev/aif");
	handle = raw_service_open(&c, "sum", 0);
	must(handle, "open service");
	must(raw_buffer_alloc(&c, BYTES_MAX + 4096, &b), "buffer");
	must(raw_grant(&c, b.handle, handle, AIF_GRANT_F_WRITE, &grant), "grant");
	for (i = 0; i < (int)BYTES_MAX; i++)
		b.base[i] = i * 7;
	d.service = handle;
	d.ranges[0] = (struct aif_range) { grant, 0, 0 };
	d.ranges[1] = (struct aif_range) { grant, BYTES_MAX, 64 };
	for (bytes = 4096; bytes <= BYTES_MAX; bytes *= 8) {
		d.ranges[0].length = bytes;
		round_trip(&c, d, b.base, false);	/* pages mapped, caches warm */
		round_trip(&c, d, b.base, false);
		for (i = 0; i < TRIPS; i++) {
			round_trip(&c, d, b.base, true);
			printf("%u\n", bytes);
		}
	}
	contrast(b.base, CONTRAST);
	printf("contrast %u\n", CONTRAST);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
