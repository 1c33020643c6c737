// SPDX-License-Identifier: MIT
/*
 * Memory of an actor's own, its process's, a memfd's or a dma-buf's, pinned and then
 * unmapped; copies and fills of whole pages, waited for before anything else is done.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "act.h"

#define PATIENCE_MS	20000u

/* Its pages written; of file @fd, or of nobody's if it is -1. */
static uint64_t own_memory(struct w_actor *a, struct w_buffer *b, int fd)
{
	long at = actor_mmap(&a->at, fd, 0, b->pages * PAGE, PROT_READ | PROT_WRITE,
			     fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
	uint32_t i;

	if (at < 0)
		fail("no memory of its own: %s", result_name(at));
	for (i = 0; i < b->pages; i++) {
		b->stamps[i] = ++w.stamp;
		if (actor_poke(&a->at, (uint64_t)at + i * PAGE, &b->stamps[i],
			       sizeof(b->stamps[i])) != sizeof(b->stamps[i]))
			fail("memory of its own cannot be written");
	}
	return (uint64_t)at;
}

static int predict_pin(const struct w_client *c, uint64_t bytes)
{
	if (tenant_pinned(c->tenant) + bytes > tenant_of(c->tenant)->limits.pinned_bytes)
		return -EDQUOT;
	return client_buffers(c) >= w.limits.max_buffers ? -ENOSPC : 0;
}

/* What is about to be pinned by @fd, to be written or not. */
static struct w_buffer pinned_buffer(const struct w_fd *fd)
{
	return (struct w_buffer){
		.client = fd ? fd->file->client : NULL,
		.pages = 1 + pick(BUFFER_PAGES),
		.pinned = true,
		.rights = AIF_RIGHT_READ | AIF_RIGHT_TRANSFER |
			  (one_in(3) ? 0 : AIF_RIGHT_WRITE),
	};
}

static uint32_t pin_flags(const struct w_buffer *b)
{
	return b->rights & AIF_RIGHT_WRITE ? AIF_PIN_F_WRITE : 0;
}

static void keep_pinned(struct w_buffer *b, uint32_t handle)
{
	if (!handle || buffer_find(b->client, handle))
		fail("handle %u is taken", handle);
	b->handle = handle;
	say(" (buffer %u)", handle);
	w.buffers[w.buffer_count++] = *b;
}

/* Nobody sees the pages any more but transfers. */
static bool op_pin_memory(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_buffer b = pinned_buffer(fd);
	struct aif_ioc_buffer_pin arg = { .bytes = b.pages * PAGE, .flags = pin_flags(&b) };

	if (!fd)
		return false;
	arg.address = own_memory(fd->actor, &b, -1);
	say_fd(fd, "pins memory of its own by");
	say(" %u pages%s", b.pages, arg.flags ? "" : ", to read");
	if (call(fd, AIF_IOC_BUFFER_PIN, &arg, predict_pin(b.client, arg.bytes)))
		keep_pinned(&b, arg.out_handle);
	must_be(actor_munmap(&fd->actor->at, arg.address, arg.bytes), 0);
	return true;
}

static int predict_memfd(const struct w_fd *fd, uint64_t bytes, uint32_t flags, unsigned int seals)
{
	if (!(fd->file->features & AIF_F_MEMFD))
		return -EOPNOTSUPP;
	if (tenant_pinned(fd->file->client->tenant) + bytes >
	    tenant_of(fd->file->client->tenant)->limits.pinned_bytes)
		return -EDQUOT;
	if (!(seals & F_SEAL_SHRINK))
		return -EINVAL;
	if (flags & AIF_PIN_F_WRITE && seals & F_SEAL_FUTURE_WRITE)
		return -EPERM;
	return predict_pin(fd->file->client, bytes);
}

/* The same, of a memfd that is closed at once. */
static bool op_pin_memfd(void)
{
	static const unsigned int seals[] = {
		F_SEAL_SHRINK, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, 0,
	};
	unsigned int sealed = seals[pick(sizeof(seals) / sizeof(*seals))];
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_buffer b = pinned_buffer(fd);
	struct aif_ioc_buffer_memfd arg = { .bytes = b.pages * PAGE, .flags = pin_flags(&b) };
	uint64_t at;

	if (!fd)
		return false;
	arg.fd = (int)actor_memfd(&fd->actor->at, arg.bytes);
	at = own_memory(fd->actor, &b, arg.fd);
	must_be(actor_seal(&fd->actor->at, arg.fd, sealed), 0);
	say_fd(fd, "pins a memfd by");
	say(" %u pages%s, sealed %x", b.pages, arg.flags ? "" : ", to read", sealed);
	if (call(fd, AIF_IOC_BUFFER_MEMFD, &arg, predict_memfd(fd, arg.bytes, arg.flags, sealed)))
		keep_pinned(&b, arg.out_handle);
	must_be(actor_munmap(&fd->actor->at, at, b.pages * PAGE), 0);
	must_be(actor_close(&fd->actor->at, arg.fd), 0);
	return true;
}

/* The same, of a dma-buf of the system heap. */
static bool op_import(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_buffer b = pinned_buffer(fd);
	struct aif_ioc_buffer_import arg = { .flags = pin_flags(&b) };
	long heap = fd ? actor_heap(&fd->actor->at, b.pages * PAGE) : -ENOENT;
	uint64_t at;

	if (heap == -ENOENT)
		return false;
	arg.fd = (int)heap;
	b.imported = true;
	at = own_memory(fd->actor, &b, arg.fd);
	say_fd(fd, "imports a dma-buf by");
	say(" %u pages%s", b.pages, arg.flags ? "" : ", to read");
	if (call(fd, AIF_IOC_BUFFER_IMPORT, &arg, fd->file->features & AIF_F_IMPORT ?
		 predict_pin(b.client, b.pages * PAGE) : -EOPNOTSUPP)) {
		if (arg.out_bytes != b.pages * PAGE)
			fail("%llu bytes", arg.out_bytes);
		keep_pinned(&b, arg.out_handle);
	}
	must_be(actor_munmap(&fd->actor->at, at, b.pages * PAGE), 0);
	must_be(actor_close(&fd->actor->at, arg.fd), 0);
	return true;
}

static int predict_sync(const struct w_client *c, struct w_buffer *b, uint32_t flags)
{
	uint32_t need = AIF_RIGHT_TRANSFER | (flags & AIF_SYNC_F_WRITE ? AIF_RIGHT_WRITE : 0);

	if (!(c->file->features & AIF_F_IMPORT))
		return -EOPNOTSUPP;
	if (flags > AIF_SYNC_F_END)
		return -EINVAL;
	if (!b || need & ~b->rights)
		return b ? -EACCES : -ENOENT;
	if (!memory_of(b)->imported)
		return -EINVAL;
	if (memory_of(b)->client->tenant != c->tenant)
		return -EPERM;
	return !memory_of(b)->open == !(flags & AIF_SYNC_F_END) ? 0 : -EALREADY;
}

static bool is_import_of(const struct w_buffer *b, const struct w_client *c)
{
	return b->client == c && !b->freed && (b->of ? b->of : b)->imported;
}

static bool has_import(const struct w_client *c)
{
	const struct w_buffer *b;

	for EACH(b, buffer)
		if (is_import_of(b, c))
			return true;
	return false;
}

static bool op_sync(void)
{
	static const uint32_t flags[] = {
		0, AIF_SYNC_F_WRITE, AIF_SYNC_F_WRITE, AIF_SYNC_F_END,
		AIF_SYNC_F_WRITE | AIF_SYNC_F_END,
	};
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->file->client &&
			       (has_import(fd->file->client) || one_in(8)));
	struct w_client *c = fd ? fd->file->client : NULL;
	struct w_buffer *b = PICK(b, buffer, is_import_of(b, c));
	struct aif_ioc_buffer_sync arg = { .flags = flags[pick(sizeof(flags) / sizeof(*flags))] };

	if (!fd)
		return false;
	arg.handle = b && !one_in(4) ? b->handle : some_buffer(c);
	b = buffer_find(c, arg.handle);
	say_fd(fd, arg.flags & AIF_SYNC_F_END ? "closes by" : "opens by");
	say(" buffer %u flags %x", arg.handle, arg.flags);
	if (!call(fd, AIF_IOC_BUFFER_SYNC, &arg, predict_sync(c, b, arg.flags)))
		return true;
	memory_of(b)->open = arg.flags & AIF_SYNC_F_END ? 0 :
			     arg.flags & AIF_SYNC_F_WRITE ? AIF_RIGHT_READ | AIF_RIGHT_WRITE :
							    AIF_RIGHT_READ;
	return true;
}

