// SPDX-License-Identifier: MIT
/* Requests, from SUBMIT to the answer and on to quiet memory: see kmod/aif_request.c. */
#include <errno.h>
#include <unistd.h>

#include "local.h"

struct aif_completion *local_completion(const struct local_request *r)
{
	return local_array_at(&r->client->arrays[AIF_ARRAY_COMPLETION], r->desc.tag);
}

struct aif_sched_lane *local_request_lane(const struct local_request *r)
{
	return &r->open->member->lanes[r->desc.sched_class];
}

/* One aligned word, after everything it vouches for. */
void local_request_show(struct local_request *r)
{
	union {
		u64 word;
		struct {
			u32 generation;
			u32 state;
		};
	} now = { .generation = r->generation, .state = r->state };

	__atomic_store_n((u64 *)local_completion(r), now.word, __ATOMIC_RELEASE);
}

/* Bytes of the first output's range; 0 if none was given. */
u32 local_request_output_length(const struct local_request *r)
{
	const struct aif_io *io = r->open->service->desc.io;
	u32 i;

	for (i = 0; i < r->desc.range_count; i++) {
		if (aif_desc_range_io(&r->desc, io, i)->flags & AIF_IO_F_OUTPUT)
			return r->desc.ranges[i].length;
	}
	return 0;
}

/* ---- the end of a request ---- */

static void client_answered(struct local_client *c)
{
	struct aif_client_status *status = c->arrays[AIF_ARRAY_CLIENT_STATUS].at;
	const u64 one = 1;

	c->answered++;
	__atomic_store_n(&status->answered, c->answered, __ATOMIC_RELEASE);
	if (c->file)
		local_file_signal(c->file, c->answered > c->seen);
	if (c->eventfd >= 0 && write(c->eventfd, &one, sizeof(one)) < 0)
		return;		/* its counter is full: it is readable anyway */
}

static void batch_answered(struct local_batch *b)
{
	b->outstanding--;
	if (b->first || !b->outstanding)
		b->fired = true;
}

/* Nobody but the client touches the memory any more: the tag is free. */
static void request_free(struct local_request *r)
{
	struct local_client *c = r->client;
	u32 i;

	for (i = 0; i < r->desc.range_count; i++) {
		local_grant_put(r->grants[i]);
		r->grants[i] = NULL;
	}
	r->executor = NULL;
	r->busy = false;
	c->tenant->requests--;
	c->busy--;
}

void local_request_answer(struct local_request *r, int result, u32 produced,
			  enum aif_req_event why)
{
	struct aif_completion *done = local_completion(r);
	struct local_service *s = r->open->service;
	struct local_client *c = r->client;

	if (r->state == AIF_STATE_QUEUED) {
		aif_sched_remove(&s->device->sched, local_request_lane(r), &r->node);
		local_service_look_again(s);
	} else if (r->state == AIF_STATE_RECOVERING) {
		s->recovering--;
	}
	r->state = (u32)aif_req_next(r->state, why);
	s->answered_total++;
	if (produced > r->produced)
		r->produced = produced;
	done->result = result;
	__atomic_store_n(&done->produced, r->produced, __ATOMIC_RELEASE);
	done->answered_ns = local_now();
	local_request_show(r);
	if (r->deadline.pos != AIF_HEAP_OUT)
		aif_heap_remove(&c->deadlines, &r->deadline);
	client_answered(c);
	if (r->batch)
		batch_answered(r->batch);
	r->batch = NULL;
	if (!aif_req_busy(r->state))
		request_free(r);
	local_service_check_drained(s);
	local_device_poll(s->device);
	pthread_cond_broadcast(&c->changed);
	local_client_free_if_done(c);
}

/* The executor of an answered request let go. */
void local_request_quiet(struct local_request *r)
{
	struct local_service *s = r->open->service;
	struct local_client *c = r->client;

	local_request_show(r);
	request_free(r);
	local_service_check_drained(s);
	pthread_cond_broadcast(&c->changed);
	local_client_free_if_done(c);
}

/* A dead executor's request goes back to its old place. */
void local_request_requeue(struct local_request *r)
{
	struct local_service *s = r->open->service;

	r->state = (u32)aif_req_next(r->state, AIF_REQ_REQUEUE);
	r->executor = NULL;
	r->produced = 0;
	__atomic_store_n(&local_completion(r)->produced, 0, __ATOMIC_RELEASE);
	local_request_show(r);
	aif_sched_push_again(&s->device->sched, local_request_lane(r), &r->node,
			     r->desc.deadline, r->node.seq);
	s->recovering--;
	s->recovered_total++;
	local_service_queued(s);
}

