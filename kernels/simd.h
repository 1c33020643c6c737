/* SPDX-License-Identifier: MIT */
/*
 * simd.h - one vector of floats, as wide as the file is compiled for
 *
 * Each cpu.c is written once over this header and compiled once per instruction
 * set, with AIF_ISA naming it: avx512 (16 lanes), avx2 (8, with FMA), portable (4,
 * compiler vectors only).  ISA(name) gives such an object's symbols their suffix.
 *
 * A lane's result depends on that lane only, and a tail of n lanes gives the same
 * bits as a full vector would.
 */
#ifndef AIF_KERNELS_SIMD_H
#define AIF_KERNELS_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AIF_ISA_PASTE(name, isa) name##_##isa
#define AIF_ISA_NAME(name, isa) AIF_ISA_PASTE(name, isa)
#define ISA(name) AIF_ISA_NAME(name, AIF_ISA)

#if defined(__AVX512F__)
#define VL 16
#elif defined(__AVX2__) && defined(__FMA__)
#define VL 8
#else
#define VL 4
#endif

#if VL > 4
#include <immintrin.h>
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef uint32_t vu __attribute__((vector_size(VL * 4)));
typedef float vf_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));

static ALWAYS_INLINE vf vset1(float x)
{
#if VL == 16
	return _mm512_set1_ps(x);
#elif VL == 8
	return _mm256_set1_ps(x);
#else
	return (vf){ x, x, x, x };
#endif
}

static ALWAYS_INLINE vf vload(const float *p)
{
	return *(const vf_unaligned *)p;
}

static ALWAYS_INLINE void vstore(float *p, vf v)
{
	*(vf_unaligned *)p = v;
}

/*
 * Tails: n below VL touches only the first n lanes; from VL on it is the whole
 * vector, so loops pass what is left without looking.
 */
#if VL == 16
#define FIRST(n) ((__mmask16)((1u << (n)) - 1))
#endif

/* The first @n lanes from memory, zero in the others. */
static ALWAYS_INLINE vf vload_n(const float *p, size_t n)
{
	if (n >= VL)
		return vload(p);
#if VL == 16
	return _mm512_maskz_loadu_ps(FIRST(n), p);
#else
	vf v = { 0 };

	memcpy(&v, p, n * sizeof(*p));
	return v;
#endif
}

/* The first @n lanes of @v, then those of @rest. */
static ALWAYS_INLINE vf vmerge_n(vf v, size_t n, vf rest)
{
	if (n >= VL)
		return v;
#if VL == 16
	return _mm512_mask_blend_ps(FIRST(n), rest, v);
#else
	vf r = rest;

	memcpy(&r, &v, n * sizeof(float));
	return r;
#endif
}

static ALWAYS_INLINE void vstore_n(float *p, vf v, size_t n)
{
	if (n >= VL)
		vstore(p, v);
	else
#if VL == 16
		_mm512_mask_storeu_ps(p, FIRST(n), v);
#else
		memcpy(p, &v, n * sizeof(*p));
#endif
}

/* a * b + c, rounded once where the machine can. */
static ALWAYS_INLINE vf vfma(vf a, vf b, vf c)
{
#if VL == 16
	return _mm512_fmadd_ps(a, b, c);
#elif VL == 8
	return _mm256_fmadd_ps(a, b, c);
#else
	return a * b + c;
#endif
}

/* a < b ? x : y in each lane; y where a or b is NaN. */
static ALWAYS_INLINE vf vselect_less(vf a, vf b, vf x, vf y)
{
#if VL == 16
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
#elif VL == 8
	return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
#else
	vi m = a < b;

	return (vf)((m & (vi)x) | (~m & (vi)y));
#endif
}

static ALWAYS_INLINE vf vmax(vf a, vf b)
{
	return vselect_less(a, b, b, a);
}

static ALWAYS_INLINE vf vabs(vf a)
{
	return (vf)((vi)a & 0x7fffffff);
}

/* Sum and maximum over the lanes. */
static ALWAYS_INLINE float vreduce_add(vf v)
{
#if VL == 16
	return _mm512_reduce_add_ps(v);
#else
#if VL == 8
	__m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#else
	vf h = v;
#endif
	return (h[0] + h[2]) + (h[1] + h[3]);
#endif
}

static ALWAYS_INLINE float vreduce_max(vf v)
{
#if VL == 16
	return _mm512_reduce_max_ps(v);
#else
	float max = v[0];

	for (int i = 1; i < VL; i++)
		max = max < v[i] ? v[i] : max;
	return max;
#endif
}

/* Lanes of a and b in turn, from their lower and their upper halves. */
#if VL == 16
#define ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VL == 8
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#endif

/* Rows become columns: log2(VL) rounds, each a perfect shuffle of all VL * VL numbers. */
static ALWAYS_INLINE void vtranspose(vf m[VL])
{
#pragma GCC unroll 4
	for (int round = 1; round < VL; round *= 2) {
		vf t[VL];

#pragma GCC unroll 16
		for (int i = 0; i < VL / 2; i++) {
			t[2 * i] = __builtin_shufflevector(m[i], m[i + VL / 2], ZIP_LOW);
			t[2 * i + 1] = __builtin_shufflevector(m[i], m[i + VL / 2], ZIP_HIGH);
		}
#pragma GCC unroll 16
		for (int i = 0; i < VL; i++)
			m[i] = t[i];
	}
}

/*
 * e^x for x up to 88, relative error 9e-8; 0 below -87 (no denormal results), NaN
 * for NaN.  x = n ln 2 + r; adding 1.5 * 2^23 rounds to an integer and leaves n in
 * the low bits.  Coefficients: lab/fit.py.
 */
static ALWAYS_INLINE vf vexp(vf x)
{
	const vf magic = vset1(0x1.8p23f);
	vf t = vfma(x, vset1(0x1.715476p0f), magic);
	vf n = t - magic;
	vf r = vfma(n, vset1(2.12194440e-4f), vfma(n, vset1(-0.693359375f), x));
	vf p = vset1(1.395049039e-03f);
	vf scale = (vf)(((vu)t << 23) + 0x3f800000u);

	p = vfma(p, r, vset1(8.368888870e-03f));
	p = vfma(p, r, vset1(4.166620597e-02f));
	p = vfma(p, r, vset1(1.666651815e-01f));
	p = vfma(p, r, vset1(0.5f));
	p = vfma(p, r * r, r) + 1;
	return vselect_less(x, vset1(-87), (vf){ 0 }, p * scale);
}

/*
 * GELU with erf: v * Phi(v).  Phi(-|v|) = exp(Q(|v|)) / 2, so nothing cancels in
 * the negative tail; error 5e-8 below 0, relative 3e-7 above.  Coefficients: lab/fit.py.
 */
static ALWAYS_INLINE vf vgelu(vf v)
{
	vf a = vabs(v), q = vset1(-1.339219239e-06f), tail;

	q = vfma(q, a, vset1(1.972571226e-05f));
	q = vfma(q, a, vset1(-9.261767264e-05f));
	q = vfma(q, a, vset1(-1.845157822e-04f));
	q = vfma(q, a, vset1(5.016112700e-03f));
	q = vfma(q, a, vset1(-3.647408634e-02f));
	q = vfma(q, a, vset1(-3.182683289e-01f));
	q = vfma(q, a, vset1(-7.978894711e-01f));
	q = vfma(q, a, vset1(9.350147678e-08f));
	tail = vexp(q) * 0.5f;
	return v * vselect_less(v, (vf){ 0 }, tail, 1 - tail);
}

#endif
