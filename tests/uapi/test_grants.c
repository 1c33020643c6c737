// SPDX-License-Identifier: MIT
/*
 * Grants: what an executor sees of a buffer, and what is left of it when the
 * client takes it back while it is mapped, fetched, or pinned.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "tap.h"

#define PAGE	4096u

static struct raw_rig rig;
static struct raw_view *view;		/* of the rig's buffer */
static struct raw_taken taken[16];

static int take_events(void)
{
	return raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 16, taken);
}

static int rig_setup(void **state)
{
	int err = raw_rig_open(&rig, NULL);

	if (!err)
		err = take_events();
	view = &rig.executor.views[0];
	return err;
}

static int rig_teardown(void **state)
{
	raw_rig_close(&rig);
	return 0;
}

/* The executor's next event without its being dealt with. */
static struct aif_delivery next_delivery(void)
{
	assert_int_equal(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 0), 1);
	return rig.executor.delivery[0];
}

static void assert_page_is(const uint8_t *at, int byte)
{
	uint8_t want[PAGE];

	memset(want, byte, PAGE);
	assert_memory_equal(at, want, PAGE);
}

static uint32_t grant_buffer(uint32_t buffer, uint32_t flags)
{
	uint32_t grant;

	assert_int_equal(raw_grant(&rig.client, buffer, rig.handle, flags, &grant), 0);
	return grant;
}

/* ---- while it holds ---- */

static void test_both_see_one_memory(void **state)
{
	assert_int_equal(view->length, RAW_RIG_BYTES);
	assert_int_equal(view->flags, AIF_DELIVERY_F_WRITE);
	rig.buffer.base[0] = 1;
	rig.buffer.base[RAW_RIG_BYTES - 1] = 2;
	assert_int_equal(view->base[0], 1);
	assert_int_equal(view->base[RAW_RIG_BYTES - 1], 2);
	view->base[PAGE] = 3;
	assert_int_equal(rig.buffer.base[PAGE], 3);
}

static void test_memory_is_zeroed(void **state)
{
	struct raw_buffer b;
	size_t at;
	int round;

	for (round = 0; round < 4; round++) {
		assert_int_equal(raw_buffer_alloc(&rig.client, 4 << 20, &b), 0);
		for (at = 0; at < b.length; at += PAGE)
			assert_page_is(b.base + at, 0);
		memset(b.base, 0xee, b.length);
		assert_int_equal(raw_buffer_free(&rig.client, &b), 0);
	}
}

/* No way leads from a read-only grant to the memory: not one of the kernel's either. */
static void test_read_only(void **state)
{
	uint32_t grant = grant_buffer(rig.buffer.handle, 0);
	struct iovec iov = { .iov_len = 1 };
	struct aif_delivery d = next_delivery();
	struct io_uring ring;
	uint8_t *at, one = 1;
	int fd;

	tap_needs_ring();
	assert_int_equal(d.type, AIF_EVENT_GRANT_ADDED);
	assert_int_equal(d.flags, 0);
	assert_ptr_equal(mmap(NULL, d.length, PROT_READ | PROT_WRITE, MAP_SHARED,
			      rig.executor.fd, (off_t)d.offset), MAP_FAILED);
	assert_int_equal(errno, EACCES);
	at = mmap(NULL, d.length, PROT_READ, MAP_SHARED, rig.executor.fd, (off_t)d.offset);
	assert_ptr_not_equal(at, MAP_FAILED);
	rig.buffer.base[0] = 7;
	assert_int_equal(at[0], 7);

	assert_int_equal(mprotect(at, d.length, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(fault_write(at, 1), SIGSEGV);
	fd = open("/proc/self/mem", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &one, 1, (off_t)(uintptr_t)at), -1);
	close(fd);
	iov.iov_base = at;
	assert_int_equal(process_vm_writev(getpid(), &(struct iovec){ &one, 1 }, 1, &iov, 1, 0),
			 -1);
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &iov, 1), -EFAULT);
	io_uring_queue_exit(&ring);
	fd = open("/proc/self/exe", O_RDONLY);
	assert_int_equal(read(fd, at, 1), -1);
	assert_int_equal(errno, EFAULT);
	close(fd);

	assert_int_equal(rig.buffer.base[0], 7);
	munmap(at, d.length);
	assert_int_equal(raw_revoke(&rig.client, grant), 0);
}

