// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "play.h"
#include "report.h"
#include "settle.h"
#include "tests/uapi/ops.h"

#define ALL_ROLES	0xfu
#define CLIENTS		(1u << AIF_ROLE_CLIENT)
#define SERVES		(1u << AIF_ROLE_SERVE)
#define HOLDERS		(1u << AIF_ROLE_HOLDER)
#define EXECUTORS	(1u << AIF_ROLE_EXECUTOR)
#define FDS_OF_ACTOR	16u	/* descriptors of an actor */

struct play_count *play_counts;

/* ---- chance ---- */

static uint64_t chance;

static uint64_t next_random(void)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint32_t pick(uint32_t n)
{
	return (uint32_t)(next_random() % n);
}

static bool one_in(uint32_t n)
{
	return !pick(n);
}

/* One of those for which @suits, each as likely; NULL if none. */
#define PICK(p, kind, suits) ({						\
	struct w_##kind *p, *picked = NULL;				\
	uint32_t seen = 0;						\
									\
	for EACH(p, kind)						\
		if ((suits) && one_in(++seen))				\
			picked = p;					\
	picked;								\
})

static bool idle(const struct w_actor *a)
{
	return a && a->alive && !a->blocked;
}

static struct w_actor *pick_actor(void)
{
	uint32_t i, seen = 0, found = MAX_ACTORS;

	for (i = 0; i < MAX_ACTORS; i++)
		if (idle(&w.actors[i]) && one_in(++seen))
			found = i;
	return found < MAX_ACTORS ? &w.actors[found] : NULL;
}

static struct w_fd *pick_fd(uint32_t roles)
{
	return PICK(fd, fd, idle(fd->actor) && roles & (1u << fd->file->role));
}

/* A client that has its arrays. */
static struct w_fd *pick_client(void)
{
	return PICK(fd, fd, idle(fd->actor) && fd->file->client && fd->file->client->depth);
}

/* An executor's descriptor in its own process. */
static struct w_fd *pick_executor(void)
{
	return PICK(fd, fd, idle(fd->actor) && fd->file->executor &&
		    executor_is_of(fd->file->executor, fd->actor) &&
		    map_of_array(fd->file, AIF_ARRAY_COMMIT));
}

static uint32_t actor_number(const struct w_actor *a)
{
	return (uint32_t)(a - w.actors);
}

static uint32_t count_fds(const struct w_actor *a)
{
	const struct w_fd *fd;
	uint32_t n = 0;

	for EACH(fd, fd)
		n += fd->actor == a;
	return n;
}

static bool has_waits(const struct w_actor *a)
{
	const struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor == a)
			return true;
	return false;
}

/* ---- checks ---- */

static void must_be(long ret, long want)
{
	say(" = %s", result_name(ret));
	if (ret != want)
		fail("returned %s, expected %s", result_name(ret), result_name(want));
}

static const struct op *op_of(unsigned long cmd)
{
	size_t i;

	for (i = 0; i < op_count; i++)
		if (ops[i].cmd == cmd)
			return &ops[i];
	fail("no ioctl %lx", cmd);
}

/* ---- spoilt arguments ---- */

enum spoil {
	SPOIL_NOT,
	SPOIL_SHORT,
	SPOIL_HUGE,
	SPOIL_SURPLUS,
	SPOIL_NULL,
	SPOIL_EDGE,
	SPOIL_RESERVED,
	SPOIL_FLAGS,
	SPOIL_LONGER,	/* with zeroes: it is as good as not spoilt */
	SPOIL_COUNT
};

static const char *const spoil_names[SPOIL_COUNT] = {
	"", "too short", "too long", "with surplus", "at NULL", "at an edge",
	"with a reserved field", "with an unknown flag", "longer",
};

struct argument {
	uint8_t bytes[OP_ARG_MAX + 64];
	size_t length;
};

static uint32_t reserved_fields(const struct op *o)
{
	uint32_t n = 0;

	while (n < OP_FIELDS_MAX && o->reserved[n].size)
		n++;
	return n;
}

static void set_size(struct argument *arg, uint32_t size)
{
	memcpy(arg->bytes, &size, sizeof(size));
}

static void spoil_reserved(struct argument *arg, const struct op_field *field)
{
	arg->bytes[field->offset + pick(field->size)] |= (uint8_t)(1u << pick(8));
}

static void spoil_flags(struct argument *arg, const struct op_flags *flags)
{
	uint32_t value, bit;

	do {
		bit = 1u << pick(32);
	} while (bit & flags->known);
	memcpy(&value, arg->bytes + flags->offset, sizeof(value));
	value |= bit;
	memcpy(arg->bytes + flags->offset, &value, sizeof(value));
}

/* How this argument can be spoilt, or SPOIL_NOT; most are left alone. */
static enum spoil pick_spoil(const struct op *o, const struct argument *arg)
{
	enum spoil spoil = one_in(6) ? 1 + pick(SPOIL_COUNT - 1) : SPOIL_NOT;
	uint32_t flags = 0;

	if (o->flags.offset)
		memcpy(&flags, arg->bytes + o->flags.offset, sizeof(flags));
	/* The tag of WAIT is reserved unless a flag says otherwise. */
	if (spoil == SPOIL_RESERVED && (!reserved_fields(o) || flags))
		return SPOIL_NOT;
	if (spoil == SPOIL_FLAGS && !o->flags.offset)
		return SPOIL_NOT;
	return spoil;
}

/* Spoil it; what the call must return then, 0 if it is as good. */
static int spoil_argument(const struct op *o, struct argument *arg, enum spoil spoil)
{
	switch (spoil) {
	case SPOIL_SHORT:
		set_size(arg, pick(o->size));
		return -EINVAL;
	case SPOIL_HUGE:
		set_size(arg, one_in(2) ? PAGE + 1 : (uint32_t)next_random() | PAGE << 1);
		return -E2BIG;
	case SPOIL_SURPLUS:
		arg->bytes[o->size + pick(8)] = 1;
		/* fallthrough */
	case SPOIL_LONGER:
		arg->length = o->size + 8;
		set_size(arg, (uint32_t)arg->length);
		return spoil == SPOIL_LONGER ? 0 : -E2BIG;
	case SPOIL_NULL:
	case SPOIL_EDGE:
		return -EFAULT;
	case SPOIL_RESERVED:
		spoil_reserved(arg, &o->reserved[pick(reserved_fields(o))]);
		return -EINVAL;
	case SPOIL_FLAGS:
		spoil_flags(arg, &o->flags);
		return -EINVAL;
	default:
		return 0;
	}
}

