// SPDX-License-Identifier: MIT
/*
 * A world as a few words, and back.
 *
 * What follows from other fields (counts, places in heaps, who holds which
 * slot) is not stored: the rules have just checked that it does follow.  Times
 * are stored as distances from now, clocks as distances from the device's
 * virtual time, orders of submission as ranks; so a run of any length comes
 * back to states already seen.
 *
 * Tags are alike (those of one service), and so are executors: they are numbered
 * by what they look like, and where that leaves a choice, so that the words are
 * smallest.
 */
#include <stdlib.h>

#include "world.h"

#define CLOCK_BASE	(100 * CHARGE_V)
#define CLOCK_LOW	3	/* who lags more than the core's cap of 2 lags by 3 */

struct packer {
	struct state *s;
	u32 at;
	bool put;
	u8 tag_at[TAGS_MAX + 1];	/* stored number -> ours */
	u8 exec_at[EXECS_MAX + 1];
	u8 tag_to[TAGS_MAX];		/* ours -> stored number */
	u8 exec_to[EXECS_MAX];
};

static inline u64 bits(struct packer *p, u64 value, u32 count)
{
	u64 mask = (1ull << count) - 1, *word;
	u32 shift = p->at % 64;

	if (shift + count > 64) {	/* never across two words */
		p->at += 64 - shift;
		shift = 0;
	}
	word = &p->s->words[p->at / 64];
	p->at += count;
	if (!p->put)
		return *word >> shift & mask;
	if (value > mask || p->at > 64 * STATE_WORDS)
		abort();	/* a field of ours has outgrown its place */
	*word |= value << shift;
	return value;
}

static u8 tag_bits(struct packer *p, u8 tag)
{
	u8 v = bits(p, p->put && tag != NOBODY ? p->tag_to[tag] : TAGS_MAX, 2);

	return p->put ? tag : v == TAGS_MAX ? NOBODY : v;
}

static u8 exec_bits(struct packer *p, u8 e)
{
	u8 v = bits(p, p->put && e != NOBODY ? p->exec_to[e] : EXECS_MAX, 2);

	return p->put ? e : v == EXECS_MAX ? NOBODY : v;
}

/*
 * 0: none, else its distance from now, which is -1 .. 2.  A node that is not in
 * the heap was taken out by the expiry worker.
 */
static void pack_deadline(struct packer *p, struct request *r)
{
	u64 distance = broken(storage) ? 1 : r->desc_deadline - w.now;
	u64 v = bits(p, r->desc_deadline ? distance + 2 : 0, 3);

	r->desc_deadline = v ? w.now + v - 2 : 0;
	if (v)
		r->deadline.pos = bits(p, r->deadline.pos == AIF_HEAP_OUT, 1) ? AIF_HEAP_OUT : 0;
}

static void pack_flying(struct packer *p, struct request *r)
{
	r->flags = bits(p, r->flags, 1);
	r->attempt = bits(p, r->attempt, 2);
	r->node.seq = bits(p, r->node.seq, 2);
	r->ghost_deaths = bits(p, r->ghost_deaths, 2);
	r->ghost_progress = bits(p, r->ghost_progress, 1);
	r->produced = bits(p, r->produced, 1);
	if (!aif_req_answered(r->state))
		pack_deadline(p, r);
	if (r->state != AIF_STATE_QUEUED) {
		r->executor = exec_bits(p, r->executor);
		r->on_lost = bits(p, r->on_lost, 1);
		r->on_cancels = bits(p, r->on_cancels, 1);
	}
}

static void pack_request(struct packer *p, struct request *r)
{
	r->state = bits(p, r->state, 3);
	r->in_device = r->state != AIF_STATE_FREE;
	if (r->in_device)
		pack_flying(p, r);
}

static void pack_view(struct packer *p, struct view *v)
{
	v->present = bits(p, v->present, 1);
	if (!v->present)
		return;
	v->added = bits(p, v->added, 1);
	v->revoked = bits(p, v->revoked, 1);
	v->told = bits(p, v->told, 1);
	v->dead = bits(p, v->dead, 1);
	v->pins = bits(p, v->pins, 1);
	v->event = !v->added || (v->revoked && !v->told);
}

