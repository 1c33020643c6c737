// SPDX-License-Identifier: MIT
/*
 * Who goes next.  Nothing here depends on how long anything took: everything that
 * is compared was queued before the first FETCH and is fetched in one.
 */
#include <stdlib.h>

#include "conform.h"

static struct service service;

static void submit_class(struct client *c, uint32_t tag, uint8_t class, uint64_t deadline)
{
	struct aif_desc d = desc_of(c, tag, 1);

	d.sched_class = class;
	d.deadline = deadline;
	OK(submit_desc(c, &d, 0));
}

static void test_fifo(void)
{
	struct executor e;
	struct client c;
	uint32_t i;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&e, &service, 8);
	for (i = 0; i < 8; i++)
		submit(&c, 7 - i, 1);
	fetch_exactly(&e, 8);
	for (i = 0; i < 8; i++)
		IS(slot_of(&e, i)->tag, 7 - i);
}

static void test_deadline_first(void)
{
	uint64_t later = (uint64_t)now_ns() + 3600000 * NS_PER_MS;
	static const uint32_t order[] = { 2, 1, 3, 0 };
	struct executor e;
	struct client c;
	uint32_t i;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&e, &service, 8);
	submit_class(&c, 0, AIF_CLASS_NORMAL, 0);
	submit_class(&c, 1, AIF_CLASS_NORMAL, later + 1);
	submit_class(&c, 2, AIF_CLASS_NORMAL, later);
	submit_class(&c, 3, AIF_CLASS_NORMAL, later + 1);
	fetch_exactly(&e, 4);
	for (i = 0; i < 4; i++)
		IS(slot_of(&e, i)->tag, order[i]);
}

static void test_idle_last(void)
{
	uint64_t soon = (uint64_t)now_ns() + 3600000 * NS_PER_MS;
	struct executor e;
	struct client c;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&e, &service, 8);
	submit_class(&c, 0, AIF_CLASS_IDLE, soon);
	submit_class(&c, 1, AIF_CLASS_NORMAL, 0);
	fetch_exactly(&e, 2);
	IS(slot_of(&e, 0)->tag, 1);
	IS(slot_of(&e, 1)->tag, 0);
	IS(slot_of(&e, 1)->sched_class, AIF_CLASS_IDLE);
}

/* The right to ask for real time is no budget of it: it has its share, and no more. */
static void test_realtime_without_a_budget(void)
{
	struct aif_ioc_info info = { .size = sizeof(info), .features = AIF_F_REALTIME };
	struct executor e;
	struct aif_desc d;
	struct client c;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&e, &service, 8);
	OK(libaif_call(c.f, AIF_IOC_INFO, &info));
	d = desc_of(&c, 1, 1);
	d.sched_class = AIF_CLASS_REALTIME;
	if (!(info.features & AIF_F_REALTIME)) {
		IS(submit_desc(&c, &d, 0), -EOPNOTSUPP);
		return;
	}
	submit(&c, 0, 1);
	OK(submit_desc(&c, &d, 0));
	fetch_exactly(&e, 2);
	IS(slot_of(&e, 0)->tag, 0);
	IS(slot_of(&e, 1)->tag, 1);
	IS(slot_of(&e, 1)->sched_class, AIF_CLASS_NORMAL);
}

/* One queued eight before the other came: they take turns all the same. */
static void test_tenants_share(void)
{
	struct client a, b;
	struct executor e;
	uint32_t i, of_b = 0;

	service_start(&service);
	client_open_as(&a, 16, 1);
	client_use(&a, &service);
	client_open_as(&b, 16, 2);
	client_use(&b, &service);
	TRUE(a.info.out_tenant != b.info.out_tenant);
	executor_start(&e, &service, 8);
	for (i = 0; i < 8; i++)
		submit(&a, i, 1);
	for (i = 0; i < 8; i++)
		submit(&b, i, 1);
	fetch_exactly(&e, 8);
	for (i = 0; i < 8; i++) {
		of_b += slot_of(&e, i)->tenant == b.info.out_tenant;
		IS(of_b, (i + 1) / 2);
	}
}

