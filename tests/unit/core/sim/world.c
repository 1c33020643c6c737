// SPDX-License-Identifier: MIT
/*
 * The events: a request arrives, a step ends.  After each, free tokens go to
 * idle executors as the module hands them out (kmod/aif_device.c): the best
 * service first, its executor fetches up to its credit, all of it ends at once.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static bool core_late(const struct aif_desc *d, u64 now)
{
	return aif_desc_late(d, now);
}

const struct policy core_policy = {
	.push = aif_sched_push,
	.next = aif_sched_next,
	.before = aif_sched_before,
	.pop = aif_sched_pop,
	.pop_more = aif_sched_pop_more,
	.joins = aif_sched_joins,
	.pop_chunk = aif_sched_pop_chunk,
	.account = aif_sched_account,
	.correct = aif_sched_correct,
	.cut = aif_chunk_cut,
	.fits = aif_rt_fits,
	.due = aif_rt_due,
	.late = core_late,
};

/* ---- numbers ---- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static u64 next_random(struct world *w)
{
	u64 z = w->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* In (0, 1]. */
static double unit(struct world *w)
{
	return (double)((next_random(w) >> 11) + 1) / (double)(1ull << 53);
}

u64 world_random(struct world *w, u64 min, u64 max)
{
	return min + next_random(w) % (max - min + 1);
}

u64 world_magnitude(struct world *w, u64 min, u64 max)
{
	return (u64)((double)min * pow((double)max / (double)min, unit(w)));
}

void world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->failure[0])
		return;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
}

/* ---- building ---- */

struct world *world_new(u64 seed, const struct policy *policy, u32 tokens)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->policy = *policy;
	w->random = seed;
	aif_sched_init(&w->sched, tokens, REQUESTS_MAX);
	aif_heap_grow(&w->events, w->event_slots, SOURCES_MAX + EXECUTORS_MAX);
	for (u32 i = 0; i < REQUESTS_MAX; i++) {
		aif_heap_node_init(&w->requests[i].node);
		w->requests[i].next_free = w->free;
		w->free = &w->requests[i];
	}
	return w;
}

void world_free(struct world *w)
{
	free(w);
}

static void lane_init(struct world *w, u32 tenant, u32 service)
{
	struct tenant *t = &w->tenants[tenant];

	for (u8 class = 0; class < AIF_CLASS_COUNT; class++) {
		struct lane *l = &t->lanes[service][class];

		aif_sched_lane_init(&l->lane, &w->services[service].queue, &t->clocks[class],
				    class);
		aif_heap_grow(&l->lane.requests, l->slots, REQUESTS_MAX);
	}
}

u32 world_tenant(struct world *w, u32 weight)
{
	struct tenant *t = &w->tenants[w->tenant_count];

	for (u32 class = 0; class < AIF_CLASS_COUNT; class++)
		t->clocks[class].weight = weight;
	for (u32 s = 0; s < w->service_count; s++)
		lane_init(w, w->tenant_count, s);
	return w->tenant_count++;
}

u32 world_service(struct world *w, u32 credit, u32 executors)
{
	struct service *s = &w->services[w->service_count];

	aif_sched_queue_init(&s->queue);
	for (u32 class = 0; class < AIF_CLASS_COUNT; class++)
		aif_heap_grow(&s->queue.lanes[class], s->slots[class], TENANTS_MAX);
	s->credit = credit;
	for (u32 t = 0; t < w->tenant_count; t++)
		lane_init(w, t, w->service_count);
	for (u32 i = 0; i < executors; i++) {
		struct executor *ex = &w->executors[w->executor_count++];

		ex->world = w;
		ex->service = w->service_count;
		aif_heap_node_init(&ex->event);
	}
	return w->service_count++;
}

u32 world_engine(struct world *w, struct aif_cost truth, u32 executors)
{
	u32 service = world_service(w, 1, executors);

	w->services[service].engine = true;
	w->services[service].truth = truth;
	w->services[service].cost = (struct aif_cost){ truth.fixed_ns, 100 };
	return service;
}

static void event_at(struct world *w, struct aif_heap_node *event, u64 at)
{
	event->key = at;
	event->seq = w->event_seq++;
	aif_heap_push(&w->events, event);
}

struct source *world_source(struct world *w, const struct source *source)
{
	struct source *s = &w->sources[w->source_count++];

	*s = *source;
	s->world = w;
	event_at(w, &s->event, s->start);
	return s;
}

/* ---- requests ---- */

static void look(struct world *w, enum moment moment, struct request *r)
{
	if (w->look)
		w->look(w, moment, r);
}

