/* SPDX-License-Identifier: MIT */
/*
 * kind.h - what a service can be
 *
 * A kind knows what its services look like to clients, and executes their jobs.  The
 * daemon opens it to describe a service; a worker opens it, attaches to the
 * service, starts it, and lets it make steps.
 *
 * Errors: 0 or -errno with a sentence in @why.  One thread at a time.
 */
#ifndef AIFD_KIND_H
#define AIFD_KIND_H

#include "runtime/daemon/conf.h"

/* The parts of a service's description that its kind decides. */
struct kind_description {
	const struct aif_service_io *io;
	unsigned int io_count;
	char model[AIF_SERVICE_NAME_MAX];
	char digest_hex[65];			/* empty: none */
	char text[AIF_SERVICE_TEXT_MAX + 1];	/* lines of key=value */
};

/*
 * @open:     read what is needed to describe the service.  @conf must stay
 * @describe: fill @d, which was zeroed; what it points to lives as long as @state
 * @start:    get ready to make steps.  NULL: always is
 * @mapped, @unmapped: as in struct aif_executor_callbacks, with @state; or NULL
 * @step:     execute @n jobs.  Every job was answered on success; on an error,
 *            which says that the device failed, the others were not touched
 */
struct kind {
	const char *name;
	int (*open)(const struct service_conf *conf, void **state, struct aif_why *why);
	void (*close)(void *state);
	void (*describe)(void *state, struct kind_description *d);
	int (*start)(void *state, struct aif_why *why);
	int (*mapped)(void *state, struct aif_mapping *mapping);
	void (*unmapped)(void *state, struct aif_mapping *mapping);
	int (*step)(void *state, struct aif_executor *executor, struct aif_job **jobs,
		    unsigned int n);
};

extern const struct kind kind_embed;
extern const struct kind kind_echo;

/* The kind of that name, or NULL. */
const struct kind *kind_find(const char *name);

/* Names of all kinds, for messages. */
#define KIND_NAMES "embed, echo"

#endif
