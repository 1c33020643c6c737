/* SPDX-License-Identifier: MIT */
/*
 * What the broker costs: nanoseconds per request, which in the guest's counting
 * mode are instructions (tests/bench/README.md).  Client and executor are two
 * processes; the executor commits without looking at the data, so what is
 * counted is the way there and back.
 *
 *	bench_broker [--rounds N] [--only TEXT]
 *
 * Needs root, /dev/aif and nothing else on the machine.  One line a figure:
 * name, median of the rounds, and for judged ones the ratio and its bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/count.h"
#include "tests/uapi/raw.h"

#define DEPTH		4096u
#define CALLS		256u	/* round trips or enters in a round */
#define RING_FLAGS	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static unsigned int rounds = 11;
static const char *only;	/* figures whose name has this */

static bool wanted(const char *name)
{
	return !only || strstr(name, only);
}

/* Median over the rounds of what @run(arg) costs per unit; it does @units. */
static double measure(void (*run)(void *), void *arg, unsigned int units)
{
	double cost[rounds];
	unsigned int i;
	uint64_t start;

	run(arg);	/* warm */
	for (i = 0; i < rounds; i++) {
		start = raw_now();
		run(arg);
		cost[i] = (double)(raw_now() - start) / units;
	}
	return median(cost, rounds);
}

/* ---- eventfd: two processes, each wakes the other ---- */

struct pair {
	int there, back;
};

static void eventfd_run(void *arg)
{
	struct pair *p = arg;
	uint64_t one = 1;
	unsigned int i;

	for (i = 0; i < CALLS; i++) {
		must(write(p->there, &one, 8) == 8 ? 0 : -errno, "eventfd write");
		must(read(p->back, &one, 8) == 8 ? 0 : -errno, "eventfd read");
	}
}

static double eventfd_round_trip(void)
{
	struct pair p = { eventfd(0, 0), eventfd(0, 0) };
	pid_t child = fork();
	uint64_t one = 1;
	double ns;

	if (!child)
		for (;;)
			if (read(p.there, &one, 8) != 8 || write(p.back, &one, 8) != 8)
				_exit(1);
	ns = measure(eventfd_run, &p, CALLS);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(p.there);
	close(p.back);
	return ns;
}

/* ---- executors ---- */

static void commit_all(struct raw_executor *ex, int n, uint32_t *count)
{
	int i;

	*count = 0;
	for (i = 0; i < n; i++) {
		const struct aif_delivery *d = &ex->delivery[i];

		if (d->type != AIF_DELIVERY_REQUEST)
			continue;
		ex->commit[*count] = (struct aif_commit) {
			.type = AIF_COMMIT_RESULT,
			.index = d->index,
			.generation = d->generation,
			.device_ns = 1000,
		};
		(*count)++;
	}
}

static void execute_by_ioctl(struct raw_executor *ex)
{
	struct aif_ioc_commit_fetch t = { .size = sizeof(t), .credit = ex->slots };

	for (;;) {
		must(raw_call(ex->fd, AIF_IOC_COMMIT_FETCH, &t), "COMMIT_FETCH");
		commit_all(ex, t.out_count, &t.commit_count);
	}
}

static void ring_init(struct io_uring *ring, unsigned int entries)
{
	must(io_uring_queue_init(entries, ring, RING_FLAGS), "io_uring");
}

static void *prep_cmd(struct io_uring *ring, int fd, uint32_t op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		must(-EBUSY, "submission ring full");
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	return sqe->cmd;
}

