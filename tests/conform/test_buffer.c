// SPDX-License-Identifier: MIT
/* Buffers, grants, revocation. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conform.h"

static int alloc(struct client *c, uint64_t bytes, struct aif_ioc_buffer_alloc *out)
{
	*out = (struct aif_ioc_buffer_alloc){ .size = sizeof(*out), .bytes = bytes };
	return libaif_call(c->f, AIF_IOC_BUFFER_ALLOC, out);
}

static int buffer_free(struct client *c, uint32_t handle)
{
	struct aif_ioc_buffer_free arg = { .size = sizeof(arg), .handle = handle };

	return libaif_call(c->f, AIF_IOC_BUFFER_FREE, &arg);
}

static int grant(struct client *c, uint32_t buffer, uint32_t service, uint32_t flags,
		 uint32_t *handle)
{
	struct aif_ioc_grant arg = {
		.size = sizeof(arg), .flags = flags, .buffer = buffer, .service = service,
	};
	int err = libaif_call(c->f, AIF_IOC_GRANT, &arg);

	if (handle)
		*handle = arg.out_grant;
	return err;
}

static int take_back(struct client *c, uint32_t handle)
{
	struct aif_ioc_revoke arg = { .size = sizeof(arg), .grant = handle };

	return libaif_call(c->f, AIF_IOC_REVOKE, &arg);
}

static void test_alloc(void)
{
	struct aif_ioc_buffer_alloc a;
	unsigned char *data;
	struct client c;
	size_t i;

	client_open(&c, 4);
	OK(alloc(&c, 5000, &a));
	TRUE(a.out_handle);
	IS(a.out_bytes, 8192);
	data = map_node(c.f, a.out_offset, a.out_bytes, PROT_READ | PROT_WRITE);
	for (i = 0; i < a.out_bytes; i++)
		IS(data[i], 0);
	data[8191] = 1;
	OK(buffer_free(&c, a.out_handle));
	IS(buffer_free(&c, a.out_handle), -ENOENT);
	IS(data[8191], 1);	/* a mapping outlives the handle */
}

static void test_alloc_refused(void)
{
	struct aif_ioc_buffer_alloc a;
	struct client c;

	client_open(&c, 4);
	IS(alloc(&c, 0, &a), -EINVAL);
	IS(alloc(&c, 1ull << 32, &a), -EINVAL);
	IS(alloc(&c, (1ull << 32) - 4095, &a), -EINVAL);
	a = (struct aif_ioc_buffer_alloc){ .size = sizeof(a), .bytes = 1, .flags = 1 };
	IS(libaif_call(c.f, AIF_IOC_BUFFER_ALLOC, &a), -EINVAL);
	a = (struct aif_ioc_buffer_alloc){ .size = sizeof(a), .bytes = 1, .__reserved = 1 };
	IS(libaif_call(c.f, AIF_IOC_BUFFER_ALLOC, &a), -EINVAL);
	IS(buffer_free(&c, 0), -ENOENT);
	IS(buffer_free(&c, 99), -ENOENT);
}

/* Charged until the last mapping is gone. */
static void test_tenant_bytes(void)
{
	struct aif_ioc_buffer_alloc a, b;
	struct client c;
	void *data;

	limit("tenant_bytes", 1 << 20);
	client_open_as(&c, 4, 1);
	OK(alloc(&c, 768 << 10, &a));
	IS(alloc(&c, 512 << 10, &b), -EDQUOT);
	data = libaif_map(c.f, a.out_offset, a.out_bytes, PROT_READ);
	TRUE(data);
	OK(buffer_free(&c, a.out_handle));
	IS(alloc(&c, 512 << 10, &b), -EDQUOT);
	libaif_unmap(c.f, data, a.out_bytes);
	OK(alloc(&c, 512 << 10, &b));
}

static void test_max_buffers(void)
{
	struct aif_ioc_buffer_alloc a, b;
	struct client c;

	limit("max_buffers", 2);
	client_open(&c, 4);
	OK(alloc(&c, 1, &a));
	OK(alloc(&c, 1, &b));
	IS(alloc(&c, 1, &b), -ENOSPC);
	OK(buffer_free(&c, a.out_handle));
	OK(alloc(&c, 1, &b));
}

