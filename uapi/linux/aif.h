/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * AIF: inference as an I/O operation.  The interface of /dev/aif and
 * /dev/aif-serve.  This header is the manual.
 */
#ifndef _UAPI_LINUX_AIF_H
#define _UAPI_LINUX_AIF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Concepts
 *
 * A *client* is one open file of /dev/aif.  It allocates *buffers*, grants
 * *services* the right to map them, and submits *requests* whose inputs and
 * outputs are ranges of granted buffers.  Who pays (the *tenant*) is fixed
 * when the file is opened: the opener's cgroup, or its uid with the module
 * parameter tenant_by_uid=1.  A client's file works from every process that
 * holds it.
 *
 * A *transfer* is a copy or fill between a client's buffers, made by the
 * machine's engines: a vendor's, where one is there and worth its while, or the
 * CPU.  It is a request too: a descriptor in the same ring with a tag of the same
 * client, waited for, cancelled and answered alike.
 *
 * A *service* is a model's endpoint.  It is created through /dev/aif-serve and
 * lives as long as the file that created it (the *holder*); that file is
 * neither a client nor an executor.  An *executor* is one process (one mm)
 * that has attached an open file of /dev/aif-serve of its own to the service.
 * A service outlives its executors: a dead one's requests go to another.
 *
 * Services name a *device*; those that name the same device share it.  A
 * device has step tokens, and an executor receives requests only while it
 * holds one: from the FETCH that delivers until it has given back the last
 * slot.  Who gets the next token is decided by class; inside a class by
 * weighted fair share of measured device time between tenants; inside a tenant
 * by earliest deadline, then by order of submission.  The engines together are
 * shared by the same rules, chunk by chunk.
 *
 * DOC: Real time
 *
 * Root gives a tenant a budget: so much of one device in any so long a period
 * (AIF_TENANT_F_REALTIME); or of the engines, for transfers.  Budgets are admitted:
 * all of a device together are such that nobody is late, whoever else floods, as long
 * as a step (a chunk) keeps the device for no longer than its service said
 * (longest_step_ms; of a chunk, what the slowest engine is known to need).  The test
 * is that of Baker (1991) and George et al. (1996), with the longest step of the
 * device's services as what nobody can be interrupted in, and at most 95 % for all.  It
 * is of one step token; with more, the same test is applied.
 *
 * What the tenant submits to that device in AIF_CLASS_REALTIME is executed within a
 * period, or until its deadline if that is later: the earliest due goes first, whoever's
 * it is, each alone in its step.  A request takes the service's longest_step_ms out of
 * the budget when it is submitted, a transfer what the CPU would need for it, and what it
 * takes longer is owed.  What is beyond the budget is not refused and does not wait: it
 * goes on in AIF_CLASS_NORMAL, with its tenant's share, and its slot says so.
 *
 * AIF_F_REALTIME is granted to a file whose tenant has a budget, of any device, or whose
 * opener has CAP_SYS_NICE.  That capability is the right to name the class, not a budget:
 * an unbounded right to go first would make those late who were admitted.  So without a
 * budget, or once it was taken away, all is beyond the budget; and when root gives one,
 * such a file need not be opened anew.
 *
 * Not counted, and so late for somebody: a service whose executors keep the device's
 * token over several steps, giving some requests back and taking others (continuous
 * batching), a real-time one of its own among them; what went past due while no executor
 * was there, and goes first when one comes; a request that runs again, as its executor
 * died; chunks before it in an engine that takes several at once, and an engine that
 * came later.  Root puts no such service on a device where budgets are to hold.
 *
 * Two doors lead to one implementation.  What allocates, maps or attaches is
 * ioctl only.  SUBMIT, WAIT, WAIT_QUIET, CANCEL, COMMIT_FETCH and PROGRESS are
 * ioctls and, where AIF_F_URING was granted, IORING_OP_URING_CMD commands.
 *
 * DOC: Sizes, versions, features
 *
 * Each ioctl argument begins with @size, set by the caller to the size of the
 * structure it was compiled with.  A kernel that knows a shorter one accepts
 * the longer if the surplus is zero (else -E2BIG) and leaves the surplus
 * alone; a kernel that knows a longer one takes what is missing as zero and
 * writes no byte past @size.  Sizes under the first published one are -EINVAL.
 * Fields called __reserved, and flag bits not defined here, must be zero
 * (-EINVAL).  Ioctls are told apart by their number alone; the size encoded in
 * the command is not compared.
 *
 * What is optional is a feature bit.  AIF_IOC_INFO asks for some and returns
 * those granted; a field or command whose bit was not granted to this file is
 * -EOPNOTSUPP, never ignored.
 *
 * DOC: Errors common to all operations
 *
 * EFAULT	a pointer does not lead to readable (writable) memory.  Where only the
 *		outputs could not be written the operation was done and stays so,
 *		but for what nobody could name: a buffer or a grant is taken back
 * EINVAL	an undefined flag, a reserved field that is not zero, a value out
 *		of its stated range
 * E2BIG	@size is larger than the kernel's and the surplus is not zero, or
 *		it is larger than a page
 * ENOTTY	no such operation on this file (a client's on an executor's file, an
 *		executor's before it attached)
 * EOPNOTSUPP	needs a feature that was not granted
 * ENOMEM	no memory, or the opener's memory cgroup is full
 * EPERM	an executor's call from a process that did not attach it
 * ENODEV	the service is gone, or this executor was detached
 * ENXIO	the mapped arrays do not exist yet: call AIF_IOC_INFO first
 * EINTR	a signal arrived while waiting (or a fatal one while allocating); ask
 *		again, without what was accepted or committed before the wait
 *
 * DOC: Results a request can have
 *
 * >= 0		the executor's result; 0 unless the service says otherwise
 * ECANCELED	the client cancelled it, or closed its file
 * ETIME	its deadline passed
 * EKEYREVOKED	a grant it uses was revoked
 * EOWNERDEAD	its executor died and the request could not be safely queued
 *		again within the service's recovery time, or had published
 *		progress without AIF_REQ_F_RESTART
 * EIO		its executors died max_attempts times while they held it; a transfer:
 *		an engine failed with a chunk of it, or did not answer and was stopped
 * ENODEV	the service was removed
 * others	the executor's own -errno
 *
 * A result on a request that an executor had fetched (all but the executor's
 * own) means *answered*, not *quiet*: the executor may still write the output.
 * The tag stays busy until the executor gives the slot back or is gone;
 * AIF_IOC_WAIT_QUIET waits for that.  So does it for a transfer, whose chunk
 * under way is written to its end.  Where an engine does not stop, the tag of its
 * transfer stays busy, and the buffers, freed or not, stay charged, until it is
 * known that the engine does not touch them any more.
 *
 * DOC: Guarantee
 *
 * A request is executed at least once and answered exactly once.
 */

#define AIF_IOC_TYPE		0xA1

/* ------------------------------------------------------------------ */
/* Constants								*/

#define AIF_NAME_MAX		64	/* with its terminating NUL */
#define AIF_IO_NAME_MAX		32
#define AIF_TEXT_MAX		4096	/* a service's key=value text */
#define AIF_DIGEST_SIZE		32	/* SHA-256 */
#define AIF_SHAPE_MAX		4
#define AIF_IO_MAX		3	/* inputs + outputs of a service */
#define AIF_RANGES_MAX		3	/* ranges of a request */
#define AIF_INLINE_MAX		24	/* bytes of input in the descriptor */
#define AIF_ALIGNMENT_DEFAULT	64
#define AIF_ENGINE_NAME_MAX	32	/* with its terminating NUL */
#define AIF_TAG_ALL		0xffffffffu

/* Features (AIF_IOC_INFO). */
#define AIF_F_URING		(1ull << 0)	/* ring commands */
#define AIF_F_REALTIME		(1ull << 1)	/* AIF_CLASS_REALTIME; see "Real time" */
#define AIF_F_IN_FENCE		(1ull << 2)	/* in-fences; not yet */
#define AIF_F_TRANSFER		(1ull << 3)	/* AIF_REQ_F_TRANSFER */
#define AIF_F_MEMFD		(1ull << 4)	/* AIF_IOC_BUFFER_MEMFD */
#define AIF_F_MAP		(1ull << 5)	/* AIF_IOC_BUFFER_MAP, engines of transfers */
#define AIF_F_IMPORT		(1ull << 6)	/* AIF_IOC_BUFFER_IMPORT, _SYNC */

/* Scheduling classes: a lower number goes first, always. */
enum aif_class {
	AIF_CLASS_REALTIME = 0,	/* needs AIF_F_REALTIME */
	AIF_CLASS_NORMAL = 1,
	AIF_CLASS_IDLE = 2,	/* runs when nothing else is queued */
	AIF_CLASS_COUNT
};

/* Request states, as the completion array shows them. */
enum aif_state {
	AIF_STATE_FREE = 0,	  /* the tag was never used */
	AIF_STATE_WAITING = 1,	  /* for its in-fence */
	AIF_STATE_QUEUED = 2,
	AIF_STATE_FETCHED = 3,
	AIF_STATE_RECOVERING = 4, /* its executor is gone; see EOWNERDEAD */
	AIF_STATE_ORPHANED = 5,	  /* answered; the executor still has the memory */
	AIF_STATE_DONE = 6,	  /* answered and quiet: the tag is free again */
};

/* ------------------------------------------------------------------ */
/* Mapped arrays							*/

/**
 * struct aif_range - a piece of a granted buffer
 * @grant: grant handle of the submitting client (in a transfer: its buffer
 *	handle; in an executor's slot: the service's grant id, as
 *	AIF_EVENT_GRANT_ADDED named it)
 * @offset: first byte, a multiple of the described alignment
 * @length: bytes; offset + length must lie in the buffer
 */
struct aif_range {
	__u32 grant;
	__u32 offset;
	__u32 length;
};

/* Request flags. */
#define AIF_REQ_F_RESTART	(1u << 0) /* may start over after progress */
#define AIF_REQ_F_TRANSFER	(1u << 1) /* copy or fill; needs AIF_F_TRANSFER */

/**
 * struct aif_desc - one request (64 bytes)
 * @deadline: CLOCK_MONOTONIC nanoseconds, 0 for none.  When it has passed the
 *	request is answered with -ETIME, queued or fetched
 * @tag: 0 .. depth-1, free; names the entry of the completion array
 * @generation: any value but the one the tag had last; comes back in the
 *	completion, which is how one use of a tag is told from the next
 * @service: handle from AIF_IOC_SERVICE_OPEN; a transfer: 0, or an engine
 * @in_fence: sync_file fd + 1, 0 for none (needs AIF_F_IN_FENCE)
 * @sched_class: enum aif_class
 * @flags: AIF_REQ_F_*
 * @range_count: 1 .. 3, or 1 with inline input
 * @inline_length: 0, or 1 .. 24 bytes of the first input, in @input
 * @ranges: the service's inputs in their order, then its outputs in theirs;
 *	trailing AIF_IO_F_OPTIONAL outputs may be left out.  Unused ones zero
 * @range: with inline input: the output
 * @input: the inline input; unused bytes zero
 *
 * Written by the client in the descriptor ring (AIF_ARRAY_DESC), read once by
 * SUBMIT; the position may be written again when SUBMIT has returned (for the
 * ring: when its CQE is there, or for a waiting SUBMIT when io_uring_enter that
 * took the SQE has returned).
 *
 * A *transfer* (AIF_REQ_F_TRANSFER, no other flag) names buffers:
 *
 *	copy	@range_count 2: @ranges[0] is copied to @ranges[1], which is as
 *		long.  The two must not overlap in one buffer (-EINVAL)
 *	fill	@range_count 1 with @inline_length: @range is filled with @input,
 *		repeated from its first byte and cut at its end
 *
 * Lengths are at least 1; offsets and lengths need no alignment.  The target's handle
 * must have AIF_RIGHT_WRITE, the source's AIF_RIGHT_READ, both AIF_RIGHT_TRANSFER
 * (-EACCES).  In its completion @produced counts the bytes that are
 * there, front to back; @attempt becomes 1 and @fetched_ns is set when its first
 * chunk starts; the result is 0 or as for a queued request.  A buffer that is
 * freed, and its memory, stay until its transfers are quiet.
 *
 * Who executes it is said where a request says it: @service 0 is whichever engine does
 * it soonest, those that need a mapping included where both ends are mapped for them, by
 * AIF_IOC_BUFFER_MAP.  Another @service is the number of such an engine (needs
 * AIF_F_MAP): SUBMIT insists that the ends are mapped for it (-ENXIO), and each chunk
 * goes to it if it has a place free and can do it, else to another engine: nobody
 * behind waits for one that is slow, and a transfer outlives an engine that goes.
 */
struct aif_desc {
	__u64 deadline;
	__u32 tag;
	__u32 generation;
	__u32 service;
	__u32 in_fence;
	__u8 sched_class;
	__u8 flags;
	__u8 range_count;
	__u8 inline_length;
	union {
		struct aif_range ranges[AIF_RANGES_MAX];
		struct {
			struct aif_range range;
			__u8 input[AIF_INLINE_MAX];
		};
	};
};

/**
 * struct aif_completion - what became of a tag (64 bytes)
 * @generation: the descriptor's
 * @state: enum aif_state; DONE or ORPHANED: answered
 * @result: see "Results a request can have"; valid once answered
 * @produced: bytes of the first output that are there
 * @attempt: 1 for the first execution; 0 while it was never fetched
 * @__reserved: zero
 * @submitted_ns, @fetched_ns, @answered_ns: CLOCK_MONOTONIC; 0: not yet
 * @device_ns: device time charged so far
 *
 * Client's mapping is read-only.  @generation and @state are one aligned
 * 64-bit word, written by the kernel with release semantics after all else:
 * load it once with acquire semantics; if it says your generation and DONE or
 * ORPHANED, the other fields, and for a successful result the output, may be
 * read.  @produced is a release store too: output up to it may be read.
 */
struct aif_completion {
	__u32 generation;
	__u32 state;
	__s32 result;
	__u32 produced;
	__u32 attempt;
	__u32 __reserved0;
	__u64 submitted_ns;
	__u64 fetched_ns;
	__u64 answered_ns;
	__u64 device_ns;
	__u64 __reserved1;
};

/**
 * struct aif_client_status - the client's counters (64 bytes, one entry)
 * @answered: requests answered since open; what AIF_IOC_WAIT compares with.
 *	A release store, after the completion it counts
 * @submitted: requests accepted since open
 */
struct aif_client_status {
	__u64 answered;
	__u64 submitted;
	__u64 __reserved[6];
};

/**
 * struct aif_slot - a request as its executor sees it (128 bytes)
 * @generation: of the slot; goes back in the commit
 * @attempt: 1, or more when an earlier executor died holding it
 * @sched_class: as submitted; AIF_CLASS_NORMAL if it is beyond its tenant's budget
 * @flags, @range_count, @inline_length: as submitted
 * @client: a number for the submitting file, unique while the module is loaded
 * @tag: the client's tag (for logs)
 * @deadline: CLOCK_MONOTONIC ns, 0 for none
 * @tenant: the tenant's id (cgroup id or uid)
 * @ranges, @range, @input: as submitted, with the service's grant ids
 *
 * Executor's mapping is read-only; written by the kernel before the delivery
 * that names it, and not again until its slot was committed.
 */
struct aif_slot {
	__u32 generation;
	__u32 attempt;
	__u8 sched_class;
	__u8 flags;
	__u8 range_count;
	__u8 inline_length;
	__u32 tag;
	__u64 client;
	__u64 tenant;
	__u64 deadline;
	union {
		struct aif_range ranges[AIF_RANGES_MAX];
		struct {
			struct aif_range range;
			__u8 input[AIF_INLINE_MAX];
		};
	};
	__u32 __reserved0;
	__u64 __reserved[6];
};

/* What a delivery is. */
enum aif_delivery_type {
	AIF_DELIVERY_REQUEST = 1,	/* @index: slot */
	AIF_EVENT_GRANT_ADDED = 2,	/* @index: grant id; map @length bytes at @offset */
	AIF_EVENT_GRANT_REVOKED = 3,	/* @index: grant id: unregister, unmap, acknowledge */
	AIF_EVENT_CANCELLED = 4,	/* @index: slot: answered; stop and commit it */
	AIF_EVENT_POISON = 5,		/* @index: tag, @offset: client: failed with -EIO; */
					/* the last few, the kernel's log has the rest */
};

#define AIF_DELIVERY_F_WRITE	(1u << 0)	/* the grant may be written */

/**
 * struct aif_delivery - one thing that COMMIT_FETCH brought (32 bytes)
 *
 * The array (AIF_ARRAY_DELIVERY) is filled from entry 0 by every FETCH; the
 * result says how many.  Events come before requests.  Read it before the next
 * FETCH.
 */
struct aif_delivery {
	__u32 type;
	__u32 index;
	__u32 generation;	/* of the slot (REQUEST, CANCELLED) */
	__u32 flags;
	__u64 offset;
	__u64 length;
};

enum aif_commit_type {
	AIF_COMMIT_RESULT = 0,		/* @index: slot */
	AIF_COMMIT_GRANT_ACK = 1,	/* @index: grant id of a GRANT_REVOKED */
};

/**
 * struct aif_commit - one thing an executor gives back (32 bytes)
 * @type: enum aif_commit_type
 * @index: slot or grant id
 * @generation: the slot's; a stale one is counted and skipped
 * @result: 0 or a service-defined positive value, or the request's -errno
 * @produced: bytes of the first output; more than its range is cut to that
 * @device_ns: device time this request took since its last PROGRESS (or FETCH);
 *	0: the kernel takes its part of the time since FETCH.  All together is cut
 *	to the time since FETCH
 *
 * Written by the executor in AIF_ARRAY_COMMIT, read once by COMMIT_FETCH.
 */
struct aif_commit {
	__u32 type;
	__u32 index;
	__u32 generation;
	__s32 result;
	__u32 produced;
	__u32 __reserved;
	__u64 device_ns;
};

/**
 * struct aif_executor_status - the service's doorbell (64 bytes, one entry)
 * @queued: requests ever queued to the service.  An executor that spins calls
 *	COMMIT_FETCH (non-blocking) when it changed
 */
struct aif_executor_status {
	__u64 queued;
	__u64 __reserved[7];
};

/* ------------------------------------------------------------------ */
/* Info									*/

enum aif_array_kind {
	AIF_ARRAY_DESC = 0,		/* client, writable */
	AIF_ARRAY_COMPLETION = 1,	/* client, read-only */
	AIF_ARRAY_CLIENT_STATUS = 2,	/* client, read-only */
	AIF_ARRAY_SLOT = 3,		/* executor, read-only */
	AIF_ARRAY_DELIVERY = 4,		/* executor, read-only */
	AIF_ARRAY_COMMIT = 5,		/* executor, writable */
	AIF_ARRAY_EXECUTOR_STATUS = 6,	/* executor, read-only */
	AIF_ARRAY_COUNT
};

/**
 * struct aif_array - where to map an array
 * @offset: for mmap(2) on the same file; MAP_SHARED
 * @entry_size: bytes
 * @count: entries; 0: not on this file
 */
struct aif_array {
	__u64 offset;
	__u32 entry_size;
	__u32 count;
};

enum aif_role {
	AIF_ROLE_CLIENT = 0,	/* /dev/aif */
	AIF_ROLE_SERVE = 1,	/* /dev/aif-serve, nothing done yet */
	AIF_ROLE_HOLDER = 2,	/* it created a service */
	AIF_ROLE_EXECUTOR = 3,	/* it attached to a service */
};

/**
 * struct aif_ioc_info - features, arrays, limits (ioctl AIF_IOC_INFO)
 * @size: sizeof(struct aif_ioc_info)
 * @depth: in, client: tags wanted, a power of two, 0 for 256 (or for what was
 *	fixed before); out: tags there are.  Fixed by the first call; another
 *	depth later is -EBUSY.  More than @out_max_depth is -EINVAL
 * @features: in: asked for; out: granted (all calls together)
 * @out_role: enum aif_role
 * @out_max_depth: module parameter max_depth
 * @out_tenant: whom this file charges
 * @out_tenant_bytes, @out_service_bytes: most `alloc` bytes the tenant (on files
 *	that have none: any) can have, most granted bytes a service can have
 * @out_tenant_requests: most requests and transfers it can have in flight
 * @out_device_requests: most requests that can be queued on a device, or
 *	transfers; a 64th of it each tenant can always have there, in each class
 * @out_tenant_pinned: most bytes it can have pinned
 * @out_arrays: indexed by enum aif_array_kind
 */
struct aif_ioc_info {
	__u32 size;
	__u32 depth;
	__u64 features;
	__u32 out_role;
	__u32 out_max_depth;
	__u64 out_tenant;
	__u64 out_tenant_bytes;
	__u64 out_service_bytes;
	__u32 out_tenant_requests;
	__u32 out_device_requests;
	__u64 out_tenant_pinned;
	struct aif_array out_arrays[AIF_ARRAY_COUNT];
};

#define AIF_IOC_INFO	_IOWR(AIF_IOC_TYPE, 0x00, struct aif_ioc_info)

/* ------------------------------------------------------------------ */
/* Buffers and grants (client)						*/

/**
 * struct aif_ioc_buffer_alloc - memory with a handle (AIF_IOC_BUFFER_ALLOC)
 * @flags: 0
 * @bytes: 1 .. 4 GiB - 1 page, rounded up to pages; zeroed
 * @out_handle: nonzero
 * @out_offset: for mmap(2) (MAP_SHARED, PROT_READ and PROT_WRITE)
 * @out_bytes: after rounding
 *
 * Errors: EDQUOT the tenant's bytes; ENOMEM; ENOSPC too many buffers.
 */
struct aif_ioc_buffer_alloc {
	__u32 size;
	__u32 flags;
	__u64 bytes;
	__u32 out_handle;
	__u32 __reserved;
	__u64 out_offset;
	__u64 out_bytes;
};

#define AIF_IOC_BUFFER_ALLOC	_IOWR(AIF_IOC_TYPE, 0x10, struct aif_ioc_buffer_alloc)

/**
 * struct aif_ioc_buffer_free - end of a handle (AIF_IOC_BUFFER_FREE)
 *
 * The memory goes back, and ends being charged, when the last handle, the last file
 * that passes it on, the last mapping, the last pin and the last transfer are gone.
 * Errors: ENOENT no such buffer; EBUSY a grant lives.
 */
struct aif_ioc_buffer_free {
	__u32 size;
	__u32 handle;
};

#define AIF_IOC_BUFFER_FREE	_IOW(AIF_IOC_TYPE, 0x11, struct aif_ioc_buffer_free)

#define AIF_PIN_F_WRITE		(1u << 0)	/* else a source of transfers only */

/**
 * struct aif_ioc_buffer_pin - the caller's own memory as a buffer (AIF_IOC_BUFFER_PIN)
 * @flags: AIF_PIN_F_*
 * @address, @bytes: in the calling process; 1 byte .. 4 GiB - 1 page, need not be
 *	aligned.  Every page that they touch is pinned and charged
 * @out_handle: nonzero
 *
 * The pages stay pinned until the handle is freed (or the file closed), nobody has
 * the buffer that it was shared with, and the last transfer is quiet, whatever
 * becomes of the process's mapping: after munmap, exec or exit transfers read and
 * write the pages that were pinned.  They are charged to RLIMIT_MEMLOCK of the
 * calling process, whose memory it is, and of its user, all processes together
 * (CAP_IPC_LOCK exempts it), and to the tenant of this file.
 *
 * Such a buffer serves transfers; it can be neither granted nor mapped by
 * mmap(2).  With
 * AIF_PIN_F_WRITE anonymous memory, memfds, hugetlbfs and shmem will do; a shared
 * mapping of a file on a disk does not, its file system could not know of the
 * writes (-EFAULT).  Without, it does, and leaves the file's pages clean.
 *
 * Errors: EFAULT the memory is not there, or not to be written; EEXIST it is a
 * mapping of this device: name the buffer by the handle that it has; ENOMEM no
 * memory, or over RLIMIT_MEMLOCK; EDQUOT the tenant's pinned bytes; ENOSPC too many
 * buffers.
 */
struct aif_ioc_buffer_pin {
	__u32 size;
	__u32 flags;
	__u64 address;
	__u64 bytes;
	__u32 out_handle;
	__u32 __reserved;
};

#define AIF_IOC_BUFFER_PIN	_IOWR(AIF_IOC_TYPE, 0x15, struct aif_ioc_buffer_pin)

/**
 * struct aif_ioc_buffer_memfd - pages of a memfd as a buffer (AIF_IOC_BUFFER_MEMFD)
 * @flags: AIF_PIN_F_*
 * @fd: of memfd_create(2), sealed with F_SEAL_SHRINK; may be of huge pages
 * @offset, @bytes: in the file; 1 byte .. 4 GiB - 1 page, need not be aligned
 * @out_handle: nonzero
 *
 * As AIF_IOC_BUFFER_PIN, and charged alike, to the calling process.  Pages that do
 * not exist yet are made, but for huge ones, which must have been touched or
 * allocated (fallocate(2)).  A huge page is pinned whole, and charged for what lies
 * in the range.  The file may be closed.  A hole that is punched later takes the
 * pages out of the file, not out of the buffer.
 *
 * Needs AIF_F_MEMFD.  Errors: EBADF no such fd; EACCES it is not open for reading, or
 * for writing; EINVAL no memfd, not sealed with F_SEAL_SHRINK, or it is shorter, or
 * has a huge page that does not exist yet; EPERM AIF_PIN_F_WRITE on one sealed with
 * F_SEAL_WRITE or F_SEAL_FUTURE_WRITE; ENOMEM no memory, or over RLIMIT_MEMLOCK;
 * EDQUOT the tenant's pinned bytes; ENOSPC too many buffers.
 */
struct aif_ioc_buffer_memfd {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 bytes;
	__s32 fd;
	__u32 out_handle;
};

#define AIF_IOC_BUFFER_MEMFD	_IOWR(AIF_IOC_TYPE, 0x16, struct aif_ioc_buffer_memfd)

/**
 * struct aif_ioc_buffer_import - another device's memory as a buffer (AIF_IOC_BUFFER_IMPORT)
 * @flags: AIF_PIN_F_*
 * @fd: a dma-buf, of at most 4 GiB - 1 page
 * @out_handle: nonzero
 * @out_bytes: of the dma-buf, all of which is the buffer
 *
 * It is taken of exporters that keep the memory where it is as long as the kernel sees it:
 * the module's parameter import_from names them, by default udmabuf, the system heap and
 * vgem (a driver of drm by its module, or, where that is part of the kernel, all of them as
 * drm).  @fd may be closed, and whoever made it.  It is charged to the tenant as what is
 * pinned is, and to no RLIMIT_MEMLOCK.
 *
 * Such a buffer serves transfers, by the CPU only, and while it is open: see
 * AIF_IOC_BUFFER_SYNC.  It can be neither granted nor mapped by mmap(2).
 *
 * Needs AIF_F_IMPORT.  Errors: EBADF no such fd; EINVAL no dma-buf, or too large; EACCES
 * @fd is not open for reading, or for writing; EOPNOTSUPP its exporter is not one of
 * these, or does not let the CPU see it as memory; EDQUOT the tenant's pinned bytes; ENOSPC
 * too many buffers; or what the exporter answers.
 */
struct aif_ioc_buffer_import {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 out_handle;
	__u64 out_bytes;
};

#define AIF_IOC_BUFFER_IMPORT	_IOWR(AIF_IOC_TYPE, 0x1b, struct aif_ioc_buffer_import)

#define AIF_SYNC_F_WRITE	(1u << 0)	/* transfers will write to it too */
#define AIF_SYNC_F_END		(1u << 1)	/* closed again; alone */

/**
 * struct aif_ioc_buffer_sync - an imported buffer between devices (AIF_IOC_BUFFER_SYNC)
 * @flags: AIF_SYNC_F_*
 * @handle: buffer
 *
 * Without AIF_SYNC_F_END it is opened for the CPU, as DMA_BUF_IOCTL_SYNC does it: what
 * other devices have written before can be read, after waiting for the fences that the
 * dma-buf has (for all of them with AIF_SYNC_F_WRITE, else for those of who writes to it),
 * until a signal comes.  SUBMIT takes a transfer only to or from one that is open, and for
 * writing if it is the target (ENXIO).  With AIF_SYNC_F_END it is closed, when no such
 * transfer is left: other devices can read what was written.
 *
 * It is the buffer that is open, for whoever has a handle; clients of the tenant that is
 * charged for it open and close it.  When the last handle is gone, and all that holds it, it
 * is closed without being asked.  A closing that fails, or that a signal ends, leaves it open.
 *
 * Needs AIF_F_IMPORT.  Errors: ENOENT no such buffer; EINVAL it is not imported; EACCES the
 * handle has not AIF_RIGHT_TRANSFER, and AIF_RIGHT_WRITE for AIF_SYNC_F_WRITE; EPERM another
 * tenant is charged for it; EALREADY it is open, or closed, already; EBUSY a transfer is not
 * quiet; or what the exporter answers.
 */
struct aif_ioc_buffer_sync {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 __reserved;
};

#define AIF_IOC_BUFFER_SYNC	_IOW(AIF_IOC_TYPE, 0x1c, struct aif_ioc_buffer_sync)

/*
 * What a handle allows.  One of AIF_IOC_BUFFER_ALLOC allows all of it, one of PIN, MEMFD
 * or IMPORT allows READ and TRANSFER, and WRITE with AIF_PIN_F_WRITE.
 */
#define AIF_RIGHT_READ		(1u << 0)	/* the bytes can be read */
#define AIF_RIGHT_WRITE		(1u << 1)	/* ... and written */
#define AIF_RIGHT_MAP		(1u << 2)	/* by mmap(2), and by services: AIF_IOC_GRANT */
#define AIF_RIGHT_TRANSFER	(1u << 3)	/* by transfers */

/**
 * struct aif_ioc_buffer_share - a buffer as a file (AIF_IOC_BUFFER_SHARE)
 * @handle: of the buffer
 * @rights: AIF_RIGHT_*: what the file passes on; 0: all that the handle has
 *
 * Returns an fd (close-on-exec) for another client, in whatever process: it goes
 * there by SCM_RIGHTS or fork, and AIF_IOC_BUFFER_ACCEPT makes a handle of it.  Whoever
 * has the file, or a handle of it, can pass on what that allows.
 *
 * There is no taking back: the file keeps the buffer, and the charge to who allocated
 * or pinned it, as each handle does, and memory that was shared comes back when the
 * others let go of it too.  Who they are, root reads in /proc/PID/fdinfo: each buffer has
 * its number there, with the file that passes it on and the client's that has a handle.
 *
 * Errors: ENOENT no such buffer; EINVAL a right that is not defined; EACCES a right
 * that the handle does not have; EMFILE, ENFILE too many files.
 */
struct aif_ioc_buffer_share {
	__u32 size;
	__u32 handle;
	__u32 rights;
	__u32 __reserved;
};

#define AIF_IOC_BUFFER_SHARE	_IOW(AIF_IOC_TYPE, 0x19, struct aif_ioc_buffer_share)

/**
 * struct aif_ioc_buffer_accept - a shared buffer's handle here (AIF_IOC_BUFFER_ACCEPT)
 * @fd: from AIF_IOC_BUFFER_SHARE
 * @rights: AIF_RIGHT_*: what the handle shall allow; 0: all that the file passes on
 * @out_handle: nonzero; another one each time
 * @out_rights: what it allows
 * @out_offset: for mmap(2), with AIF_RIGHT_MAP and AIF_RIGHT_READ (PROT_WRITE with
 *	AIF_RIGHT_WRITE); 0 for a buffer that is not `alloc`
 * @out_bytes: of the buffer
 *
 * A handle like one's own: what is said of those holds for it, with its rights
 * (EACCES).  The memory is charged to who allocated or pinned it, requests and
 * transfers to who submits them.  AIF_IOC_BUFFER_FREE ends this handle only; the file
 * may be closed before.
 *
 * Errors: EBADF no such fd; EINVAL not from AIF_IOC_BUFFER_SHARE, or a right that is
 * not defined; EACCES a right that the file does not pass on; ENOSPC too many buffers.
 */
struct aif_ioc_buffer_accept {
	__u32 size;
	__s32 fd;
	__u32 rights;
	__u32 out_handle;
	__u32 out_rights;
	__u32 __reserved;
	__u64 out_offset;
	__u64 out_bytes;
};

#define AIF_IOC_BUFFER_ACCEPT	_IOWR(AIF_IOC_TYPE, 0x1a, struct aif_ioc_buffer_accept)

/**
 * struct aif_ioc_buffer_map - let an engine's device reach a buffer (AIF_IOC_BUFFER_MAP)
 * @flags: 0
 * @handle: buffer
 * @out_engine: the engine's number, for descriptors and UNMAP; nonzero, and never
 *	another engine's while the module is loaded
 * @engine: its name, NUL-terminated, zero behind
 *
 * Engines of vendors' drivers may need a buffer to be mapped for their device.  All of
 * it is mapped, for reading only if it was pinned so, and stays so until UNMAP, until
 * its handles and all that holds it are gone, or until the engine is.  The mapping is
 * the buffer's, by whichever handle it is made or undone: to map it again does nothing
 * but name the engine.
 *
 * What is mapped is charged as the memory is, and bounded for each engine.  When an engine
 * has no room, buffers that no chunk uses go: the same tenant's before others', and the
 * longest unused first.  SUBMIT then refuses to name the engine, and the buffer is to be
 * mapped again; what was submitted goes on with another engine.  What is just being
 * unmapped is waited for.
 *
 * Needs AIF_F_MAP.  Errors: ENOENT no such buffer, or engine; EACCES the handle has not
 * AIF_RIGHT_TRANSFER; EINVAL the engine needs no mapping; EOPNOTSUPP an imported buffer, to
 * which no engine's device is attached; ENODEV it does not work any more; EDQUOT the
 * tenant's mapped bytes; ENOSPC no room at the engine; ENOMEM; EIO its driver said what
 * cannot be.
 */
struct aif_ioc_buffer_map {
	__u32 size;
	__u32 flags;
	__u32 handle;
	__u32 out_engine;
	char engine[AIF_ENGINE_NAME_MAX];
};

#define AIF_IOC_BUFFER_MAP	_IOWR(AIF_IOC_TYPE, 0x17, struct aif_ioc_buffer_map)

/**
 * struct aif_ioc_buffer_unmap - end of a mapping (AIF_IOC_BUFFER_UNMAP)
 * @handle: buffer
 * @engine: number from AIF_IOC_BUFFER_MAP
 *
 * Undone when it returns, or when the engine has done the chunks of it that it has now.
 * Needs AIF_F_MAP.  Errors: ENOENT no such buffer, or it is not mapped for that engine;
 * EACCES the handle has not AIF_RIGHT_TRANSFER.
 */
struct aif_ioc_buffer_unmap {
	__u32 size;
	__u32 handle;
	__u32 engine;
	__u32 __reserved;
};

#define AIF_IOC_BUFFER_UNMAP	_IOW(AIF_IOC_TYPE, 0x18, struct aif_ioc_buffer_unmap)

#define AIF_GRANT_F_WRITE	(1u << 0)	/* else the service can only read */

/**
 * struct aif_ioc_grant - let a service map a buffer (AIF_IOC_GRANT)
 * @flags: AIF_GRANT_F_*
 * @buffer: handle
 * @service: handle
 * @out_grant: handle for descriptors
 *
 * The service's executors see the whole buffer from now on, all the time.
 * Errors: ENOENT no such buffer or service handle; EINVAL not an `alloc` buffer;
 * EACCES the handle has not AIF_RIGHT_READ and AIF_RIGHT_MAP, and AIF_RIGHT_WRITE for
 * AIF_GRANT_F_WRITE; EDQUOT the service's bytes; ENOSPC too many grants.
 */
struct aif_ioc_grant {
	__u32 size;
	__u32 flags;
	__u32 buffer;
	__u32 service;
	__u32 out_grant;
	__u32 __reserved;
};

#define AIF_IOC_GRANT		_IOWR(AIF_IOC_TYPE, 0x12, struct aif_ioc_grant)

/**
 * struct aif_ioc_revoke - take a grant back (AIF_IOC_REVOKE)
 *
 * When it returns no executor's CPU reaches the buffer through this grant (it
 * sees a zeroed page of its own instead, never a signal), and requests that
 * used it are answered with -EKEYREVOKED.  What a device driver or a ring had
 * pinned before stays reachable by it until it lets go.  Error: ENOENT.
 */
struct aif_ioc_revoke {
	__u32 size;
	__u32 grant;
};

#define AIF_IOC_REVOKE		_IOW(AIF_IOC_TYPE, 0x13, struct aif_ioc_revoke)

/**
 * struct aif_ioc_declare_pins - long-term pins the caller keeps (AIF_IOC_DECLARE_PINS)
 * @handle: client: buffer, by the handle that grants are made of; executor: grant id
 * @pins: how many pins each page carries on the caller's account (registered
 *	with a GPU driver or a ring); replaces what was declared before
 *
 * Declare after pinning, withdraw before unpinning.  A dead executor's request
 * is queued again only when its output carries no more pins than the client and
 * the attached executors of its service declared; a dead executor's declarations
 * lapse.  A false one harms only its own requests.  Undeclared pins, another
 * service's or another client's on the same buffer included, and those on a revoked
 * grant, keep a dead executor's requests from being queued again and their tags busy:
 * grant a buffer to one service, and share it without AIF_RIGHT_MAP.  So do, but not
 * their tags, transfers to the output, whoever's.
 * Errors: ENOENT; EINVAL over 1024, or not an `alloc` buffer.
 */
struct aif_ioc_declare_pins {
	__u32 size;
	__u32 handle;
	__u32 pins;
	__u32 __reserved;
};

#define AIF_IOC_DECLARE_PINS	_IOW(AIF_IOC_TYPE, 0x14, struct aif_ioc_declare_pins)

/* ------------------------------------------------------------------ */
/* Services								*/

enum aif_io_kind {
	AIF_IO_UTF8 = 1,
	AIF_IO_TENSOR = 2,
};

enum aif_dtype {
	AIF_DTYPE_U8 = 1,	/* the dtype of AIF_IO_UTF8 */
	AIF_DTYPE_I8 = 2,
	AIF_DTYPE_I32 = 3,
	AIF_DTYPE_I64 = 4,
	AIF_DTYPE_F16 = 5,
	AIF_DTYPE_BF16 = 6,
	AIF_DTYPE_F32 = 7,
	AIF_DTYPE_F64 = 8,
};

#define AIF_IO_F_OUTPUT		(1u << 0)
#define AIF_IO_F_OPTIONAL	(1u << 1)	/* trailing outputs only */

/**
 * struct aif_io - one input or output of a service (96 bytes)
 * @name: NUL-terminated, of the characters of a service's name
 * @kind: enum aif_io_kind; AIF_IO_UTF8 has one dimension
 * @dtype: enum aif_dtype
 * @flags: AIF_IO_F_*; inputs come first
 * @dims: 0 .. 4 used entries of @shape
 * @shape: elements; -1: any (given by the range's length)
 * @alignment: of the range's offset, a power of two <= 4096; 0 becomes 64
 * @max_bytes: most bytes of an input; least bytes of an output's range where
 *	the shape is fixed, most the executor will write otherwise
 *
 * One row (the entries that are not -1) must fit in @max_bytes; where the shape
 * is fixed @max_bytes becomes exactly its size.
 *
 * SUBMIT refuses (-EINVAL) an input longer than @max_bytes, or not a whole
 * number of elements, or of another length where the shape is fixed, and an
 * output range shorter than the fixed shape.
 */
struct aif_io {
	char name[AIF_IO_NAME_MAX];
	__u32 kind;
	__u32 dtype;
	__u32 flags;
	__u32 dims;
	__s64 shape[AIF_SHAPE_MAX];
	__u32 alignment;
	__u32 max_bytes;
	__u64 __reserved;
};

/**
 * struct aif_service_desc - what a service is (from its creator, to everybody)
 * @name: 1 .. 63 of [A-Za-z0-9._-]; unique for its owner
 * @device: likewise; services that name the same device share it
 * @model: name of the model, printable ASCII, may be empty
 * @digest: SHA-256 of the weights
 * @step_tokens: steps the device runs at once, 1 .. 64; a device has the
 *	largest that one of its services asked for
 * @max_attempts: executions before -EIO, 1 .. 16; 0 becomes 2
 * @longest_step_ms: an executor without such a sign of work for longer loses its
 *	token (others may run); 0 becomes 1000
 * @progress_ms: an executor that holds requests and for so long neither takes
 *	one, commits one nor calls PROGRESS for one is detached; 0 becomes 10000
 * @recovery_ms: how long a dead executor's request may wait to be queued again;
 *	0 becomes 1000
 * @io_count: 1 .. 3 used entries of @io
 * @io: inputs, then outputs
 *
 * Times are at most 3,600,000 ms.
 */
struct aif_service_desc {
	char name[AIF_NAME_MAX];
	char device[AIF_NAME_MAX];
	char model[AIF_NAME_MAX];
	__u8 digest[AIF_DIGEST_SIZE];
	__u32 step_tokens;
	__u32 max_attempts;
	__u32 longest_step_ms;
	__u32 progress_ms;
	__u32 recovery_ms;
	__u32 io_count;
	__u64 __reserved;
	struct aif_io io[AIF_IO_MAX];
};

/**
 * struct aif_ioc_service_create - on /dev/aif-serve (AIF_IOC_SERVICE_CREATE)
 * @text_length: 0 .. 4096
 * @text: pointer to lines of key=value (UTF-8, no NUL), e.g. "license=..."
 * @desc: see above
 * @out_id: for ATTACH, DESCRIBE and LIST; unique while the module is loaded
 *
 * This file becomes the service's holder; its opener's uid is the owner.
 * Errors: EEXIST the owner has one of that name; EBUSY this file has a role
 * already; ENOSPC too many services; ETIME its longest step would make those late who
 * have a real-time budget of the device (see "Real time").
 */
struct aif_ioc_service_create {
	__u32 size;
	__u32 text_length;
	__u64 text;
	struct aif_service_desc desc;
	__u32 out_id;
	__u32 __reserved;
};

#define AIF_IOC_SERVICE_CREATE	_IOWR(AIF_IOC_TYPE, 0x20, struct aif_ioc_service_create)

/**
 * struct aif_ioc_service_list - ids of all services (AIF_IOC_SERVICE_LIST)
 * @capacity: entries that @ids has room for
 * @ids: pointer to __u32[capacity], filled in ascending order
 * @out_count: services there are; more than @capacity: call again with more
 *
 * On every file.
 */
struct aif_ioc_service_list {
	__u32 size;
	__u32 capacity;
	__u64 ids;
	__u32 out_count;
	__u32 __reserved;
};

#define AIF_IOC_SERVICE_LIST	_IOWR(AIF_IOC_TYPE, 0x21, struct aif_ioc_service_list)

/**
 * struct aif_ioc_service_describe - one service (AIF_IOC_SERVICE_DESCRIBE)
 * @id: from LIST, CREATE or OPEN
 * @text_capacity, @text: where to put the text (truncated to fit)
 * @out_text_length: its whole length
 * @out_owner: uid, as the caller's user namespace sees it
 * @out_executors: attached now
 * @out_queued, @out_fetched: requests now
 * @out_draining: 1 after AIF_IOC_SERVICE_DRAIN
 * @out_grants: grants alive, @out_granted_bytes: their bytes
 * @out_answered: requests answered since it was created
 * @out_recovered: requests queued again after an executor's death
 * @out_device_ns: device time its requests took since it was created, ns
 *
 * On every file.  Error: ENOENT.
 */
struct aif_ioc_service_describe {
	__u32 size;
	__u32 id;
	__u64 text;
	__u32 text_capacity;
	__u32 out_text_length;
	__u32 out_owner;
	__u32 out_executors;
	__u32 out_queued;
	__u32 out_fetched;
	__u32 out_draining;
	__u32 out_grants;
	__u64 out_granted_bytes;
	__u64 out_answered;
	__u64 out_recovered;
	__u64 out_device_ns;
	struct aif_service_desc out_desc;
};

#define AIF_IOC_SERVICE_DESCRIBE	_IOWR(AIF_IOC_TYPE, 0x22, struct aif_ioc_service_describe)

/**
 * struct aif_ioc_service_open - a handle for descriptors (AIF_IOC_SERVICE_OPEN)
 * @owner: the uid that must own it: a name alone could be squatted
 * @name: NUL-terminated
 * @out_handle: nonzero
 * @out_id: for DESCRIBE
 *
 * Client only; there is no close but the file's.  Opening one twice gives the
 * same handle.  Errors: ENOENT no such service of that owner; ENXIO call INFO
 * first; ENOSPC as many are open as the machine can have services.
 */
struct aif_ioc_service_open {
	__u32 size;
	__u32 owner;
	char name[AIF_NAME_MAX];
	__u32 out_handle;
	__u32 out_id;
};

#define AIF_IOC_SERVICE_OPEN	_IOWR(AIF_IOC_TYPE, 0x23, struct aif_ioc_service_open)

/**
 * struct aif_ioc_service_drain - no more requests (AIF_IOC_SERVICE_DRAIN)
 *
 * Holder only.  SUBMIT answers -ESHUTDOWN from now on; what is queued is still
 * delivered, and FETCH answers -ESHUTDOWN when nothing is queued, fetched or
 * recovering any more.
 */
struct aif_ioc_service_drain {
	__u32 size;
	__u32 __reserved;
};

#define AIF_IOC_SERVICE_DRAIN	_IOW(AIF_IOC_TYPE, 0x24, struct aif_ioc_service_drain)

/* ------------------------------------------------------------------ */
/* Requests (client)							*/

#define AIF_SUBMIT_F_WAIT_ALL	(1u << 0)	/* return when all are answered */
#define AIF_SUBMIT_F_WAIT_FIRST	(1u << 1)	/* ... when the first is */

/**
 * struct aif_ioc_submit - take descriptors from the ring (AIF_IOC_SUBMIT)
 * @flags: AIF_SUBMIT_F_*, not both
 * @first: position in the descriptor ring, modulo its count
 * @count: 1 .. depth
 * @out_accepted: how many were taken
 *
 * Descriptors are taken in order up to the first that is refused.  0 if at
 * least one was taken (compare @out_accepted with @count; submitting the
 * refused one again tells why), else the first one's error:
 * EINVAL	tag or class or flags or counts out of range, generation not new,
 *		ranges that do not fit the service's description or the buffer,
 *		bytes that must be zero
 * EBUSY	the tag is not free; or, with a WAIT flag, twice as many threads
 *		as there are tags wait already
 * EBADF	no such service handle
 * ENOENT	no such grant for this service; in a transfer, no such buffer
 * EACCES	an output in a grant without AIF_GRANT_F_WRITE; a transfer that a
 *		handle does not allow
 * EKEYREVOKED	the grant is being revoked (afterwards it is ENOENT)
 * ENXIO	a transfer names an engine for which a buffer of it is not mapped, or
 *		an imported buffer that is not open (AIF_IOC_BUFFER_SYNC)
 * ETIME	the deadline has passed already
 * EDQUOT	the tenant's requests in flight
 * EAGAIN	the device's queue, or the transfers', is full, and the tenant has its
 *		part of it (out_device_requests)
 * ESHUTDOWN	the service drains
 * ENODEV	the service is gone
 *
 * A waiting SUBMIT interrupted by a signal returns -EINTR: the requests go on
 * (@out_accepted says how many); wait for them with AIF_IOC_WAIT.
 */
struct aif_ioc_submit {
	__u32 size;
	__u32 flags;
	__u32 first;
	__u32 count;
	__u32 out_accepted;
	__u32 __reserved;
};

#define AIF_IOC_SUBMIT		_IOWR(AIF_IOC_TYPE, 0x30, struct aif_ioc_submit)

#define AIF_WAIT_F_PRODUCED	(1u << 0)

/**
 * struct aif_ioc_wait - until something was answered (AIF_IOC_WAIT)
 * @flags: 0: until aif_client_status.answered >= @value;
 *	AIF_WAIT_F_PRODUCED: until @tag is answered or its produced > @value
 * @tag: with AIF_WAIT_F_PRODUCED, else 0
 * @value: see @flags
 * @timeout_ns: relative; 0: look only; negative: no limit
 *
 * poll(2) on a client's file says EPOLLIN while more has been answered than the
 * largest @value of a satisfied WAIT: after looking at the completions, WAIT with
 * what aif_client_status.answered said.  Errors: ETIME the time is over; the ring
 * command ENOSPC 64 WAITs and WAIT_QUIETs of this file are parked already.
 */
struct aif_ioc_wait {
	__u32 size;
	__u32 flags;
	__u32 tag;
	__u32 __reserved;
	__u64 value;
	__s64 timeout_ns;
};

#define AIF_IOC_WAIT		_IOW(AIF_IOC_TYPE, 0x31, struct aif_ioc_wait)

/**
 * struct aif_ioc_wait_quiet - until no executor has the memory (AIF_IOC_WAIT_QUIET)
 * @tag: one tag, or AIF_TAG_ALL
 * @timeout_ns: as for WAIT
 *
 * Waits until the tag is free (AIF_STATE_DONE or never used).  Errors: ETIME; the
 * ring command ENOSPC as for WAIT.
 */
struct aif_ioc_wait_quiet {
	__u32 size;
	__u32 tag;
	__s64 timeout_ns;
};

#define AIF_IOC_WAIT_QUIET	_IOW(AIF_IOC_TYPE, 0x32, struct aif_ioc_wait_quiet)

#define AIF_CANCEL_F_WAITS	(1u << 0)	/* parked waits, not requests */

/**
 * struct aif_ioc_cancel - answer with -ECANCELED (AIF_IOC_CANCEL)
 * @flags: 0, or AIF_CANCEL_F_WAITS: end this file's parked ring commands WAIT
 *	and WAIT_QUIET with -ECANCELED (@tag AIF_TAG_ALL, @generation 0)
 * @tag: one, or AIF_TAG_ALL for all this client has in flight
 * @generation: the tag's; ignored with AIF_TAG_ALL
 *
 * Errors: ENOENT the tag is not in flight with that generation (it was answered).
 */
struct aif_ioc_cancel {
	__u32 size;
	__u32 flags;
	__u32 tag;
	__u32 generation;
};

#define AIF_IOC_CANCEL		_IOW(AIF_IOC_TYPE, 0x33, struct aif_ioc_cancel)

/**
 * struct aif_ioc_set_eventfd - signal an eventfd at every answer (AIF_IOC_SET_EVENTFD)
 * @fd: eventfd, or -1 to end it.  Errors: EBADF, EINVAL no eventfd.
 */
struct aif_ioc_set_eventfd {
	__u32 size;
	__s32 fd;
};

#define AIF_IOC_SET_EVENTFD	_IOW(AIF_IOC_TYPE, 0x34, struct aif_ioc_set_eventfd)

/* ------------------------------------------------------------------ */
/* Executors								*/

/**
 * struct aif_ioc_executor_attach - on /dev/aif-serve (AIF_IOC_EXECUTOR_ATTACH)
 * @flags: 0
 * @service: id
 * @holder_fd: the holder's file, or -1 if the opener of this file owns the
 *	service (or is root)
 * @slots: requests it may hold at once, 1 .. 1024
 *
 * The calling process (its mm) becomes an executor; calls from any other are
 * -EPERM from now on.  Its first FETCH brings an event for each grant.
 * Mappings of this file are not inherited by fork.  Errors: ENOENT; EACCES not
 * the owner and no holder's file; EBUSY this file has a role already; EBADF.
 */
struct aif_ioc_executor_attach {
	__u32 size;
	__u32 flags;
	__u32 service;
	__s32 holder_fd;
	__u32 slots;
	__u32 __reserved;
};

#define AIF_IOC_EXECUTOR_ATTACH	_IOW(AIF_IOC_TYPE, 0x40, struct aif_ioc_executor_attach)

#define AIF_FETCH_F_NONBLOCK	(1u << 0)	/* do not wait, do not park */
#define AIF_FETCH_F_COMMIT_ONLY	(1u << 1)	/* no fetch; @credit 0 */

/**
 * struct aif_ioc_commit_fetch - give back, then take (AIF_IOC_COMMIT_FETCH)
 * @flags: AIF_FETCH_F_*
 * @commit_first: position in the commit array, modulo its count
 * @commit_count: 0 (FETCH) .. the commit array's count
 * @credit: most requests to bring, 1 .. slots; 0 brings events only
 * @out_count: entries of the delivery array that were filled
 * @out_stale: commits of this call that were skipped
 *
 * One FETCH at a time: a second while one waits is -EALREADY.  A request that
 * was recovered comes alone and only to an executor that holds no other.
 * Commits are taken whatever FETCH answers.  FETCH's errors:
 * EAGAIN	non-blocking: nothing is queued
 * EBUSY	non-blocking: something is queued, but it is not your turn: the
 *		device's tokens are out or another service goes first; keep your
 *		work and ask again
 * ESHUTDOWN	the service drains and all is done
 * ENODEV	the service is gone, or this executor was detached
 */
struct aif_ioc_commit_fetch {
	__u32 size;
	__u32 flags;
	__u32 commit_first;
	__u32 commit_count;
	__u32 credit;
	__u32 out_count;
	__u32 out_stale;
	__u32 __reserved;
};

#define AIF_IOC_COMMIT_FETCH	_IOWR(AIF_IOC_TYPE, 0x41, struct aif_ioc_commit_fetch)

/**
 * struct aif_ioc_progress - part of an output is there (AIF_IOC_PROGRESS)
 * @slot, @generation: the request
 * @produced: bytes of the first output so far; never goes back
 * @device_ns: device time since the last PROGRESS (or FETCH); charged
 * @out_cancelled: 1: the request was answered (cancelled, expired): stop, commit
 *
 * Error: ESTALE not this executor's slot and generation.
 */
struct aif_ioc_progress {
	__u32 size;
	__u32 slot;
	__u32 generation;
	__u32 produced;
	__u64 device_ns;
	__u32 out_cancelled;
	__u32 __reserved;
};

#define AIF_IOC_PROGRESS	_IOWR(AIF_IOC_TYPE, 0x42, struct aif_ioc_progress)

/* ------------------------------------------------------------------ */
/* Tenants								*/

/* What of a tenant was set, or shall be (AIF_IOC_TENANT_SET). */
#define AIF_TENANT_F_ALLOC	(1u << 0)
#define AIF_TENANT_F_PINNED	(1u << 1)
#define AIF_TENANT_F_REQUESTS	(1u << 2)
#define AIF_TENANT_F_WEIGHT	(1u << 3)
#define AIF_TENANT_F_BYTES_SECOND (1u << 4)
#define AIF_TENANT_F_REALTIME	(1u << 5)
#define AIF_TENANT_F_MAPPED	(1u << 6)

/**
 * struct aif_tenant_limits - what a tenant may have (40 bytes)
 * @alloc_bytes: of `alloc` buffers, held ones included
 * @pinned_bytes: of `pin`, `memfd` and `import` buffers, all its processes together
 * @mapped_bytes: of buffers, for each engine that they are mapped for
 * @requests: and transfers, in flight
 * @weight: share of devices and of the engines, 1 .. 10000, against 100 of others
 * @bytes_second: that its transfers move, 1 .. 2^40; 0: as many as they can.  Over any
 *	time t no more than @bytes_second * (t + 1/8 s), at most 4 GiB of them for the
 *	1/8 s, and what had begun: a chunk (256 KiB) for each that the engines take at
 *	once.  A transfer over it waits, up to its deadline, and nobody waits for it
 */
struct aif_tenant_limits {
	__u64 alloc_bytes;
	__u64 pinned_bytes;
	__u64 mapped_bytes;
	__u32 requests;
	__u32 weight;
	__u64 bytes_second;
};

/**
 * struct aif_tenant_realtime - a budget of one device (72 bytes)
 * @period_us: 1 .. 2^32 - 1
 * @budget_us: 1 .. @period_us, at most 4,000,000
 * @device: as services name it, which need not exist yet; empty: the engines.  Bytes
 *	after the terminating NUL are zero
 *
 * All zero: none.
 */
struct aif_tenant_realtime {
	__u32 period_us;
	__u32 budget_us;
	char device[AIF_NAME_MAX];
};

/**
 * struct aif_tenant_now - one tenant (192 bytes; it may grow at its end)
 * @id: of the cgroup (the inode number of its directory), or the uid
 * @flags: AIF_TENANT_F_*: which of @limits were set; the others are the module's
 *	parameters tenant_bytes, tenant_pinned, tenant_mapped, tenant_requests, 100, and
 *	no limit
 * @files: clients, closed ones with requests that are not quiet included
 * @limits: that hold for it
 * @used: what it has; @weight and what follows it are 0
 * @answered: requests and transfers answered
 * @device_ns: device time that executors and engines spent for it, ns
 * @moved_bytes: by its transfers
 * @realtime: its budget, if it has one
 *
 * The three before that count from when the tenant came to be known and only grow; a tenant
 * that was forgotten (see AIF_IOC_TENANT_LIST) and comes back begins at 0.
 */
struct aif_tenant_now {
	__u64 id;
	__u32 flags;
	__u32 files;
	struct aif_tenant_limits limits;
	struct aif_tenant_limits used;
	__u64 answered;
	__u64 device_ns;
	__u64 moved_bytes;
	struct aif_tenant_realtime realtime;
};

/**
 * struct aif_ioc_tenant_list - who uses the module (AIF_IOC_TENANT_LIST)
 * @capacity: entries that @tenants has room for
 * @tenants: pointer to @capacity entries, struct aif_tenant_now, in ascending order of id
 * @out_count: tenants there are; more than @capacity: call again with more
 * @entry_size: of an entry as the caller knows it, sizeof(struct aif_tenant_now): 192 to
 *	1024, a multiple of 8.  Of an entry that the kernel knows less of, the rest is zero
 *
 * Those that have a client, something charged, or a limit that was set.  On every
 * file.  Errors: EPERM without CAP_SYS_RESOURCE, EINVAL for another @entry_size.
 */
struct aif_ioc_tenant_list {
	__u32 size;
	__u32 capacity;
	__u64 tenants;
	__u32 out_count;
	__u32 entry_size;
};

#define AIF_IOC_TENANT_LIST	_IOWR(AIF_IOC_TYPE, 0x50, struct aif_ioc_tenant_list)

/**
 * struct aif_ioc_tenant_set - limits of one tenant (AIF_IOC_TENANT_SET)
 * @flags: AIF_TENANT_F_*, at least one: what to set
 * @id: the tenant's, which need not have a client yet
 * @limits: the values; 0: the default again.  Fields not in @flags are zero
 * @realtime: with AIF_TENANT_F_REALTIME: all zero: none again.  Else zero
 *
 * Holds from now on, for all its clients: what is over a limit stays, and nothing
 * comes to it; a weight counts from its next submission on, and bytes a second from the
 * next chunk on, with what was moved under another limit still counted.  It is kept as long
 * as the module is loaded and the cgroup, or a charge to it, is there.  On every
 * file.  A budget of real time holds for what is submitted from now on.  Nothing is
 * changed by a call that fails.  Errors: EPERM without CAP_SYS_RESOURCE; ENOENT no such
 * cgroup; EBUSY the budget does not fit (see "Real time"): the device's longest step is
 * too long for it or for the others', or they have too much of the device already;
 * ENOSPC 64 tenants have a budget of that device.
 */
struct aif_ioc_tenant_set {
	__u32 size;
	__u32 flags;
	__u64 id;
	struct aif_tenant_limits limits;
	struct aif_tenant_realtime realtime;
};

#define AIF_IOC_TENANT_SET	_IOW(AIF_IOC_TYPE, 0x51, struct aif_ioc_tenant_set)

/* ------------------------------------------------------------------ */
/* Ring commands: sqe->cmd_op, with 16 bytes at sqe->cmd.  A 64-byte SQE does. */

enum aif_cmd {
	AIF_CMD_SUBMIT = 0x30,		/* res: accepted, or -errno */
	AIF_CMD_WAIT = 0x31,		/* res: 0 */
	AIF_CMD_WAIT_QUIET = 0x32,	/* res: 0 */
	AIF_CMD_CANCEL = 0x33,		/* res: 0 */
	AIF_CMD_COMMIT_FETCH = 0x41,	/* res: deliveries */
	AIF_CMD_PROGRESS = 0x42,	/* res: out_cancelled */
};

/*
 * Ring commands have no timeout: a request has its deadline, and
 * AIF_CANCEL_F_WAITS ends parked waits.  Fields are as in the ioctl's.
 */

struct aif_cmd_submit {
	__u32 flags;
	__u32 first;
	__u32 count;
	__u32 __reserved;
};

struct aif_cmd_wait {
	__u32 flags;
	__u32 tag;
	__u64 value;
};

struct aif_cmd_wait_quiet {
	__u32 tag;
	__u32 __reserved[3];
};

struct aif_cmd_cancel {
	__u32 flags;
	__u32 tag;
	__u32 generation;
	__u32 __reserved;
};

struct aif_cmd_commit_fetch {
	__u32 flags;
	__u32 commit_first;
	__u32 commit_count;
	__u32 credit;
};

struct aif_cmd_progress {
	__u32 slot;
	__u32 generation;
	__u32 produced;
	__u32 device_us;	/* microseconds here: 16 bytes is all there is */
};

#endif /* _UAPI_LINUX_AIF_H */
