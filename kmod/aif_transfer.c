// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers: requests that the machine's copy engine executes.
 *
 * The engine is a service that nobody created and no list shows, on a device of
 * its own: tenants share it as they share any device.  It lives as long as there
 * is a client to which AIF_F_TRANSFER was granted.
 *
 * A transfer goes through a request's states.  It is QUEUED until its first chunk
 * begins, then FETCHED, although it waits in its lane again between chunks; a
 * copier that takes it out of the lane has it alone until the chunk is done.  So
 * a transfer that is answered while it is in its lane is quiet at once, and one
 * that a copier has (->chunk_bytes is not 0) when the chunk ends.
 *
 * From SUBMIT until quiet it keeps its buffers, and stands in its target's
 * ->incoming, where the recovery of a dead executor's requests looks for writers.
 */
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "aif.h"
#include "aif_trace.h"

/* No service can have this device: ':' is not allowed in names. */
#define AIF_COPY_DEVICE	":copy"

#define AIF_END_BURST	32	/* ended without letting others have the lock */

struct aif_copier {
	struct work_struct work;
	struct aif_engine *engine;
	bool busy;			/* device->lock */
};

struct aif_engine {
	struct aif_service *service;	/* lives as long */
	struct aif_cost cost;		/* device->lock */
	u32 copier_count;
	struct aif_copier copiers[] __counted_by(copier_count);
};

static struct aif_service *aif_copy_service;	/* aif_registry */
static struct workqueue_struct *aif_copy_wq;

/* ---- chunks ---- */

/* What a copier needs to know of a chunk once the lock is dropped. */
struct aif_chunk {
	struct aif_request *request;
	u32 done;			/* bytes of the transfer before this chunk */
	u32 bytes;
	u64 charged_ns;
	u64 start_ns;
};

static struct aif_sched_lane *aif_transfer_lane(struct aif_request *r)
{
	return &r->open->member->lanes[r->desc.sched_class];
}

/*
 * The next transfer whose time is not over, taken out of its lane.  NULL: there is
 * none, or so many had to be ended first that others want the lock.
 */
static struct aif_request *aif_engine_next(struct aif_engine *e, struct aif_chunk *chunk)
{
	struct aif_device *d = e->service->device;
	struct aif_sched_lane *lane;
	struct aif_request *r;
	u32 ended;
	u64 now;
	int due;

	for (ended = 0; ended < AIF_END_BURST; ended++) {
		lane = aif_sched_next(&e->service->queue);
		if (!lane)
			break;
		r = container_of(aif_heap_first(&lane->requests), struct aif_request, node);
		now = ktime_get_ns();	/* this chunk's time begins, not the ended ones' */
		due = aif_request_due(r, now);
		if (due) {
			aif_request_end(r, due);
			continue;
		}
		chunk->done = r->produced;
		chunk->bytes = aif_chunk_cut(aif_desc_target(&r->desc)->offset + (u64)r->produced,
					     aif_desc_target(&r->desc)->length - r->produced);
		chunk->charged_ns = aif_cost_of(&e->cost, chunk->bytes);
		chunk->start_ns = now;
		aif_sched_pop_chunk(&d->sched, lane, chunk->charged_ns);
		return r;
	}
	return NULL;
}

/* Device's lock held: a chunk of the best transfer is the caller's to do, or false. */
static bool aif_chunk_begin(struct aif_engine *e, struct aif_chunk *chunk)
{
	struct aif_request *r = aif_engine_next(e, chunk);

	if (!r)
		return false;
	chunk->request = r;
	r->chunk_bytes = chunk->bytes;
	if (r->state == AIF_STATE_QUEUED) {
		aif_request_step(r, AIF_REQ_FETCH);
		aif_request_started(r, chunk->start_ns);
	}
	return true;
}

