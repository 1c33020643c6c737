/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's nouns, who owns what, and which lock covers it.
 *
 * Files.  Every open file is a struct aif_file with an inode of its own, so
 * that its mmap offsets are its own and one unmap_mapping_range() zaps exactly
 * what this file mapped.  A file is a client (/dev/aif), or becomes the holder
 * of a service or an executor (/dev/aif-serve).
 *
 * References.
 *	client	 lives until its file is closed and its last busy request is
 *		 quiet (counted in ->busy, ->closed)
 *	service	 holder's file, executors, clients' opens, grants
 *	device	 its services
 *	executor its file; itself while a dead one still has requests in ->lost
 *	handle	 (what a client may do with a buffer) the client, until it frees it,
 *		 and its grants
 *	buffer	 handles, files that pass it on, clients' mappings, transfers
 *	map	 (a buffer as an engine's device sees it) its buffer, which it keeps
 *		 once it was taken off, its engine, chunks under way
 *	mover	 its service, which is of those clients that may transfer
 *	engine	 its driver, until that has unregistered it
 *	grant	 the client's table (until revoked) and its requests, which keep
 *		 its handle too; its views, which do not
 *	view	 (a grant as one executor sees it) the executor until it
 *		 acknowledged the revocation or died, and the executor's mappings
 *
 * Locks, outermost first.
 *	file->lock	mutex: the role that a file of /dev/aif-serve takes
 *	client->lock	mutex: handle tables and arrays of a client
 *	mapper->lock	mutex: buffers are mapped for an engine
 *	aif_engines_mutex  mutex: names of engines; their debugfs folders come and go
 *	device->shares_lock  mutex: tenants on a device and at its services
 *	aif_registry	mutex: names and ids of services, devices, tenants
 *	service->lock	mutex: executors, grants, views of a service
 *	grant->lock	mutex: page faults against revocation
 *	import->lock	mutex: opening and closing it; the exporter's locks inside
 *	device->lock	spinlock: scheduler, and the state of every request
 *			submitted to the device's services; its executors' slots,
 *			events, tokens
 *	client->wait_lock  spinlock: deadlines, batches, waiters, counters
 *	buffer->incoming_lock  spinlock: transfers that may write to it
 *	import->open_lock  spinlock: whether it is open, and for how many
 *	aif_engines_lock  spinlock: engines, which of their places are free, what is
 *			mapped for them
 * All are taken in process context only.  mmap_lock is outside grant->lock
 * (faults) and never taken inside any of ours; io_uring's uring_lock is
 * outside all of them, so nothing of ours is held when a command is completed
 * with io_uring_cmd_done().
 */
#ifndef AIF_H
#define AIF_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/io_uring/cmd.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "core/aif_core.h"
#include "aif_engine.h"

#define AIF_MMAP_SHIFT		32	/* mmap offset: handle << 32 */
#define AIF_HANDLE_MAX		0x3fffffff
#define AIF_F_ALL		(aif_uring_feature | AIF_F_TRANSFER | aif_memfd_feature | \
				 AIF_F_MAP | AIF_F_IMPORT)
/* What a user sizes: refused when memory is short, nobody is killed for it. */
#define AIF_GFP_SIZED		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define AIF_PARKED_MAX		64	/* parked WAITs of a client */
#define AIF_TENANT_WEIGHT	100	/* if none was set */
#define AIF_EVENTS_EXTRA	64	/* deliveries beside one for each slot */
#define AIF_ENGINES_MAX		16

struct aif_client;
struct aif_device;
struct aif_executor;
struct aif_import;
struct aif_map;
struct aif_mover;
struct aif_request;
struct aif_service;

/* ---- limits and counters (aif_main.c) ---- */

extern unsigned int aif_max_depth;
extern unsigned int aif_max_buffers;
extern unsigned int aif_max_grants;
extern unsigned int aif_max_services;
extern unsigned int aif_tenant_requests;
extern unsigned int aif_device_requests;
extern unsigned long aif_tenant_bytes;
extern unsigned long aif_tenant_pinned;
extern unsigned long aif_tenant_mapped;
extern unsigned long aif_engine_mapped;
extern unsigned long aif_engine_bounced;
extern unsigned int aif_copy_workers;
extern unsigned long aif_service_bytes;
extern bool aif_tenant_by_uid;

extern struct workqueue_struct *aif_wq;
extern struct workqueue_struct *aif_slow_wq;	/* what waits for other drivers */

