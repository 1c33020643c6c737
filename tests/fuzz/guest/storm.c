// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "storm.h"
#include "tests/recovery/door.h"
#include "tests/recovery/party.h"
#include "tests/uapi/ops.h"

#define SERVICES	2u
#define EXECUTORS	3u
#define CLIENTS		4u
#define DEPTH		16u
#define BUFFERS		2u
#define SLOTS		8u
#define WORDS		32u		/* of an input and of an output */
#define MOVED		4096u		/* bytes that a transfer moves, */
#define MOVE_TAG	DEPTH		/* by a tag that no request has */
#define SPAN		256u		/* bytes of one */
#define MASK		0x5a5a5a5a5a5a5a5aull
#define MS		1000000ull

/* ---- what is wrong, for all parties ---- */

struct board {
	uint32_t done, enough;		/* operations */
	uint32_t moved, mapped;		/* transfers, and those by an engine that needs maps */
	uint32_t wrong;
	char text[256];			/* the first wrong thing */
	uint32_t service_ids[SERVICES];
};

static struct board *board;

#define WRONG(...) do {								\
	if (!__atomic_fetch_add(&board->wrong, 1, __ATOMIC_RELAXED))		\
		snprintf(board->text, sizeof(board->text), __VA_ARGS__);	\
} while (0)

static unsigned int chance;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)rand_r(&chance) % n;
}

static bool one_in(uint32_t n)
{
	return !pick(n);
}

static void one_done(void)
{
	__atomic_fetch_add(&board->done, 1, __ATOMIC_RELAXED);
}

/* A child that has all files, and goes when it likes. */
static void fork_idler(void)
{
	if (!fork()) {
		raw_sleep_ms(pick(60));
		_exit(0);
	}
}

static enum door_kind some_door(void)
{
	static const enum door_kind doors[] = { DOOR_IOCTL, DOOR_RING, DOOR_SQPOLL, DOOR_COOP };

	return doors[pick(4)];
}

/* ---- holders ---- */

static long deed_hold(long *arg)
{
	static struct raw_service service;
	struct aif_service_desc d = raw_service_desc(arg[0] ? "storm1" : "storm0");
	int err;

	strcpy(d.device, "storm");
	d.step_tokens = 2;
	d.max_attempts = 4;
	d.longest_step_ms = 100;
	d.progress_ms = 400;
	d.recovery_ms = 200;
	err = raw_service_create(&service, &d, RAW_EXECUTOR_UID);
	board->service_ids[arg[0]] = service.id;
	return err;
}

/* ---- executors ---- */

static struct raw_executor executor;
static struct door door;

/*
 * An input is one word repeated; where it was revoked meanwhile there are
 * zeroes.  Anything else came from somewhere else.
 */
static uint64_t read_input(const uint64_t *in)
{
	uint64_t word = 0, next;
	uint32_t i;

	for (i = 0; i < WORDS; i++) {
		next = __atomic_load_n(&in[i], __ATOMIC_RELAXED);
		if (next && word && next != word)
			WRONG("an input holds %llx and %llx", (unsigned long long)word,
			      (unsigned long long)next);
		word = next ? next : word;
	}
	return word;
}

static struct aif_commit work_on(struct raw_taken t)
{
	struct aif_slot s = executor.slot[t.slot];
	struct aif_commit c = { .index = t.slot, .generation = t.generation };
	const uint64_t *in = (const uint64_t *)raw_at(&executor, &s.ranges[0]);
	uint64_t *out = (uint64_t *)raw_at(&executor, &s.ranges[1]), word;
	uint32_t i;

	if (one_in(8))
		door_progress(&door, &executor, t, pick(WORDS) * 8);
	if (one_in(30))
		raw_sleep_ms(pick(20));
	c.result = -EPROTO;
	if (!in || !out)	/* a view that is gone by now */
		return c;
	word = read_input(in);
	for (i = 0; i < WORDS; i++)
		out[i] = word ^ MASK;
	c.result = 0;
	c.produced = WORDS * 8;
	return c;
}

