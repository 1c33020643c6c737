// SPDX-License-Identifier: MIT
#include "runtime/gateway/sigv4.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/gateway/identity_text.h"

#define TIME_FORMAT "%Y%m%dT%H%M%SZ"
#define TERMINATOR "aws4_request"

/* ---- taking apart ---- */

bool sigv4_is_hex(const struct identity_text *text)
{
	for (size_t i = 0; i < text->length; i++) {
		if (!memchr("0123456789abcdef", text->at[i], 16))
			return false;
	}
	return text->length == SIGV4_HEX;
}

static void trim(struct identity_text *text)
{
	for (; text->length && *text->at == ' '; text->at++)
		text->length--;
	for (; text->length && text->at[text->length - 1] == ' '; text->length--)
		;
}

/* "Name=value"; false: it is none of these, or was there before. */
static bool read_parameter(struct identity_text piece, struct identity_text *const values[3],
			   unsigned int *seen)
{
	static const char *const names[] = { "Credential", "SignedHeaders", "Signature" };
	struct identity_text name;

	trim(&piece);
	identity_text_cut(&piece, '=', &name);
	for (unsigned int i = 0; i < 3; i++) {
		if (!identity_text_is(&name, names[i]))
			continue;
		if (!piece.at || *seen & 1u << i)
			return false;
		*values[i] = piece;
		*seen |= 1u << i;
		return true;
	}
	return false;
}

static const char *read_parameters(struct identity_text rest, struct identity_text *credential,
				   struct sigv4 *sig)
{
	struct identity_text *const values[] = { credential, &sig->signed_headers, &sig->signature };
	struct identity_text piece;
	unsigned int seen = 0;

	while (identity_text_cut(&rest, ',', &piece)) {
		if (!read_parameter(piece, values, &seen))
			return "A part of Authorization is none of Credential, SignedHeaders and Signature, or is there twice.";
	}
	return seen == 7 ? NULL : "Authorization lacks Credential, SignedHeaders or Signature.";
}

static const char *read_credential(struct identity_text rest, struct sigv4 *sig)
{
	struct identity_text *const parts[] = { &sig->id, &sig->date, &sig->region, &sig->service };
	size_t n = 0;

	for (; n < 4 && identity_text_cut(&rest, '/', parts[n]) && rest.at; n++) {
		if (!n)
			sig->scope = rest;
	}
	if (n < 4 || !identity_text_is(&rest, TERMINATOR))
		return "Credential is not ID/DATE/REGION/SERVICE/" TERMINATOR ".";
	return NULL;
}

static const char *read_time(const struct identity_request *request, struct sigv4 *sig)
{
	struct identity_text date;
	char again[sizeof(sig->time)];
	struct tm tm = { 0 };
	const char *end;

	if (identity_header_find(request, "x-amz-date", &date) != 1 ||
	    date.length != sizeof(sig->time) - 1)
		return "There has to be one X-Amz-Date header, like 20270131T120000Z.";
	memcpy(sig->time, date.at, date.length);
	sig->time[date.length] = '\0';
	end = strptime(sig->time, TIME_FORMAT, &tm);
	if (!end || *end)
		return "X-Amz-Date is not a time like 20270131T120000Z.";
	sig->seconds = timegm(&tm);	/* which puts right what strptime() lets pass */
	if (!strftime(again, sizeof(again), TIME_FORMAT, &tm) || strcmp(again, sig->time))
		return "X-Amz-Date is not a time like 20270131T120000Z.";
	if (sig->date.length != 8 || memcmp(sig->date.at, sig->time, 8))
		return "The date in Credential is not that of X-Amz-Date.";
	return NULL;
}

static bool is_received(const struct identity_request *request, const struct identity_text *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (sigv4_is_under(request, name, &request->headers[i].name))
			return true;
	}
	return false;
}

static bool is_lower(const struct identity_text *name)
{
	for (size_t i = 0; i < name->length; i++) {
		if (name->at[i] >= 'A' && name->at[i] <= 'Z')
			return false;
	}
	return name->length;
}

/* Sorted and lower-case as they are signed, and received, all of them. */
static const char *check_names(const struct identity_request *request, const struct sigv4 *sig)
{
	struct identity_text rest = sig->signed_headers, name, before = { "", 0 };
	bool host = false;

	for (int n = 0; identity_text_cut(&rest, ';', &name); n++) {
		if (n >= SIGV4_SIGNED_MAX)
			return "SignedHeaders names more headers than are taken here.";
		if (!is_lower(&name) || identity_text_compare(&before, &name) >= 0)
			return "SignedHeaders is not a sorted list of lower-case names.";
		if (!is_received(request, &name))
			return "SignedHeaders names a header that was not received.";
		host |= identity_text_is(&name, "host") ||
			(request->http2 && identity_text_is(&name, ":authority"));
		before = name;
	}
	return host ? NULL : "The host is not in SignedHeaders.";
}

static bool is_signed(const struct sigv4 *sig, const struct identity_text *received)
{
	struct identity_text rest = sig->signed_headers, name;

	while (identity_text_cut(&rest, ';', &name)) {
		if (identity_text_is_lower_of(&name, received))
			return true;
	}
	return false;
}

