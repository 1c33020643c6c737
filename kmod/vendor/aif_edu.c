// SPDX-License-Identifier: GPL-2.0-only
/*
 * aif_edu.ko: QEMU's "edu" PCI card as an engine.  Real DMA, real MSI, and small enough to
 * be the beginning of another driver: what is the card's own is in the first half.
 *
 * The card copies between memory and 4 KiB of its own, one piece at a time, so memory to
 * memory is two pieces.  Its DMA reaches 256 MiB.  Without an IOMMU all memory, bounce
 * buffers included, must lie below: probe says so where it does not.
 *
 * For tests:
 *	lose_irqs	so many interrupts are not heard
 *	stray		so many writes go to an address that was mapped for nobody
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>

#include "../include/aif_vendor.h"

#define EDU_ID			0x00	/* 0xRRrr00ed: its version, and what it is */
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_TARGET		0x88
#define EDU_DMA_BYTES		0x90
#define EDU_DMA_COMMAND		0x98
#define   EDU_DMA_RUN		BIT(0)	/* clear when it is done */
#define   EDU_DMA_TO_MEMORY	BIT(1)
#define   EDU_DMA_IRQ		BIT(2)

#define EDU_IRQ_DMA		BIT(8)
#define EDU_BUFFER		0x40000	/* the card's own, as its DMA sees it */
#define EDU_BYTES		2048	/* of a piece; some versions die of 4096 */
#define EDU_MASK		DMA_BIT_MASK(28)
#define EDU_GONE		(~0u)	/* what is read of a card that was pulled out */
#define EDU_STRAY		0xbad000 /* addresses are given out from the top */

static int lose_irqs;
module_param(lose_irqs, int, 0644);
MODULE_PARM_DESC(lose_irqs, "test: so many interrupts are not heard");

static int stray;
module_param(stray, int, 0644);
MODULE_PARM_DESC(stray, "test: so many writes go to an address that is not mapped");

struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct aif_engine *engine;
	spinlock_t lock;			/* what follows, and DMA registers */
	const struct aif_chunk_desc *chunk;	/* under way, or NULL */
	u32 segment;				/* of it */
	bool filled;				/* that segment is in the card */
};

/* ---- the card ---- */

/* A misdeed less, if there are any; the lock is held. */
static bool edu_due(int *count)
{
	if (!*count)
		return false;
	(*count)--;
	return true;
}

static const struct aif_segment *edu_segment(const struct edu *e)
{
	return (const void *)e->chunk->segments + e->segment * e->chunk->segment_size;
}

/* The next piece: into the card, or out of it. */
static void edu_start(struct edu *e)
{
	const struct aif_segment *seg = edu_segment(e);
	dma_addr_t target = seg->to_dma;

	lockdep_assert_held(&e->lock);
	if (e->filled && edu_due(&stray))
		target = EDU_STRAY;
	writeq(e->filled ? EDU_BUFFER : seg->from_dma, e->regs + EDU_DMA_SOURCE);
	writeq(e->filled ? target : EDU_BUFFER, e->regs + EDU_DMA_TARGET);
	writeq(seg->bytes, e->regs + EDU_DMA_BYTES);
	writeq(EDU_DMA_RUN | EDU_DMA_IRQ | (e->filled ? EDU_DMA_TO_MEMORY : 0),
	       e->regs + EDU_DMA_COMMAND);
}

/* A piece is done; the chunk that is done with it, or NULL. */
static const struct aif_chunk_desc *edu_advance(struct edu *e)
{
	const struct aif_chunk_desc *chunk = e->chunk;

	lockdep_assert_held(&e->lock);
	if (!chunk || readl(e->regs + EDU_DMA_COMMAND) & EDU_DMA_RUN)
		return NULL;
	e->segment += e->filled;
	e->filled = !e->filled;
	if (e->segment < chunk->segment_count) {
		edu_start(e);
		return NULL;
	}
	e->chunk = NULL;
	return chunk;
}

static irqreturn_t edu_interrupt(int irq, void *data)
{
	const struct aif_chunk_desc *chunk = NULL;
	struct aif_chunk_desc done = { };
	struct edu *e = data;
	u32 status = readl(e->regs + EDU_IRQ_STATUS);

	if (!(status & EDU_IRQ_DMA) || status == EDU_GONE)
		return IRQ_NONE;
	spin_lock(&e->lock);
	writel(status, e->regs + EDU_IRQ_ACK);
	if (!edu_due(&lose_irqs))
		chunk = edu_advance(e);
	if (chunk)
		done = *chunk;	/* it is ours until it is answered, or taken back */
	spin_unlock(&e->lock);
	if (chunk)
		aif_engine_done(done.engine, done.cookie, 0, done.bytes);
	return IRQ_HANDLED;
}

/* What runs ends by itself, after 100 ms. */
static int edu_wait(struct edu *e)
{
	unsigned int tries;
	u32 command;

	for (tries = 0; tries < 50; tries++) {
		command = readl(e->regs + EDU_DMA_COMMAND);
		if (command == EDU_GONE || !(command & EDU_DMA_RUN))
			return 0;
		msleep(20);
	}
	return -ETIMEDOUT;
}

