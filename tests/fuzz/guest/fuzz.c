// SPDX-License-Identifier: MIT
/*
 * Random operations from several processes, one after the other, each against
 * what the model says it must return; between them everything comes to rest and
 * is compared with the model.
 *
 * A run is episodes: processes are made, some hundred operations done, all are
 * killed, and nothing may be left.  An episode is its recipe, a list of
 * SEED:COUNT; the n-th operation is a function of its seed and of the world that
 * the ones before left.  With KCOV the recipes that reached new places are kept,
 * and others are made from them.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"
#include "report.h"
#include "storm.h"

#define PARTS		8u
#define OPS_MAX		4096u	/* of an episode */
#define CORPUS		512u
#define RECIPE_TEXT	256u

struct recipe {
	uint32_t parts;
	struct {
		uint64_t seed;
		uint32_t count;
	} part[PARTS];
};

static struct {
	uint64_t seed;
	uint32_t ops, length, storm, seconds;
	bool aloud, minimise, guided;
	struct recipe replay;
	bool skip[OPS_MAX];
} options = { .ops = 10000, .length = 150, .minimise = true };

static struct recipe corpus[CORPUS];
static uint32_t corpus_count;
static bool traced;

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = a + 0x9e3779b97f4a7c15ull * (b + 1);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* ---- recipes ---- */

static const char *recipe_text(const struct recipe *r)
{
	static char text[RECIPE_TEXT];
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < r->parts; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llu:%u", i ? "," : "",
				       (unsigned long long)r->part[i].seed, r->part[i].count);
	return text;
}

static uint32_t recipe_ops(const struct recipe *r)
{
	uint32_t i, n = 0;

	for (i = 0; i < r->parts; i++)
		n += r->part[i].count;
	return n;
}

static void recipe_add(struct recipe *r, uint64_t seed, uint32_t count)
{
	r->part[r->parts].seed = seed;
	r->part[r->parts++].count = count;
}

static bool recipe_parse(struct recipe *r, const char *text)
{
	char *end;

	for (; *text && r->parts < PARTS; r->parts++) {
		r->part[r->parts].seed = strtoull(text, &end, 10);
		if (*end != ':')
			return false;
		r->part[r->parts].count = (uint32_t)strtoul(end + 1, &end, 10);
		text = end + (*end == ',');
	}
	return !*text && r->parts && recipe_ops(r) <= OPS_MAX;
}

/* The beginning of one that was good, and something else after it. */
static struct recipe recipe_from(const struct recipe *good, uint64_t seed)
{
	uint32_t keep = 1 + (uint32_t)(mix(seed, 1) % recipe_ops(good)), i;
	struct recipe r = { 0 };

	if (keep > 2 * options.length)
		keep = 2 * options.length;
	for (i = 0; i < good->parts && r.parts < PARTS - 1 && keep; i++) {
		recipe_add(&r, good->part[i].seed,
			   keep < good->part[i].count ? keep : good->part[i].count);
		keep -= r.part[i].count;
	}
	recipe_add(&r, seed, options.length);
	return r;
}

static struct recipe recipe_next(uint64_t seed)
{
	struct recipe r = { 0 };

	if (corpus_count && mix(seed, 2) % 2)
		return recipe_from(&corpus[mix(seed, 3) % corpus_count], seed);
	recipe_add(&r, seed, options.length);
	return r;
}

/* ---- an episode ---- */

static bool finished;

/* Whatever ended it: a check of ours, or one of the parties'. */
static void end_episode(void)
{
	if (!finished)
		say_last();
	party_kill_all();
}

/*
 * One after the other they are quicker on one processor.  Now and then they are
 * on several, where workers overtake them.
 */
static void stay_here(const struct recipe *r)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(0, &here);
	if (r->part[0].seed % 4)
		sched_setaffinity(0, sizeof(here), &here);
}

/* In a process of its own: whatever goes wrong there, the next begins anew. */
static void __attribute__((noreturn)) episode(const struct recipe *r, char **argv)
{
	uint32_t part, i, n = 0;

	party_main(1, argv);
	atexit(end_episode);
	say_aloud(options.aloud);
	stay_here(r);
	play_begin();
	for (part = 0; part < r->parts; part++)
		for (i = 0; i < r->part[part].count; i++, n++)
			if (!options.skip[n] && world_has_room())
				play(n + 1, mix(r->part[part].seed, i));
	play_end();
	finished = true;
	exit(0);
}

