// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "report.h"
#include "world.h"

struct world w;

#define ROOM	80u	/* of each kind of object, before an operation */

bool world_has_room(void)
{
	return w.file_count + ROOM < MAX_FILES && w.fd_count + ROOM < MAX_FDS &&
	       w.map_count + ROOM < MAX_MAPS && w.buffer_count + 4 < MAX_BUFFERS &&
	       w.grant_count + 4 < MAX_GRANTS && w.view_count + ROOM < MAX_VIEWS &&
	       w.service_count + 4 < MAX_SERVICES && w.executor_count + 4 < MAX_EXECUTORS &&
	       w.client_count + 4 < MAX_CLIENTS && w.wait_count + 4 < MAX_WAITS;
}

/*
 * Who was told -EBUSY claims the next turn for a moment.  Where it does not come,
 * whoever had to let it go first is woken by the watchdog: within these steps.
 */
#define CLAIM_STEPS	100u

void world_step(void)
{
	w.step++;
	w.doubt.late_wakeups = w.claim_step && w.step - w.claim_step < CLAIM_STEPS ? UINT32_MAX : 0;
}

/* ---- requests ---- */

bool request_busy(const struct w_request *r)
{
	return r->state != AIF_STATE_FREE && r->state != AIF_STATE_DONE;
}

bool request_answered(const struct w_request *r)
{
	return r->state == AIF_STATE_DONE || r->state == AIF_STATE_ORPHANED;
}

bool request_overdue(const struct w_request *r)
{
	return request_busy(r) && !request_answered(r) && r->desc.deadline &&
	       r->desc.deadline < raw_now();
}

static bool range_is_output(const struct w_request *r, uint32_t i)
{
	uint32_t io = i + (r->desc.inline_length ? 1 : 0);

	return r->service->desc.io[io].flags & AIF_IO_F_OUTPUT;
}

uint32_t request_output(const struct w_request *r)
{
	uint32_t i;

	for (i = 0; i < r->desc.range_count; i++)
		if (range_is_output(r, i))
			return r->desc.ranges[i].length;
	return 0;
}

static void request_answer(struct w_request *r, int result, uint32_t state)
{
	r->state = state;
	r->result = result;
	r->client->answered++;
	r->service->answered++;
	w.tally.answered++;
}

bool request_end(struct w_request *r, int result)
{
	if (!request_busy(r) || request_answered(r))
		return false;
	r->ended_step = w.step;
	r->ended_in = r->state;
	r->again = r->state == AIF_STATE_RECOVERING;
	request_answer(r, result, r->state == AIF_STATE_QUEUED ? AIF_STATE_DONE :
								 AIF_STATE_ORPHANED);
	return true;
}

static bool request_uses(const struct w_request *r, const struct w_grant *g)
{
	uint32_t i;

	for (i = 0; request_busy(r) && i < r->desc.range_count; i++)
		if (r->grants[i] == g)
			return true;
	return false;
}

#define EACH_TAG(r, c) (r = (c)->tags; r < (c)->tags + (c)->depth; r++)

/* Run @body for each request @r of the world that is in flight. */
#define EACH_BUSY(c, r, body) do {			\
	for EACH(c, client)				\
		for EACH_TAG(r, c)			\
			if (request_busy(r)) {		\
				body			\
			}				\
} while (0)

/* ---- pins ---- */

static bool grant_used(const struct w_grant *g);

static uint32_t pins_on(const struct w_buffer *b, uint32_t page)
{
	uint32_t i, n = 0;

	for (i = 0; i < MAX_ACTORS; i++)
		n += w.actors[i].pinned == b && w.actors[i].pinned_page == page;
	return n;
}

static uint32_t pins_declared(const struct w_service *s, const struct w_buffer *b)
{
	const struct w_buffer *memory = b->of ? b->of : b;
	uint32_t n = b->declared;
	const struct w_view *v;

	for EACH(v, view)
		if (v->attached && !v->dead && v->grant->service == s &&
		    memory_of(v->grant->buffer) == memory && grant_used(v->grant))
			n += v->pins;
	return n;
}

static bool range_quiet(const struct w_request *r, uint32_t i)
{
	const struct aif_range *range = &r->desc.ranges[i];
	struct w_buffer *b = r->grants[i]->buffer;
	uint32_t page, pins;

	if (!range_is_output(r, i) || !range->length)
		return true;
	for (page = range->offset / PAGE; page <= (range->offset + range->length - 1) / PAGE; page++) {
		pins = pins_on(memory_of(b), page);
		if (pins && pins > pins_declared(r->service, b))
			return false;
	}
	return true;
}

static bool request_quiet(const struct w_request *r)
{
	uint32_t i;

	for (i = 0; i < r->desc.range_count; i++)
		if (!range_quiet(r, i))
			return false;
	return true;
}

/* ---- files ---- */

struct w_file *file_new(enum aif_role role, uid_t uid)
{
	struct w_file *f = &w.files[w.file_count++];

	f->role = role;
	f->uid = uid;
	if (role == AIF_ROLE_CLIENT) {
		f->client = &w.clients[w.client_count++];
		f->client->file = f;
		f->client->tenant = w.limits.tenant_by_uid ? uid : 0;
	}
	return f;
}

struct w_fd *fd_new(struct w_actor *a, struct w_file *f, long fd, bool cloexec)
{
	struct w_fd *d = &w.fds[w.fd_count++];

	*d = (struct w_fd){ .actor = a, .file = f, .fd = (int)fd, .cloexec = cloexec };
	f->refs++;
	return d;
}

struct w_map *map_new(struct w_actor *a, struct w_file *f, long at, uint32_t pages)
{
	struct w_map *m = &w.maps[w.map_count++];

	*m = (struct w_map){
		.actor = a, .file = f, .array = -1, .at = (uint64_t)at, .pages = pages,
		.readable = true,
	};
	f->refs++;
	return m;
}

static void client_released(struct w_client *c)
{
	struct w_buffer *b;
	struct w_request *r;
	struct w_grant *g;

	for EACH_TAG(r, c)
		request_end(r, -ECANCELED);
	for EACH(g, grant)
		if (g->client == c && !g->revoked)
			grant_revoke(g);
	for EACH(b, buffer) {
		if (b->client != c || b->freed)
			continue;
		b->freed = true;
		b->declared = 0;
	}
}

