// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: open files of /dev/aif, and everything that waits for answers.
 */
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "aif.h"

static atomic64_t aif_client_ids;

static void aif_open_free(struct aif_open *o)
{
	aif_member_put(o->service, o->member, o->depth);
	aif_service_put(o->service);
	kfree(o);
}

static void aif_client_free(struct work_struct *work)
{
	struct aif_client *c = container_of(work, struct aif_client, free_work);
	struct aif_open *o;
	unsigned long i;
	u32 kind;

	/* Whoever queued this held the lock, and may still. */
	spin_lock(&c->wait_lock);
	spin_unlock(&c->wait_lock);
	cancel_delayed_work_sync(&c->expire);
	xa_for_each(&c->opens, i, o)
		aif_open_free(o);
	if (c->transfers)
		aif_open_free(c->transfers);
	xa_destroy(&c->opens);
	xa_destroy(&c->grants);
	xa_destroy(&c->buffers);
	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++)
		aif_mapped_free(&c->arrays[kind]);
	kvfree(c->requests);
	kvfree(c->batches);
	kvfree(c->deadlines.slots);
	if (c->eventfd)
		eventfd_ctx_put(c->eventfd);
	mem_cgroup_put(c->memcg);
	atomic_dec(&c->tenant->files);
	aif_tenant_put(c->tenant);
	aif_gauge(clients, -1);
	kfree(c);
}

struct aif_client *aif_client_create(struct aif_file *f)
{
	struct aif_client *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->tenant = aif_tenant_get(f->cred);
	if (!c->tenant) {
		kfree(c);
		return NULL;
	}
	atomic_inc(&c->tenant->files);
	c->memcg = get_mem_cgroup_from_mm(current->mm);
	c->id = atomic64_inc_return(&aif_client_ids);
	mutex_init(&c->lock);
	xa_init_flags(&c->buffers, XA_FLAGS_ALLOC1);
	xa_init_flags(&c->grants, XA_FLAGS_ALLOC1);
	xa_init_flags(&c->opens, XA_FLAGS_ALLOC1);
	init_waitqueue_head(&c->waitq);
	init_waitqueue_head(&c->progressq);
	INIT_DELAYED_WORK(&c->expire, aif_client_expire);
	INIT_WORK(&c->free_work, aif_client_free);
	spin_lock_init(&c->wait_lock);
	INIT_LIST_HEAD(&c->parked);
	aif_gauge(clients, 1);
	return c;
}

/*
 * The file is closed: nobody submits or waits any more.  What is queued is
 * answered; what an executor has keeps the client alive until it is quiet.
 */
void aif_client_close(struct aif_client *c)
{
	struct aif_handle *h;
	unsigned long i;
	bool last;

	aif_cancel_all(c, -ECANCELED, NULL);
	aif_grant_revoke_all(c);
	xa_for_each(&c->buffers, i, h)
		aif_handle_free(c, i);
	spin_lock(&c->wait_lock);
	c->closed = true;
	last = !c->busy;
	spin_unlock(&c->wait_lock);
	if (last)
		queue_work(aif_wq, &c->free_work);
}

static int aif_client_alloc_arrays(struct aif_client *c, u32 depth)
{
	int err;

	err = aif_mapped_alloc(&c->arrays[AIF_ARRAY_DESC], sizeof(struct aif_desc),
			       depth, c->memcg);
	if (!err)
		err = aif_mapped_alloc(&c->arrays[AIF_ARRAY_COMPLETION],
				       sizeof(struct aif_completion), depth, c->memcg);
	if (!err)
		err = aif_mapped_alloc(&c->arrays[AIF_ARRAY_CLIENT_STATUS],
				       sizeof(struct aif_client_status), 1, c->memcg);
	return err;
}

