// SPDX-License-Identifier: MIT
/* The same device through libaif.h: both sides of the library. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "conform.h"
#include "libaif.h"

#define DEPTH	8u
#define BYTES	65536u
#define TEXT	"license=MIT\nempty=\nlicenses=none"

static struct aif_holder *holder;
static struct aif_executor *executor;
static struct aif_client *client;
static struct aif_service *service;
static struct aif_buffer *buffer;
static struct aif_grant *grant;
static char name[AIF_SERVICE_NAME_MAX];

/* ---- both sides ---- */

static struct aif_holder *hold(void)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 4096 },
		{ .name = "out", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .output = true, .shape = { -1 }, .max_bytes = 4096 },
		{ .name = "count", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32, .dims = 1,
		  .output = true, .optional = true, .shape = { 1 }, .max_bytes = 4 },
	};
	struct aif_holder_opts opts = {
		.size = sizeof(opts), .device = device(), .name = name, .accelerator = name,
		.model = "echo", .text = TEXT, .io = io, .io_count = 3,
	};

	snprintf(name, sizeof(name), "library-%d", getpid());
	return aif_holder_create(&opts);
}

static struct aif_executor *attach(const struct aif_executor_callbacks *callbacks,
				   unsigned int slots)
{
	struct aif_executor_opts opts = {
		.size = sizeof(opts), .device = device(), .callbacks = callbacks,
		.service = aif_holder_service(holder), .holder_fd = aif_holder_fd(holder),
		.slots = slots,
	};

	return aif_executor_open(&opts);
}

static void start_with(const struct aif_executor_callbacks *callbacks)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = device(), .depth = DEPTH };

	holder = hold();
	TRUE(holder);
	executor = attach(callbacks, 4);
	TRUE(executor);
	client = aif_client_open(&opts);
	TRUE(client);
	service = aif_service_open(client, name, AIF_OWNER_TRUSTED);
	TRUE(service);
	buffer = aif_buffer_alloc(client, BYTES);
	TRUE(buffer);
	grant = aif_grant_create(buffer, service, AIF_GRANT_WRITE);
	TRUE(grant);
}

static void start(void)
{
	start_with(NULL);
}

static void stop(void)
{
	aif_client_close(client);
	aif_executor_close(executor);
	aif_holder_close(holder);
}

/* ---- an executor in a thread: echoes, counts, until drained ---- */

static void echo(struct aif_job *job)
{
	int32_t length = (int32_t)job->in[0].length;

	if (job->out[0].length < job->in[0].length) {
		aif_job_answer(job, -ENOSPC, 0, 0);
		return;
	}
	memcpy(job->out[0].data, job->in[0].data, job->in[0].length);
	if (job->out[1].length)
		memcpy(job->out[1].data, &length, sizeof(length));
	aif_job_answer(job, 1, (uint32_t)length, 0);
}

static void *serve(void *unused)
{
	struct aif_job *jobs[4];
	int n, i;

	do {
		n = aif_executor_turn(executor, jobs, 4, 0);
		for (i = 0; i < n; i++)
			echo(jobs[i]);
	} while (n >= 0);
	return (void *)(intptr_t)n;
}

static pthread_t serving(void)
{
	pthread_t thread;

	OK(pthread_create(&thread, NULL, serve, NULL));
	return thread;
}

static void served(pthread_t thread)
{
	void *result;

	OK(aif_holder_drain(holder));
	OK(pthread_join(thread, &result));
	IS((intptr_t)result, -ESHUTDOWN);
}

/* ---- pieces ---- */

static struct iovec piece(size_t bytes)
{
	void *data = aif_buffer_carve(buffer, bytes, 0);

	TRUE(data);
	return (struct iovec){ .iov_base = data, .iov_len = bytes };
}

static struct iovec text_of(const char *text)
{
	struct iovec v = piece(strlen(text));

	memcpy(v.iov_base, text, v.iov_len);
	return v;
}

/* One input, one output; the caller keeps both vectors. */
static struct aif_request_spec spec_of(const struct iovec *in, const struct iovec *out)
{
	return (struct aif_request_spec){
		.size = sizeof(struct aif_request_spec), .in = in, .in_count = 1, .out = out,
		.out_count = 1,
	};
}

static struct aif_request *prepared(void)
{
	struct iovec in = text_of("hello"), out = piece(64);
	struct aif_request_spec spec = spec_of(&in, &out);
	struct aif_request *r = aif_request_get(client);

	TRUE(r);
	OK(aif_request_prepare(r, service, &spec));
	return r;
}

static struct aif_job *one_job(void)
{
	struct aif_job *job = NULL;
	int n;

	do {
		n = aif_executor_turn(executor, &job, 1, 0);
	} while (!n);
	IS(n, 1);
	return job;
}

/* ---- calls ---- */

