/* SPDX-License-Identifier: MIT */
/*
 * The model: what the module must hold after what was done so far, as
 * <linux/aif.h> has it.  Nothing here calls the module.
 *
 * A world is one episode's.  Objects are never reused in it, so a pointer stays
 * good; what has ended says so.  One thread.
 *
 * Two things of the module's are taken over because nothing else says which is
 * meant: a service's grant ids are the lowest that are free, and an executor's
 * slots begin with generation 1 and go up by one each time they are given back.
 *
 * One operation can be the end of much: a process dies with its clients,
 * services and executors, a client with all its requests.  Which ends first is
 * the kernel's to choose, and somebody else's FETCH may come in between.  So the
 * model holds a set of worlds for the length of a step: the one in which clients
 * end first, then services, then executors, and what else may be true instead:
 *
 *	a request that was queued was fetched before it ended (->ended_in),
 *	one whose executor died was queued again before it ended (->again),
 *	or ended by that death (struct doubt, w_poison->doubt).
 *
 * What the module shows decides, at the latest when it has come to rest.
 */
#ifndef WORLD_H
#define WORLD_H

#include "deeds.h"

#define MAX_ACTORS	12u
#define MAX_FILES	256u
#define MAX_FDS		512u
#define MAX_MAPS	512u
#define MAX_BUFFERS	256u
#define MAX_GRANTS	256u
#define MAX_VIEWS	512u
#define MAX_SERVICES	64u
#define MAX_EXECUTORS	64u
#define MAX_CLIENTS	64u
#define MAX_OPENS	16u
#define MAX_DEPTH	64u
#define MAX_SLOTS	8u
#define MAX_WAITS	256u
#define MAX_TENANTS	8u
#define MAX_POISON	32u	/* of an executor, those in doubt too ... */
#define SURE_POISON	8u	/* ... of which the module keeps so many */
#define PAGE		4096u
#define BUFFER_PAGES	8u
#define FOREVER_MS	3600000u

struct limits {
	uint32_t max_depth, max_buffers, max_grants, max_services;
	uint32_t tenant_requests, device_requests;
	uint64_t tenant_bytes, tenant_pinned, service_bytes;
	bool tenant_by_uid;
	uint64_t features;	/* that the module grants */
	bool rings;		/* io_uring is allowed */
};

struct w_actor {
	struct actor at;
	bool alive;
	uid_t uid;
	uint32_t mm;		/* counts its executions: which memory it has */
	bool ring;		/* open */
	bool had_rings;		/* whose remains may interrupt it */
	enum door_kind kind;
	struct w_wait *blocked;	/* in an ioctl */
	struct w_buffer *pinned;	/* by its ring for pins */
	uint32_t pinned_page;
	bool has_pin;		/* of a buffer's page, or one thrown away */
};

struct w_file {
	enum aif_role role;
	uid_t uid;
	uint32_t refs;		/* descriptors, mappings, commands; 0: released */
	uint64_t features;
	struct w_client *client;
	struct w_service *service;
	struct w_executor *executor;
};

struct w_fd {
	struct w_actor *actor;	/* NULL: closed */
	struct w_file *file;
	int fd;
	bool cloexec;
};

struct w_map {
	struct w_actor *actor;	/* NULL: unmapped */
	struct w_file *file;
	int array;		/* enum aif_array_kind, or -1 */
	struct w_buffer *buffer;
	struct w_view *view;
	uint64_t at;
	uint32_t pages, first;	/* of the object */
	bool writable;
	bool readable;
	bool inherited;		/* MADV_DOFORK */
	bool own;		/* the fuzzer looks through it: it stays as it is */
};

