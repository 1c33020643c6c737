// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: the scheduler's surroundings.  Which request goes next is decided
 * in core/; here is who exists, and who is woken.
 */
#include <linux/slab.h>

#include "aif.h"

static LIST_HEAD(aif_devices);	/* aif_registry */

/* aif_registry held. */
static struct aif_device *aif_device_find(const char *name)
{
	struct aif_device *d;

	list_for_each_entry(d, &aif_devices, node)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

struct aif_device *aif_device_get(const char *name)
{
	struct aif_device *d = aif_device_find(name);

	lockdep_assert_held(&aif_registry);
	if (d) {
		kref_get(&d->ref);
		return d;
	}
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return NULL;
	kref_init(&d->ref);
	strscpy(d->name, name, sizeof(d->name));
	spin_lock_init(&d->lock);
	aif_sched_init(&d->sched, 1, aif_device_requests);
	INIT_LIST_HEAD(&d->ready);
	INIT_LIST_HEAD(&d->claims);
	init_waitqueue_head(&d->pollq);
	INIT_LIST_HEAD(&d->services);
	mutex_init(&d->shares_lock);
	INIT_LIST_HEAD(&d->shares);
	list_add(&d->node, &aif_devices);
	aif_gauge(devices, 1);
	return d;
}

/* As many tokens as the most demanding of its services asked for. */
static void aif_device_count_tokens(struct aif_device *d)
{
	struct aif_service *s;
	u32 tokens = 1;

	lockdep_assert_held(&aif_registry);
	list_for_each_entry(s, &d->services, of_device)
		tokens = max(tokens, s->desc.step_tokens);
	spin_lock(&d->lock);
	d->sched.tokens = tokens;
	aif_device_kick(d);
	spin_unlock(&d->lock);
}

void aif_device_add(struct aif_device *d, struct aif_service *s)
{
	list_add_tail(&s->of_device, &d->services);
	aif_device_count_tokens(d);
}

void aif_device_remove(struct aif_device *d, struct aif_service *s)
{
	list_del(&s->of_device);
	aif_device_count_tokens(d);
}

/*
 * aif_registry held: what a device is not interrupted in, microseconds: the longest step
 * of its services, or the longest chunk.
 */
u32 aif_device_longest_us(const char *name)
{
	struct aif_device *d = aif_device_find(name);
	struct aif_service *s;
	u32 ms = 0;

	if (!strcmp(name, AIF_COPY_DEVICE))
		return min_t(u64, div_u64(aif_engine_longest_ns(), NSEC_PER_USEC) + 1, U32_MAX);
	if (!d)
		return 0;
	list_for_each_entry(s, &d->services, of_device)
		ms = max(ms, s->desc.longest_step_ms);
	return ms * USEC_PER_MSEC;
}

/* The service that goes next of all that an executor waits for, not @but, or NULL. */
static struct aif_service *aif_device_best(struct aif_device *d, const struct aif_service *but)
{
	struct aif_service *s, *best = NULL;

