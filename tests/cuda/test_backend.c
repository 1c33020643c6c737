// SPDX-License-Identifier: MIT
/*
 * TEST CODE, rung 4: the CUDA backend as it is, on the stand-in driver (driver.cc).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/half.h"
#include "runtime/backend/backend.h"
#include "runtime/backend/cuda/driver.h"
#include "runtime/backend/cuda/image.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ROWS 5
#define WIDTH 40

static const struct aif_backend *be;
static void (*standin_reset)(void);
static unsigned int (*standin_complaints)(void);
static unsigned int (*standin_calls)(const char *name);
static unsigned int (*standin_launches)(const char *kernel);

/* The driver as a new process finds it. */
static void fresh(const char *words)
{
	standin_reset();
	setenv("AIF_STANDIN", words, 1);
}

static void fill(float *a, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		a[i] = (int32_t)seed * 0x1p-31f;
	}
}

/*
 * One LayerNorm on @backend, from upload to vector; every step's error stops it, and
 * whatever there was is freed.
 */
struct scene {
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_mem *x, *table, *out, *constant;
	float got[ROWS * WIDTH];
};

/* As much as takes more pieces than there are stages. */
static int bring_constant(const struct aif_backend *backend, struct scene *s)
{
	static const char bytes[5 << 20];

	return AIF_BACKEND_HAS(backend, mem_constant) ?
	       backend->mem_constant(s->dev, bytes, sizeof(bytes), &s->constant) : 0;
}

static int normalise(const struct aif_backend *backend, struct scene *s)
{
	float x[ROWS * WIDTH], table[2 * WIDTH];
	int err;

	fill(x, COUNT(x), 1);
	fill(table, COUNT(table), 2);
	err = backend->stream_create(s->dev, NULL, &s->stream);
	if (!err)
		err = bring_constant(backend, s);
	if (!err)
		err = backend->mem_alloc(s->dev, sizeof(x), &s->x);
	if (!err)
		err = backend->mem_alloc(s->dev, sizeof(table), &s->table);
	if (!err)
		err = backend->mem_alloc(s->dev, sizeof(x), &s->out);
	if (!err)
		err = backend->mem_write(s->stream, s->x, 0, x, sizeof(x));
	if (!err)
		err = backend->mem_write(s->stream, s->table, 0, table, sizeof(table));
	/* Pageable sources were taken at the call. */
	memset(x, 0, sizeof(x));
	if (!err)
		err = backend->ops->layernorm(s->stream, &(struct aif_op_layernorm) {
			.x = aif_tensor2(s->x, 0, AIF_F32, ROWS, WIDTH),
			.gamma = aif_tensor1(s->table, 0, AIF_F32, WIDTH),
			.beta = aif_tensor1(s->table, WIDTH * 4, AIF_F32, WIDTH),
			.eps = 1e-5f, .out = aif_tensor2(s->out, 0, AIF_F32, ROWS, WIDTH),
		});
	if (!err)
		err = backend->mem_read(s->stream, s->out, 0, s->got, sizeof(s->got));
	if (s->stream) {
		int done = backend->stream_sync(s->stream);

		err = err ? err : done;
	}
	return err;
}

static void clear(const struct aif_backend *backend, struct scene *s)
{
	backend->mem_free(s->x);
	backend->mem_free(s->table);
	backend->mem_free(s->out);
	backend->mem_free(s->constant);
	backend->stream_free(s->stream);
	backend->dev_close(s->dev);
}

/* The end of a step: vectors in the host's memory, and the word that says so. */
static int pool(const struct aif_backend *backend, struct scene *s)
{
	static const int32_t cu[] = { 0, ROWS };
	float x[ROWS * WIDTH];
	struct aif_tensor out;
	int err = backend->stream_create(s->dev, NULL, &s->stream), done;

	fill(x, COUNT(x), 1);
	if (!err)
		err = backend->mem_constant(s->dev, x, sizeof(x), &s->x);
	if (!err)
		err = backend->mem_constant(s->dev, cu, sizeof(cu), &s->table);
	if (!err)
		err = backend->mem_wrap(s->dev, s->got, sizeof(s->got), &s->out);
	out = aif_tensor1(s->out, 0, AIF_F32, WIDTH);
	if (!err)
		err = backend->ops->pool(s->stream, &(struct aif_op_pool) {
			.x = aif_tensor2(s->x, 0, AIF_F32, ROWS, WIDTH),
			.cu_seqlens = aif_tensor1(s->table, 0, AIF_I32, 2), .out = &out });
	if (!s->stream)
		return err;
	done = backend->stream_sync(s->stream);
	return err ? err : done;
}

/* What is done with a device, and how it waits. */
struct act {
	int (*play)(const struct aif_backend *backend, struct scene *s);
	const char *wait;
};

/* @name: of an entry point, or NULL; @calls: of it, before anything is given back */
static int play_counting(const struct aif_backend *backend, const struct act *act, struct scene *s,
			 const char *name, unsigned int *calls)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .wait = act->wait };
	int err;

	memset(s, 0, sizeof(*s));
	err = backend->dev_open(&opts, &s->dev);
	if (err)
		return err;
	err = act->play(backend, s);
	if (name)
		*calls = standin_calls(name);
	clear(backend, s);
	return err;
}

static int play(const struct aif_backend *backend, struct scene *s)
{
	return play_counting(backend, &(struct act){ normalise, NULL }, s, NULL, NULL);
}

static void test_layernorm_as_ref(void **state)
{
	static const char *const words[] = {
		"seed=1", "seed=2", "seed=3", "order=lifo", "ptx=build/cuda,seed=1",
	};
	struct scene want, s;

	assert_int_equal(play(aif_backend_find("ref"), &want), 0);
	for (size_t i = 0; i < COUNT(words); i++) {
		if (strstr(words[i], "ptx=") && access("build/cuda/layernorm.80.ptx", R_OK)) {
			print_message("# not with the interpreter: no nvcc has made PTX\n");
			continue;
		}
		fresh(words[i]);
		assert_int_equal(play(be, &s), 0);
		for (size_t j = 0; j < COUNT(s.got); j++)
			assert_true(fabsf(s.got[j] - want.got[j]) <= 1e-6f);
		assert_int_equal(standin_complaints(), 0);
	}
}

static void test_open_says_why_not(void **state)
{
	static const struct {
		const char *words;
		int err;
		const char *why;
	} rows[] = {
		{ "init=100", -ENODEV, "the NVIDIA driver finds no device" },
		{ "devices=0", -ENODEV, "the NVIDIA driver finds no device" },
		{ "init=803", -ENODEV, "library and kernel module do not match (803)" },
		{ "init=999", -EIO, "cuInit: CUDA_ERROR (999)" },
		{ "version=12080", -ENODEV, "of CUDA 12.8, needed is 13.0 (580) or newer" },
		{ "lack=cuMemHostRegister", -ENODEV, "the NVIDIA driver lacks cuMemHostRegister" },
		{ "fail=cuModuleLoadData:2:209", -EOPNOTSUPP, "cuModuleLoadData: CUDA_ERROR (209)" },
		{ "fail=cuModuleLoadData:1:222", -EOPNOTSUPP, "cuModuleLoadData: CUDA_ERROR (222)" },
	};
	struct aif_dev *dev;

	for (size_t i = 0; i < COUNT(rows); i++) {
		fresh(rows[i].words);
		assert_int_equal(be->dev_open(NULL, &dev), rows[i].err);
		if (!strstr(be->dev_why(), rows[i].why))
			fail_msg("%s: '%s'", rows[i].words, be->dev_why());
		assert_null(strchr(be->dev_why(), '\n'));
		assert_int_equal(standin_complaints(), 0);
	}
}

static void test_open_by_name(void **state)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = {
		{ "GPU-11111111-1111-1111-1111-111111111111", 0 },
		{ "gpu-10101010-1010-1010-1010-101010101010", 0 },
		{ "0000:02:00.0", 0 }, { "0000:03:00.0", -ENODEV }, { "1", -ENODEV },
	};
	struct aif_dev_opts opts = { .size = sizeof(opts) };
	struct aif_dev *dev;

	for (size_t i = 0; i < COUNT(rows); i++) {
		fresh("devices=2");
		opts.device = rows[i].name;
		assert_int_equal(be->dev_open(&opts, &dev), rows[i].err);
		if (!rows[i].err)
			be->dev_close(dev);
	}
	opts.device = NULL;
	opts.index = 2;
	assert_int_equal(be->dev_open(&opts, &dev), -ENODEV);
	opts.index = 0;
	opts.precision = "fp8";
	assert_int_equal(be->dev_open(&opts, &dev), -EINVAL);
	assert_string_equal(be->dev_why(), "precision 'fp8': fp32, tf32, bf16 or fp16");
}

