/* SPDX-License-Identifier: MIT */
/*
 * A small world around the core: a client with a few tags and one grant, a few
 * executors, one or two services on one device, the workers of the module.
 *
 * Policy is the real kmod/core, linked.  What the module does around it is
 * mirrored, one function here for each function of kmod/ (same name without
 * its aif_), one step for each critical section.  Fields called ghost_ are what
 * the rules remember; no step decides anything by them.
 *
 * There is one world, at one address: it holds pointers into itself and is
 * copied out and back whole.
 */
#ifndef EXPLORE_WORLD_H
#define EXPLORE_WORLD_H

#include <stdbool.h>

#include "aif_core.h"

#define TAGS_MAX	3
#define EXECS_MAX	3
#define SERVICES_MAX	2
#define SLOTS_MAX	TAGS_MAX	/* of an executor: never more requests than tags */
#define NOBODY		0xff
#define MAX_ATTEMPTS	2

/* Each request costs half of what a tenant can be owed: the cap is in reach. */
#define CHARGE_NS	(AIF_SCHED_LAG_NS / 2)
#define CHARGE_V	(CHARGE_NS / 100)
#define NOW		1000	/* where a stored state's clock stands */

/* ---- what may happen in a scope ---- */

enum {
	WITH_CANCEL	= 1 << 0,
	WITH_DEADLINE	= 1 << 1,
	WITH_REVOKE	= 1 << 2,	/* revoke, and grant again */
	WITH_DEATH	= 1 << 3,	/* killed, closed, detached by the watchdog */
	WITH_PINS	= 1 << 4,	/* executors pin and declare */
	WITH_PROGRESS	= 1 << 5,
	WITH_RESTART	= 1 << 6,	/* some requests may start over */
	WITH_PARK	= 1 << 7,	/* FETCH that waits, and is interrupted */
	WITH_OVERRUN	= 1 << 8,	/* the watchdog takes tokens back */
	WITH_QUIET	= 1 << 9,	/* a client sleeps in WAIT_QUIET */
	WITH_END	= 1 << 10,	/* drain, and the service's end */
	WITH_CLOSE	= 1 << 11,	/* the client closes its file */
	WITH_ALL	= (1 << 12) - 1,
};

enum size { SMALL, USUAL, LARGE };	/* LARGE: only when asked for */

struct scope {
	const char *name;
	enum size size;
	u32 tags, execs, slots;
	u32 services;		/* on one device; each with a tenant of its own */
	u32 tokens, max_queued;
	u32 with;
	const char *words;
};

extern struct scope scope;

static inline bool with(u32 what)
{
	return scope.with & what;
}

/* ---- the world ---- */

struct request {
	struct aif_heap_node node;	/* in its lane */
	struct aif_heap_node deadline;	/* in the client's heap */
	u64 desc_deadline;
	u8 flags;			/* AIF_REQ_F_* */
	bool in_device;			/* ->device is set: the tag is busy */
	u8 state;
	u8 shown;			/* the completion array's state word */
	u8 executor;
	u8 slot;
	u8 attempt;
	u8 produced;
	bool on_cancels;
	bool on_lost;
	u8 ghost_answers;		/* of this use, as all that follows */
	u8 ghost_runs;			/* deliveries */
	u8 ghost_deaths;		/* of executors that held it */
	bool ghost_progress;		/* published by an execution that died */
	u8 ghost_writers;		/* executors that have its output's address */
};

enum process { RUNNING, KILLED, GONE };

struct view {
	bool present;		/* on executor->views */
	bool event;		/* on executor->events */
	bool added, revoked, told, dead;
	u8 pins;		/* declared */
};

struct slot {
	u8 request;
	u8 generation;
	u8 ghost_past;		/* the generation that was given back last */
	u8 next_free;
};