static void service_released(struct w_service *s)
{
	struct w_client *c;
	struct w_request *r;

	s->gone = true;
	s->gone_step = w.step;
	EACH_BUSY(c, r, {
		if (r->service == s && r->state != AIF_STATE_FETCHED)
			request_end(r, -ENODEV);
	});
}

static void executor_dies(struct w_executor *ex);

void file_put(struct w_file *f)
{
	if (--f->refs)
		return;
	if (f->client)
		client_released(f->client);
	if (f->service)
		service_released(f->service);
	if (f->executor)
		executor_dies(f->executor);
}

void fd_close(struct w_fd *fd)
{
	fd->actor = NULL;
	file_put(fd->file);
}

void map_close(struct w_map *m)
{
	m->actor = NULL;
	file_put(m->file);
}

struct w_map *map_of_array(const struct w_file *f, enum aif_array_kind kind)
{
	struct w_map *m;

	for EACH(m, map)
		if (m->actor && m->file == f && m->array == (int)kind && m->own)
			return m;
	return NULL;
}

struct w_map *map_of_view(const struct w_view *v)
{
	struct w_map *m;

	for EACH(m, map)
		if (m->actor && m->view == v)
			return m;
	return NULL;
}

/* ---- actors ---- */

void actor_loses_ring(struct w_actor *a)
{
	struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor == a && wait->number)
			wait_end(wait);
	a->ring = false;
}

/* What it has of files of one role, where its memory goes. */
static void actor_loses_files(struct w_actor *a, enum aif_role role, bool cloexec_only)
{
	struct w_wait *wait;
	struct w_map *m;
	struct w_fd *fd;

	for EACH(wait, wait)
		if (wait->actor == a && wait->file->role == role)
			wait_end(wait);
	for EACH(m, map)
		if (m->actor == a && m->file->role == role)
			map_close(m);
	for EACH(fd, fd)
		if (fd->actor == a && fd->file->role == role && (fd->cloexec || !cloexec_only))
			fd_close(fd);
}

/* Its memory goes, and with it its rings and the executors that it was. */
static void actor_loses_all(struct w_actor *a, bool cloexec_only)
{
	struct w_executor *ex;
	struct w_client *c;

	for EACH(c, client)
		if (c->event_actor == a)
			c->event_actor = NULL;
	a->ring = false;
	a->pinned = NULL;
	a->has_pin = false;
	actor_loses_files(a, AIF_ROLE_CLIENT, cloexec_only);
	actor_loses_files(a, AIF_ROLE_HOLDER, cloexec_only);
	for EACH(ex, executor)
		if (ex->actor == a)
			executor_dies(ex);
	actor_loses_files(a, AIF_ROLE_EXECUTOR, cloexec_only);
	actor_loses_files(a, AIF_ROLE_SERVE, cloexec_only);
}

void actor_dies(struct w_actor *a)
{
	a->alive = false;
	actor_loses_all(a, false);
}

void actor_execs(struct w_actor *a)
{
	a->mm++;
	actor_loses_all(a, true);
}

void actor_forks(struct w_actor *parent, struct w_actor *child)
{
	uint32_t i, fds = w.fd_count, maps = w.map_count;
	struct w_map *m, *copy;

	for (i = 0; i < fds; i++)
		if (w.fds[i].actor == parent)
			fd_new(child, w.fds[i].file, w.fds[i].fd, w.fds[i].cloexec);
	for (i = 0; i < maps; i++) {
		m = &w.maps[i];
		if (m->actor != parent || !m->inherited)
			continue;
		copy = map_new(child, m->file, (long)m->at, m->pages);
		*copy = *m;
		copy->actor = child;
	}
}

/* ---- clients ---- */

static bool grant_handled(const struct w_grant *g)
{
	return !g->revoked;
}

static bool view_alive(const struct w_view *v)
{
	return v->attached || map_of_view(v);
}

/* Its client has it, or a request uses it: it keeps the buffer. */
static bool grant_used(const struct w_grant *g)
{
	struct w_client *c = g->client;
	struct w_request *r;

	if (grant_handled(g))
		return true;
	for EACH_TAG(r, c)
		if (request_uses(r, g))
			return true;
	return false;
}

/* Executors that have not acknowledged keep the grant, but not its buffer. */
static bool grant_alive(const struct w_grant *g)
{
	const struct w_view *v;

	for EACH(v, view)
		if (v->grant == g && view_alive(v))
			return true;
	return grant_used(g);
}

/* Of one that has memory of its own: is that there? */
static bool memory_alive(const struct w_buffer *b)
{
	struct w_buffer *handle;
	const struct w_grant *g;
	const struct w_map *m;
	uint32_t page;

	if (b->of)
		return false;
	for EACH(handle, buffer)
		if (memory_of(handle) == b && !handle->freed)
			return true;
	for EACH(g, grant)
		if (memory_of(g->buffer) == b && grant_used(g))
			return true;
	for EACH(m, map)
		if (m->actor && m->buffer && memory_of(m->buffer) == b && !m->view)
			return true;
	for (page = 0; page < b->pages; page++)
		if (pins_on(b, page))
			return true;
	return false;
}

bool buffer_granted(const struct w_buffer *b)
{
	const struct w_grant *g;

	for EACH(g, grant)
		if (g->buffer == b && grant_handled(g))
			return true;
	return false;
}

struct w_tenant *tenant_of(uid_t uid)
{
	struct w_tenant *t;

	for EACH(t, tenant)
		if (t->uid == uid)
			return t;
	if (w.tenant_count == MAX_TENANTS)
		fail("tenant %u is one too many", uid);
	w.tenant_count++;
	*t = (struct w_tenant){
		.uid = uid,
		.limits = { .alloc_bytes = w.limits.tenant_bytes,
			    .pinned_bytes = w.limits.tenant_pinned,
			    .requests = w.limits.tenant_requests, .weight = 100 },
	};
	return t;
}

