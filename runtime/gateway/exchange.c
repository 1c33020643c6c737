// SPDX-License-Identifier: MIT
#include "runtime/gateway/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/gateway/access.h"
#include "runtime/gateway/backend.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/conn.h"
#include "runtime/gateway/log_access.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/opening.h"
#include "runtime/gateway/route.h"

#define MESSAGE_MAX 512

/* ---- beginning and end ---- */

/* A random UUID. */
static void id_make(char *id)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort();	/* cannot be: it is short and has no other errors */
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(id, REQUEST_ID_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

static void on_slow(struct ev_loop *ev, ev_timer *w, int revents)
{
	exchange_fail(w->data, FAULT_SLOW, "the request did not arrive in time");
}

struct exchange *exchange_new(struct loop *loop, const struct carrier *carrier, void *session)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->loop = loop;
	x->carrier = carrier;
	x->session = session;
	x->begun_ns = loop_now_ns();
	id_make(x->id);
	exchange_head_text(x, "", 0);	/* what is missing is at 0: "" */
	if (x->head.failed) {
		free(x);
		return NULL;
	}
	ev_timer_init(&x->timer, on_slow, loop->gateway->opts.head_s, 0);
	ev_set_priority(&x->timer, EV_MINPRI);
	x->timer.data = x;
	ev_timer_start(loop->ev, &x->timer);
	return x;
}

void exchange_of_conn(struct exchange *x, const struct conn *c)
{
	x->peer = c->peer;
	x->secure = c->secure;
	x->metrics = c->metrics;
}

void exchange_drop_body(struct exchange *x)
{
	atomic_fetch_sub(&x->loop->gateway->body_bytes, x->body_counted);
	x->body_counted = 0;
	buf_free(&x->body);
	granted_free(x->granted);
	x->granted = NULL;
}

static void drop_reply(struct exchange *x)
{
	atomic_fetch_sub(&x->loop->gateway->reply_bytes, x->reply_counted);
	x->reply_counted = 0;
	buf_free(&x->reply);
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->abandon)
		x->abandon(x);
	metrics_exchange(x);
	log_access(x);
	ev_timer_stop(x->loop->ev, &x->timer);
	for (unsigned int i = 0; i < PARAMS_MAX; i++)
		free(x->param[i]);
	catalog_put(x->catalog);
	exchange_drop_body(x);
	drop_reply(x);
	buf_free(&x->head);
	buf_free(&x->extra);
	buf_free(&x->trace);
	free(x);
}

/* ---- the request ---- */

uint32_t exchange_head_text(struct exchange *x, const char *text, size_t length)
{
	uint32_t at = (uint32_t)x->head.length;

	buf_add(&x->head, text, length);
	buf_add(&x->head, "", 1);
	return x->head.failed ? 0 : at;
}

void exchange_header_add(struct exchange *x, const char *name, size_t name_length,
			 const char *value, size_t value_length)
{
	struct header *h = &x->headers[x->header_count++];

	h->name = exchange_head_text(x, name, name_length);
	h->name_length = (uint32_t)name_length;
	h->value = exchange_head_text(x, value, value_length);
	h->value_length = (uint32_t)value_length;
}

const char *exchange_header(const struct exchange *x, const char *name)
{
	for (unsigned int i = 0; i < x->header_count; i++) {
		const struct header *h = &x->headers[i];

		if (!strcmp(exchange_text(x, h->name), name))
			return exchange_text(x, h->value);
	}
	return NULL;
}

/* Who need not say who he is has nothing to say either. */
static size_t body_limit(const struct exchange *x)
{
	return x->route->needs == NEEDS_NOTHING ? 0 : x->loop->gateway->opts.body_bytes;
}

bool exchange_head(struct exchange *x, int64_t length)
{
	const struct options *o = &x->loop->gateway->opts;
	const char *target = exchange_text(x, x->target), *query = strchr(target, '?');

	x->path_length = query ? (uint32_t)(query - target) : x->target_length;
	if (x->head.failed) {
		exchange_fail(x, ENOMEM, "no memory for the head");
		return false;
	}

	ev_timer_stop(x->loop->ev, &x->timer);
	ev_timer_set(&x->timer, o->body_s, 0);
	ev_timer_start(x->loop->ev, &x->timer);
	if (!route_find(x) || !access_check(x, false))
		return false;
	if (length > (int64_t)body_limit(x)) {
		exchange_fail(x, FAULT_BODY_LARGE, "the body has %lld bytes, %zu are allowed",
			      (long long)length, body_limit(x));
		return false;
	}
	if (length > 0 && x->route->place && x->tenant)
		x->route->place(x, (size_t)length);
	return true;
}

bool exchange_reserve(struct exchange *x, size_t bytes)
{
	struct gateway *g = x->loop->gateway;

	x->body_counted += bytes;
	return atomic_fetch_add(&g->body_bytes, bytes) + bytes <= g->opts.bodies_bytes;
}

