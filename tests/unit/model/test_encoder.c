// SPDX-License-Identifier: MIT
/*
 * The encoder on every backend and instruction set of this machine against the
 * publisher's library, and what it promises about neighbours, errors and memory.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aif_model.h"
#include "runtime/backend/backend.h"
#include "tests/unit/model/refs.h"

#define COSINE_MIN 0.99999
#define DIFFERENCE_MAX 1e-4
#define REF_TOKENS 64	/* longer texts are for the fast backends: ref takes 10 ms a token */

static struct aif_model *model;
static struct ref *refs;
static size_t ref_count;

/* Small passes, so that the references need many. */
static const struct aif_encoder_opts small = {
	.size = sizeof(small), .pass_tokens = 512, .pass_texts = 16,
};

struct rig {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_encoder *enc;
};

static void rig_open(struct rig *r, const struct aif_backend *be, const char *isa,
		     const struct aif_encoder_opts *opts)
{
	struct aif_dev_opts dev_opts = { .size = sizeof(dev_opts), .isa = isa };
	struct aif_why why;
	int ret;

	r->be = be;
	ret = be->dev_open(&dev_opts, &r->dev);
	if (ret == -EOPNOTSUPP)
		skip();
	assert_int_equal(ret, 0);
	ret = aif_encoder_create(model, be, r->dev, opts, &r->enc, &why);
	if (ret)
		fail_msg("%s", why.text);
}

static void rig_open_cpu(struct rig *r, const struct aif_encoder_opts *opts)
{
	rig_open(r, aif_backend_find("cpu"), NULL, opts);
}

static void rig_close(struct rig *r)
{
	aif_encoder_free(r->enc);
	r->be->dev_close(r->dev);
}

static struct aif_encoder_text text_of(const struct ref *ref, float *out,
				       struct aif_encoder_counts *counts)
{
	return (struct aif_encoder_text){ .text = ref->text, .bytes = ref->bytes, .out = out,
					  .counts = counts, .status = 1 };
}

static void compare(const struct ref *ref, const float *v, double *difference)
{
	double dot = 0, a = 0, b = 0;

	for (int i = 0; i < DIMENSIONS; i++) {
		dot += (double)v[i] * ref->vector[i];
		a += (double)v[i] * v[i];
		b += (double)ref->vector[i] * ref->vector[i];
		*difference = fmax(*difference, fabs((double)v[i] - ref->vector[i]));
	}
	/* Not >=, so that a NaN fails. */
	if (!(dot / sqrt(a * b) >= COSINE_MIN) || !(*difference <= DIFFERENCE_MAX))
		fail_msg("'%.60s': cosine %.9f, difference %g", ref->text, dot / sqrt(a * b),
			 *difference);
}

static void check_refs(const struct aif_backend *be, const char *isa, int max_tokens)
{
	struct aif_encoder_text *texts = calloc(ref_count, sizeof(*texts));
	struct aif_encoder_counts *counts = calloc(ref_count, sizeof(*counts));
	float *out = calloc(ref_count, DIMENSIONS * sizeof(*out));
	size_t *which = calloc(ref_count, sizeof(*which)), n = 0;
	double difference = 0;
	struct rig r;

	rig_open(&r, be, isa, &small);
	for (size_t i = 0; i < ref_count; i++) {
		if (refs[i].count > max_tokens)
			continue;
		texts[n] = text_of(&refs[i], out + n * DIMENSIONS, &counts[n]);
		which[n++] = i;
	}
	assert_true(n >= 200);
	assert_int_equal(aif_encoder_encode(r.enc, texts, n), 0);
	for (size_t i = 0; i < n; i++) {
		const struct ref *ref = &refs[which[i]];

		assert_int_equal(texts[i].status, 0);
		assert_int_equal(counts[i].tokens, ref->count);
		assert_int_equal(counts[i].truncated, ref->truncated);
		compare(ref, out + i * DIMENSIONS, &difference);
	}
	print_message("# %zu texts on %s: largest difference %.2g of %g\n", n,
		      r.be->dev_describe(r.dev), difference, DIFFERENCE_MAX);
	rig_close(&r);
	free(texts);
	free(counts);
	free(out);
	free(which);
}

