// SPDX-License-Identifier: MIT
#include "runtime/gateway/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/backend.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/tenant.h"

#define NS_PER_S 1e9
#define CLIENT_GONE 499		/* as other servers count it; nothing is sent */

/* Upper ends, in nanoseconds. */
static const uint64_t ends[BUCKETS - 1] = {
	100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 20000000, 50000000,
	100000000, 200000000, 500000000, 1000000000, 5000000000,
};

/* Only its loop writes: no locked instruction is needed. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void observe(struct histogram *h, uint64_t ns)
{
	unsigned int i = 0;

	while (i < BUCKETS - 1 && ns > ends[i])
		i++;
	add(&h->count[i], 1);
	add(&h->sum_ns, ns);
}

/* ---- counting ---- */

/* The loop's; what finds no memory counts in one that nobody sees. */
static struct series *series_get(struct loop *l, const struct tenant *tenant, const char *service)
{
	static struct series nowhere;
	struct series *s;

	for (s = atomic_load(&l->metrics.list); s; s = s->next) {
		if (s->tenant == tenant && !strcmp(s->service, service))
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return &nowhere;
	s->tenant = tenant;
	strncpy(s->service, service, sizeof(s->service) - 1);
	s->next = atomic_load(&l->metrics.list);
	atomic_store(&l->metrics.list, s);
	return s;
}

void metrics_fini(struct loop *l)
{
	struct series *s = atomic_load(&l->metrics.list), *next;

	for (; s; s = next) {
		next = s->next;
		free(s);
	}
}

void metrics_begin(struct exchange *x, const char *service, unsigned int texts)
{
	x->series = series_get(x->loop, x->tenant, service);
	x->texts = texts;
	atomic_fetch_add(&x->series->in_flight, texts);
}

void metrics_batch(struct exchange *x, struct batch *b)
{
	struct series *s = x->series;

	for (unsigned int i = 0; i < batch_count(b); i++) {
		struct aif_outcome o = { .size = sizeof(o) };

		if (aif_request_outcome(batch_text(b, i)->request, &o) || o.result < 0) {
			add(&s->failed, 1);
			continue;
		}
		add(&s->texts, 1);
		observe(&s->queue, o.fetched_ns - o.submitted_ns);
		observe(&s->run, o.answered_ns - o.fetched_ns);
		x->queue_ns += o.fetched_ns - o.submitted_ns;
		x->device_ns += o.device_ns;
	}
}

void metrics_exchange(struct exchange *x)
{
	unsigned int status = x->responded ? x->status : CLIENT_GONE;
	struct series *s = x->series;

	if (!s)
		s = series_get(x->loop, x->tenant, "");
	atomic_fetch_sub(&s->in_flight, x->texts);
	add(&s->requests[status / 100 % 6], 1);
	add(&s->tokens, x->tokens);
	add(&s->bytes_in, x->body_bytes);
	add(&s->bytes_out, x->sent_bytes);
	observe(&s->http, loop_now_ns() - x->begun_ns);
}

/* ---- adding up ---- */

static void histogram_sum(struct histogram *to, const struct histogram *from)
{
	for (unsigned int i = 0; i < BUCKETS; i++)
		add(&to->count[i], get(&from->count[i]));
	add(&to->sum_ns, get(&from->sum_ns));
}

static void series_sum(struct series *to, const struct series *from)
{
	for (unsigned int i = 0; i < 6; i++)
		add(&to->requests[i], get(&from->requests[i]));
	add(&to->texts, get(&from->texts));
	add(&to->failed, get(&from->failed));
	add(&to->tokens, get(&from->tokens));
	add(&to->bytes_in, get(&from->bytes_in));
	add(&to->bytes_out, get(&from->bytes_out));
	atomic_fetch_add(&to->in_flight, atomic_load(&from->in_flight));
	histogram_sum(&to->http, &from->http);
	histogram_sum(&to->queue, &from->queue);
	histogram_sum(&to->run, &from->run);
}

static struct series *sums_find(struct series **sums, const struct series *like)
{
	struct series *s;

	for (s = *sums; s; s = s->next) {
		if (s->tenant == like->tenant && !strcmp(s->service, like->service))
			return s;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->tenant = like->tenant;
	memcpy(s->service, like->service, sizeof(s->service));
	s->next = *sums;
	*sums = s;
	return s;
}

static struct series *sum_all(const struct gateway *g)
{
	struct series *sums = NULL;

