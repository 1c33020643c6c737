/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one executor of a service, in a process of its own
 *
 * A worker is aifd again, with these arguments:
 *
 *	aifd --worker=NAME/NUMBER --device=DEVICE --service=ID --holder-fd=FD
 *	     --status-fd=FD KEY=VALUE...
 *
 * It is executed, not merely forked, so that each has its own random layout of
 * memory, whatever an input did to the one before.
 */
#ifndef AIFD_WORKER_H
#define AIFD_WORKER_H

#include "runtime/daemon/conf.h"

struct worker_args {
	const char *name;	/* NAME/NUMBER */
	const char *device;
	uint32_t service;
	int holder_fd;
	int status_fd;
	char **keys;		/* "KEY=VALUE", NULL at the end */
};

/* The worker's life; its exit status: 0 when the service has drained, else 1. */
int worker_main(const struct worker_args *args);

#endif
