// SPDX-License-Identifier: MIT
/*
 * Each limit: reached exactly, by whom it is meant for, without a neighbour's
 * noticing; and what was given back can be had again.
 *
 * Module arguments: those of test_limits.sh; tenants are uids.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

#define PAGE		4096u
#define MAX_DEPTH	64
#define MAX_BUFFERS	8
#define MAX_GRANTS	4
#define MAX_SERVICES	4
#define TENANT_REQUESTS	12
#define DEVICE_REQUESTS	4
#define TENANT_BYTES	(1u << 20)
#define TENANT_PINNED	(64u << 10)
#define SERVICE_BYTES	(256u << 10)

static struct raw_rig rig;
static struct raw_taken taken[64];

static int rig_setup(void **state)
{
	int err;

	assert_int_equal(raw_all_gone(), 0);	/* charged by the test before */
	err = raw_rig_open(&rig, NULL);
	return err ? err : raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 16, taken);
}

static int rig_teardown(void **state)
{
	raw_rig_close(&rig);
	return 0;
}

static void client_open(struct raw_client *c, uid_t uid)
{
	assert_int_equal(raw_client_init(c, raw_open_as("/dev/aif", uid), 64, 0), 0);
}

static int alloc(struct raw_client *c, uint64_t bytes, uint32_t *handle)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = bytes };
	int err = raw_call(c->fd, AIF_IOC_BUFFER_ALLOC, &arg);

	*handle = arg.out_handle;
	return err;
}

static int release(struct raw_client *c, uint32_t handle)
{
	return raw_buffer_free(c, &(struct raw_buffer){ .handle = handle });
}

/* The module works some things off in the background: until @call answers 0. */
static int soon(int (*call)(void *arg), void *arg)
{
	int tries, err = -1;

	for (tries = 0; err && tries < 1000; tries++) {
		err = call(arg);
		if (err)
			raw_sleep_ms(10);
	}
	return err;
}

static void test_shown(void **state)
{
	struct aif_ioc_info info = { .size = sizeof(info) };

	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_INFO, &info), 0);
	assert_int_equal(info.out_max_depth, MAX_DEPTH);
	assert_true(info.out_tenant_bytes == TENANT_BYTES);
	assert_true(info.out_service_bytes == SERVICE_BYTES);
	assert_true(info.out_tenant_pinned == TENANT_PINNED);
	assert_int_equal(info.out_tenant_requests, TENANT_REQUESTS);
	assert_int_equal(info.out_device_requests, DEVICE_REQUESTS);
	assert_int_equal(info.out_tenant, RAW_CLIENT_UID);
}

static void test_depth(void **state)
{
	static const struct {
		uint32_t depth;
		int err;
		uint32_t granted;
	} rows[] = {
		{ MAX_DEPTH * 2, -EINVAL }, { MAX_DEPTH + 1, -EINVAL }, { 3, -EINVAL },
		{ 1u << 31, -EINVAL }, { ~0u, -EINVAL }, { 1, 0, 1 }, { 32, 0, 32 },
		{ MAX_DEPTH, 0, MAX_DEPTH }, { 0, 0, MAX_DEPTH },
	};
	struct aif_ioc_info info;
	size_t i;
	int fd;

	for (i = 0; i < COUNT(rows); i++) {
		fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
		info = (struct aif_ioc_info){ .size = sizeof(info), .depth = rows[i].depth };
		assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), rows[i].err);
		if (!rows[i].err)
			assert_int_equal(info.depth, rows[i].granted);
		close(fd);
	}
}

static void test_buffers_of_a_client(void **state)
{
	struct raw_client other;
	uint32_t h, last = 0;
	int i;

	for (i = 1; i < MAX_BUFFERS; i++)	/* the rig has one */
		assert_int_equal(alloc(&rig.client, 1, &last), 0);
	assert_int_equal(alloc(&rig.client, 1, &h), -ENOSPC);
	client_open(&other, RAW_CLIENT_UID);
	assert_int_equal(alloc(&other, 1, &h), 0);
	assert_int_equal(release(&rig.client, last), 0);
	assert_int_equal(alloc(&rig.client, 1, &h), 0);
	assert_int_equal(alloc(&rig.client, 1, &h), -ENOSPC);
	raw_client_close(&other);
}

