// SPDX-License-Identifier: MIT
#include "runtime/daemon/place.h"

#include <stdio.h>

#include "runtime/backend/backend.h"
#include "runtime/daemon/apart.h"
#include "runtime/daemon/log.h"

/* @err 0 and the device, or why not. */
struct trial {
	int err;
	char text[256];
};

static void try_open(void *ctx, void *answer)
{
	const struct service_conf *conf = ctx;
	const struct aif_backend *be = conf->backend;
	struct aif_dev_opts opts = {
		.size = sizeof(opts), .device = conf->cuda_device,
		.precision = conf->cuda_precision, .wait = conf->cuda_wait,
	};
	struct trial *t = answer;
	struct aif_dev *dev;

	t->err = be->dev_open(&opts, &dev);
	snprintf(t->text, sizeof(t->text), "%s", t->err ? be->dev_why() : be->dev_id(dev));
	if (!t->err)
		be->dev_close(dev);
}

void place(struct service_conf *conf)
{
	struct trial t = { 0 };
	char why[128];
	int err;

	if (!conf->backend || !AIF_BACKEND_HAS(conf->backend, dev_id))
		return;
	err = apart(try_open, conf, &t, sizeof(t), PLACE_SECONDS, why, sizeof(why));
	if (!err && !t.err) {
		snprintf(conf->cuda_device, sizeof(conf->cuda_device), "%.63s", t.text);
		return;
	}
	log_warn("service %s: backend %s: %s; the CPU computes instead", conf->name,
		 conf->backend->name, err ? why : t.text);
	conf->backend = aif_backend_find("cpu");
	*conf->cuda_device = *conf->cuda_precision = *conf->cuda_wait = '\0';
}

const char *place_hardware(const struct service_conf *conf)
{
	if (*conf->cuda_device)
		return conf->cuda_device;
	return AIF_BACKEND_HAS(conf->backend, dev_id) ? "" : "cpu";
}
