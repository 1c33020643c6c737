// SPDX-License-Identifier: MIT
/*
 * What is pure in libaif: option sizes, where a pointer lies, what a slot may lead
 * to, the bytes of an SQE, the descriptor ring's positions, names and messages.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/io_uring.h>

#include "runtime/lib/lib.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- options ---- */

struct opts {
	size_t size;
	uint64_t a;
	uint64_t b;	/* added later */
};

#define FIRST	offsetof(struct opts, b)

static void test_opts_in_null_is_all_zeros(void **state)
{
	struct opts full = { 1, 2, 3 };

	assert_int_equal(libaif_opts_in(&full, sizeof(full), FIRST, NULL), 0);
	assert_true(!full.size && !full.a && !full.b);
}

static void test_opts_in_sizes(void **state)
{
	struct {
		struct opts opts;
		char surplus[16];
	} given;
	static const struct {
		size_t size;
		int last;	/* of the surplus */
		int want;
	} cases[] = {
		{ 0, 0, -EINVAL },
		{ FIRST - 1, 0, -EINVAL },
		{ FIRST, 0, 0 },
		{ sizeof(struct opts), 0, 0 },
		{ sizeof(struct opts), 1, 0 },		/* not looked at */
		{ sizeof(given), 0, 0 },
		{ sizeof(given), 1, -E2BIG },
		{ sizeof(given) - 1, 1, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct opts full = { 0 };

		memset(&given, 0, sizeof(given));
		given.opts = (struct opts){ cases[i].size, 11, 22 };
		given.surplus[15] = (char)cases[i].last;
		assert_int_equal(libaif_opts_in(&full, sizeof(full), FIRST, &given), cases[i].want);
		if (cases[i].want)
			continue;
		assert_int_equal(full.a, 11);
		assert_int_equal(full.b, cases[i].size == FIRST ? 0 : 22);
	}
}

/* Writes what both know, zeroes what only the caller knows, and no byte beyond. */
static void test_opts_out(void **state)
{
	static const struct opts full = { 99, 11, 22 };
	uint64_t given[5];
	size_t size;

	for (size = FIRST; size <= 4 * sizeof(uint64_t); size += sizeof(uint64_t)) {
		memset(given, 0xff, sizeof(given));
		memcpy(given, &size, sizeof(size));
		assert_int_equal(libaif_opts_out(given, FIRST, &full, sizeof(full)), 0);
		assert_int_equal(given[0], size);
		assert_int_equal(given[1], 11);
		assert_true(given[2] == (size > FIRST ? 22 : ~0ull));
		assert_true(given[3] == (size > sizeof(full) ? 0 : ~0ull));
		assert_true(given[4] == ~0ull);
	}
	size = FIRST - 1;
	memcpy(given, &size, sizeof(size));
	assert_int_equal(libaif_opts_out(given, FIRST, &full, sizeof(full)), -EINVAL);
}

/* ---- where a pointer lies ---- */

#define PAGE	4096u

/* Three buffers with gaps; the second is granted twice, the third read-only. */
static char memory[8 * PAGE];
static struct aif_buffer buffers[] = {
	{ .data = memory, .size = PAGE },
	{ .data = memory + 2 * PAGE, .size = 2 * PAGE },
	{ .data = memory + 6 * PAGE, .size = PAGE },
};
static struct aif_grant grants[] = {
	{ .buffer = &buffers[0], .handle = 10, .writable = true },
	{ .buffer = &buffers[1], .handle = 21, .writable = true },
	{ .buffer = &buffers[1], .handle = 20 },
	{ .buffer = &buffers[2], .handle = 30 },
};
static struct aif_grant *sorted[] = { &grants[0], &grants[1], &grants[2], &grants[3] };

static void test_grant_find(void **state)
{
	const struct aif_service service = { .grants = sorted, .grant_count = ARRAY_SIZE(sorted) };
	static const struct {
		size_t at, length;
		uint32_t grant;		/* 0: nowhere */
		uint32_t offset;
	} cases[] = {
		{ 0, 1, 10, 0 },
		{ 0, PAGE, 10, 0 },
		{ 0, PAGE + 1, 0, 0 },
		{ 1, PAGE, 0, 0 },
		{ PAGE - 1, 1, 10, PAGE - 1 },
		{ PAGE, 1, 0, 0 },
		{ PAGE, SIZE_MAX, 0, 0 },
		{ 2 * PAGE - 1, 2, 0, 0 },
		{ 2 * PAGE, 2 * PAGE, 21, 0 },
		{ 3 * PAGE, PAGE, 21, PAGE },
		{ 3 * PAGE, PAGE + 1, 0, 0 },
		{ 5 * PAGE, 1, 0, 0 },
		{ 6 * PAGE + 64, 64, 30, 64 },
		{ 7 * PAGE, 1, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct iovec v = { memory + cases[i].at, cases[i].length };
		struct aif_range r = { 0 };

		assert_int_equal(libaif_grant_find(&service, &v, i % 2, &r), cases[i].grant != 0);
		if (!cases[i].grant)
			continue;
		assert_int_equal(r.grant, cases[i].grant);
		assert_int_equal(r.offset, cases[i].offset);
		assert_int_equal(r.length, cases[i].length);
	}
}

static void test_grant_find_before_all(void **state)
{
	const struct aif_service service = { .grants = sorted + 1, .grant_count = 3 };
	struct iovec v = { memory, 1 };
	struct aif_range r;

	assert_false(libaif_grant_find(&service, &v, false, &r));
}

static void test_grant_find_nothing(void **state)
{
	const struct aif_service all = { .grants = sorted, .grant_count = ARRAY_SIZE(sorted) };
	const struct aif_service readonly = { .grants = sorted + 3, .grant_count = 1 };
	const struct aif_service none = { 0 };
	struct iovec v = { NULL, 0 };
	struct aif_range r;

	assert_true(libaif_grant_find(&all, &v, true, &r));
	assert_int_equal(r.grant, 10);
	assert_int_equal(r.length, 0);
	assert_true(libaif_grant_find(&readonly, &v, false, &r));
	assert_false(libaif_grant_find(&readonly, &v, true, &r));
	assert_false(libaif_grant_find(&none, &v, false, &r));
}

/* ---- the descriptor ring ---- */

#define RING	8u

static struct aif_desc descs[RING];
static uint8_t taken[RING];
static struct aif_client client = {
	.info = { .depth = RING, .features = AIF_F_URING,
		  .out_arrays = { [AIF_ARRAY_DESC] = { .count = RING } } },
	.descs = descs,
	.taken = taken,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static void requests_init(struct aif_request *r, struct aif_request **list, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		r[i] = (struct aif_request){ .client = &client, .phase = LIBAIF_PREPARED };
		r[i].desc.tag = 100 + i;
		list[i] = &r[i];
	}
	memset(taken, 0, sizeof(taken));
	client.cursor = 0;
}

static int64_t place_again(struct aif_request **list, unsigned int count)
{
	libaif_requests_settle(list, count, 0);
	return libaif_descs_place(list, count);
}

static void test_descs_wrap(void **state)
{
	struct aif_request r[RING], *list[RING];
	unsigned int i;

	requests_init(r, list, RING);
	assert_int_equal(libaif_descs_place(list, 5), 0);
	libaif_descs_release(&client, 0, 5);
	assert_int_equal(place_again(list, 5), 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(descs[(5 + i) % RING].tag, 100 + i);
	assert_int_equal(place_again(list, 4), -EAGAIN);
	assert_int_equal(place_again(list, 3), 2);
	assert_int_equal(place_again(list, 1), -EAGAIN);
	libaif_descs_release(&client, 5, 5);
	libaif_descs_release(&client, 2, 3);
	assert_int_equal(place_again(list, RING), 5);
}

/* A position that a ring's submission holds is gone around. */
static void test_descs_parked(void **state)
{
	struct aif_request r[RING], *list[RING];
	int64_t first;
	unsigned int i;

	requests_init(r, list, RING);
	assert_int_equal(libaif_descs_place(list, 1), 0);
	for (i = 0; i < 3 * RING; i++) {
		first = place_again(list, 3);
		assert_true(first > 0 && first + 3 <= RING);
		libaif_descs_release(&client, (uint32_t)first, 3);
	}
	assert_int_equal(place_again(list, RING), -EAGAIN);
	assert_int_equal(place_again(list, RING - 1), 1);
}

static void test_descs_refused(void **state)
{
	struct aif_request r[RING + 1], *list[RING + 1];
	struct aif_client other = client;

	requests_init(r, list, RING + 1);
	assert_int_equal(libaif_descs_place(list, 0), -EINVAL);
	assert_int_equal(libaif_descs_place(list, RING + 1), -EINVAL);
	r[1].client = &other;
	assert_int_equal(libaif_descs_place(list, 2), -EINVAL);
	assert_int_equal(r[0].phase, LIBAIF_PREPARED);
	list[2] = list[0];
	r[1].client = &client;
	assert_int_equal(libaif_descs_place(list, 3), -EINVAL);
	assert_int_equal(r[0].phase, LIBAIF_PREPARED);
	assert_int_equal(r[1].phase, LIBAIF_PREPARED);
	assert_int_equal(taken[0], 0);
	assert_int_equal(libaif_descs_place(list, 2), 0);
	assert_int_equal(libaif_descs_place(list, 1), -EINVAL);
	assert_int_equal(r[0].phase, LIBAIF_PLACED);
}

/* ---- SQEs ---- */

static struct libaif_file file = { .fd = 42 };

static struct io_uring_sqe dirty(void)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0xff, sizeof(sqe));
	sqe.user_data = 0x1234567890abcdefull;
	return sqe;
}

/* All that is not ours is zero, user_data is untouched. */
static void assert_sqe(const struct io_uring_sqe *sqe, uint32_t op, const void *payload)
{
	struct io_uring_sqe want;

	memset(&want, 0, sizeof(want));
	want.opcode = IORING_OP_URING_CMD;
	want.fd = 42;
	want.cmd_op = op;
	want.user_data = 0x1234567890abcdefull;
	memcpy((char *)&want + 48, payload, 16);
	assert_memory_equal(sqe, &want, sizeof(want));
}

static void test_prep_client(void **state)
{
	struct aif_request r[2], *list[2];
	struct io_uring_sqe sqe;

	client.file = &file;
	requests_init(r, list, 2);
	client.cursor = 3;
	sqe = dirty();
	assert_int_equal(aif_prep_submit(&sqe, list, 2, AIF_SUBMIT_WAIT_FIRST), 0);
	assert_sqe(&sqe, AIF_CMD_SUBMIT, &(struct aif_cmd_submit){
		.flags = AIF_SUBMIT_F_WAIT_FIRST, .first = 3, .count = 2 });
	assert_int_equal(r[0].phase, LIBAIF_PLACED);
	assert_int_equal(taken[3] + taken[4], 2);
	sqe = dirty();
	assert_int_equal(aif_prep_wait(&sqe, &client, 1ull << 40), 0);
	assert_sqe(&sqe, AIF_CMD_WAIT, &(struct aif_cmd_wait){ .value = 1ull << 40 });
	sqe = dirty();
	assert_int_equal(aif_prep_wait_produced(&sqe, &r[1], 77), 0);
	assert_sqe(&sqe, AIF_CMD_WAIT, &(struct aif_cmd_wait){
		.flags = AIF_WAIT_F_PRODUCED, .tag = 101, .value = 77 });
	sqe = dirty();
	assert_int_equal(aif_prep_wait_quiet(&sqe, &r[0]), 0);
	assert_sqe(&sqe, AIF_CMD_WAIT_QUIET, &(struct aif_cmd_wait_quiet){ .tag = 100 });
	r[0].desc.generation = 9;
	sqe = dirty();
	assert_int_equal(aif_prep_cancel(&sqe, &r[0]), 0);
	assert_sqe(&sqe, AIF_CMD_CANCEL, &(struct aif_cmd_cancel){ .tag = 100, .generation = 9 });
}

static void test_prep_submit_refused(void **state)
{
	struct aif_request r[2], *list[2];
	struct io_uring_sqe sqe;

	requests_init(r, list, 2);
	assert_int_equal(aif_prep_submit(&sqe, list, 0, 0), -EINVAL);
	assert_int_equal(aif_prep_submit(&sqe, list, 2, 4), -EINVAL);
	assert_int_equal(aif_prep_submit(&sqe, list, 2,
					 AIF_SUBMIT_WAIT_ALL | AIF_SUBMIT_WAIT_FIRST), -EINVAL);
	assert_int_equal(taken[0], 0);
}

/* Results of a submission that came through a ring. */
static void test_submitted(void **state)
{
	struct aif_completion done[128] = { 0 };
	struct aif_request r[3], *list[3];
	struct io_uring_sqe sqe;
	static const struct {
		int res;
		unsigned int taken;
	} cases[] = { { 3, 3 }, { 2, 2 }, { -EINVAL, 0 }, { 99, 3 } };
	unsigned int i, j;

	client.completions = done;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		requests_init(r, list, 3);
		assert_int_equal(aif_prep_submit(&sqe, list, 3, 0), 0);
		aif_request_submitted(list, 3, cases[i].res);
		for (j = 0; j < 3; j++)
			assert_int_equal(r[j].phase, j < cases[i].taken ? LIBAIF_SUBMITTED :
									 LIBAIF_PREPARED);
		assert_int_equal(taken[0] + taken[1] + taken[2], 0);
	}
	/* Cancelled while it waited: the completions know what was taken. */
	requests_init(r, list, 3);
	r[0].desc.generation = 5;
	r[1].desc.generation = 5;
	done[100] = (struct aif_completion){ .generation = 5, .state = AIF_STATE_QUEUED };
	done[101] = (struct aif_completion){ .generation = 4, .state = AIF_STATE_DONE };
	assert_int_equal(aif_prep_submit(&sqe, list, 3, AIF_SUBMIT_WAIT_ALL), 0);
	aif_request_submitted(list, 3, -ECANCELED);
	assert_int_equal(r[0].phase, LIBAIF_SUBMITTED);
	assert_int_equal(r[1].phase, LIBAIF_PREPARED);
	assert_int_equal(r[2].phase, LIBAIF_PREPARED);
}

