// SPDX-License-Identifier: MIT
/* What a request's tree may cost, by the size of its body; how numbers are written. */
#include "tests/unit/gateway/rig.h"

#include <math.h>
#include <string.h>

#include "runtime/gateway/json.h"

/* [@item,@item,...] of @count */
static json_t *parse(const char *item, unsigned int count, char *error)
{
	struct buf b = { 0 };
	json_t *root;

	buf_text(&b, "[");
	for (unsigned int i = 0; i < count; i++) {
		buf_text(&b, i ? "," : "");
		buf_text(&b, item);
	}
	buf_text(&b, "]");
	assert_false(b.failed);
	root = json_request(&b, error);
	buf_free(&b);
	return root;
}

static void takes(const char *item, unsigned int count)
{
	char error[JSON_ERROR_SIZE];
	json_t *root = parse(item, count, error);

	assert_int_equal(json_array_size(root), count);
	json_decref(root);
}

static void test_trees_are_limited(void **state)
{
	static const char *const items[] = { "{}", "[]", "[[]]", "{\"\":{}}" };
	char error[JSON_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(items); i++) {
		assert_null(parse(items[i], 1000000, error));
		assert_non_null(strstr(error, "too many small JSON values"));
	}
}

static void test_requests_are_not(void **state)
{
	static char text[(1 << 20) + 3];

	memset(text, 'a', sizeof(text) - 1);
	text[0] = text[sizeof(text) - 2] = '"';
	takes(text, 8);
	takes("\"a\"", 4096);
	takes("\"a text of some words, as they come\"", 100000);
}

static void test_a_refusal_is_over(void **state)
{
	char error[JSON_ERROR_SIZE];

	assert_null(parse("{}", 1000000, error));
	takes("{}", 10);
	assert_null(parse("{", 1, error));
	assert_null(strstr(error, "too many"));
}

static void same_digits(uint32_t bits)
{
	struct buf b = { 0 };
	char expected[32];
	float value;

	memcpy(&value, &bits, sizeof(value));
	snprintf(expected, sizeof(expected), "%.9g", (double)value);
	json_numbers_add(&b, &value, 1);
	buf_add(&b, "", 1);
	if (strcmp(b.data, expected))
		fail_msg("%a: %s, printf says %s", (double)value, b.data, expected);
	buf_free(&b);
}

/* Near the powers of ten, where the number of digits before it changes, and all over. */
static void test_numbers_are_printed_as_printf_does(void **state)
{
	static const float edges[] = { 0, 1e-38F, 1e-5F, 1e-4F, 1e-3F, 1e-2F, 0.1F, 1, 10, 1e9F, 3e38F };
	static const float halves[] = { 0.5F, 0.0009765625F, 0.00048828125F, 0.0001220703125F };
	uint32_t bits;

	for (size_t i = 0; i < COUNT(edges) + COUNT(halves); i++) {
		memcpy(&bits, i < COUNT(edges) ? &edges[i] : &halves[i - COUNT(edges)], sizeof(bits));
		for (uint32_t at = bits > 1000 ? bits - 1000 : 0; at < bits + 1000; at++) {
			same_digits(at);
			same_digits(at | 1u << 31);
		}
	}
	for (bits = 0; bits < 0x7f800000; bits += 5003)
		same_digits(bits);
}

static void test_what_is_no_number(void **state)
{
	const float values[] = { NAN, INFINITY, -INFINITY, -0.25F };
	struct buf b = { 0 };

	json_floats_add(&b, values, COUNT(values));
	buf_add(&b, "", 1);
	assert_string_equal(b.data, "[null,null,null,-0.25]");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_are_limited),
		cmocka_unit_test(test_requests_are_not),
		cmocka_unit_test(test_a_refusal_is_over),
		cmocka_unit_test(test_numbers_are_printed_as_printf_does),
		cmocka_unit_test(test_what_is_no_number),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
