// SPDX-License-Identifier: MIT
/* SUBMIT: what is taken, and everything that is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "conform.h"

static struct service service;
static struct client client;

static void start(void)
{
	service_start(&service);
	client_start(&client, &service);
}

/* ---- one field wrong ---- */

static void bad_tag(struct aif_desc *d) { d->tag = CLIENT_DEPTH; }
static void huge_tag(struct aif_desc *d) { d->tag = AIF_TAG_ALL; }
static void bad_class(struct aif_desc *d) { d->sched_class = AIF_CLASS_COUNT; }
static void realtime(struct aif_desc *d) { d->sched_class = AIF_CLASS_REALTIME; }
static void in_fence(struct aif_desc *d) { d->in_fence = 1; }
static void bad_flags(struct aif_desc *d) { d->flags = 0x80; }
static void no_range(struct aif_desc *d) { d->range_count = 0; }
static void four_ranges(struct aif_desc *d) { d->range_count = 4; }
static void one_range(struct aif_desc *d) { d->range_count = 1; d->ranges[1].length = 0; }
static void dirty_range(struct aif_desc *d) { d->ranges[2].offset = 64; }
static void third_range(struct aif_desc *d) { d->range_count = 3; d->ranges[2] = d->ranges[1]; }
static void no_service(struct aif_desc *d) { d->service = 0; }
static void other_service(struct aif_desc *d) { d->service = 99; }
static void no_grant(struct aif_desc *d) { d->ranges[0].grant = 0; }
static void other_grant(struct aif_desc *d) { d->ranges[1].grant = 99; }
static void misaligned_in(struct aif_desc *d) { d->ranges[0].offset += 32; }
static void misaligned_out(struct aif_desc *d) { d->ranges[1].offset += 1; }
static void outside(struct aif_desc *d) { d->ranges[1].offset = CLIENT_BYTES; }
static void beyond(struct aif_desc *d) { d->ranges[1].offset = CLIENT_BYTES - 64; }
static void wraps(struct aif_desc *d) { d->ranges[1].offset = 0xffffffc0; }
static void long_input(struct aif_desc *d) { d->ranges[0].length = PIECE + 1; }
static void past(struct aif_desc *d) { d->deadline = 1; }

static void inline_long(struct aif_desc *d)
{
	d->inline_length = 25;
	d->range_count = 1;
}

static void inline_two_ranges(struct aif_desc *d)
{
	d->inline_length = 8;
}

static void inline_dirty(struct aif_desc *d)
{
	d->range = d->ranges[1];
	memset(d->input, 0, sizeof(d->input));
	d->inline_length = 8;
	d->input[8] = 1;
	d->range_count = 1;
}

static const struct {
	const char *name;
	void (*spoil)(struct aif_desc *d);
	int want;
} refusals[] = {
	{ "tag = depth", bad_tag, -EINVAL },
	{ "tag = ~0", huge_tag, -EINVAL },
	{ "class 3", bad_class, -EINVAL },
	{ "real-time class", realtime, -EOPNOTSUPP },
	{ "in-fence", in_fence, -EOPNOTSUPP },
	{ "unknown flag", bad_flags, -EINVAL },
	{ "no range", no_range, -EINVAL },
	{ "four ranges", four_ranges, -EINVAL },
	{ "the output is missing", one_range, -EINVAL },
	{ "an unused range is not zero", dirty_range, -EINVAL },
	{ "a range too many", third_range, -EINVAL },
	{ "service 0", no_service, -EBADF },
	{ "service not opened", other_service, -EBADF },
	{ "grant 0", no_grant, -ENOENT },
	{ "grant of nobody", other_grant, -ENOENT },
	{ "input misaligned", misaligned_in, -EINVAL },
	{ "output misaligned", misaligned_out, -EINVAL },
	{ "range behind the buffer", outside, -EINVAL },
	{ "range over the buffer's end", beyond, -EINVAL },
	{ "range wraps", wraps, -EINVAL },
	{ "input over max_bytes", long_input, -EINVAL },
	{ "deadline has passed", past, -ETIME },
	{ "25 bytes inline", inline_long, -EINVAL },
	{ "inline with two ranges", inline_two_ranges, -EINVAL },
	{ "unused inline bytes are not zero", inline_dirty, -EINVAL },
};

