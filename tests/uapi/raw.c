// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "raw.h"

#define DEBUGFS	"/sys/kernel/debug/aif/"

int raw_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int raw_open_ids(const char *path, uid_t uid, gid_t gid)
{
	int fd, err;

	if (setegid(gid) || seteuid(uid))
		return -errno;
	fd = open(path, O_RDWR | O_CLOEXEC);
	err = errno;
	if (seteuid(0) || setegid(0))
		abort();
	return fd < 0 ? -err : fd;
}

int raw_open_as(const char *path, uid_t uid)
{
	return raw_open_ids(path, uid, uid);
}

/* @offset, @bytes of @fd into *@at. */
static int map(int fd, uint64_t offset, size_t bytes, int prot, void *at)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(at, &p, sizeof(p));
	return 0;
}

static int map_array(int fd, const struct aif_array *a, bool writable, void *at)
{
	return map(fd, a->offset, (size_t)a->entry_size * a->count,
		   PROT_READ | (writable ? PROT_WRITE : 0), at);
}

static void unmap(const void *at, size_t bytes)
{
	if (at)
		munmap((void *)at, bytes);
}

/* ---- client ---- */

int raw_client_init(struct raw_client *c, int fd, uint32_t depth, uint64_t features)
{
	struct aif_ioc_info info = { .size = sizeof(info), .depth = depth, .features = features };
	int err;

	memset(c, 0, sizeof(*c));
	c->fd = fd;
	err = raw_call(fd, AIF_IOC_INFO, &info);
	if (err)
		return err;
	c->depth = info.depth;
	c->features = info.features;
	err = map_array(fd, &info.out_arrays[AIF_ARRAY_DESC], true, &c->desc);
	if (!err)
		err = map_array(fd, &info.out_arrays[AIF_ARRAY_COMPLETION], false, &c->done);
	if (!err)
		err = map_array(fd, &info.out_arrays[AIF_ARRAY_CLIENT_STATUS], false, &c->status);
	return err;
}

int64_t raw_client_ask(struct raw_client *c, uint64_t features)
{
	struct aif_ioc_info info = { .size = sizeof(info), .features = features };
	int err = raw_call(c->fd, AIF_IOC_INFO, &info);

	if (err)
		return err;
	c->features = info.features;
	return (int64_t)info.features;
}

int raw_client_open(struct raw_client *c, uint32_t depth)
{
	int fd = open("/dev/aif", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : raw_client_init(c, fd, depth, AIF_F_URING);
}

void raw_client_unmap(struct raw_client *c)
{
	unmap(c->desc, c->depth * sizeof(*c->desc));
	unmap(c->done, c->depth * sizeof(*c->done));
	unmap(c->status, sizeof(*c->status));
	c->desc = NULL;
	c->done = NULL;
	c->status = NULL;
}

void raw_client_close(struct raw_client *c)
{
	raw_client_unmap(c);
	close(c->fd);
	c->fd = -1;
}

int raw_service_open(struct raw_client *c, const char *name, uid_t owner)
{
	struct aif_ioc_service_open arg = { .size = sizeof(arg), .owner = owner };
	int err;

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	err = raw_call(c->fd, AIF_IOC_SERVICE_OPEN, &arg);
	return err ? err : (int)arg.out_handle;
}

int raw_buffer_alloc(struct raw_client *c, size_t bytes, struct raw_buffer *b)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = bytes };
	int err = raw_call(c->fd, AIF_IOC_BUFFER_ALLOC, &arg);

	if (err)
		return err;
	b->handle = arg.out_handle;
	b->length = arg.out_bytes;
	b->offset = arg.out_offset;
	return map(c->fd, b->offset, b->length, PROT_READ | PROT_WRITE, &b->base);
}

int raw_buffer_free(struct raw_client *c, struct raw_buffer *b)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg), .handle = b->handle };

	unmap(b->base, b->length);
	b->base = NULL;
	return raw_call(c->fd, AIF_IOC_BUFFER_FREE, &arg);
}

