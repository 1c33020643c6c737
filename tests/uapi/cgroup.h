/* SPDX-License-Identifier: MIT */
/* Groups of cgroup v2 under the root, for programs that run as root.  0 or -errno. */
#ifndef CGROUP_H
#define CGROUP_H

int cgroup_make(const char *name);
int cgroup_remove(const char *name);	/* waits until nobody is in it, at most 10 s */
int cgroup_enter(const char *name);	/* the calling process; "": the root */
int cgroup_set(const char *name, const char *file, const char *value);

/* A number: all of @file, or what stands after @key in it. */
long cgroup_get(const char *name, const char *file, const char *key);

#endif