static void test_grants_of_a_client(void **state)
{
	uint32_t g, last = 0;
	int i;

	for (i = 1; i < MAX_GRANTS; i++)
		assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &last),
				 0);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &g), -ENOSPC);
	assert_int_equal(raw_revoke(&rig.client, last), 0);
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	/* Not acknowledged by the executor, and yet no longer the client's; but
	 * the service still has their bytes. */
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &g), -EDQUOT);
	assert_int_equal(raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 1, taken), 0);
	assert_int_equal(raw_alive_becomes("grants", MAX_GRANTS - 2), 0);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &g), 0);
}

static void test_services_of_the_machine(void **state)
{
	struct raw_service s[MAX_SERVICES];
	struct aif_service_desc desc;
	char name[16];
	int i;

	for (i = 1; i < MAX_SERVICES; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		desc = raw_service_desc(name);
		assert_int_equal(raw_service_create(&s[i], &desc, RAW_EXECUTOR_UID), 0);
	}
	desc = raw_service_desc("one-more");
	assert_int_equal(raw_service_create(&s[0], &desc, 0), -ENOSPC);
	raw_service_close(&s[0]);
	raw_service_close(&s[1]);
	assert_int_equal(raw_service_create(&s[0], &desc, 0), 0);
	raw_service_close(&s[0]);
	while (--i > 1)
		raw_service_close(&s[i]);
}

static void test_bytes_of_a_tenant(void **state)
{
	struct raw_client same, other;
	uint32_t a, h;

	client_open(&same, RAW_CLIENT_UID);
	client_open(&other, RAW_ATTACKER_UID);
	assert_int_equal(alloc(&same, TENANT_BYTES - RAW_RIG_BYTES + 1, &a), -EDQUOT);
	assert_int_equal(alloc(&same, TENANT_BYTES - RAW_RIG_BYTES, &a), 0);
	assert_int_equal(alloc(&same, 1, &h), -EDQUOT);
	assert_int_equal(alloc(&rig.client, 1, &h), -EDQUOT);
	assert_int_equal(alloc(&other, TENANT_BYTES, &h), 0);
	assert_int_equal(alloc(&other, 1, &h), -EDQUOT);
	assert_int_equal(release(&same, a), 0);
	assert_int_equal(alloc(&rig.client, TENANT_BYTES - RAW_RIG_BYTES, &h), 0);
	raw_client_close(&same);
	raw_client_close(&other);
}

static uint8_t own[TENANT_PINNED + PAGE] __attribute__((aligned(4096)));

/* All of a tenant's clients together, by pages touched; another's are its own. */
static void test_pinned_bytes_of_a_tenant(void **state)
{
	struct raw_client same, other, third;
	int a, b;

	client_open(&same, RAW_CLIENT_UID);
	client_open(&other, RAW_ATTACKER_UID);
	client_open(&third, RAW_EXECUTOR_UID);
	assert_int_equal(raw_pin(&same, own, TENANT_PINNED + 1, 0), -EDQUOT);
	assert_int_equal(raw_pin(&same, own + 1, TENANT_PINNED, 0), -EDQUOT);
	a = raw_pin(&same, own, TENANT_PINNED - PAGE, 0);
	assert_true(a > 0);
	assert_int_equal(raw_pin(&rig.client, own + PAGE - 1, 2, 0), -EDQUOT);
	b = raw_pin(&rig.client, own, 1, 0);
	assert_true(b > 0);
	assert_int_equal(raw_pin(&rig.client, own, 1, 0), -EDQUOT);
	assert_true(raw_pin(&other, own, TENANT_PINNED, 0) > 0);
	assert_true(raw_pin(&third, own, TENANT_PINNED, 0) > 0);
	assert_int_equal(raw_unpin(&same, (uint32_t)a), 0);
	assert_true(raw_pin(&rig.client, own, TENANT_PINNED - PAGE, 0) > 0);
	raw_client_close(&same);
	raw_client_close(&other);
	raw_client_close(&third);
	assert_int_equal(raw_alive_becomes("pinned_bytes", TENANT_PINNED), 0);
}

/* One file, held by processes of three users: its opener's tenant has the limit. */
static int child_pins(void *p)
{
	struct raw_client c = { .fd = *(int *)p };

	return raw_pin(&c, own, 16 * PAGE / 4, 0) > 0 ? 0 : 1;
}

static void test_pinned_by_many(void **state)
{
	static const uid_t uids[] = { RAW_CLIENT_UID, RAW_EXECUTOR_UID, RAW_ATTACKER_UID, 0, 0 };
	size_t i;

	for (i = 0; i < COUNT(uids); i++)
		assert_int_equal(raw_run_as(uids[i], child_pins, &rig.client.fd), i == 4);
	assert_int_equal(raw_alive("pinned_bytes"), TENANT_PINNED);
}

