/* SPDX-License-Identifier: MIT */
/*
 * local.h - the device inside this process
 *
 * What kmod/ does around kmod/core/, once more and simpler: one lock covers
 * everything, sleeping is a condition variable, pages are a memfd's.  The rules are
 * those of <linux/aif.h>.  What one process cannot have:
 *
 *	isolation	everybody is in the same address space
 *	death		an executor is gone when its file is closed: its views are
 *			zapped first, so its memory is quiet at once.  One that the
 *			watchdog detached is gone when it is closed, as in the kernel
 *	pins		declarations are taken and never compared: nobody can count
 *	rings, signals	no ring door; a wait is not interrupted
 *	tenants		this process is one; "local:N" opens as tenant N, so that
 *			sharing can be watched
 *
 * Lifetime.  Counted references, all under the lock: a client lives until its
 * file is closed and its last busy request is quiet; a service until its holder,
 * executors, opens and grants let go; a buffer and a grant likewise.
 */
#ifndef LIBAIF_LOCAL_H
#define LIBAIF_LOCAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "aif_core.h"
#include "transport.h"

/* The module's parameters of the same names. */
struct libaif_local_limits {
	u32 max_depth;
	u32 max_buffers;
	u32 max_grants;
	u32 max_services;
	u32 tenant_requests;
	u32 device_requests;
	u64 tenant_bytes;
	u64 service_bytes;
};

/* To be changed before anything is opened only. */
extern struct libaif_local_limits libaif_local_limits;

extern pthread_mutex_t local_lock;	/* held by every function below, unless said */

u64 local_now(void);			/* CLOCK_MONOTONIC; needs no lock */

/* ---- tables: handles from 1 (local_memory.c) ---- */

struct local_table {
	void **slots;
	u32 count;
};

/* The lowest free handle, at most @max: 0, -ENOSPC, -ENOMEM. */
int local_table_add(struct local_table *t, void *item, u32 max, u32 *handle);
void *local_table_get(const struct local_table *t, u32 handle);
void local_table_remove(struct local_table *t, u32 handle);
void local_table_fini(struct local_table *t);

/* ---- memory (local_memory.c) ---- */

struct local_memory {
	u64 bytes;
	u32 refs;
	int fd;
};

int local_memory_alloc(u64 bytes, struct local_memory **out);
void local_memory_put(struct local_memory *m);

/* A mapped array: user space's memory, and the device's own view of it. */
struct local_array {
	struct local_memory *memory;
	void *at;
	u32 entry;
	u32 count;
	bool writable;
};

int local_array_alloc(struct local_array *a, u32 entry, u32 count, bool writable);
void local_array_free(struct local_array *a);
void local_arrays_describe(const struct local_array *arrays, struct aif_array *out);

static inline void *local_array_at(const struct local_array *a, u32 i)
{
	return (char *)a->at + (size_t)i * a->entry;
}

/*
 * What a file has mapped.  @buffer (a reference) if it is one, until that is
 * zapped; @view if it is an executor's.
 */
struct local_map {
	TAILQ_ENTRY(local_map) node;
	void *address;
	size_t length;
	int prot;
	struct local_buffer *buffer;
	struct local_view *view;
};
TAILQ_HEAD(local_maps, local_map);

/* Put throw-away memory in the place of what @view's executor mapped of it. */
void local_map_zap(struct local_maps *maps, const struct local_view *view);

/* ---- files (transport_local.c) ---- */

#define LOCAL_HANDLE_SHIFT	32	/* mmap offset of a handle */
#define LOCAL_ARRAY_SHIFT	24	/* ... of an array's kind, below the first handle */

struct local_file {
	struct libaif_file base;	/* its fd is an eventfd, for poll(2) */
	TAILQ_ENTRY(local_file) node;
	enum aif_role role;
	u32 euid;
	u64 tenant;
	bool readable;			/* the eventfd is set */
	struct local_maps maps;
	struct local_client *client;
	struct local_service *service;	/* of a holder */
	struct local_executor *executor;
};

extern TAILQ_HEAD(local_files, local_file) local_files;

struct local_file *local_file_find(int fd);
void local_file_signal(struct local_file *f, bool readable);

/* The tending thread looks again: at deadlines, watchdogs, recoveries. */
void local_tend(void);

/* The same, if it would look later than @when. */
void local_tend_by(u64 when);

/* ---- tenants, devices, services (local_service.c) ---- */

struct local_tenant {
	TAILQ_ENTRY(local_tenant) node;
	u64 id;
	u64 bytes;
	u32 requests;
	u32 refs;
};

struct local_tenant *local_tenant_get(u64 id);
void local_tenant_put(struct local_tenant *t);

struct local_device {
	TAILQ_ENTRY(local_device) node;
	char name[AIF_NAME_MAX];
	u32 refs;
	struct aif_sched sched;
	TAILQ_HEAD(, local_service) services;
	TAILQ_HEAD(, local_share) shares;
};

