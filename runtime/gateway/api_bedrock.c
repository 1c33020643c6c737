// SPDX-License-Identifier: MIT
/*
 * Amazon Bedrock: InvokeModel with the body of Titan Text Embeddings v2, and the
 * foundation models' list.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/embedding.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"

/* ---- invoke ---- */

static void write_response(struct exchange *x, struct embedding *e, struct buf *b)
{
	const struct text *t = batch_text(e->batch, 0);
	const float *values = (const float *)t->output;
	size_t n = t->room / sizeof(float);
	char tokens[24];

	buf_text(b, "{\"embedding\":");
	json_floats_add(b, values, n);
	buf_text(b, ",\"embeddingsByType\":{\"float\":");
	json_floats_add(b, values, n);
	snprintf(tokens, sizeof(tokens), "%llu", (unsigned long long)x->tokens);
	buf_format(b, "},\"inputTextTokenCount\":%s}", tokens);
	exchange_set(x, "x-amzn-bedrock-input-token-count", tokens);
}

static void request_free(void *root)
{
	json_decref(root);
}

/* Titan knows "binary" too: bits, which this is not asked to make. */
static const char *check_types(const json_t *types)
{
	if (!types)
		return NULL;
	if (!json_is_array(types) || !json_array_size(types))
		return "'embeddingTypes' must be an array of \"float\"";
	for (size_t i = 0; i < json_array_size(types); i++) {
		const char *type = json_string_value(json_array_get(types, i));

		if (!type || strcmp(type, "float"))
			return "'embeddingTypes' can only be \"float\" here";
	}
	return NULL;
}

static const char *check_fields(const json_t *root, unsigned int *dimensions)
{
	const json_t *normalize = json_object_get(root, "normalize");
	const json_t *d = json_object_get(root, "dimensions");

	if (!json_is_object(root))
		return "the body must be an object";
	if (!json_is_string(json_object_get(root, "inputText")))
		return "'inputText' must be a string";
	if (normalize && !json_is_true(normalize))
		return "'normalize' can only be true here: the model's vectors have length 1";
	if (d && (!json_is_integer(d) || json_integer_value(d) < 1 ||
		  json_integer_value(d) > UINT16_MAX))
		return "'dimensions' must be a positive integer";
	*dimensions = d ? (unsigned int)json_integer_value(d) : 0;
	return check_types(json_object_get(root, "embeddingTypes"));
}

void bedrock_invoke(struct exchange *x)
{
	char error[JSON_ERROR_SIZE];
	json_t *root = exchange_json(x, error);
	unsigned int dimensions;
	const char *wrong = root ? check_fields(root, &dimensions) : error;
	const json_t *input = json_object_get(root, "inputText");

	if (wrong) {
		exchange_fail(x, FAULT_REQUEST, "%s", wrong);
		json_decref(root);
		return;
	}
	embedding_start(x, &(struct embedding_spec) {
		.model = x->param[0], .text = embedding_json_text,
		.input = input, .n = embedding_json_count(input), .input_name = "inputText",
		.root = root, .member = "inputText", .dimensions = dimensions,
		.write = write_response, .request = root, .request_free = request_free,
	});
}

/* ---- models ---- */

static void write_member(struct buf *b, const char *name, const char *value)
{
	buf_format(b, "\"%s\":", name);
	json_string_add(b, value);
	buf_text(b, ",");
}

/* Names of the service's inputs, or of its outputs. */
static void write_names(struct buf *b, const char *name, const struct aif_service_info *info,
			bool output)
{
	const char *comma = "";

	buf_format(b, "\"%s\":[", name);
	for (unsigned int i = 0; i < info->input_count + info->output_count; i++) {
		if (info->io[i].output != output)
			continue;
		buf_text(b, comma);
		json_string_add(b, info->io[i].name);
		comma = ",";
	}
	buf_text(b, "]");
}

static const char *output_modality(const struct aif_service_info *info)
{
	return service_embeds(info) ? "EMBEDDING" : "TEXT";
}

/* Amazon's members, then what we know beyond them. */
static void write_model(struct exchange *x, struct buf *b, const struct aif_service_info *info)
{
	const char *region = x->loop->gateway->opts.region, *licence;
	size_t length = 0;

	buf_format(b, "{\"modelArn\":\"arn:aws:bedrock:%s::foundation-model/%s\",",
		   region ? region : "us-east-1", info->name);
	write_member(b, "modelId", info->name);
	write_member(b, "modelName", *info->model ? info->model : info->name);
	buf_text(b, "\"providerName\":\"AIF\",\"inputModalities\":[\"TEXT\"],");
	buf_format(b, "\"outputModalities\":[\"%s\"],", output_modality(info));
	buf_text(b, "\"responseStreamingSupported\":false,\"customizationsSupported\":[],"
		 "\"inferenceTypesSupported\":[\"ON_DEMAND\"],"
		 "\"modelLifecycle\":{\"status\":\"ACTIVE\"},");
	write_member(b, "digest", info->digest);
	licence = aif_service_info_value(info, "license", &length);
	buf_text(b, "\"licence\":");
	json_stringn_add(b, licence ? licence : "unknown", licence ? length : strlen("unknown"));
	buf_text(b, ",");
	write_names(b, "inputs", info, false);
	buf_text(b, ",");
	write_names(b, "outputs", info, true);
	buf_text(b, "}");
}

/* Does the query leave it in?  Filters that are not known filter nothing. */
static bool is_wanted(const struct exchange *x, const struct aif_service_info *info)
{
	const char *query = exchange_text(x, x->target) + x->path_length;
	const char *modality = strstr(query, "byOutputModality=");
	const char *provider = strstr(query, "byProvider=");
	const char *mine = output_modality(info);

	if (modality && strncmp(modality + strlen("byOutputModality="), mine, strlen(mine)))
		return false;
	return !provider || !strncasecmp(provider + strlen("byProvider="), "aif", 3);
}

void bedrock_models(struct exchange *x)
{
	const struct catalog *c = exchange_catalog(x);
	const char *comma = "";
	struct buf b = { 0 };

	buf_text(&b, "{\"modelSummaries\":[");
	for (unsigned int i = 0; i < catalog_count(c); i++) {
		if (!is_wanted(x, catalog_at(c, i)))
			continue;
		buf_text(&b, comma);
		write_model(x, &b, catalog_at(c, i));
		comma = ",";
	}
	buf_text(&b, "]}");
	exchange_reply(x, 200, "application/json", &b);
}

void bedrock_model(struct exchange *x)
{
	const struct aif_service_info *info = exchange_service(x, x->param[0]);
	struct buf b = { 0 };

	if (!info)
		return;
	buf_text(&b, "{\"modelDetails\":");
	write_model(x, &b, info);
	buf_text(&b, "}");
	exchange_reply(x, 200, "application/json", &b);
}