int raw_pin(struct raw_client *c, const void *memory, size_t bytes, uint32_t flags)
{
	struct aif_ioc_buffer_pin arg = {
		.size = sizeof(arg), .flags = flags, .address = (uintptr_t)memory, .bytes = bytes,
	};
	int err = raw_call(c->fd, AIF_IOC_BUFFER_PIN, &arg);

	return err ? err : (int)arg.out_handle;
}

int raw_memfd(struct raw_client *c, int fd, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	struct aif_ioc_buffer_memfd arg = {
		.size = sizeof(arg), .flags = flags, .offset = offset, .bytes = bytes, .fd = fd,
	};
	int err = raw_call(c->fd, AIF_IOC_BUFFER_MEMFD, &arg);

	return err ? err : (int)arg.out_handle;
}

int raw_import(struct raw_client *c, int fd, uint32_t flags)
{
	struct aif_ioc_buffer_import arg = { .size = sizeof(arg), .flags = flags, .fd = fd };
	int err = raw_call(c->fd, AIF_IOC_BUFFER_IMPORT, &arg);

	return err ? err : (int)arg.out_handle;
}

int raw_sync(struct raw_client *c, uint32_t handle, uint32_t flags)
{
	struct aif_ioc_buffer_sync arg = {
		.size = sizeof(arg), .flags = flags, .handle = handle,
	};

	return raw_call(c->fd, AIF_IOC_BUFFER_SYNC, &arg);
}

int raw_share(struct raw_client *c, uint32_t handle, uint32_t rights)
{
	struct aif_ioc_buffer_share arg = {
		.size = sizeof(arg), .handle = handle, .rights = rights,
	};
	int fd = ioctl(c->fd, AIF_IOC_BUFFER_SHARE, &arg);

	return fd < 0 ? -errno : fd;
}

int raw_accept(struct raw_client *c, int fd, uint32_t rights, struct raw_buffer *b)
{
	const uint32_t map = AIF_RIGHT_READ | AIF_RIGHT_MAP;
	struct aif_ioc_buffer_accept arg = { .size = sizeof(arg), .fd = fd, .rights = rights };
	int err = raw_call(c->fd, AIF_IOC_BUFFER_ACCEPT, &arg);
	int prot = PROT_READ | (arg.out_rights & AIF_RIGHT_WRITE ? PROT_WRITE : 0);

	if (err)
		return err;
	*b = (struct raw_buffer){
		.handle = arg.out_handle, .length = arg.out_bytes, .offset = arg.out_offset,
	};
	if (!arg.out_offset || map & ~arg.out_rights)
		return 0;
	b->base = mmap(NULL, b->length, prot, MAP_SHARED, c->fd, (off_t)b->offset);
	return b->base == MAP_FAILED ? -errno : 0;
}

int raw_map(struct raw_client *c, uint32_t handle, const char *name, uint32_t *engine)
{
	struct aif_ioc_buffer_map arg = { .size = sizeof(arg), .handle = handle };
	int err;

	strncpy(arg.engine, name, sizeof(arg.engine) - 1);
	err = raw_call(c->fd, AIF_IOC_BUFFER_MAP, &arg);
	*engine = arg.out_engine;
	return err;
}

int raw_unmap(struct raw_client *c, uint32_t handle, uint32_t engine)
{
	struct aif_ioc_buffer_unmap arg = {
		.size = sizeof(arg), .handle = handle, .engine = engine,
	};

	return raw_call(c->fd, AIF_IOC_BUFFER_UNMAP, &arg);
}

int raw_unpin(struct raw_client *c, uint32_t handle)
{
	return raw_buffer_free(c, &(struct raw_buffer){ .handle = handle });
}

struct aif_desc raw_copy_desc(struct raw_client *c, uint32_t tag, struct aif_range from,
			      struct aif_range to)
{
	return (struct aif_desc){
		.tag = tag, .generation = ++c->generation, .flags = AIF_REQ_F_TRANSFER,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2, .ranges = { from, to },
	};
}

struct aif_desc raw_fill_desc(struct raw_client *c, uint32_t tag, const void *pattern,
			      uint8_t period, struct aif_range to)
{
	struct aif_desc d = {
		.tag = tag, .generation = ++c->generation, .flags = AIF_REQ_F_TRANSFER,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 1, .inline_length = period,
		.range = to,
	};

	memcpy(d.input, pattern, period);
	return d;
}

