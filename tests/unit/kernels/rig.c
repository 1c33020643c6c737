// SPDX-License-Identifier: MIT
#include "tests/unit/kernels/rig.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Behind each memory; a sanitizer sees reads too and needs the exact size. */
#ifdef __SANITIZE_ADDRESS__
static const size_t guard_bytes;
#else
static const size_t guard_bytes = 256;
#endif
#define GUARD 0x5a

const struct impl impl_ref = { "ref", NULL };
const struct impl impl_portable = { "cpu", "portable" };
const struct impl impl_avx2 = { "cpu", "avx2" };
const struct impl impl_avx512 = { "cpu", "avx512" };

/*
 * Under a sanitizer, a request that no memory can satisfy shall fail as it does
 * without.  Asked before the sanitizer runs, hence not instrumented itself.
 */
#define SANITIZER_OPTIONS(name)								\
	__attribute__((visibility("default"))) const char *name(void);			\
	__attribute__((no_sanitize("address", "thread"))) const char *name(void)	\
	{										\
		return "allocator_may_return_null=1";					\
	}

SANITIZER_OPTIONS(__asan_default_options)
SANITIZER_OPTIONS(__tsan_default_options)

int rig_setup(void **state)
{
	const struct impl *impl = *state;
	struct aif_dev_opts opts = { .size = sizeof(opts), .isa = impl->isa };
	struct rig *r = calloc(1, sizeof(*r));
	int err;

	assert_non_null(r);
	*state = r;
	r->seed = 1;
	r->be = aif_backend_find(impl->backend);
	assert_non_null(r->be);
	err = r->be->dev_open(&opts, &r->dev);
	if (err == -EOPNOTSUPP || (err == -EINVAL && impl->isa)) {
		print_message("# SKIP %s: %s\n", impl->isa, err == -EINVAL ?
			      "not built for this architecture" : "this processor lacks it");
		return 0;
	}
	assert_int_equal(err, 0);
	assert_int_equal(r->be->stream_create(r->dev, NULL, &r->stream), 0);
	return 0;
}

int rig_teardown(void **state)
{
	struct rig *r = *state;

	rig_reset(r);
	r->be->stream_free(r->stream);
	r->be->dev_close(r->dev);
	free(r);
	return 0;
}

void rig_reset(struct rig *r)
{
	while (r->mem_count) {
		struct aif_mem *mem = r->mems[--r->mem_count];
		char *host = r->be->mem_host(mem);

		for (size_t i = 0; i < guard_bytes; i++)
			assert_int_equal(host[mem->bytes + i], GUARD);
		free(host);
		r->be->mem_free(mem);
	}
}

float rig_random(struct rig *r)
{
	r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
	return (int32_t)(r->seed >> 32) * 0x1p-31f;
}

static struct aif_mem *new_mem(struct rig *r, size_t bytes)
{
	char *host = calloc(1, bytes + guard_bytes ? bytes + guard_bytes : 1);

	assert_non_null(host);
	memset(host + bytes, GUARD, guard_bytes);
	assert_true(r->mem_count < COUNT(r->mems));
	assert_int_equal(r->be->mem_wrap(r->dev, host, bytes, &r->mems[r->mem_count]), 0);
	return r->mems[r->mem_count++];
}

struct aif_tensor rig_f32(struct rig *r, uint64_t rows, uint64_t cols)
{
	return aif_tensor2(new_mem(r, rows * cols * 4), 0, AIF_F32, rows, cols);
}

struct aif_tensor rig_vector(struct rig *r, uint64_t n)
{
	return aif_tensor1(new_mem(r, n * 4), 0, AIF_F32, n);
}

struct aif_tensor rig_i32(struct rig *r, const int32_t *values, uint64_t n)
{
	struct aif_tensor t = aif_tensor1(new_mem(r, n * 4), 0, AIF_I32, n);

	memcpy(ints(&t), values, n * 4);
	return t;
}

static struct aif_tensor randomise(struct rig *r, struct aif_tensor t, size_t n, float scale)
{
	for (size_t i = 0; i < n; i++)
		floats(&t)[i] = rig_random(r) * scale;
	return t;
}

struct aif_tensor rig_random_f32(struct rig *r, uint64_t rows, uint64_t cols, float scale)
{
	return randomise(r, rig_f32(r, rows, cols), rows * cols, scale);
}

struct aif_tensor rig_random_vector(struct rig *r, uint64_t n, float scale)
{
	return randomise(r, rig_vector(r, n), n, scale);
}

struct aif_weight *rig_weight(struct rig *r, const struct aif_tensor *w)
{
	struct aif_weight *weight;

	assert_int_equal(r->be->weight_create(r->dev, floats(w), w->dim[0], w->dim[1], &weight), 0);
	return weight;
}

void judge_value(struct judge *j, double exact, float plain, float got)
{
	assert_true(isfinite(got));
	j->worst = fmax(j->worst, fabs(got - exact));
	j->plain = fmax(j->plain, fabs(plain - exact));
}

void judge_verdict(const struct judge *j, const struct rig *r, const char *what)
{
	/* A plain loop can be right by luck on a tiny table: ask no less than an ulp of 1. */
	double allowed = fmax(2 * j->plain, FLT_EPSILON);

	print_message("# %s, %s: error %.1e, %.0f %% of the allowance\n", what,
		      r->be->dev_describe(r->dev), j->worst, 100 * j->worst / allowed);
	if (j->worst > allowed)
		fail_msg("%s: error %g, allowed %g", what, j->worst, allowed);
}
