// SPDX-License-Identifier: MIT
/*
 * The device inside this process: its files, its operations, and the thread that
 * looks after what is timed.  See local.h.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "local.h"

#define NSEC_PER_SEC	1000000000ull
#define SIZE_MAX_ARG	4096u	/* of an argument, as in the kernel */

struct libaif_local_limits libaif_local_limits = {
	.max_depth = 4096,
	.max_buffers = 1024,
	.max_grants = 1024,
	.max_services = 256,
	.tenant_requests = 16384,
	.device_requests = 65536,
	.tenant_bytes = 4ull << 30,
	.service_bytes = 16ull << 30,
};

pthread_mutex_t local_lock = PTHREAD_MUTEX_INITIALIZER;
struct local_files local_files = TAILQ_HEAD_INITIALIZER(local_files);

static pthread_cond_t tend_cond;
static bool tending;		/* the thread runs */
static u64 tend_at;		/* when it looks next, if nobody wakes it */

u64 local_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_nsec;
}

/* ---- what is timed ---- */

void local_tend(void)
{
	pthread_cond_signal(&tend_cond);
}

/* A deadline far away is seen in time when the thread looks for one before it. */
void local_tend_by(u64 when)
{
	if (when < tend_at)
		local_tend();
}

static void tend_sleep(u64 until)
{
	struct timespec t = {
		.tv_sec = (time_t)(until / NSEC_PER_SEC), .tv_nsec = (long)(until % NSEC_PER_SEC),
	};

	tend_at = until;
	if (until == UINT64_MAX)
		pthread_cond_wait(&tend_cond, &local_lock);
	else
		pthread_cond_timedwait(&tend_cond, &local_lock, &t);
}

/* As long as there are files.  Holds the lock but for sleeping. */
static void *tend(void *unused)
{
	u64 now;

	pthread_mutex_lock(&local_lock);
	while (!TAILQ_EMPTY(&local_files)) {
		now = local_now();
		tend_sleep(local_watch(now, local_expire(now, UINT64_MAX)));
	}
	tending = false;
	pthread_cond_destroy(&tend_cond);
	pthread_mutex_unlock(&local_lock);
	return NULL;
}

/* Signals are the application's: it gets the mask that it starts with. */
static int tend_create(void)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, tend, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static int tend_start(void)
{
	pthread_condattr_t clock;
	int err;

	if (tending)
		return 0;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&tend_cond, &clock);
	pthread_condattr_destroy(&clock);
	err = tend_create();
	tending = !err;
	return err;
}

/* ---- files ---- */

struct local_file *local_file_find(int fd)
{
	struct local_file *f;

	TAILQ_FOREACH(f, &local_files, node) {
		if (f->base.fd == fd)
			return f;
	}
	return NULL;
}

void local_file_signal(struct local_file *f, bool readable)
{
	u64 value = 1;
	ssize_t n;

	if (f->readable == readable)
		return;
	f->readable = readable;
	n = readable ? write(f->base.fd, &value, sizeof(value)) :
		       read(f->base.fd, &value, sizeof(value));
	(void)n;	/* of a counter that is 0 or 1 neither can fail */
}

/* "local" or "local:N". */
static int parse_tenant(const char *device, u64 *tenant)
{
	const char *colon = strchr(device, ':');
	char *end;

	*tenant = 0;
	if (!colon)
		return 0;
	errno = 0;
	*tenant = strtoull(colon + 1, &end, 10);
	return !isdigit((unsigned char)colon[1]) || *end || errno ? -ENOENT : 0;
}

/* Under the lock. */
static int file_start(struct local_file *f, enum libaif_node node)
{
	int err;

	f->role = node == LIBAIF_CLIENT ? AIF_ROLE_CLIENT : AIF_ROLE_SERVE;
	if (node == LIBAIF_CLIENT) {
		f->client = local_client_create(f);
		if (!f->client)
			return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&local_files, f, node);
	err = tend_start();
	if (err) {
		TAILQ_REMOVE(&local_files, f, node);
		if (f->client)
			local_client_close(f->client);
	}
	return err;
}

static struct libaif_file *local_open(const char *device, enum libaif_node node)
{
	struct local_file *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return NULL;
	f->base.transport = &libaif_transport_local;
	f->euid = geteuid();
	TAILQ_INIT(&f->maps);
	err = parse_tenant(device, &f->tenant);
	f->base.fd = err ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->base.fd >= 0) {
		pthread_mutex_lock(&local_lock);
		err = file_start(f, node);
		pthread_mutex_unlock(&local_lock);
		if (!err)
			return &f->base;
		close(f->base.fd);
	} else if (!err) {
		err = -errno;
	}
	free(f);
	errno = -err;
	return NULL;
}

/* What the caller did not unmap stays mapped, and is nobody's. */
static void forget_maps(struct local_file *f)
{
	struct local_map *map;

	while ((map = TAILQ_FIRST(&f->maps))) {
		TAILQ_REMOVE(&f->maps, map, node);
		if (map->buffer)
			local_buffer_put(map->buffer);
		free(map);
	}
}

