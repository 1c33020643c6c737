/* SPDX-License-Identifier: MIT */
/*
 * aif_ops.h - operators over tensors that live in a backend's memory
 *
 * A model graph is a C function that calls these operators in order on one
 * stream; it is written once and runs on every backend (runtime/backend/backend.h).
 *
 * Concepts
 *   memory   struct aif_mem: bytes that a backend can compute on.  The CPU's is
 *            host memory.  (The noun "buffer" is taken by the device interface.)
 *   tensor   struct aif_tensor: a typed, dense, row-major view of a memory.  It
 *            is a value, owns nothing, and must not outlive its memory.
 *   weight   struct aif_weight: a matrix laid out once, at load time, in the
 *            form this device multiplies fastest.
 *   stream   struct aif_stream: operators enqueued on one stream take effect in
 *            order.  On the CPU each has finished when its call returns; on
 *            others inputs must stay unchanged until the stream was synchronised.
 *
 * Ragged batches
 *   The tokens of all texts are concatenated: activations are [T, H] with T the
 *   total number of tokens and no padding.  `cu_seqlens` is i32 [n + 1]: text i
 *   owns rows cu_seqlens[i] to cu_seqlens[i + 1] - 1; cu_seqlens[0] is 0, values
 *   never decrease, the last is T.  A text may be empty.  These offsets must lie
 *   in memory that nobody else can write; host backends verify them, others may not.
 *
 * Properties every backend keeps
 *   - A text's result does not depend on the other texts of its batch.
 *   - No operator allocates memory or reads the clock.
 *   - NaN and infinity propagate as IEEE arithmetic has it.
 *
 * Errors: 0, or
 *   -EINVAL      shapes, types or alignment do not fit together, offsets are not
 *                as above, or an output overlaps an input that it must not
 *   -ERANGE      a tensor reaches past the end of its memory
 *   -E2BIG       more than the stream was created for (struct aif_stream_opts)
 *   -EOPNOTSUPP  the backend does not have this type
 * On an error nothing was enqueued and nothing was written.
 *
 * Threads: one thread at a time per stream; streams are independent.
 */
#ifndef AIF_OPS_H
#define AIF_OPS_H

#include <stddef.h>
#include <stdint.h>

struct aif_mem;
struct aif_stream;
struct aif_weight;

/*
 * Activations, which operators below call "f32", are of the type that the backend's
 * device computes in (dev_activation() in backend.h): AIF_F32, or AIF_BF16 or AIF_F16 with
 * arithmetic in f32.  Tables, gamma, beta and biases are f32, and so is what pool writes.
 */
enum aif_tensor_dtype {
	AIF_F32 = 1,
	AIF_I32 = 2,
	AIF_BF16 = 3,
	AIF_F16 = 4,
};

/* Bytes of an element. */
static inline uint32_t aif_dtype_bytes(uint32_t dtype)
{
	return dtype == AIF_BF16 || dtype == AIF_F16 ? 2 : 4;
}

#define AIF_TENSOR_RANK_MAX 4

/*
 * @mem:    NULL says "absent" where an operator calls a tensor optional
 * @offset: of the first element, in bytes; a multiple of the element size
 * @dtype:  enum aif_tensor_dtype
 * @rank:   1 to AIF_TENSOR_RANK_MAX
 * @dim:    elements per dimension, the last varies fastest; may be 0
 */
struct aif_tensor {
	struct aif_mem *mem;
	uint64_t offset;
	uint32_t dtype;
	uint32_t rank;
	uint64_t dim[AIF_TENSOR_RANK_MAX];
};

/* A vector of @n elements. */
static inline struct aif_tensor aif_tensor1(struct aif_mem *mem, uint64_t offset,
					    uint32_t dtype, uint64_t n)
{
	return (struct aif_tensor){ .mem = mem, .offset = offset, .dtype = dtype,
				    .rank = 1, .dim = { n } };
}

/* A matrix of @rows rows and @cols columns. */
static inline struct aif_tensor aif_tensor2(struct aif_mem *mem, uint64_t offset,
					    uint32_t dtype, uint64_t rows, uint64_t cols)
{
	return (struct aif_tensor){ .mem = mem, .offset = offset, .dtype = dtype,
				    .rank = 2, .dim = { rows, cols } };
}

/*
 * embed: out[t] = LayerNorm(words[id] + positions[p] + types[0])
 *
 * p is the token's place in its text.  Ids may lie in memory that another
 * process changes meanwhile: each is loaded once and clamped to 0..V-1; p is
 * clamped to P-1.
 *
 * @ids:        i32 [T]
 * @cu_seqlens: i32 [n + 1]
 * @words:      f32 [V, H], V >= 1
 * @positions:  f32 [P, H], P >= 1
 * @types:      f32 [Y, H], Y >= 1; row 0 is used (one segment per text)
 * @gamma, @beta: f32 [H]
 * @eps:        added to the variance, > 0
 * @out:        f32 [T, H]; overlaps no input
 */
