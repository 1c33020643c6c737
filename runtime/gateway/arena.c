// SPDX-License-Identifier: MIT
#include "runtime/gateway/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1u << 20)

/*
 * @used:   a byte for each block
 * @next:   where to look first: pieces live about as long as each other
 */
struct chunk {
	struct chunk *chain;
	struct aif_buffer *buffer;
	struct aif_grant *grant;
	char *data;
	uint32_t blocks, busy, next;
	char used[];
};

void arena_init(struct arena *a, struct aif_client *client, struct aif_service *service,
		size_t most)
{
	*a = (struct arena){ .client = client, .service = service, .most = most };
}

/* ---- buffers ---- */

static void chunk_free(struct arena *a, struct chunk *c)
{
	a->bytes -= (size_t)c->blocks * ARENA_BLOCK;
	aif_grant_revoke(c->grant);
	aif_buffer_free(c->buffer);
	free(c);
}

void arena_fini(struct arena *a)
{
	while (a->chunks) {
		struct chunk *c = a->chunks;

		a->chunks = c->chain;
		chunk_free(a, c);
	}
}

static int chunk_grant(struct arena *a, struct chunk *c)
{
	c->buffer = aif_buffer_alloc(a->client, (size_t)c->blocks * ARENA_BLOCK);
	if (!c->buffer)
		return -errno;
	c->data = aif_buffer_data(c->buffer);
	c->grant = aif_grant_create(c->buffer, a->service, AIF_GRANT_WRITE);
	return c->grant ? 0 : -errno;
}

static int chunk_add(struct arena *a, uint32_t blocks)
{
	struct chunk *c;
	int err;

	if (blocks < CHUNK_BYTES / ARENA_BLOCK)
		blocks = CHUNK_BYTES / ARENA_BLOCK;
	if ((size_t)blocks * ARENA_BLOCK > a->most - a->bytes)
		return -ENOSPC;
	c = calloc(1, sizeof(*c) + blocks);
	if (!c)
		return -ENOMEM;
	c->blocks = blocks;
	a->bytes += (size_t)blocks * ARENA_BLOCK;
	err = chunk_grant(a, c);
	if (err) {
		chunk_free(a, c);
		return err;
	}
	c->chain = a->chunks;
	a->chunks = c;
	return 0;
}

/* ---- pieces ---- */

/* Where @blocks free ones stand in a row between @from and @to; @to: nowhere. */
static uint32_t find_run(const struct chunk *c, uint32_t from, uint32_t to, uint32_t blocks)
{
	uint32_t run = 0;

	for (uint32_t i = from; i < to; i++) {
		run = c->used[i] ? 0 : run + 1;
		if (run == blocks)
			return i + 1 - blocks;
	}
	return to;
}

static bool chunk_take(struct chunk *c, uint32_t blocks, struct piece *p)
{
	uint32_t first;

	if (c->blocks - c->busy < blocks)
		return false;
	first = find_run(c, c->next, c->blocks, blocks);
	if (first == c->blocks)
		first = find_run(c, 0, c->blocks, blocks);
	if (first == c->blocks)
		return false;
	memset(c->used + first, 1, blocks);
	c->busy += blocks;
	c->next = first + blocks;
	*p = (struct piece){ c->data + (size_t)first * ARENA_BLOCK, c, first, blocks };
	return true;
}

int arena_take(struct arena *a, size_t bytes, struct piece *p)
{
	uint32_t blocks = (uint32_t)((bytes + ARENA_BLOCK - 1) / ARENA_BLOCK);
	struct chunk *c;
	int err;

	if (bytes > a->most)
		return -E2BIG;
	for (c = a->chunks; c; c = c->chain) {
		if (chunk_take(c, blocks, p))
			return 0;
	}
	err = chunk_add(a, blocks);
	if (err)
		return err;
	chunk_take(a->chunks, blocks, p);
	return 0;
}

void arena_give(struct arena *a, struct piece *p)
{
	struct chunk *c = p->chunk, **at = &a->chunks;

	memset(c->used + p->first, 0, p->blocks);
	c->busy -= p->blocks;
	*p = (struct piece){ 0 };
	if (c->busy || !a->chunks->chain)
		return;
	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	chunk_free(a, c);
}
