// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl door: one table says how large each argument is, who may call, and
 * what does it.
 */
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "aif.h"

#define AIF_ARG_SMALL	64	/* such arguments live on the stack */
#define AIF_PINS_MAX	1024

static int aif_do_info(struct aif_file *f, void *p)
{
	static const struct aif_tenant nobody;
	struct aif_ioc_info *arg = p;
	struct aif_tenant_limits limits;

	limits = aif_tenant_limits(f->role == AIF_ROLE_CLIENT ? f->client->tenant : &nobody);
	arg->out_tenant_bytes = limits.alloc_bytes;
	arg->out_tenant_pinned = limits.pinned_bytes;
	arg->out_tenant_requests = limits.requests;
	arg->out_role = f->role;
	arg->out_max_depth = aif_max_depth;
	arg->out_service_bytes = READ_ONCE(aif_service_bytes);
	arg->out_device_requests = aif_device_requests;
	arg->out_tenant = 0;
	memset(arg->out_arrays, 0, sizeof(arg->out_arrays));
	if (f->role == AIF_ROLE_CLIENT)
		return aif_client_info(f, arg);
	if (arg->depth)
		return -EINVAL;
	mutex_lock(&f->lock);
	f->features |= arg->features & aif_uring_feature;	/* the others are a client's */
	arg->features = f->features;
	if (f->role == AIF_ROLE_EXECUTOR)
		aif_mapped_describe(f->executor->arrays, arg->out_arrays);
	mutex_unlock(&f->lock);
	return 0;
}

static int aif_do_buffer_alloc(struct aif_file *f, void *arg)
{
	return aif_buffer_alloc(f->client, arg);
}

static int aif_do_buffer_free(struct aif_file *f, void *p)
{
	struct aif_ioc_buffer_free *arg = p;

	return aif_handle_free(f->client, arg->handle);
}

static int aif_do_buffer_pin(struct aif_file *f, void *arg)
{
	return aif_buffer_pin(f->client, arg);
}

static int aif_do_buffer_memfd(struct aif_file *f, void *arg)
{
	return aif_buffer_memfd(f->client, arg);
}

static int aif_do_buffer_import(struct aif_file *f, void *arg)
{
	return aif_buffer_import(f->client, arg);
}

static int aif_do_buffer_sync(struct aif_file *f, void *arg)
{
	return aif_buffer_sync(f->client, arg);
}

/* The fd is what the call returns: there is no output that could be lost. */
static int aif_do_buffer_share(struct aif_file *f, void *p)
{
	struct aif_ioc_buffer_share *arg = p;

	return arg->__reserved ? -EINVAL : aif_handle_share(f->client, arg->handle, arg->rights);
}

static int aif_do_buffer_accept(struct aif_file *f, void *arg)
{
	return aif_handle_accept(f->client, arg);
}

static int aif_do_buffer_map(struct aif_file *f, void *arg)
{
	return aif_buffer_map(f->client, arg);
}

static int aif_do_buffer_unmap(struct aif_file *f, void *arg)
{
	return aif_buffer_unmap(f->client, arg);
}

static int aif_do_grant(struct aif_file *f, void *arg)
{
	return aif_grant_create(f->client, arg);
}

static int aif_do_revoke(struct aif_file *f, void *p)
{
	struct aif_ioc_revoke *arg = p;

	return aif_grant_revoke(f->client, arg->grant);
}

static int aif_do_declare_pins(struct aif_file *f, void *p)
{
	struct aif_ioc_declare_pins *arg = p;

	if (arg->__reserved || arg->pins > AIF_PINS_MAX)
		return -EINVAL;
	return f->role == AIF_ROLE_CLIENT ?
	       aif_handle_declare(f->client, arg->handle, arg->pins) :
	       aif_executor_declare(f->executor, arg->handle, arg->pins);
}

static int aif_do_service_create(struct aif_file *f, void *arg)
{
	int err;

	mutex_lock(&f->lock);
	err = aif_service_create(f, arg);
	mutex_unlock(&f->lock);
	return err;
}

static int aif_do_service_list(struct aif_file *f, void *arg)
{
	return aif_service_list(arg);
}

static int aif_do_service_describe(struct aif_file *f, void *arg)
{
	return aif_service_describe(arg);
}

static int aif_do_service_open(struct aif_file *f, void *arg)
{
	return aif_client_open_service(f->client, arg);
}

