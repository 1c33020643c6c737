/* SPDX-License-Identifier: MIT */
/*
 * selftest.h - the cases of `aif selftest`: each operator on numbers that are the same for
 * whoever computes
 *
 * What is done is what a model does: through the backend, vectors and token ids in the host's
 * memory, where clients have theirs.  One thread.
 */
#ifndef AIF_TOOLS_SELFTEST_H
#define AIF_TOOLS_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/backend/backend.h"

#define SELFTEST_RESULT_MAX (1500 * 1536)	/* floats of a case's result, at most */
#define SELFTEST_MEMS_MAX 16

/*
 * One who computes.
 *
 * @round: what all numbers that are stored, and weights, are rounded to first
 * @mems, @hosts, @weight, @count, @seed, @err: of the case under way
 */
struct selftest_side {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_stream *stream;
	float (*round)(float);
	struct aif_mem *mems[SELFTEST_MEMS_MAX];
	void *hosts[SELFTEST_MEMS_MAX];
	struct aif_weight *weight;
	size_t count;
	uint64_t seed;
	int err;
};

struct selftest_case;

/* @rounds_twice: what it sums is rounded to the precision on the way, attention's weights */
struct selftest_operator {
	const char *name;
	void (*run)(struct selftest_side *s, const struct selftest_case *z, float *result);
	const struct selftest_case *cases;
	size_t count;
	bool rounds_twice;
};

/* Up to a NULL name. */
extern const struct selftest_operator selftest_operators[];

/* 0 or -errno; selftest_close() after either. */
int selftest_open(struct selftest_side *s, const struct aif_backend *be,
		  const struct aif_dev_opts *opts, float (*round)(float));
void selftest_close(struct selftest_side *s);

/*
 * Case @i of @o: @count floats into @result, which has room for SELFTEST_RESULT_MAX.  0 or -errno,
 * with @result as it was in part.
 */
int selftest_run(struct selftest_side *s, const struct selftest_operator *o, size_t i, float *result,
		 size_t *count);

#endif
