/* SPDX-License-Identifier: MIT */
/*
 * The interface of <linux/aif.h>, spelled out for tests: nothing here retries,
 * caches or interprets.  Functions return 0 (or what they say) or -errno.
 * Structures are the caller's, zeroed by the open functions.  One thread at a
 * time for each structure; different structures are independent.
 */
#ifndef RAW_H
#define RAW_H

#include <liburing.h>
#include <linux/aif.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AIF_RIGHT_ALL	(AIF_RIGHT_READ | AIF_RIGHT_WRITE | AIF_RIGHT_MAP | AIF_RIGHT_TRANSFER)

#define RAW_CLIENT_UID		1001
#define RAW_EXECUTOR_UID	1002
#define RAW_ATTACKER_UID	1003

/* ioctl(2) as 0 or -errno. */
int raw_call(int fd, unsigned long cmd, void *arg);

/* An fd of @path opened with @uid's (and the same gid's) credentials, for
 * programs that run as root.  The caller's own come back. */
int raw_open_as(const char *path, uid_t uid);
int raw_open_ids(const char *path, uid_t uid, gid_t gid);

/* ---- client ---- */

struct raw_client {
	int fd;
	uint32_t depth;
	uint32_t generation;	/* of the last descriptor made */
	uint32_t position;	/* next of the descriptor ring */
	uint64_t features;
	struct aif_desc *desc;
	const struct aif_completion *done;
	const struct aif_client_status *status;
};

/* Take over @fd: INFO (@depth 0: the default), map the arrays. */
int raw_client_init(struct raw_client *c, int fd, uint32_t depth, uint64_t features);
int raw_client_open(struct raw_client *c, uint32_t depth);	/* as the caller */
/* Ask for more: those granted by now, or -errno. */
int64_t raw_client_ask(struct raw_client *c, uint64_t features);
void raw_client_unmap(struct raw_client *c);			/* arrays only */
void raw_client_close(struct raw_client *c);

/* The handle, or -errno. */
int raw_service_open(struct raw_client *c, const char *name, uid_t owner);

struct raw_buffer {
	uint32_t handle;
	size_t length;
	uint64_t offset;
	uint8_t *base;
};

int raw_buffer_alloc(struct raw_client *c, size_t bytes, struct raw_buffer *b);	/* and map */
int raw_buffer_free(struct raw_client *c, struct raw_buffer *b);		/* unmap first */
/* The handle of the caller's own memory, or -errno.  @flags: AIF_PIN_F_*. */
int raw_pin(struct raw_client *c, const void *memory, size_t bytes, uint32_t flags);
/* The handle of a piece of a memfd, or -errno; the client was granted AIF_F_MEMFD. */
int raw_memfd(struct raw_client *c, int fd, uint64_t offset, uint64_t bytes, uint32_t flags);
int raw_unpin(struct raw_client *c, uint32_t handle);
/* The handle of a dma-buf, or -errno; the client was granted AIF_F_IMPORT. */
int raw_import(struct raw_client *c, int fd, uint32_t flags);
int raw_sync(struct raw_client *c, uint32_t handle, uint32_t flags);	/* AIF_SYNC_F_* */
/* An fd that passes on @rights (AIF_RIGHT_*) of a buffer, or -errno. */
int raw_share(struct raw_client *c, uint32_t handle, uint32_t rights);
/* What @fd passes on, as a handle of @c's with @rights (0: all of it); mapped if it may be. */
int raw_accept(struct raw_client *c, int fd, uint32_t rights, struct raw_buffer *b);
/* Map a buffer for the engine of that name: its number in *@engine.  Granted AIF_F_MAP. */
int raw_map(struct raw_client *c, uint32_t handle, const char *name, uint32_t *engine);
int raw_unmap(struct raw_client *c, uint32_t handle, uint32_t engine);
int raw_grant(struct raw_client *c, uint32_t buffer, uint32_t service, uint32_t flags,
	      uint32_t *grant);
int raw_revoke(struct raw_client *c, uint32_t grant);

/* Transfers, with the client's next generation. */
struct aif_desc raw_copy_desc(struct raw_client *c, uint32_t tag, struct aif_range from,
			      struct aif_range to);
struct aif_desc raw_fill_desc(struct raw_client *c, uint32_t tag, const void *pattern,
			      uint8_t period, struct aif_range to);
