/* SPDX-License-Identifier: MIT */
/*
 * gpu.h - what a CUDA kernel of this tree is written in
 *
 * A kernel takes one struct by value (kernels/cuda.h), uses the intrinsics below and
 * nothing else of CUDA.  Under nvcc they are inline PTX; a host compiler gets them
 * from gpu_emulated.h, which is test code (tests/cuda/), so that the same source runs
 * where there is no GPU.
 *
 *	KERNEL(name, args, threads, blocks)	blocks: that fit a multiprocessor at least
 *	KSHARED(type, name, [n])		of the block; aligned to 16, not initialised
 *	KDYNSHARED(type, name)			as much as the launch says
 *
 * Rules: every thread of a block reaches every gpu_sync(), every lane of a warp
 * every warp operation; no thread returns before; no block waits for another.
 */
#ifndef AIF_KERNELS_GPU_H
#define AIF_KERNELS_GPU_H

#include <stdint.h>

#include "kernels/cuda.h"
#include "kernels/half.h"

#define WARP 32
#define ALL_LANES 0xffffffffu

struct alignas(16) gpu_f32x4 {
	float v[4];
};

struct alignas(8) gpu_f32x2 {
	float v[2];
};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define GPU_HAS_MMA		/* kernels that use tensor cores and cp.async are compiled */
#endif

#ifdef __CUDACC__

#define GPU __device__ __forceinline__
#define KERNEL(name, args, threads, blocks)						\
	extern "C" __global__ void __launch_bounds__(threads, blocks)			\
	name(const __grid_constant__ args p)
#define KSHARED(type, name, dim) __shared__ __align__(16) type name dim
#define KDYNSHARED(type, name)								\
	extern __shared__ __align__(16) unsigned char gpu_dynamic_shared[];		\
	type *name = (type *)gpu_dynamic_shared

GPU void gpu_sync()
{
	__syncthreads();
}

/* The warp's lanes meet; what one wrote to memory the others read. */
GPU void gpu_warp_sync()
{
	__syncwarp(ALL_LANES);
}

GPU float gpu_shfl_xor(float v, int lane_mask)
{
	return __shfl_xor_sync(ALL_LANES, v, lane_mask);
}

/* Old value; relaxed, for the whole device. */
GPU uint32_t gpu_atomic_add(uint32_t *at, uint32_t v)
{
	return atomicAdd(at, v);
}

/* What was written before is seen by whoever sees what is written after. */
GPU void gpu_fence()
{
	__threadfence();
}

/* The same for whoever has access to the memory, the host too. */
GPU void gpu_fence_system()
{
	__threadfence_system();
}

/* Who sees it, the host too, sees what this thread knows of. */
GPU void gpu_store_release_system(uint32_t *at, uint32_t v)
{
	asm volatile("st.release.sys.global.u32 [%0], %1;" :: "l"(at), "r"(v) : "memory");
}

/* The device's clock, the same for all blocks. */
GPU uint64_t gpu_now_ns()
{
	uint64_t ns;

	asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
	return ns;
}

/* One load, of memory that another process may write meanwhile. */
GPU int32_t gpu_load_once(const int32_t *p)
{
	int32_t v;

	asm volatile("ld.relaxed.sys.global.s32 %0, [%1];" : "=r"(v) : "l"(p));
	return v;
}

/* ---- from sm_80 on; addresses are of shared memory, aligned to 16 ---- */

GPU uint32_t gpu_shared_address(const void *shared)
{
	return (uint32_t)__cvta_generic_to_shared(shared);
}

/* 16 bytes, the first @bytes of them from @from, the others 0; there after a wait. */
GPU void gpu_cp_async(void *to, const void *from, uint32_t bytes)
{
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::
		     "r"(gpu_shared_address(to)), "l"(from), "r"(bytes) : "memory");
}

/* This thread's copies since the last one are a group. */
GPU void gpu_cp_async_commit()
{
	asm volatile("cp.async.commit_group;" ::: "memory");
}

/* All groups of this thread but the newest @left have landed. */
template <int left>
GPU void gpu_cp_async_wait()
{
	asm volatile("cp.async.wait_group %0;" :: "n"(left) : "memory");
}

#define GPU_LDMATRIX(name, how)								\
	GPU void name(uint32_t *r, const void *row)					\
	{										\
		asm volatile("ldmatrix.sync.aligned.m8n8.x4" how ".shared.b16 {%0, %1, %2, %3}, [%4];" :	\
			     "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) :		\
			     "r"(gpu_shared_address(row)) : "memory");			\
	}

/*
 * Four matrices of eight rows of 16 bytes; lane l has the address of row l % 8 of matrix
 * l / 8, and gets of each matrix row l / 4's elements 2 (l % 4) and the next; transposed,
 * of column l / 4.
 */
GPU_LDMATRIX(gpu_ldmatrix_x4, "")
GPU_LDMATRIX(gpu_ldmatrix_x4_trans, ".trans")

#define GPU_MMA(name, shape, type)							\
	GPU void name(float *d, const uint32_t *a, const uint32_t *b)			\
	{										\
		asm volatile("mma.sync.aligned." shape ".row.col.f32." type "." type ".f32 "	\
			     "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" :	\
			     "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) :		\
			     "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));	\
	}

/* d += a . b, of 16 x K and K x 8, K 32 bytes long; who holds what: PTX ISA, mma. */
GPU_MMA(gpu_mma_bf16, "m16n8k16", "bf16")
GPU_MMA(gpu_mma_f16, "m16n8k16", "f16")
GPU_MMA(gpu_mma_tf32, "m16n8k8", "tf32")

/* Bits of the nearest number that a tensor core takes as it is. */
GPU uint32_t gpu_to_tf32(float f)
{
	uint32_t bits;

	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(f));
	return bits;
}