static void test_grant_refused(void)
{
	struct aif_ioc_grant arg;
	struct service s;
	struct client c;

	service_start(&s);
	client_start(&c, &s);
	IS(grant(&c, 99, c.service, 0, NULL), -ENOENT);
	IS(grant(&c, c.buffer, 99, 0, NULL), -ENOENT);
	IS(grant(&c, c.buffer, c.service, 2, NULL), -EINVAL);
	arg = (struct aif_ioc_grant){
		.size = sizeof(arg), .buffer = c.buffer, .service = c.service, .__reserved = 1,
	};
	IS(libaif_call(c.f, AIF_IOC_GRANT, &arg), -EINVAL);
	IS(take_back(&c, 99), -ENOENT);
	IS(take_back(&c, 0), -ENOENT);
	IS(buffer_free(&c, c.buffer), -EBUSY);
	OK(take_back(&c, c.grant));
	IS(take_back(&c, c.grant), -ENOENT);
	OK(buffer_free(&c, c.buffer));
}

static void test_grant_service_gone(void)
{
	struct service s;
	struct client c;

	service_start(&s);
	client_start(&c, &s);
	close_node(s.holder);
	IS(grant(&c, c.buffer, c.service, 0, NULL), -ENODEV);
}

static void test_service_bytes(void)
{
	struct service s;
	struct client c;
	uint32_t g;

	service_start(&s);
	client_start(&c, &s);
	limit("service_bytes", 2 * CLIENT_BYTES);
	OK(grant(&c, c.buffer, c.service, 0, &g));
	IS(grant(&c, c.buffer, c.service, 0, NULL), -EDQUOT);
	OK(take_back(&c, g));
	/* The bytes are free when the last executor let go; here there is none. */
	while (grant(&c, c.buffer, c.service, 0, NULL) == -EDQUOT)
		continue;
}

static void test_max_grants(void)
{
	struct service s;
	struct client c;

	limit("max_grants", 2);
	service_start(&s);
	client_start(&c, &s);
	OK(grant(&c, c.buffer, c.service, 0, NULL));
	IS(grant(&c, c.buffer, c.service, 0, NULL), -ENOSPC);
	OK(take_back(&c, c.grant));
	OK(grant(&c, c.buffer, c.service, 0, NULL));
}

/* Executors see grants from before they attached, and later ones, as events. */
static void test_executor_sees_grants(void)
{
	struct service s;
	struct client c;
	struct executor e;
	uint32_t i, seen = 0, readonly;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	OK(grant(&c, c.buffer, c.service, 0, &readonly));
	OK(fetch(&e, 4));
	for (i = 0; i < GRANTS_MAX; i++) {
		if (!e.grants[i].data)
			continue;
		seen++;
		IS(e.grants[i].length, CLIENT_BYTES);
		c.data[12345] = (unsigned char)(40 + i);
		IS(e.grants[i].data[12345], 40 + i);
	}
	IS(seen, 2);
	IS(fetch(&e, 4), -EAGAIN);	/* each is told once */
}

static void test_readonly_grant_maps_readonly(void)
{
	struct service s;
	struct client c;
	struct executor e;
	uint32_t i;

	service_start(&s);
	client_start(&c, &s);
	OK(take_back(&c, c.grant));
	OK(grant(&c, c.buffer, c.service, 0, NULL));
	executor_start(&e, &s, 4);
	OK(fetch(&e, 4));
	for (i = 0; i < e.info.out_arrays[AIF_ARRAY_DELIVERY].count; i++) {
		const struct aif_delivery *d = &e.deliveries[i];

		if (d->type != AIF_EVENT_GRANT_ADDED)
			continue;
		IS(d->flags & AIF_DELIVERY_F_WRITE, 0);
		TRUE(!libaif_map(e.f, d->offset, d->length, PROT_READ | PROT_WRITE));
		IS(errno, EACCES);
		return;
	}
	FAIL("no GRANT_ADDED");
}

static const struct aif_delivery *event_of(const struct executor *e, uint32_t type)
{
	unsigned int i;

	for (i = 0; i < e->event_count; i++) {
		if (e->events[i].type == type)
			return &e->events[i];
	}
	FAIL("no event %u among %u", type, e->event_count);
}

static int ack(struct executor *e, uint32_t id)
{
	return commit_raw(e, (struct aif_commit){ .type = AIF_COMMIT_GRANT_ACK, .index = id });
}

/* The executor's memory becomes another: zeroes, and what it writes stays there. */
static void test_revoke_mapped(void)
{
	unsigned char *data;
	struct service s;
	struct client c;
	struct executor e;
	uint32_t id = 0;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	OK(fetch(&e, 4));
	while (!e.grants[id].data)
		id++;
	data = e.grants[id].data;
	memset(c.data, 7, c.size);
	IS(data[100], 7);
	IS(ack(&e, id), 1);	/* nothing was revoked: stale */
	OK(take_back(&c, c.grant));
	IS(data[100], 0);
	IS(data[c.size - 1], 0);
	data[100] = 9;
	IS(c.data[100], 7);
	IS(ack(&e, id), 1);	/* nobody told it yet: stale */
	OK(fetch(&e, 4));
	IS(event_of(&e, AIF_EVENT_GRANT_REVOKED)->index, id);
	IS(commit_raw(&e, (struct aif_commit){ .type = 2, .index = id }), 1);
	IS(ack(&e, id), 0);
	IS(ack(&e, id), 1);
	IS(fetch(&e, 4), -EAGAIN);
}