static void test_references_ref(void **state)
{
	check_refs(aif_backend_find("ref"), NULL, REF_TOKENS);
}

static void test_references_avx512(void **state)
{
	check_refs(aif_backend_find("cpu"), "avx512", MAX_TOKENS);
}

static void test_references_avx2(void **state)
{
	check_refs(aif_backend_find("cpu"), "avx2", MAX_TOKENS);
}

static void test_references_portable(void **state)
{
	check_refs(aif_backend_find("cpu"), "portable", MAX_TOKENS);
}

/* The full length on ref, too. */
static void test_longest_ref(void **state)
{
	float out[DIMENSIONS];
	double difference = 0;
	struct rig r;
	size_t i = 0;

	while (!refs[i].truncated)
		i++;
	rig_open(&r, aif_backend_find("ref"), NULL, NULL);
	assert_int_equal(aif_encoder_encode(r.enc, (struct aif_encoder_text[]){
		text_of(&refs[i], out, NULL) }, 1), 0);
	compare(&refs[i], out, &difference);
	rig_close(&r);
}

#define BATCH 40

/* To the bit, whoever the neighbours are and wherever the pass is cut. */
static void test_neighbours_do_not_matter(void **state)
{
	static float alone[BATCH][DIMENSIONS], together[BATCH][DIMENSIONS];
	struct aif_encoder_text texts[BATCH];
	struct rig r;

	rig_open_cpu(&r, &small);
	for (int i = 0; i < BATCH; i++) {
		const struct ref *ref = &refs[ref_count - 1 - i];

		texts[i] = text_of(ref, alone[i], NULL);
		assert_int_equal(aif_encoder_encode(r.enc, &texts[i], 1), 0);
		texts[i] = text_of(ref, together[i], NULL);
	}
	assert_int_equal(aif_encoder_encode(r.enc, texts, BATCH), 0);
	assert_memory_equal(alone, together, sizeof(alone));
	rig_close(&r);
}

static void test_errors_stay_with_their_text(void **state)
{
	struct aif_encoder_opts opts = { .size = sizeof(opts), .max_text_bytes = 100 };
	struct aif_encoder_counts counts[6];
	static float out[6][DIMENSIONS], alone[DIMENSIONS];
	char just_right[100], too_long[101];
	struct aif_encoder_text texts[6];
	struct rig r;

	memset(counts, 0x55, sizeof(counts));
	memset(just_right, 'a', sizeof(just_right));
	memset(too_long, 'a', sizeof(too_long));
	for (int i = 0; i < 6; i++)
		texts[i] = text_of(&refs[0], out[i], &counts[i]);
	texts[1].text = "caf\xe9";
	texts[1].bytes = 4;
	texts[2].text = too_long;
	texts[2].bytes = sizeof(too_long);
	texts[3].text = just_right;
	texts[3].bytes = sizeof(just_right);
	texts[4].out = NULL;
	rig_open_cpu(&r, &opts);
	assert_int_equal(aif_encoder_encode(r.enc, texts, 6), 0);
	assert_int_equal(texts[0].status, 0);
	assert_int_equal(texts[1].status, -EILSEQ);
	assert_int_equal(texts[2].status, -E2BIG);
	assert_int_equal(texts[3].status, 0);
	assert_int_equal(texts[4].status, -EINVAL);
	assert_int_equal(texts[5].status, 0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(counts[i].tokens == 0x55555555, texts[i].status != 0);
		assert_int_equal(out[i][0] == 0, texts[i].status != 0);
	}
	texts[0] = text_of(&refs[0], alone, NULL);
	assert_int_equal(aif_encoder_encode(r.enc, texts, 1), 0);
	assert_memory_equal(alone, out[0], sizeof(alone));
	assert_memory_equal(alone, out[5], sizeof(alone));
	rig_close(&r);
}

static void test_nothing_to_do(void **state)
{
	struct aif_encoder_text bad = { .text = "\xff", .bytes = 1 };
	float out[DIMENSIONS];
	struct rig r;

	rig_open_cpu(&r, NULL);
	assert_int_equal(aif_encoder_encode(r.enc, NULL, 0), 0);
	bad.out = out;
	assert_int_equal(aif_encoder_encode(r.enc, &bad, 1), 0);
	assert_int_equal(bad.status, -EILSEQ);
	/* No text is a text: a client with an empty range has no address. */
	bad = (struct aif_encoder_text){ .out = out, .status = 1 };
	assert_int_equal(aif_encoder_encode(r.enc, &bad, 1), 0);
	assert_int_equal(bad.status, 0);
	rig_close(&r);
}

