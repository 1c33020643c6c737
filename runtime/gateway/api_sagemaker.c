// SPDX-License-Identifier: MIT
/* Amazon SageMaker: a container's /ping and /invocations, and InvokeEndpoint */
#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/embedding.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"

void sagemaker_ping(struct exchange *x)
{
	const struct aif_service_info *info = catalog_sole(exchange_catalog(x));
	struct buf b = { 0 };

	if (!operations_stand(x))
		return;
	if (info && service_is_ready(info))
		exchange_reply(x, 200, "application/json", &b);
	else
		exchange_fail(x, ENODEV, "no model is ready");
}

static void write_response(struct exchange *x, struct embedding *e, struct buf *b)
{
	buf_text(b, "[");
	for (unsigned int i = 0; i < batch_count(e->batch); i++) {
		const struct text *t = batch_text(e->batch, i);

		buf_text(b, i ? "," : "");
		json_floats_add(b, (const float *)t->output, t->room / sizeof(float));
	}
	buf_text(b, "]");
}

static void request_free(void *root)
{
	json_decref(root);
}

static const char *check_inputs(const json_t *root)
{
	const json_t *inputs = json_object_get(root, "inputs");

	if (!json_is_object(root))
		return "the body must be an object";
	if (json_is_string(inputs) || (json_is_array(inputs) && json_array_size(inputs)))
		return NULL;
	return "'inputs' must be a string or an array of strings";
}

static void invoke(struct exchange *x, const char *name)
{
	char error[JSON_ERROR_SIZE];
	const json_t *input;
	const char *wrong;
	json_t *root;

	if (!exchange_takes_json(x))
		return;
	root = exchange_json(x, error);
	wrong = root ? check_inputs(root) : error;
	input = json_object_get(root, "inputs");
	if (wrong) {
		exchange_fail(x, FAULT_REQUEST, "%s", wrong);
		json_decref(root);
		return;
	}
	embedding_start(x, &(struct embedding_spec) {
		.model = name, .text = embedding_json_text,
		.input = input, .n = embedding_json_count(input), .input_name = "inputs",
		.root = root, .member = "inputs",
		.write = write_response, .request = root, .request_free = request_free,
	});
}

void sagemaker_invocations(struct exchange *x)
{
	const struct aif_service_info *info = catalog_sole(exchange_catalog(x));

	if (info)
		invoke(x, info->name);
	else
		exchange_fail(x, FAULT_NOT_READY, "no model is served here");
}

void sagemaker_endpoint(struct exchange *x)
{
	exchange_set(x, "x-amzn-invoked-production-variant", "AllTraffic");
	invoke(x, x->param[0]);
}
