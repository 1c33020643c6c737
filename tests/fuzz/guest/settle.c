// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "settle.h"

#define SPINS		3u	/* looks before it sleeps between them */

/* Why it is not at rest yet. */
static char wrong[256];

static bool __attribute__((format(printf, 1, 2))) not_yet(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(wrong, sizeof(wrong), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- numbers of debugfs ---- */

static const struct number {
	const char *name;
	size_t offset;
} counters[] = {
	{ "counters/requests", offsetof(struct tally, requests) },
	{ "counters/answered", offsetof(struct tally, answered) },
	{ "counters/stale_commits", offsetof(struct tally, stale_commits) },
	{ "counters/recoveries", offsetof(struct tally, recoveries) },
	{ "counters/owner_dead", offsetof(struct tally, owner_dead) },
	{ "counters/poisoned", offsetof(struct tally, poisoned) },
	{ "counters/executor_deaths", offsetof(struct tally, executor_deaths) },
	{ "counters/fetched", offsetof(struct tally, fetched) },
	{ "counters/late_wakeups", offsetof(struct tally, late_wakeups) },
}, gauges[] = {
	{ "alive/files", offsetof(struct alive, files) },
	{ "alive/clients", offsetof(struct alive, clients) },
	{ "alive/services", offsetof(struct alive, services) },
	{ "alive/executors", offsetof(struct alive, executors) },
	{ "alive/devices", offsetof(struct alive, devices) },
	{ "alive/buffers", offsetof(struct alive, buffers) },
	{ "alive/grants", offsetof(struct alive, grants) },
	{ "alive/views", offsetof(struct alive, views) },
	{ "alive/buffer_bytes", offsetof(struct alive, buffer_bytes) },
	{ "alive/pinned_bytes", offsetof(struct alive, pinned_bytes) },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t before[COUNT(counters)];

static uint64_t counter_doubt(size_t offset)
{
	switch (offset) {
	case offsetof(struct tally, recoveries):
		return w.doubt.recoveries;
	case offsetof(struct tally, owner_dead):
		return w.doubt.owner_dead;
	case offsetof(struct tally, poisoned):
		return w.doubt.poisoned;
	case offsetof(struct tally, late_wakeups):
		return w.doubt.late_wakeups;
	}
	return 0;
}

/* They cannot be read twice. */
static uint64_t read_number(const char *name)
{
	static int debugfs = -1;
	char text[32] = { 0 };
	int fd;

	if (debugfs < 0)
		debugfs = open("/sys/kernel/debug/aif", O_PATH | O_CLOEXEC);
	fd = openat(debugfs, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		fail("%s: %s", name, result_name(-errno));
	close(fd);
	return strtoull(text, NULL, 10);
}

void settle_begin(void)
{
	size_t i;

	for (i = 0; i < COUNT(counters); i++)
		before[i] = read_number(counters[i].name);
	settle();
}

static bool gauges_agree(void)
{
	struct alive alive = world_alive();
	uint64_t is, must;
	size_t i;

	for (i = 0; i < COUNT(gauges); i++) {
		is = read_number(gauges[i].name);
		must = *(uint64_t *)((char *)&alive + gauges[i].offset);
		if (is != must)
			return not_yet("%s is %llu, expected %llu", gauges[i].name,
				       (unsigned long long)is, (unsigned long long)must);
	}
	return true;
}

/* A counter between what the model has and what it may have besides. */
static bool counters_agree(struct tally *is)
{
	uint64_t *found, must, doubt;
	size_t i;

	for (i = 0; i < COUNT(counters); i++) {
		found = (uint64_t *)((char *)is + counters[i].offset);
		*found = read_number(counters[i].name) - before[i];
		must = *(uint64_t *)((char *)&w.tally + counters[i].offset);
		doubt = counter_doubt(counters[i].offset);
		if (*found < must || *found > must + doubt)
			return not_yet("%s is %llu more than before, expected %llu, or %llu more",
				       counters[i].name, (unsigned long long)*found,
				       (unsigned long long)must, (unsigned long long)doubt);
	}
	return true;
}

/*
 * What is alive first: when that agrees, nothing is under way any more that
 * counts.
 */
static bool numbers_agree(void)
{
	struct tally is;

	if (!gauges_agree() || !counters_agree(&is))
		return false;
	world_decide(&is);
	return true;
}

/* ---- completions ---- */

/* The time when a request ends by its deadline is the kernel's to choose. */
static void expire(struct w_request *r, const struct aif_completion *is)
{
	if (request_overdue(r) && is->generation == r->desc.generation &&
	    is->attempt == r->attempt && is->result == -ETIME &&
	    is->state == (r->state == AIF_STATE_QUEUED ? AIF_STATE_DONE : AIF_STATE_ORPHANED))
		request_end(r, -ETIME);
}

static bool client_is_overdue(const struct w_client *c)
{
	uint32_t i;

	for (i = 0; i < c->depth; i++)
		if (request_overdue(&c->tags[i]))
			return true;
	return false;
}

static bool completion_agrees(const struct w_client *c, struct w_request *r,
			      const struct aif_completion *is)
{
	/* What was queued again has produced nothing. */
	if (r->again && r->state == AIF_STATE_DONE && !is->produced)
		r->produced = 0;

	struct aif_completion must = {
		.generation = r->desc.generation, .state = r->state, .produced = r->produced,
		.result = request_answered(r) ? r->result : 0, .attempt = r->attempt,
	};

	if (is->generation == must.generation && is->state == must.state &&
	    is->produced == must.produced && is->result == must.result &&
	    is->attempt == must.attempt)
		return true;
	return not_yet("client %td tag %td: generation, state, result, produced, attempt are "
		       "%u %u %s %u %u, expected %u %u %s %u %u", c - w.clients, r - c->tags,
		       is->generation, is->state, result_name(is->result), is->produced,
		       is->attempt, must.generation, must.state, result_name(must.result),
		       must.produced, must.attempt);
}

static void look(const struct w_map *m, void *to, size_t bytes)
{
	long n = actor_look(&m->actor->at, m->at, to, bytes);

	if (n != (long)bytes)
		fail("an array cannot be read: %s", result_name(n));
}

static bool completions_agree(struct w_client *c)
{
	const struct w_map *m = map_of_array(c->file, AIF_ARRAY_COMPLETION);
	struct aif_completion is[MAX_DEPTH];
	uint32_t i;

	if (!m)
		return true;
	look(m, is, c->depth * sizeof(is[0]));
	for (i = 0; i < c->depth; i++)
		expire(&c->tags[i], &is[i]);
	for (i = 0; i < c->depth; i++)
		if (!completion_agrees(c, &c->tags[i], &is[i]))
			return false;
	return true;
}

static bool status_agrees(const struct w_client *c)
{
	const struct w_map *m = map_of_array(c->file, AIF_ARRAY_CLIENT_STATUS);
	struct aif_client_status is;

	if (!m)
		return true;
	look(m, &is, sizeof(is));
	if (is.answered == c->answered && is.submitted == c->submitted)
		return true;
	return not_yet("client %td: submitted, answered are %llu, %llu, expected %llu, %llu",
		       c - w.clients, is.submitted, is.answered,
		       (unsigned long long)c->submitted, (unsigned long long)c->answered);
}

static bool clients_agree(void)
{
	struct w_client *c;

	for EACH(c, client)
		if (c->depth && (!completions_agree(c) || !status_agrees(c)))
			return false;
	return true;
}

/* A wait that ended by a deadline is seen before what it waited for, or after. */
static void see_expired(void)
{
	const struct w_map *m;
	struct aif_completion is[MAX_DEPTH];
	struct w_client *c;
	uint32_t i;

	for EACH(c, client) {
		m = client_is_overdue(c) ? map_of_array(c->file, AIF_ARRAY_COMPLETION) : NULL;
		if (!m)
			continue;
		look(m, is, c->depth * sizeof(is[0]));
		for (i = 0; i < c->depth; i++)
			expire(&c->tags[i], &is[i]);
	}
}

/* ---- who waits ---- */

void took_deliveries(struct w_actor *a, struct w_executor *ex, uint32_t credit, long n,
		     bool waited)
{
	struct aif_delivery d[MAX_SLOTS + 64];
	struct aif_slot slots[MAX_SLOTS];
	const char *why = fetch_refusal(ex, credit, waited, n);
	long i;

	if (why)
		fail("FETCH returned %s: %s", result_name(n), why);
	say(" = %s", result_name(n));
	if (n <= 0)
		return;
	look(map_of_array(ex->file, AIF_ARRAY_DELIVERY), d, (size_t)n * sizeof(d[0]));
	look(map_of_array(ex->file, AIF_ARRAY_SLOT), slots, ex->slots * sizeof(slots[0]));
	for (i = 0; i < n && !why; i++) {
		say(" (%u: %u)", d[i].type, d[i].index);
		why = fetch_delivery(ex, &d[i], &slots[d[i].index % ex->slots], !waited);
		if (d[i].type == AIF_DELIVERY_REQUEST && !credit--)
			why = "more requests than credit";
	}
	if (!why && !waited)
		why = fetch_shortfall(ex, credit);
	if (why)
		fail("FETCH brought %s", why);
}

static bool wait_has_ended(struct w_wait *wait, int *res)
{
	if (wait->number)
		return !wait->actor->blocked && actor_ring_ended(&wait->actor->at, wait->number, res);
	if (!party_is_done(wait->actor->at.party))
		return false;
	*res = (int)party_end(wait->actor->at.party);
	return true;
}

/* What is returned in the argument of an ioctl is a ring command's result. */
static int wait_output(const struct w_wait *wait, int res)
{
	const void *desk = actor_desk(&wait->actor->at);

	if (wait->number || res)
		return res;
	if (wait->kind == WAIT_SUBMIT)
		return (int)((const struct aif_ioc_submit *)desk)->out_accepted;
	if (wait->kind == WAIT_FETCH)
		return (int)((const struct aif_ioc_commit_fetch *)desk)->out_count;
	return 0;
}

static void check_ended(struct w_wait *wait, int res)
{
	struct w_client *c = wait->file->client;
	int must = wait->cancelled ? -ECANCELED :
		   wait->kind == WAIT_SUBMIT ? (int)wait->accepted : 0;

	if (wait->may_be_cancelled && res == -ECANCELED)
		return;
	if (!wait_is_due(wait))
		fail("a waiting command ended before its time, with %s", result_name(res));
	if (res != must)
		fail("a waiting command ended with %s, expected %s", result_name(res),
		     result_name(must));
	if (wait->kind == WAIT_ANSWERED && !res && wait->value > c->seen)
		c->seen = wait->value;
}

/* io_uring sends a task work for a ring that is gone, which ends its sleep. */
static bool was_interrupted(const struct w_wait *wait, int res)
{
	return !wait->number && res == -EINTR && wait->actor->had_rings;
}

static bool end_wait(struct w_wait *wait)
{
	struct w_actor *a = wait->actor;
	int res = 0;

	if (!wait_has_ended(wait, &res))
		return false;
	see_expired();
	res = wait_output(wait, res);
	if (!wait->number)
		a->blocked = NULL;
	say("; wait %td ended", wait - w.waits);
	if (was_interrupted(wait, res))
		say(", interrupted");
	else if (wait->kind == WAIT_FETCH)
		took_deliveries(a, wait->file->executor, wait->credit, res, true);
	else
		check_ended(wait, res);
	wait_end(wait);
	return true;
}

static bool end_waits(void)
{
	struct w_wait *wait;
	bool any = false;

	for EACH(wait, wait)
		any |= wait->actor && end_wait(wait);
	return any;
}

void fetch_ends(struct w_wait *wait)
{
	uint64_t end = raw_now() + SETTLE_NS;

	while (!end_wait(wait)) {
		if (raw_now() > end)
			fail("a second FETCH was not refused, expected -EALREADY");
		raw_sleep_ms(1);
	}
}

/* A ring's command is not seen to end while its party is in an ioctl. */
static bool none_is_due(void)
{
	struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor && (!wait->number || !wait->actor->blocked) && wait_is_due(wait))
			return not_yet("wait %td (kind %u) does not end", wait - w.waits,
				       wait->kind);
	return true;
}

static bool none_is_overdue(void)
{
	const struct w_client *c;

	for EACH(c, client)
		if (client_is_overdue(c))
			return not_yet("client %td has a request that is not ended by its deadline",
				       c - w.clients);
	return true;
}

void settle(void)
{
	uint64_t end = raw_now() + SETTLE_NS;
	uint32_t looks = 0;

	for (;;) {
		world_recover();
		see_expired();
		if (end_waits())
			continue;
		if (none_is_due() && clients_agree() && none_is_overdue() && numbers_agree())
			return;
		if (raw_now() > end)
			fail("%s", wrong);
		if (looks++ < SPINS)
			sched_yield();
		else
			raw_sleep_ms(1);
	}
}
