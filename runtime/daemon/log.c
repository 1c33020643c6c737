// SPDX-License-Identifier: MIT
#include "runtime/daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1536

static const char *const level_names[] = {
	[AIF_LOG_ERROR] = "error",
	[AIF_LOG_WARN] = "warn",
	[AIF_LOG_INFO] = "info",
	[AIF_LOG_DEBUG] = "debug",
};
static enum aif_log_level log_level = AIF_LOG_INFO;
static const char *log_who = "aifd";

static bool level_find(const char *name, enum aif_log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (!strcmp(name, level_names[i])) {
			*level = (enum aif_log_level)i;
			return true;
		}
	}
	return false;
}

static void library_message(void *ctx, enum aif_log_level level, const char *message)
{
	log_line(level, "libaif: %s", message);
}

bool log_init(const char *level, const char *who)
{
	if (!level)
		level = getenv("AIF_LOG_LEVEL");
	if (!level)
		level = "info";
	if (!level_find(level, &log_level))
		return false;
	log_who = who;
	setenv("AIF_LOG_LEVEL", level, 1);
	aif_log_set(library_message, NULL);
	return true;
}

/* One write(2) a line: processes that share the descriptor do not mix theirs. */
void log_line(enum aif_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n, more;

	if (level > log_level)
		return;
	n = snprintf(line, sizeof(line), "%s: %s: ", log_who, level_names[level]);
	va_start(ap, fmt);
	more = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	n += more;
	if (n > (int)sizeof(line) - 1)
		n = sizeof(line) - 1;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;	/* nobody listens */
}