static void test_call(void)
{
	struct aif_outcome outcome = { .size = sizeof(outcome) };
	struct iovec in, out[2];
	struct aif_request_spec spec;
	pthread_t thread;

	start();
	thread = serving();
	in = text_of("hello");
	out[0] = piece(64);
	out[1] = piece(4);
	spec = spec_of(&in, out);
	spec.out_count = 2;
	IS(aif_call(service, &spec, &outcome), 1);
	IS(memcmp(out[0].iov_base, "hello", 5), 0);
	IS(*(int32_t *)out[1].iov_base, 5);
	IS(outcome.result, 1);
	IS(outcome.produced, 5);
	IS(outcome.attempt, 1);
	TRUE(outcome.quiet && outcome.submitted_ns && outcome.answered_ns >= outcome.fetched_ns);
	IS(aif_call(service, &spec, NULL), 1);
	served(thread);
	IS(aif_call(service, &spec, &outcome), -ESHUTDOWN);
	IS(outcome.result, -ESHUTDOWN);
	IS(outcome.attempt, 0);
	TRUE(!outcome.submitted_ns);
	stop();
}

/* An input of 24 bytes may lie anywhere; one more may not.  No bytes may be nowhere. */
static void test_call_pieces(void)
{
	char outside[] = "four and twenty bytes...!";
	struct iovec in = { outside, 24 }, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	struct aif_outcome outcome = { .size = sizeof(outcome) };
	pthread_t thread;

	start();
	thread = serving();
	out = piece(64);
	IS(aif_call(service, &spec, NULL), 1);
	IS(memcmp(out.iov_base, outside, 24), 0);
	in.iov_len = 25;
	IS(aif_call(service, &spec, NULL), -EFAULT);
	in = (struct iovec){ 0 };
	IS(aif_call(service, &spec, &outcome), 1);
	IS(outcome.produced, 0);
	out.iov_base = outside;
	IS(aif_call(service, &spec, NULL), -EFAULT);
	out = (struct iovec){ (char *)aif_buffer_data(buffer) + BYTES - 64, 65 };
	IS(aif_call(service, &spec, NULL), -EFAULT);
	out.iov_len = 64;
	IS(aif_call(service, &spec, NULL), 1);
	out.iov_base = (char *)out.iov_base + 1;
	out.iov_len = 8;
	IS(aif_call(service, &spec, NULL), -EINVAL);	/* misaligned */
	served(thread);
	stop();
}

static void test_spec_refused(void)
{
	struct iovec v[4];
	struct aif_request_spec spec;
	struct aif_request *r;
	int i;

	start();
	for (i = 0; i < 4; i++)
		v[i] = piece(8);
	r = aif_request_get(client);
	spec = spec_of(v, v);
	spec.flags = 2;
	IS(aif_request_prepare(r, service, &spec), -EINVAL);
	spec = spec_of(v, v);
	spec.sched_class = (enum aif_request_class)3;
	IS(aif_request_prepare(r, service, &spec), -EINVAL);
	spec = spec_of(v, v);
	spec.out_count = 3;
	IS(aif_request_prepare(r, service, &spec), -EINVAL);
	spec = spec_of(v, v);
	spec.size--;
	IS(aif_request_prepare(r, service, &spec), -EINVAL);
	spec = spec_of(v, v);
	spec.sched_class = AIF_REQUEST_REALTIME;
	OK(aif_request_prepare(r, service, &spec));
	IS(aif_request_submit(&r, 1, 0), -EOPNOTSUPP);
	aif_request_put(r);
	stop();
}

#define CALLERS	4
#define CALLS	64

static void *call_often(void *number)
{
	struct aif_buffer *mine = aif_buffer_alloc(client, 8192);
	struct aif_grant *g = mine ? aif_grant_create(mine, service, AIF_GRANT_WRITE) : NULL;
	struct iovec in, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	intptr_t i, wrong = 0;

	if (!g)
		return (void *)CALLS;
	in = (struct iovec){ aif_buffer_carve(mine, 64, 0), 64 };
	out = (struct iovec){ aif_buffer_carve(mine, 64, 0), 64 };
	for (i = 0; i < CALLS; i++) {
		memset(in.iov_base, (int)((intptr_t)number * CALLS + i), 64);
		wrong += aif_call(service, &spec, NULL) != 1 ||
			 memcmp(in.iov_base, out.iov_base, 64);
	}
	wrong += aif_grant_revoke(g) != 0;
	wrong += aif_buffer_free(mine) != 0;
	return (void *)wrong;
}

static void test_threads_share_a_client(void)
{
	pthread_t thread, callers[CALLERS];
	void *wrong;
	intptr_t i;

	start();
	thread = serving();
	for (i = 0; i < CALLERS; i++)
		OK(pthread_create(&callers[i], NULL, call_often, (void *)i));
	for (i = 0; i < CALLERS; i++) {
		OK(pthread_join(callers[i], &wrong));
		IS((intptr_t)wrong, 0);
	}
	served(thread);
	IS(aif_client_answered(client), CALLERS * CALLS);
	stop();
}

/* ---- what belongs to the application ---- */

/* Signals that this process's other threads do not block. */
static unsigned long long unblocked_elsewhere(void)
{
	unsigned long long mask, open = 0;
	char path[300], line[128];
	struct dirent *task;
	DIR *tasks = opendir("/proc/self/task");
	FILE *f;

	while ((task = readdir(tasks))) {
		if (*task->d_name == '.' || atoi(task->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		f = fopen(path, "re");
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "SigBlk: %llx", &mask) == 1)
				open |= ~mask;
		}
		fclose(f);
	}
	closedir(tasks);
	return open;
}

