// SPDX-License-Identifier: MIT
/* A CUDA driver that does not survive being asked for its calls. */
#include <stdlib.h>

int cuGetProcAddress_v2(void);

int cuGetProcAddress_v2(void)
{
	abort();
}
