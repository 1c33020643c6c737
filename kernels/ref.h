/* SPDX-License-Identifier: MIT */
/* The readable operators; contracts in host.h. */
#ifndef AIF_KERNELS_REF_H
#define AIF_KERNELS_REF_H

#include "kernels/host.h"

/* One row: out = LayerNorm(v).  @out may be @v. */
void aif_layernorm_row_ref(float *out, const float *v, const float *gamma, const float *beta,
			   float eps, size_t hidden);

void aif_embed_ref(struct aif_team *team, const struct aif_host_embed *op);
void aif_layernorm_ref(struct aif_team *team, const struct aif_host_layernorm *op);
void aif_gemm_ref(struct aif_team *team, const struct aif_host_gemm *op);
void aif_attention_ref(struct aif_team *team, const struct aif_host_attention *op);
void aif_pool_ref(struct aif_team *team, const struct aif_host_pool *op);

size_t aif_gemm_packed_floats_ref(size_t n, size_t k);
void aif_gemm_pack_ref(float *packed, const float *w, size_t n, size_t k);
size_t aif_attention_scratch_ref(size_t max_seqlen, size_t max_head_dim);

#endif