/* A deadline hurries its tenant's own work, nobody else's. */
static void test_deadline_is_the_tenants_own(void)
{
	uint64_t soon = (uint64_t)now_ns() + 3600000 * NS_PER_MS;
	struct client a, b;
	struct executor e;

	service_start(&service);
	client_open_as(&a, 16, 1);
	client_use(&a, &service);
	client_open_as(&b, 16, 2);
	client_use(&b, &service);
	executor_start(&e, &service, 8);
	submit(&a, 0, 1);
	submit(&a, 1, 1);
	submit_class(&b, 0, AIF_CLASS_NORMAL, soon);
	submit_class(&b, 1, AIF_CLASS_NORMAL, soon);
	fetch_exactly(&e, 4);
	IS(slot_of(&e, 0)->tenant, a.info.out_tenant);
	IS(slot_of(&e, 1)->tenant, b.info.out_tenant);
	IS(slot_of(&e, 2)->tenant, a.info.out_tenant);
	IS(slot_of(&e, 3)->tenant, b.info.out_tenant);
}

/* Two clients of one tenant are one tenant. */
static void test_clients_do_not_multiply(void)
{
	struct client a, twin, b;
	struct executor e;
	uint32_t i, of_b = 0;

	service_start(&service);
	client_open_as(&a, 16, 1);
	client_use(&a, &service);
	client_open_as(&twin, 16, 1);
	client_use(&twin, &service);
	client_open_as(&b, 16, 2);
	client_use(&b, &service);
	executor_start(&e, &service, 8);
	for (i = 0; i < 4; i++) {
		submit(&a, i, 1);
		submit(&twin, i, 1);
		submit(&b, i, 1);
	}
	fetch_exactly(&e, 8);
	for (i = 0; i < 8; i++)
		of_b += slot_of(&e, i)->tenant == b.info.out_tenant;
	IS(of_b, 4);
}

/* Closing all its files does not forgive a tenant what it had. */
static void test_debt_outlives_a_close(void)
{
	struct client a, b;
	struct executor e;

	service_start(&service);
	executor_start(&e, &service, 8);
	client_open_as(&a, 16, 1);
	client_use(&a, &service);
	submit(&a, 0, 1);
	fetch_exactly(&e, 1);
	IS(commit(&e, &e.requests[0], 0, 0), 0);
	close_node(a.f);
	client_open_as(&a, 16, 1);
	client_use(&a, &service);
	client_open_as(&b, 16, 2);
	client_use(&b, &service);
	submit(&a, 0, 1);
	submit(&b, 0, 1);
	fetch_exactly(&e, 2);
	IS(slot_of(&e, 0)->tenant, b.info.out_tenant);
	IS(slot_of(&e, 1)->tenant, a.info.out_tenant);
}

/* ---- step tokens ---- */

static void test_one_token(void)
{
	struct executor first, second;
	struct client c;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&first, &service, 2);
	executor_start(&second, &service, 2);
	OK(fetch(&second, 0));
	submit(&c, 0, 1);
	fetch_exactly(&first, 1);
	IS(fetch(&second, 2), -EAGAIN);	/* nothing is queued */
	submit(&c, 1, 1);
	IS(fetch(&second, 2), -EBUSY);	/* it is not its turn */
	OK(fetch(&first, 2));		/* who has the token may add to its step */
	IS(first.count, 1);
	submit(&c, 2, 1);
	IS(commit(&first, &first.requests[0], 0, 0), 0);
	IS(fetch(&second, 2), -EBUSY);	/* the step is not over */
	IS(fetch(&first, 0), -EAGAIN);
}

static void test_token_given_back(void)
{
	struct executor first, second;
	struct client c;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&first, &service, 2);
	executor_start(&second, &service, 2);
	OK(fetch(&second, 0));
	submit(&c, 0, 1);
	fetch_exactly(&first, 1);
	submit(&c, 1, 1);
	IS(fetch(&second, 2), -EBUSY);
	IS(commit(&first, &first.requests[0], 0, 0), 0);
	OK(fetch(&second, 2));
	IS(second.count, 1);
	IS(fetch(&first, 2), -EAGAIN);
}

static void test_two_tokens(void)
{
	struct executor e[3];
	struct client c;
	int i;

	service_init(&service);
	service.arg.desc.step_tokens = 2;
	service_create(&service);
	client_start(&c, &service);
	for (i = 0; i < 3; i++) {
		executor_start(&e[i], &service, 1);
		OK(fetch(&e[i], 0));
		submit(&c, (uint32_t)i, 1);
	}
	fetch_exactly(&e[0], 1);
	fetch_exactly(&e[1], 1);
	IS(fetch(&e[2], 1), -EBUSY);
}

