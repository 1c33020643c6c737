// SPDX-License-Identifier: MIT
/*
 * Transfers: the bytes arrive, all of them and no others, by either door; what
 * the pinner does to its mapping, or whoever dies, changes nothing but its own.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PAGE		4096u
#define CHUNK		(256u << 10)	/* what the engine is not interrupted in */
#define BYTES		(3 * CHUNK + 2 * PAGE)
#define SECOND		1000000000ll

static struct raw_client client;
static struct raw_buffer buffer;	/* BYTES */
static uint8_t *memory;			/* BYTES, page-aligned */
static int pinned;			/* its handle */

static void client_open(struct raw_client *c)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);

	assert_int_equal(raw_client_init(c, fd, 64, AIF_F_TRANSFER | AIF_F_URING), 0);
	assert_true(c->features & AIF_F_TRANSFER);
}

static uint8_t *memory_map(size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static struct aif_range in_buffer(uint32_t offset, uint32_t length)
{
	return (struct aif_range){ buffer.handle, offset, length };
}

static struct aif_range in_memory(uint32_t offset, uint32_t length)
{
	return (struct aif_range){ (uint32_t)pinned, offset, length };
}

static int group_setup(void **state)
{
	client_open(&client);
	assert_int_equal(raw_buffer_alloc(&client, BYTES, &buffer), 0);
	memory = memory_map(BYTES);
	raw_scribble(memory, BYTES, 1);
	pinned = raw_pin(&client, memory, BYTES, AIF_PIN_F_WRITE);
	return pinned > 0 ? 0 : -1;
}

static int group_teardown(void **state)
{
	raw_buffer_free(&client, &buffer);
	raw_client_close(&client);
	munmap(memory, BYTES);
	return 0;
}

/* ---- the bytes ---- */

static void test_pin_to_alloc(void **state)
{
	struct aif_desc d = raw_copy_desc(&client, 0, in_memory(0, BYTES), in_buffer(0, BYTES));
	const struct aif_completion *done = &client.done[0];

	assert_int_equal(raw_transfer(&client, d), 0);
	assert_memory_equal(buffer.base, memory, BYTES);
	assert_int_equal(done->state, AIF_STATE_DONE);
	assert_int_equal(done->produced, BYTES);
	assert_int_equal(done->attempt, 1);
	assert_true(done->submitted_ns <= done->fetched_ns);
	assert_true(done->fetched_ns < done->answered_ns && done->device_ns);
}

static void test_alloc_to_pin(void **state)
{
	raw_scribble(buffer.base, BYTES, 2);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_buffer(0, BYTES),
							     in_memory(0, BYTES))), 0);
	assert_memory_equal(buffer.base, memory, BYTES);
}

static void test_by_ring(void **state)
{
	struct aif_cmd_submit cmd = { .count = 1, .flags = AIF_SUBMIT_F_WAIT_ALL };
	struct io_uring ring;

	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
	raw_scribble(memory, BYTES, 3);
	cmd.first = client.position++;
	client.desc[cmd.first % client.depth] =
		raw_copy_desc(&client, 1, in_memory(0, BYTES), in_buffer(0, BYTES));
	assert_int_equal(raw_ring_call(&ring, client.fd, AIF_CMD_SUBMIT, &cmd), 1);
	assert_int_equal(client.done[1].result, 0);
	assert_memory_equal(buffer.base, memory, BYTES);
	io_uring_queue_exit(&ring);
}

static const uint32_t places[] = { 0, 1, 7, 63, PAGE - 1, PAGE, CHUNK - 1, CHUNK + 9 };
static const uint32_t lengths[] = {
	1, 2, 3, 8, 63, 64, 65, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 1, CHUNK - 1, CHUNK, CHUNK + 1,
	2 * CHUNK - PAGE + 13,
};

static void copy_one(uint32_t from, uint32_t to, uint32_t n)
{
	memset(buffer.base, 0xee, BYTES);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_memory(from, n),
							     in_buffer(to, n))), 0);
	assert_true(raw_filled(buffer.base, to, 0xee));
	assert_memory_equal(buffer.base + to, memory + from, n);
	assert_true(raw_filled(buffer.base + to + n, BYTES - to - n, 0xee));
}

