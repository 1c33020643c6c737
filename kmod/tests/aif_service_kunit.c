// SPDX-License-Identifier: GPL-2.0-only
/* Services and devices: names, ids, limits, tokens, ends. */
#include "aif_fixture.h"

static struct aif_service *found(const char *name, uid_t owner)
{
	struct aif_service *s = aif_service_find_name(name, KUIDT_INIT(owner));

	if (s)
		aif_service_put(s);
	return s;
}

/* A name is its owner's: once, and nobody else's concern. */
static void test_service_names(struct kunit *test)
{
	struct file *mine = aif_fx_open_serve(test, 1000), *again = aif_fx_open_serve(test, 1000);
	struct file *theirs = aif_fx_open_serve(test, 1001);
	struct aif_service *s, *t;

	KUNIT_ASSERT_EQ(test, aif_fx_create(test, mine, "a", "cpu", 1), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_create(test, again, "a", "cpu", 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, aif_file_role(aif_fx_file(again)), AIF_ROLE_SERVE);
	KUNIT_ASSERT_EQ(test, aif_fx_create(test, theirs, "a", "cpu", 1), 0);
	KUNIT_ASSERT_EQ(test, aif_fx_create(test, again, "A", "cpu", 1), 0);
	s = aif_fx_file(mine)->service;
	t = aif_fx_file(theirs)->service;
	KUNIT_EXPECT_PTR_EQ(test, found("a", 1000), s);
	KUNIT_EXPECT_PTR_EQ(test, found("a", 1001), t);
	KUNIT_EXPECT_NULL(test, found("a", 0));
	KUNIT_EXPECT_NULL(test, found("b", 1000));
	KUNIT_EXPECT_NULL(test, found("", 1000));
	KUNIT_EXPECT_NE(test, s->id, t->id);
}

/* A file holds one service. */
static void test_service_one_role(struct kunit *test)
{
	struct file *filp = aif_fx_open_serve(test, 0);

	KUNIT_ASSERT_EQ(test, aif_fx_create(test, filp, "a", "cpu", 1), 0);
	KUNIT_EXPECT_EQ(test, aif_fx_create(test, filp, "b", "cpu", 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
}

/* The holder's end: the name is free, the id is not given out again. */
static void test_service_ends(struct kunit *test)
{
	struct file *filp;
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, &filp);
	u32 id = s->id;

	s = aif_service_find(id);
	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, kref_read(&s->ref), 2);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_TRUE(test, s->gone);
	KUNIT_EXPECT_NULL(test, aif_service_find(id));
	KUNIT_EXPECT_NULL(test, found("a", 0));
	KUNIT_EXPECT_GT(test, aif_fx_service(test, "a", "cpu", 1, NULL)->id, id);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 2);
	aif_service_put(s);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
}

static void test_service_limit(struct kunit *test)
{
	struct file *filp, *other = aif_fx_open_serve(test, 0);

	AIF_FX_SET(test, aif_max_services, 1);
	aif_fx_service(test, "a", "cpu", 1, &filp);
	KUNIT_EXPECT_EQ(test, aif_fx_create(test, other, "b", "gpu", 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.devices), 1);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_EQ(test, aif_fx_create(test, other, "b", "gpu", 1), 0);
}

/* What is wrong with the arguments beside the description, which core checks. */
static void test_service_args(struct kunit *test)
{
	struct aif_ioc_service_create *arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);
	struct aif_file *f = aif_fx_file(aif_fx_open_serve(test, 0));

	KUNIT_ASSERT_NOT_NULL(test, arg);
	arg->__reserved = 1;
	KUNIT_EXPECT_EQ(test, aif_service_create(f, arg), -EINVAL);
	arg->__reserved = 0;
	arg->text_length = AIF_TEXT_MAX + 1;
	KUNIT_EXPECT_EQ(test, aif_service_create(f, arg), -EINVAL);
	arg->text_length = 0;
	KUNIT_EXPECT_EQ(test, aif_service_create(f, arg), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_file_role(f), AIF_ROLE_SERVE);
}

/* A device is there while a service is on it, the same for all that name it. */
static void test_service_devices(struct kunit *test)
{
	struct file *filp[3];
	struct aif_service *a = aif_fx_service(test, "a", "cpu", 1, &filp[0]);
	struct aif_service *b = aif_fx_service(test, "b", "cpu", 1, &filp[1]);
	struct aif_service *c = aif_fx_service(test, "c", "cpu0", 1, &filp[2]);
	int i;

	KUNIT_EXPECT_PTR_EQ(test, a->device, b->device);
	KUNIT_EXPECT_PTR_NE(test, a->device, c->device);
	KUNIT_EXPECT_EQ(test, kref_read(&a->device->ref), 2);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.devices), 2);
	for (i = 0; i < 3; i++)
		aif_fx_close(test, filp[i]);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.devices), 0);
}

