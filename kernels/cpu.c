// SPDX-License-Identifier: MIT
/* The table of fast operators, once per instruction set. */
#include "kernels/cpu.h"

#define STRING(name) #name
#define NAME(isa) STRING(isa)

const struct aif_host_ops ISA(aif_host) = {
	.name = NAME(AIF_ISA),
	.gemm_packed_floats = ISA(aif_gemm_packed_floats),
	.gemm_pack = ISA(aif_gemm_pack),
	.attention_scratch = ISA(aif_attention_scratch),
	.embed = ISA(aif_embed),
	.layernorm = ISA(aif_layernorm),
	.gemm = ISA(aif_gemm),
	.attention = ISA(aif_attention),
	.pool = ISA(aif_pool),
};
