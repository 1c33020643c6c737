// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vendors' drivers link to.  Here, where nothing but <aif_vendor.h> is seen: a
 * symbol's version covers every structure that its prototype leads to, and must not
 * change with the inside of ours.
 */
#include <linux/export.h>

#include "aif_engine.h"

struct aif_engine *aif_engine_register(const char *name, const void *ops, u32 size, u32 version,
				       void *driver)
{
	return aif_engine_create(name, ops, size, version, driver);
}
EXPORT_SYMBOL_GPL(aif_engine_register);

void aif_engine_unregister(struct aif_engine *e)
{
	aif_engine_destroy(e);
}
EXPORT_SYMBOL_GPL(aif_engine_unregister);

void aif_engine_done(struct aif_engine *e, u64 cookie, int status, u32 bytes)
{
	aif_engine_answer(e, cookie, status, bytes);
}
EXPORT_SYMBOL_GPL(aif_engine_done);
