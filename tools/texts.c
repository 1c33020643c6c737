// SPDX-License-Identifier: MIT
#include "tools/texts.h"

#include <string.h>

ssize_t texts_next(struct texts *t, const char **text)
{
	ssize_t length;

	if (t->argv) {
		*text = *t->argv;
		if (!*text)
			return -1;
		t->argv++;
		return (ssize_t)strlen(*text);
	}
	length = getdelim(&t->line, &t->room, t->separator, t->stream);
	if (length > 0 && t->line[length - 1] == t->separator)
		length--;
	*text = t->line;
	return length;
}

/* Not ferror(): a line that there is no memory for is no error of the stream's. */
bool texts_failed(const struct texts *t)
{
	return t->stream && !feof(t->stream);
}
