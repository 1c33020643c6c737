// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "act.h"

/* ---- rings ---- */

static bool op_ring_open(void)
{
	static const enum door_kind kinds[] = {
		DOOR_RING, DOOR_RING, DOOR_ASYNC, DOOR_SQPOLL, DOOR_DEFER, DOOR_DEFER, DOOR_COOP,
	};
	struct w_actor *a = pick_actor();
	enum door_kind kind = kinds[pick(sizeof(kinds) / sizeof(kinds[0]))];

	if (!a || a->ring || !w.limits.rings)
		return false;
	say("actor %u opens a ring: %s", actor_number(a), door_name(kind));
	must_be(actor_ring_open(&a->at, kind), 0);
	a->ring = true;
	a->had_rings = true;
	a->kind = kind;
	return true;
}

/*
 * On a kernel with lockdep, 6.12's io_uring warns of itself when a live process
 * closes such a ring with a command in it.
 */
static bool ring_close_warns(const struct w_actor *a)
{
	return a->kind == DOOR_DEFER && has_waits(a) && !access("/proc/lockdep", F_OK);
}

static bool op_ring_close(void)
{
	struct w_actor *a = pick_actor();

	if (!a || !a->ring || ring_close_warns(a))
		return false;
	say("actor %u closes its ring", actor_number(a));
	must_be(actor_ring_close(&a->at), 0);
	fetches_end(a);
	actor_loses_ring(a);
	return true;
}

/* A command that no file of that role has, or that was not asked for. */
static bool op_ring_wrong(void)
{
	static const uint8_t zeroes[16];
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->actor->ring && may_call(fd));
	int want = -ENOTTY;

	if (!fd)
		return false;
	if (fd->file->client && !fd->file->client->depth)
		want = -ENXIO;
	else if ((fd->file->client || fd->file->executor) && !(fd->file->features & AIF_F_URING))
		want = -EOPNOTSUPP;
	say_fd(fd, "asks its ring for nothing by");
	must_be(actor_ring_call(&fd->actor->at, fd->fd, 0x50 + pick(1000), zeroes), want);
	return true;
}

/* ---- memory ---- */

static struct w_map *pick_memory(void)
{
	return PICK(m, map, idle(m->actor) && !m->own);
}

static uint64_t *stamp_of(struct w_map *m, uint32_t page)
{
	return m->view && m->view->dead ? &m->view->stamp :
					  &memory_of(m->buffer)->stamps[m->first + page];
}

struct mapping {
	uint64_t offset;
	uint32_t pages, first, of;
	bool writable;		/* the object can be */
	bool pinned;		/* the object is nothing to map */
	bool denied;		/* its handle does not allow it */
	int prot, flags;
};

static int predict_mmap(const struct mapping *how, bool found)
{
	if (!found)
		return -ENOENT;
	if (how->pinned)
		return -ENODEV;
	if (how->denied)
		return -EACCES;
	if (how->flags != MAP_SHARED || how->first + how->pages > how->of)
		return -EINVAL;
	if (how->prot & PROT_EXEC || (how->prot & PROT_WRITE && !how->writable))
		return -EACCES;
	return 0;
}

static void spoil_mapping(struct mapping *how)
{
	switch (pick(4)) {
	case 0:
		how->pages += how->of;
		break;
	case 1:
		how->first = how->of + pick(4);
		break;
	case 2:
		how->prot |= PROT_EXEC;
		break;
	default:
		how->flags = MAP_PRIVATE;
	}
}

static struct w_map *map_object(struct w_fd *fd, uint32_t handle, struct mapping how, bool found)
{
	struct w_map *m;
	int want;
	long at;

	how.flags = MAP_SHARED;
	how.first = found ? pick(how.of) : 0;
	how.pages = found ? 1 + pick(how.of - how.first) : 1;
	how.prot = PROT_READ | (one_in(4) == how.writable ? 0 : PROT_WRITE);
	if (one_in(8))
		spoil_mapping(&how);
	how.offset = ((uint64_t)handle << 32) + how.first * PAGE;
	want = predict_mmap(&how, found);
	say_fd(fd, "maps of");
	say(" handle %u pages %u+%u of %u prot %d", handle, how.first, how.pages, how.of, how.prot);
	at = actor_mmap(&fd->actor->at, fd->fd, how.offset, how.pages * PAGE, how.prot, how.flags);
	must_be(at > 0 ? 0 : at, want);
	if (want)
		return NULL;
	m = map_new(fd->actor, fd->file, at, how.pages);
	m->first = how.first;
	m->writable = how.prot & PROT_WRITE;
	return m;
}

static bool op_map_buffer(void)
{
	struct w_fd *fd = pick_client();
	uint32_t handle = fd ? some_buffer(fd->file->client) : 0;
	struct w_buffer *b = fd ? buffer_find(fd->file->client, handle) : NULL;
	const uint32_t see = AIF_RIGHT_READ | AIF_RIGHT_MAP;
	struct mapping how = {
		.of = b ? b->pages : 1, .writable = b && b->rights & AIF_RIGHT_WRITE,
		.pinned = b && b->pinned, .denied = b && see & ~b->rights,
	};
	struct w_map *m;

	/* Handle 0 is the arrays. */
	if (!fd || !handle)
		return false;
	m = map_object(fd, handle, how, b);
	if (!m)
		return true;
	m->buffer = b;
	return true;
}

