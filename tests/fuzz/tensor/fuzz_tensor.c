// SPDX-License-Identifier: MIT
/*
 * What `aif run` prints of a service's answer: an input is a description (3 bytes)
 * and the answer's bytes.  Numbers read back from text and from JSON as they were,
 * and text is the given one with what is not UTF-8 replaced.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tools/tensor.h"

void fuzz_start(void)
{
}

static struct aif_service_io take_io(struct input *in)
{
	struct aif_service_io io = { .name = "answer", .output = true };

	io.kind = take(in) % 3 ? AIF_KIND_TENSOR : AIF_KIND_UTF8;
	io.element = io.kind == AIF_KIND_UTF8 ? AIF_ELEMENT_U8 :
		     (enum aif_element)(1 + take(in) % AIF_ELEMENT_F64);
	io.dims = take(in) % 5;
	for (unsigned int i = 0; i < io.dims; i++)
		io.shape[i] = i % 2 ? -1 : INT64_MAX;
	return io;
}

/* The other way to widen a half: by its bits, into a float's. */
static double half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023;
	uint32_t bits;
	float value;

	if (!exponent)
		return (h >> 15 ? -1.0 : 1.0) * (double)fraction / 16777216.0;
	bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
	memcpy(&value, &bits, sizeof(value));
	return (double)value;
}

static double element_at(enum aif_element element, const uint8_t *at)
{
	union { int8_t i8; int32_t i32; int64_t i64; uint16_t u16; uint32_t u32; float f32;
		double f64; } e = { 0 };

	memcpy(&e, at, aif_element_size(element));
	switch (element) {
	case AIF_ELEMENT_U8: return *at;
	case AIF_ELEMENT_I8: return e.i8;
	case AIF_ELEMENT_I32: return e.i32;
	case AIF_ELEMENT_I64: return (double)e.i64;
	case AIF_ELEMENT_F16: return half(e.u16);
	case AIF_ELEMENT_BF16:
		e.u32 = (uint32_t)e.u16 << 16;
		return (double)e.f32;
	case AIF_ELEMENT_F32: return (double)e.f32;
	case AIF_ELEMENT_F64: return e.f64;
	}
	return 0;
}

/* As far as its type holds: a float that was printed is the same float again. */
static bool same(enum aif_element element, double wanted, double got)
{
	if (isnan(wanted))
		return isnan(got);
	if (element == AIF_ELEMENT_F64 || !isfinite(wanted))
		return wanted == got;
	return (float)wanted == (float)got;
}

static void check_print(const struct aif_service_io *io, struct input in)
{
	size_t size = aif_element_size(io->element), room = 0;
	char *text = NULL, *at;
	FILE *to = open_memstream(&text, &room);

	tensor_print(io, in.at, in.left, to);
	fclose(to);
	at = text;
	for (size_t i = 0; i < in.left / size; i++) {
		double wanted = element_at(io->element, in.at + i * size), got = strtod(at, &at);

		require(same(io->element, wanted, got), "a printed number reads back");
	}
	require(!*at, "as many numbers as elements");
	free(text);
}

static void check_numbers(const struct aif_service_io *io, const json_t *array, struct input in)
{
	size_t size = aif_element_size(io->element);

	require(json_array_size(array) == in.left / size, "an element for each");
	for (size_t i = 0; i < in.left / size; i++) {
		const json_t *one = json_array_get(array, i);
		double wanted = element_at(io->element, in.at + i * size);

		require(isfinite(wanted) ? same(io->element, wanted, json_number_value(one)) :
			json_is_null(one), "a number in JSON");
	}
}

static void check_text(const json_t *string, struct input in)
{
	const char *got = json_string_value(string), *end;

	require(got, "a string");
	end = got + json_string_length(string);
	while (in.left) {
		size_t n = utf8_sequence(in.at, in.left);
		const char *wanted = n ? (const char *)in.at : "\xef\xbf\xbd";

		require(end - got >= (ptrdiff_t)(n ? n : 3) && !memcmp(got, wanted, n ? n : 3),
			"characters, and U+FFFD for what is none");
		got += n ? n : 3;
		in.at += n ? n : 1;
		in.left -= n ? n : 1;
	}
	require(got == end, "nothing more");
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct aif_service_io io = take_io(&in);
	char type[TENSOR_TYPE_MAX];
	json_t *json;

	tensor_type(&io, type);
	require(type[strlen(type) - 1] == ']', "a type's name is whole");
	check_print(&io, in);
	json = tensor_json(&io, in.at, in.left);
	require(json, "JSON of anything");
	if (io.kind == AIF_KIND_UTF8)
		check_text(json, in);
	else
		check_numbers(&io, json, in);
	json_decref(json);
	return in.left;
}
