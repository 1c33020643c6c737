// SPDX-License-Identifier: MIT
/*
 * TEST CODE: who holds what in mma and ldmatrix.x4, of the emulator and of the
 * interpreter, against a third source: the layouts that CUTLASS publishes (CuTe's traits of
 * SM80_16x8x16_F32BF16BF16F32_TN, the same of F16, SM80_16x8x8_F32TF32TF32F32_TN,
 * SM75_U32x4_LDSM_N and SM75_U16x8_LDSM_T).  A kernel that is right by two errors that
 * cancel each other out would not be seen otherwise.  Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/gpu.h"
#include "tests/cuda/emulator.h"
#include "tests/cuda/ptx.h"

#define M 16
#define N 8
#define K 16

/* @a, @b: two elements of 16 bits in each, or one of tf32 */
struct fragments {
	uint32_t a[WARP][4], b[WARP][2];
	float d[WARP][4];
	uint16_t rows[WARP][8];
	uint32_t matrices[WARP][4];
};

struct fragments_args {
	fragments *f;
};

#define MMA_KERNEL(type)							\
	KERNEL(mma_##type, fragments_args, WARP, 1)				\
	{									\
		uint32_t lane = threadIdx.x;					\
										\
		gpu_mma_##type(p.f->d[lane], p.f->a[lane], p.f->b[lane]);	\
	}

MMA_KERNEL(bf16)
MMA_KERNEL(f16)
MMA_KERNEL(tf32)

#define LDMATRIX_KERNEL(name, load)						\
	KERNEL(name, fragments_args, WARP, 1)					\
	{									\
		KSHARED(uint32_t, rows, [WARP * 4]);				\
		uint32_t lane = threadIdx.x;					\
										\
		memcpy(rows + 4 * lane, p.f->rows[lane], 16);			\
		gpu_warp_sync();						\
		load(p.f->matrices[lane], rows + 4 * lane);			\
	}

LDMATRIX_KERNEL(ldmatrix, gpu_ldmatrix_x4)
LDMATRIX_KERNEL(ldmatrix_trans, gpu_ldmatrix_x4_trans)

#define ENTRY(name, body)							\
	".visible .entry " name "(.param .u64 p)\n.maxntid 32\n{\n"		\
	".reg .b32 %r<12>;\n.reg .f32 %f<4>;\n.reg .b64 %a<4>;\n"		\
	".shared .align 16 .b8 rows[512];\n"					\
	"mov.u32 %r0, %tid.x;\n"						\
	"ld.param.u64 %a0, [p];\n"						\
	"mul.wide.u32 %a1, %r0, 16;\n"						\
	"mul.wide.u32 %a2, %r0, 8;\n"						\
	"add.s64 %a1, %a0, %a1;\n"						\
	"add.s64 %a2, %a0, %a2;\n"						\
	body "ret;\n}\n"
#define MMA_ENTRY(type, shape)							\
	ENTRY("mma_" type,							\
	      "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%a1];\n"			\
	      "ld.global.v2.b32 {%r5, %r6}, [%a2+512];\n"			\
	      "ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%a1+768];\n"		\
	      "mma.sync.aligned." shape ".row.col.f32." type "." type ".f32 "	\
	      "{%f0, %f1, %f2, %f3}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, "	\
	      "{%f0, %f1, %f2, %f3};\n"						\
	      "st.global.v4.f32 [%a1+768], {%f0, %f1, %f2, %f3};\n")

#define LDMATRIX_ENTRY(name, how)						\
	ENTRY(name,								\
	      "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%a1+1280];\n"		\
	      "mov.u32 %r7, rows;\n"						\
	      "shl.b32 %r8, %r0, 4;\n"						\
	      "add.s32 %r7, %r7, %r8;\n"					\
	      "st.shared.v4.b32 [%r7], {%r1, %r2, %r3, %r4};\n"		\
	      "bar.warp.sync 0xffffffff;\n"					\
	      "ldmatrix.sync.aligned.m8n8.x4" how ".shared.b16 {%r1, %r2, %r3, %r4}, [%r7];\n"	\
	      "st.global.v4.b32 [%a1+1792], {%r1, %r2, %r3, %r4};\n")

static const char ptx[] =
	".version 9.0\n.target sm_80\n.address_size 64\n"
	MMA_ENTRY("bf16", "m16n8k16") MMA_ENTRY("f16", "m16n8k16") MMA_ENTRY("tf32", "m16n8k8")
	LDMATRIX_ENTRY("ldmatrix", "") LDMATRIX_ENTRY("ldmatrix_trans", ".trans");

/* An element of A and B in its bits, and how many of them a register has. */
struct element {
	const char *kernel;
	unsigned per;
	uint32_t (*bits)(float v);
};

static uint32_t bf16_bits(float v)
{
	return aif_to_bf16(v);
}

static uint32_t f16_bits(float v)
{
	return aif_to_f16(v);
}

static const element elements[] = {
	{ "mma_bf16", 2, bf16_bits }, { "mma_f16", 2, f16_bits }, { "mma_tf32", 1, aif_f32_bits },
};

/* (lane, value) to m + 16 k, n + 8 k, m + 16 n: the published strides. */
static unsigned a_at(const element &e, unsigned lane, unsigned v)
{
	if (e.per == 1)
		return 16 * (lane % 4) + lane / 4 + 8 * (v % 2) + 64 * (v / 2);
	return 32 * (lane % 4) + lane / 4 + 16 * (v % 2) + 8 * (v / 2 % 2) + 128 * (v / 4);
}

static unsigned b_at(const element &e, unsigned lane, unsigned v)
{
	if (e.per == 1)
		return 8 * (lane % 4) + lane / 4 + 32 * v;
	return 16 * (lane % 4) + lane / 4 + 8 * (v % 2) + 64 * (v / 2);
}

static unsigned d_at(unsigned lane, unsigned v)
{
	return 32 * (lane % 4) + lane / 4 + 16 * (v % 2) + 8 * (v / 2);
}

/* Whole numbers: every sum is exact, in whatever order. */
struct matrices {
	float a[M * K], b[N * K], c[M * N], d[M * N];
};

static void make(matrices *x, unsigned depth)
{
	uint32_t seed = 1;
	auto number = [&] { return (float)((seed = seed * 1664525 + 1013904223) >> 27) - 15; };

	for (float &v : x->a)
		v = number();
	for (float &v : x->b)
		v = number();
	for (float &v : x->c)
		v = number();
	for (unsigned m = 0; m < M; m++) {
		for (unsigned n = 0; n < N; n++) {
			x->d[m + M * n] = x->c[m + M * n];
			for (unsigned k = 0; k < depth; k++)
				x->d[m + M * n] += x->a[m + M * k] * x->b[n + N * k];
		}
	}
}

static void scatter(fragments *f, const matrices *x, const element &e)
{
	memset(f, 0, sizeof(*f));
	for (unsigned lane = 0; lane < WARP; lane++) {
		for (unsigned v = 0; v < 4 * e.per; v++)
			f->a[lane][v / e.per] |= e.bits(x->a[a_at(e, lane, v)]) << v % e.per * 16;
		for (unsigned v = 0; v < 2 * e.per; v++)
			f->b[lane][v / e.per] |= e.bits(x->b[b_at(e, lane, v)]) << v % e.per * 16;
		for (unsigned v = 0; v < 4; v++)
			f->d[lane][v] = x->c[d_at(lane, v)];
		for (unsigned v = 0; v < 8; v++)
			f->rows[lane][v] = 8 * lane + v;
	}
}

static unsigned wrong_products(const fragments *f, const matrices *x)
{
	unsigned wrong = 0;

	for (unsigned lane = 0; lane < WARP; lane++)
		for (unsigned v = 0; v < 4; v++)
			wrong += f->d[lane][v] != x->d[d_at(lane, v)];
	return wrong;
}

/*
 * Where elements of register r of lane l are in the rows one after the other, in bits:
 * 32 l + 1024 r and on; transposed 256 (l % 4) + 16 (l / 4) + 1024 r, and 128 further.
 */
static unsigned wrong_matrices(const fragments *f, bool transposed)
{
	unsigned wrong = 0;

	for (unsigned lane = 0; lane < WARP; lane++) {
		for (unsigned r = 0; r < 4; r++) {
			uint32_t first = (transposed ? 16 * (lane % 4) + lane / 4 : 2 * lane) + 64 * r;
			uint32_t next = first + (transposed ? 8 : 1);

			wrong += f->matrices[lane][r] != (first | next << 16);
		}
	}
	return wrong;
}

alignas(16) static fragments f;
static ptx_module *module;
static int number, failed;

static void report(const char *what, int rung, unsigned wrong)
{
	printf("%s %d - %s as published, rung %d: %u registers differ\n", wrong ? "not ok" : "ok",
	       ++number, what, rung, wrong);
	failed |= wrong != 0;
}

/* Rung 1 or 3; whether it ran. */
static bool run(const char *kernel, int rung)
{
	aif_cuda_launch l = { kernel, { 1, 1, 1 }, WARP, 0 };
	fragments_args args = { &f };

	if (rung == 3)
		return module && !ptx_launch(module, &l, &args, sizeof(args), EMU_UP);
	return !emu_launch(&l, &args, sizeof(args), EMU_UP);
}

static void check(int rung)
{
	static matrices x;

	for (const element &e : elements) {
		make(&x, 8 * e.per);
		scatter(&f, &x, e);
		report(e.kernel, rung, run(e.kernel, rung) ? wrong_products(&f, &x) : M * N);
	}
	report("ldmatrix.x4", rung, run("ldmatrix", rung) ? wrong_matrices(&f, false) : WARP * 4);
	report("ldmatrix.x4.trans", rung,
	       run("ldmatrix_trans", rung) ? wrong_matrices(&f, true) : WARP * 4);
}

int main()
{
	module = ptx_load(ptx, strlen(ptx));
	if (!module)
		printf("# %s\n", ptx_error());
	ptx_memory_add(&f, sizeof(f));
	check(1);
	check(3);
	/* The interpreter forgets memory that has shrunk, though it was the last to be touched. */
	ptx_memory_remove(&f);
	ptx_memory_add(&f, sizeof(f) / 2);
	if (run("ldmatrix", 3))
		failed = printf("not ");
	printf("ok %d - memory that is no longer there, rung 3\n1..%d\n", number + 1, number + 1);
	ptx_free(module);
	return failed != 0;
}
