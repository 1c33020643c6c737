// SPDX-License-Identifier: MIT
/* Executors: attach, fetch, commit, progress; see kmod/aif_executor.c. */
#include <errno.h>
#include <stdlib.h>

#include "local.h"

#define SLOTS_MAX	1024u
#define EVENTS_EXTRA	64	/* deliveries and commits beside one for each slot */
#define NO_SLOT		UINT32_MAX

/* ---- attach, end ---- */

void local_executor_free(struct local_executor *ex)
{
	int i;

	/* The doorbell is the service's. */
	for (i = 0; i < AIF_ARRAY_EXECUTOR_STATUS; i++)
		local_array_free(&ex->arrays[i]);
	local_table_fini(&ex->views);
	pthread_cond_destroy(&ex->wake);
	local_service_put(ex->service);
	free(ex->slots);
	free(ex);
}

static int executor_alloc(struct local_executor *ex, u32 slots)
{
	struct local_array *a = ex->arrays;
	int err;

	ex->slots = calloc(slots, sizeof(*ex->slots));
	err = ex->slots ? 0 : -ENOMEM;
	if (!err)
		err = local_array_alloc(&a[AIF_ARRAY_SLOT], sizeof(struct aif_slot), slots, false);
	if (!err)
		err = local_array_alloc(&a[AIF_ARRAY_DELIVERY], sizeof(struct aif_delivery),
					slots + EVENTS_EXTRA, false);
	if (!err)
		err = local_array_alloc(&a[AIF_ARRAY_COMMIT], sizeof(struct aif_commit),
					slots + EVENTS_EXTRA, true);
	return err;
}

static void executor_init_slots(struct local_executor *ex, u32 slots)
{
	u32 i;

	ex->slot_count = slots;
	for (i = 0; i < slots; i++) {
		ex->slots[i].generation = 1;
		ex->slots[i].next_free = i + 1 < slots ? i + 1 : NO_SLOT;
	}
}

static struct local_executor *executor_new(struct local_file *f, struct local_service *s,
					   u32 slots)
{
	struct local_executor *ex = calloc(1, sizeof(*ex));

	if (!ex)
		return NULL;
	s->refs++;
	ex->service = s;
	ex->file = f;
	pthread_cond_init(&ex->wake, NULL);
	TAILQ_INIT(&ex->events);
	TAILQ_INIT(&ex->cancels);
	TAILQ_INIT(&ex->lost_requests);
	if (executor_alloc(ex, slots)) {
		local_executor_free(ex);
		return NULL;
	}
	executor_init_slots(ex, slots);
	ex->arrays[AIF_ARRAY_EXECUTOR_STATUS] = s->status;
	return ex;
}

void local_views_drop(struct local_executor *ex)
{
	struct local_view *v;
	u32 i;

	for (i = 1; i <= ex->views.count; i++) {
		v = local_table_get(&ex->views, i);
		if (v)
			local_view_detach(v);
	}
}

/* Join the service, see all its grants. */
static int executor_join(struct local_executor *ex)
{
	struct local_service *s = ex->service;
	struct local_grant *g;
	int err = 0;
	u32 i;

	for (i = 1; i <= s->grants.count && !err; i++) {
		g = local_table_get(&s->grants, i);
		if (g && !g->revoked)
			err = local_view_create(g, ex);
	}
	if (err) {
		local_views_drop(ex);
		return err;
	}
	TAILQ_INSERT_TAIL(&s->executors, ex, node);
	s->executor_count++;
	local_executor_poll(ex);
	local_tend();
	return 0;
}

static int may_attach(const struct local_file *f, const struct local_service *s, int holder_fd)
{
	const struct local_file *holder;

	if (holder_fd < 0)
		return f->euid == s->owner || !f->euid ? 0 : -EACCES;
	holder = local_file_find(holder_fd);
	if (!holder || holder->client)
		return -EBADF;
	return holder->role == AIF_ROLE_HOLDER && holder->service == s ? 0 : -EACCES;
}

