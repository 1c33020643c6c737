// SPDX-License-Identifier: MIT
/*
 * The edges of every operation's argument: sizes old and to come, memory that
 * ends where the argument ends, outputs, reserved fields, flags, roles.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ops.h"
#include "tap.h"

#define PAGE	4096
#define JUNK	0xa5

/* Two pages and an abyss. */
static uint8_t *arena;
static struct op_world world;
static unsigned int surprises;

static int group_setup(void **state)
{
	arena = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(arena, MAP_FAILED);
	assert_int_equal(mprotect(arena + 2 * PAGE, PAGE, PROT_NONE), 0);
	return op_world_open(&world);
}

static int group_teardown(void **state)
{
	op_world_close(&world);
	return munmap(arena, 3 * PAGE);
}

static void expect(const char *name, const char *what, long got, long want)
{
	if (got == want)
		return;
	printf("# %s: %s: %ld, not %ld\n", name, what, got, want);
	surprises++;
}

static void no_surprises(void)
{
	unsigned int n = surprises;

	surprises = 0;
	assert_int_equal(n, 0);
}

/* An argument that succeeds, in @arg; the fd for it. */
static int prepared(const struct op *op, void *arg)
{
	int fd;

	memset(arg, 0, OP_ARG_MAX);
	fd = op->prepare(&world, arg);
	if (fd < 0)
		fail_msg("%s: cannot prepare: %d", op->name, fd);
	*(uint32_t *)arg = op->size;
	return fd;
}

/* Call @op with its good argument of @size bytes, ending where memory ends. */
static int call_at_edge(const struct op *op, uint32_t size)
{
	uint8_t arg[OP_ARG_MAX];
	int fd = prepared(op, arg);

	*(uint32_t *)arg = size;
	memcpy(arena + 2 * PAGE - size, arg, size);
	return raw_call(fd, op->cmd, arena + 2 * PAGE - size);
}

static void test_valid(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], arg);
		expect(ops[i].name, "a good call", raw_call(fd, ops[i].cmd, arg), 0);
	}
	no_surprises();
}

static void test_size_too_small(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	uint32_t size;
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		for (size = 0; size < ops[i].size; size += size < 8 ? 1 : 4) {
			fd = prepared(&ops[i], arg);
			*(uint32_t *)arg = size;
			expect(ops[i].name, "a smaller size", raw_call(fd, ops[i].cmd, arg),
			       -EINVAL);
		}
	}
	no_surprises();
}

/* A structure of a later header: its surplus is zero, and comes back so. */
static void test_size_from_the_future(void **state)
{
	static const uint8_t zero[PAGE];
	uint8_t arg[OP_ARG_MAX];
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], arg);
		*(uint32_t *)arg = ops[i].size + 64;
		expect(ops[i].name, "64 zeros more", raw_call(fd, ops[i].cmd, arg), 0);
		expect(ops[i].name, "which stay", memcmp(arg + ops[i].size, zero, 64), 0);
		fd = prepared(&ops[i], arg);
		*(uint32_t *)arg = PAGE;
		expect(ops[i].name, "a page of it", raw_call(fd, ops[i].cmd, arg), 0);
		fd = prepared(&ops[i], arg);
		*(uint32_t *)arg = PAGE + 1;
		expect(ops[i].name, "more than a page", raw_call(fd, ops[i].cmd, arg), -E2BIG);
		*(uint32_t *)arg = UINT32_MAX;
		expect(ops[i].name, "4 GiB", raw_call(fd, ops[i].cmd, arg), -E2BIG);
	}
	no_surprises();
}

static void test_size_surplus_not_zero(void **state)
{
	static const uint32_t places[] = { 0, 1, 63 };
	uint8_t arg[OP_ARG_MAX];
	size_t i, k;
	int fd;

	for (i = 0; i < op_count; i++) {
		for (k = 0; k < COUNT(places); k++) {
			fd = prepared(&ops[i], arg);
			*(uint32_t *)arg = ops[i].size + 64;
			arg[ops[i].size + places[k]] = 1;
			expect(ops[i].name, "surplus", raw_call(fd, ops[i].cmd, arg), -E2BIG);
		}
	}
	no_surprises();
}

