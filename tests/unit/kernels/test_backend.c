// SPDX-License-Identifier: MIT
/*
 * What the backends refuse, and that a refused operator writes nothing.  Each row
 * of a table spoils one thing of a call that is accepted without it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/kernels/rig.h"

#define T 6
#define H 8
#define UNTOUCHED 77.0f

static const int32_t cu[] = { 0, 2, 2, T };

/* A sound call of each operator, over tensors that a row may spoil. */
struct calls {
	struct aif_op_embed embed;
	struct aif_op_layernorm layernorm;
	struct aif_op_gemm gemm;
	struct aif_op_attention attention;
	struct aif_op_pool pool;
	struct aif_tensor vectors[3];
	struct aif_weight *weight;
};

static struct aif_tensor marked(struct rig *r, uint64_t rows, uint64_t cols)
{
	struct aif_tensor t = rig_f32(r, rows, cols);

	for (size_t i = 0; i < rows * cols; i++)
		floats(&t)[i] = UNTOUCHED;
	return t;
}

static void assert_marked(const struct aif_tensor *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(floats(t)[i] == UNTOUCHED);
}

static void prepare(struct rig *r, struct calls *c)
{
	static const int32_t ids[T];
	struct aif_tensor offsets = rig_i32(r, cu, COUNT(cu)), w = rig_f32(r, 3 * H, H);
	struct aif_tensor gamma = rig_vector(r, H), beta = rig_vector(r, H);

	*c = (struct calls){
		.embed = { .ids = rig_i32(r, ids, T), .cu_seqlens = offsets,
			   .words = rig_f32(r, 5, H), .positions = rig_f32(r, 4, H),
			   .types = rig_f32(r, 2, H), .gamma = gamma, .beta = beta, .eps = 1e-5f,
			   .out = marked(r, T, H) },
		.layernorm = { .x = rig_f32(r, T, H), .residual = rig_f32(r, T, H), .gamma = gamma,
			       .beta = beta, .eps = 1e-5f, .out = marked(r, T, H) },
		.gemm = { .x = rig_f32(r, T, H), .bias = rig_vector(r, 3 * H),
			  .residual = rig_f32(r, T, 3 * H), .out = marked(r, T, 3 * H) },
		.attention = { .qkv = rig_f32(r, T, 3 * H), .cu_seqlens = offsets, .heads = 2,
			       .max_seqlen = 4, .scale = 1, .out = marked(r, T, H) },
		.pool = { .x = rig_f32(r, T, H), .cu_seqlens = offsets, .out = c->vectors },
	};
	for (size_t i = 0; i < 3; i++) {
		struct aif_tensor t = marked(r, 1, H);

		c->vectors[i] = aif_tensor1(t.mem, 0, AIF_F32, H);
	}
	c->weight = rig_weight(r, &w);
	c->gemm.w = c->weight;
}

enum op { EMBED, LAYERNORM, GEMM, ATTENTION, POOL };

static int call(struct rig *r, struct calls *c, enum op op)
{
	switch (op) {
	case EMBED:
		return r->be->ops->embed(r->stream, &c->embed);
	case LAYERNORM:
		return r->be->ops->layernorm(r->stream, &c->layernorm);
	case GEMM:
		return r->be->ops->gemm(r->stream, &c->gemm);
	case ATTENTION:
		return r->be->ops->attention(r->stream, &c->attention);
	case POOL:
		return r->be->ops->pool(r->stream, &c->pool);
	}
	return 1;
}

#define ALL_OUTPUTS_MARKED(c)					\
	do {							\
		assert_marked(&(c)->embed.out, T * H);		\
		assert_marked(&(c)->layernorm.out, T * H);	\
		assert_marked(&(c)->gemm.out, T * 3 * H);	\
		assert_marked(&(c)->attention.out, T * H);	\
		for (int v = 0; v < 3; v++)			\
			assert_marked(&(c)->vectors[v], H);	\
	} while (0)

