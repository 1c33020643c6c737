// SPDX-License-Identifier: MIT
/*
 * Every mapping the module gives, and everything a process can do with one:
 * what may not be is refused, what may be does no harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "tap.h"

#define PAGE	4096ul

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

struct object {
	int fd;
	off_t offset;
	size_t bytes;	/* whole pages */
	bool writable;
	bool array;	/* mapped from its beginning only, never faulted in */
};

static struct raw_rig rig;
static struct object objects[10];

enum { WRITABLE_VIEW = 7, BUFFER = 9 };

static size_t pages(size_t bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

static void add_array(struct object *o, int fd, enum aif_array_kind kind, bool writable)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	const struct aif_array *a = &info.out_arrays[kind];

	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	*o = (struct object){ fd, (off_t)a->offset,
			      pages((size_t)a->entry_size * a->count), writable, true };
}

static void add_view(struct object *o, const struct raw_view *v)
{
	*o = (struct object){ rig.executor.fd, (off_t)v->offset, v->length,
			      v->flags & AIF_DELIVERY_F_WRITE };
}

static int rig_setup(void **state)
{
	struct raw_taken taken[16];
	struct object *o = objects;
	uint32_t read_only;

	assert_int_equal(raw_rig_open(&rig, NULL), 0);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &read_only), 0);
	assert_int_equal(raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 16, taken), 0);
	add_array(o++, rig.client.fd, AIF_ARRAY_DESC, true);
	add_array(o++, rig.client.fd, AIF_ARRAY_COMPLETION, false);
	add_array(o++, rig.client.fd, AIF_ARRAY_CLIENT_STATUS, false);
	add_array(o++, rig.executor.fd, AIF_ARRAY_SLOT, false);
	add_array(o++, rig.executor.fd, AIF_ARRAY_DELIVERY, false);
	add_array(o++, rig.executor.fd, AIF_ARRAY_COMMIT, true);
	add_array(o++, rig.executor.fd, AIF_ARRAY_EXECUTOR_STATUS, false);
	add_view(o++, &rig.executor.views[0]);
	add_view(o++, &rig.executor.views[1]);
	*o = (struct object){ rig.client.fd, (off_t)rig.buffer.offset, rig.buffer.length, true };
	return 0;
}

static int rig_teardown(void **state)
{
	raw_rig_close(&rig);
	return 0;
}

static uint8_t *map(const struct object *o)
{
	uint8_t *at = mmap(NULL, o->bytes, PROT_READ | (o->writable ? PROT_WRITE : 0), MAP_SHARED,
			   o->fd, o->offset);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void refused(const struct object *o, size_t bytes, int prot, int flags, off_t more,
		    int err)
{
	void *at = mmap(NULL, bytes, prot, flags, o->fd, o->offset + more);

	assert_ptr_equal(at, MAP_FAILED);
	assert_int_equal(errno, err);
}

/* ---- mmap, mprotect ---- */

static void mmap_refusals(const struct object *o)
{
	refused(o, o->bytes, PROT_READ, MAP_PRIVATE, 0, EINVAL);
	refused(o, o->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, EINVAL);
	refused(o, o->bytes, PROT_READ | PROT_EXEC, MAP_SHARED, 0, EACCES);
	refused(o, o->bytes + PAGE, PROT_READ, MAP_SHARED, 0, EINVAL);
	refused(o, PAGE, PROT_READ, MAP_SHARED, (off_t)o->bytes, EINVAL);
	if (o->array && o->bytes > PAGE)
		refused(o, PAGE, PROT_READ, MAP_SHARED, PAGE, EINVAL);
	if (!o->writable)
		refused(o, o->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0, EACCES);
}

static void not_protected_otherwise(const struct object *o)
{
	uint8_t *at = map(o);

	assert_int_equal(mprotect(at, o->bytes, PROT_READ | PROT_EXEC), -1);
	assert_int_equal(errno, EACCES);
	if (!o->writable) {
		assert_int_equal(mprotect(at, o->bytes, PROT_READ | PROT_WRITE), -1);
		assert_int_equal(errno, EACCES);
		assert_int_equal(fault_write(at, 1), SIGSEGV);
	}
	assert_int_equal(mprotect(at, o->bytes, PROT_NONE), 0);
	assert_int_equal(fault_read(at), SIGSEGV);
	assert_int_equal(mprotect(at, o->bytes, PROT_READ), 0);
	assert_int_equal(fault_read(at), 0);
	assert_int_equal(fault_write(at, 1), SIGSEGV);
	munmap(at, o->bytes);
}

/* A file opened for reading maps nothing: all mappings are shared. */
static void test_file_opened_for_reading(void **state)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	int fd = open("/dev/aif", O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	assert_ptr_equal(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EACCES);
	close(fd);
}

/* The flags the kernel keeps of the mapping at @at. */
static bool has_flag(const void *at, const char *flag)
{
	char line[512], start[32];
	bool ours = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	assert_non_null(f);
	snprintf(start, sizeof(start), "%lx-", (unsigned long)at);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, start, strlen(start)))
			ours = true;
		else if (ours && !strncmp(line, "VmFlags:", 8))
			break;
	}
	snprintf(start, sizeof(start), " %s ", flag);
	found = ours && strstr(line, start);
	fclose(f);
	return found;
}

