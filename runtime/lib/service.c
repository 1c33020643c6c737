// SPDX-License-Identifier: MIT
/* Services as clients see them: looking up, describing, opening. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib.h"

_Static_assert((int)AIF_KIND_UTF8 == AIF_IO_UTF8 && (int)AIF_KIND_TENSOR == AIF_IO_TENSOR,
	       "kinds are passed on");
_Static_assert((int)AIF_ELEMENT_U8 == AIF_DTYPE_U8 && (int)AIF_ELEMENT_F64 == AIF_DTYPE_F64,
	       "elements are passed on");
_Static_assert(AIF_SERVICE_NAME_MAX == AIF_NAME_MAX && AIF_SERVICE_IO_MAX == AIF_IO_MAX &&
	       AIF_SERVICE_TEXT_MAX == AIF_TEXT_MAX, "limits are the device's");
_Static_assert(sizeof(((struct aif_service_io *)0)->name) == AIF_IO_NAME_MAX &&
	       sizeof(((struct aif_service_io *)0)->shape) == AIF_SHAPE_MAX * sizeof(__s64),
	       "arrays are the device's");

static const struct {
	const char *name;
	unsigned int size;
} elements[] = {
	[AIF_ELEMENT_U8] = { "u8", 1 },
	[AIF_ELEMENT_I8] = { "i8", 1 },
	[AIF_ELEMENT_I32] = { "i32", 4 },
	[AIF_ELEMENT_I64] = { "i64", 8 },
	[AIF_ELEMENT_F16] = { "f16", 2 },
	[AIF_ELEMENT_BF16] = { "bf16", 2 },
	[AIF_ELEMENT_F32] = { "f32", 4 },
	[AIF_ELEMENT_F64] = { "f64", 8 },
};

#define ELEMENT_COUNT	(sizeof(elements) / sizeof(elements[0]))

unsigned int aif_element_size(enum aif_element element)
{
	return (unsigned int)element < ELEMENT_COUNT ? elements[element].size : 0;
}

const char *aif_element_name(enum aif_element element)
{
	return (unsigned int)element < ELEMENT_COUNT ? elements[element].name : NULL;
}

void libaif_io_from_abi(struct aif_service_io *io, const struct aif_io *abi)
{
	*io = (struct aif_service_io){
		.kind = (enum aif_kind)abi->kind,
		.element = (enum aif_element)abi->dtype,
		.output = abi->flags & AIF_IO_F_OUTPUT,
		.optional = abi->flags & AIF_IO_F_OPTIONAL,
		.dims = abi->dims,
		.alignment = abi->alignment,
		.max_bytes = abi->max_bytes,
	};
	memcpy(io->name, abi->name, sizeof(io->name));
	io->name[sizeof(io->name) - 1] = '\0';
	memcpy(io->shape, abi->shape, sizeof(io->shape));
}

int libaif_io_to_abi(struct aif_io *abi, const struct aif_service_io *io)
{
	if (io->reserved)
		return -EINVAL;
	*abi = (struct aif_io){
		.kind = io->kind,
		.dtype = io->element,
		.flags = (io->output ? AIF_IO_F_OUTPUT : 0) |
			 (io->optional ? AIF_IO_F_OPTIONAL : 0),
		.dims = io->dims,
		.alignment = io->alignment,
		.max_bytes = io->max_bytes,
	};
	memcpy(abi->name, io->name, sizeof(abi->name));
	memcpy(abi->shape, io->shape, sizeof(abi->shape));
	return 0;
}

int aif_service_list(struct aif_client *client, uint32_t *ids, unsigned int capacity)
{
	struct aif_ioc_service_list arg = {
		.size = sizeof(arg), .capacity = capacity, .ids = (uintptr_t)ids,
	};
	int err = libaif_call(client->file, AIF_IOC_SERVICE_LIST, &arg);

	return err ? err : (int)arg.out_count;
}

/* The strings of a service's description were checked when it was created. */
static void info_fill(struct aif_service_info *info, const struct aif_ioc_service_describe *d)
{
	const struct aif_service_desc *desc = &d->out_desc;
	uint32_t i;

	*info = (struct aif_service_info){
		.id = d->id, .owner = d->out_owner, .draining = d->out_draining,
		.step_tokens = desc->step_tokens, .max_attempts = desc->max_attempts,
		.longest_step_ms = desc->longest_step_ms, .progress_ms = desc->progress_ms,
		.recovery_ms = desc->recovery_ms,
		.executors = d->out_executors, .queued = d->out_queued, .fetched = d->out_fetched,
		.grants = d->out_grants, .granted_bytes = d->out_granted_bytes,
		.answered = d->out_answered, .recovered = d->out_recovered,
		.device_ns = d->out_device_ns,
	};
	snprintf(info->name, sizeof(info->name), "%s", desc->name);
	snprintf(info->device, sizeof(info->device), "%s", desc->device);
	snprintf(info->model, sizeof(info->model), "%s", desc->model);
	for (i = 0; i < AIF_DIGEST_SIZE; i++)
		snprintf(&info->digest[2 * i], 3, "%02x", desc->digest[i]);
	for (i = 0; i < desc->io_count && i < AIF_IO_MAX; i++) {
		libaif_io_from_abi(&info->io[i], &desc->io[i]);
		if (info->io[i].output)
			info->output_count++;
		else
			info->input_count++;
	}
}

