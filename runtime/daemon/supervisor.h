/* SPDX-License-Identifier: MIT */
/* supervisor.h - holds the services and keeps their workers alive */
#ifndef AIFD_SUPERVISOR_H
#define AIFD_SUPERVISOR_H

#include "runtime/daemon/conf.h"

/*
 * Serve all of @conf on @device until SIGTERM, SIGINT or SIGHUP, then drain.  Logs.
 * The exit status: 0 when everything that was queued has been answered.
 */
int supervise(struct conf *conf, const char *device);

#endif
