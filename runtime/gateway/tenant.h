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

#include <stdatomic.h>

#include "runtime/gateway/identity.h"

struct tenants;

/*
 * One tenant; constant but for its failures, and lives as long as the gateway.
 *
 * @index: counted from 0, which is the gateway itself
 * @gid:   of the user that is a KEY_TENANT_UID
 * @failed: -errno of the last helper, 0: none; it was at @failed_ns  [any thread]
 */
struct tenant {
	struct tenant *next;
	unsigned int index;
	struct key_tenant key;
	gid_t gid;
	atomic_int failed;
	atomic_uint_least64_t failed_ns;
};

struct tenants *tenants_open(void);
void tenants_close(struct tenants *tenants);

/* The tenant that @key names; NULL: no memory.  [any thread] */
struct tenant *tenant_get(struct tenants *tenants, const struct key_tenant *key);

/*
 * A file of @device that @tenant pays for, opened by a process that lives for that
 * alone.  -errno: EPERM or EACCES this process may not become that tenant, ENOENT there
 * is no such cgroup (or no such device); ETIME it took too long; EPERM also where the
 * module charges cgroups and this is a user, or the other way round.  It was logged; the
 * same is answered for five seconds then.  [any thread]
 */
int tenant_open_device(struct tenant *tenant, const char *device);

/* For people and for metrics: "self" for the gateway's own. */
const char *tenant_name(const struct tenant *tenant);

#endif
