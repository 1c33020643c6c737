// SPDX-License-Identifier: MIT
/*
 * Buffers, and who may map them.  A buffer's pages are mapped once for the client
 * and separately for each executor, so that a revocation can put other memory in
 * the executor's place.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "local.h"

#define HANDLES_MAX	0x3fffffffu
#define PINS_MAX	1024

/* ---- buffers ---- */

void local_buffer_put(struct local_buffer *b)
{
	if (--b->refs)
		return;
	b->tenant->bytes -= b->memory->bytes;
	local_tenant_put(b->tenant);
	local_memory_put(b->memory);
	free(b);
}

static int buffer_new(struct local_tenant *t, u64 bytes, struct local_buffer **out)
{
	struct local_buffer *b;
	int err;

	if (bytes > libaif_local_limits.tenant_bytes ||
	    t->bytes > libaif_local_limits.tenant_bytes - bytes)
		return -EDQUOT;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	err = local_memory_alloc(bytes, &b->memory);
	if (err) {
		free(b);
		return err;
	}
	t->bytes += bytes;
	t->refs++;
	b->tenant = t;
	b->refs = 1;
	*out = b;
	return 0;
}

int local_buffer_alloc(struct local_file *f, struct aif_ioc_buffer_alloc *arg)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);
	struct local_client *c = f->client;
	struct local_buffer *b;
	int err;

	if (arg->flags || arg->__reserved || !arg->bytes ||
	    arg->bytes > (1ull << LOCAL_HANDLE_SHIFT) - page)
		return -EINVAL;
	if (c->buffer_count >= libaif_local_limits.max_buffers)
		return -ENOSPC;
	err = buffer_new(c->tenant, (arg->bytes + page - 1) / page * page, &b);
	if (err)
		return err;
	err = local_table_add(&c->buffers, b, HANDLES_MAX, &b->handle);
	if (err) {
		local_buffer_put(b);
		return err;
	}
	c->buffer_count++;
	arg->out_handle = b->handle;
	arg->out_offset = (u64)b->handle << LOCAL_HANDLE_SHIFT;
	arg->out_bytes = b->memory->bytes;
	return 0;
}

static void buffer_end(struct local_client *c, struct local_buffer *b)
{
	local_table_remove(&c->buffers, b->handle);
	c->buffer_count--;
	local_buffer_put(b);
}

int local_buffer_free(struct local_file *f, struct aif_ioc_buffer_free *arg)
{
	struct local_buffer *b = local_table_get(&f->client->buffers, arg->handle);

	if (!b || b->grants)
		return b ? -EBUSY : -ENOENT;
	buffer_end(f->client, b);
	return 0;
}

/* ---- grants and their views ---- */

void local_grant_put(struct local_grant *g)
{
	if (--g->refs)
		return;
	local_table_remove(&g->service->grants, g->id);
	g->service->granted_bytes -= g->buffer->memory->bytes;
	g->service->grant_count--;
	local_buffer_put(g->buffer);
	local_service_put(g->service);
	free(g);
}

static void view_tell(struct local_view *v)
{
	if (!v->queued) {
		v->queued = true;
		TAILQ_INSERT_TAIL(&v->executor->events, v, event);
	}
	local_executor_wake(v->executor);
}

/* An executor's views are found by the grant's id, as its mmap offsets have it. */
static int views_add(struct local_table *views, struct local_view *v, u32 id)
{
	u32 count = views->count > id ? views->count : id;
	void **slots = reallocarray(views->slots, count, sizeof(void *));

	if (!slots)
		return -ENOMEM;
	memset(slots + views->count, 0, (count - views->count) * sizeof(void *));
	slots[id - 1] = v;
	views->slots = slots;
	views->count = count;
	return 0;
}

int local_view_create(struct local_grant *g, struct local_executor *ex)
{
	struct local_view *v = calloc(1, sizeof(*v));

	if (!v || views_add(&ex->views, v, g->id)) {
		free(v);
		return -ENOMEM;
	}
	g->refs++;
	v->grant = g;
	v->executor = ex;
	TAILQ_INSERT_TAIL(&g->views, v, of_grant);
	view_tell(v);
	return 0;
}