/* Each alignment of both ends, each length around a page and a chunk. */
static void test_copy_edges(void **state)
{
	size_t from, to, n;

	raw_scribble(memory, BYTES, 4);
	for (from = 0; from < COUNT(places); from++)
		for (to = 0; to < COUNT(places); to++)
			for (n = 0; n < COUNT(lengths); n += from == to ? 1 : 4)
				copy_one(places[from], places[to], lengths[n]);
	copy_one(0, BYTES - 1, 1);
	copy_one(BYTES - 1, 0, 1);
	copy_one(0, 0, BYTES);
}

/* Memory that begins and ends inside a page. */
static void test_pin_unaligned(void **state)
{
	static const struct { uint32_t at, n; } rows[] = {
		{ 1, 1 }, { PAGE - 1, 1 }, { PAGE - 1, 2 }, { 17, 3 * PAGE }, { 4095, 4098 },
	};
	size_t i;
	int h;

	raw_scribble(memory, BYTES, 5);
	for (i = 0; i < COUNT(rows); i++) {
		h = raw_pin(&client, memory + rows[i].at, rows[i].n, 0);
		assert_true(h > 0);
		memset(buffer.base, 0, BYTES);
		assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
			(struct aif_range){ (uint32_t)h, 0, rows[i].n },
			in_buffer(3, rows[i].n))), 0);
		assert_memory_equal(buffer.base + 3, memory + rows[i].at, rows[i].n);
		assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
			(struct aif_range){ (uint32_t)h, 0, rows[i].n + 1 },
			in_buffer(0, rows[i].n + 1))), -EINVAL);
		assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	}
}

/* Inside one buffer; the two may touch. */
static void test_copy_within(void **state)
{
	raw_scribble(buffer.base, BYTES, 6);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_buffer(5, 5000),
							     in_buffer(5005, 5000))), 0);
	assert_memory_equal(buffer.base + 5, buffer.base + 5005, 5000);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_buffer(5, 5000),
							     in_buffer(5004, 5000))), -EINVAL);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_buffer(5, 5000),
							     in_buffer(5, 5000))), -EINVAL);
}

static void fill_one(uint8_t period, uint32_t to, uint32_t n)
{
	uint8_t pattern[AIF_INLINE_MAX];
	uint32_t i;

	raw_scribble(pattern, sizeof(pattern), period);
	memset(buffer.base, 0xee, BYTES);
	assert_int_equal(raw_transfer(&client, raw_fill_desc(&client, 0, pattern, period,
							     in_buffer(to, n))), 0);
	assert_true(raw_filled(buffer.base, to, 0xee));
	for (i = 0; i < n; i++)
		if (buffer.base[to + i] != pattern[i % period])
			fail_msg("period %u at %u: byte %u of %u", period, to, i, n);
	assert_true(raw_filled(buffer.base + to + n, BYTES - to - n, 0xee));
}

static void test_fill_edges(void **state)
{
	uint8_t period;
	size_t i;

	for (period = 1; period <= AIF_INLINE_MAX; period++) {
		for (i = 0; i < COUNT(places); i++)
			fill_one(period, places[i], lengths[(period + i) % COUNT(lengths)]);
		fill_one(period, 0, period);
	}
	fill_one(24, 0, BYTES);
}

/* ---- refusals ---- */

static void refuse(struct aif_desc d, int err)
{
	assert_int_equal(raw_submit(&client, &d, 1, 0), err);
}

static void test_refused(void **state)
{
	struct aif_desc good = raw_copy_desc(&client, 0, in_memory(0, 8), in_buffer(0, 8)), d;
	struct aif_desc fill = raw_fill_desc(&client, 0, "x", 1, in_buffer(0, 8));
	struct raw_client plain;
	int source = raw_pin(&client, memory, PAGE, 0);

#define BAD(field, value, err) do { d = good; d.field = value; refuse(d, err); } while (0)
	BAD(service, 1, -EOPNOTSUPP);
	BAD(flags, AIF_REQ_F_TRANSFER | AIF_REQ_F_RESTART, -EINVAL);
	BAD(range_count, 1, -EINVAL);
	BAD(range_count, 3, -EINVAL);
	BAD(ranges[0].length, 7, -EINVAL);
	BAD(ranges[1].length, 0, -EINVAL);
	BAD(ranges[2].length, 1, -EINVAL);
	BAD(ranges[0].offset, BYTES - 7, -EINVAL);
	BAD(ranges[1].offset, BYTES - 7, -EINVAL);
	BAD(ranges[1].offset, UINT32_MAX, -EINVAL);
	BAD(ranges[0].grant, 0x12345, -ENOENT);
	BAD(ranges[1].grant, 0x12345, -ENOENT);
	BAD(ranges[1].grant, (uint32_t)source, -EACCES);
	BAD(sched_class, AIF_CLASS_REALTIME, -EOPNOTSUPP);
	BAD(in_fence, 1, -EOPNOTSUPP);
	BAD(deadline, 1, -ETIME);
	BAD(tag, client.depth, -EINVAL);
	good = fill;
	BAD(range.length, 0, -EINVAL);
	BAD(inline_length, 0, -EINVAL);
	BAD(inline_length, 25, -EINVAL);
	BAD(range.grant, (uint32_t)source, -EACCES);
	BAD(input[1], 1, -EINVAL);
#undef BAD
	assert_int_equal(raw_unpin(&client, (uint32_t)source), 0);
	assert_int_equal(raw_transfer(&client, fill), 0);

	assert_int_equal(raw_client_open(&plain, 16), 0);
	d = raw_copy_desc(&plain, 0, in_buffer(0, 8), in_buffer(8, 8));
	assert_int_equal(raw_submit(&plain, &d, 1, 0), -EOPNOTSUPP);
	raw_client_close(&plain);
}

