// SPDX-License-Identifier: GPL-2.0-only
/*
 * `alloc` buffers.
 *
 * A buffer object lives as long as a handle, a grant or a mapping of the
 * client needs it.  When the last of them is gone its pages may still carry
 * long-term pins (a GPU driver, a ring): then the object goes to the held
 * list, stays charged to its tenant, and is given to nobody until a periodic
 * look finds the pins gone.  put_page() is what makes that safe in any case.
 */
#include <linux/memcontrol.h>
#include <linux/slab.h>

#include "aif.h"

#define AIF_HELD_PERIOD	msecs_to_jiffies(50)

static LIST_HEAD(aif_held);
static DEFINE_SPINLOCK(aif_held_lock);
static void aif_held_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(aif_held_work, aif_held_look);

static int aif_tenant_charge(struct aif_tenant *t, u64 bytes)
{
	if (atomic64_add_return(bytes, &t->bytes) <= aif_tenant_bytes)
		return 0;
	atomic64_sub(bytes, &t->bytes);
	return -EDQUOT;
}

static struct aif_buffer *aif_buffer_create(struct aif_client *c, u64 bytes)
{
	struct aif_buffer *b;
	int err;

	err = aif_tenant_charge(c->tenant, bytes);
	if (err)
		return ERR_PTR(err);
	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	err = b ? aif_pages_alloc(&b->pages, bytes, c->memcg) : -ENOMEM;
	if (err) {
		atomic64_sub(bytes, &c->tenant->bytes);
		kfree(b);
		return ERR_PTR(err);
	}
	kref_init(&b->ref);
	INIT_LIST_HEAD(&b->node);
	kref_get(&c->tenant->ref);
	b->tenant = c->tenant;
	b->bytes = bytes;
	aif_gauge(buffers, 1);
	aif_gauge(buffer_bytes, bytes);
	return b;
}

static void aif_buffer_destroy(struct aif_buffer *b)
{
	aif_pages_free(&b->pages);
	atomic64_sub(b->bytes, &b->tenant->bytes);
	aif_tenant_put(b->tenant);
	aif_gauge(buffers, -1);
	aif_gauge(buffer_bytes, -(s64)b->bytes);
	kfree(b);
}

static bool aif_buffer_held(struct aif_buffer *b)
{
	return aif_pages_pinned(&b->pages, 0, b->pages.count, 0);
}

static void aif_held_look(struct work_struct *work)
{
	struct aif_buffer *b, *next;
	LIST_HEAD(look);

	spin_lock(&aif_held_lock);
	list_splice_init(&aif_held, &look);
	spin_unlock(&aif_held_lock);
	list_for_each_entry_safe(b, next, &look, node) {
		if (aif_buffer_held(b))
			continue;
		list_del(&b->node);
		aif_gauge(held_bytes, -(s64)b->bytes);
		aif_buffer_destroy(b);
	}
	spin_lock(&aif_held_lock);
	list_splice(&look, &aif_held);
	if (!list_empty(&aif_held))
		queue_delayed_work(aif_wq, &aif_held_work, AIF_HELD_PERIOD);
	spin_unlock(&aif_held_lock);
}

static void aif_buffer_release(struct kref *ref)
{
	struct aif_buffer *b = container_of(ref, struct aif_buffer, ref);

	if (!aif_buffer_held(b)) {
		aif_buffer_destroy(b);
		return;
	}
	aif_gauge(held_bytes, b->bytes);
	spin_lock(&aif_held_lock);
	list_add_tail(&b->node, &aif_held);
	queue_delayed_work(aif_wq, &aif_held_work, AIF_HELD_PERIOD);
	spin_unlock(&aif_held_lock);
}

void aif_buffer_put(struct aif_buffer *b)
{
	kref_put(&b->ref, aif_buffer_release);
}

