// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real trouble on request, to show that the guest runner sees it.
 *
 * insmod trouble.ko what=...
 *   nothing    load and do nothing (the default)
 *   refuse     fail to load
 *   warn       a kernel warning
 *   oops       a write through a NULL pointer
 *   hold       a reference that keeps the module from being unloaded
 *   pin        one page of the caller's stack pinned for ever
 *   sleep      an insmod that no signal ends
 *
 * What only a debug kernel sees:
 *   atomic     an allocation that may sleep under a spinlock
 *   dma        a DMA mapping that is undone in another size
 *   object     a timer that runs, freed
 *   inversion  two mutexes taken in both orders
 *   shift      a shift by more than a word
 *   freed      a read of freed memory
 *   page       a write to a freed page that no compiler has instrumented
 *   leak       memory that nothing points to
 */

#include <linux/bug.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "the trouble wanted; see the source");

static DEFINE_MUTEX(trouble_one);
static DEFINE_MUTEX(trouble_other);
static DEFINE_SPINLOCK(trouble_lock);
static DECLARE_WAIT_QUEUE_HEAD(trouble_never);

static int trouble_nothing(void)
{
	return 0;
}

static int trouble_refuse(void)
{
	return -EINVAL;
}

static int trouble_warn(void)
{
	WARN_ON(1);
	return 0;
}

static int trouble_oops(void)
{
	WRITE_ONCE(*(int *)NULL, 1);
	return 0;
}

static int trouble_hold(void)
{
	__module_get(THIS_MODULE);
	return 0;
}

static int trouble_pin(void)
{
	struct page *page;
	int n = pin_user_pages_fast(current->mm->start_stack & PAGE_MASK, 1,
				    FOLL_WRITE | FOLL_LONGTERM, &page);

	return n == 1 ? 0 : -EFAULT;
}

static int trouble_sleep(void)
{
	wait_event(trouble_never, false);
	return 0;
}

static int trouble_atomic(void)
{
	spin_lock(&trouble_lock);
	kfree(kmalloc(100, GFP_KERNEL));
	spin_unlock(&trouble_lock);
	return 0;
}

static void trouble_order(struct mutex *first, struct mutex *second)
{
	mutex_lock(first);
	mutex_lock(second);
	mutex_unlock(second);
	mutex_unlock(first);
}

static int trouble_inversion(void)
{
	trouble_order(&trouble_one, &trouble_other);
	trouble_order(&trouble_other, &trouble_one);
	return 0;
}

static int trouble_shift(void)
{
	int far = 8 * strlen(what);

	far = 1 << far;
	OPTIMIZER_HIDE_VAR(far);
	return 0;
}

static int trouble_dma(void)
{
	struct platform_device *device = platform_device_register_simple("trouble", -1, NULL, 0);
	void *memory = kmalloc(100, GFP_KERNEL);
	dma_addr_t at;

	if (IS_ERR(device)) {
		kfree(memory);
		return PTR_ERR(device);
	}
	if (memory) {
		at = dma_map_single(&device->dev, memory, 100, DMA_TO_DEVICE);
		if (!dma_mapping_error(&device->dev, at))
			dma_unmap_single(&device->dev, at, 50, DMA_TO_DEVICE);
	}
	platform_device_unregister(device);
	kfree(memory);
	return 0;
}

static void trouble_tick(struct timer_list *timer)
{
}

static int trouble_object(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, trouble_tick, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
	return 0;
}

static int trouble_freed(void)
{
	int *memory = kmalloc(100, GFP_KERNEL);

	kfree(memory);
	if (memory)
		READ_ONCE(*memory);
	return 0;
}

/* As user space or a device would; it is noticed when the page is used again. */
static int trouble_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char *memory;

	if (!page)
		return -ENOMEM;
	memory = page_address(page);
	__free_page(page);
	asm volatile("movl $1, %0" : "=m"(*memory));
	page = alloc_page(GFP_KERNEL);
	if (page)
		__free_page(page);
	return 0;
}

/* More than one piece, as a stale pointer on some stack may hide one. */
static int trouble_leak(void)
{
	void *memory;
	int n;

	for (n = 0; n < 16; n++) {
		memory = kmalloc(1000, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(memory);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*make)(void);
} troubles[] = {
	{ "nothing", trouble_nothing },
	{ "refuse", trouble_refuse },
	{ "warn", trouble_warn },
	{ "oops", trouble_oops },
	{ "hold", trouble_hold },
	{ "pin", trouble_pin },
	{ "sleep", trouble_sleep },
	{ "atomic", trouble_atomic },
	{ "inversion", trouble_inversion },
	{ "shift", trouble_shift },
	{ "dma", trouble_dma },
	{ "object", trouble_object },
	{ "freed", trouble_freed },
	{ "page", trouble_page },
	{ "leak", trouble_leak },
};

static int __init trouble_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(troubles); i++)
		if (!strcmp(what, troubles[i].name))
			return troubles[i].make();
	return -ENOENT;
}

static void __exit trouble_exit(void)
{
}

module_init(trouble_init);
module_exit(trouble_exit);
MODULE_DESCRIPTION("Real trouble on request");
MODULE_LICENSE("GPL");
