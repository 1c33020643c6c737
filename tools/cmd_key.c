// SPDX-License-Identifier: MIT
/* aif key - who may ask aif-gateway, and its certificate */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/gateway/keys.h"
#include "runtime/model/why.h"
#include "tools/ca.h"
#include "tools/cli.h"

#define DEFAULT_FOLDER "/etc/aif"
#define TLS_FOLDER DEFAULT_FOLDER "/tls"
#define SERVER_DAYS 397
#define SERVER_DAYS_MAX 825	/* some clients take no more */
#define OWN_NAMES 4

enum { OPT_UID = 256, OPT_CGROUP, OPT_SESSION, OPT_FOLDER, OPT_DAYS };

/*
 * @key:   what is to be made: of create
 * @names: what stands behind the options
 */
struct arguments {
	const char *path;
	const char *folder;
	bool json;
	unsigned int days;
	struct key key;
	char **names;
	int count;
};

#define OPTION_FILE	{ "file", 'f', "FILE", 0, "The key file (default " KEYS_PATH ")", 0 }

static error_t parse_options(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'f':
		a->path = arg;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (key != ARGP_KEY_ARGS)
		return parse_options(key, arg, state);
	a->names = state->argv + state->next;
	a->count = state->argc - state->next;
	return 0;
}

static bool is_over(const struct key *key, int64_t now)
{
	return key->expires && key->expires <= now;
}

static json_t *key_json(const struct key *key)
{
	json_t *o = json_object();
	const struct {
		const char *key;
		int64_t time;
	} times[] = {
		{ "created", key->created }, { "expires", key->expires }, { "revoked", key->revoked },
	};
	char text[KEY_TIME_SIZE];

	cli_json_set(o, "id", json_string(key->id));
	cli_json_set(o, "name", json_string(key->name));
	cli_json_set(o, "type", json_string(key_type_name(key->type)));
	cli_json_set(o, "tenant", *key->tenant.text ? json_string(key->tenant.text) : json_null());
	cli_json_set(o, "session", json_boolean(key->session));
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		key_time_format(times[i].time, text);
		cli_json_set(o, times[i].key, times[i].time ? json_string(text) : json_null());
	}
	return o;
}

/* The folder of the default paths; who gives another has it. */
static void make_default_folder(const char *path)
{
	if (!strncmp(path, DEFAULT_FOLDER "/", sizeof(DEFAULT_FOLDER)))
		mkdir(DEFAULT_FOLDER, 0755);
}

/* ---- create ---- */

/* "30d", "12h" or "45m" from now, or a time. */
static int64_t parse_expires(struct argp_state *state, const char *text, int64_t now)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = { { 'd', 24 * 60 * 60 }, { 'h', 60 * 60 }, { 'm', 60 } };
	int64_t at = 0;
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*text >= '0' && *text <= '9' && !errno && n <= 1000000 && *end == units[i].unit &&
		    !end[1])
			at = now + (int64_t)n * units[i].seconds;
	}
	if (!at && !key_time_parse(text, &at))
		argp_error(state, "--expires: '%s' is neither like 30d, 12h or 45m nor like 2027-01-31T12:00:00Z",
			   text);
	if (at <= now)
		argp_error(state, "--expires: '%s' is not in the future", text);
	return at;
}

static void set_tenant(struct argp_state *state, struct key *key, const char *prefix,
		       const char *value)
{
	struct aif_why why;
	char *text;

	if (*key->tenant.text)
		argp_error(state, "a key has one tenant: %s is its already", key->tenant.text);
	if (asprintf(&text, "%s:%s", prefix, value) < 0)
		argp_failure(state, CLI_FAILED, ENOMEM, "%s", prefix);
	else if (key_tenant_parse(text, &key->tenant, &why))
		argp_error(state, "%s", why.text);
	free(text);
}

static void set_user(struct argp_state *state, struct key *key, const char *name)
{
	const struct passwd *user = getpwnam(name);
	char number[16];

	snprintf(number, sizeof(number), "%u", user ? user->pw_uid : 0);
	set_tenant(state, key, "uid", user ? number : name);
}

static void check_create(struct argp_state *state, struct arguments *a)
{
	struct aif_why why;

	if (a->count != 1)
		argp_error(state, "what is the key's name?");
	if (key_name_check(a->names[0], &why))
		argp_error(state, "%s", why.text);
	if (a->key.session && (a->key.type != KEY_AWS || !a->key.expires))
		argp_error(state, "--session goes with --type=aws and --expires");
	strcpy(a->key.name, a->names[0]);
}

