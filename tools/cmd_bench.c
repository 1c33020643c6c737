// SPDX-License-Identifier: MIT
/* aif bench - what the way through the device costs */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "runtime/model/why.h"
#include "tools/cli.h"
#include "tools/echo.h"
#include "tools/machine.h"
#include "tools/ring.h"

#define COUNT_DEFAULT 10000
#define COUNT_MAX 100000000ul
#define DEPTH_MAX 1024
#define BYTES_MAX (1ul << 20)
#define WARM_UP_SHARE 10	/* this part of the requests, before those that count */

static const char *const door_names[] = {
	[DOOR_IOCTL] = "ioctl",
	[DOOR_URING] = "uring",
	[DOOR_SPIN] = "spin",
};

struct arguments {
	struct cli_common common;
	const char *service;
	uint32_t owner;
	enum door client;
	enum door executor;
	unsigned int depth;
	unsigned long count;
	unsigned long bytes;
};

enum { OPT_OWNER = 256, OPT_CLIENT, OPT_EXECUTOR, OPT_BYTES };

static const struct argp_option options[] = {
	{ "device", 'd', "DEVICE", 0, "A node, or \"local\" (default " DEVICE_DEFAULT ")", 0 },
	{ "service", 's', "NAME", 0, "An echo that is there, instead of our own executor", 0 },
	{ "owner", OPT_OWNER, "USER", 0, "Who must own the service (default: you, else root)", 0 },
	{ "client", OPT_CLIENT, "DOOR", 0,
	  "How the client waits: ioctl, uring or spin (default ioctl)", 0 },
	{ "executor", OPT_EXECUTOR, "DOOR", 0,
	  "How our executor waits (default: as the client)", 0 },
	{ "depth", 'p', "N", 0,
	  "Requests in flight; each round submits so many and waits for all (default 1)", 0 },
	{ "count", 'n', "N", 0, "Requests (default 10000)", 0 },
	{ "bytes", OPT_BYTES, "N", 0, "Bytes there and back (default 64)", 0 },
	CLI_OPTION_JSON("One JSON object"),
	{ 0 },
};

static enum door door_of(const struct argp_state *state, const char *name)
{
	for (int i = DOOR_IOCTL; i <= DOOR_SPIN; i++) {
		if (!strcmp(door_names[i], name))
			return (enum door)i;
	}
	argp_error(state, "'%s' is not ioctl, uring or spin", name);
	return DOOR_IOCTL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 's':
		a->service = arg;
		return 0;
	case OPT_OWNER:
		a->owner = cli_owner(state, arg);
		return 0;
	case OPT_CLIENT:
		a->client = door_of(state, arg);
		return 0;
	case OPT_EXECUTOR:
		a->executor = door_of(state, arg);
		return 0;
	case 'p':
		a->depth = (unsigned int)cli_number(state, "--depth", arg, 1, DEPTH_MAX);
		return 0;
	case 'n':
		a->count = cli_number(state, "--count", arg, 1, COUNT_MAX);
		return 0;
	case OPT_BYTES:
		a->bytes = cli_number(state, "--bytes", arg, 1, BYTES_MAX);
		return 0;
	}
	return cli_parse_common(key, arg, state);
}

/* @times: of each round, in nanoseconds */
struct bench {
	const struct arguments *args;
	struct aif_client *client;
	struct aif_service *service;
	struct aif_buffer *buffer;
	struct aif_request **requests;
	struct iovec *in, *out;
	struct io_uring ring;
	bool has_ring;
	uint64_t *times;
	size_t rounds;
};

/* ---- getting ready ---- */

static unsigned int power_of_two(unsigned int n)
{
	unsigned int power = 1;

	while (power < n)
		power *= 2;
	return power;
}

static int open_requests(struct bench *b, struct aif_why *why)
{
	unsigned int depth = b->args->depth;

	b->requests = calloc(depth, sizeof(struct aif_request *));
	b->in = calloc(depth, sizeof(*b->in));
	b->out = calloc(depth, sizeof(*b->out));
	if (!b->requests || !b->in || !b->out)
		return aif_why_set(why, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < depth; i++) {
		b->requests[i] = aif_request_get(b->client);
		b->in[i].iov_base = aif_buffer_carve(b->buffer, b->args->bytes, 0);
		b->out[i].iov_base = aif_buffer_carve(b->buffer, b->args->bytes, 0);
		b->in[i].iov_len = b->out[i].iov_len = b->args->bytes;
		if (!b->requests[i] || !b->in[i].iov_base || !b->out[i].iov_base)
			return aif_why_set(why, -errno, "requests: %s", aif_error_text(errno));
		memset(b->in[i].iov_base, 'a' + (int)(i % 26), b->args->bytes);
	}
	return 0;
}