static struct lane *lane_of(const struct request *r)
{
	return &tenant_of(r)->lanes[r->source->service][r->class];
}

static void request_free(struct world *w, struct request *r)
{
	r->next_free = w->free;
	w->free = r;
}

static struct request *request_new(struct source *src)
{
	struct world *w = src->world;
	u64 size = world_random(w, src->cost_min, src->cost_max);
	struct request *r = w->free;

	w->free = r->next_free;
	r->source = src;
	r->class = src->class;
	r->due = 0;
	r->desc = (struct aif_desc){ .deadline = src->deadline ? w->now + src->deadline : 0 };
	r->cost = size;
	r->bytes = (u32)size;
	r->done = 0;
	r->arrived = w->now;
	src->offered++;
	src->offered_ns += w->services[src->service].engine ? 0 : size;
	return r;
}

/* In real time as far as the budget goes; each may take the longest of its source. */
static int push(struct world *w, struct request *r)
{
	struct source *src = r->source;
	u64 key = r->desc.deadline;

	if (src->class == AIF_CLASS_REALTIME) {
		r->due = w->policy.due(&tenant_of(r)->budget, src->cost_max, key, w->now);
		r->class = r->due ? AIF_CLASS_REALTIME : AIF_CLASS_NORMAL;
		src->demoted += !r->due;
		key = r->due ? r->due : key;
	}
	return w->policy.push(&w->sched, &lane_of(r)->lane, &r->node, key);
}

static bool submit(struct source *src)
{
	struct world *w = src->world;
	struct request *r = request_new(src);

	if (src->in_flight >= src->depth || push(w, r)) {
		src->refused++;
		look(w, REFUSED, r);
		request_free(w, r);
		return false;
	}
	src->in_flight++;
	tenant_of(r)->queued[r->class]++;
	look(w, ARRIVED, r);
	return true;
}

static bool source_open(const struct source *src)
{
	return src->world->now >= src->start && (!src->stop || src->world->now < src->stop);
}

static u64 pause_of(struct source *src)
{
	switch (src->arrival) {
	case POISSON:
		return (u64)(-log(unit(src->world)) * (double)src->period);
	case SPORADIC:
		return src->period + world_random(src->world, 0, src->period);
	default:
		return src->period;
	}
}

static void arrive(struct source *src)
{
	if (!source_open(src))
		return;
	if (src->arrival == CLOSED) {
		while (src->in_flight < src->depth && submit(src))
			;
		return;
	}
	submit(src);
	event_at(src->world, &src->event, src->world->now + pause_of(src));
}

/* The next one is submitted by whoever saw the answer. */
static void answered(struct world *w, struct request *r)
{
	struct source *src = r->source;

	src->in_flight--;
	request_free(w, r);
	if (src->arrival == CLOSED && source_open(src))
		submit(src);
}

/* ---- who is next ---- */

static struct executor *idle_executor(struct world *w, u32 service)
{
	for (u32 i = 0; i < w->executor_count; i++) {
		if (w->executors[i].service == service && !w->executors[i].busy)
			return &w->executors[i];
	}
	return NULL;
}

/* An idle executor of the service that goes next, not @but, or NULL. */
static struct executor *best(struct world *w, u32 but)
{
	struct executor *ex, *best = NULL;

	for (u32 i = 0; i < w->service_count; i++) {
		struct aif_sched_queue *q = &w->services[i].queue;

		ex = q->queued && i != but ? idle_executor(w, i) : NULL;
		if (ex && (!best || w->policy.before(q, &w->services[best->service].queue)))
			best = ex;
	}
	return best;
}

/* ---- steps ---- */

static void expire(struct world *w, struct aif_sched_lane *l, struct request *r)
{
	aif_sched_remove(&w->sched, l, &r->node);
	tenant_of(r)->queued[l->class]--;
	r->source->expired++;
	look(w, EXPIRED, r);
	answered(w, r);
}

static void take_chunk(struct world *w, struct service *s, struct aif_sched_lane *l,
		       struct request *r)
{
	r->chunk = w->policy.cut(r->done, r->bytes - r->done);
	r->charged = aif_cost_of(&s->cost, r->chunk);
	r->cost = aif_cost_of(&s->truth, r->chunk);
	w->policy.pop_chunk(&w->sched, l, r->charged);
}

static void take(struct world *w, struct executor *ex, struct aif_sched_lane *l,
		 struct request *r)
{
	struct service *s = &w->services[ex->service];

