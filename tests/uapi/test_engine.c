// SPDX-License-Identifier: MIT
/*
 * Engines, by means of aif_mock.ko: one that works, one that can little, and all the
 * ways in which one can misbehave or go.  Whatever it does, the bytes are right or the
 * transfer failed, and no memory is given back that it may still write.
 *
 * Loads and unloads aif_mock.ko itself.
 *
 *	test_engine --not-quiet		the one after which aif.ko stays
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mock.h"
#include "tap.h"

#define PAGE		4096u
#define CHUNK		(256u << 10)
#define CHUNKS		8u
#define BYTES		(CHUNKS * CHUNK)
#define SECOND		1000000000ll
#define SLOW_US		20000

static struct raw_client client;
static struct raw_buffer from, to;

/* ---- transfers ---- */

static struct aif_range range_of(const struct raw_buffer *b, uint32_t offset, uint32_t n)
{
	return (struct aif_range){ b->handle, offset, n };
}

static struct aif_desc copy_desc(uint32_t tag, uint32_t at, uint32_t n)
{
	return raw_copy_desc(&client, tag, range_of(&from, at, n), range_of(&to, at, n));
}

/* Chunk @tag of the buffers, for each of the first @n. */
static void submit_chunks(uint32_t n)
{
	struct aif_desc d[CHUNKS];
	uint32_t tag;

	for (tag = 0; tag < n; tag++)
		d[tag] = copy_desc(tag, tag * CHUNK, CHUNK);
	assert_int_equal(raw_submit(&client, d, n, 0), n);
}

static void wait_all_quiet(void)
{
	assert_int_equal(raw_wait_quiet(&client, AIF_TAG_ALL, 60 * SECOND), 0);
}

/* How many of the first @n were answered with @result; those with 0 are there. */
static uint32_t count_results(uint32_t n, int result)
{
	uint32_t tag, count = 0;

	for (tag = 0; tag < n; tag++) {
		count += client.done[tag].result == result;
		if (!client.done[tag].result)
			assert_memory_equal(to.base + tag * CHUNK, from.base + tag * CHUNK, CHUNK);
	}
	return count;
}

static int setup(void **state)
{
	raw_scribble(from.base, BYTES, 7);
	memset(to.base, 0xee, BYTES);
	mock_plain();
	return 0;
}

static int teardown(void **state)
{
	mock_plain();
	return raw_wait_quiet(&client, AIF_TAG_ALL, 60 * SECOND);
}

static int group_setup(void **state)
{
	mock_shell("modprobe aif_mock");
	assert_int_equal(raw_client_init(&client, raw_open_as("/dev/aif", RAW_CLIENT_UID), 64,
					 AIF_F_TRANSFER | AIF_F_URING), 0);
	assert_int_equal(raw_buffer_alloc(&client, BYTES, &from), 0);
	return raw_buffer_alloc(&client, BYTES, &to);
}

static int group_teardown(void **state)
{
	raw_buffer_free(&client, &from);
	raw_buffer_free(&client, &to);
	raw_client_close(&client);
	mock_shell("rmmod aif_mock");
	return 0;
}

/* ---- an engine that works ---- */

static void test_copy(void **state)
{
	long before = mock_engine("chunks");

	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks") - before, CHUNKS);
	assert_int_equal(mock_engine("bytes"), BYTES);
	assert_int_equal(mock_engine("busy"), 0);
}

static void test_by_ring(void **state)
{
	struct aif_cmd_submit cmd = { .count = 1, .flags = AIF_SUBMIT_F_WAIT_ALL };
	struct io_uring ring;

	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
	cmd.first = client.position++;
	client.desc[cmd.first % client.depth] = copy_desc(1, 0, BYTES);
	assert_int_equal(raw_ring_call(&ring, client.fd, AIF_CMD_SUBMIT, &cmd), 1);
	assert_int_equal(client.done[1].result, 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	io_uring_queue_exit(&ring);
}

static const uint32_t places[] = { 0, 1, 7, 63, 512, PAGE - 1, PAGE, CHUNK - 1, CHUNK + 9 };
static const uint32_t lengths[] = {
	1, 2, 3, 63, 64, 512, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, CHUNK - 1, CHUNK, CHUNK + 1,
	2 * CHUNK - PAGE + 13,
};

static void copy_one(uint32_t source, uint32_t target, uint32_t n)
{
	memset(to.base, 0xee, 4 * CHUNK);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0, range_of(&from, source, n),
							     range_of(&to, target, n))), 0);
	assert_true(raw_filled(to.base, target, 0xee));
	assert_memory_equal(to.base + target, from.base + source, n);
	assert_true(raw_filled(to.base + target + n, 4 * CHUNK - target - n, 0xee));
}