int local_executor_attach(struct local_file *f, struct aif_ioc_executor_attach *arg)
{
	struct local_executor *ex;
	struct local_service *s;
	int err;

	if (f->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (arg->flags || arg->__reserved || !arg->slots || arg->slots > SLOTS_MAX ||
	    arg->holder_fd < -1)
		return -EINVAL;
	s = local_service_find(arg->service);
	if (!s)
		return -ENOENT;
	err = may_attach(f, s, arg->holder_fd);
	if (err)
		return err;
	ex = executor_new(f, s, arg->slots);
	if (!ex)
		return -ENOMEM;
	err = executor_join(ex);
	if (err) {
		local_executor_free(ex);
		return err;
	}
	f->executor = ex;
	f->role = AIF_ROLE_EXECUTOR;
	return 0;
}

/* ---- tokens and slots ---- */

void local_executor_release_token(struct local_executor *ex)
{
	if (!ex->token)
		return;
	ex->token = false;
	aif_sched_token_put(&ex->service->device->sched);
	local_device_kick(ex->service->device);
	local_device_poll(ex->service->device);
}

static u32 take_slot(struct local_executor *ex, struct local_request *r)
{
	u32 slot = ex->free_slot;

	ex->free_slot = ex->slots[slot].next_free;
	ex->slots[slot].request = r;
	ex->held++;
	ex->service->fetched++;
	return slot;
}

/* The request leaves its slot; commits that still name it are stale. */
void local_executor_unslot(struct local_request *r)
{
	struct local_executor *ex = r->executor;
	struct local_slot *slot = &ex->slots[r->slot];

	if (r->cancel_queued) {
		r->cancel_queued = false;
		TAILQ_REMOVE(&ex->cancels, r, entry);
	}
	slot->request = NULL;
	slot->generation++;
	slot->next_free = ex->free_slot;
	ex->free_slot = r->slot;
	ex->held--;
	ex->service->fetched--;
	if (!ex->held)
		ex->alone = false;
}

/* ---- FETCH: what is delivered ---- */

struct delivering {
	struct local_executor *ex;
	u32 count;
	u32 capacity;
};

static bool is_full(const struct delivering *out)
{
	return out->count == out->capacity;
}

static struct aif_delivery *deliver(struct delivering *out, u32 type, u32 index)
{
	struct aif_delivery *d;

	d = local_array_at(&out->ex->arrays[AIF_ARRAY_DELIVERY], out->count++);
	*d = (struct aif_delivery){ .type = type, .index = index };
	return d;
}

static void deliver_view(struct delivering *out, struct local_view *v)
{
	const struct local_grant *g = v->grant;
	struct aif_delivery *d;

	if (!v->added) {
		v->added = true;
		d = deliver(out, AIF_EVENT_GRANT_ADDED, g->id);
		d->flags = g->writable ? AIF_DELIVERY_F_WRITE : 0;
		d->offset = (u64)g->id << LOCAL_HANDLE_SHIFT;
		d->length = g->buffer->memory->bytes;
	} else if (v->revoked && !v->told) {
		v->told = true;
		deliver(out, AIF_EVENT_GRANT_REVOKED, g->id);
	}
	if (!v->revoked || v->told) {
		v->queued = false;
		TAILQ_REMOVE(&out->ex->events, v, event);
	}
}

static void deliver_events(struct delivering *out)
{
	struct local_executor *ex = out->ex;
	const struct local_poison *p;
	struct local_request *r;
	struct aif_delivery *d;

	while (!TAILQ_EMPTY(&ex->events) && !is_full(out))
		deliver_view(out, TAILQ_FIRST(&ex->events));
	while (!TAILQ_EMPTY(&ex->cancels) && !is_full(out)) {
		r = TAILQ_FIRST(&ex->cancels);
		r->cancel_queued = false;
		TAILQ_REMOVE(&ex->cancels, r, entry);
		d = deliver(out, AIF_EVENT_CANCELLED, r->slot);
		d->generation = ex->slots[r->slot].generation;
	}
	while (ex->poison_count && !is_full(out)) {
		p = &ex->poison[--ex->poison_count];
		d = deliver(out, AIF_EVENT_POISON, p->tag);
		d->generation = p->generation;
		d->offset = p->client;
	}
}

static bool has_events(const struct local_executor *ex)
{
	return !TAILQ_EMPTY(&ex->events) || !TAILQ_EMPTY(&ex->cancels) || ex->poison_count;
}

static void fill_slot(struct local_executor *ex, const struct local_request *r)
{
	struct aif_slot *s = local_array_at(&ex->arrays[AIF_ARRAY_SLOT], r->slot);
	u32 i;

	*s = (struct aif_slot){
		.generation = ex->slots[r->slot].generation, .attempt = r->attempt,
		.sched_class = r->desc.sched_class, .flags = r->desc.flags,
		.range_count = r->desc.range_count, .inline_length = r->desc.inline_length,
		.tag = r->desc.tag, .client = r->client->id, .tenant = r->client->tenant->id,
		.deadline = r->desc.deadline,
	};
	memcpy(s->ranges, r->desc.ranges, sizeof(s->ranges));
	for (i = 0; i < r->desc.range_count; i++)
		s->ranges[i].grant = r->grants[i]->id;
}

static void deliver_request(struct delivering *out, struct local_request *r, u64 charged, u64 now)
{
	struct aif_completion *done = local_completion(r);
	struct local_executor *ex = out->ex;

	r->state = (u32)aif_req_next(r->state, AIF_REQ_FETCH);
	r->executor = ex;
	r->slot = take_slot(ex, r);
	r->attempt++;
	r->fetched_ns = now;
	r->charged_ns = charged;
	r->measured_ns = 0;
	ex->alone = r->attempt > 1;
	fill_slot(ex, r);
	deliver(out, AIF_DELIVERY_REQUEST, r->slot)->generation = ex->slots[r->slot].generation;
	done->attempt = r->attempt;
	done->fetched_ns = now;
	local_request_show(r);
}

static struct local_request *first_of(const struct aif_sched_lane *lane)
{
	return container_of(aif_heap_first(&lane->requests), struct local_request, node);
}

/* A request that killed an executor travels alone. */
static bool may_deliver(const struct local_executor *ex, const struct local_request *r)
{
	return !ex->alone && (!r->attempt || !ex->held);
}

static void deliver_requests(struct delivering *out, u32 credit, u64 now)
{
	struct local_executor *ex = out->ex;
	struct local_service *s = ex->service;
	const struct aif_sched_queue *rival = local_service_rival(s);
	struct aif_sched_lane *lane, *begun = NULL;
	struct local_request *r;
	u32 first = out->count, i;
	u64 charge;

	while (credit && ex->free_slot != NO_SLOT && !is_full(out)) {
		lane = aif_sched_next(&s->queue);
		if (!lane || (begun && !aif_sched_joins(begun, rival)))
			break;
		r = first_of(lane);
		if (aif_desc_late(&r->desc, now)) {
			local_request_end(r, -ETIME);
			continue;
		}
		if (!may_deliver(ex, r))
			break;
		charge = s->queue.estimate_ns;
		if (begun)
			aif_sched_pop_more(&s->device->sched, lane);
		else
			aif_sched_pop(&s->device->sched, lane);
		begun = begun ?: lane;
		deliver_request(out, r, charge, now);
		credit--;
	}
	if (ex->alone)		/* whoever could not take it can take what follows */
		local_service_wake(s);
	for (i = first; i < out->count; i++) {
		const struct aif_delivery *d;

		d = local_array_at(&ex->arrays[AIF_ARRAY_DELIVERY], i);
		ex->slots[d->index].request->step = out->count - first;
	}
}

/* The next request, with a token and when it is its turn. */
static bool could_take(const struct local_executor *ex, u32 credit)
{
	struct aif_sched_lane *lane = aif_sched_next(&ex->service->queue);

	if (!credit || ex->free_slot == NO_SLOT)
		return false;
	return lane ? may_deliver(ex, first_of(lane)) : !ex->alone;
}

static void join_idle(struct local_executor *ex, bool first)
{
	ex->is_idle = true;
	if (first)
		TAILQ_INSERT_HEAD(&ex->service->idle, ex, idle);
	else
		TAILQ_INSERT_TAIL(&ex->service->idle, ex, idle);
	local_device_kick(ex->service->device);
}

void local_executor_leave_idle(struct local_executor *ex)
{
	if (!ex->is_idle)
		return;
	ex->is_idle = false;
	TAILQ_REMOVE(&ex->service->idle, ex, idle);
}

/* It is here, for what it was woken for or otherwise. */
void local_executor_arrived(struct local_executor *ex)
{
	if (ex->coming)
		ex->service->coming--;
	ex->coming = false;
}

/* Compete for a token like an executor that waits. */
static bool want_token(struct local_executor *ex)
{
	if (ex->token)
		return !ex->held || !local_service_not_its_turn(ex->service);
	join_idle(ex, true);
	local_executor_leave_idle(ex);
	local_executor_arrived(ex);
	return ex->token;
}

/* What there is for this executor now: a count, or why there is nothing. */
static int deliver_now(struct local_executor *ex, u32 credit)
{
	struct local_service *s = ex->service;
	struct delivering out = { .ex = ex, .capacity = ex->arrays[AIF_ARRAY_DELIVERY].count };

	local_executor_arrived(ex);
	if (ex->dead || s->gone)
		return -ENODEV;
	deliver_events(&out);
	if (!is_full(&out) && could_take(ex, credit) && s->queue.queued && want_token(ex)) {
		ex->progress_ns = local_now();
		deliver_requests(&out, credit, ex->progress_ns);
	}
	if (!ex->held)
		local_executor_release_token(ex);
	local_device_poll(s->device);
	if (out.count)
		return (int)out.count;
	if (s->queue.queued && credit)
		return -EBUSY;
	return local_service_drained(s) ? -ESHUTDOWN : -EAGAIN;
}

/* Would a non-blocking FETCH bring something, or say that it is over? */
static bool is_readable(const struct local_executor *ex)
{
	const struct local_service *s = ex->service;
	const struct aif_sched *sched = &s->device->sched;

	return ex->dead || s->gone || has_events(ex) || local_service_drained(s) ||
	       (s->queue.queued && !ex->alone &&
		(ex->token || sched->tokens_used < sched->tokens));
}

void local_executor_poll(struct local_executor *ex)
{
	if (ex->file)
		local_file_signal(ex->file, is_readable(ex));
}

/* ---- FETCH: waiting ---- */

void local_executor_wake(struct local_executor *ex)
{
	local_executor_poll(ex);
	if (!ex->fetching || ex->woken)
		return;
	ex->woken = true;
	local_executor_leave_idle(ex);
	pthread_cond_signal(&ex->wake);
}

/* One that cannot take the next request waits for events, or its own commits. */
static void go_idle(struct local_executor *ex, u32 credit)
{
	struct local_service *s = ex->service;

	ex->woken = false;
	if (could_take(ex, credit)) {
		join_idle(ex, ex->token);	/* which needs no other */
	} else if (credit) {
		s->passed_over = true;
		local_device_kick(s->device);	/* it may have come for what another can do */
	}
}

static int fetch_wait(struct local_executor *ex, u32 credit)
{
	int ret;

	ex->fetching = true;
	do {
		go_idle(ex, credit);
		while (!ex->woken)
			pthread_cond_wait(&ex->wake, &local_lock);
		ret = deliver_now(ex, credit);
	} while (ret == -EAGAIN || ret == -EBUSY);
	ex->fetching = false;
	if (!ex->held)
		local_executor_release_token(ex);
	return ret;
}

static int fetch(struct local_executor *ex, u32 credit, bool nonblock)
{
	int ret;

	if (ex->fetching)
		return -EALREADY;
	ret = deliver_now(ex, credit);
	if (!nonblock && (ret == -EAGAIN || ret == -EBUSY))
		return fetch_wait(ex, credit);
	if (ret == -EBUSY && could_take(ex, credit))
		local_service_claim(ex->service);
	return ret;
}

/* ---- COMMIT, PROGRESS ---- */

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* What it took so far, with @device_ns more: never longer than it was out. */
static u64 measured(const struct local_request *r, u64 device_ns, u64 now)
{
	u64 elapsed = now - r->fetched_ns;

	return least(r->measured_ns + least(device_ns, elapsed), elapsed);
}

/* Device time is what the executor says; if it says nothing, its part of the step. */
static void commit_account(struct local_request *r, u64 device_ns, u64 now)
{
	u64 took = measured(r, device_ns, now);
	u64 part = (now - r->fetched_ns) / r->step;

	if (!device_ns && took < part)
		took = part;
	local_request_took(r, took);
	aif_sched_account(local_request_lane(r), r->charged_ns, r->measured_ns, true);
	local_completion(r)->device_ns = r->measured_ns;
}

static bool commit_result(struct local_executor *ex, const struct aif_commit *c, u64 now)
{
	struct local_slot *slot = c->index < ex->slot_count ? &ex->slots[c->index] : NULL;
	struct local_request *r = slot ? slot->request : NULL;
	u32 produced;

	if (!r || slot->generation != c->generation || c->__reserved)
		return false;
	commit_account(r, c->device_ns, now);
	local_executor_unslot(r);
	ex->progress_ns = now;
	if (r->state == AIF_STATE_FETCHED && aif_desc_late(&r->desc, now)) {
		local_request_answer(r, -ETIME, 0, AIF_REQ_COMMIT);
	} else if (r->state == AIF_STATE_FETCHED) {
		produced = (u32)least(c->produced, local_request_output_length(r));
		local_request_answer(r, c->result, produced, AIF_REQ_COMMIT);
	} else {
		r->state = (u32)aif_req_next(r->state, AIF_REQ_COMMIT);
		local_request_quiet(r);
	}
	return true;
}

static bool commit_ack(struct local_executor *ex, u32 id)
{
	struct local_view *v = local_table_get(&ex->views, id);

	if (!v || !v->told)
		return false;
	local_view_detach(v);
	return true;
}

static int commit(struct local_executor *ex, u32 first, u32 count, u32 *stale)
{
	const struct local_array *ring = &ex->arrays[AIF_ARRAY_COMMIT];
	u64 now = local_now();
	struct aif_commit c;
	bool good;
	u32 i;

	if (count > ring->count)
		return -EINVAL;
	if (ex->dead) {
		*stale = count;
		return -ENODEV;
	}
	for (i = 0; i < count; i++) {
		c = *(struct aif_commit *)local_array_at(ring, (first + i) % ring->count);
		if (c.type == AIF_COMMIT_RESULT)
			good = commit_result(ex, &c, now);
		else
			good = c.type == AIF_COMMIT_GRANT_ACK && commit_ack(ex, c.index);
		*stale += !good;
	}
	if (!ex->held)
		local_executor_release_token(ex);
	if (!ex->is_idle)
		local_executor_wake(ex);	/* it could take more now */
	return 0;
}

int local_commit_fetch(struct local_file *f, struct aif_ioc_commit_fetch *arg)
{
	struct local_executor *ex = f->executor;
	int ret = 0;

	arg->out_count = 0;
	arg->out_stale = 0;
	if (arg->__reserved || arg->flags & ~(AIF_FETCH_F_NONBLOCK | AIF_FETCH_F_COMMIT_ONLY) ||
	    arg->credit > ex->slot_count || (arg->credit && arg->flags & AIF_FETCH_F_COMMIT_ONLY))
		return -EINVAL;
	if (arg->commit_count)
		ret = commit(ex, arg->commit_first, arg->commit_count, &arg->out_stale);
	if (ret || arg->flags & AIF_FETCH_F_COMMIT_ONLY)
		return ret;
	ret = fetch(ex, arg->credit, arg->flags & AIF_FETCH_F_NONBLOCK);
	if (ret < 0)
		return ret;
	arg->out_count = (u32)ret;
	return 0;
}

static void publish(struct local_request *r, u32 produced)
{
	struct aif_completion *done = local_completion(r);

	done->device_ns = r->measured_ns;
	if (produced <= r->produced || aif_req_answered(r->state))
		return;
	r->produced = produced;
	__atomic_store_n(&done->produced, produced, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&r->client->changed);
}

int local_progress(struct local_file *f, struct aif_ioc_progress *arg)
{
	struct local_executor *ex = f->executor;
	struct local_request *r;
	u64 now = local_now();
	u32 produced;

	if (arg->__reserved)
		return -EINVAL;
	if (ex->dead)
		return -ENODEV;
	r = arg->slot < ex->slot_count ? ex->slots[arg->slot].request : NULL;
	if (!r || ex->slots[arg->slot].generation != arg->generation)
		return -ESTALE;
	produced = (u32)least(arg->produced, local_request_output_length(r));
	ex->progress_ns = now;
	local_request_took(r, measured(r, arg->device_ns, now));
	r->charged_ns = aif_sched_account(local_request_lane(r), r->charged_ns, r->measured_ns,
					  false);
	arg->out_cancelled = aif_req_answered(r->state) || aif_desc_late(&r->desc, now);
	publish(r, arg->out_cancelled ? 0 : produced);
	return 0;
}
