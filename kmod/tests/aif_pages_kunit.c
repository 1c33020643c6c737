// SPDX-License-Identifier: GPL-2.0-only
/* Pages: how many, zeroed, and who is believed to pin them. */
#include <linux/mman.h>
#include <linux/sizes.h>

#include "aif_fixture.h"

static bool is_zero(const struct aif_pages *p)
{
	unsigned long i;

	for (i = 0; i < p->count; i++)
		if (memchr_inv(page_address(p->page[i]), 0, PAGE_SIZE))
			return false;
	return true;
}

static const struct alloc_row {
	const char *name;
	u64 bytes;
	unsigned long count;
} alloc_rows[] = {
	{ "a byte", 1, 1 },
	{ "a page less a byte", PAGE_SIZE - 1, 1 },
	{ "a page", PAGE_SIZE, 1 },
	{ "a page and a byte", PAGE_SIZE + 1, 2 },
	{ "a mebibyte and a byte", SZ_1M + 1, SZ_1M / PAGE_SIZE + 1 },
};

KUNIT_ARRAY_PARAM_DESC(alloc_rows, alloc_rows, name);

/* Twice, with something written in between: what was there before is not shown. */
static void test_pages_alloc(struct kunit *test)
{
	const struct alloc_row *row = test->param_value;
	struct aif_pages p;
	unsigned long i;
	int round;

	for (round = 0; round < 2; round++) {
		KUNIT_ASSERT_EQ(test, aif_pages_alloc(&p, row->bytes, NULL), 0);
		KUNIT_EXPECT_EQ(test, p.count, row->count);
		KUNIT_EXPECT_NULL(test, p.va);
		KUNIT_EXPECT_TRUE(test, is_zero(&p));
		KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, p.count, 0));
		for (i = 0; i < p.count; i++) {
			KUNIT_EXPECT_EQ(test, page_count(p.page[i]), 1);
			memset(page_address(p.page[i]), 0xa5, PAGE_SIZE);
		}
		aif_pages_free(&p);
		KUNIT_EXPECT_NULL(test, p.page);
		KUNIT_EXPECT_EQ(test, p.count, 0);
	}
}

/* More than there can be: refused, and nothing is kept. */
static void test_pages_alloc_too_much(struct kunit *test)
{
	struct aif_pages p;

	KUNIT_EXPECT_EQ(test, aif_pages_alloc(&p, 1ull << 50, NULL), -ENOMEM);
	KUNIT_EXPECT_NULL(test, p.page);
	KUNIT_EXPECT_EQ(test, p.count, 0);
}

/* Entries lie behind each other across pages, and the kernel's view is the pages'. */
static void test_mapped_entries(struct kunit *test)
{
	struct aif_mapped m = {};
	const u32 entry = 64, count = 100;
	char *first;

	KUNIT_ASSERT_EQ(test, aif_mapped_alloc(&m, entry, count, NULL), 0);
	KUNIT_EXPECT_EQ(test, m.pages.count, DIV_ROUND_UP(entry * count, PAGE_SIZE));
	first = aif_mapped_at(&m, 0);
	KUNIT_EXPECT_PTR_EQ(test, aif_mapped_at(&m, count - 1), first + entry * (count - 1));
	*(char *)aif_mapped_at(&m, PAGE_SIZE / entry) = 'x';
	KUNIT_EXPECT_EQ(test, *(char *)page_address(m.pages.page[1]), 'x');
	aif_mapped_free(&m);
	KUNIT_EXPECT_EQ(test, m.count, 0);
	KUNIT_EXPECT_NULL(test, m.pages.va);
}

