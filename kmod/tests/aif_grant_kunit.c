// SPDX-License-Identifier: GPL-2.0-only
/* Grants: what they keep, what they cost, and how they go. */
#include "aif_fixture.h"

#define BYTES	(2 * PAGE_SIZE)

/* A client with a buffer, at a service. */
struct scene {
	struct aif_client *client;
	struct aif_service *service;
	struct aif_handle *of;
	u32 open, handle;
};

static void scene_init(struct kunit *test, struct scene *s)
{
	s->service = aif_fx_service(test, "a", "cpu", 1, NULL);
	s->client = aif_fx_client(test, 4);
	s->open = aif_fx_open_service(test, s->client, s->service);
	s->handle = aif_fx_buffer(test, s->client, BYTES);
	s->of = aif_fx_handle(s->client, s->handle);
}

static struct aif_grant *scene_grant(struct kunit *test, struct scene *s)
{
	u32 handle = aif_fx_grant(test, s->client, s->handle, s->open);

	return xa_load(&s->client->grants, handle);
}

static int try_grant(struct scene *s, u32 buffer, u32 service, u32 flags, u32 reserved)
{
	struct aif_ioc_grant arg = {
		.buffer = buffer, .service = service, .flags = flags, .__reserved = reserved,
	};

	return aif_grant_create(s->client, &arg);
}

static void test_grant_args(struct kunit *test)
{
	struct scene s;

	scene_init(test, &s);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 2, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle + 1, s.open, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open + 1, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, try_grant(&s, 0, 0, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, s.of->grants, 0);
	KUNIT_EXPECT_EQ(test, s.client->grant_count, 0);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 0), 0);
}

/* It keeps buffer and service; the buffer cannot be freed; revoked, all is as before. */
static void test_grant_references(struct kunit *test)
{
	int services, buffers;
	struct aif_grant *g;
	struct scene s;
	u32 handle;

	scene_init(test, &s);
	services = kref_read(&s.service->ref);
	buffers = kref_read(&s.of->ref);
	g = scene_grant(test, &s);
	handle = g->handle;
	KUNIT_EXPECT_EQ(test, refcount_read(&g->ref), 1);
	KUNIT_EXPECT_PTR_EQ(test, xa_load(&s.service->grants, g->id), g);
	KUNIT_EXPECT_EQ(test, kref_read(&s.service->ref), services + 1);
	KUNIT_EXPECT_EQ(test, kref_read(&s.of->ref), buffers + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&s.service->grant_count), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.service->granted_bytes), BYTES);
	KUNIT_EXPECT_EQ(test, aif_handle_free(s.client, s.handle), -EBUSY);

	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, handle), 0);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.grants, 0));
	KUNIT_EXPECT_EQ(test, kref_read(&s.service->ref), services);
	KUNIT_EXPECT_EQ(test, kref_read(&s.of->ref), buffers);
	KUNIT_EXPECT_EQ(test, atomic_read(&s.service->grant_count), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.service->granted_bytes), 0);
	KUNIT_EXPECT_TRUE(test, xa_empty(&s.service->grants));
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, handle), -ENOENT);
	KUNIT_EXPECT_EQ(test, aif_handle_free(s.client, s.handle), 0);
}

/* The same buffer twice: two grants, and both must go before it can. */
static void test_grant_twice(struct kunit *test)
{
	struct aif_grant *g, *h;
	struct scene s;

	scene_init(test, &s);
	g = scene_grant(test, &s);
	h = scene_grant(test, &s);
	KUNIT_EXPECT_NE(test, g->handle, h->handle);
	KUNIT_EXPECT_NE(test, g->id, h->id);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, g->handle), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(s.client, s.handle), -EBUSY);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, h->handle), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(s.client, s.handle), 0);
}

static void test_grant_handles(struct kunit *test)
{
	struct scene s;
	u32 last, next;
	int i;

	scene_init(test, &s);
	last = scene_grant(test, &s)->handle;
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, last), 0);
		next = scene_grant(test, &s)->handle;
		KUNIT_EXPECT_GT(test, next, last);
		last = next;
	}
}

static void test_grant_count_limit(struct kunit *test)
{
	struct aif_grant *g;
	struct scene s;

	scene_init(test, &s);
	AIF_FX_SET(test, aif_max_grants, 1);
	g = scene_grant(test, &s);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 0), -ENOSPC);
	KUNIT_EXPECT_EQ(test, s.of->grants, 1);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, g->handle), 0);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 0), 0);
}

/* The service's bytes, to the last one. */
static void test_grant_bytes_limit(struct kunit *test)
{
	struct scene s;
	u32 page;

	scene_init(test, &s);
	page = aif_fx_buffer(test, s.client, PAGE_SIZE);
	AIF_FX_SET(test, aif_service_bytes, BYTES + PAGE_SIZE);
	scene_grant(test, &s);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 0), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.service->granted_bytes), BYTES);
	KUNIT_EXPECT_EQ(test, atomic_read(&s.service->grant_count), 1);
	KUNIT_EXPECT_EQ(test, try_grant(&s, page, s.open, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, try_grant(&s, page, s.open, 0, 0), -EDQUOT);
	KUNIT_EXPECT_EQ(test, s.client->grant_count, 2);
}

/* A service that is gone takes no more. */
static void test_grant_service_gone(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 4);
	struct scene s = { .client = c };
	struct aif_service *service;
	struct file *filp;

	service = aif_fx_service(test, "a", "cpu", 1, &filp);
	s.open = aif_fx_open_service(test, c, service);
	s.handle = aif_fx_buffer(test, c, BYTES);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_EQ(test, try_grant(&s, s.handle, s.open, 0, 0), -ENODEV);
	KUNIT_EXPECT_EQ(test, c->grant_count, 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, s.handle), 0);
}

