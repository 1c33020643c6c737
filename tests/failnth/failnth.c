// SPDX-License-Identifier: MIT
/*
 * Each operation of the module: once as it is, then with its 1st, 2nd, 3rd, ...
 * allocation or user copy failing, until there is none left to fail.  After
 * each failure the error must be one that says so, the module's state as
 * before, and the same operation must succeed; at a row's end nothing may be
 * left of it, not even a page.
 *
 * usage: failnth [-p] [-r] [-v] [ROW...]
 *	-p	look for lost pages after each row, not only after all: slow, but says
 *		which row lost them
 *	-r	a kernel that cannot inject faults is a failure (else a skip: each
 *		operation runs once)
 *	-v	say each fault here, and its stack in the kernel's log
 *	ROW	only rows whose name begins so
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../uapi/cgroup.h"
#include "inject.h"
#include "rows.h"

#define GROUP		"failnth"
#define FAULTS_MAX	500	/* of one operation: more is a loop */
#define PASSES_MAX	4

static bool can_inject, each_page, verbose;
static long pages_before;
static char **wanted;
static unsigned int number, failures, all_faults;

/* What one pass over a row's faults came to. */
struct tally {
	unsigned int faults;		/* injected */
	unsigned int errors;		/* ... that made the operation fail */
};

struct sweep {
	const struct row *row;
	struct world *w;
	struct state base, before;	/* without the row; as its setup left it */
	unsigned int n;			/* the fault to inject, 0 for none */
	struct tally tally;		/* of the pass that met the most */
	unsigned int met[PASSES_MAX];	/* faults of each pass */
	unsigned int passes;
};

static int complain(const struct sweep *s, const char *what, int err)
{
	printf("# %s: fault %u: %s (%s)\n", s->row->name, s->n, what, strerror(-err));
	return -1;
}

static bool allowed(const struct row *row, int err)
{
	if (row->flags & ROW_RETRIES)
		return false;
	return err == -ENOMEM || err == -EFAULT || (err == -EAGAIN && row->flags & ROW_EAGAIN);
}

static int set_up(struct sweep *s)
{
	int err;

	s->w->with = s->row->with;
	s->w->result = -ECANCELED;
	err = s->row->setup ? s->row->setup(s->w) : 0;
	if (err)
		return complain(s, "setup", err);
	state_take(s->w, &s->before);
	return 0;
}

static int tear_down(struct sweep *s)
{
	if (s->row->teardown)
		s->row->teardown(s->w);
	world_quiesce(s->w);
	if (state_becomes(s->w, &s->base, false))
		return complain(s, "the state is not what it was before the attempt", -ETIME);
	return 0;
}

/* Run it.  Did the fault happen? */
static bool run(struct sweep *s)
{
	struct world *w = s->w;
	bool hit = false;

	if (s->n)
		inject_arm(s->n);
	w->result = s->row->run(w);
	if (s->n)
		hit = inject_disarm();
	if (verbose)
		printf("# %s: fault %u: %s, %d\n", s->row->name, s->n, hit ? "hit" : "none",
		       w->result);
	all_faults += hit;
	return hit;
}

/* It failed: nothing may have changed, and nothing stand in the way. */
static int after_error(struct sweep *s)
{
	struct world *w = s->w;

	world_settle(w);
	if (state_becomes(w, &s->before, true))
		return complain(s, "it failed, and the state is another", w->result);
	if (s->row->vary)
		s->row->vary(w);
	w->result = s->row->run(w);
	return w->result < 0 ? complain(s, "run again, without a fault", w->result) : 0;
}

static int examine(struct sweep *s, bool hit)
{
	int result = s->w->result;

	if (result >= 0)
		return 0;
	if (!hit || !allowed(s->row, result))
		return complain(s, "it failed", result);
	/* Then only teardown and the next attempt can tell. */
	if (result == -EFAULT && s->row->flags & ROW_LATE)
		return 0;
	return after_error(s);
}

/* 1: there was an n-th fault; 0: there was none; -1: something is wrong. */
static int attempt(struct sweep *s, struct tally *t)
{
	int err = set_up(s);
	bool hit = false;

	if (!err) {
		hit = run(s);
		t->faults += hit;
		t->errors += hit && s->w->result < 0;
		err = examine(s, hit);
	}
	if (tear_down(s))
		err = -1;
	return err ? -1 : hit;
}

static int pass(struct sweep *s)
{
	struct tally t = { 0 };
	int hit = 1;

	for (s->n = 1; hit > 0; s->n++) {
		if (s->n > FAULTS_MAX)
			return complain(s, "and there are still faults to inject", -ELOOP);
		hit = attempt(s, &t);
	}
	if (t.errors > s->tally.errors)
		s->tally.errors = t.errors;
	if (t.faults > s->tally.faults)
		s->tally.faults = t.faults;
	s->met[s->passes++] = t.faults;
	return hit;
}

/* Did two passes meet the same number of faults, @most or fewer? */
static bool agreed(const struct sweep *s, unsigned int most)
{
	unsigned int i, j;

	for (i = 1; i < s->passes; i++)
		for (j = 0; j < i; j++)
			if (s->met[i] == s->met[j] && s->met[i] <= most)
				return true;
	return false;
}

