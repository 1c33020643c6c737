// SPDX-License-Identifier: MIT
/*
 * What is checked is what is used: a thread changes shared memory while the
 * kernel reads it, and the other side never sees what would have been refused.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tap.h"

#define NOBODY		0x12345
#define ENOUGH		2000	/* accepted and refused, each */
#define ROUNDS_MAX	400000
#define REFUSALS	20000

static struct raw_rig rig;
static uint32_t read_only;	/* a grant that is no output's */
static struct raw_taken taken[1024];

static int rig_setup(void **state)
{
	int err = raw_rig_open(&rig, NULL);

	if (!err)
		err = raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &read_only);
	return err ? err : raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 16, taken);
}

static int rig_teardown(void **state)
{
	raw_rig_close(&rig);
	return 0;
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A place in shared memory, what is right there, and what is wrong. */
struct flip {
	void *at;
	uint32_t size;
	uint32_t right;
	uint32_t wrong[5];
};

struct flipper {
	const struct flip *flips;
	size_t count;
	bool stop;
	unsigned long rounds;
	pthread_t thread;
};

static void put(const struct flip *f, uint32_t value)
{
	if (f->size == 1)
		__atomic_store_n((uint8_t *)f->at, (uint8_t)value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint32_t *)f->at, value, __ATOMIC_RELAXED);
}

/* One wrong thing at a time, for a moment that varies. */
static void *flip_loop(void *p)
{
	struct flipper *fl = p;
	uint32_t random = 1, wait;
	const struct flip *f;

	while (!__atomic_load_n(&fl->stop, __ATOMIC_RELAXED)) {
		f = &fl->flips[next_random(&random) % fl->count];
		put(f, f->wrong[next_random(&random) % 5]);
		for (wait = next_random(&random) % 256; wait; wait--)
			__asm__ volatile("" ::: "memory");
		put(f, f->right);
		for (wait = next_random(&random) % 256; wait; wait--)
			__asm__ volatile("" ::: "memory");
		fl->rounds++;
	}
	return NULL;
}

static void flipper_start(struct flipper *fl, const struct flip *flips, size_t count)
{
	*fl = (struct flipper){ .flips = flips, .count = count };
	assert_int_equal(pthread_create(&fl->thread, NULL, flip_loop, fl), 0);
}

static void flipper_stop(struct flipper *fl)
{
	__atomic_store_n(&fl->stop, true, __ATOMIC_RELAXED);
	pthread_join(fl->thread, NULL);
}

/* ---- descriptors ---- */

static void check_range(const struct aif_range *r, bool output)
{
	struct raw_view *v = r->grant ? raw_view_find(&rig.executor, r->grant) : NULL;

	assert_non_null(v);
	assert_true(!output || v->flags & AIF_DELIVERY_F_WRITE);
	assert_int_equal(r->offset % 64, 0);
	assert_true((uint64_t)r->offset + r->length <= v->length);
}

static void check_slot(const struct aif_slot *s)
{
	static const uint8_t zero[AIF_INLINE_MAX];

	assert_in_range(s->tag, 0, rig.client.depth - 1);
	assert_in_range(s->sched_class, AIF_CLASS_NORMAL, AIF_CLASS_IDLE);
	assert_in_range(s->flags, 0, AIF_REQ_F_RESTART);
	assert_in_range(s->inline_length, 0, AIF_INLINE_MAX);
	assert_int_equal(s->range_count, s->inline_length ? 1 : 2);
	if (s->inline_length) {
		check_range(&s->range, true);
		assert_memory_equal(s->input + s->inline_length, zero,
				    AIF_INLINE_MAX - s->inline_length);
	} else {
		check_range(&s->ranges[0], false);
		check_range(&s->ranges[1], true);
		assert_memory_equal(&s->ranges[2], zero, sizeof(s->ranges[2]));
	}
}

/* Fetch all there is, look at each, give it back. */
static void serve(void)
{
	int i, n;

	while ((n = raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 16, taken)) > 0) {
		for (i = 0; i < n; i++) {
			check_slot(&rig.executor.slot[taken[i].slot]);
			assert_int_equal(raw_give(&rig.executor, taken[i], 0, 0, 0), 0);
		}
	}
}