	if (s->engine) {
		take_chunk(w, s, l, r);
	} else {
		r->charged = s->queue.estimate_ns;
		(ex->count ? w->policy.pop_more : w->policy.pop)(&w->sched, l);
	}
	tenant_of(r)->queued[l->class]--;
	ex->step[ex->count++] = r;
	look(w, TAKEN, r);
}

static void fetch(struct world *w, struct executor *ex)
{
	struct service *s = &w->services[ex->service];
	struct executor *other = best(w, ex->service);
	const struct aif_sched_queue *rival = other ? &w->services[other->service].queue : NULL;
	struct aif_sched_lane *l;
	struct request *r;

	ex->count = 0;
	while (ex->count < s->credit && (l = w->policy.next(&s->queue))) {
		if (ex->count && !w->policy.joins(&lane_of(ex->step[0])->lane, rival))
			break;
		r = container_of(aif_heap_first(&l->requests), struct request, node);
		if (w->policy.late(&r->desc, w->now))
			expire(w, l, r);
		else
			take(w, ex, l, r);
	}
}

/* What each tenant has of this step, taken or charged, whichever is more. */
static void note_shares(struct world *w, const struct executor *ex)
{
	u64 took[TENANTS_MAX][AIF_CLASS_COUNT] = { 0 };
	u64 charged[TENANTS_MAX][AIF_CLASS_COUNT] = { 0 };

	for (u32 i = 0; i < ex->count; i++) {
		const struct request *r = ex->step[i];
		u64 *most = &tenant_of(r)->step[r->class];
		u64 *t = &took[r->source->tenant][r->class];
		u64 *c = &charged[r->source->tenant][r->class];

		*t += r->cost;
		*c += r->charged;
		*most = *t > *most ? *t : *most;
		*most = *c > *most ? *c : *most;
	}
}

/* Start a step: false when all that was queued had expired. */
static bool begin(struct world *w, struct executor *ex)
{
	u64 length = 0;

	ex->busy = true;
	fetch(w, ex);
	ex->busy = ex->count;
	if (!ex->busy)
		return false;
	for (u32 i = 0; i < ex->count; i++)
		length += ex->step[i]->cost;
	note_shares(w, ex);
	if (length > w->longest_step)
		w->longest_step = length;
	w->busy_ns += length;
	event_at(w, &ex->event, w->now + length);
	return true;
}

/* A chunk is done: the rest is queued again, in its old place. */
static bool chunk_done(struct world *w, struct service *s, struct request *r)
{
	aif_cost_learn(&s->cost, r->chunk, r->cost);
	w->policy.correct(&lane_of(r)->lane, r->charged, r->cost);
	r->done += r->chunk;
	if (r->done == r->bytes)
		return true;
	aif_sched_push_again(&w->sched, &lane_of(r)->lane, &r->node, r->desc.deadline,
			     r->node.seq);
	tenant_of(r)->queued[r->class]++;
	return false;
}

static void finish(struct world *w, struct executor *ex, struct request *r)
{
	struct service *s = &w->services[ex->service];
	bool done = true;

	if (s->engine)
		done = chunk_done(w, s, r);
	else
		w->policy.account(&lane_of(r)->lane, r->charged, r->cost, true);
	tenant_of(r)->had[r->class] += r->cost;
	r->source->served += done;
	look(w, DONE, r);
	if (done)
		answered(w, r);
}

static void end(struct executor *ex)
{
	struct world *w = ex->world;

	for (u32 i = 0; i < ex->count; i++)
		finish(w, ex, ex->step[i]);
	ex->busy = false;
	aif_sched_token_put(&w->sched);
}

/* ---- who runs ---- */

static void dispatch(struct world *w)
{
	struct executor *ex;

	while ((ex = best(w, SERVICES_MAX)) && aif_sched_token_get(&w->sched)) {
		if (!begin(w, ex))
			aif_sched_token_put(&w->sched);
	}
	look(w, SETTLED, NULL);
}

static void happen(struct world *w, struct aif_heap_node *event)
{
	char *at = (char *)event;

	if (at >= (char *)w->sources && at < (char *)(w->sources + SOURCES_MAX))
		arrive(container_of(event, struct source, event));
	else
		end(container_of(event, struct executor, event));
}

void world_run(struct world *w, u64 ns)
{
	u64 until = w->now + ns;
	struct aif_heap_node *event;

	while (!w->failure[0] && (event = aif_heap_first(&w->events)) && event->key <= until) {
		aif_heap_remove(&w->events, event);
		w->now = event->key;
		happen(w, event);
		dispatch(w);
	}
	w->now = until;
}
