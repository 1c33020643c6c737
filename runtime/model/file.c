// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/model/file.h"

#define JSON_MAX (1u << 20)

/* What a file's size asks for; @max where it has none or is larger. */
static size_t room_for(FILE *f, size_t max)
{
	struct stat st;

	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return max;
	return (size_t)st.st_size;
}

/* One byte more than there is room for is asked for, to see whether there is more. */
static int read_all(FILE *f, size_t max, char **data, size_t *len)
{
	size_t room = room_for(f, max);
	char *buf = malloc(room + 1);

	if (!buf)
		return -ENOMEM;
	errno = 0;
	*len = fread(buf, 1, room + 1, f);
	if (ferror(f) || *len > room) {
		int err = ferror(f) ? errno ? -errno : -EIO : -EFBIG;

		free(buf);
		return err;
	}
	buf[*len] = '\0';
	*data = buf;
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
		return aif_why_set(why, ret, "%s: larger than %zu bytes, or growing", path,
				   max);
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
