// SPDX-License-Identifier: MIT
/*
 * test_door open|shut
 *
 * The ring door, as it must be on this kernel.  Shut: its feature bit is not
 * granted to any file, and each command says so and changes nothing.
 */
#include "../uapi/tap.h"

static uint64_t granted(int fd)
{
	struct aif_ioc_info info = { .size = sizeof(info), .features = AIF_F_URING };

	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	return info.features;
}

/* On a client's file, and on an executor's. */
static void features_are(uint64_t expected)
{
	struct raw_rig r;

	assert_int_equal(raw_rig_open(&r, NULL), 0);
	assert_int_equal(granted(r.client.fd), expected);
	assert_int_equal(granted(r.executor.fd), expected);
	raw_rig_close(&r);
}

static void test_feature_granted(void **state)
{
	features_are(AIF_F_URING);
}

static void test_feature_not_granted(void **state)
{
	features_are(0);
}

/* All 16 bytes zero but what makes it a command that would be good. */
static void refused(int fd, struct io_uring *ring)
{
	static const struct aif_cmd_submit submit = { .count = 1 };
	static const struct aif_cmd_commit_fetch fetch = {
		.flags = AIF_FETCH_F_NONBLOCK, .credit = 1,
	};
	static const uint8_t zero[16];

	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_SUBMIT, &submit), -EOPNOTSUPP);
	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_COMMIT_FETCH, &fetch), -EOPNOTSUPP);
	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_WAIT, zero), -EOPNOTSUPP);
	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_WAIT_QUIET, zero), -EOPNOTSUPP);
	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_CANCEL, zero), -EOPNOTSUPP);
	assert_int_equal(raw_ring_call(ring, fd, AIF_CMD_PROGRESS, zero), -EOPNOTSUPP);
}

/* The request whose SUBMIT was refused is good still, by the other door. */
static void test_commands_refused(void **state)
{
	struct io_uring ring;
	struct aif_desc d;
	struct raw_rig r;

	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
	assert_int_equal(raw_rig_open(&r, NULL), 0);
	d = raw_rig_desc(&r, 0);
	r.client.desc[0] = d;
	refused(r.client.fd, &ring);
	refused(r.executor.fd, &ring);
	refused(r.service.fd, &ring);
	assert_int_equal(r.client.status->submitted, 0);
	assert_int_equal(raw_submit(&r.client, &d, 1, 0), 1);
	assert_int_equal(raw_echo_all(&r.executor, AIF_FETCH_F_NONBLOCK, 16), 1);
	assert_int_equal(raw_state(&r.client, 0, d.generation), AIF_STATE_DONE);
	raw_rig_close(&r);
	io_uring_queue_exit(&ring);
}

static int usage(void)
{
	fputs("usage: test_door open|shut\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest open_tests[] = {
		cmocka_unit_test(test_feature_granted),
	};
	const struct CMUnitTest shut_tests[] = {
		cmocka_unit_test(test_feature_not_granted),
		cmocka_unit_test(test_commands_refused),
	};

	if (argc != 2)
		return usage();
	if (!strcmp(argv[1], "open"))
		return tap_run("door open", open_tests, NULL, NULL);
	if (!strcmp(argv[1], "shut"))
		return tap_run("door shut", shut_tests, NULL, NULL);
	return usage();
}
