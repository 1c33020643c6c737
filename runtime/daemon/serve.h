/* SPDX-License-Identifier: MIT */
/*
 * serve.h - a service, and the loop that executes its requests
 *
 * Used by aifd, where the two are in different processes, and by tools that run a
 * model in their own process on the "local" device.
 */
#ifndef AIFD_SERVE_H
#define AIFD_SERVE_H

#include <stdatomic.h>

#include "runtime/daemon/conf.h"

/*
 * What a worker says about itself, in memory that it shares with its supervisor.
 *
 * @ready:      it takes requests
 * @busy_since: CLOCK_MONOTONIC ns of its last sign of work while it has requests in
 *              hand; 0: it has none
 */
struct serve_status {
	_Atomic uint32_t ready;
	_Atomic uint64_t busy_since;
};

/* Create the service @conf, whose kind is open as @state.  NULL: see @why. */
struct aif_holder *serve_create(const char *device, const struct service_conf *conf, void *state,
				struct aif_why *why);

/*
 * @device, @service, @holder_fd: as in struct aif_executor_opts
 * @state:   the kind's, opened and not started
 * @status:  shared; zeroed by the caller
 * @ready:   called with @ctx when requests are taken; may be NULL
 */
struct serve_opts {
	const char *device;
	const struct service_conf *conf;
	void *state;
	struct serve_status *status;
	void (*ready)(void *ctx);
	void *ctx;
	uint32_t service;
	int holder_fd;
};

/*
 * Attach, start, and execute requests until the service has drained: 0.  Otherwise
 * -errno with a sentence in @why; requests in hand are for another executor then.
 */
int serve_run(const struct serve_opts *opts, struct aif_why *why);

#endif
