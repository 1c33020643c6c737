/* SPDX-License-Identifier: MIT */
/*
 * Between two operations everything comes to rest, and what the module shows is
 * compared with the model: completions, counters, what is alive, who waits.
 */
#ifndef SETTLE_H
#define SETTLE_H

#include "world.h"

#define SETTLE_NS	15000000000ull	/* until something is wrong */

/* Nothing of AIF's is alive yet: counters are compared with what they are now. */
void settle_begin(void);
/*
 * Wait until the module agrees with the model (what workers do takes a moment);
 * fails if it does not within some seconds, or something is wrong at once.
 */
void settle(void);

/* It must end by itself: take it over. */
void fetch_ends(struct w_wait *wait);

/* A FETCH of @fd's executor returned @n with these deliveries: take them over. */
void took_deliveries(struct w_actor *a, struct w_executor *ex, uint32_t credit, long n,
		     bool waited);

#endif