int raw_transfer(struct raw_client *c, struct aif_desc d)
{
	int n = raw_submit(c, &d, 1, AIF_SUBMIT_F_WAIT_ALL);

	/* A ring that is still going interrupts its process: the transfer goes on. */
	if (n == -EINTR)
		n = raw_wait_quiet(c, d.tag, -1);
	return n < 0 ? n : c->done[d.tag].result;
}

int raw_grant(struct raw_client *c, uint32_t buffer, uint32_t service, uint32_t flags,
	      uint32_t *grant)
{
	struct aif_ioc_grant arg = {
		.size = sizeof(arg), .flags = flags, .buffer = buffer, .service = service,
	};
	int err = raw_call(c->fd, AIF_IOC_GRANT, &arg);

	*grant = arg.out_grant;
	return err;
}

int raw_revoke(struct raw_client *c, uint32_t grant)
{
	struct aif_ioc_revoke arg = { .size = sizeof(arg), .grant = grant };

	return raw_call(c->fd, AIF_IOC_REVOKE, &arg);
}

int raw_submit(struct raw_client *c, const struct aif_desc *d, uint32_t n, uint32_t flags)
{
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .flags = flags, .first = c->position, .count = n,
	};
	uint32_t i;
	int err;

	for (i = 0; i < n; i++)
		c->desc[(c->position + i) & (c->depth - 1)] = d[i];
	c->position += n;
	err = raw_call(c->fd, AIF_IOC_SUBMIT, &arg);
	return err ? err : (int)arg.out_accepted;
}

int raw_cancel(struct raw_client *c, uint32_t tag, uint32_t generation)
{
	struct aif_ioc_cancel arg = {
		.size = sizeof(arg), .tag = tag, .generation = generation,
	};

	return raw_call(c->fd, AIF_IOC_CANCEL, &arg);
}

int raw_wait(struct raw_client *c, uint64_t answered, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .value = answered, .timeout_ns = timeout_ns,
	};

	return raw_call(c->fd, AIF_IOC_WAIT, &arg);
}

int raw_wait_produced(struct raw_client *c, uint32_t tag, uint64_t produced, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .flags = AIF_WAIT_F_PRODUCED, .tag = tag,
		.value = produced, .timeout_ns = timeout_ns,
	};

	return raw_call(c->fd, AIF_IOC_WAIT, &arg);
}

int raw_wait_quiet(struct raw_client *c, uint32_t tag, int64_t timeout_ns)
{
	struct aif_ioc_wait_quiet arg = {
		.size = sizeof(arg), .tag = tag, .timeout_ns = timeout_ns,
	};

	return raw_call(c->fd, AIF_IOC_WAIT_QUIET, &arg);
}

uint32_t raw_state(const struct raw_client *c, uint32_t tag, uint32_t generation)
{
	uint64_t word = __atomic_load_n((const uint64_t *)&c->done[tag], __ATOMIC_ACQUIRE);

	return (uint32_t)word == generation ? (uint32_t)(word >> 32) : AIF_STATE_FREE;
}

bool raw_answered(const struct raw_client *c, uint32_t tag, uint32_t generation)
{
	uint32_t state = raw_state(c, tag, generation);

	return state == AIF_STATE_DONE || state == AIF_STATE_ORPHANED;
}

/* ---- tenants ---- */

int raw_tenants(int fd, struct aif_tenant_now *now, uint32_t capacity)
{
	struct aif_ioc_tenant_list arg = {
		.size = sizeof(arg), .capacity = capacity, .tenants = (uintptr_t)now,
		.entry_size = sizeof(*now),
	};
	int err = raw_call(fd, AIF_IOC_TENANT_LIST, &arg);

	return err ? err : (int)arg.out_count;
}

int raw_tenant(int fd, uint64_t id, struct aif_tenant_now *now)
{
	struct aif_tenant_now all[64];
	int i, n = raw_tenants(fd, all, 64);

	for (i = 0; i < n && i < 64; i++) {
		if (all[i].id != id)
			continue;
		*now = all[i];
		return 0;
	}
	return n < 0 ? n : -ENOENT;
}