/* Now and then twice, or of another slot: that is counted and skipped. */
static uint32_t work_through(const struct raw_taken *taken, uint32_t n)
{
	uint32_t i, commits = 0;

	for (i = 0; i < n; i++) {
		executor.commit[commits++] = work_on(taken[i]);
		if (one_in(10)) {
			executor.commit[commits] = executor.commit[commits - 1];
			executor.commit[commits++].result = -EDOM;
		}
		if (one_in(10))
			executor.commit[commits++] = (struct aif_commit){
				.index = pick(SLOTS), .generation = pick(100),
			};
	}
	return commits;
}

static long execute_until_detached(void)
{
	struct raw_taken taken[SLOTS + 64];
	uint32_t commits = 0;
	int n;

	for (;;) {
		n = door_turn(&door, &executor, one_in(4) ? AIF_FETCH_F_NONBLOCK : 0, commits,
			      1 + pick(SLOTS));
		commits = 0;
		one_done();
		if (n == -EINTR || n == -EAGAIN || n == -EBUSY)
			continue;
		if (n >= 0)
			n = raw_deliveries(&executor, (uint32_t)n, taken);
		if (n < 0)
			return n;
		commits = work_through(taken, (uint32_t)n);
		if (one_in(50))
			fork_idler();
	}
}

/* Until it is killed; it attaches again when it was detached. */
static long deed_execute(long *arg)
{
	struct raw_service s = { .owner = RAW_EXECUTOR_UID };
	long err;

	chance = (unsigned int)arg[0];
	if (door_open(&door, some_door()))
		door_open(&door, DOOR_IOCTL);	/* rings are forbidden here */
	for (;;) {
		s.id = board->service_ids[arg[1]];
		err = raw_executor_open(&executor, &s, SLOTS);
		if (!(executor.features & AIF_F_URING))
			door.kind = DOOR_IOCTL;
		if (!err)
			err = execute_until_detached();
		/* ENOENT: its service is another by now, or what it should map is gone. */
		if (err != -ENODEV && err != -ENOENT)
			WRONG("an executor got %s", result_name(err));
		raw_executor_close(&executor);
		raw_sleep_ms(1);
	}
	return 0;
}

/* ---- clients ---- */

struct use {
	bool sent, seen;
	uint32_t generation;
	int32_t result;		/* once seen */
	uint64_t word;
};

static struct {
	struct raw_client c;
	struct raw_buffer buffer[BUFFERS];
	uint32_t service[SERVICES];
	uint32_t grant[BUFFERS][SERVICES];
	struct use use[DEPTH];
	struct raw_buffer from, to;	/* of transfers; no service's */
	uint32_t engine;		/* that they are mapped for; 0: none */
	uint64_t accepted;
} user;

/* Where a tag's input and output are in its buffer. */
static uint32_t place(uint32_t tag, bool output)
{
	return (2 * tag + output) * SPAN;
}

static bool may_fail(long ret, const int *errors, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ret == -errors[i])
			return true;
	return ret >= 0;
}

/* Whatever else it returns is wrong. */
#define CHECK(what, ret, ...) ({						\
	const int allowed[] = { __VA_ARGS__ };					\
	long is = (ret);							\
										\
	if (!may_fail(is, allowed, sizeof(allowed) / sizeof(allowed[0])))	\
		WRONG("%s returned %s", what, result_name(is));			\
	one_done();								\
	is;									\
})

