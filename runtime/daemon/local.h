/* SPDX-License-Identifier: MIT */
/* local.h - a service of the "local" device, executed by a thread of this process */
#ifndef AIFD_LOCAL_H
#define AIFD_LOCAL_H

#include "aif_model.h"

struct local;

/*
 * Serve what @pairs say, "KEY=VALUE" as in aifd.conf(5), NULL at the end, under
 * @name.  Returns when the service takes requests.  NULL: see @why.
 */
struct local *local_start(const char *name, char *const *pairs, struct aif_why *why);

/* Drain and end.  0, or -errno with @why: how the service ended. */
int local_stop(struct local *local, struct aif_why *why);

#endif
