// SPDX-License-Identifier: MIT
/*
 * A row for each ioctl, by the name of its number, and more where it does
 * different things.  Each claims how many user copies there are: header of the
 * argument, argument, what pointers lead to, outputs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../uapi/exporter.h"
#include "rows.h"

#define BYTES		(5 * 4096)	/* of a buffer */
#define SOON_NS		2000000
#define DEADLINE_NS	300000000	/* a busy machine still takes the request before */

int run_ioctl(struct world *w)
{
	w->out = w->arg;
	return raw_call(w->fd, w->cmd, &w->out);
}

void teardown_fd(struct world *w)
{
	close(w->fd);
	w->fd = -1;
}

/* The zeroed argument for @cmd on @fd. */
static union world_arg *argument(struct world *w, int fd, unsigned long cmd)
{
	memset(&w->arg, 0, sizeof(w->arg));
	w->fd = fd;
	w->cmd = cmd;
	w->arg.size = _IOC_SIZE(cmd);
	return &w->arg;
}

#define ARGUMENT(w, fd, ioc, type) \
	struct aif_ioc_##type *arg = &argument(w, fd, AIF_IOC_##ioc)->type

uint32_t place_request(struct world *w, uint32_t tag)
{
	struct raw_client *c = &w->rig.client;
	uint32_t position = c->position++;

	c->desc[position % c->depth] = raw_rig_desc(&w->rig, tag);
	return position;
}

int queue_request(struct world *w, uint32_t tag)
{
	struct aif_desc d = raw_rig_desc(&w->rig, tag);
	int n = raw_submit(&w->rig.client, &d, 1, 0);

	w->id = d.generation;
	return n == 1 ? 0 : n ? n : -EAGAIN;
}

int hold_request(struct world *w, uint32_t tag)
{
	int n = queue_request(w, tag);

	if (!n)
		n = raw_take(&w->rig.executor, AIF_FETCH_F_NONBLOCK, 1, &w->held);
	return n == 1 ? 0 : n ? n : -EAGAIN;
}

/* ---- INFO ---- */

static int setup_info(struct world *w)
{
	ARGUMENT(w, raw_open_as("/dev/aif", RAW_CLIENT_UID), INFO, info);

	arg->depth = WORLD_DEPTH;
	arg->features = AIF_F_URING;
	return w->fd < 0 ? w->fd : 0;
}

/* With the copy engine, which nobody else has open. */
static int setup_info_transfer(struct world *w)
{
	int err = setup_info(w);

	w->arg.info.features |= AIF_F_TRANSFER;
	return err;
}

/* Another depth is -EBUSY once one was fixed. */
static void vary_info(struct world *w)
{
	w->arg.info.depth = 2 * WORLD_DEPTH;
}

static int setup_info_again(struct world *w)
{
	argument(w, w->rig.client.fd, AIF_IOC_INFO);
	return 0;
}

static int setup_info_executor(struct world *w)
{
	argument(w, w->rig.executor.fd, AIF_IOC_INFO);
	return 0;
}

/* ---- buffers and grants ---- */

static int setup_buffer_alloc(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, BUFFER_ALLOC, buffer_alloc);

	arg->bytes = BYTES;
	return 0;
}

static void buffer_free(struct world *w, uint32_t handle)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg), .handle = handle };

	raw_call(w->rig.client.fd, AIF_IOC_BUFFER_FREE, &arg);
}

static void teardown_buffer_alloc(struct world *w)
{
	if (w->result >= 0)
		buffer_free(w, w->out.buffer_alloc.out_handle);
}

static int setup_buffer_free(struct world *w)
{
	struct aif_ioc_buffer_alloc alloc = { .size = sizeof(alloc), .bytes = BYTES };
	int err = raw_call(w->rig.client.fd, AIF_IOC_BUFFER_ALLOC, &alloc);
	ARGUMENT(w, w->rig.client.fd, BUFFER_FREE, buffer_free);

	arg->handle = alloc.out_handle;
	return err;
}

static uint8_t own_memory[BYTES] __attribute__((aligned(4096)));

static int setup_buffer_pin(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, BUFFER_PIN, buffer_pin);

	arg->flags = AIF_PIN_F_WRITE;
	arg->address = (uintptr_t)own_memory;
	arg->bytes = BYTES;
	return 0;
}

