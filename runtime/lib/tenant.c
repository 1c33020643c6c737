// SPDX-License-Identifier: MIT
/* Tenants: the ABI's structs are handed out as they are. */
#include <errno.h>
#include <string.h>

#include "lib.h"

_Static_assert(sizeof(struct aif_tenant_values) == sizeof(struct aif_tenant_limits) &&
	       sizeof(struct aif_tenant_info) == sizeof(struct aif_tenant_now),
	       "entries are passed on");
_Static_assert(offsetof(struct aif_tenant_info, used) == offsetof(struct aif_tenant_now, used) &&
	       offsetof(struct aif_tenant_values, weight) ==
	       offsetof(struct aif_tenant_limits, weight) &&
	       offsetof(struct aif_tenant_values, bytes_second) ==
	       offsetof(struct aif_tenant_limits, bytes_second), "entries are passed on");
_Static_assert(AIF_TENANT_ALLOC == AIF_TENANT_F_ALLOC &&
	       AIF_TENANT_PINNED == AIF_TENANT_F_PINNED &&
	       AIF_TENANT_MAPPED == AIF_TENANT_F_MAPPED &&
	       AIF_TENANT_REQUESTS == AIF_TENANT_F_REQUESTS &&
	       AIF_TENANT_WEIGHT == AIF_TENANT_F_WEIGHT &&
	       AIF_TENANT_BYTES_SECOND == AIF_TENANT_F_BYTES_SECOND, "flags are passed on");

_Static_assert(sizeof(struct aif_tenant_realtime_budget) == sizeof(struct aif_tenant_realtime) &&
	       offsetof(struct aif_tenant_realtime_budget, device) ==
	       offsetof(struct aif_tenant_realtime, device) &&
	       AIF_TENANT_REALTIME == AIF_TENANT_F_REALTIME, "budgets are passed on");

int aif_tenant_list(struct aif_client *c, struct aif_tenant_info *tenants, unsigned int capacity)
{
	struct aif_ioc_tenant_list arg = {
		.size = sizeof(arg), .capacity = capacity, .tenants = (uintptr_t)tenants,
		.entry_size = sizeof(*tenants),
	};
	int err = libaif_call_newer(c->file, AIF_IOC_TENANT_LIST, &arg);

	return err ? err : (int)arg.out_count;
}

int aif_tenant_set(struct aif_client *c, uint64_t id, uint32_t set,
		   const struct aif_tenant_values *limits)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = set, .id = id,
		.limits = {
			.alloc_bytes = limits->alloc_bytes, .pinned_bytes = limits->pinned_bytes,
			.mapped_bytes = limits->mapped_bytes,
			.requests = limits->requests, .weight = limits->weight,
			.bytes_second = limits->bytes_second,
		},
	};

	if (set & AIF_TENANT_REALTIME)	/* would take the budget back */
		return -EINVAL;
	return libaif_call_newer(c->file, AIF_IOC_TENANT_SET, &arg);
}

int aif_tenant_set_realtime(struct aif_client *c, uint64_t id,
			    const struct aif_tenant_realtime_budget *budget)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = AIF_TENANT_F_REALTIME, .id = id,
	};

	if (budget)
		memcpy(&arg.realtime, budget, sizeof(arg.realtime));
	return libaif_call_newer(c->file, AIF_IOC_TENANT_SET, &arg);
}
