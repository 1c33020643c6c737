// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: from SUBMIT to the answer, and on to quiet memory.
 *
 * A tag is claimed by setting ->busy.  From then until ->busy is cleared the
 * request belongs to the module; its descriptor was copied once and only the
 * copy is looked at.  Every step of its state is taken under its device's lock
 * and checked by core's table, so exactly one party answers it.
 *
 * Answered and quiet are two things.  aif_request_answer() gives the client
 * its result; aif_request_quiet() ends the executor's hold on the memory and
 * frees the tag.  A queued request gets both at once, a fetched one that is
 * cancelled gets the second when its executor lets go.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "aif.h"
#include "aif_trace.h"

static struct aif_completion *aif_completion_of(struct aif_request *r)
{
	return aif_mapped_at(&r->client->arrays[AIF_ARRAY_COMPLETION], r->desc.tag);
}

/* One aligned word, after everything it vouches for. */
void aif_request_show(struct aif_request *r)
{
	union {
		struct {
			__u32 generation;
			__u32 state;
		};
		u64 word;
	} u = { .generation = r->generation, .state = r->state };

	/* Pairs with the client's acquire. */
	smp_store_release((u64 *)aif_completion_of(r), u.word);
}

/* Take @event's step.  What the table forbids is a bug of ours, never a user's. */
bool aif_request_step(struct aif_request *r, enum aif_req_event event)
{
	int next = aif_req_next(r->state, event);

	lockdep_assert_held(&r->device->lock);
	if (WARN_ON_ONCE(next < 0))
		return false;
	r->state = next;
	return true;
}

/*
 * sparse counts locks function by function and cannot say "locked unless NULL":
 * what takes or drops one for its caller balances the count itself.
 */
struct aif_device *aif_request_lock(struct aif_request *r)
{
	struct aif_device *d;

	while ((d = READ_ONCE(r->device))) {
		spin_lock(&d->lock);
		if (r->device == d) {
			__release(&d->lock);
			return d;
		}
		spin_unlock(&d->lock);
	}
	return NULL;
}

void aif_request_unlock(struct aif_device *d)
{
	__acquire(&d->lock);
	spin_unlock(&d->lock);
}

/* Bytes of the first output's range; 0 if none was given. */
u32 aif_request_output_length(const struct aif_request *r)
{
	const struct aif_io *io = r->open->service->desc.io;
	u32 i;

	if (aif_desc_is_transfer(&r->desc))
		return aif_desc_target(&r->desc)->length;

	for (i = 0; i < r->desc.range_count; i++)
		if (aif_desc_range_io(&r->desc, io, i)->flags & AIF_IO_F_OUTPUT)
			return r->desc.ranges[i].length;
	return 0;
}

static struct aif_sched_lane *aif_request_lane(struct aif_request *r)
{
	return &r->open->member->lanes[r->desc.sched_class];
}

/* ---- batches (wait_lock) ---- */

static void aif_batch_put(struct aif_client *c, struct aif_batch *b)
{
	if (b->outstanding || b->watched)
		return;
	b->next_free = c->free_batches;
	c->free_batches = b;
}

static void aif_batch_fire(struct aif_batch *b)
{
	if (b->fired || !b->watched)
		return;
	b->fired = true;
	if (b->waiter) {
		aif_count(wakeups, 1);
		wake_up_process(b->waiter);
	} else if (b->cmd) {
		aif_count(wakeups, 1);
		aif_uring_wake(b->cmd);
	}
}

static void aif_batch_answered(struct aif_client *c, struct aif_batch *b)
{
	b->outstanding--;
	if (b->first || !b->outstanding)
		aif_batch_fire(b);
	aif_batch_put(c, b);
}

static struct aif_batch *aif_batch_get(struct aif_client *c, u32 count, bool first)
{
	struct aif_batch *b;

	spin_lock(&c->wait_lock);
	b = c->free_batches;
	if (b) {
		c->free_batches = b->next_free;
		memset(b, 0, sizeof(*b));
		b->outstanding = count;
		b->first = first;
		b->watched = true;
	}
	spin_unlock(&c->wait_lock);
	return b;
}

/* The submission is over: descriptors that were refused are not waited for. */
static void aif_batch_settle(struct aif_batch *b, u32 refused, u32 accepted)
{
	b->accepted = accepted;
	b->outstanding -= refused;
	if (!b->outstanding)
		aif_batch_fire(b);
}