/* A client's handle.  Its memory is its own, or that of the one that was shared. */
struct w_buffer {
	struct w_client *client;
	struct w_buffer *of;	/* whose memory it is; NULL: its own */
	uint32_t handle;
	uint32_t pages;
	uint32_t declared;
	bool freed;		/* the handle */
	bool pinned;		/* an actor's own memory, which is not mapped any more */
	bool imported;		/* or a dma-buf's; and, of its own memory, for which it is open: */
	uint32_t open;		/* AIF_RIGHT_READ, _WRITE */
	uint32_t rights;	/* AIF_RIGHT_* */
	uint64_t stamps[BUFFER_PAGES];	/* of its own memory: first 8 bytes of each page */
};

struct w_grant {
	struct w_client *client;
	struct w_buffer *buffer;
	struct w_service *service;
	uint32_t handle, id;
	bool writable, revoked;
};

struct w_view {
	struct w_grant *grant;
	struct w_executor *executor;
	bool attached;		/* neither acknowledged nor executor dead */
	bool added, revoked, told;
	bool dead;		/* zapped: its own page, again and again */
	uint32_t pins;
	uint64_t stamp;		/* of that page */
};

struct w_service {
	struct w_file *file;	/* the holder's */
	uint32_t id;
	uid_t owner;
	bool gone, draining;
	uint32_t gone_step;
	struct aif_service_desc desc;
	uint64_t answered, recovered;
	uint64_t device_ns;	/* when it was last described */
	uint64_t doubt;		/* more that may have been queued again ... */
	uint64_t doubt_now;	/* ... and in this step */
};

/* A request that executors are to be told of, if it is not in doubt. */
struct w_poison {
	struct w_request *request;
	bool doubt;
};

struct w_executor {
	struct w_file *file;
	struct w_actor *actor;
	uint32_t mm;
	struct w_service *service;
	uint32_t slots;
	struct w_request *held[MAX_SLOTS];
	uint32_t generation[MAX_SLOTS];
	bool alone, dead;
	struct w_poison poison[MAX_POISON];
	uint32_t poison_count;
	struct w_wait *fetch;	/* that waits */
};

struct w_open {
	struct w_service *service;
	uint32_t handle;
};

struct w_request {
	struct w_client *client;
	struct aif_desc desc;
	uint32_t state;		/* enum aif_state */
	struct w_service *service;
	struct w_grant *grants[AIF_RANGES_MAX];
	struct w_executor *executor;
	uint64_t seq;
	uint32_t slot;
	uint32_t attempt, produced;
	int32_t result;
	bool told;		/* CANCELLED was delivered */
	uint32_t ended_step;	/* when it was answered by others than an executor ... */
	uint32_t ended_in;	/* ... and its state before */
	bool again;		/* ... or it was queued again just before */
};

/* What root has limited. */
struct w_tenant {
	uid_t uid;
	uint32_t set;		/* AIF_TENANT_F_*; the rest of @limits is the module's */
	struct aif_tenant_limits limits;
};

struct w_client {
	struct w_file *file;
	uid_t tenant;
	uint64_t number;	/* aif_slot.client; 0: not seen yet */
	uint32_t depth;
	uint32_t generation;	/* last used */
	struct w_open opens[MAX_OPENS];
	uint32_t open_count;
	struct w_request tags[MAX_DEPTH];
	uint64_t submitted, answered, seen;
	struct w_actor *event_actor;	/* who has its eventfd, unless it is gone */
	int event_fd;
	uint64_t event_seen;		/* answers when it was read last */
};

enum wait_kind {
	WAIT_SUBMIT,
	WAIT_ANSWERED,
	WAIT_PRODUCED,
	WAIT_QUIET,
	WAIT_FETCH,
};

