/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one client's connection: bytes in and out, and the time it may take
 *
 * Which protocol it speaks is seen from its first bytes (or from TLS).  The protocol
 * takes what comes in and puts into @out what goes; it is asked for more whenever
 * little is left there, so @out stays small whatever a client does.
 */
#ifndef AIF_GATEWAY_CONN_H
#define AIF_GATEWAY_CONN_H

#include <ev.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "runtime/gateway/buf.h"

#define CONN_OUT_LOW 65536	/* less than this in @out: there is room for more */

struct conn;
struct listen;
struct loop;
struct sockaddr_storage;

/*
 * @open:   0 or -errno; sets conn.session
 * @input:  bytes came.  -errno: close, after what is in @out was sent
 * @output: @out has room: put more there, if there is more
 * @ended:  the client sends no more, or is gone
 * @drain:  end what is under way, take no new requests
 * @close:  forget all
 */
struct protocol {
	int (*open)(struct conn *c);
	int (*input)(struct conn *c, const char *data, size_t length);
	void (*output)(struct conn *c);
	void (*ended)(struct conn *c);
	void (*drain)(struct conn *c);
	void (*close)(struct conn *c);
};

extern const struct protocol protocol_h1;
extern const struct protocol protocol_h2;

/*
 * @out_counted: room of @out that the gateway knows of
 * @hello:   first bytes, while it is not clear whose they are
 * @reading: wants more input
 * @closing: to be closed when @out was sent
 * @lingering: all is sent and said; the client may not have seen it yet
 * @tls:     NULL: clear text; @tls_writes: it waits for room to write
 * @metrics: it came to a listener for those
 * @secure:  nobody on the way can read it: TLS, or from this machine
 * @progress: the client took something since the timer was set
 * @busy:    requests under way: it is not idle
 */
struct conn {
	TAILQ_ENTRY(conn) node;
	struct loop *loop;
	int fd;
	ev_io io;
	ev_timer timer;
	const struct protocol *protocol;
	void *session;
	struct buf hello;
	struct buf out;
	size_t sent, out_counted;
	SSL *tls;
	bool reading, closing, lingering, progress, dead, tls_writes, secure, metrics;
	unsigned int busy;
	char peer[INET6_ADDRSTRLEN + 8];
};

/* @at: where it was accepted.  0 or -ENOMEM. */
int conn_open(struct loop *loop, int fd, const struct sockaddr_storage *peer,
	      const struct listen *at);

/* Something was put into @out, or one of the flags above changed. */
void conn_kick(struct conn *c);

/* Nothing more is taken or sent; it is freed before the loop sleeps. */
void conn_kill(struct conn *c);

/* All of a loop's: begin to drain; end; free those that have ended. */
void conns_drain(struct loop *loop);
void conns_close(struct loop *loop);
void conns_bury(struct loop *loop);

#endif
