// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens when an executor is gone.
 *
 * Its process may be killed, exit, close the file, or hang.  Whichever of
 * flush, task exit, release and watchdog comes first calls aif_executor_die().
 * From then on its commits are stale and its views are zapped, but neither says
 * that its memory is quiet: a device may go on writing through pins, and a
 * process that was merely detached is alive.  So each request it held stays in
 * ->lost until
 *
 *	no thread can run on its mm any more (mm_users is 0), and
 *	no page of the request's outputs carries more long-term pins than the
 *	client and the attached executors have declared, and
 *	no transfer that may write to its outputs is on its way.
 *
 * Then a request that may be executed again is queued again, and one that was
 * answered meanwhile gives back its tag.  One that waits for longer than the
 * service's recovery time is answered -EOWNERDEAD; its tag stays busy.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "aif.h"

#define AIF_TEND_RECOVERING	msecs_to_jiffies(2)
#define AIF_TEND_LOST		msecs_to_jiffies(20)
#define AIF_TEND_WATCHING	msecs_to_jiffies(50)

/* Let the others know which request kills executors. */
static void aif_poison_tell(struct aif_service *s, struct aif_request *r)
{
	struct aif_executor *ex;

	pr_warn_ratelimited("aif: service %s: client %llu tag %u: executors died %u times holding it; answered -EIO\n",
			    s->desc.name, r->client->id, r->desc.tag, r->attempt);
	list_for_each_entry(ex, &s->executors, node) {
		if (ex->poison_count == ARRAY_SIZE(ex->poison))
			continue;
		ex->poison[ex->poison_count++] = (struct aif_poison) {
			.client = r->client->id,
			.tag = r->desc.tag,
			.generation = r->generation,
		};
		aif_executor_wake(ex);
	}
}

/* Device's lock held. */
static void aif_request_orphan(struct aif_request *r, int result)
{
	aif_request_answer(r, result, 0, AIF_REQ_ANSWER, ktime_get_ns());
}

static void aif_request_bereave(struct aif_executor *ex, struct aif_request *r)
{
	struct aif_service *s = ex->service;

	aif_request_took(r, div_u64(ex->death_ns - r->fetched_ns, r->step));
	aif_sched_account(&r->open->member->lanes[r->desc.sched_class], r->charged_ns,
			  r->measured_ns, false);
	aif_executor_unslot(r);
	list_add_tail(&r->entry, &ex->lost);
	aif_request_step(r, AIF_REQ_DEATH);
	aif_request_show(r);
	if (r->state != AIF_STATE_RECOVERING)
		return;
	s->recovering++;
	switch (aif_recovery_decide(r->attempt, s->desc.max_attempts, r->produced,
				    r->desc.flags)) {
	case AIF_RECOVERY_POISON:
		aif_count(poisoned, 1);
		aif_poison_tell(s, r);
		aif_request_orphan(r, -EIO);
		break;
	case AIF_RECOVERY_OWNERDEAD:
		aif_count(owner_dead, 1);
		aif_request_orphan(r, -EOWNERDEAD);
		break;
	case AIF_RECOVERY_REQUEUE:
		if (s->gone)
			aif_request_orphan(r, -ENODEV);
		break;
	}
}

/* Device's lock held.  True if this call made it dead. */
static bool aif_executor_mark_dead(struct aif_executor *ex)
{
	struct aif_service *s = ex->service;
	u32 slot;

	if (ex->dead)
		return false;
	ex->dead = true;
	ex->death_ns = ktime_get_ns();
	list_move_tail(&ex->node, &s->lost);
	s->executor_count--;
	for (slot = 0; slot < ex->slot_count; slot++)
		if (ex->slots[slot].request)
			aif_request_bereave(ex, ex->slots[slot].request);
	aif_executor_wake(ex);
	aif_executor_release_token(ex);
	if (aif_service_drained(s))
		aif_service_wake_all(s);
	return true;
}

/* The first of flush, exit, release and watchdog ends it; the rest find it dead. */
void aif_executor_die(struct aif_executor *ex)
{
	struct aif_service *s = ex->service;
	bool first;

	mutex_lock(&s->lock);
	spin_lock(&s->device->lock);
	first = aif_executor_mark_dead(ex);
	spin_unlock(&s->device->lock);
	if (first) {
		aif_count(executor_deaths, 1);
		kref_get(&ex->ref);	/* the lost list's */
		aif_executor_drop_views(ex);
		ex->zapped = true;
	}
	mutex_unlock(&s->lock);
	if (first)
		aif_service_tend(s, 0);
}

/*
 * A task that shares the executor's file exits, or closes it.  If it is the last
 * thread of the executor's own process, that is its death.
 */
