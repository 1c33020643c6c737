// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Who goes next on a device.
 *
 * A clock runs with the device time its tenant takes, slower the higher its
 * weight; the slowest clock of a class goes next.  The device's virtual time is
 * the clock of the last request that went (its start tag).  It never goes back,
 * and whoever returns from idleness begins there: time not used is lost.
 *
 * A step takes more of its service's requests, whose tenants may be ahead of
 * those who wait at another service.  These do not move the virtual time: a client
 * with one request at a time is idle whenever it is served, and would begin anew
 * behind each of them.  And they are taken only so far ahead, or a tenant whose
 * neighbour is always due would have all that is left of its steps.  So far is a
 * long step: with less, two services would cut each other's steps to a request.
 *
 * A clock behind that time is owed something: a charge was corrected downwards,
 * or its service's executors did not ask for a while.  It is owed at most
 * AIF_SCHED_LAG_NS: a service that had no executor for an hour must not take
 * the device for an hour.
 *
 * Clocks count nanoseconds divided by the weight, the remainder kept.  At
 * weight 1 with 64 steps at once all the time that is 2^64 ns / 64 = 9 years of
 * one tenant's work on one device before a u64 is full (at weight 100 it is
 * 900): they are compared as plain numbers.
 */
#include "aif_core.h"

#define ESTIMATE_SHIFT	3	/* a measurement weighs 1/8 */

static struct aif_sched_lane *lane_of(struct aif_heap_node *n)
{
	return container_of(n, struct aif_sched_lane, node);
}

/* The queue's heap that @l is in while it has requests. */
static struct aif_heap *lane_heap(struct aif_sched_lane *l)
{
	return l->paused ? &l->queue->paused : &l->queue->lanes[l->class];
}

static bool clock_is_idle(const struct aif_sched_clock *c)
{
	const struct aif_sched_lane *l;

	for (l = c->lanes; l; l = l->next) {
		if (l->requests.count)
			return false;
	}
	return true;
}

/* In real time a lane goes when its first request is due, whatever its tenant had. */
static bool lane_by_deadline(const struct aif_sched_lane *l)
{
	return l->class == AIF_CLASS_REALTIME;
}

/* All of the tenant's services move together, so one cannot hide behind another. */
static void clock_set(struct aif_sched_clock *c, u64 vruntime)
{
	struct aif_sched_lane *l;

	c->vruntime = vruntime;
	for (l = c->lanes; l; l = l->next) {
		if (l->requests.count && !l->paused && !lane_by_deadline(l))
			aif_heap_rekey(lane_heap(l), &l->node, vruntime);
	}
}

static void clock_charge(struct aif_sched_clock *c, u64 ns)
{
	u64 v = div_u64_rem(ns + c->rest, c->weight, &c->rest);

	clock_set(c, c->vruntime + v);
}

static void clock_refund(struct aif_sched_clock *c, u64 ns)
{
	u32 rest;
	u64 v = div_u64_rem(ns, c->weight, &rest);

	if (c->rest < rest) {
		c->rest += c->weight;
		v++;
	}
	c->rest -= rest;
	clock_set(c, v < c->vruntime ? c->vruntime - v : 0);
}

void aif_sched_init(struct aif_sched *s, u32 tokens, u32 max_queued)
{
	memset(s, 0, sizeof(*s));
	s->tokens = tokens;
	s->max_queued = max_queued;
}

void aif_sched_queue_init(struct aif_sched_queue *q)
{
	memset(q, 0, sizeof(*q));
	q->estimate_ns = AIF_SCHED_ESTIMATE_NS;
}

void aif_sched_lane_init(struct aif_sched_lane *l, struct aif_sched_queue *q,
			 struct aif_sched_clock *c, u8 class)
{
	aif_heap_node_init(&l->node);
	l->queue = q;
	l->clock = c;
	l->class = class;
	l->next = c->lanes;
	c->lanes = l;
}

void aif_sched_lane_fini(struct aif_sched_lane *l)
{
	struct aif_sched_lane **p = &l->clock->lanes;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
}

/* @l takes its place in the queue, by its first request and its tenant's clock. */
static int lane_enter(struct aif_sched_lane *l, const struct aif_heap_node *first)
{
	l->node.key = lane_by_deadline(l) ? first->key : l->clock->vruntime;
	l->node.seq = first->seq;
	return aif_heap_push(lane_heap(l), &l->node);
}

/* The first request of a lane. */
static int lane_wake(const struct aif_sched *s, struct aif_sched_lane *l,
		     const struct aif_heap_node *req)
{
	struct aif_sched_clock *c = l->clock;

	if (clock_is_idle(c) && c->vruntime < s->vtime[l->class])
		c->vruntime = s->vtime[l->class];
	return lane_enter(l, req);
}

/* Another request may be the lane's first now, or none. */
static void lane_refresh(struct aif_sched_lane *l)
{
	const struct aif_heap_node *first = aif_heap_first(&l->requests);

	if (!first) {
		aif_heap_remove(lane_heap(l), &l->node);
		l->paused = false;
	} else if (lane_by_deadline(l) && !l->paused) {
		l->node.seq = first->seq;
		aif_heap_rekey(lane_heap(l), &l->node, first->key);
	}
}

int aif_sched_push_again(struct aif_sched *s, struct aif_sched_lane *l,
			 struct aif_heap_node *req, u64 deadline, u64 seq)
{
	if (l->requests.count >= l->requests.capacity)
		return -EAGAIN;
	req->key = deadline ? deadline : ~0ull;
	req->seq = seq;
	if (!l->requests.count && lane_wake(s, l, req))
		return -EAGAIN;
	aif_heap_push(&l->requests, req);
	lane_refresh(l);
	l->queue->queued++;
	l->clock->queued++;
	s->queued++;
	return 0;
}

