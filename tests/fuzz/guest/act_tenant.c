// SPDX-License-Identifier: MIT
/*
 * Root lists the tenants, which must have what the model says, and limits them; what
 * is over a new limit stays.  Others may neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "act.h"

#define LISTED	16u

/* Root most often. */
static struct w_fd *pick_caller(void)
{
	bool anybody = one_in(3);

	if (!w.limits.tenant_by_uid)
		return NULL;
	return PICK(fd, fd, idle(fd->actor) && may_call(fd) && (anybody || !fd->actor->uid));
}

static int only_root(const struct w_fd *fd)
{
	return fd->actor->uid ? -EPERM : 0;
}

static bool has_anything(const struct w_tenant *t)
{
	return t->set || tenant_bytes(t->uid) || tenant_pinned(t->uid) || tenant_requests(t->uid);
}

static void check_entry(const struct aif_tenant_now *e)
{
	const struct w_tenant *t = tenant_of((uid_t)e->id);

	if (e->flags != t->set || e->limits.alloc_bytes != t->limits.alloc_bytes ||
	    e->limits.pinned_bytes != t->limits.pinned_bytes ||
	    e->limits.requests != t->limits.requests || e->limits.weight != t->limits.weight)
		fail("tenant %u has other limits than were set, flags %x instead of %x", t->uid,
		     e->flags, t->set);
	if (e->used.alloc_bytes != tenant_bytes(t->uid) ||
	    e->used.pinned_bytes != tenant_pinned(t->uid) ||
	    e->used.requests != tenant_requests(t->uid))
		fail("tenant %u has %llu bytes, %llu pinned, %u requests; expected %llu, %llu, %u",
		     t->uid, e->used.alloc_bytes, e->used.pinned_bytes, e->used.requests,
		     (unsigned long long)tenant_bytes(t->uid),
		     (unsigned long long)tenant_pinned(t->uid), tenant_requests(t->uid));
}

static void check_list(const struct aif_tenant_now *e, uint32_t n)
{
	const struct w_tenant *t;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (i && e[i].id <= e[i - 1].id)
			fail("tenant %llu after %llu", e[i].id, e[i - 1].id);
		check_entry(&e[i]);
	}
	for EACH(t, tenant) {
		for (i = 0; i < n && e[i].id != t->uid; i++)
			;
		if (i == n && has_anything(t))
			fail("tenant %u is not listed", t->uid);
	}
}

static bool op_tenant_list(void)
{
	struct w_fd *fd = pick_caller();
	struct aif_ioc_tenant_list arg = {
		.capacity = LISTED, .entry_size = sizeof(struct aif_tenant_now),
	};
	struct aif_tenant_now entries[LISTED];
	long at;

	if (!fd)
		return false;
	at = actor_mmap(&fd->actor->at, -1, 0, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS);
	arg.tenants = (uint64_t)at;
	say_fd(fd, "lists the tenants by");
	if (call(fd, AIF_IOC_TENANT_LIST, &arg, only_root(fd))) {
		if (arg.out_count > LISTED ||
		    actor_look(&fd->actor->at, arg.tenants, entries, sizeof(entries)) < 0)
			fail("%u tenants", arg.out_count);
		check_list(entries, arg.out_count);
	}
	must_be(actor_munmap(&fd->actor->at, (uint64_t)at, PAGE), 0);
	return true;
}

/* A small limit of one kind; 0: the module's again. */
static uint32_t some_limit(struct aif_tenant_limits *to)
{
	uint32_t n = one_in(3) ? 0 : 1;

	switch (pick(4)) {
	case 0:
		to->alloc_bytes = n * (1 + pick(64)) * PAGE;
		return AIF_TENANT_F_ALLOC;
	case 1:
		to->pinned_bytes = n * (1 + pick(16)) * PAGE;
		return AIF_TENANT_F_PINNED;
	case 2:
		to->requests = n * (1 + pick(16));
		return AIF_TENANT_F_REQUESTS;
	default:
		to->weight = n * (1 + pick(10000));
		return AIF_TENANT_F_WEIGHT;
	}
}

static void take_over(struct w_tenant *t, uint32_t flag, const struct aif_tenant_limits *to)
{
	bool set = to->alloc_bytes || to->pinned_bytes || to->requests || to->weight;

	t->set = set ? t->set | flag : t->set & ~flag;
	if (flag == AIF_TENANT_F_ALLOC)
		t->limits.alloc_bytes = set ? to->alloc_bytes : w.limits.tenant_bytes;
	else if (flag == AIF_TENANT_F_PINNED)
		t->limits.pinned_bytes = set ? to->pinned_bytes : w.limits.tenant_pinned;
	else if (flag == AIF_TENANT_F_REQUESTS)
		t->limits.requests = set ? to->requests : w.limits.tenant_requests;
	else
		t->limits.weight = set ? to->weight : 100;
}

static bool op_tenant_set(void)
{
	struct w_fd *fd = pick_caller();
	struct aif_ioc_tenant_set arg = { .id = actor_uids[pick(FIRST_ACTORS)] };
	int want;

	if (!fd)
		return false;
	arg.flags = some_limit(&arg.limits);
	if (one_in(10))
		arg.limits.weight = 10001;	/* too much, and not asked for perhaps */
	want = arg.limits.weight > 10000 ? -EINVAL : 0;
	say_fd(fd, "limits by");
	say(" tenant %llu: %x to %llu %llu %u %u", arg.id, arg.flags, arg.limits.alloc_bytes,
	    arg.limits.pinned_bytes, arg.limits.requests, arg.limits.weight);
	if (call(fd, AIF_IOC_TENANT_SET, &arg, only_root(fd) ? -EPERM : want))
		take_over(tenant_of((uid_t)arg.id), arg.flags, &arg.limits);
	return true;
}

void tenants_reset(void)
{
	struct aif_ioc_tenant_set arg = { .size = sizeof(arg) };
	int fd = open("/dev/aif-serve", O_RDWR | O_CLOEXEC);
	struct w_tenant *t;

	for EACH(t, tenant) {
		arg.id = t->uid;
		arg.flags = t->set;
		if (t->set && ioctl(fd, AIF_IOC_TENANT_SET, &arg))
			fail("tenant %u keeps its limits: %s", t->uid, result_name(-errno));
	}
	close(fd);
}

const struct act tenant_acts[] = {
	ACT(tenant_list, 6), ACT(tenant_set, 6),
	{ 0 }
};
