/* SPDX-License-Identifier: MIT */
/*
 * tenant.h - who pays for a request
 *
 * A tenant is a cgroup or a uid, as a key names it; to the device it is whoever opened
 * the file.  So each loop has a file of its own for each tenant, opened by a process
 * that has entered the cgroup, or become the uid, for that alone.
 */
#ifndef AIF_GATEWAY_TENANT_H
#define AIF_GATEWAY_TENANT_H

#include "runtime/gateway/identity.h"

struct tenants;

/*
 * One tenant; constant, and lives as long as the gateway.
 *
 * @index: counted from 0, which is the gateway itself
 */
struct tenant {
	struct tenant *next;
	unsigned int index;
	struct key_tenant key;
};

struct tenants *tenants_open(void);
void tenants_close(struct tenants *tenants);

/* The tenant that @key names; NULL: no memory.  [any thread] */
struct tenant *tenant_get(struct tenants *tenants, const struct key_tenant *key);

/* For people and for metrics: "self" for the gateway's own. */
const char *tenant_name(const struct tenant *tenant);

#endif
