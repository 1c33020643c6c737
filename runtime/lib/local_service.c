// SPDX-License-Identifier: MIT
/* Tenants, devices and services: who is there, and who goes next. */
#include <errno.h>
#include <stdlib.h>

#include "local.h"

#define WEIGHT_DEFAULT	100
#define CLAIM_NS	1000000u	/* how long being told -EBUSY counts */

static TAILQ_HEAD(, local_tenant) tenants = TAILQ_HEAD_INITIALIZER(tenants);
static TAILQ_HEAD(, local_device) devices = TAILQ_HEAD_INITIALIZER(devices);
static u32 last_service_id;
static u32 service_count;

/* ---- tenants ---- */

struct local_tenant *local_tenant_get(u64 id)
{
	struct local_tenant *t;

	TAILQ_FOREACH(t, &tenants, node) {
		if (t->id == id) {
			t->refs++;
			return t;
		}
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->id = id;
	t->refs = 1;
	TAILQ_INSERT_TAIL(&tenants, t, node);
	return t;
}

void local_tenant_put(struct local_tenant *t)
{
	if (--t->refs)
		return;
	TAILQ_REMOVE(&tenants, t, node);
	free(t);
}

/* ---- devices ---- */

static struct local_device *device_get(const char *name)
{
	struct local_device *d;

	TAILQ_FOREACH(d, &devices, node) {
		if (!strcmp(d->name, name)) {
			d->refs++;
			return d;
		}
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	strcpy(d->name, name);
	d->refs = 1;
	TAILQ_INIT(&d->services);
	TAILQ_INIT(&d->shares);
	aif_sched_init(&d->sched, 1, libaif_local_limits.device_requests);
	TAILQ_INSERT_TAIL(&devices, d, node);
	return d;
}

/* As many tokens as the most demanding of its services asked for. */
static void device_count_tokens(struct local_device *d)
{
	struct local_service *s;

	d->sched.tokens = 1;
	TAILQ_FOREACH(s, &d->services, of_device) {
		if (s->desc.step_tokens > d->sched.tokens)
			d->sched.tokens = s->desc.step_tokens;
	}
	local_device_kick(d);
}

/* More work than executors on their way to it, and somebody else to do it. */
static bool service_is_ready(const struct local_service *s)
{
	return s->queue.queued > s->coming && !TAILQ_EMPTY(&s->idle);
}

/* The service that goes next of all that an executor waits for, not @but, or NULL. */
static struct local_service *device_best(const struct local_device *d,
					 const struct local_service *but)
{
	struct local_service *s, *best = NULL;

	TAILQ_FOREACH(s, &d->services, of_device) {
		if (s != but && service_is_ready(s) &&
		    (!best || aif_sched_before(&s->queue, &best->queue)))
			best = s;
	}
	return best;
}

/* What goes next of the other services that an executor waits for, or NULL. */
const struct aif_sched_queue *local_service_rival(const struct local_service *s)
{
	const struct local_service *best = device_best(s->device, s);

	return best ? &best->queue : NULL;
}

/* An executor that does not wait was told -EBUSY: its service has a claim for a moment. */
void local_service_claim(struct local_service *s)
{
	s->claim_ns = local_now();
}

static bool claimed_before(const struct local_device *d, const struct local_service *s)
{
	const struct local_service *other;
	u64 now = local_now();

	TAILQ_FOREACH(other, &d->services, of_device) {
		if (other != s && other->queue.queued && other->claim_ns &&
		    now - other->claim_ns <= CLAIM_NS &&
		    aif_sched_before(&other->queue, &s->queue))
			return true;
	}
	return false;
}

/* Does another service whose executor waits, or asked just now, go first? */
bool local_service_not_its_turn(const struct local_service *s)
{
	const struct aif_sched_queue *rival = local_service_rival(s);

	if (rival && aif_sched_before(rival, &s->queue))
		return true;
	return claimed_before(s->device, s);
}

/*
 * Hand free tokens to idle executors, best claim first.  One that waits for more
 * while it holds requests has its token already.
 */
void local_device_kick(struct local_device *d)
{
	struct local_executor *ex;
	struct local_service *s;

	while ((s = device_best(d, NULL)) && !claimed_before(d, s)) {
		ex = TAILQ_FIRST(&s->idle);
		if (!ex->token && !aif_sched_token_get(&d->sched))
			return;
		ex->token = true;
		ex->coming = true;
		s->coming++;
		local_executor_leave_idle(ex);
		local_executor_wake(ex);
	}
}

/* What was queued was taken, or a token went or came: files are readable or not. */
void local_device_poll(struct local_device *d)
{
	struct local_service *s;
	struct local_executor *ex;

	TAILQ_FOREACH(s, &d->services, of_device) {
		TAILQ_FOREACH(ex, &s->executors, node)
			local_executor_poll(ex);
	}
}

/* ---- tenants on a device, tenants at a service ---- */

static struct local_share *share_get(struct local_device *d, struct local_tenant *t)
{
	struct local_share *sh;
	int i;