void aif_batch_release(struct aif_client *c, struct aif_batch *b)
{
	spin_lock(&c->wait_lock);
	b->waiter = NULL;
	b->cmd = NULL;
	b->watched = false;
	aif_batch_put(c, b);
	spin_unlock(&c->wait_lock);
}

/*
 * Sleep until the batch fires: 0 or -EINTR.  The batch is released.  Whoever was
 * woken by the submission goes first: on one processor it often answers before
 * we would be asleep, which saves both a sleep and a wake-up.
 */
int aif_batch_wait(struct aif_client *c, struct aif_batch *b)
{
	int err = 0;

	spin_lock(&c->wait_lock);
	b->waiter = current;
	spin_unlock(&c->wait_lock);
	cond_resched();
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(b->fired))
			break;
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	aif_batch_release(c, b);
	return err;
}

/* ---- on its way ---- */

/* An executor, or a copier, begins with it.  Device's lock held. */
void aif_request_started(struct aif_request *r, u64 now)
{
	struct aif_completion *done = aif_completion_of(r);

	r->attempt++;
	r->fetched_ns = now;
	done->attempt = r->attempt;
	done->fetched_ns = now;
	aif_request_show(r);
}

/*
 * Its execution has taken @measured_ns so far: service and tenant are told.  Never
 * less than before, which it seems to be to who read the clock and then waited for
 * the lock.  Device's lock held.
 */
void aif_request_took(struct aif_request *r, u64 measured_ns)
{
	u64 more = max(measured_ns, r->measured_ns) - r->measured_ns;

	r->measured_ns += more;
	r->open->service->device_ns += more;
	atomic64_add(more, &r->client->tenant->device_ns);
	if (r->desc.sched_class != AIF_CLASS_REALTIME || r->measured_ns <= r->budget_ns)
		return;
	aif_rt_overrun(&r->open->member->share->budget, r->budget_ns, r->measured_ns,
		       ktime_get_ns());
	r->budget_ns = r->measured_ns;
}

/* @produced bytes of the first output are there.  Device's lock held. */
void aif_request_publish(struct aif_request *r, u32 produced)
{
	struct aif_completion *done = aif_completion_of(r);
	struct aif_client *c = r->client;

	done->device_ns = r->measured_ns;
	produced = min(produced, aif_request_output_length(r));
	if (produced <= r->produced || aif_req_answered(r->state))
		return;
	r->produced = produced;
	/* The client reads the output after it. */
	smp_store_release(&done->produced, produced);
	spin_lock(&c->wait_lock);
	aif_client_wake_progress(c);
	spin_unlock(&c->wait_lock);
}

/* ---- the end of a request ---- */

static void aif_client_count_answer(struct aif_client *c)
{
	struct aif_client_status *st = c->arrays[AIF_ARRAY_CLIENT_STATUS].pages.va;

	c->answered++;
	/* The completion it counts was shown before. */
	smp_store_release(&st->answered, c->answered);
	if (c->eventfd)
		eventfd_signal(c->eventfd);
}

static void aif_request_drop_memory(struct aif_request *r)
{
	u32 i;

	if (aif_desc_is_transfer(&r->desc)) {
		aif_transfer_drop(r);
		return;
	}

	for (i = 0; i < r->desc.range_count; i++) {
		aif_grant_put(r->grants[i]);
		r->grants[i] = NULL;
	}
}

/*
 * Nobody but the client touches the memory any more: the tag is free.  The
 * state word was shown; ->busy goes last, for SUBMIT on another CPU.
 */
static void aif_request_free(struct aif_request *r)
{
	struct aif_client *c = r->client;

	atomic_dec(&c->tenant->requests);
	aif_request_drop_memory(r);
	r->device = NULL;
	r->executor = NULL;
	c->busy--;
	/* Pairs with the cmpxchg in SUBMIT. */
	smp_store_release(&r->busy, 0);
	if (c->closed && !c->busy)
		queue_work(aif_wq, &c->free_work);
}

static void aif_request_unschedule(struct aif_request *r)
{
	struct aif_service *s = r->open->service;

	aif_sched_remove(&s->device->sched, aif_request_lane(r), &r->node);
	aif_service_look_again(s);
	aif_service_refresh(s);
	aif_device_kick(s->device);
}

/*
 * Give the client its result: by COMMIT from the executor that holds it, or by
 * ANSWER in any unanswered state.  Device's lock held.
 */
