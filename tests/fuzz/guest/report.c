// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define LINES	30u
#define LENGTH	400u

static char lines[LINES][LENGTH];
static uint32_t said;		/* lines so far */
static bool aloud;
int fail_status = 3;

static char *line_at(uint32_t n)
{
	return lines[n % LINES];
}

void say_aloud(bool on)
{
	aloud = on;
}

void say_op(uint32_t n)
{
	if (aloud && said)
		fprintf(stderr, "# %s\n", line_at(said - 1));
	snprintf(line_at(said++), LENGTH, "%u: ", n);
}

void say(const char *fmt, ...)
{
	char *line = line_at(said ? said - 1 : 0);
	size_t length = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + length, LENGTH - length, fmt, ap);
	va_end(ap);
}

void say_last(void)
{
	uint32_t i = said > LINES ? said - LINES : 0;

	fprintf(stderr, "# the last operations:\n");
	for (; i < said; i++)
		fprintf(stderr, "#   %s\n", line_at(i));
}

void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "# WRONG: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(fail_status);
}

const char *result_name(long ret)
{
	static char text[4][32];
	static unsigned int turn;
	char *t = text[turn++ % 4];

	if (ret < 0 && strerrorname_np((int)-ret))
		snprintf(t, sizeof(text[0]), "-%s", strerrorname_np((int)-ret));
	else
		snprintf(t, sizeof(text[0]), "%ld", ret);
	return t;
}
