// SPDX-License-Identifier: MIT
/*
 * embed: text, or a text's token ids, to a vector, by a model's encoder.  Both are read
 * where their clients put them, vectors are written where their clients want them.
 *
 * A text is read by the host, which makes its ids; ids that a client has made are read by the
 * device, once each, unless it cannot reach them: then the host copies them.
 *
 * A step encodes all the texts that one turn brought, in as few passes as
 * batch_tokens allows.  How many tokens a text has is known only when it is read,
 * but never more than its bytes, and the two that stand around every text; so
 * passes are cut by that bound, and answers go back after each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend/backend.h"
#include "runtime/daemon/kind.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/place.h"
#include "runtime/model/why.h"

#define TEXT_BYTES_MAX 65536
#define TOKENS_AROUND 2
#define NS_PER_S 1000000000ull

enum { OUT_EMBEDDING, OUT_COUNTS };

struct embed {
	const struct service_conf *conf;
	bool takes_ids;				/* else text */
	struct aif_model *model;
	const struct aif_backend *be;		/* conf->backend, or what it falls back to */
	struct aif_service_io io[3];
	struct aif_dev *dev;
	struct aif_encoder *encoder;
	struct aif_encoder_text *texts;		/* conf->batch of each */
	struct aif_encoder_counts *counts;
};

/* ---- what it is ---- */

static void embed_close(void *state)
{
	struct embed *e = state;

	aif_encoder_free(e->encoder);
	if (e->dev)
		e->be->dev_close(e->dev);
	aif_model_close(e->model);
	free(e->texts);
	free(e->counts);
	free(e);
}

static int embed_open(const struct service_conf *conf, void **state, struct aif_why *why)
{
	struct aif_model_opts opts = {
		.size = sizeof(opts), .digest = *conf->digest ? conf->digest : NULL,
	};
	struct embed *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return aif_why_set(why, -ENOMEM, "no memory");
	e->conf = conf;
	e->takes_ids = !strcmp(conf->input, "ids");
	err = aif_model_open(conf->model, &opts, &e->model, why);
	if (err) {
		embed_close(e);
		return err;
	}
	*state = e;
	return 0;
}

static void embed_describe(void *state, struct kind_description *d)
{
	struct embed *e = state;
	const struct aif_model_info *model = aif_model_info(e->model);

	e->io[0] = e->takes_ids ? (struct aif_service_io){
		.name = "ids", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32, .dims = 1,
		.shape = { -1 }, .alignment = sizeof(int32_t),
		.max_bytes = model->max_tokens * sizeof(int32_t),
	} : (struct aif_service_io){
		.name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		.shape = { -1 }, .alignment = 1, .max_bytes = TEXT_BYTES_MAX,
	};
	e->io[1] = (struct aif_service_io){
		.name = "embedding", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32,
		.output = true, .dims = 1, .shape = { model->dimensions },
		.max_bytes = model->dimensions * sizeof(float),
	};
	e->io[2] = (struct aif_service_io){
		.name = "counts", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32,
		.output = true, .optional = true, .dims = 1, .shape = { 2 },
		.max_bytes = sizeof(struct aif_encoder_counts),
	};
	d->io = e->io;
	d->io_count = 3;
	snprintf(d->model, sizeof(d->model), "%s", model->name);
	snprintf(d->digest_hex, sizeof(d->digest_hex), "%s", model->digest);
	snprintf(d->text, sizeof(d->text),
		 "license=%s\nmax_tokens=%u\ndimensions=%u\nhardware=%s\n", model->licence,
		 model->max_tokens, model->dimensions, place_hardware(e->conf));
}

/* ---- getting ready ---- */

/*
 * A device that is not there is no reason not to serve; which one it is, is said.  A
 * worker is told which device its service was created for: it has that, or ends.
 */
static int open_device(struct embed *e, struct aif_why *why)
{
	const char *device = e->conf->cuda_device;
	struct aif_dev_opts opts = {
		.size = sizeof(opts), .threads = e->conf->threads,
		.device = device, .precision = e->conf->cuda_precision, .wait = e->conf->cuda_wait,
	};
	int err;

	e->be = e->conf->backend;
	err = e->be->dev_open(&opts, &e->dev);
	if (err && *device)
		return aif_why_set(why, err, "backend %s: %s", e->be->name, e->be->dev_why());
	if (err && AIF_BACKEND_HAS(e->be, dev_why)) {
		log_warn("backend %s: %s; the CPU computes instead", e->be->name, e->be->dev_why());
		e->be = aif_backend_find("cpu");
		err = e->be->dev_open(&opts, &e->dev);
	}
	if (err)
		return aif_why_set(why, err, "backend %s: %s%s", e->be->name, strerror(-err),
				   getenv("AIF_CPU_ISA") ? " (AIF_CPU_ISA is set)" : "");
	log_debug("backend %s: %s", e->be->name, e->be->dev_describe(e->dev));
	return 0;
}

static int embed_start(void *state, struct aif_why *why)
{
	struct embed *e = state;
	struct aif_encoder_opts opts = {
		.size = sizeof(opts), .pass_tokens = e->conf->batch_tokens,
		.pass_texts = e->conf->batch, .max_text_bytes = TEXT_BYTES_MAX,
	};
	int err = open_device(e, why);

	if (err)
		return err;
	e->texts = calloc(e->conf->batch, sizeof(*e->texts));
	e->counts = calloc(e->conf->batch, sizeof(*e->counts));
	if (!e->texts || !e->counts)
		return aif_why_set(why, -ENOMEM, "no memory");
	return aif_encoder_create(e->model, e->be, e->dev, &opts, &e->encoder, why);
}

