// SPDX-License-Identifier: GPL-2.0-only
/* dma_buf_vmap() wants the reservation's lock, and has a sister that takes it: 6.2. */
#include <linux/dma-buf.h>

int probe(struct dma_buf *dmabuf, struct iosys_map *map);

int probe(struct dma_buf *dmabuf, struct iosys_map *map)
{
	return dma_buf_vmap_unlocked(dmabuf, map);
}