/* Two services of one device share its token; another device has its own. */
static void test_device_is_shared(void)
{
	struct executor here, there, elsewhere;
	struct service sibling, stranger;
	struct client a, b, c;

	service_start(&service);
	service_init(&sibling);
	strcpy(sibling.arg.desc.device, service.arg.desc.device);
	service_create(&sibling);
	service_start(&stranger);
	client_start(&a, &service);
	client_start(&b, &sibling);
	client_start(&c, &stranger);
	executor_start(&here, &service, 1);
	executor_start(&there, &sibling, 1);
	executor_start(&elsewhere, &stranger, 1);
	OK(fetch(&there, 0));
	submit(&a, 0, 1);
	submit(&b, 0, 1);
	submit(&c, 0, 1);
	fetch_exactly(&here, 1);
	IS(fetch(&there, 1), -EBUSY);
	fetch_exactly(&elsewhere, 1);
	IS(commit(&here, &here.requests[0], 0, 0), 0);
	fetch_exactly(&there, 1);
}

/* The executor that waits gets the token when it is given back. */
static void *fetch_in_thread(void *e)
{
	return (void *)(intptr_t)fetch_wait(e, 1);
}

static void test_token_passes_to_who_waits(void)
{
	struct executor first, second;
	struct client c;
	pthread_t thread;
	void *result;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&first, &service, 1);
	executor_start(&second, &service, 1);
	OK(fetch(&second, 0));
	submit(&c, 0, 1);
	fetch_exactly(&first, 1);
	submit(&c, 1, 1);
	OK(pthread_create(&thread, NULL, fetch_in_thread, &second));
	IS(commit(&first, &first.requests[0], 0, 0), 0);
	OK(pthread_join(thread, &result));
	OK((intptr_t)result);
	IS(second.count, 1);
}

/* Does @e's FETCH wait?  It does when a second one is refused for it. */
static void until_waiting(struct executor *e)
{
	struct aif_ioc_commit_fetch arg;

	do {
		arg = (struct aif_ioc_commit_fetch){
			.size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK,
		};
	} while (libaif_call(e->f, AIF_IOC_COMMIT_FETCH, &arg) != -EALREADY);
}

/*
 * One that asks without waiting, is told EBUSY, and gets its request the next time,
 * leaves no trace: what comes later is for who waits.
 */
static void test_asking_leaves_no_trace(void)
{
	struct executor holds, asks, waits;
	struct client c;
	pthread_t thread;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&holds, &service, 1);
	executor_start(&asks, &service, 1);
	executor_start(&waits, &service, 1);
	OK(fetch(&asks, 0));
	OK(fetch(&waits, 0));
	submit(&c, 0, 1);
	fetch_exactly(&holds, 1);
	submit(&c, 1, 1);
	IS(fetch(&asks, 1), -EBUSY);
	IS(commit(&holds, &holds.requests[0], 0, 0), 0);
	fetch_exactly(&asks, 1);
	IS(commit(&asks, &asks.requests[0], 0, 0), 0);
	OK(pthread_create(&thread, NULL, fetch_in_thread, &waits));
	until_waiting(&waits);
	submit(&c, 2, 1);
	OK(pthread_join(thread, NULL));
	IS(waits.count, 1);
}

/* Nor does one that died with its request. */
static void test_dying_leaves_no_trace(void)
{
	struct executor holds, waits;
	struct mortal asks;
	struct client c;
	pthread_t thread;

	service_start(&service);
	client_start(&c, &service);
	executor_start(&holds, &service, 1);
	mortal_start(&asks, &service, 1);
	executor_start(&waits, &service, 1);
	OK(fetch(&waits, 0));
	submit(&c, 0, 1);
	fetch_exactly(&holds, 1);
	submit(&c, 1, 1);
	IS(fetch(&waits, 1), -EBUSY);
	IS(commit(&holds, &holds.requests[0], 0, 0), 0);
	OK(mortal_fetch(&asks, 1));
	mortal_die(&asks);
	OK(fetch_wait(&waits, 1));
	IS(waits.count, 1);
	IS(slot_of(&waits, 0)->attempt, 2);
	IS(commit(&waits, &waits.requests[0], 0, 0), 0);
	OK(pthread_create(&thread, NULL, fetch_in_thread, &waits));
	until_waiting(&waits);
	submit(&c, 2, 1);
	OK(pthread_join(thread, NULL));
	IS(waits.count, 1);
}

