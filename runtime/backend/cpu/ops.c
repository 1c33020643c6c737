// SPDX-License-Identifier: MIT
/*
 * Tensors in, plain pointers out.  Each operator collects its views under one
 * error: the first that does not fit sticks, and nothing is computed.
 */
#include <errno.h>
#include <stdbool.h>

#include "runtime/backend/cpu/cpu.h"

struct check {
	int err;
	/* What the operator writes, for disjoint(). */
	const char *out;
	size_t out_bytes;
};

static void fail_unless(struct check *c, bool ok)
{
	if (!c->err && !ok)
		c->err = -EINVAL;
}

/* The bytes of @t, or 0 when they do not lie inside its memory. */
static size_t extent(struct check *c, const struct aif_tensor *t)
{
	uint64_t bytes = 4;

	for (uint32_t i = 0; i < t->rank; i++) {
		if (__builtin_mul_overflow(bytes, t->dim[i], &bytes))
			bytes = UINT64_MAX;
	}
	if (t->offset > t->mem->bytes || bytes > t->mem->bytes - t->offset) {
		c->err = -ERANGE;
		return 0;
	}
	return bytes;
}

/* A tensor of this type and rank; its address. */
static void *view(struct check *c, const struct aif_tensor *t, enum aif_tensor_dtype dtype,
		  uint32_t rank, size_t *bytes)
{
	fail_unless(c, t->mem && t->dtype == dtype && t->rank == rank && t->offset % 4 == 0);
	if (c->err)
		return NULL;
	*bytes = extent(c, t);
	return c->err ? NULL : aif_host_address(t);
}

static void disjoint(struct check *c, const char *p, size_t bytes)
{
	fail_unless(c, !bytes || !c->out_bytes ||
		       p + bytes <= c->out || c->out + c->out_bytes <= p);
}

/* An input that the output must not overlap. */
static const void *input(struct check *c, const struct aif_tensor *t, enum aif_tensor_dtype dtype,
			 uint32_t rank)
{
	size_t bytes;
	const void *p = view(c, t, dtype, rank, &bytes);

	if (p)
		disjoint(c, p, bytes);
	return p;
}

static const float *vector(struct check *c, const struct aif_tensor *t, uint64_t n)
{
	const float *p = input(c, t, AIF_F32, 1);

	fail_unless(c, p && t->dim[0] == n);
	return p;
}

static const float *matrix(struct check *c, const struct aif_tensor *t, uint64_t rows,
			   uint64_t cols)
{
	const float *p = input(c, t, AIF_F32, 2);

	fail_unless(c, p && t->dim[0] == rows && t->dim[1] == cols);
	return p;
}

/* A matrix that the output may also be, exactly. */
static const float *matrix_in_place(struct check *c, const struct aif_tensor *t,
				    const struct aif_tensor *out)
{
	struct check relaxed = { .err = c->err };
	bool same = t->mem == out->mem && t->offset == out->offset;
	const float *p = matrix(same ? &relaxed : c, t, out->dim[0], out->dim[1]);

	if (same)
		c->err = relaxed.err;
	return p;
}

static float *output(struct check *c, const struct aif_tensor *t)
{
	size_t bytes;
	float *p = view(c, t, AIF_F32, 2, &bytes);

	if (p) {
		c->out = (const char *)p;
		c->out_bytes = bytes;
	}
	return p;
}

/* Offsets of a ragged batch of @tokens; the longest text's length is at most @max. */
static const int32_t *offsets(struct check *c, const struct aif_tensor *t, uint64_t tokens,
			      size_t max)
{
	const int32_t *cu = input(c, t, AIF_I32, 1);

	fail_unless(c, cu && t->dim[0] > 0);
	if (c->err)
		return NULL;
	fail_unless(c, cu[0] == 0 && (uint64_t)cu[t->dim[0] - 1] == tokens);
	for (uint64_t i = 1; i < t->dim[0]; i++)
		fail_unless(c, cu[i - 1] <= cu[i] && (uint64_t)cu[i] - cu[i - 1] <= max);
	return cu;
}

