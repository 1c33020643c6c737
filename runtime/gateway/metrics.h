/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - what was asked and answered, for Prometheus, v2's statistics and the
 * access log
 *
 * Each loop counts for itself, in a series for each tenant and service; who asks adds
 * the loops up.  Times of texts are the device's own: from submission to fetch, and
 * from there to the answer.
 */
#ifndef AIF_GATEWAY_METRICS_H
#define AIF_GATEWAY_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "libaif.h"
#include "runtime/gateway/buf.h"

#define BUCKETS 15	/* the last: more than all others */

struct batch;
struct exchange;
struct gateway;
struct loop;
struct tenant;

struct histogram {
	_Atomic uint64_t count[BUCKETS];
	_Atomic uint64_t sum_ns;
};

/*
 * @requests: by the first digit of the status
 * @texts, @failed: requests of the device that succeeded, or did not; @in_flight: those
 *         that were asked for, and whose HTTP request has not ended
 * @http: whole requests; @queue, @run: texts, see above
 */
struct series {
	struct series *next;
	const struct tenant *tenant;
	char service[AIF_SERVICE_NAME_MAX];
	_Atomic uint64_t requests[6];
	_Atomic uint64_t texts, failed, tokens, bytes_in, bytes_out;
	_Atomic int64_t in_flight;
	struct histogram http, queue, run;
};

/* Written by its loop, read by all. */
struct metrics {
	struct series *_Atomic list;
};

void metrics_fini(struct loop *loop);

/* @x asks @service with @texts. */
void metrics_begin(struct exchange *x, const char *service, unsigned int texts);

/* All texts of the batch were answered: also sums up for @x. */
void metrics_batch(struct exchange *x, struct batch *batch);

/* The exchange ends: counts it, and adds its line to the access log. */
void metrics_exchange(struct exchange *x);

/* [any thread] */
void metrics_write(const struct gateway *gateway, struct buf *text);

/* Sums of all loops and tenants, for one service.  [any thread] */
struct metrics_sums {
	uint64_t requests, texts, failed, http_ns, queue_ns, run_ns;
};
void metrics_sum(const struct gateway *gateway, const char *service, struct metrics_sums *sums);

#endif
