// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants: a client's permission for one service to map one buffer.
 *
 * A grant has one view for each executor of its service.  The view is what the
 * executor maps and what survives the grant: a revoked view shows its own
 * zeroed page, repeated, so that nobody is signalled and nobody sees what the
 * client does next.  Revocation and page faults exclude each other by
 * grant->lock: a fault that comes before it is zapped, one that comes after it
 * finds the view ->dead.
 *
 * Its id stays taken in the service until the last view is acknowledged (or its
 * executor is gone) and the last request is quiet, so an executor never mixes
 * up two grants.  The buffer does not wait for that: an executor that never
 * acknowledges keeps nothing of the client's.
 */
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "aif.h"
#include "aif_trace.h"

static void aif_grant_free(struct work_struct *work)
{
	struct aif_grant *g = container_of(work, struct aif_grant, free_work);
	struct aif_service *s = g->service;

	mutex_lock(&s->lock);
	xa_erase(&s->grants, g->id);
	mutex_unlock(&s->lock);
	atomic64_sub(g->bytes, &s->granted_bytes);
	atomic_dec(&s->grant_count);
	aif_gauge(grants, -1);
	aif_service_put(s);
	kfree_rcu(g, rcu);
}

/* The last reference may go under a spinlock: the rest is done by a worker. */
static void aif_grant_unref(struct aif_grant *g)
{
	if (refcount_dec_and_test(&g->ref))
		queue_work(aif_wq, &g->free_work);
}

/* It is revoked, so all its views are zapped and none looks at the buffer. */
static void aif_grant_unused(struct work_struct *work)
{
	struct aif_grant *g = container_of(work, struct aif_grant, unused_work);
	struct aif_handle *h = g->of;

	mutex_lock(&g->service->lock);
	g->of = NULL;
	mutex_unlock(&g->service->lock);
	aif_handle_put(h);
	aif_grant_unref(g);
}

void aif_grant_put(struct aif_grant *g)
{
	if (refcount_dec_and_test(&g->users))
		queue_work(aif_wq, &g->unused_work);
}

static void aif_view_free(struct kref *ref)
{
	struct aif_view *v = container_of(ref, struct aif_view, ref);

	put_page(v->throw_away);
	iput(v->inode);
	aif_grant_unref(v->grant);
	aif_gauge(views, -1);
	kfree(v);
}

void aif_view_put(struct aif_view *v)
{
	kref_put(&v->ref, aif_view_free);
}

/* Called with service->lock; the event is delivered by the next FETCH. */
int aif_view_create(struct aif_grant *g, struct aif_executor *ex)
{
	struct aif_device *d = g->service->device;
	struct aif_view *v;
	int err;

	lockdep_assert_held(&g->service->lock);
	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	v->throw_away = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!v->throw_away) {
		kfree(v);
		return -ENOMEM;
	}
	kref_init(&v->ref);
	refcount_inc(&g->ref);
	ihold(ex->inode);
	v->grant = g;
	v->executor = ex;
	v->inode = ex->inode;
	INIT_LIST_HEAD(&v->event);
	aif_gauge(views, 1);
	/* From here on mmap finds it, by an id that was guessed. */
	err = xa_insert(&ex->views, g->id, v, GFP_KERNEL_ACCOUNT);
	if (err) {
		aif_view_put(v);
		return err;
	}
	list_add_tail(&v->of_grant, &g->views);
	spin_lock(&d->lock);
	list_add_tail(&v->event, &ex->events);
	aif_executor_wake(ex);
	spin_unlock(&d->lock);
	return 0;
}

/* The executor is through with it: acknowledged, or dead.  service->lock. */
void aif_view_detach(struct aif_view *v)
{
	struct aif_device *d = v->grant->service->device;

	lockdep_assert_held(&v->grant->service->lock);
	spin_lock(&d->lock);
	list_del_init(&v->event);
	spin_unlock(&d->lock);
	xa_erase(&v->executor->views, v->grant->id);
	list_del(&v->of_grant);
	v->executor = NULL;
	aif_view_put(v);
}

/* No CPU of the executor reaches the buffer through this view any more. */
void aif_view_zap(struct aif_view *v)
{
	struct aif_grant *g = v->grant;

	mutex_lock(&g->lock);
	v->dead = true;
	unmap_mapping_range(v->inode->i_mapping, (loff_t)g->id << AIF_MMAP_SHIFT,
			    g->bytes, 1);
	mutex_unlock(&g->lock);
}

