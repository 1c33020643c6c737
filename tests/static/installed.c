// SPDX-License-Identifier: MIT
/*
 * A program of somebody who has nothing but the installed headers, in what C11 and
 * C++11 have in common: a service and its client on the local device, and a
 * model that is not there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aif_model.h>
#include <libaif.h>
#include <linux/aif.h>

#define TEXT "in place"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "installed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct aif_service_io piece(const char *name, bool output)
{
	struct aif_service_io io;

	memset(&io, 0, sizeof(io));
	strcpy(io.name, name);
	io.kind = AIF_KIND_UTF8;
	io.element = AIF_ELEMENT_U8;
	io.output = output;
	io.dims = 1;
	io.shape[0] = -1;
	io.max_bytes = 64;
	return io;
}

static struct aif_holder *create_service(void)
{
	struct aif_service_io io[2] = { piece("text", false), piece("echo", true) };
	struct aif_holder_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.device = "local";
	opts.name = "echo";
	opts.accelerator = "cpu";
	opts.io = io;
	opts.io_count = 2;
	return aif_holder_create(&opts);
}

static struct aif_client *open_client(void)
{
	struct aif_client_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.device = "local";
	return aif_client_open(&opts);
}

static struct aif_executor *attach(struct aif_holder *holder)
{
	struct aif_executor_opts opts;

	memset(&opts, 0, sizeof(opts));
	opts.size = sizeof(opts);
	opts.device = "local";
	opts.service = aif_holder_service(holder);
	opts.holder_fd = aif_holder_fd(holder);
	return aif_executor_open(&opts);
}

/* The input at the buffer's start, the output at its carved piece. */
static struct aif_request *submit(struct aif_client *client, struct aif_service *service,
				  struct iovec *in, struct iovec *out)
{
	struct aif_request *request = aif_request_get(client);
	struct aif_request_spec spec;

	memset(&spec, 0, sizeof(spec));
	spec.size = sizeof(spec);
	spec.in = in;
	spec.in_count = 1;
	spec.out = out;
	spec.out_count = 1;
	require(request && !aif_request_prepare(request, service, &spec), "prepare");
	require(aif_request_submit(&request, 1, 0) == 1, "submit");
	return request;
}

static void execute(struct aif_executor *executor)
{
	struct aif_job *job;

	require(aif_executor_turn(executor, &job, 1, 0) == 1, "turn");
	memcpy(job->out[0].data, job->in[0].data, job->in[0].length);
	aif_job_answer(job, 0, (uint32_t)job->in[0].length, 0);
	require(!aif_executor_flush(executor), "flush");
}

static void test_echo(void)
{
	struct aif_holder *holder = create_service();
	struct aif_executor *executor = holder ? attach(holder) : NULL;
	struct aif_client *client = open_client();
	struct aif_service *service = client ? aif_service_open(client, "echo",
								AIF_OWNER_TRUSTED) : NULL;
	struct aif_buffer *buffer = client ? aif_buffer_alloc(client, 4096) : NULL;
	struct aif_request *request;
	struct iovec in, out;

	require(executor && service && buffer, "open");
	require(aif_grant_create(buffer, service, AIF_GRANT_WRITE) != NULL, "grant");
	in.iov_base = aif_buffer_carve(buffer, in.iov_len = strlen(TEXT), 0);
	out.iov_base = aif_buffer_carve(buffer, out.iov_len = 64, 0);
	memcpy(in.iov_base, TEXT, in.iov_len);
	request = submit(client, service, &in, &out);
	execute(executor);
	require(aif_request_result(request) == 0, "result");
	require(!strcmp((char *)out.iov_base, TEXT), "the answer");
	aif_client_close(client);
	aif_executor_close(executor);
	aif_holder_close(holder);
}

int main(void)
{
	struct aif_model *model;
	struct aif_why why;

	require(aif_model_open("/nonexistent", NULL, &model, &why) == -ENOENT &&
		strstr(why.text, "/nonexistent"), "a model that is not there");
	require(sizeof(struct aif_desc) == 64, "the descriptor");
	test_echo();
	return puts(aif_version()) < 0;
}
