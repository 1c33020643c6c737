// SPDX-License-Identifier: MIT
/* aif search - the lines of a file, by meaning */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/why.h"
#include "tools/cli.h"
#include "tools/embedder.h"
#include "tools/texts.h"

#define TOP_DEFAULT 10
#define TOP_MAX 1000000ul
#define PROGRESS_EVERY 16
#define SCORE_NONE (-2.0f)	/* vectors have length 1: scores are -1 to 1 */

struct arguments {
	struct embedder_opts embedder;
	const char *query;
	const char *path;
	size_t top;
	bool json;
};

static const struct argp_option options[] = {
	{ "top", 'n', "N", 0, "How many lines (default 10)", 0 },
	{ "json", 'j', NULL, 0, "A JSON object for each line", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->embedder;
		return 0;
	case 'n':
		a->top = cli_number(state, "--top", arg, 1, TOP_MAX);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		*(state->arg_num ? &a->path : &a->query) = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->path)
			argp_error(state, "give a QUERY, and a FILE or - for standard input");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* @number counts from 1, empty lines too */
struct line {
	char *text;
	size_t length;
	size_t number;
	float score;
};

/*
 * The query is text 0, line i of @lines is text i + 1.
 *
 * @query:  its vector, once it is there; @query_error: why it will not be
 * @failed: lines that could not be compared, which have SCORE_NONE
 */
struct search {
	const struct arguments *args;
	struct embedder *embedder;
	unsigned int dimensions;
	float *query;
	int query_error;
	struct line *lines;
	size_t count, room, failed;
};

static float dot(const float *a, const float *b, unsigned int n)
{
	float sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void compare(void *ctx, const struct embedding *e)
{
	struct search *s = ctx;
	struct line *line;

	if (!e->index) {
		s->query_error = e->error;
		if (!e->error)
			memcpy(s->query, e->values, s->dimensions * sizeof(*s->query));
		return;
	}
	line = &s->lines[e->index - 1];
	if (e->error) {
		cli_error("%s:%zu: %s", s->args->path, line->number, embedding_error(e->error));
		line->score = SCORE_NONE;
		s->failed++;
		return;
	}
	line->score = dot(s->query, e->values, s->dimensions);
	if (e->index % PROGRESS_EVERY == 0)
		cli_progress("%zu lines", e->index);
}

static int reserve_line(struct search *s)
{
	size_t room = s->room ? 2 * s->room : 1024;
	struct line *lines;

	if (s->count < s->room)
		return 0;
	lines = reallocarray(s->lines, room, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	s->lines = lines;
	s->room = room;
	return 0;
}

static int add_line(struct search *s, const char *text, size_t length, size_t number,
		    struct aif_why *why)
{
	char *copy;

	if (reserve_line(s))
		return aif_why_set(why, -ENOMEM, "no memory");
	copy = malloc(length);
	if (!copy)
		return aif_why_set(why, -ENOMEM, "no memory");
	memcpy(copy, text, length);
	s->lines[s->count++] = (struct line){ .text = copy, .length = length, .number = number };
	return embedder_put(s->embedder, text, length, why);
}

static int read_lines(struct search *s, FILE *file, struct aif_why *why)
{
	struct texts texts = { .stream = file, .separator = '\n' };
	const char *text;
	size_t number = 0;
	ssize_t length;
	int err = 0;

	while (!err && (length = texts_next(&texts, &text)) >= 0) {
		number++;
		if (length)
			err = add_line(s, text, (size_t)length, number, why);
	}
	if (!err && texts_failed(&texts))
		err = aif_why_set(why, -EIO, "%s: %s", s->args->path, strerror(errno));
	free(texts.line);
	return err;
}

/* ---- results ---- */

static int by_score(const void *one, const void *two)
{
	const struct line *a = one, *b = two;

	if (a->score != b->score)
		return a->score < b->score ? 1 : -1;
	return a->number < b->number ? -1 : 1;
}

static void print(const struct search *s, size_t rank)
{
	const struct line *line = &s->lines[rank];

	if (s->args->json) {
		json_t *o = json_object();

		cli_json_set(o, "rank", json_integer((json_int_t)rank + 1));
		cli_json_set(o, "score", json_real(line->score));
		cli_json_set(o, "line", json_integer((json_int_t)line->number));
		cli_json_set(o, "text", cli_json_string(line->text, line->length));
		cli_json_line(o);
		return;
	}
	printf("%6.3f  %zu: ", (double)line->score, line->number);
	fwrite(line->text, 1, line->length, stdout);
	putchar('\n');
}

static void show(struct search *s)
{
	cli_progress_end();
	if (s->count)
		qsort(s->lines, s->count, sizeof(*s->lines), by_score);
	for (size_t i = 0; i < s->count && i < s->args->top; i++) {
		if (s->lines[i].score > SCORE_NONE)
			print(s, i);
	}
}

static int search(struct search *s, FILE *file, struct aif_why *why)
{
	int err = embedder_put(s->embedder, s->args->query, strlen(s->args->query), why);

	if (!err)
		err = read_lines(s, file, why);
	if (!err)
		err = embedder_finish(s->embedder, why);
	if (err)
		return err;
	if (s->query_error)
		return aif_why_set(why, s->query_error, "the query: %s",
				   embedding_error(s->query_error));
	show(s);
	return 0;
}

static int embed_and_search(struct search *s, const struct embedder_opts *opts, FILE *file,
			    struct aif_why *why)
{
	int err = embedder_open(opts, &s->embedder, why);

	if (err)
		return err;
	s->dimensions = embedder_dimensions(s->embedder);
	s->query = calloc(s->dimensions, sizeof(*s->query));
	err = s->query ? search(s, file, why) : aif_why_set(why, -ENOMEM, "no memory");
	embedder_close(s->embedder);
	return err;
}

/* The file first: a model takes long to load. */
static int run(struct arguments *a, struct search *s)
{
	FILE *file = strcmp(a->path, "-") ? fopen(a->path, "re") : stdin;
	struct aif_why why;
	int err;

	if (!file)
		return cli_error("%s: %s", a->path, strerror(errno));
	a->embedder.result = compare;
	a->embedder.ctx = s;
	err = embed_and_search(s, &a->embedder, file, &why);
	fclose(file);
	return err ? cli_error("%s", why.text) : CLI_OK;
}

int cmd_search(int argc, char **argv)
{
	static const struct argp_child children[] = { { &embedder_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "QUERY FILE",
		.doc = "Print the lines of FILE that are nearest to QUERY in meaning, nearest first: score, line number, line.",
	};
	struct arguments a = { .top = TOP_DEFAULT };
	struct search s = { .args = &a };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	status = run(&a, &s);
	for (size_t i = 0; i < s.count; i++)
		free(s.lines[i].text);
	free(s.lines);
	free(s.query);
	return cli_finish(s.failed ? CLI_FAILED : status);
}
