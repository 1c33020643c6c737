// SPDX-License-Identifier: MIT
#include "runtime/gateway/sigv4.h"

#include <string.h>

#include "runtime/gateway/identity_text.h"

struct sink {
	sigv4_put_fn put;
	void *ctx;
};

static void put(const struct sink *sink, const struct identity_text *text)
{
	if (text->length)
		sink->put(sink->ctx, text->at, text->length);
}

static void put_string(const struct sink *sink, const char *string)
{
	sink->put(sink->ctx, string, strlen(string));
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* @c percent-encoded, if it has to be; the length. */
static size_t encode(unsigned char c, char out[3])
{
	static const char digits[] = "0123456789ABCDEF";

	out[0] = (char)c;
	if (is_unreserved(c))
		return 1;
	out[0] = '%';
	out[1] = digits[c >> 4];
	out[2] = digits[c & 15];
	return 3;
}

static void put_encoded(const struct sink *sink, const struct identity_text *text)
{
	char out[3];

	for (size_t i = 0; i < text->length; i++)
		sink->put(sink->ctx, out, encode((unsigned char)text->at[i], out));
}

/* Empty and dot segments are left out, ".." takes back the one before; -1: too many. */
static int read_path(struct identity_text rest, struct identity_text list[SIGV4_SEGMENTS_MAX])
{
	struct identity_text segment;
	int n = 0;

	while (identity_text_cut(&rest, '/', &segment)) {
		if (!segment.length || identity_text_is(&segment, "."))
			continue;
		if (identity_text_is(&segment, "..")) {
			n -= n > 0;
			continue;
		}
		if (n == SIGV4_SEGMENTS_MAX)
			return -1;
		list[n++] = segment;
	}
	return n;
}

static bool put_path(const struct sink *sink, const struct identity_text *path)
{
	struct identity_text list[SIGV4_SEGMENTS_MAX];
	int n = read_path(*path, list);

	for (int i = 0; i < n; i++) {
		put_string(sink, "/");
		put_encoded(sink, &list[i]);
	}
	if (n <= 0 || path->at[path->length - 1] == '/')
		put_string(sink, "/");
	return n >= 0;
}

/* Reads a name or value of a query as it is signed: decoded and encoded again. */
struct reader {
	struct identity_text left;
	char out[3];
	size_t at, length;
};

static int unhex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static unsigned char decode(struct identity_text *text)
{
	const char *s = text->at;
	bool escape = *s == '%' && text->length >= 3 && unhex(s[1]) >= 0 && unhex(s[2]) >= 0;
	size_t n = escape ? 3 : 1;

	text->at += n;
	text->length -= n;
	return (unsigned char)(escape ? unhex(s[1]) << 4 | unhex(s[2]) : *s);
}

/* The next character, or -1. */
static int next(struct reader *reader)
{
	if (reader->at == reader->length) {
		if (!reader->left.length)
			return -1;
		reader->length = encode(decode(&reader->left), reader->out);
		reader->at = 0;
	}
	return reader->out[reader->at++];
}

static int compare_encoded(const struct identity_text *a, const struct identity_text *b)
{
	struct reader ra = { .left = *a }, rb = { .left = *b };
	int ca, cb;

	do {
		ca = next(&ra);
		cb = next(&rb);
	} while (ca == cb && ca >= 0);
	return ca - cb;
}

static void put_again(const struct sink *sink, const struct identity_text *text)
{
	struct reader reader = { .left = *text };

	for (int c = next(&reader); c >= 0; c = next(&reader)) {
		char byte = (char)c;

		sink->put(sink->ctx, &byte, 1);
	}
}

struct parameter {
	struct identity_text name, value;
};

static int compare_parameters(const struct parameter *a, const struct parameter *b)
{
	int order = compare_encoded(&a->name, &b->name);

	return order ? order : compare_encoded(&a->value, &b->value);
}

/* Sorted as they come; -1: too many. */
static int read_query(struct identity_text rest, struct parameter list[SIGV4_QUERY_MAX])
{
	struct parameter p;
	int n = 0, i;

	while (identity_text_cut(&rest, '&', &p.value)) {
		if (!p.value.length)
			continue;
		identity_text_cut(&p.value, '=', &p.name);
		if (n == SIGV4_QUERY_MAX)
			return -1;
		for (i = n++; i && compare_parameters(&p, &list[i - 1]) < 0; i--)
			list[i] = list[i - 1];
		list[i] = p;
	}
	return n;
}

static bool put_query(const struct sink *sink, const struct identity_text *query)
{
	struct parameter list[SIGV4_QUERY_MAX];
	int n = read_query(*query, list);

	for (int i = 0; i < n; i++) {
		put_string(sink, i ? "&" : "");
		put_again(sink, &list[i].name);
		put_string(sink, "=");
		put_again(sink, &list[i].value);
	}
	return n >= 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void put_value(const struct sink *sink, struct identity_text value)
{
	bool begun = false;

	while (value.length) {
		struct identity_text word = value;
		size_t n = 0;

		for (; n < value.length && !is_space(value.at[n]); n++)
			;
		word.length = n;
		if (n && begun)
			put_string(sink, " ");
		begun |= n;
		put(sink, &word);
		n += n < value.length;
		value.at += n;
		value.length -= n;
	}
}

bool sigv4_is_under(const struct identity_request *request, const struct identity_text *name,
		     const struct identity_text *received)
{
	if (identity_text_is_lower_of(name, received))
		return true;
	return request->http2 && identity_text_is(name, "host") &&
	       identity_text_is(received, ":authority");
}

static void put_header(const struct sink *sink, const struct identity_request *request,
		       const struct identity_text *name)
{
	struct identity_text own;
	bool substitute = identity_text_is(name, "host") &&
			  !identity_header_find(request, "host", &own);
	bool begun = false;

	put(sink, name);
	put_string(sink, ":");
	for (size_t i = 0; i < request->header_count; i++) {
		const struct identity_header *h = &request->headers[i];

		if (!identity_text_is_lower_of(name, &h->name) &&
		    !(substitute && sigv4_is_under(request, name, &h->name)))
			continue;
		put_string(sink, begun ? "," : "");
		put_value(sink, h->value);
		begun = true;
	}
	put_string(sink, "\n");
}

bool sigv4_canonical(const struct identity_request *request, const struct sigv4 *sig,
		     const char *payload, sigv4_put_fn put_fn, void *ctx)
{
	const struct sink sink = { put_fn, ctx };
	struct identity_text rest = sig->signed_headers, name;

	put(&sink, &request->method);
	put_string(&sink, "\n");
	if (!put_path(&sink, &request->path))
		return false;
	put_string(&sink, "\n");
	if (!put_query(&sink, &request->query))
		return false;
	put_string(&sink, "\n");
	while (identity_text_cut(&rest, ';', &name))
		put_header(&sink, request, &name);
	put_string(&sink, "\n");
	put(&sink, &sig->signed_headers);
	put_string(&sink, "\n");
	put_string(&sink, payload);
	return true;
}