/* Nothing is begun any more. */
static int edu_stop(struct edu *e)
{
	spin_lock_irq(&e->lock);
	e->chunk = NULL;
	spin_unlock_irq(&e->lock);
	synchronize_irq(pci_irq_vector(e->pdev, 0));
	return edu_wait(e);
}

/* ---- what AIF calls ---- */

static void edu_capabilities(void *driver, struct aif_engine_caps *caps)
{
	const struct edu *e = driver;

	caps->kinds = BIT(AIF_CHUNK_COPY);
	caps->depth = 1;
	caps->max_bytes = EDU_BYTES;
	caps->timeout_ms = 5000;
	caps->fixed_ns = 200 * NSEC_PER_MSEC;
	caps->device = &e->pdev->dev;
}

static int edu_submit(void *driver, const struct aif_chunk_desc *chunk)
{
	struct edu *e = driver;
	unsigned long flags;
	int err = -EBUSY;

	spin_lock_irqsave(&e->lock, flags);
	if (!e->chunk) {
		e->chunk = chunk;
		e->segment = 0;
		e->filled = false;
		edu_start(e);
		err = 0;
	}
	spin_unlock_irqrestore(&e->lock, flags);
	return err;
}

static int edu_reset(void *driver)
{
	return edu_stop(driver);
}

/* A card that does not stop is kept from memory, and stays so. */
static int edu_quiesce(void *driver)
{
	struct edu *e = driver;

	if (!edu_stop(e))
		return 0;
	pci_clear_master(e->pdev);
	return pci_wait_for_pending_transaction(e->pdev) ? 0 : -EBUSY;
}

static int edu_map(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	struct edu *e = driver;

	return dma_map_sgtable(&e->pdev->dev, pages, direction,
			       DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_WARN);
}

static void edu_unmap(void *driver, struct sg_table *pages, enum dma_data_direction direction)
{
	struct edu *e = driver;

	dma_unmap_sgtable(&e->pdev->dev, pages, direction, DMA_ATTR_SKIP_CPU_SYNC);
}

static const struct aif_engine_ops edu_ops = {
	.capabilities = edu_capabilities,
	.submit_chunk = edu_submit,
	.reset = edu_reset,
	.quiesce = edu_quiesce,
	.map = edu_map,
	.unmap = edu_unmap,
};

/* ---- its coming and going ---- */

/* Whether it reaches all that can be mapped for it. */
static int edu_set_mask(struct pci_dev *pdev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&pdev->dev);
	bool translated = domain && domain->type != IOMMU_DOMAIN_IDENTITY;
	int err = dma_set_mask_and_coherent(&pdev->dev, EDU_MASK);

	if (!err && !translated && dma_get_required_mask(&pdev->dev) > EDU_MASK)
		err = -EOPNOTSUPP;
	if (err)
		dev_err(&pdev->dev, "reaches %llu MiB, and memory goes on behind that: less memory or an IOMMU would do\n",
			(EDU_MASK + 1) >> 20);
	return err;
}

/* Its registers; what pcim_ acquires goes by itself. */
static int edu_claim(struct edu *e)
{
	int err = pcim_enable_device(e->pdev) ?: pcim_iomap_regions(e->pdev, BIT(0), "aif_edu");

	if (err)
		return err;
	e->regs = pcim_iomap_table(e->pdev)[0];
	if ((readl(e->regs + EDU_ID) & 0xff) != 0xed)
		return -ENODEV;
	return edu_wait(e);	/* before it may reach memory: it may still do what another began */
}

/* From here on there may be interrupts, and then chunks. */
static int edu_begin(struct edu *e)
{
	struct pci_dev *pdev = e->pdev;
	char name[AIF_ENGINE_NAME_MAX];
	int err;

	err = request_irq(pci_irq_vector(pdev, 0), edu_interrupt, 0, "aif_edu", e);
	if (err)
		return err;
	snprintf(name, sizeof(name), "edu-%02x.%02x.%x", pdev->bus->number,
		 PCI_SLOT(pdev->devfn), PCI_FUNC(pdev->devfn));
	e->engine = aif_engine_register(name, &edu_ops, sizeof(edu_ops), AIF_ENGINE_VERSION, e);
	if (IS_ERR(e->engine))
		free_irq(pci_irq_vector(pdev, 0), e);
	return PTR_ERR_OR_ZERO(e->engine);
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *e = devm_kzalloc(&pdev->dev, sizeof(*e), GFP_KERNEL);
	int err;

	if (!e)
		return -ENOMEM;
	e->pdev = pdev;
	spin_lock_init(&e->lock);
	pci_set_drvdata(pdev, e);
	err = edu_set_mask(pdev) ?: edu_claim(e);
	if (err)
		return err;
	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI);
	if (err < 0)
		return err;
	err = edu_begin(e);
	if (err) {
		pci_free_irq_vectors(pdev);
		pci_clear_master(pdev);
	}
	return err;
}

/* Also when it was pulled out under load. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *e = pci_get_drvdata(pdev);

	aif_engine_unregister(e->engine);
	free_irq(pci_irq_vector(pdev, 0), e);
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "aif_edu",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};
module_pci_driver(edu_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AIF: QEMU's edu card as an engine");