	for (unsigned int i = 0; i < g->loop_count; i++) {
		const struct series *s = atomic_load(&g->loops[i].metrics.list);

		for (; s; s = s->next) {
			struct series *to = sums_find(&sums, s);

			if (to)
				series_sum(to, s);
		}
	}
	return sums;
}

void metrics_sum(const struct gateway *g, const char *service, struct metrics_sums *to)
{
	struct series *sums = sum_all(g), *s;

	*to = (struct metrics_sums){ 0 };
	while ((s = sums)) {
		sums = s->next;
		if (!strcmp(s->service, service)) {
			to->requests += get(&s->requests[2]);
			to->failed += get(&s->failed);
			to->texts += get(&s->texts);
			to->http_ns += get(&s->http.sum_ns);
			to->queue_ns += get(&s->queue.sum_ns);
			to->run_ns += get(&s->run.sum_ns);
		}
		free(s);
	}
}

/* ---- Prometheus' text ---- */

static void write_help(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_format(b, "# HELP aif_gateway_%s %s\n# TYPE aif_gateway_%s %s\n", name, help, name,
		   type);
}

static void write_gauge(struct buf *b, const char *name, const char *help, size_t value)
{
	write_help(b, name, "gauge", help);
	buf_format(b, "aif_gateway_%s %zu\n", name, value);
}

/* The labels that every series has; the caller closes them. */
static void write_name(struct buf *b, const struct series *s, const char *name)
{
	const char *tenant = s->tenant ? tenant_name(s->tenant) : "";

	buf_format(b, "aif_gateway_%s{tenant=\"", name);
	for (; *tenant; tenant++)
		buf_format(b, *tenant == '"' || *tenant == '\\' ? "\\%c" : "%c", *tenant);
	buf_format(b, "\",service=\"%s\"", s->service);
}

static void write_requests(struct buf *b, const struct series *sums)
{
	write_help(b, "requests_total", "counter", "HTTP requests, by class of status");
	for (const struct series *s = sums; s; s = s->next) {
		for (unsigned int i = 1; i < 6; i++) {
			if (!get(&s->requests[i]))
				continue;
			write_name(b, s, "requests_total");
			buf_format(b, ",status=\"%uxx\"} %llu\n", i,
				   (unsigned long long)get(&s->requests[i]));
		}
	}
}

struct counter {
	const char *name, *help;
	size_t field;
};

static const struct counter counters[] = {
	{ "texts_total", "Texts that the device answered", offsetof(struct series, texts) },
	{ "texts_failed_total", "Texts that it did not", offsetof(struct series, failed) },
	{ "tokens_total", "Tokens of answered texts", offsetof(struct series, tokens) },
	{ "received_bytes_total", "Of bodies", offsetof(struct series, bytes_in) },
	{ "sent_bytes_total", "Of bodies", offsetof(struct series, bytes_out) },
};

static void write_counter(struct buf *b, const struct series *sums, const struct counter *c)
{
	write_help(b, c->name, "counter", c->help);
	for (const struct series *s = sums; s; s = s->next) {
		const _Atomic uint64_t *value = (const void *)((const char *)s + c->field);

		write_name(b, s, c->name);
		buf_format(b, "} %llu\n", (unsigned long long)get(value));
	}
}

static void write_in_flight(struct buf *b, const struct series *sums)
{
	write_help(b, "texts_in_flight", "gauge", "Texts whose HTTP request has not ended");
	for (const struct series *s = sums; s; s = s->next) {
		write_name(b, s, "texts_in_flight");
		buf_format(b, "} %lld\n", (long long)atomic_load(&s->in_flight));
	}
}

static void write_buckets(struct buf *b, const struct series *s, const struct histogram *h,
			  const char *name)
{
	char full[64];
	uint64_t sum = 0;

	snprintf(full, sizeof(full), "%s_bucket", name);
	for (unsigned int i = 0; i < BUCKETS; i++) {
		sum += get(&h->count[i]);
		write_name(b, s, full);
		if (i < BUCKETS - 1)
			buf_format(b, ",le=\"%g\"} %llu\n", (double)ends[i] / NS_PER_S,
				   (unsigned long long)sum);
		else
			buf_format(b, ",le=\"+Inf\"} %llu\n", (unsigned long long)sum);
	}
	snprintf(full, sizeof(full), "%s_sum", name);
	write_name(b, s, full);
	buf_format(b, "} %.9f\n", (double)get(&h->sum_ns) / NS_PER_S);
	snprintf(full, sizeof(full), "%s_count", name);
	write_name(b, s, full);
	buf_format(b, "} %llu\n", (unsigned long long)sum);
}

static void write_histogram(struct buf *b, const struct series *sums, size_t field,
			    const char *name, const char *help)
{
	write_help(b, name, "histogram", help);
	for (const struct series *s = sums; s; s = s->next)
		write_buckets(b, s, (const void *)((const char *)s + field), name);
}

static void write_services(const struct gateway *g, struct buf *b)
{
	struct catalog *c = catalog_get(g->catalog);

	write_help(b, "service_queued", "gauge", "Requests of all clients that wait, a second ago at most");
	for (unsigned int i = 0; i < catalog_count(c); i++)
		buf_format(b, "aif_gateway_service_queued{service=\"%s\"} %u\n",
			   catalog_at(c, i)->name, catalog_at(c, i)->queued);
	write_help(b, "service_executors", "gauge", "Processes that execute");
	for (unsigned int i = 0; i < catalog_count(c); i++)
		buf_format(b, "aif_gateway_service_executors{service=\"%s\"} %u\n",
			   catalog_at(c, i)->name, catalog_at(c, i)->executors);
	catalog_put(c);
}

void metrics_write(const struct gateway *g, struct buf *b)
{
	struct series *sums = sum_all(g), *s;

	write_requests(b, sums);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		write_counter(b, sums, &counters[i]);
	write_in_flight(b, sums);
	write_histogram(b, sums, offsetof(struct series, http), "request_seconds",
			"HTTP requests, from their first byte to the last of the answer");
	write_histogram(b, sums, offsetof(struct series, queue), "text_queue_seconds",
			"Texts, from submission to an executor's fetch (the device's clock)");
	write_histogram(b, sums, offsetof(struct series, run), "text_run_seconds",
			"Texts, from fetch to answer (the device's clock)");
	write_gauge(b, "connections", "Open connections", atomic_load(&g->connection_count));
	write_gauge(b, "body_bytes", "Bodies of requests that are not answered yet",
		    atomic_load(&g->body_bytes));
	write_gauge(b, "reply_bytes", "Responses that clients have not taken yet",
		    atomic_load(&g->reply_bytes));
	write_gauge(b, "output_bytes", "Room for what is on its way to clients",
		    atomic_load(&g->output_bytes));
	write_gauge(b, "granted_bytes", "Buffers that services see",
		    atomic_load(&g->granted_bytes));
	write_services(g, b);
	while ((s = sums)) {
		sums = s->next;
		free(s);
	}
}
