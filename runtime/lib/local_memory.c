// SPDX-License-Identifier: MIT
/* Handles, and memory that is mapped more than once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "local.h"

/* ---- tables ---- */

static int table_grow(struct local_table *t, u32 max)
{
	u32 count = t->count ? 2 * t->count : 16;
	void **slots;

	if (t->count >= max)
		return -ENOSPC;
	if (count > max)
		count = max;
	slots = reallocarray(t->slots, count, sizeof(void *));
	if (!slots)
		return -ENOMEM;
	memset(slots + t->count, 0, (count - t->count) * sizeof(void *));
	t->slots = slots;
	t->count = count;
	return 0;
}

int local_table_add(struct local_table *t, void *item, u32 max, u32 *handle)
{
	u32 i = 0;
	int err;

	while (i < t->count && t->slots[i])
		i++;
	if (i == t->count) {
		err = table_grow(t, max);
		if (err)
			return err;
	}
	t->slots[i] = item;
	*handle = i + 1;
	return 0;
}

void *local_table_get(const struct local_table *t, u32 handle)
{
	return handle && handle <= t->count ? t->slots[handle - 1] : NULL;
}

void local_table_remove(struct local_table *t, u32 handle)
{
	t->slots[handle - 1] = NULL;
}

void local_table_fini(struct local_table *t)
{
	free(t->slots);
	*t = (struct local_table){ 0 };
}

/* ---- memory ---- */

/* Pages are there from the start: running out is an error now, not a signal later. */
int local_memory_alloc(u64 bytes, struct local_memory **out)
{
	struct local_memory *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->refs = 1;
	m->bytes = bytes;
	m->fd = memfd_create("aif-local", MFD_CLOEXEC);
	if (m->fd < 0) {
		free(m);
		return -ENOMEM;
	}
	do {
		err = posix_fallocate(m->fd, 0, (off_t)bytes);
	} while (err == EINTR);
	if (err) {
		local_memory_put(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void local_memory_put(struct local_memory *m)
{
	if (--m->refs)
		return;
	close(m->fd);
	free(m);
}

static u64 page_align(u64 bytes)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

int local_array_alloc(struct local_array *a, u32 entry, u32 count, bool writable)
{
	int err = local_memory_alloc(page_align((u64)entry * count), &a->memory);

	if (err)
		return err;
	a->at = mmap(NULL, a->memory->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, a->memory->fd, 0);
	if (a->at == MAP_FAILED) {
		local_memory_put(a->memory);
		a->memory = NULL;
		return -ENOMEM;
	}
	a->entry = entry;
	a->count = count;
	a->writable = writable;
	return 0;
}

void local_array_free(struct local_array *a)
{
	if (!a->memory)
		return;
	munmap(a->at, a->memory->bytes);
	local_memory_put(a->memory);
	*a = (struct local_array){ 0 };
}

void local_arrays_describe(const struct local_array *arrays, struct aif_array *out)
{
	u32 kind;

	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++) {
		if (!arrays[kind].count)
			continue;
		out[kind].offset = (u64)kind << LOCAL_ARRAY_SHIFT;
		out[kind].entry_size = arrays[kind].entry;
		out[kind].count = arrays[kind].count;
	}
}

/*
 * One step for every page: a store in flight lands in the one or the other.  If
 * the kernel has no memory for that, the executor must not keep the buffer: its
 * next access is then a fault.
 */
void local_map_zap(struct local_maps *maps, const struct local_view *view)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	struct local_map *m;

	TAILQ_FOREACH(m, maps, node) {
		if (m->view != view)
			continue;
		if (mmap(m->address, m->length, m->prot, flags, -1, 0) == MAP_FAILED)
			mprotect(m->address, m->length, PROT_NONE);
		m->view = NULL;
		local_buffer_put(m->buffer);
		m->buffer = NULL;
	}
}
