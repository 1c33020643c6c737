/* SPDX-License-Identifier: MIT */
/*
 * The kernel's fault injection, for the calling thread: the n-th allocation
 * (slab or page) or user copy that it makes from now on fails, once.
 *
 * Needs a kernel with FAULT_INJECTION, FAILSLAB, FAIL_PAGE_ALLOC and
 * FAULT_INJECTION_USERCOPY, debugfs and procfs mounted, and root.  See
 * Documentation/fault-injection/fault-injection.rst of Linux.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>

/* Make every allocation eligible, those that may sleep too.  @loud: each fault
 * leaves its stack in the kernel's log.  0, or -errno: -ENOENT on a kernel that
 * cannot inject. */
int inject_init(bool loud);

/* @n: 1 for the next one. */
void inject_arm(unsigned int n);

/* End it.  Was there an @n-th, and did it fail? */
bool inject_disarm(void);

#endif