/* ---- views ---- */

static struct aif_delivery *delivered(struct aif_executor *ex, u32 i)
{
	return aif_mapped_at(&ex->arrays[AIF_ARRAY_DELIVERY], i);
}

/* Give back one thing; true if it was stale. */
static bool acknowledge(struct kunit *test, struct aif_executor *ex, u32 id)
{
	struct aif_commit *c = aif_mapped_at(&ex->arrays[AIF_ARRAY_COMMIT], 0);
	u32 stale = 0;

	*c = (struct aif_commit) { .type = AIF_COMMIT_GRANT_ACK, .index = id };
	KUNIT_EXPECT_EQ(test, aif_executor_turn(ex, 0, 0, 1, 0, &stale), 0);
	return stale;
}

/* Executors that were there and those that come later both see it, once. */
static void test_grant_views(struct kunit *test)
{
	struct aif_executor *before, *after;
	struct aif_grant *g;
	struct scene s;

	scene_init(test, &s);
	aif_fx_process_enter(test);
	before = aif_fx_executor(test, s.service, 1);
	g = scene_grant(test, &s);
	after = aif_fx_executor(test, s.service, 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&g->ref), 3);
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&before->views, g->id));
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&after->views, g->id));
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(after, 0, true), 1);
	KUNIT_EXPECT_EQ(test, delivered(after, 0)->type, AIF_EVENT_GRANT_ADDED);
	KUNIT_EXPECT_EQ(test, delivered(after, 0)->index, g->id);
	KUNIT_EXPECT_EQ(test, delivered(after, 0)->length, BYTES);
	KUNIT_EXPECT_EQ(test, delivered(after, 0)->flags, AIF_DELIVERY_F_WRITE);
	KUNIT_EXPECT_EQ(test, aif_executor_fetch(after, 0, true), -EAGAIN);
	aif_executor_die(after);
	KUNIT_EXPECT_EQ(test, refcount_read(&g->ref), 2);
	aif_fx_process_leave();
}

/*
 * Revoked: dead to the executor at once; the id is not another grant's before
 * the executor was told and said that it knows.
 */
static void test_grant_revoked_view(struct kunit *test)
{
	struct aif_executor *ex;
	struct aif_grant *g;
	struct aif_view *v;
	struct scene s;
	u32 id;

	scene_init(test, &s);
	aif_fx_process_enter(test);
	ex = aif_fx_executor(test, s.service, 1);
	g = scene_grant(test, &s);
	id = g->id;
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(ex, 0, true), 1);
	KUNIT_EXPECT_TRUE(test, acknowledge(test, ex, id));
	v = xa_load(&ex->views, id);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, g->handle), 0);
	KUNIT_EXPECT_TRUE(test, v->dead);
	KUNIT_EXPECT_TRUE(test, acknowledge(test, ex, id));
	KUNIT_EXPECT_NE(test, scene_grant(test, &s)->id, id);
	KUNIT_EXPECT_PTR_EQ(test, xa_load(&s.service->grants, id), g);
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.service->granted_bytes), 2 * BYTES);

	KUNIT_ASSERT_EQ(test, aif_executor_fetch(ex, 0, true), 2);
	KUNIT_EXPECT_EQ(test, delivered(ex, 0)->type, AIF_EVENT_GRANT_REVOKED);
	KUNIT_EXPECT_EQ(test, delivered(ex, 0)->index, id);
	KUNIT_EXPECT_FALSE(test, acknowledge(test, ex, id));
	KUNIT_EXPECT_TRUE(test, acknowledge(test, ex, id));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.grants, 1));
	KUNIT_EXPECT_NULL(test, xa_load(&s.service->grants, id));
	KUNIT_EXPECT_EQ(test, atomic64_read(&s.service->granted_bytes), BYTES);
	aif_fx_process_leave();
}

/* Nobody was told of it: added and revoked are both still said, in this order. */
static void test_grant_revoked_before_told(struct kunit *test)
{
	struct aif_executor *ex;
	struct scene s;
	u32 handle;

	scene_init(test, &s);
	aif_fx_process_enter(test);
	ex = aif_fx_executor(test, s.service, 1);
	handle = scene_grant(test, &s)->handle;
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(s.client, handle), 0);
	KUNIT_ASSERT_EQ(test, aif_executor_fetch(ex, 0, true), 2);
	KUNIT_EXPECT_EQ(test, delivered(ex, 0)->type, AIF_EVENT_GRANT_ADDED);
	KUNIT_EXPECT_EQ(test, delivered(ex, 1)->type, AIF_EVENT_GRANT_REVOKED);
	KUNIT_EXPECT_EQ(test, delivered(ex, 0)->index, delivered(ex, 1)->index);
	aif_fx_process_leave();
}

static struct kunit_case aif_grant_cases[] = {
	KUNIT_CASE(test_grant_args),
	KUNIT_CASE(test_grant_references),
	KUNIT_CASE(test_grant_twice),
	KUNIT_CASE(test_grant_handles),
	KUNIT_CASE(test_grant_count_limit),
	KUNIT_CASE(test_grant_bytes_limit),
	KUNIT_CASE(test_grant_service_gone),
	KUNIT_CASE(test_grant_views),
	KUNIT_CASE(test_grant_revoked_view),
	KUNIT_CASE(test_grant_revoked_before_told),
	{}
};

static struct kunit_suite aif_grant_suite = {
	.name = "aif_grant",
	.init = aif_fx_init,
	.test_cases = aif_grant_cases,
};

kunit_test_suite(aif_grant_suite);
