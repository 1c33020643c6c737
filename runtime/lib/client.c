// SPDX-License-Identifier: MIT
/* Clients: the file, the mapped arrays, and what hangs on them. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib.h"

#define OPTS_FIRST	sizeof(struct aif_client_opts)
#define INFO_FIRST	sizeof(struct aif_client_info)

_Static_assert(AIF_FEATURE_URING == AIF_F_URING && AIF_FEATURE_TRANSFER == AIF_F_TRANSFER &&
	       AIF_FEATURE_MEMFD == AIF_F_MEMFD && AIF_FEATURE_REALTIME == AIF_F_REALTIME &&
	       AIF_FEATURE_MAP == AIF_F_MAP && AIF_FEATURE_IMPORT == AIF_F_IMPORT,
	       "features are passed on");
_Static_assert(sizeof(struct aif_client_opts) == 32, "no padding");
_Static_assert(sizeof(struct aif_client_info) == 64, "no padding");

void *libaif_null(int error)
{
	errno = -error;
	return NULL;
}

void *libaif_map_array(struct libaif_file *file, const struct aif_ioc_info *info,
		       enum aif_array_kind kind, int prot)
{
	const struct aif_array *a = &info->out_arrays[kind];

	return libaif_map(file, a->offset, (size_t)a->entry_size * a->count, prot);
}

void libaif_unmap_array(struct libaif_file *file, const struct aif_ioc_info *info,
			enum aif_array_kind kind, const void *address)
{
	const struct aif_array *a = &info->out_arrays[kind];

	libaif_unmap(file, (void *)address, (size_t)a->entry_size * a->count);
}

/* The library reads arrays by index, so entries must have the size it knows. */
static bool arrays_are_known(const struct aif_ioc_info *info)
{
	const struct aif_array *a = info->out_arrays;

	return a[AIF_ARRAY_DESC].entry_size == sizeof(struct aif_desc) &&
	       a[AIF_ARRAY_COMPLETION].entry_size == sizeof(struct aif_completion) &&
	       a[AIF_ARRAY_CLIENT_STATUS].entry_size == sizeof(struct aif_client_status) &&
	       a[AIF_ARRAY_DESC].count >= info->depth &&
	       a[AIF_ARRAY_COMPLETION].count >= info->depth &&
	       !(a[AIF_ARRAY_DESC].count & (a[AIF_ARRAY_DESC].count - 1));
}

static int client_map(struct aif_client *c)
{
	c->descs = libaif_map_array(c->file, &c->info, AIF_ARRAY_DESC, PROT_READ | PROT_WRITE);
	if (!c->descs)
		return -errno;
	c->completions = libaif_map_array(c->file, &c->info, AIF_ARRAY_COMPLETION, PROT_READ);
	if (!c->completions)
		return -errno;
	c->status = libaif_map_array(c->file, &c->info, AIF_ARRAY_CLIENT_STATUS, PROT_READ);
	return c->status ? 0 : -errno;
}

/* Every tag once; the lowest is taken first, so that a small client stays in few lines. */
static int client_requests(struct aif_client *c)
{
	uint32_t i;

	c->requests = calloc(c->info.depth, sizeof(*c->requests));
	c->taken = calloc(c->info.out_arrays[AIF_ARRAY_DESC].count, 1);
	if (!c->requests || !c->taken)
		return -ENOMEM;
	for (i = c->info.depth; i-- > 0;) {
		c->requests[i].client = c;
		c->requests[i].desc.tag = i;
		c->requests[i].next = c->free;
		c->free = &c->requests[i];
	}
	return 0;
}

static int client_setup(struct aif_client *c, const struct aif_client_opts *opts)
{
	int err;

	c->info = (struct aif_ioc_info){
		.size = sizeof(c->info), .depth = opts->depth, .features = opts->features,
	};
	err = libaif_call(c->file, AIF_IOC_INFO, &c->info);
	if (err)
		return err;
	if (!arrays_are_known(&c->info))
		return -EOPNOTSUPP;
	err = client_map(c);
	return err ? err : client_requests(c);
}

