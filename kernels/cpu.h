/* SPDX-License-Identifier: MIT */
/*
 * The fast operators of the instruction set that this file is compiled for;
 * contracts in host.h.
 */
#ifndef AIF_KERNELS_CPU_H
#define AIF_KERNELS_CPU_H

#include "kernels/host.h"
#include "kernels/simd.h"

void ISA(aif_embed)(struct aif_team *team, const struct aif_host_embed *op);
void ISA(aif_layernorm)(struct aif_team *team, const struct aif_host_layernorm *op);
void ISA(aif_gemm)(struct aif_team *team, const struct aif_host_gemm *op);
void ISA(aif_attention)(struct aif_team *team, const struct aif_host_attention *op);
void ISA(aif_pool)(struct aif_team *team, const struct aif_host_pool *op);

size_t ISA(aif_gemm_packed_floats)(size_t n, size_t k);
void ISA(aif_gemm_pack)(float *packed, const float *w, size_t n, size_t k);
size_t ISA(aif_attention_scratch)(size_t max_seqlen, size_t max_head_dim);

extern const struct aif_host_ops ISA(aif_host);

#endif
