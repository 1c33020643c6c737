// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers as an engine's device sees them.
 *
 * A map is *on* from when it was made until it is taken off: by UNMAP, by the end of its
 * buffer, because another needs its room, or because its engine goes.  On, it stands in
 * its buffer's ->maps and its engine's list, where new chunks find it; it keeps neither.
 * Taken off it is found by nobody, and undone as soon as no chunk uses it: at once by
 * whoever took it off, else by a worker, and until then it keeps its buffer.  Nobody is
 * left behind:
 *	a buffer's last reference takes its maps off before its pages are let go of;
 *	others do that with a reference, so this waits for none of them;
 *	an engine waits for all that is taken off and unused.  What its chunks in
 *	quarantine use stays, for ever if it is never quiet.
 * Chunks keep their buffers, so a buffer that ends has no map in use.
 *
 * The pages are mapped whole, and without synchronising: of a page that is shared with
 * others no byte may be written back that no chunk wrote.
 */
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "aif.h"

struct aif_map {
	struct aif_mapper *engine;
	struct aif_buffer *buffer;
	struct list_head node;		/* engine->maps, on; aif_engines_lock */
	u32 users;			/* chunks, one for each end; aif_engines_lock */
	bool gone;			/* taken off; aif_engines_lock */
	bool mapped;			/* the driver did its part */
	enum dma_data_direction direction;
	u64 bytes;
	struct sg_table table;
	struct aif_extent *extent;	/* table.nents of them, by device address */
	struct work_struct undo_work;
};

/* ---- off, and undone ---- */

static void aif_map_uncharge(struct aif_map *m)
{
	struct aif_mapper *e = m->engine;

	atomic64_sub(m->bytes, &m->buffer->tenant->mapped);
	atomic64_sub(m->bytes, &aif_gauges.mapped_bytes);
	spin_lock(&aif_engines_lock);
	e->bytes -= m->bytes;
	e->undoing -= m->bytes;
	wake_up(&e->undone);	/* with the lock: then @e may go */
	spin_unlock(&aif_engines_lock);
}

/* Counted in ->undoing, or never on. */
static void aif_map_undo(struct aif_map *m)
{
	if (m->mapped)
		m->engine->ops->unmap(m->engine->driver, &m->table, m->direction);
	sg_free_table(&m->table);
	kvfree(m->extent);
	aif_map_uncharge(m);
	kfree(m);
}

static void aif_map_undo_work(struct work_struct *work)
{
	struct aif_map *m = container_of(work, struct aif_map, undo_work);
	struct aif_buffer *b = m->buffer;

	aif_map_undo(m);
	aif_buffer_put(b);
}

/* True: the caller undoes it.  False: it has taken a reference to its buffer. */
static bool aif_map_take_off(struct aif_map *m)
{
	struct aif_mapper *e = m->engine;
	struct aif_buffer *b = m->buffer;

	lockdep_assert_held(&aif_engines_lock);
	b->maps[e->index] = NULL;
	b->mapped &= ~BIT(e->index);
	list_del(&m->node);
	m->gone = true;
	if (m->users) {
		kref_get(&b->ref);
		return false;
	}
	e->undoing += m->bytes;
	return true;
}

/* aif_engines_lock held: a chunk at one of its ends. */
void aif_map_use(struct aif_map *m)
{
	m->users++;
	list_move_tail(&m->node, &m->engine->maps);
}

/* aif_engines_lock held. */
void aif_map_unuse(struct aif_map *m)
{
	if (--m->users || !m->gone)
		return;
	m->engine->undoing += m->bytes;
	queue_work(aif_slow_wq, &m->undo_work);
}

/*
 * Used least lately of those that no chunk uses, or with @all of all; of @t's if that is
 * given.  With a reference to its buffer: one that ends anyway is not found.
 */
static struct aif_map *aif_map_find(struct aif_mapper *e, const struct aif_tenant *t, bool all)
{
	struct aif_map *m;

