// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers: requests that the machine's engines execute.
 *
 * They belong to a service that nobody created and no list shows, on a device of
 * its own: tenants share it as they share any device.  It lives as long as there
 * is a client to which AIF_F_TRANSFER was granted.  Its dispatchers take the next
 * chunk whenever an engine has room for it.
 *
 * A transfer goes through a request's states.  It is QUEUED until its first chunk
 * begins, then FETCHED, although it waits in its lane again between chunks; while an
 * engine has a chunk of it (->chunk) it is out of the lane.  So a transfer that is
 * answered while it is in its lane is quiet at once, and one whose chunk an engine has
 * when the engine is done with that, or known not to touch it any more.
 *
 * A tenant that has moved its bytes of the second (struct aif_tenant, ->pace) has its
 * lanes paused, and the engines take what others have, until ->resume lets it in again.
 *
 * From SUBMIT until quiet it keeps its buffers, and stands in its target's
 * ->incoming, where the recovery of a dead executor's requests looks for writers.
 */
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "aif.h"
#include "aif_trace.h"

#define AIF_END_BURST	32	/* ended without letting others have the lock */

struct aif_dispatcher {
	struct work_struct work;
	struct aif_mover *mover;
	bool busy;			/* device->lock */
};

/* One more dispatcher than the CPU has places: it has no time while it copies. */
struct aif_mover {
	struct aif_service *service;	/* lives as long */
	struct delayed_work resume;	/* for the first of those that are paused */
	u32 dispatcher_count;
	struct aif_dispatcher dispatchers[] __counted_by(dispatcher_count);
};

static struct aif_service *aif_copy_service;	/* aif_registry */
struct workqueue_struct *aif_copy_wq;

/* ---- chunks ---- */

static struct aif_sched_lane *aif_transfer_lane(struct aif_request *r)
{
	return &r->open->member->lanes[r->desc.sched_class];
}

/* Device's lock held: until the first of those that are paused is let in. */
static void aif_mover_arm(struct aif_mover *m, u64 now)
{
	u64 until = aif_sched_paused_until(&m->service->queue);

	if (until != ~0ull)
		mod_delayed_work(aif_copy_wq, &m->resume,
				 nsecs_to_jiffies(until > now ? until - now : 0) + 1);
}

/* What is to be done with @r, the first of @lane, before any other: end it, or wait? */
static bool aif_mover_puts_off(struct aif_mover *m, struct aif_sched_lane *lane,
			       struct aif_request *r)
{
	u64 now = ktime_get_ns(), wait;
	int due = aif_request_due(r, now);

	if (due) {
		aif_request_end(r, due);
		return true;
	}
	wait = aif_tenant_pace(r->client->tenant, now);
	if (!wait)
		return false;
	aif_sched_pause(lane, now + wait);
	aif_mover_arm(m, now);
	return true;
}

/*
 * The next transfer whose time is not over, in its lane.  NULL: there is none that may
 * go on, or so many had to be ended or paused first that others want the lock.
 */
static struct aif_request *aif_mover_next(struct aif_mover *m)
{
	struct aif_sched_lane *lane;
	struct aif_request *r;
	u32 ended;

	for (ended = 0; ended < AIF_END_BURST; ended++) {
		lane = aif_sched_next(&m->service->queue);
		if (!lane)
			break;
		r = container_of(aif_heap_first(&lane->requests), struct aif_request, node);
		if (!aif_mover_puts_off(m, lane, r))
			return r;
	}
	return NULL;
}

/* Only the CPU reaches an import. */
static bool aif_transfer_has_import(const struct aif_request *r)
{
	return r->buffers[1]->import || (r->buffers[0] && r->buffers[0]->import);
}