static error_t parse_create(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 't':
		if (!key_type_parse(arg, &a->key.type))
			argp_error(state, "--type: '%s' is none of: bearer, basic, aws", arg);
		return 0;
	case 'e':
		a->key.expires = parse_expires(state, arg, a->key.created);
		return 0;
	case OPT_UID:
		set_user(state, &a->key, arg);
		return 0;
	case OPT_CGROUP:
		set_tenant(state, &a->key, "cgroup", arg);
		return 0;
	case OPT_SESSION:
		a->key.session = true;
		return 0;
	case ARGP_KEY_END:
		check_create(state, a);
		return 0;
	}
	return parse(key, arg, state);
}

/* By the names that clients read them from; the same for all types in JSON. */
static void print_secret(const struct key *key, const struct key_secret *s)
{
	switch (key->type) {
	case KEY_BEARER:
		printf("OPENAI_API_KEY=%s\nAWS_BEARER_TOKEN_BEDROCK=%s\n", s->token, s->token);
		break;
	case KEY_BASIC:
		printf("AIF_USER=%s\nAIF_PASSWORD=%s\n", key->id, s->secret);
		break;
	case KEY_AWS:
		printf("AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", key->id, s->secret);
		break;
	}
	if (*s->session)
		printf("AWS_SESSION_TOKEN=%s\n", s->session);
}

static void print_secret_json(const struct key *key, const struct key_secret *s)
{
	json_t *o = key_json(key);

	cli_json_set(o, "secret", json_string(s->secret));
	if (*s->token)
		cli_json_set(o, "token", json_string(s->token));
	if (*s->session)
		cli_json_set(o, "session_token", json_string(s->session));
	cli_json_line(o);
}

static int add(const char *path, struct key *key, struct key_secret *secret, struct aif_why *why)
{
	struct keys_edit edit;
	int err;

	if (key_make(key, secret))
		return aif_why_set(why, -EIO, "no randomness, or no memory");
	err = keys_edit_begin(path, &edit, why);
	if (err)
		return err;
	err = keys_add(&edit.keys, key);
	if (!err)
		return keys_edit_commit(&edit, why);
	keys_edit_abort(&edit);
	return aif_why_set(why, err, "%s: %s", path, strerror(-err));
}

static int create(struct arguments *a)
{
	struct key_secret secret;
	struct aif_why why;
	int status;

	make_default_folder(a->path);
	if (add(a->path, &a->key, &secret, &why))
		return cli_error("%s", why.text);
	if (a->json)
		print_secret_json(&a->key, &secret);
	else
		print_secret(&a->key, &secret);
	status = cli_finish(CLI_OK);
	if (status)
		cli_note("key %s was made, but could not be shown: revoke it", a->key.id);
	else if (isatty(STDERR_FILENO))
		cli_note("key %s is in %s; its secret is shown only now", a->key.id, a->path);
	return status;
}