static void local_close(struct libaif_file *file)
{
	struct local_file *f = (struct local_file *)file;

	pthread_mutex_lock(&local_lock);
	TAILQ_REMOVE(&local_files, f, node);
	if (f->client)
		local_client_close(f->client);
	if (f->executor)
		local_executor_close(f->executor);
	if (f->service)
		local_service_close(f->service);
	forget_maps(f);
	local_tend();
	pthread_mutex_unlock(&local_lock);
	close(file->fd);
	free(f);
}

/* ---- mapping ---- */

static struct local_array *arrays_of(const struct local_file *f)
{
	if (f->client)
		return f->client->arrays;
	return f->executor ? f->executor->arrays : NULL;
}

/* What to map, and the buffer or view that is behind it. */
static int find_array(const struct local_file *f, u64 offset, size_t length, int prot,
		      struct local_memory **memory)
{
	struct local_array *arrays = arrays_of(f);
	u64 kind = offset >> LOCAL_ARRAY_SHIFT;

	if (!arrays || kind >= AIF_ARRAY_COUNT || !arrays[kind].count)
		return -ENXIO;
	if (offset & ((1u << LOCAL_ARRAY_SHIFT) - 1) || length > arrays[kind].memory->bytes)
		return -EINVAL;
	if (prot & PROT_WRITE && !arrays[kind].writable)
		return -EACCES;
	*memory = arrays[kind].memory;
	return 0;
}

static int find_buffer(const struct local_file *f, u32 handle, size_t length, int prot,
		       struct local_map *map)
{
	struct local_view *v;

	if (f->client) {
		map->buffer = local_table_get(&f->client->buffers, handle);
	} else {
		v = f->executor ? local_table_get(&f->executor->views, handle) : NULL;
		map->view = v;
		map->buffer = v ? v->grant->buffer : NULL;
		if (v && prot & PROT_WRITE && !v->grant->writable)
			return -EACCES;
	}
	if (!map->buffer)
		return -ENOENT;
	return length > map->buffer->memory->bytes ? -EINVAL : 0;
}

/* Under the lock.  A view that was revoked shows throw-away memory from the start. */
static int map_memory(struct local_file *f, u64 offset, struct local_map *map)
{
	u32 handle = (u32)(offset >> LOCAL_HANDLE_SHIFT);
	struct local_memory *memory = NULL;
	int err;

	if (map->prot & PROT_EXEC)
		return -EACCES;
	if (handle)
		err = find_buffer(f, handle, map->length, map->prot, map);
	else
		err = find_array(f, offset, map->length, map->prot, &memory);
	if (err)
		return err;
	if (map->buffer)
		memory = map->buffer->memory;
	map->address = mmap(NULL, map->length, map->prot, MAP_SHARED, memory->fd, 0);
	if (map->address == MAP_FAILED)
		return -ENOMEM;
	madvise(map->address, map->length, MADV_DONTFORK);
	if (map->buffer)
		map->buffer->refs++;
	TAILQ_INSERT_TAIL(&f->maps, map, node);
	if (map->view && map->view->revoked)
		local_map_zap(&f->maps, map->view);
	return 0;
}

static void *local_map(struct libaif_file *file, uint64_t offset, size_t length, int prot)
{
	struct local_map *map = calloc(1, sizeof(*map));
	int err;

	if (!map)
		return NULL;
	map->length = length;
	map->prot = prot;
	pthread_mutex_lock(&local_lock);
	err = map_memory((struct local_file *)file, offset, map);
	pthread_mutex_unlock(&local_lock);
	if (err) {
		free(map);
		errno = -err;
		return NULL;
	}
	return map->address;
}

static void local_unmap(struct libaif_file *file, void *address, size_t length)
{
	struct local_file *f = (struct local_file *)file;
	struct local_map *map;

	pthread_mutex_lock(&local_lock);
	TAILQ_FOREACH(map, &f->maps, node) {
		if (map->address == address)
			break;
	}
	if (map) {
		TAILQ_REMOVE(&f->maps, map, node);
		munmap(map->address, map->length);
		if (map->buffer)
			local_buffer_put(map->buffer);
		free(map);
	}
	pthread_mutex_unlock(&local_lock);
}

/* ---- operations ---- */

static int local_info(struct local_file *f, struct aif_ioc_info *arg)
{
	const struct libaif_local_limits *l = &libaif_local_limits;

	arg->out_role = f->role;
	arg->out_max_depth = l->max_depth;
	arg->out_tenant_bytes = l->tenant_bytes;
	arg->out_service_bytes = l->service_bytes;
	arg->out_tenant_requests = l->tenant_requests;
	arg->out_device_requests = l->device_requests;
	arg->out_tenant_pinned = 0;	/* it pins nothing */
	arg->out_tenant = 0;
	memset(arg->out_arrays, 0, sizeof(arg->out_arrays));
	if (f->client)
		return local_client_info(f, arg);
	if (arg->depth)
		return -EINVAL;
	arg->features = 0;
	if (f->executor)
		local_arrays_describe(f->executor->arrays, arg->out_arrays);
	return 0;
}

