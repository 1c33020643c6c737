// SPDX-License-Identifier: MIT
/*
 * Each operator of each implementation against the definition in aif_ops.h,
 * written again here in double.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/cpu/team.h"
#include "tests/unit/kernels/rig.h"

/* A machine without this implementation: rig_setup() has said so. */
#define NEEDS_STREAM(r)			\
	do {				\
		if (!(r)->stream)	\
			skip();		\
	} while (0)

/* Lengths around every block size of every implementation, and empty texts. */
static const int32_t ragged[] = { 0, 0, 1, 3, 3, 10, 18, 33, 49, 66, 113, 161, 210, 306, 306 };
#define RAGGED_TEXTS (COUNT(ragged) - 1)
#define RAGGED_TOKENS 306

static void layernorm_exact(double *out, const double *v, const float *gamma, const float *beta,
			    double eps, size_t n)
{
	double mean = 0, var = 0;

	for (size_t j = 0; j < n; j++)
		mean += v[j] / n;
	for (size_t j = 0; j < n; j++)
		var += (v[j] - mean) * (v[j] - mean) / n;
	for (size_t j = 0; j < n; j++)
		out[j] = (v[j] - mean) / sqrt(var + eps) * gamma[j] + beta[j];
}

static void layernorm_plain(float *out, const float *v, const float *gamma, const float *beta,
			    float eps, size_t n)
{
	float mean = 0, var = 0;

	for (size_t j = 0; j < n; j++)
		mean += v[j];
	mean /= n;
	for (size_t j = 0; j < n; j++)
		var += (v[j] - mean) * (v[j] - mean);
	var /= n;
	for (size_t j = 0; j < n; j++)
		out[j] = (v[j] - mean) / sqrtf(var + eps) * gamma[j] + beta[j];
}

/* One row of out = LayerNorm(a + b + c), c and b optional. */
static void judge_layernorm(struct judge *judge, const float *a, const float *b, const float *c,
			    const float *gamma, const float *beta, float eps, size_t n,
			    const float *got)
{
	double v[n], exact[n];
	float w[n], plain[n];

	for (size_t j = 0; j < n; j++) {
		v[j] = (double)a[j] + (b ? b[j] : 0) + (c ? c[j] : 0);
		w[j] = a[j] + (b ? b[j] : 0) + (c ? c[j] : 0);
	}
	layernorm_exact(exact, v, gamma, beta, eps, n);
	layernorm_plain(plain, w, gamma, beta, eps, n);
	for (size_t j = 0; j < n; j++)
		judge_value(judge, exact[j], plain[j], got[j]);
}

static void test_layernorm_shapes(void **state)
{
	static const size_t widths[] = { 2, 3, 15, 16, 17, 31, 48, 100, 384, 385 };
	static const size_t rows[] = { 0, 1, 2, 7, 16, 33 };
	struct rig *r = *state;
	struct judge judge = { 0 };

	NEEDS_STREAM(r);
	for (size_t i = 0; i < COUNT(widths) * COUNT(rows) * 2; i++) {
		size_t n = widths[i / 2 % COUNT(widths)], m = rows[i / 2 / COUNT(widths)];
		struct aif_op_layernorm op = {
			.x = rig_random_f32(r, m, n, 3), .gamma = rig_random_vector(r, n, 1),
			.beta = rig_random_vector(r, n, 1), .eps = 1e-12f, .out = rig_f32(r, m, n),
		};

		if (i % 2)
			op.residual = rig_random_f32(r, m, n, 3);
		assert_int_equal(r->be->ops->layernorm(r->stream, &op), 0);
		for (size_t k = 0; k < m; k++)
			judge_layernorm(&judge, floats(&op.x) + k * n,
					i % 2 ? floats(&op.residual) + k * n : NULL, NULL,
					floats(&op.gamma), floats(&op.beta), op.eps, n,
					floats(&op.out) + k * n);
		rig_reset(r);
	}
	judge_verdict(&judge, r, "layernorm");
}

