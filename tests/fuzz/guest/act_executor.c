// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "act.h"
#include "settle.h"

/* ---- services ---- */

struct w_service *service_named(const char *name, uid_t owner)
{
	struct w_service *s;

	for EACH(s, service)
		if (!s->gone && s->owner == owner && !strcmp(s->desc.name, name))
			return s;
	return NULL;
}

static int predict_create(const struct w_fd *fd, const struct aif_service_desc *desc)
{
	if (fd->file->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (service_named(desc->name, fd->file->uid))
		return -EEXIST;
	return services_listed() >= w.limits.max_services ? -ENOSPC : 0;
}

/* Nothing ends by time, where every step is foreseen. */
static struct aif_service_desc some_service(uint32_t number)
{
	struct aif_service_desc d = raw_service_desc("");

	snprintf(d.name, sizeof(d.name), "s%u", number);
	strcpy(d.device, number % 2 ? "one" : "many");
	d.step_tokens = number % 2 ? 1 : 64;
	d.max_attempts = 1 + pick(3);
	d.longest_step_ms = FOREVER_MS;
	d.progress_ms = FOREVER_MS;
	d.recovery_ms = FOREVER_MS;
	d.io[0].max_bytes = 2 * PAGE;
	d.io[1].max_bytes = 2 * PAGE;
	return d;
}

bool create_service(struct w_fd *fd, uint32_t number)
{
	struct aif_ioc_service_create arg = { .desc = some_service(number) };
	struct w_service *s;

	say_fd(fd, "creates a service on");
	say(" %s", arg.desc.name);
	if (!call(fd, AIF_IOC_SERVICE_CREATE, &arg, predict_create(fd, &arg.desc)))
		return true;
	s = &w.services[w.service_count++];
	*s = (struct w_service){
		.file = fd->file, .id = arg.out_id, .owner = fd->file->uid, .desc = arg.desc,
	};
	fd->file->service = s;
	fd->file->role = AIF_ROLE_HOLDER;
	return true;
}

static bool op_create(void)
{
	struct w_fd *fd = pick_fd(one_in(8) ? SERVES | HOLDERS : SERVES);

	return fd && create_service(fd, pick(5));
}

static bool fetch_waits_on(const struct w_service *s)
{
	const struct w_executor *ex;

	for EACH(ex, executor)
		if (ex->service == s && ex->fetch)
			return true;
	return false;
}

static bool can_drain(const struct w_fd *fd)
{
	return idle(fd->actor) && fd->file->service && !fd->file->service->draining &&
	       fetch_waits_on(fd->file->service);
}

static bool is_busy(const struct w_service *s)
{
	return service_queued(s) || service_fetched(s);
}

/* Seldom where nobody waits to be told; rather where there is something to end first. */
static bool op_drain(void)
{
	struct aif_ioc_service_drain arg = { 0 };
	struct w_fd *fd = PICK(fd, fd, can_drain(fd) && is_busy(fd->file->service));

	if (!fd && one_in(2))
		fd = PICK(fd, fd, can_drain(fd));
	if (!fd && one_in(8))
		fd = pick_fd(HOLDERS);
	if (!fd)
		return false;
	say_fd(fd, "drains");
	if (call(fd, AIF_IOC_SERVICE_DRAIN, &arg, 0))
		service_drain(fd->file->service);
	return true;
}

static bool op_list(void)
{
	struct aif_ioc_service_list arg = { .capacity = 0 };
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && may_call(fd));

	if (!fd)
		return false;
	say_fd(fd, "lists by");
	if (call(fd, AIF_IOC_SERVICE_LIST, &arg, 0) && arg.out_count != services_listed())
		fail("%u services, expected %u", arg.out_count, services_listed());
	return true;
}

