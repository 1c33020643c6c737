/* SPDX-License-Identifier: MIT */
/*
 * json.h - what jansson does not do for us
 *
 * Requests are parsed by jansson.  Responses are mostly numbers: they are written
 * straight into the response's body, without an object for each.
 */
#ifndef AIF_GATEWAY_JSON_H
#define AIF_GATEWAY_JSON_H

#include <jansson.h>

#include "runtime/gateway/buf.h"

/*
 * Parse a request's body.  NULL: it is none, and @error, of JSON_ERROR_SIZE bytes, says why.
 * Strings may hold NUL characters.
 */
json_t *json_request(const struct buf *body, char *error);
#define JSON_ERROR_SIZE 192

/* "text" with quotes; what is not UTF-8 becomes '?'. */
void json_string_add(struct buf *b, const char *text);
void json_stringn_add(struct buf *b, const char *text, size_t length);

/* [1,2,3]: each with the digits that a float has; no NaN, no infinity: null. */
void json_floats_add(struct buf *b, const float *values, size_t count);

/* The same without the brackets. */
void json_numbers_add(struct buf *b, const float *values, size_t count);

/* "base64" of bytes, with quotes. */
void json_base64_add(struct buf *b, const void *bytes, size_t length);

#endif