struct executor {
	bool attached;
	u8 process;
	bool dead, zapped;
	bool late;		/* the recovery time is over */
	bool pin;		/* has the granted buffer pinned */
	bool token, coming, fetching, woken, alone;
	bool ghost_valid;	/* a generation it gave back is a slot's still */
	u8 credit;
	u8 poison;		/* events of it that are due (one is kept) */
	u8 held;
	u8 free_slot;
	struct slot slots[SLOTS_MAX];
	struct view view;
};

struct service {
	struct aif_sched_queue queue;
	struct aif_heap_node *queue_slots[1];
	struct aif_sched_lane lane;
	struct aif_heap_node *lane_slots[TAGS_MAX];
	u8 idle[EXECS_MAX], idle_count;
	bool ready, claim, passed_over;
	u8 coming, fetched, recovering;
	bool draining, gone;
};

enum grant_step { GRANT_LIVE, GRANT_MARKED, GRANT_TELLING, GRANT_ANSWERING,
		  GRANT_HANDLE_GONE };
enum close_step { OPEN, CLOSE_CANCELS, CLOSE_REVOKES, CLOSED };

/* Who holds service->lock across several steps. */
enum lock { UNLOCKED, LOCK_REVOKE, LOCK_DIE, LOCK_TEND };

struct world {
	struct aif_sched sched;
	struct aif_sched_clock clocks[SERVICES_MAX];
	struct service services[SERVICES_MAX];
	struct executor executors[EXECS_MAX];
	struct request requests[TAGS_MAX];
	struct aif_heap deadlines;
	struct aif_heap_node *deadline_slots[TAGS_MAX];
	u64 now;
	u64 submitted;			/* seq of the deadline heap's nodes */
	/* client_expire(), a worker */
	bool expire_armed, expire_runs;
	u8 expire_hand;			/* the tag it took out of the heap */
	u64 expire_now;
	/* revocation */
	u8 grant;			/* enum grant_step */
	u8 close;			/* enum close_step */
	u8 ghost_freed;			/* client_free() was queued so often */
	u8 waiter;			/* the tag somebody sleeps for in WAIT_QUIET */
	u8 lock, lock_by;		/* service->lock */
	u8 tend_hand;			/* a lost request, and what was seen of it */
	bool tend_quiet;
};

extern struct world w;

static inline struct service *service_of(u32 tag)
{
	return &w.services[tag % scope.services];
}

static inline struct service *executor_service(u32 e)
{
	return &w.services[e % scope.services];
}

static inline u32 tag_of(const struct request *r)
{
	return r - w.requests;
}

static inline u32 index_of(const struct executor *ex)
{
	return ex - w.executors;
}

/* ---- rules and ways to break them ---- */

/* Name, the scope in which it is broken on purpose, words. */
#define RULES(R) \
	R(legal_step, "death", "no step is taken that the core's table forbids") \
	R(answered_once, "death", "a request is answered exactly once before its tag is free") \
	R(one_owner, "death", "a request is in one place: the queue, one slot, or one dead executor's") \
	R(slot_kept, "death", "an answered fetched request keeps its slot until it is given back") \
	R(success_quiet, "death", "no success is answered while another executor may write the output") \
	R(requeue_quiet, "death", "nothing is queued again while a dead executor may write its output") \
	R(tag_quiet, "death", "a tag is not free while any executor may write its output") \
	R(stale_commit, "wait", "a stale or late commit is skipped and changes nothing") \
	R(progress_rerun, "death", "a request that published progress runs again only with RESTART") \
	R(alone, "death", "a recovered request is delivered alone") \
	R(attempts, "death", "a request's attempt is the number of its deliveries") \
	R(innocent, "death", "-EIO is answered after max_attempts deaths, and after no fewer") \
	R(poison, "death", "after max_attempts deaths a request is answered -EIO, and not run again") \
	R(tokens, "wait", "tokens are neither lost nor doubled") \
	R(token_held, "wait", "requests are delivered to who holds a token, and idle hands hold none") \
	R(revoked_delivery, "revoke", "no request is delivered on a grant whose revocation is over") \
	R(revoked_success, "revoke", "no success is answered for an output that was zapped before") \
	R(expired_delivery, "time", "an expired request is never delivered") \
	R(expired_success, "time", "no success is answered after the deadline") \
	R(expiry_armed, "time", "whoever has a deadline has a timer") \
	R(queued_count, "death", "the scheduler's counts are what is queued") \
	R(counts, "death", "held, fetched, recovering and coming are what they count") \
	R(heap_order, "death", "heaps are heaps, and their nodes know their places") \
	R(shown, "death", "the client sees the state that is") \
	R(waiter_woken, "time", "whoever waits for quiet is woken by it") \
	R(executor_woken, "wait", "a waiting executor is woken by what concerns it") \
	R(work_conserving, "tokens", "no token is free beside an executor that could use it") \
	R(idle_listed, "wait", "a waiter that could take what is queued is on the idle list") \
	R(drain_end, "end", "a drained executor is told so") \
	R(gone_end, "end", "a removed service delivers nothing") \
	R(client_freed, "end", "a closed client is freed once, when nothing of it is in flight") \
	R(storage, "time", "a stored state behaves as the world it was stored from") \
	R(answerable, "time", "from everywhere, if all cooperate, all is answered and all tags are free")