/* A tenant on a device. */
struct local_share {
	TAILQ_ENTRY(local_share) node;
	struct local_tenant *tenant;
	u32 users;
	struct aif_sched_clock clocks[AIF_CLASS_COUNT];
};

/* A tenant at a service. */
struct local_member {
	TAILQ_ENTRY(local_member) node;
	struct local_share *share;
	u32 users;
	u32 capacity;
	struct aif_sched_lane lanes[AIF_CLASS_COUNT];
};

struct local_service {
	TAILQ_ENTRY(local_service) of_device;	/* until it is gone */
	u32 id;
	u32 owner;
	u32 refs;
	struct aif_service_desc desc;
	char *text;
	u32 text_length;
	struct local_device *device;
	struct local_table grants;
	struct local_array status;
	struct aif_sched_queue queue;
	TAILQ_HEAD(, local_member) members;
	TAILQ_HEAD(, local_executor) executors;	/* attached */
	TAILQ_HEAD(, local_executor) lost;	/* dead, with requests not quiet */
	TAILQ_HEAD(, local_executor) idle;	/* waiting for requests */
	u64 granted_bytes;
	u64 queued_total;
	u64 answered_total;
	u64 recovered_total;
	u64 device_ns;
	u32 grant_count;
	u32 executor_count;
	u32 fetched;			/* in executors' slots */
	u32 recovering;
	u32 coming;			/* executors woken with a token, not there yet */
	u64 claim_ns;			/* when an executor was told -EBUSY; 0: no claim */
	bool passed_over;		/* one waits, not idle, that could not take the first */
	bool draining;
	bool gone;
};

struct local_service *local_service_find(u32 id);
struct local_service *local_service_find_name(const char *name, u32 owner);
void local_service_put(struct local_service *s);
void local_service_close(struct local_service *s);
void local_service_wake(struct local_service *s);
void local_service_look_again(struct local_service *s);
void local_service_claim(struct local_service *s);
bool local_service_drained(const struct local_service *s);
void local_service_check_drained(struct local_service *s);
void local_service_queued(struct local_service *s);
void local_device_kick(struct local_device *d);
void local_device_poll(struct local_device *d);
bool local_service_not_its_turn(const struct local_service *s);
const struct aif_sched_queue *local_service_rival(const struct local_service *s);
struct local_member *local_member_get(struct local_service *s, struct local_tenant *t, u32 depth);
void local_member_put(struct local_service *s, struct local_member *m, u32 depth);

int local_service_create(struct local_file *f, struct aif_ioc_service_create *arg);
int local_service_list(struct local_file *f, struct aif_ioc_service_list *arg);
int local_service_describe(struct local_file *f, struct aif_ioc_service_describe *arg);
int local_service_drain(struct local_file *f, struct aif_ioc_service_drain *arg);

/* ---- buffers and grants (local_grant.c) ---- */

struct local_buffer {
	struct local_memory *memory;
	struct local_tenant *tenant;
	u32 refs;
	u32 handle;
	u32 grants;
};

struct local_grant {
	struct local_service *service;
	struct local_buffer *buffer;
	TAILQ_HEAD(, local_view) views;
	u32 refs;
	u32 id;
	u32 handle;
	bool writable;
	bool revoked;
};

/* A grant as one executor sees it: until it acknowledged the revocation, or died. */
struct local_view {
	TAILQ_ENTRY(local_view) of_grant;
	TAILQ_ENTRY(local_view) event;
	struct local_grant *grant;
	struct local_executor *executor;
	bool queued;			/* in executor->events */
	bool added;
	bool revoked;
	bool told;
};

void local_buffer_put(struct local_buffer *b);
int local_buffer_alloc(struct local_file *f, struct aif_ioc_buffer_alloc *arg);
int local_buffer_free(struct local_file *f, struct aif_ioc_buffer_free *arg);
int local_grant_create(struct local_file *f, struct aif_ioc_grant *arg);
int local_grant_revoke(struct local_file *f, struct aif_ioc_revoke *arg);
int local_declare_pins(struct local_file *f, struct aif_ioc_declare_pins *arg);
void local_grants_fini(struct local_client *c);
void local_grant_put(struct local_grant *g);
int local_view_create(struct local_grant *g, struct local_executor *ex);
void local_view_detach(struct local_view *v);

/* ---- clients and requests (local_client.c, local_request.c) ---- */

struct local_open {
	struct local_service *service;
	struct local_member *member;
};

/* A submission that somebody waits for; on its stack. */
struct local_batch {
	u32 outstanding;
	bool first;
	bool fired;
};