/* ---- what root sets ---- */

static int set_limits(uint64_t id, uint32_t flags, struct aif_tenant_limits to)
{
	return raw_tenant_set(rig.client.fd, id, flags, to);
}

#define EVERY_FLAG	(AIF_TENANT_F_ALLOC | AIF_TENANT_F_PINNED | AIF_TENANT_F_MAPPED | \
			 AIF_TENANT_F_REQUESTS | AIF_TENANT_F_WEIGHT | \
			 AIF_TENANT_F_BYTES_SECOND | AIF_TENANT_F_REALTIME)

static void back_to_default(uint64_t id)
{
	assert_int_equal(set_limits(id, EVERY_FLAG, (struct aif_tenant_limits){ 0 }), 0);
}

/* Bytes: lowered under what is used, then raised over the default; others' stay. */
static void test_set_bytes(void **state)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	struct raw_client other;
	uint32_t a, h;
	int p;

	client_open(&other, RAW_ATTACKER_UID);
	assert_int_equal(set_limits(RAW_CLIENT_UID, AIF_TENANT_F_ALLOC | AIF_TENANT_F_PINNED,
				    (struct aif_tenant_limits){ RAW_RIG_BYTES / 2, 2 * PAGE }), 0);
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_INFO, &info), 0);
	assert_true(info.out_tenant_bytes == RAW_RIG_BYTES / 2);
	assert_true(info.out_tenant_pinned == 2 * PAGE);
	assert_int_equal(info.out_tenant_requests, TENANT_REQUESTS);
	assert_int_equal(alloc(&rig.client, 1, &h), -EDQUOT);
	rig.buffer.base[0] = 1;		/* what it has it keeps */
	assert_int_equal(raw_pin(&rig.client, own, 2 * PAGE + 1, 0), -EDQUOT);
	p = raw_pin(&rig.client, own, 2 * PAGE, 0);
	assert_true(p > 0);
	assert_int_equal(alloc(&other, TENANT_BYTES, &h), 0);
	assert_true(raw_pin(&other, own, TENANT_PINNED, 0) > 0);

	assert_int_equal(set_limits(RAW_CLIENT_UID, AIF_TENANT_F_ALLOC,
				    (struct aif_tenant_limits){ 2 * TENANT_BYTES }), 0);
	assert_int_equal(alloc(&rig.client, 2 * TENANT_BYTES - RAW_RIG_BYTES + 1, &a), -EDQUOT);
	assert_int_equal(alloc(&rig.client, 2 * TENANT_BYTES - RAW_RIG_BYTES, &a), 0);
	assert_int_equal(raw_pin(&rig.client, own, 1, 0), -EDQUOT);
	back_to_default(RAW_CLIENT_UID);
	assert_int_equal(alloc(&rig.client, 1, &h), -EDQUOT);
	assert_int_equal(release(&rig.client, a), 0);
	assert_int_equal(alloc(&rig.client, TENANT_BYTES - RAW_RIG_BYTES, &h), 0);
	raw_client_close(&other);
}

static void test_set_requests(void **state)
{
	struct aif_desc d;

	assert_int_equal(set_limits(RAW_CLIENT_UID, AIF_TENANT_F_REQUESTS,
				    (struct aif_tenant_limits){ .requests = 1 }), 0);
	d = raw_rig_desc(&rig, 0);
	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), 1);
	d = raw_rig_desc(&rig, 1);
	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), -EDQUOT);
	back_to_default(RAW_CLIENT_UID);
	assert_int_equal(raw_submit(&rig.client, &d, 1, 0), 1);
	assert_int_equal(raw_cancel(&rig.client, AIF_TAG_ALL, 0), 0);
}