static void teardown_buffer_pin(struct world *w)
{
	if (w->result >= 0)
		buffer_free(w, w->out.buffer_pin.out_handle);
}

/* The fd is what comes back. */
static int run_buffer_share(struct world *w)
{
	return raw_share(&w->rig.client, w->rig.buffer.handle, AIF_RIGHT_ALL);
}

static void teardown_buffer_share(struct world *w)
{
	if (w->result >= 0)
		close(w->result);
}

static int setup_buffer_accept(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, BUFFER_ACCEPT, buffer_accept);

	w->eventfd = raw_share(&w->rig.client, w->rig.buffer.handle, AIF_RIGHT_ALL);
	arg->fd = w->eventfd;
	return w->eventfd < 0 ? w->eventfd : 0;
}

static void teardown_buffer_accept(struct world *w)
{
	if (w->result >= 0)
		buffer_free(w, w->out.buffer_accept.out_handle);
	close(w->eventfd);
}

/* For aif_mock.ko, which is there all the time. */
static int setup_buffer_map(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, BUFFER_MAP, buffer_map);

	arg->handle = w->rig.buffer.handle;
	strcpy(arg->engine, "mock");
	return raw_client_ask(&w->rig.client, AIF_F_MAP) < 0 ? -EOPNOTSUPP : 0;
}

/* Whose number did not come out is asked for again. */
static void teardown_buffer_map(struct world *w)
{
	uint32_t engine;

	if (!raw_map(&w->rig.client, w->rig.buffer.handle, "mock", &engine))
		raw_unmap(&w->rig.client, w->rig.buffer.handle, engine);
}

static int setup_buffer_unmap(struct world *w)
{
	int err = setup_buffer_map(w);
	ARGUMENT(w, w->rig.client.fd, BUFFER_UNMAP, buffer_unmap);

	arg->handle = w->rig.buffer.handle;
	return err ?: raw_map(&w->rig.client, arg->handle, "mock", &arg->engine);
}

static void teardown_buffer_unmap(struct world *w)
{
	if (w->result < 0)
		raw_unmap(&w->rig.client, w->rig.buffer.handle, w->arg.buffer_unmap.engine);
}

static int setup_grant(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, GRANT, grant);

	arg->buffer = w->rig.buffer.handle;
	arg->service = w->rig.handle;
	return 0;
}

static void teardown_grant(struct world *w)
{
	if (w->result >= 0)
		raw_revoke(&w->rig.client, w->out.grant.out_grant);
}

/* The second executor's view may fail when the first has its already. */
static int setup_grant_two(struct world *w)
{
	int err = raw_executor_open(&w->second, &w->rig.service, 1);

	world_settle(w);
	return err ? err : setup_grant(w);
}

static void teardown_grant_two(struct world *w)
{
	teardown_grant(w);
	raw_executor_close(&w->second);
}

static int setup_revoke(struct world *w)
{
	uint32_t grant;
	int err = raw_grant(&w->rig.client, w->rig.buffer.handle, w->rig.handle, 0, &grant);
	ARGUMENT(w, w->rig.client.fd, REVOKE, revoke);

	arg->grant = grant;
	world_settle(w);
	return err;
}

static int setup_declare_pins(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, DECLARE_PINS, declare_pins);

	arg->handle = w->rig.buffer.handle;
	return 0;
}

static int setup_declare_pins_executor(struct world *w)
{
	ARGUMENT(w, w->rig.executor.fd, DECLARE_PINS, declare_pins);

	arg->handle = w->rig.executor.views[0].grant;
	return 0;
}

/* ---- services ---- */

static int setup_service_create(struct world *w)
{
	ARGUMENT(w, world_serve_open(), SERVICE_CREATE, service_create);

	arg->desc = raw_service_desc("spare");
	strcpy(arg->desc.device, "spare");
	strcpy(w->text, "license=MIT\n");
	arg->text = (uintptr_t)w->text;
	arg->text_length = (uint32_t)strlen(w->text);
	return w->fd < 0 ? w->fd : 0;
}

