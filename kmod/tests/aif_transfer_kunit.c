// SPDX-License-Identifier: GPL-2.0-only
/* Pinned memory and transfers: extents, charges, and what a client's end leaves. */
#include <linux/mman.h>
#include <linux/sizes.h>

#include "aif_fixture.h"

#define PAGES	8u

/* ---- extents ---- */

/* Whatever the hint, the extent that the page lies in. */
static void test_transfer_extent(struct kunit *test)
{
	struct aif_extent extents[] = {
		{ .first = 0 }, { .first = 1 }, { .first = 2 }, { .first = 700 }, { .first = 701 },
		{ .first = 9000 },
	};
	u32 count, hint, want;
	unsigned long i;

	for (count = 1; count <= ARRAY_SIZE(extents); count++) {
		for (i = 0, want = 0; i < 9100; i += i < 800 ? 1 : 97) {
			while (want + 1 < count && extents[want + 1].first <= i)
				want++;
			for (hint = 0; hint <= count; hint++)
				KUNIT_ASSERT_EQ(test, aif_extent_find(extents, count, i, hint),
						want);
		}
	}
}

/* ---- pins ---- */

static unsigned long own_memory(struct kunit *test, u32 pages)
{
	unsigned long at = vm_mmap(NULL, 0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(at));
	return at;
}

static u32 pin(struct kunit *test, struct aif_client *c, unsigned long at, u64 bytes, u32 flags)
{
	struct aif_ioc_buffer_pin arg = { .address = at, .bytes = bytes, .flags = flags };

	KUNIT_ASSERT_EQ(test, aif_buffer_pin(c, &arg), 0);
	return arg.out_handle;
}

/* Charged are the pages touched, to tenant and mm; both get all of it back. */
static void test_transfer_pin_charges(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	struct mm_struct *mm;
	unsigned long at;
	u32 a, b;

	aif_fx_process_enter(test);
	mm = current->mm;
	at = own_memory(test, PAGES);
	a = pin(test, c, at + PAGE_SIZE - 1, 2, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&mm->pinned_vm), 2);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->pinned), 2 * PAGE_SIZE);
	b = pin(test, c, at, PAGES * PAGE_SIZE, AIF_PIN_F_WRITE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&mm->pinned_vm), 2 + PAGES);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.pinned_bytes), (2 + PAGES) * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->bytes), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, a), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&mm->pinned_vm), PAGES);
	mmgrab(mm);
	aif_fx_process_leave();
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, b), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&mm->pinned_vm), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->pinned), 0);
	mmdrop(mm);
}

/* The tenant's pinned bytes to the last one; what is refused leaves no charge. */
static void test_transfer_pin_limit(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0), *other = aif_fx_client(test, 0);
	struct aif_ioc_buffer_pin arg = { .bytes = PAGE_SIZE };
	u32 all;

	AIF_FX_SET(test, aif_tenant_pinned, PAGES * PAGE_SIZE);
	aif_fx_process_enter(test);
	arg.address = own_memory(test, PAGES + 1);
	all = pin(test, c, arg.address, PAGES * PAGE_SIZE, 0);
	KUNIT_EXPECT_EQ(test, aif_buffer_pin(other, &arg), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), PAGES);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, all), 0);
	arg.address += PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, aif_buffer_pin(other, &arg), 0);
	arg.address = TASK_SIZE;
	KUNIT_EXPECT_EQ(test, aif_buffer_pin(other, &arg), -EFAULT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&current->mm->pinned_vm), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	aif_fx_process_leave();
}

/* ---- transfers ---- */

static struct aif_client *transferring(struct kunit *test, struct file **filp)
{
	struct aif_ioc_info *arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, arg);
	*filp = aif_fx_open(test, &aif_client_fops);
	arg->depth = 8;
	arg->features = AIF_F_TRANSFER;
	KUNIT_ASSERT_EQ(test, aif_client_info(aif_fx_file(*filp), arg), 0);
	return aif_fx_file(*filp)->client;
}

static int copy(struct aif_client *c, u32 tag, struct aif_range from, struct aif_range to,
		u32 flags)
{
	struct aif_desc *d = aif_mapped_at(&c->arrays[AIF_ARRAY_DESC], tag);
	struct aif_batch *wait;
	int ret;

	*d = (struct aif_desc){
		.tag = tag, .generation = c->requests[tag].generation + 1,
		.flags = AIF_REQ_F_TRANSFER, .sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = { from, to },
	};
	ret = aif_submit(c, flags, tag, 1, &wait);
	if (wait)
		aif_batch_wait(c, wait);
	return ret;
}

