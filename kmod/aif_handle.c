// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles: what a client may do with a buffer, and files that pass that on.
 *
 * A buffer has as many handles as clients were given it, each with rights of its own;
 * a client's declared pins and grants belong to its handle.  Who has a buffer stands
 * in /proc/PID/fdinfo of the files that keep it: clients', those passed on, and those of
 * executors that see it.  A grant keeps the handle it was made of, freed or not:
 * recovery asks it what the client declared.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "aif.h"
#include "aif_trace.h"

static void aif_handle_release(struct kref *ref)
{
	struct aif_handle *h = container_of(ref, struct aif_handle, ref);

	aif_buffer_put(h->buffer);
	kfree(h);
}

void aif_handle_put(struct aif_handle *h)
{
	kref_put(&h->ref, aif_handle_release);
}

static int aif_handle_install(struct aif_client *c, struct aif_handle *h)
{
	int err;
	u32 id;

	if (c->buffer_count >= READ_ONCE(aif_max_buffers))
		return -ENOSPC;
	err = xa_alloc_cyclic(&c->buffers, &id, h, XA_LIMIT(1, AIF_HANDLE_MAX),
			      &c->next_buffer, GFP_KERNEL_ACCOUNT);
	if (err < 0)
		return err;
	c->buffer_count++;
	return id;
}

/*
 * A handle of @b, whose reference it takes over; or -errno, and that is gone.  From here
 * on another thread of the client may free it.
 */
int aif_handle_add(struct aif_client *c, struct aif_buffer *b, u32 rights)
{
	struct aif_handle *h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	int id;

	if (!h) {
		aif_buffer_put(b);
		return -ENOMEM;
	}
	kref_init(&h->ref);
	h->buffer = b;
	h->rights = rights;
	mutex_lock(&c->lock);
	id = aif_handle_install(c, h);
	mutex_unlock(&c->lock);
	if (id < 0)
		aif_handle_put(h);
	return id;
}

int aif_handle_free(struct aif_client *c, u32 id)
{
	struct aif_handle *h;

	mutex_lock(&c->lock);
	h = xa_load(&c->buffers, id);
	if (!h || h->grants) {
		mutex_unlock(&c->lock);
		return h ? -EBUSY : -ENOENT;
	}
	xa_erase(&c->buffers, id);
	c->buffer_count--;
	mutex_unlock(&c->lock);
	WRITE_ONCE(h->pins, 0);
	aif_handle_put(h);
	return 0;
}

/*
 * A reference to the buffer, if the handle has all of @need, and what it has.  The
 * table's own lock keeps both until then.
 */
static struct aif_buffer *aif_handle_look(struct aif_client *c, u32 id, u32 need, u32 *has)
{
	struct aif_buffer *b = ERR_PTR(-ENOENT);
	struct aif_handle *h;

	xa_lock(&c->buffers);
	h = xa_load(&c->buffers, id);
	if (h && need & ~h->rights) {
		b = ERR_PTR(-EACCES);
	} else if (h) {
		b = h->buffer;
		kref_get(&b->ref);
		*has = h->rights;
	}
	xa_unlock(&c->buffers);
	return b;
}

struct aif_buffer *aif_handle_buffer(struct aif_client *c, u32 id, u32 rights)
{
	return aif_handle_look(c, id, rights, &rights);
}

int aif_handle_declare(struct aif_client *c, u32 id, u32 pins)
{
	struct aif_handle *h;
	int err = 0;

	mutex_lock(&c->lock);
	h = xa_load(&c->buffers, id);
	if (h && h->buffer->kind == AIF_BUFFER_ALLOC)
		WRITE_ONCE(h->pins, pins);
	else
		err = h ? -EINVAL : -ENOENT;
	mutex_unlock(&c->lock);
	return err;
}

/* ---- mapped by a client ---- */

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
	aif_buffer_put_unmapped(vma->vm_private_data);
}

static const struct vm_operations_struct aif_buffer_vm_ops = {
	.open = aif_buffer_vm_open,
	.close = aif_buffer_vm_close,
	.fault = aif_buffer_fault,
};

static int aif_buffer_vma_setup(struct aif_buffer *b, u32 rights, struct vm_area_struct *vma)
{
	const u32 need = AIF_RIGHT_READ | AIF_RIGHT_MAP;

	if (b->kind != AIF_BUFFER_ALLOC)
		return -ENODEV;
	if (need & ~rights)
		return -EACCES;
	return aif_vma_setup(vma, b->bytes, rights & AIF_RIGHT_WRITE);
}

