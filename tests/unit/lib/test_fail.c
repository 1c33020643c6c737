// SPDX-License-Identifier: MIT
/*
 * Whatever libaif asks this machine for may be refused: the first memory, mapping,
 * file or thread, then the second, and so on until none is left to refuse.  Each time
 * the answer says so (or there was another way), nothing leaks (the sanitizers watch),
 * and the next one who asks is served as if nothing had been.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "libaif.h"

#define FAILURES_MAX	1000	/* more are a loop */
#define BYTES		8192

/* ---- what can be refused (the linker's --wrap) ---- */

static unsigned int left;	/* asked for before one is refused; 0: none is */
static bool refused;

/* The device's own thread asks for nothing. */
static bool refuse(void)
{
	if (!left || --left)
		return false;
	refused = true;
	errno = ENOMEM;
	return true;
}

#define WRAP(type, function, failed, parameters, arguments)	\
	type __real_##function parameters;			\
	type __wrap_##function parameters;			\
	type __wrap_##function parameters			\
	{							\
		return refuse() ? (failed) : __real_##function arguments;	\
	}

WRAP(void *, malloc, NULL, (size_t size), (size))
WRAP(void *, calloc, NULL, (size_t count, size_t size), (count, size))
WRAP(void *, reallocarray, NULL, (void *old, size_t count, size_t size), (old, count, size))
WRAP(char *, strndup, NULL, (const char *text, size_t length), (text, length))
WRAP(int, memfd_create, -1, (const char *name, unsigned int flags), (name, flags))
WRAP(int, posix_fallocate, ENOSPC, (int fd, off_t offset, off_t length), (fd, offset, length))
WRAP(int, eventfd, -1, (unsigned int count, int flags), (count, flags))
WRAP(void *, mmap, MAP_FAILED,
     (void *at, size_t length, int prot, int flags, int fd, off_t offset),
     (at, length, prot, flags, fd, offset))
WRAP(int, pthread_create, EAGAIN,
     (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *argument),
     (thread, attr, run, argument))

/* ---- all that the library does, once ---- */

static struct aif_holder *holder;
static struct aif_executor *executor;
static struct aif_client *client;
static struct aif_service *service;
static struct aif_buffer *buffer;
static struct aif_grant *grant;

static int open_server(void)
{
	static const struct aif_service_io io[] = {
		{ .name = "in", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .max_bytes = 64 },
		{ .name = "out", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .output = true, .shape = { -1 }, .max_bytes = 64 },
	};

	holder = aif_holder_create(&(struct aif_holder_opts){
		.size = sizeof(struct aif_holder_opts), .device = "local", .name = "fail",
		.accelerator = "fail", .text = "key=value", .io = io, .io_count = 2,
	});
	if (!holder)
		return -errno;
	executor = aif_executor_open(&(struct aif_executor_opts){
		.size = sizeof(struct aif_executor_opts), .device = "local",
		.service = aif_holder_service(holder), .holder_fd = aif_holder_fd(holder),
	});
	return executor ? 0 : -errno;
}

static int open_client(void)
{
	client = aif_client_open(&(struct aif_client_opts){
		.size = sizeof(struct aif_client_opts), .device = "local", .depth = 4,
	});
	if (!client)
		return -errno;
	service = aif_service_open(client, "fail", AIF_OWNER_TRUSTED);
	if (!service)
		return -errno;
	buffer = aif_buffer_alloc(client, BYTES);
	if (!buffer)
		return -errno;
	grant = aif_grant_create(buffer, service, AIF_GRANT_WRITE);
	return grant ? 0 : -errno;
}

static int submit(struct aif_request *r)
{
	struct iovec in = { aif_buffer_carve(buffer, 5, 0), 5 };
	struct iovec out = { aif_buffer_carve(buffer, 64, 0), 64 };
	struct aif_request_spec spec = {
		.size = sizeof(spec), .in = &in, .in_count = 1, .out = &out, .out_count = 1,
	};
	int err;

	memcpy(in.iov_base, "hello", 5);
	err = aif_request_prepare(r, service, &spec);
	return err ? err : aif_request_submit(&r, 1, 0);
}

/* What the executor cannot map it answers without a job. */
static int execute(struct aif_request *r)
{
	struct aif_job *job;
	int n = aif_executor_turn(executor, &job, 1, AIF_TURN_NONBLOCK);

	if (n < 0)
		return n;
	if (n)
		aif_job_answer(job, 7, 0, 0);
	n = aif_executor_flush(executor);
	return n ? n : aif_request_result(r);
}

static int request(void)
{
	struct aif_request *r = aif_request_get(client);
	int err = r ? submit(r) : -errno;

	if (err >= 0)
		err = execute(r);
	aif_request_put(r);
	return err;
}

static int revoke(void)
{
	int err = aif_grant_revoke(grant);

	grant = NULL;
	if (!err)
		err = aif_executor_turn(executor, NULL, 0, AIF_TURN_NONBLOCK);
	if (!err)
		err = aif_executor_flush(executor);
	return err ? err : aif_buffer_free(buffer);
}

static int describe(void)
{
	struct aif_service_info *info = aif_holder_describe(holder);
	uint32_t id;
	int err = info ? 0 : -errno;

	aif_service_info_free(info);
	return err ? err : aif_service_list(client, &id, 1);
}

static int everything(void)
{
	int err = open_server();

	if (!err)
		err = open_client();
	if (!err)
		err = describe() == 1 ? 0 : -ENOMEM;
	if (!err)
		err = request();
	if (err == 7)
		err = revoke();
	return err;
}

static void close_all(void)
{
	aif_client_close(client);
	if (executor)
		aif_executor_close(executor);
	aif_holder_close(holder);
	client = NULL;
	executor = NULL;
	holder = NULL;
}

static void test_each_is_refused(void **state)
{
	unsigned int n;
	int err;

	for (n = 1; n < FAILURES_MAX; n++) {
		left = n;
		refused = false;
		err = everything();
		left = 0;
		close_all();
		if (!refused)
			break;
		if (err != -ENOMEM && err != -EAGAIN && err)
			fail_msg("number %u refused: %s", n, strerrorname_np(-err));
		assert_int_equal(everything(), 0);
		close_all();
	}
	assert_int_equal(err, 0);
	assert_in_range(n, 30, FAILURES_MAX - 1);
	print_message("# %u refused\n", n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("libaif, refused", tests, NULL, NULL);
}
