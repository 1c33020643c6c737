/* SPDX-License-Identifier: MIT */
/*
 * identity.h - who asks: from a request's credentials to its key and tenant
 *
 * What is taken, by API:
 *
 *   OpenAI, v2      Authorization: Bearer TOKEN
 *   v2              Authorization: Basic ID:SECRET too
 *   Bedrock,        AWS Signature Version 4 in the Authorization header (sigv4.h), or
 *   SageMaker       Bearer, which is what AWS_BEARER_TOKEN_BEDROCK sends
 *
 * Keys come from a key file (keys.h), which `aif key` writes.
 *
 * Threads: identity_check() may be called by any number of threads at once, also while
 * one calls identity_refresh().  It does no input or output, never waits for a reload's
 * file, and keeps nothing: what it takes from the heap inside libcrypto, a few hundred
 * bytes, is given back before it returns.
 */
#ifndef AIF_GATEWAY_IDENTITY_H
#define AIF_GATEWAY_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aif_model.h"
#include "runtime/gateway/key.h"

struct identity;

enum identity_api { IDENTITY_OPENAI, IDENTITY_BEDROCK, IDENTITY_SAGEMAKER, IDENTITY_V2 };

/* Bytes of a request, not ended by a NUL; @at may be NULL if @length is 0. */
struct identity_text {
	const char *at;
	size_t length;
};

struct identity_header {
	struct identity_text name, value;
};

/*
 * @api:          whose route this is
 * @http2:        HTTP/2; then @headers have ":authority"
 * @confidential: nobody on the way can read it: over TLS, or from this machine
 * @method, @path, @query: as received: nothing decoded or normalised; @path up to the
 *                '?', @query behind it, empty if there is none
 * @headers:      all that were received, in their order; names in any case; values
 *                without the white space around them.  At most SIGV4_HEADERS_MAX with a
 *                signature
 * @body_sha256:  32 bytes: of the whole body as received (before inflation, without
 *                chunked framing); of no bytes if there is no body.  NULL: the body is
 *                not there yet
 * @now:          the wall clock, seconds since 1970
 */
struct identity_request {
	enum identity_api api;
	bool http2;
	bool confidential;
	struct identity_text method, path, query;
	const struct identity_header *headers;
	size_t header_count;
	const uint8_t *body_sha256;
	int64_t now;
};

/*
 * IDENTITY_OK           @key and @tenant are who asks
 * IDENTITY_BODY         right so far: ask again with body_sha256.  Only where that was
 *                       NULL; @key and @tenant are not proven yet
 * IDENTITY_MISSING      no credentials
 * IDENTITY_MALFORMED    credentials that cannot be read, or of a kind not taken here
 * IDENTITY_UNKNOWN      no such key, revoked, or not this secret
 * IDENTITY_EXPIRED      the key's secret, too late
 * IDENTITY_SIGNATURE    a signature that is not this request's, is too old, or whose
 *                       scope is another
 * IDENTITY_EXPOSED      a secret in clear text; whoever sees the sentence should replace it
 * IDENTITY_FAILED       out of memory
 */
enum identity_verdict {
	IDENTITY_OK,
	IDENTITY_BODY,
	IDENTITY_MISSING,
	IDENTITY_MALFORMED,
	IDENTITY_UNKNOWN,
	IDENTITY_EXPIRED,
	IDENTITY_SIGNATURE,
	IDENTITY_EXPOSED,
	IDENTITY_FAILED,
};

/*
 * @status:  of HTTP: 200, 401 (OpenAI and v2), 403 (Bedrock and SageMaker), 500
 * @error:   what x-amzn-errortype calls it, such as "InvalidSignatureException"; NULL if
 *           it was not refused.  Other APIs have other names and may use the verdict
 * @message: a sentence for the client: without secrets, without telling which keys
 *           exist; empty if it was not refused
 * @reason:  a sentence for the operator's log, where it knows more than @message
 * @key:     the id that was proven, or, where it was refused, the one that was claimed
 *           (or empty); printable either way
 */
struct identity_answer {
	int status;
	const char *error;
	char message[256];
	char reason[128];
	char key[KEY_ID_SIZE];
	struct key_tenant tenant;
};

/*
 * @path:       the key file; NULL: KEYS_PATH
 * @region:     the one that signatures have in their scope; NULL: "us-east-1"
 * @clear_text: take bearer tokens and passwords that are not confidential
 */
struct identity_opts {
	const char *path;
	const char *region;
	bool clear_text;
};

/* Reads the key file.  NULL with errno and @why, as keys_load() says. */
struct identity *identity_open(const struct identity_opts *opts, struct aif_why *why);
void identity_close(struct identity *identity);

/*
 * Read the key file again if it is another than before: for a timer (one stat() if
 * nothing changed) and for SIGHUP (@force: read it anyhow).  Requests are checked
 * meanwhile.  1: new keys are in force; 0: nothing changed; -errno and @why: the keys
 * of before stay in force, and without @force the same file is not tried again.
 * One thread at a time.
 */
int identity_refresh(struct identity *identity, bool force, struct aif_why *why);

/* @answer is filled in whatever the verdict. */
enum identity_verdict identity_check(struct identity *identity,
				     const struct identity_request *request,
				     struct identity_answer *answer);

#endif