/* Before anybody opens; known until it is the default again. */
static void test_set_before_open(void **state)
{
	struct aif_tenant_now now;
	struct raw_client c;
	uint32_t h;

	assert_int_equal(set_limits(4242, AIF_TENANT_F_ALLOC | AIF_TENANT_F_WEIGHT,
				    (struct aif_tenant_limits){
					.alloc_bytes = PAGE, .weight = 10000 }), 0);
	assert_int_equal(raw_tenant(rig.client.fd, 4242, &now), 0);
	assert_int_equal(now.files, 0);
	assert_int_equal(now.flags, AIF_TENANT_F_ALLOC | AIF_TENANT_F_WEIGHT);
	client_open(&c, 4242);
	assert_int_equal(alloc(&c, PAGE + 1, &h), -EDQUOT);
	assert_int_equal(alloc(&c, PAGE, &h), 0);
	assert_true(raw_pin(&c, own, PAGE + 1, 0) > 0);
	assert_int_equal(raw_tenant(rig.client.fd, 4242, &now), 0);
	assert_int_equal(now.files, 1);
	assert_true(now.limits.alloc_bytes == PAGE && now.used.alloc_bytes == PAGE);
	assert_true(now.limits.pinned_bytes == TENANT_PINNED && now.used.pinned_bytes == 2 * PAGE);
	assert_int_equal(now.limits.requests, TENANT_REQUESTS);
	assert_int_equal(now.limits.weight, 10000);
	raw_client_close(&c);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	assert_int_equal(raw_tenant(rig.client.fd, 4242, &now), 0);
	assert_true(!now.files && !now.used.alloc_bytes && !now.used.pinned_bytes);
	back_to_default(4242);
	assert_int_equal(raw_tenant(rig.client.fd, 4242, &now), -ENOENT);
	back_to_default(4242);
	assert_int_equal(raw_tenant(rig.client.fd, 4242, &now), -ENOENT);
}

static void test_set_refused(void **state)
{
	const struct aif_tenant_limits one = { .weight = 1 };

	assert_int_equal(set_limits(4242, 0, one), -EINVAL);
	assert_int_equal(set_limits(4242, EVERY_FLAG + 1, (struct aif_tenant_limits){ 0 }),
			 -EINVAL);
	assert_int_equal(set_limits(4242, AIF_TENANT_F_ALLOC, one), -EINVAL);
	assert_int_equal(set_limits(4242, AIF_TENANT_F_WEIGHT,
				    (struct aif_tenant_limits){ .weight = 10001 }), -EINVAL);
	assert_int_equal(set_limits(4242, AIF_TENANT_F_BYTES_SECOND,
				    (struct aif_tenant_limits){ .bytes_second = (1ull << 40) + 1 }),
			 -EINVAL);
	assert_int_equal(set_limits(1ull << 32, AIF_TENANT_F_WEIGHT, one), -ENOENT);
	assert_int_equal(set_limits(UINT64_MAX, AIF_TENANT_F_WEIGHT, one), -ENOENT);
}

/* ---- bytes a second ---- */

#define SECOND		1000000000ull
#define CHUNK		(256u << 10)
#define MOVED		(320u << 10)

struct mover {
	struct raw_client c;
	struct raw_buffer b;	/* MOVED */
};

static void mover_open(struct mover *m, uid_t uid)
{
	assert_int_equal(raw_client_init(&m->c, raw_open_as("/dev/aif", uid), 8, AIF_F_TRANSFER),
			 0);
	assert_int_equal(raw_buffer_alloc(&m->c, MOVED, &m->b), 0);
}

static void mover_close(struct mover *m)
{
	raw_client_close(&m->c);
	munmap(m->b.base, MOVED);
}

static void pace(uid_t uid, uint64_t rate)
{
	assert_int_equal(set_limits(uid, AIF_TENANT_F_BYTES_SECOND,
				    (struct aif_tenant_limits){ .bytes_second = rate }), 0);
}

static struct aif_desc fill(struct mover *m, uint32_t tag, uint32_t bytes)
{
	return raw_fill_desc(&m->c, tag, "p", 1, (struct aif_range){ m->b.handle, 0, bytes });
}

/* Without waiting; it waits, as its tenant owes for what it had. */
static struct aif_desc put_off(struct mover *m, uint32_t tag)
{
	struct aif_desc d = fill(m, tag, PAGE);

	assert_int_equal(raw_submit(&m->c, &d, 1, 0), 1);
	return d;
}

static void expect_passed(struct mover *by)
{
	uint32_t i;

	for (i = 0; i < 20; i++)
		assert_int_equal(raw_transfer(&by->c, fill(by, i % 8, MOVED)), 0);
}

