// SPDX-License-Identifier: MIT
/*
 * Every property over many seeds, and once more under each worse scheduler until
 * a seed shows it.  Prints TAP.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "property.h"

#define SEEDS	25	/* of each property; it is quick with them */

static const char usage[] =
	"usage: sim [--seeds N] [--seed FIRST] [--property N] [--figures]\n"
	"Simulate the scheduler: each property with N seeds (25), from FIRST (1) on.\n"
	"  --property N  only this one, numbered from 1, without its mutants\n"
	"  --figures     with each property, what each tenant of the last seed had\n";

static struct {
	u64 seeds, first;
	u32 only;
	bool figures;
	const char *self;
} options = { .seeds = SEEDS, .first = 1 };

static u32 results;
static bool failed;

static void result(bool good, const char *name, const char *of)
{
	printf("%s %u - %s%s%s\n", good ? "ok" : "not ok", ++results, name, of ? ": " : "",
	       of ? of : "");
	fflush(stdout);
	failed |= !good;
}

static void show(const struct world *w)
{
	for (u32 i = 0; i < w->source_count; i++) {
		const struct source *s = &w->sources[i];

		printf("#  tenant %u weight %u class %u: offered %llu served %llu refused %llu expired %llu, %.4f of the time\n",
		       s->tenant, w->tenants[s->tenant].clocks[s->class].weight, s->class,
		       (unsigned long long)s->offered, (unsigned long long)s->served,
		       (unsigned long long)s->refused, (unsigned long long)s->expired,
		       (double)w->tenants[s->tenant].had[s->class] / (double)w->now);
	}
}

/* Did it hold?  The nearest to a bound so far is kept in @worst. */
static bool run(const struct property *p, const struct policy *policy, u64 seed, double *worst,
		bool tell)
{
	struct world *w = world_new(seed, policy, 1);
	struct watch watch;
	bool good;

	watch_start(&watch, w, p->what);
	p->build(w);
	world_run(w, p->run);
	watch_finish(&watch, w);
	if (p->finish && !w->failure[0])
		p->finish(w);
	good = !w->failure[0];
	if (!good && tell)
		printf("# seed %llu: %s\n", (unsigned long long)seed, w->failure);
	if (options.figures && tell && (!good || seed == options.first + options.seeds - 1))
		show(w);
	*worst = watch.worst > *worst ? watch.worst : *worst;
	world_free(w);
	return good;
}

static void hold(const struct property *p)
{
	double worst = 0;
	u64 seed = options.first, end = seed + options.seeds;

	while (seed < end && run(p, &core_policy, seed, &worst, true))
		seed++;
	if (seed < end)
		printf("# again: %s --property %u --seed %llu --seeds 1 --figures\n", options.self,
		       (u32)(p - properties) + 1, (unsigned long long)seed);
	else
		printf("# %llu seeds, nearest to a bound: %.3f of it\n",
		       (unsigned long long)options.seeds, worst);
	result(seed == end, p->name, NULL);
}

static void notice(const struct property *p, const struct mutant *m)
{
	struct policy policy = core_policy;
	u64 seed = options.first, end = seed + options.seeds;
	double worst = 0;

	m->apply(&policy);
	while (seed < end && run(p, &policy, seed, &worst, false))
		seed++;
	if (seed == end)
		printf("# not noticed in %llu seeds, nearest to a bound: %.3f of it\n",
		       (unsigned long long)options.seeds, worst);
	else
		printf("# noticed with seed %llu\n", (unsigned long long)seed);
	result(seed < end, p->name, m->name);
}

static u64 number(const char *text, u64 max)
{
	char *end;
	u64 n = strtoull(text, &end, 10);

	if (*end || *text < '0' || *text > '9' || !n || n > max) {
		fprintf(stderr, "sim: '%s' is not a number from 1 to %llu\n%s", text,
			(unsigned long long)max, usage);
		exit(2);
	}
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct option list[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "property", required_argument, NULL, 'p' },
		{ "figures", no_argument, NULL, 'f' },
		{}
	};
	int c;

	options.self = argv[0];
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (c) {
		case 'n':
			options.seeds = number(optarg, 1u << 30);
			break;
		case 's':
			options.first = number(optarg, 1ull << 62);
			break;
		case 'p':
			options.only = (u32)number(optarg, property_count);
			break;
		case 'f':
			options.figures = true;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	for (u32 i = 0; i < property_count; i++) {
		if (options.only && options.only != i + 1)
			continue;
		hold(&properties[i]);
		for (u32 m = 0; !options.only && m < MUTANTS_MAX; m++) {
			if (properties[i].mutants[m].name)
				notice(&properties[i], &properties[i].mutants[m]);
		}
	}
	printf("1..%u\n", results);
	return failed;
}
