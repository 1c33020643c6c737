// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "act.h"

#define FDS_OF_ACTOR	16u	/* descriptors of an actor */

/* ---- parties ---- */

const uid_t actor_uids[FIRST_ACTORS] = {
	RAW_EXECUTOR_UID, RAW_CLIENT_UID, RAW_EXECUTOR_UID, RAW_CLIENT_UID + 1000,
	RAW_EXECUTOR_UID, RAW_ATTACKER_UID, 0,
};

void actor_made(struct w_actor *a, struct party *p, uid_t uid)
{
	uint32_t mm = a->mm + 1;

	*a = (struct w_actor){
		.at = { .party = p, .desk = actor_number(a) }, .alive = true, .uid = uid, .mm = mm,
	};
}

void kill_actor(struct w_actor *a)
{
	party_kill(a->at.party);
	actor_dies(a);
}

void unmap(struct w_map *m)
{
	must_be(actor_munmap(&m->actor->at, m->at, m->pages * PAGE), 0);
	map_close(m);
}

/* All that the process has of it. */
static void abandon(struct w_actor *a, struct w_file *f)
{
	struct w_fd *fd;
	struct w_map *m;

	for EACH(m, map)
		if (m->actor == a && m->file == f)
			unmap(m);
	for EACH(fd, fd) {
		if (fd->actor != a || fd->file != f)
			continue;
		must_be(actor_close(&a->at, fd->fd), 0);
		fd_close(fd);
	}
}

static bool waits_on(const struct w_actor *a, const struct w_file *f)
{
	const struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor == a && wait->file == f)
			return true;
	return false;
}

static bool is_holder(const struct w_actor *a)
{
	const struct w_fd *fd;

	for EACH(fd, fd)
		if (fd->actor == a && fd->file->role == AIF_ROLE_HOLDER)
			return true;
	return false;
}

/* Requests, of its own or of others, that its death changes. */
static bool has_requests(const struct w_actor *a)
{
	const struct w_executor *ex;
	const struct w_fd *fd;

	for EACH(ex, executor)
		if (ex->actor == a && !ex->dead && executor_held(ex))
			return true;
	for EACH(fd, fd)
		if (fd->actor == a && fd->file->client && client_busy(fd->file->client))
			return true;
	return false;
}

static struct w_actor *pick_victim(void)
{
	uint32_t i, seen = 0, found = pick(MAX_ACTORS);

	for (i = 0; i < MAX_ACTORS; i++)
		if (w.actors[i].alive && has_requests(&w.actors[i]) && one_in(++seen))
			found = i;
	return seen || one_in(3) ? &w.actors[found] : NULL;
}

/* Most often one that has requests. */
static bool op_kill(void)
{
	struct w_actor *a = pick_victim();
	uid_t uid = a ? a->uid : 0;

	if (!a || !a->alive || (is_holder(a) && !one_in(6)))
		return false;
	say("actor %u is killed", actor_number(a));
	kill_actor(a);
	if (a < w.actors + FIRST_ACTORS)
		actor_made(a, party_new(uid), uid);
	return true;
}

static bool op_fork(void)
{
	struct w_actor *a = pick_actor(), *child = w.actors;

	while (child < w.actors + MAX_ACTORS && child->alive)
		child++;
	if (!a || child == w.actors + MAX_ACTORS)
		return false;
	say("actor %u forks actor %u", actor_number(a), actor_number(child));
	actor_made(child, party_fork(a->at.party), a->uid);
	actor_forget(&child->at);
	actor_forks(a, child);
	return true;
}

static bool op_exec(void)
{
	struct w_actor *a = pick_actor();

	if (!a || (is_holder(a) && !one_in(6)))
		return false;
	say("actor %u executes", actor_number(a));
	party_exec(a->at.party);
	actor_execs(a);
	return true;
}

/* ---- files ---- */

bool open_file(struct w_actor *a, bool serve)
{
	bool allowed = !serve || !a->uid || a->uid == RAW_EXECUTOR_UID;
	long fd;

	if (count_fds(a) >= FDS_OF_ACTOR)
		return false;
	say("actor %u opens %s", actor_number(a), serve ? "/dev/aif-serve" : "/dev/aif");
	fd = actor_open(&a->at, serve ? "/dev/aif-serve" : "/dev/aif");
	must_be(fd < 0 ? fd : 0, allowed ? 0 : -EACCES);
	if (allowed)
		fd_new(a, file_new(serve ? AIF_ROLE_SERVE : AIF_ROLE_CLIENT, a->uid), fd, true);
	return true;
}

