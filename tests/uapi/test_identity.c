// SPDX-License-Identifier: MIT
/*
 * Three users: a client, an executor, an attacker.  Whose file it is decides
 * who pays, who may attach, and whom a name means; which process calls decides
 * only for executors.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgroup.h"
#include "tap.h"

static struct raw_rig rig;

static int rig_setup(void **state)
{
	return raw_rig_open(&rig, NULL);
}

/* Whose device can admit real time. */
static int steps_setup(void **state)
{
	struct aif_service_desc desc = raw_service_desc("echo");

	desc.longest_step_ms = 1;
	return raw_rig_open(&rig, &desc);
}

static int rig_teardown(void **state)
{
	raw_rig_close(&rig);
	return 0;
}

/* A file of /dev/aif-serve for somebody whom the group lets in. */
static int serve_open(uid_t uid)
{
	return raw_open_ids("/dev/aif-serve", uid, RAW_EXECUTOR_UID);
}

/* ---- another client's handles ---- */

static int guess_handles(void *p)
{
	struct aif_ioc_buffer_free buffer = { .size = sizeof(buffer) };
	struct aif_ioc_declare_pins pins = { .size = sizeof(pins), .pins = 1 };
	struct raw_client c;
	uint32_t h, grant;
	int service;

	RAW_CHECK(raw_client_open(&c, 64) == 0);
	service = raw_service_open(&c, rig.service.name, RAW_EXECUTOR_UID);
	RAW_CHECK(service > 0);
	for (h = 1; h < 256; h++) {
		buffer.handle = h;
		pins.handle = h;
		RAW_CHECK(raw_call(c.fd, AIF_IOC_BUFFER_FREE, &buffer) == -ENOENT);
		RAW_CHECK(raw_call(c.fd, AIF_IOC_DECLARE_PINS, &pins) == -ENOENT);
		RAW_CHECK(raw_grant(&c, h, (uint32_t)service, 0, &grant) == -ENOENT);
		RAW_CHECK(raw_revoke(&c, h) == -ENOENT);
		RAW_CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, c.fd, (off_t)h << 32) ==
			  MAP_FAILED && errno == ENOENT);
	}
	return 0;
}

static void test_handles_of_another_client(void **state)
{
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, guess_handles, NULL), 0);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, guess_handles, NULL), 0);
}

/* Handles of the same numbers, in a table of its own: never the other's memory. */
static int guess_grants(void *p)
{
	struct raw_client c;
	struct raw_buffer b;
	struct aif_desc d;
	uint32_t g, own;
	int service;

	RAW_CHECK(raw_client_open(&c, 64) == 0);
	service = raw_service_open(&c, rig.service.name, RAW_EXECUTOR_UID);
	RAW_CHECK(service > 0);
	RAW_CHECK(raw_buffer_alloc(&c, 4096, &b) == 0);
	RAW_CHECK(raw_grant(&c, b.handle, (uint32_t)service, AIF_GRANT_F_WRITE, &own) == 0);
	for (g = 0; g < 256; g++) {
		d = (struct aif_desc){
			.generation = g + 1, .service = (uint32_t)service,
			.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
			.ranges = { { g, 0, 64 }, { g, 64, 64 } },
		};
		if (g == own)
			continue;
		RAW_CHECK(raw_submit(&c, &d, 1, 0) == -ENOENT);
		d.service = g ? g + 1 : 0;
		RAW_CHECK((int)d.service == service || raw_submit(&c, &d, 1, 0) == -EBADF);
	}
	/* Its own grant lies in its own buffer, not in the other client's larger one. */
	d.ranges[0].grant = own;
	d.ranges[1] = (struct aif_range){ own, 4096, 64 };
	d.service = (uint32_t)service;
	RAW_CHECK(raw_submit(&c, &d, 1, 0) == -EINVAL);
	return 0;
}

static void test_grants_of_another_client(void **state)
{
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, guess_grants, NULL), 0);
}

