// SPDX-License-Identifier: MIT
/*
 * A service created on the local device from an input, as anybody may create one, and
 * what a client reads of it: its inputs and outputs (numbers, then names to the next
 * newline) and its text (the rest).  What is described is what was given, and
 * aif_service_info_value() finds what a slower reading of the lines finds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "libaif.h"

static struct aif_client *client;

static void close_client(void)
{
	aif_client_close(client);
}

void fuzz_start(void)
{
	client = aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = "local",
	});
	require(client, "the local device");
	atexit(close_client);
}

/* Mostly right: small numbers that are, unless a byte is large. */
static struct aif_service_io take_io(struct input *in)
{
	struct aif_service_io io = { .max_bytes = 1 << 16 };
	struct input name;

	io.kind = (enum aif_kind)(1 + take(in) % 2);
	io.element = (enum aif_element)(io.kind == AIF_KIND_UTF8 ? 1 : 1 + take(in) % 9);
	io.output = take(in) % 2;
	io.optional = take(in) > 0xc0;
	io.dims = io.kind == AIF_KIND_UTF8 ? 1 : take(in) % 6;
	for (unsigned int i = 0; i < io.dims && i < 4; i++)
		io.shape[i] = (int8_t)take(in);
	io.alignment = take(in) < 0xe0 ? 0 : 1u << take(in) % 32;
	name = take_until(in, '\n');
	memcpy(io.name, name.at, name.left < sizeof(io.name) ? name.left : sizeof(io.name));
	return io;
}

static bool same_io(const struct aif_service_io *given, const struct aif_service_io *got)
{
	for (unsigned int i = 0; i < given->dims; i++) {
		if (given->shape[i] != got->shape[i])
			return false;
	}
	return given->kind == got->kind && given->element == got->element &&
	       given->output == got->output && given->optional == got->optional &&
	       given->dims == got->dims && !strcmp(given->name, got->name) &&
	       got->alignment == (given->alignment ? given->alignment : 64);
}

/* The first line that begins with @key and '='; the text goes to its first NUL. */
static const char *find_value(const char *text, const char *key, size_t *length)
{
	struct input rest = { (const uint8_t *)text, strlen(text) };
	size_t n = strlen(key);

	while (rest.left) {
		struct input line = take_until(&rest, '\n');

		if (line.left > n && line.at[n] == '=' && !memcmp(line.at, key, n)) {
			*length = line.left - n - 1;
			return (const char *)line.at + n + 1;
		}
	}
	return NULL;
}

static void check_value(const struct aif_service_info *info, const char *key)
{
	size_t length = 0, wanted = 0;
	const char *value = aif_service_info_value(info, key, &length);

	require(value == find_value(info->text, key, &wanted) && length == wanted,
		"a key's value");
}

/* Each line's key is asked for, and some that are near. */
static void check_text(const struct aif_service_info *info, const char *given)
{
	struct input rest = { (const uint8_t *)given, strlen(given) };

	require(!strcmp(info->text, given) && info->text_length == strlen(given), "the text");
	check_value(info, "");
	check_value(info, "license");
	while (rest.left) {
		struct input line = take_until(&rest, '\n');
		char *key = to_string(take_until(&line, '='));

		check_value(info, key);
		if (*key)
			key[strlen(key) - 1] = '\0';
		check_value(info, key);
		free(key);
	}
}

static void check(const struct aif_holder_opts *opts, uint32_t id)
{
	struct aif_service_info *info = aif_service_describe(client, id);

	require(info && info->input_count + info->output_count == opts->io_count, "counts");
	for (unsigned int i = 0; i < opts->io_count; i++)
		require(same_io(&opts->io[i], &info->io[i]), "inputs and outputs");
	check_text(info, opts->text);
	aif_service_info_free(info);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct aif_service_io io[4];
	struct aif_holder_opts opts = {
		.size = sizeof(opts), .device = "local", .name = "service",
		.accelerator = "cpu", .io = io,
	};
	struct aif_holder *holder;
	char *text;

	opts.io_count = take(&in) % 5;
	for (unsigned int i = 0; i < opts.io_count; i++)
		io[i] = take_io(&in);
	opts.text = text = to_string(in);
	holder = aif_holder_create(&opts);
	require(holder || errno == EINVAL, "a reason");
	if (holder)
		check(&opts, aif_holder_service(holder));
	aif_holder_close(holder);
	free(text);
	return holder;
}
