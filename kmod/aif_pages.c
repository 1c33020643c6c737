// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that user space maps.  They are single pages with nothing but their
 * reference count: each mapping and each pin keeps its page, and put_page() by
 * the last of them gives it back to the allocator.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "aif.h"

#define AIF_FAULT_BLOCK	64ul	/* pages inserted by one fault */

/*
 * In the ->private of each page of ours, as long as anybody has it: no other page's
 * can hold this address.
 */
static const char aif_page_tag;

bool aif_page_is_ours(const struct page *page)
{
	return page_private(page) == (unsigned long)&aif_page_tag;
}

static unsigned long aif_pages_bulk(struct aif_pages *p, unsigned long want)
{
	unsigned long n;

	for (n = 0; n < want; n++) {
		p->page[n] = alloc_page(AIF_GFP_SIZED | __GFP_ZERO);
		if (!p->page[n])
			break;
		set_page_private(p->page[n], (unsigned long)&aif_page_tag);
		if (fatal_signal_pending(current)) {
			n++;
			break;
		}
		cond_resched();
	}
	return n;
}

int aif_pages_alloc(struct aif_pages *p, u64 bytes, struct mem_cgroup *memcg)
{
	unsigned long want = DIV_ROUND_UP_ULL(bytes, PAGE_SIZE);
	struct mem_cgroup *old;

	p->va = NULL;
	old = set_active_memcg(memcg);
	p->page = kvcalloc(want, sizeof(*p->page), AIF_GFP_SIZED);
	p->count = p->page ? aif_pages_bulk(p, want) : 0;
	set_active_memcg(old);
	if (p->count == want)
		return 0;
	aif_pages_free(p);
	return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
}

int aif_pages_vmap(struct aif_pages *p)
{
	p->va = vmap(p->page, p->count, VM_MAP, PAGE_KERNEL);
	return p->va ? 0 : -ENOMEM;
}

void aif_pages_free(struct aif_pages *p)
{
	unsigned long i;

	if (p->va)
		vunmap(p->va);
	for (i = 0; i < p->count; i++) {
		put_page(p->page[i]);
		cond_resched();
	}
	kvfree(p->page);
	memset(p, 0, sizeof(*p));
}

/*
 * Insert the block around the fault.  -EBUSY says that another thread was
 * faster, which is as good.
 */
vm_fault_t aif_pages_fault(struct aif_pages *p, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long base = vma->vm_pgoff & ((1ul << (AIF_MMAP_SHIFT - PAGE_SHIFT)) - 1);
	unsigned long at = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	unsigned long first = round_down(at, AIF_FAULT_BLOCK);
	unsigned long n;
	int err;

	if (base + at >= p->count)
		return VM_FAULT_SIGBUS;
	n = min3(AIF_FAULT_BLOCK, vma_pages(vma) - first, p->count - base - first);
	err = vm_insert_pages(vma, vma->vm_start + (first << PAGE_SHIFT),
			      p->page + base + first, &n);
	if (err == -EBUSY)
		err = vm_insert_page(vma, vmf->address & PAGE_MASK, p->page[base + at]);
	if (!err || err == -EBUSY)
		return VM_FAULT_NOPAGE;
	return vmf_error(err);
}

static unsigned int aif_page_pins(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio))
		return atomic_read(&folio->_pincount);
	return (unsigned int)folio_ref_count(folio) / GUP_PIN_COUNTING_BIAS;
}

/* Does a page of the range carry more long-term pins than @allowed? */
bool aif_pages_pinned(struct aif_pages *p, unsigned long first, unsigned long count,
		      unsigned int allowed)
{
	unsigned long i;

	for (i = first; i < first + count && i < p->count; i++) {
		if (aif_page_pins(p->page[i]) > allowed)
			return true;
		cond_resched();
	}
	return false;
}

/*
 * Rules for every mapping of ours: shared, inside its object, not inherited,
 * never executable, and made of real pages so that GUP takes them.
 */
int aif_vma_setup(struct vm_area_struct *vma, u64 bytes, bool writable)
{
	unsigned long base = vma->vm_pgoff & ((1ul << (AIF_MMAP_SHIFT - PAGE_SHIFT)) - 1);
	unsigned long pages = DIV_ROUND_UP_ULL(bytes, PAGE_SIZE);

	if (!(vma->vm_flags & VM_SHARED) || base > pages || vma_pages(vma) > pages - base)
		return -EINVAL;
	if ((vma->vm_flags & VM_EXEC) || (!writable && (vma->vm_flags & VM_WRITE)))
		return -EACCES;
	vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY,
		     VM_MAYEXEC | (writable ? 0 : VM_MAYWRITE));
	return 0;
}

int aif_mapped_alloc(struct aif_mapped *m, u32 entry, u32 count, struct mem_cgroup *memcg)
{
	int err = aif_pages_alloc(&m->pages, (u64)entry * count, memcg);

	if (!err)
		err = aif_pages_vmap(&m->pages);
	if (err) {
		aif_pages_free(&m->pages);
		return err;
	}
	m->entry = entry;
	/* mmap looks without a lock. */
	smp_store_release(&m->count, count);
	return 0;
}

void aif_mapped_free(struct aif_mapped *m)
{
	aif_pages_free(&m->pages);
	m->count = 0;
}

static bool aif_array_writable(u32 kind)
{
	return kind == AIF_ARRAY_DESC || kind == AIF_ARRAY_COMMIT;
}

int aif_mapped_mmap(struct aif_mapped *arrays, struct vm_area_struct *vma)
{
	unsigned long kind = vma->vm_pgoff >> (AIF_ARRAY_SHIFT - PAGE_SHIFT);
	unsigned long n = vma_pages(vma);
	struct aif_pages *p;
	int err;

	/* Pairs with the release in aif_mapped_alloc(). */
	if (kind >= AIF_ARRAY_COUNT || !smp_load_acquire(&arrays[kind].count))
		return -ENXIO;
	p = &arrays[kind].pages;
	if (vma->vm_pgoff & ((1ul << (AIF_ARRAY_SHIFT - PAGE_SHIFT)) - 1) || n > p->count)
		return -EINVAL;
	err = aif_vma_setup(vma, (u64)(vma->vm_pgoff + n) << PAGE_SHIFT, aif_array_writable(kind));
	return err ?: vm_insert_pages(vma, vma->vm_start, p->page, &n);
}

void aif_mapped_describe(const struct aif_mapped *arrays, struct aif_array *out)
{
	u32 kind;

	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++) {
		if (!arrays[kind].count)
			continue;
		out[kind].offset = (u64)kind << AIF_ARRAY_SHIFT;
		out[kind].entry_size = arrays[kind].entry;
		out[kind].count = arrays[kind].count;
	}
}
