/* SPDX-License-Identifier: MIT */
/* usage.h - who has the devices, and what they got since the last look */
#ifndef AIF_TOOLS_USAGE_H
#define AIF_TOOLS_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libaif.h"

/* What came in a second. */
struct usage_rate {
	double answered;
	double device;		/* seconds of device time */
	double moved;		/* bytes */
};

/* @info: its text is NULL */
struct usage_service {
	struct aif_service_info info;
	struct usage_rate rate;
};

struct usage_tenant {
	struct aif_tenant_info info;
	struct usage_rate rate;
};

/* The sums of the services that name it. */
struct usage_device {
	char name[AIF_SERVICE_NAME_MAX];
	uint32_t services, queued, fetched;
	struct usage_rate rate;
};

/*
 * One look, the busiest first.  @seconds: since the look before, 0 if there was none.
 * @tenant_count: -errno where they cannot be seen (-EPERM, -EOPNOTSUPP).
 */
struct usage {
	uint64_t taken_ns;		/* CLOCK_MONOTONIC */
	double seconds;
	struct usage_service *services;
	struct usage_tenant *tenants;
	struct usage_device *devices;
	size_t service_count, device_count;
	int tenant_count;
};

/*
 * Look again: *@u, zeroed before the first time, is what the look before came to, and
 * becomes this one's.  What was not there before counts from 0; a tenant that was
 * forgotten and came back too.  0, or -errno and *@u as before.
 */
int usage_look(struct aif_client *client, struct usage *u);
void usage_free(struct usage *u);

#endif