static int aif_do_service_drain(struct aif_file *f, void *p)
{
	struct aif_ioc_service_drain *arg = p;

	return arg->__reserved ? -EINVAL : aif_service_drain(f->service);
}

static int aif_do_submit(struct aif_file *f, void *p)
{
	struct aif_ioc_submit *arg = p;
	struct aif_client *c = f->client;
	struct aif_batch *batch;
	int ret;

	if (!aif_client_depth(c))
		return -ENXIO;
	if (arg->__reserved)
		return -EINVAL;
	ret = aif_submit(c, arg->flags, arg->first, arg->count, &batch);
	arg->out_accepted = max(ret, 0);
	if (ret < 0)
		return ret;
	return batch ? aif_batch_wait(c, batch) : 0;
}

static int aif_do_wait(struct aif_file *f, void *arg)
{
	if (!aif_client_depth(f->client))
		return -ENXIO;
	return aif_client_wait(f->client, arg);
}

static int aif_do_wait_quiet(struct aif_file *f, void *arg)
{
	if (!aif_client_depth(f->client))
		return -ENXIO;
	return aif_client_wait_quiet(f->client, arg);
}

static int aif_do_cancel(struct aif_file *f, void *p)
{
	struct aif_ioc_cancel *arg = p;

	return aif_client_cancel(f->client, arg->flags, arg->tag, arg->generation);
}

static int aif_do_set_eventfd(struct aif_file *f, void *p)
{
	struct aif_ioc_set_eventfd *arg = p;

	return aif_client_set_eventfd(f->client, arg->fd);
}

static int aif_do_attach(struct aif_file *f, void *arg)
{
	int err;

	mutex_lock(&f->lock);
	err = aif_executor_attach(f, arg);
	mutex_unlock(&f->lock);
	return err;
}

static int aif_do_commit_fetch(struct aif_file *f, void *p)
{
	struct aif_ioc_commit_fetch *arg = p;
	struct aif_executor *ex = f->executor;
	int ret;

	arg->out_count = 0;
	arg->out_stale = 0;
	if (arg->__reserved)
		return -EINVAL;
	ret = aif_executor_turn(ex, arg->flags, arg->commit_first, arg->commit_count,
				arg->credit, &arg->out_stale);
	if (ret || (arg->flags & AIF_FETCH_F_COMMIT_ONLY))
		return ret;
	ret = aif_executor_fetch(ex, arg->credit, arg->flags & AIF_FETCH_F_NONBLOCK);
	if (ret < 0)
		return ret;
	arg->out_count = ret;
	return 0;
}

static int aif_do_progress(struct aif_file *f, void *p)
{
	struct aif_ioc_progress *arg = p;
	int ret;

	if (arg->__reserved)
		return -EINVAL;
	ret = aif_executor_progress(f->executor, arg->slot, arg->generation, arg->produced,
				    arg->device_ns);
	arg->out_cancelled = ret > 0;
	return min(ret, 0);
}

static int aif_do_tenant_list(struct aif_file *f, void *arg)
{
	return aif_tenant_list(arg);
}

static int aif_do_tenant_set(struct aif_file *f, void *arg)
{
	return aif_tenant_set(arg);
}

#define CLIENT		BIT(AIF_ROLE_CLIENT)
#define SERVE		(BIT(AIF_ROLE_SERVE) | BIT(AIF_ROLE_HOLDER) | BIT(AIF_ROLE_EXECUTOR))
#define HOLDER		BIT(AIF_ROLE_HOLDER)
#define EXECUTOR	BIT(AIF_ROLE_EXECUTOR)

struct aif_ioctl_op {
	int (*handler)(struct aif_file *f, void *arg);
	u16 size;	/* the whole structure */
	u16 min_size;	/* as first published */
	u8 roles;
	bool out;	/* it has outputs */
	u16 made;	/* where the handle of what it makes of a client's is ... */
	int (*undo)(struct aif_client *c, u32 handle);	/* ... for when nobody learned it */
};

/* What a client's file allocates, whoever calls, its opener pays. */
static struct mem_cgroup *aif_charge_opener(struct aif_file *f, enum aif_role role)
{
	return role == AIF_ROLE_CLIENT ? set_active_memcg(f->client->memcg) : NULL;
}

static void aif_charge_end(enum aif_role role, struct mem_cgroup *old)
{
	if (role == AIF_ROLE_CLIENT)
		set_active_memcg(old);
}

