// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tenants: who is charged.  Resolved once, at open, from the opener's cgroup
 * (or its uid); whoever holds the file later changes nothing.
 *
 * A tenant lives as long as something refers to it.  What root has set for it is one
 * such reference, until it is the default again; or until a look at the list finds
 * that its cgroup is gone and nothing else refers to it.
 */
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "aif.h"

static LIST_HEAD(aif_tenants);	/* aif_registry */

static u64 aif_tenant_id(const struct cred *opener)
{
	u64 id;

	if (aif_tenant_by_uid)
		return from_kuid(&init_user_ns, opener->euid);
	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	return id;
}

/* aif_registry held: the first whose id is not less, or the list's head. */
static struct list_head *aif_tenant_place(u64 id)
{
	struct aif_tenant *t;

	list_for_each_entry(t, &aif_tenants, node)
		if (t->id >= id)
			return &t->node;
	return &aif_tenants;
}

/* aif_registry held: a reference to the tenant, made if it is new. */
static struct aif_tenant *aif_tenant_get_id(u64 id)
{
	struct list_head *place = aif_tenant_place(id);
	struct aif_tenant *t = list_entry(place, struct aif_tenant, node);

	if (place != &aif_tenants && t->id == id) {
		kref_get(&t->ref);
		return t;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return NULL;
	kref_init(&t->ref);
	t->id = id;
	list_add_tail(&t->node, place);
	aif_gauge(tenants, 1);
	return t;
}

struct aif_tenant *aif_tenant_get(const struct cred *opener)
{
	struct aif_tenant *t;