static bool op_open_client(void)
{
	struct w_actor *a = pick_actor();

	return a && open_file(a, false);
}

static bool op_open_serve(void)
{
	struct w_actor *a = pick_actor();

	return a && open_file(a, true);
}

/* Seldom a holder's: with a service goes everything that asks or serves. */
static struct w_fd *pick_expendable(void)
{
	return pick_fd(one_in(6) ? ALL_ROLES : ALL_ROLES & ~HOLDERS);
}

static bool op_close(void)
{
	struct w_fd *fd = pick_expendable();

	if (!fd || (fd->file->client && waits_on(fd->actor, fd->file)))
		return false;
	say_fd(fd, "closes");
	must_be(actor_close(&fd->actor->at, fd->fd), 0);
	fd_close(fd);
	return true;
}

static bool op_abandon(void)
{
	struct w_fd *fd = pick_expendable();

	if (!fd || waits_on(fd->actor, fd->file))
		return false;
	say_fd(fd, "abandons");
	abandon(fd->actor, fd->file);
	return true;
}

static bool op_dup(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	long to;

	if (!fd || count_fds(fd->actor) >= FDS_OF_ACTOR)
		return false;
	say_fd(fd, "duplicates");
	to = actor_dup(&fd->actor->at, fd->fd);
	must_be(to < 0 ? to : 0, 0);
	fd_new(fd->actor, fd->file, to, false);
	return true;
}

static bool op_send(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	struct w_actor *to = pick_actor();
	long ret;

	if (!fd || !to || count_fds(to) >= FDS_OF_ACTOR)
		return false;
	say_fd(fd, "sends");
	say(" to actor %u", actor_number(to));
	ret = actor_send(&fd->actor->at, fd->fd, &to->at);
	must_be(ret < 0 ? ret : 0, 0);
	fd_new(to, fd->file, ret, true);
	return true;
}

static int executor_poll(const struct w_executor *ex)
{
	if (ex->dead || ex->service->gone)
		return POLLHUP;
	if (executor_events(ex) || service_drained(ex->service))
		return POLLIN;
	return service_queued(ex->service) && !ex->alone && !executor_has_no_token(ex) ? POLLIN : 0;
}

static bool op_poll(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	const struct w_file *f = fd ? fd->file : NULL;
	int want = POLLERR;

	if (!fd || (f->executor && executor_doubts(f->executor)))
		return false;
	say_fd(fd, "polls");
	if (f->client)
		want = f->client->answered > f->client->seen ? POLLIN : 0;
	else if (f->executor)
		want = executor_poll(f->executor);
	must_be(actor_poll(&fd->actor->at, fd->fd), want);
	return true;
}

static const struct aif_array *info_array(const struct aif_ioc_info *info, uint32_t kind)
{
	return &info->out_arrays[kind];
}

/* The arrays that the fuzzer itself looks at. */
static void map_arrays(struct w_fd *fd, const struct aif_ioc_info *info)
{
	const struct aif_array *a;
	struct w_map *m;
	uint32_t kind, pages;
	bool writable;
	long at;

	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++) {
		a = info_array(info, kind);
		if (!a->count || map_of_array(fd->file, (enum aif_array_kind)kind))
			continue;
		writable = kind == AIF_ARRAY_DESC || kind == AIF_ARRAY_COMMIT;
		pages = (a->entry_size * a->count + PAGE - 1) / PAGE;
		at = actor_mmap(&fd->actor->at, fd->fd, a->offset, pages * PAGE,
				writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED);
		if (at < 0)
			fail("array %u cannot be mapped: %s", kind, result_name(at));
		m = map_new(fd->actor, fd->file, at, pages);
		m->array = (int)kind;
		m->writable = writable;
		m->own = true;
	}
}

static int predict_info(const struct w_file *f, uint32_t depth)
{
	const struct w_client *c = f->client;

	if (!c)
		return depth ? -EINVAL : 0;
	if (depth & (depth - 1) || depth > w.limits.max_depth)
		return -EINVAL;
	return c->depth && depth && depth != c->depth ? -EBUSY : 0;
}

