/* SPDX-License-Identifier: MIT */
/* cpu.h - what the files of the CPU backend share; the contract is backend.h. */
#ifndef AIF_BACKEND_CPU_H
#define AIF_BACKEND_CPU_H

#include "kernels/host.h"
#include "runtime/backend/backend.h"

struct aif_dev {
	const struct aif_host_ops *host;
	unsigned int threads;
	char description[64];
};

struct aif_weight {
	size_t n, k;
	const struct aif_host_ops *host;	/* who can read `packed` */
	float *packed;
};

struct aif_stream {
	const struct aif_host_ops *host;
	struct aif_team *team;
	size_t max_seqlen, max_head_dim;
};

/* Both backends' operators: check the tensors, then call the stream's host table. */
extern const struct aif_ops aif_cpu_ops;

extern const struct aif_backend aif_backend_cpu, aif_backend_ref;

#endif
