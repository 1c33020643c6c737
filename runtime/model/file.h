/* SPDX-License-Identifier: MIT */
/*
 * file.h - small files of a model's folder
 *
 * -EFBIG: larger than asked for, or growing.  -EBADMSG: not JSON.  Else what open()
 * and read() say.
 */
#ifndef AIF_MODEL_FILE_H
#define AIF_MODEL_FILE_H

#include <jansson.h>

#include "runtime/model/why.h"

/*
 * The whole of @dir/@name, at most @max bytes, in memory that the caller frees.  A
 * NUL that @len does not count stands behind it.
 */
int aif_file_read(const char *dir, const char *name, size_t max, char **data, size_t *len,
		  struct aif_why *why);

/* @dir/@name as JSON, at most 1 MiB; the caller drops the reference. */
int aif_file_read_json(const char *dir, const char *name, json_t **json, struct aif_why *why);

#endif