/* A place at an engine for what comes next of @r, or NULL: none has room. */
static struct aif_chunk *aif_transfer_place(struct aif_request *r)
{
	const struct aif_range *to = aif_desc_target(&r->desc);
	struct aif_engine_ask ask = {
		.kind = r->desc.inline_length ? AIF_CHUNK_FILL : AIF_CHUNK_COPY,
		.bytes = aif_chunk_cut(to->offset + (u64)r->produced, to->length - r->produced),
		.named = r->desc.service,
	};

	ask.bits = aif_transfer_bits(r) | ask.bytes;
	return aif_engine_take(&ask, r->buffers[0], r->buffers[1],
			       r->refused || aif_transfer_has_import(r));
}

/* Device's lock held: a chunk of @r, which is first in its lane, or NULL. */
static struct aif_chunk *aif_chunk_begin(struct aif_mover *m, struct aif_request *r)
{
	struct aif_chunk *c = aif_transfer_place(r);

	if (!c)
		return NULL;
	c->request = r;
	c->before = r->produced;
	r->chunk = c;
	if (r->client->tenant->pace.rate)
		aif_bucket_charge(&r->client->tenant->pace, c->desc.bytes, c->start_ns);
	aif_sched_pop_chunk(&m->service->device->sched, aif_transfer_lane(r), c->charged_ns);
	if (r->state == AIF_STATE_QUEUED) {
		aif_request_step(r, AIF_REQ_FETCH);
		aif_request_started(r, c->start_ns);
	}
	return c;
}

/* Answered, or in its lane again: it has @reached bytes, unless there is a @status. */
static void aif_transfer_go_on(struct aif_request *r, int status, u32 reached, u64 now)
{
	int due;

	if (r->state == AIF_STATE_ORPHANED) {
		aif_request_step(r, AIF_REQ_COMMIT);
		aif_request_quiet(r);
		return;
	}
	if (!status)
		aif_request_publish(r, reached);
	due = status == -EIO ? -EIO : aif_request_due(r, now);
	if (due || r->produced == aif_desc_target(&r->desc)->length)
		aif_request_answer(r, due, 0, AIF_REQ_COMMIT, now);
	else
		WARN_ON_ONCE(aif_sched_push_again(&r->device->sched, aif_transfer_lane(r),
						  &r->node, r->node.key, r->node.seq));
}

static void aif_chunk_quarantine(struct aif_chunk *c, int by)
{
	struct aif_request *r = c->request;

	if (r->buffers[0])
		aif_buffer_quarantine(r->buffers[0], by);
	aif_buffer_quarantine(r->buffers[1], by);
}

/*
 * The engine is done with @c, or was made to be.  Whoever waits for the transfer is
 * woken here, which may take longer than the chunk did, so that time is charged too;
 * what an engine did not do is not.  The lane outlives the request as long as the
 * device's lock is held.
 */
static void aif_chunk_end(struct aif_chunk *c)
{
	struct aif_request *r = c->request;
	struct aif_sched_lane *lane = aif_transfer_lane(r);
	u32 reached = c->before + c->desc.bytes;
	u64 now = ktime_get_ns(), charged = c->charged_ns, took;
	int status = c->status;

	lockdep_assert_held(&r->device->lock);
	if (c->quarantined)
		aif_chunk_quarantine(c, -1);
	c->quarantined = false;
	if (!status) {
		aif_count(chunks, 1);
		aif_count(transfer_bytes, c->desc.bytes);
		atomic64_add(c->desc.bytes, &r->client->tenant->moved);
	} else if (status != -EIO && r->client->tenant->pace.rate) {	/* nothing was moved */
		aif_bucket_refund(&r->client->tenant->pace, c->desc.bytes);
	}
	took = aif_engine_finish(c);
	r->chunk = NULL;
	r->refused = status == -EBUSY;
	aif_request_took(r, r->measured_ns + took);
	aif_transfer_go_on(r, status, reached, now);
	aif_sched_correct(lane, charged, took + ktime_get_ns() - now);
}

