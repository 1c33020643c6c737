// SPDX-License-Identifier: GPL-2.0-only
/* Buffers: handles, limits, who is charged, and what outlives the handle. */
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "aif_fixture.h"

static const struct args_row {
	const char *name;
	struct aif_ioc_buffer_alloc arg;
	int want;
} args_rows[] = {
	{ "no bytes", { .bytes = 0 }, -EINVAL },
	{ "a byte", { .bytes = 1 }, 0 },
	{ "a flag", { .bytes = 1, .flags = 1 }, -EINVAL },
	{ "reserved", { .bytes = 1, .__reserved = 1 }, -EINVAL },
	{ "a byte more than offsets can say", { .bytes = SZ_4G - PAGE_SIZE + 1 }, -EINVAL },
	{ "2^64 - 1", { .bytes = ~0ull }, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(args_rows, args_rows, name);

static void test_buffer_alloc_args(struct kunit *test)
{
	const struct args_row *row = test->param_value;
	struct aif_client *c = aif_fx_client(test, 0);
	struct aif_ioc_buffer_alloc arg = row->arg;

	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(c, &arg), row->want);
	KUNIT_EXPECT_EQ(test, c->buffer_count, row->want ? 0 : 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), row->want ? 0 : PAGE_SIZE);
}

static void test_buffer_alloc_says(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	struct aif_ioc_buffer_alloc arg = { .bytes = PAGE_SIZE + 1 };

	KUNIT_ASSERT_EQ(test, aif_buffer_alloc(c, &arg), 0);
	KUNIT_EXPECT_EQ(test, arg.out_bytes, 2 * PAGE_SIZE);
	KUNIT_EXPECT_NE(test, arg.out_handle, 0);
	KUNIT_EXPECT_EQ(test, arg.out_offset, (u64)arg.out_handle << AIF_MMAP_SHIFT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffer_bytes), 2 * PAGE_SIZE);
}

/* A freed handle is nobody's: not found, and not the next buffer's. */
static void test_buffer_handles(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	u32 last = aif_fx_buffer(test, c, PAGE_SIZE), next;
	int i;

	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, aif_handle_free(c, last), 0);
		next = aif_fx_buffer(test, c, PAGE_SIZE);
		KUNIT_EXPECT_GT(test, next, last);
		KUNIT_EXPECT_EQ(test, aif_handle_free(c, last), -ENOENT);
		KUNIT_EXPECT_EQ(test, aif_handle_declare(c, last, 1), -ENOENT);
		last = next;
	}
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, ~0u), -ENOENT);
	KUNIT_EXPECT_EQ(test, c->buffer_count, 1);
}

/* The last handle there is comes after all others; then they begin again. */
static void test_buffer_handles_wrap(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	u32 first = aif_fx_buffer(test, c, PAGE_SIZE);

	c->next_buffer = AIF_HANDLE_MAX;
	KUNIT_EXPECT_EQ(test, aif_fx_buffer(test, c, PAGE_SIZE), AIF_HANDLE_MAX);
	KUNIT_EXPECT_EQ(test, aif_fx_buffer(test, c, PAGE_SIZE), first + 1);
}

static void test_buffer_count_limit(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0), *other = aif_fx_client(test, 0);
	struct aif_ioc_buffer_alloc arg = { .bytes = PAGE_SIZE };
	u32 first = aif_fx_buffer(test, c, PAGE_SIZE);

	AIF_FX_SET(test, aif_max_buffers, 2);
	aif_fx_buffer(test, c, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(c, &arg), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 2);
	aif_fx_buffer(test, other, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, first), 0);
	aif_fx_buffer(test, c, PAGE_SIZE);
}

/* The tenant's bytes, to the last one, whichever of its clients has them. */
static void test_buffer_bytes_limit(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0), *other = aif_fx_client(test, 0);
	struct aif_ioc_buffer_alloc two = { .bytes = 2 * PAGE_SIZE };
	struct aif_ioc_buffer_alloc one = { .bytes = PAGE_SIZE };
	u32 three;

	AIF_FX_SET(test, aif_tenant_bytes, 4 * PAGE_SIZE);
	KUNIT_ASSERT_PTR_EQ(test, c->tenant, other->tenant);
	three = aif_fx_buffer(test, c, 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(other, &two), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(other, &one), 0);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(other, &one), -EDQUOT);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, three), 0);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(other, &two), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), 3 * PAGE_SIZE);
}

/* A pin outlives handle, and the charge the buffer, until the pin is gone. */
static void test_buffer_held(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	struct aif_ioc_buffer_alloc arg = { .bytes = PAGE_SIZE };
	u32 handle = aif_fx_buffer(test, c, 2 * PAGE_SIZE);
	struct aif_buffer *b = aif_fx_handle(c, handle)->buffer;
	struct page *page = b->pages.page[1];

	AIF_FX_SET(test, aif_tenant_bytes, 2 * PAGE_SIZE);
	aif_fx_pin(page, 1);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, handle), 0);
	KUNIT_EXPECT_EQ(test, c->buffer_count, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.held_bytes), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(c, &arg), -EDQUOT);
	aif_fx_pin(page, -1);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.held_bytes, 0));
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 0);
	KUNIT_EXPECT_EQ(test, aif_buffer_alloc(c, &arg), 0);
}

