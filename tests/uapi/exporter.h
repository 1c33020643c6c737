/* SPDX-License-Identifier: MIT */
/* dma-bufs of the kernel's own exporters.  Each is an fd, close-on-exec, or -errno. */
#ifndef EXPORTER_H
#define EXPORTER_H

#include <stddef.h>

/* Of the system heap, open as @flags say: O_RDWR or O_RDONLY. */
int exporter_heap(size_t bytes, int flags);
/* The pages of a memfd that is closed. */
int exporter_udmabuf(size_t bytes);

#endif