bool exchange_body(struct exchange *x, const void *bytes, size_t length)
{
	if (length > body_limit(x) - x->body.length) {
		exchange_fail(x, FAULT_BODY_LARGE, "the body has more than %zu bytes",
			      body_limit(x));
		return false;
	}
	x->body_bytes += length;
	if (!exchange_reserve(x, length)) {
		exchange_fail(x, FAULT_FULL, "too many requests are being sent here");
		return false;
	}
	buf_add(&x->body, bytes, length);
	if (!x->body.failed)
		return true;
	exchange_fail(x, ENOMEM, "no memory for the body");
	return false;
}

void exchange_run(struct exchange *x)
{
	ev_timer_stop(x->loop->ev, &x->timer);
	if (!access_check(x, true))
		return;
	x->running = true;
	if (x->route->needs != NEEDS_DEVICE || opening_pass(x))
		x->route->handle(x);
}

/* ---- what APIs ask of it ---- */

const struct catalog *exchange_catalog(struct exchange *x)
{
	if (!x->catalog)
		x->catalog = catalog_get(x->loop->gateway->catalog);
	return x->catalog;
}

const struct aif_service_info *exchange_service(struct exchange *x, const char *name)
{
	const struct aif_service_info *info = catalog_find(exchange_catalog(x), name);

	if (!info)
		exchange_fail(x, FAULT_NO_SERVICE, "there is no model '%s' here", name);
	return info;
}

json_t *exchange_json(struct exchange *x, char *error)
{
	json_t *root = json_request(&x->body, error);

	exchange_drop_body(x);
	return root;
}

bool exchange_takes_json(struct exchange *x)
{
	const char *type = exchange_header(x, "content-type");
	size_t length = type ? strcspn(type, "; \t") : 0;

	if (length == strlen("application/json") &&
	    !strncasecmp(type, "application/json", length))
		return true;
	exchange_fail(x, FAULT_MEDIA_TYPE, "the body must be application/json, not %s",
		      type ? type : "of no type");
	return false;
}

/* ---- the response ---- */

void exchange_set(struct exchange *x, const char *name, const char *value)
{
	buf_add(&x->extra, name, strlen(name) + 1);
	buf_add(&x->extra, value, strlen(value) + 1);
}

/*
 * From here on the API has nothing more to do, but for a stream's source.  The client may
 * take its time over the response, but the body's room is for others.
 */
static void respond(struct exchange *x, unsigned int status, const char *content_type)
{
	ev_timer_stop(x->loop->ev, &x->timer);
	x->running = false;
	exchange_drop_body(x);
	x->status = status;
	x->content_type = content_type;
	exchange_set(x, "x-amzn-requestid", x->id);
	exchange_set(x, "x-request-id", x->id);
	x->carrier->respond(x);
}

static ssize_t pull_reply(struct exchange *x, void *bytes, size_t room)
{
	size_t n = x->reply.length - x->reply_sent;

	n = n < room ? n : room;
	if (n)
		memcpy(bytes, x->reply.data + x->reply_sent, n);
	x->reply_sent += n;
	return (ssize_t)n;
}

void exchange_reply(struct exchange *x, unsigned int status, const char *content_type,
		    struct buf *body)
{
	struct gateway *g = x->loop->gateway;

	x->reply = *body;
	*body = (struct buf){ 0 };
	x->reply_counted = x->reply.room;
	if (atomic_fetch_add(&g->reply_bytes, x->reply.room) + x->reply.room >
	    g->opts.bodies_bytes) {
		exchange_fail(x, ENOMEM, "too many responses wait for their clients");
		return;
	}
	if (x->reply.failed) {
		exchange_fail(x, ENOMEM, "no memory for the response");
		return;
	}
	x->abandon = NULL;
	x->length = (int64_t)x->reply.length;
	x->pull = pull_reply;
	respond(x, status, content_type);
}

void exchange_stream(struct exchange *x, unsigned int status, const char *content_type,
		     int64_t length, exchange_pull pull)
{
	x->length = length;
	x->pull = pull;
	respond(x, status, content_type);
}

void exchange_resume(struct exchange *x)
{
	x->carrier->resume(x);
}

void exchange_fail(struct exchange *x, int fault, const char *fmt, ...)
{
	const struct fault_answer *a = fault_answer(fault, x->api);
	char message[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (x->abandon)
		x->abandon(x);
	x->abandon = NULL;
	drop_reply(x);
	if (x->api == API_BEDROCK || x->api == API_SAGEMAKER)
		exchange_set(x, "x-amzn-errortype", a->code);
	fault_body(&x->reply, a, x->api, message);
	if (x->reply.failed)
		buf_free(&x->reply);	/* the status alone says it */
	x->reply_sent = 0;
	x->length = (int64_t)x->reply.length;
	x->pull = pull_reply;
	respond(x, a->status, "application/json");
}