/* Acknowledged, or its executor is dead. */
void local_view_detach(struct local_view *v)
{
	struct local_executor *ex = v->executor;

	if (ex->file)
		local_map_zap(&ex->file->maps, v);
	if (v->queued)
		TAILQ_REMOVE(&ex->events, v, event);
	local_table_remove(&ex->views, v->grant->id);
	TAILQ_REMOVE(&v->grant->views, v, of_grant);
	local_grant_put(v->grant);
	free(v);
}

static void grant_tell(struct local_grant *g)
{
	struct local_view *v;

	TAILQ_FOREACH(v, &g->views, of_grant) {
		local_map_zap(&v->executor->file->maps, v);
		v->revoked = true;
		view_tell(v);
	}
}

static struct local_grant *grant_new(struct local_service *s, struct local_buffer *b,
				     bool writable)
{
	struct local_grant *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	if (local_table_add(&s->grants, g, HANDLES_MAX, &g->id)) {
		free(g);
		return NULL;
	}
	TAILQ_INIT(&g->views);
	s->granted_bytes += b->memory->bytes;
	s->grant_count++;
	s->refs++;
	b->refs++;
	g->refs = 1;
	g->service = s;
	g->buffer = b;
	g->writable = writable;
	return g;
}

/* If it fails half way, those who may know the grant are told that it is revoked. */
static int grant_publish(struct local_client *c, struct local_grant *g)
{
	struct local_executor *ex;
	int err = 0;

	TAILQ_FOREACH(ex, &g->service->executors, node) {
		err = local_view_create(g, ex);
		if (err)
			break;
	}
	if (!err)
		err = local_table_add(&c->grants, g, HANDLES_MAX, &g->handle);
	if (err) {
		g->revoked = true;	/* executors that attach now do not see it */
		grant_tell(g);
	}
	return err;
}

int local_grant_create(struct local_file *f, struct aif_ioc_grant *arg)
{
	struct local_client *c = f->client;
	struct local_buffer *b = local_table_get(&c->buffers, arg->buffer);
	struct local_open *o = local_table_get(&c->opens, arg->service);
	struct local_grant *g;
	int err;

	if (arg->flags & ~AIF_GRANT_F_WRITE || arg->__reserved)
		return -EINVAL;
	if (!b || !o)
		return -ENOENT;
	if (c->grant_count >= libaif_local_limits.max_grants)
		return -ENOSPC;
	if (o->service->granted_bytes + b->memory->bytes > libaif_local_limits.service_bytes)
		return -EDQUOT;
	if (o->service->gone)
		return -ENODEV;
	g = grant_new(o->service, b, arg->flags & AIF_GRANT_F_WRITE);
	if (!g)
		return -ENOMEM;
	err = grant_publish(c, g);
	if (err) {
		local_grant_put(g);
		return err;
	}
	c->grant_count++;
	b->grants++;
	arg->out_grant = g->handle;
	return 0;
}

/* No new request can use it; no CPU reaches it; then its requests are answered. */
static void grant_take_back(struct local_client *c, struct local_grant *g)
{
	g->revoked = true;
	grant_tell(g);
	local_cancel_all(c, -EKEYREVOKED, g);
	local_table_remove(&c->grants, g->handle);
	c->grant_count--;
	g->buffer->grants--;
	local_grant_put(g);
}

int local_grant_revoke(struct local_file *f, struct aif_ioc_revoke *arg)
{
	struct local_grant *g = local_table_get(&f->client->grants, arg->grant);

	if (!g)
		return -ENOENT;
	grant_take_back(f->client, g);
	return 0;
}

/* The client's file is closed. */
void local_grants_fini(struct local_client *c)
{
	struct local_grant *g;
	struct local_buffer *b;
	u32 i;

	for (i = 1; i <= c->grants.count; i++) {
		g = local_table_get(&c->grants, i);
		if (g)
			grant_take_back(c, g);
	}
	for (i = 1; i <= c->buffers.count; i++) {
		b = local_table_get(&c->buffers, i);
		if (b)
			buffer_end(c, b);
	}
}

int local_declare_pins(struct local_file *f, struct aif_ioc_declare_pins *arg)
{
	const struct local_table *t;

	if (arg->__reserved || arg->pins > PINS_MAX)
		return -EINVAL;
	t = f->role == AIF_ROLE_CLIENT ? &f->client->buffers : &f->executor->views;
	return local_table_get(t, arg->handle) ? 0 : -ENOENT;
}
