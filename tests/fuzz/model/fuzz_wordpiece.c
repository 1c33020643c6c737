// SPDX-License-Identifier: MIT
/*
 * An input is a limit (one byte) and a text, tokenised with a vocabulary of a few
 * words.  The oracle: what is refused is exactly what is not UTF-8 by the table of
 * the Unicode standard, and a tighter limit gives the same tokens, cut.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/wordpiece.h"

/* Edges are counted in what is fuzzed only. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define IDS_MAX 4096

static const char vocab[] = "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\na\nab\n##b\n##bc\n##c\nabcd\n!\n"
			    "e\n##e\nss\n\xce\xb1\n\xe4\xb8\xad\n\xe1\x84\x92\n##\xe1\x85\xa1\n";
enum { CLS = 1, SEP = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct aif_wordpiece *wp;
static unsigned long accepted;

/* run.sh reads this line: a fuzzer that is only refused sees little. */
static void report(void)
{
	fprintf(stderr, "accepted: %lu\n", accepted);
	aif_wordpiece_free(wp);
}

static void require(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fuzz_wordpiece: %s\n", what);
		abort();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	require(!aif_wordpiece_create(vocab, sizeof(vocab) - 1, &wp, NULL), "the vocabulary");
	return atexit(report);
}

/* Table 3-7 of the Unicode standard: length by first byte, range of the second. */
static size_t sequence(const uint8_t *s, size_t len)
{
	static const struct { uint8_t first, last, n, lo, hi; } rows[] = {
		{ 0x00, 0x7f, 1, 0, 0 },	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
		{ 0xe0, 0xe0, 3, 0xa0, 0xbf },	{ 0xe1, 0xec, 3, 0x80, 0xbf },
		{ 0xed, 0xed, 3, 0x80, 0x9f },	{ 0xee, 0xef, 3, 0x80, 0xbf },
		{ 0xf0, 0xf0, 4, 0x90, 0xbf },	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
		{ 0xf4, 0xf4, 4, 0x80, 0x8f },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (*s < rows[i].first || *s > rows[i].last)
			continue;
		if (rows[i].n > len || (rows[i].n > 1 && (s[1] < rows[i].lo || s[1] > rows[i].hi)))
			return 0;
		for (int k = 2; k < rows[i].n; k++)
			if (s[k] < 0x80 || s[k] > 0xbf)
				return 0;
		return rows[i].n;
	}
	return 0;
}

static bool is_utf8(const uint8_t *s, size_t len)
{
	while (len) {
		size_t n = sequence(s, len);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* @ids: the whole text's */
static void check_cut(const char *text, size_t len, uint32_t max, const int32_t *ids, int count)
{
	int32_t *cut = malloc(max * sizeof(*cut));
	bool truncated;
	int n = aif_wordpiece_encode(wp, text, len, cut, max, &truncated);

	require(truncated == (count > (int)max), "truncated");
	require(n == (truncated ? (int)max : count), "length of the cut");
	require(!memcmp(cut, ids, (n - 1) * sizeof(*cut)) && cut[n - 1] == SEP,
		"tokens of the cut");
	free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int32_t ids[IDS_MAX];
	const char *text = (const char *)data + 1;
	bool truncated;
	int n;

	if (!size)
		return 0;
	n = aif_wordpiece_encode(wp, text, size - 1, ids, IDS_MAX, &truncated);
	require((n == -EILSEQ) == !is_utf8(data + 1, size - 1), "what is UTF-8");
	if (n < 0)
		return 0;
	require(n >= 2 && !truncated && ids[0] == CLS && ids[n - 1] == SEP, "length");
	for (int i = 0; i < n; i++)
		require(ids[i] >= 0 && ids[i] < (int)aif_wordpiece_size(wp), "an id");
	check_cut(text, size - 1, 2 + data[0] % 32, ids, n);
	accepted++;
	return 0;
}

#pragma clang attribute pop
