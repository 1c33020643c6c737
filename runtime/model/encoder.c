// SPDX-License-Identifier: MIT
/*
 * The graph of a BERT sentence encoder over aif_ops.h, and the passes of a step
 * through it.
 *
 * A pass is as many texts as fit into pass_tokens and pass_texts.  Their tokens
 * lie one behind the other, nothing is padded.  Three activations of [T, H] and one
 * of [T, max(3 H, I)] are all a pass needs:
 *
 *	x = embed(ids)		in place, if clients have put ids where the device reads them
 *	for each layer:
 *		wide = x . Wqkv		y = attention(wide)
 *		z = y . Wmix + x	x = norm(z)
 *		wide = gelu(x . Wup)	z = wide . Wdown + x	x = norm(z)
 *	out[i] = normalise(mean(x of text i))
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/model/model.h"
#include "runtime/model/why.h"

#define PASS_TOKENS 512	/* of 256 to 4096 the fastest on two cores: activations stay in cache */
#define PASS_TEXTS 256
#define TEXT_BYTES 65536
#define PASS_TOKENS_MAX (1u << 20)
#define PASS_TEXTS_MAX (1u << 16)
#define TEXT_BYTES_MAX (1u << 30)
#define WEIGHTS_PER_LAYER 4
#define TABLE_ALIGNMENT 64

struct layer {
	struct aif_weight *qkv, *mix, *up, *down;
};

/* A text of the current pass. */
struct place {
	struct aif_encoder_text *text;
	struct aif_encoder_counts counts;
};

struct aif_encoder {
	const struct aif_model *model;
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_stream *stream;
	uint32_t pass_tokens, pass_texts, max_text_bytes;
	uint32_t activation;		/* enum aif_tensor_dtype */

	struct aif_mem *file;		/* the model's mapped weights, or a copy on the device */
	uint32_t skew;			/* bytes of the file before @file */
	struct aif_mem *qkv_bias;	/* f32 [layers, 3 H] */
	struct aif_mem *x, *y, *z, *wide;
	struct aif_mem *input_mem;	/* i32 of the pass: its offsets, then its ids */
	struct aif_mem *out_mem;	/* f32 [pass_texts, H]: for texts without @mem */

	/* Host side of the current pass; @ids has room for one text too many. */
	int32_t *ids, *cu, *input;
	struct place *place;
	struct aif_tensor *out, *each;
	char *text;			/* private copy of the text being read */
	uint32_t texts, tokens, longest;
	uint32_t in_place;		/* of the tokens: their ids are read where clients have them */
	uint64_t device_ns;		/* of the step so far */
	bool timed;			/* each of its passes said */

	struct layer layer[];
};

static const struct aif_bert_config *config_of(const struct aif_encoder *e)
{
	return &e->model->config;
}

static struct aif_tensor file_vector(const struct aif_encoder *e, uint64_t offset, uint64_t n)
{
	return aif_tensor1(e->file, offset - e->skew, AIF_F32, n);
}

static struct aif_tensor file_matrix(const struct aif_encoder *e, uint64_t offset, uint64_t rows)
{
	return aif_tensor2(e->file, offset - e->skew, AIF_F32, rows, config_of(e)->hidden);
}

/* An activation of the current pass. */
static struct aif_tensor rows_of(const struct aif_encoder *e, struct aif_mem *mem, uint64_t cols)
{
	return aif_tensor2(mem, 0, e->activation, e->tokens, cols);
}

static struct aif_tensor hidden_of(const struct aif_encoder *e, struct aif_mem *mem)
{
	return rows_of(e, mem, config_of(e)->hidden);
}

static struct aif_tensor seqlens_of(const struct aif_encoder *e)
{
	return aif_tensor1(e->input_mem, 0, AIF_I32, e->texts + 1);
}

/* Of the pass, from this token on. */
static struct aif_tensor own_ids(const struct aif_encoder *e, uint32_t first, uint64_t count)
{
	return aif_tensor1(e->input_mem, (e->texts + 1 + first) * sizeof(*e->ids), AIF_I32, count);
}

/* Where the ids of text @i are: where its client has them, or with those of the pass. */
static struct aif_tensor ids_of(const struct aif_encoder *e, uint32_t i)
{
	const struct aif_encoder_text *t = e->place[i].text;
	uint64_t count = e->cu[i + 1] - e->cu[i];

