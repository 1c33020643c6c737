// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open files of /dev/aif and /dev/aif-serve.
 *
 * Each has an inode of its own from a pseudo file system of ours, and its
 * f_mapping points there: GUP takes such mappings for long-term pins (no
 * writeback), and zapping one executor's view touches nobody else's.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "aif.h"

#define AIF_FS_MAGIC	0x41494620	/* "AIF " */

static struct vfsmount *aif_mnt;

static int aif_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, AIF_FS_MAGIC) ? 0 : -ENOMEM;
}

/* No .owner: the mount is the module's own, and must not hold it. */
static struct file_system_type aif_fs = {
	.name = "aif",
	.init_fs_context = aif_fs_init_context,
	.kill_sb = kill_anon_super,
};

int aif_node_init(void)
{
	aif_mnt = kern_mount(&aif_fs);
	return PTR_ERR_OR_ZERO(aif_mnt);
}

void aif_node_fini(void)
{
	kern_unmount(aif_mnt);
}

static struct aif_file *aif_file_new(struct file *filp)
{
	struct aif_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->inode = alloc_anon_inode(aif_mnt->mnt_sb);
	if (IS_ERR(f->inode)) {
		int err = PTR_ERR(f->inode);

		kfree(f);
		return ERR_PTR(err);
	}
	mutex_init(&f->lock);
	f->cred = filp->f_cred;
	filp->f_mapping = f->inode->i_mapping;
	filp->private_data = f;
	aif_gauge(files, 1);
	return f;
}

static void aif_file_free(struct aif_file *f)
{
	iput(f->inode);
	kfree(f);
	aif_gauge(files, -1);
}

static int aif_client_open(struct inode *inode, struct file *filp)
{
	struct aif_file *f = aif_file_new(filp);

	if (IS_ERR(f))
		return PTR_ERR(f);
	f->role = AIF_ROLE_CLIENT;
	f->client = aif_client_create(f);
	if (!f->client) {
		aif_file_free(f);
		return -ENOMEM;
	}
	return nonseekable_open(inode, filp);
}

static int aif_client_release(struct inode *inode, struct file *filp)
{
	struct aif_file *f = filp->private_data;

	aif_client_close(f->client);
	aif_file_free(f);
	return 0;
}

static int aif_serve_open(struct inode *inode, struct file *filp)
{
	struct aif_file *f = aif_file_new(filp);

	if (IS_ERR(f))
		return PTR_ERR(f);
	f->role = AIF_ROLE_SERVE;
	return nonseekable_open(inode, filp);
}

static int aif_serve_flush(struct file *filp, fl_owner_t id)
{
	struct aif_file *f = filp->private_data;

	if (aif_file_role(f) == AIF_ROLE_EXECUTOR)
		aif_executor_exit_check(f->executor);
	return 0;
}

static int aif_serve_release(struct inode *inode, struct file *filp)
{
	struct aif_file *f = filp->private_data;

	if (f->role == AIF_ROLE_EXECUTOR)
		aif_executor_close(f->executor);
	else if (f->role == AIF_ROLE_HOLDER)
		aif_service_close(f->service);
	aif_file_free(f);
	return 0;
}

static int aif_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct aif_file *f = filp->private_data;
	u32 handle = vma->vm_pgoff >> (AIF_MMAP_SHIFT - PAGE_SHIFT);
	int err;

	switch (aif_file_role(f)) {
	case AIF_ROLE_CLIENT:
		if (handle)
			return aif_handle_mmap(f->client, vma, handle);
		/* An INFO that fails takes back arrays that it had already made. */
		return aif_client_depth(f->client) ? aif_mapped_mmap(f->client->arrays, vma) :
						     -ENXIO;
	case AIF_ROLE_EXECUTOR:
		err = aif_executor_check(f->executor);
		if (err)
			return err;
		return handle ? aif_view_mmap(f->executor, vma, handle) :
				aif_mapped_mmap(f->executor->arrays, vma);
	default:
		return -ENXIO;
	}
}

static void aif_client_fdinfo(struct seq_file *m, struct file *filp)
{
	struct aif_file *f = filp->private_data;

	seq_printf(m, "aif-client:\t%llu\n", f->client->id);
	aif_handles_show(m, f->client);
}

static void aif_serve_fdinfo(struct seq_file *m, struct file *filp)
{
	struct aif_file *f = filp->private_data;

	switch (aif_file_role(f)) {
	case AIF_ROLE_HOLDER:
		seq_printf(m, "aif-service:\t%u\n", f->service->id);
		break;
	case AIF_ROLE_EXECUTOR:
		seq_printf(m, "aif-executor:\t%u\n", f->executor->service->id);
		aif_views_show(m, f->executor);
		break;
	default:
		break;
	}
}

static __poll_t aif_poll(struct file *filp, poll_table *pt)
{
	struct aif_file *f = filp->private_data;

	switch (aif_file_role(f)) {
	case AIF_ROLE_CLIENT:
		return aif_client_poll(f->client, filp, pt);
	case AIF_ROLE_EXECUTOR:
		return aif_executor_poll(f->executor, filp, pt);
	default:
		return EPOLLERR;
	}
}

/* The file behind a descriptor of the caller, if it is one of /dev/aif-serve. */
struct aif_file *aif_file_from_fd(int fd, struct file **filp)
{
	*filp = fget(fd);
	if (!*filp)
		return NULL;
	if ((*filp)->f_op == &aif_serve_fops)
		return (*filp)->private_data;
	fput(*filp);
	return NULL;
}

const struct file_operations aif_client_fops = {
	.owner = THIS_MODULE,
	.open = aif_client_open,
	.release = aif_client_release,
	.show_fdinfo = aif_client_fdinfo,
	.unlocked_ioctl = aif_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = aif_uring_cmd,
	.mmap = aif_mmap,
	.poll = aif_poll,
};

const struct file_operations aif_serve_fops = {
	.owner = THIS_MODULE,
	.open = aif_serve_open,
	.flush = aif_serve_flush,
	.release = aif_serve_release,
	.show_fdinfo = aif_serve_fdinfo,
	.unlocked_ioctl = aif_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = aif_uring_cmd,
	.mmap = aif_mmap,
	.poll = aif_poll,
};
