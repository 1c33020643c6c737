// SPDX-License-Identifier: MIT
/* aif tenant - who may have how much of this machine, and has */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/cli.h"
#include "tools/tenant.h"

#define VALUES_MAX	16u	/* on a command line */
#define REALTIME_TEXT	96	/* bytes, with its NUL */
#define NAMES_TEXT	256u	/* likewise */

/* What can be set, and where it stands. */
static const struct limit {
	const char *name;
	uint32_t flag;
	size_t offset, size;
	uint64_t most;
} limits[] = {
#define LIMIT(name, flag, field, most) \
	{ name, AIF_TENANT_##flag, offsetof(struct aif_tenant_values, field), \
	  sizeof(((struct aif_tenant_values *)0)->field), most }
	LIMIT("alloc", ALLOC, alloc_bytes, UINT64_MAX),
	LIMIT("pinned", PINNED, pinned_bytes, UINT64_MAX),
	LIMIT("mapped", MAPPED, mapped_bytes, UINT64_MAX),
	LIMIT("requests", REQUESTS, requests, UINT32_MAX),
	LIMIT("weight", WEIGHT, weight, 10000),
	LIMIT("bytes_second", BYTES_SECOND, bytes_second, 1ull << 40),
};

#define LIMITS	(sizeof(limits) / sizeof(limits[0]))

struct arguments {
	struct cli_common common;
	const char *tenant;
	char *values[VALUES_MAX];
	unsigned int value_count;
	bool sets;
};

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	CLI_OPTION_JSON("JSON, one object a line"),
	{ 0 },
};

static error_t parse_arg(struct arguments *a, char *arg, struct argp_state *state)
{
	if (!a->sets || a->value_count == VALUES_MAX)
		argp_usage(state);
	if (!a->tenant)
		a->tenant = arg;
	else
		a->values[a->value_count++] = arg;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		return parse_arg(a, arg, state);
	case ARGP_KEY_END:
		if (a->sets && !a->value_count)
			argp_error(state, "TENANT and NAME=VALUE are needed");
		return 0;
	}
	return cli_parse_common(key, arg, state);
}

static int refused(const struct arguments *a, int err)
{
	if (err == -EPERM)
		return cli_error("%s: only root (CAP_SYS_RESOURCE) sees and sets tenants",
				 a->common.device);
	if (err == -ENOENT)
		return cli_error("%s: no such cgroup (or uid)", a->tenant);
	if (err == -EBUSY)
		return cli_error("%s: with this budget somebody could be late: the longest step of the "
				 "device's services (longest_step_ms) is too long, or others have "
				 "too much of it", a->tenant);
	return cli_error("%s: %s", a->common.device, aif_error_text(err));
}

/* ---- list ---- */

static json_t *values_json(const struct aif_tenant_values *v, bool limit)
{
	json_t *o = json_object();

	cli_json_set(o, "alloc", json_integer((json_int_t)v->alloc_bytes));
	cli_json_set(o, "pinned", json_integer((json_int_t)v->pinned_bytes));
	cli_json_set(o, "mapped", json_integer((json_int_t)v->mapped_bytes));
	cli_json_set(o, "requests", json_integer(v->requests));
	if (!limit)
		return o;
	cli_json_set(o, "weight", json_integer(v->weight));
	cli_json_set(o, "bytes_second", v->bytes_second ?
		     json_integer((json_int_t)v->bytes_second) : json_null());
	return o;
}

static json_t *realtime_json(const struct aif_tenant_realtime_budget *rt)
{
	json_t *o = rt->period_us ? json_object() : json_null();

	if (!rt->period_us)
		return o;
	cli_json_set(o, "budget_us", json_integer(rt->budget_us));
	cli_json_set(o, "period_us", json_integer(rt->period_us));
	cli_json_set(o, "device", rt->device[0] ? json_string(rt->device) : json_null());
	return o;
}

static void print_json(const struct aif_tenant_info *t)
{
	json_t *o = json_object();
	char name[TENANT_NAME_MAX];

	tenant_name(t->id, name);
	cli_json_set(o, "id", json_integer((json_int_t)t->id));
	cli_json_set(o, "name", json_string(name));
	cli_json_set(o, "clients", json_integer(t->clients));
	cli_json_set(o, "answered", json_integer((json_int_t)t->answered));
	cli_json_set(o, "device_ns", json_integer((json_int_t)t->device_ns));
	cli_json_set(o, "moved_bytes", json_integer((json_int_t)t->moved_bytes));
	cli_json_set(o, "used", values_json(&t->used, false));
	cli_json_set(o, "limits", values_json(&t->limits, true));
	cli_json_set(o, "realtime", realtime_json(&t->realtime));
	cli_json_line(o);
}

