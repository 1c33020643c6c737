// SPDX-License-Identifier: MIT
/* Numbers of 16 bits: every one of them, and what lies between two neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "kernels/half.h"

#define F16_INFINITY 0x7c00
#define BF16_INFINITY 0x7f80

static double f16_value(uint32_t v)
{
	int exponent = v >> 10 & 31, fraction = v & 1023;

	return exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
}

/* Infinity counts as the number that would be next: what lies halfway to it is infinite. */
static void test_f16_each_and_between(void **state)
{
	for (uint32_t v = 0; v < F16_INFINITY; v++) {
		double here = f16_value(v), next = f16_value(v + 1);
		float middle = (float)((here + next) / 2);

		assert_true(aif_from_f16(v) == here && aif_from_f16(v | 0x8000) == -here);
		assert_int_equal(aif_to_f16(here), v);
		assert_int_equal(aif_to_f16(-here), v | 0x8000);
		assert_int_equal(aif_to_f16(middle), v + v % 2);
		assert_int_equal(aif_to_f16(nextafterf(middle, 0)), v);
		assert_int_equal(aif_to_f16(nextafterf(middle, INFINITY)), v + 1);
	}
}

static void test_bf16_each_and_between(void **state)
{
	for (uint32_t v = 0; v < BF16_INFINITY; v++) {
		float middle = aif_f32_of(v << 16 | 0x8000);

		assert_int_equal(aif_to_bf16(aif_from_bf16(v)), v);
		assert_int_equal(aif_to_bf16(middle), v + v % 2);
		assert_int_equal(aif_to_bf16(aif_f32_of(v << 16 | 0x7fff)), v);
		assert_int_equal(aif_to_bf16(aif_f32_of(v << 16 | 0x8001)), v + 1);
	}
}

static void test_neither_number(void **state)
{
	assert_true(isinf(aif_from_f16(F16_INFINITY)) && isnan(aif_from_f16(F16_INFINITY + 1)));
	assert_int_equal(aif_to_f16(INFINITY), F16_INFINITY);
	assert_int_equal(aif_to_f16(-1e30f), F16_INFINITY | 0x8000);
	assert_true(isnan(aif_from_f16(aif_to_f16(NAN))));
	assert_true(isnan(aif_from_bf16(aif_to_bf16(NAN))));
	/* A NaN whose bits all lie in what is cut off. */
	assert_true(isnan(aif_from_bf16(aif_to_bf16(aif_f32_of(0x7f800001)))));
	assert_true(isnan(aif_from_f16(aif_to_f16(aif_f32_of(0xff800001)))));
	assert_true(isnan(aif_to_tf32(NAN)) && isinf(aif_to_tf32(INFINITY)));
}

static void test_tf32_ties_go_away(void **state)
{
	assert_true(aif_to_tf32(1 + 0x1p-11f) == 1 + 0x1p-10f);
	assert_true(aif_to_tf32(-1 - 0x1p-11f) == -1 - 0x1p-10f);
	assert_true(aif_to_tf32(1 + 0x1p-12f) == 1);
	assert_true(aif_to_tf32(1 + 0x1p-10f) == 1 + 0x1p-10f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_f16_each_and_between),
		cmocka_unit_test(test_bf16_each_and_between),
		cmocka_unit_test(test_neither_number),
		cmocka_unit_test(test_tf32_ties_go_away),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
