// SPDX-License-Identifier: GPL-2.0-only
/*
 * `pin` and `memfd` buffers: the caller's own memory, and pages of a memfd, pinned
 * in place.
 *
 * Charged before anything is pinned: to the tenant of the file, and to the mm
 * whose memory it is and its user, which are kept (the mm, not its mappings) until
 * the charge is taken back from them.  From then on only pages are looked at, never
 * addresses: what the process does with its mapping changes nothing here.
 *
 * Pages that follow one another make one extent, so memory in huge pages costs
 * a few words.  A memfd's extents are its folios, each of which is pinned once.
 */
#include <linux/backing-dev.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/magic.h>

#include "aif.h"

#define AIF_PIN_BATCH	(PAGE_SIZE / sizeof(struct page *))

/*
 * RLIMIT_MEMLOCK has two counters for pins, and each page of ours stands once in
 * each: the mm's, which RDMA looks at and VmPin shows; and the user's, which
 * io_uring and iommufd look at, so that a fork is no second limit.  Who is exempt
 * leaves the user's alone, as io_uring does: others of that user have a limit.
 */
static int aif_pin_charge_user(struct aif_pinned *p, unsigned long limit)
{
	struct user_struct *user = current_user();
	long was = atomic_long_read(&user->locked_vm);

	do {
		if (was + p->charged > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &was, was + (long)p->charged));
	p->user = get_uid(user);
	return 0;
}

static void aif_pin_uncharge(struct aif_pinned *p)
{
	atomic64_sub(p->charged, &p->mm->pinned_vm);
	if (!p->user)
		return;
	atomic_long_sub(p->charged, &p->user->locked_vm);
	free_uid(p->user);
}

static int aif_pin_charge(struct aif_pinned *p)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	u64 all = atomic64_add_return(p->charged, &p->mm->pinned_vm);

	if (capable(CAP_IPC_LOCK) || (all <= limit && !aif_pin_charge_user(p, limit)))
		return 0;
	aif_pin_uncharge(p);
	return -ENOMEM;
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
		unpin_user_page_range_dirty_lock(p->extent[i].page,
						 p->by_folio ? 1 : aif_extent_pages(p, i),
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
			p->extent[p->count++] = (struct aif_extent){
				.page = page[i], .first = p->pages,
			};
		}
		p->pages++;
	}
	return 0;
}

/* May @page's file be written back?  Then its file system wants to know of writes. */
static bool aif_pin_writes_back(struct page *page)
{
	struct folio *folio = page_folio(page);
	bool found;

	if (folio_test_swapbacked(folio) || !folio->mapping)
		return false;
	folio_lock(folio);	/* keeps ->mapping */
	found = folio->mapping && mapping_can_writeback(folio->mapping);
	folio_unlock(folio);
	return found;
}

/*
 * What no pin of ours may hold: -EFAULT for pages to be written whose file system
 * would not know of it, which kernels before 6.5 pin; -EEXIST for our own, which
 * would be two buffers of the same bytes.
 */
static int aif_pin_check(struct page **page, long n, bool writable)
{
	long i;

	for (i = 0; i < n; i++) {
		if (aif_page_is_ours(page[i]))
			return -EEXIST;
		if (writable && aif_pin_writes_back(page[i]))
			return -EFAULT;
	}
	return 0;
}

/* What it faults in is charged to whose memory it is, not to the file's opener. */
static long aif_pin_some(struct aif_pinned *p, unsigned long start, long n, struct page **page)
{
	unsigned int flags = FOLL_LONGTERM | (p->writable ? FOLL_WRITE : 0);
	struct mem_cgroup *old = set_active_memcg(NULL);
	long got = pin_user_pages_fast(start, n, flags, page);
	int err;

	set_active_memcg(old);
	err = aif_pin_check(page, got, p->writable);
	if (err) {
		unpin_user_pages(page, got);
		return err;
	}
	/* Which of its own errors GUP takes for memory that it cannot pin is the kernel's. */
	return got > 0 || got == -ENOMEM || got == -EINTR ? got : -EFAULT;
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
	return err;
}

/* Charged, and nothing pinned yet. */
static struct aif_pinned *aif_pin_new(unsigned long pages, bool writable)
{
	struct aif_pinned *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->charged = pages;
	p->writable = writable;
	p->mm = current->mm;
	if (aif_pin_charge(p)) {
		kfree(p);
		return ERR_PTR(-ENOMEM);
	}
	mmgrab(p->mm);
	return p;
}

static struct aif_pinned *aif_pin_end(struct aif_pinned *p, int err)
{
	if (!err)
		return p;
	aif_pin_free(p);
	return ERR_PTR(err);
}

struct aif_pinned *aif_pin_memory(u64 address, u64 bytes, bool writable)
{
	unsigned long start = address & PAGE_MASK;
	unsigned long pages = (PAGE_ALIGN(address + bytes) - start) >> PAGE_SHIFT;
	struct aif_pinned *p = aif_pin_new(pages, writable);

	return IS_ERR(p) ? p : aif_pin_end(p, aif_pin_all(p, start, pages));
}

/* ---- memfd ---- */

#ifdef AIF_HAVE_MEMFD
const u64 aif_memfd_feature = AIF_F_MEMFD;

/* The seals of a memfd, or -EINVAL.  F_ADD_SEALS holds the inode's lock. */
static int aif_memfd_seals(struct inode *inode)
{
	int seals = -EINVAL;

	inode_lock_shared(inode);
	if (shmem_mapping(inode->i_mapping))
		seals = SHMEM_I(inode)->seals;
#ifdef CONFIG_HUGETLBFS
	else if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		seals = HUGETLBFS_I(inode)->seals;
#endif
	inode_unlock_shared(inode);
	return seals;
}