static void test_pin_refused(void **state)
{
	uint8_t *two = memory_map(2 * PAGE);

	assert_int_equal(munmap(two + PAGE, PAGE), 0);
	assert_int_equal(raw_pin(&client, two, PAGE + 1, 0), -EFAULT);
	assert_int_equal(raw_pin(&client, two + PAGE, 1, 0), -EFAULT);
	assert_int_equal(raw_pin(&client, NULL, 1, 0), -EFAULT);
	assert_int_equal(raw_pin(&client, (void *)0xffffffff81000000, 1, 0), -EFAULT);
	assert_int_equal(raw_pin(&client, (void *)-2, 4, 0), -EFAULT);
	assert_int_equal(raw_pin(&client, two, 0, 0), -EINVAL);
	assert_int_equal(raw_pin(&client, two, SIZE_MAX, 0), -EINVAL);
	assert_int_equal(raw_pin(&client, two, 1, 2), -EINVAL);
	assert_int_equal(mprotect(two, PAGE, PROT_READ), 0);
	assert_int_equal(raw_pin(&client, two, 1, AIF_PIN_F_WRITE), -EFAULT);
	assert_int_equal(munmap(two, PAGE), 0);
}

/* A pinned buffer is neither mapped nor granted, and nobody declares its pins. */
static void test_pin_is_for_transfers(void **state)
{
	struct aif_ioc_declare_pins declare = {
		.size = sizeof(declare), .handle = (uint32_t)pinned, .pins = 1,
	};

	assert_true(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, client.fd, (off_t)pinned << 32) ==
		    MAP_FAILED);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(raw_call(client.fd, AIF_IOC_DECLARE_PINS, &declare), -EINVAL);
}

/* ---- the mapping and the pages ---- */

/* The pages that were pinned are copied, whatever is mapped there later. */
static void test_munmap(void **state)
{
	uint8_t *p = memory_map(8 * PAGE), *again;
	int h;

	raw_scribble(p, 8 * PAGE, 7);
	h = raw_pin(&client, p, 8 * PAGE, AIF_PIN_F_WRITE);
	assert_true(h > 0);
	memcpy(memory, p, 8 * PAGE);
	assert_int_equal(munmap(p, 8 * PAGE), 0);
	again = mmap(p, 8 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	assert_ptr_equal(again, p);
	memset(again, 0x55, 8 * PAGE);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
		(struct aif_range){ (uint32_t)h, 0, 8 * PAGE }, in_buffer(0, 8 * PAGE))), 0);
	assert_memory_equal(buffer.base, memory, 8 * PAGE);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, in_buffer(9, 8 * PAGE),
		(struct aif_range){ (uint32_t)h, 0, 8 * PAGE })), 0);
	assert_true(raw_filled(again, 8 * PAGE, 0x55));
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	munmap(again, 8 * PAGE);
}

