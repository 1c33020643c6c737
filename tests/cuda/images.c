// SPDX-License-Identifier: MIT
/* TEST CODE: images that a stand-in driver takes, for builds without nvcc: names only. */
#include "runtime/backend/cuda/image.h"

#include <stdint.h>

static const struct {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t bytes;
	char names[768];
} all = {
	0xba55ed50, 1, 16, 768,
	"attention_f32 attention_bf16 attention_f16 attention_mma_32_bf16 attention_mma_32_f16 "
	"attention_mma_64_bf16 attention_mma_64_f16 attention_mma_128_bf16 attention_mma_128_f16 "
	"embed_f32 embed_bf16 embed_f16 "
	"embed_each_f32 embed_each_bf16 embed_each_f16 "
	"gemm_plain_f32 gemm_plain_bf16 gemm_plain_f16 gemm_mma_tf32 gemm_mma_bf16 gemm_mma_f16 "
	"gemm_mma_wide_tf32 gemm_mma_wide_bf16 gemm_mma_wide_f16 "
	"layernorm_f32 layernorm_bf16 layernorm_f16 pool_f32 pool_bf16 pool_f16",
};

#define IMAGE(name) { name, (const unsigned char *)&all, (const unsigned char *)(&all + 1) }

const struct aif_cuda_image aif_cuda_images[] = {
	IMAGE("attention"), IMAGE("embed"), IMAGE("gemm"), IMAGE("layernorm"), IMAGE("pool"), { 0 },
};
