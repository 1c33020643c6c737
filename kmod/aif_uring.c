// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring door: the same operations as IORING_OP_URING_CMD.
 *
 * A command that must wait is parked: marked cancelable, then linked where its
 * wake-up looks for it.  Exactly one of wake-up and cancel takes it off again,
 * under the lock of that place.  The wake-up never completes a command itself:
 * it may run in the other ring's issue path, with that ring's lock held.  It
 * asks io_uring to run aif_uring_run() in the command's own task: lazily, with
 * other completions, where that posts the one CQE; at once for a FETCH, which
 * holds a token meanwhile and may find nothing.
 */
#include <linux/sched/signal.h>

#include "aif.h"

const u64 aif_uring_feature = AIF_F_URING;

static struct aif_file *aif_cmd_file(struct io_uring_cmd *cmd)
{
	return cmd->file->private_data;
}

/* The end of a command that was marked cancelable. */
static int aif_uring_done(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
	io_uring_cmd_done(cmd, ret, issue_flags);
	return -EIOCBQUEUED;
}

/* The end of one that was not; -EAGAIN would tell io_uring to try elsewhere. */
static int aif_uring_return(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
	return ret == -EAGAIN ? aif_uring_done(cmd, ret, issue_flags) : ret;
}

static int aif_uring_result(struct io_uring_cmd *cmd, struct aif_parked *p, bool task_dead)
{
	struct aif_file *f = aif_cmd_file(cmd);
	int ret;

	switch (p->op) {
	case AIF_CMD_SUBMIT:
		ret = p->batch->accepted;
		aif_batch_release(f->client, p->batch);
		return ret;
	case AIF_CMD_COMMIT_FETCH:
		if (!task_dead)
			return aif_executor_fetch_resume(f->executor);
		aif_executor_fetch_end(f->executor);
		return -ECANCELED;
	default:
		return p->cancelled ? -ECANCELED : 0;
	}
}

/*
 * Killed, exiting (which is not yet flagged while io_uring runs the last task
 * work), or its ring is going: nobody would see what a FETCH brings.
 */
static bool aif_uring_task_dead(bool cancel)
{
	return cancel || fatal_signal_pending(current) ||
	       current->signal->flags & SIGNAL_GROUP_EXIT;
}

AIF_TASK_WORK(aif_uring_run);

/* In the command's task (or, if that is gone, in a worker). */
static void aif_uring_run(struct io_tw_req tw_req, io_tw_token_t tw)
{
	struct io_uring_cmd *cmd = io_uring_cmd_from_tw(tw_req);
	struct aif_parked *p = aif_cmd_parked(cmd);
	bool is_fetch = p->op == AIF_CMD_COMMIT_FETCH;
	int ret = aif_uring_result(cmd, p, aif_uring_task_dead(tw.cancel));

	/* A FETCH that found nothing after all is parked again. */
	if (ret || !is_fetch)
		io_uring_cmd_done(cmd, ret, IO_URING_CMD_TASK_WORK_ISSUE_FLAGS);
}

void aif_uring_wake(struct io_uring_cmd *cmd)
{
	if (aif_cmd_parked(cmd)->op == AIF_CMD_COMMIT_FETCH)
		io_uring_cmd_complete_in_task(cmd, aif_uring_run);
	else
		io_uring_cmd_do_in_task_lazy(cmd, aif_uring_run);
}

/* ---- parking ---- */

static int aif_uring_park_submit(struct aif_client *c, struct io_uring_cmd *cmd,
				 struct aif_batch *b, unsigned int issue_flags)
{
	struct aif_parked *p = aif_cmd_parked(cmd);
	int accepted = b->accepted;

	p->op = AIF_CMD_SUBMIT;
	p->batch = b;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	spin_lock(&c->wait_lock);
	if (!b->fired) {
		b->cmd = cmd;
		spin_unlock(&c->wait_lock);
		return -EIOCBQUEUED;
	}
	spin_unlock(&c->wait_lock);
	aif_batch_release(c, b);
	return aif_uring_done(cmd, accepted, issue_flags);
}

