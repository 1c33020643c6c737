// SPDX-License-Identifier: GPL-2.0-only
/*
 * Engines: who is there to move bytes, what they have, and when they are believed.
 *
 * Each has a number of places, struct aif_chunk.  A place is IDLE; BUSY from when a
 * transfer takes it until the engine has answered; DONE until that was looked at.  A
 * chunk of an engine that was stopped is taken back (IDLE again), or QUARANTINED where
 * it is not sure that the engine has let go.  The state is one word with the number of
 * uses, so that exactly one party takes each step, and an answer to another use is
 * told from one to this.
 *
 * Answers come from any context.  They set the word, put the place on a lock-free list
 * and leave the rest to a worker.  An engine that does its chunk inside submit_chunk()
 * is looked at by whoever submitted.
 *
 * Whoever takes a place and calls into a driver is in an SRCU section all the while;
 * so a change of the engine's state, and a grace period later nobody is in the driver
 * who had not seen it.  Only then is it reset, or quiesced, and its chunks taken back.
 * That is for one party at a time: the watchdog, which runs as long as the engine has
 * something, or is retired with something in quarantine; and unregistering, which ends
 * the watchdog first.
 *
 * A retired engine's own answers are not believed any more: its quiesce() is.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kmemleak.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "aif.h"

#define AIF_TIMEOUT_MS		10000
#define AIF_TIMEOUT_MS_MAX	60000
#define AIF_RESETS_MAX		3	/* one after the other, without a chunk between */
#define AIF_QUIET_PERIOD	HZ	/* between looks whether a retired engine is quiet */

/* A chunk of whole pages that are shifted against one another, and one more. */
#define AIF_SEGMENTS_MAX	(2 * (AIF_CHUNK_MAX / PAGE_SIZE + 1))

enum aif_chunk_state {
	AIF_CHUNK_IDLE,
	AIF_CHUNK_BUSY,
	AIF_CHUNK_DONE,
	AIF_CHUNK_QUARANTINED,
};

#define AIF_CHUNK_STATES	3	/* the state in the word */
#define AIF_CHUNK_STATE		2	/* and its bits */
#define AIF_COOKIE_INDEX	8	/* bits of the place in a cookie */

/* Kept while a place is taken, or a driver called. */
DEFINE_STATIC_SRCU(aif_engine_srcu);
DEFINE_SPINLOCK(aif_engines_lock);		/* both tables; places that are free; maps */
static struct aif_engine *aif_engines[AIF_ENGINES_MAX];
static struct aif_engine_row aif_engine_rows[AIF_ENGINES_MAX];
static u32 aif_engines_free;			/* places of all */
static u32 aif_engines_last_id;			/* aif_engines_mutex */
static DEFINE_MUTEX(aif_engines_mutex);		/* names, folders in debugfs */

struct aif_engine {
	struct aif_engine_ops ops;
	void *driver;
	char name[AIF_ENGINE_NAME_MAX];
	struct aif_engine_caps caps;
	struct aif_mapper mapper;
	u64 timeout_ns;
	enum aif_engine_state state;	/* aif_engines_lock to change */
	u32 index;			/* in both tables */
	struct aif_chunk *places;	/* caps.depth */
	struct aif_piece *pieces;	/* AIF_SEGMENTS_MAX for each */
	struct list_head idle;		/* places, aif_engines_lock */
	u32 busy;			/* places that are not idle, aif_engines_lock */
	u64 last_done_ns;		/* aif_engines_lock */
	u32 resets_in_row;		/* watchdog; aif_engines_lock to clear */
	struct llist_head done;
	struct work_struct done_work;
	struct delayed_work watch;
	struct dentry *debugfs;
	u64 chunks;			/* one debugfs file each, from here */
	u64 bytes;
	u32 resets;
	atomic_t stale;			/* answers that were not believed */
	bool learn;			/* what a byte costs */
};

/* These balance sparse's count themselves. */
int aif_engine_enter(void)
{
	int section = srcu_read_lock(&aif_engine_srcu);

	__release(&aif_engine_srcu);
	return section;
}

void aif_engine_leave(int section)
{
	__acquire(&aif_engine_srcu);
	srcu_read_unlock(&aif_engine_srcu, section);
}

/* ---- places ---- */