uint64_t tenant_bytes(uid_t tenant)
{
	const struct w_buffer *b;
	uint64_t n = 0;

	for EACH(b, buffer)
		if (b->client->tenant == tenant && !b->pinned && memory_alive(b))
			n += b->pages * PAGE;
	return n;
}

uint64_t tenant_pinned(uid_t tenant)
{
	const struct w_buffer *b;
	uint64_t n = 0;

	for EACH(b, buffer)
		if (b->client->tenant == tenant && b->pinned && memory_alive(b))
			n += b->pages * PAGE;
	return n;
}

uint32_t client_busy(const struct w_client *c)
{
	const struct w_request *r;
	uint32_t n = 0;

	for EACH_TAG(r, c)
		n += request_busy(r);
	return n;
}

uint32_t tenant_requests(uid_t tenant)
{
	const struct w_client *c;
	uint32_t n = 0;

	for EACH(c, client)
		if (c->tenant == tenant)
			n += client_busy(c);
	return n;
}

uint64_t service_bytes(const struct w_service *s)
{
	const struct w_grant *g;
	uint64_t n = 0;

	for EACH(g, grant)
		if (g->service == s && grant_alive(g))
			n += g->buffer->pages * PAGE;
	return n;
}

uint32_t client_buffers(const struct w_client *c)
{
	const struct w_buffer *b;
	uint32_t n = 0;

	for EACH(b, buffer)
		n += b->client == c && !b->freed;
	return n;
}

uint32_t client_grants(const struct w_client *c)
{
	const struct w_grant *g;
	uint32_t n = 0;

	for EACH(g, grant)
		n += g->client == c && grant_handled(g);
	return n;
}

bool client_alive(const struct w_client *c)
{
	return c->file->refs || client_busy(c);
}

struct w_service *client_open_of(const struct w_client *c, uint32_t handle)
{
	uint32_t i;

	for (i = 0; i < c->open_count; i++)
		if (c->opens[i].handle == handle)
			return c->opens[i].service;
	return NULL;
}

struct w_buffer *buffer_find(const struct w_client *c, uint32_t handle)
{
	struct w_buffer *b;

	for EACH(b, buffer)
		if (b->client == c && b->handle == handle && !b->freed)
			return b;
	return NULL;
}

struct w_grant *grant_find(const struct w_client *c, uint32_t handle)
{
	struct w_grant *g;

	for EACH(g, grant)
		if (g->client == c && g->handle == handle && grant_handled(g))
			return g;
	return NULL;
}

static uint32_t grant_free_id(const struct w_service *s)
{
	const struct w_grant *g;
	uint32_t id = 1;

again:
	for EACH(g, grant) {
		if (g->service == s && g->id == id && grant_alive(g)) {
			id++;
			goto again;
		}
	}
	return id;
}

static void view_new(struct w_grant *g, struct w_executor *ex)
{
	w.views[w.view_count++] = (struct w_view){ .grant = g, .executor = ex, .attached = true };
}

struct w_grant *grant_new(struct w_buffer *b, struct w_service *s, uint32_t handle, bool writable)
{
	uint32_t id = grant_free_id(s);
	struct w_grant *g = &w.grants[w.grant_count++];
	struct w_executor *ex;

	*g = (struct w_grant){
		.client = b->client, .buffer = b, .service = s, .handle = handle, .id = id,
		.writable = writable,
	};
	for EACH(ex, executor)
		if (ex->service == s && !ex->dead)
			view_new(g, ex);
	return g;
}

void grant_revoke(struct w_grant *g)
{
	struct w_client *c = g->client;
	struct w_request *r;
	struct w_view *v;

	g->revoked = true;
	for EACH(v, view) {
		if (v->grant != g || !v->attached)
			continue;
		v->revoked = true;
		v->dead = true;
	}
	for EACH_TAG(r, c)
		if (request_uses(r, g))
			request_end(r, -EKEYREVOKED);
}

/* ---- SUBMIT ---- */

static bool rest_is_zero(const struct aif_desc *d)
{
	uint32_t i, rest = 0;

	for (i = d->inline_length; d->inline_length && i < AIF_INLINE_MAX; i++)
		rest |= d->input[i];
	for (i = d->range_count; !d->inline_length && i < AIF_RANGES_MAX; i++)
		rest |= d->ranges[i].grant | d->ranges[i].offset | d->ranges[i].length;
	return !rest;
}

static int predict_form(const struct w_client *c, const struct aif_desc *d, uint64_t now)
{
	if (d->sched_class >= AIF_CLASS_COUNT || d->flags & ~(AIF_REQ_F_RESTART | AIF_REQ_F_TRANSFER) ||
	    !d->range_count || d->range_count > (d->inline_length ? 1 : AIF_RANGES_MAX) ||
	    d->inline_length > AIF_INLINE_MAX || !rest_is_zero(d))
		return -EINVAL;
	if ((d->sched_class == AIF_CLASS_REALTIME && !(c->file->features & AIF_F_REALTIME)) ||
	    d->in_fence ||
	    (d->flags & AIF_REQ_F_TRANSFER &&
	     (!(c->file->features & AIF_F_TRANSFER) ||
	      (d->service && !(c->file->features & AIF_F_MAP)))))
		return -EOPNOTSUPP;
	if (d->deadline && d->deadline <= now)
		return -ETIME;
	if (c->tags[d->tag].state != AIF_STATE_FREE &&
	    c->tags[d->tag].desc.generation == d->generation)
		return -EINVAL;
	return 0;
}

/* All services here have one input and one output of any length up to theirs. */
static int predict_io(const struct aif_desc *d, const struct w_service *s)
{
	uint32_t first = d->inline_length ? 1 : 0, i;

	if (first + d->range_count != 2)
		return -EINVAL;
	for (i = first; i < 2; i++)
		if (d->ranges[i - first].offset % AIF_ALIGNMENT_DEFAULT ||
		    (!i && d->ranges[0].length > s->desc.io[0].max_bytes))
			return -EINVAL;
	return 0;
}

