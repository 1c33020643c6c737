// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/bert_config.h"
#include "runtime/model/file.h"

enum { NEEDED, OPTIONAL };

/* A member that must have the value @want, as JSON; NULL ends a table. */
struct rule {
	const char *key;
	const char *want;
	int optional;
};

/* A whole number between 1 and @max. */
struct number {
	const char *key;
	size_t offset;
	uint32_t max;
};

#define NUMBER(key, member, max) { key, offsetof(struct aif_bert_config, member), max }

static const struct rule model_rules[] = {
	{ "model_type", "\"bert\"", NEEDED },
	{ "hidden_act", "\"gelu\"", NEEDED },
	{ "position_embedding_type", "\"absolute\"", OPTIONAL },
	{}
};

static const struct number model_numbers[] = {
	NUMBER("hidden_size", hidden, 1 << 14),
	NUMBER("num_hidden_layers", layers, 1 << 8),
	NUMBER("num_attention_heads", heads, 1 << 8),
	NUMBER("intermediate_size", intermediate, 1 << 16),
	NUMBER("vocab_size", vocab, 1 << 24),
	NUMBER("max_position_embeddings", positions, 1 << 16),
	NUMBER("type_vocab_size", types, 1 << 8),
	{}
};

static const struct rule tokenizer_rules[] = {
	{ "tokenizer_class", "\"BertTokenizer\"", NEEDED },
	{ "do_lower_case", "true", NEEDED },
	{ "strip_accents", "null", OPTIONAL },
	{ "tokenize_chinese_chars", "true", OPTIONAL },
	{ "unk_token", "\"[UNK]\"", OPTIONAL },
	{ "cls_token", "\"[CLS]\"", OPTIONAL },
	{ "sep_token", "\"[SEP]\"", OPTIONAL },
	{ "pad_token", "\"[PAD]\"", OPTIONAL },
	{ "mask_token", "\"[MASK]\"", OPTIONAL },
	{}
};

static const struct rule sentence_rules[] = {
	{ "do_lower_case", "false", OPTIONAL },
	{}
};

static const struct number sentence_numbers[] = {
	NUMBER("max_seq_length", max_tokens, 1 << 16),
	{}
};

static const struct rule pooling_rules[] = {
	{ "pooling_mode_mean_tokens", "true", NEEDED },
	{ "pooling_mode_cls_token", "false", OPTIONAL },
	{ "pooling_mode_max_tokens", "false", OPTIONAL },
	{ "pooling_mode_mean_sqrt_len_tokens", "false", OPTIONAL },
	{ "pooling_mode_weightedmean_tokens", "false", OPTIONAL },
	{ "pooling_mode_lasttoken", "false", OPTIONAL },
	{}
};

static int refuse_value(const struct rule *r, const json_t *found, struct aif_why *why)
{
	char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	aif_why_format(why, "\"%s\" is %.200s, supported is %s", r->key, text ? text : "missing",
		       r->want);
	free(text);
	return -EOPNOTSUPP;
}

static int check_rules(const json_t *json, const struct rule *r, struct aif_why *why)
{
	for (; r->key; r++) {
		const json_t *found = json_object_get(json, r->key);
		json_t *want;
		bool equal;

		if (!found && r->optional)
			continue;
		want = json_loads(r->want, JSON_DECODE_ANY, NULL);
		if (!want)
			return aif_why_set(why, -ENOMEM, "no memory to check \"%s\"", r->key);
		equal = json_equal(found, want);
		json_decref(want);
		if (!equal)
			return refuse_value(r, found, why);
	}
	return 0;
}

static int read_numbers(const json_t *json, const struct number *n, struct aif_bert_config *config,
			struct aif_why *why)
{
	for (; n->key; n++) {
		const json_t *found = json_object_get(json, n->key);
		json_int_t value = json_integer_value(found);

		if (!json_is_integer(found) || value < 1 || value > n->max)
			return aif_why_set(why, -EBADMSG,
					   "\"%s\" must be a whole number from 1 to %u", n->key,
					   n->max);
		*(uint32_t *)((char *)config + n->offset) = value;
	}
	return 0;
}

