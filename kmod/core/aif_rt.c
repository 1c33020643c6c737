// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The real-time class: who is admitted, and until when.
 *
 * What a tenant may queue in real time is cut by a bucket of its budget that
 * fills in a period.  Each request takes the longest that it may run out of the
 * bucket when it arrives, and is due a period later.  So what arrives in a time t
 * runs for at most Q + Q t / P, and what arrives and is due in a time t >= P for
 * Q + Q (t - P) / P = Q t / P, in any shorter time for nothing.
 *
 * Earliest deadline first, with a device that is not taken from what has begun,
 * is late for nobody if, for every period P_k,
 *
 *	B / P_k + (sum of Q_i / P_i over all with P_i <= P_k) <= 1
 *
 * where B is the longest that the device is not interrupted for: a step or a
 * chunk.  It is theorem 2 of Baker, "Stack-based scheduling of realtime processes",
 * 1991, for blocking of any cause; as a demand bound, B + dbf(t) <= t, it is in
 * George, Rivierre, Spuri, "Preemptive and non-preemptive real-time uniprocessor
 * scheduling", 1996, and Baruah, "The limited-preemption uniprocessor scheduling of
 * sporadic task systems", 2005.  The demand above is linear between two periods, so
 * looking at the periods is looking at all.
 *
 * Nothing flows back into the bucket, not from a request that took less or was
 * cancelled: what came back late would be demand that no line above counts.  The
 * device's time is not lost, whoever is next has it.  The analysis is of one step
 * at a time; with more tokens the same test is applied.
 */
#include "aif_core.h"

#define ONE	1000000000u	/* the device: nanoseconds a second */
#define MOST	950000000u	/* the other classes are left something */

/* @part of @whole, rounded up: never less than it is. */
static u64 share(u32 part, u32 whole)
{
	u32 rest;
	u64 q = div_u64_rem((u64)part * ONE, whole, &rest);

	return q + (rest != 0);
}

/* ... of all whose periods are at most @period. */
static u64 shares_within(const struct aif_rt *rts, u32 count, u32 period)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		if (rts[i].period_us <= period)
			sum += share(rts[i].budget_us, rts[i].period_us);
	}
	return sum;
}

bool aif_rt_fits(const struct aif_rt *rts, u32 count, u32 blocking_us)
{
	u32 i, period;

	for (i = 0; i < count; i++) {
		period = rts[i].period_us;
		if (share(blocking_us, period) + shares_within(rts, count, period) > ONE)
			return false;
	}
	return shares_within(rts, count, ~0u) <= MOST;
}

bool aif_rt_valid(const struct aif_rt *rt)
{
	return rt->budget_us && rt->budget_us <= rt->period_us &&
	       rt->budget_us <= AIF_RT_BUDGET_MAX_US;
}

void aif_rt_budget_set(struct aif_rt_budget *b, const struct aif_rt *rt, u64 now)
{
	b->period_ns = rt->period_us * 1000ull;
	aif_bucket_set(&b->bucket, share(rt->budget_us, rt->period_us),
		       rt->budget_us * 1000ull, now);
}

bool aif_rt_budget_used(const struct aif_rt_budget *b, u64 now)
{
	return aif_bucket_wait(&b->bucket, (u64)b->bucket.burst, now);
}

u64 aif_rt_due(struct aif_rt_budget *b, u64 longest_ns, u64 deadline, u64 now)
{
	u64 due = now + b->period_ns;

	if (!aif_bucket_take(&b->bucket, longest_ns, now))
		return 0;
	if (deadline > due)
		return deadline;
	return due;
}

void aif_rt_overrun(struct aif_rt_budget *b, u64 longest_ns, u64 measured_ns, u64 now)
{
	if (measured_ns > longest_ns)
		aif_bucket_charge(&b->bucket, measured_ns - longest_ns, now);
}