	mutex_lock(&aif_registry);
	t = aif_tenant_get_id(aif_tenant_id(opener));
	mutex_unlock(&aif_registry);
	return t;
}

static void aif_tenant_free(struct kref *ref)
{
	struct aif_tenant *t = container_of(ref, struct aif_tenant, ref);

	list_del(&t->node);
	mutex_unlock(&aif_registry);
	aif_gauge(tenants, -1);
	kfree(t);
}

void aif_tenant_put(struct aif_tenant *t)
{
	kref_put_mutex(&t->ref, aif_tenant_free, &aif_registry);
}

/* ---- limits ---- */

struct aif_tenant_limits aif_tenant_limits(const struct aif_tenant *t)
{
	return (struct aif_tenant_limits){
		.alloc_bytes = READ_ONCE(t->set.alloc_bytes) ?: READ_ONCE(aif_tenant_bytes),
		.pinned_bytes = READ_ONCE(t->set.pinned_bytes) ?: READ_ONCE(aif_tenant_pinned),
		.mapped_bytes = READ_ONCE(t->set.mapped_bytes) ?: READ_ONCE(aif_tenant_mapped),
		.requests = aif_tenant_max_requests(t),
		.weight = aif_tenant_weight(t),
		.bytes_second = READ_ONCE(t->set.bytes_second),
	};
}

/* A timer that is late by some ticks costs nothing: the bucket holds what came in. */
#define AIF_PACE_BURST	8	/* 1/8 second */

static void aif_tenant_pace_set(struct aif_bucket *b, u64 rate, u64 now)
{
	u64 burst = clamp(rate / AIF_PACE_BURST, 1ull, AIF_BUCKET_BURST_MAX);

	if (rate)
		aif_bucket_set(b, rate, burst, now);
	else
		b->rate = 0;
}

/*
 * Nanoseconds until its next chunk may begin; what that moves is charged afterwards.
 * Whoever changes the limit lets those look again that wait (aif_transfer_repace()).
 */
u64 aif_tenant_pace(struct aif_tenant *t, u64 now)
{
	u64 rate = READ_ONCE(t->set.bytes_second);

	if (rate != t->pace.rate)
		aif_tenant_pace_set(&t->pace, rate, now);
	return rate ? aif_bucket_wait(&t->pace, 1, now) : 0;
}

static bool aif_realtime_is_zero(const struct aif_tenant_realtime *rt)
{
	return !memchr_inv(rt, 0, sizeof(*rt));
}

/* What of @set and @rt is not the default. */
static u32 aif_tenant_flags(const struct aif_tenant_limits *set,
			    const struct aif_tenant_realtime *rt)
{
	return (aif_realtime_is_zero(rt) ? 0 : AIF_TENANT_F_REALTIME) |
	       (set->alloc_bytes ? AIF_TENANT_F_ALLOC : 0) |
	       (set->pinned_bytes ? AIF_TENANT_F_PINNED : 0) |
	       (set->mapped_bytes ? AIF_TENANT_F_MAPPED : 0) |
	       (set->requests ? AIF_TENANT_F_REQUESTS : 0) |
	       (set->weight ? AIF_TENANT_F_WEIGHT : 0) |
	       (set->bytes_second ? AIF_TENANT_F_BYTES_SECOND : 0);
}

bool aif_tenant_exists(u64 id)
{
	struct cgroup *cgrp;

	if (aif_tenant_by_uid)
		return id == (u32)id && uid_valid(KUIDT_INIT((u32)id));
	cgrp = cgroup_get_from_id(id);
	if (IS_ERR(cgrp))
		return false;
	cgroup_put(cgrp);
	return true;
}

/* aif_registry held: it was the last reference of a tenant that stays there. */
static void aif_tenant_drop(struct aif_tenant *t)
{
	list_del(&t->node);
	aif_gauge(tenants, -1);
	kfree(t);
}

/* aif_registry held: what was set for a cgroup that is gone, and has nothing left. */
static void aif_tenants_reap(void)
{
	struct aif_tenant *t, *next;

	list_for_each_entry_safe(t, next, &aif_tenants, node)
		if (t->kept && kref_read(&t->ref) == 1 && !aif_tenant_exists(t->id))
			aif_tenant_drop(t);
}

/* ---- real time ---- */

#define AIF_RT_TENANTS_MAX	64	/* of one device */

static struct aif_rt aif_rts[AIF_RT_TENANTS_MAX];	/* aif_registry: those looked at */

static const char *aif_realtime_device(const struct aif_tenant_realtime *rt)
{
	return rt->device[0] ? rt->device : AIF_COPY_DEVICE;
}

static struct aif_rt aif_realtime_rt(const struct aif_tenant_realtime *rt)
{
	return (struct aif_rt){ .period_us = rt->period_us, .budget_us = rt->budget_us };
}

static bool aif_realtime_valid(const struct aif_tenant_realtime *rt)
{
	struct aif_rt core = aif_realtime_rt(rt);
	size_t n = strnlen(rt->device, sizeof(rt->device));

	return aif_realtime_is_zero(rt) ||
	       (aif_rt_valid(&core) && n < sizeof(rt->device) && !strchr(rt->device, ':') &&
		!memchr_inv(rt->device + n, 0, sizeof(rt->device) - n));
}

/* Its budget of @device; all 0: it has none. */
struct aif_rt aif_tenant_rt(const struct aif_tenant *t, const char *device)
{
	struct aif_rt rt = { 0 };

