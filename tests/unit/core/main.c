// SPDX-License-Identifier: MIT
/* The policy core's tests, in one program so that every sanitizer gets all. */
#include <kunit/test.h>

#include <cmocka.h>

#define TESTS_MAX	512

/* What a test allocated, aligned as malloc() would. */
struct piece {
	struct piece *next;
	_Alignas(16) char bytes[];
};

/* One run of a case: what cmocka is given. */
struct run {
	struct kunit_case *kase;
	struct kunit test;
	char *name;
};

static struct kunit_suite *suites;
static struct run runs[TESTS_MAX];
static struct CMUnitTest tests[TESTS_MAX];
static size_t count;

void kunit_register(struct kunit_suite *suite)
{
	suite->next = suites;
	suites = suite;
}

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	struct piece *p = calloc(1, sizeof(*p) + size);

	if (!p)
		abort();
	p->next = test->memory;
	test->memory = p;
	return p->bytes;
}

void kunit_kfree(struct kunit *test, const void *memory)
{
	struct piece **p = (struct piece **)&test->memory;
	struct piece *found;

	while ((*p)->bytes != memory)
		p = &(*p)->next;
	found = *p;
	*p = found->next;
	free(found);
}

void kunit_failed(struct kunit *test, bool abort, const char *file, int line,
		  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_error("# %s:%d: failed: ", file, line);
	vprint_error(format, args);
	print_error("\n");
	va_end(args);
	test->failed = true;
	if (abort)
		_fail(file, line);
}

static void run_one(void **state)
{
	struct run *r = *state;

	r->kase->run_case(&r->test);
	if (r->test.failed)
		fail();
}

static int free_memory(void **state)
{
	struct run *r = *state;

	while (r->test.memory)
		kunit_kfree(&r->test, ((struct piece *)r->test.memory)->bytes);
	return 0;
}

static void add(struct kunit_suite *suite, struct kunit_case *kase, const void *param,
		const char *desc)
{
	struct run *r = &runs[count];

	if (count == TESTS_MAX) {
		fprintf(stderr, "more than %d tests: TESTS_MAX is too small\n", TESTS_MAX);
		exit(2);
	}
	r->kase = kase;
	r->test.param_value = param;
	if (asprintf(&r->name, "%s: %s%s%s", suite->name, kase->name, param ? ": " : "", desc) < 0)
		abort();
	tests[count++] = (struct CMUnitTest){ r->name, run_one, NULL, free_memory, r };
}

static void add_suite(struct kunit_suite *suite)
{
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	struct kunit_case *kase;
	const void *param;

	for (kase = suite->test_cases; kase->run_case; kase++) {
		param = kase->generate_params ? kase->generate_params(NULL, desc) : NULL;
		do {
			add(suite, kase, param, param ? desc : "");
			param = param ? kase->generate_params(param, desc) : NULL;
		} while (param);
	}
}

int main(void)
{
	for (struct kunit_suite *suite = suites; suite; suite = suite->next)
		add_suite(suite);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("core", tests, count, NULL, NULL);
}
