/* SPDX-License-Identifier: MIT */
/*
 * wordpiece.h - BERT's uncased tokenizer: UTF-8 in, token ids out
 *
 * As the publisher's library does it, id for id: the five special tokens are
 * recognised in the raw text; control characters go; ideographs stand alone;
 * canonical decomposition, without nonspacing marks, lower case; words end at
 * white space and around punctuation; a word becomes the longest pieces of the
 * vocabulary from left to right, or [UNK] when that fails or it has more than 100
 * characters; [CLS] in front, [SEP] behind.
 *
 * Time is linear in the text (per character at most the vocabulary's longest
 * piece, per word at most its 100 characters), memory is on the stack and does not
 * depend on the text: characters are decomposed one by one.  That leaves
 * out only the canonical reordering of marks that stay, which
 * aif_wordpiece_create() makes sure no entry of the vocabulary can tell.
 */
#ifndef AIF_WORDPIECE_H
#define AIF_WORDPIECE_H

#include <stdbool.h>

#include "runtime/model/why.h"

struct aif_wordpiece;

/*
 * @vocab, @len: content of a vocab.txt: one entry a line, its number is its id;
 *               "##" marks what continues a word
 * -EBADMSG: empty or repeated entries, not UTF-8, no special tokens.
 * -EOPNOTSUPP: an entry with combining characters that stay (none is known).
 */
int aif_wordpiece_create(const char *vocab, size_t len, struct aif_wordpiece **wp,
			 struct aif_why *why);
void aif_wordpiece_free(struct aif_wordpiece *wp);

uint32_t aif_wordpiece_size(const struct aif_wordpiece *wp);

/*
 * @text: must not be changed by anybody during the call
 * @ids:  room for @max, at least 2
 * @truncated: whether the text has more than @max tokens
 *
 * Returns the number of ids, -EILSEQ when the text is not UTF-8 (anywhere, also
 * behind the cut).  Thread-safe.
 */
int aif_wordpiece_encode(const struct aif_wordpiece *wp, const char *text, size_t len,
			 int32_t *ids, uint32_t max, bool *truncated);

#endif
