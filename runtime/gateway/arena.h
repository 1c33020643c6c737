/* SPDX-License-Identifier: MIT */
/*
 * arena.h - pieces of granted memory, for requests of one service
 *
 * Buffers are allocated and granted as they are needed and used for many requests;
 * those that nobody uses are given back, but one.  A piece is whole blocks of
 * ARENA_BLOCK bytes.
 */
#ifndef AIF_GATEWAY_ARENA_H
#define AIF_GATEWAY_ARENA_H

#include "libaif.h"

#define ARENA_BLOCK 4096

struct chunk;

struct arena {
	struct aif_client *client;
	struct aif_service *service;
	struct chunk *chunks;
	size_t bytes, most;
};

struct piece {
	char *data;
	struct chunk *chunk;
	uint32_t first, blocks;
};

/* @most: bytes of all its buffers together. */
void arena_init(struct arena *arena, struct aif_client *client, struct aif_service *service,
		size_t most);

/* Nobody uses a piece any more. */
void arena_fini(struct arena *arena);

/*
 * @bytes of memory, ARENA_BLOCK aligned.  -ENOSPC: @most is reached, which ends when
 * pieces are given back; -E2BIG: it never could; what aif_buffer_alloc() and
 * aif_grant_create() say.
 */
int arena_take(struct arena *arena, size_t bytes, struct piece *piece);
void arena_give(struct arena *arena, struct piece *piece);

#endif
