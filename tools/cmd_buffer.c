// SPDX-License-Identifier: MIT
/* aif buffer - memory that the module keeps, and who has it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/holding.h"
#include "tools/tenant.h"

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	CLI_OPTION_JSON("JSON, one object a line"),
	{ 0 },
};

/* ---- buffers: @h[0 .. n) are the holdings of one ---- */

static const char *const by[] = {
	[HOLDING_CLIENT] = "client", [HOLDING_PASSED] = "passed", [HOLDING_EXECUTOR] = "executor",
};

static json_t *engines_json(const char *engines)
{
	json_t *list = json_array();
	char text[sizeof(((struct holding *)0)->engines)], *at, *name;

	strcpy(text, engines);
	for (name = strtok_r(text, " ", &at); name; name = strtok_r(NULL, " ", &at))
		cli_json_append(list, json_string(name));
	return list;
}

static json_t *holders_json(const struct holding *h, int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++) {
		json_t *o = json_object();

		cli_json_set(o, "pid", json_integer(h[i].pid));
		cli_json_set(o, "name", json_string(h[i].name));
		cli_json_set(o, "by", json_string(by[h[i].by]));
		cli_json_set(o, "rights", json_string(h[i].rights));
		cli_json_append(list, o);
	}
	return list;
}

static void print_json(const struct holding *h, int n)
{
	char name[TENANT_NAME_MAX];
	json_t *o = json_object();

	tenant_name(h->tenant, name);
	cli_json_set(o, "buffer", json_integer((json_int_t)h->buffer));
	cli_json_set(o, "kind", json_string(h->kind));
	cli_json_set(o, "bytes", json_integer((json_int_t)h->charged));
	cli_json_set(o, "tenant", json_integer((json_int_t)h->tenant));
	cli_json_set(o, "tenant_name", json_string(name));
	cli_json_set(o, "mapped_for", engines_json(h->engines));
	cli_json_set(o, "holders", holders_json(h, n));
	cli_json_line(o);
}

static void print_plain(const struct holding *h, int n)
{
	char name[TENANT_NAME_MAX];

	tenant_name(h->tenant, name);
	printf("%8llu  %-6s  %12llu  %-16s ", (unsigned long long)h->buffer, h->kind,
	       (unsigned long long)h->charged, name);
	for (int i = 0; i < n; i++)
		printf(" %s %d (%s) %s%s", by[h[i].by], h[i].pid, h[i].name, h[i].rights,
		       i + 1 < n ? "," : "");
	if (*h->engines)
		printf("; mapped for %s", h->engines);
	putchar('\n');
}

static void print_all(const struct cli_common *a, const struct holding *h, int count)
{
	int i, n;

	if (!a->json)
		printf("%8s  %-6s  %12s  %-16s  %s\n", "BUFFER", "KIND", "BYTES", "TENANT",
		       "HOLDERS");
	for (i = 0; i < count; i += n) {
		for (n = 1; i + n < count && h[i + n].buffer == h[i].buffer; n++)
			;
		if (a->json)
			print_json(&h[i], n);
		else
			print_plain(&h[i], n);
	}
}

/* ---- what is charged, and in no file of a process ---- */

static uint64_t known_bytes(const struct holding *h, int count, uint64_t tenant)
{
	uint64_t bytes = 0;

	for (int i = 0; i < count; i++)
		if (h[i].tenant == tenant && (!i || h[i].buffer != h[i - 1].buffer))
			bytes += h[i].charged;
	return bytes;
}

static void print_unknown(const struct cli_common *a, uint64_t tenant, uint64_t bytes)
{
	char name[TENANT_NAME_MAX];
	json_t *o;

	tenant_name(tenant, name);
	if (!a->json) {
		printf("%8s  %-6s  %12llu  %-16s  unknown: mapped, on their way, or pinned\n", "-",
		       "-", (unsigned long long)bytes, name);
		return;
	}
	o = json_object();
	cli_json_set(o, "buffer", json_null());
	cli_json_set(o, "bytes", json_integer((json_int_t)bytes));
	cli_json_set(o, "tenant", json_integer((json_int_t)tenant));
	cli_json_set(o, "tenant_name", json_string(name));
	cli_json_line(o);
}

/* Of who was there before it was looked who has what, and after: what is charged at either time. */
static uint64_t charged(const struct aif_tenant_info *t, const struct aif_tenant_info *before,
			int count)
{
	uint64_t now = t->used.alloc_bytes + t->used.pinned_bytes, then;

	for (int i = 0; i < count; i++) {
		then = before[i].used.alloc_bytes + before[i].used.pinned_bytes;
		if (before[i].id == t->id)
			return then < now ? then : now;
	}
	return 0;
}

/* Buffers come and go meanwhile. */
static int list_and_compare(const struct cli_common *a, struct aif_client *c)
{
	struct aif_tenant_info *before, *after = NULL;
	int then = tenant_all(c, &before), now = 0;
	struct holding *h;
	int n = holding_all(a->device, &h);

	if (n >= 0 && then >= 0)
		now = tenant_all(c, &after);
	if (n >= 0)
		print_all(a, h, n);
	for (int i = 0; i < now; i++) {
		uint64_t bytes = charged(&after[i], before, then);
		uint64_t known = known_bytes(h, n, after[i].id);

		if (bytes > known)
			print_unknown(a, after[i].id, bytes - known);
	}
	free(before);
	free(after);
	free(h);
	return n < 0 ? n : then < 0 ? then : now;
}

static int list(const struct cli_common *a)
{
	struct aif_client *c = cli_client_open(a->device);
	int err;

	if (!c)
		return CLI_FAILED;
	err = list_and_compare(a, c);
	aif_client_close(c);
	if (err < 0 && err != -EPERM)
		return cli_error("%s: %s", a->device, aif_error_text(err));
	if (err == -EPERM)
		cli_note("only root sees other users' processes, and what nobody seems to have");
	return cli_finish(CLI_OK);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = cli_parse_common,
		.doc = "List buffers: what kind, whose charge, which processes have them and may "
		       "read, write, map or transfer (rwmt), and for which engines they are mapped.",
	};
	struct cli_common a = CLI_COMMON;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return list(&a);
}

int cmd_buffer(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "list", cmd_list, "what is kept, and by whom" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Look at the memory that the module keeps.", commands, argc,
			    argv);
}
