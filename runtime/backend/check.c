// SPDX-License-Identifier: MIT
#include "runtime/backend/check.h"

#include <errno.h>

void aif_check_that(struct aif_check *c, bool ok)
{
	if (!c->err && !ok)
		c->err = -EINVAL;
}

/* The bytes of @t, or 0 when they do not lie inside its memory. */
static size_t extent(struct aif_check *c, const struct aif_tensor *t)
{
	uint64_t bytes = aif_dtype_bytes(t->dtype);

	for (uint32_t i = 0; i < t->rank; i++) {
		if (__builtin_mul_overflow(bytes, t->dim[i], &bytes))
			bytes = UINT64_MAX;
	}
	if (t->offset > t->mem->bytes || bytes > t->mem->bytes - t->offset) {
		c->err = -ERANGE;
		return 0;
	}
	return bytes;
}

void *aif_check_view(struct aif_check *c, const struct aif_tensor *t, uint32_t dtype,
		  uint32_t rank, size_t *bytes)
{
	aif_check_that(c, t->mem && t->dtype == dtype && t->rank == rank &&
		       t->offset % aif_dtype_bytes(dtype) == 0);
	if (c->err)
		return NULL;
	*bytes = extent(c, t);
	return c->err ? NULL : aif_host_address(t);
}

void aif_check_disjoint(struct aif_check *c, const char *p, size_t bytes)
{
	aif_check_that(c, !bytes || !c->out_bytes ||
		       p + bytes <= c->out || c->out + c->out_bytes <= p);
}

const void *aif_check_input(struct aif_check *c, const struct aif_tensor *t, uint32_t dtype,
			 uint32_t rank)
{
	size_t bytes;
	const void *p = aif_check_view(c, t, dtype, rank, &bytes);

	if (p)
		aif_check_disjoint(c, p, bytes);
	return p;
}

const float *aif_check_vector(struct aif_check *c, const struct aif_tensor *t, uint64_t n)
{
	const float *p = aif_check_input(c, t, AIF_F32, 1);

	aif_check_that(c, p && t->dim[0] == n);
	return p;
}

const float *aif_check_matrix(struct aif_check *c, const struct aif_tensor *t, uint64_t rows,
			   uint64_t cols)
{
	const float *p = aif_check_input(c, t, AIF_F32, 2);

	aif_check_that(c, p && t->dim[0] == rows && t->dim[1] == cols);
	return p;
}

const void *aif_check_activation(struct aif_check *c, const struct aif_tensor *t, uint64_t rows,
				 uint64_t cols)
{
	const void *p = aif_check_input(c, t, c->activation, 2);

	aif_check_that(c, p && t->dim[0] == rows && t->dim[1] == cols);
	return p;
}

const void *aif_check_in_place(struct aif_check *c, const struct aif_tensor *t,
			       const struct aif_tensor *out)
{
	struct aif_check relaxed = { .err = c->err, .activation = c->activation };
	bool same = t->mem == out->mem && t->offset == out->offset;
	const void *p = aif_check_activation(same ? &relaxed : c, t, out->dim[0], out->dim[1]);

	if (same)
		c->err = relaxed.err;
	return p;
}

void *aif_check_output(struct aif_check *c, const struct aif_tensor *t)
{
	size_t bytes;
	void *p = aif_check_view(c, t, c->activation, 2, &bytes);

	if (p) {
		c->out = p;
		c->out_bytes = bytes;
	}
	return p;
}
