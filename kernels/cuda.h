/* SPDX-License-Identifier: MIT */
/*
 * cuda.h - the CUDA kernels: what each takes, and how it is launched
 *
 * Shared by the kernels (C++, kernels/<operator>/cuda.cu), the CUDA backend and the
 * tests (C).  A kernel takes its struct by value; @reserved is 0, so that none of its
 * bytes is whatever was there: who compares arguments compares bytes.  Pointers are
 * device addresses, aligned to 16 bytes unless said otherwise (embed and layernorm take
 * any, and are faster then); semantics are aif_ops.h's.  A launch function turns arguments that are sound into
 * a kernel's name and geometry; one with a grid of 0 blocks is not to be launched.
 *
 * "Storage" is how activations lie in memory: f32, or bf16 or f16 with arithmetic in f32.
 * Tables, biases and what pool writes are f32 always.
 */
#ifndef AIF_KERNELS_CUDA_H
#define AIF_KERNELS_CUDA_H

#include <stdint.h>
#include <string.h>

enum aif_cuda_storage {
	AIF_CUDA_F32,
	AIF_CUDA_BF16,
	AIF_CUDA_F16,
};

/* Of an operator that has a kernel for each storage. */
#define AIF_CUDA_KERNEL(op, storage)							\
	((storage) == AIF_CUDA_BF16 ? op "_bf16" : (storage) == AIF_CUDA_F16 ? op "_f16" : op "_f32")

/* @shared: dynamic, in bytes */
struct aif_cuda_launch {
	const char *kernel;
	uint32_t grid[3];
	uint32_t threads;
	uint32_t shared;
};

#define AIF_CUDA_ROW_THREADS 128

/* @x, @residual (or NULL), @out: storage [rows, hidden] */
struct aif_cuda_layernorm {
	const void *x, *residual;
	const float *gamma, *beta;
	void *out;
	float eps;
	uint32_t rows, hidden, reserved;
};

static inline struct aif_cuda_launch
aif_cuda_layernorm_launch(const struct aif_cuda_layernorm *p, enum aif_cuda_storage storage)
{
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("layernorm", storage),
		{ p->rows, 1, 1 }, AIF_CUDA_ROW_THREADS, 0,
	};

	return l;
}

/*
 * Ids may lie in memory that another process writes: each is loaded once and clamped.
 *
 * @began: becomes the device's clock when the launch begins; may be NULL
 */
struct aif_cuda_embed {
	const int32_t *ids, *cu_seqlens;
	const float *words, *positions, *type;
	const float *gamma, *beta;
	void *out;
	uint64_t *began;
	float eps;
	uint32_t tokens, texts, hidden, vocab, places;
};

static inline struct aif_cuda_launch
aif_cuda_embed_launch(const struct aif_cuda_embed *p, enum aif_cuda_storage storage)
{
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("embed", storage),
		{ p->tokens, 1, 1 }, AIF_CUDA_ROW_THREADS, 0,
	};

	return l;
}

#define AIF_CUDA_EMBED_TEXTS 256	/* of one launch: their ids' addresses are parameters */

/*
 * Ids lie where each text has its own, which is read across the bus; @embed.ids is unused.
 *
 * @text, @token: the first of the launch; @embed.tokens: how many the launch has
 * @ids: of the texts from @text on, aligned to 4 bytes only
 */
struct aif_cuda_embed_each {
	struct aif_cuda_embed embed;
	uint32_t text, token;
	const int32_t *ids[AIF_CUDA_EMBED_TEXTS];
};

static inline struct aif_cuda_launch
aif_cuda_embed_each_launch(const struct aif_cuda_embed_each *p, enum aif_cuda_storage storage)
{
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("embed_each", storage),
		{ p->embed.tokens, 1, 1 }, AIF_CUDA_ROW_THREADS, 0,
	};

	return l;
}

/*
 * K is summed in pieces of this length, the pieces' sums one after the other, whoever
 * does it: an element has the same bits whatever M is and however the work was split.
 */
#define AIF_CUDA_GEMM_CHUNK 128
#define AIF_CUDA_GEMM_SPLITS_MAX 64

/*
 * @w:       storage [n, k]
 * @partial: f32 [splits, m, n]; NULL with splits 1
 * @arrived: a counter for each tile of @out, 0 before and after; NULL with splits 1
 * @splits:  1, or one for each piece of K
 */