/* mmap_lock is held here: client->lock, which is held over allocations, is not waited for. */
int aif_handle_mmap(struct aif_client *c, struct vm_area_struct *vma, u32 id)
{
	u32 rights;
	struct aif_buffer *b = aif_handle_look(c, id, 0, &rights);
	int err;

	if (IS_ERR(b))
		return PTR_ERR(b);
	err = aif_buffer_vma_setup(b, rights, vma);
	if (err) {
		aif_buffer_put(b);
		return err;
	}
	vma->vm_private_data = b;
	vma->vm_ops = &aif_buffer_vm_ops;
	return 0;
}

/* ---- passed on ---- */

struct aif_shared {
	struct aif_buffer *buffer;
	u32 rights;
};

static int aif_shared_release(struct inode *inode, struct file *filp)
{
	struct aif_shared *shared = filp->private_data;

	aif_buffer_put(shared->buffer);
	kfree(shared);
	return 0;
}

/* One buffer that a file keeps, or that an executor sees. */
void aif_buffer_show(struct seq_file *m, const struct aif_buffer *b, u32 rights)
{
	static const char * const kinds[] = {
		[AIF_BUFFER_ALLOC] = "alloc",
		[AIF_BUFFER_PIN] = "pin",
		[AIF_BUFFER_MEMFD] = "memfd",
		[AIF_BUFFER_IMPORT] = "import",
	};

	seq_printf(m, "aif-buffer:\t%llu %s %llu bytes of tenant %llu %s%s%s%s", b->id,
		   kinds[b->kind], b->charged, b->tenant->id, rights & AIF_RIGHT_READ ? "r" : "-",
		   rights & AIF_RIGHT_WRITE ? "w" : "-", rights & AIF_RIGHT_MAP ? "m" : "-",
		   rights & AIF_RIGHT_TRANSFER ? "t" : "-");
	aif_engines_show(m, b);
	seq_putc(m, '\n');
}

void aif_handles_show(struct seq_file *m, struct aif_client *c)
{
	struct aif_handle *h;
	unsigned long id;

	mutex_lock(&c->lock);
	xa_for_each(&c->buffers, id, h)
		aif_buffer_show(m, h->buffer, h->rights);
	mutex_unlock(&c->lock);
}

static void aif_shared_fdinfo(struct seq_file *m, struct file *filp)
{
	const struct aif_shared *shared = filp->private_data;

	aif_buffer_show(m, shared->buffer, shared->rights);
}

static const struct file_operations aif_shared_fops = {
	.owner = THIS_MODULE,
	.release = aif_shared_release,
	.show_fdinfo = aif_shared_fdinfo,
};

/* An fd of @b with @rights, or -errno; takes over the reference. */
static int aif_shared_fd(struct aif_buffer *b, u32 rights)
{
	struct aif_shared *shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);
	int fd = -ENOMEM;

	if (shared) {
		shared->buffer = b;
		shared->rights = rights;
		fd = anon_inode_getfd("[aif-buffer]", &aif_shared_fops, shared,
				      O_RDWR | O_CLOEXEC);
	}
	if (fd < 0) {
		aif_buffer_put(b);
		kfree(shared);
	}
	return fd;
}

int aif_handle_share(struct aif_client *c, u32 id, u32 rights)
{
	struct aif_buffer *b;
	u64 buffer;
	u32 has;
	int fd;

	if (rights & ~AIF_RIGHT_ALL)
		return -EINVAL;
	b = aif_handle_look(c, id, rights, &has);
	if (IS_ERR(b))
		return PTR_ERR(b);
	rights = rights ?: has;
	buffer = b->id;
	fd = aif_shared_fd(b, rights);
	if (fd >= 0)
		trace_aif_buffer_share(c->id, buffer, rights);
	return fd;
}

static int aif_shared_accept(struct aif_client *c, const struct aif_shared *shared,
			     struct aif_ioc_buffer_accept *arg)
{
	struct aif_buffer *b = shared->buffer;
	u32 rights = arg->rights ?: shared->rights;
	int id;

	if (rights & ~AIF_RIGHT_ALL)
		return -EINVAL;
	if (rights & ~shared->rights)
		return -EACCES;
	arg->out_rights = rights;
	arg->out_bytes = b->bytes;
	kref_get(&b->ref);
	id = aif_handle_add(c, b, rights);
	if (id < 0)
		return id;
	trace_aif_buffer_accept(c->id, b->id, rights);
	arg->out_handle = id;
	arg->out_offset = b->kind == AIF_BUFFER_ALLOC ? (u64)id << AIF_MMAP_SHIFT : 0;
	return 0;
}

int aif_handle_accept(struct aif_client *c, struct aif_ioc_buffer_accept *arg)
{
	struct file *filp;
	int err = -EINVAL;

	if (arg->__reserved)
		return -EINVAL;
	filp = fget(arg->fd);
	if (!filp)
		return -EBADF;
	if (filp->f_op == &aif_shared_fops)
		err = aif_shared_accept(c, filp->private_data, arg);
	fput(filp);
	return err;
}
