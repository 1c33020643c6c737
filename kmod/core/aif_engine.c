// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Engines: which one takes a chunk. */
#include "aif_core.h"

/* May it have the chunk?  @mapped: for it. */
static bool engine_can(const struct aif_engine_row *row, const struct aif_engine_ask *ask,
		       bool mapped)
{
	return row->free && row->kinds & 1u << ask->kind && !(ask->bits & (row->alignment - 1)) &&
	       (mapped || !row->maps);
}

u64 aif_engine_cost(const struct aif_engine_row *row, u32 bytes)
{
	u32 pieces = bytes / row->max_bytes + !!(bytes % row->max_bytes);

	return aif_cost_of(&row->cost, bytes) + (u64)row->cost.fixed_ns * (pieces - 1);
}

int aif_engine_pick(const struct aif_engine_row *rows, u32 count, const struct aif_engine_ask *ask)
{
	u64 cost, best_cost = 0;
	int best = -EBUSY;
	u32 i;

	for (i = 0; i < count; i++) {
		if (!engine_can(&rows[i], ask, ask->mapped >> i & 1))
			continue;
		if (ask->named && rows[i].id == ask->named)
			return (int)i;
		cost = aif_engine_cost(&rows[i], ask->bytes);
		if (best >= 0 && cost >= best_cost)
			continue;
		best = (int)i;
		best_cost = cost;
	}
	return best;
}