static void pack_executor(struct packer *p, struct executor *ex)
{
	ex->attached = bits(p, ex->attached, 1);
	if (!ex->attached)
		return;
	ex->process = bits(p, ex->process, 2);
	ex->dead = bits(p, ex->dead, 1);
	ex->pin = bits(p, ex->pin, 1);
	ex->ghost_valid = bits(p, ex->ghost_valid, 1);
	ex->fetching = bits(p, ex->fetching, 1);
	if (ex->fetching) {
		ex->credit = bits(p, ex->credit, 2);
		ex->woken = bits(p, ex->woken, 1);
	}
	if (ex->dead) {
		ex->zapped = bits(p, ex->zapped, 1);
		ex->late = bits(p, ex->late, 1);
	} else {
		ex->token = bits(p, ex->token, 1);
		ex->coming = bits(p, ex->coming, 1);
		ex->alone = bits(p, ex->alone, 1);
		ex->poison = bits(p, ex->poison, 1);
	}
	pack_view(p, &ex->view);
}

static void pack_service(struct packer *p, struct service *s)
{
	u32 i;

	s->idle_count = bits(p, s->idle_count, 2);
	for (i = 0; i < s->idle_count; i++)
		s->idle[i] = exec_bits(p, s->idle[i]);
	s->claim = bits(p, s->claim, 1);
	s->passed_over = bits(p, s->passed_over, 1);
	s->draining = bits(p, s->draining, 1);
	s->gone = bits(p, s->gone, 1);
}

/* Its distance from the virtual time, in requests. */
static void pack_clock(struct packer *p, struct aif_sched_clock *c)
{
	u64 zero = w.sched.vtime[AIF_CLASS_NORMAL] - CLOCK_LOW * CHARGE_V;

	c->vruntime = zero + bits(p, (c->vruntime - zero) / CHARGE_V, 4) * CHARGE_V;
}

static void pack_expiry(struct packer *p)
{
	w.expire_armed = bits(p, w.expire_armed, 1);
	w.expire_runs = bits(p, w.expire_runs, 1);
	w.expire_hand = tag_bits(p, w.expire_hand);
	if (w.expire_runs || w.expire_hand != NOBODY)
		w.expire_now = w.now - bits(p, w.now - w.expire_now, 1);
}

static void pack_rest(struct packer *p)
{
	u32 i;

	for (i = 0; i < scope.services; i++)
		pack_service(p, &w.services[i]);
	for (i = 0; i < scope.services; i++)
		pack_clock(p, &w.clocks[i]);
	for (i = 0; i < scope.services; i++)
		w.services[i].lane.node.seq = bits(p, w.services[i].lane.node.seq, 1);
	if (with(WITH_DEADLINE))
		pack_expiry(p);
	w.grant = bits(p, w.grant, 3);
	w.close = bits(p, w.close, 2);
	w.waiter = tag_bits(p, w.waiter);
	w.lock = bits(p, w.lock, 2);
	if (w.lock == LOCK_DIE)
		w.lock_by = exec_bits(p, w.lock_by);
	if (w.lock == LOCK_TEND) {
		w.tend_hand = tag_bits(p, w.tend_hand);
		w.tend_quiet = bits(p, w.tend_quiet, 1);
	}
}

static void pack(struct packer *p)
{
	u32 i;

	for (i = 0; i < scope.tags; i++)
		pack_request(p, &w.requests[p->tag_at[i]]);
	for (i = 0; i < scope.execs; i++)
		pack_executor(p, &w.executors[p->exec_at[i]]);
	pack_rest(p);
}

/* ---- before: one form of what is the same ---- */

/* Of what is not answered: the rest will never be queued again. */
static void order_by_rank(void)
{
	u64 seq[TAGS_MAX];
	u32 t, o;

	for (t = 0; t < scope.tags; t++)
		seq[t] = aif_req_answered(w.requests[t].state) ? ~0ull : w.requests[t].node.seq;
	for (t = 0; t < scope.tags; t++) {
		w.requests[t].node.seq = 0;
		for (o = 0; o < scope.tags; o++)
			w.requests[t].node.seq += w.requests[o].in_device && seq[o] < seq[t];
	}
	w.services[0].lane.node.seq = w.services[0].lane.requests.count &&
		w.services[1].lane.requests.count &&
		w.services[0].lane.node.seq > w.services[1].lane.node.seq;
	w.services[1].lane.node.seq = !w.services[0].lane.node.seq;
}

static void forget_request(struct request *r)
{
	if (r->state == AIF_STATE_DONE)
		r->state = AIF_STATE_FREE;
	if (aif_req_answered(r->state)) {
		r->desc_deadline = 0;
		r->flags = r->produced = r->ghost_deaths = 0;
		r->ghost_progress = false;
		r->node.seq = 0;
	}
}