	if (t->ids_mem)
		return aif_tensor1(t->ids_mem, t->ids_offset, AIF_I32, count);
	return own_ids(e, e->cu[i], count);
}

static int run_embed_each(struct aif_encoder *e, const struct aif_op_embed *op)
{
	for (uint32_t i = 0; i < e->texts; i++)
		e->each[i] = ids_of(e, i);
	return e->be->ops->embed_each(e->stream, &(struct aif_op_embed_each) {
		.embed = *op, .ids = e->each,
	});
}

static int run_embed(struct aif_encoder *e)
{
	const struct aif_bert_config *c = config_of(e);
	const struct aif_bert_weights *w = e->model->weights;
	const struct aif_op_embed op = {
		.ids = own_ids(e, 0, e->tokens),
		.cu_seqlens = seqlens_of(e),
		.words = file_matrix(e, w->words, c->vocab),
		.positions = file_matrix(e, w->positions, c->positions),
		.types = file_matrix(e, w->types, c->types),
		.gamma = file_vector(e, w->norm.gamma, c->hidden),
		.beta = file_vector(e, w->norm.beta, c->hidden),
		.eps = c->eps,
		.out = hidden_of(e, e->x),
	};

	return e->in_place ? run_embed_each(e, &op) : e->be->ops->embed(e->stream, &op);
}

static int run_norm(struct aif_encoder *e, const struct aif_bert_norm *norm)
{
	const struct aif_bert_config *c = config_of(e);

	return e->be->ops->layernorm(e->stream, &(struct aif_op_layernorm) {
		.x = hidden_of(e, e->z),
		.gamma = file_vector(e, norm->gamma, c->hidden),
		.beta = file_vector(e, norm->beta, c->hidden),
		.eps = c->eps,
		.out = hidden_of(e, e->x),
	});
}

static int run_attention(struct aif_encoder *e, uint32_t i)
{
	const struct aif_bert_config *c = config_of(e);
	uint64_t wide = 3 * (uint64_t)c->hidden;
	int ret;

	ret = e->be->ops->gemm(e->stream, &(struct aif_op_gemm) {
		.x = hidden_of(e, e->x),
		.w = e->layer[i].qkv,
		.bias = aif_tensor1(e->qkv_bias, i * wide * sizeof(float), AIF_F32, wide),
		.out = rows_of(e, e->wide, wide),
	});
	return ret ? ret : e->be->ops->attention(e->stream, &(struct aif_op_attention) {
		.qkv = rows_of(e, e->wide, wide),
		.cu_seqlens = seqlens_of(e),
		.heads = c->heads,
		.max_seqlen = e->longest,
		.scale = 1 / sqrtf(c->hidden / c->heads),
		.out = hidden_of(e, e->y),
	});
}

/* z = in . w + bias + x */
static int run_output(struct aif_encoder *e, struct aif_tensor in, const struct aif_weight *w,
		      uint64_t bias)
{
	return e->be->ops->gemm(e->stream, &(struct aif_op_gemm) {
		.x = in,
		.w = w,
		.bias = file_vector(e, bias, config_of(e)->hidden),
		.residual = hidden_of(e, e->x),
		.out = hidden_of(e, e->z),
	});
}

static int run_up(struct aif_encoder *e, const struct aif_weight *w, uint64_t bias)
{
	const struct aif_bert_config *c = config_of(e);

	return e->be->ops->gemm(e->stream, &(struct aif_op_gemm) {
		.x = hidden_of(e, e->x),
		.w = w,
		.bias = file_vector(e, bias, c->intermediate),
		.act = AIF_ACT_GELU,
		.out = rows_of(e, e->wide, c->intermediate),
	});
}

static int run_layer(struct aif_encoder *e, uint32_t i)
{
	const struct aif_bert_layer *w = &e->model->weights->layer[i];
	const struct layer *l = &e->layer[i];
	int ret = run_attention(e, i);

	if (!ret)
		ret = run_output(e, hidden_of(e, e->y), l->mix, w->mix.bias);
	if (!ret)
		ret = run_norm(e, &w->mix_norm);
	if (!ret)
		ret = run_up(e, l->up, w->up.bias);
	if (!ret)
		ret = run_output(e, rows_of(e, e->wide, config_of(e)->intermediate), l->down,
				 w->down.bias);
	if (!ret)
		ret = run_norm(e, &w->down_norm);
	return ret;
}

