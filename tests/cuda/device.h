/* SPDX-License-Identifier: MIT */
/*
 * device.h - TEST CODE: run a kernel of a fat binary by the driver that is there (rung 6)
 *
 * One device, the driver's first, and one fat binary a process.
 */
#ifndef AIF_TEST_CUDA_DEVICE_H
#define AIF_TEST_CUDA_DEVICE_H

#include <stddef.h>

#include "kernels/cuda.h"

/* 0, or -1 with a sentence in device_error(). */
int device_open(const char *fatbin);
/* The host's memory, at the same address on the device; NULL: device_error(). */
void *device_alloc(size_t bytes);
void device_free(void *at);
/* As emu_launch(); the kernel has ended when it returns. */
int device_launch(const aif_cuda_launch *launch, const void *args);
/* Whether the device's code has a kernel of that name. */
bool device_has(const char *kernel);
const char *device_error();

#endif
