// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "side.h"

#define SERVICE_NAME	"svc"

struct side me = { .executor_door = &me.doors[0], .client_door = &me.doors[1] };
enum door_kind side_door;

/* Set by holder_new() in the test, before the others are forked. */
static struct aif_service_desc service_desc;
static uint32_t service_id;

/* ---- the fixture ---- */

static const char *const counters[] = {
	"requests", "answered", "stale_commits", "recoveries", "owner_dead", "poisoned",
	"executor_deaths", "watchdog_detached", "step_overruns",
};
static long before[COUNT(counters)];
static long pins_before;

static void __attribute__((noreturn)) usage(const char *program)
{
	fprintf(stderr, "usage: %s [--door ioctl|ring|async|sqpoll|defer|coop] [--test PATTERN]\n",
		program);
	exit(2);
}

void side_main(int argc, char **argv)
{
	int i;

	party_main(argc, argv);
	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--door"))
			side_door = door_by_name(argv[i + 1]);
		else if (!strcmp(argv[i], "--test"))
			cmocka_set_test_filter(argv[i + 1]);
		else
			usage(argv[0]);
	}
	if (i != argc || side_door == DOOR_COUNT)
		usage(argv[0]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
}

int side_setup(void **state)
{
	size_t i;

	for (i = 0; i < COUNT(counters); i++)
		before[i] = raw_counter(counters[i]);
	pins_before = raw_pins();
	return 0;
}

long side_counted(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(counters); i++)
		if (!strcmp(counters[i], name))
			return raw_counter(name) - before[i];
	fail_msg("no counter %s", name);
	return 0;
}

int side_teardown(void **state)
{
	int tries;

	if (!party_kill_all() || raw_all_gone())
		return -1;
	for (tries = 0; raw_pins() != pins_before && tries < 500; tries++)
		raw_sleep_ms(10);
	if (raw_pins() != pins_before) {
		print_error("%ld pages stay pinned\n", raw_pins() - pins_before);
		return -1;
	}
	if (side_counted("requests") != side_counted("answered")) {
		print_error("%ld requests, %ld answers\n", side_counted("requests"),
			    side_counted("answered"));
		return -1;
	}
	return 0;
}

void side_needs_ring(void)
{
	struct io_uring ring;

	if (io_uring_queue_init(1, &ring, 0)) {
		print_message("# io_uring is forbidden here\n");
		skip();
	}
	io_uring_queue_exit(&ring);
}

/* ---- holder ---- */

struct aif_service_desc side_desc(void)
{
	struct aif_service_desc d = raw_service_desc(SERVICE_NAME);

	d.longest_step_ms = SIDE_FOREVER_MS;
	d.progress_ms = SIDE_FOREVER_MS;
	d.recovery_ms = SIDE_FOREVER_MS;
	return d;
}

static long deed_hold(long *arg)
{
	int err = raw_service_create(&me.service, &service_desc, RAW_EXECUTOR_UID);

	return err ? err : (long)me.service.id;
}

struct party *holder_new(const struct aif_service_desc *desc)
{
	struct party *p;
	long id;

	service_desc = *desc;
	p = party_new(RAW_EXECUTOR_UID);
	id = ASK(p, deed_hold);
	assert_true(id > 0);
	service_id = (uint32_t)id;
	return p;
}

static long deed_drain(long *arg)
{
	return raw_service_drain(&me.service);
}

int holder_drain(struct party *p)
{
	return (int)ASK(p, deed_drain);
}

static long deed_describe(long *arg)
{
	struct aif_ioc_service_describe d;
	int err = raw_service_describe(me.service.fd, me.service.id, &d);

	arg[0] = d.out_executors;
	arg[1] = d.out_queued;
	arg[2] = d.out_fetched;
	arg[3] = (long)d.out_answered;
	arg[4] = (long)d.out_recovered;
	return err;
}

struct aif_ioc_service_describe holder_describe(struct party *p)
{
	long arg[PARTY_ARGS] = { 0 };

	assert_int_equal(party_ask(p, deed_describe, arg), 0);
	return (struct aif_ioc_service_describe){
		.out_executors = (uint32_t)arg[0], .out_queued = (uint32_t)arg[1],
		.out_fetched = (uint32_t)arg[2], .out_answered = (uint64_t)arg[3],
		.out_recovered = (uint64_t)arg[4],
	};
}

/* ---- executor ---- */

static long deed_attach(long *arg)
{
	struct raw_service s = { .id = service_id, .owner = RAW_EXECUTOR_UID };
	int err = raw_executor_open(&me.executor, &s, SIDE_SLOTS);

	return err ? err : door_open(me.executor_door, (enum door_kind)arg[0]);
}