static void fill_one(uint32_t target, uint32_t n)
{
	static const char pattern[] = "seven b";
	uint32_t i;

	memset(to.base, 0xee, 4 * CHUNK);
	assert_int_equal(raw_transfer(&client, raw_fill_desc(&client, 0, pattern, 7,
							     range_of(&to, target, n))), 0);
	assert_true(raw_filled(to.base, target, 0xee));
	for (i = 0; i < n; i++)
		if (to.base[target + i] != pattern[i % 7])
			fail_msg("fill of %u at %u: byte %u", n, target, i);
	assert_true(raw_filled(to.base + target + n, 4 * CHUNK - target - n, 0xee));
}

static void edges(void)
{
	size_t source, target, n;

	for (source = 0; source < COUNT(places); source++)
		for (target = 0; target < COUNT(places); target++)
			for (n = (source + target) % 3; n < COUNT(lengths); n += 3)
				copy_one(places[source], places[target], lengths[n]);
	for (target = 0; target < COUNT(places); target++)
		for (n = target % 2; n < COUNT(lengths); n += 2)
			fill_one(places[target], lengths[n]);
}

/* Each alignment of both ends, each length around a page and a chunk. */
static void test_edges(void **state)
{
	long cpu = mock_read(ENGINE("cpu/chunks"));

	edges();
	assert_int_equal(mock_read(ENGINE("cpu/chunks")), cpu);
	assert_int_equal(mock_engine("stale"), 0);
}

/* What an engine cannot do goes to the CPU, what is too long for it in pieces. */
static void test_limits(void **state)
{
	long cpu = mock_read(ENGINE("cpu/chunks"));

	mock_set("alignment", 512);
	mock_set("max_bytes", 3 * PAGE);
	mock_set("kinds", 1);
	mock_plug();
	copy_one(512, PAGE, 8 * PAGE);
	assert_int_equal(mock_engine("chunks"), 3);
	assert_int_equal(mock_read(ENGINE("cpu/chunks")), cpu);
	copy_one(512, PAGE, 8 * PAGE + 1);	/* its end is no engine's but the CPU's */
	copy_one(7, PAGE, 512);
	fill_one(512, 512);
	assert_true(mock_read(ENGINE("cpu/chunks")) >= cpu + 3);
	edges();
}

/* The table of costs decides, and root has the last word. */
static void test_costs(void **state)
{
	long cpu = mock_read(ENGINE("cpu/chunks"));

	mock_write(ENGINE("mock/fixed_ns"), "4000000000");
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_int_equal(mock_engine("chunks"), 0);
	assert_int_equal(mock_read(ENGINE("cpu/chunks")), cpu + CHUNKS);
	mock_write(ENGINE("mock/fixed_ns"), "0");
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
}

/* A clock of its own: a chunk ends when that says so, and not before. */
static void test_virtual_time(void **state)
{
	long before = mock_get("submitted");
	uint32_t done;

	mock_set("fixed_ns", 1000);
	mock_set("virtual", 1);
	mock_plug();
	assert_int_equal(raw_submit(&client, (struct aif_desc[]){ copy_desc(0, 0, BYTES) }, 1, 0),
			 1);
	for (done = 1; done < CHUNKS; done++) {
		mock_becomes("submitted", before + done);
		mock_set("advance_ns", 1000 + CHUNK / 1000 - 1);
		raw_sleep_ms(20);
		assert_int_equal(mock_engine("chunks"), done - 1);
		assert_int_equal(client.done[0].produced, (done - 1) * CHUNK);
		mock_set("advance_ns", 1);
		assert_int_equal(raw_wait_produced(&client, 0, (done - 1) * CHUNK, 60 * SECOND), 0);
		assert_int_equal(client.done[0].produced, done * CHUNK);
	}
	mock_becomes("submitted", before + CHUNKS);
	mock_set("advance_ns", 1000000);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, 0);
	assert_memory_equal(to.base, from.base, BYTES);
}

