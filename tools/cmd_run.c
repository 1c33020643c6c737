// SPDX-License-Identifier: MIT
/* aif run - one request to any service */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/model/why.h"
#include "tools/cli.h"
#include "tools/machine.h"
#include "tools/tensor.h"

#define DEADLINE_MAX_MS 86400000ul

/* @files: one for each input, "-" for standard input */
struct arguments {
	struct cli_common common;
	const char *service;
	uint32_t owner;
	char *files[AIF_SERVICE_IO_MAX];
	unsigned int file_count;
	enum aif_request_class sched_class;
	unsigned long deadline_ms;
	bool restart;
	bool quiet;
};

/* @pieces: inputs, then outputs, as the service describes them */
struct run {
	const struct arguments *args;
	struct aif_client *client;
	struct aif_service *service;
	const struct aif_service_info *info;
	struct aif_buffer *buffer;
	struct aif_request *request;
	FILE *inputs[AIF_SERVICE_IO_MAX];
	struct iovec pieces[AIF_SERVICE_IO_MAX];
	struct aif_outcome outcome;
	size_t written;
};

/* ---- arguments ---- */

enum { OPT_OWNER = 256, OPT_CLASS, OPT_DEADLINE, OPT_RESTART };

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	{ "owner", OPT_OWNER, "USER", 0, "Who must own the service (default: you, else root)", 0 },
	{ "class", OPT_CLASS, "CLASS", 0, "normal or idle", 0 },
	{ "deadline", OPT_DEADLINE, "MS", 0, "Give up after so many milliseconds", 0 },
	{ "restart", OPT_RESTART, NULL, 0,
	  "It may start over after part of its output was there", 0 },
	CLI_OPTION_JSON("One JSON object"),
	{ "quiet", 'q', NULL, 0, "No timings on standard error", 0 },
	{ 0 },
};

static enum aif_request_class class_of(const struct argp_state *state, const char *name)
{
	if (strcmp(name, "normal") && strcmp(name, "idle"))
		argp_error(state, "--class: '%s' is not normal or idle", name);
	return strcmp(name, "idle") ? AIF_REQUEST_NORMAL : AIF_REQUEST_IDLE;
}

static error_t parse_arg(struct arguments *a, char *arg, struct argp_state *state)
{
	if (!a->service)
		a->service = arg;
	else if (a->file_count < AIF_SERVICE_IO_MAX)
		a->files[a->file_count++] = arg;
	else
		argp_error(state, "a service has at most %d inputs", AIF_SERVICE_IO_MAX);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPT_OWNER:
		a->owner = cli_owner(state, arg);
		return 0;
	case OPT_CLASS:
		a->sched_class = class_of(state, arg);
		return 0;
	case OPT_DEADLINE:
		a->deadline_ms = cli_number(state, "--deadline", arg, 1, DEADLINE_MAX_MS);
		return 0;
	case OPT_RESTART:
		a->restart = true;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_arg(a, arg, state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which service?");
		return 0;
	}
	return cli_parse_common(key, arg, state);
}

/* ---- opening ---- */

static int open_service(struct run *r, struct aif_why *why)
{
	const struct arguments *a = r->args;
	int err;

	r->client = aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = a->common.device, .depth = 1,
	});
	if (!r->client) {
		err = errno;
		cli_open_why(a->common.device, err, why);
		return -err;
	}
	err = cli_service_open(r->client, a->service, a->owner, &r->service, why);
	if (err)
		return err;
	r->info = aif_service_info(r->service);
	if (a->file_count != r->info->input_count && !(!a->file_count && r->info->input_count == 1))
		return aif_why_set(why, -EINVAL, "service '%s' has %u inputs, %u files were given",
				   a->service, r->info->input_count, a->file_count);
	return 0;
}

static unsigned int pieces_of(const struct run *r)
{
	return r->info->input_count + r->info->output_count;
}

static const char *path_of(const struct run *r, unsigned int input)
{
	return r->args->files[input] ? r->args->files[input] : "-";
}

static int open_inputs(struct run *r, struct aif_why *why)
{
	for (unsigned int i = 0; i < r->info->input_count; i++) {
		const char *path = path_of(r, i);

		r->inputs[i] = strcmp(path, "-") ? fopen(path, "re") : stdin;
		if (!r->inputs[i])
			return aif_why_set(why, -errno, "%s: %s", path, strerror(errno));
	}
	return 0;
}

/*
 * An output can be as long as the service says; an input is no longer than its file,
 * where that has a length (those of /proc have none).
 */
