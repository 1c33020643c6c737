// SPDX-License-Identifier: GPL-2.0-only
/*
 * aif_mock.ko: an engine without a device, for tests.  It copies with the CPU what a
 * device would, as slowly, wrongly or not at all as its parameters say, and answers
 * from a hard interrupt.
 *
 * What it is (depth, alignment, max_bytes, kinds, timeout_ms, fixed_ns, ps_byte, maps,
 * mapped_bytes) holds from when it is plugged in next; what it does holds from now on.
 * The misdeeds count: hang=3 makes the next three chunks hang.
 *
 *	plugged		0: hot unplug
 *	latency_us	of each chunk, in real time
 *	virtual		chunks end by the engine's own clock, which advance_ns moves: each
 *			takes fixed_ns and ps_byte of it, one after the other
 *	refuse		chunks that submit_chunk() refuses
 *	hang		chunks that are begun and stay so, with all behind them, until a
 *			reset, or until resume is written
 *	lose		chunks that are never answered, while others are
 *	fail		chunks answered with -EIO, half done
 *	lie		chunks answered as done with a byte less than there were
 *	twice		chunks answered twice
 *	late		chunks that a reset took away and that are answered after it
 *	reset_error, quiesce_error
 *			what reset() and quiesce() answer, as if there were no stopping it
 *
 * With maps=1 it reaches memory only as a device would, by the addresses that the DMA API
 * gave for a device of its own; bounce buffers and all, but not through an IOMMU, which
 * would not know of the CPU.
 *
 *	map_fail	maps that fail
 *	map_lie		maps that say a page less than there was
 *	map_room	bytes that the device can map at once; 0: any
 *	map_us		how long it takes
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "../include/aif_vendor.h"

#define MOCK_KINDS	(BIT(AIF_CHUNK_COPY) | BIT(AIF_CHUNK_FILL))

static unsigned int depth = 4;
module_param(depth, uint, 0644);
MODULE_PARM_DESC(depth, "chunks at once");

static unsigned int alignment = 1;
module_param(alignment, uint, 0644);
MODULE_PARM_DESC(alignment, "of offsets and lengths");

static unsigned int max_bytes;
module_param(max_bytes, uint, 0644);
MODULE_PARM_DESC(max_bytes, "of a chunk");

static unsigned int kinds = MOCK_KINDS;
module_param(kinds, uint, 0644);
MODULE_PARM_DESC(kinds, "1 copy, 2 fill");

static unsigned int timeout_ms = 1000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "until it is stopped");

static unsigned int fixed_ns;
module_param(fixed_ns, uint, 0644);
MODULE_PARM_DESC(fixed_ns, "of a chunk");

static unsigned int ps_byte = 1;
module_param(ps_byte, uint, 0644);
MODULE_PARM_DESC(ps_byte, "picoseconds a byte");

static unsigned int latency_us;
module_param(latency_us, uint, 0644);
MODULE_PARM_DESC(latency_us, "of each chunk");

static unsigned int reset_error;
module_param(reset_error, uint, 0644);
MODULE_PARM_DESC(reset_error, "errno of reset");

static unsigned int quiesce_error;
module_param(quiesce_error, uint, 0644);
MODULE_PARM_DESC(quiesce_error, "errno of quiesce");

static bool maps;
module_param(maps, bool, 0644);
MODULE_PARM_DESC(maps, "memory must be mapped for it");

static unsigned long mapped_bytes;
module_param(mapped_bytes, ulong, 0644);
MODULE_PARM_DESC(mapped_bytes, "what it says that it maps at most");

static unsigned long map_room;
module_param(map_room, ulong, 0644);
MODULE_PARM_DESC(map_room, "what it maps at most");

static unsigned int map_us;
module_param(map_us, uint, 0644);
MODULE_PARM_DESC(map_us, "that it takes to map");

static bool virtual;
module_param(virtual, bool, 0644);
MODULE_PARM_DESC(virtual, "time is what advance_ns made it");

static int mock_set_count(const char *text, const struct kernel_param *param)
{
	unsigned int n;
	int err = kstrtouint(text, 0, &n);

	if (!err)
		atomic_set(param->arg, n);
	return err;
}

static int mock_get_count(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", atomic_read((atomic_t *)param->arg));
}

static const struct kernel_param_ops mock_count_ops = {
	.set = mock_set_count,
	.get = mock_get_count,
};

static atomic_t refuse;
module_param_cb(refuse, &mock_count_ops, &refuse, 0644);
MODULE_PARM_DESC(refuse, "so many chunks");

static atomic_t hang;
module_param_cb(hang, &mock_count_ops, &hang, 0644);
MODULE_PARM_DESC(hang, "so many chunks");

static atomic_t lose;
module_param_cb(lose, &mock_count_ops, &lose, 0644);
MODULE_PARM_DESC(lose, "so many chunks");

static atomic_t fail;
module_param_cb(fail, &mock_count_ops, &fail, 0644);
MODULE_PARM_DESC(fail, "so many chunks");

static atomic_t lie;
module_param_cb(lie, &mock_count_ops, &lie, 0644);
MODULE_PARM_DESC(lie, "so many chunks");

static atomic_t twice;
module_param_cb(twice, &mock_count_ops, &twice, 0644);
MODULE_PARM_DESC(twice, "so many chunks");

static atomic_t late;
module_param_cb(late, &mock_count_ops, &late, 0644);
MODULE_PARM_DESC(late, "so many chunks");

static atomic_t map_fail;
module_param_cb(map_fail, &mock_count_ops, &map_fail, 0644);
MODULE_PARM_DESC(map_fail, "so many maps");

static atomic_t map_lie;
module_param_cb(map_lie, &mock_count_ops, &map_lie, 0644);
MODULE_PARM_DESC(map_lie, "so many maps");

static atomic_t mapped;
module_param_cb(mapped, &mock_count_ops, &mapped, 0444);
MODULE_PARM_DESC(mapped, "buffers, now");

static atomic_t segments;
module_param_cb(segments, &mock_count_ops, &segments, 0444);
MODULE_PARM_DESC(segments, "of the buffer that was mapped last");

static atomic_t submitted;
module_param_cb(submitted, &mock_count_ops, &submitted, 0444);
MODULE_PARM_DESC(submitted, "chunks, ever");

static atomic_t cancelled;
module_param_cb(cancelled, &mock_count_ops, &cancelled, 0444);
MODULE_PARM_DESC(cancelled, "cancels, ever");

/* One misdeed less, if there are any. */
static bool mock_due(atomic_t *count)
{
	return atomic_add_unless(count, -1, 0);
}