struct aif_cuda_gemm {
	const void *x, *w;
	const float *bias;
	const void *residual;
	void *out;
	float *partial;
	uint32_t *arrived;
	uint32_t m, n, k, act, splits, reserved;
};

static inline uint32_t aif_cuda_tiles(uint32_t n, uint32_t tile)
{
	return n / tile + (n % tile != 0);
}

/*
 * What a kernel is chosen by.
 *
 * @sm:   the architecture, 75 or 80 and so on
 * @tf32: of f32 storage gemm may round what it multiplies to 10 bits of fraction
 */
struct aif_cuda_target {
	enum aif_cuda_storage storage;
	uint32_t sm, processors;
	int tf32;
};

/* A block's tile; tensor cores have two. */
#define AIF_CUDA_GEMM_TILE 64
#define AIF_CUDA_GEMM_WIDE 128
#define AIF_CUDA_MMA_STAGES 3
#define AIF_CUDA_MMA_SHARED(tile) (AIF_CUDA_MMA_STAGES * 2 * (tile) * 128u)

/*
 * Tensor cores compute all but strict f32 from sm_80 on where rows of K are aligned to 16
 * bytes.  By nothing else, so that an element has the same bits whatever M is.
 */
static inline int aif_cuda_gemm_uses_mma(const struct aif_cuda_gemm *p,
					 const struct aif_cuda_target *on)
{
	int is_f32 = on->storage == AIF_CUDA_F32;

	return on->sm >= 80 && (is_f32 ? on->tf32 && p->k % 4 == 0 : p->k % 8 == 0);
}

/* On tensor cores f32 storage is tf32. */
#define AIF_CUDA_GEMM_MMA(op, storage)							\
	((storage) == AIF_CUDA_F32 ? op "_tf32" : AIF_CUDA_KERNEL(op, storage))

/* The wide tile where that many give work to every processor: it reads half as much. */
static inline uint32_t aif_cuda_gemm_tile(const struct aif_cuda_gemm *p,
					  const struct aif_cuda_target *on)
{
	uint64_t wide = (uint64_t)aif_cuda_tiles(p->n, AIF_CUDA_GEMM_WIDE) *
			aif_cuda_tiles(p->m, AIF_CUDA_GEMM_WIDE);

	return aif_cuda_gemm_uses_mma(p, on) && wide >= on->processors ? AIF_CUDA_GEMM_WIDE :
									 AIF_CUDA_GEMM_TILE;
}

/*
 * How many blocks share a tile of the output, for @tiles of them: one each, unless that
 * leaves processors without work.
 */
static inline uint32_t aif_cuda_gemm_splits(uint32_t tiles, uint32_t k, uint32_t processors)
{
	uint32_t pieces = aif_cuda_tiles(k, AIF_CUDA_GEMM_CHUNK);

	return tiles >= processors || pieces > AIF_CUDA_GEMM_SPLITS_MAX || !pieces ? 1 : pieces;
}

static inline struct aif_cuda_launch
aif_cuda_gemm_launch(const struct aif_cuda_gemm *p, const struct aif_cuda_target *on)
{
	uint32_t tile = aif_cuda_gemm_tile(p, on);
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("gemm_plain", on->storage),
		{ aif_cuda_tiles(p->n, tile), aif_cuda_tiles(p->m, tile), p->splits }, 256, 0,
	};

	if (aif_cuda_gemm_uses_mma(p, on)) {
		l.kernel = tile == AIF_CUDA_GEMM_WIDE ? AIF_CUDA_GEMM_MMA("gemm_mma_wide", on->storage) :
							AIF_CUDA_GEMM_MMA("gemm_mma", on->storage);
		l.threads = 2 * tile;
		l.shared = AIF_CUDA_MMA_SHARED(tile);
	}
	return l;
}

#define AIF_CUDA_ATTENTION_QUERIES 16	/* of one block */
#define AIF_CUDA_ATTENTION_KEYS 32	/* at a time */
#define AIF_CUDA_HEAD_DIM_MAX 128
#define AIF_CUDA_ATTENTION_TEXTS 65535	/* of one launch: a grid has no more layers */

/*
 * @longest: no text is longer; a text has as many blocks as one of this length, and those
 *           behind its end do nothing
 */
struct aif_cuda_attention {
	const void *qkv;
	const int32_t *cu_seqlens;
	void *out;
	float scale;
	uint32_t texts, heads, head_dim, longest, reserved;
};