	mutex_lock(&aif_registry);
	if (t->realtime.period_us && !strcmp(aif_realtime_device(&t->realtime), device))
		rt = aif_realtime_rt(&t->realtime);
	mutex_unlock(&aif_registry);
	return rt;
}

/* aif_registry held: the budgets of @device that others than @but have. */
static u32 aif_tenants_rts(const char *device, const struct aif_tenant *but)
{
	struct aif_tenant *t;
	u32 n = 0;

	list_for_each_entry(t, &aif_tenants, node)
		if (t != but && t->realtime.period_us && n < AIF_RT_TENANTS_MAX &&
		    !strcmp(aif_realtime_device(&t->realtime), device))
			aif_rts[n++] = aif_realtime_rt(&t->realtime);
	return n;
}

/* aif_registry held: is nobody late, if a step of @device takes so long? */
bool aif_tenants_fit(const char *device, u32 blocking_us)
{
	return aif_rt_fits(aif_rts, aif_tenants_rts(device, NULL), blocking_us);
}

/* aif_registry held: 0, or why it cannot have this budget. */
static int aif_tenant_admit(const struct aif_tenant *t, const struct aif_tenant_realtime *rt)
{
	const char *device = aif_realtime_device(rt);
	u32 n;

	if (!rt->period_us)
		return 0;
	n = aif_tenants_rts(device, t);
	if (n == AIF_RT_TENANTS_MAX)
		return -ENOSPC;
	aif_rts[n] = aif_realtime_rt(rt);
	return aif_rt_fits(aif_rts, n + 1, aif_device_longest_us(device)) ? 0 : -EBUSY;
}

/* May a file of @opener's name the class? */
bool aif_tenant_may_realtime(struct aif_tenant *t, const struct cred *opener)
{
	return READ_ONCE(t->realtime.period_us) ||
	       (opener->user_ns == &init_user_ns &&
		cap_raised(opener->cap_effective, CAP_SYS_NICE));
}

/* ---- TENANT_SET, TENANT_LIST ---- */

static void aif_tenant_change(struct aif_tenant_limits *set, u32 flags,
			      const struct aif_tenant_limits *to)
{
	if (flags & AIF_TENANT_F_ALLOC)
		WRITE_ONCE(set->alloc_bytes, to->alloc_bytes);
	if (flags & AIF_TENANT_F_PINNED)
		WRITE_ONCE(set->pinned_bytes, to->pinned_bytes);
	if (flags & AIF_TENANT_F_MAPPED)
		WRITE_ONCE(set->mapped_bytes, to->mapped_bytes);
	if (flags & AIF_TENANT_F_REQUESTS)
		WRITE_ONCE(set->requests, to->requests);
	if (flags & AIF_TENANT_F_WEIGHT)
		WRITE_ONCE(set->weight, to->weight);
	if (flags & AIF_TENANT_F_BYTES_SECOND)
		WRITE_ONCE(set->bytes_second, to->bytes_second);
}

/*
 * aif_registry held, with a reference to @t of the caller's.  How many references it
 * has to put then: what was set is one.
 */
static u32 aif_tenant_keep(struct aif_tenant *t)
{
	bool set = aif_tenant_flags(&t->set, &t->realtime);

	if (set == t->kept)
		return 1;
	t->kept = set;
	return set ? 0 : 2;
}

#define AIF_TENANT_FLAGS	(AIF_TENANT_F_ALLOC | AIF_TENANT_F_PINNED | AIF_TENANT_F_MAPPED | \
				 AIF_TENANT_F_REQUESTS | AIF_TENANT_F_WEIGHT | \
				 AIF_TENANT_F_BYTES_SECOND | AIF_TENANT_F_REALTIME)

static bool aif_tenant_set_valid(const struct aif_ioc_tenant_set *arg)
{
	u32 given = aif_tenant_flags(&arg->limits, &arg->realtime);

	if (!arg->flags || arg->flags & ~AIF_TENANT_FLAGS || given & ~arg->flags)
		return false;
	return aif_realtime_valid(&arg->realtime) && arg->limits.weight <= 10000 &&
	       arg->limits.bytes_second <= AIF_BUCKET_RATE_MAX;
}

/* aif_registry held: all of it, or nothing.  In @old the budget that it had. */
static int aif_tenant_apply(struct aif_tenant *t, const struct aif_ioc_tenant_set *arg,
			    struct aif_tenant_realtime *old)
{
	int err = 0;

	*old = t->realtime;
	if (arg->flags & AIF_TENANT_F_REALTIME)
		err = aif_tenant_admit(t, &arg->realtime);
	if (err)
		return err;
	aif_tenant_change(&t->set, arg->flags, &arg->limits);
	if (arg->flags & AIF_TENANT_F_REALTIME)
		t->realtime = arg->realtime;
	return 0;
}

/* Those who wait for the old limits learn of the new ones. */
static void aif_tenant_tell(struct aif_tenant *t, const struct aif_ioc_tenant_set *arg,
			    const struct aif_tenant_realtime *old)
{
	if (arg->flags & AIF_TENANT_F_BYTES_SECOND)
		aif_transfer_repace();
	if (!(arg->flags & AIF_TENANT_F_REALTIME))
		return;
	aif_device_set_budget(aif_realtime_device(old), t);
	aif_device_set_budget(aif_realtime_device(&arg->realtime), t);
}

