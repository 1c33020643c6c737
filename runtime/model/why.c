// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/model/why.h"

/* C0, DEL, and C1 as UTF-8 spells it (c2 80 to c2 9f). */
static void make_printable(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s; s++) {
		if (*s < 0x20 || *s == 0x7f)
			*s = '?';
		else if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
			s[0] = s[1] = '?';
	}
}

void aif_why_format(struct aif_why *why, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	make_printable(why->text);
}

void aif_why_format_prefix(struct aif_why *why, const char *fmt, ...)
{
	char rest[sizeof(why->text)];
	va_list ap;
	size_t n;

	if (!why)
		return;
	memcpy(rest, why->text, sizeof(rest));
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	n = strlen(why->text);
	snprintf(why->text + n, sizeof(why->text) - n, ": %s", rest);
	make_printable(why->text);
}
