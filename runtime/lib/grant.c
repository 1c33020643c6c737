// SPDX-License-Identifier: MIT
/* Grants, and which of them a pointer lies in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

_Static_assert(AIF_GRANT_WRITE == AIF_GRANT_F_WRITE, "flags are passed on");

/* By address; a writable one first among those of one buffer. */
static bool before(const struct aif_grant *a, const struct aif_grant *b)
{
	if (a->buffer != b->buffer)
		return a->buffer->data < b->buffer->data;
	return a->writable && !b->writable;
}

static int grants_reserve(struct aif_service *s)
{
	unsigned int capacity = s->grant_capacity ? 2 * s->grant_capacity : 4;
	struct aif_grant **grants;

	if (s->grant_count < s->grant_capacity)
		return 0;
	grants = reallocarray(s->grants, capacity, sizeof(*grants));
	if (!grants)
		return -ENOMEM;
	s->grants = grants;
	s->grant_capacity = capacity;
	return 0;
}

static int grants_insert(struct aif_service *s, struct aif_grant *g)
{
	unsigned int i;

	if (grants_reserve(s))
		return -ENOMEM;
	for (i = s->grant_count++; i && before(g, s->grants[i - 1]); i--)
		s->grants[i] = s->grants[i - 1];
	s->grants[i] = g;
	return 0;
}

static void grants_remove(struct aif_service *s, const struct aif_grant *g)
{
	unsigned int i = 0;

	while (s->grants[i] != g)
		i++;
	s->grant_count--;
	memmove(&s->grants[i], &s->grants[i + 1], (s->grant_count - i) * sizeof(*s->grants));
}

/* The first grant of the last buffer that begins at or before @address. */
static unsigned int grants_at(const struct aif_service *s, const char *address)
{
	unsigned int low = 0, high = s->grant_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (s->grants[middle]->buffer->data <= address)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 1 && s->grants[low - 2]->buffer == s->grants[low - 1]->buffer)
		low--;
	return low ? low - 1 : s->grant_count;
}

/* No bytes are in every grant. */
static bool find_empty(const struct aif_service *s, bool write, struct aif_range *range)
{
	unsigned int i;

	for (i = 0; i < s->grant_count; i++) {
		if (s->grants[i]->writable || !write) {
			*range = (struct aif_range){ .grant = s->grants[i]->handle };
			return true;
		}
	}
	return false;
}

/*
 * The first grant of a buffer is its most permissive.  A grant that is not
 * writable is given for an output too: refusing it is the device's office.
 */
bool libaif_grant_find(const struct aif_service *s, const struct iovec *piece, bool write,
		       struct aif_range *range)
{
	const char *address = piece->iov_base;
	const struct aif_grant *g;
	unsigned int i;
	size_t offset;

	if (!piece->iov_len)
		return find_empty(s, write, range);
	i = grants_at(s, address);
	if (i == s->grant_count)
		return false;
	g = s->grants[i];
	offset = (size_t)(address - g->buffer->data);
	if (offset > g->buffer->size || piece->iov_len > g->buffer->size - offset)
		return false;
	*range = (struct aif_range){
		.grant = g->handle, .offset = (uint32_t)offset, .length = (uint32_t)piece->iov_len,
	};
	return true;
}

bool libaif_grant_is(const struct aif_client *c, uint32_t handle, uint32_t made)
{
	const struct aif_service *s;
	unsigned int i;

	for (s = c->services; s; s = s->next) {
		for (i = 0; i < s->grant_count; i++) {
			if (s->grants[i]->handle == handle)
				return s->grants[i]->number <= made;
		}
	}
	return false;
}

static int grant_call(struct aif_grant *g)
{
	struct aif_ioc_grant arg = {
		.size = sizeof(arg), .flags = g->writable ? AIF_GRANT_F_WRITE : 0,
		.buffer = g->buffer->handle, .service = g->service->handle,
	};
	int err = libaif_call(g->service->client->file, AIF_IOC_GRANT, &arg);

	g->handle = arg.out_grant;
	return err;
}

static int revoke_call(const struct aif_grant *g)
{
	struct aif_ioc_revoke arg = { .size = sizeof(arg), .grant = g->handle };

	return libaif_call(g->service->client->file, AIF_IOC_REVOKE, &arg);
}

struct aif_grant *aif_grant_create(struct aif_buffer *buffer, struct aif_service *service,
				   unsigned int flags)
{
	struct aif_client *c = service->client;
	struct aif_grant *g;
	int err;

	if (flags & ~AIF_GRANT_WRITE || buffer->client != c)
		return libaif_null(-EINVAL);
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	*g = (struct aif_grant){
		.service = service, .buffer = buffer, .writable = flags & AIF_GRANT_WRITE,
	};
	err = grant_call(g);
	if (!err) {
		pthread_mutex_lock(&c->lock);
		g->number = ++c->made;
		err = grants_insert(service, g);
		pthread_mutex_unlock(&c->lock);
		if (err)
			revoke_call(g);
	}
	if (err) {
		free(g);
		return libaif_null(err);
	}
	return g;
}

/* Out of the table first: nothing new is prepared with what is being revoked. */
int aif_grant_revoke(struct aif_grant *g)
{
	struct aif_client *c;
	int err;

	if (!g)
		return 0;
	c = g->service->client;
	pthread_mutex_lock(&c->lock);
	grants_remove(g->service, g);
	c->revoked++;
	pthread_mutex_unlock(&c->lock);
	err = revoke_call(g);
	free(g);
	return err;
}
