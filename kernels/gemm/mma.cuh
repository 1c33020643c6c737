/* SPDX-License-Identifier: MIT */
/*
 * mma.cuh - gemm on tensor cores: bf16, f16 and tf32 with sums in f32, for sm_80 and later
 *
 * A block makes a tile of M x N.  Steps of 128 bytes along K travel to shared memory by
 * cp.async, two of them under way while one is multiplied; ldmatrix brings fragments to
 * registers, mma.sync multiplies 32 bytes of K at once: 16 elements, or 8 of tf32.  K is
 * summed in the pieces that kernels/cuda.h speaks of: the same bits as with splits,
 * whatever the tile.  The tile's sums go through shared memory, so that memory is written
 * and the residual read by rows.
 *
 * tf32 is f32 in memory, rounded on the way from shared memory to the tensor cores: to
 * ldmatrix it is pairs of 16 bits, and each lane finds the element that mma wants of it.
 *
 * gemm_mma_*       64 x 64, 4 warps of 32 x 32: thin m, and what has few tiles
 * gemm_mma_wide_*  128 x 128, 8 warps of 64 x 32: what fills the device with such tiles
 *
 * Shapes   m, n: any; k: rows of a multiple of 16 bytes, else gemm_plain_* computes
 * Work     2 * m * n * k FLOP; s * (m * k + n * k + m * n) bytes for storage of s, s * m * n
 *          more for the residual, with splits 8 * splits * m * n more, which stay in the
 *          L2 cache
 * Bound by the weights' s * n * k bytes up to m of some 300, then by tensor cores: of L2
 *          traffic a tile of 128 makes 64 FLOP a byte of 16 bits, one of 64 makes 32; half
 *          of that with tf32
 * Roofline estimate for an H100: 30 to 35 % of the 989 TFLOP/s of 16 bits (495 of tf32) for
 *          m of 4,096 and more (mma.sync alone reaches some 62 %); for m of 16 latency, not
 *          bandwidth
 */
#ifndef AIF_KERNELS_GEMM_MMA_CUH
#define AIF_KERNELS_GEMM_MMA_CUH

#include "kernels/gemm/epilogue.cuh"

#define MMA_ROW_BYTES 128	/* of a step along K */
#define MMA_UNITS (MMA_ROW_BYTES / 16)
#define MMA_STAGES AIF_CUDA_MMA_STAGES

/* Warps stand in @ROWS and @COLUMNS, each with @ms x @ns products of 16 x 8. */
template <typename T, int TILE_M, int TILE_N, int ROWS, int COLUMNS>
struct mma_tile {
	typedef T storage;

	static constexpr int depth = MMA_ROW_BYTES / sizeof(T), unit = 16 / sizeof(T);
	static constexpr int steps = AIF_CUDA_GEMM_CHUNK / depth;	/* in a piece of K */
	static constexpr int m = TILE_M, n = TILE_N, threads = WARP * ROWS * COLUMNS;
	static constexpr int warp_m = m / ROWS, warp_n = n / COLUMNS;
	static constexpr int ms = warp_m / 16, ns = warp_n / 8;
	static constexpr int stage_bytes = (m + n) * MMA_ROW_BYTES;
	static constexpr int stride = n + 8;	/* of a row of sums: no two lanes in a bank */

	static_assert(m == n && threads == 2 * m &&
		      MMA_STAGES * stage_bytes == AIF_CUDA_MMA_SHARED(m), "as launched");
	static_assert(m * stride * 4 <= MMA_STAGES * stage_bytes, "sums fit where stages were");

	float sum[ms][ns][4];

	static GPU uint32_t row()
	{
		return threadIdx.x / WARP / COLUMNS * warp_m;
	}

	static GPU uint32_t column()
	{
		return threadIdx.x / WARP % COLUMNS * warp_n;
	}
};

template <typename T>
using mma_narrow = mma_tile<T, 64, 64, 2, 2>;
template <typename T>
using mma_wide = mma_tile<T, 128, 128, 2, 4>;

/* Four registers of a fragment.  Tensor cores would cut off what tf32 has not. */
template <typename T>
GPU void mma_load(uint32_t *r, const void *row)
{
	gpu_ldmatrix_x4(r, row);
	for (int i = 0; i < 4 && sizeof(T) == 4; i++)
		r[i] = gpu_to_tf32(aif_f32_of(r[i]));
}

/* Of 16 bytes.  Eight rows' units of one index lie in different banks, as ldmatrix wants. */
GPU unsigned char *mma_unit(unsigned char *rows, uint32_t row, uint32_t unit)
{
	return rows + row * MMA_ROW_BYTES + (unit ^ row % 8) * 16;
}

/* @count rows from @first on, of @rows x @k; zeros outside. */
template <typename Tile, int count>
GPU void mma_fetch_rows(unsigned char *to, const void *from, uint32_t first, uint32_t rows,
			uint32_t at, uint32_t k)
{
	for (int i = 0; i < count * MMA_UNITS / Tile::threads; i++) {
		uint32_t index = threadIdx.x + i * Tile::threads;
		uint32_t row = index / MMA_UNITS, unit = index % MMA_UNITS;
		uint32_t j = at + Tile::unit * unit;
		bool there = first + row < rows && j < k;
		const typename Tile::storage *x = (const typename Tile::storage *)from;

		gpu_cp_async(mma_unit(to, row, unit),
			     there ? x + (uint64_t)(first + row) * k + j : x, there ? 16 : 0);
	}
}

