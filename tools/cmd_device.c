// SPDX-License-Identifier: MIT
/* aif device - what this machine computes with, and which services use it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/cli.h"
#include "tools/hardware.h"

#define ROWS_MAX	256
#define NOT_STATED	"not stated"

/* @uses: names of the services that say they use it, one a line, to be freed */
struct row {
	struct hardware hardware;
	char *uses;
};

/*
 * @name: one that `show` asks for
 * @rows: what is here; then what services say they use and is not, or NOT_STATED
 */
struct devices {
	struct cli_common common;
	const char *name;
	bool asked;	/* services are known */
	unsigned int count;
	struct row rows[ROWS_MAX];
};

static const struct argp_option options[] = {
	{ "device", 'd', "DEVICE", 0, "Where services are (default " DEVICE_DEFAULT ")", 0 },
	CLI_OPTION_JSON("JSON, one object a line"),
	{ 0 },
};

static error_t parse_name(int key, char *arg, struct argp_state *state)
{
	struct devices *all = state->input;

	if (key == ARGP_KEY_ARG && !all->name) {
		all->name = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which device? `aif device list` names them");
	return cli_parse_common(key, arg, state);
}

/* ---- what is there ---- */

static void add(void *ctx, const struct hardware *h)
{
	struct devices *all = ctx;

	if (all->count < ROWS_MAX)
		all->rows[all->count++].hardware = *h;
}

static void append(char **list, const char *name)
{
	char *longer;

	if (asprintf(&longer, "%s%s\n", *list ? *list : "", name) < 0)
		return;
	free(*list);
	*list = longer;
}

/* The row of the hardware @id, which may not be here, or not to be seen by this user. */
static struct row *row_of(struct devices *all, const char *id, size_t length)
{
	unsigned int i;

	for (i = 0; i < all->count; i++)
		if (strlen(all->rows[i].hardware.id) == length &&
		    !strncmp(all->rows[i].hardware.id, id, length))
			return &all->rows[i];
	if (i == ROWS_MAX || length >= sizeof(all->rows[i].hardware.id))
		return NULL;
	memcpy(all->rows[i].hardware.id, id, length);
	all->count++;
	return &all->rows[i];
}

static void add_service(void *ctx, const struct aif_service_info *s)
{
	size_t length = 0;
	const char *id = aif_service_info_value(s, "hardware", &length);
	struct row *row;

	if (!id || !length) {
		id = NOT_STATED;
		length = strlen(id);
	}
	row = row_of(ctx, id, length);
	if (row)
		append(&row->uses, s->name);
}

/* Hardware is there without the module, too. */
static int add_services(struct devices *all)
{
	struct aif_client_opts opts = {
		.size = sizeof(opts), .device = all->common.device, .depth = 1,
	};
	struct aif_client *c = aif_client_open(&opts);
	struct aif_why why;
	int err;

	if (!c) {
		cli_open_why(all->common.device, errno, &why);
		cli_note("services are not shown: %s", why.text);
		return CLI_OK;
	}
	err = cli_each_service(c, add_service, all);
	aif_client_close(c);
	all->asked = !err;
	return err ? cli_error("%s: %s", all->common.device, aif_error_text(err)) : CLI_OK;
}

/* ---- showing it ---- */

static const char *const kinds[] = {
	[HARDWARE_UNKNOWN] = "-", [HARDWARE_CPU] = "cpu", [HARDWARE_CUDA] = "cuda", [HARDWARE_DRM] = "drm",
};

static json_t *uses_json(const char *uses)
{
	json_t *list = json_array();

	for (const char *name = uses; name && *name; name += strcspn(name, "\n") + 1)
		cli_json_append(list, cli_json_string(name, strcspn(name, "\n")));
	return list;
}

/* What is not known is left out. */
static void set_text(json_t *o, const char *key, const char *text)
{
	if (*text)
		cli_json_set(o, key, cli_json_string(text, strlen(text)));
}

static void print_json(const struct devices *all, const struct row *row)
{
	const struct hardware *h = &row->hardware;
	json_t *o = json_object();

	cli_json_set(o, "id", json_string(h->id));
	cli_json_set(o, "kind", json_string(kinds[h->kind]));
	set_text(o, "name", h->name);
	set_text(o, "target", h->target);
	set_text(o, "driver", h->driver);
	set_text(o, "pci", h->pci);
	set_text(o, "render", h->render);
	set_text(o, "numa", h->numa);
	if (h->bytes)
		cli_json_set(o, "bytes", json_integer((json_int_t)h->bytes));
	if (h->cores)
		cli_json_set(o, "cores", json_integer(h->cores));
	if (h->allowed)
		cli_json_set(o, "allowed", json_integer(h->allowed));
	if (all->asked)
		cli_json_set(o, "services", uses_json(row->uses));
	cli_json_line(o);
}

static void print_uses(const struct devices *all, const char *uses)
{
	size_t length;

	if (!all->asked || !uses)
		fputs(all->asked ? "-" : "?", stdout);
	for (const char *name = uses; name && *name; name += length + 1) {
		length = strcspn(name, "\n");
		printf("%s%.*s", name == uses ? "" : ",", (int)length, name);
	}
	putchar('\n');
}

/* "2 x avx512", "sm_90, CUDA 13.0", "virtio_gpu 0.1.0" */
static void describe(const struct hardware *h, char *text, size_t room)
{
	if (h->kind == HARDWARE_CPU)
		snprintf(text, room, "%u x %s", h->allowed, h->target);
	else
		snprintf(text, room, "%s%s%s", h->target, *h->target && *h->driver ? ", " : "",
			 h->driver);
}

static void print_row(const struct devices *all, const struct row *row)
{
	const struct hardware *h = &row->hardware;
	char text[96];

	describe(h, text, sizeof(text));
	printf("%-40s %-4s  %-24s %-12s %-4s  ", h->id, kinds[h->kind], *text ? text : "-",
	       *h->pci ? h->pci : "-", *h->numa ? h->numa : "-");
	print_uses(all, row->uses);
}

static int list(struct devices *all)
{
	if (!all->common.json)
		printf("%-40s %-4s  %-24s %-12s %-4s  %s\n", "DEVICE", "KIND", "WHAT", "PCI",
		       "NUMA", "SERVICES");
	for (unsigned int i = 0; i < all->count; i++) {
		if (all->common.json)
			print_json(all, &all->rows[i]);
		else
			print_row(all, &all->rows[i]);
	}
	if (hardware_no_cuda())
		cli_note("CUDA: %s", hardware_no_cuda());
	return CLI_OK;
}

static void print_line(const char *name, const char *value)
{
	if (*value)
		printf("%-9s %s\n", name, value);
}

static void print_all(const struct devices *all, const struct row *row)
{
	const struct hardware *h = &row->hardware;

	print_line("device", h->id);
	print_line("kind", kinds[h->kind]);
	print_line("name", h->name);
	print_line("runs", h->target);
	print_line("driver", h->driver);
	print_line("pci", h->pci);
	print_line("render", h->render);
	print_line("numa", h->numa);
	if (h->bytes)
		printf("%-9s %llu MiB\n", "memory", (unsigned long long)(h->bytes >> 20));
	if (h->cores)
		printf("%-9s %u, %u of them for this process\n", "cores", h->cores, h->allowed);
	printf("%-9s ", "services");
	print_uses(all, row->uses);
}

static bool is_called(const struct hardware *h, const char *name)
{
	return !strcasecmp(h->id, name) || (*h->pci && !strcasecmp(h->pci, name)) ||
	       (*h->render && !strcmp(h->render, name));
}

static int show(struct devices *all)
{
	unsigned int shown = 0;

	for (unsigned int i = 0; i < all->count; i++) {
		if (!is_called(&all->rows[i].hardware, all->name))
			continue;
		if (all->common.json)
			print_json(all, &all->rows[i]);
		else
			print_all(all, &all->rows[i]);
		shown++;
	}
	return shown ? CLI_OK :
	       cli_error("no device '%s'; `aif device list` names them", all->name);
}

static int run(const struct argp *argp, int argc, char **argv, int (*what)(struct devices *all))
{
	struct devices *all = calloc(1, sizeof(*all));
	int status;

	if (!all)
		return cli_error("no memory");
	all->common.device = DEVICE_DEFAULT;
	argp_parse(argp, argc, argv, 0, NULL, all);
	hardware_each(add, all);
	status = add_services(all);
	if (!status)
		status = what(all);
	for (unsigned int i = 0; i < all->count; i++)
		free(all->rows[i].uses);
	free(all);
	return cli_finish(status);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = cli_parse_common,
		.doc = "List what this machine computes with, and the services that use it.",
	};

	return run(&argp, argc, argv, list);
}

static int cmd_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse_name, .args_doc = "DEVICE",
		.doc = "All that is known of one device: its id, PCI address or DRM node.",
	};

	return run(&argp, argc, argv, show);
}

int cmd_device(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "list", cmd_list, "all devices, one a line" },
		{ "show", cmd_show, "one device in full" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Look at what this machine computes with.", commands, argc,
			    argv);
}
