// SPDX-License-Identifier: MIT
/*
 * Buffers that pass between clients as files: each right and no other, whoever has
 * the file, whatever becomes of who made it.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

#define PAGE		4096u
#define BYTES		(4 * PAGE)
#define READ_MAP	(AIF_RIGHT_READ | AIF_RIGHT_MAP)

static struct raw_rig rig;		/* the owner is its client */
static struct raw_client other;		/* another user's */
static uint32_t service;		/* its handle of the rig's */
static struct raw_buffer own;		/* the other's, all rights */

static int group_setup(void **state)
{
	int err = raw_rig_open(&rig, NULL);
	int64_t features = err ? err : raw_client_ask(&rig.client, AIF_F_TRANSFER);

	if (features < 0 || !(features & AIF_F_TRANSFER) ||
	    raw_client_init(&other, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64,
			    AIF_F_TRANSFER))
		return -1;
	err = raw_service_open(&other, rig.service.name, rig.service.owner);
	service = (uint32_t)err;
	return err < 0 ? err : raw_buffer_alloc(&other, BYTES, &own);
}

static int group_teardown(void **state)
{
	raw_buffer_free(&other, &own);
	raw_client_close(&other);
	raw_rig_close(&rig);
	return 0;
}

/* The rig's buffer as @c has it, by @rights. */
static struct raw_buffer shared(struct raw_client *c, uint32_t rights)
{
	int fd = raw_share(&rig.client, rig.buffer.handle, rights);
	struct raw_buffer b;

	assert_true(fd >= 0);
	assert_int_equal(raw_accept(c, fd, 0, &b), 0);
	close(fd);
	return b;
}

/* 0 or -errno. */
static int try_map(const struct raw_buffer *b, int prot)
{
	void *p = mmap(NULL, b->length, prot, MAP_SHARED, other.fd, (off_t)b->handle << 32);

	return p == MAP_FAILED ? -errno : munmap(p, b->length);
}

static int try_grant(const struct raw_buffer *b, uint32_t flags)
{
	uint32_t grant;
	int err = raw_grant(&other, b->handle, service, flags, &grant);

	return err ? err : raw_revoke(&other, grant);
}

static int copy(uint32_t from, uint32_t to, uint32_t length)
{
	return raw_transfer(&other, raw_copy_desc(&other, 0, (struct aif_range){ from, 0, length },
						  (struct aif_range){ to, 0, length }));
}

static int allowed(uint32_t rights, uint32_t need)
{
	return need & ~rights ? -EACCES : 0;
}

/* Everything that can be done with a handle, by every set of rights. */
static void test_every_right(void **state)
{
	uint32_t rights;
	struct raw_buffer b;

	for (rights = 1; rights <= AIF_RIGHT_ALL; rights++) {
		b = shared(&other, rights);
		assert_int_equal(try_map(&b, PROT_READ), allowed(rights, READ_MAP));
		assert_int_equal(try_map(&b, PROT_READ | PROT_WRITE),
				 allowed(rights, READ_MAP | AIF_RIGHT_WRITE));
		assert_int_equal(try_grant(&b, 0), allowed(rights, READ_MAP));
		assert_int_equal(try_grant(&b, AIF_GRANT_F_WRITE),
				 allowed(rights, READ_MAP | AIF_RIGHT_WRITE));
		assert_int_equal(copy(b.handle, own.handle, BYTES),
				 allowed(rights, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER));
		assert_int_equal(copy(own.handle, b.handle, BYTES),
				 allowed(rights, AIF_RIGHT_WRITE | AIF_RIGHT_TRANSFER));
		raw_buffer_free(&other, &b);
	}
}