/* A group for each step, the last ones empty. */
template <typename Tile>
GPU void mma_fetch(const aif_cuda_gemm &p, unsigned char *stages, uint32_t step, uint32_t end)
{
	unsigned char *stage = stages + step % MMA_STAGES * Tile::stage_bytes;
	uint32_t at = step * Tile::depth;

	if (step < end) {
		mma_fetch_rows<Tile, Tile::m>(stage, p.x, blockIdx.y * Tile::m, p.m, at, p.k);
		mma_fetch_rows<Tile, Tile::n>(stage + Tile::m * MMA_ROW_BYTES, p.w,
					      blockIdx.x * Tile::n, p.n, at, p.k);
	}
	gpu_cp_async_commit();
}

/* Fragments are 16 rows of 32 bytes of x, and for two products the same of w. */
template <typename Tile>
GPU void mma_multiply(Tile &t, unsigned char *xs)
{
	typedef typename Tile::storage T;
	unsigned char *ws = xs + Tile::m * MMA_ROW_BYTES;
	uint32_t lane = threadIdx.x % WARP;

	for (int d = 0; d < MMA_UNITS; d += 2) {
		uint32_t a[Tile::ms][4], b[Tile::ns / 2][4];

		for (int i = 0; i < Tile::ms; i++)
			mma_load<T>(a[i], mma_unit(xs, Tile::row() + 16 * i + lane % 16,
						   d + lane / 16));
		for (int j = 0; j < Tile::ns / 2; j++)
			mma_load<T>(b[j], mma_unit(ws, Tile::column() + 16 * j + lane % 8 +
						   lane / 16 * 8, d + lane / 8 % 2));
		for (int i = 0; i < Tile::ms; i++)
			for (int j = 0; j < Tile::ns; j++)
				mma_product(T(), t.sum[i][j], a[i], b[j / 2] + j % 2 * 2);
	}
}

template <typename Tile>
GPU void mma_add(Tile &total, const Tile &t)
{
	for (int i = 0; i < Tile::ms; i++)
		for (int j = 0; j < Tile::ns; j++)
			for (int e = 0; e < 4; e++)
				total.sum[i][j][e] += t.sum[i][j][e];
}

/* Steps @begin to @end.  One barrier each: behind it the oldest stage is there, and free is
 * the one that was multiplied before. */
template <typename Tile>
GPU void mma_sum(Tile &total, const aif_cuda_gemm &p, unsigned char *stages, uint32_t begin,
		 uint32_t end)
{
	for (uint32_t i = 0; i < MMA_STAGES - 1; i++)
		mma_fetch<Tile>(p, stages, begin + i, end);
	for (uint32_t step = begin; step < end;) {
		Tile piece = {};

		do {
			gpu_cp_async_wait<MMA_STAGES - 2>();
			gpu_sync();
			mma_fetch<Tile>(p, stages, step + MMA_STAGES - 1, end);
			mma_multiply(piece, stages + step % MMA_STAGES * Tile::stage_bytes);
		} while (++step < end && step % Tile::steps);
		mma_add(total, piece);
	}
}

/* The sums, by rows, where the stages were. */
template <typename Tile>
GPU void mma_lay_out(const Tile &t, float *sums)
{
	uint32_t lane = threadIdx.x % WARP;

	gpu_sync();
	for (int i = 0; i < Tile::ms; i++) {
		for (int j = 0; j < Tile::ns; j++) {
			for (int half = 0; half < 2; half++) {
				float *at = sums + (Tile::row() + 16 * i + 8 * half + lane / 4) *
					    Tile::stride + Tile::column() + 8 * j + lane % 4 * 2;

				store2(at, t.sum[i][j][2 * half], t.sum[i][j][2 * half + 1]);
			}
		}
	}
	gpu_sync();
}

template <typename Tile>
GPU void mma_finish(const aif_cuda_gemm &p, const float *sums)
{
	for (uint32_t i = 4 * threadIdx.x; i < Tile::m * Tile::n; i += 4 * Tile::threads) {
		uint32_t row = i / Tile::n, column = i % Tile::n;

		gemm_finish4<typename Tile::storage>(p, blockIdx.y * Tile::m + row,
						     blockIdx.x * Tile::n + column,
						     load4(sums + row * Tile::stride + column));
	}
}

/* All pieces' sums lie in memory when the last of a tile's blocks has put its own. */
template <typename Tile>
GPU void mma_share(const aif_cuda_gemm &p, float *sums)
{
	bool last;

	for (uint32_t i = threadIdx.x; i < Tile::m * Tile::n; i += Tile::threads)
		gemm_put_partial(p, blockIdx.y * Tile::m + i / Tile::n,
				 blockIdx.x * Tile::n + i % Tile::n,
				 sums[i / Tile::n * Tile::stride + i % Tile::n]);
	last = gemm_is_last(p);
	for (uint32_t i = threadIdx.x; last && i < Tile::m * Tile::n; i += Tile::threads)
		sums[i / Tile::n * Tile::stride + i % Tile::n] =
			gemm_sum_partials(p, blockIdx.y * Tile::m + i / Tile::n,
					  blockIdx.x * Tile::n + i % Tile::n);
	gpu_sync();
	if (last)
		mma_finish<Tile>(p, sums);
}

template <typename Tile>
GPU void gemm_mma(const aif_cuda_gemm &p)
{
	KDYNSHARED(unsigned char, stages);
	uint32_t steps = (p.k + Tile::depth - 1) / Tile::depth, begin = blockIdx.z * Tile::steps;
	float *sums = (float *)stages;
	Tile total = {};

	if (p.splits > 1 && begin + Tile::steps < steps)
		steps = begin + Tile::steps;
	mma_sum(total, p, stages, begin, steps);
	mma_lay_out(total, sums);
	if (p.splits > 1)
		mma_share<Tile>(p, sums);
	else
		mma_finish<Tile>(p, sums);
}

#endif