#define BIT(number)	(1ull << ((number) - 1))

/* A thread of the library's takes no signal that was meant for the application. */
static void test_no_signal_taken(void)
{
	sigset_t mine;

	start();
	IS(unblocked_elsewhere() & (BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGUSR1) | BIT(SIGALRM)), 0);
	OK(pthread_sigmask(SIG_SETMASK, NULL, &mine));
	IS(sigismember(&mine, SIGTERM), 0);
	stop();
}

/* ---- requests ---- */

static void test_request_states(void)
{
	struct aif_outcome outcome = { .size = sizeof(outcome) };
	struct iovec in, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	struct aif_client_info info = { .size = sizeof(info) };
	uint32_t tag, first, second;
	struct aif_request *r;
	uint64_t tenant;
	struct aif_job *job;

	start();
	in = text_of("hello");
	out = piece(64);
	r = aif_request_get(client);
	TRUE(!aif_request_user(r));
	aif_request_set_user(r, &in);
	IS(aif_request_state(r), AIF_REQUEST_NEW);
	IS(aif_request_submit(&r, 1, 0), -EINVAL);
	IS(aif_request_wait(r, 0), -EINVAL);
	OK(aif_request_prepare(r, service, &spec));
	IS(aif_request_state(r), AIF_REQUEST_PREPARED);
	aif_request_trace(r, &tenant, &tag, &first);
	IS(aif_request_submit(&r, 1, 0), 1);
	IS(aif_request_state(r), AIF_REQUEST_IN_FLIGHT);
	IS(aif_request_prepare(r, service, &spec), -EBUSY);
	IS(aif_request_submit(&r, 1, 0), -EINVAL);
	IS(aif_request_outcome(r, &outcome), -EINPROGRESS);
	IS(aif_request_result(r), -EINPROGRESS);
	IS(aif_request_wait(r, 0), -ETIME);
	IS(aif_request_spin(r, 0), -ETIME);
	job = one_job();
	IS(job->in[0].length, 5);
	IS(memcmp(job->in[0].data, "hello", 5), 0);
	IS(job->in[0].mapping->length, BYTES);
	IS(job->out[0].length, 64);
	IS(job->out[1].length, 0);
	IS(job->attempt, 1);
	IS(job->tag, tag);
	IS(job->sched_class, AIF_REQUEST_NORMAL);
	echo(job);
	OK(aif_executor_flush(executor));
	TRUE(aif_request_answered(r));
	OK(aif_request_spin(r, 0));
	OK(aif_request_wait(r, 0));
	OK(aif_request_wait_quiet(r, 0));
	IS(aif_request_state(r), AIF_REQUEST_QUIET);
	IS(aif_request_result(r), 1);
	IS(aif_request_produced(r), 5);
	OK(aif_request_prepare(r, service, &spec));	/* again, without a put */
	IS(aif_request_state(r), AIF_REQUEST_PREPARED);
	TRUE(!aif_request_answered(r));
	aif_request_trace(r, &tenant, &tag, &second);
	OK(aif_client_info(client, &info));
	TRUE(tenant == info.tenant);
	TRUE(second != first);
	TRUE(aif_request_user(r) == &in);
	aif_request_put(r);
	stop();
}

/* A request that is put while it is in flight comes back when it is quiet. */
/* Twice in one submission is once too often; it can still be submitted. */
static void test_submitted_twice(void)
{
	struct aif_request *list[2];

	start();
	list[0] = prepared();
	list[1] = list[0];
	IS(aif_request_submit(list, 2, 0), -EINVAL);
	IS(aif_request_state(list[0]), AIF_REQUEST_PREPARED);
	IS(aif_request_submit(list, 1, 0), 1);
	IS(aif_request_prepare(list[0], service, NULL), -EBUSY);
	echo(one_job());
	stop();
}

static void *submit_and_wait(void *request)
{
	struct aif_request *r = request;

	return (void *)(intptr_t)aif_request_submit(&r, 1, AIF_SUBMIT_WAIT_ALL);
}

/* ThreadSanitizer watches: what is said to be for any thread is. */
static void test_looked_at_while_submitted(void)
{
	struct aif_outcome outcome = { .size = sizeof(outcome) };
	struct aif_request *r;
	pthread_t thread, server;
	void *taken;

	start();
	r = prepared();
	OK(pthread_create(&thread, NULL, submit_and_wait, r));
	while (aif_request_state(r) == AIF_REQUEST_PREPARED)
		;
	server = serving();
	while (aif_request_outcome(r, &outcome) == -EINPROGRESS)
		TRUE(aif_request_state(r) >= AIF_REQUEST_IN_FLIGHT);
	IS(outcome.produced, 5);
	OK(aif_request_wait(r, FOREVER));
	OK(pthread_join(thread, &taken));
	IS((intptr_t)taken, 1);
	served(server);
	stop();
}

/* ---- signals ---- */

static void on_signal(int number)
{
}

