/* SPDX-License-Identifier: MIT */
/*
 * ptx.h - TEST CODE: an interpreter for the PTX that nvcc writes
 *
 * Written from the PTX ISA, 9.0.  What it does not know it refuses, naming the line:
 * an opcode, a modifier, a directive.  Memory outside of what was added is an error, as
 * is a load or store that is not aligned to its size.
 */
#ifndef AIF_TEST_PTX_H
#define AIF_TEST_PTX_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ptx_module;

/* NULL: see ptx_error(). */
struct ptx_module *ptx_load(const char *text, size_t length);
struct ptx_module *ptx_load_file(const char *path);
void ptx_free(struct ptx_module *m);

/* What the kernels may touch. */
void ptx_memory_add(const void *at, size_t bytes);
void ptx_memory_remove(const void *at);

/* For tests: called when a thread has stored with release for the whole system; NULL: not. */
void ptx_on_release(void (*fn)(void));

/* As emu_launch() in emulator.h. */
int ptx_launch(struct ptx_module *m, const struct aif_cuda_launch *launch, const void *args,
	       size_t args_bytes, int64_t order);
/* Bytes of a kernel's parameters, 0: no such kernel. */
size_t ptx_args_bytes(const struct ptx_module *m, const char *kernel);
const char *ptx_error(void);

#ifdef __cplusplus
}
#endif

#endif
