// SPDX-License-Identifier: MIT
#include "runtime/gateway/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 256

char *buf_room(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : ROOM_FIRST;
	char *data;

	if (b->failed || more > SIZE_MAX / 4 - b->length) {
		b->failed = true;
		return NULL;
	}
	while (room - b->length < more && !b->fixed)
		room *= 2;
	if (room == b->room && room - b->length >= more)
		return b->data + b->length;
	if (b->fixed) {
		b->failed = true;
		return NULL;
	}
	data = realloc(b->data, room);
	if (!data) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->room = room;
	return data + b->length;
}

void buf_add(struct buf *b, const void *bytes, size_t length)
{
	char *to = buf_room(b, length);

	if (!to || !length)
		return;
	memcpy(to, bytes, length);
	b->length += length;
}

void buf_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_format(struct buf *b, const char *fmt, ...)
{
	char *to = buf_room(b, ROOM_FIRST);
	va_list ap;
	int n;

	if (!to)
		return;
	va_start(ap, fmt);
	n = vsnprintf(to, b->room - b->length, fmt, ap);
	va_end(ap);
	if ((size_t)n >= b->room - b->length) {
		to = buf_room(b, (size_t)n + 1);
		if (!to)
			return;
		va_start(ap, fmt);
		vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->length += (size_t)n;
}

void buf_drop(struct buf *b, size_t bytes)
{
	b->length -= bytes;
	if (b->length)
		memmove(b->data, b->data + bytes, b->length);
}

void buf_reset(struct buf *b, size_t most)
{
	if (b->room > most)
		buf_free(b);
	b->length = 0;
	b->failed = false;
}

void buf_free(struct buf *b)
{
	if (!b->fixed)
		free(b->data);
	*b = (struct buf){ 0 };
}