/* A child's copy is its own: what is pinned stays the parent's. */
static void test_fork(void **state)
{
	uint8_t *p = memory_map(2 * PAGE);
	pid_t child;
	int h;

	memset(p, 1, 2 * PAGE);
	h = raw_pin(&client, p, 2 * PAGE, AIF_PIN_F_WRITE);
	child = fork();
	if (!child) {
		memset(p, 3, 2 * PAGE);
		_exit(raw_filled(p, 2 * PAGE, 3) ? 0 : 1);
	}
	assert_int_equal(raw_reap(child), 0);
	memset(p, 2, 2 * PAGE);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
		(struct aif_range){ (uint32_t)h, 0, 2 * PAGE }, in_buffer(0, 2 * PAGE))), 0);
	assert_true(raw_filled(buffer.base, 2 * PAGE, 2));
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	munmap(p, 2 * PAGE);
}

/*
 * Pinned to be read before anybody touched it: what the process then writes is read,
 * not the page of zeros, or of the file, that the memory was until then.
 */
static void test_untouched(void **state)
{
	int memfd = memfd_create("untouched", MFD_CLOEXEC);
	uint8_t *p[2] = { memory_map(2 * PAGE) };
	volatile uint8_t seen;
	size_t i;
	int h;

	assert_int_equal(ftruncate(memfd, 2 * PAGE), 0);
	p[1] = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd, 0);
	assert_true(p[1] != MAP_FAILED);
	for (i = 0; i < COUNT(p); i++) {
		seen = p[i][PAGE];	/* the second page is mapped, and shared */
		assert_int_equal(seen, 0);
		h = raw_pin(&client, p[i], 2 * PAGE, 0);
		assert_true(h > 0);
		memset(p[i], 0x5a, 2 * PAGE);
		memset(buffer.base, 0, 2 * PAGE);
		assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
			(struct aif_range){ (uint32_t)h, 0, 2 * PAGE }, in_buffer(0, 2 * PAGE))), 0);
		assert_true(raw_filled(buffer.base, 2 * PAGE, 0x5a));
		assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
		munmap(p[i], 2 * PAGE);
	}
	close(memfd);
}

/* A mapping of a buffer, or of an array, is no memory for another buffer. */
static void test_own_mapping(void **state)
{
	assert_int_equal(raw_pin(&client, buffer.base, PAGE, 0), -EEXIST);
	assert_int_equal(raw_pin(&client, buffer.base + PAGE, BYTES - PAGE, AIF_PIN_F_WRITE),
			 -EEXIST);
	assert_int_equal(raw_pin(&client, client.desc, 1, AIF_PIN_F_WRITE), -EEXIST);
	assert_int_equal(raw_pin(&client, (void *)client.done, 1, 0), -EEXIST);
	assert_int_equal(raw_alive("pinned_bytes"), BYTES);	/* the fixture's */
}

/* ---- what is under way ---- */

#define LONG_BYTES	(24u << 20)

/* So much that the engine is busy with it for a while: handles of two buffers. */
static void long_buffers(struct raw_client *c, struct raw_buffer *from, struct raw_buffer *to)
{
	assert_int_equal(raw_buffer_alloc(c, LONG_BYTES, from), 0);
	assert_int_equal(raw_buffer_alloc(c, LONG_BYTES, to), 0);
	memset(from->base, 0x11, LONG_BYTES);
}

static void long_begin(struct raw_client *c, struct raw_buffer *from, struct raw_buffer *to)
{
	client_open(c);
	long_buffers(c, from, to);
}

static void long_end(struct raw_client *c, struct raw_buffer *from, struct raw_buffer *to)
{
	raw_client_close(c);
	munmap(from->base, LONG_BYTES);
	munmap(to->base, LONG_BYTES);
}

static struct aif_desc long_copy(struct raw_client *c, uint32_t tag, struct raw_buffer *from,
				 struct raw_buffer *to)
{
	return raw_copy_desc(c, tag, (struct aif_range){ from->handle, 0, LONG_BYTES },
			     (struct aif_range){ to->handle, 0, LONG_BYTES });
}

/* What is said to be there is there. */
static void test_progress(void **state)
{
	const struct aif_completion *done;
	struct raw_buffer from, to;
	struct raw_client c;
	struct aif_desc d;
	uint32_t seen = 0;

	long_begin(&c, &from, &to);
	done = &c.done[3];
	d = long_copy(&c, 3, &from, &to);
	assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	while (seen < LONG_BYTES) {
		assert_int_equal(raw_wait_produced(&c, 3, seen, 60 * SECOND), 0);
		assert_true(__atomic_load_n(&done->produced, __ATOMIC_ACQUIRE) > seen);
		seen = __atomic_load_n(&done->produced, __ATOMIC_ACQUIRE);
		assert_int_equal(to.base[seen - 1], 0x11);
		assert_true(seen % CHUNK == 0);
	}
	assert_int_equal(raw_wait_quiet(&c, 3, 60 * SECOND), 0);
	assert_int_equal(done->result, 0);
	assert_true(raw_filled(to.base, LONG_BYTES, 0x11));
	long_end(&c, &from, &to);
}

