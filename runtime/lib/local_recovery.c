// SPDX-License-Identifier: MIT
/*
 * What happens when an executor is gone: see kmod/aif_recovery.c.  Here a process
 * is "gone" when the executor's file was closed: its views were zapped before.
 */
#include <errno.h>

#include "local.h"

#define NSEC_PER_MSEC	1000000ull
#define WATCH_PERIOD	(50 * NSEC_PER_MSEC)

static u64 ms(u32 n)
{
	return n * NSEC_PER_MSEC;
}

static void poison_tell(struct local_service *s, const struct local_request *r)
{
	struct local_executor *ex;

	TAILQ_FOREACH(ex, &s->executors, node) {
		if (ex->poison_count == LOCAL_POISON_MAX)
			continue;
		ex->poison[ex->poison_count++] = (struct local_poison){
			.client = r->client->id, .tag = r->desc.tag, .generation = r->generation,
		};
		local_executor_wake(ex);
	}
}

static void orphan(struct local_request *r, int result)
{
	local_request_answer(r, result, 0, AIF_REQ_ANSWER);
}

static void bereave(struct local_executor *ex, struct local_request *r)
{
	struct local_service *s = ex->service;

	local_request_took(r, (ex->death_ns - r->fetched_ns) / r->step);
	aif_sched_account(local_request_lane(r), r->charged_ns, r->measured_ns, false);
	local_executor_unslot(r);
	TAILQ_INSERT_TAIL(&ex->lost_requests, r, entry);
	r->state = (u32)aif_req_next(r->state, AIF_REQ_DEATH);
	local_request_show(r);
	if (r->state != AIF_STATE_RECOVERING)
		return;
	s->recovering++;
	switch (aif_recovery_decide(r->attempt, s->desc.max_attempts, r->produced,
				    r->desc.flags)) {
	case AIF_RECOVERY_POISON:
		poison_tell(s, r);
		orphan(r, -EIO);
		break;
	case AIF_RECOVERY_OWNERDEAD:
		orphan(r, -EOWNERDEAD);
		break;
	case AIF_RECOVERY_REQUEUE:
		if (s->gone)
			orphan(r, -ENODEV);
		break;
	}
}

void local_executor_die(struct local_executor *ex)
{
	struct local_service *s = ex->service;
	u32 slot;

	if (ex->dead)
		return;
	ex->dead = true;
	ex->death_ns = local_now();
	TAILQ_REMOVE(&s->executors, ex, node);
	TAILQ_INSERT_TAIL(&s->lost, ex, node);
	s->executor_count--;
	local_views_drop(ex);
	for (slot = 0; slot < ex->slot_count; slot++) {
		if (ex->slots[slot].request)
			bereave(ex, ex->slots[slot].request);
	}
	local_executor_arrived(ex);
	local_executor_leave_idle(ex);
	local_executor_wake(ex);
	local_executor_release_token(ex);
	local_service_check_drained(s);
	local_tend();
}

static void recover(struct local_executor *ex, struct local_request *r, u64 now)
{
	struct local_service *s = ex->service;
	bool late = now - ex->death_ns > ms(s->desc.recovery_ms);
	bool quiet = !ex->file;

	if (r->state == AIF_STATE_RECOVERING && (s->gone || (late && !quiet)))
		orphan(r, s->gone ? -ENODEV : -EOWNERDEAD);
	if (!quiet)
		return;
	TAILQ_REMOVE(&ex->lost_requests, r, entry);
	if (r->state == AIF_STATE_RECOVERING) {
		local_request_requeue(r);
	} else {
		r->state = (u32)aif_req_next(r->state, AIF_REQ_QUIET);
		local_request_quiet(r);
	}
}

/* Look after what a dead executor held; it ends with its file and its last request. */
static void executor_tend(struct local_executor *ex, u64 now)
{
	struct local_request *r, *next;

	for (r = TAILQ_FIRST(&ex->lost_requests); r; r = next) {
		next = TAILQ_NEXT(r, entry);
		recover(ex, r, now);
	}
	if (!ex->file) {
		TAILQ_REMOVE(&ex->service->lost, ex, node);
		local_executor_free(ex);
	}
}

void local_executor_close(struct local_executor *ex)
{
	local_executor_die(ex);
	ex->file = NULL;
	executor_tend(ex, local_now());
}

/* ---- the watchdog ---- */

/* When to look at @ex again, or 0: it made no progress for too long. */
static u64 watch_executor(struct local_executor *ex, u64 now)
{
	const struct aif_service_desc *desc = &ex->service->desc;

	if (!ex->held)
		return now + WATCH_PERIOD;
	if (ex->token && now >= ex->progress_ns + ms(desc->longest_step_ms))
		local_executor_release_token(ex);
	if (now >= ex->progress_ns + ms(desc->progress_ms))
		return 0;
	return now + WATCH_PERIOD;
}

/* Dying moves it to another list, on which it is tended next. */
static u64 watch_file(struct local_file *f, u64 now, u64 until)
{
	struct local_executor *ex = f->executor;
	u64 next = ex->dead ? now + WATCH_PERIOD : watch_executor(ex, now);

	if (!next) {
		local_executor_die(ex);
		next = now + WATCH_PERIOD;
	}
	if (ex->dead)
		executor_tend(ex, now);
	local_device_kick(ex->service->device);		/* a claim may have come to nothing */
	return next < until ? next : until;
}

u64 local_watch(u64 now, u64 until)
{
	struct local_file *f;

	TAILQ_FOREACH(f, &local_files, node) {
		if (f->executor)
			until = watch_file(f, now, until);
	}
	return until;
}