static int aif_client_alloc_requests(struct aif_client *c, u32 depth)
{
	c->requests = kvcalloc(depth, sizeof(*c->requests), AIF_GFP_SIZED);
	c->batches = kvcalloc(2 * depth, sizeof(*c->batches), AIF_GFP_SIZED);
	c->deadlines.slots = kvcalloc(depth, sizeof(*c->deadlines.slots), AIF_GFP_SIZED);
	c->deadlines.capacity = depth;
	return c->requests && c->batches && c->deadlines.slots ? 0 : -ENOMEM;
}

static void aif_client_init_requests(struct aif_client *c, u32 depth)
{
	struct aif_request *r;
	u32 i;

	for (i = 0; i < depth; i++) {
		r = &c->requests[i];
		r->client = c;
		r->desc.tag = i;
		aif_heap_node_init(&r->node);
		aif_heap_node_init(&r->deadline);
		INIT_LIST_HEAD(&r->entry);
	}
	for (i = 0; i < 2 * depth; i++) {
		c->batches[i].next_free = c->free_batches;
		c->free_batches = &c->batches[i];
	}
}

/* c->lock held. */
static int aif_client_set_depth(struct aif_client *c, u32 depth)
{
	struct mem_cgroup *old = set_active_memcg(c->memcg);
	u32 kind;
	int err;

	err = aif_client_alloc_requests(c, depth);
	if (!err)
		err = aif_client_alloc_arrays(c, depth);
	set_active_memcg(old);
	if (!err) {
		aif_client_init_requests(c, depth);
		/* Pairs with aif_client_depth(). */
		smp_store_release(&c->depth, depth);
		return 0;
	}
	for (kind = 0; kind < AIF_ARRAY_COUNT; kind++)
		aif_mapped_free(&c->arrays[kind]);
	kvfree(c->requests);
	kvfree(c->batches);
	kvfree(c->deadlines.slots);
	c->requests = NULL;
	c->batches = NULL;
	c->deadlines.slots = NULL;
	return err;
}

/* Takes over the reference to @s. */
static struct aif_open *aif_open_new(struct aif_client *c, struct aif_service *s, u32 depth)
{
	struct aif_open *o = kzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);

	if (!o)
		goto err_service;
	o->service = s;
	o->depth = depth;
	o->member = aif_member_get(s, c->tenant, depth);
	if (o->member)
		return o;
	kfree(o);
err_service:
	aif_service_put(s);
	return NULL;
}

/* c->lock held: arrays of @depth and, if @mover, its place there; or nothing. */
static int aif_client_set_up(struct aif_client *c, u32 depth, struct aif_service *mover)
{
	struct aif_open *o = NULL;
	int err = 0;

	if (mover) {
		o = aif_open_new(c, mover, depth);
		if (!o)
			return -ENOMEM;
	}
	if (!c->depth)
		err = aif_client_set_depth(c, depth);
	if (err && o)
		aif_open_free(o);
	else if (o)	/* Pairs with the acquire in SUBMIT. */
		smp_store_release(&c->transfers, o);
	return err;
}

static int aif_client_info_locked(struct aif_file *f, struct aif_ioc_info *arg)
{
	struct aif_client *c = f->client;
	u32 depth = arg->depth ?: c->depth ?: min(256u, aif_max_depth);
	struct aif_service *mover = NULL;
	int err;

	if (!is_power_of_2(depth) || depth > aif_max_depth)
		return -EINVAL;
	if (c->depth && depth != c->depth)
		return -EBUSY;
	if (arg->features & AIF_F_TRANSFER && !c->transfers) {
		mover = aif_mover_get();
		if (!mover)
			return -ENOMEM;
	}
	err = aif_client_set_up(c, depth, mover);
	if (err)
		return err;
	arg->depth = depth;
	c->granted_features |= arg->features & AIF_F_ALL;
	if (arg->features & AIF_F_REALTIME && aif_tenant_may_realtime(c->tenant, f->cred))
		c->granted_features |= AIF_F_REALTIME;
	arg->features = c->granted_features;
	arg->out_tenant = c->tenant->id;
	aif_mapped_describe(c->arrays, arg->out_arrays);
	return 0;
}