static vm_fault_t aif_view_fault(struct vm_fault *vmf)
{
	struct aif_view *v = vmf->vma->vm_private_data;
	struct aif_grant *g = v->grant;
	vm_fault_t ret;
	int err;

	mutex_lock(&g->lock);
	if (!v->dead) {
		ret = aif_pages_fault(&g->of->buffer->pages, vmf);
	} else if (page_count(v->throw_away) > INT_MAX / 2) {
		ret = VM_FAULT_OOM;	/* a mapping costs it a reference each */
	} else {
		err = vm_insert_page(vmf->vma, vmf->address & PAGE_MASK, v->throw_away);
		ret = !err || err == -EBUSY ? VM_FAULT_NOPAGE : vmf_error(err);
	}
	mutex_unlock(&g->lock);
	return ret;
}

static void aif_view_vm_open(struct vm_area_struct *vma)
{
	struct aif_view *v = vma->vm_private_data;

	kref_get(&v->ref);
}

static void aif_view_vm_close(struct vm_area_struct *vma)
{
	aif_view_put(vma->vm_private_data);
}

static const struct vm_operations_struct aif_view_vm_ops = {
	.open = aif_view_vm_open,
	.close = aif_view_vm_close,
	.fault = aif_view_fault,
};

int aif_view_mmap(struct aif_executor *ex, struct vm_area_struct *vma, u32 id)
{
	struct aif_view *v;
	int err;

	xa_lock(&ex->views);
	v = xa_load(&ex->views, id);
	if (v)
		kref_get(&v->ref);
	xa_unlock(&ex->views);
	if (!v)
		return -ENOENT;
	err = aif_vma_setup(vma, v->grant->bytes, v->grant->writable);
	if (err) {
		aif_view_put(v);
		return err;
	}
	vma->vm_private_data = v;
	vma->vm_ops = &aif_view_vm_ops;
	trace_aif_grant_map(v->grant->service->id, id, task_tgid_nr(current));
	return 0;
}

/* What an executor sees, in the fdinfo of its file. */
void aif_views_show(struct seq_file *m, struct aif_executor *ex)
{
	struct aif_view *v;
	unsigned long i;

	mutex_lock(&ex->service->lock);
	xa_for_each(&ex->views, i, v)
		if (!v->revoked && v->grant->of)
			aif_buffer_show(m, v->grant->of->buffer, AIF_RIGHT_READ | AIF_RIGHT_MAP |
					(v->grant->writable ? AIF_RIGHT_WRITE : 0));
	mutex_unlock(&ex->service->lock);
}

static struct aif_grant *aif_grant_new(struct aif_service *s, struct aif_handle *h, bool writable)
{
	struct aif_grant *g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	u64 bytes = h->buffer->bytes;
	int err;

	if (!g)
		return ERR_PTR(-ENOMEM);
	err = aif_charge(&s->granted_bytes, bytes, READ_ONCE(aif_service_bytes));
	if (err) {
		kfree(g);
		return ERR_PTR(err);
	}
	refcount_set(&g->users, 1);
	refcount_set(&g->ref, 1);
	INIT_WORK(&g->unused_work, aif_grant_unused);
	INIT_WORK(&g->free_work, aif_grant_free);
	INIT_LIST_HEAD(&g->views);
	mutex_init(&g->lock);
	kref_get(&h->ref);
	kref_get(&s->ref);
	g->of = h;
	g->bytes = bytes;
	g->service = s;
	g->writable = writable;
	atomic_inc(&s->grant_count);
	aif_gauge(grants, 1);
	return g;
}

/* Zap every view and have its executor told to let go.  service->lock. */
static void aif_grant_tell(struct aif_grant *g)
{
	struct aif_device *d = g->service->device;
	struct aif_view *v;

	list_for_each_entry(v, &g->views, of_grant) {
		aif_view_zap(v);
		spin_lock(&d->lock);
		v->revoked = true;
		if (list_empty(&v->event))
			list_add_tail(&v->event, &v->executor->events);
		aif_executor_wake(v->executor);
		spin_unlock(&d->lock);
	}
}

/*
 * service->lock: show the grant to every executor.  If that fails half way,
 * those who may know it already are told that it is revoked.
 */