/*
 * Make the call, now and then with a spoilt argument.  @want is what it must
 * return otherwise; true if it was successful and has to be.  A spoilt one of
 * which the module looks at something else first may fail with that.
 */
static bool call(struct w_fd *fd, unsigned long cmd, void *p, int want)
{
	const struct op *o = op_of(cmd);
	struct argument arg = { .length = o->size };
	enum deed_place place;
	enum spoil spoil;
	int must;
	long ret;

	memcpy(arg.bytes, p, o->size);
	set_size(&arg, o->size);
	spoil = pick_spoil(o, &arg);
	must = spoil_argument(o, &arg, spoil);
	place = spoil == SPOIL_NULL ? PLACE_NULL : spoil == SPOIL_EDGE ? PLACE_EDGE : PLACE_DESK;
	if (spoil)
		say(" %s", spoil_names[spoil]);
	ret = actor_call(&fd->actor->at, fd->fd, cmd, arg.bytes, arg.length, place);
	memcpy(p, arg.bytes, o->size);
	if (must && spoil >= SPOIL_RESERVED && ret == want && want < 0)
		must = want;
	must_be(ret, must ? must : want);
	return !ret;
}

static struct w_fd *say_fd(struct w_fd *fd, const char *what)
{
	say("actor %u %s fd %d (file %td)", actor_number(fd->actor), what, fd->fd,
	    fd->file - w.files);
	return fd;
}

/* ---- parties ---- */

static const uid_t uids[] = {
	RAW_EXECUTOR_UID, RAW_CLIENT_UID, RAW_EXECUTOR_UID, RAW_CLIENT_UID + 1000,
	RAW_ATTACKER_UID, 0,
};

#define FIRST_ACTORS	(sizeof(uids) / sizeof(uids[0]))

static void actor_made(struct w_actor *a, struct party *p, uid_t uid)
{
	uint32_t mm = a->mm + 1;

	*a = (struct w_actor){
		.at = { .party = p, .desk = actor_number(a) }, .alive = true, .uid = uid, .mm = mm,
	};
}

static void kill_actor(struct w_actor *a)
{
	party_kill(a->at.party);
	actor_dies(a);
}

static bool op_kill(void)
{
	struct w_actor *a = &w.actors[pick(MAX_ACTORS)];
	uid_t uid = a->uid;

	if (!a->alive)
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

	if (!a)
		return false;
	say("actor %u executes", actor_number(a));
	party_exec(a->at.party);
	actor_execs(a);
	return true;
}

/* ---- files ---- */

static bool open_file(struct w_actor *a, bool serve)
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

static bool op_close(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);

	if (!fd)
		return false;
	say_fd(fd, "closes");
	must_be(actor_close(&fd->actor->at, fd->fd), 0);
	fd_close(fd);
	return true;
}

static void unmap(struct w_map *m)
{
	must_be(actor_munmap(&m->actor->at, m->at, m->pages * PAGE), 0);
	map_close(m);
}

/* All that the process has of it. */
static bool op_abandon(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES), *other;
	struct w_actor *a = fd ? fd->actor : NULL;
	struct w_file *f = fd ? fd->file : NULL;
	struct w_map *m;

	/* What a waiting FETCH brings could not be seen. */
	if (!fd || (f->executor && f->executor->fetch))
		return false;
	say_fd(fd, "abandons");
	for EACH(m, map)
		if (m->actor == a && m->file == f)
			unmap(m);
	for EACH(other, fd) {
		if (other->actor != a || other->file != f)
			continue;
		must_be(actor_close(&a->at, other->fd), 0);
		fd_close(other);
	}
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

	if (!fd)
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

static bool info_file(struct w_fd *fd, uint32_t depth, uint64_t features)
{
	struct aif_ioc_info info = { .depth = depth, .features = features };
	struct w_file *f = fd->file;

	say_fd(fd, "asks INFO of");
	say(" depth %u features %llx", depth, (unsigned long long)features);
	if (!call(fd, AIF_IOC_INFO, &info, predict_info(f, depth)))
		return true;
	f->features |= features & AIF_F_URING;
	if (info.features != f->features || info.out_role != f->role)
		fail("INFO says features %llx, role %u", info.features, info.out_role);
	if (f->client)
		f->client->depth = info.depth;
	map_arrays(fd, &info);
	return true;
}

/* An executor's file answers to its own process only. */
static bool may_call(const struct w_fd *fd)
{
	return !fd->file->executor || executor_is_of(fd->file->executor, fd->actor);
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
	return info_file(fd, depth, one_in(8) ? next_random() : AIF_F_URING);
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

static bool op_unknown(void)
{
	struct w_fd *fd = pick_fd(ALL_ROLES);
	uint8_t arg[64] = { 64 };
	unsigned long cmd = (uint32_t)next_random();
	size_t i;

	if (!fd)
		return false;
	for (i = 0; i < op_count; i++)
		if (_IOC_NR(cmd) == _IOC_NR(ops[i].cmd) && _IOC_TYPE(cmd) == AIF_IOC_TYPE)
			return false;
	/* Those that belong to every file are answered before ours is asked. */
	if (_IOC_TYPE(cmd) != AIF_IOC_TYPE)
		cmd = _IO(AIF_IOC_TYPE, 0x60 + pick(0x80));
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
	switch (pick(3)) {
	case 0:
		say(" with %s", o->name);
		ret = actor_call(&fd->actor->at, fd->fd, o->cmd, arg, o->size, PLACE_DESK);
		break;
	case 1:
		ret = actor_mmap(&fd->actor->at, fd->fd, (uint64_t)pick(8) << 32, PAGE, PROT_READ,
				 MAP_SHARED);
		break;
	default:
		if (!fd->actor->ring)
			return false;
		ret = actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_COMMIT_FETCH, arg);
	}
	must_be(ret, -EPERM);
	return true;
}

/* ---- services ---- */

static struct w_service *service_named(const char *name, uid_t owner)
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

static bool create_service(struct w_fd *fd, uint32_t number)
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

