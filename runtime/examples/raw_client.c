/* SPDX-License-Identifier: MIT */
/*
 * One inference with nothing but <linux/aif.h> and libc: what libaif does, in
 * the order it has to be done.
 *
 *	raw_client [TEXT [OWNER-UID]]
 *
 * sends TEXT to the service "echo" of OWNER-UID (0) and prints what comes back.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/aif.h>

#define OUTPUT_OFFSET	4096u	/* input in the buffer's first page, output in its second */
#define BUFFER_BYTES	8192u

static void *check_map(void *address, const char *what)
{
	if (address == MAP_FAILED) {
		perror(what);
		exit(1);
	}
	return address;
}

/* Every operation is an ioctl whose argument begins with its own size. */
static void call(int fd, unsigned long command, void *argument, const char *what)
{
	if (ioctl(fd, command, argument) < 0) {
		perror(what);
		exit(1);
	}
}

static void *map_array(int fd, const struct aif_ioc_info *info, enum aif_array_kind kind, int prot)
{
	const struct aif_array *array = &info->out_arrays[kind];

	return check_map(mmap(NULL, (size_t)array->entry_size * array->count, prot, MAP_SHARED, fd,
			      (off_t)array->offset), "mmap array");
}

/* Is the completion of @generation there?  One aligned 64-bit load with acquire says it. */
static int answered(const struct aif_completion *completion, uint32_t generation)
{
	union {
		uint64_t word;
		struct {
			uint32_t generation, state;
		};
	} now = { .word = __atomic_load_n((const uint64_t *)completion, __ATOMIC_ACQUIRE) };

	return now.generation == generation &&
	       (now.state == AIF_STATE_DONE || now.state == AIF_STATE_ORPHANED);
}

int main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : "hello, machine";
	uint32_t length = (uint32_t)strlen(text);
	int fd = open("/dev/aif", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/aif");
		return 1;
	}
	if (!length || length > OUTPUT_OFFSET) {
		fprintf(stderr, "TEXT has %u bytes; give 1 to %u\n", length, OUTPUT_OFFSET);
		return 1;
	}

	/* How many requests at once, and where the shared arrays are. */
	struct aif_ioc_info info = { .size = sizeof(info), .depth = 1 };

	call(fd, AIF_IOC_INFO, &info, "AIF_IOC_INFO");
	struct aif_desc *desc = map_array(fd, &info, AIF_ARRAY_DESC, PROT_READ | PROT_WRITE);
	const struct aif_completion *done = map_array(fd, &info, AIF_ARRAY_COMPLETION, PROT_READ);

	/* Memory for input and output. */
	struct aif_ioc_buffer_alloc buffer = { .size = sizeof(buffer), .bytes = BUFFER_BYTES };

	call(fd, AIF_IOC_BUFFER_ALLOC, &buffer, "AIF_IOC_BUFFER_ALLOC");
	char *data = check_map(mmap(NULL, buffer.out_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				    (off_t)buffer.out_offset), "mmap buffer");

	/* The service, by name and by who must own it; it may map our buffer. */
	struct aif_ioc_service_open service = {
		.size = sizeof(service),
		.owner = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0,
		.name = "echo",
	};

	call(fd, AIF_IOC_SERVICE_OPEN, &service, "AIF_IOC_SERVICE_OPEN echo");
	struct aif_ioc_grant grant = {
		.size = sizeof(grant), .flags = AIF_GRANT_F_WRITE,
		.buffer = buffer.out_handle, .service = service.out_handle,
	};

	call(fd, AIF_IOC_GRANT, &grant, "AIF_IOC_GRANT");

	/* The request: one input, one output. */
	memcpy(data, text, length);
	desc[0] = (struct aif_desc){
		.tag = 0, .generation = 1, .service = service.out_handle,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = {
			{ .grant = grant.out_grant, .offset = 0, .length = length },
			{ .grant = grant.out_grant, .offset = OUTPUT_OFFSET,
			  .length = BUFFER_BYTES - OUTPUT_OFFSET },
		},
	};

	/* One system call: submit, and come back when it is answered. */
	struct aif_ioc_submit submit = {
		.size = sizeof(submit), .flags = AIF_SUBMIT_F_WAIT_ALL, .first = 0, .count = 1,
	};

	call(fd, AIF_IOC_SUBMIT, &submit, "AIF_IOC_SUBMIT");
	if (!answered(&done[0], 1) || done[0].result < 0) {
		fprintf(stderr, "the request failed: %s\n", strerror(-done[0].result));
		return 1;
	}
	printf("%.*s\n", (int)done[0].produced, data + OUTPUT_OFFSET);
	fprintf(stderr, "%u bytes, attempt %u, %llu ns\n", done[0].produced, done[0].attempt,
		(unsigned long long)(done[0].answered_ns - done[0].submitted_ns));
	return 0;
}