/* The first takes what is there and owes the rest; others pass the second. */
static void test_bytes_second(void **state)
{
	struct mover slow, other;
	struct aif_desc d, late;

	mover_open(&slow, RAW_CLIENT_UID);
	mover_open(&other, RAW_ATTACKER_UID);
	pace(RAW_CLIENT_UID, 1);
	assert_int_equal(raw_transfer(&slow.c, fill(&slow, 0, PAGE)), 0);
	d = put_off(&slow, 1);
	late = fill(&slow, 2, PAGE);
	late.deadline = raw_now() + SECOND / 50;
	assert_int_equal(raw_submit(&slow.c, &late, 1, 0), 1);
	expect_passed(&other);
	assert_int_equal(raw_wait_quiet(&slow.c, 2, 60 * SECOND), 0);
	assert_int_equal(slow.c.done[2].result, -ETIME);
	assert_int_equal(slow.c.done[2].attempt, 0);
	assert_int_equal(raw_state(&slow.c, 1, d.generation), AIF_STATE_QUEUED);
	assert_int_equal(raw_cancel(&slow.c, 1, d.generation), 0);
	assert_int_equal(raw_state(&slow.c, 1, d.generation), AIF_STATE_DONE);
	assert_int_equal(slow.c.done[1].result, -ECANCELED);
	d = put_off(&slow, 1);
	pace(RAW_CLIENT_UID, 1ull << 40);
	assert_int_equal(raw_wait_quiet(&slow.c, 1, 60 * SECOND), 0);
	assert_int_equal(slow.c.done[1].result, 0);
	back_to_default(RAW_CLIENT_UID);
	mover_close(&slow);
	mover_close(&other);
}

/* Another uid, by a file that it was handed. */
static int child_moves(void *p)
{
	const struct mover *from = p;
	struct mover m = { .b = from->b };
	struct aif_desc d;

	RAW_CHECK(!raw_client_init(&m.c, from->c.fd, 0, AIF_F_TRANSFER));
	m.c.position = from->c.position;
	d = fill(&m, 5, PAGE);
	RAW_CHECK(raw_submit(&m.c, &d, 1, 0) == 1);
	return 0;
}

/* Who opened pays, whoever submits, and all its files together. */
static void test_bytes_second_of_all(void **state)
{
	struct mover a, b, other;
	struct aif_desc d;

	mover_open(&a, RAW_CLIENT_UID);
	mover_open(&b, RAW_CLIENT_UID);
	mover_open(&other, RAW_ATTACKER_UID);
	pace(RAW_CLIENT_UID, 1);
	assert_int_equal(raw_transfer(&a.c, fill(&a, 0, PAGE)), 0);
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, child_moves, &a), 0);
	d = put_off(&b, 0);
	expect_passed(&other);
	assert_int_equal(a.c.done[5].state, AIF_STATE_QUEUED);
	assert_int_equal(raw_state(&b.c, 0, d.generation), AIF_STATE_QUEUED);
	raw_client_close(&b.c);		/* what waits goes with its file */
	munmap(b.b.base, MOVED);
	back_to_default(RAW_CLIENT_UID);
	assert_int_equal(raw_wait_quiet(&a.c, 5, 60 * SECOND), 0);
	assert_int_equal(a.c.done[5].result, 0);
	mover_close(&a);
	mover_close(&other);
}

/* More than a second has: no sooner than what the limit says, and all of it. */
static void test_bytes_second_bound(void **state)
{
	const uint64_t rate = 1 << 20;
	uint64_t begin = raw_now(), ns;
	struct aif_tenant_now now;
	struct mover m;
	uint32_t i;

	mover_open(&m, RAW_CLIENT_UID);
	pace(RAW_CLIENT_UID, rate);
	for (i = 0; i < 8; i++)
		assert_int_equal(raw_transfer(&m.c, fill(&m, i, MOVED)), 0);
	ns = raw_now() - begin;
	assert_int_equal(raw_tenant(rig.client.fd, RAW_CLIENT_UID, &now), 0);
	assert_true(now.moved_bytes == 8 * MOVED && now.limits.bytes_second == rate);
	assert_int_equal(now.flags, AIF_TENANT_F_BYTES_SECOND);
	assert_true((now.moved_bytes - CHUNK) * SECOND <= rate * (ns + SECOND / 8));
	back_to_default(RAW_CLIENT_UID);
	mover_close(&m);
}

static void test_list(void **state)
{
	struct aif_tenant_now now[4], edge = { .id = 77 };
	struct raw_client other;
	int n;

	client_open(&other, RAW_ATTACKER_UID);
	n = raw_tenants(rig.client.fd, now, 4);
	assert_int_equal(n, 2);
	assert_int_equal(now[0].id, RAW_CLIENT_UID);
	assert_int_equal(now[1].id, RAW_ATTACKER_UID);
	assert_true(now[0].used.alloc_bytes == RAW_RIG_BYTES);
	now[1] = edge;
	assert_int_equal(raw_tenants(rig.client.fd, now, 1), 2);
	assert_int_equal(now[1].id, 77);
	assert_int_equal(raw_tenants(rig.client.fd, NULL, 0), 2);
	assert_int_equal(raw_tenants(rig.client.fd, NULL, 2), -EFAULT);
	raw_client_close(&other);
}

