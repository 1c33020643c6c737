/* SPDX-License-Identifier: MIT */
/*
 * half.h - numbers of 16 bits, and tf32, by integer arithmetic: no compiler needs to know them
 *
 * To nearest, ties to even (tf32: away from zero, as the tensor cores' own conversion);
 * what is too large becomes infinity, a NaN stays one.
 */
#ifndef AIF_KERNELS_HALF_H
#define AIF_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define AIF_HALF __device__ __forceinline__
#else
#define AIF_HALF static inline
#endif

AIF_HALF uint32_t aif_f32_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

AIF_HALF float aif_f32_of(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

AIF_HALF uint16_t aif_to_bf16(float f)
{
	uint32_t bits = aif_f32_bits(f);

	if (f != f)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

AIF_HALF float aif_from_bf16(uint16_t v)
{
	return aif_f32_of((uint32_t)v << 16);
}

/* 5 bits of exponent, 10 of fraction. */
AIF_HALF uint16_t aif_to_f16(float f)
{
	uint32_t bits = aif_f32_bits(f), sign = bits >> 16 & 0x8000;

	bits &= 0x7fffffff;
	if (f != f)
		return 0x7fff;
	if (bits >= 0x47800000)		/* 65536 */
		return (uint16_t)(sign | 0x7c00);
	if (bits < 0x38800000)		/* 2^-14: the sum's last bit is a subnormal's, 2^-24 */
		return (uint16_t)(sign | (aif_f32_bits(aif_f32_of(bits) + 0.5f) - 0x3f000000));
	bits += 0xfff + (bits >> 13 & 1);
	return (uint16_t)(sign | (bits - 0x38000000) >> 13);
}

AIF_HALF float aif_from_f16(uint16_t v)
{
	uint32_t sign = (uint32_t)(v & 0x8000) << 16, exponent = v >> 10 & 31, fraction = v & 1023;

	if (exponent == 31)
		return aif_f32_of(sign | 0x7f800000 | fraction << 13);
	if (exponent == 0)
		return aif_f32_of(sign | aif_f32_bits((float)fraction * 0x1p-24f));
	return aif_f32_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* A float with 10 bits of fraction. */
AIF_HALF float aif_to_tf32(float f)
{
	uint32_t bits = aif_f32_bits(f);

	return f - f == 0 ? aif_f32_of((bits + 0x1000) & 0xffffe000) : f;
}

#endif