static int op_embed(struct aif_stream *s, const struct aif_op_embed *op)
{
	struct check c = { 0 };
	struct aif_host_embed h = { .eps = op->eps };
	const struct aif_tensor *out = &op->out;

	h.out = output(&c, out);
	h.hidden = out->dim[1];
	h.ids = input(&c, &op->ids, AIF_I32, 1);
	fail_unless(&c, op->ids.dim[0] == out->dim[0]);
	h.cu_seqlens = offsets(&c, &op->cu_seqlens, out->dim[0], SIZE_MAX);
	h.texts = op->cu_seqlens.dim[0] - 1;
	h.vocab = op->words.dim[0];
	h.words = matrix(&c, &op->words, h.vocab, h.hidden);
	h.places = op->positions.dim[0];
	h.positions = matrix(&c, &op->positions, h.places, h.hidden);
	h.type = matrix(&c, &op->types, op->types.dim[0], h.hidden);
	fail_unless(&c, h.vocab && h.places && op->types.dim[0] && op->eps > 0);
	h.gamma = vector(&c, &op->gamma, h.hidden);
	h.beta = vector(&c, &op->beta, h.hidden);
	if (!c.err)
		s->host->embed(s->team, &h);
	return c.err;
}

static int op_layernorm(struct aif_stream *s, const struct aif_op_layernorm *op)
{
	struct check c = { 0 };
	struct aif_host_layernorm h = { .eps = op->eps };
	const struct aif_tensor *out = &op->out;

	h.out = output(&c, out);
	h.rows = out->dim[0];
	h.hidden = out->dim[1];
	h.x = matrix_in_place(&c, &op->x, out);
	if (op->residual.mem)
		h.residual = matrix_in_place(&c, &op->residual, out);
	h.gamma = vector(&c, &op->gamma, h.hidden);
	h.beta = vector(&c, &op->beta, h.hidden);
	fail_unless(&c, op->eps > 0);
	if (!c.err)
		s->host->layernorm(s->team, &h);
	return c.err;
}

static int op_gemm(struct aif_stream *s, const struct aif_op_gemm *op)
{
	struct check c = { 0 };
	struct aif_host_gemm h = { .act = op->act };
	const struct aif_tensor *out = &op->out;

	fail_unless(&c, op->w && op->w->host == s->host && op->act <= AIF_ACT_GELU);
	h.out = output(&c, out);
	if (c.err)
		return c.err;
	h.packed = op->w->packed;
	h.m = out->dim[0];
	h.n = op->w->n;
	h.k = op->w->k;
	fail_unless(&c, out->dim[1] == h.n);
	h.x = matrix(&c, &op->x, h.m, h.k);
	if (op->bias.mem)
		h.bias = vector(&c, &op->bias, h.n);
	if (op->residual.mem)
		h.residual = matrix(&c, &op->residual, h.m, h.n);
	if (!c.err)
		s->host->gemm(s->team, &h);
	return c.err;
}

static int op_attention(struct aif_stream *s, const struct aif_op_attention *op)
{
	struct check c = { 0 };
	struct aif_host_attention h = { .heads = op->heads, .scale = op->scale };
	const struct aif_tensor *out = &op->out;
	uint64_t hidden = out->dim[1];

	h.out = output(&c, out);
	fail_unless(&c, op->heads && hidden % op->heads == 0);
	if (c.err)
		return c.err;
	h.head_dim = hidden / op->heads;
	if (op->max_seqlen > s->max_seqlen || h.head_dim > s->max_head_dim)
		return -E2BIG;
	h.qkv = matrix(&c, &op->qkv, out->dim[0], 3 * hidden);
	h.cu_seqlens = offsets(&c, &op->cu_seqlens, out->dim[0], op->max_seqlen);
	h.texts = op->cu_seqlens.dim[0] - 1;
	if (!c.err)
		s->host->attention(s->team, &h);
	return c.err;
}

static int op_pool(struct aif_stream *s, const struct aif_op_pool *op)
{
	struct check c = { 0 };
	struct aif_host_pool h = { .out = op->out };
	uint64_t tokens = op->x.dim[0];
	size_t bytes;

	h.x = view(&c, &op->x, AIF_F32, 2, &bytes);
	h.hidden = op->x.dim[1];
	h.cu_seqlens = offsets(&c, &op->cu_seqlens, tokens, SIZE_MAX);
	if (c.err)
		return c.err;
	h.texts = op->cu_seqlens.dim[0] - 1;
	for (size_t i = 0; i < h.texts; i++) {
		const float *out = view(&c, &op->out[i], AIF_F32, 1, &bytes);

		fail_unless(&c, out && op->out[i].dim[0] == h.hidden);
		c.out = (const char *)out;
		c.out_bytes = bytes;
		matrix(&c, &op->x, tokens, h.hidden);
		input(&c, &op->cu_seqlens, AIF_I32, 1);
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
};
