// SPDX-License-Identifier: MIT
/* aif service - what is served on this machine */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/tensor.h"

/* @shown: how many were */
struct arguments {
	struct cli_common common;
	const char *name;
	unsigned int shown;
};

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	CLI_OPTION_JSON("A JSON object for each service"),
	{ 0 },
};

static error_t parse_name(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == ARGP_KEY_ARG && !a->name) {
		a->name = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which service?");
	return cli_parse_common(key, arg, state);
}

static const char *owner_name(uint32_t uid)
{
	static char number[16];
	const struct passwd *user = getpwuid(uid);

	snprintf(number, sizeof(number), "%u", uid);
	return user ? user->pw_name : number;
}

/* ---- one service ---- */

static json_t *io_json(const struct aif_service_io *io)
{
	const char *element = aif_element_name(io->element);
	json_t *o = json_object(), *shape = json_array();

	for (unsigned int i = 0; i < io->dims; i++)
		cli_json_append(shape, json_integer(io->shape[i]));
	cli_json_set(o, "name", json_string(io->name));
	cli_json_set(o, "kind", json_string(io->kind == AIF_KIND_UTF8 ? "utf8" : "tensor"));
	cli_json_set(o, "dtype", json_string(element ? element : "?"));
	cli_json_set(o, "shape", shape);
	cli_json_set(o, "output", json_boolean(io->output));
	cli_json_set(o, "optional", json_boolean(io->optional));
	cli_json_set(o, "alignment", json_integer(io->alignment));
	cli_json_set(o, "max_bytes", json_integer(io->max_bytes));
	return o;
}

/* Lines of key=value; of several with one key the first counts. */
static json_t *text_json(const struct aif_service_info *info)
{
	json_t *text = json_object();
	const char *line = info->text, *end = info->text + info->text_length;

	while (line < end) {
		size_t length = strcspn(line, "\n"), key = strcspn(line, "=\n");
		char *name = key < length ? strndup(line, key) : NULL;

		if (name && !json_object_get(text, name))
			cli_json_set(text, name,
				     cli_json_string(line + key + 1, length - key - 1));
		free(name);
		line += length + 1;
	}
	return text;
}

static json_t *service_json(const struct aif_service_info *s)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "step_tokens", s->step_tokens }, { "max_attempts", s->max_attempts },
		{ "longest_step_ms", s->longest_step_ms }, { "progress_ms", s->progress_ms },
		{ "recovery_ms", s->recovery_ms }, { "executors", s->executors },
		{ "queued", s->queued }, { "fetched", s->fetched }, { "answered", s->answered },
		{ "recovered", s->recovered }, { "grants", s->grants },
		{ "granted_bytes", s->granted_bytes }, { "device_ns", s->device_ns },
	};
	json_t *o = json_object(), *io = json_array();

	for (unsigned int i = 0; i < s->input_count + s->output_count; i++)
		cli_json_append(io, io_json(&s->io[i]));
	cli_json_set(o, "id", json_integer(s->id));
	cli_json_set(o, "name", json_string(s->name));
	cli_json_set(o, "owner", json_integer(s->owner));
	cli_json_set(o, "device", json_string(s->device));
	cli_json_set(o, "model", json_string(s->model));
	cli_json_set(o, "digest", json_string(s->digest));
	cli_json_set(o, "text", text_json(s));
	cli_json_set(o, "io", io);
	cli_json_set(o, "draining", json_boolean(s->draining));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cli_json_set(o, numbers[i].key, json_integer((json_int_t)numbers[i].value));
	return o;
}

static void print_io(const struct aif_service_io *io)
{
	char type[TENSOR_TYPE_MAX];

	tensor_type(io, type);
	printf("%-12s %s %s, at most %u bytes, aligned to %u%s\n", io->output ? "output" : "input",
	       io->name, type, io->max_bytes, io->alignment, io->optional ? ", optional" : "");
}

/* Its owner may be anybody: nothing that a terminal obeys. */
static void print_text(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f;

		putchar((*c < ' ' && *c != '\n') || *c == 0x7f || c1 ? '?' : *c);
		c += c1;
	}
}

static void print_service(const struct aif_service_info *s)
{
	printf("%-12s %s\n", "service", s->name);
	printf("%-12s %s\n", "owner", owner_name(s->owner));
	printf("%-12s %s\n", "model", s->model);
	if (strspn(s->digest, "0") < strlen(s->digest))
		printf("%-12s %s\n", "digest", s->digest);
	printf("%-12s %s, %u steps at once\n", "device", s->device, s->step_tokens);
	for (unsigned int i = 0; i < s->input_count + s->output_count; i++)
		print_io(&s->io[i]);
	printf("%-12s attempts %u, step %u ms, progress %u ms, recovery %u ms\n", "limits",
	       s->max_attempts, s->longest_step_ms, s->progress_ms, s->recovery_ms);
	printf("%-12s %u executors, %u queued, %u fetched%s\n", "now", s->executors, s->queued,
	       s->fetched, s->draining ? ", draining" : "");
	printf("%-12s %u, %" PRIu64 " bytes\n", "grants", s->grants, s->granted_bytes);
	printf("%-12s %" PRIu64 ", of them recovered %" PRIu64 ", in %.3f s of device time\n",
	       "answered", s->answered, s->recovered, (double)s->device_ns / 1e9);
	print_text(s->text);
}

/* ---- all of them ---- */

static void print_row(const struct aif_service_info *s)
{
	printf("%-20s %-10s %-24s %-10s %9u %7u %7u %10" PRIu64 "%s\n", s->name,
	       owner_name(s->owner), s->model, s->device, s->executors, s->queued, s->fetched,
	       s->answered, s->draining ? "  draining" : "");
}

static void show(void *ctx, const struct aif_service_info *s)
{
	struct arguments *a = ctx;

	if (a->name && strcmp(a->name, s->name))
		return;
	a->shown++;
	if (a->common.json)
		cli_json_line(service_json(s));
	else if (a->name)
		print_service(s);
	else
		print_row(s);
}

/* All, or those that are called @a->name. */
static int show_all(struct arguments *a, struct aif_client *client)
{
	int err;

	if (!a->common.json && !a->name)
		printf("%-20s %-10s %-24s %-10s %9s %7s %7s %10s\n", "SERVICE", "OWNER", "MODEL",
		       "DEVICE", "EXECUTORS", "QUEUED", "FETCHED", "ANSWERED");
	err = cli_each_service(client, show, a);
	if (err)
		return cli_error("%s: %s", a->common.device, aif_error_text(err));
	if (a->name && !a->shown)
		return cli_error("no service '%s'; `aif service list` shows all", a->name);
	return CLI_OK;
}

static int run(struct arguments *a)
{
	struct aif_client *client = cli_client_open(a->common.device);
	int status;

	if (!client)
		return CLI_FAILED;
	status = show_all(a, client);
	aif_client_close(client);
	return cli_finish(status);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = cli_parse_common, .doc = "List the services of this machine.",
	};
	struct arguments a = { .common = CLI_COMMON };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return run(&a);
}

static int cmd_describe(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse_name, .args_doc = "SERVICE",
		.doc = "Say what a service takes, gives, and does now.",
	};
	struct arguments a = { .common = CLI_COMMON };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return run(&a);
}

int cmd_service(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "list", cmd_list, "all services, one a line" },
		{ "describe", cmd_describe, "one service in full" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Look at what is served on this machine.", commands, argc,
			    argv);
}
