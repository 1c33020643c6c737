// SPDX-License-Identifier: MIT
#include "runtime/gateway/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libaif.h"
#include "runtime/daemon/log.h"
#include "runtime/gateway/buf.h"
#include "runtime/gateway/json.h"
#include "runtime/gateway/loop.h"
#include "runtime/model/why.h"

#define REGIONS_MOST 256
#define PARTS_MOST 1024
#define PATIENCE_MS 5000

/* @key: the random name; @socket: it ends with this */
struct region {
	LIST_ENTRY(region) node;
	atomic_uint references;
	atomic_bool ended;
	char key[SHM_NAME_SIZE];
	struct aif_client *client;
	struct aif_buffer *buffer;
	int answers;
	int socket;
};

/* A part of a region, as a tenant registered it. */
struct part {
	LIST_ENTRY(part) node;
	const struct tenant *tenant;
	struct region *region;
	uint64_t offset, bytes;
	char name[];
};

/*
 * @lock: both lists
 * @thread: accepts, and waits for sockets to end; @stop[]: a pipe that ends it
 */
struct shm {
	struct gateway *gateway;
	const char *path;
	pthread_mutex_t lock;
	LIST_HEAD(, region) regions;
	LIST_HEAD(, part) parts;
	unsigned int region_count, part_count;
	pthread_t thread;
	int listener;
	int stop[2];
};

/* ---- regions ---- */

void region_get(struct region *r)
{
	atomic_fetch_add(&r->references, 1);
}

void region_put(struct region *r)
{
	if (!r || atomic_fetch_sub(&r->references, 1) > 1)
		return;
	aif_client_close(r->client);
	if (r->answers >= 0)
		close(r->answers);
	free(r);
}

bool region_ended(const struct region *r)
{
	return atomic_load(&r->ended);
}

struct aif_client *region_client(const struct region *r)
{
	return r->client;
}

struct aif_buffer *region_buffer(const struct region *r)
{
	return r->buffer;
}

int region_answers(const struct region *r)
{
	return r->answers;
}

static int key_make(char *key)
{
	uint8_t random[(SHM_NAME_SIZE - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		sprintf(key + 2 * i, "%02x", random[i]);
	return 0;
}

/* The file becomes the region's once its client is open. */
static int region_fill(struct region *r, const char *device, int fd,
		       const struct aif_buffer_place *place)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = device, .fd = fd };

	r->answers = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->answers < 0 || key_make(r->key))
		return -errno;
	r->client = aif_client_open(&opts);
	if (!r->client) {
		int err = -errno;

		close(fd);
		return err;
	}
	r->buffer = aif_buffer_adopt(r->client, place);
	return r->buffer ? aif_client_set_eventfd(r->client, r->answers) : -errno;
}

static struct region *region_open(const char *device, int fd, int socket,
				  const struct aif_buffer_place *place)
{
	struct region *r = calloc(1, sizeof(*r));
	int err;

	if (!r) {
		close(fd);
		return NULL;
	}
	atomic_init(&r->references, 1);
	r->socket = socket;
	err = region_fill(r, device, fd, place);
	if (!err)
		return r;
	region_put(r);
	errno = -err;
	return NULL;
}

/* Under the lock: its parts go, and the loops let go of it. */
static void region_end(struct shm *s, struct region *r)
{
	struct part *p, *next;

	for (p = LIST_FIRST(&s->parts); p; p = next) {
		next = LIST_NEXT(p, node);
		if (p->region != r)
			continue;
		LIST_REMOVE(p, node);
		s->part_count--;
		free(p);
	}
	atomic_store(&r->ended, true);
	aif_client_cancel_all(r->client);
	close(r->socket);
	LIST_REMOVE(r, node);
	s->region_count--;
	for (unsigned int i = 0; i < s->gateway->loop_count; i++)
		loop_wake(&s->gateway->loops[i]);
	region_put(r);
}

/* ---- the socket ---- */