static void test_ops_sound_calls(void **state)
{
	struct rig *r = *state;
	struct calls c;

	if (!r->stream)
		skip();
	prepare(r, &c);
	for (enum op op = EMBED; op <= POOL; op++)
		assert_int_equal(call(r, &c, op), 0);
	r->be->weight_free(c.weight);
}

/* A field of struct calls, one byte or more of it replaced. */
#define SET(op, field, value, err)							\
	{ op, #field " = " #value, offsetof(struct calls, field),			\
	  sizeof(((struct calls *)0)->field), (uint64_t)(value), err }

static const struct spoil {
	enum op op;
	const char *what;
	size_t offset, size;
	uint64_t value;
	int err;
} spoils[] = {
	SET(EMBED, embed.ids.mem, 0, -EINVAL),
	SET(EMBED, embed.ids.dtype, AIF_F32, -EINVAL),
	SET(EMBED, embed.ids.dim[0], T - 1, -EINVAL),
	SET(EMBED, embed.ids.offset, 4, -ERANGE),
	SET(EMBED, embed.ids.offset, 2, -EINVAL),
	SET(EMBED, embed.ids.offset, UINT64_MAX - 3, -ERANGE),
	SET(EMBED, embed.cu_seqlens.dim[0], 3, -EINVAL),
	SET(EMBED, embed.cu_seqlens.dim[0], 0, -EINVAL),
	SET(EMBED, embed.cu_seqlens.dim[0], 5, -ERANGE),
	SET(EMBED, embed.words.dim[0], 0, -EINVAL),
	SET(EMBED, embed.words.dim[0], 6, -ERANGE),
	SET(EMBED, embed.words.dim[1], H + 1, -ERANGE),
	SET(EMBED, embed.words.dim[1], H - 1, -EINVAL),
	SET(EMBED, embed.words.rank, 1, -EINVAL),
	SET(EMBED, embed.positions.dim[0], 0, -EINVAL),
	SET(EMBED, embed.types.dim[0], 0, -EINVAL),
	SET(EMBED, embed.gamma.dim[0], H - 1, -EINVAL),
	SET(EMBED, embed.beta.mem, 0, -EINVAL),
	SET(EMBED, embed.eps, 0, -EINVAL),
	SET(EMBED, embed.out.mem, 0, -EINVAL),
	SET(EMBED, embed.out.dim[0], T + 1, -ERANGE),
	SET(EMBED, embed.out.dim[0], T - 1, -EINVAL),
	SET(EMBED, embed.out.dim[0], 1ull << 62, -ERANGE),
	SET(LAYERNORM, layernorm.x.dim[0], T - 1, -EINVAL),
	SET(LAYERNORM, layernorm.residual.dim[1], H - 1, -EINVAL),
	SET(LAYERNORM, layernorm.x.rank, 3, -EINVAL),
	SET(LAYERNORM, layernorm.x.rank, 0, -EINVAL),
	SET(LAYERNORM, layernorm.out.dtype, AIF_I32, -EINVAL),
	SET(LAYERNORM, layernorm.out.offset, 4, -ERANGE),
	SET(LAYERNORM, layernorm.eps, 0, -EINVAL),
	SET(GEMM, gemm.w, 0, -EINVAL),
	SET(GEMM, gemm.act, 2, -EINVAL),
	SET(GEMM, gemm.x.dim[1], H - 1, -EINVAL),
	SET(GEMM, gemm.x.dim[0], T - 1, -EINVAL),
	SET(GEMM, gemm.x.dim[0], T + 1, -ERANGE),
	SET(GEMM, gemm.bias.dim[0], H, -EINVAL),
	SET(GEMM, gemm.residual.dim[0], T - 1, -EINVAL),
	SET(GEMM, gemm.out.dim[1], 3 * H - 1, -EINVAL),
	SET(ATTENTION, attention.heads, 0, -EINVAL),
	SET(ATTENTION, attention.heads, 3, -EINVAL),
	SET(ATTENTION, attention.max_seqlen, 3, -EINVAL),
	SET(ATTENTION, attention.max_seqlen, 513, -E2BIG),
	SET(ATTENTION, attention.qkv.dim[1], 3 * H - 1, -EINVAL),
	SET(ATTENTION, attention.out.dim[0], T - 1, -EINVAL),
	SET(POOL, pool.x.dim[0], T - 1, -EINVAL),
	SET(POOL, pool.x.dtype, AIF_I32, -EINVAL),
	SET(POOL, vectors[1].dim[0], H - 1, -EINVAL),
	SET(POOL, vectors[2].mem, 0, -EINVAL),
	SET(POOL, vectors[2].offset, 4, -ERANGE),
};

