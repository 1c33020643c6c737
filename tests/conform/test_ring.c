// SPDX-License-Identifier: MIT
/*
 * The ring door, through the library, in plain, SQPOLL and DEFER_TASKRUN rings.  A
 * device without it must not grant it.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conform.h"
#include "libaif.h"

#define DEPTH	8u
#define BYTES	65536u
#define SLOTS	4u

static struct aif_holder *holder;
static struct aif_executor *executor;
static struct aif_client *client;
static struct aif_service *service;
static struct aif_buffer *buffer;
static struct io_uring ring;

/* ---- both sides, and a ring ---- */

static void ring_open(unsigned int flags)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = 10 };
	int err = io_uring_queue_init_params(32, &ring, &params);

	if (err == -EPERM || err == -EINVAL)
		skip("this kernel refuses such a ring: %s", strerror(-err));
	OK(err);
}

static void sides_open(void)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 4096 },
		{ .name = "out", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .output = true, .shape = { -1 }, .max_bytes = 4096 },
	};
	struct aif_client_opts client_opts = {
		.size = sizeof(client_opts), .device = device(), .depth = DEPTH,
		.features = AIF_FEATURE_URING,
	};
	struct aif_executor_opts executor_opts = {
		.size = sizeof(executor_opts), .device = device(), .features = AIF_FEATURE_URING,
		.slots = SLOTS,
	};
	struct aif_client_info info = { .size = sizeof(info) };
	char name[AIF_SERVICE_NAME_MAX];
	struct aif_holder_opts holder_opts = {
		.size = sizeof(holder_opts), .device = device(), .name = name,
		.accelerator = name, .io = io, .io_count = 2,
	};

	snprintf(name, sizeof(name), "ring-%d", getpid());
	holder = aif_holder_create(&holder_opts);
	TRUE(holder);
	executor_opts.service = aif_holder_service(holder);
	executor_opts.holder_fd = aif_holder_fd(holder);
	executor = aif_executor_open(&executor_opts);
	TRUE(executor);
	client = aif_client_open(&client_opts);
	TRUE(client);
	OK(aif_client_info(client, &info));
	if (!(info.features & AIF_FEATURE_URING))
		skip("the device does not grant the ring door");
	service = aif_service_open(client, name, AIF_OWNER_TRUSTED);
	TRUE(service);
	buffer = aif_buffer_alloc(client, BYTES);
	TRUE(buffer);
	TRUE(aif_grant_create(buffer, service, AIF_GRANT_WRITE));
}

static void start(unsigned int flags)
{
	sides_open();
	ring_open(flags);
}

static void stop(void)
{
	io_uring_queue_exit(&ring);
	aif_client_close(client);
	aif_executor_close(executor);
	aif_holder_close(holder);
}

/* The next entry, to be told by @id. */
static struct io_uring_sqe *entry(uint64_t id)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	TRUE(sqe);
	sqe->user_data = id;
	return sqe;
}

static void go(void)
{
	TRUE(io_uring_submit(&ring) >= 0);
}