static int setup_service_list(struct world *w)
{
	ARGUMENT(w, w->serve, SERVICE_LIST, service_list);

	arg->ids = (uintptr_t)w->ids;
	arg->capacity = sizeof(w->ids) / sizeof(w->ids[0]);
	return 0;
}

static int setup_service_describe(struct world *w)
{
	struct aif_ioc_service_create create = {
		.size = sizeof(create), .desc = raw_service_desc("spare"),
		.text = (uintptr_t)"license=MIT\n", .text_length = 12,
	};
	int fd = world_serve_open();
	int err = fd < 0 ? fd : raw_call(fd, AIF_IOC_SERVICE_CREATE, &create);
	ARGUMENT(w, fd, SERVICE_DESCRIBE, service_describe);

	arg->id = create.out_id;
	arg->text = (uintptr_t)w->text;
	arg->text_capacity = sizeof(w->text);
	return err;
}

static int setup_service_open(struct world *w)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err = fd < 0 ? fd : raw_client_init(&w->client, fd, WORLD_DEPTH, 0);
	ARGUMENT(w, fd, SERVICE_OPEN, service_open);

	arg->owner = RAW_EXECUTOR_UID;
	strcpy(arg->name, w->other.name);
	return err;
}

static void teardown_client(struct world *w)
{
	raw_client_close(&w->client);
	w->fd = -1;
}

static int setup_service_drain(struct world *w)
{
	argument(w, w->other.fd, AIF_IOC_SERVICE_DRAIN);
	return 0;
}

static void teardown_service_drain(struct world *w)
{
	raw_service_close(&w->other);
	world_other_create(w);
}

/* ---- requests ---- */

static int setup_submit(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, SUBMIT, submit);

	arg->first = place_request(w, 0);
	place_request(w, 1);
	arg->count = 2;
	return 0;
}

/* Pages that are there already: making them is the file's business. */
static int setup_buffer_memfd(struct world *w)
{
	int fd = memfd_create("failnth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ARGUMENT(w, w->rig.client.fd, BUFFER_MEMFD, buffer_memfd);

	w->eventfd = fd;
	arg->fd = fd;
	arg->bytes = BYTES;
	arg->flags = AIF_PIN_F_WRITE;
	if (fd < 0 || write(fd, own_memory, BYTES) != BYTES || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	return raw_client_ask(&w->rig.client, AIF_F_MEMFD) < 0 ? -EOPNOTSUPP : 0;
}

static void teardown_buffer_memfd(struct world *w)
{
	if (w->result >= 0)
		buffer_free(w, w->out.buffer_memfd.out_handle);
	close(w->eventfd);
}

/* Another client has it already: the kernel warns of exporters that fail to map. */
static int import_elsewhere(struct world *w)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err = fd < 0 ? fd : raw_client_init(&w->client, fd, WORLD_DEPTH, AIF_F_IMPORT), h;

	w->eventfd = exporter_heap(2 * 4096, O_RDWR);
	h = err ? err : raw_import(&w->client, w->eventfd, 0);
	w->handle = (uint32_t)h;
	return h < 0 ? h : 0;
}

static void teardown_import(struct world *w)
{
	close(w->eventfd);
	teardown_client(w);
}

static int setup_buffer_import(struct world *w)
{
	int err = import_elsewhere(w);
	ARGUMENT(w, w->rig.client.fd, BUFFER_IMPORT, buffer_import);

	arg->fd = w->eventfd;
	return err ? err : raw_client_ask(&w->rig.client, AIF_F_IMPORT) < 0 ? -EOPNOTSUPP : 0;
}

static void teardown_buffer_import(struct world *w)
{
	if (w->result >= 0)
		buffer_free(w, w->out.buffer_import.out_handle);
	teardown_import(w);
}

static int setup_buffer_sync(struct world *w)
{
	int err = import_elsewhere(w);
	ARGUMENT(w, w->client.fd, BUFFER_SYNC, buffer_sync);

	arg->handle = w->handle;
	return err;
}

/* Inside a buffer of a client of its own, with which the engine goes. */
static int setup_submit_transfer(struct world *w)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err = fd < 0 ? fd : raw_client_init(&w->client, fd, WORLD_DEPTH, AIF_F_TRANSFER);
	struct aif_ioc_buffer_alloc alloc = { .size = sizeof(alloc), .bytes = BYTES };
	ARGUMENT(w, fd, SUBMIT, submit);

	if (!err)
		err = raw_call(fd, AIF_IOC_BUFFER_ALLOC, &alloc);
	if (err)
		return err;
	arg->count = 1;
	arg->flags = AIF_SUBMIT_F_WAIT_ALL;
	w->client.desc[0] = raw_copy_desc(&w->client, 0,
					  (struct aif_range){ alloc.out_handle, 1, 100 },
					  (struct aif_range){ alloc.out_handle, 5000, 100 });
	return 0;
}

