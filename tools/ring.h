/* SPDX-License-Identifier: MIT */
/* ring.h - an io_uring for one command at a time, of one thread */
#ifndef AIF_TOOLS_RING_H
#define AIF_TOOLS_RING_H

#include <liburing.h>

#include "aif_model.h"

/* 0, or -errno with @why. */
int ring_open(struct io_uring *ring, struct aif_why *why);

/* @device did not grant the ring door: -EOPNOTSUPP with @why. */
int ring_refused(const char *device, struct aif_why *why);

/* Submit the command that was prepared, and wait for it: its CQE's res, or -errno. */
int ring_run(struct io_uring *ring);

#endif