/* What a call that only cleans up answers is nobody's concern. */
static bool cleans_up(const char *name)
{
	return !strcmp(name, "cuMemFree") || !strcmp(name, "cuMemFreeHost") ||
	       !strcmp(name, "cuEventDestroy") || !strcmp(name, "cuStreamDestroy") ||
	       !strcmp(name, "cuModuleUnload") || !strcmp(name, "cuDevicePrimaryCtxRelease") ||
	       !strcmp(name, "cuMemHostUnregister") || !strcmp(name, "cuGetErrorName");
}

/* When these fail, what was enqueued may still run: then it is right to free nothing. */
static bool keeps_memory(const char *name)
{
	return !strcmp(name, "cuStreamSynchronize") || !strcmp(name, "cuCtxSetCurrent") ||
	       !strcmp(name, "cuStreamQuery") || !strcmp(name, "cuEventSynchronize") ||
	       !strcmp(name, "cuEventRecord");
}

/*
 * The 1st, 2nd, 3rd... call of each entry point fails: the scene ends with an error and
 * a reason, and nothing is left behind.
 */
static unsigned int sweep(const struct act *act, const char *name, int result)
{
	struct scene s;
	char words[96];
	unsigned int calls = 0;

	fresh("seed=1");
	assert_int_equal(play_counting(be, act, &s, name, &calls), 0);
	for (unsigned int n = 1; n <= calls; n++) {
		snprintf(words, sizeof(words), "fail=%s:%u:%d", name, n, result);
		fresh(words);
		if (!play_counting(be, act, &s, NULL, NULL))
			fail_msg("call %u of %s failed, and nobody noticed", n, name);
		assert_true(strlen(be->dev_why()) > 0);
		if (result < 700 && !keeps_memory(name))
			assert_int_equal(standin_complaints(), 0);
	}
	return calls;
}

static void test_every_call_fails(void **state)
{
	static const char *const names[] = {
#define NAME(call, args) "cu" #call,
		AIF_CUDA_CALLS(NAME)
#undef NAME
	};
	static const struct act acts[] = {
		{ normalise, "spin" }, { pool, "spin" }, { pool, "sleep" },
	};
	unsigned int failures = 0;

	for (size_t i = 0; i < COUNT(names) * COUNT(acts); i++) {
		const char *name = names[i / COUNT(acts)];

		if (cleans_up(name))
			continue;
		failures += sweep(&acts[i % COUNT(acts)], name, 2);
		failures += sweep(&acts[i % COUNT(acts)], name, 719);
	}
	print_message("# %u calls failed, each cleanly\n", failures);
	assert_true(failures > 240);
}

/* A precision's storage, and what it multiplies. */
struct precision {
	const char *name;
	uint32_t dtype;
	float (*multiplied)(float v);
	double ulp;
};

static float as_bf16(float v)
{
	return aif_from_bf16(aif_to_bf16(v));
}

static float as_f16(float v)
{
	return aif_from_f16(aif_to_f16(v));
}

static const struct precision fp32 = { "fp32", AIF_F32, NULL, 0x1p-22 };
static const struct precision tf32 = { "tf32", AIF_F32, aif_to_tf32, 0x1p-22 };
/* Where rows of K are not aligned it is strict. */
static const struct precision tf32_odd = { "tf32", AIF_F32, NULL, 0x1p-22 };
static const struct precision bf16 = { "bf16", AIF_BF16, as_bf16, 0x1p-8 };
static const struct precision fp16 = { "fp16", AIF_F16, as_f16, 0x1p-11 };

/* Element @i of what has this type. */
static void put(void *at, uint32_t dtype, size_t i, float v)
{
	if (dtype == AIF_F32)
		((float *)at)[i] = v;
	else
		((uint16_t *)at)[i] = dtype == AIF_F16 ? aif_to_f16(v) : aif_to_bf16(v);
}

static float get(const void *at, uint32_t dtype, size_t i)
{
	uint16_t half = ((const uint16_t *)at)[i];

	return dtype == AIF_F32 ? ((const float *)at)[i] :
	       dtype == AIF_F16 ? aif_from_f16(half) : aif_from_bf16(half);
}

static double product(const struct precision *p, const float *x, const float *w, uint32_t k)
{
	double sum = 0;

	for (uint32_t l = 0; l < k; l++)
		sum += p->multiplied ? (double)p->multiplied(x[l]) * p->multiplied(w[l]) :
				       (double)x[l] * w[l];
	return sum;
}

/* One product, [1, @k] by [@n, @k], by the kernel @name on the device of @words. */
static void multiply(const char *words, const struct precision *p, uint32_t n, uint32_t k,
		     const char *name)
{
	static float w[1024 * 256], x[256];
	static float in[256], out[1024];
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = p->name };
	size_t element = aif_dtype_bytes(p->dtype);
	struct aif_weight *weight;
	struct aif_mem *mem;
	struct scene s = { 0 };
	struct aif_op_gemm op;

	fill(w, n * k, 1);
	fill(x, k, 2);
	for (uint32_t i = 0; i < k; i++)
		put(in, p->dtype, i, x[i]);
	fresh(words);
	assert_int_equal(be->dev_open(&opts, &s.dev), 0);
	assert_int_equal(be->stream_create(s.dev, NULL, &s.stream), 0);
	assert_int_equal(be->mem_alloc(s.dev, 16384, &mem), 0);
	/* Last, so that nothing else waits for its upload. */
	assert_int_equal(be->weight_create(s.dev, w, n, k, &weight), 0);
	assert_int_equal(be->dev_activation(s.dev), p->dtype);
	assert_int_equal(be->mem_write(s.stream, mem, 0, in, element * k), 0);
	op = (struct aif_op_gemm){ .x = aif_tensor2(mem, 0, p->dtype, 1, k), .w = weight,
				   .out = aif_tensor2(mem, 4096 + 8, p->dtype, 1, n) };
	assert_int_equal(be->ops->gemm(s.stream, &op), -EINVAL);
	op.out.offset = 4096;
	/* Twice: what the first leaves behind, the second finds. */
	for (unsigned int launches = 1; launches <= 2; launches++) {
		assert_int_equal(be->ops->gemm(s.stream, &op), 0);
		assert_int_equal(be->mem_read(s.stream, mem, 4096, out, element * n), 0);
		assert_int_equal(be->stream_sync(s.stream), 0);
		assert_int_equal(standin_launches(name), launches);
		for (uint32_t i = 0; i < n; i++) {
			double sum = product(p, x, w + i * k, k);

			assert_true(fabs(get(out, p->dtype, i) - sum) <= fabs(sum) * p->ulp + 1e-4);
		}
	}
	be->mem_free(mem);
	be->weight_free(weight);
	be->stream_free(s.stream);
	be->dev_close(s.dev);
	assert_int_equal(standin_complaints(), 0);
}

/* K shared out, and not; the small tile and the wide one; with and without tensor cores. */
static void test_gemm_of_each_precision(void **state)
{
	static const char *const words[] = { "seed=1", "seed=2", "order=lifo", "ptx=build/cuda" };
	char older[64];

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strstr(words[i], "ptx=") && access("build/cuda/gemm.80.ptx", R_OK)) {
			print_message("# not with the interpreter: no nvcc has made PTX\n");
			continue;
		}
		snprintf(older, sizeof(older), "sm=75,%s", words[i]);
		multiply(words[i], &bf16, 136, 200, "gemm_mma_bf16");
		multiply(words[i], &bf16, 1024, 16, "gemm_mma_wide_bf16");
		multiply(words[i], &bf16, 136, 204, "gemm_plain_bf16");
		multiply(older, &bf16, 136, 200, "gemm_plain_bf16");
		multiply(words[i], &fp16, 136, 200, "gemm_mma_f16");
		multiply(older, &fp16, 136, 200, "gemm_plain_f16");
		multiply(words[i], &tf32, 136, 204, "gemm_mma_tf32");
		multiply(words[i], &tf32_odd, 136, 201, "gemm_plain_f32");
		multiply(words[i], &fp32, 136, 200, "gemm_plain_f32");
	}
}