/* Where it was answered, is it right? And if that was seen before, is it as it was? */
static void look_at(uint32_t tag)
{
	static const int errors[] = {
		ECANCELED, ETIME, EKEYREVOKED, EOWNERDEAD, EIO, ENODEV, EPROTO,
	};
	const struct aif_completion *done = &user.c.done[tag];
	struct use *u = &user.use[tag];
	const uint64_t *out;
	uint32_t i;

	if (!u->sent || !raw_answered(&user.c, tag, u->generation))
		return;
	if (u->seen) {
		if (done->result != u->result)
			WRONG("answered twice: %s, then %s", result_name(u->result),
			      result_name(done->result));
		return;
	}
	u->seen = true;
	u->result = done->result;
	if (!may_fail(u->result, errors, sizeof(errors) / sizeof(errors[0])) || u->result > 0)
		WRONG("answered with %s", result_name(u->result));
	out = (const uint64_t *)(user.buffer[tag % BUFFERS].base + place(tag, true));
	for (i = 0; !u->result && i < WORDS; i++)
		if (out[i] != (u->word ^ MASK)) {
			WRONG("tag %u word %u: %llx instead of %llx", tag, i,
			      (unsigned long long)out[i], (unsigned long long)(u->word ^ MASK));
			return;
		}
}

static void prepare(uint32_t tag, struct aif_desc *d)
{
	uint32_t b = tag % BUFFERS, s = pick(SERVICES), i;
	uint64_t *in = (uint64_t *)(user.buffer[b].base + place(tag, false));
	uint64_t *out = (uint64_t *)(user.buffer[b].base + place(tag, true));

	*d = (struct aif_desc){
		.tag = tag, .generation = ++user.c.generation, .service = user.service[s],
		.sched_class = (uint8_t)(1 + pick(2)), .flags = (uint8_t)pick(2),
		.range_count = 2,
		.deadline = one_in(6) ? raw_now() + pick(20) * MS : 0,
		.ranges = {
			{ user.grant[b][s], place(tag, false), WORDS * 8 },
			{ user.grant[b][s], place(tag, true), WORDS * 8 },
		},
	};
	user.use[tag].word = (uint64_t)getpid() << 32 | d->generation;
	for (i = 0; i < WORDS; i++) {
		in[i] = user.use[tag].word;
		out[i] = 0;
	}
}

static bool tag_is_free(uint32_t tag)
{
	uint32_t state = raw_state(&user.c, tag, user.use[tag].generation);

	return !user.use[tag].sent || (user.use[tag].seen && state == AIF_STATE_DONE);
}

static void use_submit(void)
{
	struct aif_desc d[4];
	uint32_t n = 0, tag = pick(DEPTH), tries;
	long ret;

	for (tries = 0; tries < DEPTH && n < 4; tries++, tag = (tag + 1) % DEPTH) {
		look_at(tag);
		if (tag_is_free(tag))
			prepare(tag, &d[n++]);
	}
	if (!n)
		return;
	ret = CHECK("SUBMIT", raw_submit(&user.c, d, n, 0), ETIME, EDQUOT, EAGAIN, ENOENT, ENODEV,
		    EBADF, EKEYREVOKED);
	for (n = 0; ret > 0 && n < (uint32_t)ret; n++) {
		struct use *u = &user.use[d[n].tag];

		*u = (struct use){ .sent = true, .generation = d[n].generation, .word = u->word };
		user.accepted++;
	}
}

static void use_cancel(void)
{
	uint32_t tag = pick(DEPTH);

	CHECK("CANCEL", one_in(20) ? raw_cancel(&user.c, AIF_TAG_ALL, 0) :
	      raw_cancel(&user.c, tag, user.use[tag].generation), ENOENT);
}

static void use_wait(void)
{
	CHECK("WAIT", raw_wait(&user.c, user.c.status->answered + 1, (int64_t)(pick(4) * MS)),
	      ETIME);
	CHECK("WAIT_QUIET", raw_wait_quiet(&user.c, pick(DEPTH), (int64_t)(pick(2) * MS)), ETIME);
}

static void grant_all(uint32_t b)
{
	uint32_t s;

	for (s = 0; s < SERVICES; s++)
		CHECK("GRANT", raw_grant(&user.c, user.buffer[b].handle, user.service[s],
					 AIF_GRANT_F_WRITE, &user.grant[b][s]),
		      ENODEV, ENOENT, EDQUOT, ENOSPC);
}

