// SPDX-License-Identifier: MIT
/*
 * TEST CODE: the death of an executor with work in flight, as its device and driver take it
 *
 * A process registers a client's memory with the device and has it written without end; it is
 * killed.  Printed, in milliseconds after SIGKILL: end of file on pipes whose write end it opened
 * before and after it had a context, the last write that was seen, when nothing pins the memory any more
 * (F_SEAL_WRITE is granted), and when the process could be reaped.  Also without a GPU, on
 * the stand-in driver.
 *
 *	death [RUNS]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/backend/backend.h"

#define TEXTS 256
#define TOKENS 64	/* of a text */
#define HIDDEN 384
#define VECTOR (HIDDEN * sizeof(float))
#define BYTES (TEXTS * VECTOR)
#define STEPS 64	/* between two waits */
#define LIMIT_MS 5000
#define NEVER -1.0

static void die(const char *what)
{
	fprintf(stderr, "death: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

/* ---- the executor ---- */

struct executor {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_mem *mem, *x, *cu;
	struct aif_tensor out[TEXTS];
};

static void check(const struct executor *e, int err, const char *what)
{
	if (err) {
		fprintf(stderr, "death: %s: %s: %s\n", what, strerror(-err), e->be->dev_why());
		exit(1);
	}
}

static void set_up(struct executor *e, void *host)
{
	int32_t cu[TEXTS + 1];
	size_t row = HIDDEN * 4, bytes = (size_t)TEXTS * TOKENS * row;
	unsigned char *ones = malloc(bytes);

	if (!ones)
		die("memory");
	memset(ones, 0x3f, bytes);
	for (int i = 0; i <= TEXTS; i++)
		cu[i] = i * TOKENS;
	check(e, e->be->stream_create(e->dev, NULL, &e->stream), "stream");
	check(e, e->be->mem_wrap(e->dev, host, BYTES, &e->mem), "register");
	check(e, e->be->mem_alloc(e->dev, bytes, &e->x), "memory");
	check(e, e->be->mem_alloc(e->dev, sizeof(cu), &e->cu), "memory");
	check(e, e->be->mem_write(e->stream, e->x, 0, ones, bytes), "write");
	check(e, e->be->mem_write(e->stream, e->cu, 0, cu, sizeof(cu)), "write");
	check(e, e->be->stream_sync(e->stream), "sync");
	for (int i = 0; i < TEXTS; i++)
		e->out[i] = aif_tensor1(e->mem, i * VECTOR, AIF_F32, HIDDEN);
	free(ones);
}

/* Until it is killed. */
static void work(const struct executor *e)
{
	struct aif_op_pool op = {
		.x = aif_tensor2(e->x, 0, AIF_F32, TEXTS * TOKENS, HIDDEN),
		.cu_seqlens = aif_tensor1(e->cu, 0, AIF_I32, TEXTS + 1), .out = e->out,
	};

	for (;;) {
		for (int i = 0; i < STEPS; i++)
			check(e, e->be->ops->pool(e->stream, &op), "pool");
		check(e, e->be->stream_sync(e->stream), "sync");
	}
}

/* @before: a pipe's end; @fifo: opened once there is a context */
static void executor(int memory, const char *fifo)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = "fp32" };
	struct executor e = { .be = aif_backend_find("cuda") };
	void *host = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	if (host == MAP_FAILED)
		die("mmap");
	check(&e, e.be->dev_open(&opts, &e.dev), "open");
	set_up(&e, host);
	must(open(fifo, O_WRONLY), fifo);
	work(&e);
}

/* ---- who watches ---- */

/* @seen: of the memory, read-only, so that nobody here keeps it from being sealed */
struct watch {
	pid_t pid;
	int memory, before, after;
	const volatile uint32_t *seen;
	double killed, eof_before, eof_after, last_write, unpinned, reaped;
};

static void note(double *at, bool happened)
{
	if (*at == NEVER && happened)
		*at = now_ms();
}