static void sibling_start(struct service *s)
{
	service_init(s);
	strcpy(s->arg.desc.device, service.arg.desc.device);
	service_create(s);
}

/*
 * Of two services whose executors wait, the one with the better claim goes first,
 * whichever of the two was there first and waited first.
 */
static void better_claim_first(unsigned int better)
{
	static const uint8_t classes[] = { AIF_CLASS_IDLE, AIF_CLASS_NORMAL };
	unsigned int worse = 1 - better, i;
	struct executor first, waits[2];
	struct client c, clients[2];
	struct service siblings[2];
	pthread_t threads[2];

	service_start(&service);
	client_start(&c, &service);
	executor_start(&first, &service, 1);
	submit(&c, 0, 1);
	fetch_exactly(&first, 1);
	for (i = 0; i < 2; i++) {
		sibling_start(&siblings[i]);
		client_start(&clients[i], &siblings[i]);
		executor_start(&waits[i], &siblings[i], 1);
		OK(fetch(&waits[i], 0));
		submit_class(&clients[i], 0, classes[i == better], 0);
		OK(pthread_create(&threads[i], NULL, fetch_in_thread, &waits[i]));
		until_waiting(&waits[i]);
	}
	IS(commit(&first, &first.requests[0], 0, 0), 0);
	OK(pthread_join(threads[better], NULL));
	IS(waits[better].count, 1);
	IS(state_of(&clients[worse], 0), AIF_STATE_QUEUED);
	IS(commit(&waits[better], &waits[better].requests[0], 0, 0), 0);
	OK(pthread_join(threads[worse], NULL));
	IS(waits[worse].count, 1);
}

static void test_better_claim_first(void)
{
	better_claim_first(0);
	better_claim_first(1);
}

/* A step that takes longer than it may loses its token, and keeps its requests. */
static void test_long_step(void)
{
	struct executor first, second;
	struct client c;

	service_init(&service);
	service.arg.desc.longest_step_ms = 20;
	service_create(&service);
	client_start(&c, &service);
	executor_start(&first, &service, 1);
	executor_start(&second, &service, 1);
	OK(fetch(&second, 0));
	submit(&c, 0, 1);
	fetch_exactly(&first, 1);
	submit(&c, 1, 1);
	OK(fetch_wait(&second, 1));
	IS(second.count, 1);
	IS(state_of(&c, 0), AIF_STATE_FETCHED);
	IS(commit(&first, &first.requests[0], 4, 0), 0);
	IS(c.done[0].result, 4);
}

/* A token dies with its executor. */
static void test_token_of_the_dead(void)
{
	struct mortal first;
	struct executor second;
	struct client c;

	service_start(&service);
	client_start(&c, &service);
	mortal_start(&first, &service, 1);
	executor_start(&second, &service, 1);
	OK(fetch(&second, 0));
	submit(&c, 0, 1);
	OK(mortal_fetch(&first, 1));
	submit(&c, 1, 1);
	IS(fetch(&second, 1), -EBUSY);
	mortal_die(&first);
	OK(fetch_wait(&second, 1));
	IS(second.count, 1);
}

const struct test schedule_tests[] = {
	{ "first in, first out", test_fifo },
	{ "the earliest deadline first", test_deadline_first },
	{ "the idle class last, whatever its deadline", test_idle_last },
	{ "real time without a budget is the normal class", test_realtime_without_a_budget },
	{ "tenants take turns", test_tenants_share },
	{ "a deadline does not beat another tenant", test_deadline_is_the_tenants_own },
	{ "two clients of a tenant are one", test_clients_do_not_multiply },
	{ "a debt outlives a close", test_debt_outlives_a_close },
	{ "EBUSY: one token, two executors", test_one_token },
	{ "a token given back is another's", test_token_given_back },
	{ "two tokens, two steps", test_two_tokens },
	{ "two services of one device share its token", test_device_is_shared },
	{ "a token passes to who waits for it", test_token_passes_to_who_waits },
	{ "asking leaves no trace", test_asking_leaves_no_trace },
	{ "dying leaves no trace", test_dying_leaves_no_trace },
	{ "the better claim goes first", test_better_claim_first },
	{ "a step too long loses its token", test_long_step },
	{ "a dead executor's token is free", test_token_of_the_dead },
	{ 0 },
};
