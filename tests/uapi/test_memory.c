// SPDX-License-Identifier: MIT
/*
 * Memory cgroups: who opened the file pays for everything it causes; a full
 * group is -ENOMEM and not the end of anybody, and leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "tap.h"

#define MIB	(1l << 20)
#define GROUP	"memory-test"

static int group_setup(void **state)
{
	return cgroup_make(GROUP);
}

static int group_teardown(void **state)
{
	return cgroup_remove(GROUP);
}

static long charged(void)
{
	return cgroup_get(GROUP, "memory.current", NULL);
}

static void limit(long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", bytes);
	assert_int_equal(cgroup_set(GROUP, "memory.max", text), 0);
}

static int open_in_group(const char *path, uid_t uid)
{
	int fd;

	assert_int_equal(cgroup_enter(GROUP), 0);
	fd = raw_open_as(path, uid);
	assert_int_equal(cgroup_enter(""), 0);
	return fd;
}

static int alloc(int fd, uint64_t bytes, uint32_t *handle)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = bytes };
	int err = raw_call(fd, AIF_IOC_BUFFER_ALLOC, &arg);

	*handle = arg.out_handle;
	return err;
}

/* Charged is what was asked for, and as much goes back. */
static void test_charge_and_back(void **state)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg) };
	int fd = open_in_group("/dev/aif", RAW_CLIENT_UID);
	long before = charged();

	assert_true(fd >= 0);
	assert_int_equal(alloc(fd, 32 * MIB, &arg.handle), 0);
	assert_in_range(charged() - before, 31 * MIB, 34 * MIB);
	assert_int_equal(raw_call(fd, AIF_IOC_BUFFER_FREE, &arg), 0);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	assert_in_range(charged() + 2 * MIB, before, before + 4 * MIB);
	close(fd);
}

/*
 * A process in a group that is full: refused, not killed, again and again; then
 * what there is room for is there.
 */
static int alloc_in_full_group(void *p)
{
	uint32_t handle;
	int fd, i;

	RAW_CHECK(cgroup_enter(GROUP) == 0);
	fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	RAW_CHECK(fd >= 0);
	for (i = 0; i < 4; i++)
		RAW_CHECK(alloc(fd, (uint64_t)(64 * MIB), &handle) == -ENOMEM);
	RAW_CHECK(alloc(fd, (uint64_t)(4 * MIB), &handle) == 0);
	return 0;
}

static void test_full_group(void **state)
{
	limit(16 * MIB);
	assert_int_equal(raw_run_as(0, alloc_in_full_group, NULL), 0);
	assert_int_equal(cgroup_get(GROUP, "memory.events", "oom_kill"), 0);
	limit(1024 * MIB);
}

/* More than the machine has: the machine does not kill anybody for it either. */
static int alloc_more_than_there_is(void *p)
{
	uint32_t handle;
	int fd = open("/dev/aif", O_RDWR);

	RAW_CHECK(fd >= 0);
	RAW_CHECK(alloc(fd, 4ull << 30 >> 1, &handle) == -ENOMEM);
	RAW_CHECK(alloc(fd, (uint64_t)MIB, &handle) == 0);
	return 0;
}

static void test_full_machine(void **state)
{
	long before = raw_vmstat("oom_kill");

	assert_true(sysconf(_SC_PHYS_PAGES) < 2l << 30 >> 12);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, alloc_more_than_there_is, NULL), 0);
	assert_int_equal(raw_vmstat("oom_kill"), before);
}

/* ---- every allocation fails once ---- */

#define STEPS	5

/* What a client does; how many steps went well, or -errno of the first that did not. */
static int client_steps(struct raw_rig *r, int fd, int *done)
{
	struct aif_ioc_info info = { .size = sizeof(info), .depth = 4096 };
	uint32_t buffer = 0, grant;
	struct raw_client c = { .fd = fd };
	int ret;

	*done = 0;
	ret = raw_call(fd, AIF_IOC_INFO, &info);
	if (ret)
		return ret;
	++*done;
	ret = raw_service_open(&c, r->service.name, RAW_EXECUTOR_UID);
	if (ret < 0)
		return ret;
	++*done;
	ret = alloc(fd, MIB, &buffer);
	if (ret)
		return ret;
	++*done;
	ret = raw_grant(&c, buffer, 1, AIF_GRANT_F_WRITE, &grant);
	if (ret)
		return ret;
	++*done;
	return 0;
}

/*
 * The group's limit rises until all steps succeed: each must have failed on the
 * way with -ENOMEM or been carried by what the step before had left, and after
 * each attempt nothing is left of it but the rig.
 */