/* No executor is asked: the deadline answers. */
static int setup_submit_wait(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, SUBMIT, submit);

	arg->first = place_request(w, 0);
	arg->count = 1;
	arg->flags = AIF_SUBMIT_F_WAIT_ALL;
	return 0;
}

/* The deadline begins with the run. */
static int run_submit_wait(struct world *w)
{
	w->rig.client.desc[w->arg.submit.first % WORLD_DEPTH].deadline = raw_now() + DEADLINE_NS;
	return run_ioctl(w);
}

static int setup_wait(struct world *w)
{
	argument(w, w->rig.client.fd, AIF_IOC_WAIT);
	return 0;
}

static int setup_wait_sleeping(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, WAIT, wait);

	arg->value = UINT64_MAX;
	arg->timeout_ns = SOON_NS;
	return 0;
}

/* The time passes. */
static int run_wait_sleeping(struct world *w)
{
	int err = run_ioctl(w);

	return err == -ETIME ? 0 : err;
}

static int setup_wait_quiet(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, WAIT_QUIET, wait_quiet);

	arg->tag = AIF_TAG_ALL;
	return 0;
}

static int setup_cancel(struct world *w)
{
	int err = queue_request(w, 0);
	ARGUMENT(w, w->rig.client.fd, CANCEL, cancel);

	arg->generation = w->id;
	return err;
}

static int setup_set_eventfd(struct world *w)
{
	ARGUMENT(w, w->rig.client.fd, SET_EVENTFD, set_eventfd);

	w->eventfd = eventfd(0, EFD_CLOEXEC);
	arg->fd = w->eventfd;
	return w->eventfd < 0 ? -errno : 0;
}

static void teardown_set_eventfd(struct world *w)
{
	struct aif_ioc_set_eventfd none = { .size = sizeof(none), .fd = -1 };

	raw_call(w->rig.client.fd, AIF_IOC_SET_EVENTFD, &none);
	close(w->eventfd);
}

/* ---- executors ---- */

static int setup_executor_attach(struct world *w)
{
	ARGUMENT(w, world_serve_open(), EXECUTOR_ATTACH, executor_attach);

	arg->service = w->rig.service.id;
	arg->holder_fd = -1;
	arg->slots = 4;
	return w->fd < 0 ? w->fd : 0;
}

static int setup_executor_attach_by_file(struct world *w)
{
	int err = setup_executor_attach(w);

	w->arg.executor_attach.holder_fd = w->rig.service.fd;
	return err;
}

static int setup_fetch(struct world *w)
{
	int err = queue_request(w, 0);
	ARGUMENT(w, w->rig.executor.fd, COMMIT_FETCH, commit_fetch);

	arg->credit = 1;
	return err;
}

static int setup_commit(struct world *w)
{
	int err = hold_request(w, 0);
	ARGUMENT(w, w->rig.executor.fd, COMMIT_FETCH, commit_fetch);

	w->rig.executor.commit[0] = (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = w->held.slot,
		.generation = w->held.generation,
	};
	arg->flags = AIF_FETCH_F_COMMIT_ONLY;
	arg->commit_count = 1;
	return err;
}