/* Refused, nothing remembered: the same tag and generation pass afterwards. */
static void test_refusals(void)
{
	struct aif_desc d;
	unsigned int i;
	int err;

	start();
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		d = desc_of(&client, 5, 1);
		refusals[i].spoil(&d);
		err = submit_desc(&client, &d, 0);
		if (err != refusals[i].want)
			FAIL("%s: %s, want %s", refusals[i].name, strerror(-err),
			     strerror(-refusals[i].want));
	}
	IS(state_of(&client, 5), AIF_STATE_FREE);
	IS(client.status->submitted, 0);
	submit(&client, 5, 1);
	IS(state_of(&client, 5), AIF_STATE_QUEUED);
}

static void test_arguments(void)
{
	struct aif_ioc_submit arg;

	start();
	IS(submit_ring(&client, 0, 0, 0, NULL), -EINVAL);
	IS(submit_ring(&client, 0, CLIENT_DEPTH + 1, 0, NULL), -EINVAL);
	IS(submit_ring(&client, 0, 1, AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST, NULL),
	   -EINVAL);
	IS(submit_ring(&client, 0, 1, 4, NULL), -EINVAL);
	arg = (struct aif_ioc_submit){ .size = sizeof(arg), .count = 1, .__reserved = 1 };
	IS(libaif_call(client.f, AIF_IOC_SUBMIT, &arg), -EINVAL);
}

static void test_generation(void)
{
	struct executor e;
	struct aif_desc d;

	start();
	executor_start(&e, &service, 4);
	submit(&client, 2, 7);
	d = desc_of(&client, 2, 8);
	IS(submit_desc(&client, &d, 0), -EBUSY);
	fetch_exactly(&e, 1);
	IS(submit_desc(&client, &d, 0), -EBUSY);
	IS(commit(&e, &e.requests[0], 0, 0), 0);
	IS(client.done[2].generation, 7);
	d = desc_of(&client, 2, 7);
	IS(submit_desc(&client, &d, 0), -EINVAL);	/* the one it had last */
	submit(&client, 2, 3);				/* any other */
	IS(client.done[2].generation, 3);
	IS(state_of(&client, 2), AIF_STATE_QUEUED);
}

static void test_read_only_output(void)
{
	struct aif_ioc_grant g = { .size = sizeof(g) };
	struct aif_desc d;

	start();
	g.buffer = client.buffer;
	g.service = client.service;
	OK(libaif_call(client.f, AIF_IOC_GRANT, &g));
	d = desc_of(&client, 0, 1);
	d.ranges[1].grant = g.out_grant;
	IS(submit_desc(&client, &d, 0), -EACCES);
	d = desc_of(&client, 0, 1);
	d.ranges[0].grant = g.out_grant;	/* an input may be */
	OK(submit_desc(&client, &d, 0));
}

static void test_grant_of_another_service(void)
{
	struct client both = { 0 };
	struct service other;
	struct aif_desc d;
	uint32_t first;

	start();
	service_start(&other);
	both = client;
	first = client.grant;
	client_use(&both, &other);
	d = desc_of(&both, 0, 1);
	d.ranges[0].grant = first;
	IS(submit_desc(&both, &d, 0), -ENOENT);
}

/* i32 [2, 3] in, f32 [-1, 4] out. */
static void test_shapes(void)
{
	struct service s;
	struct client c;
	struct aif_desc d;

	service_init(&s);
	s.arg.desc.io[0] = (struct aif_io){
		.name = "in", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_I32, .dims = 2,
		.shape = { 2, 3 }, .max_bytes = 24,
	};
	s.arg.desc.io[1] = (struct aif_io){
		.name = "out", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_F32, .dims = 1,
		.flags = AIF_IO_F_OUTPUT, .shape = { 4 }, .max_bytes = 16, .alignment = 4096,
	};
	service_create(&s);
	client_start(&c, &s);
	d = desc_of(&c, 0, 1);
	d.ranges[0].length = 20;
	IS(submit_desc(&c, &d, 0), -EINVAL);
	d.ranges[0].length = 24;
	d.ranges[1].length = 12;
	IS(submit_desc(&c, &d, 0), -EINVAL);
	d.ranges[1].length = 16;
	d.ranges[1].offset += 64;
	IS(submit_desc(&c, &d, 0), -EINVAL);
	d.ranges[1].offset -= 64;
	OK(submit_desc(&c, &d, 0));
}

static void test_elements(void)
{
	struct service s;
	struct client c;
	struct aif_desc d;

	service_init(&s);
	s.arg.desc.io[0].kind = AIF_IO_TENSOR;
	s.arg.desc.io[0].dtype = AIF_DTYPE_I32;
	service_create(&s);
	client_start(&c, &s);
	d = desc_of(&c, 0, 1);
	d.ranges[0].length = 10;
	IS(submit_desc(&c, &d, 0), -EINVAL);
	d.ranges[0].length = 12;
	OK(submit_desc(&c, &d, 0));
}

