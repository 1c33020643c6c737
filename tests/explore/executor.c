// SPDX-License-Identifier: MIT
/*
 * Executors, and who gets the device: mirrors kmod/aif_executor.c and the
 * scheduler's surroundings in kmod/aif_device.c.
 *
 * An executor has as many threads as it likes: each of its calls can come at
 * any time.  A FETCH in the ioctl and one parked in a ring differ in who wakes
 * whom only; here both are a waiting FETCH, a wake-up, and the critical section
 * that the woken one enters.
 */
#include "world.h"

#define KEEP_TOKEN	1	/* variant of commit: the same call fetches */

static struct request *of_node(struct aif_heap_node *n)
{
	return container_of(n, struct request, node);
}

/* The lane, and request, that goes next at @s; NULL if nothing is queued. */
struct aif_sched_lane *service_best(const struct service *s, struct request **r)
{
	struct aif_sched_lane *lane = aif_sched_next(&s->queue);

	*r = lane ? of_node(aif_heap_first(&lane->requests)) : NULL;
	return lane;
}

/* ---- the idle list ---- */

static void idle_add(struct service *s, u32 e, bool front)
{
	u32 i;

	for (i = s->idle_count++; front && i; i--)
		s->idle[i] = s->idle[i - 1];
	s->idle[front ? 0 : s->idle_count - 1] = e;
}

static bool idle_remove(struct service *s, u32 e)
{
	u32 i, kept = 0;

	for (i = 0; i < s->idle_count; i++)
		if (s->idle[i] != e)
			s->idle[kept++] = s->idle[i];
	if (kept == s->idle_count)
		return false;
	s->idle_count = kept;
	return true;
}

bool service_idles(const struct service *s, u32 e)
{
	return memchr(s->idle, e, s->idle_count);
}

/* ---- aif_device.c ---- */

void service_refresh(struct service *s)
{
	s->ready = s->queue.queued > s->coming && s->idle_count;
}

static struct service *device_best(const struct service *but)
{
	struct service *s, *best = NULL;

	for (s = w.services; s < w.services + scope.services; s++)
		if (s != but && s->ready &&
		    (!best || aif_sched_before(&s->queue, &best->queue)))
			best = s;
	return best;
}

static const struct aif_sched_queue *service_rival(const struct service *s)
{
	struct service *best = device_best(s);

	return best ? &best->queue : NULL;
}

/* A claim that is too old is dropped by claim_ends(), whenever it likes. */
static bool device_claimed_before(struct service *s)
{
	struct service *other;

	for (other = w.services; other < w.services + scope.services; other++) {
		if (!other->claim)
			continue;
		if (!other->queue.queued)
			other->claim = false;
		else if (other != s && aif_sched_before(&other->queue, &s->queue))
			return true;
	}
	return false;
}

static bool service_not_its_turn(struct service *s)
{
	const struct aif_sched_queue *rival = service_rival(s);

	if (rival && aif_sched_before(rival, &s->queue))
		return true;
	return device_claimed_before(s);
}

void device_kick(void)
{
	struct executor *ex;
	struct service *s;

	while ((s = device_best(NULL))) {
		ex = &w.executors[s->idle[0]];
		if (device_claimed_before(s) ||
		    (!ex->token && !aif_sched_token_get(&w.sched)))
			return;
		ex->token = true;
		ex->coming = true;
		s->coming++;
		idle_remove(s, index_of(ex));
		service_refresh(s);
		executor_wake(ex);
	}
}

/* Would device_kick() do anything?  It changes nothing. */
bool device_could_kick(void)
{
	struct service *other, *s = device_best(NULL);

	if (!s)
		return false;
	for (other = w.services; other < w.services + scope.services; other++)
		if (other != s && other->claim && other->queue.queued &&
		    aif_sched_before(&other->queue, &s->queue))
			return false;
	return w.executors[s->idle[0]].token || w.sched.tokens_used < w.sched.tokens;
}

/* ---- aif_service.c ---- */

bool service_drained(const struct service *s)
{
	return s->draining && !s->queue.queued && !s->fetched && !s->recovering;
}

void service_wake_all(struct service *s)
{
	u32 e;

	for (e = 0; e < scope.execs; e++) {
		struct executor *ex = &w.executors[e];

		if (executor_service(e) == s && ex->attached && !ex->dead)
			executor_wake(ex);
	}
}

