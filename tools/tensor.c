// SPDX-License-Identifier: MIT
#include "tools/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void tensor_type(const struct aif_service_io *io, char *text)
{
	const char *element = io->kind == AIF_KIND_UTF8 ? "utf8" : aif_element_name(io->element);
	int n = snprintf(text, TENSOR_TYPE_MAX, "%s[", element ? element : "?");

	for (unsigned int i = 0; i < io->dims; i++) {
		const char *comma = i ? "," : "";

		if (io->shape[i] < 0)
			n += snprintf(text + n, TENSOR_TYPE_MAX - n, "%s*", comma);
		else
			n += snprintf(text + n, TENSOR_TYPE_MAX - n, "%s%" PRId64, comma,
				      io->shape[i]);
	}
	snprintf(text + n, TENSOR_TYPE_MAX - n, "]");
}

size_t tensor_bytes(const struct aif_service_io *io)
{
	size_t bytes = aif_element_size(io->element);

	for (unsigned int i = 0; i < io->dims; i++)
		bytes = io->shape[i] < 0 ? 0 : bytes * (size_t)io->shape[i];
	return bytes;
}

/* IEEE half precision: 1 sign, 5 exponent, 10 fraction bits. */
static double half(uint16_t bits)
{
	int exponent = bits >> 10 & 31, fraction = bits & 1023;
	double value;

	if (exponent == 31)
		value = fraction ? NAN : INFINITY;
	else if (exponent)
		value = ldexp(1024 + fraction, exponent - 25);
	else
		value = ldexp(fraction, -24);
	return bits >> 15 ? -value : value;
}

static double brain(uint16_t bits)
{
	uint32_t wide = (uint32_t)bits << 16;
	float value;

	memcpy(&value, &wide, sizeof(value));
	return value;
}

/* One element: @whole where it is an integer (and true is returned), else @real. */
static bool read_element(enum aif_element element, const char *at, int64_t *whole, double *real)
{
	union {
		uint8_t u8;
		int8_t i8;
		int32_t i32;
		int64_t i64;
		uint16_t u16;
		float f32;
		double f64;
	} e;

	memcpy(&e, at, aif_element_size(element));
	switch (element) {
	case AIF_ELEMENT_U8:
		*whole = e.u8;
		return true;
	case AIF_ELEMENT_I8:
		*whole = e.i8;
		return true;
	case AIF_ELEMENT_I32:
		*whole = e.i32;
		return true;
	case AIF_ELEMENT_I64:
		*whole = e.i64;
		return true;
	case AIF_ELEMENT_F16:
		*real = half(e.u16);
		return false;
	case AIF_ELEMENT_BF16:
		*real = brain(e.u16);
		return false;
	case AIF_ELEMENT_F32:
		*real = e.f32;
		return false;
	case AIF_ELEMENT_F64:
		*real = e.f64;
		return false;
	}
	return false;
}

void tensor_print(const struct aif_service_io *io, const void *data, size_t bytes, FILE *to)
{
	size_t size = aif_element_size(io->element);
	int digits = io->element == AIF_ELEMENT_F64 ? 17 : 9;
	double real = 0;
	int64_t whole;

	for (size_t at = 0; size && at + size <= bytes; at += size) {
		if (at)
			fputc(' ', to);
		if (read_element(io->element, (const char *)data + at, &whole, &real))
			fprintf(to, "%" PRId64, whole);
		else
			fprintf(to, "%.*g", digits, real);
	}
}

json_t *tensor_json(const struct aif_service_io *io, const void *data, size_t bytes)
{
	size_t size = aif_element_size(io->element);
	json_t *array;
	double real = 0;
	int64_t whole;

	if (io->kind == AIF_KIND_UTF8)
		return cli_json_string(data, bytes);
	array = json_array();
	for (size_t at = 0; size && at + size <= bytes; at += size) {
		if (read_element(io->element, (const char *)data + at, &whole, &real))
			cli_json_append(array, json_integer(whole));
		else
			cli_json_append(array, isfinite(real) ? json_real(real) : json_null());
	}
	return array;
}
