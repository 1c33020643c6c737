// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter.h"
#include "ops.h"

static int serve_open(void)
{
	return raw_open_as("/dev/aif-serve", RAW_EXECUTOR_UID);
}

/* ---- the world ---- */

static int hold_one(struct op_world *w)
{
	struct aif_desc d = raw_rig_desc(&w->rig, 60);
	int n = raw_submit(&w->rig.client, &d, 1, 0);

	if (n == 1)
		n = raw_take(&w->rig.executor, AIF_FETCH_F_NONBLOCK, 1, &w->held);
	return n == 1 ? 0 : n ? n : -EAGAIN;
}

/* What calls of BUFFER_SHARE returned and nobody kept. */
static void close_shared(void)
{
	char path[32], link[64];
	ssize_t n;
	int fd;

	for (fd = 3; fd < 1024; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		link[n < 0 ? 0 : n] = 0;
		if (!strcmp(link, "anon_inode:[aif-buffer]"))
			close(fd);
	}
}

void op_world_close(struct op_world *w)
{
	/* What a living process holds when its file is closed is never quiet. */
	raw_give(&w->rig.executor, w->held, 0, 0, 0);
	if (w->spare >= 0)
		close(w->spare);
	close(w->memfd);
	if (w->dmabuf >= 0)
		close(w->dmabuf);
	close_shared();
	close(w->serve);
	raw_service_close(&w->other);
	raw_rig_close(&w->rig);
	if (system("rmmod aif_mock"))
		printf("# aif_mock stays loaded\n");
}

int op_world_fd(struct op_world *w, enum aif_role role)
{
	switch (role) {
	case AIF_ROLE_CLIENT:
		return w->rig.client.fd;
	case AIF_ROLE_SERVE:
		return w->serve;
	case AIF_ROLE_HOLDER:
		return w->other.fd;
	default:
		return w->rig.executor.fd;
	}
}

/* A file of /dev/aif-serve for calls that give it a role. */
static int spare_open(struct op_world *w)
{
	if (w->spare >= 0)
		close(w->spare);
	w->spare = serve_open();
	return w->spare;
}

/* ---- arguments that succeed ---- */

static int prepare_info(struct op_world *w, void *p)
{
	return w->rig.client.fd;
}

static int prepare_buffer_alloc(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_alloc *arg = p;

	arg->bytes = 5000;
	return w->rig.client.fd;
}

static int prepare_buffer_free(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_alloc alloc = { .size = sizeof(alloc), .bytes = 1 };
	struct aif_ioc_buffer_free *arg = p;
	int err = raw_call(w->rig.client.fd, AIF_IOC_BUFFER_ALLOC, &alloc);

	arg->handle = alloc.out_handle;
	return err ? err : w->rig.client.fd;
}

static int prepare_buffer_pin(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_pin *arg = p;

	arg->address = (uintptr_t)w->text;
	arg->bytes = sizeof(w->text);
	return w->rig.client.fd;
}

static int prepare_buffer_memfd(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_memfd *arg = p;

	arg->fd = w->memfd;
	arg->bytes = 4096;
	return w->rig.client.fd;
}

static int prepare_buffer_import(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_import *arg = p;

	arg->fd = w->dmabuf;
	return w->rig.client.fd;
}

/* Opened: it was closed, unless a call before failed. */
static int prepare_buffer_sync(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_sync *arg = p;

	arg->handle = w->imported;
	raw_sync(&w->rig.client, arg->handle, AIF_SYNC_F_END);
	return w->rig.client.fd;
}

static int prepare_buffer_share(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_share *arg = p;

	arg->handle = w->rig.buffer.handle;
	arg->rights = AIF_RIGHT_ALL;
	return w->rig.client.fd;
}

static int prepare_buffer_accept(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_accept *arg = p;

	arg->fd = w->shared;
	return w->rig.client.fd;
}

/* For aif_mock.ko, see op_world_open(). */
static int prepare_buffer_map(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_map *arg = p;

	arg->handle = w->rig.buffer.handle;
	strcpy(arg->engine, "mock");
	return w->rig.client.fd;
}

