// SPDX-License-Identifier: MIT
/* Which transport a device's name means. */

#include "transport.h"

#define DEVICE_DEFAULT	"/dev/aif"

struct libaif_file *libaif_open(const char *device, enum libaif_node node)
{
	if (!device)
		device = DEVICE_DEFAULT;
	return libaif_transport_kernel.open(device, node);
}