struct mock_item {
	struct list_head node;
	const struct aif_chunk_desc *desc;	/* ours until it is answered */
	struct aif_engine *engine;
	u64 cookie;
	u64 finish_ns;			/* virtual time */
	bool hangs;
};

struct mock {
	struct aif_engine *engine;
	struct platform_device *device;	/* it maps */
	atomic64_t mapped;		/* bytes */
	unsigned int depth;
	struct workqueue_struct *wq;	/* the device: one chunk after the other */
	struct work_struct run;
	spinlock_t lock;		/* what follows, and the queue */
	struct list_head queue;
	struct list_head spare;
	struct mock_item *items;
	u64 clock_ns;
	u64 busy_until_ns;
	struct delayed_work answer_late;
	struct mock_item forgotten;
	struct irq_work interrupt;
	struct aif_engine *done_engine;	/* for the interrupt */
	u64 done_cookie;
	int done_status;
	u32 done_bytes;
};

static DEFINE_MUTEX(mock_plug_lock);
static struct mock *mock;		/* plugged in; mock_plug_lock to change */

/* ---- the device ---- */

/* A piece that lies in a page, by that page or by its device address. */
struct mock_place {
	struct page *page;
	u32 offset;
};

static struct mock_place mock_place(const struct mock *m, struct page *page, u32 offset,
				    dma_addr_t address)
{
	if (!m->device)
		return (struct mock_place){ page, offset };
	return (struct mock_place){ pfn_to_page(PHYS_PFN(address)), offset_in_page(address) };
}

