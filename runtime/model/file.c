// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/file.h"

#define JSON_MAX (1u << 20)

/* One byte more than @max is asked for, to see whether there is more. */
static int read_all(FILE *f, size_t max, char **data, size_t *len)
{
	char *buf = malloc(max + 1), *fit;

	if (!buf)
		return -ENOMEM;
	errno = 0;
	*len = fread(buf, 1, max + 1, f);
	if (ferror(f) || *len > max) {
		int err = ferror(f) ? errno ? -errno : -EIO : -EFBIG;

		free(buf);
		return err;
	}
	buf[*len] = '\0';
	fit = realloc(buf, *len + 1);
	*data = fit ? fit : buf;
	return 0;
}

int aif_file_read(const char *dir, const char *name, size_t max, char **data, size_t *len,
		  struct aif_why *why)
{
	char path[PATH_MAX];
	FILE *f;
	int ret;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return aif_why_set(why, -ENAMETOOLONG, "%s/%s: the path is too long", dir, name);
	f = fopen(path, "rbe");
	if (!f) {
		ret = -errno;
		return aif_why_set(why, ret, "%s: cannot open it: %s", path, strerror(-ret));
	}
	ret = read_all(f, max, data, len);
	fclose(f);
	if (ret == -EFBIG)
		return aif_why_set(why, ret, "%s: larger than %zu bytes", path, max);
	if (ret)
		return aif_why_set(why, ret, "%s: cannot read it: %s", path, strerror(-ret));
	return 0;
}

int aif_file_read_json(const char *dir, const char *name, json_t **json, struct aif_why *why)
{
	json_error_t err;
	char *text;
	size_t len;
	int ret;

	ret = aif_file_read(dir, name, JSON_MAX, &text, &len, why);
	if (ret)
		return ret;
	*json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);
	free(text);
	if (*json)
		return 0;
	return aif_why_set(why, -EBADMSG, "%s/%s: not JSON: %s in line %d", dir, name, err.text,
			   err.line);
}