/*
 * Looked at when all is pinned: who seals it against writing later waits for pins,
 * and is refused.
 */
static int aif_memfd_check(struct file *memfd, bool writable)
{
	int seals = aif_memfd_seals(file_inode(memfd));

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EINVAL;
	return writable && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? -EPERM : 0;
}

/* Take over the pins of @n folios, of which the first is entered at byte @offset. */
static int aif_pin_add_folios(struct aif_pinned *p, struct folio **folio, long n, u64 offset,
			      unsigned long want)
{
	unsigned long first = offset >> PAGE_SHIFT;
	long i;

	for (i = 0; i < n; i++, first = 0) {
		if (p->count == p->capacity && aif_pin_grow(p)) {
			unpin_folios(folio + i, n - i);
			return -ENOMEM;
		}
		p->extent[p->count++] =
			(struct aif_extent){
				.page = folio_page(folio[i], first), .first = p->pages,
			};
		p->pages = min(p->pages + folio_nr_pages(folio[i]) - first, want);
	}
	return 0;
}

/* New pages are charged as the file's are, not to the opener of ours. */
static long aif_pin_some_folios(struct aif_pinned *p, struct file *memfd, u64 start, u64 last,
				struct folio **folio, u32 most, pgoff_t *offset)
{
	struct mem_cgroup *old = set_active_memcg(NULL);
	long n = memfd_pin_folios(memfd, start, last, folio, most, offset);

	set_active_memcg(old);
	return n ?: -EFAULT;
}

static int aif_pin_folios(struct aif_pinned *p, struct file *memfd, u64 start, u64 last)
{
	unsigned int bits = file_inode(memfd)->i_blkbits;	/* of a page, huge or not */
	u32 most = min((last >> bits) - (start >> bits) + 1, AIF_PIN_BATCH);
	struct folio **batch = kmalloc_array(most, sizeof(*batch), GFP_KERNEL_ACCOUNT);
	u64 begin = start & PAGE_MASK;
	int err = batch ? 0 : -ENOMEM;
	pgoff_t offset;
	long n;

	p->by_folio = true;
	while (!err && p->pages < p->charged) {
		n = aif_pin_some_folios(p, memfd, begin + ((u64)p->pages << PAGE_SHIFT), last,
					batch, most, &offset);
		err = n < 0 ? n : aif_pin_add_folios(p, batch, n, offset, p->charged);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kfree(batch);
	return err;
}

/* Whether all of it is there, from page @first to page @last. */
static int aif_memfd_there(struct address_space *mapping, pgoff_t first, pgoff_t last)
{
	struct folio_batch some;

	folio_batch_init(&some);
	while (first <= last) {
		if (!filemap_get_folios_contig(mapping, &first, last, &some))
			return -EINVAL;
		folio_batch_release(&some);
	}
	return 0;
}

/*
 * A huge page that is not there yet memfd_pin_folios() takes from the machine's reserve,
 * where nobody has put it: on some kernels the count of reserved pages goes below zero.
 * With the inode's lock no page that is there goes.
 */
static int aif_pin_huge_folios(struct aif_pinned *p, struct file *memfd, u64 start, u64 last)
{
	struct inode *inode = file_inode(memfd);
	int err;

	inode_lock_shared(inode);
	err = aif_memfd_there(inode->i_mapping, start >> PAGE_SHIFT, last >> PAGE_SHIFT);
	if (!err)
		err = aif_pin_folios(p, memfd, start, last);
	inode_unlock_shared(inode);
	return err;
}

static int aif_pin_file(struct aif_pinned *p, struct file *memfd, u64 start, u64 last)
{
	return is_file_hugepages(memfd) ? aif_pin_huge_folios(p, memfd, start, last) :
					  aif_pin_folios(p, memfd, start, last);
}

struct aif_pinned *aif_pin_memfd(int fd, u64 offset, u64 bytes, bool writable)
{
	fmode_t mode = FMODE_READ | (writable ? FMODE_WRITE : 0);
	unsigned long pages = (PAGE_ALIGN(offset + bytes) - (offset & PAGE_MASK)) >> PAGE_SHIFT;
	struct file *memfd = fget(fd);
	struct aif_pinned *p;
	int err = -EACCES;

	if (!memfd)
		return ERR_PTR(-EBADF);
	if ((memfd->f_mode & mode) == mode)
		err = aif_memfd_check(memfd, writable);
	p = err ? ERR_PTR(err) : aif_pin_new(pages, writable);
	if (!IS_ERR(p)) {
		err = aif_pin_file(p, memfd, offset, offset + bytes - 1);
		p = aif_pin_end(p, err ?: aif_memfd_check(memfd, writable));
	}
	fput(memfd);
	return p;
}
#else
const u64 aif_memfd_feature;

struct aif_pinned *aif_pin_memfd(int fd, u64 offset, u64 bytes, bool writable)
{
	return ERR_PTR(-EOPNOTSUPP);
}
#endif

void aif_pin_free(struct aif_pinned *p)
{
	aif_pin_undo(p);
	aif_pin_uncharge(p);
	mmdrop(p->mm);
	kfree(p);
}

/* The one of @count that page @index of the whole lies in; @hint: where to look first. */
u32 aif_extent_find(const struct aif_extent *extent, u32 count, unsigned long index, u32 hint)
{
	u32 low = 0, high = count, mid;

	if (hint < count && extent[hint].first <= index) {
		low = hint + 1;
		if (low == count || index < extent[low].first)
			return hint;
	}
	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (extent[mid].first <= index)
			low = mid;
		else
			high = mid;
	}
	return low;
}