/* ---- one that misbehaves ---- */

/* What it refuses the CPU does, and no more than that. */
static void test_refuses(void **state)
{
	mock_set("refuse", 3);
	submit_chunks(CHUNKS);
	wait_all_quiet();
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS);
	assert_int_equal(mock_get("refuse"), 0);
	mock_plug();
	mock_set("refuse", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS - 1);
}

/* An error, and a chunk that is said to be shorter than it was. */
static void test_fails(void **state)
{
	mock_set("fail", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), -EIO);
	assert_int_equal(client.done[0].produced, 0);
	mock_set("lie", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), -EIO);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("state"), ENGINE_READY);
}

/* The second answer to a chunk ends no other. */
static void test_answers_twice(void **state)
{
	mock_set("twice", 1000);
	submit_chunks(CHUNKS);
	wait_all_quiet();
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_true(mock_engine("chunks") > 0);
	mock_engine_becomes("stale", mock_engine("chunks"));
}

/* One chunk hangs and takes its transfer along; those behind it go on. */
static void test_hangs(void **state)
{
	mock_impatient();
	mock_set("hang", 1);
	mock_set("late", 1);
	submit_chunks(CHUNKS);
	wait_all_quiet();
	assert_int_equal(count_results(CHUNKS, -EIO), 1);
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS - 1);
	assert_int_equal(mock_engine("resets"), 1);
	mock_engine_becomes("state", ENGINE_READY);
	mock_engine_becomes("stale", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
}

/* To take nothing more is no progress, however often it is asked. */
static void test_hangs_and_refuses(void **state)
{
	struct aif_desc d = copy_desc(1, 0, CHUNK);
	uint64_t until;

	mock_set("depth", 256);		/* for so many times its timeout it may have one chunk */
	mock_impatient();
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_engine_becomes("busy", 1);
	mock_set("refuse", 1000000);
	until = raw_now() + 60 * SECOND;
	while (!raw_answered(&client, 1, d.generation) && raw_now() < until)
		assert_int_equal(raw_transfer(&client, copy_desc(0, CHUNK, CHUNK)), 0);
	assert_true(mock_get("refuse") < 1000000);
	assert_true(raw_answered(&client, 1, d.generation));
	assert_int_equal(client.done[1].result, -EIO);
	assert_int_equal(mock_engine("resets"), 1);
	mock_engine_becomes("state", ENGINE_READY);
}

/* Nor does one chunk that is lost wait for ever, while all others are answered. */
static void test_loses(void **state)
{
	struct aif_desc d = copy_desc(1, 0, CHUNK);

	mock_impatient();
	mock_set("lose", 1);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_engine_becomes("busy", 1);
	while (!raw_answered(&client, 1, d.generation))
		assert_int_equal(raw_transfer(&client, copy_desc(0, CHUNK, CHUNK)), 0);
	assert_int_equal(client.done[1].result, -EIO);
	assert_int_equal(mock_engine("resets"), 1);
	mock_engine_becomes("state", ENGINE_READY);
}

/* Three times nothing but resets: it is not asked any more. */
static void test_hangs_for_ever(void **state)
{
	uint32_t round, failed = 0;

	mock_impatient();
	mock_set("hang", 1000);
	/* The CPU may do what a reset gave back: then the engine needs more. */
	for (round = 0; round < 3 && mock_engine("state") != ENGINE_RETIRED; round++) {
		submit_chunks(CHUNKS);
		wait_all_quiet();
		failed += count_results(CHUNKS, -EIO);
	}
	assert_int_equal(failed, 3);
	mock_engine_becomes("state", ENGINE_RETIRED);
	assert_int_equal(mock_engine("resets"), 3);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
}

/*
 * It does not stop: the transfer is answered, and not quiet; its memory is held, and
 * charged, after the handles are gone, until the engine has let go.  What it writes at
 * last goes there.
 */
