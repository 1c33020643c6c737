// SPDX-License-Identifier: MIT
/*
 * An input is a limit (one byte) and a text, tokenised with a vocabulary of a few
 * words.  The oracle: what is refused is exactly what is not UTF-8 by the table of
 * the Unicode standard, and a tighter limit gives the same tokens, cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "runtime/model/wordpiece.h"

#define IDS_MAX 4096

static const char vocab[] = "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\na\nab\n##b\n##bc\n##c\nabcd\n!\n"
			    "e\n##e\nss\n\xce\xb1\n\xe4\xb8\xad\n\xe1\x84\x92\n##\xe1\x85\xa1\n";
enum { CLS = 1, SEP = 2 };

static struct aif_wordpiece *wp;

static void free_vocabulary(void)
{
	aif_wordpiece_free(wp);
}

void fuzz_start(void)
{
	require(!aif_wordpiece_create(vocab, sizeof(vocab) - 1, &wp, NULL), "the vocabulary");
	atexit(free_vocabulary);
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

bool fuzz_one(const uint8_t *data, size_t size)
{
	static int32_t ids[IDS_MAX];
	const char *text = (const char *)data + 1;
	bool truncated;
	int n;

	if (!size)
		return false;
	n = aif_wordpiece_encode(wp, text, size - 1, ids, IDS_MAX, &truncated);
	require((n == -EILSEQ) == !utf8_valid(data + 1, size - 1), "what is UTF-8");
	if (n < 0)
		return false;
	require(n >= 2 && !truncated && ids[0] == CLS && ids[n - 1] == SEP, "length");
	for (int i = 0; i < n; i++)
		require(ids[i] >= 0 && ids[i] < (int)aif_wordpiece_size(wp), "an id");
	check_cut(text, size - 1, 2 + data[0] % 32, ids, n);
	return true;
}
