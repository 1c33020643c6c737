// SPDX-License-Identifier: MIT
#include "tools/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"

#define CGROUPS		"/sys/fs/cgroup"
#define BY_UID		"/sys/module/aif/parameters/tenant_by_uid"
#define FILEID_KERNFS	0xfe	/* a file handle of the inode number alone */

int tenant_all(struct aif_client *client, struct aif_tenant_info **all)
{
	int n, room = 0;

	*all = NULL;
	/* There may be more of them at each look. */
	while ((n = aif_tenant_list(client, *all, (unsigned int)room)) > room) {
		struct aif_tenant_info *more = reallocarray(*all, (size_t)n, sizeof(**all));

		if (!more)
			return -ENOMEM;
		*all = more;
		room = n;
	}
	return n;
}

/* It cannot change as long as the module is there. */
static bool tenants_are_users(void)
{
	static bool known, users;
	FILE *f = known ? NULL : fopen(BY_UID, "re");

	if (f) {
		users = fgetc(f) == 'Y';
		known = true;
		fclose(f);
	}
	return users;
}

/* A descriptor of the cgroup whose directory has this inode number, or -1. */
static int cgroup_open(uint64_t id)
{
	char room[sizeof(struct file_handle) + sizeof(id)]
		__attribute__((aligned(__alignof__(struct file_handle)))) = "";
	struct file_handle *handle = (struct file_handle *)room;
	int root = open(CGROUPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

	handle->handle_bytes = sizeof(id);
	handle->handle_type = FILEID_KERNFS;
	memcpy(handle->f_handle, &id, sizeof(id));
	if (root >= 0)
		fd = open_by_handle_at(root, handle, O_PATH | O_CLOEXEC);
	if (root >= 0)
		close(root);
	return fd;
}

static bool cgroup_path(uint64_t id, char path[PATH_MAX])
{
	int fd = cgroup_open(id);
	char place[32];
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	n = readlink(place, path, PATH_MAX - 1);
	close(fd);
	path[n > 0 ? n : 0] = '\0';
	return n > 0 && !strncmp(path, CGROUPS, strlen(CGROUPS));
}

void tenant_name(uint64_t id, char name[TENANT_NAME_MAX])
{
	const struct passwd *user = tenants_are_users() ? getpwuid((uid_t)id) : NULL;
	char path[PATH_MAX];
	const char *text = path;

	if (user) {
		text = user->pw_name;
	} else if (!tenants_are_users() && cgroup_path(id, path)) {
		text = path + strlen(CGROUPS);
		text = *text ? text : "/";
	} else {
		snprintf(path, sizeof(path), "%" PRIu64, id);
	}
	if (strlen(text) >= TENANT_NAME_MAX)
		text += strlen(text) - TENANT_NAME_MAX + 1;
	strcpy(name, text);
	cli_plain(name);
}