void aif_request_answer(struct aif_request *r, int result, u32 produced,
			enum aif_req_event why, u64 now)
{
	struct aif_completion *done = aif_completion_of(r);
	struct aif_service *s = r->open->service;
	struct aif_client *c = r->client;

	if (r->state == AIF_STATE_QUEUED)
		aif_request_unschedule(r);
	else if (r->state == AIF_STATE_RECOVERING)
		s->recovering--;
	if (!aif_request_step(r, why))
		return;
	trace_aif_request_answer(c->id, r->desc.tag, r->generation, result);
	aif_count(answered, 1);
	s->answered_total++;
	atomic64_inc(&c->tenant->answered);
	done->result = result;
	done->produced = max(r->produced, produced);
	done->answered_ns = now;
	aif_request_show(r);

	spin_lock(&c->wait_lock);
	if (r->deadline.pos != AIF_HEAP_OUT)
		aif_heap_remove(&c->deadlines, &r->deadline);
	aif_client_count_answer(c);
	if (r->batch)
		aif_batch_answered(c, r->batch);
	r->batch = NULL;
	if (!aif_req_busy(r->state))
		aif_request_free(r);
	aif_client_wake(c);
	spin_unlock(&c->wait_lock);
	if (aif_service_drained(s))
		aif_service_wake_all(s);
}

/* The executor of an answered request let go.  Device's lock held. */
void aif_request_quiet(struct aif_request *r)
{
	struct aif_service *s = r->open->service;
	struct aif_client *c = r->client;

	aif_request_show(r);
	spin_lock(&c->wait_lock);
	aif_request_free(r);
	aif_client_wake(c);
	spin_unlock(&c->wait_lock);
	if (aif_service_drained(s))
		aif_service_wake_all(s);
}

/* A dead executor's request goes back to its old place.  Device's lock held. */
int aif_request_requeue(struct aif_request *r)
{
	struct aif_service *s = r->open->service;
	int err;

	err = aif_sched_push_again(&s->device->sched, aif_request_lane(r), &r->node,
				   r->node.key, r->node.seq);
	if (WARN_ON_ONCE(err))
		return err;
	aif_request_step(r, AIF_REQ_REQUEUE);
	s->recovering--;
	r->executor = NULL;
	r->budget_ns -= min(r->budget_ns, r->measured_ns);
	r->produced = 0;
	aif_completion_of(r)->produced = 0;
	aif_request_show(r);
	s->queued_total++;
	s->recovered_total++;
	aif_count(recoveries, 1);
	aif_service_ring(s);
	aif_service_refresh(s);
	aif_device_kick(s->device);
	return 0;
}

/* ---- cancel, expiry ---- */

static bool aif_request_uses(const struct aif_request *r, const struct aif_grant *g)
{
	u32 i;

	if (aif_desc_is_transfer(&r->desc))
		return false;

	for (i = 0; i < r->desc.range_count; i++)
		if (r->grants[i] == g)
			return true;
	return false;
}

/*
 * Its deadline's worker, or who revokes a grant and has zapped its views
 * already, is still on the way.
 */
int aif_request_due(const struct aif_request *r, u64 now)
{
	u32 i;

	if (aif_desc_late(&r->desc, now))
		return -ETIME;
	if (aif_desc_is_transfer(&r->desc))
		return 0;
	for (i = 0; i < r->desc.range_count; i++)
		if (r->grants[i]->revoked)
			return -EKEYREVOKED;
	return 0;
}

/* Tell the executor that holds it that nobody waits any more. */
static void aif_request_tell_executor(struct aif_request *r)
{
	list_add_tail(&r->entry, &r->executor->cancels);
	aif_executor_wake(r->executor);
}

bool aif_request_end(struct aif_request *r, int result)
{
	bool fetched = r->state == AIF_STATE_FETCHED;

	if (aif_req_answered(r->state))
		return false;
	aif_request_answer(r, result, 0, AIF_REQ_ANSWER, ktime_get_ns());
	if (!fetched)
		return true;
	/* It is an orphan now, still ours to look at. */
	if (aif_desc_is_transfer(&r->desc))
		aif_transfer_ended(r);
	else
		aif_request_tell_executor(r);
	return true;
}

int aif_cancel(struct aif_client *c, u32 tag, u32 generation)
{
	struct aif_request *r;
	struct aif_device *d;
	bool ended;

	if (tag >= c->depth)
		return -EINVAL;
	r = &c->requests[array_index_nospec(tag, c->depth)];
	d = aif_request_lock(r);
	if (!d)
		return -ENOENT;
	ended = r->generation == generation && aif_request_end(r, -ECANCELED);
	aif_request_unlock(d);
	return ended ? 0 : -ENOENT;
}

