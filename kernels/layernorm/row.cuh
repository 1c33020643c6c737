/* SPDX-License-Identifier: MIT */
/* row.cuh - LayerNorm of one row by one block, shared by embed and layernorm. */
#ifndef AIF_KERNELS_LAYERNORM_ROW_CUH
#define AIF_KERNELS_LAYERNORM_ROW_CUH

#include "kernels/gpu.h"

/*
 * out = LayerNorm(v), v being what @row.at4(j) and @row.at1(j) say for elements from
 * j.  They are asked three times and answer from cache: that leaves the row's length
 * free and costs no registers.  Element j is written only after its last reading, by
 * the thread that read it, so a source may be @out itself.
 */
template <typename T, typename Row>
GPU void normalise_row(T *out, const Row &row, const float *gamma, const float *beta,
		       float eps, uint32_t hidden)
{
	KSHARED(float, partial, [2 * AIF_CUDA_ROW_THREADS / WARP]);
	const uint32_t step = 4 * AIF_CUDA_ROW_THREADS, first = 4 * threadIdx.x;
	const uint32_t whole = row.by4 ? hidden : 0, tail = whole + threadIdx.x;
	float sum = 0, square = 0, mean, scale;

	for (uint32_t j = first; j < whole; j += step) {
		gpu_f32x4 v = row.at4(j);

		sum += (v.v[0] + v.v[1]) + (v.v[2] + v.v[3]);
	}
	for (uint32_t j = tail; j < hidden; j += AIF_CUDA_ROW_THREADS)
		sum += row.at1(j);
	mean = block_sum(sum, partial) / hidden;

	for (uint32_t j = first; j < whole; j += step) {
		gpu_f32x4 v = row.at4(j);

		for (int i = 0; i < 4; i++)
			square += (v.v[i] - mean) * (v.v[i] - mean);
	}
	for (uint32_t j = tail; j < hidden; j += AIF_CUDA_ROW_THREADS)
		square += (row.at1(j) - mean) * (row.at1(j) - mean);
	square = block_sum(square, partial + AIF_CUDA_ROW_THREADS / WARP);
	scale = 1 / sqrtf(square / hidden + eps);

	for (uint32_t j = first; j < whole; j += step) {
		gpu_f32x4 v = row.at4(j), g = load4(gamma + j), b = load4(beta + j);

		for (int i = 0; i < 4; i++)
			v.v[i] = (v.v[i] - mean) * scale * g.v[i] + b.v[i];
		store4(out + j, v);
	}
	for (uint32_t j = tail; j < hidden; j += AIF_CUDA_ROW_THREADS)
		from_f32(out + j, (row.at1(j) - mean) * scale * gamma[j] + beta[j]);
}

#endif