static struct aif_engine_row *aif_engine_row(const struct aif_engine *e)
{
	return &aif_engine_rows[e->index];
}

/* The word of the use that @cookie names, in @state. */
static s64 aif_chunk_word(u64 cookie, enum aif_chunk_state state)
{
	return (cookie >> AIF_COOKIE_INDEX) << AIF_CHUNK_STATE | state;
}

static bool aif_chunk_move(struct aif_chunk *c, u64 cookie, enum aif_chunk_state from,
			   enum aif_chunk_state to)
{
	s64 was = aif_chunk_word(cookie, from);

	return atomic64_try_cmpxchg(&c->word, &was, aif_chunk_word(cookie, to));
}

static bool aif_engine_is_inline(const struct aif_engine *e)
{
	return e->caps.flags & AIF_ENGINE_F_INLINE;
}

/* How many chunks engines would take now. */
u32 aif_engine_room(void)
{
	return READ_ONCE(aif_engines_free);
}

/* What the CPU would need for so many bytes, as far as it is known. */
u64 aif_engine_cpu_ns(u32 bytes)
{
	struct aif_engine_row cpu;

	spin_lock(&aif_engines_lock);
	cpu = aif_engine_rows[0];
	spin_unlock(&aif_engines_lock);
	return aif_engine_cost(&cpu, bytes);
}

/* ... and the slowest of all for a chunk. */
u64 aif_engine_longest_ns(void)
{
	const struct aif_engine_row *row;
	u64 longest = 0;

	spin_lock(&aif_engines_lock);
	for (row = aif_engine_rows; row < aif_engine_rows + AIF_ENGINES_MAX; row++)
		longest = max(longest, aif_cost_of(&row->cost, row->max_bytes));
	spin_unlock(&aif_engines_lock);
	return longest;
}

/* Those that @b is mapped for, each behind a blank. */
void aif_engines_show(struct seq_file *m, const struct aif_buffer *b)
{
	u32 i;

	spin_lock(&aif_engines_lock);
	for (i = 0; i < AIF_ENGINES_MAX; i++)
		if (b->mapped >> i & 1 && aif_engines[i])
			seq_printf(m, " %s", aif_engines[i]->name);
	spin_unlock(&aif_engines_lock);
}

static void aif_engine_add_free(struct aif_engine *e, int n)
{
	lockdep_assert_held(&aif_engines_lock);
	aif_engine_row(e)->free += n;
	WRITE_ONCE(aif_engines_free, aif_engines_free + n);
}

/* One that is gone stays so. */
static void aif_engine_set_state(struct aif_engine *e, enum aif_engine_state state)
{
	u32 free;

	spin_lock(&aif_engines_lock);
	if (e->state != AIF_ENGINE_GONE) {
		WRITE_ONCE(e->state, state);
		free = state == AIF_ENGINE_READY ? e->caps.depth - e->busy : 0;
		aif_engine_add_free(e, free - aif_engine_row(e)->free);
	}
	spin_unlock(&aif_engines_lock);
}

/* @c's engine takes only what is mapped for it, as both are. */
static void aif_chunk_use_maps(struct aif_chunk *c, struct aif_buffer *source,
			       struct aif_buffer *target)
{
	u32 i = c->engine->index;

	c->maps[0] = source ? source->maps[i] : NULL;
	c->maps[1] = target->maps[i];
	aif_map_use(c->maps[1]);
	if (source)
		aif_map_use(c->maps[0]);
}

static void aif_chunk_unuse_maps(struct aif_chunk *c)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c->maps); i++) {
		if (c->maps[i])
			aif_map_unuse(c->maps[i]);
		c->maps[i] = NULL;
	}
}

static struct aif_chunk *aif_engine_take_locked(const struct aif_engine_ask *ask, bool last)
{
	int i = aif_engine_pick(aif_engine_rows, last ? 1 : AIF_ENGINES_MAX, ask);
	struct aif_engine *e;
	struct aif_chunk *c;

