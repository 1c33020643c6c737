// SPDX-License-Identifier: MIT
/*
 * HTTP/1.1, parsed by http-parser.  One request at a time: what comes behind it waits
 * in ->pending, and when much waits nothing more is read.
 *
 * The parser is lenient where it was made to be fast; what two readers of one stream
 * could understand differently is refused here.  It gets its input in pieces, whose
 * bytes are looked at before: a line ends with CR LF, and a CR or LF stands nowhere
 * else; no header is folded; a chunk ends where it says.  And of the head as a whole: a
 * name or a value with other characters, any Transfer-Encoding but "chunked", two Hosts.
 */
#include <ctype.h>
#include <errno.h>
#include <http_parser.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/conn.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"

#define PENDING_MOST 65536
#define PULL_BYTES 16384
#define CHUNK_HEAD 6	/* "ffff\r\n" */

/* Of a request, by who may stand where. */
enum part { PART_HEAD, PART_BODY, PART_SIZE, PART_CHUNK, PART_CHUNK_END, PART_TRAILER };

/*
 * @x:         the request under way; NULL between two
 * @target, @name, @value: of the head, as far as they came
 * @part:      what comes next; @before: the byte before it, 0: none of that part
 * @chunk_left: of the chunk under way
 * @head_bytes: of the head so far
 * @refused:   the request was answered before it was there: read no more
 * @chunked:   the response's length is not known
 * @last:      close after this response
 */
struct h1 {
	struct conn *conn;
	http_parser parser;
	struct exchange *x;
	struct buf pending, target, name, value;
	enum part part;
	char before;
	uint64_t chunk_left;
	size_t head_bytes;
	bool in_value, refused, chunked, last, pumping;
};

static void pump(struct h1 *h);

/* ---- the response ---- */

static const char *reason(unsigned int status)
{
	switch (status) {
#define XX(number, name, string) \
	case number:             \
		return #string;
		HTTP_STATUS_MAP(XX)
#undef XX
	}
	return "Unknown";
}

static void write_extra(struct buf *out, const struct buf *extra)
{
	const char *at = extra->data, *end = at + extra->length;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		buf_format(out, "%s: %s\r\n", at, value);
		at = value + strlen(value) + 1;
	}
}

static void write_head(struct h1 *h, struct buf *out)
{
	struct exchange *x = h->x;

	buf_format(out, "HTTP/1.1 %u %s\r\ndate: %s\r\n", x->status, reason(x->status),
		   loop_date(x->loop));
	if (x->content_type)
		buf_format(out, "content-type: %s\r\n", x->content_type);
	if (x->length >= 0)
		buf_format(out, "content-length: %lld\r\n", (long long)x->length);
	else if (h->chunked)
		buf_text(out, "transfer-encoding: chunked\r\n");
	if (h->last)
		buf_text(out, "connection: close\r\n");
	write_extra(out, &x->extra);
	buf_text(out, "\r\n");
}

static void respond(struct exchange *x)
{
	struct h1 *h = x->session;

	if (x->responded) {
		conn_kill(h->conn);	/* it began otherwise: only its end can say so */
		return;
	}
	x->responded = true;
	h->last |= h->conn->loop->draining || !x->complete || !http_should_keep_alive(&h->parser);
	h->chunked = x->length < 0 && h->parser.http_minor;
	h->last |= x->length < 0 && !h->chunked;
	write_head(h, &h->conn->out);
	if (!h->pumping)
		conn_kick(h->conn);
}

static void resume(struct exchange *x)
{
	conn_kick(((struct h1 *)x->session)->conn);
}

static const struct carrier carrier = { .respond = respond, .resume = resume };

/* All was sent: on to the next request, or to the end. */
static void finish(struct h1 *h)
{
	struct conn *c = h->conn;

	if (h->chunked)
		buf_text(&c->out, "0\r\n\r\n");
	exchange_free(h->x);
	h->x = NULL;
	c->busy = 0;
	if (h->last) {
		c->closing = true;
		return;
	}
	c->reading = true;
	pump(h);
}

/* A piece of the body into @out.  What pull() says. */
static ssize_t pull_piece(struct h1 *h, struct buf *out)
{
	size_t head = h->chunked ? CHUNK_HEAD : 0;
	char *to = buf_room(out, PULL_BYTES + head + 2);
	ssize_t n;

	if (!to)
		return -ENOMEM;
	n = h->x->pull(h->x, to + head, PULL_BYTES);
	if (n <= 0)
		return n;
	if (h->chunked) {
		char hex[CHUNK_HEAD + 1];

		snprintf(hex, sizeof(hex), "%04x\r\n", (uint16_t)n);
		memcpy(to, hex, CHUNK_HEAD);
		memcpy(to + head + n, "\r\n", 2);
	}
	buf_grew(out, head + (size_t)n + (h->chunked ? 2 : 0));
	h->x->sent_bytes += (uint64_t)n;
	return n;
}