	lockdep_assert_held(&aif_engines_lock);
	list_for_each_entry(m, &e->maps, node) {
		if ((!m->users || all) && (!t || m->buffer->tenant == t) &&
		    kref_get_unless_zero(&m->buffer->ref))
			return m;
	}
	return NULL;
}

/* Take one off, @t's own before others'.  Its bytes, or 0: there is none. */
static u64 aif_map_evict(struct aif_mapper *e, const struct aif_tenant *t, bool all)
{
	struct aif_buffer *b;
	struct aif_map *m;
	u64 bytes;
	bool unused;

	spin_lock(&aif_engines_lock);
	m = aif_map_find(e, t, all) ?: aif_map_find(e, NULL, all);
	b = m ? m->buffer : NULL;
	unused = m && aif_map_take_off(m);
	spin_unlock(&aif_engines_lock);
	if (!b)
		return 0;
	bytes = b->charged;
	if (unused)
		aif_map_undo(m);
	aif_buffer_put(b);
	cond_resched();
	return bytes;
}

/* ---- room ---- */

/* Is anything being undone, or will be, as its buffer ends? */
static bool aif_map_some_go(const struct aif_mapper *e)
{
	const struct aif_map *m;

	lockdep_assert_held(&aif_engines_lock);
	list_for_each_entry(m, &e->maps, node)
		if (!kref_read(&m->buffer->ref))
			return true;
	return e->undoing;
}

/* What goes without our doing is waited for.  Its bytes, or 0: nothing, or a deadly signal. */
static u64 aif_map_await(struct aif_mapper *e)
{
	u64 before;
	bool some;

	lockdep_assert_held(&e->lock);	/* nothing is added meanwhile */
	spin_lock(&aif_engines_lock);
	before = e->bytes;
	some = aif_map_some_go(e);
	spin_unlock(&aif_engines_lock);
	if (!some || wait_event_killable(e->undone, READ_ONCE(e->bytes) < before))
		return 0;
	return before - READ_ONCE(e->bytes);
}

/* Something goes: what is idle, @t's own first, or else what goes anyway. */
static u64 aif_map_make_way(struct aif_mapper *e, const struct aif_tenant *t)
{
	if (fatal_signal_pending(current))
		return 0;
	return aif_map_evict(e, t, false) ?: aif_map_await(e);
}

/* Is there room for @bytes once all that can go has gone?  Else nothing need go. */
static bool aif_map_may_fit(struct aif_mapper *e, u64 bytes)
{
	struct aif_map *m;
	u64 used;

	spin_lock(&aif_engines_lock);
	used = e->bytes - e->undoing;
	list_for_each_entry(m, &e->maps, node)
		used -= m->users ? 0 : m->bytes;
	spin_unlock(&aif_engines_lock);
	return bytes <= e->limit && used <= e->limit - bytes;
}

static bool aif_map_take_room(struct aif_mapper *e, u64 bytes)
{
	bool fits;

	spin_lock(&aif_engines_lock);
	fits = e->bytes + bytes <= e->limit;
	if (fits) {
		e->bytes += bytes;
		atomic64_add(bytes, &aif_gauges.mapped_bytes);
	}
	spin_unlock(&aif_engines_lock);
	return fits;
}

/* Room at the tenant whose buffer it is, and at the engine. */
static int aif_map_charge(struct aif_map *m)
{
	struct aif_tenant *t = m->buffer->tenant;
	struct aif_mapper *e = m->engine;
	bool fits;
	int err;

	do {
		err = aif_charge(&t->mapped, m->bytes, aif_tenant_limits(t).mapped_bytes);
	} while (err && aif_map_await(e));
	if (err)
		return err;
	fits = aif_map_may_fit(e, m->bytes);
	while (fits && !aif_map_take_room(e, m->bytes))
		fits = aif_map_make_way(e, t);
	if (!fits)
		atomic64_sub(m->bytes, &t->mapped);
	return fits ? 0 : -ENOSPC;
}

/* ---- made ---- */