/* Whoever knows less of a tenant, or more, gets each entry as long as he has it. */
static void test_list_entries(void **state)
{
	struct aif_tenant_now now[2];
	unsigned char all[2][sizeof(now[0]) + 64];
	static const unsigned char zero[64];
	struct aif_ioc_tenant_list arg = {
		.size = sizeof(arg), .capacity = 2, .tenants = (uintptr_t)all,
		.entry_size = sizeof(all[0]),
	};
	struct raw_client other;
	size_t i;

	client_open(&other, RAW_ATTACKER_UID);
	memset(all, 0xff, sizeof(all));
	assert_int_equal(raw_tenants(rig.client.fd, now, 2), 2);
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_TENANT_LIST, &arg), 0);
	for (i = 0; i < 2; i++) {
		assert_memory_equal(all[i], &now[i], sizeof(now[0]));
		assert_memory_equal(all[i] + sizeof(now[0]), zero, sizeof(zero));
	}
	raw_client_close(&other);
}

/* Transfers and requests in flight are counted together. */
static void test_transfers_of_a_tenant(void **state)
{
	struct raw_client c;
	struct raw_buffer b;
	struct aif_desc d;
	uint32_t tag;
	int ret = 1;

	assert_int_equal(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64,
					 AIF_F_TRANSFER), 0);
	assert_int_equal(raw_buffer_alloc(&c, TENANT_BYTES, &b), 0);
	for (tag = 0; tag < 64 && ret == 1; tag++) {
		d = raw_fill_desc(&c, tag, "x", 1, (struct aif_range){ b.handle, 0, TENANT_BYTES });
		ret = raw_submit(&c, &d, 1, 0);
	}
	assert_true(ret == -EAGAIN || ret == -EDQUOT || tag == 64);
	assert_int_equal(raw_wait_quiet(&c, AIF_TAG_ALL, 60000000000), 0);
	d = raw_fill_desc(&c, 63, "y", 1, (struct aif_range){ b.handle, 0, 1 });
	d.generation += 1000;
	assert_int_equal(raw_transfer(&c, d), 0);
	assert_int_equal(b.base[0], 'y');
	raw_client_close(&c);
	munmap(b.base, TENANT_BYTES);
}

static int alloc_half(void *p)
{
	uint32_t h;

	return alloc(p, TENANT_BYTES / 2, &h);
}

/* Freed, but mapped: still the tenant's. */
static void test_mapped_bytes_stay_charged(void **state)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg) };
	struct raw_buffer b;

	assert_int_equal(raw_buffer_alloc(&rig.client, TENANT_BYTES / 2, &b), 0);
	arg.handle = b.handle;
	assert_int_equal(raw_call(rig.client.fd, AIF_IOC_BUFFER_FREE, &arg), 0);
	assert_int_equal(alloc_half(&rig.client), -EDQUOT);
	munmap(b.base + PAGE, b.length - PAGE);
	assert_int_equal(alloc_half(&rig.client), -EDQUOT);
	munmap(b.base, PAGE);
	assert_int_equal(soon(alloc_half, &rig.client), 0);
}

/* Freed and unmapped, but pinned: still the tenant's, even of a closed file. */
static void test_held_bytes_stay_charged(void **state)
{
	struct raw_client gone, same;
	struct io_uring ring;
	struct raw_buffer b;
	struct iovec iov;

	tap_needs_ring();
	client_open(&gone, RAW_CLIENT_UID);
	client_open(&same, RAW_CLIENT_UID);
	assert_int_equal(raw_buffer_alloc(&gone, TENANT_BYTES / 2, &b), 0);
	iov = (struct iovec){ b.base + PAGE, PAGE };
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	assert_int_equal(io_uring_register_buffers(&ring, &iov, 1), 0);
	assert_int_equal(raw_buffer_free(&gone, &b), 0);
	raw_client_close(&gone);
	assert_int_equal(raw_alive_becomes("held_bytes", TENANT_BYTES / 2), 0);
	assert_int_equal(alloc_half(&same), -EDQUOT);
	assert_int_equal(io_uring_unregister_buffers(&ring), 0);
	assert_int_equal(soon(alloc_half, &same), 0);
	io_uring_queue_exit(&ring);
	raw_client_close(&same);
}

struct granting {
	struct raw_client *client;
	uint32_t buffer, service, grant;
};

static int grant_it(void *p)
{
	struct granting *g = p;

	return raw_grant(g->client, g->buffer, g->service, 0, &g->grant);
}