static void test_does_not_stop(void **state)
{
	struct aif_desc d = copy_desc(0, 0, BYTES);
	struct raw_buffer own;
	long charged;

	assert_int_equal(raw_buffer_alloc(&client, BYTES, &own), 0);
	d.ranges[1].grant = own.handle;
	memset(own.base, 0, BYTES);
	mock_impatient();
	mock_set("reset_error", EIO);
	mock_set("quiesce_error", EBUSY);
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	assert_int_equal(raw_wait(&client, client.status->answered + 1, 60 * SECOND), 0);
	assert_int_equal(client.done[0].result, -EIO);
	assert_int_equal(client.done[0].state, AIF_STATE_ORPHANED);
	assert_int_equal(mock_engine("state"), ENGINE_RETIRED);
	assert_int_equal(raw_wait_quiet(&client, 0, SECOND / 10), -ETIME);
	assert_int_equal(raw_alive("quarantined_bytes"), 2 * BYTES);
	charged = raw_alive("buffer_bytes");

	raw_buffer_free(&client, &(struct raw_buffer){ .handle = own.handle });
	assert_int_equal(raw_alive("buffer_bytes"), charged);
	mock_set("resume", 1);
	assert_int_equal(raw_wait_quiet(&client, 0, 3 * SECOND), -ETIME);	/* not believed */
	assert_memory_equal(own.base, from.base, CHUNK);			/* but done */
	assert_int_equal(mock_engine("stale"), 1);

	mock_set("quiesce_error", 0);
	assert_int_equal(raw_wait_quiet(&client, 0, 60 * SECOND), 0);
	assert_int_equal(raw_alive("quarantined_bytes"), 0);
	munmap(own.base, BYTES);
	assert_int_equal(raw_alive_becomes("buffer_bytes", charged - BYTES), 0);
	assert_int_equal(mock_engine("state"), ENGINE_RETIRED);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
}

/* Cancelled at once, quiet when the engine has done what it had. */
static void test_cancel(void **state)
{
	struct aif_desc d = copy_desc(0, 0, BYTES);
	long cancels = mock_get("cancelled");

	mock_set("latency_us", 100000);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_engine_becomes("busy", 1);
	assert_int_equal(raw_cancel(&client, 0, d.generation), 0);
	assert_true(raw_answered(&client, 0, d.generation));
	assert_int_equal(client.done[0].result, -ECANCELED);
	wait_all_quiet();
	assert_int_equal(mock_get("cancelled"), cancels + 1);
	memset(to.base, 0x33, BYTES);
	raw_sleep_ms(150);
	assert_true(raw_filled(to.base, BYTES, 0x33));
}

/* ---- one that goes ---- */

/* Its chunks are done by the CPU: nobody notices. */
static void test_unplug(void **state)
{
	uint32_t round;

	mock_set("latency_us", 3000);
	for (round = 0; round < 10; round++) {
		memset(to.base, 0xee, BYTES);
		submit_chunks(CHUNKS);
		raw_sleep_ms(round);
		mock_set("plugged", 0);
		wait_all_quiet();
		assert_int_equal(count_results(CHUNKS, 0), CHUNKS);
		mock_plug();
	}
}

/* A chunk that hangs does not keep it. */
static void test_unplug_hanging(void **state)
{
	mock_set("hang", 1);
	submit_chunks(CHUNKS);
	mock_engine_becomes("busy", 4);
	mock_set("plugged", 0);
	wait_all_quiet();
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS);
}

/* Retired, and quiet only when it goes: what it had in quarantine is given back. */
static void test_unplug_retired(void **state)
{
	struct aif_desc d = copy_desc(0, 0, BYTES);

	mock_impatient();
	mock_set("reset_error", EIO);
	mock_set("quiesce_error", EBUSY);
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_engine_becomes("state", ENGINE_RETIRED);
	assert_int_equal(raw_alive_becomes("quarantined_bytes", 2 * BYTES), 0);
	assert_int_equal(raw_wait_quiet(&client, 0, SECOND / 10), -ETIME);
	mock_set("quiesce_error", 0);
	mock_set("plugged", 0);
	assert_int_equal(raw_alive("quarantined_bytes"), 0);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, -EIO);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES)), 0);
}

static void test_rmmod(void **state)
{
	mock_set("latency_us", 3000);
	submit_chunks(CHUNKS);
	mock_shell("rmmod aif_mock");
	wait_all_quiet();
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS);
	mock_shell("modprobe aif_mock");
}

