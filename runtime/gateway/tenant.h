/* SPDX-License-Identifier: MIT */
/*
 * tenant.h - who pays for a request
 *
 * A tenant is a cgroup or a uid, as a key names it; to the device it is whoever opened
 * the file.  So each loop has a file of its own for each tenant, which the opener's child
 * opened (opener.h); opening.h has the requests that wait for it.
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
 * @failed: -errno of the last opening, 0: it did not fail; it was at @failed_ns  [any thread]
 */
struct tenant {
	struct tenant *next;
	unsigned int index;
	struct key_tenant key;
	atomic_int failed;
	atomic_uint_least64_t failed_ns;
};

struct tenants *tenants_open(void);
void tenants_close(struct tenants *tenants);

/* The tenant that @key names; NULL: no memory.  [any thread] */
struct tenant *tenant_get(struct tenants *tenants, const struct key_tenant *key);

/* Would the module charge it, and not whoever opens the file?  Logged if not.  [any thread] */
bool tenant_is_charged(const struct tenant *tenant);

/* For people and for metrics: "self" for the gateway's own. */
const char *tenant_name(const struct tenant *tenant);

#endif
