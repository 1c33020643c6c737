/* SPDX-License-Identifier: MIT */
/*
 * A device in virtual time for the scheduler's tests: services, tenants, and
 * executors that take as long as each request says.  What the module does under
 * the device's lock, without the module.
 */
#ifndef SIM_H
#define SIM_H

#include "test_core.h"

#define SIM_SERVICES	2
#define SIM_TENANTS	4
#define SIM_REQUESTS	512
#define MS		1000000ull
#define SECOND		(1000 * MS)

struct sim_lane {
	struct aif_sched_lane lane;
	struct aif_heap_node *slots[SIM_REQUESTS];
	u64 cost;	/* of requests to come */
	u64 served_ns;
	u32 served;
	u32 refill;	/* keep so many queued */
};

struct sim_req {
	struct aif_heap_node node;
	struct sim_lane *lane;
	u64 cost;
	u64 charged;
	bool used;
};

struct sim_service {
	struct aif_sched_queue queue;
	struct aif_heap_node *slots[AIF_CLASS_COUNT][SIM_TENANTS];
};

struct sim {
	u64 now;	/* device time spent */
	struct aif_sched dev;
	struct sim_service services[SIM_SERVICES];
	struct aif_sched_clock clocks[SIM_TENANTS][AIF_CLASS_COUNT];
	struct sim_lane lanes[SIM_SERVICES][SIM_TENANTS][AIF_CLASS_COUNT];
	struct sim_req reqs[SIM_REQUESTS];
};

/* One token; all weights 100; every lane attached and empty.  free() ends it. */
struct sim *sim_new(void);

static inline struct sim_lane *sim_lane(struct sim *s, u32 service, u32 tenant)
{
	return &s->lanes[service][tenant][AIF_CLASS_NORMAL];
}

/* A request that takes the lane's cost; NULL when the scheduler refused. */
struct sim_req *sim_submit(struct sim *s, struct sim_lane *l, u64 deadline);

/* Keep @count requests of @cost queued on @l whatever is taken. */
void sim_backlog(struct sim *s, struct sim_lane *l, u32 count, u64 cost);

/* Take the next request of a service (charged, not yet executed). */
struct sim_req *sim_fetch(struct sim *s, u32 service);

/* Execute and answer it. */
void sim_commit(struct sim *s, struct sim_req *r);

/* The service that goes next, or -1. */
int sim_choose(struct sim *s);

/* Steps of at most @credit requests until @until device time has passed. */
void sim_run(struct sim *s, u32 credit, u64 until);

/* Fetch and commit one; says whose it was. */
struct sim_lane *sim_step(struct sim *s);

#endif
