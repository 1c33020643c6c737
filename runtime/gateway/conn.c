// SPDX-License-Identifier: MIT
#include "runtime/gateway/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/gateway/listener.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/tls.h"

#define OUT_KEPT (256 << 10)
#define READS_AT_ONCE 4
#define LINGER_S 2.0

static void count_out(struct conn *c)
{
	atomic_size_t *all = &c->loop->gateway->output_bytes;

	if (c->out.room == c->out_counted)
		return;
	atomic_fetch_add(all, c->out.room - c->out_counted);	/* modulo, if it is less */
	c->out_counted = c->out.room;
}

/* ---- the end ---- */

void conn_kill(struct conn *c)
{
	struct loop *l = c->loop;

	if (c->dead)
		return;
	c->dead = true;
	if (c->protocol)
		c->protocol->close(c);
	ev_io_stop(l->ev, &c->io);
	ev_timer_stop(l->ev, &c->timer);
	TAILQ_REMOVE(&l->conns, c, node);
	TAILQ_INSERT_TAIL(&l->dead, c, node);
}

void conns_bury(struct loop *l)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&l->dead))) {
		TAILQ_REMOVE(&l->dead, c, node);
		SSL_free(c->tls);
		close(c->fd);
		buf_free(&c->hello);
		buf_free(&c->out);
		count_out(c);
		free(c);
		atomic_fetch_sub(&l->gateway->connection_count, 1);
		if (l->draining && TAILQ_EMPTY(&l->conns))
			loop_wake(l);
	}
}

void conns_close(struct loop *l)
{
	while (!TAILQ_EMPTY(&l->conns))
		conn_kill(TAILQ_FIRST(&l->conns));
}

void conns_drain(struct loop *l)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&l->conns); c; c = next) {
		next = TAILQ_NEXT(c, node);
		if (c->protocol)
			c->protocol->drain(c);
		else
			conn_kill(c);
	}
}

/* ---- time ---- */

/* Whoever takes nothing has write_s, whoever asks nothing has idle_s. */
static double limit_of(const struct conn *c)
{
	const struct options *o = &c->loop->gateway->opts;

	if (c->lingering)
		return LINGER_S;
	if (!c->protocol)
		return o->head_s;
	return c->out.length > c->sent ? o->write_s : o->idle_s;
}

static void timer_set(struct conn *c)
{
	bool writing = c->out.length > c->sent;
	double limit = limit_of(c);

	if (!writing && c->busy) {
		ev_timer_stop(c->loop->ev, &c->timer);
		return;
	}
	if ((writing || c->lingering || !c->protocol) && !c->progress &&
	    ev_is_active(&c->timer) && c->timer.repeat == limit)
		return;
	c->progress = false;
	c->timer.repeat = limit;
	ev_now_update(c->loop->ev);	/* a turn that took long is not the client's time */
	ev_timer_again(c->loop->ev, &c->timer);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	conn_kill(w->data);
}

/* ---- bytes ---- */