static void output(struct conn *c)
{
	struct h1 *h = c->session;
	ssize_t n = 1;

	if (!h->x || !h->x->responded)
		return;
	while (n > 0 && c->out.length - c->sent < CONN_OUT_LOW)
		n = h->x->head_only ? 0 : pull_piece(h, &c->out);
	if (n == -EAGAIN)
		return;
	if (n < 0)
		conn_kill(c);
	else if (!n)
		finish(h);
}

/* ---- the request's head ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool header_is_sound(const struct buf *name, const struct buf *value)
{
	return name->length &&
	       nghttp2_check_header_name((const uint8_t *)name->data, name->length) &&
	       name->data[0] != ':' &&
	       nghttp2_check_header_value((const uint8_t *)(value->data ? value->data : ""),
					  value->length);
}

static void refuse(struct h1 *h, int fault, const char *message)
{
	h->refused = true;
	exchange_fail(h->x, fault, "%s", message);
}

/* A header is complete.  -1: it was refused. */
static int header_end(struct h1 *h)
{
	struct exchange *x = h->x;
	size_t length = h->value.length;

	if (!h->in_value)
		return 0;
	h->in_value = false;
	while (length && is_blank(h->value.data[length - 1]))
		length--;
	h->value.length = length;
	for (size_t i = 0; i < h->name.length; i++)
		h->name.data[i] = (char)tolower((unsigned char)h->name.data[i]);
	if (!header_is_sound(&h->name, &h->value)) {
		refuse(h, FAULT_REQUEST, "a header has characters that it may not have");
		return -1;
	}
	if (x->header_count == HEADERS_MAX) {
		refuse(h, FAULT_HEAD_LARGE, "there are too many headers");
		return -1;
	}
	exchange_header_add(x, h->name.data, h->name.length, length ? h->value.data : "", length);
	h->name.length = h->value.length = 0;
	return 0;
}

/* The head is limited as it comes, not when it is there. */
static int head_grew(struct h1 *h, size_t bytes)
{
	h->head_bytes += bytes;
	if (h->head_bytes <= h->conn->loop->gateway->opts.head_bytes)
		return 0;
	refuse(h, FAULT_HEAD_LARGE, "the head is too long");
	return -1;
}

static int on_begin(http_parser *p)
{
	struct h1 *h = p->data;

	h->x = exchange_new(h->conn->loop, &carrier, h);
	if (!h->x)
		return -1;
	exchange_of_conn(h->x, h->conn);
	h->conn->busy = 1;
	h->head_bytes = 0;
	h->in_value = h->last = h->chunked = false;
	h->target.length = h->name.length = h->value.length = 0;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t length)
{
	struct h1 *h = p->data;

	buf_add(&h->target, at, length);
	return head_grew(h, length);
}

static int on_field(http_parser *p, const char *at, size_t length)
{
	struct h1 *h = p->data;

	if (p->flags & F_TRAILING)
		return head_grew(h, length);	/* trailers say nothing here */
	if (header_end(h))
		return -1;
	buf_add(&h->name, at, length);
	return head_grew(h, length);
}

static int on_value(http_parser *p, const char *at, size_t length)
{
	struct h1 *h = p->data;

	if (p->flags & F_TRAILING)
		return head_grew(h, length);
	h->in_value = true;
	buf_add(&h->value, at, length);
	return head_grew(h, length + 4);
}

/* ---- the head as a whole ---- */

static const char *only(const struct exchange *x, const char *name, unsigned int *count)
{
	const char *value = NULL;

	*count = 0;
	for (unsigned int i = 0; i < x->header_count; i++) {
		if (strcmp(exchange_text(x, x->headers[i].name), name))
			continue;
		value = exchange_text(x, x->headers[i].value);
		(*count)++;
	}
	return value;
}

