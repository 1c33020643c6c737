// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/bert_weights.h"

#define NAME_MAX_BYTES 128
#define SHAPE_BYTES 200

/* The first error stays; after it, lookups do nothing. */
struct finder {
	const struct aif_safetensors *st;
	struct aif_why *why;
	int err;
};

/* A shape as people write it: "[30522, 384]". */
static const char *shape_text(char *text, size_t size, const uint64_t *dim, uint32_t rank)
{
	size_t n = snprintf(text, size, "[");

	for (uint32_t i = 0; i < rank && n < size; i++)
		n += snprintf(text + n, size - n, "%s%" PRIu64, i ? ", " : "", dim[i]);
	if (n < size)
		snprintf(text + n, size - n, "]");
	return text;
}

static int refuse_shape(const struct aif_st_tensor *t, const uint64_t *want, uint32_t rank,
			struct aif_why *why)
{
	char found[SHAPE_BYTES], wanted[SHAPE_BYTES];

	return aif_why_set(why, -EBADMSG, "tensor '%s' is %s, the configuration says %s", t->name,
			   shape_text(found, sizeof(found), t->dim, t->rank),
			   shape_text(wanted, sizeof(wanted), want, rank));
}

static int check_tensor(const struct aif_st_tensor *t, const char *name, uint64_t rows,
			uint64_t cols, struct aif_why *why)
{
	const uint64_t want[] = { rows, cols };
	uint32_t rank = cols ? 2 : 1;

	if (!t)
		return aif_why_set(why, -EBADMSG, "there is no tensor '%s'", name);
	if (strcmp(t->dtype, "F32"))
		return aif_why_set(why, -EOPNOTSUPP, "tensor '%s' is %s, supported is F32", name,
				   t->dtype);
	if (t->rank != rank || memcmp(t->dim, want, rank * sizeof(want[0])))
		return refuse_shape(t, want, rank, why);
	if (t->offset % sizeof(float))
		return aif_why_set(why, -EOPNOTSUPP,
				   "tensor '%s' begins at byte %" PRIu64
				   ", supported are multiples of 4", name, t->offset);
	return 0;
}

/* @prefix.@suffix; @cols 0 for a vector. */
static uint64_t find(struct finder *f, const char *prefix, const char *suffix, uint64_t rows,
		     uint64_t cols)
{
	const struct aif_st_tensor *t;
	char name[NAME_MAX_BYTES];

	if (f->err)
		return 0;
	snprintf(name, sizeof(name), "%s.%s", prefix, suffix);
	t = aif_safetensors_find(f->st, name);
	f->err = check_tensor(t, name, rows, cols, f->why);
	return f->err ? 0 : t->offset;
}

static struct aif_bert_linear find_linear(struct finder *f, int layer, const char *what,
					  uint64_t outputs, uint64_t inputs)
{
	struct aif_bert_linear linear;
	char prefix[NAME_MAX_BYTES / 2];

	snprintf(prefix, sizeof(prefix), "encoder.layer.%d.%s", layer, what);
	linear.weight = find(f, prefix, "weight", outputs, inputs);
	linear.bias = find(f, prefix, "bias", outputs, 0);
	return linear;
}

static struct aif_bert_norm find_norm(struct finder *f, const char *prefix, uint64_t hidden)
{
	struct aif_bert_norm norm;

	norm.gamma = find(f, prefix, "weight", hidden, 0);
	norm.beta = find(f, prefix, "bias", hidden, 0);
	return norm;
}

static struct aif_bert_norm find_layer_norm(struct finder *f, int layer, const char *what,
					    uint64_t hidden)
{
	char prefix[NAME_MAX_BYTES / 2];

	snprintf(prefix, sizeof(prefix), "encoder.layer.%d.%s", layer, what);
	return find_norm(f, prefix, hidden);
}

static void find_layer(struct finder *f, int i, uint64_t h, uint64_t inner,
		       struct aif_bert_layer *l)
{
	l->query = find_linear(f, i, "attention.self.query", h, h);
	l->key = find_linear(f, i, "attention.self.key", h, h);
	l->value = find_linear(f, i, "attention.self.value", h, h);
	l->mix = find_linear(f, i, "attention.output.dense", h, h);
	l->mix_norm = find_layer_norm(f, i, "attention.output.LayerNorm", h);
	l->up = find_linear(f, i, "intermediate.dense", inner, h);
	l->down = find_linear(f, i, "output.dense", h, inner);
	l->down_norm = find_layer_norm(f, i, "output.LayerNorm", h);
}

int aif_bert_weights_find(const struct aif_safetensors *st, const struct aif_bert_config *c,
			  struct aif_bert_weights **weights, struct aif_why *why)
{
	struct finder f = { .st = st, .why = why };
	struct aif_bert_weights *w;

	w = malloc(sizeof(*w) + c->layers * sizeof(w->layer[0]));
	if (!w)
		return aif_why_set(why, -ENOMEM, "no memory for %u layers", c->layers);
	w->words = find(&f, "embeddings", "word_embeddings.weight", c->vocab, c->hidden);
	w->positions = find(&f, "embeddings", "position_embeddings.weight", c->positions,
			    c->hidden);
	w->types = find(&f, "embeddings", "token_type_embeddings.weight", c->types, c->hidden);
	w->norm = find_norm(&f, "embeddings.LayerNorm", c->hidden);
	for (uint32_t i = 0; i < c->layers; i++)
		find_layer(&f, i, c->hidden, c->intermediate, &w->layer[i]);
	if (f.err)
		free(w);
	else
		*weights = w;
	return f.err;
}
