// SPDX-License-Identifier: MIT
/* TEST CODE: embed of each storage; ids of every kind of wrong, empty texts. */
#include "tests/cuda/rig.h"

static const int32_t lengths[] = { 0, 0, 1, 4, 4, 11, 12, 12 };
#define TEXTS (COUNT(lengths) - 1)
#define TOKENS 12
#define VOCAB 10
#define PLACES 5

static size_t clamp(int64_t v, size_t count)
{
	return v < 0 ? 0 : (size_t)v < count ? (size_t)v : count - 1;
}

static void normalise(double *exact, float *plain, const aif_cuda_embed &p)
{
	double mean = 0, var = 0;
	float fmean = 0, fvar = 0;
	size_t n = p.hidden;

	for (size_t j = 0; j < n; j++) {
		mean += exact[j] / n;
		fmean += plain[j];
	}
	fmean /= n;
	for (size_t j = 0; j < n; j++) {
		var += (exact[j] - mean) * (exact[j] - mean) / n;
		fvar += (plain[j] - fmean) * (plain[j] - fmean);
	}
	for (size_t j = 0; j < n; j++) {
		exact[j] = (exact[j] - mean) / sqrt(var + p.eps) * p.gamma[j] + p.beta[j];
		plain[j] = (plain[j] - fmean) / sqrtf(fvar / n + p.eps) * p.gamma[j] + p.beta[j];
	}
}

template <typename T>
static void judge(const aif_cuda_embed &p)
{
	double exact[1024];
	float plain[1024];

	for (size_t i = 0; i < TEXTS; i++) {
		for (int32_t t = lengths[i]; t < lengths[i + 1]; t++) {
			const float *w = p.words + clamp(p.ids[t], VOCAB) * p.hidden;
			const float *at = p.positions + clamp(t - lengths[i], PLACES) * p.hidden;
			const T *out = (const T *)p.out + t * p.hidden;

			for (size_t j = 0; j < p.hidden; j++) {
				exact[j] = (double)w[j] + at[j] + p.type[j];
				plain[j] = w[j] + at[j] + p.type[j];
			}
			normalise(exact, plain, p);
			for (size_t j = 0; j < p.hidden; j++)
				rig_judge(exact[j], rig_round(plain[j], out), to_f32(out[j]));
		}
	}
}

template <typename T>
static void odd_ids()
{
	static const int32_t ids[TOKENS] = { 0, 1, 9, 10, -1, INT32_MIN, INT32_MAX, 1000, 5, 7, 3, 2 };
	static const uint32_t widths[] = { 2, 33, 128, 384, 516 };

	for (uint32_t n : widths) {
		int32_t *i = rig_array<int32_t>(TOKENS), *cu = rig_array<int32_t>(TEXTS + 1);
		aif_cuda_embed p = {
			i, cu, rig_random_array<float>(VOCAB * n, 1),
			rig_random_array<float>(PLACES * n, 1), rig_random_array<float>(n, 1),
			rig_random_array<float>(n, 1), rig_random_array<float>(n, 1),
			rig_array<T>(TOKENS * n), n % 2 ? nullptr : rig_array<uint64_t>(1), 1e-12f,
			TOKENS, TEXTS, n, VOCAB, PLACES,
		};

		memcpy(i, ids, sizeof(ids));
		memcpy(cu, lengths, sizeof(lengths));
		rig_launch(aif_cuda_embed_launch(&p, rig_storage((const T *)p.out)), &p,
			   sizeof(p));
		judge<T>(p);
		if (p.began && *p.began % 1000)
			rig_fail("%llu is not the clock's", (unsigned long long)*p.began);
		rig_same(p.out, TOKENS * n * sizeof(T));
	}
}

/* Two launches, as many texts as one takes and more would be; each text's ids are its own. */
template <typename T>
static void each_in_its_place()
{
	static const int32_t ids[TOKENS] = { 3, 1, 9, 10, -1, INT32_MIN, INT32_MAX, 1000, 5, 7, 3, 2 };
	uint32_t n = 36, first = 4;
	int32_t *cu = rig_array<int32_t>(TEXTS + 1), *all = rig_array<int32_t>(TOKENS);
	aif_cuda_embed_each p = {
		{ nullptr, cu, rig_random_array<float>(VOCAB * n, 1),
		  rig_random_array<float>(PLACES * n, 1), rig_random_array<float>(n, 1),
		  rig_random_array<float>(n, 1), rig_random_array<float>(n, 1),
		  rig_array<T>(TOKENS * n), rig_array<uint64_t>(1), 1e-12f, 0, TEXTS, n, VOCAB, PLACES },
		0, 0, {},
	};
	aif_cuda_embed whole;

	memcpy(cu, lengths, sizeof(lengths));
	memcpy(all, ids, sizeof(ids));
	for (; p.text < TEXTS; p.text += first, p.token += p.embed.tokens) {
		uint32_t end = p.text + first < TEXTS ? p.text + first : TEXTS;

		memset(p.ids, 0, sizeof(p.ids));
		for (uint32_t i = p.text; i < end; i++) {
			size_t own = lengths[i + 1] - lengths[i];
			int32_t *to = rig_array<int32_t>(own + 1) + 1;	/* aligned to 4 only */

			memcpy(to, ids + lengths[i], own * sizeof(*ids));
			p.ids[i - p.text] = to;
		}
		p.embed.tokens = lengths[end] - lengths[p.text];
		*p.embed.began = p.text ? 1 : *p.embed.began;
		rig_launch(aif_cuda_embed_each_launch(&p, rig_storage((const T *)p.embed.out)), &p,
			   sizeof(p));
		if (!p.text ? *p.embed.began % 1000 : *p.embed.began != 1)
			rig_fail("it has begun at %llu", (unsigned long long)*p.embed.began);
	}
	whole = p.embed;
	whole.ids = all;
	judge<T>(whole);
	rig_same(p.embed.out, TOKENS * n * sizeof(T));
}

const rig_test rig_tests[] = {
	{ "embed_f32 ids and places out of range", odd_ids<float> },
	{ "embed_bf16 ids and places out of range", odd_ids<bf16> },
	{ "embed_f16 ids and places out of range", odd_ids<f16> },
	{ "embed_each_f32 ids where each text has them", each_in_its_place<float> },
	{ "embed_each_bf16 ids where each text has them", each_in_its_place<bf16> },
	{ "embed_each_f16 ids where each text has them", each_in_its_place<f16> },
	{ nullptr, nullptr },
};