/* What a thread's call returns when signals reach it until it comes back. */
static int interrupted(void *(*call)(void *), void *arg)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct timespec pause = { .tv_nsec = NS_PER_MS };
	pthread_t thread;
	void *result;

	OK(sigaction(SIGUSR1, &action, NULL));
	OK(pthread_create(&thread, NULL, call, arg));
	while (pthread_tryjoin_np(thread, &result)) {
		pthread_kill(thread, SIGUSR1);
		nanosleep(&pause, NULL);
	}
	return (int)(intptr_t)result;
}

static void *call_once(void *outcome)
{
	struct iovec in = text_of("hello"), out = piece(64);
	struct aif_request_spec spec = spec_of(&in, &out);

	return (void *)(intptr_t)aif_call(service, &spec, outcome);
}

static void *turn_until_error(void *unused)
{
	struct aif_job *job;
	int n;

	do {
		n = aif_executor_turn(executor, &job, 1, 0);
	} while (n >= 0);
	return (void *)(intptr_t)n;
}

/* A call is taken back, a submission goes on, an executor goes on. */
static void test_signals(void)
{
	struct aif_outcome outcome = { .size = sizeof(outcome), .attempt = 9 };
	struct aif_request *r;
	pthread_t thread;

	if (is_local())
		skip("no wait ends with -EINTR here");
	start();
	IS(interrupted(call_once, &outcome), -EINTR);
	IS(outcome.result, -EINTR);
	IS(outcome.attempt, 0);
	OK(aif_client_wait_quiet(client, FOREVER));
	IS(aif_client_answered(client), 1);
	r = prepared();
	IS(interrupted(submit_and_wait, r), -EINTR);
	IS(aif_request_state(r), AIF_REQUEST_IN_FLIGHT);
	echo(one_job());
	IS(interrupted(turn_until_error, NULL), -EINTR);
	IS(aif_request_result(r), 1);		/* the answer was taken all the same */
	thread = serving();
	IS((intptr_t)call_once(&outcome), 1);
	IS(outcome.attempt, 1);
	served(thread);
	stop();
}

static void test_request_put_in_flight(void)
{
	struct aif_request *r[DEPTH];
	struct aif_job *job;
	unsigned int i;

	start();
	for (i = 0; i < DEPTH; i++)
		r[i] = prepared();
	TRUE(!aif_request_get(client));
	IS(errno, EAGAIN);
	IS(aif_request_submit(&r[0], 1, 0), 1);
	aif_request_put(r[0]);
	TRUE(!aif_request_get(client));
	job = one_job();
	echo(job);
	OK(aif_executor_flush(executor));
	r[0] = aif_request_get(client);
	TRUE(r[0]);
	for (i = 0; i < DEPTH; i++)
		aif_request_put(r[i]);
	stop();
}

static void test_batch(void)
{
	struct aif_request *r[DEPTH];
	struct iovec in, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	pthread_t thread;
	unsigned int i;

	start();
	for (i = 0; i < DEPTH; i++)
		r[i] = prepared();
	thread = serving();
	IS(aif_request_submit(r, 5, AIF_SUBMIT_WAIT_ALL), 5);
	for (i = 0; i < 5; i++)
		IS(aif_request_result(r[i]), 1);
	IS(aif_request_submit(&r[5], 1, AIF_SUBMIT_WAIT_FIRST), 1);
	IS(aif_request_result(r[5]), 1);
	IS(aif_request_submit(r, 0, 0), -EINVAL);
	IS(aif_request_submit(&r[6], 2, 4), -EINVAL);
	IS(aif_request_submit(&r[6], 2, AIF_SUBMIT_WAIT_ALL | AIF_SUBMIT_WAIT_FIRST), -EINVAL);
	/* The second of three is refused: too long. */
	in = piece(5000);
	out = piece(64);
	OK(aif_request_prepare(r[1], service, &spec));
	in.iov_len = 8;
	OK(aif_request_prepare(r[0], service, &spec));
	r[2] = r[6];
	IS(aif_request_submit(r, 3, 0), 1);
	IS(aif_request_state(r[1]), AIF_REQUEST_PREPARED);
	IS(aif_request_state(r[2]), AIF_REQUEST_PREPARED);
	IS(aif_request_submit(&r[1], 1, 0), -EINVAL);
	OK(aif_request_wait(r[0], FOREVER));
	OK(aif_client_wait_quiet(client, FOREVER));
	IS(aif_client_answered(client), 7);
	served(thread);
	stop();
}

static void test_cancel_and_quiet(void)
{
	struct aif_outcome outcome = { .size = sizeof(outcome) };
	struct aif_request *r;
	struct aif_job *job;
	int n;

	start();
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	job = one_job();
	OK(aif_request_cancel(r));
	IS(aif_request_cancel(r), -ENOENT);
	IS(aif_request_state(r), AIF_REQUEST_ANSWERED);
	OK(aif_request_outcome(r, &outcome));
	IS(outcome.result, -ECANCELED);
	TRUE(!outcome.quiet);
	IS(aif_request_wait_quiet(r, 0), -ETIME);
	TRUE(!job->cancelled);
	n = aif_executor_turn(executor, NULL, 0, 0);
	IS(n, 0);
	TRUE(job->cancelled);
	aif_job_answer(job, 0, 0, 0);
	OK(aif_executor_flush(executor));
	OK(aif_request_wait_quiet(r, 0));
	IS(aif_request_result(r), -ECANCELED);
	aif_request_put(r);
	stop();
}

