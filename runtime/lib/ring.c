// SPDX-License-Identifier: MIT
/* Commands in the application's own io_uring. */
#include <errno.h>
#include <string.h>

#include <linux/io_uring.h>

#include "lib.h"

#define PAYLOAD		16	/* bytes of a 64-byte SQE that are the command's own */

/* The payload is where 64-byte SQEs end; the kernel's header calls it `cmd`. */
_Static_assert(sizeof(struct io_uring_sqe) == 64 && offsetof(struct io_uring_sqe, cmd) == 48,
	       "the SQE is the one we know");
_Static_assert(sizeof(struct aif_cmd_submit) == PAYLOAD && sizeof(struct aif_cmd_wait) == PAYLOAD &&
	       sizeof(struct aif_cmd_wait_quiet) == PAYLOAD &&
	       sizeof(struct aif_cmd_cancel) == PAYLOAD &&
	       sizeof(struct aif_cmd_commit_fetch) == PAYLOAD &&
	       sizeof(struct aif_cmd_progress) == PAYLOAD, "every command fits");

/* Everything but user_data, which is the application's. */
static void fill(struct io_uring_sqe *sqe, const struct libaif_file *file, enum aif_cmd op,
		 const void *payload)
{
	uint64_t user_data = sqe->user_data;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = file->fd;
	sqe->cmd_op = op;
	sqe->user_data = user_data;
	memcpy((char *)sqe + offsetof(struct io_uring_sqe, cmd), payload, PAYLOAD);
}

static int prep_client(struct io_uring_sqe *sqe, const struct aif_client *c, enum aif_cmd op,
		       const void *payload)
{
	if (!(c->info.features & AIF_F_URING))
		return -EOPNOTSUPP;
	fill(sqe, c->file, op, payload);
	return 0;
}

int aif_prep_submit(struct io_uring_sqe *sqe, struct aif_request *const *requests,
		    unsigned int count, unsigned int flags)
{
	struct aif_cmd_submit cmd = { .count = count };
	int err = libaif_submit_flags(flags, &cmd.flags);
	int64_t first;

	if (err)
		return err;
	if (!count || !(requests[0]->client->info.features & AIF_F_URING))
		return count ? -EOPNOTSUPP : -EINVAL;
	first = libaif_descs_place(requests, count);
	if (first < 0)
		return (int)first;
	cmd.first = (uint32_t)first;
	requests[0]->first = cmd.first;
	return prep_client(sqe, requests[0]->client, AIF_CMD_SUBMIT, &cmd);
}

/*
 * A submission that was interrupted or cancelled while it waited says -errno, and
 * not how many it had taken; the completions do.
 */
static unsigned int taken_of(struct aif_request *const *requests, unsigned int count, int res)
{
	unsigned int n = 0;

	if (res >= 0)
		return (unsigned int)res < count ? (unsigned int)res : count;
	while (n < count && aif_request_state(requests[n]) > AIF_REQUEST_PREPARED)
		n++;
	return n;
}

void aif_request_submitted(struct aif_request *const *requests, unsigned int count, int res)
{
	unsigned int taken = taken_of(requests, count, res);

	if (!count || libaif_phase(requests[0]) != LIBAIF_PLACED)
		return;
	libaif_descs_release(requests[0]->client, requests[0]->first, count);
	libaif_requests_settle(requests, count, taken);
}

int aif_prep_wait(struct io_uring_sqe *sqe, struct aif_client *c, uint64_t answered)
{
	struct aif_cmd_wait cmd = { .value = answered };

	return prep_client(sqe, c, AIF_CMD_WAIT, &cmd);
}

int aif_prep_wait_produced(struct io_uring_sqe *sqe, struct aif_request *r, uint32_t bytes)
{
	struct aif_cmd_wait cmd = {
		.flags = AIF_WAIT_F_PRODUCED, .tag = r->desc.tag, .value = bytes,
	};

	return prep_client(sqe, r->client, AIF_CMD_WAIT, &cmd);
}

int aif_prep_wait_quiet(struct io_uring_sqe *sqe, struct aif_request *r)
{
	struct aif_cmd_wait_quiet cmd = { .tag = r->desc.tag };

	return prep_client(sqe, r->client, AIF_CMD_WAIT_QUIET, &cmd);
}

int aif_prep_cancel(struct io_uring_sqe *sqe, struct aif_request *r)
{
	struct aif_cmd_cancel cmd = { .tag = r->desc.tag, .generation = r->desc.generation };

	return prep_client(sqe, r->client, AIF_CMD_CANCEL, &cmd);
}

/*
 * Acknowledgements leave room for an answer to every job in hand: those may come
 * while this turn's commits still stand in the ring.
 */
int aif_prep_turn(struct io_uring_sqe *sqe, struct aif_executor *e, unsigned int credit,
		  unsigned int flags)
{
	struct aif_cmd_commit_fetch cmd = {
		.flags = flags & AIF_TURN_NONBLOCK ? AIF_FETCH_F_NONBLOCK : 0, .credit = credit,
	};

	if (flags & ~AIF_TURN_NONBLOCK || credit > e->slot_count)
		return -EINVAL;
	if (!(e->info.features & AIF_F_URING))
		return -EOPNOTSUPP;
	libaif_mappings_part(e, e->slot_count - e->commits - e->held);
	cmd.commit_first = e->commit_first;
	cmd.commit_count = e->commits;
	e->parked = e->commits;
	libaif_commits_sent(e);
	fill(sqe, e->file, AIF_CMD_COMMIT_FETCH, &cmd);
	return 0;
}

int aif_prep_progress(struct io_uring_sqe *sqe, struct aif_job *pub, uint32_t produced,
		      uint32_t device_us)
{
	const struct libaif_job *job = libaif_job_of(pub);
	struct aif_cmd_progress cmd = {
		.slot = job->slot, .generation = job->generation, .produced = produced,
		.device_us = device_us,
	};

	if (!(job->executor->info.features & AIF_F_URING))
		return -EOPNOTSUPP;
	fill(sqe, job->executor->file, AIF_CMD_PROGRESS, &cmd);
	return 0;
}
