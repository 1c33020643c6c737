// SPDX-License-Identifier: GPL-2.0-only
/* 6.12: io_uring_cmd_to_pdu(). */
#include <linux/io_uring/cmd.h>

void *probe(struct io_uring_cmd *cmd);
void *probe(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, u64);
}
