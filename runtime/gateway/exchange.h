/* SPDX-License-Identifier: MIT */
/*
 * exchange.h - one HTTP request and its response, whatever carries them
 *
 * A protocol (h1.c, h2.c) makes an exchange, fills in the request's head and body,
 * and calls exchange_head() and exchange_run().  An API answers, at once or later,
 * with exchange_reply(), exchange_stream() or exchange_fail(): exactly once.  The
 * protocol then pulls the response's body at the speed at which its client takes it,
 * so that no response is in memory twice and a stream needs no memory of its own.
 * The protocol frees the exchange when all is sent, or earlier when its client is
 * gone: the API's @abandon is told.
 *
 * One thread: the exchange's loop.
 */
#ifndef AIF_GATEWAY_EXCHANGE_H
#define AIF_GATEWAY_EXCHANGE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "runtime/gateway/buf.h"
#include "runtime/gateway/fault.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/key.h"

#define HEADERS_MAX 64
#define PARAMS_MAX 2
#define REQUEST_ID_SIZE 37

struct aif_service_info;
struct catalog;
struct conn;
struct exchange;
struct granted;
struct loop;
struct route;
struct tenant;

/* Offsets into the exchange's @head: that moves while it grows. */
struct header {
	uint32_t name, name_length;
	uint32_t value, value_length;
};

/*
 * What carries an exchange.
 *
 * @respond: status, headers and body's source are there: send them
 * @resume:  a source that had nothing has something
 */
struct carrier {
	void (*respond)(struct exchange *x);
	void (*resume)(struct exchange *x);
};

/*
 * Where a response's body comes from: up to @room bytes.  Returns how many, 0 at the
 * end, -EAGAIN: later, after exchange_resume(); another -errno: the response is cut
 * off.
 */
typedef ssize_t (*exchange_pull)(struct exchange *x, void *bytes, size_t room);

/*
 * @head:      the request's names and values, NUL-terminated; @method, @target and
 *             @authority (h1: Host) are offsets into it
 * @path_length: of @target, up to its '?'
 * @node, @session, @stream: the protocol's; @waiting: of those that wait for a tenant's file
 * @secure:    nobody on the way can read it: TLS, or from this machine
 * @metrics:   it came to a listener for metrics
 * @head_only: the response's body is not wanted
 * @body:      whole when exchange_run() is called, gone when it was read, or at the latest when
 *             the response begins; @body_bytes of it came
 * @body_counted, @reply_counted: of these pools of the gateway
 * @trace:     for the access log: what the module's trace calls its requests
 * @series:    that it counts in; NULL: it asked no service
 * @granted:   the memory of @body, when that is an executor's to read; else NULL
 * @complete:  the request is there
 * @responded: the response has begun
 * @param:     what {} of the route stood for, percent-decoded; strings of malloc()
 * @key, @tenant: who asks, and who pays; @tenant NULL: not proven yet
 * @length:    of the response's body; -1: a stream
 * @abandon:   the client is gone; NULL: nobody is to be told
 * @state:     the API's own, behind @abandon and @pull
 */
struct exchange {
	TAILQ_ENTRY(exchange) node, waiting;
	struct loop *loop;
	const struct carrier *carrier;
	void *session;
	int32_t stream;
	bool http2, secure, metrics, head_only;
	const char *peer;

	struct buf head;
	struct header headers[HEADERS_MAX];
	unsigned int header_count;
	uint32_t method, target, target_length, path_length, authority;
	struct buf body;
	struct granted *granted;
	size_t body_bytes, body_counted, reply_counted;
	char id[REQUEST_ID_SIZE];

	const struct route *route;
	enum api api;
	char *param[PARAMS_MAX];
	struct catalog *catalog;
	struct tenant *tenant;
	char key[KEY_ID_SIZE];
	struct series *series;
	struct buf trace;

	unsigned int status;
	const char *content_type;
	struct buf extra;	/* "name\0value\0" of the response */
	struct buf reply;
	size_t reply_sent;
	int64_t length;
	exchange_pull pull;
	void (*abandon)(struct exchange *x);
	void *state;

	ev_timer timer;		/* for the request to arrive; then the protocol's */
	bool complete, responded;
	bool inflated;		/* the body is */
	bool running;		/* an API has it and has not answered */
	unsigned int texts;
	uint64_t begun_ns, tokens, sent_bytes, queue_ns, device_ns;
};

/* ---- for protocols ---- */

struct exchange *exchange_new(struct loop *loop, const struct carrier *carrier, void *session);
void exchange_of_conn(struct exchange *x, const struct conn *conn);
void exchange_free(struct exchange *x);

/*
 * Append to the head, behind the NUL of what was there; the first returns where, and 0,
 * where "" is, without memory: exchange_head() answers that.
 */
uint32_t exchange_head_text(struct exchange *x, const char *text, size_t length);
void exchange_header_add(struct exchange *x, const char *name, size_t name_length,
			 const char *value, size_t value_length);

/*
 * The head is complete: finds the route.  False: it was answered (exchange_fail()),
 * and the body is of no interest.  @length: the body's, -1: not known.
 */
bool exchange_head(struct exchange *x, int64_t length);

/* A piece of the body.  False: it is too long, and that was answered. */
bool exchange_body(struct exchange *x, const void *bytes, size_t length);

/* Count @bytes more as the body's.  False: all bodies together are too many. */
bool exchange_reserve(struct exchange *x, size_t bytes);

/* All is there: answers, now or later. */
void exchange_run(struct exchange *x);

/* ---- for both ---- */

/* The value of a header (@name in lower case), NULL if it is not there. */
const char *exchange_header(const struct exchange *x, const char *name);

static inline const char *exchange_text(const struct exchange *x, uint32_t offset)
{
	return x->head.data + offset;
}

/* ---- for APIs ---- */

/* The services there were when the exchange first asked. */
const struct catalog *exchange_catalog(struct exchange *x);

/* One of them, as catalog_find(); NULL: there is none, and that was answered. */
const struct aif_service_info *exchange_service(struct exchange *x, const char *name);

/* Nobody needs the body any more: its room is for others. */
void exchange_drop_body(struct exchange *x);

/* The body as JSON, for which it goes; NULL: see @error, as json_request(). */
json_t *exchange_json(struct exchange *x, char *error);

/* Is the body said to be JSON?  False: no, and that was answered. */
bool exchange_takes_json(struct exchange *x);

/* A header of the response; before the answer. */
void exchange_set(struct exchange *x, const char *name, const char *value);

/* Answer with @body, which is taken over and left empty. */
void exchange_reply(struct exchange *x, unsigned int status, const char *content_type,
		    struct buf *body);

/* Answer with what @pull brings; @length -1: not known. */
void exchange_stream(struct exchange *x, unsigned int status, const char *content_type,
		     int64_t length, exchange_pull pull);
void exchange_resume(struct exchange *x);

/* Answer with an error, in the words of the exchange's API. */
__attribute__((format(printf, 3, 4)))
void exchange_fail(struct exchange *x, int fault, const char *fmt, ...);

#endif
