/* SPDX-License-Identifier: MIT */
/* row.h - LayerNorm of one row, shared by embed and layernorm. */
#ifndef AIF_KERNELS_LAYERNORM_ROW_H
#define AIF_KERNELS_LAYERNORM_ROW_H

#include "kernels/simd.h"

/* Rows per task: enough work to be worth a claim, little enough to share out. */
#define ROWS_PER_TASK 16

/* out = LayerNorm(out); @sum: of its elements, one per lane, known from making them. */
static ALWAYS_INLINE void layernorm_row(float *out, vf sum, const float *gamma, const float *beta,
					float eps, size_t hidden)
{
	vf mean = vset1(vreduce_add(sum) / hidden), square = { 0 }, scale;

	for (size_t j = 0; j < hidden; j += VL) {
		vf d = vload_n(out + j, hidden - j) - mean;

		d = vmerge_n(d, hidden - j, (vf){ 0 });
		square = vfma(d, d, square);
	}
	scale = vset1(1 / sqrtf(vreduce_add(square) / hidden + eps));
	for (size_t j = 0; j < hidden; j += VL) {
		size_t n = hidden - j;
		vf d = (vload_n(out + j, n) - mean) * scale;

		vstore_n(out + j, vfma(d, vload_n(gamma + j, n), vload_n(beta + j, n)), n);
	}
}

#endif
