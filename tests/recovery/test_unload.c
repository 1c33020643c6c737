// SPDX-License-Identifier: MIT
/*
 * Unloading the module as soon as nobody has a file of it open: while rings are
 * still being torn down, and while a stranger keeps a page of a client pinned.
 * Loads and unloads the module itself, so it runs alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "side.h"

#define TIMES	15

static void shell(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static bool unloaded(void)
{
	return !system("rmmod aif 2>/dev/null");
}

static void load(void)
{
	shell("modprobe aif serve_gid=1002");
}

static long deed_park_all(long *arg)
{
	struct aif_cmd_wait wait = { .value = 1 };
	struct aif_cmd_wait_quiet quiet = { .tag = AIF_TAG_ALL };
	struct aif_cmd_commit_fetch fetch = { .credit = 1 };

	if (me.executor.slots)
		return door_start(me.executor_door, me.executor.fd, AIF_CMD_COMMIT_FETCH, &fetch);
	if (door_start(me.client_door, me.client.fd, AIF_CMD_WAIT, &wait) < 0)
		return -EIO;
	return door_start(me.client_door, me.client.fd, AIF_CMD_WAIT_QUIET, &quiet);
}

/* The last reference may be a ring's, which goes in the background. */
static void test_unload_while_rings_go(void **state)
{
	static const enum door_kind kinds[] = { DOOR_RING, DOOR_DEFER, DOOR_SQPOLL, DOOR_ASYNC };
	struct trio t;
	int i;

	side_needs_ring();
	for (i = 0; i < TIMES; i++) {
		side_door = kinds[i % COUNT(kinds)];
		t = trio_new(NULL);
		assert_int_equal(client_send(t.client, 0, 2), 2);
		assert_int_equal(executor_take(t.executor, 1), 1);
		assert_true(ASK(t.client, deed_park_all) > 0);
		assert_true(ASK(t.executor, deed_park_all) > 0);
		party_signal(t.executor, SIGKILL);
		party_signal(t.client, SIGKILL);
		party_signal(t.holder, SIGKILL);
		EVENTUALLY(unloaded());
		assert_true(party_kill_all());
		load();
	}
}

/* Whoever pinned a page keeps it, and nobody else gets it. */
static void test_unload_while_a_page_is_pinned(void **state)
{
	struct party *dead, *keeper;
	struct trio t;
	long pins = raw_pins();

	side_needs_ring();
	side_door = DOOR_RING;
	t = trio_new(NULL);
	dead = t.executor;
	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(dead, 1), 1);
	assert_int_equal(executor_pin(dead, 0), 0);
	keeper = party_fork(dead);
	keeper_keep_pins(keeper);
	party_kill(dead);
	party_kill(t.client);
	party_kill(t.holder);
	EVENTUALLY(unloaded());
	assert_int_equal(raw_pins(), pins + 1);
	assert_int_equal(keeper_write(keeper, 'L'), 1);
	load();
	assert_int_equal(keeper_write(keeper, 'M'), 1);
	keeper_drop(keeper);
	EVENTUALLY(raw_pins() == pins);
}

/* Not while somebody has so much as a mapping. */
static long deed_close_all_but_maps(long *arg)
{
	close(me.client.fd);
	return 0;
}

static void test_no_unload_while_mapped(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(ASK(t.client, deed_close_all_but_maps), 0);
	party_kill(t.executor);
	party_kill(t.holder);
	assert_int_equal(raw_alive_becomes("executors", 0), 0);
	assert_false(unloaded());
	assert_int_equal(client_output(t.client, 0), 0);
	party_kill(t.client);
	EVENTUALLY(unloaded());
	load();
}

/* ... or a file that passes a buffer on. */
static long deed_share(long *arg)
{
	return raw_share(&me.client, me.buffer.handle, AIF_RIGHT_READ);
}

static long deed_close_all_but_shared(long *arg)
{
	munmap(me.buffer.base, me.buffer.length);
	raw_client_unmap(&me.client);
	close(me.client.fd);
	return 0;
}

static void test_no_unload_while_shared(void **state)
{
	struct trio t = trio_new(NULL);

	assert_true(ASK(t.client, deed_share) >= 0);
	assert_int_equal(ASK(t.client, deed_close_all_but_shared), 0);
	party_kill(t.executor);
	party_kill(t.holder);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
	assert_false(unloaded());
	party_kill(t.client);
	EVENTUALLY(unloaded());
	load();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIDE_TEST(test_unload_while_rings_go),
		SIDE_TEST(test_unload_while_a_page_is_pinned),
		SIDE_TEST(test_no_unload_while_mapped),
		SIDE_TEST(test_no_unload_while_shared),
	};

	side_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
