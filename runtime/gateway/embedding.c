// SPDX-License-Identifier: MIT
#include "runtime/gateway/embedding.h"

#include <string.h>

#include "runtime/gateway/catalog.h"
#include "runtime/gateway/log_access.h"
#include "runtime/gateway/loop.h"

#define NS_PER_S 1000000000.0

static void embedding_free(struct embedding *e)
{
	batch_free(e->batch);
	if (e->request)
		e->request_free(e->request);
	free(e);
}

static void abandon(struct exchange *x)
{
	embedding_free(x->state);
	x->state = NULL;
	x->abandon = NULL;
}

/* ---- the answer ---- */

/* Counts the tokens; false: a text was cut though nobody allowed that. */
static bool count(struct embedding *e, unsigned int *cut)
{
	struct exchange *x = e->x;
	bool truncated = false;

	for (unsigned int i = 0; i < batch_count(e->batch); i++) {
		const struct counts *c = batch_text(e->batch, i)->counts;

		x->tokens += (uint64_t)c->tokens;
		if (c->truncated && !truncated)
			*cut = i;
		truncated |= c->truncated;
	}
	if (truncated && x->loop->gateway->opts.truncate)
		exchange_set(x, "x-aif-truncated", "true");
	return !truncated || x->loop->gateway->opts.truncate;
}

static unsigned int first_failed(struct batch *b)
{
	unsigned int i = 0;

	while (i + 1 < batch_count(b) && batch_text(b, i)->result >= 0)
		i++;
	return i;
}

static void answer_error(struct exchange *x, struct embedding *e)
{
	int err = batch_result(e->batch);

	if (err == -EILSEQ)
		exchange_fail(x, err, "text %u is not valid UTF-8", first_failed(e->batch));
	else if (err == -E2BIG)
		exchange_fail(x, err, "text %u is longer than the service takes",
			      first_failed(e->batch));
	else
		exchange_fail(x, err, "%s", aif_error_text(err));
}

static void done(struct batch *b, void *ctx)
{
	struct embedding *e = ctx;
	struct exchange *x = e->x;
	struct buf body = { 0 };
	const char *type;
	unsigned int cut;

	metrics_batch(x, b);
	if (batch_result(b)) {
		answer_error(x, e);
		return;
	}
	if (!count(e, &cut)) {
		exchange_fail(x, E2BIG, "text %u has more than the %u tokens that the model takes",
			      cut, e->max_tokens);
		return;
	}
	e->write(x, e, &body);
	type = e->content_type;
	abandon(x);
	exchange_reply(x, 200, type, &body);
}

/* ---- the request ---- */

unsigned int embedding_json_count(const json_t *input)
{
	return json_is_array(input) ? (unsigned int)json_array_size(input) : 1;
}

const char *embedding_json_text(const void *input, unsigned int i, size_t *length)
{
	const json_t *text = json_is_array((const json_t *)input) ? json_array_get(input, i) : input;

	*length = json_string_length(text);
	return json_string_value(text);
}

/* Are they all texts that the service can take?  @bytes: all together. */
static bool check_texts(struct exchange *x, const struct embedding_spec *spec,
			const struct aif_service_info *info, size_t *bytes)
{
	unsigned int most = x->loop->gateway->opts.texts;
	size_t length;

	*bytes = 0;
	if (spec->n > most) {
		exchange_fail(x, FAULT_REQUEST, "'%s' has %u texts, %u are allowed",
			      spec->input_name, spec->n, most);
		return false;
	}
	for (unsigned int i = 0; i < spec->n; i++) {
		if (!spec->text(spec->input, i, &length)) {
			exchange_fail(x, FAULT_REQUEST, "'%s' must be text: item %u is not",
				      spec->input_name, i);
			return false;
		}
		if (length > info->io[0].max_bytes) {
			exchange_fail(x, E2BIG, "text %u has %zu bytes, the service takes %u", i,
				      length, info->io[0].max_bytes);
			return false;
		}
		*bytes += length;
	}
	return true;
}

static const struct aif_service_info *find_service(struct exchange *x,
						   const struct embedding_spec *spec)
{
	const struct aif_service_info *info = exchange_service(x, spec->model);

	if (!info)
		return NULL;
	if (!service_embeds(info)) {
		exchange_fail(x, FAULT_REQUEST, "the model '%s' does not make embeddings",
			      spec->model);
		return NULL;
	}
	if (spec->dimensions && spec->dimensions != service_dimensions(info)) {
		exchange_fail(x, FAULT_REQUEST, "the model '%s' has %u dimensions, not %u",
			      spec->model, service_dimensions(info), spec->dimensions);
		return NULL;
	}
	return info;
}

/* Into granted memory, unless they are there already. */
static void put_texts(struct batch *b, const struct embedding_spec *spec, size_t vector)
{
	for (unsigned int i = 0; i < spec->n; i++) {
		size_t length;
		const char *text = spec->text(spec->input, i, &length);

		if (spec->texts_there || spec->granted)
			batch_place(b, i, (char *)text, length);
		else
			memcpy(batch_put(b, i, length), text, length);
		if (spec->outputs)
			batch_place_output(b, i, spec->outputs + i * vector);
	}
}

static struct batch *batch_make(struct exchange *x, const struct embedding_spec *spec,
				const struct aif_service_info *info, size_t bytes)
{
	struct backend *backend;
	struct batch *b;

	if (spec->granted) {
		b = batch_new_in(*spec->granted, spec->n);
		*spec->granted = b ? NULL : *spec->granted;
		return b;
	}
	backend = spec->region ? backend_of_region(x->loop, spec->region) :
				 backend_get(x->loop, x->tenant);
	if (!backend)
		return NULL;
	return batch_new(backend, info, spec->n, spec->texts_there ? 0 : bytes, 0);
}

static struct embedding *embedding_new(struct exchange *x, const struct embedding_spec *spec)
{
	struct embedding *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct embedding){
		.x = x, .content_type = "application/json", .write = spec->write, .request = spec->request,
		.request_free = spec->request_free,
	};
	return e;
}

/* False: it was answered. */
static bool start(struct exchange *x, const struct embedding_spec *spec, struct embedding *e)
{
	const struct aif_service_info *info = find_service(x, spec);
	size_t bytes;

	if (!info || !check_texts(x, spec, info, &bytes))
		return false;
	e->max_tokens = service_max_tokens(info);
	e->batch = batch_make(x, spec, info, bytes);
	if (!e->batch) {
		exchange_fail(x, errno, "%s", aif_error_text(errno));
		return false;
	}
	put_texts(e->batch, spec, service_dimensions(info) * sizeof(float));
	json_object_del(spec->root, spec->member);
	exchange_drop_body(x);
	metrics_begin(x, info->name, batch_count(e->batch));
	x->state = e;
	x->abandon = abandon;
	batch_submit(e->batch, loop_now_ns() +
		     (uint64_t)(x->loop->gateway->opts.deadline_s * NS_PER_S), done, e);
	log_access_batch(x, e->batch);
	return true;
}

void embedding_start(struct exchange *x, const struct embedding_spec *spec)
{
	struct embedding *e = embedding_new(x, spec);

	if (e && start(x, spec, e))
		return;
	if (e) {
		embedding_free(e);
		return;
	}
	spec->request_free(spec->request);
	exchange_fail(x, ENOMEM, "no memory");
}
