// SPDX-License-Identifier: MIT
/* aif top - who has the devices of this machine, now */
#include <errno.h>
#include <ncurses.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/tenant.h"
#include "tools/usage.h"

struct arguments {
	const char *device;
	unsigned long seconds;
	unsigned long count;		/* 0: until told to stop */
	bool json;
};

static const struct argp_option options[] = {
	{ "count", 'n', "N", 0, "Stop after N looks (default: never)", 0 },
	{ "device", 'd', "DEVICE", 0, "The device (default " DEVICE_DEFAULT ")", 0 },
	{ "interval", 'i', "SECONDS", 0, "Between looks (default 1)", 0 },
	{ "json", 'j', NULL, 0, "JSON: an object a line for each device, service and tenant", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'n':
		a->count = cli_number(state, "--count", arg, 1, UINT32_MAX);
		return 0;
	case 'd':
		a->device = arg;
		return 0;
	case 'i':
		a->seconds = cli_number(state, "--interval", arg, 1, 86400);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* ---- devices: sums over their services ---- */

struct device {
	const char *name;
	unsigned int services, queued, fetched;
	struct usage_rate rate;
};

/* The @i-th service's device; false if an earlier one has it too. */
static bool device_of(const struct usage *before, const struct usage *now, size_t i,
		      struct device *d)
{
	*d = (struct device){ .name = now->services[i].device };
	for (size_t k = 0; k < now->service_count; k++) {
		const struct aif_service_info *s = &now->services[k];
		struct usage_rate r;

		if (strcmp(s->device, d->name))
			continue;
		if (k < i)
			return false;
		r = usage_of_service(before, now, s);
		d->services++;
		d->queued += s->queued;
		d->fetched += s->fetched;
		d->rate.answered += r.answered;
		d->rate.device += r.device;
	}
	return true;
}

/* ---- JSON ---- */

static json_t *entry(const char *kind, const char *name, const struct usage_rate *r)
{
	json_t *o = json_object();

	cli_json_set(o, "kind", json_string(kind));
	cli_json_set(o, "name", json_string(name));
	cli_json_set(o, "answered_per_s", json_real(r->answered));
	cli_json_set(o, "device_per_s", json_real(r->device));
	return o;
}

static void device_json(const struct device *d)
{
	json_t *o = entry("device", d->name, &d->rate);

	cli_json_set(o, "services", json_integer(d->services));
	cli_json_set(o, "queued", json_integer(d->queued));
	cli_json_set(o, "fetched", json_integer(d->fetched));
	cli_json_line(o);
}

static void service_json(const struct aif_service_info *s, const struct usage_rate *r)
{
	json_t *o = entry("service", s->name, r);

	cli_json_set(o, "id", json_integer(s->id));
	cli_json_set(o, "owner", json_integer(s->owner));
	cli_json_set(o, "device", json_string(s->device));
	cli_json_set(o, "executors", json_integer(s->executors));
	cli_json_set(o, "queued", json_integer(s->queued));
	cli_json_set(o, "fetched", json_integer(s->fetched));
	cli_json_set(o, "granted_bytes", json_integer((json_int_t)s->granted_bytes));
	cli_json_set(o, "answered", json_integer((json_int_t)s->answered));
	cli_json_set(o, "device_ns", json_integer((json_int_t)s->device_ns));
	cli_json_line(o);
}

static void tenant_json(const struct aif_tenant_info *t, const struct usage_rate *r)
{
	char name[TENANT_NAME_MAX];
	json_t *o;

	tenant_name(t->id, name);
	o = entry("tenant", name, r);
	cli_json_set(o, "id", json_integer((json_int_t)t->id));
	cli_json_set(o, "clients", json_integer(t->clients));
	cli_json_set(o, "requests", json_integer(t->used.requests));
	cli_json_set(o, "moved_per_s", json_real(r->moved));
	cli_json_set(o, "alloc_bytes", json_integer((json_int_t)t->used.alloc_bytes));
	cli_json_set(o, "pinned_bytes", json_integer((json_int_t)t->used.pinned_bytes));
	cli_json_set(o, "answered", json_integer((json_int_t)t->answered));
	cli_json_set(o, "device_ns", json_integer((json_int_t)t->device_ns));
	cli_json_set(o, "moved_bytes", json_integer((json_int_t)t->moved_bytes));
	cli_json_line(o);
}

static void show_json(const struct usage *before, const struct usage *now)
{
	struct device d;

	for (size_t i = 0; i < now->service_count; i++)
		if (device_of(before, now, i, &d))
			device_json(&d);
	for (size_t i = 0; i < now->service_count; i++) {
		struct usage_rate r = usage_of_service(before, now, &now->services[i]);

		service_json(&now->services[i], &r);
	}
	for (int i = 0; i < now->tenant_count; i++) {
		struct usage_rate r = usage_of_tenant(before, now, &now->tenants[i]);

		tenant_json(&now->tenants[i], &r);
	}
}

/* ---- text ---- */

/* Three digits and a unit of 1024. */
static const char *amount(double bytes, char text[16])
{
	static const char units[] = " KMGTPE";
	unsigned int u = 0;

	for (; bytes >= 999.5 && u < sizeof(units) - 2; u++)
		bytes /= 1024;
	snprintf(text, 16, "%.*f%c", u && bytes < 9.95, bytes, units[u]);
	return text;
}

static void print_rate(FILE *to, const struct usage_rate *r)
{
	fprintf(to, " %10.1f %7.1f%%", r->answered, 100 * r->device);
}

static void print_devices(FILE *to, const struct usage *before, const struct usage *now)
{
	struct device d;

	fprintf(to, "%-20s %8s %7s %7s %10s %8s\n", "DEVICE", "SERVICES", "QUEUED", "FETCHED",
		"ANSWERED/S", "DEVICE");
	for (size_t i = 0; i < now->service_count; i++) {
		if (!device_of(before, now, i, &d))
			continue;
		fprintf(to, "%-20s %8u %7u %7u", d.name, d.services, d.queued, d.fetched);
		print_rate(to, &d.rate);
		fputc('\n', to);
	}
}

static void print_service(FILE *to, const struct aif_service_info *s, const struct usage_rate *r)
{
	const struct passwd *user = getpwuid(s->owner);
	char owner[16], granted[16];

	snprintf(owner, sizeof(owner), "%u", s->owner);
	fprintf(to, "%-20s %8u %7u %7u", s->name, s->executors, s->queued, s->fetched);
	print_rate(to, r);
	fprintf(to, " %8s  %s%s\n", amount((double)s->granted_bytes, granted),
		user ? user->pw_name : owner, s->draining ? ", draining" : "");
}

static void print_services(FILE *to, const struct usage *before, const struct usage *now)
{
	fprintf(to, "\n%-20s %8s %7s %7s %10s %8s %8s  %s\n", "SERVICE", "WORKERS", "QUEUED",
		"FETCHED", "ANSWERED/S", "DEVICE", "GRANTED", "OWNER");
	for (size_t i = 0; i < now->service_count; i++) {
		struct usage_rate r = usage_of_service(before, now, &now->services[i]);

		print_service(to, &now->services[i], &r);
	}
}

static void print_tenant(FILE *to, const struct aif_tenant_info *t, const struct usage_rate *r)
{
	char name[TENANT_NAME_MAX], moved[16], alloc[16], pinned[16];

	tenant_name(t->id, name);
	fprintf(to, "%7u %8u %6u", t->clients, t->used.requests, t->limits.weight);
	print_rate(to, r);
	fprintf(to, " %7s %7s %7s  %s\n", amount((double)t->used.alloc_bytes, alloc),
		amount((double)t->used.pinned_bytes, pinned), amount(r->moved, moved), name);
}

static void print_tenants(FILE *to, const struct usage *before, const struct usage *now)
{
	if (now->tenant_count == -EPERM)
		fputs("\ntenants: only root (CAP_SYS_RESOURCE) sees them\n", to);
	if (now->tenant_count < 0)
		return;
	/* Names come last: a cgroup's may be long. */
	fprintf(to, "\n%7s %8s %6s %10s %8s %7s %7s %7s  %s\n", "CLIENTS", "REQUESTS", "WEIGHT",
		"ANSWERED/S", "DEVICE", "ALLOC", "PINNED", "MOVED/S", "TENANT");
	for (int i = 0; i < now->tenant_count; i++) {
		struct usage_rate r = usage_of_tenant(before, now, &now->tenants[i]);

		print_tenant(to, &now->tenants[i], &r);
	}
}

static void show_text(FILE *to, const struct usage *before, const struct usage *now)
{
	print_devices(to, before, now);
	print_services(to, before, now);
	print_tenants(to, before, now);
}

/* ---- a terminal ---- */

/* The same text, as much of it as there is room for. */
static void show_screen(const struct usage *before, const struct usage *now)
{
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	int y = 0;

	if (!to)
		return;
	show_text(to, before, now);
	fclose(to);
	erase();
	for (rest = text; (line = strsep(&rest, "\n")) && y < LINES; y++)
		mvaddnstr(y, 0, line, COLS);
	refresh();
	free(text);
}

/* A while.  Was it the user's last? */
static bool pause_screen(unsigned long seconds)
{
	int key;

	timeout((int)seconds * 1000);
	key = getch();
	return key == 'q' || key == 'Q' || key == '\x1b';
}

static bool pause_plain(unsigned long seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
	return false;
}

/* ---- */

static int look_once(const struct arguments *a, struct aif_client *client, struct usage *before,
		     bool screen)
{
	struct usage now;
	int err = usage_take(client, &now);

	if (err) {
		usage_free(&now);
		return err;
	}
	if (screen)
		show_screen(before->taken_ns ? before : &now, &now);
	else if (before->taken_ns && a->json)
		show_json(before, &now);
	else if (before->taken_ns)
		show_text(stdout, before, &now);
	usage_free(before);
	*before = now;
	return fflush(stdout) ? -errno : 0;
}

static int watch(const struct arguments *a, struct aif_client *client, bool screen)
{
	bool (*pause)(unsigned long) = screen ? pause_screen : pause_plain;
	struct usage before = { 0 };
	int err = look_once(a, client, &before, screen);

	for (unsigned long n = 0; !err && (!a->count || n < a->count); n++) {
		if (pause(a->seconds))
			break;
		if (n && !screen && !a->json)
			putchar('\n');
		err = look_once(a, client, &before, screen);
	}
	usage_free(&before);
	return err;
}

static int top(const struct arguments *a, struct aif_client *client)
{
	SCREEN *screen = NULL;
	int err;

	if (!a->json && isatty(STDOUT_FILENO))
		screen = newterm(NULL, stdout, stdin);
	if (screen) {
		cbreak();
		noecho();
		curs_set(0);
	}
	err = watch(a, client, screen);
	if (screen) {
		endwin();
		delscreen(screen);
	}
	return err ? cli_error("%s: %s", a->device, aif_error_text(err)) : cli_finish(CLI_OK);
}

int cmd_top(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Watch devices, services and tenants: queues, rates, device time, memory.\v"
		       "On a terminal, q ends it.  DEVICE of 100 % is a device's whole time.",
	};
	struct arguments a = { .device = DEVICE_DEFAULT, .seconds = 1 };
	struct aif_client *client;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	client = cli_client_open(a.device);
	if (!client)
		return CLI_FAILED;
	status = top(&a, client);
	aif_client_close(client);
	return status;
}