/* There is an engine as long as there is a client that may use it. */
static void test_transfer_engine_lives(struct kunit *test)
{
	struct file *a, *b;

	aif_fx_client(test, 8);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 0);
	transferring(test, &a);
	transferring(test, &b);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
	aif_fx_close(test, a);
	flush_workqueue(aif_wq);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
	aif_fx_close(test, b);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.services, 0));
	transferring(test, &a);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
}

/* From page to page through the kernel's own view of both. */
static void test_transfer_copy(struct kunit *test)
{
	struct file *filp;
	struct aif_client *c = transferring(test, &filp);
	u32 handle = aif_fx_buffer(test, c, 2 * PAGE_SIZE);
	struct aif_buffer *b = aif_fx_handle(c, handle)->buffer;
	u8 *first = page_address(b->pages.page[0]), *second = page_address(b->pages.page[1]);

	memset(first, 'x', PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, copy(c, 1, (struct aif_range){ handle, 0, 100 },
				   (struct aif_range){ handle, PAGE_SIZE - 50, 100 },
				   AIF_SUBMIT_F_WAIT_ALL), 1);
	KUNIT_EXPECT_EQ(test, second[49], 'x');
	KUNIT_EXPECT_EQ(test, second[50], 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&b->incoming));
	KUNIT_EXPECT_EQ(test, kref_read(&b->ref), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&c->tenant->requests), 0);
}

/* Closed under eight of them: what is left is left by them, soon. */
static void test_transfer_close(struct kunit *test)
{
	struct file *filp;
	struct aif_client *c = transferring(test, &filp);
	u32 from = aif_fx_buffer(test, c, SZ_1M), to = aif_fx_buffer(test, c, SZ_1M);
	u32 tag;

	for (tag = 0; tag < 8; tag++)
		KUNIT_EXPECT_EQ(test, copy(c, tag, (struct aif_range){ from, 0, SZ_1M },
					   (struct aif_range){ to, 0, SZ_1M }, 0), 1);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.buffers, 0));
}

static int pace(u64 id, u64 rate)
{
	struct aif_ioc_tenant_set arg = {
		.id = id, .flags = AIF_TENANT_F_BYTES_SECOND, .limits.bytes_second = rate,
	};

	return aif_tenant_set(&arg);
}

/* What waits for its tenant's bytes goes with its client; what was owed stays owed. */
static void test_transfer_paced(struct kunit *test)
{
	const struct aif_range page = { .length = PAGE_SIZE };
	struct aif_range from = page, to = page;
	struct aif_client *c;
	struct file *filp;
	u32 tag, round;
	u64 id;

	for (round = 0; round < 2; round++) {
		c = transferring(test, &filp);
		id = c->tenant->id;
		KUNIT_ASSERT_EQ(test, pace(id, 1), 0);
		from.grant = aif_fx_buffer(test, c, PAGE_SIZE);
		to.grant = aif_fx_buffer(test, c, PAGE_SIZE);
		if (!round)
			KUNIT_EXPECT_EQ(test, copy(c, 0, from, to, AIF_SUBMIT_F_WAIT_ALL), 1);
		for (tag = 1; tag < 8; tag++)
			KUNIT_EXPECT_EQ(test, copy(c, tag, from, to, 0), 1);
		flush_workqueue(aif_copy_wq);
		for (tag = 1; tag < 8; tag++)
			KUNIT_EXPECT_EQ(test, c->requests[tag].state, AIF_STATE_QUEUED);
		KUNIT_EXPECT_LT(test, c->tenant->pace.level, 0);
		aif_fx_close(test, filp);
		KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
		KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.services, 0));
	}
	KUNIT_EXPECT_EQ(test, pace(id, 0), 0);
}

static struct kunit_case aif_transfer_cases[] = {
	KUNIT_CASE(test_transfer_extent),
	KUNIT_CASE(test_transfer_pin_charges),
	KUNIT_CASE(test_transfer_pin_limit),
	KUNIT_CASE(test_transfer_engine_lives),
	KUNIT_CASE(test_transfer_copy),
	KUNIT_CASE(test_transfer_close),
	KUNIT_CASE(test_transfer_paced),
	{}
};

static struct kunit_suite aif_transfer_suite = {
	.name = "aif_transfer",
	.init = aif_fx_init,
	.test_cases = aif_transfer_cases,
};

kunit_test_suite(aif_transfer_suite);