static void aif_chunk_do(const struct aif_chunk *chunk)
{
	const struct aif_request *r = chunk->request;
	const struct aif_range *to = aif_desc_target(&r->desc);

	if (r->desc.inline_length)
		aif_fill_bytes(r->buffers[1], (u64)to->offset + chunk->done, chunk->bytes,
			       r->desc.input, r->desc.inline_length,
			       chunk->done % r->desc.inline_length);
	else
		aif_copy_bytes(r->buffers[1], (u64)to->offset + chunk->done, r->buffers[0],
			       (u64)r->desc.ranges[0].offset + chunk->done, chunk->bytes);
}

/* Answered, or in its lane again.  Device's lock held. */
static void aif_chunk_settle(struct aif_engine *e, const struct aif_chunk *chunk, u64 now)
{
	struct aif_device *d = e->service->device;
	struct aif_request *r = chunk->request;
	int due;

	r->chunk_bytes = 0;
	r->measured_ns += now - chunk->start_ns;
	if (r->state == AIF_STATE_ORPHANED) {
		aif_request_step(r, AIF_REQ_COMMIT);
		aif_request_quiet(r);
		return;
	}
	aif_request_publish(r, chunk->done + chunk->bytes);
	due = aif_request_due(r, now);
	if (due || r->produced == aif_desc_target(&r->desc)->length)
		aif_request_answer(r, due, 0, AIF_REQ_COMMIT, now);
	else
		WARN_ON_ONCE(aif_sched_push_again(&d->sched, aif_transfer_lane(r), &r->node,
						  r->desc.deadline, r->node.seq));
}

/*
 * Whoever waits for the transfer is woken here, which may take longer than the
 * chunk did, so that time is charged too.  The lane outlives the request as long
 * as the device's lock is held.
 */
static void aif_chunk_end(struct aif_engine *e, const struct aif_chunk *chunk)
{
	struct aif_sched_lane *lane = aif_transfer_lane(chunk->request);
	u64 now = ktime_get_ns();

	lockdep_assert_held(&e->service->device->lock);
	aif_cost_learn(&e->cost, chunk->bytes, now - chunk->start_ns);
	aif_count(chunks, 1);
	aif_count(transfer_bytes, chunk->bytes);
	aif_chunk_settle(e, chunk, now);
	aif_sched_correct(lane, chunk->charged_ns, ktime_get_ns() - chunk->start_ns);
}

/* A copier may never sleep while there is work: RCU is told between chunks. */
static void aif_copier_work(struct work_struct *work)
{
	struct aif_copier *copier = container_of(work, struct aif_copier, work);
	struct aif_engine *e = copier->engine;
	struct aif_device *d = e->service->device;
	struct aif_chunk chunk;
	bool begun;

	spin_lock(&d->lock);
	while (e->service->queue.queued) {
		begun = aif_chunk_begin(e, &chunk);
		spin_unlock(&d->lock);
		if (begun)
			aif_chunk_do(&chunk);
		cond_resched_tasks_rcu_qs();
		spin_lock(&d->lock);
		if (begun)
			aif_chunk_end(e, &chunk);
	}
	copier->busy = false;
	spin_unlock(&d->lock);
}

/* There is a transfer: let a copier that has none look.  Device's lock held. */
void aif_engine_kick(struct aif_engine *e)
{
	u32 wanted = e->service->queue.queued;
	u32 i;

	lockdep_assert_held(&e->service->device->lock);
	for (i = 0; i < e->copier_count && wanted; i++) {
		if (e->copiers[i].busy)
			continue;
		e->copiers[i].busy = true;
		queue_work(aif_copy_wq, &e->copiers[i].work);
		wanted--;
	}
}

/* ---- a transfer's buffers ---- */

