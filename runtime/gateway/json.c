// SPDX-License-Identifier: MIT
#include "runtime/gateway/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 9			/* say a float */
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

/*
 * What vectors are mostly made of: 0.0001 to below 1, with the digits of "%.9g", which takes
 * 2,100 instructions for each of hundreds.  @value has 24 bits and 5^12 has 28: the product is
 * exact, and rounded once, as printf does.
 */
static char *fraction_put(char *to, float value)
{
	static const double scale[] = { 1e9, 1e10, 1e11, 1e12 };
	double size = fabs((double)value);
	int zeros = (size < 0.1) + (size < 0.01) + (size < 0.001);
	long n = lrint(size * scale[zeros]);

	if (value < 0)
		*to++ = '-';
	memcpy(to, "0.000", 5);
	to += 2 + zeros;
	for (int i = DIGITS - 1; i >= 0; i--, n /= 10)
		to[i] = (char)('0' + n % 10);
	to += DIGITS;
	while (to[-1] == '0')
		to--;
	return to;
}

static char *float_put(char *to, float value)
{
	if (fabs((double)value) >= 0.0001 && fabsf(value) < 1)
		return fraction_put(to, value);
	if (!isfinite(value))
		return to + sprintf(to, "null");
	return to + sprintf(to, "%.9g", (double)value);
}

void json_numbers_add(struct buf *b, const float *values, size_t count)
{
	char *to = buf_room(b, count * FLOAT_DIGITS_MAX + 1), *start = to;

	if (!to)
		return;
	for (size_t i = 0; i < count; i++) {
		if (i)
			*to++ = ',';
		to = float_put(to, values[i]);
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