static void test_revoke_queued(void)
{
	struct service s;
	struct client c;

	service_start(&s);
	client_start(&c, &s);
	submit(&c, 3, 1);
	OK(take_back(&c, c.grant));
	IS(state_of(&c, 3), AIF_STATE_DONE);
	IS(c.done[3].result, -EKEYREVOKED);
	IS(c.done[3].attempt, 0);
}

static void test_revoke_fetched(void)
{
	struct service s;
	struct client c;
	struct executor e;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	submit(&c, 3, 1);
	fetch_exactly(&e, 1);
	OK(take_back(&c, c.grant));
	IS(state_of(&c, 3), AIF_STATE_ORPHANED);
	IS(c.done[3].result, -EKEYREVOKED);
	OK(fetch(&e, 4));
	IS(event_of(&e, AIF_EVENT_CANCELLED)->index, e.requests[0].index);
	event_of(&e, AIF_EVENT_GRANT_REVOKED);
	IS(wait_quiet(&c, 3, 0), -ETIME);
	IS(commit_raw(&e, (struct aif_commit){
		.index = event_of(&e, AIF_EVENT_CANCELLED)->index,
		.generation = event_of(&e, AIF_EVENT_CANCELLED)->generation }), 0);
	OK(wait_quiet(&c, 3, FOREVER));
	IS(state_of(&c, 3), AIF_STATE_DONE);
	IS(c.done[3].result, -EKEYREVOKED);
}

/* A revoked grant is not a request's any more, whatever the handle says. */
static void test_revoked_grant_refused(void)
{
	struct aif_desc d;
	struct service s;
	struct client c;
	int err;

	service_start(&s);
	client_start(&c, &s);
	d = desc_of(&c, 0, 1);
	OK(take_back(&c, c.grant));
	err = submit_desc(&c, &d, 0);
	if (err != -ENOENT && err != -EKEYREVOKED)
		FAIL("submitted with a revoked grant: %s", strerror(-err));
}

static void test_declare_pins(void)
{
	struct aif_ioc_declare_pins arg;
	struct service s;
	struct client c;
	struct executor e;
	uint32_t id = 0;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	OK(fetch(&e, 4));
	while (!e.grants[id].data)
		id++;
	arg = (struct aif_ioc_declare_pins){ .size = sizeof(arg), .handle = c.buffer, .pins = 1 };
	OK(libaif_call(c.f, AIF_IOC_DECLARE_PINS, &arg));
	arg.pins = 1024;
	OK(libaif_call(c.f, AIF_IOC_DECLARE_PINS, &arg));
	arg.pins = 1025;
	IS(libaif_call(c.f, AIF_IOC_DECLARE_PINS, &arg), -EINVAL);
	arg.pins = 0;
	OK(libaif_call(c.f, AIF_IOC_DECLARE_PINS, &arg));
	arg.handle = 99;
	IS(libaif_call(c.f, AIF_IOC_DECLARE_PINS, &arg), -ENOENT);
	IS(libaif_call(e.f, AIF_IOC_DECLARE_PINS, &arg), -ENOENT);
	arg.handle = id;
	OK(libaif_call(e.f, AIF_IOC_DECLARE_PINS, &arg));
}

const struct test buffer_tests[] = {
	{ "zeroed, rounded to pages, outlived by its mapping", test_alloc },
	{ "allocations and handles that are refused", test_alloc_refused },
	{ "EDQUOT: the tenant's bytes, until unmapped", test_tenant_bytes },
	{ "ENOSPC: too many buffers", test_max_buffers },
	{ "grants that are refused; EBUSY: a granted buffer", test_grant_refused },
	{ "ENODEV: a grant to a service that is gone", test_grant_service_gone },
	{ "EDQUOT: the service's bytes", test_service_bytes },
	{ "ENOSPC: too many grants", test_max_grants },
	{ "executors are told of every grant once", test_executor_sees_grants },
	{ "a read-only grant cannot be mapped for writing", test_readonly_grant_maps_readonly },
	{ "revoked: a throw-away page, an event, an acknowledgement", test_revoke_mapped },
	{ "EKEYREVOKED: revoked while queued", test_revoke_queued },
	{ "EKEYREVOKED: revoked while fetched, quiet at the commit", test_revoke_fetched },
	{ "a revoked grant is refused", test_revoked_grant_refused },
	{ "declarations of pins", test_declare_pins },
	{ 0 },
};
