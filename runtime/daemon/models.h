/* SPDX-License-Identifier: MIT */
/* models.h - where models are */
#ifndef AIFD_MODELS_H
#define AIFD_MODELS_H

#include <stddef.h>

#include "aif_model.h"

/*
 * The folder that holds models by name: ${AIF_CACHE:-${XDG_CACHE_HOME:-~/.cache}/aif}/models.
 * -ENOENT: none of these variables is set.  -ENAMETOOLONG.
 */
int models_folder(char *path, size_t room, struct aif_why *why);

/*
 * The folder of the model that a person called @name: a path if it has a slash or
 * begins with a dot, else a name in models_folder().  -ENOENT: it is not there.
 */
int models_find(const char *name, char *path, size_t room, struct aif_why *why);

#endif
