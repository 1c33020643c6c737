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

/* Keys that are numbers: where they go, and their range (aifd.conf(5)). */
static const struct {
	const char *key;
	size_t field;
	uint32_t min, max;
} numbers[] = {
#define NUMBER(name, min, max) { #name, offsetof(struct service_conf, name), min, max }
	NUMBER(workers, 1, 64),
	NUMBER(threads, 1, 1024),
	NUMBER(batch, 1, 1024),
	NUMBER(batch_tokens, 512, 1 << 20),
	NUMBER(max_attempts, 1, 16),
	NUMBER(longest_step_ms, 1, 3600000),
	NUMBER(progress_ms, 1, 3600000),
	NUMBER(recovery_ms, 1, 3600000),
	NUMBER(delay_ms, 0, 3600000),
	NUMBER(progress_bytes, 0, 1 << 30),
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static char path[64];
static int file;

static uint32_t number(const struct service_conf *s, size_t i)
{
	return *(const uint32_t *)((const char *)s + numbers[i].field);
}

/* Names of models are looked up in no folder of this machine. */
void fuzz_start(void)
{
	file = memfd_create("aifd.conf", MFD_CLOEXEC);
	require(file >= 0, "a file can be made");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	setenv("AIF_CACHE", "/nonexistent", 1);
}

/* A number that was taken is where it belongs. */
static void check_landed(const struct service_conf *s, const char *key, const char *value)
{
	for (size_t i = 0; i < NUMBERS; i++)
		require(strcmp(numbers[i].key, key) || number(s, i) == strtoul(value, NULL, 10),
			"a number's place");
}

/* @argument, "key=value", is taken apart; true: @s has it. */
static bool set(struct service_conf *s, char *argument, struct aif_why *why)
{
	char *value = strchr(argument, '=');

	if (!value)
		return false;
	*value++ = '\0';
	if (service_conf_set(s, argument, value, why))
		return false;
	check_landed(s, argument, value);
	return true;
}

static bool same(const struct service_conf *a, const struct service_conf *b)
{
	for (size_t i = 0; i < NUMBERS; i++) {
		if (number(a, i) != number(b, i))
			return false;
	}
	return !strcmp(a->name, b->name) && a->kind == b->kind && a->backend == b->backend &&
	       !strcmp(a->accelerator, b->accelerator) && !strcmp(a->model, b->model) &&
	       !strcmp(a->digest, b->digest);
}

static void check_complete(const struct service_conf *s)
{
	require(*s->name && s->kind && s->backend && *s->accelerator, "what every service has");
	for (size_t i = 0; i < NUMBERS; i++)
		require(number(s, i) >= numbers[i].min && number(s, i) <= numbers[i].max,
			"ranges");
	require(s->kind != &kind_embed || *s->model, "a model to embed with");
	require(!*s->digest || strlen(s->digest) == 64, "a digest's length");
}

static void check_service(const struct service_conf *s)
{
	char *arguments[SERVICE_CONF_KEYS];
	struct service_conf again;
	struct aif_why why;
	int n;

	check_complete(s);
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