int aif_client_info(struct aif_file *f, struct aif_ioc_info *arg)
{
	struct aif_client *c = f->client;
	int err;

	mutex_lock(&c->lock);
	err = aif_client_info_locked(f, arg);
	mutex_unlock(&c->lock);
	return err;
}

static struct aif_open *aif_open_find(struct aif_client *c, struct aif_service *s, u32 *handle)
{
	struct aif_open *o;
	unsigned long i;

	xa_for_each(&c->opens, i, o) {
		if (o->service == s) {
			*handle = i;
			return o;
		}
	}
	return NULL;
}

/* Takes over the reference to @s. */
static int aif_open_add(struct aif_client *c, struct aif_service *s, u32 *handle)
{
	struct aif_open *o = aif_open_new(c, s, c->depth);
	int err;

	if (!o)
		return -ENOMEM;
	err = xa_alloc(&c->opens, handle, o, XA_LIMIT(1, aif_max_services), GFP_KERNEL_ACCOUNT);
	if (err)
		aif_open_free(o);
	return err == -EBUSY ? -ENOSPC : err;
}

int aif_client_open_service(struct aif_client *c, struct aif_ioc_service_open *arg)
{
	kuid_t owner = make_kuid(current_user_ns(), arg->owner);
	struct aif_service *s;
	int err = 0;

	if (!uid_valid(owner) || strnlen(arg->name, AIF_NAME_MAX) == AIF_NAME_MAX)
		return -EINVAL;
	s = aif_service_find_name(arg->name, owner);
	if (!s)
		return -ENOENT;
	arg->out_id = s->id;
	mutex_lock(&c->lock);
	if (!c->depth) {
		err = -ENXIO;
		aif_service_put(s);
	} else if (aif_open_find(c, s, &arg->out_handle)) {
		aif_service_put(s);
	} else {
		err = aif_open_add(c, s, &arg->out_handle);
	}
	mutex_unlock(&c->lock);
	return err;
}