/* Since the module was loaded; one debugfs file each. */
struct aif_counters {
	u64 requests;		/* accepted by SUBMIT */
	u64 answered;
	u64 descriptor_bytes;	/* copied from descriptor rings */
	u64 wakeups;		/* of executors and waiting clients */
	u64 fetched;
	u64 stale_commits;
	u64 recoveries;		/* requests queued again */
	u64 owner_dead;		/* answered with -EOWNERDEAD */
	u64 poisoned;		/* answered with -EIO */
	u64 executor_deaths;
	u64 watchdog_detached;
	u64 step_overruns;	/* tokens taken from steps too long */
	u64 late_wakeups;	/* FETCHes that only the watchdog woke: a lost wake-up */
	u64 chunks;		/* of transfers */
	u64 transfer_bytes;	/* copied or filled */
	u64 over_budget;	/* real-time requests that went on in the normal class */
};

DECLARE_PER_CPU(struct aif_counters, aif_counters);
#define aif_count(name, n)	this_cpu_add(aif_counters.name, n)

/* How many of each are alive, and bytes; all zero after the last close. */
struct aif_gauges {
	atomic64_t files;	/* until all that closing one does is done */
	atomic64_t clients;
	atomic64_t services;
	atomic64_t executors;
	atomic64_t devices;
	atomic64_t tenants;
	atomic64_t buffers;
	atomic64_t grants;
	atomic64_t views;
	atomic64_t buffer_bytes;
	atomic64_t held_bytes;	/* of buffers that only a pin still keeps */
	atomic64_t pinned_bytes; /* of `pin`, `memfd` and `import` buffers */
	atomic64_t quarantined_bytes; /* of buffers that a retired engine may touch */
	atomic64_t mapped_bytes; /* of buffers, for each engine that they are mapped for */
};

extern struct aif_gauges aif_gauges;
#define aif_gauge(name, n)	atomic64_add(n, &aif_gauges.name)

void aif_debugfs_init(void);
struct dentry *aif_debugfs_engine(const char *name);
void aif_debugfs_fini(void);

/* ---- pages that user space maps (aif_pages.c) ---- */

/*
 * Zeroed single pages, charged to a memory cgroup; @va where the kernel reads
 * or writes them too.
 */
struct aif_pages {
	struct page **page;
	unsigned long count;
	void *va;
};

int aif_pages_alloc(struct aif_pages *p, u64 bytes, struct mem_cgroup *memcg);
int aif_pages_vmap(struct aif_pages *p);
bool aif_page_is_ours(const struct page *page);
void aif_pages_free(struct aif_pages *p);
vm_fault_t aif_pages_fault(struct aif_pages *p, struct vm_fault *vmf);
bool aif_pages_pinned(struct aif_pages *p, unsigned long first, unsigned long count,
		      unsigned int allowed);
int aif_vma_setup(struct vm_area_struct *vma, u64 bytes, bool writable);

/* An array of @count entries of @entry bytes, mapped whole. */
struct aif_mapped {
	struct aif_pages pages;
	u32 entry;
	u32 count;
};

int aif_mapped_alloc(struct aif_mapped *m, u32 entry, u32 count, struct mem_cgroup *memcg);
void aif_mapped_free(struct aif_mapped *m);

/*
 * A private copy of an entry that user space may be writing: each word is read
 * once, and nothing is read that the copy does not hold.
 */
static inline void aif_copy_entry(void *to, const void *from, size_t bytes)
{
	const u64 *src = from;
	u64 *dst = to;
	size_t i;

#pragma GCC unroll 8
	for (i = 0; i < bytes / sizeof(u64); i++)
		dst[i] = READ_ONCE(src[i]);
}

static inline void *aif_mapped_at(const struct aif_mapped *m, u32 i)
{
	return m->pages.va + (size_t)i * m->entry;
}

/* Arrays are mapped below the first handle: offset = kind * 16 MiB. */
#define AIF_ARRAY_SHIFT		24
int aif_mapped_mmap(struct aif_mapped *arrays, struct vm_area_struct *vma);
void aif_mapped_describe(const struct aif_mapped *arrays, struct aif_array *out);

/* ---- tenants (aif_tenant.c) ---- */

struct aif_tenant {
	struct kref ref;
	struct list_head node;		/* aif_registry; ascending ids */
	u64 id;
	struct aif_tenant_limits set;	/* aif_registry to change; 0: the default */
	struct aif_tenant_realtime realtime; /* aif_registry; what shares' budgets are made of */
	bool kept;			/* by a reference for what was set; aif_registry */
	atomic_t files;
	atomic_t requests;		/* in flight */
	atomic64_t bytes;		/* of alloc buffers, held ones included */
	atomic64_t pinned;		/* bytes of pin, memfd and import buffers */
	atomic64_t mapped;		/* bytes, for each engine */
	atomic64_t answered;
	atomic64_t device_ns;
	atomic64_t moved;		/* bytes, by transfers */
	struct aif_bucket pace;		/* of those; the lock of the device that moves them */
};

