// SPDX-License-Identifier: MIT
/*
 * An input is a vocab.txt; if it begins with '+', what follows stands behind the five
 * special tokens.  The oracle: what is taken is exactly what has no empty, repeated or
 * ill-formed entry and has the special ones; and a word that is an entry is one token, that
 * entry's number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "runtime/model/wordpiece.h"

#define SPECIALS "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n"
#define LINES_MAX 4096
#define WORD_MAX 100	/* characters; longer ones are [UNK] */

struct lines {
	struct input line[LINES_MAX];
	size_t count;
};

void fuzz_start(void)
{
}

static struct input vocabulary(const uint8_t *data, size_t size)
{
	size_t specials = size && *data == '+' ? strlen(SPECIALS) : 0;
	struct input v = { .left = specials ? specials + size - 1 : size };
	uint8_t *copy = malloc(v.left);

	v.at = copy;
	if (specials)
		memcpy(mempcpy(copy, SPECIALS, specials), data + 1, size - 1);
	else if (size)
		memcpy(copy, data, size);
	return v;
}

static void split(struct input v, struct lines *lines)
{
	lines->count = 0;
	while (v.left) {
		require(lines->count < LINES_MAX, "fewer lines in an input");
		lines->line[lines->count++] = take_until(&v, '\n');
	}
}

static int compare(const void *a, const void *b)
{
	const struct input *x = a, *y = b;
	int d = memcmp(x->at, y->at, x->left < y->left ? x->left : y->left);

	return d ? d : (x->left > y->left) - (x->left < y->left);
}

static bool has_specials(const struct lines *sorted)
{
	struct input specials = { (const uint8_t *)SPECIALS, strlen(SPECIALS) };

	while (specials.left) {
		struct input one = take_until(&specials, '\n');

		if (!bsearch(&one, sorted->line, sorted->count, sizeof(one), compare))
			return false;
	}
	return true;
}

static bool is_right(const struct lines *lines)
{
	static struct lines sorted;

	for (size_t i = 0; i < lines->count; i++) {
		if (!lines->line[i].left || !utf8_valid(lines->line[i].at, lines->line[i].left))
			return false;
	}
	sorted = *lines;
	qsort(sorted.line, sorted.count, sizeof(sorted.line[0]), compare);
	for (size_t i = 1; i < sorted.count; i++) {
		if (!compare(&sorted.line[i - 1], &sorted.line[i]))
			return false;
	}
	return has_specials(&sorted);
}

static bool is_plain_word(struct input line)
{
	for (size_t i = 0; i < line.left; i++) {
		if (line.at[i] < 'a' || line.at[i] > 'z')
			return false;
	}
	return line.left <= WORD_MAX;
}

static void check_words(const struct aif_wordpiece *wp, const struct lines *lines)
{
	int32_t ids[4];
	bool truncated;

	require(aif_wordpiece_size(wp) == lines->count, "a number for each line");
	for (size_t i = 0; i < lines->count; i++) {
		if (!is_plain_word(lines->line[i]))
			continue;
		require(aif_wordpiece_encode(wp, (const char *)lines->line[i].at,
					     lines->line[i].left, ids, 4, &truncated) == 3 &&
			ids[1] == (int32_t)i && !truncated, "an entry is one token");
	}
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static struct lines lines;
	struct input v = vocabulary(data, size);
	struct aif_wordpiece *wp;
	struct aif_why why;
	int err;

	split(v, &lines);
	err = aif_wordpiece_create((const char *)v.at, v.left, &wp, &why);
	if (!err) {
		require(is_right(&lines), "what is taken is right");
		check_words(wp, &lines);
		aif_wordpiece_free(wp);
	} else {
		require(err == -EOPNOTSUPP || (err == -EBADMSG && !is_right(&lines)),
			"what is refused is wrong");
		require(memchr(why.text, 0, sizeof(why.text)) && *why.text, "a reason");
	}
	free((void *)v.at);
	return !err;
}