static void test_progress(void)
{
	struct aif_request *r;
	struct aif_job *job;

	start();
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	job = one_job();
	IS(aif_request_wait_produced(r, 0, 0), -ETIME);
	IS(aif_job_progress(job, 3, 0), 0);
	OK(aif_request_wait_produced(r, 2, 0));
	IS(aif_request_produced(r), 3);
	OK(aif_client_cancel_all(client));
	IS(aif_job_progress(job, 4, 0), 1);
	TRUE(job->cancelled);
	aif_job_answer(job, 0, 0, 0);
	stop();
}

static void test_deadline(void)
{
	struct iovec in, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	struct aif_outcome outcome = { .size = sizeof(outcome) };

	start();
	in = text_of("hello");
	out = piece(64);
	spec.deadline_ns = (uint64_t)(now_ns() + 10 * NS_PER_MS);
	IS(aif_call(service, &spec, &outcome), -ETIME);	/* nobody executes */
	IS(outcome.attempt, 0);
	IS(aif_call(service, &spec, &outcome), -ETIME);	/* refused at once */
	TRUE(!outcome.submitted_ns);
	stop();
}

static void test_client_readable(void)
{
	struct pollfd p = { .events = POLLIN };
	struct aif_request *r;

	start();
	p.fd = aif_client_fd(client);
	IS(poll(&p, 1, 0), 0);
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	echo(one_job());
	OK(aif_executor_flush(executor));
	IS(poll(&p, 1, -1), 1);
	IS(aif_client_answered(client), 1);
	IS(poll(&p, 1, 0), 1);
	OK(aif_client_wait(client, 1, 0));
	IS(poll(&p, 1, 0), 0);
	IS(aif_client_wait(client, 2, 0), -ETIME);
	aif_request_put(r);
	stop();
}

/* ---- grants ---- */

static struct {
	unsigned int mapped, unmapped, poisoned;
	uint32_t tag;
	int error;
} seen;

static int on_mapped(void *ctx, struct aif_mapping *m)
{
	m->user = m->data;
	seen.mapped++;
	return seen.error;
}

static void on_unmapped(void *ctx, struct aif_mapping *m)
{
	TRUE(m->user == m->data);
	TRUE(((volatile char *)m->data)[0] == 0);	/* there still, and not the client's */
	seen.unmapped++;
}

static void on_poisoned(void *ctx, uint64_t from, uint32_t tag)
{
	seen.poisoned++;
	seen.tag = tag;
}

static const struct aif_executor_callbacks callbacks = {
	.size = sizeof(callbacks), .mapped = on_mapped, .unmapped = on_unmapped,
	.poisoned = on_poisoned,
};

/* A mapping stays as long as a job is in hand, and shows zeroes. */
static void test_revoked_under_a_job(void)
{
	struct aif_request *r;
	struct aif_job *job;

	start_with(&callbacks);
	memset(aif_buffer_data(buffer), 'x', BYTES);
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	job = one_job();
	IS(seen.mapped, 1);
	IS(aif_service_close(service), -EBUSY);
	IS(aif_buffer_free(buffer), -EBUSY);
	OK(aif_grant_revoke(grant));
	IS(aif_request_result(r), -EKEYREVOKED);
	IS(aif_executor_turn(executor, NULL, 0, 0), 0);
	TRUE(job->cancelled);
	IS(((char *)job->in[0].data)[0], 0);
	((char *)job->out[0].data)[0] = 'y';		/* harmless */
	IS(aif_executor_turn(executor, NULL, 0, AIF_TURN_NONBLOCK), -EAGAIN);
	IS(seen.unmapped, 0);
	aif_job_answer(job, 0, 0, 0);
	OK(aif_executor_flush(executor));
	IS(seen.unmapped, 1);
	OK(aif_request_wait_quiet(r, 0));
	aif_request_put(r);
	OK(aif_buffer_free(buffer));
	OK(aif_service_close(service));
	stop();
}

/* An executor that cannot register a grant answers its requests with the reason. */
static void test_mapped_refuses(void)
{
	struct aif_request *r;

	seen.error = -ENOMEM;
	start_with(&callbacks);
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	IS(aif_executor_turn(executor, (struct aif_job *[1]){ NULL }, 1, 0), 0);
	OK(aif_executor_flush(executor));
	IS(aif_request_result(r), -ENOMEM);
	IS(seen.unmapped, 0);
	aif_request_put(r);
	stop();
}

