// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "property.h"

/* ---- scenes ---- */

/* Weights of at most 1 : 16, or the bounds say nothing. */
static void tenants(struct world *w, u32 count)
{
	u32 base = (u32)world_magnitude(w, 1, 600);

	for (u32 i = 0; i < count; i++)
		world_tenant(w, (u32)world_magnitude(w, base, base * 16));
}

/* A service or two whose executors are never all busy while a token is free. */
static void services(struct world *w, u32 count, u32 credit)
{
	for (u32 i = 0; i < count; i++)
		world_service(w, credit, w->sched.tokens);
}

/* Up to @ns a request, of a spread of its own. */
static struct source costing(struct world *w, u32 tenant, u64 ns)
{
	struct source src = { .tenant = tenant, .class = AIF_CLASS_NORMAL, .arrival = CLOSED };

	src.service = (u32)world_random(w, 0, w->service_count - 1);
	src.cost_max = world_magnitude(w, ns / 100, ns);
	src.cost_min = world_random(w, src.cost_max / 100 + 1, src.cost_max);
	return src;
}

/* Always more queued than all steps can take. */
static struct source *flood(struct world *w, u32 tenant, u64 ns)
{
	struct source src = costing(w, tenant, ns);

	src.depth = w->sched.tokens * STEP_MAX + 1 + (u32)world_random(w, 0, 100);
	return world_source(w, &src);
}

static void all_flood(struct world *w, u64 ns)
{
	for (u32 t = 0; t < w->tenant_count; t++)
		flood(w, t, ns);
}

/* ---- worse schedulers ---- */

static struct aif_sched_lane *lane_of_node(struct aif_heap_node *n)
{
	return container_of(n, struct aif_sched_lane, node);
}

/* The lane of the highest class that @better prefers. */
static struct aif_sched_lane *choose(const struct aif_sched_queue *q,
				     bool (*better)(const struct aif_sched_lane *a,
						    const struct aif_sched_lane *b))
{
	struct aif_sched_lane *best = NULL, *l;
	u32 class, i;

	for (class = 0; class < AIF_CLASS_COUNT && !best; class++) {
		for (i = 0; i < q->lanes[class].count; i++) {
			l = lane_of_node(q->lanes[class].slots[i]);
			if (!best || better(l, best))
				best = l;
		}
	}
	return best;
}

static bool came_first(const struct aif_sched_lane *a, const struct aif_sched_lane *b)
{
	return aif_heap_first(&a->requests)->seq < aif_heap_first(&b->requests)->seq;
}

static bool due_first(const struct aif_sched_lane *a, const struct aif_sched_lane *b)
{
	return aif_heap_first(&a->requests)->key < aif_heap_first(&b->requests)->key;
}

static bool had_most(const struct aif_sched_lane *a, const struct aif_sched_lane *b)
{
	return a->clock->vruntime > b->clock->vruntime;
}

static struct aif_sched_lane *next_fifo(const struct aif_sched_queue *q)
{
	return choose(q, came_first);
}

static struct aif_sched_lane *next_deadline(const struct aif_sched_queue *q)
{
	return choose(q, due_first);
}

static struct aif_sched_lane *next_most(const struct aif_sched_queue *q)
{
	return choose(q, had_most);
}

static struct aif_sched_lane *next_lowest_class(const struct aif_sched_queue *q)
{
	u32 class;

	for (class = AIF_CLASS_COUNT; class--;) {
		if (q->lanes[class].count)
			return lane_of_node(aif_heap_first(&q->lanes[class]));
	}
	return NULL;
}

static void fifo(struct policy *p)
{
	p->next = next_fifo;
}

static void deadlines_first(struct policy *p)
{
	p->next = next_deadline;
}

static void most_first(struct policy *p)
{
	p->next = next_most;
}

static void lowest_class_first(struct policy *p)
{
	p->next = next_lowest_class;
}

static u64 account_nothing(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns, bool final)
{
	return charged_ns;
}

static void estimates_stay(struct policy *p)
{
	p->account = account_nothing;
}

static struct aif_heap_node *pop_unweighted(struct aif_sched *s, struct aif_sched_lane *l)
{
	u32 weight = l->clock->weight;
	struct aif_heap_node *req;

	l->clock->weight = 100;
	l->clock->rest %= 100;
	req = aif_sched_pop(s, l);
	l->clock->weight = weight;
	return req;
}

static void weight_forgotten(struct policy *p)
{
	p->pop = pop_unweighted;
}

static int push_with_credit(struct aif_sched *s, struct aif_sched_lane *l,
			    struct aif_heap_node *req, u64 deadline)
{
	u64 vtime = s->vtime[l->class];
	int err;