static void test_ops_refuse(void **state)
{
	struct rig *r = *state;

	if (!r->stream)
		skip();
	for (size_t i = 0; i < COUNT(spoils); i++) {
		const struct spoil *s = &spoils[i];
		struct calls c, sound;
		int err;

		prepare(r, &c);
		sound = c;
		memcpy((char *)&c + s->offset, &s->value, s->size);
		err = call(r, &c, s->op);
		if (err != s->err)
			fail_msg("%s: %d instead of %d", s->what, err, s->err);
		ALL_OUTPUTS_MARKED(&sound);
		r->be->weight_free(sound.weight);
		rig_reset(r);
	}
}

static void test_ops_refuse_offsets(void **state)
{
	static const int32_t bad[][4] = {
		{ 1, 2, 2, T }, { 0, 2, 2, T - 1 }, { 0, 2, 2, T + 1 }, { 0, 3, 2, T },
		{ 0, -1, 2, T }, { 0, 2, INT32_MIN, T }, { 0, INT32_MAX, 2, T },
	};
	struct rig *r = *state;
	struct calls c;

	if (!r->stream)
		skip();
	prepare(r, &c);
	for (size_t i = 0; i < COUNT(bad); i++) {
		memcpy(ints(&c.embed.cu_seqlens), bad[i], sizeof(bad[i]));
		assert_int_equal(call(r, &c, EMBED), -EINVAL);
		assert_int_equal(call(r, &c, ATTENTION), -EINVAL);
		assert_int_equal(call(r, &c, POOL), -EINVAL);
	}
	ALL_OUTPUTS_MARKED(&c);
	r->be->weight_free(c.weight);
}

static void test_ops_refuse_overlap(void **state)
{
	struct rig *r = *state;
	struct calls c;

	if (!r->stream)
		skip();
	prepare(r, &c);
	c.layernorm.x = aif_tensor2(rig_f32(r, T + 1, H).mem, 0, AIF_F32, T, H);
	c.layernorm.out = c.layernorm.x;
	c.layernorm.out.offset = H * 4;
	assert_int_equal(call(r, &c, LAYERNORM), -EINVAL);
	c.layernorm.out = c.layernorm.x;
	c.layernorm.gamma = aif_tensor1(c.layernorm.x.mem, 4, AIF_F32, H);
	assert_int_equal(call(r, &c, LAYERNORM), -EINVAL);
	c.gemm.residual = c.gemm.out;
	assert_int_equal(call(r, &c, GEMM), -EINVAL);
	c.attention.out.mem = c.attention.qkv.mem;
	assert_int_equal(call(r, &c, ATTENTION), -EINVAL);
	c.embed.out.mem = c.embed.words.mem;
	c.embed.out.dim[0] = c.embed.ids.dim[0] = 5;
	assert_int_equal(call(r, &c, EMBED), -EINVAL);
	c.vectors[1] = aif_tensor1(c.pool.x.mem, 0, AIF_F32, H);
	assert_int_equal(call(r, &c, POOL), -EINVAL);
	r->be->weight_free(c.weight);
}

/* A weight laid out by one implementation is refused by another. */
static void test_gemm_refuses_foreign_weight(void **state)
{
	struct rig *r = *state;
	const struct aif_backend *ref = aif_backend_find("ref");
	struct aif_weight *foreign;
	struct aif_dev *dev;
	struct calls c;
	float w[3 * H * H] = { 0 };

	if (!r->stream)
		skip();
	prepare(r, &c);
	assert_int_equal(ref->dev_open(NULL, &dev), 0);
	assert_int_equal(ref->weight_create(dev, w, 3 * H, H, &foreign), 0);
	c.gemm.w = foreign;
	assert_int_equal(call(r, &c, GEMM), -EINVAL);
	ref->weight_free(foreign);
	ref->dev_close(dev);
	r->be->weight_free(c.weight);
}

