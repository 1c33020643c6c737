// SPDX-License-Identifier: GPL-2.0-only
/*
 * Executors: attach, fetch, commit, progress.
 *
 * One FETCH of an executor waits at a time, in a task (blocking ioctl) or as a
 * parked ring command.  While it waits the executor is on its service's idle
 * list.  aif_device_kick() takes it off that list with a token; an event takes
 * no token.  Either way the fetch then runs in its own context and chooses
 * what to deliver there, so whoever submitted in the meantime joins.
 */
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "aif.h"
#include "aif_trace.h"

#define AIF_SLOTS_MAX	1024u
#define AIF_NO_SLOT	(~0u)
#define AIF_COMMIT_BURST 32	/* answers without letting others have the lock */

static struct aif_device *aif_executor_device(struct aif_executor *ex)
{
	return ex->service->device;
}

/* ---- attach, end ---- */

static void aif_executor_free(struct kref *ref)
{
	struct aif_executor *ex = container_of(ref, struct aif_executor, ref);
	u32 kind;

	/* The doorbell's pages are the service's. */
	ex->arrays[AIF_ARRAY_EXECUTOR_STATUS].count = 0;
	for (kind = 0; kind < AIF_ARRAY_EXECUTOR_STATUS; kind++)
		aif_mapped_free(&ex->arrays[kind]);
	xa_destroy(&ex->views);
	kvfree(ex->slots);
	put_pid(ex->pid);
	mmdrop(ex->mm);
	iput(ex->inode);
	aif_service_put(ex->service);
	aif_gauge(executors, -1);
	kfree(ex);
}

void aif_executor_put(struct aif_executor *ex)
{
	kref_put(&ex->ref, aif_executor_free);
}

static void aif_executor_death_work(struct work_struct *work)
{
	struct aif_executor *ex = container_of(work, struct aif_executor, death);

	aif_executor_die(ex);
	aif_executor_put(ex);
}

static int aif_executor_alloc_arrays(struct aif_executor *ex, u32 slots)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(current->mm);
	int err;

	ex->slots = kvcalloc(slots, sizeof(*ex->slots), AIF_GFP_SIZED);
	err = ex->slots ? 0 : -ENOMEM;
	if (!err)
		err = aif_mapped_alloc(&ex->arrays[AIF_ARRAY_SLOT], sizeof(struct aif_slot),
				       slots, memcg);
	if (!err)
		err = aif_mapped_alloc(&ex->arrays[AIF_ARRAY_DELIVERY],
				       sizeof(struct aif_delivery),
				       slots + AIF_EVENTS_EXTRA, memcg);
	if (!err)
		err = aif_mapped_alloc(&ex->arrays[AIF_ARRAY_COMMIT], sizeof(struct aif_commit),
				       slots + AIF_EVENTS_EXTRA, memcg);
	mem_cgroup_put(memcg);
	return err;
}

static void aif_executor_init_slots(struct aif_executor *ex, u32 slots)
{
	u32 i;

	ex->slot_count = slots;
	ex->free_slot = 0;
	for (i = 0; i < slots; i++) {
		ex->slots[i].generation = 1;
		ex->slots[i].next_free = i + 1 < slots ? i + 1 : AIF_NO_SLOT;
	}
}

/* Takes over the reference to @s, whatever it returns. */
static struct aif_executor *aif_executor_new(struct aif_file *f, struct aif_service *s, u32 slots)
{
	struct aif_executor *ex = kzalloc(sizeof(*ex), GFP_KERNEL_ACCOUNT);

	if (!ex) {
		aif_service_put(s);
		return NULL;
	}
	kref_init(&ex->ref);
	ex->service = s;
	ihold(f->inode);
	ex->inode = f->inode;
	ex->mm = current->mm;
	mmgrab(ex->mm);
	ex->pid = get_task_pid(current, PIDTYPE_TGID);
	xa_init(&ex->views);
	INIT_WORK(&ex->death, aif_executor_death_work);
	INIT_LIST_HEAD(&ex->node);
	INIT_LIST_HEAD(&ex->idle);
	INIT_LIST_HEAD(&ex->events);
	INIT_LIST_HEAD(&ex->cancels);
	INIT_LIST_HEAD(&ex->lost);
	aif_gauge(executors, 1);
	if (aif_executor_alloc_arrays(ex, slots)) {
		aif_executor_put(ex);
		return NULL;
	}
	aif_executor_init_slots(ex, slots);
	ex->arrays[AIF_ARRAY_EXECUTOR_STATUS] = s->status;
	return ex;
}