static int open_client(struct bench *b, struct aif_why *why)
{
	b->client = aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = b->args->common.device,
		.features = b->args->client == DOOR_URING ? AIF_FEATURE_URING : 0,
		.depth = power_of_two(b->args->depth),
	});
	if (b->client)
		return 0;
	cli_open_why(b->args->common.device, errno, why);
	return -EIO;
}

static int open_ring(struct bench *b, struct aif_why *why)
{
	struct aif_client_info info = { .size = sizeof(info) };
	int err;

	if (b->args->client != DOOR_URING)
		return 0;
	err = ring_open(&b->ring, why);
	if (err)
		return err;
	b->has_ring = true;
	aif_client_info(b->client, &info);
	return info.features & AIF_FEATURE_URING ? 0 : ring_refused(b->args->common.device, why);
}

static int set_up(struct bench *b, const char *service, struct aif_why *why)
{
	size_t piece = (b->args->bytes + 63) / 64 * 64;
	int err = open_client(b, why);

	if (!err)
		err = cli_service_open(b->client, service, b->args->owner, &b->service, why);
	if (!err)
		err = open_ring(b, why);
	if (err)
		return err;
	b->buffer = aif_buffer_alloc(b->client, 2 * piece * b->args->depth);
	if (!b->buffer || !aif_grant_create(b->buffer, b->service, AIF_GRANT_WRITE))
		return aif_why_set(why, -errno, "memory for %u requests: %s", b->args->depth,
				   aif_error_text(errno));
	b->times = calloc(b->args->count / b->args->depth + 1, sizeof(*b->times));
	return b->times ? open_requests(b, why) : aif_why_set(why, -ENOMEM, "no memory");
}

static void tear_down(struct bench *b)
{
	if (b->has_ring)
		io_uring_queue_exit(&b->ring);
	if (b->client)
		aif_client_close(b->client);
	free(b->requests);
	free(b->in);
	free(b->out);
	free(b->times);
}

/* ---- rounds ---- */

static int round_ioctl(struct bench *b)
{
	int n = aif_request_submit(b->requests, b->args->depth, AIF_SUBMIT_WAIT_ALL);

	return n < 0 ? n : n == (int)b->args->depth ? 0 : -EAGAIN;
}

static int round_uring(struct bench *b)
{
	int n = aif_prep_submit(io_uring_get_sqe(&b->ring), b->requests, b->args->depth,
				AIF_SUBMIT_WAIT_ALL);

	if (n)
		return n;
	n = ring_run(&b->ring);
	aif_request_submitted(b->requests, b->args->depth, n);
	return n < 0 ? n : n == (int)b->args->depth ? 0 : -EAGAIN;
}

static int round_spin(struct bench *b)
{
	int n = aif_request_submit(b->requests, b->args->depth, 0);

	if (n != (int)b->args->depth)
		return n < 0 ? n : -EAGAIN;
	for (unsigned int i = 0; i < b->args->depth; i++)
		aif_request_spin(b->requests[i], -1);
	return 0;
}

static int prepare(struct bench *b)
{
	int err = 0;

	for (unsigned int i = 0; i < b->args->depth && !err; i++) {
		struct aif_request_spec spec = {
			.size = sizeof(spec), .in = &b->in[i], .in_count = 1,
			.out = &b->out[i], .out_count = 1,
		};

		err = aif_request_prepare(b->requests[i], b->service, &spec);
	}
	return err;
}

/* What came back is what was sent. */
static int check(const struct bench *b)
{
	for (unsigned int i = 0; i < b->args->depth; i++) {
		int result = aif_request_result(b->requests[i]);

		if (result < 0)
			return result;
		if (memcmp(b->in[i].iov_base, b->out[i].iov_base, b->args->bytes))
			return -EBADMSG;
		memset(b->out[i].iov_base, 0, b->args->bytes);
	}
	return 0;
}

static int measure(struct bench *b, size_t rounds, uint64_t *times)
{
	static int (*const round[])(struct bench *) = {
		[DOOR_IOCTL] = round_ioctl,
		[DOOR_URING] = round_uring,
		[DOOR_SPIN] = round_spin,
	};
	int err = 0;

	for (size_t i = 0; i < rounds && !err; i++) {
		uint64_t begin;

		err = prepare(b);
		begin = cli_now_ns();
		if (!err)
			err = round[b->args->client](b);
		times[i] = cli_now_ns() - begin;
		if (!err)
			err = check(b);
	}
	return err;
}