	s->vtime[l->class] = 0;
	err = aif_sched_push(s, l, req, deadline);
	s->vtime[l->class] = vtime;
	return err;
}

static void sleep_is_credit(struct policy *p)
{
	p->push = push_with_credit;
}

static bool joins_always(const struct aif_sched_lane *first, const struct aif_sched_queue *rival)
{
	return true;
}

static void join_always(struct policy *p)
{
	p->joins = joins_always;
}

static void time_moves(struct policy *p)
{
	p->pop_more = aif_sched_pop;
}

static u32 cut_nothing(u64 at, u32 left)
{
	return left;
}

static void whole_transfers(struct policy *p)
{
	p->cut = cut_nothing;
}

static void correct_nothing(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns)
{
}

static void chunks_stay(struct policy *p)
{
	p->correct = correct_nothing;
}

static bool never_late(const struct aif_desc *d, u64 now)
{
	return false;
}

static void lateness_ignored(struct policy *p)
{
	p->late = never_late;
}

static bool fits_unblocked(const struct aif_rt *rts, u32 count, u32 blocking_us)
{
	return aif_rt_fits(rts, count, 0);
}

static void blocking_forgotten(struct policy *p)
{
	p->fits = fits_unblocked;
}

static bool fits_anybody(const struct aif_rt *rts, u32 count, u32 blocking_us)
{
	return true;
}

static void anybody_admitted(struct policy *p)
{
	p->fits = fits_anybody;
}

static u64 due_always(struct aif_rt_budget *b, u64 longest_ns, u64 deadline, u64 now)
{
	return now + b->period_ns;
}

static void budget_ignored(struct policy *p)
{
	p->due = due_always;
}

/* ---- shares ---- */

static void one_at_a_time(struct world *w)
{
	services(w, (u32)world_random(w, 1, 2), 1);
	tenants(w, (u32)world_random(w, 2, 6));
	all_flood(w, 20 * MS);
}

static void steps_of_several(struct world *w)
{
	services(w, 1, (u32)world_random(w, 2, STEP_MAX));
	tenants(w, (u32)world_random(w, 2, 6));
	all_flood(w, 5 * MS);
}

/*
 * The first has one request at a time, and neighbours whose floods go with its
 * steps; others flood another service.  Each service has an executor that waits
 * while the other is busy.
 */
static void turns(struct world *w)
{
	u32 credit = (u32)world_random(w, 2, STEP_MAX);

	world_service(w, credit, 2);
	world_service(w, credit, 2);
	tenants(w, (u32)world_random(w, 3, 6));
	all_flood(w, 5 * MS);
	for (u32 t = 0; t < w->tenant_count; t++)
		w->sources[t].service = t == 2 || (t > 2 && w->sources[t].service);
	w->sources[0].depth = 1;
}

static void several_steps(struct world *w)
{
	w->sched.tokens = (u32)world_random(w, 2, 4);
	services(w, 1, (u32)world_random(w, 1, 4));
	tenants(w, (u32)world_random(w, 2, 6));
	all_flood(w, 5 * MS);
}

static void engine(struct world *w)
{
	struct aif_cost truth = {
		.fixed_ns = (u32)world_magnitude(w, 100, 20 * US),
		.ps_byte = (u32)world_magnitude(w, 20, 1000),
	};

	w->sched.tokens = (u32)world_random(w, 1, 4);
	world_engine(w, truth, w->sched.tokens);
}

static void transfers(struct world *w)
{
	engine(w);
	tenants(w, (u32)world_random(w, 2, 6));
	for (u32 t = 0; t < w->tenant_count; t++) {
		struct source *src = flood(w, t, 20 * MS);

		src->cost_max = world_magnitude(w, 4096, 16 << 20);
		src->cost_min = world_random(w, 1, src->cost_max);
	}
}

/* ---- who asks how ---- */

/* Anything: any arrivals, from a few requests to floods, with and without deadlines. */
static void anyone(struct world *w)
{
	w->sched.tokens = (u32)world_random(w, 1, 3);
	services(w, 1, (u32)world_random(w, 1, 4));
	tenants(w, (u32)world_random(w, 2, 6));
	flood(w, 0, 5 * MS);
	for (u32 t = 1; t < w->tenant_count; t++) {
		struct source src = costing(w, t, 5 * MS);

		src.arrival = (enum arrival)world_random(w, CLOSED, SPORADIC);
		src.depth = (u32)world_magnitude(w, 1, 200);
		src.period = world_magnitude(w, src.cost_max, 50 * src.cost_max);
		src.deadline = world_random(w, 0, 1) ? world_magnitude(w, 10 * US, SECOND) : 0;
		world_source(w, &src);
	}
}

