/* SPDX-License-Identifier: MIT */
/* epilogue.cuh - what becomes of a sum, and who finishes when several share a tile. */
#ifndef AIF_KERNELS_GEMM_EPILOGUE_CUH
#define AIF_KERNELS_GEMM_EPILOGUE_CUH

#include "kernels/gpu.h"

#define GEMM_GELU 1

GPU float gemm_activate(const aif_cuda_gemm &p, uint32_t column, float v)
{
	if (p.bias)
		v += p.bias[column];
	if (p.act == GEMM_GELU)
		v = v * (1 + erff(v * 0.70710678118654752f)) * 0.5f;
	return v;
}

/* Bias, activation, residual; element (row, column) of the output. */
template <typename T>
GPU void gemm_finish(const aif_cuda_gemm &p, uint32_t row, uint32_t column, float v)
{
	uint64_t at = (uint64_t)row * p.n + column;

	if (row >= p.m || column >= p.n)
		return;
	v = gemm_activate(p, column, v);
	if (p.residual)
		v += to_f32(((const T *)p.residual)[at]);
	from_f32((T *)p.out + at, v);
}

/* Four neighbours, @column a multiple of four: at once where rows are aligned to that. */
template <typename T>
GPU void gemm_finish4(const aif_cuda_gemm &p, uint32_t row, uint32_t column, gpu_f32x4 sum)
{
	uint64_t at = (uint64_t)row * p.n + column;

	if (row >= p.m || column >= p.n)
		return;
	if (p.n % 4) {
		for (uint32_t i = 0; i < 4; i++)
			gemm_finish<T>(p, row, column + i, sum.v[i]);
		return;
	}
	for (uint32_t i = 0; i < 4; i++)
		sum.v[i] = gemm_activate(p, column + i, sum.v[i]);
	if (p.residual)
		sum = sum + load4((const T *)p.residual + at);
	store4((T *)p.out + at, sum);
}

GPU void gemm_put_partial(const aif_cuda_gemm &p, uint32_t row, uint32_t column, float v)
{
	if (row < p.m && column < p.n)
		p.partial[((uint64_t)blockIdx.z * p.m + row) * p.n + column] = v;
}

/* The pieces' sums, in their order; 0 outside of the output. */
GPU float gemm_sum_partials(const aif_cuda_gemm &p, uint32_t row, uint32_t column)
{
	float v = 0;

	if (row >= p.m || column >= p.n)
		return v;
	for (uint32_t z = 0; z < p.splits; z++)
		v += p.partial[((uint64_t)z * p.m + row) * p.n + column];
	return v;
}

/*
 * All threads of a block, which have put their partial sums: whether the block is the last
 * of its tile to come, and so the one that finishes it.  Nobody waits for another block.
 * The barrier hands the block's sums to one thread, whose fences pass them on.
 */
GPU bool gemm_is_last(const aif_cuda_gemm &p)
{
	KSHARED(uint32_t, before, [1]);
	uint32_t *arrived = p.arrived + blockIdx.y * gridDim.x + blockIdx.x;

	gpu_sync();
	if (threadIdx.x == 0) {
		gpu_fence();
		before[0] = gpu_atomic_add(arrived, 1);
		gpu_fence();
		if (before[0] == p.splits - 1)
			*arrived = 0;
	}
	gpu_sync();
	return before[0] == p.splits - 1;
}

#endif
