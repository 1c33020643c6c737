// SPDX-License-Identifier: MIT
#include "runtime/gateway/fault.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/gateway/json.h"

/*
 * A row for each fault, a column for each API.  Where an API's clients act on a
 * word, that is what decides: a throttled request is sent again by all of them, a
 * poisonous one (424) by none.
 */
struct row {
	int fault;
	struct fault_answer answers[API_COUNT];
};

#define PLAIN(status, code)		[API_PLAIN] = { status, code, NULL }
#define OPENAI(status, type, code)	[API_OPENAI] = { status, code, type }
#define BEDROCK(status, code)		[API_BEDROCK] = { status, code, NULL }
#define SAGEMAKER(status, code, original) [API_SAGEMAKER] = { status, code, original }
#define INFERENCE(status)		[API_INFERENCE] = { status, NULL, NULL }

#define INVALID "invalid_request_error"

static const struct row rows[] = {
	/* What libaif and its services answer. */
	{ EINVAL, { PLAIN(400, "invalid"), OPENAI(400, INVALID, "invalid_value"),
		    BEDROCK(400, "ValidationException"),
		    SAGEMAKER(400, "ValidationError", NULL), INFERENCE(400) } },
	{ EILSEQ, { PLAIN(400, "not_utf8"), OPENAI(400, INVALID, "invalid_utf8"),
		    BEDROCK(400, "ValidationException"),
		    SAGEMAKER(400, "ValidationError", NULL), INFERENCE(400) } },
	{ E2BIG, { PLAIN(400, "too_long"), OPENAI(400, INVALID, "context_length_exceeded"),
		   BEDROCK(400, "ValidationException"),
		   SAGEMAKER(400, "ValidationError", NULL), INFERENCE(400) } },
	{ EDQUOT, { PLAIN(429, "throttled"), OPENAI(429, "requests", "rate_limit_exceeded"),
		    BEDROCK(429, "ThrottlingException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(429) } },
	{ EAGAIN, { PLAIN(429, "throttled"), OPENAI(429, "requests", "rate_limit_exceeded"),
		    BEDROCK(429, "ThrottlingException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(429) } },
	{ EBUSY, { PLAIN(429, "throttled"), OPENAI(429, "requests", "rate_limit_exceeded"),
		   BEDROCK(429, "ThrottlingException"),
		   SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(429) } },
	{ ETIME, { PLAIN(504, "timeout"), OPENAI(504, "server_error", "timeout"),
		   BEDROCK(408, "ModelTimeoutException"),
		   SAGEMAKER(424, "ModelError", "504"), INFERENCE(504) } },
	{ EIO, { PLAIN(500, "model_failed"), OPENAI(500, "server_error", "model_failed"),
		 BEDROCK(424, "ModelErrorException"),
		 SAGEMAKER(424, "ModelError", "500"), INFERENCE(500) } },
	{ EOWNERDEAD, { PLAIN(500, "model_died"), OPENAI(500, "server_error", "model_died"),
			BEDROCK(424, "ModelErrorException"),
			SAGEMAKER(424, "ModelError", "500"), INFERENCE(500) } },
	{ ECANCELED, { PLAIN(503, "cancelled"), OPENAI(503, "server_error", "cancelled"),
		       BEDROCK(503, "ServiceUnavailableException"),
		       SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ EKEYREVOKED, { PLAIN(503, "revoked"), OPENAI(503, "server_error", "revoked"),
			 BEDROCK(503, "ServiceUnavailableException"),
			 SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ ESHUTDOWN, { PLAIN(503, "draining"), OPENAI(503, "server_error", "draining"),
		       BEDROCK(429, "ModelNotReadyException"),
		       SAGEMAKER(429, "ModelNotReadyException", NULL), INFERENCE(503) } },
	{ ENODEV, { PLAIN(503, "service_gone"), OPENAI(503, "server_error", "service_gone"),
		    BEDROCK(503, "ServiceUnavailableException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ ENOENT, { PLAIN(503, "service_gone"), OPENAI(503, "server_error", "service_gone"),
		    BEDROCK(503, "ServiceUnavailableException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ ENOMEM, { PLAIN(503, "no_memory"), OPENAI(503, "server_error", "no_memory"),
		    BEDROCK(503, "ServiceUnavailableException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ ENOSPC, { PLAIN(503, "no_room"), OPENAI(503, "server_error", "no_room"),
		    BEDROCK(503, "ServiceUnavailableException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ EBADF, { PLAIN(503, "service_gone"), OPENAI(503, "server_error", "service_gone"),
		   BEDROCK(503, "ServiceUnavailableException"),
		   SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ EMFILE, { PLAIN(503, "no_room"), OPENAI(503, "server_error", "no_room"),
		    BEDROCK(503, "ServiceUnavailableException"),
		    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ EACCES, { PLAIN(500, "device_refused"), OPENAI(500, "server_error", "device_refused"),
		    BEDROCK(500, "InternalServerException"),
		    SAGEMAKER(500, "InternalFailure", NULL), INFERENCE(500) } },
	{ EPERM, { PLAIN(500, "device_refused"), OPENAI(500, "server_error", "device_refused"),
		   BEDROCK(500, "InternalServerException"),
		   SAGEMAKER(500, "InternalFailure", NULL), INFERENCE(500) } },
	{ EOPNOTSUPP, { PLAIN(501, "not_supported"), OPENAI(501, INVALID, "not_supported"),
			BEDROCK(400, "ValidationException"),
			SAGEMAKER(400, "ValidationError", NULL), INFERENCE(501) } },

	/* What is wrong with the request itself. */
	{ FAULT_REQUEST, { PLAIN(400, "invalid"), OPENAI(400, INVALID, "invalid_value"),
			   BEDROCK(400, "ValidationException"),
			   SAGEMAKER(400, "ValidationError", NULL), INFERENCE(400) } },
	{ FAULT_NO_ROUTE, { PLAIN(404, "not_found"), OPENAI(404, INVALID, "unknown_url"),
			    BEDROCK(404, "UnknownOperationException"),
			    SAGEMAKER(404, "UnknownOperationException", NULL), INFERENCE(404) } },
	{ FAULT_METHOD, { PLAIN(405, "method"), OPENAI(405, INVALID, "method_not_supported"),
			  BEDROCK(405, "UnknownOperationException"),
			  SAGEMAKER(405, "UnknownOperationException", NULL), INFERENCE(405) } },
	{ FAULT_NO_SERVICE, { PLAIN(404, "no_service"), OPENAI(404, INVALID, "model_not_found"),
			      BEDROCK(404, "ResourceNotFoundException"),
			      SAGEMAKER(400, "ValidationError", NULL), INFERENCE(404) } },
	{ FAULT_BODY_LARGE, { PLAIN(413, "too_large"), OPENAI(413, INVALID, "request_too_large"),
			      BEDROCK(413, "ValidationException"),
			      SAGEMAKER(413, "ValidationError", NULL), INFERENCE(413) } },
	{ FAULT_HEAD_LARGE, { PLAIN(431, "too_large"), OPENAI(431, INVALID, "request_too_large"),
			      BEDROCK(431, "ValidationException"),
			      SAGEMAKER(431, "ValidationError", NULL), INFERENCE(431) } },
	{ FAULT_MEDIA_TYPE, { PLAIN(415, "media_type"), OPENAI(415, INVALID, "media_type"),
			      BEDROCK(415, "ValidationException"),
			      SAGEMAKER(415, "ValidationError", NULL), INFERENCE(415) } },
	{ FAULT_SLOW, { PLAIN(408, "slow"), OPENAI(408, INVALID, "request_timeout"),
			BEDROCK(408, "RequestTimeoutException"),
			SAGEMAKER(408, "RequestTimeout", NULL), INFERENCE(408) } },
	{ FAULT_EXPECT, { PLAIN(417, "expectation"), OPENAI(417, INVALID, "expectation"),
			  BEDROCK(417, "ValidationException"),
			  SAGEMAKER(417, "ValidationError", NULL), INFERENCE(417) } },
	{ FAULT_NO_KEY, { PLAIN(401, "no_key"), OPENAI(401, INVALID, "invalid_api_key"),
			  BEDROCK(403, "MissingAuthenticationTokenException"),
			  SAGEMAKER(403, "MissingAuthenticationTokenException", NULL),
			  INFERENCE(401) } },
	{ FAULT_BAD_KEY, { PLAIN(401, "bad_key"), OPENAI(401, INVALID, "invalid_api_key"),
			   BEDROCK(403, "UnrecognizedClientException"),
			   SAGEMAKER(403, "UnrecognizedClientException", NULL),
			   INFERENCE(401) } },
	{ FAULT_BAD_CREDENTIALS, { PLAIN(401, "bad_key"), OPENAI(401, INVALID, "invalid_api_key"),
				   BEDROCK(403, "IncompleteSignatureException"),
				   SAGEMAKER(403, "IncompleteSignatureException", NULL),
				   INFERENCE(401) } },
	{ FAULT_EXPIRED, { PLAIN(401, "expired"), OPENAI(401, INVALID, "invalid_api_key"),
			   BEDROCK(403, "ExpiredTokenException"),
			   SAGEMAKER(403, "ExpiredTokenException", NULL), INFERENCE(401) } },
	{ FAULT_SIGNATURE, { PLAIN(403, "bad_signature"), OPENAI(401, INVALID, "invalid_api_key"),
			     BEDROCK(403, "InvalidSignatureException"),
			     SAGEMAKER(403, "InvalidSignatureException", NULL),
			     INFERENCE(403) } },
	{ FAULT_FULL, { PLAIN(429, "throttled"), OPENAI(429, "requests", "rate_limit_exceeded"),
			BEDROCK(429, "ThrottlingException"),
			SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(429) } },
	{ FAULT_DRAINING, { PLAIN(503, "draining"), OPENAI(503, "server_error", "draining"),
			    BEDROCK(503, "ServiceUnavailableException"),
			    SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
	{ FAULT_NOT_READY, { PLAIN(503, "not_ready"), OPENAI(503, "server_error", "not_ready"),
			     BEDROCK(429, "ModelNotReadyException"),
			     SAGEMAKER(429, "ModelNotReadyException", NULL), INFERENCE(503) } },
	{ FAULT_NO_OPENER, { PLAIN(503, "no_opener"), OPENAI(503, "server_error", "no_opener"),
			     BEDROCK(503, "ServiceUnavailableException"),
			     SAGEMAKER(503, "ServiceUnavailable", NULL), INFERENCE(503) } },
};

static const struct row internal = {
	0, { PLAIN(500, "internal"), OPENAI(500, "server_error", "internal_error"),
	     BEDROCK(500, "InternalServerException"),
	     SAGEMAKER(500, "InternalFailure", NULL), INFERENCE(500) }
};

const struct fault_answer *fault_answer(int fault, enum api api)
{
	fault = abs(fault);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].fault == fault)
			return &rows[i].answers[api];
	}
	return &internal.answers[api];
}

/* ---- bodies ---- */

static void openai_body(struct buf *b, const struct fault_answer *a, const char *message)
{
	buf_text(b, "{\"error\":{\"message\":");
	json_string_add(b, message);
	buf_format(b, ",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}", a->type, a->code);
}

static void sagemaker_body(struct buf *b, const struct fault_answer *a, const char *message)
{
	buf_text(b, "{\"Message\":");
	json_string_add(b, message);
	if (a->type) {
		buf_format(b, ",\"OriginalStatusCode\":%s,\"OriginalMessage\":", a->type);
		json_string_add(b, message);
		buf_text(b, ",\"LogStreamArn\":\"\"");
	}
	buf_text(b, "}");
}

static void member_body(struct buf *b, const char *member, const char *message)
{
	buf_format(b, "{\"%s\":", member);
	json_string_add(b, message);
	buf_text(b, "}");
}

void fault_body(struct buf *b, const struct fault_answer *a, enum api api, const char *message)
{
	switch (api) {
	case API_OPENAI:
		openai_body(b, a, message);
		return;
	case API_SAGEMAKER:
		sagemaker_body(b, a, message);
		return;
	case API_INFERENCE:
		member_body(b, "error", message);
		return;
	default:
		member_body(b, "message", message);
	}
}
