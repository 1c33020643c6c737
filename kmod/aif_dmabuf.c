// SPDX-License-Identifier: GPL-2.0-only
/*
 * `import` buffers: a dma-buf of somebody else's, whose memory the kernel sees at one
 * address for as long as the buffer lives.  No device of ours is attached to it.
 *
 * What the exporter has to do before the CPU looks, and afterwards, may wait for other
 * devices: it is done for who asks for it (BUFFER_SYNC), who can be killed meanwhile, and
 * never for a chunk.  So an import is *open* or not, and only a transfer to an open one is
 * accepted; it stays open until no such transfer is left.
 *
 * The dma-buf keeps its exporter, and the exporter the memory.  The exporter's own locks
 * (dma_resv) are taken inside of ours.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/iosys-map.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "aif.h"

MODULE_IMPORT_NS("DMA_BUF");

struct aif_import {
	struct dma_buf *dmabuf;
	struct iosys_map map;		/* null: not mapped yet */
	struct mutex lock;		/* opening and closing */
	spinlock_t open_lock;		/* innermost */
	enum dma_data_direction open;	/* DMA_NONE: not; both locks to change */
	u32 users;			/* ends of transfers; open_lock */
};

/* ---- made and ended ---- */

/*
 * Exporters whose memory stays where dma_buf_vmap() saw it, and who can show it.  Not all
 * do: a graphics driver may move it as long as no device is attached, or answer that it has
 * none to show, which dma_buf_vmap() itself warns of.  Those of drm are told by their module.
 */
static char aif_import_from[128] = "udmabuf,system,vgem";
module_param_string(import_from, aif_import_from, sizeof(aif_import_from), 0444);
MODULE_PARM_DESC(import_from, "exporters of dma-bufs, or their modules, that keep memory in its place");

/* Is @name one of @list, which has commas between? */
static bool aif_listed(const char *list, const char *name)
{
	size_t n = strlen(name), word;

	for (; *list; list += word + (list[word] == ',')) {
		word = strcspn(list, ",");
		if (word == n && !strncmp(list, name, n))
			return true;
	}
	return false;
}

static bool aif_import_stays(const struct dma_buf *dmabuf)
{
	return aif_listed(aif_import_from, dmabuf->exp_name) ||
	       (dmabuf->owner && aif_listed(aif_import_from, module_name(dmabuf->owner)));
}

static int aif_import_check(const struct dma_buf *dmabuf, u64 most, bool writable)
{
	fmode_t mode = FMODE_READ | (writable ? FMODE_WRITE : 0);

	if (!dmabuf->size || dmabuf->size > most)
		return -EINVAL;
	if ((dmabuf->file->f_mode & mode) != mode)
		return -EACCES;
	return dmabuf->ops->vmap && aif_import_stays(dmabuf) ? 0 : -EOPNOTSUPP;
}

/* The dma-buf that is @fd, not mapped yet, of no more than @most bytes; or ERR_PTR. */
struct aif_import *aif_import_get(int fd, u64 most, bool writable)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct aif_import *im;
	int err;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	err = aif_import_check(dmabuf, most, writable);
	im = err ? NULL : kzalloc(sizeof(*im), GFP_KERNEL_ACCOUNT);
	if (!im) {
		dma_buf_put(dmabuf);
		return ERR_PTR(err ?: -ENOMEM);
	}
	im->dmabuf = dmabuf;
	mutex_init(&im->lock);
	spin_lock_init(&im->open_lock);
	im->open = DMA_NONE;
	return im;
}

u64 aif_import_bytes(const struct aif_import *im)
{
	return im->dmabuf->size;
}

/* What the exporter allocates is its owner's, not the opener's of our file. */
int aif_import_map(struct aif_import *im)
{
	struct mem_cgroup *old = set_active_memcg(NULL);
	int err = dma_buf_vmap_unlocked(im->dmabuf, &im->map);

	set_active_memcg(old);
	/* A device's registers are no memory that the CPU engine could copy. */
	return err ?: im->map.is_iomem ? -EOPNOTSUPP : 0;
}

