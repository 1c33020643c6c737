// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/model/bert_chars.h"
#include "runtime/model/wordpiece.h"

#define WORD_CHARS 100
#define WORD_BYTES (WORD_CHARS * 4)
#define VOCAB_MAX (1u << 24)
#define DECOMPOSED_MAX 8	/* Unicode's longest canonical decomposition is 4 */

enum { UNK, CLS, SEP, PAD, MASK, SPECIALS };

static const char *const special_text[SPECIALS] = { "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]" };

/* @text points into the vocabulary's copy, behind the "##" of a continuation. */
struct entry {
	const char *text;
	uint32_t len;
	bool continues;
};

struct slot {
	uint32_t hash;
	int32_t id;	/* -1: free */
};

/* Open addressing, at most half full. */
struct aif_wordpiece {
	char *vocab;
	struct entry *entry;
	uint32_t count;
	uint32_t longest;	/* entry, in bytes */
	struct slot *slot;
	uint32_t mask;
	int32_t special[SPECIALS];
};

/* FNV-1a.  Continuations start elsewhere, so that "##s" and "s" do not meet. */
static uint32_t hash_start(bool continues)
{
	return continues ? 0x050c5d1f : 0x811c9dc5;
}

static uint32_t hash_byte(uint32_t hash, char c)
{
	return (hash ^ (unsigned char)c) * 0x01000193;
}

static uint32_t hash_entry(const struct entry *e)
{
	uint32_t hash = hash_start(e->continues);

	for (uint32_t i = 0; i < e->len; i++)
		hash = hash_byte(hash, e->text[i]);
	return hash;
}

/* The slot of this entry, or the free one where it belongs. */
static struct slot *find_slot(const struct aif_wordpiece *wp, uint32_t hash, const char *text,
			      uint32_t len, bool continues)
{
	uint32_t i = hash & wp->mask;

	for (;; i = (i + 1) & wp->mask) {
		struct slot *s = &wp->slot[i];
		const struct entry *e;

		if (s->id < 0)
			return s;
		e = &wp->entry[s->id];
		if (s->hash == hash && e->len == len && e->continues == continues &&
		    !memcmp(e->text, text, len))
			return s;
	}
}

static int32_t find_id(const struct aif_wordpiece *wp, const char *text)
{
	struct entry e = { .text = text, .len = strlen(text) };

	return find_slot(wp, hash_entry(&e), e.text, e.len, false)->id;
}

/*
 * The id of the longest entry that @text begins with, -1 if there is none; its
 * bytes in @used.  An entry is whole characters, so what it leaves is too.
 */
static int32_t longest_piece(const struct aif_wordpiece *wp, const char *text, uint32_t len,
			     bool continues, uint32_t *used)
{
	uint32_t n = len < wp->longest ? len : wp->longest;
	uint32_t hash[WORD_BYTES], h = hash_start(continues);

	for (uint32_t i = 0; i < n; i++)
		hash[i] = h = hash_byte(h, text[i]);
	for (; n; n--) {
		int32_t id = find_slot(wp, hash[n - 1], text, n, continues)->id;

		if (id >= 0) {
			*used = n;
			return id;
		}
	}
	return -1;
}

/* One text on its way; @word is what was gathered of the current word. */
struct scan {
	const struct aif_wordpiece *wp;
	int32_t *ids;
	uint32_t count, max;
	bool truncated;
	uint32_t word_chars, word_bytes;
	char word[WORD_BYTES];
};

/* One place stays free for [SEP]. */
static void push_id(struct scan *s, int32_t id)
{
	if (s->count < s->max - 1)
		s->ids[s->count++] = id;
	else
		s->truncated = true;
}

/* The number of pieces, 0 when the word cannot be pieced together. */
static uint32_t split_word(const struct scan *s, int32_t piece[WORD_CHARS])
{
	uint32_t at = 0, n = 0, used;

	if (s->word_chars > WORD_CHARS)
		return 0;
	while (at < s->word_bytes) {
		piece[n] = longest_piece(s->wp, s->word + at, s->word_bytes - at, at > 0, &used);
		if (piece[n++] < 0)
			return 0;
		at += used;
	}
	return n;
}

