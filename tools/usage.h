/* SPDX-License-Identifier: MIT */
/* usage.h - what services and tenants have and were given, and how fast that grows */
#ifndef AIF_TOOLS_USAGE_H
#define AIF_TOOLS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libaif.h"

/* One look.  @tenant_count: -errno where they cannot be seen (-EPERM, -EOPNOTSUPP). */
struct usage {
	uint64_t taken_ns;		/* CLOCK_MONOTONIC */
	struct aif_service_info *services;	/* by id; without io and text */
	size_t service_count;
	struct aif_tenant_info *tenants;	/* by id */
	int tenant_count;
};

/* 0 or -errno; free it in any case. */
int usage_take(struct aif_client *client, struct usage *u);
void usage_free(struct usage *u);

/* A second of it: of a service, of all of a device, of a tenant. */
struct usage_rate {
	double answered;
	double device;		/* seconds of device time */
	double moved;		/* bytes */
};

/*
 * What @now's entry got each second since @before, where it need not have been yet.
 * All 0 where no time passed.
 */
struct usage_rate usage_of_service(const struct usage *before, const struct usage *now,
				   const struct aif_service_info *s);
struct usage_rate usage_of_tenant(const struct usage *before, const struct usage *now,
				  const struct aif_tenant_info *t);

#endif
