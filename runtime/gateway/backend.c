// SPDX-License-Identifier: MIT
/*
 * Batches wait in ->gathered, are in ->flight once part of them was submitted, and,
 * freed while an executor still has their memory, in ->parting.
 */
#include "runtime/gateway/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "runtime/daemon/log.h"
#include "runtime/gateway/arena.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/shm.h"
#include "runtime/gateway/tenant.h"

#define DEPTH 4096
#define SUBMIT_MOST 256
#define RETRY_S 0.002
#define QUIET_S 0.005
#define WATCH_S 0.002
#define ALIGNMENT 64

TAILQ_HEAD(batches, batch);

/*
 * A service, as it was when it was opened; one that was made anew has another id.
 *
 * @in_place: of the backend's region
 * @granted: bytes of its arena that the gateway knows of
 * @placed:  bytes for bodies that are still coming
 * @batches: that have memory of it
 */
struct target {
	LIST_ENTRY(target) node;
	struct backend *backend;
	struct aif_service *service;
	struct aif_grant *in_place;
	struct arena arena;
	size_t placed, granted;
	unsigned int batches;
	bool stale;
};

/*
 * @waiting: texts that were gathered and not submitted
 * @region:  whose client it is, NULL: a tenant's.  Other loops use it too, so that
 *           its answers are seen at the edges of an eventfd, through @edges: an epoll
 *           that sees each once
 * @retry:   the device had no room
 * @quiet:   looks after what is parting
 * @watch:   looks at what is watched: the device signals answers, not progress
 */
struct backend {
	LIST_ENTRY(backend) node;
	struct loop *loop;
	struct tenant *tenant;
	struct region *region;
	int edges;
	struct aif_client *client;
	LIST_HEAD(, target) targets;
	struct batches gathered, flight, finished, parting;
	unsigned int waiting;
	ev_io answers;
	ev_timer retry, quiet, watch;
};

/*
 * @list:      the backend's that it is in, NULL: none
 * @submitted, @answered: texts, from the first on
 * @body:      granted memory that texts are in, beside @piece
 * @used:      bytes of texts that were put
 */
struct batch {
	TAILQ_ENTRY(batch) node;
	struct batches *list;
	struct target *target;
	struct piece piece, body;
	char *texts;
	size_t used, bytes;
	uint64_t deadline_ns;
	void (*done)(struct batch *batch, void *ctx);
	void (*progress)(struct batch *batch, void *ctx);
	void *ctx;
	size_t seen;
	unsigned int n, submitted, answered;
	int result;
	struct text text[];
};

static void batch_move(struct batch *b, struct batches *list)
{
	if (b->list)
		TAILQ_REMOVE(b->list, b, node);
	b->list = list;
	if (list)
		TAILQ_INSERT_TAIL(list, b, node);
}

/* ---- memory of services ---- */

static void count_granted(struct target *t)
{
	struct gateway *g = t->backend->loop->gateway;

	if (t->arena.bytes == t->granted)
		return;
	atomic_fetch_add(&g->granted_bytes, t->arena.bytes - t->granted);	/* modulo */
	t->granted = t->arena.bytes;
}

static int target_take(struct target *t, size_t bytes, struct piece *p)
{
	int err = arena_take(&t->arena, bytes, p);

	count_granted(t);
	return err;
}

static void target_give(struct target *t, struct piece *p)
{
	arena_give(&t->arena, p);
	count_granted(t);
}

/* ---- services ---- */

static void target_close(struct target *t)
{
	arena_fini(&t->arena);
	count_granted(t);
	aif_grant_revoke(t->in_place);
	aif_service_close(t->service);
	LIST_REMOVE(t, node);
	free(t);
}

/* A region is granted once, by each loop that uses it. */
static int target_fill(struct target *t, struct backend *b, const struct aif_service_info *info)
{
	t->service = aif_service_open(b->client, info->name, info->owner);
	if (!t->service)
		return -errno;
	if (aif_service_info(t->service)->id != info->id)
		return -ENODEV;	/* made anew meanwhile, perhaps of another shape */
	if (!b->region)
		return 0;
	t->in_place = aif_grant_create(region_buffer(b->region), t->service, AIF_GRANT_WRITE);
	return t->in_place ? 0 : -errno;
}

