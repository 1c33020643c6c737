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
 * @request: the API's own
 */
struct embedding {
	struct exchange *x;
	struct batch *batch;
	unsigned int max_tokens;
	void (*write)(struct exchange *x, struct embedding *e, struct buf *body);
	void *request;
	void (*request_free)(void *request);
};

/*
 * @model:      as catalog_find() takes it
 * @input:      a JSON string, or an array of them; @input_name: the API's name for it
 * @dimensions: that are asked for, 0: the model's.  Others are refused
 * @write:      the response, application/json, from batch_text() of @e->batch
 * @request, @request_free: taken over
 */
struct embedding_spec {
	const char *model;
	const json_t *input;
	const char *input_name;
	unsigned int dimensions;
	void (*write)(struct exchange *x, struct embedding *e, struct buf *body);
	void *request;
	void (*request_free)(void *request);
};

/* Answers @x, now or later. */
void embedding_start(struct exchange *x, const struct embedding_spec *spec);

#endif