static const char *check_headers(const struct identity_request *request, const struct sigv4 *sig)
{
	if (request->header_count > SIGV4_HEADERS_MAX)
		return "There are more headers than are taken with a signature.";
	for (size_t i = 0; i < request->header_count; i++) {
		const struct identity_text *name = &request->headers[i].name;
		struct identity_text prefix = { name->at, name->length < 6 ? name->length : 6 };

		if (prefix.length == 6 && !strncasecmp(prefix.at, "x-amz-", 6) && !is_signed(sig, name))
			return "An x-amz-* header was received that SignedHeaders does not name.";
	}
	return check_names(request, sig);
}

const char *sigv4_read(const struct identity_request *request,
		       const struct identity_text *parameters, struct sigv4 *sig)
{
	struct identity_text credential;
	const char *wrong;

	*sig = (struct sigv4){ 0 };
	wrong = read_parameters(*parameters, &credential, sig);
	wrong = wrong ? wrong : read_credential(credential, sig);
	wrong = wrong ? wrong : read_time(request, sig);
	wrong = wrong ? wrong : check_headers(request, sig);
	if (wrong)
		return wrong;
	if (!sigv4_is_hex(&sig->signature))
		return "Signature is not 64 lower-case hexadecimal digits.";
	if (identity_header_find(request, "x-amz-content-sha256", &sig->payload) > 1 ||
	    identity_header_find(request, "x-amz-security-token", &sig->token) > 1)
		return "x-amz-content-sha256 or x-amz-security-token is there twice.";
	return NULL;
}

bool sigv4_in_query(const struct identity_request *request)
{
	struct identity_text rest = request->query, pair, name;

	while (identity_text_cut(&rest, '&', &pair)) {
		if (identity_text_cut(&pair, '=', &name) && identity_text_is(&name, "X-Amz-Signature"))
			return true;
	}
	return false;
}

/* ---- the signature ---- */

void sigv4_hex(const uint8_t sum[32], char hex[SIGV4_HEX + 1])
{
	for (int i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

/* Pieces are small; a hash takes them gladly by the block. */
struct hash {
	EVP_MD_CTX *md;
	bool failed;
	size_t length;
	char buffer[512];
};

static void hash_flush(struct hash *hash)
{
	hash->failed |= EVP_DigestUpdate(hash->md, hash->buffer, hash->length) != 1;
	hash->length = 0;
}

static void hash_put(void *ctx, const char *bytes, size_t length)
{
	struct hash *hash = ctx;

	while (length) {
		size_t room = sizeof(hash->buffer) - hash->length;
		size_t n = length < room ? length : room;

		memcpy(hash->buffer + hash->length, bytes, n);
		hash->length += n;
		bytes += n;
		length -= n;
		if (hash->length == sizeof(hash->buffer))
			hash_flush(hash);
	}
}

/* 1; 0: it cannot be right; -ENOMEM. */
static int hash_request(const struct identity_request *request, const struct sigv4 *sig,
			const char *payload, char hex[SIGV4_HEX + 1])
{
	struct hash hash = { .md = EVP_MD_CTX_new() };
	uint8_t sum[32];
	bool complete;

	if (!hash.md || EVP_DigestInit_ex(hash.md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(hash.md);
		return -ENOMEM;
	}
	complete = sigv4_canonical(request, sig, payload, hash_put, &hash);
	hash_flush(&hash);
	hash.failed |= EVP_DigestFinal_ex(hash.md, sum, NULL) != 1;
	EVP_MD_CTX_free(hash.md);
	if (hash.failed)
		return -ENOMEM;
	sigv4_hex(sum, hex);
	return complete;
}

static bool hmac(const void *key, size_t key_length, const struct identity_text *text,
		 uint8_t sum[32])
{
	return HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text->at,
		    text->length, sum, NULL);
}

/* A chain over date, region, service: so each signer needs but a part of the secret. */
static bool signing_key(const struct sigv4 *sig, const char *secret, uint8_t key[32])
{
	static const struct identity_text terminator = { TERMINATOR, sizeof(TERMINATOR) - 1 };
	char first[4 + KEY_SECRET_SIZE];
	int n = snprintf(first, sizeof(first), "AWS4%s", secret);
	bool done = (size_t)n < sizeof(first) && hmac(first, (size_t)n, &sig->date, key) &&
		    hmac(key, 32, &sig->region, key) && hmac(key, 32, &sig->service, key) &&
		    hmac(key, 32, &terminator, key);

	OPENSSL_cleanse(first, sizeof(first));
	return done;
}

static bool sign(const struct sigv4 *sig, const char *secret, const char *request_hash,
		 uint8_t signature[32])
{
	char text[1024];
	int n = snprintf(text, sizeof(text), SIGV4_SCHEME "\n%s\n%.*s\n%s", sig->time,
			 (int)sig->scope.length, sig->scope.at, request_hash);
	struct identity_text to_sign = { text, (size_t)n };
	uint8_t key[32];
	bool done = signing_key(sig, secret, key) && hmac(key, sizeof(key), &to_sign, signature);

	OPENSSL_cleanse(key, sizeof(key));
	return done;
}

int sigv4_verify(const struct identity_request *request, const struct sigv4 *sig,
		 const char *secret, const char *payload)
{
	char hash[SIGV4_HEX + 1], expected[SIGV4_HEX + 1];
	uint8_t signature[32];
	int ret;

	if (sig->scope.length > SIGV4_SCOPE_MAX)
		return 0;
	ret = hash_request(request, sig, payload, hash);
	if (ret <= 0)
		return ret;
	if (!sign(sig, secret, hash, signature))
		return -ENOMEM;
	sigv4_hex(signature, expected);
	return !CRYPTO_memcmp(expected, sig->signature.at, SIGV4_HEX);
}