struct local_request {
	struct local_client *client;
	struct local_open *open;
	struct local_executor *executor;	/* from FETCH until quiet */
	struct local_batch *batch;
	struct local_grant *grants[AIF_RANGES_MAX];
	TAILQ_ENTRY(local_request) entry;	/* executor->cancels, ->lost */
	bool cancel_queued;
	bool busy;
	u32 state;
	u32 generation;
	u32 attempt;
	u32 produced;
	u32 slot;
	u32 step;
	u64 submitted_ns;
	u64 fetched_ns;
	u64 charged_ns;
	u64 measured_ns;
	struct aif_heap_node node;		/* in its lane */
	struct aif_heap_node deadline;		/* in client->deadlines */
	struct aif_desc desc;
};

struct local_client {
	struct local_file *file;		/* NULL when closed */
	struct local_tenant *tenant;
	u64 id;
	u64 features;
	u32 depth;
	u32 buffer_count;
	u32 grant_count;
	u32 busy;
	u64 answered;
	u64 seen;				/* largest value of a WAIT that was satisfied */
	u64 submitted;
	struct local_table buffers;
	struct local_table grants;
	struct local_table opens;
	struct local_array arrays[AIF_ARRAY_COUNT];
	struct local_request *requests;
	struct aif_heap deadlines;
	pthread_cond_t changed;
	int eventfd;				/* -1: none */
};

struct local_client *local_client_create(struct local_file *f);
void local_client_close(struct local_client *c);
void local_client_free_if_done(struct local_client *c);
int local_client_info(struct local_file *f, struct aif_ioc_info *arg);
int local_service_open(struct local_file *f, struct aif_ioc_service_open *arg);
int local_wait(struct local_file *f, struct aif_ioc_wait *arg);
int local_wait_quiet(struct local_file *f, struct aif_ioc_wait_quiet *arg);
int local_set_eventfd(struct local_file *f, struct aif_ioc_set_eventfd *arg);

int local_submit(struct local_file *f, struct aif_ioc_submit *arg);
int local_cancel(struct local_file *f, struct aif_ioc_cancel *arg);
void local_cancel_all(struct local_client *c, int result, const struct local_grant *only);
void local_request_answer(struct local_request *r, int result, u32 produced,
			  enum aif_req_event why);
bool local_request_end(struct local_request *r, int result);
void local_request_quiet(struct local_request *r);
u32 local_request_output_length(const struct local_request *r);
void local_request_show(struct local_request *r);
/* Its execution has taken @measured_ns so far; less than before counts as that. */
void local_request_took(struct local_request *r, u64 measured_ns);
void local_request_requeue(struct local_request *r);
struct aif_completion *local_completion(const struct local_request *r);
struct aif_sched_lane *local_request_lane(const struct local_request *r);

/* Answer what is late; returns when the next will be, or @until. */
u64 local_expire(u64 now, u64 until);

/* ---- executors (local_executor.c, local_recovery.c) ---- */

struct local_slot {
	struct local_request *request;
	u32 generation;
	u32 next_free;
};

struct local_poison {
	u64 client;
	u32 tag;
	u32 generation;
};

#define LOCAL_POISON_MAX	8

struct local_executor {
	TAILQ_ENTRY(local_executor) node;	/* service->executors or ->lost */
	TAILQ_ENTRY(local_executor) idle;
	struct local_file *file;		/* NULL when closed */
	struct local_service *service;
	struct local_table views;		/* by grant id */
	struct local_array arrays[AIF_ARRAY_COUNT];
	struct local_slot *slots;
	u32 slot_count;
	u32 free_slot;
	u32 held;
	TAILQ_HEAD(, local_view) events;
	TAILQ_HEAD(, local_request) cancels;
	TAILQ_HEAD(, local_request) lost_requests;
	struct local_poison poison[LOCAL_POISON_MAX];
	u32 poison_count;
	pthread_cond_t wake;
	u64 progress_ns;			/* last delivery, commit or PROGRESS */
	u64 death_ns;
	bool is_idle;				/* on service->idle */
	bool coming;				/* counted in service->coming */
	bool fetching;
	bool woken;
	bool token;
	bool alone;
	bool dead;
};

int local_executor_attach(struct local_file *f, struct aif_ioc_executor_attach *arg);
int local_commit_fetch(struct local_file *f, struct aif_ioc_commit_fetch *arg);
int local_progress(struct local_file *f, struct aif_ioc_progress *arg);
void local_executor_close(struct local_executor *ex);
void local_executor_wake(struct local_executor *ex);
void local_executor_unslot(struct local_request *r);
void local_executor_release_token(struct local_executor *ex);
void local_executor_leave_idle(struct local_executor *ex);
void local_executor_arrived(struct local_executor *ex);
void local_executor_poll(struct local_executor *ex);
void local_executor_free(struct local_executor *ex);
void local_views_drop(struct local_executor *ex);

void local_executor_die(struct local_executor *ex);

/* Watchdog and recovery; returns when to look again, or @until. */
u64 local_watch(u64 now, u64 until);

#endif
