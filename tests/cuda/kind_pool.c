// SPDX-License-Identifier: MIT
/*
 * TEST CODE: a service that is one kernel, pool, on rows where the client has them: small enough
 * for a guest without floating point of its own.  In the place of the encoder's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "runtime/daemon/kind.h"
#include "runtime/model/why.h"

#define WIDTH 8
#define ROWS_MAX 8

struct pool {
	const struct aif_backend *be;
	struct service_conf conf;
	struct aif_dev *dev;
	struct aif_stream *stream;
	struct aif_mem *cu;	/* i32 [2] */
};

static int pool_open(const struct service_conf *conf, void **state, struct aif_why *why)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return aif_why_set(why, -ENOMEM, "no memory");
	p->be = conf->backend;
	p->conf = *conf;
	*state = p;
	return 0;
}

static void pool_close(void *state)
{
	struct pool *p = state;

	if (p->dev) {
		p->be->mem_free(p->cu);
		p->be->stream_free(p->stream);
		p->be->dev_close(p->dev);
	}
	free(p);
}

static void pool_describe(void *state, struct kind_description *d)
{
	static const struct aif_service_io io[] = {
		{ .name = "rows", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32, .dims = 2,
		  .shape = { -1, WIDTH }, .alignment = 64,
		  .max_bytes = ROWS_MAX * WIDTH * sizeof(float) },
		{ .name = "mean", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32,
		  .output = true, .dims = 1, .shape = { WIDTH },
		  .max_bytes = WIDTH * sizeof(float) },
	};

	d->io = io;
	d->io_count = 2;
}

static int pool_start(void *state, struct aif_why *why)
{
	struct pool *p = state;
	struct aif_dev_opts opts = { .size = sizeof(opts), .device = p->conf.cuda_device,
				     .wait = p->conf.cuda_wait };
	int err = p->be->dev_open(&opts, &p->dev);

	if (!err)
		err = p->be->stream_create(p->dev, NULL, &p->stream);
	if (!err)
		err = p->be->mem_alloc(p->dev, 2 * sizeof(int32_t), &p->cu);
	return err ? aif_why_set(why, err, "%s", p->be->dev_why()) : 0;
}

static int pool_mapped(void *state, struct aif_mapping *mapping)
{
	struct pool *p = state;
	struct aif_mem *mem;
	int err = p->be->mem_wrap(p->dev, mapping->data, mapping->length, &mem);

	if (!err)
		mapping->user = mem;
	return err;
}

static void pool_unmapped(void *state, struct aif_mapping *mapping)
{
	struct pool *p = state;

	p->be->mem_free(mapping->user);
}

static unsigned int pool_pins(void *state, const struct aif_mapping *mapping)
{
	struct pool *p = state;

	return p->be->mem_pins(mapping->user);
}

static struct aif_tensor tensor(const struct aif_job_io *io, uint64_t rows)
{
	uint64_t offset = (uint64_t)((char *)io->data - (char *)io->mapping->data);

	return rows ? aif_tensor2(io->mapping->user, offset, AIF_F32, rows, WIDTH) :
		      aif_tensor1(io->mapping->user, offset, AIF_F32, WIDTH);
}

static int pool_one(struct pool *p, struct aif_job *job)
{
	int32_t cu[2] = { 0, (int32_t)(job->in[0].length / WIDTH / sizeof(float)) };
	struct aif_tensor out = tensor(&job->out[0], 0);
	int err = p->be->mem_write(p->stream, p->cu, 0, cu, sizeof(cu)), done;

	if (!err)
		err = p->be->ops->pool(p->stream, &(struct aif_op_pool) {
			.x = tensor(&job->in[0], (uint64_t)cu[1]),
			.cu_seqlens = aif_tensor1(p->cu, 0, AIF_I32, 2), .out = &out });
	done = p->be->stream_sync(p->stream);
	return err ? err : done;
}

static int pool_step(void *state, struct step *step, struct aif_job **jobs, unsigned int n)
{
	int err = 0;

	for (unsigned int i = 0; i < n && !err; i++) {
		err = pool_one(state, jobs[i]);
		if (!err)
			aif_job_answer(jobs[i], 0, WIDTH * sizeof(float), 0);
	}
	return err;
}

const struct kind kind_embed = {
	.name = "embed",
	.open = pool_open,
	.close = pool_close,
	.describe = pool_describe,
	.start = pool_start,
	.mapped = pool_mapped,
	.unmapped = pool_unmapped,
	.pins = pool_pins,
	.step = pool_step,
};
