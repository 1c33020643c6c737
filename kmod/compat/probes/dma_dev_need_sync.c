// SPDX-License-Identifier: GPL-2.0-only
/* 6.10: a device can say that none of its mappings needs to be synchronised. */
#include <linux/dma-mapping.h>

bool probe(const struct device *dev);
bool probe(const struct device *dev)
{
	return dma_dev_need_sync(dev);
}
