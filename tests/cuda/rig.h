/* SPDX-License-Identifier: MIT */
/*
 * rig.h - TEST CODE: a kernel under test, by its twin (rungs 1 and 2) or by the PTX that
 * nvcc wrote (rung 3), against the operator's definition in double
 *
 * Each test runs with blocks and threads going up, down and in a random order; what
 * it saw must be the same bits each time.  Memory is of exactly the size asked for: the
 * sanitizers see the byte beside it, the interpreter refuses it, and a plain run finds
 * its guard written.
 */
#ifndef AIF_TEST_CUDA_RIG_H
#define AIF_TEST_CUDA_RIG_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/gpu.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef void rig_fn();

/* @needs: NULL, or a kernel that not every architecture's PTX has */
struct rig_test {
	const char *name;
	rig_fn *run;
	const char *needs = nullptr;
};

/* What the program tests, up to a NULL name. */
extern const rig_test rig_tests[];

/* Freed after the test; filled with NaN. */
void *rig_alloc(size_t bytes);
/* Uniform in -1..1, the same sequence in each run of a test. */
float rig_random();
/* The kernel runs to its end, or the test has failed. */
void rig_launch(const aif_cuda_launch &l, const void *args, size_t bytes);
/* Until the test ends: called in the moment when a kernel tells the host that it is done. */
void rig_on_release(void (*fn)());
__attribute__((format(printf, 1, 2))) void rig_fail(const char *fmt, ...);

/*
 * An operator may be wrong by twice as much as the obvious loop of the same storage
 * is, both against double.  Collects the largest errors of a test.
 */
void rig_judge(double exact, float plain, float got);

/* What must be the same bits in each order. */
void rig_same(const void *data, size_t bytes);

template <typename T>
T *rig_array(size_t n)
{
	return (T *)rig_alloc(n * sizeof(T));
}

template <typename T>
T *rig_random_array(size_t n, float scale)
{
	T *a = rig_array<T>(n);

	for (size_t i = 0; i < n; i++)
		from_f32(&a[i], rig_random() * scale);
	return a;
}

static inline float rig_round(float v, const float *)
{
	return v;
}

/* As a plain loop would store it. */
template <typename T>
static inline float rig_round(float v, const T *)
{
	T stored;

	from_f32(&stored, v);
	return to_f32(stored);
}

static inline aif_cuda_storage rig_storage(const float *)
{
	return AIF_CUDA_F32;
}

static inline aif_cuda_storage rig_storage(const bf16 *)
{
	return AIF_CUDA_BF16;
}

static inline aif_cuda_storage rig_storage(const f16 *)
{
	return AIF_CUDA_F16;
}

#endif