struct party *executor_new(enum door_kind kind)
{
	struct party *p = party_new(RAW_EXECUTOR_UID);

	assert_int_equal(ASK(p, deed_attach, kind), 0);
	return p;
}

static long deed_take(long *arg)
{
	struct raw_executor *ex = &me.executor;
	int n = door_turn(me.executor_door, ex, (uint32_t)arg[1], 0, (uint32_t)arg[0]);

	if (n >= 0)
		n = raw_deliveries(ex, (uint32_t)n, me.taken + me.taken_count);
	if (n > 0)
		me.taken_count += (uint32_t)n;
	return n;
}

/* Events come first and end a FETCH by themselves: ask until it is requests. */
static long deed_take_now(long *arg)
{
	long n;

	do {
		n = deed_take(arg);
	} while (!n);
	return n == -EAGAIN ? 0 : n;
}

int executor_take(struct party *p, uint32_t credit)
{
	return (int)ASK(p, deed_take_now, credit, AIF_FETCH_F_NONBLOCK);
}

static long deed_take_waiting(long *arg)
{
	long n;

	do {
		n = deed_take(arg);
	} while (!n || n == -EINTR);
	return n;
}

void executor_begin_take(struct party *p, uint32_t credit)
{
	BEGIN(p, deed_take_waiting, credit, 0);
}

static long deed_held(long *arg)
{
	struct raw_taken t = me.taken[arg[0]];
	const struct aif_slot *s = &me.executor.slot[t.slot];

	arg[0] = t.slot;
	arg[1] = t.generation;
	arg[2] = s->attempt;
	arg[3] = s->tag;
	arg[4] = s->flags;
	return 0;
}

struct held executor_held(struct party *p, uint32_t i)
{
	long arg[PARTY_ARGS] = { i };

	assert_int_equal(party_ask(p, deed_held, arg), 0);
	return (struct held){
		.slot = (uint32_t)arg[0], .generation = (uint32_t)arg[1],
		.attempt = (uint32_t)arg[2], .tag = (uint32_t)arg[3], .flags = (uint32_t)arg[4],
	};
}

static long give(struct raw_taken t, int result, uint32_t produced)
{
	me.executor.commit[0] = (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = t.slot, .generation = t.generation,
		.result = result, .produced = produced,
	};
	return door_turn(me.executor_door, &me.executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0);
}

static long deed_give(long *arg)
{
	return give(me.taken[arg[0]], (int)arg[1], 0);
}

int executor_give(struct party *p, uint32_t i, int result)
{
	return (int)ASK(p, deed_give, i, result);
}

static uint8_t *output_of(struct raw_taken t)
{
	return raw_at(&me.executor, &me.executor.slot[t.slot].ranges[1]);
}

int side_echo(struct raw_taken t)
{
	const struct aif_range *in = &me.executor.slot[t.slot].ranges[0];
	uint8_t *from = raw_at(&me.executor, in), *to = output_of(t);

	if (!from || !to)
		return -EFAULT;
	memcpy(to, from, in->length);
	return (int)in->length;
}

static long deed_echo(long *arg)
{
	struct raw_taken t = me.taken[arg[0]];
	int n = side_echo(t);

	return n < 0 ? n : give(t, 0, (uint32_t)n);
}

int executor_echo(struct party *p, uint32_t i)
{
	return (int)ASK(p, deed_echo, i);
}

static long deed_progress(long *arg)
{
	return door_progress(me.executor_door, &me.executor, me.taken[arg[0]], (uint32_t)arg[1]);
}

int executor_progress(struct party *p, uint32_t i, uint32_t produced)
{
	return (int)ASK(p, deed_progress, i, produced);
}

static long deed_events(long *arg)
{
	return me.executor.events[arg[0]];
}

uint32_t executor_events(struct party *p, enum aif_delivery_type type)
{
	return (uint32_t)ASK(p, deed_events, type);
}

static long pin(uint8_t *page)
{
	struct iovec iov = { page, SIDE_PAGE };
	int err = io_uring_queue_init(4, &me.pins, 0);

	me.pinned = page;
	return err ? err : io_uring_register_buffers(&me.pins, &iov, 1);
}

static long deed_executor_pin(long *arg)
{
	return pin(output_of(me.taken[arg[0]]));
}

int executor_pin(struct party *p, uint32_t i)
{
	return (int)ASK(p, deed_executor_pin, i);
}