static bool op_drain(void)
{
	struct aif_ioc_service_drain arg = { 0 };
	struct w_fd *fd = pick_fd(HOLDERS);

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

static void check_described(const struct w_service *s, const struct aif_ioc_service_describe *d)
{
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
	if (memcmp(&d->out_desc, &s->desc, sizeof(s->desc)))
		fail("another description than the creator's");
}

static bool op_describe(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && may_call(fd));
	const struct w_service *s = PICK(s, service, true);
	struct aif_ioc_service_describe arg = { .id = s ? s->id : pick(8) };

	if (!fd || !s)
		return false;
	say_fd(fd, "describes by");
	say(" service %td", s - w.services);
	if (call(fd, AIF_IOC_SERVICE_DESCRIBE, &arg, s->gone ? -ENOENT : 0))
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

static bool attach(struct w_fd *fd, struct w_service *s, struct w_fd *holder, int holder_fd)
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

static bool op_attach(void)
{
	struct w_fd *fd = pick_fd(one_in(8) ? SERVES | HOLDERS : SERVES), *holder = NULL;
	struct w_service *s = PICK(s, service, true);
	int holder_fd = -1;

	if (!fd)
		return false;
	if (one_in(3))
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
	if (!call(fd, AIF_IOC_DECLARE_PINS, &arg, b || v ? 0 : -ENOENT))
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
		if (actor_poke(&m->actor->at, at, &c, sizeof(c)) != sizeof(c))
			fail("the commit array cannot be written");
		say(" {%u: %u/%u %d}", c.type, c.index, c.generation, c.result);
		stale += commit_is_stale(ex, &c);
	}
	w.tally.stale_commits += stale;
	return stale;
}

static bool can_ring(const struct w_fd *fd)
{
	return fd->actor->ring && fd->file->features & AIF_F_URING;
}

static bool can_park(const struct w_fd *fd)
{
	/* When a worker has taken a command on, nobody knows. */
	return can_ring(fd) && fd->actor->kind != DOOR_ASYNC;
}

/* One FETCH at a time. */
static bool fetch_waits(struct w_fd *fd)
{
	if (!fd->file->executor->fetch)
		return false;
	return true;
}

static void took_nonblock(struct w_fd *fd, uint32_t credit, long ret)
{
	if (fetch_waits(fd))
		must_be(ret, -EALREADY);
	else
		took_deliveries(fd->actor, fd->file->executor, credit, ret, false);
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
	else
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

/* Parked in a ring, or asleep in an ioctl. */
static bool op_fetch_waiting(void)
{
	struct w_fd *fd = pick_executor();
	struct aif_ioc_commit_fetch arg = { .size = sizeof(arg) };
	struct aif_cmd_commit_fetch cmd = { 0 };
	long number = 0;

	if (!fd || fetch_waits(fd) || (has_waits(fd->actor) && !can_park(fd)))
		return false;
	arg.credit = cmd.credit = pick(fd->file->executor->slots + 1);
	say_fd(fd, "waits in FETCH by");
	say(" credit %u", arg.credit);
	if (can_park(fd))
		number = actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_COMMIT_FETCH, &cmd);
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_COMMIT_FETCH, &arg, sizeof(arg));
	if (number < 0)
		fail("the ring does not take it: %s", result_name(number));
	wait_new(fd->actor, fd->file, WAIT_FETCH, number)->credit = arg.credit;
	say(" (wait %u)", w.wait_count - 1);
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
	arg.generation = ex->generation[arg.slot % ex->slots] - one_in(8);
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

/* ---- clients: buffers and grants ---- */

static bool open_service(struct w_fd *fd, const char *name, uid_t owner)
{
	struct aif_ioc_service_open arg = { .owner = owner };
	struct w_service *s = service_named(name, owner);
	struct w_client *c = fd->file->client;
	uint32_t i, known = c->open_count;
	int want = 0;

	strcpy(arg.name, name);
	for (i = 0; i < c->open_count; i++)
		if (c->opens[i].service == s)
			known = i;
	if (!s)
		want = -ENOENT;
	else if (!c->depth)
		want = -ENXIO;
	else if (known == c->open_count && c->open_count >= w.limits.max_services)
		want = -ENOSPC;
	say_fd(fd, "opens a service by");
	say(" %s of %u", name, owner);
	if (!call(fd, AIF_IOC_SERVICE_OPEN, &arg, want))
		return true;
	if (arg.out_id != s->id || !arg.out_handle)
		fail("handle %u id %u, expected id %u", arg.out_handle, arg.out_id, s->id);
	if (known < c->open_count ? arg.out_handle != c->opens[known].handle :
				    client_open_of(c, arg.out_handle) != NULL)
		fail("handle %u is another's", arg.out_handle);
	if (known == c->open_count)
		c->opens[c->open_count++] = (struct w_open){ s, arg.out_handle };
	return true;
}

static bool op_open_service(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_service *s = PICK(s, service, true);
	char name[8];

	if (!fd || fd->file->client->open_count == MAX_OPENS)
		return false;
	if (s && !one_in(6))
		return open_service(fd, s->desc.name, s->owner);
	snprintf(name, sizeof(name), "s%u", pick(6));
	return open_service(fd, name, one_in(2) ? RAW_EXECUTOR_UID : RAW_CLIENT_UID);
}

static int predict_alloc(const struct w_client *c, uint64_t bytes)
{
	uint64_t whole = (bytes + PAGE - 1) / PAGE * PAGE;

	if (!bytes || bytes > (1ull << 32) - PAGE)
		return -EINVAL;
	if (tenant_bytes(c->tenant) + whole > w.limits.tenant_bytes)
		return -EDQUOT;
	return client_buffers(c) >= w.limits.max_buffers ? -ENOSPC : 0;
}

static bool alloc(struct w_fd *fd, uint64_t bytes)
{
	struct aif_ioc_buffer_alloc arg = { .bytes = bytes };
	struct w_client *c = fd->file->client;
	uint32_t pages = (uint32_t)((bytes + PAGE - 1) / PAGE);

	say_fd(fd, "allocates by");
	say(" %llu bytes", (unsigned long long)bytes);
	if (!call(fd, AIF_IOC_BUFFER_ALLOC, &arg, predict_alloc(c, bytes)))
		return true;
	if (!arg.out_handle || buffer_find(c, arg.out_handle) || arg.out_bytes != pages * PAGE ||
	    arg.out_offset != (uint64_t)arg.out_handle << 32)
		fail("handle %u, %llu bytes at %llx", arg.out_handle, arg.out_bytes,
		     arg.out_offset);
	w.buffers[w.buffer_count++] = (struct w_buffer){
		.client = c, .handle = arg.out_handle, .pages = pages,
	};
	say(" (buffer %u)", arg.out_handle);
	return true;
}

