// SPDX-License-Identifier: MIT
/*
 * A model's folder that is right (and very small) but for one file: an input's first
 * byte says which, the rest is its content.  The weights are always the same, so
 * that of what is taken every number that decides a shape must be theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "runtime/model/model.h"

#define LICENCE_MAX 64

static const struct {
	const char *name, *content;
} files[] = {
	{ "config.json", "{\"model_type\":\"bert\",\"hidden_act\":\"gelu\",\"hidden_size\":4,"
		"\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":6,"
		"\"vocab_size\":5,\"max_position_embeddings\":8,\"type_vocab_size\":2,"
		"\"layer_norm_eps\":1e-12,\"position_embedding_type\":\"absolute\"}" },
	{ "tokenizer_config.json",
		"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true}" },
	{ "sentence_bert_config.json", "{\"max_seq_length\":8,\"do_lower_case\":false}" },
	{ "modules.json",
		"[{\"type\":\"sentence_transformers.models.Transformer\",\"path\":\"\"},"
		"{\"type\":\"sentence_transformers.models.Pooling\",\"path\":\"1_Pooling\"},"
		"{\"type\":\"sentence_transformers.models.Normalize\"}]" },
	{ "1_Pooling/config.json",
		"{\"word_embedding_dimension\":4,\"pooling_mode_mean_tokens\":true}" },
	{ "README.md", "---\nlicense: apache-2.0\n---\n" },
	{ "vocab.txt", "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n" },
};

#define FILES (sizeof(files) / sizeof(files[0]))
#define FUZZED 6

static char folder[] = "/dev/shm/aif-fuzz-XXXXXX";	/* no disk waits for it */
static char safetensors[1 << 16];
static size_t header_bytes, data_bytes;

static const char *inside(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
	int fd = open(inside(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file can be written");
	close(fd);
}

/* A tensor of @rows by @cols floats; a vector when @cols is 0. */
static void add_tensor(const char *name, unsigned int rows, unsigned int cols)
{
	size_t bytes = sizeof(float) * rows * (cols ? cols : 1);
	char shape[32];

	if (cols)
		snprintf(shape, sizeof(shape), "%u,%u", rows, cols);
	else
		snprintf(shape, sizeof(shape), "%u", rows);
	header_bytes += sprintf(safetensors + 8 + header_bytes,
				"%c\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
				header_bytes ? ',' : '{', name, shape, data_bytes,
				data_bytes + bytes);
	data_bytes += bytes;
}

static void add_linear(const char *prefix, unsigned int outputs, unsigned int inputs)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.weight", prefix);
	add_tensor(name, outputs, inputs);
	snprintf(name, sizeof(name), "%s.bias", prefix);
	add_tensor(name, outputs, 0);
}

static void add_layer(int i)
{
	static const struct {
		const char *name;
		unsigned int outputs, inputs;	/* inputs 0: a norm */
	} parts[] = {
		{ "attention.self.query", 4, 4 }, { "attention.self.key", 4, 4 },
		{ "attention.self.value", 4, 4 }, { "attention.output.dense", 4, 4 },
		{ "attention.output.LayerNorm", 4, 0 }, { "intermediate.dense", 6, 4 },
		{ "output.dense", 4, 6 }, { "output.LayerNorm", 4, 0 },
	};
	char prefix[64];

	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		snprintf(prefix, sizeof(prefix), "encoder.layer.%d.%s", i, parts[p].name);
		add_linear(prefix, parts[p].outputs, parts[p].inputs);
	}
}

static void write_weights(void)
{
	uint64_t n;

	add_tensor("embeddings.word_embeddings.weight", 5, 4);
	add_tensor("embeddings.position_embeddings.weight", 8, 4);
	add_tensor("embeddings.token_type_embeddings.weight", 2, 4);
	add_linear("embeddings.LayerNorm", 4, 0);
	add_layer(0);
	add_layer(1);
	header_bytes += sprintf(safetensors + 8 + header_bytes, "}");
	while (header_bytes % sizeof(float))	/* floats want to be aligned */
		safetensors[8 + header_bytes++] = ' ';
	n = header_bytes;
	memcpy(safetensors, &n, sizeof(n));
	memset(safetensors + sizeof(n) + header_bytes, 0, data_bytes);
	write_file("model.safetensors", safetensors, sizeof(n) + header_bytes + data_bytes);
}

static void restore(size_t i)
{
	write_file(files[i].name, files[i].content, strlen(files[i].content));
}

static void remove_folder(void)
{
	for (size_t i = 0; i < FILES; i++)
		unlink(inside(files[i].name));
	unlink(inside("model.safetensors"));
	rmdir(inside("1_Pooling"));
	rmdir(folder);
}

void fuzz_start(void)
{
	struct aif_model *model;
	struct aif_why why;

	require(mkdtemp(folder) && !mkdir(inside("1_Pooling"), 0700), "a folder can be made");
	atexit(remove_folder);
	for (size_t i = 0; i < FILES; i++)
		restore(i);
	write_weights();
	require(!aif_model_open(folder, NULL, &model, &why), why.text);
	aif_model_close(model);
}

static void check(const struct aif_model *m)
{
	const struct aif_bert_config *c = &m->config;
	const char *licence = aif_model_info(m)->licence;

	require(c->hidden == 4 && c->intermediate == 6 && c->vocab == 5 && c->positions == 8 &&
		c->types == 2 && c->layers >= 1 && c->layers <= 2, "the weights' shapes");
	require(c->heads && c->hidden % c->heads == 0, "heads");
	require(c->max_tokens >= 2 && c->max_tokens <= c->positions, "max_tokens");
	require(c->eps > 0 && c->eps <= 1, "eps");
	require(*licence && strlen(licence) <= LICENCE_MAX && !strpbrk(licence, "\n\" "),
		"a licence is a word");
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t which = take(&in) % FUZZED;
	struct aif_model *model;
	struct aif_why why;
	bool ok;

	write_file(files[which].name, in.at, in.left);
	ok = !aif_model_open(folder, NULL, &model, &why);
	if (ok) {
		check(model);
		aif_model_close(model);
	} else {
		require(strstr(why.text, files[which].name) || !strncmp(why.text, folder,
			strlen(folder)), "a reason that names the file");
	}
	restore(which);
	return ok;
}
