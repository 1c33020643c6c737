// SPDX-License-Identifier: MIT
#include "runtime/daemon/kind.h"

#include <string.h>

const struct kind *kind_find(const char *name)
{
	static const struct kind *const kinds[] = { &kind_embed, &kind_echo };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}