/* An executor acknowledges that a grant was revoked. */
static int setup_commit_ack(struct world *w)
{
	struct raw_executor *ex = &w->rig.executor;
	uint32_t grant;
	int err = raw_grant(&w->rig.client, w->rig.buffer.handle, w->rig.handle, 0, &grant);
	int n = raw_turn(ex, AIF_FETCH_F_NONBLOCK, 0, 0);
	ARGUMENT(w, ex->fd, COMMIT_FETCH, commit_fetch);

	w->id = ex->delivery[0].index;
	if (err || n != 1)
		return err ? err : -EPROTO;
	raw_revoke(&w->rig.client, grant);
	if (raw_turn(ex, AIF_FETCH_F_NONBLOCK, 0, 0) != 1)
		return -EPROTO;
	ex->commit[0] = (struct aif_commit){ .type = AIF_COMMIT_GRANT_ACK, .index = w->id };
	arg->flags = AIF_FETCH_F_COMMIT_ONLY;
	arg->commit_count = 1;
	return 0;
}

/* Again, if it was not. */
static void teardown_commit_ack(struct world *w)
{
	raw_ack(&w->rig.executor, w->id);
}

static int setup_progress(struct world *w)
{
	int err = hold_request(w, 0);
	ARGUMENT(w, w->rig.executor.fd, PROGRESS, progress);

	arg->slot = w->held.slot;
	arg->generation = w->held.generation;
	arg->produced = 1;
	return err;
}

/* ---- tenants ---- */

static int setup_tenant_list(struct world *w)
{
	ARGUMENT(w, w->serve, TENANT_LIST, tenant_list);

	arg->tenants = (uintptr_t)w->tenants;
	arg->capacity = sizeof(w->tenants) / sizeof(w->tenants[0]);
	arg->entry_size = sizeof(w->tenants[0]);
	return 0;
}

/* The group that this process is in before the sweep, which is no tenant yet. */
static int setup_tenant_set(struct world *w)
{
	struct stat root;
	int err = stat("/sys/fs/cgroup", &root);
	ARGUMENT(w, w->serve, TENANT_SET, tenant_set);

	arg->id = root.st_ino;
	arg->flags = AIF_TENANT_F_WEIGHT;
	arg->limits.weight = 1;
	return err ? -errno : 0;
}

static void teardown_tenant_set(struct world *w)
{
	w->arg.tenant_set.limits.weight = 0;
	raw_call(w->serve, AIF_IOC_TENANT_SET, &w->arg.tenant_set);
}

#define IOCTL(ioc)		IOCTL_BY(ioc, run_ioctl)
#define IOCTL_BY(ioc, fn)	.name = "AIF_IOC_" #ioc, .run = fn
#define AS(ioc, what)		AS_BY(ioc, what, run_ioctl)
#define AS_BY(ioc, what, fn)	.name = "AIF_IOC_" #ioc ", " what, .run = fn