/* As many steps at once as the most demanding service there asks for. */
static void test_service_tokens(struct kunit *test)
{
	struct file *filp;
	struct aif_service *s = aif_fx_service(test, "one", "cpu", 1, NULL);
	struct aif_sched *sched = &s->device->sched;

	KUNIT_EXPECT_EQ(test, sched->tokens, 1);
	aif_fx_service(test, "four", "cpu", 4, &filp);
	KUNIT_EXPECT_EQ(test, sched->tokens, 4);
	aif_fx_service(test, "two", "cpu", 2, NULL);
	aif_fx_service(test, "elsewhere", "gpu", 9, NULL);
	KUNIT_EXPECT_EQ(test, sched->tokens, 4);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_EQ(test, sched->tokens, 2);
}

static const struct drained_row {
	const char *name;
	bool draining;
	u32 queued, fetched, recovering;
	bool want;
} drained_rows[] = {
	{ "nothing to do, not told", false, 0, 0, 0, false },
	{ "nothing to do", true, 0, 0, 0, true },
	{ "queued", true, 1, 0, 0, false },
	{ "fetched", true, 0, 1, 0, false },
	{ "recovering", true, 0, 0, 1, false },
};

KUNIT_ARRAY_PARAM_DESC(drained_rows, drained_rows, name);

static void test_service_drained(struct kunit *test)
{
	const struct drained_row *row = test->param_value;
	struct aif_service *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->draining = row->draining;
	s->queue.queued = row->queued;
	s->fetched = row->fetched;
	s->recovering = row->recovering;
	KUNIT_EXPECT_EQ(test, aif_service_drained(s), row->want);
}

/* A client's handle: the same for the same service, and it keeps the service. */
static void test_service_open(struct kunit *test)
{
	struct file *filp;
	struct aif_service *a = aif_fx_service(test, "a", "cpu", 1, &filp);
	struct aif_service *b = aif_fx_service(test, "b", "cpu", 1, NULL);
	struct aif_client *c = aif_fx_client(test, 4);
	struct aif_ioc_service_open arg = { .name = "a", .owner = 1 };
	u32 handle = aif_fx_open_service(test, c, a);

	KUNIT_EXPECT_NE(test, handle, 0);
	KUNIT_EXPECT_EQ(test, aif_fx_open_service(test, c, a), handle);
	KUNIT_EXPECT_NE(test, aif_fx_open_service(test, c, b), handle);
	KUNIT_EXPECT_EQ(test, aif_client_open_service(c, &arg), -ENOENT);
	arg.owner = ~0u;
	KUNIT_EXPECT_EQ(test, aif_client_open_service(c, &arg), -EINVAL);
	memset(arg.name, 'x', sizeof(arg.name));
	arg.owner = 0;
	KUNIT_EXPECT_EQ(test, aif_client_open_service(c, &arg), -EINVAL);
	KUNIT_EXPECT_EQ(test, kref_read(&a->ref), 2);
	aif_fx_close(test, filp);
	KUNIT_EXPECT_EQ(test, kref_read(&a->ref), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.services), 2);
}

/* Before the arrays are there, there is no depth to make room for. */
static void test_service_open_without_arrays(struct kunit *test)
{
	struct aif_ioc_service_open arg = { .name = "a" };
	struct aif_client *c = aif_fx_client(test, 0);

	aif_fx_service(test, "a", "cpu", 1, NULL);
	KUNIT_EXPECT_EQ(test, aif_client_open_service(c, &arg), -ENXIO);
}

static struct kunit_case aif_service_cases[] = {
	KUNIT_CASE(test_service_names),
	KUNIT_CASE(test_service_one_role),
	KUNIT_CASE(test_service_ends),
	KUNIT_CASE(test_service_limit),
	KUNIT_CASE(test_service_args),
	KUNIT_CASE(test_service_devices),
	KUNIT_CASE(test_service_tokens),
	KUNIT_CASE_PARAM(test_service_drained, drained_rows_gen_params),
	KUNIT_CASE(test_service_open),
	KUNIT_CASE(test_service_open_without_arrays),
	{}
};

static struct kunit_suite aif_service_suite = {
	.name = "aif_service",
	.init = aif_fx_init,
	.test_cases = aif_service_cases,
};

kunit_test_suite(aif_service_suite);