static int run_pool(struct aif_encoder *e)
{
	uint64_t hidden = config_of(e)->hidden;

	for (uint32_t i = 0; i < e->texts; i++) {
		const struct aif_encoder_text *t = e->place[i].text;

		e->out[i] = t->mem ? aif_tensor1(t->mem, t->offset, AIF_F32, hidden) :
			    aif_tensor1(e->out_mem, i * hidden * sizeof(float), AIF_F32, hidden);
	}
	return e->be->ops->pool(e->stream, &(struct aif_op_pool) {
		.x = hidden_of(e, e->x),
		.cu_seqlens = seqlens_of(e),
		.out = e->out,
	});
}

static int run_graph(struct aif_encoder *e)
{
	int ret = run_embed(e);

	for (uint32_t i = 0; i < config_of(e)->layers && !ret; i++)
		ret = run_layer(e, i);
	return ret ? ret : run_pool(e);
}

/* Embeddings of texts that did not name device memory. */
static int read_embeddings(struct aif_encoder *e)
{
	size_t bytes = config_of(e)->hidden * sizeof(float);
	int ret = 0;

	for (uint32_t i = 0; i < e->texts && !ret; i++) {
		const struct aif_encoder_text *t = e->place[i].text;

		if (!t->mem)
			ret = e->be->mem_read(e->stream, e->out_mem, i * bytes, t->out, bytes);
	}
	return ret;
}

static void add_time(struct aif_encoder *e)
{
	uint64_t ns = AIF_BACKEND_HAS(e->be, stream_device_ns) ?
		      e->be->stream_device_ns(e->stream) : 0;

	e->device_ns += ns;
	e->timed = e->timed && ns;
}

static int begin_step(struct aif_encoder *e)
{
	const struct aif_step shape = { e->tokens, e->texts, e->longest };

	return AIF_BACKEND_HAS(e->be, step_begin) ? e->be->step_begin(e->stream, &shape) : 0;
}

/* Offsets, and ids unless all are read where clients have them, by one copy. */
static int write_input(struct aif_encoder *e)
{
	uint32_t offsets = e->texts + 1, ids = e->in_place < e->tokens ? e->tokens : 0;

	memcpy(e->input, e->cu, offsets * sizeof(*e->cu));
	memcpy(e->input + offsets, e->ids, ids * sizeof(*e->ids));
	return e->be->mem_write(e->stream, e->input_mem, 0, e->input,
				(offsets + ids) * sizeof(*e->input));
}

static int run_device(struct aif_encoder *e)
{
	int ret = begin_step(e), done;

	if (!ret)
		ret = write_input(e);
	if (!ret)
		ret = run_graph(e);
	if (!ret)
		ret = read_embeddings(e);
	/* Also after an error: what was enqueued still uses our memory. */
	done = e->be->stream_sync(e->stream);
	add_time(e);
	return ret ? ret : done;
}

/* Run what was gathered and answer it; the next pass begins empty. */
static int run_pass(struct aif_encoder *e)
{
	int ret = e->texts ? run_device(e) : 0;

	for (uint32_t i = 0; i < e->texts; i++) {
		struct place *p = &e->place[i];

		p->text->status = ret;
		if (!ret && p->text->counts)
			*p->text->counts = p->counts;
	}
	e->texts = e->tokens = e->longest = 0;
	e->in_place = 0;
	return ret;
}

/*
 * The text's ids, put behind those of the pass whether the pass has room or not;
 * their number, or an error that is the text's own.
 */
static int read_text(struct aif_encoder *e, const struct aif_encoder_text *t, bool *truncated)
{
	if (t->bytes > e->max_text_bytes)
		return -E2BIG;
	if (t->bytes)
		memcpy(e->text, t->text, t->bytes);
	return aif_wordpiece_encode(e->model->wp, e->text, t->bytes, e->ids + e->tokens,
				    config_of(e)->max_tokens, truncated);
}

/* The same of ids; where they are read in place, those of the pass are of no interest. */
static int read_ids(struct aif_encoder *e, const struct aif_encoder_text *t)
{
	if (t->id_count > config_of(e)->max_tokens)
		return -E2BIG;
	if (t->ids_mem && !AIF_OPS_HAS(e->be->ops, embed_each))
		return -EOPNOTSUPP;
	if (!t->id_count)
		return -EINVAL;
	if (!t->ids_mem)
		memcpy(e->ids + e->tokens, t->ids, t->id_count * sizeof(*e->ids));
	return (int)t->id_count;
}

