/* SPDX-License-Identifier: MIT */
/*
 * bert_chars.h - how the publisher's tokenizer sees a character
 *
 * The Unicode tables are utf8proc's.  The publisher's library classifies with
 * tables of Unicode 8: to it, what was assigned later is a letter, and four
 * characters have the category they had then.  bert_chars.c lists where the two
 * differ, so that token ids agree on every code point, whichever version
 * utf8proc has.
 */
#ifndef AIF_BERT_CHARS_H
#define AIF_BERT_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum aif_bert_class {
	AIF_BERT_LETTER,	/* part of a word: letters, digits, symbols, unassigned */
	AIF_BERT_SPACE,		/* ends a word */
	AIF_BERT_PUNCT,		/* a word by itself; ASCII symbols too */
	AIF_BERT_MARK,		/* nonspacing mark: removed (after decomposition) */
	AIF_BERT_OTHER,		/* control, format, private use, U+FFFD: removed */
};

/* @c: any Unicode scalar value */
enum aif_bert_class aif_bert_class(int32_t c);

/* An ideograph that is a word by itself. */
bool aif_bert_is_ideograph(int32_t c);

int32_t aif_bert_lower(int32_t c);

#endif