/* After a kernel's fault nothing is tried any more, and everything says so. */
static void test_sticky_error(void **state)
{
	struct aif_mem *mem;
	struct scene s = { 0 };

	fresh("fail=cuStreamSynchronize:5:700");
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(normalise(be, &s), -EIO);
	assert_non_null(strstr(be->dev_why(), "CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
	assert_int_equal(be->mem_alloc(s.dev, 16, &mem), -EIO);
	assert_int_equal(be->stream_sync(s.stream), -EIO);
	/* What it was is not forgotten. */
	assert_non_null(strstr(be->dev_why(), "CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
	assert_int_equal(be->mem_write(s.stream, s.x, 0, s.got, 16), -EIO);
	clear(be, &s);
}

struct elsewhere {
	struct scene *s;
	int err;
};

static void *normalise_elsewhere(void *arg)
{
	struct elsewhere *e = arg;

	e->err = be->ops->layernorm(e->s->stream, &(struct aif_op_layernorm) {
		.x = aif_tensor2(e->s->x, 0, AIF_F32, ROWS, WIDTH),
		.gamma = aif_tensor1(e->s->table, 0, AIF_F32, WIDTH),
		.beta = aif_tensor1(e->s->table, WIDTH * 4, AIF_F32, WIDTH),
		.eps = 1e-5f, .out = aif_tensor2(e->s->out, 0, AIF_F32, ROWS, WIDTH) });
	return NULL;
}

/* A thread whose first call is an operator. */
static void test_any_thread(void **state)
{
	struct scene s = { 0 };
	struct elsewhere e = { &s, 1 };
	pthread_t thread;

	fresh("seed=1");
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(normalise(be, &s), 0);
	assert_int_equal(pthread_create(&thread, NULL, normalise_elsewhere, &e), 0);
	pthread_join(thread, NULL);
	assert_int_equal(e.err, 0);
	assert_int_equal(be->stream_sync(s.stream), 0);
	clear(be, &s);
	assert_int_equal(standin_complaints(), 0);
}

/* Whether the backend asks the driver for anything after this result. */
static bool goes_on_after(int result)
{
	struct aif_mem *mem;
	struct aif_dev *dev;
	unsigned int calls;
	char words[64];
	bool same;

	snprintf(words, sizeof(words), "fail=cuMemAlloc:1:%d", result);
	fresh(words);
	assert_int_equal(be->dev_open(NULL, &dev), 0);
	assert_true(be->mem_alloc(dev, 16, &mem));
	calls = standin_calls("cuCtxSetCurrent");
	if (!be->mem_alloc(dev, 16, &mem))
		be->mem_free(mem);
	else
		assert_non_null(strstr(be->dev_why(), "cuMemAlloc: "));
	same = standin_calls("cuCtxSetCurrent") == calls;
	be->dev_close(dev);
	return !same;
}

/* Results after which the driver's manual lets a process only end, and others. */
static void test_which_errors_are_the_end(void **state)
{
	static const int last[] = { 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719,
				    721, 810, 911 };
	static const int others[] = { 1, 2, 701, 712, 720, 800 };

	for (size_t i = 0; i < COUNT(last); i++)
		assert_false(goes_on_after(last[i]));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_true(goes_on_after(others[i]));
}

#define LARGE ((7u << 20) + 12)

/* Each piece where it belongs, though its memory is used again before the device has read it all. */
static bool upload_large(struct aif_dev *dev, unsigned int seed)
{
	uint32_t *bytes = malloc(LARGE), *got = malloc(LARGE);
	struct aif_stream *stream = NULL;
	struct aif_mem *mem = NULL;
	bool same;

	for (size_t i = 0; i < LARGE / 4; i++)
		bytes[i] = seed = seed * 1664525 + 1013904223;
	same = !be->mem_constant(dev, bytes, LARGE, &mem) &&
	       !be->stream_create(dev, NULL, &stream) &&
	       !be->mem_read(stream, mem, 0, got, LARGE) && !be->stream_sync(stream) &&
	       !memcmp(bytes, got, LARGE);
	be->mem_free(mem);
	be->stream_free(stream);
	free(bytes);
	free(got);
	return same;
}

static void *upload_large_elsewhere(void *dev)
{
	return upload_large(dev, 2) ? dev : NULL;
}

static void test_upload_in_pieces(void **state)
{
	static const char *const words[] = { "seed=1", "seed=2", "seed=3", "order=lifo" };
	struct aif_dev *dev;
	pthread_t thread;
	void *same;

	for (size_t i = 0; i < COUNT(words); i++) {
		fresh(words[i]);
		assert_int_equal(be->dev_open(NULL, &dev), 0);
		assert_true(upload_large(dev, 1));
		be->dev_close(dev);
		assert_int_equal(standin_complaints(), 0);
	}
	/* Nor do two threads that upload at once take each other's memory. */
	fresh("seed=1");
	assert_int_equal(be->dev_open(NULL, &dev), 0);
	assert_int_equal(pthread_create(&thread, NULL, upload_large_elsewhere, dev), 0);
	assert_true(upload_large(dev, 3));
	pthread_join(thread, &same);
	assert_ptr_equal(same, dev);
	be->dev_close(dev);
}

/* One column of a matrix that is rounded in several pieces. */
static void test_weights_in_pieces(void **state)
{
	static float w[1100 * 2048];
	static uint16_t x[2048], out[1100];
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = "fp16" };
	struct aif_weight *weight;
	struct aif_mem *mem;
	struct scene s = { 0 };

	fill(w, COUNT(w), 5);
	x[2047] = aif_to_f16(1);
	fresh("seed=1");
	assert_int_equal(be->dev_open(&opts, &s.dev), 0);
	assert_int_equal(be->stream_create(s.dev, NULL, &s.stream), 0);
	assert_int_equal(be->mem_alloc(s.dev, 8192, &mem), 0);
	assert_int_equal(be->weight_create(s.dev, w, 1100, 2048, &weight), 0);
	assert_int_equal(be->mem_write(s.stream, mem, 0, x, sizeof(x)), 0);
	assert_int_equal(be->ops->gemm(s.stream, &(struct aif_op_gemm) {
		.x = aif_tensor2(mem, 0, AIF_F16, 1, 2048), .w = weight,
		.out = aif_tensor2(mem, 4096, AIF_F16, 1, 1100) }), 0);
	assert_int_equal(be->mem_read(s.stream, mem, 4096, out, sizeof(out)), 0);
	assert_int_equal(be->stream_sync(s.stream), 0);
	for (size_t i = 0; i < COUNT(out); i++)
		assert_int_equal(out[i], aif_to_f16(w[2048 * i + 2047]));
	be->weight_free(weight);
	be->mem_free(mem);
	be->stream_free(s.stream);
	be->dev_close(s.dev);
	assert_int_equal(standin_complaints(), 0);
}

/* What is finite and would be infinite is refused, and says so; what is infinite is as it is. */
static void test_weights_beyond_fp16(void **state)
{
	static const struct {
		const char *precision;
		float value;
		int err;
	} rows[] = {
		{ "fp16", 65519, 0 }, { "fp16", 65520, -EDOM }, { "fp16", -70000, -EDOM },
		{ "fp16", INFINITY, 0 }, { "fp16", NAN, 0 }, { "bf16", 70000, 0 }, { "fp32", 70000, 0 },
	};
	static float w[1100 * 2048];
	struct aif_weight *weight;
	struct scene s = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct aif_dev_opts opts = { .size = sizeof(opts), .precision = rows[i].precision };

		fresh("seed=1");
		assert_int_equal(be->dev_open(&opts, &s.dev), 0);
		/* In the second piece. */
		w[COUNT(w) - 5] = rows[i].value;
		assert_int_equal(be->weight_create(s.dev, w, 1100, 2048, &weight), rows[i].err);
		if (rows[i].err && rows[i].value < 0)
			assert_string_equal(be->dev_why(), "a weight of -70000: fp16 ends at 65504; bf16, tf32 and fp32 have it");
		if (rows[i].err) {
			w[COUNT(w) - 5] = 1;
			assert_int_equal(be->weight_create(s.dev, w, 1100, 2048, &weight), 0);
		}
		be->weight_free(weight);
		be->dev_close(s.dev);
		assert_int_equal(standin_complaints(), 0);
	}
}

/* Pinned memory that is for loading goes when that is over, and comes again. */
static void test_loaded(void **state)
{
	struct aif_dev *dev;

	fresh("seed=1");
	assert_int_equal(be->dev_open(NULL, &dev), 0);
	assert_int_equal(standin_calls("cuMemHostAlloc"), 0);
	assert_true(upload_large(dev, 1));
	be->dev_loaded(dev);
	be->dev_loaded(dev);
	assert_true(upload_large(dev, 2));
	/* Two stages twice, and the word of a stream twice. */
	assert_int_equal(standin_calls("cuMemHostAlloc"), 6);
	assert_int_equal(standin_calls("cuMemFreeHost"), 4);
	be->dev_close(dev);
	assert_int_equal(standin_calls("cuMemFreeHost"), 6);
	assert_int_equal(standin_complaints(), 0);
}

/* A client's pages, read and written where they are; twice is refused, and again is not. */
static void test_wrap_in_place(void **state)
{
	size_t bytes = 8192;
	float *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct aif_mem *mem, *again, *none;
	struct scene s = { 0 };

	fresh("seed=1");
	assert_true(host != MAP_FAILED);
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(be->stream_create(s.dev, NULL, &s.stream), 0);
	assert_int_equal(be->mem_wrap(s.dev, host, bytes, &mem), 0);
	assert_int_equal(be->mem_wrap(s.dev, host + 16, 64, &again), -EEXIST);
	assert_int_equal(be->mem_wrap(s.dev, (char *)host + 2, 64, &again), -EINVAL);
	assert_ptr_equal(be->mem_host(mem), host);
	assert_int_equal(be->mem_pins(mem), 1);
	for (int i = 0; i < WIDTH; i++)
		host[i] = i % 2;
	for (int i = 0; i < WIDTH; i++)
		host[WIDTH + i] = 1;
	assert_int_equal(be->ops->layernorm(s.stream, &(struct aif_op_layernorm) {
		.x = aif_tensor2(mem, 0, AIF_F32, 1, WIDTH),
		.gamma = aif_tensor1(mem, WIDTH * 4, AIF_F32, WIDTH),
		.beta = aif_tensor1(mem, 2 * WIDTH * 4, AIF_F32, WIDTH),
		.eps = 1e-12f, .out = aif_tensor2(mem, 4096, AIF_F32, 1, WIDTH) }), 0);
	assert_int_equal(be->stream_sync(s.stream), 0);
	for (int i = 0; i < WIDTH; i++)
		assert_true(fabsf(host[1024 + i] - (i % 2 ? 1 : -1)) < 1e-5f);
	be->mem_free(mem);
	assert_int_equal(be->mem_wrap(s.dev, host, bytes, &mem), 0);
	be->mem_free(mem);
	assert_int_equal(be->mem_wrap(s.dev, host, 0, &none), 0);
	assert_int_equal(be->mem_pins(none), 0);
	be->mem_free(none);
	assert_int_equal(be->mem_alloc(s.dev, 16, &none), 0);
	assert_int_equal(be->mem_pins(none), 0);
	be->mem_free(none);
	be->stream_free(s.stream);
	be->dev_close(s.dev);
	assert_int_equal(standin_complaints(), 0);
	munmap(host, bytes);
}

/* Memory that is mapped for reading only: as an input; a device may not take it so. */
static void test_wrap_input(void **state)
{
	size_t bytes = 8192;
	float *host = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct scene s = { 0 };
	struct aif_mem *mem;

	assert_true(host != MAP_FAILED);
	fresh("seed=1");
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(be->mem_wrap(s.dev, host, bytes, &mem), -EIO);
	assert_int_equal(be->mem_wrap_input(s.dev, host, bytes, &mem), 0);
	be->mem_free(mem);
	be->dev_close(s.dev);
	assert_int_equal(standin_complaints(), 0);
	fresh("write_only=1");
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(be->mem_wrap_input(s.dev, host, bytes, &mem), -EOPNOTSUPP);
	assert_string_equal(be->dev_why(),
			    "the device takes no memory that is mapped for reading only");
	be->dev_close(s.dev);
	munmap(host, bytes);
}

#define VECTORS 300	/* more than one launch takes */
#define VECTOR 8

/* A step that ends with vectors in a client's memory. */
struct step {
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_mem *x, *cu, *rows, *mem;
	float *host;
};

static void step_open(struct step *p, const char *wait)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .wait = wait };
	float x[VECTORS * VECTOR] = { 0 };
	int32_t cu[VECTORS + 1];

	for (int i = 0; i < VECTORS; i++)
		x[i * VECTOR + i % VECTOR] = 2;
	for (int i = 0; i <= VECTORS; i++)
		cu[i] = i;
	p->host = mmap(NULL, sizeof(x), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->host != MAP_FAILED);
	assert_int_equal(be->dev_open(&opts, &p->dev), 0);
	assert_int_equal(be->stream_create(p->dev, NULL, &p->stream), 0);
	assert_int_equal(be->mem_constant(p->dev, x, sizeof(x), &p->x), 0);
	assert_int_equal(be->mem_constant(p->dev, cu, sizeof(cu), &p->cu), 0);
	assert_int_equal(be->mem_alloc(p->dev, sizeof(x), &p->rows), 0);
	assert_int_equal(be->mem_wrap(p->dev, p->host, sizeof(x), &p->mem), 0);
}