void service_look_again(struct service *s)
{
	if (!s->passed_over || broken(idle_listed))
		return;
	s->passed_over = false;
	service_wake_all(s);
}

static bool drain(u32 i, u32 b, u32 variant)
{
	struct service *s = &w.services[i];

	if (s->draining)
		return false;
	s->draining = true;
	service_wake_all(s);
	return true;
}

/* service_close(), the part under both locks */
static bool service_close(u32 i, u32 b, u32 variant)
{
	struct service *s = &w.services[i];

	if (s->gone || w.lock != UNLOCKED)
		return false;
	s->gone = true;
	s->claim = false;
	service_wake_all(s);
	return true;
}

static bool service_fail_queued(u32 i, u32 b, u32 variant)
{
	struct service *s = &w.services[i];
	struct request *r;

	if (!s->gone || !service_best(s, &r))
		return false;
	request_answer(r, -ENODEV, AIF_REQ_ANSWER);
	return true;
}

static bool claim_ends(u32 i, u32 b, u32 variant)
{
	struct service *s = &w.services[i];

	if (!s->claim)
		return false;
	s->claim = false;
	device_kick();		/* recovery_tend()'s, soon after */
	return true;
}

/* ---- tokens and slots ---- */

static void executor_arrived(struct executor *ex)
{
	struct service *s = executor_service(index_of(ex));

	if (!ex->coming)
		return;
	ex->coming = false;
	s->coming--;
	service_refresh(s);
}

void executor_release_token(struct executor *ex)
{
	executor_arrived(ex);
	if (!ex->token)
		return;
	ex->token = false;
	if (!broken(tokens))
		aif_sched_token_put(&w.sched);
	device_kick();
}

static u32 executor_take_slot(struct executor *ex, struct request *r)
{
	u32 slot = ex->free_slot;

	ex->free_slot = ex->slots[slot].next_free;
	ex->slots[slot].request = tag_of(r);
	ex->held++;
	executor_service(index_of(ex))->fetched++;
	return slot;
}

void executor_unslot(struct request *r)
{
	struct executor *ex = &w.executors[r->executor];
	struct slot *slot = &ex->slots[r->slot];

	r->on_cancels = false;
	slot->request = NOBODY;
	slot->ghost_past = slot->generation;
	if (!broken(stale_commit))
		slot->generation++;
	ex->ghost_valid |= slot->generation == slot->ghost_past;
	slot->next_free = ex->free_slot;
	ex->free_slot = r->slot;
	ex->held--;
	executor_service(index_of(ex))->fetched--;
	if (!ex->held)
		ex->alone = false;
}

/* ---- FETCH: what is delivered ---- */

static bool deliver_view(struct view *v)
{
	if (!v->added)
		v->added = true;
	else if (v->revoked && !v->told)
		v->told = true;
	if (!v->revoked || v->told)
		v->event = false;
	return true;
}

bool executor_has_events(const struct executor *ex)
{
	u32 t;

	for (t = 0; t < scope.tags; t++)
		if (w.requests[t].on_cancels && w.requests[t].executor == index_of(ex))
			return true;
	return ex->view.event || ex->poison;
}

static u32 deliver_events(struct executor *ex)
{
	u32 t, n = 0;

	while (ex->view.event)
		n += deliver_view(&ex->view);
	for (t = 0; t < scope.tags; t++) {
		struct request *r = &w.requests[t];

		if (r->on_cancels && r->executor == index_of(ex)) {
			r->on_cancels = false;
			n++;
		}
	}
	n += ex->poison;
	ex->poison = 0;
	return n;
}

static void deliver_request(struct executor *ex, struct request *r)
{
	rule(RULE_progress_rerun, !r->ghost_progress || r->flags & AIF_REQ_F_RESTART);
	rule(RULE_poison, r->ghost_runs < MAX_ATTEMPTS);
	rule(RULE_revoked_delivery, w.grant != GRANT_HANDLE_GONE);
	rule(RULE_expired_delivery, !r->desc_deadline || r->desc_deadline > w.now);
	rule(RULE_token_held, ex->token);
	rule(RULE_gone_end, !executor_service(index_of(ex))->gone);
	if (!request_step(r, AIF_REQ_FETCH))
		return;
	r->executor = index_of(ex);
	r->slot = executor_take_slot(ex, r);
	if (!broken(attempts))
		r->attempt++;
	ex->alone = r->attempt > 1;
	r->ghost_runs++;
	r->ghost_writers |= 1 << index_of(ex);
	request_show(r);
}