/* Nothing is read or written past the size that was said. */
static void test_overrun(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	size_t i, k;
	int fd;

	for (i = 0; i < op_count; i++) {
		expect(ops[i].name, "where memory ends", call_at_edge(&ops[i], ops[i].size), 0);
		expect(ops[i].name, "larger, where memory ends",
		       call_at_edge(&ops[i], ops[i].size + 64), 0);
		fd = prepared(&ops[i], arg);
		memset(arg + ops[i].size, JUNK, 64);
		expect(ops[i].name, "a neighbour", raw_call(fd, ops[i].cmd, arg), 0);
		for (k = 0; k < 64; k++)
			expect(ops[i].name, "its bytes", arg[ops[i].size + k], JUNK);
		/* At an odd address. */
		fd = prepared(&ops[i], arg);
		memcpy(arena + 1, arg, ops[i].size);
		expect(ops[i].name, "unaligned", raw_call(fd, ops[i].cmd, arena + 1), 0);
	}
	no_surprises();
}

static void test_efault(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	uint8_t *at;
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], arg);
		expect(ops[i].name, "NULL", raw_call(fd, ops[i].cmd, NULL), -EFAULT);
		expect(ops[i].name, "no memory there",
		       raw_call(fd, ops[i].cmd, arena + 2 * PAGE), -EFAULT);
		expect(ops[i].name, "kernel memory",
		       raw_call(fd, ops[i].cmd, (void *)0xffffffff81000000), -EFAULT);
		/* The last byte is missing. */
		at = arena + 2 * PAGE - ops[i].size + 1;
		memcpy(at, arg, ops[i].size - 1);
		expect(ops[i].name, "cut short", raw_call(fd, ops[i].cmd, at), -EFAULT);
	}
	no_surprises();
}

/* An argument that cannot be written: fatal where there is something to write. */
static void test_read_only_argument(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], arg);
		memcpy(arena, arg, OP_ARG_MAX);
		assert_int_equal(mprotect(arena, PAGE, PROT_READ), 0);
		expect(ops[i].name, "read-only argument", raw_call(fd, ops[i].cmd, arena),
		       ops[i].out[0].size ? -EFAULT : 0);
		assert_int_equal(mprotect(arena, PAGE, PROT_READ | PROT_WRITE), 0);
	}
	no_surprises();
}

static void fill_outputs(const struct op *op, uint8_t *arg, int byte)
{
	size_t k;

	for (k = 0; op->out[k].size; k++)
		memset(arg + op->out[k].offset, byte, op->out[k].size);
}

/* What the caller left in an output has no influence on what comes back. */
static void test_outputs(void **state)
{
	uint8_t clean[OP_ARG_MAX], dirty[OP_ARG_MAX], junk[OP_ARG_MAX];
	const struct op_field *out;
	int fd, differs;
	size_t i;

	memset(junk, JUNK, sizeof(junk));
	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], clean);
		expect(ops[i].name, "outputs zero", raw_call(fd, ops[i].cmd, clean), 0);
		fd = prepared(&ops[i], dirty);
		fill_outputs(&ops[i], dirty, JUNK);
		expect(ops[i].name, "outputs not zero", raw_call(fd, ops[i].cmd, dirty), 0);
		for (out = ops[i].out; out->size; out++) {
			differs = memcmp(clean + out->offset, dirty + out->offset, out->size);
			expect(ops[i].name, "an output differs", !!differs, out->fresh);
			expect(ops[i].name, "an output is not written",
			       !memcmp(dirty + out->offset, junk, out->size), 0);
		}
	}
	no_surprises();
}

/* The reserved fields of what comes back are zero (inputs come back as given). */
static void test_spare_is_zero(void **state)
{
	static const uint8_t zero[64];
	uint8_t arg[OP_ARG_MAX];
	const struct op_field *f;
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		fd = prepared(&ops[i], arg);
		raw_call(fd, ops[i].cmd, arg);
		for (f = ops[i].reserved; f->size; f++)
			expect(ops[i].name, "spare", memcmp(arg + f->offset, zero, f->size), 0);
	}
	no_surprises();
}

