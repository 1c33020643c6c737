/* SPDX-License-Identifier: MIT */
/*
 * check.h - tensors in, plain addresses out: what every backend refuses
 *
 * An operator collects its views under one error: the first that does not fit sticks,
 * and nothing is computed.  A view's address is its memory's base and its offset: the
 * host's or the device's, it is not followed here.
 */
#ifndef AIF_BACKEND_CHECK_H
#define AIF_BACKEND_CHECK_H

#include <stdbool.h>

#include "kernels/host.h"

/*
 * @activation: how activations are stored (enum aif_tensor_dtype)
 * @err:        0, -EINVAL or -ERANGE
 * @out, @out_bytes: what the operator writes, for aif_check_disjoint()
 */
struct aif_check {
	uint32_t activation;
	int err;
	const char *out;
	size_t out_bytes;
};

void aif_check_that(struct aif_check *c, bool ok);
/* A tensor of this type and rank; its address, and how many bytes it has. */
void *aif_check_view(struct aif_check *c, const struct aif_tensor *t, uint32_t dtype,
		     uint32_t rank, size_t *bytes);
void aif_check_disjoint(struct aif_check *c, const char *p, size_t bytes);
/* An input that the output must not overlap. */
const void *aif_check_input(struct aif_check *c, const struct aif_tensor *t, uint32_t dtype,
			    uint32_t rank);
const float *aif_check_vector(struct aif_check *c, const struct aif_tensor *t, uint64_t n);
/* A table of a model, f32. */
const float *aif_check_matrix(struct aif_check *c, const struct aif_tensor *t, uint64_t rows,
			      uint64_t cols);
const void *aif_check_activation(struct aif_check *c, const struct aif_tensor *t, uint64_t rows,
				 uint64_t cols);
/* An activation that the output may also be, exactly. */
const void *aif_check_in_place(struct aif_check *c, const struct aif_tensor *t,
			       const struct aif_tensor *out);
/* The activation that is written; checked first. */
void *aif_check_output(struct aif_check *c, const struct aif_tensor *t);

#endif