struct aif_tenant *aif_tenant_get(const struct cred *opener);
struct aif_tenant_limits aif_tenant_limits(const struct aif_tenant *t);
bool aif_tenant_exists(u64 id);
int aif_tenant_list(struct aif_ioc_tenant_list *arg);
int aif_tenant_set(struct aif_ioc_tenant_set *arg);
void aif_tenants_fini(void);
u64 aif_tenant_pace(struct aif_tenant *t, u64 now);
struct aif_rt aif_tenant_rt(const struct aif_tenant *t, const char *device);
bool aif_tenant_may_realtime(struct aif_tenant *t, const struct cred *opener);
bool aif_tenants_fit(const char *device, u32 blocking_us);
void aif_tenant_put(struct aif_tenant *t);

static inline u32 aif_tenant_weight(const struct aif_tenant *t)
{
	return READ_ONCE(t->set.weight) ?: AIF_TENANT_WEIGHT;
}

static inline u32 aif_tenant_max_requests(const struct aif_tenant *t)
{
	return READ_ONCE(t->set.requests) ?: READ_ONCE(aif_tenant_requests);
}

/* ---- files (aif_node.c) ---- */

struct aif_file {
	struct inode *inode;
	const struct cred *cred;	/* the opener's; the file's */
	enum aif_role role;		/* set once, under ->lock, released last */
	struct mutex lock;
	u64 features;			/* client: granted */
	union {
		struct aif_client *client;
		struct aif_service *service;	/* holder */
		struct aif_executor *executor;
	};
};

/* A role, once seen, comes with what its pointer leads to. */
static inline enum aif_role aif_file_role(const struct aif_file *f)
{
	/* Pairs with the release in create and attach. */
	return smp_load_acquire(&f->role);
}

static inline void aif_file_set_role(struct aif_file *f, enum aif_role role)
{
	/* Pairs with aif_file_role(). */
	smp_store_release(&f->role, role);
}

extern const struct file_operations aif_client_fops;
extern const struct file_operations aif_serve_fops;
int aif_node_init(void);
void aif_node_fini(void);
long aif_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);
int aif_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);
struct aif_file *aif_file_from_fd(int fd, struct file **filp);

/* ---- buffers (aif_buffer.c) ---- */

enum aif_buffer_kind {
	AIF_BUFFER_ALLOC,
	AIF_BUFFER_PIN,
	AIF_BUFFER_MEMFD,
	AIF_BUFFER_IMPORT,
};

struct aif_buffer {
	struct kref ref;
	u64 id;			/* in traces and fdinfo */
	enum aif_buffer_kind kind;
	u32 first;		/* byte of the first page where it begins */
	u64 bytes;
	u64 charged;
	struct aif_pages pages;	/* alloc */
	struct aif_pinned *pinned; /* pin, memfd */
	struct aif_import *import; /* import: no pages that we know */
	struct aif_tenant *tenant;
	struct work_struct release_work;
	spinlock_t incoming_lock; /* ->incoming */
	struct list_head incoming; /* transfers to it that are not quiet */
	u32 quarantined;	/* chunks that a retired engine may have; ->incoming_lock */
	u32 mapped;		/* a bit for each of ->maps; aif_engines_lock */
	struct aif_map *maps[AIF_ENGINES_MAX]; /* by engine; aif_engines_lock */
	struct list_head node;	/* held list while a pin outlives all else */
};

int aif_buffer_alloc(struct aif_client *c, struct aif_ioc_buffer_alloc *arg);
int aif_buffer_pin(struct aif_client *c, struct aif_ioc_buffer_pin *arg);
int aif_buffer_memfd(struct aif_client *c, struct aif_ioc_buffer_memfd *arg);
int aif_buffer_import(struct aif_client *c, struct aif_ioc_buffer_import *arg);
int aif_charge(atomic64_t *used, u64 bytes, u64 limit);
void aif_buffer_put(struct aif_buffer *b);
void aif_buffer_put_later(struct aif_buffer *b);
void aif_buffer_put_unmapped(struct aif_buffer *b);
void aif_buffer_incoming_add(struct aif_buffer *b, struct aif_request *r);
void aif_buffer_incoming_del(struct aif_buffer *b, struct aif_request *r);
bool aif_buffer_incoming(struct aif_buffer *b, const struct aif_range *range);
void aif_buffer_quarantine(struct aif_buffer *b, int by);
struct page *aif_buffer_page(const struct aif_buffer *b, unsigned long index, u32 *hint);
void aif_buffer_fini(void);

/* ---- handles: what clients may do with buffers (aif_handle.c) ---- */

#define AIF_RIGHT_ALL	(AIF_RIGHT_READ | AIF_RIGHT_WRITE | AIF_RIGHT_MAP | AIF_RIGHT_TRANSFER)

struct aif_handle {
	struct kref ref;
	struct aif_buffer *buffer;
	u32 rights;			/* AIF_RIGHT_* */
	u32 grants;			/* client->lock */
	u32 pins;			/* declared by the client */
};

