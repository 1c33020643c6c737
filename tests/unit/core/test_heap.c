// SPDX-License-Identifier: MIT
/* The heap against a model too simple to be wrong: look at everything, take the least. */
#include "test_core.h"

#define NODES	64
#define STEPS	200000

struct model {
	struct aif_heap heap;
	struct aif_heap_node nodes[NODES];
	bool in[NODES];
	u64 seq;
};

static struct aif_heap_node *least(struct model *m)
{
	struct aif_heap_node *best = NULL;

	for (u32 i = 0; i < NODES; i++) {
		struct aif_heap_node *n = &m->nodes[i];

		if (m->in[i] && (!best || n->key < best->key ||
				 (n->key == best->key && n->seq < best->seq)))
			best = n;
	}
	return best;
}

static void check(struct model *m)
{
	u32 count = 0;

	for (u32 i = 0; i < NODES; i++) {
		if (m->in[i]) {
			assert_true(m->nodes[i].pos < m->heap.count);
			assert_ptr_equal(m->heap.slots[m->nodes[i].pos], &m->nodes[i]);
			count++;
		} else {
			assert_int_equal(m->nodes[i].pos, AIF_HEAP_OUT);
		}
	}
	assert_int_equal(m->heap.count, count);
	assert_ptr_equal(aif_heap_first(&m->heap), least(m));
}

static void grow(struct model *m, u32 capacity)
{
	struct aif_heap_node **slots = calloc(capacity, sizeof(*slots));

	assert_non_null(slots);
	free(aif_heap_grow(&m->heap, slots, capacity));
	assert_int_equal(m->heap.capacity, capacity);
}

static void push(struct model *m, u32 i, u64 key)
{
	m->nodes[i].key = key;
	m->nodes[i].seq = m->seq++;
	if (m->heap.count == m->heap.capacity) {
		assert_int_equal(aif_heap_push(&m->heap, &m->nodes[i]), -ENOSPC);
		assert_int_equal(m->nodes[i].pos, AIF_HEAP_OUT);
		if (m->heap.capacity == NODES / 2)
			return;
		grow(m, m->heap.capacity + 5 > NODES / 2 ? NODES / 2 : m->heap.capacity + 5);
	}
	assert_int_equal(aif_heap_push(&m->heap, &m->nodes[i]), 0);
	m->in[i] = true;
}

static void take(struct model *m, struct aif_heap_node *n)
{
	aif_heap_remove(&m->heap, n);
	m->in[n - m->nodes] = false;
}

/* Keys are few, so that ties are many, and now and then the largest there is. */
static u64 any_key(u64 *random)
{
	u64 r = next_random(random) % 16;

	return r == 15 ? ~0ull : r;
}

static void run(u64 seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	for (u32 i = 0; i < NODES; i++)
		aif_heap_node_init(&m->nodes[i]);
	for (u32 step = 0; step < STEPS; step++) {
		u32 i = next_random(&seed) % NODES;

		if (!m->in[i])
			push(m, i, any_key(&seed));
		else if (next_random(&seed) % 2)
			aif_heap_rekey(&m->heap, &m->nodes[i], any_key(&seed));
		else
			take(m, next_random(&seed) % 2 ? aif_heap_first(&m->heap) : &m->nodes[i]);
		check(m);
	}
	while (m->heap.count) {
		take(m, aif_heap_first(&m->heap));
		check(m);
	}
	free(m->heap.slots);
	free(m);
}

static void test_heap_against_model(void **state)
{
	run(1);
	run(0x123456789abcdefull);
}

static void test_heap_empty(void **state)
{
	struct aif_heap heap = { 0 };
	struct aif_heap_node n = { 0 };

	aif_heap_node_init(&n);
	assert_null(aif_heap_first(&heap));
	assert_int_equal(aif_heap_push(&heap, &n), -ENOSPC);
	assert_null(aif_heap_grow(&heap, NULL, 0));
}

/* Same key: first in, first out. */
static void test_heap_ties(void **state)
{
	struct aif_heap_node *slots[NODES], nodes[NODES];
	struct aif_heap heap = { slots, 0, NODES };

	for (u32 i = 0; i < NODES; i++) {
		nodes[i] = (struct aif_heap_node){ .key = 9, .seq = i };
		assert_int_equal(aif_heap_push(&heap, &nodes[i]), 0);
	}
	for (u32 i = 0; i < NODES; i++) {
		assert_ptr_equal(aif_heap_first(&heap), &nodes[i]);
		aif_heap_remove(&heap, &nodes[i]);
	}
}

const struct CMUnitTest heap_tests[] = {
	cmocka_unit_test(test_heap_against_model),
	cmocka_unit_test(test_heap_empty),
	cmocka_unit_test(test_heap_ties),
	{ 0 },
};
