// SPDX-License-Identifier: MIT
/* TEST CODE: attention of ragged texts, around every block size, empty ones too. */
#include "tests/cuda/rig.h"

#define LONGEST 130

/* Lengths of texts.  Around every tile's edge, and for blocks of one, two and three warps. */
struct batch {
	uint32_t texts, lengths[10];
};

static const batch edges = { 10, { 0, 1, 15, 16, 17, 63, 64, 65, 128, LONGEST } };
static const batch small = { 8, { 0, 1, 3, 0, 16, 17, 32, 33 } };
static const batch tiny = { 4, { 16, 0, 1, 15 } };
static const batch pair = { 2, { 32, 17 } };

static uint32_t tokens(const batch &b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b.texts; i++)
		n += b.lengths[i];
	return n;
}

static uint32_t longest(const batch &b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b.texts; i++)
		n = b.lengths[i] > n ? b.lengths[i] : n;
	return n;
}

/* One query: @q, @k and @v of one head, rows @stride apart. */
template <typename T>
static void judge_query(const aif_cuda_attention &p, const T *q, const T *k, const T *v,
			size_t length, const T *out)
{
	size_t n = p.head_dim, stride = 3 * p.heads * n;
	double score[LONGEST], most = -INFINITY, total = 0;
	float fscore[LONGEST], fmost = -INFINITY, ftotal = 0;

	for (size_t u = 0; u < length; u++) {
		score[u] = fscore[u] = 0;
		for (size_t j = 0; j < n; j++) {
			score[u] += (double)to_f32(q[j]) * to_f32(k[u * stride + j]);
			fscore[u] += to_f32(q[j]) * to_f32(k[u * stride + j]);
		}
		most = fmax(most, score[u] *= p.scale);
		fmost = fmaxf(fmost, fscore[u] *= p.scale);
	}
	for (size_t u = 0; u < length; u++) {
		total += score[u] = exp(score[u] - most);
		ftotal += fscore[u] = expf(fscore[u] - fmost);
	}
	for (size_t j = 0; j < n; j++) {
		double exact = 0;
		float plain = 0;

		for (size_t u = 0; u < length; u++) {
			exact += score[u] / total * to_f32(v[u * stride + j]);
			plain += fscore[u] / ftotal * to_f32(v[u * stride + j]);
		}
		rig_judge(exact, rig_round(plain, q), to_f32(out[j]));
	}
}

template <typename T>
static void judge(const aif_cuda_attention &p)
{
	size_t hidden = p.heads * p.head_dim;

	for (size_t i = 0; i < p.texts; i++) {
		size_t first = p.cu_seqlens[i], length = p.cu_seqlens[i + 1] - first;

		for (size_t t = first; t < first + length; t++) {
			for (size_t h = 0; h < p.heads; h++) {
				const T *at = (const T *)p.qkv + h * p.head_dim;

				judge_query<T>(p, at + t * 3 * hidden,
					       at + first * 3 * hidden + hidden,
					       at + first * 3 * hidden + 2 * hidden, length,
					       (const T *)p.out + t * hidden + h * p.head_dim);
			}
		}
	}
}

template <typename T>
static aif_cuda_attention make(const batch &b, uint32_t heads, uint32_t dim, float scale)
{
	int32_t *cu = rig_array<int32_t>(b.texts + 1);
	size_t hidden = heads * dim, n = tokens(b);
	aif_cuda_attention p = {
		rig_random_array<T>(n * 3 * hidden, 1), cu, rig_array<T>(n * hidden), scale,
		b.texts, heads, dim, longest(b), 0,
	};

	cu[0] = 0;
	for (uint32_t i = 0; i < b.texts; i++)
		cu[i + 1] = cu[i] + b.lengths[i];
	return p;
}

template <typename T>
static void launch(const aif_cuda_attention &p, uint32_t sm)
{
	aif_cuda_target on = { rig_storage((const T *)p.out), sm, 1, 0 };

	rig_launch(aif_cuda_attention_launch(&p, &on), &p, sizeof(p));
}

