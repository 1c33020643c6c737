// SPDX-License-Identifier: MIT
/*
 * Tensors checked, then a kernel of that operator enqueued.  Offsets of texts lie on the
 * device and are not read here: who wrote them made them sound.
 */
#include <errno.h>
#include <string.h>

#include "runtime/backend/check.h"
#include "runtime/backend/cuda/cuda.h"

static struct aif_check begin(const struct aif_stream *s)
{
	return (struct aif_check){ .activation = aif_cuda_dtype(s->dev) };
}

static int launch(struct aif_stream *s, const struct aif_cuda_launch *l, const void *args,
		  size_t bytes)
{
	struct aif_dev *dev = s->dev;
	size_t i = 0;

	if (!l->grid[0] || !l->grid[1] || !l->grid[2])
		return 0;
	if (l->grid[1] > 65535)
		return -E2BIG;
	s->flagged = false;
	while (strcmp(dev->kernels[i].name, l->kernel))
		i++;
	return aif_cuda_launch(s, l, dev->kernels[i].f, args, bytes);
}

/* Offsets of texts; how many there are. */
static const int32_t *offsets(struct aif_check *c, const struct aif_tensor *t, uint32_t *texts)
{
	const int32_t *cu = aif_check_input(c, t, AIF_I32, 1);

	aif_check_that(c, cu && t->dim[0] > 0 && t->dim[0] <= INT32_MAX);
	*texts = c->err ? 0 : t->dim[0] - 1;
	return cu;
}

/* Kernels count in 32 bits. */
static void fits(struct aif_check *c, uint64_t rows, uint64_t columns)
{
	aif_check_that(c, rows <= INT32_MAX && columns <= INT32_MAX);
}

/* Kernels read or write it by fours. */
static void aligned(struct aif_check *c, const void *p)
{
	aif_check_that(c, (uintptr_t)p % 16 == 0);
}

/* All but the ids. */
static void check_embed(struct aif_check *c, const struct aif_op_embed *op,
			struct aif_cuda_embed *k)
{
	k->eps = op->eps;
	k->out = aif_check_output(c, &op->out);
	fits(c, op->out.dim[0], op->out.dim[1]);
	fits(c, op->words.dim[0], op->positions.dim[0]);
	k->tokens = op->out.dim[0];
	k->hidden = op->out.dim[1];
	k->vocab = op->words.dim[0];
	k->places = op->positions.dim[0];
	k->cu_seqlens = offsets(c, &op->cu_seqlens, &k->texts);
	aif_check_that(c, k->texts || !k->tokens);
	k->words = aif_check_matrix(c, &op->words, k->vocab, k->hidden);
	k->positions = aif_check_matrix(c, &op->positions, k->places, k->hidden);
	k->type = aif_check_matrix(c, &op->types, op->types.dim[0], k->hidden);
	aif_check_that(c, k->vocab && k->places && op->types.dim[0] && op->eps > 0);
	k->gamma = aif_check_vector(c, &op->gamma, k->hidden);
	k->beta = aif_check_vector(c, &op->beta, k->hidden);
}

static int op_embed(struct aif_stream *s, const struct aif_op_embed *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_embed k = { .began = (uint64_t *)s->began };
	struct aif_cuda_launch l;
	int err;

	check_embed(&c, op, &k);
	k.ids = aif_check_input(&c, &op->ids, AIF_I32, 1);
	aif_check_that(&c, op->ids.dim[0] == op->out.dim[0]);
	if (c.err)
		return c.err;
	l = aif_cuda_embed_launch(&k, s->dev->target.storage);
	err = launch(s, &l, &k, sizeof(k));
	s->timed = !err && k.tokens > 0;
	return err;
}

/* Each text's ids lie inside their memory, and all together are the tokens. */
static void check_each(struct aif_check *c, const struct aif_tensor *ids, uint32_t texts,
		       uint64_t tokens)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < texts && !c->err; i++) {
		aif_check_input(c, &ids[i], AIF_I32, 1);
		aif_check_that(c, ids[i].dim[0] <= tokens - sum);
		sum += ids[i].dim[0];
	}
	aif_check_that(c, sum == tokens);
}

