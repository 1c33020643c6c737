// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/count.h"

void give_up(int err, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(-err));
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(values[0]), by_value);
	return values[count / 2];
}

void print(const char *name, double ns)
{
	printf("%-52s %9.0f\n", name, ns);
	fflush(stdout);
}

void judge(const char *name, double ns, double peer, double bound)
{
	printf("%-52s %9.0f  %.3f of %.0f, bound %.2f: %s\n", name, ns, ns / peer, peer, bound,
	       ns <= peer * bound ? "held" : "missed");
	fflush(stdout);
}

void judge_absolute(const char *name, double ns, double bound)
{
	printf("%-52s %9.0f  bound %.0f: %s\n", name, ns, bound, ns <= bound ? "held" : "missed");
	fflush(stdout);
}