static void mock_move(const struct mock *m, const struct aif_chunk_desc *desc, u32 bytes)
{
	const void *at = desc->segments;
	const struct aif_segment *seg;
	u32 phase = desc->phase, i, n;
	struct mock_place to, from;
	u8 *va;

	for (; bytes; bytes -= n, at += desc->segment_size) {
		seg = at;
		n = min(bytes, seg->bytes);
		to = mock_place(m, seg->to, seg->to_offset, seg->to_dma);
		if (desc->kind == AIF_CHUNK_COPY) {
			from = mock_place(m, seg->from, seg->from_offset, seg->from_dma);
			memcpy_page(to.page, to.offset, from.page, from.offset, n);
			continue;
		}
		va = kmap_local_page(to.page);
		for (i = 0; i < n; i++, phase = (phase + 1) % desc->period)
			va[to.offset + i] = desc->pattern[phase];
		kunmap_local(va);
	}
}

static void mock_interrupt(struct irq_work *work)
{
	struct mock *m = container_of(work, struct mock, interrupt);

	aif_engine_done(m->done_engine, m->done_cookie, m->done_status, m->done_bytes);
}

static void mock_answer(struct mock *m, const struct mock_item *item, int status, u32 bytes)
{
	m->done_engine = item->engine;
	m->done_cookie = item->cookie;
	m->done_status = status;
	m->done_bytes = bytes;
	irq_work_queue(&m->interrupt);
	irq_work_sync(&m->interrupt);
}

static void mock_do(struct mock *m, const struct mock_item *item)
{
	u32 bytes = item->desc->bytes;

	if (mock_due(&lose))
		return;
	if (latency_us && !virtual)
		fsleep(latency_us);
	if (mock_due(&fail)) {
		mock_move(m, item->desc, bytes / 2);
		mock_answer(m, item, -EIO, bytes / 2);
		return;
	}
	mock_move(m, item->desc, bytes);
	mock_answer(m, item, 0, mock_due(&lie) ? bytes - 1 : bytes);
	if (mock_due(&twice))
		mock_answer(m, item, 0, bytes);
}

/* The first in the queue, if its time has come; it stays there. */
static struct mock_item *mock_first(struct mock *m)
{
	struct mock_item *item;

	spin_lock_irq(&m->lock);
	item = list_first_entry_or_null(&m->queue, struct mock_item, node);
	if (item && (item->hangs || (virtual && item->finish_ns > m->clock_ns)))
		item = NULL;
	spin_unlock_irq(&m->lock);
	return item;
}

/* It is spare before it is answered: another may come at once. */
static struct mock_item mock_take(struct mock *m, struct mock_item *item)
{
	struct mock_item copy = *item;

	spin_lock_irq(&m->lock);
	list_move(&item->node, &m->spare);
	spin_unlock_irq(&m->lock);
	return copy;
}

static void mock_run(struct work_struct *work)
{
	struct mock *m = container_of(work, struct mock, run);
	struct mock_item *item, copy;

	while ((item = mock_first(m))) {
		copy = mock_take(m, item);
		mock_do(m, &copy);
	}
}

/* ---- what AIF calls ---- */

static void mock_capabilities(void *driver, struct aif_engine_caps *caps)
{
	const struct mock *m = driver;

	caps->kinds = kinds;
	caps->depth = m->depth;
	caps->alignment = alignment;
	caps->max_bytes = max_bytes;
	caps->timeout_ms = timeout_ms;
	caps->fixed_ns = fixed_ns;
	caps->ps_byte = ps_byte;
	if (m->device) {
		caps->device = &m->device->dev;
		caps->mapped_bytes = mapped_bytes;
	}
}

static u64 mock_table_bytes(struct sg_table *pages)
{
	struct scatterlist *sg;
	u64 bytes = 0;
	int i;

	for_each_sgtable_sg(pages, sg, i)
		bytes += sg->length;
	return bytes;
}

