// SPDX-License-Identifier: MIT
#include "sim.h"

struct sim *sim_new(void)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	aif_sched_init(&s->dev, 1, SIM_REQUESTS);
	for (u32 i = 0; i < SIM_SERVICES; i++) {
		struct sim_service *service = &s->services[i];

		aif_sched_queue_init(&service->queue);
		for (u32 class = 0; class < AIF_CLASS_COUNT; class++)
			aif_heap_grow(&service->queue.lanes[class], service->slots[class],
				      SIM_TENANTS);
		for (u32 t = 0; t < SIM_TENANTS; t++) {
			for (u32 class = 0; class < AIF_CLASS_COUNT; class++) {
				struct sim_lane *l = &s->lanes[i][t][class];

				s->clocks[t][class].weight = 100;
				aif_sched_lane_init(&l->lane, &service->queue,
						    &s->clocks[t][class], class);
				aif_heap_grow(&l->lane.requests, l->slots, SIM_REQUESTS);
				l->cost = MS;
			}
		}
	}
	for (u32 i = 0; i < SIM_REQUESTS; i++)
		aif_heap_node_init(&s->reqs[i].node);
	return s;
}

struct sim_req *sim_submit(struct sim *s, struct sim_lane *l, u64 deadline)
{
	struct sim_req *r = s->reqs;

	while (r->used)
		assert_true(++r < s->reqs + SIM_REQUESTS);
	if (aif_sched_push(&s->dev, &l->lane, &r->node, deadline))
		return NULL;
	r->used = true;
	r->lane = l;
	r->cost = l->cost;
	return r;
}

static void refill(struct sim *s, struct sim_lane *l)
{
	while (l->lane.requests.count < l->refill)
		assert_non_null(sim_submit(s, l, 0));
}

void sim_backlog(struct sim *s, struct sim_lane *l, u32 count, u64 cost)
{
	l->refill = count;
	l->cost = cost;
	refill(s, l);
}

struct sim_req *sim_fetch(struct sim *s, u32 service)
{
	struct aif_sched_queue *q = &s->services[service].queue;
	struct aif_sched_lane *l = aif_sched_next(q);
	struct sim_req *r;

	if (!l)
		return NULL;
	r = container_of(aif_sched_pop(&s->dev, l), struct sim_req, node);
	assert_ptr_equal(&r->lane->lane, l);
	r->charged = q->estimate_ns;
	refill(s, r->lane);
	return r;
}

void sim_commit(struct sim *s, struct sim_req *r)
{
	assert_int_equal(aif_sched_account(&r->lane->lane, r->charged, r->cost, true), r->cost);
	s->now += r->cost;
	r->lane->served_ns += r->cost;
	r->lane->served++;
	r->used = false;
}

int sim_choose(struct sim *s)
{
	u32 best = 0;

	for (u32 i = 1; i < SIM_SERVICES; i++) {
		if (aif_sched_before(&s->services[i].queue, &s->services[best].queue))
			best = i;
	}
	return s->services[best].queue.queued ? (int)best : -1;
}

void sim_run(struct sim *s, u32 credit, u64 until)
{
	struct sim_req *step[64];

	while (s->now < until) {
		int service = sim_choose(s);
		u32 n = 0;

		assert_true(service >= 0 && credit <= COUNT(step));
		assert_true(aif_sched_token_get(&s->dev));
		while (n < credit && (step[n] = sim_fetch(s, service)))
			n++;
		for (u32 i = 0; i < n; i++)
			sim_commit(s, step[i]);
		aif_sched_token_put(&s->dev);
	}
}

struct sim_lane *sim_step(struct sim *s)
{
	int service = sim_choose(s);
	struct sim_req *r = service < 0 ? NULL : sim_fetch(s, service);
	struct sim_lane *l = r ? r->lane : NULL;

	if (r)
		sim_commit(s, r);
	return l;
}
