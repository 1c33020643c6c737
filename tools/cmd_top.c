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
	struct cli_common common;
	unsigned long seconds;
	unsigned long count;		/* 0: until told to stop */
};

static const struct argp_option options[] = {
	{ "count", 'n', "N", 0, "Stop after N looks (default: never)", 0 },
	CLI_OPTION_DEVICE,
	{ "interval", 'i', "SECONDS", 0, "Between looks (default 1)", 0 },
	CLI_OPTION_JSON("JSON: an object a line for each device, service and tenant"),
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'n':
		a->count = cli_number(state, "--count", arg, 1, UINT32_MAX);
		return 0;
	case 'i':
		a->seconds = cli_number(state, "--interval", arg, 1, 86400);
		return 0;
	}
	return cli_parse_common(key, arg, state);
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

static void look_json(const struct usage *u)
{
	json_t *o = json_object();

	cli_json_set(o, "kind", json_string("look"));
	cli_json_set(o, "time", json_integer((json_int_t)time(NULL)));
	cli_json_set(o, "seconds", json_real(u->seconds));
	cli_json_set(o, "tenants", json_boolean(u->tenant_count >= 0));
	cli_json_line(o);
}

static void device_json(const struct usage_device *d)
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
	cli_json_set(o, "draining", json_boolean(s->draining));
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
	cli_json_set(o, "moved_per_s", json_real(r->moved));
	cli_json_set(o, "id", json_integer((json_int_t)t->id));
	cli_json_set(o, "clients", json_integer(t->clients));
	cli_json_set(o, "requests", json_integer(t->used.requests));
	cli_json_set(o, "weight", json_integer(t->limits.weight));
	cli_json_set(o, "alloc_bytes", json_integer((json_int_t)t->used.alloc_bytes));
	cli_json_set(o, "pinned_bytes", json_integer((json_int_t)t->used.pinned_bytes));
	cli_json_set(o, "answered", json_integer((json_int_t)t->answered));
	cli_json_set(o, "device_ns", json_integer((json_int_t)t->device_ns));
	cli_json_set(o, "moved_bytes", json_integer((json_int_t)t->moved_bytes));
	cli_json_line(o);
}

static void show_json(const struct usage *u)
{
	look_json(u);
	for (size_t i = 0; i < u->device_count; i++)
		device_json(&u->devices[i]);
	for (size_t i = 0; i < u->service_count; i++)
		service_json(&u->services[i].info, &u->services[i].rate);
	for (int i = 0; i < u->tenant_count; i++)
		tenant_json(&u->tenants[i].info, &u->tenants[i].rate);
}

/* ---- text: names come last, they may be long ---- */

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

static void print_devices(FILE *to, const struct usage *u)
{
	fprintf(to, "\n%9s %7s %7s %10s %8s  %s\n", "SERVICES", "QUEUED", "FETCHED",
		"ANSWERED/S", "BUSY", "DEVICE");
	for (size_t i = 0; i < u->device_count; i++) {
		const struct usage_device *d = &u->devices[i];

		fprintf(to, "%9u %7u %7u", d->services, d->queued, d->fetched);
		print_rate(to, &d->rate);
		fprintf(to, "  %s\n", d->name);
	}
}

static void print_service(FILE *to, const struct aif_service_info *s, const struct usage_rate *r)
{
	const struct passwd *user = getpwuid(s->owner);
	char owner[32], granted[16];

	snprintf(owner, sizeof(owner), "%u", s->owner);
	if (user)
		snprintf(owner, sizeof(owner), "%s", user->pw_name);
	fprintf(to, "%9u %7u %7u", s->executors, s->queued, s->fetched);
	print_rate(to, r);
	fprintf(to, " %7s  %s by %s%s\n", amount((double)s->granted_bytes, granted), s->name,
		cli_plain(owner), s->draining ? ", draining" : "");
}

static void print_services(FILE *to, const struct usage *u)
{
	fprintf(to, "\n%9s %7s %7s %10s %8s %7s  %s\n", "EXECUTORS", "QUEUED", "FETCHED",
		"ANSWERED/S", "BUSY", "GRANTED", "SERVICE");
	for (size_t i = 0; i < u->service_count; i++)
		print_service(to, &u->services[i].info, &u->services[i].rate);
}

static void print_tenant(FILE *to, const struct aif_tenant_info *t, const struct usage_rate *r)
{
	char name[TENANT_NAME_MAX], moved[16], alloc[16], pinned[16];

	tenant_name(t->id, name);
	fprintf(to, "%7u %7u %6u", t->clients, t->used.requests, t->limits.weight);
	print_rate(to, r);
	fprintf(to, " %5s %6s %7s  %s\n", amount((double)t->used.alloc_bytes, alloc),
		amount((double)t->used.pinned_bytes, pinned), amount(r->moved, moved), name);
}

