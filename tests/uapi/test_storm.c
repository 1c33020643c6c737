// SPDX-License-Identifier: MIT
/*
 * Threads do anything to the same few files at once.  Each call may fail, in a
 * way the header allows; the kernel's log stays clean, what is answered is
 * answered once, and when the process has ended nothing is left.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

#define THREADS		4
#define ROUNDS		5000	/* of each thread, */
#define STORM_NS	10000000000ull	/* or what a slow kernel can in so long */
#define CLIENTS		2
#define EXECUTORS	2
#define DEPTH		64
#define RECENT		8	/* handles that are tried, of each kind */
#define PAGE		4096u

static struct raw_service service;
static struct raw_client clients[CLIENTS];
static struct raw_executor executors[EXECUTORS];
static pthread_mutex_t delivery_locks[EXECUTORS] = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
};
static uint32_t handles[CLIENTS];	/* of the service */
static uint32_t buffers[CLIENTS][RECENT], grants[CLIENTS][RECENT], views[RECENT];
static int eventfds[CLIENTS];

struct storm {
	pthread_t thread;
	uint32_t random;
	unsigned long good, refused;
};

static uint32_t pick(struct storm *s, uint32_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 17;
	s->random ^= s->random << 5;
	return s->random % n;
}

static struct raw_client *any_client(struct storm *s)
{
	return &clients[pick(s, CLIENTS)];
}

static struct raw_executor *any_executor(struct storm *s)
{
	return &executors[pick(s, EXECUTORS)];
}

/* Handles of late, of which some are gone again. */
static uint32_t any_of(struct storm *s, const uint32_t *recent)
{
	uint32_t handle = __atomic_load_n(&recent[pick(s, RECENT)], __ATOMIC_RELAXED);

	return handle ? handle : 1;
}

static void keep(struct storm *s, uint32_t *recent, uint32_t handle)
{
	__atomic_store_n(&recent[pick(s, RECENT)], handle, __ATOMIC_RELAXED);
}

/* ---- what a thread may do ---- */

static int do_alloc(struct storm *s)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = PAGE * (1 + pick(s, 16)) };
	uint32_t i = pick(s, CLIENTS);
	int err = raw_call(clients[i].fd, AIF_IOC_BUFFER_ALLOC, &arg);

	if (!err)
		keep(s, buffers[i], arg.out_handle);
	return err;
}

static int do_free(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS);

	return raw_buffer_free(&clients[i], &(struct raw_buffer){
				.handle = any_of(s, buffers[i]) });
}

static int do_grant(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS), grant;
	int err = raw_grant(&clients[i], any_of(s, buffers[i]), handles[i], pick(s, 4) ? 1 : 0,
			    &grant);

	if (!err)
		keep(s, grants[i], grant);
	return err;
}

static int do_revoke(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS);

	return raw_revoke(&clients[i], any_of(s, grants[i]));
}

static int do_submit(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS), n = 1 + pick(s, 4), first = pick(s, DEPTH), k;
	struct aif_ioc_submit arg = { .size = sizeof(arg), .first = first, .count = n };
	uint32_t grant = any_of(s, grants[i]);

	for (k = 0; k < n; k++)
		clients[i].desc[(first + k) % DEPTH] = (struct aif_desc){
			.deadline = pick(s, 8) ? 0 : raw_now() + pick(s, 1000000),
			.tag = pick(s, DEPTH), .generation = s->random,
			.service = handles[i], .sched_class = (uint8_t)(1 + pick(s, 2)),
			.range_count = 2,
			.ranges = { { grant, 0, 64 }, { any_of(s, grants[i]), 64, 64 } },
		};
	return raw_call(clients[i].fd, AIF_IOC_SUBMIT, &arg);
}

static int do_cancel(struct storm *s)
{
	struct raw_client *c = any_client(s);
	uint32_t tag = pick(s, DEPTH);

	return pick(s, 16) ? raw_cancel(c, tag, c->done[tag].generation) :
			     raw_cancel(c, AIF_TAG_ALL, 0);
}

static int do_wait(struct storm *s)
{
	struct raw_client *c = any_client(s);

	switch (pick(s, 3)) {
	case 0:
		return raw_wait(c, c->status->answered + pick(s, 2), pick(s, 2) * 1000);
	case 1:
		return raw_wait_produced(c, pick(s, DEPTH), 0, pick(s, 2) * 1000);
	default:
		return raw_wait_quiet(c, pick(s, DEPTH), pick(s, 2) * 1000);
	}
}

static int do_eventfd(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS);
	struct aif_ioc_set_eventfd arg = { .size = sizeof(arg), .fd = pick(s, 2) ? eventfds[i] : -1 };

	return raw_call(clients[i].fd, AIF_IOC_SET_EVENTFD, &arg);
}

static int do_describe(struct storm *s)
{
	struct aif_ioc_service_describe d;

	return raw_service_describe(any_client(s)->fd, service.id, &d);
}