static int predict_range(const struct w_client *c, const struct w_service *s,
			 const struct aif_range *r, bool output)
{
	const struct w_grant *g = grant_find(c, r->grant);

	if (!g || g->service != s)
		return -ENOENT;
	if ((uint64_t)r->offset + r->length > g->buffer->pages * PAGE)
		return -EINVAL;
	return output && !g->writable ? -EACCES : 0;
}

static uint32_t device_queued(const char *device)
{
	const struct w_service *s;
	uint32_t n = 0;

	for EACH(s, service)
		if (!strcmp(s->desc.device, device))
			n += service_queued(s);
	return n;
}

static int predict_service(const struct w_client *c, const struct aif_desc *d,
			   const struct w_service *s)
{
	uint32_t first = d->inline_length ? 1 : 0, i;
	int err = 0;

	if (tenant_requests(c->tenant) >= tenant_of(c->tenant)->limits.requests)
		return -EDQUOT;
	if (s->gone || s->draining)
		return s->gone ? -ENODEV : -ESHUTDOWN;
	for (i = 0; i < d->range_count && !err; i++)
		err = predict_range(c, s, &d->ranges[i], i + first == 1);
	if (!err && device_queued(s->desc.device) >= w.limits.device_requests)
		err = -EAGAIN;
	return err;
}

/* ---- transfers ---- */

static bool overlap(const struct aif_range *a, const struct aif_range *b)
{
	return (uint64_t)a->offset + a->length > b->offset &&
	       (uint64_t)b->offset + b->length > a->offset;
}

static int predict_right(const struct w_buffer *b, uint32_t need)
{
	if (!b)
		return -ENOENT;
	return need & ~b->rights ? -EACCES : 0;
}

static const struct aif_range *transfer_target(const struct aif_desc *d)
{
	return &d->ranges[d->range_count - 1];
}

/* A dma-buf has to be. */
static bool is_open(struct w_buffer *b, uint32_t need)
{
	return !memory_of(b)->imported || memory_of(b)->open & need;
}

static int predict_buffers(const struct w_client *c, const struct aif_desc *d)
{
	const struct aif_range *from = &d->ranges[0], *to = transfer_target(d);
	struct w_buffer *target = buffer_find(c, to->grant), *source = buffer_find(c, from->grant);
	int err = predict_right(target, AIF_RIGHT_WRITE | AIF_RIGHT_TRANSFER);

	if (!err && !d->inline_length)
		err = predict_right(source, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER);
	if (err)
		return err;
	if ((uint64_t)to->offset + to->length > target->pages * PAGE)
		return -EINVAL;
	if (!d->inline_length &&
	    ((uint64_t)from->offset + from->length > source->pages * PAGE ||
	     (memory_of(source) == memory_of(target) && overlap(from, to))))
		return -EINVAL;
	if (d->service)	/* no engine here maps */
		return -ENXIO;
	return (d->inline_length || is_open(source, AIF_RIGHT_READ)) &&
	       is_open(target, AIF_RIGHT_WRITE) ? 0 : -ENXIO;
}

static int predict_transfer(const struct w_client *c, const struct aif_desc *d)
{
	const struct aif_range *r = d->ranges;

	if (d->flags != AIF_REQ_F_TRANSFER || !r[0].length)
		return -EINVAL;
	if (!d->inline_length &&
	    (d->range_count != 2 || r[0].length != r[1].length ||
	     (r[0].grant == r[1].grant && overlap(&r[0], &r[1]))))
		return -EINVAL;
	if (tenant_requests(c->tenant) >= tenant_of(c->tenant)->limits.requests)
		return -EDQUOT;
	return predict_buffers(c, d);
}

static uint64_t filled_with(const struct aif_desc *d, uint32_t page)
{
	uint32_t i, phase = page * PAGE % d->inline_length;
	uint8_t stamp[8];
	uint64_t value;

	for (i = 0; i < sizeof(stamp); i++)
		stamp[i] = d->input[(phase + i) % d->inline_length];
	memcpy(&value, stamp, sizeof(value));
	return value;
}

void transfer_done(struct w_client *c, const struct aif_desc *d)
{
	const struct aif_range *from = &d->ranges[0], *to = transfer_target(d);
	struct w_buffer *target = memory_of(buffer_find(c, to->grant));
	struct w_buffer *source = memory_of(buffer_find(c, from->grant));
	uint32_t i;

	for (i = 0; i < to->length / PAGE; i++)
		target->stamps[to->offset / PAGE + i] = d->inline_length ? filled_with(d, i) :
						 source->stamps[from->offset / PAGE + i];
	c->tags[d->tag] = (struct w_request){
		.client = c, .desc = *d, .state = AIF_STATE_DONE, .attempt = 1,
		.produced = to->length, .seq = w.seq++,
	};
	c->submitted++;
	c->answered++;
	w.tally.requests++;
	w.tally.answered++;
}

int submit_predict(const struct w_client *c, const struct aif_desc *d, uint64_t now)
{
	const struct w_service *s;
	int err;

	if (d->tag >= c->depth)
		return -EINVAL;
	if (request_busy(&c->tags[d->tag]))
		return -EBUSY;
	err = predict_form(c, d, now);
	if (err)
		return err;
	if (d->flags & AIF_REQ_F_TRANSFER)
		return predict_transfer(c, d);
	s = client_open_of(c, d->service);
	if (!s)
		return -EBADF;
	err = predict_io(d, s);
	return err ? err : predict_service(c, d, s);
}

void submit_accept(struct w_client *c, const struct aif_desc *d)
{
	struct w_request *r = &c->tags[d->tag];
	uint32_t i;

	*r = (struct w_request){
		.client = c, .desc = *d, .state = AIF_STATE_QUEUED,
		.service = client_open_of(c, d->service), .seq = w.seq++,
	};
	if (d->sched_class == AIF_CLASS_REALTIME)	/* no tenant here has a budget */
		r->desc.sched_class = AIF_CLASS_NORMAL;
	for (i = 0; i < d->range_count; i++)
		r->grants[i] = grant_find(c, d->ranges[i].grant);
	c->submitted++;
	w.tally.requests++;
}

/* ---- services ---- */

uint32_t services_listed(void)
{
	const struct w_service *s;
	uint32_t n = 0;

	for EACH(s, service)
		n += !s->gone;
	return n;
}

