/* SPDX-License-Identifier: MIT */
/*
 * Two departments on one device: one scores at a fixed rate, the other floods.
 * Executors sleep for as long as a step is said to take, so what is measured is mostly
 * who waits for whom.  tools/demo-fair runs it in a guest that counts, and draws it.
 *
 *	bench_fair SECONDS
 *
 * Scoring is open-loop: a request every PERIOD, whatever became of those before, and
 * its time counts from when it should have been sent.  The flooder keeps DEPTH jobs
 * going; a job is BYTES copied into its granted buffer, then a request.  Each is a
 * process in a cgroup of its own, under a uid of its own.
 *
 * Without AIF the same executors read from UNIX sockets, and the device takes
 * whoever comes first, a step at a time.
 *
 * Needs root, /dev/aif and nothing else on the machine.  Prints lines of words
 * separated by tabs: "phase NAME" when it begins, then what it gave, whose ("all" phases', or
 * NAME's), and numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libaif.h"

#define MS		1000000ull
#define SECOND		(1000 * MS)

#define SCORE_NS	(2 * MS)
#define PERIOD_NS	(25 * MS)
#define SCORE_DEPTH	256u
#define FLOOD_NS	(10 * MS)
#define FLOOD_WORKERS	2
#define DEPTH		8u
#define BYTES		(256u << 10)

#define SETTLE_NS	SECOND		/* not measured */
#define LATENCIES_MAX	100000u
#define CURVE		30		/* points of the curve, up to 99.9 % */

#define SCORING		"scoring"
#define FLOODING	"flooding"

/* What the processes share. */
static struct shared {
	atomic_uint next, serving;	/* the device without AIF */
	uint64_t begin, end;		/* of the phase */
	uint32_t count;			/* latencies */
	uint32_t lost;			/* not sent: so many were under way */
	uint64_t flooded;		/* the flooder's answers in that time */
	uint64_t latency[LATENCIES_MAX];
} *shared;