/* Two of 16 bits, to nearest, ties to even; @low first in memory. */
GPU uint32_t gpu_pack_bf16(float low, float high)
{
	uint32_t v;

	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
	return v;
}

GPU uint32_t gpu_pack_f16(float low, float high)
{
	uint32_t v;

	asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
	return v;
}

/* ---- everywhere ---- */

/* Within 2 ulp; what is less than 2^-126 is 0. */
GPU float gpu_exp2(float f)
{
	float v;

	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(v) : "f"(f));
	return v;
}

GPU float gpu_from_f16(uint16_t v)
{
	float f;

	asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v));
	return f;
}

GPU uint16_t gpu_to_f16(float f)
{
	uint16_t v;

	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(v) : "f"(f));
	return v;
}

#else
#include "gpu_emulated.h"
#endif

/* ---- storage types: float, or 16 bits with arithmetic in float ---- */

struct bf16 {
	uint16_t bits;
};

struct f16 {
	uint16_t bits;
};

template <typename T>
struct alignas(4 * sizeof(T)) gpu_x4 {
	T v[4];
};

/* Two of 16 bits, whatever they are. */
typedef uint32_t __attribute__((may_alias)) gpu_x2;

GPU float to_f32(float v)
{
	return v;
}

GPU float to_f32(bf16 v)
{
	return aif_from_bf16(v.bits);
}

GPU float to_f32(f16 v)
{
	return gpu_from_f16(v.bits);
}

/* To nearest, ties to even; a NaN stays one. */
GPU void from_f32(bf16 *to, float f)
{
	to->bits = aif_to_bf16(f);
}

GPU void from_f32(f16 *to, float f)
{
	to->bits = gpu_to_f16(f);
}

GPU void from_f32(float *to, float f)
{
	*to = f;
}

/* On tensor cores, from sm_80 on; f32 is tf32 there. */
GPU void mma_product(bf16, float *d, const uint32_t *a, const uint32_t *b)
{
	gpu_mma_bf16(d, a, b);
}

GPU void mma_product(f16, float *d, const uint32_t *a, const uint32_t *b)
{
	gpu_mma_f16(d, a, b);
}

GPU void mma_product(float, float *d, const uint32_t *a, const uint32_t *b)
{
	gpu_mma_tf32(d, a, b);
}

GPU uint32_t pack2(bf16, float low, float high)
{
	return gpu_pack_bf16(low, high);
}

GPU uint32_t pack2(f16, float low, float high)
{
	return gpu_pack_f16(low, high);
}

/* Whether all of these may be read by fours, whatever their type. */
template <typename... Pointers>
GPU bool aligned_to_16(Pointers... p)
{
	return (((uintptr_t)p | ...) & 15) == 0;
}

/* Four neighbours, aligned to their size. */
GPU gpu_f32x4 load4(const float *p)
{
	return *(const gpu_f32x4 *)p;
}

template <typename T>
GPU gpu_f32x4 load4(const T *p)
{
	gpu_x4<T> raw = *(const gpu_x4<T> *)p;

	return { to_f32(raw.v[0]), to_f32(raw.v[1]), to_f32(raw.v[2]), to_f32(raw.v[3]) };
}

GPU void store4(float *p, gpu_f32x4 v)
{
	*(gpu_f32x4 *)p = v;
}

template <typename T>
GPU void store4(T *p, gpu_f32x4 v)
{
	gpu_x4<T> raw;

	for (int i = 0; i < 4; i++)
		from_f32(&raw.v[i], v.v[i]);
	*(gpu_x4<T> *)p = raw;
}

GPU void store2(float *p, float a, float b)
{
	*(gpu_f32x2 *)p = { { a, b } };
}

/* Two of 16 bits as they are; aligned to 4 bytes. */
template <typename T>
GPU uint32_t load2(const T *p)
{
	return *(const gpu_x2 *)p;
}

/* Of 16 bits, from sm_80 on; aligned to 4 bytes. */
template <typename T>
GPU void store2(T *p, float a, float b)
{
	*(gpu_x2 *)p = pack2(T(), a, b);
}

GPU gpu_f32x4 operator+(gpu_f32x4 a, gpu_f32x4 b)
{
	return { a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3] };
}

/* ---- sums ---- */

GPU float warp_sum(float v)
{
	for (int mask = WARP / 2; mask; mask /= 2)
		v += gpu_shfl_xor(v, mask);
	return v;
}

/* A NaN is no number that is larger: it is passed over. */
GPU float warp_max(float v)
{
	for (int mask = WARP / 2; mask; mask /= 2)
		v = fmaxf(v, gpu_shfl_xor(v, mask));
	return v;
}

/*
 * Over all threads of the block, whole warps, the same bits in each.  @partial: shared,
 * one element per warp, used by nothing else since the last gpu_sync().
 */
GPU float block_sum(float v, float *partial)
{
	int warps = blockDim.x / WARP;
	float sum = 0;

	v = warp_sum(v);
	if (threadIdx.x % WARP == 0)
		partial[threadIdx.x / WARP] = v;
	gpu_sync();
	for (int i = 0; i < warps; i++)
		sum += partial[i];
	return sum;
}

#endif
