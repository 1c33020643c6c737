// SPDX-License-Identifier: MIT
/*
 * Open Inference Protocol v2: infer.  A request is JSON, with tensors in it, or behind
 * it as bytes: Inference-Header-Content-Length says where the JSON ends.  Lengths inside
 * the bytes are read once, and must fill them exactly.
 */
#include "runtime/gateway/inference.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "runtime/gateway/apis.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/embedding.h"
#include "runtime/gateway/inflate.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/opening.h"
#include "runtime/gateway/shm.h"

#define DIMS_MOST 8
#define LENGTH_BYTES 4		/* before each element of BYTES */

struct slice {
	const char *text;
	size_t length;
};

/* What is asked for: the service's outputs, in this order; @region: that it goes to. */
struct wanted {
	unsigned int output;
	bool binary;
	const char *region;
	uint64_t offset, bytes;
};

/*
 * @bytes: of binary tensors, behind the JSON; @bytes_left
 * @region: that the input, or an output (@outputs), is in; NULL: none
 * @in_body: the texts are bytes of the body
 * @texts: @n of them, in @root's strings or in the body
 */
struct request {
	json_t *root;
	const char *bytes;
	size_t bytes_left;
	struct exchange *x;
	struct region *region;
	char *outputs;
	bool texts_there, in_body;
	struct slice *texts;
	unsigned int n;
	struct wanted wanted[AIF_SERVICE_IO_MAX];
	unsigned int wanted_count;
	const char *name;
};

static void request_free(void *request)
{
	struct request *r = request;

	region_put(r->region);
	json_decref(r->root);
	free(r->texts);
	free(r);
}

/* ---- the response ---- */

static size_t element_count(const struct request *r, const struct text *t, unsigned int output)
{
	return r->n * (output ? 2 : t->room / sizeof(float));
}

/* A piece for each text: they do not stand in a row in memory. */
static void write_bytes(struct buf *b, struct embedding *e, unsigned int output)
{
	for (unsigned int i = 0; i < batch_count(e->batch); i++) {
		const struct text *t = batch_text(e->batch, i);

		if (output)
			buf_add(b, t->counts, sizeof(*t->counts));
		else
			buf_add(b, t->output, t->room);
	}
}

static void write_data(struct buf *b, struct embedding *e, unsigned int output)
{
	buf_text(b, ",\"data\":[");
	for (unsigned int i = 0; i < batch_count(e->batch); i++) {
		const struct text *t = batch_text(e->batch, i);

		buf_text(b, i ? "," : "");
		if (output)
			buf_format(b, "%d,%d", t->counts->tokens, t->counts->truncated);
		else
			json_numbers_add(b, (const float *)t->output, t->room / sizeof(float));
	}
	buf_text(b, "]");
}

static void write_place(struct buf *b, const struct wanted *w)
{
	buf_text(b, ",\"parameters\":{\"shared_memory_region\":");
	json_string_add(b, w->region);
	buf_format(b, ",\"shared_memory_offset\":%llu,\"shared_memory_byte_size\":%llu}",
		   (unsigned long long)w->offset, (unsigned long long)w->bytes);
}

static void write_output(struct buf *b, struct embedding *e, const struct wanted *w)
{
	const struct request *r = e->request;
	const struct text *t = batch_text(e->batch, 0);
	size_t n = element_count(r, t, w->output);

	buf_format(b, "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%u,%zu]",
		   w->output ? "counts" : "embedding", w->output ? "INT32" : "FP32", r->n,
		   n / r->n);
	if (w->region)
		write_place(b, w);
	else if (w->binary)
		buf_format(b, ",\"parameters\":{\"binary_data_size\":%zu}", n * 4);
	else
		write_data(b, e, w->output);
	buf_text(b, "}");
}

static void write_head(struct buf *b, const struct request *r)
{
	const json_t *id = json_object_get(r->root, "id");

	buf_text(b, "{\"model_name\":");
	json_string_add(b, r->name);
	buf_text(b, ",\"model_version\":\"1\"");
	if (json_is_string(id)) {
		buf_text(b, ",\"id\":");
		json_stringn_add(b, json_string_value(id), json_string_length(id));
	}
	buf_text(b, ",\"outputs\":[");
}