static bool may_deliver(const struct executor *ex, const struct request *r)
{
	return broken(alone) || (!ex->alone && (!r->attempt || !ex->held));
}

static u32 deliver_requests(struct executor *ex, u32 credit)
{
	struct service *s = executor_service(index_of(ex));
	const struct aif_sched_queue *rival = service_rival(s);
	struct aif_sched_lane *lane, *first = NULL;
	struct request *r;
	u32 n = 0;
	int due;

	while (credit && ex->free_slot != NOBODY) {
		lane = service_best(s, &r);
		if (!lane || (first && !aif_sched_joins(first, rival)))
			break;
		due = request_due(r);
		if (due && !broken(expired_delivery) && !broken(revoked_delivery)) {
			request_end(r, due);
			continue;
		}
		if (!may_deliver(ex, r))
			break;
		if (first)
			aif_sched_pop_more(&w.sched, lane);
		else
			aif_sched_pop(&w.sched, lane);
		first = first ? first : lane;
		deliver_request(ex, r);
		credit--;
		n++;
	}
	service_refresh(s);
	if (ex->alone)
		service_wake_all(s);
	return n;
}

static bool executor_want_token(struct executor *ex)
{
	struct service *s = executor_service(index_of(ex));
	struct service *other;
	bool nobody = true;

	if (ex->token)
		return !service_not_its_turn(s);
	for (other = w.services; other < w.services + scope.services; other++)
		nobody &= !other->ready && !other->claim;
	if (nobody) {
		ex->token = aif_sched_token_get(&w.sched);
		return ex->token;
	}
	idle_add(s, index_of(ex), true);
	service_refresh(s);
	device_kick();
	executor_arrived(ex);
	if (idle_remove(s, index_of(ex)))
		service_refresh(s);
	return ex->token;
}

static int executor_deliver(struct executor *ex, u32 credit)
{
	struct service *s = executor_service(index_of(ex));
	bool wants = credit && !ex->alone && ex->free_slot != NOBODY;
	u32 n = 0;

	executor_arrived(ex);
	if (ex->dead || (s->gone && !broken(gone_end)))
		return -ENODEV;
	if (executor_has_events(ex))
		n += deliver_events(ex);
	if (wants && s->queue.queued && (broken(token_held) || executor_want_token(ex)))
		n += deliver_requests(ex, credit);
	if (!ex->held)
		executor_release_token(ex);
	if (n)
		return n;
	if (s->queue.queued && credit)
		return -EBUSY;
	return service_drained(s) && !broken(drain_end) ? -ESHUTDOWN : -EAGAIN;
}

/* ---- FETCH: waiting ---- */

void executor_wake(struct executor *ex)
{
	struct service *s = executor_service(index_of(ex));

	if (!ex->fetching || ex->woken)
		return;
	ex->woken = true;
	if (idle_remove(s, index_of(ex)))
		service_refresh(s);
}

bool executor_could_take(const struct executor *ex)
{
	struct request *r;

	if (ex->free_slot == NOBODY)
		return false;
	return service_best(executor_service(index_of(ex)), &r) ? may_deliver(ex, r) : !ex->alone;
}

static bool executor_must_wait(int ret)
{
	return ret == -EAGAIN || ret == -EBUSY;
}

static void executor_go_idle(struct executor *ex)
{
	struct service *s = executor_service(index_of(ex));

	ex->woken = false;
	if (ex->credit && !executor_could_take(ex))
		s->passed_over = true;
	else if (ex->credit)
		idle_add(s, index_of(ex), ex->token);
	if (!s->queue.queued)
		return;
	service_refresh(s);
	device_kick();
}

