// SPDX-License-Identifier: GPL-2.0-only
/* Compiles nowhere.  If it does, neither does another's success mean anything. */
#include <linux/io_uring/cmd.h>

int probe(struct io_uring_cmd *cmd);
int probe(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_that_no_kernel_has(cmd);
}