static bool op_alloc(void)
{
	static const uint64_t odd[] = { 0, 1ull << 32, UINT64_MAX, 1ull << 30 };
	struct w_fd *fd = pick_fd(CLIENTS);

	if (!fd)
		return false;
	if (one_in(10))
		return alloc(fd, odd[pick(4)]);
	return alloc(fd, 1 + pick(BUFFER_PAGES * PAGE));
}

/* A handle of this client's now and then; of another's, or none's. */
static uint32_t some_buffer(struct w_client *c)
{
	struct w_buffer *b = one_in(8) ? PICK(b, buffer, true) :
					 PICK(b, buffer, b->client == c && !b->freed);

	return b ? b->handle : pick(4);
}

static bool op_free(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_buffer_free arg;
	struct w_buffer *b;

	if (!fd)
		return false;
	arg.handle = some_buffer(c);
	b = buffer_find(c, arg.handle);
	say_fd(fd, "frees by");
	say(" buffer %u", arg.handle);
	if (call(fd, AIF_IOC_BUFFER_FREE, &arg, !b ? -ENOENT : buffer_granted(b) ? -EBUSY : 0)) {
		b->freed = true;
		b->declared = 0;
	}
	return true;
}

static int predict_grant(const struct w_client *c, const struct w_buffer *b,
			 const struct w_service *s)
{
	if (!b || !s)
		return -ENOENT;
	if (client_grants(c) >= w.limits.max_grants)
		return -ENOSPC;
	if (service_bytes(s) + b->pages * PAGE > w.limits.service_bytes)
		return -EDQUOT;
	return s->gone ? -ENODEV : 0;
}

static bool grant(struct w_fd *fd, uint32_t buffer, uint32_t service, bool writable)
{
	struct aif_ioc_grant arg = {
		.buffer = buffer, .service = service, .flags = writable ? AIF_GRANT_F_WRITE : 0,
	};
	struct w_client *c = fd->file->client;
	struct w_buffer *b = buffer_find(c, buffer);
	struct w_service *s = client_open_of(c, service);

	say_fd(fd, "grants by");
	say(" buffer %u to %u%s", buffer, service, writable ? ", writable" : "");
	if (!call(fd, AIF_IOC_GRANT, &arg, predict_grant(c, b, s)))
		return true;
	if (!arg.out_grant || grant_find(c, arg.out_grant))
		fail("grant %u is taken", arg.out_grant);
	say(" (grant %u)", arg.out_grant);
	grant_new(b, s, arg.out_grant, writable);
	return true;
}

static uint32_t some_open(struct w_client *c)
{
	return c->open_count && !one_in(12) ? c->opens[pick(c->open_count)].handle : pick(6);
}

static bool op_grant(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);

	return fd && grant(fd, some_buffer(fd->file->client), some_open(fd->file->client),
			   !one_in(4));
}

static bool op_revoke(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_revoke arg;
	struct w_grant *g;

	if (!fd)
		return false;
	g = one_in(6) ? PICK(g, grant, true) : PICK(g, grant, g->client == c && !g->revoked);
	arg.grant = g ? g->handle : pick(4);
	g = grant_find(c, arg.grant);
	say_fd(fd, "revokes by");
	say(" grant %u", arg.grant);
	if (call(fd, AIF_IOC_REVOKE, &arg, g ? 0 : -ENOENT))
		grant_revoke(g);
	return true;
}

/* ---- clients: requests ---- */

static struct aif_range some_range(struct w_client *c, struct w_service *s, bool output)
{
	struct w_grant *g = PICK(g, grant, g->client == c && !g->revoked && g->service == s &&
				 (g->writable || !output || one_in(8)));
	struct aif_range r = { .grant = g ? g->handle : pick(5) };
	uint32_t bytes = g ? g->buffer->pages * PAGE : PAGE;

	r.offset = pick(bytes / 64) * 64;
	r.length = pick(bytes - r.offset < 2 * PAGE ? bytes - r.offset + 1 : 2 * PAGE);
	return r;
}

static void make_inline(struct aif_desc *d, const struct aif_range *output)
{
	uint32_t i;

	d->inline_length = (uint8_t)(1 + pick(AIF_INLINE_MAX));
	d->range_count = 1;
	d->range = *output;
	memset(d->input, 0, sizeof(d->input));
	for (i = 0; i < d->inline_length; i++)
		d->input[i] = (uint8_t)next_random();
}

static struct aif_desc some_desc(struct w_client *c)
{
	struct aif_desc d = {
		.tag = pick(c->depth), .generation = ++c->generation,
		.service = some_open(c), .range_count = 2,
		.sched_class = (uint8_t)(one_in(3) ? AIF_CLASS_IDLE : AIF_CLASS_NORMAL),
		.flags = (uint8_t)pick(2),
	};
	struct w_service *s = client_open_of(c, d.service);
	struct aif_range output = some_range(c, s, true);

	if (one_in(3))
		d.deadline = raw_now() + (uint64_t)(3600 + pick(3600)) * 1000000000;
	d.ranges[0] = some_range(c, s, false);
	d.ranges[1] = output;
	if (one_in(4))
		make_inline(&d, &output);
	return d;
}

static void spoil_desc(struct w_client *c, struct aif_desc *d)
{
	uint32_t i = pick(d->range_count);

	switch (pick(14)) {
	case 0:
		d->tag = c->depth + pick(1u << 30);
		break;
	case 1:
		d->generation = c->tags[d->tag].desc.generation;
		break;
	case 2:
		d->service = (uint32_t)next_random();
		break;
	case 3:
		d->sched_class = (uint8_t)pick(256);
		break;
	case 4:
		d->flags |= (uint8_t)(1u << (1 + pick(7)));
		break;
	case 5:
		d->range_count = (uint8_t)pick(256);
		break;
	case 6:
		d->inline_length = (uint8_t)next_random();
		break;
	case 7:
		d->in_fence = 1 + (uint32_t)pick(100);
		break;
	case 8:
		d->deadline = 1 + pick(1u << 30);
		break;
	case 9:
		d->ranges[i].offset = (uint32_t)next_random();
		break;
	case 10:
		d->ranges[i].length = (uint32_t)next_random();
		break;
	case 11:
		d->ranges[i].grant = one_in(2) ? (uint32_t)next_random() : pick(8);
		break;
	case 12:
		d->input[pick(AIF_INLINE_MAX)] ^= (uint8_t)(1u << pick(8));
		break;
	default:	/* overflows when added up in 32 bits */
		d->ranges[i].offset = UINT32_MAX & ~63u;
		d->ranges[i].length = 64 + pick(64);
	}
}

