// SPDX-License-Identifier: MIT
/*
 * layernorm: a block of 128 threads per row.
 *
 * Limits   rows, hidden: any that memory holds
 * Bound by memory: a row is read once from it (the two later readings hit L1) and
 *          written once, which is s * (2 or 3) * hidden bytes for storage of s bytes
 *          and about 8 * hidden FLOP
 * Roofline estimate for an H100: 60 % of 3.35 TB/s from 4,096 rows of 384 on; below
 *          some 500 rows the launch itself is what it costs
 */
#include "kernels/layernorm/row.cuh"

template <typename T>
struct layernorm_row {
	const T *x, *residual;
	bool by4;

	GPU gpu_f32x4 at4(uint32_t j) const
	{
		return residual ? load4(x + j) + load4(residual + j) : load4(x + j);
	}

	GPU float at1(uint32_t j) const
	{
		return residual ? to_f32(x[j]) + to_f32(residual[j]) : to_f32(x[j]);
	}
};

template <typename T>
GPU void layernorm(const aif_cuda_layernorm &p)
{
	uint64_t at = (uint64_t)blockIdx.x * p.hidden;
	layernorm_row<T> row;

	row.x = (const T *)p.x + at;
	row.residual = p.residual ? (const T *)p.residual + at : nullptr;
	row.by4 = p.hidden % 4 == 0 &&
		  aligned_to_16(p.x, p.residual, p.gamma, p.beta, p.out);
	normalise_row((T *)p.out + at, row, p.gamma, p.beta, p.eps, p.hidden);
}

KERNEL(layernorm_f32, aif_cuda_layernorm, AIF_CUDA_ROW_THREADS, 8)
{
	layernorm<float>(p);
}

KERNEL(layernorm_bf16, aif_cuda_layernorm, AIF_CUDA_ROW_THREADS, 8)
{
	layernorm<bf16>(p);
}

KERNEL(layernorm_f16, aif_cuda_layernorm, AIF_CUDA_ROW_THREADS, 8)
{
	layernorm<f16>(p);
}
