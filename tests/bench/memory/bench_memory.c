/* SPDX-License-Identifier: MIT */
/*
 * What memory and many clients cost: nanoseconds, which in the guest's counting mode are
 * instructions (tests/bench/README.md).
 *
 *	bench_memory [--rounds N] [--only pin|clients|kill|realtime|mapped]
 *
 * Needs root, the module with tenant_by_uid=1, and nothing else on the machine.  One line
 * a figure: name, median of the rounds, and for judged ones the ratio and its bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/count.h"
#include "tests/uapi/raw.h"

#define MEMFD_BYTES	(16u << 20)
#define HUGE_PAGES	"8"		/* of 2 MiB */
#define CLIENTS		256u		/* at most, and requests in flight, all together */
#define FLIGHTS		16u		/* of so many requests, in a round */
#define HELD		1024u		/* buffers, and requests in flight, of who is killed */
#define FIRST_UID	2000u

static unsigned int rounds = 11;

/* ---- a memfd of 16 MiB, pinned and accounted, beside a ring's fixed buffer ---- */

struct memory {
	int fd;
	struct iovec at;
};

static struct memory memory_new(unsigned int flags)
{
	struct memory m = {
		.fd = memfd_create("bench", MFD_ALLOW_SEALING | flags),
		.at.iov_len = MEMFD_BYTES,
	};

	must(m.fd < 0 || ftruncate(m.fd, MEMFD_BYTES) ? -errno : 0, "memfd");
	m.at.iov_base = mmap(NULL, MEMFD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	must(m.at.iov_base == MAP_FAILED ? -errno : 0, "mmap of the memfd");
	memset(m.at.iov_base, 1, MEMFD_BYTES);
	must(fcntl(m.fd, F_ADD_SEALS, F_SEAL_SHRINK) ? -errno : 0, "seal");
	return m;
}

static double cost_of_a_buffer(struct raw_client *c, const struct memory *m)
{
	double cost[rounds];
	unsigned int i;
	uint64_t start;
	int handle;

	for (i = 0; i < rounds; i++) {
		start = raw_now();
		handle = raw_memfd(c, m->fd, 0, MEMFD_BYTES, AIF_PIN_F_WRITE);
		cost[i] = (double)(raw_now() - start);
		must(handle, "BUFFER_MEMFD");
		must(raw_unpin(c, (uint32_t)handle), "BUFFER_FREE");
	}
	return median(cost, rounds);
}

static double cost_of_a_fixed_buffer(struct io_uring *ring, const struct memory *m)
{
	double cost[rounds];
	unsigned int i;
	uint64_t start;

	for (i = 0; i < rounds; i++) {
		start = raw_now();
		must(io_uring_register_buffers(ring, &m->at, 1), "IORING_REGISTER_BUFFERS");
		cost[i] = (double)(raw_now() - start);
		must(io_uring_unregister_buffers(ring), "IORING_UNREGISTER_BUFFERS");
	}
	return median(cost, rounds);
}

static void bench_memfd(const char *name, unsigned int flags, double bound)
{
	struct memory m = memory_new(flags);
	struct io_uring ring;
	struct raw_client c;

	must(raw_client_open(&c, 1), "/dev/aif");
	must((int)raw_client_ask(&c, AIF_F_MEMFD), "AIF_F_MEMFD");
	must(io_uring_queue_init(1, &ring, 0), "io_uring");
	judge(name, cost_of_a_buffer(&c, &m), cost_of_a_fixed_buffer(&ring, &m), bound);
	io_uring_queue_exit(&ring);
	raw_client_close(&c);
	munmap(m.at.iov_base, MEMFD_BYTES);
	close(m.fd);
}

static void bench_pin(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);

	must(fd < 0 || write(fd, HUGE_PAGES, 1) != 1 ? -errno : 0, "nr_hugepages");
	close(fd);
	bench_memfd("pin a memfd of 16 MiB, huge pages", MFD_HUGETLB, 1 / 20.);
	bench_memfd("pin a memfd of 16 MiB, 4 KiB pages", 0, 0.7);
}

/* ---- many clients, with so many requests in flight all together ---- */

struct crowd {
	struct raw_service service;
	struct raw_client clients[CLIENTS];
	struct raw_buffer buffers[CLIENTS];
	struct aif_desc desc[CLIENTS];
	uint32_t count;
	int bell;		/* the eventfd of all */
};