/* Writing over either input gives the bits that a separate output gets. */
static void test_layernorm_in_place(void **state)
{
	struct rig *r = *state;
	size_t m = 19, n = 50, bytes = m * n * sizeof(float);
	float first[m * n];

	NEEDS_STREAM(r);
	for (int where = 0; where < 3; where++) {
		struct aif_op_layernorm op;

		r->seed = 7;
		op = (struct aif_op_layernorm){
			.x = rig_random_f32(r, m, n, 1), .residual = rig_random_f32(r, m, n, 1),
			.gamma = rig_random_vector(r, n, 1), .beta = rig_random_vector(r, n, 1),
			.eps = 1e-5f, .out = rig_f32(r, m, n),
		};
		if (where)
			op.out = where == 1 ? op.x : op.residual;
		assert_int_equal(r->be->ops->layernorm(r->stream, &op), 0);
		if (!where)
			memcpy(first, floats(&op.out), bytes);
		assert_memory_equal(first, floats(&op.out), bytes);
	}
}

/* Without variance only beta is left, whatever eps is; a NaN spoils its own row only. */
static void test_layernorm_constant_and_nan(void **state)
{
	struct rig *r = *state;
	size_t n = 21;
	struct aif_op_layernorm op;

	NEEDS_STREAM(r);
	op = (struct aif_op_layernorm){
		.x = rig_f32(r, 3, n), .gamma = rig_random_vector(r, n, 1),
		.beta = rig_random_vector(r, n, 1), .eps = 1e-12f, .out = rig_f32(r, 3, n),
	};
	for (size_t j = 0; j < 3 * n; j++)
		floats(&op.x)[j] = 0.5f;
	floats(&op.x)[n + 20] = NAN;
	assert_int_equal(r->be->ops->layernorm(r->stream, &op), 0);
	for (size_t j = 0; j < n; j++) {
		assert_true(floats(&op.out)[j] == floats(&op.beta)[j]);
		assert_true(isnan(floats(&op.out)[n + j]));
		assert_true(floats(&op.out)[2 * n + j] == floats(&op.beta)[j]);
	}
}

static struct aif_op_embed embed_op(struct rig *r, const int32_t *ids, const int32_t *cu,
				    size_t texts, size_t vocab, size_t places, size_t n)
{
	size_t tokens = cu[texts];

	return (struct aif_op_embed){
		.ids = rig_i32(r, ids, tokens), .cu_seqlens = rig_i32(r, cu, texts + 1),
		.words = rig_random_f32(r, vocab, n, 1),
		.positions = rig_random_f32(r, places, n, 1), .types = rig_random_f32(r, 2, n, 1),
		.gamma = rig_random_vector(r, n, 1), .beta = rig_random_vector(r, n, 1),
		.eps = 1e-12f, .out = rig_f32(r, tokens, n),
	};
}

static size_t clamp(int64_t v, size_t count)
{
	if (v < 0)
		return 0;
	return (size_t)v < count ? (size_t)v : count - 1;
}

static void judge_embed(struct judge *judge, const struct aif_op_embed *op)
{
	size_t n = op->out.dim[1], texts = op->cu_seqlens.dim[0] - 1;
	const int32_t *cu = ints(&op->cu_seqlens);

	for (size_t i = 0; i < texts; i++) {
		for (int32_t t = cu[i]; t < cu[i + 1]; t++) {
			size_t id = clamp(ints(&op->ids)[t], op->words.dim[0]);
			size_t place = clamp(t - cu[i], op->positions.dim[0]);

			judge_layernorm(judge, floats(&op->words) + id * n,
					floats(&op->positions) + place * n, floats(&op->types),
					floats(&op->gamma), floats(&op->beta), op->eps, n,
					floats(&op->out) + t * n);
		}
	}
}

