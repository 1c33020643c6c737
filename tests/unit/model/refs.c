// SPDX-License-Identifier: MIT
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model/refs.h"

static void *must(void *p, const char *what)
{
	if (!p) {
		fprintf(stderr, "refs: %s: cannot read it\n", what);
		exit(1);
	}
	return p;
}

char *read_whole(const char *path, size_t *len)
{
	FILE *f = must(fopen(path, "rb"), path);
	char *data;
	long size;

	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = must(calloc(1, size + 1), path);
	*len = fread(data, 1, size, f);
	fclose(f);
	return data;
}

static bool parse_ref(const char *line, size_t len, struct ref *r, const char *path)
{
	json_t *json = must(json_loadb(line, len, JSON_ALLOW_NUL, NULL), path), *id;
	const json_t *text = json_object_get(json, "text"), *ids = json_object_get(json, "ids");
	size_t i;

	if (!text) {
		json_decref(json);
		return false;
	}
	r->json = json;
	r->text = json_string_value(text);
	r->bytes = json_string_length(text);
	r->truncated = json_is_true(json_object_get(json, "truncated"));
	json_array_foreach(ids, i, id)
		r->ids[i] = json_integer_value(id);
	r->count = i;
	return true;
}

struct ref *refs_load(const char *path, size_t *count)
{
	size_t len, lines = 0;
	char *data = read_whole(path, &len), *eol;
	struct ref *refs;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	refs = must(calloc(lines, sizeof(*refs)), path);
	*count = 0;
	for (char *line = data; (eol = strchr(line, '\n')); line = eol + 1)
		*count += parse_ref(line, eol - line, &refs[*count], path);
	free(data);
	return refs;
}

struct ref *refs_load_vectors(size_t *count)
{
	struct ref *refs = refs_load("tests/model/texts.jsonl", count);
	size_t len;
	const char *data = read_whole("tests/model/texts.f32", &len);

	if (len != *count * DIMENSIONS * sizeof(float))
		must(NULL, "tests/model/texts.f32 (wrong length)");
	for (size_t i = 0; i < *count; i++)
		refs[i].vector = (const float *)data + i * DIMENSIONS;
	return refs;
}

void refs_free(struct ref *refs, size_t count)
{
	free(count ? (void *)refs[0].vector : NULL);
	for (size_t i = 0; i < count; i++)
		json_decref(refs[i].json);
	free(refs);
}

double refs_cosine(const float *a, const float *b)
{
	double dot = 0, aa = 0, bb = 0;

	for (int i = 0; i < DIMENSIONS; i++) {
		dot += (double)a[i] * b[i];
		aa += (double)a[i] * a[i];
		bb += (double)b[i] * b[i];
	}
	return dot / sqrt(aa * bb);
}

/* Leaves the last line that was printed in @line. */
static bool fetch_model(char *model, size_t model_size, char *line, size_t size)
{
	FILE *f = must(popen("tools/fetch-model 2>&1", "r"), "tools/fetch-model");

	while (fgets(line, size, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "model\t", 6))
			snprintf(model, model_size, "%s", line + 6);
	}
	return !pclose(f) && *model;
}

const char *model_folder(void)
{
	static char model[4096];
	char line[4096] = "";

	if (*model || fetch_model(model, sizeof(model), line, sizeof(line)))
		return model;
	printf("1..1\nok 1 - the model # SKIP %s\n", line);
	exit(0);
}