void local_request_took(struct local_request *r, u64 measured_ns)
{
	u64 more = measured_ns > r->measured_ns ? measured_ns - r->measured_ns : 0;

	r->open->service->device_ns += more;
	r->measured_ns += more;
}

/* ---- cancel, expiry ---- */

/* If an executor has it, tell it that nobody waits any more. */
bool local_request_end(struct local_request *r, int result)
{
	struct local_executor *ex = r->executor;
	bool fetched = r->state == AIF_STATE_FETCHED;

	if (!r->busy || aif_req_answered(r->state))
		return false;
	local_request_answer(r, result, 0, AIF_REQ_ANSWER);
	if (fetched) {
		r->cancel_queued = true;
		TAILQ_INSERT_TAIL(&ex->cancels, r, entry);
		local_executor_wake(ex);
	}
	return true;
}

static bool request_uses(const struct local_request *r, const struct local_grant *g)
{
	u32 i;

	for (i = 0; i < r->desc.range_count; i++) {
		if (r->grants[i] == g)
			return true;
	}
	return false;
}

/* All of a client's requests, or those that use one grant. */
void local_cancel_all(struct local_client *c, int result, const struct local_grant *only)
{
	u32 tag;

	for (tag = 0; tag < c->depth; tag++) {
		if (c->requests[tag].busy && (!only || request_uses(&c->requests[tag], only)))
			local_request_end(&c->requests[tag], result);
	}
}

int local_cancel(struct local_file *f, struct aif_ioc_cancel *arg)
{
	struct local_client *c = f->client;
	struct local_request *r;

	if (arg->flags & ~AIF_CANCEL_F_WAITS)
		return -EINVAL;
	if (!c->depth)
		return -ENXIO;
	if (arg->flags)		/* no ring, so nothing is parked */
		return arg->tag != AIF_TAG_ALL || arg->generation ? -EINVAL : 0;
	if (arg->tag == AIF_TAG_ALL) {
		local_cancel_all(c, -ECANCELED, NULL);
		return 0;
	}
	if (arg->tag >= c->depth)
		return -EINVAL;
	r = &c->requests[arg->tag];
	return r->generation == arg->generation && local_request_end(r, -ECANCELED) ? 0 : -ENOENT;
}

static u64 client_expire(struct local_client *c, u64 now, u64 until)
{
	struct aif_heap_node *n;

	while ((n = aif_heap_first(&c->deadlines)) && n->key <= now)
		local_request_end(container_of(n, struct local_request, deadline), -ETIME);
	return n && n->key < until ? n->key : until;
}

u64 local_expire(u64 now, u64 until)
{
	struct local_file *f;

	TAILQ_FOREACH(f, &local_files, node) {
		if (f->client)
			until = client_expire(f->client, now, until);
	}
	return until;
}

/* ---- SUBMIT ---- */

/* A revoked grant has left the table: under one lock nothing is half revoked. */
static int take_grant(struct local_client *c, struct local_request *r, u32 i)
{
	const struct local_service *s = r->open->service;
	const struct aif_range *range = &r->desc.ranges[i];
	struct local_grant *g = local_table_get(&c->grants, range->grant);

	if (!g || g->service != s)
		return -ENOENT;
	if (!aif_range_inside(range, g->buffer->memory->bytes))
		return -EINVAL;
	if (!g->writable && aif_desc_range_io(&r->desc, s->desc.io, i)->flags & AIF_IO_F_OUTPUT)
		return -EACCES;
	g->refs++;
	r->grants[i] = g;
	return 0;
}

static void drop_grants(struct local_request *r, u32 count)
{
	while (count--) {
		local_grant_put(r->grants[count]);
		r->grants[count] = NULL;
	}
}

static int take_grants(struct local_client *c, struct local_request *r)
{
	int err;
	u32 i;

	for (i = 0; i < r->desc.range_count; i++) {
		err = take_grant(c, r, i);
		if (err) {
			drop_grants(r, i);
			return err;
		}
	}
	return 0;
}