int raw_tenant_set(int fd, uint64_t id, uint32_t flags, struct aif_tenant_limits limits)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = flags, .id = id, .limits = limits,
	};

	return raw_call(fd, AIF_IOC_TENANT_SET, &arg);
}

/* ---- service ---- */

struct aif_service_desc raw_service_desc(const char *name)
{
	struct aif_service_desc d = {
		.device = "test", .model = "echo", .step_tokens = 1, .io_count = 2,
		.io = {
			{ .name = "in", .kind = AIF_IO_UTF8, .dtype = AIF_DTYPE_U8, .dims = 1,
			  .shape = { -1 }, .max_bytes = 1 << 20 },
			{ .name = "out", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_U8, .dims = 1,
			  .flags = AIF_IO_F_OUTPUT, .shape = { -1 }, .max_bytes = 1 << 20 },
		},
	};

	snprintf(d.name, sizeof(d.name), "%s", name);
	return d;
}

int raw_service_create(struct raw_service *s, const struct aif_service_desc *desc, uid_t owner)
{
	struct aif_ioc_service_create arg = { .size = sizeof(arg), .desc = *desc };
	int err;

	s->fd = geteuid() == 0 ? raw_open_as("/dev/aif-serve", owner) :
				 open("/dev/aif-serve", O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return geteuid() == 0 ? s->fd : -errno;
	err = raw_call(s->fd, AIF_IOC_SERVICE_CREATE, &arg);
	s->id = arg.out_id;
	s->owner = owner;
	memcpy(s->name, desc->name, sizeof(s->name));
	return err;
}

void raw_service_close(struct raw_service *s)
{
	close(s->fd);
	s->fd = -1;
}

int raw_service_describe(int fd, uint32_t id, struct aif_ioc_service_describe *d)
{
	memset(d, 0, sizeof(*d));
	d->size = sizeof(*d);
	d->id = id;
	return raw_call(fd, AIF_IOC_SERVICE_DESCRIBE, d);
}

int raw_service_drain(struct raw_service *s)
{
	struct aif_ioc_service_drain arg = { .size = sizeof(arg) };

	return raw_call(s->fd, AIF_IOC_SERVICE_DRAIN, &arg);
}

/* ---- executor ---- */

static int executor_map(struct raw_executor *ex, const struct aif_array *a)
{
	int err;

	ex->commit_count = a[AIF_ARRAY_COMMIT].count;
	err = map_array(ex->fd, &a[AIF_ARRAY_SLOT], false, &ex->slot);
	if (!err)
		err = map_array(ex->fd, &a[AIF_ARRAY_DELIVERY], false, &ex->delivery);
	if (!err)
		err = map_array(ex->fd, &a[AIF_ARRAY_COMMIT], true, &ex->commit);
	if (!err)
		err = map_array(ex->fd, &a[AIF_ARRAY_EXECUTOR_STATUS], false, &ex->status);
	return err;
}

int raw_executor_init(struct raw_executor *ex, int fd, uint32_t service, int holder,
		      uint32_t slots, uint64_t features)
{
	struct aif_ioc_executor_attach attach = {
		.size = sizeof(attach), .service = service, .holder_fd = holder, .slots = slots,
	};
	struct aif_ioc_info info = { .size = sizeof(info), .features = features };
	int err;

	memset(ex, 0, sizeof(*ex));
	ex->fd = fd;
	ex->slots = slots;
	err = raw_call(fd, AIF_IOC_EXECUTOR_ATTACH, &attach);
	if (!err)
		err = raw_call(fd, AIF_IOC_INFO, &info);
	ex->features = info.features;
	return err ? err : executor_map(ex, info.out_arrays);
}

int raw_executor_open(struct raw_executor *ex, const struct raw_service *s, uint32_t slots)
{
	int fd = geteuid() == 0 ? raw_open_as("/dev/aif-serve", s->owner) :
				  open("/dev/aif-serve", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return geteuid() == 0 ? fd : -errno;
	return raw_executor_init(ex, fd, s->id, -1, slots, AIF_F_URING);
}

void raw_executor_unmap(struct raw_executor *ex)
{
	uint32_t i;

	unmap(ex->slot, ex->slots * sizeof(*ex->slot));
	unmap(ex->delivery, ex->commit_count * sizeof(*ex->delivery));
	unmap(ex->commit, ex->commit_count * sizeof(*ex->commit));
	unmap(ex->status, sizeof(*ex->status));
	for (i = 0; i < RAW_VIEWS_MAX; i++)
		unmap(ex->views[i].base, ex->views[i].length);
	memset(ex->views, 0, sizeof(ex->views));
	ex->slot = NULL;
	ex->delivery = NULL;
	ex->commit = NULL;
	ex->status = NULL;
}

void raw_executor_close(struct raw_executor *ex)
{
	raw_executor_unmap(ex);
	close(ex->fd);
	ex->fd = -1;
}

int raw_turn(struct raw_executor *ex, uint32_t flags, uint32_t commits, uint32_t credit)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = flags, .commit_count = commits, .credit = credit,
	};
	int err = raw_call(ex->fd, AIF_IOC_COMMIT_FETCH, &arg);

	ex->stale = arg.out_stale;
	return err ? err : (int)arg.out_count;
}