/* A new grant may be given the old one's handle: what was prepared is not its. */
static void test_revoked_since_prepared(void)
{
	struct aif_request *r, *other, *third;
	struct aif_buffer *second;

	start();
	r = prepared();
	other = prepared();
	third = prepared();
	IS(aif_request_submit(&other, 1, 0), 1);
	second = aif_buffer_alloc(client, BYTES);
	TRUE(second);
	OK(aif_grant_revoke(aif_grant_create(second, service, 0)));
	IS(aif_request_submit(&third, 1, 0), 1);	/* that was not its grant */
	OK(aif_grant_revoke(grant));
	TRUE(aif_grant_create(second, service, AIF_GRANT_WRITE));
	IS(aif_request_submit(&r, 1, 0), -EKEYREVOKED);
	IS(aif_request_submit(&r, 1, 0), -EKEYREVOKED);
	IS(aif_request_result(other), -EKEYREVOKED);
	stop();
}

static void test_grants_are_found(void)
{
	struct aif_buffer *second;
	struct iovec in, out;
	struct aif_request_spec spec = spec_of(&in, &out);
	struct aif_request *r = NULL;
	struct aif_grant *readonly;

	start();
	second = aif_buffer_alloc(client, 100);
	IS(aif_buffer_size(second), 4096);
	in = (struct iovec){ aif_buffer_data(second), 8 };
	out = piece(64);
	r = aif_request_get(client);
	OK(aif_request_prepare(r, service, &spec));	/* short: inline */
	in.iov_len = 25;
	IS(aif_request_prepare(r, service, &spec), -EFAULT);
	readonly = aif_grant_create(second, service, 0);
	TRUE(readonly);
	OK(aif_request_prepare(r, service, &spec));
	IS(aif_request_submit(&r, 1, 0), 1);
	OK(aif_request_cancel(r));
	OK(aif_request_wait_quiet(r, FOREVER));
	out = in;
	OK(aif_request_prepare(r, service, &spec));
	IS(aif_request_submit(&r, 1, 0), -EACCES);
	OK(aif_grant_revoke(readonly));
	IS(aif_request_prepare(r, service, &spec), -EFAULT);
	TRUE(!aif_grant_create(second, service, 2));
	IS(errno, EINVAL);
	aif_request_put(r);
	OK(aif_buffer_free(second));
	stop();
}

/* Another client of the same file, as another process has it. */
static struct aif_client *client_of(int fd)
{
	return aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = device(), .fd = fd,
	});
}

static void test_adopted(void)
{
	struct aif_buffer_place place, wrong;
	struct aif_client *other;
	struct aif_buffer *same;
	int fd;

	start();
	OK(aif_buffer_place(buffer, &place));
	fd = dup(aif_client_fd(client));
	other = client_of(fd);
	if (is_local()) {
		TRUE(!other);
		IS(errno, EOPNOTSUPP);
		IS(close(fd), 0);	/* it is the caller's still */
		stop();
		return;
	}
	TRUE(other);
	same = aif_buffer_adopt(other, &place);
	TRUE(same && aif_buffer_size(same) == aif_buffer_size(buffer));
	memcpy(aif_buffer_data(buffer), "here", 5);
	IS(memcmp(aif_buffer_data(same), "here", 5), 0);
	wrong = place;
	wrong.offset += 1ull << 40;
	TRUE(!aif_buffer_adopt(other, &wrong));
	IS(errno, EINVAL);
	OK(aif_buffer_free(same));
	aif_client_close(other);
	memcpy(aif_buffer_data(buffer), "there", 6);
	stop();
}

static void test_adopted_refused(void)
{
	static const struct aif_buffer_place nothing, odd = { .bytes = 4096, .reserved = 1 };
	int fd = dup(STDIN_FILENO);

	start();
	TRUE(!aif_buffer_adopt(client, &nothing));
	IS(errno, EINVAL);
	TRUE(!aif_buffer_adopt(client, &odd));
	IS(errno, EINVAL);
	TRUE(!client_of(fd));
	IS(errno, is_local() ? EOPNOTSUPP : ENOTTY);
	IS(close(fd), 0);
	stop();
}

/* Passed on to another client, with less than it allowed; and on from there. */
static void test_shared(void)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = device() };
	const unsigned int see = AIF_ALLOW_READ | AIF_ALLOW_MAP;
	struct aif_buffer *seen, *unseen, *adopted;
	struct aif_buffer_place place;
	struct aif_client *other;
	int fd;

	start();
	fd = aif_buffer_share(buffer, see);
	if (fd == -EOPNOTSUPP) {
		TRUE(!aif_buffer_accept(client, 0, 0) && errno == EOPNOTSUPP);
		stop();
		skip("the device has no other processes");
	}
	TRUE(fd >= 0);
	IS(aif_buffer_share(buffer, ~0u), -EINVAL);
	other = aif_client_open(&opts);
	TRUE(other);
	TRUE(!aif_buffer_accept(other, fd, see | AIF_ALLOW_WRITE) && errno == EACCES);
	seen = aif_buffer_accept(other, fd, 0);
	unseen = aif_buffer_accept(other, fd, AIF_ALLOW_READ);
	close(fd);
	TRUE(seen && unseen && !aif_buffer_data(unseen));
	TRUE(!aif_buffer_carve(unseen, 64, 0) && errno == EOPNOTSUPP);
	IS(aif_buffer_place(unseen, &place), -EOPNOTSUPP);
	OK(aif_buffer_place(seen, &place));
	adopted = aif_buffer_adopt(other, &place);
	TRUE(adopted);
	IS(aif_buffer_size(seen), aif_buffer_size(buffer));
	strcpy(aif_buffer_data(buffer), "seen");
	TRUE(!strcmp(aif_buffer_data(seen), "seen"));
	TRUE(!strcmp(aif_buffer_data(adopted), "seen"));
	OK(aif_buffer_free(adopted));
	IS(aif_buffer_share(unseen, see), -EACCES);
	OK(aif_buffer_free(unseen));
	OK(aif_buffer_free(seen));
	aif_client_close(other);
	stop();
}

