// SPDX-License-Identifier: MIT
#include "runtime/backend/cuda/image.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define FATBIN_MAGIC 0xba55ed50u

/* How nvcc's fat binaries begin; what follows has @bytes. */
struct fatbin_header {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t bytes;
};

int aif_cuda_image_check(const struct aif_cuda_image *image)
{
	size_t size = image->end - image->begin;
	struct fatbin_header h;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, image->begin, sizeof(h));
	if (h.magic != FATBIN_MAGIC || h.version != 1 || h.header_bytes < sizeof(h) ||
	    h.header_bytes > size || h.bytes > size - h.header_bytes)
		return -EBADMSG;
	return 0;
}