static void test_reserved_fields(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	const struct op_field *f;
	size_t i, k;
	int fd;

	for (i = 0; i < op_count; i++) {
		for (f = ops[i].reserved; f->size; f++) {
			for (k = 0; k < f->size; k++) {
				fd = prepared(&ops[i], arg);
				arg[f->offset + k] = 0x80;
				expect(ops[i].name, "reserved",
				       raw_call(fd, ops[i].cmd, arg), -EINVAL);
			}
		}
	}
	no_surprises();
}

static void test_unknown_flags(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	unsigned int bit;
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		for (bit = 0; ops[i].flags.offset && bit < 32; bit++) {
			if (ops[i].flags.known & 1u << bit)
				continue;
			fd = prepared(&ops[i], arg);
			*(uint32_t *)(arg + ops[i].flags.offset) |= 1u << bit;
			expect(ops[i].name, "unknown flag", raw_call(fd, ops[i].cmd, arg),
			       -EINVAL);
		}
	}
	no_surprises();
}

/* Flags that exclude each other, and fields that a flag wants zero. */
static void test_flags_that_clash(void **state)
{
	struct aif_ioc_submit submit = {
		.size = sizeof(submit), .count = 1,
		.flags = AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST,
	};
	struct aif_ioc_cancel cancel = {
		.size = sizeof(cancel), .flags = AIF_CANCEL_F_WAITS, .tag = 1,
	};
	struct aif_ioc_commit_fetch fetch = {
		.size = sizeof(fetch), .flags = AIF_FETCH_F_COMMIT_ONLY, .credit = 1,
	};
	int client = world.rig.client.fd;

	assert_int_equal(raw_call(client, AIF_IOC_SUBMIT, &submit), -EINVAL);
	assert_int_equal(raw_call(client, AIF_IOC_CANCEL, &cancel), -EINVAL);
	cancel.tag = AIF_TAG_ALL;
	cancel.generation = 1;
	assert_int_equal(raw_call(client, AIF_IOC_CANCEL, &cancel), -EINVAL);
	assert_int_equal(raw_call(world.rig.executor.fd, AIF_IOC_COMMIT_FETCH, &fetch), -EINVAL);
}

static void test_roles(void **state)
{
	static const char *const names[] = { "client", "serve", "holder", "executor" };
	uint8_t arg[OP_ARG_MAX];
	char what[32];
	size_t i;
	int role;

	for (i = 0; i < op_count; i++) {
		for (role = 0; role < 4; role++) {
			if (ops[i].roles & 1u << role)
				continue;
			prepared(&ops[i], arg);
			snprintf(what, sizeof(what), "on a %s's file", names[role]);
			expect(ops[i].name, what,
			       raw_call(op_world_fd(&world, role), ops[i].cmd, arg), -ENOTTY);
		}
	}
	no_surprises();
}

/* The number alone names the operation. */
static void test_command_encoding(void **state)
{
	uint8_t arg[OP_ARG_MAX];
	unsigned int nr;
	size_t i;
	int fd;

	for (i = 0; i < op_count; i++) {
		nr = _IOC_NR(ops[i].cmd);
		fd = prepared(&ops[i], arg);
		expect(ops[i].name, "another direction and size",
		       raw_call(fd, _IOC(_IOC_NONE, AIF_IOC_TYPE, nr, 4), arg), 0);
		fd = prepared(&ops[i], arg);
		expect(ops[i].name, "another type",
		       raw_call(fd, _IOC(_IOC_READ, AIF_IOC_TYPE + 1, nr, ops[i].size), arg),
		       -ENOTTY);
	}
	no_surprises();
}

static bool is_an_op(unsigned int nr)
{
	size_t i;

	for (i = 0; i < op_total; i++)
		if (_IOC_NR(ops[i].cmd) == nr)
			return true;
	return false;
}

static void test_unknown_commands(void **state)
{
	struct aif_ioc_info arg = { .size = sizeof(arg) };
	enum aif_role role;
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		for (role = AIF_ROLE_CLIENT; !is_an_op(nr) && role <= AIF_ROLE_EXECUTOR; role++)
			assert_int_equal(raw_call(op_world_fd(&world, role),
						  _IOWR(AIF_IOC_TYPE, nr, arg), &arg), -ENOTTY);
	}
}

/* ---- ring commands ---- */

static struct io_uring ring;

static void ring_open(void)
{
	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
}

