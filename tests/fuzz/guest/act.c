// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "act.h"

/* ---- chance ---- */

static uint64_t chance;

void set_chance(uint64_t seed)
{
	chance = seed;
}

uint64_t next_random(void)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t pick(uint32_t n)
{
	return (uint32_t)(next_random() % n);
}

bool one_in(uint32_t n)
{
	return !pick(n);
}

bool idle(const struct w_actor *a)
{
	return a && a->alive && !a->blocked;
}

struct w_actor *pick_actor(void)
{
	uint32_t i, seen = 0, found = MAX_ACTORS;

	for (i = 0; i < MAX_ACTORS; i++)
		if (idle(&w.actors[i]) && one_in(++seen))
			found = i;
	return found < MAX_ACTORS ? &w.actors[found] : NULL;
}

struct w_fd *pick_fd(uint32_t roles)
{
	return PICK(fd, fd, idle(fd->actor) && roles & (1u << fd->file->role));
}

/* A client that has its arrays. */
struct w_fd *pick_client(void)
{
	return PICK(fd, fd, idle(fd->actor) && fd->file->client && fd->file->client->depth);
}

/* An executor's descriptor in its own process. */
static bool is_executor(const struct w_fd *fd)
{
	return idle(fd->actor) && fd->file->executor &&
	       executor_is_of(fd->file->executor, fd->actor) &&
	       map_of_array(fd->file, AIF_ARRAY_COMMIT);
}

static bool has_work(const struct w_executor *ex)
{
	return executor_held(ex) || executor_events(ex) || service_queued(ex->service);
}

/* Most often one that has something to do. */
struct w_fd *pick_executor(void)
{
	struct w_fd *busy = PICK(fd, fd, is_executor(fd) && has_work(fd->file->executor));

	return busy && !one_in(4) ? busy : PICK(fd, fd, is_executor(fd));
}

struct w_service *pick_service(void)
{
	struct w_service *s = PICK(s, service, !s->gone && !s->draining);

	return s && !one_in(8) ? s : PICK(s, service, true);
}

uint32_t actor_number(const struct w_actor *a)
{
	return (uint32_t)(a - w.actors);
}

uint32_t count_fds(const struct w_actor *a)
{
	const struct w_fd *fd;
	uint32_t n = 0;

	for EACH(fd, fd)
		n += fd->actor == a;
	return n;
}

bool has_waits(const struct w_actor *a)
{
	const struct w_wait *wait;

	for EACH(wait, wait)
		if (wait->actor == a)
			return true;
	return false;
}

/* An executor's file answers to its own process only. */
bool may_call(const struct w_fd *fd)
{
	return !fd->file->executor || executor_is_of(fd->file->executor, fd->actor);
}

bool can_ring(const struct w_fd *fd)
{
	return fd->actor->ring && fd->file->features & AIF_F_URING;
}

bool can_block(const struct w_actor *a)
{
	return !has_waits(a);
}

/* ---- checks ---- */

void must_be(long ret, long want)
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

static bool spoils = true;

void spoil_calls(bool on)
{
	spoils = on;
}

/* How this argument can be spoilt, or SPOIL_NOT; most are left alone. */
static enum spoil pick_spoil(const struct op *o, const struct argument *arg)
{
	enum spoil spoil = spoils && one_in(6) ? 1 + pick(SPOIL_COUNT - 1) : SPOIL_NOT;
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
bool call(struct w_fd *fd, unsigned long cmd, void *p, int want)
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

struct w_fd *say_fd(struct w_fd *fd, const char *what)
{
	say("actor %u %s fd %d (file %td)", actor_number(fd->actor), what, fd->fd,
	    fd->file - w.files);
	return fd;
}
