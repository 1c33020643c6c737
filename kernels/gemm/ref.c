// SPDX-License-Identifier: MIT
#include <math.h>
#include <string.h>

#include "kernels/ref.h"

/* The reference multiplies by w as it is. */
size_t aif_gemm_packed_floats_ref(size_t n, size_t k)
{
	return n * k;
}

void aif_gemm_pack_ref(float *packed, const float *w, size_t n, size_t k)
{
	memcpy(packed, w, n * k * sizeof(*w));
}

static double activate(enum aif_activation act, double v)
{
	return act == AIF_ACT_GELU ? v * (1 + erf(v * M_SQRT1_2)) / 2 : v;
}

void aif_gemm_ref(struct aif_team *team, const struct aif_host_gemm *op)
{
	for (size_t i = 0; i < op->m; i++) {
		for (size_t j = 0; j < op->n; j++) {
			const float *x = op->x + i * op->k;
			const float *w = op->packed + j * op->k;
			double sum = op->bias ? op->bias[j] : 0;

			for (size_t l = 0; l < op->k; l++)
				sum += (double)x[l] * w[l];
			sum = activate(op->act, sum);
			if (op->residual)
				sum += op->residual[i * op->n + j];
			op->out[i * op->n + j] = sum;
		}
	}
}
