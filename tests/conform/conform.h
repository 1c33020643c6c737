/* SPDX-License-Identifier: MIT */
/*
 * conform.h - what the conformance tests are written with
 *
 * Tests speak the ABI (<linux/aif.h>) through a transport, so that one table holds
 * for every device.  Each test runs in a process of its own: whatever it leaves is
 * gone with it.  A test ends at its first failed check.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/aif.h>

#include "runtime/lib/transport.h"

#define NS_PER_MS	1000000ll
#define FOREVER		(-1ll)

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test info_tests[], buffer_tests[], service_tests[], submit_tests[];
extern const struct test execute_tests[], wait_tests[], recovery_tests[], schedule_tests[];
extern const struct test library_tests[], ring_tests[], transfer_tests[];

/* ---- checks ---- */

_Noreturn void fail_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_is(const char *file, int line, const char *what, long long is, long long want);

/* Numbers; a negative one is shown as the errno it may be. */
#define IS(what, want)	check_is(__FILE__, __LINE__, #what, (long long)(what), (long long)(want))
#define OK(what)	IS(what, 0)
#define TRUE(what)						\
	do {							\
		if (!(what))					\
			fail_at(__FILE__, __LINE__, "not true: %s", #what);	\
	} while (0)
#define FAIL(...)	fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* ---- the device under test ---- */

const char *device(void);
bool is_local(void);

/* Set a limit (a module parameter's name) for this test, or skip it. */
void limit(const char *name, uint64_t value);

/* Open a client's file as tenant @n (0: this process's own), or skip. */
struct libaif_file *open_as_tenant(unsigned int n);

struct libaif_file *open_node(enum libaif_node node);
void close_node(struct libaif_file *f);
void *map_node(struct libaif_file *f, uint64_t offset, size_t length, int prot);
int64_t now_ns(void);

/* ---- services ---- */

struct service {
	struct libaif_file *holder;
	uint32_t id;
	struct aif_ioc_service_create arg;
};

/*
 * A description that passes: "in" utf8 up to 4096 bytes, "out" u8 up to 4096; its
 * own device, one token, two attempts.  Change it, then create.
 */
void service_init(struct service *s);
void service_create(struct service *s);
void service_start(struct service *s);	/* both */

/* ---- clients ---- */

struct client {
	struct libaif_file *f;
	struct aif_ioc_info info;
	struct aif_desc *descs;
	const struct aif_completion *done;
	const struct aif_client_status *status;
	uint32_t service;
	uint32_t buffer;
	uint32_t grant;
	unsigned char *data;
	size_t size;
};

#define CLIENT_BYTES	(256u * 1024)
#define CLIENT_DEPTH	64u
#define PIECE		4096u	/* tag t's input is at 2 t pieces, its output behind it */

void client_open(struct client *c, unsigned int depth);
void client_open_as(struct client *c, unsigned int depth, unsigned int tenant);

/* Open the service, allocate a buffer, grant it for writing. */
void client_use(struct client *c, const struct service *s);
void client_start(struct client *c, const struct service *s);	/* both, default depth */

/* A descriptor that passes: @tag with @generation, 8 bytes in, a piece out. */
struct aif_desc desc_of(const struct client *c, uint32_t tag, uint32_t generation);

/* Put @d at @position and submit one; the result of the ioctl. */
int submit_desc(struct client *c, const struct aif_desc *d, uint32_t flags);
void submit(struct client *c, uint32_t tag, uint32_t generation);
int submit_ring(struct client *c, uint32_t first, uint32_t count, uint32_t flags,
		uint32_t *accepted);

uint32_t state_of(const struct client *c, uint32_t tag);	/* acquire */
int wait_answer(struct client *c, uint32_t tag, int64_t timeout_ns);
int wait_quiet(struct client *c, uint32_t tag, int64_t timeout_ns);
int cancel(struct client *c, uint32_t tag, uint32_t generation);
unsigned char *input_of(const struct client *c, uint32_t tag);
unsigned char *output_of(const struct client *c, uint32_t tag);

/* ---- executors ---- */

#define DELIVERIES_MAX	128
#define GRANTS_MAX	64

/* What one FETCH brought, copied; grants that were added are mapped as it says so. */
struct executor {
	struct libaif_file *f;
	struct aif_ioc_info info;
	const struct aif_slot *slots;
	const struct aif_delivery *deliveries;
	struct aif_commit *commits;
	const struct aif_executor_status *status;
	uint32_t commit_next;
	struct {
		unsigned char *data;
		size_t length;
	} grants[GRANTS_MAX];
	unsigned int count;		/* requests */
	unsigned int event_count;	/* all else but GRANT_ADDED */
	struct aif_delivery requests[DELIVERIES_MAX];
	struct aif_delivery events[DELIVERIES_MAX];
};

int executor_try_attach(struct executor *e, const struct service *s, uint32_t slots, int holder_fd);
void executor_start(struct executor *e, const struct service *s, uint32_t slots);

/* Non-blocking, or waiting.  0 or -errno; see ->count, ->event_count. */
int fetch(struct executor *e, uint32_t credit);
int fetch_wait(struct executor *e, uint32_t credit);

/*
 * Fetch until @count requests came (in ->requests), non-blocking; they must be
 * there.
 */
void fetch_exactly(struct executor *e, uint32_t count);

const struct aif_slot *slot_of(const struct executor *e, unsigned int i);
unsigned char *mapped(const struct executor *e, struct aif_range range);

/* Give back; the number of stale ones, or -errno. */
int commit(struct executor *e, const struct aif_delivery *d, int result, uint32_t produced);
int commit_raw(struct executor *e, struct aif_commit c);
int progress(struct executor *e, const struct aif_delivery *d, uint32_t produced, bool *cancelled);

/* ---- an executor that can die ---- */

/* In a process of its own where death is a process's; used by one test at a time. */
struct mortal {
	int to, from;
	int pid;
	struct executor e;	/* local only; otherwise only what mortal_fetch() brought */
};

void mortal_start(struct mortal *m, const struct service *s, uint32_t slots);
int mortal_fetch(struct mortal *m, uint32_t credit);	/* waits for requests */
int mortal_progress(struct mortal *m, unsigned int i, uint32_t produced);
int mortal_commit(struct mortal *m, unsigned int i);
void mortal_die(struct mortal *m);

#endif
