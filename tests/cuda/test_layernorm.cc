// SPDX-License-Identifier: MIT
/* TEST CODE: layernorm of each storage. */
#include "tests/cuda/rig.h"

static void layernorm_exact(double *v, const float *gamma, const float *beta, float eps, size_t n)
{
	double mean = 0, var = 0;

	for (size_t j = 0; j < n; j++)
		mean += v[j] / n;
	for (size_t j = 0; j < n; j++)
		var += (v[j] - mean) * (v[j] - mean) / n;
	for (size_t j = 0; j < n; j++)
		v[j] = (v[j] - mean) / sqrt(var + eps) * gamma[j] + beta[j];
}

static void layernorm_plain(float *v, const float *gamma, const float *beta, float eps, size_t n)
{
	float mean = 0, var = 0;

	for (size_t j = 0; j < n; j++)
		mean += v[j];
	mean /= n;
	for (size_t j = 0; j < n; j++)
		var += (v[j] - mean) * (v[j] - mean);
	for (size_t j = 0; j < n; j++)
		v[j] = (v[j] - mean) / sqrtf(var / n + eps) * gamma[j] + beta[j];
}

template <typename T>
static void judge_row(const aif_cuda_layernorm &p, const T *x, const T *residual, size_t row)
{
	size_t n = p.hidden, at = row * n;
	double exact[4096];
	float plain[4096];

	for (size_t j = 0; j < n; j++) {
		exact[j] = (double)to_f32(x[at + j]) + (residual ? to_f32(residual[at + j]) : 0);
		plain[j] = to_f32(x[at + j]) + (residual ? to_f32(residual[at + j]) : 0);
	}
	layernorm_exact(exact, p.gamma, p.beta, p.eps, n);
	layernorm_plain(plain, p.gamma, p.beta, p.eps, n);
	for (size_t j = 0; j < n; j++)
		rig_judge(exact[j], rig_round(plain[j], x), to_f32(((const T *)p.out)[at + j]));
}

/* @where: 0 another output, 1 over x, 2 over residual */
template <typename T>
static void run(size_t rows, size_t n, bool with_residual, int where)
{
	T *x = rig_random_array<T>(rows * n, 3), *x0 = rig_array<T>(rows * n);
	T *r = with_residual ? rig_random_array<T>(rows * n, 3) : nullptr, *r0 = nullptr;
	aif_cuda_layernorm p = {
		x, r, rig_random_array<float>(n, 1), rig_random_array<float>(n, 1),
		where == 1 ? x : where == 2 ? r : rig_array<T>(rows * n), 1e-12f,
		(uint32_t)rows, (uint32_t)n, 0,
	};

	memcpy(x0, x, rows * n * sizeof(T));
	if (r)
		memcpy(r0 = rig_array<T>(rows * n), r, rows * n * sizeof(T));
	rig_launch(aif_cuda_layernorm_launch(&p, rig_storage(x)),
		   &p, sizeof(p));
	for (size_t i = 0; i < rows; i++)
		judge_row(p, x0, r0, i);
	rig_same(p.out, rows * n * sizeof(T));
}

/* Below, at and above a warp, a block of single elements, a block of fours. */
template <typename T>
static void shapes()
{
	static const size_t widths[] = { 1, 2, 3, 31, 32, 100, 129, 384, 385, 512, 516, 1027 };

	for (size_t i = 0; i < COUNT(widths); i++)
		run<T>(i % 3 + 1, widths[i], i % 2, 0);
	run<T>(0, 384, false, 0);
}

template <typename T>
static void in_place()
{
	run<T>(2, 388, false, 1);
	run<T>(2, 388, true, 1);
	run<T>(2, 388, true, 2);
	run<T>(2, 33, true, 2);
}

/* Tables as a model's file has them: aligned to 4 and no more. */
static void tables_anywhere()
{
	aif_cuda_layernorm p = {
		rig_random_array<float>(2 * 384, 1), nullptr, rig_random_array<float>(385, 1) + 1,
		rig_random_array<float>(386, 1) + 2, rig_array<float>(2 * 384), 1e-12f, 2, 384, 0,
	};

	rig_launch(aif_cuda_layernorm_launch(&p, AIF_CUDA_F32), &p, sizeof(p));
	for (size_t i = 0; i < 2; i++)
		judge_row<float>(p, (const float *)p.x, nullptr, i);
}

/* A NaN spoils its own row only; without variance only beta is left. */
static void nan_and_constant()
{
	size_t n = 40;
	float *x = rig_array<float>(3 * n);
	aif_cuda_layernorm p = {
		x, nullptr, rig_random_array<float>(n, 1), rig_random_array<float>(n, 1),
		rig_array<float>(3 * n), 1e-12f, 3, (uint32_t)n, 0,
	};
	const float *out = (const float *)p.out;

	for (size_t i = 0; i < 3 * n; i++)
		x[i] = 0.5f;
	x[n + 7] = NAN;
	rig_launch(aif_cuda_layernorm_launch(&p, AIF_CUDA_F32), &p, sizeof(p));
	for (size_t j = 0; j < n; j++)
		if (out[j] != p.beta[j] || !isnan(out[n + j]) || out[2 * n + j] != p.beta[j])
			rig_fail("element %zu: %g %g %g", j, out[j], out[n + j], out[2 * n + j]);
}

const rig_test rig_tests[] = {
	{ "layernorm_f32 shapes", shapes<float> },
	{ "layernorm_bf16 shapes", shapes<bf16> },
	{ "layernorm_f16 shapes", shapes<f16> },
	{ "layernorm_f32 in place", in_place<float> },
	{ "layernorm_bf16 in place", in_place<bf16> },
	{ "layernorm_f32 tables anywhere", tables_anywhere },
	{ "layernorm_f32 NaN, no variance", nan_and_constant },
	{ nullptr, nullptr },
};
