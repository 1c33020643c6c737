// SPDX-License-Identifier: MIT
/*
 * The texts of `aif embed -` and the lines of `aif search`: an input's first byte is
 * the separator, a newline or NUL.  Texts with separators between them are the input.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tools/texts.h"

void fuzz_start(void)
{
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct texts texts = { .separator = take(&in) % 2 ? '\n' : '\0' };
	unsigned long count = 0;
	const char *text;
	ssize_t length;

	if (!in.left)	/* no stream has no bytes */
		return false;
	texts.stream = fmemopen((void *)in.at, in.left, "r");
	while ((length = texts_next(&texts, &text)) >= 0) {
		struct input piece = take_until(&in, (uint8_t)texts.separator);

		require((size_t)length == piece.left && !memcmp(text, piece.at, piece.left),
			"a text is what stands between separators");
		count++;
	}
	require(!in.left, "to the end");
	require(texts_next(&texts, &text) < 0, "the end stays");
	fclose(texts.stream);
	free(texts.line);
	return count > 1;
}
