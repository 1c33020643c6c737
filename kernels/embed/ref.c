// SPDX-License-Identifier: MIT
#include "kernels/ref.h"

static void embed_token(const struct aif_host_embed *op, const int32_t *id, size_t token,
			size_t place)
{
	size_t hidden = op->hidden;
	const float *word = op->words + aif_clamp_id(id, op->vocab) * hidden;
	const float *position;
	float *out = op->out + token * hidden;

	if (place >= op->places)
		place = op->places - 1;
	position = op->positions + place * hidden;
	for (size_t j = 0; j < hidden; j++)
		out[j] = word[j] + position[j] + op->type[j];
	aif_layernorm_row_ref(out, out, op->gamma, op->beta, op->eps, hidden);
}

void aif_embed_ref(struct aif_team *team, const struct aif_host_embed *op)
{
	for (size_t i = 0; i < op->texts; i++) {
		size_t first = op->cu_seqlens[i], end = op->cu_seqlens[i + 1];
		const int32_t *ids = aif_host_ids(op, i);

		for (size_t t = first; t < end; t++)
			embed_token(op, ids + t - first, t, t - first);
	}
}