uint32_t service_queued(const struct w_service *s)
{
	struct w_client *c;
	struct w_request *r;
	uint32_t n = 0;

	EACH_BUSY(c, r, {
		n += r->service == s && r->state == AIF_STATE_QUEUED;
	});
	return n;
}

/* In the slots of executors, orphans too. */
uint32_t service_fetched(const struct w_service *s)
{
	const struct w_executor *ex;
	uint32_t n = 0;

	for EACH(ex, executor)
		if (ex->service == s)
			n += executor_held(ex);
	return n;
}

uint32_t service_executors(const struct w_service *s)
{
	const struct w_executor *ex;
	uint32_t n = 0;

	for EACH(ex, executor)
		n += ex->service == s && !ex->dead;
	return n;
}

uint32_t service_grants(const struct w_service *s)
{
	const struct w_grant *g;
	uint32_t n = 0;

	for EACH(g, grant)
		n += g->service == s && grant_alive(g);
	return n;
}

static bool service_recovering(const struct w_service *s)
{
	struct w_client *c;
	struct w_request *r;

	EACH_BUSY(c, r, {
		if (r->service == s && r->state == AIF_STATE_RECOVERING)
			return true;
	});
	return false;
}

bool service_drained(const struct w_service *s)
{
	return s->draining && !service_queued(s) && !service_fetched(s) && !service_recovering(s);
}

void service_drain(struct w_service *s)
{
	s->draining = true;
}

bool service_alive(const struct w_service *s)
{
	const struct w_executor *ex;
	const struct w_client *c;
	uint32_t i;

	if (!s->gone || service_grants(s))
		return true;
	for EACH(ex, executor)
		if (ex->service == s && executor_alive(ex))
			return true;
	for EACH(c, client)
		for (i = 0; client_alive(c) && i < c->open_count; i++)
			if (c->opens[i].service == s)
				return true;
	return false;
}

/* ---- executors ---- */

struct w_executor *executor_new(struct w_file *f, struct w_actor *a, struct w_service *s,
				uint32_t slots)
{
	struct w_executor *ex = &w.executors[w.executor_count++];
	struct w_grant *g;
	uint32_t i;

	*ex = (struct w_executor){
		.file = f, .actor = a, .mm = a->mm, .service = s, .slots = slots,
	};
	for (i = 0; i < slots; i++)
		ex->generation[i] = 1;
	for EACH(g, grant)
		if (g->service == s && !g->revoked)
			view_new(g, ex);
	f->executor = ex;
	f->role = AIF_ROLE_EXECUTOR;
	return ex;
}

uint32_t executor_held(const struct w_executor *ex)
{
	uint32_t i, n = 0;

	for (i = 0; i < ex->slots; i++)
		n += ex->held[i] != NULL;
	return n;
}

/* Its file, or a request whose memory it may still have. */
bool executor_alive(const struct w_executor *ex)
{
	struct w_client *c;
	struct w_request *r;

	if (ex->file->refs)
		return true;
	EACH_BUSY(c, r, {
		if (r->executor == ex)
			return true;
	});
	return false;
}

bool executor_is_of(const struct w_executor *ex, const struct w_actor *a)
{
	return ex->actor == a && ex->mm == a->mm;
}

static bool executor_process_gone(const struct w_executor *ex)
{
	return !ex->actor->alive || ex->actor->mm != ex->mm;
}

static void executor_unslot(struct w_executor *ex, uint32_t slot)
{
	ex->held[slot] = NULL;
	ex->generation[slot]++;
	if (!executor_held(ex))
		ex->alone = false;
}

static void executor_told_of_poison(struct w_executor *ex, struct w_request *r, bool doubt)
{
	if (ex->poison_count < MAX_POISON)
		ex->poison[ex->poison_count++] = (struct w_poison){
			r, doubt || ex->poison_count >= SURE_POISON,
		};
}

static void request_poisons(struct w_request *r, bool doubt)
{
	struct w_executor *ex;

	for EACH(ex, executor)
		if (ex->service == r->service && !ex->dead)
			executor_told_of_poison(ex, r, doubt);
}

static bool is_poisonous(const struct w_request *r)
{
	return r->attempt >= r->service->desc.max_attempts;
}

static bool is_half_done(const struct w_request *r)
{
	return r->produced && !(r->desc.flags & AIF_REQ_F_RESTART);
}

/* It ended in this step, or its executor's death was first. */
static void request_bereaved_late(struct w_request *r)
{
	if (is_poisonous(r)) {
		w.doubt.poisoned++;
		request_poisons(r, true);
	} else if (is_half_done(r)) {
		w.doubt.owner_dead++;
	} else {
		r->again = true;
	}
}

static void request_bereaved(struct w_request *r)
{
	if (r->state == AIF_STATE_ORPHANED) {
		if (r->ended_step == w.step && r->ended_in == AIF_STATE_FETCHED)
			request_bereaved_late(r);
		return;
	}
	r->state = AIF_STATE_RECOVERING;
	if (is_poisonous(r)) {
		w.tally.poisoned++;
		request_poisons(r, false);
		request_end(r, -EIO);
		r->again = false;
	} else if (is_half_done(r)) {
		w.tally.owner_dead++;
		request_end(r, -EOWNERDEAD);
		r->again = false;
	} else if (r->service->gone) {
		request_end(r, -ENODEV);
		r->again = r->service->gone_step == w.step;
	}
}

static void executor_dies(struct w_executor *ex)
{
	struct w_request *r;
	struct w_view *v;
	uint32_t i;

	if (ex->dead)
		return;
	ex->dead = true;
	w.tally.executor_deaths++;
	for (i = 0; i < ex->slots; i++) {
		r = ex->held[i];
		if (!r)
			continue;
		executor_unslot(ex, i);
		request_bereaved(r);
	}
	for EACH(v, view) {
		if (v->executor != ex || !v->attached)
			continue;
		v->attached = false;
		v->dead = true;
	}
}

/* If it became quiet in the step in which it ended, it may have been quiet first. */
static void request_quiet_late(struct w_request *r)
{
	r->state = AIF_STATE_DONE;
	r->again &= r->ended_step == w.step;
	w.doubt.recoveries += r->again;
	r->service->doubt_now += r->again;
}