/* No CPU of the process reaches a client's memory after this. */
void aif_executor_drop_views(struct aif_executor *ex)
{
	struct aif_view *v;
	unsigned long i;

	lockdep_assert_held(&ex->service->lock);
	xa_for_each(&ex->views, i, v) {
		aif_view_zap(v);
		aif_view_detach(v);
	}
}

/* service->lock held: join the service, see all its grants. */
static int aif_executor_join(struct aif_executor *ex)
{
	struct aif_service *s = ex->service;
	struct aif_grant *g;
	unsigned long i;
	int err = s->gone ? -ENODEV : 0;

	xa_for_each(&s->grants, i, g) {
		if (err)
			break;
		if (!g->revoked)	/* or whoever is about to waits for service->lock */
			err = aif_view_create(g, ex);
	}
	if (err) {
		aif_executor_drop_views(ex);
		return err;
	}
	spin_lock(&s->device->lock);
	list_add_tail(&ex->node, &s->executors);
	s->executor_count++;
	spin_unlock(&s->device->lock);
	aif_service_tend(s, 0);
	return 0;
}

static bool aif_executor_allowed(struct aif_file *f, struct aif_service *s, int holder_fd,
				 int *err)
{
	struct aif_file *holder;
	struct file *filp;
	bool ok;

	*err = -EACCES;
	if (holder_fd < 0)
		return uid_eq(f->cred->euid, s->owner) || uid_eq(f->cred->euid, GLOBAL_ROOT_UID);
	holder = aif_file_from_fd(holder_fd, &filp);
	if (!holder) {
		*err = -EBADF;
		return false;
	}
	ok = aif_file_role(holder) == AIF_ROLE_HOLDER && holder->service == s;
	fput(filp);
	return ok;
}

