// SPDX-License-Identifier: MIT
#include <string.h>

#include "watch.h"

#define NEVER	(~0ull)

/* Rounding of what is divided by a weight. */
#define GRAIN	4

static void near(struct watch *watch, double part)
{
	if (part > watch->worst)
		watch->worst = part;
}

/* ---- shares ---- */

static double share_of(const struct world *w, u8 class, u32 t, u64 ns)
{
	return (double)ns / w->tenants[t].clocks[class].weight;
}

static u32 factor(const struct world *w)
{
	u32 credit = 1;

	for (u32 i = 0; i < w->service_count; i++)
		credit = w->services[i].credit > credit ? w->services[i].credit : credit;
	if (w->sched.tokens > 1)
		return 3 * w->sched.tokens;
	return credit > 1 ? 2 : 1;
}

double watch_bound(const struct world *w, u8 class, u32 f, u32 m)
{
	return factor(w) * (share_of(w, class, f, w->tenants[f].step[class]) +
			    share_of(w, class, m, w->tenants[m].step[class])) + GRAIN;
}

/* The most that anybody has of a step, by weight. */
static double largest_step(const struct world *w, u8 class)
{
	double largest = 0, share;

	for (u32 g = 0; g < w->tenant_count; g++) {
		share = share_of(w, class, g, w->tenants[g].step[class]);
		largest = share > largest ? share : largest;
	}
	return largest;
}

static void look_at_pair(struct watch *watch, struct world *w, u32 f, u32 m)
{
	const struct tenant *a = &w->tenants[f], *b = &w->tenants[m];
	double *low = &watch->low[f][m], *high = &watch->high[f][m];
	double lead = share_of(w, watch->class, f, a->had[watch->class]) -
		      share_of(w, watch->class, m, b->had[watch->class]);
	bool both = a->queued[watch->class] && b->queued[watch->class];
	double bound = watch_bound(w, watch->class, f, m);

	if (watch->what & WATCH_RETURN)
		bound += largest_step(w, watch->class);
	*low = both && watch->both[f][m] && *low < lead ? *low : lead;
	*high = both && watch->both[f][m] && *high > lead ? *high : lead;
	watch->both[f][m] = both;
	near(watch, (*high - *low) / bound);
	if (*high - *low > bound)
		world_fail(w, "at %llu ns tenants %u and %u are %.0f ns apart, by weight; bound %.0f",
			   (unsigned long long)w->now, f, m, *high - *low, bound);
}

static void look_at_shares(struct watch *watch, struct world *w)
{
	for (u32 f = 0; f < w->tenant_count; f++) {
		for (u32 m = f + 1; m < w->tenant_count; m++)
			look_at_pair(watch, w, f, m);
	}
}

/* ---- turns ---- */

static u32 service_of(const struct world *w, u32 tenant)
{
	u32 i = 0;

	while (w->sources[i].tenant != tenant)
		i++;
	return w->sources[i].service;
}

static void look_at_turn(struct watch *watch, struct world *w, u32 f, u32 m)
{
	double lead = share_of(w, watch->class, f, w->tenants[f].had[watch->class]) -
		      share_of(w, watch->class, m, w->tenants[m].had[watch->class]);
	double bound = watch_bound(w, watch->class, f, m) +
		       share_of(w, watch->class, f, AIF_SCHED_AHEAD_NS);

	near(watch, lead / bound);
	if (lead > bound)
		world_fail(w, "at %llu ns tenant %u is %.0f ns ahead of %u, by weight; bound %.0f",
			   (unsigned long long)w->now, f, lead, m, bound);
}

static void look_at_turns(struct watch *watch, struct world *w)
{
	for (u32 f = 0; f < w->tenant_count; f++) {
		for (u32 m = 0; m < w->tenant_count; m++) {
			if (service_of(w, f) != service_of(w, m))
				look_at_turn(watch, w, f, m);
		}
	}
}

/* ---- waits ---- */

static double wait_bound(const struct world *w, u8 class, u32 f)
{
	double others = 0;

	for (u32 m = 0; m < w->tenant_count; m++)
		others += m == f ? 0 : w->tenants[m].clocks[class].weight *
				       watch_bound(w, class, f, m);
	return others / w->sched.tokens + 2 * (double)w->longest_step;
}

static void look_at_wait(struct watch *watch, struct world *w, u32 f)
{
	double waited = (double)(w->now - watch->since[f]);
	double bound = wait_bound(w, watch->class, f);

	near(watch, waited / bound);
	if (waited > bound)
		world_fail(w, "at %llu ns tenant %u has waited %.0f ns; bound %.0f",
			   (unsigned long long)w->now, f, waited, bound);
}

static void look_at_waits(struct watch *watch, struct world *w, enum moment moment,
			  struct request *r)
{
	u64 *since = &watch->since[r->source->tenant];
	bool more = tenant_of(r)->queued[watch->class];