struct w_wait {
	struct w_actor *actor;	/* NULL: ended */
	struct w_file *file;
	enum wait_kind kind;
	long number;		/* of the ring's command; 0: an ioctl */
	uint32_t step;		/* in which it began */
	uint64_t value;		/* WAIT_ANSWERED, _PRODUCED */
	uint32_t tag;		/* WAIT_PRODUCED, _QUIET */
	uint32_t credit;	/* WAIT_FETCH */
	uint32_t accepted;	/* WAIT_SUBMIT: requests ... */
	bool first;		/* ... of which one is enough */
	bool cancelled;		/* AIF_CANCEL_F_WAITS */
	bool may_be_cancelled;	/* ... unless a worker has not begun it yet */
	uint32_t tags[MAX_DEPTH], generations[MAX_DEPTH];
};

struct tally {
	uint64_t requests, answered, stale_commits, recoveries, owner_dead, poisoned;
	uint64_t executor_deaths, fetched, late_wakeups;
	uint64_t otherwise;	/* not as in the first of the worlds */
};

/* How much more than that it may be. */
struct doubt {
	uint64_t recoveries, owner_dead, poisoned, late_wakeups;
};

struct alive {
	uint64_t files, clients, services, executors, devices, buffers, grants, views, buffer_bytes;
	uint64_t pinned_bytes;
};

struct world {
	struct limits limits;
	struct w_actor actors[MAX_ACTORS];
	struct w_file files[MAX_FILES];
	struct w_fd fds[MAX_FDS];
	struct w_map maps[MAX_MAPS];
	struct w_buffer buffers[MAX_BUFFERS];
	struct w_grant grants[MAX_GRANTS];
	struct w_view views[MAX_VIEWS];
	struct w_service services[MAX_SERVICES];
	struct w_executor executors[MAX_EXECUTORS];
	struct w_client clients[MAX_CLIENTS];
	struct w_wait waits[MAX_WAITS];
	struct w_tenant tenants[MAX_TENANTS];
	uint32_t file_count, fd_count, map_count, buffer_count, grant_count, view_count;
	uint32_t service_count, executor_count, client_count, wait_count, tenant_count;
	uint64_t seq, stamp;
	uint32_t step;
	uint32_t claim_step;	/* when a FETCH was told -EBUSY last */
	struct tally tally;
	struct doubt doubt;
};

extern struct world w;

#define EACH(p, kind) (p = w.kind##s; p < w.kind##s + w.kind##_count; p++)

/* An operation begins: what ended in the ones before is decided. */
void world_step(void);
/* Is there room for an operation that makes a few of everything? */
bool world_has_room(void);

/* ---- files ---- */

struct w_file *file_new(enum aif_role role, uid_t uid);
struct w_fd *fd_new(struct w_actor *a, struct w_file *f, long fd, bool cloexec);
struct w_map *map_new(struct w_actor *a, struct w_file *f, long at, uint32_t pages);
/* The last one releases the file, with all that follows from it. */
void file_put(struct w_file *f);
void fd_close(struct w_fd *fd);
void map_close(struct w_map *m);
struct w_map *map_of_array(const struct w_file *f, enum aif_array_kind kind);
struct w_map *map_of_view(const struct w_view *v);

/* ---- actors ---- */

/* Its process is gone. */
void actor_dies(struct w_actor *a);
/* It executes a program: its memory is another. */
void actor_execs(struct w_actor *a);
/* @child has what @parent has; its descriptors are the same numbers. */
void actor_forks(struct w_actor *parent, struct w_actor *child);
/* The ring is closed: its commands end. */
void actor_loses_ring(struct w_actor *a);

/* ---- clients ---- */

/* That of @uid, made if it was not known. */
struct w_tenant *tenant_of(uid_t uid);
uint64_t tenant_bytes(uid_t tenant);
uint64_t tenant_pinned(uid_t tenant);
uint32_t tenant_requests(uid_t tenant);
uint64_t service_bytes(const struct w_service *s);
uint32_t client_buffers(const struct w_client *c);
uint32_t client_grants(const struct w_client *c);
uint32_t client_busy(const struct w_client *c);
bool client_alive(const struct w_client *c);
struct w_service *client_open_of(const struct w_client *c, uint32_t handle);
/* The one whose memory it is. */
static inline struct w_buffer *memory_of(struct w_buffer *b)
{
	return b->of ? b->of : b;
}