/* Two grants of one buffer are two: the end of one is not the other's. */
static void test_two_grants_of_one_buffer(void **state)
{
	uint32_t second = grant_buffer(rig.buffer.handle, AIF_GRANT_F_WRITE);
	struct raw_view *other;

	assert_int_equal(take_events(), 0);
	other = &rig.executor.views[1];
	assert_int_not_equal(other->grant, view->grant);
	rig.buffer.base[0] = 9;
	assert_int_equal(raw_revoke(&rig.client, second), 0);
	assert_int_equal(other->base[0], 0);
	assert_int_equal(view->base[0], 9);
	/* The buffer has one grant still. */
	assert_int_equal(raw_buffer_free(&rig.client, &(struct raw_buffer){
				.handle = rig.buffer.handle }), -EBUSY);
}

/* Who attaches later is told of what there is now, and of nothing that was. */
static void test_late_executor(void **state)
{
	struct raw_executor late;
	uint32_t gone = grant_buffer(rig.buffer.handle, 0);

	assert_int_equal(raw_revoke(&rig.client, gone), 0);
	grant_buffer(rig.buffer.handle, 0);
	assert_int_equal(raw_executor_open(&late, &rig.service, 4), 0);
	assert_int_equal(raw_take(&late, AIF_FETCH_F_NONBLOCK, 4, taken), 0);
	assert_int_equal(late.events[AIF_EVENT_GRANT_ADDED], 2);
	assert_int_equal(late.events[AIF_EVENT_GRANT_REVOKED], 0);
	raw_executor_close(&late);
}

/* ---- taken back while mapped ---- */

/* Every page of the view is the same zeroed one; nothing of it reaches the client. */
static void check_revoked_view(uint8_t *base, size_t length)
{
	size_t at;

	for (at = 0; at < length; at += PAGE) {
		assert_int_equal(fault_read(base + at), 0);
		assert_page_is(base + at, 0);
	}
	for (at = 0; at < length; at += PAGE)
		assert_int_equal(fault_write(base + at, (uint8_t)(at / PAGE + 1)), 0);
	for (at = 0; at < length; at += PAGE)
		assert_int_equal(base[at], length / PAGE);
}

static void test_revoked_while_mapped(void **state)
{
	size_t at;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	for (at = 0; at < view->length / 2; at += PAGE)	/* half of it was touched before */
		assert_page_is(view->base + at, 0x55);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	check_revoked_view(view->base, view->length);
	for (at = 0; at < rig.buffer.length; at += PAGE)
		assert_page_is(rig.buffer.base + at, 0x55);
}

/* Mapped between the revocation and its acknowledgement: the same page. */
static void test_mapped_after_revocation(void **state)
{
	off_t offset = (off_t)view->offset;
	uint8_t *again;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	again = mmap(NULL, view->length, PROT_READ | PROT_WRITE, MAP_SHARED, rig.executor.fd,
		     offset);
	assert_ptr_not_equal(again, MAP_FAILED);
	check_revoked_view(again, view->length);
	assert_page_is(rig.buffer.base, 0x55);
	munmap(again, view->length);
	/* Acknowledged, there is nothing to map any more. */
	assert_int_equal(take_events(), 0);
	assert_ptr_equal(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rig.executor.fd, offset),
			 MAP_FAILED);
	assert_int_equal(errno, ENOENT);
}

