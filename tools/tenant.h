/* SPDX-License-Identifier: MIT */
/* tenant.h - the tenants of a device, and what people call them */
#ifndef AIF_TOOLS_TENANT_H
#define AIF_TOOLS_TENANT_H

#include <stdint.h>

#include "libaif.h"

#define TENANT_NAME_MAX 256

/*
 * All tenants, ascending by id, into *@all, to be freed, in any case.  Returns how many,
 * or -errno: see aif_tenant_list().
 */
int tenant_all(struct aif_client *client, struct aif_tenant_info **all);

/*
 * The user's name, or the cgroup's path below cgroup v2's root; the number where neither
 * is to be had (only root finds cgroups by it).  Printable ASCII; a long path lacks its
 * beginning.
 */
void tenant_name(uint64_t id, char name[TENANT_NAME_MAX]);

#endif