static int aif_uring_park_wait(struct aif_client *c, struct io_uring_cmd *cmd,
			       unsigned int issue_flags)
{
	struct aif_parked *p = aif_cmd_parked(cmd);
	int ret = 0;

	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	spin_lock(&c->wait_lock);
	if (aif_client_wait_done(c, p)) {
		ret = 1;
	} else if (c->parked_count == AIF_PARKED_MAX) {
		ret = -ENOSPC;
	} else {
		p->parked = true;
		c->parked_count++;
		list_add_tail(&p->node, &c->parked);
	}
	spin_unlock(&c->wait_lock);
	return ret ? aif_uring_done(cmd, min(ret, 0), issue_flags) : -EIOCBQUEUED;
}

static bool aif_uring_abort_submit(struct aif_client *c, struct aif_parked *p,
				   struct io_uring_cmd *cmd)
{
	bool ours;

	spin_lock(&c->wait_lock);
	ours = p->batch && p->batch->cmd == cmd && !p->batch->fired;
	if (ours)
		p->batch->cmd = NULL;
	spin_unlock(&c->wait_lock);
	if (ours)
		aif_batch_release(c, p->batch);
	return ours;
}

static bool aif_uring_abort_wait(struct aif_client *c, struct aif_parked *p)
{
	bool ours;

	spin_lock(&c->wait_lock);
	ours = p->parked;
	if (ours) {
		list_del_init(&p->node);
		p->parked = false;
		c->parked_count--;
	}
	spin_unlock(&c->wait_lock);
	return ours;
}

/*
 * io_uring wants its command back: its task exits or execs, or the ring goes.
 * If a wake-up has it already, that completes it.
 */
static int aif_uring_cancel(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct aif_parked *p = aif_cmd_parked(cmd);
	struct aif_file *f = aif_cmd_file(cmd);
	bool ours;

	switch (p->op) {
	case AIF_CMD_SUBMIT:
		ours = aif_uring_abort_submit(f->client, p, cmd);
		break;
	case AIF_CMD_COMMIT_FETCH:
		ours = aif_executor_fetch_abort(f->executor, cmd);
		aif_executor_cancel_check(f->executor);
		break;
	default:
		ours = aif_uring_abort_wait(f->client, p);
	}
	return ours ? aif_uring_done(cmd, -ECANCELED, issue_flags) : 0;
}

/* ---- the operations ---- */

static int aif_uring_submit(struct aif_file *f, struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct aif_cmd_submit *sqe = io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_submit);
	u32 flags = READ_ONCE(sqe->flags), first = READ_ONCE(sqe->first);
	u32 count = READ_ONCE(sqe->count);
	struct aif_batch *batch;
	int ret;

	if (READ_ONCE(sqe->__reserved))
		return -EINVAL;
	ret = aif_submit(f->client, flags, first, count, &batch);
	if (ret > 0 && batch)
		return aif_uring_park_submit(f->client, cmd, batch, issue_flags);
	return aif_uring_return(cmd, ret, issue_flags);
}

static int aif_uring_wait(struct aif_file *f, struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct aif_cmd_wait *sqe = io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_wait);
	u32 flags = READ_ONCE(sqe->flags), tag = READ_ONCE(sqe->tag);
	struct aif_parked *p = aif_cmd_parked(cmd);

	p->value = READ_ONCE(sqe->value);
	p->produced = flags & AIF_WAIT_F_PRODUCED;
	p->op = AIF_CMD_WAIT;
	p->tag = tag;
	if (flags & ~AIF_WAIT_F_PRODUCED || (p->produced ? tag >= f->client->depth : tag))
		return -EINVAL;
	return aif_uring_park_wait(f->client, cmd, issue_flags);
}

static int aif_uring_wait_quiet(struct aif_file *f, struct io_uring_cmd *cmd,
				unsigned int issue_flags)
{
	const struct aif_cmd_wait_quiet *sqe =
		io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_wait_quiet);
	struct aif_parked *p = aif_cmd_parked(cmd);

	p->op = AIF_CMD_WAIT_QUIET;
	p->tag = READ_ONCE(sqe->tag);
	if (READ_ONCE(sqe->__reserved[0]) || READ_ONCE(sqe->__reserved[1]) ||
	    READ_ONCE(sqe->__reserved[2]) ||
	    (p->tag != AIF_TAG_ALL && p->tag >= f->client->depth))
		return -EINVAL;
	return aif_uring_park_wait(f->client, cmd, issue_flags);
}