/* Answered at once; quiet, no byte is written any more. */
static void test_cancel(void **state)
{
	struct raw_buffer from, to;
	struct raw_client c;
	struct aif_desc d;
	uint32_t produced;

	long_begin(&c, &from, &to);
	d = long_copy(&c, 0, &from, &to);
	assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	assert_int_equal(raw_wait_produced(&c, 0, 0, 60 * SECOND), 0);
	assert_int_equal(raw_cancel(&c, 0, d.generation), 0);
	assert_true(raw_answered(&c, 0, d.generation));
	assert_int_equal(c.done[0].result, -ECANCELED);
	assert_int_equal(raw_wait_quiet(&c, 0, 60 * SECOND), 0);
	assert_int_equal(c.done[0].state, AIF_STATE_DONE);
	produced = c.done[0].produced;
	assert_true(produced >= CHUNK && produced < LONG_BYTES);
	assert_true(raw_filled(to.base, produced, 0x11));
	memset(to.base, 0x22, LONG_BYTES);
	raw_sleep_ms(20);
	assert_true(raw_filled(to.base, LONG_BYTES, 0x22));
	assert_int_equal(raw_cancel(&c, 0, d.generation), -ENOENT);
	assert_int_equal(raw_transfer(&c, long_copy(&c, 0, &from, &to)), 0);
	long_end(&c, &from, &to);
}

/* What waits behind long work is answered when its time is over, and not begun. */
static void test_deadline(void **state)
{
	struct raw_buffer from, to;
	struct raw_client c;
	uint64_t soon = 5000000;
	struct aif_desc d;
	uint32_t tag;
	int n;

	long_begin(&c, &from, &to);
	for (tag = 0; tag < 8; tag++) {
		d = long_copy(&c, tag, &from, &to);
		assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	}
	do {	/* a slow machine may need longer to submit it than it has */
		d = long_copy(&c, 8, &from, &to);
		d.sched_class = AIF_CLASS_IDLE;
		d.deadline = raw_now() + soon;
		soon *= 2;
		n = raw_submit(&c, &d, 1, 0);
	} while (n == -ETIME);
	assert_int_equal(n, 1);
	assert_int_equal(raw_wait(&c, 1, 60 * SECOND), 0);
	while (!raw_answered(&c, 8, d.generation))
		sched_yield();
	assert_int_equal(c.done[8].result, -ETIME);
	assert_int_equal(c.done[8].attempt, 0);
	assert_int_equal(raw_cancel(&c, AIF_TAG_ALL, 0), 0);
	assert_int_equal(raw_wait_quiet(&c, AIF_TAG_ALL, 60 * SECOND), 0);
	long_end(&c, &from, &to);
}

/* The earlier deadline goes first, although what it passes has begun. */
static void test_preempted_at_a_chunk(void **state)
{
	struct raw_buffer from, to;
	struct raw_client c;
	struct aif_desc d, urgent;

	long_begin(&c, &from, &to);
	d = long_copy(&c, 0, &from, &to);
	assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	assert_int_equal(raw_wait_produced(&c, 0, 0, 60 * SECOND), 0);
	urgent = raw_fill_desc(&c, 1, "u", 1, (struct aif_range){ to.handle, 0, CHUNK });
	urgent.deadline = raw_now() + 600 * SECOND;
	assert_int_equal(raw_transfer(&c, urgent), 0);
	assert_int_equal(raw_wait_quiet(&c, 0, 60 * SECOND), 0);
	assert_int_equal(c.done[0].result, 0);
	assert_true(c.done[1].answered_ns < c.done[0].answered_ns);
	assert_true(raw_filled(to.base, CHUNK, 'u'));
	assert_true(raw_filled(to.base + CHUNK, LONG_BYTES - CHUNK, 0x11));
	long_end(&c, &from, &to);
}