static void __attribute__((noreturn)) fail(const char *what, int err)
{
	fprintf(stderr, "bench_fair: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static void must(int ret, const char *what)
{
	if (ret < 0)
		fail(what, ret);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec t = { .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* ---- the device: first come, first served, a step at a time ---- */

static void step(uint64_t ns)
{
	unsigned int mine = atomic_fetch_add(&shared->next, 1), now;

	while ((now = atomic_load(&shared->serving)) != mine)
		syscall(SYS_futex, &shared->serving, FUTEX_WAIT, now, NULL, NULL, 0);
	sleep_until(now_ns() + ns);
	atomic_fetch_add(&shared->serving, 1);
	syscall(SYS_futex, &shared->serving, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

/* ---- executors ---- */

/* A service of either department: by AIF, or by a socket. */
struct endpoint {
	const char *name;
	uint64_t step_ns;
	unsigned int workers;
	struct aif_holder *holder;	/* NULL: by sockets */
	int sockets[2];			/* client's, executors' */
	pid_t pids[FLOOD_WORKERS];
};

static void execute_aif(const struct endpoint *e)
{
	struct aif_executor *ex = aif_executor_open(&(struct aif_executor_opts){
		.size = sizeof(struct aif_executor_opts),
		.service = aif_holder_service(e->holder), .holder_fd = aif_holder_fd(e->holder),
		.slots = 1,
	});
	struct aif_job *job;
	int n;

	if (!ex)
		fail("an executor cannot attach", errno);
	while ((n = aif_executor_turn(ex, &job, 1, 0)) >= 0) {
		if (!n)
			continue;
		step(e->step_ns);
		aif_job_answer(job, 0, 0, e->step_ns);
	}
	fail("turn", n);
}

static void execute_socket(const struct endpoint *e)
{
	uint32_t i;

	while (recv(e->sockets[1], &i, sizeof(i), 0) == sizeof(i)) {
		step(e->step_ns);
		must(send(e->sockets[1], &i, sizeof(i), 0) < 0 ? -errno : 0, "send");
	}
	fail("recv", errno);
}

static pid_t spawn(void (*fn)(const struct endpoint *e), const struct endpoint *e)
{
	pid_t pid = fork();

	must(pid < 0 ? -errno : 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_TIMERSLACK, 1);
	fn(e);
	exit(0);
}

static void endpoint_open(struct endpoint *e, bool aif)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 64 },
		{ .name = "out", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 64, .output = true },
	};

	e->holder = NULL;
	if (aif) {
		e->holder = aif_holder_create(&(struct aif_holder_opts){
			.size = sizeof(struct aif_holder_opts), .name = e->name,
			.accelerator = "shared", .io = io, .io_count = 2, .longest_step_ms = 20,
		});
		if (!e->holder)
			fail("a service cannot be made", errno);
	} else {
		must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, e->sockets), "socketpair");
	}
	for (unsigned int i = 0; i < e->workers; i++)
		e->pids[i] = spawn(aif ? execute_aif : execute_socket, e);
}

static void endpoint_close(struct endpoint *e)
{
	for (unsigned int i = 0; i < e->workers; i++) {
		kill(e->pids[i], SIGKILL);
		waitpid(e->pids[i], NULL, 0);
	}
	if (e->holder) {
		aif_holder_close(e->holder);
	} else {
		close(e->sockets[0]);
		close(e->sockets[1]);
	}
}

/* ---- clients ---- */

/* What a client has under way: @count jobs at most, each with a number. */
struct client {
	const struct endpoint *endpoint;
	unsigned int count;
	bool copies;			/* each job begins with BYTES copied */
	struct aif_client *aif;
	struct aif_service *service;
	struct aif_buffer *from, *to;
	struct aif_request *requests[SCORE_DEPTH];
	bool copying[SCORE_DEPTH];
	bool busy[SCORE_DEPTH];
	char *copied[2];		/* without AIF */
	int fd;				/* readable: something was answered */
};

static void client_open_aif(struct client *c)
{
	size_t bytes = c->copies ? c->count * (size_t)BYTES : c->count * 64;

	c->aif = aif_client_open(&(struct aif_client_opts){
		.size = sizeof(struct aif_client_opts), .depth = SCORE_DEPTH,
		.features = AIF_FEATURE_TRANSFER,
	});
	c->service = c->aif ? aif_service_open(c->aif, c->endpoint->name, 0) : NULL;
	c->to = c->service ? aif_buffer_alloc(c->aif, bytes) : NULL;
	c->from = c->to ? aif_buffer_alloc(c->aif, bytes) : NULL;
	if (!c->from || !aif_grant_create(c->to, c->service, AIF_GRANT_WRITE))
		fail("a client cannot begin", errno);
	for (unsigned int i = 0; i < c->count; i++) {
		c->requests[i] = aif_request_get(c->aif);
		if (!c->requests[i])
			fail("request", errno);
	}
	c->fd = aif_client_fd(c->aif);
}

static void client_open(struct client *c)
{
	c->fd = c->endpoint->sockets[0];
	if (c->endpoint->holder) {
		client_open_aif(c);
		return;
	}
	for (int i = 0; i < 2; i++) {
		c->copied[i] = calloc(1, BYTES);
		if (!c->copied[i])
			fail("memory", ENOMEM);
	}
}

static void submit(struct aif_request *r)
{
	int n = aif_request_submit(&r, 1, 0);

	must(n == 1 ? 0 : n, "submit");
}

static void request_aif(struct client *c, unsigned int i)
{
	char *at = (char *)aif_buffer_data(c->to) + i * (size_t)(c->copies ? BYTES : 64);
	uint64_t word = i;
	const struct iovec in = { &word, sizeof(word) }, out = { at, 64 };

	c->copying[i] = false;
	must(aif_request_prepare(c->requests[i], c->service, &(struct aif_request_spec){
		.size = sizeof(struct aif_request_spec), .in = &in, .out = &out, .in_count = 1,
		.out_count = 1,
	}), "prepare");
	submit(c->requests[i]);
}

static void copy_aif(struct client *c, unsigned int i)
{
	c->copying[i] = true;
	must(aif_request_prepare_transfer(c->requests[i], &(struct aif_transfer_spec){
		.size = sizeof(struct aif_transfer_spec), .to = c->to, .from = c->from,
		.to_offset = i * (size_t)BYTES, .from_offset = i * (size_t)BYTES, .bytes = BYTES,
	}), "prepare a transfer");
	submit(c->requests[i]);
}

static void client_start(struct client *c, uint32_t i)
{
	c->busy[i] = true;
	if (c->aif) {
		(c->copies ? copy_aif : request_aif)(c, i);
		return;
	}
	if (c->copies)
		memcpy(c->copied[0], c->copied[1], BYTES);
	must(send(c->fd, &i, sizeof(i), 0) < 0 ? -errno : 0, "send");
}

/* Those that are done, into @done: how many. */
static unsigned int collect_aif(struct client *c, uint32_t *done)
{
	uint64_t answered = aif_client_answered(c->aif);
	unsigned int n = 0;

	for (uint32_t i = 0; i < c->count; i++) {
		if (!c->busy[i] || !aif_request_answered(c->requests[i]))
			continue;
		must(aif_request_result(c->requests[i]), "a request");
		if (c->copying[i])
			request_aif(c, i);
		else
			done[n++] = i;
	}
	aif_client_wait(c->aif, answered, 0);
	return n;
}

static unsigned int client_collect(struct client *c, uint32_t *done)
{
	unsigned int n = 0;

	if (c->aif)
		n = collect_aif(c, done);
	else
		while (n < c->count && recv(c->fd, &done[n], 4, MSG_DONTWAIT) == 4)
			n++;
	for (unsigned int i = 0; i < n; i++)
		c->busy[done[i]] = false;
	return n;
}

/* Until something was answered, or @until. */
static void client_wait(struct client *c, uint64_t until)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	uint64_t now = now_ns(), ns = until > now ? until - now : 0;
	const struct timespec t = { .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };

	ppoll(&p, 1, &t, NULL);
}