/* All flood, one after a sleep of seconds, and once more after another. */
static void sleeper(struct world *w)
{
	struct source src;

	steps_of_several(w);
	src = w->sources[w->tenant_count - 1];
	w->sources[w->tenant_count - 1].stop = world_random(w, MS, 200 * MS);
	src.start = world_random(w, 3 * SECOND, 5 * SECOND);
	world_source(w, &src);
}

/* The first asks now and then for less than its share; the others flood. */
static void flooded(struct world *w)
{
	u32 weights = 0;
	struct source src;

	services(w, (u32)world_random(w, 1, 2), 1);
	tenants(w, (u32)world_random(w, 2, 6));
	for (u32 t = 0; t < w->tenant_count; t++)
		weights += w->tenants[t].clocks[AIF_CLASS_NORMAL].weight;
	src = costing(w, 0, 5 * MS);
	src.arrival = world_random(w, 0, 1) ? PERIODIC : SPORADIC;
	src.depth = 64;
	src.period = src.cost_max * weights / w->tenants[0].clocks[AIF_CLASS_NORMAL].weight + 1;
	world_source(w, &src);
	for (u32 t = 1; t < w->tenant_count; t++)
		flood(w, t, 20 * MS);
}

/* Alike but for what the first says of its deadlines. */
static void liar(struct world *w)
{
	services(w, 1, (u32)world_random(w, 1, STEP_MAX));
	tenants(w, (u32)world_random(w, 2, 6));
	all_flood(w, 5 * MS);
	for (u32 t = 0; t < w->tenant_count; t++)
		w->sources[t].deadline = t ? 1000 * SECOND : 100 * SECOND;
}

/* Idle work in floods, and normal requests now and then. */
static void classes(struct world *w)
{
	struct source src;

	tenants(w, 2);
	flood(w, 1, 20 * MS)->class = AIF_CLASS_IDLE;
	src = costing(w, 0, 5 * MS);
	src.arrival = POISSON;
	src.depth = 64;
	src.period = 10 * MS;
	world_source(w, &src);
}

static void inversion(struct world *w)
{
	w->sched.tokens = (u32)world_random(w, 1, 3);
	services(w, (u32)world_random(w, 1, 2), (u32)world_random(w, 1, 8));
	classes(w);
}

/* Sources of bytes; a chunk is what anybody waits for. */
static void inversion_of_chunks(struct world *w)
{
	engine(w);
	classes(w);
	for (u32 i = 0; i < w->source_count; i++) {
		w->sources[i].cost_min = 4096;
		w->sources[i].cost_max = 16 << 20;
	}
}

/* However long the transfer, nobody waits for more than a chunk of it. */
static void finish_chunks(struct world *w)
{
	u64 chunk = aif_cost_of(&w->services[0].truth, AIF_CHUNK_MAX);

	if (w->longest_step > chunk)
		world_fail(w, "the engine was not interrupted for %llu ns, a chunk takes %llu",
			   (unsigned long long)w->longest_step, (unsigned long long)chunk);
}

/* ---- overload ---- */

/*
 * 120 % of what the device can do, by Poisson arrivals of requests that wait for
 * a second at most.  The even tenants ask for half of their share, the odd ones
 * for all the rest.
 */
static void overload(struct world *w)
{
	double weights = 0, odd = 0, even = 0;

	services(w, 1, (u32)world_random(w, 1, 4));
	tenants(w, (u32)world_random(w, 3, 6));
	for (u32 t = 0; t < w->tenant_count; t++) {
		weights += w->tenants[t].clocks[AIF_CLASS_NORMAL].weight;
		*(t % 2 ? &odd : &even) += w->tenants[t].clocks[AIF_CLASS_NORMAL].weight;
	}
	for (u32 t = 0; t < w->tenant_count; t++) {
		struct source src = costing(w, t, 20 * MS);
		double share = w->tenants[t].clocks[AIF_CLASS_NORMAL].weight / weights;
		double load = t % 2 ? share * (1.2 * weights - 0.5 * even) / odd : 0.5 * share;

		src.cost_max = world_magnitude(w, MS, 4 * MS);
		src.cost_min = src.cost_max / 10;
		src.arrival = POISSON;
		src.depth = 500;
		src.deadline = SECOND;
		src.period = (u64)((double)(src.cost_min + src.cost_max) / 2 / load);
		world_source(w, &src);
	}
}

