// SPDX-License-Identifier: MIT
/*
 * A row for each ring command, by the name of its number; for those that park,
 * one for parking and one for what completes them: task work of this task.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

/* The result of the one command that is under way. */
static int reap(struct world *w)
{
	struct io_uring_cqe *cqe;
	int err;

	do
		err = io_uring_wait_cqe(&w->ring, &cqe);
	while (err == -EINTR || err == -EAGAIN);
	if (err)
		return err;
	err = cqe->res;
	io_uring_cqe_seen(&w->ring, cqe);
	w->parked = false;
	return err;
}

/* Place the command unless io_uring had no memory to take it the last time. */
static int submit(struct world *w)
{
	int n;

	if (!io_uring_sq_ready(&w->ring) &&
	    !raw_ring_prep(&w->ring, w->fd, w->with, &w->payload, 0))
		return -ENOSPC;
	n = io_uring_submit(&w->ring);
	return n < 0 ? n : 0;
}

static int run_inline(struct world *w)
{
	int err = submit(w);

	return err ? err : reap(w);
}

/* It has failed if it is complete already. */
static int run_park(struct world *w)
{
	struct io_uring_cqe *cqe;
	int err = submit(w);

	if (err)
		return err;
	w->parked = true;
	return io_uring_peek_cqe(&w->ring, &cqe) == -EAGAIN ? 0 : reap(w);
}

/* What its ioctl does completes the parked command. */
static int run_complete(struct world *w)
{
	int err = run_ioctl(w);

	return err ? err : reap(w);
}

static int park(struct world *w)
{
	int err = run_park(w);

	return err > 0 ? -EPROTO : err;
}

/* ---- the client's ---- */

/* A new ring each time: it has no requests in store, so it allocates some. */
static union world_payload *payload(struct world *w, int fd)
{
	if (world_ring(w))
		abort();
	memset(&w->payload, 0, sizeof(w->payload));
	w->fd = fd;
	return &w->payload;
}

/* CANCEL of everything, by ioctl: what completes the client's commands. */
static void cancel_argument(struct world *w)
{
	struct aif_ioc_cancel arg = { .size = sizeof(arg), .tag = AIF_TAG_ALL };

	w->arg.cancel = arg;
	w->cmd = AIF_IOC_CANCEL;
}

static void teardown_parked(struct world *w)
{
	raw_cancel(&w->rig.client, AIF_TAG_ALL, 0);
	if (w->parked)
		reap(w);
}

static int setup_submit(struct world *w)
{
	struct aif_cmd_submit *cmd = &payload(w, w->rig.client.fd)->submit;

	cmd->first = place_request(w, 0);
	cmd->count = 1;
	return 0;
}

static int setup_submit_waiting(struct world *w)
{
	setup_submit(w);
	w->payload.submit.flags = AIF_SUBMIT_F_WAIT_ALL;
	cancel_argument(w);
	return 0;
}

static int setup_wait(struct world *w)
{
	payload(w, w->rig.client.fd);
	return 0;
}

static int setup_wait_waiting(struct world *w)
{
	struct aif_cmd_wait *cmd = &payload(w, w->rig.client.fd)->wait;

	cmd->value = w->rig.client.status->answered + 1;
	cancel_argument(w);
	return queue_request(w, 0);
}

static int setup_wait_quiet(struct world *w)
{
	struct aif_cmd_wait_quiet *cmd = &payload(w, w->rig.client.fd)->wait_quiet;

	cmd->tag = AIF_TAG_ALL;
	return 0;
}

static int setup_wait_quiet_waiting(struct world *w)
{
	setup_wait_quiet(w);
	cancel_argument(w);
	return queue_request(w, 0);
}

static int setup_cancel(struct world *w)
{
	struct aif_cmd_cancel *cmd = &payload(w, w->rig.client.fd)->cancel;
	int err = queue_request(w, 0);

	cmd->generation = w->id;
	return err;
}

/* ---- the executor's ---- */

static int setup_fetch(struct world *w)
{
	struct aif_cmd_commit_fetch *cmd = &payload(w, w->rig.executor.fd)->commit_fetch;

	cmd->credit = 1;
	return queue_request(w, 0);
}

/* SUBMIT, by ioctl, of what completes a parked FETCH. */
static int setup_fetch_waiting(struct world *w)
{
	struct aif_cmd_commit_fetch *cmd = &payload(w, w->rig.executor.fd)->commit_fetch;
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .count = 1, .first = place_request(w, 0),
	};

	cmd->credit = 1;
	w->arg.submit = arg;
	w->cmd = AIF_IOC_SUBMIT;
	return 0;
}