struct raw_view *raw_view_find(struct raw_executor *ex, uint32_t grant)
{
	uint32_t i;

	for (i = 0; i < RAW_VIEWS_MAX; i++)
		if (ex->views[i].grant == grant)
			return &ex->views[i];
	return NULL;
}

static int view_add(struct raw_executor *ex, const struct aif_delivery *d)
{
	bool writable = d->flags & AIF_DELIVERY_F_WRITE;
	struct raw_view *v = raw_view_find(ex, 0);

	if (!v)
		return -ENOSPC;
	v->grant = d->index;
	v->flags = d->flags;
	v->length = d->length;
	v->offset = d->offset;
	return map(ex->fd, d->offset, d->length, PROT_READ | (writable ? PROT_WRITE : 0), &v->base);
}

static int view_drop(struct raw_executor *ex, uint32_t grant)
{
	struct raw_view *v = raw_view_find(ex, grant);

	if (v) {
		unmap(v->base, v->length);
		memset(v, 0, sizeof(*v));
	}
	return raw_ack(ex, grant);
}

int raw_deliveries(struct raw_executor *ex, uint32_t n, struct raw_taken *taken)
{
	struct aif_delivery d;
	int requests = 0, err = 0;
	uint32_t i;

	for (i = 0; i < n && !err; i++) {
		d = ex->delivery[i];
		ex->events[d.type]++;
		if (d.type == AIF_DELIVERY_REQUEST)
			taken[requests++] = (struct raw_taken){ d.index, d.generation };
		else if (d.type == AIF_EVENT_GRANT_ADDED)
			err = view_add(ex, &d);
		else if (d.type == AIF_EVENT_GRANT_REVOKED)
			err = view_drop(ex, d.index);
	}
	return err < 0 ? err : requests;
}

int raw_take(struct raw_executor *ex, uint32_t flags, uint32_t credit, struct raw_taken *taken)
{
	int n = raw_turn(ex, flags, 0, credit);

	return n < 0 ? n : raw_deliveries(ex, (uint32_t)n, taken);
}

/* One commit, nothing fetched: 1 if it was stale. */
static int commit_one(struct raw_executor *ex, struct aif_commit c)
{
	int err;

	ex->commit[0] = c;
	err = raw_turn(ex, AIF_FETCH_F_COMMIT_ONLY, 1, 0);
	return err ? err : (int)ex->stale;
}

int raw_give(struct raw_executor *ex, struct raw_taken t, int32_t result, uint32_t produced,
	     uint64_t device_ns)
{
	return commit_one(ex, (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = t.slot, .generation = t.generation,
		.result = result, .produced = produced, .device_ns = device_ns,
	});
}

int raw_ack(struct raw_executor *ex, uint32_t grant)
{
	return commit_one(ex, (struct aif_commit){
		.type = AIF_COMMIT_GRANT_ACK, .index = grant,
	});
}

