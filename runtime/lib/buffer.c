// SPDX-License-Identifier: MIT
/* Buffers: memory of the device's, mapped here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib.h"

#define ALIGNMENT_MAX	4096

_Static_assert(AIF_PIN_WRITE == AIF_PIN_F_WRITE && AIF_PIN_WRITE == AIF_SYNC_F_WRITE,
	       "flags are passed on");
_Static_assert(AIF_ALLOW_READ == AIF_RIGHT_READ && AIF_ALLOW_WRITE == AIF_RIGHT_WRITE &&
	       AIF_ALLOW_MAP == AIF_RIGHT_MAP && AIF_ALLOW_TRANSFER == AIF_RIGHT_TRANSFER,
	       "rights are passed on");

static void handle_free(struct aif_client *c, uint32_t handle)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg), .handle = handle };

	libaif_call(c->file, AIF_IOC_BUFFER_FREE, &arg);
}

static struct aif_buffer *buffer_add(struct aif_client *c, struct aif_buffer *b)
{
	b->client = c;
	pthread_mutex_lock(&c->lock);
	b->next = c->buffers;
	c->buffers = b;
	pthread_mutex_unlock(&c->lock);
	return b;
}

/* A buffer of pages that are not the device's, or NULL: no memory. */
static struct aif_buffer *buffer_of(void *memory, size_t bytes)
{
	struct aif_buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->data = memory;
	b->size = bytes;
	b->unmapped = true;
	return b;
}

/* Pinned as @handle, or @err. */
static struct aif_buffer *buffer_pinned(struct aif_client *c, struct aif_buffer *b,
					uint32_t handle, int err)
{
	if (err) {
		free(b);
		return libaif_null(err);
	}
	b->handle = handle;
	return buffer_add(c, b);
}

struct aif_buffer *aif_buffer_pin(struct aif_client *c, void *memory, size_t bytes,
				  unsigned int flags)
{
	struct aif_ioc_buffer_pin arg = {
		.size = sizeof(arg), .flags = flags, .address = (uintptr_t)memory, .bytes = bytes,
	};
	struct aif_buffer *b = buffer_of(memory, bytes);
	int err = b ? libaif_call_newer(c->file, AIF_IOC_BUFFER_PIN, &arg) : -ENOMEM;

	return buffer_pinned(c, b, arg.out_handle, err);
}

struct aif_buffer *aif_buffer_memfd(struct aif_client *c, int fd, uint64_t offset, size_t bytes,
				    unsigned int flags)
{
	struct aif_ioc_buffer_memfd arg = {
		.size = sizeof(arg), .flags = flags, .offset = offset, .bytes = bytes, .fd = fd,
	};
	struct aif_buffer *b = buffer_of(NULL, bytes);
	int err = b ? libaif_call_newer(c->file, AIF_IOC_BUFFER_MEMFD, &arg) : -ENOMEM;

	return buffer_pinned(c, b, arg.out_handle, err);
}

struct aif_buffer *aif_buffer_import(struct aif_client *c, int fd, unsigned int flags)
{
	struct aif_ioc_buffer_import arg = { .size = sizeof(arg), .flags = flags, .fd = fd };
	struct aif_buffer *b = buffer_of(NULL, 0);
	int err = b ? libaif_call_newer(c->file, AIF_IOC_BUFFER_IMPORT, &arg) : -ENOMEM;

	if (!err)
		b->size = (size_t)arg.out_bytes;
	return buffer_pinned(c, b, arg.out_handle, err);
}

static int buffer_sync(struct aif_buffer *b, uint32_t flags)
{
	struct aif_ioc_buffer_sync arg = {
		.size = sizeof(arg), .flags = flags, .handle = b->handle,
	};

	return libaif_call_newer(b->client->file, AIF_IOC_BUFFER_SYNC, &arg);
}

int aif_buffer_open(struct aif_buffer *b, unsigned int flags)
{
	return flags & ~AIF_PIN_WRITE ? -EINVAL : buffer_sync(b, flags);
}

int aif_buffer_close(struct aif_buffer *b)
{
	return buffer_sync(b, AIF_SYNC_F_END);
}

struct aif_buffer *aif_buffer_alloc(struct aif_client *c, size_t bytes)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = bytes };
	struct aif_buffer *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return NULL;
	err = libaif_call(c->file, AIF_IOC_BUFFER_ALLOC, &arg);
	if (err) {
		free(b);
		return libaif_null(err);
	}
	b->handle = arg.out_handle;
	b->offset = arg.out_offset;
	b->size = arg.out_bytes;
	b->data = libaif_map(c->file, arg.out_offset, b->size, PROT_READ | PROT_WRITE);
	if (!b->data) {
		err = -errno;
		handle_free(c, b->handle);
		free(b);
		return libaif_null(err);
	}
	return buffer_add(c, b);
}

int aif_buffer_share(struct aif_buffer *b, unsigned int allow)
{
	struct aif_ioc_buffer_share arg = {
		.size = sizeof(arg), .handle = b->handle, .rights = allow,
	};

	return libaif_call_newer(b->client->file, AIF_IOC_BUFFER_SHARE, &arg);
}