static int ring_prepared(const struct ring_op *op, uint8_t *payload)
{
	int fd;

	memset(payload, 0, 16);
	fd = op->prepare(&world, payload);
	if (fd < 0)
		fail_msg("%s: cannot prepare: %d", op->name, fd);
	return fd;
}

static void test_ring_valid(void **state)
{
	uint8_t payload[16];
	int fd, ret;
	size_t i;

	ring_open();
	for (i = 0; i < ring_op_count; i++) {
		fd = ring_prepared(&ring_ops[i], payload);
		ret = raw_ring_call(&ring, fd, ring_ops[i].cmd, payload);
		expect(ring_ops[i].name, "a good command", ret < 0 ? ret : 0, 0);
	}
	no_surprises();
	io_uring_queue_exit(&ring);
}

static void test_ring_reserved_fields(void **state)
{
	const struct op_field *f;
	uint8_t payload[16];
	size_t i, k;
	int fd;

	ring_open();
	for (i = 0; i < ring_op_count; i++) {
		for (f = ring_ops[i].reserved; f->size; f++) {
			for (k = 0; k < f->size; k++) {
				fd = ring_prepared(&ring_ops[i], payload);
				payload[f->offset + k] = 0x80;
				expect(ring_ops[i].name, "reserved",
				       raw_ring_call(&ring, fd, ring_ops[i].cmd, payload),
				       -EINVAL);
			}
		}
	}
	no_surprises();
	io_uring_queue_exit(&ring);
}

static void test_ring_unknown_flags(void **state)
{
	uint8_t payload[16];
	unsigned int bit;
	size_t i;
	int fd;

	ring_open();
	for (i = 0; i < ring_op_count; i++) {
		for (bit = 0; ring_ops[i].has_flags && bit < 32; bit++) {
			if (ring_ops[i].flags.known & 1u << bit)
				continue;
			fd = ring_prepared(&ring_ops[i], payload);
			*(uint32_t *)(payload + ring_ops[i].flags.offset) |= 1u << bit;
			expect(ring_ops[i].name, "unknown flag",
			       raw_ring_call(&ring, fd, ring_ops[i].cmd, payload), -EINVAL);
		}
	}
	no_surprises();
	io_uring_queue_exit(&ring);
}

static void test_ring_roles(void **state)
{
	uint8_t payload[16];
	size_t i;
	int role;

	ring_open();
	for (i = 0; i < ring_op_count; i++) {
		for (role = 0; role < 4; role++) {
			if (ring_ops[i].roles & 1u << role)
				continue;
			ring_prepared(&ring_ops[i], payload);
			expect(ring_ops[i].name, "on another role's file",
			       raw_ring_call(&ring, op_world_fd(&world, role), ring_ops[i].cmd,
					     payload), -ENOTTY);
		}
	}
	no_surprises();
	io_uring_queue_exit(&ring);
}

static bool is_a_ring_op(uint32_t cmd)
{
	size_t i;

	for (i = 0; i < ring_op_count; i++)
		if (ring_ops[i].cmd == cmd)
			return true;
	return false;
}

static void test_ring_unknown_commands(void **state)
{
	static const uint8_t payload[16];
	enum aif_role role;
	uint32_t cmd;

	ring_open();
	for (cmd = 0; cmd < 256; cmd++) {
		for (role = AIF_ROLE_CLIENT; !is_a_ring_op(cmd) && role <= AIF_ROLE_EXECUTOR;
		     role++)
			assert_int_equal(raw_ring_call(&ring, op_world_fd(&world, role), cmd,
						       payload), -ENOTTY);
	}
	assert_int_equal(raw_ring_call(&ring, world.rig.client.fd, AIF_IOC_SUBMIT, payload),
			 -ENOTTY);
	io_uring_queue_exit(&ring);
}

