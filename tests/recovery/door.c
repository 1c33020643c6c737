// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "door.h"

#define DOOR_ENTRIES	128

static const char *const names[DOOR_COUNT] = {
	"ioctl", "ring", "async", "sqpoll", "defer", "coop",
};

const char *door_name(enum door_kind kind)
{
	return names[kind];
}

enum door_kind door_by_name(const char *name)
{
	enum door_kind kind = 0;

	while (kind < DOOR_COUNT && strcmp(names[kind], name))
		kind++;
	return kind;
}

int door_open(struct door *d, enum door_kind kind)
{
	static const unsigned int flags[DOOR_COUNT] = {
		[DOOR_SQPOLL] = IORING_SETUP_SQPOLL,
		[DOOR_DEFER] = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
		[DOOR_COOP] = IORING_SETUP_COOP_TASKRUN,
	};
	/* A polling thread sleeps soon: tests have more of them than processors. */
	struct io_uring_params params = { .flags = flags[kind], .sq_thread_idle = 5 };
	int err = 0;

	memset(d, 0, sizeof(*d));
	d->kind = kind;
	if (kind != DOOR_IOCTL)
		err = io_uring_queue_init_params(DOOR_ENTRIES, &d->ring, &params);
	d->open = !err;
	return err;
}

void door_close(struct door *d)
{
	if (d->open && d->kind != DOOR_IOCTL)
		io_uring_queue_exit(&d->ring);
	d->open = false;
}

long door_add(struct door *d, struct io_uring_sqe *sqe)
{
	sqe->user_data = ++d->last;
	if (d->kind == DOOR_ASYNC)
		sqe->flags |= IOSQE_ASYNC;
	return (long)d->last;
}

int door_go(struct door *d)
{
	int n = io_uring_submit(&d->ring);

	return n < 0 ? n : 0;
}

long door_start(struct door *d, int fd, uint32_t op, const void *payload)
{
	struct io_uring_sqe *sqe = raw_ring_prep(&d->ring, fd, op, payload, 0);
	long number;
	int err;

	if (!sqe)
		return -EBUSY;
	number = door_add(d, sqe);
	err = door_go(d);
	return err ? err : number;
}

/* Keep what has come until somebody asks for it. */
static void collect(struct door *d)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&d->ring, head, cqe) {
		if (d->ended_count == DOOR_ENDED_MAX)
			break;
		d->ended[d->ended_count].number = cqe->user_data;
		d->ended[d->ended_count++].res = cqe->res;
		n++;
	}
	io_uring_cq_advance(&d->ring, n);
}

static bool forget(struct door *d, long number, int *res)
{
	uint32_t i;

	for (i = 0; i < d->ended_count; i++) {
		if (d->ended[i].number != (uint64_t)number)
			continue;
		*res = d->ended[i].res;
		d->ended[i] = d->ended[--d->ended_count];
		return true;
	}
	return false;
}

bool door_ended(struct door *d, long number)
{
	uint32_t i;

	io_uring_get_events(&d->ring);
	collect(d);
	for (i = 0; i < d->ended_count; i++)
		if (d->ended[i].number == (uint64_t)number)
			return true;
	return false;
}

int door_end(struct door *d, long number)
{
	struct io_uring_cqe *cqe;
	int res, err;

	collect(d);
	while (!forget(d, number, &res)) {
		err = io_uring_wait_cqe(&d->ring, &cqe);
		if (err && err != -EINTR)
			return err;
		collect(d);
	}
	return res;
}

long door_end_any(struct door *d, unsigned int ms, int *res)
{
	struct __kernel_timespec limit = { .tv_nsec = (long long)ms * 1000000 };
	struct io_uring_cqe *cqe;
	long number;
	int err;

	collect(d);
	if (!d->ended_count) {
		err = io_uring_wait_cqe_timeout(&d->ring, &cqe, &limit);
		if (err)
			return err == -ETIME || err == -EINTR ? 0 : err;
		collect(d);
	}
	number = (long)d->ended[0].number;
	forget(d, number, res);
	return number;
}

static int door_call(struct door *d, int fd, uint32_t op, const void *payload)
{
	long number = door_start(d, fd, op, payload);

	return number < 0 ? (int)number : door_end(d, number);
}

int door_submit(struct door *d, struct raw_client *c, const struct aif_desc *desc, uint32_t n,
		uint32_t flags)
{
	struct aif_cmd_submit cmd = { .flags = flags, .first = c->position, .count = n };
	uint32_t i;

	if (d->kind == DOOR_IOCTL)
		return raw_submit(c, desc, n, flags);
	for (i = 0; i < n; i++)
		c->desc[c->position++ & (c->depth - 1)] = desc[i];
	return door_call(d, c->fd, AIF_CMD_SUBMIT, &cmd);
}

int door_wait(struct door *d, struct raw_client *c, uint64_t answered)
{
	struct aif_cmd_wait cmd = { .value = answered };

	if (d->kind == DOOR_IOCTL)
		return raw_wait(c, answered, -1);
	return door_call(d, c->fd, AIF_CMD_WAIT, &cmd);
}

int door_wait_produced(struct door *d, struct raw_client *c, uint32_t tag, uint64_t produced)
{
	struct aif_cmd_wait cmd = {
		.flags = AIF_WAIT_F_PRODUCED, .tag = tag, .value = produced,
	};

	if (d->kind == DOOR_IOCTL)
		return raw_wait_produced(c, tag, produced, -1);
	return door_call(d, c->fd, AIF_CMD_WAIT, &cmd);
}

int door_wait_quiet(struct door *d, struct raw_client *c, uint32_t tag)
{
	struct aif_cmd_wait_quiet cmd = { .tag = tag };

	if (d->kind == DOOR_IOCTL)
		return raw_wait_quiet(c, tag, -1);
	return door_call(d, c->fd, AIF_CMD_WAIT_QUIET, &cmd);
}

int door_cancel(struct door *d, struct raw_client *c, uint32_t tag, uint32_t generation)
{
	struct aif_cmd_cancel cmd = { .tag = tag, .generation = generation };

	if (d->kind == DOOR_IOCTL)
		return raw_cancel(c, tag, generation);
	return door_call(d, c->fd, AIF_CMD_CANCEL, &cmd);
}

int door_turn(struct door *d, struct raw_executor *ex, uint32_t flags, uint32_t commits,
	      uint32_t credit)
{
	struct aif_cmd_commit_fetch cmd = {
		.flags = flags, .commit_count = commits, .credit = credit,
	};

	if (d->kind == DOOR_IOCTL)
		return raw_turn(ex, flags, commits, credit);
	return door_call(d, ex->fd, AIF_CMD_COMMIT_FETCH, &cmd);
}

int door_progress(struct door *d, struct raw_executor *ex, struct raw_taken t, uint32_t produced)
{
	struct aif_cmd_progress cmd = {
		.slot = t.slot, .generation = t.generation, .produced = produced,
	};

	if (d->kind == DOOR_IOCTL)
		return raw_progress(ex, t, produced, 0);
	return door_call(d, ex->fd, AIF_CMD_PROGRESS, &cmd);
}