/* Was there to inject what the row claims? */
static bool as_claimed(const struct sweep *s)
{
	const struct row *row = s->row;

	return s->tally.errors >= row->least && (!row->most || agreed(s, row->most)) &&
	       (s->tally.faults || row->flags & ROW_NOTHING);
}

static int judge(const struct sweep *s)
{
	const struct row *row = s->row;
	unsigned int i;

	printf("# %s: %u faults, %u errors\n", row->name, s->tally.faults, s->tally.errors);
	if (as_claimed(s))
		return 0;
	printf("# %s: expected at least %u errors%s", row->name, row->least,
	       row->flags & ROW_NOTHING ? "" : ", some faults");
	if (row->most)
		printf(", at most %u and as many in two passes", row->most);
	printf("; the passes met");
	for (i = 0; i < s->passes; i++)
		printf(" %u", s->met[i]);
	printf("\n");
	return -1;
}

/*
 * Once without a fault, then with each.  What the kernel's own caches and
 * checkers allocate now and then adds a fault to a pass, or hides one: a pass
 * that is not as the row claims is no proof yet, and one that meets few faults
 * proves nothing before another meets as many.
 */
static int sweep(struct sweep *s, unsigned int passes)
{
	struct tally none = { 0 };
	int err = attempt(s, &none);
	unsigned int i;

	if (!can_inject)
		return err;
	for (i = 0; !err && (i < passes || (i < PASSES_MAX && !as_claimed(s))); i++)
		err = pass(s);
	return err ? err : judge(s);
}

/* In a world of its own, of which nothing is left. */
static int run_row(const struct row *row, unsigned int ring_flags, unsigned int passes)
{
	static struct world w;
	struct sweep s = { .row = row, .w = &w };
	int err = world_open(&w, ring_flags);

	if (err) {
		complain(&s, "opening the world", err);
		return -1;
	}
	world_quiesce(&w);
	state_take(&w, &s.base);
	err = sweep(&s, passes);
	world_close(&w);
	if (raw_all_gone())
		err = -1;
	if (each_page && state_pages_become(pages_before))
		err = -1;
	return err;
}

static bool is_wanted(const char *name)
{
	char **w;

	for (w = wanted; *w; w++)
		if (!strncmp(name, *w, strlen(*w)))
			return true;
	return !*wanted;
}

/* Outside the group: a pipe's pages are charged to whoever writes. */
static void flush(void)
{
	if (cgroup_enter(""))
		abort();
	fflush(stdout);
	if (cgroup_enter(GROUP))
		abort();
}

static void result(bool good, const char *name, const char *suffix)
{
	printf("%s %u - %s%s\n", good ? "ok" : "not ok", ++number, name, suffix);
	failures += !good;
	flush();
}

/*
 * What the allocators need for themselves now and then (a new slab, room for a
 * stack trace) is counted too, shifts the others and hides one: all is done
 * twice, by a second pass or in another kind of ring.
 */
static const struct section {
	const struct row *rows;
	const size_t *count;
	const char *suffix;
	unsigned int ring_flags;
	unsigned int passes;
} sections[] = {
	{ ioctl_rows, &ioctl_row_count, "", 0, 2 },
	{ file_rows, &file_row_count, "", 0, 2 },
	{ ring_rows, &ring_row_count, ", a plain ring", 0, 1 },
	{ ring_rows, &ring_row_count, ", task work deferred",
	  IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER, 1 },
};

static void run_section(const struct section *s)
{
	const struct row *row;

	for (row = s->rows; row < s->rows + *s->count; row++)
		if (is_wanted(row->name))
			result(!run_row(row, s->ring_flags, s->passes), row->name, s->suffix);
}

/* The group that the pages of this process's files are charged to. */
static int prepare(void)
{
	int err = cgroup_make(GROUP);

	if (!err)
		err = cgroup_enter(GROUP);
	if (!err && state_pages() < 0)
		err = (int)state_pages();
	if (err)
		printf("# a group of its own, and /proc/kpagecgroup: %s\n", strerror(-err));
	else if (mlockall(MCL_CURRENT))	/* its own page faults shall not count */
		err = -errno;
	return err;
}

int main(int argc, char **argv)
{
	bool required = false;
	int option, err;
	size_t i;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while ((option = getopt(argc, argv, "prv")) > 0) {
		each_page |= option == 'p';
		required |= option == 'r';
		verbose |= option == 'v';
	}
	wanted = argv + optind;
	if (prepare())
		return 1;
	err = inject_init(verbose);
	can_inject = !err;
	pages_before = state_pages();
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		run_section(&sections[i]);
	if (!number)
		result(false, "no row begins with what was asked for", "");
	result(!state_pages_become(pages_before), "no page is lost", "");
	if (can_inject)
		printf("# %u faults injected\n", all_faults);
	else if (required)
		result(false, "this kernel injects faults: ", strerror(-err));
	else
		result(true, "faults # SKIP this kernel cannot inject them: ", strerror(-err));
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
