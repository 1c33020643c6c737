// SPDX-License-Identifier: MIT
#include "tools/selftest.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXTS_MAX 16
#define PAGE 4096
#define IDS_MAX 1024
#define VOCABULARY 1000
#define PLACES 64

/* ---- memory of a case ---- */

static struct aif_mem *keep(struct selftest_side *s, int err, struct aif_mem *mem, void *host)
{
	if (s->err || err) {
		s->err = s->err ? s->err : err;
		free(host);
		return NULL;
	}
	s->mems[s->count] = mem;
	s->hosts[s->count++] = host;
	return mem;
}

static struct aif_mem *make(struct selftest_side *s, const void *from, size_t bytes)
{
	struct aif_mem *mem = NULL;
	int err = s->err ? s->err : s->be->mem_alloc(s->dev, bytes, &mem);

	mem = keep(s, err, mem, NULL);
	if (mem && from)
		s->err = s->be->mem_write(s->stream, mem, 0, from, bytes);
	if (!s->err)
		s->err = s->be->stream_sync(s->stream);
	return mem;
}

/* The host's own pages, as a client's range is; filled with @from, or with 0xff. */
static struct aif_mem *wrap(struct selftest_side *s, const void *from, size_t bytes, void **host)
{
	struct aif_mem *mem = NULL;
	int err;

	*host = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
	if (!*host)
		return keep(s, -ENOMEM, NULL, NULL);
	memset(*host, 0xff, bytes);
	if (from)
		memcpy(*host, from, bytes);
	err = s->err ? s->err : s->be->mem_wrap(s->dev, *host, bytes, &mem);
	return keep(s, err, mem, *host);
}

static void end_case(struct selftest_side *s)
{
	while (s->count) {
		s->be->mem_free(s->mems[--s->count]);
		free(s->hosts[s->count]);
	}
	s->be->weight_free(s->weight);
	s->weight = NULL;
}

/* ---- numbers ---- */

static uint32_t activation(const struct selftest_side *s)
{
	return AIF_BACKEND_HAS(s->be, dev_activation) ? s->be->dev_activation(s->dev) : AIF_F32;
}

/* Uniform in -1..1; the same on both sides. */
static float number(struct selftest_side *s)
{
	s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
	return (float)(int32_t)(s->seed >> 32) * 0x1p-31f;
}

