// SPDX-License-Identifier: MIT
/* TEST CODE: gemm of each kind, in every form, alone and shared out over K. */
#include "tests/cuda/rig.h"

static double gelu(double v)
{
	return v * erfc(-v * M_SQRT1_2) / 2;
}

/* @form: bit 0 bias, bit 1 GELU, bit 2 residual */
static float as_it_is(float v)
{
	return v;
}

/* @multiplied: as what the plain loop multiplies its elements */
template <typename T>
static void judge(const aif_cuda_gemm &p, float (*multiplied)(float) = as_it_is)
{
	const T *x = (const T *)p.x, *w = (const T *)p.w, *r = (const T *)p.residual;

	for (size_t i = 0; i < (size_t)p.m * p.n; i++) {
		size_t row = i / p.n * p.k, column = i % p.n * p.k;
		double exact = p.bias ? p.bias[i % p.n] : 0;
		float plain = exact;

		for (size_t l = 0; l < p.k; l++) {
			exact += (double)to_f32(x[row + l]) * to_f32(w[column + l]);
			plain += multiplied(to_f32(x[row + l])) * multiplied(to_f32(w[column + l]));
		}
		if (p.act) {
			exact = gelu(exact);
			plain = plain * (1 + erff(plain * (float)M_SQRT1_2)) / 2;
		}
		exact += r ? to_f32(r[i]) : 0;
		plain += r ? to_f32(r[i]) : 0;
		rig_judge(exact, rig_round(plain, x), to_f32(((const T *)p.out)[i]));
	}
}

template <typename T>
static aif_cuda_gemm make(uint32_t m, uint32_t n, uint32_t k, int form)
{
	aif_cuda_gemm p = {};

	p.x = rig_random_array<T>((size_t)m * k, 1);
	p.w = rig_random_array<T>((size_t)n * k, 1);
	p.bias = form & 1 ? rig_random_array<float>(n, 1) : nullptr;
	p.residual = form & 4 ? rig_random_array<T>((size_t)m * n, 1) : nullptr;
	p.out = rig_array<T>((size_t)m * n);
	p.act = form & 2 ? 1 : 0;
	p.m = m;
	p.n = n;
	p.k = k;
	p.splits = 1;
	return p;
}

/* Devices of one processor take the wide tile, those of many the small one. */
static const aif_cuda_target f32 = { AIF_CUDA_F32, 90, 1000, 0 };
static const aif_cuda_target plain_bf16 = { AIF_CUDA_BF16, 75, 1000, 0 };
static const aif_cuda_target plain_f16 = { AIF_CUDA_F16, 75, 1000, 0 };
static const aif_cuda_target mma_bf16[] = { { AIF_CUDA_BF16, 80, 1000, 0 }, { AIF_CUDA_BF16, 80, 1, 0 } };
static const aif_cuda_target mma_f16[] = { { AIF_CUDA_F16, 80, 1000, 0 }, { AIF_CUDA_F16, 80, 1, 0 } };
static const aif_cuda_target mma_tf32[] = { { AIF_CUDA_F32, 80, 1000, 1 }, { AIF_CUDA_F32, 80, 1, 1 } };

/* The same bits as without splits, and every counter is 0 again. */
template <typename T>
static void run_split(aif_cuda_gemm p, const aif_cuda_target &on)
{
	const void *alone = p.out;
	size_t bytes = (size_t)p.m * p.n * sizeof(T), tiles;
	aif_cuda_launch l;

	p.splits = aif_cuda_gemm_splits(1, p.k, 2);
	l = aif_cuda_gemm_launch(&p, &on);
	tiles = (size_t)l.grid[0] * l.grid[1];
	if (p.splits < 2)
		return;
	p.out = rig_array<T>((size_t)p.m * p.n);
	p.partial = rig_array<float>((size_t)p.splits * p.m * p.n);
	p.arrived = rig_array<uint32_t>(tiles);
	memset(p.arrived, 0, tiles * 4);
	for (int again = 0; again < 2; again++) {
		rig_launch(l, &p, sizeof(p));
		if (memcmp(p.out, alone, bytes))
			rig_fail("%u x %u x %u: splits give other bits", p.m, p.n, p.k);
	}
	for (size_t i = 0; i < tiles; i++)
		if (p.arrived[i])
			rig_fail("a counter is left at %u", p.arrived[i]);
}

