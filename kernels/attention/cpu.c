// SPDX-License-Identifier: MIT
/*
 * A task is one head of one text.  It lays the head's keys out as gemm lays out a
 * weight, the values as dense rows, and takes TILE_ROWS queries at a time through
 * scores, softmax and the weighted sum; the scores never leave the first-level cache.
 */
#include "kernels/cpu.h"
#include "kernels/tile.h"

/* One thread's scratch for a text of @len tokens and heads of @dim elements. */
struct head {
	size_t len, dim;
	size_t keys_ld, values_ld;	/* len and dim, up to whole vectors */
	float *keys;	/* panels of TILE_COLS keys, the last may be narrower: [dim][keys] */
	float *values;	/* [len][values_ld] */
	float *scores;	/* [TILE_ROWS][keys_ld] */
	float *sums;	/* [TILE_ROWS][values_ld] */
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All lengths are multiples of VL floats, so every part stays aligned. */
static void lay_out(struct head *h, size_t len, size_t dim, float *scratch)
{
	h->len = len;
	h->dim = dim;
	h->keys_ld = round_up(len, VL);
	h->values_ld = round_up(dim, VL);
	h->scores = scratch;
	h->sums = h->scores + TILE_ROWS * h->keys_ld;
	h->values = h->sums + TILE_ROWS * h->values_ld;
	h->keys = h->values + len * h->values_ld;
}

size_t ISA(aif_attention_scratch)(size_t max_seqlen, size_t max_head_dim)
{
	size_t len = round_up(max_seqlen, VL), dim = round_up(max_head_dim, VL);

	return (TILE_ROWS * (len + dim) + 2 * len * dim) * sizeof(float);
}

static size_t panel_width(const struct head *h, size_t panel)
{
	return min(h->keys_ld - panel, TILE_COLS);
}

/* VL keys from @first on become VL columns. */
static void pack_key_block(const struct head *h, const float *k, size_t stride, size_t first)
{
	size_t panel = first / TILE_COLS * TILE_COLS, ld = panel_width(h, panel);
	float *to = h->keys + panel * h->dim + (first - panel);

	for (size_t j = 0; j < h->dim; j += VL) {
		vf block[VL];

		for (size_t i = 0; i < VL; i++)
			block[i] = first + i < h->len ?
				vload_n(k + (first + i) * stride + j, h->dim - j) : (vf){ 0 };
		vtranspose(block);
		for (size_t i = 0; i < VL && j + i < h->dim; i++)
			vstore(to + (j + i) * ld, block[i]);
	}
}

static void pack_keys(const struct head *h, const float *k, size_t stride)
{
	for (size_t u = 0; u < h->len; u += VL)
		pack_key_block(h, k, stride, u);
}

static void pack_values(const struct head *h, const float *v, size_t stride)
{
	for (size_t u = 0; u < h->len; u++)
		for (size_t j = 0; j < h->dim; j += VL)
			vstore(h->values + u * h->values_ld + j,
			       vload_n(v + u * stride + j, h->dim - j));
}

/*
 * A head's rows lie 3 * hidden apart, which no hardware prefetcher follows; asked
 * for together, they arrive while the keys are packed.
 */
static void prefetch(const struct head *h, const float *p, size_t stride)
{
	for (size_t u = 0; u < h->len; u++)
		for (size_t j = 0; j < h->dim; j += 16)
			__builtin_prefetch(p + u * stride + j);
}

/* One copy of the many unrolled tiles serves scores and sums. */
static __attribute__((noinline)) void multiply(size_t rows, size_t cols, const float *x, size_t ldx,
					       const float *w, size_t ldw, size_t k, float *out,
					       size_t ldo)
{
	tile(rows, cols / VL, x, ldx, w, ldw, k, out, ldo);
}

static void score(const struct head *h, const float *q, size_t stride, size_t rows)
{
	for (size_t u = 0; u < h->keys_ld; u += TILE_COLS) {
		size_t width = panel_width(h, u);

		multiply(rows, width, q, stride, h->keys + u * h->dim, width, h->dim,
			 h->scores + u, h->keys_ld);
	}
}

/* exp(scale * s - max) in place; returns the sum.  Padding counts as minus infinity. */
static float softmax(float *s, size_t len, float scale)
{
	const vf none = vset1(-INFINITY);
	vf max = none, sum = { 0 };

	for (size_t u = 0; u < len; u += VL) {
		vf v = vmerge_n(vload(s + u) * scale, len - u, none);

		vstore(s + u, v);
		max = vmax(max, v);
	}
	max = vset1(vreduce_max(max));
	for (size_t u = 0; u < len; u += VL) {
		vf p = vexp(vload(s + u) - max);

		vstore(s + u, p);
		sum += p;
	}
	return vreduce_add(sum);
}

static void weigh(const struct head *h, size_t rows)
{
	for (size_t j = 0; j < h->values_ld; j += TILE_COLS)
		multiply(rows, min(h->values_ld - j, TILE_COLS), h->scores, h->keys_ld,
			 h->values + j, h->values_ld, h->len, h->sums + j, h->values_ld);
}

static void attend(const struct head *h, const float *q, size_t stride, size_t rows, float scale,
		   float *out, size_t ldo)
{
	float share[TILE_ROWS];

	score(h, q, stride, rows);
	for (size_t r = 0; r < rows; r++)
		share[r] = 1 / softmax(h->scores + r * h->keys_ld, h->len, scale);
	weigh(h, rows);
	for (size_t r = 0; r < rows; r++) {
		const float *sums = h->sums + r * h->values_ld;

		for (size_t j = 0; j < h->dim; j += VL)
			vstore_n(out + r * ldo + j, vload(sums + j) * share[r], h->dim - j);
	}
}

static void attend_head(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_attention *op = arg;
	size_t hidden = op->heads * op->head_dim, stride = 3 * hidden;
	size_t text = task / op->heads, at = task % op->heads * op->head_dim;
	size_t first = op->cu_seqlens[text], end = op->cu_seqlens[text + 1];
	const float *qkv = op->qkv + first * stride + at;
	struct head h;

	lay_out(&h, end - first, op->head_dim, scratch);
	prefetch(&h, qkv + hidden, stride);
	prefetch(&h, qkv + 2 * hidden, stride);
	prefetch(&h, qkv, stride);
	pack_keys(&h, qkv + hidden, stride);
	pack_values(&h, qkv + 2 * hidden, stride);
	for (size_t t = 0; t < h.len; t += TILE_ROWS)
		attend(&h, qkv + t * stride, stride, min(h.len - t, TILE_ROWS), op->scale,
		       op->out + (first + t) * hidden + at, hidden);
}

void ISA(aif_attention)(struct aif_team *team, const struct aif_host_attention *op)
{
	team->run(team, op->texts * op->heads, attend_head, op);
}
