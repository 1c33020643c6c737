/* SPDX-License-Identifier: MIT */
/*
 * bert_config.h - what the JSON files of a sentence-transformers folder say
 *
 * Read are config.json, tokenizer_config.json, sentence_bert_config.json,
 * modules.json and the pooling module's config.json; each value that changes what
 * is computed is either taken over here or must be the one that is implemented.
 */
#ifndef AIF_BERT_CONFIG_H
#define AIF_BERT_CONFIG_H

#include "runtime/model/why.h"

/*
 * @heads:      divides @hidden
 * @positions:  rows of the position table
 * @types:      rows of the segment table
 * @max_tokens: of one text, 2 to @positions
 */
struct aif_bert_config {
	uint32_t hidden;
	uint32_t layers;
	uint32_t heads;
	uint32_t intermediate;
	uint32_t vocab;
	uint32_t positions;
	uint32_t types;
	uint32_t max_tokens;
	float eps;
};

/*
 * -EOPNOTSUPP: a value that is not implemented.  -EBADMSG: values that are missing,
 * of another type, or contradict each other.
 */
int aif_bert_config_load(const char *dir, struct aif_bert_config *config, struct aif_why *why);

#endif