template <typename T>
static aif_cuda_gemm run(const aif_cuda_target &on, uint32_t m, uint32_t n, uint32_t k, int form)
{
	aif_cuda_gemm p = make<T>(m, n, k, form);

	rig_launch(aif_cuda_gemm_launch(&p, &on), &p, sizeof(p));
	judge<T>(p, on.tf32 ? aif_to_tf32 : as_it_is);
	rig_same(p.out, (size_t)m * n * sizeof(T));
	return p;
}

template <typename T, const aif_cuda_target *on>
static void shapes()
{
	static const uint32_t m[] = { 1, 3, 16, 63, 65, 16 }, n[] = { 1, 7, 64, 66, 40, 129 };
	static const uint32_t k[] = { 1, 16, 31, 128, 132, 300 };

	for (size_t i = 0; i < 18; i++)
		run_split<T>(run<T>(*on, m[i % 6], n[(i + i / 6) % 6], k[(i + 2 * (i / 6)) % 6],
				    i % 8), *on);
}

/* Where a tile, a step, a stage or a piece of K ends, and one further; @count of them. */
template <typename T, const aif_cuda_target *on, int count>
static void mma_shapes()
{
	static const uint32_t m[] = { 1, 17, 64, 66 }, n[] = { 8, 64, 65, 132, 6 };
	static const uint32_t k[] = { 8, 64, 72, 128, 200, 320, 384 };

	for (size_t i = 0; i < count; i++)
		run_split<T>(run<T>(*on, m[i % 4], n[i % 5], k[i % 7], i % 8), *on);
}

/* To the bit what the small tile gives. */
template <typename T, const aif_cuda_target *on, int count>
static void mma_wide_shapes()
{
	static const uint32_t shapes[][3] = { { 129, 136, 200 }, { 40, 260, 328 }, { 128, 7, 64 } };

	for (size_t i = 0; i < count; i++) {
		aif_cuda_gemm p = run<T>(on[1], shapes[i][0], shapes[i][1], shapes[i][2], 7 - (int)i);
		const void *wide = p.out;

		p.out = rig_array<T>((size_t)p.m * p.n);
		rig_launch(aif_cuda_gemm_launch(&p, on), &p, sizeof(p));
		if (memcmp(p.out, wide, (size_t)p.m * p.n * sizeof(T)))
			rig_fail("the wide tile gives other bits than the small one");
	}
}

/* Halfway between two numbers of tf32 is the larger, of x and of w; tensor cores would cut. */
static void tf32_rounds()
{
	aif_cuda_gemm p = make<float>(1, 8, 8, 0);
	float *x = (float *)p.x, *w = (float *)p.w;

	/* In each half of K one of both. */
	for (int i = 0; i < 64; i++)
		w[i] = i % 8 % 5 == 1 ? 1 + 0x1p-11f : 1;
	for (int i = 0; i < 8; i++)
		x[i] = i % 5 == 0 ? 1 + 0x1p-11f : i % 5 == 1 ? 4 : 0;
	rig_launch(aif_cuda_gemm_launch(&p, mma_tf32), &p, sizeof(p));
	for (int i = 0; i < 8; i++)
		if (((const float *)p.out)[i] != 10 + 10 * 0x1p-10f)
			rig_fail("%a: not rounded to tf32", ((const float *)p.out)[i]);
}