static struct target *target_open(struct backend *b, const struct aif_service_info *info)
{
	struct target *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return NULL;
	err = target_fill(t, b, info);
	if (err) {
		aif_service_close(t->service);
		free(t);
		errno = -err;
		return NULL;
	}
	t->backend = b;
	arena_init(&t->arena, b->client, t->service, b->loop->gateway->opts.memory_bytes);
	LIST_INSERT_HEAD(&b->targets, t, node);
	return t;
}

/* The one with that id; others of its name are no more. */
static struct target *target_get(struct backend *b, const struct aif_service_info *info)
{
	struct target *t, *next;

	for (t = LIST_FIRST(&b->targets); t; t = next) {
		const struct aif_service_info *mine = aif_service_info(t->service);

		next = LIST_NEXT(t, node);
		if (mine->id == info->id && !t->stale)
			return t;
		if (!strcmp(mine->name, info->name) && mine->owner == info->owner)
			t->stale = true;
		if (t->stale && !t->batches)
			target_close(t);
	}
	return target_open(b, info);
}

/* A batch, or memory for one, has gone. */
static void target_put(struct target *t)
{
	t->batches--;
	if (t->stale && !t->batches)
		target_close(t);
}

/* ---- the end of a batch ---- */

static bool is_quiet(const struct batch *b)
{
	for (unsigned int i = 0; i < b->submitted; i++) {
		if (aif_request_wait_quiet(b->text[i].request, 0))
			return false;
	}
	return true;
}

static void batch_release(struct batch *b)
{
	struct target *t = b->target;

	batch_move(b, NULL);
	for (unsigned int i = 0; i < b->n; i++)
		aif_request_put(b->text[i].request);
	if (b->piece.data)
		target_give(t, &b->piece);
	if (b->body.data)
		target_give(t, &b->body);
	target_put(t);
	free(b);
}

static void cancel_flight(struct batch *b)
{
	for (unsigned int i = b->answered; i < b->submitted; i++)
		aif_request_cancel(b->text[i].request);
}

void batch_free(struct batch *b)
{
	struct backend *backend;

	if (!b)
		return;
	backend = b->target->backend;
	if (b->list == &backend->gathered)
		backend->waiting -= b->n - b->submitted;
	cancel_flight(b);
	if (is_quiet(b)) {
		batch_release(b);
		return;
	}
	b->done = NULL;
	batch_move(b, &backend->parting);
	if (!ev_is_active(&backend->quiet))
		ev_timer_again(backend->loop->ev, &backend->quiet);
}

static void on_quiet(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct backend *backend = w->data;
	struct batch *b, *next;

	for (b = TAILQ_FIRST(&backend->parting); b; b = next) {
		next = TAILQ_NEXT(b, node);
		if (is_quiet(b))
			batch_release(b);
	}
	if (TAILQ_EMPTY(&backend->parting))
		ev_timer_stop(ev, w);
}

/* ---- answers ---- */

static void batch_finish(struct batch *b)
{
	batch_move(b, NULL);
	b->done(b, b->ctx);
}

/* Looks from the first that had no answer: they come about in order. */
static bool collect(struct batch *b)
{
	while (b->answered < b->submitted) {
		struct text *t = &b->text[b->answered];

		if (!aif_request_answered(t->request))
			return false;
		t->result = aif_request_result(t->request);
		if (t->result < 0 && !b->result)
			b->result = t->result;
		b->answered++;
	}
	return b->answered == b->n;
}

/* Apart first: who is told can free any batch of this backend. */
static void look(struct backend *backend)
{
	struct batch *b, *next;

	for (b = TAILQ_FIRST(&backend->flight); b; b = next) {
		next = TAILQ_NEXT(b, node);
		if (collect(b))
			batch_move(b, &backend->finished);
	}
	while (!TAILQ_EMPTY(&backend->finished))
		batch_finish(TAILQ_FIRST(&backend->finished));
}

static void on_answers(struct ev_loop *ev, ev_io *w, int revents)
{
	struct backend *b = w->data;
	uint64_t answered = aif_client_answered(b->client);
	struct epoll_event edge;

	if (b->region) {
		epoll_wait(b->edges, &edge, 1, 0);
		look(b);
		return;
	}
	look(b);
	aif_client_wait(b->client, answered, 0);
}

/* ---- progress ---- */

size_t batch_produced(const struct batch *b)
{
	return b->submitted ? aif_request_produced(b->text[0].request) : 0;
}

