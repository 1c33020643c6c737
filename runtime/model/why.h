/* SPDX-License-Identifier: MIT */
/*
 * why.h - a sentence that explains an error, for people
 *
 * @why may be NULL: nobody wants to know.  Bytes that a terminal could act on are
 * replaced by '?', because parts of a sentence come out of files.
 */
#ifndef AIF_WHY_H
#define AIF_WHY_H

#include "aif_model.h"

__attribute__((format(printf, 2, 3)))
void aif_why_format(struct aif_why *why, const char *fmt, ...);

/* Put "@fmt: " in front of what is there, a file's name for example. */
__attribute__((format(printf, 2, 3)))
void aif_why_format_prefix(struct aif_why *why, const char *fmt, ...);

/* The value is @err, so that a failing function can end with it. */
#define aif_why_set(why, err, ...) (aif_why_format(why, __VA_ARGS__), (err))
#define aif_why_prefix(why, err, ...) (aif_why_format_prefix(why, __VA_ARGS__), (err))

#endif