/* No tokens at all is a sound batch. */
static void test_ops_empty(void **state)
{
	static const int32_t none[] = { 0, 0 };
	struct rig *r = *state;
	struct calls c;

	if (!r->stream)
		skip();
	prepare(r, &c);
	c.embed.cu_seqlens = c.attention.cu_seqlens = c.pool.cu_seqlens = rig_i32(r, none, 2);
	c.embed.ids.dim[0] = c.embed.out.dim[0] = 0;
	c.layernorm.x.dim[0] = c.layernorm.residual.dim[0] = c.layernorm.out.dim[0] = 0;
	c.gemm.x.dim[0] = c.gemm.residual.dim[0] = c.gemm.out.dim[0] = 0;
	c.attention.qkv.dim[0] = c.attention.out.dim[0] = c.pool.x.dim[0] = 0;
	for (enum op op = EMBED; op <= POOL; op++)
		assert_int_equal(call(r, &c, op), 0);
	for (size_t j = 0; j < H; j++)
		assert_true(floats(&c.vectors[0])[j] == 0);
	r->be->weight_free(c.weight);
}

static void test_mem_write_read(void **state)
{
	struct rig *r = *state;
	const char text[] = "0123456789";
	char back[sizeof(text)] = "";
	struct aif_mem *mem;

	if (!r->stream)
		skip();
	assert_int_equal(r->be->mem_alloc(r->dev, 32, &mem), 0);
	assert_int_equal((uintptr_t)r->be->mem_host(mem) % 64, 0);
	assert_int_equal(r->be->mem_read(r->stream, mem, 21, back, 11), 0);
	assert_int_equal(back[10], 0);
	assert_int_equal(r->be->mem_write(r->stream, mem, 21, text, 11), 0);
	assert_int_equal(r->be->mem_read(r->stream, mem, 21, back, 11), 0);
	assert_string_equal(back, text);
	assert_int_equal(r->be->mem_write(r->stream, mem, 22, text, 11), -ERANGE);
	assert_int_equal(r->be->mem_read(r->stream, mem, 33, back, 0), -ERANGE);
	assert_int_equal(r->be->mem_read(r->stream, mem, UINT64_MAX, back, 2), -ERANGE);
	assert_int_equal(r->be->mem_write(r->stream, mem, 32, NULL, 0), 0);
	r->be->mem_free(mem);
	assert_int_equal(r->be->mem_alloc(r->dev, 0, &mem), 0);
	r->be->mem_free(mem);
	r->be->mem_free(NULL);
	assert_int_equal(r->be->mem_alloc(r->dev, SIZE_MAX, &mem), -ENOMEM);
	assert_int_equal(r->be->mem_alloc(r->dev, (size_t)PTRDIFF_MAX - 64, &mem), -ENOMEM);
}

static void test_weight_create_refuses(void **state)
{
	struct rig *r = *state;
	struct aif_weight *w;
	float x = 0;

	if (!r->stream)
		skip();
	assert_int_equal(r->be->weight_create(r->dev, &x, 0, 1, &w), -EINVAL);
	assert_int_equal(r->be->weight_create(r->dev, &x, 1, 0, &w), -EINVAL);
	assert_int_equal(r->be->weight_create(r->dev, &x, 1, (1u << 24) + 1, &w), -EINVAL);
	r->be->weight_free(NULL);
	r->be->stream_free(NULL);
}

