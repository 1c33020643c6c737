/* SPDX-License-Identifier: MIT */
/*
 * All at once: clients of two tenants, executors and an attacker do as they like
 * while they are killed, stopped and forked.  Who did what first is not known, so
 * there is no model but the rules that hold whatever happens: each accepted
 * request is answered once and stays so, a good answer is right for its input,
 * transfers copy what there was, into buffers, pinned and shared memory, by the CPU
 * and by aif_mock where that is; nobody sees what is not his, and at the end nothing
 * is left.
 */
#ifndef STORM_H
#define STORM_H

#include <stdint.h>

/* About @ops operations by chance @seed; how many there were.  Fails as fail(). */
uint32_t storm(uint64_t seed, uint32_t ops);

#endif