/* Not asked for is not granted; not granted is not done. */
static void test_ring_needs_its_feature(void **state)
{
	static const struct aif_cmd_wait wait;
	static const struct aif_cmd_commit_fetch fetch = { .flags = AIF_FETCH_F_COMMIT_ONLY };
	struct aif_ioc_info info = { .size = sizeof(info), .features = ~0ull };
	struct raw_executor ex;
	struct raw_client c;
	int fd;

	ring_open();
	fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	assert_int_equal(raw_ring_call(&ring, fd, AIF_CMD_WAIT, &wait), -ENXIO);
	assert_int_equal(raw_client_init(&c, fd, 0, 0), 0);
	assert_int_equal(c.features, 0);
	assert_int_equal(raw_ring_call(&ring, fd, AIF_CMD_WAIT, &wait), -EOPNOTSUPP);
	raw_client_unmap(&c);
	assert_int_equal(raw_client_init(&c, fd, 0, ~0ull), 0);
	assert_int_equal(c.features, AIF_F_URING | AIF_F_TRANSFER | AIF_F_MEMFD | AIF_F_MAP |
				     AIF_F_IMPORT);
	assert_int_equal(raw_ring_call(&ring, fd, AIF_CMD_WAIT, &wait), 0);
	raw_client_close(&c);

	fd = raw_open_as("/dev/aif-serve", RAW_EXECUTOR_UID);
	assert_int_equal(raw_executor_init(&ex, fd, world.other.id, -1, 1, 0), 0);
	assert_int_equal(raw_ring_call(&ring, fd, AIF_CMD_COMMIT_FETCH, &fetch), -EOPNOTSUPP);
	raw_executor_close(&ex);
	/* A file that serves has no buffers, so it is not told of what they can do. */
	fd = raw_open_as("/dev/aif-serve", RAW_EXECUTOR_UID);
	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	assert_int_equal(info.features, AIF_F_URING);
	close(fd);
	io_uring_queue_exit(&ring);
}

/* An IOPOLL ring is refused, or (newer kernels) nothing but a ring. */
static void test_ring_iopoll(void **state)
{
	static const struct aif_cmd_wait wait;
	struct io_uring polled;
	int ret;

	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(8, &polled, IORING_SETUP_IOPOLL), 0);
	ret = raw_ring_call(&polled, world.rig.client.fd, AIF_CMD_WAIT, &wait);
	assert_true(ret == -EOPNOTSUPP || ret == 0);
	io_uring_queue_exit(&polled);
}

/* ---- features in descriptors ---- */

static void test_features_in_descriptors(void **state)
{
	struct aif_desc d = raw_rig_desc(&world.rig, 40);
	unsigned int class;

	d.sched_class = AIF_CLASS_REALTIME;
	assert_int_equal(raw_submit(&world.rig.client, &d, 1, 0), -EOPNOTSUPP);
	for (class = AIF_CLASS_COUNT; class < 256; class++) {
		d.sched_class = (uint8_t)class;
		assert_int_equal(raw_submit(&world.rig.client, &d, 1, 0), -EINVAL);
	}
	d.sched_class = AIF_CLASS_IDLE;
	d.in_fence = 1;
	assert_int_equal(raw_submit(&world.rig.client, &d, 1, 0), -EOPNOTSUPP);
	d.in_fence = 0;
	assert_int_equal(raw_submit(&world.rig.client, &d, 1, 0), 1);
	assert_int_equal(raw_cancel(&world.rig.client, d.tag, d.generation), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_valid),
	cmocka_unit_test(test_size_too_small),
	cmocka_unit_test(test_size_from_the_future),
	cmocka_unit_test(test_size_surplus_not_zero),
	cmocka_unit_test(test_overrun),
	cmocka_unit_test(test_efault),
	cmocka_unit_test(test_read_only_argument),
	cmocka_unit_test(test_outputs),
	cmocka_unit_test(test_spare_is_zero),
	cmocka_unit_test(test_reserved_fields),
	cmocka_unit_test(test_unknown_flags),
	cmocka_unit_test(test_flags_that_clash),
	cmocka_unit_test(test_roles),
	cmocka_unit_test(test_command_encoding),
	cmocka_unit_test(test_unknown_commands),
	cmocka_unit_test(test_ring_valid),
	cmocka_unit_test(test_ring_reserved_fields),
	cmocka_unit_test(test_ring_unknown_flags),
	cmocka_unit_test(test_ring_roles),
	cmocka_unit_test(test_ring_unknown_commands),
	cmocka_unit_test(test_ring_needs_its_feature),
	cmocka_unit_test(test_ring_iopoll),
	cmocka_unit_test(test_features_in_descriptors),
};

int main(void)
{
	return tap_run("abi", tests, group_setup, group_teardown);
}