static void execute(const struct raw_service *s)
{
	struct raw_executor ex = { 0 };
	uint32_t n = 0;
	int got, i;

	must(raw_executor_open(&ex, s, CLIENTS), "attach");
	for (;;) {
		got = raw_turn(&ex, 0, n, CLIENTS);
		must(got, "COMMIT_FETCH");
		for (n = 0, i = 0; i < got; i++)
			if (ex.delivery[i].type == AIF_DELIVERY_REQUEST)
				ex.commit[n++] = (struct aif_commit){
					.type = AIF_COMMIT_RESULT,
					.index = ex.delivery[i].index,
					.generation = ex.delivery[i].generation,
					.device_ns = 1000,
				};
	}
}

static pid_t start(void (*fn)(const struct raw_service *), struct raw_service *s)
{
	struct aif_ioc_service_describe d = { 0 };
	pid_t child = fork();

	if (!child)
		fn(s);
	do {
		raw_sleep_ms(1);
		must(raw_service_describe(s->fd, s->id, &d), "describe");
	} while (d.out_executors != 1);
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void client_begin(struct crowd *w, uint32_t i, uid_t uid)
{
	struct aif_ioc_set_eventfd arg = { .size = sizeof(arg), .fd = w->bell };
	struct raw_client *c = &w->clients[i];
	uint32_t grant;
	int service;

	must(raw_client_init(c, raw_open_as("/dev/aif", uid), CLIENTS, 0), "/dev/aif");
	must(raw_call(c->fd, AIF_IOC_SET_EVENTFD, &arg), "SET_EVENTFD");
	service = raw_service_open(c, "bench", 0);
	must(service, "SERVICE_OPEN");
	must(raw_buffer_alloc(c, 8192, &w->buffers[i]), "BUFFER_ALLOC");
	must(raw_grant(c, w->buffers[i].handle, (uint32_t)service, AIF_GRANT_F_WRITE, &grant),
	     "GRANT");
	w->desc[i] = (struct aif_desc){
		.service = (uint32_t)service, .sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = { { grant, 0, 64 }, { grant, 4096, 64 } },
	};
}

/* One SUBMIT each, however many clients they are of; then all answers. */
static void flight(struct crowd *w)
{
	uint64_t answered = 0, count;
	struct aif_desc d;
	uint32_t i;

	for (i = 0; i < CLIENTS; i++) {
		d = w->desc[i % w->count];
		d.tag = i / w->count;
		d.generation = ++w->clients[i % w->count].generation;
		must(raw_submit(&w->clients[i % w->count], &d, 1, 0), "SUBMIT");
	}
	for (; answered < CLIENTS; answered += count)
		must(read(w->bell, &count, sizeof(count)) < 0 ? -errno : 0, "eventfd");
}

static double cost_in_a_crowd(uint32_t clients, bool tenants)
{
	struct aif_service_desc desc = raw_service_desc("bench");
	static struct crowd w;
	double cost[rounds];
	unsigned int i, n;
	uint64_t begin;
	pid_t child;

	w = (struct crowd){ .count = clients, .bell = eventfd(0, 0) };
	must(raw_service_create(&w.service, &desc, 0), "SERVICE_CREATE");
	for (i = 0; i < clients; i++)
		client_begin(&w, i, FIRST_UID + (tenants ? i : 0));
	child = start(execute, &w.service);
	flight(&w);
	for (i = 0; i < rounds; i++) {
		begin = raw_now();
		for (n = 0; n < FLIGHTS; n++)
			flight(&w);
		cost[i] = (double)(raw_now() - begin) / (FLIGHTS * CLIENTS);
	}
	stop(child);
	for (i = 0; i < clients; i++) {
		munmap(w.buffers[i].base, w.buffers[i].length);
		raw_client_close(&w.clients[i]);
	}
	raw_service_close(&w.service);
	close(w.bell);
	must(raw_all_gone(), "something is left");
	return median(cost, rounds);
}

static void bench_clients(void)
{
	double one = cost_in_a_crowd(1, false);

	print("a request of 256 in flight, 1 client", one);
	judge("256 clients of one tenant", cost_in_a_crowd(CLIENTS, false), one, 1.05);
	judge("256 clients of 256 tenants", cost_in_a_crowd(CLIENTS, true), one, 1.10);
}

/* ---- SIGKILL with 1,024 buffers and requests, beside putting all away ---- */

/* Where the child says when its last SUBMIT was done, and its parent waits for that. */
struct victim {
	struct raw_service service;
	struct raw_gate ready;
	uint64_t submitted_ns;
	bool tidy;
};

static struct raw_buffer held[HELD];
static uint32_t granted[HELD];

static void hold_everything(struct raw_client *c)
{
	struct aif_desc d[HELD];
	uint32_t i;
	int service;

	must(raw_client_init(c, open("/dev/aif", O_RDWR), HELD, 0), "/dev/aif");
	service = raw_service_open(c, "bench", 0);
	must(service, "SERVICE_OPEN");
	for (i = 0; i < HELD; i++) {
		must(raw_buffer_alloc(c, 8192, &held[i]), "BUFFER_ALLOC");
		must(raw_grant(c, held[i].handle, (uint32_t)service, AIF_GRANT_F_WRITE,
			       &granted[i]), "GRANT");
		d[i] = (struct aif_desc){
			.service = (uint32_t)service, .sched_class = AIF_CLASS_NORMAL,
			.tag = i, .generation = 1, .range_count = 2,
			.ranges = { { granted[i], 0, 64 }, { granted[i], 4096, 64 } },
		};
	}
	must(raw_submit(c, d, HELD, 0) == HELD ? 0 : -EDQUOT, "SUBMIT");
}

static void put_everything_away(struct raw_client *c)
{
	uint32_t i;

	must(raw_cancel(c, AIF_TAG_ALL, 0), "CANCEL");
	must(raw_wait_quiet(c, AIF_TAG_ALL, -1), "WAIT_QUIET");
	for (i = 0; i < HELD; i++) {
		must(raw_revoke(c, granted[i]), "REVOKE");
		must(raw_buffer_free(c, &held[i]), "BUFFER_FREE");
	}
	raw_client_close(c);
}

static void __attribute__((noreturn)) be_victim(struct victim *v)
{
	struct raw_client c;

	hold_everything(&c);
	v->submitted_ns = raw_now();
	raw_gate_open(&v->ready);
	if (!v->tidy)
		for (;;)
			pause();
	put_everything_away(&c);
	_exit(0);
}

static void execute_nothing(const struct raw_service *s)
{
	struct raw_executor ex = { 0 };

	must(raw_executor_open(&ex, s, 1), "attach");
	for (;;)
		pause();
}

/* From the last submission to waitpid(). */
static double cost_of_an_end(struct victim *v, bool tidy)
{
	double cost[rounds];
	unsigned int i;
	pid_t child;
	int status;

	v->tidy = tidy;
	for (i = 0; i < rounds; i++) {
		child = fork();
		if (!child)
			be_victim(v);
		raw_gate_pass(&v->ready);
		if (!tidy)
			kill(child, SIGKILL);
		must(waitpid(child, &status, 0), "waitpid");
		cost[i] = (double)(raw_now() - v->submitted_ns);
		must(tidy && status ? -ECHILD : 0, "who puts away");
		must(raw_alive_becomes("clients", 0), "the client stays");
	}
	return median(cost, rounds);
}

static void bench_kill(void)
{
	struct aif_service_desc desc = raw_service_desc("bench");
	struct victim *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t executor;
	double tidy;

	must(v == MAP_FAILED ? -ENOMEM : raw_gate_init(&v->ready), "memory");
	must(raw_service_create(&v->service, &desc, 0), "SERVICE_CREATE");
	executor = start(execute_nothing, &v->service);
	tidy = cost_of_an_end(v, true);
	print("1,024 buffers and requests, put away", tidy);
	judge("1,024 buffers and requests, SIGKILL", cost_of_an_end(v, false), tidy, 1.1);
	stop(executor);
	raw_service_close(&v->service);
}

/* ---- a transfer in real time, beside tenants with deep queues ---- */

#define FLOODERS	8u
#define QUEUE		64u		/* transfers of each */
#define FLOOD_BYTES	(8u << 20)	/* of one: 32 chunks */
#define CHUNK_BYTES	(256u << 10)
#define SMALL_BYTES	4096u
#define PAUSE_US	700u		/* between two small ones */
#define SMALL_MAX	4096u

struct mover {
	struct raw_client c;
	struct raw_buffer to;
};

static struct mover mover_new(uid_t uid, size_t bytes)
{
	struct mover m;

	must(raw_client_init(&m.c, raw_open_as("/dev/aif", uid), QUEUE,
			     AIF_F_TRANSFER | AIF_F_REALTIME), "/dev/aif");
	must(raw_buffer_alloc(&m.c, bytes, &m.to), "BUFFER_ALLOC");
	return m;
}

static void mover_end(struct mover *m)
{
	munmap(m->to.base, m->to.length);
	raw_client_close(&m->c);
}

static void fill(struct mover *m, uint32_t tag, uint32_t bytes, uint8_t sched_class)
{
	struct aif_desc d = raw_fill_desc(&m->c, tag, "8 bytes.", 8,
					  (struct aif_range){ m->to.handle, 0, bytes });

	d.sched_class = sched_class;
	must(raw_submit(&m->c, &d, 1, 0), "SUBMIT");
}

/* Of the engines; 0 us: none again. */
static void set_budget(uid_t uid, uint32_t budget_us, uint32_t period_us)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .id = uid, .flags = AIF_TENANT_F_REALTIME,
		.realtime = { .budget_us = budget_us, .period_us = period_us },
	};
	int fd = open("/dev/aif", O_RDWR);

	must(raw_call(fd, AIF_IOC_TENANT_SET, &arg), "TENANT_SET");
	close(fd);
}