static void use_revoke(void)
{
	uint32_t b = pick(BUFFERS), s;

	for (s = 0; s < SERVICES; s++)
		CHECK("REVOKE", raw_revoke(&user.c, user.grant[b][s]), ENOENT);
	grant_all(b);
}

/* The service that goes by that name now. */
static void use_open(void)
{
	static const char *const names[SERVICES] = { "storm0", "storm1" };
	uint32_t s = pick(SERVICES);
	long handle = CHECK("SERVICE_OPEN", raw_service_open(&user.c, names[s], RAW_EXECUTOR_UID),
			    ENOENT, ENOSPC);

	if (handle > 0 && (uint32_t)handle != user.service[s]) {
		user.service[s] = (uint32_t)handle;
		use_revoke();
	}
}

static void use_memory(void)
{
	uint32_t b = pick(BUFFERS);
	struct raw_buffer extra = { 0 };

	if (one_in(2)) {
		CHECK("BUFFER_ALLOC", raw_buffer_alloc(&user.c, 1 + pick(12288), &extra),
		      EDQUOT, ENOSPC);
		if (extra.base)
			CHECK("BUFFER_FREE", raw_buffer_free(&user.c, &extra), 0);
		return;
	}
	madvise(user.buffer[b].base, user.buffer[b].length, MADV_DONTNEED);
	one_done();
}

/* ---- clients: transfers ---- */

/* Words that were nowhere before. */
static void fill_source(void)
{
	uint64_t word = (uint64_t)getpid() << 32 | ~user.c.generation;
	uint64_t *from = (uint64_t *)user.from.base;
	uint32_t i;

	for (i = 0; i < MOVED / 8; i++)
		from[i] = word + i;
}

/* A copy to the buffer @to, which is @at here: taken it is done, and done it is whole. */
static void move(uint32_t to, const void *at)
{
	const struct aif_range from = { user.from.handle, 0, MOVED }, there = { to, 0, MOVED };
	struct aif_desc d = raw_copy_desc(&user.c, MOVE_TAG, from, there);
	int result;

	fill_source();
	d.service = to == user.to.handle && one_in(2) ? user.engine : 0;
	if (CHECK("SUBMIT of a transfer", raw_submit(&user.c, &d, 1, AIF_SUBMIT_F_WAIT_ALL),
		  EDQUOT, EAGAIN) <= 0)
		return;
	user.accepted++;
	__atomic_fetch_add(&board->moved, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->mapped, !!d.service, __ATOMIC_RELAXED);
	result = user.c.done[MOVE_TAG].result;
	if (result)
		WRONG("a transfer was answered with %s", result_name(result));
	else if (memcmp(at, user.from.base, MOVED))
		WRONG("a transfer did not copy what there was");
}

static void use_transfer(void)
{
	move(user.to.handle, user.to.base);
}

