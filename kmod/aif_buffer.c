// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: `alloc`, `pin`, `memfd`, `import`.
 *
 * A buffer object lives as long as a handle, a file made of one, a grant, a mapping
 * of a client or a transfer needs it.  When the last of them is gone an `alloc` buffer's pages
 * may still carry long-term pins (a GPU driver, a ring): then the object goes to
 * the held list, stays charged to its tenant, and is given to nobody until a
 * periodic look finds the pins gone.  put_page() is what makes that safe in any
 * case.  Pinned pages are another's: a buffer of theirs lets go of them at once.
 */
#include <linux/memcontrol.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "aif.h"

#define AIF_HELD_PERIOD	msecs_to_jiffies(50)

static atomic64_t aif_buffer_ids;
static LIST_HEAD(aif_held);
static DEFINE_SPINLOCK(aif_held_lock);
static void aif_held_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(aif_held_work, aif_held_look);
static void aif_buffer_release_work(struct work_struct *work);

int aif_charge(atomic64_t *used, u64 bytes, u64 limit)
{
	if (atomic64_add_return(bytes, used) <= limit)
		return 0;
	atomic64_sub(bytes, used);
	return -EDQUOT;
}

static void aif_buffer_uncharge(struct aif_buffer *b)
{
	bool pinned = b->kind != AIF_BUFFER_ALLOC;

	atomic64_sub(b->charged, pinned ? &b->tenant->pinned : &b->tenant->bytes);
	atomic64_sub(b->charged, pinned ? &aif_gauges.pinned_bytes : &aif_gauges.buffer_bytes);
	aif_tenant_put(b->tenant);
}

/* Charged to the tenant, without its memory yet. */
static struct aif_buffer *aif_buffer_new(struct aif_client *c, enum aif_buffer_kind kind,
					 u64 charge)
{
	struct aif_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	struct aif_tenant_limits limits;
	int err;

	if (!b)
		return ERR_PTR(-ENOMEM);
	limits = aif_tenant_limits(c->tenant);
	err = kind != AIF_BUFFER_ALLOC ?
	      aif_charge(&c->tenant->pinned, charge, limits.pinned_bytes) :
	      aif_charge(&c->tenant->bytes, charge, limits.alloc_bytes);
	if (err) {
		kfree(b);
		return ERR_PTR(err);
	}
	kref_init(&b->ref);
	b->id = atomic64_inc_return(&aif_buffer_ids);
	INIT_LIST_HEAD(&b->node);
	spin_lock_init(&b->incoming_lock);
	INIT_LIST_HEAD(&b->incoming);
	INIT_WORK(&b->release_work, aif_buffer_release_work);
	kref_get(&c->tenant->ref);
	b->tenant = c->tenant;
	b->kind = kind;
	b->charged = charge;
	atomic64_add(charge, kind != AIF_BUFFER_ALLOC ? &aif_gauges.pinned_bytes :
							&aif_gauges.buffer_bytes);
	aif_gauge(buffers, 1);
	return b;
}

static void aif_buffer_destroy(struct aif_buffer *b)
{
	if (b->pinned)
		aif_pin_free(b->pinned);
	if (b->import)
		aif_import_free(b->import);
	aif_pages_free(&b->pages);
	aif_buffer_uncharge(b);
	aif_gauge(buffers, -1);
	kfree(b);
}

static bool aif_buffer_held(struct aif_buffer *b)
{
	return aif_pages_pinned(&b->pages, 0, b->pages.count, 0);
}

static void aif_held_look(struct work_struct *work)
{
	struct aif_buffer *b, *next;
	LIST_HEAD(look);

	spin_lock(&aif_held_lock);
	list_splice_init(&aif_held, &look);
	spin_unlock(&aif_held_lock);
	list_for_each_entry_safe(b, next, &look, node) {
		if (aif_buffer_held(b))
			continue;
		list_del(&b->node);
		aif_gauge(held_bytes, -(s64)b->bytes);
		aif_buffer_destroy(b);
	}
	spin_lock(&aif_held_lock);
	list_splice(&look, &aif_held);
	if (!list_empty(&aif_held))
		queue_delayed_work(aif_wq, &aif_held_work, AIF_HELD_PERIOD);
	spin_unlock(&aif_held_lock);
}

static void aif_buffer_release(struct kref *ref)
{
	struct aif_buffer *b = container_of(ref, struct aif_buffer, ref);

	WARN_ON_ONCE(!list_empty(&b->incoming));
	aif_buffer_unmap_all(b);
	if (!aif_buffer_held(b)) {
		aif_buffer_destroy(b);
		return;
	}
	aif_gauge(held_bytes, b->bytes);
	spin_lock(&aif_held_lock);
	list_add_tail(&b->node, &aif_held);
	queue_delayed_work(aif_wq, &aif_held_work, AIF_HELD_PERIOD);
	spin_unlock(&aif_held_lock);
}