/* What is mapped for reading does not become writable later. */
static void test_no_mprotect(void **state)
{
	struct raw_buffer b = shared(&other, READ_MAP);

	assert_int_equal(mprotect(b.base, b.length, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	raw_buffer_free(&other, &b);
}

/* Shared on, it is never more than it was, and each right can be left behind; 0: as it is. */
static void test_narrowed(void **state)
{
	uint32_t has, asked;
	struct raw_buffer b;
	int fd;

	for (has = 1; has <= AIF_RIGHT_ALL; has++) {
		b = shared(&other, has);
		for (asked = 0; asked <= AIF_RIGHT_ALL; asked++) {
			fd = raw_share(&other, b.handle, asked);
			assert_int_equal(fd < 0 ? fd : 0, allowed(has, asked));
			if (fd >= 0)
				close(fd);
		}
		raw_buffer_free(&other, &b);
	}
}

/* Pinned memory passes on as what it is: to transfers, and not to write if it was not. */
static void test_pinned(void **state)
{
	static uint8_t memory[BYTES];
	int handle = raw_pin(&rig.client, memory, BYTES, 0);
	struct raw_buffer b;
	int fd;

	assert_true(handle > 0);
	assert_int_equal(raw_share(&rig.client, (uint32_t)handle, AIF_RIGHT_ALL), -EACCES);
	fd = raw_share(&rig.client, (uint32_t)handle, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER);
	assert_true(fd >= 0);
	assert_int_equal(raw_accept(&other, fd, 0, &b), 0);
	close(fd);
	assert_null(b.base);
	assert_int_equal(try_map(&b, PROT_READ), -ENODEV);
	raw_scribble(memory, BYTES, 7);
	assert_int_equal(copy(b.handle, own.handle, BYTES), 0);
	assert_memory_equal(own.base, memory, BYTES);
	assert_int_equal(copy(own.handle, b.handle, BYTES), -EACCES);
	assert_int_equal(raw_unpin(&rig.client, (uint32_t)handle), 0);
	memset(own.base, 0, BYTES);
	assert_int_equal(copy(b.handle, own.handle, BYTES), 0);
	assert_memory_equal(own.base, memory, BYTES);
	assert_int_equal(raw_unpin(&other, b.handle), 0);
}

/* A request of the other's in the owner's memory: the executor's answer is there for both. */
static void test_request(void **state)
{
	struct raw_buffer b = shared(&other, AIF_RIGHT_ALL & ~AIF_RIGHT_TRANSFER);
	struct aif_desc d = {
		.tag = 1, .generation = ++other.generation, .service = service,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
	};
	uint32_t grant;

	assert_int_equal(raw_grant(&other, b.handle, service, AIF_GRANT_F_WRITE, &grant), 0);
	d.ranges[0] = (struct aif_range){ grant, 0, 64 };
	d.ranges[1] = (struct aif_range){ grant, RAW_RIG_OUTPUT, 64 };
	raw_scribble(rig.buffer.base, 64, 3);
	assert_int_equal(raw_submit(&other, &d, 1, 0), 1);
	assert_int_equal(raw_echo_all(&rig.executor, 0, 1), 1);
	assert_true(raw_answered(&other, 1, d.generation));
	assert_memory_equal(rig.buffer.base + RAW_RIG_OUTPUT, rig.buffer.base, 64);
	assert_int_equal(raw_revoke(&other, grant), 0);
	raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, NULL);
	raw_buffer_free(&other, &b);
}

/* ---- between processes ---- */

static int pair[2];

/* A client that allocates, writes, shares, sends, and is killed. */
static int child_owner(void *p)
{
	struct raw_client c;
	struct raw_buffer b;

	RAW_CHECK(!raw_client_open(&c, 64));
	RAW_CHECK(!raw_buffer_alloc(&c, BYTES, &b));
	raw_scribble(b.base, BYTES, 42);
	RAW_CHECK(!raw_send_fd(pair[0], raw_share(&c, b.handle, READ_MAP)));
	kill(getpid(), SIGKILL);
	return 1;
}

/* The memory lives, and is charged, as long as the file does, in flight too. */
static void test_owner_dies(void **state)
{
	long buffers = raw_alive("buffers"), bytes = raw_alive("buffer_bytes");
	uint8_t want[BYTES];
	struct raw_buffer b;
	int fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, child_owner, NULL), -SIGKILL);
	assert_int_equal(raw_alive_becomes("clients", 2), 0);
	assert_int_equal(raw_alive("buffers"), buffers + 1);
	assert_int_equal(raw_alive("buffer_bytes"), bytes + BYTES);
	fd = raw_receive_fd(pair[1]);
	assert_true(fd >= 0);
	assert_int_equal(raw_accept(&other, fd, 0, &b), 0);
	close(fd);
	raw_scribble(want, BYTES, 42);
	assert_memory_equal(b.base, want, BYTES);
	assert_int_equal(raw_buffer_free(&other, &b), 0);
	assert_int_equal(raw_alive_becomes("buffers", buffers), 0);
	assert_int_equal(raw_alive("buffer_bytes"), bytes);
	close(pair[0]);
	close(pair[1]);
}

/* ... and goes with the socket that nobody read from. */
static void test_never_received(void **state)
{
	long buffers = raw_alive("buffers");

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, child_owner, NULL), -SIGKILL);
	assert_int_equal(raw_alive("buffers"), buffers + 1);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(raw_alive_becomes("buffers", buffers), 0);
}

