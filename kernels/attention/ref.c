// SPDX-License-Identifier: MIT
#include <math.h>

#include "kernels/ref.h"

/* The scores of one token. */
size_t aif_attention_scratch_ref(size_t max_seqlen, size_t max_head_dim)
{
	return max_seqlen * sizeof(double);
}

static double dot(const float *a, const float *b, size_t n)
{
	double sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += (double)a[j] * b[j];
	return sum;
}

static void softmax(double *p, size_t n)
{
	double max = -INFINITY, total = 0;

	for (size_t u = 0; u < n; u++)
		if (!(p[u] <= max))
			max = p[u];
	for (size_t u = 0; u < n; u++)
		total += p[u] = exp(p[u] - max);
	for (size_t u = 0; u < n; u++)
		p[u] /= total;
}

/* One token, one head.  @k and @v: the text's first row; @out: [head_dim]. */
static void attend(const struct aif_host_attention *op, const float *q, const float *k,
		   const float *v, size_t len, float *out, double *p)
{
	size_t stride = 3 * op->heads * op->head_dim;

	for (size_t u = 0; u < len; u++)
		p[u] = dot(q, k + u * stride, op->head_dim) * op->scale;
	softmax(p, len);
	for (size_t j = 0; j < op->head_dim; j++) {
		double sum = 0;

		for (size_t u = 0; u < len; u++)
			sum += p[u] * v[u * stride + j];
		out[j] = sum;
	}
}

static void attend_all(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_attention *op = arg;
	size_t hidden = op->heads * op->head_dim, stride = 3 * hidden;

	for (size_t i = 0; i < op->texts; i++) {
		size_t first = op->cu_seqlens[i], end = op->cu_seqlens[i + 1];
		const float *text = op->qkv + first * stride;

		for (size_t t = first; t < end; t++) {
			for (size_t h = 0; h < op->heads; h++) {
				size_t at = h * op->head_dim;

				attend(op, op->qkv + t * stride + at, text + hidden + at,
				       text + 2 * hidden + at, end - first,
				       op->out + t * hidden + at, scratch);
			}
		}
	}
}

void aif_attention_ref(struct aif_team *team, const struct aif_host_attention *op)
{
	team->run(team, 1, attend_all, op);
}