static void teardown_fetch_waiting(struct world *w)
{
	if (!w->parked)
		return;
	queue_request(w, 1);
	reap(w);
}

static int setup_commit(struct world *w)
{
	struct aif_cmd_commit_fetch *cmd = &payload(w, w->rig.executor.fd)->commit_fetch;
	int err = hold_request(w, 0);

	w->rig.executor.commit[0] = (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = w->held.slot,
		.generation = w->held.generation,
	};
	cmd->flags = AIF_FETCH_F_COMMIT_ONLY;
	cmd->commit_count = 1;
	return err;
}

static int setup_progress(struct world *w)
{
	struct aif_cmd_progress *cmd = &payload(w, w->rig.executor.fd)->progress;
	int err = hold_request(w, 0);

	cmd->slot = w->held.slot;
	cmd->generation = w->held.generation;
	cmd->produced = 1;
	return err;
}

/* ---- its completion: the command is parked in setup ---- */

static int setup_submit_parked(struct world *w)
{
	setup_submit_waiting(w);
	return park(w);
}

static int setup_wait_parked(struct world *w)
{
	int err = setup_wait_waiting(w);

	return err ? err : park(w);
}

static int setup_wait_quiet_parked(struct world *w)
{
	int err = setup_wait_quiet_waiting(w);

	return err ? err : park(w);
}

/* The ioctl is the client's. */
static int setup_fetch_parked(struct world *w)
{
	int err;

	setup_fetch_waiting(w);
	err = park(w);
	w->fd = w->rig.client.fd;
	return err;
}

/* ---- io_uring's own ---- */

static int setup_register(struct world *w)
{
	return world_ring(w);
}

static int run_register(struct world *w)
{
	struct iovec part = { w->rig.buffer.base, w->rig.buffer.length };

	return io_uring_register_buffers(&w->ring, &part, 1);
}

static void teardown_register(struct world *w)
{
	if (w->result >= 0)
		io_uring_unregister_buffers(&w->ring);
}

#define CMD(cmd, fn)	.with = AIF_CMD_##cmd, .run = fn
#define RING(cmd)	.name = "AIF_CMD_" #cmd, CMD(cmd, run_inline), .flags = ROW_EAGAIN
#define AS(cmd, what)	.name = "AIF_CMD_" #cmd ", " what, CMD(cmd, run_inline), \
			.flags = ROW_EAGAIN
#define PARKS(cmd)	.name = "AIF_CMD_" #cmd ", parks", CMD(cmd, run_park), \
			.flags = ROW_EAGAIN
#define PARKED(cmd)	.name = "AIF_CMD_" #cmd ", completes", CMD(cmd, run_complete)

const struct row ring_rows[] = {
	{ RING(SUBMIT), .setup = setup_submit },
	{ PARKS(SUBMIT), .setup = setup_submit_waiting, .teardown = teardown_parked },
	{ PARKED(SUBMIT), .setup = setup_submit_parked, .teardown = teardown_parked,
	  .least = 1 },
	{ RING(WAIT), .setup = setup_wait },
	{ PARKS(WAIT), .setup = setup_wait_waiting, .teardown = teardown_parked },
	{ PARKED(WAIT), .setup = setup_wait_parked, .teardown = teardown_parked,
	  .least = 1 },
	{ RING(WAIT_QUIET), .setup = setup_wait_quiet },
	{ PARKS(WAIT_QUIET), .setup = setup_wait_quiet_waiting, .teardown = teardown_parked },
	{ PARKED(WAIT_QUIET), .setup = setup_wait_quiet_parked, .teardown = teardown_parked,
	  .least = 1 },
	{ RING(CANCEL), .setup = setup_cancel },
	{ RING(COMMIT_FETCH), .setup = setup_fetch },
	{ AS(COMMIT_FETCH, "a result"), .setup = setup_commit },
	{ PARKS(COMMIT_FETCH), .setup = setup_fetch_waiting,
	  .teardown = teardown_fetch_waiting },
	{ PARKED(COMMIT_FETCH), .setup = setup_fetch_parked,
	  .teardown = teardown_fetch_waiting, .flags = ROW_LATE, .least = 1 },
	{ RING(PROGRESS), .setup = setup_progress },
	{ "a ring pins a buffer", .setup = setup_register, .run = run_register,
	  .teardown = teardown_register, .least = 1 },
};
const size_t ring_row_count = sizeof(ring_rows) / sizeof(ring_rows[0]);