/* Handles are freed under it: the bytes arrive, then the memory goes. */
static void test_freed_under_way(void **state)
{
	uint8_t *p = memory_map(LONG_BYTES);
	long pins = raw_pins(), bytes = raw_alive("pinned_bytes");
	struct raw_client c;
	struct aif_desc d;
	int from, to;

	memset(p, 0x33, LONG_BYTES / 2);
	client_open(&c);
	from = raw_pin(&c, p, LONG_BYTES / 2, 0);
	to = raw_pin(&c, p + LONG_BYTES / 2, LONG_BYTES / 2, AIF_PIN_F_WRITE);
	assert_true(from > 0 && to > 0);
	d = raw_copy_desc(&c, 0, (struct aif_range){ (uint32_t)from, 0, LONG_BYTES / 2 },
			  (struct aif_range){ (uint32_t)to, 0, LONG_BYTES / 2 });
	assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	assert_int_equal(raw_unpin(&c, (uint32_t)from), 0);
	assert_int_equal(raw_unpin(&c, (uint32_t)to), 0);
	assert_int_equal(raw_unpin(&c, (uint32_t)to), -ENOENT);
	assert_int_equal(raw_wait_quiet(&c, 0, 60 * SECOND), 0);
	assert_int_equal(c.done[0].result, 0);
	assert_true(raw_filled(p, LONG_BYTES, 0x33));
	assert_int_equal(raw_alive_becomes("pinned_bytes", bytes), 0);
	assert_int_equal(raw_pins(), pins);
	raw_client_close(&c);
	munmap(p, LONG_BYTES);
}

/* ---- death ---- */

enum last_deed { LAST_KILL, LAST_EXIT, LAST_EXEC };

struct dying {
	enum last_deed deed;
	struct raw_gate ready;
};

/* Pins, queues many long transfers, and ends in the middle of them. */
static int die_transferring(void *arg)
{
	struct dying *dying = arg;
	uint8_t *p = memory_map(2 * LONG_BYTES);
	struct raw_client c;
	struct aif_desc d;
	uint32_t tag;
	int from, to, fd = open("/dev/aif", O_RDWR | O_CLOEXEC);

	RAW_CHECK(raw_client_init(&c, fd, 64, AIF_F_TRANSFER) == 0);
	from = raw_pin(&c, p, LONG_BYTES, 0);
	to = raw_pin(&c, p + LONG_BYTES, LONG_BYTES, AIF_PIN_F_WRITE);
	RAW_CHECK(from > 0 && to > 0);
	for (tag = 0; tag < 64; tag++) {
		d = raw_copy_desc(&c, tag, (struct aif_range){ (uint32_t)from, 0, LONG_BYTES },
				  (struct aif_range){ (uint32_t)to, 0, LONG_BYTES });
		RAW_CHECK(raw_submit(&c, &d, 1, 0) == 1);
	}
	RAW_CHECK(raw_wait_produced(&c, 0, 0, 60 * SECOND) == 0);
	raw_gate_open(&dying->ready);
	if (dying->deed == LAST_EXIT)
		return 0;
	if (dying->deed == LAST_EXEC)
		execl("/bin/true", "true", NULL);
	for (;;)
		pause();
}

static void die(enum last_deed deed)
{
	long pins = raw_pins(), clients = raw_alive("clients");
	struct dying dying = { .deed = deed };
	int tries;
	pid_t pid;

	raw_gate_init(&dying.ready);
	pid = raw_spawn(0, die_transferring, &dying);
	raw_gate_pass(&dying.ready);
	if (deed == LAST_KILL)
		kill(pid, SIGKILL);
	assert_int_equal(raw_reap(pid), deed == LAST_KILL ? -SIGKILL : 0);
	assert_int_equal(raw_alive_becomes("clients", clients), 0);
	for (tries = 0; raw_pins() != pins && tries < 500; tries++)
		raw_sleep_ms(10);
	assert_int_equal(raw_pins(), pins);
	raw_gate_fini(&dying.ready);
}

static void test_sigkill(void **state)
{
	die(LAST_KILL);
}

static void test_exit(void **state)
{
	die(LAST_EXIT);
}

static void test_exec(void **state)
{
	die(LAST_EXEC);
}

/* ---- recovery ---- */

struct fetcher {
	struct raw_rig rig;
	struct raw_gate fetched, die;
};

static int fetch_and_die(void *arg)
{
	struct fetcher *f = arg;
	struct raw_taken taken[16];
	struct raw_executor ex;

	RAW_CHECK(raw_executor_open(&ex, &f->rig.service, 16) == 0);
	RAW_CHECK(raw_take(&ex, 0, 1, taken) == 1 || raw_take(&ex, 0, 1, taken) == 1);
	raw_gate_open(&f->fetched);
	raw_gate_pass(&f->die);
	return 0;
}

