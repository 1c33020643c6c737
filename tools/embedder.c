// SPDX-License-Identifier: MIT
/*
 * A ring of slots in one granted buffer: text i is in slot i modulo their number, so
 * order costs nothing.  Texts are put into slots, submitted many at once when no
 * slot is left, and reported from the oldest.
 *
 *	reported <= submitted <= put <= reported + slots
 */
#include "tools/embedder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/daemon/local.h"
#include "runtime/model/why.h"

#define SLOTS_MAX 64
#define RETRY_MS 2
#define PATIENCE_MS 30000	/* for room that others have taken */

enum { IN_TEXT, OUT_EMBEDDING, OUT_COUNTS };

struct counts {
	int32_t tokens;
	int32_t truncated;
};

/* @error: the text was not even submitted */
struct slot {
	struct aif_request *request;
	char *text;
	float *values;
	struct counts *counts;
	int error;
};

struct embedder {
	struct embedder_opts opts;
	struct local *local;
	struct aif_client *client;
	struct aif_service *service;
	struct aif_buffer *buffer;
	struct aif_grant *grant;
	struct slot *slots;
	unsigned int slot_count;
	size_t put, submitted, reported;
};

/* ---- options ---- */

enum { OPT_OWNER = 512 };	/* beside the commands' own */

