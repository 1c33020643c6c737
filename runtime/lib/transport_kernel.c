// SPDX-License-Identifier: MIT
/* The device of the kernel: open, ioctl, mmap. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport.h"

static struct libaif_file *kernel_adopt(int fd)
{
	struct libaif_file *file = malloc(sizeof(*file));

	if (!file)
		return NULL;
	file->transport = &libaif_transport_kernel;
	file->fd = fd;
	return file;
}

static struct libaif_file *kernel_open(const char *device, enum libaif_node node)
{
	struct libaif_file *file;
	char path[PATH_MAX];
	int length, fd;

	length = snprintf(path, sizeof(path), "%s%s", device, node == LIBAIF_SERVE ? "-serve" : "");
	if ((size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	file = kernel_adopt(fd);
	if (!file)
		close(fd);
	return file;
}

static void kernel_close(struct libaif_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static int kernel_call(struct libaif_file *file, unsigned long command, void *argument)
{
	int ret = ioctl(file->fd, command, argument);

	return ret < 0 ? -errno : ret;
}

static void *kernel_map(struct libaif_file *file, uint64_t offset, size_t length, int prot)
{
	void *address = mmap(NULL, length, prot, MAP_SHARED, file->fd, (off_t)offset);

	return address == MAP_FAILED ? NULL : address;
}

static void kernel_unmap(struct libaif_file *file, void *address, size_t length)
{
	munmap(address, length);
}

const struct libaif_transport libaif_transport_kernel = {
	.name = "kernel",
	.open = kernel_open,
	.adopt = kernel_adopt,
	.close = kernel_close,
	.call = kernel_call,
	.map = kernel_map,
	.unmap = kernel_unmap,
};
