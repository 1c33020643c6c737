// SPDX-License-Identifier: GPL-2.0-only
/*
 * `pin` buffers: the caller's own memory, pinned in place.
 *
 * Charged before anything is pinned: to the tenant of the file, and to the mm
 * whose memory it is, which is kept (not its mappings) until the charge is taken
 * back from it.  From then on only pages are looked at, never addresses: what the
 * process does with its mapping changes nothing here.
 *
 * Pages that follow one another make one extent, so memory in huge pages costs
 * a few words.
 */
#include <linux/capability.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "aif.h"

#define AIF_PIN_BATCH	(PAGE_SIZE / sizeof(struct page *))

/* RLIMIT_MEMLOCK of @mm, as the kernel's own long-term pins count it. */
static int aif_pin_charge_mm(struct mm_struct *mm, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(pages, &mm->pinned_vm) <= limit || capable(CAP_IPC_LOCK))
		return 0;
	atomic64_sub(pages, &mm->pinned_vm);
	return -ENOMEM;
}

static void aif_pin_uncharge_mm(struct mm_struct *mm, unsigned long pages)
{
	atomic64_sub(pages, &mm->pinned_vm);
}

static unsigned long aif_extent_pages(const struct aif_pinned *p, u32 i)
{
	unsigned long end = i + 1 < p->count ? p->extent[i + 1].first : p->pages;

	return end - p->extent[i].first;
}

static void aif_pin_undo(struct aif_pinned *p)
{
	u32 i;

	for (i = 0; i < p->count; i++) {
		unpin_user_page_range_dirty_lock(p->extent[i].page, aif_extent_pages(p, i),
						 p->writable);
		cond_resched();
	}
	kvfree(p->extent);
	p->extent = NULL;
	p->count = 0;
	p->pages = 0;
}

static int aif_pin_grow(struct aif_pinned *p)
{
	u32 capacity = p->capacity ? 2 * p->capacity : 64;
	struct aif_extent *extent = kvmalloc_array(capacity, sizeof(*extent), AIF_GFP_SIZED);

	if (!extent)
		return -ENOMEM;
	if (p->count)
		memcpy(extent, p->extent, p->count * sizeof(*extent));
	kvfree(p->extent);
	p->extent = extent;
	p->capacity = capacity;
	return 0;
}

static bool aif_pin_follows(const struct aif_pinned *p, struct page *page)
{
	const struct aif_extent *last = p->extent + p->count - 1;

	return p->count &&
	       page_to_pfn(page) == page_to_pfn(last->page) + (p->pages - last->first);
}

/* Take over the pins of @n pages; if that fails, those not taken are let go. */
static int aif_pin_add(struct aif_pinned *p, struct page **page, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (!aif_pin_follows(p, page[i])) {
			if (p->count == p->capacity && aif_pin_grow(p)) {
				unpin_user_pages(page + i, n - i);
				return -ENOMEM;
			}
			p->extent[p->count++] = (struct aif_extent){ page[i], p->pages };
		}
		p->pages++;
	}
	return 0;
}

/* What it faults in is charged to whose memory it is, not to the file's opener. */
static long aif_pin_some(struct aif_pinned *p, unsigned long start, long n, struct page **page)
{
	unsigned int flags = FOLL_LONGTERM | (p->writable ? FOLL_WRITE : 0);
	struct mem_cgroup *old = set_active_memcg(NULL);
	long got = pin_user_pages_fast(start, n, flags, page);

	set_active_memcg(old);
	return got ?: -EFAULT;
}

static int aif_pin_all(struct aif_pinned *p, unsigned long start, unsigned long pages)
{
	struct page **batch = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	long n;
	int err = batch ? 0 : -ENOMEM;

	while (!err && p->pages < pages) {
		n = aif_pin_some(p, start + (p->pages << PAGE_SHIFT),
				 min(pages - p->pages, AIF_PIN_BATCH), batch);
		err = n < 0 ? n : aif_pin_add(p, batch, n);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	free_page((unsigned long)batch);
	if (err)
		aif_pin_undo(p);
	return err;
}

struct aif_pinned *aif_pin_memory(u64 address, u64 bytes, bool writable)
{
	unsigned long start = address & PAGE_MASK;
	unsigned long pages = (PAGE_ALIGN(address + bytes) - start) >> PAGE_SHIFT;
	struct aif_pinned *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->writable = writable;
	p->mm = current->mm;
	mmgrab(p->mm);
	err = aif_pin_charge_mm(p->mm, pages);
	if (!err) {
		p->charged = pages;
		err = aif_pin_all(p, start, pages);
	}
	if (err) {
		aif_pin_free(p);
		return ERR_PTR(err);
	}
	return p;
}

void aif_pin_free(struct aif_pinned *p)
{
	aif_pin_undo(p);
	aif_pin_uncharge_mm(p->mm, p->charged);
	mmdrop(p->mm);
	kfree(p);
}

/* The extent that page @index of the whole lies in; @hint: where to look first. */
u32 aif_pinned_extent(const struct aif_pinned *p, unsigned long index, u32 hint)
{
	u32 low = 0, high = p->count, mid;

	if (hint < p->count && p->extent[hint].first <= index) {
		if (index < p->extent[hint].first + aif_extent_pages(p, hint))
			return hint;
		low = hint + 1;
	}
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (p->extent[mid].first <= index)
			low = mid;
		else
			high = mid;
	}
	return low;
}
