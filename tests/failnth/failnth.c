// SPDX-License-Identifier: MIT
/*
 * Each operation of the module: once as it is, then with its 1st, 2nd, 3rd, ...
 * allocation or user copy failing, until there is none left to fail.  After
 * each failure the error must be one that says so, the module's state as
 * before, and the same operation must succeed; at a row's end nothing may be
 * left of it, not even a page.
 *
 * usage: failnth [-r] [-v] [ROW...]
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

static bool can_inject, verbose;
static char **wanted;
static unsigned int number, failures, all_faults;

struct sweep {
	const struct row *row;
	struct world *w;
	struct state base, before;
	unsigned int n;
	unsigned int faults;		/* injected */
	unsigned int errors;		/* ... that made the operation fail */
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
	struct world *w = s->w;
	int err;

	w->with = s->row->with;
	err = s->row->setup ? s->row->setup(w) : 0;
	if (err)
		return complain(s, "setup", err);
	state_take(w, &s->before);
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

static int run_again(struct sweep *s)
{
	struct world *w = s->w;

	if (s->row->vary)
		s->row->vary(w);
	w->result = s->row->run(w);
	return w->result < 0 ? complain(s, "run again, without a fault", w->result) : 0;
}

/* It failed: nothing may have changed, and nothing stand in the way. */
static int after_error(struct sweep *s)
{
	world_settle(s->w);
	if (state_becomes(s->w, &s->before, true))
		return complain(s, "it failed, and the state is another", s->w->result);
	return run_again(s);
}

/*
 * An attempt with its n-th fault, 0 for none.  1: the fault was there; 0: there
 * were less; -1: something is wrong.
 */
static int attempt(struct sweep *s)
{
	const struct row *row = s->row;
	struct world *w = s->w;
	bool hit = false, late;

	if (set_up(s))
		return -1;
	if (s->n)
		inject_arm(s->n);
	w->result = row->run(w);
	if (s->n)
		hit = inject_disarm();
	if (verbose)
		printf("# %s: fault %u: %s, %d\n", row->name, s->n, hit ? "hit" : "none",
		       w->result);
	if (w->result < 0 && !(hit && allowed(row, w->result)))
		return complain(s, "it failed", w->result);
	s->faults += hit;
	s->errors += w->result < 0;
	late = w->result == -EFAULT && row->flags & ROW_LATE;
	if (w->result < 0 && !late && after_error(s))
		return -1;
	return tear_down(s) ? -1 : hit;
}

/* Once without a fault, with each, and once more without. */
static int sweep(struct sweep *s)
{
	int hit = attempt(s);

	for (s->n = 1; can_inject && hit >= 0 && s->n <= FAULTS_MAX; s->n++) {
		hit = attempt(s);
		if (hit == 0)
			break;
	}
	if (hit > 0)
		return complain(s, "and still faults to inject", -ELOOP);
	s->n = 0;
	return hit < 0 ? -1 : attempt(s);
}

/* Did the sweep do what the row claims there is to do? */
static int judge(const struct sweep *s)
{
	const struct row *row = s->row;

	if (!can_inject)
		return 0;
	printf("# %s: %u faults, %u errors\n", row->name, s->faults, s->errors);
	all_faults += s->faults;
	if (!s->faults && !(row->flags & ROW_NOTHING)) {
		printf("# %s: no fault was injected\n", row->name);
		return -1;
	}
	if (s->errors < row->least || (row->most && s->faults > row->most)) {
		printf("# %s: not at least %u errors and at most %u faults\n", row->name,
		       row->least, row->most);
		return -1;
	}
	return 0;
}

/* In a world of its own, of which nothing is left. */
static int run_row(const struct row *row, unsigned int ring_flags)
{
	static struct world w;
	struct sweep s = { .row = row, .w = &w };
	long pages = state_pages();
	int err = world_open(&w, ring_flags);

	if (err) {
		complain(&s, "opening the world", err);
		return -1;
	}
	world_quiesce(&w);
	state_take(&w, &s.base);
	err = sweep(&s);
	world_close(&w);
	if (raw_all_gone())
		err = -1;
	if (state_pages_become(pages))
		err = -1;
	return judge(&s) ? -1 : err;
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

static void run_rows(const struct row *rows, size_t n, unsigned int ring_flags,
		     const char *suffix)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (is_wanted(rows[i].name))
			result(!run_row(&rows[i], ring_flags), rows[i].name, suffix);
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

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	while ((option = getopt(argc, argv, "rv")) > 0) {
		required |= option == 'r';
		verbose |= option == 'v';
	}
	wanted = argv + optind;
	if (prepare())
		return 1;
	err = inject_init(verbose);
	can_inject = !err;
	run_rows(ioctl_rows, ioctl_row_count, 0, "");
	run_rows(file_rows, file_row_count, 0, "");
	run_rows(ring_rows, ring_row_count, 0, ", a plain ring");
	run_rows(ring_rows, ring_row_count,
		 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER, ", task work deferred");
	if (can_inject)
		printf("# %u faults injected\n", all_faults);
	else if (required)
		result(false, "this kernel injects faults: ", strerror(-err));
	else
		result(true, "faults # SKIP this kernel cannot inject them: ", strerror(-err));
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
