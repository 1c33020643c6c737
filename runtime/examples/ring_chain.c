/* SPDX-License-Identifier: MIT */
/*
 * A file goes through a model and into another file, with one system call that
 * submits all three steps as a chain:
 *
 *	ring_chain IN OUT [SERVICE [OWNER-UID]]
 *
 *	read(IN) -> infer -> write(OUT)
 *
 * Sizes are fixed when the chain is submitted: here the answer is as long as the
 * question, as of the service "echo".
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libaif.h"

enum step { STEP_READ, STEP_INFER, STEP_WRITE, STEP_COUNT };

static const char *const step_names[] = { "read", "infer", "write" };

static void fail(const char *what, int error)
{
	fprintf(stderr, "ring_chain: %s: %s\n", what, aif_error_text(error));
	exit(1);
}

static size_t size_of(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		fail("cannot open the input", errno);
	return (size_t)st.st_size;
}

/*
 * The middle link's SQE is read by the kernel only when the first link is through,
 * unless IOSQE_ASYNC asks for a copy at once.  Without it the submission queue's
 * entry must be left alone until then; a real program goes on using its ring.
 */
static void prepare_chain(struct io_uring *ring, int in, int out, struct aif_request *request,
			  const struct iovec *question, const struct iovec *answer)
{
	struct io_uring_sqe *sqe;
	int err;

	sqe = io_uring_get_sqe(ring);
	io_uring_prep_read(sqe, in, question->iov_base, (unsigned int)question->iov_len, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = STEP_READ;

	sqe = io_uring_get_sqe(ring);
	err = aif_prep_submit(sqe, &request, 1, AIF_SUBMIT_WAIT_ALL);
	if (err)
		fail("cannot prepare the inference", err);
	sqe->flags |= IOSQE_IO_LINK | IOSQE_ASYNC;
	sqe->user_data = STEP_INFER;

	sqe = io_uring_get_sqe(ring);
	io_uring_prep_write(sqe, out, answer->iov_base, (unsigned int)answer->iov_len, 0);
	sqe->user_data = STEP_WRITE;
}

/* All three completions; a step that fails cancels those behind it. */
static void run_chain(struct io_uring *ring, int results[STEP_COUNT])
{
	struct io_uring_cqe *cqe;
	int i, err;

	err = io_uring_submit(ring);
	if (err != STEP_COUNT)
		fail("io_uring_submit", err);
	for (i = 0; i < STEP_COUNT; i++) {
		err = io_uring_wait_cqe(ring, &cqe);
		if (err)
			fail("io_uring_wait_cqe", err);
		results[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
}

int main(int argc, char **argv)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .features = AIF_FEATURE_URING };
	int results[STEP_COUNT], in, out, i;
	struct iovec question, answer;
	struct io_uring ring;
	size_t size;

	if (argc < 3) {
		fprintf(stderr, "usage: ring_chain IN OUT [SERVICE [OWNER-UID]]\n");
		return 2;
	}
	in = open(argv[1], O_RDONLY | O_CLOEXEC);
	size = size_of(in);
	out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		fail("cannot open the output", errno);

	struct aif_client *client = aif_client_open(&opts);

	if (!client)
		fail("/dev/aif", errno);
	struct aif_service *service = aif_service_open(client, argc > 3 ? argv[3] : "echo",
						       argc > 4 ? (uint32_t)atol(argv[4]) :
								  AIF_OWNER_TRUSTED);
	if (!service)
		fail("cannot open the service", errno);
	struct aif_buffer *buffer = aif_buffer_alloc(client, 2 * size + 4096);

	if (!buffer || !aif_grant_create(buffer, service, AIF_GRANT_WRITE))
		fail("cannot get memory for the file", errno);
	question = (struct iovec){ aif_buffer_carve(buffer, size, 0), size };
	answer = (struct iovec){ aif_buffer_carve(buffer, size, 0), size };

	struct aif_request *request = aif_request_get(client);
	const struct aif_request_spec spec = {
		.size = sizeof(spec), .in = &question, .in_count = 1,
		.out = &answer, .out_count = 1,
	};
	int err = aif_request_prepare(request, service, &spec);

	if (err)
		fail("cannot prepare the request", err);
	err = io_uring_queue_init(8, &ring, 0);
	if (err)
		fail("io_uring", err);
	prepare_chain(&ring, in, out, request, &question, &answer);
	run_chain(&ring, results);
	aif_request_submitted(&request, 1, results[STEP_INFER]);

	for (i = 0; i < STEP_COUNT; i++) {
		if (results[i] < 0)
			fail(step_names[i], results[i]);
	}
	/* The chain went on because the request was answered; was it answered well? */
	if (aif_request_result(request) < 0)
		fail("the service", aif_request_result(request));
	printf("%d bytes read, %u produced, %d written\n", results[STEP_READ],
	       aif_request_produced(request), results[STEP_WRITE]);
	io_uring_queue_exit(&ring);
	aif_client_close(client);
	return 0;
}
