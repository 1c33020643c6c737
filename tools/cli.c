// SPDX-License-Identifier: MIT
#include "tools/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/model/why.h"

/* "aif NAME": set by cli_dispatch() before a command runs. */
static const char *cli_self = "aif";
static bool progress_shown;
static bool json_failed;

static void say(const char *fmt, va_list ap)
{
	cli_progress_end();
	fprintf(stderr, "%s: ", cli_self);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int cli_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_FAILED;
}

void cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* ---- progress ---- */

void cli_progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	progress_shown = true;
}

void cli_progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

/* ---- commands ---- */

static void print_help(const char *self, const char *doc, const struct command *commands)
{
	printf("Usage: %s COMMAND [ARGUMENT...]\n%s\n\n", self, doc);
	for (; commands->name; commands++)
		printf("  %-10s %s\n", commands->name, commands->summary);
	printf("\n`%s COMMAND --help` tells more.\n", self);
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-?") || !strcmp(arg, "-h");
}

int cli_dispatch(const char *self, const char *doc, const struct command *commands, int argc,
		 char **argv)
{
	const struct command *c;
	char *name;
	int status;

	if (argc > 1 && is_help(argv[1])) {
		print_help(self, doc, commands);
		return CLI_OK;
	}
	for (c = commands; argc > 1 && c->name; c++) {
		if (strcmp(c->name, argv[1]))
			continue;
		if (asprintf(&name, "%s %s", self, c->name) < 0)
			return CLI_FAILED;
		cli_self = argv[1] = name;
		status = c->main(argc - 1, argv + 1);
		free(name);
		return status;
	}
	if (argc > 1)
		fprintf(stderr, "%s: there is no command '%s'; see %s --help\n", self, argv[1], self);
	else
		fprintf(stderr, "%s: a command is missing; see %s --help\n", self, self);
	return CLI_USAGE;
}

error_t cli_parse_common(int key, char *arg, struct argp_state *state)
{
	struct cli_common *common = state->input;

	switch (key) {
	case 'd':
		common->device = arg;
		return 0;
	case 'j':
		common->json = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

unsigned long cli_number(const struct argp_state *state, const char *option, const char *text,
			 unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
		argp_error(state, "%s: '%s' is not a number from %lu to %lu", option, text, min,
			   max);
	return value;
}

uint32_t cli_owner(const struct argp_state *state, const char *text)
{
	const struct passwd *user = getpwnam(text);

	if (user)
		return user->pw_uid;
	if (*text < '0' || *text > '9')
		argp_error(state, "--owner: there is no user '%s'", text);
	return (uint32_t)cli_number(state, "--owner", text, 0, AIF_OWNER_TRUSTED - 1);
}

/* ---- output ---- */

void cli_json_set(json_t *object, const char *key, json_t *value)
{
	json_failed |= json_object_set_new(object, key, value) < 0;
}

void cli_json_append(json_t *array, json_t *value)
{
	json_failed |= json_array_append_new(array, value) < 0;
}

void cli_json_line(json_t *value)
{
	json_failed |= json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0;
	putchar('\n');
	json_decref(value);
}

json_t *cli_json_string(const char *bytes, size_t length)
{
	json_t *string = json_stringn(bytes, length);
	char *copy, *to;

	if (string || length > SIZE_MAX / 3)
		return string;
	copy = to = malloc(3 * length);
	for (size_t i = 0; copy && i < length;) {
		size_t n = 1;
		json_t *whole = NULL;

		for (; n <= 4 && i + n <= length && !whole; n++)
			whole = json_stringn(bytes + i, n);
		n--;
		to = mempcpy(to, whole ? bytes + i : "\xef\xbf\xbd", whole ? n : 3);
		i += whole ? n : 1;
		json_decref(whole);
	}
	string = copy ? json_stringn(copy, (size_t)(to - copy)) : NULL;
	free(copy);
	return string;
}

char *cli_plain(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

uint64_t cli_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int cli_finish(int status)
{
	cli_progress_end();
	if (fflush(stdout) || ferror(stdout))
		return cli_error("standard output: %s", strerror(errno));
	if (json_failed)
		return cli_error("no memory for JSON");
	return status;
}

/* ---- devices and services ---- */

void cli_open_why(const char *device, int err, struct aif_why *why)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		aif_why_format(why, "%s: no such device: is the module loaded? `aif probe` tells",
			       device);
		break;
	case EACCES:
	case EPERM:
		aif_why_format(why, "%s: permission denied; `aif probe` tells more", device);
		break;
	case ENOTTY:
		aif_why_format(why, "%s: not an AIF device", device);
		break;
	default:
		aif_why_format(why, "%s: %s", device, aif_error_text(err));
	}
}

struct aif_client *cli_client_open(const char *device)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = device, .depth = 1 };
	struct aif_client *client = aif_client_open(&opts);
	struct aif_why why;

	if (client)
		return client;
	cli_open_why(device, errno, &why);
	cli_error("%s", why.text);
	return NULL;
}

int cli_service_open(struct aif_client *client, const char *name, uint32_t owner,
		     struct aif_service **service, struct aif_why *why)
{
	*service = aif_service_open(client, name, owner);
	if (*service)
		return 0;
	if (errno == ENOENT && owner == AIF_OWNER_TRUSTED)
		return aif_why_set(why, -ENOENT,
				   "no service '%s' of yours or of root; `aif service list` shows all",
				   name);
	if (errno == ENOENT)
		return aif_why_set(why, -ENOENT,
				   "no service '%s' of user %u; `aif service list` shows all", name,
				   owner);
	return aif_why_set(why, -errno, "service '%s': %s", name, aif_error_text(errno));
}

/* There may be more of them at each look. */
static int service_ids(struct aif_client *client, uint32_t **ids)
{
	int n, room = 0;

	*ids = NULL;
	while ((n = aif_service_list(client, *ids, (unsigned int)room)) > room) {
		uint32_t *more = reallocarray(*ids, (size_t)n, sizeof(**ids));

		if (!more)
			return -ENOMEM;
		*ids = more;
		room = n;
	}
	return n;
}

int cli_each_service(struct aif_client *client,
		     void (*each)(void *ctx, const struct aif_service_info *service), void *ctx)
{
	uint32_t *ids;
	int n = service_ids(client, &ids);

	for (int i = 0; i < n; i++) {
		struct aif_service_info *service = aif_service_describe(client, ids[i]);

		if (service)
			each(ctx, service);
		aif_service_info_free(service);
	}
	free(ids);
	return n < 0 ? n : 0;
}
