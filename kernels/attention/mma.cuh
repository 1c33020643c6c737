/* SPDX-License-Identifier: MIT */
/*
 * mma.cuh - attention on tensor cores: bf16 and f16 with sums in f32, for sm_80 and later
 *
 * A warp takes 16 queries of one head and one text; a block has up to four warps, which
 * share keys and values.  These travel to shared memory by cp.async, 64 rows of each at a
 * time (32 for heads of more than 64), in two stages: one is under way while the other is
 * multiplied.  Scores are sums of mma.sync and stay in the warp's registers; the softmax is
 * made over as it goes (running maximum and sum, in powers of two); its weights, rounded
 * to 16 bits, already lie where the second product wants its left side.
 *
 * attention_mma_DIM_* is for heads up to DIM: columns behind a head's end are zeros.  Of a
 * text's last rows only those sixteens are multiplied that have a key, and a block has no
 * more warps and shared memory than the longest text has use for.  What a warp computes
 * depends on its own text alone.
 *
 * Shapes   head_dim up to 128, a multiple of 8, else attention_* computes; texts of any length
 * Work     a head: 4 * len^2 * head_dim FLOP, len^2 powers of two; 8 * len * head_dim bytes of
 *          memory, and for each 64 queries 4 * len * head_dim bytes of the L2 cache
 * Bound by memory for heads of 32 up to some 250 tokens, then by powers of two and by what
 *          else is done to a score (300 instructions of a warp for 16 x 64 of them); for
 *          heads of 128 by tensor cores
 * Roofline estimate for an H100: heads of 32 and 128 tokens: half of 3.35 TB/s, 11 % of the
 *          989 TFLOP/s of 16 bits; heads of 128 and 512 tokens: 30 % of them; texts of 16
 *          tokens: latency
 */
#ifndef AIF_KERNELS_ATTENTION_MMA_CUH
#define AIF_KERNELS_ATTENTION_MMA_CUH

#include "kernels/gpu.h"

#define MMA_QUERIES AIF_CUDA_ATTENTION_MMA_QUERIES
#define MMA_STAGES 2
#define LOG2_E 1.4426950408889634f

/* What a warp has of its queries: fragments, and what it knows of them so far. */
template <typename T, uint32_t DIM>
struct attention_tile {
	typedef T storage;

	static constexpr uint32_t keys = AIF_CUDA_ATTENTION_MMA_KEYS(DIM);
	static constexpr uint32_t units = DIM / 8;	/* of 16 bytes in a row */
	static constexpr uint32_t stride = DIM + 8;	/* no two of eight rows' units in a bank */
	static constexpr uint32_t ds = DIM / 16, ks = keys / 16;

	static_assert(MMA_STAGES * 2 * keys * stride * sizeof(T) ==
		      AIF_CUDA_ATTENTION_MMA_SHARED(DIM, keys), "as launched");
	static_assert(WARP % units == 0, "a thread has one column");

	uint32_t q[ds][4];
	float score[2 * ks][4];		/* of two rows, as mma.sync wants them: */
	float sum[2 * ds][4];		/* elements 0 and 1, 2 and 3 */
	float most[2], total[2];
};

/* A block's text and head, and its part of them. */
template <typename T>
struct attention_part {
	const T *qkv;		/* of the text's first token */
	uint32_t row;		/* of qkv, in elements */
	uint32_t hidden, dim;
	uint32_t first, length;	/* of the text, in tokens */
	uint32_t query;		/* the warp's first */
	uint32_t room;		/* rows of a stage */
};

/* Keys from token @at on, and their values behind; zeros where there is none. */
template <typename Tile, typename T>
GPU void attention_fetch(T *stage, const attention_part<T> &x, uint32_t at)
{
	uint32_t row = threadIdx.x / Tile::units, j = threadIdx.x % Tile::units * 8;
	uint32_t step = blockDim.x / Tile::units, rows = at < x.length ? x.length - at : 0;
	const T *k = x.qkv + (uint64_t)(at + row) * x.row + x.hidden + j;
	T *to = stage + row * Tile::stride + j;

	for (; row < x.room && row / 16 * 16 < rows; row += step) {
		bool there = row < rows && j < x.dim;

		gpu_cp_async(to, there ? k : x.qkv, there ? 16 : 0);
		gpu_cp_async(to + x.room * Tile::stride, there ? k + x.hidden : x.qkv,
			     there ? 16 : 0);
		k += step * x.row;
		to += step * Tile::stride;
	}
	gpu_cp_async_commit();
}

