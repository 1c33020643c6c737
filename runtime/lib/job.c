// SPDX-License-Identifier: MIT
/*
 * Jobs: a slot's ranges become addresses, once, and never lead outside the
 * mapping they lie in.
 */
#include <errno.h>

#include "lib.h"

static enum aif_request_class class_from_abi(uint32_t sched_class)
{
	switch (sched_class) {
	case AIF_CLASS_REALTIME:
		return AIF_REQUEST_REALTIME;
	case AIF_CLASS_IDLE:
		return AIF_REQUEST_IDLE;
	}
	return AIF_REQUEST_NORMAL;
}

/* The piece that is number @i, counting inputs first. */
static struct aif_job_io *piece(struct libaif_job *job, unsigned int i)
{
	struct aif_job *pub = &job->pub;

	return i < pub->in_count ? &pub->in[i] : &pub->out[i - pub->in_count];
}

static int piece_resolve(struct libaif_job *job, struct aif_job_io *io, unsigned int i,
			 struct aif_range range)
{
	struct libaif_mapping *m = libaif_mapping_find(job->executor, range.grant);

	if (!m)
		return -ENOMEM;		/* for want of which it is not known */
	if (m->error)
		return m->error;
	if (range.offset > m->pub.length || range.length > m->pub.length - range.offset)
		return -EFAULT;
	io->data = (char *)m->pub.data + range.offset;
	io->length = range.length;
	io->mapping = &m->pub;
	job->mappings[i] = m;
	return 0;
}

static int pieces_resolve(struct libaif_job *job, const struct aif_slot *slot)
{
	unsigned int first = slot->inline_length ? 1 : 0;
	unsigned int count = slot->range_count;
	unsigned int i;
	int err;

	if (first + count > job->pub.in_count + job->pub.out_count)
		return -EFAULT;
	if (first) {
		job->pub.in[0].data = (void *)slot->input;
		job->pub.in[0].length = slot->inline_length;
	}
	for (i = 0; i < count; i++) {
		err = piece_resolve(job, piece(job, first + i), i, slot->ranges[i]);
		if (err)
			return err;
	}
	return 0;
}

static void mappings_hold(struct libaif_job *job, unsigned int more)
{
	unsigned int i;

	for (i = 0; i < AIF_RANGES_MAX; i++) {
		if (job->mappings[i])
			job->mappings[i]->jobs += more;
	}
}

int libaif_job_fill(struct libaif_job *job, const struct aif_delivery *d)
{
	struct aif_executor *e = job->executor;
	const struct aif_slot *slot = &e->slots[d->index];
	int err;

	*job = (struct libaif_job){
		.executor = e, .slot = d->index, .generation = d->generation,
		.pub = {
			.client = slot->client, .tenant = slot->tenant,
			.deadline_ns = slot->deadline, .tag = slot->tag, .attempt = slot->attempt,
			.sched_class = class_from_abi(slot->sched_class),
			.in_count = e->service->input_count,
			.out_count = e->service->output_count,
		},
	};
	err = pieces_resolve(job, slot);
	if (err)
		return err;
	mappings_hold(job, 1);
	job->held = true;
	return 0;
}

void aif_job_answer(struct aif_job *pub, int result, uint32_t produced, uint64_t device_ns)
{
	struct libaif_job *job = libaif_job_of(pub);
	struct aif_commit commit = {
		.type = AIF_COMMIT_RESULT, .index = job->slot, .generation = job->generation,
		.result = result, .produced = produced, .device_ns = device_ns,
	};

	if (!job->held)
		return;
	job->held = false;
	job->executor->held--;
	mappings_hold(job, -1u);
	libaif_commit(job->executor, &commit);
}

int aif_job_progress(struct aif_job *pub, uint32_t produced, uint64_t device_ns)
{
	struct libaif_job *job = libaif_job_of(pub);
	struct aif_ioc_progress arg = {
		.size = sizeof(arg), .slot = job->slot, .generation = job->generation,
		.produced = produced, .device_ns = device_ns,
	};
	int err = libaif_call(job->executor->file, AIF_IOC_PROGRESS, &arg);

	if (err)
		return err;
	if (arg.out_cancelled)
		pub->cancelled = true;
	return arg.out_cancelled != 0;
}