int aif_handle_add(struct aif_client *c, struct aif_buffer *b, u32 rights);
int aif_handle_free(struct aif_client *c, u32 id);
void aif_handle_put(struct aif_handle *h);
struct aif_buffer *aif_handle_buffer(struct aif_client *c, u32 id, u32 rights);
int aif_handle_declare(struct aif_client *c, u32 id, u32 pins);
int aif_handle_mmap(struct aif_client *c, struct vm_area_struct *vma, u32 id);
int aif_handle_share(struct aif_client *c, u32 id, u32 rights);
int aif_handle_accept(struct aif_client *c, struct aif_ioc_buffer_accept *arg);
void aif_buffer_show(struct seq_file *m, const struct aif_buffer *b, u32 rights);
void aif_handles_show(struct seq_file *m, struct aif_client *c);

/* ---- pinned memory (aif_pin.c) ---- */

/* Pages that follow one another, from page @first of the whole. */
struct aif_extent {
	union {
		struct page *page;
		dma_addr_t address;	/* in a map: where a device sees them */
	};
	unsigned long first;
};

struct aif_pinned {
	struct mm_struct *mm;		/* mmgrab: who is charged */
	struct user_struct *user;	/* and its user, unless it is exempt */
	struct aif_extent *extent;
	u32 count;
	u32 capacity;
	unsigned long pages;		/* pinned */
	unsigned long charged;		/* pages */
	bool writable;
	bool by_folio;			/* each extent is a folio, pinned once */
};

/* AIF_F_MEMFD, or 0 where the kernel does not pin a memfd's pages. */
extern const u64 aif_memfd_feature;

struct aif_pinned *aif_pin_memory(u64 address, u64 bytes, bool writable);
struct aif_pinned *aif_pin_memfd(int fd, u64 offset, u64 bytes, bool writable);
void aif_pin_free(struct aif_pinned *p);
u32 aif_extent_find(const struct aif_extent *extent, u32 count, unsigned long index, u32 hint);

/* ---- dma-bufs of others (aif_dmabuf.c) ---- */

struct aif_import *aif_import_get(int fd, u64 most, bool writable);
u64 aif_import_bytes(const struct aif_import *im);
int aif_import_map(struct aif_import *im);
void aif_import_free(struct aif_import *im);
int aif_import_use(struct aif_import *im, bool write);
void aif_import_unuse(struct aif_import *im);
void *aif_import_at(const struct aif_import *im, u64 at);
int aif_buffer_sync(struct aif_client *c, const struct aif_ioc_buffer_sync *arg);

/* ---- grants (aif_grant.c) ---- */

struct aif_grant {
	refcount_t users;		/* the handle, requests: together one of ->ref */
	refcount_t ref;
	struct rcu_head rcu;
	struct work_struct unused_work;
	struct work_struct free_work;
	struct aif_service *service;
	struct aif_handle *of;		/* until ->users is 0; service->lock */
	u64 bytes;
	struct list_head views;		/* service->lock */
	struct mutex lock;		/* faults against revocation */
	u32 id;				/* in service->grants */
	u32 handle;			/* in client->grants */
	bool writable;
	bool revoked;			/* device->lock; or nobody else knows it yet */
};

struct aif_view {
	struct kref ref;
	struct aif_grant *grant;
	struct aif_executor *executor;	/* valid while on executor->views */
	struct list_head of_grant;	/* service->lock */
	struct list_head event;		/* device->lock: executor->events */
	struct page *throw_away;	/* what a revoked range becomes */
	struct inode *inode;		/* the executor's, while mapped or attached */
	u32 pins;			/* service->lock */
	bool added;			/* GRANT_ADDED was delivered */
	bool revoked;			/* GRANT_REVOKED is due or was delivered */
	bool told;			/* GRANT_REVOKED was delivered */
	bool dead;			/* grant->lock: executor gone */
};

int aif_grant_create(struct aif_client *c, struct aif_ioc_grant *arg);
int aif_grant_revoke(struct aif_client *c, u32 handle);
void aif_grant_revoke_all(struct aif_client *c);
void aif_grant_put(struct aif_grant *g);
void aif_view_put(struct aif_view *v);
int aif_view_create(struct aif_grant *g, struct aif_executor *ex);
void aif_views_show(struct seq_file *m, struct aif_executor *ex);
void aif_view_detach(struct aif_view *v);
void aif_view_zap(struct aif_view *v);
int aif_view_mmap(struct aif_executor *ex, struct vm_area_struct *vma, u32 id);

/* ---- devices and services (aif_device.c, aif_service.c) ---- */

struct aif_device {
	struct kref ref;
	struct list_head node;		/* aif_registry */
	char name[AIF_NAME_MAX];
	spinlock_t lock;		/* see the top of this file */
	struct aif_sched sched;
	struct list_head ready;		/* services with queued requests and idle executors */
	struct list_head claims;	/* services whose executors were told -EBUSY */
	wait_queue_head_t pollq;	/* executors that poll() */
	struct list_head services;	/* aif_registry: for the number of tokens */
	struct mutex shares_lock;
	struct list_head shares;	/* struct aif_share, shares_lock */
};

