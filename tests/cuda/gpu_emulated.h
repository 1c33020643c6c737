/* SPDX-License-Identifier: MIT */
/*
 * gpu_emulated.h - TEST CODE: what kernels/gpu.h is on a host
 *
 * Every CUDA thread is a fiber; one block runs at a time (emulator.cc).  Whatever
 * touches a kernel's memory stands here, inline, so that it is compiled with the
 * kernel and its sanitizers.  The emulator itself is compiled without any: a shuffle or
 * an mma orders no memory.
 */
#ifndef AIF_TEST_GPU_EMULATED_H
#define AIF_TEST_GPU_EMULATED_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GPU inline __attribute__((always_inline))

struct emu_dim {
	unsigned x, y, z;
};

/*
 * A cp.async that was issued.  It may land at once or only at the wait that covers it; so
 * does it here: a launch has all of them early, or all of them late.
 */
struct emu_copy {
	void *to;
	const void *from;
	unsigned bytes, group;
};

#define EMU_COPIES 64

struct emu_thread {
	emu_dim thread, block, block_dim, grid_dim;
	unsigned copies, group;
	bool has_fenced;
	void *atomic;		/* that it has touched last */
	emu_copy copy[EMU_COPIES];
};

extern thread_local emu_thread *emu_self;
extern bool emu_copies_are_early;
/* For tests: what a host could see now.  Called in the thread that has stored. */
extern void (*emu_on_release)();

#define threadIdx (emu_self->thread)
#define blockIdx (emu_self->block)
#define blockDim (emu_self->block_dim)
#define gridDim (emu_self->grid_dim)

/* ---- kernels are found by name ---- */

typedef void emu_kernel_fn(const void *args);

struct emu_kernel {
	const char *name;
	size_t args_bytes;
	emu_kernel_fn *run;
	emu_kernel *next;

	emu_kernel(const char *kernel, size_t bytes, emu_kernel_fn *fn);
};

#define KERNEL(name, args, threads, blocks)						\
	static void name(const args &p);						\
	static emu_kernel name##_entry(#name, sizeof(args),				\
				       [](const void *a) { name(*(const args *)a); });	\
	static void name(const args &p)

/* ---- shared memory ---- */

/* @site: which declaration; the same address for every thread of a block */
void *emu_shared(const void *site, size_t bytes, size_t align);
void *emu_dynamic_shared();

#define KSHARED(type, name, dim)							\
	static const char name##_site = 0;						\
	type (&name)dim = *(type (*)dim)emu_shared(&name##_site, sizeof(type dim),	\
						   alignof(type) > 16 ? alignof(type) : 16)
#define KDYNSHARED(type, name) type *name = (type *)emu_dynamic_shared()

/* ---- what makes threads wait ---- */

enum emu_op {
	EMU_WARP_SYNC, EMU_SHFL_XOR, EMU_LDMATRIX, EMU_MMA_BF16, EMU_MMA_F16, EMU_MMA_TF32,
};

void emu_block_sync(const char *where, int line);
/* All lanes of @mask meet; then *@out of each is computed of what all have in *@in. */
void emu_warp(emu_op op, uint32_t mask, const void *in, void *out, int arg);
void emu_fail(const char *why);
/*
 * For the race detector: who fences before an atomic operation hands on what it knows, who
 * fences after one on the same word gets it.  emu_atomic() comes right behind the operation.
 */
void emu_fence();
void emu_atomic(void *at);

#define gpu_sync() emu_block_sync(__FILE__, __LINE__)

GPU void gpu_warp_sync()
{
	emu_warp(EMU_WARP_SYNC, 0xffffffffu, nullptr, nullptr, 0);
}

GPU float gpu_shfl_xor(float v, int lane_mask)
{
	float out;

	emu_warp(EMU_SHFL_XOR, 0xffffffffu, &v, &out, lane_mask);
	return out;
}

/* A row of 16 bytes for each lane; the matrices' elements come back. */
GPU void emu_ldmatrix(uint32_t *r, const void *row, bool transposed)
{
	const struct alignas(16) { uint32_t v[4]; } *from =
		(decltype(from))row, copy = *from;

	emu_warp(EMU_LDMATRIX, 0xffffffffu, &copy, r, transposed);
}

