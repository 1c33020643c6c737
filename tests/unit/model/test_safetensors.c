// SPDX-License-Identifier: MIT
/*
 * Every input lies right in front of a page that may not be touched, so that one
 * byte read too many ends the test.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/model/safetensors.h"
#include "tests/unit/model/refs.h"

#define AREA (1u << 20)
#define A_3x4 "\"a\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}"

static char *area_end;

static int set_up_area(void **state)
{
	char *area = mmap(NULL, AREA + sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return -1;
	area_end = area + AREA;
	return mprotect(area_end, sysconf(_SC_PAGESIZE), PROT_NONE);
}

/* A file of this header and @bytes of data, at the area's end. */
static char *make_file(const char *header, size_t bytes, size_t *len)
{
	uint64_t n = strlen(header);
	char *file;

	*len = sizeof(n) + n + bytes;
	file = area_end - *len;
	memcpy(file, &n, sizeof(n));
	memcpy(file + sizeof(n), header, n);
	memset(file + sizeof(n) + n, 7, bytes);
	return file;
}

static void test_parse_valid(void **state)
{
	static const char header[] =
		"{\"__metadata__\":{\"format\":\"pt\"},"
		"\"b\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[48,64]},"
		"\"none\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[48,48]},"
		"\"one\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[64,65]}," A_3x4 "}   ";
	struct aif_safetensors *st;
	const struct aif_st_tensor *t;
	struct aif_why why;
	size_t len;
	char *file = make_file(header, 65, &len);

	assert_int_equal(aif_safetensors_parse(file, len, &st, &why), 0);
	assert_int_equal(aif_safetensors_count(st), 4);
	t = aif_safetensors_find(st, "a");
	assert_ptr_equal(t, aif_safetensors_at(st, 0));
	assert_string_equal(t->dtype, "F32");
	assert_int_equal(t->rank, 2);
	assert_int_equal(t->dim[0], 3);
	assert_int_equal(t->dim[1], 4);
	assert_int_equal(t->offset, 8 + strlen(header));
	assert_int_equal(t->bytes, 48);
	assert_string_equal(aif_safetensors_at(st, 1)->name, "none");
	assert_int_equal(aif_safetensors_find(st, "one")->rank, 0);
	assert_null(aif_safetensors_find(st, "c"));
	assert_null(aif_safetensors_find(st, "__metadata__"));
	assert_null(aif_safetensors_at(st, 4));
	aif_safetensors_close(st);
}

static void test_parse_cut_anywhere(void **state)
{
	struct aif_safetensors *st;
	struct aif_why why;
	size_t len;
	char *file = make_file("{" A_3x4 "}", 48, &len);

	assert_int_equal(aif_safetensors_parse(file, len, &st, &why), 0);
	aif_safetensors_close(st);
	for (size_t n = 0; n < len; n++) {
		char *cut = area_end - n;

		memmove(cut, make_file("{" A_3x4 "}", 48, &len), n);
		assert_int_equal(aif_safetensors_parse(cut, n, &st, &why), -EBADMSG);
		assert_non_null(strstr(why.text, "cut short"));
	}
}

#define ONE(dtype, shape, offsets) \
	"{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
	const char *header;
	size_t bytes;
	const char *says;
} refused[] = {
	{ "", 0, "does not begin with '{'" },
	{ " {}", 0, "does not begin with '{'" },
	{ "[]", 0, "does not begin with '{'" },
	{ "{", 0, "not JSON" },
	{ "{}x", 0, "not JSON" },
	{ "{\"\xff\":1}", 0, "not JSON" },
	{ "{" A_3x4 "," A_3x4 "}", 48, "not JSON: duplicate" },
	{ "{\"a\":1}", 0, "'a' is not described by an object" },
	{ "{\"a\":{}}", 0, "unknown dtype '(not a string)'" },
	{ "{\"__metadata__\":1}", 0, "'__metadata__' is not an object" },
	{ "{\"__metadata__\":{\"k\":1}}", 0, "'k' is not a string" },
	{ ONE("\"F31\"", "[1]", "[0,4]"), 4, "unknown dtype 'F31'" },
	{ ONE("\"F32\"", "1", "[0,4]"), 4, "'shape' must be" },
	{ ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "'shape' must be" },
	{ ONE("\"F32\"", "[-1]", "[0,4]"), 4, "no size that memory can have" },
	{ ONE("\"F32\"", "[1.0]", "[0,4]"), 4, "no size that memory can have" },
	{ ONE("\"F32\"", "[\"1\"]", "[0,4]"), 4, "no size that memory can have" },
	{ ONE("\"F32\"", "[4294967296,1073741824]", "[0,0]"), 0, "no size that memory can have" },
	{ ONE("\"U8\"", "[9223372036854775807,3]", "[0,0]"), 0, "no size that memory can have" },
	{ ONE("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "not JSON" },
	{ ONE("\"F32\"", "[1]", "[0]"), 4, "must be two numbers" },
	{ ONE("\"F32\"", "[1]", "[0,4,8]"), 4, "must be two numbers" },
	{ ONE("\"F32\"", "[1]", "[0,4.0]"), 4, "must be two numbers" },
	{ ONE("\"F32\"", "[1]", "[-4,0]"), 4, "is no range" },
	{ ONE("\"F32\"", "[1]", "[8,4]"), 8, "is no range" },
	{ ONE("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]"), 0, "is no range" },
	{ ONE("\"F32\"", "[1]", "[0,8]"), 8, "span 8 bytes, its shape needs 4" },
	{ ONE("\"F32\"", "[1]", "[4,8]"), 8, "overlap or leave a hole" },
	{ "{" A_3x4 ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[47,48]}}", 48,
	  "tensor 'b' begins at" },
	{ ONE("\"U8\"", "[4]", "[0,4]"), 5, "was appended to" },
	{ ONE("\"U8\"", "[4]", "[0,4]"), 3, "was cut short" },
	{ "{\"\\u001b[31m\":1}", 0, "tensor '?[31m' is" },
};