void aif_executor_exit_check(struct aif_executor *ex)
{
	if (task_tgid(current) == ex->pid && !atomic_read(&current->signal->live))
		aif_executor_die(ex);
}

/*
 * io_uring takes back a parked command because its task exits: early, but under
 * a lock of io_uring's, so the rest is done by a worker.
 */
void aif_executor_cancel_check(struct aif_executor *ex)
{
	if (!(current->signal->flags & SIGNAL_GROUP_EXIT) || task_tgid(current) != ex->pid)
		return;
	kref_get(&ex->ref);
	if (!queue_work(aif_wq, &ex->death))
		aif_executor_put(ex);
}

/* ---- the watchdog and the recovery ---- */

static bool aif_process_gone(struct aif_executor *ex)
{
	return !atomic_read(&ex->mm->mm_users);
}

static u64 aif_ms(u32 ms)
{
	return (u64)ms * NSEC_PER_MSEC;
}

/*
 * A token was handed to an executor that was woken and does not come: stopped,
 * or its thread does not enter its ring.  It keeps it as long as a step may take.
 */
static void aif_watchdog_unused_token(struct aif_executor *ex, u64 now)
{
	if (!ex->unused_ns) {
		ex->unused_ns = now;
	} else if (now - ex->unused_ns > aif_ms(ex->service->desc.longest_step_ms)) {
		aif_count(step_overruns, 1);
		aif_executor_release_token(ex);
	}
}

/* Device's lock held: has it stopped living, or working? */
static bool aif_watchdog_finds_dead(struct aif_executor *ex, u64 now)
{
	const struct aif_service_desc *desc = &ex->service->desc;
	u64 silent = now - ex->progress_ns;

	if (aif_process_gone(ex))
		return true;
	if (ex->token && !ex->held)
		aif_watchdog_unused_token(ex, now);
	if (!ex->held || now <= ex->progress_ns)
		return false;
	if (ex->token && silent > aif_ms(desc->longest_step_ms)) {
		aif_count(step_overruns, 1);
		aif_executor_release_token(ex);
	}
	if (silent <= aif_ms(desc->progress_ms))
		return false;
	aif_count(watchdog_detached, 1);
	return true;
}

/* service->lock held, device's not. */
static struct aif_executor *aif_watchdog_look(struct aif_service *s)
{
	struct aif_executor *ex, *found = NULL;
	u64 now = ktime_get_ns();

	spin_lock(&s->device->lock);
	list_for_each_entry(ex, &s->executors, node) {
		if (aif_watchdog_finds_dead(ex, now)) {
			found = ex;
			kref_get(&ex->ref);
			break;
		}
	}
	spin_unlock(&s->device->lock);
	return found;
}

static void aif_watchdog(struct aif_service *s)
{
	struct aif_executor *ex;

	for (;;) {
		mutex_lock(&s->lock);
		ex = aif_watchdog_look(s);
		mutex_unlock(&s->lock);
		if (!ex)
			return;
		aif_executor_die(ex);
		aif_executor_put(ex);
	}
}

/*
 * Pins that pages of @h's buffer may carry: the client's, and those of the attached
 * executors of this service.  What executors of another service or another client
 * declare for the same buffer does not count: a false declaration harms only its own.
 * Nor does what was declared for a view that is revoked, whose pins may be on the
 * page that it shows instead.  Nor does what one declared whose process is gone,
 * although nobody has noticed yet (it called exec): its pins are gone, or are the
 * ones to look out for.
 */
static u32 aif_pins_declared(struct aif_service *s, struct aif_handle *h)
{
	u32 pins = READ_ONCE(h->pins);
	struct aif_grant *g;
	struct aif_view *v;
	unsigned long i;

	lockdep_assert_held(&s->lock);
	xa_for_each(&s->grants, i, g) {
		if (!g->of || g->of->buffer != h->buffer)
			continue;
		list_for_each_entry(v, &g->views, of_grant)
			if (!v->dead && !aif_process_gone(v->executor))
				pins += v->pins;
	}
	return pins;
}

/*
 * No spinlock is needed: a request in ->lost leaves it by the tending worker
 * only, and so do its grants.
 */