	if (i < 0)
		return NULL;
	e = aif_engines[i];
	c = list_first_entry(&e->idle, struct aif_chunk, idle);
	list_del(&c->idle);
	e->busy++;
	aif_engine_add_free(e, -1);
	c->desc.cookie += 1ull << AIF_COOKIE_INDEX;
	c->desc.kind = ask->kind;
	c->desc.bytes = min(ask->bytes, aif_engine_rows[i].max_bytes);
	c->charged_ns = aif_cost_of(&aif_engine_rows[i].cost, c->desc.bytes);
	c->start_ns = ktime_get_ns();
	atomic64_set(&c->word, aif_chunk_word(c->desc.cookie, AIF_CHUNK_BUSY));
	return c;
}

/*
 * A place for what is asked, whose ->mapped is found here, at the engine that does it
 * soonest, or NULL: none is free that could.  @source: NULL for a fill.  @last: only the
 * CPU, which can do everything.
 */
struct aif_chunk *aif_engine_take(const struct aif_engine_ask *ask, struct aif_buffer *source,
				  struct aif_buffer *target, bool last)
{
	struct aif_engine_ask asked = *ask;
	struct aif_chunk *c;
	struct aif_engine *e;

	spin_lock(&aif_engines_lock);
	asked.mapped = target->mapped & (source ? source->mapped : ~0u);
	c = aif_engine_take_locked(&asked, last);
	if (c && c->engine->ops.map)
		aif_chunk_use_maps(c, source, target);
	spin_unlock(&aif_engines_lock);
	if (!c)
		return NULL;
	e = c->engine;
	if (!aif_engine_is_inline(e))
		queue_delayed_work(aif_copy_wq, &e->watch, nsecs_to_jiffies(e->timeout_ns) + 1);
	return c;
}

/*
 * It was answered, or taken back: the place is free.  Returns how much of the engine's
 * time it took, for one chunk after the other; nothing, if it was not done.
 */
u64 aif_engine_finish(struct aif_chunk *c)
{
	struct aif_engine *e = c->engine;
	u64 since = c->start_ns, took;

	spin_lock(&aif_engines_lock);
	if (!aif_engine_is_inline(e))
		since = max(since, e->last_done_ns);
	took = !c->status && c->done_ns > since ? c->done_ns - since : 0;
	if (c->status != -EBUSY)	/* to refuse is no progress */
		e->last_done_ns = max(e->last_done_ns, c->done_ns);
	if (!c->status) {
		e->chunks++;
		e->bytes += c->desc.bytes;
		e->resets_in_row = 0;
		if (e->learn)
			aif_cost_learn(&aif_engine_row(e)->cost, c->desc.bytes, took);
	}
	c->request = NULL;
	aif_chunk_unuse_maps(c);
	atomic64_set(&c->word, aif_chunk_word(c->desc.cookie, AIF_CHUNK_IDLE));
	list_add(&c->idle, &e->idle);
	e->busy--;
	if (e->state == AIF_ENGINE_READY)
		aif_engine_add_free(e, 1);
	spin_unlock(&aif_engines_lock);
	return took;
}

/* ---- into the driver, and back ---- */

static void aif_chunk_answered(struct aif_chunk *c, int status)
{
	c->status = status;
	c->done_ns = ktime_get_ns();
}

/*
 * Hand @c to its engine.  True: it is for the caller to end, with c->status.  False: it
 * may be answered and another by now.
 */
bool aif_engine_submit(struct aif_chunk *c)
{
	struct aif_engine *e = c->engine;
	u64 cookie = c->desc.cookie;
	int err = -ENODEV;

	if (READ_ONCE(e->state) == AIF_ENGINE_READY)
		err = e->ops.submit_chunk(e->driver, &c->desc);
	if (aif_engine_is_inline(e) &&
	    atomic64_read(&c->word) == aif_chunk_word(cookie, AIF_CHUNK_DONE))
		return true;
	if (!err && !WARN_ON_ONCE(aif_engine_is_inline(e)))
		return false;
	if (!aif_chunk_move(c, cookie, AIF_CHUNK_BUSY, AIF_CHUNK_DONE))
		return false;
	aif_chunk_answered(c, -EBUSY);
	return true;
}

