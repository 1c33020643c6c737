/* SPDX-License-Identifier: MIT */
/* opts.h - options structs of callers older and newer than we are. */
#ifndef AIF_BACKEND_OPTS_H
#define AIF_BACKEND_OPTS_H

#include <stddef.h>

/*
 * Copy @from, which begins with its size and may be NULL, to @to: what the caller's
 * version lacks is zero.  -EINVAL: it sets something that is not known here.
 */
int aif_opts_copy(void *to, size_t size, const void *from);

#endif
