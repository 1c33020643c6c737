// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services: named endpoints that outlive their executors.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "aif.h"

static DEFINE_XARRAY_ALLOC1(aif_services);	/* aif_registry */
static u32 aif_service_next_id;
static u32 aif_service_count;

struct aif_service *aif_service_find(u32 id)
{
	struct aif_service *s;

	mutex_lock(&aif_registry);
	s = xa_load(&aif_services, id);
	if (s)
		kref_get(&s->ref);
	mutex_unlock(&aif_registry);
	return s;
}

/* aif_registry held; no reference taken. */
static struct aif_service *__aif_service_find_name(const char *name, kuid_t owner)
{
	struct aif_service *s;
	unsigned long i;

	xa_for_each(&aif_services, i, s)
		if (uid_eq(s->owner, owner) && !strcmp(s->desc.name, name))
			return s;
	return NULL;
}

struct aif_service *aif_service_find_name(const char *name, kuid_t owner)
{
	struct aif_service *s;

	mutex_lock(&aif_registry);
	s = __aif_service_find_name(name, owner);
	if (s)
		kref_get(&s->ref);
	mutex_unlock(&aif_registry);
	return s;
}

static void aif_service_free(struct kref *ref)
{
	struct aif_service *s = container_of(ref, struct aif_service, ref);
	int i;

	if (s->mover)
		aif_mover_free(s->mover);
	for (i = 0; i < AIF_CLASS_COUNT; i++)
		kvfree(s->queue.lanes[i].slots);
	kvfree(s->queue.paused.slots);
	xa_destroy(&s->grants);
	aif_mapped_free(&s->status);
	kvfree(s->text);
	if (s->device)
		aif_device_put(s->device);
	aif_gauge(services, -1);
	kfree(s);
}

void aif_service_put(struct aif_service *s)
{
	kref_put(&s->ref, aif_service_free);
}

static int aif_service_copy_text(struct aif_service *s, struct aif_ioc_service_create *arg)
{
	if (!arg->text_length)
		return 0;
	s->text = memdup_user_nul(u64_to_user_ptr(arg->text), arg->text_length);
	if (IS_ERR(s->text)) {
		int err = PTR_ERR(s->text);

		s->text = NULL;
		return err;
	}
	s->text_length = arg->text_length;
	return strlen(s->text) == s->text_length ? 0 : -EINVAL;
}

struct aif_service *aif_service_alloc(kuid_t owner)
{
	struct aif_service *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	kref_init(&s->ref);
	s->owner = owner;
	mutex_init(&s->lock);
	xa_init_flags(&s->grants, XA_FLAGS_ALLOC1);
	INIT_LIST_HEAD(&s->executors);
	INIT_LIST_HEAD(&s->lost);
	INIT_LIST_HEAD(&s->members);
	INIT_LIST_HEAD(&s->idle);
	INIT_LIST_HEAD(&s->ready);
	INIT_LIST_HEAD(&s->claim);
	INIT_DELAYED_WORK(&s->tend, aif_recovery_tend);
	aif_sched_queue_init(&s->queue);
	aif_gauge(services, 1);
	return s;
}