static void flags(const struct object *o)
{
	uint8_t *at = map(o);

	assert_true(has_flag(at, "sh"));
	assert_true(has_flag(at, "dc"));	/* not inherited */
	assert_true(has_flag(at, "dd"));	/* not in core dumps */
	assert_true(has_flag(at, "de"));	/* not expanded */
	assert_true(has_flag(at, "mm"));	/* real pages */
	assert_false(has_flag(at, "me"));	/* never executable */
	assert_false(has_flag(at, "io"));	/* or long-term pins would fail */
	assert_false(has_flag(at, "pf"));
	assert_int_equal(has_flag(at, "mw"), o->writable);
	munmap(at, o->bytes);
}

/* ---- moved, cut ---- */

static void moved(const struct object *o)
{
	uint8_t *at = map(o), *to, first = at[0];

	assert_ptr_equal(mremap(at, o->bytes, o->bytes + PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	assert_int_equal(errno, EFAULT);
	assert_ptr_equal(mremap(at, 0, o->bytes, MREMAP_MAYMOVE), MAP_FAILED);
	to = mmap(NULL, o->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(to, MAP_FAILED);
	assert_ptr_equal(mremap(at, o->bytes, o->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	assert_int_equal(fault_read(at), SIGSEGV);
	assert_int_equal(to[0], first);
	if (o->writable) {
		to[1] ^= 0xff;
		assert_int_equal(fault_write(to, first), 0);
	}
	munmap(to, o->bytes);
}

/* Take a page out of the middle; what is left is right, touched before or not. */
static void hole_in(uint8_t *at, const uint8_t *same, bool touched)
{
	size_t p;

	if (touched)
		for (p = 0; p < 16; p++)
			assert_int_equal(at[p * PAGE], p + 1);
	assert_int_equal(munmap(at + 5 * PAGE, PAGE), 0);
	assert_int_equal(mprotect(at + 9 * PAGE, 2 * PAGE, PROT_READ), 0);
	for (p = 0; p < 16; p++) {
		assert_int_equal(fault_read(at + p * PAGE), p == 5 ? SIGSEGV : 0);
		if (p == 5)
			continue;
		assert_int_equal(at[p * PAGE], p + 1);
		assert_int_equal(fault_write(at + p * PAGE + 1, (uint8_t)(0x80 + p)),
				 p == 9 || p == 10 ? SIGSEGV : 0);
		if (p != 9 && p != 10)
			assert_int_equal(same[p * PAGE + 1], 0x80 + p);
	}
}

static void test_partial_munmap(void **state)
{
	struct object buffer = objects[BUFFER], view = objects[WRITABLE_VIEW];
	uint8_t *at;
	size_t p;
	int touched;

	for (p = 0; p < 16; p++)
		rig.buffer.base[p * PAGE] = (uint8_t)(p + 1);
	for (touched = 0; touched < 2; touched++) {
		at = map(&buffer);
		hole_in(at, rig.buffer.base, touched);
		munmap(at, buffer.bytes);
		at = map(&view);
		hole_in(at, rig.buffer.base, touched);
		munmap(at, view.bytes);
	}
}

/* Pieces of a view are revoked as the whole is. */
static void test_pieces_are_revoked(void **state)
{
	struct object view = objects[WRITABLE_VIEW];
	uint8_t *at = map(&view), *to;
	size_t p;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	for (p = 0; p < 16; p += 2)
		assert_int_equal(at[p * PAGE], 0x55);
	munmap(at + 3 * PAGE, PAGE);
	to = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_equal(mremap(at + 8 * PAGE, 4 * PAGE, 4 * PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	for (p = 0; p < 4; p++)
		assert_int_equal(to[p * PAGE], 0);
	for (p = 0; p < 16; p++)
		if (p != 3 && (p < 8 || p >= 12))
			assert_int_equal(at[p * PAGE], 0);
	to[0] = 1;
	at[0] = 2;
	assert_int_equal(rig.buffer.base[0], 0x55);
	assert_int_equal(rig.buffer.base[8 * PAGE], 0x55);
	munmap(to, 4 * PAGE);
	munmap(at, view.bytes);
}

/* A page mapped at an offset inside its object is that page. */
static void test_mapped_inside(void **state)
{
	struct object views[2] = { objects[BUFFER], objects[WRITABLE_VIEW] };
	uint8_t *at;
	size_t p, i;

	for (p = 0; p < 16; p++)
		rig.buffer.base[p * PAGE] = (uint8_t)(p + 1);
	for (i = 0; i < COUNT(views); i++) {
		for (p = 0; p < 16; p++) {
			at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, views[i].fd,
				  views[i].offset + (off_t)(p * PAGE));
			assert_ptr_not_equal(at, MAP_FAILED);
			assert_int_equal(at[0], p + 1);
			munmap(at, PAGE);
		}
		at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, views[i].fd,
			  views[i].offset + (off_t)(15 * PAGE));
		assert_ptr_equal(at, MAP_FAILED);
	}
}

/* ---- advice ---- */

/* Whatever the kernel says to it, the memory is what it was. */
static void advised(const struct object *o)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DODUMP, MADV_DONTDUMP, MADV_COLLAPSE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	uint8_t *at = map(o), before[PAGE];
	size_t i;

	memcpy(before, at, PAGE);
	for (i = 0; i < COUNT(advice); i++) {
		madvise(at, o->bytes, advice[i]);
		assert_memory_equal(at, before, PAGE);
	}
	mlock(at, o->bytes);
	msync(at, o->bytes, MS_SYNC);
	munlock(at, o->bytes);
	assert_memory_equal(at, before, PAGE);
	munmap(at, o->bytes);
}

/* What a process threw out of its page table comes back, except an array. */
static void thrown_out(const struct object *o)
{
	uint8_t *at = map(o), before = at[0];

	assert_int_equal(madvise(at, o->bytes, MADV_DONTNEED), 0);
	assert_int_equal(fault_read(at), o->array ? SIGBUS : 0);
	if (!o->array)
		assert_int_equal(at[0], before);
	munmap(at, o->bytes);
	at = map(o);
	assert_int_equal(at[0], before);
	munmap(at, o->bytes);
}

/* ---- fork ---- */

static int not_inherited(void *p)
{
	uint8_t *const *at = p;
	unsigned char core;
	size_t i;

	for (i = 0; i < COUNT(objects); i++)
		RAW_CHECK(mincore(at[i], PAGE, &core) && errno == ENOMEM);
	return 0;
}

static void test_fork(void **state)
{
	uint8_t *at[COUNT(objects)];
	size_t i;

	for (i = 0; i < COUNT(objects); i++)
		at[i] = map(&objects[i]);
	assert_int_equal(raw_run_as(0, not_inherited, at), 0);
	for (i = 0; i < COUNT(objects); i++)
		munmap(at[i], objects[i].bytes);
}

struct inherited {
	uint8_t *at;
	struct raw_gate ready, revoked;
};

static int read_inherited(void *p)
{
	struct inherited *in = p;

	RAW_CHECK(fault_read(in->at) == 0 && in->at[0] == 0x55);
	raw_gate_open(&in->ready);
	raw_gate_pass(&in->revoked);
	RAW_CHECK(fault_read(in->at) == 0 && in->at[0] == 0);
	RAW_CHECK(fault_read(in->at + PAGE) == 0 && in->at[PAGE] == 0);	/* not touched before */
	in->at[0] = 1;
	return 0;
}

/*
 * An executor can insist on its child having a view: it could as well send it
 * the bytes.  Revocation reaches the child all the same.
 */
static void test_view_inherited_on_purpose(void **state)
{
	struct inherited in = { .at = map(&objects[WRITABLE_VIEW]) };
	pid_t pid;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	assert_int_equal(raw_gate_init(&in.ready), 0);
	assert_int_equal(raw_gate_init(&in.revoked), 0);
	assert_int_equal(in.at[0], 0x55);
	assert_int_equal(madvise(in.at, objects[WRITABLE_VIEW].bytes, MADV_DOFORK), 0);
	pid = raw_spawn(RAW_ATTACKER_UID, read_inherited, &in);
	raw_gate_pass(&in.ready);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	raw_gate_open(&in.revoked);
	assert_int_equal(raw_reap(pid), 0);
	assert_int_equal(rig.buffer.base[0], 0x55);
	munmap(in.at, objects[WRITABLE_VIEW].bytes);
	raw_gate_fini(&in.ready);
	raw_gate_fini(&in.revoked);
}

/* ---- pins ---- */

/* Long-term pins work where the mapping can be written, and only there. */
static void pinned(const struct object *o)
{
	struct iovec iov = { .iov_len = o->bytes };
	struct io_uring ring;

	tap_needs_ring();
	iov.iov_base = map(o);
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &iov, 1), o->writable ? 0 : -EFAULT);
	munmap(iov.iov_base, o->bytes);
	io_uring_queue_exit(&ring);
}

/* Pinned arrays outlive their file: what a ring still writes is nobody's. */
static void test_array_pinned_after_close(void **state)
{
	struct iovec iov = { rig.client.desc, PAGE };
	struct io_uring ring;

	tap_needs_ring();
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &iov, 1), 0);
	munmap(rig.buffer.base, rig.buffer.length);
	rig.buffer.base = NULL;
	raw_client_close(&rig.client);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
	io_uring_queue_exit(&ring);
}

