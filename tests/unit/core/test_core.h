/* SPDX-License-Identifier: MIT */
/* What the parts of test_core share: their lists of tests, numbers, pokes. */
#ifndef TEST_CORE_H
#define TEST_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "aif_core.h"

#include <cmocka.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* Each test_<part>.c gives its tests, ended by a NULL name. */
extern const struct CMUnitTest req_tests[], desc_tests[], service_tests[], heap_tests[];
extern const struct CMUnitTest sched_tests[], thread_tests[];

/* xorshift64: the same numbers everywhere. */
static inline u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A value to be put into a structure before it is checked. */
struct poke {
	u32 offset;
	u32 size;
	u64 value;
};

#define POKE(type, field, v) \
	{ offsetof(struct type, field), sizeof(((struct type *)0)->field), (u64)(v) }

/* Little-endian hosts only, as is this project's. */
static inline void poke_all(void *object, const struct poke *pokes, u32 count)
{
	for (u32 i = 0; i < count; i++)
		memcpy((char *)object + pokes[i].offset, &pokes[i].value, pokes[i].size);
}

#endif