static void check_described(struct w_service *s, const struct aif_ioc_service_describe *d)
{
	if (d->out_recovered > s->recovered && d->out_recovered <= s->recovered + s->doubt)
		s->recovered = d->out_recovered;
	s->doubt = 0;
	if (d->out_owner != s->owner || d->out_executors != service_executors(s) ||
	    d->out_queued != service_queued(s) || d->out_fetched != service_fetched(s) ||
	    d->out_draining != s->draining || d->out_grants != service_grants(s) ||
	    d->out_granted_bytes != service_bytes(s) || d->out_answered != s->answered ||
	    d->out_recovered != s->recovered)
		fail("owner %u executors %u queued %u fetched %u draining %u grants %u bytes %llu "
		     "answered %llu recovered %llu, expected %u %u %u %u %u %u %llu %llu %llu",
		     d->out_owner, d->out_executors, d->out_queued, d->out_fetched,
		     d->out_draining, d->out_grants, d->out_granted_bytes, d->out_answered,
		     d->out_recovered, s->owner, service_executors(s), service_queued(s),
		     service_fetched(s), s->draining, service_grants(s),
		     (unsigned long long)service_bytes(s), (unsigned long long)s->answered,
		     (unsigned long long)s->recovered);
	if (d->out_device_ns < s->device_ns ||
	    d->out_device_ns > MAX_EXECUTORS * MAX_SLOTS * raw_now())	/* all at once, always */
		fail("device time was %llu ns, is %llu", (unsigned long long)s->device_ns,
		     (unsigned long long)d->out_device_ns);
	s->device_ns = d->out_device_ns;
	if (memcmp(&d->out_desc, &s->desc, sizeof(s->desc)))
		fail("another description than the creator's");
}

static bool op_describe(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && may_call(fd));
	struct w_service *s = PICK(s, service, true);
	struct aif_ioc_service_describe arg = { .id = s ? s->id : pick(8) };

	if (!fd || !s)
		return false;
	say_fd(fd, "describes by");
	say(" service %td", s - w.services);
	if (!call(fd, AIF_IOC_SERVICE_DESCRIBE, &arg, s->gone ? -ENOENT : 0))
		return true;
	/* An ioctl that waits in FETCH begins at its leisure, and may have done so just now. */
	if (arg.out_fetched != service_fetched(s) && fetch_waits_on(s)) {
		settle();
		call(fd, AIF_IOC_SERVICE_DESCRIBE, &arg, 0);
	}
	check_described(s, &arg);
	return true;
}

/* ---- executors ---- */