template <typename T, uint32_t sm>
static void run(const batch &b, uint32_t heads, uint32_t dim, float scale)
{
	aif_cuda_attention p = make<T>(b, heads, dim, scale);

	launch<T>(p, sm);
	judge<T>(p);
	rig_same(p.out, tokens(b) * heads * dim * sizeof(T));
}

template <typename T>
static void plain()
{
	run<T, 75>(small, 2, 32, 0.18f);
	run<T, 75>(small, 1, 1, 1);
	run<T, 75>(small, 1, 40, 4);
	run<T, 75>(small, 1, 128, 0.09f);
}

/* Heads that fill a kernel's, and shorter ones. */
template <typename T, uint32_t dim, uint32_t shorter>
static void mma()
{
	run<T, 80>(edges, 1, dim, 0.18f);
	run<T, 80>(small, 2, dim, 1);
	run<T, 80>(tiny, 3, dim, 0.18f);
	run<T, 80>(pair, 1, shorter, 4);
	run<T, 80>(small, 2, shorter, -0.18f);
}

/* A text alone, whose blocks have fewer warps, has the same bits. */
template <typename T, uint32_t dim>
static void neighbours()
{
	aif_cuda_attention p = make<T>(edges, 2, dim, 0.3f);
	const T *together = (const T *)p.out;
	size_t hidden = 2 * dim;

	launch<T>(p, 80);
	for (uint32_t i = 0; i < edges.texts; i++) {
		size_t first = p.cu_seqlens[i], n = edges.lengths[i] * hidden;
		batch one = { 1, { edges.lengths[i] } };
		aif_cuda_attention alone = make<T>(one, 2, dim, 0.3f);

		memcpy((void *)alone.qkv, (const T *)p.qkv + first * 3 * hidden, 3 * n * sizeof(T));
		launch<T>(alone, 80);
		if (memcmp(alone.out, together + first * hidden, n * sizeof(T)))
			rig_fail("a text of %u tokens has other bits alone", edges.lengths[i]);
	}
}

/*
 * Scores of minus infinity weigh nothing, though a block of keys has no other; where a
 * text has no other, its softmax is none.
 */
template <typename T, uint32_t sm, uint32_t dim>
static void minus_infinity()
{
	aif_cuda_attention p = make<T>(edges, 1, dim, 1);
	uint32_t end = tokens(edges);
	T *qkv = (T *)p.qkv;

	for (uint32_t t = end - LONGEST; t < end; t++) {
		for (uint32_t j = 0; j < dim; j++)
			from_f32(&qkv[3 * dim * t + j], 1);
		from_f32(&qkv[3 * dim * t + dim], t < end - 1 ? -INFINITY : 0.5f);
	}
	launch<T>(p, sm);
	judge<T>(p);
}

/*
 * In its own text and head a NaN reaches of a query that query's row, of a key all, of a
 * value its column; not the head whose columns end before.
 */
template <typename T, uint32_t sm, uint32_t dim>
static void nan_row()
{
	aif_cuda_attention p = make<T>(pair, 2, dim, 1);
	T *qkv = (T *)p.qkv;

	from_f32(&qkv[2 * 6 * dim + 5], NAN);
	from_f32(&qkv[40 * 6 * dim + 3 * dim], NAN);
	from_f32(&qkv[40 * 6 * dim + 4 * dim + 3], NAN);
	launch<T>(p, sm);
	for (uint32_t i = 0; i < 49 * 2 * dim; i++) {
		uint32_t t = i / (2 * dim), j = i % (2 * dim);
		bool is_reached = t < 32 ? t == 2 && j < dim : j == 3 || j >= dim;

		if (isnan(to_f32(((const T *)p.out)[i])) != is_reached)
			rig_fail("token %u, column %u: %g", t, j, to_f32(((const T *)p.out)[i]));
	}
}

