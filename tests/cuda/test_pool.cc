// SPDX-License-Identifier: MIT
/* TEST CODE: pool of each storage; vectors go where each text wants its own. */
#include "tests/cuda/rig.h"

static const int32_t lengths[] = { 0, 0, 1, 4, 4, 13, 30, 63, 63 };
#define TEXTS (COUNT(lengths) - 1)

template <typename T>
static void judge_text(const aif_cuda_pool &p, size_t i, const float *out)
{
	const T *x = (const T *)p.x + (size_t)lengths[i] * p.hidden;
	size_t rows = lengths[i + 1] - lengths[i], n = p.hidden;
	double exact[1024], square = 0;
	float plain[1024], fsquare = 0;

	for (size_t j = 0; j < n; j++) {
		exact[j] = plain[j] = 0;
		for (size_t t = 0; t < rows; t++) {
			exact[j] += to_f32(x[t * n + j]);
			plain[j] += to_f32(x[t * n + j]);
		}
		exact[j] /= rows ? rows : 1;
		plain[j] /= rows ? rows : 1;
		square += exact[j] * exact[j];
		fsquare += plain[j] * plain[j];
	}
	for (size_t j = 0; j < n; j++)
		rig_judge(exact[j] / fmax(sqrt(square), 1e-12),
			  plain[j] / fmaxf(sqrtf(fsquare), 1e-12f), out[j]);
}

/* In two launches, as many texts as one takes and more would be. */
template <typename T>
static void run(uint32_t n)
{
	int32_t *cu = rig_array<int32_t>(TEXTS + 1);
	aif_cuda_pool p = { rig_random_array<T>(63 * n, 1), cu, nullptr, nullptr, nullptr, 0, 3, n, 0,
			    {} };
	float *vectors[TEXTS];

	memcpy(cu, lengths, sizeof(lengths));
	for (size_t i = 0; i < TEXTS; i++)
		vectors[i] = rig_array<float>(n + 1) + 1;	/* aligned to 4 only */
	for (p.first = 0; p.first < TEXTS; p.first += p.texts) {
		if (p.first)
			p.texts = TEXTS - p.first;
		memcpy(p.out, vectors + p.first, p.texts * sizeof(*vectors));
		rig_launch(aif_cuda_pool_launch(&p, rig_storage((const T *)p.x)), &p, sizeof(p));
	}
	for (size_t i = 0; i < TEXTS; i++) {
		judge_text<T>(p, i, vectors[i]);
		rig_same(vectors[i], n * sizeof(float));
		if (!isnan(vectors[i][-1]))
			rig_fail("text %zu: written before its vector", i);
	}
}

template <typename T>
static void widths()
{
	static const uint32_t all[] = { 1, 4, 127, 128, 129, 384, 520 };

	for (uint32_t n : all)
		run<T>(n);
}

static aif_cuda_pool told;
static unsigned tellings;

/* What a host would do that waits: all is there, and it is there once. */
static void look()
{
	tellings++;
	if (told.told->ns == UINT64_MAX)
		rig_fail("the time is not there when the host is told so");
	for (size_t i = 0; i < told.texts; i++)
		for (size_t j = 0; j < told.hidden; j++)
			if (isnan(told.out[i][j]))
				rig_fail("text %zu is not there when the host is told so", i);
}

static void tells_host()
{
	int32_t *cu = rig_array<int32_t>(TEXTS + 1);
	uint64_t *began = rig_array<uint64_t>(1);

	told = { rig_random_array<float>(63 * 300, 1), cu, rig_array<uint32_t>(1),
		 rig_array<aif_cuda_told>(1), began, 0, TEXTS, 300, 6, {} };
	/* The clock of a test ticks in microseconds. */
	*began = 400;
	memcpy(cu, lengths, sizeof(lengths));
	*told.arrived = 0;
	rig_on_release(look);
	for (told.ticket = 7; told.ticket < 9; told.ticket++) {
		for (size_t i = 0; i < TEXTS; i++)
			told.out[i] = rig_array<float>(300);
		tellings = 0;
		rig_launch(aif_cuda_pool_launch(&told, AIF_CUDA_F32), &told, sizeof(told));
		if (tellings != 1 || told.told->ticket != told.ticket || *told.arrived)
			rig_fail("told %u times, %u instead of %u, %u have arrived", tellings,
				 told.told->ticket, told.ticket, *told.arrived);
		if (told.told->ns % 1000 != 600)
			rig_fail("%llu ns are not what has passed",
				 (unsigned long long)told.told->ns);
	}
}

const rig_test rig_tests[] = {
	{ "pool_f32 widths", widths<float> },
	{ "pool_bf16 widths", widths<bf16> },
	{ "pool_f16 widths", widths<f16> },
	{ "pool_f32 tells the host", tells_host },
	{ nullptr, nullptr },
};