/* Where all of it was or none of it, we know whose it is; else who is asked will tell. */
static void services_decide(uint64_t recovered)
{
	struct w_service *s;

	for EACH(s, service) {
		if (recovered == w.doubt.recoveries)
			s->recovered += s->doubt_now;
		else if (recovered)
			s->doubt += s->doubt_now;
		s->doubt_now = 0;
	}
}

/* Those in doubt are there, if @all is, or not. */
static void executor_decides(struct w_executor *ex, bool all)
{
	uint32_t i, kept = 0;

	for (i = 0; i < ex->poison_count; i++) {
		if (ex->poison[i].doubt && !all)
			continue;
		ex->poison[kept] = ex->poison[i];
		ex->poison[kept].doubt = kept >= SURE_POISON;
		kept++;
	}
	ex->poison_count = kept;
}

static void executors_decide(uint64_t poisoned)
{
	struct w_executor *ex;

	for EACH(ex, executor)
		if (w.doubt.poisoned && (!poisoned || poisoned == w.doubt.poisoned))
			executor_decides(ex, poisoned);
}

void world_decide(const struct tally *is)
{
	uint64_t recoveries = is->recoveries - w.tally.recoveries;
	uint64_t owner_dead = is->owner_dead - w.tally.owner_dead;
	uint64_t poisoned = is->poisoned - w.tally.poisoned;

	services_decide(recoveries);
	executors_decide(poisoned);
	w.tally.recoveries = is->recoveries;
	w.tally.owner_dead = is->owner_dead;
	w.tally.poisoned = is->poisoned;
	w.tally.late_wakeups = is->late_wakeups;
	w.tally.otherwise += recoveries + owner_dead + poisoned;
	w.doubt = (struct doubt){ .late_wakeups = w.doubt.late_wakeups };
}

/* A dead executor has no slots: what still names it waits to be quiet. */
void world_recover(void)
{
	struct w_client *c;
	struct w_request *r;

	EACH_BUSY(c, r, {
		if (!r->executor || !r->executor->dead || !executor_process_gone(r->executor) ||
		    !request_quiet(r))
			continue;
		r->executor = NULL;
		if (r->state == AIF_STATE_ORPHANED) {
			request_quiet_late(r);
			continue;
		}
		r->state = AIF_STATE_QUEUED;
		r->produced = 0;
		r->service->recovered++;
		w.tally.recoveries++;
	});
}

uint32_t executor_events(const struct w_executor *ex)
{
	uint32_t n = 0, i;
	const struct w_view *v;

	for (i = 0; i < ex->poison_count; i++)
		n += !ex->poison[i].doubt;
	for EACH(v, view)
		if (v->attached && v->executor == ex)
			n += !v->added + (v->revoked && !v->told);
	for (i = 0; i < ex->slots; i++)
		n += ex->held[i] && ex->held[i]->state == AIF_STATE_ORPHANED && !ex->held[i]->told;
	return n;
}

bool executor_doubts(const struct w_executor *ex)
{
	uint32_t i;

	for (i = 0; i < ex->poison_count; i++)
		if (ex->poison[i].doubt)
			return true;
	return false;
}

/* ... but not in this step. */
static bool service_gone_before(const struct w_service *s)
{
	return s->gone && s->gone_step != w.step;
}

static uint32_t device_tokens(const char *device)
{
	const struct w_service *s;
	uint32_t n = 1;

	for EACH(s, service)
		if (!service_gone_before(s) && !strcmp(s->desc.device, device) &&
		    s->desc.step_tokens > n)
			n = s->desc.step_tokens;
	return n;
}

bool executor_has_no_token(const struct w_executor *ex)
{
	const char *device = ex->service->desc.device;
	const struct w_executor *other;
	uint32_t used = 0;

	if (executor_held(ex))
		return false;
	for EACH(other, executor)
		used += !other->dead && executor_held(other) &&
			!strcmp(other->service->desc.device, device);
	return used >= device_tokens(device);
}

bool executor_has_rival(const struct w_executor *ex)
{
	const struct w_service *s;

	for EACH(s, service)
		if (s != ex->service && !strcmp(s->desc.device, ex->service->desc.device) &&
		    service_queued(s))
			return true;
	return false;
}

struct w_view *view_find(const struct w_executor *ex, uint32_t id)
{
	struct w_view *v;

	for EACH(v, view)
		if (v->executor == ex && v->attached && v->grant->id == id)
			return v;
	return NULL;
}

bool view_ack(struct w_executor *ex, uint32_t id)
{
	struct w_view *v = view_find(ex, id);

	if (!v || !v->told)
		return false;
	v->attached = false;
	return true;
}

struct w_request *slot_find(const struct w_executor *ex, uint32_t slot, uint32_t generation)
{
	return slot < ex->slots && ex->generation[slot] == generation ? ex->held[slot] : NULL;
}

void executor_commit(struct w_executor *ex, uint32_t slot, int32_t result, uint32_t produced)
{
	struct w_request *r = ex->held[slot];
	uint32_t most = request_output(r);

	executor_unslot(ex, slot);
	r->executor = NULL;
	if (r->state == AIF_STATE_ORPHANED) {
		r->state = AIF_STATE_DONE;
		return;
	}
	produced = produced < most ? produced : most;
	if (produced > r->produced)
		r->produced = produced;
	request_answer(r, result, AIF_STATE_DONE);
}

/* ---- FETCH ---- */

static bool slots_full(const struct w_executor *ex)
{
	return executor_held(ex) == ex->slots;
}

/* A recovered request is queued: who holds others may have to wait behind it. */
static bool queued_again(const struct w_service *s)
{
	struct w_client *c;
	struct w_request *r;

	EACH_BUSY(c, r, {
		if (r->service == s && r->state == AIF_STATE_QUEUED && r->attempt)
			return true;
	});
	return false;
}

/* Whatever goes next, it can have it. */
static bool executor_can_take(const struct w_executor *ex)
{
	return !ex->alone && !slots_full(ex) &&
	       (!executor_held(ex) || !queued_again(ex->service)) && !executor_has_no_token(ex);
}

