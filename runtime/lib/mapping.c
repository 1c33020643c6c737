// SPDX-License-Identifier: MIT
/*
 * Grants as an executor sees them.  A mapping stays while a job uses it, also
 * when its grant was revoked: what the device put there instead is zeroes, but an
 * address that leads nowhere would kill the executor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib.h"

/* Where @grant is, or would go. */
static unsigned int mapping_place(const struct aif_executor *e, uint32_t grant)
{
	unsigned int low = 0, high = e->mapping_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (e->mappings[middle]->pub.grant < grant)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct libaif_mapping *libaif_mapping_find(const struct aif_executor *e, uint32_t grant)
{
	unsigned int i = mapping_place(e, grant);

	return i < e->mapping_count && e->mappings[i]->pub.grant == grant ? e->mappings[i] : NULL;
}

static int mappings_reserve(struct aif_executor *e)
{
	unsigned int capacity = e->mapping_capacity ? 2 * e->mapping_capacity : 16;
	struct libaif_mapping **mappings;

	if (e->mapping_count < e->mapping_capacity)
		return 0;
	mappings = reallocarray(e->mappings, capacity, sizeof(struct libaif_mapping *));
	if (!mappings)
		return -ENOMEM;
	e->mappings = mappings;
	e->mapping_capacity = capacity;
	return 0;
}

static void mapping_insert(struct aif_executor *e, struct libaif_mapping *m)
{
	unsigned int i = mapping_place(e, m->pub.grant);

	memmove(&e->mappings[i + 1], &e->mappings[i],
		(e->mapping_count - i) * sizeof(struct libaif_mapping *));
	e->mappings[i] = m;
	e->mapping_count++;
}

static int mapping_map(struct aif_executor *e, struct libaif_mapping *m, uint64_t offset)
{
	int prot = m->pub.writable ? PROT_READ | PROT_WRITE : PROT_READ;

	m->pub.data = libaif_map(e->file, offset, m->pub.length, prot);
	if (!m->pub.data)
		return -errno;
	return e->callbacks.mapped ? e->callbacks.mapped(e->ctx, &m->pub) : 0;
}

static int mapping_add(struct aif_executor *e, const struct aif_delivery *d)
{
	struct libaif_mapping *m = calloc(1, sizeof(*m));

	if (!m || mappings_reserve(e)) {
		free(m);
		return -ENOMEM;
	}
	m->pub.grant = d->index;
	m->pub.length = d->length;
	m->pub.writable = d->flags & AIF_DELIVERY_F_WRITE;
	m->error = mapping_map(e, m, d->offset);
	mapping_insert(e, m);
	return m->error;
}

void libaif_mapping_add(struct aif_executor *e, const struct aif_delivery *d)
{
	int err = mapping_add(e, d);

	if (err)
		libaif_log(AIF_LOG_ERROR, "grant %u, %llu bytes, cannot be used: %s", d->index,
			   (unsigned long long)d->length, aif_error_text(err));
}

/* One that there was no memory for is never acknowledged: held until this executor ends. */
void libaif_mapping_revoke(struct aif_executor *e, uint32_t grant)
{
	struct libaif_mapping *m = libaif_mapping_find(e, grant);

	if (m && !m->revoked) {
		m->revoked = true;
		e->revoked_count++;
	}
}

static void mapping_end(struct aif_executor *e, struct libaif_mapping *m)
{
	if (m->pub.data && !m->error && e->callbacks.unmapped)
		e->callbacks.unmapped(e->ctx, &m->pub);
	libaif_unmap(e->file, m->pub.data, m->pub.length);
	free(m);
}

static void mapping_part(struct aif_executor *e, unsigned int i)
{
	struct libaif_mapping *m = e->mappings[i];
	struct aif_commit ack = { .type = AIF_COMMIT_GRANT_ACK, .index = m->pub.grant };

	e->mapping_count--;
	memmove(&e->mappings[i], &e->mappings[i + 1],
		(e->mapping_count - i) * sizeof(struct libaif_mapping *));
	e->revoked_count--;
	mapping_end(e, m);
	libaif_commit(e, &ack);
}

void libaif_mappings_part(struct aif_executor *e, unsigned int room)
{
	unsigned int i = 0;

	while (e->revoked_count && room && i < e->mapping_count) {
		if (e->mappings[i]->revoked && !e->mappings[i]->jobs) {
			mapping_part(e, i);
			room--;
		} else {
			i++;
		}
	}
}

void libaif_mappings_fini(struct aif_executor *e)
{
	while (e->mapping_count)
		mapping_end(e, e->mappings[--e->mapping_count]);
	free(e->mappings);
}
