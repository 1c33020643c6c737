// SPDX-License-Identifier: MIT
#include "tools/echo.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/model/why.h"
#include "tools/cli.h"
#include "tools/ring.h"

#define BYTES_MAX (1u << 20)
#define LOOKS_IDLE 65536

/* @ready: a pipe for the child's or thread's first word, why it cannot run; empty: it runs */
struct echo {
	char name[AIF_SERVICE_NAME_MAX];
	const char *device;
	enum door door;
	unsigned int slots;
	struct aif_holder *holder;
	int ready[2];
	pthread_t thread;
	pid_t pid;
};

/* ---- executing ---- */

static void answer(struct aif_job *const *jobs, int n)
{
	for (int i = 0; i < n; i++) {
		size_t length = jobs[i]->in[0].length;

		if (length > jobs[i]->out[0].length)
			length = jobs[i]->out[0].length;
		memmove(jobs[i]->out[0].data, jobs[i]->in[0].data, length);
		aif_job_answer(jobs[i], 0, (uint32_t)length, 0);
	}
}

/* To start(), which waits for it. */
static void say(const struct echo *c, const struct aif_why *why)
{
	if (write(c->ready[1], why->text, sizeof(why->text)) < 0)
		return;		/* whoever started us is gone */
}

static void say_ready(const struct echo *c)
{
	say(c, &(struct aif_why){ "" });
}

static void say_error(const struct echo *c, int err)
{
	struct aif_why why = { "" };

	aif_why_format(&why, "the echo executor cannot attach: %s", aif_error_text(err));
	say(c, &why);
}

static int loop_ioctl(struct aif_executor *e, struct aif_job **jobs, const struct echo *c)
{
	int n;

	say_ready(c);
	do {
		n = aif_executor_turn(e, jobs, c->slots, 0);
		answer(jobs, n);
	} while (n >= 0 || n == -EINTR);
	return n;
}

/*
 * The doorbell says when to look.  Now and then one looks without it: it does not
 * ring for grants, nor when the service drains.
 */
static int loop_spin(struct aif_executor *e, struct aif_job **jobs, const struct echo *c)
{
	uint64_t seen = 0;
	unsigned int looks = 0;
	int n = 0;

	say_ready(c);
	while (n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR) {
		uint64_t now = aif_executor_doorbell(e);

		if (now == seen && ++looks % LOOKS_IDLE)
			continue;
		n = aif_executor_turn(e, jobs, c->slots, AIF_TURN_NONBLOCK);
		answer(jobs, n);
		if (n > 0)
			n = aif_executor_flush(e);
		else if (n == -EAGAIN)
			seen = now;
	}
	return n;
}

/* The first turn is prepared before anybody waits for an answer: it may be refused. */
static int loop_uring(struct aif_executor *e, struct aif_job **jobs, const struct echo *c)
{
	struct io_uring ring;
	struct aif_why why = { "" };
	int n = 0, err = ring_open(&ring, &why);

	if (err) {
		say(c, &why);
		return err;
	}
	err = aif_prep_turn(io_uring_get_sqe(&ring), e, c->slots, 0);
	if (err)
		ring_refused(c->device, &why);
	say(c, &why);
	while (!err && (n >= 0 || n == -EINTR)) {
		n = aif_executor_turned(e, jobs, c->slots, ring_run(&ring));
		answer(jobs, n);
		err = aif_prep_turn(io_uring_get_sqe(&ring), e, c->slots, 0);
	}
	io_uring_queue_exit(&ring);
	return err ? err : n;
}

static int execute(const struct echo *c)
{
	static int (*const loops[])(struct aif_executor *, struct aif_job **,
				    const struct echo *) = {
		[DOOR_IOCTL] = loop_ioctl,
		[DOOR_URING] = loop_uring,
		[DOOR_SPIN] = loop_spin,
	};
	struct aif_executor *e = aif_executor_open(&(struct aif_executor_opts) {
		.size = sizeof(struct aif_executor_opts), .device = c->device,
		.features = c->door == DOOR_URING ? AIF_FEATURE_URING : 0,
		.service = aif_holder_service(c->holder), .holder_fd = aif_holder_fd(c->holder),
		.slots = c->slots,
	});
	struct aif_job **jobs = e ? calloc(c->slots, sizeof(struct aif_job *)) : NULL;
	int err = -errno;

	if (jobs)
		err = loops[c->door](e, jobs, c);
	else
		say_error(c, err);
	free(jobs);
	if (e)
		aif_executor_close(e);
	return err == -ESHUTDOWN ? 0 : 1;
}

/* ---- starting and ending ---- */

static void *run_thread(void *ctx)
{
	execute(ctx);
	return NULL;
}

static int start_child(struct echo *c)
{
	pid_t parent = getpid();

	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (c->pid) {
		close(c->ready[1]);	/* a child that ends without a word is seen */
		c->ready[1] = -1;
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(getppid() == parent ? execute(c) : 1);
}

static int create(struct echo *c, struct aif_why *why)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = BYTES_MAX },
		{ .name = "out", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = BYTES_MAX, .output = true },
	};

	char node[PATH_MAX];
	int err;

	snprintf(c->name, sizeof(c->name), "bench-%d", (int)getpid());
	c->holder = aif_holder_create(&(struct aif_holder_opts) {
		.size = sizeof(struct aif_holder_opts), .device = c->device, .name = c->name,
		.accelerator = c->name, .model = "echo", .io = io, .io_count = 2,
	});
	if (c->holder)
		return 0;
	err = errno;
	snprintf(node, sizeof(node), "%s-serve", c->device);
	cli_open_why(node, err, why);
	return -err;
}

static int start(struct echo *c, struct aif_why *why)
{
	int err = create(c, why);

	if (err)
		return err;
	if (pipe(c->ready) < 0)
		return aif_why_set(why, -errno, "pipe: %s", strerror(errno));
	if (strcmp(c->device, DEVICE_LOCAL))
		err = start_child(c);
	else
		err = -pthread_create(&c->thread, NULL, run_thread, c);
	if (err)
		return aif_why_set(why, err, "the echo executor: %s", strerror(-err));
	if (read(c->ready[0], why->text, sizeof(why->text)) != sizeof(why->text))
		return aif_why_set(why, -EIO, "the echo executor ended without a word");
	return *why->text ? -EIO : 0;
}

struct echo *echo_start(const char *device, enum door door, unsigned int slots,
			struct aif_why *why)
{
	struct echo *c = calloc(1, sizeof(*c));

	if (!c) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	c->device = device;
	c->door = door;
	c->slots = slots;
	c->ready[0] = c->ready[1] = -1;
	if (start(c, why)) {
		echo_stop(c);
		return NULL;
	}
	return c;
}

const char *echo_name(const struct echo *c)
{
	return c->name;
}

void echo_stop(struct echo *c)
{
	if (c->holder)
		aif_holder_drain(c->holder);
	if (c->pid > 0)
		waitpid(c->pid, NULL, 0);
	else if (c->thread)
		pthread_join(c->thread, NULL);
	aif_holder_close(c->holder);
	close(c->ready[0]);
	close(c->ready[1]);
	free(c);
}
