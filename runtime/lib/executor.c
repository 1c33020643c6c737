// SPDX-License-Identifier: MIT
/* Executors: turns, the jobs they bring, and the answers they take away. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib.h"

#define OPTS_FIRST	sizeof(struct aif_executor_opts)
#define CALLBACKS_FIRST	sizeof(struct aif_executor_callbacks)
#define SLOTS_DEFAULT	64

_Static_assert(sizeof(struct aif_executor_opts) == 56, "no padding");

/* ---- opening and closing ---- */

static bool arrays_are_known(const struct aif_ioc_info *info, unsigned int slots)
{
	const struct aif_array *a = info->out_arrays;
	uint32_t ring = a[AIF_ARRAY_COMMIT].count;

	return a[AIF_ARRAY_SLOT].entry_size == sizeof(struct aif_slot) &&
	       a[AIF_ARRAY_DELIVERY].entry_size == sizeof(struct aif_delivery) &&
	       a[AIF_ARRAY_COMMIT].entry_size == sizeof(struct aif_commit) &&
	       a[AIF_ARRAY_EXECUTOR_STATUS].entry_size == sizeof(struct aif_executor_status) &&
	       a[AIF_ARRAY_SLOT].count >= slots && ring >= slots;
}

static int executor_map(struct aif_executor *e)
{
	e->slots = libaif_map_array(e->file, &e->info, AIF_ARRAY_SLOT, PROT_READ);
	if (!e->slots)
		return -errno;
	e->deliveries = libaif_map_array(e->file, &e->info, AIF_ARRAY_DELIVERY, PROT_READ);
	if (!e->deliveries)
		return -errno;
	e->ring = libaif_map_array(e->file, &e->info, AIF_ARRAY_COMMIT, PROT_READ | PROT_WRITE);
	if (!e->ring)
		return -errno;
	e->status = libaif_map_array(e->file, &e->info, AIF_ARRAY_EXECUTOR_STATUS, PROT_READ);
	return e->status ? 0 : -errno;
}

static int executor_attach(struct aif_executor *e, const struct aif_executor_opts *opts)
{
	struct aif_ioc_executor_attach attach = {
		.size = sizeof(attach), .service = opts->service,
		.holder_fd = opts->holder_fd > 0 ? opts->holder_fd : -1,
		.slots = e->slot_count,
	};
	int err = libaif_call(e->file, AIF_IOC_EXECUTOR_ATTACH, &attach);

	if (err)
		return err;
	e->info = (struct aif_ioc_info){ .size = sizeof(e->info), .features = opts->features };
	err = libaif_call(e->file, AIF_IOC_INFO, &e->info);
	if (err)
		return err;
	return arrays_are_known(&e->info, e->slot_count) ? 0 : -EOPNOTSUPP;
}

static int executor_setup(struct aif_executor *e, const struct aif_executor_opts *opts)
{
	unsigned int i;
	int err;

	e->file = libaif_open(opts->device, LIBAIF_SERVE);
	if (!e->file)
		return -errno;
	err = executor_attach(e, opts);
	if (err)
		return err;
	err = executor_map(e);
	if (err)
		return err;
	e->service = libaif_describe(e->file, opts->service);
	e->jobs = calloc(e->slot_count, sizeof(*e->jobs));
	if (!e->service || !e->jobs)
		return -errno;
	for (i = 0; i < e->slot_count; i++)
		e->jobs[i].executor = e;
	return 0;
}

struct aif_executor *aif_executor_open(const struct aif_executor_opts *given)
{
	struct aif_executor_opts opts;
	struct aif_executor *e;
	int err = libaif_opts_in(&opts, sizeof(opts), OPTS_FIRST, given);

	if (err || opts.reserved)
		return libaif_null(err ? err : -EINVAL);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->ctx = opts.ctx;
	e->slot_count = opts.slots ? opts.slots : SLOTS_DEFAULT;
	err = libaif_opts_in(&e->callbacks, sizeof(e->callbacks), CALLBACKS_FIRST, opts.callbacks);
	if (!err)
		err = executor_setup(e, &opts);
	if (err) {
		aif_executor_close(e);
		return libaif_null(err);
	}
	return e;
}

/* Also of one that was opened in part.  What was answered already is not lost. */
void aif_executor_close(struct aif_executor *e)
{
	if (!e)
		return;
	if (e->file) {
		if (e->ring)
			aif_executor_flush(e);
		libaif_mappings_fini(e);
		libaif_unmap_array(e->file, &e->info, AIF_ARRAY_SLOT, e->slots);
		libaif_unmap_array(e->file, &e->info, AIF_ARRAY_DELIVERY, e->deliveries);
		libaif_unmap_array(e->file, &e->info, AIF_ARRAY_COMMIT, e->ring);
		libaif_unmap_array(e->file, &e->info, AIF_ARRAY_EXECUTOR_STATUS, e->status);
		libaif_close(e->file);
	}
	free(e->service);
	free(e->jobs);
	free(e);
}

int aif_executor_fd(const struct aif_executor *e)
{
	return e->file->fd;
}

const struct aif_service_info *aif_executor_service(const struct aif_executor *e)
{
	return e->service;
}