/* A mapping that outlives acknowledgement, buffer and client is harmless. */
static void test_mapping_outlives_everything(void **state)
{
	uint8_t *kept = mmap(NULL, view->length, PROT_READ | PROT_WRITE, MAP_SHARED,
			     rig.executor.fd, (off_t)view->offset);
	size_t length = view->length;

	assert_ptr_not_equal(kept, MAP_FAILED);
	memset(rig.buffer.base, 0x55, rig.buffer.length);
	assert_page_is(kept, 0x55);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_int_equal(take_events(), 0);
	assert_int_equal(rig.executor.events[AIF_EVENT_GRANT_REVOKED], 1);
	assert_int_equal(raw_buffer_free(&rig.client, &rig.buffer), 0);
	raw_client_unmap(&rig.client);
	close(rig.client.fd);
	rig.client.fd = -1;
	check_revoked_view(kept, length);
	munmap(kept, length);
}

/* The client's end is the end of its grants. */
static void test_client_gone_while_mapped(void **state)
{
	munmap(rig.buffer.base, rig.buffer.length);
	rig.buffer.base = NULL;
	view->base[0] = 1;
	raw_client_close(&rig.client);
	check_revoked_view(view->base, view->length);
	assert_int_equal(take_events(), 0);
	assert_int_equal(rig.executor.events[AIF_EVENT_GRANT_REVOKED], 1);
}

/* ---- acknowledgements ---- */

static void test_acknowledgements(void **state)
{
	uint32_t id = view->grant, first = rig.grant, second;

	assert_int_equal(raw_ack(&rig.executor, id), 1);	/* it lives */
	assert_int_equal(raw_ack(&rig.executor, id + 1), 1);	/* it never lived */
	assert_int_equal(raw_ack(&rig.executor, 0), 1);
	assert_int_equal(raw_revoke(&rig.client, first), 0);
	assert_int_equal(raw_ack(&rig.executor, id), 1);	/* nobody told it */
	/* Not acknowledged yet: its id names nothing else. */
	second = grant_buffer(rig.buffer.handle, 0);
	assert_int_equal(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 0), 2);
	assert_int_equal(rig.executor.delivery[0].type, AIF_EVENT_GRANT_REVOKED);
	assert_int_equal(rig.executor.delivery[0].index, id);
	assert_int_equal(rig.executor.delivery[1].type, AIF_EVENT_GRANT_ADDED);
	assert_int_not_equal(rig.executor.delivery[1].index, id);
	assert_int_equal(raw_ack(&rig.executor, id), 0);
	assert_int_equal(raw_ack(&rig.executor, id), 1);	/* once */
	assert_int_equal(raw_revoke(&rig.client, second), 0);
}

/* An executor that never acknowledges, and keeps its mapping, keeps no memory. */
static void test_never_acknowledged(void **state)
{
	uint32_t id = view->grant;

	view->base[0] = 1;
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_int_equal(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 0), 1);
	assert_int_equal(raw_buffer_free(&rig.client, &rig.buffer), 0);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	assert_int_equal(raw_alive("buffer_bytes"), 0);
	check_revoked_view(view->base, view->length);
	assert_int_equal(raw_ack(&rig.executor, id), 0);
}

/* Granted and taken back before the executor looked: both are said, in order. */
static void test_brief_grant(void **state)
{
	uint32_t brief = grant_buffer(rig.buffer.handle, 0), id;

	assert_int_equal(raw_revoke(&rig.client, brief), 0);
	assert_int_equal(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 0), 2);
	id = rig.executor.delivery[0].index;
	assert_int_equal(rig.executor.delivery[0].type, AIF_EVENT_GRANT_ADDED);
	assert_int_equal(rig.executor.delivery[1].type, AIF_EVENT_GRANT_REVOKED);
	assert_int_equal(rig.executor.delivery[1].index, id);
	assert_int_equal(raw_ack(&rig.executor, id), 0);
}

/* ---- taken back with requests on it ---- */

static void test_revoked_while_queued(void **state)
{
	uint32_t other = grant_buffer(rig.buffer.handle, AIF_GRANT_F_WRITE);
	struct aif_desc d[2] = { raw_rig_desc(&rig, 0), raw_rig_desc(&rig, 1) };

	d[1].ranges[0].grant = other;
	d[1].ranges[1].grant = other;
	assert_int_equal(raw_submit(&rig.client, d, 2, 0), 2);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_int_equal(raw_state(&rig.client, 0, d[0].generation), AIF_STATE_DONE);
	assert_int_equal(rig.client.done[0].result, -EKEYREVOKED);
	assert_int_equal(raw_state(&rig.client, 1, d[1].generation), AIF_STATE_QUEUED);
	assert_int_equal(raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 16), 1);
	assert_int_equal(rig.client.done[1].result, 0);
}