/* A declared pin is not a held buffer's excuse. */
static void test_buffer_held_though_declared(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	u32 handle = aif_fx_buffer(test, c, PAGE_SIZE);
	struct aif_buffer *b = aif_fx_handle(c, handle)->buffer;
	struct page *page = b->pages.page[0];

	KUNIT_EXPECT_EQ(test, aif_handle_declare(c, handle, 1), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_handle(c, handle)->pins, 1);
	aif_fx_pin(page, 1);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, handle), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.held_bytes), PAGE_SIZE);
	aif_fx_pin(page, -1);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.held_bytes, 0));
}

/* The file's end is its buffers' end. */
static void test_buffer_close(struct kunit *test)
{
	struct file *filp = aif_fx_open(test, &aif_client_fops);
	struct aif_client *c = aif_fx_file(filp)->client;

	aif_fx_buffer(test, c, PAGE_SIZE);
	aif_fx_buffer(test, c, PAGE_SIZE);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 0);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
}

/* ---- mapped by a process ---- */

#define ADDRESS		SZ_1G
#define RIGHTS		(PROT_READ | PROT_WRITE)

static unsigned long map(struct file *filp, u32 handle, unsigned long pages, unsigned long flags)
{
	return vm_mmap(filp, ADDRESS, pages * PAGE_SIZE, RIGHTS, flags | MAP_FIXED,
		       (unsigned long)handle << AIF_MMAP_SHIFT);
}

static vm_flags_t mapped_flags(void)
{
	struct vm_area_struct *vma;
	vm_flags_t flags = 0;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, ADDRESS);
	if (vma)
		flags = vma->vm_flags;
	mmap_read_unlock(current->mm);
	return flags;
}

static void test_buffer_mapped(struct kunit *test)
{
	const vm_flags_t set = VM_SHARED | VM_MAYWRITE | VM_MIXEDMAP | VM_DONTEXPAND |
			       VM_DONTDUMP | VM_DONTCOPY;
	const vm_flags_t clear = VM_IO | VM_PFNMAP | VM_EXEC | VM_MAYEXEC;
	struct file *filp = aif_fx_open(test, &aif_client_fops);
	struct aif_client *c = aif_fx_file(filp)->client;
	u32 handle = aif_fx_buffer(test, c, 2 * PAGE_SIZE);
	struct aif_buffer *b = aif_fx_handle(c, handle)->buffer;
	void __user *second = (void __user *)(ADDRESS + PAGE_SIZE);

	aif_fx_process_enter(test);
	KUNIT_EXPECT_EQ(test, map(filp, handle, 3, MAP_SHARED), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(filp, handle, 2, MAP_PRIVATE), -EINVAL);
	KUNIT_EXPECT_EQ(test, map(filp, handle + 1, 2, MAP_SHARED), -ENOENT);
	KUNIT_EXPECT_EQ(test, kref_read(&b->ref), 1);
	KUNIT_ASSERT_EQ(test, map(filp, handle, 2, MAP_SHARED), ADDRESS);
	KUNIT_EXPECT_EQ(test, mapped_flags() & (set | clear), set);
	KUNIT_EXPECT_EQ(test, kref_read(&b->ref), 2);
	KUNIT_EXPECT_EQ(test, put_user('x', (char __user *)second), 0);
	KUNIT_EXPECT_EQ(test, *(char *)page_address(b->pages.page[1]), 'x');
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, handle), 0);
	KUNIT_EXPECT_EQ(test, put_user('y', (char __user *)second), 0);
	KUNIT_EXPECT_EQ(test, *(char *)page_address(b->pages.page[1]), 'y');
	KUNIT_EXPECT_EQ(test, vm_munmap(ADDRESS, 2 * PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 0);
	aif_fx_process_leave();
}

/* A long-term pin, as a GPU's driver takes it, is taken, and holds the buffer. */
static void test_buffer_pinned_through_mapping(struct kunit *test)
{
	struct file *filp = aif_fx_open(test, &aif_client_fops);
	struct aif_client *c = aif_fx_file(filp)->client;
	u32 handle = aif_fx_buffer(test, c, 2 * PAGE_SIZE);
	struct page *page[2];

	aif_fx_process_enter(test);
	KUNIT_ASSERT_EQ(test, map(filp, handle, 2, MAP_SHARED), ADDRESS);
	KUNIT_ASSERT_EQ(test, pin_user_pages_fast(ADDRESS, 2, FOLL_WRITE | FOLL_LONGTERM, page),
			2);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, handle), 0);
	aif_fx_process_leave();
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.held_bytes), 2 * PAGE_SIZE);
	unpin_user_pages(page, 2);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.held_bytes, 0));
}

static struct kunit_case aif_buffer_cases[] = {
	KUNIT_CASE_PARAM(test_buffer_alloc_args, args_rows_gen_params),
	KUNIT_CASE(test_buffer_alloc_says),
	KUNIT_CASE(test_buffer_handles),
	KUNIT_CASE(test_buffer_handles_wrap),
	KUNIT_CASE(test_buffer_count_limit),
	KUNIT_CASE(test_buffer_bytes_limit),
	KUNIT_CASE(test_buffer_held),
	KUNIT_CASE(test_buffer_held_though_declared),
	KUNIT_CASE(test_buffer_close),
	KUNIT_CASE(test_buffer_mapped),
	KUNIT_CASE(test_buffer_pinned_through_mapping),
	{}
};

static struct kunit_suite aif_buffer_suite = {
	.name = "aif_buffer",
	.init = aif_fx_init,
	.test_cases = aif_buffer_cases,
};

kunit_test_suite(aif_buffer_suite);
