// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU as an engine, which is always there and can do everything.  Source and target
 * may change under it, as any shared memory can.
 */
#include <linux/highmem.h>

#include "aif.h"

static struct aif_engine *aif_cpu;

/*
 * Repeat @pattern over @n bytes, beginning at its byte @phase: once byte by byte,
 * then each time all that is there.
 */
static void aif_fill_piece(u8 *to, u32 n, const u8 *pattern, u32 period, u32 phase)
{
	u32 done;

	for (done = 0; done < min(n, period); done++)
		to[done] = pattern[(phase + done) % period];
	for (; done < n; done += min(done, n - done))
		memcpy(to + done, to, min(done, n - done));
}

/* Where byte @offset of @page lies, or @address, if it has no page. */
static void *aif_end_map(struct page *page, u32 offset, void *address)
{
	return page ? kmap_local_page(page) + offset : address;
}

static void aif_end_unmap(struct page *page, void *va)
{
	if (page)
		kunmap_local(va);
}

static void aif_copy_one(const struct aif_segment *seg, u8 *to, void *from)
{
	u8 *va = aif_end_map(seg->from, seg->from_offset, from);

	memcpy(to, va, seg->bytes);
	aif_end_unmap(seg->from, va);
}

/* @before: bytes of the chunk before it. */
static void aif_cpu_do(const struct aif_piece *piece, const struct aif_chunk_desc *desc,
		       u32 before)
{
	const struct aif_segment *seg = &piece->segment;
	u8 *va = aif_end_map(seg->to, seg->to_offset, piece->to);

	if (desc->kind == AIF_CHUNK_COPY)
		aif_copy_one(seg, va, piece->from);
	else
		aif_fill_piece(va, seg->bytes, desc->pattern, desc->period,
			       desc->phase + before);
	if (seg->to)
		flush_dcache_page(seg->to);
	aif_end_unmap(seg->to, va);
}

static int aif_cpu_submit(void *driver, const struct aif_chunk_desc *desc)
{
	const struct aif_piece *piece = container_of(desc->segments, struct aif_piece, segment);
	u32 before = 0, i;

	for (i = 0; i < desc->segment_count; i++, piece++) {
		aif_cpu_do(piece, desc, before);
		before += piece->segment.bytes;
	}
	aif_engine_answer(desc->engine, desc->cookie, 0, desc->bytes);
	return 0;
}

static void aif_cpu_capabilities(void *driver, struct aif_engine_caps *caps)
{
	caps->kinds = BIT(AIF_CHUNK_COPY) | BIT(AIF_CHUNK_FILL);
	caps->flags = AIF_ENGINE_F_INLINE;
	caps->depth = aif_copy_workers;
	caps->fixed_ns = 500;
	caps->ps_byte = 250;
}

static int aif_cpu_quiesce(void *driver)
{
	return 0;
}

static const struct aif_engine_ops aif_cpu_ops = {
	.capabilities = aif_cpu_capabilities,
	.submit_chunk = aif_cpu_submit,
	.quiesce = aif_cpu_quiesce,
};

/* Before any other. */
int aif_cpu_init(void)
{
	aif_cpu = aif_engine_create("cpu", &aif_cpu_ops, sizeof(aif_cpu_ops), AIF_ENGINE_VERSION,
				    NULL);
	return PTR_ERR_OR_ZERO(aif_cpu);
}

void aif_cpu_fini(void)
{
	aif_engine_destroy(aif_cpu);
}
