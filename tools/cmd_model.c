// SPDX-License-Identifier: MIT
/* aif model - the models of this machine */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/models.h"
#include "tools/cli.h"

struct arguments {
	const char *name;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "A JSON object for each model", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	a->json = true;
	return 0;
}

static error_t parse_name(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key == ARGP_KEY_ARG && !a->name) {
		a->name = arg;
		return 0;
	}
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which model?");
	return parse(key, arg, state);
}

/* ---- show ---- */

static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	cli_progress("%s: %s %llu%%", (const char *)ctx, what,
		     (unsigned long long)(total ? 100 * done / total : 100));
}

static void print_json(const char *path, const struct aif_model_info *m)
{
	json_t *o = json_object();

	cli_json_set(o, "name", cli_json_string(m->name, strlen(m->name)));
	cli_json_set(o, "path", cli_json_string(path, strlen(path)));
	cli_json_set(o, "digest", json_string(m->digest));
	cli_json_set(o, "license", json_string(m->licence));
	cli_json_set(o, "max_tokens", json_integer(m->max_tokens));
	cli_json_set(o, "dimensions", json_integer(m->dimensions));
	cli_json_line(o);
}

static void print_plain(const char *path, const struct aif_model_info *m)
{
	printf("model       %s\npath        %s\ndigest      %s\nlicense     %s\n", m->name, path,
	       m->digest, m->licence);
	printf("max_tokens  %u\ndimensions  %u\n", m->max_tokens, m->dimensions);
}

static int show(const struct arguments *a)
{
	struct aif_model_opts opts = { .size = sizeof(opts), .progress = progress };
	struct aif_model *model;
	struct aif_why why;
	char path[PATH_MAX];

	opts.progress_ctx = (void *)a->name;
	if (models_find(a->name, path, sizeof(path), &why) ||
	    aif_model_open(path, &opts, &model, &why))
		return cli_error("%s", why.text);
	cli_progress_end();
	if (a->json)
		print_json(path, aif_model_info(model));
	else
		print_plain(path, aif_model_info(model));
	aif_model_close(model);
	return cli_finish(CLI_OK);
}

static int cmd_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse_name, .args_doc = "NAME|FOLDER",
		.doc = "Open a model, check it, and say what it is.",
	};
	struct arguments a = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return show(&a);
}

/* ---- list ---- */

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void print_name(const struct arguments *a, const char *name)
{
	json_t *o;

	if (!a->json) {
		puts(name);
		return;
	}
	o = json_object();
	cli_json_set(o, "name", cli_json_string(name, strlen(name)));
	cli_json_line(o);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "List the models that can be given by name.",
	};
	struct arguments a = { 0 };
	struct dirent **entries;
	char folder[PATH_MAX];
	struct aif_why why;
	int n;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (models_folder(folder, sizeof(folder), &why))
		return cli_error("%s", why.text);
	n = scandir(folder, &entries, is_shown, alphasort);
	if (n < 0 && errno != ENOENT)
		return cli_error("%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		print_name(&a, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (n <= 0)
		cli_note("no models in %s: tools/fetch-model gets one", folder);
	return cli_finish(CLI_OK);
}

int cmd_model(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "list", cmd_list, "models that can be given by name" },
		{ "show", cmd_show, "one model: digest, license, limits" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Look at the models of this machine.", commands, argc, argv);
}
