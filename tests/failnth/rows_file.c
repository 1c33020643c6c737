// SPDX-License-Identifier: MIT
/* Rows for what is not a command: open, mmap, page faults, munmap, poll, close. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rows.h"

#define PAGE	4096ul

/* ---- open ---- */

static int run_open(struct world *w, const char *path)
{
	w->fd = open(path, O_RDWR | O_CLOEXEC);
	return w->fd < 0 ? -errno : 0;
}

static int run_open_client(struct world *w)
{
	return run_open(w, "/dev/aif");
}

static int run_open_serve(struct world *w)
{
	return run_open(w, "/dev/aif-serve");
}

/* ---- mappings ---- */

/* Nothing else is near, so page tables are made for each mapping. */
#define LONELY	((void *)0x600000000000)

static int run_mmap(struct world *w)
{
	int prot = PROT_READ | (w->with ? PROT_WRITE : 0);

	w->map = mmap(LONELY, w->length, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, w->fd,
		      (off_t)w->offset);
	return w->map == MAP_FAILED ? -errno : 0;
}

static void teardown_map(struct world *w)
{
	if (w->map != MAP_FAILED)
		munmap(w->map, w->length);
}

static int of_array(struct world *w, int fd)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	struct aif_array *a = &info.out_arrays[w->with];
	int err = raw_call(fd, AIF_IOC_INFO, &info);

	w->fd = fd;
	w->offset = a->offset;
	w->length = (a->count * a->entry_size + PAGE - 1) & -PAGE;
	w->with = w->with == AIF_ARRAY_DESC || w->with == AIF_ARRAY_COMMIT;
	return err;
}

static int setup_map_client_array(struct world *w)
{
	return of_array(w, w->rig.client.fd);
}

static int setup_map_executor_array(struct world *w)
{
	return of_array(w, w->rig.executor.fd);
}

static int setup_map_buffer(struct world *w)
{
	w->fd = w->rig.client.fd;
	w->offset = w->rig.buffer.offset;
	w->length = w->rig.buffer.length;
	return 0;
}

static int setup_map_view(struct world *w)
{
	w->fd = w->rig.executor.fd;
	w->offset = w->rig.executor.views[0].offset;
	w->length = w->rig.executor.views[0].length;
	return 0;
}

/* ---- page faults ---- */

static sigjmp_buf jump;

static void on_signal(int sig)
{
	siglongjmp(jump, sig);
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/* No system call on the way: that would copy too. */
static int run_touch(struct world *w)
{
	volatile uint8_t *at = w->map;
	size_t i;

	if (sigsetjmp(jump, 0))
		return -EIO;
	for (i = 0; i < w->length; i += PAGE)
		at[i] = w->with ? (uint8_t)i : at[i];
	return 0;
}

static int run_read(struct world *w)
{
	volatile const uint8_t *at = w->map;
	size_t i;

	if (sigsetjmp(jump, 0))
		return -EIO;
	for (i = 0; i < w->length; i += PAGE)
		if (at[i])
			return -EIO;
	return 0;
}

static int setup_touch_buffer(struct world *w)
{
	catch_signals();
	setup_map_buffer(w);
	return run_mmap(w);
}

static int setup_touch_view(struct world *w)
{
	catch_signals();
	setup_map_view(w);
	return run_mmap(w);
}

/* A revoked grant that the executor has not acknowledged: zeroes, whoever reads. */
static int setup_touch_revoked(struct world *w)
{
	struct raw_executor *ex = &w->rig.executor;
	uint32_t grant;
	int err = raw_grant(&w->rig.client, w->rig.buffer.handle, w->rig.handle, 0, &grant);

	if (err || raw_turn(ex, AIF_FETCH_F_NONBLOCK, 0, 0) != 1)
		return err ? err : -EPROTO;
	w->fd = ex->fd;
	w->id = ex->delivery[0].index;
	w->offset = ex->delivery[0].offset;
	w->length = ex->delivery[0].length;
	memset(w->rig.buffer.base, 1, w->rig.buffer.length);
	catch_signals();
	err = run_mmap(w);
	raw_revoke(&w->rig.client, grant);
	return !err && raw_turn(ex, AIF_FETCH_F_NONBLOCK, 0, 0) != 1 ? -EPROTO : err;
}

static void teardown_touch_revoked(struct world *w)
{
	teardown_map(w);
	raw_ack(&w->rig.executor, w->id);
}

/* ---- munmap ---- */

/* A hole in the middle makes two mappings of one: its buffer gets a reference. */
static int setup_munmap(struct world *w)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = 3 * PAGE };
	int err = raw_call(w->rig.client.fd, AIF_IOC_BUFFER_ALLOC, &arg);

	w->fd = w->rig.client.fd;
	w->handle = arg.out_handle;
	w->offset = arg.out_offset;
	w->length = arg.out_bytes;
	return err ? err : run_mmap(w);
}

static int run_munmap(struct world *w)
{
	return munmap(w->map + PAGE, PAGE) ? -errno : 0;
}

static void teardown_munmap(struct world *w)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg), .handle = w->handle };

	teardown_map(w);
	raw_call(w->rig.client.fd, AIF_IOC_BUFFER_FREE, &arg);
}

/* ---- poll ---- */

static int run_poll(struct world *w)
{
	struct pollfd p[] = {
		{ .fd = w->rig.client.fd, .events = POLLIN },
		{ .fd = w->rig.executor.fd, .events = POLLIN },
	};

	return poll(p, 2, 0) < 0 ? -errno : 0;
}

