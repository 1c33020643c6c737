// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU as a copy engine: bytes go from page to page, never through a user
 * address.  Source and target may change under it, as any shared memory can;
 * what it does is bounded by the copy of the descriptor alone.
 */
#include <linux/highmem.h>

#include "aif.h"

/* A place in a buffer, and the extent that it was in when last looked at. */
struct aif_cursor {
	const struct aif_buffer *buffer;
	u64 at;			/* from the beginning of the first page */
	u32 extent;
};

static struct aif_cursor aif_cursor_at(const struct aif_buffer *b, u64 offset)
{
	return (struct aif_cursor){ .buffer = b, .at = b->first + offset };
}

static struct page *aif_cursor_page(struct aif_cursor *c)
{
	const struct aif_pinned *p = c->buffer->pinned;
	unsigned long index = c->at >> PAGE_SHIFT;
	const struct aif_extent *e;

	if (!p)
		return c->buffer->pages.page[index];
	c->extent = aif_pinned_extent(p, index, c->extent);
	e = &p->extent[c->extent];
	return pfn_to_page(page_to_pfn(e->page) + (index - e->first));
}

static u32 aif_cursor_left(const struct aif_cursor *c)
{
	return PAGE_SIZE - offset_in_page(c->at);
}

void aif_copy_bytes(const struct aif_buffer *dst, u64 dst_offset, const struct aif_buffer *src,
		    u64 src_offset, u32 bytes)
{
	struct aif_cursor to = aif_cursor_at(dst, dst_offset);
	struct aif_cursor from = aif_cursor_at(src, src_offset);
	u32 n;

	for (; bytes; bytes -= n, to.at += n, from.at += n) {
		n = min3(bytes, aif_cursor_left(&to), aif_cursor_left(&from));
		memcpy_page(aif_cursor_page(&to), offset_in_page(to.at),
			    aif_cursor_page(&from), offset_in_page(from.at), n);
		cond_resched();
	}
}

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

void aif_fill_bytes(const struct aif_buffer *dst, u64 offset, u32 bytes, const u8 *pattern,
		    u32 period, u32 phase)
{
	struct aif_cursor to = aif_cursor_at(dst, offset);
	struct page *page;
	u8 *va;
	u32 n;

	for (; bytes; bytes -= n, to.at += n) {
		n = min(bytes, aif_cursor_left(&to));
		page = aif_cursor_page(&to);
		va = kmap_local_page(page);
		aif_fill_piece(va + offset_in_page(to.at), n, pattern, period, phase);
		flush_dcache_page(page);
		kunmap_local(va);
		phase = (phase + n) % period;
		cond_resched();
	}
}
