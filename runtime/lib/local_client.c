// SPDX-License-Identifier: MIT
/* Clients, and everything that waits for answers. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "local.h"

#define DEPTH_DEFAULT	256u
#define NSEC_PER_SEC	1000000000ll

static u64 last_client_id;

struct local_client *local_client_create(struct local_file *f)
{
	struct local_client *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return NULL;
	c->tenant = local_tenant_get(f->tenant);
	if (!c->tenant) {
		free(c);
		return NULL;
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	c->id = ++last_client_id;
	c->file = f;
	c->eventfd = -1;
	return c;
}

static void client_free(struct local_client *c)
{
	struct local_open *o;
	u32 i;

	for (i = 1; i <= c->opens.count; i++) {
		o = local_table_get(&c->opens, i);
		if (!o)
			continue;
		local_member_put(o->service, o->member, c->depth);
		local_service_put(o->service);
		free(o);
	}
	local_table_fini(&c->opens);
	local_table_fini(&c->grants);
	local_table_fini(&c->buffers);
	for (i = 0; i < AIF_ARRAY_COUNT; i++)
		local_array_free(&c->arrays[i]);
	if (c->eventfd >= 0)
		close(c->eventfd);
	local_tenant_put(c->tenant);
	pthread_cond_destroy(&c->changed);
	free(c->deadlines.slots);
	free(c->requests);
	free(c);
}

/* A closed client goes when the last executor let go of its memory. */
void local_client_free_if_done(struct local_client *c)
{
	if (!c->file && !c->busy)
		client_free(c);
}

void local_client_close(struct local_client *c)
{
	local_cancel_all(c, -ECANCELED, NULL);
	local_grants_fini(c);
	c->file = NULL;
	local_client_free_if_done(c);
}

/* ---- INFO ---- */

static int client_alloc(struct local_client *c, u32 depth)
{
	struct local_array *a = c->arrays;
	int err;

	c->requests = calloc(depth, sizeof(*c->requests));
	c->deadlines.slots = calloc(depth, sizeof(struct aif_heap_node *));
	if (!c->requests || !c->deadlines.slots)
		return -ENOMEM;
	err = local_array_alloc(&a[AIF_ARRAY_DESC], sizeof(struct aif_desc), depth, true);
	if (!err)
		err = local_array_alloc(&a[AIF_ARRAY_COMPLETION], sizeof(struct aif_completion),
					depth, false);
	if (!err)
		err = local_array_alloc(&a[AIF_ARRAY_CLIENT_STATUS],
					sizeof(struct aif_client_status), 1, false);
	return err;
}

static int client_set_depth(struct local_client *c, u32 depth)
{
	int err = client_alloc(c, depth);
	u32 i;

	if (err) {
		for (i = 0; i < AIF_ARRAY_COUNT; i++)
			local_array_free(&c->arrays[i]);
		free(c->deadlines.slots);
		free(c->requests);
		c->deadlines.slots = NULL;
		c->requests = NULL;
		return err;
	}
	for (i = 0; i < depth; i++) {
		c->requests[i].client = c;
		c->requests[i].desc.tag = i;
		aif_heap_node_init(&c->requests[i].node);
		aif_heap_node_init(&c->requests[i].deadline);
	}
	c->deadlines.capacity = depth;
	c->depth = depth;
	return 0;
}

static u32 depth_wanted(const struct local_client *c, u32 asked)
{
	u32 max = libaif_local_limits.max_depth;

	if (asked)
		return asked;
	if (c->depth)
		return c->depth;
	return DEPTH_DEFAULT < max ? DEPTH_DEFAULT : max;
}

/* The ring door is not here, so no feature is ever granted. */
int local_client_info(struct local_file *f, struct aif_ioc_info *arg)
{
	struct local_client *c = f->client;
	u32 depth = depth_wanted(c, arg->depth);
	int err = 0;

	if (depth & (depth - 1) || depth > libaif_local_limits.max_depth)
		return -EINVAL;
	if (c->depth && depth != c->depth)
		return -EBUSY;
	if (!c->depth)
		err = client_set_depth(c, depth);
	if (err)
		return err;
	arg->depth = depth;
	arg->features = c->features;
	arg->out_tenant = c->tenant->id;
	local_arrays_describe(c->arrays, arg->out_arrays);
	return 0;
}

/* ---- opening a service ---- */

static u32 open_find(const struct local_client *c, const struct local_service *s)
{
	struct local_open *o;
	u32 i;

	for (i = 1; i <= c->opens.count; i++) {
		o = local_table_get(&c->opens, i);
		if (o && o->service == s)
			return i;
	}
	return 0;
}

