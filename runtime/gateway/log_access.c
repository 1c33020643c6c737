// SPDX-License-Identifier: MIT
#include "runtime/gateway/log_access.h"

#include <time.h>
#include <unistd.h>

#include "runtime/gateway/backend.h"
#include "runtime/gateway/exchange.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/tenant.h"

#define KEPT (64 << 10)
#define NS_PER_MS 1e6

static void write_time(struct buf *b)
{
	struct timespec now;
	char text[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_format(b, "{\"time\":\"%s.%06ldZ\"", text, now.tv_nsec / 1000);
}

static void write_string(struct buf *b, const char *name, const char *value)
{
	buf_format(b, ",\"%s\":", name);
	json_string_add(b, value);
}

void log_access_batch(struct exchange *x, struct batch *batch)
{
	struct buf *b = &x->trace;
	uint32_t tag, generation;
	uint64_t tenant = 0;

	if (x->loop->gateway->access_fd < 0 || batch_result(batch))
		return;
	buf_format(b, ",\"thread\":%d,\"requests\":", x->loop->thread_id);
	for (unsigned int i = 0; i < batch_count(batch); i++) {
		aif_request_trace(batch_text(batch, i)->request, &tenant, &tag, &generation);
		buf_format(b, "%c[%u,%u]", i ? ',' : '[', tag, generation);
	}
	buf_format(b, "],\"payer\":%llu", (unsigned long long)tenant);
}

/* Who cancelled (status 0) got no answer. */
void log_access(struct exchange *x)
{
	struct buf *b = &x->loop->access;

	if (x->loop->gateway->access_fd < 0)
		return;
	write_time(b);
	buf_format(b, ",\"id\":\"%s\",\"client\":\"%s\",\"http\":%d,\"secure\":%s", x->id, x->peer,
		   x->http2 ? 2 : 1, x->secure ? "true" : "false");
	write_string(b, "method", exchange_text(x, x->method));
	write_string(b, "target", exchange_text(x, x->target));
	buf_format(b, ",\"status\":%u,\"received\":%zu,\"sent\":%llu", x->responded ? x->status : 0,
		   x->body_bytes, (unsigned long long)x->sent_bytes);
	if (*x->key)
		buf_format(b, ",\"key\":\"%s\"", x->key);
	if (x->tenant)
		write_string(b, "tenant", tenant_name(x->tenant));
	if (x->series)
		buf_format(b, ",\"service\":\"%s\",\"texts\":%u,\"tokens\":%llu,\"queue_ms\":%.3f,\"device_ms\":%.3f",
			   x->series->service, x->texts, (unsigned long long)x->tokens,
			   x->texts ? (double)x->queue_ns / x->texts / NS_PER_MS : 0,
			   (double)x->device_ns / NS_PER_MS);
	if (!x->trace.failed)
		buf_add(b, x->trace.data, x->trace.length);
	buf_format(b, ",\"ms\":%.3f}\n", (double)(loop_now_ns() - x->begun_ns) / NS_PER_MS);
}

/* Nobody waits for a log that cannot be written. */
void log_access_flush(struct loop *l)
{
	if (!l->access.length)
		return;
	if (!l->access.failed && write(l->gateway->access_fd, l->access.data, l->access.length) < 0)
		l->access_lost++;
	buf_reset(&l->access, KEPT);
}
