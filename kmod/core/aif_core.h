/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * AIF's policy, free of its surroundings: integers in, decisions out.  No
 * allocation, no locks, no clock.  The caller owns all memory, serialises all
 * calls on one device and what hangs on it, and passes the time.
 */
#ifndef AIF_CORE_H
#define AIF_CORE_H

#include "aif_port.h"
#include <linux/aif.h>

/* ------------------------------------------------------------------ */
/* Request states							*/

/* What can happen to a request; who may cause it is the caller's business. */
enum aif_req_event {
	AIF_REQ_SUBMIT,		/* accepted			DONE|FREE -> QUEUED */
	AIF_REQ_FETCH,		/* delivered to an executor	QUEUED -> FETCHED */
	AIF_REQ_COMMIT,		/* given back: FETCHED -> DONE (answers), ORPHANED -> DONE */
	AIF_REQ_ANSWER,		/* cancel, expiry, revocation, client or service gone:	*/
				/*	QUEUED -> DONE, FETCHED|RECOVERING -> ORPHANED	*/
	AIF_REQ_DEATH,		/* executor gone: FETCHED -> RECOVERING; ORPHANED stays */
	AIF_REQ_REQUEUE,	/* memory is quiet: RECOVERING -> QUEUED */
	AIF_REQ_QUIET,		/* memory is quiet: ORPHANED -> DONE */
	AIF_REQ_EVENT_COUNT
};

/*
 * The state (enum aif_state) that follows @state upon @event, or -EINVAL if
 * that cannot happen there.  FREE and DONE are both "not in flight".
 */
int aif_req_next(u32 state, enum aif_req_event event);

/* Is the tag in use (a client may not submit it again)? */
bool aif_req_busy(u32 state);

/* Does the client have its answer? */
bool aif_req_answered(u32 state);

/* What to do with a request whose executor died while it was fetched. */
enum aif_recovery {
	AIF_RECOVERY_REQUEUE,	/* when its memory is quiet */
	AIF_RECOVERY_OWNERDEAD,	/* answer -EOWNERDEAD now */
	AIF_RECOVERY_POISON,	/* answer -EIO now */
};

/*
 * @attempt: executions so far, this one included; @produced: bytes published;
 * @flags: AIF_REQ_F_*.
 */
enum aif_recovery aif_recovery_decide(u32 attempt, u32 max_attempts, u32 produced, u8 flags);

/* ------------------------------------------------------------------ */
/* Descriptor check							*/

/*
 * All that can be said of a descriptor (a private copy) without looking
 * anything up: 0, -EINVAL, -EOPNOTSUPP (in-fence, real-time class, transfer or named engine not
 * in @features), -ETIME (deadline at or before @now).
 */
int aif_desc_check(const struct aif_desc *d, u32 depth, u64 features, u64 now);

/* Has its deadline passed? */
static inline bool aif_desc_late(const struct aif_desc *d, u64 now)
{
	return d->deadline && d->deadline <= now;
}

/*
 * Does the descriptor fit the service?  @io, @io_count: the service's
 * validated description.  Checks the number of ranges (inline input stands for
 * the first input; trailing optional outputs may be missing), each range's
 * alignment, and lengths against the description.  0 or -EINVAL.
 */
int aif_desc_check_io(const struct aif_desc *d, const struct aif_io *io, u32 io_count);

/*
 * The same for a transfer (AIF_REQ_F_TRANSFER), which has no service: copy or
 * fill, of at least a byte, from one place of a buffer to another.  0 or -EINVAL.
 */
int aif_desc_check_transfer(const struct aif_desc *d);

static inline bool aif_desc_is_transfer(const struct aif_desc *d)
{
	return d->flags & AIF_REQ_F_TRANSFER;
}

/* Where a transfer goes to. */
static inline const struct aif_range *aif_desc_target(const struct aif_desc *d)
{
	return &d->ranges[d->range_count - 1];
}

/* Do two ranges of one buffer have a byte in common? */
static inline bool aif_ranges_meet(const struct aif_range *a, const struct aif_range *b)
{
	return (u64)a->offset + a->length > b->offset && (u64)b->offset + b->length > a->offset;
}

