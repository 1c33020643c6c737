// SPDX-License-Identifier: MIT
/*
 * Every operator of the CPU backend alone, at the encoder's shapes, as a share of
 * the highest multiply-add ceiling seen; it is measured before each group and at
 * the end.  A figure is the median of its repetitions.
 *
 * bench_kernels [threads [isa]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend/cpu/cpu.h"
#include "tests/bench/kernels/ceiling.h"

#define HIDDEN 384
#define HEADS 12
#define ROWS_MAX 4096
#define SEQ 128
#define REPS 21
#define REP_SECONDS 0.01
/* A ceiling that moved more says that the machine was not ours alone. */
#define DRIFT_MAX 0.05

static const struct aif_backend *be;
static struct aif_dev *dev;
static struct aif_stream *stream;
static struct aif_ceiling *ceiling;
static double lowest = INFINITY, highest;

static void die_unless(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "bench_kernels: %s: %s\n", what, strerror(-err));
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median seconds of one call of fn(arg). */
static double measure(void (*fn)(const void *arg), const void *arg)
{
	double times[REPS], once;
	size_t calls;

	fn(arg);
	once = seconds();
	fn(arg);
	once = seconds() - once;
	calls = once < REP_SECONDS ? REP_SECONDS / once : 1;
	for (int i = 0; i < REPS; i++) {
		double start = seconds();

		for (size_t c = 0; c < calls; c++)
			fn(arg);
		times[i] = (seconds() - start) / calls;
	}
	qsort(times, REPS, sizeof(*times), by_value);
	return times[REPS / 2];
}

/* The highest ceiling so far, in GFLOP/s. */
static double measure_ceiling(void)
{
	double now = aif_ceiling_gflops(ceiling);

	lowest = fmin(lowest, now);
	highest = fmax(highest, now);
	return highest;
}

static struct aif_tensor random_tensor(uint64_t rows, uint64_t cols)
{
	struct aif_mem *mem;
	float *p;

	die_unless(be->mem_alloc(dev, rows * cols * sizeof(float), &mem), "memory");
	p = be->mem_host(mem);
	for (size_t i = 0; i < rows * cols; i++)
		p[i] = rand() / (float)RAND_MAX - 0.5f;
	return aif_tensor2(mem, 0, AIF_F32, rows, cols);
}

static struct aif_tensor as_vector(struct aif_tensor t)
{
	return aif_tensor1(t.mem, 0, AIF_F32, t.dim[0] * t.dim[1]);
}

static void run_gemm(const void *arg)
{
	die_unless(be->ops->gemm(stream, arg), "gemm");
}

static void bench_gemm(size_t n, size_t k, uint32_t act)
{
	static const size_t sizes[] = { 1, 16, 128, 1024, ROWS_MAX };
	struct aif_tensor x = random_tensor(ROWS_MAX, k), w = random_tensor(n, k);
	struct aif_tensor out = random_tensor(ROWS_MAX, n), bias = random_tensor(1, n);
	struct aif_weight *weight;
	double peak = measure_ceiling();

	die_unless(be->weight_create(dev, be->mem_host(w.mem), n, k, &weight), "weight");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct aif_op_gemm op = { .x = x, .w = weight, .bias = as_vector(bias),
					  .act = act, .out = out };
		double t, gflops;

		op.x.dim[0] = op.out.dim[0] = sizes[i];
		t = measure(run_gemm, &op);
		gflops = 2.0 * sizes[i] * n * k / t * 1e-9;
		printf("gemm %4zu x %4zu x %4zu%s  %9.1f us  %6.1f GFLOP/s  %3.0f %%\n", sizes[i],
		       n, k, act ? " gelu" : "     ", t * 1e6, gflops, 100 * gflops / peak);
	}
	be->weight_free(weight);
	be->mem_free(x.mem);
	be->mem_free(w.mem);
	be->mem_free(out.mem);
	be->mem_free(bias.mem);
}

static struct aif_tensor texts_of(size_t len)
{
	size_t n = ROWS_MAX / len;
	struct aif_mem *mem;
	int32_t *cu;