static int open_add(struct local_client *c, struct local_service *s, u32 *handle)
{
	struct local_open *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	o->service = s;
	o->member = local_member_get(s, c->tenant, c->depth);
	if (!o->member) {
		free(o);
		return -ENOMEM;
	}
	err = local_table_add(&c->opens, o, libaif_local_limits.max_services, handle);
	if (err) {
		local_member_put(s, o->member, c->depth);
		free(o);
		return err;
	}
	s->refs++;
	return 0;
}

int local_service_open(struct local_file *f, struct aif_ioc_service_open *arg)
{
	struct local_client *c = f->client;
	struct local_service *s;

	if (arg->owner == UINT32_MAX || strnlen(arg->name, AIF_NAME_MAX) == AIF_NAME_MAX)
		return -EINVAL;
	s = local_service_find_name(arg->name, arg->owner);
	if (!s)
		return -ENOENT;
	if (!c->depth)
		return -ENXIO;
	arg->out_id = s->id;
	arg->out_handle = open_find(c, s);
	return arg->out_handle ? 0 : open_add(c, s, &arg->out_handle);
}

/* ---- being told ---- */

static bool is_eventfd(int fd)
{
	static const char eventfd_name[] = "anon_inode:[eventfd]";
	char path[64], name[sizeof(eventfd_name)];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name));
	return n == sizeof(eventfd_name) - 1 && !memcmp(name, eventfd_name, (size_t)n);
}

int local_set_eventfd(struct local_file *f, struct aif_ioc_set_eventfd *arg)
{
	struct local_client *c = f->client;
	int fd = -1;

	if (arg->fd != -1) {
		fd = fcntl(arg->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		if (!is_eventfd(fd)) {
			close(fd);
			return -EINVAL;
		}
	}
	if (c->eventfd >= 0)
		close(c->eventfd);
	c->eventfd = fd;
	return 0;
}

/* ---- waiting ---- */

struct condition {
	u32 tag;
	bool quiet;
	bool produced;
	u64 value;
};

static bool holds(const struct local_client *c, const struct condition *w)
{
	const struct local_request *r;

	if (w->quiet && w->tag == AIF_TAG_ALL)
		return !c->busy;
	if (!w->quiet && !w->produced)
		return c->answered >= w->value;
	r = &c->requests[w->tag];
	if (!r->busy || w->quiet)
		return !r->busy;
	return aif_req_answered(r->state) || r->produced > w->value;
}

static struct timespec time_at(s64 timeout_ns)
{
	u64 now = local_now();
	u64 at = now + (u64)timeout_ns < now ? UINT64_MAX : now + (u64)timeout_ns;

	return (struct timespec){
		.tv_sec = (time_t)(at / NSEC_PER_SEC), .tv_nsec = (long)(at % NSEC_PER_SEC),
	};
}

static int wait_until(struct local_client *c, const struct condition *w, s64 timeout_ns)
{
	struct timespec end;
	int err = 0;

	if (timeout_ns > 0)
		end = time_at(timeout_ns);
	while (!holds(c, w)) {
		if (!timeout_ns || err)
			return -ETIME;
		if (timeout_ns < 0)
			pthread_cond_wait(&c->changed, &local_lock);
		else
			err = pthread_cond_timedwait(&c->changed, &local_lock, &end);
	}
	return 0;
}

int local_wait(struct local_file *f, struct aif_ioc_wait *arg)
{
	struct condition w = {
		.tag = arg->tag, .value = arg->value, .produced = arg->flags & AIF_WAIT_F_PRODUCED,
	};
	int err;

	if (!f->client->depth)
		return -ENXIO;
	if (arg->flags & ~AIF_WAIT_F_PRODUCED || arg->__reserved ||
	    (w.produced ? arg->tag >= f->client->depth : arg->tag))
		return -EINVAL;
	err = wait_until(f->client, &w, arg->timeout_ns);
	if (!err && !w.produced && f->client->seen < w.value)
		f->client->seen = w.value;
	local_file_signal(f, f->client->answered > f->client->seen);
	return err;
}

int local_wait_quiet(struct local_file *f, struct aif_ioc_wait_quiet *arg)
{
	struct condition w = { .tag = arg->tag, .quiet = true };

	if (!f->client->depth)
		return -ENXIO;
	if (arg->tag != AIF_TAG_ALL && arg->tag >= f->client->depth)
		return -EINVAL;
	return wait_until(f->client, &w, arg->timeout_ns);
}