/* All of a client's requests, or those that use one grant. */
void aif_cancel_all(struct aif_client *c, int result, struct aif_grant *only)
{
	struct aif_request *r;
	struct aif_device *d;
	u32 tag;

	for (tag = 0; tag < c->depth; tag++) {
		r = &c->requests[tag];
		d = aif_request_lock(r);
		if (!d)
			continue;
		if (!only || aif_request_uses(r, only))
			aif_request_end(r, result);
		aif_request_unlock(d);
		cond_resched();
	}
}

/* wait_lock held. */
static void aif_client_arm_deadline(struct aif_client *c, u64 now)
{
	struct aif_heap_node *n = aif_heap_first(&c->deadlines);
	u64 ns;

	if (!n)
		return;
	ns = n->key > now ? n->key - now : 0;
	mod_delayed_work(aif_wq, &c->expire, nsecs_to_jiffies(ns) + 1);
}

static struct aif_request *aif_client_next_expired(struct aif_client *c, u64 now)
{
	struct aif_request *r = NULL;
	struct aif_heap_node *n;

	spin_lock(&c->wait_lock);
	n = aif_heap_first(&c->deadlines);
	if (n && n->key <= now) {
		r = container_of(n, struct aif_request, deadline);
		aif_heap_remove(&c->deadlines, n);
	} else {
		aif_client_arm_deadline(c, now);
	}
	spin_unlock(&c->wait_lock);
	return r;
}

void aif_client_expire(struct work_struct *work)
{
	struct aif_client *c = container_of(to_delayed_work(work), struct aif_client, expire);
	u64 now = ktime_get_ns();
	struct aif_request *r;
	struct aif_device *d;

	while ((r = aif_client_next_expired(c, now))) {
		cond_resched();
		d = aif_request_lock(r);
		if (!d)
			continue;
		/* It may have ended meanwhile, and be another by now. */
		if (aif_desc_late(&r->desc, now))
			aif_request_end(r, -ETIME);
		aif_request_unlock(d);
	}
}

/* ---- SUBMIT ---- */

struct aif_submission {
	struct aif_client *client;
	struct aif_batch *batch;
	struct aif_device *held;	/* locked */
	struct aif_service *service;	/* that the last request went to */
	struct aif_grant *grant;	/* last looked up while ->held */
	u64 now;
	u32 handle;			/* of ->grant */
};

/*
 * Most ranges name the grant that the one before did.  It stays valid as long
 * as the device's lock is held: revocation takes that lock first.
 */
static struct aif_grant *aif_submission_grant(struct aif_submission *sub, u32 handle)
{
	if (!sub->grant || sub->handle != handle) {
		sub->handle = handle;
		sub->grant = xa_load(&sub->client->grants, handle);
	}
	return sub->grant;
}

/* Device's lock held, so no grant of this service is revoked meanwhile. */
static int aif_submit_grant(struct aif_submission *sub, struct aif_request *r, u32 i)
{
	const struct aif_range *range = &r->desc.ranges[i];
	struct aif_service *s = sub->service;
	struct aif_grant *g;
	int err = 0;

	rcu_read_lock();
	g = aif_submission_grant(sub, range->grant);
	if (!g || g->service != s)
		err = -ENOENT;
	else if (g->revoked)
		err = -EKEYREVOKED;
	else if (!aif_range_inside(range, g->bytes))
		err = -EINVAL;
	else if (!g->writable &&
		 aif_desc_range_io(&r->desc, s->desc.io, i)->flags & AIF_IO_F_OUTPUT)
		err = -EACCES;
	if (!err) {
		refcount_inc(&g->users);
		r->grants[i] = g;
	}
	rcu_read_unlock();
	return err;
}

static int aif_submit_grants(struct aif_submission *sub, struct aif_request *r)
{
	int err = 0;
	u32 i;

	for (i = 0; i < r->desc.range_count && !err; i++)
		err = aif_submit_grant(sub, r, i);
	if (!err)
		return 0;
	while (--i)
		aif_grant_put(r->grants[i - 1]);
	return err;
}

/*
 * Until when it is to go, in its class; one in real time for which nothing is left of a
 * budget is in the normal class from here on.  Device's lock held.
 */
