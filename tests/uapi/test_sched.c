// SPDX-License-Identifier: MIT
/*
 * Who gets how much of a device, over many steps.  Executors report device
 * times that the test chose (having let as much time pass), so shares are sums
 * of known numbers and no clock is compared.  Tenants are cgroups.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "tap.h"

#define US	1000ull
#define QUEUED	32	/* requests that a party keeps waiting */

/* A tenant's use of a service. */
struct party {
	struct raw_client client;
	struct raw_buffer buffer;
	uint32_t handle, grant, tag;
	uint64_t tenant;
	uint64_t cost_ns;	/* of a request on the device */
	uint64_t got_ns;	/* device time so far */
	unsigned int served;
	uint8_t class;
};

static struct raw_service service;
static struct raw_executor executor;
static struct raw_taken taken[64];

static struct aif_service_desc desc_on(const char *name, const char *device)
{
	struct aif_service_desc desc = raw_service_desc(name);

	memset(desc.device, 0, sizeof(desc.device));
	strcpy(desc.device, device);
	return desc;
}

static int sched_setup(void **state)
{
	struct aif_service_desc desc = desc_on("shared", "device");
	int err = raw_service_create(&service, &desc, RAW_EXECUTOR_UID);

	return err ? err : raw_executor_open(&executor, &service, 16);
}

static int sched_teardown(void **state)
{
	raw_executor_close(&executor);
	raw_service_close(&service);
	return raw_all_gone();
}

static int group_setup(void **state)
{
	return cgroup_make("tenant-a") || cgroup_make("tenant-b");
}

static int group_teardown(void **state)
{
	return cgroup_remove("tenant-a") || cgroup_remove("tenant-b");
}

static void party_open(struct party *p, const char *cgroup, const struct raw_service *s,
		       uint64_t cost_ns)
{
	struct aif_ioc_info info = { .size = sizeof(info) };
	int fd;

	assert_int_equal(cgroup_enter(cgroup), 0);
	fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	assert_int_equal(cgroup_enter(""), 0);
	memset(p, 0, sizeof(*p));
	p->cost_ns = cost_ns;
	p->class = AIF_CLASS_NORMAL;
	assert_int_equal(raw_client_init(&p->client, fd, 64, 0), 0);
	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	p->tenant = info.out_tenant;
	p->handle = (uint32_t)raw_service_open(&p->client, s->name, s->owner);
	assert_int_equal(raw_buffer_alloc(&p->client, 4096, &p->buffer), 0);
	assert_int_equal(raw_grant(&p->client, p->buffer.handle, p->handle, AIF_GRANT_F_WRITE,
				   &p->grant), 0);
}

static void party_close(struct party *p)
{
	raw_buffer_free(&p->client, &p->buffer);
	raw_client_close(&p->client);
}

static void submit(struct party *p, uint32_t n)
{
	struct aif_desc d;

	while (n--) {
		d = (struct aif_desc){
			.tag = p->tag++ % 64, .generation = ++p->client.generation,
			.service = p->handle, .sched_class = p->class, .range_count = 2,
			.ranges = { { p->grant, 0, 64 }, { p->grant, 64, 64 } },
		};
		assert_int_equal(raw_submit(&p->client, &d, 1, 0), 1);
	}
}