#define CLIENT		(1u << AIF_ROLE_CLIENT)
#define HOLDER		(1u << AIF_ROLE_HOLDER)
#define EXECUTOR	(1u << AIF_ROLE_EXECUTOR)
#define SERVE		(1u << AIF_ROLE_SERVE | HOLDER | EXECUTOR)

/* Every argument has its first published size still, so one size is enough. */
#define OPERATIONS(X)									\
	X(AIF_IOC_INFO, aif_ioc_info, local_info, CLIENT | SERVE)			\
	X(AIF_IOC_BUFFER_ALLOC, aif_ioc_buffer_alloc, local_buffer_alloc, CLIENT)	\
	X(AIF_IOC_BUFFER_FREE, aif_ioc_buffer_free, local_buffer_free, CLIENT)		\
	X(AIF_IOC_GRANT, aif_ioc_grant, local_grant_create, CLIENT)			\
	X(AIF_IOC_REVOKE, aif_ioc_revoke, local_grant_revoke, CLIENT)			\
	X(AIF_IOC_DECLARE_PINS, aif_ioc_declare_pins, local_declare_pins,		\
	  CLIENT | EXECUTOR)								\
	X(AIF_IOC_SERVICE_CREATE, aif_ioc_service_create, local_service_create, SERVE)	\
	X(AIF_IOC_SERVICE_LIST, aif_ioc_service_list, local_service_list,		\
	  CLIENT | SERVE)								\
	X(AIF_IOC_SERVICE_DESCRIBE, aif_ioc_service_describe, local_service_describe,	\
	  CLIENT | SERVE)								\
	X(AIF_IOC_SERVICE_OPEN, aif_ioc_service_open, local_service_open, CLIENT)	\
	X(AIF_IOC_SERVICE_DRAIN, aif_ioc_service_drain, local_service_drain, HOLDER)	\
	X(AIF_IOC_SUBMIT, aif_ioc_submit, local_submit, CLIENT)				\
	X(AIF_IOC_WAIT, aif_ioc_wait, local_wait, CLIENT)				\
	X(AIF_IOC_WAIT_QUIET, aif_ioc_wait_quiet, local_wait_quiet, CLIENT)		\
	X(AIF_IOC_CANCEL, aif_ioc_cancel, local_cancel, CLIENT)				\
	X(AIF_IOC_SET_EVENTFD, aif_ioc_set_eventfd, local_set_eventfd, CLIENT)		\
	X(AIF_IOC_EXECUTOR_ATTACH, aif_ioc_executor_attach, local_executor_attach,	\
	  SERVE)									\
	X(AIF_IOC_COMMIT_FETCH, aif_ioc_commit_fetch, local_commit_fetch, EXECUTOR)	\
	X(AIF_IOC_PROGRESS, aif_ioc_progress, local_progress, EXECUTOR)

#define UNTYPED(ioc, type, fn, who)							\
	static int do_##fn(struct local_file *f, void *arg)				\
	{										\
		return fn(f, (struct type *)arg);					\
	}
OPERATIONS(UNTYPED)
#undef UNTYPED

struct operation {
	int (*handler)(struct local_file *f, void *arg);
	u32 size;
	u32 roles;
};

#define ENTRY(ioc, type, fn, who)							\
	[_IOC_NR(ioc)] = { .handler = do_##fn, .size = sizeof(struct type), .roles = who },
static const struct operation operations[] = { OPERATIONS(ENTRY) };
#undef ENTRY

#define OPERATION_COUNT	(sizeof(operations) / sizeof(operations[0]))

/* What this library does not know of a longer argument must be zero. */
static int check_size(const struct operation *op, const void *arg)
{
	const u8 *bytes = arg;
	u32 size, i;

	memcpy(&size, arg, sizeof(size));
	if (size < op->size)
		return -EINVAL;
	if (size > SIZE_MAX_ARG)
		return -E2BIG;
	for (i = op->size; i < size; i++) {
		if (bytes[i])
			return -E2BIG;
	}
	return 0;
}

static int local_call(struct libaif_file *file, unsigned long command, void *argument)
{
	struct local_file *f = (struct local_file *)file;
	unsigned int nr = _IOC_NR(command);
	const struct operation *op;
	int ret;

	if (_IOC_TYPE(command) != AIF_IOC_TYPE || nr >= OPERATION_COUNT || !operations[nr].handler)
		return -ENOTTY;
	op = &operations[nr];
	pthread_mutex_lock(&local_lock);
	ret = op->roles & 1u << f->role ? check_size(op, argument) : -ENOTTY;
	if (!ret)
		ret = op->handler(f, argument);
	pthread_mutex_unlock(&local_lock);
	return ret;
}

/* Files of this device are no descriptors that another could have opened. */
static struct libaif_file *local_adopt(int fd)
{
	errno = EOPNOTSUPP;
	return NULL;
}

const struct libaif_transport libaif_transport_local = {
	.name = "local",
	.open = local_open,
	.adopt = local_adopt,
	.close = local_close,
	.call = local_call,
	.map = local_map,
	.unmap = local_unmap,
};