/* Often one that is open, of which there are few. */
static uint32_t some_end(struct w_client *c)
{
	struct w_buffer *b = PICK(b, buffer, b->client == c && !b->freed && memory_of(b)->open);

	return b && !one_in(3) ? b->handle : some_buffer(c);
}

static struct aif_range some_pages(struct w_client *c, uint32_t most)
{
	struct aif_range r = { .grant = some_end(c) };
	const struct w_buffer *b = buffer_find(c, r.grant);
	uint32_t pages = b ? b->pages : 1, first = pick(pages);
	uint32_t n = pages - first < most ? pages - first : most;

	r.offset = first * PAGE;
	r.length = (1 + pick(n)) * PAGE;
	return r;
}

static struct aif_desc some_transfer(struct w_client *c)
{
	struct aif_desc d = {
		.tag = pick(c->depth), .generation = ++c->generation,
		.flags = AIF_REQ_F_TRANSFER, .range_count = 1,
		.sched_class = (uint8_t)(one_in(3) ? AIF_CLASS_IDLE : AIF_CLASS_NORMAL),
	};
	uint32_t i;

	if (one_in(8))
		d.service = pick(3);
	d.range = some_pages(c, BUFFER_PAGES);
	if (one_in(3)) {
		d.inline_length = (uint8_t)(1 + pick(AIF_INLINE_MAX));
		for (i = 0; i < d.inline_length; i++)
			d.input[i] = (uint8_t)next_random();
		return d;
	}
	d.range_count = 2;
	d.ranges[1] = some_pages(c, d.range.length / PAGE);
	d.ranges[0].length = d.ranges[1].length;
	return d;
}

