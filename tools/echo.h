/* SPDX-License-Identifier: MIT */
/*
 * echo.h - an executor that answers at once, for measuring the way there and back
 *
 * On a kernel's device it is a child process, on "local" a thread.
 */
#ifndef AIF_TOOLS_ECHO_H
#define AIF_TOOLS_ECHO_H

#include "aif_model.h"

/* How to wait: in an ioctl, in a ring, or not at all. */
enum door {
	DOOR_IOCTL,
	DOOR_URING,
	DOOR_SPIN,
};

struct echo;

/*
 * Serve echo under a name of its own.  NULL: see @why.  On a kernel's device: before
 * this process opens anything else of the library, because it forks.
 */
struct echo *echo_start(const char *device, enum door door, unsigned int slots,
			struct aif_why *why);
const char *echo_name(const struct echo *echo);
void echo_stop(struct echo *echo);

#endif