int raw_progress(struct raw_executor *ex, struct raw_taken t, uint32_t produced,
		 uint64_t device_ns)
{
	struct aif_ioc_progress arg = {
		.size = sizeof(arg), .slot = t.slot, .generation = t.generation,
		.produced = produced, .device_ns = device_ns,
	};
	int err = raw_call(ex->fd, AIF_IOC_PROGRESS, &arg);

	return err ? err : (int)arg.out_cancelled;
}

uint8_t *raw_at(struct raw_executor *ex, const struct aif_range *r)
{
	struct raw_view *v = r->grant ? raw_view_find(ex, r->grant) : NULL;

	if (!v || r->offset > v->length || r->length > v->length - r->offset)
		return NULL;
	return v->base + r->offset;
}

int raw_echo(struct raw_executor *ex, struct raw_taken t)
{
	struct aif_slot s = ex->slot[t.slot];
	const uint8_t *in = s.inline_length ? s.input : raw_at(ex, &s.ranges[0]);
	const struct aif_range *to = s.inline_length ? &s.range : &s.ranges[1];
	uint32_t n = s.inline_length ? s.inline_length : s.ranges[0].length;
	uint8_t *out = raw_at(ex, to);

	if (n > to->length)
		n = to->length;
	if (!in || !out)
		return raw_give(ex, t, -EIO, 0, 0);
	memcpy(out, in, n);
	return raw_give(ex, t, 0, n, 0);
}

int raw_echo_all(struct raw_executor *ex, uint32_t flags, uint32_t credit)
{
	struct raw_taken taken[1024];
	int n = raw_take(ex, flags, credit, taken);
	int i, err;

	for (i = 0; i < n; i++) {
		err = raw_echo(ex, taken[i]);
		if (err < 0)
			return err;
	}
	return n;
}

/* ---- all of it in one process ---- */

static int rig_client(struct raw_rig *r)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err;

	if (fd < 0)
		return fd;
	err = raw_client_init(&r->client, fd, 64, AIF_F_URING);
	if (err)
		return err;
	err = raw_service_open(&r->client, r->service.name, RAW_EXECUTOR_UID);
	if (err < 0)
		return err;
	r->handle = (uint32_t)err;
	err = raw_buffer_alloc(&r->client, RAW_RIG_BYTES, &r->buffer);
	return err ? err : raw_grant(&r->client, r->buffer.handle, r->handle, AIF_GRANT_F_WRITE,
				     &r->grant);
}

int raw_rig_open(struct raw_rig *r, const struct aif_service_desc *desc)
{
	struct aif_service_desc echo = raw_service_desc("echo");
	int err;

	memset(r, 0, sizeof(*r));
	r->service.fd = -1;
	r->executor.fd = -1;
	r->client.fd = -1;
	err = raw_service_create(&r->service, desc ? desc : &echo, RAW_EXECUTOR_UID);
	if (!err)
		err = raw_executor_open(&r->executor, &r->service, 16);
	return err ? err : rig_client(r);
}

void raw_rig_close(struct raw_rig *r)
{
	unmap(r->buffer.base, r->buffer.length);
	raw_client_close(&r->client);
	raw_executor_close(&r->executor);
	raw_service_close(&r->service);
}

struct aif_desc raw_rig_desc(struct raw_rig *r, uint32_t tag)
{
	return (struct aif_desc){
		.tag = tag, .generation = ++r->client.generation, .service = r->handle,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = {
			{ .grant = r->grant, .offset = tag * 64, .length = 64 },
			{ .grant = r->grant, .offset = RAW_RIG_OUTPUT + tag * 64, .length = 64 },
		},
	};
}

/* ---- rings ---- */

struct io_uring_sqe *raw_ring_prep(struct io_uring *ring, int fd, uint32_t op,
				   const void *payload, uint64_t user_data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return NULL;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	sqe->user_data = user_data;
	memcpy(sqe->cmd, payload, 16);
	return sqe;
}