static int declare(int fd, uint32_t handle, uint32_t pins)
{
	struct aif_ioc_declare_pins arg = {
		.size = sizeof(arg), .handle = handle, .pins = pins,
	};

	return raw_call(fd, AIF_IOC_DECLARE_PINS, &arg);
}

static long deed_executor_declare(long *arg)
{
	return declare(me.executor.fd, me.executor.views[0].grant, (uint32_t)arg[0]);
}

int executor_declare(struct party *p, uint32_t pins)
{
	return (int)ASK(p, deed_executor_declare, pins);
}

/* ---- client ---- */

int side_connect(const char *service, enum door_kind kind)
{
	struct raw_client *c = &me.client;
	int err = raw_client_open(c, SIDE_DEPTH);

	if (!err)
		err = raw_service_open(c, service, RAW_EXECUTOR_UID);
	if (err < 0)
		return err;
	me.handle = (uint32_t)err;
	err = raw_buffer_alloc(c, (size_t)2 * SIDE_DEPTH * SIDE_PAGE, &me.buffer);
	if (!err)
		err = raw_grant(c, me.buffer.handle, me.handle, AIF_GRANT_F_WRITE, &me.grant);
	if (!err && !me.client_door->open)
		err = door_open(me.client_door, kind);
	return err;
}

static long deed_connect(long *arg)
{
	return side_connect(SERVICE_NAME, (enum door_kind)arg[0]);
}

struct party *client_new(enum door_kind kind)
{
	struct party *p = party_new(RAW_CLIENT_UID);

	assert_int_equal(ASK(p, deed_connect, kind), 0);
	return p;
}

static uint8_t *input_page(uint32_t tag)
{
	return me.buffer.base + tag * SIDE_PAGE;
}

static uint8_t *output_page(uint32_t tag)
{
	return me.buffer.base + (SIDE_DEPTH + tag) * SIDE_PAGE;
}

static void fill_input(uint32_t tag)
{
	uint64_t *word = (uint64_t *)input_page(tag);
	uint64_t name = (uint64_t)getpid() << 40 | (uint64_t)tag << 32 | me.client.generation;
	int i;

	for (i = 0; i < 8; i++)
		word[i] = name * 0x9e3779b97f4a7c15 + (uint64_t)i;
}

struct aif_desc side_request(uint32_t tag, uint8_t flags, uint64_t deadline)
{
	me.client.generation++;
	fill_input(tag);
	memset(output_page(tag), 0, SIDE_PAGE);
	return (struct aif_desc){
		.deadline = deadline, .tag = tag, .generation = me.client.generation,
		.service = me.handle, .sched_class = AIF_CLASS_NORMAL, .flags = flags, .range_count = 2,
		.ranges = {
			{ .grant = me.grant, .offset = tag * SIDE_PAGE, .length = 64 },
			{ .grant = me.grant, .offset = (SIDE_DEPTH + tag) * SIDE_PAGE,
			  .length = SIDE_PAGE },
		},
	};
}

static long deed_send(long *arg)
{
	struct aif_desc d[SIDE_DEPTH];
	uint64_t deadline = arg[3] ? raw_now() + (uint64_t)arg[3] * 1000000 : 0;
	int i, n;

	for (i = 0; i < arg[1]; i++)
		d[i] = side_request((uint32_t)(arg[0] + i), (uint8_t)arg[2], deadline);
	n = door_submit(me.client_door, &me.client, d, (uint32_t)arg[1], 0);
	for (i = 0; i < n; i++)
		me.generation[d[i].tag] = d[i].generation;
	return n;
}

int client_send(struct party *p, uint32_t tag, uint32_t n)
{
	return (int)ASK(p, deed_send, tag, n);
}

int client_send_flags(struct party *p, uint32_t tag, uint8_t flags)
{
	return (int)ASK(p, deed_send, tag, 1, flags);
}

int client_send_until(struct party *p, uint32_t tag, uint32_t ms)
{
	return (int)ASK(p, deed_send, tag, 1, 0, ms);
}

static long deed_look(long *arg)
{
	const struct aif_completion *c = &me.client.done[arg[0]];
	uint32_t tag = (uint32_t)arg[0];

	arg[0] = raw_state(&me.client, tag, me.generation[tag]);
	arg[1] = c->result;
	arg[2] = __atomic_load_n(&c->produced, __ATOMIC_ACQUIRE);
	arg[3] = c->attempt;
	return 0;
}

struct seen client_look(struct party *p, uint32_t tag)
{
	long arg[PARTY_ARGS] = { tag };

