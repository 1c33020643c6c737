/* SPDX-License-Identifier: MIT */
/* texts.h - texts one after the other, from arguments or from a stream */
#ifndef AIF_TOOLS_TEXTS_H
#define AIF_TOOLS_TEXTS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * @argv:      strings, NULL at the end; or NULL: read @stream
 * @separator: '\n' or '\0': ends each text of a stream, and is not part of it
 */
struct texts {
	char **argv;
	FILE *stream;
	int separator;
	char *line;		/* of the stream; free() it at the end */
	size_t room;
};

/*
 * The next text in @text, valid until the next call; returns its length.  -1 at the
 * end, or with errno when the stream cannot be read: texts_failed().
 */
ssize_t texts_next(struct texts *texts, const char **text);
bool texts_failed(const struct texts *texts);

#endif