/* ---- a client that goes ---- */

static int transfer_and_die(void *arg)
{
	struct raw_client c;
	struct raw_buffer b;
	struct aif_desc d;
	uint32_t tag;

	RAW_CHECK(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64,
				  AIF_F_TRANSFER) == 0);
	RAW_CHECK(raw_buffer_alloc(&c, BYTES, &b) == 0);
	for (tag = 0; tag < 32; tag++) {
		d = raw_copy_desc(&c, tag, range_of(&b, 0, BYTES / 2),
				  range_of(&b, BYTES / 2, BYTES / 2));
		RAW_CHECK(raw_submit(&c, &d, 1, 0) == 1);
	}
	raw_gate_open(arg);
	return pause();
}

/* The engine writes on after SIGKILL, into memory that is still the dead client's. */
static void test_sigkill(void **state)
{
	mock_set("latency_us", SLOW_US);
	mock_kill_client(transfer_and_die, ENGINE("mock/busy"), 4);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);
	mock_engine_becomes("busy", 0);
}

/* Killed while its engine does not stop: its memory is held until that lets go. */
static void test_sigkill_quarantined(void **state)
{
	struct raw_gate ready;
	pid_t child;

	mock_impatient();
	mock_set("reset_error", EIO);
	mock_set("quiesce_error", EBUSY);
	mock_set("hang", 1);
	assert_int_equal(raw_gate_init(&ready), 0);
	child = raw_spawn(0, transfer_and_die, &ready);
	assert_true(child > 0);
	raw_gate_pass(&ready);
	assert_int_equal(raw_alive_becomes("quarantined_bytes", BYTES), 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(raw_reap(child), -SIGKILL);
	raw_sleep_ms(100);
	assert_int_equal(raw_alive("quarantined_bytes"), BYTES);
	assert_int_equal(raw_alive("clients"), 2);
	mock_set("quiesce_error", 0);
	assert_int_equal(raw_alive_becomes("quarantined_bytes", 0), 0);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	raw_gate_fini(&ready);
}

/* ---- one that goes, and is not quiet ---- */

/* What it has is held, and charged, as long as the machine runs; another may come. */
static void test_unplug_not_quiet(void **state)
{
	uint64_t answered = client.status->answered;

	mock_set("quiesce_error", EBUSY);
	mock_set("hang", 1);
	submit_chunks(CHUNKS);
	mock_engine_becomes("busy", 4);
	mock_set("plugged", 0);
	assert_int_equal(raw_wait(&client, answered + CHUNKS, 60 * SECOND), 0);
	assert_int_equal(count_results(CHUNKS, -EIO), 4);
	assert_int_equal(count_results(CHUNKS, 0), CHUNKS - 4);
	assert_int_equal(raw_alive("quarantined_bytes"), 2 * BYTES);
	mock_plain();
	assert_int_equal(raw_transfer(&client, copy_desc(CHUNKS, 0, BYTES)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	assert_int_equal(raw_wait_quiet(&client, AIF_TAG_ALL, 2 * SECOND), -ETIME);
	assert_int_equal(raw_alive("quarantined_bytes"), 2 * BYTES);
}

static const struct CMUnitTest not_quiet[] = {
	cmocka_unit_test_setup(test_unplug_not_quiet, setup),
};

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(test_copy),
	TEST(test_by_ring),
	TEST(test_edges),
	TEST(test_limits),
	TEST(test_costs),
	TEST(test_virtual_time),
	TEST(test_refuses),
	TEST(test_fails),
	TEST(test_answers_twice),
	TEST(test_hangs),
	TEST(test_hangs_and_refuses),
	TEST(test_loses),
	TEST(test_hangs_for_ever),
	TEST(test_does_not_stop),
	TEST(test_cancel),
	TEST(test_unplug),
	TEST(test_unplug_hanging),
	TEST(test_unplug_retired),
	TEST(test_rmmod),
	TEST(test_sigkill),
	TEST(test_sigkill_quarantined),
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--not-quiet")) {
		cmocka_set_message_output(CM_OUTPUT_TAP);
		return cmocka_run_group_tests_name("engine", not_quiet, group_setup,
						   group_teardown);
	}
	return tap_run("engine", tests, group_setup, group_teardown);
}
