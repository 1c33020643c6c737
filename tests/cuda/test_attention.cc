// SPDX-License-Identifier: MIT
/* TEST CODE: attention of ragged texts, around every block size, empty ones too. */
#include "tests/cuda/rig.h"

static const int32_t lengths[] = { 0, 0, 1, 4, 4, 20, 37, 69, 102 };
#define TEXTS (COUNT(lengths) - 1)
#define TOKENS 102
#define LONGEST 33

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

	for (size_t i = 0; i < TEXTS; i++) {
		size_t first = lengths[i], length = lengths[i + 1] - first;

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
static aif_cuda_attention make(uint32_t heads, uint32_t dim, float scale)
{
	int32_t *cu = rig_array<int32_t>(TEXTS + 1);
	size_t hidden = heads * dim;
	aif_cuda_attention p = {
		rig_random_array<T>(TOKENS * 3 * hidden, 1), cu, rig_array<T>(TOKENS * hidden),
		scale, TEXTS, heads, dim, aif_cuda_tiles(LONGEST, AIF_CUDA_ATTENTION_QUERIES),
	};

	memcpy(cu, lengths, sizeof(lengths));
	return p;
}

template <typename T>
static void launch(const aif_cuda_attention &p)
{
	rig_launch(aif_cuda_attention_launch(&p, rig_storage((const T *)p.out)),
		   &p, sizeof(p));
	judge<T>(p);
}

template <typename T>
static void run(uint32_t heads, uint32_t dim, float scale)
{
	aif_cuda_attention p = make<T>(heads, dim, scale);

	launch<T>(p);
	rig_same(p.out, TOKENS * heads * dim * sizeof(T));
}

template <typename T>
static void heads()
{
	run<T>(2, 32, 0.18f);
	run<T>(1, 1, 1);
	run<T>(1, 40, 4);
	run<T>(1, 128, 0.09f);
}

/*
 * Scores of minus infinity weigh nothing, though a block of keys has no other; where a
 * text has no other, its softmax is none.
 */
template <typename T>
static void minus_infinity()
{
	aif_cuda_attention p = make<T>(1, 4, 1);
	T *qkv = (T *)p.qkv;

	for (int32_t t = lengths[5]; t < TOKENS; t++) {
		for (int j = 0; j < 4; j++)
			from_f32(&qkv[12 * t + j], 1);
		from_f32(&qkv[12 * t + 4], t < TOKENS - 1 ? -INFINITY : 0.5f);
	}
	launch<T>(p);
}

const rig_test rig_tests[] = {
	{ "attention_f32 heads and lengths", heads<float> },
	{ "attention_bf16 heads and lengths", heads<bf16> },
	{ "attention_f16 heads and lengths", heads<f16> },
	{ "attention_f32 minus infinity", minus_infinity<float> },
	{ "attention_f16 minus infinity", minus_infinity<f16> },
	{ nullptr, nullptr },
};
