// SPDX-License-Identifier: MIT
/*
 * aif transfer - a file's bytes through pinned memory
 *
 * A window of the source is mapped, pinned where it lies in the page cache, and
 * copied by the machine's engines into one of two buffers; while the next is copied,
 * the one before is written out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/why.h"
#include "tools/cli.h"

#define WINDOW		((size_t)4 << 20)
#define WINDOW_MIN	((size_t)64 << 10)
#define MIB		(1024.0 * 1024)

struct arguments {
	struct cli_common common;
	const char *files[2];
	unsigned int file_count;
	bool quiet;
};

/* A window on its way. */
struct piece {
	struct aif_request *request;
	struct aif_buffer *buffer;	/* the engine's target */
	struct aif_buffer *pinned;
	void *map;
	size_t bytes;			/* 0: none */
};

struct transfer {
	const struct arguments *args;
	struct aif_client *client;
	int from, to;
	char *to_path;			/* that becomes the destination at the end */
	size_t bytes, done, window;
	uint64_t device_ns, start_ns;
	struct piece pieces[2];
	struct aif_why why;
};

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	CLI_OPTION_JSON("One JSON object"),
	{ "quiet", 'q', NULL, 0, "Say nothing of bytes and rates", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'q':
		a->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->file_count == 2)
			argp_usage(state);
		a->files[a->file_count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->file_count < 2)
			argp_error(state, "SRC and DST are needed");
		return 0;
	}
	return cli_parse_common(key, arg, state);
}

/* ---- files ---- */

