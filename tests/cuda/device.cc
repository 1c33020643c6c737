// SPDX-License-Identifier: MIT
#include "tests/cuda/device.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

extern "C" {
#include "runtime/backend/cuda/driver.h"
#include "runtime/backend/cuda/image.h"
}

#define HOST_PORTABLE 1

static struct {
	aif_cuda_driver d;
	aif_cuda_module module;
	aif_cuda_stream stream;
	std::vector<char> image;
	char error[256];
} on;

const char *device_error()
{
	return on.error;
}

static int check(const char *call, int result)
{
	const char *name = "an unknown error";

	if (!result)
		return 0;
	on.d.GetErrorName(result, &name);
	snprintf(on.error, sizeof(on.error), "cu%s: %s (%d)", call, name, result);
	return -1;
}

#define CALL(name, ...) check(#name, on.d.name(__VA_ARGS__))

/* A driver reads as far as it says, whatever there is. */
static int check_image(const char *path)
{
	const unsigned char *begin = (const unsigned char *)on.image.data();
	aif_cuda_image image = { path, begin, begin + on.image.size() };

	if (!aif_cuda_image_check(&image))
		return 0;
	snprintf(on.error, sizeof(on.error), "%s is no whole fat binary", path);
	return -1;
}

static int read_image(const char *path)
{
	FILE *f = fopen(path, "rb");
	char piece[65536];
	size_t n;

	if (!f) {
		snprintf(on.error, sizeof(on.error), "%s cannot be read", path);
		return -1;
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		on.image.insert(on.image.end(), piece, piece + n);
	fclose(f);
	return check_image(path);
}

int device_open(const char *fatbin)
{
	aif_cuda_context context;
	int device;

	if (read_image(fatbin) || aif_cuda_driver_load(&on.d, on.error, sizeof(on.error)))
		return -1;
	if (CALL(Init, 0) || CALL(DeviceGet, &device, 0) ||
	    CALL(DevicePrimaryCtxRetain, &context, device) || CALL(CtxSetCurrent, context) ||
	    CALL(StreamCreate, &on.stream, AIF_CUDA_STREAM_NON_BLOCKING))
		return -1;
	return CALL(ModuleLoadData, &on.module, on.image.data());
}

void *device_alloc(size_t bytes)
{
	void *host = nullptr;
	aif_cuda_ptr at = 0;

	if (CALL(MemHostAlloc, &host, bytes, HOST_PORTABLE | AIF_CUDA_HOST_DEVICEMAP) ||
	    CALL(MemHostGetDevicePointer, &at, host, 0))
		return nullptr;
	if (at == (aif_cuda_ptr)host)
		return host;
	snprintf(on.error, sizeof(on.error), "the device has other addresses than the host");
	return nullptr;
}

void device_free(void *at)
{
	on.d.MemFreeHost(at);
}

bool device_has(const char *kernel)
{
	aif_cuda_function f;

	return !on.d.ModuleGetFunction(&f, on.module, kernel);
}

int device_launch(const aif_cuda_launch *l, const void *args)
{
	void *params[] = { (void *)args };
	aif_cuda_function f;

	if (CALL(ModuleGetFunction, &f, on.module, l->kernel))
		return -1;
	if (l->shared && CALL(FuncSetAttribute, f, AIF_CUDA_FUNC_MAX_DYNAMIC_SHARED, l->shared))
		return -1;
	if (CALL(LaunchKernel, f, l->grid[0], l->grid[1], l->grid[2], l->threads, 1, 1, l->shared,
		 on.stream, params, nullptr))
		return -1;
	return CALL(StreamSynchronize, on.stream);
}