/* Submit and wait: the result, or why it was refused. */
int raw_transfer(struct raw_client *c, struct aif_desc d);

/* Copy @n descriptors to the ring and submit: how many were accepted, or -errno. */
int raw_submit(struct raw_client *c, const struct aif_desc *d, uint32_t n, uint32_t flags);
int raw_cancel(struct raw_client *c, uint32_t tag, uint32_t generation);
int raw_wait(struct raw_client *c, uint64_t answered, int64_t timeout_ns);
int raw_wait_produced(struct raw_client *c, uint32_t tag, uint64_t produced, int64_t timeout_ns);
int raw_wait_quiet(struct raw_client *c, uint32_t tag, int64_t timeout_ns);

/* What the completion array says of @tag: its state if @generation is its last, else 0. */
uint32_t raw_state(const struct raw_client *c, uint32_t tag, uint32_t generation);
bool raw_answered(const struct raw_client *c, uint32_t tag, uint32_t generation);

/* Entries of all tenants, into @now[@capacity]: how many there are, or -errno. */
int raw_tenants(int fd, struct aif_tenant_now *now, uint32_t capacity);
/* The entry of tenant @id: 0, -ENOENT, or another -errno. */
int raw_tenant(int fd, uint64_t id, struct aif_tenant_now *now);
int raw_tenant_set(int fd, uint64_t id, uint32_t flags, struct aif_tenant_limits limits);

/* ---- service ---- */

struct raw_service {
	int fd;			/* the holder's file */
	uint32_t id;
	uid_t owner;
	char name[AIF_NAME_MAX];
};

/* One input of text and one output of bytes, each of any length up to 1 MiB;
 * device "test", one step token, all else default. */
struct aif_service_desc raw_service_desc(const char *name);
int raw_service_create(struct raw_service *s, const struct aif_service_desc *desc, uid_t owner);
void raw_service_close(struct raw_service *s);
int raw_service_describe(int fd, uint32_t id, struct aif_ioc_service_describe *d);
int raw_service_drain(struct raw_service *s);

/* ---- executor ---- */

#define RAW_VIEWS_MAX	320

struct raw_view {
	uint32_t grant;		/* 0: none */
	uint32_t flags;		/* AIF_DELIVERY_F_* */
	size_t length;
	uint64_t offset;
	uint8_t *base;
};

struct raw_executor {
	int fd;
	uint32_t slots;
	uint32_t commit_count;	/* entries of @commit */
	uint32_t stale;		/* out_stale of the last turn */
	uint32_t events[8];	/* how many of each delivery type raw_take() saw */
	uint64_t features;
	const struct aif_slot *slot;
	const struct aif_delivery *delivery;
	struct aif_commit *commit;
	const struct aif_executor_status *status;
	struct raw_view views[RAW_VIEWS_MAX];
};

/* Take over @fd of /dev/aif-serve: ATTACH (@holder -1: by owner), INFO, map. */
int raw_executor_init(struct raw_executor *ex, int fd, uint32_t service, int holder,
		      uint32_t slots, uint64_t features);
int raw_executor_open(struct raw_executor *ex, const struct raw_service *s, uint32_t slots);
void raw_executor_unmap(struct raw_executor *ex);
void raw_executor_close(struct raw_executor *ex);

/* COMMIT_FETCH: deliveries, or -errno.  ex->commit[0 .. commits) is given back. */
int raw_turn(struct raw_executor *ex, uint32_t flags, uint32_t commits, uint32_t credit);

/* A request in the executor's hands. */
struct raw_taken {
	uint32_t slot;
	uint32_t generation;
};

/*
 * FETCH and deal with the events: map what was granted, unmap and acknowledge
 * what was revoked.  How many requests came (0: events only), or -errno.
 */
int raw_take(struct raw_executor *ex, uint32_t flags, uint32_t credit, struct raw_taken *taken);

/* The same for deliveries that came otherwise (by a ring). */
int raw_deliveries(struct raw_executor *ex, uint32_t n, struct raw_taken *taken);

/* COMMIT_ONLY of one request: 0, 1 if it was stale, or -errno. */
int raw_give(struct raw_executor *ex, struct raw_taken t, int32_t result, uint32_t produced,
	     uint64_t device_ns);
