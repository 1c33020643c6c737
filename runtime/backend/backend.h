/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what a model graph needs from a device: memory, streams, weights,
 * and the operators over them (kernels/aif_ops.h)
 *
 * A backend is one constant table.  Built in are "cpu" (fast, all threads the
 * process may use), "ref" (one thread, written to be read; what tests compare with)
 * and "cuda" (not yet run on NVIDIA hardware: docs/cuda.md); aif_backend_find() knows
 * them.  Code outside this tree can bring its own table: whatever takes a
 * `const struct aif_backend *` takes it.
 *
 * Versions: @version changes when a member changes its meaning, and a table of
 * another version must not be used.  New members are added at the end; @size is
 * the sizeof the table was built with, ask with AIF_BACKEND_HAS().
 *
 * Errors: 0 or -errno.  -ENOMEM, or as each member says.  No member prints.
 *
 * Threads: opening, allocating, wrapping and creating may be called from any
 * thread.  A memory, weight or stream is freed when nothing enqueued uses it, and
 * before its device is closed.  Freeing NULL does nothing.
 */
#ifndef AIF_BACKEND_H
#define AIF_BACKEND_H

#include "kernels/aif_ops.h"

#define AIF_BACKEND_VERSION 1

struct aif_dev;

/*
 * Options begin with their size (sizeof of the struct); NULL or zero members, and empty
 * strings, mean the default.
 *
 * @index:   which of the backend's devices
 * @threads: CPU: threads that compute, the caller's included; at most what
 *           sched_getaffinity() allows, which is the default
 * @isa:     CPU: "avx512", "avx2" or "portable" instead of the best this machine
 *           has; the default is the environment's AIF_CPU_ISA
 * @device:  CUDA: a UUID ("GPU-...") or PCI address instead of @index; the default
 *           is the environment's AIF_CUDA_DEVICE
 * @precision: CUDA: "fp32" (default), "bf16" or "fp16", what activations and weights are
 *           stored in, or "tf32": stored as fp32, and what gemm multiplies rounded to
 *           10 bits of fraction; the default is the environment's AIF_CUDA_PRECISION
 * @wait:    CUDA: "spin" (default), or "sleep": how a thread waits in stream_sync(); the
 *           default is the environment's AIF_CUDA_WAIT
 * @graphs:  CUDA: "on" (default), or "off": whether steps of a shape that comes again are
 *           launched at once (step_begin()); the default is the environment's AIF_CUDA_GRAPHS
 */
struct aif_dev_opts {
	uint32_t size;
	uint32_t index;
	uint32_t threads;
	uint32_t __reserved;
	const char *isa;
	const char *device;
	const char *precision;
	const char *wait;
	const char *graphs;
};

/*
 * What the stream's scratch memory is sized for; larger operators get -E2BIG.
 *
 * @max_seqlen:   tokens in one text, default 512, at most 2^20
 * @max_head_dim: elements of one attention head, default 128, at most 2^12
 */
struct aif_stream_opts {
	uint32_t size;
	uint32_t max_seqlen;
	uint32_t max_head_dim;
	uint32_t __reserved;
};

/* What decides how a step is launched: tokens and texts of it, tokens of its longest text. */
struct aif_step {
	uint32_t tokens, texts, longest;
};

struct aif_backend {
	uint32_t size;
	uint32_t version;
	const char *name;

	/*
	 * -ENODEV: no device @index.  -EINVAL: unknown ISA name or bad size.
	 * -EOPNOTSUPP: this machine lacks that ISA.
	 */
	int (*dev_open)(const struct aif_dev_opts *opts, struct aif_dev **dev);
	void (*dev_close)(struct aif_dev *dev);
	/* For people: "avx512, 2 threads".  Valid until the device is closed. */
	const char *(*dev_describe)(const struct aif_dev *dev);

