// SPDX-License-Identifier: MIT
/*
 * 256 clients at once, each a process with a file of its own, all answered by
 * one executor; each knows its own bytes again.
 */
#include <errno.h>
#include <unistd.h>

#include "tap.h"

#define CLIENTS		256
#define REQUESTS	16	/* of each, four at a time */
#define BATCH		4

static struct raw_service service;

struct crowd {
	struct raw_gate ready, start;
};

static struct aif_desc desc_of(uint32_t handle, uint32_t grant, uint32_t tag, uint32_t generation)
{
	return (struct aif_desc){
		.tag = tag, .generation = generation, .service = handle,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = { { grant, tag * 64, 64 }, { grant, 2048 + tag * 64, 64 } },
	};
}

static void ask(struct raw_client *c, const uint8_t *base, uint32_t handle, uint32_t grant,
		uint32_t round)
{
	struct aif_desc d[BATCH];
	uint32_t tag;

	for (tag = 0; tag < BATCH; tag++)
		d[tag] = desc_of(handle, grant, tag, round + 1);
	RAW_CHECK(raw_submit(c, d, BATCH, AIF_SUBMIT_F_WAIT_ALL) == BATCH);
	for (tag = 0; tag < BATCH; tag++) {
		RAW_CHECK(raw_state(c, tag, round + 1) == AIF_STATE_DONE);
		RAW_CHECK(c->done[tag].result == 0 && c->done[tag].produced == 64);
		RAW_CHECK(!memcmp(base + tag * 64, base + 2048 + tag * 64, 64));
	}
}

static int client(void *p)
{
	struct crowd *crowd = p;
	struct raw_client c;
	struct raw_buffer b;
	uint32_t grant, round;
	pid_t pid = getpid();
	int handle;
	size_t i;

	RAW_CHECK(raw_client_open(&c, 16) == 0);
	handle = raw_service_open(&c, service.name, RAW_EXECUTOR_UID);
	RAW_CHECK(handle > 0);
	RAW_CHECK(raw_buffer_alloc(&c, 4096, &b) == 0);
	RAW_CHECK(raw_grant(&c, b.handle, (uint32_t)handle, AIF_GRANT_F_WRITE, &grant) == 0);
	raw_gate_open(&crowd->ready);
	raw_gate_pass(&crowd->start);
	for (round = 0; round < REQUESTS / BATCH; round++) {
		for (i = 0; i < 2048; i += sizeof(pid))
			memcpy(b.base + i, &pid, sizeof(pid));
		memset(b.base + 2048, 0, 2048);
		ask(&c, b.base, (uint32_t)handle, grant, round);
	}
	RAW_CHECK(c.status->submitted == REQUESTS && c.status->answered == REQUESTS);
	return 0;
}

static void test_many(void **state)
{
	struct aif_service_desc desc = raw_service_desc("crowded");
	struct aif_ioc_service_describe d;
	struct raw_executor ex;
	pid_t pids[CLIENTS];
	struct crowd crowd;
	int i, n, served;

	assert_int_equal(raw_service_create(&service, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(raw_executor_open(&ex, &service, 64), 0);
	assert_int_equal(raw_gate_init(&crowd.ready), 0);
	assert_int_equal(raw_gate_init(&crowd.start), 0);
	for (i = 0; i < CLIENTS; i++) {
		pids[i] = raw_spawn((uid_t)(2000 + i % 7), client, &crowd);
		assert_true(pids[i] > 0);
	}
	for (i = 0; i < CLIENTS; i++)
		raw_gate_pass(&crowd.ready);
	assert_int_equal(raw_alive("clients"), CLIENTS);
	for (i = 0; i < CLIENTS; i++)
		raw_gate_open(&crowd.start);
	for (served = 0; served < CLIENTS * REQUESTS; served += n) {
		n = raw_echo_all(&ex, 0, 64);
		assert_true(n >= 0);
	}
	for (i = 0; i < CLIENTS; i++)
		assert_int_equal(raw_reap(pids[i]), 0);
	assert_int_equal(raw_service_describe(service.fd, service.id, &d), 0);
	assert_int_equal(d.out_answered, CLIENTS * REQUESTS);
	assert_int_equal(d.out_queued + d.out_fetched, 0);
	assert_int_equal(ex.events[AIF_EVENT_GRANT_ADDED], CLIENTS);
	raw_executor_close(&ex);
	raw_service_close(&service);
	raw_gate_fini(&crowd.ready);
	raw_gate_fini(&crowd.start);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
	};

	return tap_run("many", tests, NULL, NULL);
}