/* Ids of every kind of wrong; texts longer than there are positions. */
static void test_embed_clamps(void **state)
{
	static const int32_t odd[] = { 0, 1, 9, 10, -1, INT32_MIN, INT32_MAX, 1000, 5 };
	static const size_t widths[] = { 1, 5, 16, 33, 384 };
	struct rig *r = *state;
	struct judge judge = { 0 };
	int32_t ids[RAGGED_TOKENS];

	NEEDS_STREAM(r);
	for (size_t t = 0; t < RAGGED_TOKENS; t++)
		ids[t] = odd[t % COUNT(odd)];
	for (size_t i = 1; i < COUNT(widths); i++) {
		struct aif_op_embed op = embed_op(r, ids, ragged, RAGGED_TEXTS, 10, 40, widths[i]);

		assert_int_equal(r->be->ops->embed(r->stream, &op), 0);
		judge_embed(&judge, &op);
		rig_reset(r);
	}
	judge_verdict(&judge, r, "embed");
}

/* Each text's ids in memory of their own: as if they lay together; and what is refused. */
static void test_embed_each(void **state)
{
	enum { WIDTH = 33, VOCAB = 10 };
	struct rig *r = *state;
	int32_t ids[RAGGED_TOKENS];
	float want[RAGGED_TOKENS * WIDTH];
	struct aif_tensor each[RAGGED_TEXTS];
	struct aif_op_embed_each op;
	struct aif_op_embed embed;
	size_t some = 0;

	NEEDS_STREAM(r);
	for (size_t t = 0; t < RAGGED_TOKENS; t++)
		ids[t] = (int32_t)(t * 5 % 14) - 2;
	embed = embed_op(r, ids, ragged, RAGGED_TEXTS, VOCAB, 40, WIDTH);
	assert_int_equal(r->be->ops->embed(r->stream, &embed), 0);
	memcpy(want, floats(&embed.out), sizeof(want));
	for (size_t i = 0; i < RAGGED_TEXTS; i++)
		each[i] = rig_i32(r, ids + ragged[i], ragged[i + 1] - ragged[i]);
	embed.out = rig_f32(r, RAGGED_TOKENS, WIDTH);
	op = (struct aif_op_embed_each){ .embed = embed, .ids = each };
	op.embed.ids = (struct aif_tensor){ 0 };
	assert_int_equal(r->be->ops->embed_each(r->stream, &op), 0);
	assert_memory_equal(floats(&embed.out), want, sizeof(want));
	while (!each[some].dim[0])
		some++;
	each[some].dim[0]--;
	assert_int_equal(r->be->ops->embed_each(r->stream, &op), -EINVAL);
	each[some].dim[0] += 2;
	assert_true(r->be->ops->embed_each(r->stream, &op) < 0);
	each[some] = embed.out;
	assert_int_equal(r->be->ops->embed_each(r->stream, &op), -EINVAL);
}

struct flipper {
	int32_t *ids;
	size_t count;
	atomic_bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;

	for (int32_t v = 0; !atomic_load(&f->stop); v = !v)
		for (size_t t = 0; t < f->count; t++)
			__atomic_store_n(&f->ids[t], v ? INT32_MAX : 3, __ATOMIC_RELAXED);
	return NULL;
}