static void wait_for_it(struct w_fd *fd, uint32_t tag)
{
	struct aif_ioc_wait_quiet arg = { .size = sizeof(arg), .tag = tag };
	uint32_t ms;
	long ret = -ETIME;

	for (ms = 0; ret == -ETIME && ms < PATIENCE_MS; ms++) {
		ret = actor_call(&fd->actor->at, fd->fd, AIF_IOC_WAIT_QUIET, &arg, sizeof(arg),
				 PLACE_DESK);
		if (ret)
			raw_sleep_ms(1);
	}
	must_be(ret, 0);
}

static bool op_transfer(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->file->client &&
			       (fd->file->features & AIF_F_TRANSFER || one_in(8)) &&
			       map_of_array(fd->file, AIF_ARRAY_DESC));
	struct aif_ioc_submit arg = { .size = sizeof(arg), .count = 1 };
	struct w_client *c = fd ? fd->file->client : NULL;
	const struct w_map *m = fd ? map_of_array(fd->file, AIF_ARRAY_DESC) : NULL;
	struct aif_desc d;
	int want;

	if (!fd)
		return false;
	d = some_transfer(c);
	want = submit_predict(c, &d, raw_now());
	if (actor_write(&m->actor->at, m->at, &d, sizeof(d)) != sizeof(d))
		fail("the descriptor ring cannot be written");
	say_fd(fd, d.inline_length ? "fills by" : "copies by");
	say(" tag %u gen %u buffer %u+%u %u+%u of %u", d.tag, d.generation, d.ranges[0].grant,
	    d.ranges[0].offset, d.ranges[1].grant, d.ranges[1].offset, d.ranges[0].length);
	must_be(actor_call(&fd->actor->at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg), PLACE_DESK),
		want);
	if (want)
		return true;
	wait_for_it(fd, d.tag);
	transfer_done(c, &d);
	return true;
}

/* For the CPU, which needs no mapping, or for nobody. */
static bool op_map_for(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_buffer_map arg = { .handle = fd ? some_buffer(c) : 0 };
	struct w_buffer *b;
	bool cpu = one_in(2);
	int want;

	if (!fd)
		return false;
	strcpy(arg.engine, cpu ? "cpu" : "nobody");
	b = buffer_find(c, arg.handle);
	want = b && cpu ? -EINVAL : -ENOENT;
	if (b && memory_of(b)->imported)
		want = -EOPNOTSUPP;
	if (b && !(b->rights & AIF_RIGHT_TRANSFER))
		want = -EACCES;
	say_fd(fd, "maps for");
	say(" %s buffer %u", arg.engine, arg.handle);
	call(fd, AIF_IOC_BUFFER_MAP, &arg, fd->file->features & AIF_F_MAP ? want : -EOPNOTSUPP);
	return true;
}

static bool op_unmap_for(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct aif_ioc_buffer_unmap arg = { .engine = pick(3) };
	const struct w_buffer *b;
	int want;

	if (!fd)
		return false;
	arg.handle = some_buffer(fd->file->client);
	b = buffer_find(fd->file->client, arg.handle);
	want = b && !(b->rights & AIF_RIGHT_TRANSFER) ? -EACCES : -ENOENT;
	say_fd(fd, "unmaps");
	say(" buffer %u for %u", arg.handle, arg.engine);
	call(fd, AIF_IOC_BUFFER_UNMAP, &arg, fd->file->features & AIF_F_MAP ? want : -EOPNOTSUPP);
	return true;
}

const struct act transfer_acts[] = {
	ACT(pin_memory, 4), ACT(pin_memfd, 3), ACT(import, 3), ACT(sync, 6),
	ACT(transfer, 12), ACT(map_for, 1), ACT(unmap_for, 1),
	{ 0 }
};