#define OP(ioc, type, fn, who, has_out, ...)				\
	[_IOC_NR(ioc)] = {						\
		.handler = fn, .size = sizeof(struct type),		\
		.min_size = sizeof(struct type), .roles = who,		\
		.out = has_out, __VA_ARGS__ }

#define UNDO(type, handle, fn)	.made = offsetof(struct type, handle), .undo = fn

static const struct aif_ioctl_op aif_ioctl_ops[] = {
	OP(AIF_IOC_INFO, aif_ioc_info, aif_do_info, CLIENT | SERVE, true),
	OP(AIF_IOC_BUFFER_ALLOC, aif_ioc_buffer_alloc, aif_do_buffer_alloc, CLIENT, true,
	   UNDO(aif_ioc_buffer_alloc, out_handle, aif_handle_free)),
	OP(AIF_IOC_BUFFER_FREE, aif_ioc_buffer_free, aif_do_buffer_free, CLIENT, false),
	OP(AIF_IOC_BUFFER_PIN, aif_ioc_buffer_pin, aif_do_buffer_pin, CLIENT, true,
	   UNDO(aif_ioc_buffer_pin, out_handle, aif_handle_free)),
	OP(AIF_IOC_BUFFER_MEMFD, aif_ioc_buffer_memfd, aif_do_buffer_memfd, CLIENT, true,
	   UNDO(aif_ioc_buffer_memfd, out_handle, aif_handle_free)),
	OP(AIF_IOC_BUFFER_IMPORT, aif_ioc_buffer_import, aif_do_buffer_import, CLIENT, true,
	   UNDO(aif_ioc_buffer_import, out_handle, aif_handle_free)),
	OP(AIF_IOC_BUFFER_SYNC, aif_ioc_buffer_sync, aif_do_buffer_sync, CLIENT, false),
	OP(AIF_IOC_BUFFER_SHARE, aif_ioc_buffer_share, aif_do_buffer_share, CLIENT, false),
	OP(AIF_IOC_BUFFER_ACCEPT, aif_ioc_buffer_accept, aif_do_buffer_accept, CLIENT, true,
	   UNDO(aif_ioc_buffer_accept, out_handle, aif_handle_free)),
	OP(AIF_IOC_BUFFER_MAP, aif_ioc_buffer_map, aif_do_buffer_map, CLIENT, true),
	OP(AIF_IOC_BUFFER_UNMAP, aif_ioc_buffer_unmap, aif_do_buffer_unmap, CLIENT, false),
	OP(AIF_IOC_GRANT, aif_ioc_grant, aif_do_grant, CLIENT, true,
	   UNDO(aif_ioc_grant, out_grant, aif_grant_revoke)),
	OP(AIF_IOC_REVOKE, aif_ioc_revoke, aif_do_revoke, CLIENT, false),
	OP(AIF_IOC_DECLARE_PINS, aif_ioc_declare_pins, aif_do_declare_pins,
	   CLIENT | EXECUTOR, false),
	OP(AIF_IOC_SERVICE_CREATE, aif_ioc_service_create, aif_do_service_create, SERVE, true),
	OP(AIF_IOC_SERVICE_LIST, aif_ioc_service_list, aif_do_service_list, CLIENT | SERVE, true),
	OP(AIF_IOC_SERVICE_DESCRIBE, aif_ioc_service_describe, aif_do_service_describe,
	   CLIENT | SERVE, true),
	OP(AIF_IOC_SERVICE_OPEN, aif_ioc_service_open, aif_do_service_open, CLIENT, true),
	OP(AIF_IOC_SERVICE_DRAIN, aif_ioc_service_drain, aif_do_service_drain, HOLDER, false),
	OP(AIF_IOC_SUBMIT, aif_ioc_submit, aif_do_submit, CLIENT, true),
	OP(AIF_IOC_WAIT, aif_ioc_wait, aif_do_wait, CLIENT, false),
	OP(AIF_IOC_WAIT_QUIET, aif_ioc_wait_quiet, aif_do_wait_quiet, CLIENT, false),
	OP(AIF_IOC_CANCEL, aif_ioc_cancel, aif_do_cancel, CLIENT, false),
	OP(AIF_IOC_SET_EVENTFD, aif_ioc_set_eventfd, aif_do_set_eventfd, CLIENT, false),
	OP(AIF_IOC_EXECUTOR_ATTACH, aif_ioc_executor_attach, aif_do_attach, SERVE, false),
	OP(AIF_IOC_COMMIT_FETCH, aif_ioc_commit_fetch, aif_do_commit_fetch, EXECUTOR, true),
	OP(AIF_IOC_PROGRESS, aif_ioc_progress, aif_do_progress, EXECUTOR, true),
	OP(AIF_IOC_TENANT_LIST, aif_ioc_tenant_list, aif_do_tenant_list, CLIENT | SERVE, true),
	OP(AIF_IOC_TENANT_SET, aif_ioc_tenant_set, aif_do_tenant_set, CLIENT | SERVE, false),
};