/* Another process writes the ids meanwhile: each row is one of the two, never a mixture. */
static void test_embed_ids_change(void **state)
{
	enum { TOKENS = 64, WIDTH = 40, VOCAB = 8 };
	static const int32_t cu[] = { 0, TOKENS }, ids[TOKENS];
	struct rig *r = *state;
	struct flipper f = { .count = TOKENS };
	struct aif_op_embed op;
	float want[2][TOKENS * WIDTH];
	pthread_t thread;

	NEEDS_STREAM(r);
	op = embed_op(r, ids, cu, 1, VOCAB, TOKENS, WIDTH);
	f.ids = ints(&op.ids);
	for (int v = 0; v < 2; v++) {
		for (size_t t = 0; t < TOKENS; t++)
			f.ids[t] = v ? INT32_MAX : 3;
		assert_int_equal(r->be->ops->embed(r->stream, &op), 0);
		memcpy(want[v], floats(&op.out), sizeof(want[v]));
	}
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (int round = 0; round < 200; round++) {
		assert_int_equal(r->be->ops->embed(r->stream, &op), 0);
		for (size_t at = 0; at < TOKENS * WIDTH; at += WIDTH)
			assert_true(!memcmp(floats(&op.out) + at, want[0] + at, WIDTH * 4) ||
				    !memcmp(floats(&op.out) + at, want[1] + at, WIDTH * 4));
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
}

static double gelu_exact(double v)
{
	return v * erfc(-v * M_SQRT1_2) / 2;
}

static float gelu_plain(float v)
{
	return v * (1 + erff(v * (float)M_SQRT1_2)) / 2;
}

static void judge_gemm(struct judge *judge, const struct aif_op_gemm *op, const float *w)
{
	size_t m = op->x.dim[0], k = op->x.dim[1], n = op->out.dim[1];

	for (size_t i = 0; i < m * n; i++) {
		const float *x = floats(&op->x) + i / n * k, *y = w + i % n * k;
		double exact = op->bias.mem ? floats(&op->bias)[i % n] : 0;
		float plain = exact;

		for (size_t l = 0; l < k; l++) {
			exact += (double)x[l] * y[l];
			plain += x[l] * y[l];
		}
		if (op->act == AIF_ACT_GELU) {
			exact = gelu_exact(exact);
			plain = gelu_plain(plain);
		}
		if (op->residual.mem) {
			exact += floats(&op->residual)[i];
			plain += floats(&op->residual)[i];
		}
		judge_value(judge, exact, plain, floats(&op->out)[i]);
	}
}

/* @form: bit 0 bias, bit 1 GELU, bit 2 residual. */
static void run_gemm(struct rig *r, struct judge *judge, size_t m, size_t n, size_t k, int form)
{
	struct aif_tensor w = rig_random_f32(r, n, k, 1);
	struct aif_weight *weight = rig_weight(r, &w);
	struct aif_op_gemm op = {
		.x = rig_random_f32(r, m, k, 1), .w = weight,
		.act = form & 2 ? AIF_ACT_GELU : AIF_ACT_NONE, .out = rig_f32(r, m, n),
	};

	if (form & 1)
		op.bias = rig_random_vector(r, n, 1);
	if (form & 4)
		op.residual = rig_random_f32(r, m, n, 1);
	assert_int_equal(r->be->ops->gemm(r->stream, &op), 0);
	judge_gemm(judge, &op, floats(&w));
	r->be->weight_free(weight);
	rig_reset(r);
}

static void test_gemm_shapes(void **state)
{
	static const size_t ms[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 33 };
	static const size_t ns[] = { 1, 2, 7, 8, 15, 16, 17, 47, 48, 49, 100 };
	static const size_t ks[] = { 1, 2, 3, 16, 31, 100 };
	struct rig *r = *state;
	struct judge judge = { 0 };
	int form = 0;

	NEEDS_STREAM(r);
	for (size_t a = 0; a < COUNT(ms); a++)
		for (size_t b = 0; b < COUNT(ns); b++)
			for (size_t c = 0; c < COUNT(ks); c++)
				run_gemm(r, &judge, ms[a], ns[b], ks[c], form++ % 8);
	judge_verdict(&judge, r, "gemm, odd shapes");
}

/* The encoder's own shapes, more rows than one block, and each form. */
static void test_gemm_encoder(void **state)
{
	static const struct { size_t m, n, k; } shapes[] = {
		{ 13, 1152, 384 }, { 13, 384, 384 }, { 13, 1536, 384 }, { 13, 384, 1536 },
		{ 200, 40, 384 }, { 50, 40, 1536 }, { 9, 24, 70000 },
	};
	struct rig *r = *state;

	NEEDS_STREAM(r);
	for (int form = 0; form < 8; form++) {
		struct judge judge = { 0 };
		char what[32];

		for (size_t i = form % 2; i < COUNT(shapes); i += 2)
			run_gemm(r, &judge, shapes[i].m, shapes[i].n, shapes[i].k, form);
		snprintf(what, sizeof(what), "gemm, form %d", form);
		judge_verdict(&judge, r, what);
	}
}

/* GELU alone over its whole range: error as the header promises, NaN and infinity kept. */
static void test_gemm_gelu(void **state)
{
	enum { STEPS = 40001 };
	static const float odd[] = { NAN, INFINITY, -0.0f, 1e30f, -1e30f, 1e-30f, -1e-30f };
	struct rig *r = *state;
	struct aif_tensor w;
	struct aif_weight *weight;
	struct aif_op_gemm op;
	double worst = 0;
	float *out;

	NEEDS_STREAM(r);
	w = rig_f32(r, 1, 1);
	floats(&w)[0] = 1;
	weight = rig_weight(r, &w);
	op = (struct aif_op_gemm){
		.x = rig_f32(r, STEPS + COUNT(odd), 1), .w = weight, .act = AIF_ACT_GELU,
		.out = rig_f32(r, STEPS + COUNT(odd), 1),
	};
	for (int i = 0; i < STEPS; i++)
		floats(&op.x)[i] = (i - STEPS / 2) * 1e-3f;
	memcpy(floats(&op.x) + STEPS, odd, sizeof(odd));
	assert_int_equal(r->be->ops->gemm(r->stream, &op), 0);
	out = floats(&op.out);
	for (int i = 0; i < STEPS; i++) {
		float v = floats(&op.x)[i];

		worst = fmax(worst, fabs(out[i] - gelu_exact(v)) / fmax(1, fabs(v)));
	}
	print_message("# gelu, %s: error %.1e\n", r->be->dev_describe(r->dev), worst);
	assert_true(worst <= 1.2e-7);
	assert_true(isnan(out[STEPS]));
	assert_true(isinf(out[STEPS + 1]) && out[STEPS + 1] > 0);
	assert_true(out[STEPS + 2] == 0);
	assert_true(out[STEPS + 3] == 1e30f);
	assert_true(out[STEPS + 4] == 0);
	assert_true(fabsf(out[STEPS + 5]) <= 1e-30f && fabsf(out[STEPS + 6]) <= 1e-30f);
	r->be->weight_free(weight);
}

/* A NaN or infinity in a row reaches its whole row and no other. */
static void test_gemm_nan(void **state)
{
	enum { M = 11, N = 50, K = 20 };
	struct rig *r = *state;
	struct aif_tensor w;
	struct aif_weight *weight;
	struct aif_op_gemm op;

	NEEDS_STREAM(r);
	w = rig_random_f32(r, N, K, 1);
	weight = rig_weight(r, &w);
	op = (struct aif_op_gemm){ .x = rig_random_f32(r, M, K, 1), .w = weight,
				   .out = rig_f32(r, M, N) };
	floats(&op.x)[3 * K + 19] = NAN;
	floats(&op.x)[9 * K] = INFINITY;
	assert_int_equal(r->be->ops->gemm(r->stream, &op), 0);
	for (size_t i = 0; i < M * N; i++)
		assert_int_equal(!isfinite(floats(&op.out)[i]), i / N == 3 || i / N == 9);
	r->be->weight_free(weight);
}

/* One token of one head, in double and as the plain loop. */
static void judge_token(struct judge *judge, const struct aif_op_attention *op, size_t first,
			size_t len, size_t token, size_t head)
{
	size_t hidden = op->out.dim[1], dim = hidden / op->heads, at = head * dim;
	const float *text = floats(&op->qkv) + first * 3 * hidden;
	const float *q = text + token * 3 * hidden + at;
	double p[len], max = -INFINITY, total = 0;
	float fp[len], fmax_ = -INFINITY, ftotal = 0;

	for (size_t u = 0; u < len; u++) {
		p[u] = fp[u] = 0;
		for (size_t j = 0; j < dim; j++) {
			p[u] += (double)q[j] * text[u * 3 * hidden + hidden + at + j];
			fp[u] += q[j] * text[u * 3 * hidden + hidden + at + j];
		}
		p[u] *= op->scale;
		fp[u] *= op->scale;
		max = fmax(max, p[u]);
		fmax_ = fmaxf(fmax_, fp[u]);
	}
	for (size_t u = 0; u < len; u++) {
		total += p[u] = exp(p[u] - max);
		ftotal += fp[u] = expf(fp[u] - fmax_);
	}
	for (size_t j = 0; j < dim; j++) {
		const float *v = text + 2 * hidden + at + j;
		double exact = 0;
		float plain = 0;

		for (size_t u = 0; u < len; u++) {
			exact += p[u] / total * v[u * 3 * hidden];
			plain += fp[u] / ftotal * v[u * 3 * hidden];
		}
		judge_value(judge, exact, plain,
			    floats(&op->out)[(first + token) * hidden + at + j]);
	}
}

static struct aif_op_attention attention_op(struct rig *r, size_t heads, size_t dim, float range)
{
	return (struct aif_op_attention){
		.qkv = rig_random_f32(r, RAGGED_TOKENS, 3 * heads * dim, range),
		.cu_seqlens = rig_i32(r, ragged, COUNT(ragged)), .heads = heads,
		.max_seqlen = 96, .scale = 1 / sqrtf(dim),
		.out = rig_f32(r, RAGGED_TOKENS, heads * dim),
	};
}

static void run_attention(struct rig *r, struct judge *judge, size_t heads, size_t dim, float range)
{
	struct aif_op_attention op = attention_op(r, heads, dim, range);

	assert_int_equal(r->be->ops->attention(r->stream, &op), 0);
	for (size_t i = 0; i < RAGGED_TEXTS; i++)
		for (int32_t t = ragged[i]; t < ragged[i + 1]; t++)
			for (size_t h = 0; h < heads; h++)
				judge_token(judge, &op, ragged[i], ragged[i + 1] - ragged[i],
					    t - ragged[i], h);
	rig_reset(r);
}

static void test_attention_shapes(void **state)
{
	static const struct { size_t heads, dim; } shapes[] = {
		{ 1, 1 }, { 3, 4 }, { 2, 8 }, { 1, 15 }, { 2, 16 }, { 1, 17 },
		{ 12, 32 }, { 1, 33 }, { 2, 48 }, { 1, 64 }, { 1, 100 }, { 1, 128 },
	};
	struct rig *r = *state;
	struct judge judge = { 0 }, sharp = { 0 };

	NEEDS_STREAM(r);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		run_attention(r, &judge, shapes[i].heads, shapes[i].dim, 1);
		run_attention(r, &sharp, shapes[i].heads, shapes[i].dim, 6);
	}
	judge_verdict(&judge, r, "attention");
	judge_verdict(&sharp, r, "attention, large scores");
}

