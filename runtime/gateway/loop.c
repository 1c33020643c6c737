// SPDX-License-Identifier: MIT
#include "runtime/gateway/loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/gateway/backend.h"
#include "runtime/gateway/conn.h"
#include "runtime/gateway/listener.h"
#include "runtime/gateway/log_access.h"
#include "runtime/gateway/opening.h"
#include "runtime/model/why.h"

#define NS_PER_S 1000000000ull

uint64_t loop_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

const char *loop_date(struct loop *l)
{
	time_t now = (time_t)ev_now(l->ev);
	struct tm tm;

	if (now != l->date_at) {
		l->date_at = now;
		gmtime_r(&now, &tm);
		strftime(l->date, sizeof(l->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return l->date;
}

/* Everything that this turn of the loop has gathered goes out at once. */
static void on_settle(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	backends_submit(l);
	conns_bury(l);
	backends_tidy(l);
	log_access_flush(l);
}

static bool is_done(const struct loop *l)
{
	return l->draining && TAILQ_EMPTY(&l->conns);
}

static void on_wake(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop *l = ev_userdata(ev);

	if (!l->draining && atomic_load(&l->gateway->draining)) {
		l->draining = true;
		listeners_close(l);
		conns_drain(l);
	}
	if (atomic_load(&l->stopping))
		conns_close(l);
	conns_bury(l);
	if (is_done(l))
		ev_break(ev, EVBREAK_ALL);
}

void loop_wake(struct loop *l)
{
	ev_async_send(l->ev, &l->wake);
}

int loop_init(struct loop *l, struct gateway *g, struct aif_why *why)
{
	TAILQ_INIT(&l->conns);
	TAILQ_INIT(&l->dead);
	LIST_INIT(&l->backends);
	l->gateway = g;
	l->ev = ev_loop_new(EVFLAG_AUTO);
	if (!l->ev)
		return aif_why_set(why, -ENOMEM, "cannot make an event loop");
	ev_set_userdata(l->ev, l);
	ev_async_init(&l->wake, on_wake);
	ev_async_start(l->ev, &l->wake);
	ev_prepare_init(&l->settle, on_settle);
	ev_prepare_start(l->ev, &l->settle);
	openings_init(l);
	return listeners_open(l, why);
}

static void *run(void *ctx)
{
	struct loop *l = ctx;

	l->thread_id = gettid();
	ev_run(l->ev, 0);
	return NULL;
}

/* Signals are the main thread's. */
int loop_start(struct loop *l, struct aif_why *why)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_setname_np(l->thread, "aif-loop");
	return err ? aif_why_set(why, -err, "cannot start a thread: %s", strerror(err)) : 0;
}

void loop_fini(struct loop *l)
{
	if (!l->ev)
		return;
	listeners_close(l);
	conns_close(l);
	conns_bury(l);
	openings_fini(l);
	backends_close(l);
	log_access_flush(l);
	metrics_fini(l);
	buf_free(&l->access);
	ev_loop_destroy(l->ev);
}
