/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the core's tests share.  They are written for KUnit and know nothing
 * else: in user space tests/unit/core/kunit/test.h stands for it, so that the
 * very same rows run in the module and under the sanitizers.
 */
#ifndef AIF_TEST_H
#define AIF_TEST_H

#include <kunit/test.h>

#include "aif_core.h"

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
