// SPDX-License-Identifier: MIT
#include "kernels/cpu.h"
#include "kernels/simd.h"

/* Columns summed in one walk over the rows: whole cache lines, few accumulators. */
#define VECS 4

/*
 * Means go to @out, which a client may read and write meanwhile; the norm is
 * taken from registers and the second pass only scales what is there, so
 * whatever the client does spoils nothing but its own vector.
 */
static void pool_text(float *out, const float *x, size_t len, size_t hidden)
{
	float share = len ? 1.0f / len : 0, norm;
	vf square = { 0 };

	for (size_t j = 0; j < hidden; j += VECS * VL) {
		vf sum[VECS] = { 0 };

		for (size_t t = 0; t < len; t++) {
			const float *row = x + t * hidden;

			for (size_t v = 0, c = j; v < VECS && c < hidden; v++, c += VL)
				sum[v] += vload_n(row + c, hidden - c);
		}
		for (size_t v = 0, c = j; v < VECS && c < hidden; v++, c += VL) {
			vf mean = sum[v] * share;

			square = vfma(mean, mean, square);
			vstore_n(out + c, mean, hidden - c);
		}
	}
	norm = sqrtf(vreduce_add(square));
	norm = norm < 1e-12f ? 1e-12f : norm;
	for (size_t j = 0; j < hidden; j += VL)
		vstore_n(out + j, vload_n(out + j, hidden - j) / norm, hidden - j);
}

static void pool_one(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_pool *op = arg;
	size_t first = op->cu_seqlens[task], end = op->cu_seqlens[task + 1];

	pool_text(aif_host_address(&op->out[task]), op->x + first * op->hidden, end - first,
		  op->hidden);
}

void ISA(aif_pool)(struct aif_team *team, const struct aif_host_pool *op)
{
	team->run(team, op->texts, pool_one, op);
}