static void note(uint64_t due)
{
	if (due >= shared->begin + SETTLE_NS && shared->count < LATENCIES_MAX)
		shared->latency[shared->count++] = now_ns() - due;
}

static void score(const struct endpoint *e)
{
	static struct client c = { .count = SCORE_DEPTH };
	static uint64_t due[SCORE_DEPTH];
	uint32_t done[SCORE_DEPTH], i, n;
	uint64_t next = shared->begin;

	c.endpoint = e;
	client_open(&c);
	while (next < shared->end) {
		client_wait(&c, next);
		n = client_collect(&c, done);
		for (i = 0; i < n; i++)
			note(due[done[i]]);
		if (now_ns() < next)
			continue;
		for (i = 0; i < c.count && c.busy[i]; i++)
			;
		if (i < c.count) {
			due[i] = next;
			client_start(&c, i);
		} else {
			shared->lost++;
		}
		next += PERIOD_NS;
	}
}

static void flood(const struct endpoint *e)
{
	static struct client c = { .count = DEPTH, .copies = true };
	uint32_t done[DEPTH], i, n;

	c.endpoint = e;
	client_open(&c);
	sleep_until(shared->begin);
	for (i = 0; i < DEPTH; i++)
		client_start(&c, i);
	while (now_ns() < shared->end) {
		client_wait(&c, shared->end);
		n = client_collect(&c, done);
		if (now_ns() >= shared->begin + SETTLE_NS)
			shared->flooded += n;
		for (i = 0; i < n; i++)
			client_start(&c, done[i]);
	}
}

/* ---- departments ---- */

static void cgroup_enter(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cgroup.procs", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0, path);
	close(fd);
}