static int predict_attach(const struct w_fd *fd, const struct w_service *s,
			  const struct w_fd *holder, int holder_fd)
{
	if (fd->file->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (!s || s->gone)
		return -ENOENT;
	if (holder_fd < 0)
		return !fd->file->uid || fd->file->uid == s->owner ? 0 : -EACCES;
	if (!holder || holder->file->role == AIF_ROLE_CLIENT)
		return -EBADF;
	return holder->file->service == s ? 0 : -EACCES;
}

bool attach(struct w_fd *fd, struct w_service *s, struct w_fd *holder, int holder_fd)
{
	struct aif_ioc_executor_attach arg = {
		.service = s ? s->id : 0x12345, .holder_fd = holder_fd, .slots = 1 + pick(4),
	};

	say_fd(fd, "attaches");
	say(" to service %td, holder %d, %u slots", s ? s - w.services : -1, holder_fd, arg.slots);
	if (!call(fd, AIF_IOC_EXECUTOR_ATTACH, &arg, predict_attach(fd, s, holder, holder_fd)))
		return true;
	executor_new(fd->file, fd->actor, s, arg.slots);
	say("; ");
	return info_file(fd, 0, AIF_F_URING);
}

/* Most often one that has nobody. */
static struct w_service *pick_orphan(void)
{
	struct w_service *s = PICK(s, service, !s->gone && !s->draining && !service_executors(s));

	return s && !one_in(3) ? s : pick_service();
}

static bool op_attach(void)
{
	struct w_fd *fd = pick_fd(one_in(8) ? SERVES | HOLDERS : SERVES), *holder = NULL;
	struct w_service *s = pick_orphan();
	int holder_fd = -1;

	if (!fd)
		return false;
	if (one_in(5))
		holder = PICK(other, fd, other->actor == fd->actor);
	if (holder || one_in(16))
		holder_fd = holder ? holder->fd : 9999;
	return attach(fd, one_in(16) ? NULL : s, holder, holder_fd);
}

static bool op_declare(void)
{
	bool client = one_in(2);
	struct w_fd *fd = client ? pick_client() : pick_executor();
	struct aif_ioc_declare_pins arg = { .handle = 1 + pick(6), .pins = pick(4) };
	struct w_buffer *b = NULL;
	struct w_view *v = NULL;

	if (!fd)
		return false;
	if (client && !one_in(4))
		b = PICK(b, buffer, b->client == fd->file->client && !b->freed);
	if (b)
		arg.handle = b->handle;
	b = client ? buffer_find(fd->file->client, arg.handle) : NULL;
	v = client ? NULL : view_find(fd->file->executor, arg.handle);
	say_fd(fd, "declares for");
	say(" handle %u %u pins", arg.handle, arg.pins);
	if (!call(fd, AIF_IOC_DECLARE_PINS, &arg,
		  b && b->pinned ? -EINVAL : b || v ? 0 : -ENOENT))
		return true;
	if (b)
		b->declared = arg.pins;
	else
		v->pins = arg.pins;
	return true;
}

/* ---- FETCH and COMMIT ---- */

/* A slot that it holds, or one that it does not. */
static struct aif_commit some_commit(struct w_executor *ex)
{
	struct aif_commit c = {
		.index = pick(ex->slots), .produced = pick(3) * 64, .device_ns = pick(1000),
		.result = one_in(3) ? -(int)pick(140) : (int)pick(5),
	};
	struct w_view *v;

	c.generation = ex->generation[c.index];
	if (one_in(3)) {
		v = PICK(v, view, v->executor == ex && v->attached);
		c.type = AIF_COMMIT_GRANT_ACK;
		c.index = v && !one_in(8) ? v->grant->id : pick(8);
	} else if (one_in(10)) {
		c.generation += pick(3) - 1;
	} else if (one_in(10)) {
		c.index = (uint32_t)next_random();
	} else if (one_in(20)) {
		c.type = 2 + pick(3);
	} else if (one_in(20)) {
		c.__reserved = 1;
	}
	return c;
}

/* Take it over; was it stale? */
static bool commit_is_stale(struct w_executor *ex, const struct aif_commit *c)
{
	if (c->type == AIF_COMMIT_GRANT_ACK)
		return !view_ack(ex, c->index);
	if (c->type != AIF_COMMIT_RESULT || c->__reserved ||
	    !slot_find(ex, c->index, c->generation))
		return true;
	executor_commit(ex, c->index, c->result, c->produced);
	return false;
}

/* Write some to the array, take them over; how many are stale. */
static uint32_t write_commits(struct w_fd *fd, uint32_t first, uint32_t n)
{
	const struct w_map *m = map_of_array(fd->file, AIF_ARRAY_COMMIT);
	struct w_executor *ex = fd->file->executor;
	uint32_t count = ex->slots + 64, i, stale = 0;
	struct aif_commit c;
	uint64_t at;

	for (i = 0; i < n; i++) {
		c = some_commit(ex);
		at = m->at + (first + i) % count * sizeof(c);
		if (actor_write(&m->actor->at, at, &c, sizeof(c)) != sizeof(c))
			fail("the commit array cannot be written");
		say(" {%u: %u/%u %d}", c.type, c.index, c.generation, c.result);
		stale += commit_is_stale(ex, &c);
	}
	w.tally.stale_commits += stale;
	return stale;
}

/* One FETCH at a time. */
static bool fetch_waits(struct w_fd *fd)
{
	return fd->file->executor->fetch;
}

/*
 * A ring's thread may run what our commits woke before we fetch.  Then we are not
 * the second.
 */
static bool fetch_may_be_overtaken(const struct w_executor *ex)
{
	return ex->fetch && ex->fetch->number && ex->fetch->actor->kind == DOOR_SQPOLL;
}

static void took_nonblock(struct w_fd *fd, uint32_t credit, long ret)
{
	struct w_executor *ex = fd->file->executor;

	if (ret != -EALREADY && fetch_may_be_overtaken(ex))
		fetch_ends(ex->fetch);
	if (fetch_waits(fd))
		must_be(ret, -EALREADY);
	else
		took_deliveries(fd->actor, ex, credit, ret, false);
}

static bool fetch_by_ioctl(struct w_fd *fd, struct aif_ioc_commit_fetch *arg, uint32_t stale)
{
	long ret = actor_call(&fd->actor->at, fd->fd, AIF_IOC_COMMIT_FETCH, arg, sizeof(*arg),
			      PLACE_DESK);

	if (arg->out_stale != stale)
		fail("%u commits were stale, expected %u", arg->out_stale, stale);
	if (arg->flags & AIF_FETCH_F_COMMIT_ONLY)
		must_be(ret, 0);
	else
		took_nonblock(fd, arg->credit, ret ? ret : arg->out_count);
	return true;
}

static bool fetch_by_ring(struct w_fd *fd, const struct aif_ioc_commit_fetch *arg)
{
	struct aif_cmd_commit_fetch cmd = {
		.flags = arg->flags, .commit_first = arg->commit_first,
		.commit_count = arg->commit_count, .credit = arg->credit,
	};
	long ret = actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_COMMIT_FETCH, &cmd);

	if (arg->flags & AIF_FETCH_F_COMMIT_ONLY)
		must_be(ret, 0);
	else
		took_nonblock(fd, arg->credit, ret);
	return true;
}

