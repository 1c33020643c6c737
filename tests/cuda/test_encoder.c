// SPDX-License-Identifier: MIT
/*
 * TEST CODE, rung 4: the encoder, whole, on the CUDA backend and the stand-in driver, against
 * the publisher's vectors.  AIF_CUDA_TEXTS: how many texts (4), AIF_CUDA_TOKENS: how long
 * at most (16), AIF_CUDA_SEEDS (8) of fp32 and bf16; `make check-cuda` asks for more.
 */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aif_model.h"
#include "kernels/half.h"
#include "runtime/backend/backend.h"
#include "tests/unit/model/refs.h"

#define TEXTS_MAX 64

static struct aif_model *model;
static struct ref *refs;
static size_t ref_count;
static void (*standin_seed)(uint64_t seed);
static void (*standin_reset)(void);
static unsigned int (*standin_complaints)(void);
static unsigned int (*standin_launches)(const char *kernel);
static unsigned int (*standin_calls)(const char *name);
static const char *(*standin_never_launched)(void);
static const char *words;	/* of AIF_STANDIN, as the test was started */

static int number(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

/* References that are short enough, each from elsewhere in the list. */
static size_t choose(const struct ref **chosen)
{
	size_t want = number("AIF_CUDA_TEXTS", 4), n = 0;
	int tokens = number("AIF_CUDA_TOKENS", 16);

	for (size_t i = 0; i < ref_count && n < want && n < TEXTS_MAX; i++) {
		const struct ref *r = &refs[i * 37 % ref_count];

		if (r->count <= tokens)
			chosen[n++] = r;
	}
	assert_true(n > 0);
	return n;
}

/* As a client's range is: its own pages. */
static alignas(4096) float out[TEXTS_MAX][DIMENSIONS];

/* One step, which leaves its vectors in @mem, that is @out; the worst of its texts. */
static double encode(struct aif_encoder *enc, struct aif_mem *mem, const struct ref **chosen,
		     size_t n)
{
	struct aif_encoder_text texts[TEXTS_MAX];
	double worst = 1;

	memset(out, 0xff, sizeof(out));
	for (size_t i = 0; i < n; i++)
		texts[i] = (struct aif_encoder_text){ .text = chosen[i]->text,
			.bytes = chosen[i]->bytes, .mem = mem, .offset = i * sizeof(out[i]) };
	assert_int_equal(aif_encoder_encode(enc, texts, n), 0);
	/* The stand-in's clock ticks in microseconds, at each reading. */
	assert_true(aif_encoder_device_ns(enc) > 0 && aif_encoder_device_ns(enc) % 1000 == 0);
	for (size_t i = 0; i < n; i++) {
		double c = refs_cosine(out[i], chosen[i]->vector);

		assert_int_equal(texts[i].status, 0);
		/* Not <, so that a NaN stays. */
		worst = c >= worst ? worst : c;
	}
	return worst;
}

/* The driver as a new process finds it, on a device of architecture @sm. */
static void fresh(int sm)
{
	char all[256];

	snprintf(all, sizeof(all), "sm=%d,%s", sm, words);
	setenv("AIF_STANDIN", all, 1);
	standin_reset();
}

/* @most: texts, of those that were asked for */
static void check(const char *precision, double least, size_t most, int seeds)
{
	const struct aif_backend *be = aif_backend_find("cuda");
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = precision };
	const struct ref *chosen[TEXTS_MAX];
	size_t n = choose(chosen);
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_mem *mem;
	struct aif_why why;
	double worst = 1;

	n = n < most ? n : most;
	if (be->dev_open(&opts, &dev))
		fail_msg("%s", be->dev_why());
	if (aif_encoder_create(model, be, dev, NULL, &enc, &why))
		fail_msg("%s", why.text);
	assert_int_equal(be->mem_wrap(dev, out, sizeof(out), &mem), 0);
	for (int seed = 1; seed <= seeds; seed++) {
		double c;

		standin_seed(seed);
		c = encode(enc, mem, chosen, n);
		worst = c >= worst ? worst : c;
	}
	print_message("# %zu texts, %s: least cosine %.7f, needed %g\n", n, precision, worst, least);
	assert_true(worst >= least);
	be->mem_free(mem);
	aif_encoder_free(enc);
	be->dev_close(dev);
	assert_int_equal(standin_complaints(), 0);
}

