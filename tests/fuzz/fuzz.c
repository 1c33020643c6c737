// SPDX-License-Identifier: MIT
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned long accepted;

/* tests/fuzz/run reads this line. */
static void report(void)
{
	fprintf(stderr, "accepted: %lu\n", accepted);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fuzz_start();
	return atexit(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	accepted += fuzz_one(data, size);
	return 0;
}

void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "broken rule: %s\n", what);
	abort();
}

/* Table 3-7 of the Unicode standard: length by first byte, range of the second. */
size_t utf8_sequence(const uint8_t *s, size_t len)
{
	static const struct { uint8_t first, last, n, lo, hi; } rows[] = {
		{ 0x00, 0x7f, 1, 0, 0 },	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },	{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },	{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};

	for (size_t i = 0; len && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (*s < rows[i].first || *s > rows[i].last)
			continue;
		if (rows[i].n > len || (rows[i].n > 1 && (s[1] < rows[i].lo || s[1] > rows[i].hi)))
			return 0;
		for (int k = 2; k < rows[i].n; k++) {
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		}
		return rows[i].n;
	}
	return 0;
}

bool utf8_valid(const uint8_t *s, size_t len)
{
	while (len) {
		size_t n = utf8_sequence(s, len);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

uint64_t take_number(struct input *in, unsigned int bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | take(in);
	return number;
}

struct input take_until(struct input *in, uint8_t end)
{
	struct input piece = *in;
	const uint8_t *found = in->left ? memchr(in->at, end, in->left) : NULL;

	if (found)
		piece.left = (size_t)(found - in->at);
	in->at += piece.left;
	in->left -= piece.left;
	take(in);
	return piece;
}

char *to_string(struct input piece)
{
	char *s = malloc(piece.left + 1);

	for (size_t i = 0; i < piece.left; i++)
		s[i] = piece.at[i] ? (char)piece.at[i] : '0';
	s[piece.left] = '\0';
	return s;
}