/* A client's file has no executor's arrays, nor the reverse. */
static void test_arrays_of_another_role(void **state)
{
	uint64_t kind;
	int fd;

	for (kind = 0; kind < 256; kind++) {
		fd = kind <= AIF_ARRAY_CLIENT_STATUS ? rig.executor.fd : rig.client.fd;
		assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)kind << 24),
				 MAP_FAILED);
		assert_int_equal(errno, ENXIO);
	}
}

/* ---- names ---- */

static int open_by(const char *name, uid_t owner)
{
	return raw_service_open(&rig.client, name, owner);
}

static uint32_t id_of(const char *name, uid_t owner)
{
	struct aif_ioc_service_open arg = { .size = sizeof(arg), .owner = owner };

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_SERVICE_OPEN, &arg), 0);
	return arg.out_id;
}

static void test_name_squatting(void **state)
{
	struct aif_service_desc desc = raw_service_desc(rig.service.name);
	struct aif_ioc_service_create arg = { .size = sizeof(arg), .desc = desc };
	struct aif_ioc_service_describe d;
	int squatter = serve_open(RAW_ATTACKER_UID);

	/* Before: only the one. */
	assert_int_equal(open_by(desc.name, RAW_ATTACKER_UID), -ENOENT);
	assert_int_equal(open_by(desc.name, 0), -ENOENT);
	assert_int_equal(raw_call(squatter, AIF_IOC_SERVICE_CREATE, &arg), 0);
	/* After: the same one under its owner, the squatter's under the squatter. */
	assert_int_equal(id_of(desc.name, RAW_EXECUTOR_UID), rig.service.id);
	assert_int_equal(id_of(desc.name, RAW_ATTACKER_UID), arg.out_id);
	assert_int_not_equal(arg.out_id, rig.service.id);
	assert_int_equal(open_by(desc.name, 0), -ENOENT);
	assert_int_equal(open_by(desc.name, RAW_CLIENT_UID), -ENOENT);
	assert_int_equal(raw_service_describe(rig.client.fd, arg.out_id, &d), 0);
	assert_int_equal(d.out_owner, RAW_ATTACKER_UID);
	close(squatter);
	assert_int_equal(open_by(desc.name, RAW_ATTACKER_UID), -ENOENT);
}

/* The name of a service that is gone can be had again; old handles stay dead. */
static void test_name_again(void **state)
{
	struct aif_service_desc desc = raw_service_desc("phoenix");
	struct raw_service first, second;
	uint32_t grant;
	int old;

	assert_int_equal(raw_service_create(&first, &desc, RAW_EXECUTOR_UID), 0);
	old = open_by("phoenix", RAW_EXECUTOR_UID);
	assert_true(old > 0);
	raw_service_close(&first);
	assert_int_equal(open_by("phoenix", RAW_EXECUTOR_UID), -ENOENT);
	assert_int_equal(raw_service_create(&second, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_not_equal(first.id, second.id);
	assert_int_not_equal(open_by("phoenix", RAW_EXECUTOR_UID), old);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, (uint32_t)old, 0, &grant),
			 -ENODEV);
	raw_service_close(&second);
}

static void test_name_not_terminated(void **state)
{
	struct aif_ioc_service_open arg = { .size = sizeof(arg), .owner = RAW_EXECUTOR_UID };

	memset(arg.name, 'a', sizeof(arg.name));
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_SERVICE_OPEN, &arg), -EINVAL);
}

/* Uids are the caller's user namespace's: one that is not mapped owns nothing. */
static int look_from_a_namespace(void *p)
{
	struct aif_ioc_service_describe d;

	if (unshare(CLONE_NEWUSER))
		return 4;
	RAW_CHECK(open_by(rig.service.name, RAW_EXECUTOR_UID) == -EINVAL);
	RAW_CHECK(raw_service_describe(rig.client.fd, rig.service.id, &d) == 0);
	RAW_CHECK(d.out_owner == 65534);
	return 0;
}