	party_ask(p, deed_look, arg);
	return (struct seen){
		.state = (uint32_t)arg[0], .result = (int)arg[1], .produced = (uint32_t)arg[2],
		.attempt = (uint32_t)arg[3],
	};
}

uint32_t client_state(struct party *p, uint32_t tag)
{
	return client_look(p, tag).state;
}

int client_result(struct party *p, uint32_t tag)
{
	struct seen s = client_look(p, tag);

	assert_int_equal(s.state, AIF_STATE_DONE);
	return s.result;
}

static long deed_answered(long *arg)
{
	return (long)__atomic_load_n(&me.client.status->answered, __ATOMIC_ACQUIRE);
}

long client_answered(struct party *p)
{
	return ASK(p, deed_answered);
}

static long deed_cancel(long *arg)
{
	uint32_t tag = (uint32_t)arg[0];

	return door_cancel(me.client_door, &me.client, tag,
			   tag < SIDE_DEPTH ? me.generation[tag] : 0);
}

int client_cancel(struct party *p, uint32_t tag)
{
	return (int)ASK(p, deed_cancel, tag);
}

static long deed_wait(long *arg)
{
	return door_wait(me.client_door, &me.client, (uint64_t)arg[0]);
}

void client_begin_wait(struct party *p, uint32_t answered)
{
	BEGIN(p, deed_wait, answered);
}

static long deed_wait_quiet(long *arg)
{
	return door_wait_quiet(me.client_door, &me.client, (uint32_t)arg[0]);
}

void client_begin_quiet(struct party *p, uint32_t tag)
{
	BEGIN(p, deed_wait_quiet, tag);
}

bool side_echoed(uint32_t tag)
{
	return !memcmp(input_page(tag), output_page(tag), 64);
}

static long deed_echoed(long *arg)
{
	return side_echoed((uint32_t)arg[0]);
}

bool client_echoed(struct party *p, uint32_t tag)
{
	return ASK(p, deed_echoed, tag);
}

static long deed_output(long *arg)
{
	return *(volatile uint8_t *)output_page((uint32_t)arg[0]);
}

int client_output(struct party *p, uint32_t tag)
{
	return (int)ASK(p, deed_output, tag);
}

static long deed_client_pin(long *arg)
{
	return pin(output_page((uint32_t)arg[0]));
}

int client_pin(struct party *p, uint32_t tag)
{
	return (int)ASK(p, deed_client_pin, tag);
}

static long deed_client_declare(long *arg)
{
	return declare(me.client.fd, me.buffer.handle, (uint32_t)arg[0]);
}

int client_declare(struct party *p, uint32_t pins)
{
	return (int)ASK(p, deed_client_declare, pins);
}

struct trio trio_new(const struct aif_service_desc *desc)
{
	struct aif_service_desc usual = side_desc();
	struct trio t;

	t.holder = holder_new(desc ? desc : &usual);
	t.client = client_new(side_door);
	t.executor = executor_new(side_door);
	assert_int_equal(executor_take(t.executor, 1), 0);
	return t;
}

/* ---- keepers ---- */

static long deed_keep_pins(long *arg)
{
	/* The mappings were not inherited, and the ring's own are the pins'. */
	close(me.executor.fd);
	if (me.executor_door->kind != DOOR_IOCTL)
		close(me.executor_door->ring.ring_fd);
	return 0;
}

void keeper_keep_pins(struct party *p)
{
	assert_int_equal(ASK(p, deed_keep_pins), 0);
}

/* The address is the executor's; the kernel knows the pages. */
static long deed_keeper_write(long *arg)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&me.pins);
	int fd = memfd_create("late", 0);
	uint8_t byte = (uint8_t)arg[0];
	struct io_uring_cqe *cqe;
	int res;

	if (write(fd, &byte, 1) != 1)
		return -errno;
	io_uring_prep_read_fixed(sqe, fd, me.pinned, 1, 0, 0);
	res = io_uring_submit_and_wait(&me.pins, 1);
	if (res < 0)
		return res;
	res = io_uring_wait_cqe(&me.pins, &cqe);
	if (!res) {
		res = cqe->res;
		io_uring_cqe_seen(&me.pins, cqe);
	}
	close(fd);
	return res;
}

int keeper_write(struct party *p, uint8_t byte)
{
	return (int)ASK(p, deed_keeper_write, byte);
}

static long deed_keeper_drop(long *arg)
{
	io_uring_queue_exit(&me.pins);
	return 0;
}

void keeper_drop(struct party *p)
{
	assert_int_equal(ASK(p, deed_keeper_drop), 0);
}
