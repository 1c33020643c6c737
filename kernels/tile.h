/* SPDX-License-Identifier: MIT */
/*
 * tile.h - the inner product block that gemm and attention are made of
 *
 * TILE_ROWS x TILE_VECS accumulators, the operands beside them, and nothing else
 * must fit the registers: 8 x 3 of 32 with AVX-512, 6 x 2 of 16 with AVX2, 4 x 2
 * otherwise.  Per step of k the block loads TILE_VECS vectors and broadcasts
 * TILE_ROWS numbers, which two load ports deliver faster than two FMA ports use it.
 */
#ifndef AIF_KERNELS_TILE_H
#define AIF_KERNELS_TILE_H

#include "kernels/simd.h"

#if VL == 16
#define TILE_ROWS 8
#define TILE_VECS 3
#elif VL == 8
#define TILE_ROWS 6
#define TILE_VECS 2
#else
#define TILE_ROWS 4
#define TILE_VECS 2
#endif
#define TILE_COLS (TILE_VECS * VL)

/*
 * With few rows a weight is used once, straight from memory, faster than the
 * hardware asks for it: it stops at each page.  So ask some thousand cycles ahead,
 * past the panel's end too, where the next one begins.
 */
#define PREFETCH_BYTES 16384

static ALWAYS_INLINE const void *ahead(const float *p)
{
	return (const void *)((uintptr_t)p + PREFETCH_BYTES);
}

/*
 * out[r, c] = sum over k of x[r, k] * w[k, c], for @rows rows and @vecs * VL columns.
 * @rows and @vecs must be constants, so that the loops over them unroll.
 * @ldx, @ldw, @ldo: distances of rows in floats.
 */
static ALWAYS_INLINE void tile_fixed(int rows, int vecs, const float *x, size_t ldx,
				     const float *w, size_t ldw, size_t k, float *out, size_t ldo)
{
	vf acc[TILE_ROWS][TILE_VECS] = { 0 };

	for (size_t l = 0; l < k; l++) {
		vf b[TILE_VECS];

#pragma GCC unroll 8
		for (int v = 0; v < vecs; v++) {
			__builtin_prefetch(ahead(w + l * ldw + v * VL));
			b[v] = vload(w + l * ldw + v * VL);
		}
#pragma GCC unroll 8
		for (int r = 0; r < rows; r++) {
			vf a = vset1(x[r * ldx + l]);

#pragma GCC unroll 8
			for (int v = 0; v < vecs; v++)
				acc[r][v] = vfma(a, b[v], acc[r][v]);
		}
	}
#pragma GCC unroll 8
	for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
		for (int v = 0; v < vecs; v++)
			vstore(out + r * ldo + v * VL, acc[r][v]);
}

static ALWAYS_INLINE void tile_rows(size_t rows, int vecs, const float *x, size_t ldx,
				    const float *w, size_t ldw, size_t k, float *out, size_t ldo)
{
	switch (rows) {
#define ROWS(n)								\
	case n:								\
		tile_fixed(n, vecs, x, ldx, w, ldw, k, out, ldo);	\
		break
	ROWS(1);
	ROWS(2);
	ROWS(3);
	ROWS(4);
#if TILE_ROWS > 4
	ROWS(5);
	ROWS(6);
#endif
#if TILE_ROWS > 6
	ROWS(7);
	ROWS(8);
#endif
#undef ROWS
	}
}

/* The same for any number of rows from 1 to TILE_ROWS and vectors from 1 to TILE_VECS. */
static ALWAYS_INLINE void tile(size_t rows, size_t vecs, const float *x, size_t ldx,
			       const float *w, size_t ldw, size_t k, float *out, size_t ldo)
{
	if (vecs == 1)
		tile_rows(rows, 1, x, ldx, w, ldw, k, out, ldo);
	else if (vecs == 2)
		tile_rows(rows, 2, x, ldx, w, ldw, k, out, ldo);
	else
		tile_rows(rows, TILE_VECS, x, ldx, w, ldw, k, out, ldo);
}

#endif