/* Written where the client's memory is, and nothing beside it. */
static void test_output_in_place(void **state)
{
	float memory[3 * DIMENSIONS], want[DIMENSIONS], canary;
	struct aif_encoder_text text = text_of(&refs[1], want, NULL);
	struct aif_mem *mem;
	struct rig r;

	rig_open_cpu(&r, NULL);
	assert_int_equal(aif_encoder_encode(r.enc, &text, 1), 0);
	memset(memory, 0xa5, sizeof(memory));
	canary = memory[0];
	assert_int_equal(r.be->mem_wrap(r.dev, memory, sizeof(memory), &mem), 0);
	text.out = NULL;
	text.mem = mem;
	text.offset = DIMENSIONS * sizeof(float);
	assert_int_equal(aif_encoder_encode(r.enc, &text, 1), 0);
	assert_memory_equal(memory + DIMENSIONS, want, sizeof(want));
	for (int i = 0; i < DIMENSIONS; i++) {
		assert_memory_equal(&memory[i], &canary, sizeof(canary));
		assert_memory_equal(&memory[2 * DIMENSIONS + i], &canary, sizeof(canary));
	}
	r.be->mem_free(mem);
	rig_close(&r);
}

/* Token ids instead of a text: the text's vector; in a pass with texts, in place and copied. */
static void test_ids(void **state)
{
	static float out[4][DIMENSIONS];
	static int32_t many[MAX_TOKENS + 1];
	struct aif_encoder_counts counts[4];
	struct aif_encoder_text texts[4];
	int32_t placed[3 + MAX_TOKENS];
	struct aif_mem *mem;
	struct rig r;

	rig_open_cpu(&r, NULL);
	memcpy(placed + 3, refs[5].ids, sizeof(refs[5].ids));
	assert_int_equal(r.be->mem_wrap(r.dev, placed, sizeof(placed), &mem), 0);
	texts[0] = text_of(&refs[5], out[0], &counts[0]);
	texts[1] = (struct aif_encoder_text){ .ids_mem = mem, .ids_offset = 3 * sizeof(*placed),
		.id_count = refs[5].count, .out = out[1], .counts = &counts[1] };
	texts[2] = (struct aif_encoder_text){ .ids = refs[5].ids, .id_count = refs[5].count,
		.out = out[2], .counts = &counts[2] };
	texts[3] = text_of(&refs[5], out[3], &counts[3]);
	assert_int_equal(aif_encoder_encode(r.enc, texts, 4), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(texts[i].status, 0);
		assert_int_equal(counts[i].tokens, refs[5].count);
		assert_memory_equal(out[i], out[0], sizeof(out[i]));
	}
	texts[0] = (struct aif_encoder_text){ .ids = many, .id_count = MAX_TOKENS, .out = out[0] };
	texts[1] = (struct aif_encoder_text){ .ids = many, .id_count = MAX_TOKENS + 1, .out = out[1] };
	texts[2] = (struct aif_encoder_text){ .ids = many, .out = out[2] };
	texts[3] = (struct aif_encoder_text){ .ids_mem = mem, .out = out[3] };
	assert_int_equal(aif_encoder_encode(r.enc, texts, 4), 0);
	assert_int_equal(texts[0].status, 0);
	assert_int_equal(texts[1].status, -E2BIG);
	assert_int_equal(texts[2].status, -EINVAL);
	assert_int_equal(texts[3].status, -EINVAL);
	r.be->mem_free(mem);
	rig_close(&r);
}