/* Scores beyond what exp can take: the largest wins, nothing overflows. */
static void test_attention_extremes(void **state)
{
	static const int32_t cu[] = { 0, 3 };
	struct rig *r = *state;
	struct aif_op_attention op;
	float *qkv, *out;

	NEEDS_STREAM(r);
	op = (struct aif_op_attention){
		.qkv = rig_f32(r, 3, 3), .cu_seqlens = rig_i32(r, cu, 2), .heads = 1,
		.max_seqlen = 3, .scale = 1, .out = rig_f32(r, 3, 1),
	};
	qkv = floats(&op.qkv);
	out = floats(&op.out);
	for (int t = 0; t < 3; t++) {
		qkv[3 * t] = t == 0 ? 1e4f : -1e4f;
		qkv[3 * t + 1] = t == 1 ? 1e4f : -1e4f;
		qkv[3 * t + 2] = t;
	}
	assert_int_equal(r->be->ops->attention(r->stream, &op), 0);
	assert_true(out[0] == 1);
	assert_true(out[1] == 1 && out[2] == 1);
	qkv[4] = NAN;
	assert_int_equal(r->be->ops->attention(r->stream, &op), 0);
	assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
}

/* NaN in one text's values stays in that text. */
static void test_attention_nan(void **state)
{
	struct rig *r = *state;
	struct aif_op_attention op;
	size_t hidden = 24;

	NEEDS_STREAM(r);
	op = attention_op(r, 2, 12, 1);
	floats(&op.qkv)[20 * 3 * hidden + 2 * hidden + 3] = NAN;
	assert_int_equal(r->be->ops->attention(r->stream, &op), 0);
	for (size_t t = 0; t < RAGGED_TOKENS; t++)
		assert_int_equal(isnan(floats(&op.out)[t * hidden + 3]), t >= 18 && t < 33);
}

