// SPDX-License-Identifier: MIT
/*
 * Executors come, pin, die and are cleaned up after: mirrors
 * kmod/aif_recovery.c, attach in kmod/aif_executor.c, views in kmod/aif_grant.c.
 *
 * Three things end separately and in any order: the module's view of an
 * executor (die), its process, and the pins on memory it had mapped.
 */
#include "world.h"

/* ---- processes: nothing of the module's ---- */

static bool kill_process(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || ex->process != RUNNING)
		return false;
	ex->process = KILLED;
	return true;
}

/* Who was detached sees -ENODEV, and exits. */
static bool exits(u32 e, u32 b, u32 variant)
{
	return w.executors[e].dead && kill_process(e, b, variant);
}

/* No thread runs on its mm any more; those that slept in FETCH left it first. */
static bool process_gone(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || ex->process != KILLED || ex->fetching)
		return false;
	ex->process = GONE;
	return true;
}

/*
 * What a process had pinned is let go after its files were flushed (and so it
 * is marked dead), or by execve(), after its mm was replaced.
 */
static bool pins_drop(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->pin || ex->process == RUNNING || (!ex->dead && ex->process != GONE))
		return false;
	ex->pin = false;
	return true;
}

static bool pin(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || ex->process != RUNNING || ex->pin || !ex->view.present ||
	    !ex->view.added || ex->view.dead)
		return false;
	ex->pin = true;
	return true;
}

/* Withdrawn before, never while it holds requests: its writes go through it. */
static bool unpin(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (!ex->attached || ex->process != RUNNING || !ex->pin || ex->held || ex->view.pins)
		return false;
	ex->pin = false;
	return true;
}

/* Declared after pinning, withdrawn before unpinning. */
static bool declare(u32 e, u32 b, u32 pins)
{
	struct executor *ex = &w.executors[e];
	bool honest = ex->pin && (pins || !ex->held);

	if (!ex->attached || ex->process != RUNNING || !ex->view.present ||
	    ex->view.pins == pins || w.lock != UNLOCKED || !honest)
		return false;
	ex->view.pins = pins;
	return true;
}

/* ---- attach ---- */

static bool reusable(u32 e)
{
	struct executor *ex = &w.executors[e];
	u32 t;

	for (t = 0; t < scope.tags; t++)
		if (w.requests[t].in_device && w.requests[t].executor == e)
			return false;
	return !ex->attached || (ex->zapped && ex->process == GONE && !ex->pin);
}

/* executor_join(); the index is only a place in this world. */
static bool attach(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	u32 i;

	if (w.lock != UNLOCKED || executor_service(e)->gone || !reusable(e))
		return false;
	memset(ex, 0, sizeof(*ex));
	ex->attached = true;
	for (i = 0; i < scope.slots; i++) {
		ex->slots[i] = (struct slot) {
			.request = NOBODY,
			.generation = 2,
			.ghost_past = 1,
			.next_free = i + 1 < scope.slots ? i + 1 : NOBODY,
		};
	}
	if (w.grant == GRANT_LIVE && with(WITH_REVOKE | WITH_PINS | WITH_CLOSE))
		ex->view = (struct view) { .present = true, .event = true };
	return true;
}

/* aif_commit_ack(): it has unregistered what it was told to. */
static bool ack(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	struct view *v = &ex->view;

	if (!ex->attached || ex->process != RUNNING || ex->dead || w.lock != UNLOCKED)
		return false;
	if (!v->present || !v->revoked || !v->told || ex->pin)
		return false;
	memset(v, 0, sizeof(*v));
	return true;
}

/* ---- death ---- */

static void poison_tell(struct service *s)
{
	u32 e;

	for (e = 0; e < scope.execs; e++) {
		struct executor *ex = &w.executors[e];

		if (executor_service(e) != s || !ex->attached || ex->dead)
			continue;
		ex->poison = 1;
		executor_wake(ex);
	}
}

static void request_orphan(struct request *r, int result)
{
	request_answer(r, result, AIF_REQ_ANSWER);
}

static enum aif_recovery decide(const struct request *r)
{
	u32 max_attempts = MAX_ATTEMPTS;
	u32 produced = r->produced;

	if (broken(poison))
		max_attempts = ~0u;
	if (broken(innocent))
		max_attempts = 1;
	if (broken(progress_rerun))
		produced = 0;
	return aif_recovery_decide(r->attempt, max_attempts, produced, r->flags);
}

static void request_bereave(struct request *r)
{
	struct service *s = service_of(tag_of(r));

	aif_sched_account(&s->lane, CHARGE_NS, CHARGE_NS, false);
	if (!aif_req_answered(r->state)) {
		r->ghost_deaths++;
		r->ghost_progress |= r->produced;
	}
	executor_unslot(r);
	r->on_lost = !broken(one_owner);
	request_step(r, AIF_REQ_DEATH);
	request_show(r);
	if (r->state != AIF_STATE_RECOVERING)
		return;
	if (!broken(counts))
		s->recovering++;
	switch (decide(r)) {
	case AIF_RECOVERY_POISON:
		poison_tell(s);
		request_orphan(r, -EIO);
		break;
	case AIF_RECOVERY_OWNERDEAD:
		request_orphan(r, -EOWNERDEAD);
		break;
	case AIF_RECOVERY_REQUEUE:
		if (s->gone)
			request_orphan(r, -ENODEV);
		break;
	}
}

/*
 * aif_executor_die() from whoever comes first: flush, exit, release, watchdog.
 * executor_mark_dead() is its critical section; service->lock stays held.
 */