/* f->lock held. */
int aif_executor_attach(struct aif_file *f, struct aif_ioc_executor_attach *arg)
{
	struct aif_executor *ex;
	struct aif_service *s;
	int err;

	if (f->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (arg->flags || arg->__reserved || !arg->slots || arg->slots > AIF_SLOTS_MAX ||
	    arg->holder_fd < -1)
		return -EINVAL;
	s = aif_service_find(arg->service);
	if (!s)
		return -ENOENT;
	if (!aif_executor_allowed(f, s, arg->holder_fd, &err)) {
		aif_service_put(s);
		return err;
	}
	ex = aif_executor_new(f, s, arg->slots);
	if (!ex)
		return -ENOMEM;
	mutex_lock(&s->lock);
	err = aif_executor_join(ex);
	mutex_unlock(&s->lock);
	if (err) {
		aif_executor_put(ex);
		return err;
	}
	f->executor = ex;
	aif_file_set_role(f, AIF_ROLE_EXECUTOR);
	return 0;
}

void aif_executor_close(struct aif_executor *ex)
{
	aif_executor_die(ex);
	aif_executor_put(ex);
}

/* Calls from any process but the one that attached are refused. */
int aif_executor_check(struct aif_executor *ex)
{
	return current->mm == ex->mm ? 0 : -EPERM;
}

/* ---- tokens and slots (device's lock) ---- */

/* It came for what it was woken for, or will not come. */
static void aif_executor_arrived(struct aif_executor *ex)
{
	ex->unused_ns = 0;
	if (!ex->coming)
		return;
	ex->coming = false;
	ex->service->coming--;
	aif_service_refresh(ex->service);
}

void aif_executor_release_token(struct aif_executor *ex)
{
	struct aif_device *d = aif_executor_device(ex);

	aif_executor_arrived(ex);
	if (!ex->token)
		return;
	ex->token = false;
	aif_sched_token_put(&d->sched);
	aif_device_kick(d);
	aif_device_wake_pollers(d);
}

static u32 aif_executor_take_slot(struct aif_executor *ex, struct aif_request *r)
{
	u32 slot = ex->free_slot;

	ex->free_slot = ex->slots[slot].next_free;
	ex->slots[slot].request = r;
	ex->held++;
	ex->service->fetched++;
	return slot;
}

/* The request leaves its slot; commits that still name it are stale. */
void aif_executor_unslot(struct aif_request *r)
{
	struct aif_executor *ex = r->executor;
	struct aif_exec_slot *slot = &ex->slots[r->slot];

	list_del_init(&r->entry);
	slot->request = NULL;
	slot->generation++;
	slot->next_free = ex->free_slot;
	ex->free_slot = r->slot;
	ex->held--;
	ex->service->fetched--;
	if (!ex->held)
		ex->alone = false;
}

/* ---- FETCH: what is delivered (device's lock) ---- */

struct aif_delivering {
	struct aif_executor *ex;
	u32 count;
	u32 capacity;
};

static struct aif_delivery *aif_deliver(struct aif_delivering *out, u32 type, u32 index)
{
	struct aif_delivery *d;

	d = aif_mapped_at(&out->ex->arrays[AIF_ARRAY_DELIVERY], out->count++);
	memset(d, 0, sizeof(*d));
	d->type = type;
	d->index = index;
	return d;
}

static bool aif_delivering_full(const struct aif_delivering *out)
{
	return out->count == out->capacity;
}

static void aif_deliver_view(struct aif_delivering *out, struct aif_view *v)
{
	struct aif_grant *g = v->grant;
	struct aif_delivery *d;

	if (!v->added) {
		v->added = true;
		d = aif_deliver(out, AIF_EVENT_GRANT_ADDED, g->id);
		d->flags = g->writable ? AIF_DELIVERY_F_WRITE : 0;
		d->offset = (u64)g->id << AIF_MMAP_SHIFT;
		d->length = g->bytes;
	} else if (v->revoked && !v->told) {
		v->told = true;
		aif_deliver(out, AIF_EVENT_GRANT_REVOKED, g->id);
	}
	if (!v->revoked || v->told)
		list_del_init(&v->event);
}

static void aif_deliver_events(struct aif_delivering *out)
{
	struct aif_executor *ex = out->ex;
	struct aif_request *r;
	struct aif_delivery *d;

	while (!list_empty(&ex->events) && !aif_delivering_full(out))
		aif_deliver_view(out, list_first_entry(&ex->events, struct aif_view, event));
	while (!list_empty(&ex->cancels) && !aif_delivering_full(out)) {
		r = list_first_entry(&ex->cancels, struct aif_request, entry);
		list_del_init(&r->entry);
		d = aif_deliver(out, AIF_EVENT_CANCELLED, r->slot);
		d->generation = ex->slots[r->slot].generation;
	}
	while (ex->poison_count && !aif_delivering_full(out)) {
		ex->poison_count--;
		d = aif_deliver(out, AIF_EVENT_POISON, ex->poison[ex->poison_count].tag);
		d->generation = ex->poison[ex->poison_count].generation;
		d->offset = ex->poison[ex->poison_count].client;
	}
}

static bool aif_executor_has_events(struct aif_executor *ex)
{
	return !list_empty(&ex->events) || !list_empty(&ex->cancels) || ex->poison_count;
}

static void aif_slot_fill(struct aif_executor *ex, struct aif_request *r)
{
	struct aif_slot *s = aif_mapped_at(&ex->arrays[AIF_ARRAY_SLOT], r->slot);
	u32 i;

	s->generation = ex->slots[r->slot].generation;
	s->attempt = r->attempt;
	s->sched_class = r->desc.sched_class;
	s->flags = r->desc.flags;
	s->range_count = r->desc.range_count;
	s->inline_length = r->desc.inline_length;
	s->tag = r->desc.tag;
	s->client = r->client->id;
	s->tenant = r->client->tenant->id;
	s->deadline = r->desc.deadline;
	memcpy(s->ranges, r->desc.ranges, sizeof(s->ranges));
	for (i = 0; i < r->desc.range_count; i++)
		s->ranges[i].grant = r->grants[i]->id;
}

static void aif_deliver_request(struct aif_delivering *out, struct aif_request *r, u64 charged,
				u64 now)
{
	struct aif_executor *ex = out->ex;

	if (!aif_request_step(r, AIF_REQ_FETCH))
		return;
	r->executor = ex;
	r->slot = aif_executor_take_slot(ex, r);
	r->charged_ns = charged;
	r->measured_ns = 0;
	aif_request_started(r, now);
	ex->alone = r->attempt > 1;
	aif_slot_fill(ex, r);
	aif_deliver(out, AIF_DELIVERY_REQUEST, r->slot)->generation =
		ex->slots[r->slot].generation;
	aif_count(fetched, 1);
	trace_aif_request_fetch(r->client->id, r->desc.tag, r->generation, pid_nr(ex->pid),
				r->attempt);
}

/* A request that killed an executor travels alone. */
static bool aif_may_deliver(struct aif_executor *ex, struct aif_request *r)
{
	return !ex->alone && (!r->attempt || !ex->held);
}

static void aif_deliver_requests(struct aif_delivering *out, u32 credit, u64 now)
{
	struct aif_executor *ex = out->ex;
	struct aif_service *s = ex->service;
	const struct aif_sched_queue *rival = aif_service_rival(s);
	struct aif_sched_lane *lane, *first = NULL;
	struct aif_request *r, *next;
	LIST_HEAD(step);
	u32 n = 0, ended = 0;
	u64 charge;
	int due;

	while (credit && ended < AIF_COMMIT_BURST && ex->free_slot != AIF_NO_SLOT &&
	       !aif_delivering_full(out)) {
		lane = aif_sched_next(&s->queue);
		if (!lane || (first && !aif_sched_joins(first, rival)))
			break;
		r = container_of(aif_heap_first(&lane->requests), struct aif_request, node);
		due = aif_request_due(r, now);
		if (due) {
			aif_request_end(r, due);
			ended++;
			continue;
		}
		if (!aif_may_deliver(ex, r))
			break;
		charge = s->queue.estimate_ns;
		if (first)
			aif_sched_pop_more(&s->device->sched, lane);
		else
			aif_sched_pop(&s->device->sched, lane);
		first = first ?: lane;
		aif_deliver_request(out, r, charge, now);
		list_add_tail(&r->entry, &step);
		credit--;
		n++;
	}
	aif_service_refresh(s);
	list_for_each_entry_safe(r, next, &step, entry) {
		list_del_init(&r->entry);
		r->step = n;
	}
	if (ex->alone)	/* whoever could not take it can take what follows */
		aif_service_wake_all(s);
}

/* Compete for a token like an executor that waits. */
static bool aif_executor_want_token(struct aif_executor *ex)
{
	struct aif_service *s = ex->service;

	if (ex->token)
		return !aif_service_not_its_turn(s);
	if (list_empty(&s->device->ready) && list_empty(&s->device->claims)) {
		/* nobody to compete with */
		ex->token = aif_sched_token_get(&s->device->sched);
		return ex->token;
	}
	list_add(&ex->idle, &s->idle);
	aif_service_refresh(s);
	aif_device_kick(s->device);
	aif_executor_arrived(ex);
	if (!list_empty(&ex->idle)) {
		list_del_init(&ex->idle);
		aif_service_refresh(s);
	}
	return ex->token;
}

/*
 * What there is for this executor now: a count, or why there is nothing.
 * Device's lock held.
 */
static int aif_executor_deliver(struct aif_executor *ex, u32 credit)
{
	struct aif_service *s = ex->service;
	struct aif_delivering out = {
		.ex = ex,
		.capacity = ex->arrays[AIF_ARRAY_DELIVERY].count,
	};
	bool wants = credit && !ex->alone && ex->free_slot != AIF_NO_SLOT;

	aif_executor_arrived(ex);
	if (ex->dead || s->gone) {
		if (!ex->held)
			aif_executor_release_token(ex);
		return -ENODEV;
	}
	if (aif_executor_has_events(ex))
		aif_deliver_events(&out);
	if (!aif_delivering_full(&out) && wants && s->queue.queued && aif_executor_want_token(ex)) {
		ex->progress_ns = ktime_get_ns();
		aif_deliver_requests(&out, credit, ex->progress_ns);
	}
	if (!ex->held)
		aif_executor_release_token(ex);
	if (out.count)
		return out.count;
	if (s->queue.queued && credit)
		return -EBUSY;
	return aif_service_drained(s) ? -ESHUTDOWN : -EAGAIN;
}

/* ---- FETCH: waiting ---- */

/* The waiting FETCH, if there is one, runs again.  Device's lock held. */
void aif_executor_wake(struct aif_executor *ex)
{
	aif_device_wake_pollers(aif_executor_device(ex));
	if (!ex->fetching || ex->woken)
		return;
	ex->woken = true;
	if (!list_empty(&ex->idle)) {
		list_del_init(&ex->idle);
		aif_service_refresh(ex->service);
	}
	aif_count(wakeups, 1);
	if (ex->waiter)
		wake_up_process(ex->waiter);
	else if (ex->cmd)
		aif_uring_wake(ex->cmd);
}

/* Could it take the next request (or the first that comes), if it had a token? */
static bool aif_executor_could_take(struct aif_executor *ex)
{
	struct aif_sched_lane *lane = aif_sched_next(&ex->service->queue);

	if (ex->free_slot == AIF_NO_SLOT)
		return false;
	return !lane ? !ex->alone :
	       aif_may_deliver(ex, container_of(aif_heap_first(&lane->requests),
						struct aif_request, node));
}

/* Nothing to deliver: wait on the idle list. */
static bool aif_executor_must_wait(int ret)
{
	return ret == -EAGAIN || ret == -EBUSY;
}

/* One that cannot take the next request waits for events, or its own commits. */
static void aif_executor_go_idle(struct aif_executor *ex)
{
	struct aif_service *s = ex->service;

	ex->woken = false;
	if (ex->credit && !aif_executor_could_take(ex))
		s->passed_over = true;
	else if (ex->credit && ex->token)	/* needs no other: in front */
		list_add(&ex->idle, &s->idle);
	else if (ex->credit)
		list_add_tail(&ex->idle, &s->idle);
	if (!s->queue.queued)
		return;
	aif_service_refresh(s);
	aif_device_kick(s->device);	/* it may have come for what another can do */
}

static void aif_executor_stop_waiting(struct aif_executor *ex)
{
	aif_executor_arrived(ex);
	ex->fetching = false;
	ex->waiter = NULL;
	ex->cmd = NULL;
	if (!list_empty(&ex->idle)) {
		list_del_init(&ex->idle);
		aif_service_refresh(ex->service);
	}
	if (!ex->held)
		aif_executor_release_token(ex);
	else	/* the wake-up it had is another's */
		aif_device_kick(aif_executor_device(ex));
}

/*
 * Deliver, or begin to wait (0): in @cmd, or else in the calling task, which
 * then calls aif_executor_fetch_resume() each time it was woken.
 */
int aif_executor_fetch_begin(struct aif_executor *ex, u32 credit, struct io_uring_cmd *cmd)
{
	struct aif_device *d = aif_executor_device(ex);
	int ret;

	spin_lock(&d->lock);
	if (ex->fetching) {
		ret = -EALREADY;
		goto out;
	}
	ret = aif_executor_deliver(ex, credit);
	if (aif_executor_must_wait(ret)) {
		ret = 0;
		ex->fetching = true;
		ex->credit = credit;
		ex->cmd = cmd;
		ex->waiter = cmd ? NULL : current;
		aif_executor_go_idle(ex);
	}
out:
	spin_unlock(&d->lock);
	return ret;
}

/* Woken: a count, an error, or 0 to wait on. */
int aif_executor_fetch_resume(struct aif_executor *ex)
{
	struct aif_device *d = aif_executor_device(ex);
	int ret;

	spin_lock(&d->lock);
	ret = aif_executor_deliver(ex, ex->credit);
	if (aif_executor_must_wait(ret)) {
		ret = 0;
		aif_executor_go_idle(ex);
	} else {
		aif_executor_stop_waiting(ex);
	}
	spin_unlock(&d->lock);
	return ret;
}

/* Take a parked command back; false if it is on its way to run already. */
bool aif_executor_fetch_abort(struct aif_executor *ex, struct io_uring_cmd *cmd)
{
	struct aif_device *d = aif_executor_device(ex);
	bool ours;

	spin_lock(&d->lock);
	ours = ex->fetching && ex->cmd == cmd && !ex->woken;
	if (ours)
		aif_executor_stop_waiting(ex);
	spin_unlock(&d->lock);
	return ours;
}

/* The task that would run it is gone: nothing is delivered to the dying. */
void aif_executor_fetch_end(struct aif_executor *ex)
{
	struct aif_device *d = aif_executor_device(ex);

	spin_lock(&d->lock);
	aif_executor_stop_waiting(ex);
	spin_unlock(&d->lock);
}

/* As in aif_batch_wait(): the client that was just answered may ask again. */
static int aif_executor_sleep(struct aif_executor *ex)
{
	int ret = 0;

	do {
		cond_resched();
		for (;;) {
			set_current_state(TASK_INTERRUPTIBLE);
			if (READ_ONCE(ex->woken) || signal_pending(current))
				break;
			schedule();
		}
		__set_current_state(TASK_RUNNING);
		if (fatal_signal_pending(current) || !READ_ONCE(ex->woken)) {
			aif_executor_fetch_end(ex);
			return -EINTR;
		}
		ret = aif_executor_fetch_resume(ex);
	} while (!ret);
	return ret;
}

static int aif_executor_fetch_now(struct aif_executor *ex, u32 credit)
{
	struct aif_device *d = aif_executor_device(ex);
	int ret;

	spin_lock(&d->lock);
	ret = ex->fetching ? -EALREADY : aif_executor_deliver(ex, credit);
	if (ret == -EBUSY && aif_executor_could_take(ex))
		aif_service_claim(ex->service);
	spin_unlock(&d->lock);
	return ret;
}

int aif_executor_fetch(struct aif_executor *ex, u32 credit, bool nonblock)
{
	int ret;

	if (nonblock)
		return aif_executor_fetch_now(ex, credit);
	ret = aif_executor_fetch_begin(ex, credit, NULL);
	return ret ?: aif_executor_sleep(ex);
}

/* Would a non-blocking FETCH bring something? */
static bool aif_executor_readable(struct aif_executor *ex)
{
	const struct aif_sched *sched = &aif_executor_device(ex)->sched;

	return aif_executor_has_events(ex) || aif_service_drained(ex->service) ||
	       (ex->service->queue.queued && !ex->alone &&
		(ex->token || sched->tokens_used < sched->tokens));
}

__poll_t aif_executor_poll(struct aif_executor *ex, struct file *filp, poll_table *pt)
{
	struct aif_device *d = aif_executor_device(ex);
	__poll_t mask = 0;

	poll_wait(filp, &d->pollq, pt);
	spin_lock(&d->lock);
	if (ex->dead || ex->service->gone)
		mask = EPOLLHUP;
	else if (aif_executor_readable(ex))
		mask = EPOLLIN | EPOLLRDNORM;
	spin_unlock(&d->lock);
	return mask;
}

/* ---- COMMIT, PROGRESS ---- */

/* 0 if it was fetched while we waited for the lock with an older @now. */
static u64 aif_request_elapsed(const struct aif_request *r, u64 now)
{
	return now > r->fetched_ns ? now - r->fetched_ns : 0;
}

/* What it took so far, with @device_ns more: never longer than it was out. */
static u64 aif_request_measured(const struct aif_request *r, u64 device_ns, u64 now)
{
	u64 elapsed = aif_request_elapsed(r, now);

	return min(r->measured_ns + min(device_ns, elapsed), elapsed);
}

/*
 * Device time is what the executor says, within what the clock allows; if it
 * says nothing, its part of the step.
 */
static void aif_commit_account(struct aif_request *r, u64 device_ns, u64 now)
{
	struct aif_completion *done;
	u64 measured = aif_request_measured(r, device_ns, now);

	if (!device_ns)
		measured = max(measured, div_u64(aif_request_elapsed(r, now), r->step));
	aif_request_took(r, measured);
	aif_sched_account(&r->open->member->lanes[r->desc.sched_class], r->charged_ns,
			  r->measured_ns, true);
	done = aif_mapped_at(&r->client->arrays[AIF_ARRAY_COMPLETION], r->desc.tag);
	done->device_ns = r->measured_ns;
}

static bool aif_commit_result(struct aif_executor *ex, const struct aif_commit *c, u64 now)
{
	struct aif_exec_slot *slot;
	struct aif_request *r;
	int due;

	if (c->index >= ex->slot_count)
		return false;
	slot = &ex->slots[array_index_nospec(c->index, ex->slot_count)];
	r = slot->request;
	if (!r || slot->generation != c->generation)
		return false;
	aif_commit_account(r, c->device_ns, now);
	ex->progress_ns = now;
	aif_executor_unslot(r);
	if (r->state == AIF_STATE_FETCHED) {
		due = aif_request_due(r, now);
		aif_request_answer(r, due ?: c->result,
				   due ? 0 : min(c->produced, aif_request_output_length(r)),
				   AIF_REQ_COMMIT, now);
	} else {
		aif_request_step(r, AIF_REQ_COMMIT);
		aif_request_quiet(r);
	}
	return true;
}

/* Needs service->lock, so it is not done under the device's. */
static bool aif_commit_ack(struct aif_executor *ex, u32 id)
{
	struct aif_service *s = ex->service;
	struct aif_view *v;
	bool acked;

	mutex_lock(&s->lock);
	v = xa_load(&ex->views, id);
	acked = v && v->revoked && v->told;
	if (acked)
		aif_view_detach(v);
	mutex_unlock(&s->lock);
	return acked;
}

/* The array is the executor's to scribble on: one read each. */
static struct aif_commit aif_commit_load(struct aif_executor *ex, u32 i)
{
	const struct aif_mapped *m = &ex->arrays[AIF_ARRAY_COMMIT];
	struct aif_commit c;

	aif_copy_entry(&c, aif_mapped_at(m, i % m->count), sizeof(c));
	return c;
}

/*
 * An executor that asks for more in the same call competes with those who wait,
 * so it keeps the token until its FETCH has compared claims.
 */
static void aif_commit_end(struct aif_executor *ex, bool fetches)
{
	if (!ex->held && (!fetches || ex->fetching))
		aif_executor_release_token(ex);
	if (ex->fetching && list_empty(&ex->idle))
		aif_executor_wake(ex);
}

/* 0 or -ENODEV; *@stale counts the commits that named nothing of ours. */
static int aif_executor_commit(struct aif_executor *ex, u32 first, u32 count, bool fetches,
			       u32 *stale)
{
	struct aif_device *d = aif_executor_device(ex);
	u64 now = ktime_get_ns();
	struct aif_commit c;
	int err = 0;
	u32 i;

	if (count > ex->arrays[AIF_ARRAY_COMMIT].count)
		return -EINVAL;
	spin_lock(&d->lock);
	for (i = 0; i < count && !ex->dead; i++) {
		c = aif_commit_load(ex, first + i);
		if (c.type == AIF_COMMIT_RESULT && !c.__reserved) {
			*stale += !aif_commit_result(ex, &c, now);
		} else {
			spin_unlock(&d->lock);
			*stale += c.type != AIF_COMMIT_GRANT_ACK || !aif_commit_ack(ex, c.index);
			spin_lock(&d->lock);
		}
		if (i % AIF_COMMIT_BURST == AIF_COMMIT_BURST - 1) {
			spin_unlock(&d->lock);
			cond_resched();
			spin_lock(&d->lock);
		}
	}
	if (ex->dead) {
		*stale += count - i;
		err = -ENODEV;
	} else {
		aif_commit_end(ex, fetches);
	}
	spin_unlock(&d->lock);
	aif_count(stale_commits, *stale);
	return err;
}

/* Both doors: check the arguments of COMMIT_FETCH and do its first half. */
int aif_executor_turn(struct aif_executor *ex, u32 flags, u32 first, u32 count, u32 credit,
		      u32 *stale)
{
	if (flags & ~(AIF_FETCH_F_NONBLOCK | AIF_FETCH_F_COMMIT_ONLY) ||
	    credit > ex->slot_count || (credit && (flags & AIF_FETCH_F_COMMIT_ONLY)))
		return -EINVAL;
	if (!count)
		return 0;
	return aif_executor_commit(ex, first, count, !(flags & AIF_FETCH_F_COMMIT_ONLY), stale);
}

/* 0, 1 if the request was answered meanwhile, -ESTALE, -ENODEV. */
int aif_executor_progress(struct aif_executor *ex, u32 slot, u32 generation, u32 produced,
			  u64 device_ns)
{
	struct aif_device *d = aif_executor_device(ex);
	struct aif_request *r = NULL;
	u64 now = ktime_get_ns();
	int ret = -ESTALE;

	spin_lock(&d->lock);
	if (slot < ex->slot_count)
		r = ex->slots[array_index_nospec(slot, ex->slot_count)].request;
	if (ex->dead) {
		ret = -ENODEV;
	} else if (r && ex->slots[r->slot].generation == generation) {
		ex->progress_ns = now;
		aif_request_took(r, aif_request_measured(r, device_ns, now));
		r->charged_ns = aif_sched_account(&r->open->member->lanes[r->desc.sched_class],
						  r->charged_ns, r->measured_ns, false);
		ret = aif_req_answered(r->state) || aif_request_due(r, now);
		aif_request_publish(r, ret ? 0 : produced);
	}
	spin_unlock(&d->lock);
	return ret;
}

int aif_executor_declare(struct aif_executor *ex, u32 id, u32 pins)
{
	struct aif_view *v;

	mutex_lock(&ex->service->lock);
	v = xa_load(&ex->views, id);
	if (v)
		v->pins = pins;
	mutex_unlock(&ex->service->lock);
	return v ? 0 : -ENOENT;
}