/* So that the kernel's log says what it died of. */
static void tell_kernel(const char *option, const char *value)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "aif-fuzz: %s %s\n", option, value);
	close(fd);
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 3;
	/* What it left behind is ours by now. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What the process ended with; @quiet: it says nothing. */
static int run_episode(const struct recipe *r, char **argv, bool quiet)
{
	pid_t pid;
	int null;

	tell_kernel("--episode", recipe_text(r));
	fflush(NULL);
	pid = fork();
	if (pid)
		return reap(pid);
	null = quiet ? open("/dev/null", O_WRONLY) : -1;
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	episode(r, argv);
}

static const char *kernel_name(void)
{
	return traced ? "debug" : "stock";
}

static int storm_ended(int status)
{
	if (status)
		printf("# replay: tests/fuzz/guest/replay %s --seed %llu --ops 0 --storm %u\n",
		       kernel_name(), (unsigned long long)options.seed, options.storm);
	return status;
}

static int run_storm(char **argv)
{
	char seed[32];
	pid_t pid;

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)options.seed);
	tell_kernel("--storm --seed", seed);
	fflush(NULL);
	pid = fork();
	if (pid)
		return storm_ended(reap(pid));
	party_main(1, argv);
	atexit(end_episode);
	storm(options.seed, options.storm);
	finished = true;
	exit(0);
}

/* ---- making a failure small ---- */

#define MINIMISE_NS	90000000000ull

/* False if that cannot be tried: the failure has left something behind. */
static bool try_without(const struct recipe *r, char **argv, uint32_t first, uint32_t count)
{
	bool kept[OPS_MAX];
	int status;

	memcpy(kept, options.skip, sizeof(kept));
	memset(options.skip + first, true, count);
	status = run_episode(r, argv, true);
	if (!status || status == 3)
		memcpy(options.skip, kept, sizeof(kept));
	return status != 3;
}

/* Leave out what is not needed for it, larger pieces first. */
static void minimise(const struct recipe *r, char **argv)
{
	uint64_t end = raw_now() + MINIMISE_NS;
	uint32_t n = recipe_ops(r), piece, i;

	for (piece = n / 2; piece; piece /= 2)
		for (i = 0; i < n && raw_now() < end; i += piece)
			if (!try_without(r, argv, i, i + piece < n ? piece : n - i))
				return;
}

static void print_skips(const struct recipe *r)
{
	uint32_t n = recipe_ops(r), i, from;

	for (i = 0; i < n; i++) {
		if (!options.skip[i])
			continue;
		from = i;
		while (i + 1 < n && options.skip[i + 1])
			i++;
		printf("%s%u-%u", from && memchr(options.skip, true, from) ? "," : "", from + 1,
		       i + 1);
	}
}

static void print_replay(const char *what, const struct recipe *r)
{
	printf("# %s: tests/fuzz/guest/replay %s --episode %s", what, kernel_name(),
	       recipe_text(r));
}

static void report(const struct recipe *r, char **argv)
{
	print_replay("replay", r);
	printf("\n");
	if (!options.minimise)
		return;
	minimise(r, argv);
	print_replay("smaller", r);
	printf(" --skip ");
	print_skips(r);
	printf("\n");
	fflush(NULL);
	run_episode(r, argv, false);
}

/* ---- a run ---- */

static void show_progress(uint32_t done)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%u of %u operations, %u places ", done, options.ops,
			deeds_covered());
}

static uint32_t operations_done(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < play_kinds(); i++)
		n += play_counts[i].done;
	return n;
}

static void print_counts(void)
{
	uint32_t i;

	printf("#");
	for (i = 0; i < play_kinds(); i++)
		printf(" %s %u%s", play_counts[i].name, play_counts[i].done,
		       i % 8 == 7 && i + 1 < play_kinds() ? "\n#" : "");
	printf("\n");
}

/* A run that met none of these has shown little. */
static void print_tally(void)
{
	const struct tally *t = play_tally;

	printf("# %llu requests, %llu fetched; %llu executors died, %llu requests were queued "
	       "again, %llu owner dead, %llu poisonous; %llu stale commits\n"
	       "# %llu ended in another order than clients, services, executors\n",
	       (unsigned long long)t->requests, (unsigned long long)t->fetched,
	       (unsigned long long)t->executor_deaths, (unsigned long long)t->recoveries,
	       (unsigned long long)t->owner_dead, (unsigned long long)t->poisoned,
	       (unsigned long long)t->stale_commits, (unsigned long long)t->otherwise);
}