static void test_revoked_while_fetched(void **state)
{
	struct aif_desc d = raw_rig_desc(&rig, 0);
	struct aif_delivery e;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), 1);
	assert_int_equal(take_events(), 1);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	/* Answered, not quiet. */
	assert_int_equal(raw_state(&rig.client, 0, d.generation), AIF_STATE_ORPHANED);
	assert_int_equal(rig.client.done[0].result, -EKEYREVOKED);
	d.generation++;
	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), -EBUSY);
	assert_int_equal(raw_wait_quiet(&rig.client, 0, 0), -ETIME);
	/* The executor goes on writing its answer; it goes nowhere. */
	view->base[d.ranges[1].offset] = 1;
	assert_int_equal(rig.buffer.base[d.ranges[1].offset], 0x55);
	assert_int_equal(raw_progress(&rig.executor, taken[0], 1, 0), 1);
	assert_int_equal(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 1), 2);
	e = rig.executor.delivery[0];
	assert_int_equal(e.type, AIF_EVENT_GRANT_REVOKED);
	e = rig.executor.delivery[1];
	assert_int_equal(e.type, AIF_EVENT_CANCELLED);
	assert_int_equal(e.index, taken[0].slot);
	assert_int_equal(e.generation, taken[0].generation);
	assert_int_equal(raw_give(&rig.executor, taken[0], 0, 64, 0), 0);
	assert_int_equal(raw_wait_quiet(&rig.client, 0, 0), 0);
	assert_int_equal(rig.client.done[0].result, -EKEYREVOKED);
	assert_int_equal(rig.client.done[0].produced, 0);
	assert_int_equal(raw_ack(&rig.executor, view->grant), 0);
}

/* ---- taken back while pinned ---- */

/* Write @byte to the first byte of fixed buffer 0 through @ring's pin. */
static void write_through_pin(struct io_uring *ring, void *at, uint8_t byte)
{
	struct io_uring_cqe *cqe;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], &byte, 1), 1);
	io_uring_prep_read_fixed(io_uring_get_sqe(ring), fds[0], at, 1, 0, 0);
	assert_int_equal(io_uring_submit_and_wait(ring, 1), 1);
	assert_int_equal(io_uring_peek_cqe(ring, &cqe), 0);
	assert_int_equal(cqe->res, 1);
	io_uring_cqe_seen(ring, cqe);
	close(fds[0]);
	close(fds[1]);
}

static void pin(struct io_uring *ring, void *at, size_t length)
{
	struct iovec iov = { at, length };

	assert_int_equal(io_uring_queue_init(4, ring, 0), 0);
	assert_int_equal(io_uring_register_buffers(ring, &iov, 1), 0);
}

/* The old pin reaches the old page; a new one, the throw-away page. */
static void test_revoked_while_pinned(void **state)
{
	struct io_uring old, fresh;

	tap_needs_ring();
	pin(&old, view->base, view->length);
	write_through_pin(&old, view->base, 1);
	assert_int_equal(rig.buffer.base[0], 1);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	write_through_pin(&old, view->base, 2);
	assert_int_equal(rig.buffer.base[0], 2);
	assert_int_equal(view->base[0], 0);
	pin(&fresh, view->base, view->length);
	write_through_pin(&fresh, view->base, 3);
	assert_int_equal(rig.buffer.base[0], 2);
	assert_int_equal(view->base[0], 3);
	io_uring_queue_exit(&fresh);
	io_uring_queue_exit(&old);
}

/*
 * Everything of the module's has let go, only a pin has not: the pages are
 * held, shown as held, and go when it goes.
 */
