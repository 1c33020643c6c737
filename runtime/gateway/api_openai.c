// SPDX-License-Identifier: MIT
/* OpenAI: /v1/embeddings, /v1/models */
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/embedding.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/json.h"

/* @floats: as numbers, not as base64 */
struct request {
	json_t *root;
	const char *model;
	bool floats;
};

static void write_vector(struct buf *b, const struct request *r, const struct text *t)
{
	if (r->floats)
		json_floats_add(b, (const float *)t->output, t->room / sizeof(float));
	else
		json_base64_add(b, t->output, t->room);
}

static void write_response(struct exchange *x, struct embedding *e, struct buf *b)
{
	const struct request *r = e->request;

	buf_text(b, "{\"object\":\"list\",\"data\":[");
	for (unsigned int i = 0; i < batch_count(e->batch); i++) {
		buf_format(b, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":", i ? "," : "",
			   i);
		write_vector(b, r, batch_text(e->batch, i));
		buf_text(b, "}");
	}
	buf_text(b, "],\"model\":");
	json_string_add(b, r->model);
	buf_format(b, ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}",
		   (unsigned long long)x->tokens, (unsigned long long)x->tokens);
}

static void request_free(void *request)
{
	struct request *r = request;

	json_decref(r->root);
	free(r);
}

/* What is wrong with the request's fields beside the input; NULL: nothing. */
static const char *read_fields(struct request *r, unsigned int *dimensions)
{
	json_t *model = json_object_get(r->root, "model");
	json_t *format = json_object_get(r->root, "encoding_format");
	json_t *d = json_object_get(r->root, "dimensions");

	r->model = json_string_value(model);
	if (!r->model || strlen(r->model) != json_string_length(model))
		return "'model' must be a string without NUL";
	if (format && !json_is_null(format) &&
	    (!json_is_string(format) || (strcmp(json_string_value(format), "float") &&
					 strcmp(json_string_value(format), "base64"))))
		return "'encoding_format' must be 'float' or 'base64'";
	r->floats = !json_is_string(format) || !strcmp(json_string_value(format), "float");
	if (d && !json_is_null(d) && (!json_is_integer(d) || json_integer_value(d) <= 0 ||
				      json_integer_value(d) > UINT16_MAX))
		return "'dimensions' must be a positive integer";
	*dimensions = json_is_integer(d) ? (unsigned int)json_integer_value(d) : 0;
	return NULL;
}

static const char *check_input(const json_t *input)
{
	const json_t *first = json_is_array(input) ? json_array_get(input, 0) : NULL;

	if (!json_is_string(input) && !json_is_array(input))
		return "'input' must be a string or an array of strings";
	if (json_is_array(input) && !first)
		return "'input' must not be empty";
	if (json_is_integer(first) || json_is_array(first))
		return "'input' has token ids: they are another tokenizer's; send text";
	return NULL;
}

void openai_embeddings(struct exchange *x)
{
	struct request *r = calloc(1, sizeof(*r));
	char error[JSON_ERROR_SIZE];
	unsigned int dimensions = 0;
	const char *wrong = NULL;
	const json_t *input;

	if (!r) {
		exchange_fail(x, ENOMEM, "no memory");
		return;
	}
	r->root = exchange_json(x, error);
	if (!r->root)
		wrong = error;
	if (!wrong)
		wrong = read_fields(r, &dimensions);
	input = json_object_get(r->root, "input");
	if (!wrong)
		wrong = check_input(input);
	if (wrong) {
		exchange_fail(x, FAULT_REQUEST, "%s", wrong);
		request_free(r);
		return;
	}
	embedding_start(x, &(struct embedding_spec) {
		.model = r->model, .text = embedding_json_text,
		.input = input, .n = embedding_json_count(input), .input_name = "input",
		.root = r->root, .member = "input", .dimensions = dimensions,
		.write = write_response, .request = r, .request_free = request_free,
	});
}

/* ---- models ---- */

/* Services do not say since when they are: 0, which its clients show as 1970. */
static void write_model(struct buf *b, const char *id)
{
	buf_text(b, "{\"id\":");
	json_string_add(b, id);
	buf_text(b, ",\"object\":\"model\",\"created\":0,\"owned_by\":\"aif\"}");
}

void openai_models(struct exchange *x)
{
	const struct catalog *c = exchange_catalog(x);
	struct buf b = { 0 };

	buf_text(&b, "{\"object\":\"list\",\"data\":[");
	for (unsigned int i = 0; i < catalog_count(c); i++) {
		buf_text(&b, i ? "," : "");
		write_model(&b, catalog_at(c, i)->name);
	}
	buf_text(&b, "]}");
	exchange_reply(x, 200, "application/json", &b);
}

void openai_model(struct exchange *x)
{
	struct buf b = { 0 };

	if (!exchange_service(x, x->param[0]))
		return;
	write_model(&b, x->param[0]);
	exchange_reply(x, 200, "application/json", &b);
}