void aif_engine_answer(struct aif_engine *e, u64 cookie, int status, u32 bytes)
{
	u32 i = cookie & (AIF_ENGINE_DEPTH_MAX - 1);
	struct aif_chunk *c = &e->places[i];

	if (i >= e->caps.depth || !aif_chunk_move(c, cookie, AIF_CHUNK_BUSY, AIF_CHUNK_DONE)) {
		atomic_inc(&e->stale);
		return;
	}
	if (status || bytes != c->desc.bytes)
		status = -EIO;
	aif_chunk_answered(c, status);
	if (!aif_engine_is_inline(e) && llist_add(&c->done, &e->done))
		queue_work(aif_copy_wq, &e->done_work);
}

static void aif_engine_done_work(struct work_struct *work)
{
	struct aif_engine *e = container_of(work, struct aif_engine, done_work);
	struct llist_node *first = llist_reverse_order(llist_del_all(&e->done));
	struct aif_chunk *c, *next;

	llist_for_each_entry_safe(c, next, first, done)
		aif_transfer_settle(c);
}

/* Nobody waits for it any more.  Device's lock held. */
void aif_engine_cancel(struct aif_chunk *c)
{
	struct aif_engine *e = c->engine;
	int section = aif_engine_enter();

	if (e->ops.cancel && READ_ONCE(e->state) == AIF_ENGINE_READY)
		e->ops.cancel(e->driver, c->desc.cookie);
	aif_engine_leave(section);
}

/* ---- an engine that does not answer ---- */

/* The chunk that it has had for longest, or NULL. */
static struct aif_chunk *aif_engine_oldest(struct aif_engine *e)
{
	struct aif_chunk *c, *oldest = NULL;
	u32 i;

	for (i = 0; i < e->caps.depth; i++) {
		c = &e->places[i];
		if ((atomic64_read(&c->word) & AIF_CHUNK_STATES) != AIF_CHUNK_BUSY)
			continue;
		if (!oldest || c->start_ns < oldest->start_ns)
			oldest = c;
	}
	return oldest;
}

/* No progress; or one chunk is forgotten while others come and go. */
static bool aif_engine_is_late(struct aif_engine *e)
{
	struct aif_chunk *c;
	bool late = false;
	u64 now;

	spin_lock(&aif_engines_lock);
	now = ktime_get_ns();
	c = aif_engine_oldest(e);
	if (c)
		late = now - max(c->start_ns, e->last_done_ns) > e->timeout_ns ||
		       now - c->start_ns > e->timeout_ns * e->caps.depth;
	spin_unlock(&aif_engines_lock);
	return late;
}

/* Each chunk in @from is the caller's to end, with @status; that of @guilty with -EIO. */
static void aif_engine_take_back(struct aif_engine *e, enum aif_chunk_state from, int status,
				 u64 guilty)
{
	struct aif_chunk *c;
	u32 i;

	for (i = 0; i < e->caps.depth; i++) {
		c = &e->places[i];
		if (!aif_chunk_move(c, c->desc.cookie, from, AIF_CHUNK_DONE))
			continue;
		aif_chunk_answered(c, c->desc.cookie == guilty ? -EIO : status);
		aif_transfer_settle(c);
	}
}

/* The engine may still have it: its transfer is answered, its memory stays. */
static u32 aif_engine_quarantine(struct aif_engine *e)
{
	struct aif_chunk *c;
	u32 i, n = 0;

	for (i = 0; i < e->caps.depth; i++) {
		c = &e->places[i];
		if (!aif_chunk_move(c, c->desc.cookie, AIF_CHUNK_BUSY, AIF_CHUNK_QUARANTINED))
			continue;
		aif_transfer_quarantine(c);
		n++;
	}
	return n;
}

static void aif_engine_stop(struct aif_engine *e)
{
	struct aif_chunk *oldest;
	int err = -EOPNOTSUPP;
	u64 guilty;
	u32 n;

	aif_engine_set_state(e, AIF_ENGINE_STOPPED);
	synchronize_srcu(&aif_engine_srcu);
	oldest = aif_engine_oldest(e);
	guilty = oldest ? oldest->desc.cookie : 0;
	if (e->ops.reset)
		err = e->ops.reset(e->driver);
	flush_work(&e->done_work);
	if (err) {
		aif_engine_set_state(e, AIF_ENGINE_RETIRED);
		n = aif_engine_quarantine(e);
		pr_err("aif: engine %s does not stop (%d) and is retired: %u chunks stay pinned until it is quiet\n",
		       e->name, err, n);
		return;
	}
	e->resets++;
	pr_warn("aif: engine %s answered nothing for %llu ms and was reset\n", e->name,
		div_u64(e->timeout_ns, NSEC_PER_MSEC));
	aif_engine_take_back(e, AIF_CHUNK_BUSY, -EAGAIN, guilty);
	if (++e->resets_in_row < AIF_RESETS_MAX) {
		aif_engine_set_state(e, AIF_ENGINE_READY);
	} else {
		aif_engine_set_state(e, AIF_ENGINE_RETIRED);
		pr_err("aif: engine %s did nothing between %u resets and is retired\n", e->name,
		       AIF_RESETS_MAX);
	}
	aif_transfer_kick();
}