/* Module exit: the pages go to whoever pinned them. */
void aif_buffer_fini(void)
{
	struct aif_buffer *b, *next;

	cancel_delayed_work_sync(&aif_held_work);
	list_for_each_entry_safe(b, next, &aif_held, node)
		aif_buffer_destroy(b);
}

/* From here on another thread of the client may free it by its handle. */
static int aif_buffer_install(struct aif_client *c, struct aif_buffer *b,
			      struct aif_ioc_buffer_alloc *arg)
{
	int err;

	if (c->buffer_count >= READ_ONCE(aif_max_buffers))
		return -ENOSPC;
	err = xa_alloc_cyclic(&c->buffers, &b->handle, b, XA_LIMIT(1, AIF_HANDLE_MAX),
			      &c->next_buffer, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	c->buffer_count++;
	arg->out_handle = b->handle;
	arg->out_offset = (u64)b->handle << AIF_MMAP_SHIFT;
	arg->out_bytes = b->bytes;
	return 0;
}

int aif_buffer_alloc(struct aif_client *c, struct aif_ioc_buffer_alloc *arg)
{
	struct aif_buffer *b;
	int err;

	if (arg->flags || arg->__reserved || !arg->bytes ||
	    arg->bytes > (1ull << AIF_MMAP_SHIFT) - PAGE_SIZE)
		return -EINVAL;
	b = aif_buffer_create(c, PAGE_ALIGN(arg->bytes));
	if (IS_ERR(b))
		return PTR_ERR(b);
	mutex_lock(&c->lock);
	err = aif_buffer_install(c, b, arg);
	mutex_unlock(&c->lock);
	if (err)
		aif_buffer_put(b);
	return err;
}

int aif_buffer_free(struct aif_client *c, u32 handle)
{
	struct aif_buffer *b;

	mutex_lock(&c->lock);
	b = xa_load(&c->buffers, handle);
	if (!b || b->grants) {
		mutex_unlock(&c->lock);
		return b ? -EBUSY : -ENOENT;
	}
	xa_erase(&c->buffers, handle);
	c->buffer_count--;
	mutex_unlock(&c->lock);
	WRITE_ONCE(b->client_pins, 0);
	aif_buffer_put(b);
	return 0;
}

int aif_buffer_declare(struct aif_client *c, u32 handle, u32 pins)
{
	struct aif_buffer *b;

	mutex_lock(&c->lock);
	b = xa_load(&c->buffers, handle);
	if (b)
		WRITE_ONCE(b->client_pins, pins);
	mutex_unlock(&c->lock);
	return b ? 0 : -ENOENT;
}

static vm_fault_t aif_buffer_fault(struct vm_fault *vmf)
{
	struct aif_buffer *b = vmf->vma->vm_private_data;

	return aif_pages_fault(&b->pages, vmf);
}

static void aif_buffer_vm_open(struct vm_area_struct *vma)
{
	struct aif_buffer *b = vma->vm_private_data;

	kref_get(&b->ref);
}

static void aif_buffer_vm_close(struct vm_area_struct *vma)
{
	aif_buffer_put(vma->vm_private_data);
}

static const struct vm_operations_struct aif_buffer_vm_ops = {
	.open = aif_buffer_vm_open,
	.close = aif_buffer_vm_close,
	.fault = aif_buffer_fault,
};

/*
 * mmap_lock is held here: client->lock, which is held over allocations, is not
 * waited for; the table's own lock keeps the buffer until it is referenced.
 */
int aif_buffer_mmap(struct aif_client *c, struct vm_area_struct *vma, u32 handle)
{
	struct aif_buffer *b;
	int err;

	xa_lock(&c->buffers);
	b = xa_load(&c->buffers, handle);
	if (b)
		kref_get(&b->ref);
	xa_unlock(&c->buffers);
	if (!b)
		return -ENOENT;
	err = aif_vma_setup(vma, b->bytes, true);
	if (err) {
		aif_buffer_put(b);
		return err;
	}
	vma->vm_private_data = b;
	vma->vm_ops = &aif_buffer_vm_ops;
	return 0;
}
