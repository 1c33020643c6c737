// SPDX-License-Identifier: MIT
/* aifd - serve models as services of /dev/aif; see aifd(8) */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/conf.h"
#include "runtime/daemon/kind.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/supervisor.h"
#include "runtime/daemon/worker.h"

#define CONF_DEFAULT "/etc/aif/aifd.conf"
#define DEVICE_DEFAULT "/dev/aif"

struct arguments {
	const char *conf;
	const char *level;
	bool check;
	struct worker_args worker;
};

enum { OPT_CHECK = 256, OPT_LOG, OPT_WORKER, OPT_SERVICE, OPT_HOLDER_FD, OPT_STATUS_FD };

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0,
	  "What to serve, see aifd.conf(5) (default " CONF_DEFAULT ")", 0 },
	{ "device", 'd', "DEVICE", 0, "The device (default " DEVICE_DEFAULT ")", 0 },
	{ "log", OPT_LOG, "LEVEL", 0,
	  "error, warn, info or debug (default: AIF_LOG_LEVEL, else info)", 0 },
	{ "check", OPT_CHECK, NULL, 0,
	  "Read the configuration and the models, say what is wrong, serve nothing", 0 },
	{ "worker", OPT_WORKER, "NAME", OPTION_HIDDEN, NULL, 0 },
	{ "service", OPT_SERVICE, "ID", OPTION_HIDDEN, NULL, 0 },
	{ "holder-fd", OPT_HOLDER_FD, "FD", OPTION_HIDDEN, NULL, 0 },
	{ "status-fd", OPT_STATUS_FD, "FD", OPTION_HIDDEN, NULL, 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'c':
		a->conf = arg;
		return 0;
	case 'd':
		a->worker.device = arg;
		return 0;
	case OPT_LOG:
		a->level = arg;
		return 0;
	case OPT_CHECK:
		a->check = true;
		return 0;
	case OPT_WORKER:
		a->worker.name = arg;
		return 0;
	case OPT_SERVICE:
		a->worker.service = (uint32_t)strtoul(arg, NULL, 10);
		return 0;
	case OPT_HOLDER_FD:
		a->worker.holder_fd = atoi(arg);
		return 0;
	case OPT_STATUS_FD:
		a->worker.status_fd = atoi(arg);
		return 0;
	case ARGP_KEY_ARGS:
		if (!a->worker.name)
			return ARGP_ERR_UNKNOWN;
		a->worker.keys = state->argv + state->next;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* Open every model as serving would. */
static int check(const struct conf *conf)
{
	struct aif_why why;
	void *state;

	for (unsigned int i = 0; i < conf->count; i++) {
		const struct service_conf *s = &conf->services[i];

		if (s->kind->open(s, &state, &why)) {
			log_error("service %s: %s", s->name, why.text);
			return 1;
		}
		s->kind->close(state);
		printf("%s: type %s, %u worker%s\n", s->name, s->kind->name, s->workers,
		       s->workers == 1 ? "" : "s");
	}
	return 0;
}

static int daemon_main(const struct arguments *a)
{
	struct aif_why why;
	struct conf conf;
	int status;

	if (conf_load(a->conf, &conf, &why)) {
		log_error("%s", why.text);
		return 1;
	}
	status = a->check ? check(&conf) : supervise(&conf, a->worker.device);
	conf_free(&conf);
	return status;
}

/* No file of ours stands where messages go; and nobody has to listen to them. */
static void set_up_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
}

AIF_API const char *argp_program_version = "aifd " AIF_VERSION;

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Serve models as services of /dev/aif.\v"
		       "SIGTERM, SIGINT and SIGHUP drain: what is queued is answered, then aifd ends with status 0; a second one ends it at once.",
	};
	static char *no_keys[] = { NULL };
	static char who[64 + AIF_SERVICE_NAME_MAX];
	struct arguments a = {
		.conf = CONF_DEFAULT, .worker = { .device = DEVICE_DEFAULT, .keys = no_keys },
	};

	set_up_standard_files();
	argp_err_exit_status = 2;
	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return 2;
	snprintf(who, sizeof(who), "aifd%s%s", a.worker.name ? " " : "",
		 a.worker.name ? a.worker.name : "");
	if (!log_init(a.level, who)) {
		fprintf(stderr, "aifd: '%s' is not a log level: error, warn, info or debug\n",
			a.level ? a.level : getenv("AIF_LOG_LEVEL"));
		return 2;
	}
	return a.worker.name ? worker_main(&a.worker) : daemon_main(&a);
}
