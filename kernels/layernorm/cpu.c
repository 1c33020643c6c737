// SPDX-License-Identifier: MIT
#include "kernels/cpu.h"
#include "kernels/layernorm/row.h"

static void normalise_row(const struct aif_host_layernorm *op, size_t row)
{
	size_t hidden = op->hidden, at = row * hidden;
	float *out = op->out + at;
	vf sum = { 0 };

	for (size_t j = 0; j < hidden; j += VL) {
		vf v = vload_n(op->x + at + j, hidden - j);

		if (op->residual)
			v += vload_n(op->residual + at + j, hidden - j);
		sum += v;
		vstore_n(out + j, v, hidden - j);
	}
	layernorm_row(out, sum, op->gamma, op->beta, op->eps, hidden);
}

static void normalise_rows(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_layernorm *op = arg;
	size_t row = task * ROWS_PER_TASK;

	for (size_t end = row + ROWS_PER_TASK; row < end && row < op->rows; row++)
		normalise_row(op, row);
}

void ISA(aif_layernorm)(struct aif_team *team, const struct aif_host_layernorm *op)
{
	team->run(team, (op->rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, normalise_rows, op);
}
