// SPDX-License-Identifier: MIT
/*
 * The same HTTP request, N times from each of some connections, between the marks of the
 * plugin (tests/bench/inplace/): one in flight on each.  Prints how many there were, and
 * the processor time in ns that each process given by its id had meanwhile.
 *
 * bench_http PORT PATH BODY CONNECTIONS N PID...
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/inplace/marks.h"

#define CONNECTIONS_MAX 64
#define PIDS_MAX 8
#define REPLY_MAX 65536

struct connection {
	unsigned int left;
	size_t length;
	char reply[REPLY_MAX];
};

static struct connection conns[CONNECTIONS_MAX];
static struct pollfd fds[CONNECTIONS_MAX];
static char request[4096];
static size_t request_length;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_connection(unsigned short port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("bench_http: connect");
	return fd;
}

static void ask(int fd)
{
	if (write(fd, request, request_length) != (ssize_t)request_length)
		fail("bench_http: write");
}

/* Has the whole response come?  Anything but 200 is an error of the benchmark. */
static int is_whole(struct connection *c)
{
	char *body, *length;

	c->reply[c->length] = '\0';
	body = strstr(c->reply, "\r\n\r\n");
	if (!body)
		return 0;
	length = strcasestr(c->reply, "content-length:");
	if (strncmp(c->reply, "HTTP/1.1 200", 12) || !length || length > body) {
		fprintf(stderr, "bench_http: %s\n", c->reply);
		exit(1);
	}
	return c->length == (size_t)(body + 4 - c->reply) + strtoul(length + 15, NULL, 10);
}

/* 1: it has no more to do. */
static int go_on(struct connection *c, int fd)
{
	ssize_t n = read(fd, c->reply + c->length, REPLY_MAX - 1 - c->length);

	if (n <= 0)
		fail("bench_http: read");
	c->length += (size_t)n;
	if (!is_whole(c))
		return 0;
	c->length = 0;
	if (!--c->left)
		return 1;
	ask(fd);
	return 0;
}

static void run(unsigned int n, unsigned int each)
{
	unsigned int working = n;

	for (unsigned int i = 0; i < n; i++) {
		conns[i].left = each;
		ask(fds[i].fd);
	}
	while (working) {
		if (poll(fds, n, -1) < 0)
			fail("bench_http: poll");
		for (unsigned int i = 0; i < n; i++)
			if (fds[i].revents)
				working -= (unsigned int)go_on(&conns[i], fds[i].fd);
	}
}

/* Of all its threads. */
static unsigned long long process_ns(const char *pid)
{
	unsigned long long total = 0, ns;
	struct dirent *task;
	char path[512];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, task->d_name);
		f = *task->d_name == '.' ? NULL : fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			total += ns;
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return total;
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 5 ? (unsigned int)strtoul(argv[4], NULL, 10) : 0, i, each;
	unsigned long long before[PIDS_MAX];

	if (!n || n > CONNECTIONS_MAX || argc - 6 > PIDS_MAX) {
		fprintf(stderr, "usage: bench_http PORT PATH BODY CONNECTIONS N PID...\n");
		return 2;
	}
	each = (unsigned int)strtoul(argv[5], NULL, 10);
	request_length = (size_t)snprintf(
		request, sizeof(request), "POST %s HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", argv[2],
		strlen(argv[3]), argv[3]);
	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){
			.fd = open_connection((unsigned short)atoi(argv[1])), .events = POLLIN,
		};
	run(n, each);	/* warm */
	for (i = 0; (int)i < argc - 6; i++)
		before[i] = process_ns(argv[6 + i]);
	MARK(MARK_BEGIN);
	run(n, each);
	MARK(MARK_END);
	printf("%u", n * each);
	for (i = 0; (int)i < argc - 6; i++)
		printf(" %llu", process_ns(argv[6 + i]) - before[i]);
	putchar('\n');
	return 0;
}