/* A tenant on a device. */
struct aif_share {
	struct list_head node;
	struct aif_tenant *tenant;
	u32 users;			/* shares_lock: members of its services */
	struct aif_sched_clock clocks[AIF_CLASS_COUNT];
	struct aif_rt_budget budget;	/* device->lock; ->period_ns 0: none */
};

/* A tenant at a service. */
struct aif_member {
	struct list_head node;		/* service->members, device->shares_lock */
	struct aif_share *share;
	u32 users;			/* opens */
	u32 capacity;			/* requests its clients can have */
	struct aif_sched_lane lanes[AIF_CLASS_COUNT];
};

struct aif_service {
	struct kref ref;
	u32 id;
	kuid_t owner;
	struct aif_service_desc desc;
	char *text;
	u32 text_length;
	struct aif_device *device;
	struct aif_mover *mover;	/* executes it, if no executor does */
	struct list_head of_device;	/* aif_registry */
	struct mutex lock;
	struct xarray grants;		/* id -> grant; lookups under ->lock */
	struct list_head executors;	/* attached; ->lock to change, device->lock too */
	struct list_head lost;		/* dead executors with requests; ->lock */
	struct list_head members;	/* device->shares_lock */
	struct delayed_work tend;	/* watchdog and recovery */
	struct aif_mapped status;	/* the doorbell */
	atomic64_t granted_bytes;
	atomic_t grant_count;
	/* device->lock: */
	struct aif_sched_queue queue;
	struct list_head idle;		/* executors waiting in FETCH */
	struct list_head ready;		/* in device->ready */
	struct list_head claim;		/* in device->claims */
	u64 claim_ns;
	u32 coming;			/* executors woken with a token, not there yet */
	bool passed_over;		/* one waits, not idle, that could not take the first */
	u32 executor_count;
	u32 fetched;			/* in executors' slots, orphans too */
	u32 recovering;
	u64 queued_total;
	u64 answered_total;
	u64 device_ns;
	u64 recovered_total;
	bool draining;
	bool gone;			/* its holder closed it */
};

/*
 * A service is ready when it has more work than executors on their way to it,
 * and somebody else to do it.  Called, with the device's lock, whenever either
 * may have changed.
 */
static inline void aif_service_refresh(struct aif_service *s)
{
	bool ready = s->queue.queued > s->coming && !list_empty(&s->idle);

	lockdep_assert_held(&s->device->lock);
	if (ready == !list_empty(&s->ready))
		return;
	if (ready)
		list_add_tail(&s->ready, &s->device->ready);
	else
		list_del_init(&s->ready);
}

extern struct mutex aif_registry;

struct aif_device *aif_device_get(const char *name);
void aif_device_put(struct aif_device *d);
void aif_device_add(struct aif_device *d, struct aif_service *s);
void aif_device_remove(struct aif_device *d, struct aif_service *s);
u32 aif_device_longest_us(const char *name);
void aif_device_set_budget(const char *name, struct aif_tenant *t);
void aif_devices_reap(void);
struct aif_member *aif_member_get(struct aif_service *s, struct aif_tenant *t, u32 depth);
void aif_member_put(struct aif_service *s, struct aif_member *m, u32 depth);
u32 aif_device_kick(struct aif_device *d);
void aif_device_wake_pollers(struct aif_device *d);
bool aif_service_drained(const struct aif_service *s);
void aif_service_wake_all(struct aif_service *s);
void aif_service_ring(struct aif_service *s);
void aif_service_look_again(struct aif_service *s);
bool aif_service_not_its_turn(struct aif_service *s);
const struct aif_sched_queue *aif_service_rival(struct aif_service *s);
void aif_service_claim(struct aif_service *s);

struct aif_service *aif_service_alloc(kuid_t owner);
int aif_service_create(struct aif_file *f, struct aif_ioc_service_create *arg);
int aif_service_list(struct aif_ioc_service_list *arg);
int aif_service_describe(struct aif_ioc_service_describe *arg);
int aif_service_drain(struct aif_service *s);
void aif_service_close(struct aif_service *s);
struct aif_service *aif_service_find(u32 id);
struct aif_service *aif_service_find_name(const char *name, kuid_t owner);
void aif_service_put(struct aif_service *s);

/* ---- clients and requests (aif_client.c, aif_request.c) ---- */

/* A client's use of a service; lives as long as the client. */
struct aif_open {
	struct aif_service *service;
	struct aif_member *member;
	u32 depth;			/* places of the member that are its own */
};

/* One submission that somebody waits for.  wait_lock. */
struct aif_batch {
	struct aif_batch *next_free;
	struct task_struct *waiter;	/* ioctl */
	struct io_uring_cmd *cmd;	/* ring */
	u32 outstanding;		/* requests not answered */
	u32 accepted;
	bool first;			/* WAIT_FIRST */
	bool fired;
	bool watched;			/* the waiter still looks at it */
};

