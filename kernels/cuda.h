/* SPDX-License-Identifier: MIT */
/*
 * cuda.h - the CUDA kernels: what each takes, and how it is launched
 *
 * Shared by the kernels (C++, kernels/<operator>/cuda.cu), the CUDA backend and the
 * tests (C).  A kernel takes its struct by value; pointers are device addresses,
 * aligned to 16 bytes unless said otherwise; semantics are aif_ops.h's.  A launch
 * function turns arguments that are sound into a kernel's name and geometry; one with
 * a grid of 0 blocks is not to be launched.
 *
 * "Storage" is how activations lie in memory: f32, or bf16 with arithmetic in f32.
 * Tables, biases and what pool writes are f32 always.
 */
#ifndef AIF_KERNELS_CUDA_H
#define AIF_KERNELS_CUDA_H

#include <stdint.h>
#include <string.h>

enum aif_cuda_storage {
	AIF_CUDA_F32,
	AIF_CUDA_BF16,
};

/* @shared: dynamic, in bytes */
struct aif_cuda_launch {
	const char *kernel;
	uint32_t grid[3];
	uint32_t threads;
	uint32_t shared;
};

#define AIF_CUDA_ROW_THREADS 128

/* @x, @residual (or NULL), @out: storage [rows, hidden] */
struct aif_cuda_layernorm {
	const void *x, *residual;
	const float *gamma, *beta;
	void *out;
	float eps;
	uint32_t rows, hidden;
};

static inline struct aif_cuda_launch
aif_cuda_layernorm_launch(const struct aif_cuda_layernorm *p, enum aif_cuda_storage storage)
{
	struct aif_cuda_launch l = {
		storage == AIF_CUDA_BF16 ? "layernorm_bf16" : "layernorm_f32",
		{ p->rows, 1, 1 }, AIF_CUDA_ROW_THREADS, 0,
	};

	return l;
}

#endif