static uint64_t tenant_of(struct raw_client *c)
{
	struct aif_ioc_info info = { .size = sizeof(info) };

	assert_int_equal(raw_call(c->fd, AIF_IOC_INFO, &info), 0);
	return info.out_tenant;
}

/* Both let go of everything while a transfer is under way, which alone keeps the memory. */
static void test_owner_goes_under_transfer(void **state)
{
	const struct aif_tenant_limits slow = { .bytes_second = 1 }, none = { 0 };
	long buffers = raw_alive("buffers");
	uint64_t tenant = tenant_of(&other);
	struct raw_client owner;
	struct raw_buffer mine, theirs;
	struct aif_desc d;
	uint32_t tag;
	int fd;

	assert_int_equal(raw_client_init(&owner, raw_open_as("/dev/aif", RAW_CLIENT_UID), 64, 0),
			 0);
	assert_int_equal(raw_buffer_alloc(&owner, BYTES, &mine), 0);
	fd = raw_share(&owner, mine.handle, AIF_RIGHT_ALL);
	assert_true(fd >= 0);
	assert_int_equal(raw_accept(&other, fd, 0, &theirs), 0);
	close(fd);
	assert_int_equal(raw_tenant_set(other.fd, tenant, AIF_TENANT_F_BYTES_SECOND, slow), 0);
	for (tag = 0; tag < 2; tag++) {	/* the first is moved, and owed; the second waits for that */
		d = raw_fill_desc(&other, tag, "x", 1, (struct aif_range){ theirs.handle, 0, BYTES });
		assert_int_equal(raw_submit(&other, &d, 1, 0), 1);
	}
	assert_int_equal(raw_buffer_free(&owner, &mine), 0);
	raw_client_close(&owner);
	assert_int_equal(raw_buffer_free(&other, &theirs), 0);
	assert_int_equal(raw_wait_quiet(&other, 0, -1), 0);
	assert_int_equal(raw_alive("buffers"), buffers + 1);
	assert_int_equal(raw_tenant_set(other.fd, tenant, AIF_TENANT_F_BYTES_SECOND, none), 0);
	assert_int_equal(raw_wait_quiet(&other, 1, -1), 0);
	assert_int_equal(other.done[1].result, 0);
	assert_int_equal(other.done[1].produced, BYTES);
	assert_int_equal(raw_alive_becomes("buffers", buffers), 0);
}

/* The line of /proc/self/fdinfo that begins with @what, and its number. */
static unsigned long long fdinfo(int fd, const char *what, char line[256])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	assert_non_null(f);
	do {
		assert_non_null(fgets(line, 256, f));
	} while (strncmp(line, what, strlen(what)));
	fclose(f);
	return strtoull(line + strlen(what), NULL, 10);
}

/* What an administrator reads: one number for the buffer, wherever it is. */
static void test_fdinfo(void **state)
{
	const uint32_t rights = AIF_RIGHT_READ | AIF_RIGHT_TRANSFER;
	int fd = raw_share(&rig.client, rig.buffer.handle, rights);
	unsigned long long number;
	struct raw_client third;
	struct raw_buffer b;
	char line[256];

	assert_true(fd >= 0);
	number = fdinfo(fd, "aif-buffer:\t", line);
	assert_non_null(strstr(line, " alloc 65536 bytes of tenant "));
	assert_non_null(strstr(line, " r--t\n"));
	assert_int_equal(fdinfo(rig.client.fd, "aif-buffer:\t", line), number);
	assert_non_null(strstr(line, " rwmt\n"));
	assert_int_equal(raw_client_init(&third, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 4, 0), 0);
	assert_true(fdinfo(third.fd, "aif-client:\t", line) > fdinfo(other.fd, "aif-client:\t", line));
	assert_int_equal(raw_accept(&third, fd, 0, &b), 0);
	assert_int_equal(fdinfo(third.fd, "aif-buffer:\t", line), number);
	assert_non_null(strstr(line, " r--t\n"));
	close(fd);
	raw_client_close(&third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_right),
		cmocka_unit_test(test_no_mprotect),
		cmocka_unit_test(test_narrowed),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_owner_dies),
		cmocka_unit_test(test_never_received),
		cmocka_unit_test(test_owner_goes_under_transfer),
		cmocka_unit_test(test_fdinfo),
	};

	return tap_run("share", tests, group_setup, group_teardown);
}
