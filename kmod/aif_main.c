// SPDX-License-Identifier: GPL-2.0-only
/*
 * AIF: inference requests from many processes, scheduled onto accelerators by
 * the kernel, executed by user space in place.  See <linux/aif.h>.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "aif.h"

#define CREATE_TRACE_POINTS
#include "aif_trace.h"

unsigned int aif_max_depth = 4096;
module_param_named(max_depth, aif_max_depth, uint, 0444);
MODULE_PARM_DESC(max_depth, "most tags of a client (power of two)");

unsigned int aif_max_buffers = 1024;
module_param_named(max_buffers, aif_max_buffers, uint, 0644);
MODULE_PARM_DESC(max_buffers, "most buffers of a client");

unsigned int aif_max_grants = 1024;
module_param_named(max_grants, aif_max_grants, uint, 0644);
MODULE_PARM_DESC(max_grants, "most grants of a client");

unsigned int aif_max_services = 256;
module_param_named(max_services, aif_max_services, uint, 0644);
MODULE_PARM_DESC(max_services, "most services of the machine");

unsigned int aif_tenant_requests = 16384;
module_param_named(tenant_requests, aif_tenant_requests, uint, 0644);
MODULE_PARM_DESC(tenant_requests, "most requests of a tenant in flight");

unsigned int aif_device_requests = 65536;
module_param_named(device_requests, aif_device_requests, uint, 0444);
MODULE_PARM_DESC(device_requests, "most requests queued on a device");

unsigned long aif_tenant_bytes = 4ul << 30;
module_param_named(tenant_bytes, aif_tenant_bytes, ulong, 0644);
MODULE_PARM_DESC(tenant_bytes, "most alloc bytes of a tenant");

unsigned long aif_tenant_pinned = 4ul << 30;
module_param_named(tenant_pinned, aif_tenant_pinned, ulong, 0644);
MODULE_PARM_DESC(tenant_pinned, "most pinned bytes of a tenant");

unsigned long aif_tenant_mapped = 4ul << 30;
module_param_named(tenant_mapped, aif_tenant_mapped, ulong, 0644);
MODULE_PARM_DESC(tenant_mapped, "most bytes of a tenant mapped for engines");

unsigned long aif_engine_mapped = 4ul << 30;
module_param_named(engine_mapped, aif_engine_mapped, ulong, 0644);
MODULE_PARM_DESC(engine_mapped, "most bytes mapped for an engine that says no limit");

unsigned long aif_engine_bounced = 16ul << 20;	/* a quarter of the kernel's default pool */
module_param_named(engine_bounced, aif_engine_bounced, ulong, 0644);
MODULE_PARM_DESC(engine_bounced, "the same, where its device needs bounce buffers");

unsigned int aif_copy_workers = 1;
module_param_named(copy_workers, aif_copy_workers, uint, 0444);
MODULE_PARM_DESC(copy_workers, "chunks of transfers that the CPU does at once, 1 to 64");

unsigned long aif_service_bytes = 16ul << 30;
module_param_named(service_bytes, aif_service_bytes, ulong, 0644);
MODULE_PARM_DESC(service_bytes, "most granted bytes of a service");

bool aif_tenant_by_uid;
module_param_named(tenant_by_uid, aif_tenant_by_uid, bool, 0444);
MODULE_PARM_DESC(tenant_by_uid, "charge the opener's uid instead of its cgroup");

static unsigned int aif_serve_gid;
module_param_named(serve_gid, aif_serve_gid, uint, 0444);
MODULE_PARM_DESC(serve_gid, "group that may open /dev/aif-serve (0: root only)");

DEFINE_PER_CPU(struct aif_counters, aif_counters);
struct aif_gauges aif_gauges;
DEFINE_MUTEX(aif_registry);	/* names and ids of services, devices, tenants */
struct workqueue_struct *aif_wq;
struct workqueue_struct *aif_slow_wq;

/*
 * Two nodes of one class: /dev/aif for everybody, /dev/aif-serve for root and,
 * where serve_gid was given, for that group.  A device type tells devtmpfs
 * (and udev, through the uevent) mode and group.
 */
static const struct {
	const char *name;
	const struct file_operations *fops;
} aif_nodes[] = {
	{ "aif", &aif_client_fops },
	{ "aif-serve", &aif_serve_fops },
};

static struct aif_chardev {
	struct device dev;
	struct cdev cdev;
} *aif_chardevs[ARRAY_SIZE(aif_nodes)];
static dev_t aif_devt;