/* As many texts as fit into one launch's parameters, and so on. */
static int embed_from(struct aif_stream *s, struct aif_cuda_embed_each *k,
		      const struct aif_tensor *ids)
{
	struct aif_cuda_launch l;
	uint32_t n;
	int err = 0;

	for (; k->text < k->embed.texts && !err; k->text += n, k->token += k->embed.tokens) {
		k->embed.tokens = 0;
		for (n = 0; n < AIF_CUDA_EMBED_TEXTS && k->text + n < k->embed.texts; n++) {
			k->ids[n] = aif_host_address(&ids[k->text + n]);
			k->embed.tokens += ids[k->text + n].dim[0];
		}
		l = aif_cuda_embed_each_launch(k, s->dev->target.storage);
		err = launch(s, &l, k, sizeof(*k));
	}
	return err;
}

static int op_embed_each(struct aif_stream *s, const struct aif_op_embed_each *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_embed_each k = { .embed.began = (uint64_t *)s->began };
	int err;

	check_embed(&c, &op->embed, &k.embed);
	check_each(&c, op->ids, k.embed.texts, k.embed.tokens);
	if (c.err)
		return c.err;
	err = embed_from(s, &k, op->ids);
	s->timed = !err && k.token > 0;
	return err;
}

static int op_layernorm(struct aif_stream *s, const struct aif_op_layernorm *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_layernorm k = { .eps = op->eps };
	struct aif_cuda_launch l;

	k.out = aif_check_output(&c, &op->out);
	fits(&c, op->out.dim[0], op->out.dim[1]);
	k.rows = op->out.dim[0];
	k.hidden = op->out.dim[1];
	k.x = aif_check_in_place(&c, &op->x, &op->out);
	if (op->residual.mem)
		k.residual = aif_check_in_place(&c, &op->residual, &op->out);
	k.gamma = aif_check_vector(&c, &op->gamma, k.hidden);
	k.beta = aif_check_vector(&c, &op->beta, k.hidden);
	aif_check_that(&c, op->eps > 0);
	if (c.err)
		return c.err;
	l = aif_cuda_layernorm_launch(&k, s->dev->target.storage);
	return launch(s, &l, &k, sizeof(k));
}

/* Blocks share K where a tile each would leave processors idle. */
static void share_out(const struct aif_stream *s, struct aif_cuda_gemm *k)
{
	struct aif_cuda_launch l;
	uint64_t tiles;

	k->splits = 1;
	l = aif_cuda_gemm_launch(k, &s->dev->target);
	tiles = (uint64_t)l.grid[0] * l.grid[1];
	if (!tiles || tiles > AIF_CUDA_COUNTERS)
		return;
	k->splits = aif_cuda_gemm_splits(tiles, k->k, s->dev->target.processors);
	if (k->splits == 1 || (uint64_t)k->splits * k->m * k->n > AIF_CUDA_PARTIALS) {
		k->splits = 1;
		return;
	}
	k->partial = (float *)s->partial;
	k->arrived = (uint32_t *)s->arrived;
}

static int op_gemm(struct aif_stream *s, const struct aif_op_gemm *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_gemm k = { .act = op->act };
	struct aif_cuda_launch l;

	aif_check_that(&c, op->w && op->w->dev == s->dev && op->act <= AIF_ACT_GELU);
	k.out = aif_check_output(&c, &op->out);
	fits(&c, op->out.dim[0], op->out.dim[1]);
	if (c.err)
		return c.err;
	k.w = (const void *)op->w->at;
	k.m = op->out.dim[0];
	k.n = op->w->n;
	k.k = op->w->k;
	aif_check_that(&c, op->out.dim[1] == k.n);
	k.x = aif_check_activation(&c, &op->x, k.m, k.k);
	aligned(&c, k.x);
	if (op->bias.mem)
		k.bias = aif_check_vector(&c, &op->bias, k.n);
	if (op->residual.mem)
		k.residual = aif_check_activation(&c, &op->residual, k.m, k.n);
	aligned(&c, k.residual);
	aligned(&c, k.out);
	if (c.err)
		return c.err;
	share_out(s, &k);
	l = aif_cuda_gemm_launch(&k, &s->dev->target);
	return launch(s, &l, &k, sizeof(k));
}