static int aif_uring_cancel_request(struct aif_file *f, struct io_uring_cmd *cmd)
{
	const struct aif_cmd_cancel *sqe = io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_cancel);

	if (READ_ONCE(sqe->__reserved))
		return -EINVAL;
	return aif_client_cancel(f->client, READ_ONCE(sqe->flags), READ_ONCE(sqe->tag),
				 READ_ONCE(sqe->generation));
}

static int aif_uring_commit_fetch(struct aif_file *f, struct io_uring_cmd *cmd,
				  unsigned int issue_flags)
{
	const struct aif_cmd_commit_fetch *sqe =
		io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_commit_fetch);
	u32 flags = READ_ONCE(sqe->flags), credit = READ_ONCE(sqe->credit);
	struct aif_executor *ex = f->executor;
	u32 stale = 0;
	int ret;

	ret = aif_executor_turn(ex, flags, READ_ONCE(sqe->commit_first),
				READ_ONCE(sqe->commit_count), credit, &stale);
	if (ret || (flags & AIF_FETCH_F_COMMIT_ONLY))
		return ret;
	if (flags & AIF_FETCH_F_NONBLOCK)
		return aif_uring_return(cmd, aif_executor_fetch(ex, credit, true), issue_flags);
	aif_cmd_parked(cmd)->op = AIF_CMD_COMMIT_FETCH;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	ret = aif_executor_fetch_begin(ex, credit, cmd);
	return ret ? aif_uring_done(cmd, ret, issue_flags) : -EIOCBQUEUED;
}

static int aif_uring_progress(struct aif_file *f, struct io_uring_cmd *cmd)
{
	const struct aif_cmd_progress *sqe = io_uring_sqe_cmd(cmd->sqe, struct aif_cmd_progress);

	return aif_executor_progress(f->executor, READ_ONCE(sqe->slot),
				     READ_ONCE(sqe->generation), READ_ONCE(sqe->produced),
				     (u64)READ_ONCE(sqe->device_us) * NSEC_PER_USEC);
}

static int aif_uring_client(struct aif_file *f, struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct aif_client *c = f->client;

	if (!aif_client_depth(c))
		return -ENXIO;
	if (!(c->granted_features & AIF_F_URING))
		return -EOPNOTSUPP;
	switch (cmd->cmd_op) {
	case AIF_CMD_SUBMIT:
		return aif_uring_submit(f, cmd, issue_flags);
	case AIF_CMD_WAIT:
		return aif_uring_wait(f, cmd, issue_flags);
	case AIF_CMD_WAIT_QUIET:
		return aif_uring_wait_quiet(f, cmd, issue_flags);
	case AIF_CMD_CANCEL:
		return aif_uring_cancel_request(f, cmd);
	default:
		return -ENOTTY;
	}
}

static int aif_uring_executor(struct aif_file *f, struct io_uring_cmd *cmd,
			      unsigned int issue_flags)
{
	int err = aif_executor_check(f->executor);

	if (err)
		return err;
	if (!(f->features & AIF_F_URING))
		return -EOPNOTSUPP;
	switch (cmd->cmd_op) {
	case AIF_CMD_COMMIT_FETCH:
		return aif_uring_commit_fetch(f, cmd, issue_flags);
	case AIF_CMD_PROGRESS:
		return aif_uring_progress(f, cmd);
	default:
		return -ENOTTY;
	}
}

int aif_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct aif_file *f = aif_cmd_file(cmd);

	if (issue_flags & IO_URING_F_CANCEL)
		return aif_uring_cancel(cmd, issue_flags);
	if (issue_flags & IO_URING_F_IOPOLL)
		return -EOPNOTSUPP;
	memset(aif_cmd_parked(cmd), 0, sizeof(struct aif_parked));
	switch (aif_file_role(f)) {
	case AIF_ROLE_CLIENT:
		return aif_uring_client(f, cmd, issue_flags);
	case AIF_ROLE_EXECUTOR:
		return aif_uring_executor(f, cmd, issue_flags);
	default:
		return -ENOTTY;
	}
}
