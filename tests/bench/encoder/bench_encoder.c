// SPDX-License-Identifier: MIT
/*
 * The encoder as one side of a comparison: a worker that does what compare.py
 * tells it, one command a line on stdin, one answer a line on stdout.
 *
 *   texts N      N lines of text follow    -> tokens in all of them
 *   run REPS     encode all texts          -> seconds, the repetitions' median
 *   save FILE    f32 embeddings, raw       -> number of floats
 *   peak         multiply-add ceiling      -> GFLOP/s
 *
 * bench_encoder MODEL-DIR THREADS [ISA]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/backend/backend.h"
#include "runtime/include/aif_model.h"
#include "tests/bench/kernels/ceiling.h"

struct bench {
	const struct aif_backend *be;
	struct aif_dev *dev;
	struct aif_ceiling *ceiling;
	struct aif_model *model;
	struct aif_encoder *encoder;
	size_t texts, dimensions;
	char **line;
	struct aif_encoder_text *text;
	struct aif_encoder_counts *counts;
	float *out;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_encoder: %s: %s\n", what, why);
	exit(1);
}

static void die_unless(int err, const char *what)
{
	if (err)
		die(what, strerror(-err));
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void encode(struct bench *b)
{
	die_unless(aif_encoder_encode(b->encoder, b->text, b->texts), "encode");
	for (size_t i = 0; i < b->texts; i++)
		die_unless(b->text[i].status, "text");
}

static void forget_texts(struct bench *b)
{
	for (size_t i = 0; i < b->texts; i++)
		free(b->line[i]);
	free(b->line);
	free(b->text);
	free(b->counts);
	free(b->out);
}

static void read_texts(struct bench *b, size_t n)
{
	forget_texts(b);
	b->texts = n;
	b->line = calloc(n, sizeof(*b->line));
	b->text = calloc(n, sizeof(*b->text));
	b->counts = calloc(n, sizeof(*b->counts));
	b->out = calloc(n * b->dimensions, sizeof(*b->out));
	if (!b->line || !b->text || !b->counts || !b->out)
		die("texts", strerror(ENOMEM));
	for (size_t i = 0; i < n; i++) {
		size_t room = 0;
		ssize_t len = getline(&b->line[i], &room, stdin);

		if (len <= 0)
			die("texts", "fewer lines than announced");
		b->text[i] = (struct aif_encoder_text){
			.text = b->line[i], .bytes = len - 1, .counts = &b->counts[i],
			.out = b->out + i * b->dimensions,
		};
	}
}

static void do_texts(struct bench *b, const char *arg)
{
	size_t tokens = 0;

	read_texts(b, strtoul(arg, NULL, 10));
	encode(b);
	for (size_t i = 0; i < b->texts; i++)
		tokens += b->counts[i].tokens;
	printf("%zu\n", tokens);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void do_run(struct bench *b, const char *arg)
{
	size_t reps = strtoul(arg, NULL, 10);
	double *times = calloc(reps, sizeof(*times));

	if (!reps || !times)
		die("run", strerror(reps ? ENOMEM : EINVAL));
	for (size_t i = 0; i < reps; i++) {
		double start = seconds();

		encode(b);
		times[i] = seconds() - start;
	}
	qsort(times, reps, sizeof(*times), by_value);
	printf("%.9f\n", times[reps / 2]);
	free(times);
}

static void do_save(struct bench *b, const char *arg)
{
	size_t floats = b->texts * b->dimensions;
	FILE *f = fopen(arg, "wb");

	if (!f || fwrite(b->out, sizeof(*b->out), floats, f) != floats || fclose(f))
		die(arg, strerror(errno));
	printf("%zu\n", floats);
}

static void do_peak(struct bench *b, const char *arg)
{
	printf("%.3f\n", aif_ceiling_gflops(b->ceiling));
}

static void set_up(struct bench *b, char **argv)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .threads = strtoul(argv[2], NULL, 10),
				     .isa = argv[3] };
	struct aif_why why;

	b->be = aif_backend_find("cpu");
	die_unless(b->be->dev_open(&opts, &b->dev), "cpu backend");
	die_unless(aif_ceiling_create(b->dev, &b->ceiling), "ceiling");
	if (aif_model_open(argv[1], NULL, &b->model, &why))
		die(argv[1], why.text);
	b->dimensions = aif_model_info(b->model)->dimensions;
	if (aif_encoder_create(b->model, b->be, b->dev, NULL, &b->encoder, &why))
		die("encoder", why.text);
	printf("%s\n", b->be->dev_describe(b->dev));
}

static void tear_down(struct bench *b)
{
	forget_texts(b);
	aif_encoder_free(b->encoder);
	aif_model_close(b->model);
	aif_ceiling_free(b->ceiling);
	b->be->dev_close(b->dev);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct bench *b, const char *arg);
	} commands[] = {
		{ "texts ", do_texts }, { "run ", do_run }, { "save ", do_save },
		{ "peak", do_peak },
	};
	struct bench b = { 0 };
	char line[4096];

	if (argc < 3)
		die("usage", "bench_encoder MODEL-DIR THREADS [ISA]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	set_up(&b, argv);
	while (fgets(line, sizeof(line), stdin)) {
		size_t i = 0, count = sizeof(commands) / sizeof(commands[0]);

		line[strcspn(line, "\n")] = 0;
		while (i < count && strncmp(line, commands[i].name, strlen(commands[i].name)))
			i++;
		if (i == count)
			die(line, "no such command");
		commands[i].run(&b, line + strlen(commands[i].name));
	}
	tear_down(&b);
	return 0;
}
