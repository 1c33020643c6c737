/* SPDX-License-Identifier: MIT */
/*
 * log.h - what aifd says: one line a message on standard error
 *
 * The level is the environment's AIF_LOG_LEVEL (error, warn, info, debug), so that
 * workers and libaif have the daemon's.  [any thread]
 */
#ifndef AIFD_LOG_H
#define AIFD_LOG_H

#include <stdbool.h>

#include "libaif.h"

/*
 * Begin.  @level NULL: what AIF_LOG_LEVEL says, info if that is not set.  @who
 * stands before each message and must stay.  False: no such level.
 */
bool log_init(const char *level, const char *who);

__attribute__((format(printf, 2, 3)))
void log_line(enum aif_log_level level, const char *fmt, ...);

#define log_error(...)	log_line(AIF_LOG_ERROR, __VA_ARGS__)
#define log_warn(...)	log_line(AIF_LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_line(AIF_LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(AIF_LOG_DEBUG, __VA_ARGS__)

#endif
