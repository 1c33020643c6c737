// SPDX-License-Identifier: MIT
#include "runtime/gateway/access.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "runtime/daemon/log.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/identity.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/route.h"
#include "runtime/gateway/tenant.h"

static struct identity_text text_at(const struct exchange *x, uint32_t at, uint32_t length)
{
	return (struct identity_text){ exchange_text(x, at), length };
}

/* All headers as identity_check() wants them; @list has room for one more than there are. */
static size_t list_headers(const struct exchange *x, struct identity_header *list)
{
	const char *authority = exchange_text(x, x->authority);
	size_t n = 0;

	if (x->http2 && *authority)
		list[n++] = (struct identity_header){ { ":authority", strlen(":authority") },
						      { authority, strlen(authority) } };
	for (unsigned int i = 0; i < x->header_count; i++) {
		const struct header *h = &x->headers[i];

		list[n++] = (struct identity_header){ text_at(x, h->name, h->name_length),
						      text_at(x, h->value, h->value_length) };
	}
	return n;
}

static enum identity_api api_of(const struct exchange *x)
{
	switch (x->api) {
	case API_BEDROCK:
		return IDENTITY_BEDROCK;
	case API_SAGEMAKER:
		return IDENTITY_SAGEMAKER;
	case API_INFERENCE:
		return IDENTITY_V2;
	default:
		return IDENTITY_OPENAI;
	}
}

static enum identity_verdict ask(const struct exchange *x, const uint8_t *digest,
				 struct identity_answer *answer)
{
	struct identity_header headers[HEADERS_MAX + 1];
	const char *target = exchange_text(x, x->target), *method = exchange_text(x, x->method);
	bool query = x->path_length < x->target_length;
	struct identity_request r = {
		.api = api_of(x), .http2 = x->http2, .confidential = x->secure,
		.method = { method, strlen(method) }, .path = { target, x->path_length },
		.query = { query ? target + x->path_length + 1 : "",
			   query ? x->target_length - x->path_length - 1 : 0 },
		.headers = headers, .header_count = list_headers(x, headers),
		.body_sha256 = digest, .now = (int64_t)time(NULL),
	};

	return identity_check(x->loop->gateway->identity, &r, answer);
}

static int fault_of(enum identity_verdict verdict)
{
	switch (verdict) {
	case IDENTITY_MISSING:
		return FAULT_NO_KEY;
	case IDENTITY_MALFORMED:
		return FAULT_BAD_CREDENTIALS;
	case IDENTITY_SIGNATURE:
		return FAULT_SIGNATURE;
	case IDENTITY_EXPIRED:
		return FAULT_EXPIRED;
	case IDENTITY_FAILED:
		return ENOMEM;
	default:
		return FAULT_BAD_KEY;
	}
}

static bool refuse(struct exchange *x, enum identity_verdict verdict,
		   const struct identity_answer *answer)
{
	log_debug("%s: %s refused: %s", x->id, *answer->key ? answer->key : "no key",
		  *answer->reason ? answer->reason : answer->message);
	exchange_fail(x, fault_of(verdict), "%s", answer->message);
	return false;
}

static bool accept(struct exchange *x, const struct key_tenant *tenant)
{
	x->tenant = tenant_get(x->loop->gateway->tenants, tenant);
	if (!x->tenant)
		exchange_fail(x, ENOMEM, "no memory");
	return x->tenant;
}

bool access_check(struct exchange *x, bool whole)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct identity_answer answer;
	enum identity_verdict verdict;

	if (x->tenant)
		return true;
	if (x->route->needs == NEEDS_NOTHING || x->loop->gateway->opts.anonymous)
		return accept(x, &(struct key_tenant){ .type = KEY_TENANT_NONE });
	if (whole && !EVP_Digest(x->body.data ? x->body.data : "", x->body.length, digest, NULL,
				 EVP_sha256(), NULL)) {
		exchange_fail(x, ENOMEM, "no memory");
		return false;
	}
	verdict = ask(x, whole ? digest : NULL, &answer);
	memcpy(x->key, answer.key, sizeof(x->key));
	if (verdict == IDENTITY_BODY)
		return true;
	return verdict == IDENTITY_OK ? accept(x, &answer.tenant) : refuse(x, verdict, &answer);
}
