// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Engines: which one takes a chunk. */
#include "aif_core.h"

/* May it have a chunk of that kind, with @bits in its offsets and its length? */
static bool engine_can(const struct aif_engine_row *row, u32 kind, u32 bits)
{
	return row->free && row->kinds & 1u << kind && !(bits & (row->alignment - 1));
}

/* All @bytes, in as many pieces as it takes there. */
static u64 engine_cost(const struct aif_engine_row *row, u32 bytes)
{
	u32 pieces = bytes / row->max_bytes + !!(bytes % row->max_bytes);

	return aif_cost_of(&row->cost, bytes) + (u64)row->cost.fixed_ns * (pieces - 1);
}

int aif_engine_pick(const struct aif_engine_row *rows, u32 count, u32 kind, u32 bits, u32 bytes)
{
	u64 cost, best_cost = 0;
	int best = -EBUSY;
	u32 i;

	for (i = 0; i < count; i++) {
		if (!engine_can(&rows[i], kind, bits))
			continue;
		cost = engine_cost(&rows[i], bytes);
		if (best >= 0 && cost >= best_cost)
			continue;
		best = (int)i;
		best_cost = cost;
	}
	return best;
}
