// SPDX-License-Identifier: MIT
/*
 * gemm.  On tensor cores: mma.cuh.  Without them: strict f32, and storage of 16 bits for
 * devices before sm_80 and for rows that tensor cores cannot take.
 *
 * A block of 256 threads makes a tile of 64 x 64, each thread 4 x 4 of it, from 16 steps
 * of K at a time in shared memory.  With several splits each block sums one piece of K
 * and the last to arrive adds them up.
 *
 * Limits   m, n, k: any that memory holds
 * Bound by arithmetic from m of some 200 on (2 * m * n * k FLOP), by memory below: then
 *          s * n * k bytes of weights are what it reads
 * Roofline estimate for an H100: 45 % of the 67 TFLOP/s of f32 for m of 1,024 and more
 */
#include "kernels/gemm/epilogue.cuh"
#include "kernels/gemm/mma.cuh"

#define TILE AIF_CUDA_GEMM_TILE
#define DEPTH 16
#define STRIDE (TILE + 4)	/* of a row of shared memory: aligned fours, banks apart */

/* Four of a row of @rows x @k, zeros outside. */
template <typename T>
GPU gpu_f32x4 load_guarded(const T *at, uint32_t row, uint32_t rows, uint32_t j, uint32_t k)
{
	const T *from = at + (uint64_t)row * k + j;
	gpu_f32x4 v = { 0, 0, 0, 0 };

	if (row >= rows)
		return v;
	if (k % 4 == 0 && j < k)
		return load4(from);
	for (uint32_t i = 0; i < 4; i++)
		if (j + i < k)
			v.v[i] = to_f32(from[i]);
	return v;
}

/* Each thread brings four along k of one row, and stores them down a column. */
template <typename T>
GPU void fill_tile(float *tile, const T *from, uint32_t first, uint32_t rows, uint32_t at,
		   uint32_t k)
{
	uint32_t row = threadIdx.x / 4, j = threadIdx.x % 4 * 4;
	gpu_f32x4 v = load_guarded(from, first + row, rows, at + j, k);

	for (int i = 0; i < 4; i++)
		tile[(j + i) * STRIDE + row] = v.v[i];
}

GPU void multiply_tile(float (&sum)[4][4], const float *xs, const float *ws)
{
	uint32_t row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;

	for (int d = 0; d < DEPTH; d++) {
		gpu_f32x4 a = load4(xs + d * STRIDE + row), b = load4(ws + d * STRIDE + column);

		for (int i = 0; i < 4; i++)
			for (int j = 0; j < 4; j++)
				sum[i][j] += a.v[i] * b.v[j];
	}
}

/* One piece of K. */
template <typename T>
GPU void sum_chunk(float (&sum)[4][4], const aif_cuda_gemm &p, uint32_t chunk)
{
	KSHARED(float, xs, [DEPTH * STRIDE]);
	KSHARED(float, ws, [DEPTH * STRIDE]);
	uint32_t begin = chunk * AIF_CUDA_GEMM_CHUNK, end = begin + AIF_CUDA_GEMM_CHUNK;

	for (uint32_t at = begin; at < end && at < p.k; at += DEPTH) {
		fill_tile(xs, (const T *)p.x, blockIdx.y * TILE, p.m, at, p.k);
		fill_tile(ws, (const T *)p.w, blockIdx.x * TILE, p.n, at, p.k);
		gpu_sync();
		multiply_tile(sum, xs, ws);
		gpu_sync();
	}
}

template <typename T>
GPU void gemm_plain(const aif_cuda_gemm &p)
{
	uint32_t row = blockIdx.y * TILE + threadIdx.x / 16 * 4;
	uint32_t column = blockIdx.x * TILE + threadIdx.x % 16 * 4;
	uint32_t chunks = (p.k + AIF_CUDA_GEMM_CHUNK - 1) / AIF_CUDA_GEMM_CHUNK;
	bool alone = p.splits == 1, last;
	float total[4][4] = {};

	for (uint32_t c = alone ? 0 : blockIdx.z; c < (alone ? chunks : blockIdx.z + 1); c++) {
		float sum[4][4] = {};

		sum_chunk<T>(sum, p, c);
		for (int i = 0; i < 16; i++)
			total[i / 4][i % 4] += sum[i / 4][i % 4];
	}
	for (int i = 0; i < 16; i++) {
		if (alone)
			gemm_finish<T>(p, row + i / 4, column + i % 4, total[i / 4][i % 4]);
		else
			gemm_put_partial(p, row + i / 4, column + i % 4, total[i / 4][i % 4]);
	}
	last = !alone && gemm_is_last(p);
	for (int i = 0; last && i < 16; i++)
		gemm_finish<T>(p, row + i / 4, column + i % 4,
			       gemm_sum_partials(p, row + i / 4, column + i % 4));
}

KERNEL(gemm_plain_f32, aif_cuda_gemm, 256, 2)
{
	gemm_plain<float>(p);
}

KERNEL(gemm_plain_bf16, aif_cuda_gemm, 256, 2)
{
	gemm_plain<bf16>(p);
}

KERNEL(gemm_plain_f16, aif_cuda_gemm, 256, 2)
{
	gemm_plain<f16>(p);
}

#ifdef GPU_HAS_MMA
#define MMA_KERNELS(name, wide_name, type)						\
	KERNEL(name, aif_cuda_gemm, mma_narrow<type>::threads, 3)			\
	{										\
		gemm_mma<mma_narrow<type>>(p);						\
	}										\
	KERNEL(wide_name, aif_cuda_gemm, mma_wide<type>::threads, 1)			\
	{										\
		gemm_mma<mma_wide<type>>(p);						\
	}

MMA_KERNELS(gemm_mma_bf16, gemm_mma_wide_bf16, bf16)
MMA_KERNELS(gemm_mma_f16, gemm_mma_wide_f16, f16)
MMA_KERNELS(gemm_mma_tf32, gemm_mma_wide_tf32, float)
#endif