static void judge_pool(struct judge *judge, const float *x, size_t len, size_t n, const float *got)
{
	double mean[n], norm = 0;
	float plain[n], fnorm = 0;

	for (size_t j = 0; j < n; j++) {
		mean[j] = plain[j] = 0;
		for (size_t t = 0; t < len; t++) {
			mean[j] += x[t * n + j];
			plain[j] += x[t * n + j];
		}
		mean[j] /= len ? len : 1;
		plain[j] /= len ? len : 1;
		norm += mean[j] * mean[j];
		fnorm += plain[j] * plain[j];
	}
	norm = fmax(sqrt(norm), 1e-12);
	fnorm = fmaxf(sqrtf(fnorm), 1e-12f);
	for (size_t j = 0; j < n; j++)
		judge_value(judge, mean[j] / norm, plain[j] / fnorm, got[j]);
}

static void test_pool_shapes(void **state)
{
	static const size_t widths[] = { 1, 3, 16, 17, 63, 64, 65, 100, 384 };
	struct rig *r = *state;
	struct judge judge = { 0 };

	NEEDS_STREAM(r);
	for (size_t i = 0; i < COUNT(widths); i++) {
		size_t n = widths[i];
		struct aif_tensor out[RAGGED_TEXTS];
		struct aif_op_pool op = {
			.x = rig_random_f32(r, RAGGED_TOKENS, n, 1),
			.cu_seqlens = rig_i32(r, ragged, COUNT(ragged)), .out = out,
		};

		for (size_t k = 0; k < RAGGED_TEXTS; k++) {
			out[k] = rig_vector(r, n);
			floats(&out[k])[0] = 99;
		}
		assert_int_equal(r->be->ops->pool(r->stream, &op), 0);
		for (size_t k = 0; k < RAGGED_TEXTS; k++)
			judge_pool(&judge, floats(&op.x) + ragged[k] * n,
				   ragged[k + 1] - ragged[k], n, floats(&out[k]));
		rig_reset(r);
	}
	judge_verdict(&judge, r, "pool");
}