/* f32, older devices and heads that are not aligned do without tensor cores. */
static void choice()
{
	static const struct {
		aif_cuda_storage storage;
		uint32_t sm, dim, longest, threads, blocks;
		const char *kernel;
	} rows[] = {
		{ AIF_CUDA_F32, 90, 32, 128, 128, 8, "attention_f32" },
		{ AIF_CUDA_F16, 75, 32, 128, 128, 8, "attention_f16" },
		{ AIF_CUDA_BF16, 90, 36, 128, 128, 8, "attention_bf16" },
		{ AIF_CUDA_BF16, 80, 32, 128, 128, 2, "attention_mma_32_bf16" },
		{ AIF_CUDA_F16, 90, 8, 65, 128, 2, "attention_mma_32_f16" },
		{ AIF_CUDA_F16, 90, 40, 64, 128, 1, "attention_mma_64_f16" },
		{ AIF_CUDA_BF16, 90, 64, 48, 96, 1, "attention_mma_64_bf16" },
		{ AIF_CUDA_BF16, 120, 72, 17, 64, 1, "attention_mma_128_bf16" },
		{ AIF_CUDA_F16, 100, 128, 16, 32, 1, "attention_mma_128_f16" },
		{ AIF_CUDA_F16, 100, 128, 0, 0, 0, "attention_mma_128_f16" },
	};

	for (const auto &r : rows) {
		aif_cuda_attention p = { nullptr, nullptr, nullptr, 1, 3, 2, r.dim, r.longest, 0 };
		aif_cuda_target on = { r.storage, r.sm, 132, 0 };
		aif_cuda_launch l = aif_cuda_attention_launch(&p, &on);

		if (strcmp(l.kernel, r.kernel) || l.threads != r.threads || l.grid[1] != r.blocks ||
		    l.grid[0] != 2 || l.grid[2] != 3 || l.shared > 48 << 10)
			rig_fail("%u x %u on sm_%u: %u x %u threads of %s", r.longest, r.dim, r.sm,
				 l.grid[1], l.threads, l.kernel);
	}
}

const rig_test rig_tests[] = {
	{ "attention_f32 heads and lengths", plain<float> },
	{ "attention_bf16 heads and lengths", plain<bf16> },
	{ "attention_f16 heads and lengths", plain<f16> },
	{ "attention_f32 minus infinity", minus_infinity<float, 75, 4> },
	{ "attention_f16 minus infinity", minus_infinity<f16, 75, 4> },
	{ "attention_f32 NaN", nan_row<float, 75, 8> },
	{ "attention: which kernel", choice },
	{ "attention_mma_32_bf16 lengths", mma<bf16, 32, 24>, "attention_mma_32_bf16" },
	{ "attention_mma_32_f16 lengths", mma<f16, 32, 8>, "attention_mma_32_f16" },
	{ "attention_mma_64_bf16 lengths", mma<bf16, 64, 48>, "attention_mma_64_bf16" },
	{ "attention_mma_64_f16 lengths", mma<f16, 64, 40>, "attention_mma_64_f16" },
	{ "attention_mma_128_bf16 lengths", mma<bf16, 128, 96>, "attention_mma_128_bf16" },
	{ "attention_mma_128_f16 lengths", mma<f16, 128, 80>, "attention_mma_128_f16" },
	{ "attention_mma_32_f16 neighbours", neighbours<f16, 32>, "attention_mma_32_f16" },
	{ "attention_mma_128_bf16 neighbours", neighbours<bf16, 128>, "attention_mma_128_bf16" },
	{ "attention_mma_32_bf16 minus infinity", minus_infinity<bf16, 80, 32>, "attention_mma_32_bf16" },
	{ "attention_mma_128_f16 minus infinity", minus_infinity<f16, 80, 128>, "attention_mma_128_f16" },
	{ "attention_mma_32_f16 NaN", nan_row<f16, 80, 24>, "attention_mma_32_f16" },
	{ "attention_mma_64_bf16 NaN", nan_row<bf16, 80, 64>, "attention_mma_64_bf16" },
	{ nullptr, nullptr },
};