/* ---- executors ---- */

static struct aif_commit commit_ring[8];
static struct aif_slot slots[4];
static struct aif_service_info info = { .input_count = 1, .output_count = 2 };
static struct libaif_mapping mapping = {
	.pub = { .grant = 7, .data = memory, .length = PAGE, .writable = true },
};
static struct libaif_mapping broken = { .pub = { .grant = 9, .length = PAGE }, .error = -ENOMEM };
static struct libaif_mapping *mappings[] = { &mapping, &broken };

static struct aif_executor executor_of(struct libaif_job *jobs)
{
	struct aif_executor e = {
		.file = &file, .service = &info, .slots = slots, .ring = commit_ring, .jobs = jobs,
		.slot_count = 4, .mappings = mappings, .mapping_count = 2,
		.info = { .features = AIF_F_URING,
			  .out_arrays = { [AIF_ARRAY_COMMIT] = { .count = 8 } } },
	};

	return e;
}

/* A slot leads nowhere but into a mapping, whatever it says. */
static void test_job_fill(void **state)
{
	static const struct {
		struct aif_range in, out;
		uint8_t count, inline_length;
		int want;
	} cases[] = {
		{ { 7, 0, 10 }, { 7, 64, 64 }, 2, 0, 0 },
		{ { 7, PAGE, 0 }, { 7, 0, PAGE }, 2, 0, 0 },
		{ { 7, PAGE + 1, 0 }, { 7, 0, 8 }, 2, 0, -EFAULT },
		{ { 7, 0, PAGE + 1 }, { 7, 0, 8 }, 2, 0, -EFAULT },
		{ { 7, 8, PAGE - 7 }, { 7, 0, 8 }, 2, 0, -EFAULT },
		{ { 7, 0xffffffff, 2 }, { 7, 0, 8 }, 2, 0, -EFAULT },
		{ { 8, 0, 8 }, { 7, 0, 8 }, 2, 0, -ENOMEM },
		{ { 7, 0, 8 }, { 9, 0, 8 }, 2, 0, -ENOMEM },
		{ { 7, 0, 8 }, { 7, 0, 8 }, 3, 4, -EFAULT },
	};
	struct libaif_job jobs[4];
	struct aif_executor e = executor_of(jobs);
	struct aif_delivery d = { .index = 2, .generation = 5 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		jobs[2] = (struct libaif_job){ .executor = &e };
		mapping.jobs = 0;
		slots[2] = (struct aif_slot){
			.range_count = cases[i].count, .inline_length = cases[i].inline_length,
			.sched_class = AIF_CLASS_IDLE, .ranges = { cases[i].in, cases[i].out },
		};
		assert_int_equal(libaif_job_fill(&jobs[2], &d), cases[i].want);
		assert_int_equal(jobs[2].held, !cases[i].want);
		assert_int_equal(mapping.jobs, cases[i].want ? 0 : 2);
		if (cases[i].want)
			continue;
		assert_ptr_equal(jobs[2].pub.in[0].data, memory + cases[i].in.offset);
		assert_int_equal(jobs[2].pub.in[0].length, cases[i].in.length);
		assert_ptr_equal(jobs[2].pub.out[0].data, memory + cases[i].out.offset);
		assert_int_equal(jobs[2].pub.out[1].length, 0);
		assert_int_equal(jobs[2].pub.sched_class, AIF_REQUEST_IDLE);
	}
}