static void write_desc(struct w_client *c, uint32_t position, const struct aif_desc *d)
{
	const struct w_map *m = map_of_array(c->file, AIF_ARRAY_DESC);
	uint64_t at = m->at + position % c->depth * sizeof(*d);

	if (actor_poke(&m->actor->at, at, d, sizeof(*d)) != sizeof(*d))
		fail("the descriptor ring cannot be written");
}

/* Which of those that now stand in the ring are taken: how many, and what stops. */
static uint32_t take(struct w_client *c, const struct aif_desc *d, uint32_t n,
		       struct w_wait *batch, int *stopped)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		*stopped = submit_predict(c, &d[i], raw_now());
		say(" {tag %u gen %u%s%s}", d[i].tag, d[i].generation, *stopped ? " " : "",
		    *stopped ? result_name(*stopped) : "");
		if (*stopped)
			break;
		submit_accept(c, &d[i]);
		batch->tags[i] = d[i].tag;
		batch->generations[i] = d[i].generation;
	}
	return i;
}

static void submit_now(struct w_fd *fd, uint32_t first, uint32_t n, uint32_t accepted, int stopped)
{
	struct aif_ioc_submit arg = { .size = sizeof(arg), .first = first, .count = n };
	struct aif_cmd_submit cmd = { .first = first, .count = n };
	struct actor *at = &fd->actor->at;

	if (can_ring(fd) && one_in(2)) {
		must_be(actor_ring_call(at, fd->fd, AIF_CMD_SUBMIT, &cmd),
			accepted ? (long)accepted : stopped);
		return;
	}
	must_be(actor_call(at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg), PLACE_DESK),
		accepted ? 0 : stopped);
	if (arg.out_accepted != accepted)
		fail("%u were accepted, expected %u", arg.out_accepted, accepted);
}

static void submit_waiting(struct w_fd *fd, uint32_t first, uint32_t n, struct w_wait *batch)
{
	uint32_t flags = batch->first ? AIF_SUBMIT_F_WAIT_FIRST : AIF_SUBMIT_F_WAIT_ALL;
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .flags = flags, .first = first, .count = n,
	};
	struct aif_cmd_submit cmd = { .flags = flags, .first = first, .count = n };
	struct w_wait *wait;
	long number = 0;

	if (can_park(fd))
		number = actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_SUBMIT, &cmd);
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg));
	wait = wait_new(fd->actor, fd->file, WAIT_SUBMIT, number);
	wait->accepted = batch->accepted;
	wait->first = batch->first;
	memcpy(wait->tags, batch->tags, sizeof(wait->tags));
	memcpy(wait->generations, batch->generations, sizeof(wait->generations));
	say(" waiting for %s (wait %u)", batch->first ? "the first" : "all", w.wait_count - 1);
}

static bool submit(struct w_fd *fd, uint32_t n, bool waits)
{
	struct w_client *c = fd->file->client;
	uint32_t first = (uint32_t)next_random(), i;
	struct w_wait batch = { .first = one_in(2) };
	struct aif_desc d[MAX_DEPTH];
	int stopped = 0;

	say_fd(fd, "submits by");
	for (i = 0; i < n; i++) {
		d[i] = some_desc(c);
		if (one_in(8))
			spoil_desc(c, &d[i]);
		write_desc(c, first + i, &d[i]);
	}
	batch.accepted = take(c, d, n, &batch, &stopped);
	if (waits && batch.accepted)
		submit_waiting(fd, first, n, &batch);
	else
		submit_now(fd, first, n, batch.accepted, stopped);
	return true;
}

/* Most of those that submit have a service to submit to. */
static struct w_fd *pick_submitter(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->file->client &&
			       fd->file->client->open_count &&
			       map_of_array(fd->file, AIF_ARRAY_DESC));

	if (!fd || one_in(16))
		fd = pick_client();
	return fd && map_of_array(fd->file, AIF_ARRAY_DESC) ? fd : NULL;
}

static bool op_submit(void)
{
	struct w_fd *fd = pick_submitter();

	return fd && submit(fd, 1 + pick(3), false);
}

static bool op_submit_waiting(void)
{
	struct w_fd *fd = pick_submitter();

	return fd && (can_park(fd) || !has_waits(fd->actor)) &&
	       submit(fd, 1 + pick(3), true);
}

static bool op_bad_submit(void)
{
	struct w_fd *fd = pick_client();
	struct aif_ioc_submit arg = { .count = 1 };

	if (!fd)
		return false;
	if (one_in(2))
		arg.count = one_in(2) ? 0 : fd->file->client->depth + 1 + pick(1u << 30);
	else
		arg.flags = AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST;
	say_fd(fd, "submits wrongly by");
	call(fd, AIF_IOC_SUBMIT, &arg, -EINVAL);
	return true;
}

static void cancel_waits(const struct w_client *c)
{
	struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor && wait->file == c->file && wait->number &&
		    wait->kind != WAIT_SUBMIT)
			wait->cancelled = true;
}

static void cancel_all(struct w_client *c)
{
	uint32_t i;

	for (i = 0; i < c->depth; i++)
		request_end(&c->tags[i], -ECANCELED);
}

static void cancelled(struct w_client *c, const struct aif_ioc_cancel *arg)
{
	if (arg->flags)
		cancel_waits(c);
	else if (arg->tag == AIF_TAG_ALL)
		cancel_all(c);
	else
		request_end(&c->tags[arg->tag], -ECANCELED);
}

static int predict_cancel(const struct w_client *c, const struct aif_ioc_cancel *arg)
{
	const struct w_request *r;

	if (arg->flags)
		return arg->tag == AIF_TAG_ALL && !arg->generation ? 0 : -EINVAL;
	if (arg->tag == AIF_TAG_ALL)
		return 0;
	if (arg->tag >= c->depth)
		return -EINVAL;
	r = &c->tags[arg->tag];
	return request_busy(r) && !request_answered(r) && r->desc.generation == arg->generation ?
	       0 : -ENOENT;
}