static void test_pool_zero_and_nan(void **state)
{
	static const int32_t cu[] = { 0, 2, 4, 4 };
	struct rig *r = *state;
	struct aif_tensor out[3];
	struct aif_op_pool op;
	size_t n = 20;

	NEEDS_STREAM(r);
	op = (struct aif_op_pool){ .x = rig_f32(r, 4, n), .cu_seqlens = rig_i32(r, cu, 4),
				   .out = out };
	for (int i = 0; i < 3; i++)
		out[i] = rig_random_vector(r, n, 1);
	floats(&op.x)[3 * n] = NAN;
	assert_int_equal(r->be->ops->pool(r->stream, &op), 0);
	for (size_t j = 0; j < n; j++) {
		assert_true(floats(&out[0])[j] == 0);
		assert_true(isnan(floats(&out[1])[j]));
		assert_true(floats(&out[2])[j] == 0);
	}
}

/* All operators in a row, over the ragged batch's texts from @from up to @to. */
static void run_layer(struct rig *r, struct aif_stream *s, size_t from, size_t to, float *out)
{
	enum { WIDTH = 36, HEADS = 3 };
	size_t texts = to - from, tokens = ragged[to] - ragged[from];
	int32_t cu[COUNT(ragged)], ids[RAGGED_TOKENS];
	struct aif_tensor w, hidden, qkv, mixed, vectors[RAGGED_TEXTS];
	struct aif_op_embed embed;
	struct aif_weight *weight;

	for (size_t i = 0; i <= texts; i++)
		cu[i] = ragged[from + i] - ragged[from];
	for (size_t t = 0; t < tokens; t++)
		ids[t] = (ragged[from] + t) * 7 % 50;
	r->seed = 3;
	embed = embed_op(r, ids, cu, texts, 50, 96, WIDTH);
	w = rig_random_f32(r, 3 * WIDTH, WIDTH, 1);
	weight = rig_weight(r, &w);
	hidden = embed.out;
	qkv = rig_f32(r, tokens, 3 * WIDTH);
	mixed = rig_f32(r, tokens, WIDTH);
	for (size_t i = 0; i < texts; i++)
		vectors[i] = rig_vector(r, WIDTH);
	assert_int_equal(r->be->ops->embed(s, &embed), 0);
	assert_int_equal(r->be->ops->gemm(s, &(struct aif_op_gemm){
		.x = hidden, .w = weight, .act = AIF_ACT_GELU, .out = qkv }), 0);
	assert_int_equal(r->be->ops->attention(s, &(struct aif_op_attention){
		.qkv = qkv, .cu_seqlens = embed.cu_seqlens, .heads = HEADS, .max_seqlen = 96,
		.scale = 0.3f, .out = mixed }), 0);
	assert_int_equal(r->be->ops->layernorm(s, &(struct aif_op_layernorm){
		.x = mixed, .residual = hidden, .gamma = embed.gamma, .beta = embed.beta,
		.eps = 1e-12f, .out = mixed }), 0);
	assert_int_equal(r->be->ops->pool(s, &(struct aif_op_pool){
		.x = mixed, .cu_seqlens = embed.cu_seqlens, .out = vectors }), 0);
	for (size_t i = 0; i < texts; i++)
		memcpy(out + i * WIDTH, floats(&vectors[i]), WIDTH * sizeof(float));
	r->be->weight_free(weight);
	rig_reset(r);
}