GPU void gpu_ldmatrix_x4(uint32_t *r, const void *row)
{
	emu_ldmatrix(r, row, false);
}

GPU void gpu_ldmatrix_x4_trans(uint32_t *r, const void *row)
{
	emu_ldmatrix(r, row, true);
}

/* What a lane brings to d = a . b + c. */
struct emu_mma {
	uint32_t a[4], b[2];
	float c[4];
};

GPU void emu_mma_of(emu_op op, float *d, const uint32_t *a, const uint32_t *b)
{
	emu_mma in;

	memcpy(in.a, a, sizeof(in.a));
	memcpy(in.b, b, sizeof(in.b));
	memcpy(in.c, d, sizeof(in.c));
	emu_warp(op, 0xffffffffu, &in, d, 0);
}

GPU void gpu_mma_bf16(float *d, const uint32_t *a, const uint32_t *b)
{
	emu_mma_of(EMU_MMA_BF16, d, a, b);
}

GPU void gpu_mma_f16(float *d, const uint32_t *a, const uint32_t *b)
{
	emu_mma_of(EMU_MMA_F16, d, a, b);
}

GPU void gpu_mma_tf32(float *d, const uint32_t *a, const uint32_t *b)
{
	emu_mma_of(EMU_MMA_TF32, d, a, b);
}

GPU uint32_t gpu_to_tf32(float f)
{
	return aif_f32_bits(aif_to_tf32(f));
}

GPU uint32_t gpu_pack_bf16(float low, float high)
{
	return aif_to_bf16(low) | (uint32_t)aif_to_bf16(high) << 16;
}

GPU uint32_t gpu_pack_f16(float low, float high)
{
	return aif_to_f16(low) | (uint32_t)aif_to_f16(high) << 16;
}

GPU float gpu_exp2(float f)
{
	float v = exp2f(f);

	return v < 0x1p-126f ? 0 : v;
}

GPU float gpu_from_f16(uint16_t v)
{
	return aif_from_f16(v);
}

GPU uint16_t gpu_to_f16(float f)
{
	return aif_to_f16(f);
}

/* Word by word: of a memcpy() that becomes code the compiler tells the race detector nothing. */
GPU void emu_land(const emu_copy *c)
{
	typedef uint32_t __attribute__((may_alias)) word;

	for (unsigned i = 0; i < 4; i++)
		((word *)c->to)[i] = 4 * i < c->bytes ? ((const word *)c->from)[i] : 0;
}

/* 16 bytes, the first @bytes of them from @from, the others 0. */
GPU void gpu_cp_async(void *to, const void *from, unsigned bytes)
{
	emu_thread *t = emu_self;
	emu_copy c = { to, from, bytes, t->group };

	if (t->copies == EMU_COPIES)
		emu_fail("cp.async: too many in flight");
	else if ((uintptr_t)to % 16 || (bytes && (uintptr_t)from % 16) || bytes % 4)
		emu_fail("cp.async: not aligned to 16 bytes, or not of whole words");
	else if (emu_copies_are_early)
		emu_land(&c);
	else
		t->copy[t->copies++] = c;
}

GPU void gpu_cp_async_commit()
{
	emu_self->group++;
}

/* All groups but the newest @left have landed. */
template <unsigned left>
GPU void gpu_cp_async_wait()
{
	emu_thread *t = emu_self;
	unsigned kept = 0;

	for (unsigned i = 0; i < t->copies; i++) {
		if (t->copy[i].group + left >= t->group)
			t->copy[kept++] = t->copy[i];
		else
			emu_land(&t->copy[i]);
	}
	t->copies = kept;
}

GPU uint32_t gpu_atomic_add(uint32_t *at, uint32_t v)
{
	uint32_t before = __atomic_fetch_add(at, v, __ATOMIC_RELAXED);

	emu_atomic(at);
	return before;
}

GPU void gpu_fence()
{
	emu_fence();
}

GPU void gpu_fence_system()
{
	emu_fence();
}

GPU void gpu_store_release_system(uint32_t *at, uint32_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELEASE);
	if (emu_on_release)
		emu_on_release();
}

/* A microsecond a reading. */
extern uint64_t emu_now_ns;

GPU uint64_t gpu_now_ns()
{
	return emu_now_ns += 1000;
}

GPU int32_t gpu_load_once(const int32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

#endif