/* What is wrong with the head, NULL: nothing. */
static const char *head_fault(struct h1 *h)
{
	unsigned int hosts, encodings, lengths;
	const char *encoding = only(h->x, "transfer-encoding", &encodings);

	only(h->x, "content-length", &lengths);
	only(h->x, "host", &hosts);
	if (h->parser.http_major != 1)
		return "not HTTP/1";
	if (encodings > 1 || (encoding && strcasecmp(encoding, "chunked")))
		return "Transfer-Encoding can only be \"chunked\"";
	if (encodings && (lengths || !h->parser.http_minor))
		return "Transfer-Encoding does not go with Content-Length, nor with HTTP/1.0";
	if (lengths > 1)
		return "there are two Content-Lengths";
	if (hosts > 1 || (!hosts && h->parser.http_minor))
		return "there must be one Host";
	if (!h->target.length || h->target.data[0] != '/')
		return "the target must be a path";
	return NULL;
}

static void fill_head(struct h1 *h)
{
	struct exchange *x = h->x;
	const char *method = http_method_str((enum http_method)h->parser.method);

	x->method = exchange_head_text(x, method, strlen(method));
	x->target = exchange_head_text(x, h->target.data, h->target.length);
	x->target_length = (uint32_t)h->target.length;
	x->head.failed |= h->target.failed | h->name.failed | h->value.failed;
	x->head_only = h->parser.method == HTTP_HEAD;
}