/* Who asks for less than its share loses nothing, the others get theirs. */
static void finish_overload(struct world *w)
{
	double weights = 0;

	for (u32 t = 0; t < w->tenant_count; t++)
		weights += w->tenants[t].clocks[AIF_CLASS_NORMAL].weight;
	for (u32 t = 0; t < w->tenant_count; t++) {
		const struct source *src = &w->sources[t];
		double share = w->tenants[t].clocks[AIF_CLASS_NORMAL].weight / weights;
		double had = (double)w->tenants[t].had[AIF_CLASS_NORMAL] / (double)w->now;

		if (t % 2 == 0 && src->refused + src->expired)
			world_fail(w, "tenant %u asked for half of its share and lost %llu of %llu",
				   t, (unsigned long long)(src->refused + src->expired),
				   (unsigned long long)src->offered);
		if (t % 2 && had < 0.97 * share)
			world_fail(w, "tenant %u had %.4f of the device, its share is %.4f", t,
				   had, share);
	}
	if ((double)w->busy_ns < 0.97 * (double)w->now)
		world_fail(w, "the device was busy for %.3f of the time",
			   (double)w->busy_ns / (double)w->now);
}

/* ---- real time ---- */

#define RTS_MAX	(TENANTS_MAX - 2)

/* Those who were admitted, and the longest that anything keeps the device. */
struct admitted {
	struct aif_rt rts[RTS_MAX];
	u32 count;
	u32 together;	/* of their requests in one step, when out of budget */
	u64 blocking_ns;
};

/* Requests of one tenant, one or some in a period, that use its budget up. */
static struct source draw_realtime(struct world *w, struct aif_rt *rt)
{
	u32 pieces = (u32)world_random(w, 1, 4);
	struct source src = { .class = AIF_CLASS_REALTIME, .depth = 64 };

	rt->period_us = (u32)world_magnitude(w, 2000, 200000);
	rt->budget_us = (u32)world_magnitude(w, rt->period_us / 50, rt->period_us / 2);
	src.service = (u32)world_random(w, 0, w->service_count - 1);
	src.arrival = world_random(w, 0, 1) ? PERIODIC : SPORADIC;
	src.period = (rt->period_us * US + pieces - 1) / pieces;
	src.cost_max = rt->budget_us * US / pieces;
	src.cost_min = world_random(w, 0, 1) ? src.cost_max : src.cost_max / 2;
	return src;
}

/* Admit it, if those who are in can bear it. */
static void try_realtime(struct world *w, struct admitted *in)
{
	struct aif_rt *rt = &in->rts[in->count];
	struct source src = draw_realtime(w, rt);
	u64 step = src.cost_max * in->together;
	u64 blocking = step > in->blocking_ns ? step : in->blocking_ns;

	if (!w->policy.fits(in->rts, in->count + 1, (u32)((blocking + US - 1) / US)))
		return;
	in->count++;
	in->blocking_ns = blocking;
	src.tenant = world_tenant(w, 100);
	aif_rt_budget_set(&w->tenants[src.tenant].budget, rt, 0);
	world_source(w, &src);
}

/* Two floods, and as many in real time as are admitted, all of them at once. */
static void admit(struct world *w, bool in_budget)
{
	u32 credit = (u32)world_random(w, 1, 4);
	struct admitted in = { .together = in_budget ? 1 : credit };

	services(w, (u32)world_random(w, 1, 2), credit);
	tenants(w, 2);
	all_flood(w, MS);
	for (u32 t = 0; t < 2; t++) {
		u64 step = credit * w->sources[t].cost_max;

		in.blocking_ns = step > in.blocking_ns ? step : in.blocking_ns;
	}
	for (u32 i = 0; i < 50 && in.count < RTS_MAX; i++)
		try_realtime(w, &in);
}

static void realtime(struct world *w)
{
	admit(w, true);
}

static void realtime_several(struct world *w)
{
	w->sched.tokens = (u32)world_random(w, 2, 4);
	admit(w, true);
}

/* The last of them floods too. */
static void realtime_flooded(struct world *w)
{
	struct source *last;

	admit(w, false);
	last = &w->sources[w->source_count - 1];
	if (last->class == AIF_CLASS_REALTIME)
		last->arrival = CLOSED;
}

/* Who keeps its word is never without budget; the others are left something. */
static void finish_realtime(struct world *w)
{
	u64 normal = 0;

	for (u32 t = 0; t < w->tenant_count; t++)
		normal += w->tenants[t].had[AIF_CLASS_NORMAL];
	if (normal < w->now / 25)
		world_fail(w, "the normal class had %.4f of the time",
			   (double)normal / (double)w->now);
	for (u32 i = 0; i < w->source_count; i++) {
		const struct source *src = &w->sources[i];

		if (src->arrival != CLOSED && src->demoted)
			world_fail(w, "tenant %u kept to its budget, and %llu of %llu had none",
				   src->tenant, (unsigned long long)src->demoted,
				   (unsigned long long)src->offered);
	}
}

