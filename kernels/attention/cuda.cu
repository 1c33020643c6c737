// SPDX-License-Identifier: MIT
/*
 * attention of ragged texts, fused: scores never leave the block.  On tensor cores: mma.cuh.
 * Without them: f32, and storage of 16 bits for devices before sm_80 and for heads that
 * tensor cores cannot take.
 *
 * A block of 4 warps takes 16 queries of one head and one text, and walks over the text's
 * keys, 32 at a time, in shared memory.  A warp has 4 queries; a lane has one key when
 * scores are made and every 32nd dimension when values are summed.  The softmax is
 * made over as it goes (running maximum and sum).
 *
 * Limits   head_dim up to 128; texts of any length
 * Bound by shared memory's bandwidth: 4 * len^2 * head_dim FLOP a head in f32 without
 *          tensor cores; s * 4 * len * head_dim bytes
 * Roofline estimate for an H100: 25 % of 67 TFLOP/s at 128 tokens
 */
#include "kernels/attention/mma.cuh"

#define QUERIES AIF_CUDA_ATTENTION_QUERIES
#define KEYS AIF_CUDA_ATTENTION_KEYS
#define WARPS 4
#define PER_WARP (QUERIES / WARPS)
#define PARTS (AIF_CUDA_HEAD_DIM_MAX / WARP)
#define THREADS (WARPS * WARP)

static_assert(KEYS == WARP, "a lane has a key");

/* Where things lie in shared memory; a key's row is one longer, so that lanes differ in banks. */
struct attention_memory {
	float *k, *v, *q, *p;
};

/* What a warp knows of its queries so far. */
struct attention_state {
	float most[PER_WARP], total[PER_WARP], sum[PER_WARP][PARTS];
};

/* @rows rows from @from into @to, one every @stride; zeros behind them up to @most. */
template <typename T>
GPU void load_rows(float *to, uint32_t stride, const T *from, uint32_t row_stride, uint32_t rows,
		   uint32_t most, uint32_t dim, float scale)
{
	for (uint32_t i = threadIdx.x; i < most * dim; i += THREADS) {
		uint32_t row = i / dim, j = i % dim;

		to[row * stride + j] = row < rows ?
			to_f32(from[(uint64_t)row * row_stride + j]) * scale : 0;
	}
}

/* Scores of the warp's queries with this lane's key become weights in @m.p. */
GPU void weigh(const attention_memory &m, attention_state &s, uint32_t keys, uint32_t dim)
{
	uint32_t lane = threadIdx.x % WARP, first = threadIdx.x / WARP * PER_WARP;

	for (int i = 0; i < PER_WARP; i++) {
		const float *q = m.q + (first + i) * dim, *k = m.k + lane * (dim + 1);
		float score = 0, most, base, weight, kept;

		for (uint32_t j = 0; j < dim; j++)
			score += q[j] * k[j];
		if (lane >= keys)
			score = -INFINITY;
		most = fmaxf(s.most[i], warp_max(score));
		/* Of minus infinities alone nothing is known yet. */
		base = most == -INFINITY ? 0 : most;
		weight = lane < keys ? expf(score - base) : 0;
		kept = expf(s.most[i] - base);
		s.most[i] = most;
		s.total[i] = s.total[i] * kept + warp_sum(weight);
		for (int part = 0; part < PARTS; part++)
			s.sum[i][part] *= kept;
		m.p[(first + i) * KEYS + lane] = weight;
	}
}

GPU void add_values(const attention_memory &m, attention_state &s, uint32_t keys, uint32_t dim)
{
	uint32_t lane = threadIdx.x % WARP, first = threadIdx.x / WARP * PER_WARP;

	for (uint32_t u = 0; u < keys; u++) {
		for (int part = 0; part < PARTS; part++) {
			uint32_t j = lane + part * WARP;
			float v = j < dim ? m.v[u * dim + j] : 0;

			for (int i = 0; i < PER_WARP; i++)
				s.sum[i][part] += m.p[(first + i) * KEYS + u] * v;
		}
	}
}

template <typename T>
GPU void store_queries(const attention_state &s, T *out, uint32_t queries, uint32_t stride,
		       uint32_t dim)
{
	uint32_t lane = threadIdx.x % WARP, first = threadIdx.x / WARP * PER_WARP;

	for (int i = 0; i < PER_WARP; i++) {
		for (int part = 0; part < PARTS; part++) {
			uint32_t j = lane + part * WARP;

			if (first + i < queries && j < dim)
				from_f32(out + (uint64_t)(first + i) * stride + j,
					 s.sum[i][part] / s.total[i]);
		}
	}
}

template <typename T>
GPU void attention(const aif_cuda_attention &p)
{
	KDYNSHARED(float, shared);
	uint32_t text = blockIdx.z, query = blockIdx.y * QUERIES;
	uint32_t first = p.cu_seqlens[text], length = p.cu_seqlens[text + 1] - first;
	uint32_t dim = p.head_dim, hidden = p.heads * dim;
	const T *head = (const T *)p.qkv + (uint64_t)first * 3 * hidden + blockIdx.x * dim;
	attention_memory m;
	attention_state s;

	if (query >= length)
		return;
	m.k = shared;
	m.v = m.k + KEYS * (dim + 1);
	m.q = m.v + KEYS * dim;
	m.p = m.q + QUERIES * dim;
	for (int i = 0; i < PER_WARP; i++) {
		s.most[i] = -INFINITY;
		s.total[i] = 0;
		for (int part = 0; part < PARTS; part++)
			s.sum[i][part] = 0;
	}
	load_rows(m.q, dim, head + (uint64_t)query * 3 * hidden, 3 * hidden, length - query, QUERIES,
		  dim, p.scale);
	for (uint32_t at = 0; at < length; at += KEYS) {
		const T *k = head + (uint64_t)at * 3 * hidden + hidden;
		uint32_t keys = length - at < KEYS ? length - at : KEYS;

		load_rows(m.k, dim + 1, k, 3 * hidden, keys, KEYS, dim, 1);
		load_rows(m.v, dim, k + hidden, 3 * hidden, keys, KEYS, dim, 1);
		gpu_sync();
		weigh(m, s, keys, dim);
		gpu_warp_sync();
		add_values(m, s, keys, dim);
		gpu_sync();
	}
	store_queries(s, (T *)p.out + (uint64_t)(first + query) * hidden + blockIdx.x * dim,
		      length - query, hidden, dim);
}

KERNEL(attention_f32, aif_cuda_attention, THREADS, 4)
{
	attention<float>(p);
}

KERNEL(attention_bf16, aif_cuda_attention, THREADS, 4)
{
	attention<bf16>(p);
}

KERNEL(attention_f16, aif_cuda_attention, THREADS, 4)
{
	attention<f16>(p);
}

#ifdef GPU_HAS_MMA
#define MMA_KERNEL(name, type, dim, blocks)						\
	KERNEL(name, aif_cuda_attention, WARP * AIF_CUDA_ATTENTION_MMA_WARPS, blocks)	\
	{										\
		attention_mma<attention_tile<type, dim>>(p);				\
	}

MMA_KERNEL(attention_mma_32_bf16, bf16, 32, 4)
MMA_KERNEL(attention_mma_32_f16, f16, 32, 4)
MMA_KERNEL(attention_mma_64_bf16, bf16, 64, 3)
MMA_KERNEL(attention_mma_64_f16, f16, 64, 3)
MMA_KERNEL(attention_mma_128_bf16, bf16, 128, 2)
MMA_KERNEL(attention_mma_128_f16, f16, 128, 2)
#endif
