/* SPDX-License-Identifier: MIT */
/*
 * conf.h - what aifd is told to serve (aifd.conf(5))
 *
 * A service is a set of keys with values.  They come from a section of the
 * configuration file, and go to a worker as arguments "key=value".
 *
 * Errors: 0 or -errno with a sentence in @why.
 */
#ifndef AIFD_CONF_H
#define AIFD_CONF_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "aif_model.h"
#include "libaif.h"

struct kind;

/*
 * One service.  Numbers are in their ranges; those that are about time are in
 * milliseconds, 0 for the device's default.
 *
 * @given:    which keys were set, bits by their place in the table
 * @accelerator: key "device": what services of the same name share
 * @cuda_device: UUID or PCI address for backend cuda; empty: the first, or the environment's
 * @cuda_precision, @cuda_wait: as aif_dev_opts has them; empty: the environment's
 * @input:    "text" or "ids"
 * @model:    folder
 * @digest:   SHA-256 that the weights must have, in hexadecimal; empty: any
 * @threads:  of one worker
 * @batch:    most requests of a step; @batch_tokens: most tokens of a step
 * @delay_ms: echo: how long a request takes
 * @progress_bytes: echo: how much output is published at once; 0: all
 */
struct service_conf {
	char name[AIF_SERVICE_NAME_MAX];
	uint32_t given;
	const struct kind *kind;
	const struct aif_backend *backend;
	char accelerator[AIF_SERVICE_NAME_MAX];
	char cuda_device[AIF_SERVICE_NAME_MAX];
	char cuda_precision[8];
	char cuda_wait[8];
	char input[8];
	char model[PATH_MAX];
	char digest[65];
	uint32_t workers;
	uint32_t threads;
	uint32_t batch;
	uint32_t batch_tokens;
	uint32_t max_attempts;
	uint32_t longest_step_ms;
	uint32_t progress_ms;
	uint32_t recovery_ms;
	uint32_t delay_ms;
	uint32_t progress_bytes;
};

struct conf {
	struct service_conf *services;
	unsigned int count;
};

/*
 * Read @path.  @why, which is required, begins with "PATH:LINE: " where a line is to
 * blame.  One thread at a time.
 */
int conf_load(const char *path, struct conf *conf, struct aif_why *why);
void conf_free(struct conf *conf);

/* Begin a service: 1 to 63 of [A-Za-z0-9._-]. */
int service_conf_init(struct service_conf *service, const char *name, struct aif_why *why);

/* Set one key; -EEXIST: it was set before. */
int service_conf_set(struct service_conf *service, const char *key, const char *value,
		     struct aif_why *why);

/* All keys were set: fill in the others, and see whether they go together. */
int service_conf_finish(struct service_conf *service, struct aif_why *why);

/*
 * The service as arguments "key=value": strings that the caller frees, at most
 * SERVICE_CONF_KEYS.  Returns how many, or -ENOMEM.  And back: @list ends with NULL.
 */
#define SERVICE_CONF_KEYS 32
int service_conf_format(const struct service_conf *service, char **list, unsigned int room);
int service_conf_parse(struct service_conf *service, const char *name, char *const *list,
		       struct aif_why *why);

#endif
