// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Transfers: how they are cut, and what a piece costs. */
#include "aif_core.h"

#define LEARN_SHIFT	3	/* a measurement weighs 1/8 */
#define LEARN_BYTES	4096	/* what is shorter says more of the clock than of the engine */

u32 aif_chunk_cut(u64 at, u32 left)
{
	u32 whole = AIF_CHUNK_MAX - (at & (AIF_CHUNK_MAX - 1));

	if (left < whole)
		return left;
	return whole;
}

u64 aif_cost_of(const struct aif_cost *c, u32 bytes)
{
	u32 rest;

	return c->fixed_ns + div_u64_rem((u64)bytes * c->ps_byte, 1000, &rest);
}

/* At most 4 ms a byte; an engine that takes no time at all is not believed. */
void aif_cost_learn(struct aif_cost *c, u32 bytes, u64 measured_ns)
{
	u64 ns = measured_ns > c->fixed_ns ? measured_ns - c->fixed_ns : 0;
	u64 ps;
	u32 rest;

	if (bytes < LEARN_BYTES)
		return;
	if (ns > (1ull << 44))
		ns = 1ull << 44;
	ps = div_u64_rem(ns * 1000, bytes, &rest);
	if (ps > ~0u)
		ps = ~0u;
	ps += ((u64)c->ps_byte << LEARN_SHIFT) - c->ps_byte;
	c->ps_byte = (u32)(ps >> LEARN_SHIFT) ?: 1;
}
