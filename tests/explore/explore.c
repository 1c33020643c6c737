// SPDX-License-Identifier: MIT
/*
 * Breadth first through every state of a scope: each step that can happen is
 * taken from each state, each rule is looked at after each step, and the first
 * state that breaks one is reached by a shortest way.  What cooperating actors
 * do is remembered as edges, so that afterwards one walk backwards from where
 * all is answered tells whether everybody gets there.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "world.h"

#define KINDS_MAX	80
#define ARGS		3	/* tags or executors in a step's number */

struct world w;
struct scope scope;
enum rule violated = RULE_COUNT;
enum rule broken_rule = RULE_COUNT;

static const struct scope scopes[] = {
	/* name, size, tags, executors, slots, services, tokens, queue places */
	{ "death", USUAL, 2, 2, 2, 1, 1, 2,
	  WITH_DEATH | WITH_PINS | WITH_PROGRESS | WITH_RESTART | WITH_CANCEL,
	  "two executors that die at any time, pin, publish progress" },
	{ "wait", USUAL, 2, 2, 2, 1, 1, 2, WITH_DEATH | WITH_PARK | WITH_CANCEL | WITH_OVERRUN,
	  "two executors that wait, are interrupted, die, are too slow" },
	{ "tokens", SMALL, 2, 3, 2, 1, 2, 2, WITH_PARK | WITH_CANCEL,
	  "three executors with two tokens wait and are interrupted" },
	{ "share", USUAL, 2, 2, 1, 2, 1, 2, WITH_PARK | WITH_CANCEL | WITH_OVERRUN,
	  "two services of two tenants share one token" },
	{ "time", SMALL, 2, 1, 2, 1, 1, 1, WITH_DEADLINE | WITH_CANCEL | WITH_QUIET | WITH_DEATH,
	  "deadlines, sleepers in WAIT_QUIET, deaths, a queue of one place" },
	{ "revoke", USUAL, 2, 2, 1, 1, 1, 2, WITH_REVOKE | WITH_DEATH | WITH_PINS,
	  "revocation and granting again, pins, deaths" },
	{ "end", SMALL, 2, 1, 2, 1, 1, 2, WITH_END | WITH_CLOSE | WITH_DEATH | WITH_PARK,
	  "drain, the service's end, the client's end" },
	{ "one", USUAL, 1, 2, 1, 1, 1, 1,
	  WITH_REVOKE | WITH_CANCEL | WITH_DEADLINE | WITH_DEATH,
	  "one tag, two executors, revocation, cancel, deadline" },
	{ "all", USUAL, 1, 1, 1, 1, 1, 1, WITH_ALL, "all of it at once, one tag, one executor" },
	{ "tokens-deaths", LARGE, 2, 3, 2, 1, 2, 2, WITH_DEATH | WITH_PARK,
	  "three executors with two tokens wait and die" },
	{ "share-deaths", LARGE, 2, 2, 1, 2, 1, 2,
	  WITH_DEATH | WITH_PARK | WITH_CANCEL | WITH_OVERRUN,
	  "two services share one token, executors die" },
	{ "time-both", LARGE, 2, 2, 2, 1, 1, 1,
	  WITH_DEADLINE | WITH_CANCEL | WITH_QUIET | WITH_DEATH, "time, with two executors" },
	{ "end-both", LARGE, 2, 2, 1, 1, 1, 2, WITH_END | WITH_CLOSE | WITH_DEATH | WITH_PARK,
	  "end, with two executors" },
	{ }
};

/* ---- what was found ---- */

struct node {
	struct state state;
	u32 parent;
	u16 step;
};

struct found {
	struct node *nodes;
	u32 count, capacity;
	u32 *table, mask;		/* index + 1, open addressing */
	u32 (*edges)[2];		/* cooperating steps: from, to */
	size_t edge_count, edge_capacity;
	u64 transitions;
	u32 depth;
	double seconds;
	enum rule rule;			/* broken by @step from node @at */
	u32 at;
	u16 step;
};

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "explore: out of memory; a smaller --scope?\n");
		exit(2);
	}
	return p;
}

