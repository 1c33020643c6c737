// SPDX-License-Identifier: MIT
/*
 * A test of streams: POST /echo answers with its body, as the echo service publishes
 * it.  With Accept: text/event-stream in server-sent events, else as it is.  What was
 * produced stays in granted memory until the client takes it: nothing is queued here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/backend.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/log_access.h"
#include "runtime/gateway/loop.h"

#define NS_PER_S 1e9
#define EVENT_TEXT 2048		/* bytes of text in an event, at most */
#define LAST_EVENT "data: [DONE]\n\n"

/*
 * @sent: of the output; @done: there is no more than what is there; @ended: all events are
 * out, or in @event: that is being taken, @taken bytes of it already
 */
struct echo {
	struct batch *batch;
	struct buf event;
	size_t sent, taken;
	bool events, done, ended;
};

static void abandon(struct exchange *x)
{
	struct echo *e = x->state;

	batch_free(e->batch);
	buf_free(&e->event);
	free(e);
	x->state = NULL;
}

/* How many bytes the character that begins with @lead has. */
static size_t character_bytes(unsigned char lead)
{
	return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Without the last character, if that is cut off. */
static size_t whole_characters(const char *text, size_t length)
{
	for (size_t back = 1; back <= length && back < 4; back++) {
		unsigned char c = (unsigned char)text[length - back];

		if ((c & 0xc0) != 0x80)
			return character_bytes(c) > back ? length - back : length;
	}
	return length;
}

/* False: only a part of a character is there, and more will be. */
static bool make_event(struct echo *e, const char *from, size_t there)
{
	size_t n = whole_characters(from, there < EVENT_TEXT ? there : EVENT_TEXT);

	if (!n && !e->done)
		return false;
	n = n ? n : there;
	buf_text(&e->event, "data: {\"text\":");
	json_stringn_add(&e->event, from, n);
	buf_text(&e->event, "}\n\n");
	e->sent += n;
	return true;
}

/* However little room a client's window leaves: an event goes in as many pieces. */
static ssize_t pull_event(struct echo *e, char *to, size_t room)
{
	size_t n = e->event.length - e->taken;

	if (e->event.failed)
		return -ENOMEM;
	n = n < room ? n : room;
	memcpy(to, e->event.data + e->taken, n);
	e->taken += n;
	if (e->taken == e->event.length) {
		e->event.length = 0;
		e->taken = 0;
	}
	return (ssize_t)n;
}

static ssize_t pull_end(struct echo *e, char *to, size_t room)
{
	if (batch_result(e->batch))
		return batch_result(e->batch);
	if (!e->events || e->ended)
		return 0;
	e->ended = true;
	buf_text(&e->event, LAST_EVENT);
	return pull_event(e, to, room);
}

static ssize_t pull(struct exchange *x, void *to, size_t room)
{
	struct echo *e = x->state;
	const char *from = batch_text(e->batch, 0)->output + e->sent;
	size_t there = batch_produced(e->batch) - e->sent;

	if (e->event.length)
		return pull_event(e, to, room);
	if (!there)
		return e->done ? pull_end(e, to, room) : -EAGAIN;
	if (e->events)
		return make_event(e, from, there) ? pull_event(e, to, room) : -EAGAIN;
	there = there < room ? there : room;
	memcpy(to, from, there);
	e->sent += there;
	return (ssize_t)there;
}

static void progress(struct batch *b, void *ctx)
{
	exchange_resume(ctx);
}

static void done(struct batch *b, void *ctx)
{
	struct exchange *x = ctx;
	struct echo *e = x->state;

	metrics_batch(x, b);
	e->done = true;
	exchange_resume(x);
}

static struct batch *batch_make(struct exchange *x, const struct aif_service_info *info)
{
	struct backend *backend = backend_get(x->loop, x->tenant);
	size_t length = x->body.length;
	struct batch *b = backend ? batch_new(backend, info, 1, length, length) : NULL;

	if (b && length)
		memcpy(batch_put(b, 0, length), x->body.data, length);
	return b;
}

static struct echo *echo_new(struct exchange *x, const struct aif_service_info *info)
{
	const char *accept = exchange_header(x, "accept");
	struct echo *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->events = accept && strstr(accept, "text/event-stream");
	e->batch = batch_make(x, info);
	if (e->batch)
		return e;
	free(e);
	return NULL;
}

void echo_stream(struct exchange *x)
{
	const struct aif_service_info *info = exchange_service(x, x->loop->gateway->opts.echo);
	struct echo *e;

	if (!info)
		return;
	if (!x->body.length || x->body.length > info->io[0].max_bytes) {
		exchange_fail(x, FAULT_REQUEST, "the body must have 1 to %u bytes",
			      info->io[0].max_bytes);
		return;
	}
	e = echo_new(x, info);
	if (!e) {
		exchange_fail(x, errno, "%s", aif_error_text(errno));
		return;
	}
	x->state = e;
	x->abandon = abandon;
	metrics_begin(x, info->name, 1);
	batch_submit(e->batch, loop_now_ns() +
		     (uint64_t)(x->loop->gateway->opts.deadline_s * NS_PER_S), done, x);
	log_access_batch(x, e->batch);
	batch_watch(e->batch, progress);
	exchange_stream(x, 200, e->events ? "text/event-stream" : "text/plain; charset=utf-8", -1,
			pull);
}
