// SPDX-License-Identifier: MIT
#include "runtime/gateway/opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/log.h"
#include "runtime/gateway/backend.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/opener.h"
#include "runtime/gateway/route.h"
#include "runtime/gateway/tenant.h"

#define NS_PER_S 1000000000ull

/*
 * @id:    that the opener was asked with
 * @count: how many wait
 * @timer: for an opener that says nothing
 */
struct opening {
	LIST_ENTRY(opening) node;
	struct loop *loop;
	struct tenant *tenant;
	uint32_t id;
	unsigned int count;
	ev_timer timer;
	TAILQ_HEAD(, exchange) waiting;
};

static void refuse(struct exchange *x, int err)
{
	exchange_fail(x, err, "the device cannot be opened for this key's tenant: %s",
		      -err == FAULT_NO_OPENER ? "the process that does it has ended" :
						aif_error_text(err));
}

/* ---- waiting ---- */

static void stop_waiting(struct exchange *x)
{
	struct opening *o = x->state;

	TAILQ_REMOVE(&o->waiting, x, waiting);
	o->count--;
	x->abandon = NULL;
	x->state = NULL;
}

static void wait(struct opening *o, struct exchange *x)
{
	TAILQ_INSERT_TAIL(&o->waiting, x, waiting);
	o->count++;
	x->state = o;
	x->abandon = stop_waiting;
}

/* ---- the end of an opening ---- */

/* Who is answered may take others with him: from the front each time. */
static void end(struct opening *o, int err)
{
	struct exchange *x;

	ev_timer_stop(o->loop->ev, &o->timer);
	LIST_REMOVE(o, node);
	while ((x = TAILQ_FIRST(&o->waiting))) {
		stop_waiting(x);
		if (err)
			refuse(x, err);
		else
			x->route->handle(x);
	}
	free(o);
}

static void fail(struct opening *o, int err)
{
	struct tenant *t = o->tenant;

	log_error("tenant %s: cannot open %s: %s", tenant_name(t), o->loop->gateway->opts.device,
		  aif_error_text(err));
	atomic_store(&t->failed_ns, loop_now_ns());
	atomic_store(&t->failed, err);
	end(o, err);
}

static void on_silence(struct ev_loop *ev, ev_timer *w, int revents)
{
	fail(w->data, -ETIME);
}

/* ---- what the opener says ---- */

static struct opening *find(const struct loop *l, uint32_t id)
{
	struct opening *o;

	LIST_FOREACH(o, &l->openings, node) {
		if (o->id == id)
			return o;
	}
	return NULL;
}

/* @result: a file, or -errno.  One that nobody waits for any more is closed. */
static void hear(struct loop *l, uint32_t id, int result)
{
	struct opening *o = find(l, id);

	if (!o && result >= 0)
		close(result);
	if (!o)
		return;
	if (result >= 0)
		result = backend_open(l, o->tenant, result);
	if (result < 0) {
		fail(o, result);
		return;
	}
	atomic_store(&o->tenant->failed, 0);
	end(o, 0);
}

/* Tenants whose file is open go on. */
static void bury_opener(struct loop *l)
{
	ev_io_stop(l->ev, &l->opener);
	if (!atomic_exchange(&l->gateway->opener_died, true))
		log_error("the process that opens the device for tenants has ended: those without a file get none until the gateway is started anew");
	while (!LIST_EMPTY(&l->openings))
		end(LIST_FIRST(&l->openings), -FAULT_NO_OPENER);
}

static void on_answer(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop *l = ev_userdata(ev);
	uint32_t id;
	int result, err;

	while (!(err = opener_answer(w->fd, &id, &result)))
		hear(l, id, result);
	if (err == -EPIPE)
		bury_opener(l);
}

/* ---- asking ---- */

static struct opening *opening_new(struct loop *l, struct tenant *tenant)
{
	struct opening *o;
	int err;

	if (!ev_is_active(&l->opener)) {
		errno = FAULT_NO_OPENER;
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->loop = l;
	o->tenant = tenant;
	o->id = l->opening_id++;
	TAILQ_INIT(&o->waiting);
	err = opener_ask(l->opener.fd, o->id, &tenant->key);
	if (err) {
		free(o);
		errno = err == -EPIPE ? FAULT_NO_OPENER : -err;
		return NULL;
	}
	ev_timer_init(&o->timer, on_silence, OPENING_PATIENCE_S, 0);
	o->timer.data = o;
	ev_timer_start(l->ev, &o->timer);
	LIST_INSERT_HEAD(&l->openings, o, node);
	return o;
}

/* Did it fail a moment ago? */
static int failed(const struct tenant *t)
{
	int err = atomic_load(&t->failed);

	return err && loop_now_ns() - atomic_load(&t->failed_ns) < OPENING_MEMORY_S * NS_PER_S ?
	       err : 0;
}

/* The one of @tenant, or a new one; NULL with errno. */
static struct opening *opening_get(struct loop *l, struct tenant *tenant)
{
	struct opening *o;
	int err;

	LIST_FOREACH(o, &l->openings, node) {
		if (o->tenant != tenant)
			continue;
		if (o->count < l->gateway->opts.queue)
			return o;
		errno = EAGAIN;
		return NULL;
	}
	err = failed(tenant);
	if (!err && !tenant_is_charged(tenant)) {
		atomic_store(&tenant->failed_ns, loop_now_ns());
		atomic_store(&tenant->failed, -EPERM);
		err = -EPERM;
	}
	if (!err)
		return opening_new(l, tenant);
	errno = -err;
	return NULL;
}

bool opening_pass(struct exchange *x)
{
	struct opening *o;

	if (backend_get(x->loop, x->tenant))
		return true;
	o = errno == EINPROGRESS ? opening_get(x->loop, x->tenant) : NULL;
	if (o)
		wait(o, x);
	else
		refuse(x, -errno);
	return false;
}

void openings_init(struct loop *l)
{
	const struct gateway *g = l->gateway;

	LIST_INIT(&l->openings);
	if (!g->opener)
		return;
	ev_io_init(&l->opener, on_answer, opener_socket(g->opener, (unsigned int)(l - g->loops)),
		   EV_READ);
	ev_io_start(l->ev, &l->opener);
}

void openings_fini(struct loop *l)
{
	while (!LIST_EMPTY(&l->openings))
		end(LIST_FIRST(&l->openings), 0);
	ev_io_stop(l->ev, &l->opener);
}
