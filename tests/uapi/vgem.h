/* SPDX-License-Identifier: MIT */
/* vgem: a device that has memory and fences, and nothing else.  Needs libdrm. */
#ifndef VGEM_H
#define VGEM_H

#include <stddef.h>
#include <stdint.h>

int vgem_open(void);	/* or -ENOENT */
/* A dma-buf of it, of @bytes in whole pages; its own name for that in *@handle. */
int vgem_export(int vgem, size_t bytes, uint32_t *handle);
/* It is about to be written (or read): the fence, or -errno.  It ends by itself after 10 s. */
int64_t vgem_fence(int vgem, uint32_t handle, int write);
int vgem_signal(int vgem, uint32_t fence);

#endif