/* With it the time of a step begins; what it computes is of no interest here. */
static int step_begin(struct step *p)
{
	return be->ops->embed(p->stream, &(struct aif_op_embed) {
		.ids = aif_tensor1(p->cu, 0, AIF_I32, VECTORS),
		.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, VECTORS + 1),
		.words = aif_tensor2(p->x, 0, AIF_F32, VECTORS, VECTOR),
		.positions = aif_tensor2(p->x, 0, AIF_F32, 1, VECTOR),
		.types = aif_tensor2(p->x, 0, AIF_F32, 1, VECTOR),
		.gamma = aif_tensor1(p->x, 0, AIF_F32, VECTOR),
		.beta = aif_tensor1(p->x, 0, AIF_F32, VECTOR), .eps = 1e-5f,
		.out = aif_tensor2(p->rows, 0, AIF_F32, VECTORS, VECTOR) });
}

static void step_enqueue(struct step *p)
{
	struct aif_tensor out[VECTORS];

	memset(p->host, 0xff, VECTORS * VECTOR * sizeof(float));
	for (size_t i = 0; i < VECTORS; i++)
		out[i] = aif_tensor1(p->mem, i * VECTOR * sizeof(float), AIF_F32, VECTOR);
	assert_int_equal(be->ops->pool(p->stream, &(struct aif_op_pool) {
		.x = aif_tensor2(p->x, 0, AIF_F32, VECTORS, VECTOR),
		.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, VECTORS + 1), .out = out }), 0);
}

static void step_check(struct step *p)
{
	for (int i = 0; i < VECTORS * VECTOR; i++)
		assert_true(p->host[i] == (i % VECTOR == i / VECTOR % VECTOR));
}

static void step_close(struct step *p)
{
	be->mem_free(p->x);
	be->mem_free(p->cu);
	be->mem_free(p->rows);
	be->mem_free(p->mem);
	be->stream_free(p->stream);
	be->dev_close(p->dev);
	munmap(p->host, VECTORS * VECTOR * sizeof(float));
}

/* How often this entry point was called while the step was waited for. */
static unsigned int calls_of_wait(struct step *p, const char *name)
{
	unsigned int before = standin_calls(name);

	assert_int_equal(be->stream_sync(p->stream), 0);
	return standin_calls(name) - before;
}

/* The word that the last launch writes, not the driver, says that vectors are there. */
static void test_waits_for_the_flag(void **state)
{
	static const char *const words[] = { "seed=1", "order=lifo", "ptx=build/cuda" };
	unsigned int asked;
	struct step p;
	float first;

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strstr(words[i], "ptx=") && access("build/cuda/pool.80.ptx", R_OK))
			continue;
		fresh(words[i]);
		step_open(&p, NULL);
		for (int again = 0; again < 3; again++) {
			asked = standin_calls("cuStreamQuery");
			step_enqueue(&p);
			assert_int_equal(calls_of_wait(&p, "cuStreamSynchronize"), 0);
			step_check(&p);
			/* Nobody has said when it began. */
			assert_int_equal(be->stream_device_ns(p.stream), 0);
			/* Each time one of two launches was done, and nobody asked for a third. */
			assert_int_equal(standin_calls("cuStreamQuery") - asked, 2);
		}
		/* What comes behind the vectors the flag knows nothing of. */
		step_enqueue(&p);
		assert_int_equal(be->mem_read(p.stream, p.x, 0, &first, sizeof(first)), 0);
		assert_int_equal(calls_of_wait(&p, "cuStreamSynchronize"), 1);
		assert_true(first == 2);
		step_close(&p);
		assert_int_equal(standin_complaints(), 0);
	}
}