int aif_tenant_set(struct aif_ioc_tenant_set *arg)
{
	struct aif_tenant_realtime old;
	struct aif_tenant *t = NULL;
	u32 puts = 0;
	int err = -ENOENT;

	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (!aif_tenant_set_valid(arg))
		return -EINVAL;
	aif_devices_reap();
	mutex_lock(&aif_registry);
	aif_tenants_reap();
	if (aif_tenant_exists(arg->id)) {
		t = aif_tenant_get_id(arg->id);
		err = t ? aif_tenant_apply(t, arg, &old) : -ENOMEM;
	}
	if (t)
		puts = aif_tenant_keep(t);
	mutex_unlock(&aif_registry);
	if (!err)
		aif_tenant_tell(t, arg, &old);
	while (puts--)
		aif_tenant_put(t);
	return err;
}

static struct aif_tenant_now aif_tenant_now(const struct aif_tenant *t)
{
	return (struct aif_tenant_now){
		.id = t->id,
		.flags = aif_tenant_flags(&t->set, &t->realtime),
		.files = atomic_read(&t->files),
		.limits = aif_tenant_limits(t),
		.used = {
			.alloc_bytes = atomic64_read(&t->bytes),
			.pinned_bytes = atomic64_read(&t->pinned),
			.mapped_bytes = atomic64_read(&t->mapped),
			.requests = atomic_read(&t->requests),
		},
		.answered = atomic64_read(&t->answered),
		.device_ns = atomic64_read(&t->device_ns),
		.moved_bytes = atomic64_read(&t->moved),
		.realtime = t->realtime,
	};
}

#define AIF_TENANT_ENTRY_MIN	192
#define AIF_TENANT_ENTRY_MAX	1024

/* Each as long as the caller has it: what it knows and we don't is zero. */
static int aif_tenants_to_user(char __user *to, u32 entry_size, const struct aif_tenant_now *now,
			       u32 count)
{
	const u32 known = min_t(u32, entry_size, sizeof(*now));
	u32 i;

	for (i = 0; i < count; i++, to += entry_size)
		if (copy_to_user(to, &now[i], known) ||
		    clear_user(to + known, entry_size - known))
			return -EFAULT;
	return 0;
}

/* Gathered first, copied out without the lock: see aif_service_list(). */
int aif_tenant_list(struct aif_ioc_tenant_list *arg)
{
	struct aif_tenant_now *now;
	struct aif_tenant *t;
	u32 room = min(arg->capacity, 65536u);
	int err;

	BUILD_BUG_ON(sizeof(*now) < AIF_TENANT_ENTRY_MIN || sizeof(*now) > AIF_TENANT_ENTRY_MAX);
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (arg->entry_size < AIF_TENANT_ENTRY_MIN || arg->entry_size > AIF_TENANT_ENTRY_MAX ||
	    arg->entry_size % 8)
		return -EINVAL;
	arg->out_count = 0;
	now = kvcalloc(room, sizeof(*now), AIF_GFP_SIZED);
	if (!now)
		return -ENOMEM;
	aif_devices_reap();
	mutex_lock(&aif_registry);
	aif_tenants_reap();
	list_for_each_entry(t, &aif_tenants, node) {
		if (arg->out_count < room)
			now[arg->out_count] = aif_tenant_now(t);
		arg->out_count++;
	}
	mutex_unlock(&aif_registry);
	err = aif_tenants_to_user(u64_to_user_ptr(arg->tenants), arg->entry_size, now,
				  min(room, arg->out_count));
	kvfree(now);
	return err;
}

/* Module exit: what was set goes with it. */
void aif_tenants_fini(void)
{
	struct aif_tenant *t, *next;

	list_for_each_entry_safe(t, next, &aif_tenants, node)
		if (t->kept)
			aif_tenant_drop(t);
}
