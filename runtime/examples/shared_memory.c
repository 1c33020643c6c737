// SPDX-License-Identifier: MIT
/*
 * Shared memory with aif-gateway, from its user's side.
 *
 *	shared_memory SOCKET DIMENSIONS TEXT...
 *
 * Puts the TEXTs into a buffer of its own, as a BYTES tensor at offset 0, hands file and
 * buffer to the gateway, and prints the name that a client registers as `key`, the
 * tensor's size, and where the vectors are to go.  Then, for each line on standard
 * input, prints the vectors that are there; at its end the region ends with us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libaif.h"

#define BUFFER_BYTES (1u << 20)
#define OUTPUT_OFFSET (1u << 19)

static int fail(const char *what)
{
	fprintf(stderr, "shared_memory: %s: %s\n", what, strerror(errno));
	return 1;
}

/* A length before each, little endian as this machine.  0: they do not fit. */
static size_t put_texts(char *to, char **texts)
{
	size_t used = 0;

	for (; *texts; texts++) {
		uint32_t length = (uint32_t)strlen(*texts);

		if (sizeof(length) + length > OUTPUT_OFFSET - used)
			return 0;
		memcpy(to + used, &length, sizeof(length));
		memcpy(to + used + sizeof(length), *texts, length);
		used += sizeof(length) + length;
	}
	return used;
}

static int send_buffer(int socket, int fd, struct aif_buffer_place *place)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec body = { place, sizeof(*place) };
	struct msghdr m = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	*CMSG_FIRSTHDR(&m) = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	return sendmsg(socket, &m, 0) == (ssize_t)sizeof(*place) ? 0 : -1;
}

/* The region lives as long as the socket, which nobody closes. */
static int hand_over(const char *path, struct aif_client *client, struct aif_buffer *buffer,
		     char *name, size_t room)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct aif_buffer_place place;
	ssize_t n;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	aif_buffer_place(buffer, &place);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send_buffer(fd, aif_client_fd(client), &place))
		return -1;
	n = recv(fd, name, room - 1, 0);
	if (n <= 0)
		return -1;
	name[n] = '\0';
	return 0;
}

static void print_vectors(const float *values, unsigned int dimensions, int count)
{
	for (int i = 0; i < count; i++, values += dimensions) {
		for (unsigned int d = 0; d < dimensions; d++)
			printf("%s%.9g", d ? " " : "", (double)values[d]);
		putchar('\n');
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int dimensions = argc > 3 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
	struct aif_client *client;
	struct aif_buffer *buffer;
	char name[256], line[16];
	size_t bytes;
	char *data;

	if (!dimensions || (size_t)(argc - 3) * dimensions * sizeof(float) > OUTPUT_OFFSET) {
		fprintf(stderr, "usage: shared_memory SOCKET DIMENSIONS TEXT...\n");
		return 2;
	}
	client = aif_client_open(NULL);
	buffer = client ? aif_buffer_alloc(client, BUFFER_BYTES) : NULL;
	if (!buffer)
		return fail("/dev/aif");
	data = aif_buffer_data(buffer);
	bytes = put_texts(data, argv + 3);
	if (hand_over(argv[1], client, buffer, name, sizeof(name)))
		return fail(argv[1]);
	printf("%s %zu %u\n", name, bytes, OUTPUT_OFFSET);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		print_vectors((const float *)(data + OUTPUT_OFFSET), dimensions, argc - 3);
	return 0;
}
