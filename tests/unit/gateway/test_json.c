// SPDX-License-Identifier: MIT
/* What a request's tree may cost, by the size of its body. */
#include "tests/unit/gateway/rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees_are_limited),
		cmocka_unit_test(test_requests_are_not),
		cmocka_unit_test(test_a_refusal_is_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