static void test_user_namespace(void **state)
{
	int ret = raw_run_as(RAW_CLIENT_UID, look_from_a_namespace, NULL);

	if (ret == 4)
		skip();
	assert_int_equal(ret, 0);
}

/* ---- who may attach ---- */

static int attach(int fd, int holder)
{
	struct aif_ioc_executor_attach arg = {
		.size = sizeof(arg), .service = rig.service.id, .holder_fd = holder, .slots = 1,
	};
	int err = raw_call(fd, AIF_IOC_EXECUTOR_ATTACH, &arg);

	close(fd);
	return err;
}

static void test_attach(void **state)
{
	struct aif_ioc_service_create mine = {
		.size = sizeof(mine), .desc = raw_service_desc("mine"),
	};
	int holder = serve_open(RAW_ATTACKER_UID);

	assert_int_equal(raw_call(holder, AIF_IOC_SERVICE_CREATE, &mine), 0);
	assert_int_equal(attach(serve_open(RAW_ATTACKER_UID), -1), -EACCES);
	assert_int_equal(attach(serve_open(RAW_ATTACKER_UID), holder), -EACCES);
	assert_int_equal(attach(serve_open(RAW_ATTACKER_UID), rig.executor.fd), -EACCES);
	assert_int_equal(attach(serve_open(RAW_ATTACKER_UID), rig.client.fd), -EBADF);
	assert_int_equal(attach(dup(rig.client.fd), -1), -ENOTTY);
	/* The owner, root, and whoever was given the holder's file. */
	assert_int_equal(attach(serve_open(RAW_EXECUTOR_UID), -1), 0);
	assert_int_equal(attach(serve_open(0), -1), 0);
	assert_int_equal(attach(serve_open(RAW_ATTACKER_UID), rig.service.fd), 0);
	close(holder);
}

static int attach_after_setuid(void *p)
{
	int fd = *(int *)p;

	return attach(fd, -1) == -EACCES ? 0 : 1;
}

/* It is the opener who attaches, whatever the caller has become. */
static void test_attach_as_the_opener(void **state)
{
	int fd = serve_open(RAW_ATTACKER_UID);

	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, attach_after_setuid, &fd), 0);
	assert_int_equal(raw_run_as(0, attach_after_setuid, &fd), 0);
	close(fd);
}

/* ---- another process with the executor's file ---- */

static bool mapped(const void *at)
{
	unsigned char core;

	return mincore((void *)((uintptr_t)at & ~4095ul), 4096, &core) == 0;
}

static int use_executors_file(void *p)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	struct aif_ioc_service_list list = { .size = sizeof(list) };
	struct aif_cmd_commit_fetch fetch = { .flags = AIF_FETCH_F_NONBLOCK, .credit = 1 };
	struct aif_cmd_progress progress = { .produced = 1 };
	struct io_uring ring;
	int fd = rig.executor.fd, err;

	RAW_CHECK(raw_call(fd, AIF_IOC_INFO, &info) == -EPERM);
	RAW_CHECK(raw_call(fd, AIF_IOC_SERVICE_LIST, &list) == -EPERM);
	RAW_CHECK(raw_turn(&rig.executor, AIF_FETCH_F_NONBLOCK, 0, 1) == -EPERM);
	RAW_CHECK(raw_turn(&rig.executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0) == -EPERM);
	RAW_CHECK(raw_progress(&rig.executor, (struct raw_taken){ 0, 1 }, 1, 0) == -EPERM);
	RAW_CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)AIF_ARRAY_SLOT << 24) ==
		  MAP_FAILED && errno == EPERM);
	RAW_CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1l << 32) ==
		  MAP_FAILED && errno == EPERM);
	err = io_uring_queue_init(4, &ring, 0);
	RAW_CHECK(!err || err == -EPERM);	/* forbidden altogether */
	if (!err) {
		RAW_CHECK(raw_ring_call(&ring, fd, AIF_CMD_COMMIT_FETCH, &fetch) == -EPERM);
		RAW_CHECK(raw_ring_call(&ring, fd, AIF_CMD_PROGRESS, &progress) == -EPERM);
		io_uring_queue_exit(&ring);
	}
	RAW_CHECK(!mapped(rig.executor.slot));
	RAW_CHECK(!mapped(rig.executor.commit));
	RAW_CHECK(!mapped(rig.executor.views[0].base));
	RAW_CHECK(!mapped(rig.buffer.base));
	return 0;
}