static void test_job_fill_inline(void **state)
{
	struct libaif_job jobs[4];
	struct aif_executor e = executor_of(jobs);
	struct aif_delivery d = { .index = 0, .generation = 1 };

	jobs[0] = (struct libaif_job){ .executor = &e };
	slots[0] = (struct aif_slot){
		.range_count = 1, .inline_length = 3, .range = { 7, 64, 8 }, .input = "abc",
	};
	assert_int_equal(libaif_job_fill(&jobs[0], &d), 0);
	assert_ptr_equal(jobs[0].pub.in[0].data, slots[0].input);
	assert_int_equal(jobs[0].pub.in[0].length, 3);
	assert_null(jobs[0].pub.in[0].mapping);
	assert_ptr_equal(jobs[0].pub.out[0].data, memory + 64);
}

/* Answers queue behind what a parked turn carries away, and wrap. */
static void test_turn_in_a_ring(void **state)
{
	struct libaif_job jobs[4] = { 0 };
	struct aif_executor e = executor_of(jobs);
	struct io_uring_sqe sqe;
	int i;

	e.commit_first = 6;
	e.held = 4;
	mapping.jobs = 0;
	for (i = 0; i < 4; i++)
		jobs[i] = (struct libaif_job){
			.executor = &e, .slot = (uint32_t)i, .generation = 9, .held = true,
		};
	for (i = 0; i < 3; i++)
		aif_job_answer(&jobs[i].pub, i, 0, 0);
	aif_job_answer(&jobs[0].pub, 99, 0, 0);		/* answered already: nothing */
	sqe = dirty();
	assert_int_equal(aif_prep_turn(&sqe, &e, 2, AIF_TURN_NONBLOCK), 0);
	assert_sqe(&sqe, AIF_CMD_COMMIT_FETCH, &(struct aif_cmd_commit_fetch){
		.flags = AIF_FETCH_F_NONBLOCK, .commit_first = 6, .commit_count = 3, .credit = 2 });
	aif_job_answer(&jobs[3].pub, 3, 0, 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(commit_ring[(6 + i) % 8].index, i);
		assert_int_equal(commit_ring[(6 + i) % 8].result, i);
		assert_int_equal(commit_ring[(6 + i) % 8].generation, 9);
	}
	assert_int_equal(aif_executor_turned(&e, NULL, 2, -EAGAIN), -EAGAIN);
	assert_int_equal(aif_prep_turn(&sqe, &e, 5, 0), -EINVAL);
	assert_int_equal(aif_prep_turn(&sqe, &e, 1, 2), -EINVAL);
	sqe = dirty();
	assert_int_equal(aif_prep_progress(&sqe, &jobs[1].pub, 10, 20), 0);
	assert_sqe(&sqe, AIF_CMD_PROGRESS, &(struct aif_cmd_progress){
		.slot = 1, .generation = 9, .produced = 10, .device_us = 20 });
}

