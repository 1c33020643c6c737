// SPDX-License-Identifier: MIT
/*
 * What the executor answers to a libaif client: N texts in flight on the local device
 * for some seconds; prints texts a second.
 *
 * bench_client MODEL-DIR FILE-OF-TEXTS N SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/model/why.h"
#include "tools/embedder.h"

#define TEXTS_MAX 1000

static size_t answered;

static void count(void *ctx, const struct embedding *e)
{
	if (e->error) {
		fprintf(stderr, "bench_client: %s\n", embedding_error(e->error));
		exit(1);
	}
	answered++;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t read_texts(const char *path, char *texts[TEXTS_MAX])
{
	FILE *file = fopen(path, "r");
	size_t n = 0, room = 0;

	while (file && n < TEXTS_MAX) {
		texts[n] = NULL;
		if (getline(&texts[n], &room, file) < 0)
			break;
		texts[n][strcspn(texts[n], "\n")] = '\0';
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct embedder_opts opts = { .device = "local", .result = count };
	char *texts[TEXTS_MAX];
	size_t n = argc == 5 ? read_texts(argv[2], texts) : 0;
	struct embedder *e;
	struct aif_why why;
	double begin, end;
	int err;

	if (!n)
		return 2;
	opts.model = argv[1];
	opts.most = strtoul(argv[3], NULL, 10);
	err = embedder_open(&opts, &e, &why);
	begin = seconds();
	end = begin + atof(argv[4]);
	for (size_t i = 0; !err && seconds() < end; i++)
		err = embedder_put(e, texts[i % n], strlen(texts[i % n]), &why);
	if (!err)
		err = embedder_finish(e, &why);
	if (err) {
		fprintf(stderr, "bench_client: %s\n", why.text);
		return 1;
	}
	printf("%.2f\n", (double)answered / (seconds() - begin));
	embedder_close(e);
	return 0;
}