static bool die(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	struct service *s = executor_service(e);
	u32 i;

	if (!ex->attached || ex->dead || w.lock != UNLOCKED)
		return false;
	ex->dead = true;
	for (i = 0; i < scope.slots; i++)
		if (ex->slots[i].request != NOBODY)
			request_bereave(&w.requests[ex->slots[i].request]);
	executor_wake(ex);
	executor_release_token(ex);
	if (service_drained(s))
		service_wake_all(s);
	w.lock = LOCK_DIE;
	w.lock_by = e;
	return true;
}

/* executor_drop_views(): zap, detach; declarations lapse */
static bool die_zap(u32 a, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[w.lock_by];

	if (w.lock != LOCK_DIE)
		return false;
	memset(&ex->view, 0, sizeof(ex->view));
	ex->zapped = true;
	w.lock = UNLOCKED;
	w.lock_by = 0;
	return true;
}

static bool die_killed(u32 e, u32 b, u32 variant)
{
	return w.executors[e].process != RUNNING && die(e, b, variant);
}

/* ---- recovery ---- */

static bool recovery_late(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];
	u32 t;

	if (!ex->dead || ex->late)
		return false;
	for (t = 0; t < scope.tags; t++)
		ex->late |= w.requests[t].on_lost && w.requests[t].executor == e;
	return ex->late;
}

static u32 pins_declared(void)
{
	u32 e, pins = 0;

	for (e = 0; e < scope.execs; e++)
		if (w.executors[e].view.present &&
		    (w.executors[e].process != GONE || broken(requeue_quiet)))
			pins += w.executors[e].view.pins;
	return pins;
}

static bool outputs_quiet(void)
{
	u32 e, pins = 0;

	for (e = 0; e < scope.execs; e++)
		pins += w.executors[e].pin;
	return pins <= pins_declared();
}

/* executor_tend(): what is seen of one lost request, without the device's lock */
static bool tend_look(u32 tag, u32 b, u32 variant)
{
	struct request *r = &w.requests[tag];
	struct executor *ex;
	bool gone;

	if (w.lock != UNLOCKED || !r->on_lost || broken(answerable))
		return false;
	ex = &w.executors[r->executor];
	gone = ex->zapped && ex->process == GONE;
	w.tend_quiet = gone && outputs_quiet();
	if (broken(tag_quiet) && r->state == AIF_STATE_ORPHANED)
		w.tend_quiet = true;
	w.tend_hand = tag;
	w.lock = LOCK_TEND;
	return true;
}

/* request_recover() */
static bool tend_act(u32 a, u32 b, u32 variant)
{
	bool quiet = w.tend_quiet;
	struct executor *ex;
	struct service *s;
	struct request *r;

	if (w.lock != LOCK_TEND)
		return false;
	r = &w.requests[w.tend_hand];
	ex = &w.executors[r->executor];
	s = service_of(tag_of(r));
	w.lock = UNLOCKED;
	w.tend_hand = NOBODY;
	w.tend_quiet = false;
	if (r->state == AIF_STATE_RECOVERING && (s->gone || (ex->late && !quiet)))
		request_orphan(r, s->gone ? -ENODEV : broken(success_quiet) ? 0 : -EOWNERDEAD);
	if (!quiet)
		return true;
	r->on_lost = false;
	if (r->state == AIF_STATE_RECOVERING) {
		request_requeue(r);
	} else {
		request_step(r, AIF_REQ_QUIET);
		request_quiet(r);
	}
	return true;
}

const struct kind recovery_kinds[] = {
	{ "executor %e attaches", "aif_executor_join", attach, PER_EXEC, 0, 0, true },
	{ "executor %e pins the buffer", "-", pin, PER_EXEC, 0, WITH_PINS, false },
	{ "executor %e declares its pin", "aif_executor_declare", declare, PER_EXEC, 1, WITH_PINS,
	  true },
	{ "executor %e withdraws its pin", "aif_executor_declare", declare, PER_EXEC, 0, WITH_PINS,
	  true },
	{ "executor %e unpins the buffer", "-", unpin, PER_EXEC, 0, WITH_PINS, true },
	{ "executor %e acknowledges the revocation", "aif_commit_ack", ack, PER_EXEC, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "executor %e is killed", "-", kill_process, PER_EXEC, 0, WITH_DEATH, false },
	{ "executor %e, detached, exits", "-", exits, PER_EXEC, 0, WITH_DEATH, true },
	{ "executor %e's process is gone", "-", process_gone, PER_EXEC, 0, WITH_DEATH, true },
	{ "executor %e's pins drop", "-", pins_drop, PER_EXEC, 0, WITH_PINS, true },
	{ "executor %e is marked dead", "aif_executor_mark_dead", die, PER_EXEC, 0, WITH_DEATH,
	  false },
	{ "executor %e, killed, is marked dead", "aif_executor_mark_dead", die_killed, PER_EXEC, 0,
	  WITH_DEATH, true },
	{ "the dead executor's views are zapped", "aif_executor_drop_views", die_zap, ONCE, 0,
	  WITH_DEATH, true },
	{ "the recovery time for executor %e is over", "-", recovery_late, PER_EXEC, 0, WITH_DEATH,
	  false },
	{ "recovery looks at tag %t", "aif_executor_tend", tend_look, PER_TAG, 0, WITH_DEATH, true },
	{ "recovery acts on what it saw", "aif_request_recover", tend_act, ONCE, 0, WITH_DEATH,
	  true },
	{ }
};