/*
 * A request is its tag's for ever; ->busy says that it is in flight.  While it
 * is, ->device is set and that device's lock covers all of it (the fields
 * marked W: the client's wait_lock).  ->device is set and cleared under that
 * lock, so whoever holds d->lock and sees ->device == d has the request.
 */
struct aif_request {
	u32 busy;
	u32 state;
	struct aif_device *device;
	struct aif_client *client;
	struct aif_open *open;
	struct aif_executor *executor;	/* from FETCH until quiet */
	struct aif_batch *batch;	/* W */
	union {
		struct aif_grant *grants[AIF_RANGES_MAX];
		struct aif_buffer *buffers[2];	/* transfer: source or NULL, target */
	};
	struct aif_heap_node node;	/* in its lane */
	struct aif_heap_node deadline;	/* W: client->deadlines */
	struct list_head entry;		/* executor->cancels or ->lost; buffer->incoming */
	struct aif_desc desc;		/* the only copy that is ever looked at */
	u64 fetched_ns;
	u64 charged_ns;			/* to its tenant's clock, of this execution */
	u64 measured_ns;		/* device time of this execution, so far */
	u64 budget_ns;			/* real time: what of that was taken from the budget */
	u32 generation;			/* of the last use */
	u32 attempt;
	u32 produced;
	u32 slot;
	u32 step;			/* how many were fetched together */
	bool refused;			/* transfer: an engine did, the CPU does this chunk */
	struct aif_chunk *chunk;	/* transfer: that an engine has now */
};

struct aif_client {
	u64 id;
	struct aif_tenant *tenant;
	struct mem_cgroup *memcg;
	struct mutex lock;		/* handle tables and arrays */
	struct xarray buffers;
	struct xarray grants;		/* lookups under RCU */
	u32 next_buffer;		/* a freed handle is not given out soon */
	u32 next_grant;
	struct xarray opens;
	struct aif_open *transfers;	/* the service that moves bytes, once granted */
	u64 granted_features;
	u32 depth;
	u32 buffer_count;
	u32 grant_count;
	struct aif_request *requests;
	struct aif_batch *batches;
	struct aif_mapped arrays[AIF_ARRAY_COUNT];
	wait_queue_head_t waitq;	/* for answers */
	wait_queue_head_t progressq;	/* WAITs with F_PRODUCED: for those and progress */
	struct delayed_work expire;
	struct work_struct free_work;
	spinlock_t wait_lock;		/* all that follows */
	struct aif_batch *free_batches;
	struct aif_heap deadlines;
	struct list_head parked;
	u32 parked_count;
	u32 busy;
	u64 answered;
	u64 submitted;
	u64 seen;			/* largest value of a WAIT that was satisfied */
	struct eventfd_ctx *eventfd;
	bool closed;
};

/* 0 until the arrays exist; with it come arrays and requests. */
static inline u32 aif_client_depth(const struct aif_client *c)
{
	/* Pairs with the release in aif_client_set_depth(). */
	return smp_load_acquire(&c->depth);
}

/* What a parked command keeps in its 32 bytes. */
struct aif_parked {
	struct list_head node;
	union {
		struct aif_batch *batch;	/* SUBMIT */
		u64 value;			/* WAIT */
	};
	u32 tag;				/* WAIT, WAIT_QUIET */
	u8 op;
	u8 produced;				/* WAIT with F_PRODUCED */
	u8 parked;
	u8 cancelled;
};

static inline struct io_uring_cmd *aif_parked_cmd(struct aif_parked *p)
{
	return container_of((void *)p, struct io_uring_cmd, pdu);
}

static inline struct aif_parked *aif_cmd_parked(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct aif_parked);
}

struct aif_client *aif_client_create(struct aif_file *f);
void aif_client_close(struct aif_client *c);
int aif_client_info(struct aif_file *f, struct aif_ioc_info *arg);
int aif_client_open_service(struct aif_client *c, struct aif_ioc_service_open *arg);
__poll_t aif_client_poll(struct aif_client *c, struct file *filp, poll_table *pt);
int aif_client_set_eventfd(struct aif_client *c, int fd);
int aif_client_wait(struct aif_client *c, struct aif_ioc_wait *arg);
int aif_client_wait_quiet(struct aif_client *c, struct aif_ioc_wait_quiet *arg);
bool aif_client_wait_done(struct aif_client *c, const struct aif_parked *p);
void aif_client_wake(struct aif_client *c);
void aif_client_wake_progress(struct aif_client *c);
int aif_client_cancel(struct aif_client *c, u32 flags, u32 tag, u32 generation);
void aif_client_expire(struct work_struct *work);