/* @c was answered or taken back: its transfer goes on, or ends. */
void aif_transfer_settle(struct aif_chunk *c)
{
	struct aif_service *s = c->request->open->service;

	if (!c->status)
		aif_chunk_sync_for_cpu(c);
	kref_get(&s->ref);
	spin_lock(&s->device->lock);
	aif_chunk_end(c);
	aif_mover_kick(s->mover);
	spin_unlock(&s->device->lock);
	aif_service_put(s);
}

/* @c's engine is not trusted any more and may still have it: answered, and not quiet. */
void aif_transfer_quarantine(struct aif_chunk *c)
{
	struct aif_request *r = c->request;
	struct aif_service *s = r->open->service;

	kref_get(&s->ref);
	spin_lock(&s->device->lock);
	c->quarantined = true;
	aif_chunk_quarantine(c, 1);
	aif_request_end(r, -EIO);
	spin_unlock(&s->device->lock);
	aif_service_put(s);
}

/*
 * In *@c the next chunk, or NULL: look again.  False: no engine has room for it, and
 * whoever makes some will look.  Device's lock held.
 *
 * Who goes next is decided before where: a chunk that only the CPU can do, or that
 * another engine refused, waits for the CPU, and others wait behind it, although they
 * would find room elsewhere.  When the CPU has a place the scheduler is asked again: it
 * may go to one that sorts before it by then, so it waits for those and no others.  To
 * let all pass that find room would leave it behind for as long as they come.
 */
static bool aif_dispatch(struct aif_mover *m, struct aif_chunk **c)
{
	struct aif_request *r = aif_mover_next(m);

	*c = r ? aif_chunk_begin(m, r) : NULL;
	return *c || !r;
}

/* To its engine.  True: that is done with it already. */
static bool aif_chunk_submit(struct aif_chunk *c)
{
	bool done;

	aif_chunk_lay_out(c);
	aif_chunk_sync_for_device(c);
	done = aif_engine_submit(c);
	if (done && !c->status)
		aif_chunk_sync_for_cpu(c);
	return done;
}

/* A dispatcher may never sleep while there is work: RCU is told between chunks. */
static void aif_dispatcher_work(struct work_struct *work)
{
	struct aif_dispatcher *me = container_of(work, struct aif_dispatcher, work);
	struct aif_mover *m = me->mover;
	struct aif_device *d = m->service->device;
	struct aif_chunk *c;
	int section;
	bool done;

	spin_lock(&d->lock);
	while (aif_sched_next(&m->service->queue)) {
		section = aif_engine_enter();
		if (!aif_dispatch(m, &c)) {
			/* Idle before the lock is dropped, or whoever makes room wakes nobody. */
			aif_engine_leave(section);
			break;
		}
		spin_unlock(&d->lock);
		done = c && aif_chunk_submit(c);
		cond_resched_tasks_rcu_qs();
		spin_lock(&d->lock);
		if (done)
			aif_chunk_end(c);
		aif_engine_leave(section);
	}
	me->busy = false;
	spin_unlock(&d->lock);
}

/* There is a transfer: let dispatchers look, as many as engines have room for. */
void aif_mover_kick(struct aif_mover *m)
{
	u32 wanted = min(m->service->queue.queued, aif_engine_room());
	u32 i;

	lockdep_assert_held(&m->service->device->lock);
	if (!aif_sched_next(&m->service->queue))
		return;
	for (i = 0; i < m->dispatcher_count && wanted; i++) {
		if (m->dispatchers[i].busy)
			continue;
		m->dispatchers[i].busy = true;
		queue_work(aif_copy_wq, &m->dispatchers[i].work);
		wanted--;
	}
}

/* Let those in that were paused until @now. */
static void aif_mover_resume(struct aif_mover *m, u64 now)
{
	struct aif_device *d = m->service->device;

	spin_lock(&d->lock);
	aif_sched_resume(&d->sched, &m->service->queue, now);
	aif_mover_arm(m, now);
	aif_mover_kick(m);
	spin_unlock(&d->lock);
}

