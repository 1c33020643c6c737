/* SPDX-License-Identifier: MIT */
/*
 * refs.h - the reference numbers of tests/model/, and the model they are about
 *
 * Programs run in the top folder.  What cannot do its work ends the program with a
 * message.
 */
#ifndef AIF_TEST_REFS_H
#define AIF_TEST_REFS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DIMENSIONS 384
#define MAX_TOKENS 256
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * @vector: DIMENSIONS floats, NULL for references without
 * @json:   owns @text
 */
struct ref {
	const char *text;
	size_t bytes;
	int32_t ids[MAX_TOKENS];
	int count;
	bool truncated;
	const float *vector;
	void *json;
};

/* Objects of a .jsonl file; those without "text" are left out. */
struct ref *refs_load(const char *path, size_t *count);

/* texts.jsonl with texts.f32. */
struct ref *refs_load_vectors(size_t *count);

void refs_free(struct ref *refs, size_t count);

/* Of two vectors of DIMENSIONS. */
double refs_cosine(const float *a, const float *b);

/* The whole of a file; a NUL stands behind it; the caller frees it. */
char *read_whole(const char *path, size_t *len);

/*
 * The model's folder, fetched if need be.  When that is not possible the program
 * ends as one skipped test with the reason.
 */
const char *model_folder(void);

#endif
