/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a driver includes whose device moves bytes for AIF: an *engine*.
 *
 * A transfer is cut into chunks, each a job of its own: so many bytes from pages
 * to pages, or a pattern to pages.  An engine has a number of places for chunks; AIF
 * hands it one with submit_chunk(), and the driver answers with aif_engine_done(),
 * from any context, an interrupt included.  The pages are pinned, the segments and
 * the description stay as they are, until then.
 *
 * A *cookie* names a chunk, and only this one use of its place.  A second answer to
 * one cookie, or one that comes when the chunk was taken back, does no harm: it is
 * counted (stale) and dropped.
 *
 * An engine that answers nothing for its timeout is stopped: reset(); and if it has
 * none, or that fails, it is *retired*, never used again.  Memory that a retired
 * engine could still touch stays pinned and charged until quiesce() says that it is
 * quiet.  Transfers whose chunk the engine had for too long are answered with -EIO,
 * others go on with another engine; when it does not stop, all that it has are.
 *
 * Mapping.  An engine with map() sees memory only where it was mapped for it: a user
 * names a buffer and the engine, map() maps the whole buffer, once, and chunks between
 * buffers that are mapped come with device addresses beside the pages.  Chunks of others
 * go to other engines.  What is mapped stays so until the user unmaps or frees it, the
 * engine is unregistered, or another buffer needs the room and no chunk uses it; a
 * buffer's pages are let go of after unmap() only.  Mapping does not synchronise: where
 * caps.device needs that AIF does, exactly the bytes of a chunk, for the device before
 * submit_chunk() and for the CPU when it was answered with success.
 *
 * Versions.  A driver names the size of the structure it was compiled with and
 * AIF_ENGINE_VERSION.  Structures grow at their ends, and what a driver does not know
 * is zero; a surplus that is not zero is refused.  No exported function takes or
 * returns a structure whose inside it could see, so symbol versions stay as they are.
 */
#ifndef AIF_VENDOR_H
#define AIF_VENDOR_H

#include <linux/bits.h>
#include <linux/dma-direction.h>
#include <linux/types.h>

struct aif_engine;
struct device;
struct page;
struct sg_table;

#define AIF_ENGINE_VERSION	1
#define AIF_ENGINE_NAME_MAX	32	/* with its terminating NUL */
#define AIF_ENGINE_CAPS_ROOM	256	/* bytes that capabilities() may fill in */
#define AIF_ENGINE_DEPTH_MAX	256
#define AIF_PATTERN_MAX		24

enum aif_chunk_kind {
	AIF_CHUNK_COPY = 0,
	AIF_CHUNK_FILL = 1,
};

/* From one page to one page; both ends lie inside theirs. */
struct aif_segment {
	struct page *to;
	struct page *from;	/* fill: NULL */
	u32 to_offset;
	u32 from_offset;
	u32 bytes;
	dma_addr_t to_dma;	/* of the first byte; an engine without map(): 0 */
	dma_addr_t from_dma;
};

/**
 * struct aif_chunk_desc - a chunk, as submit_chunk() gets it
 * @engine, @cookie: for aif_engine_done()
 * @kind: enum aif_chunk_kind, one of those the engine can do
 * @bytes: of all segments, 1 .. the engine's max_bytes
 * @segment_count, @segment_size: entries of @segments, and the bytes of one: step by
 *	@segment_size, which may be more than this header says
 * @segments: in order
 * @pattern, @period, @phase: fill: @period bytes, repeated; the chunk begins with
 *	byte @phase of it
 */
struct aif_chunk_desc {
	struct aif_engine *engine;
	u64 cookie;
	u32 kind;
	u32 bytes;
	u32 segment_count;
	u32 segment_size;
	const struct aif_segment *segments;
	u32 period;
	u32 phase;
	u8 pattern[AIF_PATTERN_MAX];
};

#define AIF_ENGINE_F_INLINE	BIT(0)	/* see submit_chunk() */

/**
 * struct aif_engine_caps - what an engine can do, said once
 * @kinds: a bit for each enum aif_chunk_kind, at least one
 * @flags: AIF_ENGINE_F_*
 * @depth: chunks that it takes at once, 1 .. AIF_ENGINE_DEPTH_MAX
 * @alignment: of each offset in a page, and of the length; a power of two up to the
 *	page, 0 is 1.  What does not fit goes to another engine, as does a kind that is
 *	not in @kinds; until that has room, transfers that come after it wait too
 * @max_bytes: longest chunk, a multiple of @alignment; 0: any
 * @timeout_ms: it is stopped when it answers nothing for so long while it has
 *	something to do, or has one chunk for @depth times as long; 1 .. 60000, 0 is
 *	10000
 * @fixed_ns, @ps_byte: what a chunk costs, as a beginning: picoseconds a byte are
 *	measured.  A transfer goes where it is cheapest
 * @device: with map(): who does the DMA, as the DMA API knows it.  Buffers are mapped in
 *	segments no longer than dma_max_mapping_size() and dma_get_max_seg_size() say
 *	(set its parameters before), and synchronised for it.  NULL: no segment is too
 *	long, and what map() did needs no synchronisation
 * @mapped_bytes: most that is mapped at once, whole pages; 0: aif.ko's parameter
 *	engine_mapped, or engine_bounced where @device needs bounce buffers
 */
