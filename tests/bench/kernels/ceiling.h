/* SPDX-License-Identifier: MIT */
/* ceiling.h - the multiply-add ceiling of a CPU device, on as many threads as it has */
#ifndef AIF_BENCH_CEILING_H
#define AIF_BENCH_CEILING_H

#include "runtime/backend/backend.h"

struct aif_ceiling;

/* @dev: of the cpu backend; must outlive the ceiling.  -ENOMEM. */
int aif_ceiling_create(struct aif_dev *dev, struct aif_ceiling **ceiling);
void aif_ceiling_free(struct aif_ceiling *ceiling);

/* Median of some runs, after some that only warm up; about 0.12 s in all. */
double aif_ceiling_gflops(struct aif_ceiling *ceiling);

#endif
