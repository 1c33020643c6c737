/* SPDX-License-Identifier: MIT */
/*
 * What must hold whatever arrives, looked at while a world runs.  The first
 * thing that does not hold ends the run (world->failure).
 *
 * The bounds, for tenants f and m of one class with weights w and steps of at
 * most S device nanoseconds (what f has of one step, taken or charged):
 *
 *	B(f, m) = K (S_f / w_f + S_m / w_m)
 *
 * While both are backlogged, their device time differs by at most B(f, m) when
 * each is divided by its weight, over any interval.  K = 1, one step at a time
 * of one request: Goyal, Vin, Cheng, "Start-time Fair Queueing", 1996, theorem 1.
 * K = 2, steps of several: a step is made of what is thought to be due, and both
 * may have been thought wrong of.  K = 3 D, D steps at once: D of each are under
 * way at either end, as in Jin, Chase, Kaur, "Interposed Proportional Sharing for
 * a Storage Service Utility", 2004, whose D + 1 is for costs that are known.
 *
 * Who is backlogged waits at most until the others have had that much:
 *
 *	(sum over m of w_m B(f, m)) / D + 2 longest steps
 *
 * Who comes back while a step of several runs begins where that began, level with
 * a third g that the step was wrong of: S_g / w_g more, at most.
 *
 * Where two services take turns, whoever always has a request when a step begins
 * is behind those of another service by at most B(f, m) and what the steps of its
 * neighbours carried f ahead: AIF_SCHED_AHEAD_NS / w_f.
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "world.h"

enum {
	WATCH_SHARES = 1 << 0,	/* B(f, m) */
	WATCH_WAITS = 1 << 1,	/* nobody starves */
	WATCH_DELAY = 1 << 2,	/* the first tenant's: theorem 4 of Goyal et al., K = 1 */
	WATCH_CLASS = 1 << 3,	/* a higher class waits for what has begun only */
	WATCH_DUE = 1 << 5,	/* nothing in real time is late */
	WATCH_RETURN = 1 << 6,	/* ... of who comes back in the middle of a step */
	WATCH_TURNS = 1 << 4,	/* between services; all begin at once and go on */
};

struct watch {
	u32 what;
	u8 class;		/* whose shares and waits */
	double worst;		/* nearest to a bound, as a part of it */
	bool both[TENANTS_MAX][TENANTS_MAX];
	double low[TENANTS_MAX][TENANTS_MAX], high[TENANTS_MAX][TENANTS_MAX];
	u64 since[TENANTS_MAX];	/* waits since; ~0: has nothing queued */
	u64 alone[AIF_CLASS_COUNT];	/* the class has waited since, ~0 */
};

/* Look at @w from now on, with @watch, which outlives it. */
void watch_start(struct watch *watch, struct world *w, u32 what);

/* What waits still at the end has waited too. */
void watch_finish(struct watch *watch, struct world *w);

/* B(f, m), in nanoseconds divided by a weight. */
double watch_bound(const struct world *w, u8 class, u32 f, u32 m);

#endif