	if (r->class != watch->class)
		return;
	if (moment == ARRIVED && *since == NEVER)
		*since = w->now;
	if (moment == TAKEN)
		look_at_wait(watch, w, r->source->tenant);
	if (moment == TAKEN || moment == EXPIRED)
		*since = more ? w->now : NEVER;
}

/* ---- delay ---- */

static u64 longest_request(const struct world *w, u32 tenant)
{
	u64 longest = 0;

	for (u32 i = 0; i < w->source_count; i++) {
		if (w->sources[i].tenant == tenant && w->sources[i].cost_max > longest)
			longest = w->sources[i].cost_max;
	}
	return longest;
}

/*
 * Of a tenant that asks for no more than its share: from its arrival (its
 * expected one, then) at most one request of each other and its own.
 */
static void look_at_delay(struct watch *watch, struct world *w, struct request *r)
{
	u64 took = w->now - r->arrived, bound = 0;

	if (r->source->tenant)
		return;
	for (u32 t = 0; t < w->tenant_count; t++)
		bound += longest_request(w, t);
	near(watch, (double)took / (double)bound);
	if (took > bound)
		world_fail(w, "at %llu ns a request has taken %llu ns; bound %llu",
			   (unsigned long long)w->now, (unsigned long long)took,
			   (unsigned long long)bound);
}

/* ---- real time ---- */

static void look_at_due(struct watch *watch, struct world *w, const struct request *r)
{
	if (r->class != AIF_CLASS_REALTIME)
		return;
	near(watch, (double)(w->now - r->arrived) / (double)(r->due - r->arrived));
	if (w->now > r->due)
		world_fail(w, "at %llu ns a request of tenant %u is %llu ns late, of %llu",
			   (unsigned long long)w->now, r->source->tenant,
			   (unsigned long long)(w->now - r->due),
			   (unsigned long long)(r->due - r->arrived));
}

/* ---- classes ---- */

/* Nothing of a lower class is taken where a higher one waits. */
static void look_at_rank(struct world *w, const struct request *r)
{
	const struct aif_sched_queue *q = &w->services[r->source->service].queue;

	for (u8 class = 0; class < r->class; class++) {
		if (q->lanes[class].count)
			world_fail(w, "at %llu ns class %u is taken and class %u waits",
				   (unsigned long long)w->now, r->class, class);
	}
}

/* Who comes into an empty class waits for what had begun: one step. */
static void look_at_class(struct watch *watch, struct world *w, enum moment moment,
			  struct request *r)
{
	u64 *since = &watch->alone[r->class];

	if (moment == ARRIVED && tenant_of(r)->queued[r->class] == 1)
		*since = w->now;
	if (moment != TAKEN)
		return;
	look_at_rank(w, r);
	if (r->class == AIF_CLASS_IDLE || *since == NEVER)
		return;
	near(watch, (double)(w->now - *since) / (double)w->longest_step);
	if (w->now - *since > w->longest_step)
		world_fail(w, "at %llu ns class %u has waited %llu ns; the longest step takes %llu",
			   (unsigned long long)w->now, r->class,
			   (unsigned long long)(w->now - *since),
			   (unsigned long long)w->longest_step);
	*since = NEVER;
}

/* ---- always ---- */

static void look_at_delivery(struct world *w, const struct request *r)
{
	if (r->desc.deadline && r->desc.deadline <= w->now)
		world_fail(w, "at %llu ns a request of tenant %u is delivered, %llu ns late",
			   (unsigned long long)w->now, r->source->tenant,
			   (unsigned long long)(w->now - r->desc.deadline));
}

static void look(struct world *w, enum moment moment, struct request *r)
{
	struct watch *watch = w->looker;

	if (moment == TAKEN)
		look_at_delivery(w, r);
	if (moment == SETTLED && (watch->what & WATCH_TURNS))
		look_at_turns(watch, w);
	if (moment == SETTLED && (watch->what & WATCH_SHARES))
		look_at_shares(watch, w);
	if (r && (watch->what & WATCH_WAITS))
		look_at_waits(watch, w, moment, r);
	if (moment == DONE && (watch->what & WATCH_DELAY))
		look_at_delay(watch, w, r);
	if (moment == DONE && (watch->what & WATCH_DUE))
		look_at_due(watch, w, r);
	if (r && (watch->what & WATCH_CLASS))
		look_at_class(watch, w, moment, r);
}

void watch_start(struct watch *watch, struct world *w, u32 what)
{
	memset(watch, 0, sizeof(*watch));
	watch->what = what;
	watch->class = AIF_CLASS_NORMAL;
	for (u32 t = 0; t < TENANTS_MAX; t++)
		watch->since[t] = NEVER;
	for (u32 class = 0; class < AIF_CLASS_COUNT; class++)
		watch->alone[class] = NEVER;
	w->look = look;
	w->looker = watch;
}

void watch_finish(struct watch *watch, struct world *w)
{
	for (u32 t = 0; t < w->tenant_count; t++) {
		if ((watch->what & WATCH_WAITS) && watch->since[t] != NEVER)
			look_at_wait(watch, w, t);
	}
}