static void test_held_by_a_pin(void **state)
{
	struct io_uring ring;

	tap_needs_ring();
	assert_int_equal(raw_alive_becomes("held_bytes", 0), 0);	/* of other tests */
	pin(&ring, view->base, view->length);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_int_equal(take_events(), 0);		/* unmapped, acknowledged */
	assert_int_equal(raw_buffer_free(&rig.client, &rig.buffer), 0);
	assert_int_equal(raw_alive_becomes("grants", 0), 0);
	assert_int_equal(raw_alive_becomes("held_bytes", RAW_RIG_BYTES), 0);
	assert_int_equal(raw_alive("buffer_bytes"), RAW_RIG_BYTES);
	raw_client_close(&rig.client);
	assert_int_equal(raw_alive("held_bytes"), RAW_RIG_BYTES);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(raw_alive_becomes("held_bytes", 0), 0);
	assert_int_equal(raw_alive_becomes("buffer_bytes", 0), 0);
	io_uring_queue_exit(&ring);
}

/* The same with the client's own pin. */
static void test_held_by_the_clients_pin(void **state)
{
	struct io_uring ring;
	struct raw_buffer b;

	tap_needs_ring();
	assert_int_equal(raw_alive_becomes("held_bytes", 0), 0);
	assert_int_equal(raw_buffer_alloc(&rig.client, 3 * PAGE, &b), 0);
	pin(&ring, b.base + 2 * PAGE, PAGE);
	assert_int_equal(raw_buffer_free(&rig.client, &b), 0);
	assert_int_equal(raw_alive_becomes("held_bytes", 3 * PAGE), 0);
	io_uring_queue_exit(&ring);
	assert_int_equal(raw_alive_becomes("held_bytes", 0), 0);
}

/* ---- freed while mapped ---- */

static void test_freed_while_mapped(void **state)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg) };
	struct raw_buffer b;

	tap_needs_ring();
	assert_int_equal(raw_buffer_alloc(&rig.client, 4 * PAGE, &b), 0);
	b.base[0] = 1;
	arg.handle = b.handle;
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_BUFFER_FREE, &arg), 0);
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_BUFFER_FREE, &arg), -ENOENT);
	assert_int_equal(b.base[0], 1);
	assert_int_equal(fault_write(b.base + 3 * PAGE, 2), 0);	/* not touched before */
	assert_int_equal(b.base[3 * PAGE], 2);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);	/* the rig's, and this */
	assert_ptr_equal(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rig.client.fd,
			      (off_t)b.offset), MAP_FAILED);
	munmap(b.base, b.length);
	assert_int_equal(raw_alive_becomes("buffers", 1), 0);
}

/* ---- faults against revocation ---- */

struct touching {
	uint8_t *base;
	size_t length;
	bool stop;
	unsigned long rounds;
};

/* A view shows the client's 0x55, or zero; a signal would end the program. */
static void *touch_loop(void *p)
{
	struct touching *t = p;
	uint8_t seen;
	size_t at;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		for (at = 0; at < t->length; at += PAGE) {
			seen = __atomic_load_n(t->base + at, __ATOMIC_RELAXED);
			if (seen && seen != 0x55)
				return "what nobody wrote";
		}
		madvise(t->base, t->length, MADV_DONTNEED);	/* fault again */
		t->rounds++;
	}
	return NULL;
}

static void test_faults_against_revocation(void **state)
{
	struct touching t;
	pthread_t thread;
	uint32_t grant;
	void *wrong;
	int round;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	for (round = 0; round < 100; round++) {
		grant = grant_buffer(rig.buffer.handle, AIF_GRANT_F_WRITE);
		assert_int_equal(take_events(), 0);
		t = (struct touching){ rig.executor.views[1].base,
				       rig.executor.views[1].length };
		assert_int_equal(pthread_create(&thread, NULL, touch_loop, &t), 0);
		while (!__atomic_load_n(&t.rounds, __ATOMIC_RELAXED))
			;
		assert_int_equal(raw_revoke(&rig.client, grant), 0);
		/* Nothing of it is seen once REVOKE has returned. */
		assert_int_equal(t.base[0], 0);
		__atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
		pthread_join(thread, &wrong);
		assert_null(wrong);
		assert_int_equal(take_events(), 0);
	}
}

