// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>

#include "vgem.h"

/* The kernel's header of it is not everywhere. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;		/* 1: for writing */
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

static int is_vgem(int fd)
{
	drmVersionPtr version = drmGetVersion(fd);
	int found = version && !strcmp(version->name, "vgem");

	drmFreeVersion(version);
	return found;
}

int vgem_open(void)
{
	char path[32];
	int i, fd;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && is_vgem(fd))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

int vgem_export(int vgem, size_t bytes, uint32_t *handle)
{
	struct drm_mode_create_dumb arg = {
		.width = 1024, .height = (uint32_t)(bytes / 4096), .bpp = 32,
	};
	int fd;

	if (drmIoctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &arg))
		return -errno;
	*handle = arg.handle;
	return drmPrimeHandleToFD(vgem, arg.handle, DRM_CLOEXEC | DRM_RDWR, &fd) ? -errno : fd;
}

int64_t vgem_fence(int vgem, uint32_t handle, int write)
{
	struct vgem_fence_attach arg = { .handle = handle, .flags = write ? 1 : 0 };

	return drmIoctl(vgem, VGEM_FENCE_ATTACH, &arg) ? -errno : (int64_t)arg.out_fence;
}

int vgem_signal(int vgem, uint32_t fence)
{
	struct vgem_fence_signal arg = { .fence = fence };

	return drmIoctl(vgem, VGEM_FENCE_SIGNAL, &arg) ? -errno : 0;
}