/* Into memory of its own. */
static void use_pin(void)
{
	void *own = mmap(NULL, MOVED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long handle = CHECK("BUFFER_PIN", raw_pin(&user.c, own, MOVED, AIF_PIN_F_WRITE), EDQUOT,
			    ENOSPC, ENOMEM);

	if (handle > 0) {
		move((uint32_t)handle, own);
		CHECK("BUFFER_FREE", raw_unpin(&user.c, (uint32_t)handle), 0);
	}
	munmap(own, MOVED);
}

/* By another handle of the same bytes, which outlives the file that it came from. */
static void use_share(void)
{
	int fd = raw_share(&user.c, user.to.handle, 0);
	struct raw_buffer other = { 0 };

	if (fd < 0)
		WRONG("BUFFER_SHARE returned %s", result_name(fd));
	CHECK("BUFFER_ACCEPT", raw_accept(&user.c, fd, 0, &other), ENOSPC);
	if (one_in(20))
		fork_idler();
	close(fd);
	if (!other.base)
		return;
	move(other.handle, user.to.base);
	CHECK("BUFFER_FREE", raw_buffer_free(&user.c, &other), 0);
}

/* For the mock engine, or not any more; where that is not, nothing is. */
static void use_map(void)
{
	uint32_t engine;

	if (user.engine) {
		CHECK("BUFFER_UNMAP", raw_unmap(&user.c, user.from.handle, user.engine), 0);
		CHECK("BUFFER_UNMAP", raw_unmap(&user.c, user.to.handle, user.engine), 0);
		user.engine = 0;
		return;
	}
	if (CHECK("BUFFER_MAP", raw_map(&user.c, user.from.handle, "mock", &engine), ENOENT,
		  EDQUOT, ENOSPC))
		return;
	if (!CHECK("BUFFER_MAP", raw_map(&user.c, user.to.handle, "mock", &engine), EDQUOT, ENOSPC))
		user.engine = engine;
	else
		CHECK("BUFFER_UNMAP", raw_unmap(&user.c, user.from.handle, engine), 0);
}

static void use_one(void)
{
	static void (*const ways[])(void) = {
		use_submit, use_submit, use_submit, use_submit, use_submit, use_wait, use_wait,
		use_cancel, use_cancel, use_memory, use_revoke, use_open, use_transfer,
		use_transfer, use_pin, use_share, use_map,
	};

	if (one_in(100))
		fork_idler();
	ways[pick(sizeof(ways) / sizeof(ways[0]))]();
}

static int user_begin(void)
{
	uint32_t b;
	int err = raw_client_open(&user.c, 2 * DEPTH);

	if (!err)
		err = raw_client_ask(&user.c, AIF_F_TRANSFER | AIF_F_MAP) < 0 ? -EPROTO : 0;
	for (b = 0; !err && b < BUFFERS; b++)
		err = raw_buffer_alloc(&user.c, 2 * DEPTH * SPAN, &user.buffer[b]);
	if (!err)
		err = raw_buffer_alloc(&user.c, MOVED, &user.from);
	if (!err)
		err = raw_buffer_alloc(&user.c, MOVED, &user.to);
	if (err)
		return err;
	use_open();
	use_open();
	grant_all(0);
	grant_all(1);
	return 0;
}

/* At the end all that was accepted is answered, once. */
static long deed_use(long *arg)
{
	uint32_t tag;
	int err;

	chance = (unsigned int)arg[0];
	err = user_begin();
	if (err == -EDQUOT)	/* who was killed has not given back everything yet */
		return 0;
	if (err)
		WRONG("a client cannot begin: %s", result_name(err));
	while (!err && board->done < board->enough)
		use_one();
	raw_cancel(&user.c, AIF_TAG_ALL, 0);
	for (tag = 0; tag < DEPTH; tag++)
		look_at(tag);
	if (user.c.status->answered != user.accepted || user.c.status->submitted != user.accepted)
		WRONG("%llu were accepted, %llu answered", (unsigned long long)user.accepted,
		      (unsigned long long)user.c.status->answered);
	return 0;
}

/* ---- attackers ---- */

/* Any call with any argument on any file of its own. */
static long deed_attack(long *arg)
{
	uint8_t bytes[OP_ARG_MAX];
	const struct op *o;
	struct raw_client c;
	size_t i;

	chance = (unsigned int)arg[0];
	if (raw_client_open(&c, 16))
		return 0;
	for (;;) {
		o = &ops[pick((uint32_t)op_count)];
		memset(bytes, 0, sizeof(bytes));
		for (i = 4; i < o->size; i++)
			bytes[i] = (uint8_t)(one_in(3) ? pick(256) : one_in(2) ? pick(4) : 0);
		/* Sleeping for ever is no attack. */
		if (o->cmd == AIF_IOC_WAIT || o->cmd == AIF_IOC_WAIT_QUIET)
			continue;
		memcpy(bytes, &o->size, sizeof(o->size));
		ioctl(c.fd, o->cmd, bytes);
		one_done();
		raw_sleep_ms(1);
	}
	return 0;
}

/* ---- the coordinator ---- */

static bool mock_is_there;	/* an engine that needs maps */
static struct party *holders[SERVICES], *workers[EXECUTORS], *clients[CLIENTS], *attacker;

static struct party *new_holder(uint32_t s)
{
	struct party *p = party_new(0);
	long err = ASK(p, deed_hold, s);

	if (err)
		fail("storm: SERVICE_CREATE returned %s", result_name(err));
	return p;
}

static struct party *new_worker(uint32_t i)
{
	struct party *p = party_new(RAW_EXECUTOR_UID);

	BEGIN(p, deed_execute, rand_r(&chance), i % SERVICES);
	return p;
}

static struct party *new_client(uint32_t i)
{
	struct party *p = party_new(i % 2 ? RAW_CLIENT_UID : RAW_CLIENT_UID + 1000);

	BEGIN(p, deed_use, rand_r(&chance));
	return p;
}

static void trouble(void)
{
	uint32_t i = pick(EXECUTORS), s = pick(SERVICES);

	switch (pick(8)) {
	case 0:
	case 1:
	case 2:
		party_kill(workers[i]);
		workers[i] = new_worker(i);
		break;
	case 3:
		party_stop(workers[i]);
		raw_sleep_ms(pick(500));
		party_signal(workers[i], SIGCONT);
		break;
	case 4:
	case 5:
		i = pick(CLIENTS);
		if (party_is_done(clients[i]))
			break;
		party_kill(clients[i]);
		clients[i] = new_client(i);
		break;
	case 6:
		party_kill(attacker);
		attacker = party_new(RAW_ATTACKER_UID);
		BEGIN(attacker, deed_attack, rand_r(&chance));
		break;
	default:
		if (!one_in(4))
			break;
		party_kill(holders[s]);
		holders[s] = new_holder(s);
	}
}

static bool clients_busy(void)
{
	uint32_t i;

	for (i = 0; i < CLIENTS; i++)
		if (!party_is_done(clients[i]))
			return true;
	return false;
}

static void storm_begin(uint32_t ops)
{
	uint32_t i;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (board == MAP_FAILED || raw_all_gone())
		fail("storm: something is alive already");
	mock_is_there = !system("modprobe aif_mock maps=1 timeout_ms=60000");
	if (!mock_is_there)
		printf("# storm: without aif_mock, which is not here\n");
	fail_status = 1;
	say_op(0);
	say("all at once");
	board->enough = ops;
	for (i = 0; i < SERVICES; i++)
		holders[i] = new_holder(i);
	for (i = 0; i < EXECUTORS; i++)
		workers[i] = new_worker(i);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = new_client(i);
	attacker = party_new(RAW_ATTACKER_UID);
	BEGIN(attacker, deed_attack, rand_r(&chance));
}

static void storm_end(long requests, long answered)
{
	if (!party_kill_all())
		fail("storm: somebody does not die");
	if (raw_all_gone())
		fail("storm: something is left");
	if (mock_is_there && system("rmmod aif_mock"))
		fail("storm: aif_mock cannot be unloaded");
	requests = raw_counter("requests") - requests;
	answered = raw_counter("answered") - answered;
	if (requests != answered)
		fail("storm: %ld requests, %ld answers", requests, answered);
	if (board->wrong)
		fail("storm: %u things, the first: %s", board->wrong, board->text);
	printf("# storm: %u operations, %ld requests, %u of them transfers, %u by aif_mock\n",
	       board->done, requests, board->moved, board->mapped);
}

uint32_t storm(uint64_t seed, uint32_t ops)
{
	long requests = raw_counter("requests"), answered = raw_counter("answered");

	chance = (unsigned int)seed;
	storm_begin(ops);
	while (clients_busy() && !board->wrong) {
		raw_sleep_ms(pick(30));
		trouble();
	}
	storm_end(requests, answered);
	return board->done;
}