int aif_client_set_eventfd(struct aif_client *c, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd < -1)
		return -EBADF;
	if (fd >= 0) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	spin_lock(&c->wait_lock);
	swap(ctx, c->eventfd);
	spin_unlock(&c->wait_lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/* Readable: more was answered than a successful WAIT has named. */
__poll_t aif_client_poll(struct aif_client *c, struct file *filp, poll_table *pt)
{
	__poll_t mask = 0;

	poll_wait(filp, &c->waitq, pt);
	spin_lock(&c->wait_lock);
	if (c->answered > c->seen)
		mask = EPOLLIN | EPOLLRDNORM;
	spin_unlock(&c->wait_lock);
	return mask;
}

/* ---- waiting ---- */

/*
 * ->device and not ->busy: a SUBMIT that is about to be refused has the tag
 * for a moment, and wakes nobody when it lets go.
 */
static bool aif_tag_quiet(struct aif_client *c, u32 tag)
{
	if (tag == AIF_TAG_ALL)
		return !c->busy;
	return !READ_ONCE(c->requests[tag].device);
}

/* Published more than @bytes, or answered, or not in flight at all. */
static bool aif_tag_produced(struct aif_client *c, u32 tag, u64 bytes)
{
	struct aif_request *r = &c->requests[tag];

	return aif_tag_quiet(c, tag) || aif_req_answered(READ_ONCE(r->state)) ||
	       READ_ONCE(r->produced) > bytes;
}

/* Does what @p waits for hold?  wait_lock held. */
bool aif_client_wait_done(struct aif_client *c, const struct aif_parked *p)
{
	lockdep_assert_held(&c->wait_lock);
	if (p->op == AIF_CMD_WAIT_QUIET)
		return aif_tag_quiet(c, p->tag);
	if (p->produced)
		return aif_tag_produced(c, p->tag, p->value);
	if (c->answered < p->value)
		return false;
	c->seen = max(c->seen, p->value);
	return true;
}

static void aif_waitq_wake(struct wait_queue_head *q)
{
	/* The sleeper's look takes wait_lock after it queued itself. */
	if (!waitqueue_active(q))
		return;
	aif_count(wakeups, 1);
	wake_up_all(q);
}

/*
 * Part of an output is there: complete parked commands, wake those who wait for it
 * and nobody who polls, as there may be many of those.  wait_lock held.
 */
void aif_client_wake_progress(struct aif_client *c)
{
	struct aif_parked *p, *next;

	list_for_each_entry_safe(p, next, &c->parked, node) {
		if (!aif_client_wait_done(c, p))
			continue;
		list_del_init(&p->node);
		p->parked = false;
		c->parked_count--;
		aif_count(wakeups, 1);
		aif_uring_wake(aif_parked_cmd(p));
	}
	aif_waitq_wake(&c->progressq);
}

/* Something was answered, or is quiet: wake all.  wait_lock held. */
void aif_client_wake(struct aif_client *c)
{
	aif_client_wake_progress(c);
	aif_waitq_wake(&c->waitq);
}

static void aif_client_cancel_waits(struct aif_client *c)
{
	struct aif_parked *p, *next;

	spin_lock(&c->wait_lock);
	list_for_each_entry_safe(p, next, &c->parked, node) {
		list_del_init(&p->node);
		p->parked = false;
		p->cancelled = true;
		c->parked_count--;
		aif_uring_wake(aif_parked_cmd(p));
	}
	spin_unlock(&c->wait_lock);
}

static bool aif_client_wait_check(struct aif_client *c, const struct aif_parked *p)
{
	bool done;

	spin_lock(&c->wait_lock);
	done = aif_client_wait_done(c, p);
	spin_unlock(&c->wait_lock);
	return done;
}

/*
 * Sleepers queue themselves before they look, wakers look at the queue under
 * wait_lock after they changed something, and the look takes wait_lock: no
 * wake-up is lost although wakers use waitqueue_active().
 */
static int aif_client_sleep(struct aif_client *c, const struct aif_parked *p, s64 timeout_ns)
{
	ktime_t left = timeout_ns < 0 ? KTIME_MAX : ns_to_ktime(timeout_ns);
	struct wait_queue_head *q = p->produced ? &c->progressq : &c->waitq;
	int err;

	if (aif_client_wait_check(c, p))
		return 0;
	if (!timeout_ns)
		return -ETIME;
	err = wait_event_interruptible_hrtimeout(*q, aif_client_wait_check(c, p), left);
	return err == -ERESTARTSYS ? -EINTR : err;
}

int aif_client_wait(struct aif_client *c, struct aif_ioc_wait *arg)
{
	struct aif_parked p = { .op = AIF_CMD_WAIT, .tag = arg->tag, .value = arg->value };

	p.produced = arg->flags & AIF_WAIT_F_PRODUCED;
	if (arg->flags & ~AIF_WAIT_F_PRODUCED || arg->__reserved ||
	    (p.produced ? arg->tag >= c->depth : arg->tag))
		return -EINVAL;
	return aif_client_sleep(c, &p, arg->timeout_ns);
}

int aif_client_wait_quiet(struct aif_client *c, struct aif_ioc_wait_quiet *arg)
{
	struct aif_parked p = { .op = AIF_CMD_WAIT_QUIET, .tag = arg->tag };

	if (arg->tag != AIF_TAG_ALL && arg->tag >= c->depth)
		return -EINVAL;
	return aif_client_sleep(c, &p, arg->timeout_ns);
}

int aif_client_cancel(struct aif_client *c, u32 flags, u32 tag, u32 generation)
{
	if (flags & ~AIF_CANCEL_F_WAITS)
		return -EINVAL;
	if (!c->depth)
		return -ENXIO;
	if (flags) {
		if (tag != AIF_TAG_ALL || generation)
			return -EINVAL;
		aif_client_cancel_waits(c);
		return 0;
	}
	if (tag != AIF_TAG_ALL)
		return aif_cancel(c, tag, generation);
	aif_cancel_all(c, -ECANCELED, NULL);
	return 0;
}
