// SPDX-License-Identifier: GPL-2.0-only
/*
 * Imports of an exporter that counts what it is asked, and refuses what it is told to: not to
 * map, which dma_buf_vmap() itself warns of.
 */
#include <linux/dma-buf.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/vmalloc.h>

#include "aif_fixture.h"

#define BYTES	(2 * PAGE_SIZE)

static struct exporter {
	const char *name;
	void *va;
	bool iomem;
	int begin_error, end_error;
	int vmaps, vunmaps, begun, ended, released;
	enum dma_data_direction direction;
} ex;

static struct sg_table *no_map(struct dma_buf_attachment *at, enum dma_data_direction direction)
{
	return ERR_PTR(-ENODEV);
}

static void no_unmap(struct dma_buf_attachment *at, struct sg_table *table,
		     enum dma_data_direction direction)
{
}

static int ex_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	ex.vmaps++;
	if (ex.iomem)
		iosys_map_set_vaddr_iomem(map, (void __iomem *)ex.va);
	else
		iosys_map_set_vaddr(map, ex.va);
	return 0;
}

static void ex_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	ex.vunmaps++;
}

static int ex_begin(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	if (ex.begin_error)
		return ex.begin_error;
	ex.begun++;
	ex.direction = direction;
	return 0;
}

static int ex_end(struct dma_buf *dmabuf, enum dma_data_direction direction)
{
	if (ex.end_error)
		return ex.end_error;
	ex.ended += direction == ex.direction;
	return 0;
}

static void ex_release(struct dma_buf *dmabuf)
{
	ex.released++;
}

static const struct dma_buf_ops blind_ops = {
	.map_dma_buf = no_map,
	.unmap_dma_buf = no_unmap,
	.release = ex_release,
};

static const struct dma_buf_ops ex_ops = {
	.map_dma_buf = no_map,
	.unmap_dma_buf = no_unmap,
	.release = ex_release,
	.vmap = ex_vmap,
	.vunmap = ex_vunmap,
	.begin_cpu_access = ex_begin,
	.end_cpu_access = ex_end,
};

/* An fd of it, with @flags of open(2). */
static int export(struct kunit *test, const struct dma_buf_ops *ops, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.exp_name = ex.name ?: "udmabuf";
	info.ops = ops;
	info.size = BYTES;
	info.flags = flags;
	info.priv = &ex;
	dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	return fd;
}

static struct aif_client *importer(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 4);

	ex = (struct exporter){ .va = vzalloc(BYTES) };
	KUNIT_ASSERT_NOT_NULL(test, ex.va);
	kunit_add_action_or_reset(test, (kunit_action_t *)vfree, ex.va);
	c->granted_features |= AIF_F_IMPORT | AIF_F_TRANSFER;
	return c;
}

/* -errno, or its handle; the fd is closed. */
static int import(struct kunit *test, struct aif_client *c, int fd, u32 flags)
{
	struct aif_ioc_buffer_import arg = { .fd = fd, .flags = flags };
	int err = aif_buffer_import(c, &arg);

	aif_fx_close_fd(test, fd);
	KUNIT_EXPECT_EQ(test, arg.out_bytes, err ? 0 : BYTES);
	return err ?: arg.out_handle;
}

static int sync(struct aif_client *c, int handle, u32 flags)
{
	struct aif_ioc_buffer_sync arg = { .handle = handle, .flags = flags };

	return aif_buffer_sync(c, &arg);
}

/* All that was taken of the exporter it has again. */
static void expect_let_go(struct kunit *test, struct aif_client *c, int maps)
{
	KUNIT_EXPECT_EQ(test, ex.vmaps, maps);
	KUNIT_EXPECT_EQ(test, ex.vunmaps, maps);
	KUNIT_EXPECT_EQ(test, ex.begun, ex.ended);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->pinned), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.pinned_bytes), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 0);
}