static void executor_stop_waiting(struct executor *ex)
{
	struct service *s = executor_service(index_of(ex));

	executor_arrived(ex);
	ex->fetching = false;
	ex->woken = false;	/* means nothing now */
	ex->credit = 0;
	if (idle_remove(s, index_of(ex)))
		service_refresh(s);
	if (!ex->held)
		executor_release_token(ex);
	else if (!broken(work_conserving))
		device_kick();
}

static bool can_call(const struct executor *ex)
{
	return ex->attached && ex->process == RUNNING;
}

static bool fetch_begin(u32 e, u32 b, u32 credit)
{
	struct executor *ex = &w.executors[e];

	if (!can_call(ex) || ex->fetching || credit > scope.slots)
		return false;
	if (!executor_must_wait(executor_deliver(ex, credit)))
		return true;
	ex->fetching = true;
	ex->credit = credit;
	executor_go_idle(ex);
	return true;
}

static bool fetch_resume(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!can_call(ex) || !ex->fetching || !ex->woken)
		return false;
	if (executor_must_wait(executor_deliver(ex, ex->credit)))
		executor_go_idle(ex);
	else
		executor_stop_waiting(ex);
	return true;
}

/* A signal, a cancelled command, or the task is gone. */
static bool fetch_end(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || !ex->fetching || ex->process == GONE)
		return false;
	executor_stop_waiting(ex);
	return true;
}

static bool fetch_end_killed(u32 e, u32 b, u32 variant)
{
	return w.executors[e].process == KILLED && fetch_end(e, b, variant);
}

/* Who waits for events only will not answer anybody. */
static bool fetch_end_events(u32 e, u32 b, u32 variant)
{
	return !w.executors[e].credit && fetch_end(e, b, variant);
}

static bool fetch_now(u32 e, u32 b, u32 credit)
{
	struct executor *ex = &w.executors[e];

	if (!can_call(ex) || ex->fetching || credit > scope.slots)
		return false;
	if (executor_deliver(ex, credit) == -EBUSY && executor_could_take(ex))
		executor_service(e)->claim = true;
	return true;
}

/* ---- COMMIT, PROGRESS ---- */

static bool commit_result(struct executor *ex, u32 index, u32 generation)
{
	struct slot *slot = &ex->slots[index];
	struct request *r;
	int result;

	if (index >= scope.slots || slot->request == NOBODY || slot->generation != generation)
		return false;
	r = &w.requests[slot->request];
	aif_sched_account(&service_of(tag_of(r))->lane, CHARGE_NS, CHARGE_NS, true);
	executor_unslot(r);
	r->ghost_writers &= ~(1 << index_of(ex));
	if (r->state == AIF_STATE_FETCHED) {
		result = broken(revoked_success) || broken(expired_success) ? 0 : request_due(r);
		rule(RULE_revoked_success, result || !ex->view.dead);
		request_answer(r, result, AIF_REQ_COMMIT);
	} else {
		request_step(r, AIF_REQ_COMMIT);
		request_quiet(r);
	}
	return true;
}

static void commit_end(struct executor *ex, bool fetches)
{
	if (!ex->held && (!fetches || ex->fetching))
		executor_release_token(ex);
	if (ex->fetching && !service_idles(executor_service(index_of(ex)), index_of(ex)))
		executor_wake(ex);
}

static bool commit(u32 e, u32 tag, u32 variant)
{
	struct executor *ex = &w.executors[e];
	struct request *r = &w.requests[tag];

	if (!can_call(ex) || ex->dead || !ex->held || !r->in_device || r->executor != e)
		return false;
	commit_result(ex, r->slot, ex->slots[r->slot].generation);
	commit_end(ex, variant & KEEP_TOKEN);
	return true;
}

static bool commit_all(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	u32 i;

	if (!can_call(ex) || ex->dead || ex->held < 2)
		return false;
	for (i = 0; i < scope.slots; i++)
		commit_result(ex, i, ex->slots[i].generation);
	commit_end(ex, variant & KEEP_TOKEN);
	return true;
}

/*
 * Commits that name nothing of the executor's: a slot it gave back already, a
 * free one, one out of range, and any at all when it is dead.  The world must
 * not move.
 */
