// SPDX-License-Identifier: MIT
/* The fat binaries that kernels/cuda.mk made, if it could. */
#include "runtime/backend/cuda/image.h"

#ifdef AIF_CUDA_KERNELS
#define OPERATORS(X) X(attention) X(embed) X(gemm) X(layernorm) X(pool)

#define INCLUDE(op)									\
	asm(".pushsection .rodata\n.balign 64\n"					\
	    ".local image_" #op "\nimage_" #op ": .incbin \"build/cuda/" #op ".fatbin\"\n"	\
	    ".local image_end_" #op "\nimage_end_" #op ": .byte 0\n.popsection\n");	\
	extern const unsigned char image_##op[] __attribute__((visibility("hidden")));	\
	extern const unsigned char image_end_##op[] __attribute__((visibility("hidden")));
OPERATORS(INCLUDE)

#define ROW(op) { #op, image_##op, image_end_##op },
#else
#define OPERATORS(X)
#endif

const struct aif_cuda_image aif_cuda_images[] = {
	OPERATORS(ROW)
	{ 0 },
};