/* ---- names and messages ---- */

static void test_elements(void **state)
{
	assert_int_equal(aif_element_size(AIF_ELEMENT_U8), 1);
	assert_int_equal(aif_element_size(AIF_ELEMENT_BF16), 2);
	assert_int_equal(aif_element_size(AIF_ELEMENT_F64), 8);
	assert_int_equal(aif_element_size((enum aif_element)0), 0);
	assert_int_equal(aif_element_size((enum aif_element)9), 0);
	assert_int_equal(aif_element_size((enum aif_element)-1), 0);
	assert_string_equal(aif_element_name(AIF_ELEMENT_I32), "i32");
	assert_null(aif_element_name((enum aif_element)0));
	assert_null(aif_element_name((enum aif_element)9));
}

static void test_io_there_and_back(void **state)
{
	static const struct aif_service_io io = {
		.name = "a-name-of-thirty-one-characters", .kind = AIF_KIND_TENSOR,
		.element = AIF_ELEMENT_F16, .output = true, .optional = true, .dims = 2,
		.shape = { -1, 384 }, .alignment = 128, .max_bytes = 4096,
	};
	struct aif_service_io back, bad = io;
	struct aif_io abi;

	assert_int_equal(libaif_io_to_abi(&abi, &io), 0);
	assert_int_equal(abi.flags, AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL);
	assert_int_equal(abi.dtype, AIF_DTYPE_F16);
	libaif_io_from_abi(&back, &abi);
	assert_string_equal(back.name, io.name);
	assert_true(back.output && back.optional);
	assert_int_equal(back.shape[1], 384);
	assert_int_equal(back.element, io.element);
	assert_int_equal(back.max_bytes, io.max_bytes);
	bad.reserved = 1;
	assert_int_equal(libaif_io_to_abi(&abi, &bad), -EINVAL);
}