/* Texts and heads up to what the stream was made for, and no further. */
static void test_stream_limits(void **state)
{
	struct rig *r = *state;
	struct aif_stream_opts opts = { .size = sizeof(opts), .max_seqlen = 4, .max_head_dim = 4 };
	struct aif_stream *other;
	struct calls c;

	if (!r->stream)
		skip();
	r->be->stream_free(r->stream);
	assert_int_equal(r->be->stream_create(r->dev, &opts, &r->stream), 0);
	prepare(r, &c);
	assert_int_equal(call(r, &c, ATTENTION), 0);
	c.attention.max_seqlen = 5;
	assert_int_equal(call(r, &c, ATTENTION), -E2BIG);
	c.attention.max_seqlen = 4;
	c.attention.heads = 1;
	assert_int_equal(call(r, &c, ATTENTION), -E2BIG);
	assert_int_equal(r->be->stream_sync(r->stream), 0);
	opts.max_seqlen = (1u << 20) + 1;
	assert_int_equal(r->be->stream_create(r->dev, &opts, &other), -EINVAL);
	opts.max_seqlen = 4;
	opts.max_head_dim = (1u << 12) + 1;
	assert_int_equal(r->be->stream_create(r->dev, &opts, &other), -EINVAL);
	r->be->weight_free(c.weight);
}

static void test_find(void **state)
{
	const struct aif_backend *be = aif_backend_find("cpu");

	assert_string_equal(be->name, "cpu");
	assert_int_equal(be->version, AIF_BACKEND_VERSION);
	assert_int_equal(be->size, sizeof(*be));
	assert_true(AIF_BACKEND_HAS(be, ops) && AIF_OPS_HAS(be->ops, pool));
	assert_string_equal(aif_backend_find("ref")->name, "ref");
	errno = 0;
	assert_null(aif_backend_find("abacus"));
	assert_int_equal(errno, ENODEV);
}

static int open_cpu(const void *opts, char *description)
{
	const struct aif_backend *be = aif_backend_find("cpu");
	struct aif_dev *dev;
	int err = be->dev_open(opts, &dev);

	if (err)
		return err;
	strcpy(description, be->dev_describe(dev));
	be->dev_close(dev);
	return 0;
}

static void test_dev_open_options(void **state)
{
	struct { struct aif_dev_opts opts; char future[8]; } o = { .opts = { .size = sizeof(o) } };
	char got[64];

	assert_int_equal(open_cpu(NULL, got), 0);
	assert_int_equal(open_cpu(&o, got), 0);
	o.opts.threads = 1;
	o.opts.isa = "portable";
	assert_int_equal(open_cpu(&o, got), 0);
	assert_string_equal(got, "portable, 1 thread");
	o.future[7] = 1;
	assert_int_equal(open_cpu(&o, got), -EINVAL);
	o.opts.size = sizeof(o.opts);
	assert_int_equal(open_cpu(&o, got), 0);
	o.opts.isa = "mmx";
	assert_int_equal(open_cpu(&o, got), -EINVAL);
	o.opts.size = offsetof(struct aif_dev_opts, isa);
	assert_int_equal(open_cpu(&o, got), 0);
	o.opts.index = 1;
	assert_int_equal(open_cpu(&o, got), -ENODEV);
	o.opts.size = 0;
	assert_int_equal(open_cpu(&o, got), -EINVAL);
}

static void test_dev_open_environment(void **state)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .threads = 1 };
	char got[64];

	setenv("AIF_CPU_ISA", "portable", 1);
	assert_int_equal(open_cpu(&opts, got), 0);
	assert_string_equal(got, "portable, 1 thread");
	setenv("AIF_CPU_ISA", "mmx", 1);
	assert_int_equal(open_cpu(&opts, got), -EINVAL);
	opts.isa = "portable";
	assert_int_equal(open_cpu(&opts, got), 0);
	unsetenv("AIF_CPU_ISA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOR_ALL(test_ops_sound_calls),
		FOR_ALL(test_ops_refuse),
		FOR_ALL(test_ops_refuse_offsets),
		FOR_ALL(test_ops_refuse_overlap),
		FOR_FAST(test_gemm_refuses_foreign_weight),
		FOR_ALL(test_ops_empty),
		FOR_ALL(test_mem_write_read),
		FOR_ALL(test_weight_create_refuses),
		FOR_ALL(test_stream_limits),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_dev_open_options),
		cmocka_unit_test(test_dev_open_environment),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
