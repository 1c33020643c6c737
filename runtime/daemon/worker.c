// SPDX-License-Identifier: MIT
#include "runtime/daemon/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/daemon/kind.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/serve.h"
#include "runtime/model/why.h"

static int read_conf(const struct worker_args *args, struct service_conf *conf,
		     struct aif_why *why)
{
	char *name = strndup(args->name, strcspn(args->name, "/"));
	int err = name ? service_conf_parse(conf, name, args->keys, why) :
			 aif_why_set(why, -ENOMEM, "no memory");

	free(name);
	return err;
}

/* The holder's file stays with the supervisor alone. */
static void attached(void *ctx)
{
	const struct worker_args *args = ctx;

	close(args->holder_fd);
	log_debug("takes requests");
}

static int run(const struct worker_args *args, const struct service_conf *conf,
	       struct serve_status *status, struct aif_why *why)
{
	struct serve_opts opts = {
		.device = args->device, .conf = conf, .status = status, .ready = attached,
		.ctx = (void *)args, .service = args->service, .holder_fd = args->holder_fd,
	};
	int err = conf->kind->open(conf, &opts.state, why);

	if (err)
		return err;
	err = serve_run(&opts, why);
	conf->kind->close(opts.state);
	return err;
}

int worker_main(const struct worker_args *args)
{
	struct aif_why why = { "" };
	struct service_conf conf;
	struct serve_status *status;
	int err;

	status = mmap(NULL, sizeof(*status), PROT_READ | PROT_WRITE, MAP_SHARED,
		      args->status_fd, 0);
	if (status == MAP_FAILED) {
		log_error("cannot map the status: %s", strerror(errno));
		return 1;
	}
	close(args->status_fd);
	err = read_conf(args, &conf, &why);
	if (!err)
		err = run(args, &conf, status, &why);
	if (err)
		log_error("%s", why.text);
	return err ? 1 : 0;
}
