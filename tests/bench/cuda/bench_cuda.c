// SPDX-License-Identifier: MIT
/*
 * Our side of compare.py: a library, so that both sides take turns in one process and one
 * CUDA context.  Every function returns 0 or -errno, with a sentence in @why of bench_open().
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend/backend.h"
#include "runtime/include/aif_model.h"

#define EXPORT __attribute__((visibility("default")))
#define PAGE 4096

/* Where ids and vectors are. */
enum where { ON_DEVICE, IN_PLACE, COPIED };

struct bench {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_model *model;
	struct aif_encoder *encoder;
	uint32_t dimensions;
	/* of bench_texts() */
	size_t texts;
	struct aif_encoder_text *text;
	struct aif_mem *ids_mem, *out_mem;
	int32_t *ids;
	float *out;
	char *why;
	size_t why_bytes;
};

static int failed(struct bench *b, int err, const char *what)
{
	if (err)
		snprintf(b->why, b->why_bytes, "%s: %s", what, err == -EIO || err == -ENODEV ?
			 b->be->dev_why() : strerror(-err));
	return err;
}

static int open_encoder(struct bench *b, const char *folder, uint32_t tokens, uint32_t texts)
{
	struct aif_encoder_opts opts = { .size = sizeof(opts), .pass_tokens = tokens,
					 .pass_texts = texts };
	struct aif_why why;
	int err = aif_model_open(folder, NULL, &b->model, &why);

	if (!err)
		err = aif_encoder_create(b->model, b->be, b->dev, &opts, &b->encoder, &why);
	if (err)
		snprintf(b->why, b->why_bytes, "%s", why.text);
	else
		b->dimensions = aif_model_info(b->model)->dimensions;
	return err;
}

EXPORT int bench_open(const char *folder, const char *precision, uint32_t tokens, uint32_t texts,
		      struct bench **bench, char *why, size_t why_bytes);
EXPORT int bench_open(const char *folder, const char *precision, uint32_t tokens, uint32_t texts,
		      struct bench **bench, char *why, size_t why_bytes)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = precision };
	struct bench *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	*bench = b;
	b->why = why;
	b->why_bytes = why_bytes;
	b->be = aif_backend_find("cuda");
	err = b->be->dev_open(&opts, &b->dev);
	if (err)
		return failed(b, err, b->be->dev_why());
	err = failed(b, b->be->stream_create(b->dev, NULL, &b->stream), "stream");
	return err ? err : open_encoder(b, folder, tokens, texts);
}

static void forget_texts(struct bench *b)
{
	b->be->mem_free(b->ids_mem);
	b->be->mem_free(b->out_mem);
	b->ids_mem = b->out_mem = NULL;
	free(b->text);
	free(b->ids);
	free(b->out);
}

static int place(struct bench *b, const int32_t *ids, size_t count, enum where where)
{
	size_t ids_bytes = count * sizeof(*ids), out_bytes = b->texts * b->dimensions * sizeof(float);
	int err;

	if (posix_memalign((void **)&b->ids, PAGE, ids_bytes) ||
	    posix_memalign((void **)&b->out, PAGE, out_bytes))
		return failed(b, -ENOMEM, "memory");
	memcpy(b->ids, ids, ids_bytes);
	memset(b->out, 0, out_bytes);
	if (where == COPIED)
		return 0;
	if (where == IN_PLACE) {
		err = b->be->mem_wrap(b->dev, b->ids, ids_bytes, &b->ids_mem);
		return failed(b, err ? err : b->be->mem_wrap(b->dev, b->out, out_bytes, &b->out_mem),
			      "wrap");
	}
	err = b->be->mem_alloc(b->dev, ids_bytes, &b->ids_mem);
	if (!err)
		err = b->be->mem_write(b->stream, b->ids_mem, 0, ids, ids_bytes);
	if (!err)
		err = b->be->stream_sync(b->stream);
	return failed(b, err ? err : b->be->mem_alloc(b->dev, out_bytes, &b->out_mem), "memory");
}

/* @lengths: of @texts texts; @ids: of all of them, one behind the other */
EXPORT int bench_texts(struct bench *b, const int32_t *ids, const uint32_t *lengths, uint32_t texts,
		       int where);
