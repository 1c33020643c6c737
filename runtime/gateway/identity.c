// SPDX-License-Identifier: MIT
#include "runtime/gateway/identity.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/gateway/keys.h"
#include "runtime/gateway/identity_text.h"
#include "runtime/gateway/sigv4.h"
#include "runtime/model/why.h"

/* "ID:SECRET", and how long base64 makes that. */
#define BASIC_BYTES (KEY_ID_SIZE + KEY_SECRET_SIZE - 1)
#define BASIC_CHARS ((BASIC_BYTES + 2) / 3 * 4)

/*
 * @lock: of @keys.  A check copies its key under it, so that a reload has nobody to wait
 *        for but copies.
 * @seen: the file that was read or tried last
 */
struct identity {
	char *path;
	char *region;
	bool clear_text;
	pthread_rwlock_t lock;
	struct keys keys;
	struct stat seen;
};

/* ---- the key file ---- */

void identity_close(struct identity *identity)
{
	if (!identity)
		return;
	keys_free(&identity->keys);
	pthread_rwlock_destroy(&identity->lock);
	free(identity->region);
	free(identity->path);
	free(identity);
}

struct identity *identity_open(const struct identity_opts *opts, struct aif_why *why)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	int err;

	if (!identity || pthread_rwlock_init(&identity->lock, NULL)) {
		free(identity);
		aif_why_format(why, "no memory");
		errno = ENOMEM;
		return NULL;
	}
	identity->path = strdup(opts->path ? opts->path : KEYS_PATH);
	identity->region = strdup(opts->region ? opts->region : "us-east-1");
	identity->clear_text = opts->clear_text;
	err = identity->path && identity->region ? identity_refresh(identity, true, why)
						 : aif_why_set(why, -ENOMEM, "no memory");
	if (err >= 0)
		return identity;
	identity_close(identity);
	errno = -err;
	return NULL;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int identity_refresh(struct identity *identity, bool force, struct aif_why *why)
{
	struct keys keys, old;
	struct stat now;
	int err;

	if (!force && stat(identity->path, &now))
		now = (struct stat){ 0 };
	if (!force && is_same_file(&now, &identity->seen))
		return 0;
	err = keys_load(identity->path, &keys, &identity->seen, why);
	if (err)
		return err;
	pthread_rwlock_wrlock(&identity->lock);
	old = identity->keys;
	identity->keys = keys;
	pthread_rwlock_unlock(&identity->lock);
	keys_free(&old);
	return 1;
}

/* A copy, for as long as it is needed. */
static bool get_key(struct identity *identity, const struct identity_text *id, struct key *key)
{
	const struct key *found;

	pthread_rwlock_rdlock(&identity->lock);
	found = keys_find(&identity->keys, id->at, id->length);
	if (found)
		*key = *found;
	pthread_rwlock_unlock(&identity->lock);
	return found;
}

/* ---- answers ---- */

/* What AWS calls it; its SDKs raise exceptions of these names. */
static const char *const aws_names[] = {
	[IDENTITY_MISSING] = "MissingAuthenticationTokenException",
	[IDENTITY_MALFORMED] = "IncompleteSignatureException",
	[IDENTITY_UNKNOWN] = "UnrecognizedClientException",
	[IDENTITY_EXPIRED] = "ExpiredTokenException",
	[IDENTITY_SIGNATURE] = "InvalidSignatureException",
	[IDENTITY_EXPOSED] = "AccessDeniedException",
	[IDENTITY_FAILED] = "InternalServerException",
};

static bool is_aws(enum identity_api api)
{
	return api == IDENTITY_BEDROCK || api == IDENTITY_SAGEMAKER;
}

/* One check at work: what its steps share. */
struct check {
	struct identity *identity;
	const struct identity_request *request;
	struct identity_answer *answer;
	struct key key;
};