/* Who is gone altogether has left no more than a place. */
static void forget_executor(u32 e)
{
	struct executor *ex = &w.executors[e];
	bool lost = false;
	u32 t;

	for (t = 0; t < scope.tags; t++)
		lost |= w.requests[t].on_lost && w.requests[t].executor == e;
	ex->late &= lost;
	if (ex->dead && ex->zapped && ex->process == GONE && !ex->pin && !lost)
		ex->attached = false;
}

static void forget_lag(struct aif_sched_clock *c)
{
	u64 least = w.sched.vtime[AIF_CLASS_NORMAL] - CLOCK_LOW * CHARGE_V;

	if (c->vruntime < least)
		c->vruntime = least;
}

static void normalise(void)
{
	u32 i;

	order_by_rank();
	for (i = 0; i < scope.tags; i++)
		forget_request(&w.requests[i]);
	for (i = 0; i < scope.execs; i++)
		forget_executor(i);
	for (i = 0; i < scope.services; i++)
		forget_lag(&w.clocks[i]);
}

/* ---- after: what follows from what was stored ---- */

static void rebuild_slots(struct executor *ex)
{
	struct slot *slot;
	u32 i, t;

	ex->free_slot = NOBODY;
	for (i = scope.slots; i--; ) {
		slot = &ex->slots[i];
		*slot = (struct slot) { .request = NOBODY, .generation = 2,
					.ghost_past = ex->ghost_valid ? 2 : 1,
					.next_free = ex->free_slot };
		ex->free_slot = i;
	}
	for (t = 0; t < scope.tags; t++) {
		struct request *r = &w.requests[t];

		if (!r->in_device || r->on_lost || r->state == AIF_STATE_QUEUED ||
		    r->executor != index_of(ex))
			continue;
		r->slot = ex->free_slot;
		slot = &ex->slots[r->slot];
		ex->free_slot = slot->next_free;
		slot->request = t;
		ex->held++;
	}
}

static void rebuild_executor(u32 e)
{
	struct executor *ex = &w.executors[e];
	struct service *s = executor_service(e);

	if (!ex->attached)
		return;
	rebuild_slots(ex);
	s->fetched += ex->held;
	s->coming += ex->coming;
	w.sched.tokens_used += ex->token;
}

static void rebuild_request(struct request *r)
{
	struct service *s = service_of(tag_of(r));
	bool taken = r->deadline.pos == AIF_HEAP_OUT;
	u64 seq = r->node.seq;

	r->shown = r->state;
	aif_heap_node_init(&r->node);
	aif_heap_node_init(&r->deadline);
	if (!r->in_device)
		return;
	r->ghost_answers = aif_req_answered(r->state);
	r->ghost_runs = r->attempt;
	if (r->state == AIF_STATE_QUEUED)
		aif_sched_push_again(&w.sched, &s->lane, &r->node, r->desc_deadline, seq);
	else
		r->ghost_writers = 1 << r->executor;
	r->node.seq = seq;
	s->recovering += r->state == AIF_STATE_RECOVERING;
	if (!r->desc_deadline || taken)
		return;
	r->deadline.key = r->desc_deadline;
	r->deadline.seq = seq;
	aif_heap_push(&w.deadlines, &r->deadline);
}

static void rebuild(u64 vtime)
{
	u64 lanes[SERVICES_MAX];
	bool flying = false;
	u32 i;

	for (i = 0; i < SERVICES_MAX; i++)
		lanes[i] = w.services[i].lane.node.seq;
	w.sched.vtime[AIF_CLASS_NORMAL] = 0;	/* nobody wakes up late here */
	for (i = 0; i < scope.tags; i++) {
		rebuild_request(&w.requests[i]);
		flying |= w.requests[i].in_device;
	}
	for (i = 0; i < scope.execs; i++)
		rebuild_executor(i);
	for (i = 0; i < scope.services; i++) {
		w.services[i].lane.node.seq = lanes[i];
		service_refresh(&w.services[i]);
	}
	w.sched.vtime[AIF_CLASS_NORMAL] = vtime;
	w.sched.seq = w.submitted = TAGS_MAX;
	w.ghost_freed = w.close == CLOSED && !flying;
}

/* ---- in and out ---- */