/* Floods until all is done, and small ones meanwhile: what each waited, ns. */
static unsigned int flood(struct mover *movers, uint8_t sched_class, double *waited, uint64_t *took)
{
	struct mover *small = &movers[FLOODERS];
	uint64_t begin = raw_now();
	unsigned int n = 0, i;

	for (i = 0; i < FLOODERS * QUEUE; i++)
		fill(&movers[i % FLOODERS], i / FLOODERS, FLOOD_BYTES, AIF_CLASS_NORMAL);
	while (n < SMALL_MAX && movers[0].c.status->answered < QUEUE) {
		fill(small, 0, SMALL_BYTES, sched_class);
		must(raw_wait_quiet(&small->c, 0, -1), "WAIT_QUIET");
		waited[n++] = (double)(small->c.done[0].fetched_ns - small->c.done[0].submitted_ns);
		usleep(PAUSE_US);
	}
	for (i = 0; i < FLOODERS; i++)
		must(raw_wait_quiet(&movers[i].c, AIF_TAG_ALL, -1), "WAIT_QUIET");
	*took = raw_now() - begin;
	return n;
}

/* What a chunk of the floods needs, nothing else to be done. */
static double cost_of_a_chunk(struct mover *m)
{
	double cost[rounds];
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		fill(m, 0, CHUNK_BYTES, AIF_CLASS_NORMAL);
		must(raw_wait_quiet(&m->c, 0, -1), "WAIT_QUIET");
		cost[i] = (double)(m->c.done[0].answered_ns - m->c.done[0].fetched_ns);
	}
	return median(cost, rounds);
}

