/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A device in virtual time for the scheduler's tests: services, tenants, and
 * executors that take as long as each request says.  What the module does under
 * the device's lock, without the module.
 */
#ifndef AIF_SIM_H
#define AIF_SIM_H

#include "aif_test.h"

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
	struct aif_heap_node *paused[AIF_CLASS_COUNT * SIM_TENANTS];
};

struct sim {
	struct kunit *test;
	u64 now;	/* device time spent */
	struct aif_sched dev;
	struct sim_service services[SIM_SERVICES];
	struct aif_sched_clock clocks[SIM_TENANTS][AIF_CLASS_COUNT];
	struct sim_lane lanes[SIM_SERVICES][SIM_TENANTS][AIF_CLASS_COUNT];
	struct sim_req reqs[SIM_REQUESTS];
};

/* Attach the lanes of one service. */
static inline void sim_service_init(struct sim *s, u32 service)
{
	struct sim_service *sv = &s->services[service];

	aif_sched_queue_init(&sv->queue);
	aif_heap_grow(&sv->queue.paused, sv->paused, AIF_CLASS_COUNT * SIM_TENANTS);
	for (u32 class = 0; class < AIF_CLASS_COUNT; class++) {
		aif_heap_grow(&sv->queue.lanes[class], sv->slots[class], SIM_TENANTS);
		for (u32 t = 0; t < SIM_TENANTS; t++) {
			struct sim_lane *l = &s->lanes[service][t][class];

			aif_sched_lane_init(&l->lane, &sv->queue, &s->clocks[t][class], class);
			aif_heap_grow(&l->lane.requests, l->slots, SIM_REQUESTS);
			l->cost = MS;
		}
	}
}

/* One token; all weights 100; every lane attached and empty.  Ends with @test. */
static inline struct sim *sim_new(struct kunit *test)
{
	struct sim *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->test = test;
	aif_sched_init(&s->dev, 1, SIM_REQUESTS);
	for (u32 t = 0; t < SIM_TENANTS; t++) {
		for (u32 class = 0; class < AIF_CLASS_COUNT; class++)
			s->clocks[t][class].weight = 100;
	}
	for (u32 i = 0; i < SIM_SERVICES; i++)
		sim_service_init(s, i);
	for (u32 i = 0; i < SIM_REQUESTS; i++)
		aif_heap_node_init(&s->reqs[i].node);
	return s;
}

static inline struct sim_lane *sim_lane(struct sim *s, u32 service, u32 tenant)
{
	return &s->lanes[service][tenant][AIF_CLASS_NORMAL];
}

/* A request that takes the lane's cost; NULL when the scheduler refused. */
static inline struct sim_req *sim_submit(struct sim *s, struct sim_lane *l, u64 deadline)
{
	struct sim_req *r = s->reqs;

	while (r->used) {
		r++;
		KUNIT_ASSERT_TRUE(s->test, r < s->reqs + SIM_REQUESTS);
	}
	if (aif_sched_push(&s->dev, &l->lane, &r->node, deadline))
		return NULL;
	r->used = true;
	r->lane = l;
	r->cost = l->cost;
	return r;
}

static inline void sim_refill(struct sim *s, struct sim_lane *l)
{
	while (l->lane.requests.count < l->refill)
		KUNIT_ASSERT_NOT_NULL(s->test, sim_submit(s, l, 0));
}

/* Keep @count requests of @cost queued on @l whatever is taken. */
static inline void sim_backlog(struct sim *s, struct sim_lane *l, u32 count, u64 cost)
{
	l->refill = count;
	l->cost = cost;
	sim_refill(s, l);
}

/* Take the next request of a service (charged, not yet executed), or NULL. */
static inline struct sim_req *sim_fetch(struct sim *s, u32 service)
{
	struct aif_sched_queue *q = &s->services[service].queue;
	struct aif_sched_lane *l = aif_sched_next(q);
	struct sim_req *r;

	if (!l)
		return NULL;
	r = container_of(aif_sched_pop(&s->dev, l), struct sim_req, node);
	KUNIT_ASSERT_PTR_EQ(s->test, &r->lane->lane, l);
	r->charged = q->estimate_ns;
	sim_refill(s, r->lane);
	return r;
}

/* Its executor died: back to its old place, without a deadline. */
static inline int sim_requeue(struct sim *s, struct sim_req *r)
{
	return aif_sched_push_again(&s->dev, &r->lane->lane, &r->node, 0, r->node.seq);
}

/* Execute and answer it. */
static inline void sim_commit(struct sim *s, struct sim_req *r)
{
	u64 charged = aif_sched_account(&r->lane->lane, r->charged, r->cost, true);

	KUNIT_ASSERT_EQ(s->test, charged, r->cost);
	s->now += r->cost;
	r->lane->served_ns += r->cost;
	r->lane->served++;
	r->used = false;
}

/* The service that goes next, or -1. */
static inline int sim_choose(struct sim *s)
{
	u32 best = 0;

	for (u32 i = 1; i < SIM_SERVICES; i++) {
		if (aif_sched_before(&s->services[i].queue, &s->services[best].queue))
			best = i;
	}
	return aif_sched_next(&s->services[best].queue) ? (int)best : -1;
}

/* Steps of at most @credit (64) requests until @until device time has passed. */
static inline void sim_run(struct sim *s, u32 credit, u64 until)
{
	struct sim_req *step[64];

	KUNIT_ASSERT_LE(s->test, credit, ARRAY_SIZE(step));
	while (s->now < until) {
		int service = sim_choose(s);
		u32 n = 0;

		KUNIT_ASSERT_TRUE(s->test, service >= 0);
		KUNIT_ASSERT_TRUE(s->test, aif_sched_token_get(&s->dev));
		while (n < credit && (step[n] = sim_fetch(s, service)))
			n++;
		for (u32 i = 0; i < n; i++)
			sim_commit(s, step[i]);
		aif_sched_token_put(&s->dev);
	}
}

/* Fetch and commit one; says whose it was. */
static inline struct sim_lane *sim_step(struct sim *s)
{
	int service = sim_choose(s);
	struct sim_req *r = service < 0 ? NULL : sim_fetch(s, service);
	struct sim_lane *l = r ? r->lane : NULL;

	if (r)
		sim_commit(s, r);
	return l;
}

#endif