static void test_info_value(void **state)
{
	static const struct {
		const char *text, *key, *want;
	} cases[] = {
		{ "", "a", NULL },
		{ "a=1", "a", "1" },
		{ "a=1\n", "a", "1" },
		{ "a=\nb=2", "a", "" },
		{ "a=\nb=2", "b", "2" },
		{ "ab=1\na=2\na=3", "a", "2" },
		{ "a", "a", NULL },
		{ "x=a=1\n", "a", NULL },
		{ "x=a=1\n", "x", "a=1" },
		{ "\n\na=1", "a", "1" },
	};
	struct aif_service_info service;
	const char *value;
	size_t length;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		service.text = cases[i].text;
		value = aif_service_info_value(&service, cases[i].key, &length);
		if (!cases[i].want) {
			assert_null(value);
			continue;
		}
		assert_non_null(value);
		assert_int_equal(length, strlen(cases[i].want));
		assert_memory_equal(value, cases[i].want, length);
	}
}

/* Which tenant "local:N" is. */
static void test_local_names(void **state)
{
	static const struct {
		const char *device;
		uint64_t tenant;
		bool there;
	} cases[] = {
		{ "local", 0, true },
		{ "local:0", 0, true },
		{ "local:7", 7, true },
		{ "local:18446744073709551615", UINT64_MAX, true },
		{ "local:18446744073709551616" },
		{ "local:" },
		{ "local:-1" },
		{ "local: 7" },
		{ "local:7x" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aif_client_opts opts = { .size = sizeof(opts), .device = cases[i].device };
		struct aif_client_info got = { .size = sizeof(got) };
		struct aif_client *c = aif_client_open(&opts);

		assert_int_equal(c != NULL, cases[i].there);
		if (!c) {
			assert_int_equal(errno, ENOENT);
			continue;
		}
		assert_int_equal(aif_client_info(c, &got), 0);
		assert_true(got.tenant == cases[i].tenant);
		aif_client_close(c);
	}
}

/* What libc would say of these is about files and programs. */
static void test_error_text_of_our_own(void **state)
{
	static const int errors[] = {
		E2BIG, EACCES, EAGAIN, EBADF, EBUSY, EEXIST, EFAULT, EINVAL, EIO, ENODEV, ENOENT,
		ENOSPC, ENOTTY, ENXIO, EPERM, ETIME,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		assert_string_not_equal(aif_error_text(-errors[i]), strerrordesc_np(errors[i]));
}

/* A budget is set by its own call, and by none where there are no tenants. */
static void test_tenant_refused(void **state)
{
	static const struct aif_tenant_values weight = { .weight = 7 }, none = { 0 };
	static const struct aif_tenant_realtime_budget budget = { 1000, 100, "cpu" };
	struct aif_client_opts opts = { .size = sizeof(opts), .device = "local" };
	struct aif_client *c = aif_client_open(&opts);
	struct aif_tenant_info info;

	assert_non_null(c);
	assert_int_equal(aif_tenant_set(c, 1, AIF_TENANT_REALTIME, &none), -EINVAL);
	assert_int_equal(aif_tenant_set(c, 1, AIF_TENANT_REALTIME | AIF_TENANT_WEIGHT, &weight),
			 -EINVAL);
	assert_int_equal(aif_tenant_set(c, 1, AIF_TENANT_WEIGHT, &weight), -EOPNOTSUPP);
	assert_int_equal(aif_tenant_set_realtime(c, 1, &budget), -EOPNOTSUPP);
	assert_int_equal(aif_tenant_set_realtime(c, 1, NULL), -EOPNOTSUPP);
	assert_int_equal(aif_tenant_list(c, &info, 1), -EOPNOTSUPP);
	aif_client_close(c);
}

static void test_error_text(void **state)
{
	assert_string_equal(aif_error_text(-EIO), aif_error_text(EIO));
	assert_non_null(strstr(aif_error_text(-EKEYREVOKED), "revoked"));
	assert_string_equal(aif_error_text(-EMFILE), "Too many open files");	/* libc's */
	assert_string_equal(aif_error_text(123456), "unknown error");
	assert_string_equal(aif_error_text(INT32_MIN), "unknown error");
}

static void test_version(void **state)
{
	assert_string_equal(aif_version(), AIF_VERSION);
}

static char last_message[512];
static unsigned int message_count;

static void keep_message(void *ctx, enum aif_log_level level, const char *message)
{
	assert_ptr_equal(ctx, last_message);
	strcpy(last_message, message);
	message_count++;
}

static void test_log_level(void **state)
{
	assert_int_equal(libaif_log_level("error"), AIF_LOG_ERROR);
	assert_int_equal(libaif_log_level("debug"), AIF_LOG_DEBUG);
	assert_int_equal(libaif_log_level(NULL), AIF_LOG_WARN);
	assert_int_equal(libaif_log_level("loud"), AIF_LOG_WARN);
	libaif_log(AIF_LOG_ERROR, "to nobody");
	setenv("AIF_LOG_LEVEL", "info", 1);
	aif_log_set(keep_message, last_message);
	libaif_log(AIF_LOG_DEBUG, "not this");
	assert_int_equal(message_count, 0);
	libaif_log(AIF_LOG_INFO, "%s %d", "this", 1);
	assert_string_equal(last_message, "this 1");
	libaif_log(AIF_LOG_ERROR, "%0500d", 0);		/* cut, not overrun */
	assert_true(strlen(last_message) < 300);
	aif_log_set(NULL, NULL);
	libaif_log(AIF_LOG_ERROR, "not this either");
	assert_int_equal(message_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opts_in_null_is_all_zeros),
		cmocka_unit_test(test_opts_in_sizes),
		cmocka_unit_test(test_opts_out),
		cmocka_unit_test(test_grant_find),
		cmocka_unit_test(test_grant_find_before_all),
		cmocka_unit_test(test_grant_find_nothing),
		cmocka_unit_test(test_descs_wrap),
		cmocka_unit_test(test_descs_parked),
		cmocka_unit_test(test_descs_refused),
		cmocka_unit_test(test_prep_client),
		cmocka_unit_test(test_prep_submit_refused),
		cmocka_unit_test(test_submitted),
		cmocka_unit_test(test_job_fill),
		cmocka_unit_test(test_job_fill_inline),
		cmocka_unit_test(test_turn_in_a_ring),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_io_there_and_back),
		cmocka_unit_test(test_info_value),
		cmocka_unit_test(test_local_names),
		cmocka_unit_test(test_tenant_refused),
		cmocka_unit_test(test_error_text),
		cmocka_unit_test(test_error_text_of_our_own),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_log_level),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("libaif", tests, NULL, NULL);
}
