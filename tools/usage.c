// SPDX-License-Identifier: MIT
#include "tools/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tools/cli.h"
#include "tools/tenant.h"

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct adding {
	struct usage *u;
	bool failed;
};

static void add_service(void *ctx, const struct aif_service_info *s)
{
	struct adding *a = ctx;
	struct aif_service_info *more = reallocarray(a->u->services, a->u->service_count + 1,
						     sizeof(*more));

	a->failed |= !more;
	if (!more)
		return;
	a->u->services = more;
	more[a->u->service_count] = *s;
	more[a->u->service_count++].text = NULL;
}

int usage_take(struct aif_client *client, struct usage *u)
{
	struct adding a = { .u = u };
	int err;

	*u = (struct usage){ 0 };
	err = cli_each_service(client, add_service, &a);
	u->tenant_count = tenant_all(client, &u->tenants);
	u->taken_ns = monotonic_ns();
	return a.failed || u->tenant_count == -ENOMEM ? -ENOMEM : err;
}

void usage_free(struct usage *u)
{
	free(u->services);
	free(u->tenants);
	*u = (struct usage){ 0 };
}

/* One that was forgotten and came back begins at 0. */
static double grown(uint64_t before, uint64_t now)
{
	return (double)(now < before ? now : now - before);
}

static struct usage_rate rate(const struct usage *before, const struct usage *now,
			      struct usage_rate r)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / 1e9;

	if (seconds <= 0)
		return (struct usage_rate){ 0 };
	return (struct usage_rate){ r.answered / seconds, r.device / seconds / 1e9,
				    r.moved / seconds };
}

struct usage_rate usage_of_service(const struct usage *before, const struct usage *now,
				   const struct aif_service_info *s)
{
	static const struct aif_service_info none;
	const struct aif_service_info *was = &none;

	for (size_t i = 0; i < before->service_count; i++)
		if (before->services[i].id == s->id)
			was = &before->services[i];
	return rate(before, now, (struct usage_rate){
		.answered = grown(was->answered, s->answered),
		.device = grown(was->device_ns, s->device_ns),
	});
}

struct usage_rate usage_of_tenant(const struct usage *before, const struct usage *now,
				  const struct aif_tenant_info *t)
{
	static const struct aif_tenant_info none;
	const struct aif_tenant_info *was = &none;

	for (int i = 0; i < before->tenant_count; i++)
		if (before->tenants[i].id == t->id)
			was = &before->tenants[i];
	return rate(before, now, (struct usage_rate){
		.answered = grown(was->answered, t->answered),
		.device = grown(was->device_ns, t->device_ns),
		.moved = grown(was->moved_bytes, t->moved_bytes),
	});
}