static void serve_one(void)
{
	struct aif_desc d = raw_rig_desc(&rig, 0);

	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), 1);
	assert_int_equal(raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 1), 1);
	assert_int_equal(raw_state(&rig.client, 0, d.generation), AIF_STATE_DONE);
	assert_int_equal(rig.client.done[0].result, 0);
}

/* A forked child can do nothing with it, and its end is not the executor's. */
static void test_forked_child(void **state)
{
	serve_one();
	assert_true(mapped(rig.executor.views[0].base));
	assert_int_equal(raw_run_as(0, use_executors_file, NULL), 0);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, use_executors_file, NULL), 0);
	serve_one();
}

static int attach_and_exec(void *p)
{
	struct raw_executor ex;
	char number[16];

	RAW_CHECK(raw_executor_open(&ex, &rig.service, 1) == 0);
	RAW_CHECK(fcntl(ex.fd, F_SETFD, 0) == 0);
	snprintf(number, sizeof(number), "%d", ex.fd);
	execl("/proc/self/exe", "test_identity", "after-exec", number, NULL);
	return 1;
}

/* The other program of the same process: not the one that attached. */
static int after_exec(int fd)
{
	struct raw_executor ex = { .fd = fd };

	RAW_CHECK(raw_turn(&ex, AIF_FETCH_F_NONBLOCK, 0, 1) == -EPERM);
	RAW_CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)AIF_ARRAY_SLOT << 24) ==
		  MAP_FAILED && errno == EPERM);
	return 0;
}

static void test_exec(void **state)
{
	struct aif_ioc_service_describe d;
	int tries;

	assert_int_equal(raw_run_as(0, attach_and_exec, NULL), 0);
	for (tries = 0; tries < 500; tries++) {
		assert_int_equal(raw_service_describe(rig.client.fd, rig.service.id, &d), 0);
		if (d.out_executors == 1)
			break;
		raw_sleep_ms(10);
	}
	assert_int_equal(d.out_executors, 1);
}

/* ---- a client's file in other hands ---- */

/* Each processor keeps a stock of what was charged: numbers are about so. */
#define BIG	(16u << 20)
#define ABOUT	(1u << 20)

struct passing {
	int sockets[2];
	struct raw_gate charged;	/* the receiver has allocated */
	struct raw_gate looked;		/* the parent has looked */
};

/*
 * Another user in another cgroup, with nothing but the file: it is the client
 * now, and the opener pays.
 */
static int receiver(void *p)
{
	struct passing *pass = p;
	struct raw_client c;
	struct raw_buffer b;
	struct aif_desc d;
	uint32_t grant;
	int fd, service;

	fd = raw_receive_fd(pass->sockets[1]);
	RAW_CHECK(fd >= 0);
	RAW_CHECK(raw_client_init(&c, fd, 0, 0) == 0);
	RAW_CHECK(raw_buffer_alloc(&c, BIG, &b) == 0);
	raw_gate_open(&pass->charged);
	raw_gate_pass(&pass->looked);
	service = raw_service_open(&c, rig.service.name, RAW_EXECUTOR_UID);
	RAW_CHECK(service > 0);
	RAW_CHECK(raw_grant(&c, b.handle, (uint32_t)service, AIF_GRANT_F_WRITE, &grant) == 0);
	memset(b.base, 'p', 64);
	d = (struct aif_desc){
		.generation = 7, .service = (uint32_t)service, .sched_class = AIF_CLASS_NORMAL,
		.range_count = 2, .ranges = { { grant, 0, 64 }, { grant, 64, 64 } },
	};
	RAW_CHECK(raw_submit(&c, &d, 1, AIF_SUBMIT_F_WAIT_ALL) == 1);
	RAW_CHECK(raw_state(&c, 0, 7) == AIF_STATE_DONE && c.done[0].result == 0);
	RAW_CHECK(memcmp(b.base, b.base + 64, 64) == 0);
	return 0;
}