static int aif_grant_publish(struct aif_grant *g)
{
	struct aif_service *s = g->service;
	struct aif_executor *ex;
	int err;

	err = xa_alloc(&s->grants, &g->id, g, XA_LIMIT(1, AIF_HANDLE_MAX), GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	list_for_each_entry(ex, &s->executors, node) {
		err = aif_view_create(g, ex);
		if (err)
			break;
	}
	if (err) {
		g->revoked = true;	/* executors that attach now do not see it */
		aif_grant_tell(g);
	}
	return err;
}

static int aif_grant_install(struct aif_client *c, struct aif_handle *h, struct aif_service *s,
			     bool writable, u32 *handle)
{
	struct aif_grant *g;
	int err;

	if (c->grant_count >= READ_ONCE(aif_max_grants))
		return -ENOSPC;
	g = aif_grant_new(s, h, writable);
	if (IS_ERR(g))
		return PTR_ERR(g);
	/* Reserve the handle; the grant becomes visible when all views are there. */
	err = xa_alloc_cyclic(&c->grants, &g->handle, NULL, XA_LIMIT(1, AIF_HANDLE_MAX),
			      &c->next_grant, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		goto err_grant;
	mutex_lock(&s->lock);
	err = s->gone ? -ENODEV : aif_grant_publish(g);
	mutex_unlock(&s->lock);
	if (err)
		goto err_handle;
	xa_store(&c->grants, g->handle, g, GFP_KERNEL_ACCOUNT);
	c->grant_count++;
	h->grants++;
	*handle = g->handle;
	trace_aif_grant_add(c->id, s->id, g->id, h->buffer->id, g->bytes, writable);
	return 0;

err_handle:
	xa_release(&c->grants, g->handle);
err_grant:
	aif_grant_put(g);
	return err;
}

/* Its executors map it: who grants may, too. */
static bool aif_grant_allowed(const struct aif_handle *h, bool writable)
{
	u32 need = AIF_RIGHT_READ | AIF_RIGHT_MAP | (writable ? AIF_RIGHT_WRITE : 0);

	return !(need & ~h->rights);
}

int aif_grant_create(struct aif_client *c, struct aif_ioc_grant *arg)
{
	bool writable = arg->flags & AIF_GRANT_F_WRITE;
	struct aif_handle *h;
	struct aif_open *o;
	int err = -ENOENT;

	if (arg->flags & ~AIF_GRANT_F_WRITE || arg->__reserved)
		return -EINVAL;
	mutex_lock(&c->lock);
	h = xa_load(&c->buffers, arg->buffer);
	o = xa_load(&c->opens, arg->service);
	if (h && h->buffer->kind != AIF_BUFFER_ALLOC)
		err = -EINVAL;
	else if (h && !aif_grant_allowed(h, writable))
		err = -EACCES;
	else if (h && o)
		err = aif_grant_install(c, h, o->service, writable, &arg->out_grant);
	mutex_unlock(&c->lock);
	return err;
}

/*
 * First no new request can use it, then no CPU reaches it, then the requests
 * that used it are answered: whoever reads -EKEYREVOKED can reuse the memory
 * as far as CPUs go.
 */
static void aif_grant_take_back(struct aif_client *c, struct aif_grant *g)
{
	struct aif_service *s = g->service;

	spin_lock(&s->device->lock);
	g->revoked = true;
	spin_unlock(&s->device->lock);
	mutex_lock(&s->lock);
	aif_grant_tell(g);
	mutex_unlock(&s->lock);
	aif_cancel_all(c, -EKEYREVOKED, g);
	trace_aif_grant_revoke(c->id, s->id, g->id, g->of->buffer->id, g->bytes, g->writable);
	xa_erase(&c->grants, g->handle);
	c->grant_count--;
	g->of->grants--;
	aif_grant_put(g);
}

int aif_grant_revoke(struct aif_client *c, u32 handle)
{
	struct aif_grant *g;

	mutex_lock(&c->lock);
	g = xa_load(&c->grants, handle);
	if (g)
		aif_grant_take_back(c, g);
	mutex_unlock(&c->lock);
	return g ? 0 : -ENOENT;
}

void aif_grant_revoke_all(struct aif_client *c)
{
	struct aif_grant *g;
	unsigned long i;

	mutex_lock(&c->lock);
	xa_for_each(&c->grants, i, g)
		aif_grant_take_back(c, g);
	mutex_unlock(&c->lock);
}
