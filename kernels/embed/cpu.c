// SPDX-License-Identifier: MIT
#include "kernels/cpu.h"
#include "kernels/layernorm/row.h"

static void embed_token(const struct aif_host_embed *op, const int32_t *id, size_t token,
			size_t place)
{
	size_t hidden = op->hidden;
	const float *word = op->words + aif_clamp_id(id, op->vocab) * hidden;
	const float *position;
	float *out = op->out + token * hidden;
	vf sum = { 0 };

	if (place >= op->places)
		place = op->places - 1;
	position = op->positions + place * hidden;
	for (size_t j = 0; j < hidden; j += VL) {
		size_t n = hidden - j;
		vf v = vload_n(word + j, n) + vload_n(position + j, n) + vload_n(op->type + j, n);

		sum += v;
		vstore_n(out + j, v, n);
	}
	layernorm_row(out, sum, op->gamma, op->beta, op->eps, hidden);
}

static void embed_text(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_embed *op = arg;
	size_t first = op->cu_seqlens[task], end = op->cu_seqlens[task + 1];
	const int32_t *ids = aif_host_ids(op, task);

	for (size_t t = first; t < end; t++)
		embed_token(op, ids + t - first, t, t - first);
}

void ISA(aif_embed)(struct aif_team *team, const struct aif_host_embed *op)
{
	team->run(team, op->texts, embed_text, op);
}