static int prepare_buffer_unmap(struct op_world *w, void *p)
{
	struct aif_ioc_buffer_unmap *arg = p;

	arg->handle = w->rig.buffer.handle;
	return raw_map(&w->rig.client, arg->handle, "mock", &arg->engine) ?: w->rig.client.fd;
}

static int prepare_grant(struct op_world *w, void *p)
{
	struct aif_ioc_grant *arg = p;

	arg->buffer = w->rig.buffer.handle;
	arg->service = w->rig.handle;
	return w->rig.client.fd;
}

static int prepare_revoke(struct op_world *w, void *p)
{
	struct aif_ioc_revoke *arg = p;
	int err = raw_grant(&w->rig.client, w->rig.buffer.handle, w->rig.handle, 0, &arg->grant);

	return err ? err : w->rig.client.fd;
}

static int prepare_declare_pins(struct op_world *w, void *p)
{
	struct aif_ioc_declare_pins *arg = p;

	arg->handle = w->rig.buffer.handle;
	arg->pins = 1024;
	return w->rig.client.fd;
}

static int prepare_service_create(struct op_world *w, void *p)
{
	struct aif_ioc_service_create *arg = p;

	strcpy(w->text, "license=MIT\n");
	arg->text = (uintptr_t)w->text;
	arg->text_length = (uint32_t)strlen(w->text);
	arg->desc = raw_service_desc("spare");
	return spare_open(w);
}

static int prepare_service_list(struct op_world *w, void *p)
{
	struct aif_ioc_service_list *arg = p;

	memset(w->ids, 0, sizeof(w->ids));
	arg->capacity = 16;
	arg->ids = (uintptr_t)w->ids;
	return w->serve;
}

static int prepare_service_describe(struct op_world *w, void *p)
{
	struct aif_ioc_service_describe *arg = p;

	arg->id = w->rig.service.id;
	arg->text = (uintptr_t)w->text;
	arg->text_capacity = sizeof(w->text);
	return w->serve;
}

static int prepare_service_open(struct op_world *w, void *p)
{
	struct aif_ioc_service_open *arg = p;

	arg->owner = RAW_EXECUTOR_UID;
	strcpy(arg->name, w->other.name);
	return w->rig.client.fd;
}

static int prepare_service_drain(struct op_world *w, void *p)
{
	return w->other.fd;
}

/* One tag after the other, each cancelled again: 0 .. 31. */
static void next_desc(struct op_world *w, uint32_t *position)
{
	struct raw_client *c = &w->rig.client;
	uint32_t tag = c->position % 32;

	raw_cancel(c, AIF_TAG_ALL, 0);
	*position = c->position++;
	c->desc[*position % c->depth] = raw_rig_desc(&w->rig, tag);
}

static int prepare_submit(struct op_world *w, void *p)
{
	struct aif_ioc_submit *arg = p;

	next_desc(w, &arg->first);
	arg->count = 1;
	return w->rig.client.fd;
}

static int prepare_wait(struct op_world *w, void *p)
{
	return w->rig.client.fd;
}

static int prepare_wait_quiet(struct op_world *w, void *p)
{
	struct aif_ioc_wait_quiet *arg = p;

	arg->tag = 63;
	return w->rig.client.fd;
}

static int prepare_cancel(struct op_world *w, void *p)
{
	struct aif_ioc_cancel *arg = p;

	arg->tag = AIF_TAG_ALL;
	return w->rig.client.fd;
}

static int prepare_set_eventfd(struct op_world *w, void *p)
{
	struct aif_ioc_set_eventfd *arg = p;

	arg->fd = -1;
	return w->rig.client.fd;
}

static int prepare_executor_attach(struct op_world *w, void *p)
{
	struct aif_ioc_executor_attach *arg = p;

	arg->service = w->other.id;
	arg->holder_fd = -1;
	arg->slots = 1;
	return spare_open(w);
}

static int prepare_commit_fetch(struct op_world *w, void *p)
{
	struct aif_ioc_commit_fetch *arg = p;

	arg->flags = AIF_FETCH_F_COMMIT_ONLY;
	return w->rig.executor.fd;
}