static int receive(int socket, struct aif_buffer_place *place)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec body = { place, sizeof(*place) };
	struct msghdr m = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct pollfd ready = { .fd = socket, .events = POLLIN };
	ssize_t n;
	int fd;

	if (poll(&ready, 1, PATIENCE_MS) <= 0)
		return -ETIME;
	n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	if (!CMSG_FIRSTHDR(&m) || CMSG_FIRSTHDR(&m)->cmsg_type != SCM_RIGHTS)
		return -EBADF;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	if (n == sizeof(*place) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return fd;
	close(fd);
	return -EINVAL;
}

static void refuse(int socket, int err)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "error: %s",
			 err == -EBADF ? "no file of the device came with the message" :
			 err == -ENOSPC ? "there are too many regions" : aif_error_text(err));

	send(socket, text, (size_t)n, MSG_NOSIGNAL);
	close(socket);
}

static void admit(struct shm *s, int socket)
{
	struct aif_buffer_place place;
	struct region *r = NULL;
	int fd = receive(socket, &place);

	if (fd >= 0) {
		r = region_open(s->gateway->opts.device, fd, socket, &place);
		fd = r ? 0 : -errno;
	}
	pthread_mutex_lock(&s->lock);
	if (r && s->region_count == REGIONS_MOST) {
		region_put(r);
		fd = -ENOSPC;
		r = NULL;
	}
	if (r) {
		LIST_INSERT_HEAD(&s->regions, r, node);
		s->region_count++;
	}
	pthread_mutex_unlock(&s->lock);
	if (r)
		send(socket, r->key, SHM_NAME_SIZE - 1, MSG_NOSIGNAL);
	else
		refuse(socket, fd);
}