void aif_buffer_put(struct aif_buffer *b)
{
	kref_put(&b->ref, aif_buffer_release);
}

static void aif_buffer_release_work(struct work_struct *work)
{
	aif_buffer_release(&container_of(work, struct aif_buffer, release_work)->ref);
}

static void aif_buffer_release_later(struct kref *ref)
{
	struct aif_buffer *b = container_of(ref, struct aif_buffer, ref);

	queue_work(b->import || b->mapped ? aif_slow_wq : aif_wq, &b->release_work);
}

/* For who holds a spinlock. */
void aif_buffer_put_later(struct aif_buffer *b)
{
	kref_put(&b->ref, aif_buffer_release_later);
}

/* Nobody maps it for an engine any more, so what is mapped for none stays so. */
static void aif_buffer_release_unmapped(struct kref *ref)
{
	if (container_of(ref, struct aif_buffer, ref)->mapped)
		aif_buffer_release_later(ref);
	else
		aif_buffer_release(ref);
}

/* For who holds mmap_lock: with that no driver is asked to unmap. */
void aif_buffer_put_unmapped(struct aif_buffer *b)
{
	kref_put(&b->ref, aif_buffer_release_unmapped);
}

/* ---- transfers that may write to it ---- */

void aif_buffer_incoming_add(struct aif_buffer *b, struct aif_request *r)
{
	spin_lock(&b->incoming_lock);
	list_add_tail(&r->entry, &b->incoming);
	spin_unlock(&b->incoming_lock);
}

void aif_buffer_incoming_del(struct aif_buffer *b, struct aif_request *r)
{
	spin_lock(&b->incoming_lock);
	list_del_init(&r->entry);
	spin_unlock(&b->incoming_lock);
}

/* May a transfer that is not quiet write to @range of it? */
bool aif_buffer_incoming(struct aif_buffer *b, const struct aif_range *range)
{
	struct aif_request *r;
	bool found = false;

	spin_lock(&b->incoming_lock);
	list_for_each_entry(r, &b->incoming, entry) {
		found = aif_ranges_meet(aif_desc_target(&r->desc), range);
		if (found)
			break;
	}
	spin_unlock(&b->incoming_lock);
	return found;
}

/* @by 1: one more chunk that a retired engine may still move; -1: one less. */
void aif_buffer_quarantine(struct aif_buffer *b, int by)
{
	spin_lock(&b->incoming_lock);
	if (!b->quarantined)
		aif_gauge(quarantined_bytes, b->charged);
	b->quarantined += by;
	if (!b->quarantined)
		aif_gauge(quarantined_bytes, -(s64)b->charged);
	spin_unlock(&b->incoming_lock);
}

/*
 * Its page @index; *@hint: the extent that it is in, or was last time.  NULL: an import has
 * none.
 */
struct page *aif_buffer_page(const struct aif_buffer *b, unsigned long index, u32 *hint)
{
	const struct aif_pinned *p = b->pinned;
	const struct aif_extent *e;

	if (b->import)
		return NULL;
	if (!p)
		return b->pages.page[index];
	*hint = aif_extent_find(p->extent, p->count, index, *hint);
	e = &p->extent[*hint];
	return pfn_to_page(page_to_pfn(e->page) + (index - e->first));
}

/* Module exit: the pages go to whoever pinned them. */
void aif_buffer_fini(void)
{
	struct aif_buffer *b, *next;

	cancel_delayed_work_sync(&aif_held_work);
	list_for_each_entry_safe(b, next, &aif_held, node)
		aif_buffer_destroy(b);
}

/* What no offset or length of a range could name is not taken. */
#define AIF_BUFFER_MAX	((1ull << AIF_MMAP_SHIFT) - PAGE_SIZE)

int aif_buffer_alloc(struct aif_client *c, struct aif_ioc_buffer_alloc *arg)
{
	struct aif_buffer *b;
	int ret;

	if (arg->flags || arg->__reserved || !arg->bytes || arg->bytes > AIF_BUFFER_MAX)
		return -EINVAL;
	b = aif_buffer_new(c, AIF_BUFFER_ALLOC, PAGE_ALIGN(arg->bytes));
	if (IS_ERR(b))
		return PTR_ERR(b);
	b->bytes = b->charged;
	ret = aif_pages_alloc(&b->pages, b->bytes, c->memcg);
	if (ret) {
		aif_buffer_destroy(b);
		return ret;
	}
	arg->out_bytes = b->bytes;
	ret = aif_handle_add(c, b, AIF_RIGHT_ALL);
	if (ret < 0)
		return ret;
	arg->out_handle = ret;
	arg->out_offset = (u64)ret << AIF_MMAP_SHIFT;
	return 0;
}

