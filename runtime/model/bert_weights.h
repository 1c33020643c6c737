/* SPDX-License-Identifier: MIT */
/*
 * bert_weights.h - where each matrix of a BERT encoder lies in its safetensors file
 *
 * Offsets are bytes from the start of the file; every tensor is F32 of the shape
 * given here (H hidden, I intermediate), row-major, and aligned to 4.
 */
#ifndef AIF_BERT_WEIGHTS_H
#define AIF_BERT_WEIGHTS_H

#include "runtime/model/bert_config.h"
#include "runtime/model/safetensors.h"

/* @weight: [outputs, inputs]; @bias: [outputs] */
struct aif_bert_linear {
	uint64_t weight, bias;
};

/* @gamma, @beta: [H] */
struct aif_bert_norm {
	uint64_t gamma, beta;
};

/*
 * @query, @key, @value, @mix: [H, H]; @mix is what follows attention
 * @up: [I, H], @down: [H, I]
 */
struct aif_bert_layer {
	struct aif_bert_linear query, key, value, mix;
	struct aif_bert_norm mix_norm;
	struct aif_bert_linear up, down;
	struct aif_bert_norm down_norm;
};

/* @words: [vocab, H], @positions: [positions, H], @types: [types, H] */
struct aif_bert_weights {
	uint64_t words, positions, types;
	struct aif_bert_norm norm;
	struct aif_bert_layer layer[];
};

/*
 * Find and check all of them; free() what comes back.  Tensors that the encoder
 * does not need (the pooler, say) are not looked at.
 * -EBADMSG: one is missing or has another shape.  -EOPNOTSUPP: not F32.
 */
int aif_bert_weights_find(const struct aif_safetensors *st, const struct aif_bert_config *config,
			  struct aif_bert_weights **weights, struct aif_why *why);

#endif
