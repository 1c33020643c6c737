// SPDX-License-Identifier: MIT
#include "runtime/backend/backend.h"

#include <errno.h>
#include <string.h>

#include "runtime/backend/cpu/cpu.h"

const struct aif_backend *aif_backend_find(const char *name)
{
	static const struct aif_backend *const builtin[] = { &aif_backend_cpu, &aif_backend_ref };

	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		if (!strcmp(builtin[i]->name, name))
			return builtin[i];
	}
	errno = ENODEV;
	return NULL;
}