static void test_carving(void)
{
	char *data;

	start();
	data = aif_buffer_data(buffer);
	TRUE(aif_buffer_carve(buffer, 1, 0) == data);
	TRUE(aif_buffer_carve(buffer, 1, 0) == data + 64);
	TRUE(aif_buffer_carve(buffer, 1, 1) == data + 65);
	TRUE(aif_buffer_carve(buffer, 0, 4096) == data + 4096);
	TRUE(!aif_buffer_carve(buffer, 1, 48));
	IS(errno, EINVAL);
	TRUE(!aif_buffer_carve(buffer, BYTES - 4095, 1));
	IS(errno, ENOSPC);
	TRUE(!aif_buffer_carve(buffer, SIZE_MAX, 1));
	TRUE(aif_buffer_carve(buffer, BYTES - 4096, 1) == data + 4096);
	aif_buffer_reset(buffer);
	TRUE(aif_buffer_carve(buffer, BYTES, 4096) == data);
	stop();
}

/* ---- services ---- */

static bool value_is(const struct aif_service_info *info, const char *key, const char *want)
{
	size_t length = 99;
	const char *value = aif_service_info_value(info, key, &length);

	if (!value)
		return !want;
	return want && length == strlen(want) && !memcmp(value, want, length);
}

static void test_services(void)
{
	struct aif_service_info *info;
	uint32_t ids[64];
	int n;

	start();
	n = aif_service_list(client, ids, 64);
	TRUE(n >= 1 && n <= 64);
	IS(ids[n - 1], aif_holder_service(holder));
	info = aif_service_describe(client, ids[n - 1]);
	TRUE(info);
	IS(strcmp(info->name, name), 0);
	IS(strcmp(info->model, "echo"), 0);
	IS(strcmp(info->text, TEXT), 0);
	IS(strspn(info->digest, "0"), 64);
	IS(info->owner, geteuid());
	IS(info->input_count, 1);
	IS(info->output_count, 2);
	IS(info->step_tokens, 1);
	IS(info->io[0].alignment, 64);
	IS(info->io[2].shape[0], 1);
	TRUE(info->io[2].optional && info->io[2].output && !info->io[0].output);
	TRUE(value_is(info, "license", "MIT") && value_is(info, "empty", ""));
	TRUE(value_is(info, "licenses", "none") && value_is(info, "licens", NULL));
	aif_service_info_free(info);
	info = aif_holder_describe(holder);
	IS(info->executors, 1);
	IS(info->granted_bytes, BYTES);
	aif_service_info_free(info);
	TRUE(!aif_service_describe(client, 0));
	IS(errno, ENOENT);
	stop();
}

static void test_owner_policy(void)
{
	char endless[AIF_SERVICE_NAME_MAX + 1] = { 0 };
	struct aif_service *mine;

	start();
	mine = aif_service_open(client, name, geteuid());
	TRUE(mine);
	OK(aif_service_close(mine));
	TRUE(!aif_service_open(client, name, geteuid() + 1));
	IS(errno, ENOENT);
	TRUE(!aif_service_open(client, "nobody", AIF_OWNER_TRUSTED));
	IS(errno, ENOENT);
	memset(endless, 'a', AIF_SERVICE_NAME_MAX);
	TRUE(!aif_service_open(client, endless, AIF_OWNER_TRUSTED));
	IS(errno, ENAMETOOLONG);
	TRUE(!hold());		/* the name is taken */
	IS(errno, EEXIST);
	stop();
}

static void test_executor_refused(void)
{
	struct aif_executor_opts opts = { .size = sizeof(opts), .device = device() };

	start();
	TRUE(!attach(NULL, 1025));
	IS(errno, EINVAL);
	TRUE(!aif_executor_open(&opts));
	IS(errno, ENOENT);
	IS(aif_executor_turn(executor, NULL, 5, 0), -EINVAL);
	IS(aif_executor_turn(executor, NULL, 0, 2), -EINVAL);
	IS(aif_executor_service(executor)->id, aif_holder_service(holder));
	stop();
}

/* What was answered but not sent goes with the close. */
static void test_close_flushes(void)
{
	struct aif_request *r;

	start();
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	echo(one_job());
	aif_executor_close(executor);
	executor = NULL;
	IS(aif_request_result(r), 1);
	stop();
}

static void test_doorbell(void)
{
	struct aif_request *r;
	uint64_t before;

	start();
	before = aif_executor_doorbell(executor);
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	IS(aif_executor_doorbell(executor), before + 1);
	stop();
}

