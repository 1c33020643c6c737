// SPDX-License-Identifier: MIT
/*
 * aif selftest - does this device compute what it should?
 *
 * Every operator of a backend, in every precision, against the readable operators of the CPU,
 * which sum in double.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/half.h"
#include "runtime/backend/cuda/image.h"
#include "tools/cli.h"
#include "tools/hardware.h"
#include "tools/selftest.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HEX_MAX (2 * EVP_MAX_MD_SIZE + 1)

static float as_it_is(float v)
{
	return v;
}

static float as_bf16(float v)
{
	return aif_from_bf16(aif_to_bf16(v));
}

static float as_f16(float v)
{
	return aif_from_f16(aif_to_f16(v));
}

/*
 * @allowed: error of an element, in parts of its size and of the usual size of all: some roundings
 *           of what is stored.  What tf32 multiplies is rounded before, so that it adds nothing.
 */
static const struct precision {
	const char *name;
	float (*round)(float);
	double allowed;
} precisions[] = {
	{ "fp32", as_it_is, 64 * 0x1p-24 }, { "tf32", aif_to_tf32, 64 * 0x1p-24 },
	{ "bf16", as_bf16, 4 * 0x1p-9 }, { "fp16", as_f16, 4 * 0x1p-12 },
};

/* ---- judging ---- */

/*
 * @wanted: a precision's name; NULL: all
 * @digest: of all that the device computed
 * @exact, @got: SELFTEST_RESULT_MAX floats
 */
struct selftest {
	const struct aif_backend *be;
	const char *backend, *wanted;
	bool json;
	struct selftest_side ref, side;
	EVP_MD_CTX *digest;
	float *exact, *got;
	unsigned int cases, failed;
};

/* The largest error, in parts of what is allowed; NaN fails. */
static double judge(const float *exact, const float *got, size_t n, double allowed)
{
	double squares = 0, worst = 0;

	for (size_t i = 0; i < n; i++)
		squares += (double)exact[i] * exact[i] / n;
	for (size_t i = 0; i < n; i++) {
		double share = fabs((double)got[i] - exact[i]) /
			       (allowed * (fabs(exact[i]) + sqrt(squares)) + DBL_MIN);

		worst = share <= worst ? worst : share;
	}
	return worst;
}

static void report(struct selftest *t, const struct selftest_operator *o, const struct precision *p,
		   unsigned int cases, double worst, const char *why)
{
	json_t *line;

	if (!t->json && why) {
		printf("%-5s %-11s case %u: %s\n", p->name, o->name, cases, why);
		return;
	}
	if (!t->json) {
		printf("%-5s %-11s %u cases, error %5.1f %% of what is allowed\n", p->name, o->name,
		       cases, 100 * worst);
		return;
	}
	line = json_object();
	cli_json_set(line, "precision", json_string(p->name));
	cli_json_set(line, "operator", json_string(o->name));
	cli_json_set(line, "cases", json_integer(cases));
	cli_json_set(line, "error", isfinite(worst) ? json_real(worst) : json_null());
	cli_json_set(line, "ok", json_boolean(!why));
	if (why)
		cli_json_set(line, "why", json_string(why));
	cli_json_line(line);
}

/* Case @i by both; the error's share.  -errno: what the device said. */
static int compare(struct selftest *t, const struct selftest_operator *o, size_t i,
		   const struct precision *p, double *share)
{
	size_t n;
	int err = selftest_run(&t->ref, o, i, t->exact, &n);

	memset(t->got, 0xff, SELFTEST_RESULT_MAX * sizeof(float));
	if (!err)
		err = selftest_run(&t->side, o, i, t->got, &n);
	*share = judge(t->exact, t->got, n, o->rounds_twice ? 2 * p->allowed : p->allowed);
	EVP_DigestUpdate(t->digest, t->got, n * sizeof(float));
	return err;
}

static const char *reason(const struct selftest *t, int err)
{
	return err == -EIO && AIF_BACKEND_HAS(t->be, dev_why) ? t->be->dev_why() : strerror(-err);
}

/* All cases of an operator, up to the first that fails. */
static int try_operator(struct selftest *t, const struct selftest_operator *o, const struct precision *p)
{
	double worst = 0, share = 0;
	const char *why = NULL;
	unsigned int i;
	int err = 0;

	for (i = 0; i < o->count && !why; i++) {
		cli_progress("%s %s, case %u of %zu", p->name, o->name, i + 1, o->count);
		err = compare(t, o, i, p, &share);
		worst = share <= worst ? worst : share;
		if (err)
			why = reason(t, err);
		else if (!(share <= 1))
			why = "wrong";
	}
	cli_progress_end();
	t->cases += i;
	t->failed += why != NULL;
	report(t, o, p, i, worst, why);
	return err;
}

/* ---- devices ---- */