static void write_response(struct exchange *x, struct embedding *e, struct buf *b)
{
	const struct request *r = e->request;
	char length[24];
	bool binary = false;

	write_head(b, r);
	for (unsigned int i = 0; i < r->wanted_count; i++) {
		buf_text(b, i ? "," : "");
		write_output(b, e, &r->wanted[i]);
		binary |= r->wanted[i].binary;
	}
	buf_text(b, "]}");
	if (!binary)
		return;
	snprintf(length, sizeof(length), "%zu", b->length);
	exchange_set(x, "inference-header-content-length", length);
	e->content_type = "application/octet-stream";
	for (unsigned int i = 0; i < r->wanted_count; i++) {
		if (r->wanted[i].binary)
			write_bytes(b, e, r->wanted[i].output);
	}
}

/* ---- tensors ---- */

/* Elements of a shape; 0: it is none, or too many. */
static unsigned int shape_elements(const json_t *shape, unsigned int most)
{
	json_int_t n = 1;

	if (!json_is_array(shape) || !json_array_size(shape) || json_array_size(shape) > DIMS_MOST)
		return 0;
	for (size_t i = 0; i < json_array_size(shape); i++) {
		json_int_t d = json_integer_value(json_array_get(shape, i));

		if (d < 1 || d > most)
			return 0;
		n *= d;
		if (n > most)
			return 0;
	}
	return (unsigned int)n;
}

/* Texts out of arrays in arrays.  False: something else is there, or too much. */
static bool flatten(struct request *r, const json_t *data, unsigned int *taken)
{
	for (size_t i = 0; i < json_array_size(data); i++) {
		const json_t *item = json_array_get(data, i);

		if (json_is_array(item)) {
			if (!flatten(r, item, taken))
				return false;
			continue;
		}
		if (!json_is_string(item) || *taken == r->n)
			return false;
		r->texts[(*taken)++] = (struct slice){ json_string_value(item),
						       json_string_length(item) };
	}
	return true;
}

/* Texts out of bytes: a length, little endian, before each. */
static bool unpack(struct request *r, size_t size)
{
	const char *at = r->bytes, *end = at + size;
	uint32_t length;

	for (unsigned int i = 0; i < r->n; i++) {
		if ((size_t)(end - at) < LENGTH_BYTES)
			return false;
		memcpy(&length, at, LENGTH_BYTES);
		__asm__ volatile("" : "+r"(length));	/* once: it may be another's memory */
		length = le32toh(length);
		at += LENGTH_BYTES;
		if ((size_t)(end - at) < length)
			return false;
		r->texts[i] = (struct slice){ at, length };
		at += length;
	}
	r->bytes += size;
	r->bytes_left -= size;
	return at == end;
}

/* ---- shared memory ---- */

/*
 * @bytes at what @parameters name, NULL with @wrong.  All of a request is in one region,
 * because it is submitted on that region's file.
 */
static char *find_place(struct request *r, const json_t *parameters, uint64_t *offset,
			uint64_t *bytes, const char **wrong)
{
	const char *name = json_string_value(json_object_get(parameters, "shared_memory_region"));
	json_int_t at = json_integer_value(json_object_get(parameters, "shared_memory_offset"));
	json_int_t size = json_integer_value(json_object_get(parameters, "shared_memory_byte_size"));
	struct shm *shm = r->x->loop->gateway->shm;
	struct region *region = NULL;
	char *data = NULL;

	*wrong = "the region is not registered, or too small for that offset and size";
	*offset = (uint64_t)at;
	*bytes = (uint64_t)size;
	if (shm && name && at >= 0 && size > 0)
		region = shm_find(shm, r->x->tenant, name, *offset, *bytes, &data);
	if (region && r->region && region != r->region) {
		*wrong = "regions of one request must have the same key";
		region_put(region);
		return NULL;
	}
	if (region && r->region)
		region_put(region);	/* held already */
	else
		r->region = region;
	return region ? data : NULL;
}

