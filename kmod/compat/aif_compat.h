/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack, so that the module's own code is written for the
 * newest one.  Included before every file of the module (see Kbuild).
 *
 * AIF_HAVE_<NAME> is defined where probes/<name>.c compiles: that file says
 * what changed, and when.  Nothing here compares versions.
 */
#ifndef AIF_COMPAT_H
#define AIF_COMPAT_H

#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/io_uring/cmd.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>

#ifndef AIF_HAVE_EVENTFD_SIGNAL_ALONE
#define eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

#ifndef AIF_HAVE_VM_FLAGS_MOD
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/*
 * A long-term pin that only reads takes private memory out of what it shares (the
 * page of zeros, a file's page), or what the process writes later would not be seen
 * through it.  Where GUP does not do that of itself, pinned as if to be written.
 */
#ifndef AIF_HAVE_GUP_UNSHARES
static inline int aif_pin_unshared(unsigned long start, int n, unsigned int flags,
				   struct page **page)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int got = -EFAULT;

	if (flags & FOLL_WRITE)
		return pin_user_pages_fast(start, n, flags, page);
	mmap_read_lock(mm);
	vma = vma_lookup(mm, start);
	if (vma && vma->vm_flags & VM_READ) {
		n = min_t(unsigned long, n, (vma->vm_end - start) >> PAGE_SHIFT);
		if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
			flags |= FOLL_WRITE | (vma->vm_flags & VM_WRITE ? 0 : FOLL_FORCE);
		got = pin_user_pages(start, n, flags, page, NULL);
	}
	mmap_read_unlock(mm);
	return got;
}

#define pin_user_pages_fast	aif_pin_unshared
#endif

/* Whether any mapping of the device may have to be synchronised; if nobody knows, yes. */
#ifndef AIF_HAVE_DMA_DEV_NEED_SYNC
static inline bool dma_dev_need_sync(const struct device *dev)
{
	return true;
}
#endif

/* A symbol namespace is named by a string. */
#ifndef AIF_HAVE_IMPORT_NS_STRING
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)
#endif

#ifndef AIF_HAVE_DMA_BUF_UNLOCKED
#define dma_buf_vmap_unlocked	dma_buf_vmap
#define dma_buf_vunmap_unlocked	dma_buf_vunmap
#endif

/* devnode() of a device type is given a device that it may not change. */
#ifdef AIF_HAVE_DEVNODE_CONST
#define AIF_DEVNODE_CONST	const
#else
#define AIF_DEVNODE_CONST
#endif

/* Both are needed to make a buffer of a memfd. */
#if defined(AIF_HAVE_MEMFD_PIN_FOLIOS) && defined(AIF_HAVE_MEMFD_SEALS)
#define AIF_HAVE_MEMFD
#endif

/* ---- io_uring commands ---- */

#ifndef AIF_HAVE_URING_CMD_TO_PDU
#define io_uring_cmd_to_pdu(cmd, type)	((type *)&(cmd)->pdu)
#endif

#ifdef AIF_HAVE_URING_CANCEL	/* else aif_uring.c is not built */

#ifndef AIF_HAVE_URING_SQE_CMD_TYPE
#define io_uring_sqe_cmd(sqe, type)	((const type *)io_uring_sqe_cmd(sqe))
#endif

#ifndef AIF_HAVE_URING_DONE_32
#define io_uring_cmd_done(cmd, ret, flags)	io_uring_cmd_done(cmd, ret, 0, flags)
#endif

/*
 * AIF_TASK_WORK(fn) declares the callback @fn, and defines what an older kernel
 * calls in its place.
 */
#ifdef AIF_HAVE_URING_TW_REQ
#define AIF_TASK_WORK(fn)	static void fn(struct io_tw_req tw_req, io_tw_token_t tw)
#else
struct io_tw_req {
	struct io_uring_cmd *cmd;
};

struct aif_tw_token {
	bool cancel;
};

#define io_tw_token_t			struct aif_tw_token
#define io_uring_cmd_from_tw(tw_req)	((tw_req).cmd)
#define IO_URING_CMD_TASK_WORK_ISSUE_FLAGS	IO_URING_F_COMPLETE_DEFER

#define AIF_TASK_WORK(fn)						\
	static void fn(struct io_tw_req tw_req, io_tw_token_t tw);	\
	static void fn##_cmd(struct io_uring_cmd *cmd, unsigned int flags) \
	{								\
		fn((struct io_tw_req){ cmd },				\
		   (io_tw_token_t){ flags & IO_URING_F_TASK_DEAD });	\
	}								\
	static void fn(struct io_tw_req tw_req, io_tw_token_t tw)

#define io_uring_cmd_complete_in_task(cmd, fn)	io_uring_cmd_complete_in_task(cmd, fn##_cmd)
#define io_uring_cmd_do_in_task_lazy(cmd, fn)	io_uring_cmd_do_in_task_lazy(cmd, fn##_cmd)
#endif

#endif /* AIF_HAVE_URING_CANCEL */
#endif
