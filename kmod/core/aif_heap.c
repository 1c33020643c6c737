// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A binary heap of pointers.  Each node knows its place, so that a request in
 * the middle (cancelled, expired) leaves in O(log n) without being looked for.
 */
#include "aif_core.h"

static void place(struct aif_heap *h, struct aif_heap_node *n, u32 pos)
{
	h->slots[pos] = n;
	n->pos = pos;
}

/* Move the hole at @pos up to where @n belongs. */
static u32 hole_up(struct aif_heap *h, u32 pos, const struct aif_heap_node *n)
{
	while (pos && aif_heap_before(n, h->slots[(pos - 1) / 2])) {
		place(h, h->slots[(pos - 1) / 2], pos);
		pos = (pos - 1) / 2;
	}
	return pos;
}

/* ... or down. */
static u32 hole_down(struct aif_heap *h, u32 pos, const struct aif_heap_node *n)
{
	u32 child;

	while ((child = 2 * pos + 1) < h->count) {
		if (child + 1 < h->count && aif_heap_before(h->slots[child + 1], h->slots[child]))
			child++;
		if (!aif_heap_before(h->slots[child], n))
			break;
		place(h, h->slots[child], pos);
		pos = child;
	}
	return pos;
}

/* At most one of the two moves anything. */
static void settle(struct aif_heap *h, struct aif_heap_node *n, u32 pos)
{
	place(h, n, hole_down(h, hole_up(h, pos, n), n));
}

int aif_heap_push(struct aif_heap *h, struct aif_heap_node *n)
{
	if (h->count >= h->capacity)
		return -ENOSPC;
	settle(h, n, h->count++);
	return 0;
}

void aif_heap_remove(struct aif_heap *h, struct aif_heap_node *n)
{
	struct aif_heap_node *last = h->slots[--h->count];

	if (last != n)
		settle(h, last, n->pos);
	n->pos = AIF_HEAP_OUT;
}

void aif_heap_rekey(struct aif_heap *h, struct aif_heap_node *n, u64 key)
{
	n->key = key;
	settle(h, n, n->pos);
}

struct aif_heap_node **aif_heap_grow(struct aif_heap *h, struct aif_heap_node **slots,
				     u32 capacity)
{
	struct aif_heap_node **old = h->slots;

	if (h->count)
		memcpy(slots, old, h->count * sizeof(*slots));
	h->slots = slots;
	h->capacity = capacity;
	return old;
}