static int open_source(struct transfer *t)
{
	const char *path = t->args->files[0];
	struct stat st;

	t->from = open(path, O_RDONLY | O_CLOEXEC);
	if (t->from < 0 || fstat(t->from, &st))
		return aif_why_set(&t->why, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return aif_why_set(&t->why, -EINVAL, "%s: not a regular file, which alone can be pinned",
				   path);
	t->bytes = (size_t)st.st_size;
	return 0;
}

/* Beside the destination, which it replaces when it is whole. */
static int open_destination(struct transfer *t)
{
	const char *path = t->args->files[1];

	if (asprintf(&t->to_path, "%s.XXXXXX", path) < 0) {
		t->to_path = NULL;
		return aif_why_set(&t->why, -ENOMEM, "no memory");
	}
	t->to = mkostemp(t->to_path, O_CLOEXEC);
	if (t->to >= 0)
		return 0;
	free(t->to_path);
	t->to_path = NULL;
	return aif_why_set(&t->why, -errno, "%s: %s", path, strerror(errno));
}

static int finish_destination(struct transfer *t)
{
	const char *path = t->args->files[1];
	mode_t mask = umask(0);

	umask(mask);
	if (fchmod(t->to, 0666 & ~mask) || fsync(t->to) || rename(t->to_path, path))
		return aif_why_set(&t->why, -errno, "%s: %s", path, strerror(errno));
	free(t->to_path);
	t->to_path = NULL;
	return 0;
}

static int write_out(struct transfer *t, const char *data, size_t bytes)
{
	ssize_t n;

	while (bytes) {
		n = write(t->to, data, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return aif_why_set(&t->why, -errno, "%s: %s", t->args->files[1],
					   strerror(errno));
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* ---- windows ---- */

static void piece_unpin(struct piece *p)
{
	if (p->pinned)
		aif_buffer_free(p->pinned);
	if (p->map)
		munmap(p->map, p->bytes);
	p->pinned = NULL;
	p->map = NULL;
}

static int piece_finish(struct transfer *t, struct piece *p)
{
	struct aif_outcome o = { .size = sizeof(o) };
	int err;

	do
		err = aif_request_wait(p->request, -1);
	while (err == -EINTR);
	if (!err)
		err = aif_request_outcome(p->request, &o);
	if (!err)
		err = o.result;
	if (err)
		return aif_why_set(&t->why, err, "transfer: %s", aif_error_text(err));
	t->device_ns += o.device_ns;
	err = write_out(t, aif_buffer_data(p->buffer), p->bytes);
	t->done += p->bytes;
	piece_unpin(p);
	p->bytes = 0;
	if (!t->args->quiet && t->bytes)
		cli_progress("%5.1f %% of %.1f MiB", 100.0 * (double)t->done / (double)t->bytes,
			     (double)t->bytes / MIB);
	return err;
}

static int pin_failed(struct transfer *t, size_t bytes, int err)
{
	return aif_why_set(&t->why, err, "%s: cannot pin %zu bytes: %s%s", t->args->files[0], bytes,
			   aif_error_text(err), err == -ENOMEM ? " (see ulimit -l)" : "");
}

/* A window as large as this process may pin, alone if need be. */
static int piece_pin(struct transfer *t, struct piece *p, size_t offset)
{
	struct piece *other = &t->pieces[p == &t->pieces[0]];
	int err;

	for (;;) {
		p->bytes = t->bytes - offset < t->window ? t->bytes - offset : t->window;
		p->map = mmap(NULL, p->bytes, PROT_READ, MAP_SHARED, t->from, (off_t)offset);
		if (p->map == MAP_FAILED) {
			p->map = NULL;
			return aif_why_set(&t->why, -errno, "%s: mmap: %s", t->args->files[0],
					   strerror(errno));
		}
		p->pinned = aif_buffer_pin(t->client, p->map, p->bytes, 0);
		err = p->pinned ? 0 : -errno;
		if (!err)
			return 0;
		piece_unpin(p);
		if (err != -ENOMEM || (!other->bytes && t->window == WINDOW_MIN))
			return pin_failed(t, p->bytes, err);
		err = other->bytes ? piece_finish(t, other) : 0;
		if (err)
			return err;
		t->window = t->window > WINDOW_MIN ? t->window / 2 : WINDOW_MIN;
	}
}

static int piece_start(struct transfer *t, struct piece *p, size_t offset)
{
	struct aif_transfer_spec spec = { .size = sizeof(spec), .to = p->buffer };
	int err = piece_pin(t, p, offset);
	int n;

	if (err)
		return err;
	spec.from = p->pinned;
	spec.bytes = p->bytes;
	n = aif_request_prepare_transfer(p->request, &spec);
	if (!n)
		n = aif_request_submit(&p->request, 1, 0);
	return n == 1 ? 0 : aif_why_set(&t->why, n, "transfer: %s", aif_error_text(n));
}

static int copy(struct transfer *t)
{
	size_t started = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && t->done < t->bytes; i ^= 1) {
		if (started < t->bytes) {
			err = piece_start(t, &t->pieces[i], started);
			started += t->pieces[i].bytes;
		}
		if (!err && t->pieces[i ^ 1].bytes)
			err = piece_finish(t, &t->pieces[i ^ 1]);
	}
	return err;
}

/* ---- all of it ---- */

static int open_client(struct transfer *t)
{
	struct aif_client_opts opts = {
		.size = sizeof(opts), .device = t->args->common.device, .depth = 2,
		.features = AIF_FEATURE_TRANSFER,
	};
	struct aif_client_info info = { .size = sizeof(info) };
	unsigned int i;

	t->client = aif_client_open(&opts);
	if (!t->client) {
		cli_open_why(opts.device, errno, &t->why);
		return -ENODEV;
	}
	aif_client_info(t->client, &info);
	if (!(info.features & AIF_FEATURE_TRANSFER))
		return aif_why_set(&t->why, -EOPNOTSUPP, "%s: has no transfers", opts.device);
	for (i = 0; i < 2; i++) {
		t->pieces[i].request = aif_request_get(t->client);
		t->pieces[i].buffer = aif_buffer_alloc(t->client, WINDOW);
		if (!t->pieces[i].request || !t->pieces[i].buffer)
			return aif_why_set(&t->why, -errno, "two buffers of %zu bytes: %s", WINDOW,
					   aif_error_text(errno));
	}
	return 0;
}

static double rate(const struct transfer *t, uint64_t ns)
{
	return ns ? (double)t->bytes / MIB * 1e9 / (double)ns : 0;
}

static void report(const struct transfer *t)
{
	uint64_t ns = cli_now_ns() - t->start_ns;
	json_t *o;

	cli_progress_end();
	if (t->args->common.json) {
		o = json_object();
		cli_json_set(o, "bytes", json_integer((json_int_t)t->bytes));
		cli_json_set(o, "engine", json_string("cpu"));
		cli_json_set(o, "engine_ns", json_integer((json_int_t)t->device_ns));
		cli_json_set(o, "ns", json_integer((json_int_t)ns));
		cli_json_line(o);
	} else if (!t->args->quiet) {
		printf("%zu bytes, engine cpu: %.1f MiB/s, with the files: %.1f MiB/s\n", t->bytes,
		       rate(t, t->device_ns), rate(t, ns));
	}
}

/* Closing the client lets go of what is pinned once its transfers are quiet. */
static void end(struct transfer *t)
{
	unsigned int i;

	if (t->client) {
		aif_client_cancel_all(t->client);
		aif_client_wait_quiet(t->client, -1);
	}
	for (i = 0; i < 2; i++)
		piece_unpin(&t->pieces[i]);
	aif_client_close(t->client);
	if (t->to_path)
		unlink(t->to_path);
	free(t->to_path);
	if (t->to >= 0)
		close(t->to);
	if (t->from >= 0)
		close(t->from);
}

int cmd_transfer(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "SRC DST",
		.doc = "Copy a file: pinned where it lies, moved by the machine's engines.",
	};
	struct arguments a = { .common = CLI_COMMON };
	struct transfer t = { .args = &a, .from = -1, .to = -1, .window = WINDOW };
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	err = open_source(&t);
	if (!err)
		err = open_client(&t);
	if (!err)
		err = open_destination(&t);
	t.start_ns = cli_now_ns();
	if (!err)
		err = copy(&t);
	if (!err)
		err = finish_destination(&t);
	if (!err)
		report(&t);
	end(&t);
	return err ? cli_error("%s", t.why.text) : cli_finish(CLI_OK);
}