EXPORT int bench_texts(struct bench *b, const int32_t *ids, const uint32_t *lengths, uint32_t texts,
		       int where)
{
	size_t count = 0;
	int err;

	forget_texts(b);
	b->texts = texts;
	b->text = calloc(texts, sizeof(*b->text));
	for (uint32_t i = 0; i < texts; i++)
		count += lengths[i];
	err = place(b, ids, count, where);
	for (uint32_t i = 0, at = 0; i < texts && !err; at += lengths[i++])
		b->text[i] = (struct aif_encoder_text){
			.mem = b->out_mem, .offset = (uint64_t)i * b->dimensions * sizeof(float),
			.out = where == COPIED ? b->out + (size_t)i * b->dimensions : NULL,
			.ids_mem = b->ids_mem, .ids_offset = at * sizeof(*ids),
			.ids = where == COPIED ? b->ids + at : NULL, .id_count = lengths[i],
		};
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* One step, from the call until the vectors are there; @device_ns: by the device's clock, 0: unknown */
EXPORT int bench_encode(struct bench *b, uint64_t *ns, uint64_t *device_ns);
EXPORT int bench_encode(struct bench *b, uint64_t *ns, uint64_t *device_ns)
{
	uint64_t begin = now_ns();
	int err = aif_encoder_encode(b->encoder, b->text, b->texts);

	*ns = now_ns() - begin;
	*device_ns = aif_encoder_device_ns(b->encoder);
	for (size_t i = 0; i < b->texts && !err; i++)
		err = b->text[i].status;
	return failed(b, err, "encode");
}

EXPORT int bench_vectors(struct bench *b, float *out);
EXPORT int bench_vectors(struct bench *b, float *out)
{
	size_t bytes = b->texts * b->dimensions * sizeof(float);
	int err = 0;

	if (!b->out_mem || b->be->mem_host(b->out_mem)) {
		memcpy(out, b->out, bytes);
		return 0;
	}
	err = b->be->mem_read(b->stream, b->out_mem, 0, out, bytes);
	return failed(b, err ? err : b->be->stream_sync(b->stream), "read");
}

static struct aif_mem *make(struct bench *b, size_t elements, int *err)
{
	size_t bytes = elements * aif_dtype_bytes(b->be->dev_activation(b->dev));
	uint16_t *host = malloc(bytes);
	struct aif_mem *mem = NULL;

	/* Of either width: numbers between -2 and 2, none of them 0. */
	for (size_t i = 0; host && i < bytes / 2; i++)
		host[i] = (uint16_t)(0x3c00 | (rand() & 0x83ff));
	if (!*err)
		*err = b->be->mem_alloc(b->dev, bytes, &mem);
	if (!*err)
		*err = b->be->mem_write(b->stream, mem, 0, host, bytes);
	if (!*err)
		*err = b->be->stream_sync(b->stream);
	free(host);
	return mem;
}

/* @repeats products out [m, n] = x [m, k] . w^T, one behind the other: the time of all */
EXPORT int bench_gemm(struct bench *b, uint32_t m, uint32_t n, uint32_t k, int repeats, uint64_t *ns);
EXPORT int bench_gemm(struct bench *b, uint32_t m, uint32_t n, uint32_t k, int repeats, uint64_t *ns)
{
	uint32_t dtype = b->be->dev_activation(b->dev);
	float *w = malloc((size_t)n * k * sizeof(*w));
	struct aif_op_gemm op = { 0 };
	struct aif_weight *weight = NULL;
	int err = w ? 0 : -ENOMEM;
	uint64_t begin;

	for (size_t i = 0; w && i < (size_t)n * k; i++)
		w[i] = rand() / (float)RAND_MAX - 0.5f;
	op.x = aif_tensor2(make(b, (size_t)m * k, &err), 0, dtype, m, k);
	op.out = aif_tensor2(make(b, (size_t)m * n, &err), 0, dtype, m, n);
	if (!err)
		err = b->be->weight_create(b->dev, w, n, k, &weight);
	op.w = weight;
	begin = now_ns();
	for (int i = 0; i < repeats && !err; i++)
		err = b->be->ops->gemm(b->stream, &op);
	if (!err)
		err = b->be->stream_sync(b->stream);
	*ns = now_ns() - begin;
	b->be->weight_free(weight);
	b->be->mem_free(op.x.mem);
	b->be->mem_free(op.out.mem);
	free(w);
	return failed(b, err, "gemm");
}

EXPORT void bench_close(struct bench *b);
EXPORT void bench_close(struct bench *b)
{
	forget_texts(b);
	aif_encoder_free(b->encoder);
	aif_model_close(b->model);
	b->be->stream_free(b->stream);
	b->be->dev_close(b->dev);
	free(b);
}
