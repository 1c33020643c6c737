// SPDX-License-Identifier: MIT
#include "runtime/daemon/models.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/model/why.h"

int models_folder(char *path, size_t room, struct aif_why *why)
{
	static const struct {
		const char *variable;
		const char *below;
	} places[] = {
		{ "AIF_CACHE", "models" },
		{ "XDG_CACHE_HOME", "aif/models" },
		{ "HOME", ".cache/aif/models" },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *value = getenv(places[i].variable);

		if (!value || !*value)
			continue;
		if (snprintf(path, room, "%s/%s", value, places[i].below) >= (int)room)
			return aif_why_set(why, -ENAMETOOLONG, "%s is too long",
					   places[i].variable);
		return 0;
	}
	return aif_why_set(why, -ENOENT,
			   "no folder of models: set AIF_CACHE, or give the model as a path");
}

static int find_by_name(const char *name, char *path, size_t room, struct aif_why *why)
{
	struct stat st;
	size_t length;
	int err = models_folder(path, room, why);

	if (err)
		return err;
	length = strlen(path);
	if (snprintf(path + length, room - length, "/%s", name) >= (int)(room - length))
		return aif_why_set(why, -ENAMETOOLONG, "model '%s': the name is too long", name);
	if (stat(path, &st) < 0)
		return aif_why_set(why, -ENOENT,
				   "model '%s' is not in %.*s: get it with tools/fetch-model, or give a path",
				   name, (int)length, path);
	return 0;
}

int models_find(const char *name, char *path, size_t room, struct aif_why *why)
{
	struct stat st;

	if (!*name)
		return aif_why_set(why, -EINVAL, "a model's name or path is missing");
	if (!strchr(name, '/') && *name != '.')
		return find_by_name(name, path, room, why);
	if (snprintf(path, room, "%s", name) >= (int)room)
		return aif_why_set(why, -ENAMETOOLONG, "model '%s': the path is too long", name);
	if (stat(path, &st) < 0)
		return aif_why_set(why, -errno, "model %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return aif_why_set(why, -ENOTDIR, "model %s: not a folder", path);
	return 0;
}