	TAILQ_FOREACH(sh, &d->shares, node) {
		if (sh->tenant == t) {
			sh->users++;
			return sh;
		}
	}
	sh = calloc(1, sizeof(*sh));
	if (!sh)
		return NULL;
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		sh->clocks[i].weight = WEIGHT_DEFAULT;
	t->refs++;
	sh->tenant = t;
	sh->users = 1;
	TAILQ_INSERT_TAIL(&d->shares, sh, node);
	return sh;
}

static void share_free(struct local_device *d, struct local_share *sh)
{
	TAILQ_REMOVE(&d->shares, sh, node);
	local_tenant_put(sh->tenant);
	free(sh);
}

/* Does the tenant owe device time?  Then closing its files does not forgive it. */
static bool share_in_debt(const struct local_device *d, const struct local_share *sh)
{
	int i;

	for (i = 0; i < AIF_CLASS_COUNT; i++) {
		if (sh->clocks[i].vruntime > d->sched.vtime[i])
			return true;
	}
	return false;
}

static void share_put(struct local_device *d, struct local_share *sh)
{
	struct local_share *next;

	sh->users--;
	for (sh = TAILQ_FIRST(&d->shares); sh; sh = next) {
		next = TAILQ_NEXT(sh, node);
		if (!sh->users && !share_in_debt(d, sh))
			share_free(d, sh);
	}
}

static struct local_member *member_new(struct local_service *s, struct local_tenant *t)
{
	struct local_member *m = calloc(1, sizeof(*m));
	u8 i;

	if (!m)
		return NULL;
	m->share = share_get(s->device, t);
	if (!m->share) {
		free(m);
		return NULL;
	}
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		aif_sched_lane_init(&m->lanes[i], &s->queue, &m->share->clocks[i], i);
	TAILQ_INSERT_TAIL(&s->members, m, node);
	return m;
}

static void member_free(struct local_service *s, struct local_member *m)
{
	int i;

	for (i = 0; i < AIF_CLASS_COUNT; i++) {
		aif_sched_lane_fini(&m->lanes[i]);
		free(m->lanes[i].requests.slots);
	}
	TAILQ_REMOVE(&s->members, m, node);
	share_put(s->device, m->share);
	free(m);
}

static int heap_reserve(struct aif_heap *h, u32 capacity)
{
	struct aif_heap_node **slots;

	if (capacity <= h->capacity)
		return 0;
	slots = calloc(capacity, sizeof(struct aif_heap_node *));
	if (!slots)
		return -ENOMEM;
	free(aif_heap_grow(h, slots, capacity));
	return 0;
}

/* Room for one more client's requests, and for every member's lane. */
static int member_reserve(struct local_service *s, struct local_member *m, u32 depth)
{
	const struct local_member *other;
	u32 members = 0;
	int err = 0, i;

	TAILQ_FOREACH(other, &s->members, node)
		members++;
	for (i = 0; i < AIF_CLASS_COUNT && !err; i++) {
		err = heap_reserve(&m->lanes[i].requests, m->capacity + depth);
		if (!err)
			err = heap_reserve(&s->queue.lanes[i], members);
	}
	if (!err)
		m->capacity += depth;
	return err;
}

struct local_member *local_member_get(struct local_service *s, struct local_tenant *t, u32 depth)
{
	struct local_member *m;