static int read_input(struct aif_encoder *e, const struct aif_encoder_text *t, bool *truncated)
{
	*truncated = false;
	if (!t->mem && !t->out)
		return -EINVAL;
	return t->ids_mem || t->ids ? read_ids(e, t) : read_text(e, t, truncated);
}

/* The pass has room for @count more tokens, which stand behind those it has. */
static void join_pass(struct aif_encoder *e, struct aif_encoder_text *t, uint32_t count,
		      bool truncated)
{
	struct place *p = &e->place[e->texts++];

	p->text = t;
	p->counts.tokens = count;
	p->counts.truncated = truncated;
	e->in_place += t->ids_mem ? count : 0;
	e->tokens += count;
	e->cu[e->texts] = e->tokens;
	if (count > e->longest)
		e->longest = count;
}

static int add_text(struct aif_encoder *e, struct aif_encoder_text *t)
{
	bool truncated;
	int count, ret = 0;

	count = read_input(e, t, &truncated);
	if (count < 0) {
		t->status = count;
		return 0;
	}
	if (e->texts == e->pass_texts || e->tokens + count > e->pass_tokens) {
		const int32_t *behind = e->ids + e->tokens;

		ret = run_pass(e);
		memmove(e->ids, behind, count * sizeof(*behind));
	}
	if (!ret)
		join_pass(e, t, count, truncated);
	return ret;
}

int aif_encoder_encode(struct aif_encoder *e, struct aif_encoder_text *texts, size_t n)
{
	int ret = 0;

	e->device_ns = 0;
	e->timed = true;
	for (size_t i = 0; i < n; i++)
		texts[i].status = -ECANCELED;
	for (size_t i = 0; i < n && !ret; i++)
		ret = add_text(e, &texts[i]);
	return ret ? ret : run_pass(e);
}

uint64_t aif_encoder_device_ns(const struct aif_encoder *e)
{
	return e->timed ? e->device_ns : 0;
}

static void report(const struct aif_encoder_opts *opts, uint64_t done, uint64_t total)
{
	if (opts->progress)
		opts->progress(opts->progress_ctx, "weights", done, total);
}

static const float *file_floats(const struct aif_encoder *e, uint64_t offset)
{
	size_t len;
	const char *data = aif_safetensors_data(e->model->st, &len);

	return (const float *)(data + offset);
}

/* Query, key and value become one matrix of [3 H, H], and one bias. */
static int load_qkv(struct aif_encoder *e, uint32_t i, float *joined)
{
	const struct aif_bert_layer *w = &e->model->weights->layer[i];
	const struct aif_bert_linear *part[] = { &w->query, &w->key, &w->value };
	size_t h = config_of(e)->hidden;
	int ret = 0;

	for (int p = 0; p < 3; p++)
		memcpy(joined + p * h * h, file_floats(e, part[p]->weight), h * h * sizeof(float));
	ret = e->be->weight_create(e->dev, joined, 3 * h, h, &e->layer[i].qkv);
	for (int p = 0; p < 3 && !ret; p++)
		ret = e->be->mem_write(e->stream, e->qkv_bias, (3 * i + p) * h * sizeof(float),
				       file_floats(e, part[p]->bias), h * sizeof(float));
	return ret;
}

static int load_linear(struct aif_encoder *e, const struct aif_bert_linear *linear,
		       uint32_t outputs, uint32_t inputs, struct aif_weight **w)
{
	return e->be->weight_create(e->dev, file_floats(e, linear->weight), outputs, inputs, w);
}

static int load_layer(struct aif_encoder *e, uint32_t i, float *joined)
{
	const struct aif_bert_layer *w = &e->model->weights->layer[i];
	const struct aif_bert_config *c = config_of(e);
	struct layer *l = &e->layer[i];
	int ret = load_qkv(e, i, joined);

	if (!ret)
		ret = load_linear(e, &w->mix, c->hidden, c->hidden, &l->mix);
	if (!ret)
		ret = load_linear(e, &w->up, c->intermediate, c->hidden, &l->up);
	if (!ret)
		ret = load_linear(e, &w->down, c->hidden, c->intermediate, &l->down);
	return ret;
}