#define LAYER_WIDTH 36

/* A text alone, and as one of many, to the bit. */
static void test_result_independent_of_batch(void **state)
{
	struct rig *r = *state;
	float all[RAGGED_TEXTS * LAYER_WIDTH], one[LAYER_WIDTH];

	NEEDS_STREAM(r);
	run_layer(r, r->stream, 0, RAGGED_TEXTS, all);
	for (size_t i = 0; i < RAGGED_TEXTS; i++) {
		run_layer(r, r->stream, i, i + 1, one);
		assert_memory_equal(one, all + i * LAYER_WIDTH, sizeof(one));
	}
}

/* One thread or five, to the bit. */
static void test_result_independent_of_threads(void **state)
{
	struct rig *r = *state;
	struct aif_stream s;
	float first[RAGGED_TEXTS * LAYER_WIDTH], next[RAGGED_TEXTS * LAYER_WIDTH];

	NEEDS_STREAM(r);
	for (unsigned int threads = 1; threads <= 5; threads += 2) {
		s = *r->stream;
		assert_int_equal(aif_team_create(threads, s.host->attention_scratch(s.max_seqlen,
					s.max_head_dim), &s.team), 0);
		run_layer(r, &s, 0, RAGGED_TEXTS, threads == 1 ? first : next);
		aif_team_free(s.team);
		if (threads > 1)
			assert_memory_equal(first, next, sizeof(first));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_ALL(test_layernorm_shapes),
		FOR_ALL(test_layernorm_in_place),
		FOR_ALL(test_layernorm_constant_and_nan),
		FOR_ALL(test_embed_clamps),
		FOR_ALL(test_embed_ids_change),
		FOR_ALL(test_embed_each),
		FOR_ALL(test_gemm_shapes),
		FOR_ALL(test_gemm_encoder),
		FOR_ALL(test_gemm_gelu),
		FOR_ALL(test_gemm_nan),
		FOR_ALL(test_attention_shapes),
		FOR_ALL(test_attention_extremes),
		FOR_ALL(test_attention_nan),
		FOR_ALL(test_pool_shapes),
		FOR_ALL(test_pool_zero_and_nan),
		FOR_ALL(test_result_independent_of_batch),
		FOR_FAST(test_result_independent_of_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