/* Two raw executors die with it; the library's is told. */
static void test_poisoned(void)
{
	struct service raw = { .arg.desc = { .name = "" } };
	struct mortal first, second;
	struct aif_request *r;
	struct pollfd p;

	start_with(&callbacks);
	raw.id = aif_holder_service(holder);
	raw.holder = &(struct libaif_file){ .fd = aif_holder_fd(holder) };
	mortal_start(&first, &raw, 1);
	mortal_start(&second, &raw, 1);
	r = prepared();
	IS(aif_request_submit(&r, 1, 0), 1);
	OK(mortal_fetch(&first, 1));
	mortal_die(&first);
	OK(mortal_fetch(&second, 1));
	while (aif_executor_turn(executor, NULL, 0, AIF_TURN_NONBLOCK) == 0)
		continue;
	mortal_die(&second);
	OK(aif_request_wait(r, FOREVER));
	IS(aif_request_result(r), -EIO);
	p = (struct pollfd){ .fd = aif_executor_fd(executor), .events = POLLIN };
	IS(poll(&p, 1, -1), 1);
	IS(aif_executor_turn(executor, NULL, 0, AIF_TURN_NONBLOCK), 0);
	IS(seen.poisoned, 1);
	stop();
}

/* ---- rings ---- */

static void test_ring_door_not_asked_for(void)
{
	struct io_uring_sqe sqe;
	struct aif_request *r;
	struct aif_job *job;

	start();
	r = prepared();
	IS(aif_prep_submit(&sqe, &r, 1, 0), -EOPNOTSUPP);
	IS(aif_prep_wait(&sqe, client, 1), -EOPNOTSUPP);
	IS(aif_prep_cancel(&sqe, r), -EOPNOTSUPP);
	IS(aif_prep_turn(&sqe, executor, 1, 0), -EOPNOTSUPP);
	IS(aif_request_submit(&r, 1, 0), 1);
	job = one_job();
	IS(aif_prep_progress(&sqe, job, 1, 1), -EOPNOTSUPP);
	echo(job);
	stop();
}

/* Asked for: granted, and then it works; or not, as on a kernel without it, and refused. */
static void test_ring_door_asked_for(void)
{
	struct aif_client_opts opts = {
		.size = sizeof(opts), .device = device(), .features = AIF_FEATURE_URING | 1ull << 63,
	};
	struct aif_client_info info = { .size = sizeof(info) };
	struct aif_executor_opts executor_opts = {
		.size = sizeof(executor_opts), .device = device(), .features = AIF_FEATURE_URING,
	};
	struct io_uring_sqe sqe = { .user_data = 7 };
	struct aif_client *c;
	struct aif_executor *e;
	int want;

	start();
	c = aif_client_open(&opts);
	TRUE(c);
	OK(aif_client_info(c, &info));
	IS(info.features & ~AIF_FEATURE_URING, 0);
	want = info.features ? 0 : -EOPNOTSUPP;
	IS(aif_prep_wait(&sqe, c, 0), want);
	IS(sqe.opcode, want ? 0 : IORING_OP_URING_CMD);
	IS(sqe.user_data, 7);
	executor_opts.service = aif_holder_service(holder);
	executor_opts.holder_fd = aif_holder_fd(holder);
	e = aif_executor_open(&executor_opts);
	TRUE(e);
	IS(aif_prep_turn(&sqe, e, 1, 0), want);
	aif_executor_close(e);
	aif_client_close(c);
	stop();
}

const struct test library_tests[] = {
	{ "a call", test_call },
	{ "a call's pieces: inline, none, outside", test_call_pieces },
	{ "specifications that are refused", test_spec_refused },
	{ "threads share a client", test_threads_share_a_client },
	{ "no signal of the application's is taken", test_no_signal_taken },
	{ "a request's states, and its next use", test_request_states },
	{ "a request twice in one submission", test_submitted_twice },
	{ "looked at by others while it is submitted", test_looked_at_while_submitted },
	{ "signals", test_signals },
	{ "a request put in flight comes back", test_request_put_in_flight },
	{ "batches", test_batch },
	{ "cancelled: answered, then quiet", test_cancel_and_quiet },
	{ "progress", test_progress },
	{ "a deadline", test_deadline },
	{ "a client's descriptor is readable", test_client_readable },
	{ "revoked under a job", test_revoked_under_a_job },
	{ "a grant that an executor cannot use", test_mapped_refuses },
	{ "revoked since it was prepared", test_revoked_since_prepared },
	{ "grants are found by address", test_grants_are_found },
	{ "a file and a buffer that another opened", test_adopted },
	{ "neither file nor buffer", test_adopted_refused },
	{ "a buffer passed on", test_shared },
	{ "carving a buffer", test_carving },
	{ "services listed and described", test_services },
	{ "whose service it is", test_owner_policy },
	{ "executors that are refused", test_executor_refused },
	{ "close sends what was answered", test_close_flushes },
	{ "the doorbell", test_doorbell },
	{ "told of a poisonous request", test_poisoned },
	{ "the ring door needs its feature", test_ring_door_not_asked_for },
	{ "the ring door, where it is asked for", test_ring_door_asked_for },
	{ 0 },
};
