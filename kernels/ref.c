// SPDX-License-Identifier: MIT
/* The table of readable operators. */
#include "kernels/ref.h"

const struct aif_host_ops aif_host_ref = {
	.name = "ref",
	.gemm_packed_floats = aif_gemm_packed_floats_ref,
	.gemm_pack = aif_gemm_pack_ref,
	.attention_scratch = aif_attention_scratch_ref,
	.embed = aif_embed_ref,
	.layernorm = aif_layernorm_ref,
	.gemm = aif_gemm_ref,
	.attention = aif_attention_ref,
	.pool = aif_pool_ref,
};