/* Only arrays that are there are told of, each at its own offset. */
static void test_mapped_describe(struct kunit *test)
{
	struct aif_mapped *arrays = kunit_kcalloc(test, AIF_ARRAY_COUNT, sizeof(*arrays),
						  GFP_KERNEL);
	struct aif_array *out = kunit_kcalloc(test, AIF_ARRAY_COUNT, sizeof(*out), GFP_KERNEL);
	u32 kind;

	KUNIT_ASSERT_NOT_NULL(test, arrays);
	KUNIT_ASSERT_NOT_NULL(test, out);
	arrays[AIF_ARRAY_SLOT].count = 7;
	arrays[AIF_ARRAY_SLOT].entry = 128;
	aif_mapped_describe(arrays, out);
	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++) {
		KUNIT_EXPECT_EQ(test, out[kind].count, kind == AIF_ARRAY_SLOT ? 7 : 0);
		KUNIT_EXPECT_EQ(test, out[kind].entry_size, kind == AIF_ARRAY_SLOT ? 128 : 0);
	}
	KUNIT_EXPECT_EQ(test, out[AIF_ARRAY_SLOT].offset, (u64)AIF_ARRAY_SLOT << AIF_ARRAY_SHIFT);
}

static void test_copy_entry(struct kunit *test)
{
	u64 from[4] = { 1, 2, 3, 4 }, to[4] = { 9, 9, 9, 9 };
	static const u64 want[4] = { 1, 2, 3, 9 };

	aif_copy_entry(to, from, 3 * sizeof(u64));
	KUNIT_EXPECT_MEMEQ(test, to, want, sizeof(to));
}

#define PIN	GUP_PIN_COUNTING_BIAS

static const struct pinned_row {
	const char *name;
	int refs[4];		/* of each page, beside the owner's */
	unsigned long first, count;
	unsigned int allowed;
	bool want;
} pinned_rows[] = {
	{ "nobody", { }, 0, 4, 0, false },
	{ "mappings, as many as are told from a pin", { PIN - 2 }, 0, 4, 0, false },
	{ "more mappings look like a pin", { PIN - 1 }, 0, 4, 0, true },
	{ "a pin", { PIN }, 0, 4, 0, true },
	{ "a pin on the last page", { 0, 0, 0, PIN }, 0, 4, 0, true },
	{ "a pin before the range", { PIN }, 1, 3, 0, false },
	{ "a pin behind the range", { 0, 0, 0, PIN }, 0, 3, 0, false },
	{ "a pin on the range's only page", { 0, PIN }, 1, 1, 0, true },
	{ "no pages", { PIN, PIN, PIN, PIN }, 1, 0, 0, false },
	{ "a range that ends behind the pages", { 0, 0, 0, PIN }, 3, 100, 0, true },
	{ "a range behind the pages", { PIN, PIN, PIN, PIN }, 4, 100, 0, false },
	{ "a declared pin", { PIN, PIN, PIN, PIN }, 0, 4, 1, false },
	{ "two pins, one declared", { PIN, 2 * PIN }, 0, 4, 1, true },
	{ "two declared pins", { PIN, 2 * PIN }, 0, 4, 2, false },
	{ "declared pins of each page, not together", { PIN, PIN, PIN, PIN }, 0, 4, 2, false },
	{ "a million declared", { 1000 * PIN }, 0, 4, 1000000, false },
};

KUNIT_ARRAY_PARAM_DESC(pinned_rows, pinned_rows, name);

static void test_pages_pinned(struct kunit *test)
{
	const struct pinned_row *row = test->param_value;
	struct aif_pages p;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, aif_pages_alloc(&p, 4 * PAGE_SIZE, NULL), 0);
	for (i = 0; i < 4; i++)
		page_ref_add(p.page[i], row->refs[i]);
	KUNIT_EXPECT_EQ(test, aif_pages_pinned(&p, row->first, row->count, row->allowed),
			row->want);
	for (i = 0; i < 4; i++)
		page_ref_sub(p.page[i], row->refs[i]);
	aif_pages_free(&p);
}

/* A large folio counts its pins apart; references alone say nothing. */
static void test_pages_pinned_large(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	struct page *list[] = { page, page + 1, page + 2, page + 3 };
	struct aif_pages p = { .page = list, .count = 4 };

	KUNIT_ASSERT_NOT_NULL(test, page);
	page_ref_add(page, 2 * PIN);
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, 4, 0));
	page_ref_sub(page, 2 * PIN);
	atomic_add(2, &page_folio(page)->_pincount);
	KUNIT_EXPECT_TRUE(test, aif_pages_pinned(&p, 3, 1, 1));
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, 4, 2));
	atomic_sub(2, &page_folio(page)->_pincount);
	__free_pages(page, 2);
}

