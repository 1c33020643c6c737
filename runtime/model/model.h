/* SPDX-License-Identifier: MIT */
/*
 * model.h - inside of struct aif_model, for the encoders of this folder
 *
 * All of it is constant once aif_model_open() has returned.
 */
#ifndef AIF_MODEL_INTERNAL_H
#define AIF_MODEL_INTERNAL_H

#include "aif_model.h"
#include "runtime/model/bert_config.h"
#include "runtime/model/bert_weights.h"
#include "runtime/model/wordpiece.h"

#define AIF_DIGEST_HEX 64

struct aif_model {
	struct aif_model_info info;
	struct aif_bert_config config;
	struct aif_bert_weights *weights;	/* offsets into @st's mapping */
	struct aif_safetensors *st;
	struct aif_wordpiece *wp;
	char *name;
	char *licence;
	char digest[AIF_DIGEST_HEX + 1];
};

#endif