bool aif_sched_has_room(const struct aif_sched *s, const struct aif_sched_lane *l)
{
	return l->requests.count < l->requests.capacity &&
	       (s->queued < s->max_queued ||
		l->clock->queued < s->max_queued / AIF_SCHED_OWN_PART);
}

int aif_sched_push(struct aif_sched *s, struct aif_sched_lane *l,
		   struct aif_heap_node *req, u64 deadline)
{
	if (!aif_sched_has_room(s, l))
		return -EAGAIN;
	return aif_sched_push_again(s, l, req, deadline, s->seq++);
}

void aif_sched_remove(struct aif_sched *s, struct aif_sched_lane *l, struct aif_heap_node *req)
{
	aif_heap_remove(&l->requests, req);
	lane_refresh(l);
	l->queue->queued--;
	l->clock->queued--;
	s->queued--;
}

void aif_sched_pause(struct aif_sched_lane *l, u64 until)
{
	aif_heap_remove(lane_heap(l), &l->node);
	l->paused = true;
	l->node.key = until;
	aif_heap_push(lane_heap(l), &l->node);
}

/* It was a limit that held it back, not the device, which therefore owes it nothing. */
static void lane_resume(const struct aif_sched *s, struct aif_sched_lane *l)
{
	struct aif_sched_clock *c = l->clock;

	aif_heap_remove(lane_heap(l), &l->node);
	if (c->vruntime < s->vtime[l->class])
		clock_set(c, s->vtime[l->class]);
	l->paused = false;
	lane_enter(l, aif_heap_first(&l->requests));
}

void aif_sched_resume(struct aif_sched *s, struct aif_sched_queue *q, u64 now)
{
	struct aif_heap_node *first = aif_heap_first(&q->paused);

	for (; first && first->key <= now; first = aif_heap_first(&q->paused))
		lane_resume(s, lane_of(first));
}

struct aif_sched_lane *aif_sched_next(const struct aif_sched_queue *q)
{
	u32 class;

	for (class = 0; class < AIF_CLASS_COUNT; class++) {
		if (q->lanes[class].count)
			return lane_of(aif_heap_first(&q->lanes[class]));
	}
	return NULL;
}

static struct aif_heap_node *take(struct aif_sched *s, struct aif_sched_lane *l, u64 cost_ns)
{
	struct aif_heap_node *req = aif_heap_first(&l->requests);

	aif_sched_remove(s, l, req);
	clock_charge(l->clock, cost_ns);
	return req;
}

struct aif_heap_node *aif_sched_pop_chunk(struct aif_sched *s, struct aif_sched_lane *l,
					  u64 cost_ns)
{
	struct aif_sched_clock *c = l->clock;
	u64 *vtime = &s->vtime[l->class];
	u64 lag = AIF_SCHED_LAG_NS / c->weight;

	if (c->vruntime > *vtime)
		*vtime = c->vruntime;
	else if (*vtime - c->vruntime > lag)
		c->vruntime = *vtime - lag;
	return take(s, l, cost_ns);
}

struct aif_heap_node *aif_sched_pop(struct aif_sched *s, struct aif_sched_lane *l)
{
	return aif_sched_pop_chunk(s, l, l->queue->estimate_ns);
}

struct aif_heap_node *aif_sched_pop_more(struct aif_sched *s, struct aif_sched_lane *l)
{
	return take(s, l, l->queue->estimate_ns);
}

bool aif_sched_joins(const struct aif_sched_lane *first, const struct aif_sched_queue *rival)
{
	const struct aif_sched_lane *l = aif_sched_next(first->queue);
	const struct aif_sched_lane *r = rival ? aif_sched_next(rival) : NULL;

	if (first->class == AIF_CLASS_REALTIME || (l && l->class == AIF_CLASS_REALTIME))
		return false;
	if (!l || !r || l->class < r->class)
		return true;
	if (l->class > r->class)
		return false;
	return l->node.key <= r->node.key ||
	       l->node.key - r->node.key <= AIF_SCHED_AHEAD_NS / l->clock->weight;
}

bool aif_sched_before(const struct aif_sched_queue *a, const struct aif_sched_queue *b)
{
	const struct aif_sched_lane *la = aif_sched_next(a);
	const struct aif_sched_lane *lb = aif_sched_next(b);

	if (!la || !lb)
		return la;
	if (la->class != lb->class)
		return la->class < lb->class;
	if (la->clock == lb->clock)
		return aif_heap_before(aif_heap_first(&la->requests),
				       aif_heap_first(&lb->requests));
	return aif_heap_before(&la->node, &lb->node);
}

void aif_sched_correct(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns)
{
	if (measured_ns > charged_ns)
		clock_charge(l->clock, measured_ns - charged_ns);
	else
		clock_refund(l->clock, charged_ns - measured_ns);
}

u64 aif_sched_account(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns, bool final)
{
	struct aif_sched_queue *q = l->queue;

	if (final)
		q->estimate_ns += (measured_ns >> ESTIMATE_SHIFT) -
				  (q->estimate_ns >> ESTIMATE_SHIFT);
	if (measured_ns <= charged_ns && !final)
		return charged_ns;
	aif_sched_correct(l, charged_ns, measured_ns);
	return measured_ns;
}
