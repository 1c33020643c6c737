// SPDX-License-Identifier: MIT
/* Every row of the table of faults, as each API's clients see it. */
#include "tests/unit/gateway/rig.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "runtime/gateway/fault.h"

#define FAULTS_END (FAULT_NO_OPENER + 1)

/* @amazon: what x-amzn-errortype says, of Bedrock and of SageMaker */
struct row {
	int fault;
	unsigned int openai, bedrock, sagemaker, inference;
	const char *code, *amazon[2];
};

#define VALIDATION { "ValidationException", "ValidationError" }
#define UNAVAILABLE { "ServiceUnavailableException", "ServiceUnavailable" }
#define THROTTLED { "ThrottlingException", "ServiceUnavailable" }
#define NOT_READY { "ModelNotReadyException", "ModelNotReadyException" }
#define BOTH(name) { name, name }

static const struct row rows[] = {
	{ EINVAL, 400, 400, 400, 400, "invalid_value", VALIDATION },
	{ EILSEQ, 400, 400, 400, 400, "invalid_utf8", VALIDATION },
	{ E2BIG, 400, 400, 400, 400, "context_length_exceeded", VALIDATION },
	{ EDQUOT, 429, 429, 503, 429, "rate_limit_exceeded", THROTTLED },
	{ EAGAIN, 429, 429, 503, 429, "rate_limit_exceeded", THROTTLED },
	{ EBUSY, 429, 429, 503, 429, "rate_limit_exceeded", THROTTLED },
	{ ETIME, 504, 408, 424, 504, "timeout", { "ModelTimeoutException", "ModelError" } },
	{ EIO, 500, 424, 424, 500, "model_failed", { "ModelErrorException", "ModelError" } },
	{ EOWNERDEAD, 500, 424, 424, 500, "model_died", { "ModelErrorException", "ModelError" } },
	{ ECANCELED, 503, 503, 503, 503, "cancelled", UNAVAILABLE },
	{ EKEYREVOKED, 503, 503, 503, 503, "revoked", UNAVAILABLE },
	{ ESHUTDOWN, 503, 429, 429, 503, "draining", NOT_READY },
	{ ENODEV, 503, 503, 503, 503, "service_gone", UNAVAILABLE },
	{ ENOENT, 503, 503, 503, 503, "service_gone", UNAVAILABLE },
	{ ENOMEM, 503, 503, 503, 503, "no_memory", UNAVAILABLE },
	{ ENOSPC, 503, 503, 503, 503, "no_room", UNAVAILABLE },
	{ EBADF, 503, 503, 503, 503, "service_gone", UNAVAILABLE },
	{ EMFILE, 503, 503, 503, 503, "no_room", UNAVAILABLE },
	{ EACCES, 500, 500, 500, 500, "device_refused",
	  { "InternalServerException", "InternalFailure" } },
	{ EPERM, 500, 500, 500, 500, "device_refused",
	  { "InternalServerException", "InternalFailure" } },
	{ EOPNOTSUPP, 501, 400, 400, 501, "not_supported", VALIDATION },
	{ FAULT_REQUEST, 400, 400, 400, 400, "invalid_value", VALIDATION },
	{ FAULT_NO_ROUTE, 404, 404, 404, 404, "unknown_url", BOTH("UnknownOperationException") },
	{ FAULT_METHOD, 405, 405, 405, 405, "method_not_supported",
	  BOTH("UnknownOperationException") },
	{ FAULT_NO_SERVICE, 404, 404, 400, 404, "model_not_found",
	  { "ResourceNotFoundException", "ValidationError" } },
	{ FAULT_BODY_LARGE, 413, 413, 413, 413, "request_too_large", VALIDATION },
	{ FAULT_HEAD_LARGE, 431, 431, 431, 431, "request_too_large", VALIDATION },
	{ FAULT_MEDIA_TYPE, 415, 415, 415, 415, "media_type", VALIDATION },
	{ FAULT_SLOW, 408, 408, 408, 408, "request_timeout",
	  { "RequestTimeoutException", "RequestTimeout" } },
	{ FAULT_EXPECT, 417, 417, 417, 417, "expectation", VALIDATION },
	{ FAULT_NO_KEY, 401, 403, 403, 401, "invalid_api_key",
	  BOTH("MissingAuthenticationTokenException") },
	{ FAULT_BAD_KEY, 401, 403, 403, 401, "invalid_api_key",
	  BOTH("UnrecognizedClientException") },
	{ FAULT_BAD_CREDENTIALS, 401, 403, 403, 401, "invalid_api_key",
	  BOTH("IncompleteSignatureException") },
	{ FAULT_EXPIRED, 401, 403, 403, 401, "invalid_api_key", BOTH("ExpiredTokenException") },
	{ FAULT_SIGNATURE, 401, 403, 403, 403, "invalid_api_key",
	  BOTH("InvalidSignatureException") },
	{ FAULT_FULL, 429, 429, 503, 429, "rate_limit_exceeded", THROTTLED },
	{ FAULT_DRAINING, 503, 503, 503, 503, "draining", UNAVAILABLE },
	{ FAULT_NOT_READY, 503, 429, 429, 503, "not_ready", NOT_READY },
	{ FAULT_NO_OPENER, 503, 503, 503, 503, "no_opener", UNAVAILABLE },
};