static int load_layers(struct aif_encoder *e, const struct aif_encoder_opts *opts)
{
	const struct aif_bert_config *c = config_of(e);
	uint64_t total = (uint64_t)WEIGHTS_PER_LAYER * c->layers;
	float *joined;
	int ret = 0;

	joined = malloc(3 * sizeof(float) * c->hidden * c->hidden);
	if (!joined)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->layers && !ret; i++) {
		report(opts, (uint64_t)WEIGHTS_PER_LAYER * i, total);
		ret = load_layer(e, i, joined);
	}
	if (!ret)
		ret = e->be->stream_sync(e->stream);
	free(joined);
	if (!ret)
		report(opts, total, total);
	return ret;
}

static size_t input_count(const struct aif_encoder *e)
{
	return (size_t)e->pass_texts + 1 + e->pass_tokens;
}

static int alloc_device(struct aif_encoder *e)
{
	const struct aif_bert_config *c = config_of(e);
	size_t qkv = 3 * (size_t)c->hidden, element = aif_dtype_bytes(e->activation);
	size_t wide = (qkv > c->intermediate ? qkv : c->intermediate) * element;
	size_t row = c->hidden * element;
	const struct {
		struct aif_mem **mem;
		size_t bytes;
	} all[] = {
		{ &e->qkv_bias, c->layers * qkv * sizeof(float) },
		{ &e->x, e->pass_tokens * row },
		{ &e->y, e->pass_tokens * row },
		{ &e->z, e->pass_tokens * row },
		{ &e->wide, e->pass_tokens * wide },
		{ &e->input_mem, input_count(e) * sizeof(*e->input) },
		{ &e->out_mem, e->pass_texts * c->hidden * sizeof(float) },
	};
	int ret = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !ret; i++)
		ret = e->be->mem_alloc(e->dev, all[i].bytes, all[i].mem);
	return ret;
}

static int alloc_host(struct aif_encoder *e)
{
	e->ids = calloc(e->pass_tokens + config_of(e)->max_tokens, sizeof(*e->ids));
	e->cu = calloc(e->pass_texts + 1, sizeof(*e->cu));
	e->input = calloc(input_count(e), sizeof(*e->input));
	e->place = calloc(e->pass_texts, sizeof(*e->place));
	e->out = calloc(e->pass_texts, sizeof(*e->out));
	e->each = calloc(e->pass_texts, sizeof(*e->each));
	e->text = malloc(e->max_text_bytes);
	return e->ids && e->cu && e->input && e->place && e->out && e->each && e->text ?
	       0 : -ENOMEM;
}

static int open_stream(struct aif_encoder *e)
{
	const struct aif_bert_config *c = config_of(e);
	struct aif_stream_opts opts = {
		.size = sizeof(opts),
		.max_seqlen = c->max_tokens,
		.max_head_dim = c->hidden / c->heads,
	};

	return e->be->stream_create(e->dev, &opts, &e->stream);
}

/*
 * A backend takes writable memory only, but no operator writes a weight.  A copy begins so
 * that the tables in it are aligned as devices like it: in a file they rarely are.
 */
static int wrap_file(struct aif_encoder *e)
{
	size_t len;
	const char *data = aif_safetensors_data(e->model->st, &len);

	if (!AIF_BACKEND_HAS(e->be, mem_constant))
		return e->be->mem_wrap(e->dev, (void *)data, len, &e->file);
	e->skew = e->model->weights->words % TABLE_ALIGNMENT;
	return e->be->mem_constant(e->dev, data + e->skew, len - e->skew, &e->file);
}

static const char *reason(const struct aif_encoder *e, int err)
{
	bool said = (err == -EDOM || err == -EIO) && AIF_BACKEND_HAS(e->be, dev_why);

	return said ? e->be->dev_why() : strerror(-err);
}

static int set_up(struct aif_encoder *e, const struct aif_encoder_opts *opts, struct aif_why *why)
{
	const char *what = "open a stream";
	int ret = open_stream(e);

	if (!ret) {
		what = "allocate memory for a pass; a smaller pass_tokens needs less";
		ret = alloc_device(e);
	}
	if (!ret)
		ret = alloc_host(e);
	if (!ret) {
		what = "use the mapped weights";
		ret = wrap_file(e);
	}
	if (!ret) {
		what = "load the weights";
		ret = load_layers(e, opts);
	}
	if (!ret && AIF_BACKEND_HAS(e->be, dev_loaded))
		e->be->dev_loaded(e->dev);
	return ret ? aif_why_set(why, ret, "backend %s cannot %s: %s", e->be->name, what,
				 reason(e, ret)) : 0;
}