	TAILQ_FOREACH(m, &s->members, node) {
		if (m->share->tenant == t)
			break;
	}
	if (!m)
		m = member_new(s, t);
	if (m && member_reserve(s, m, depth)) {
		if (!m->users)
			member_free(s, m);
		return NULL;
	}
	if (m)
		m->users++;
	return m;
}

void local_member_put(struct local_service *s, struct local_member *m, u32 depth)
{
	m->capacity -= depth;
	if (!--m->users)
		member_free(s, m);
}

static void device_put(struct local_device *d)
{
	if (--d->refs)
		return;
	while (!TAILQ_EMPTY(&d->shares))
		share_free(d, TAILQ_FIRST(&d->shares));
	TAILQ_REMOVE(&devices, d, node);
	free(d);
}

/* ---- services ---- */

struct local_service *local_service_find(u32 id)
{
	struct local_device *d;
	struct local_service *s;

	TAILQ_FOREACH(d, &devices, node) {
		TAILQ_FOREACH(s, &d->services, of_device) {
			if (s->id == id)
				return s;
		}
	}
	return NULL;
}

struct local_service *local_service_find_name(const char *name, u32 owner)
{
	struct local_device *d;
	struct local_service *s;

	TAILQ_FOREACH(d, &devices, node) {
		TAILQ_FOREACH(s, &d->services, of_device) {
			if (s->owner == owner && !strcmp(s->desc.name, name))
				return s;
		}
	}
	return NULL;
}

void local_service_put(struct local_service *s)
{
	int i;

	if (--s->refs)
		return;
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		free(s->queue.lanes[i].slots);
	local_table_fini(&s->grants);
	local_array_free(&s->status);
	if (s->device)
		device_put(s->device);
	free(s->text);
	free(s);
}

static int service_text(struct local_service *s, const struct aif_ioc_service_create *arg)
{
	const char *text = (const char *)(uintptr_t)arg->text;

	if (!arg->text_length)
		return 0;
	s->text = strndup(text, arg->text_length);
	if (!s->text)
		return -ENOMEM;
	s->text_length = arg->text_length;
	return strlen(s->text) == s->text_length ? 0 : -EINVAL;
}

static struct local_service *service_new(const struct local_file *f,
					 const struct aif_ioc_service_create *arg)
{
	struct local_service *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->owner = f->euid;
	s->desc = arg->desc;
	TAILQ_INIT(&s->members);
	TAILQ_INIT(&s->executors);
	TAILQ_INIT(&s->lost);
	TAILQ_INIT(&s->idle);
	aif_sched_queue_init(&s->queue);
	return s;
}

static int service_publish(struct local_service *s)
{
	if (local_service_find_name(s->desc.name, s->owner))
		return -EEXIST;
	if (service_count >= libaif_local_limits.max_services)
		return -ENOSPC;
	s->device = device_get(s->desc.device);
	if (!s->device)
		return -ENOMEM;
	s->id = ++last_service_id;
	service_count++;
	TAILQ_INSERT_TAIL(&s->device->services, s, of_device);
	device_count_tokens(s->device);
	return 0;
}

int local_service_create(struct local_file *f, struct aif_ioc_service_create *arg)
{
	struct local_service *s;
	int err;

	if (f->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (arg->__reserved || arg->text_length > AIF_TEXT_MAX)
		return -EINVAL;
	err = aif_service_desc_check(&arg->desc);
	if (err)
		return err;
	s = service_new(f, arg);
	if (!s)
		return -ENOMEM;
	err = service_text(s, arg);
	if (!err)
		err = local_array_alloc(&s->status, sizeof(struct aif_executor_status), 1, false);
	if (!err)
		err = service_publish(s);
	if (err) {
		local_service_put(s);
		return err;
	}
	arg->out_id = s->id;
	f->service = s;
	f->role = AIF_ROLE_HOLDER;
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

/* All are gathered before they are sorted: the lowest ids are the ones that fit. */
int local_service_list(struct local_file *f, struct aif_ioc_service_list *arg)
{
	u32 *ids, room, n = 0;
	struct local_device *d;
	struct local_service *s;

	if (arg->__reserved)
		return -EINVAL;
	ids = calloc(service_count + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	TAILQ_FOREACH(d, &devices, node) {
		TAILQ_FOREACH(s, &d->services, of_device)
			ids[n++] = s->id;
	}
	qsort(ids, n, sizeof(*ids), compare_ids);
	room = n < arg->capacity ? n : arg->capacity;
	if (room)
		memcpy((void *)(uintptr_t)arg->ids, ids, room * sizeof(*ids));
	arg->out_count = n;
	free(ids);
	return 0;
}

int local_service_describe(struct local_file *f, struct aif_ioc_service_describe *arg)
{
	const struct local_service *s = local_service_find(arg->id);
	u32 room;

	if (!s)
		return -ENOENT;
	arg->out_text_length = s->text_length;
	arg->out_owner = s->owner;
	arg->out_executors = s->executor_count;
	arg->out_queued = s->queue.queued;
	arg->out_fetched = s->fetched;
	arg->out_draining = s->draining;
	arg->out_grants = s->grant_count;
	arg->out_granted_bytes = s->granted_bytes;
	arg->out_answered = s->answered_total;
	arg->out_recovered = s->recovered_total;
	arg->out_device_ns = s->device_ns;
	arg->out_desc = s->desc;
	room = arg->text_capacity < s->text_length ? arg->text_capacity : s->text_length;
	if (room)
		memcpy((void *)(uintptr_t)arg->text, s->text, room);
	return 0;
}

/*
 * One request more is queued.  Whoever is woken takes the lock first, so that what
 * else is submitted under it joins.
 */
void local_service_queued(struct local_service *s)
{
	struct aif_executor_status *bell = s->status.at;
	struct local_executor *ex;

	s->queued_total++;
	__atomic_store_n(&bell->queued, s->queued_total, __ATOMIC_RELEASE);
	local_service_look_again(s);
	local_device_kick(s->device);
	TAILQ_FOREACH(ex, &s->executors, node)
		local_executor_poll(ex);
}

void local_service_wake(struct local_service *s)
{
	struct local_executor *ex;

	TAILQ_FOREACH(ex, &s->executors, node)
		local_executor_wake(ex);
}

/* There is another first request, maybe. */
void local_service_look_again(struct local_service *s)
{
	if (!s->passed_over)
		return;
	s->passed_over = false;
	local_service_wake(s);
}

/* Told to drain, and nothing is left that an executor could do or give back. */
bool local_service_drained(const struct local_service *s)
{
	return s->draining && !s->queue.queued && !s->fetched && !s->recovering;
}

void local_service_check_drained(struct local_service *s)
{
	if (local_service_drained(s))
		local_service_wake(s);
}

int local_service_drain(struct local_file *f, struct aif_ioc_service_drain *arg)
{
	if (arg->__reserved)
		return -EINVAL;
	f->service->draining = true;
	local_service_wake(f->service);
	return 0;
}

/* The holder's file is closed: what is queued is answered, executors are told. */
void local_service_close(struct local_service *s)
{
	struct aif_sched_lane *lane;

	s->gone = true;
	service_count--;
	TAILQ_REMOVE(&s->device->services, s, of_device);
	device_count_tokens(s->device);
	local_service_wake(s);
	while ((lane = aif_sched_next(&s->queue)))
		local_request_answer(container_of(aif_heap_first(&lane->requests),
						  struct local_request, node),
				     -ENODEV, 0, AIF_REQ_ANSWER);
	local_service_put(s);
	local_tend();
}