static void test_optional_output(void)
{
	struct service s;
	struct client c;
	struct aif_desc d;

	service_init(&s);
	s.arg.desc.io_count = 3;
	s.arg.desc.io[2] = s.arg.desc.io[1];
	strcpy(s.arg.desc.io[2].name, "more");
	s.arg.desc.io[2].flags |= AIF_IO_F_OPTIONAL;
	service_create(&s);
	client_start(&c, &s);
	d = desc_of(&c, 0, 1);
	OK(submit_desc(&c, &d, 0));
	d = desc_of(&c, 1, 1);
	d.range_count = 3;
	d.ranges[2] = d.ranges[1];
	OK(submit_desc(&c, &d, 0));
}

/* Taken in order up to the first that is refused. */
static void test_partial(void)
{
	uint32_t accepted;

	start();
	client.descs[0] = desc_of(&client, 0, 1);
	client.descs[1] = desc_of(&client, 1, 1);
	client.descs[2] = desc_of(&client, 1, 2);	/* busy */
	client.descs[3] = desc_of(&client, 3, 1);
	OK(submit_ring(&client, 0, 4, 0, &accepted));
	IS(accepted, 2);
	IS(client.status->submitted, 2);
	IS(submit_ring(&client, 2, 2, 0, &accepted), -EBUSY);
	IS(accepted, 0);
	IS(state_of(&client, 3), AIF_STATE_FREE);
}

/* Positions are modulo the ring's count, and free again when SUBMIT returned. */
static void test_ring_wraps(void)
{
	uint32_t accepted;

	start();
	client.descs[CLIENT_DEPTH - 1] = desc_of(&client, 0, 1);
	client.descs[0] = desc_of(&client, 1, 1);
	OK(submit_ring(&client, 3 * CLIENT_DEPTH - 1, 2, 0, &accepted));
	IS(accepted, 2);
	memset(client.descs, 0xff, CLIENT_DEPTH * sizeof(*client.descs));
	IS(state_of(&client, 0), AIF_STATE_QUEUED);
	IS(state_of(&client, 1), AIF_STATE_QUEUED);
}

static void test_tenant_requests(void)
{
	struct client a, b;
	struct aif_desc d;

	limit("tenant_requests", 3);
	service_start(&service);
	client_open_as(&a, 4, 1);
	client_use(&a, &service);
	client_open_as(&b, 4, 1);
	client_use(&b, &service);
	submit(&a, 0, 1);
	submit(&a, 1, 1);
	submit(&b, 0, 1);
	d = desc_of(&b, 1, 1);
	IS(submit_desc(&b, &d, 0), -EDQUOT);
	OK(cancel(&a, 1, 1));
	OK(submit_desc(&b, &d, 0));
}

static void test_device_requests(void)
{
	struct aif_desc d;
	uint32_t i, n;

	if (is_local())
		limit("device_requests", 8);
	start();
	n = client.info.out_device_requests;
	if (n >= CLIENT_DEPTH)
		skip("needs the module's parameter device_requests < %u, not %u", CLIENT_DEPTH, n);
	for (i = 0; i < n; i++)
		submit(&client, i, 1);
	d = desc_of(&client, n, 1);
	IS(submit_desc(&client, &d, 0), -EAGAIN);
	OK(cancel(&client, 0, 1));
	OK(submit_desc(&client, &d, 0));
}

static void test_fault(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);

	if (is_local())
		skip("a pointer that leads nowhere is fatal in one's own process");
	IS(libaif_call(f, AIF_IOC_INFO, NULL), -EFAULT);
	IS(libaif_call(f, AIF_IOC_SUBMIT, (void *)8), -EFAULT);
}

const struct test submit_tests[] = {
	{ "each field wrong in turn", test_refusals },
	{ "EINVAL: flags and counts", test_arguments },
	{ "EBUSY: the tag is busy; EINVAL: its last generation", test_generation },
	{ "EACCES: an output in a read-only grant", test_read_only_output },
	{ "ENOENT: another service's grant", test_grant_of_another_service },
	{ "EINVAL: fixed shapes and alignment", test_shapes },
	{ "EINVAL: half an element", test_elements },
	{ "optional outputs may be missing", test_optional_output },
	{ "taken up to the first refused", test_partial },
	{ "the ring wraps, and is read once", test_ring_wraps },
	{ "EDQUOT: the tenant's requests in flight", test_tenant_requests },
	{ "EAGAIN: the device's queue is full", test_device_requests },
	{ "EFAULT: pointers that lead nowhere", test_fault },
	{ 0 },
};