__attribute__((format(printf, 3, 4)))
static enum identity_verdict refuse(struct check *c, enum identity_verdict verdict,
				    const char *fmt, ...)
{
	struct identity_answer *a = c->answer;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->message, sizeof(a->message), fmt, ap);
	va_end(ap);
	a->error = aws_names[verdict];
	a->status = verdict == IDENTITY_FAILED ? 500 : is_aws(c->request->api) ? 403 : 401;
	a->tenant = (struct key_tenant){ 0 };
	return verdict;
}

static enum identity_verdict accept(struct check *c, enum identity_verdict verdict)
{
	c->answer->status = 200;
	c->answer->tenant = c->key.tenant;
	return verdict;
}

/* The same sentence for each reason: who asks learns nothing about keys. */
static enum identity_verdict refuse_key(struct check *c, const char *sentence, const char *reason)
{
	snprintf(c->answer->reason, sizeof(c->answer->reason), "%s", reason);
	return refuse(c, IDENTITY_UNKNOWN, "%s", sentence);
}

/* For the log, which must survive whatever is claimed. */
static void set_claimed(struct check *c, const struct identity_text *id)
{
	size_t n = id->length < KEY_ID_SIZE ? id->length : KEY_ID_SIZE - 1;

	for (size_t i = 0; i < n; i++)
		c->answer->key[i] = id->at[i] > ' ' && id->at[i] <= '~' ? id->at[i] : '?';
	c->answer->key[n] = '\0';
}

static bool is_expired(const struct check *c)
{
	return c->key.expires && c->key.expires <= c->request->now;
}

static enum identity_verdict refuse_expired(struct check *c)
{
	char time[KEY_TIME_SIZE];

	key_time_format(c->key.expires, time);
	return refuse(c, IDENTITY_EXPIRED, "This key expired at %s.", time);
}

/* ---- bearer and basic ---- */

static enum identity_verdict check_secret(struct check *c, enum key_type type,
					  const struct identity_text *id,
					  const struct identity_text *secret)
{
	static const char wrong[] = "The key is not valid here: it is unknown, revoked, or mistyped.";

	set_claimed(c, id);
	if (!c->request->confidential && !c->identity->clear_text)
		return refuse(c, IDENTITY_EXPOSED,
			      "A key in clear text is not taken: use https. It may have been seen: replace it.");
	if (!get_key(c->identity, id, &c->key))
		return refuse_key(c, wrong, "there is no such key");
	if (c->key.type != type)
		return refuse_key(c, wrong, "the key is of another type");
	if (c->key.revoked)
		return refuse_key(c, wrong, "the key was revoked");
	if (!key_has_secret(&c->key, secret->at, secret->length))
		return refuse_key(c, wrong, "the secret is not the key's");
	return is_expired(c) ? refuse_expired(c) : accept(c, IDENTITY_OK);
}

static enum identity_verdict check_bearer(struct check *c, const struct identity_text *token)
{
	struct identity_text id = { NULL, 0 }, secret = { NULL, 0 };

	if (key_token_split(token->at, token->length, &id.at, &secret.at)) {
		id.length = KEY_ID_SIZE - 1;
		secret.length = KEY_SECRET_SIZE - 1;
	}
	return check_secret(c, KEY_BEARER, &id, &secret);
}

static enum identity_verdict check_basic(struct check *c, const struct identity_text *credentials)
{
	unsigned char bytes[BASIC_CHARS / 4 * 3];
	struct identity_text id = { (char *)bytes, 0 }, secret = { (char *)bytes + KEY_ID_SIZE, 0 };
	enum identity_verdict verdict;