/* On tensor cores: of a warp, of a block at most, and at a time. */
#define AIF_CUDA_ATTENTION_MMA_QUERIES 16
#define AIF_CUDA_ATTENTION_MMA_WARPS 4
#define AIF_CUDA_ATTENTION_MMA_KEYS(dim) ((dim) > 64 ? 32u : 64u)

/* Two stages of @rows keys and values, eight elements of 16 bits longer than a head. */
#define AIF_CUDA_ATTENTION_MMA_SHARED(dim, rows) (2 * 2 * (rows) * ((dim) + 8u) * 2)

/* Tensor cores take 16 bits, from sm_80 on, where heads are aligned to 16 bytes. */
static inline int aif_cuda_attention_uses_mma(const struct aif_cuda_attention *p,
					      const struct aif_cuda_target *on)
{
	return on->sm >= 80 && on->storage != AIF_CUDA_F32 && p->head_dim % 8 == 0;
}

/* No more warps, nor rows in shared memory, than the longest text has use for. */
static inline struct aif_cuda_launch
aif_cuda_attention_mma_launch(const struct aif_cuda_attention *p, enum aif_cuda_storage storage)
{
	uint32_t all = aif_cuda_tiles(p->longest, AIF_CUDA_ATTENTION_MMA_QUERIES);
	uint32_t warps = all < AIF_CUDA_ATTENTION_MMA_WARPS ? all : AIF_CUDA_ATTENTION_MMA_WARPS;
	uint32_t dim = p->head_dim <= 32 ? 32 : p->head_dim <= 64 ? 64 : 128;
	uint32_t rows = warps * AIF_CUDA_ATTENTION_MMA_QUERIES, keys = AIF_CUDA_ATTENTION_MMA_KEYS(dim);
	struct aif_cuda_launch l = {
		dim == 32 ? AIF_CUDA_KERNEL("attention_mma_32", storage) :
		dim == 64 ? AIF_CUDA_KERNEL("attention_mma_64", storage) :
			    AIF_CUDA_KERNEL("attention_mma_128", storage),
		{ p->heads, warps ? aif_cuda_tiles(all, warps) : 0, p->texts }, 32 * warps,
		AIF_CUDA_ATTENTION_MMA_SHARED(dim, rows < keys ? rows : keys),
	};

	return l;
}

static inline struct aif_cuda_launch
aif_cuda_attention_launch(const struct aif_cuda_attention *p, const struct aif_cuda_target *on)
{
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("attention", on->storage),
		{ p->heads, aif_cuda_tiles(p->longest, AIF_CUDA_ATTENTION_QUERIES), p->texts }, 128,
		4 * (AIF_CUDA_ATTENTION_KEYS * (2 * p->head_dim + 1) +
		     AIF_CUDA_ATTENTION_QUERIES * (p->head_dim + AIF_CUDA_ATTENTION_KEYS)),
	};

	return aif_cuda_attention_uses_mma(p, on) ? aif_cuda_attention_mma_launch(p, on->storage) : l;
}

#define AIF_CUDA_POOL_TEXTS 256	/* of one launch: their addresses are parameters */
#define AIF_CUDA_POOL_HIDDEN_MAX 8192

/* In the host's memory.  @ticket is written last. */
struct aif_cuda_told {
	uint64_t ns;
	uint32_t ticket, reserved;
};

/*
 * @arrived: a counter, 0 before and after; unused without @told
 * @told:    has @ticket when all vectors of the launch can be read by whoever sees it, the
 *           host too, and the time since @began, if that is not NULL; NULL: nobody waits
 * @first:   of the launch's texts
 * @out:     aligned to 4 bytes only, and where clients want it
 */
struct aif_cuda_pool {
	const void *x;
	const int32_t *cu_seqlens;
	uint32_t *arrived;
	struct aif_cuda_told *told;
	const uint64_t *began;
	uint32_t first, texts, hidden, ticket;
	float *out[AIF_CUDA_POOL_TEXTS];
};

static inline struct aif_cuda_launch
aif_cuda_pool_launch(const struct aif_cuda_pool *p, enum aif_cuda_storage storage)
{
	struct aif_cuda_launch l = {
		AIF_CUDA_KERNEL("pool", storage),
		{ p->texts, 1, 1 }, 256, 4 * p->hidden,
	};

	return l;
}

#endif