static bool has_operators(const struct aif_ops *ops)
{
	return AIF_OPS_HAS(ops, embed) && AIF_OPS_HAS(ops, layernorm) && AIF_OPS_HAS(ops, gemm) &&
	       AIF_OPS_HAS(ops, attention) && AIF_OPS_HAS(ops, pool);
}

static int set_option(uint32_t *option, uint32_t fallback, uint32_t min, uint32_t max,
		      const char *name, struct aif_why *why)
{
	if (!*option)
		*option = fallback > min ? fallback : min;
	if (*option < min || *option > max)
		return aif_why_set(why, -EINVAL, "%s is %u, allowed are %u to %u", name, *option,
				   min, max);
	return 0;
}

static int read_opts(const struct aif_encoder_opts *from, uint32_t max_tokens,
		     struct aif_encoder_opts *opts, struct aif_why *why)
{
	int ret;

	memset(opts, 0, sizeof(*opts));
	if (from && (from->size < sizeof(uint32_t) || from->size > sizeof(*opts)))
		return aif_why_set(why, -EINVAL, "options of %u bytes, known are %zu", from->size,
				   sizeof(*opts));
	if (from)
		memcpy(opts, from, from->size);
	ret = set_option(&opts->pass_tokens, PASS_TOKENS, max_tokens, PASS_TOKENS_MAX,
			 "pass_tokens", why);
	if (!ret)
		ret = set_option(&opts->pass_texts, PASS_TEXTS, 1, PASS_TEXTS_MAX, "pass_texts",
				 why);
	if (!ret)
		ret = set_option(&opts->max_text_bytes, TEXT_BYTES, 1, TEXT_BYTES_MAX,
				 "max_text_bytes", why);
	return ret;
}

int aif_encoder_create(const struct aif_model *model, const struct aif_backend *be,
		       struct aif_dev *dev, const struct aif_encoder_opts *from,
		       struct aif_encoder **enc, struct aif_why *why)
{
	struct aif_encoder_opts opts;
	struct aif_encoder *e;
	int ret;

	if (be->version != AIF_BACKEND_VERSION || !has_operators(be->ops))
		return aif_why_set(why, -EOPNOTSUPP,
				   "backend %s has version %u (needed is %u) or lacks an operator",
				   be->name, be->version, AIF_BACKEND_VERSION);
	ret = read_opts(from, model->config.max_tokens, &opts, why);
	if (ret)
		return ret;
	e = calloc(1, sizeof(*e) + model->config.layers * sizeof(e->layer[0]));
	if (!e)
		return aif_why_set(why, -ENOMEM, "no memory for an encoder");
	e->model = model;
	e->be = be;
	e->dev = dev;
	e->activation = AIF_BACKEND_HAS(be, dev_activation) ? be->dev_activation(dev) : AIF_F32;
	e->pass_tokens = opts.pass_tokens;
	e->pass_texts = opts.pass_texts;
	e->max_text_bytes = opts.max_text_bytes;
	ret = set_up(e, &opts, why);
	if (ret)
		aif_encoder_free(e);
	else
		*enc = e;
	return ret;
}

static void free_device(struct aif_encoder *e)
{
	struct aif_mem *mem[] = { e->file, e->qkv_bias, e->x, e->y, e->z, e->wide, e->input_mem,
				  e->out_mem };

	for (uint32_t i = 0; i < config_of(e)->layers; i++) {
		e->be->weight_free(e->layer[i].qkv);
		e->be->weight_free(e->layer[i].mix);
		e->be->weight_free(e->layer[i].up);
		e->be->weight_free(e->layer[i].down);
	}
	for (size_t i = 0; i < sizeof(mem) / sizeof(mem[0]); i++)
		e->be->mem_free(mem[i]);
	e->be->stream_free(e->stream);
}

void aif_encoder_free(struct aif_encoder *e)
{
	if (!e)
		return;
	free_device(e);
	free(e->ids);
	free(e->cu);
	free(e->input);
	free(e->place);
	free(e->out);
	free(e->each);
	free(e->text);
	free(e);
}