static const char *read_shared(struct request *r, const json_t *parameters)
{
	const char *body = r->bytes, *wrong;
	size_t left = r->bytes_left;
	uint64_t offset, bytes;
	char *data = find_place(r, parameters, &offset, &bytes, &wrong);
	bool whole;

	if (!data)
		return wrong;
	r->bytes = data;
	r->bytes_left = bytes;
	whole = unpack(r, bytes);
	r->bytes = body;
	r->bytes_left = left;
	r->texts_there = true;
	return whole ? NULL : "the region's bytes are not as many elements as the shape says";
}

/* Vectors stand one behind the other there, so each must be where one may be written. */
static const char *read_shared_output(struct request *r, const json_t *parameters,
				      struct wanted *w, const struct aif_service_info *info)
{
	const struct aif_service_io *io = &info->io[info->input_count];
	uint64_t need = (uint64_t)r->n * io->max_bytes;
	uint32_t alignment = io->alignment ? io->alignment : 64;
	const char *wrong;
	char *data;

	if (w->output)
		return "only the first output can go to shared memory";
	data = find_place(r, parameters, &w->offset, &w->bytes, &wrong);
	if (!data)
		return wrong;
	if (w->bytes < need)
		return "the output does not fit into its region";
	if ((uintptr_t)data % alignment || io->max_bytes % alignment)
		return "the output must begin at a multiple of 64 bytes of the region";
	w->region = json_string_value(json_object_get(parameters, "shared_memory_region"));
	w->bytes = need;
	w->binary = false;
	r->outputs = data;
	return NULL;
}

static const char *read_data(struct request *r, const json_t *input)
{
	const json_t *parameters = json_object_get(input, "parameters");
	const json_t *size = json_object_get(parameters, "binary_data_size");
	const json_t *data = json_object_get(input, "data");
	unsigned int taken = 0;

	if (json_object_get(parameters, "shared_memory_region"))
		return read_shared(r, parameters);
	if (!size)
		return json_is_array(data) && flatten(r, data, &taken) && taken == r->n ? NULL :
		       "the input's 'data' must be as many strings as its shape says";
	if (data || !json_is_integer(size) || json_integer_value(size) < 0 ||
	    (uint64_t)json_integer_value(size) > r->bytes_left)
		return "the input's 'binary_data_size' is not what is there";
	r->in_body = true;
	return unpack(r, (size_t)json_integer_value(size)) ? NULL :
	       "the input's bytes are not as many elements as its shape says";
}

static const char *read_input(struct request *r, const json_t *input,
			      const struct aif_service_info *info, unsigned int most)
{
	const char *name = json_string_value(json_object_get(input, "name"));
	const char *datatype = json_string_value(json_object_get(input, "datatype"));

	if (!name || strcmp(name, info->io[0].name))
		return "the only input is the one that the model's metadata names";
	if (!datatype || strcmp(datatype, "BYTES"))
		return "the input's datatype must be BYTES";
	r->n = shape_elements(json_object_get(input, "shape"), most);
	if (!r->n)
		return "the input's shape is none, or of too many elements";
	r->texts = calloc(r->n, sizeof(*r->texts));
	return r->texts ? read_data(r, input) : "no memory for the input";
}

/* ---- what is asked for ---- */

static bool asks_binary(const json_t *parameters, const char *name, bool otherwise)
{
	const json_t *value = json_object_get(parameters, name);

	return value ? json_is_true(value) : otherwise;
}

static const char *read_output(struct request *r, const json_t *output, bool binary,
			       const struct aif_service_info *info)
{
	const json_t *parameters = json_object_get(output, "parameters");
	const char *name = json_string_value(json_object_get(output, "name"));
	struct wanted *w;

	if (json_object_get(parameters, "classification"))
		return "'classification' is not for this model";
	for (unsigned int i = 0; name && i < info->output_count; i++) {
		if (strcmp(name, info->io[info->input_count + i].name))
			continue;
		w = &r->wanted[r->wanted_count++];
		*w = (struct wanted){
			.output = i, .binary = asks_binary(parameters, "binary_data", binary),
		};
		return json_object_get(parameters, "shared_memory_region") ?
		       read_shared_output(r, parameters, w, info) : NULL;
	}
	return "there is no output of that name";
}