int raw_ack(struct raw_executor *ex, uint32_t grant);
int raw_progress(struct raw_executor *ex, struct raw_taken t, uint32_t produced,
		 uint64_t device_ns);

struct raw_view *raw_view_find(struct raw_executor *ex, uint32_t grant);
/* Where a range of a slot lies, or NULL if it is not in a mapped view. */
uint8_t *raw_at(struct raw_executor *ex, const struct aif_range *r);

/* Copy the input (inline or not) to the output and give back: as raw_give(). */
int raw_echo(struct raw_executor *ex, struct raw_taken t);
/* Take up to @credit requests and echo them: how many, or -errno. */
int raw_echo_all(struct raw_executor *ex, uint32_t flags, uint32_t credit);

/* ---- all of it in one process ---- */

/* Files are opened as the three users' (the caller is root). */
struct raw_rig {
	struct raw_service service;
	struct raw_executor executor;
	struct raw_client client;
	struct raw_buffer buffer;	/* RAW_RIG_BYTES */
	uint32_t handle;		/* of the service */
	uint32_t grant;			/* of the buffer, writable */
};

#define RAW_RIG_BYTES	65536
#define RAW_RIG_OUTPUT	(RAW_RIG_BYTES / 2)	/* outputs begin there */

/* @desc NULL: raw_service_desc("echo").  All slots 16, depth 64. */
int raw_rig_open(struct raw_rig *r, const struct aif_service_desc *desc);
void raw_rig_close(struct raw_rig *r);

/* A request of 64 bytes in and out, at places of the buffer that are @tag's
 * own, with the client's next generation. */
struct aif_desc raw_rig_desc(struct raw_rig *r, uint32_t tag);

/* ---- rings ---- */

/* An SQE of @ring with a command (enum aif_cmd) and its 16 bytes. */
struct io_uring_sqe *raw_ring_prep(struct io_uring *ring, int fd, uint32_t op,
				   const void *payload, uint64_t user_data);

/* Prepare, submit, wait for its CQE: res.  No other CQE may come. */
int raw_ring_call(struct io_uring *ring, int fd, uint32_t op, const void *payload);

/* ---- processes ---- */

/*
 * Run @fn(@arg) in a child with @uid (and the same gid, no other groups) and
 * end it with what @fn returns (0: good).  The child has every fd, and no
 * mapping of ours.  The pid, or -errno.
 */
pid_t raw_spawn(uid_t uid, int (*fn)(void *arg), void *arg);
/* Its exit status, or -signal. */
int raw_reap(pid_t pid);
int raw_run_as(uid_t uid, int (*fn)(void *arg), void *arg);

/* For such children: say what failed, and end with 1. */
#define RAW_CHECK(expression)						\
	raw_check(!!(expression), #expression, __FILE__, __LINE__)
void raw_check(bool ok, const char *expression, const char *file, int line);

/* A turnstile between processes (or threads): made before the fork. */
struct raw_gate {
	int fds[2];
};

int raw_gate_init(struct raw_gate *g);
void raw_gate_open(struct raw_gate *g);		/* lets one through */
void raw_gate_pass(struct raw_gate *g);		/* waits for that */
void raw_gate_fini(struct raw_gate *g);

/* Pass @fd on by a UNIX socket: 0 or -errno; what came, close-on-exec, or -errno. */
int raw_send_fd(int socket, int fd);
int raw_receive_fd(int socket);

/* ---- bytes ---- */

/* Bytes that differ from their neighbours and from those of another @seed. */
void raw_scribble(uint8_t *p, size_t n, uint32_t seed);
/* Are all of them @byte? */
bool raw_filled(const uint8_t *p, size_t n, uint8_t byte);

/* ---- what the module says of itself ---- */

uint64_t raw_now(void);				/* CLOCK_MONOTONIC, ns */
void raw_sleep_ms(unsigned int ms);
long raw_counter(const char *name);		/* debugfs counters/NAME, or -errno */
long raw_alive(const char *name);		/* debugfs alive/NAME */
long raw_vmstat(const char *name);
long raw_pins(void);				/* long-term pins of the machine now */

/* Wait (at most 10 s) until everything in alive/ is 0: 0, or -ETIME and the
 * names are said on standard error. */
int raw_all_gone(void);
/* ... until alive/NAME is @value. */
int raw_alive_becomes(const char *name, long value);

#endif