/* Rows that are not aligned, older devices and f32 do without tensor cores. */
static void choice()
{
	static const struct {
		aif_cuda_target on;
		uint32_t m, n, k;
		const char *kernel;
	} rows[] = {
		{ { AIF_CUDA_F32, 90, 132, 0 }, 16, 384, 384, "gemm_plain_f32" },
		{ { AIF_CUDA_F32, 75, 40, 1 }, 16, 384, 384, "gemm_plain_f32" },
		{ { AIF_CUDA_F32, 90, 132, 1 }, 16, 384, 386, "gemm_plain_f32" },
		{ { AIF_CUDA_F32, 90, 132, 1 }, 16, 384, 388, "gemm_mma_tf32" },
		{ { AIF_CUDA_F32, 90, 132, 1 }, 4096, 1536, 384, "gemm_mma_wide_tf32" },
		{ { AIF_CUDA_F16, 75, 40, 0 }, 16, 384, 384, "gemm_plain_f16" },
		{ { AIF_CUDA_F16, 90, 132, 0 }, 16, 384, 384, "gemm_mma_f16" },
		{ { AIF_CUDA_F16, 90, 132, 0 }, 4096, 1536, 384, "gemm_mma_wide_f16" },
		{ { AIF_CUDA_BF16, 75, 40, 0 }, 16, 384, 384, "gemm_plain_bf16" },
		{ { AIF_CUDA_BF16, 90, 132, 0 }, 16, 384, 388, "gemm_plain_bf16" },
		{ { AIF_CUDA_BF16, 90, 132, 0 }, 16, 383, 384, "gemm_mma_bf16" },
		{ { AIF_CUDA_BF16, 80, 108, 0 }, 1024, 1536, 384, "gemm_mma_bf16" },
		{ { AIF_CUDA_BF16, 90, 132, 0 }, 4096, 1536, 384, "gemm_mma_wide_bf16" },
		{ { AIF_CUDA_BF16, 120, 170, 0 }, 4096, 384, 1536, "gemm_mma_bf16" },
	};

	for (const auto &r : rows) {
		aif_cuda_gemm p = {};

		p.m = r.m;
		p.n = r.n;
		p.k = r.k;
		p.splits = 1;
		if (strcmp(aif_cuda_gemm_launch(&p, &r.on).kernel, r.kernel))
			rig_fail("%u x %u x %u on sm_%u: not %s", r.m, r.n, r.k, r.on.sm, r.kernel);
	}
}

/* A NaN in a row reaches its whole row and no other. */
template <typename T, const aif_cuda_target *on>
static void nan_row()
{
	aif_cuda_gemm p = make<T>(5, 70, 40, 0);
	const T *out = (const T *)p.out;

	from_f32((T *)p.x + 2 * 40 + 39, NAN);
	rig_launch(aif_cuda_gemm_launch(&p, on), &p, sizeof(p));
	for (size_t i = 0; i < 5 * 70; i++)
		if (isnan(to_f32(out[i])) != (i / 70 == 2))
			rig_fail("row %zu: %g", i / 70, to_f32(out[i]));
}

const rig_test rig_tests[] = {
	{ "gemm_plain_f32 shapes", shapes<float, &f32> },
	{ "gemm_plain_bf16 shapes", shapes<bf16, &plain_bf16> },
	{ "gemm_plain_f16 shapes", shapes<f16, &plain_f16> },
	{ "gemm_plain_f32 NaN", nan_row<float, &f32> },
	{ "gemm: which kernel", choice },
	{ "gemm_mma_bf16 shapes", mma_shapes<bf16, mma_bf16, 14>, "gemm_mma_bf16" },
	{ "gemm_mma_bf16 NaN", nan_row<bf16, mma_bf16>, "gemm_mma_bf16" },
	{ "gemm_mma_wide_bf16 shapes", mma_wide_shapes<bf16, mma_bf16, 3>, "gemm_mma_wide_bf16" },
	{ "gemm_mma_f16 shapes", mma_shapes<f16, mma_f16, 7>, "gemm_mma_f16" },
	{ "gemm_mma_wide_f16 shapes", mma_wide_shapes<f16, mma_f16, 1>, "gemm_mma_wide_f16" },
	{ "gemm_mma_tf32 shapes", mma_shapes<float, mma_tf32, 7>, "gemm_mma_tf32" },
	{ "gemm_mma_tf32 NaN", nan_row<float, mma_tf32>, "gemm_mma_tf32" },
	{ "gemm_mma_tf32 rounds", tf32_rounds, "gemm_mma_tf32" },
	{ "gemm_mma_wide_tf32 shapes", mma_wide_shapes<float, mma_tf32, 2>, "gemm_mma_wide_tf32" },
	{ nullptr, nullptr },
};
