// SPDX-License-Identifier: MIT
/*
 * What the client and its workers do: mirrors kmod/aif_request.c, the client's
 * half of kmod/aif_client.c, and revocation in kmod/aif_grant.c.
 */
#include "world.h"

#define SUBMIT_RESTART	1	/* variants of submit() */
#define SUBMIT_SOON	2	/* deadline after one tick */
#define SUBMIT_LATER	4	/* after two */

bool request_step(struct request *r, enum aif_req_event event)
{
	int next = aif_req_next(r->state, event);

	if (broken(slot_kept) && r->state == AIF_STATE_FETCHED && event == AIF_REQ_ANSWER)
		executor_unslot(r);
	rule(RULE_legal_step, next >= 0);
	if (next < 0)
		return false;
	r->state = next;
	return true;
}

void request_show(struct request *r)
{
	r->shown = r->state;
}

/* ---- the end of a request ---- */

static void client_wake(void)
{
	if (w.waiter != NOBODY && !w.requests[w.waiter].in_device)
		w.waiter = NOBODY;
}

static u32 client_busy(void)
{
	u32 t, busy = 0;

	for (t = 0; t < scope.tags; t++)
		busy += w.requests[t].in_device;
	return busy;
}

static void request_free(struct request *r)
{
	r->in_device = false;
	r->executor = NOBODY;
	if (w.close == CLOSED && (!client_busy() || broken(client_freed)))
		w.ghost_freed++;
}

static void request_unschedule(struct request *r)
{
	struct service *s = service_of(tag_of(r));

	aif_sched_remove(&w.sched, &s->lane, &r->node);
	if (broken(queued_count))
		w.sched.queued++;
	service_look_again(s);
	service_refresh(s);
	device_kick();
}

static void ghost_answered(struct request *r, int result)
{
	u32 e;

	r->ghost_answers++;
	rule(RULE_innocent, result != -EIO || r->ghost_deaths >= MAX_ATTEMPTS);
	rule(RULE_poison, result == -EIO || r->ghost_deaths < MAX_ATTEMPTS);
	if (result < 0)
		return;
	rule(RULE_expired_success, !r->desc_deadline || r->desc_deadline > w.now);
	for (e = 0; e < scope.execs; e++)
		rule(RULE_success_quiet, !may_write(e, r));
}

void request_answer(struct request *r, int result, enum aif_req_event why)
{
	struct service *s = service_of(tag_of(r));

	if (r->state == AIF_STATE_QUEUED)
		request_unschedule(r);
	else if (r->state == AIF_STATE_RECOVERING)
		s->recovering--;
	if (!request_step(r, why))
		return;
	ghost_answered(r, result);
	request_show(r);
	if (r->deadline.pos != AIF_HEAP_OUT)
		aif_heap_remove(&w.deadlines, &r->deadline);
	if (!aif_req_busy(r->state))
		request_free(r);
	client_wake();
	if (service_drained(s))
		service_wake_all(s);
}

void request_quiet(struct request *r)
{
	struct service *s = service_of(tag_of(r));

	request_show(r);
	request_free(r);
	if (!broken(waiter_woken))
		client_wake();
	if (service_drained(s))
		service_wake_all(s);
}

void request_requeue(struct request *r)
{
	struct service *s = service_of(tag_of(r));
	int err;

	err = aif_sched_push_again(&w.sched, &s->lane, &r->node, r->desc_deadline, r->node.seq);
	rule(RULE_legal_step, !err);
	request_step(r, AIF_REQ_REQUEUE);
	s->recovering--;
	r->executor = NOBODY;
	r->produced = 0;
	if (!broken(shown))
		request_show(r);
	service_look_again(s);		/* service_ring() */
	service_refresh(s);
	device_kick();
}

/* ---- cancel, expiry ---- */

int request_due(const struct request *r)
{
	if (r->desc_deadline && r->desc_deadline <= w.now)
		return -ETIME;
	return w.grant == GRANT_LIVE ? 0 : -EKEYREVOKED;
}

