// SPDX-License-Identifier: MIT
/*
 * pool: a block of 256 threads per text: the mean of its rows, normalised.
 *
 * Warps share the rows out, 128 columns at a time, and add up in shared memory.  The
 * vector is written once, from there: it may lie in a client's memory across the bus.  The
 * last block to come writes how long the step took, and a word that the host waits for.
 *
 * Limits   hidden up to 8,192; 256 texts a launch
 * Bound by memory: s * hidden bytes read per token, 4 * hidden written per text
 * Roofline estimate for an H100: 40 % of 3.35 TB/s from 256 texts of 128 tokens on; a
 *          vector of 384 in host memory takes about 2 us more than in the device's
 */
#include "kernels/gpu.h"

#define THREADS 256
#define WARPS (THREADS / WARP)
#define COLUMNS (4 * WARP)

template <typename T>
GPU gpu_f32x4 load_columns(const T *row, uint32_t column, uint32_t hidden)
{
	gpu_f32x4 v = { 0, 0, 0, 0 };

	if (hidden % 4 == 0 && column < hidden)
		return load4(row + column);
	for (uint32_t i = 0; i < 4; i++)
		if (column + i < hidden)
			v.v[i] = to_f32(row[column + i]);
	return v;
}

/* This warp's share of the rows, at the lane's four columns. */
template <typename T>
GPU gpu_f32x4 sum_rows(const T *x, uint32_t rows, uint32_t column, uint32_t hidden)
{
	gpu_f32x4 sum = { 0, 0, 0, 0 };

	for (uint32_t t = threadIdx.x / WARP; t < rows; t += WARPS)
		sum = sum + load_columns(x + (uint64_t)t * hidden, column, hidden);
	return sum;
}

/*
 * All threads of a block that has stored its vector.  The barrier hands the stores to one
 * thread, whose fences pass them on to the block that comes last, and to the host.
 */
GPU void tell_host(const aif_cuda_pool &p)
{
	gpu_sync();
	if (threadIdx.x == 0) {
		uint32_t before;

		gpu_fence_system();
		before = gpu_atomic_add(p.arrived, 1);
		gpu_fence_system();
		if (before == p.texts - 1) {
			*p.arrived = 0;
			p.told->ns = p.began ? gpu_now_ns() - *p.began : 0;
			gpu_store_release_system(&p.told->ticket, p.ticket);
		}
	}
}

template <typename T>
GPU void pool(const aif_cuda_pool &p)
{
	KSHARED(float, partial, [WARPS * COLUMNS]);
	KSHARED(float, squares, [WARPS]);
	KDYNSHARED(float, mean);
	uint32_t text = p.first + blockIdx.x, first = p.cu_seqlens[text];
	uint32_t rows = p.cu_seqlens[text + 1] - first;
	const T *x = (const T *)p.x + (uint64_t)first * p.hidden;
	float share = rows ? 1.0f / rows : 0, square = 0, norm;

	for (uint32_t column = 0; column < p.hidden; column += COLUMNS) {
		uint32_t lane = threadIdx.x % WARP, mine = column + threadIdx.x;

		store4(partial + threadIdx.x / WARP * COLUMNS + 4 * lane,
		       sum_rows(x, rows, column + 4 * lane, p.hidden));
		gpu_sync();
		if (threadIdx.x < COLUMNS && mine < p.hidden) {
			float sum = 0;

			for (int w = 0; w < WARPS; w++)
				sum += partial[w * COLUMNS + threadIdx.x];
			mean[mine] = sum * share;
			square += mean[mine] * mean[mine];
		}
		gpu_sync();
	}
	norm = sqrtf(block_sum(square, squares));
	norm = norm < 1e-12f ? 1e-12f : norm;
	for (uint32_t j = threadIdx.x; j < p.hidden; j += THREADS)
		p.out[blockIdx.x][j] = mean[j] / norm;
	if (p.told)
		tell_host(p);
}

KERNEL(pool_f32, aif_cuda_pool, THREADS, 4)
{
	pool<float>(p);
}

KERNEL(pool_bf16, aif_cuda_pool, THREADS, 4)
{
	pool<bf16>(p);
}

KERNEL(pool_f16, aif_cuda_pool, THREADS, 4)
{
	pool<f16>(p);
}
