// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter.h"

int exporter_heap(size_t bytes, int flags)
{
	struct dma_heap_allocation_data arg = {
		.len = bytes, .fd_flags = (uint32_t)flags | O_CLOEXEC,
	};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	int err = heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &arg) ? -errno : 0;

	if (heap >= 0)
		close(heap);
	return err ? err : (int)arg.fd;
}

int exporter_udmabuf(size_t bytes)
{
	struct udmabuf_create arg = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = bytes };
	int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int fd = maker < 0 ? -errno : 0;

	if (fd < 0)
		return fd;
	arg.memfd = (uint32_t)memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!ftruncate((int)arg.memfd, (off_t)bytes) &&
	    !fcntl((int)arg.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = ioctl(maker, UDMABUF_CREATE, &arg);
	fd = fd < 0 ? -errno : fd;
	close((int)arg.memfd);
	close(maker);
	return fd;
}