	if (c->request->api != IDENTITY_V2)
		return refuse(c, IDENTITY_MALFORMED, "Basic authentication is taken by /v2 only: %s.",
			      is_aws(c->request->api) ? "sign the request, or use a bearer key"
						      : "use a bearer key");
	if (credentials->length == BASIC_CHARS &&
	    EVP_DecodeBlock(bytes, (const unsigned char *)credentials->at, BASIC_CHARS) ==
	    sizeof(bytes) && bytes[KEY_ID_SIZE - 1] == ':') {
		id.length = KEY_ID_SIZE - 1;
		secret.length = KEY_SECRET_SIZE - 1;
	}
	verdict = check_secret(c, KEY_BASIC, &id, &secret);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return verdict;
}

/* ---- signatures ---- */

/* The key that is claimed, and the token that may have to come with it. */
static enum identity_verdict check_claimed(struct check *c, const struct sigv4 *sig)
{
	static const char wrong[] = "The security token included in the request is invalid.";

	set_claimed(c, &sig->id);
	if (!get_key(c->identity, &sig->id, &c->key))
		return refuse_key(c, wrong, "there is no such key");
	if (c->key.type != KEY_AWS)
		return refuse_key(c, wrong, "the key is of another type");
	if (c->key.revoked)
		return refuse_key(c, wrong, "the key was revoked");
	if (sig->token.length && !c->key.session)
		return refuse_key(c, wrong, "a session token that was not issued here");
	if (c->key.session && !key_has_session(&c->key, sig->token.at, sig->token.length))
		return refuse_key(c, wrong, "the session token is missing or another");
	return IDENTITY_OK;
}

static enum identity_verdict check_scope(struct check *c, const struct sigv4 *sig)
{
	const char *service = c->request->api == IDENTITY_BEDROCK ? "bedrock" : "sagemaker";

	if (!identity_text_is(&sig->service, service))
		return refuse(c, IDENTITY_SIGNATURE,
			      "Credential should be scoped to correct service: '%s'.", service);
	if (!identity_text_is(&sig->region, c->identity->region))
		return refuse(c, IDENTITY_SIGNATURE,
			      "Credential should be scoped to a valid region: '%s'.",
			      c->identity->region);
	if (sig->payload.length && !sigv4_is_hex(&sig->payload))
		return refuse(c, IDENTITY_SIGNATURE,
			      "x-amz-content-sha256 has to be the body's SHA-256: unsigned and streamed payloads are not taken.");
	return IDENTITY_OK;
}

static enum identity_verdict check_time(struct check *c, const struct sigv4 *sig)
{
	int64_t age = c->request->now - sig->seconds;
	char now[KEY_TIME_SIZE];

	key_time_format(c->request->now, now);
	if (age > SIGV4_SKEW_S)
		return refuse(c, IDENTITY_SIGNATURE,
			      "Signature expired: %s is more than %d s before %s, the time here.",
			      sig->time, SIGV4_SKEW_S, now);
	if (age < -SIGV4_SKEW_S)
		return refuse(c, IDENTITY_SIGNATURE,
			      "Signature not yet current: %s is more than %d s after %s, the time here.",
			      sig->time, SIGV4_SKEW_S, now);
	return IDENTITY_OK;
}

static enum identity_verdict check_signature(struct check *c, const struct sigv4 *sig,
					     const char *payload)
{
	int right = sigv4_verify(c->request, sig, c->key.secret, payload);

	if (right < 0)
		return refuse(c, IDENTITY_FAILED, "There is no memory.");
	if (!right)
		return refuse(c, IDENTITY_SIGNATURE,
			      "The request signature we calculated does not match the signature you provided.");
	return is_expired(c) ? refuse_expired(c) : IDENTITY_OK;
}

/* A declared hash lets a wrong signature be refused before the body is read. */
static enum identity_verdict check_payload(struct check *c, const struct sigv4 *sig)
{
	enum identity_verdict verdict = IDENTITY_OK;
	char payload[SIGV4_HEX + 1] = "";