static int open_both(struct selftest *t, const struct precision *p)
{
	struct aif_dev_opts opts = { .size = sizeof(opts), .precision = p->name };
	int err = selftest_open(&t->side, t->be, &opts, p->round);

	if (err)
		return cli_error("backend %s: %s", t->backend,
				 AIF_BACKEND_HAS(t->be, dev_why) ? t->be->dev_why() : strerror(-err));
	err = selftest_open(&t->ref, aif_backend_find("ref"), NULL, p->round);
	return err ? cli_error("backend ref: %s", strerror(-err)) : CLI_OK;
}

static int try_precision(struct selftest *t, const struct precision *p)
{
	int status = open_both(t, p), err = 0;

	if (status == CLI_OK && !t->cases && !t->json)
		printf("%s\n", t->be->dev_describe(t->side.dev));
	for (const struct selftest_operator *o = selftest_operators; status == CLI_OK && o->name &&
	     err != -EIO; o++)
		err = try_operator(t, o, p);
	selftest_close(&t->ref);
	selftest_close(&t->side);
	return status;
}

/* A device of a backend without precisions computes in fp32. */
static int try_all(struct selftest *t)
{
	size_t n = AIF_BACKEND_HAS(t->be, dev_activation) ? COUNT(precisions) : 1, tried = 0;
	int status = CLI_OK;

	for (size_t i = 0; i < n && status == CLI_OK; i++) {
		if (t->wanted && strcmp(t->wanted, precisions[i].name))
			continue;
		status = try_precision(t, &precisions[i]);
		tried++;
	}
	return tried ? status : cli_error("precision '%s': there is %s", t->wanted, n == 1 ? "fp32" :
					  "fp32, tf32, bf16, fp16");
}

/* ---- what it is about ---- */

static void hex(EVP_MD_CTX *digest, char text[HEX_MAX])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestFinal_ex(digest, bytes, &n);
	for (unsigned int i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static void add_kernels(json_t *line)
{
	char text[HEX_MAX] = "";
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL)) {
		for (const struct aif_cuda_image *i = aif_cuda_images; i->name; i++)
			EVP_DigestUpdate(digest, i->begin, i->end - i->begin);
		hex(digest, text);
	}
	EVP_MD_CTX_free(digest);
	cli_json_set(line, "kernels", json_string(text));
}

static void add_hardware(void *ctx, const struct hardware *h)
{
	json_t *line = ctx;

	if (json_object_get(line, "name"))
		return;
	cli_json_set(line, "id", json_string(h->id));
	cli_json_set(line, "name", cli_json_string(h->name, strlen(h->name)));
	cli_json_set(line, "target", json_string(h->target));
	cli_json_set(line, "driver", json_string(h->driver));
	cli_json_set(line, "pci", json_string(h->pci));
}

/* The last line: what was tested, and how it went. */
static void sum_up(struct selftest *t)
{
	char text[HEX_MAX];
	json_t *line;

	hex(t->digest, text);
	if (!t->json) {
		printf("%u cases, %s; results %.16s\n", t->cases, t->failed ? "NOT all right" : "all right",
		       text);
		return;
	}
	line = json_object();
	cli_json_set(line, "backend", json_string(t->backend));
	cli_json_set(line, "version", json_string(aif_version()));
	if (!strcmp(t->backend, "cuda")) {
		add_kernels(line);
		hardware_each_cuda(add_hardware, line);
	}
	cli_json_set(line, "cases", json_integer(t->cases));
	cli_json_set(line, "results", json_string(text));
	cli_json_set(line, "ok", json_boolean(!t->failed));
	cli_json_line(line);
}

static int selftest(struct selftest *t)
{
	int status = CLI_OK;

	t->exact = malloc(SELFTEST_RESULT_MAX * sizeof(float));
	t->got = malloc(SELFTEST_RESULT_MAX * sizeof(float));
	t->digest = EVP_MD_CTX_new();
	if (!t->exact || !t->got || !t->digest || !EVP_DigestInit_ex(t->digest, EVP_sha256(), NULL))
		status = cli_error("no memory");
	if (status == CLI_OK)
		status = try_all(t);
	if (status == CLI_OK) {
		sum_up(t);
		status = t->failed ? CLI_FAILED : CLI_OK;
	}
	EVP_MD_CTX_free(t->digest);
	free(t->exact);
	free(t->got);
	return cli_finish(status);
}

static const struct argp_option options[] = {
	{ "precision", 'p', "NAME", 0, "CUDA: fp32, tf32, bf16 or fp16 alone", 0 },
	{ "json", 'j', NULL, 0, "JSON, one object a line", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct selftest *t = state->input;

	switch (key) {
	case 'p':
		t->wanted = arg;
		return 0;
	case 'j':
		t->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (t->backend)
			return ARGP_ERR_UNKNOWN;
		t->backend = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which backend? cuda or cpu");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_selftest(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "BACKEND",
		.doc = "Compute with every operator of BACKEND (cuda, cpu) and compare.",
	};
	static struct selftest t;

	argp_parse(&argp, argc, argv, 0, NULL, &t);
	t.be = aif_backend_find(t.backend);
	if (!t.be)
		return cli_error("there is no backend '%s': cuda or cpu", t.backend);
	return selftest(&t);
}