static int setup_epoll(struct world *w)
{
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	w->handle = (uint32_t)(w->with ? w->rig.executor.fd : w->rig.client.fd);
	return w->fd < 0 ? -errno : 0;
}

static int run_epoll(struct world *w)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(w->fd, EPOLL_CTL_ADD, (int)w->handle, &event) ? -errno : 0;
}

/* ---- close: cannot fail, whatever its release meets ---- */

static int run_close(struct world *w)
{
	return close(w->fd) ? -errno : 0;
}

static int submit_second(struct world *w, uint32_t service, uint32_t grant)
{
	struct aif_desc d = raw_rig_desc(&w->rig, 0);
	int n;

	d.service = service;
	d.ranges[0].grant = grant;
	d.ranges[1] = (struct aif_range){ grant, 64, 64 };
	n = raw_submit(&w->client, &d, 1, 0);
	return n == 1 ? 0 : n ? n : -EAGAIN;
}

/* Another client with everything: a page, a grant, a queued request. */
static int setup_close_client(struct world *w)
{
	struct aif_ioc_buffer_alloc alloc = { .size = sizeof(alloc), .bytes = PAGE };
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err = fd < 0 ? fd : raw_client_init(&w->client, fd, WORLD_DEPTH, 0);
	uint32_t grant;
	int service;

	if (err)
		return err;
	service = raw_service_open(&w->client, w->rig.service.name, RAW_EXECUTOR_UID);
	err = service < 0 ? service : raw_call(fd, AIF_IOC_BUFFER_ALLOC, &alloc);
	if (!err)
		err = raw_grant(&w->client, alloc.out_handle, (uint32_t)service,
				AIF_GRANT_F_WRITE, &grant);
	if (!err)
		err = submit_second(w, (uint32_t)service, grant);
	raw_client_unmap(&w->client);	/* mappings keep a file open */
	w->fd = fd;
	return err;
}

static int setup_close_executor(struct world *w)
{
	int err = raw_executor_open(&w->second, &w->rig.service, 4);

	world_settle(w);
	raw_executor_unmap(&w->second);
	w->fd = w->second.fd;
	w->second.fd = -1;
	return err;
}

static int setup_close_holder(struct world *w)
{
	struct aif_service_desc desc = raw_service_desc("spare");
	struct raw_service s;
	int err;

	strcpy(desc.device, "spare");
	err = raw_service_create(&s, &desc, RAW_EXECUTOR_UID);
	w->fd = s.fd;
	return err;
}

#define MMAP(what)	.name = "mmap " what, .run = run_mmap, .teardown = teardown_map, .least = 3

const struct row file_rows[] = {
	{ "open /dev/aif", .run = run_open_client, .teardown = teardown_fd, .least = 4 },
	{ "open /dev/aif-serve", .run = run_open_serve, .teardown = teardown_fd, .least = 3 },
	{ MMAP("AIF_ARRAY_DESC"), .setup = setup_map_client_array, .with = AIF_ARRAY_DESC },
	{ MMAP("AIF_ARRAY_COMPLETION"), .setup = setup_map_client_array,
	  .with = AIF_ARRAY_COMPLETION },
	{ MMAP("AIF_ARRAY_CLIENT_STATUS"), .setup = setup_map_client_array,
	  .with = AIF_ARRAY_CLIENT_STATUS },
	{ MMAP("AIF_ARRAY_SLOT"), .setup = setup_map_executor_array, .with = AIF_ARRAY_SLOT },
	{ MMAP("AIF_ARRAY_DELIVERY"), .setup = setup_map_executor_array,
	  .with = AIF_ARRAY_DELIVERY },
	{ MMAP("AIF_ARRAY_COMMIT"), .setup = setup_map_executor_array,
	  .with = AIF_ARRAY_COMMIT },
	{ MMAP("AIF_ARRAY_EXECUTOR_STATUS"), .setup = setup_map_executor_array,
	  .with = AIF_ARRAY_EXECUTOR_STATUS },
	{ "mmap a buffer", .setup = setup_map_buffer, .run = run_mmap, .teardown = teardown_map,
	  .with = 1, .least = 1 },
	{ "mmap a view", .setup = setup_map_view, .run = run_mmap, .teardown = teardown_map,
	  .with = 1, .least = 1 },
	{ "fault in a buffer", .setup = setup_touch_buffer, .run = run_touch,
	  .teardown = teardown_map, .with = 1, .flags = ROW_RETRIES },
	{ "fault in a view", .setup = setup_touch_view, .run = run_touch,
	  .teardown = teardown_map, .with = 1, .flags = ROW_RETRIES },
	{ "fault in a revoked view", .setup = setup_touch_revoked, .run = run_read,
	  .teardown = teardown_touch_revoked, .flags = ROW_RETRIES },
	{ "munmap a part", .setup = setup_munmap, .run = run_munmap,
	  .teardown = teardown_munmap, .with = 1, .least = 1 },
	{ "poll", .run = run_poll, .least = 1 },
	{ "epoll a client", .setup = setup_epoll, .run = run_epoll, .teardown = teardown_fd,
	  .least = 2 },
	{ "epoll an executor", .setup = setup_epoll, .run = run_epoll, .teardown = teardown_fd,
	  .with = 1, .least = 2 },
	{ "close a client", .setup = setup_close_client, .run = run_close,
	  .flags = ROW_NOTHING },
	{ "close an executor", .setup = setup_close_executor, .run = run_close,
	  .flags = ROW_NOTHING },
	{ "close a holder", .setup = setup_close_holder, .run = run_close,
	  .flags = ROW_NOTHING },
};
const size_t file_row_count = sizeof(file_rows) / sizeof(file_rows[0]);
