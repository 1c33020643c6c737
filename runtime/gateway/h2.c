// SPDX-License-Identifier: MIT
/*
 * HTTP/2, by nghttp2: over TLS, or in clear text with prior knowledge.  A stream is an
 * exchange.  nghttp2 checks what is a well-formed message; what a client may cost is
 * limited here: streams at once, the size of a head, and how often it may take back
 * what it asked (each time costs us more than it).
 */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "runtime/gateway/conn.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"

#define STREAMS_MOST 100
#define STREAM_WINDOW (1 << 20)
#define CONN_WINDOW (4 << 20)
#define RESPONSE_HEADERS_MOST 16
#define RESETS_MOST 200		/* within ... */
#define RESETS_S 10.0
#define QUEUED_MOST 1000	/* frames that wait to be sent */

TAILQ_HEAD(exchanges, exchange);

/*
 * @inside:  nghttp2 is on the stack: it does not take a send then
 * @resets, @resets_since: streams that the client took back
 */
struct h2 {
	struct conn *conn;
	nghttp2_session *session;
	struct exchanges exchanges;
	bool inside;
	unsigned int resets;
	double resets_since;
};

static void kick(struct h2 *h)
{
	if (!h->inside)
		conn_kick(h->conn);
}

/* ---- the response ---- */

/* A window that stays closed holds the response, and what it costs, only so long. */
static void on_stuck(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct exchange *x = w->data;
	struct h2 *h = x->session;

	ev_timer_stop(ev, w);
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream, NGHTTP2_CANCEL);
	kick(h);
}

static void write_time(struct exchange *x)
{
	ev_set_cb(&x->timer, on_stuck);
	x->timer.repeat = x->loop->gateway->opts.write_s;
	ev_timer_again(x->loop->ev, &x->timer);
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){
		(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NONE,
	};
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room,
			 uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
	struct exchange *x = source->ptr;
	ssize_t n = x->pull(x, to, room);

	if (n == -EAGAIN) {
		ev_timer_stop(x->loop->ev, &x->timer);
		return NGHTTP2_ERR_DEFERRED;
	}
	write_time(x);
	if (n < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	x->sent_bytes += (uint64_t)n;
	if (!n || (x->length >= 0 && x->sent_bytes == (uint64_t)x->length))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return n;
}

static size_t extra_fields(const struct buf *extra, nghttp2_nv *fields, size_t n)
{
	const char *at = extra->data, *end = at + extra->length;

	while (at < end && n < RESPONSE_HEADERS_MOST) {
		const char *value = at + strlen(at) + 1;

		fields[n++] = field(at, value);
		at = value + strlen(value) + 1;
	}
	return n;
}

static void respond(struct exchange *x)
{
	nghttp2_nv fields[RESPONSE_HEADERS_MOST];
	nghttp2_data_provider body = { .source.ptr = x, .read_callback = read_body };
	struct h2 *h = x->session;
	char status[4], length[24];
	size_t n = 0;

	snprintf(status, sizeof(status), "%u", x->status % 1000);
	fields[n++] = field(":status", status);
	fields[n++] = field("date", loop_date(x->loop));
	if (x->content_type)
		fields[n++] = field("content-type", x->content_type);
	if (x->length >= 0) {
		snprintf(length, sizeof(length), "%lld", (long long)x->length);
		fields[n++] = field("content-length", length);
	}
	n = extra_fields(&x->extra, fields, n);
	if (x->responded)
		nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream,
					  NGHTTP2_INTERNAL_ERROR);
	else
		nghttp2_submit_response(h->session, x->stream, fields, n,
					x->length && !x->head_only ? &body : NULL);
	x->responded = true;
	write_time(x);
	kick(h);
}

static void resume(struct exchange *x)
{
	struct h2 *h = x->session;

	nghttp2_session_resume_data(h->session, x->stream);
	write_time(x);
	kick(h);
}

static const struct carrier carrier = { .respond = respond, .resume = resume };

/* Answered before all of it came: the client need not send the rest. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct exchange *x;

	if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (x && !x->complete)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

/* ---- the request ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct h2 *h = ctx;
	struct exchange *x;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	x = exchange_new(h->conn->loop, &carrier, h);
	if (!x)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	x->stream = frame->hd.stream_id;
	x->http2 = true;
	exchange_of_conn(x, h->conn);
	TAILQ_INSERT_TAIL(&h->exchanges, x, node);
	nghttp2_session_set_stream_user_data(session, x->stream, x);
	h->conn->busy++;
	return 0;
}

static bool head_has_room(struct exchange *x, size_t bytes)
{
	if (x->head.length + bytes <= x->loop->gateway->opts.head_bytes &&
	    x->header_count < HEADERS_MAX)
		return true;
	exchange_fail(x, FAULT_HEAD_LARGE, "the head is too long");
	return false;
}

static void take_pseudo(struct exchange *x, const char *name, const char *value, size_t length)
{
	uint32_t *at = !strcmp(name, ":method") ? &x->method :
		       !strcmp(name, ":path") ? &x->target :
		       !strcmp(name, ":authority") ? &x->authority : NULL;

	if (at)
		*at = exchange_head_text(x, value, length);
	if (at == &x->target)
		x->target_length = (uint32_t)length;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_length, const uint8_t *value, size_t length, uint8_t flags,
		     void *ctx)
{
	struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (!x || x->responded || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;	/* refused already, or a trailer */
	if (!head_has_room(x, name_length + length + 2))
		return 0;
	if (name[0] == ':')
		take_pseudo(x, (const char *)name, (const char *)value, length);
	else
		exchange_header_add(x, (const char *)name, name_length, (const char *)value,
				    length);
	return 0;
}

