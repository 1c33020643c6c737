// SPDX-License-Identifier: GPL-2.0-only
/* Compiles everywhere.  If it does not, no answer of the others means anything. */
#include <linux/fs.h>
#include <linux/io_uring/cmd.h>
#include <linux/module.h>

int probe(struct io_uring_cmd *cmd);
int probe(struct io_uring_cmd *cmd)
{
	return cmd->cmd_op;
}