enum rule {
#define R(name, scope, words) RULE_##name,
	RULES(R)
#undef R
	RULE_COUNT
};

struct rule_text {
	const char *name;
	const char *scope;
	const char *words;
};

extern const struct rule_text rule_texts[RULE_COUNT];

/* The first rule that was broken since it was last cleared, RULE_COUNT for none. */
extern enum rule violated;

static inline void rule(enum rule r, bool holds)
{
	if (!holds && violated == RULE_COUNT)
		violated = r;
}

/* Broken on purpose: which rule shall notice, or RULE_COUNT. */
extern enum rule broken_rule;

/* One way to break things each, named by the rule that must notice. */
#define broken(name)	(broken_rule == RULE_##name)

/* ---- steps ---- */

enum domain { ONCE, PER_TAG, PER_EXEC, PER_EXEC_TAG, PER_SERVICE };

struct kind {
	const char *words;	/* %e executor, %t tag, %s service */
	const char *mirrors;	/* function of kmod/ */
	bool (*run)(u32 a, u32 b, u32 variant);	/* false: cannot happen now */
	enum domain domain;
	u32 variant;
	u32 needs;		/* WITH_* */
	bool cooperates;	/* an actor does what it is there for */
};

extern const struct kind client_kinds[], executor_kinds[], recovery_kinds[];

/* client.c */
bool request_step(struct request *r, enum aif_req_event event);
void request_show(struct request *r);
void request_answer(struct request *r, int result, enum aif_req_event why);
void request_quiet(struct request *r);
bool request_end(struct request *r, int result);
int request_due(const struct request *r);
void request_requeue(struct request *r);

/* executor.c */
void device_kick(void);
void service_refresh(struct service *s);
void service_wake_all(struct service *s);
void service_look_again(struct service *s);
bool service_drained(const struct service *s);
bool service_idles(const struct service *s, u32 e);
bool device_could_kick(void);
bool executor_has_events(const struct executor *ex);
bool executor_could_take(const struct executor *ex);
void executor_wake(struct executor *ex);
void executor_release_token(struct executor *ex);
void executor_unslot(struct request *r);
struct aif_sched_lane *service_best(const struct service *s, struct request **r);

/* rules.c */
bool may_write(u32 e, const struct request *r);
void check_world(void);

/* pack.c */
#define STATE_WORDS	4

struct state {
	u64 words[STATE_WORDS];
};

/* How a stored state's tags and executors were called before it was stored. */
struct names {
	u8 tags[TAGS_MAX];
	u8 execs[EXECS_MAX];
};

void world_init(void);
void world_pack(struct state *s, struct names *names);
void world_unpack(const struct state *s);

#endif
