/* SPDX-License-Identifier: MIT */
/*
 * What the operations work on: all roles in one process, and the module's
 * state as seen from outside.
 *
 * A client (depth 64) with one buffer granted to the service "echo"; that
 * service with one executor (16 slots), its grant mapped; the service "other",
 * without executors; a file of /dev/aif-serve without a role; a ring.  Made for
 * module parameters that leave room for exactly one more of everything, see
 * test_failnth.sh: what a failed operation had counted and kept would be
 * missing to the next one.
 */
#ifndef WORLD_H
#define WORLD_H

#include "../uapi/raw.h"

#define WORLD_DEPTH		64
#define WORLD_SERVICES_MAX	4

/* An ioctl's argument, a ring command's 16 bytes. */
union world_arg {
	uint32_t size;
	struct aif_ioc_info info;
	struct aif_ioc_buffer_alloc buffer_alloc;
	struct aif_ioc_buffer_free buffer_free;
	struct aif_ioc_buffer_pin buffer_pin;
	struct aif_ioc_buffer_memfd buffer_memfd;
	struct aif_ioc_buffer_import buffer_import;
	struct aif_ioc_buffer_sync buffer_sync;
	struct aif_ioc_buffer_accept buffer_accept;
	struct aif_ioc_buffer_map buffer_map;
	struct aif_ioc_buffer_unmap buffer_unmap;
	struct aif_ioc_grant grant;
	struct aif_ioc_revoke revoke;
	struct aif_ioc_declare_pins declare_pins;
	struct aif_ioc_service_create service_create;
	struct aif_ioc_service_list service_list;
	struct aif_ioc_service_describe service_describe;
	struct aif_ioc_service_open service_open;
	struct aif_ioc_submit submit;
	struct aif_ioc_wait_quiet wait_quiet;
	struct aif_ioc_wait wait;
	struct aif_ioc_cancel cancel;
	struct aif_ioc_set_eventfd set_eventfd;
	struct aif_ioc_executor_attach executor_attach;
	struct aif_ioc_commit_fetch commit_fetch;
	struct aif_ioc_progress progress;
	struct aif_ioc_tenant_list tenant_list;
	struct aif_ioc_tenant_set tenant_set;
};

union world_payload {
	struct aif_cmd_submit submit;
	struct aif_cmd_wait wait;
	struct aif_cmd_wait_quiet wait_quiet;
	struct aif_cmd_cancel cancel;
	struct aif_cmd_commit_fetch commit_fetch;
	struct aif_cmd_progress progress;
};

struct world {
	struct raw_rig rig;
	struct raw_service other;
	struct raw_executor second;	/* of "echo"; .fd -1 while there is none */
	int serve;
	struct io_uring ring;		/* .ring_fd -1: none */
	unsigned int ring_flags;	/* IORING_SETUP_* */
	bool parked;			/* a command is under way in it */

	/* One attempt: what setup made, and run uses. */
	unsigned int with;		/* the row's */
	int fd;
	int eventfd;
	unsigned long cmd;		/* ioctl */
	union world_arg arg;
	union world_arg out;		/* a copy of @arg that the ioctl wrote to */
	union world_payload payload;
	int result;			/* of the last run */
	uint32_t handle;
	uint32_t id;
	struct raw_taken held;
	struct raw_client client;	/* a second one */
	uint64_t offset;		/* for mmap */
	uint8_t *map;
	size_t length;
	uint32_t ids[16];
	struct aif_tenant_now tenants[4];
	char text[64];
};

/* 0 or -errno. */
int world_open(struct world *w, unsigned int ring_flags);
void world_close(struct world *w);

int world_ring(struct world *w);		/* a new ring in place of the last */
int world_other_create(struct world *w);	/* the service "other" */
int world_serve_open(void);			/* /dev/aif-serve as the services' owner */

/* Executors take their events; nothing else changes. */
void world_settle(struct world *w);
/* All requests are answered and seen, all slots given back; then settled. */
void world_quiesce(struct world *w);

/*
 * What the module shows of itself.  @now is what there is, @past what happened:
 * an operation that was done and undone leaves the first as it was, one that
 * failed both.
 */
struct state {
	struct {
		long alive[13];
		uint32_t services;
		struct {
			uint32_t executors, queued, fetched, draining, grants;
			uint64_t granted_bytes;
		} service[WORLD_SERVICES_MAX];
		uint32_t busy;		/* tags in flight */
		short readable[2];	/* poll() of client and executor */
	} now;
	struct {
		uint64_t answered[WORLD_SERVICES_MAX];
		uint64_t recovered[WORLD_SERVICES_MAX];
		uint64_t queued;	/* the doorbell */
		struct aif_client_status status;
		struct aif_completion done[WORLD_DEPTH];
	} past;
};

void state_take(struct world *w, struct state *s);

/*
 * Wait (at most 5 s: what is freed is freed by workers) until the state is
 * @want, without @past if not asked for.  0, or -ETIME and the first difference
 * is said on standard output as a comment of TAP.
 */
int state_becomes(struct world *w, const struct state *want, bool past);

/*
 * Kernel pages charged to the group that this process is in: not those of its
 * own memory, page tables and slabs.  Exact, unlike the group's counters, which
 * are kept in batches; takes seconds on a debug kernel.  -errno if it does not tell.
 */
long state_pages(void);

/* Wait (at most 5 s) until there are @want: 0, or -ETIME and said as above. */
int state_pages_become(long want);

#endif
