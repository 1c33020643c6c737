/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one event loop: a thread, its listeners, connections and backends
 *
 * Nothing of a loop is touched by another thread but @wake.  libev carries it.
 */
#ifndef AIF_GATEWAY_LOOP_H
#define AIF_GATEWAY_LOOP_H

#include <ev.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "runtime/gateway/buf.h"
#include "runtime/gateway/gateway.h"
#include "runtime/gateway/metrics.h"

#define LOOP_INPUT_BYTES 65536

struct aif_why;
struct backend;
struct conn;
struct opening;

TAILQ_HEAD(conns, conn);
LIST_HEAD(backends, backend);
LIST_HEAD(openings, opening);

/*
 * @conns, @dead: open; to be freed when no event of theirs is under way
 * @openings: tenants' files that @opener is asked for; @opening_id: of the next
 * @accept_again: runs while there is no descriptor for another connection
 * @wake:  the main thread changed something: @draining, @stopping
 * @settle: before the loop sleeps: submits what was gathered, frees the dead
 * @thread_id: as the kernel and its traces have it
 * @access: lines of the access log, to be written; @access_lost: writes that failed
 * @input: what was read, until its connection has looked at it
 * @date:  of the second @date_at, as HTTP writes it
 */
struct loop {
	struct gateway *gateway;
	struct ev_loop *ev;
	pthread_t thread;
	pid_t thread_id;
	ev_io listeners[LISTENERS_MAX];
	unsigned int listener_count;
	ev_timer accept_again;
	ev_async wake;
	ev_prepare settle;
	struct conns conns, dead;
	struct backends backends;
	struct openings openings;
	ev_io opener;
	uint32_t opening_id;
	atomic_bool stopping;
	bool draining;
	struct metrics metrics;
	struct buf access;
	unsigned long access_lost;
	time_t date_at;
	char date[32];
	char input[LOOP_INPUT_BYTES];
};

int loop_init(struct loop *loop, struct gateway *gateway, struct aif_why *why);
int loop_start(struct loop *loop, struct aif_why *why);

/* Say that something changed.  [any thread] */
void loop_wake(struct loop *loop);

/* After its thread has ended. */
void loop_fini(struct loop *loop);

const char *loop_date(struct loop *loop);
uint64_t loop_now_ns(void);

#endif