static int mock_map(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	u64 bytes = mock_table_bytes(pages);
	struct mock *m = driver;
	int err;

	if (map_us)
		fsleep(map_us);
	if (mock_due(&map_fail))
		return -EIO;
	if (map_room && atomic64_read(&m->mapped) + bytes > map_room)
		return -ENOMEM;
	err = dma_map_sgtable(&m->device->dev, pages, direction,
			      DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_WARN);
	if (err)
		return err;
	atomic64_add(bytes, &m->mapped);
	atomic_inc(&mapped);
	atomic_set(&segments, pages->nents);
	if (mock_due(&map_lie))
		sg_dma_len(pages->sgl) -= PAGE_SIZE;
	return 0;
}

static void mock_unmap(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	struct mock *m = driver;

	sg_dma_len(pages->sgl) = pages->sgl->length;	/* it may have lied */
	dma_unmap_sgtable(&m->device->dev, pages, direction, DMA_ATTR_SKIP_CPU_SYNC);
	atomic64_sub(mock_table_bytes(pages), &m->mapped);
	atomic_dec(&mapped);
}

/* A chunk waits for those before it, in virtual time too. */
static void mock_enqueue(struct mock *m, struct mock_item *item, const struct aif_chunk_desc *desc)
{
	item->desc = desc;
	item->engine = desc->engine;
	item->cookie = desc->cookie;
	item->hangs = mock_due(&hang);
	m->busy_until_ns = max(m->busy_until_ns, m->clock_ns) + fixed_ns +
			   div_u64((u64)desc->bytes * ps_byte, 1000);
	item->finish_ns = m->busy_until_ns;
	list_move_tail(&item->node, &m->queue);
}

static int mock_submit(void *driver, const struct aif_chunk_desc *desc)
{
	struct mock *m = driver;
	struct mock_item *item;
	unsigned long flags;

	if (mock_due(&refuse))
		return -EBUSY;
	spin_lock_irqsave(&m->lock, flags);
	item = list_first_entry_or_null(&m->spare, struct mock_item, node);
	if (item)
		mock_enqueue(m, item, desc);
	spin_unlock_irqrestore(&m->lock, flags);
	if (!item)
		return -EBUSY;
	atomic_inc(&submitted);
	queue_work(m->wq, &m->run);
	return 0;
}

/* Always too late. */
static void mock_cancel(void *driver, u64 cookie)
{
	atomic_inc(&cancelled);
}

/* All that it has is forgotten, but for the first if there is to be a late answer. */
static void mock_forget(struct mock *m)
{
	struct mock_item *item;

	cancel_work_sync(&m->run);
	spin_lock_irq(&m->lock);
	item = list_first_entry_or_null(&m->queue, struct mock_item, node);
	if (item && mock_due(&late)) {
		m->forgotten = *item;
		queue_delayed_work(m->wq, &m->answer_late, HZ / 20);
	}
	list_splice_init(&m->queue, &m->spare);
	spin_unlock_irq(&m->lock);
}

static void mock_answer_late(struct work_struct *work)
{
	struct mock *m = container_of(to_delayed_work(work), struct mock, answer_late);

	mock_answer(m, &m->forgotten, 0, 1);
}

static int mock_reset(void *driver)
{
	if (reset_error)
		return -(int)reset_error;
	mock_forget(driver);
	return 0;
}

static int mock_quiesce(void *driver)
{
	struct mock *m = driver;

	if (quiesce_error)
		return -(int)quiesce_error;
	mock_forget(m);
	cancel_delayed_work_sync(&m->answer_late);
	return 0;
}

/* One that maps nothing is as if it had been compiled before there was map(). */
static const struct aif_engine_ops mock_ops = {
	.capabilities = mock_capabilities,
	.submit_chunk = mock_submit,
	.cancel = mock_cancel,
	.reset = mock_reset,
	.quiesce = mock_quiesce,
	.map = mock_map,
	.unmap = mock_unmap,
};

/* ---- plugged in and out ---- */

static void mock_free(struct mock *m)
{
	if (m->device)
		platform_device_unregister(m->device);
	if (m->wq)
		destroy_workqueue(m->wq);
	kfree(m->items);
	kfree(m);
}

static struct mock *mock_new(void)
{
	struct mock *m = kzalloc(sizeof(*m), GFP_KERNEL);
	unsigned int i;