static void test_vectors_fp32(void **state)
{
	fresh(90);
	check("fp32", 0.99999, TEXTS_MAX, number("AIF_CUDA_SEEDS", 8));
	assert_true(standin_launches("gemm_plain_f32") > 0);
}

/* On tensor cores; without them on older devices. */
static void test_vectors_bf16(void **state)
{
	fresh(90);
	check("bf16", 0.9995, TEXTS_MAX, number("AIF_CUDA_SEEDS", 8));
	assert_true(standin_launches("gemm_mma_bf16") + standin_launches("gemm_mma_wide_bf16") > 0);
	assert_int_equal(standin_launches("gemm_plain_bf16"), 0);
	assert_true(standin_launches("attention_mma_32_bf16") > 0);
	assert_int_equal(standin_launches("attention_bf16"), 0);
	fresh(75);
	check("bf16", 0.9995, 4, 1);
	assert_true(standin_launches("gemm_plain_bf16") > 0);
	assert_true(standin_launches("attention_bf16") > 0);
}

/* Ten bits of fraction, on tensor cores. */
static void test_vectors_tf32(void **state)
{
	fresh(90);
	check("tf32", 0.9999, 4, 1);
	assert_true(standin_launches("gemm_mma_tf32") + standin_launches("gemm_mma_wide_tf32") > 0);
	assert_int_equal(standin_launches("gemm_plain_f32"), 0);
}

static void test_vectors_fp16(void **state)
{
	fresh(90);
	check("fp16", 0.9999, 4, 1);
	assert_true(standin_launches("gemm_mma_f16") + standin_launches("gemm_mma_wide_f16") > 0);
	assert_true(standin_launches("attention_mma_32_f16") > 0);
	fresh(75);
	check("fp16", 0.9999, 4, 1);
	assert_true(standin_launches("gemm_plain_f16") > 0);
}

/* To the bit, whoever the neighbours are: together K is not shared out, and tiles are wide. */
static void check_neighbours(const char *precision, size_t count)
{
	static float alone[DIMENSIONS], together[12][DIMENSIONS];
	const struct aif_backend *be = aif_backend_find("cuda");
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = precision };
	struct aif_encoder_text texts[12];
	const struct ref *chosen[TEXTS_MAX];
	size_t n = choose(chosen);
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;

	fresh(90);
	assert_int_equal(be->dev_open(&opts, &dev), 0);
	assert_int_equal(aif_encoder_create(model, be, dev, NULL, &enc, &why), 0);
	for (size_t i = 0; i < count; i++)
		texts[i] = (struct aif_encoder_text){ .text = chosen[i % n]->text,
			.bytes = chosen[i % n]->bytes, .out = together[i] };
	assert_int_equal(aif_encoder_encode(enc, texts, count), 0);
	texts[0].out = alone;
	assert_int_equal(aif_encoder_encode(enc, texts, 1), 0);
	assert_memory_equal(alone, together[0], sizeof(alone));
	/* Vectors that are copied are no step that the device has timed. */
	assert_int_equal(aif_encoder_device_ns(enc), 0);
	aif_encoder_free(enc);
	be->dev_close(dev);
	assert_int_equal(standin_complaints(), 0);
}

static void test_neighbours_do_not_matter(void **state)
{
	check_neighbours("fp32", 12);
	check_neighbours("tf32", 4);
	check_neighbours("fp16", 4);
	check_neighbours("bf16", 12);
	assert_true(standin_launches("gemm_mma_bf16") > 0);
	assert_true(standin_launches("gemm_mma_wide_bf16") > 0);
}