/*
 * The floods of @tenants tenants, and small ones in @sched_class of another beside them; in
 * one tenant's normal class all is done as it was submitted.
 */
static unsigned int flood_of(uint32_t tenants, uint8_t sched_class, double *waited,
			     uint64_t *took, double *chunk)
{
	static struct mover movers[FLOODERS + 1];
	unsigned int i, n;

	for (i = 0; i < FLOODERS; i++)
		movers[i] = mover_new(FIRST_UID + i % tenants, FLOOD_BYTES);
	movers[FLOODERS] = mover_new(FIRST_UID + tenants, SMALL_BYTES);
	*chunk = cost_of_a_chunk(&movers[0]);
	n = flood(movers, sched_class, waited, took);
	for (i = 0; i <= FLOODERS; i++)
		mover_end(&movers[i]);
	must(raw_alive_becomes("clients", 0), "a client stays");
	return n;
}

static void bench_realtime(void)
{
	static double waited[SMALL_MAX];
	uint64_t took, in_order;
	unsigned int n;
	double chunk;

	flood_of(1, AIF_CLASS_IDLE, waited, &in_order, &chunk);
	set_budget(FIRST_UID + FLOODERS, 4000000, 3600000000u);
	n = flood_of(FLOODERS, AIF_CLASS_REALTIME, waited, &took, &chunk);
	set_budget(FIRST_UID + FLOODERS, 0, 0);
	print("a chunk of 256 KiB by the CPU", chunk);
	printf("%u small transfers in real time, beside 8 tenants' 64 of 8 MiB\n", n);
	judge("wait in real time, p50", median(waited, n), chunk + 2000, 1);
	judge("wait in real time, p99.9", waited[n - 1 - n / 1000], chunk + 15000, 1);
	judge("all of it, beside all in order", (double)took, (double)in_order, 1 / 0.98);
}

