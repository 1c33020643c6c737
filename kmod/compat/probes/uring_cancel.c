// SPDX-License-Identifier: GPL-2.0-only
/*
 * 6.7: io_uring asks for a parked command back when its task or ring ends.
 * Without it a parked command outlives both: no ring door.
 */
#include <linux/io_uring/cmd.h>

int probe(struct io_uring_cmd *cmd, unsigned int issue_flags);
int probe(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	if (issue_flags & IO_URING_F_CANCEL)
		return 0;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	return -EIOCBQUEUED;
}