/* As many texts as a grid has layers, and so on. */
static int attention_from(struct aif_stream *s, struct aif_cuda_attention *k, uint32_t texts)
{
	struct aif_cuda_launch l;
	int err = 0;

	for (; texts && !err; texts -= k->texts, k->cu_seqlens += k->texts) {
		k->texts = texts < AIF_CUDA_ATTENTION_TEXTS ? texts : AIF_CUDA_ATTENTION_TEXTS;
		l = aif_cuda_attention_launch(k, &s->dev->target);
		err = launch(s, &l, k, sizeof(*k));
	}
	return err;
}

static int op_attention(struct aif_stream *s, const struct aif_op_attention *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_attention k = { .heads = op->heads, .scale = op->scale };
	uint64_t hidden = op->out.dim[1];
	uint32_t texts;

	k.out = aif_check_output(&c, &op->out);
	fits(&c, op->out.dim[0], hidden);
	aif_check_that(&c, op->heads && hidden % op->heads == 0);
	if (c.err)
		return c.err;
	k.head_dim = hidden / op->heads;
	if (op->max_seqlen > s->max_seqlen || k.head_dim > AIF_CUDA_HEAD_DIM_MAX)
		return -E2BIG;
	k.qkv = aif_check_activation(&c, &op->qkv, op->out.dim[0], 3 * hidden);
	k.cu_seqlens = offsets(&c, &op->cu_seqlens, &texts);
	k.longest = op->max_seqlen;
	aligned(&c, k.qkv);
	aligned(&c, k.out);
	if (c.err)
		return c.err;
	return attention_from(s, &k, texts);
}

/* The last launch tells the host, who waits for nothing else then. */
static int pool_launch(struct aif_stream *s, struct aif_cuda_pool *k, bool last)
{
	struct aif_cuda_launch l = aif_cuda_pool_launch(k, s->dev->target.storage);
	int err;

	if (last) {
		k->arrived = (uint32_t *)s->arrived;
		k->told = (struct aif_cuda_told *)s->told_at;
		k->began = s->timed ? (const uint64_t *)s->began : NULL;
		k->ticket = ++s->ticket;
	}
	err = launch(s, &l, k, sizeof(*k));
	s->flagged = !err && last;
	s->timed = s->timed && !last;
	return err;
}

/* As many texts as fit into one launch's parameters, and so on. */
static int pool_from(struct aif_stream *s, struct aif_cuda_pool *k, const struct aif_tensor *out,
		     uint32_t texts)
{
	int err = 0;

	for (k->first = 0; k->first < texts && !err; k->first += k->texts) {
		k->texts = texts - k->first;
		if (k->texts > AIF_CUDA_POOL_TEXTS)
			k->texts = AIF_CUDA_POOL_TEXTS;
		for (uint32_t i = 0; i < k->texts; i++)
			k->out[i] = aif_host_address(&out[k->first + i]);
		err = pool_launch(s, k, k->first + k->texts == texts);
	}
	return err;
}

static int op_pool(struct aif_stream *s, const struct aif_op_pool *op)
{
	struct aif_check c = begin(s);
	struct aif_cuda_pool k = { 0 };
	uint64_t tokens = op->x.dim[0], hidden = op->x.dim[1];
	uint32_t texts;
	size_t bytes;

	k.x = aif_check_activation(&c, &op->x, tokens, hidden);
	aligned(&c, k.x);
	fits(&c, tokens, hidden);
	k.cu_seqlens = offsets(&c, &op->cu_seqlens, &texts);
	for (uint32_t i = 0; i < texts && !c.err; i++) {
		c.out = aif_check_view(&c, &op->out[i], AIF_F32, 1, &bytes);
		aif_check_that(&c, c.out && op->out[i].dim[0] == hidden);
		c.out_bytes = c.err ? 0 : bytes;
		aif_check_activation(&c, &op->x, tokens, hidden);
		aif_check_input(&c, &op->cu_seqlens, AIF_I32, 1);
	}
	if (c.err)
		return c.err;
	if (hidden > AIF_CUDA_POOL_HIDDEN_MAX)
		return -EOPNOTSUPP;
	k.hidden = hidden;
	return pool_from(s, &k, op->out, texts);
}

const struct aif_ops aif_cuda_ops = {
	.size = sizeof(struct aif_ops),
	.embed = op_embed,
	.layernorm = op_layernorm,
	.gemm = op_gemm,
	.attention = op_attention,
	.pool = op_pool,
	.embed_each = op_embed_each,
};