/* A device that cannot read clients' memory leaves that to the host. */
static int wrap_input(const struct embed *e, const struct aif_mapping *mapping,
		      struct aif_mem **mem)
{
	int err;

	if (!AIF_BACKEND_HAS(e->be, mem_wrap_input))
		return e->be->mem_wrap(e->dev, mapping->data, mapping->length, mem);
	err = e->be->mem_wrap_input(e->dev, mapping->data, mapping->length, mem);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int embed_mapped(void *state, struct aif_mapping *mapping)
{
	struct embed *e = state;
	struct aif_mem *mem = NULL;
	int err = 0;

	if (mapping->writable)
		err = e->be->mem_wrap(e->dev, mapping->data, mapping->length, &mem);
	else if (e->takes_ids)	/* texts are read by the host */
		err = wrap_input(e, mapping, &mem);
	if (!err)
		mapping->user = mem;
	return err;
}

static void embed_unmapped(void *state, struct aif_mapping *mapping)
{
	struct embed *e = state;

	if (mapping->user)
		e->be->mem_free(mapping->user);
}

static unsigned int embed_pins(void *state, const struct aif_mapping *mapping)
{
	struct embed *e = state;

	return mapping->user && AIF_BACKEND_HAS(e->be, mem_pins) ? e->be->mem_pins(mapping->user) : 0;
}

/* ---- steps ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static uint64_t most_tokens(const struct embed *e, const struct aif_job *job)
{
	uint64_t bound = e->takes_ids ? job->in[0].length / sizeof(int32_t) :
					job->in[0].length + TOKENS_AROUND;
	uint32_t limit = aif_model_info(e->model)->max_tokens;

	return bound < limit ? bound : limit;
}

/* How many of the jobs fit into one pass; at least one. */
static unsigned int pass_size(const struct embed *e, struct aif_job **jobs, unsigned int n)
{
	uint64_t tokens = most_tokens(e, jobs[0]);
	unsigned int i;

	for (i = 1; i < n; i++) {
		tokens += most_tokens(e, jobs[i]);
		if (tokens > e->conf->batch_tokens)
			break;
	}
	return i;
}

static uint64_t offset_of(const struct aif_job_io *io)
{
	return (uint64_t)((char *)io->data - (char *)io->mapping->data);
}

/*
 * What came with the request itself, or lies where the device cannot read, is copied; all is
 * if the backend reads ids only where they lie together.
 */
static void ids_fill(const struct embed *e, struct aif_encoder_text *t, const struct aif_job_io *in)
{
	static const int32_t none;

	t->id_count = in->length / sizeof(int32_t);
	if (in->mapping && in->mapping->user && AIF_OPS_HAS(e->be->ops, embed_each)) {
		t->ids_mem = in->mapping->user;
		t->ids_offset = offset_of(in);
	} else {
		t->ids = in->length ? in->data : &none;
	}
}

/* Counts go to memory of our own first: they are also what the time is divided by. */
static void text_fill(struct embed *e, unsigned int i, const struct aif_job *job)
{
	const struct aif_job_io *in = &job->in[0], *out = &job->out[OUT_EMBEDDING];

	e->texts[i] = (struct aif_encoder_text){
		.mem = out->mapping->user, .offset = offset_of(out), .counts = &e->counts[i],
	};
	if (e->takes_ids) {
		ids_fill(e, &e->texts[i], in);
	} else {
		e->texts[i].text = in->data;
		e->texts[i].bytes = in->length;
	}
	e->counts[i] = (struct aif_encoder_counts){ 0 };
}

static void text_answer(struct embed *e, unsigned int i, struct aif_job *job, uint64_t ns)
{
	const struct aif_job_io *counts = &job->out[OUT_COUNTS];
	uint32_t bytes = aif_model_info(e->model)->dimensions * sizeof(float);
	int status = e->texts[i].status;

	if (!status && counts->length)
		memcpy(counts->data, &e->counts[i], sizeof(e->counts[i]));
	aif_job_answer(job, status, status ? 0 : bytes, ns);
}

static int pass_run(struct embed *e, struct aif_job **jobs, unsigned int n)
{
	uint64_t begin = now_ns(), tokens = 0, ns;
	int err;

	for (unsigned int i = 0; i < n; i++)
		text_fill(e, i, jobs[i]);
	err = aif_encoder_encode(e->encoder, e->texts, n);
	if (err == -EIO && AIF_BACKEND_HAS(e->be, dev_why))
		log_error("backend %s: %s", e->be->name, e->be->dev_why());
	if (err)
		return err;
	ns = aif_encoder_device_ns(e->encoder);
	if (!ns)
		ns = now_ns() - begin;
	for (unsigned int i = 0; i < n; i++)
		tokens += e->counts[i].tokens;
	for (unsigned int i = 0; i < n; i++)
		text_answer(e, i, jobs[i], tokens ? ns * e->counts[i].tokens / tokens : 0);
	return 0;
}

static int embed_step(void *state, struct step *step, struct aif_job **jobs, unsigned int n)
{
	struct embed *e = state;
	unsigned int done, count;
	int err;

	for (done = 0; done < n; done += count) {
		if (done)
			step_flush(step);
		count = pass_size(e, jobs + done, n - done);
		err = pass_run(e, jobs + done, count);
		if (err)
			return err;
	}
	return 0;
}

const struct kind kind_embed = {
	.name = "embed",
	.open = embed_open,
	.close = embed_close,
	.describe = embed_describe,
	.start = embed_start,
	.mapped = embed_mapped,
	.unmapped = embed_unmapped,
	.pins = embed_pins,
	.step = embed_step,
};