static u64 aif_submit_due(struct aif_request *r)
{
	struct aif_rt_budget *b = &r->open->member->share->budget;
	u64 due = 0;

	/* Where the queue will refuse it nothing is taken: no budget comes back. */
	if (r->desc.sched_class != AIF_CLASS_REALTIME ||
	    !aif_sched_has_room(&r->open->service->device->sched, aif_request_lane(r)))
		return r->desc.deadline;
	r->budget_ns = aif_desc_is_transfer(&r->desc) ?
		       aif_transfer_longest_ns(r) :
		       r->open->service->desc.longest_step_ms * (u64)NSEC_PER_MSEC;
	if (b->period_ns)
		due = aif_rt_due(b, r->budget_ns, r->desc.deadline, ktime_get_ns());
	if (due)
		return due;
	aif_count(over_budget, 1);
	r->desc.sched_class = AIF_CLASS_NORMAL;
	return r->desc.deadline;
}

/* Device's lock held.  From the push on, the request may be answered. */
static int aif_submit_queue(struct aif_submission *sub, struct aif_request *r)
{
	struct aif_service *s = r->open->service;
	struct aif_completion *done;
	u64 due;
	int err;

	if (s->gone || s->draining)
		return s->gone ? -ENODEV : -ESHUTDOWN;
	err = aif_desc_is_transfer(&r->desc) ? aif_transfer_submit(sub->client, r) :
					       aif_submit_grants(sub, r);
	if (err)
		return err;
	due = aif_submit_due(r);
	aif_request_lane(r)->clock->weight = aif_tenant_weight(r->client->tenant);
	err = aif_sched_push(&s->device->sched, aif_request_lane(r), &r->node, due);
	if (err) {
		aif_request_drop_memory(r);
		return err;
	}
	r->device = s->device;
	aif_request_step(r, AIF_REQ_SUBMIT);
	r->generation = r->desc.generation;
	r->attempt = 0;
	r->produced = 0;
	done = aif_completion_of(r);
	done->result = 0;
	done->produced = 0;
	done->attempt = 0;
	done->submitted_ns = sub->now;
	done->fetched_ns = 0;
	done->answered_ns = 0;
	done->device_ns = 0;
	aif_request_show(r);
	s->queued_total++;
	aif_service_refresh(s);
	return 0;
}

static void aif_submit_account(struct aif_client *c, struct aif_request *r, u64 now)
{
	spin_lock(&c->wait_lock);
	c->busy++;
	if (r->desc.deadline) {
		r->deadline.key = r->desc.deadline;
		r->deadline.seq = c->submitted;
		aif_heap_push(&c->deadlines, &r->deadline);
		if (aif_heap_first(&c->deadlines) == &r->deadline)
			aif_client_arm_deadline(c, now);
	}
	spin_unlock(&c->wait_lock);
}

static int aif_submit_check(struct aif_client *c, struct aif_request *r, u64 now)
{
	int err = aif_desc_check(&r->desc, c->depth, c->granted_features, now);

	if (err)
		return err;
	if (r->state != AIF_STATE_FREE && r->desc.generation == r->generation)
		return -EINVAL;
	if (aif_desc_is_transfer(&r->desc)) {
		/* Pairs with the release in aif_client_set_up(). */
		r->open = smp_load_acquire(&c->transfers);
		return r->open ? aif_desc_check_transfer(&r->desc) : -EOPNOTSUPP;
	}
	r->open = xa_load(&c->opens, r->desc.service);
	if (!r->open)
		return -EBADF;
	return aif_desc_check_io(&r->desc, r->open->service->desc.io,
				 r->open->service->desc.io_count);
}

/* Ring the doorbell and hand out tokens for what was queued; drop the lock. */
static void aif_submission_unlock(struct aif_submission *sub)
{
	if (!sub->held)
		return;
	if (sub->service->mover) {
		aif_mover_kick(sub->service->mover);
	} else {
		aif_service_ring(sub->service);
		aif_device_kick(sub->held);
	}
	__acquire(&sub->held->lock);
	spin_unlock(&sub->held->lock);
	sub->held = NULL;
	sub->grant = NULL;
}

static void aif_submission_lock(struct aif_submission *sub, struct aif_service *s)
{
	if (sub->service == s && sub->held)
		return;
	aif_submission_unlock(sub);
	sub->service = s;
	sub->held = s->device;
	spin_lock(&sub->held->lock);
	__release(&sub->held->lock);
}