struct w_buffer *buffer_find(const struct w_client *c, uint32_t handle);
struct w_grant *grant_find(const struct w_client *c, uint32_t handle);
bool buffer_granted(const struct w_buffer *b);
struct w_grant *grant_new(struct w_buffer *b, struct w_service *s, uint32_t handle, bool writable);
void grant_revoke(struct w_grant *g);

/* What SUBMIT says of one descriptor: 0 or -errno. */
int submit_predict(const struct w_client *c, const struct aif_desc *d, uint64_t now);
void submit_accept(struct w_client *c, const struct aif_desc *d);
/* A transfer that was accepted, done to its end: of whole pages. */
void transfer_done(struct w_client *c, const struct aif_desc *d);
/* Is it answered, and may be free? */
bool request_answered(const struct w_request *r);
bool request_busy(const struct w_request *r);
/* Its deadline has passed, and it is not answered. */
bool request_overdue(const struct w_request *r);
/* Answered by anybody but the executor that holds it; false if it was already. */
bool request_end(struct w_request *r, int result);

/* ---- services and executors ---- */

uint32_t services_listed(void);
bool service_alive(const struct w_service *s);
uint32_t service_queued(const struct w_service *s);
uint32_t service_fetched(const struct w_service *s);
uint32_t service_executors(const struct w_service *s);
uint32_t service_grants(const struct w_service *s);
bool service_drained(const struct w_service *s);
void service_drain(struct w_service *s);
struct w_executor *executor_new(struct w_file *f, struct w_actor *a, struct w_service *s,
				uint32_t slots);
bool executor_alive(const struct w_executor *ex);	/* the object */
uint32_t executor_held(const struct w_executor *ex);
uint32_t executor_events(const struct w_executor *ex);
/* May it be told of a poisonous request, or not? */
bool executor_doubts(const struct w_executor *ex);
/* May its process call? */
bool executor_is_of(const struct w_executor *ex, const struct w_actor *a);
/* Do other executors have all the tokens? */
bool executor_has_no_token(const struct w_executor *ex);
/* May another service of the device go first? */
bool executor_has_rival(const struct w_executor *ex);
struct w_view *view_find(const struct w_executor *ex, uint32_t id);
bool view_ack(struct w_executor *ex, uint32_t id);
struct w_request *slot_find(const struct w_executor *ex, uint32_t slot, uint32_t generation);
/* Bytes of the first output's range. */
uint32_t request_output(const struct w_request *r);
void executor_commit(struct w_executor *ex, uint32_t slot, int32_t result, uint32_t produced);

/* Is @n, which FETCH returned, legal?  NULL, or what is wrong. */
const char *fetch_refusal(const struct w_executor *ex, uint32_t credit, bool waits, long n);
/*
 * Take over one delivery; @slot is the array's entry if it is a request.  The
 * order of requests is known where nobody else fetched meanwhile.
 */
const char *fetch_delivery(struct w_executor *ex, const struct aif_delivery *d,
			   const struct aif_slot *slot, bool ordered);
/* After the deliveries: should it have brought more, with @credit left? */
const char *fetch_shortfall(const struct w_executor *ex, uint32_t credit);

/* ---- what waits ---- */

struct w_wait *wait_new(struct w_actor *a, struct w_file *f, enum wait_kind kind, long number);
void wait_end(struct w_wait *wait);
/* Does what it waits for hold?  (A FETCH: it, or one like it, must go on.) */
bool wait_is_due(const struct w_wait *wait);

/* ---- sums ---- */

/* Dead executors' requests whose memory is quiet go on.  Before looking. */
void world_recover(void);
/* At rest: what the counters say is what was. */
void world_decide(const struct tally *is);
struct alive world_alive(void);

#endif
