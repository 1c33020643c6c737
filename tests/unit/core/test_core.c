// SPDX-License-Identifier: MIT
/* The policy core's tests, in one program so that every sanitizer gets all. */
#include "test_core.h"

#define TESTS_MAX	128

int main(void)
{
	const struct CMUnitTest *parts[] = {
		req_tests, desc_tests, service_tests, heap_tests, sched_tests, thread_tests,
	};
	struct CMUnitTest all[TESTS_MAX];
	size_t count = 0;

	for (u32 i = 0; i < COUNT(parts); i++) {
		for (const struct CMUnitTest *t = parts[i]; t->name; t++) {
			if (count == TESTS_MAX)
				return 2;
			all[count++] = *t;
		}
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("core", all, count, NULL, NULL);
}