/* A limit that was set for this tenant has a star. */
static void print_pair(uint64_t used, uint64_t limit, bool set)
{
	printf("  %12llu /%12llu%c", (unsigned long long)used, (unsigned long long)limit,
	       set ? '*' : ' ');
}

/* As it is set, "BUDGET/PERIOD@DEVICE". */
static void realtime_text(const struct aif_tenant_realtime_budget *rt, char text[REALTIME_TEXT])
{
	if (!rt->period_us)
		strcpy(text, "-");
	else
		snprintf(text, REALTIME_TEXT, "%u/%u%s%s", rt->budget_us, rt->period_us,
			 rt->device[0] ? "@" : "", rt->device);
	cli_plain(text);
}

static void print_plain(const struct aif_tenant_info *t)
{
	char name[TENANT_NAME_MAX], realtime[REALTIME_TEXT];

	tenant_name(t->id, name);
	printf("%10llu %7u", (unsigned long long)t->id, t->clients);
	print_pair(t->used.alloc_bytes, t->limits.alloc_bytes, t->set & AIF_TENANT_ALLOC);
	print_pair(t->used.pinned_bytes, t->limits.pinned_bytes, t->set & AIF_TENANT_PINNED);
	print_pair(t->used.mapped_bytes, t->limits.mapped_bytes, t->set & AIF_TENANT_MAPPED);
	print_pair(t->used.requests, t->limits.requests, t->set & AIF_TENANT_REQUESTS);
	printf("  %5u%c", t->limits.weight, t->set & AIF_TENANT_WEIGHT ? '*' : ' ');
	if (t->limits.bytes_second)
		printf("  %13llu*", (unsigned long long)t->limits.bytes_second);
	else
		printf("  %13s ", "-");
	realtime_text(&t->realtime, realtime);
	printf("  %-16s  %s\n", realtime, name);
}

static int list(const struct arguments *a)
{
	struct aif_client *c = cli_client_open(a->common.device);
	struct aif_tenant_info *all;
	int n;

	if (!c)
		return CLI_FAILED;
	n = tenant_all(c, &all);
	if (n >= 0 && !a->common.json)
		printf("%10s %7s  %27s  %27s  %27s  %27s  %s  %13s   %-16s  %s\n", "TENANT",
		       "CLIENTS", "ALLOC USED / LIMIT", "PINNED USED / LIMIT",
		       "MAPPED USED / LIMIT", "REQUESTS USED / LIMIT", "WEIGHT", "BYTES/S",
		       "REALTIME", "NAME");
	for (int i = 0; i < n; i++) {
		if (a->common.json)
			print_json(&all[i]);
		else
			print_plain(&all[i]);
	}
	free(all);
	aif_client_close(c);
	return n < 0 ? refused(a, n) : cli_finish(CLI_OK);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "List tenants: what each has, and may have (* was set for it).",
	};
	struct arguments a = { .common = CLI_COMMON };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return list(&a);
}

/* ---- set ---- */

/* The directory of a cgroup, a user's name, or a number. */
static int find_tenant(const char *text, uint64_t *id)
{
	const struct passwd *user;
	struct stat st;
	char *end;

	if (strchr(text, '/')) {
		if (stat(text, &st))
			return cli_error("%s: %s", text, strerror(errno));
		*id = st.st_ino;
		return CLI_OK;
	}
	user = getpwnam(text);
	errno = 0;
	*id = user ? user->pw_uid : strtoull(text, &end, 10);
	if (!user && (*text < '0' || *text > '9' || *end || errno))
		return cli_error("%s: not a cgroup's folder, a user or a number", text);
	return CLI_OK;
}

/* Bytes may end in K, M or G. */
static int parse_number(const char *text, uint64_t *value)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	if (!strcmp(text, "default")) {
		*value = 0;
		return 0;
	}
	errno = 0;
	*value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (*text < '0' || *text > '9' || errno || !*value || (*end && (!unit || end[1])))
		return -EINVAL;
	if (unit && *value > UINT64_MAX >> 10 * (unit - units + 1))
		return -EINVAL;
	*value <<= unit ? 10 * (unit - units + 1) : 0;
	return 0;
}

