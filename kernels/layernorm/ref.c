// SPDX-License-Identifier: MIT
#include <math.h>

#include "kernels/ref.h"

void aif_layernorm_row_ref(float *out, const float *v, const float *gamma, const float *beta,
			   float eps, size_t hidden)
{
	double mean = 0, var = 0, scale;

	for (size_t j = 0; j < hidden; j++)
		mean += v[j];
	mean /= hidden;
	for (size_t j = 0; j < hidden; j++)
		var += (v[j] - mean) * (v[j] - mean);
	scale = 1 / sqrt(var / hidden + eps);
	for (size_t j = 0; j < hidden; j++)
		out[j] = (v[j] - mean) * scale * gamma[j] + beta[j];
}

void aif_layernorm_ref(struct aif_team *team, const struct aif_host_layernorm *op)
{
	size_t hidden = op->hidden;

	for (size_t r = 0; r < op->rows; r++) {
		const float *x = op->x + r * hidden;
		float *out = op->out + r * hidden;

		for (size_t j = 0; j < hidden; j++)
			out[j] = op->residual ? x[j] + op->residual[r * hidden + j] : x[j];
		aif_layernorm_row_ref(out, out, op->gamma, op->beta, op->eps, hidden);
	}
}