static int read_eps(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	double eps = json_number_value(json_object_get(json, "layer_norm_eps"));

	if (!(eps >= 1e-30 && eps <= 1))
		return aif_why_set(why, -EBADMSG,
				   "\"layer_norm_eps\" must be a number from 1e-30 to 1");
	config->eps = eps;
	return 0;
}

static int read_model(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	int ret = check_rules(json, model_rules, why);

	if (!ret)
		ret = read_numbers(json, model_numbers, config, why);
	if (!ret)
		ret = read_eps(json, config, why);
	if (!ret && config->hidden % config->heads)
		ret = aif_why_set(why, -EBADMSG, "%u dimensions cannot be divided among %u heads",
				  config->hidden, config->heads);
	return ret;
}

static int read_tokenizer(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	return check_rules(json, tokenizer_rules, why);
}

static int read_sentence(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	int ret = check_rules(json, sentence_rules, why);

	if (!ret)
		ret = read_numbers(json, sentence_numbers, config, why);
	if (!ret && (config->max_tokens < 2 || config->max_tokens > config->positions))
		ret = aif_why_set(why, -EBADMSG,
				  "\"max_seq_length\" is %u, the model's positions allow 2 to %u",
				  config->max_tokens, config->positions);
	return ret;
}

static int read_pooling(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	const json_t *found = json_object_get(json, "word_embedding_dimension");

	if (json_integer_value(found) != config->hidden)
		return aif_why_set(why, -EBADMSG,
				   "\"word_embedding_dimension\" is not the model's %u",
				   config->hidden);
	return check_rules(json, pooling_rules, why);
}

/* The pooling module's folder is the only path taken out of a file. */
static int read_modules(const json_t *json, struct aif_bert_config *config, struct aif_why *why)
{
	static const struct { const char *type, *path; } want[] = {
		{ "sentence_transformers.models.Transformer", "" },
		{ "sentence_transformers.models.Pooling", "1_Pooling" },
		{ "sentence_transformers.models.Normalize", NULL },
	};

	for (size_t i = 0; i < 3; i++) {
		const json_t *module = json_array_get(json, i);
		const char *type = json_string_value(json_object_get(module, "type"));
		const char *path = json_string_value(json_object_get(module, "path"));

		if (!type || strcmp(type, want[i].type))
			return aif_why_set(why, -EOPNOTSUPP, "module %zu is %s, supported is %s", i,
					   type ? type : "missing", want[i].type);
		if (want[i].path && (!path || strcmp(path, want[i].path)))
			return aif_why_set(why, -EOPNOTSUPP,
					   "module %zu lies in '%s', supported is '%s'", i,
					   path ? path : "(missing)", want[i].path);
	}
	if (json_array_size(json) != 3)
		return aif_why_set(why, -EOPNOTSUPP, "%zu modules, supported are 3",
				   json_array_size(json));
	return 0;
}

int aif_bert_config_load(const char *dir, struct aif_bert_config *config, struct aif_why *why)
{
	static const struct {
		const char *name;
		int (*read)(const json_t *json, struct aif_bert_config *config,
			    struct aif_why *why);
	} files[] = {
		{ "config.json", read_model },
		{ "tokenizer_config.json", read_tokenizer },
		{ "sentence_bert_config.json", read_sentence },
		{ "modules.json", read_modules },
		{ "1_Pooling/config.json", read_pooling },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		json_t *json;
		int ret;

		ret = aif_file_read_json(dir, files[i].name, &json, why);
		if (ret)
			return ret;
		ret = files[i].read(json, config, why);
		json_decref(json);
		if (ret)
			return aif_why_prefix(why, ret, "%s/%s", dir, files[i].name);
	}
	return 0;
}