static void submit_while_flipping(int (*submit)(void *arg), void *arg)
{
	struct aif_desc *d = rig.client.desc;
	const struct flip flips[] = {
		{ &d->tag, 4, 3, { 64, 65, 1 << 20, ~0u, 4 } },
		{ &d->service, 4, rig.handle, { 0, NOBODY, ~0u, rig.handle + 1, 0 } },
		{ &d->in_fence, 4, 0, { 1, ~0u, 2, 3, 4 } },
		{ &d->sched_class, 1, AIF_CLASS_NORMAL, { 0, 3, 4, 255, AIF_CLASS_IDLE } },
		{ &d->flags, 1, 0, { 2, 4, 128, 255, AIF_REQ_F_RESTART } },
		{ &d->range_count, 1, 2, { 0, 1, 3, 4, 255 } },
		{ &d->inline_length, 1, 0, { 1, 24, 25, 128, 255 } },
		{ &d->ranges[0].grant, 4, rig.grant, { 0, NOBODY, ~0u, read_only, 0 } },
		{ &d->ranges[0].offset, 4, 64, { 1, RAW_RIG_BYTES, ~63u, ~0u, 1u << 31 } },
		{ &d->ranges[0].length, 4, 64, { RAW_RIG_BYTES, 1 << 20, ~0u, ~63u, 0 } },
		{ &d->ranges[1].grant, 4, rig.grant, { 0, NOBODY, ~0u, read_only, read_only } },
		{ &d->ranges[1].offset, 4, 128, { 1, RAW_RIG_BYTES, ~63u, ~0u, 1u << 31 } },
		{ &d->ranges[1].length, 4, 64, { RAW_RIG_BYTES, 1 << 20, ~0u, ~63u, 0 } },
		{ &d->ranges[2].grant, 4, 0, { 1, NOBODY, ~0u, read_only, rig.grant } },
	};
	unsigned long accepted = 0, refused = 0;
	struct flipper fl;
	int round, ret;

	*d = raw_rig_desc(&rig, 3);
	flipper_start(&fl, flips, COUNT(flips));
	for (round = 0; round < ROUNDS_MAX && (accepted < ENOUGH || refused < ENOUGH); round++) {
		d->generation = ++rig.client.generation;
		ret = submit(arg);
		assert_true(ret == 1 || ret < 0);
		accepted += ret == 1;
		refused += ret < 0;
		serve();
	}
	flipper_stop(&fl);
	print_message("# %lu accepted, %lu refused, %lu flips\n", accepted, refused, fl.rounds);
	assert_true(accepted >= ENOUGH);
	assert_true(refused >= ENOUGH);
	/* Each one accepted was answered, once. */
	assert_int_equal(rig.client.status->submitted, accepted);
	assert_int_equal(rig.client.status->answered, accepted);
}

static int submit_by_ioctl(void *arg)
{
	struct aif_ioc_submit submit = { .size = sizeof(submit), .count = 1 };
	int err = raw_call(rig.client.fd, AIF_IOC_SUBMIT, &submit);

	return err ? err : (int)submit.out_accepted;
}

static void test_descriptors_ioctl(void **state)
{
	submit_while_flipping(submit_by_ioctl, NULL);
}

static int submit_by_ring(void *arg)
{
	static const struct aif_cmd_submit submit = { .count = 1 };

	return raw_ring_call(arg, rig.client.fd, AIF_CMD_SUBMIT, &submit);
}

static void test_descriptors_ring(void **state)
{
	struct io_uring ring;

	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	submit_while_flipping(submit_by_ring, &ring);
	io_uring_queue_exit(&ring);
}

/* ---- the argument itself ---- */

