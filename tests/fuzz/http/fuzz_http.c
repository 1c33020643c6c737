// SPDX-License-Identifier: MIT
/*
 * A connection as a client may use it: its first byte says how large the pieces are in
 * which the rest comes.  HTTP/1.1 and HTTP/2, whatever it begins with, up to every API
 * and into requests of a service, which nobody executes: when the client goes away all of
 * it is cancelled and nothing is left.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "libaif.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/conn.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/tenant.h"

#define DIMENSIONS 8
#define TURNS 4

static struct gateway gateway;
static struct loop loop;
static struct aif_holder *holder;

static void create_service(void)
{
	static const struct aif_service_io io[] = {
		{ .name = "text", .kind = AIF_KIND_UTF8, .element = AIF_ELEMENT_U8, .dims = 1,
		  .shape = { -1 }, .alignment = 1, .max_bytes = 4096 },
		{ .name = "embedding", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_F32,
		  .output = true, .dims = 1, .shape = { DIMENSIONS },
		  .max_bytes = DIMENSIONS * sizeof(float) },
		{ .name = "counts", .kind = AIF_KIND_TENSOR, .element = AIF_ELEMENT_I32,
		  .output = true, .optional = true, .dims = 1, .shape = { 2 }, .max_bytes = 8 },
	};

	holder = aif_holder_create(&(struct aif_holder_opts) {
		.size = sizeof(struct aif_holder_opts), .device = "local", .name = "embed",
		.accelerator = "cpu", .model = "model", .text = "max_tokens=256\n",
		.io = io, .io_count = 3,
	});
	require(holder, "a service");
}

static void stop(void)
{
	loop_fini(&loop);
	catalog_source_close(gateway.catalog);
	tenants_close(gateway.tenants);
	aif_holder_close(holder);
}

void fuzz_start(void)
{
	struct aif_why why;

	create_service();
	gateway = (struct gateway){
		.access_fd = -1, .loops = &loop, .loop_count = 1,
		.opts = {
			.device = "local", .owner = AIF_OWNER_TRUSTED, .body_bytes = 1 << 16,
			.bodies_bytes = 1 << 20, .head_bytes = 4096, .memory_bytes = 1 << 22,
			.connections = 16, .queue = 64, .texts = 32, .head_s = 10, .body_s = 10,
			.idle_s = 10, .write_s = 10, .deadline_s = 10, .anonymous = true,
			.echo = "embed",
		},
	};
	gateway.tenants = tenants_open();
	gateway.catalog = catalog_source_open(&gateway, &why);
	require(gateway.tenants && gateway.catalog, "a gateway");
	require(!loop_init(&loop, &gateway, &why), "a loop");
	atexit(stop);
}

/* What came back, up to where there is nothing; true: some of it was no error. */
static bool take_answers(int fd)
{
	char answer[65536];
	bool good = false;
	ssize_t n;

	while ((n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0)
		good |= memmem(answer, (size_t)n, "200 OK", 6) != NULL;
	return good;
}

/* Has a service been asked, and not answered? */
static bool asks(void)
{
	for (const struct series *s = atomic_load(&loop.metrics.list); s; s = s->next) {
		if (atomic_load(&s->in_flight))
			return true;
	}
	return false;
}

static void turn(void)
{
	for (unsigned int i = 0; i < TURNS; i++)
		ev_run(loop.ev, EVRUN_NOWAIT);
}

static bool converse(int fd, struct input *in, size_t piece)
{
	bool good = false;

	while (in->left) {
		size_t n = in->left < piece ? in->left : piece;

		if (send(fd, in->at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		in->at += n;
		in->left -= n;
		turn();
		good |= take_answers(fd);
	}
	turn();
	good |= asks();
	return take_answers(fd) || good;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	const struct listen at = { .address = "" };
	struct sockaddr_storage peer = { .ss_family = AF_INET };
	struct input in = { data, size };
	size_t piece = 1 + (size_t)take(&in) * 16;
	int pair[2];
	bool good;

	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), "a socket");
	atomic_fetch_add(&gateway.connection_count, 1);
	require(!conn_open(&loop, pair[0], &peer, &at), "a connection");
	good = converse(pair[1], &in, piece);
	close(pair[1]);
	turn();
	while (!TAILQ_EMPTY(&loop.conns)) {	/* what reads no more does not see it */
		conns_close(&loop);
		turn();
	}
	require(!atomic_load(&gateway.connection_count), "every connection ends");
	require(!atomic_load(&gateway.body_bytes), "every body is given back");
	require(!atomic_load(&gateway.output_bytes), "so is what was on its way out");
	return good;
}
