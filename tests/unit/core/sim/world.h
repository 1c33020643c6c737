/* SPDX-License-Identifier: MIT */
/*
 * One device in virtual time, driven by events: tenants whose requests arrive by
 * a process, services, executors that take as long as each request says, step
 * tokens, transfers by chunk.  Who is next, what goes along, what is charged, cut and
 * admitted, is kmod/core's to say, through a table in which a test may put a worse one.
 * Which executor asks, and when, is simpler here than in the module: that no token idles
 * there, and who waits, is for tests/explore.
 *
 * One seed, one history.  Times are nanoseconds.  One thread.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "aif_core.h"

#define TENANTS_MAX	8
#define SERVICES_MAX	2
#define EXECUTORS_MAX	16
#define SOURCES_MAX	16
#define REQUESTS_MAX	4096
#define STEP_MAX	16

#define US	1000ull
#define MS	1000000ull
#define SECOND	1000000000ull

struct world;
struct request;

/* What the world asks of the core. */
struct policy {
	int (*push)(struct aif_sched *s, struct aif_sched_lane *l, struct aif_heap_node *req,
		    u64 deadline);
	struct aif_sched_lane *(*next)(const struct aif_sched_queue *q);
	bool (*before)(const struct aif_sched_queue *a, const struct aif_sched_queue *b);
	struct aif_heap_node *(*pop)(struct aif_sched *s, struct aif_sched_lane *l);
	struct aif_heap_node *(*pop_more)(struct aif_sched *s, struct aif_sched_lane *l);
	bool (*joins)(const struct aif_sched_lane *first, const struct aif_sched_queue *rival);
	struct aif_heap_node *(*pop_chunk)(struct aif_sched *s, struct aif_sched_lane *l,
					   u64 cost_ns);
	u64 (*account)(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns, bool final);
	void (*correct)(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns);
	u32 (*cut)(u64 at, u32 left);
	bool (*late)(const struct aif_desc *d, u64 now);
	bool (*fits)(const struct aif_rt *rts, u32 count, u32 blocking_us);
	u64 (*due)(struct aif_rt_budget *b, u64 longest_ns, u64 deadline, u64 now);
};

extern const struct policy core_policy;

enum arrival {
	CLOSED,		/* @depth in flight, the next one when one is answered */
	POISSON,	/* @period apart on average */
	PERIODIC,	/* @period apart */
	SPORADIC,	/* at least @period apart, on average 1.5 of it */
};

/* Requests of one tenant for one service in one class. */
struct source {
	u32 tenant;
	u32 service;
	u8 class;
	enum arrival arrival;
	u32 depth;		/* most in flight; what arrives beyond is refused */
	u64 period;
	u64 cost_min, cost_max;	/* device time, uniform; of a transfer: bytes */
	u64 deadline;		/* after the arrival; 0: none */
	u64 start, stop;	/* arrivals only from @start and, unless it is 0, before @stop */

	struct world *world;
	struct aif_heap_node event;
	u32 in_flight;
	u64 offered, refused, expired, served;	/* requests */
	u64 demoted;		/* for want of budget */
	u64 offered_ns;
};

struct request {
	struct aif_heap_node node;
	struct request *next_free;
	struct source *source;
	u8 class;		/* its source's, or normal when that had no budget left */
	u64 due;		/* in real time: until when it is executed */
	struct aif_desc desc;	/* its deadline */
	u64 cost;		/* device time that it takes; of a transfer: of this chunk */
	u64 charged;
	u64 arrived;
	u32 bytes, done, chunk;	/* of a transfer */
};

struct service {
	struct aif_sched_queue queue;
	struct aif_heap_node *slots[AIF_CLASS_COUNT][TENANTS_MAX];
	bool engine;		/* does transfers, a chunk at a time */
	u32 credit;		/* requests of a step, at most STEP_MAX */
	struct aif_cost cost;	/* what the engine is thought to cost */
	struct aif_cost truth;	/* what it does cost */
};

struct lane {
	struct aif_sched_lane lane;
	struct aif_heap_node *slots[REQUESTS_MAX];
};

struct tenant {
	struct aif_sched_clock clocks[AIF_CLASS_COUNT];
	struct lane lanes[SERVICES_MAX][AIF_CLASS_COUNT];
	struct aif_rt_budget budget;	/* of the real-time class, if it was admitted */
	u32 queued[AIF_CLASS_COUNT];
	u64 had[AIF_CLASS_COUNT];	/* device time of what was done */
	u64 step[AIF_CLASS_COUNT];	/* most of one step, taken or charged */
};

struct executor {
	struct world *world;
	u32 service;
	bool busy;
	u32 count;
	struct request *step[STEP_MAX];
	struct aif_heap_node event;
};

/* What has just happened, for a test that looks on. */
enum moment {
	ARRIVED,	/* @r was queued */
	REFUSED,	/* ... or not, @r->source says whose */
	TAKEN,		/* @r was given to an executor */
	EXPIRED,	/* @r was answered without */
	DONE,		/* @r was executed (a transfer: one chunk) */
	SETTLED,	/* after an event: all that can run does; @r is NULL */
};

struct world {
	struct policy policy;
	void (*look)(struct world *w, enum moment moment, struct request *r);
	void *looker;
	u64 now;
	u64 random;
	u64 longest_step;
	u64 busy_ns;		/* token time used */
	u32 tenant_count, service_count, executor_count, source_count;
	struct aif_sched sched;
	struct tenant tenants[TENANTS_MAX];
	struct service services[SERVICES_MAX];
	struct executor executors[EXECUTORS_MAX];
	struct source sources[SOURCES_MAX];
	struct request requests[REQUESTS_MAX];
	struct request *free;
	struct aif_heap events;
	struct aif_heap_node *event_slots[SOURCES_MAX + EXECUTORS_MAX];
	u64 event_seq;
	char failure[256];	/* the first one, or empty */
};

/* An empty device with so many tokens, for world_free().  The seed may be any number. */
struct world *world_new(u64 seed, const struct policy *policy, u32 tokens);
void world_free(struct world *w);

/* Each returns the number of what was added; the ranges are the caller's business. */
u32 world_tenant(struct world *w, u32 weight);
u32 world_service(struct world *w, u32 credit, u32 executors);
u32 world_engine(struct world *w, struct aif_cost truth, u32 executors);
struct source *world_source(struct world *w, const struct source *source);

/* Let @ns pass, or as much as it takes until something fails. */
void world_run(struct world *w, u64 ns);

/* Remember what failed, if it is the first. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* @min .. @max, all alike; or each magnitude alike. */
u64 world_random(struct world *w, u64 min, u64 max);
u64 world_magnitude(struct world *w, u64 min, u64 max);

static inline struct tenant *tenant_of(const struct request *r)
{
	return &r->source->world->tenants[r->source->tenant];
}

#endif
