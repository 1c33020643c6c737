// SPDX-License-Identifier: GPL-2.0-only
/*
 * A chunk as segments: from page to page, or where the kernel has an import mapped, never
 * through a user address.  What it is
 * made of is bounded by the copy of the descriptor alone.
 */
#include "aif.h"

/* A place in a buffer, and the extent that it was in when last looked at. */
struct aif_cursor {
	const struct aif_buffer *buffer;
	const struct aif_map *map;	/* for an engine that needs it, or NULL */
	u64 at;			/* from the beginning of the first page */
	u32 extent;
	u32 mapped_extent;
};

static struct aif_cursor aif_cursor_at(const struct aif_buffer *b, const struct aif_map *map,
				       u64 offset)
{
	return (struct aif_cursor){ .buffer = b, .map = map, .at = b->first + offset };
}

static struct page *aif_cursor_page(struct aif_cursor *c)
{
	return aif_buffer_page(c->buffer, c->at >> PAGE_SHIFT, &c->extent);
}

/* Where the CPU finds it, if it has no page. */
static void *aif_cursor_address(const struct aif_cursor *c)
{
	return c->buffer->import ? aif_import_at(c->buffer->import, c->at) : NULL;
}

static dma_addr_t aif_cursor_dma(struct aif_cursor *c)
{
	return c->map ? aif_map_address(c->map, c->at, &c->mapped_extent) : 0;
}

static u32 aif_cursor_left(const struct aif_cursor *c)
{
	return PAGE_SIZE - offset_in_page(c->at);
}

/* @from NULL: a fill. */
static u32 aif_lay(struct aif_piece *piece, struct aif_cursor *to, struct aif_cursor *from,
		   u32 bytes)
{
	struct aif_segment *seg;
	u32 i, n;

	for (i = 0; bytes; i++, bytes -= n, to->at += n) {
		n = min(bytes, aif_cursor_left(to));
		seg = &piece[i].segment;
		*seg = (struct aif_segment){
			.to = aif_cursor_page(to), .to_offset = offset_in_page(to->at),
			.to_dma = aif_cursor_dma(to),
		};
		piece[i].to = aif_cursor_address(to);
		if (from) {
			n = min(n, aif_cursor_left(from));
			seg->from = aif_cursor_page(from);
			seg->from_offset = offset_in_page(from->at);
			seg->from_dma = aif_cursor_dma(from);
			piece[i].from = aif_cursor_address(from);
			from->at += n;
		}
		seg->bytes = n;
	}
	return i;
}

/* All that the engine needs to know of @c, whose request and length are set. */
void aif_chunk_lay_out(struct aif_chunk *c)
{
	const struct aif_request *r = c->request;
	struct aif_chunk_desc *desc = &c->desc;
	u64 at = (u64)aif_desc_target(&r->desc)->offset + c->before;
	struct aif_cursor to = aif_cursor_at(r->buffers[1], c->maps[1], at), from;

	if (desc->kind == AIF_CHUNK_FILL) {
		desc->period = r->desc.inline_length;
		desc->phase = c->before % desc->period;
		memcpy(desc->pattern, r->desc.input, sizeof(desc->pattern));
		desc->segment_count = aif_lay(c->pieces, &to, NULL, desc->bytes);
		return;
	}
	at = (u64)r->desc.ranges[0].offset + c->before;
	from = aif_cursor_at(r->buffers[0], c->maps[0], at);
	desc->segment_count = aif_lay(c->pieces, &to, &from, desc->bytes);
}

/* All the bits of the offsets in their pages that a chunk of it beginning here has. */
u32 aif_transfer_bits(const struct aif_request *r)
{
	u64 to = (u64)r->buffers[1]->first + aif_desc_target(&r->desc)->offset + r->produced;
	u64 from = r->buffers[0] ? (u64)r->buffers[0]->first + r->desc.ranges[0].offset +
				   r->produced : 0;

	return offset_in_page(to | from);
}
