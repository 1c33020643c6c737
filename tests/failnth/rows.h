/* SPDX-License-Identifier: MIT */
/* The table of operations: what the sweep runs, one row after the other. */
#ifndef ROWS_H
#define ROWS_H

#include "world.h"

/* How a row differs from: run() fails with -ENOMEM or -EFAULT and has done nothing. */
#define ROW_EAGAIN	(1u << 0)	/* io_uring had no memory for a request */
#define ROW_RETRIES	(1u << 1)	/* never fails: whoever needs the memory tries again */
#define ROW_NOTHING	(1u << 2)	/* there may be nothing to fail */
#define ROW_LATE	(1u << 3)	/* -EFAULT of the outputs: it was done, and stays so */

struct row {
	const char *name;
	/* Prepare one attempt, without faults; 0 or -errno. */
	int (*setup)(struct world *w);
	/* The operation, a system call or two: >= 0, or -errno. */
	int (*run)(struct world *w);
	/* Before the same attempt is run again: ask for something else, which
	 * is refused if the failed run had an effect. */
	void (*vary)(struct world *w);
	/* Take back setup, and run if w->result >= 0. */
	void (*teardown)(struct world *w);
	unsigned int flags;
	unsigned int with;	/* w->with, for setup */
	/*
	 * At least so many faults make it fail; fewer than were counted where the
	 * kernel's own caches decide.  At most so many are there to inject (0: any
	 * number); where that is the number of user copies, the operation allocates
	 * nothing.
	 */
	unsigned int least;
	unsigned int most;
};

extern const struct row ioctl_rows[];
extern const size_t ioctl_row_count;
extern const struct row file_rows[];
extern const size_t file_row_count;
/* These need world's ring. */
extern const struct row ring_rows[];
extern const size_t ring_row_count;

/* ---- shared by rows ---- */

int run_ioctl(struct world *w);		/* w->cmd on w->fd with a copy of w->arg */

/* Rows whose setup opens w->fd. */
void teardown_fd(struct world *w);

/* A descriptor for @tag in the ring: its position. */
uint32_t place_request(struct world *w, uint32_t tag);
/* One request of @tag is queued; ... and fetched: w->held.  0 or -errno. */
int queue_request(struct world *w, uint32_t tag);
int hold_request(struct world *w, uint32_t tag);

#endif
