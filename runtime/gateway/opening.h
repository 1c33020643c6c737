/* SPDX-License-Identifier: MIT */
/*
 * opening.h - a loop's file of a tenant, while it is being opened
 *
 * The loop asks the opener and goes on; requests of that tenant wait meanwhile, as many
 * as may wait for the device, and no longer than OPENING_PATIENCE_S.  One that failed is
 * not tried again for OPENING_MEMORY_S.
 *
 * One thread: the loop's.
 */
#ifndef AIF_GATEWAY_OPENING_H
#define AIF_GATEWAY_OPENING_H

#include <stdbool.h>

#define OPENING_PATIENCE_S 7.0	/* more than a child of the opener has */
#define OPENING_MEMORY_S 5

struct exchange;
struct loop;

/* Hear what the opener answers, if the gateway has one. */
void openings_init(struct loop *loop);

/* Nobody waits any more. */
void openings_fini(struct loop *loop);

/*
 * Can @x ask the device?  False: not now, its route will be asked to handle it when the
 * file of its tenant is there; or not at all, and that was answered.
 */
bool opening_pass(struct exchange *x);

#endif