	if (!m)
		return NULL;
	m->wq = alloc_ordered_workqueue("aif_mock", 0);
	m->depth = READ_ONCE(depth);
	m->items = kcalloc(m->depth, sizeof(*m->items), GFP_KERNEL);
	if (!m->wq || !m->items) {
		mock_free(m);
		return NULL;
	}
	INIT_WORK(&m->run, mock_run);
	INIT_DELAYED_WORK(&m->answer_late, mock_answer_late);
	init_irq_work(&m->interrupt, mock_interrupt);
	spin_lock_init(&m->lock);
	INIT_LIST_HEAD(&m->queue);
	INIT_LIST_HEAD(&m->spare);
	for (i = 0; i < m->depth; i++)
		list_add_tail(&m->items[i].node, &m->spare);
	return m;
}

/* A device for the DMA API to map for: it reaches all memory. */
static int mock_add_device(struct mock *m)
{
	struct platform_device *device = platform_device_register_simple("aif_mock", -1, NULL, 0);

	if (IS_ERR(device))
		return PTR_ERR(device);
	m->device = device;
	return dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
}

static int mock_plug(void)
{
	struct aif_engine *engine;
	struct mock *m = mock_new();
	int err = m ? 0 : -ENOMEM;

	if (!err && maps)
		err = mock_add_device(m);
	if (err) {
		if (m)
			mock_free(m);
		return err;
	}
	engine = aif_engine_register("mock", &mock_ops,
				     m->device ? sizeof(mock_ops) :
						 offsetof(struct aif_engine_ops, map),
				     AIF_ENGINE_VERSION, m);
	if (IS_ERR(engine)) {
		mock_free(m);
		return PTR_ERR(engine);
	}
	m->engine = engine;
	mock = m;
	return 0;
}

static void mock_unplug(void)
{
	aif_engine_unregister(mock->engine);
	cancel_delayed_work_sync(&mock->answer_late);	/* quiesce() may have failed */
	mock_free(mock);
	mock = NULL;
}

static int mock_set_plugged(const char *text, const struct kernel_param *param)
{
	bool on;
	int err = kstrtobool(text, &on);

	if (err)
		return err;
	mutex_lock(&mock_plug_lock);
	if (on && !mock)
		err = mock_plug();
	else if (!on && mock)
		mock_unplug();
	mutex_unlock(&mock_plug_lock);
	return err;
}

static int mock_get_plugged(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", !!READ_ONCE(mock));
}

/* Move the engine's clock; or let it go on with what hangs. */
static int mock_set_clock(const char *text, const struct kernel_param *param)
{
	struct mock_item *item;
	u64 ns;
	int err = kstrtou64(text, 0, &ns);

	if (err)
		return err;
	mutex_lock(&mock_plug_lock);
	if (mock) {
		spin_lock_irq(&mock->lock);
		mock->clock_ns += ns;
		if (param->arg)
			list_for_each_entry(item, &mock->queue, node)
				item->hangs = false;
		spin_unlock_irq(&mock->lock);
		queue_work(mock->wq, &mock->run);
		flush_work(&mock->run);
	}
	mutex_unlock(&mock_plug_lock);
	return 0;
}

static const struct kernel_param_ops mock_plugged_ops = {
	.set = mock_set_plugged,
	.get = mock_get_plugged,
};

static const struct kernel_param_ops mock_clock_ops = {
	.set = mock_set_clock,
};

module_param_cb(plugged, &mock_plugged_ops, NULL, 0644);
MODULE_PARM_DESC(plugged, "0: hot unplug");
module_param_cb(advance_ns, &mock_clock_ops, NULL, 0200);
MODULE_PARM_DESC(advance_ns, "move virtual time");
module_param_cb(resume, &mock_clock_ops, &hang, 0200);
MODULE_PARM_DESC(resume, "what hangs goes on");

static int __init mock_init(void)
{
	int err;

	mutex_lock(&mock_plug_lock);
	err = mock_plug();
	mutex_unlock(&mock_plug_lock);
	return err;
}

static void __exit mock_exit(void)
{
	mutex_lock(&mock_plug_lock);
	if (mock)
		mock_unplug();
	mutex_unlock(&mock_plug_lock);
}

module_init(mock_init);
module_exit(mock_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AIF: an engine without a device, for tests");