static const struct row internal = {
	0, 500, 500, 500, 500, "internal_error", { "InternalServerException", "InternalFailure" },
};

static const struct row *row_of(int fault)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].fault == fault)
			return &rows[i];
	}
	return &internal;
}

static void check(int fault, const struct row *r)
{
	const struct fault_answer *openai = fault_answer(fault, API_OPENAI);
	const struct fault_answer *bedrock = fault_answer(fault, API_BEDROCK);
	const struct fault_answer *sagemaker = fault_answer(fault, API_SAGEMAKER);

	assert_int_equal(openai->status, r->openai);
	assert_string_equal(openai->code, r->code);
	assert_int_equal(bedrock->status, r->bedrock);
	assert_string_equal(bedrock->code, r->amazon[0]);
	assert_int_equal(sagemaker->status, r->sagemaker);
	assert_string_equal(sagemaker->code, r->amazon[1]);
	assert_int_equal(fault_answer(fault, API_INFERENCE)->status, r->inference);
	assert_in_range(fault_answer(fault, API_PLAIN)->status, 400, 599);
}

static void test_every_fault(void **state)
{
	for (int fault = 1; fault < FAULTS_END; fault++)
		check(fault, row_of(fault));
}

static void test_negative_is_the_same(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		check(-rows[i].fault, &rows[i]);
}

static json_t *body_of(int fault, enum api api)
{
	struct buf b = { 0 };
	json_t *root;

	fault_body(&b, fault_answer(fault, api), api, "a \"quoted\"\nsentence");
	assert_false(b.failed);
	root = json_loadb(b.data, b.length, 0, NULL);
	assert_non_null(root);
	buf_free(&b);
	return root;
}

static void expect_text(const json_t *object, const char *member, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, member)), text);
}

#define SENTENCE "a \"quoted\"\nsentence"

static void test_bodies(void **state)
{
	json_t *openai = body_of(FAULT_NO_SERVICE, API_OPENAI);
	json_t *bedrock = body_of(ETIME, API_BEDROCK);
	json_t *sagemaker = body_of(EIO, API_SAGEMAKER);
	json_t *inference = body_of(EINVAL, API_INFERENCE);
	const json_t *error = json_object_get(openai, "error");

	expect_text(error, "message", SENTENCE);
	expect_text(error, "type", "invalid_request_error");
	expect_text(error, "code", "model_not_found");
	assert_true(json_is_null(json_object_get(error, "param")));
	expect_text(bedrock, "message", SENTENCE);
	expect_text(sagemaker, "Message", SENTENCE);
	expect_text(sagemaker, "OriginalMessage", SENTENCE);
	assert_int_equal(json_integer_value(json_object_get(sagemaker, "OriginalStatusCode")), 500);
	expect_text(inference, "error", SENTENCE);
	json_decref(openai);
	json_decref(bedrock);
	json_decref(sagemaker);
	json_decref(inference);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fault),
		cmocka_unit_test(test_negative_is_the_same),
		cmocka_unit_test(test_bodies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