static void request_tell_executor(struct request *r)
{
	r->on_cancels = true;
	if (!broken(executor_woken))
		executor_wake(&w.executors[r->executor]);
}

bool request_end(struct request *r, int result)
{
	bool fetched = r->state == AIF_STATE_FETCHED;

	if (aif_req_answered(r->state) && !broken(legal_step))
		return false;
	request_answer(r, result, AIF_REQ_ANSWER);
	if (broken(answered_once) && fetched)
		ghost_answered(r, result);
	if (fetched && !broken(slot_kept))
		request_tell_executor(r);
	return true;
}

static bool cancel(u32 tag, u32 b, u32 variant)
{
	struct request *r = &w.requests[tag];

	return r->in_device && request_end(r, -ECANCELED);
}

/* Nothing in flight has a deadline further in the past than one tick. */
static bool tick(u32 a, u32 b, u32 variant)
{
	bool any = false;
	u32 t;

	if (w.expire_runs && w.expire_now < w.now)
		return false;
	for (t = 0; t < scope.tags; t++) {
		struct request *r = &w.requests[t];

		if (!r->in_device || !r->desc_deadline || aif_req_answered(r->state))
			continue;
		if (r->desc_deadline < w.now)
			return false;
		any = true;
	}
	w.now += any;
	return any;
}

static struct request *of_deadline(struct aif_heap_node *n)
{
	return container_of(n, struct request, deadline);
}

/* One look of client_next_expired() under wait_lock. */
static bool expire_take(u32 a, u32 b, u32 variant)
{
	struct aif_heap_node *n = aif_heap_first(&w.deadlines);

	if (w.expire_hand != NOBODY)
		return false;
	if (!w.expire_runs) {
		/* The timer is early at most when what it was armed for is answered. */
		if (!w.expire_armed || (n && n->key > w.now))
			return false;
		w.expire_armed = false;
		w.expire_runs = true;
		w.expire_now = w.now;
	}
	if (n && n->key <= w.expire_now) {
		w.expire_hand = tag_of(of_deadline(n));
		aif_heap_remove(&w.deadlines, n);
	} else {
		w.expire_runs = false;
		w.expire_armed |= n && !broken(expiry_armed);
	}
	return true;
}

static bool expire_end(u32 a, u32 b, u32 variant)
{
	struct request *r;

	if (w.expire_hand == NOBODY)
		return false;
	r = &w.requests[w.expire_hand];
	w.expire_hand = NOBODY;
	if (r->in_device && r->desc_deadline && r->desc_deadline <= w.expire_now)
		request_end(r, -ETIME);
	return true;
}

/* ---- SUBMIT ---- */

/* What submit_grant() says of the one grant; a handle that is gone is not found. */
static int submit_grant(void)
{
	if (w.grant == GRANT_LIVE || broken(revoked_delivery))
		return 0;
	return w.grant == GRANT_HANDLE_GONE ? -ENOENT : -EKEYREVOKED;
}

static void submit_account(struct request *r)
{
	if (!r->desc_deadline)
		return;
	r->deadline.key = r->desc_deadline;
	r->deadline.seq = w.submitted++;
	aif_heap_push(&w.deadlines, &r->deadline);
	if (aif_heap_first(&w.deadlines) == &r->deadline)
		w.expire_armed = true;
}

static int submit_queue(struct request *r)
{
	struct service *s = service_of(tag_of(r));
	int err;

	if (s->gone || s->draining)
		return s->gone ? -ENODEV : -ESHUTDOWN;
	err = submit_grant();
	if (err)
		return err;
	err = aif_sched_push(&w.sched, &s->lane, &r->node, r->desc_deadline);
	if (err)
		return err;
	r->in_device = true;
	request_step(r, AIF_REQ_SUBMIT);
	r->attempt = 0;
	r->produced = 0;
	r->ghost_answers = r->ghost_runs = r->ghost_deaths = 0;
	r->ghost_progress = false;
	request_show(r);
	service_refresh(s);
	return 0;
}

/*
 * submit_one(): the tag's claim, which concerns nobody but another claim, and
 * the critical section.  What is refused leaves nothing behind.
 */
