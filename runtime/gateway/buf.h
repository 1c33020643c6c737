/* SPDX-License-Identifier: MIT */
/*
 * buf.h - bytes that grow
 *
 * What does not fit into memory sets @failed, and nothing more is added: callers
 * build a whole text and look once at the end.  All zeroes is an empty one.  One that
 * is @fixed is memory of somebody else's: it does not grow, and is not freed.
 */
#ifndef AIF_GATEWAY_BUF_H
#define AIF_GATEWAY_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t length;
	size_t room;
	bool failed;
	bool fixed;
};

/* Room for @more bytes behind what is there: where they go, or NULL.  Then buf_grew(). */
char *buf_room(struct buf *b, size_t more);

static inline void buf_grew(struct buf *b, size_t bytes)
{
	b->length += bytes;
}

void buf_add(struct buf *b, const void *bytes, size_t length);
void buf_text(struct buf *b, const char *text);

__attribute__((format(printf, 2, 3)))
void buf_format(struct buf *b, const char *fmt, ...);

/* The first @bytes go. */
void buf_drop(struct buf *b, size_t bytes);

/* Empty; memory is kept, but not more than @most bytes of it. */
void buf_reset(struct buf *b, size_t most);
void buf_free(struct buf *b);

#endif
