// SPDX-License-Identifier: MIT
/*
 * aifd's configuration: an input that begins with '=' is lines of a worker's
 * arguments, key=value; any other is a configuration file.  What is taken is
 * formatted as arguments, and these give the same service again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "runtime/daemon/conf.h"
#include "runtime/daemon/kind.h"

static char path[64];
static int file;

/* Names of models are looked up in no folder of this machine. */
void fuzz_start(void)
{
	file = memfd_create("aifd.conf", MFD_CLOEXEC);
	require(file >= 0, "a file can be made");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	setenv("AIF_CACHE", "/nonexistent", 1);
}

/* The other way round, "key=value" is taken apart; true: @s has it. */
static bool set(struct service_conf *s, char *argument, struct aif_why *why)
{
	char *value = strchr(argument, '=');

	if (!value)
		return false;
	*value++ = '\0';
	return !service_conf_set(s, argument, value, why);
}

static bool same(const struct service_conf *a, const struct service_conf *b)
{
	return !strcmp(a->name, b->name) && a->kind == b->kind && a->backend == b->backend &&
	       !strcmp(a->accelerator, b->accelerator) && !strcmp(a->model, b->model) &&
	       !strcmp(a->digest, b->digest) && a->workers == b->workers &&
	       a->threads == b->threads && a->batch == b->batch &&
	       a->batch_tokens == b->batch_tokens && a->max_attempts == b->max_attempts &&
	       a->longest_step_ms == b->longest_step_ms && a->progress_ms == b->progress_ms &&
	       a->recovery_ms == b->recovery_ms && a->delay_ms == b->delay_ms &&
	       a->progress_bytes == b->progress_bytes;
}

static void check_ranges(const struct service_conf *s)
{
	require(*s->name && s->kind && s->backend && *s->accelerator, "what every service has");
	require(s->workers >= 1 && s->workers <= 64 && s->batch >= 1 && s->batch <= 1024 &&
		s->threads >= 1 && s->threads <= 1024 && s->max_attempts >= 1 &&
		s->max_attempts <= 16 && s->longest_step_ms >= 1 &&
		s->longest_step_ms <= 3600000, "ranges");
	require(s->kind != &kind_embed || *s->model, "a model to embed with");
	require(!*s->digest || strlen(s->digest) == 64, "a digest's length");
}

static void check_service(const struct service_conf *s)
{
	char *arguments[SERVICE_CONF_KEYS];
	struct service_conf again;
	struct aif_why why;
	int n;

	check_ranges(s);
	n = service_conf_format(s, arguments, SERVICE_CONF_KEYS);
	require(n > 0 && !service_conf_init(&again, s->name, &why), "format");
	for (int i = 0; i < n; i++) {
		require(set(&again, arguments[i], &why), "each argument is taken");
		free(arguments[i]);
	}
	require(!service_conf_finish(&again, &why) && same(s, &again), "the same service again");
}

static bool fuzz_arguments(struct input in)
{
	struct service_conf s;
	struct aif_why why;
	bool ok = true;

	require(!service_conf_init(&s, "service", &why), "a name");
	while (in.left && ok) {
		char *argument = to_string(take_until(&in, '\n'));

		ok = set(&s, argument, &why);
		free(argument);
	}
	ok = ok && !service_conf_finish(&s, &why);
	if (ok)
		check_service(&s);
	return ok;
}

static bool fuzz_file(const uint8_t *data, size_t size)
{
	struct aif_why why;
	struct conf conf;

	require(!ftruncate(file, 0) && pwrite(file, data, size, 0) == (ssize_t)size, "written");
	if (conf_load(path, &conf, &why)) {
		require(!strncmp(why.text, path, strlen(path)), "a reason that names the file");
		return false;
	}
	require(conf.count, "a service");
	for (unsigned int i = 0; i < conf.count; i++)
		check_service(&conf.services[i]);
	conf_free(&conf);
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	return take(&in) == '=' ? fuzz_arguments(in) : fuzz_file(data, size);
}