/* Map what @arg brought, if that may be. */
static int buffer_map_accepted(struct aif_buffer *b, const struct aif_ioc_buffer_accept *arg)
{
	const uint32_t need = AIF_RIGHT_READ | AIF_RIGHT_MAP;
	int prot = PROT_READ | (arg->out_rights & AIF_RIGHT_WRITE ? PROT_WRITE : 0);

	b->handle = arg->out_handle;
	b->offset = arg->out_offset;
	b->size = arg->out_bytes;
	b->unmapped = !arg->out_offset || need & ~arg->out_rights;
	if (b->unmapped)
		return 0;
	b->data = libaif_map(b->client->file, b->offset, b->size, prot);
	return b->data ? 0 : -errno;
}

struct aif_buffer *aif_buffer_accept(struct aif_client *c, int fd, unsigned int allow)
{
	struct aif_ioc_buffer_accept arg = { .size = sizeof(arg), .fd = fd, .rights = allow };
	struct aif_buffer *b = calloc(1, sizeof(*b));
	int err = b ? libaif_call_newer(c->file, AIF_IOC_BUFFER_ACCEPT, &arg) : -ENOMEM;

	if (err) {
		free(b);
		return libaif_null(err);
	}
	b->client = c;
	err = buffer_map_accepted(b, &arg);
	if (err) {
		handle_free(c, b->handle);
		free(b);
		return libaif_null(err);
	}
	return buffer_add(c, b);
}

int aif_buffer_map(struct aif_buffer *b, const char *engine, uint32_t *number)
{
	struct aif_ioc_buffer_map arg = { .size = sizeof(arg), .handle = b->handle };
	size_t n = strnlen(engine, sizeof(arg.engine));
	int err;

	if (n == sizeof(arg.engine))
		return -EINVAL;
	memcpy(arg.engine, engine, n);
	err = libaif_call_newer(b->client->file, AIF_IOC_BUFFER_MAP, &arg);
	if (!err)
		*number = arg.out_engine;
	return err;
}

int aif_buffer_unmap(struct aif_buffer *b, uint32_t number)
{
	struct aif_ioc_buffer_unmap arg = {
		.size = sizeof(arg), .handle = b->handle, .engine = number,
	};

	return libaif_call_newer(b->client->file, AIF_IOC_BUFFER_UNMAP, &arg);
}

int aif_buffer_place(const struct aif_buffer *b, struct aif_buffer_place *place)
{
	if (b->unmapped)
		return -EOPNOTSUPP;
	*place = (struct aif_buffer_place){
		.offset = b->offset, .bytes = b->size, .handle = b->handle,
	};
	return 0;
}

struct aif_buffer *aif_buffer_adopt(struct aif_client *c, const struct aif_buffer_place *place)
{
	struct aif_buffer *b;

	if (place->reserved || !place->bytes || place->bytes > SIZE_MAX)
		return libaif_null(-EINVAL);
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->handle = place->handle;
	b->offset = place->offset;
	b->size = (size_t)place->bytes;
	b->adopted = true;
	b->data = libaif_map(c->file, b->offset, b->size, PROT_READ | PROT_WRITE);
	if (!b->data && errno == EACCES)
		b->data = libaif_map(c->file, b->offset, b->size, PROT_READ);
	if (!b->data) {
		free(b);
		return libaif_null(-EINVAL);
	}
	return buffer_add(c, b);
}

/* Unmap and forget; the handle is the device's to end. */
void libaif_buffer_free(struct aif_buffer *b)
{
	struct aif_buffer **p;

	for (p = &b->client->buffers; *p != b;)
		p = &(*p)->next;
	*p = b->next;
	if (!b->unmapped)
		libaif_unmap(b->client->file, b->data, b->size);
	free(b);
}

int aif_buffer_free(struct aif_buffer *b)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg) };
	struct aif_client *c;
	int err;

	if (!b)
		return 0;
	c = b->client;
	arg.handle = b->handle;
	err = b->adopted ? 0 : libaif_call(c->file, AIF_IOC_BUFFER_FREE, &arg);
	if (err)
		return err;
	pthread_mutex_lock(&c->lock);
	libaif_buffer_free(b);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void *aif_buffer_data(const struct aif_buffer *b)
{
	return b->data;
}

size_t aif_buffer_size(const struct aif_buffer *b)
{
	return b->size;
}

void *aif_buffer_carve(struct aif_buffer *b, size_t bytes, size_t alignment)
{
	size_t start;

	if (!b->data)
		return libaif_null(-EOPNOTSUPP);
	if (!alignment)
		alignment = AIF_ALIGNMENT_DEFAULT;
	if (alignment > ALIGNMENT_MAX || alignment & (alignment - 1))
		return libaif_null(-EINVAL);
	start = (b->carved + alignment - 1) & ~(alignment - 1);
	if (start > b->size || bytes > b->size - start)
		return libaif_null(-ENOSPC);
	b->carved = start + bytes;
	return b->data + start;
}

void aif_buffer_reset(struct aif_buffer *b)
{
	b->carved = 0;
}

int aif_buffer_declare_pins(struct aif_buffer *b, unsigned int pins)
{
	struct aif_ioc_declare_pins arg = {
		.size = sizeof(arg), .handle = b->handle, .pins = pins,
	};

	return libaif_call(b->client->file, AIF_IOC_DECLARE_PINS, &arg);
}
