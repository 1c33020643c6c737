// SPDX-License-Identifier: MIT
/*
 * libcrypto does the hashing: every Debian has it, it uses the CPU's SHA
 * instructions, and its licence (Apache-2.0) goes with ours.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "runtime/model/sha256.h"

#define STEP_BYTES ((size_t)4 << 20)

static int digest(EVP_MD_CTX *md, const char *data, size_t len, unsigned char *sum,
		  aif_model_progress_fn progress, void *ctx)
{
	if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (size_t at = 0; at < len; at += STEP_BYTES) {
		size_t n = len - at < STEP_BYTES ? len - at : STEP_BYTES;

		if (progress)
			progress(ctx, "digest", at, len);
		if (EVP_DigestUpdate(md, data + at, n) != 1)
			return -ENOMEM;
	}
	if (progress)
		progress(ctx, "digest", len, len);
	return EVP_DigestFinal_ex(md, sum, NULL) == 1 ? 0 : -ENOMEM;
}

int aif_sha256_hex(const void *data, size_t len, char hex[65], aif_model_progress_fn progress,
		   void *ctx)
{
	unsigned char sum[32];
	EVP_MD_CTX *md;
	int ret;

	md = EVP_MD_CTX_new();
	if (!md)
		return -ENOMEM;
	ret = digest(md, data, len, sum, progress, ctx);
	EVP_MD_CTX_free(md);
	for (int i = 0; !ret && i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return ret;
}
