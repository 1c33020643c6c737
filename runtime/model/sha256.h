/* SPDX-License-Identifier: MIT */
#ifndef AIF_MODEL_SHA256_H
#define AIF_MODEL_SHA256_H

#include "aif_model.h"

/* The SHA-256 of @data as 64 lower-case hex digits and a NUL.  -ENOMEM. */
int aif_sha256_hex(const void *data, size_t len, char hex[65], aif_model_progress_fn progress,
		   void *ctx);

#endif