static int64_t content_length(const struct exchange *x)
{
	const char *value = exchange_header(x, "content-length");

	return value ? strtoll(value, NULL, 10) : -1;
}

static void head_end(struct exchange *x)
{
	if (!x->method || exchange_text(x, x->target)[0] != '/') {
		exchange_fail(x, FAULT_REQUEST, "the target must be a path");
		return;
	}
	x->head_only = !strcmp(exchange_text(x, x->method), "HEAD");
	exchange_head(x, content_length(x));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
	struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (!x || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
	    !x->responded)
		head_end(x);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		x->complete = true;
		if (!x->responded)
			exchange_run(x);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t length, void *ctx)
{
	struct exchange *x = nghttp2_session_get_stream_user_data(session, stream);

	if (x && !x->responded)
		exchange_body(x, data, length);
	return 0;
}

/* ---- the end of a stream ---- */

/* Too often, and the connection ends: its requests cost as much as others'. */
static int count_reset(struct h2 *h)
{
	double now = ev_now(h->conn->loop->ev);

	if (now - h->resets_since > RESETS_S) {
		h->resets_since = now;
		h->resets = 0;
	}
	if (++h->resets <= RESETS_MOST)
		return 0;
	return nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *ctx)
{
	struct exchange *x = nghttp2_session_get_stream_user_data(session, stream);
	struct h2 *h = ctx;
	bool unanswered;

	if (!x)
		return 0;
	unanswered = !x->responded || error != NGHTTP2_NO_ERROR;
	TAILQ_REMOVE(&h->exchanges, x, node);
	exchange_free(x);
	h->conn->busy--;
	return unanswered && count_reset(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- the connection ---- */

static int session_new(struct h2 *h)
{
	nghttp2_session_callbacks *callbacks;
	int err;

	if (nghttp2_session_callbacks_new(&callbacks))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	err = nghttp2_session_server_new(&h->session, callbacks, h);
	nghttp2_session_callbacks_del(callbacks);
	return err ? -ENOMEM : 0;
}

static int h2_open(struct conn *c)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MOST },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		  (uint32_t)c->loop->gateway->opts.head_bytes },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0 },
	};
	struct h2 *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->conn = c;
	TAILQ_INIT(&h->exchanges);
	if (session_new(h)) {
		free(h);
		return -ENOMEM;
	}
	c->session = h;
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
				sizeof(settings) / sizeof(settings[0]));
	nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
	return 0;
}

static void h2_close(struct conn *c)
{
	struct h2 *h = c->session;
	struct exchange *x;

	while ((x = TAILQ_FIRST(&h->exchanges))) {
		TAILQ_REMOVE(&h->exchanges, x, node);
		exchange_free(x);
	}
	nghttp2_session_del(h->session);
	free(h);
	c->session = NULL;
}

/* After an error nghttp2 still has a GOAWAY to send; then it is over. */
static int input(struct conn *c, const char *data, size_t length)
{
	struct h2 *h = c->session;
	ssize_t n;

	h->inside = true;
	n = nghttp2_session_mem_recv(h->session, (const uint8_t *)data, length);
	h->inside = false;
	if (n >= 0 && nghttp2_session_get_outbound_queue_size(h->session) > QUEUED_MOST)
		nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
	if (n >= 0)
		return 0;
	nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR);
	return n == NGHTTP2_ERR_NOMEM ? -ENOMEM : 0;
}

static void output(struct conn *c)
{
	struct h2 *h = c->session;
	const uint8_t *data;
	ssize_t n = 1;

	h->inside = true;
	while (n > 0 && c->out.length - c->sent < CONN_OUT_LOW) {
		n = nghttp2_session_mem_send(h->session, &data);
		if (n > 0)
			buf_add(&c->out, data, (size_t)n);
	}
	h->inside = false;
	if (n < 0 || (!nghttp2_session_want_read(h->session) &&
		      !nghttp2_session_want_write(h->session)))
		c->closing = true;
}

static void ended(struct conn *c)
{
	conn_kill(c);
}

/* Two GOAWAYs would let requests in that are on their way; one refuses them safely. */
static void drain(struct conn *c)
{
	struct h2 *h = c->session;

	nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(h->session),
			      NGHTTP2_NO_ERROR, NULL, 0);
	conn_kick(c);
}

const struct protocol protocol_h2 = {
	.open = h2_open,
	.input = input,
	.output = output,
	.ended = ended,
	.drain = drain,
	.close = h2_close,
};