const struct row ioctl_rows[] = {
	{ IOCTL(INFO), .setup = setup_info, .vary = vary_info, .teardown = teardown_fd,
	  .flags = ROW_LATE, .least = 10 },
	{ AS(INFO, "with transfers"), .setup = setup_info_transfer, .vary = vary_info,
	  .teardown = teardown_fd, .flags = ROW_LATE, .least = 14 },
	{ AS(INFO, "again"), .setup = setup_info_again, .least = 3 },
	{ AS(INFO, "an executor's"), .setup = setup_info_executor, .least = 3 },
	{ IOCTL(BUFFER_ALLOC), .setup = setup_buffer_alloc, .teardown = teardown_buffer_alloc,
	  .least = 9 },
	{ IOCTL(BUFFER_FREE), .setup = setup_buffer_free, .least = 1, .most = 1 },
	{ IOCTL(BUFFER_PIN), .setup = setup_buffer_pin, .teardown = teardown_buffer_pin,
	  .least = 6 },
	{ IOCTL(BUFFER_MEMFD), .setup = setup_buffer_memfd, .teardown = teardown_buffer_memfd,
	  .least = 6 },
	{ IOCTL(BUFFER_IMPORT), .setup = setup_buffer_import, .teardown = teardown_buffer_import,
	  .flags = ROW_LATE, .least = 4 },
	{ IOCTL(BUFFER_SYNC), .setup = setup_buffer_sync, .teardown = teardown_import,
	  .flags = ROW_LATE, .least = 1, .most = 1 },
	{ IOCTL_BY(BUFFER_SHARE, run_buffer_share), .teardown = teardown_buffer_share,
	  .least = 3 },
	{ IOCTL(BUFFER_ACCEPT), .setup = setup_buffer_accept, .teardown = teardown_buffer_accept,
	  .least = 3 },
	{ IOCTL(BUFFER_MAP), .setup = setup_buffer_map, .teardown = teardown_buffer_map,
	  .flags = ROW_LATE, .least = 5 },
	{ IOCTL(BUFFER_UNMAP), .setup = setup_buffer_unmap, .teardown = teardown_buffer_unmap,
	  .least = 1, .most = 1 },
	{ IOCTL(GRANT), .setup = setup_grant, .teardown = teardown_grant, .least = 5 },
	{ AS(GRANT, "two executors"), .setup = setup_grant_two, .teardown = teardown_grant_two,
	  .least = 7 },
	{ IOCTL(REVOKE), .setup = setup_revoke, .least = 1, .most = 1 },
	{ IOCTL(DECLARE_PINS), .setup = setup_declare_pins, .least = 1, .most = 1 },
	{ AS(DECLARE_PINS, "an executor's"), .setup = setup_declare_pins_executor, .least = 1, .most = 1 },
	{ IOCTL(SERVICE_CREATE), .setup = setup_service_create, .teardown = teardown_fd,
	  .flags = ROW_LATE, .least = 8 },
	{ IOCTL(SERVICE_LIST), .setup = setup_service_list, .least = 4 },
	{ IOCTL(SERVICE_DESCRIBE), .setup = setup_service_describe, .teardown = teardown_fd,
	  .least = 4 },
	{ IOCTL(SERVICE_OPEN), .setup = setup_service_open, .teardown = teardown_client,
	  .flags = ROW_LATE, .least = 5 },
	{ IOCTL(SERVICE_DRAIN), .setup = setup_service_drain, .teardown = teardown_service_drain,
	  .least = 1, .most = 1 },
	{ IOCTL(SUBMIT), .setup = setup_submit, .flags = ROW_LATE, .least = 2, .most = 2 },
	{ AS_BY(SUBMIT, "waiting", run_submit_wait), .setup = setup_submit_wait,
	  .flags = ROW_LATE, .least = 2, .most = 2 },
	{ AS(SUBMIT, "a transfer"), .setup = setup_submit_transfer, .teardown = teardown_client,
	  .flags = ROW_LATE, .least = 2, .most = 2 },
	{ IOCTL(WAIT), .setup = setup_wait, .least = 1, .most = 1 },
	{ AS_BY(WAIT, "sleeping", run_wait_sleeping), .setup = setup_wait_sleeping,
	  .least = 1, .most = 1 },
	{ IOCTL(WAIT_QUIET), .setup = setup_wait_quiet, .least = 1, .most = 1 },
	{ IOCTL(CANCEL), .setup = setup_cancel, .least = 1, .most = 1 },
	{ IOCTL(SET_EVENTFD), .setup = setup_set_eventfd, .teardown = teardown_set_eventfd,
	  .least = 1, .most = 1 },
	{ IOCTL(EXECUTOR_ATTACH), .setup = setup_executor_attach, .teardown = teardown_fd,
	  .least = 10 },
	{ AS(EXECUTOR_ATTACH, "by the holder's file"), .setup = setup_executor_attach_by_file,
	  .teardown = teardown_fd, .least = 10 },
	{ IOCTL(COMMIT_FETCH), .setup = setup_fetch, .flags = ROW_LATE, .least = 2, .most = 2 },
	{ AS(COMMIT_FETCH, "a result"), .setup = setup_commit, .flags = ROW_LATE,
	  .least = 2, .most = 2 },
	{ AS(COMMIT_FETCH, "an acknowledgement"), .setup = setup_commit_ack,
	  .teardown = teardown_commit_ack, .flags = ROW_LATE, .least = 2, .most = 2 },
	{ IOCTL(PROGRESS), .setup = setup_progress, .flags = ROW_LATE, .least = 2, .most = 2 },
	{ IOCTL(TENANT_LIST), .setup = setup_tenant_list, .least = 4 },
	{ IOCTL(TENANT_SET), .setup = setup_tenant_set, .teardown = teardown_tenant_set,
	  .least = 2 },
};
const size_t ioctl_row_count = sizeof(ioctl_rows) / sizeof(ioctl_rows[0]);
