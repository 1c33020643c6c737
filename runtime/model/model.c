// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/model/file.h"
#include "runtime/model/model.h"
#include "runtime/model/sha256.h"

#define VOCAB_FILE_MAX (64u << 20)
#define README_MAX (1u << 20)
#define LICENCE_BYTES 64
#define LICENCE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-_"

/* What is understood of an older or newer caller's options. */
static int read_opts(const struct aif_model_opts *from, struct aif_model_opts *opts,
		     struct aif_why *why)
{
	memset(opts, 0, sizeof(*opts));
	if (!from)
		return 0;
	if (from->size < sizeof(uint32_t) || from->size > sizeof(*opts))
		return aif_why_set(why, -EINVAL, "options of %u bytes, known are %zu", from->size,
				   sizeof(*opts));
	memcpy(opts, from, from->size);
	return 0;
}

static int set_name(struct aif_model *m, const char *dir, struct aif_why *why)
{
	char *real = realpath(dir, NULL);
	int err = errno;

	if (!real)
		return aif_why_set(why, -err, "%s: no such model folder: %s", dir, strerror(err));
	m->name = strdup(strrchr(real, '/') + 1);
	free(real);
	return m->name ? 0 : aif_why_set(why, -ENOMEM, "no memory for the model's name");
}

static int load_tokenizer(struct aif_model *m, const char *dir, struct aif_why *why)
{
	char *vocab;
	size_t len;
	int ret;

	ret = aif_file_read(dir, "vocab.txt", VOCAB_FILE_MAX, &vocab, &len, why);
	if (ret)
		return ret;
	ret = aif_wordpiece_create(vocab, len, &m->wp, why);
	free(vocab);
	if (!ret && aif_wordpiece_size(m->wp) != m->config.vocab)
		ret = aif_why_set(why, -EBADMSG, "%u entries, config.json says %u",
				  aif_wordpiece_size(m->wp), m->config.vocab);
	return ret ? aif_why_prefix(why, ret, "%s/vocab.txt", dir) : 0;
}

static int check_digest(struct aif_model *m, const char *path, const struct aif_model_opts *opts,
			struct aif_why *why)
{
	const void *data;
	size_t len;

	data = aif_safetensors_data(m->st, &len);
	if (aif_sha256_hex(data, len, m->digest, opts->progress, opts->progress_ctx))
		return aif_why_set(why, -ENOMEM, "%s: no memory for its digest", path);
	if (opts->digest && strcasecmp(opts->digest, m->digest))
		return aif_why_set(why, -EBADMSG, "%s: its SHA-256 is %s, expected was %s", path,
				   m->digest, opts->digest);
	return 0;
}

static int load_weights(struct aif_model *m, const char *dir, const struct aif_model_opts *opts,
			struct aif_why *why)
{
	char path[PATH_MAX];
	int ret;

	if (snprintf(path, sizeof(path), "%s/model.safetensors", dir) >= (int)sizeof(path))
		return aif_why_set(why, -ENAMETOOLONG, "%s: the path is too long", dir);
	ret = aif_safetensors_open(path, &m->st, why);
	if (!ret)
		ret = check_digest(m, path, opts, why);
	if (ret)
		return ret;
	ret = aif_bert_weights_find(m->st, &m->config, &m->weights, why);
	return ret ? aif_why_prefix(why, ret, "%s", path) : 0;
}

/* The line's end, its newline not included. */
static const char *line_end(const char *line, const char *end)
{
	const char *eol = memchr(line, '\n', end - line);

	return eol ? eol : end;
}

/*
 * Front matter is YAML between two lines "---".  All that is wanted of it is the
 * plain top-level "license: WORD", as the publisher's hub has it.  @text ends in NUL.
 */
static char *find_licence(const char *text, size_t len)
{
	static const char key[] = "license:";
	const char *end = text + len, *line = text, *eol;

	for (; line < end; line = eol + 1) {
		bool fence;

		eol = line_end(line, end);
		fence = eol - line >= 3 && !memcmp(line, "---", 3);
		if (fence != (line == text))
			return NULL;
		if (eol - line < (ptrdiff_t)sizeof(key) || memcmp(line, key, sizeof(key) - 1))
			continue;
		line += sizeof(key) - 1;
		line += strspn(line, " \t\"'");
		return strndup(line, strspn(line, LICENCE_CHARS));
	}
	return NULL;
}

static int load_licence(struct aif_model *m, const char *dir, struct aif_why *why)
{
	char *text = NULL;
	size_t len;
	int ret;

	ret = aif_file_read(dir, "README.md", README_MAX, &text, &len, why);
	if (ret && ret != -ENOENT)
		return ret;
	if (!ret)
		m->licence = find_licence(text, len);
	free(text);
	if (!m->licence || !*m->licence || strlen(m->licence) > LICENCE_BYTES) {
		free(m->licence);
		m->licence = strdup("unknown");
	}
	return m->licence ? 0 : aif_why_set(why, -ENOMEM, "no memory for the licence");
}

/* The largest file comes last: a folder that is not a model is refused at once. */
static int load(struct aif_model *m, const char *dir, const struct aif_model_opts *opts,
		struct aif_why *why)
{
	int ret = set_name(m, dir, why);

	if (!ret)
		ret = aif_bert_config_load(dir, &m->config, why);
	if (!ret)
		ret = load_tokenizer(m, dir, why);
	if (!ret)
		ret = load_licence(m, dir, why);
	if (!ret)
		ret = load_weights(m, dir, opts, why);
	return ret;
}

int aif_model_open(const char *dir, const struct aif_model_opts *from, struct aif_model **model,
		   struct aif_why *why)
{
	struct aif_model_opts opts;
	struct aif_model *m;
	int ret;

	ret = read_opts(from, &opts, why);
	if (ret)
		return ret;
	m = calloc(1, sizeof(*m));
	if (!m)
		return aif_why_set(why, -ENOMEM, "no memory for the model");
	ret = load(m, dir, &opts, why);
	if (ret) {
		aif_model_close(m);
		return ret;
	}
	m->info.name = m->name;
	m->info.digest = m->digest;
	m->info.licence = m->licence;
	m->info.max_tokens = m->config.max_tokens;
	m->info.dimensions = m->config.hidden;
	*model = m;
	return 0;
}

void aif_model_close(struct aif_model *m)
{
	if (!m)
		return;
	free(m->weights);
	aif_safetensors_close(m->st);
	aif_wordpiece_free(m->wp);
	free(m->name);
	free(m->licence);
	free(m);
}

const struct aif_model_info *aif_model_info(const struct aif_model *m)
{
	return &m->info;
}
