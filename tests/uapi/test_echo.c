// SPDX-License-Identifier: MIT
/* The shortest way through everything, by both doors. */
#include "tap.h"

static void test_echo_ioctl(void **state)
{
	struct raw_rig r;
	struct aif_desc d;

	assert_int_equal(raw_rig_open(&r, NULL), 0);
	d = raw_rig_desc(&r, 3);
	memset(r.buffer.base + 3 * 64, 'x', 64);
	assert_int_equal(raw_submit(&r.client, &d, 1, 0), 1);
	assert_int_equal(raw_state(&r.client, 3, d.generation), AIF_STATE_QUEUED);
	assert_int_equal(raw_echo_all(&r.executor, AIF_FETCH_F_NONBLOCK, 16), 1);
	assert_int_equal(raw_state(&r.client, 3, d.generation), AIF_STATE_DONE);
	assert_int_equal(r.client.done[3].result, 0);
	assert_int_equal(r.client.done[3].produced, 64);
	assert_memory_equal(r.buffer.base + 3 * 64, r.buffer.base + RAW_RIG_OUTPUT + 3 * 64, 64);
	raw_rig_close(&r);
}

static void test_echo_inline(void **state)
{
	struct raw_rig r;
	struct aif_desc d;

	assert_int_equal(raw_rig_open(&r, NULL), 0);
	d = raw_rig_desc(&r, 0);
	d.range_count = 1;
	d.inline_length = 5;
	d.ranges[0] = d.ranges[1];
	memset(&d.ranges[1], 0, 2 * sizeof(d.ranges[1]));
	memcpy(d.input, "hello", 5);
	assert_int_equal(raw_submit(&r.client, &d, 1, 0), 1);
	assert_int_equal(raw_echo_all(&r.executor, AIF_FETCH_F_NONBLOCK, 16), 1);
	assert_int_equal(r.client.done[0].produced, 5);
	assert_memory_equal(r.buffer.base + RAW_RIG_OUTPUT, "hello", 6);
	raw_rig_close(&r);
}

static void test_echo_ring(void **state)
{
	struct aif_cmd_submit submit = { .count = 1 };
	struct aif_cmd_commit_fetch fetch = { .credit = 16 };
	struct raw_taken taken[16];
	struct io_uring ring;
	struct raw_rig r;
	int n;

	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
	assert_int_equal(raw_rig_open(&r, NULL), 0);
	r.client.desc[0] = raw_rig_desc(&r, 0);
	memset(r.buffer.base, 'y', 64);
	assert_int_equal(raw_ring_call(&ring, r.client.fd, AIF_CMD_SUBMIT, &submit), 1);
	n = raw_ring_call(&ring, r.executor.fd, AIF_CMD_COMMIT_FETCH, &fetch);
	assert_true(n > 0);
	assert_int_equal(raw_deliveries(&r.executor, (uint32_t)n, taken), 1);
	assert_int_equal(raw_echo(&r.executor, taken[0]), 0);
	assert_int_equal(raw_state(&r.client, 0, r.client.generation), AIF_STATE_DONE);
	assert_memory_equal(r.buffer.base, r.buffer.base + RAW_RIG_OUTPUT, 64);
	raw_rig_close(&r);
	io_uring_queue_exit(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_ioctl),
		cmocka_unit_test(test_echo_inline),
		cmocka_unit_test(test_echo_ring),
	};

	return tap_run("echo", tests, NULL, NULL);
}
