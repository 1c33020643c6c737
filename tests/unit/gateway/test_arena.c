// SPDX-License-Identifier: MIT
/* Pieces of granted memory, on the local device. */
#include "tests/unit/gateway/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/arena.h"

#define MIB (1u << 20)
#define MOST (4u * MIB)
#define PIECES 1024

static struct aif_holder *holder;
static struct aif_client *client;
static struct aif_service *service;
static struct arena arena;

static int set_up(void **state)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 64 },
		{ .name = "out", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .output = true,
		  .dims = 1, .shape = { -1 }, .max_bytes = 64 },
	};

	holder = aif_holder_create(&(struct aif_holder_opts) {
		.size = sizeof(struct aif_holder_opts), .device = "local", .name = "arena",
		.accelerator = "cpu", .io = io, .io_count = 2,
	});
	client = aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = "local",
	});
	service = client ? aif_service_open(client, "arena", AIF_OWNER_TRUSTED) : NULL;
	assert_true(holder && service);
	arena_init(&arena, client, service, MOST);
	return 0;
}

static int tear_down(void **state)
{
	arena_fini(&arena);
	aif_client_close(client);
	aif_holder_close(holder);
	return 0;
}

static void test_pieces_do_not_overlap(void **state)
{
	struct piece pieces[3];

	for (unsigned int i = 0; i < COUNT(pieces); i++) {
		assert_int_equal(arena_take(&arena, ARENA_BLOCK + 1, &pieces[i]), 0);
		assert_int_equal(pieces[i].blocks, 2);
		memset(pieces[i].data, (int)i, 2 * ARENA_BLOCK);
	}
	for (unsigned int i = 0; i < COUNT(pieces); i++) {
		assert_int_equal(pieces[i].data[0], i);
		assert_int_equal(pieces[i].data[2 * ARENA_BLOCK - 1], i);
		arena_give(&arena, &pieces[i]);
	}
}

static void test_most(void **state)
{
	struct piece all[PIECES], more;
	unsigned int n = 0;

	assert_int_equal(arena_take(&arena, MOST + 1, &more), -E2BIG);
	while (!arena_take(&arena, ARENA_BLOCK, &all[n]))
		n++;
	assert_int_equal(n, MOST / ARENA_BLOCK);
	assert_int_equal(arena_take(&arena, 1, &more), -ENOSPC);
	arena_give(&arena, &all[n / 2]);
	assert_int_equal(arena_take(&arena, 1, &all[n / 2]), 0);
	while (n)
		arena_give(&arena, &all[--n]);
	assert_int_equal(arena.bytes, MIB);	/* one buffer is kept */
}

static void test_large_piece(void **state)
{
	struct piece large, small;

	assert_int_equal(arena_take(&arena, 3 * MIB - 5, &large), 0);
	assert_int_equal(arena_take(&arena, 1, &small), 0);
	memset(large.data, 1, 3 * MIB - 5);
	assert_int_equal(arena_take(&arena, MIB, &large), -ENOSPC);
	arena_give(&arena, &small);
}

/* Whatever is taken and given back in whatever order, all of it comes back. */
static void test_random_order(void **state)
{
	struct piece pieces[64] = { { 0 } };

	srand(1);
	for (unsigned int i = 0; i < 20000; i++) {
		struct piece *p = &pieces[rand() % COUNT(pieces)];
		int err;

		if (p->data) {
			assert_int_equal(p->data[0], (char)(p - pieces));
			arena_give(&arena, p);
			continue;
		}
		err = arena_take(&arena, 1 + (size_t)rand() % (40 * ARENA_BLOCK), p);
		assert_true(!err || err == -ENOSPC);
		if (!err)
			p->data[0] = (char)(p - pieces);
	}
	for (unsigned int i = 0; i < COUNT(pieces); i++) {
		if (pieces[i].data)
			arena_give(&arena, &pieces[i]);
	}
	assert_int_equal(arena.bytes, MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces_do_not_overlap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_most, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large_piece, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random_order, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