struct aif_op_embed {
	struct aif_tensor ids, cu_seqlens;
	struct aif_tensor words, positions, types;
	struct aif_tensor gamma, beta;
	float eps;
	struct aif_tensor out;
};

/*
 * embed_each: as embed, of texts whose ids lie apart, each text's in its client's memory
 *
 * @embed:      as in embed; its ids are not used
 * @ids:        array of n tensors i32 [tokens of text i]; the array is read during the
 *              call only, the ids when the operator takes effect
 */
struct aif_op_embed_each {
	struct aif_op_embed embed;
	const struct aif_tensor *ids;
};

/*
 * layernorm: out[r] = (v - mean(v)) / sqrt(var(v) + eps) * gamma + beta,
 *            v = x[r] + residual[r], var with divisor H
 *
 * @x:        f32 [T, H]
 * @residual: f32 [T, H], optional
 * @gamma, @beta: f32 [H]
 * @eps:      > 0
 * @out:      f32 [T, H]; may be exactly x or exactly residual, else overlaps no input
 */
struct aif_op_layernorm {
	struct aif_tensor x, residual;
	struct aif_tensor gamma, beta;
	float eps;
	struct aif_tensor out;
};

enum aif_activation {
	AIF_ACT_NONE = 0,
	AIF_ACT_GELU = 1,	/* v * (1 + erf(v / sqrt(2))) / 2, erf to about 1e-7 */
};

/*
 * gemm: out = act(x . w^T + bias) + residual
 *
 * @x:        f32 [M, K]
 * @w:        prepared from [N, K]
 * @bias:     f32 [N], optional
 * @act:      enum aif_activation
 * @residual: f32 [M, N], optional
 * @out:      f32 [M, N]; overlaps no input
 */
struct aif_op_gemm {
	struct aif_tensor x;
	const struct aif_weight *w;
	struct aif_tensor bias;
	uint32_t act;
	struct aif_tensor residual;
	struct aif_tensor out;
};

/*
 * attention: every token attends to all tokens of its own text
 *
 *   out[t, head] = softmax(scale * q[t, head] . k[u, head]) . v[u, head],  u in t's text
 *
 * @qkv:        f32 [T, 3 * H]: q of all heads, then k, then v
 * @cu_seqlens: i32 [n + 1]
 * @heads:      divides H
 * @max_seqlen: no text is longer; at most what the stream was created for
 * @scale:      usually 1 / sqrt(H / heads)
 * @out:        f32 [T, H]; overlaps no input
 */
struct aif_op_attention {
	struct aif_tensor qkv, cu_seqlens;
	uint32_t heads;
	uint32_t max_seqlen;
	float scale;
	struct aif_tensor out;
};

/*
 * pool: out[i] = m / max(|m|, 1e-12), m = the mean of text i's rows; zeros for an empty text
 *
 * Each text's vector has its own destination, because each belongs to another
 * client: usually a wrapped piece of that client's memory, written in place.
 *
 * @x:          f32 [T, H]
 * @cu_seqlens: i32 [n + 1]
 * @out:        array of n tensors f32 [H], which overlap no input; read during the call only
 */
struct aif_op_pool {
	struct aif_tensor x, cu_seqlens;
	const struct aif_tensor *out;
};

/*
 * The operator table.  A backend fills in @size with the sizeof it was built
 * with; members are only ever added at the end, and an operator's argument struct
 * never changes: a new form is a new member.  Ask with AIF_OPS_HAS().
 */
struct aif_ops {
	uint32_t size;
	uint32_t __reserved;
	int (*embed)(struct aif_stream *s, const struct aif_op_embed *op);
	int (*layernorm)(struct aif_stream *s, const struct aif_op_layernorm *op);
	int (*gemm)(struct aif_stream *s, const struct aif_op_gemm *op);
	int (*attention)(struct aif_stream *s, const struct aif_op_attention *op);
	int (*pool)(struct aif_stream *s, const struct aif_op_pool *op);
	/* Optional: a backend without it embeds only ids that lie one behind the other. */
	int (*embed_each)(struct aif_stream *s, const struct aif_op_embed_each *op);
};

#define AIF_OPS_HAS(ops, member)							\
	((ops)->size >= offsetof(struct aif_ops, member) + sizeof((ops)->member) &&	\
	 (ops)->member)

#endif