/* The aif_io that range @i of @d belongs to; @d has passed aif_desc_check_io(). */
const struct aif_io *aif_desc_range_io(const struct aif_desc *d, const struct aif_io *io, u32 i);

/* Does @r lie inside a buffer of @bytes?  No overflow for any value. */
static inline bool aif_range_inside(const struct aif_range *r, u64 bytes)
{
	return (u64)r->offset + r->length <= bytes;
}

/*
 * Validate a service description (a private copy) and bring it into the one
 * form that the functions above expect: stated defaults in the place of zeros,
 * zeros after the end of each string, and the exact bytes of a fixed shape in
 * its max_bytes.  Checking the result again changes nothing.  0 or -EINVAL.
 *
 * Beyond what <linux/aif.h> says: an io's name is of the same characters as a
 * service's; utf8 has one dimension; one row (the entries that are not -1) must
 * fit into max_bytes.
 */
int aif_service_desc_check(struct aif_service_desc *desc);

/* Bytes of one element, 0 for an undefined dtype. */
u32 aif_dtype_size(u32 dtype);

/* ------------------------------------------------------------------ */
/* Heap: the smallest (key, seq) first, O(log n), bounded, caller's memory */

#define AIF_HEAP_OUT	0xffffffffu

struct aif_heap_node {
	u64 key;
	u64 seq;	/* breaks ties: first in, first out */
	u32 pos;	/* AIF_HEAP_OUT when in no heap */
};

struct aif_heap {
	struct aif_heap_node **slots;
	u32 count;
	u32 capacity;
};

