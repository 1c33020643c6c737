// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/model/sha256.h"
#include "runtime/model/wordpiece.h"
#include "tests/unit/model/refs.h"

#define SPECIALS "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n"
enum { UNK, CLS, SEP, PAD, MASK, FIRST };

static struct aif_wordpiece *load(void)
{
	struct aif_wordpiece *wp;
	struct aif_why why;
	char path[4200];
	size_t len;
	char *vocab;

	snprintf(path, sizeof(path), "%s/vocab.txt", model_folder());
	vocab = read_whole(path, &len);
	assert_int_equal(aif_wordpiece_create(vocab, len, &wp, &why), 0);
	assert_int_equal(aif_wordpiece_size(wp), 30522);
	free(vocab);
	return wp;
}

/* In memory of its own, so that a sanitizer sees a byte read too many. */
static int encode(const struct aif_wordpiece *wp, const char *text, size_t len, int32_t *ids,
		  uint32_t max, bool *truncated)
{
	char *copy = malloc(len ? len : 1);
	int n;

	memcpy(copy, text, len);
	n = aif_wordpiece_encode(wp, copy, len, ids, max, truncated);
	free(copy);
	return n;
}

static void check_refs(const char *path, size_t at_least)
{
	struct aif_wordpiece *wp = load();
	struct ref *refs;
	size_t count;

	refs = refs_load(path, &count);
	assert_true(count >= at_least);
	for (size_t i = 0; i < count; i++) {
		const struct ref *r = &refs[i];
		int32_t ids[MAX_TOKENS];
		bool truncated;
		int n = encode(wp, r->text, r->bytes, ids, MAX_TOKENS, &truncated);

		if (n != r->count || memcmp(ids, r->ids, n * sizeof(*ids)))
			fail_msg("%s: text %zu has other tokens: '%.60s'", path, i, r->text);
		assert_int_equal(truncated, r->truncated);
	}
	refs_free(refs, count);
	aif_wordpiece_free(wp);
}

static void test_encode_texts(void **state)
{
	check_refs("tests/model/texts.jsonl", 200);
}

static void test_encode_random(void **state)
{
	check_refs("tests/model/tokens.jsonl", 600);
}

/* "a" c "b " c, as tests/model/make-references has it. */
static int encode_around(const struct aif_wordpiece *wp, int32_t c, int32_t *ids)
{
	char text[16] = "a";
	bool truncated;
	int n = 1;

	n += utf8proc_encode_char(c, (uint8_t *)text + n);
	text[n++] = 'b';
	text[n++] = ' ';
	n += utf8proc_encode_char(c, (uint8_t *)text + n);
	return encode(wp, text, n, ids, MAX_TOKENS, &truncated);
}

static void digest_block(const struct aif_wordpiece *wp, int32_t block, char hex[65])
{
	int32_t *ids = malloc(0x1000 * 16 * sizeof(*ids));
	size_t n = 0;

	for (int32_t c = block; c < block + 0x1000; c++)
		if (c < 0xd800 || c > 0xdfff)
			n += encode_around(wp, c, ids + n);
	assert_int_equal(aif_sha256_hex(ids, n * sizeof(*ids), hex, NULL, NULL), 0);
	free(ids);
}

static void test_encode_every_code_point(void **state)
{
	struct aif_wordpiece *wp = load();
	FILE *f = fopen("tests/model/codepoints.txt", "r");
	int blocks = 0;
	unsigned int block;
	char want[17], got[65];

	assert_non_null(f);
	for (; fscanf(f, "%x %16s", &block, want) == 2; blocks++) {
		digest_block(wp, block, got);
		if (strncmp(got, want, 16))
			fail_msg("a character from U+%04X to U+%04X has other tokens", block,
				 block + 0xfff);
	}
	assert_int_equal(blocks, 0x110);
	fclose(f);
	aif_wordpiece_free(wp);
}

static const char *const not_utf8[] = {
	"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
	"\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
	"\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe",
	"\xff", "\xff\xfe", "caf\xe9",
};

static void check_refused(const struct aif_wordpiece *wp, const char *text)
{
	int32_t ids[MAX_TOKENS];
	bool truncated;

	assert_int_equal(encode(wp, text, strlen(text), ids, MAX_TOKENS, &truncated), -EILSEQ);
}

static void test_encode_refuses(void **state)
{
	struct aif_wordpiece *wp = load();
	char text[2100];

	for (size_t i = 0; i < COUNT(not_utf8); i++) {
		check_refused(wp, not_utf8[i]);
		snprintf(text, sizeof(text), "before %s after", not_utf8[i]);
		check_refused(wp, text);
		/* Behind the cut, too. */
		memset(text, '.', 2000);
		strcpy(text + 2000, not_utf8[i]);
		check_refused(wp, text);
	}
	aif_wordpiece_free(wp);
}

