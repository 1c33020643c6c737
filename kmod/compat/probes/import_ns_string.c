// SPDX-License-Identifier: GPL-2.0-only
/* MODULE_IMPORT_NS() takes a string: 6.13.  Before, it makes a string of that too. */
#include <linux/module.h>

#undef MODULE_INFO
#define MODULE_INFO(tag, info)	static const char tag[] = info

MODULE_IMPORT_NS("DMA_BUF");

static int __maybe_unused probe(void)
{
	return sizeof(char[sizeof(import_ns) == sizeof("DMA_BUF") ? 1 : -1]);
}