/* Pages of one segment, at most. */
static unsigned long aif_map_segment_pages(const struct aif_mapper *e)
{
	size_t most = UINT_MAX;

	if (e->device)
		most = min3(most, dma_max_mapping_size(e->device),
			    (size_t)dma_get_max_seg_size(e->device));
	return max(most >> PAGE_SHIFT, 1ul);
}

/* How many pages follow one another from page @index on, up to @most. */
static unsigned long aif_map_run(const struct aif_buffer *b, unsigned long index,
				 unsigned long most, u32 *hint)
{
	unsigned long pfn = page_to_pfn(aif_buffer_page(b, index, hint)), n;

	for (n = 1; n < most; n++)
		if (page_to_pfn(aif_buffer_page(b, index + n, hint)) != pfn + n)
			break;
	cond_resched();
	return n;
}

static int aif_map_lay_out(struct aif_map *m)
{
	unsigned long most = aif_map_segment_pages(m->engine), pages = m->bytes >> PAGE_SHIFT;
	const struct aif_buffer *b = m->buffer;
	unsigned long i, n;
	struct scatterlist *sg;
	u32 count = 0, hint = 0;
	int err;

	for (i = 0; i < pages; i += aif_map_run(b, i, min(most, pages - i), &hint))
		count++;
	if (fatal_signal_pending(current))
		return -EINTR;
	err = sg_alloc_table(&m->table, count, AIF_GFP_SIZED);
	if (err)
		return err;
	i = 0;
	for_each_sgtable_sg(&m->table, sg, count) {
		n = aif_map_run(b, i, min(most, pages - i), &hint);
		sg_set_page(sg, aif_buffer_page(b, i, &hint), n << PAGE_SHIFT, 0);
		i += n;
	}
	return 0;
}

/* @bytes go, or more; false: there was nothing. */
static bool aif_map_make_room(struct aif_map *m, u64 bytes)
{
	u64 gone = 0, more = 1;

	for (; gone < bytes && more; gone += more)
		more = aif_map_make_way(m->engine, m->buffer->tenant);
	return gone;
}

/* What says that there is no room: of memory, addresses, or bounce buffers. */
static bool aif_map_no_room(int err)
{
	return err == -ENOMEM || err == -ENOSPC || err == -EIO;
}

/*
 * A driver may have no room where ours would say that there is.  It is asked once for
 * each doubling of what has gone, as each time it may map much before it finds out.
 */
static int aif_map_ask(struct aif_map *m)
{
	struct aif_mapper *e = m->engine;
	u64 room = m->bytes;
	int err;

	for (;;) {
		err = e->ops->map(e->driver, &m->table, m->direction);
		if (!aif_map_no_room(err) || !aif_map_make_room(m, room))
			break;
		room *= 2;
	}
	m->mapped = !err;
	if (err && fatal_signal_pending(current))
		return -EINTR;
	return err && err != -ENOMEM ? -ENOSPC : err;
}

/* What the driver said, in a form to look up; believed only where it can be. */
static int aif_map_learn(struct aif_map *m)
{
	const u32 count = m->table.nents;
	unsigned long pages = 0;
	struct scatterlist *sg;
	u32 i;

	if (!count || count > m->table.orig_nents)
		return -EIO;
	m->extent = kvmalloc_array(count, sizeof(*m->extent), AIF_GFP_SIZED);
	if (!m->extent)
		return -ENOMEM;
	for_each_sgtable_dma_sg(&m->table, sg, i) {
		m->extent[i] = (struct aif_extent){
			.address = sg_dma_address(sg), .first = pages,
		};
		pages += sg_dma_len(sg) >> PAGE_SHIFT;
		if (!sg_dma_len(sg) || !PAGE_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg)))
			return -EIO;
	}
	return pages == m->bytes >> PAGE_SHIFT ? 0 : -EIO;
}

static void aif_map_put_on(struct aif_map *m)
{
	struct aif_mapper *e = m->engine;

	spin_lock(&aif_engines_lock);
	m->buffer->maps[e->index] = m;
	m->buffer->mapped |= BIT(e->index);
	list_add_tail(&m->node, &e->maps);
	spin_unlock(&aif_engines_lock);
}