/* The completion of @id; others that come first are kept. */
static int result_of(uint64_t id)
{
	static struct { uint64_t id; int res; } kept[64];
	static unsigned int count;
	struct io_uring_cqe *cqe;
	unsigned int i;
	int res;

	for (;;) {
		for (i = 0; i < count; i++) {
			if (kept[i].id != id)
				continue;
			res = kept[i].res;
			kept[i] = kept[--count];
			return res;
		}
		OK(io_uring_wait_cqe(&ring, &cqe));
		TRUE(count < 64);
		kept[count].id = cqe->user_data;
		kept[count++].res = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
}

static struct aif_request *prepared(struct iovec in, struct iovec out)
{
	struct aif_request_spec spec = {
		.size = sizeof(spec), .in = &in, .in_count = 1, .out = &out, .out_count = 1,
	};
	struct aif_request *r = aif_request_get(client);

	TRUE(r);
	OK(aif_request_prepare(r, service, &spec));
	return r;
}

static struct iovec piece(size_t bytes)
{
	void *data = aif_buffer_carve(buffer, bytes, 0);

	TRUE(data);
	return (struct iovec){ .iov_base = data, .iov_len = bytes };
}

static void echo(struct aif_job *job)
{
	memcpy(job->out[0].data, job->in[0].data, job->in[0].length);
	aif_job_answer(job, 0, (uint32_t)job->in[0].length, 0);
}

/* ---- what every ring can do ---- */

enum id { TURN = 1, SUBMIT, WAIT, QUIET, PRODUCED, CANCEL, PROGRESS, READ, WRITE };

/* A turn that brings a job; those that bring only events are repeated. */
static struct aif_job *turn_until_job(void)
{
	struct aif_job *jobs[SLOTS];
	int n;

	for (;;) {
		n = aif_executor_turned(executor, jobs, SLOTS, result_of(TURN));
		TRUE(n >= 0);
		if (n)
			return jobs[0];
		OK(aif_prep_turn(entry(TURN), executor, SLOTS, 0));
		go();
	}
}

/* Both roles in one ring: the turn is parked, then comes what wakes it. */
static void round_trip(unsigned int flags)
{
	struct iovec in, out;
	struct aif_request *r;

	start(flags);
	in = piece(5);
	out = piece(64);
	memcpy(in.iov_base, "hello", 5);
	r = prepared(in, out);
	OK(aif_prep_turn(entry(TURN), executor, SLOTS, 0));
	go();
	OK(aif_prep_submit(entry(SUBMIT), &r, 1, AIF_SUBMIT_WAIT_ALL));
	IS(aif_request_prepare(r, service, NULL), -EBUSY);
	go();
	echo(turn_until_job());
	OK(aif_prep_turn(entry(TURN), executor, SLOTS, AIF_TURN_NONBLOCK));
	go();
	IS(result_of(SUBMIT), 1);
	aif_request_submitted(&r, 1, 1);
	IS(aif_request_state(r), AIF_REQUEST_QUIET);
	IS(aif_request_produced(r), 5);
	IS(memcmp(out.iov_base, "hello", 5), 0);
	IS(aif_executor_turned(executor, NULL, 0, result_of(TURN)), -EAGAIN);
	stop();
}

static void batch(unsigned int flags)
{
	struct aif_request *r[DEPTH];
	struct aif_job *jobs[SLOTS];
	struct iovec in, out;
	struct io_uring_sqe *sqe;
	unsigned int i, answered = 0;
	int n;

	start(flags);
	in = piece(8);
	for (i = 0; i < DEPTH; i++) {
		out = piece(64);
		r[i] = prepared(in, out);
	}
	OK(aif_prep_submit(entry(SUBMIT), r, DEPTH, AIF_SUBMIT_WAIT_ALL));
	sqe = entry(0);
	IS(aif_prep_submit(sqe, r, 1, 0), -EINVAL);	/* they are on their way already */
	io_uring_prep_nop(sqe);
	go();
	while (answered < DEPTH) {
		n = aif_executor_turn(executor, jobs, SLOTS, 0);
		TRUE(n >= 0);
		for (i = 0; i < (unsigned int)n; i++)
			echo(jobs[i]);
		answered += (unsigned int)n;
	}
	OK(aif_executor_flush(executor));
	IS(result_of(SUBMIT), DEPTH);
	aif_request_submitted(r, DEPTH, DEPTH);
	for (i = 0; i < DEPTH; i++)
		IS(aif_request_result(r[i]), 0);
	stop();
}

/* A refused one stays prepared, and the ring's positions come back. */
static void refused(unsigned int flags)
{
	struct aif_request *r[2];
	unsigned int i;
	int res;

	start(flags);
	r[0] = prepared(piece(8), piece(64));
	r[1] = prepared(piece(4097), piece(64));
	for (i = 0; i < 2 * DEPTH; i++) {
		OK(aif_prep_submit(entry(SUBMIT), &r[1], 1, 0));
		go();
		res = result_of(SUBMIT);
		IS(res, -EINVAL);
		aif_request_submitted(&r[1], 1, res);
		IS(aif_request_state(r[1]), AIF_REQUEST_PREPARED);
	}
	OK(aif_prep_submit(entry(SUBMIT), r, 2, 0));
	go();
	IS(result_of(SUBMIT), 1);
	aif_request_submitted(r, 2, 1);
	IS(aif_request_state(r[0]), AIF_REQUEST_IN_FLIGHT);
	IS(aif_request_state(r[1]), AIF_REQUEST_PREPARED);
	stop();
}

static void waits(unsigned int flags)
{
	struct aif_request *r;
	struct aif_job *job;

	start(flags);
	r = prepared(piece(8), piece(64));
	IS(aif_request_submit(&r, 1, 0), 1);
	OK(aif_prep_turn(entry(TURN), executor, 1, 0));
	go();
	job = turn_until_job();
	OK(aif_prep_wait(entry(WAIT), client, 1));
	OK(aif_prep_wait_produced(entry(PRODUCED), r, 2));
	OK(aif_prep_wait_quiet(entry(QUIET), r));
	OK(aif_prep_progress(entry(PROGRESS), job, 3, 1));
	go();
	IS(result_of(PROGRESS), 0);
	IS(result_of(PRODUCED), 0);
	IS(aif_request_produced(r), 3);
	OK(aif_prep_cancel(entry(CANCEL), r));
	go();
	IS(result_of(CANCEL), 0);
	IS(result_of(WAIT), 0);
	IS(aif_request_state(r), AIF_REQUEST_ANSWERED);
	OK(aif_prep_progress(entry(PROGRESS), job, 4, 1));
	go();
	IS(result_of(PROGRESS), 1);
	aif_job_answer(job, 0, 0, 0);
	OK(aif_executor_flush(executor));
	IS(result_of(QUIET), 0);
	IS(aif_request_state(r), AIF_REQUEST_QUIET);
	OK(aif_prep_cancel(entry(CANCEL), r));
	go();
	IS(result_of(CANCEL), -ENOENT);
	stop();
}

static void waits_cancelled(unsigned int flags)
{
	struct aif_request *r;

	start(flags);
	r = prepared(piece(8), piece(64));
	IS(aif_request_submit(&r, 1, 0), 1);
	OK(aif_prep_wait(entry(WAIT), client, 1));
	OK(aif_prep_wait_quiet(entry(QUIET), r));
	go();
	while (io_uring_cq_ready(&ring) < 2) {	/* a SQPOLL thread takes its time */
		OK(aif_client_cancel_waits(client));
		TRUE(io_uring_get_events(&ring) >= 0);
	}
	IS(result_of(WAIT), -ECANCELED);
	IS(result_of(QUIET), -ECANCELED);
	IS(aif_request_state(r), AIF_REQUEST_IN_FLIGHT);
	stop();
}

/* A ring that ends with commands parked in it takes nothing else along. */
static void ring_ends(unsigned int flags)
{
	struct aif_request *r;
	struct aif_job *job;

	start(flags);
	r = prepared(piece(8), piece(64));
	OK(aif_prep_turn(entry(TURN), executor, 1, 0));
	go();
	while (aif_executor_turned(executor, &job, 1, result_of(TURN)) != 0)
		FAIL("a job without a request");
	OK(aif_prep_turn(entry(TURN), executor, 1, 0));
	OK(aif_prep_wait(entry(WAIT), client, 1));
	go();
	io_uring_queue_exit(&ring);
	ring_open(flags);
	OK(aif_prep_submit(entry(SUBMIT), &r, 1, 0));
	go();
	IS(result_of(SUBMIT), 1);
	aif_request_submitted(&r, 1, 1);
	IS(aif_executor_turned(executor, NULL, 0, -ECANCELED), -ECANCELED);
	while (aif_executor_turn(executor, &job, 1, 0) == -EALREADY)
		continue;	/* the ring's end is not over */
	echo(job);
	OK(aif_executor_flush(executor));
	IS(aif_request_result(r), 0);
	stop();
}

/* read(file) -> infer -> write(file), submitted at once. */
static void chain(unsigned int flags)
{
	char text[] = "the quick brown fox";
	struct io_uring_sqe *sqe;
	struct iovec in, out;
	struct aif_request *r;
	struct aif_job *job;
	char back[64] = { 0 };
	int from[2], to[2], n;

	start(flags);
	OK(pipe2(from, O_CLOEXEC));
	OK(pipe2(to, O_CLOEXEC));
	in = piece(sizeof(text));
	out = piece(sizeof(text));
	r = prepared(in, out);
	sqe = entry(READ);
	io_uring_prep_read(sqe, from[0], in.iov_base, sizeof(text), 0);
	sqe->user_data = READ;
	sqe->flags |= IOSQE_IO_LINK;
	sqe = entry(SUBMIT);
	OK(aif_prep_submit(sqe, &r, 1, AIF_SUBMIT_WAIT_ALL));
	sqe->flags |= IOSQE_IO_LINK | IOSQE_ASYNC;
	sqe = entry(WRITE);
	io_uring_prep_write(sqe, to[1], out.iov_base, sizeof(text), 0);
	sqe->user_data = WRITE;
	go();

	/* It waits for the pipe; the descriptor ring is used by others meanwhile. */
	for (n = 0; n < 3 * (int)DEPTH; n++) {
		struct aif_request *other = prepared(piece(8), piece(8));

		IS(aif_request_submit(&other, 1, 0), 1);
		OK(aif_request_cancel(other));
		aif_request_put(other);
	}
	IS(aif_request_state(r), AIF_REQUEST_PREPARED);
	IS(write(from[1], text, sizeof(text)), sizeof(text));
	do {
		n = aif_executor_turn(executor, &job, 1, AIF_TURN_NONBLOCK);
		TRUE(io_uring_get_events(&ring) >= 0);	/* task work runs the chain */
	} while (n == 0 || n == -EAGAIN);
	IS(n, 1);
	echo(job);
	OK(aif_executor_flush(executor));
	IS(result_of(READ), sizeof(text));
	IS(result_of(SUBMIT), 1);
	aif_request_submitted(&r, 1, 1);
	IS(result_of(WRITE), sizeof(text));
	IS(aif_request_result(r), 0);
	IS(read(to[0], back, sizeof(back)), sizeof(text));
	IS(strcmp(back, text), 0);
	stop();
}

/* A link that fails cancels the next ones: the request was never taken. */
static void chain_breaks(unsigned int flags)
{
	struct io_uring_sqe *sqe;
	struct aif_request *r;
	int res;

	start(flags);
	r = prepared(piece(8), piece(8));
	sqe = entry(READ);
	io_uring_prep_read(sqe, -1, NULL, 8, 0);
	sqe->user_data = READ;
	sqe->flags |= IOSQE_IO_LINK;
	OK(aif_prep_submit(entry(SUBMIT), &r, 1, AIF_SUBMIT_WAIT_ALL));
	go();
	IS(result_of(READ), -EBADF);
	res = result_of(SUBMIT);
	IS(res, -ECANCELED);
	aif_request_submitted(&r, 1, res);
	IS(aif_request_state(r), AIF_REQUEST_PREPARED);
	IS(aif_request_submit(&r, 1, 0), 1);
	stop();
}

#define IN_EACH_RING(what)							\
	static void what##_plain(void) { what(0); }				\
	static void what##_sqpoll(void) { what(IORING_SETUP_SQPOLL); }		\
	static void what##_defer(void)						\
	{									\
		what(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);	\
	}
IN_EACH_RING(round_trip)
IN_EACH_RING(batch)
IN_EACH_RING(refused)
IN_EACH_RING(waits)
IN_EACH_RING(waits_cancelled)
IN_EACH_RING(ring_ends)
IN_EACH_RING(chain)
IN_EACH_RING(chain_breaks)

#define TESTS(text, what)				\
	{ text " (plain ring)", what##_plain },		\
	{ text " (SQPOLL ring)", what##_sqpoll },	\
	{ text " (DEFER_TASKRUN ring)", what##_defer }

const struct test ring_tests[] = {
	TESTS("both roles in one ring", round_trip),
	TESTS("a batch", batch),
	TESTS("refused, and prepared still", refused),
	TESTS("waits, progress, cancel", waits),
	TESTS("parked waits are cancelled", waits_cancelled),
	TESTS("a ring ends with parked commands", ring_ends),
	TESTS("read, infer, write in a chain", chain),
	TESTS("a chain breaks", chain_breaks),
	{ 0 },
};