/* Ids where clients have them need an operator that a backend may lack; copied ones do not. */
static void test_ids_without_embed_each(void **state)
{
	struct aif_backend be = *aif_backend_find("cpu");
	struct aif_ops ops = *be.ops;
	static float out[2][DIMENSIONS];
	struct aif_encoder_text texts[2];
	struct aif_mem *mem;
	struct rig r;

	ops.embed_each = NULL;
	be.ops = &ops;
	rig_open(&r, &be, NULL, NULL);
	assert_int_equal(be.mem_wrap(r.dev, refs[5].ids, sizeof(refs[5].ids), &mem), 0);
	texts[0] = (struct aif_encoder_text){ .ids_mem = mem, .id_count = refs[5].count,
		.out = out[0] };
	texts[1] = (struct aif_encoder_text){ .ids = refs[5].ids, .id_count = refs[5].count,
		.out = out[1] };
	assert_int_equal(aif_encoder_encode(r.enc, texts, 2), 0);
	assert_int_equal(texts[0].status, -EOPNOTSUPP);
	assert_int_equal(texts[1].status, 0);
	compare(&refs[5], out[1], &(double){ 0 });
	be.mem_free(mem);
	rig_close(&r);
}

struct scribbler {
	char text[600];
	atomic_bool stop;
};

/* Turns ASCII into halves of characters and back, all the time. */
static void *scribble(void *arg)
{
	struct scribbler *s = arg;

	for (unsigned int i = 0; !atomic_load(&s->stop); i = i * 1664525 + 1013904223)
		*(volatile char *)&s->text[i % sizeof(s->text)] = i >> 24;
	return NULL;
}