static const struct argp_option options[] = {
	{ "device", 'd', "DEVICE", 0,
	  "Where: a node, or \"local\" for this process (default " DEVICE_DEFAULT ")", 0 },
	{ "service", 's', "NAME", 0, "The service (default embed)", 0 },
	{ "owner", OPT_OWNER, "USER", 0, "Who must own the service (default: you, else root)", 0 },
	{ "backend", 'b', "NAME", 0, "With -d local, what computes: cpu (default), cuda or ref", 0 },
	{ "model", 'm', "NAME", 0,
	  "The service that has this model; with -d local a name or a folder", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct embedder_opts *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		o->device = DEVICE_DEFAULT;
		o->owner = AIF_OWNER_TRUSTED;
		return 0;
	case 'd':
		o->device = arg;
		return 0;
	case OPT_OWNER:
		o->owner = cli_owner(state, arg);
		return 0;
	case 's':
		o->service = arg;
		return 0;
	case 'b':
		o->backend = arg;
		return 0;
	case 'm':
		o->model = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->service && o->model && strcmp(o->device, DEVICE_LOCAL))
			argp_error(state, "--service or --model, not both");
		if (o->backend && strcmp(o->device, DEVICE_LOCAL))
			argp_error(state, "--backend is for -d local; a service has its own");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp embedder_argp = { .options = options, .parser = parse };

/* ---- opening ---- */

static int start_local(struct embedder *e, struct aif_why *why)
{
	const char *model = e->opts.model ? e->opts.model : "all-MiniLM-L6-v2";
	/* However long a step takes: nobody else could do it. */
	char *pairs[5] = { [3] = "progress_ms=3600000" };

	if (asprintf(&pairs[0], "model=%s", model) < 0 ||
	    asprintf(&pairs[1], "backend=%s", e->opts.backend ? e->opts.backend : "cpu") < 0 ||
	    asprintf(&pairs[2], "input=%s", e->opts.ids ? "ids" : "text") < 0)
		return aif_why_set(why, -ENOMEM, "no memory");
	cli_progress("loading %s", model);
	e->local = local_start("embed", pairs, why);
	free(pairs[0]);
	free(pairs[1]);
	free(pairs[2]);
	return e->local ? 0 : -EIO;
}

static bool is_owner(const struct embedder_opts *o, uint32_t uid)
{
	if (o->owner != AIF_OWNER_TRUSTED)
		return uid == o->owner;
	return uid == 0 || uid == (uint32_t)geteuid();
}

/* A text, or its token ids: what will be given. */
static bool takes_what_is_given(const struct embedder_opts *o, const struct aif_service_info *info)
{
	const struct aif_service_io *in = &info->io[IN_TEXT];

	if (info->input_count != 1)
		return false;
	return o->ids ? in->kind == AIF_KIND_TENSOR && in->element == AIF_ELEMENT_I32 && in->dims == 1 :
			in->kind == AIF_KIND_UTF8;
}

/* @name: of the first service, of the owner that is asked for, that has the model */
struct wanted {
	const struct embedder_opts *opts;
	char name[AIF_SERVICE_NAME_MAX];
};

static void look_at(void *ctx, const struct aif_service_info *info)
{
	struct wanted *w = ctx;

	if (!*w->name && !strcmp(info->model, w->opts->model) && is_owner(w->opts, info->owner) &&
	    takes_what_is_given(w->opts, info))
		strcpy(w->name, info->name);
}

static int find_model(const struct embedder *e, struct wanted *w, struct aif_why *why)
{
	int err = cli_each_service(e->client, look_at, w);

	if (err)
		return aif_why_set(why, err, "%s: %s", e->opts.device, aif_error_text(err));
	return *w->name ? 0 : aif_why_set(why, -ENOENT,
					  "no service that may be used has the model '%s'; `aif service list` shows all",
					  e->opts.model);
}

static bool is_embedding(const struct embedder_opts *o, const struct aif_service_info *info)
{
	const struct aif_service_io *io = info->io;

	return takes_what_is_given(o, info) && info->output_count >= 1 &&
	       io[OUT_EMBEDDING].element == AIF_ELEMENT_F32 && io[OUT_EMBEDDING].dims == 1 &&
	       io[OUT_EMBEDDING].shape[0] > 0 &&
	       (info->output_count == 1 ||
		(io[OUT_COUNTS].element == AIF_ELEMENT_I32 && io[OUT_COUNTS].dims == 1 &&
		 io[OUT_COUNTS].shape[0] == 2));
}

static int open_service(struct embedder *e, struct aif_why *why)
{
	const struct embedder_opts *o = &e->opts;
	const char *name = o->service ? o->service : "embed";
	struct wanted wanted = { .opts = o };
	int err = 0;

	if (!o->service && o->model && !e->local) {
		err = find_model(e, &wanted, why);
		name = wanted.name;
	}
	if (!err)
		err = cli_service_open(e->client, name, o->owner, &e->service, why);
	if (err)
		return err;
	if (!is_embedding(o, aif_service_info(e->service)))
		return aif_why_set(why, -EPROTOTYPE, "service '%s' does not turn %s into a vector; `aif service describe %s` says what it does",
				   name, o->ids ? "token ids" : "a text", name);
	return 0;
}

/* What every piece of the service's can be placed at. */
static size_t alignment_of(const struct aif_service_info *info)
{
	size_t most = 64;

	for (unsigned int i = 0; i < info->input_count + info->output_count; i++)
		most = info->io[i].alignment > most ? info->io[i].alignment : most;
	return most;
}

/* For input or output @i of one text; 0: there is none. */
static size_t room_of(const struct embedder *e, unsigned int i)
{
	const struct aif_service_info *info = aif_service_info(e->service);
	size_t alignment = alignment_of(info);

	if (i >= info->input_count + info->output_count)
		return 0;
	return (info->io[i].max_bytes + alignment - 1) / alignment * alignment;
}

static void *carve(struct embedder *e, unsigned int i)
{
	size_t room = room_of(e, i);

	return room ? aif_buffer_carve(e->buffer, room,
				       alignment_of(aif_service_info(e->service))) : NULL;
}

static int open_slot(struct embedder *e, struct slot *s)
{
	s->text = carve(e, IN_TEXT);
	s->values = carve(e, OUT_EMBEDDING);
	s->counts = carve(e, OUT_COUNTS);
	s->request = aif_request_get(e->client);
	return s->text && s->values && s->request ? 0 : -errno;
}

static int open_slots(struct embedder *e, struct aif_why *why)
{
	size_t room = e->slot_count *
		      (room_of(e, IN_TEXT) + room_of(e, OUT_EMBEDDING) + room_of(e, OUT_COUNTS));
	int err = 0;

	e->buffer = aif_buffer_alloc(e->client, room);
	if (!e->buffer)
		return aif_why_set(why, -errno, "%zu bytes of device memory: %s", room,
				   aif_error_text(errno));
	e->grant = aif_grant_create(e->buffer, e->service, AIF_GRANT_WRITE);
	if (!e->grant)
		return aif_why_set(why, -errno, "service '%s': cannot grant it %zu bytes: %s",
				   aif_service_info(e->service)->name, room,
				   aif_error_text(errno));
	e->slots = calloc(e->slot_count, sizeof(*e->slots));
	if (!e->slots)
		return aif_why_set(why, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < e->slot_count && !err; i++)
		err = open_slot(e, &e->slots[i]);
	return err ? aif_why_set(why, err, "cannot prepare requests: %s", aif_error_text(err)) : 0;
}

static int set_up(struct embedder *e, struct aif_why *why)
{
	struct aif_client_opts client = {
		.size = sizeof(client), .device = e->opts.device, .depth = SLOTS_MAX,
	};
	int err = strcmp(e->opts.device, DEVICE_LOCAL) ? 0 : start_local(e, why);

	if (err)
		return err;
	e->client = aif_client_open(&client);
	if (!e->client) {
		err = -errno;
		cli_open_why(e->opts.device, -err, why);
		return err;
	}
	err = open_service(e, why);
	return err ? err : open_slots(e, why);
}

int embedder_open(const struct embedder_opts *opts, struct embedder **embedder,
		  struct aif_why *why)
{
	struct embedder *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return aif_why_set(why, -ENOMEM, "no memory");
	e->opts = *opts;
	e->slot_count = opts->most && opts->most < SLOTS_MAX ? (unsigned int)opts->most : SLOTS_MAX;
	err = set_up(e, why);
	cli_progress_end();
	if (err)
		embedder_close(e);
	else
		*embedder = e;
	return err;
}

void embedder_close(struct embedder *e)
{
	if (e->client)
		aif_client_close(e->client);
	local_stop(e->local, NULL);
	free(e->slots);
	free(e);
}

unsigned int embedder_dimensions(const struct embedder *e)
{
	return (unsigned int)aif_service_info(e->service)->io[OUT_EMBEDDING].shape[0];
}

/* ---- reporting ---- */

const char *embedding_error(int error)
{
	if (error == -EILSEQ)
		return "not valid UTF-8";
	if (error == -E2BIG)
		return "longer than the service takes";
	return aif_error_text(error);
}

static int wait_answer(struct aif_request *r)
{
	int err;

	do {
		err = aif_request_wait(r, -1);
	} while (err == -EINTR);
	return err ? err : aif_request_result(r);
}

/* The oldest text, which was submitted. */
static void report(struct embedder *e)
{
	struct slot *s = &e->slots[e->reported % e->slot_count];
	struct embedding r = { .index = e->reported, .error = s->error };

	if (!r.error) {
		int result = wait_answer(s->request);

		r.error = result < 0 ? result : 0;
	}
	if (!r.error) {
		r.values = s->values;
		r.tokens = s->counts ? (uint32_t)s->counts->tokens : 0;
		r.truncated = s->counts && s->counts->truncated;
	}
	e->reported++;
	e->opts.result(e->opts.ctx, &r);
}

/* The oldest text, and those behind it that need no waiting: many slots at once. */
static void report_answered(struct embedder *e)
{
	const struct slot *s;

	do {
		report(e);
		s = &e->slots[e->reported % e->slot_count];
	} while (e->reported < e->submitted && (s->error || aif_request_answered(s->request)));
}

/* ---- submitting ---- */

/* Prepared requests from the first that was not submitted, up to one that has none. */
static unsigned int collect(const struct embedder *e, struct aif_request **requests)
{
	unsigned int n = 0;
	size_t i;

	for (i = e->submitted; i < e->put && !e->slots[i % e->slot_count].error; i++)
		requests[n++] = e->slots[i % e->slot_count].request;
	return n;
}

static void wait_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000l }, NULL);
}

