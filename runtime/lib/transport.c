// SPDX-License-Identifier: MIT
/* Which transport a device's name means. */
#include <string.h>

#include "transport.h"

#define DEVICE_DEFAULT	"/dev/aif"
#define DEVICE_LOCAL	"local"

static const struct libaif_transport *transport_of(const char *device)
{
	if (!strcmp(device, DEVICE_LOCAL) || !strncmp(device, DEVICE_LOCAL ":", 6))
		return &libaif_transport_local;
	return &libaif_transport_kernel;
}

struct libaif_file *libaif_open(const char *device, enum libaif_node node)
{
	if (!device)
		device = DEVICE_DEFAULT;
	return transport_of(device)->open(device, node);
}

struct libaif_file *libaif_adopt(const char *device, int fd)
{
	return transport_of(device ? device : DEVICE_DEFAULT)->adopt(fd);
}