/* "100-continue" is the only expectation there is. */
static bool expect(struct h1 *h)
{
	const char *expected = exchange_header(h->x, "expect");

	if (!expected)
		return true;
	if (strcasecmp(expected, "100-continue")) {
		refuse(h, FAULT_EXPECT, "only 100-continue can be expected");
		return false;
	}
	buf_text(&h->conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return true;
}

static int on_head(http_parser *p)
{
	struct h1 *h = p->data;
	bool chunked = p->flags & F_CHUNKED;
	const char *fault;

	p->upgrade = 0;		/* nobody is upgraded */
	if (header_end(h))
		return -1;
	fault = head_fault(h);
	if (fault) {
		refuse(h, FAULT_REQUEST, fault);
		return -1;
	}
	fill_head(h);
	h->part = chunked ? PART_SIZE : PART_BODY;
	h->refused = !exchange_head(h->x, chunked ? -1 :
				    p->flags & F_CONTENTLENGTH ? (int64_t)p->content_length : 0);
	return h->refused || !expect(h) ? -1 : 0;
}

static int on_chunk(http_parser *p)
{
	struct h1 *h = p->data;

	h->chunk_left = p->content_length;
	h->part = h->chunk_left ? PART_CHUNK : PART_TRAILER;
	return 0;
}

static int on_body(http_parser *p, const char *at, size_t length)
{
	struct h1 *h = p->data;

	h->refused = !exchange_body(h->x, at, length);
	return h->refused ? -1 : 0;
}

/* The parser stops here, and goes on when this request is answered. */
static int on_end(http_parser *p)
{
	http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_chunk_header = on_chunk,
	.on_message_complete = on_end,
};

/* ---- input ---- */

/* What cannot be understood is answered, if anything can still be; then it ends. */
static int broken(struct h1 *h, const char *fault)
{
	if (!h->x && on_begin(&h->parser))
		return -ENOMEM;
	if (!h->refused)
		refuse(h, HTTP_PARSER_ERRNO(&h->parser) == HPE_HEADER_OVERFLOW ? FAULT_HEAD_LARGE :
		       FAULT_REQUEST, fault);
	h->conn->reading = false;
	return 0;
}

/*
 * How much of it stands together: a line of the framing, or as much of a body as there
 * is.
 */
static size_t piece_length(const struct h1 *h, const char *data, size_t length)
{
	const char *end;

	if (h->part == PART_BODY)
		return length;
	if (h->part == PART_CHUNK)
		return h->chunk_left < length ? (size_t)h->chunk_left : length;
	end = memchr(data, '\n', length);
	return end ? (size_t)(end - data) + 1 : length;
}

/* May @c stand behind @before there?  What is wrong, NULL: nothing. */
static const char *byte_fault(enum part part, char before, char c)
{
	if ((before == '\r') != (c == '\n'))
		return "a line does not end with CR LF";
	if (part == PART_CHUNK_END && c != '\r' && c != '\n')
		return "a chunk is longer than it says";
	if (part == PART_SIZE && c != '\r' && c != '\n' && iscntrl((unsigned char)c))
		return "a chunk's size has control characters";
	if ((part == PART_HEAD || part == PART_TRAILER) && before == '\n' && is_blank(c))
		return "a header is folded";
	return NULL;
}

static const char *line_fault(struct h1 *h, const char *data, size_t length)
{
	const char *fault = NULL;

	for (size_t i = 0; i < length && !fault; i++) {
		fault = byte_fault(h->part, h->before, data[i]);
		h->before = data[i];
	}
	return fault;
}

/* The parser took a piece, and said in on_head() and on_chunk() what it was. */
static void advance(struct h1 *h, enum part was, size_t length)
{
	if (was == PART_CHUNK) {
		h->chunk_left -= length;
		h->before = 0;
		h->part = h->chunk_left ? PART_CHUNK : PART_CHUNK_END;
	} else if (was == PART_CHUNK_END && h->before == '\n') {
		h->part = PART_SIZE;
	}
}

/* One piece.  What is wrong, NULL: nothing, and @taken bytes of it were. */
static const char *parse_piece(struct h1 *h, const char *data, size_t length, size_t *taken)
{
	enum part was = h->part;
	const char *fault = NULL;
	enum http_errno err;

	*taken = 0;
	if (was != PART_BODY && was != PART_CHUNK)
		fault = line_fault(h, data, length);
	if (fault)
		return fault;
	*taken = http_parser_execute(&h->parser, &settings, data, length);
	err = HTTP_PARSER_ERRNO(&h->parser);
	if ((err != HPE_OK && err != HPE_PAUSED) || (err == HPE_OK && *taken < length))
		return http_errno_description(err);
	advance(h, was, *taken);
	return NULL;
}

/* The parser stopped behind a request. */
static bool is_whole(struct h1 *h)
{
	if (HTTP_PARSER_ERRNO(&h->parser) != HPE_PAUSED)
		return false;
	http_parser_pause(&h->parser, 0);
	h->part = PART_HEAD;
	h->before = 0;
	h->x->complete = true;
	return true;
}

/* Returns how much was taken: less than @length when a request is complete. */
static ssize_t parse(struct h1 *h, const char *data, size_t length)
{
	size_t at = 0, taken;

	while (at < length) {
		size_t n = piece_length(h, data + at, length - at);
		const char *fault = parse_piece(h, data + at, n, &taken);

		if (fault)
			return broken(h, fault) ? -1 : (ssize_t)length;
		at += taken;
		if (is_whole(h)) {
			exchange_run(h->x);
			break;
		}
	}
	return (ssize_t)at;
}

static bool is_taking(const struct h1 *h)
{
	return !h->conn->dead && !h->conn->closing && !h->refused &&
	       !(h->x && (h->x->running || h->x->responded));
}

/* Requests that came while one was under way. */
static void pump(struct h1 *h)
{
	if (h->pumping)
		return;
	h->pumping = true;
	while (h->pending.length && is_taking(h)) {
		struct buf now = h->pending;
		ssize_t n;

		h->pending = (struct buf){ 0 };
		n = parse(h, now.data, now.length);
		if (n < 0)
			h->conn->closing = true;
		else if ((size_t)n < now.length)
			buf_add(&h->pending, now.data + n, now.length - (size_t)n);
		buf_free(&now);
	}
	h->pumping = false;
}

static int input(struct conn *c, const char *data, size_t length)
{
	struct h1 *h = c->session;
	ssize_t n = 0;

	h->pumping = true;
	if (is_taking(h) && !h->pending.length)
		n = parse(h, data, length);
	h->pumping = false;
	if (n < 0)
		return -EPROTO;
	if ((size_t)n < length && !h->refused)
		buf_add(&h->pending, data + n, length - (size_t)n);
	if (h->pending.length > PENDING_MOST)
		c->reading = false;
	return h->pending.failed ? -ENOMEM : 0;
}

/* ---- the connection ---- */

static int h1_open(struct conn *c)
{
	struct h1 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->conn = c;
	http_parser_init(&h->parser, HTTP_REQUEST);
	h->parser.data = h;
	c->session = h;
	return 0;
}

static void h1_close(struct conn *c)
{
	struct h1 *h = c->session;

	exchange_free(h->x);
	buf_free(&h->pending);
	buf_free(&h->target);
	buf_free(&h->name);
	buf_free(&h->value);
	free(h);
	c->session = NULL;
}

/* A client that hangs up does not want its answer; one that is there may go out. */
static void ended(struct conn *c)
{
	struct h1 *h = c->session;

	if (h->x && h->x->responded && h->x->length >= 0)
		h->last = true;
	else if (c->sent < c->out.length)
		c->closing = true;
	else
		conn_kill(c);
}

static void drain(struct conn *c)
{
	struct h1 *h = c->session;

	h->last = true;
	if (h->x)
		return;
	c->closing = true;
	conn_kick(c);
}

const struct protocol protocol_h1 = {
	.open = h1_open,
	.input = input,
	.output = output,
	.ended = ended,
	.drain = drain,
	.close = h1_close,
};