static bool op_fetch(void)
{
	struct w_fd *fd = pick_executor();
	struct aif_ioc_commit_fetch arg = { .size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK };
	uint32_t stale;

	if (!fd)
		return false;
	if (one_in(4))
		arg.flags = AIF_FETCH_F_COMMIT_ONLY;
	else if (!fetch_may_be_overtaken(fd->file->executor))	/* else both would write deliveries */
		arg.credit = pick(fd->file->executor->slots + 1);
	if (arg.flags == AIF_FETCH_F_COMMIT_ONLY || one_in(3))
		arg.commit_count = pick(4);
	arg.commit_first = one_in(4) ? (uint32_t)next_random() : pick(64);
	/* Numbers go round at 2^32, which is no multiple of the array's. */
	arg.commit_first = (uint32_t)(arg.commit_first & 0x7fffffff);
	say_fd(fd, "fetches by");
	say(" credit %u", arg.credit);
	stale = write_commits(fd, arg.commit_first, arg.commit_count);
	return can_ring(fd) && one_in(2) ? fetch_by_ring(fd, &arg) :
					   fetch_by_ioctl(fd, &arg, stale);
}

/* A second is refused while there is a first; where nothing is to come it takes nothing. */
static bool second_is_refused(struct w_fd *fd)
{
	struct aif_ioc_commit_fetch arg = { .size = sizeof(arg), .flags = AIF_FETCH_F_NONBLOCK };

	return actor_call(&fd->actor->at, fd->fd, AIF_IOC_COMMIT_FETCH, &arg, sizeof(arg),
			  PLACE_DESK) == -EALREADY;
}

static void second_becomes(struct w_fd *fd, bool refused)
{
	uint64_t end = raw_now() + SETTLE_NS;

	while (second_is_refused(fd) != refused) {
		if (raw_now() > end)
			fail("a FETCH by fd %d %s", fd->fd, refused ? "is not begun" : "does not end");
		raw_sleep_ms(1);
	}
}

void fetches_end(struct w_actor *a)
{
	struct w_executor *ex;
	struct w_fd *fd;

	for EACH(ex, executor) {
		if (!ex->fetch || ex->fetch->actor != a || !ex->fetch->number)
			continue;
		fd = PICK(fd, fd, fd->actor == a && fd->file->executor == ex);
		if (fd)
			second_becomes(fd, false);
	}
}