int raw_ring_call(struct io_uring *ring, int fd, uint32_t op, const void *payload)
{
	struct io_uring_cqe *cqe;
	int res;

	if (!raw_ring_prep(ring, fd, op, payload, 0))
		return -ENOSPC;
	res = io_uring_submit_and_wait(ring, 1);
	if (res < 0)
		return res;
	res = io_uring_peek_cqe(ring, &cqe);
	if (res)
		return res;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

/* ---- processes ---- */

static void become(uid_t uid)
{
	if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))) {
		perror("become");
		_exit(125);
	}
}

pid_t raw_spawn(uid_t uid, int (*fn)(void *arg), void *arg)
{
	pid_t pid;
	int ret;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	become(uid);
	ret = fn(arg);
	fflush(NULL);
	_exit(ret);
}

int raw_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int raw_run_as(uid_t uid, int (*fn)(void *arg), void *arg)
{
	pid_t pid = raw_spawn(uid, fn, arg);

	return pid < 0 ? pid : raw_reap(pid);
}

void raw_check(bool ok, const char *expression, const char *file, int line)
{
	if (ok)
		return;
	fprintf(stderr, "# %s:%d: uid %u: %s does not hold\n", file, line, getuid(), expression);
	fflush(NULL);
	_exit(1);
}

int raw_gate_init(struct raw_gate *g)
{
	return pipe(g->fds) ? -errno : 0;
}

void raw_gate_open(struct raw_gate *g)
{
	if (write(g->fds[1], "", 1) != 1)
		abort();
}

void raw_gate_pass(struct raw_gate *g)
{
	char c;

	while (read(g->fds[0], &c, 1) != 1)
		if (errno != EINTR)
			abort();
}

void raw_gate_fini(struct raw_gate *g)
{
	close(g->fds[0]);
	close(g->fds[1]);
}

/* ---- bytes ---- */

union raw_control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr raw_message(struct iovec *iov, union raw_control *control)
{
	return (struct msghdr){
		.msg_iov = iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(*control),
	};
}

int raw_send_fd(int socket, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union raw_control control = { .header = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd)),
	} };
	struct msghdr msg = raw_message(&iov, &control);

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

int raw_receive_fd(int socket)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union raw_control control;
	struct msghdr msg = raw_message(&iov, &control);
	int fd = -EBADMSG;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

void raw_scribble(uint8_t *p, size_t n, uint32_t seed)
{
	size_t i;

	for (i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

bool raw_filled(const uint8_t *p, size_t n, uint8_t byte)
{
	return !n || (p[0] == byte && !memcmp(p, p + 1, n - 1));
}

/* ---- what the module says of itself ---- */

uint64_t raw_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void raw_sleep_ms(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n;

	if (!f)
		return -errno;
	if (fscanf(f, "%ld", &n) != 1)
		n = -EIO;
	fclose(f);
	return n;
}

long raw_counter(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), DEBUGFS "counters/%s", name);
	return read_number(path);
}

long raw_alive(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), DEBUGFS "alive/%s", name);
	return read_number(path);
}

long raw_vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char key[64];
	long n, found = -ENOENT;

	if (!f)
		return -errno;
	while (found < 0 && fscanf(f, "%63s %ld", key, &n) == 2)
		if (!strcmp(key, name))
			found = n;
	fclose(f);
	return found;
}

/* The counters are kept for each processor; a refresh makes them exact. */
long raw_pins(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (fd >= 0) {
		if (write(fd, "1\n", 2) != 2)
			perror("stat_refresh");
		close(fd);
	}
	return raw_vmstat("nr_foll_pin_acquired") - raw_vmstat("nr_foll_pin_released");
}

int raw_alive_becomes(const char *name, long value)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (raw_alive(name) == value)
			return 0;
		raw_sleep_ms(10);
	}
	fprintf(stderr, "# alive/%s is %ld, not %ld\n", name, raw_alive(name), value);
	return -ETIME;
}

int raw_all_gone(void)
{
	static const char *const names[] = {
		"files", "clients", "services", "executors", "devices", "tenants", "buffers",
		"grants", "views", "buffer_bytes", "held_bytes", "quarantined_bytes",
	};
	int err = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (raw_alive_becomes(names[i], 0))
			err = -ETIME;
	return err;
}