static size_t room_of(const struct run *r, unsigned int i)
{
	size_t most = r->info->io[i].max_bytes;
	struct stat st;

	if (!r->inputs[i] || fstat(fileno(r->inputs[i]), &st) < 0 || !S_ISREG(st.st_mode) ||
	    !st.st_size)
		return most;
	return (size_t)st.st_size < most ? (size_t)st.st_size : most;
}

static int open_buffer(struct run *r, struct aif_why *why)
{
	size_t bytes = 1;

	for (unsigned int i = 0; i < pieces_of(r); i++)
		bytes += room_of(r, i) + r->info->io[i].alignment;
	r->buffer = aif_buffer_alloc(r->client, bytes);
	if (!r->buffer)
		return aif_why_set(why, -errno, "%zu bytes of device memory: %s", bytes,
				   aif_error_text(errno));
	if (!aif_grant_create(r->buffer, r->service, AIF_GRANT_WRITE))
		return aif_why_set(why, -errno, "service '%s': cannot grant it %zu bytes: %s",
				   r->info->name, bytes, aif_error_text(errno));
	for (unsigned int i = 0; i < pieces_of(r); i++) {
		const struct aif_service_io *io = &r->info->io[i];

		r->pieces[i].iov_len = room_of(r, i);
		r->pieces[i].iov_base = aif_buffer_carve(r->buffer, r->pieces[i].iov_len,
							 io->alignment);
		if (!r->pieces[i].iov_base)
			return aif_why_set(why, -errno, "%s: %s", io->name, strerror(errno));
	}
	return 0;
}

/* A file, straight into granted memory. */
static int read_input(struct run *r, unsigned int i, struct aif_why *why)
{
	struct iovec *piece = &r->pieces[i];
	const char *path = path_of(r, i);
	FILE *file = r->inputs[i];

	errno = 0;
	piece->iov_len = fread(piece->iov_base, 1, piece->iov_len, file);
	if (ferror(file))
		return aif_why_set(why, -EIO, "%s: %s", path, strerror(errno));
	if (getc(file) != EOF)
		return aif_why_set(why, -E2BIG, "%s: longer than the %zu bytes that '%s' takes",
				   path, piece->iov_len, r->info->io[i].name);
	return 0;
}

static uint64_t deadline_ns(unsigned long ms)
{
	return ms ? cli_now_ns() + ms * NS_PER_MS : 0;
}

static int submit(struct run *r, struct aif_why *why)
{
	struct aif_request_spec spec = {
		.size = sizeof(spec),
		.in = r->pieces, .in_count = r->info->input_count,
		.out = r->pieces + r->info->input_count, .out_count = r->info->output_count,
		.deadline_ns = deadline_ns(r->args->deadline_ms),
		.sched_class = r->args->sched_class,
		.flags = r->args->restart ? AIF_REQUEST_RESTART : 0,
	};
	int err;

	r->request = aif_request_get(r->client);
	if (!r->request)
		return aif_why_set(why, -errno, "%s", aif_error_text(errno));
	err = aif_request_prepare(r->request, r->service, &spec);
	if (!err)
		err = aif_request_submit(&r->request, 1, 0);
	return err < 0 ? aif_why_set(why, err, "service '%s' refuses: %s", r->info->name,
				     aif_error_text(err)) : 0;
}

/* ---- what comes back ---- */

static const struct aif_service_io *first_output(const struct run *r)
{
	return &r->info->io[r->info->input_count];
}

/* Bytes are passed on as they come, where nothing else is to be said of them. */
static bool is_stream(const struct run *r)
{
	return !r->args->common.json && r->info->output_count &&
	       first_output(r)->element == AIF_ELEMENT_U8;
}

static void write_produced(struct run *r)
{
	const struct iovec *piece = &r->pieces[r->info->input_count];
	uint32_t produced = aif_request_produced(r->request);

	if (produced > piece->iov_len)
		produced = (uint32_t)piece->iov_len;
	if (produced <= r->written)
		return;
	fwrite((char *)piece->iov_base + r->written, 1, produced - r->written, stdout);
	fflush(stdout);
	r->written = produced;
}

static int wait_answer(struct run *r)
{
	int err;

	while (!aif_request_answered(r->request)) {
		if (is_stream(r))
			err = aif_request_wait_produced(r->request, (uint32_t)r->written, -1);
		else
			err = aif_request_wait(r->request, -1);
		if (err && err != -EINTR)
			return err;
		if (is_stream(r))
			write_produced(r);
	}
	if (is_stream(r))
		write_produced(r);
	r->outcome.size = sizeof(r->outcome);
	return aif_request_outcome(r->request, &r->outcome);
}

