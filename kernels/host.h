/* SPDX-License-Identifier: MIT */
/*
 * host.h - the operators of aif_ops.h over plain host pointers
 *
 * One table per implementation: `ref` (readable, single-threaded, sums in
 * double) and the fast code built once per instruction set.  The CPU backend
 * resolves and checks tensors, so nothing here checks anything: shapes fit,
 * offsets are sound, outputs do not overlap where aif_ops.h forbids it.
 *
 * Fast code splits its work so that each output element is computed by one
 * task, always in the same order of additions: results do not depend on the
 * number of threads, on the batch, or on which thread ran what.
 */
#ifndef AIF_KERNELS_HOST_H
#define AIF_KERNELS_HOST_H

#include "kernels/aif_ops.h"

/* What a host backend's memory is to the kernels. */
struct aif_mem {
	void *base;
	size_t bytes;
};

/* @scratch: the running thread's own, aligned to 64 bytes; its size is the team's. */
typedef void aif_task_fn(const void *arg, size_t task, void *scratch);

/*
 * A team of threads.  run() calls fn(arg, i, scratch) once for each i below
 * @tasks, on the caller and the team's other threads, and returns when all are done.
 */
struct aif_team {
	unsigned int threads;
	void (*run)(struct aif_team *team, size_t tasks, aif_task_fn *fn, const void *arg);
};

struct aif_host_embed {
	const int32_t *ids;		/* [tokens], loaded once each, then clamped */
	const struct aif_tensor *each;	/* instead of ids: [texts] tensors of a text's own */
	const int32_t *cu_seqlens;	/* [texts + 1] */
	size_t texts, hidden, vocab, places;
	const float *words, *positions, *type;
	const float *gamma, *beta;
	float eps;
	float *out;
};

struct aif_host_layernorm {
	const float *x, *residual;	/* residual may be NULL */
	const float *gamma, *beta;
	float eps;
	size_t rows, hidden;
	float *out;
};

struct aif_host_gemm {
	const float *x;
	const float *packed;		/* by the same table's gemm_pack() */
	const float *bias, *residual;	/* each may be NULL */
	size_t m, n, k;
	enum aif_activation act;
	float *out;
};

struct aif_host_attention {
	const float *qkv;
	const int32_t *cu_seqlens;
	size_t texts, heads, head_dim;
	float scale;
	float *out;
};

struct aif_host_pool {
	const float *x;
	const int32_t *cu_seqlens;
	size_t texts, hidden;
	const struct aif_tensor *out;	/* [texts] tensors [hidden] */
};

struct aif_host_ops {
	const char *name;
	/* Floats that gemm_pack() writes for w [n, k]. */
	size_t (*gemm_packed_floats)(size_t n, size_t k);
	void (*gemm_pack)(float *packed, const float *w, size_t n, size_t k);
	/* Bytes of scratch that a thread needs for texts and heads up to this size. */
	size_t (*attention_scratch)(size_t max_seqlen, size_t max_head_dim);

	void (*embed)(struct aif_team *team, const struct aif_host_embed *op);
	void (*layernorm)(struct aif_team *team, const struct aif_host_layernorm *op);
	void (*gemm)(struct aif_team *team, const struct aif_host_gemm *op);
	void (*attention)(struct aif_team *team, const struct aif_host_attention *op);
	void (*pool)(struct aif_team *team, const struct aif_host_pool *op);
};

static inline void *aif_host_address(const struct aif_tensor *t)
{
	return (char *)t->mem->base + t->offset;
}

/* Where the ids of text @i are. */
static inline const int32_t *aif_host_ids(const struct aif_host_embed *op, size_t i)
{
	return op->each ? (const int32_t *)aif_host_address(&op->each[i]) :
			  op->ids + op->cu_seqlens[i];
}

/* An untrusted id: one load, whatever another process writes meanwhile. */
static inline size_t aif_clamp_id(const int32_t *id, size_t count)
{
	int32_t v = __atomic_load_n(id, __ATOMIC_RELAXED);

	if (v < 0)
		return 0;
	return (size_t)v < count ? (size_t)v : count - 1;
}

extern const struct aif_host_ops aif_host_ref;

/*
 * The fast operators for @name: "avx512", "avx2" or "portable"; the best that this
 * machine has when it is NULL or empty.  -EINVAL: no such name in this build;
 * -EOPNOTSUPP: this machine lacks it.
 */
int aif_host_select(const char *name, const struct aif_host_ops **ops);

#endif
