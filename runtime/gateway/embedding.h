/* SPDX-License-Identifier: MIT */
/*
 * embedding.h - texts to vectors, for every API that asks for them
 *
 * An API reads its request and says what it found; this puts the texts into granted
 * memory, submits them, waits, checks what came back, and lets the API write its
 * response.
 */
#ifndef AIF_GATEWAY_EMBEDDING_H
#define AIF_GATEWAY_EMBEDDING_H

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "runtime/gateway/backend.h"
#include "runtime/gateway/exchange.h"

/*
 * An embedding under way: exchange.state.
 *
 * @content_type: of the response: application/json unless @write sets another
 * @request: the API's own
 */
struct embedding {
	struct exchange *x;
	struct batch *batch;
	unsigned int max_tokens;
	const char *content_type;
	void (*write)(struct exchange *x, struct embedding *e, struct buf *body);
	void *request;
	void (*request_free)(void *request);
};

/*
 * @model:      as catalog_find() takes it
 * @text, @input, @n: @n texts: text @i of @input and its length, NULL: it is none
 * @input_name: the API's name for them
 * @root, @member: JSON that the texts are in: it goes once they are copied
 * @dimensions: that are asked for, 0: the model's.  Others are refused
 * @write:      the response, application/json, from batch_text() of @e->batch
 * @region: memory of others that texts or outputs are in, NULL: none; @outputs: there,
 *          one behind the other, NULL: not there; @texts_there: the texts are
 * @granted: where the texts are, NULL: not there; *@granted is taken over
 * @request, @request_free: taken over
 */
struct embedding_spec {
	const char *model;
	const char *(*text)(const void *input, unsigned int i, size_t *length);
	const void *input;
	unsigned int n;
	const char *input_name;
	json_t *root;
	const char *member;
	unsigned int dimensions;
	struct region *region;
	char *outputs;
	bool texts_there;
	struct granted **granted;
	void (*write)(struct exchange *x, struct embedding *e, struct buf *body);
	void *request;
	void (*request_free)(void *request);
};

/* For @text and @n: of a JSON string, or of an array of them. */
const char *embedding_json_text(const void *input, unsigned int i, size_t *length);
unsigned int embedding_json_count(const json_t *input);

/* Answers @x, now or later. */
void embedding_start(struct exchange *x, const struct embedding_spec *spec);

#endif