void batch_watch(struct batch *b, void (*progress)(struct batch *batch, void *ctx))
{
	struct backend *backend = b->target->backend;

	b->progress = progress;
	if (!ev_is_active(&backend->watch))
		ev_timer_again(backend->loop->ev, &backend->watch);
}

/* The first watched one that has more; @any: there are watched ones. */
static struct batch *find_progress(struct backend *backend, bool *any)
{
	struct batch *b;

	TAILQ_FOREACH(b, &backend->flight, node) {
		*any |= b->progress != NULL;
		if (b->progress && batch_produced(b) > b->seen)
			return b;
	}
	return NULL;
}

/* From the front each time: who is told can free any batch. */
static void on_watch(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct backend *backend = w->data;
	bool any = !TAILQ_EMPTY(&backend->gathered);
	struct batch *b;

	while ((b = find_progress(backend, &any))) {
		b->seen = batch_produced(b);
		b->progress(b, b->ctx);
	}
	if (!any)
		ev_timer_stop(ev, w);
}

/* ---- submitting ---- */

/* It will not be: what was submitted of it is not wanted either. */
static void batch_fail(struct batch *b, int err)
{
	struct backend *backend = b->target->backend;

	backend->waiting -= b->n - b->submitted;
	b->result = err;
	cancel_flight(b);
	b->target->stale |= err == -ENODEV || err == -EBADF;
	batch_finish(b);
}

static unsigned int gather(struct backend *b, struct aif_request **requests)
{
	unsigned int n = 0, i;
	struct batch *batch;

	TAILQ_FOREACH(batch, &b->gathered, node) {
		if (batch->result)
			break;
		for (i = batch->submitted; i < batch->n && n < SUBMIT_MOST; i++)
			requests[n++] = batch->text[i].request;
	}
	return n;
}

/* The first @taken of those that were gathered are the device's. */
static void account(struct backend *b, unsigned int taken)
{
	b->waiting -= taken;
	while (taken) {
		struct batch *batch = TAILQ_FIRST(&b->gathered);
		unsigned int n = batch->n - batch->submitted;

		n = n < taken ? n : taken;
		batch->submitted += n;
		taken -= n;
		if (batch->submitted == batch->n)
			batch_move(batch, &b->flight);
	}
}

/* There will be room: when others are answered. */
static bool is_for_now(int err)
{
	return err == -EAGAIN || err == -EDQUOT || err == -EINTR;
}

static int submit_some(struct backend *b)
{
	struct aif_request *requests[SUBMIT_MOST];
	unsigned int n = gather(b, requests);
	int taken = n ? aif_request_submit(requests, n, 0) : TAILQ_FIRST(&b->gathered)->result;

	if (taken >= 0) {
		account(b, (unsigned int)taken);
		return 0;
	}
	if (is_for_now(taken))
		return taken;
	batch_fail(TAILQ_FIRST(&b->gathered), taken);
	return 0;
}

static void backend_submit(struct backend *b)
{
	int err = 0;

	while (!TAILQ_EMPTY(&b->gathered) && !err)
		err = submit_some(b);
	if (err)
		ev_timer_again(b->loop->ev, &b->retry);
	else
		ev_timer_stop(b->loop->ev, &b->retry);
}

void backends_submit(struct loop *l)
{
	struct backend *b;

	LIST_FOREACH(b, &l->backends, node) {
		if (!TAILQ_EMPTY(&b->gathered) && !ev_is_active(&b->retry))
			backend_submit(b);
	}
}

static void on_retry(struct ev_loop *ev, ev_timer *w, int revents)
{
	backend_submit(w->data);
}

/* ---- making batches ---- */

static size_t aligned(size_t bytes)
{
	return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Outputs first, each on its own lines; texts behind them, one after the other. */
static void lay_out(struct batch *b, size_t room, bool counts)
{
	char *at = b->piece.data;

	for (unsigned int i = 0; i < b->n; i++) {
		b->text[i].output = at;
		b->text[i].room = room;
		at += aligned(room);
		if (counts)
			b->text[i].counts = (struct counts *)at;
		at += counts ? ALIGNMENT : 0;
	}
	b->texts = at;
}

static int take_memory(struct batch *b, size_t bytes, size_t room)
{
	const struct aif_service_info *info = aif_service_info(b->target->service);
	bool counts = info->output_count > 1;
	int err;

	room = room ? room : info->io[info->input_count].max_bytes;
	b->bytes = bytes;
	bytes += b->n * (aligned(room) + (counts ? ALIGNMENT : 0));
	err = target_take(b->target, bytes, &b->piece);
	if (!err)
		lay_out(b, room, counts);
	return err;
}

static int take_requests(struct batch *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		b->text[i].request = aif_request_get(b->target->backend->client);
		if (!b->text[i].request)
			return -errno;
	}
	return 0;
}