/*
 * SUBMIT's and COMMIT_FETCH's sizes as constants: the compiler knows that they
 * fit, and the run-time check of the stack object falls away.
 */
#define AIF_ARG_SUBMIT	sizeof(struct aif_ioc_submit)
#define AIF_ARG_FETCH	sizeof(struct aif_ioc_commit_fetch)

static int aif_arg_in(void *arg, u32 size, const void __user *uarg, u32 usize)
{
	if (usize == AIF_ARG_SUBMIT && size == usize)
		return copy_from_user(arg, uarg, AIF_ARG_SUBMIT) ? -EFAULT : 0;
	if (usize == AIF_ARG_FETCH && size == usize)
		return copy_from_user(arg, uarg, AIF_ARG_FETCH) ? -EFAULT : 0;
	return copy_struct_from_user(arg, size, uarg, usize);
}

static unsigned long aif_arg_out(void __user *uarg, const void *arg, u32 size)
{
	if (size == AIF_ARG_SUBMIT)
		return copy_to_user(uarg, arg, AIF_ARG_SUBMIT);
	if (size == AIF_ARG_FETCH)
		return copy_to_user(uarg, arg, AIF_ARG_FETCH);
	return copy_to_user(uarg, arg, size);
}

static int aif_ioctl_call(struct aif_file *f, const struct aif_ioctl_op *op, void *arg,
			  void __user *uarg, u32 usize)
{
	int err, ret;

	err = aif_arg_in(arg, op->size, uarg, usize);
	if (err)
		return err;
	*(u32 *)arg = usize;	/* user space may have changed it meanwhile */
	ret = op->handler(f, arg);
	if (op->out && aif_arg_out(uarg, arg, min_t(u32, usize, op->size))) {
		if (!ret && op->undo)
			op->undo(f->client, *(u32 *)(arg + op->made));
		return -EFAULT;
	}
	return ret;
}

static int aif_ioctl_large(struct aif_file *f, const struct aif_ioctl_op *op, void __user *uarg,
			   u32 usize)
{
	void *arg = kzalloc(op->size, GFP_KERNEL_ACCOUNT);
	int ret;

	if (!arg)
		return -ENOMEM;
	ret = aif_ioctl_call(f, op, arg, uarg, usize);
	kfree(arg);
	return ret;
}

long aif_ioctl(struct file *filp, unsigned int cmd, unsigned long uarg)
{
	struct aif_file *f = filp->private_data;
	enum aif_role role = aif_file_role(f);
	void __user *user = (void __user *)uarg;
	u64 small[AIF_ARG_SMALL / 8];
	const struct aif_ioctl_op *op;
	unsigned int nr = _IOC_NR(cmd);
	struct mem_cgroup *old;
	int err, ret;
	u32 usize;

	if (_IOC_TYPE(cmd) != AIF_IOC_TYPE || nr >= ARRAY_SIZE(aif_ioctl_ops))
		return -ENOTTY;
	op = &aif_ioctl_ops[array_index_nospec(nr, ARRAY_SIZE(aif_ioctl_ops))];
	if (!op->handler || !(op->roles & BIT(role)))
		return -ENOTTY;
	if (role == AIF_ROLE_EXECUTOR) {
		err = aif_executor_check(f->executor);
		if (err)
			return err;
	}
	if (get_user(usize, (u32 __user *)user))
		return -EFAULT;
	if (usize < op->min_size)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	old = aif_charge_opener(f, role);
	ret = op->size > sizeof(small) ? aif_ioctl_large(f, op, user, usize) :
					 aif_ioctl_call(f, op, small, user, usize);
	aif_charge_end(role, old);
	return ret;
}
