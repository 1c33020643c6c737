// SPDX-License-Identifier: MIT
#include "tests/bench/kernels/ceiling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend/cpu/cpu.h"
#include "runtime/backend/cpu/team.h"
#include "tests/bench/kernels/peak.h"

#define RUNS 9
#define STEPS 1000000
/* Threads that wake together may share a processor until the system spreads them. */
#define WARM_SECONDS 0.1

static const struct peak {
	const char *isa;
	aif_task_fn *fn;
	const size_t *flops;
} peaks[] = {
#if defined(__x86_64__)
	{ "avx512", aif_peak_avx512, &aif_peak_flops_avx512 },
	{ "avx2", aif_peak_avx2, &aif_peak_flops_avx2 },
#endif
	{ "portable", aif_peak_portable, &aif_peak_flops_portable },
};

struct aif_ceiling {
	const struct peak *peak;
	struct aif_team *team;
};

int aif_ceiling_create(struct aif_dev *dev, struct aif_ceiling **ceiling)
{
	struct aif_ceiling *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(peaks) / sizeof(peaks[0]); i++) {
		if (!strcmp(peaks[i].isa, dev->host->name))
			c->peak = &peaks[i];
	}
	err = aif_team_create(dev->threads, 0, &c->team);
	if (err) {
		free(c);
		return err;
	}
	*ceiling = c;
	return 0;
}

void aif_ceiling_free(struct aif_ceiling *c)
{
	if (!c)
		return;
	aif_team_free(c->team);
	free(c);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double run_once(struct aif_ceiling *c)
{
	const size_t steps = STEPS;
	double start = seconds();

	c->team->run(c->team, c->team->threads, c->peak->fn, &steps);
	return seconds() - start;
}

double aif_ceiling_gflops(struct aif_ceiling *c)
{
	double times[RUNS], end = seconds() + WARM_SECONDS;

	while (seconds() < end)
		run_once(c);
	for (int i = 0; i < RUNS; i++)
		times[i] = run_once(c);
	qsort(times, RUNS, sizeof(*times), by_value);
	return (double)*c->peak->flops * STEPS * c->team->threads / times[RUNS / 2] * 1e-9;
}