static bool submit(u32 tag, u32 b, u32 variant)
{
	struct request *r = &w.requests[tag];

	if (w.close || r->in_device)
		return false;
	r->flags = variant & SUBMIT_RESTART ? AIF_REQ_F_RESTART : 0;
	r->desc_deadline = variant & SUBMIT_SOON ? w.now + 1 :
			   variant & SUBMIT_LATER ? w.now + 2 : 0;
	if (!submit_queue(r))
		submit_account(r);
	if (broken(heap_order) && r->in_device)
		r->node.key = 0;
	service_look_again(service_of(tag));	/* submission_unlock() */
	device_kick();
	return true;
}

/* ---- WAIT_QUIET ---- */

static bool wait_quiet(u32 tag, u32 b, u32 variant)
{
	if (w.close || w.waiter != NOBODY || !w.requests[tag].in_device)
		return false;
	w.waiter = tag;
	return true;
}

/* ---- revocation: grant_take_back() ---- */

static bool revoke_mark(u32 a, u32 b, u32 variant)
{
	/* By the client, or by client_close() when it has cancelled everything. */
	if (w.grant != GRANT_LIVE || w.close == CLOSE_CANCELS)
		return false;
	w.grant = GRANT_MARKED;
	return true;
}

static bool revoke_told_all(void)
{
	u32 e;

	for (e = 0; e < scope.execs; e++)
		if (w.executors[e].view.present && !w.executors[e].view.revoked)
			return false;
	return true;
}

static void revoke_unlock(void)
{
	w.grant = GRANT_ANSWERING;
	w.lock = UNLOCKED;
}

static bool revoke_lock(u32 a, u32 b, u32 variant)
{
	if (w.grant != GRANT_MARKED || w.lock != UNLOCKED)
		return false;
	w.grant = GRANT_TELLING;
	w.lock = LOCK_REVOKE;
	if (revoke_told_all())
		revoke_unlock();
	return true;
}

/* grant_tell(): each view, in whatever order, is zapped, then its executor told. */
static bool revoke_zap(u32 e, u32 b, u32 variant)
{
	struct view *v = &w.executors[e].view;
	u32 o;

	if (w.grant != GRANT_TELLING || !v->present || v->dead)
		return false;
	for (o = 0; o < scope.execs; o++)
		if (w.executors[o].view.dead && !w.executors[o].view.revoked)
			return false;
	v->dead = true;
	return true;
}

static bool revoke_tell(u32 e, u32 b, u32 variant)
{
	struct executor *ex = &w.executors[e];

	if (w.grant != GRANT_TELLING || !ex->view.dead || ex->view.revoked)
		return false;
	ex->view.revoked = true;
	ex->view.event = true;
	executor_wake(ex);
	if (revoke_told_all())
		revoke_unlock();
	return true;
}

static bool unanswered(const struct request *r)
{
	return r->in_device && !aif_req_answered(r->state);
}

static bool all_answered(void)
{
	u32 t;

	for (t = 0; t < scope.tags; t++)
		if (unanswered(&w.requests[t]))
			return false;
	return true;
}

/* cancel_all(only this grant's): nothing new can come; in whatever order */
static bool revoke_answer(u32 tag, u32 b, u32 variant)
{
	struct request *r = &w.requests[tag];

	return w.grant == GRANT_ANSWERING && unanswered(r) && request_end(r, -EKEYREVOKED);
}

static bool revoke_end(u32 a, u32 b, u32 variant)
{
	if (w.grant != GRANT_ANSWERING || (!all_answered() && !broken(revoked_delivery)))
		return false;
	w.grant = GRANT_HANDLE_GONE;
	return true;
}

/* Views and requests hold the grant; its handle does not any more. */
static bool grant_unused(void)
{
	u32 i;

	for (i = 0; i < scope.execs; i++)
		if (w.executors[i].view.present || w.executors[i].pin)
			return false;
	return !client_busy();
}

