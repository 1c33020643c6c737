// SPDX-License-Identifier: MIT
/* One callback for what the library has to say. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

static aif_log_fn log_fn;
static void *log_ctx;
static enum aif_log_level log_level;

enum aif_log_level libaif_log_level(const char *name)
{
	static const char *const names[] = {
		[AIF_LOG_ERROR] = "error", [AIF_LOG_WARN] = "warn",
		[AIF_LOG_INFO] = "info", [AIF_LOG_DEBUG] = "debug",
	};
	unsigned int i;

	for (i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return (enum aif_log_level)i;
	}
	return AIF_LOG_WARN;
}

void aif_log_set(aif_log_fn fn, void *ctx)
{
	log_level = libaif_log_level(getenv("AIF_LOG_LEVEL"));
	log_ctx = ctx;
	log_fn = fn;
}

void libaif_log(enum aif_log_level level, const char *format, ...)
{
	char message[256];
	va_list args;

	if (!log_fn || level > log_level)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	log_fn(log_ctx, level, message);
}