static void end_word(struct scan *s)
{
	int32_t piece[WORD_CHARS];
	uint32_t n;

	if (!s->word_chars)
		return;
	n = split_word(s, piece);
	if (!n)
		push_id(s, s->wp->special[UNK]);
	for (uint32_t i = 0; i < n; i++)
		push_id(s, piece[i]);
	s->word_chars = 0;
	s->word_bytes = 0;
}

/* Of a word that is too long, only the count matters. */
static void add_to_word(struct scan *s, int32_t c)
{
	if (s->word_chars++ < WORD_CHARS)
		s->word_bytes += utf8proc_encode_char(c, (uint8_t *)s->word + s->word_bytes);
}

/* @c is decomposed. */
static void add_char(struct scan *s, int32_t c)
{
	switch (aif_bert_class(c)) {
	case AIF_BERT_LETTER:
		add_to_word(s, aif_bert_lower(c));
		break;
	case AIF_BERT_SPACE:
		end_word(s);
		break;
	case AIF_BERT_PUNCT:
		end_word(s);
		add_to_word(s, c);
		end_word(s);
		break;
	case AIF_BERT_MARK:
	case AIF_BERT_OTHER:
		break;
	}
}

static void add_decomposed(struct scan *s, int32_t c)
{
	int32_t part[DECOMPOSED_MAX];
	int boundclass = 0;
	long n;

	n = utf8proc_decompose_char(c, part, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, &boundclass);
	for (long i = 0; i < n && i < DECOMPOSED_MAX; i++)
		add_char(s, part[i]);
}

static void scan_char(struct scan *s, int32_t c)
{
	if (c < 0x80) {
		add_char(s, c);
	} else if (aif_bert_is_ideograph(c)) {
		end_word(s);
		add_decomposed(s, c);
		end_word(s);
	} else if (aif_bert_class(c) != AIF_BERT_OTHER) {
		add_decomposed(s, c);
	}
}

/* Bytes of the special token that @text begins with, 0 for none. */
static size_t scan_special(struct scan *s, const char *text, size_t len)
{
	for (int i = 0; i < SPECIALS; i++) {
		size_t n = strlen(special_text[i]);

		if (n > len || memcmp(text, special_text[i], n))
			continue;
		end_word(s);
		push_id(s, s->wp->special[i]);
		return n;
	}
	return 0;
}