/* The size is read once; what it says later is nobody's business. */
static void test_size_of_an_argument(void **state)
{
	struct {
		struct aif_ioc_info info;
		uint8_t after[4096 - sizeof(struct aif_ioc_info)];
		uint8_t beyond[64];
	} arg;
	const struct flip flips[] = {
		{ &arg.info.size, 4, sizeof(arg.info), { 0, 4096, ~0u, 4096 + 64, 8 } },
	};
	unsigned long good = 0, bad = 0;
	struct flipper fl;
	int round, err;
	size_t i;

	memset(&arg, 0, sizeof(arg));
	memset(arg.beyond, 0xa5, sizeof(arg.beyond));
	flipper_start(&fl, flips, COUNT(flips));
	for (round = 0; round < ROUNDS_MAX && (good < ENOUGH || bad < ENOUGH); round++) {
		err = raw_call(rig.client.fd, AIF_IOC_INFO, &arg);
		assert_true(!err || err == -EINVAL || err == -E2BIG);
		good += !err;
		bad += !!err;
	}
	flipper_stop(&fl);
	print_message("# %lu good, %lu bad, %lu flips\n", good, bad, fl.rounds);
	assert_true(good >= ENOUGH && bad >= ENOUGH);
	for (i = 0; i < sizeof(arg.after); i++)
		assert_int_equal(arg.after[i], 0);
	for (i = 0; i < sizeof(arg.beyond); i++)
		assert_int_equal(arg.beyond[i], 0xa5);
}

/* ---- commits ---- */

/* The executor's commits change while they are read: whatever it meant, each
 * request is answered once, and with something that stood there. */
static void test_commits(void **state)
{
	struct aif_commit *c = rig.executor.commit;
	const struct flip flips[] = {
		{ &c->type, 4, AIF_COMMIT_RESULT, { AIF_COMMIT_GRANT_ACK, 2, ~0u, 1, 3 } },
		{ &c->index, 4, 0, { 1, 16, 17, 1 << 30, ~0u } },
		{ &c->result, 4, 7, { 8, 9, 10, 11, 12 } },
		{ &c->__reserved, 4, 0, { 1, 2, 3, 4, 5 } },
	};
	unsigned long stale = 0, good = 0;
	struct raw_client *client = &rig.client;
	struct aif_desc d;
	struct flipper fl;
	int round, ret;

	c->result = 7;
	flipper_start(&fl, flips, COUNT(flips));
	for (round = 0; round < ROUNDS_MAX && (good < ENOUGH || stale < ENOUGH); round++) {
		if (client->status->answered == client->status->submitted) {
			d = raw_rig_desc(&rig, 0);
			assert_int_equal(raw_submit(client, &d, 1, 0), 1);
			assert_int_equal(raw_take(&rig.executor, AIF_FETCH_F_NONBLOCK, 1, taken), 1);
			c->generation = taken[0].generation;
		}
		ret = raw_turn(&rig.executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0);
		assert_int_equal(ret, 0);
		stale += rig.executor.stale;
		good += !rig.executor.stale;
		assert_int_equal(client->status->answered, good);
		if (!rig.executor.stale)
			assert_in_range(client->done[0].result, 7, 12);
	}
	flipper_stop(&fl);
	print_message("# %lu committed, %lu stale, %lu flips\n", good, stale, fl.rounds);
	assert_true(good >= ENOUGH && stale >= ENOUGH);
	raw_turn(&rig.executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0);
}

/* ---- a tag ---- */

struct race {
	unsigned long rounds;
	bool over;
};

/* No descriptor of it is taken. */
static void *refused_loop(void *p)
{
	struct race *race = p;
	struct aif_desc d = raw_rig_desc(&rig, 0);

	d.ranges[1].grant = read_only;
	while (race->rounds < REFUSALS) {
		d.generation = ++rig.client.generation;
		if (raw_submit(&rig.client, &d, 1, 0) != -EACCES)
			break;
		__atomic_fetch_add(&race->rounds, 1, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&race->over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* A SUBMIT has a tag before it is refused: who waits for the tag must not see it. */
static void test_tag_of_a_refused_submit(void **state)
{
	unsigned long looks = 0, busy = 0;
	struct race race = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, refused_loop, &race), 0);
	for (; !__atomic_load_n(&race.over, __ATOMIC_ACQUIRE); looks++)
		busy += raw_wait_quiet(&rig.client, 0, 0) != 0;
	pthread_join(thread, NULL);
	print_message("# %lu refused, %lu looks\n", race.rounds, looks);
	assert_int_equal(race.rounds, REFUSALS);
	assert_int_equal(busy, 0);
}

#define RIG_TEST(name)	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RIG_TEST(test_descriptors_ioctl),
		RIG_TEST(test_descriptors_ring),
		RIG_TEST(test_size_of_an_argument),
		RIG_TEST(test_commits),
		RIG_TEST(test_tag_of_a_refused_submit),
	};

	return tap_run("toctou", tests, NULL, NULL);
}
