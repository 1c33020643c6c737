// SPDX-License-Identifier: MIT
#include "runtime/gateway/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/gateway/loop.h"

#define OUT_KEPT (256 << 10)
#define READS_AT_ONCE 4

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
		close(c->fd);
		buf_free(&c->hello);
		buf_free(&c->out);
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
static void timer_set(struct conn *c)
{
	const struct options *o = &c->loop->gateway->opts;
	bool writing = c->out.length > c->sent;
	double limit = writing ? o->write_s : o->idle_s;

	if (!writing && c->busy) {
		ev_timer_stop(c->loop->ev, &c->timer);
		return;
	}
	if (writing && !c->progress && ev_is_active(&c->timer) && c->timer.repeat == limit)
		return;
	c->progress = false;
	c->timer.repeat = limit;
	ev_timer_again(c->loop->ev, &c->timer);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
	conn_kill(w->data);
}

/* ---- out ---- */

static int send_some(struct conn *c)
{
	while (c->sent < c->out.length) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.length - c->sent,
				 MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? -EAGAIN : -EPIPE;
		c->sent += (size_t)n;
		c->progress = true;
	}
	return 0;
}

/* Send, ask for more, send: until the client takes no more or there is none. */
static int flush(struct conn *c)
{
	size_t before;
	int err;

	do {
		err = c->out.failed ? -ENOMEM : send_some(c);
		if (err && err != -EAGAIN)
			return err;
		if (c->sent == c->out.length) {
			buf_reset(&c->out, OUT_KEPT);
			c->sent = 0;
		} else if (c->sent > CONN_OUT_LOW) {
			buf_drop(&c->out, c->sent);
			c->sent = 0;
		}
		before = c->out.length;
		if (c->protocol && !c->dead && c->out.length - c->sent < CONN_OUT_LOW)
			c->protocol->output(c);
	} while (!err && !c->dead && c->out.length > before);
	return 0;
}

static void events_set(struct conn *c)
{
	int events = (c->reading && !c->closing ? EV_READ : 0) |
		     (c->sent < c->out.length ? EV_WRITE : 0);

	if (events == (c->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&c->io))
		return;
	ev_io_stop(c->loop->ev, &c->io);
	ev_io_set(&c->io, c->fd, events);
	if (events)
		ev_io_start(c->loop->ev, &c->io);
}

void conn_kick(struct conn *c)
{
	if (c->dead)
		return;
	if (flush(c) || (c->closing && c->sent == c->out.length)) {
		conn_kill(c);
		return;
	}
	if (c->dead)
		return;
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

static int input(struct conn *c, const char *data, size_t length)
{
	if (c->protocol)
		return c->protocol->input(c, data, length);
	buf_add(&c->hello, data, length);
	return c->hello.failed ? -ENOMEM : choose(c, &protocol_h1);
}

static void read_some(struct conn *c)
{
	struct loop *l = c->loop;

	for (unsigned int i = 0; i < READS_AT_ONCE && c->reading && !c->closing; i++) {
		ssize_t n = recv(c->fd, l->input, sizeof(l->input), 0);

		if (n < 0 && errno == EAGAIN)
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
		if (c->dead || (size_t)n < sizeof(l->input))
			return;
	}
}

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct conn *c = w->data;

	if (revents & EV_READ)
		read_some(c);
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

int conn_open(struct loop *l, int fd, const struct sockaddr_storage *peer)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->fd = fd;
	c->reading = true;
	peer_name(c, peer);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_init(&c->timer, on_timer);
	c->io.data = c->timer.data = c;
	ev_io_start(l->ev, &c->io);
	TAILQ_INSERT_TAIL(&l->conns, c, node);
	timer_set(c);
	return 0;
}