static bool is_utf8(const char *text, size_t len)
{
	while (len) {
		int32_t c;
		long n = utf8proc_iterate((const uint8_t *)text, len, &c);

		if (n <= 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

static void scan_text(struct scan *s, const char *text, size_t len)
{
	while (len && !s->truncated) {
		size_t n = *text == '[' ? scan_special(s, text, len) : 0;

		if (!n) {
			int32_t c;

			n = utf8proc_iterate((const uint8_t *)text, len, &c);
			scan_char(s, c);
		}
		text += n;
		len -= n;
	}
	end_word(s);
}

int aif_wordpiece_encode(const struct aif_wordpiece *wp, const char *text, size_t len,
			 int32_t *ids, uint32_t max, bool *truncated)
{
	struct scan s;

	if (len > SSIZE_MAX || !is_utf8(text, len))
		return -EILSEQ;
	s.wp = wp;
	s.ids = ids;
	s.max = max;
	s.count = s.word_chars = s.word_bytes = 0;
	s.truncated = false;
	push_id(&s, wp->special[CLS]);
	scan_text(&s, text, len);
	ids[s.count++] = wp->special[SEP];
	*truncated = s.truncated;
	return s.count;
}

static uint32_t count_lines(const char *text, size_t len)
{
	uint32_t n = 0;

	for (size_t i = 0; i < len && n <= VOCAB_MAX; i++)
		n += text[i] == '\n' || i == len - 1;
	return n;
}

/*
 * Decomposing one character after the other finds the same words as normalising
 * the text does, except for the order of combining characters that stay.  A word
 * with one that is in no entry is [UNK] in any order.
 */
static bool order_matters(const char *text, size_t len)
{
	while (len) {
		int32_t c;
		long n = utf8proc_iterate((const uint8_t *)text, len, &c);

		if (utf8proc_get_property(c)->combining_class &&
		    aif_bert_class(c) != AIF_BERT_MARK)
			return true;
		text += n;
		len -= n;
	}
	return false;
}

static int check_line(const char *line, size_t len, uint32_t id, struct aif_why *why)
{
	if (!len)
		return aif_why_set(why, -EBADMSG, "entry %u is empty", id);
	if (!is_utf8(line, len))
		return aif_why_set(why, -EBADMSG, "entry %u is not UTF-8", id);
	if (order_matters(line, len))
		return aif_why_set(why, -EOPNOTSUPP,
				   "entry %u '%.*s' has combining characters, "
				   "which are not supported", id, (int)len, line);
	return 0;
}

static int add_entry(struct aif_wordpiece *wp, uint32_t id, const char *line, size_t len,
		     struct aif_why *why)
{
	struct entry *e = &wp->entry[id];
	struct slot *s;
	int ret;

	ret = check_line(line, len, id, why);
	if (ret)
		return ret;
	e->continues = len > 2 && line[0] == '#' && line[1] == '#';
	e->text = line + 2 * e->continues;
	e->len = len - 2 * e->continues;
	s = find_slot(wp, hash_entry(e), e->text, e->len, e->continues);
	if (s->id >= 0)
		return aif_why_set(why, -EBADMSG, "entries %d and %u are both '%.*s'", s->id, id,
				   (int)len, line);
	s->hash = hash_entry(e);
	s->id = id;
	/* A longer one is in no word. */
	if (e->len > wp->longest && e->len <= WORD_BYTES)
		wp->longest = e->len;
	return 0;
}

static int add_entries(struct aif_wordpiece *wp, size_t len, struct aif_why *why)
{
	const char *line = wp->vocab, *end = wp->vocab + len;
	int ret = 0;

	for (uint32_t id = 0; id < wp->count && !ret; id++) {
		const char *eol = memchr(line, '\n', end - line);

		if (!eol)
			eol = end;
		ret = add_entry(wp, id, line, eol - line, why);
		line = eol + 1;
	}
	return ret;
}

static int find_specials(struct aif_wordpiece *wp, struct aif_why *why)
{
	for (int i = 0; i < SPECIALS; i++) {
		wp->special[i] = find_id(wp, special_text[i]);
		if (wp->special[i] < 0)
			return aif_why_set(why, -EBADMSG, "no entry is '%s'", special_text[i]);
	}
	return 0;
}

static int alloc_tables(struct aif_wordpiece *wp, const char *vocab, size_t len)
{
	uint32_t slots = 16;

	while (slots < 2 * wp->count)
		slots *= 2;
	wp->mask = slots - 1;
	wp->vocab = malloc(len);
	wp->entry = calloc(wp->count, sizeof(*wp->entry));
	wp->slot = malloc(slots * sizeof(*wp->slot));
	if (!wp->vocab || !wp->entry || !wp->slot)
		return -ENOMEM;
	memcpy(wp->vocab, vocab, len);
	memset(wp->slot, 0xff, slots * sizeof(*wp->slot));
	return 0;
}

int aif_wordpiece_create(const char *vocab, size_t len, struct aif_wordpiece **out,
			 struct aif_why *why)
{
	struct aif_wordpiece *wp;
	int ret;

	wp = calloc(1, sizeof(*wp));
	if (!wp)
		return aif_why_set(why, -ENOMEM, "no memory for the vocabulary");
	wp->count = count_lines(vocab, len);
	if (!wp->count || wp->count > VOCAB_MAX)
		ret = aif_why_set(why, -EBADMSG, "a vocabulary has 1 to %u entries", VOCAB_MAX);
	else if (alloc_tables(wp, vocab, len))
		ret = aif_why_set(why, -ENOMEM, "no memory for the vocabulary");
	else
		ret = add_entries(wp, len, why);
	if (!ret)
		ret = find_specials(wp, why);
	if (ret)
		aif_wordpiece_free(wp);
	else
		*out = wp;
	return ret;
}

void aif_wordpiece_free(struct aif_wordpiece *wp)
{
	if (!wp)
		return;
	free(wp->vocab);
	free(wp->entry);
	free(wp->slot);
	free(wp);
}

uint32_t aif_wordpiece_size(const struct aif_wordpiece *wp)
{
	return wp->count;
}
