// SPDX-License-Identifier: MIT
/*
 * An input's first byte says what the rest is.  Even: a header as it stands.  Odd: what
 * a header is written from: tensor by tensor its dtype, shape and offsets, right
 * unless a byte is large.  What lies before and behind a header is made to fit unless
 * the byte for it is large.  What is accepted must be what the format promises.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "runtime/model/safetensors.h"

void fuzz_start(void)
{
}

/* The first number in a dtype's name is its bits; BOOL has none. */
static uint64_t element_bytes(const char *dtype)
{
	unsigned long bits = strtoul(dtype + strcspn(dtype, "0123456789"), NULL, 10);

	return bits ? bits / 8 : 1;
}

static void check(const struct aif_safetensors *st, uint64_t at, size_t len)
{
	for (size_t i = 0; i < aif_safetensors_count(st); i++) {
		const struct aif_st_tensor *t = aif_safetensors_at(st, i);
		uint64_t bytes = element_bytes(t->dtype);

		require(t->rank <= AIF_ST_RANK_MAX, "rank");
		for (uint32_t d = 0; d < t->rank; d++) {
			require(t->dim[d] <= INT64_MAX, "no negative dimension");
			bytes *= t->dim[d];
		}
		require(bytes == t->bytes, "shape and bytes");
		require(t->offset == at, "tensors one behind the other");
		require(aif_safetensors_find(st, t->name) == t, "name");
		at += t->bytes;
	}
	require(at == len, "to the last byte");
}

/* How far off something is: mostly not. */
static int64_t slip(struct input *in)
{
	uint8_t b = take(in);

	return b < 0xf0 ? 0 : b < 0xfe ? b - 0xf7 : b == 0xfe ? INT32_MAX : INT64_MAX;
}

static size_t write_shape(struct input *in, char *to, size_t room, uint64_t *bytes)
{
	uint32_t rank = take(in);
	size_t n = 0;

	rank = rank < 0xf0 ? rank % 4 : rank % 16;
	for (uint32_t i = 0; i < rank; i++) {
		uint64_t dim = take(in) % 5 + (uint64_t)slip(in);

		*bytes *= dim;
		n += snprintf(to + n, room - n, "%s%" PRId64, i ? "," : "", (int64_t)dim);
	}
	return n;
}

/* Returns its length; @end is where its data ends. */
static size_t write_tensor(struct input *in, char *to, size_t room, int i, uint64_t *end)
{
	static const char *const dtypes[] = {
		"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16",
		"I32", "U32", "F32", "I64", "U64", "F64", "F4",
	};
	const char *dtype = dtypes[take(in) % (sizeof(dtypes) / sizeof(dtypes[0]))];
	uint64_t bytes = element_bytes(dtype), begin = *end + slip(in);
	size_t n;

	n = snprintf(to, room, "%s\"t%d\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "{",
		     take(in) < 0xf0 ? i : 0, dtype);
	n += write_shape(in, to + n, room - n, &bytes);
	*end = begin + bytes + slip(in);
	n += snprintf(to + n, room - n, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}",
		      (int64_t)begin, (int64_t)*end);
	return n;
}

#define TENSORS_MAX 8
#define TENSOR_ROOM 600

static size_t write_header(struct input *in, char *to, uint64_t *end)
{
	int count = 1 + take(in) % TENSORS_MAX;
	size_t n = 0;

	*end = 0;
	for (int i = 0; i < count; i++)
		n += write_tensor(in, to + n, TENSOR_ROOM, i, end);
	to[n++] = '}';
	return n;
}

static bool parse(const char *header, size_t n, int64_t header_slip, uint64_t data)
{
	uint64_t says = n + header_slip;
	size_t len = sizeof(says) + n + data;
	struct aif_safetensors *st;
	char *file = calloc(1, len);
	struct aif_why why;
	bool ok;

	memcpy(file, &says, sizeof(says));
	memcpy(file + sizeof(says), header, n);
	ok = !aif_safetensors_parse(file, len, &st, &why);
	if (ok) {
		check(st, sizeof(says) + says, len);
		aif_safetensors_close(st);
	} else {
		require(memchr(why.text, 0, sizeof(why.text)) && why.text[0], "without a reason");
	}
	free(file);
	return ok;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static char header[TENSORS_MAX * TENSOR_ROOM];
	struct input in = { data, size };
	int64_t header_slip, data_slip;
	uint64_t end;
	size_t n;

	if (take(&in) % 2) {
		header_slip = slip(&in);
		data_slip = slip(&in);
		n = write_header(&in, header, &end);
		return parse(header, n, header_slip, (end + data_slip) % 65536);
	}
	n = take(&in);
	return parse((const char *)in.at, in.left, 0, n);
}