static int check(struct local_client *c, struct local_request *r, u64 now)
{
	int err = aif_desc_check(&r->desc, c->depth, c->features, now);

	if (err)
		return err;
	if (r->state != AIF_STATE_FREE && r->desc.generation == r->generation)
		return -EINVAL;
	r->open = local_table_get(&c->opens, r->desc.service);
	if (!r->open)
		return -EBADF;
	return aif_desc_check_io(&r->desc, r->open->service->desc.io,
				 r->open->service->desc.io_count);
}

/* All that can be refused, and the references. */
static int admit(struct local_client *c, struct local_request *r, u64 now)
{
	struct local_service *s;
	int err = check(c, r, now);

	if (err)
		return err;
	s = r->open->service;
	if (c->tenant->requests >= libaif_local_limits.tenant_requests)
		return -EDQUOT;
	if (s->gone || s->draining)
		return s->gone ? -ENODEV : -ESHUTDOWN;
	err = take_grants(c, r);
	if (err)
		return err;
	err = aif_sched_push(&s->device->sched, local_request_lane(r), &r->node, r->desc.deadline);
	if (err)
		drop_grants(r, r->desc.range_count);
	return err;
}

static void queued(struct local_client *c, struct local_request *r, u64 now)
{
	struct aif_completion *done = local_completion(r);
	struct local_service *s = r->open->service;

	r->busy = true;
	r->state = (u32)aif_req_next(r->state, AIF_REQ_SUBMIT);
	r->generation = r->desc.generation;
	r->attempt = 0;
	r->produced = 0;
	r->submitted_ns = now;
	c->busy++;
	c->tenant->requests++;
	done->result = 0;
	__atomic_store_n(&done->produced, 0, __ATOMIC_RELEASE);
	done->attempt = 0;
	done->submitted_ns = now;
	done->fetched_ns = 0;
	done->answered_ns = 0;
	done->device_ns = 0;
	local_request_show(r);
	local_service_queued(s);
	if (!r->desc.deadline)
		return;
	r->deadline.key = r->desc.deadline;
	r->deadline.seq = c->submitted;
	aif_heap_push(&c->deadlines, &r->deadline);
	local_tend_by(r->desc.deadline);
}

static int submit_one(struct local_client *c, const struct aif_desc *shared,
		      struct local_batch *batch, u64 now)
{
	u32 tag = *(const volatile u32 *)&shared->tag;
	struct local_request *r;
	int err;

	if (tag >= c->depth)
		return -EINVAL;
	r = &c->requests[tag];
	if (r->busy)
		return -EBUSY;
	r->desc = *shared;	/* the only copy that is ever looked at */
	r->desc.tag = tag;
	err = admit(c, r, now);
	if (err)
		return err;
	r->batch = batch;
	queued(c, r, now);
	return 0;
}

/* What was submitted goes on when nobody waits for it any more. */
static void batch_forget(struct local_client *c, const struct local_batch *batch)
{
	u32 tag;

	for (tag = 0; tag < c->depth; tag++) {
		if (c->requests[tag].batch == batch)
			c->requests[tag].batch = NULL;
	}
}

static void batch_wait(struct local_client *c, struct local_batch *batch, u32 refused)
{
	batch->outstanding -= refused;
	while (!batch->fired)
		pthread_cond_wait(&c->changed, &local_lock);
	if (batch->outstanding)
		batch_forget(c, batch);
}

int local_submit(struct local_file *f, struct aif_ioc_submit *arg)
{
	const u32 waits = AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST;
	struct local_client *c = f->client;
	struct local_array *ring = &c->arrays[AIF_ARRAY_DESC];
	struct local_batch batch = {
		.outstanding = arg->count, .first = arg->flags & AIF_SUBMIT_F_WAIT_FIRST,
	};
	struct aif_client_status *status;
	u64 now = local_now();
	int err = 0;
	u32 i;

	if (!c->depth)
		return -ENXIO;
	if (arg->__reserved || arg->flags & ~waits || (arg->flags & waits) == waits ||
	    !arg->count || arg->count > c->depth)
		return -EINVAL;
	for (i = 0; i < arg->count; i++) {
		err = submit_one(c, local_array_at(ring, (arg->first + i) & (ring->count - 1)),
				 arg->flags ? &batch : NULL, now);
		if (err)
			break;
	}
	arg->out_accepted = i;
	if (!i)
		return err;
	status = c->arrays[AIF_ARRAY_CLIENT_STATUS].at;
	c->submitted += i;
	__atomic_store_n(&status->submitted, c->submitted, __ATOMIC_RELAXED);
	if (arg->flags)
		batch_wait(c, &batch, arg->count - i);
	return 0;
}
