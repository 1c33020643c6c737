/* SPDX-License-Identifier: MIT */
/*
 * rig.h - one implementation of the operators under test: a device, a stream, and
 * tensors in memory of exactly their size, so that one byte written too far is seen
 * (and, under a sanitizer, one read)
 */
#ifndef AIF_TEST_KERNELS_RIG_H
#define AIF_TEST_KERNELS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/backend/cpu/cpu.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a test function's initial state points to. */
struct impl {
	const char *backend;
	const char *isa;	/* NULL for ref */
};

extern const struct impl impl_ref, impl_portable, impl_avx2, impl_avx512;

/* Every test once per implementation; the name says which. */
#define FOR_ALL(fn)							\
	FOR_ONE(fn, ref), FOR_FAST(fn)
#define FOR_FAST(fn)							\
	FOR_ONE(fn, portable), FOR_ONE(fn, avx2), FOR_ONE(fn, avx512)
#define FOR_ONE(fn, impl)						\
	{ #fn " " #impl, fn, rig_setup, rig_teardown, (void *)&impl_##impl }

struct rig {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_mem *mems[64];	/* freed at teardown, as are their bytes */
	size_t mem_count;
	uint64_t seed;
};

/* Skips the test, saying why, when this machine lacks the implementation. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Give back all memory so far, between the rows of a table; nothing behind it was touched. */
void rig_reset(struct rig *r);

/* Uniform in -1..1 from the rig's own sequence. */
float rig_random(struct rig *r);

/* A new zeroed memory of exactly that many elements, as a tensor. */
struct aif_tensor rig_f32(struct rig *r, uint64_t rows, uint64_t cols);
struct aif_tensor rig_vector(struct rig *r, uint64_t n);
struct aif_tensor rig_i32(struct rig *r, const int32_t *values, uint64_t n);
/* The same with random elements, scaled. */
struct aif_tensor rig_random_f32(struct rig *r, uint64_t rows, uint64_t cols, float scale);
struct aif_tensor rig_random_vector(struct rig *r, uint64_t n, float scale);

struct aif_weight *rig_weight(struct rig *r, const struct aif_tensor *w);

static inline float *floats(const struct aif_tensor *t)
{
	return aif_host_address(t);
}

static inline int32_t *ints(const struct aif_tensor *t)
{
	return aif_host_address(t);
}

/*
 * The tolerance: an operator may be wrong by twice as much as the obvious float32
 * loop is, both against double.  Collects the largest errors over a table and
 * shows how much of the allowance was used.
 */
struct judge {
	double worst, plain;
};

void judge_value(struct judge *j, double exact, float plain, float got);
void judge_verdict(const struct judge *j, const struct rig *r, const char *what);

#endif