static u32 hash(const struct state *s)
{
	u64 h = 0;
	u32 i;

	for (i = 0; i < STATE_WORDS; i++) {
		h = (h ^ s->words[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h >> 16;
}

static void grow(struct found *f)
{
	u32 i, at;

	f->capacity = f->capacity ? 2 * f->capacity : 1u << 16;
	f->nodes = must(realloc(f->nodes, f->capacity * sizeof(*f->nodes)));
	free(f->table);
	f->mask = 2 * f->capacity - 1;
	f->table = must(calloc(f->mask + 1ull, sizeof(*f->table)));
	for (i = 0; i < f->count; i++) {
		for (at = hash(&f->nodes[i].state) & f->mask; f->table[at]; )
			at = (at + 1) & f->mask;
		f->table[at] = i + 1;
	}
}

/* The number of @s, a new one if it was never seen. */
static u32 number_of(struct found *f, const struct state *s, u32 parent, u16 step)
{
	u32 at;

	if (f->count == f->capacity)
		grow(f);
	for (at = hash(s) & f->mask; f->table[at]; at = (at + 1) & f->mask)
		if (!memcmp(&f->nodes[f->table[at] - 1].state, s, sizeof(*s)))
			return f->table[at] - 1;
	f->nodes[f->count] = (struct node) { .state = *s, .parent = parent, .step = step };
	f->table[at] = ++f->count;
	return f->count - 1;
}

static void add_edge(struct found *f, u32 from, u32 to)
{
	if (from == to)
		return;
	if (f->edge_count == f->edge_capacity) {
		f->edge_capacity = f->edge_capacity ? 2 * f->edge_capacity : 1 << 16;
		f->edges = must(realloc(f->edges, f->edge_capacity * sizeof(*f->edges)));
	}
	f->edges[f->edge_count][0] = from;
	f->edges[f->edge_count++][1] = to;
}

static void found_free(struct found *f)
{
	free(f->nodes);
	free(f->table);
	free(f->edges);
}

/* ---- steps ---- */

static const struct kind *kinds[KINDS_MAX];
static u32 kind_count;
static bool *taken_of[KINDS_MAX];	/* into taken_kinds */
static bool taken_kinds[3][KINDS_MAX];

static void collect(const struct kind *all, bool *taken)
{
	const struct kind *k;

	for (k = all; k->words; k++) {
		if (k->needs && !with(k->needs))
			continue;
		taken_of[kind_count] = &taken[k - all];
		kinds[kind_count++] = k;
	}
}

static void choose_scope(const struct scope *s)
{
	scope = *s;
	kind_count = 0;
	collect(client_kinds, taken_kinds[0]);
	collect(executor_kinds, taken_kinds[1]);
	collect(recovery_kinds, taken_kinds[2]);
}

static u32 count_a(const struct kind *k)
{
	return k->domain == ONCE ? 1 : k->domain == PER_TAG ? scope.tags :
	       k->domain == PER_SERVICE ? scope.services : scope.execs;
}

static u32 count_b(const struct kind *k)
{
	return k->domain == PER_EXEC_TAG ? scope.tags : 1;
}

static bool take(u16 step)
{
	const struct kind *k = kinds[step / (ARGS * ARGS)];

	return k->run(step / ARGS % ARGS, step % ARGS, k->variant);
}

/* ---- does storing lose anything? ---- */

static bool verifying;

/* @step of a world that was numbered anew, as it is called in the one before. */
static u16 step_before(u16 step, const struct names *names)
{
	enum domain domain = kinds[step / (ARGS * ARGS)]->domain;
	u32 a = step / ARGS % ARGS, b = step % ARGS;

	if (domain == PER_TAG)
		a = names->tags[a];
	else if (domain == PER_EXEC || domain == PER_EXEC_TAG)
		a = names->execs[a];
	if (domain == PER_EXEC_TAG)
		b = names->tags[b];
	return (step / (ARGS * ARGS) * ARGS + a) * ARGS + b;
}

/* What @step leads to from @world: false and zeros if it cannot happen. */
static bool look_ahead(const struct world *world, u16 step, struct state *to)
{
	struct names names;
	bool taken;

	memset(to, 0, sizeof(*to));
	w = *world;
	taken = take(step);
	if (taken)
		world_pack(to, &names);
	violated = RULE_COUNT;		/* what it breaks is noticed when it is taken */
	return taken;
}

/*
 * The world as it stands and the one that comes out of its stored form can do
 * the same, with the same results.
 */
static void verify(void)
{
	static struct world before, after;
	struct state s, one, other;
	bool differs = false;
	struct names names;
	u32 step;

	before = w;
	world_pack(&s, &names);
	world_unpack(&s);
	after = w;
	for (step = 0; step < kind_count * ARGS * ARGS; step++) {
		if (step / ARGS % ARGS >= count_a(kinds[step / (ARGS * ARGS)]) ||
		    step % ARGS >= count_b(kinds[step / (ARGS * ARGS)]))
			continue;
		if (look_ahead(&after, step, &one) !=
		    look_ahead(&before, step_before(step, &names), &other) ||
		    memcmp(&one, &other, sizeof(one)))
			differs = true;
	}
	rule(RULE_storage, !differs);
	w = before;
}

/* ---- exploring ---- */

/*
 * From the world as it is, @base, which node @from unpacked to.  A step that
 * cannot happen leaves it as it is.  False: a rule broke.
 */
static bool take_from(struct found *f, u32 from, u16 step, const struct world *base)
{
	struct names names;
	struct state s;
	bool taken = take(step);
	u32 to;

	if (taken)
		check_world();
	if (taken && verifying && violated == RULE_COUNT)
		verify();
	if (violated != RULE_COUNT) {
		f->rule = violated;
		f->at = from;
		f->step = step;
		return false;
	}
	if (!taken)
		return true;
	f->transitions++;
	*taken_of[step / (ARGS * ARGS)] = true;
	if (!memcmp(&w, base, sizeof(w)))
		return true;
	world_pack(&s, &names);
	to = number_of(f, &s, from, step);
	if (kinds[step / (ARGS * ARGS)]->cooperates)
		add_edge(f, from, to);
	w = *base;
	return true;
}

static bool expand(struct found *f, u32 from)
{
	static struct world base;
	u32 k, a, b;

	world_unpack(&f->nodes[from].state);
	base = w;
	for (k = 0; k < kind_count; k++) {
		for (a = 0; a < count_a(kinds[k]); a++) {
			for (b = 0; b < count_b(kinds[k]); b++) {
				if (!take_from(f, from, (k * ARGS + a) * ARGS + b, &base))
					return false;
			}
		}
	}
	return true;
}

/* ---- is everything answered, some time? ---- */

static bool at_rest(const struct state *s)
{
	u32 t;

	world_unpack(s);
	for (t = 0; t < scope.tags; t++)
		if (w.requests[t].in_device)
			return false;
	return true;
}

/* Edges by where they lead: first[to] .. first[to + 1] in the result. */
static u32 *edges_into(const struct found *f, u32 *first)
{
	u32 *from = must(malloc((f->edge_count + 1) * sizeof(*from)));
	size_t i;
	u32 n;

	for (i = 0; i < f->edge_count; i++)
		first[f->edges[i][1]]++;
	for (n = 1; n < f->count; n++)
		first[n] += first[n - 1];
	for (i = f->edge_count; i--; )
		from[--first[f->edges[i][1]]] = f->edges[i][0];
	first[f->count] = f->edge_count;
	return from;
}

static void check_answerable(struct found *f)
{
	u32 *first = must(calloc(f->count + 1ull, sizeof(*first)));
	u32 *from = edges_into(f, first);
	u32 *todo = must(malloc(f->count * sizeof(*todo)));
	bool *good = must(calloc(f->count, 1));
	u32 n, i, done = 0, end = 0;

	for (n = 0; n < f->count; n++)
		if ((good[n] = at_rest(&f->nodes[n].state)))
			todo[end++] = n;
	for (; done < end; done++) {
		for (i = first[todo[done]]; i < first[todo[done] + 1]; i++) {
			if (!good[from[i]]) {
				good[from[i]] = true;
				todo[end++] = from[i];
			}
		}
	}
	for (n = 0; n < f->count && good[n]; n++)
		;
	if (n < f->count) {
		f->rule = RULE_answerable;
		f->at = f->nodes[n].parent;
		f->step = f->nodes[n].step;
	}
	free(good);
	free(todo);
	free(from);
	free(first);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void explore(struct found *f)
{
	double start = seconds();
	struct names names;
	struct state s;
	u32 next, level = 1;

	*f = (struct found) { .rule = RULE_COUNT };
	violated = RULE_COUNT;
	world_init();
	world_pack(&s, &names);
	number_of(f, &s, 0, 0);
	for (next = 0; next < f->count; next++) {
		if (next == level) {
			f->depth++;
			level = f->count;
		}
		if (!expand(f, next))
			break;
	}
	if (f->rule == RULE_COUNT)
		check_answerable(f);
	f->seconds = seconds() - start;
}

/* ---- telling ---- */

static void print_step(u16 step, const struct names *names)
{
	const struct kind *k = kinds[step / (ARGS * ARGS)];
	u32 a = step / ARGS % ARGS, b = step % ARGS;
	const char *c;

	for (c = k->words; *c; c++) {
		if (*c != '%') {
			putchar(*c);
			continue;
		}
		c++;
		if (*c == 'e')
			putchar('A' + names->execs[a]);
		else
			printf("%u", *c == 't' ? names->tags[k->domain == PER_TAG ? a : b] : a);
	}
	printf("  [%s]\n", k->mirrors);
}

/* After a step its tags and executors were numbered anew: keep their names. */
static void rename_all(struct names *names, const struct names *order)
{
	struct names old = *names;
	u32 i;

	for (i = 0; i < TAGS_MAX; i++)
		names->tags[i] = old.tags[order->tags[i]];
	for (i = 0; i < EXECS_MAX; i++)
		names->execs[i] = old.execs[order->execs[i]];
}

static void print_requests(const struct names *names)
{
	static const char *const states[] = {
		"free", "waiting", "queued", "fetched", "recovering", "orphaned", "done",
	};
	u32 t;

	printf("#      ");
	for (t = 0; t < scope.tags; t++) {
		struct request *r = &w.requests[t];

		printf(" tag %u %s", names->tags[t], states[r->state]);
		if (r->executor != NOBODY && r->in_device)
			printf(" (%c%s)", 'A' + names->execs[r->executor],
			       w.executors[r->executor].dead ? ", dead" : "");
		printf(t + 1 < scope.tags ? "," : "\n");
	}
}

static void print_trace(const struct found *f)
{
	struct names order, names = { { 0, 1, 2 }, { 0, 1, 2 } };
	u32 at, i, length = 0;
	u16 steps[1000];
	struct state s;

	steps[length++] = f->step;
	for (at = f->at; at && length < 1000; at = f->nodes[at].parent)
		steps[length++] = f->nodes[at].step;
	printf("# rule %s: %s\n# the shortest way to break it, in scope %s:\n",
	       rule_texts[f->rule].name, rule_texts[f->rule].words, scope.name);
	world_init();
	world_pack(&s, &order);
	for (i = length; i--; ) {
		world_unpack(&s);
		printf("# %4u  ", length - i);
		print_step(steps[i], &names);
		take(steps[i]);
		print_requests(&names);
		world_pack(&s, &order);
		rename_all(&names, &order);
	}
}

static void print_figures(const struct found *f)
{
	printf("# %u states, %llu transitions, depth %u, %.1f s of CPU, %zu MiB\n", f->count,
	       (unsigned long long)f->transitions, f->depth, f->seconds,
	       (f->capacity * sizeof(*f->nodes) + (f->mask + 1ul) * sizeof(*f->table) +
		f->edge_capacity * sizeof(*f->edges)) >> 20);
}

static const struct scope *find_scope(const char *name)
{
	const struct scope *s;

	for (s = scopes; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	fprintf(stderr, "explore: no scope '%s'; --list shows them\n", name);
	exit(2);
}

static enum rule find_rule(const char *name)
{
	u32 i;

	for (i = 0; i < RULE_COUNT; i++)
		if (!strcmp(rule_texts[i].name, name))
			return i;
	fprintf(stderr, "explore: no rule '%s'; --list shows them\n", name);
	exit(2);
}

static void list(void)
{
	const struct scope *s;
	u32 i;

	printf("scopes:\n");
	for (s = scopes; s->name; s++)
		printf("  %-18s%s%s\n", s->name, s->words,
		       s->size == LARGE ? " (large)" : s->size == SMALL ? " (small)" : "");
	printf("rules:\n");
	for (i = 0; i < RULE_COUNT; i++)
		printf("  %-18s%s\n", rule_texts[i].name, rule_texts[i].words);
}

/* One scope as it is meant to be; returns 1 if a rule is broken. */
static int test_scope(const struct scope *s, u32 number, bool verify_it)
{
	bool ok, usual = verifying;
	struct found f;

	verifying |= verify_it;
	choose_scope(s);
	explore(&f);
	verifying = usual;
	ok = f.rule == RULE_COUNT;
	if (!ok)
		print_trace(&f);
	print_figures(&f);
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", number, s->name, s->words);
	fflush(stdout);
	found_free(&f);
	return !ok;
}

/* A rule broken on purpose; that one must notice, and no other before it. */
static int test_broken(enum rule r, u32 number)
{
	struct found f;

	bool usual = verifying;

	broken_rule = r;
	verifying |= r == RULE_storage;
	choose_scope(find_scope(rule_texts[r].scope));
	explore(&f);
	broken_rule = RULE_COUNT;
	verifying = usual;
	if (f.rule != RULE_COUNT && f.rule != r)
		print_trace(&f);
	printf("%s %u - broken %s is noticed by %s\n", f.rule == r ? "ok" : "not ok", number,
	       rule_texts[r].name, f.rule == RULE_COUNT ? "nothing" : rule_texts[f.rule].name);
	fflush(stdout);
	found_free(&f);
	return f.rule != r;
}

/* A step that never happens tests nothing. */
static int test_kinds(u32 number)
{
	static const struct kind *const all[] = { client_kinds, executor_kinds, recovery_kinds };
	const struct kind *k;
	bool ok = true;
	u32 i, n = 0;

	for (i = 0; i < 3; i++) {
		for (k = all[i]; k->words; k++, n++) {
			if (taken_kinds[i][k - all[i]])
				continue;
			printf("# never: %s\n", k->words);
			ok = false;
		}
	}
	printf("%s %u - each of %u kinds of steps happened\n", ok ? "ok" : "not ok", number, n);
	return !ok;
}

static int test_all(enum size largest)
{
	const struct scope *s;
	u32 i, number = 0;
	int failed = 0;

	for (s = scopes; s->name; s++)
		if (s->size <= largest)
			failed += test_scope(s, ++number, s->size == SMALL && largest > SMALL);
	if (largest > SMALL)
		failed += test_kinds(++number);
	for (i = 0; i < RULE_COUNT; i++)
		if (find_scope(rule_texts[i].scope)->size <= largest)
			failed += test_broken(i, ++number);
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}

static int test_one(const char *name)
{
	struct found f;

	choose_scope(find_scope(name));
	explore(&f);
	if (f.rule != RULE_COUNT)
		print_trace(&f);
	print_figures(&f);
	found_free(&f);
	return f.rule != RULE_COUNT;
}

static const char usage[] =
	"usage: explore [--small|--large] [--verify]  scopes, then each rule broken once (TAP)\n"
	"       explore --scope NAME                  one scope; tells the shortest way to break a rule\n"
	"       explore --break RULE [--scope NAME]   the same, with one rule broken on purpose\n"
	"       explore --list                        scopes and rules\n"
	"--verify: look whether a stored state behaves as the world that it was stored from\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "scope", required_argument, NULL, 's' },
		{ "break", required_argument, NULL, 'b' },
		{ "large", no_argument, NULL, 'L' },
		{ "small", no_argument, NULL, 'S' },
		{ "verify", no_argument, NULL, 'v' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *name = NULL;
	enum size largest = USUAL;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			name = optarg;
			break;
		case 'b':
			broken_rule = find_rule(optarg);
			break;
		case 'L':
			largest = LARGE;
			break;
		case 'S':
			largest = SMALL;
			break;
		case 'v':
			verifying = true;
			break;
		case 'l':
			list();
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (broken_rule != RULE_COUNT && !name)
		name = rule_texts[broken_rule].scope;
	verifying |= broken_rule == RULE_storage;
	if (name)
		return test_one(name);
	return test_all(largest);
}
