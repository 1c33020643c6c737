/* SPDX-License-Identifier: MIT */
/*
 * What operations are made of: chance, a choice among what there is, a call with
 * what it must return.
 *
 * An operation is done by act->run(): it picks what it is about, does it, checks
 * what it returned and takes it over into the model.  false: it cannot be done
 * in this world; then it has said and changed nothing.
 */
#ifndef ACT_H
#define ACT_H

#include "report.h"
#include "tests/uapi/ops.h"
#include "world.h"

struct act {
	const char *name;
	bool (*run)(void);
	uint32_t often;		/* compared with the others' */
};

#define ACT(fn, often)	{ #fn, op_##fn, often }


/* Each part's, ended by one without a name. */
extern const struct act party_acts[];		/* processes, files, who may call what */
extern const struct act executor_acts[];	/* services and executors */
extern const struct act client_acts[];		/* buffers, grants, requests, waits */
extern const struct act memory_acts[];		/* rings, mappings, pins */
extern const struct act transfer_acts[];	/* pinned memory, copy and fill */
extern const struct act tenant_acts[];		/* who uses the module, and their limits */
extern const struct act furnish_acts[];		/* whatever requests need and is missing */

#define ALL_ROLES	0xfu
#define CLIENTS		(1u << AIF_ROLE_CLIENT)
#define SERVES		(1u << AIF_ROLE_SERVE)
#define HOLDERS		(1u << AIF_ROLE_HOLDER)
#define EXECUTORS	(1u << AIF_ROLE_EXECUTOR)

/* ---- chance ---- */

void set_chance(uint64_t seed);
uint64_t next_random(void);
uint32_t pick(uint32_t n);	/* 0 .. n - 1 */
bool one_in(uint32_t n);

/* One of those for which @suits, each as likely; NULL if none. */
#define PICK(p, kind, suits) ({						\
	struct w_##kind *p, *picked = NULL;				\
	uint32_t seen = 0;						\
									\
	for EACH(p, kind)						\
		if ((suits) && one_in(++seen))				\
			picked = p;					\
	picked;								\
})

/* Lives, and is not asleep in a call. */
bool idle(const struct w_actor *a);
/* Of an idle actor each; NULL if there is none. */
struct w_actor *pick_actor(void);
struct w_fd *pick_fd(uint32_t roles);
struct w_fd *pick_client(void);		/* with arrays */
struct w_fd *pick_executor(void);	/* in its own process, with arrays */

/* Most often one where requests can get on. */
struct w_service *pick_service(void);

uint32_t actor_number(const struct w_actor *a);
uint32_t count_fds(const struct w_actor *a);
bool has_waits(const struct w_actor *a);
/* An executor's file answers to its own process only. */
bool may_call(const struct w_fd *fd);
/* Ring commands may be given to its file. */
bool can_ring(const struct w_fd *fd);
/* It may sleep in an ioctl: what it waits for in its ring would not be seen. */
bool can_block(const struct w_actor *a);

/* ---- calls ---- */

struct w_fd *say_fd(struct w_fd *fd, const char *what);	/* returns it */
void must_be(long ret, long want);
/*
 * Make the call, now and then with a spoilt argument.  @want is what it must
 * return otherwise.  True if it was successful: take it over.
 */
bool call(struct w_fd *fd, unsigned long cmd, void *p, int want);
/* Whether it spoils any; it does at first. */
void spoil_calls(bool on);

/* ---- steps that several operations have ---- */

void actor_made(struct w_actor *a, struct party *p, uid_t uid);
void kill_actor(struct w_actor *a);
bool open_file(struct w_actor *a, bool serve);
bool info_file(struct w_fd *fd, uint32_t depth, uint64_t features);
void unmap(struct w_map *m);
/* Read the stamp of a page; it must be the model's. */
void check_page(struct w_map *m, uint32_t page);
struct w_service *service_named(const char *name, uid_t owner);	/* that is there */
bool create_service(struct w_fd *fd, uint32_t number);
bool attach(struct w_fd *fd, struct w_service *s, struct w_fd *holder, int holder_fd);
bool open_service(struct w_fd *fd, const char *name, uid_t owner);
bool alloc(struct w_fd *fd, uint64_t bytes);
bool grant(struct w_fd *fd, uint32_t buffer, uint32_t service, bool writable);
/* Its ring is closed, and what is parked there is ended by a worker: wait for that. */
void fetches_end(struct w_actor *a);
/* A buffer's handle; now and then it is another's or nobody's. */
uint32_t some_buffer(struct w_client *c);

/* Nothing is set for any tenant, as before the first. */
void tenants_reset(void);

/* Two services on two devices, with an executor and a client each. */
void furnish(void);

/* The actors that are there from the beginning, and come back when they are killed. */
#define FIRST_ACTORS	7u
extern const uid_t actor_uids[FIRST_ACTORS];

#endif