static int receiver_elsewhere(void *p)
{
	RAW_CHECK(cgroup_enter("receiver") == 0);
	return raw_run_as(RAW_ATTACKER_UID, receiver, p);
}

static long charged(const char *name)
{
	return cgroup_get(name, "memory.current", NULL);
}

static int open_in(const char *name)
{
	int fd;

	assert_int_equal(cgroup_enter(name), 0);
	fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	assert_int_equal(cgroup_enter(""), 0);
	assert_true(fd >= 0);
	return fd;
}

static void test_passed_file(void **state)
{
	struct passing pass;
	long before;
	pid_t pid;
	int fd;

	assert_int_equal(cgroup_make("opener"), 0);
	assert_int_equal(cgroup_make("receiver"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass.sockets), 0);
	assert_int_equal(raw_gate_init(&pass.charged), 0);
	assert_int_equal(raw_gate_init(&pass.looked), 0);
	pid = raw_spawn(0, receiver_elsewhere, &pass);
	fd = open_in("opener");
	before = charged("opener");
	assert_int_equal(raw_send_fd(pass.sockets[0], fd), 0);
	close(fd);
	raw_gate_pass(&pass.charged);
	assert_in_range(charged("opener") - before, BIG - ABOUT, BIG + ABOUT);
	assert_in_range(charged("receiver"), 0, BIG / 2);
	raw_gate_open(&pass.looked);
	while (raw_echo_all(&rig.executor, 0, 1) == 0)
		;	/* events */
	assert_int_equal(raw_reap(pid), 0);
	/* The last holder is gone and the executor lets go: nothing stays charged. */
	assert_int_equal(raw_echo_all(&rig.executor, 0, 1), 0);
	assert_int_equal(rig.executor.events[AIF_EVENT_GRANT_REVOKED], 1);
	assert_int_equal(raw_alive_becomes("buffers", 1), 0);
	assert_in_range(charged("opener"), 0, BIG / 2);
	close(pass.sockets[0]);
	close(pass.sockets[1]);
	raw_gate_fini(&pass.charged);
	raw_gate_fini(&pass.looked);
	assert_int_equal(cgroup_remove("receiver"), 0);
	assert_int_equal(cgroup_remove("opener"), 0);
}

/* Tenants are cgroups: the same for two files of one, another for another. */
static void test_tenants(void **state)
{
	struct aif_ioc_info a = { .size = sizeof(a) }, b = a, c = a;
	int fds[3];

	assert_int_equal(cgroup_make("one"), 0);
	assert_int_equal(cgroup_make("two"), 0);
	fds[0] = open_in("one");
	fds[1] = open_in("one");
	fds[2] = open_in("two");
	assert_int_equal(raw_call(fds[0], AIF_IOC_INFO, &a), 0);
	assert_int_equal(raw_call(fds[1], AIF_IOC_INFO, &b), 0);
	assert_int_equal(raw_call(fds[2], AIF_IOC_INFO, &c), 0);
	assert_true(a.out_tenant == b.out_tenant);
	assert_true(a.out_tenant != c.out_tenant);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	assert_int_equal(cgroup_remove("one"), 0);
	assert_int_equal(cgroup_remove("two"), 0);
}

