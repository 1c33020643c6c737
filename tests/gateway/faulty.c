// SPDX-License-Identifier: MIT
/*
 * A service that fails as it is told to: it looks like an encoder, so that a gateway
 * which is linked with it instead of the real one serves it over every API.
 *
 *	"errno 5"	answered with -5
 *	"sleep 300"	answered after 300 ms, or when its client has cancelled it
 *	"tokens 300"	answered with that count, and cut off if it is more than TOKENS_MAX
 *	"random"	answered at once: the same numbers between -0.5 and 0.5 each time
 *	anything else	answered at once: its length, then zeroes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/daemon/kind.h"

#define DIMENSIONS 384
#define TOKENS_MAX 256
#define TEXT_MAX 65536
#define NUMBER_AT_MOST 32
#define SLEEP_PIECE_MS 100

static int faulty_open(const struct service_conf *conf, void **state, struct aif_why *why)
{
	*state = (void *)conf;
	return 0;
}

static void faulty_close(void *state)
{
}

static void faulty_describe(void *state, struct kind_description *d)
{
	static const struct aif_service_io io[] = {
		{ .name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .alignment = 1, .max_bytes = TEXT_MAX },
		{ .name = "embedding", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32,
		  .output = true, .dims = 1, .shape = { DIMENSIONS },
		  .max_bytes = DIMENSIONS * sizeof(float) },
		{ .name = "counts", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32,
		  .output = true, .optional = true, .dims = 1, .shape = { 2 },
		  .max_bytes = 2 * sizeof(int32_t) },
	};

	d->io = io;
	d->io_count = 3;
	snprintf(d->model, sizeof(d->model), "faulty");
	snprintf(d->text, sizeof(d->text), "license=MIT\nmax_tokens=%d\ndimensions=%d\n", TOKENS_MAX,
		 DIMENSIONS);
}

/* The number behind @word in the job's text; -1: it does not begin so. */
static long number_after(const struct aif_job *job, const char *word)
{
	char text[NUMBER_AT_MOST] = "";
	size_t n = job->in[0].length, length = strlen(word);

	memcpy(text, job->in[0].data, n < sizeof(text) - 1 ? n : sizeof(text) - 1);
	return strncmp(text, word, length) ? -1 : strtol(text + length, NULL, 10);
}

/* A short one is one piece, which publishes nothing: it can be executed again. */
static void sleep_until_cancelled(struct step *step, struct aif_job *job, long ms)
{
	while (ms > 0 && !job->cancelled) {
		long piece = ms < SLEEP_PIECE_MS ? ms : SLEEP_PIECE_MS;
		struct timespec t = { .tv_nsec = piece * 1000000L };

		nanosleep(&t, NULL);
		ms -= piece;
		if (ms)
			step_progress(step, job, 0);
	}
}

static void fill(float *vector, bool random, size_t length)
{
	uint32_t state = 1;

	memset(vector, 0, DIMENSIONS * sizeof(float));
	vector[0] = (float)length;
	for (int i = 0; random && i < DIMENSIONS; i++) {
		state = state * 1664525 + 1013904223;
		vector[i] = (float)state / (float)UINT32_MAX - 0.5f;
	}
}

static void answer(struct step *step, struct aif_job *job)
{
	long error = number_after(job, "errno "), tokens = number_after(job, "tokens ");
	int32_t counts[2] = { tokens < 0 ? 3 : (int32_t)tokens, tokens > TOKENS_MAX };

	if (error > 0) {
		aif_job_answer(job, (int)-error, 0, 0);
		return;
	}
	sleep_until_cancelled(step, job, number_after(job, "sleep "));
	fill(job->out[0].data, number_after(job, "random") >= 0, job->in[0].length);
	if (job->out[1].length)
		memcpy(job->out[1].data, counts, sizeof(counts));
	aif_job_answer(job, 0, DIMENSIONS * sizeof(float), 0);
}

static int faulty_step(void *state, struct step *step, struct aif_job **jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		answer(step, jobs[i]);
		step_flush(step);
	}
	return 0;
}

/* In the place of the real one. */
const struct kind kind_embed = {
	.name = "embed",
	.open = faulty_open,
	.close = faulty_close,
	.describe = faulty_describe,
	.step = faulty_step,
};
