/* SPDX-License-Identifier: GPL-2.0-only */
/* What aif_vendor.c exports under the names that <aif_vendor.h> has for it. */
#ifndef AIF_ENGINE_H
#define AIF_ENGINE_H

#include "include/aif_vendor.h"

struct aif_engine *aif_engine_create(const char *name, const void *ops, u32 size, u32 version,
				     void *driver);
void aif_engine_destroy(struct aif_engine *e);
void aif_engine_answer(struct aif_engine *e, u64 cookie, int status, u32 bytes);

#endif