static int prepare_progress(struct op_world *w, void *p)
{
	struct aif_ioc_progress *arg = p;

	arg->slot = w->held.slot;
	arg->generation = w->held.generation;
	return w->rig.executor.fd;
}

static int prepare_tenant_list(struct op_world *w, void *p)
{
	struct aif_ioc_tenant_list *arg = p;

	arg->tenants = (uintptr_t)w->tenants;
	arg->capacity = 8;
	arg->entry_size = sizeof(w->tenants[0]);
	return w->serve;
}

/* What is the default becomes the default. */
static int prepare_tenant_set(struct op_world *w, void *p)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	int err = raw_call(w->rig.client.fd, AIF_IOC_INFO, &info);
	struct aif_ioc_tenant_set *arg = p;

	arg->id = info.out_tenant;
	arg->flags = AIF_TENANT_F_WEIGHT;
	return err ? err : w->rig.client.fd;
}

#define CLIENT		(1u << AIF_ROLE_CLIENT)
#define SERVE		(1u << AIF_ROLE_SERVE)
#define HOLDER		(1u << AIF_ROLE_HOLDER)
#define EXECUTOR	(1u << AIF_ROLE_EXECUTOR)
#define EVERY		(CLIENT | SERVE | HOLDER | EXECUTOR)