static int reap(struct io_uring *ring, unsigned int n)
{
	struct io_uring_cqe *cqe;
	int res = 0;

	while (n--) {
		must(io_uring_wait_cqe(ring, &cqe), "wait_cqe");
		if (cqe->res < 0)
			res = cqe->res;
		else if (res >= 0)
			res += cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return res;
}

static void execute_by_ring(struct raw_executor *ex)
{
	struct aif_cmd_commit_fetch *cmd;
	struct io_uring ring;
	uint32_t commits = 0;
	int n;

	ring_init(&ring, 8);
	for (;;) {
		cmd = prep_cmd(&ring, ex->fd, AIF_CMD_COMMIT_FETCH);
		cmd->commit_count = commits;
		cmd->credit = ex->slots;
		must(io_uring_submit_and_wait(&ring, 1), "submit_and_wait");
		n = reap(&ring, 1);
		must(n, "COMMIT_FETCH command");
		commit_all(ex, n, &commits);
	}
}

static void execute_by_spinning(struct raw_executor *ex)
{
	struct aif_ioc_commit_fetch t = {
		.size = sizeof(t), .credit = ex->slots, .flags = AIF_FETCH_F_NONBLOCK,
	};
	uint64_t seen = 0, bell;
	int ret;

	for (;;) {
		bell = __atomic_load_n(&ex->status->queued, __ATOMIC_ACQUIRE);
		if (bell == seen && !t.commit_count)
			continue;
		seen = bell;
		ret = raw_call(ex->fd, AIF_IOC_COMMIT_FETCH, &t);
		if (ret && ret != -EAGAIN && ret != -EBUSY)
			must(ret, "COMMIT_FETCH");
		commit_all(ex, ret ? 0 : t.out_count, &t.commit_count);
	}
}

/* Attached, and busy for ever. */
static void execute_nothing(struct raw_executor *ex)
{
	for (;;)
		pause();
}

static pid_t start_executor(struct raw_service *s, void (*execute)(struct raw_executor *))
{
	struct aif_ioc_service_describe d = { 0 };
	struct raw_executor ex = { 0 };
	pid_t child = fork();

	if (!child) {
		must(raw_executor_init(&ex, open("/dev/aif-serve", O_RDWR), s->id, -1, 64,
				       AIF_F_URING), "attach");
		execute(&ex);
	}
	do {
		sched_yield();
		must(raw_service_describe(s->fd, s->id, &d), "describe");
	} while (d.out_executors != 1);
	usleep(20000);	/* into its FETCH */
	return child;
}

static void stop_executor(struct raw_service *s, pid_t child)
{
	struct aif_ioc_service_describe d = { 0 };

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	do {
		usleep(1000);
		must(raw_service_describe(s->fd, s->id, &d), "describe");
	} while (d.out_executors);
}

/* ---- clients ---- */

struct load {
	struct raw_client c;
	struct raw_service s;
	struct io_uring ring;
	struct aif_desc desc;
	uint32_t deep;		/* requests at once */
	uint32_t per_cmd;	/* descriptors of one command */
	bool wait;
	int null;		/* /dev/null */
};

static void fill(struct load *l, uint32_t first, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct aif_desc *d = &l->c.desc[(first + i) & (DEPTH - 1)];

		*d = l->desc;
		d->tag = (first + i) & (DEPTH - 1);
		d->generation = ++l->c.generation;
	}
}

static void by_ioctl(void *arg)
{
	struct load *l = arg;
	struct aif_ioc_submit s = {
		.size = sizeof(s), .count = l->deep, .flags = AIF_SUBMIT_F_WAIT_ALL,
	};
	unsigned int i;

	for (i = 0; i < CALLS; i++) {
		fill(l, 0, l->deep);
		must(raw_call(l->c.fd, AIF_IOC_SUBMIT, &s), "SUBMIT");
	}
}

static void submit_commands(struct load *l, uint32_t first)
{
	struct aif_cmd_submit *cmd;
	uint32_t i;

	fill(l, first, l->deep);
	for (i = 0; i < l->deep; i += l->per_cmd) {
		cmd = prep_cmd(&l->ring, l->c.fd, AIF_CMD_SUBMIT);
		cmd->first = first + i;
		cmd->count = l->per_cmd;
		cmd->flags = l->wait ? AIF_SUBMIT_F_WAIT_ALL : 0;
	}
	must(io_uring_submit_and_wait(&l->ring, l->deep / l->per_cmd), "submit_and_wait");
	must(reap(&l->ring, l->deep / l->per_cmd), "SUBMIT command");
}

