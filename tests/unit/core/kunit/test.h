/* SPDX-License-Identifier: MIT */
/*
 * As much of the kernel's <kunit/test.h> as the core's tests use, over cmocka:
 * kmod/tests/ compiles unchanged in the module and here.  Every row of a
 * parameterised case is a test of its own.  An EXPECT that fails lets its test
 * go on, an ASSERT ends it, both from the thread that main() runs in only.
 */
#ifndef KUNIT_TEST_H
#define KUNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aif_port.h"

#define KUNIT_PARAM_DESC_SIZE	128
#define GFP_KERNEL		0

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct kunit {
	const void *param_value;
	void *memory;		/* what kunit_kzalloc() gave, linked */
	bool failed;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

/* Zeroed, and freed after the test; out of memory ends the program. */
void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);
void kunit_kfree(struct kunit *test, const void *memory);

/* Says where and what; ends the test when it shall @abort. */
void kunit_failed(struct kunit *test, bool abort, const char *file, int line,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

void kunit_register(struct kunit_suite *suite);

#define kunit_test_suite(suite)						\
	static void __attribute__((constructor)) register_##suite(void)	\
	{								\
		kunit_register(&(suite));				\
	}

#define KUNIT_CASE(test)		{ .run_case = test, .name = #test }
#define KUNIT_CASE_PARAM(test, gen)	\
	{ .run_case = test, .name = #test, .generate_params = gen }

#define KUNIT_ARRAY_PARAM_DESC(of, array, member)			\
	static const void *of##_gen_params(const void *prev, char *desc)	\
	{								\
		const __typeof__((array)[0]) *row = prev;		\
									\
		row = row ? row + 1 : (array);				\
		if (row == (array) + ARRAY_SIZE(array))			\
			return NULL;					\
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", row->member);	\
		return row;						\
	}

#define __KUNIT_CHECK(test, abort, condition, ...)			\
	do {								\
		if (!(condition))					\
			kunit_failed(test, abort, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#define __KUNIT_COMPARE(test, abort, a, op, b)				\
	do {								\
		const __typeof__(a) __a = (a);				\
		const __typeof__(b) __b = (b);				\
									\
		__KUNIT_CHECK(test, abort, __a op __b, "%s (%lld) %s %s (%lld)", #a, \
			      (long long)__a, #op, #b, (long long)__b);	\
	} while (0)

#define __KUNIT_POINTERS(test, abort, a, op, b)				\
	__KUNIT_CHECK(test, abort, (const void *)(a) op (const void *)(b),	\
		      "%s %s %s", #a, #op, #b)

#define KUNIT_FAIL(test, ...)		__KUNIT_CHECK(test, false, false, __VA_ARGS__)
#define KUNIT_EXPECT_TRUE(test, c)	__KUNIT_CHECK(test, false, c, "%s", #c)
#define KUNIT_EXPECT_FALSE(test, c)	__KUNIT_CHECK(test, false, !(c), "!(%s)", #c)
#define KUNIT_EXPECT_EQ(test, a, b)	__KUNIT_COMPARE(test, false, a, ==, b)
#define KUNIT_EXPECT_GE(test, a, b)	__KUNIT_COMPARE(test, false, a, >=, b)
#define KUNIT_EXPECT_LE(test, a, b)	__KUNIT_COMPARE(test, false, a, <=, b)
#define KUNIT_EXPECT_GT(test, a, b)	__KUNIT_COMPARE(test, false, a, >, b)
#define KUNIT_EXPECT_NULL(test, p)	__KUNIT_POINTERS(test, false, p, ==, NULL)
#define KUNIT_EXPECT_PTR_EQ(test, a, b)	__KUNIT_POINTERS(test, false, a, ==, b)
#define KUNIT_EXPECT_PTR_NE(test, a, b)	__KUNIT_POINTERS(test, false, a, !=, b)
#define KUNIT_EXPECT_MEMEQ(test, a, b, n)	\
	__KUNIT_CHECK(test, false, !memcmp(a, b, n), "%s equals %s", #a, #b)

#define KUNIT_ASSERT_TRUE(test, c)	__KUNIT_CHECK(test, true, c, "%s", #c)
#define KUNIT_ASSERT_FALSE(test, c)	__KUNIT_CHECK(test, true, !(c), "!(%s)", #c)
#define KUNIT_ASSERT_EQ(test, a, b)	__KUNIT_COMPARE(test, true, a, ==, b)
#define KUNIT_ASSERT_LT(test, a, b)	__KUNIT_COMPARE(test, true, a, <, b)
#define KUNIT_ASSERT_LE(test, a, b)	__KUNIT_COMPARE(test, true, a, <=, b)
#define KUNIT_ASSERT_NOT_NULL(test, p)	__KUNIT_POINTERS(test, true, p, !=, NULL)
#define KUNIT_ASSERT_PTR_EQ(test, a, b)	__KUNIT_POINTERS(test, true, a, ==, b)

#endif
