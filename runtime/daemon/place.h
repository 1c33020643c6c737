/* SPDX-License-Identifier: MIT */
/* place.h - which hardware a service computes on: settled before it is created */
#ifndef AIFD_PLACE_H
#define AIFD_PLACE_H

#include "runtime/daemon/conf.h"

#define PLACE_SECONDS 30

/*
 * Try the backend that @conf names, in a process of its own: a GPU's driver, once
 * started, does not survive a fork, and may end the process that tries it.  If it
 * opens, @conf says which device it is, for all workers to have the same; if not, the
 * reason is logged in one line and @conf says cpu.  Takes PLACE_SECONDS at most, and one.
 */
void place(struct service_conf *conf);

/*
 * What a service of @conf says of it: "cpu", a device's UUID, or "" when nobody placed it
 * and opening will show.  Static, or @conf's.
 */
const char *place_hardware(const struct service_conf *conf);

#endif