static struct batch *batch_of(struct target *t, unsigned int n, size_t bytes, size_t room)
{
	struct batch *b = calloc(1, sizeof(*b) + n * sizeof(b->text[0]));
	struct backend *backend = t->backend;
	int err;

	if (!b)
		return NULL;
	b->target = t;
	b->n = n;
	t->batches++;
	err = backend->waiting + n > backend->loop->gateway->opts.queue ? -EAGAIN : 0;
	if (!err)
		err = take_memory(b, bytes, room);
	if (!err)
		err = take_requests(b);
	if (!err)
		return b;
	batch_release(b);
	errno = -err;
	return NULL;
}

struct batch *batch_new(struct backend *backend, const struct aif_service_info *service,
			unsigned int n, size_t bytes, size_t room)
{
	struct target *t = target_get(backend, service);

	return t ? batch_of(t, n, bytes, room) : NULL;
}

/* ---- memory before it is known for what ---- */

/* Clients that send slowly must not have all of it: this much of a target's at most. */
#define PLACED_SHARE 4

struct granted {
	struct target *target;
	struct piece piece;
	size_t bytes;
};

static void granted_put(struct granted *g)
{
	g->target->placed -= g->bytes;
	target_put(g->target);
	free(g);
}

struct granted *granted_take(struct backend *backend, const struct aif_service_info *service,
			     size_t bytes)
{
	struct target *t = target_get(backend, service);
	struct granted *g = t ? calloc(1, sizeof(*g)) : NULL;
	int err;

	if (!g)
		return NULL;
	err = t->placed + bytes > t->arena.most / PLACED_SHARE ? -ENOSPC :
	      target_take(t, bytes, &g->piece);
	if (err) {
		free(g);
		errno = -err;
		return NULL;
	}
	g->target = t;
	g->bytes = bytes;
	t->placed += bytes;
	t->batches++;
	return g;
}

char *granted_data(const struct granted *g)
{
	return g->piece.data;
}

void granted_free(struct granted *g)
{
	if (!g)
		return;
	target_give(g->target, &g->piece);
	granted_put(g);
}

struct batch *batch_new_in(struct granted *g, unsigned int n)
{
	struct batch *b = batch_of(g->target, n, 0, 0);

	if (!b)
		return NULL;
	b->body = g->piece;
	granted_put(g);
	return b;
}

unsigned int batch_count(const struct batch *b)
{
	return b->n;
}

struct text *batch_text(struct batch *b, unsigned int i)
{
	return &b->text[i];
}

char *batch_put(struct batch *b, unsigned int i, size_t length)
{
	struct text *t = &b->text[i];

	t->text = b->texts + b->used;
	t->length = length;
	b->used += length;
	return t->text;
}

void batch_place(struct batch *b, unsigned int i, char *text, size_t length)
{
	b->text[i].text = text;
	b->text[i].length = length;
}

void batch_place_output(struct batch *b, unsigned int i, char *output)
{
	b->text[i].output = output;
}

static int prepare(struct batch *b, struct text *t)
{
	struct iovec in = { t->text, t->length };
	struct iovec out[] = { { t->output, t->room }, { t->counts, sizeof(*t->counts) } };
	struct aif_request_spec spec = {
		.size = sizeof(spec), .in = &in, .in_count = 1,
		.out = out, .out_count = t->counts ? 2 : 1, .deadline_ns = b->deadline_ns,
	};

	return aif_request_prepare(t->request, b->target->service, &spec);
}

void batch_submit(struct batch *b, uint64_t deadline_ns,
		  void (*done)(struct batch *batch, void *ctx), void *ctx)
{
	b->deadline_ns = deadline_ns;
	b->done = done;
	b->ctx = ctx;
	for (unsigned int i = 0; i < b->n && !b->result; i++)
		b->result = prepare(b, &b->text[i]);
	b->target->backend->waiting += b->n;
	batch_move(b, &b->target->backend->gathered);
}

int batch_result(const struct batch *b)
{
	return b->result;
}

/* ---- backends ---- */

