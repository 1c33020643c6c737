// SPDX-License-Identifier: MIT
/* Which transport a device's name means. */
#include <string.h>

#include "transport.h"

#define DEVICE_DEFAULT	"/dev/aif"
#define DEVICE_LOCAL	"local"

struct libaif_file *libaif_open(const char *device, enum libaif_node node)
{
	if (!device)
		device = DEVICE_DEFAULT;
	if (!strcmp(device, DEVICE_LOCAL) || !strncmp(device, DEVICE_LOCAL ":", 6))
		return libaif_transport_local.open(device, node);
	return libaif_transport_kernel.open(device, node);
}