	list_for_each_entry(s, &d->ready, ready)
		if (s != but && (!best || aif_sched_before(&s->queue, &best->queue)))
			best = s;
	return best;
}

/*
 * What goes next of the other services that an executor waits for, or NULL.  Another
 * executor of @s itself may wait: its service is no rival to what it does already.
 * Device's lock held.
 */
const struct aif_sched_queue *aif_service_rival(struct aif_service *s)
{
	struct aif_service *best = aif_device_best(s->device, s);

	return best ? &best->queue : NULL;
}

#define AIF_CLAIM_NS	NSEC_PER_MSEC

/*
 * An executor that does not wait leaves no place in the idle list when it is
 * told -EBUSY.  Its service keeps a claim for a moment, so that one that waits,
 * or fetches more while it holds the token, does not go first for ever.
 */
void aif_service_claim(struct aif_service *s)
{
	s->claim_ns = ktime_get_ns();
	if (list_empty(&s->claim))
		list_add_tail(&s->claim, &s->device->claims);
}

static bool aif_device_claimed_before(struct aif_device *d, struct aif_service *s)
{
	struct aif_service *other, *next;
	u64 now;

	if (list_empty(&d->claims))
		return false;
	now = ktime_get_ns();
	list_for_each_entry_safe(other, next, &d->claims, claim) {
		if (!other->queue.queued || now - other->claim_ns > AIF_CLAIM_NS)
			list_del_init(&other->claim);
		else if (other != s && aif_sched_before(&other->queue, &s->queue))
			return true;
	}
	return false;
}

/* Does another service whose executor waits, or asked just now, go first? */
bool aif_service_not_its_turn(struct aif_service *s)
{
	const struct aif_sched_queue *rival = aif_service_rival(s);

	if (rival && aif_sched_before(rival, &s->queue))
		return true;
	return aif_device_claimed_before(s->device, s);
}

/* Something changed that poll() tells executors.  Device's lock held. */
void aif_device_wake_pollers(struct aif_device *d)
{
	/* A poller's look takes the device's lock after it queued itself. */
	if (waitqueue_active(&d->pollq))
		wake_up_interruptible(&d->pollq);
}

/*
 * Hand free tokens to idle executors, best claim first.  The token is theirs
 * from here on; what they fetch with it is chosen when they run, so that late
 * submitters join the step.  An executor that waits for more while it holds
 * requests has its token already.  Returns how many were woken.
 */
u32 aif_device_kick(struct aif_device *d)
{
	struct aif_executor *ex;
	struct aif_service *s;
	u32 woken = 0;

	lockdep_assert_held(&d->lock);
	while (!list_empty(&d->ready)) {
		s = aif_device_best(d, NULL);
		ex = list_first_entry(&s->idle, struct aif_executor, idle);
		if (aif_device_claimed_before(d, s) ||
		    (!ex->token && !aif_sched_token_get(&d->sched)))
			break;
		ex->token = true;
		ex->coming = true;
		s->coming++;
		list_del_init(&ex->idle);
		aif_service_refresh(s);
		aif_executor_wake(ex);
		woken++;
	}
	return woken;
}

/* ---- tenants on a device, tenants at a service ---- */

/*
 * Does the tenant owe device time?  Then closing its files does not forgive it, unless
 * it can never come back.
 */
static bool aif_share_in_debt(struct aif_device *d, struct aif_share *sh)
{
	bool debt;
	int i;

	if (!aif_tenant_exists(sh->tenant->id))
		return false;
	spin_lock(&d->lock);
	debt = sh->budget.period_ns && aif_rt_budget_used(&sh->budget, ktime_get_ns());
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		debt |= sh->clocks[i].vruntime > d->sched.vtime[i];
	spin_unlock(&d->lock);
	return debt;
}

static void aif_share_free(struct aif_share *sh)
{
	list_del(&sh->node);
	aif_tenant_put(sh->tenant);
	kfree(sh);
}

static void aif_shares_reap(struct aif_device *d)
{
	struct aif_share *sh, *next;

	list_for_each_entry_safe(sh, next, &d->shares, node)
		if (!sh->users && !aif_share_in_debt(d, sh))
			aif_share_free(sh);
}

/* aif_registry held: the first device, or that behind @d; with a reference. */
static struct aif_device *aif_device_next(struct aif_device *d)
{
	d = d ? list_next_entry(d, node) : list_first_entry(&aif_devices, struct aif_device, node);
	if (list_entry_is_head(d, &aif_devices, node))
		return NULL;
	kref_get(&d->ref);
	return d;
}

void aif_devices_reap(void)
{
	struct aif_device *d = NULL, *next;

	for (;;) {
		mutex_lock(&aif_registry);
		next = aif_device_next(d);
		mutex_unlock(&aif_registry);
		if (d)
			aif_device_put(d);
		d = next;
		if (!d)
			break;
		mutex_lock(&d->shares_lock);
		aif_shares_reap(d);
		mutex_unlock(&d->shares_lock);
	}
}

/* shares_lock held: what root has set for its tenant by now. */
static void aif_share_set_budget(struct aif_device *d, struct aif_share *sh)
{
	struct aif_rt rt = aif_tenant_rt(sh->tenant, d->name);
	u64 now = ktime_get_ns();

	spin_lock(&d->lock);
	if (rt.period_us)
		aif_rt_budget_set(&sh->budget, &rt, now);
	else
		memset(&sh->budget, 0, sizeof(sh->budget));
	spin_unlock(&d->lock);
}

/* @t's budget of the device, if there is such, is another: its share there learns of it. */
void aif_device_set_budget(const char *name, struct aif_tenant *t)
{
	struct aif_device *d;
	struct aif_share *sh;

	mutex_lock(&aif_registry);
	d = aif_device_find(name);
	if (d)
		kref_get(&d->ref);
	mutex_unlock(&aif_registry);
	if (!d)
		return;
	mutex_lock(&d->shares_lock);
	list_for_each_entry(sh, &d->shares, node)
		if (sh->tenant == t)
			aif_share_set_budget(d, sh);
	mutex_unlock(&d->shares_lock);
	aif_device_put(d);
}

static struct aif_share *aif_share_new(struct aif_device *d, struct aif_tenant *t)
{
	struct aif_share *sh = kzalloc(sizeof(*sh), GFP_KERNEL_ACCOUNT);
	int i;

