/* SPDX-License-Identifier: MIT */
/*
 * The doors to one implementation: ioctl, and io_uring in its ways.  What a
 * party does by a door, it does by any.
 */
#ifndef DOOR_H
#define DOOR_H

#include "tests/uapi/raw.h"

enum door_kind {
	DOOR_IOCTL,
	DOOR_RING,
	DOOR_ASYNC,	/* each command by a worker of io_uring's (IOSQE_ASYNC) */
	DOOR_SQPOLL,
	DOOR_DEFER,	/* DEFER_TASKRUN | SINGLE_ISSUER */
	DOOR_COOP,	/* COOP_TASKRUN */
	DOOR_COUNT
};

#define DOOR_ENDED_MAX	128

struct door {
	enum door_kind kind;
	bool open;
	uint64_t last;		/* number of the last command */
	struct io_uring ring;
	uint32_t ended_count;	/* completions that nobody asked for yet */
	struct {
		uint64_t number;
		int res;
	} ended[DOOR_ENDED_MAX];
};

const char *door_name(enum door_kind kind);
/* DOOR_COUNT if there is none of that name. */
enum door_kind door_by_name(const char *name);

int door_open(struct door *d, enum door_kind kind);	/* 0 or -errno */
void door_close(struct door *d);

/* Put a command (enum aif_cmd, 16 bytes) into the ring: its number, or -errno. */
long door_start(struct door *d, int fd, uint32_t op, const void *payload);
/* The same in two halves, for chains: number an SQE that @d->ring gave, and let
 * all those go. */
long door_add(struct door *d, struct io_uring_sqe *sqe);
int door_go(struct door *d);
/* Has it ended?  Looks, does not wait. */
bool door_ended(struct door *d, long number);
/* Wait for its end: its res. */
int door_end(struct door *d, long number);
/* Wait for the end of any, at most @ms: its number, 0, or -errno. */
long door_end_any(struct door *d, unsigned int ms, int *res);

/* Like their namesakes in raw.h; those that wait have no limit. */
int door_submit(struct door *d, struct raw_client *c, const struct aif_desc *desc, uint32_t n,
		uint32_t flags);
int door_wait(struct door *d, struct raw_client *c, uint64_t answered);
int door_wait_produced(struct door *d, struct raw_client *c, uint32_t tag, uint64_t produced);
int door_wait_quiet(struct door *d, struct raw_client *c, uint32_t tag);
int door_cancel(struct door *d, struct raw_client *c, uint32_t tag, uint32_t generation);
int door_turn(struct door *d, struct raw_executor *ex, uint32_t flags, uint32_t commits,
	      uint32_t credit);
int door_progress(struct door *d, struct raw_executor *ex, struct raw_taken t, uint32_t produced);

#endif
