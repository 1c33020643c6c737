// SPDX-License-Identifier: MIT
/* aif embed - texts to vectors */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/why.h"
#include "tools/cli.h"
#include "tools/embedder.h"
#include "tools/texts.h"

#define BLANKS " \t\r\n"
#define IDS_MAX 65536	/* of one text: more than any model takes */

struct arguments {
	struct embedder_opts embedder;
	struct texts texts;
	bool json;
	int32_t ids[IDS_MAX];
};

static const struct argp_option options[] = {
	{ "null", '0', NULL, 0, "Texts on standard input end with a NUL byte", 0 },
	{ "json", 'j', NULL, 0, "A JSON object for each text", 0 },
	{ "ids", 'i', NULL, 0, "Each TEXT is token ids, such as '101 7592 102', for a service "
	  "that takes them", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->embedder;
		return 0;
	case '0':
		a->texts.separator = '\0';
		a->texts.stream = stdin;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case 'i':
		a->embedder.ids = true;
		return 0;
	case ARGP_KEY_ARGS:
		if (state->argc - state->next == 1 && !strcmp(state->argv[state->next], "-"))
			a->texts.stream = stdin;
		else
			a->texts.argv = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (!a->texts.argv == !a->texts.stream)
			argp_error(state, a->texts.argv ? "texts as arguments, or -0, not both" :
				   "what? Give a TEXT, or - for standard input");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* @failed: texts without an embedding */
struct output {
	bool json;
	unsigned int dimensions;
	size_t failed;
};

static void print_json(const struct output *out, const struct embedding *e)
{
	json_t *o = json_object(), *values;

	cli_json_set(o, "index", json_integer((json_int_t)e->index));
	if (e->error) {
		cli_json_set(o, "error", json_string(embedding_error(e->error)));
		cli_json_line(o);
		return;
	}
	values = json_array();
	for (unsigned int i = 0; i < out->dimensions; i++)
		cli_json_append(values, json_real(e->values[i]));
	cli_json_set(o, "tokens", json_integer(e->tokens));
	cli_json_set(o, "truncated", json_boolean(e->truncated));
	cli_json_set(o, "embedding", values);
	cli_json_line(o);
}

/* A line for every text: an empty one where there is no vector. */
static void print_plain(const struct output *out, const struct embedding *e)
{
	for (unsigned int i = 0; !e->error && i < out->dimensions; i++)
		printf("%s%.9g", i ? " " : "", (double)e->values[i]);
	putchar('\n');
}

static void print(void *ctx, const struct embedding *e)
{
	struct output *out = ctx;

	if (out->json)
		print_json(out, e);
	else
		print_plain(out, e);
	if (e->error) {
		out->failed++;
		cli_error("text %zu: %s", e->index, embedding_error(e->error));
	} else if (e->truncated && !out->json) {
		cli_note("text %zu: cut off after %u tokens", e->index, e->tokens);
	}
}

/* The number that begins @text, and where it ends; false: what is there is none. */
static bool read_id(const char **text, int32_t *id)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(*text, &end, 10);
	if (end != *text + strcspn(*text, BLANKS) || errno || number < INT32_MIN || number > INT32_MAX)
		return false;
	*id = (int32_t)number;
	*text = end;
	return true;
}

/* Of text @i, which ends with a NUL; how many, or -EINVAL. */
static int read_ids(size_t i, const char *text, int32_t *ids, struct aif_why *why)
{
	int n = 0;

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		if (n == IDS_MAX)
			return aif_why_set(why, -EINVAL, "text %zu: more than %d token ids", i, IDS_MAX);
		if (!read_id(&text, &ids[n++]))
			return aif_why_set(why, -EINVAL, "text %zu: '%.*s' is not a token id", i,
					   (int)strcspn(text, BLANKS), text);
	}
	return n ? n : aif_why_set(why, -EINVAL, "text %zu: no token ids", i);
}

static int put(struct arguments *a, struct embedder *e, size_t i, const char *text, size_t length,
	       struct aif_why *why)
{
	int n;

	if (!a->embedder.ids)
		return embedder_put(e, text, length, why);
	if (strlen(text) < length)
		return aif_why_set(why, -EINVAL, "text %zu: a NUL byte is not a token id", i);
	n = read_ids(i, text, a->ids, why);
	return n < 0 ? n : embedder_put(e, a->ids, (size_t)n * sizeof(a->ids[0]), why);
}

static int embed_all(struct arguments *a, struct embedder *e)
{
	struct aif_why why;
	const char *text;
	ssize_t length;

	for (size_t i = 0; (length = texts_next(&a->texts, &text)) >= 0; i++) {
		if (put(a, e, i, text, (size_t)length, &why))
			return cli_error("%s", why.text);
	}
	if (texts_failed(&a->texts))
		return cli_error("standard input: %s", strerror(errno));
	return embedder_finish(e, &why) ? cli_error("%s", why.text) : CLI_OK;
}

static size_t count(char **argv)
{
	size_t n = 0;

	while (argv && argv[n])
		n++;
	return n;
}

int cmd_embed(int argc, char **argv)
{
	static const struct argp_child children[] = { { &embedder_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options, .parser = parse, .children = children,
		.args_doc = "TEXT...\n-\n-0",
		.doc = "Print the vector of each TEXT, or of each line of standard input.",
	};
	static struct arguments a = { .texts = { .separator = '\n' } };
	struct output out = { 0 };
	struct embedder *e;
	struct aif_why why;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	out.json = a.json;
	a.embedder.most = count(a.texts.argv);
	a.embedder.result = print;
	a.embedder.ctx = &out;
	if (embedder_open(&a.embedder, &e, &why))
		return cli_error("%s", why.text);
	out.dimensions = embedder_dimensions(e);
	status = embed_all(&a, e);
	embedder_close(e);
	free(a.texts.line);
	return cli_finish(out.failed ? CLI_FAILED : status);
}
