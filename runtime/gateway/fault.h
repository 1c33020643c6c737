/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what can go wrong, and what each API says then
 *
 * A fault is an errno of libaif's (positive or negative), or one of those below,
 * which are about the request itself.  One table gives each of them a status and a
 * code for every API.
 */
#ifndef AIF_GATEWAY_FAULT_H
#define AIF_GATEWAY_FAULT_H

#include "runtime/gateway/buf.h"

enum api {
	API_PLAIN,	/* operations, and paths that are nobody's */
	API_OPENAI,
	API_BEDROCK,
	API_SAGEMAKER,
	API_INFERENCE,	/* Open Inference Protocol */
	API_COUNT
};

enum fault {
	FAULT_REQUEST = 4096,	/* not as the API says */
	FAULT_NO_ROUTE,
	FAULT_METHOD,
	FAULT_NO_SERVICE,
	FAULT_BODY_LARGE,
	FAULT_HEAD_LARGE,
	FAULT_MEDIA_TYPE,
	FAULT_SLOW,		/* the request did not arrive in time */
	FAULT_EXPECT,
	FAULT_NO_KEY,
	FAULT_BAD_KEY,
	FAULT_BAD_CREDENTIALS,
	FAULT_EXPIRED,
	FAULT_SIGNATURE,
	FAULT_FULL,		/* too many requests wait already */
	FAULT_DRAINING,
	FAULT_NOT_READY,
	FAULT_NO_OPENER,	/* nobody opens the device for the key's tenant */
};

/*
 * @status: HTTP's
 * @code:   the API's word for it
 * @type:   OpenAI: its class; SageMaker: NULL, or the OriginalStatusCode
 */
struct fault_answer {
	unsigned int status;
	const char *code;
	const char *type;
};

/* What @api says of @fault; never NULL.  What is not in the table is an internal error. */
const struct fault_answer *fault_answer(int fault, enum api api);

/* The error's body, application/json, with @message. */
void fault_body(struct buf *body, const struct fault_answer *answer, enum api api,
		const char *message);

#endif