	/* Zeroed memory, aligned to 64 bytes at least.  @bytes may be 0. */
	int (*mem_alloc)(struct aif_dev *dev, size_t bytes, struct aif_mem **mem);
	/*
	 * Make the caller's own memory usable in place: a client's granted range,
	 * a mapped weight file.  Not copied; it must stay mapped until mem_free(),
	 * which does not free it.  Costs about as much as registering it with a
	 * device does: wrap once, not per request.  -EINVAL: a device that cannot read
	 * it where it lies wants it aligned to 4 bytes.  -EEXIST: wrapped already.
	 */
	int (*mem_wrap)(struct aif_dev *dev, void *host, size_t bytes, struct aif_mem **mem);
	void (*mem_free)(struct aif_mem *mem);
	/* The host's address of it, or NULL when the host cannot reach it. */
	void *(*mem_host)(const struct aif_mem *mem);
	/*
	 * Copy between host memory and @mem, in the stream's order; @host must stay
	 * unchanged until the stream was synchronised.  -ERANGE: past the end.
	 */
	int (*mem_write)(struct aif_stream *s, struct aif_mem *mem, uint64_t offset,
			 const void *host, size_t bytes);
	int (*mem_read)(struct aif_stream *s, const struct aif_mem *mem, uint64_t offset,
			void *host, size_t bytes);

	/*
	 * Lay out @host, f32 [@n, @k] row-major in host memory, for gemm; @host is
	 * not needed afterwards.  Synchronous.  -EINVAL: n or k is 0 or beyond 2^24.
	 * -EDOM: a number that is infinite as @dev stores it; dev_why() says which.
	 */
	int (*weight_create)(struct aif_dev *dev, const float *host, uint32_t n, uint32_t k,
			     struct aif_weight **w);
	void (*weight_free)(struct aif_weight *w);

	int (*stream_create)(struct aif_dev *dev, const struct aif_stream_opts *opts,
			     struct aif_stream **s);
	/* Wait until all that was enqueued is done; says whether any of it failed. */
	int (*stream_sync)(struct aif_stream *s);
	void (*stream_free)(struct aif_stream *s);

	const struct aif_ops *ops;

	/* The members below are optional: ask with AIF_BACKEND_HAS(). */

	/* One line for people: why this thread's last dev_open() failed, or its last -EIO or -EDOM. */
	const char *(*dev_why)(void);
	/* How activations are stored on @dev: AIF_F32, which others have, AIF_BF16 or AIF_F16. */
	uint32_t (*dev_activation)(const struct aif_dev *dev);
	/*
	 * Memory that holds what @host does and is never written, where @dev reads it
	 * fastest.  @host is not needed afterwards.  Without it, wrap @host.
	 */
	int (*mem_constant)(struct aif_dev *dev, const void *host, size_t bytes,
			    struct aif_mem **mem);
	/*
	 * Which piece of hardware @dev is: what opts.device names to another process
	 * ("GPU-..."), valid until the device is closed.  Without it: the processor.
	 */
	const char *(*dev_id)(const struct aif_dev *dev);
	/*
	 * How long what the last stream_sync() waited for took the device, from embed to
	 * pool; 0: not known, because it was something else.
	 */
	uint64_t (*stream_device_ns)(const struct aif_stream *s);
	/*
	 * As mem_wrap, of memory that operators only read and that may be mapped for reading
	 * only.  Without it mem_wrap does that.  -EOPNOTSUPP: @dev cannot; copy what is there.
	 */
	int (*mem_wrap_input)(struct aif_dev *dev, const void *host, size_t bytes,
			      struct aif_mem **mem);
	/* How often each page of a wrapped memory is pinned for as long as it is.  Without: 0. */
	unsigned int (*mem_pins)(const struct aif_mem *mem);
	/*
	 * No weight and no constant for now: give back what only loading needs.  Another that
	 * is loaded later takes it again.
	 */
	void (*dev_loaded)(struct aif_dev *dev);
	/*
	 * What is enqueued from here to the next stream_sync() is a step of @shape, which enqueues
	 * what other steps of that shape do, but for addresses and numbers.  That is a hint: what
	 * does not keep to it is done too.  Operators may be held back until stream_sync(), or
	 * until mem_read(), mem_write() or step_begin() needs their order, and an operator's -EIO
	 * or -ENOMEM may come from those.
	 */
	int (*step_begin)(struct aif_stream *s, const struct aif_step *shape);
};

#define AIF_BACKEND_HAS(be, member)							\
	((be)->size >= offsetof(struct aif_backend, member) + sizeof((be)->member) &&	\
	 (be)->member)

/* The built-in backend of that name; NULL with errno ENODEV when there is none. */
const struct aif_backend *aif_backend_find(const char *name);

#endif