static void test_rising_limit(void **state)
{
	struct raw_rig rig;
	int fd, done, ret = -ENOMEM, failed_at[STEPS] = { 0 };
	long kib;

	assert_int_equal(raw_all_gone(), 0);	/* of other tests */
	assert_int_equal(raw_rig_open(&rig, NULL), 0);
	for (kib = 0; ret && kib < 16384; kib += 64) {
		limit(1024 * MIB);
		fd = open_in_group("/dev/aif", RAW_CLIENT_UID);
		assert_true(fd >= 0);
		limit(kib << 10);
		ret = client_steps(&rig, fd, &done);
		assert_true(!ret || ret == -ENOMEM);
		failed_at[done]++;
		close(fd);
		raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 1);
		assert_int_equal(raw_alive_becomes("buffers", 1), 0);
		assert_int_equal(raw_alive_becomes("grants", 1), 0);
		assert_int_equal(raw_alive_becomes("clients", 1), 0);
	}
	assert_int_equal(ret, 0);
	print_message("# failed at INFO %d times, at ALLOC %d\n", failed_at[0], failed_at[2]);
	assert_true(failed_at[0] > 0);
	assert_true(failed_at[2] > 0);
	limit(1024 * MIB);
	raw_rig_close(&rig);
}

/*
 * The same for an executor, whose arrays are its own group's.  It is in the
 * group, so the kernel may also kill it for a page of its own.
 */
static int attach_in_group(void *p)
{
	struct raw_rig *rig = p;
	struct raw_executor ex;
	int fd;

	fd = raw_open_as("/dev/aif-serve", RAW_EXECUTOR_UID);
	RAW_CHECK(fd >= 0);
	RAW_CHECK(cgroup_enter(GROUP) == 0);
	return -raw_executor_init(&ex, fd, rig->service.id, -1, 1024, 0);
}

static void test_executor_in_a_full_group(void **state)
{
	int ret = ENOMEM, refused = 0;
	struct raw_rig rig;
	long kib;

	assert_int_equal(raw_all_gone(), 0);
	assert_int_equal(raw_rig_open(&rig, NULL), 0);
	for (kib = 64; ret && kib < 16384; kib += 64) {
		limit(kib << 10);
		ret = raw_run_as(0, attach_in_group, &rig);
		assert_true(!ret || ret == ENOMEM || ret == -SIGKILL);
		refused += ret == ENOMEM;
		assert_int_equal(raw_alive_becomes("executors", 1), 0);
		assert_int_equal(raw_alive_becomes("views", 1), 0);
	}
	print_message("# refused %d times\n", refused);
	assert_int_equal(ret, 0);
	assert_true(refused > 0);
	limit(1024 * MIB);
	raw_rig_close(&rig);
}

/* What is set for a group lives as long as the group, or a charge to it. */
static void test_limits_of_a_group(void **state)
{
	struct aif_tenant_now now;
	struct raw_client c;
	struct stat st;
	uint32_t h;
	int root = open("/dev/aif", O_RDWR | O_CLOEXEC);

	assert_int_equal(cgroup_make("brief"), 0);
	assert_int_equal(stat("/sys/fs/cgroup/brief", &st), 0);
	assert_int_equal(raw_tenant_set(root, st.st_ino, AIF_TENANT_F_ALLOC,
					(struct aif_tenant_limits){ .alloc_bytes = MIB }), 0);
	assert_int_equal(cgroup_enter("brief"), 0);
	assert_int_equal(raw_client_init(&c, raw_open_as("/dev/aif", RAW_CLIENT_UID), 4, 0), 0);
	assert_int_equal(cgroup_enter(""), 0);
	assert_int_equal(alloc(c.fd, MIB + 1, &h), -EDQUOT);
	assert_int_equal(alloc(c.fd, MIB, &h), 0);
	assert_int_equal(cgroup_remove("brief"), 0);
	assert_int_equal(raw_tenant(root, st.st_ino, &now), 0);
	assert_true(now.used.alloc_bytes == MIB && now.files == 1);
	assert_int_equal(raw_tenant_set(root, st.st_ino, AIF_TENANT_F_ALLOC,
					(struct aif_tenant_limits){ .alloc_bytes = 1 }), -ENOENT);
	raw_client_close(&c);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	assert_int_equal(raw_tenant(root, st.st_ino, &now), -ENOENT);
	close(root);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charge_and_back),
		cmocka_unit_test(test_full_group),
		cmocka_unit_test(test_full_machine),
		cmocka_unit_test(test_rising_limit),
		cmocka_unit_test(test_executor_in_a_full_group),
		cmocka_unit_test(test_limits_of_a_group),
	};

	return tap_run("memory", tests, group_setup, group_teardown);
}