static bool op_map_view(void)
{
	struct w_fd *fd = pick_executor();
	struct w_executor *ex = fd ? fd->file->executor : NULL;
	struct w_view *v = fd ? PICK(v, view, v->executor == ex && v->attached) : NULL;
	struct mapping how = { .of = 1 };
	uint32_t id = v && !one_in(8) ? v->grant->id : 1 + pick(8);
	struct w_map *m;

	if (!fd)
		return false;
	v = view_find(ex, id);
	if (v) {
		how.of = v->grant->buffer->pages;
		how.writable = v->grant->writable;
	}
	m = map_object(fd, id, how, v);
	if (!m)
		return true;
	m->view = v;
	m->buffer = v->grant->buffer;
	return true;
}

static bool op_unmap(void)
{
	struct w_map *m = pick_memory();

	if (!m)
		return false;
	say("actor %u unmaps map %td", actor_number(m->actor), m - w.maps);
	unmap(m);
	return true;
}

void check_page(struct w_map *m, uint32_t page)
{
	uint64_t is = 0;

	must_be(actor_peek(&m->actor->at, m->at + page * PAGE, &is, sizeof(is)),
		m->readable ? (long)sizeof(is) : -EFAULT);
	if (m->readable && is != *stamp_of(m, page))
		fail("map %td page %u holds %llu, expected %llu%s", m - w.maps, page,
		     (unsigned long long)is, (unsigned long long)*stamp_of(m, page),
		     m->view && m->view->dead ? " (of the page thrown away)" : "");
}

static bool op_peek(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;

	if (!m)
		return false;
	say("actor %u reads map %td page %u", actor_number(m->actor), m - w.maps, page);
	check_page(m, page);
	return true;
}

static bool op_poke(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;
	uint64_t stamp = ++w.stamp;
	long ret;

	if (!m)
		return false;
	say("actor %u writes %llu to map %td page %u", actor_number(m->actor),
	    (unsigned long long)stamp, m - w.maps, page);
	ret = actor_poke(&m->actor->at, m->at + page * PAGE, &stamp, sizeof(stamp));
	must_be(ret, m->writable ? (long)sizeof(stamp) : -EFAULT);
	if (m->writable)
		*stamp_of(m, page) = stamp;
	return true;
}

static bool op_remap(void)
{
	struct w_map *m = pick_memory();
	uint32_t pages = m ? m->pages + (one_in(4) ? 1 : 0) : 0;
	long at;

	if (!m)
		return false;
	say("actor %u moves map %td, to %u pages from %u", actor_number(m->actor), m - w.maps,
	    pages, m->pages);
	at = actor_mremap(&m->actor->at, m->at, m->pages * PAGE, pages * PAGE);
	must_be(at > 0 ? 0 : at, pages > m->pages ? -EFAULT : 0);
	if (at > 0)
		m->at = (uint64_t)at;
	return true;
}

static bool may_be_written(const struct w_map *m)
{
	return m->view ? m->view->grant->writable : m->buffer->rights & AIF_RIGHT_WRITE;
}

static bool op_protect(void)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};
	struct w_map *m = pick_memory();
	int prot = prots[pick(6)];
	int want = 0;

	if (!m)
		return false;
	if (prot & PROT_EXEC || (prot & PROT_WRITE && !may_be_written(m)))
		want = -EACCES;
	say("actor %u protects map %td: %d", actor_number(m->actor), m - w.maps, prot);
	must_be(actor_mprotect(&m->actor->at, m->at, m->pages * PAGE, prot), want);
	if (!want) {
		m->readable = prot & PROT_READ;
		m->writable = prot & PROT_WRITE;
	}
	return true;
}

static bool op_advise(void)
{
	static const int advices[] = { MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_WILLNEED };
	struct w_map *m = pick_memory();
	int advice = advices[pick(4)];

	if (!m)
		return false;
	say("actor %u advises map %td: %d", actor_number(m->actor), m - w.maps, advice);
	must_be(actor_madvise(&m->actor->at, m->at, m->pages * PAGE, advice), 0);
	if (advice == MADV_DOFORK || advice == MADV_DONTFORK)
		m->inherited = advice == MADV_DOFORK;
	return true;
}

/* What a device driver does with memory that it is told of. */
static bool op_pin(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;

	if (!m || m->actor->has_pin || !w.limits.rings)
		return false;
	say("actor %u pins map %td page %u", actor_number(m->actor), m - w.maps, page);
	must_be(actor_pin(&m->actor->at, m->at + page * PAGE), m->writable ? 0 : -EFAULT);
	if (!m->writable)
		return true;
	m->actor->has_pin = true;
	m->actor->had_rings = true;
	if (m->view && m->view->dead)
		return true;
	m->actor->pinned = memory_of(m->buffer);
	m->actor->pinned_page = m->first + page;
	return true;
}

static bool op_unpin(void)
{
	struct w_actor *a = pick_actor();

	if (!a || !a->has_pin)
		return false;
	say("actor %u unpins", actor_number(a));
	must_be(actor_unpin(&a->at), 0);
	a->has_pin = false;
	a->pinned = NULL;
	return true;
}

const struct act memory_acts[] = {
	ACT(ring_open, 5), ACT(ring_close, 1), ACT(ring_wrong, 1), ACT(map_buffer, 4),
	ACT(map_view, 8), ACT(unmap, 2), ACT(peek, 12), ACT(poke, 10), ACT(remap, 2),
	ACT(protect, 2), ACT(advise, 4), ACT(pin, 4), ACT(unpin, 2),
	{ 0 }
};