/* It was before this step: what there is for it came in it, or just after its end. */
static bool fetch_was_waiting(const struct w_executor *ex)
{
	return ex->fetch && ex->fetch->step != w.step;
}

const char *fetch_refusal(const struct w_executor *ex, uint32_t credit, bool waits, long n)
{
	const struct w_service *s = ex->service;
	bool work = service_queued(s) && credit;

	if ((ex->dead || s->gone) && n == -ENODEV)
		return NULL;
	if (ex->dead || service_gone_before(s))
		return "the service is gone: -ENODEV";
	if (n > 0)
		return NULL;
	if (s->gone)
		return n == -ESHUTDOWN && s->draining ? NULL : "the service went: -ENODEV";
	if (executor_events(ex) && !fetch_was_waiting(ex))
		return "there are events";
	if (n == -ESHUTDOWN)
		return !work && service_drained(s) ? NULL : "it is not drained";
	if (service_drained(s) && !work)
		return "it is drained: -ESHUTDOWN";
	if (n == -EAGAIN && !waits)
		return work ? "something is queued" : NULL;
	if (n == -EBUSY && !waits && work) {
		w.claim_step = w.step;
		w.doubt.late_wakeups = UINT32_MAX;
		return executor_can_take(ex) && !executor_has_rival(ex) ? "it is its turn" : NULL;
	}
	return "no such result";
}

static const char *deliver_added(struct w_executor *ex, const struct aif_delivery *d)
{
	struct w_view *v = view_find(ex, d->index);

	if (!v || v->added)
		return "GRANT_ADDED of nothing new";
	v->added = true;
	if (d->flags != (v->grant->writable ? AIF_DELIVERY_F_WRITE : 0) ||
	    d->length != v->grant->buffer->pages * PAGE)
		return "GRANT_ADDED says something else than the grant";
	return NULL;
}

static const char *deliver_revoked(struct w_executor *ex, const struct aif_delivery *d)
{
	struct w_view *v = view_find(ex, d->index);

	if (!v || !v->added || !v->revoked || v->told)
		return "GRANT_REVOKED of what is not revoked, or again";
	v->told = true;
	return NULL;
}

static const char *deliver_cancelled(struct w_executor *ex, const struct aif_delivery *d)
{
	struct w_request *r = slot_find(ex, d->index, d->generation);

	if (!r || r->state != AIF_STATE_ORPHANED || r->told)
		return "CANCELLED of what is not, or again";
	r->told = true;
	return NULL;
}

static const char *deliver_poison(struct w_executor *ex, const struct aif_delivery *d)
{
	struct w_request *r;
	uint32_t i;

	for (i = 0; i < ex->poison_count; i++) {
		r = ex->poison[i].request;
		if (r->desc.tag != d->index || r->client->number != d->offset)
			continue;
		ex->poison[i] = ex->poison[--ex->poison_count];
		return NULL;
	}
	return "POISON of a request that was not";
}

/* Which one the slot shows: its first range's grant is one client's. */
static struct w_request *slot_request(const struct w_executor *ex, const struct aif_slot *s)
{
	const struct w_view *v = view_find(ex, s->ranges[0].grant);

	if (!v || s->tag >= v->grant->client->depth)
		return NULL;
	return &v->grant->client->tags[s->tag];
}

static bool slot_shows(const struct aif_slot *s, const struct w_request *r)
{
	struct aif_slot want = {
		.generation = s->generation, .attempt = r->attempt + 1,
		.sched_class = r->desc.sched_class, .flags = r->desc.flags,
		.range_count = r->desc.range_count, .inline_length = r->desc.inline_length,
		.tag = r->desc.tag, .client = s->client, .deadline = r->desc.deadline,
		.tenant = w.limits.tenant_by_uid ? r->client->tenant : s->tenant,
	};
	uint32_t i;

	memcpy(want.ranges, r->desc.ranges, sizeof(want.ranges));
	for (i = 0; i < r->desc.range_count; i++)
		want.ranges[i].grant = r->grants[i]->id;
	return !memcmp(&want, s, sizeof(want));
}

/* Must @a go before @b?  Between tenants device time decides, which we do not know. */
static bool request_before(const struct w_request *a, const struct w_request *b)
{
	uint64_t da = a->desc.deadline ? a->desc.deadline : UINT64_MAX;
	uint64_t db = b->desc.deadline ? b->desc.deadline : UINT64_MAX;

	if (a->desc.sched_class != b->desc.sched_class)
		return a->desc.sched_class < b->desc.sched_class;
	if (a->client->tenant != b->client->tenant)
		return false;
	return da != db ? da < db : a->seq < b->seq;
}

static bool request_is_next(const struct w_request *r)
{
	struct w_client *c;
	struct w_request *other;

	EACH_BUSY(c, other, {
		if (other->service == r->service && other->state == AIF_STATE_QUEUED &&
		    request_before(other, r))
			return false;
	});
	return true;
}

/* It ended in this step, and may have been fetched before. */
static bool fetched_before_it_ended(const struct w_request *r)
{
	return r->state == AIF_STATE_DONE && r->ended_step == w.step &&
	       (r->ended_in == AIF_STATE_QUEUED || r->again);
}

static void request_queued_again(struct w_request *r)
{
	r->again = false;
	r->produced = 0;
	w.doubt.recoveries--;
	w.tally.recoveries++;
	r->service->doubt_now--;
	r->service->recovered++;
}

/* The end of its service is not that of what executors have, its client's is. */
static bool ended_by_client(const struct w_request *r)
{
	return r->result != -ENODEV || !r->client->file->refs;
}

static void request_was_fetched(struct w_request *r)
{
	w.tally.otherwise++;
	if (r->again)
		request_queued_again(r);
	r->state = AIF_STATE_ORPHANED;
	if (ended_by_client(r))
		return;
	r->state = AIF_STATE_FETCHED;
	r->result = 0;
	r->client->answered--;
	r->service->answered--;
	w.tally.answered--;
}