static const char *read_outputs(struct request *r, const struct aif_service_info *info)
{
	const json_t *outputs = json_object_get(r->root, "outputs");
	bool binary = asks_binary(json_object_get(r->root, "parameters"), "binary_data_output",
				  false);
	const char *wrong = NULL;

	if (!outputs) {
		for (unsigned int i = 0; i < info->output_count; i++)
			r->wanted[r->wanted_count++] = (struct wanted){
				.output = i, .binary = binary,
			};
		return NULL;
	}
	if (!json_is_array(outputs) || !json_array_size(outputs) ||
	    json_array_size(outputs) > info->output_count)
		return "'outputs' must be an array of some of the model's outputs";
	for (size_t i = 0; i < json_array_size(outputs) && !wrong; i++)
		wrong = read_output(r, json_array_get(outputs, i), binary, info);
	return wrong;
}

/* ---- the request ---- */

/* Where the JSON ends. */
static const char *split(struct exchange *x, struct request *r, struct buf *json)
{
	const char *header = exchange_header(x, "inference-header-content-length");
	unsigned long long length = x->body.length;
	char *end;

	if (header) {
		length = strtoull(header, &end, 10);
		if (end == header || *end || length > x->body.length)
			return "Inference-Header-Content-Length is not a length inside the body";
	}
	*json = x->body;
	json->length = (size_t)length;
	r->bytes = length ? x->body.data + length : x->body.data;
	r->bytes_left = x->body.length - (size_t)length;
	return NULL;
}

static const char *read_request(struct exchange *x, struct request *r,
				const struct aif_service_info *info, char *error)
{
	const char *wrong;
	const json_t *inputs;
	struct buf json;

	wrong = split(x, r, &json);
	if (wrong)
		return wrong;
	r->root = json_request(&json, error);
	if (!r->root)
		return error;
	inputs = json_object_get(r->root, "inputs");
	if (!json_is_array(inputs) || json_array_size(inputs) != 1)
		return "'inputs' must be an array of the model's one input";
	wrong = read_input(r, json_array_get(inputs, 0), info, x->loop->gateway->opts.texts);
	if (!wrong && r->bytes_left)
		wrong = "there are more bytes than the input has";
	return wrong ? wrong : read_outputs(r, info);
}

/* Binary tensors are read where they arrive, if nothing has to be undone first. */
void inference_place(struct exchange *x, size_t length)
{
	const struct aif_service_info *info = catalog_find(exchange_catalog(x), x->param[0]);
	struct backend *backend;

	if (!info || !service_embeds(info) || exchange_header(x, "content-encoding") ||
	    !exchange_header(x, "inference-header-content-length"))
		return;
	backend = backend_get(x->loop, x->tenant);
	x->granted = backend ? granted_take(backend, info, length) : NULL;
	if (x->granted)
		x->body = (struct buf){
			.data = granted_data(x->granted), .room = length, .fixed = true,
		};
}

static const char *text_at(const void *input, unsigned int i, size_t *length)
{
	const struct request *r = input;

	*length = r->texts[i].length;
	return r->texts[i].text;
}

/*
 * What a region is in goes out on the region's file.  Else the tenant's is needed: if it
 * is not open, all this is done again when it is.
 */
void inference_infer(struct exchange *x)
{
	const struct aif_service_info *info = inference_service(x);
	char error[JSON_ERROR_SIZE];
	struct request *r;
	const char *wrong;

	if (!info || !inflate_body(x))
		return;
	if (!service_embeds(info)) {
		exchange_fail(x, FAULT_REQUEST, "'%s' does not turn texts into tensors", info->name);
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		exchange_fail(x, ENOMEM, "no memory");
		return;
	}
	r->name = x->param[0];
	r->x = x;
	wrong = read_request(x, r, info, error);
	if (wrong) {
		exchange_fail(x, FAULT_REQUEST, "%s", wrong);
		request_free(r);
		return;
	}
	if (!r->region && !opening_pass(x)) {
		request_free(r);
		return;
	}
	embedding_start(x, &(struct embedding_spec) {
		.model = x->param[0], .text = text_at, .input = r, .n = r->n,
		.granted = r->in_body && x->granted && !r->region ? &x->granted : NULL,
		.region = r->region, .outputs = r->outputs, .texts_there = r->texts_there,
		.root = r->root, .member = "inputs",
		.input_name = info->io[0].name, .write = write_response, .request = r,
		.request_free = request_free,
	});
}