#define USER_PAGES	3

/* What the kernel calls a pin is what we count, and what aif_fx_pin() imitates. */
static void test_pages_pinned_by_gup(struct kunit *test)
{
	struct page *page[USER_PAGES];
	struct aif_pages p = { .page = page, .count = USER_PAGES };
	const unsigned int gup = FOLL_WRITE | FOLL_LONGTERM;
	unsigned long at;
	int before;

	at = kunit_vm_mmap(test, NULL, 0, USER_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, at, 0);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(at, USER_PAGES, gup, page), USER_PAGES);
	KUNIT_EXPECT_TRUE(test, aif_pages_pinned(&p, 0, USER_PAGES, 0));
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, USER_PAGES, 1));
	before = page_count(page[1]);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(at + PAGE_SIZE, 1, gup, page + 1), 1);
	KUNIT_EXPECT_EQ(test, page_count(page[1]) - before, PIN);
	KUNIT_EXPECT_TRUE(test, aif_pages_pinned(&p, 0, USER_PAGES, 1));
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, 1, 1));
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, USER_PAGES, 2));
	unpin_user_page(page[1]);
	unpin_user_pages(page, USER_PAGES);
	KUNIT_EXPECT_FALSE(test, aif_pages_pinned(&p, 0, USER_PAGES, 0));
}

/* What may be mapped is tried with real mappings in aif_buffer_kunit.c. */
static const struct vma_row {
	const char *name;
	vm_flags_t flags;
	unsigned long first, pages;	/* of a mapping of a buffer of 4 pages */
	bool writable;
	int want;
} vma_rows[] = {
	{ "private", VM_READ | VM_MAYSHARE, 0, 4, true, -EINVAL },
	{ "a page too long", VM_READ | VM_SHARED, 0, 5, true, -EINVAL },
	{ "a page too long, from the middle", VM_READ | VM_SHARED, 2, 3, true, -EINVAL },
	{ "from behind the end", VM_READ | VM_SHARED, 5, 1, true, -EINVAL },
	{ "from the end", VM_READ | VM_SHARED, 4, 1, true, -EINVAL },
	{ "executable", VM_READ | VM_EXEC | VM_SHARED, 0, 4, true, -EACCES },
	{ "written, read-only", VM_READ | VM_WRITE | VM_SHARED, 0, 4, false, -EACCES },
};

KUNIT_ARRAY_PARAM_DESC(vma_rows, vma_rows, name);

static void test_vma_setup_refuses(struct kunit *test)
{
	const struct vma_row *row = test->param_value;
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vm_flags_init(vma, row->flags);
	vma->vm_start = SZ_1G;
	vma->vm_end = vma->vm_start + row->pages * PAGE_SIZE;
	vma->vm_pgoff = (7ul << (AIF_MMAP_SHIFT - PAGE_SHIFT)) + row->first;
	KUNIT_EXPECT_EQ(test, aif_vma_setup(vma, 4 * PAGE_SIZE, row->writable), row->want);
	KUNIT_EXPECT_EQ(test, vma->vm_flags, row->flags);
}

static struct kunit_case aif_pages_cases[] = {
	KUNIT_CASE_PARAM(test_pages_alloc, alloc_rows_gen_params),
	KUNIT_CASE(test_pages_alloc_too_much),
	KUNIT_CASE(test_mapped_entries),
	KUNIT_CASE(test_mapped_describe),
	KUNIT_CASE(test_copy_entry),
	KUNIT_CASE_PARAM(test_pages_pinned, pinned_rows_gen_params),
	KUNIT_CASE(test_pages_pinned_large),
	KUNIT_CASE(test_pages_pinned_by_gup),
	KUNIT_CASE_PARAM(test_vma_setup_refuses, vma_rows_gen_params),
	{}
};

static struct kunit_suite aif_pages_suite = {
	.name = "aif_pages",
	.init = aif_fx_init,
	.test_cases = aif_pages_cases,
};

kunit_test_suite(aif_pages_suite);