/* aif_registry held. */
static int aif_service_publish(struct aif_service *s)
{
	int err;

	if (__aif_service_find_name(s->desc.name, s->owner))
		return -EEXIST;
	if (aif_service_count >= READ_ONCE(aif_max_services))
		return -ENOSPC;
	if (!aif_tenants_fit(s->desc.device, s->desc.longest_step_ms * USEC_PER_MSEC))
		return -ETIME;
	s->device = aif_device_get(s->desc.device);
	if (!s->device)
		return -ENOMEM;
	err = xa_alloc_cyclic(&aif_services, &s->id, s, XA_LIMIT(1, 0x7fffffff),
			      &aif_service_next_id, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	aif_service_count++;
	aif_device_add(s->device, s);
	return 0;
}

/* f->lock held. */
int aif_service_create(struct aif_file *f, struct aif_ioc_service_create *arg)
{
	struct aif_service *s;
	int err;

	if (f->role != AIF_ROLE_SERVE)
		return -EBUSY;
	if (arg->__reserved || arg->text_length > AIF_TEXT_MAX)
		return -EINVAL;
	err = aif_service_desc_check(&arg->desc);
	if (err)
		return err;
	s = aif_service_alloc(f->cred->euid);
	if (!s)
		return -ENOMEM;
	s->desc = arg->desc;
	err = aif_service_copy_text(s, arg);
	if (!err)
		err = aif_mapped_alloc(&s->status, sizeof(struct aif_executor_status), 1, NULL);
	if (!err) {
		mutex_lock(&aif_registry);
		err = aif_service_publish(s);
		mutex_unlock(&aif_registry);
	}
	if (err) {
		aif_service_put(s);
		return err;
	}
	arg->out_id = s->id;
	f->service = s;
	aif_file_set_role(f, AIF_ROLE_HOLDER);
	return 0;
}

/*
 * Gathered first, copied out without the lock: a page fault takes mmap_lock,
 * under which the last unmapping of a buffer takes aif_registry.
 */
int aif_service_list(struct aif_ioc_service_list *arg)
{
	u32 room = min(arg->capacity, READ_ONCE(aif_max_services));
	struct aif_service *s;
	unsigned long i;
	int err = 0;
	u32 *ids;

	if (arg->__reserved)
		return -EINVAL;
	arg->out_count = 0;
	ids = kvcalloc(room, sizeof(*ids), AIF_GFP_SIZED);
	if (!ids)
		return -ENOMEM;
	mutex_lock(&aif_registry);
	xa_for_each(&aif_services, i, s) {
		if (arg->out_count < room)
			ids[arg->out_count] = s->id;
		arg->out_count++;
	}
	mutex_unlock(&aif_registry);
	if (copy_to_user(u64_to_user_ptr(arg->ids), ids,
			 min(room, arg->out_count) * sizeof(*ids)))
		err = -EFAULT;
	kvfree(ids);
	return err;
}

static int aif_service_text_out(struct aif_service *s, struct aif_ioc_service_describe *arg)
{
	u32 n = min(arg->text_capacity, s->text_length);

	arg->out_text_length = s->text_length;
	if (n && copy_to_user(u64_to_user_ptr(arg->text), s->text, n))
		return -EFAULT;
	return 0;
}

int aif_service_describe(struct aif_ioc_service_describe *arg)
{
	struct aif_service *s = aif_service_find(arg->id);
	int err;

	if (!s)
		return -ENOENT;
	arg->out_owner = from_kuid_munged(current_user_ns(), s->owner);
	arg->out_desc = s->desc;
	arg->out_grants = atomic_read(&s->grant_count);
	arg->out_granted_bytes = atomic64_read(&s->granted_bytes);
	spin_lock(&s->device->lock);
	arg->out_executors = s->executor_count;
	arg->out_queued = s->queue.queued;
	arg->out_fetched = s->fetched;
	arg->out_draining = s->draining;
	arg->out_answered = s->answered_total;
	arg->out_recovered = s->recovered_total;
	arg->out_device_ns = s->device_ns;
	spin_unlock(&s->device->lock);
	err = aif_service_text_out(s, arg);
	aif_service_put(s);
	return err;
}

/* There is another first request, maybe.  Device's lock held. */
void aif_service_look_again(struct aif_service *s)
{
	if (!s->passed_over)
		return;
	s->passed_over = false;
	aif_service_wake_all(s);
}

/* The doorbell that spinning executors watch.  Device's lock held. */
void aif_service_ring(struct aif_service *s)
{
	struct aif_executor_status *bell = s->status.pages.va;

	/* The executor's FETCH comes after it. */
	smp_store_release(&bell->queued, s->queued_total);
	aif_device_wake_pollers(s->device);
	aif_service_look_again(s);
}

/* Told to drain, and nothing is left that an executor could do or give back. */
bool aif_service_drained(const struct aif_service *s)
{
	return s->draining && !s->queue.queued && !s->fetched && !s->recovering;
}

/* Waiting executors look again.  Device's lock held. */
void aif_service_wake_all(struct aif_service *s)
{
	struct aif_executor *ex;

	list_for_each_entry(ex, &s->executors, node)
		aif_executor_wake(ex);
}

int aif_service_drain(struct aif_service *s)
{
	spin_lock(&s->device->lock);
	s->draining = true;
	aif_service_wake_all(s);
	spin_unlock(&s->device->lock);
	return 0;
}

/* Answer what is queued, in bounded pieces: the device has other services. */
static void aif_service_fail_queued(struct aif_service *s)
{
	struct aif_sched_lane *lane;
	struct aif_heap_node *n;
	u32 budget = 32;

	spin_lock(&s->device->lock);
	while ((lane = aif_sched_next(&s->queue))) {
		n = aif_heap_first(&lane->requests);
		aif_request_answer(container_of(n, struct aif_request, node), -ENODEV, 0,
				   AIF_REQ_ANSWER, ktime_get_ns());
		if (!--budget) {
			spin_unlock(&s->device->lock);
			cond_resched();
			budget = 32;
			spin_lock(&s->device->lock);
		}
	}
	spin_unlock(&s->device->lock);
}

/* The holder's file is closed: the service ends; its executors are told. */
void aif_service_close(struct aif_service *s)
{
	mutex_lock(&aif_registry);
	xa_erase(&aif_services, s->id);
	aif_service_count--;
	aif_device_remove(s->device, s);
	mutex_unlock(&aif_registry);
	mutex_lock(&s->lock);
	spin_lock(&s->device->lock);
	s->gone = true;
	list_del_init(&s->claim);
	aif_service_wake_all(s);
	spin_unlock(&s->device->lock);
	mutex_unlock(&s->lock);
	aif_service_fail_queued(s);
	aif_service_put(s);
}