void aif_import_free(struct aif_import *im)
{
	if (im->open != DMA_NONE)
		dma_buf_end_cpu_access(im->dmabuf, im->open);
	if (iosys_map_is_set(&im->map))
		dma_buf_vunmap_unlocked(im->dmabuf, &im->map);
	dma_buf_put(im->dmabuf);
	kfree(im);
}

/* ---- transfers ---- */

/* One end of a transfer is in it from now on; -ENXIO: it is not open for that. */
int aif_import_use(struct aif_import *im, bool write)
{
	int err = 0;

	spin_lock(&im->open_lock);
	if (im->open == DMA_NONE || (write && im->open != DMA_BIDIRECTIONAL))
		err = -ENXIO;
	else
		im->users++;
	spin_unlock(&im->open_lock);
	return err;
}

void aif_import_unuse(struct aif_import *im)
{
	spin_lock(&im->open_lock);
	im->users--;
	spin_unlock(&im->open_lock);
}

/* Where the CPU finds its byte @at. */
void *aif_import_at(const struct aif_import *im, u64 at)
{
	return im->map.vaddr + at;
}

/* ---- opened and closed ---- */

static void aif_import_set_open(struct aif_import *im, enum dma_data_direction direction)
{
	spin_lock(&im->open_lock);
	im->open = direction;
	spin_unlock(&im->open_lock);
}

static int aif_import_open(struct aif_import *im, enum dma_data_direction direction)
{
	int err;

	if (im->open != DMA_NONE)
		return -EALREADY;
	err = dma_buf_begin_cpu_access(im->dmabuf, direction);
	if (!err)
		aif_import_set_open(im, direction);
	return err;
}

static int aif_import_close(struct aif_import *im)
{
	enum dma_data_direction was = im->open;
	int err;

	if (was == DMA_NONE)
		return -EALREADY;
	spin_lock(&im->open_lock);
	if (!im->users)
		im->open = DMA_NONE;
	spin_unlock(&im->open_lock);
	if (im->open != DMA_NONE)
		return -EBUSY;
	err = dma_buf_end_cpu_access(im->dmabuf, was);
	if (err)
		aif_import_set_open(im, was);	/* it may be asked for again */
	return err;
}

static int aif_import_sync(struct aif_import *im, u32 flags)
{
	int err;

	if (mutex_lock_killable(&im->lock))
		return -EINTR;
	if (flags & AIF_SYNC_F_END)
		err = aif_import_close(im);
	else
		err = aif_import_open(im, flags & AIF_SYNC_F_WRITE ? DMA_BIDIRECTIONAL :
								     DMA_FROM_DEVICE);
	mutex_unlock(&im->lock);
	return err == -ERESTARTSYS ? -EINTR : err;
}

/* Whose it is opens and closes it: to others it may be neither closed nor kept open. */
static int aif_buffer_sync_import(const struct aif_client *c, struct aif_buffer *b, u32 flags)
{
	if (!b->import)
		return -EINVAL;
	return b->tenant == c->tenant ? aif_import_sync(b->import, flags) : -EPERM;
}

int aif_buffer_sync(struct aif_client *c, const struct aif_ioc_buffer_sync *arg)
{
	u32 rights = AIF_RIGHT_TRANSFER | (arg->flags & AIF_SYNC_F_WRITE ? AIF_RIGHT_WRITE : 0);
	struct aif_buffer *b;
	int err;

	if (!(READ_ONCE(c->granted_features) & AIF_F_IMPORT))
		return -EOPNOTSUPP;
	if (arg->__reserved || arg->flags > AIF_SYNC_F_END)	/* which stands alone */
		return -EINVAL;
	b = aif_handle_buffer(c, arg->handle, rights);
	if (IS_ERR(b))
		return PTR_ERR(b);
	err = aif_buffer_sync_import(c, b, arg->flags);
	aif_buffer_put(b);
	return err;
}
