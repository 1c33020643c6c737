// SPDX-License-Identifier: GPL-2.0-only
/* A memfd's seals can be read in its inode; no version lacks it yet, it is no promise. */
#include <linux/hugetlb.h>
#include <linux/shmem_fs.h>

unsigned int probe(struct inode *inode);

unsigned int probe(struct inode *inode)
{
#ifdef CONFIG_HUGETLBFS
	return SHMEM_I(inode)->seals | HUGETLBFS_I(inode)->seals;
#else
	return SHMEM_I(inode)->seals;
#endif
}