/* One request in real time, answered; then nothing is left of the client. */
static void work_in_realtime(int fd)
{
	struct aif_desc d;
	struct raw_client c;
	struct raw_buffer b;
	uint32_t grant;
	int handle;

	assert_int_equal(raw_client_init(&c, fd, 8, AIF_F_REALTIME), 0);
	assert_true(c.features & AIF_F_REALTIME);
	handle = raw_service_open(&c, rig.service.name, RAW_EXECUTOR_UID);
	assert_true(handle > 0);
	assert_int_equal(raw_buffer_alloc(&c, 8192, &b), 0);
	assert_int_equal(raw_grant(&c, b.handle, (uint32_t)handle, AIF_GRANT_F_WRITE, &grant), 0);
	d = (struct aif_desc){
		.generation = 7, .service = (uint32_t)handle, .sched_class = AIF_CLASS_REALTIME,
		.range_count = 2, .ranges = { { grant, 0, 64 }, { grant, 4096, 64 } },
	};
	assert_int_equal(raw_submit(&c, &d, 1, 0), 1);
	while (raw_echo_all(&rig.executor, 0, 1) == 0)
		;	/* events */
	assert_int_equal(raw_state(&c, 0, 7), AIF_STATE_DONE);
	munmap(b.base, 8192);
	raw_client_close(&c);
	assert_int_equal(raw_echo_all(&rig.executor, 0, 1), 0);
	assert_int_equal(raw_alive_becomes("buffers", 1), 0);
}

/* What was set for a group goes with it, also the budget that it has used. */
static void test_removed_group(void **state)
{
	struct aif_ioc_tenant_set set = {
		.size = sizeof(set), .flags = AIF_TENANT_F_REALTIME,
		.realtime = { .period_us = 3600u * 1000000, .budget_us = 1000000 },
	};
	struct aif_ioc_info info = { .size = sizeof(info) };
	struct aif_tenant_now now;
	int fd, i;

	assert_int_equal(cgroup_make("gone"), 0);
	fd = open_in("gone");
	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	close(fd);
	set.id = info.out_tenant;
	memcpy(set.realtime.device, raw_service_desc("echo").device, sizeof(set.realtime.device));
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_TENANT_SET, &set), 0);
	work_in_realtime(open_in("gone"));
	assert_int_equal(raw_tenant(rig.client.fd, set.id, &now), 0);
	assert_int_equal(cgroup_remove("gone"), 0);
	/* A client that is closed is gone some time later. */
	for (i = 0; i < 1000 && !raw_tenant(rig.client.fd, set.id, &now); i++)
		raw_sleep_ms(10);
	assert_int_equal(raw_tenant(rig.client.fd, set.id, &now), -ENOENT);
}

static int use_clients_file(void *p)
{
	struct aif_desc *d = p;
	struct raw_client c;

	RAW_CHECK(raw_client_init(&c, rig.client.fd, 0, 0) == 0);
	RAW_CHECK(raw_submit(&c, d, 1, 0) == 1);
	RAW_CHECK(raw_cancel(&c, d->tag, d->generation) == 0);
	return 0;
}

/* Unlike an executor's file, a client's works after fork too. */
static void test_clients_file_forked(void **state)
{
	struct aif_desc d = raw_rig_desc(&rig, 1);

	assert_int_equal(raw_run_as(0, use_clients_file, &d), 0);
	d = raw_rig_desc(&rig, 1);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, use_clients_file, &d), 0);
}

#define RIG_TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		RIG_TEST(test_handles_of_another_client),
		RIG_TEST(test_grants_of_another_client),
		RIG_TEST(test_arrays_of_another_role),
		RIG_TEST(test_name_squatting),
		RIG_TEST(test_name_again),
		RIG_TEST(test_name_not_terminated),
		RIG_TEST(test_user_namespace),
		RIG_TEST(test_attach),
		RIG_TEST(test_attach_as_the_opener),
		RIG_TEST(test_forked_child),
		RIG_TEST(test_exec),
		RIG_TEST(test_passed_file),
		cmocka_unit_test(test_tenants),
		cmocka_unit_test_setup_teardown(test_removed_group, steps_setup, rig_teardown),
		RIG_TEST(test_clients_file_forked),
	};

	if (argc == 3 && !strcmp(argv[1], "after-exec"))
		return after_exec(atoi(argv[2]));
	return tap_run("identity", tests, NULL, NULL);
}
