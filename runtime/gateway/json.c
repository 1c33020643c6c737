// SPDX-License-Identifier: MIT
#include "runtime/gateway/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FLOAT_DIGITS_MAX 16	/* "-1.23456789e-38," */

json_t *json_request(const struct buf *body, char *error)
{
	json_error_t e;
	json_t *root = json_loadb(body->length ? body->data : "", body->length,
				  JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &e);

	if (!root)
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