static void aif_engine_watch(struct work_struct *work)
{
	struct aif_engine *e = container_of(to_delayed_work(work), struct aif_engine, watch);
	unsigned long period = nsecs_to_jiffies(e->timeout_ns) / 2 + 1;

	if (e->state == AIF_ENGINE_RETIRED) {
		if (READ_ONCE(e->busy) && !e->ops.quiesce(e->driver))
			aif_engine_take_back(e, AIF_CHUNK_QUARANTINED, -EIO, 0);
		period = AIF_QUIET_PERIOD;
	} else if (aif_engine_is_late(e)) {
		aif_engine_stop(e);
	}
	if (READ_ONCE(e->busy))
		queue_delayed_work(aif_copy_wq, &e->watch, period);
}

/* ---- who is there ---- */

static bool aif_engine_name_valid(const char *name)
{
	size_t n = strnlen(name, AIF_ENGINE_NAME_MAX), i;

	for (i = 0; i < n; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	return n && n < AIF_ENGINE_NAME_MAX && name[0] != '.';
}

/* The first version's structure is the shortest that there is. */
#define AIF_ENGINE_OPS_FIRST	offsetofend(struct aif_engine_ops, quiesce)

static int aif_engine_copy_ops(struct aif_engine *e, const void *ops, u32 size, u32 version)
{
	const u32 known = min_t(u32, size, sizeof(e->ops));

	if (version != AIF_ENGINE_VERSION || size < AIF_ENGINE_OPS_FIRST)
		return -EINVAL;
	if (memchr_inv(ops + known, 0, size - known))
		return -E2BIG;
	memcpy(&e->ops, ops, known);
	if (!e->ops.capabilities || !e->ops.submit_chunk || !e->ops.quiesce ||
	    !e->ops.map != !e->ops.unmap)
		return -EINVAL;
	return 0;
}

/* What it says of itself; of a later header's it may say what we do not know, if it is 0. */
static int aif_engine_ask_caps(struct aif_engine *e)
{
	union {
		struct aif_engine_caps known;
		u8 room[AIF_ENGINE_CAPS_ROOM];
	} caps = { };

	e->ops.capabilities(e->driver, &caps.known);
	if (memchr_inv(caps.room + sizeof(e->caps), 0, sizeof(caps) - sizeof(e->caps)))
		return -E2BIG;
	e->caps = caps.known;
	return 0;
}

/* In range, with defaults for zeros. */
static int aif_engine_check_caps(struct aif_engine *e)
{
	struct aif_engine_caps *caps = &e->caps;

	caps->alignment = caps->alignment ?: 1;
	caps->max_bytes = min(caps->max_bytes ?: AIF_CHUNK_MAX, AIF_CHUNK_MAX);
	caps->timeout_ms = caps->timeout_ms ?: AIF_TIMEOUT_MS;
	if (!caps->kinds || caps->kinds & ~(BIT(AIF_CHUNK_COPY) | BIT(AIF_CHUNK_FILL)) ||
	    caps->flags & ~AIF_ENGINE_F_INLINE || !caps->depth ||
	    caps->depth > AIF_ENGINE_DEPTH_MAX || caps->timeout_ms > AIF_TIMEOUT_MS_MAX ||
	    !is_power_of_2(caps->alignment) || caps->alignment > PAGE_SIZE ||
	    caps->max_bytes % caps->alignment || !PAGE_ALIGNED(caps->mapped_bytes) ||
	    (!e->ops.map && (caps->device || caps->mapped_bytes)))
		return -EINVAL;
	e->timeout_ns = caps->timeout_ms * (u64)NSEC_PER_MSEC;
	return 0;
}

static int aif_engine_make_places(struct aif_engine *e)
{
	struct aif_chunk *c;
	u32 i;

	e->places = kvcalloc(e->caps.depth, sizeof(*e->places), GFP_KERNEL);
	e->pieces = kvcalloc(e->caps.depth, AIF_SEGMENTS_MAX * sizeof(*e->pieces), GFP_KERNEL);
	if (!e->places || !e->pieces)
		return -ENOMEM;
	for (i = 0; i < e->caps.depth; i++) {
		c = &e->places[i];
		c->engine = e;
		c->pieces = e->pieces + i * AIF_SEGMENTS_MAX;
		c->desc.engine = e;
		c->desc.cookie = i;
		c->desc.segments = &c->pieces->segment;
		c->desc.segment_size = sizeof(*c->pieces);
		list_add_tail(&c->idle, &e->idle);
	}
	return 0;
}

static void aif_engine_free(struct aif_engine *e)
{
	kvfree(e->pieces);
	kvfree(e->places);
	kfree(e);
}

static struct aif_engine *aif_engine_new(const char *name, void *driver)
{
	struct aif_engine *e = kzalloc(sizeof(*e), GFP_KERNEL);

	if (!e)
		return NULL;
	strscpy(e->name, name, sizeof(e->name));
	e->driver = driver;
	aif_mapper_init(&e->mapper);
	e->learn = true;
	e->state = AIF_ENGINE_STOPPED;
	INIT_LIST_HEAD(&e->idle);
	init_llist_head(&e->done);
	INIT_WORK(&e->done_work, aif_engine_done_work);
	INIT_DELAYED_WORK(&e->watch, aif_engine_watch);
	return e;
}

static void aif_engine_show(struct aif_engine *e)
{
	struct aif_engine_row *row = aif_engine_row(e);
	struct dentry *d = aif_debugfs_engine(e->name);

	debugfs_create_u32("state", 0444, d, (u32 *)&e->state);
	debugfs_create_u32("busy", 0444, d, &e->busy);
	debugfs_create_u64("chunks", 0444, d, &e->chunks);
	debugfs_create_u64("bytes", 0444, d, &e->bytes);
	debugfs_create_u64("mapped_bytes", 0444, d, &e->mapper.bytes);
	debugfs_create_u32("resets", 0444, d, &e->resets);
	debugfs_create_atomic_t("stale", 0444, d, &e->stale);
	debugfs_create_u32("fixed_ns", 0644, d, &row->cost.fixed_ns);
	debugfs_create_u32("ps_byte", 0644, d, &row->cost.ps_byte);
	debugfs_create_bool("learn", 0644, d, &e->learn);
	e->debugfs = d;
}

/* aif_engines_mutex held. */
static int aif_engine_add(struct aif_engine *e)
{
	const struct aif_engine_caps *caps = &e->caps;
	u32 i, place = AIF_ENGINES_MAX;

	for (i = AIF_ENGINES_MAX; i--;) {
		if (!aif_engines[i])
			place = i;
		else if (!strcmp(aif_engines[i]->name, e->name))
			return -EEXIST;
	}
	if (place == AIF_ENGINES_MAX)
		return -ENOSPC;
	e->mapper.ops = &e->ops;
	e->mapper.driver = e->driver;
	e->mapper.device = caps->device;
	e->mapper.limit = caps->mapped_bytes ?: aif_mapper_default(caps->device);
	e->mapper.index = place;
	e->mapper.id = ++aif_engines_last_id;
	spin_lock(&aif_engines_lock);
	e->index = place;
	aif_engines[place] = e;
	aif_engine_rows[place] = (struct aif_engine_row){
		.cost = { .fixed_ns = caps->fixed_ns, .ps_byte = caps->ps_byte },
		.kinds = caps->kinds, .alignment = caps->alignment,
		.max_bytes = caps->max_bytes, .id = e->mapper.id, .maps = e->ops.map,
	};
	spin_unlock(&aif_engines_lock);
	aif_engine_show(e);
	return 0;
}

struct aif_engine *aif_engine_create(const char *name, const void *ops, u32 size, u32 version,
				     void *driver)
{
	struct aif_engine *e;
	int err;

	if (!aif_engine_name_valid(name))
		return ERR_PTR(-EINVAL);
	e = aif_engine_new(name, driver);
	if (!e)
		return ERR_PTR(-ENOMEM);
	err = aif_engine_copy_ops(e, ops, size, version);
	if (!err)
		err = aif_engine_ask_caps(e);
	if (!err)
		err = aif_engine_check_caps(e);
	if (!err)
		err = aif_engine_make_places(e);
	if (!err) {
		mutex_lock(&aif_engines_mutex);
		err = aif_engine_add(e);
		mutex_unlock(&aif_engines_mutex);
	}
	if (err) {
		aif_engine_free(e);
		return ERR_PTR(err);
	}
	aif_engine_set_state(e, AIF_ENGINE_READY);
	return e;
}

/* It may work again, if it does not now. */
bool aif_mapper_works(const struct aif_mapper *m)
{
	return READ_ONCE(container_of(m, struct aif_engine, mapper)->state) <= AIF_ENGINE_STOPPED;
}

/* aif_engines_lock held: the engine of that name, or NULL. */
static struct aif_engine *aif_engine_find(const char *name)
{
	u32 i;

	lockdep_assert_held(&aif_engines_lock);
	for (i = 0; i < AIF_ENGINES_MAX; i++)
		if (aif_engines[i] && !strcmp(aif_engines[i]->name, name))
			return aif_engines[i];
	return NULL;
}

/* The engine of that name, which maps, until aif_mapper_put(); or -errno. */
struct aif_mapper *aif_engine_mapper_get(const char *name)
{
	struct aif_engine *e;
	int err = 0;

	spin_lock(&aif_engines_lock);
	e = aif_engine_find(name);
	if (!e)
		err = -ENOENT;
	else if (!e->ops.map)
		err = -EINVAL;
	else if (!aif_mapper_works(&e->mapper))
		err = -ENODEV;
	else
		e->mapper.callers++;
	spin_unlock(&aif_engines_lock);
	return err ? ERR_PTR(err) : &e->mapper;
}

/*
 * What was answered is finished.  Of an engine that is not quiet somebody may be answering
 * just now, and not have told done_work yet: to flush that would not wait for him.
 */
static void aif_engine_settle(const struct aif_engine *e)
{
	u32 i;

	for (i = 0; i < e->caps.depth; i++)
		while ((atomic64_read(&e->places[i].word) & AIF_CHUNK_STATES) == AIF_CHUNK_DONE)
			fsleep(1000);
}

/* Nobody finds it any more. */
static void aif_engine_remove(struct aif_engine *e)
{
	mutex_lock(&aif_engines_mutex);
	debugfs_remove(e->debugfs);
	spin_lock(&aif_engines_lock);
	aif_engines[e->index] = NULL;
	aif_engine_rows[e->index] = (struct aif_engine_row){ 0 };
	spin_unlock(&aif_engines_lock);
	mutex_unlock(&aif_engines_mutex);
}

/*
 * What was answered meanwhile is looked at before its place in the tables goes, and before
 * the driver does, which undoes the maps.  One that is not quiet may answer at any time,
 * when that place is another's too: it stays as memory, whatever it has, and so does the
 * code that it would call.
 */
void aif_engine_destroy(struct aif_engine *e)
{
	int err;

	aif_engine_set_state(e, AIF_ENGINE_GONE);
	synchronize_srcu(&aif_engine_srcu);
	cancel_delayed_work_sync(&e->watch);
	err = e->ops.quiesce(e->driver);
	if (err) {
		aif_engine_quarantine(e);
	} else {
		aif_engine_take_back(e, AIF_CHUNK_BUSY, -EAGAIN, 0);
		aif_engine_take_back(e, AIF_CHUNK_QUARANTINED, -EIO, 0);
	}
	aif_engine_settle(e);
	flush_work(&e->done_work);
	aif_mapper_fini(&e->mapper);
	aif_engine_remove(e);
	if (err) {
		pr_err("aif: engine %s goes and is not quiet (%d): %u chunks stay pinned and aif.ko loaded until the machine boots\n",
		       e->name, err, READ_ONCE(e->busy));
		kmemleak_not_leak(e);
		__module_get(THIS_MODULE);
	} else {
		aif_engine_free(e);
	}
	aif_transfer_kick();
}
