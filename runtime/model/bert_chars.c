// SPDX-License-Identifier: MIT
#include <stddef.h>
#include <utf8proc.h>

#include "runtime/model/bert_chars.h"

enum { L = AIF_BERT_LETTER, P = AIF_BERT_PUNCT, M = AIF_BERT_MARK };

/*
 * Where Unicode 14 to 18 would say something else than the publisher's library
 * does, found by asking it for every code point; neighbours are joined where what
 * lies between is a letter anyway.  Sorted.  The test of every code point's
 * tokens (tests/model/) says when a row is missing.
 */
static const struct {
	int32_t first, last;
	uint8_t class;
} differs[] = {
	{ 0x05c8, 0x05c9, L }, { 0x061d, 0x061d, L }, { 0x07fd, 0x07fd, L },
	{ 0x0890, 0x08e2, L }, { 0x09fd, 0x09fe, L }, { 0x0a76, 0x0a76, L },
	{ 0x0afa, 0x0aff, L }, { 0x0b53, 0x0b55, L }, { 0x0c04, 0x0c3c, L },
	{ 0x0c77, 0x0c77, L }, { 0x0c84, 0x0c84, L }, { 0x0d00, 0x0d00, L },
	{ 0x0d3b, 0x0d3c, L }, { 0x0d81, 0x0d81, L }, { 0x0eba, 0x0eba, L },
	{ 0x0ece, 0x0ece, L }, { 0x166d, 0x166d, P }, { 0x1734, 0x1734, M },
	{ 0x180f, 0x1886, L }, { 0x1abf, 0x1af0, L }, { 0x1b4e, 0x1b4f, L },
	{ 0x1b7d, 0x1b7f, L }, { 0x1df6, 0x1dfb, L }, { 0x2e43, 0x2e63, L },
	{ 0xa82c, 0xa82c, L }, { 0xa8c5, 0xa8c5, L }, { 0xa8ff, 0xa8ff, L },
	{ 0xa9bd, 0xa9bd, L }, { 0x10d24, 0x10f89, L }, { 0x11070, 0x11074, L },
	{ 0x110c2, 0x110cd, L }, { 0x111c9, 0x111c9, P }, { 0x111cf, 0x111cf, L },
	{ 0x1123e, 0x11241, L }, { 0x1133b, 0x1133b, L }, { 0x113bb, 0x1145e, L },
	{ 0x11660, 0x1166c, L }, { 0x116b9, 0x116b9, L }, { 0x1171e, 0x1171e, M },
	{ 0x1182f, 0x11fff, L }, { 0x12ff1, 0x1612f, L }, { 0x16d6d, 0x16f4f, L },
	{ 0x16fe2, 0x16fe4, L }, { 0x1cf00, 0x1d128, L }, { 0x1d25b, 0x1d25c, L },
	{ 0x1e000, 0x1e6f5, L }, { 0x1e944, 0x1e95f, L },
};

static int find_difference(int32_t c)
{
	size_t lo = 0, hi = sizeof(differs) / sizeof(differs[0]);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > differs[mid].last)
			lo = mid + 1;
		else if (c < differs[mid].first)
			hi = mid;
		else
			return differs[mid].class;
	}
	return -1;
}

static enum aif_bert_class class_of_category(int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return AIF_BERT_SPACE;
	case UTF8PROC_CATEGORY_PC:
	case UTF8PROC_CATEGORY_PD:
	case UTF8PROC_CATEGORY_PS:
	case UTF8PROC_CATEGORY_PE:
	case UTF8PROC_CATEGORY_PI:
	case UTF8PROC_CATEGORY_PF:
	case UTF8PROC_CATEGORY_PO:
		return AIF_BERT_PUNCT;
	case UTF8PROC_CATEGORY_MN:
		return AIF_BERT_MARK;
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CO:
		return AIF_BERT_OTHER;
	default:
		return c == 0xfffd ? AIF_BERT_OTHER : AIF_BERT_LETTER;
	}
}

static enum aif_bert_class class_of_ascii(int32_t c)
{
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return AIF_BERT_SPACE;
	if (c < ' ' || c == 0x7f)
		return AIF_BERT_OTHER;
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return AIF_BERT_LETTER;
	return AIF_BERT_PUNCT;
}

enum aif_bert_class aif_bert_class(int32_t c)
{
	int class;

	if (c < 0x80)
		return class_of_ascii(c);
	class = find_difference(c);
	return class < 0 ? class_of_category(c) : (enum aif_bert_class)class;
}

/* The publisher's ranges, a slip at the start of extension E included. */
bool aif_bert_is_ideograph(int32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
	       (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) ||
	       (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
	       (c >= 0x2f800 && c <= 0x2fa1f);
}

int32_t aif_bert_lower(int32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	return utf8proc_tolower(c);
}