struct aif_client *aif_client_open(const struct aif_client_opts *given)
{
	struct aif_client_opts opts;
	struct aif_client *c;
	int err = libaif_opts_in(&opts, sizeof(opts), OPTS_FIRST, given);

	if (err)
		return libaif_null(err);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->file = opts.fd > 0 ? libaif_adopt(opts.device, opts.fd) :
				libaif_open(opts.device, LIBAIF_CLIENT);
	if (!c->file) {
		err = -errno;
		aif_client_close(c);
		return libaif_null(err);
	}
	err = client_setup(c, &opts);
	if (err) {
		if (opts.fd > 0)
			c->file->fd = -1;	/* still the caller's */
		aif_client_close(c);
		return libaif_null(err);
	}
	if (opts.features & ~c->info.features)
		libaif_log(AIF_LOG_INFO, "%s: features not granted: %#llx",
			   c->file->transport->name,
			   (unsigned long long)(opts.features & ~c->info.features));
	return c;
}

/* Also of a client that was opened in part. */
void aif_client_close(struct aif_client *c)
{
	if (!c)
		return;
	while (c->services)
		libaif_service_free(c->services);
	while (c->buffers)
		libaif_buffer_free(c->buffers);
	if (c->file) {
		libaif_unmap_array(c->file, &c->info, AIF_ARRAY_DESC, c->descs);
		libaif_unmap_array(c->file, &c->info, AIF_ARRAY_COMPLETION, c->completions);
		libaif_unmap_array(c->file, &c->info, AIF_ARRAY_CLIENT_STATUS, c->status);
		libaif_close(c->file);
	}
	pthread_mutex_destroy(&c->lock);
	free(c->requests);
	free(c->taken);
	free(c);
}

int aif_client_info(const struct aif_client *c, struct aif_client_info *info)
{
	struct aif_client_info full = {
		.features = c->info.features,
		.tenant = c->info.out_tenant,
		.tenant_bytes = c->info.out_tenant_bytes,
		.service_bytes = c->info.out_service_bytes,
		.depth = c->info.depth,
		.max_depth = c->info.out_max_depth,
		.tenant_requests = c->info.out_tenant_requests,
		.device_requests = c->info.out_device_requests,
		.tenant_pinned = c->info.out_tenant_pinned,
	};

	return libaif_opts_out(info, INFO_FIRST, &full, sizeof(full));
}

int aif_client_fd(const struct aif_client *c)
{
	return c->file->fd;
}

uint64_t aif_client_answered(const struct aif_client *c)
{
	return libaif_load(&c->status->answered);
}

int aif_client_wait(struct aif_client *c, uint64_t answered, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .value = answered, .timeout_ns = timeout_ns,
	};

	/* With timeout 0 the caller knows already: it tells poll(2). */
	if (timeout_ns && aif_client_answered(c) >= answered)
		return 0;
	return libaif_call(c->file, AIF_IOC_WAIT, &arg);
}

int aif_client_wait_quiet(struct aif_client *c, int64_t timeout_ns)
{
	struct aif_ioc_wait_quiet arg = {
		.size = sizeof(arg), .tag = AIF_TAG_ALL, .timeout_ns = timeout_ns,
	};

	return libaif_call(c->file, AIF_IOC_WAIT_QUIET, &arg);
}

static int cancel_all(struct aif_client *c, uint32_t flags)
{
	struct aif_ioc_cancel arg = { .size = sizeof(arg), .flags = flags, .tag = AIF_TAG_ALL };

	return libaif_call(c->file, AIF_IOC_CANCEL, &arg);
}

int aif_client_cancel_all(struct aif_client *c)
{
	return cancel_all(c, 0);
}

int aif_client_cancel_waits(struct aif_client *c)
{
	return cancel_all(c, AIF_CANCEL_F_WAITS);
}

int aif_client_set_eventfd(struct aif_client *c, int fd)
{
	struct aif_ioc_set_eventfd arg = { .size = sizeof(arg), .fd = fd };

	return libaif_call(c->file, AIF_IOC_SET_EVENTFD, &arg);
}
