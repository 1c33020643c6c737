// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real trouble on request, to show that the guest runner sees it.
 *
 * insmod trouble.ko what=...
 *   nothing  load and do nothing (the default)
 *   refuse   fail to load
 *   warn     a kernel warning
 *   oops     a write through a NULL pointer
 *   hold     a reference that keeps the module from being unloaded
 *   pin      one page of the caller's stack pinned for ever
 *   sleep    an insmod that no signal ends
 */

#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "nothing, refuse, warn, oops, hold, pin or sleep");

static int trouble_pin(void)
{
	struct page *page;
	int n = pin_user_pages_fast(current->mm->start_stack & PAGE_MASK, 1,
				    FOLL_WRITE | FOLL_LONGTERM, &page);

	return n == 1 ? 0 : -EFAULT;
}

static void trouble_sleep(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
}

static int __init trouble_init(void)
{
	if (!strcmp(what, "refuse"))
		return -EINVAL;
	if (!strcmp(what, "pin"))
		return trouble_pin();
	if (!strcmp(what, "warn"))
		WARN_ON(1);
	else if (!strcmp(what, "oops"))
		WRITE_ONCE(*(int *)NULL, 1);
	else if (!strcmp(what, "hold"))
		__module_get(THIS_MODULE);
	else if (!strcmp(what, "sleep"))
		trouble_sleep();
	return 0;
}

static void __exit trouble_exit(void)
{
}

module_init(trouble_init);
module_exit(trouble_exit);
MODULE_DESCRIPTION("Real trouble on request");
MODULE_LICENSE("GPL");