static float *numbers(struct selftest_side *s, size_t n, float scale)
{
	float *all = malloc(n * sizeof(*all) + 1);

	if (!all) {
		s->err = s->err ? s->err : -ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		all[i] = s->round(number(s) * scale);
	return all;
}

static void store(void *to, const float *from, size_t n, uint32_t dtype)
{
	for (size_t i = 0; i < n; i++) {
		if (dtype == AIF_F32)
			((float *)to)[i] = from[i];
		else
			((uint16_t *)to)[i] = dtype == AIF_BF16 ? aif_to_bf16(from[i]) :
								  aif_to_f16(from[i]);
	}
}

static void load(float *to, const void *from, size_t n, uint32_t dtype)
{
	for (size_t i = 0; i < n; i++) {
		const uint16_t *half = from;

		to[i] = dtype == AIF_F32 ? ((const float *)from)[i] :
			dtype == AIF_BF16 ? aif_from_bf16(half[i]) : aif_from_f16(half[i]);
	}
}

/* Random numbers, as @dtype; @fill false: NaN, for an output. */
static struct aif_tensor matrix(struct selftest_side *s, size_t rows, size_t columns, uint32_t dtype,
				bool fill)
{
	size_t n = rows * columns;
	float *values = numbers(s, fill ? n : 0, 1);
	void *stored = malloc(n * sizeof(float) + 1);
	struct aif_mem *mem = NULL;

	if (stored && values) {
		memset(stored, 0xff, n * sizeof(float));
		store(stored, values, fill ? n : 0, dtype);
		mem = make(s, stored, n * aif_dtype_bytes(dtype));
	}
	free(values);
	free(stored);
	return aif_tensor2(mem, 0, dtype, rows, columns);
}

static struct aif_tensor input(struct selftest_side *s, size_t rows, size_t columns)
{
	return matrix(s, rows, columns, activation(s), true);
}

static struct aif_tensor output(struct selftest_side *s, size_t rows, size_t columns)
{
	return matrix(s, rows, columns, activation(s), false);
}

static struct aif_tensor table(struct selftest_side *s, size_t rows, size_t columns)
{
	return matrix(s, rows, columns, AIF_F32, true);
}

static struct aif_tensor vector(struct selftest_side *s, size_t n)
{
	return aif_tensor1(table(s, 1, n).mem, 0, AIF_F32, n);
}

static struct aif_tensor integers(struct selftest_side *s, const int32_t *values, size_t n)
{
	return aif_tensor1(make(s, values, n * sizeof(*values)), 0, AIF_I32, n);
}

/* What an operator left, as floats. */
static void read_output(struct selftest_side *s, const struct aif_tensor *t, float *to)
{
	size_t n = t->dim[0] * t->dim[1];
	void *stored = malloc(n * sizeof(float));

	if (!stored && !s->err)
		s->err = -ENOMEM;
	if (!s->err)
		s->err = s->be->mem_read(s->stream, t->mem, 0, stored, n * aif_dtype_bytes(t->dtype));
	if (!s->err)
		s->err = s->be->stream_sync(s->stream);
	if (!s->err)
		load(to, stored, n, t->dtype);
	free(stored);
}

/* ---- cases ---- */

/*
 * @form:    of gemm: bit 0 bias, bit 1 GELU, bit 2 residual; of layernorm: bit 2 residual
 * @lengths: of texts, up to a negative one; of an operator of texts
 */
struct selftest_case {
	size_t rows, columns, k;
	unsigned int form, heads;
	int lengths[TEXTS_MAX];
};

/* How many texts; @cu: TEXTS_MAX + 1 offsets of them. */
static size_t offsets(const struct selftest_case *z, int32_t *cu)
{
	size_t n = 0;

	for (cu[0] = 0; n < TEXTS_MAX && z->lengths[n] >= 0; n++)
		cu[n + 1] = cu[n] + z->lengths[n];
	return n;
}

/* What both forms of embed take; ids of @tokens, two of them outside of the vocabulary. */
static struct aif_op_embed embed(struct selftest_side *s, const struct selftest_case *z, int32_t *ids, int32_t *cu)
{
	size_t texts = offsets(z, cu), tokens = cu[texts];

	for (size_t i = 0; i < tokens; i++)
		ids[i] = i == 1 ? -5 : i == 2 ? INT32_MAX : (int32_t)((VOCABULARY - 1) / 2.0 * (1 + number(s)));
	return (struct aif_op_embed){
		.ids = aif_tensor1(NULL, 0, AIF_I32, tokens),
		.cu_seqlens = integers(s, cu, texts + 1),
		.words = table(s, VOCABULARY, z->columns), .positions = table(s, PLACES, z->columns),
		.types = table(s, 2, z->columns), .gamma = vector(s, z->columns),
		.beta = vector(s, z->columns), .eps = 1e-12f, .out = output(s, tokens, z->columns),
	};
}

static void run_embed(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	int32_t ids[IDS_MAX], cu[TEXTS_MAX + 1];
	struct aif_op_embed op = embed(s, z, ids, cu);

	op.ids = integers(s, ids, op.out.dim[0]);
	if (!s->err)
		s->err = s->be->ops->embed(s->stream, &op);
	read_output(s, &op.out, result);
}

/* In the host's memory, of each text apart; the readable operators have them in a row. */
static void run_embed_each(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	struct aif_tensor each[TEXTS_MAX];
	int32_t ids[IDS_MAX], cu[TEXTS_MAX + 1];
	struct aif_op_embed_each op = { .embed = embed(s, z, ids, cu), .ids = each };
	struct aif_mem *mem;
	void *host;

	mem = wrap(s, ids, sizeof(ids), &host);
	for (size_t i = 0; i + 1 < op.embed.cu_seqlens.dim[0]; i++)
		each[i] = aif_tensor1(mem, cu[i] * sizeof(*cu), AIF_I32, cu[i + 1] - cu[i]);
	if (!s->err)
		s->err = s->be->ops->embed_each(s->stream, &op);
	read_output(s, &op.embed.out, result);
}

static void run_layernorm(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	struct aif_op_layernorm op = {
		.x = input(s, z->rows, z->columns), .gamma = vector(s, z->columns),
		.beta = vector(s, z->columns), .eps = 1e-12f, .out = output(s, z->rows, z->columns),
	};

	if (z->form & 4)
		op.residual = input(s, z->rows, z->columns);
	if (!s->err)
		s->err = s->be->ops->layernorm(s->stream, &op);
	read_output(s, &op.out, result);
}

static void run_gemm(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	struct aif_op_gemm op = { .act = z->form & 2 ? AIF_ACT_GELU : AIF_ACT_NONE };
	float *w = numbers(s, z->columns * z->k, 1 / sqrtf(z->k));

	op.x = input(s, z->rows, z->k);
	op.out = output(s, z->rows, z->columns);
	if (z->form & 1)
		op.bias = vector(s, z->columns);
	if (z->form & 4)
		op.residual = input(s, z->rows, z->columns);
	if (!s->err)
		s->err = s->be->weight_create(s->dev, w, z->columns, z->k, &s->weight);
	op.w = s->weight;
	if (!s->err)
		s->err = s->be->ops->gemm(s->stream, &op);
	read_output(s, &op.out, result);
	free(w);
}

static void run_attention(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	int32_t cu[TEXTS_MAX + 1];
	size_t texts = offsets(z, cu);
	struct aif_op_attention op = {
		.qkv = input(s, cu[texts], 3 * z->columns), .cu_seqlens = integers(s, cu, texts + 1),
		.heads = z->heads, .max_seqlen = 512, .scale = 1 / sqrtf(z->columns / z->heads),
		.out = output(s, cu[texts], z->columns),
	};

	if (!s->err)
		s->err = s->be->ops->attention(s->stream, &op);
	read_output(s, &op.out, result);
}

/* Each vector goes to a place of its own in the host's memory. */
static void run_pool(struct selftest_side *s, const struct selftest_case *z, float *result)
{
	int32_t cu[TEXTS_MAX + 1];
	size_t texts = offsets(z, cu), bytes = z->columns * sizeof(float);
	struct aif_tensor out[TEXTS_MAX];
	struct aif_op_pool op = {
		.x = input(s, cu[texts], z->columns), .cu_seqlens = integers(s, cu, texts + 1),
		.out = out,
	};
	void *host;
	struct aif_mem *mem = wrap(s, NULL, texts * (bytes + 4), &host);

	for (size_t i = 0; i < texts; i++)
		out[i] = aif_tensor1(mem, i * (bytes + 4), AIF_F32, z->columns);
	if (!s->err)
		s->err = s->be->ops->pool(s->stream, &op);
	if (!s->err)
		s->err = s->be->stream_sync(s->stream);
	for (size_t i = 0; i < texts && !s->err; i++)
		memcpy(result + i * z->columns, (char *)host + i * (bytes + 4), bytes);
}

#define TEXTS(...) { __VA_ARGS__, -1 }

static const struct selftest_case rows_sizes[] = {
	{ .rows = 1, .columns = 384 }, { .rows = 70, .columns = 384, .form = 4 },
	{ .rows = 5, .columns = 1023 }, { .rows = 3, .columns = 4096, .form = 4 },
};

/* The encoder's shapes, sizes around a tile's, one that gives every processor a wide tile. */
static const struct selftest_case gemm_sizes[] = {
	{ .rows = 1, .columns = 384, .k = 384 }, { .rows = 16, .columns = 1152, .k = 384, .form = 1 },
	{ .rows = 70, .columns = 1536, .k = 384, .form = 3 },
	{ .rows = 33, .columns = 384, .k = 1536, .form = 5 },
	{ .rows = 129, .columns = 66, .k = 200, .form = 7 }, { .rows = 3, .columns = 7, .k = 31 },
	{ .rows = 1500, .columns = 1536, .k = 64, .form = 7 },
};

static const struct selftest_case text_sizes[] = {
	{ .columns = 384, .heads = 12, .lengths = TEXTS(16) },
	{ .columns = 384, .heads = 12, .lengths = TEXTS(1, 17, 0, 64, 3, 130) },
	{ .columns = 256, .heads = 4, .lengths = TEXTS(33, 65) },
	{ .columns = 512, .heads = 4, .lengths = TEXTS(2, 128) },
	{ .columns = 80, .heads = 2, .lengths = TEXTS(20, 31) },
};

const struct selftest_operator selftest_operators[] = {
	{ "embed", run_embed, text_sizes, COUNT(text_sizes), false },
	{ "embed_each", run_embed_each, text_sizes, COUNT(text_sizes), false },
	{ "layernorm", run_layernorm, rows_sizes, COUNT(rows_sizes), false },
	{ "gemm", run_gemm, gemm_sizes, COUNT(gemm_sizes), false },
	{ "attention", run_attention, text_sizes, COUNT(text_sizes), true },
	{ "pool", run_pool, text_sizes, COUNT(text_sizes), false },
	{ 0 },
};

static size_t results(const struct selftest_operator *o, const struct selftest_case *z)
{
	int32_t cu[TEXTS_MAX + 1];
	size_t texts = offsets(z, cu);

	if (o->cases != text_sizes)
		return z->rows * z->columns;
	return (o->run == run_pool ? texts : (size_t)cu[texts]) * z->columns;
}

int selftest_run(struct selftest_side *s, const struct selftest_operator *o, size_t i, float *result,
		 size_t *count)
{
	s->err = 0;
	s->seed = 1;
	o->run(s, &o->cases[i], result);
	end_case(s);
	*count = results(o, &o->cases[i]);
	return s->err;
}

int selftest_open(struct selftest_side *s, const struct aif_backend *be,
		  const struct aif_dev_opts *opts, float (*round)(float))
{
	int err;

	*s = (struct selftest_side){ .be = be, .round = round };
	err = be->dev_open(opts, &s->dev);
	if (err)
		s->dev = NULL;
	return err ? err : be->stream_create(s->dev, NULL, &s->stream);
}

void selftest_close(struct selftest_side *s)
{
	if (!s->dev)
		return;
	s->be->stream_free(s->stream);
	s->be->dev_close(s->dev);
	s->dev = NULL;
}
