// SPDX-License-Identifier: MIT
/*
 * Credentials of a request: a byte of flags (1: HTTP/2, 2: clear text, 4: the body is
 * there; the next two are the API), then lines: method, path, query, and "name:value" for each
 * header.  Nobody guesses a secret, so nothing may be taken; and what is signed stays
 * the same when it is canonicalised again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "runtime/gateway/identity_text.h"
#include "runtime/gateway/sigv4.h"

#define HEADERS 300
#define NOW 1800000000
#define SUM "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define KEY(id, type, more) "{\"id\":\"AIFK" id "\",\"name\":\"a\",\"type\":\"" type \
	"\",\"created\":\"2027-01-01T00:00:00Z\"," more "}"
#define SESSION "\"secret\":\"wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEYabc\",\"session_sha256\":" SUM

/* No secret has the digest SUM, as far as anybody knows. */
static const char keys[] = "{\"version\":1,\"keys\":["
	KEY("AAAAAAAAAAAAAAAA", "aws", "\"secret\":\"wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEYabc\"") ","
	KEY("BBBBBBBBBBBBBBBB", "aws", SESSION) ","
	KEY("CCCCCCCCCCCCCCCC", "bearer", "\"sha256\":" SUM) ","
	KEY("DDDDDDDDDDDDDDDD", "basic", "\"sha256\":" SUM) ","
	KEY("EEEEEEEEEEEEEEEE", "bearer", "\"revoked\":\"2027-01-01T00:00:00Z\"") "]}";

static struct identity *identity;

void fuzz_start(void)
{
	char path[64];
	struct identity_opts opts = { .path = path };
	struct aif_why why;
	int fd = memfd_create("keys", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(fd >= 0 && !fchmod(fd, 0600) &&
		write(fd, keys, strlen(keys)) == (ssize_t)strlen(keys), "a file can be made");
	identity = identity_open(&opts, &why);
	require(identity, why.text);
	close(fd);
}

static struct identity_text line(struct input *in, uint8_t end)
{
	struct input piece = take_until(in, end);

	return (struct identity_text){ (const char *)piece.at, piece.left };
}

static size_t read_headers(struct input *in, struct identity_header headers[HEADERS])
{
	size_t n = 0;

	for (; in->left && n < HEADERS; n++) {
		struct input piece = take_until(in, '\n');

		headers[n].name = line(&piece, piece.left && *piece.at == ':' ? 0 : ':');
		headers[n].value = (struct identity_text){ (const char *)piece.at, piece.left };
	}
	return n;
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static void check_answer(const struct identity_request *r)
{
	struct identity_answer a;
	enum identity_verdict verdict = identity_check(identity, r, &a);

	require(verdict != IDENTITY_OK && verdict != IDENTITY_FAILED, "nobody guesses a secret");
	require(verdict != IDENTITY_BODY || !r->body_sha256, "the body was there");
	require(is_printable(a.message) && is_printable(a.reason) && is_printable(a.key), "for a log");
	require(!*a.message == (verdict == IDENTITY_BODY), "a refusal has a sentence");
	require(verdict == IDENTITY_BODY || a.status == 401 || a.status == 403, "its status");
}

/* ---- canonicalising again ---- */

struct text {
	char *at;
	size_t length;
};

static void append(void *ctx, const char *bytes, size_t length)
{
	struct text *text = ctx;

	text->at = realloc(text->at, text->length + length + 1);
	memcpy(text->at + text->length, bytes, length);
	text->length += length;
	text->at[text->length] = '\0';
}

/* Path and query of the request, as they are signed. */
static struct text canonical(struct identity_request r)
{
	const struct sigv4 sig = { .signed_headers = { "", 0 } };
	struct text text = { NULL, 0 };

	r.method.length = 0;
	require(sigv4_canonical(&r, &sig, "", append, &text), "few enough parts");
	return text;
}

/* Undoes the encoding that the path was given, in place. */
static void decode(struct identity_text *path)
{
	char *to = (char *)path->at, *end = to + path->length;

	for (char *from = to; from < end; path->length = (size_t)(to - path->at)) {
		unsigned int byte = (unsigned char)*from;

		require(*from != '%' || (end - from > 2 && sscanf(from + 1, "%2X", &byte) == 1),
			"an escape is whole");
		from += *from == '%' ? 3 : 1;
		*to++ = (char)byte;
	}
}

static void check_canonical(struct identity_request r)
{
	struct text first = canonical(r), second;
	struct identity_text rest = { first.at, first.length }, empty;
	char *copy = strdup(first.at);

	for (const char *c = first.at; *c; c++)
		require(*c == '\n' || (*c > ' ' && *c <= '~'), "signed is ASCII");
	identity_text_cut(&rest, '\n', &empty);
	identity_text_cut(&rest, '\n', &r.path);
	identity_text_cut(&rest, '\n', &r.query);
	decode(&r.path);
	second = canonical(r);
	require(!strcmp(copy, second.at), "what is canonical stays");
	free(copy);
	free(first.at);
	free(second.at);
}

static bool is_few(const struct identity_request *r)
{
	const struct sigv4 sig = { .signed_headers = { "", 0 } };
	struct text text = { NULL, 0 };
	bool few = sigv4_canonical(r, &sig, "", append, &text);

	free(text.at);
	return few;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static const uint8_t sum[32];
	struct input in = { data, size };
	struct identity_header headers[HEADERS];
	struct identity_text authorization;
	uint8_t flags = take(&in);
	struct sigv4 sig;
	struct identity_request r = {
		.http2 = flags & 1, .confidential = !(flags & 2), .body_sha256 = flags & 4 ? sum : NULL,
		.api = (enum identity_api)(flags >> 3 & 3), .headers = headers, .now = NOW,
	};

	r.method = line(&in, '\n');
	r.path = line(&in, '\n');
	r.query = line(&in, '\n');
	r.header_count = read_headers(&in, headers);
	check_answer(&r);
	if (is_few(&r))
		check_canonical(r);
	identity_header_find(&r, "authorization", &authorization);
	if (authorization.length < sizeof(SIGV4_SCHEME))
		return false;
	authorization.at += sizeof(SIGV4_SCHEME);
	authorization.length -= sizeof(SIGV4_SCHEME);
	return !sigv4_read(&r, &authorization, &sig);
}