/* Queries as the left side of a product: of two rows, eight apart. */
template <typename Tile, typename T>
GPU void attention_begin(Tile &t, const attention_part<T> &x)
{
	uint32_t lane = threadIdx.x % WARP;

	for (uint32_t i = 0; i < 4 * Tile::ds; i++) {
		uint32_t row = x.query + lane / 4 + i % 2 * 8, j = lane % 4 * 2 + i / 2 * 8;

		t.q[i / 4][i % 4] = row < x.length && j < x.dim ?
			load2(x.qkv + (uint64_t)row * x.row + j) : 0;
	}
	for (uint32_t half = 0; half < 2; half++) {
		t.most[half] = -INFINITY;
		t.total[half] = 0;
	}
	for (uint32_t i = 0; i < 8 * Tile::ds; i++)
		t.sum[i / 4][i % 4] = 0;
}

/* Of @ks times sixteen keys: a fragment of sixteen is the right side of two products. */
template <uint32_t ks, typename Tile, typename T>
GPU void attention_score(Tile &t, const T *k)
{
	uint32_t lane = threadIdx.x % WARP;
	const T *row = k + (lane % 8 + lane / 16 * 8) * Tile::stride + lane / 8 % 2 * 8;

	for (uint32_t i = 0; i < ks; i++) {
		for (uint32_t e = 0; e < 8; e++)
			t.score[2 * i + e / 4][e % 4] = 0;
		for (uint32_t d = 0; d < Tile::ds; d++) {
			uint32_t b[4];

			gpu_ldmatrix_x4(b, row + 16 * i * Tile::stride + 16 * d);
			mma_product(T(), t.score[2 * i], t.q[d], b);
			mma_product(T(), t.score[2 * i + 1], t.q[d], b + 2);
		}
	}
}

/* Over the four lanes that share a row. */
GPU float quad_max(float v)
{
	v = fmaxf(v, gpu_shfl_xor(v, 1));
	return fmaxf(v, gpu_shfl_xor(v, 2));
}

GPU float quad_sum(float v)
{
	v += gpu_shfl_xor(v, 1);
	return v + gpu_shfl_xor(v, 2);
}

/* Scores in powers of two, and in @most the largest of them.  Only the last keys are not all there. */
template <uint32_t ks, typename Tile>
GPU void attention_scale(Tile &t, float (&most)[2], float scale, uint32_t keys)
{
	uint32_t column = threadIdx.x % 4 * 2;

	for (uint32_t i = 0; i < 8 * ks; i++) {
		float &score = t.score[i / 4][i % 4];
		bool there = i / 8 + 1 < ks || i / 4 * 8 + column + i % 2 < keys;

		score = there ? score * scale : -INFINITY;
		most[i % 4 / 2] = fmaxf(most[i % 4 / 2], score);
	}
	for (uint32_t half = 0; half < 2; half++)
		most[half] = quad_max(most[half]);
}

/* What was known by an older maximum is known by the new one. */
template <typename Tile>
GPU void attention_rebase(Tile &t, const float (&base)[2])
{
	for (uint32_t half = 0; half < 2; half++) {
		float kept = gpu_exp2(t.most[half] - base[half]);

		t.total[half] *= kept;
		for (uint32_t i = 0; i < 4 * Tile::ds; i++)
			t.sum[i / 2][2 * half + i % 2] *= kept;
	}
}

/* Scores become weights. */
template <uint32_t ks, typename Tile>
GPU void attention_weigh(Tile &t, float scale, uint32_t keys)
{
	float most[2] = { t.most[0], t.most[1] }, base[2];

	attention_scale<ks>(t, most, scale, keys);
	/* Of minus infinities alone nothing is known yet. */
	for (uint32_t half = 0; half < 2; half++)
		base[half] = most[half] == -INFINITY ? 0 : most[half];
	attention_rebase(t, base);
	for (uint32_t i = 0; i < 8 * ks; i++) {
		float &score = t.score[i / 4][i % 4];

		score = gpu_exp2(score - base[i % 4 / 2]);
		t.total[i % 4 / 2] += score;
	}
	t.most[0] = most[0];
	t.most[1] = most[1];
}