static void init_service(u32 i)
{
	struct service *s = &w.services[i];

	aif_sched_queue_init(&s->queue);
	s->queue.estimate_ns = CHARGE_NS;
	aif_heap_grow(&s->queue.lanes[AIF_CLASS_NORMAL], s->queue_slots, 1);
	aif_sched_lane_init(&s->lane, &s->queue, &w.clocks[i], AIF_CLASS_NORMAL);
	aif_heap_grow(&s->lane.requests, s->lane_slots, TAGS_MAX);
}

/* An idle device, nobody attached, a buffer that was granted. */
void world_init(void)
{
	u32 i;

	memset(&w, 0, sizeof(w));
	w.now = NOW;
	aif_sched_init(&w.sched, scope.tokens, scope.max_queued);
	w.sched.vtime[AIF_CLASS_NORMAL] = CLOCK_BASE;
	w.sched.seq = TAGS_MAX;
	aif_heap_grow(&w.deadlines, w.deadline_slots, TAGS_MAX);
	for (i = 0; i < SERVICES_MAX; i++) {
		w.clocks[i].weight = 100;
		w.clocks[i].vruntime = CLOCK_BASE;
	}
	for (i = 0; i < scope.services; i++)
		init_service(i);
	for (i = 0; i < scope.tags; i++) {
		w.requests[i].executor = NOBODY;
		aif_heap_node_init(&w.requests[i].node);
		aif_heap_node_init(&w.requests[i].deadline);
	}
	w.grant = GRANT_LIVE;
	w.waiter = w.expire_hand = w.tend_hand = NOBODY;
}

void world_unpack(const struct state *s)
{
	struct state copy = *s;
	struct packer p = { .s = &copy };
	u32 i;

	world_init();
	for (i = 0; i < TAGS_MAX; i++)
		p.tag_at[i] = i;
	for (i = 0; i < EXECS_MAX; i++)
		p.exec_at[i] = i;
	pack(&p);
	rebuild(CLOCK_BASE);
}

static const u8 orders[6][3] = {
	{ 0, 1, 2 }, { 1, 0, 2 }, { 0, 2, 1 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

/*
 * May @n things be numbered in this order?  Each @stride-th is alike; what looks
 * different by itself is in the order of @looks.
 */
static bool order_allowed(const u8 *order, u32 n, u32 stride, const u64 *looks)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		if (i >= n ? order[i] != i : order[i] >= n || order[i] % stride != i % stride)
			return false;
		if (i < n && i >= stride && looks[order[i - stride]] > looks[order[i]])
			return false;
	}
	return true;
}

/* What tags and executors look like by themselves, whoever refers to whom. */
static void look(u64 *tags, u64 *execs)
{
	u32 i;

	for (i = 0; i < scope.tags; i++) {
		struct state s = { };
		struct packer p = { .s = &s, .put = true };

		pack_request(&p, &w.requests[i]);
		tags[i] = s.words[0];
	}
	for (i = 0; i < scope.execs; i++) {
		struct state s = { };
		struct packer p = { .s = &s, .put = true };

		pack_executor(&p, &w.executors[i]);
		execs[i] = s.words[0];
	}
}

static void number(u8 *at, u8 *to, const u8 *order)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		at[i] = order[i];
		to[order[i]] = i;
	}
}

static void pack_as(struct state *s, struct names *names, u32 tag_order, u32 exec_order, bool first)
{
	struct state new = { };
	struct packer p = { .s = &new, .put = true };

	number(p.tag_at, p.tag_to, orders[tag_order]);
	number(p.exec_at, p.exec_to, orders[exec_order]);
	pack(&p);
	if (!first && memcmp(&new, s, sizeof(new)) >= 0)
		return;
	*s = new;
	memcpy(names->tags, p.tag_at, sizeof(names->tags));
	memcpy(names->execs, p.exec_at, sizeof(names->execs));
}

void world_pack(struct state *s, struct names *names)
{
	u64 tags[TAGS_MAX] = { }, execs[EXECS_MAX] = { };
	bool first = true;
	u32 t, e;

	normalise();
	look(tags, execs);
	for (t = 0; t < 6; t++) {
		if (!order_allowed(orders[t], scope.tags, scope.services, tags))
			continue;
		for (e = 0; e < 6; e++) {
			if (!order_allowed(orders[e], scope.execs, scope.services, execs))
				continue;
			pack_as(s, names, t, e, first);
			first = false;
		}
	}
}