/* From byte @first of its first page; charged, and nothing pinned yet. */
static struct aif_buffer *aif_buffer_new_pinned(struct aif_client *c, enum aif_buffer_kind kind,
						u64 first, u64 bytes)
{
	struct aif_buffer *b = aif_buffer_new(c, kind, PAGE_ALIGN(first + bytes));

	if (IS_ERR(b))
		return b;
	b->first = first;
	b->bytes = bytes;
	return b;
}

/* The handle, or -errno and it is gone. */
static int aif_buffer_install_pinned(struct aif_client *c, struct aif_buffer *b,
				     struct aif_pinned *p)
{
	if (IS_ERR(p)) {
		aif_buffer_destroy(b);
		return PTR_ERR(p);
	}
	b->pinned = p;
	return aif_handle_add(c, b, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER |
				    (p->writable ? AIF_RIGHT_WRITE : 0));
}

int aif_buffer_pin(struct aif_client *c, struct aif_ioc_buffer_pin *arg)
{
	struct aif_buffer *b;
	u64 end;
	int ret;

	if (arg->flags & ~AIF_PIN_F_WRITE || arg->__reserved || !arg->bytes ||
	    arg->bytes > AIF_BUFFER_MAX)
		return -EINVAL;
	if (check_add_overflow(arg->address, arg->bytes, &end) || end > TASK_SIZE_MAX)
		return -EFAULT;
	b = aif_buffer_new_pinned(c, AIF_BUFFER_PIN, offset_in_page(arg->address), arg->bytes);
	if (IS_ERR(b))
		return PTR_ERR(b);
	ret = aif_buffer_install_pinned(c, b, aif_pin_memory(arg->address, arg->bytes,
							     arg->flags & AIF_PIN_F_WRITE));
	if (ret < 0)
		return ret;
	arg->out_handle = ret;
	return 0;
}

int aif_buffer_memfd(struct aif_client *c, struct aif_ioc_buffer_memfd *arg)
{
	struct aif_buffer *b;
	u64 end;
	int ret;

	if (!(READ_ONCE(c->granted_features) & AIF_F_MEMFD))
		return -EOPNOTSUPP;
	if (arg->flags & ~AIF_PIN_F_WRITE || !arg->bytes || arg->bytes > AIF_BUFFER_MAX ||
	    check_add_overflow(arg->offset, arg->bytes, &end) || end > MAX_LFS_FILESIZE)
		return -EINVAL;
	b = aif_buffer_new_pinned(c, AIF_BUFFER_MEMFD, offset_in_page(arg->offset), arg->bytes);
	if (IS_ERR(b))
		return PTR_ERR(b);
	ret = aif_buffer_install_pinned(c, b, aif_pin_memfd(arg->fd, arg->offset, arg->bytes,
							    arg->flags & AIF_PIN_F_WRITE));
	if (ret < 0)
		return ret;
	arg->out_handle = ret;
	return 0;
}

/* As large as it is; nobody else has it until it has a handle. */
int aif_buffer_import(struct aif_client *c, struct aif_ioc_buffer_import *arg)
{
	bool writable = arg->flags & AIF_PIN_F_WRITE;
	struct aif_import *im;
	struct aif_buffer *b;
	int ret;

	if (!(READ_ONCE(c->granted_features) & AIF_F_IMPORT))
		return -EOPNOTSUPP;
	if (arg->flags & ~AIF_PIN_F_WRITE)
		return -EINVAL;
	im = aif_import_get(arg->fd, AIF_BUFFER_MAX, writable);
	if (IS_ERR(im))
		return PTR_ERR(im);
	b = aif_buffer_new(c, AIF_BUFFER_IMPORT, PAGE_ALIGN(aif_import_bytes(im)));
	if (IS_ERR(b)) {
		aif_import_free(im);
		return PTR_ERR(b);
	}
	b->import = im;
	b->bytes = aif_import_bytes(im);
	ret = aif_import_map(im);
	if (ret) {
		aif_buffer_destroy(b);
		return ret;
	}
	arg->out_bytes = b->bytes;
	ret = aif_handle_add(c, b, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER |
				   (writable ? AIF_RIGHT_WRITE : 0));
	if (ret < 0)
		return ret;
	arg->out_handle = ret;
	return 0;
}
