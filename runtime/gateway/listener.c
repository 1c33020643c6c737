// SPDX-License-Identifier: MIT
#include "runtime/gateway/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/daemon/log.h"
#include "runtime/gateway/conn.h"
#include "runtime/gateway/loop.h"
#include "runtime/model/why.h"

#define BACKLOG 1024
#define ACCEPTS_AT_ONCE 64
#define PAUSE_S 0.1

int listener_parse(const char *text, struct sockaddr_storage *address, struct aif_why *why)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				  .ai_socktype = SOCK_STREAM }, *found;
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t length = colon ? (size_t)(colon - text) : sizeof(host);
	bool brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';

	if (length >= sizeof(host))
		return aif_why_set(why, -EINVAL, "'%s' is not ADDRESS:PORT", text);
	snprintf(host, sizeof(host), "%.*s", (int)(length - 2 * brackets), text + brackets);
	if (!length || getaddrinfo(host, colon + 1, &hints, &found))
		return aif_why_set(why, -EINVAL,
				   "'%s' is not ADDRESS:PORT, both numbers; IPv6 stands in []", text);
	memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

bool listener_is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct sockaddr_in *in = (const void *)address;

	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* ---- accepting ---- */

static bool is_full(struct gateway *g)
{
	if (atomic_fetch_add(&g->connection_count, 1) < g->opts.connections)
		return false;
	atomic_fetch_sub(&g->connection_count, 1);
	return true;
}

/* One connection more; over the limit it is closed at once: its client sees that. */
static int accept_one(struct loop *l, int listener, const struct listen *at)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int one = 1, fd;

	fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (is_full(l->gateway)) {
		close(fd);
		return 0;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (conn_open(l, fd, &peer, at)) {
		close(fd);
		atomic_fetch_sub(&l->gateway->connection_count, 1);
	}
	return 0;
}

static void on_resume(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	for (unsigned int i = 0; i < l->listener_count; i++)
		ev_io_start(ev, &l->listeners[i]);
}

/* The listener stays readable: without a pause the loop would do nothing but look. */
static void pause_accepting(struct loop *l)
{
	log_warn("no descriptor for another connection: raise the limit on open files");
	for (unsigned int i = 0; i < l->listener_count; i++)
		ev_io_stop(l->ev, &l->listeners[i]);
	ev_timer_stop(l->ev, &l->accept_again);
	ev_timer_init(&l->accept_again, on_resume, PAUSE_S, 0);
	ev_timer_start(l->ev, &l->accept_again);
}

static void on_accept(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop *l = ev_userdata(ev);
	int err = 0;

	for (unsigned int i = 0; i < ACCEPTS_AT_ONCE && !err; i++)
		err = accept_one(l, w->fd, w->data);
	if (err == -EMFILE || err == -ENFILE)
		pause_accepting(l);
}

/* ---- listening ---- */

static int listen_at(const struct sockaddr_storage *address)
{
	socklen_t length = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							    sizeof(struct sockaddr_in);
	int one = 1, fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, length) || listen(fd, BACKLOG)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int listener_open(struct loop *l, const struct listen *at, struct aif_why *why)
{
	struct sockaddr_storage address;
	ev_io *w = &l->listeners[l->listener_count];
	int fd = listener_parse(at->address, &address, why);

	if (fd < 0)
		return fd;
	fd = listen_at(&address);
	if (fd < 0)
		return aif_why_set(why, fd, "cannot listen at %s: %s", at->address,
				   strerror(-fd));
	ev_io_init(w, on_accept, fd, EV_READ);
	w->data = (void *)at;
	ev_io_start(l->ev, w);
	l->listener_count++;
	return 0;
}

int listeners_open(struct loop *l, struct aif_why *why)
{
	const struct options *o = &l->gateway->opts;
	int err = 0;

	for (unsigned int i = 0; i < o->listen_count && !err; i++)
		err = listener_open(l, &o->listen[i], why);
	return err;
}

void listeners_close(struct loop *l)
{
	ev_timer_stop(l->ev, &l->accept_again);
	while (l->listener_count) {
		ev_io *w = &l->listeners[--l->listener_count];

		ev_io_stop(l->ev, w);
		close(w->fd);
	}
}
