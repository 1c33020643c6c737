// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A token bucket that counts exactly: what is less than a unit is kept, so that
 * neither many short looks nor few long ones lose or gain anything.
 */
#include "aif_core.h"

#define SECOND_NS	1000000000u

/* The time after which it is full, however much it was owed: no product overflows. */
static u64 long_enough(const struct aif_bucket *b)
{
	return div64_u64(1ull << 63, b->rate);
}

static void fill(struct aif_bucket *b, u64 now)
{
	u64 ns = now > b->stamp_ns ? now - b->stamp_ns : 0;
	u64 room = (u64)(b->burst - b->level);
	u64 units = room;

	b->stamp_ns += ns;
	if (ns < b->full_ns)
		units = div_u64_rem(ns * b->rate + b->rest, SECOND_NS, &b->rest);
	if (units >= room) {
		units = room;
		b->rest = 0;
	}
	b->level += (s64)units;
}

void aif_bucket_init(struct aif_bucket *b, u64 rate, u64 burst, u64 now)
{
	b->rate = rate;
	b->burst = (s64)burst;
	b->level = (s64)burst;
	b->rest = 0;
	b->stamp_ns = now;
	b->full_ns = long_enough(b);
}

void aif_bucket_set(struct aif_bucket *b, u64 rate, u64 burst, u64 now)
{
	if (!b->rate) {
		aif_bucket_init(b, rate, burst, now);
		return;
	}
	fill(b, now);
	b->rate = rate;
	b->burst = (s64)burst;
	b->full_ns = long_enough(b);
	if (b->level >= b->burst) {
		b->level = b->burst;
		b->rest = 0;
	}
}

bool aif_bucket_take(struct aif_bucket *b, u64 n, u64 now)
{
	fill(b, now);
	if (n > AIF_BUCKET_BURST_MAX || b->level < (s64)n)
		return false;
	b->level -= (s64)n;
	return true;
}

/* What flowed in until now has its room first, or a burst would grow while nobody looks. */
void aif_bucket_charge(struct aif_bucket *b, u64 n, u64 now)
{
	fill(b, now);
	if (n > 2 * AIF_BUCKET_BURST_MAX)
		n = 2 * AIF_BUCKET_BURST_MAX;
	b->level -= (s64)n;
	if (b->level < -(s64)AIF_BUCKET_BURST_MAX)
		b->level = -(s64)AIF_BUCKET_BURST_MAX;
}

void aif_bucket_refund(struct aif_bucket *b, u64 n)
{
	if (n > (u64)(b->burst - b->level))
		n = (u64)(b->burst - b->level);
	b->level += (s64)n;
}

u64 aif_bucket_wait(const struct aif_bucket *b, u64 n, u64 now)
{
	struct aif_bucket copy = *b;

	if (n > (u64)b->burst)
		return ~0ull;
	fill(&copy, now);
	if (copy.level >= (s64)n)
		return 0;
	n -= (u64)copy.level;
	return div64_u64(n * SECOND_NS - copy.rest + copy.rate - 1, copy.rate);
}