static bool op_cancel(void)
{
	struct w_fd *fd = pick_client();
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_cancel arg = { 0 };
	struct aif_cmd_cancel cmd;
	int want;

	if (!fd)
		return false;
	arg.tag = one_in(8) ? AIF_TAG_ALL : one_in(16) ? (uint32_t)next_random() : pick(c->depth);
	arg.flags = one_in(12) ? AIF_CANCEL_F_WAITS : 0;
	if (arg.flags && !one_in(6))
		arg.tag = AIF_TAG_ALL;
	else if (arg.tag < c->depth)
		arg.generation = c->tags[arg.tag].desc.generation - one_in(8);
	want = predict_cancel(c, &arg);
	say_fd(fd, "cancels by");
	say(" tag %u gen %u flags %u", arg.tag, arg.generation, arg.flags);
	if (can_ring(fd) && one_in(2)) {
		cmd = (struct aif_cmd_cancel){ arg.flags, arg.tag, arg.generation, 0 };
		must_be(actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_CANCEL, &cmd), want);
	} else if (!call(fd, AIF_IOC_CANCEL, &arg, want)) {
		return true;
	}
	if (!want)
		cancelled(c, &arg);
	return true;
}

/* ---- clients: waiting ---- */

/* What is waited for, with nobody in it yet. */
static struct w_wait some_wait(struct w_fd *fd)
{
	const struct w_client *c = fd->file->client;
	struct w_wait wait = { .file = fd->file, .kind = WAIT_ANSWERED + pick(3) };

	if (wait.kind == WAIT_ANSWERED) {
		wait.value = c->answered + pick(3);
	} else if (wait.kind == WAIT_QUIET) {
		wait.tag = one_in(4) ? AIF_TAG_ALL : pick(c->depth);
	} else {
		wait.tag = pick(c->depth);
		wait.value = pick(3) * 40;
	}
	say_fd(fd, "waits by");
	say(" kind %u tag %u value %llu", wait.kind, wait.tag, (unsigned long long)wait.value);
	return wait;
}

static struct aif_ioc_wait wait_argument(const struct w_wait *wait, int64_t timeout_ns)
{
	return (struct aif_ioc_wait){
		.size = sizeof(struct aif_ioc_wait), .tag = wait->tag, .value = wait->value,
		.flags = wait->kind == WAIT_PRODUCED ? AIF_WAIT_F_PRODUCED : 0,
		.timeout_ns = timeout_ns,
	};
}

static struct aif_ioc_wait_quiet quiet_argument(const struct w_wait *wait, int64_t timeout_ns)
{
	return (struct aif_ioc_wait_quiet){
		.size = sizeof(struct aif_ioc_wait_quiet), .tag = wait->tag,
		.timeout_ns = timeout_ns,
	};
}

/* Look, or wait for a moment in which nothing can happen. */
static bool op_wait(void)
{
	struct w_fd *fd = pick_client();
	int64_t timeout = one_in(4) ? pick(2000000) : 0;
	struct w_wait wait;
	struct aif_ioc_wait arg;
	struct aif_ioc_wait_quiet quiet;
	bool good;
	int want;

	if (!fd)
		return false;
	wait = some_wait(fd);
	want = wait_is_due(&wait) ? 0 : -ETIME;
	arg = wait_argument(&wait, timeout);
	quiet = quiet_argument(&wait, timeout);
	good = wait.kind == WAIT_QUIET ? call(fd, AIF_IOC_WAIT_QUIET, &quiet, want) :
					 call(fd, AIF_IOC_WAIT, &arg, want);
	if (good && wait.kind == WAIT_ANSWERED && wait.value > fd->file->client->seen)
		fd->file->client->seen = wait.value;
	return true;
}

static long park_wait(struct w_fd *fd, const struct w_wait *wait)
{
	struct aif_cmd_wait cmd = {
		.flags = wait->kind == WAIT_PRODUCED ? AIF_WAIT_F_PRODUCED : 0,
		.tag = wait->tag, .value = wait->value,
	};
	struct aif_cmd_wait_quiet quiet = { .tag = wait->tag };

	return wait->kind == WAIT_QUIET ?
	       actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_WAIT_QUIET, &quiet) :
	       actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_WAIT, &cmd);
}

static long block_wait(struct w_fd *fd, const struct w_wait *wait)
{
	struct aif_ioc_wait arg = wait_argument(wait, -1);
	struct aif_ioc_wait_quiet quiet = quiet_argument(wait, -1);

	if (wait->kind == WAIT_QUIET)
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_WAIT_QUIET, &quiet, sizeof(quiet));
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_WAIT, &arg, sizeof(arg));
	return 0;
}

static bool op_wait_long(void)
{
	struct w_fd *fd = pick_client();
	struct w_wait wait, *added;
	long number;

	if (!fd || (!can_park(fd) && has_waits(fd->actor)))
		return false;
	wait = some_wait(fd);
	number = can_park(fd) ? park_wait(fd, &wait) : block_wait(fd, &wait);
	if (number < 0)
		fail("the ring does not take it: %s", result_name(number));
	added = wait_new(fd->actor, fd->file, wait.kind, number);
	added->tag = wait.tag;
	added->value = wait.value;
	say(" (wait %u)", w.wait_count - 1);
	return true;
}

/* ---- rings ---- */

static bool op_ring_open(void)
{
	static const enum door_kind kinds[] = {
		DOOR_RING, DOOR_RING, DOOR_ASYNC, DOOR_SQPOLL, DOOR_DEFER, DOOR_DEFER, DOOR_COOP,
	};
	struct w_actor *a = pick_actor();
	enum door_kind kind = kinds[pick(sizeof(kinds) / sizeof(kinds[0]))];

	if (!a || a->ring)
		return false;
	say("actor %u opens a ring: %s", actor_number(a), door_name(kind));
	must_be(actor_ring_open(&a->at, kind), 0);
	a->ring = true;
	a->kind = kind;
	return true;
}

/*
 * On a kernel with lockdep, 6.12's io_uring warns of itself when a live process
 * closes such a ring with a command in it.
 */
static bool ring_close_warns(const struct w_actor *a)
{
	return a->kind == DOOR_DEFER && has_waits(a) && !access("/proc/lockdep", F_OK);
}

static bool op_ring_close(void)
{
	struct w_actor *a = pick_actor();

	if (!a || !a->ring || ring_close_warns(a))
		return false;
	say("actor %u closes its ring", actor_number(a));
	must_be(actor_ring_close(&a->at), 0);
	actor_loses_ring(a);
	return true;
}

/* A command that no file of that role has, or that was not asked for. */
static bool op_ring_wrong(void)
{
	static const uint8_t zeroes[16];
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->actor->ring && may_call(fd));
	int want = -ENOTTY;

	if (!fd)
		return false;
	if (fd->file->client && !fd->file->client->depth)
		want = -ENXIO;
	else if ((fd->file->client || fd->file->executor) && !(fd->file->features & AIF_F_URING))
		want = -EOPNOTSUPP;
	say_fd(fd, "asks its ring for nothing by");
	must_be(actor_ring_call(&fd->actor->at, fd->fd, 0x50 + pick(1000), zeroes), want);
	return true;
}