static struct aif_wordpiece *small(const char *entries)
{
	struct aif_wordpiece *wp;
	struct aif_why why;
	char vocab[200];

	snprintf(vocab, sizeof(vocab), SPECIALS "%s", entries);
	assert_int_equal(aif_wordpiece_create(vocab, strlen(vocab), &wp, &why), 0);
	return wp;
}

static void check_ids(const struct aif_wordpiece *wp, const char *text, uint32_t max, bool cut,
		      int count, const int32_t *want)
{
	int32_t ids[16];
	bool truncated = !cut;

	assert_int_equal(encode(wp, text, strlen(text), ids, max, &truncated), count);
	assert_memory_equal(ids, want, count * sizeof(*want));
	assert_int_equal(truncated, cut);
}

#define CHECK(wp, text, max, cut, ...) do {						\
	const int32_t want_[] = { CLS, __VA_ARGS__ };					\
	check_ids(wp, text, max, cut, COUNT(want_), want_);				\
} while (0)

static void test_encode_longest_first(void **state)
{
	struct aif_wordpiece *wp = small("a\nab\n##b\n##bc\n##c\nabcd\n!");

	CHECK(wp, "abc", 16, false, FIRST + 1, FIRST + 4, SEP);
	CHECK(wp, "abbc", 16, false, FIRST + 1, FIRST + 3, SEP);
	CHECK(wp, "ABCD", 16, false, FIRST + 5, SEP);
	CHECK(wp, "abx", 16, false, UNK, SEP);
	CHECK(wp, "a!a", 16, false, FIRST, FIRST + 6, FIRST, SEP);
	CHECK(wp, "?", 16, false, UNK, SEP);
	CHECK(wp, "b", 16, false, UNK, SEP);
	CHECK(wp, "a[MASK]ab[SEP", 16, false, FIRST, MASK, FIRST + 1, UNK, UNK, SEP);
	aif_wordpiece_free(wp);
}

static void test_encode_truncates(void **state)
{
	struct aif_wordpiece *wp = small("a\n##b");

	CHECK(wp, "", 2, false, SEP);
	CHECK(wp, "a", 2, true, SEP);
	CHECK(wp, "a", 3, false, FIRST, SEP);
	CHECK(wp, "ab", 3, true, FIRST, SEP);
	CHECK(wp, "ab", 4, false, FIRST, FIRST + 1, SEP);
	CHECK(wp, "a a a", 4, true, FIRST, FIRST, SEP);
	CHECK(wp, "a[PAD]a", 4, true, FIRST, PAD, SEP);
	/* What the cut leaves is white space: nothing was lost. */
	CHECK(wp, "a a \t\xcc\x81", 4, false, FIRST, FIRST, SEP);
	aif_wordpiece_free(wp);
}

static const struct {
	const char *vocab;
	int err;
	const char *says;
} refused[] = {
	{ "", -EBADMSG, "1 to" },
	{ "\n", -EBADMSG, "entry 0 is empty" },
	{ SPECIALS "a\n\nb\n", -EBADMSG, "entry 6 is empty" },
	{ SPECIALS "a\nb\na\n", -EBADMSG, "entries 5 and 7 are both 'a'" },
	{ SPECIALS "##a\n##a\n", -EBADMSG, "entries 5 and 6 are both '##a'" },
	{ SPECIALS "\xff\n", -EBADMSG, "entry 5 is not UTF-8" },
	{ SPECIALS "\xe3\x80\xae\n", -EOPNOTSUPP, "combining characters" },
	{ "a\nb\n", -EBADMSG, "no entry is '[UNK]'" },
	{ "[UNK]\n[CLS]\n[SEP]\n[PAD]\n", -EBADMSG, "no entry is '[MASK]'" },
};

static void test_create_refuses(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct aif_wordpiece *wp;
		struct aif_why why;
		int ret;

		ret = aif_wordpiece_create(refused[i].vocab, strlen(refused[i].vocab), &wp, &why);
		assert_int_equal(ret, refused[i].err);
		if (!strstr(why.text, refused[i].says))
			fail_msg("'%s' does not say '%s'", why.text, refused[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_texts),
		cmocka_unit_test(test_encode_random),
		cmocka_unit_test(test_encode_every_code_point),
		cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_encode_longest_first),
		cmocka_unit_test(test_encode_truncates),
		cmocka_unit_test(test_create_refuses),
	};

	model_folder();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