static void print_tenants(FILE *to, const struct usage *u)
{
	if (u->tenant_count == -EPERM)
		fputs("\ntenants: only root (CAP_SYS_RESOURCE) sees them\n", to);
	if (u->tenant_count < 0)
		return;
	fprintf(to, "\n%7s %7s %6s %10s %8s %5s %6s %7s  %s\n", "CLIENTS", "REQUEST", "WEIGHT",
		"ANSWERED/S", "BUSY", "ALLOC", "PINNED", "MOVED/S", "TENANT");
	for (int i = 0; i < u->tenant_count; i++)
		print_tenant(to, &u->tenants[i].info, &u->tenants[i].rate);
}

static void show_text(FILE *to, const struct usage *u)
{
	time_t now = time(NULL);
	char clock[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%F %T", &tm);
	fprintf(to, "%s, %.1f s\n", clock, u->seconds);
	print_devices(to, u);
	print_services(to, u);
	print_tenants(to, u);
}

/* ---- a terminal ---- */

/* As much of it as there is room for; and how much there is not. */
static void draw(char *text)
{
	char *line, *rest = text;
	int lines = 0, y;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	erase();
	for (y = 0; y < LINES && y < lines; y++) {
		line = strsep(&rest, "\n");
		if (y == LINES - 1 && lines > LINES)
			mvprintw(y, 0, "... %d more lines", lines - y);
		else
			mvaddnstr(y, 0, line, COLS);
	}
	refresh();
}

static void show_screen(const struct usage *u)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return;
	show_text(to, u);
	if (!fclose(to))
		draw(text);
	free(text);
}

#define EARLY_MS	50
#define CONTROL_C	3

static int ms_until(uint64_t then)
{
	return (int)((int64_t)(then - cli_now_ns()) / (int64_t)NS_PER_MS);
}

/* Until then.  True: the user, or the terminal, has had enough. */
static bool wait_screen(const struct usage *u, uint64_t until)
{
	int left, key;

	while ((left = ms_until(until)) > 0) {
		timeout(left);
		key = getch();
		if (key == 'q' || key == 'Q' || key == CONTROL_C)
			return true;
		if (key == ERR && ms_until(until) > EARLY_MS)
			return true;	/* its input has ended */
		if (key != ERR)
			show_screen(u);	/* resized, maybe */
	}
	return false;
}

static bool wait_plain(uint64_t until)
{
	struct timespec t = { .tv_sec = (time_t)(until / 1000000000),
			      .tv_nsec = (long)(until % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
	return false;
}

/* ---- */

static bool show_plain(const struct arguments *a, const struct usage *u, unsigned long n)
{
	if (a->common.json) {
		show_json(u);
	} else {
		if (n > 1)
			putchar('\n');
		show_text(stdout, u);
	}
	return !fflush(stdout) && !ferror(stdout);
}

/* The first look is what the others are compared with; a screen shows it for a start. */
static int watch(const struct arguments *a, struct aif_client *client, bool screen)
{
	uint64_t interval = a->seconds * 1000 * NS_PER_MS, next = cli_now_ns();
	struct usage u = { 0 };
	unsigned long n = 0;
	bool end = false;
	int err = usage_look(client, &u);

	while (!err && !end && (!a->count || n < a->count)) {
		if (screen)
			show_screen(&u);
		next += interval;
		end = screen ? wait_screen(&u, next) : wait_plain(next);
		if (!end)
			err = usage_look(client, &u);
		if (!end && !err && !screen)
			end = !show_plain(a, &u, ++n);
	}
	usage_free(&u);
	return err;
}

/* Only where there is somebody to end it. */
static SCREEN *screen_open(const struct arguments *a)
{
	SCREEN *screen = NULL;

	if (!a->common.json && !a->count && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return NULL;
	raw();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	return screen;
}

static int top(const struct arguments *a, struct aif_client *client)
{
	SCREEN *screen = screen_open(a);
	int err = watch(a, client, screen);

	if (screen) {
		endwin();
		delscreen(screen);
	}
	return cli_finish(err ? cli_error("%s: %s", a->common.device, aif_error_text(err)) : CLI_OK);
}

int cmd_top(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Watch devices, services and tenants: queues, rates, device time, memory.\v"
		       "On a terminal, without -n, it is a screen that q ends.  BUSY of 100 % is a "
		       "device's whole time.",
	};
	struct arguments a = { .common = CLI_COMMON, .seconds = 1 };
	struct aif_client *client;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	client = cli_client_open(a.common.device);
	if (!client)
		return CLI_FAILED;
	status = top(&a, client);
	aif_client_close(client);
	return status;
}