/* ---- memory ---- */

static struct w_map *pick_memory(void)
{
	return PICK(m, map, idle(m->actor) && !m->own);
}

static uint64_t *stamp_of(struct w_map *m, uint32_t page)
{
	return m->view && m->view->dead ? &m->view->stamp : &m->buffer->stamps[m->first + page];
}

struct mapping {
	uint64_t offset;
	uint32_t pages, first, of;
	bool writable;		/* the object can be */
	int prot, flags;
};

static int predict_mmap(const struct mapping *how, bool found)
{
	if (!found)
		return -ENOENT;
	if (how->flags != MAP_SHARED || how->first + how->pages > how->of)
		return -EINVAL;
	if (how->prot & PROT_EXEC || (how->prot & PROT_WRITE && !how->writable))
		return -EACCES;
	return 0;
}

static void spoil_mapping(struct mapping *how)
{
	switch (pick(4)) {
	case 0:
		how->pages += how->of;
		break;
	case 1:
		how->first = how->of + pick(4);
		break;
	case 2:
		how->prot |= PROT_EXEC;
		break;
	default:
		how->flags = MAP_PRIVATE;
	}
}

static struct w_map *map_object(struct w_fd *fd, uint32_t handle, struct mapping how, bool found)
{
	struct w_map *m;
	int want;
	long at;

	how.flags = MAP_SHARED;
	how.first = found ? pick(how.of) : 0;
	how.pages = found ? 1 + pick(how.of - how.first) : 1;
	how.prot = PROT_READ | (one_in(4) == how.writable ? 0 : PROT_WRITE);
	if (one_in(8))
		spoil_mapping(&how);
	how.offset = ((uint64_t)handle << 32) + how.first * PAGE;
	want = predict_mmap(&how, found);
	say_fd(fd, "maps of");
	say(" handle %u pages %u+%u of %u prot %d", handle, how.first, how.pages, how.of, how.prot);
	at = actor_mmap(&fd->actor->at, fd->fd, how.offset, how.pages * PAGE, how.prot, how.flags);
	must_be(at > 0 ? 0 : at, want);
	if (want)
		return NULL;
	m = map_new(fd->actor, fd->file, at, how.pages);
	m->first = how.first;
	m->writable = how.prot & PROT_WRITE;
	return m;
}

static bool op_map_buffer(void)
{
	struct w_fd *fd = pick_client();
	uint32_t handle = fd ? some_buffer(fd->file->client) : 0;
	struct w_buffer *b = fd ? buffer_find(fd->file->client, handle) : NULL;
	struct mapping how = { .of = b ? b->pages : 1, .writable = true };
	struct w_map *m;

	/* Handle 0 is the arrays. */
	if (!fd || !handle)
		return false;
	m = map_object(fd, handle, how, b);
	if (!m)
		return true;
	m->buffer = b;
	return true;
}

static bool op_map_view(void)
{
	struct w_fd *fd = pick_executor();
	struct w_executor *ex = fd ? fd->file->executor : NULL;
	struct w_view *v = fd ? PICK(v, view, v->executor == ex && v->attached) : NULL;
	struct mapping how = { .of = 1 };
	uint32_t id = v && !one_in(8) ? v->grant->id : 1 + pick(8);
	struct w_map *m;

	if (!fd)
		return false;
	v = view_find(ex, id);
	if (v) {
		how.of = v->grant->buffer->pages;
		how.writable = v->grant->writable;
	}
	m = map_object(fd, id, how, v);
	if (!m)
		return true;
	m->view = v;
	m->buffer = v->grant->buffer;
	return true;
}

static bool op_unmap(void)
{
	struct w_map *m = pick_memory();

	if (!m)
		return false;
	say("actor %u unmaps map %td", actor_number(m->actor), m - w.maps);
	unmap(m);
	return true;
}

static bool op_peek(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;
	uint64_t is = 0;
	long want;

	if (!m)
		return false;
	want = m->readable ? (long)sizeof(is) : -EFAULT;
	say("actor %u reads map %td page %u", actor_number(m->actor), m - w.maps, page);
	must_be(actor_peek(&m->actor->at, m->at + page * PAGE, &is, sizeof(is)), want);
	if (m->readable && is != *stamp_of(m, page))
		fail("it holds %llu, expected %llu%s", (unsigned long long)is,
		     (unsigned long long)*stamp_of(m, page),
		     m->view && m->view->dead ? " (of the page thrown away)" : "");
	return true;
}

static bool op_poke(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;
	uint64_t stamp = ++w.stamp;
	long ret;

	if (!m)
		return false;
	say("actor %u writes %llu to map %td page %u", actor_number(m->actor),
	    (unsigned long long)stamp, m - w.maps, page);
	ret = actor_poke(&m->actor->at, m->at + page * PAGE, &stamp, sizeof(stamp));
	must_be(ret, m->writable ? (long)sizeof(stamp) : -EFAULT);
	if (m->writable)
		*stamp_of(m, page) = stamp;
	return true;
}

static bool op_remap(void)
{
	struct w_map *m = pick_memory();
	uint32_t pages = m ? m->pages + (one_in(4) ? 1 : 0) : 0;
	long at;

	if (!m)
		return false;
	say("actor %u moves map %td, to %u pages from %u", actor_number(m->actor), m - w.maps,
	    pages, m->pages);
	at = actor_mremap(&m->actor->at, m->at, m->pages * PAGE, pages * PAGE);
	must_be(at > 0 ? 0 : at, pages > m->pages ? -EFAULT : 0);
	if (at > 0)
		m->at = (uint64_t)at;
	return true;
}

static bool may_be_written(const struct w_map *m)
{
	return !m->view || m->view->grant->writable;
}

static bool op_protect(void)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};
	struct w_map *m = pick_memory();
	int prot = prots[pick(6)];
	int want = 0;

	if (!m)
		return false;
	if (prot & PROT_EXEC || (prot & PROT_WRITE && !may_be_written(m)))
		want = -EACCES;
	say("actor %u protects map %td: %d", actor_number(m->actor), m - w.maps, prot);
	must_be(actor_mprotect(&m->actor->at, m->at, m->pages * PAGE, prot), want);
	if (!want) {
		m->readable = prot & PROT_READ;
		m->writable = prot & PROT_WRITE;
	}
	return true;
}

