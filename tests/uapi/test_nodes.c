// SPDX-License-Identifier: MIT
/* Who may open what: the nodes' modes follow the module's parameter. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

static gid_t serve_gid(void)
{
	unsigned int gid = 0;
	FILE *f = fopen("/sys/module/aif/parameters/serve_gid", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &gid), 1);
	fclose(f);
	return gid;
}

static void test_modes(void **state)
{
	gid_t gid = serve_gid();
	struct stat st;

	assert_int_equal(stat("/dev/aif", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(stat("/dev/aif-serve", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, gid ? 0660 : 0600);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, gid);
}

static int can_open(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int can_open_client(void *p)
{
	return can_open("/dev/aif");
}

static int can_open_serve(void *p)
{
	return can_open("/dev/aif-serve");
}

static void test_users(void **state)
{
	int serves = serve_gid() == RAW_EXECUTOR_UID ? 0 : EACCES;

	assert_int_equal(raw_run_as(0, can_open_serve, NULL), 0);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, can_open_client, NULL), 0);
	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, can_open_client, NULL), 0);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, can_open_client, NULL), 0);
	assert_int_equal(raw_run_as(RAW_CLIENT_UID, can_open_serve, NULL), EACCES);
	assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, can_open_serve, NULL), serves);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, can_open_serve, NULL), EACCES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_users),
	};

	return tap_run("nodes", tests, NULL, NULL);
}