static void test_bytes_of_a_service(void **state)
{
	struct raw_client other;
	struct granting g = { .client = &other };
	uint32_t h;

	client_open(&other, RAW_ATTACKER_UID);
	g.service = (uint32_t)raw_service_open(&other, rig.service.name, RAW_EXECUTOR_UID);
	assert_int_equal(alloc(&other, SERVICE_BYTES - RAW_RIG_BYTES + PAGE, &h), 0);
	assert_int_equal(alloc(&other, SERVICE_BYTES - RAW_RIG_BYTES, &g.buffer), 0);
	assert_int_equal(raw_grant(&other, h, g.service, 0, &g.grant), -EDQUOT);
	assert_int_equal(grant_it(&g), 0);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &h), -EDQUOT);
	/* An executor may still have it mapped until it says that it has not. */
	assert_int_equal(raw_revoke(&other, g.grant), 0);
	assert_int_equal(grant_it(&g), -EDQUOT);
	assert_int_equal(raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 1, taken), 0);
	assert_int_equal(soon(grant_it, &g), 0);
	raw_client_close(&other);
}

/* Submit with tags from @first on until refused: how many were accepted. */
static int submit_until(struct raw_rig *r, uint32_t first, int err)
{
	struct aif_desc d;
	int n = 0, ret;

	for (;;) {
		d = raw_rig_desc(r, first + (uint32_t)n);
		ret = raw_submit(&r->client, &d, 1, 0);
		if (ret != 1)
			break;
		n++;
	}
	assert_int_equal(ret, err);
	return n;
}

static int fetch_all(struct raw_executor *ex, struct raw_taken *t)
{
	int n = raw_take(ex, AIF_FETCH_F_NONBLOCK, 16, t);

	assert_true(n >= 0);
	return n;
}

static void test_requests_of_a_device(void **state)
{
	struct aif_desc d[6];
	uint32_t i;
	int n;

	assert_int_equal(submit_until(&rig, 0, -EAGAIN), DEVICE_REQUESTS);
	assert_int_equal(raw_cancel(&rig.client, 1, rig.client.done[1].generation), 0);
	assert_int_equal(submit_until(&rig, 8, -EAGAIN), 1);
	/* What an executor has is not queued. */
	n = fetch_all(&rig.executor, taken);
	assert_int_equal(n, DEVICE_REQUESTS);
	assert_int_equal(submit_until(&rig, 16, -EAGAIN), DEVICE_REQUESTS);
	while (n--)
		assert_int_equal(raw_give(&rig.executor, taken[n], 0, 0, 0), 0);
	assert_int_equal(raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 16), DEVICE_REQUESTS);
	/* A batch is taken as far as there is room. */
	for (i = 0; i < COUNT(d); i++)
		d[i] = raw_rig_desc(&rig, 32 + i);
	assert_int_equal(raw_submit(&rig.client, d, COUNT(d), 0), DEVICE_REQUESTS);
	assert_int_equal(raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 16), DEVICE_REQUESTS);
}