static void aif_mover_resume_work(struct work_struct *work)
{
	aif_mover_resume(container_of(to_delayed_work(work), struct aif_mover, resume),
			 ktime_get_ns());
}

/* ---- a transfer's buffers ---- */

/* An engine that is named must reach both. */
static int aif_transfer_reach(const struct aif_desc *desc, const struct aif_buffer *source,
			      const struct aif_buffer *target)
{
	if (!desc->service || (aif_buffer_mapped_for(target, desc->service) &&
			       (!source || aif_buffer_mapped_for(source, desc->service))))
		return 0;
	return -ENXIO;
}

static int aif_transfer_check(const struct aif_desc *desc, const struct aif_buffer *source,
			      const struct aif_buffer *target)
{
	if (!aif_range_inside(aif_desc_target(desc), target->bytes) ||
	    (source && !aif_range_inside(&desc->ranges[0], source->bytes)) ||
	    (source == target && aif_ranges_meet(&desc->ranges[0], &desc->ranges[1])))
		return -EINVAL;
	return aif_transfer_reach(desc, source, target);
}

/* An import is open for it, and stays so. */
static int aif_end_enter(struct aif_buffer *b, bool write)
{
	return b && b->import ? aif_import_use(b->import, write) : 0;
}

static void aif_end_leave(struct aif_buffer *b)
{
	if (b && b->import)
		aif_import_unuse(b->import);
}

static int aif_transfer_enter(const struct aif_desc *desc, struct aif_buffer *source,
			      struct aif_buffer *target)
{
	int err = aif_transfer_check(desc, source, target) ?: aif_end_enter(source, false);

	if (err)
		return err;
	err = aif_end_enter(target, true);
	if (err)
		aif_end_leave(source);
	return err;
}

/* Device's lock held, so that nobody reads ->incoming of a half-made transfer. */
static int aif_transfer_take(struct aif_client *c, struct aif_request *r)
{
	const struct aif_desc *desc = &r->desc;
	struct aif_buffer *source = NULL, *target;
	int err;

	target = aif_handle_buffer(c, aif_desc_target(desc)->grant,
				   AIF_RIGHT_WRITE | AIF_RIGHT_TRANSFER);
	if (IS_ERR(target))
		return PTR_ERR(target);
	if (!desc->inline_length) {
		source = aif_handle_buffer(c, desc->ranges[0].grant,
					   AIF_RIGHT_READ | AIF_RIGHT_TRANSFER);
		err = PTR_ERR_OR_ZERO(source);
		if (err)
			goto err_target;
	}
	err = aif_transfer_enter(desc, source, target);
	if (err)
		goto err_source;
	r->buffers[0] = source;
	r->buffers[1] = target;
	aif_buffer_incoming_add(target, r);
	return 0;

err_source:
	if (source)
		aif_buffer_put_later(source);
err_target:
	aif_buffer_put_later(target);
	return err;
}

void aif_transfer_drop(struct aif_request *r)
{
	aif_buffer_incoming_del(r->buffers[1], r);
	aif_end_leave(r->buffers[0]);
	aif_end_leave(r->buffers[1]);
	if (r->buffers[0])
		aif_buffer_put_later(r->buffers[0]);
	aif_buffer_put_later(r->buffers[1]);
	r->buffers[0] = NULL;
	r->buffers[1] = NULL;
}

int aif_transfer_submit(struct aif_client *c, struct aif_request *r)
{
	int err = aif_transfer_take(c, r);

	r->chunk = NULL;
	r->refused = false;
	r->measured_ns = 0;
	return err;
}

/* What it takes out of a budget: the CPU's time, which does what others do not. */
u64 aif_transfer_longest_ns(const struct aif_request *r)
{
	return aif_engine_cpu_ns(aif_desc_target(&r->desc)->length);
}