static void department(const struct endpoint *e, uid_t uid)
{
	cgroup_enter(e->name);
	must(setgid(uid) || setuid(uid) ? -errno : 0, "setuid");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void run_scoring(const struct endpoint *e)
{
	department(e, 1001);
	score(e);
}

static void run_flooding(const struct endpoint *e)
{
	department(e, 1003);
	flood(e);
}

static uint64_t tenant_of(const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	mkdir(path, 0755);
	must(stat(path, &st) ? -errno : 0, path);
	return st.st_ino;
}

/* ---- phases ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double quantile_ms(double q)
{
	uint32_t at = (uint32_t)ceil(q * shared->count);

	return (double)shared->latency[at ? at - 1 : 0] / 1e6;
}

static void print_latency(const char *name)
{
	qsort(shared->latency, shared->count, sizeof(shared->latency[0]), by_value);
	printf("latency\t%s\t%.3f\t%.3f\t%.3f\t%u\t%u\n", name, quantile_ms(0.5),
	       quantile_ms(0.99), quantile_ms(0.999), shared->count, shared->lost);
	printf("curve\t%s", name);
	for (int i = 0; i <= CURVE; i++)
		printf("\t%.3f", quantile_ms(1 - pow(10, -3.0 * i / CURVE)));
	printf("\n");
}

static void reap(pid_t pid)
{
	int status = 0;

	if (pid && (waitpid(pid, &status, 0) < 0 || status))
		fail("a department ended early", ECHILD);
}

/* The flooder's answers a second. */
static double run(const char *name, uint64_t seconds, bool aif, bool scores, bool floods)
{
	struct endpoint s = { .name = SCORING, .step_ns = SCORE_NS, .workers = 1 };
	struct endpoint f = { .name = FLOODING, .step_ns = FLOOD_NS, .workers = FLOOD_WORKERS };
	pid_t scorer, flooder;
	double rate;

	printf("phase\t%s\n", name);
	fflush(stdout);
	memset(shared, 0, sizeof(*shared));
	shared->begin = now_ns() + SECOND;
	shared->end = shared->begin + SETTLE_NS + seconds * SECOND;
	endpoint_open(&s, aif);
	endpoint_open(&f, aif);
	scorer = scores ? spawn(run_scoring, &s) : 0;
	flooder = floods ? spawn(run_flooding, &f) : 0;
	reap(scorer);
	reap(flooder);
	endpoint_close(&s);
	endpoint_close(&f);
	rate = (double)shared->flooded / (double)seconds;
	if (scores)
		print_latency(name);
	if (floods)
		printf("rate\t%s\t%.3f\n", name, rate);
	fflush(stdout);
	return rate;
}

static void limit(uint64_t tenant, uint64_t bytes_second)
{
	struct aif_client *c = aif_client_open(&(struct aif_client_opts){
		.size = sizeof(struct aif_client_opts),
	});

	if (!c)
		fail("/dev/aif", errno);
	must(aif_tenant_set(c, tenant, AIF_TENANT_BYTES_SECOND,
			    &(struct aif_tenant_values){ .bytes_second = bytes_second }),
	     "a limit cannot be set");
	aif_client_close(c);
}

int main(int argc, char **argv)
{
	uint64_t seconds = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, flooding;
	double rate;

	if (!seconds || seconds > 1000) {
		fprintf(stderr, "usage: bench_fair SECONDS, 1 to 1000\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	must(shared == MAP_FAILED ? -errno : 0, "memory");
	flooding = tenant_of(FLOODING);
	tenant_of(SCORING);
	printf("setting\tall\t%.3f\t%.3f\t%.3f\t%u\t%u\n", SCORE_NS / 1e6, PERIOD_NS / 1e6,
	       FLOOD_NS / 1e6, FLOOD_WORKERS, DEPTH);
	run("alone", seconds, true, true, false);
	run("flooder", seconds, true, false, true);
	rate = run("together", seconds, true, true, true);
	run("sockets", seconds, false, true, true);
	limit(flooding, (uint64_t)(rate * BYTES / 2));
	run("limited", seconds, true, true, true);
	limit(flooding, 0);
	return 0;
}