#define F(type, field)	{ offsetof(struct aif_##type, field), \
			  sizeof(((struct aif_##type *)0)->field) }
#define FRESH(type, field) { offsetof(struct aif_##type, field), \
			     sizeof(((struct aif_##type *)0)->field), true }
#define OP(ioc, type, fn, who) \
	.name = #ioc, .cmd = AIF_IOC_##ioc, .size = sizeof(struct aif_ioc_##type), \
	.prepare = fn, .roles = who

const struct op ops[] = {
	{ OP(INFO, info, prepare_info, EVERY),
	  .out = { F(ioc_info, out_role), F(ioc_info, out_max_depth),
		   F(ioc_info, out_tenant), F(ioc_info, out_tenant_bytes),
		   F(ioc_info, out_service_bytes), F(ioc_info, out_tenant_requests),
		   F(ioc_info, out_device_requests), F(ioc_info, out_tenant_pinned),
		   F(ioc_info, out_arrays) } },
	{ OP(BUFFER_ALLOC, buffer_alloc, prepare_buffer_alloc, CLIENT),
	  .out = { FRESH(ioc_buffer_alloc, out_handle), FRESH(ioc_buffer_alloc, out_offset),
		   F(ioc_buffer_alloc, out_bytes) },
	  .reserved = { F(ioc_buffer_alloc, __reserved) },
	  .flags = { offsetof(struct aif_ioc_buffer_alloc, flags), 0 } },
	{ OP(BUFFER_FREE, buffer_free, prepare_buffer_free, CLIENT) },
	{ OP(BUFFER_PIN, buffer_pin, prepare_buffer_pin, CLIENT),
	  .out = { FRESH(ioc_buffer_pin, out_handle) },
	  .reserved = { F(ioc_buffer_pin, __reserved) },
	  .flags = { offsetof(struct aif_ioc_buffer_pin, flags), AIF_PIN_F_WRITE } },
	{ OP(BUFFER_SHARE, buffer_share, prepare_buffer_share, CLIENT),
	  .reserved = { F(ioc_buffer_share, __reserved) },
	  .flags = { offsetof(struct aif_ioc_buffer_share, rights), AIF_RIGHT_ALL } },
	{ OP(BUFFER_ACCEPT, buffer_accept, prepare_buffer_accept, CLIENT),
	  .out = { FRESH(ioc_buffer_accept, out_handle), F(ioc_buffer_accept, out_rights),
		   FRESH(ioc_buffer_accept, out_offset), F(ioc_buffer_accept, out_bytes) },
	  .reserved = { F(ioc_buffer_accept, __reserved) },
	  .flags = { offsetof(struct aif_ioc_buffer_accept, rights), AIF_RIGHT_ALL } },
	{ OP(BUFFER_MAP, buffer_map, prepare_buffer_map, CLIENT),
	  .out = { F(ioc_buffer_map, out_engine) },
	  .flags = { offsetof(struct aif_ioc_buffer_map, flags), 0 } },
	{ OP(BUFFER_UNMAP, buffer_unmap, prepare_buffer_unmap, CLIENT),
	  .reserved = { F(ioc_buffer_unmap, __reserved) } },
	{ OP(GRANT, grant, prepare_grant, CLIENT),
	  .out = { FRESH(ioc_grant, out_grant) },
	  .reserved = { F(ioc_grant, __reserved) },
	  .flags = { offsetof(struct aif_ioc_grant, flags), AIF_GRANT_F_WRITE } },
	{ OP(REVOKE, revoke, prepare_revoke, CLIENT) },
	{ OP(DECLARE_PINS, declare_pins, prepare_declare_pins, CLIENT | EXECUTOR),
	  .reserved = { F(ioc_declare_pins, __reserved) } },
	{ OP(SERVICE_CREATE, service_create, prepare_service_create, SERVE | HOLDER | EXECUTOR),
	  .out = { FRESH(ioc_service_create, out_id) },
	  .reserved = { F(ioc_service_create, __reserved),
			F(ioc_service_create, desc.__reserved),
			F(ioc_service_create, desc.io[0].__reserved),
			F(ioc_service_create, desc.io[1].__reserved),
			F(ioc_service_create, desc.io[2].__reserved),
			F(ioc_service_create, desc.io[2].kind),
			F(ioc_service_create, desc.io[0].shape[1]) } },
	{ OP(SERVICE_LIST, service_list, prepare_service_list, EVERY),
	  .out = { F(ioc_service_list, out_count) },
	  .reserved = { F(ioc_service_list, __reserved) } },
	{ OP(SERVICE_DESCRIBE, service_describe, prepare_service_describe, EVERY),
	  .out = { F(ioc_service_describe, out_text_length), F(ioc_service_describe, out_owner),
		   F(ioc_service_describe, out_executors), F(ioc_service_describe, out_queued),
		   F(ioc_service_describe, out_fetched), F(ioc_service_describe, out_draining),
		   F(ioc_service_describe, out_grants),
		   F(ioc_service_describe, out_granted_bytes),
		   F(ioc_service_describe, out_answered),
		   F(ioc_service_describe, out_recovered), F(ioc_service_describe, out_desc) } },
	{ OP(SERVICE_OPEN, service_open, prepare_service_open, CLIENT),
	  .out = { F(ioc_service_open, out_handle), F(ioc_service_open, out_id) } },
	{ OP(SERVICE_DRAIN, service_drain, prepare_service_drain, HOLDER),
	  .reserved = { F(ioc_service_drain, __reserved) } },
	{ OP(SUBMIT, submit, prepare_submit, CLIENT),
	  .out = { F(ioc_submit, out_accepted) },
	  .reserved = { F(ioc_submit, __reserved) },
	  .flags = { offsetof(struct aif_ioc_submit, flags),
		     AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST } },
	{ OP(WAIT, wait, prepare_wait, CLIENT),
	  .reserved = { F(ioc_wait, __reserved), F(ioc_wait, tag) },
	  .flags = { offsetof(struct aif_ioc_wait, flags), AIF_WAIT_F_PRODUCED } },
	{ OP(WAIT_QUIET, wait_quiet, prepare_wait_quiet, CLIENT) },
	{ OP(CANCEL, cancel, prepare_cancel, CLIENT),
	  .flags = { offsetof(struct aif_ioc_cancel, flags), AIF_CANCEL_F_WAITS } },
	{ OP(SET_EVENTFD, set_eventfd, prepare_set_eventfd, CLIENT) },
	{ OP(EXECUTOR_ATTACH, executor_attach, prepare_executor_attach,
	     SERVE | HOLDER | EXECUTOR),
	  .reserved = { F(ioc_executor_attach, __reserved) },
	  .flags = { offsetof(struct aif_ioc_executor_attach, flags), 0 } },
	{ OP(COMMIT_FETCH, commit_fetch, prepare_commit_fetch, EXECUTOR),
	  .out = { F(ioc_commit_fetch, out_count), F(ioc_commit_fetch, out_stale) },
	  .reserved = { F(ioc_commit_fetch, __reserved) },
	  .flags = { offsetof(struct aif_ioc_commit_fetch, flags),
		     AIF_FETCH_F_NONBLOCK | AIF_FETCH_F_COMMIT_ONLY } },
	{ OP(PROGRESS, progress, prepare_progress, EXECUTOR),
	  .out = { F(ioc_progress, out_cancelled) },
	  .reserved = { F(ioc_progress, __reserved) } },
	{ OP(TENANT_LIST, tenant_list, prepare_tenant_list, EVERY),
	  .out = { F(ioc_tenant_list, out_count) } },
	{ OP(TENANT_SET, tenant_set, prepare_tenant_set, EVERY),
	  .reserved = { F(ioc_tenant_set, limits.alloc_bytes),
			F(ioc_tenant_set, limits.pinned_bytes),
			F(ioc_tenant_set, limits.mapped_bytes),
			F(ioc_tenant_set, limits.requests),
			F(ioc_tenant_set, limits.bytes_second),
			F(ioc_tenant_set, realtime) },
	  .flags = { offsetof(struct aif_ioc_tenant_set, flags),
		     AIF_TENANT_F_ALLOC | AIF_TENANT_F_PINNED | AIF_TENANT_F_REQUESTS |
		     AIF_TENANT_F_WEIGHT | AIF_TENANT_F_BYTES_SECOND |
		     AIF_TENANT_F_REALTIME | AIF_TENANT_F_MAPPED } },
	/* The last, since some kernels cannot: who pins no folios has no heap either. */
	{ OP(BUFFER_MEMFD, buffer_memfd, prepare_buffer_memfd, CLIENT),
	  .out = { FRESH(ioc_buffer_memfd, out_handle) },
	  .flags = { offsetof(struct aif_ioc_buffer_memfd, flags), AIF_PIN_F_WRITE } },
	{ OP(BUFFER_IMPORT, buffer_import, prepare_buffer_import, CLIENT),
	  .out = { FRESH(ioc_buffer_import, out_handle), F(ioc_buffer_import, out_bytes) },
	  .flags = { offsetof(struct aif_ioc_buffer_import, flags), AIF_PIN_F_WRITE } },
	{ OP(BUFFER_SYNC, buffer_sync, prepare_buffer_sync, CLIENT),
	  .reserved = { F(ioc_buffer_sync, __reserved) },
	  .flags = { offsetof(struct aif_ioc_buffer_sync, flags),
		     AIF_SYNC_F_WRITE | AIF_SYNC_F_END } },
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

const size_t op_total = OPS;
size_t op_count = OPS;

static bool kernel_pins_folios(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, " memfd_pin_folios\n");
	if (f)
		fclose(f);
	return found;
}

/* As count_left_out(), of those that need a dma-buf. */
static int import_page(struct op_world *w)
{
	int h;

	w->dmabuf = exporter_heap(4096, O_RDWR);
	if (w->dmabuf < 0) {
		printf("# SKIP BUFFER_IMPORT, BUFFER_SYNC: this kernel has no heap of dma-bufs\n");
		return 2;
	}
	h = raw_import(&w->rig.client, w->dmabuf, AIF_PIN_F_WRITE);
	w->imported = (uint32_t)h;
	return h < 0 ? h : 0;
}

/* How many of the table's last are left out, or -errno: one is not there, and should be. */
static int count_left_out(struct op_world *w)
{
	int64_t features = raw_client_ask(&w->rig.client, AIF_F_MEMFD | AIF_F_IMPORT);

	if (features < 0 || features & AIF_F_MEMFD)
		return features < 0 ? (int)features : import_page(w);
	if (kernel_pins_folios()) {
		printf("# BUFFER_MEMFD is not offered, and this kernel has memfd_pin_folios()\n");
		return -EOPNOTSUPP;
	}
	printf("# SKIP BUFFER_MEMFD: this kernel cannot pin a memfd's folios\n");
	printf("# SKIP BUFFER_IMPORT, BUFFER_SYNC: nor has it a heap of dma-bufs\n");
	return 3;
}

int op_world_open(struct op_world *w)
{
	struct aif_service_desc other = raw_service_desc("other");
	int err;

	memset(w, 0, sizeof(*w));
	w->spare = -1;
	w->dmabuf = -1;
	err = raw_rig_open(&w->rig, NULL);
	if (!err)
		err = raw_service_create(&w->other, &other, RAW_EXECUTOR_UID);
	if (!err)
		err = hold_one(w);
	if (!err) {
		w->shared = raw_share(&w->rig.client, w->rig.buffer.handle, AIF_RIGHT_ALL);
		err = w->shared < 0 ? w->shared : 0;
	}
	if (!err && (system("modprobe aif_mock maps=1") ||
		     raw_client_ask(&w->rig.client, AIF_F_MAP) < 0))
		err = -ENODEV;
	w->memfd = memfd_create("op", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!err && (ftruncate(w->memfd, 4096) || fcntl(w->memfd, F_ADD_SEALS, F_SEAL_SHRINK)))
		err = -errno;
	if (!err)
		err = count_left_out(w);
	op_count = OPS - (err > 0 ? (size_t)err : 0);
	err = err < 0 ? err : 0;
	w->serve = serve_open();
	return err ? err : w->serve < 0 ? w->serve : 0;
}

/* ---- ring commands ---- */

static int ring_submit(struct op_world *w, void *p)
{
	struct aif_cmd_submit *cmd = p;

	next_desc(w, &cmd->first);
	cmd->count = 1;
	return w->rig.client.fd;
}

static int ring_wait(struct op_world *w, void *p)
{
	return w->rig.client.fd;
}

static int ring_wait_quiet(struct op_world *w, void *p)
{
	struct aif_cmd_wait_quiet *cmd = p;

	cmd->tag = 63;
	return w->rig.client.fd;
}

static int ring_cancel(struct op_world *w, void *p)
{
	struct aif_cmd_cancel *cmd = p;

	cmd->tag = AIF_TAG_ALL;
	return w->rig.client.fd;
}

static int ring_commit_fetch(struct op_world *w, void *p)
{
	struct aif_cmd_commit_fetch *cmd = p;

	cmd->flags = AIF_FETCH_F_COMMIT_ONLY;
	return w->rig.executor.fd;
}

static int ring_progress(struct op_world *w, void *p)
{
	struct aif_cmd_progress *cmd = p;

	cmd->slot = w->held.slot;
	cmd->generation = w->held.generation;
	return w->rig.executor.fd;
}

#define RING(op, fn, who)	.name = #op, .cmd = AIF_CMD_##op, .prepare = fn, .roles = who

const struct ring_op ring_ops[] = {
	{ RING(SUBMIT, ring_submit, CLIENT), .reserved = { F(cmd_submit, __reserved) },
	  .has_flags = true,
	  .flags = { offsetof(struct aif_cmd_submit, flags),
		     AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST } },
	{ RING(WAIT, ring_wait, CLIENT), .reserved = { F(cmd_wait, tag) }, .has_flags = true,
	  .flags = { offsetof(struct aif_cmd_wait, flags), AIF_WAIT_F_PRODUCED } },
	{ RING(WAIT_QUIET, ring_wait_quiet, CLIENT),
	  .reserved = { F(cmd_wait_quiet, __reserved[0]), F(cmd_wait_quiet, __reserved[1]),
			F(cmd_wait_quiet, __reserved[2]) } },
	{ RING(CANCEL, ring_cancel, CLIENT), .reserved = { F(cmd_cancel, __reserved) },
	  .has_flags = true,
	  .flags = { offsetof(struct aif_cmd_cancel, flags), AIF_CANCEL_F_WAITS } },
	{ RING(COMMIT_FETCH, ring_commit_fetch, EXECUTOR), .has_flags = true,
	  .flags = { offsetof(struct aif_cmd_commit_fetch, flags),
		     AIF_FETCH_F_NONBLOCK | AIF_FETCH_F_COMMIT_ONLY } },
	{ RING(PROGRESS, ring_progress, EXECUTOR) },
};
const size_t ring_op_count = sizeof(ring_ops) / sizeof(ring_ops[0]);