	if (c->request->body_sha256)
		sigv4_hex(c->request->body_sha256, payload);
	else
		memcpy(payload, sig->payload.at, sig->payload.length);
	if (c->request->body_sha256 && sig->payload.length && !identity_text_is(&sig->payload, payload))
		return refuse(c, IDENTITY_SIGNATURE,
			      "The body's SHA-256 is not the one in x-amz-content-sha256.");
	if (*payload)
		verdict = check_signature(c, sig, payload);
	if (verdict)
		return verdict;
	return accept(c, c->request->body_sha256 ? IDENTITY_OK : IDENTITY_BODY);
}

static enum identity_verdict check_signed(struct check *c, const struct identity_text *parameters)
{
	enum identity_verdict verdict;
	struct sigv4 sig;
	const char *wrong;

	if (!is_aws(c->request->api))
		return refuse(c, IDENTITY_MALFORMED,
			      "Signatures are taken for Bedrock and SageMaker: use a bearer key here.");
	wrong = sigv4_read(c->request, parameters, &sig);
	if (wrong)
		return refuse(c, IDENTITY_MALFORMED, "%s", wrong);
	verdict = check_claimed(c, &sig);
	verdict = verdict ? verdict : check_scope(c, &sig);
	verdict = verdict ? verdict : check_time(c, &sig);
	return verdict ? verdict : check_payload(c, &sig);
}

/* ---- all of them ---- */

static enum identity_verdict refuse_missing(struct check *c)
{
	static const char *const how[] = {
		[IDENTITY_OPENAI] = "send Authorization: Bearer KEY",
		[IDENTITY_BEDROCK] = "sign the request, or set AWS_BEARER_TOKEN_BEDROCK",
		[IDENTITY_SAGEMAKER] = "sign the request, or send Authorization: Bearer KEY",
		[IDENTITY_V2] = "send Authorization: Basic or Bearer",
	};

	if (sigv4_in_query(c->request))
		return refuse(c, IDENTITY_MALFORMED,
			      "Signed URLs are not taken: sign with the Authorization header.");
	return refuse(c, IDENTITY_MISSING, "A key is needed: %s.", how[c->request->api]);
}

/* What is behind @scheme and white space; false: another scheme. */
static bool has_scheme(const struct identity_text *auth, const char *scheme,
		       struct identity_text *rest)
{
	size_t n = strlen(scheme);

	if (auth->length <= n || strncasecmp(auth->at, scheme, n) || auth->at[n] != ' ')
		return false;
	for (; n < auth->length && auth->at[n] == ' '; n++)
		;
	*rest = (struct identity_text){ auth->at + n, auth->length - n };
	return true;
}

static enum identity_verdict check_authorization(struct check *c, const struct identity_text *auth)
{
	struct identity_text rest;

	if (has_scheme(auth, "Bearer", &rest))
		return check_bearer(c, &rest);
	if (has_scheme(auth, "Basic", &rest))
		return check_basic(c, &rest);
	if (has_scheme(auth, SIGV4_SCHEME, &rest))
		return check_signed(c, &rest);
	return refuse(c, IDENTITY_MALFORMED,
		      "This kind of Authorization is not taken: it may be Bearer%s.",
		      is_aws(c->request->api) ? " or " SIGV4_SCHEME :
		      c->request->api == IDENTITY_V2 ? " or Basic" : "");
}

enum identity_verdict identity_check(struct identity *identity,
				     const struct identity_request *request,
				     struct identity_answer *answer)
{
	struct check c = { .identity = identity, .request = request, .answer = answer };
	struct identity_text auth;
	enum identity_verdict verdict;
	size_t n;

	*answer = (struct identity_answer){ 0 };
	n = identity_header_find(request, "authorization", &auth);
	if (!n)
		verdict = refuse_missing(&c);
	else if (n > 1)
		verdict = refuse(&c, IDENTITY_MALFORMED, "There are %zu Authorization headers.", n);
	else
		verdict = check_authorization(&c, &auth);
	OPENSSL_cleanse(&c.key, sizeof(c.key));
	return verdict;
}
