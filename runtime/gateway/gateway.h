/* SPDX-License-Identifier: MIT */
/*
 * gateway.h - the process: what it was told, and what its loops share
 *
 * One thread per loop, and the main thread, which waits for signals and looks after
 * what is rare.  What is here is constant once the loops run, but for what says
 * otherwise.
 */
#ifndef AIF_GATEWAY_GATEWAY_H
#define AIF_GATEWAY_GATEWAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTENERS_MAX 16
#define ALIASES_MAX 64

struct catalog_source;
struct identity;
struct loop;
struct opener;
struct shm;
struct tenants;
struct tls;

/* @address: "ADDRESS:PORT"; @metrics: for those who look after the gateway */
struct listen {
	const char *address;
	bool tls, metrics;
};

struct alias {
	const char *name;
	const char *service;
};

/*
 * @keys, @region: as identity_open() takes them
 * @access_log: file, "-": standard output; NULL: none
 * @shm_socket: where applications hand over their memory; NULL: nowhere
 * @echo: the service of the test of streams; NULL: there is none.  @echo_keys: with
 *        "local", what it is (aifd.conf(5)), separated by commas; NULL: nothing
 * @sole: the service of SageMaker's container contract, which names none; NULL: the
 *        first that makes embeddings
 * @threads: loops; 0: one for each processor
 * @body_bytes, @head_bytes: limits of a request; @bodies_bytes, @connections: of all;
 *        the responses together have the limit of the bodies
 * @memory_bytes: granted buffers, of each loop, tenant and service
 * @queue: texts that wait for the device, of each loop and tenant
 * @head_s, @body_s: for a request's head, and all of it, to arrive
 * @idle_s, @write_s: a connection without a request; a client that takes nothing
 * @deadline_s: for the device to answer
 * @drain_s: for all that is under way to end, once asked to stop
 * @truncate: texts over the model's limit are cut, not refused
 * @anonymous: nobody needs a key
 */
struct options {
	struct listen listen[LISTENERS_MAX];
	unsigned int listen_count;
	const char *device;
	const char *model;
	const char *access_log;
	const char *shm_socket;
	const char *echo;
	char *echo_keys;
	const char *tls_cert, *tls_key;
	const char *keys, *region;
	const char *sole;
	struct alias aliases[ALIASES_MAX];
	unsigned int alias_count;
	uint32_t owner;
	unsigned int threads;
	size_t body_bytes, bodies_bytes, head_bytes, memory_bytes;
	unsigned int connections, queue, texts;
	double head_s, body_s, idle_s, write_s, deadline_s, drain_s;
	bool truncate, anonymous;
};

/*
 * @connection_count: of all loops  [any thread]
 * @access_fd: the access log; -1: none
 * @body_bytes: of requests that are not answered yet  [any thread]
 * @reply_bytes: of responses that their clients have not taken yet  [any thread]
 * @opener: NULL where nobody is to be opened for; @opener_died: it was noticed  [any thread]
 * @output_bytes: room for what is on its way to clients  [any thread]
 * @granted_bytes: of buffers that services see  [any thread]
 * @draining: takes no new requests  [any thread]
 */
struct gateway {
	struct options opts;
	struct catalog_source *catalog;
	struct tls *tls;
	struct identity *identity;
	struct tenants *tenants;
	struct shm *shm;
	struct opener *opener;
	struct loop *loops;
	unsigned int loop_count;
	atomic_uint connection_count;
	atomic_size_t body_bytes, reply_bytes, output_bytes, granted_bytes;
	int access_fd;
	atomic_bool draining, opener_died;
};

#endif
