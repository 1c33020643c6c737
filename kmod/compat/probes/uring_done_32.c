// SPDX-License-Identifier: GPL-2.0-only
/* 6.18: a second result has a function of its own, io_uring_cmd_done32(). */
#include <linux/io_uring/cmd.h>

void probe(struct io_uring_cmd *cmd, unsigned int issue_flags);
void probe(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	io_uring_cmd_done(cmd, 0, issue_flags);
}