/* ---- */

/* These are run for each mapping. */
static const struct {
	const char *name;
	void (*test)(const struct object *o);
} each[] = {
	{ "mmap refuses", mmap_refusals },
	{ "mprotect refuses", not_protected_otherwise },
	{ "flags", flags },
	{ "mremap", moved },
	{ "madvise", advised },
	{ "thrown out", thrown_out },
	{ "long-term pins", pinned },
};

static char names[COUNT(each)][COUNT(objects)][48];

static void test_each(void **state)
{
	size_t n = (size_t)*state;

	memset(rig.buffer.base, 0x55, rig.buffer.length);
	each[n / COUNT(objects)].test(&objects[n % COUNT(objects)]);
}

#define RIG_TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	static const struct CMUnitTest once[] = {
		cmocka_unit_test(test_file_opened_for_reading),
		RIG_TEST(test_partial_munmap),
		RIG_TEST(test_pieces_are_revoked),
		RIG_TEST(test_mapped_inside),
		RIG_TEST(test_fork),
		RIG_TEST(test_view_inherited_on_purpose),
		RIG_TEST(test_array_pinned_after_close),
	};
	static const char *const what[COUNT(objects)] = {
		"descriptors", "completions", "client status", "slots", "deliveries", "commits",
		"executor status", "writable view", "read-only view", "buffer",
	};
	struct CMUnitTest tests[COUNT(once) + COUNT(each) * COUNT(objects)];
	struct CMUnitTest *t = tests + COUNT(once);
	size_t i, k;

	memcpy(tests, once, sizeof(once));
	for (i = 0; i < COUNT(each); i++) {
		for (k = 0; k < COUNT(objects); k++) {
			snprintf(names[i][k], sizeof(names[i][k]), "%s: %s", each[i].name, what[k]);
			*t++ = (struct CMUnitTest){
				names[i][k], test_each, rig_setup, rig_teardown,
				(void *)(i * COUNT(objects) + k),
			};
		}
	}
	return tap_run("maps", tests, NULL, NULL);
}