/* Of a call before which the thread's queue of errors was empty: it is read there. */
static ssize_t tls_result(struct conn *c, int result)
{
	switch (SSL_get_error(c->tls, result)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		c->tls_writes = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	return -EPIPE;
}

static ssize_t conn_read(struct conn *c, void *to, size_t room)
{
	ssize_t n;

	if (c->tls) {
		ERR_clear_error();
		n = SSL_read(c->tls, to, (int)room);
		return n > 0 ? n : tls_result(c, (int)n);
	}
	n = recv(c->fd, to, room, 0);
	return n < 0 ? -errno : n;
}

static ssize_t conn_write(struct conn *c, const void *from, size_t length)
{
	ssize_t n;

	if (c->tls) {
		ERR_clear_error();
		n = SSL_write(c->tls, from, length > INT_MAX ? INT_MAX : (int)length);
		return n > 0 ? n : tls_result(c, (int)n);
	}
	n = send(c->fd, from, length, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

/* ---- out ---- */

static int send_some(struct conn *c)
{
	while (c->sent < c->out.length) {
		ssize_t n = conn_write(c, c->out.data + c->sent, c->out.length - c->sent);

		if (n <= 0)
			return n == -EAGAIN ? -EAGAIN : -EPIPE;
		c->sent += (size_t)n;
		c->progress = true;
	}
	return 0;
}

static void forget_sent(struct conn *c)
{
	if (c->sent == c->out.length) {
		buf_reset(&c->out, OUT_KEPT);
		c->sent = 0;
	} else if (c->sent > CONN_OUT_LOW) {
		buf_drop(&c->out, c->sent);
		c->sent = 0;
	}
}

/*
 * Ask for more, send: until the client takes no more or there is none.  In this order, so
 * that a response's head does not go out alone and wake its client for nothing.
 */
static int flush(struct conn *c)
{
	int err = 0;

	while (!err) {
		if (c->protocol && c->out.length - c->sent < CONN_OUT_LOW)
			c->protocol->output(c);
		if (c->out.failed)
			return -ENOMEM;
		if (c->dead || c->sent == c->out.length)
			return 0;
		err = send_some(c);
		forget_sent(c);
	}
	return err == -EAGAIN ? 0 : err;
}

/* Nothing more from who takes nothing: answering it would only need memory. */
static bool is_reading(const struct conn *c)
{
	return c->reading && !c->closing && c->out.length - c->sent < CONN_OUT_LOW;
}

static void events_set(struct conn *c)
{
	int events = (is_reading(c) || c->lingering ? EV_READ : 0) |
		     (c->sent < c->out.length || c->tls_writes ? EV_WRITE : 0);

	if (c->tls && events & EV_READ && SSL_pending(c->tls))
		ev_feed_event(c->loop->ev, &c->io, EV_READ);	/* the kernel knows nothing of it */
	if (events == (c->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&c->io))
		return;
	ev_io_stop(c->loop->ev, &c->io);
	ev_io_set(&c->io, c->fd, events);
	if (events)
		ev_io_start(c->loop->ev, &c->io);
}

/*
 * Closing a socket that has unread bytes resets it, and the answer that stands in the
 * client's socket is lost.  So we say that we are done, and read on for a moment.
 */
static void linger(struct conn *c)
{
	if (c->lingering)
		return;
	c->lingering = true;
	c->busy = 0;
	if (c->tls)
		SSL_shutdown(c->tls);
	shutdown(c->fd, SHUT_WR);
}

void conn_kick(struct conn *c)
{
	if (c->dead)
		return;
	if (flush(c)) {
		conn_kill(c);
		return;
	}
	count_out(c);
	if (c->dead)
		return;
	if (c->closing && c->sent == c->out.length)
		linger(c);
	events_set(c);
	timer_set(c);
}

/* ---- in ---- */

static int choose(struct conn *c, const struct protocol *p)
{
	struct buf hello = c->hello;
	int err;

	c->protocol = p;
	c->hello = (struct buf){ 0 };
	err = p->open(c);
	if (err)
		c->protocol = NULL;
	else
		err = p->input(c, hello.data, hello.length);
	buf_free(&hello);
	return err;
}

/* Whoever knows that we speak HTTP/2 begins with this, and nobody else does. */
static int greet(struct conn *c, const char *data, size_t length)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	size_t known;

	buf_add(&c->hello, data, length);
	if (c->hello.failed)
		return -ENOMEM;
	if (c->tls)
		return choose(c, tls_is_h2(c->tls) ? &protocol_h2 : &protocol_h1);
	known = c->hello.length < sizeof(preface) - 1 ? c->hello.length : sizeof(preface) - 1;
	if (memcmp(c->hello.data, preface, known))
		return choose(c, &protocol_h1);
	return known == sizeof(preface) - 1 ? choose(c, &protocol_h2) : 0;
}

static int input(struct conn *c, const char *data, size_t length)
{
	return c->protocol ? c->protocol->input(c, data, length) : greet(c, data, length);
}

static void discard(struct conn *c)
{
	ssize_t n = recv(c->fd, c->loop->input, sizeof(c->loop->input), 0);

	if (!n || (n < 0 && errno != EAGAIN))
		conn_kill(c);
}

static void read_some(struct conn *c)
{
	struct loop *l = c->loop;

	for (unsigned int i = 0; i < READS_AT_ONCE && is_reading(c); i++) {
		ssize_t n = conn_read(c, l->input, sizeof(l->input));

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			c->reading = false;
			if (n < 0 || !c->protocol)
				conn_kill(c);
			else
				c->protocol->ended(c);
			return;
		}
		if (input(c, l->input, (size_t)n))
			c->closing = true;
		if (c->dead || (!c->tls && (size_t)n < sizeof(l->input)))
			return;
	}
}

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct conn *c = w->data;

	if (c->lingering) {
		discard(c);
		return;
	}
	if (revents & EV_READ || c->tls_writes) {
		c->tls_writes = false;
		read_some(c);
	}
	conn_kick(c);
}

/* ---- the beginning ---- */

static void peer_name(struct conn *c, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *in6 = (const void *)peer;
	const struct sockaddr_in *in = (const void *)peer;
	bool six = peer->ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(peer->ss_family, six ? (const void *)&in6->sin6_addr : &in->sin_addr, host,
		  sizeof(host));
	snprintf(c->peer, sizeof(c->peer), "%s:%u", host,
		 ntohs(six ? in6->sin6_port : in->sin_port));
}

int conn_open(struct loop *l, int fd, const struct sockaddr_storage *peer,
	      const struct listen *at)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->tls = at->tls ? tls_session(l->gateway->tls, fd) : NULL;
	if (at->tls && !c->tls) {
		free(c);
		return -ENOMEM;
	}
	c->secure = at->tls || listener_is_loopback(peer);
	c->metrics = at->metrics;
	c->loop = l;
	c->fd = fd;
	c->reading = true;
	peer_name(c, peer);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_init(&c->timer, on_timer);
	ev_set_priority(&c->timer, EV_MINPRI);	/* what came while a turn took long, comes first */
	c->io.data = c->timer.data = c;
	ev_io_start(l->ev, &c->io);
	TAILQ_INSERT_TAIL(&l->conns, c, node);
	timer_set(c);
	return 0;
}
