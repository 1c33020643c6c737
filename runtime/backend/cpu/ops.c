// SPDX-License-Identifier: MIT
/*
 * Tensors in, plain pointers out.  Each operator collects its views under one
 * error: the first that does not fit sticks, and nothing is computed.
 */
#include <errno.h>
#include <stdbool.h>

#include "runtime/backend/check.h"
#include "runtime/backend/cpu/cpu.h"

/* Offsets of a ragged batch of @tokens; the longest text's length is at most @max. */
static const int32_t *offsets(struct aif_check *c, const struct aif_tensor *t, uint64_t tokens,
			      size_t max)
{
	const int32_t *cu = aif_check_input(c, t, AIF_I32, 1);

	aif_check_that(c, cu && t->dim[0] > 0);
	if (c->err)
		return NULL;
	aif_check_that(c, cu[0] == 0 && (uint64_t)cu[t->dim[0] - 1] == tokens);
	for (uint64_t i = 1; i < t->dim[0]; i++)
		aif_check_that(c, cu[i - 1] <= cu[i] && (uint64_t)cu[i] - cu[i - 1] <= max);
	return cu;
}

/* All but the ids. */
static void check_embed(struct aif_check *c, const struct aif_op_embed *op,
			struct aif_host_embed *h)
{
	const struct aif_tensor *out = &op->out;

	h->eps = op->eps;
	h->out = aif_check_output(c, out);
	h->hidden = out->dim[1];
	h->cu_seqlens = offsets(c, &op->cu_seqlens, out->dim[0], SIZE_MAX);
	h->texts = op->cu_seqlens.dim[0] - 1;
	h->vocab = op->words.dim[0];
	h->words = aif_check_matrix(c, &op->words, h->vocab, h->hidden);
	h->places = op->positions.dim[0];
	h->positions = aif_check_matrix(c, &op->positions, h->places, h->hidden);
	h->type = aif_check_matrix(c, &op->types, op->types.dim[0], h->hidden);
	aif_check_that(c, h->vocab && h->places && op->types.dim[0] && op->eps > 0);
	h->gamma = aif_check_vector(c, &op->gamma, h->hidden);
	h->beta = aif_check_vector(c, &op->beta, h->hidden);
}

static int op_embed(struct aif_stream *s, const struct aif_op_embed *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_embed h = { 0 };

	check_embed(&c, op, &h);
	h.ids = aif_check_input(&c, &op->ids, AIF_I32, 1);
	aif_check_that(&c, op->ids.dim[0] == op->out.dim[0]);
	if (!c.err)
		s->host->embed(s->team, &h);
	return c.err;
}

/* Each text's ids lie inside their memory, and are as many as it has tokens. */
static void check_each(struct aif_check *c, const struct aif_tensor *ids, const int32_t *cu,
		       size_t texts)
{
	for (size_t i = 0; cu && !c->err && i < texts; i++) {
		aif_check_input(c, &ids[i], AIF_I32, 1);
		aif_check_that(c, ids[i].dim[0] == (uint64_t)cu[i + 1] - cu[i]);
	}
}

static int op_embed_each(struct aif_stream *s, const struct aif_op_embed_each *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_embed h = { .each = op->ids };

	check_embed(&c, &op->embed, &h);
	check_each(&c, op->ids, h.cu_seqlens, h.texts);
	if (!c.err)
		s->host->embed(s->team, &h);
	return c.err;
}

static int op_layernorm(struct aif_stream *s, const struct aif_op_layernorm *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_layernorm h = { .eps = op->eps };
	const struct aif_tensor *out = &op->out;

	h.out = aif_check_output(&c, out);
	h.rows = out->dim[0];
	h.hidden = out->dim[1];
	h.x = aif_check_in_place(&c, &op->x, out);
	if (op->residual.mem)
		h.residual = aif_check_in_place(&c, &op->residual, out);
	h.gamma = aif_check_vector(&c, &op->gamma, h.hidden);
	h.beta = aif_check_vector(&c, &op->beta, h.hidden);
	aif_check_that(&c, op->eps > 0);
	if (!c.err)
		s->host->layernorm(s->team, &h);
	return c.err;
}

static int op_gemm(struct aif_stream *s, const struct aif_op_gemm *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_gemm h = { .act = op->act };
	const struct aif_tensor *out = &op->out;

	aif_check_that(&c, op->w && op->w->host == s->host && op->act <= AIF_ACT_GELU);
	h.out = aif_check_output(&c, out);
	if (c.err)
		return c.err;
	h.packed = op->w->packed;
	h.m = out->dim[0];
	h.n = op->w->n;
	h.k = op->w->k;
	aif_check_that(&c, out->dim[1] == h.n);
	h.x = aif_check_activation(&c, &op->x, h.m, h.k);
	if (op->bias.mem)
		h.bias = aif_check_vector(&c, &op->bias, h.n);
	if (op->residual.mem)
		h.residual = aif_check_activation(&c, &op->residual, h.m, h.n);
	if (!c.err)
		s->host->gemm(s->team, &h);
	return c.err;
}

static int op_attention(struct aif_stream *s, const struct aif_op_attention *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_attention h = { .heads = op->heads, .scale = op->scale };
	const struct aif_tensor *out = &op->out;
	uint64_t hidden = out->dim[1];

	h.out = aif_check_output(&c, out);
	aif_check_that(&c, op->heads && hidden % op->heads == 0);
	if (c.err)
		return c.err;
	h.head_dim = hidden / op->heads;
	if (op->max_seqlen > s->max_seqlen || h.head_dim > s->max_head_dim)
		return -E2BIG;
	h.qkv = aif_check_activation(&c, &op->qkv, out->dim[0], 3 * hidden);
	h.cu_seqlens = offsets(&c, &op->cu_seqlens, out->dim[0], op->max_seqlen);
	h.texts = op->cu_seqlens.dim[0] - 1;
	if (!c.err)
		s->host->attention(s->team, &h);
	return c.err;
}

static int op_pool(struct aif_stream *s, const struct aif_op_pool *op)
{
	struct aif_check c = { .activation = AIF_F32 };
	struct aif_host_pool h = { .out = op->out };
	uint64_t tokens = op->x.dim[0];
	size_t bytes;

	h.x = aif_check_view(&c, &op->x, AIF_F32, 2, &bytes);
	h.hidden = op->x.dim[1];
	h.cu_seqlens = offsets(&c, &op->cu_seqlens, tokens, SIZE_MAX);
	if (c.err)
		return c.err;
	h.texts = op->cu_seqlens.dim[0] - 1;
	for (size_t i = 0; i < h.texts; i++) {
		const float *out = aif_check_view(&c, &op->out[i], AIF_F32, 1, &bytes);

		aif_check_that(&c, out && op->out[i].dim[0] == h.hidden);
		c.out = (const char *)out;
		c.out_bytes = bytes;
		aif_check_activation(&c, &op->x, tokens, h.hidden);
		aif_check_input(&c, &op->cu_seqlens, AIF_I32, 1);
		if (c.err)
			return c.err;
	}
	s->host->pool(s->team, &h);
	return 0;
}

const struct aif_ops aif_cpu_ops = {
	.size = sizeof(struct aif_ops),
	.embed = op_embed,
	.layernorm = op_layernorm,
	.gemm = op_gemm,
	.attention = op_attention,
	.pool = op_pool,
	.embed_each = op_embed_each,
};