int aif_submit(struct aif_client *c, u32 flags, u32 first, u32 count, struct aif_batch **wait);
int aif_batch_wait(struct aif_client *c, struct aif_batch *b);
void aif_batch_release(struct aif_client *c, struct aif_batch *b);
int aif_cancel(struct aif_client *c, u32 tag, u32 generation);
void aif_cancel_all(struct aif_client *c, int result, struct aif_grant *only);
struct aif_device *aif_request_lock(struct aif_request *r);
void aif_request_unlock(struct aif_device *d);
void aif_request_answer(struct aif_request *r, int result, u32 produced,
			enum aif_req_event why, u64 now);
void aif_request_quiet(struct aif_request *r);
void aif_request_show(struct aif_request *r);
/* What it must be answered with whatever an executor says, or 0.  Device's lock held. */
int aif_request_due(const struct aif_request *r, u64 now);
bool aif_request_end(struct aif_request *r, int result);
bool aif_request_step(struct aif_request *r, enum aif_req_event event);
void aif_request_started(struct aif_request *r, u64 now);
void aif_request_took(struct aif_request *r, u64 measured_ns);
void aif_request_publish(struct aif_request *r, u32 produced);
u32 aif_request_output_length(const struct aif_request *r);
int aif_request_requeue(struct aif_request *r);

/* ---- transfers (aif_transfer.c) ---- */

/* No service can have this device: ':' is not allowed in names. */
#define AIF_COPY_DEVICE	":copy"

extern struct workqueue_struct *aif_copy_wq;

struct aif_service *aif_mover_get(void);
void aif_mover_free(struct aif_mover *m);
void aif_mover_kick(struct aif_mover *m);
void aif_transfer_kick(void);
void aif_transfer_repace(void);
void aif_transfer_settle(struct aif_chunk *c);
void aif_transfer_quarantine(struct aif_chunk *c);
int aif_transfer_submit(struct aif_client *c, struct aif_request *r);
u64 aif_transfer_longest_ns(const struct aif_request *r);
void aif_transfer_drop(struct aif_request *r);
void aif_transfer_ended(struct aif_request *r);
int aif_transfer_init(void);
void aif_transfer_fini(void);

/* ---- engines (aif_engine.c, aif_segment.c), the CPU as one (aif_copy.c) ---- */

enum aif_engine_state {
	AIF_ENGINE_READY,
	AIF_ENGINE_STOPPED,		/* being reset */
	AIF_ENGINE_RETIRED,
	AIF_ENGINE_GONE,		/* unregistered */
};

/* A segment, and where an end lies that has no page: such go to the CPU only. */
struct aif_piece {
	struct aif_segment segment;
	void *to;
	void *from;
};

/*
 * An engine's place for a chunk.  Who has it is told by ->word: see aif_engine.c.
 * From when it is taken to aif_engine_finish() it has a request, whose ->chunk it is.
 */
struct aif_chunk {
	struct aif_engine *engine;
	atomic64_t word;
	struct list_head idle;		/* engine->idle */
	struct llist_node done;		/* engine->done */
	struct aif_request *request;
	u32 before;			/* bytes of the transfer before it */
	int status;			/* 0, -EIO; not done: -EBUSY refused, -EAGAIN taken back */
	bool quarantined;		/* counted in its buffers; device->lock */
	u64 charged_ns;
	u64 start_ns;
	u64 done_ns;
	struct aif_map *maps[2];	/* source, target: of an engine that needs them */
	struct aif_piece *pieces;
	struct aif_chunk_desc desc;
};

int aif_engine_enter(void);
void aif_engine_leave(int section);
u32 aif_engine_room(void);
u64 aif_engine_cpu_ns(u32 bytes);
u64 aif_engine_longest_ns(void);
struct aif_chunk *aif_engine_take(const struct aif_engine_ask *ask, struct aif_buffer *source,
				  struct aif_buffer *target, bool last);
struct aif_mapper *aif_engine_mapper_get(const char *name);
bool aif_mapper_works(const struct aif_mapper *e);
bool aif_engine_submit(struct aif_chunk *c);
u64 aif_engine_finish(struct aif_chunk *c);
void aif_engine_cancel(struct aif_chunk *c);
void aif_chunk_lay_out(struct aif_chunk *c);
u32 aif_transfer_bits(const struct aif_request *r);
int aif_cpu_init(void);
void aif_cpu_fini(void);

/* ---- buffers as devices see them (aif_map.c) ---- */

extern spinlock_t aif_engines_lock;

/* An engine, as far as buffers are mapped for it. */
struct aif_mapper {
	const struct aif_engine_ops *ops;
	void *driver;
	struct device *device;		/* or NULL: see <aif_vendor.h> */
	u64 limit;
	u32 id;				/* never another's */
	u32 index;			/* in buffer->maps */
	struct mutex lock;		/* who maps: one at a time */
	/* aif_engines_lock: */
	u32 callers;			/* who may map, or wait for it */
	struct list_head maps;		/* those used last at the end */
	u64 bytes;			/* mapped, or about to be */
	u64 undoing;			/* of these: taken off, unused, not undone yet */
	wait_queue_head_t undone;
};