/* Map something, look at a page of it, unmap it. */
static int map_and_touch(int fd, uint32_t handle, int prot)
{
	volatile uint8_t *at = mmap(NULL, PAGE, prot, MAP_SHARED, fd, (off_t)handle << 32);
	int err = errno;

	if (at == MAP_FAILED)
		return -err;
	if (prot & PROT_WRITE)
		at[0] = 1;
	else
		(void)at[0];
	munmap((void *)at, PAGE);
	return 0;
}

static int do_map(struct storm *s)
{
	uint32_t i = pick(s, CLIENTS);

	return map_and_touch(clients[i].fd, any_of(s, buffers[i]), PROT_READ | PROT_WRITE);
}

static int do_map_view(struct storm *s)
{
	return map_and_touch(any_executor(s)->fd, any_of(s, views),
			     PROT_READ | (pick(s, 2) ? PROT_WRITE : 0));
}

static int fetch(struct raw_executor *ex, uint32_t flags, uint32_t commits, uint32_t first,
		 uint32_t credit)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = flags, .commit_first = first,
		.commit_count = commits, .credit = credit,
	};
	int err = raw_call(ex->fd, AIF_IOC_COMMIT_FETCH, &arg);

	return err ? err : (int)arg.out_count;
}

/* Acknowledge what was revoked, and give back half of what came. */
static int give_back(struct storm *s, struct raw_executor *ex, uint32_t n)
{
	uint32_t first = 16, commits = 0, i;
	struct aif_delivery d;

	for (i = 0; i < n; i++) {
		d = ex->delivery[i];
		if (d.type == AIF_EVENT_GRANT_ADDED)
			keep(s, views, d.index);
		if (d.type != AIF_EVENT_GRANT_REVOKED &&
		    (d.type != AIF_DELIVERY_REQUEST || pick(s, 2)))
			continue;
		ex->commit[first + commits++] = (struct aif_commit){
			.type = d.type == AIF_DELIVERY_REQUEST ? AIF_COMMIT_RESULT :
								 AIF_COMMIT_GRANT_ACK,
			.index = d.index, .generation = d.generation,
		};
	}
	return fetch(ex, AIF_FETCH_F_COMMIT_ONLY, commits, first, 0);
}

/* The delivery array is one thread's at a time, or acknowledgements get lost. */
static int do_fetch(struct storm *s)
{
	uint32_t i = pick(s, EXECUTORS);
	int n;

	pthread_mutex_lock(&delivery_locks[i]);
	n = fetch(&executors[i], AIF_FETCH_F_NONBLOCK, 0, 0, pick(s, 9));
	if (n > 0)
		n = give_back(s, &executors[i], (uint32_t)n);
	pthread_mutex_unlock(&delivery_locks[i]);
	return n;
}

/* What stands in the slot array, or something else; others commit too. */
static int do_commit(struct storm *s)
{
	uint32_t first = pick(s, 8), n = 1 + pick(s, 4), k;
	struct raw_executor *ex = any_executor(s);

	for (k = first; k < first + n; k++)
		ex->commit[k] = (struct aif_commit){
			.type = pick(s, 4) ? AIF_COMMIT_RESULT : AIF_COMMIT_GRANT_ACK,
			.index = pick(s, 8), .generation = ex->slot[pick(s, 8)].generation,
			.produced = pick(s, 65), .device_ns = pick(s, 1000),
		};
	return fetch(ex, AIF_FETCH_F_COMMIT_ONLY, n, first, 0);
}

static int do_progress(struct storm *s)
{
	struct raw_executor *ex = any_executor(s);
	uint32_t slot = pick(s, 8);

	return raw_progress(ex, (struct raw_taken){ slot, ex->slot[slot].generation },
			    pick(s, 65), pick(s, 1000));
}

static int do_declare(struct storm *s)
{
	struct aif_ioc_declare_pins arg = { .size = sizeof(arg), .pins = pick(s, 3) };
	uint32_t i = pick(s, CLIENTS);
	bool client = pick(s, 2);

	arg.handle = any_of(s, client ? buffers[i] : views);
	return raw_call(client ? clients[i].fd : any_executor(s)->fd, AIF_IOC_DECLARE_PINS,
			&arg);
}

/* A client that comes, asks and goes, with what it asked for in flight. */
static int do_visit(struct storm *s)
{
	struct raw_client c;
	struct aif_desc d;
	struct raw_buffer b = { 0 };
	uint32_t grant = 0;
	int handle, err;

	err = raw_client_open(&c, 16);
	if (err)
		return err;
	handle = raw_service_open(&c, service.name, service.owner);
	err = raw_buffer_alloc(&c, PAGE, &b);
	if (!err)
		err = raw_grant(&c, b.handle, (uint32_t)handle, AIF_GRANT_F_WRITE, &grant);
	d = (struct aif_desc){
		.tag = 1, .generation = 1, .service = (uint32_t)handle,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = { { grant, 0, 64 }, { grant, 64, 64 } },
	};
	if (!err)
		err = raw_submit(&c, &d, 1, 0);
	if (b.base)
		munmap(b.base, b.length);
	raw_client_close(&c);
	return err;
}