static void test_client_changes_its_text(void **state)
{
	struct scribbler s = {};
	static float out[2][DIMENSIONS], want[DIMENSIONS];
	struct aif_encoder_counts counts;
	struct aif_encoder_text texts[2];
	pthread_t thread;
	struct rig r;

	rig_open_cpu(&r, NULL);
	texts[0] = text_of(&refs[2], want, NULL);
	assert_int_equal(aif_encoder_encode(r.enc, texts, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
	for (int i = 0; i < 200; i++) {
		/* Now and then readable from end to end, but for what comes meanwhile. */
		for (size_t k = 0; k < sizeof(s.text); k++)
			*(volatile char *)&s.text[k] = "word "[k % 5];
		texts[0] = (struct aif_encoder_text){ .text = s.text, .bytes = i, .out = out[0],
						      .counts = &counts };
		texts[1] = text_of(&refs[2], out[1], NULL);
		assert_int_equal(aif_encoder_encode(r.enc, texts, 2), 0);
		assert_true(texts[0].status == 0 || texts[0].status == -EILSEQ);
		if (!texts[0].status)
			assert_in_range(counts.tokens, 2, MAX_TOKENS);
		assert_int_equal(texts[1].status, 0);
		assert_memory_equal(out[1], want, sizeof(want));
	}
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	rig_close(&r);
}

static void test_create_options(void **state)
{
	static const struct aif_encoder_opts wrong[] = {
		{ .size = sizeof(wrong[0]), .pass_tokens = 255 },
		{ .size = sizeof(wrong[0]), .pass_tokens = UINT32_MAX },
		{ .size = sizeof(wrong[0]), .pass_texts = UINT32_MAX },
		{ .size = sizeof(wrong[0]), .max_text_bytes = UINT32_MAX },
		{ .size = sizeof(wrong[0]) + 1 },
		{ .size = 0 },
	};
	const struct aif_backend *be = aif_backend_find("cpu");
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;

	assert_int_equal(be->dev_open(NULL, &dev), 0);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(aif_encoder_create(model, be, dev, &wrong[i], &enc, &why),
				 -EINVAL);
	aif_encoder_create(model, be, dev, &wrong[0], &enc, &why);
	assert_string_equal(why.text, "pass_tokens is 255, allowed are 256 to 1048576");
	be->dev_close(dev);
}

/*
 * A backend that fails at the n-th call of those that may: the cpu's table with
 * these members replaced.
 */
static const struct aif_backend *real;
static int calls_left;

static bool fails(void)
{
	return calls_left && !--calls_left;
}

static int failing_mem_alloc(struct aif_dev *dev, size_t bytes, struct aif_mem **mem)
{
	return fails() ? -ENOMEM : real->mem_alloc(dev, bytes, mem);
}

static int failing_mem_wrap(struct aif_dev *dev, void *host, size_t bytes, struct aif_mem **mem)
{
	return fails() ? -ENOMEM : real->mem_wrap(dev, host, bytes, mem);
}

static int failing_mem_write(struct aif_stream *s, struct aif_mem *mem, uint64_t offset,
			     const void *host, size_t bytes)
{
	return fails() ? -EIO : real->mem_write(s, mem, offset, host, bytes);
}

static int failing_mem_read(struct aif_stream *s, const struct aif_mem *mem, uint64_t offset,
			    void *host, size_t bytes)
{
	return fails() ? -EIO : real->mem_read(s, mem, offset, host, bytes);
}

static int failing_weight_create(struct aif_dev *dev, const float *host, uint32_t n, uint32_t k,
				 struct aif_weight **w)
{
	return fails() ? -ENOMEM : real->weight_create(dev, host, n, k, w);
}

static int failing_stream_create(struct aif_dev *dev, const struct aif_stream_opts *opts,
				 struct aif_stream **s)
{
	return fails() ? -ENOMEM : real->stream_create(dev, opts, s);
}

static int failing_stream_sync(struct aif_stream *s)
{
	return fails() ? -EIO : real->stream_sync(s);
}

/* A step is begun for each pass, of one text here. */
static int failing_step_begin(struct aif_stream *s, const struct aif_step *shape)
{
	assert_int_equal(shape->texts, 1);
	assert_int_equal(shape->longest, shape->tokens);
	return fails() ? -EIO : 0;
}

static int failing_embed(struct aif_stream *s, const struct aif_op_embed *op)
{
	return fails() ? -EIO : real->ops->embed(s, op);
}

static int failing_layernorm(struct aif_stream *s, const struct aif_op_layernorm *op)
{
	return fails() ? -EIO : real->ops->layernorm(s, op);
}

static int failing_gemm(struct aif_stream *s, const struct aif_op_gemm *op)
{
	return fails() ? -EIO : real->ops->gemm(s, op);
}

static int failing_attention(struct aif_stream *s, const struct aif_op_attention *op)
{
	return fails() ? -EIO : real->ops->attention(s, op);
}

static int failing_pool(struct aif_stream *s, const struct aif_op_pool *op)
{
	return fails() ? -EIO : real->ops->pool(s, op);
}

static const struct aif_backend *failing_backend(void)
{
	static struct aif_backend be;
	static struct aif_ops ops;

	real = aif_backend_find("cpu");
	be = *real;
	ops = *real->ops;
	be.ops = &ops;
	be.mem_alloc = failing_mem_alloc;
	be.mem_wrap = failing_mem_wrap;
	be.mem_write = failing_mem_write;
	be.mem_read = failing_mem_read;
	be.weight_create = failing_weight_create;
	be.stream_create = failing_stream_create;
	be.stream_sync = failing_stream_sync;
	be.step_begin = failing_step_begin;
	ops.embed = failing_embed;
	ops.layernorm = failing_layernorm;
	ops.gemm = failing_gemm;
	ops.attention = failing_attention;
	ops.pool = failing_pool;
	calls_left = 0;
	return &be;
}

/* Fail the 1st, 2nd, ... call until none is left.  Leaks are for the sanitizer. */
static void test_create_fails_anywhere(void **state)
{
	const struct aif_backend *be = failing_backend();
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;
	int n, ret;

	assert_int_equal(be->dev_open(NULL, &dev), 0);
	for (n = 1; ; n++) {
		why.text[0] = '\0';
		calls_left = n;
		ret = aif_encoder_create(model, be, dev, &small, &enc, &why);
		if (!ret)
			break;
		assert_true(ret == -ENOMEM || ret == -EIO);
		assert_non_null(strstr(why.text, "backend cpu cannot"));
	}
	/* A stream, seven memories, the file, 6 layers of 4 weights and 3 biases, a sync. */
	assert_int_equal(n - 1, 1 + 7 + 1 + 6 * (4 + 3) + 1);
	aif_encoder_free(enc);
	be->dev_close(dev);
}

static void test_device_fails_anywhere(void **state)
{
	struct aif_encoder_opts one = { .size = sizeof(one), .pass_texts = 1 };
	static float out[3][DIMENSIONS];
	struct aif_encoder_counts counts[3];
	struct aif_encoder_text texts[3];
	struct rig r;
	int n, ret;

	rig_open(&r, failing_backend(), NULL, &one);
	for (n = 1; ; n++) {
		memset(counts, 0x55, sizeof(counts));
		for (int i = 0; i < 3; i++)
			texts[i] = text_of(&refs[i], out[i], &counts[i]);
		calls_left = n;
		ret = aif_encoder_encode(r.enc, texts, 3);
		if (!ret)
			break;
		assert_int_equal(ret, -EIO);
		/* Done, then the one whose pass failed, then those that never had one. */
		for (int i = 0, want = -EIO; i < 3; i++) {
			assert_int_equal(counts[i].tokens == 0x55555555, texts[i].status != 0);
			assert_true(texts[i].status == want || (!texts[i].status && want == -EIO));
			want = texts[i].status ? -ECANCELED : -EIO;
		}
		assert_int_not_equal(texts[2].status, 0);
	}
	/* Per pass its beginning, a write, embed, 6 layers of 7 operators, pool, a read, a sync. */
	assert_int_equal(n - 1, 3 * (2 + 1 + 6 * 7 + 1 + 1 + 1));
	for (int i = 0; i < 3; i++)
		compare(&refs[i], out[i], &(double){ 0 });
	rig_close(&r);
}

static int refusal;

static int refusing_weight_create(struct aif_dev *dev, const float *host, uint32_t n, uint32_t k,
				  struct aif_weight **w)
{
	return refusal;
}

static const char *what_the_device_says(void)
{
	return "a weight of 7e+04: too much";
}

/* A weight that the device's numbers do not reach is named, and so is what broke it. */
static void test_create_says_why(void **state)
{
	static const struct {
		int err;
		const char *text;
	} rows[] = {
		{ -EDOM, "a weight of 7e+04: too much" },
		{ -EIO, "a weight of 7e+04: too much" },
		{ -ENOMEM, "Cannot allocate memory" },
	};
	struct aif_backend be = *aif_backend_find("cpu");
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;

	be.weight_create = refusing_weight_create;
	be.dev_why = what_the_device_says;
	assert_int_equal(be.dev_open(NULL, &dev), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		refusal = rows[i].err;
		assert_int_equal(aif_encoder_create(model, &be, dev, &small, &enc, &why), refusal);
		assert_non_null(strstr(why.text, "backend cpu cannot load the weights: "));
		assert_string_equal(strchr(why.text, ':') + 2, rows[i].text);
	}
	be.dev_close(dev);
}

static void test_create_refuses_backend(void **state)
{
	struct aif_backend be = *aif_backend_find("cpu");
	struct aif_ops ops = *be.ops;
	struct aif_encoder *enc;
	struct aif_dev *dev;
	struct aif_why why;

	assert_int_equal(be.dev_open(NULL, &dev), 0);
	be.ops = &ops;
	ops.pool = NULL;
	assert_int_equal(aif_encoder_create(model, &be, dev, NULL, &enc, &why), -EOPNOTSUPP);
	ops.size = offsetof(struct aif_ops, attention);
	assert_int_equal(aif_encoder_create(model, &be, dev, NULL, &enc, &why), -EOPNOTSUPP);
	ops = *aif_backend_find("cpu")->ops;
	be.version++;
	assert_int_equal(aif_encoder_create(model, &be, dev, NULL, &enc, &why), -EOPNOTSUPP);
	be.dev_close(dev);
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
		cmocka_unit_test(test_references_ref),
		cmocka_unit_test(test_references_avx512),
		cmocka_unit_test(test_references_avx2),
		cmocka_unit_test(test_references_portable),
		cmocka_unit_test(test_longest_ref),
		cmocka_unit_test(test_neighbours_do_not_matter),
		cmocka_unit_test(test_errors_stay_with_their_text),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_output_in_place),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_ids_without_embed_each),
		cmocka_unit_test(test_client_changes_its_text),
		cmocka_unit_test(test_create_options),
		cmocka_unit_test(test_create_fails_anywhere),
		cmocka_unit_test(test_device_fails_anywhere),
		cmocka_unit_test(test_create_says_why),
		cmocka_unit_test(test_create_refuses_backend),
	};

	model_folder();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