/* Who floods in real time has its budget there, and no more. */
static void finish_realtime_flooded(struct world *w)
{
	const struct source *src = &w->sources[w->source_count - 1];
	const struct tenant *t = &w->tenants[src->tenant];
	u64 had = t->had[AIF_CLASS_REALTIME];
	double most = (double)t->budget.bucket.burst +
		      (double)t->budget.bucket.rate * (double)w->now / (double)SECOND;

	finish_realtime(w);
	if (src->class == AIF_CLASS_REALTIME && (double)had > most)
		world_fail(w, "tenant %u had %llu ns in real time, of %.0f", src->tenant,
			   (unsigned long long)had, most);
}

const struct property properties[] = {
	{ "shares, a request at a time", WATCH_SHARES | WATCH_WAITS, 5 * SECOND, one_at_a_time,
	  .mutants = { { "estimates are never corrected", estimates_stay },
		       { "weights are forgotten", weight_forgotten },
		       { "who had most goes first", most_first } } },
	{ "shares, steps of several requests", WATCH_SHARES | WATCH_WAITS, 5 * SECOND,
	  steps_of_several,
	  .mutants = { { "estimates are never corrected", estimates_stay },
		       { "weights are forgotten", weight_forgotten } } },
	{ "shares of two services that take turns", WATCH_TURNS, 10 * SECOND, turns,
	  .mutants = { { "others' steps carry on", join_always },
		       { "all that goes moves the time", time_moves } } },
	{ "shares, several steps at once", WATCH_SHARES | WATCH_WAITS, 5 * SECOND, several_steps,
	  .mutants = { { "estimates are never corrected", estimates_stay },
		       { "weights are forgotten", weight_forgotten } } },
	{ "shares of transfers", WATCH_SHARES | WATCH_WAITS, 100 * MS, transfers,
	  .mutants = { { "chunks are never corrected", chunks_stay },
		       { "first come, first served", fifo } } },
	{ "nobody starves, whoever asks", WATCH_WAITS, 5 * SECOND, anyone,
	  .mutants = { { "first come, first served", fifo },
		       { "who had most goes first", most_first },
		       { "late requests are delivered", lateness_ignored } } },
	{ "who sleeps saves nothing", WATCH_SHARES | WATCH_RETURN | WATCH_WAITS, 8 * SECOND, sleeper,
	  .mutants = { { "sleep is credit", sleep_is_credit } } },
	{ "who asks for its share does not notice a flood", WATCH_DELAY, 5 * SECOND, flooded,
	  .mutants = { { "first come, first served", fifo },
		       { "estimates are never corrected", estimates_stay } } },
	{ "who lies about deadlines gains nothing", WATCH_SHARES | WATCH_WAITS, 5 * SECOND, liar,
	  .mutants = { { "deadlines first", deadlines_first } } },
	{ "a class waits for one step of a lower one", WATCH_CLASS, 5 * SECOND, inversion,
	  .mutants = { { "the lowest class first", lowest_class_first } } },
	{ "a class waits for one chunk of a lower one", WATCH_CLASS, 500 * MS,
	  inversion_of_chunks, finish_chunks,
	  .mutants = { { "transfers are not cut", whole_transfers },
		       { "the lowest class first", lowest_class_first } } },
	{ "at 120 % who asks for less loses nothing", WATCH_WAITS, 20 * SECOND, overload,
	  finish_overload,
	  .mutants = { { "first come, first served", fifo } } },
	{ "admitted, nobody is late", WATCH_DUE, 5 * SECOND, realtime, finish_realtime,
	  .mutants = { { "blocking is forgotten", blocking_forgotten },
		       { "anybody is admitted", anybody_admitted },
		       { "first come, first served", fifo },
		       { "steps are filled up", join_always } } },
	{ "admitted, nobody is late, several steps at once", WATCH_DUE, 5 * SECOND,
	  realtime_several, finish_realtime,
	  .mutants = { { "anybody is admitted", anybody_admitted } } },
	{ "who floods in real time makes nobody late", WATCH_DUE, 5 * SECOND, realtime_flooded,
	  finish_realtime_flooded,
	  .mutants = { { "the budget is ignored", budget_ignored } } },
};

const u32 property_count = sizeof(properties) / sizeof(properties[0]);