static void test_sleeps_if_told_so(void **state)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .wait = "nap" };
	struct step p;

	fresh("seed=1");
	step_open(&p, "sleep");
	step_enqueue(&p);
	assert_int_equal(calls_of_wait(&p, "cuEventSynchronize"), 1);
	step_check(&p);
	step_enqueue(&p);
	assert_int_equal(calls_of_wait(&p, "cuStreamQuery"), 0);
	step_check(&p);
	step_close(&p);
	assert_int_equal(standin_complaints(), 0);
	assert_int_equal(be->dev_open(&opts, &p.dev), -EINVAL);
	assert_string_equal(be->dev_why(), "wait 'nap': spin or sleep");
}

/* From embed to pool, of this step and of no other. */
static void test_time_of_a_step(void **state)
{
	static const char *const waits[] = { "spin", "sleep" };
	struct step p;

	for (size_t i = 0; i < COUNT(waits); i++) {
		fresh("seed=1");
		step_open(&p, waits[i]);
		assert_int_equal(step_begin(&p), 0);
		step_enqueue(&p);
		assert_int_equal(be->stream_sync(p.stream), 0);
		assert_in_range(be->stream_device_ns(p.stream), 1, 1000000000);
		/* Nothing was enqueued. */
		assert_int_equal(be->stream_sync(p.stream), 0);
		assert_int_equal(be->stream_device_ns(p.stream), 0);
		/* Nobody has said when it began. */
		step_enqueue(&p);
		assert_int_equal(be->stream_sync(p.stream), 0);
		assert_int_equal(be->stream_device_ns(p.stream), 0);
		step_close(&p);
		assert_int_equal(standin_complaints(), 0);
	}
	/* Nor where it never began. */
	fresh("fail=cuLaunchKernel:1:2");
	step_open(&p, NULL);
	assert_int_equal(step_begin(&p), -ENOMEM);
	step_enqueue(&p);
	assert_int_equal(be->stream_sync(p.stream), 0);
	assert_int_equal(be->stream_device_ns(p.stream), 0);
	step_close(&p);
	assert_int_equal(standin_complaints(), 0);
}

/* A step that the driver calls done and the device has told nobody of has no vectors. */
static void test_done_and_not_told(void **state)
{
	static const char *const waits[] = { "spin", "sleep" };
	struct step p;

	for (size_t i = 0; i < COUNT(waits); i++) {
		fresh("lose=pool_f32:4");	/* the last of the second step */
		step_open(&p, waits[i]);
		assert_int_equal(step_begin(&p), 0);
		step_enqueue(&p);
		assert_int_equal(be->stream_sync(p.stream), 0);
		assert_true(be->stream_device_ns(p.stream) > 0);
		step_enqueue(&p);
		assert_int_equal(be->stream_sync(p.stream), -EIO);
		assert_string_equal(be->dev_why(),
				    "step 2 is done, and the device has told the host of step 1");
		assert_int_equal(be->stream_device_ns(p.stream), 0);
		assert_int_equal(be->stream_sync(p.stream), -EIO);
		step_close(&p);
	}
}

/* As step_begin(), of these ids. */
static struct aif_op_embed embed_of(struct step *p, struct aif_mem *ids)
{
	return (struct aif_op_embed){
		.ids = aif_tensor1(ids, 0, AIF_I32, VECTORS),
		.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, VECTORS + 1),
		.words = aif_tensor2(p->x, 0, AIF_F32, VECTORS, VECTOR),
		.positions = aif_tensor2(p->x, 0, AIF_F32, 1, VECTOR),
		.types = aif_tensor2(p->x, 64, AIF_F32, 1, VECTOR),
		.gamma = aif_tensor1(p->x, 0, AIF_F32, VECTOR),
		.beta = aif_tensor1(p->x, 32, AIF_F32, VECTOR), .eps = 1e-5f,
		.out = aif_tensor2(p->rows, 0, AIF_F32, VECTORS, VECTOR),
	};
}

/* Texts' ids, each elsewhere, of more texts than one launch takes: as if they lay together. */
static void test_embed_each(void **state)
{
	static int32_t together[VECTORS], apart[2 * VECTORS];
	static float want[VECTORS * VECTOR], got[VECTORS * VECTOR];
	struct aif_mem *mem[2];
	struct aif_tensor each[VECTORS];
	struct aif_op_embed_each op;
	struct aif_op_embed embed;
	struct step p;

	fresh("seed=1");
	step_open(&p, NULL);
	for (int i = 0; i < VECTORS; i++)
		together[i] = apart[2 * i] = i * 7 % (VECTORS + 10) - 5;
	assert_int_equal(be->mem_constant(p.dev, together, sizeof(together), &mem[0]), 0);
	assert_int_equal(be->mem_wrap(p.dev, apart, sizeof(apart), &mem[1]), 0);
	for (int i = 0; i < VECTORS; i++)
		each[i] = aif_tensor1(mem[1], 8 * i, AIF_I32, 1);
	embed = embed_of(&p, mem[0]);
	op = (struct aif_op_embed_each){ .embed = embed, .ids = each };
	op.embed.ids = (struct aif_tensor){ 0 };
	assert_int_equal(be->ops->embed(p.stream, &embed), 0);
	assert_int_equal(be->mem_read(p.stream, p.rows, 0, want, sizeof(want)), 0);
	assert_int_equal(be->ops->embed_each(p.stream, &op), 0);
	assert_int_equal(be->mem_read(p.stream, p.rows, 0, got, sizeof(got)), 0);
	assert_int_equal(be->stream_sync(p.stream), 0);
	assert_int_equal(standin_launches("embed_each_f32"), 2);
	assert_memory_equal(got, want, sizeof(want));
	/* A step begins with it, too. */
	assert_int_equal(be->ops->embed_each(p.stream, &op), 0);
	step_enqueue(&p);
	assert_int_equal(be->stream_sync(p.stream), 0);
	assert_in_range(be->stream_device_ns(p.stream), 1, 1000000000);
	/* One id too many, one too few, one behind the end, one that is not aligned. */
	each[3].dim[0] = 2;
	assert_int_equal(be->ops->embed_each(p.stream, &op), -EINVAL);
	each[3].dim[0] = 0;
	assert_int_equal(be->ops->embed_each(p.stream, &op), -EINVAL);
	each[3] = aif_tensor1(mem[1], sizeof(apart), AIF_I32, 1);
	assert_int_equal(be->ops->embed_each(p.stream, &op), -ERANGE);
	each[3] = aif_tensor1(mem[1], 2, AIF_I32, 1);
	assert_int_equal(be->ops->embed_each(p.stream, &op), -EINVAL);
	for (int i = 0; i < 2; i++)
		be->mem_free(mem[i]);
	step_close(&p);
	assert_int_equal(standin_complaints(), 0);
}

/* ---- steps that become graphs ---- */

/* A step of @texts tokens, a text each, whose ids begin at @ids and whose vectors at @out. */
struct turn {
	uint32_t texts, ids, out;
};

static struct aif_mem *some_ids(struct step *p)
{
	int32_t ids[2 * VECTORS];
	struct aif_mem *mem;

	for (int i = 0; i < 2 * VECTORS; i++)
		ids[i] = i * i % 41;
	assert_int_equal(be->mem_alloc(p->dev, sizeof(ids), &mem), 0);
	assert_int_equal(be->mem_write(p->stream, mem, 0, ids, sizeof(ids)), 0);
	assert_int_equal(be->stream_sync(p->stream), 0);
	return mem;
}

static int turn_embed(struct step *p, struct aif_mem *ids, const struct turn *t)
{
	struct aif_op_embed op = embed_of(p, ids);

	op.ids = aif_tensor1(ids, t->ids * sizeof(int32_t), AIF_I32, t->texts);
	op.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, t->texts + 1);
	op.out.dim[0] = t->texts;
	return be->ops->embed(p->stream, &op);
}

static int turn_pool(struct step *p, const struct turn *t)
{
	struct aif_tensor out[VECTORS];

	for (uint32_t i = 0; i < t->texts; i++)
		out[i] = aif_tensor1(p->mem, (t->out + i) * VECTOR * sizeof(float), AIF_F32, VECTOR);
	return be->ops->pool(p->stream, &(struct aif_op_pool) {
		.x = aif_tensor2(p->rows, 0, AIF_F32, t->texts, VECTOR),
		.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, t->texts + 1), .out = out });
}