static const char *deliver_request(struct w_executor *ex, const struct aif_delivery *d,
				   const struct aif_slot *s, bool ordered)
{
	struct w_request *r = slot_request(ex, s);

	if (d->index >= ex->slots || ex->held[d->index])
		return "a slot that is not free";
	if (d->generation != ex->generation[d->index] || s->generation != d->generation)
		return "another generation of the slot";
	if (!r || r->service != ex->service ||
	    (r->state != AIF_STATE_QUEUED && !fetched_before_it_ended(r)))
		return "a request that is not queued";
	if (!slot_shows(s, r))
		return "a slot that shows another request";
	if (r->client->number && r->client->number != s->client)
		return "a client that has changed its number";
	if (ex->alone || (r->attempt && executor_held(ex)))
		return "a recovered request that does not travel alone";
	if (executor_has_no_token(ex))
		return "a step without a token";
	if (ordered && !request_is_next(r))
		return "a request before one that goes first";
	r->client->number = s->client;
	if (r->state == AIF_STATE_QUEUED)
		r->state = AIF_STATE_FETCHED;
	else
		request_was_fetched(r);
	r->executor = ex;
	r->slot = d->index;
	r->told = false;
	ex->alone = r->attempt++ > 0;
	ex->held[d->index] = r;
	w.tally.fetched++;
	return NULL;
}

const char *fetch_delivery(struct w_executor *ex, const struct aif_delivery *d,
			   const struct aif_slot *slot, bool ordered)
{
	switch (d->type) {
	case AIF_DELIVERY_REQUEST:
		return deliver_request(ex, d, slot, ordered);
	case AIF_EVENT_GRANT_ADDED:
		return deliver_added(ex, d);
	case AIF_EVENT_GRANT_REVOKED:
		return deliver_revoked(ex, d);
	case AIF_EVENT_CANCELLED:
		return deliver_cancelled(ex, d);
	case AIF_EVENT_POISON:
		return deliver_poison(ex, d);
	}
	return "a delivery of no known type";
}

const char *fetch_shortfall(const struct w_executor *ex, uint32_t credit)
{
	if (executor_events(ex))
		return "events that were left out";
	return credit && service_queued(ex->service) && executor_can_take(ex) &&
	       !executor_has_rival(ex) ? "requests that were left out" : NULL;
}

/* ---- waits ---- */

struct w_wait *wait_new(struct w_actor *a, struct w_file *f, enum wait_kind kind, long number)
{
	struct w_wait *wait = &w.waits[w.wait_count++];

	*wait = (struct w_wait){
		.actor = a, .file = f, .kind = kind, .number = number, .step = w.step,
	};
	f->refs++;
	if (!number)
		a->blocked = wait;
	if (kind == WAIT_FETCH)
		f->executor->fetch = wait;
	return wait;
}

void wait_end(struct w_wait *wait)
{
	if (wait->actor->blocked == wait)
		wait->actor->blocked = NULL;
	if (wait->kind == WAIT_FETCH)
		wait->file->executor->fetch = NULL;
	wait->actor = NULL;
	file_put(wait->file);
}

static bool submit_is_due(const struct w_wait *wait)
{
	const struct w_request *r;
	uint32_t i, answered = 0;

	for (i = 0; i < wait->accepted; i++) {
		r = &wait->file->client->tags[wait->tags[i]];
		answered += r->desc.generation != wait->generations[i] || request_answered(r);
	}
	return answered >= (wait->first ? 1 : wait->accepted);
}

static bool fetch_is_due(const struct w_wait *wait)
{
	const struct w_executor *ex = wait->file->executor;

	if (ex->dead || ex->service->gone || executor_events(ex) || service_drained(ex->service))
		return true;
	/* Who has a token and wants more may have to let others go first. */
	return wait->credit && service_queued(ex->service) && executor_can_take(ex) &&
	       !(executor_held(ex) && executor_has_rival(ex));
}

bool wait_is_due(const struct w_wait *wait)
{
	const struct w_client *c = wait->file->client;
	const struct w_request *r = c ? &c->tags[wait->tag % MAX_DEPTH] : NULL;

	if (wait->cancelled)
		return true;
	switch (wait->kind) {
	case WAIT_SUBMIT:
		return submit_is_due(wait);
	case WAIT_ANSWERED:
		return c->answered >= wait->value;
	case WAIT_PRODUCED:
		return !request_busy(r) || request_answered(r) || r->produced > wait->value;
	case WAIT_QUIET:
		return wait->tag == AIF_TAG_ALL ? !client_busy(c) : !request_busy(r);
	default:
		return fetch_is_due(wait);
	}
}

/* ---- sums ---- */

static uint64_t devices_alive(void)
{
	const struct w_service *s, *other;
	uint64_t n = 0;

	for EACH(s, service) {
		if (!service_alive(s))
			continue;
		for (other = w.services; other < s; other++)
			if (service_alive(other) && !strcmp(other->desc.device, s->desc.device))
				break;
		n += other == s;
	}
	return n;
}

/* The copy engine is a service and a device as long as somebody may use it. */
static bool engine_alive(void)
{
	const struct w_client *c;

	for EACH(c, client)
		if (client_alive(c) && c->file->features & AIF_F_TRANSFER)
			return true;
	return false;
}

struct alive world_alive(void)
{
	struct alive n = { .devices = devices_alive() };
	const struct w_executor *ex;
	const struct w_service *s;
	const struct w_client *c;
	const struct w_buffer *b;
	const struct w_grant *g;
	const struct w_view *v;
	const struct w_file *f;

	for EACH(f, file)
		n.files += f->refs > 0;
	for EACH(c, client)
		n.clients += client_alive(c);
	for EACH(s, service)
		n.services += service_alive(s);
	for EACH(ex, executor)
		n.executors += executor_alive(ex);
	for EACH(g, grant)
		n.grants += grant_alive(g);
	for EACH(v, view)
		n.views += view_alive(v);
	for EACH(b, buffer) {
		n.buffers += memory_alive(b);
		n.buffer_bytes += memory_alive(b) && !b->pinned ? b->pages * PAGE : 0;
		n.pinned_bytes += memory_alive(b) && b->pinned ? b->pages * PAGE : 0;
	}
	n.services += engine_alive();
	n.devices += engine_alive();
	return n;
}