static int run(char **argv)
{
	uint64_t end = options.seconds ? raw_now() + options.seconds * 1000000000ull : UINT64_MAX;
	uint32_t episodes = 0, covered;
	struct recipe r;
	int status = 0;

	printf("# seed %llu\n", (unsigned long long)options.seed);
	while (!status && operations_done() < options.ops && raw_now() < end) {
		r = recipe_next(mix(options.seed, episodes++));
		covered = deeds_covered();
		status = run_episode(&r, argv, false);
		if (deeds_covered() > covered && corpus_count < CORPUS)
			corpus[corpus_count++] = r;
		show_progress(operations_done());
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	printf("# %u operations in %u episodes\n", operations_done(), episodes);
	print_counts();
	print_tally();
	if (status)
		report(&r, argv);
	return status;
}

static void __attribute__((noreturn)) usage(int status)
{
	printf("usage: fuzz [--seed N] [--ops N] [--length N] [--storm N] [--seconds N]\n"
	       "            [--guided] [--no-minimise]\n"
	       "       fuzz --episode SEED:COUNT[,SEED:COUNT]... [--skip A-B[,A-B]...] [--say]\n"
	       "\n"
	       "Random operations on /dev/aif, as root, with nobody else using it.\n"
	       "  --seed N     of the run; printed, a fresh one without it\n"
	       "  --ops N      how many, about (default 10000)\n"
	       "  --length N   operations of an episode (default 150)\n"
	       "  --storm N    then N more, from all processes at once (default 0)\n"
	       "  --seconds N  one after the other no longer than that\n"
	       "  --guided     it is a failure if KCOV does not guide the run\n"
	       "  --episode R  only this one, as a failure has named it\n"
	       "  --skip S     ... without these of its operations\n"
	       "  --say        ... saying each on standard error\n"
	       "Prints TAP.\n");
	exit(status);
}

static bool parse_skips(const char *text)
{
	unsigned long from, to;
	char *end;

	while (*text) {
		from = strtoul(text, &end, 10);
		to = *end == '-' ? strtoul(end + 1, &end, 10) : from;
		if (!from || to < from || to > OPS_MAX || (*end && *end != ','))
			return false;
		memset(options.skip + from - 1, true, to - from + 1);
		text = end + (*end == ',');
	}
	return true;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "ops", required_argument, NULL, 'o' },
		{ "length", required_argument, NULL, 'l' },
		{ "storm", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 'd' },
		{ "episode", required_argument, NULL, 'e' },
		{ "skip", required_argument, NULL, 'k' },
		{ "say", no_argument, NULL, 'v' },
		{ "guided", no_argument, NULL, 'g' },
		{ "no-minimise", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool good = true;
	int c;

	if (getrandom(&options.seed, 4, 0) != 4)
		exit(125);
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 's')
			options.seed = strtoull(optarg, NULL, 0);
		else if (c == 'o')
			options.ops = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'l')
			options.length = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 't')
			options.storm = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'd')
			options.seconds = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'e')
			good &= recipe_parse(&options.replay, optarg);
		else if (c == 'k')
			good &= parse_skips(optarg);
		else if (c == 'v')
			options.aloud = true;
		else if (c == 'g')
			options.guided = true;
		else if (c == 'm')
			options.minimise = false;
		else
			usage(c == 'h' ? 0 : 2);
	}
	if (!good || optind < argc || !options.length || options.length > OPS_MAX / 4)
		usage(2);
}

static int results;

static int result(const char *what, int status)
{
	printf("%s %d - %s\n", status ? "not ok" : "ok", ++results, what);
	return status;
}

/* Episodes, and what they show of the module and of the run itself. */
static int run_against_the_model(char **argv)
{
	static const char what[] = "every operation does what the model says";
	int status = options.replay.parts ? run_episode(&options.replay, argv, false) : run(argv);

	if (traced)
		printf("# KCOV: %u places of the module were reached, %u recipes are kept\n",
		       deeds_covered(), corpus_count);
	if (!options.ops) {
		printf("ok %d - %s # SKIP none was asked for, but all at once\n", ++results, what);
		return status;
	}
	result(what, status);
	if (options.guided && !options.replay.parts)
		status |= result("what it reaches guides it", !corpus_count);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	party_main(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	deeds_init();
	play_init();
	traced = deeds_trace();
	status = run_against_the_model(argv);
	if (options.storm)
		status |= result("all at once keeps the rules", run_storm(argv));
	printf("1..%d\n", results);
	return !!status;
}