/*
 * There is no room on the device: some comes when our own oldest is answered, or, if
 * we have none there, when others' are.
 */
static int make_room(struct embedder *e, int refusal, unsigned int *waited, struct aif_why *why)
{
	if (e->reported < e->submitted) {
		report(e);
		*waited = 0;
		return 0;
	}
	if (*waited >= PATIENCE_MS)
		return aif_why_set(why, refusal, "no room on the device for %d s: %s",
				   PATIENCE_MS / 1000, aif_error_text(refusal));
	wait_ms(RETRY_MS);
	*waited += RETRY_MS;
	return 0;
}

static int submit_some(struct embedder *e, unsigned int *waited, struct aif_why *why)
{
	struct aif_request *requests[SLOTS_MAX];
	unsigned int n = collect(e, requests);
	int taken;

	if (!n) {
		e->submitted++;		/* it has its error already */
		return 0;
	}
	taken = aif_request_submit(requests, n, 0);
	if (taken >= 0) {
		e->submitted += (unsigned int)taken;
		return 0;
	}
	if (taken == -EAGAIN || taken == -EDQUOT)
		return make_room(e, taken, waited, why);
	return aif_why_set(why, taken, "service '%s' refuses: %s",
			   aif_service_info(e->service)->name, aif_error_text(taken));
}

static int submit(struct embedder *e, struct aif_why *why)
{
	unsigned int waited = 0;
	int err = 0;

	while (e->submitted < e->put && !err)
		err = submit_some(e, &waited, why);
	return err;
}

static int prepare(struct embedder *e, struct slot *s, size_t length)
{
	struct iovec in = { s->text, length };
	struct iovec out[] = {
		{ s->values, embedder_dimensions(e) * sizeof(float) },
		{ s->counts, sizeof(*s->counts) },
	};
	struct aif_request_spec spec = {
		.size = sizeof(spec), .in = &in, .in_count = 1,
		.out = out, .out_count = s->counts ? 2 : 1,
	};
	int err = aif_request_prepare(s->request, e->service, &spec);

	/* The last answer came although an executor still has the memory. */
	if (err != -EBUSY)
		return err;
	err = aif_request_wait_quiet(s->request, -1);
	return err ? err : aif_request_prepare(s->request, e->service, &spec);
}

int embedder_put(struct embedder *e, const void *text, size_t length, struct aif_why *why)
{
	struct slot *s = &e->slots[e->put % e->slot_count];
	int err;

	if (e->put - e->reported == e->slot_count) {
		err = submit(e, why);
		if (err)
			return err;
		report_answered(e);
	}
	if (length > aif_service_info(e->service)->io[IN_TEXT].max_bytes) {
		s->error = -E2BIG;
	} else {
		if (length)
			memcpy(s->text, text, length);
		s->error = prepare(e, s, length);
	}
	e->put++;
	return 0;
}

int embedder_finish(struct embedder *e, struct aif_why *why)
{
	int err = submit(e, why);

	while (!err && e->reported < e->put)
		report(e);
	return err;
}
