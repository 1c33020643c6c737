// SPDX-License-Identifier: MIT
#include <math.h>

#include "kernels/ref.h"

/* Mean and norm of one column at a time, in double; @out holds the means between. */
static void pool_text(float *out, const float *x, size_t len, size_t hidden)
{
	double square = 0, norm;

	for (size_t j = 0; j < hidden; j++) {
		double mean = 0;

		for (size_t t = 0; t < len; t++)
			mean += x[t * hidden + j];
		if (len)
			mean /= len;
		out[j] = mean;
		square += mean * mean;
	}
	norm = sqrt(square);
	if (norm < 1e-12)
		norm = 1e-12;
	for (size_t j = 0; j < hidden; j++)
		out[j] /= norm;
}

void aif_pool_ref(struct aif_team *team, const struct aif_host_pool *op)
{
	for (size_t i = 0; i < op->texts; i++) {
		size_t first = op->cu_seqlens[i], end = op->cu_seqlens[i + 1];

		pool_text(aif_host_address(&op->out[i]), op->x + first * op->hidden,
			  end - first, op->hidden);
	}
}