static int aif_map_make(struct aif_mapper *e, struct aif_buffer *b)
{
	struct aif_map *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	int err;

	if (!m)
		return -ENOMEM;
	m->engine = e;
	m->buffer = b;
	m->bytes = b->charged;
	m->direction = b->pinned && !b->pinned->writable ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
	INIT_WORK(&m->undo_work, aif_map_undo_work);
	err = aif_map_charge(m);
	if (err) {
		kfree(m);
		return err;
	}
	err = aif_map_lay_out(m);
	if (!err)
		err = aif_map_ask(m);
	if (!err)
		err = aif_map_learn(m);
	if (!err) {
		aif_map_put_on(m);
		return 0;
	}
	spin_lock(&aif_engines_lock);
	e->undoing += m->bytes;
	spin_unlock(&aif_engines_lock);
	aif_map_undo(m);
	return err;
}

/* ---- clients ---- */

static int aif_buffer_map_for(struct aif_buffer *b, struct aif_ioc_buffer_map *arg)
{
	struct aif_mapper *e = aif_engine_mapper_get(arg->engine);
	int err;

	if (IS_ERR(e))
		return PTR_ERR(e);
	err = mutex_lock_killable(&e->lock);
	if (!err) {
		if (!aif_mapper_works(e))
			err = -ENODEV;
		else if (!READ_ONCE(b->maps[e->index]))
			err = aif_map_make(e, b);
		mutex_unlock(&e->lock);
	}
	if (!err)
		arg->out_engine = e->id;
	aif_mapper_put(e);
	return err;
}

int aif_buffer_map(struct aif_client *c, struct aif_ioc_buffer_map *arg)
{
	size_t n = strnlen(arg->engine, sizeof(arg->engine));
	struct aif_buffer *b;
	int err;

	if (!(READ_ONCE(c->granted_features) & AIF_F_MAP))
		return -EOPNOTSUPP;
	arg->out_engine = 0;
	if (arg->flags || !n || n == sizeof(arg->engine) ||
	    memchr_inv(arg->engine + n, 0, sizeof(arg->engine) - n))
		return -EINVAL;
	b = aif_handle_buffer(c, arg->handle, AIF_RIGHT_TRANSFER);
	if (IS_ERR(b))
		return PTR_ERR(b);
	err = b->import ? -EOPNOTSUPP : aif_buffer_map_for(b, arg);
	aif_buffer_put(b);
	return err;
}

/* aif_engines_lock held: its map for @engine, or NULL. */
static struct aif_map *aif_buffer_map_of(const struct aif_buffer *b, u32 engine)
{
	u32 i;

	lockdep_assert_held(&aif_engines_lock);
	for (i = 0; i < AIF_ENGINES_MAX; i++)
		if (b->maps[i] && b->maps[i]->engine->id == engine)
			return b->maps[i];
	return NULL;
}

bool aif_buffer_mapped_for(const struct aif_buffer *b, u32 engine)
{
	bool mapped;

	spin_lock(&aif_engines_lock);
	mapped = aif_buffer_map_of(b, engine);
	spin_unlock(&aif_engines_lock);
	return mapped;
}

int aif_buffer_unmap(struct aif_client *c, const struct aif_ioc_buffer_unmap *arg)
{
	struct aif_buffer *b;
	struct aif_map *m;
	bool unused;

	if (!(READ_ONCE(c->granted_features) & AIF_F_MAP))
		return -EOPNOTSUPP;
	if (arg->__reserved)
		return -EINVAL;
	b = aif_handle_buffer(c, arg->handle, AIF_RIGHT_TRANSFER);
	if (IS_ERR(b))
		return PTR_ERR(b);
	spin_lock(&aif_engines_lock);
	m = aif_buffer_map_of(b, arg->engine);
	unused = m && aif_map_take_off(m);
	spin_unlock(&aif_engines_lock);
	if (unused)
		aif_map_undo(m);
	aif_buffer_put(b);
	return m ? 0 : -ENOENT;
}