static bool commit_stale(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	struct world before;
	u32 i;

	if (!can_call(ex) || ex->dead)
		return false;
	before = w;
	for (i = 0; i < scope.slots; i++) {
		struct slot *slot = &ex->slots[i];

		rule(RULE_stale_commit, !commit_result(ex, i, slot->ghost_past));
		if (slot->request == NOBODY)
			rule(RULE_stale_commit, !commit_result(ex, i, slot->generation));
	}
	rule(RULE_stale_commit, !commit_result(ex, scope.slots, 1));
	rule(RULE_stale_commit, !memcmp(&before, &w, sizeof(w)));
	return true;
}

static bool progress(u32 e, u32 tag, u32 variant)
{
	struct request *r = &w.requests[tag];
	struct executor *ex = &w.executors[e];

	if (!can_call(ex) || ex->dead || !r->in_device || r->executor != e || r->produced ||
	    aif_req_answered(r->state) || request_due(r))
		return false;
	aif_sched_account(&service_of(tag)->lane, CHARGE_NS, CHARGE_NS, false);
	r->produced = 1;
	return true;
}

/* ---- the kernel's watchdog takes a token back: watchdog_finds_dead() ---- */

static bool overrun(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || ex->dead || !ex->token || w.lock != UNLOCKED)
		return false;
	executor_release_token(ex);
	return true;
}

const struct kind executor_kinds[] = {
	{ "executor %e fetches one, without waiting", "aif_executor_fetch_now", fetch_now,
	  PER_EXEC, 1, 0, true },
	{ "executor %e fetches two, without waiting", "aif_executor_fetch_now", fetch_now,
	  PER_EXEC, 2, 0, true },
	{ "executor %e fetches events, without waiting", "aif_executor_fetch_now", fetch_now,
	  PER_EXEC, 0, 0, true },
	{ "executor %e fetches one, and waits", "aif_executor_fetch_begin", fetch_begin, PER_EXEC,
	  1, WITH_PARK, false },
	{ "executor %e fetches two, and waits", "aif_executor_fetch_begin", fetch_begin, PER_EXEC,
	  2, WITH_PARK, false },
	{ "executor %e waits for events", "aif_executor_fetch_begin", fetch_begin, PER_EXEC,
	  0, WITH_PARK, false },
	{ "executor %e's fetch runs again", "aif_executor_fetch_resume", fetch_resume, PER_EXEC, 0,
	  WITH_PARK, true },
	{ "executor %e's fetch is interrupted", "aif_executor_fetch_end", fetch_end, PER_EXEC, 0,
	  WITH_PARK, false },
	{ "executor %e's fetch of events is interrupted", "aif_executor_fetch_end",
	  fetch_end_events, PER_EXEC, 0, WITH_PARK, true },
	{ "executor %e's fetch ends with its task", "aif_executor_fetch_end", fetch_end_killed,
	  PER_EXEC, 0, WITH_PARK, true },
	{ "executor %e commits tag %t", "aif_commit_result", commit, PER_EXEC_TAG, 0, 0, true },
	{ "executor %e commits tag %t in a call that fetches", "aif_commit_result", commit,
	  PER_EXEC_TAG, KEEP_TOKEN, 0, true },
	{ "executor %e commits all it has", "aif_executor_commit", commit_all, PER_EXEC, 0, 0,
	  true },
	{ "executor %e commits all it has in a call that fetches", "aif_executor_commit",
	  commit_all, PER_EXEC, KEEP_TOKEN, 0, true },
	{ "executor %e commits what is not its", "aif_commit_result", commit_stale, PER_EXEC, 0, 0,
	  false },
	{ "executor %e publishes progress of tag %t", "aif_executor_progress", progress,
	  PER_EXEC_TAG, 0, WITH_PROGRESS, false },
	{ "the watchdog takes executor %e's token", "aif_watchdog_finds_dead", overrun, PER_EXEC, 0,
	  WITH_OVERRUN, false },
	{ "service %s drains", "aif_service_drain", drain, PER_SERVICE, 0, WITH_END, false },
	{ "service %s is closed", "aif_service_close", service_close, PER_SERVICE, 0, WITH_END,
	  false },
	{ "service %s answers the next queued request", "aif_service_fail_queued",
	  service_fail_queued, PER_SERVICE, 0, WITH_END, true },
	{ "service %s's claim gets old", "aif_device_claimed_before", claim_ends, PER_SERVICE, 0, 0,
	  true },
	{ }
};