/* ---- taken back while it is answered ---- */

static void *revoke_soon(void *delay)
{
	uint64_t until = raw_now() + *(uint64_t *)delay;

	while (raw_now() < until)
		;
	return (void *)(intptr_t)raw_revoke(&rig.client, rig.grant);
}

static void touch_views(struct raw_executor *ex)
{
	size_t i;

	for (i = 0; i < RAW_VIEWS_MAX; i++)
		if (ex->views[i].grant)
			assert_int_equal(fault_read(ex->views[i].base), 0);
}

/*
 * An executor whose view has become a throw-away page writes there and gives the
 * request back, not knowing.  Success means that the client has the output.
 */
static void test_revoked_while_answered(void **state)
{
	uint8_t *out = rig.buffer.base + RAW_RIG_OUTPUT;
	static struct raw_executor others[8];	/* their views are taken back after ours */
	unsigned int good = 0, revoked = 0;
	struct aif_desc d;
	pthread_t thread;
	uint64_t delay, until;
	void *ret;
	size_t i;
	int round;

	memset(rig.buffer.base, 0x5a, 64);
	for (i = 0; i < COUNT(others); i++)
		assert_int_equal(raw_executor_open(&others[i], &rig.service, 1), 0);
	for (round = 0; round < 600; round++) {
		for (i = 0; i < COUNT(others); i++) {
			assert_int_equal(raw_take(&others[i], AIF_FETCH_F_NONBLOCK, 0, NULL), 0);
			touch_views(&others[i]);
		}
		d = raw_rig_desc(&rig, 0);
		memset(rig.buffer.base, 0x5a, 64);
		memset(out, 0, 64);
		assert_int_equal(raw_submit(&rig.client, &d, 1, 0), 1);
		assert_int_equal(raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 1, taken), 1);
		delay = (uint64_t)(round % 60) * 5000;
		assert_int_equal(pthread_create(&thread, NULL, revoke_soon, &delay), 0);
		for (until = raw_now() + 150000; raw_now() < until;)
			;
		raw_echo(&rig.executor, taken[0]);
		pthread_join(thread, &ret);
		assert_null(ret);
		assert_int_equal(raw_wait_quiet(&rig.client, 0, 10000000000), 0);
		if (!rig.client.done[0].result) {
			assert_memory_equal(out, rig.buffer.base, 64);
			good++;
		} else {
			assert_int_equal(rig.client.done[0].result, -EKEYREVOKED);
			revoked++;
		}
		rig.grant = grant_buffer(rig.buffer.handle, AIF_GRANT_F_WRITE);
		assert_int_equal(take_events(), 0);
	}
	for (i = 0; i < COUNT(others); i++)
		raw_executor_close(&others[i]);
	print_message("# %u answered, %u revoked\n", good, revoked);
	assert_true(good && revoked);
}

#define RIG_TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RIG_TEST(test_both_see_one_memory),
		RIG_TEST(test_memory_is_zeroed),
		RIG_TEST(test_read_only),
		RIG_TEST(test_two_grants_of_one_buffer),
		RIG_TEST(test_late_executor),
		RIG_TEST(test_revoked_while_mapped),
		RIG_TEST(test_mapped_after_revocation),
		RIG_TEST(test_mapping_outlives_everything),
		RIG_TEST(test_client_gone_while_mapped),
		RIG_TEST(test_acknowledgements),
		RIG_TEST(test_never_acknowledged),
		RIG_TEST(test_brief_grant),
		RIG_TEST(test_revoked_while_queued),
		RIG_TEST(test_revoked_while_fetched),
		RIG_TEST(test_revoked_while_pinned),
		RIG_TEST(test_held_by_a_pin),
		RIG_TEST(test_held_by_the_clients_pin),
		RIG_TEST(test_freed_while_mapped),
		RIG_TEST(test_faults_against_revocation),
		RIG_TEST(test_revoked_while_answered),
	};

	return tap_run("grants", tests, NULL, NULL);
}