/*
 * It was answered after it had begun.  Device's lock held: in its lane it is quiet
 * now, else when the engine lets go of its chunk.
 */
void aif_transfer_ended(struct aif_request *r)
{
	if (r->chunk) {
		aif_engine_cancel(r->chunk);
		return;
	}
	aif_sched_remove(&r->device->sched, aif_transfer_lane(r), &r->node);
	aif_request_step(r, AIF_REQ_COMMIT);
	aif_request_quiet(r);
}

/* ---- the service ---- */

static struct aif_mover *aif_mover_new(struct aif_service *s)
{
	u32 i, n = aif_copy_workers + 1;
	struct aif_mover *m = kzalloc(struct_size(m, dispatchers, n), GFP_KERNEL);

	if (!m)
		return NULL;
	m->service = s;
	m->dispatcher_count = n;
	INIT_DELAYED_WORK(&m->resume, aif_mover_resume_work);
	for (i = 0; i < n; i++) {
		m->dispatchers[i].mover = m;
		INIT_WORK(&m->dispatchers[i].work, aif_dispatcher_work);
	}
	return m;
}

/* aif_registry held.  Whole, or to be put by the caller when that is released. */
static struct aif_service *aif_copy_service_new(void)
{
	struct aif_service *s = aif_service_alloc(GLOBAL_ROOT_UID);

	if (!s)
		return NULL;
	strscpy(s->desc.name, AIF_COPY_DEVICE, sizeof(s->desc.name));
	s->mover = aif_mover_new(s);
	s->device = aif_device_get(AIF_COPY_DEVICE);
	if (s->mover && s->device)
		aif_copy_service = s;
	return s;
}

/* A reference to the service that moves bytes, or NULL: no memory. */
struct aif_service *aif_mover_get(void)
{
	struct aif_service *s;

	mutex_lock(&aif_registry);
	s = aif_copy_service;
	if (!s || !kref_get_unless_zero(&s->ref))
		s = aif_copy_service_new();
	mutex_unlock(&aif_registry);
	if (!s || (s->mover && s->device))
		return s;
	aif_service_put(s);
	return NULL;
}

/* Its service is going: no client is left, but a dispatcher may not have looked up yet. */
void aif_mover_free(struct aif_mover *m)
{
	u32 i;

	mutex_lock(&aif_registry);
	if (aif_copy_service == m->service)
		aif_copy_service = NULL;
	mutex_unlock(&aif_registry);
	cancel_delayed_work_sync(&m->resume);
	for (i = 0; i < m->dispatcher_count; i++)
		cancel_work_sync(&m->dispatchers[i].work);
	kfree(m);
}

/* Those paused until @now go on, and engines have more room than they had. */
static void aif_transfer_look_again(u64 now)
{
	struct aif_service *s;

	mutex_lock(&aif_registry);
	s = aif_copy_service;
	if (s && !kref_get_unless_zero(&s->ref))
		s = NULL;
	mutex_unlock(&aif_registry);
	if (!s)
		return;
	aif_mover_resume(s->mover, now);
	aif_service_put(s);
}

/* Engines have more room than they had. */
void aif_transfer_kick(void)
{
	aif_transfer_look_again(ktime_get_ns());
}

/* A tenant's bytes a second are others: all that wait for theirs ask again. */
void aif_transfer_repace(void)
{
	aif_transfer_look_again(~0ull);
}

int aif_transfer_init(void)
{
	int err;

	aif_copy_wq = alloc_workqueue("aif_copy", WQ_UNBOUND | WQ_SYSFS, 0);
	if (!aif_copy_wq)
		return -ENOMEM;
	err = aif_cpu_init();
	if (err)
		destroy_workqueue(aif_copy_wq);
	return err;
}

void aif_transfer_fini(void)
{
	aif_cpu_fini();
	destroy_workqueue(aif_copy_wq);
}
