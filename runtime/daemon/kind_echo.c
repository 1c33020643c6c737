// SPDX-License-Identifier: MIT
/*
 * echo: answers with its input.  It shows what the way there and back costs, and
 * with delay_ms and progress_bytes it is slow and speaks in pieces, for tests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/daemon/kind.h"

#define BYTES_MAX (1u << 20)
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

static int echo_open(const struct service_conf *conf, void **state, struct aif_why *why)
{
	*state = (void *)conf;
	return 0;
}

static void echo_close(void *state)
{
}

static void echo_describe(void *state, struct kind_description *d)
{
	static const struct aif_service_io io[] = {
		{ .name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .alignment = 1, .max_bytes = BYTES_MAX },
		{ .name = "echo", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .alignment = 1, .max_bytes = BYTES_MAX, .output = true },
	};

	d->io = io;
	d->io_count = 2;
	snprintf(d->model, sizeof(d->model), "echo");
	snprintf(d->text, sizeof(d->text), "license=MIT\nhardware=cpu\n");
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

/* In pieces of progress_bytes, which share the delay; stops when nobody wants it. */
static void echo_one(const struct service_conf *conf, struct step *step, struct aif_job *job)
{
	uint64_t delay = (uint64_t)conf->delay_ms * NS_PER_MS;
	size_t length = job->in[0].length, done = 0;
	size_t piece = conf->progress_bytes ? conf->progress_bytes : length;

	if (length > job->out[0].length) {
		aif_job_answer(job, -ENOSPC, 0, 0);
		return;
	}
	if (!length)
		sleep_ns(delay);
	while (done < length && !job->cancelled) {
		size_t n = length - done < piece ? length - done : piece;

		sleep_ns(delay * n / length);
		memmove((char *)job->out[0].data + done, (char *)job->in[0].data + done, n);
		done += n;
		if (done < length)
			step_progress(step, job, (uint32_t)done);
	}
	aif_job_answer(job, 0, (uint32_t)done, 0);
}

static int echo_step(void *state, struct step *step, struct aif_job **jobs, unsigned int n)
{
	const struct service_conf *conf = state;

	for (unsigned int i = 0; i < n; i++) {
		echo_one(conf, step, jobs[i]);
		if (conf->delay_ms)
			step_flush(step);
	}
	return 0;
}

const struct kind kind_echo = {
	.name = "echo",
	.open = echo_open,
	.close = echo_close,
	.describe = echo_describe,
	.step = echo_step,
};