/* ---- a transfer whose buffers are mapped for the engine that it names ---- */

#define TRANSFERS	64u		/* in a round */

static void shell(const char *command)
{
	must(system(command) ? -EIO : 0, command);
}

static long chunks_of_the_mock(void)
{
	FILE *f = fopen("/sys/kernel/debug/aif/engines/mock/chunks", "r");
	long n = -1;

	must(f && fscanf(f, "%ld", &n) == 1 ? 0 : -ENOENT, "the mock's chunks");
	fclose(f);
	return n;
}

/* By the mock, made cheaper than the CPU for ever. */
static double cost_of_a_transfer(struct raw_client *c, const struct raw_buffer *b, uint32_t engine)
{
	double cost[rounds];
	unsigned int i, n;
	uint64_t start;
	long before = chunks_of_the_mock();
	struct aif_desc d;

	for (i = 0; i < rounds; i++) {
		start = raw_now();
		for (n = 0; n < TRANSFERS; n++) {
			d = raw_copy_desc(c, 0, (struct aif_range){ b[0].handle, 0, 4096 },
					  (struct aif_range){ b[1].handle, 0, 4096 });
			d.service = engine;
			must(raw_transfer(c, d), "a transfer");
		}
		cost[i] = (double)(raw_now() - start) / TRANSFERS;
	}
	must(chunks_of_the_mock() - before == rounds * TRANSFERS ? 0 : -EXDEV, "the mock");
	return median(cost, rounds);
}

/* What of it is the look at the maps, tests/bench/memory/lookup says. */
static void bench_mapped(void)
{
	struct raw_buffer b[2];
	struct raw_client c;
	uint32_t engine;
	int i;

	must(raw_client_open(&c, 4), "/dev/aif");
	must((int)raw_client_ask(&c, AIF_F_TRANSFER | AIF_F_MAP), "features");
	shell("modprobe aif_mock maps=1 && cd /sys/kernel/debug/aif/engines/mock && "
	      "echo 0 >learn && echo 0 >fixed_ns && echo 1 >ps_byte");
	for (i = 0; i < 2; i++) {
		must(raw_buffer_alloc(&c, 4096, &b[i]), "BUFFER_ALLOC");
		must(raw_map(&c, b[i].handle, "mock", &engine), "BUFFER_MAP");
	}
	print("a transfer of 4 KiB, mapped for the engine it names", cost_of_a_transfer(&c, b, engine));
	shell("rmmod aif_mock");
	for (i = 0; i < 2; i++)
		munmap(b[i].base, b[i].length);
	raw_client_close(&c);
}

/* ---- */

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "pin", bench_pin }, { "clients", bench_clients }, { "kill", bench_kill },
	{ "realtime", bench_realtime }, { "mapped", bench_mapped },
};

int main(int argc, char **argv)
{
	const char *only = NULL;
	size_t i;
	int arg;

	while ((arg = getopt_long(argc, argv, "", (struct option[]){
			{ "rounds", required_argument, NULL, 'r' },
			{ "only", required_argument, NULL, 'o' }, { 0 } }, NULL)) != -1) {
		if (arg == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (arg == 'o')
			only = optarg;
		else
			return 2;
	}
	if (optind != argc || !rounds || rounds > 1001) {
		fprintf(stderr, "usage: bench_memory [--rounds N] [--only pin|clients|kill|realtime|mapped]\n");
		return 2;
	}
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!only || !strcmp(only, parts[i].name))
			parts[i].run();
	return 0;
}
