// SPDX-License-Identifier: MIT
#include "runtime/backend/backend.h"

#include <errno.h>
#include <string.h>

#include "runtime/backend/cpu/cpu.h"
#include "runtime/backend/opts.h"

extern const struct aif_backend aif_backend_cuda;

int aif_opts_copy(void *to, size_t size, const void *from)
{
	uint32_t given;

	memset(to, 0, size);
	if (!from)
		return 0;
	memcpy(&given, from, sizeof(given));
	if (given < sizeof(given))
		return -EINVAL;
	for (size_t i = size; i < given; i++) {
		if (((const char *)from)[i])
			return -EINVAL;
	}
	memcpy(to, from, given < size ? given : size);
	return 0;
}

const struct aif_backend *aif_backend_find(const char *name)
{
	static const struct aif_backend *const builtin[] = {
		&aif_backend_cpu, &aif_backend_ref, &aif_backend_cuda,
	};

	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		if (!strcmp(builtin[i]->name, name))
			return builtin[i];
	}
	errno = ENODEV;
	return NULL;
}