static char *aif_devnode(AIF_DEVNODE_CONST struct device *dev, umode_t *mode, kuid_t *uid,
			 kgid_t *gid)
{
	if (!mode)	/* the node is being removed */
		return NULL;
	if (MINOR(dev->devt) == MINOR(aif_devt)) {
		*mode = 0666;
	} else if (aif_serve_gid) {
		*mode = 0660;
		*gid = make_kgid(&init_user_ns, aif_serve_gid);
	} else {
		*mode = 0600;
	}
	return NULL;
}

static const struct device_type aif_device_type = {
	.name = "aif",
	.devnode = aif_devnode,
};

static struct class aif_class = {
	.name = "aif",
};

static void aif_chardev_free(struct device *dev)
{
	kfree(container_of(dev, struct aif_chardev, dev));
}

static int aif_chardev_add(unsigned int i)
{
	struct aif_chardev *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int err;

	if (!c)
		return -ENOMEM;
	device_initialize(&c->dev);
	c->dev.class = &aif_class;
	c->dev.type = &aif_device_type;
	c->dev.devt = MKDEV(MAJOR(aif_devt), MINOR(aif_devt) + i);
	c->dev.release = aif_chardev_free;
	cdev_init(&c->cdev, aif_nodes[i].fops);
	c->cdev.owner = THIS_MODULE;
	err = dev_set_name(&c->dev, "%s", aif_nodes[i].name);
	if (!err)
		err = cdev_device_add(&c->cdev, &c->dev);
	if (err) {
		put_device(&c->dev);
		return err;
	}
	aif_chardevs[i] = c;
	return 0;
}

static void aif_chardevs_remove(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(aif_nodes); i++) {
		if (!aif_chardevs[i])
			continue;
		cdev_device_del(&aif_chardevs[i]->cdev, &aif_chardevs[i]->dev);
		put_device(&aif_chardevs[i]->dev);
	}
	class_unregister(&aif_class);
	unregister_chrdev_region(aif_devt, ARRAY_SIZE(aif_nodes));
}

static int aif_chardevs_add(void)
{
	unsigned int i;
	int err;

	err = alloc_chrdev_region(&aif_devt, 0, ARRAY_SIZE(aif_nodes), "aif");
	if (err)
		return err;
	err = class_register(&aif_class);
	if (err) {
		unregister_chrdev_region(aif_devt, ARRAY_SIZE(aif_nodes));
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(aif_nodes) && !err; i++)
		err = aif_chardev_add(i);
	if (err)
		aif_chardevs_remove();
	return err;
}

static bool aif_limits_valid(void)
{
	return is_power_of_2(aif_max_depth) && aif_max_depth <= 65536 &&
	       aif_device_requests >= 1 && aif_tenant_requests >= 1 &&
	       aif_copy_workers >= 1 && aif_copy_workers <= 64;
}

static int __init aif_init(void)
{
	int err;

	if (!aif_limits_valid()) {
		pr_err("aif: max_depth=%u must be a power of two up to 65536, device_requests=%u and tenant_requests=%u at least 1, copy_workers=%u from 1 to 64\n",
		       aif_max_depth, aif_device_requests, aif_tenant_requests,
		       aif_copy_workers);
		return -EINVAL;
	}
	aif_wq = alloc_workqueue("aif", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!aif_wq)
		return -ENOMEM;
	aif_slow_wq = alloc_workqueue("aif-slow", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!aif_slow_wq) {
		destroy_workqueue(aif_wq);
		return -ENOMEM;
	}
	aif_debugfs_init();
	err = aif_transfer_init();
	if (err)
		goto err_debugfs;
	err = aif_node_init();
	if (err)
		goto err_transfer;
	err = aif_chardevs_add();
	if (err)
		goto err_node;
	return 0;

err_node:
	aif_node_fini();
err_transfer:
	aif_transfer_fini();
err_debugfs:
	aif_debugfs_fini();
	destroy_workqueue(aif_slow_wq);
	destroy_workqueue(aif_wq);
	return err;
}

/*
 * No file is open any more.  What may still be there are clients and executors
 * whose last requests wait for a pin to go: nobody is left to be told, and the
 * pages belong to whoever pinned them.
 */
static void __exit aif_exit(void)
{
	aif_chardevs_remove();
	aif_recovery_abandon();
	flush_workqueue(aif_wq);
	flush_workqueue(aif_slow_wq);
	aif_buffer_fini();
	aif_transfer_fini();
	aif_tenants_fini();
	destroy_workqueue(aif_slow_wq);
	destroy_workqueue(aif_wq);
	rcu_barrier();
	aif_debugfs_fini();
	aif_node_fini();
}

module_init(aif_init);
module_exit(aif_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AIF: inference as an I/O operation");
MODULE_VERSION(AIF_VERSION);