/* Weights of sixteen keys, two products' sums, are the left side of as many as the head has. */
template <uint32_t ks, typename Tile, typename T>
GPU void attention_add_values(Tile &t, const T *v)
{
	uint32_t lane = threadIdx.x % WARP;
	const T *row = v + lane % 16 * Tile::stride + lane / 16 * 8;

	for (uint32_t i = 0; i < ks; i++) {
		const float *left = t.score[2 * i], *right = t.score[2 * i + 1];
		uint32_t a[4] = { pack2(T(), left[0], left[1]), pack2(T(), left[2], left[3]),
				  pack2(T(), right[0], right[1]), pack2(T(), right[2], right[3]) };

		for (uint32_t d = 0; d < Tile::ds; d++) {
			uint32_t b[4];

			gpu_ldmatrix_x4_trans(b, row + 16 * i * Tile::stride + 16 * d);
			mma_product(T(), t.sum[2 * d], a, b);
			mma_product(T(), t.sum[2 * d + 1], a, b + 2);
		}
	}
}

/* A stage of which @keys are there: code of its own for each number of sixteens. */
template <uint32_t ks, typename Tile, typename T>
GPU void attention_add(Tile &t, const attention_part<T> &x, const T *stage, float scale,
		       uint32_t keys)
{
	if (keys > 16 * (ks - 1)) {
		attention_score<ks>(t, stage);
		attention_weigh<ks>(t, scale, keys);
		attention_add_values<ks>(t, stage + x.room * Tile::stride);
	} else if constexpr (ks > 1) {
		attention_add<ks - 1>(t, x, stage, scale, keys);
	}
}

/*
 * All keys, a stage at a time.  Behind the first barrier a stage is there, behind the
 * second all have read it; where nothing follows, nobody waits.
 */
template <typename Tile, typename T>
GPU void attention_walk(Tile &t, const attention_part<T> &x, T *stages, float scale)
{
	uint32_t stage = 2 * x.room * Tile::stride, next = 0;

	for (uint32_t at = 0; at < x.length; at += x.room) {
		T *now = stages + next;
		uint32_t keys = x.length - at;

		gpu_cp_async_wait<MMA_STAGES - 1>();
		gpu_sync();
		if (x.query < x.length)
			attention_add<Tile::ks>(t, x, now, scale, keys);
		if (keys > MMA_STAGES * x.room)
			gpu_sync();
		attention_fetch<Tile>(now, x, at + MMA_STAGES * x.room);
		next = stage - next;
	}
}

template <typename Tile, typename T>
GPU void attention_store(const Tile &t, const attention_part<T> &x, T *out)
{
	uint32_t lane = threadIdx.x % WARP;

	for (uint32_t half = 0; half < 2; half++) {
		uint32_t row = x.query + lane / 4 + 8 * half;
		float weight = 1 / quad_sum(t.total[half]);
		T *to = out + (uint64_t)(x.first + row) * x.hidden;

		for (uint32_t i = 0; i < 2 * Tile::ds; i++) {
			uint32_t j = 8 * i + lane % 4 * 2;

			if (row < x.length && j < x.dim)
				store2(to + j, t.sum[i][2 * half] * weight,
				       t.sum[i][2 * half + 1] * weight);
		}
	}
}

template <typename T>
GPU attention_part<T> attention_find(const aif_cuda_attention &p, uint32_t keys)
{
	uint32_t text = blockIdx.z, queries = blockDim.x / WARP * MMA_QUERIES;
	attention_part<T> x;

	x.dim = p.head_dim;
	x.hidden = p.heads * x.dim;
	x.row = 3 * x.hidden;
	x.first = p.cu_seqlens[text];
	x.length = p.cu_seqlens[text + 1] - x.first;
	x.query = blockIdx.y * queries + threadIdx.x / WARP * MMA_QUERIES;
	x.room = queries < keys ? queries : keys;
	x.qkv = (const T *)p.qkv + (uint64_t)x.first * x.row + blockIdx.x * x.dim;
	return x;
}

template <typename Tile>
GPU void attention_mma(const aif_cuda_attention &p)
{
	typedef typename Tile::storage T;
	KDYNSHARED(T, stages);
	attention_part<T> x = attention_find<T>(p, Tile::keys);
	Tile t;

	if (x.query - threadIdx.x / WARP * MMA_QUERIES >= x.length)
		return;
	for (uint32_t i = 0; i < MMA_STAGES; i++)
		attention_fetch<Tile>(stages + i * 2 * x.room * Tile::stride, x, i * x.room);
	attention_begin(t, x);
	attention_walk(t, x, stages, p.scale * LOG2_E);
	attention_store(t, x, (T *)p.out + blockIdx.x * x.dim);
}

#endif