static void backend_close(struct backend *b)
{
	ev_io_stop(b->loop->ev, &b->answers);
	ev_timer_stop(b->loop->ev, &b->retry);
	ev_timer_stop(b->loop->ev, &b->quiet);
	ev_timer_stop(b->loop->ev, &b->watch);
	LIST_REMOVE(b, node);
	aif_client_cancel_all(b->client);
	aif_client_wait_quiet(b->client, -1);
	while (!TAILQ_EMPTY(&b->parting))
		batch_release(TAILQ_FIRST(&b->parting));
	while (!LIST_EMPTY(&b->targets))
		target_close(LIST_FIRST(&b->targets));
	if (b->region) {
		close(b->edges);
		region_put(b->region);
	} else {
		aif_client_close(b->client);
	}
	free(b);
}

/* Somebody has memory of it, submitted or not. */
static bool has_batches(const struct backend *b)
{
	const struct target *t;

	LIST_FOREACH(t, &b->targets, node) {
		if (t->batches)
			return true;
	}
	return false;
}

void backends_tidy(struct loop *l)
{
	struct backend *b, *next;

	for (b = LIST_FIRST(&l->backends); b; b = next) {
		next = LIST_NEXT(b, node);
		if (b->region && region_ended(b->region) && !has_batches(b))
			backend_close(b);
	}
}

void backends_close(struct loop *l)
{
	while (!LIST_EMPTY(&l->backends))
		backend_close(LIST_FIRST(&l->backends));
}

static void backend_init(struct backend *b, struct loop *l, int answers)
{
	b->loop = l;
	TAILQ_INIT(&b->gathered);
	TAILQ_INIT(&b->flight);
	TAILQ_INIT(&b->finished);
	TAILQ_INIT(&b->parting);
	LIST_INIT(&b->targets);
	ev_io_init(&b->answers, on_answers, answers, EV_READ);
	ev_init(&b->retry, on_retry);
	ev_init(&b->quiet, on_quiet);
	ev_init(&b->watch, on_watch);
	b->watch.repeat = WATCH_S;
	b->retry.repeat = RETRY_S;
	b->quiet.repeat = QUIET_S;
	b->answers.data = b->retry.data = b->quiet.data = b->watch.data = b;
	ev_io_start(l->ev, &b->answers);
	LIST_INSERT_HEAD(&l->backends, b, node);
}

/* Somebody else has to open the device for @tenant; on "local" a tenant is a number. */
static bool is_another(const struct loop *l, const struct tenant *tenant)
{
	return strcmp(l->gateway->opts.device, "local") && tenant->key.type != KEY_TENANT_NONE;
}

/* @fd: the device's file, 0: to be opened. */
static struct aif_client *client_open(const struct loop *l, const struct tenant *tenant, int fd)
{
	struct aif_client_opts opts = {
		.size = sizeof(opts), .device = l->gateway->opts.device, .depth = DEPTH, .fd = fd,
	};
	char local[32];

	if (!strcmp(opts.device, "local")) {
		snprintf(local, sizeof(local), "local:%u", tenant->index);
		opts.device = local;
	}
	return aif_client_open(&opts);
}

static struct backend *backend_new(struct loop *l, struct tenant *tenant, int fd)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->tenant = tenant;
	b->client = client_open(l, tenant, fd);
	if (!b->client) {
		free(b);
		return NULL;
	}
	backend_init(b, l, aif_client_fd(b->client));
	return b;
}

struct backend *backend_get(struct loop *l, struct tenant *tenant)
{
	struct backend *b;

	LIST_FOREACH(b, &l->backends, node) {
		if (!b->region && b->tenant == tenant)
			return b;
	}
	if (!is_another(l, tenant))
		return backend_new(l, tenant, 0);
	errno = EINPROGRESS;
	return NULL;
}

int backend_open(struct loop *l, struct tenant *tenant, int fd)
{
	int err;

	if (backend_new(l, tenant, fd))
		return 0;
	err = -errno;
	close(fd);
	return err;
}

static int edges_open(int answers)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, answers, &edge)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct backend *backend_of_region(struct loop *l, struct region *region)
{
	struct backend *b;

	LIST_FOREACH(b, &l->backends, node) {
		if (b->region == region)
			return b;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->edges = edges_open(region_answers(region));
	if (b->edges < 0) {
		free(b);
		return NULL;
	}
	region_get(region);
	b->region = region;
	b->client = region_client(region);
	backend_init(b, l, b->edges);
	return b;
}
