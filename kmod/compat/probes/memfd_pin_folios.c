// SPDX-License-Identifier: GPL-2.0-only
/* A module may pin the folios of a memfd, each once: 6.11. */
#include <linux/mm.h>

long probe(struct file *memfd, struct folio **folios, pgoff_t *offset);

long probe(struct file *memfd, struct folio **folios, pgoff_t *offset)
{
	return memfd_pin_folios(memfd, 0, 4095, folios, 1, offset);
}