	die_unless(be->mem_alloc(dev, (n + 1) * sizeof(*cu), &mem), "memory");
	cu = be->mem_host(mem);
	for (size_t i = 0; i <= n; i++)
		cu[i] = i * len;
	return aif_tensor1(mem, 0, AIF_I32, n + 1);
}

static void run_attention(const void *arg)
{
	die_unless(be->ops->attention(stream, arg), "attention");
}

static void bench_attention(size_t len)
{
	struct aif_op_attention op = {
		.qkv = random_tensor(ROWS_MAX, 3 * HIDDEN), .cu_seqlens = texts_of(len),
		.heads = HEADS, .max_seqlen = len, .scale = 1 / sqrtf(HIDDEN / HEADS),
		.out = random_tensor(ROWS_MAX, HIDDEN),
	};
	double peak = measure_ceiling(), t = measure(run_attention, &op);
	double gflops = 4.0 * ROWS_MAX * len * HIDDEN / t * 1e-9;

	printf("attention %4d tokens in texts of %3zu  %9.1f us  %6.1f GFLOP/s  %3.0f %%\n",
	       ROWS_MAX, len, t * 1e6, gflops, 100 * gflops / peak);
	be->mem_free(op.qkv.mem);
	be->mem_free(op.cu_seqlens.mem);
	be->mem_free(op.out.mem);
}

static void run_layernorm(const void *arg)
{
	die_unless(be->ops->layernorm(stream, arg), "layernorm");
}

static void bench_layernorm(void)
{
	struct aif_op_layernorm op = {
		.x = random_tensor(ROWS_MAX, HIDDEN), .residual = random_tensor(ROWS_MAX, HIDDEN),
		.gamma = as_vector(random_tensor(1, HIDDEN)),
		.beta = as_vector(random_tensor(1, HIDDEN)),
		.eps = 1e-12f, .out = random_tensor(ROWS_MAX, HIDDEN),
	};
	double t = measure(run_layernorm, &op);

	printf("layernorm %d rows with residual  %9.1f us  %6.1f GB/s\n", ROWS_MAX, t * 1e6,
	       3.0 * ROWS_MAX * HIDDEN * sizeof(float) / t * 1e-9);
	be->mem_free(op.x.mem);
	be->mem_free(op.residual.mem);
	be->mem_free(op.gamma.mem);
	be->mem_free(op.beta.mem);
	be->mem_free(op.out.mem);
}

static void nothing(const void *arg, size_t task, void *scratch)
{
}

static void run_nothing(const void *arg)
{
	stream->team->run(stream->team, 2 * stream->team->threads, nothing, NULL);
}

int main(int argc, char **argv)
{
	struct aif_dev_opts opts = { .size = sizeof(opts) };

	opts.threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	opts.isa = argc > 2 ? argv[2] : NULL;
	be = aif_backend_find("cpu");
	die_unless(be->dev_open(&opts, &dev), "cpu backend");
	die_unless(be->stream_create(dev, NULL, &stream), "stream");
	printf("%s\n", be->dev_describe(dev));
	printf("empty job  %.2f us\n", measure(run_nothing, NULL) * 1e6);
	die_unless(aif_ceiling_create(dev, &ceiling), "ceiling");
	bench_gemm(3 * HIDDEN, HIDDEN, AIF_ACT_NONE);
	bench_gemm(HIDDEN, HIDDEN, AIF_ACT_NONE);
	bench_gemm(4 * HIDDEN, HIDDEN, AIF_ACT_GELU);
	bench_gemm(HIDDEN, 4 * HIDDEN, AIF_ACT_NONE);
	bench_attention(16);
	bench_attention(SEQ);
	bench_attention(2 * SEQ);
	bench_layernorm();
	measure_ceiling();
	printf("multiply-add ceiling  %.1f to %.1f GFLOP/s\n", lowest, highest);
	if (lowest < (1 - DRIFT_MAX) * highest)
		printf("not judged: the ceiling moved by %.0f %%\n", 100 * (1 - lowest / highest));
	aif_ceiling_free(ceiling);
	be->stream_free(stream);
	be->dev_close(dev);
	return 0;
}