/*
 * A transfer that will write to a dead executor's output: the request waits for it,
 * or what the next executor answers would be overwritten.
 */
static void test_late_write(void **state)
{
	struct aif_service_desc desc = raw_service_desc("echo");
	struct aif_ioc_info info = { .size = sizeof(info), .features = AIF_F_TRANSFER };
	struct raw_buffer from, to;
	struct raw_taken taken[16];
	struct aif_desc d, late;
	struct fetcher f;
	bool pending, waited = false;
	struct raw_rig r;
	uint32_t tag;
	pid_t child;
	int n;

	desc.recovery_ms = 600000;
	assert_int_equal(raw_rig_open(&f.rig, &desc), 0);
	r = f.rig;
	raw_gate_init(&f.fetched);
	raw_gate_init(&f.die);
	assert_int_equal(raw_call(r.client.fd, AIF_IOC_INFO, &info), 0);
	long_buffers(&r.client, &from, &to);
	d = raw_rig_desc(&r, 0);
	memset(r.buffer.base + d.ranges[0].offset, 'i', d.ranges[0].length);
	assert_int_equal(raw_submit(&r.client, &d, 1, 0), 1);
	child = raw_spawn(0, fetch_and_die, &f);
	raw_gate_pass(&f.fetched);
	for (tag = 6; tag < 46; tag++) {
		late = long_copy(&r.client, tag, &from, &to);
		assert_int_equal(raw_submit(&r.client, &late, 1, 0), 1);
	}
	late = raw_fill_desc(&r.client, 5, "L", 1, d.ranges[1]);
	late.range.grant = r.buffer.handle;
	assert_int_equal(raw_submit(&r.client, &late, 1, 0), 1);
	raw_gate_open(&f.die);
	assert_int_equal(raw_reap(child), 0);
	pending = !raw_answered(&r.client, 5, late.generation);
	do {
		waited |= !raw_answered(&r.client, 5, late.generation) &&
			  raw_state(&r.client, 0, d.generation) == AIF_STATE_RECOVERING;
		n = raw_take(&r.executor, AIF_FETCH_F_NONBLOCK, 1, taken);
	} while (n == 0 || n == -EAGAIN || n == -EBUSY);
	assert_int_equal(n, 1);
	assert_int_equal(r.client.done[5].state, AIF_STATE_DONE);
	assert_int_equal(r.client.done[5].result, 0);
	assert_true(waited || !pending);	/* a process may end that slowly */
	assert_true(raw_filled(r.buffer.base + d.ranges[1].offset, d.ranges[1].length, 'L'));
	assert_int_equal(raw_echo(&r.executor, taken[0]), 0);
	assert_true(raw_filled(r.buffer.base + d.ranges[1].offset, d.ranges[0].length, 'i'));
	assert_int_equal(r.client.done[0].attempt, 2);
	raw_rig_close(&r);
	raw_gate_fini(&f.fetched);
	raw_gate_fini(&f.die);
	munmap(from.base, LONG_BYTES);
	munmap(to.base, LONG_BYTES);
}

/* ---- who pays ---- */

struct paying {
	int fd;			/* the client's file, which is another's */
	size_t limit;		/* RLIMIT_MEMLOCK */
};

static long vm_pin_kib(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmPin:", 6))
			kib = strtol(line + 6, NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

/* The caller's mm is charged, up to its limit exactly, and gets all of it back. */
static int pin_to_the_limit(void *arg)
{
	const struct paying *paying = arg;
	struct rlimit limit = { paying->limit, paying->limit };
	struct raw_client c = { .fd = paying->fd };
	uint8_t *p = memory_map(paying->limit + PAGE);
	int a, b;

	RAW_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	RAW_CHECK(raw_pin(&c, p, paying->limit + 1, 0) == -ENOMEM);
	RAW_CHECK(vm_pin_kib() == 0);
	a = raw_pin(&c, p + 1, paying->limit - PAGE, 0);
	RAW_CHECK(a > 0);
	RAW_CHECK(vm_pin_kib() == (long)paying->limit >> 10);
	RAW_CHECK(raw_pin(&c, p, 1, 0) == -ENOMEM);
	RAW_CHECK(raw_unpin(&c, (uint32_t)a) == 0);
	RAW_CHECK(vm_pin_kib() == 0);
	b = raw_pin(&c, p, paying->limit, 0);
	RAW_CHECK(b > 0);
	RAW_CHECK(raw_pin(&c, p, 1, 0) == -ENOMEM);
	RAW_CHECK(raw_unpin(&c, (uint32_t)b) == 0);
	RAW_CHECK(vm_pin_kib() == 0);
	return 0;
}

static void test_memlock(void **state)
{
	struct paying paying = { .fd = client.fd, .limit = 16 * PAGE };

	assert_int_equal(raw_run_as(RAW_CLIENT_UID, pin_to_the_limit, &paying), 0);
	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, pin_to_the_limit, &paying), 0);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, pin_to_the_limit, &paying), 0);
}