/* Let at least @ns pass. */
static void pass(uint64_t ns)
{
	uint64_t until = raw_now() + ns;

	while (raw_now() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

static struct party *whose(struct party *parties, int n, const struct aif_slot *s)
{
	while (n--)
		if (parties[n].tenant == s->tenant)
			return &parties[n];
	fail_msg("tenant %llu is nobody's", (unsigned long long)s->tenant);
	return NULL;
}

/* One step of up to @credit requests; the device takes as long as they say. */
static int step(struct party *parties, int n, uint32_t credit)
{
	struct party *p[64];
	uint64_t longest = 0;
	int i, got;

	do {
		got = raw_take(&executor, AIF_FETCH_F_NONBLOCK, credit, taken);
	} while (!got);
	assert_true(got > 0);
	for (i = 0; i < got; i++) {
		p[i] = whose(parties, n, &executor.slot[taken[i].slot]);
		longest = p[i]->cost_ns > longest ? p[i]->cost_ns : longest;
	}
	pass(longest);
	for (i = 0; i < got; i++) {
		assert_int_equal(raw_give(&executor, taken[i], 0, 0, p[i]->cost_ns), 0);
		p[i]->got_ns += p[i]->cost_ns;
		p[i]->served++;
	}
	return got;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void saturated(uint32_t credit, int steps)
{
	struct party p[2];
	uint64_t sum;
	int i;

	party_open(&p[0], "tenant-a", &service, 300 * US);
	party_open(&p[1], "tenant-b", &service, 100 * US);
	submit(&p[0], QUEUED);
	submit(&p[1], QUEUED);
	for (i = 0; i < steps; i++) {
		step(p, 2, credit);
		submit(&p[0], QUEUED - (p[0].tag - p[0].served));
		submit(&p[1], QUEUED - (p[1].tag - p[1].served));
	}
	sum = p[0].got_ns + p[1].got_ns;
	print_message("# credit %u: %u requests of 300 us, %u of 100 us\n", credit, p[0].served,
		      p[1].served);
	assert_true(difference(p[0].got_ns, p[1].got_ns) <= sum / 10);
	raw_cancel(&p[0].client, AIF_TAG_ALL, 0);
	raw_cancel(&p[1].client, AIF_TAG_ALL, 0);
	party_close(&p[0]);
	party_close(&p[1]);
}

/* Equal device time, not equal numbers of requests. */
static void test_fair_share(void **state)
{
	saturated(1, 400);
}

/* The same when a step takes several, chosen before their time is known. */
static void test_fair_share_of_steps(void **state)
{
	saturated(8, 100);
}

/* Who was idle has nothing saved: it takes turns from where the others are. */
static void test_idleness_saves_nothing(void **state)
{
	struct party p[2];
	int i;

	party_open(&p[0], "tenant-a", &service, 100 * US);
	party_open(&p[1], "tenant-b", &service, 100 * US);
	for (i = 0; i < 200; i++) {
		submit(&p[0], 1);
		step(p, 2, 1);
	}
	submit(&p[0], QUEUED);
	submit(&p[1], QUEUED);
	for (i = 0; i < 40; i++)
		step(p, 2, 1);
	print_message("# of 40 steps, %u went to who came late\n", p[1].served);
	assert_in_range(p[1].served, 18, 22);
	raw_cancel(&p[0].client, AIF_TAG_ALL, 0);
	raw_cancel(&p[1].client, AIF_TAG_ALL, 0);
	party_close(&p[0]);
	party_close(&p[1]);
}

/* Nor does closing its file let a tenant come back without its debt. */
static void test_reopening_forgives_nothing(void **state)
{
	struct party p[2];
	int i;

	party_open(&p[1], "tenant-b", &service, 100 * US);
	submit(&p[1], 1);
	for (i = 0; i < 20; i++) {	/* each time one expensive request, a new file */
		party_open(&p[0], "tenant-a", &service, 2000 * US);
		submit(&p[0], 1);
		while (!p[0].served) {
			step(p, 2, 1);
			submit(&p[1], 1 - (p[1].tag - p[1].served));
		}
		party_close(&p[0]);
	}
	print_message("# %u requests of 100 us beside 20 of 2000 us\n", p[1].served);
	assert_true(p[1].served >= 18 * 20);
	raw_cancel(&p[1].client, AIF_TAG_ALL, 0);
	party_close(&p[1]);
}

/* The idle class waits for everybody's normal one, whosever it is. */
static void test_class_before_share(void **state)
{
	struct party p[2];
	int i;

	party_open(&p[0], "tenant-a", &service, 100 * US);
	party_open(&p[1], "tenant-b", &service, 1000 * US);
	p[0].class = AIF_CLASS_IDLE;
	submit(&p[0], 8);
	submit(&p[1], 8);
	for (i = 0; i < 8; i++)
		step(p, 2, 1);
	assert_int_equal(p[1].served, 8);
	assert_int_equal(p[0].served, 0);
	for (i = 0; i < 8; i++)
		step(p, 2, 1);
	assert_int_equal(p[0].served, 8);
	party_close(&p[0]);
	party_close(&p[1]);
}

/* PROGRESS charges what a request took so far, before it is done. */
static void test_progress_is_charged(void **state)
{
	struct raw_taken long_one, *t = taken;
	struct party p[2];
	int i, n;

	party_open(&p[0], "tenant-a", &service, 100 * US);
	party_open(&p[1], "tenant-b", &service, 100 * US);
	submit(&p[0], 1);
	while (!(n = raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, t)))
		;
	assert_int_equal(n, 1);
	long_one = t[0];
	pass(20000 * US);
	assert_int_equal(raw_progress(&executor, long_one, 0, 20000 * US), 0);
	submit(&p[0], 8);
	submit(&p[1], 8);
	for (i = 0; i < 8; i++)
		step(p, 2, 1);
	assert_int_equal(p[1].served, 8);
	assert_int_equal(raw_give(&executor, long_one, 0, 0, 0), 0);
	for (i = 0; i < 8; i++)
		step(p, 2, 1);
	assert_int_equal(p[0].served, 8);
	party_close(&p[0]);
	party_close(&p[1]);
}

/* ---- two services on one device, each with its executor ---- */

struct shop {
	struct raw_service service;
	struct raw_executor executor;
	struct party party;
};

static void shop_open(struct shop *s, const char *name, const char *cgroup, uint64_t cost_ns)
{
	struct aif_service_desc desc = desc_on(name, "one-device");

	assert_int_equal(raw_service_create(&s->service, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(raw_executor_open(&s->executor, &s->service, 4), 0);
	party_open(&s->party, cgroup, &s->service, cost_ns);
	assert_int_equal(raw_take(&s->executor, AIF_FETCH_F_NONBLOCK, 4, taken), 0);
}

static void shop_close(struct shop *s)
{
	raw_cancel(&s->party.client, AIF_TAG_ALL, 0);
	party_close(&s->party);
	raw_executor_close(&s->executor);
	raw_service_close(&s->service);
}

/* Give back @commits and wait for one more, in the ring. */
static void shop_ask(struct io_uring *ring, struct shop *shops, int i, uint32_t commits)
{
	struct aif_cmd_commit_fetch fetch = { .commit_count = commits, .credit = 1 };

	assert_non_null(raw_ring_prep(ring, shops[i].executor.fd, AIF_CMD_COMMIT_FETCH, &fetch,
				      (uint64_t)i));
	assert_true(io_uring_submit(ring) >= 0);
}

/* The shop whose executor got the device, after it has used it. */
static int shop_next(struct io_uring *ring, struct shop *shops)
{
	struct io_uring_cqe *cqe;
	struct shop *s;
	int i;

	assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
	i = (int)cqe->user_data;
	s = &shops[i];
	assert_int_equal(cqe->res, 1);
	io_uring_cqe_seen(ring, cqe);
	assert_int_equal(raw_deliveries(&s->executor, 1, taken), 1);
	pass(s->party.cost_ns);
	s->party.got_ns += s->party.cost_ns;
	s->party.served++;
	s->executor.commit[0] = (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = taken[0].slot,
		.generation = taken[0].generation, .device_ns = s->party.cost_ns,
	};
	return i;
}

/* Let both executors wait, again and again. */
static void shops_run(struct shop *shops, int steps, bool refill)
{
	struct io_uring ring;
	int i;

	assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
	shop_ask(&ring, shops, 0, 0);
	shop_ask(&ring, shops, 1, 0);
	while (steps--) {
		i = shop_next(&ring, shops);
		if (refill)
			submit(&shops[i].party, 1);
		shop_ask(&ring, shops, i, 1);
	}
	/* Whoever has the token has one request still; the other shall get none. */
	i = shop_next(&ring, shops);
	raw_cancel(&shops[0].party.client, AIF_TAG_ALL, 0);
	raw_cancel(&shops[1].party.client, AIF_TAG_ALL, 0);
	assert_int_equal(raw_turn(&shops[i].executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0), 0);
	io_uring_queue_exit(&ring);
}

/* A device is shared by time, not by turns, whichever process executes. */
static void test_two_services_share_a_device(void **state)
{
	struct shop s[2];
	uint64_t sum;

	tap_needs_ring_door();
	shop_open(&s[0], "dear", "tenant-a", 900 * US);
	shop_open(&s[1], "cheap", "tenant-b", 300 * US);
	submit(&s[0].party, QUEUED);
	submit(&s[1].party, QUEUED);
	shops_run(s, 200, true);
	sum = s[0].party.got_ns + s[1].party.got_ns;
	print_message("# %u steps of 900 us, %u of 300 us\n", s[0].party.served,
		      s[1].party.served);
	assert_true(difference(s[0].party.got_ns, s[1].party.got_ns) <= sum / 10);
	shop_close(&s[0]);
	shop_close(&s[1]);
}

/* The idle class of one service waits for the normal one of the other. */
static void test_class_before_service(void **state)
{
	struct shop s[2];

	tap_needs_ring_door();
	shop_open(&s[0], "idle", "tenant-a", 100 * US);
	shop_open(&s[1], "normal", "tenant-b", 100 * US);
	s[0].party.class = AIF_CLASS_IDLE;
	submit(&s[1].party, QUEUED);
	submit(&s[0].party, QUEUED);
	shops_run(s, QUEUED / 2, false);
	print_message("# %u idle, %u normal\n", s[0].party.served, s[1].party.served);
	/* The first may have asked when nobody else did. */
	assert_in_range(s[0].party.served, 0, 1);
	shop_close(&s[0]);
	shop_close(&s[1]);
}

/*
 * Who always holds something, and asks for more in time, must leave the device to who
 * asks for it now and then and does not wait.
 */
static void test_asking_without_waiting(void **state)
{
	struct shop greedy, modest;
	struct raw_taken t[2];
	int rounds = 0, n;

	shop_open(&greedy, "greedy", "tenant-a", 100 * US);
	shop_open(&modest, "modest", "tenant-b", 100 * US);
	submit(&greedy.party, 1);
	assert_int_equal(raw_take(&greedy.executor, AIF_FETCH_F_NONBLOCK, 1, &t[0]), 1);
	submit(&modest.party, 1);
	do {
		assert_int_equal(raw_take(&modest.executor, AIF_FETCH_F_NONBLOCK, 1, taken), -EBUSY);
		submit(&greedy.party, 1);
		pass(greedy.party.cost_ns);
		n = raw_take(&greedy.executor, AIF_FETCH_F_NONBLOCK, 1, &t[1]);
		assert_int_equal(raw_give(&greedy.executor, t[0], 0, 0, greedy.party.cost_ns), 0);
		t[0] = t[1];
	} while (n == 1 && ++rounds < 1000);
	print_message("# its turn after %d of the other's\n", rounds);
	assert_int_equal(n, -EBUSY);
	assert_int_equal(raw_take(&modest.executor, AIF_FETCH_F_NONBLOCK, 1, t), 1);
	assert_int_equal(raw_give(&modest.executor, t[0], 0, 0, 0), 0);
	shop_close(&greedy);
	shop_close(&modest);
}

/* ---- tokens ---- */

/* A device has as many as its most demanding service asked for, while it lives. */
static void test_tokens_follow_the_services(void **state)
{
	struct aif_service_desc desc = desc_on("demanding", "device");
	struct raw_executor ex[3];
	struct raw_service demanding;
	struct raw_taken t[3];
	struct party p;
	int i;

	desc.step_tokens = 3;
	party_open(&p, "tenant-a", &service, 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(raw_executor_open(&ex[i], &service, 1), 0);
		assert_int_equal(raw_take(&ex[i], AIF_FETCH_F_NONBLOCK, 1, &t[i]), 0);
	}
	submit(&p, 6);
	assert_int_equal(raw_take(&ex[0], AIF_FETCH_F_NONBLOCK, 1, &t[0]), 1);
	assert_int_equal(raw_take(&ex[1], AIF_FETCH_F_NONBLOCK, 1, &t[1]), -EBUSY);
	assert_int_equal(raw_service_create(&demanding, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(raw_take(&ex[1], AIF_FETCH_F_NONBLOCK, 1, &t[1]), 1);
	assert_int_equal(raw_take(&ex[2], AIF_FETCH_F_NONBLOCK, 1, &t[2]), 1);
	raw_service_close(&demanding);
	/* Two too many are out: they come back, and are not given out again. */
	assert_int_equal(raw_give(&ex[0], t[0], 0, 0, 0), 0);
	assert_int_equal(raw_take(&ex[0], AIF_FETCH_F_NONBLOCK, 1, &t[0]), -EBUSY);
	assert_int_equal(raw_give(&ex[1], t[1], 0, 0, 0), 0);
	assert_int_equal(raw_take(&ex[0], AIF_FETCH_F_NONBLOCK, 1, &t[0]), -EBUSY);
	assert_int_equal(raw_give(&ex[2], t[2], 0, 0, 0), 0);
	assert_int_equal(raw_take(&ex[0], AIF_FETCH_F_NONBLOCK, 1, &t[0]), 1);
	assert_int_equal(raw_take(&ex[1], AIF_FETCH_F_NONBLOCK, 1, &t[1]), -EBUSY);
	assert_int_equal(raw_give(&ex[0], t[0], 0, 0, 0), 0);
	raw_cancel(&p.client, AIF_TAG_ALL, 0);
	party_close(&p);
	for (i = 0; i < 3; i++)
		raw_executor_close(&ex[i]);
}

/*
 * A service that ends does not take the device's token with it: its executor gives it
 * back with its last request, also when it asks for more in the same call.
 */
static void test_token_of_a_service_that_ended(void **state)
{
	struct aif_service_desc desc = desc_on("ended", "device");
	struct raw_service ended;
	struct raw_executor ex;
	struct party p[2];
	struct raw_taken t;

	assert_int_equal(raw_service_create(&ended, &desc, RAW_EXECUTOR_UID), 0);
	assert_int_equal(raw_executor_open(&ex, &ended, 1), 0);
	party_open(&p[0], "tenant-a", &ended, 0);
	party_open(&p[1], "tenant-b", &service, 0);
	assert_int_equal(raw_take(&ex, AIF_FETCH_F_NONBLOCK, 1, &t), 0);
	assert_int_equal(raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken), 0);
	submit(&p[0], 1);
	submit(&p[1], 1);
	assert_int_equal(raw_take(&ex, AIF_FETCH_F_NONBLOCK, 1, &t), 1);
	raw_service_close(&ended);
	assert_int_equal(raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken), -EBUSY);
	ex.commit[0] = (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = t.slot, .generation = t.generation,
	};
	assert_int_equal(raw_turn(&ex, AIF_FETCH_F_NONBLOCK, 1, 1), -ENODEV);
	assert_int_equal(raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken), 1);
	assert_int_equal(raw_give(&executor, taken[0], 0, 0, 0), 0);
	party_close(&p[0]);
	party_close(&p[1]);
	raw_executor_close(&ex);
}

/*
 * What is late is not delivered, although its timer may not have run yet; and
 * an answer that is late is none.
 */
static void test_passed_deadline(void **state)
{
	struct party p;
	struct aif_desc d;
	int i, n;

	party_open(&p, "tenant-a", &service, 0);
	assert_int_equal(raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken), 0);
	for (i = 0; i < 64; i++) {
		d = (struct aif_desc){
			.tag = 1, .generation = ++p.client.generation, .service = p.handle,
			.sched_class = p.class, .range_count = 2, .deadline = raw_now() + 2000 * US,
			.ranges = { { p.grant, 0, 64 }, { p.grant, 64, 64 } },
		};
		n = raw_submit(&p.client, &d, 1, 0);
		if (n == -ETIME)
			continue;
		assert_int_equal(n, 1);
		if (i % 2)
			n = raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken);
		while (raw_now() <= d.deadline)
			;
		if (i % 2 && n == 1)
			raw_give(&executor, taken[0], 0, 0, 0);
		else
			assert_int_equal(raw_take(&executor, AIF_FETCH_F_NONBLOCK, 1, taken),
					 -EAGAIN);
		assert_int_equal(raw_wait_quiet(&p.client, d.tag, 10000000 * US), 0);
		assert_int_equal(p.client.done[d.tag].result, -ETIME);
	}
	party_close(&p);
}

#define SCHED_TEST(name)	cmocka_unit_test_setup_teardown(name, sched_setup, sched_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SCHED_TEST(test_fair_share),
		SCHED_TEST(test_fair_share_of_steps),
		SCHED_TEST(test_idleness_saves_nothing),
		SCHED_TEST(test_reopening_forgives_nothing),
		SCHED_TEST(test_class_before_share),
		SCHED_TEST(test_progress_is_charged),
		SCHED_TEST(test_passed_deadline),
		cmocka_unit_test(test_two_services_share_a_device),
		cmocka_unit_test(test_class_before_service),
		cmocka_unit_test(test_asking_without_waiting),
		SCHED_TEST(test_tokens_follow_the_services),
		SCHED_TEST(test_token_of_a_service_that_ended),
	};

	return tap_run("sched", tests, group_setup, group_teardown);
}
