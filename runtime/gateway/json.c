// SPDX-License-Identifier: MIT
#include "runtime/gateway/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOAT_DIGITS_MAX 16	/* "-1.23456789e-38," */

/* ---- what a tree may cost ---- */

/*
 * A body of "{},{}," is a tree of seventy times its size, so a tree has its own limit: for
 * what jansson takes from this thread's heap while a request is parsed.
 */
#define TREE_TIMES 8
#define TREE_FLOOR (1u << 20)

static _Thread_local size_t tree_left = SIZE_MAX;
static _Thread_local bool tree_over;

static void *tree_malloc(size_t size)
{
	if (tree_left == SIZE_MAX)
		return malloc(size);
	if (size > tree_left) {
		tree_over = true;
		return NULL;
	}
	tree_left -= size;
	return malloc(size);
}

__attribute__((constructor))
static void tree_set_up(void)
{
	json_set_alloc_funcs(tree_malloc, free);
}

json_t *json_request(const struct buf *body, char *error)
{
	json_error_t e;
	json_t *root;

	tree_left = TREE_FLOOR + TREE_TIMES * body->length;
	tree_over = false;
	root = json_loadb(body->length ? body->data : "", body->length,
			  JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);
	tree_left = SIZE_MAX;
	if (!root && tree_over)
		snprintf(error, JSON_ERROR_SIZE, "the body has too many small JSON values for its size");
	else if (!root)
		snprintf(error, JSON_ERROR_SIZE, "the body is not JSON: line %d: %.120s",
			 e.line, e.text);
	return root;
}

void json_stringn_add(struct buf *b, const char *text, size_t length)
{
	json_t *s = json_stringn(text, length);
	char *dump = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;

	if (dump)
		buf_text(b, dump);
	else
		buf_text(b, "\"?\"");
	free(dump);
	json_decref(s);
}

void json_string_add(struct buf *b, const char *text)
{
	json_stringn_add(b, text, strlen(text));
}

static int float_format(char *to, float value)
{
	if (!isfinite(value))
		return sprintf(to, "null");
	return sprintf(to, "%.9g", (double)value);
}

void json_numbers_add(struct buf *b, const float *values, size_t count)
{
	char *to = buf_room(b, count * FLOAT_DIGITS_MAX + 1), *start = to;

	if (!to)
		return;
	for (size_t i = 0; i < count; i++) {
		if (i)
			*to++ = ',';
		to += float_format(to, values[i]);
	}
	buf_grew(b, (size_t)(to - start));
}

void json_floats_add(struct buf *b, const float *values, size_t count)
{
	buf_text(b, "[");
	json_numbers_add(b, values, count);
	buf_text(b, "]");
}

void json_base64_add(struct buf *b, const void *bytes, size_t length)
{
	char *to = buf_room(b, (length + 2) / 3 * 4 + 3);
	int n;

	if (!to)
		return;
	*to = '"';
	n = EVP_EncodeBlock((unsigned char *)to + 1, bytes, (int)length);
	to[1 + n] = '"';
	buf_grew(b, (size_t)n + 2);
}