static void by_ring(void *arg)
{
	struct load *l = arg;
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		submit_commands(l, 0);
}

/* Spins on the completion array; the executor spins too. */
static void by_spinning(void *arg)
{
	struct load *l = arg;
	struct aif_ioc_submit s = { .size = sizeof(s), .count = l->deep };
	unsigned int i;
	uint64_t until;

	for (i = 0; i < CALLS; i++) {
		until = __atomic_load_n(&l->c.status->answered, __ATOMIC_ACQUIRE) + l->deep;
		fill(l, 0, l->deep);
		must(raw_call(l->c.fd, AIF_IOC_SUBMIT, &s), "SUBMIT");
		while (__atomic_load_n(&l->c.status->answered, __ATOMIC_ACQUIRE) < until)
			sched_yield();
	}
}

static double round_trip(struct load *l, void (*client)(void *),
			 void (*executor)(struct raw_executor *), uint32_t deep, uint32_t per_cmd)
{
	pid_t child = start_executor(&l->s, executor);
	double ns;

	l->deep = deep;
	l->per_cmd = per_cmd;
	l->wait = true;
	ns = measure(client, l, CALLS * deep);
	stop_executor(&l->s, child);
	return ns;
}

/* ---- SUBMIT alone ---- */

static void empty_queue(struct load *l)
{
	must(raw_cancel(&l->c, AIF_TAG_ALL, 0), "CANCEL");
	must(raw_wait_quiet(&l->c, AIF_TAG_ALL, -1), "WAIT_QUIET");
}

/* Only the enters are timed, not the cancelling between rounds. */
static double submit_cost(struct load *l, uint32_t deep, uint32_t per_cmd)
{
	double cost[rounds];
	uint32_t first;
	unsigned int i;
	uint64_t start;

	l->deep = deep;
	l->per_cmd = per_cmd;
	l->wait = false;
	for (i = 0; i < rounds; i++) {
		empty_queue(l);
		start = raw_now();
		for (first = 0; first < 2048; first += deep)
			submit_commands(l, first);
		cost[i] = (double)(raw_now() - start) / 2048;
	}
	empty_queue(l);
	return median(cost, rounds);
}

static void null_commands(void *arg)
{
	struct load *l = arg;
	uint32_t n, i;

	for (n = 0; n < 2048; n += l->deep) {
		for (i = 0; i < l->deep; i++)
			prep_cmd(&l->ring, l->null, 0);
		must(io_uring_submit_and_wait(&l->ring, l->deep), "submit_and_wait");
		must(reap(&l->ring, l->deep), "/dev/null command");
	}
}

static void empty_commands(void *arg)
{
	struct load *l = arg;
	struct aif_cmd_cancel *cmd;
	uint32_t n, i;

	for (n = 0; n < 2048; n += l->deep) {
		for (i = 0; i < l->deep; i++) {
			cmd = prep_cmd(&l->ring, l->c.fd, AIF_CMD_CANCEL);
			cmd->flags = AIF_CANCEL_F_WAITS;
			cmd->tag = AIF_TAG_ALL;
		}
		must(io_uring_submit_and_wait(&l->ring, l->deep), "submit_and_wait");
		must(reap(&l->ring, l->deep), "empty command");
	}
}

static void bench_submit(struct load *l)
{
	static const uint32_t batches[] = { 1, 8, 128 };
	pid_t child = start_executor(&l->s, execute_nothing);
	char name[80];
	double null;
	size_t i;

	for (i = 0; i < 3; i++) {
		l->deep = batches[i];
		null = measure(null_commands, l, 2048);
		snprintf(name, sizeof(name), "/dev/null command, %u an enter", l->deep);
		print(name, null);
		snprintf(name, sizeof(name), "empty command, %u an enter (the floor)", l->deep);
		print(name, measure(empty_commands, l, 2048));
		snprintf(name, sizeof(name), "queued SUBMIT, a batch of %u", batches[i]);
		judge(name, submit_cost(l, batches[i], batches[i]), null, 2.0);
		snprintf(name, sizeof(name), "queued SUBMIT, %u commands an enter", batches[i]);
		print(name, submit_cost(l, batches[i], 1));
	}
	stop_executor(&l->s, child);
}