uint64_t aif_executor_doorbell(const struct aif_executor *e)
{
	return libaif_load(&e->status->queued);
}

int aif_executor_declare_pins(struct aif_executor *e, const struct aif_mapping *mapping,
			      unsigned int pins)
{
	struct aif_ioc_declare_pins arg = {
		.size = sizeof(arg), .handle = mapping->grant, .pins = pins,
	};

	return libaif_call(e->file, AIF_IOC_DECLARE_PINS, &arg);
}

/* ---- what a turn brings ---- */

static void answer_now(struct aif_executor *e, const struct aif_delivery *d, int result)
{
	struct aif_commit commit = {
		.type = AIF_COMMIT_RESULT, .index = d->index, .generation = d->generation,
		.result = result,
	};

	libaif_commit(e, &commit);
}

/* A request whose memory cannot be reached here is answered, not handed on. */
static struct libaif_job *job_take(struct aif_executor *e, const struct aif_delivery *d)
{
	struct libaif_job *job;
	int err;

	if (d->index >= e->slot_count)
		return NULL;
	job = &e->jobs[d->index];
	err = libaif_job_fill(job, d);
	if (err) {
		libaif_log(AIF_LOG_WARN, "a request is answered unseen: %s", aif_error_text(err));
		answer_now(e, d, err);
		return NULL;
	}
	e->held++;
	return job;
}

static void job_cancel(struct aif_executor *e, const struct aif_delivery *d)
{
	if (d->index < e->slot_count && e->jobs[d->index].held &&
	    e->jobs[d->index].generation == d->generation)
		e->jobs[d->index].pub.cancelled = true;
}

static void poisoned(struct aif_executor *e, const struct aif_delivery *d)
{
	libaif_log(AIF_LOG_WARN, "request %u of client %llu killed its executors", d->index,
		   (unsigned long long)d->offset);
	if (e->callbacks.poisoned)
		e->callbacks.poisoned(e->ctx, d->offset, d->index);
}

/* @count entries of the delivery array; returns the jobs among them. */
static int deliver(struct aif_executor *e, struct aif_job **jobs, unsigned int credit,
		   unsigned int count)
{
	struct libaif_job *job;
	unsigned int i, n = 0;

	for (i = 0; i < count; i++) {
		const struct aif_delivery *d = &e->deliveries[i];

		switch (d->type) {
		case AIF_DELIVERY_REQUEST:
			job = job_take(e, d);
			if (job && n < credit)
				jobs[n++] = &job->pub;
			break;
		case AIF_EVENT_GRANT_ADDED:
			libaif_mapping_add(e, d);
			break;
		case AIF_EVENT_GRANT_REVOKED:
			libaif_mapping_revoke(e, d->index);
			break;
		case AIF_EVENT_CANCELLED:
			job_cancel(e, d);
			break;
		case AIF_EVENT_POISON:
			poisoned(e, d);
			break;
		}
	}
	return (int)n;
}

/* ---- turns ---- */

/* Everything that was answered goes; what a parked turn carries stays where it is. */
void libaif_commits_sent(struct aif_executor *e)
{
	uint32_t ring = e->info.out_arrays[AIF_ARRAY_COMMIT].count;

	e->commit_first = (e->commit_first + e->commits) % ring;
	e->commits = 0;
}

static int commit_fetch(struct aif_executor *e, unsigned int credit, uint32_t flags,
			uint32_t *count)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = flags, .commit_first = e->commit_first,
		.commit_count = e->commits, .credit = credit,
	};
	int err = libaif_call(e->file, AIF_IOC_COMMIT_FETCH, &arg);

	if (arg.out_stale)
		libaif_log(AIF_LOG_DEBUG, "%u stale answers were skipped", arg.out_stale);
	libaif_commits_sent(e);
	*count = err ? 0 : arg.out_count;
	return err;
}

int aif_executor_turn(struct aif_executor *e, struct aif_job **jobs, unsigned int credit,
		      unsigned int flags)
{
	uint32_t count;
	int err;

	if (flags & ~AIF_TURN_NONBLOCK || credit > e->slot_count)
		return -EINVAL;
	libaif_mappings_part(e, e->slot_count - e->parked - e->commits);
	err = commit_fetch(e, credit, flags & AIF_TURN_NONBLOCK ? AIF_FETCH_F_NONBLOCK : 0, &count);
	return err ? err : deliver(e, jobs, credit, count);
}

int aif_executor_flush(struct aif_executor *e)
{
	uint32_t count;

	libaif_mappings_part(e, e->slot_count - e->parked - e->commits);
	return e->commits ? commit_fetch(e, 0, AIF_FETCH_F_COMMIT_ONLY, &count) : 0;
}

int aif_executor_turned(struct aif_executor *e, struct aif_job **jobs, unsigned int credit,
			int res)
{
	e->parked = 0;
	return res < 0 ? res : deliver(e, jobs, credit, (unsigned int)res);
}

void libaif_commit(struct aif_executor *e, const struct aif_commit *commit)
{
	uint32_t ring = e->info.out_arrays[AIF_ARRAY_COMMIT].count;

	e->ring[(e->commit_first + e->commits) % ring] = *commit;
	e->commits++;
}