static void test_parse_refuses(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct aif_safetensors *st;
		struct aif_why why;
		size_t len;
		char *file = make_file(refused[i].header, refused[i].bytes, &len);

		assert_int_equal(aif_safetensors_parse(file, len, &st, &why), -EBADMSG);
		if (!strstr(why.text, refused[i].says))
			fail_msg("%s: '%s' does not say '%s'", refused[i].header, why.text,
				 refused[i].says);
		assert_int_equal(aif_safetensors_parse(file, len, &st, NULL), -EBADMSG);
	}
}

static void test_parse_refuses_header_length(void **state)
{
	static const uint64_t lengths[] = { 3, AIF_ST_HEADER_MAX + 1ull, 1ull << 32, INT64_MAX,
					    UINT64_MAX - 7, UINT64_MAX };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct aif_safetensors *st;
		struct aif_why why;
		size_t len;
		char *file = make_file("{}", 0, &len);

		memcpy(file, &lengths[i], sizeof(lengths[i]));
		assert_int_equal(aif_safetensors_parse(file, len, &st, &why), -EBADMSG);
	}
}

/* Nesting is the attack on a parser that calls itself. */
static void test_parse_deep_nesting(void **state)
{
	size_t n = AREA / 2, len;
	char *header = malloc(n + 1);
	struct aif_safetensors *st;
	struct aif_why why;
	char *file;

	memset(header, '[', n);
	memcpy(header, "{\"a\":", 5);
	header[n] = '\0';
	file = make_file(header, 0, &len);
	free(header);
	assert_int_equal(aif_safetensors_parse(file, len, &st, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "not JSON: maximum parsing depth"));
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void test_open(void **state)
{
	char path[] = "/tmp/aif-safetensors-XXXXXX";
	struct aif_safetensors *st;
	struct aif_why why;
	char says[100];
	size_t len, mapped;
	char *file = make_file("{" A_3x4 "}", 48, &len);
	const char *data;

	close(mkstemp(path));
	write_file(path, file, len);
	assert_int_equal(aif_safetensors_open(path, &st, &why), 0);
	data = aif_safetensors_data(st, &mapped);
	assert_int_equal(mapped, len);
	assert_int_equal(data[aif_safetensors_find(st, "a")->offset], 7);
	aif_safetensors_close(st);

	write_file(path, file, len - 1);
	assert_int_equal(aif_safetensors_open(path, &st, &why), -EBADMSG);
	assert_non_null(strstr(why.text, path));
	snprintf(says, sizeof(says), "describes %zu bytes, the file has %zu", len, len - 1);
	assert_non_null(strstr(why.text, says));
	write_file(path, "", 0);
	assert_int_equal(aif_safetensors_open(path, &st, &why), -EBADMSG);
	assert_non_null(strstr(why.text, "the file is empty"));
	unlink(path);
	assert_int_equal(aif_safetensors_open(path, &st, &why), -ENOENT);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(aif_safetensors_open("/tmp", &st, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_valid),
		cmocka_unit_test(test_parse_cut_anywhere),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_refuses_header_length),
		cmocka_unit_test(test_parse_deep_nesting),
		cmocka_unit_test(test_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up_area, NULL);
}