static const struct trip {
	const char *name;
	void (*client)(void *);
	void (*executor)(struct raw_executor *);
	uint32_t deep, per_cmd;
	double ratio;		/* of eventfd's, 0: not judged by it */
	double most;		/* 0: not judged by it */
	bool spins;		/* needs two processors */
} trips[] = {
	{ "round trip, ioctl both", by_ioctl, execute_by_ioctl, 1, 1, 1.0, 0, false },
	{ "round trip, ring client, ioctl executor", by_ring, execute_by_ioctl, 1, 1, 1.15, 0,
	  false },
	{ "round trip, ring both", by_ring, execute_by_ring, 1, 1, 1.35, 0, false },
	{ "32 deep, 32 commands, ring both", by_ring, execute_by_ring, 32, 1, 0, 1800, false },
	{ "32 deep, one command, ring both", by_ring, execute_by_ring, 32, 32, 0, 850, false },
	{ "32 deep, one ioctl, ioctl both", by_ioctl, execute_by_ioctl, 32, 32, 0, 0, false },
	{ "round trip, both spin", by_spinning, execute_by_spinning, 1, 1, 0, 0, true },
};

static void bench_round_trips(struct load *l, double eventfd)
{
	const struct trip *t;
	double ns;

	for (t = trips; t < trips + sizeof(trips) / sizeof(trips[0]); t++) {
		if (!wanted(t->name) || (t->spins && sysconf(_SC_NPROCESSORS_ONLN) < 2))
			continue;
		ns = round_trip(l, t->client, t->executor, t->deep, t->per_cmd);
		if (t->ratio)
			judge(t->name, ns, eventfd, t->ratio);
		else if (t->most)
			judge_absolute(t->name, ns, t->most);
		else
			print(t->name, ns);
	}
}

static void open_load(struct load *l)
{
	struct aif_service_desc desc = raw_service_desc("bench");
	struct raw_buffer b;
	uint32_t grant;
	int service;

	must(raw_service_create(&l->s, &desc, 0), "service");
	must(raw_client_open(&l->c, DEPTH), "/dev/aif");
	service = raw_service_open(&l->c, "bench", 0);
	must(service, "open service");
	must(raw_buffer_alloc(&l->c, 8192, &b), "buffer");
	must(raw_grant(&l->c, b.handle, service, AIF_GRANT_F_WRITE, &grant), "grant");
	l->desc = (struct aif_desc) {
		.service = service, .sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = { { grant, 0, 64 }, { grant, 4096, 64 } },
	};
	l->null = open("/dev/null", O_RDWR);
	ring_init(&l->ring, 256);
}

static bool arguments(int argc, char **argv)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--rounds"))
			rounds = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else
			return false;
	}
	return i == argc && rounds && rounds <= 1001;
}

int main(int argc, char **argv)
{
	static struct load l;
	double first, last;

	if (!arguments(argc, argv)) {
		fprintf(stderr, "usage: bench_broker [--rounds N] [--only TEXT]\n");
		return 2;
	}
	printf("ns per request (instructions when counting); rings: SINGLE_ISSUER | DEFER_TASKRUN\n");
	open_load(&l);
	first = eventfd_round_trip();
	print("eventfd round trip, first", first);
	if (wanted("SUBMIT"))
		bench_submit(&l);
	bench_round_trips(&l, first);
	last = eventfd_round_trip();
	print("eventfd round trip, last", last);
	printf("eventfd moved by %.1f %%\n", 100 * (last - first) / first);
	return 0;
}