/* Parked in a ring, or asleep in an ioctl. */
static bool op_fetch_waiting(void)
{
	struct w_fd *fd = pick_executor();
	struct aif_ioc_commit_fetch arg = { .size = sizeof(arg) };
	struct aif_cmd_commit_fetch cmd = { 0 };
	struct w_wait *wait;
	long number = 0;

	if (!fd || fetch_waits(fd) || (!can_ring(fd) && !can_block(fd->actor)))
		return false;
	/* Whether it has to wait must be known where a worker begins it. */
	if (!can_ring(fd) || fd->actor->kind != DOOR_ASYNC ||
	    !service_queued(fd->file->executor->service))
		arg.credit = cmd.credit = pick(fd->file->executor->slots + 1);
	say_fd(fd, "waits in FETCH by");
	say(" credit %u", arg.credit);
	if (can_ring(fd))
		number = actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_COMMIT_FETCH, &cmd);
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_COMMIT_FETCH, &arg, sizeof(arg));
	if (number < 0)
		fail("the ring does not take it: %s", result_name(number));
	wait = wait_new(fd->actor, fd->file, WAIT_FETCH, number);
	wait->credit = arg.credit;
	say(" (wait %u)", w.wait_count - 1);
	/* A worker begins it at its leisure. */
	if (number && fd->actor->kind == DOOR_ASYNC && !wait_is_due(wait))
		second_becomes(fd, true);
	return true;
}

static bool op_bad_fetch(void)
{
	struct w_fd *fd = pick_executor();
	struct aif_ioc_commit_fetch arg = { .flags = AIF_FETCH_F_NONBLOCK };

	if (!fd)
		return false;
	if (one_in(3)) {
		arg.credit = fd->file->executor->slots + 1 + pick(1u << 30);
	} else if (one_in(2)) {
		arg.flags = AIF_FETCH_F_COMMIT_ONLY;
		arg.credit = 1;
	} else {
		arg.commit_count = fd->file->executor->slots + 65 + pick(1u << 30);
	}
	say_fd(fd, "fetches wrongly by");
	call(fd, AIF_IOC_COMMIT_FETCH, &arg, -EINVAL);
	return true;
}

static void progress_made(struct w_request *r, uint32_t produced)
{
	uint32_t most = request_output(r);

	if (produced > most)
		produced = most;
	if (!request_answered(r) && produced > r->produced)
		r->produced = produced;
}

static bool op_progress(void)
{
	struct w_fd *fd = pick_executor();
	struct w_executor *ex = fd ? fd->file->executor : NULL;
	struct aif_ioc_progress arg = { .produced = pick(4) * 40, .device_ns = pick(1000) };
	struct aif_cmd_progress cmd;
	struct w_request *r;
	int want;

	if (!fd)
		return false;
	arg.slot = one_in(16) ? (uint32_t)next_random() : pick(ex->slots);
	arg.generation = ex->generation[arg.slot % ex->slots] - one_in(5);
	r = slot_find(ex, arg.slot, arg.generation);
	want = r ? 0 : -ESTALE;
	say_fd(fd, "progresses by");
	say(" slot %u/%u produced %u", arg.slot, arg.generation, arg.produced);
	if (can_ring(fd) && one_in(2)) {
		cmd = (struct aif_cmd_progress){
			.slot = arg.slot, .generation = arg.generation, .produced = arg.produced,
		};
		must_be(actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_PROGRESS, &cmd),
			r ? request_answered(r) : want);
	} else if (!call(fd, AIF_IOC_PROGRESS, &arg, want)) {
		return true;
	} else if (arg.out_cancelled != request_answered(r)) {
		fail("out_cancelled is %u", arg.out_cancelled);
	}
	if (r)
		progress_made(r, arg.produced);
	return true;
}

const struct act executor_acts[] = {
	ACT(create, 8), ACT(drain, 3), ACT(list, 1), ACT(describe, 4), ACT(attach, 20),
	ACT(declare, 5), ACT(fetch, 80), ACT(fetch_waiting, 20), ACT(bad_fetch, 2),
	ACT(progress, 20),
	{ 0 }
};