static bool op_advise(void)
{
	static const int advices[] = { MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_WILLNEED };
	struct w_map *m = pick_memory();
	int advice = advices[pick(4)];

	if (!m)
		return false;
	say("actor %u advises map %td: %d", actor_number(m->actor), m - w.maps, advice);
	must_be(actor_madvise(&m->actor->at, m->at, m->pages * PAGE, advice), 0);
	if (advice == MADV_DOFORK || advice == MADV_DONTFORK)
		m->inherited = advice == MADV_DOFORK;
	return true;
}

/* What a device driver does with memory that it is told of. */
static bool op_pin(void)
{
	struct w_map *m = pick_memory();
	uint32_t page = m ? pick(m->pages) : 0;

	if (!m || m->actor->has_pin)
		return false;
	say("actor %u pins map %td page %u", actor_number(m->actor), m - w.maps, page);
	must_be(actor_pin(&m->actor->at, m->at + page * PAGE), m->writable ? 0 : -EFAULT);
	if (!m->writable)
		return true;
	m->actor->has_pin = true;
	if (m->view && m->view->dead)
		return true;
	m->actor->pinned = m->buffer;
	m->actor->pinned_page = m->first + page;
	return true;
}

static bool op_unpin(void)
{
	struct w_actor *a = pick_actor();

	if (!a || !a->has_pin)
		return false;
	say("actor %u unpins", actor_number(a));
	must_be(actor_unpin(&a->at), 0);
	a->has_pin = false;
	a->pinned = NULL;
	return true;
}

/* ---- all of them ---- */

#define OP(fn, often)	{ #fn, op_##fn, often }

static const struct {
	const char *name;
	bool (*run)(void);
	uint32_t often;
} table[] = {
	OP(kill, 2), OP(fork, 2), OP(exec, 1),
	OP(open_client, 3), OP(open_serve, 5), OP(close, 2), OP(abandon, 2), OP(dup, 2),
	OP(send, 3), OP(poll, 5), OP(info, 5), OP(wrong_role, 2), OP(unknown, 1), OP(intrude, 6),
	OP(create, 8), OP(drain, 1), OP(list, 1), OP(describe, 4), OP(attach, 20),
	OP(declare, 5), OP(fetch, 80), OP(fetch_waiting, 20), OP(bad_fetch, 2), OP(progress, 20),
	OP(open_service, 5), OP(alloc, 5), OP(free, 2), OP(grant, 8), OP(revoke, 4),
	OP(submit, 40), OP(submit_waiting, 10), OP(bad_submit, 1), OP(cancel, 5),
	OP(wait, 5), OP(wait_long, 6),
	OP(ring_open, 5), OP(ring_close, 1), OP(ring_wrong, 1),
	OP(map_buffer, 4), OP(map_view, 8), OP(unmap, 2), OP(peek, 12), OP(poke, 10),
	OP(remap, 2), OP(protect, 2), OP(advise, 4), OP(pin, 4), OP(unpin, 2),
};

#define KINDS	(sizeof(table) / sizeof(table[0]))

const uint32_t play_kinds = KINDS;

void play_init(void)
{
	size_t i;

	play_counts = mmap(NULL, KINDS * sizeof(*play_counts), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (play_counts == MAP_FAILED)
		fail("no memory");
	for (i = 0; i < KINDS; i++)
		play_counts[i].name = table[i].name;
}

static size_t pick_kind(void)
{
	uint32_t sum = 0, at;
	size_t i;

	for (i = 0; i < KINDS; i++)
		sum += table[i].often;
	at = pick(sum);
	for (i = 0; at >= table[i].often; i++)
		at -= table[i].often;
	return i;
}

/* One that can be done now; what cannot be done says and changes nothing. */
void play(uint32_t n, uint64_t seed)
{
	size_t kind;

	chance = seed;
	say_op(n);
	do {
		kind = pick_kind();
	} while (!table[kind].run());
	play_counts[kind].done++;
	settle();
}

static void read_limit(const char *name, void *to, size_t bytes)
{
	char path[96], text[32] = { 0 };
	uint64_t value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/aif/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		fail("%s: %s", path, result_name(-errno));
	fclose(f);
	value = text[0] == 'Y' || strtoull(text, NULL, 10);
	if (text[0] != 'Y' && text[0] != 'N')
		value = strtoull(text, NULL, 10);
	memcpy(to, &value, bytes);
}

#define READ_LIMIT(name) read_limit(#name, &w.limits.name, sizeof(w.limits.name))

static void read_limits(void)
{
	READ_LIMIT(max_depth);
	READ_LIMIT(max_buffers);
	READ_LIMIT(max_grants);
	READ_LIMIT(max_services);
	READ_LIMIT(tenant_requests);
	READ_LIMIT(device_requests);
	READ_LIMIT(tenant_bytes);
	READ_LIMIT(service_bytes);
	READ_LIMIT(tenant_by_uid);
}

static struct w_fd *last_fd(void)
{
	return &w.fds[w.fd_count - 1];
}

/* A holder, an executor, a client with a granted buffer. */
static void furnish(uint32_t number)
{
	struct w_actor *server = &w.actors[2 * number], *user = &w.actors[2 * number + 1];
	struct w_service *s;
	struct w_client *c;

	say_op(0);
	open_file(server, true);
	create_service(last_fd(), number);
	if (!w.service_count)
		return;
	s = &w.services[w.service_count - 1];
	open_file(server, true);
	attach(last_fd(), s, NULL, -1);
	settle();
	say_op(0);
	open_file(user, false);
	c = last_fd()->file->client;
	info_file(last_fd(), 16, AIF_F_URING);
	open_service(last_fd(), s->desc.name, s->owner);
	alloc(last_fd(), 4 * PAGE);
	if (w.buffer_count && c->open_count)
		grant(last_fd(), w.buffers[w.buffer_count - 1].handle, c->opens[0].handle, true);
	settle();
}

void play_begin(void)
{
	uint32_t i;

	read_limits();
	settle_begin();
	fail_status = 1;
	for (i = 0; i < FIRST_ACTORS; i++)
		actor_made(&w.actors[i], party_new(uids[i]), uids[i]);
	furnish(0);
	furnish(1);
}

void play_end(void)
{
	struct w_actor *a;

	for (a = w.actors; a < w.actors + MAX_ACTORS; a++) {
		if (!a->alive)
			continue;
		say_op(0);
		say("actor %u is killed at the end", actor_number(a));
		kill_actor(a);
		settle();
	}
}
