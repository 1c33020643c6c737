/* SPDX-License-Identifier: MIT */
/*
 * emulator.h - TEST CODE: run a kernel's twin, the same source as host code
 *
 * An error (deadlock, a divergent barrier, lanes that meet in different operations, a
 * store into the gaps of shared memory) is a sentence in emu_error(), and -1.
 */
#ifndef AIF_TEST_EMULATOR_H
#define AIF_TEST_EMULATOR_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In which order blocks, and the threads of a block, run: up, down, or by a seed. */
enum { EMU_UP = -1, EMU_DOWN = -2 };

/* -2: there is no twin of that name, or it takes other arguments. */
int emu_launch(const struct aif_cuda_launch *launch, const void *args, size_t args_bytes,
	       int64_t order);
/* Bytes of a kernel's arguments, 0: no such twin. */
size_t emu_args_bytes(const char *kernel);
/* Of all kernels in this program; NULL: there are no more. */
const char *emu_kernel_name(size_t index);
const char *emu_error(void);

#ifdef __cplusplus
}
#endif

#endif
