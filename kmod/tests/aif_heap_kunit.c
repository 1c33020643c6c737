// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The heap against a model too simple to be wrong: look at everything, take the least. */
#include "aif_test.h"

#define NODES	64
#define STEPS	50000

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

/* Each node is where it says, the first is the least, nothing else is in. */
static bool model_agrees(struct model *m)
{
	u32 count = 0;

	for (u32 i = 0; i < NODES; i++) {
		struct aif_heap_node *n = &m->nodes[i];

		if (m->in[i] ? n->pos >= m->heap.count || m->heap.slots[n->pos] != n :
			       n->pos != AIF_HEAP_OUT)
			return false;
		count += m->in[i];
	}
	return m->heap.count == count && aif_heap_first(&m->heap) == least(m);
}

static void grow(struct kunit *test, struct aif_heap *h, u32 capacity)
{
	struct aif_heap_node **old = h->slots;
	struct aif_heap_node **slots = kunit_kzalloc(test, capacity * sizeof(*slots), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slots);
	KUNIT_ASSERT_PTR_EQ(test, aif_heap_grow(h, slots, capacity), old);
	KUNIT_ASSERT_EQ(test, h->capacity, capacity);
	if (old)
		kunit_kfree(test, old);
}

/* A full heap grows, until half of the nodes have room. */
static void push(struct kunit *test, struct model *m, u32 i, u64 key)
{
	struct aif_heap *h = &m->heap;
	struct aif_heap_node *n = &m->nodes[i];

	n->key = key;
	n->seq = m->seq++;
	if (h->count == h->capacity) {
		KUNIT_ASSERT_EQ(test, aif_heap_push(h, n), -ENOSPC);
		KUNIT_ASSERT_EQ(test, n->pos, AIF_HEAP_OUT);
		if (h->capacity == NODES / 2)
			return;
		grow(test, h, h->capacity + 5 > NODES / 2 ? NODES / 2 : h->capacity + 5);
	}
	KUNIT_ASSERT_EQ(test, aif_heap_push(h, n), 0);
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

static void step(struct kunit *test, struct model *m, u64 *random)
{
	u32 i = next_random(random) % NODES;

	if (!m->in[i])
		push(test, m, i, any_key(random));
	else if (next_random(random) % 2)
		aif_heap_rekey(&m->heap, &m->nodes[i], any_key(random));
	else
		take(m, next_random(random) % 2 ? aif_heap_first(&m->heap) : &m->nodes[i]);
	KUNIT_ASSERT_TRUE(test, model_agrees(m));
}

static const struct seed_row {
	const char *name;
	u64 seed;
} seed_rows[] = {
	{ "seed 1", 1 },
	{ "seed 2", 2 },
	{ "seed 0x123456789abcdef", 0x123456789abcdefull },
};

KUNIT_ARRAY_PARAM_DESC(seed_rows, seed_rows, name);

static void test_heap_against_model(struct kunit *test)
{
	const struct seed_row *row = test->param_value;
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 random = row->seed;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (u32 i = 0; i < NODES; i++)
		aif_heap_node_init(&m->nodes[i]);
	for (u32 i = 0; i < STEPS; i++)
		step(test, m, &random);
	while (m->heap.count) {
		take(m, aif_heap_first(&m->heap));
		KUNIT_ASSERT_TRUE(test, model_agrees(m));
	}
}

static void test_heap_empty(struct kunit *test)
{
	struct aif_heap heap = { 0 };
	struct aif_heap_node n = { 0 };

	aif_heap_node_init(&n);
	KUNIT_EXPECT_NULL(test, aif_heap_first(&heap));
	KUNIT_EXPECT_EQ(test, aif_heap_push(&heap, &n), -ENOSPC);
	KUNIT_EXPECT_NULL(test, aif_heap_grow(&heap, NULL, 0));
}

/* Same key: first in, first out. */
static void test_heap_ties(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	grow(test, &m->heap, NODES);
	for (u32 i = 0; i < NODES; i++) {
		m->nodes[i] = (struct aif_heap_node){ .key = 9, .seq = i };
		KUNIT_ASSERT_EQ(test, aif_heap_push(&m->heap, &m->nodes[i]), 0);
	}
	for (u32 i = 0; i < NODES; i++) {
		KUNIT_EXPECT_PTR_EQ(test, aif_heap_first(&m->heap), &m->nodes[i]);
		aif_heap_remove(&m->heap, aif_heap_first(&m->heap));
	}
}

static struct kunit_case aif_heap_cases[] = {
	KUNIT_CASE_PARAM(test_heap_against_model, seed_rows_gen_params),
	KUNIT_CASE(test_heap_empty),
	KUNIT_CASE(test_heap_ties),
	{}
};

static struct kunit_suite aif_heap_suite = {
	.name = "aif_heap",
	.test_cases = aif_heap_cases,
};

kunit_test_suite(aif_heap_suite);