static void test_dmabuf_refused(struct kunit *test)
{
	struct aif_client *c = importer(test);

	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &blind_ops, O_RDWR), 0), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &ex_ops, O_RDONLY), AIF_PIN_F_WRITE),
			-EACCES);
	ex.name = "udma";
	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &ex_ops, O_RDWR), 0), -EOPNOTSUPP);
	ex.name = "system";
	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &ex_ops, O_WRONLY), 0), -EACCES);
	expect_let_go(test, c, 0);
	ex.iomem = true;
	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &ex_ops, O_RDWR), 0), -EOPNOTSUPP);
	expect_let_go(test, c, 1);
}

/* To the last byte, together with what is pinned otherwise. */
static void test_dmabuf_charged(struct kunit *test)
{
	struct aif_client *c = importer(test);
	int first;

	AIF_FX_SET(test, aif_tenant_pinned, BYTES);
	first = import(test, c, export(test, &ex_ops, O_RDWR), 0);
	KUNIT_ASSERT_GT(test, first, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&c->tenant->pinned), BYTES);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.pinned_bytes), BYTES);
	KUNIT_EXPECT_EQ(test, import(test, c, export(test, &ex_ops, O_RDWR), 0), -EDQUOT);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, first), 0);
	expect_let_go(test, c, 1);
}

static void test_dmabuf_open(struct kunit *test)
{
	struct aif_client *c = importer(test);
	int h = import(test, c, export(test, &ex_ops, O_RDWR), AIF_PIN_F_WRITE);

	KUNIT_ASSERT_GT(test, h, 0);
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), -EALREADY);
	ex.begin_error = -EIO;
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), -EIO);
	ex.begin_error = -ERESTARTSYS;
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), -EINTR);
	ex.begin_error = 0;
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_WRITE), 0);
	KUNIT_EXPECT_EQ(test, ex.direction, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), -EALREADY);
	ex.end_error = -ERESTARTSYS;
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), -EINTR);
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), -EALREADY);
	ex.end_error = 0;
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), 0);
	KUNIT_EXPECT_EQ(test, ex.ended, 1);
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), 0);
	KUNIT_EXPECT_EQ(test, ex.direction, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, h), 0);
	KUNIT_EXPECT_EQ(test, ex.begun, 2);
	expect_let_go(test, c, 1);
}

/* Transfers keep it as open as they found it. */
static void test_dmabuf_used(struct kunit *test)
{
	struct aif_client *c = importer(test);
	int h = import(test, c, export(test, &ex_ops, O_RDWR), AIF_PIN_F_WRITE);
	struct aif_import *im;

	KUNIT_ASSERT_GT(test, h, 0);
	im = aif_fx_handle(c, h)->buffer->import;
	KUNIT_EXPECT_EQ(test, aif_import_use(im, false), -ENXIO);
	KUNIT_EXPECT_EQ(test, sync(c, h, 0), 0);
	KUNIT_EXPECT_EQ(test, aif_import_use(im, true), -ENXIO);
	KUNIT_EXPECT_EQ(test, aif_import_use(im, false), 0);
	KUNIT_EXPECT_EQ(test, aif_import_use(im, false), 0);
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), -EBUSY);
	aif_import_unuse(im);
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), -EBUSY);
	KUNIT_EXPECT_EQ(test, ex.ended, 0);
	aif_import_unuse(im);
	KUNIT_EXPECT_EQ(test, sync(c, h, AIF_SYNC_F_END), 0);
	KUNIT_EXPECT_EQ(test, ex.ended, 1);
	KUNIT_EXPECT_PTR_EQ(test, aif_import_at(im, 5), ex.va + 5);
	KUNIT_EXPECT_EQ(test, aif_handle_free(c, h), 0);
	expect_let_go(test, c, 1);
}

static struct kunit_case dmabuf_cases[] = {
	KUNIT_CASE(test_dmabuf_refused),
	KUNIT_CASE(test_dmabuf_charged),
	KUNIT_CASE(test_dmabuf_open),
	KUNIT_CASE(test_dmabuf_used),
	{}
};

static struct kunit_suite dmabuf_suite = {
	.name = "aif_dmabuf",
	.init = aif_fx_init,
	.test_cases = dmabuf_cases,
};

kunit_test_suite(dmabuf_suite);