/* Token ids that the first kernel reads where their client has them: to the bit the text's. */
static void check_ids(const char *precision)
{
	static alignas(4096) int32_t ids[4096 / sizeof(int32_t)];
	const struct aif_backend *be = aif_backend_find("cuda");
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = precision };
	const struct ref *chosen[TEXTS_MAX];
	struct aif_mem *mem, *ids_mem;
	struct aif_encoder_text text;
	float want[DIMENSIONS];
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;

	fresh(90);
	choose(chosen);
	memcpy(ids + 5, chosen[0]->ids, chosen[0]->count * sizeof(*ids));
	assert_int_equal(be->dev_open(&opts, &dev), 0);
	assert_int_equal(aif_encoder_create(model, be, dev, NULL, &enc, &why), 0);
	assert_int_equal(be->mem_wrap(dev, out, sizeof(out), &mem), 0);
	assert_int_equal(be->mem_wrap_input(dev, ids, sizeof(ids), &ids_mem), 0);
	encode(enc, mem, chosen, 1);
	memcpy(want, out[0], sizeof(want));
	memset(out, 0xff, sizeof(out));
	text = (struct aif_encoder_text){ .mem = mem, .ids_mem = ids_mem,
		.ids_offset = 5 * sizeof(*ids), .id_count = chosen[0]->count };
	assert_int_equal(aif_encoder_encode(enc, &text, 1), 0);
	assert_int_equal(text.status, 0);
	assert_true(aif_encoder_device_ns(enc) > 0);
	assert_memory_equal(out[0], want, sizeof(want));
	/* A step of the same shape, as a graph; again with its vector elsewhere. */
	assert_int_equal(standin_calls("cuGraphLaunch"), 1);
	text.offset = sizeof(out[0]);
	assert_int_equal(aif_encoder_encode(enc, &text, 1), 0);
	assert_memory_equal(out[1], want, sizeof(want));
	assert_int_equal(standin_calls("cuGraphLaunch"), 2);
	assert_int_equal(standin_calls("cuGraphExecKernelNodeSetParams"), 1);
	be->mem_free(ids_mem);
	be->mem_free(mem);
	aif_encoder_free(enc);
	be->dev_close(dev);
	assert_int_equal(standin_complaints(), 0);
}

static void test_ids_in_place(void **state)
{
	check_ids("fp32");
	assert_int_equal(standin_launches("embed_each_f32"), 2);
	check_ids("bf16");
	check_ids("fp16");
}

/*
 * Attention of @texts texts, all empty but the last two of 7 and @longest tokens, on @be;
 * activations as @dtype, in @out as f32.
 */
static void attend(const struct aif_backend *be, struct aif_dev *dev, uint32_t dtype,
		   uint32_t texts, uint32_t longest, uint32_t head_dim, float *out)
{
	uint64_t tokens = 7 + longest, hidden = 2 * head_dim, bytes = aif_dtype_bytes(dtype);
	uint64_t qkv_bytes = tokens * 3 * hidden * bytes, out_bytes = tokens * hidden * bytes;
	uint16_t (*half)(float v) = dtype == AIF_F16 ? aif_to_f16 : aif_to_bf16;
	float (*from)(uint16_t v) = dtype == AIF_F16 ? aif_from_f16 : aif_from_bf16;
	int32_t *offsets = calloc(texts + 1, sizeof(*offsets));
	void *qkv = malloc(qkv_bytes);
	struct aif_stream *stream;
	struct aif_mem *mem;
	uint32_t seed = 1;

	for (uint64_t i = 0; i < tokens * 3 * hidden; i++) {
		/* In eighths: the same in every storage. */
		float v = (float)((seed = seed * 1664525 + 1013904223) >> 28) / 8 - 1;

		if (dtype == AIF_F32)
			((float *)qkv)[i] = v;
		else
			((uint16_t *)qkv)[i] = half(v);
	}
	offsets[texts - 1] = 7;
	offsets[texts] = tokens;
	assert_int_equal(be->stream_create(dev, NULL, &stream), 0);
	assert_int_equal(be->mem_alloc(dev, qkv_bytes + out_bytes + (texts + 1) * 4, &mem), 0);
	assert_int_equal(be->mem_write(stream, mem, 0, qkv, qkv_bytes), 0);
	assert_int_equal(be->mem_write(stream, mem, qkv_bytes + out_bytes, offsets, (texts + 1) * 4), 0);
	assert_int_equal(be->ops->attention(stream, &(struct aif_op_attention) {
		.qkv = aif_tensor2(mem, 0, dtype, tokens, 3 * hidden),
		.cu_seqlens = aif_tensor1(mem, qkv_bytes + out_bytes, AIF_I32, texts + 1),
		.heads = 2, .max_seqlen = longest, .scale = 0.5f,
		.out = aif_tensor2(mem, qkv_bytes, dtype, tokens, hidden) }), 0);
	assert_int_equal(be->mem_read(stream, mem, qkv_bytes, qkv, out_bytes), 0);
	assert_int_equal(be->stream_sync(stream), 0);
	for (uint64_t i = 0; i < tokens * hidden; i++)
		out[i] = dtype == AIF_F32 ? ((float *)qkv)[i] : from(((uint16_t *)qkv)[i]);
	be->mem_free(mem);
	be->stream_free(stream);
	free(qkv);
	free(offsets);
}