/* grant_create(); the one before is freed by then, so that there is one at a time. */
static bool grant_again(u32 a, u32 b, u32 variant)
{
	u32 i;

	if (w.close || w.grant != GRANT_HANDLE_GONE || w.lock != UNLOCKED || !grant_unused())
		return false;
	w.grant = GRANT_LIVE;
	for (i = 0; i < scope.execs; i++) {
		struct executor *ex = &w.executors[i];

		if (!ex->attached || ex->dead)
			continue;
		ex->view = (struct view) { .present = true, .event = true };
		executor_wake(ex);
	}
	return true;
}

/* ---- the client closes its file ---- */

static bool client_close(u32 a, u32 b, u32 variant)
{
	if (w.close || w.waiter != NOBODY || (w.grant != GRANT_LIVE && w.grant != GRANT_HANDLE_GONE))
		return false;
	w.close = CLOSE_CANCELS;
	return true;
}

/* cancel_all(): as above */
static bool close_cancel(u32 tag, u32 b, u32 variant)
{
	struct request *r = &w.requests[tag];

	return w.close == CLOSE_CANCELS && unanswered(r) && request_end(r, -ECANCELED);
}

static bool close_revoke(u32 a, u32 b, u32 variant)
{
	if (w.close != CLOSE_CANCELS || !all_answered())
		return false;
	w.close = CLOSE_REVOKES;
	return true;
}

/* ... and after grant_revoke_all() */
static bool close_end(u32 a, u32 b, u32 variant)
{
	if (w.close != CLOSE_REVOKES || w.grant != GRANT_HANDLE_GONE)
		return false;
	w.close = CLOSED;
	if (!client_busy())
		w.ghost_freed++;
	return true;
}

#define S(words, v, needs) \
	{ "the client submits tag %t" words, "aif_submit_one", submit, PER_TAG, v, needs, false }

const struct kind client_kinds[] = {
	S("", 0, 0),
	S(", may restart", SUBMIT_RESTART, WITH_RESTART),
	S(", deadline in one tick", SUBMIT_SOON, WITH_DEADLINE),
	S(", deadline in two ticks", SUBMIT_LATER, WITH_DEADLINE),
	{ "the client cancels tag %t", "aif_cancel", cancel, PER_TAG, 0, WITH_CANCEL, false },
	{ "time passes", "-", tick, ONCE, 0, WITH_DEADLINE, false },
	{ "the expiry worker looks", "aif_client_next_expired", expire_take, ONCE, 0,
	  WITH_DEADLINE, true },
	{ "the expiry worker ends what it took", "aif_client_expire", expire_end, ONCE, 0,
	  WITH_DEADLINE, true },
	{ "the client waits until tag %t is quiet", "aif_client_wait_quiet", wait_quiet, PER_TAG,
	  0, WITH_QUIET, false },
	{ "the client revokes: no new submission", "aif_grant_take_back", revoke_mark, ONCE, 0,
	  WITH_REVOKE | WITH_CLOSE, false },
	{ "the revocation gets the service's lock", "aif_grant_take_back", revoke_lock, ONCE, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "the revocation zaps executor %e's view", "aif_view_zap", revoke_zap, PER_EXEC, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "the revocation tells executor %e", "aif_grant_tell", revoke_tell, PER_EXEC, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "the revocation answers tag %t", "aif_cancel_all", revoke_answer, PER_TAG, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "the revocation is over", "aif_grant_take_back", revoke_end, ONCE, 0,
	  WITH_REVOKE | WITH_CLOSE, true },
	{ "the client grants again", "aif_grant_create", grant_again, ONCE, 0, WITH_REVOKE, false },
	{ "the client closes its file", "aif_client_close", client_close, ONCE, 0, WITH_CLOSE,
	  false },
	{ "the close cancels tag %t", "aif_cancel_all", close_cancel, PER_TAG, 0, WITH_CLOSE,
	  true },
	{ "the close has cancelled all", "aif_client_close", close_revoke, ONCE, 0, WITH_CLOSE,
	  true },
	{ "the close is through", "aif_client_close", close_end, ONCE, 0, WITH_CLOSE, true },
	{ }
};
