// SPDX-License-Identifier: GPL-2.0-only
/* After 6.18: task work gets a request and a token that says whether to cancel. */
#include <linux/io_uring/cmd.h>

static void work(struct io_tw_req tw_req, io_tw_token_t tw)
{
	if (!tw.cancel)
		io_uring_cmd_from_tw(tw_req)->flags = IO_URING_CMD_TASK_WORK_ISSUE_FLAGS;
}

void probe(struct io_uring_cmd *cmd);
void probe(struct io_uring_cmd *cmd)
{
	io_uring_cmd_complete_in_task(cmd, work);
}