/* Whoever hangs up, or says more, ends its region. */
static void end_those(struct shm *s, const struct pollfd *fds, nfds_t n)
{
	struct region *r, *next;

	pthread_mutex_lock(&s->lock);
	for (nfds_t i = 0; i < n; i++) {
		for (r = LIST_FIRST(&s->regions); fds[i].revents && r; r = next) {
			next = LIST_NEXT(r, node);
			if (r->socket == fds[i].fd)
				region_end(s, r);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

static nfds_t list_sockets(struct shm *s, struct pollfd *fds)
{
	struct region *r;
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ .fd = s->stop[0], .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	pthread_mutex_lock(&s->lock);
	LIST_FOREACH(r, &s->regions, node)
		fds[n++] = (struct pollfd){ .fd = r->socket, .events = POLLIN };
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Regions come and go rarely: one thread waits for all of them. */
static void *serve(void *ctx)
{
	struct pollfd fds[REGIONS_MOST + 2];
	struct shm *s = ctx;

	for (;;) {
		nfds_t n = list_sockets(s, fds);
		int socket;

		if (poll(fds, n, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		end_those(s, fds + 2, n - 2);
		socket = fds[1].revents ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (socket >= 0)
			admit(s, socket);
	}
}

/* Anybody may: what a region costs its opener pays, and how many there are is limited. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !chmod(path, 0666) &&
	    !listen(fd, SOMAXCONN))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int start(struct shm *s)
{
	s->listener = listen_at(s->path);
	if (s->listener < 0)
		return s->listener;
	if (pipe2(s->stop, O_CLOEXEC))
		return -errno;
	return -pthread_create(&s->thread, NULL, serve, s);
}

struct shm *shm_open_socket(struct gateway *g, const char *path, struct aif_why *why)
{
	struct shm *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	s->gateway = g;
	s->path = path;
	pthread_mutex_init(&s->lock, NULL);
	err = start(s);
	if (!err)
		return s;
	aif_why_format(why, "%s: %s", path, strerror(-err));
	free(s);
	return NULL;
}

void shm_close_socket(struct shm *s)
{
	if (!s)
		return;
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->listener);
	unlink(s->path);
	while (!LIST_EMPTY(&s->regions))
		region_end(s, LIST_FIRST(&s->regions));
	free(s);
}

/* ---- registrations ---- */

static struct part *part_find(const struct shm *s, const struct tenant *tenant, const char *name)
{
	struct part *p;

	LIST_FOREACH(p, &s->parts, node) {
		if (p->tenant == tenant && !strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static struct region *region_find(const struct shm *s, const char *key)
{
	struct region *r;

	LIST_FOREACH(r, &s->regions, node) {
		if (!strcmp(r->key, key))
			return r;
	}
	return NULL;
}

static bool is_inside(uint64_t offset, uint64_t bytes, uint64_t whole)
{
	return offset <= whole && bytes <= whole - offset;
}

static int part_add(struct shm *s, const struct tenant *tenant, const char *name,
		    struct region *r, uint64_t offset, uint64_t bytes)
{
	struct part *p;

	if (!r)
		return -ENOENT;
	if (!bytes || !is_inside(offset, bytes, aif_buffer_size(r->buffer)))
		return -ERANGE;
	if (part_find(s, tenant, name))
		return -EEXIST;
	if (s->part_count == PARTS_MOST)
		return -ENOSPC;
	p = calloc(1, sizeof(*p) + strlen(name) + 1);
	if (!p)
		return -ENOMEM;
	p->tenant = tenant;
	p->region = r;
	p->offset = offset;
	p->bytes = bytes;
	strcpy(p->name, name);
	LIST_INSERT_HEAD(&s->parts, p, node);
	s->part_count++;
	return 0;
}

int shm_register(struct shm *s, const struct tenant *tenant, const char *name, const char *key,
		 uint64_t offset, uint64_t bytes)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = part_add(s, tenant, name, region_find(s, key), offset, bytes);
	pthread_mutex_unlock(&s->lock);
	return err;
}

int shm_unregister(struct shm *s, const struct tenant *tenant, const char *name)
{
	struct part *p, *next;
	bool found = !name;

	pthread_mutex_lock(&s->lock);
	for (p = LIST_FIRST(&s->parts); p; p = next) {
		next = LIST_NEXT(p, node);
		if (p->tenant != tenant || (name && strcmp(p->name, name)))
			continue;
		found = true;
		LIST_REMOVE(p, node);
		s->part_count--;
		free(p);
	}
	pthread_mutex_unlock(&s->lock);
	return found ? 0 : -ENOENT;
}

struct region *shm_find(struct shm *s, const struct tenant *tenant, const char *name,
			uint64_t offset, uint64_t length, char **data)
{
	struct region *r = NULL;
	struct part *p;
	int err = ENOENT;

	pthread_mutex_lock(&s->lock);
	p = part_find(s, tenant, name);
	if (p) {
		err = is_inside(offset, length, p->bytes) ? 0 : ERANGE;
		r = err ? NULL : p->region;
	}
	if (r) {
		region_get(r);
		*data = (char *)aif_buffer_data(r->buffer) + p->offset + offset;
	}
	pthread_mutex_unlock(&s->lock);
	if (!r)
		errno = err;
	return r;
}

static void part_write(const struct part *p, struct buf *b)
{
	buf_text(b, "{\"name\":");
	json_string_add(b, p->name);
	buf_format(b, ",\"key\":\"%s\",\"offset\":%llu,\"byte_size\":%llu}", p->region->key,
		   (unsigned long long)p->offset, (unsigned long long)p->bytes);
}

int shm_status(struct shm *s, const struct tenant *tenant, const char *name, struct buf *b)
{
	const char *comma = "";
	struct part *p;

	buf_text(b, "[");
	pthread_mutex_lock(&s->lock);
	LIST_FOREACH(p, &s->parts, node) {
		if (p->tenant != tenant || (name && strcmp(p->name, name)))
			continue;
		buf_text(b, comma);
		part_write(p, b);
		comma = ",";
	}
	pthread_mutex_unlock(&s->lock);
	buf_text(b, "]");
	return name && !*comma ? -ENOENT : 0;
}