static int aif_submit_claimed(struct aif_submission *sub, struct aif_request *r)
{
	struct aif_client *c = sub->client;
	int err;

	err = aif_submit_check(c, r, sub->now);
	if (err)
		return err;
	if (atomic_inc_return(&c->tenant->requests) > aif_tenant_max_requests(c->tenant)) {
		atomic_dec(&c->tenant->requests);
		return -EDQUOT;
	}
	r->batch = sub->batch;
	aif_submission_lock(sub, r->open->service);
	err = aif_submit_queue(sub, r);
	if (err) {
		atomic_dec(&c->tenant->requests);
		return err;
	}
	aif_submit_account(c, r, sub->now);
	trace_aif_request_submit(c->id, c->tenant->id, r->desc.tag, r->generation,
				 sub->service->id);
	return 0;
}

/*
 * DONE is shown a moment before ->busy goes, and a client that spins on it may
 * be here already: whoever shows it holds the device's lock until the request
 * has left the device, and wait_lock until ->busy is clear.
 */
static bool aif_tag_claim_late(struct aif_submission *sub, struct aif_request *r)
{
	struct aif_device *d;

	aif_submission_unlock(sub);
	d = aif_request_lock(r);
	if (d) {
		aif_request_unlock(d);
		return false;
	}
	spin_lock(&sub->client->wait_lock);
	spin_unlock(&sub->client->wait_lock);
	return !cmpxchg_acquire(&r->busy, 0, 1);
}

/* Claim the tag, copy the descriptor once, look only at the copy. */
static int aif_submit_one(struct aif_submission *sub, const struct aif_desc *shared)
{
	struct aif_client *c = sub->client;
	u32 tag = READ_ONCE(shared->tag);
	struct aif_request *r;
	int err;

	if (tag >= c->depth)
		return -EINVAL;
	tag = array_index_nospec(tag, c->depth);
	r = &c->requests[tag];
	if (cmpxchg_acquire(&r->busy, 0, 1) && !aif_tag_claim_late(sub, r))
		return -EBUSY;
	aif_copy_entry(&r->desc, shared, sizeof(r->desc));
	r->desc.tag = tag;
	err = aif_submit_claimed(sub, r);
	if (err) {
		/* Pairs with the cmpxchg above, elsewhere. */
		smp_store_release(&r->busy, 0);
	}
	return err;
}

/* The device's lock is let go after so many descriptors. */
#define AIF_SUBMIT_BURST	32

static int aif_submit_all(struct aif_submission *sub, u32 first, u32 count, u32 *accepted)
{
	struct aif_mapped *ring = &sub->client->arrays[AIF_ARRAY_DESC];
	int err = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		err = aif_submit_one(sub, aif_mapped_at(ring, (first + i) & (ring->count - 1)));
		if (err)
			break;
		if (i % AIF_SUBMIT_BURST == AIF_SUBMIT_BURST - 1) {
			aif_submission_unlock(sub);
			cond_resched();
		}
	}
	aif_submission_unlock(sub);
	aif_count(descriptor_bytes, (u64)min(i + 1, count) * sizeof(struct aif_desc));
	aif_count(requests, i);
	*accepted = i;
	return i ? 0 : err;
}

/*
 * Returns the number accepted or -errno.  With a WAIT flag and something
 * accepted, *@wait is the batch to wait for, which the caller releases.
 */
int aif_submit(struct aif_client *c, u32 flags, u32 first, u32 count, struct aif_batch **wait)
{
	u32 waits = flags & (AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST);
	struct aif_submission sub = { .client = c };
	struct aif_client_status *st;
	u32 accepted;
	int err;

	*wait = NULL;
	if (flags & ~(AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST) ||
	    hweight32(waits) > 1 || !count || count > c->depth)
		return -EINVAL;
	if (waits) {
		sub.batch = aif_batch_get(c, count, waits == AIF_SUBMIT_F_WAIT_FIRST);
		if (!sub.batch)
			return -EBUSY;
	}
	sub.now = ktime_get_ns();
	err = aif_submit_all(&sub, first, count, &accepted);

	st = c->arrays[AIF_ARRAY_CLIENT_STATUS].pages.va;
	spin_lock(&c->wait_lock);
	c->submitted += accepted;
	WRITE_ONCE(st->submitted, c->submitted);
	if (sub.batch)
		aif_batch_settle(sub.batch, count - accepted, accepted);
	spin_unlock(&c->wait_lock);
	if (sub.batch && err)
		aif_batch_release(c, sub.batch);
	else
		*wait = sub.batch;
	return err ?: accepted;
}