/* The limit that "NAME=..." names, or NULL. */
static const struct limit *find_limit(const char *text, size_t length)
{
	for (size_t i = 0; i < LIMITS; i++)
		if (strlen(limits[i].name) == length && !strncmp(limits[i].name, text, length))
			return &limits[i];
	return NULL;
}

/* Says what can be set. */
static int not_a_limit(const char *text)
{
	char names[NAMES_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < LIMITS && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s=", i ? ", " : "",
				      limits[i].name);
	return cli_error("'%s': not %s or realtime=", text, names);
}

static int parse_value(const char *text, struct aif_tenant_values *to, uint32_t *set)
{
	const char *equals = strchr(text, '=');
	const struct limit *l = equals ? find_limit(text, (size_t)(equals - text)) : NULL;
	uint32_t narrow;
	uint64_t value;

	if (!l)
		return not_a_limit(text);
	if (parse_number(equals + 1, &value))
		return cli_error("'%s': neither 'default' nor a number from 1", text);
	if (value > l->most)
		return cli_error("'%s': neither 'default' nor a number from 1 to %llu", text,
				 (unsigned long long)l->most);
	*set |= l->flag;
	narrow = (uint32_t)value;
	memcpy((char *)to + l->offset, l->size == sizeof(narrow) ? (void *)&narrow : &value,
	       l->size);
	return CLI_OK;
}

/* "default", or "BUDGET/PERIOD", microseconds, and maybe "@DEVICE". */
static int parse_realtime(const char *text, struct aif_tenant_realtime_budget *to)
{
	const char *value = strchr(text, '=') + 1;
	int end = 0;

	*to = (struct aif_tenant_realtime_budget){ 0 };
	if (!strcmp(value, "default"))
		return CLI_OK;
	sscanf(value, "%9u/%9u%n", &to->budget_us, &to->period_us, &end);
	if (end != (int)strspn(value, "0123456789/"))	/* a sign, for one */
		end = 0;
	else if (value[end] == '@' && value[end + 1] && strlen(value + end + 1) < sizeof(to->device))
		strcpy(to->device, value + end + 1);
	else if (value[end])
		end = 0;
	if (!end || !to->budget_us || to->budget_us > to->period_us || to->budget_us > 4000000)
		return cli_error("'%s': neither 'default' nor BUDGET/PERIOD[@DEVICE], microseconds, "
				 "BUDGET from 1 to PERIOD and 4000000", text);
	return CLI_OK;
}

/* What is to be set of a tenant. */
struct change {
	struct aif_tenant_values limits;
	struct aif_tenant_realtime_budget budget;
	uint32_t set;
};

static int parse_values(const struct arguments *a, struct change *to)
{
	int err = CLI_OK;

	for (unsigned int i = 0; i < a->value_count && !err; i++) {
		if (strncmp(a->values[i], "realtime=", strlen("realtime="))) {
			err = parse_value(a->values[i], &to->limits, &to->set);
			continue;
		}
		to->set |= AIF_TENANT_REALTIME;
		err = parse_realtime(a->values[i], &to->budget);
	}
	return err;
}

static int apply(struct aif_client *c, uint64_t id, const struct change *to)
{
	int err = 0;

	if (to->set & AIF_TENANT_REALTIME)
		err = aif_tenant_set_realtime(c, id, &to->budget);
	if (!err && to->set & ~AIF_TENANT_REALTIME)
		err = aif_tenant_set(c, id, to->set & ~AIF_TENANT_REALTIME, &to->limits);
	return err;
}

static int set(const struct arguments *a)
{
	struct change to = { .set = 0 };
	struct aif_client *c;
	uint64_t id = 0;
	int err;

	if (find_tenant(a->tenant, &id) || parse_values(a, &to))
		return CLI_FAILED;
	c = cli_client_open(a->common.device);
	if (!c)
		return CLI_FAILED;
	err = apply(c, id, &to);
	aif_client_close(c);
	return err ? refused(a, err) : CLI_OK;
}

static int cmd_set(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "TENANT NAME=VALUE...",
		.doc = "Set limits of a tenant: alloc, pinned and mapped bytes (K, M, G), requests in "
		       "flight, weight, bytes_second of its transfers, realtime=BUDGET/PERIOD[@DEVICE] in "
		       "microseconds; 'default' takes one back.",
	};
	struct arguments a = { .common = CLI_COMMON, .sets = true };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return set(&a);
}

int cmd_tenant(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "list", cmd_list, "what tenants have, and may have" },
		{ "set", cmd_set, "limits of one" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Look at the tenants of this machine, and limit them.",
			    commands, argc, argv);
}