static int cmd_create(int argc, char **argv)
{
	static const struct argp_option options[] = {
		OPTION_FILE,
		{ "json", 'j', NULL, 0, "A JSON object", 0 },
		{ "type", 't', "TYPE", 0, "bearer (default), basic or aws", 0 },
		{ "expires", 'e', "TIME", 0, "30d, 12h or 45m from now, or 2027-01-31T12:00:00Z", 0 },
		{ "uid", OPT_UID, "USER", 0, "Charge this user for its requests", 0 },
		{ "cgroup", OPT_CGROUP, "PATH", 0, "Charge this group, from cgroup v2's root", 0 },
		{ "session", OPT_SESSION, NULL, 0, "With a session token (aws; needs --expires)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse_create, .args_doc = "NAME",
		.doc = "Make a key, and show its secret: once.",
	};
	struct arguments a = { .path = KEYS_PATH, .key.created = time(NULL) };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return create(&a);
}

/* ---- list ---- */

static void print_key(const struct key *key, int64_t now)
{
	char expires[KEY_TIME_SIZE] = "never";

	if (key->expires)
		key_time_format(key->expires, expires);
	printf("%-20s %-7s %-8s %-20s %-20s %s\n", key->id, key_type_name(key->type),
	       key->revoked ? "revoked" : is_over(key, now) ? "expired" : "valid", expires,
	       key->name, *key->tenant.text ? key->tenant.text : "-");
}

static int list(const struct arguments *a)
{
	int64_t now = time(NULL);
	struct aif_why why;
	struct keys keys;

	if (keys_load(a->path, &keys, NULL, &why))
		return cli_error("%s", why.text);
	if (!a->json && keys.count)
		printf("%-20s %-7s %-8s %-20s %-20s %s\n", "ID", "TYPE", "STATE", "EXPIRES", "NAME",
		       "TENANT");
	for (size_t i = 0; i < keys.count; i++) {
		if (a->json)
			cli_json_line(key_json(&keys.list[i]));
		else
			print_key(&keys.list[i], now);
	}
	keys_free(&keys);
	return cli_finish(CLI_OK);
}

static int cmd_list(int argc, char **argv)
{
	static const struct argp_option options[] = {
		OPTION_FILE,
		{ "json", 'j', NULL, 0, "A JSON object for each key", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse_options, .doc = "List the keys, without secrets.",
	};
	struct arguments a = { .path = KEYS_PATH };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return list(&a);
}

/* ---- revoke ---- */

static error_t parse_revoke(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which key?");
	return parse(key, arg, state);
}

static int revoke_all(struct keys *keys, const struct arguments *a, struct aif_why *why)
{
	for (int i = 0; i < a->count; i++) {
		struct key *key = keys_find(keys, a->names[i], strlen(a->names[i]));

		if (!key)
			return aif_why_set(why, -ENOENT, "%s: no key '%s'; `aif key list` shows all; none was revoked",
					   a->path, a->names[i]);
		if (!key->revoked)
			key_revoke(key, time(NULL));
	}
	return 0;
}

static int end_keys(const struct arguments *a)
{
	struct keys_edit edit;
	struct aif_why why;

	if (keys_edit_begin(a->path, &edit, &why))
		return cli_error("%s", why.text);
	if (revoke_all(&edit.keys, a, &why)) {
		keys_edit_abort(&edit);
		return cli_error("%s", why.text);
	}
	return keys_edit_commit(&edit, &why) ? cli_error("%s", why.text) : CLI_OK;
}

static int cmd_revoke(int argc, char **argv)
{
	static const struct argp_option options[] = { OPTION_FILE, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse_revoke, .args_doc = "ID...",
		.doc = "End keys for good, all of those named or none.",
	};
	struct arguments a = { .path = KEYS_PATH };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	return end_keys(&a);
}

/* ---- tls ---- */

static error_t parse_tls(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPT_FOLDER:
		a->folder = arg;
		return 0;
	case OPT_DAYS:
		a->days = (unsigned int)cli_number(state, "--days", arg, 1, SERVER_DAYS_MAX);
		return 0;
	case ARGP_KEY_END:
		if (a->count > CA_NAMES_MAX)
			argp_error(state, "%d names: at most %d are possible", a->count, CA_NAMES_MAX);
		return 0;
	}
	return parse(key, arg, state);
}

static int make_certificate(const struct arguments *a, struct aif_why *why)
{
	struct ca ca;
	bool made;
	int err = ca_open(a->folder, &ca, &made, why);

	if (err)
		return err;
	err = ca_issue(&ca, a->folder, a->names, (unsigned int)a->count, a->days, why);
	ca_close(&ca);
	if (!err && made)
		cli_note("made a new CA: clients are to trust %s/ca.pem", a->folder);
	return err;
}

static int tls(const struct arguments *a)
{
	struct aif_why why;

	make_default_folder(a->folder);
	if (make_certificate(a, &why))
		return cli_error("%s", why.text);
	printf("%s/ca.pem\n%s/server.pem\n", a->folder, a->folder);
	return cli_finish(CLI_OK);
}

static int cmd_tls(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "folder", OPT_FOLDER, "FOLDER", 0, "Where they are (default " TLS_FOLDER ")", 0 },
		{ "days", OPT_DAYS, "N", 0, "How long the certificate is good (default 397)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options, .parser = parse_tls, .args_doc = "[NAME|ADDRESS]...",
		.doc = "Make a server's key and certificate for these names, signed by a CA of this "
		       "folder, which is made once.  Without names: localhost, 127.0.0.1, ::1 and "
		       "this machine's.",
	};
	char host[HOST_NAME_MAX + 1] = "";
	char *own[OWN_NAMES] = { "localhost", "127.0.0.1", "::1", host };
	struct arguments a = { .folder = TLS_FOLDER, .days = SERVER_DAYS };

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!a.count) {
		gethostname(host, sizeof(host) - 1);
		a.names = own;
		a.count = *host && strcmp(host, own[0]) ? OWN_NAMES : OWN_NAMES - 1;
	}
	return tls(&a);
}

int cmd_key(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "create", cmd_create, "make a key" },
		{ "list", cmd_list, "keys, without secrets" },
		{ "revoke", cmd_revoke, "end keys" },
		{ "tls", cmd_tls, "a CA and a certificate for the gateway" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Keys and certificate of aif-gateway.", commands, argc, argv);
}
