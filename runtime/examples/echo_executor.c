/* SPDX-License-Identifier: MIT */
/*
 * A service in a hundred lines: "echo" answers with its input.
 *
 *	echo_executor [--device DEVICE] [--name NAME] [--slots N]
 *
 * creates the service, executes its requests until SIGTERM or SIGINT, then drains:
 * what is queued is still answered.  Prints "ready" when it can be used.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libaif.h"

#define BYTES_MAX	(1u << 20)
#define SLOTS_MAX	1024

static void fail(const char *what)
{
	fprintf(stderr, "echo_executor: %s: %s\n", what, aif_error_text(errno));
	exit(1);
}

static struct aif_holder *create_service(const char *device, const char *name)
{
	static const struct aif_service_io io[] = {
		{ .name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8,
		  .dims = 1, .shape = { -1 }, .max_bytes = BYTES_MAX },
		{ .name = "bytes", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8,
		  .output = true, .dims = 1, .shape = { -1 }, .max_bytes = BYTES_MAX },
	};
	const struct aif_holder_opts opts = {
		.size = sizeof(opts), .device = device, .name = name, .accelerator = "echo",
		.io = io, .io_count = 2, .text = "license=MIT\n",
	};

	return aif_holder_create(&opts);
}

/* Lengths were loaded once, when the job was made: the client cannot change them. */
static void echo(struct aif_job *job)
{
	size_t length = job->in[0].length;

	if (length > job->out[0].length) {
		aif_job_answer(job, -ENOSPC, 0, 0);
		return;
	}
	memcpy(job->out[0].data, job->in[0].data, length);
	aif_job_answer(job, 0, (uint32_t)length, 0);
}

/* Until the service has drained, or is gone. */
static int serve(struct aif_executor *executor, unsigned int slots)
{
	struct aif_job *jobs[SLOTS_MAX];
	int i, n;

	for (;;) {
		n = aif_executor_turn(executor, jobs, slots, 0);
		for (i = 0; i < n; i++)
			echo(jobs[i]);
		if (n < 0 && n != -EINTR)
			return n;
	}
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* The turn that waits, and all later ones, see the draining by themselves. */
static void *drain_on_signal(void *holder)
{
	sigset_t signals;
	int number;

	block_signals(&signals);
	sigwait(&signals, &number);
	aif_holder_drain(holder);
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "slots", required_argument, NULL, 's' },
		{ 0 },
	};
	struct aif_executor_opts opts = { .size = sizeof(opts), .slots = 64 };
	const char *name = "echo";
	pthread_t drainer;
	sigset_t signals;
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			opts.device = optarg;
		else if (option == 'n')
			name = optarg;
		else if (option == 's')
			opts.slots = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (!opts.slots || opts.slots > SLOTS_MAX) {
		fprintf(stderr, "echo_executor: --slots is 1 to %d\n", SLOTS_MAX);
		return 2;
	}
	block_signals(&signals);

	struct aif_holder *holder = create_service(opts.device, name);

	if (!holder)
		fail("cannot create the service");
	opts.service = aif_holder_service(holder);
	opts.holder_fd = aif_holder_fd(holder);
	struct aif_executor *executor = aif_executor_open(&opts);

	if (!executor)
		fail("cannot attach");
	if (pthread_create(&drainer, NULL, drain_on_signal, holder))
		fail("cannot start a thread");
	puts("ready");
	fflush(stdout);
	err = serve(executor, opts.slots);
	pthread_cancel(drainer);
	pthread_join(drainer, NULL);
	aif_executor_close(executor);
	aif_holder_close(holder);
	if (err != -ESHUTDOWN) {
		errno = -err;
		fail("the service ended");
	}
	return 0;
}