void aif_engines_show(struct seq_file *m, const struct aif_buffer *b);
u64 aif_mapper_default(struct device *device);
void aif_mapper_init(struct aif_mapper *e);
void aif_mapper_put(struct aif_mapper *e);
void aif_mapper_fini(struct aif_mapper *e);
int aif_buffer_map(struct aif_client *c, struct aif_ioc_buffer_map *arg);
int aif_buffer_unmap(struct aif_client *c, const struct aif_ioc_buffer_unmap *arg);
bool aif_buffer_mapped_for(const struct aif_buffer *b, u32 engine);
void aif_buffer_unmap_all(struct aif_buffer *b);
void aif_map_use(struct aif_map *m);
void aif_map_unuse(struct aif_map *m);
dma_addr_t aif_map_address(const struct aif_map *m, u64 at, u32 *hint);
void aif_chunk_sync_for_device(const struct aif_chunk *c);
void aif_chunk_sync_for_cpu(const struct aif_chunk *c);

/* ---- io_uring commands (aif_uring.c) ---- */

/* AIF_F_URING, or 0 where the kernel's io_uring will not do. */
extern const u64 aif_uring_feature;
void aif_uring_wake(struct io_uring_cmd *cmd);

/* ---- executors (aif_executor.c, aif_recovery.c) ---- */

struct aif_exec_slot {
	struct aif_request *request;
	u32 generation;
	u32 next_free;
};

struct aif_poison {
	u64 client;
	u32 tag;
	u32 generation;
};

struct aif_executor {
	struct kref ref;
	struct inode *inode;
	struct aif_service *service;
	struct mm_struct *mm;		/* mmgrab: identity, and "is it gone?" */
	struct pid *pid;
	struct mem_cgroup *memcg;
	struct list_head node;		/* service->executors, then service->lost */
	struct xarray views;		/* grant id -> view; service->lock */
	struct aif_mapped arrays[AIF_ARRAY_COUNT];
	struct work_struct death;
	u64 death_ns;
	bool zapped;			/* service->lock: mappings are gone */
	/* device->lock: */
	struct aif_exec_slot *slots;
	u32 slot_count;
	u32 free_slot;
	u32 held;
	struct list_head idle;		/* service->idle while waiting in FETCH */
	struct list_head events;	/* views */
	struct list_head cancels;	/* requests answered while fetched */
	struct list_head lost;		/* requests whose memory is not known quiet */
	struct aif_poison poison[8];
	u32 poison_count;
	struct task_struct *waiter;	/* blocking FETCH */
	struct io_uring_cmd *cmd;	/* parked FETCH */
	u32 credit;			/* of the waiting FETCH */
	u64 progress_ns;		/* last delivery, commit or PROGRESS */
	u64 unused_ns;			/* when the watchdog first saw a token lie unused */
	bool fetching;			/* a FETCH waits */
	bool woken;
	bool token;
	bool coming;			/* counted in service->coming */
	bool alone;			/* holds a recovered request */
	bool dead;
};

int aif_executor_attach(struct aif_file *f, struct aif_ioc_executor_attach *arg);
void aif_executor_close(struct aif_executor *ex);
void aif_executor_put(struct aif_executor *ex);
void aif_executor_wake(struct aif_executor *ex);
int aif_executor_turn(struct aif_executor *ex, u32 flags, u32 first, u32 count, u32 credit,
		      u32 *stale);
int aif_executor_fetch(struct aif_executor *ex, u32 credit, bool nonblock);
int aif_executor_fetch_begin(struct aif_executor *ex, u32 credit, struct io_uring_cmd *cmd);
int aif_executor_fetch_resume(struct aif_executor *ex);
bool aif_executor_fetch_abort(struct aif_executor *ex, struct io_uring_cmd *cmd);
void aif_executor_fetch_end(struct aif_executor *ex);
int aif_executor_progress(struct aif_executor *ex, u32 slot, u32 generation, u32 produced,
			  u64 device_ns);
int aif_executor_declare(struct aif_executor *ex, u32 id, u32 pins);
__poll_t aif_executor_poll(struct aif_executor *ex, struct file *filp, poll_table *pt);
int aif_executor_check(struct aif_executor *ex);
void aif_executor_unslot(struct aif_request *r);
void aif_executor_release_token(struct aif_executor *ex);

void aif_executor_die(struct aif_executor *ex);
void aif_executor_exit_check(struct aif_executor *ex);
void aif_executor_cancel_check(struct aif_executor *ex);
void aif_executor_drop_views(struct aif_executor *ex);
void aif_service_tend(struct aif_service *s, unsigned long delay);
void aif_recovery_tend(struct work_struct *work);
void aif_recovery_abandon(void);

#endif