bool info_file(struct w_fd *fd, uint32_t depth, uint64_t features)
{
	struct aif_ioc_info info = { .depth = depth, .features = features };
	struct w_file *f = fd->file;

	say_fd(fd, "asks INFO of");
	say(" depth %u features %llx", depth, (unsigned long long)features);
	if (!call(fd, AIF_IOC_INFO, &info, predict_info(f, depth)))
		return true;
	/* All but the rings are a client's. */
	f->features |= features & w.limits.features & (f->client ? ~0ull : AIF_F_URING);
	if (f->client && !f->uid)
		f->features |= features & AIF_F_REALTIME;
	if (info.features != f->features || info.out_role != f->role)
		fail("INFO says features %llx, role %u", info.features, info.out_role);
	if (f->client)
		f->client->depth = info.depth;
	map_arrays(fd, &info);
	return true;
}

static bool op_info(void)
{
	static const uint32_t depths[] = { 16, 4, 8, 16, 0, 3, 1u << 31 };
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && may_call(fd));
	uint32_t depth;

	if (!fd)
		return false;
	depth = fd->file->client && !one_in(4) ? depths[pick(4)] : depths[4 + pick(3)];
	if (fd->file->client && !fd->file->client->depth && !depth)
		depth = 16;	/* the default is more than the model holds */
	return info_file(fd, depth, one_in(8) ? next_random() :
			 AIF_F_URING | (one_in(2) ? AIF_F_TRANSFER : 0) |
			 (one_in(4) ? AIF_F_MAP : 0) | (one_in(2) ? AIF_F_MEMFD : 0) |
			 (one_in(2) ? AIF_F_IMPORT : 0));
}

/* ---- calls that are refused whoever makes them ---- */

static bool op_wrong_role(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	const struct op *o = &ops[pick((uint32_t)op_count)];
	uint8_t arg[OP_ARG_MAX] = { 0 };

	if (!fd || o->roles & (1u << fd->file->role))
		return false;
	memcpy(arg, &o->size, sizeof(o->size));
	say_fd(fd, "calls");
	say(" with %s", o->name);
	must_be(actor_call(&fd->actor->at, fd->fd, o->cmd, arg, o->size, PLACE_DESK), -ENOTTY);
	return true;
}

/* A number above all that are known. */
static bool op_unknown(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	unsigned long cmd = _IO(AIF_IOC_TYPE, 0x60 + pick(0xa0));
	uint8_t arg[64] = { 64 };

	if (!fd)
		return false;
	say_fd(fd, "calls");
	say(" with %lx", cmd);
	must_be(actor_call(&fd->actor->at, fd->fd, cmd, arg, sizeof(arg), PLACE_DESK), -ENOTTY);
	return true;
}

/* Another process tries an executor's file: by call, mapping and ring. */
static bool op_intrude(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && !may_call(fd));
	const struct op *o = &ops[pick((uint32_t)op_count)];
	uint8_t arg[OP_ARG_MAX] = { 0 };
	long ret;

	if (!fd || !(o->roles & EXECUTORS))
		return false;
	memcpy(arg, &o->size, sizeof(o->size));
	say_fd(fd, "intrudes on");
	switch (pick(fd->actor->ring ? 3 : 2)) {
	case 0:
		say(" with %s", o->name);
		ret = actor_call(&fd->actor->at, fd->fd, o->cmd, arg, o->size, PLACE_DESK);
		break;
	case 1:
		ret = actor_mmap(&fd->actor->at, fd->fd, (uint64_t)pick(8) << 32, PAGE, PROT_READ,
				 MAP_SHARED);
		break;
	default:
		ret = actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_COMMIT_FETCH, arg);
	}
	must_be(ret, -EPERM);
	return true;
}

const struct act party_acts[] = {
	ACT(kill, 6), ACT(fork, 2), ACT(exec, 1), ACT(open_client, 3), ACT(open_serve, 5),
	ACT(close, 2), ACT(abandon, 2), ACT(dup, 2), ACT(send, 3), ACT(poll, 5), ACT(info, 5),
	ACT(wrong_role, 2), ACT(unknown, 1), ACT(intrude, 6),
	{ 0 }
};
