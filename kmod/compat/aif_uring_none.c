// SPDX-License-Identifier: GPL-2.0-only
/*
 * In place of aif_uring.c where io_uring cannot take a parked command back: the
 * ring door is shut, and AIF_IOC_INFO does not grant it.
 */
#include "aif.h"

const u64 aif_uring_feature;

int aif_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	return -EOPNOTSUPP;
}

/* Nothing is parked. */
void aif_uring_wake(struct io_uring_cmd *cmd)
{
}