struct aif_engine_caps {
	u32 kinds;
	u32 flags;
	u32 depth;
	u32 alignment;
	u32 max_bytes;
	u32 timeout_ms;
	u32 fixed_ns;
	u32 ps_byte;
	struct device *device;
	u64 mapped_bytes;
};

/**
 * struct aif_engine_ops - what the driver does; @driver is what it registered with
 * @capabilities: fills in the (zeroed) @caps, before anything else is called
 * @submit_chunk: begin.  Neither sleeps nor allocates; may be called from several
 *	processors at once, and answers may come before it returns.  An error says that
 *	nothing was begun and nothing of it will be answered: another engine does the
 *	chunk.  With AIF_ENGINE_F_INLINE it does all of it and answers itself, before
 *	it returns; @depth callers do so at once
 * @cancel: nobody waits for @cookie any more.  May be called under a spinlock, at any
 *	time, with a cookie that was answered or not yet submitted.  The chunk is
 *	answered all the same, with any status.  Optional
 * @reset: stop; when it returns 0 the engine touches nothing of what it had been given,
 *	answers nothing of it and takes chunks again.  May sleep, a second at most.
 *	Optional
 * @quiesce: 0: it touches nothing of what it had been given, and never again will; an
 *	error: that is not sure.  Called when it is unregistered, and from time to time
 *	when it is retired.  May sleep, a second at most
 *
 * @map: map @pages, whole pages of one buffer, for the device: dma_map_sgtable() with
 *	DMA_ATTR_SKIP_CPU_SYNC and DMA_ATTR_NO_WARN, or the like: afterwards the table's
 *	DMA side tells device addresses of all of it, in whole pages.  @direction is
 *	DMA_TO_DEVICE for a buffer that must not be written, else DMA_BIDIRECTIONAL.  An
 *	error says that nothing is mapped: -ENOMEM, -ENOSPC or -EIO that there is no
 *	room, and it is asked again when something was unmapped.  May sleep; one at a
 *	time, whatever other engines do.  Optional, with @unmap
 * @unmap: undo map(), of the same table (with DMA_ATTR_SKIP_CPU_SYNC: pages may have
 *	been written by others meanwhile).  No chunk uses it any more.  May sleep, also
 *	while @map is called for another
 *
 * All but @cancel, @reset, @map and @unmap must be there.  Nothing is called any more when
 * aif_engine_unregister() has returned.
 */
struct aif_engine_ops {
	void (*capabilities)(void *driver, struct aif_engine_caps *caps);
	int (*submit_chunk)(void *driver, const struct aif_chunk_desc *chunk);
	void (*cancel)(void *driver, u64 cookie);
	int (*reset)(void *driver);
	int (*quiesce)(void *driver);
	int (*map)(void *driver, struct sg_table *pages, enum dma_data_direction direction);
	void (*unmap)(void *driver, struct sg_table *pages, enum dma_data_direction direction);
};

/**
 * aif_engine_register() - an engine is there
 * @name: 1 .. 31 of [A-Za-z0-9._-], of no other engine
 * @ops: struct aif_engine_ops; copied
 * @size: its size, as the driver was compiled
 * @version: AIF_ENGINE_VERSION, as the driver was compiled
 * @driver: handed to @ops
 *
 * It may get chunks before this returns.  ERR_PTR: EINVAL name, version, size, a
 * missing operation or capabilities out of range; E2BIG a surplus of @ops, or of
 * capabilities, that is not zero; EEXIST; ENOSPC as many engines are there as can be (16); ENOMEM.
 */
struct aif_engine *aif_engine_register(const char *name, const void *ops, u32 size, u32 version,
				       void *driver);

/**
 * aif_engine_unregister() - the engine goes, or its device has gone
 * @e: from aif_engine_register()
 *
 * Hands it nothing more, calls quiesce(), takes back what it has and gives that to
 * other engines.  If quiesce() fails the memory stays pinned and charged as long as
 * the machine runs, and aif.ko stays too.  Sleeps; not from an operation of @e's.
 */
void aif_engine_unregister(struct aif_engine *e);

/**
 * aif_engine_done() - the chunk is finished, and its memory no longer touched
 * @e, @cookie: the chunk's
 * @status: 0 or -errno
 * @bytes: that were moved.  With status 0 anything but all of them is an error
 *
 * From any context but NMI.
 */
void aif_engine_done(struct aif_engine *e, u64 cookie, int status, u32 bytes);

#endif
