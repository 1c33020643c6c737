// SPDX-License-Identifier: MIT
/*
 * What must hold in every state, whatever led there.  Rules that belong to one
 * step (a delivery, an answer) stand at that step.
 */
#include "world.h"

const struct rule_text rule_texts[RULE_COUNT] = {
#define R(name, scope, words) { #name, scope, words },
	RULES(R)
#undef R
};

/* Is this executor of no more harm to anybody's memory? */
static bool executor_quiet(const struct executor *ex)
{
	return ex->dead && ex->zapped && ex->process == GONE && !ex->pin;
}

bool may_write(u32 e, const struct request *r)
{
	return r->ghost_writers & (1 << e) && !executor_quiet(&w.executors[e]);
}

/* ---- one request ---- */

static bool in_heap(const struct aif_heap *h, const struct aif_heap_node *n)
{
	return n->pos < h->count && h->slots[n->pos] == n;
}

static u32 slots_with(u32 tag)
{
	u32 e, i, n = 0;

	for (e = 0; e < scope.execs; e++)
		for (i = 0; i < scope.slots && w.executors[e].attached; i++)
			n += w.executors[e].slots[i].request == tag;
	return n;
}

static void check_owner(const struct request *r)
{
	u32 queued = in_heap(&service_of(tag_of(r))->lane.requests, &r->node);
	u32 slots = slots_with(tag_of(r));
	bool held = r->state == AIF_STATE_FETCHED;
	bool lost = r->state == AIF_STATE_RECOVERING;
	bool orphan = r->state == AIF_STATE_ORPHANED;

	rule(RULE_one_owner, r->in_device == aif_req_busy(r->state));
	rule(RULE_slot_kept, !orphan || slots || r->on_lost);
	rule(RULE_one_owner, queued == (r->state == AIF_STATE_QUEUED));
	rule(RULE_one_owner, slots + r->on_lost == (held || lost || orphan));
	rule(RULE_one_owner, (!held || slots) && (!lost || r->on_lost));
	rule(RULE_one_owner, !slots || !w.executors[r->executor].dead);
	rule(RULE_one_owner, !r->on_lost || w.executors[r->executor].dead);
}

static void check_writers(const struct request *r)
{
	u32 e;

	for (e = 0; e < scope.execs; e++) {
		if (!may_write(e, r))
			continue;
		if (!aif_req_busy(r->state))
			rule(RULE_tag_quiet, false);
		else
			rule(RULE_requeue_quiet, r->executor == e);
	}
}

static void check_request(const struct request *r)
{
	check_owner(r);
	check_writers(r);
	rule(RULE_shown, r->shown == r->state);
	rule(RULE_answered_once, r->ghost_answers ==
	     (r->state != AIF_STATE_FREE && aif_req_answered(r->state)));
	rule(RULE_attempts, r->attempt == r->ghost_runs);
	rule(RULE_expiry_armed, w.expire_hand == tag_of(r) || in_heap(&w.deadlines, &r->deadline) ==
	     (r->in_device && r->desc_deadline && !aif_req_answered(r->state)));
}

/* ---- executors ---- */

static u32 held_by(u32 e, bool *recovered)
{
	u32 i, n = 0;

	*recovered = false;
	for (i = 0; i < scope.slots; i++) {
		u8 tag = w.executors[e].slots[i].request;

		if (tag == NOBODY)
			continue;
		n++;
		*recovered |= w.requests[tag].ghost_runs > 1;
	}
	return n;
}

static void check_executor(const struct executor *ex)
{
	const struct service *s = executor_service(index_of(ex));
	bool recovered, waits = ex->fetching && !ex->woken;
	struct request *next;

	rule(RULE_counts, ex->held == held_by(index_of(ex), &recovered));
	rule(RULE_alone, !recovered || ex->held == 1);
	rule(RULE_token_held, !ex->token || !ex->dead);
	rule(RULE_executor_woken, !waits || (!executor_has_events(ex) && !ex->dead && !s->gone));
	rule(RULE_drain_end, !waits || !service_drained(s));
	rule(RULE_idle_listed, !waits || !ex->credit || !service_best(s, &next) ||
	     !executor_could_take(ex) || service_idles(s, index_of(ex)));
}

/* ---- counts, heaps ---- */

static bool heap_ordered(const struct aif_heap *h)
{
	u32 i;

	for (i = 0; i < h->count; i++) {
		if (h->slots[i]->pos != i)
			return false;
		if (i && aif_heap_before(h->slots[i], h->slots[(i - 1) / 2]))
			return false;
	}
	return true;
}

static void check_service(const struct service *s)
{
	u32 e, t, queued = 0, fetched = 0, recovering = 0, coming = 0;

	for (t = 0; t < scope.tags; t++) {
		if (service_of(t) != s)
			continue;
		queued += w.requests[t].state == AIF_STATE_QUEUED;
		recovering += w.requests[t].state == AIF_STATE_RECOVERING;
	}
	for (e = 0; e < scope.execs; e++) {
		if (executor_service(e) != s)
			continue;
		fetched += w.executors[e].held;
		coming += w.executors[e].coming;
	}
	rule(RULE_queued_count, s->queue.queued == queued && s->lane.requests.count == queued);
	rule(RULE_counts, s->fetched == fetched && s->recovering == recovering &&
	     s->coming == coming && s->ready == (queued > coming && s->idle_count));
	rule(RULE_heap_order, heap_ordered(&s->lane.requests) &&
	     heap_ordered(&s->queue.lanes[AIF_CLASS_NORMAL]));
}

static void check_device(void)
{
	u32 e, t, queued = 0, tokens = 0;

	for (t = 0; t < scope.tags; t++)
		queued += w.requests[t].state == AIF_STATE_QUEUED;
	for (e = 0; e < scope.execs; e++)
		tokens += w.executors[e].token;
	rule(RULE_queued_count, w.sched.queued == queued);
	rule(RULE_tokens, w.sched.tokens_used == tokens && tokens <= w.sched.tokens);
	rule(RULE_work_conserving, !device_could_kick());
}

static void check_client(void)
{
	bool flying = false;
	u32 t;

	for (t = 0; t < scope.tags; t++)
		flying |= w.requests[t].in_device;
	rule(RULE_heap_order, heap_ordered(&w.deadlines));
	rule(RULE_expiry_armed, !w.deadlines.count || w.expire_armed || w.expire_runs);
	rule(RULE_waiter_woken, w.waiter == NOBODY || w.requests[w.waiter].in_device);
	rule(RULE_client_freed, w.ghost_freed == (w.close == CLOSED && !flying));
}

void check_world(void)
{
	u32 i;

	for (i = 0; i < scope.tags; i++)
		check_request(&w.requests[i]);
	for (i = 0; i < scope.execs; i++)
		if (w.executors[i].attached)
			check_executor(&w.executors[i]);
	for (i = 0; i < scope.services; i++)
		check_service(&w.services[i]);
	check_device();
	check_client();
}