/* A second rig on a device of its own, its client the attacker's. */
static void attackers_rig(struct raw_rig *r)
{
	struct aif_service_desc desc = raw_service_desc("second");

	strcpy(desc.device, "other");
	memset(r, 0, sizeof(*r));
	assert_int_equal(raw_service_create(&r->service, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(raw_executor_open(&r->executor, &r->service, 16), 0);
	client_open(&r->client, RAW_ATTACKER_UID);
	r->handle = (uint32_t)raw_service_open(&r->client, "second", RAW_EXECUTOR_UID);
	assert_int_equal(raw_buffer_alloc(&r->client, RAW_RIG_BYTES, &r->buffer), 0);
	assert_int_equal(raw_grant(&r->client, r->buffer.handle, r->handle, AIF_GRANT_F_WRITE,
				   &r->grant), 0);
	fetch_all(&r->executor, taken);
}

/* In flight: queued or in an executor's hands, answered or not. */
static void test_requests_of_a_tenant(void **state)
{
	struct raw_taken mine[16];
	struct raw_rig other;
	int n;

	attackers_rig(&other);
	for (n = 0; n < TENANT_REQUESTS; n += DEVICE_REQUESTS) {
		assert_int_equal(submit_until(&rig, (uint32_t)n, n + DEVICE_REQUESTS <
					      TENANT_REQUESTS ? -EAGAIN : -EDQUOT),
				 DEVICE_REQUESTS);
		assert_int_equal(fetch_all(&rig.executor, mine + n), DEVICE_REQUESTS);
	}
	assert_int_equal(submit_until(&rig, 32, -EDQUOT), 0);
	assert_int_equal(submit_until(&other, 0, -EAGAIN), DEVICE_REQUESTS);
	/* Answered is not quiet. */
	assert_int_equal(raw_cancel(&rig.client, AIF_TAG_ALL, 0), 0);
	assert_int_equal(submit_until(&rig, 32, -EDQUOT), 0);
	assert_int_equal(raw_give(&rig.executor, mine[--n], 0, 0, 0), 0);
	assert_int_equal(submit_until(&rig, 32, -EDQUOT), 1);
	while (n--)
		assert_int_equal(raw_give(&rig.executor, mine[n], 0, 0, 0), 0);
	assert_int_equal(raw_echo_all(&rig.executor, AIF_FETCH_F_NONBLOCK, 16), 1);
	assert_int_equal(raw_echo_all(&other.executor, AIF_FETCH_F_NONBLOCK, 16),
			 DEVICE_REQUESTS);
	raw_rig_close(&other);
}

static struct aif_tenant_now totals(void)
{
	struct aif_tenant_now now;

	assert_int_equal(raw_tenant(rig.client.fd, RAW_CLIENT_UID, &now), 0);
	return now;
}

/* Device time by PROGRESS and by COMMIT, also of what was cancelled: 4321 ns. */
static void spend(void)
{
	struct aif_desc d[] = { raw_rig_desc(&rig, 0), raw_rig_desc(&rig, 1) };

	assert_int_equal(raw_submit(&rig.client, d, 2, 0), 2);
	assert_int_equal(fetch_all(&rig.executor, taken), 2);
	assert_int_equal(raw_progress(&rig.executor, taken[0], 0, 300), 0);
	assert_int_equal(raw_progress(&rig.executor, taken[0], 0, 20), 0);
	assert_int_equal(raw_give(&rig.executor, taken[0], 0, 0, 1), 0);
	assert_int_equal(raw_cancel(&rig.client, 1, rig.client.done[1].generation), 0);
	assert_int_equal(raw_give(&rig.executor, taken[1], 0, 0, 4000), 0);
}

/* What a tenant was given since it came; another's work adds nothing. */
static void test_totals_of_a_tenant(void **state)
{
	struct aif_ioc_service_describe service;
	struct raw_client c;
	struct raw_buffer b;

	spend();
	assert_int_equal(raw_service_describe(rig.client.fd, rig.service.id, &service), 0);
	assert_true(service.out_device_ns == 4321);
	assert_int_equal(raw_client_init(&c, raw_open_as("/dev/aif", RAW_CLIENT_UID), 8,
					 AIF_F_TRANSFER), 0);
	assert_int_equal(raw_buffer_alloc(&c, 2 * PAGE, &b), 0);
	assert_int_equal(raw_transfer(&c, raw_copy_desc(&c, 0,
							(struct aif_range){ b.handle, 0, 100 },
							(struct aif_range){ b.handle, PAGE, 100 })),
			 0);
	assert_true(totals().answered == 3 && totals().moved_bytes == 100);
	assert_true(totals().device_ns == 4321 + c.done[0].device_ns);
	raw_client_close(&c);
	munmap(b.base, 2 * PAGE);
}

#define RIG_TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RIG_TEST(test_shown),
		RIG_TEST(test_depth),
		RIG_TEST(test_buffers_of_a_client),
		RIG_TEST(test_grants_of_a_client),
		RIG_TEST(test_services_of_the_machine),
		RIG_TEST(test_bytes_of_a_tenant),
		RIG_TEST(test_pinned_bytes_of_a_tenant),
		RIG_TEST(test_pinned_by_many),
		RIG_TEST(test_transfers_of_a_tenant),
		RIG_TEST(test_totals_of_a_tenant),
		RIG_TEST(test_set_bytes),
		RIG_TEST(test_set_requests),
		RIG_TEST(test_set_before_open),
		RIG_TEST(test_set_refused),
		RIG_TEST(test_bytes_second),
		RIG_TEST(test_bytes_second_of_all),
		RIG_TEST(test_bytes_second_bound),
		RIG_TEST(test_list),
		RIG_TEST(test_list_entries),
		RIG_TEST(test_mapped_bytes_stay_charged),
		RIG_TEST(test_held_bytes_stay_charged),
		RIG_TEST(test_bytes_of_a_service),
		RIG_TEST(test_requests_of_a_device),
		RIG_TEST(test_requests_of_a_tenant),
	};

	return tap_run("limits", tests, NULL, NULL);
}
