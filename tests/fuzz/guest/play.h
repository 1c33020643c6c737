/* SPDX-License-Identifier: MIT */
/*
 * Operations: each picks what it is about by chance, does it, and says what it
 * must return.  What an operation picks depends on its seed and on the world
 * alone, so an operation can be left out and the others stay what they are.
 */
#ifndef PLAY_H
#define PLAY_H

#include "world.h"

/* Parties, and a service with an executor and a client, so that there is
 * something to do.  Fails with -errno's name if even that goes wrong. */
void play_begin(void);
/* One operation, the @n-th of its episode, by chance @seed. */
void play(uint32_t n, uint64_t seed);
/* Everybody is killed, nothing is left. */
void play_end(void);

/* How often each operation was done, by name; for the tables at the end. */
struct play_count {
	const char *name;
	uint32_t done;
};
extern struct play_count *play_counts;	/* shared by all episodes */
uint32_t play_kinds(void);
/* What the model counted in all episodes. */
extern struct tally *play_tally;
void play_init(void);

#endif
