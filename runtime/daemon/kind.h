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

/*
 * A step that is under way.  Between its parts a kind says that it is at work: else a
 * step that takes longer than progress_ms is taken for stuck.
 *
 * step_flush():    send what was answered so far
 * step_progress(): publish @produced bytes of a job; sets its @cancelled
 */
struct step;
void step_flush(struct step *step);
void step_progress(struct step *step, struct aif_job *job, uint32_t produced);

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
 * @pins:     how often each page of what was mapped is pinned because of it; NULL: never
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
	unsigned int (*pins)(void *state, const struct aif_mapping *mapping);
	int (*step)(void *state, struct step *step, struct aif_job **jobs, unsigned int n);
};

extern const struct kind kind_embed;
extern const struct kind kind_echo;

/* The kind of that name, or NULL. */
const struct kind *kind_find(const char *name);

/* Names of all kinds, for messages. */
#define KIND_NAMES "embed, echo"

#endif