/* How many bytes of output @i there are; 0 where nobody says. */
static size_t bytes_of(const struct run *r, unsigned int i)
{
	size_t fixed = tensor_bytes(&r->info->io[i]);

	if (r->outcome.result < 0)
		return 0;
	if (fixed || i > r->info->input_count)
		return fixed;
	return r->outcome.produced < r->pieces[i].iov_len ? r->outcome.produced :
	       r->pieces[i].iov_len;
}

static void print_outputs(const struct run *r)
{
	char type[TENSOR_TYPE_MAX];

	for (unsigned int i = r->info->input_count; i < pieces_of(r); i++) {
		const struct aif_service_io *io = &r->info->io[i];

		tensor_type(io, type);
		printf("%s %s ", io->name, type);
		tensor_print(io, r->pieces[i].iov_base, bytes_of(r, i), stdout);
		putchar('\n');
	}
}

static json_t *outputs_json(const struct run *r)
{
	json_t *outputs = json_object();

	for (unsigned int i = r->info->input_count; i < pieces_of(r); i++)
		cli_json_set(outputs, r->info->io[i].name,
			     tensor_json(&r->info->io[i], r->pieces[i].iov_base, bytes_of(r, i)));
	return outputs;
}

/* From one stamp to another; 0 where one is missing. */
static int64_t between(uint64_t from, uint64_t to)
{
	return from && to > from ? (int64_t)(to - from) : 0;
}

static json_t *times_json(const struct aif_outcome *o)
{
	json_t *ns = json_object();

	cli_json_set(ns, "queued", json_integer(between(o->submitted_ns, o->fetched_ns)));
	cli_json_set(ns, "executed", json_integer(between(o->fetched_ns, o->answered_ns)));
	cli_json_set(ns, "total", json_integer(between(o->submitted_ns, o->answered_ns)));
	cli_json_set(ns, "device", json_integer((json_int_t)o->device_ns));
	return ns;
}

static void print_json(const struct run *r)
{
	const struct aif_outcome *outcome = &r->outcome;
	json_t *o = json_object();

	cli_json_set(o, "service", json_string(r->info->name));
	cli_json_set(o, "result", json_integer(outcome->result));
	if (outcome->result < 0)
		cli_json_set(o, "error", json_string(aif_error_text(outcome->result)));
	cli_json_set(o, "attempt", json_integer(outcome->attempt));
	cli_json_set(o, "produced", json_integer(outcome->produced));
	cli_json_set(o, "outputs", outputs_json(r));
	cli_json_set(o, "ns", times_json(outcome));
	cli_json_line(o);
}

static double ms(uint64_t from, uint64_t to)
{
	return (double)between(from, to) / NS_PER_MS;
}

static void note_times(const struct run *r)
{
	const struct aif_outcome *o = &r->outcome;

	cli_note("%s: %.3f ms: queued %.3f, executed %.3f, on the device %.3f; attempt %u%s",
		 r->info->name, ms(o->submitted_ns, o->answered_ns),
		 ms(o->submitted_ns, o->fetched_ns), ms(o->fetched_ns, o->answered_ns),
		 (double)o->device_ns / NS_PER_MS, o->attempt,
		 machine_is_emulated() ? " (emulated times)" : "");
}

static int show(struct run *r)
{
	int result = r->outcome.result;

	if (r->args->common.json)
		print_json(r);
	else if (!is_stream(r) && result >= 0)
		print_outputs(r);
	fflush(stdout);
	if (!r->args->common.json && !r->args->quiet)
		note_times(r);
	if (result < 0)
		return cli_error("%s: %s", r->info->name, result == -EILSEQ ? "not valid UTF-8" :
				 aif_error_text(result));
	return CLI_OK;
}

static int run(struct run *r, struct aif_why *why)
{
	int err = open_service(r, why);

	if (!err)
		err = open_inputs(r, why);
	if (!err)
		err = open_buffer(r, why);
	for (unsigned int i = 0; !err && i < r->info->input_count; i++)
		err = read_input(r, i, why);
	if (!err)
		err = submit(r, why);
	if (err)
		return err;
	err = wait_answer(r);
	return err ? aif_why_set(why, err, "%s: %s", r->info->name, aif_error_text(err)) : 0;
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "SERVICE [FILE...]",
		.doc = "Send a FILE for each input, or standard input, to a service and print what comes back: text as it is produced, or numbers.",
	};
	struct arguments a = { .common = CLI_COMMON, .owner = AIF_OWNER_TRUSTED };
	struct run r = { .args = &a };
	struct aif_why why;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	status = run(&r, &why) ? cli_error("%s", why.text) : show(&r);
	if (r.client)
		aif_client_close(r.client);
	return cli_finish(status);
}