static int turn_begin(struct step *p, const struct turn *t)
{
	return be->step_begin(p->stream, &(struct aif_step){ t->texts, t->texts, 1 });
}

static int turn_enqueue(struct step *p, struct aif_mem *ids, const struct turn *t)
{
	int err = turn_begin(p, t);

	if (!err)
		err = turn_embed(p, ids, t);
	return err ? err : turn_pool(p, t);
}

#define TURNS_MAX 80

/* What a part does with the device, and what came of it, to be compared. */
struct part {
	int (*play)(struct step *p, struct aif_mem *ids, const struct part *part,
		    float (*got)[VECTORS * VECTOR]);
	const struct turn *turns;
	size_t count;
	const char *wait;
};

static int wait_for(struct step *p, float *got)
{
	int err = be->stream_sync(p->stream);

	if (!err)
		assert_in_range(be->stream_device_ns(p->stream), 1, 1000000000);
	memcpy(got, p->host, VECTORS * VECTOR * sizeof(*got));
	return err;
}

/* Each turn is waited for. */
static int one_by_one(struct step *p, struct aif_mem *ids, const struct part *part,
		      float (*got)[VECTORS * VECTOR])
{
	int err = 0, done;

	for (size_t i = 0; i < part->count && !err; i++) {
		memset(p->host, 0xff, sizeof(got[i]));
		err = turn_enqueue(p, ids, &part->turns[i]);
		done = wait_for(p, got[i]);
		err = err ? err : done;
	}
	return err;
}

static int play_part(const char *words, const struct part *part, float (*got)[VECTORS * VECTOR])
{
	struct aif_mem *ids;
	struct step p;
	int err;

	assert_true(part->count <= TURNS_MAX);
	memset(got, 0, TURNS_MAX * sizeof(got[0]));
	fresh(words);
	step_open(&p, part->wait);
	ids = some_ids(&p);
	err = part->play(&p, ids, part, got);
	be->mem_free(ids);
	step_close(&p);
	return err;
}

/* To the bit what it gives without graphs; what comes of it with. */
static int play_both(const char *words, const struct part *part)
{
	static float want[TURNS_MAX][VECTORS * VECTOR], got[TURNS_MAX][VECTORS * VECTOR];
	int err;

	setenv("AIF_CUDA_GRAPHS", "off", 1);
	assert_int_equal(play_part("seed=1", part, want), 0);
	assert_int_equal(standin_calls("cuGraphCreate"), 0);
	unsetenv("AIF_CUDA_GRAPHS");
	err = play_part(words, part, got);
	if (!err)
		assert_memory_equal(got, want, sizeof(got));
	return err;
}

static const char *const orders[] = { "seed=1", "seed=2", "seed=3", "seed=4", "order=lifo" };

static void play_in_all_orders(const struct part *part)
{
	for (size_t i = 0; i < COUNT(orders); i++) {
		assert_int_equal(play_both(orders[i], part), 0);
		assert_int_equal(standin_complaints(), 0);
	}
}

/* Ids and vectors elsewhere; of 290 texts the vectors take two launches. */
static const struct turn some_turns[] = {
	{ 290, 0, 0 }, { 290, 0, 0 }, { 290, 0, 0 }, { 290, 7, 0 }, { 290, 7, 10 }, { 3, 0, 0 },
	{ 3, 0, 0 }, { 290, 0, 5 }, { 3, 9, 8 }, { 1, 4, 1 },
};

static void test_graphs_as_plain(void **state)
{
	static const char *const words[] = {
		"seed=1", "seed=2", "seed=3", "order=lifo", "ptx=build/cuda,seed=1",
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		const struct part part = { one_by_one, some_turns, COUNT(some_turns),
					   i % 2 ? "sleep" : "spin" };

		if (strstr(words[i], "ptx=") && access("build/cuda/pool.80.ptx", R_OK))
			continue;
		assert_int_equal(play_both(words[i], &part), 0);
		assert_int_equal(standin_complaints(), 0);
		/* Three shapes were seen for the first time. */
		assert_int_equal(standin_calls("cuLaunchKernel"), 3 + 2 + 2);
		assert_int_equal(standin_calls("cuGraphInstantiateWithFlags"), 2);
		assert_int_equal(standin_calls("cuGraphLaunch"), 7);
		assert_int_equal(standin_launches("embed_f32"), COUNT(some_turns));
		/* The last launch always, for its ticket; and what has moved. */
		assert_int_equal(standin_calls("cuGraphExecKernelNodeSetParams"),
				 1 + 2 + 2 + 3 + 2);
	}
}

/* More shapes than there are graphs, of one launch of vectors and of two. */
static void test_graphs_change_their_shape(void **state)
{
	struct turn turns[2 + 2 * 20 + 6] = { { 290, 0, 0 }, { 290, 0, 0 } };
	const struct part part = { one_by_one, turns, COUNT(turns), "spin" };
	static const struct turn last[] = {
		{ 1, 3, 3 }, { 290, 1, 1 }, { 290, 2, 2 }, { 2, 4, 4 }, { 290, 3, 3 }, { 20, 39, 39 },
	};

	for (uint32_t i = 0; i < 40; i++)
		turns[2 + i] = (struct turn){ 1 + i / 2, i, i };
	memcpy(turns + 42, last, sizeof(last));
	assert_int_equal(play_both("seed=1", &part), 0);
	assert_int_equal(standin_complaints(), 0);
	assert_int_equal(standin_calls("cuGraphLaunch"), COUNT(turns) - 21);
	/* Sixteen, one of which had a node more; and one that has. */
	assert_int_equal(standin_calls("cuGraphInstantiateWithFlags"), 18);
	assert_int_equal(standin_calls("cuGraphExecDestroy"), 18);
	assert_int_equal(standin_calls("cuGraphDestroy"), 18);
	/* Six others' graphs; what has moved; only the ticket of what is still there. */
	assert_int_equal(standin_calls("cuGraphExecKernelNodeSetParams"), 6 * 2 + 2 * 3 + 1);
}

/* Shapes that come once make no graph, take none from others, and are forgotten. */
static void test_graphs_of_what_comes_again(void **state)
{
	struct turn turns[70];
	const struct part part = { one_by_one, turns, COUNT(turns), "spin" };

	for (uint32_t i = 0; i < 70; i++)
		turns[i] = (struct turn){ i, i, 0 };
	turns[0] = turns[1] = turns[68] = (struct turn){ 80, 0, 0 };
	turns[69] = (struct turn){ 2, 0, 0 };
	assert_int_equal(play_both("seed=1", &part), 0);
	assert_int_equal(standin_complaints(), 0);
	assert_int_equal(standin_calls("cuGraphInstantiateWithFlags"), 1);
	assert_int_equal(standin_calls("cuGraphLaunch"), 2);
}

/* Steps that nobody has waited for, with the same graph. */
static int in_a_row(struct step *p, struct aif_mem *ids, const struct part *part,
		    float (*got)[VECTORS * VECTOR])
{
	int err = one_by_one(p, ids, &(struct part){ .turns = part->turns, .count = 2 }, got);

	for (size_t i = 2; i < part->count && !err; i++)
		err = turn_enqueue(p, ids, &part->turns[i]);
	return err ? err : wait_for(p, got[2]);
}

static void test_graphs_while_older_steps_are_pending(void **state)
{
	static const struct turn turns[] = {
		{ 20, 0, 0 }, { 20, 0, 0 }, { 20, 1, 60 }, { 20, 2, 120 }, { 20, 3, 180 },
		{ 20, 4, 240 },
	};

	play_in_all_orders(&(struct part){ in_a_row, turns, COUNT(turns), "spin" });
	assert_int_equal(standin_calls("cuGraphLaunch"), 5);
}

/* Steps of one shape that launch more, and less, than the last one, which is pending. */
static int more_and_less(struct step *p, struct aif_mem *ids, const struct part *part,
			 float (*got)[VECTORS * VECTOR])
{
	int err = 0;

	for (size_t i = 0; i < part->count && !err; i++) {
		err = turn_begin(p, &part->turns[i]);
		for (size_t more = i % 3; more && !err; more--)
			err = turn_embed(p, ids, &(struct turn){ part->turns[i].texts, 99, 0 });
		if (!err)
			err = turn_embed(p, ids, &part->turns[i]);
		if (!err)
			err = turn_pool(p, &part->turns[i]);
	}
	return err ? err : wait_for(p, got[0]);
}