static bool is_closed(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 0;
}

/* Somebody wrote what was cleared; clears it again. */
static bool is_written(struct watch *w)
{
	static const uint32_t zero;
	size_t at = (BYTES - VECTOR) / sizeof(uint32_t);

	if (!w->seen[at])
		return false;
	must(pwrite(w->memory, &zero, sizeof(zero), BYTES - VECTOR), "pwrite");
	return true;
}

static bool is_over(const struct watch *w)
{
	return w->reaped != NEVER && w->unpinned != NEVER && w->eof_before != NEVER &&
	       w->eof_after != NEVER;
}

static void watch_death(struct watch *w)
{
	w->eof_before = w->eof_after = w->unpinned = w->reaped = w->last_write = NEVER;
	w->killed = now_ms();
	kill(w->pid, SIGKILL);
	while (!is_over(w) && now_ms() - w->killed < LIMIT_MS) {
		note(&w->eof_before, w->eof_before == NEVER && is_closed(w->before));
		note(&w->eof_after, w->eof_after == NEVER && is_closed(w->after));
		note(&w->reaped, w->reaped == NEVER && waitpid(w->pid, NULL, WNOHANG) == w->pid);
		if (w->unpinned == NEVER && is_written(w))
			w->last_write = now_ms();
		/* Asked once the process is gone: until then its mapping alone forbids the seal. */
		note(&w->unpinned, w->reaped != NEVER &&
		     !fcntl(w->memory, F_ADD_SEALS, F_SEAL_WRITE));
	}
}

static double after(const struct watch *w, double at)
{
	return at == NEVER ? NEVER : at - w->killed;
}

static bool print(const struct watch *w)
{
	printf("{\"eof_before_context_ms\": %.1f, \"eof_after_context_ms\": %.1f, "
	       "\"last_write_ms\": %.1f, \"reaped_ms\": %.1f, \"unpinned_ms\": %.1f}\n",
	       after(w, w->eof_before), after(w, w->eof_after), after(w, w->last_write),
	       after(w, w->reaped), after(w, w->unpinned));
	return is_over(w);
}

static void start(struct watch *w, const char *fifo)
{
	int before[2];

	w->memory = must(memfd_create("death", MFD_ALLOW_SEALING | MFD_CLOEXEC), "memfd_create");
	must(ftruncate(w->memory, BYTES), "ftruncate");
	must(pipe2(before, O_NONBLOCK), "pipe");
	w->after = must(open(fifo, O_RDONLY | O_NONBLOCK), fifo);
	w->pid = must(fork(), "fork");
	if (!w->pid)
		executor(w->memory, fifo);
	close(before[1]);
	w->before = before[0];
}

static void look(struct watch *w)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->memory);
	fd = must(open(path, O_RDONLY), path);
	w->seen = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (w->seen == MAP_FAILED)
		die("mmap");
}

/* It works, and is in the middle of it. */
static void wait_for_work(struct watch *w)
{
	double begin = now_ms();

	while (!is_written(w)) {
		if (waitpid(w->pid, NULL, WNOHANG) == w->pid || now_ms() - begin > 60 * 1e3) {
			errno = ECHILD;
			die("the executor wrote nothing");
		}
	}
	for (begin = now_ms(); now_ms() - begin < 50 + rand() % 20;)
		is_written(w);
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 5;
	char folder[] = "/tmp/aif-death.XXXXXX", fifo[64];
	bool ok = true;

	if (!mkdtemp(folder))
		die(folder);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	must(mkfifo(fifo, 0600), fifo);
	for (int i = 0; i < runs; i++) {
		struct watch w;

		start(&w, fifo);
		look(&w);
		wait_for_work(&w);
		watch_death(&w);
		ok &= print(&w);
		munmap((void *)w.seen, BYTES);
		close(w.memory);
		close(w.before);
		close(w.after);
	}
	unlink(fifo);
	rmdir(folder);
	return ok ? 0 : 1;
}