	if (!sh)
		return NULL;
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		sh->clocks[i].weight = aif_tenant_weight(t);
	kref_get(&t->ref);
	sh->tenant = t;
	aif_share_set_budget(d, sh);
	list_add(&sh->node, &d->shares);
	return sh;
}

static struct aif_share *aif_share_get(struct aif_device *d, struct aif_tenant *t)
{
	struct aif_share *sh;

	list_for_each_entry(sh, &d->shares, node)
		if (sh->tenant == t)
			goto found;
	sh = aif_share_new(d, t);
	if (!sh)
		return NULL;
found:
	sh->users++;
	return sh;
}

static void aif_share_put(struct aif_device *d, struct aif_share *sh)
{
	sh->users--;
	aif_shares_reap(d);
}

static struct aif_member *aif_member_find(struct aif_service *s, struct aif_tenant *t)
{
	struct aif_member *m;

	list_for_each_entry(m, &s->members, node)
		if (m->share->tenant == t)
			return m;
	return NULL;
}

static struct aif_member *aif_member_new(struct aif_service *s, struct aif_tenant *t)
{
	struct aif_member *m = kzalloc(sizeof(*m), GFP_KERNEL);
	int i;

	if (!m)
		return NULL;
	m->share = aif_share_get(s->device, t);
	if (!m->share) {
		kfree(m);
		return NULL;
	}
	spin_lock(&s->device->lock);
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		aif_sched_lane_init(&m->lanes[i], &s->queue, &m->share->clocks[i], i);
	spin_unlock(&s->device->lock);
	list_add(&m->node, &s->members);
	return m;
}

static void aif_member_free(struct aif_service *s, struct aif_member *m)
{
	int i;

	spin_lock(&s->device->lock);
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		aif_sched_lane_fini(&m->lanes[i]);
	spin_unlock(&s->device->lock);
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		kvfree(m->lanes[i].requests.slots);
	list_del(&m->node);
	aif_share_put(s->device, m->share);
	kfree(m);
}

static int aif_heap_reserve(struct aif_device *d, struct aif_heap *h, u32 capacity)
{
	struct aif_heap_node **slots;

	if (capacity <= h->capacity)
		return 0;
	slots = kvcalloc(capacity, sizeof(*slots), AIF_GFP_SIZED);
	if (!slots)
		return -ENOMEM;
	spin_lock(&d->lock);
	slots = aif_heap_grow(h, slots, capacity);
	spin_unlock(&d->lock);
	kvfree(slots);
	return 0;
}

/*
 * Room for one more client's requests and for one more lane: SUBMIT allocates
 * nothing and finds no lane full.
 */
static int aif_member_reserve(struct aif_service *s, struct aif_member *m, u32 depth)
{
	u32 lanes = list_count_nodes(&s->members);
	int err = 0, i;

	for (i = 0; i < AIF_CLASS_COUNT && !err; i++) {
		err = aif_heap_reserve(s->device, &m->lanes[i].requests, m->capacity + depth);
		if (!err)
			err = aif_heap_reserve(s->device, &s->queue.lanes[i],
					       roundup_pow_of_two(lanes));
	}
	if (!err && s->mover)	/* nobody else pauses any */
		err = aif_heap_reserve(s->device, &s->queue.paused,
				       roundup_pow_of_two(lanes) * AIF_CLASS_COUNT);
	if (!err)
		m->capacity += depth;
	return err;
}

struct aif_member *aif_member_get(struct aif_service *s, struct aif_tenant *t, u32 depth)
{
	struct aif_member *m;

	mutex_lock(&s->device->shares_lock);
	m = aif_member_find(s, t) ?: aif_member_new(s, t);
	if (m && aif_member_reserve(s, m, depth)) {
		if (!m->users)
			aif_member_free(s, m);
		m = NULL;
	}
	if (m)
		m->users++;
	mutex_unlock(&s->device->shares_lock);
	return m;
}

void aif_member_put(struct aif_service *s, struct aif_member *m, u32 depth)
{
	mutex_lock(&s->device->shares_lock);
	m->capacity -= depth;
	if (!--m->users)
		aif_member_free(s, m);
	mutex_unlock(&s->device->shares_lock);
}

static void aif_device_free(struct kref *ref)
{
	struct aif_device *d = container_of(ref, struct aif_device, ref);

	struct aif_share *sh, *next;

	list_del(&d->node);
	mutex_unlock(&aif_registry);
	list_for_each_entry_safe(sh, next, &d->shares, node)
		aif_share_free(sh);
	aif_gauge(devices, -1);
	kfree(d);
}

void aif_device_put(struct aif_device *d)
{
	kref_put_mutex(&d->ref, aif_device_free, &aif_registry);
}