static void test_graphs_of_more_and_less(void **state)
{
	static const struct turn turns[] = {
		{ 20, 0, 0 }, { 20, 1, 20 }, { 20, 2, 40 }, { 20, 3, 60 }, { 20, 4, 80 },
	};

	play_in_all_orders(&(struct part){ more_and_less, turns, COUNT(turns), "spin" });
	assert_int_equal(standin_calls("cuGraphLaunch"), 4);
	assert_int_equal(standin_calls("cuGraphExecDestroy"), 4);
}

/* Two streams, whose steps are under way at once; each has graphs of its own. */
static int by_two_streams(struct step *p, struct aif_mem *ids, const struct part *part,
			  float (*got)[VECTORS * VECTOR])
{
	struct step q = *p;
	int err = be->stream_create(p->dev, NULL, &q.stream), done;

	if (!err)
		err = be->mem_alloc(p->dev, VECTORS * VECTOR * sizeof(float), &q.rows);
	for (size_t i = 0; i < part->count && !err; i += 2) {
		err = turn_enqueue(p, ids, &part->turns[i]);
		if (!err)
			err = turn_enqueue(&q, ids, &part->turns[i + 1]);
		done = be->stream_sync(i % 4 ? p->stream : q.stream);
		err = err ? err : done;
		done = wait_for(i % 4 ? &q : p, got[i]);
		err = err ? err : done;
	}
	be->mem_free(q.rows);
	be->stream_free(q.stream);
	return err;
}

static void test_graphs_of_two_streams(void **state)
{
	static const struct turn turns[] = {
		{ 20, 0, 0 }, { 20, 100, 100 }, { 20, 1, 5 }, { 20, 101, 105 },
		{ 20, 2, 10 }, { 20, 102, 110 }, { 20, 3, 15 }, { 20, 103, 115 },
	};

	play_in_all_orders(&(struct part){ by_two_streams, turns, COUNT(turns), "spin" });
	assert_int_equal(standin_calls("cuGraphInstantiateWithFlags"), 2);
	assert_int_equal(standin_calls("cuGraphLaunch"), 6);
}

static int read_rows(struct step *p, const struct turn *t, float *to)
{
	return be->mem_read(p->stream, p->rows, 0, to, t->texts * VECTOR * sizeof(float));
}

/*
 * Ids that are written behind the kernel that reads them; rows and vectors that are read back,
 * the rows before that or behind it.
 */
static int in_order(struct step *p, struct aif_mem *ids, const struct part *part,
		    float (*got)[VECTORS * VECTOR])
{
	int32_t other[VECTORS];
	int err = 0, done;

	for (size_t i = 0; i < part->count && !err; i++) {
		for (int j = 0; j < VECTORS; j++)
			other[j] = (j + (int)i) % 8;
		err = turn_begin(p, &part->turns[i]);
		/* Before it: that does not end the step. */
		if (!err)
			err = be->mem_write(p->stream, ids, 0, other, 7 * sizeof(*other));
		if (!err)
			err = turn_embed(p, ids, &part->turns[i]);
		if (!err && i % 2)
			err = read_rows(p, &part->turns[i], got[3 * i]);
		if (!err)
			err = be->mem_write(p->stream, ids, 0, other, sizeof(other));
		if (!err && i % 2 == 0)
			err = read_rows(p, &part->turns[i], got[3 * i]);
		if (!err)
			err = turn_pool(p, &part->turns[i]);
		done = wait_for(p, got[3 * i + 1]);
		err = err ? err : done;
	}
	return err;
}

static void test_graphs_keep_the_order(void **state)
{
	static const struct turn turns[] = {
		{ 20, 0, 0 }, { 20, 0, 0 }, { 20, 1, 1 }, { 20, 2, 2 },
	};

	play_in_all_orders(&(struct part){ in_order, turns, COUNT(turns), "spin" });
	assert_int_equal(standin_calls("cuGraphLaunch"), 3);
}

/* A step of more launches than a graph has. */
static int too_many(struct step *p, struct aif_mem *ids, const struct part *part,
		    float (*got)[VECTORS * VECTOR])
{
	int err = 0, done;

	for (size_t i = 0; i < part->count && !err; i++) {
		err = turn_begin(p, &part->turns[i]);
		for (uint32_t j = 0; j < 300 && !err; j++)
			err = turn_embed(p, ids, &(struct turn){ part->turns[i].texts, j, 0 });
		if (!err)
			err = turn_pool(p, &part->turns[i]);
		done = wait_for(p, got[i]);
		err = err ? err : done;
	}
	return err;
}

static void test_graphs_have_an_end(void **state)
{
	static const struct turn turns[] = { { 2, 0, 0 }, { 2, 0, 1 }, { 2, 0, 2 } };

	assert_int_equal(play_both("seed=1", &(struct part){ too_many, turns, 3, "spin" }), 0);
	assert_int_equal(standin_complaints(), 0);
	assert_int_equal(standin_calls("cuGraphLaunch"), 2);
	assert_int_equal(standin_calls("cuLaunchKernel"), 301 + 45 + 45);
}

static const struct turn few_turns[] = { { 3, 0, 0 }, { 3, 0, 0 }, { 3, 1, 0 }, { 3, 1, 2 } };
static const struct part fails_once = { one_by_one, few_turns, COUNT(few_turns), "spin" };

/* What a driver refuses a graph for is no error: the step is launched plainly. */
static void test_graphs_that_fail(void **state)
{
	static const char *const names[] = {
		"cuGraphCreate", "cuGraphAddKernelNode", "cuGraphInstantiateWithFlags",
		"cuGraphExecKernelNodeSetParams", "cuGraphLaunch",
	};
	char words[96];

	for (size_t i = 0; i < COUNT(names); i++) {
		unsigned int calls;

		assert_int_equal(play_both("seed=1", &fails_once), 0);
		calls = standin_calls(names[i]);
		assert_true(calls > 0);
		for (unsigned int n = 1; n <= calls; n++) {
			snprintf(words, sizeof(words), "fail=%s:%u:2", names[i], n);
			assert_int_equal(play_both(words, &fails_once), 0);
			assert_int_equal(standin_complaints(), 0);
			assert_true(standin_calls("cuLaunchKernel") > 2);
			/* The device is gone. */
			snprintf(words, sizeof(words), "fail=%s:%u:719", names[i], n);
			assert_int_equal(play_both(words, &fails_once), -EIO);
			assert_non_null(strstr(be->dev_why(), "(719)"));
		}
		/* And if it fails plainly, too, that is an error, and the device is not given up. */
		snprintf(words, sizeof(words), "fail=%s:1:2;cuLaunchKernel:4:2", names[i]);
		assert_int_equal(play_both(words, &fails_once), -ENOMEM);
		assert_non_null(strstr(be->dev_why(), "OUT_OF_MEMORY"));
	}
}

/* A driver without one of the calls, and who wants no graphs. */
static void test_without_graphs(void **state)
{
	static const char *const names[] = {
#define NAME(call, args) "cu" #call,
		AIF_CUDA_GRAPH_CALLS(NAME)
#undef NAME
	};
	struct aif_dev_opts opts = { .size = sizeof(opts), .graphs = "maybe" };
	struct aif_dev *dev;
	char words[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(words, sizeof(words), "lack=%s", names[i]);
		assert_int_equal(play_both(words, &fails_once), 0);
		assert_int_equal(standin_complaints(), 0);
		assert_int_equal(standin_calls("cuGraphCreate"), 0);
	}
	assert_int_equal(be->dev_open(&opts, &dev), -EINVAL);
	assert_string_equal(be->dev_why(), "graphs 'maybe': on or off");
}

/* After a failure there is none for a while. */
static int for_long(struct step *p, struct aif_mem *ids, const struct part *part,
		    float (*got)[VECTORS * VECTOR])
{
	int err = 0;

	for (int i = 0; i < 514 && !err; i++)
		err = one_by_one(p, ids, part, got);
	return err;
}

