// SPDX-License-Identifier: MIT
#include "tools/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/tenant.h"

/* ---- one look ---- */

struct adding {
	struct usage *u;
	bool failed;
};

static void add_service(void *ctx, const struct aif_service_info *s)
{
	struct adding *a = ctx;
	struct usage_service *more = reallocarray(a->u->services, a->u->service_count + 1,
						  sizeof(*more));

	a->failed |= !more;
	if (!more)
		return;
	a->u->services = more;
	more[a->u->service_count] = (struct usage_service){ .info = *s };
	more[a->u->service_count++].info.text = NULL;
}

static int take_tenants(struct aif_client *client, struct usage *u)
{
	struct aif_tenant_info *all;
	int n = tenant_all(client, &all);

	u->tenant_count = n;
	if (n > 0)
		u->tenants = calloc((size_t)n, sizeof(*u->tenants));
	for (int i = 0; i < n && u->tenants; i++)
		u->tenants[i].info = all[i];
	free(all);
	return n == -ENOMEM || (n > 0 && !u->tenants) ? -ENOMEM : 0;
}

static int take(struct aif_client *client, struct usage *u)
{
	struct adding a = { .u = u };
	int err = cli_each_service(client, add_service, &a);

	if (!err)
		err = a.failed ? -ENOMEM : take_tenants(client, u);
	u->taken_ns = cli_now_ns();
	return err;
}

void usage_free(struct usage *u)
{
	free(u->services);
	free(u->tenants);
	free(u->devices);
	*u = (struct usage){ 0 };
}

/* ---- since the look before ---- */

static double rate(uint64_t before, uint64_t now, double seconds)
{
	return (double)(now < before ? now : now - before) / seconds;
}

static int service_order(const void *a, const void *b)
{
	uint32_t x = ((const struct usage_service *)a)->info.id;
	uint32_t y = ((const struct usage_service *)b)->info.id;

	return (x > y) - (x < y);
}

static int tenant_order(const void *a, const void *b)
{
	uint64_t x = ((const struct usage_tenant *)a)->info.id;
	uint64_t y = ((const struct usage_tenant *)b)->info.id;

	return (x > y) - (x < y);
}

static void service_rate(struct usage_service *s, const struct usage *before, double seconds)
{
	static const struct usage_service none;
	const struct usage_service *was = bsearch(s, before->services, before->service_count,
						  sizeof(*was), service_order);

	was = was ? was : &none;
	s->rate.answered = rate(was->info.answered, s->info.answered, seconds);
	s->rate.device = rate(was->info.device_ns, s->info.device_ns, seconds) / 1e9;
}

static void tenant_rate(struct usage_tenant *t, const struct usage *before, double seconds)
{
	static const struct usage_tenant none;
	const struct usage_tenant *was = NULL;

	if (before->tenant_count > 0)
		was = bsearch(t, before->tenants, (size_t)before->tenant_count, sizeof(*was),
			      tenant_order);
	was = was ? was : &none;
	t->rate.answered = rate(was->info.answered, t->info.answered, seconds);
	t->rate.device = rate(was->info.device_ns, t->info.device_ns, seconds) / 1e9;
	t->rate.moved = rate(was->info.moved_bytes, t->info.moved_bytes, seconds);
}

static void sort(struct usage *u, int (*services)(const void *, const void *),
		 int (*tenants)(const void *, const void *))
{
	if (u->service_count)
		qsort(u->services, u->service_count, sizeof(*u->services), services);
	if (u->tenant_count > 0)
		qsort(u->tenants, (size_t)u->tenant_count, sizeof(*u->tenants), tenants);
}

static void rates(struct usage *now, struct usage *before)
{
	double seconds = (double)(now->taken_ns - before->taken_ns) / 1e9;

	if (!before->taken_ns || seconds <= 0)
		return;
	now->seconds = seconds;
	sort(before, service_order, tenant_order);
	for (size_t i = 0; i < now->service_count; i++)
		service_rate(&now->services[i], before, seconds);
	for (int i = 0; i < now->tenant_count; i++)
		tenant_rate(&now->tenants[i], before, seconds);
}

/* ---- devices ---- */

static struct usage_device *device_of(struct usage *u, const char *name)
{
	for (size_t i = 0; i < u->device_count; i++)
		if (!strcmp(u->devices[i].name, name))
			return &u->devices[i];
	strcpy(u->devices[u->device_count].name, name);
	return &u->devices[u->device_count++];
}

static int sum_devices(struct usage *u)
{
	u->devices = calloc(u->service_count + 1, sizeof(*u->devices));
	for (size_t i = 0; i < u->service_count && u->devices; i++) {
		const struct usage_service *s = &u->services[i];
		struct usage_device *d = device_of(u, s->info.device);

		d->services++;
		d->queued += s->info.queued;
		d->fetched += s->info.fetched;
		d->rate.answered += s->rate.answered;
		d->rate.device += s->rate.device;
	}
	return u->devices ? 0 : -ENOMEM;
}

/* ---- the busiest first ---- */

static int rate_order(const struct usage_rate *a, const struct usage_rate *b)
{
	if (a->device != b->device)
		return a->device < b->device ? 1 : -1;
	return (a->answered < b->answered) - (a->answered > b->answered);
}

static int busy_service(const void *a, const void *b)
{
	int order = rate_order(&((const struct usage_service *)a)->rate,
			       &((const struct usage_service *)b)->rate);

	return order ? order : service_order(a, b);
}

static int busy_tenant(const void *a, const void *b)
{
	int order = rate_order(&((const struct usage_tenant *)a)->rate,
			       &((const struct usage_tenant *)b)->rate);

	return order ? order : tenant_order(a, b);
}

int usage_look(struct aif_client *client, struct usage *u)
{
	struct usage before = *u;
	int err;

	*u = (struct usage){ 0 };
	err = take(client, u);
	if (!err) {
		rates(u, &before);
		sort(u, busy_service, busy_tenant);
		err = sum_devices(u);
	}
	if (err) {
		usage_free(u);
		*u = before;
	} else {
		usage_free(&before);
	}
	return err;
}
