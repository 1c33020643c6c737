/* SPDX-License-Identifier: MIT */
/* What is claimed of the scheduler, and what would break each claim. */
#ifndef SIM_PROPERTY_H
#define SIM_PROPERTY_H

#include "watch.h"

#define MUTANTS_MAX	4

/* A scheduler with one thing wrong. */
struct mutant {
	const char *name;
	void (*apply)(struct policy *p);
};

struct property {
	const char *name;
	u32 what;	/* WATCH_* */
	u64 run;
	/* Tenants, services, sources, drawn from the world's random numbers. */
	void (*build)(struct world *w);
	/* What is to be seen at the end; NULL: nothing more. */
	void (*finish)(struct world *w);
	struct mutant mutants[MUTANTS_MAX];	/* each must be noticed */
};

extern const struct property properties[];
extern const u32 property_count;

#endif