static bool aif_outputs_quiet(struct aif_request *r)
{
	const struct aif_io *io = r->open->service->desc.io;
	struct aif_handle *h;
	struct aif_buffer *b;
	struct aif_range *range;
	unsigned long first, last;
	u32 i, declared;

	for (i = 0; i < r->desc.range_count; i++) {
		range = &r->desc.ranges[i];
		if (!(aif_desc_range_io(&r->desc, io, i)->flags & AIF_IO_F_OUTPUT) ||
		    !range->length)
			continue;
		h = r->grants[i]->of;
		b = h->buffer;
		/* What others copy there disturbs a second execution, not the answer. */
		if (READ_ONCE(r->state) == AIF_STATE_RECOVERING && aif_buffer_incoming(b, range))
			return false;
		first = range->offset >> PAGE_SHIFT;
		last = ((u64)range->offset + range->length - 1) >> PAGE_SHIFT;
		if (!aif_pages_pinned(&b->pages, first, last - first + 1, 0))
			continue;
		/* A declaration counts if it holds before and after: its pin was there. */
		declared = aif_pins_declared(r->open->service, h);
		if (aif_pages_pinned(&b->pages, first, last - first + 1, declared) ||
		    aif_pins_declared(r->open->service, h) < declared)
			return false;
	}
	return true;
}

/* Device's lock held. */
static void aif_request_recover(struct aif_executor *ex, struct aif_request *r, bool quiet)
{
	struct aif_service *s = ex->service;
	bool late = ktime_get_ns() - ex->death_ns > aif_ms(s->desc.recovery_ms);

	if (r->state == AIF_STATE_RECOVERING && (s->gone || (late && !quiet))) {
		aif_count(owner_dead, s->gone ? 0 : 1);
		aif_request_orphan(r, s->gone ? -ENODEV : -EOWNERDEAD);
	}
	if (!quiet)
		return;
	list_del_init(&r->entry);
	if (r->state == AIF_STATE_RECOVERING) {
		aif_request_requeue(r);
	} else {
		aif_request_step(r, AIF_REQ_QUIET);
		aif_request_quiet(r);
	}
}

/* Module exit: nobody is left to be told, whoever pinned the pages keeps them. */
static bool aif_abandoned;

/* service->lock held. True when nothing is left to recover. */
static bool aif_executor_tend(struct aif_executor *ex)
{
	struct aif_device *d = ex->service->device;
	bool gone = ex->zapped && aif_process_gone(ex);
	struct aif_request *r, *next;
	bool quiet;

	list_for_each_entry_safe(r, next, &ex->lost, entry) {
		quiet = READ_ONCE(aif_abandoned) || (gone && aif_outputs_quiet(r));
		spin_lock(&d->lock);
		aif_request_recover(ex, r, quiet);
		spin_unlock(&d->lock);
	}
	return list_empty(&ex->lost);
}

static unsigned long aif_service_recover(struct aif_service *s)
{
	struct aif_executor *ex, *next;
	unsigned long again = 0;
	LIST_HEAD(done);

	mutex_lock(&s->lock);
	list_for_each_entry_safe(ex, next, &s->lost, node) {
		if (aif_executor_tend(ex)) {
			list_move(&ex->node, &done);
		} else {
			again = ktime_get_ns() - ex->death_ns > NSEC_PER_SEC ?
				AIF_TEND_LOST : AIF_TEND_RECOVERING;
		}
	}
	if (!again && !list_empty(&s->executors))
		again = AIF_TEND_WATCHING;
	mutex_unlock(&s->lock);
	list_for_each_entry_safe(ex, next, &done, node) {
		list_del_init(&ex->node);
		aif_executor_put(ex);
	}
	return again;
}

/*
 * One worker per service, as long as it has executors or their remains.  While
 * it is queued it holds a reference.
 */
void aif_service_tend(struct aif_service *s, unsigned long delay)
{
	kref_get(&s->ref);
	if (mod_delayed_work(aif_wq, &s->tend, delay))
		aif_service_put(s);
}

/* A claim may have come to nothing.  Without one nobody should be left to wake. */
static void aif_watchdog_kick(struct aif_device *d)
{
	bool claimed;
	u32 woken;

	spin_lock(&d->lock);
	claimed = !list_empty(&d->claims);
	woken = aif_device_kick(d);
	spin_unlock(&d->lock);
	aif_count(late_wakeups, claimed ? 0 : woken);
}

void aif_recovery_tend(struct work_struct *work)
{
	struct aif_service *s = container_of(to_delayed_work(work), struct aif_service, tend);
	unsigned long again;

	aif_watchdog(s);
	aif_watchdog_kick(s->device);
	again = aif_service_recover(s);
	if (again)
		aif_service_tend(s, again);
	aif_service_put(s);
}

static bool aif_remains(void)
{
	return atomic64_read(&aif_gauges.clients) || atomic64_read(&aif_gauges.executors) ||
	       atomic64_read(&aif_gauges.services) || atomic64_read(&aif_gauges.grants);
}

/* All files are closed: end every recovery.  Each has a worker queued. */
void aif_recovery_abandon(void)
{
	unsigned int i;

	WRITE_ONCE(aif_abandoned, true);
	for (i = 0; i < 500 && aif_remains(); i++)
		msleep(20);
	WARN_ON(aif_remains());
}