/* Its last reference is gone. */
void aif_buffer_unmap_all(struct aif_buffer *b)
{
	struct aif_map *m;
	u32 i;

	for (i = 0; i < AIF_ENGINES_MAX; i++) {
		spin_lock(&aif_engines_lock);
		m = b->maps[i];
		if (m)
			WARN_ON_ONCE(!aif_map_take_off(m));
		spin_unlock(&aif_engines_lock);
		if (m)
			aif_map_undo(m);
	}
}

/* ---- engines ---- */

/* Where @device's mappings are copies, in a pool that all such devices share, there is little. */
u64 aif_mapper_default(struct device *device)
{
	if (device && dma_max_mapping_size(device) < SIZE_MAX)
		return READ_ONCE(aif_engine_bounced);
	return READ_ONCE(aif_engine_mapped);
}

void aif_mapper_init(struct aif_mapper *e)
{
	mutex_init(&e->lock);
	INIT_LIST_HEAD(&e->maps);
	init_waitqueue_head(&e->undone);
}

/* From aif_engine_mapper_get(). */
void aif_mapper_put(struct aif_mapper *e)
{
	spin_lock(&aif_engines_lock);
	e->callers--;
	wake_up(&e->undone);	/* with the lock, as above */
	spin_unlock(&aif_engines_lock);
}

static bool aif_mapper_is_left(struct aif_mapper *e)
{
	bool left;

	spin_lock(&aif_engines_lock);
	left = !e->callers;
	spin_unlock(&aif_engines_lock);
	return left;
}

static bool aif_mapper_is_clean(struct aif_mapper *e)
{
	bool clean;

	spin_lock(&aif_engines_lock);
	clean = list_empty(&e->maps) && !e->undoing;
	spin_unlock(&aif_engines_lock);
	return clean;
}

/* Its engine is GONE: nobody gets it any more. */
void aif_mapper_fini(struct aif_mapper *e)
{
	wait_event(e->undone, aif_mapper_is_left(e));
	while (aif_map_evict(e, NULL, true))
		;
	wait_event(e->undone, aif_mapper_is_clean(e));
}

/* ---- chunks ---- */

/* The device's address of byte @at from the beginning of the buffer's first page. */
dma_addr_t aif_map_address(const struct aif_map *m, u64 at, u32 *hint)
{
	const struct aif_extent *x;

	*hint = aif_extent_find(m->extent, m->table.nents, at >> PAGE_SHIFT, *hint);
	x = &m->extent[*hint];
	return x->address + (at - ((u64)x->first << PAGE_SHIFT));
}

/* Whose copies of @c's bytes have to be kept together with ours, or NULL. */
static struct device *aif_chunk_device(const struct aif_chunk *c)
{
	struct device *device = c->maps[1] ? c->maps[1]->engine->device : NULL;

	return device && dma_dev_need_sync(device) ? device : NULL;
}

/* The target too: bytes that the device does not write shall be there afterwards. */
void aif_chunk_sync_for_device(const struct aif_chunk *c)
{
	struct device *device = aif_chunk_device(c);
	const struct aif_segment *seg;
	u32 i;

	for (i = 0; device && i < c->desc.segment_count; i++) {
		seg = &c->pieces[i].segment;
		if (seg->from)
			dma_sync_single_for_device(device, seg->from_dma, seg->bytes,
						   DMA_TO_DEVICE);
		dma_sync_single_for_device(device, seg->to_dma, seg->bytes, DMA_BIDIRECTIONAL);
	}
}

/* The target only: the client may write to its source meanwhile. */
void aif_chunk_sync_for_cpu(const struct aif_chunk *c)
{
	struct device *device = aif_chunk_device(c);
	const struct aif_segment *seg;
	u32 i;

	for (i = 0; device && i < c->desc.segment_count; i++) {
		seg = &c->pieces[i].segment;
		dma_sync_single_for_cpu(device, seg->to_dma, seg->bytes, DMA_BIDIRECTIONAL);
	}
}