static int run(struct bench *b, struct aif_why *why)
{
	int err;

	b->rounds = b->args->count / b->args->depth;
	if (!b->rounds)
		b->rounds = 1;
	err = measure(b, b->rounds / WARM_UP_SHARE, b->times);
	if (!err)
		err = measure(b, b->rounds, b->times);
	return err ? aif_why_set(why, err, "a round fails: %s", aif_error_text(err)) : 0;
}

/* ---- results ---- */

static int by_value(const void *one, const void *two)
{
	const uint64_t *a = one, *b = two;

	return *a < *b ? -1 : *a > *b;
}

static double percentile(const struct bench *b, unsigned int percent)
{
	return (double)b->times[(b->rounds - 1) * percent / 100] / 1000;
}

static const char *transport(const struct arguments *a)
{
	return strcmp(a->common.device, DEVICE_LOCAL) ? "kernel" : "local";
}

static void print_json(const struct bench *b, const char *executor, const char *release)
{
	const struct arguments *a = b->args;
	json_t *o = json_object();

	cli_json_set(o, "transport", json_string(transport(a)));
	cli_json_set(o, "device", json_string(a->common.device));
	cli_json_set(o, "client", json_string(door_names[a->client]));
	cli_json_set(o, "executor", json_string(executor));
	cli_json_set(o, "kernel", json_string(release));
	cli_json_set(o, "machine", json_string(machine_kind()));
	cli_json_set(o, "emulated", json_boolean(machine_is_emulated()));
	cli_json_set(o, "depth", json_integer(a->depth));
	cli_json_set(o, "bytes", json_integer((json_int_t)a->bytes));
	cli_json_set(o, "rounds", json_integer((json_int_t)b->rounds));
	cli_json_set(o, "p50_us", json_real(percentile(b, 50)));
	cli_json_set(o, "p99_us", json_real(percentile(b, 99)));
	cli_json_set(o, "min_us", json_real(percentile(b, 0)));
	cli_json_set(o, "per_request_us", json_real(percentile(b, 50) / a->depth));
	cli_json_line(o);
}

static void report(struct bench *b)
{
	const struct arguments *a = b->args;
	const char *executor = a->service ? a->service : door_names[a->executor];
	struct utsname u;

	uname(&u);
	qsort(b->times, b->rounds, sizeof(*b->times), by_value);
	if (a->common.json) {
		print_json(b, executor, u.release);
		return;
	}
	printf("transport %s (%s), client %s, executor %s, depth %u, %lu bytes, %zu rounds\n",
	       transport(a), a->common.device, door_names[a->client], executor, a->depth, a->bytes,
	       b->rounds);
	printf("machine   Linux %s, %s%s\n", u.release, machine_kind(),
	       machine_is_emulated() ? ": times compare with each other only" : "");
	printf("round     p50 %.2f us, p99 %.2f us, least %.2f us\n", percentile(b, 50),
	       percentile(b, 99), percentile(b, 0));
	if (a->depth > 1)
		printf("request   p50 %.2f us\n", percentile(b, 50) / a->depth);
}

static int cmd_broker(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.doc = "Measure round trips between a client and an executor that answers with its input.",
	};
	struct arguments a = {
		.common = CLI_COMMON, .owner = AIF_OWNER_TRUSTED,
		.executor = DOOR_SPIN + 1, .depth = 1, .count = COUNT_DEFAULT, .bytes = 64,
	};
	struct bench b = { .args = &a };
	struct echo *echo = NULL;
	struct aif_why why = { "" };
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.executor > DOOR_SPIN)
		a.executor = a.client;
	if (!a.service) {
		echo = echo_start(a.common.device, a.executor, a.depth, &why);
		if (!echo)
			return cli_error("%s", why.text);
	}
	err = set_up(&b, echo ? echo_name(echo) : a.service, &why);
	if (!err)
		err = run(&b, &why);
	if (!err)
		report(&b);
	tear_down(&b);
	if (echo)
		echo_stop(echo);
	return cli_finish(err ? cli_error("%s", why.text) : CLI_OK);
}

int cmd_bench(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "broker", cmd_broker, "round trips through a device" },
		{ 0 },
	};

	return cli_dispatch(argv[0], "Measure what things cost on this machine.", commands, argc,
			    argv);
}