/* An executor that comes and goes, with nothing fetched (that would be kept). */
static int do_attend(struct storm *s)
{
	struct raw_executor ex;
	int err = raw_executor_open(&ex, &service, 4);

	if (!err)
		fetch(&ex, AIF_FETCH_F_NONBLOCK, 0, 0, 0);
	raw_executor_close(&ex);
	return err;
}

static int (*const deeds[])(struct storm *s) = {
	do_alloc, do_free, do_grant, do_grant, do_revoke, do_submit, do_submit, do_submit,
	do_submit, do_cancel, do_wait, do_eventfd, do_describe, do_map, do_map_view, do_map_view,
	do_fetch, do_fetch, do_fetch, do_commit, do_commit, do_commit, do_progress, do_declare,
	do_visit, do_attend,
};

/* What the header allows for such calls. */
static bool allowed(int err)
{
	static const int errors[] = {
		EINVAL, EBUSY, ENOENT, EACCES, EKEYREVOKED, ETIME, EAGAIN, ESTALE, EALREADY,
		EDQUOT, ENOSPC,
	};
	size_t i;

	for (i = 0; i < COUNT(errors); i++)
		if (err == -errors[i])
			return true;
	return err >= 0;
}

static void *storm(void *p)
{
	struct storm *s = p;
	uint64_t end = raw_now() + STORM_NS;
	uint32_t deed;
	int i, ret;

	for (i = 0; i < ROUNDS && raw_now() < end; i++) {
		deed = pick(s, COUNT(deeds));
		ret = deeds[deed](s);
		if (!allowed(ret))
			return (void *)(intptr_t)(1000 * (int)(deed + 1) - ret);
		s->good += ret >= 0;
		s->refused += ret < 0;
	}
	return NULL;
}

static void prepare(void)
{
	uint32_t i;

	for (i = 0; i < EXECUTORS; i++)
		RAW_CHECK(raw_executor_open(&executors[i], &service, 8) == 0);
	for (i = 0; i < CLIENTS; i++) {
		RAW_CHECK(raw_client_open(&clients[i], DEPTH) == 0);
		handles[i] = (uint32_t)raw_service_open(&clients[i], service.name, service.owner);
		eventfds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
}

/* All that is not in an executor's hands is answered, and counted once. */
static void settle(void)
{
	struct aif_ioc_service_describe d;
	uint64_t submitted = 0, answered = 0;
	uint32_t i;

	for (i = 0; i < CLIENTS; i++) {
		RAW_CHECK(raw_cancel(&clients[i], AIF_TAG_ALL, 0) == 0);
		submitted += clients[i].status->submitted;
		answered += clients[i].status->answered;
	}
	RAW_CHECK(submitted > 0 && submitted == answered);
	RAW_CHECK(raw_service_describe(clients[0].fd, service.id, &d) == 0);
	RAW_CHECK(d.out_queued == 0);
}

static int one_storm(void *p)
{
	struct storm storms[THREADS];
	unsigned long good = 0, refused = 0;
	void *wrong;
	int i;

	prepare();
	for (i = 0; i < THREADS; i++) {
		storms[i] = (struct storm){ .random = *(uint32_t *)p * THREADS + (uint32_t)i + 1 };
		RAW_CHECK(!pthread_create(&storms[i].thread, NULL, storm, &storms[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(storms[i].thread, &wrong);
		if (wrong)
			fprintf(stderr, "# deed and error %ld\n", (long)(intptr_t)wrong);
		RAW_CHECK(!wrong);
		good += storms[i].good;
		refused += storms[i].refused;
	}
	settle();
	printf("# %lu calls went well, %lu were refused\n", good, refused);
	RAW_CHECK(good > (good + refused) / 10 && refused > (good + refused) / 10);
	return 0;
}

static void test_storm(void **state)
{
	struct aif_service_desc desc = raw_service_desc("storm");
	uint32_t seed;

	assert_int_equal(raw_service_create(&service, &desc, RAW_EXECUTOR_UID), 0);
	for (seed = 1; seed <= 3; seed++) {
		assert_int_equal(raw_run_as(RAW_EXECUTOR_UID, one_storm, &seed), 0);
		assert_int_equal(raw_alive_becomes("executors", 0), 0);
		assert_int_equal(raw_alive_becomes("clients", 0), 0);
		assert_int_equal(raw_alive_becomes("grants", 0), 0);
		assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	}
	raw_service_close(&service);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm),
	};

	return tap_run("storm", tests, NULL, NULL);
}