/* Two processes of a user have its limit together, and so has what a dead one left. */
static int pin_beside_a_fork(void *arg)
{
	const struct paying *paying = arg;
	struct rlimit limit = { paying->limit, paying->limit };
	struct raw_client c = { .fd = paying->fd };
	uint8_t *p = memory_map(paying->limit);
	int a, left;
	pid_t child;

	RAW_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	a = raw_pin(&c, p, paying->limit - PAGE, 0);
	RAW_CHECK(a > 0);
	child = fork();
	if (!child) {
		RAW_CHECK(raw_pin(&c, p, PAGE + 1, 0) == -ENOMEM);
		_exit(raw_pin(&c, p, PAGE, 0));
	}
	left = raw_reap(child);
	RAW_CHECK(left > 0);
	RAW_CHECK(raw_pin(&c, p, 1, 0) == -ENOMEM);
	RAW_CHECK(raw_unpin(&c, (uint32_t)left) == 0);
	left = raw_pin(&c, p, PAGE, 0);
	RAW_CHECK(left > 0);
	RAW_CHECK(raw_unpin(&c, (uint32_t)left) == 0);
	RAW_CHECK(raw_unpin(&c, (uint32_t)a) == 0);
	return 0;
}

static void test_memlock_of_a_user(void **state)
{
	struct paying paying = { .fd = client.fd, .limit = 16 * PAGE };
	int root = raw_pin(&client, memory, paying.limit, 0);	/* counts for nobody else */

	assert_true(root > 0);
	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, pin_beside_a_fork, &paying), 0);
	assert_int_equal(raw_unpin(&client, (uint32_t)root), 0);
	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, pin_to_the_limit, &paying), 0);
}

/* Pinned by another process through the same file; then that process is gone. */
static int pin_and_leave(void *arg)
{
	struct raw_client c = { .fd = *(int *)arg };
	uint8_t *p = memory_map(4 * PAGE);

	memset(p, 0x77, 4 * PAGE);
	return raw_pin(&c, p, 4 * PAGE, 0);	/* exits with the handle */
}

static void test_pinner_gone(void **state)
{
	int h = raw_run_as(RAW_EXECUTOR_UID, pin_and_leave, &client.fd);

	assert_true(h > 0);
	memset(buffer.base, 0, 4 * PAGE);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
		(struct aif_range){ (uint32_t)h, 0, 4 * PAGE }, in_buffer(0, 4 * PAGE))), 0);
	assert_true(raw_filled(buffer.base, 4 * PAGE, 0x77));
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_pin_to_alloc),
	cmocka_unit_test(test_alloc_to_pin),
	cmocka_unit_test(test_by_ring),
	cmocka_unit_test(test_copy_edges),
	cmocka_unit_test(test_pin_unaligned),
	cmocka_unit_test(test_copy_within),
	cmocka_unit_test(test_fill_edges),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_pin_refused),
	cmocka_unit_test(test_untouched),
	cmocka_unit_test(test_own_mapping),
	cmocka_unit_test(test_pin_is_for_transfers),
	cmocka_unit_test(test_munmap),
	cmocka_unit_test(test_fork),
	cmocka_unit_test(test_progress),
	cmocka_unit_test(test_cancel),
	cmocka_unit_test(test_deadline),
	cmocka_unit_test(test_preempted_at_a_chunk),
	cmocka_unit_test(test_freed_under_way),
	cmocka_unit_test(test_sigkill),
	cmocka_unit_test(test_exit),
	cmocka_unit_test(test_exec),
	cmocka_unit_test(test_late_write),
	cmocka_unit_test(test_memlock),
	cmocka_unit_test(test_memlock_of_a_user),
	cmocka_unit_test(test_pinner_gone),
};

int main(void)
{
	return tap_run("transfer", tests, group_setup, group_teardown);
}