static inline bool aif_heap_before(const struct aif_heap_node *a, const struct aif_heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static inline void aif_heap_node_init(struct aif_heap_node *n)
{
	n->pos = AIF_HEAP_OUT;
}

static inline struct aif_heap_node *aif_heap_first(const struct aif_heap *h)
{
	return h->count ? h->slots[0] : NULL;
}

/* @n: in no heap; its key and seq are set.  0, or -ENOSPC. */
int aif_heap_push(struct aif_heap *h, struct aif_heap_node *n);

/* @n: in @h. */
void aif_heap_remove(struct aif_heap *h, struct aif_heap_node *n);
void aif_heap_rekey(struct aif_heap *h, struct aif_heap_node *n, u64 key);

/*
 * Move a heap to a larger array (@slots of @capacity >= count entries);
 * returns the old array, for the caller to free.
 */
struct aif_heap_node **aif_heap_grow(struct aif_heap *h, struct aif_heap_node **slots,
				     u32 capacity);

/* ------------------------------------------------------------------ */
/* Scheduler								*/

/*
 * A device shares its time among tenants: start-time fair queueing (Goyal,
 * Vin, Cheng 1996) on measured device time, one virtual clock for each
 * (tenant, class).  A fetched request is charged its service's estimate at
 * once and corrected when the measured time comes, so that one step already
 * mixes tenants.  In the real-time class the earliest deadline goes first,
 * whoever's it is; how much may be queued there is admitted (below).
 *
 *	aif_sched	a device: virtual time per class, step tokens
 *	aif_sched_queue	a service on it: the lanes that have requests, per class
 *	aif_sched_clock	a tenant on it, in one class: how much it had
 *	aif_sched_lane	one tenant's requests for one service in one class,
 *			earliest deadline first
 *
 * The heaps' arrays are the caller's (aif_heap_grow()): a queue's for as many
 * lanes as it has in that class (->paused, where that is used: in all classes), a
 * lane's for as many requests as may be queued there.  A lane lives until its last
 * popped request was accounted.  Costs are O(log n), times the services that the
 * tenant uses on the device.
 */
struct aif_sched {
	u64 vtime[AIF_CLASS_COUNT];
	u64 seq;
	u32 queued;
	u32 max_queued;
	u32 tokens;
	u32 tokens_used;
};

struct aif_sched_queue {
	struct aif_heap lanes[AIF_CLASS_COUNT];	/* key: the clock's vruntime, or deadline */
	struct aif_heap paused;			/* key: until when */
	u32 queued;
	u64 estimate_ns;	/* moving average of a request's device time */
};

struct aif_sched_lane;

struct aif_sched_clock {
	u64 vruntime;		/* device nanoseconds divided by weight */
	u32 rest;		/* the division's remainder */
	u32 weight;		/* 1 .. 10000, 100 is the default; may change at any time */
	u32 queued;
	struct aif_sched_lane *lanes;	/* all of this clock's, linked by ->next */
};

struct aif_sched_lane {
	struct aif_heap_node node;	/* in queue->lanes[class], or ->paused, while not empty */
	struct aif_heap requests;	/* key: deadline, or ~0 */
	struct aif_sched_queue *queue;
	struct aif_sched_clock *clock;
	struct aif_sched_lane *next;
	u8 class;
	bool paused;
};

#define AIF_SCHED_ESTIMATE_NS	1000000ull	/* before anything was measured */
#define AIF_SCHED_LAG_NS	1000000000u	/* most device time that a tenant is owed */
#define AIF_SCHED_AHEAD_NS	100000000u	/* most that the steps of others carry it ahead */
#define AIF_SCHED_OWN_PART	64		/* of a full queue is there for each clock */

void aif_sched_init(struct aif_sched *s, u32 tokens, u32 max_queued);
void aif_sched_queue_init(struct aif_sched_queue *q);

/* Attach a zeroed lane to its queue and clock; detach it (empty again). */
void aif_sched_lane_init(struct aif_sched_lane *l, struct aif_sched_queue *q,
			 struct aif_sched_clock *c, u8 class);
void aif_sched_lane_fini(struct aif_sched_lane *l);

/*
 * Queue a request: 0, or -EAGAIN when the device's queue (or the lane's array)
 * is full.  The queue is never full for a clock that has less than a 64th of
 * ->max_queued there: a few that flood it do not keep others out.  So there may be
 * that much more than ->max_queued for each clock.  @deadline 0: none.  A tenant
 * that was idle starts at the device's virtual time: it cannot save up.
 */
int aif_sched_push(struct aif_sched *s, struct aif_sched_lane *l,
		   struct aif_heap_node *req, u64 deadline);

/* Would it be 0 now?  For who has to spend something on the deadline first. */
bool aif_sched_has_room(const struct aif_sched *s, const struct aif_sched_lane *l);

/*
 * Put a recovered request at its old place in time (@seq: the one it had): it
 * was admitted already and is never refused for the device's bound (the lane's
 * array has room for every request its clients can have).
 */
int aif_sched_push_again(struct aif_sched *s, struct aif_sched_lane *l,
			 struct aif_heap_node *req, u64 deadline, u64 seq);

/* Take a request that is queued in @l out (cancelled, expired). */
void aif_sched_remove(struct aif_sched *s, struct aif_sched_lane *l,
		      struct aif_heap_node *req);

/* The lane whose first request goes next in @q, or NULL. */
struct aif_sched_lane *aif_sched_next(const struct aif_sched_queue *q);

/*
 * Take the first request out of @l (as aif_sched_next() gave it) and charge
 * its clock the estimate: l->queue->estimate_ns, which the caller keeps with
 * the request for aif_sched_account().  This request was the device's next: the
 * virtual time goes with it.
 */
struct aif_heap_node *aif_sched_pop(struct aif_sched *s, struct aif_sched_lane *l);

/* The same for the other requests of a step, which go because the first does. */
struct aif_heap_node *aif_sched_pop_more(struct aif_sched *s, struct aif_sched_lane *l);

/*
 * May the next request of the service go with the step that began with one of
 * @first, while an executor waits for @rival's (NULL: none waits)?  Not if it is of
 * a lower class than what is next there, or its tenant more than AIF_SCHED_AHEAD_NS
 * ahead of that: with the steps of others it would get what is not its share.  And
 * a real-time request is a step of its own: what goes with it would make it, or who
 * is due next, late.
 */
bool aif_sched_joins(const struct aif_sched_lane *first, const struct aif_sched_queue *rival);

/*
 * The same for a transfer, of which a chunk is done at a time: its cost is known.
 * The rest of it is queued again (aif_sched_push_again(), with the seq it had)
 * when the chunk is done, so whoever comes first meanwhile goes first.
 */
struct aif_heap_node *aif_sched_pop_chunk(struct aif_sched *s, struct aif_sched_lane *l,
					  u64 cost_ns);

/*
 * Does @a's next request go before @b's (two services of one device)?  Class,
 * then fair share, then inside a tenant deadline, then order of submission.  An
 * empty queue never does.
 */
bool aif_sched_before(const struct aif_sched_queue *a, const struct aif_sched_queue *b);

/*
 * Correct the charge of a popped request.  @charged_ns: what it was charged so
 * far; @measured_ns: what it took so far, at most the time since it was popped.
 * Returns what it is charged now.  Once with @final, at the commit; before
 * that, while it is in progress or when its executor died, without: then the
 * charge only grows, and the service's estimate learns nothing.
 */
u64 aif_sched_account(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns, bool final);

/* A chunk that was charged @charged_ns took @measured_ns. */
void aif_sched_correct(struct aif_sched_lane *l, u64 charged_ns, u64 measured_ns);

/*
 * @l, which has requests, does not take part until a time: its tenant has used up a
 * limit.  Nobody waits behind it.  It is let in again by aif_sched_resume(), or when it
 * has been empty meanwhile.
 */
void aif_sched_pause(struct aif_sched_lane *l, u64 until);

/*
 * Let those lanes of @q in that were paused until @now or before, as if their tenants
 * had slept.
 */
void aif_sched_resume(struct aif_sched *s, struct aif_sched_queue *q, u64 now);

/* When the first of them is to be let in; ~0: none is paused. */
static inline u64 aif_sched_paused_until(const struct aif_sched_queue *q)
{
	return q->paused.count ? aif_heap_first(&q->paused)->key : ~0ull;
}

/* Step tokens.  Giving back wakes nobody: the caller looks for the next. */
static inline bool aif_sched_token_get(struct aif_sched *s)
{
	if (s->tokens_used >= s->tokens)
		return false;
	s->tokens_used++;
	return true;
}

static inline void aif_sched_token_put(struct aif_sched *s)
{
	s->tokens_used--;
}

/* ------------------------------------------------------------------ */
/* Transfers								*/

#define AIF_CHUNK_MAX	(256u << 10)	/* bytes that an engine is not interrupted in */

/*
 * How many of @left bytes (at least 1) the next chunk takes, when it begins at
 * byte @at of its target: up to the next multiple of AIF_CHUNK_MAX there.
 */
u32 aif_chunk_cut(u64 at, u32 left);

/* What a chunk costs on an engine: @fixed_ns and @ps_byte picoseconds a byte. */
struct aif_cost {
	u32 fixed_ns;
	u32 ps_byte;
};

u64 aif_cost_of(const struct aif_cost *c, u32 bytes);

/* A chunk of @bytes took @measured_ns: a moving average; short ones say little. */
void aif_cost_learn(struct aif_cost *c, u32 bytes, u64 measured_ns);

/* An engine, as far as it matters for who takes a chunk. */
struct aif_engine_row {
	struct aif_cost cost;
	u32 kinds;	/* 1 << kind for each that it can do */
	u32 alignment;	/* a power of two */
	u32 max_bytes;	/* at least 1 */
	u32 free;	/* chunks that it takes now */
	u32 id;		/* nonzero */
	bool maps;	/* it takes only what is mapped for it */
};

/*
 * A chunk that somebody shall take.
 * @kind, @bytes: at least 1
 * @bits: all that is in the offsets in their pages and in the length, for engines that
 *	want these aligned
 * @mapped: 1 << row for each that both its ends are mapped for
 * @named: the id of the engine that is to have it if it can, or 0
 */
struct aif_engine_ask {
	u32 kind;
	u32 bits;
	u32 bytes;
	u32 mapped;
	u32 named;
};

/* What @row needs for all of @bytes, 1 or more, in as many pieces as it takes there. */
u64 aif_engine_cost(const struct aif_engine_row *row, u32 bytes);

/*
 * Which of the at most 32 engines that can take it now: the one that is named, else the
 * one that does it at the least cost, the first of equals; -EBUSY: none.  One that takes
 * less at once is judged by all the pieces.
 */
int aif_engine_pick(const struct aif_engine_row *rows, u32 count, const struct aif_engine_ask *ask);

/* ------------------------------------------------------------------ */
/* Token bucket								*/

/*
 * A limit of bytes, or of device nanoseconds, a second: @rate units a second flow
 * in, at most @burst are kept.  Over any time t at most @burst + @rate t are taken.
 */
struct aif_bucket {
	u64 rate;	/* 1 .. AIF_BUCKET_RATE_MAX; 0: no limit yet */
	s64 burst;	/* 1 .. AIF_BUCKET_BURST_MAX */
	s64 level;	/* -AIF_BUCKET_BURST_MAX .. burst; below 0 it is owed */
	u64 stamp_ns;	/* filled until then; time that goes back counts as none */
	u64 full_ns;	/* whatever was owed, after so long it is full */
	u32 rest;	/* of a unit, in 1/10^9 */
};

#define AIF_BUCKET_BURST_MAX	0x100000000ull
#define AIF_BUCKET_RATE_MAX	0x10000000000ull

/* A full one. */
void aif_bucket_init(struct aif_bucket *b, u64 rate, u64 burst, u64 now);

/*
 * Another limit from @now on.  What is in it stays, as far as it has room; one that has no
 * limit yet is full.
 */
void aif_bucket_set(struct aif_bucket *b, u64 rate, u64 burst, u64 now);

/* Take @n units, or none and false. */
bool aif_bucket_take(struct aif_bucket *b, u64 n, u64 now);

/* @n units were used by @now that nobody took: owed, no more than BURST_MAX of all. */
void aif_bucket_charge(struct aif_bucket *b, u64 n, u64 now);

/* @n units that were charged were not used after all. */
void aif_bucket_refund(struct aif_bucket *b, u64 n);

/* Nanoseconds until @n units can be taken; ~0: never, it is more than the burst. */
u64 aif_bucket_wait(const struct aif_bucket *b, u64 n, u64 now);

/* ------------------------------------------------------------------ */
/* Real time								*/

/* So much of a device in any so long a time. */
struct aif_rt {
	u32 period_us;
	u32 budget_us;	/* 1 .. period_us, at most AIF_RT_BUDGET_MAX_US */
};

#define AIF_RT_BUDGET_MAX_US	4000000u

bool aif_rt_valid(const struct aif_rt *rt);

/*
 * Is nobody of these @count (valid) late on one device, if none of them asks for
 * more than its budget and the device is never kept for more than @blocking_us at a
 * time: its longest step, or a chunk?  The answer for a tenant that is not admitted
 * is -EBUSY; so is the answer for a service whose steps would be too long for those
 * who were.  All of them together get at most 95 % of the device.  O(count^2).
 */
bool aif_rt_fits(const struct aif_rt *rts, u32 count, u32 blocking_us);

/* What an admitted tenant has left of its budget; zero: it has none. */
struct aif_rt_budget {
	struct aif_bucket bucket;
	u64 period_ns;
};

/*
 * A budget from @now on, whole if @b is zero.  Of another that it had, what is left stays, as
 * far as it has room.
 */
void aif_rt_budget_set(struct aif_rt_budget *b, const struct aif_rt *rt, u64 now);

/* Is there less left than the whole budget? */
bool aif_rt_budget_used(const struct aif_rt_budget *b, u64 now);

/*
 * A request of at most @longest_ns arrives: until when it is executed, for
 * aif_sched_push() into the real-time class, or 0: the budget is used up and it is
 * pushed into the normal class, where it has its tenant's share.  To wait instead
 * would leave the device idle with work queued; to refuse would answer with an
 * error what an unloaded device could have done in time.
 *
 * It is due a period from now, or at its @deadline when that is later: to ask for
 * less than the period gains nothing, and promises nothing.
 */
u64 aif_rt_due(struct aif_rt_budget *b, u64 longest_ns, u64 deadline, u64 now);

/* It took longer than it said: that is owed before the next one. */
void aif_rt_overrun(struct aif_rt_budget *b, u64 longest_ns, u64 measured_ns, u64 now);

#endif
