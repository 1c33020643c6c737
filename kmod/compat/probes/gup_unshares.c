// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin_user_pages() without the array of VMAs: 6.5.  Since 6.2 read-only long-term
 * pins take private memory out of what it shares, and nothing that compiles says so;
 * between the two the shim does what is needed too.
 */
#include <linux/mm.h>

long aif_probe(struct page **page);
long aif_probe(struct page **page)
{
	return pin_user_pages(0, 1, FOLL_LONGTERM, page);
}
