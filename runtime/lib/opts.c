// SPDX-License-Identifier: MIT
/* Structs that begin with their size, and grow at their end. */
#include <errno.h>
#include <string.h>

#include "lib.h"

static bool is_zero(const char *bytes, size_t length)
{
	while (length--) {
		if (*bytes++)
			return false;
	}
	return true;
}

int libaif_opts_in(void *full, size_t full_size, size_t first_size, const void *given)
{
	size_t size;

	memset(full, 0, full_size);
	if (!given)
		return 0;
	memcpy(&size, given, sizeof(size));
	if (size < first_size)
		return -EINVAL;
	if (size > full_size && !is_zero((const char *)given + full_size, size - full_size))
		return -E2BIG;
	memcpy(full, given, size < full_size ? size : full_size);
	return 0;
}

int libaif_opts_out(void *given, size_t first_size, const void *full, size_t full_size)
{
	size_t size, known;

	memcpy(&size, given, sizeof(size));
	if (size < first_size)
		return -EINVAL;
	known = size < full_size ? size : full_size;
	memcpy((char *)given + sizeof(size), (const char *)full + sizeof(size),
	       known - sizeof(size));
	memset((char *)given + known, 0, size - known);
	return 0;
}