/* Heads that this model has not, and more texts than a launch has: as the reference. */
static void test_other_heads(void **state)
{
	static const struct {
		const char *precision, *kernel;
		uint32_t dtype, texts, longest, head_dim, launches;
		float allowed;
	} rows[] = {
		{ "bf16", "attention_mma_64_bf16", AIF_BF16, 3, 70, 64, 1, 0x1p-7f },
		{ "fp16", "attention_mma_64_f16", AIF_F16, 3, 70, 48, 1, 0x1p-10f },
		{ "bf16", "attention_mma_128_bf16", AIF_BF16, 2, 40, 128, 1, 0x1p-7f },
		{ "fp16", "attention_mma_128_f16", AIF_F16, 2, 40, 80, 1, 0x1p-10f },
		{ "bf16", "attention_bf16", AIF_BF16, 3, 20, 36, 1, 0x1p-7f },
		{ "fp16", "attention_mma_32_f16", AIF_F16, 65536, 16, 8, 2, 0x1p-10f },
		{ "fp32", "attention_f32", AIF_F32, 65536, 16, 8, 2, 0x1p-20f },
	};
	static float want[77 * 256], got[77 * 256];
	const struct aif_backend *be = aif_backend_find("cuda"), *ref = aif_backend_find("ref");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aif_dev_opts opts = { .size = sizeof(opts), .precision = rows[i].precision };
		size_t n = (7 + rows[i].longest) * 2 * rows[i].head_dim;
		struct aif_dev *dev;

		assert_int_equal(ref->dev_open(NULL, &dev), 0);
		attend(ref, dev, AIF_F32, 2, rows[i].longest, rows[i].head_dim, want);
		ref->dev_close(dev);
		fresh(90);
		assert_int_equal(be->dev_open(&opts, &dev), 0);
		attend(be, dev, rows[i].dtype, rows[i].texts, rows[i].longest, rows[i].head_dim, got);
		be->dev_close(dev);
		assert_int_equal(standin_launches(rows[i].kernel), rows[i].launches);
		assert_int_equal(standin_complaints(), 0);
		for (size_t j = 0; j < n; j++)
			if (!(fabsf(got[j] - want[j]) <= rows[i].allowed))
				fail_msg("%s: %g instead of %g", rows[i].kernel, got[j], want[j]);
	}
}

/* docs/cuda.md says of each kernel that it has passed this rung. */
static void test_every_kernel_has_run(void **state)
{
	if (standin_never_launched())
		fail_msg("no test of this program runs %s", standin_never_launched());
}

static int set_up(void **state)
{
	struct aif_why why;

	refs = refs_load_vectors(&ref_count);
	return aif_model_open(model_folder(), NULL, &model, &why);
}

static int tear_down(void **state)
{
	refs_free(refs, ref_count);
	aif_model_close(model);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_fp32),
		cmocka_unit_test(test_vectors_bf16),
		cmocka_unit_test(test_vectors_tf32),
		cmocka_unit_test(test_vectors_fp16),
		cmocka_unit_test(test_neighbours_do_not_matter),
		cmocka_unit_test(test_ids_in_place),
		cmocka_unit_test(test_other_heads),
		cmocka_unit_test(test_every_kernel_has_run),
	};
	void *standin = dlopen("libcuda.so.1", RTLD_NOW);

	unsetenv("AIF_CUDA_DEVICE");
	unsetenv("AIF_CUDA_PRECISION");
	unsetenv("AIF_CUDA_WAIT");
	unsetenv("AIF_CUDA_GRAPHS");
	if (standin)
		standin_seed = (void (*)(uint64_t))dlsym(standin, "standin_seed");
	if (!standin_seed) {
		printf("not ok 1 - the stand-in driver: %s\n", dlerror());
		return 1;
	}
	standin_reset = (void (*)(void))dlsym(standin, "standin_reset");
	standin_launches = (unsigned int (*)(const char *))dlsym(standin, "standin_launches");
	standin_calls = (unsigned int (*)(const char *))dlsym(standin, "standin_calls");
	standin_never_launched = (const char *(*)(void))dlsym(standin, "standin_never_launched");
	words = getenv("AIF_STANDIN") ? strdup(getenv("AIF_STANDIN")) : "";
	standin_complaints = (unsigned int (*)(void))dlsym(standin, "standin_complaints");
	model_folder();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
