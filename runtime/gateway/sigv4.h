/* SPDX-License-Identifier: MIT */
/*
 * sigv4.h - AWS Signature Version 4 in an Authorization header
 *
 * What is signed is a canonical request:
 *
 *   method
 *   path     as received, empty and dot segments removed, percent-encoded once more
 *            ("/model/x%3A0/invoke" is signed as "/model/x%253A0/invoke")
 *   query    each name and value decoded and encoded again, sorted
 *   headers  those that SignedHeaders names, in its order, which is sorted; runs of
 *            white space in values are one space; those of one name joined by commas
 *   names    SignedHeaders
 *   payload  the body's SHA-256
 *
 * Signed have to be "host" (over HTTP/2 it is ":authority" that is received, and either
 * name may be signed) and each "x-amz-*" that was sent, of which "x-amz-date" must be there.
 *
 * Source: "Create a signed AWS API request" in the AWS General Reference, and what
 * botocore and the SDKs for JavaScript and Go send to Bedrock and SageMaker.
 */
#ifndef AIF_GATEWAY_SIGV4_H
#define AIF_GATEWAY_SIGV4_H

#include "runtime/gateway/identity.h"

#define SIGV4_SCHEME "AWS4-HMAC-SHA256"
#define SIGV4_HEADERS_MAX 256
#define SIGV4_SIGNED_MAX 64
#define SIGV4_SEGMENTS_MAX 128
#define SIGV4_QUERY_MAX 32
#define SIGV4_SCOPE_MAX 512
#define SIGV4_SKEW_S 300
#define SIGV4_HEX 64			/* a SHA-256 or a signature */

/*
 * What a request says of its signature; points into the request.
 *
 * @id:      of the key, as claimed
 * @scope:   "DATE/REGION/SERVICE/aws4_request"; its parts follow
 * @payload: x-amz-content-sha256; empty: not sent
 * @token:   x-amz-security-token; empty: not sent
 * @time:    when it was signed, "20270131T120000Z"; @seconds is that since 1970
 */
struct sigv4 {
	struct identity_text id, scope, date, region, service;
	struct identity_text signed_headers, signature;
	struct identity_text payload, token;
	char time[17];
	int64_t seconds;
};

/*
 * Take apart @parameters, which stand behind SIGV4_SCHEME in the Authorization header, and
 * the headers that belong to them.  NULL; or a sentence that says what is wrong.
 */
const char *sigv4_read(const struct identity_request *request,
		       const struct identity_text *parameters, struct sigv4 *sig);

/* Whether the query has a signature instead of the header. */
bool sigv4_in_query(const struct identity_request *request);

/*
 * Whether @sig is the request's signature under @secret (a string), if its body has the
 * SHA-256 @payload (SIGV4_HEX digits).  1, 0, or -ENOMEM.  Compares in constant time.
 */
int sigv4_verify(const struct identity_request *request, const struct sigv4 *sig,
		 const char *secret, const char *payload);

/*
 * The canonical request, piece by piece.  false: more than SIGV4_SEGMENTS_MAX parts in its
 * path or SIGV4_QUERY_MAX parameters in its query; then it is not complete.
 */
typedef void (*sigv4_put_fn)(void *ctx, const char *bytes, size_t length);
bool sigv4_canonical(const struct identity_request *request, const struct sigv4 *sig,
		     const char *payload, sigv4_put_fn put, void *ctx);

/* Whether the header @received is what @name of SignedHeaders means. */
bool sigv4_is_under(const struct identity_request *request, const struct identity_text *name,
		    const struct identity_text *received);

/* SHA-256 as SIGV4_HEX lower-case digits and a NUL. */
void sigv4_hex(const uint8_t sum[32], char hex[SIGV4_HEX + 1]);
bool sigv4_is_hex(const struct identity_text *text);

#endif