/* Device's lock held, so that nobody reads ->incoming of a half-made transfer. */
static int aif_transfer_take(struct aif_client *c, struct aif_request *r)
{
	const struct aif_desc *desc = &r->desc;
	struct aif_buffer *source = NULL, *target;
	int err = -ENOENT;

	target = aif_buffer_get(c, aif_desc_target(desc)->grant);
	if (!target)
		return -ENOENT;
	if (!desc->inline_length)
		source = aif_buffer_get(c, desc->ranges[0].grant);
	if (!source && !desc->inline_length)
		goto err_target;
	if (!aif_range_inside(aif_desc_target(desc), target->bytes) ||
	    (source && !aif_range_inside(&desc->ranges[0], source->bytes)) ||
	    (source == target && aif_ranges_meet(&desc->ranges[0], &desc->ranges[1])))
		err = -EINVAL;
	else
		err = target->writable ? 0 : -EACCES;
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
	if (r->buffers[0])
		aif_buffer_put_later(r->buffers[0]);
	aif_buffer_put_later(r->buffers[1]);
	r->buffers[0] = NULL;
	r->buffers[1] = NULL;
}

int aif_transfer_submit(struct aif_client *c, struct aif_request *r)
{
	int err = aif_transfer_take(c, r);

	r->chunk_bytes = 0;
	r->measured_ns = 0;
	return err;
}

/*
 * It was answered after it had begun.  Device's lock held: in its lane it is quiet
 * now; a copier that has a chunk of it looks when that is done.
 */
void aif_transfer_ended(struct aif_request *r)
{
	if (r->chunk_bytes)
		return;
	aif_sched_remove(&r->device->sched, aif_transfer_lane(r), &r->node);
	aif_request_step(r, AIF_REQ_COMMIT);
	aif_request_quiet(r);
}

/* ---- the engine ---- */

static struct aif_engine *aif_engine_new(struct aif_service *s)
{
	struct aif_engine *e = kzalloc(struct_size(e, copiers, aif_copy_workers), GFP_KERNEL);
	u32 i;

	if (!e)
		return NULL;
	e->service = s;
	e->copier_count = aif_copy_workers;
	e->cost = (struct aif_cost){ .fixed_ns = 500, .ps_byte = 250 };
	for (i = 0; i < e->copier_count; i++) {
		e->copiers[i].engine = e;
		INIT_WORK(&e->copiers[i].work, aif_copier_work);
	}
	return e;
}

/* aif_registry held.  Whole, or to be put by the caller when that is released. */
static struct aif_service *aif_copy_service_new(void)
{
	struct aif_service *s = aif_service_alloc(GLOBAL_ROOT_UID);

	if (!s)
		return NULL;
	strscpy(s->desc.name, AIF_COPY_DEVICE, sizeof(s->desc.name));
	s->engine = aif_engine_new(s);
	s->device = aif_device_get(AIF_COPY_DEVICE);
	if (s->engine && s->device)
		aif_copy_service = s;
	return s;
}

/* A reference to the copy engine's service, or NULL: no memory. */
struct aif_service *aif_engine_get(void)
{
	struct aif_service *s;

	mutex_lock(&aif_registry);
	s = aif_copy_service;
	if (!s || !kref_get_unless_zero(&s->ref))
		s = aif_copy_service_new();
	mutex_unlock(&aif_registry);
	if (!s || (s->engine && s->device))
		return s;
	aif_service_put(s);
	return NULL;
}

/* Its service is going: no client is left, but a copier may not have looked up yet. */
void aif_engine_free(struct aif_engine *e)
{
	u32 i;

	mutex_lock(&aif_registry);
	if (aif_copy_service == e->service)
		aif_copy_service = NULL;
	mutex_unlock(&aif_registry);
	for (i = 0; i < e->copier_count; i++)
		cancel_work_sync(&e->copiers[i].work);
	kfree(e);
}

int aif_transfer_init(void)
{
	aif_copy_wq = alloc_workqueue("aif_copy", WQ_UNBOUND | WQ_SYSFS, 0);
	return aif_copy_wq ? 0 : -ENOMEM;
}

void aif_transfer_fini(void)
{
	destroy_workqueue(aif_copy_wq);
}