static void test_graphs_again_after_a_failure(void **state)
{
	/* In the second step, but for that of a node, which is in the third. */
	static const struct {
		const char *words;
		unsigned int launches;
	} rows[] = {
		{ "fail=cuGraphAddKernelNode:2:2", 2 }, { "fail=cuGraphLaunch:1:2", 1 + 2 },
		{ "fail=cuGraphExecKernelNodeSetParams:2:2", 1 + 1 },
	};
	static const struct turn turns[] = { { 1, 3, 3 }, { 1, 4, 4 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(play_both(rows[i].words, &(struct part){ for_long, turns, 2, "spin" }),
				 0);
		assert_int_equal(standin_complaints(), 0);
		assert_int_equal(standin_calls("cuGraphLaunch"), rows[i].launches);
	}
}

/* However much is on its way. */
static void test_writes_do_not_meet(void **state)
{
	static unsigned char want[6][40000], got[6][40000];
	struct scene s = { 0 };
	struct aif_mem *mem;

	for (size_t i = 0; i < COUNT(orders); i++) {
		fresh(orders[i]);
		assert_int_equal(be->dev_open(NULL, &s.dev), 0);
		assert_int_equal(be->stream_create(s.dev, NULL, &s.stream), 0);
		assert_int_equal(be->mem_alloc(s.dev, sizeof(want), &mem), 0);
		for (int n = 0; n < 6; n++) {
			size_t bytes = n % 3 ? 100u + n : sizeof(want[n]), at = n * sizeof(want[n]);

			memset(want[n], n + 1, bytes);
			assert_int_equal(be->mem_write(s.stream, mem, at, want[n], bytes), 0);
			assert_int_equal(be->mem_read(s.stream, mem, at, got[n], bytes), 0);
			if (n == 4)	/* more than the pinned memory has room for */
				assert_int_equal(be->stream_sync(s.stream), 0);
		}
		assert_int_equal(be->stream_sync(s.stream), 0);
		assert_memory_equal(got, want, sizeof(got));
		be->mem_free(mem);
		be->stream_free(s.stream);
		be->dev_close(s.dev);
		assert_int_equal(standin_complaints(), 0);
	}
}

/* A word that never comes is not waited for for ever. */
static void test_fault_before_the_flag(void **state)
{
	static const struct {
		const char *words, *wait, *why;
	} rows[] = {
		{ "fail=cuStreamQuery:1:719", NULL, "cuStreamQuery: CUDA_ERROR (719)" },
		{ "fail=cuEventSynchronize:1:719", "sleep", "cuEventSynchronize: CUDA_ERROR (719)" },
		{ "fail=cuEventRecord:3:2", "sleep", "cuEventRecord: CUDA_ERROR_OUT_OF_MEMORY (2)" },
	};
	struct step p;

	for (size_t i = 0; i < COUNT(rows); i++) {
		fresh(rows[i].words);
		step_open(&p, rows[i].wait);
		step_enqueue(&p);
		assert_true(be->stream_sync(p.stream));
		assert_non_null(strstr(be->dev_why(), rows[i].why));
		assert_int_equal(be->stream_sync(p.stream), -EIO);
		step_close(&p);
	}
}

static void test_damaged_images(void **state)
{
	unsigned char copy[1024];
	size_t size = aif_cuda_images[0].end - aif_cuda_images[0].begin;
	struct aif_cuda_image image = { "copy", copy, copy + size };

	assert_in_range(size, 17, sizeof(copy));
	memcpy(copy, aif_cuda_images[0].begin, size);
	assert_int_equal(aif_cuda_image_check(&image), 0);
	for (size_t n = 0; n < size; n++) {
		image.end = copy + n;
		assert_int_equal(aif_cuda_image_check(&image), -EBADMSG);
	}
	image.end = copy + size;
	copy[15] = 0xff;	/* longer than there is memory */
	assert_int_equal(aif_cuda_image_check(&image), -EBADMSG);
	copy[15] = 0;
	memcpy(copy, "\x7f" "ELF", 4);
	assert_int_equal(aif_cuda_image_check(&image), -EBADMSG);
}

static void test_refuses_shapes(void **state)
{
	struct aif_mem *mem;
	struct scene s = { 0 };
	struct aif_op_layernorm norm;
	struct aif_op_attention attention;

	fresh("seed=1");
	assert_int_equal(be->dev_open(NULL, &s.dev), 0);
	assert_int_equal(be->stream_create(s.dev, NULL, &s.stream), 0);
	assert_int_equal(be->mem_alloc(s.dev, 65536, &mem), 0);
	norm = (struct aif_op_layernorm){
		.x = aif_tensor2(mem, 0, AIF_F32, 4, 8), .gamma = aif_tensor1(mem, 1024, AIF_F32, 8),
		.beta = aif_tensor1(mem, 1024, AIF_F32, 8), .eps = 1e-5f,
		.out = aif_tensor2(mem, 2048, AIF_F32, 4, 8),
	};
	norm.out.dim[0] = 1ull << 40;
	assert_int_equal(be->ops->layernorm(s.stream, &norm), -ERANGE);
	norm.out = aif_tensor2(mem, 64, AIF_F32, 4, 8);
	assert_int_equal(be->ops->layernorm(s.stream, &norm), -EINVAL);
	norm.out = aif_tensor2(mem, 2048, AIF_BF16, 4, 8);
	assert_int_equal(be->ops->layernorm(s.stream, &norm), -EINVAL);
	attention = (struct aif_op_attention){
		.qkv = aif_tensor2(mem, 0, AIF_F32, 4, 24), .heads = 1, .max_seqlen = 513, .scale = 1,
		.cu_seqlens = aif_tensor1(mem, 1024, AIF_I32, 2),
		.out = aif_tensor2(mem, 2048, AIF_F32, 4, 8),
	};
	assert_int_equal(be->ops->attention(s.stream, &attention), -E2BIG);
	attention.max_seqlen = 4;
	attention.qkv.offset = 8;
	assert_int_equal(be->ops->attention(s.stream, &attention), -EINVAL);
	assert_int_equal(be->mem_write(s.stream, mem, 65530, s.got, 8), -ERANGE);
	assert_int_equal(be->mem_read(s.stream, mem, 1ull << 60, s.got, 8), -ERANGE);
	be->mem_free(mem);
	be->stream_free(s.stream);
	be->dev_close(s.dev);
	assert_int_equal(standin_complaints(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layernorm_as_ref),
		cmocka_unit_test(test_open_says_why_not),
		cmocka_unit_test(test_open_by_name),
		cmocka_unit_test(test_gemm_of_each_precision),
		cmocka_unit_test(test_sticky_error),
		cmocka_unit_test(test_which_errors_are_the_end),
		cmocka_unit_test(test_any_thread),
		cmocka_unit_test(test_upload_in_pieces),
		cmocka_unit_test(test_weights_in_pieces),
		cmocka_unit_test(test_weights_beyond_fp16),
		cmocka_unit_test(test_loaded),
		cmocka_unit_test(test_wrap_in_place),
		cmocka_unit_test(test_wrap_input),
		cmocka_unit_test(test_embed_each),
		cmocka_unit_test(test_waits_for_the_flag),
		cmocka_unit_test(test_sleeps_if_told_so),
		cmocka_unit_test(test_time_of_a_step),
		cmocka_unit_test(test_done_and_not_told),
		cmocka_unit_test(test_graphs_as_plain),
		cmocka_unit_test(test_graphs_change_their_shape),
		cmocka_unit_test(test_graphs_of_what_comes_again),
		cmocka_unit_test(test_graphs_while_older_steps_are_pending),
		cmocka_unit_test(test_graphs_of_more_and_less),
		cmocka_unit_test(test_graphs_of_two_streams),
		cmocka_unit_test(test_graphs_keep_the_order),
		cmocka_unit_test(test_graphs_have_an_end),
		cmocka_unit_test(test_graphs_that_fail),
		cmocka_unit_test(test_without_graphs),
		cmocka_unit_test(test_graphs_again_after_a_failure),
		cmocka_unit_test(test_writes_do_not_meet),
		cmocka_unit_test(test_fault_before_the_flag),
		cmocka_unit_test(test_damaged_images),
		cmocka_unit_test(test_refuses_shapes),
		cmocka_unit_test(test_every_call_fails),	/* takes longest */
	};
	void *standin = dlopen("libcuda.so.1", RTLD_NOW);

	unsetenv("AIF_CUDA_DEVICE");
	unsetenv("AIF_CUDA_PRECISION");
	unsetenv("AIF_CUDA_WAIT");
	unsetenv("AIF_CUDA_GRAPHS");
	if (standin)
		standin_reset = (void (*)(void))dlsym(standin, "standin_reset");
	if (!standin_reset) {
		printf("not ok 1 - the stand-in driver: %s\n", dlerror());
		return 1;
	}
	standin_complaints = (unsigned int (*)(void))dlsym(standin, "standin_complaints");
	standin_calls = (unsigned int (*)(const char *))dlsym(standin, "standin_calls");
	standin_launches = (unsigned int (*)(const char *))dlsym(standin, "standin_launches");
	be = aif_backend_find("cuda");
	alarm(200);	/* a wait without end is a failure */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
