// SPDX-License-Identifier: MIT
/*
 * TEST CODE: who holds what in mma.m16n8k16 and ldmatrix.x4, of the emulator and of the
 * interpreter, against a third source: the layouts that CUTLASS publishes (CuTe's traits of
 * SM80_16x8x16_F32BF16BF16F32_TN and SM75_U32x4_LDSM_N).  A kernel that is right by
 * two errors that cancel each other out would not be seen otherwise.  Prints TAP.
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

struct fragments {
	uint16_t a[WARP][8], b[WARP][4];
	float d[WARP][4];
	uint16_t rows[WARP][8];
	uint32_t matrices[WARP][4];
};

struct fragments_args {
	fragments *f;
};

KERNEL(fragments_kernel, fragments_args, WARP, 1)
{
	KSHARED(uint32_t, rows, [WARP * 4]);
	uint32_t lane = threadIdx.x, a[4], b[2];

	memcpy(a, p.f->a[lane], sizeof(a));
	memcpy(b, p.f->b[lane], sizeof(b));
	gpu_mma_bf16(p.f->d[lane], a, b);
	memcpy(rows + 4 * lane, p.f->rows[lane], 16);
	gpu_warp_sync();
	gpu_ldmatrix_x4(p.f->matrices[lane], rows + 4 * lane);
}

static const char ptx[] =
	".version 9.0\n.target sm_80\n.address_size 64\n"
	".visible .entry fragments_kernel(.param .u64 p)\n.maxntid 32\n{\n"
	".reg .b32 %r<12>;\n.reg .f32 %f<4>;\n.reg .b64 %a<4>;\n"
	".shared .align 16 .b8 rows[512];\n"
	"mov.u32 %r0, %tid.x;\n"
	"ld.param.u64 %a0, [p];\n"
	"mul.wide.u32 %a1, %r0, 16;\n"
	"mul.wide.u32 %a2, %r0, 8;\n"
	"add.s64 %a1, %a0, %a1;\n"
	"add.s64 %a2, %a0, %a2;\n"
	"ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%a1];\n"
	"ld.global.v2.b32 {%r5, %r6}, [%a2+512];\n"
	"ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%a1+768];\n"
	"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, "
	"{%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f0, %f1, %f2, %f3};\n"
	"st.global.v4.f32 [%a1+768], {%f0, %f1, %f2, %f3};\n"
	"ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%a1+1280];\n"
	"mov.u32 %r7, rows;\n"
	"shl.b32 %r8, %r0, 4;\n"
	"add.s32 %r7, %r7, %r8;\n"
	"st.shared.v4.b32 [%r7], {%r1, %r2, %r3, %r4};\n"
	"bar.warp.sync 0xffffffff;\n"
	"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%r7];\n"
	"st.global.v4.b32 [%a1+1792], {%r1, %r2, %r3, %r4};\n"
	"ret;\n}\n";

/* (lane, value) to m + 16 k, n + 8 k, m + 16 n: the published strides. */
static unsigned a_at(unsigned lane, unsigned v)
{
	return 32 * (lane % 4) + lane / 4 + 16 * (v % 2) + 8 * (v / 2 % 2) + 128 * (v / 4);
}

static unsigned b_at(unsigned lane, unsigned v)
{
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

static void make(matrices *x)
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
			for (unsigned k = 0; k < K; k++)
				x->d[m + M * n] += x->a[m + M * k] * x->b[n + N * k];
		}
	}
}

static void scatter(fragments *f, const matrices *x)
{
	for (unsigned lane = 0; lane < WARP; lane++) {
		for (unsigned v = 0; v < 8; v++) {
			f->a[lane][v] = gpu_f32_to_bits(x->a[a_at(lane, v)]) >> 16;
			f->rows[lane][v] = 8 * lane + v;
		}
		for (unsigned v = 0; v < 4; v++) {
			f->b[lane][v] = gpu_f32_to_bits(x->b[b_at(lane, v)]) >> 16;
			f->d[lane][v] = x->c[d_at(lane, v)];
		}
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

/* Register r of lane l: bits 32 l + 1024 r and on, of the rows one after the other. */
static unsigned wrong_matrices(const fragments *f)
{
	unsigned wrong = 0;

	for (unsigned lane = 0; lane < WARP; lane++) {
		for (unsigned r = 0; r < 4; r++) {
			uint32_t first = 2 * lane + 64 * r;

			wrong += f->matrices[lane][r] != (first | (first + 1) << 16);
		}
	}
	return wrong;
}

static int report(int number, const char *what, int rung, unsigned wrong)
{
	printf("%s %d - %s as published, rung %d: %u registers differ\n", wrong ? "not ok" : "ok",
	       number, what, rung, wrong);
	return wrong != 0;
}

int main()
{
	static const aif_cuda_launch launch = { "fragments_kernel", { 1, 1, 1 }, WARP, 0 };
	alignas(16) static fragments f;
	static matrices x;
	fragments_args args = { &f };
	ptx_module *module = ptx_load(ptx, strlen(ptx));
	int failed = 0, i;

	ptx_memory_add(&f, sizeof(f));
	make(&x);
	for (i = 0; i < 2; i++) {
		int rung = i ? 3 : 1;

		scatter(&f, &x);
		memset(f.matrices, 0xff, sizeof(f.matrices));
		if (i ? !module || ptx_launch(module, &launch, &args, sizeof(args), -1) :
			emu_launch(&launch, &args, sizeof(args), EMU_UP))
			printf("# %s\n", i ? ptx_error() : emu_error());
		failed |= report(2 * i + 1, "mma.m16n8k16", rung, wrong_products(&f, &x));
		failed |= report(2 * i + 2, "ldmatrix.x4", rung, wrong_matrices(&f));
	}
	/* The interpreter forgets memory that has shrunk, though it was the last to be touched. */
	ptx_memory_remove(&f);
	ptx_memory_add(&f, sizeof(f) / 2);
	i = module && ptx_launch(module, &launch, &args, sizeof(args), -1) == -1;
	printf("%s 5 - memory that is no longer there, rung 3\n", i ? "ok" : "not ok");
	failed |= !i;
	printf("1..5\n");
	ptx_free(module);
	return failed;
}