/* One allocation: the struct, and behind it the text with its NUL. */
struct aif_service_info *libaif_describe(struct libaif_file *file, uint32_t id)
{
	struct aif_service_info *info = malloc(sizeof(*info) + AIF_TEXT_MAX + 1);
	struct aif_ioc_service_describe arg = {
		.size = sizeof(arg), .id = id, .text_capacity = AIF_TEXT_MAX,
	};
	char *text;
	int err;

	if (!info)
		return NULL;
	text = (char *)(info + 1);
	arg.text = (uintptr_t)text;
	err = libaif_call(file, AIF_IOC_SERVICE_DESCRIBE, &arg);
	if (err) {
		free(info);
		return libaif_null(err);
	}
	info_fill(info, &arg);
	info->text = text;
	info->text_length = arg.out_text_length < AIF_TEXT_MAX ? arg.out_text_length : AIF_TEXT_MAX;
	text[info->text_length] = '\0';
	return info;
}

struct aif_service_info *aif_service_describe(struct aif_client *client, uint32_t id)
{
	return libaif_describe(client->file, id);
}

void aif_service_info_free(struct aif_service_info *info)
{
	free(info);
}

const char *aif_service_info_value(const struct aif_service_info *info, const char *key,
				   size_t *length)
{
	size_t key_length = strlen(key);
	const char *line, *end;

	for (line = info->text; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if ((size_t)(end - line) > key_length && line[key_length] == '=' &&
		    !memcmp(line, key, key_length)) {
			*length = (size_t)(end - line) - key_length - 1;
			return line + key_length + 1;
		}
	}
	return NULL;
}

static int open_of(struct aif_client *c, struct aif_ioc_service_open *arg, uint32_t owner)
{
	arg->owner = owner;
	return libaif_call(c->file, AIF_IOC_SERVICE_OPEN, arg);
}

/* Root is the last resort, so that one's own service can stand before the machine's. */
static int open_named(struct aif_client *c, struct aif_ioc_service_open *arg, uint32_t owner)
{
	int err = open_of(c, arg, owner == AIF_OWNER_TRUSTED ? geteuid() : owner);

	if (err == -ENOENT && owner == AIF_OWNER_TRUSTED && geteuid())
		err = open_of(c, arg, 0);
	return err;
}

struct aif_service *aif_service_open(struct aif_client *c, const char *name, uint32_t owner)
{
	struct aif_ioc_service_open arg = { .size = sizeof(arg) };
	struct aif_service *s;
	int err;

	if (strlen(name) >= sizeof(arg.name))
		return libaif_null(-ENAMETOOLONG);
	strcpy(arg.name, name);
	err = open_named(c, &arg, owner);
	if (err)
		return libaif_null(err);
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->info = libaif_describe(c->file, arg.out_id);
	if (!s->info) {
		free(s);
		return NULL;
	}
	s->client = c;
	s->handle = arg.out_handle;
	pthread_mutex_lock(&c->lock);
	s->next = c->services;
	c->services = s;
	pthread_mutex_unlock(&c->lock);
	return s;
}

/* Its grants live on in the device, until the client's file ends them. */
void libaif_service_free(struct aif_service *s)
{
	struct aif_service **p;

	for (p = &s->client->services; *p != s;)
		p = &(*p)->next;
	*p = s->next;
	while (s->grant_count)
		free(s->grants[--s->grant_count]);
	free(s->grants);
	free(s->info);
	free(s);
}

int aif_service_close(struct aif_service *s)
{
	struct aif_client *c;
	int err = 0;

	if (!s)
		return 0;
	c = s->client;
	pthread_mutex_lock(&c->lock);
	if (s->grant_count)
		err = -EBUSY;
	else
		libaif_service_free(s);
	pthread_mutex_unlock(&c->lock);
	return err;
}

const struct aif_service_info *aif_service_info(const struct aif_service *s)
{
	return s->info;
}
