// SPDX-License-Identifier: MIT
/* Holders: a service, described once and kept alive by a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

#define OPTS_FIRST	sizeof(struct aif_holder_opts)

_Static_assert(sizeof(struct aif_holder_opts) == 88, "no padding");

struct aif_holder {
	struct libaif_file *file;
	uint32_t service;
};

/* Copy a name that must fit with its NUL. */
static int name_copy(char *to, const char *from, size_t room)
{
	if (strlen(from) >= room)
		return -EINVAL;
	strcpy(to, from);
	return 0;
}

static int desc_fill(struct aif_service_desc *desc, const struct aif_holder_opts *o)
{
	unsigned int i;
	int err;

	if (!o->name || !o->accelerator || !o->io || o->io_count > AIF_IO_MAX)
		return -EINVAL;
	*desc = (struct aif_service_desc){
		.step_tokens = o->step_tokens ? o->step_tokens : 1,
		.max_attempts = o->max_attempts,
		.longest_step_ms = o->longest_step_ms,
		.progress_ms = o->progress_ms,
		.recovery_ms = o->recovery_ms,
		.io_count = o->io_count,
	};
	if (name_copy(desc->name, o->name, sizeof(desc->name)) ||
	    name_copy(desc->device, o->accelerator, sizeof(desc->device)) ||
	    name_copy(desc->model, o->model ? o->model : "", sizeof(desc->model)))
		return -EINVAL;
	if (o->digest)
		memcpy(desc->digest, o->digest, sizeof(desc->digest));
	for (i = 0; i < o->io_count; i++) {
		err = libaif_io_to_abi(&desc->io[i], &o->io[i]);
		if (err)
			return err;
	}
	return 0;
}

static int service_create(struct aif_holder *h, const struct aif_holder_opts *o)
{
	struct aif_ioc_service_create arg = { .size = sizeof(arg) };
	int err = desc_fill(&arg.desc, o);

	if (err)
		return err;
	if (o->text && strlen(o->text) > AIF_TEXT_MAX)
		return -EINVAL;
	arg.text = (uintptr_t)o->text;
	arg.text_length = o->text ? (uint32_t)strlen(o->text) : 0;
	h->file = libaif_open(o->device, LIBAIF_SERVE);
	if (!h->file)
		return -errno;
	err = libaif_call(h->file, AIF_IOC_SERVICE_CREATE, &arg);
	h->service = arg.out_id;
	return err;
}

struct aif_holder *aif_holder_create(const struct aif_holder_opts *given)
{
	struct aif_holder_opts opts;
	struct aif_holder *h;
	int err = libaif_opts_in(&opts, sizeof(opts), OPTS_FIRST, given);

	if (err)
		return libaif_null(err);
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	err = service_create(h, &opts);
	if (err) {
		aif_holder_close(h);
		return libaif_null(err);
	}
	return h;
}

void aif_holder_close(struct aif_holder *h)
{
	if (!h)
		return;
	if (h->file)
		libaif_close(h->file);
	free(h);
}

uint32_t aif_holder_service(const struct aif_holder *h)
{
	return h->service;
}

int aif_holder_fd(const struct aif_holder *h)
{
	return h->file->fd;
}

int aif_holder_drain(struct aif_holder *h)
{
	struct aif_ioc_service_drain arg = { .size = sizeof(arg) };

	return libaif_call(h->file, AIF_IOC_SERVICE_DRAIN, &arg);
}

struct aif_service_info *aif_holder_describe(struct aif_holder *h)
{
	return libaif_describe(h->file, h->service);
}
