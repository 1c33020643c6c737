/* SPDX-License-Identifier: MIT */
/*
 * Parties with a role: holder, executor, client; and the fixture that each test
 * begins and ends with.
 *
 * What is done by several processes in a test is one call here each; a role's
 * state (struct side) is its party's own.  A client's buffer has two pages for
 * each tag, one for the input and one for the output.
 */
#ifndef SIDE_H
#define SIDE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "door.h"
#include "party.h"

#define SIDE_PAGE	4096u
#define SIDE_DEPTH	16u	/* tags of a client */
#define SIDE_SLOTS	16u	/* of an executor */
#define SIDE_TAKEN_MAX	64u	/* requests that an executor takes in a test */
#define SIDE_FOREVER_MS	3600000u
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* What a party is made of; each uses what its role needs. */
struct side {
	struct raw_service service;
	struct door *executor_door, *client_door;	/* may be one */
	struct door doors[2];				/* what they are, usually */
	struct raw_executor executor;
	struct raw_taken taken[SIDE_TAKEN_MAX];	/* in order, given back or not */
	uint32_t taken_count;
	struct raw_client client;
	struct raw_buffer buffer;
	uint32_t handle, grant;
	uint32_t generation[SIDE_DEPTH];	/* that each tag was sent with last */
	struct io_uring pins;			/* ring that a page is registered with */
	uint8_t *pinned;			/* that page */
};

extern struct side me;

/* ---- for deeds: what is done in the party itself ---- */

/* A client of @service; opens the door unless it is open: 0 or -errno. */
int side_connect(const char *service, enum door_kind kind);
/* A request with an input that no other has; the output is cleared.  Whoever
 * submits it keeps its generation in me.generation[]. */
struct aif_desc side_request(uint32_t tag, uint8_t flags, uint64_t deadline);
/* Write to the output what the input is: its length, or -errno. */
int side_echo(struct raw_taken t);
/* Does the output of @tag hold that? */
bool side_echoed(uint32_t tag);

/* ---- the fixture ---- */

extern enum door_kind side_door;	/* of all roles, as --door said */

/* party_main(), and reads [--door KIND] [--test PATTERN]. */
void side_main(int argc, char **argv);
int side_setup(void **state);
/* No process, object, pin or unanswered request is left. */
int side_teardown(void **state);
#define SIDE_TEST(name)	cmocka_unit_test_setup_teardown(name, side_setup, side_teardown)
/* io_uring is forbidden here: the test is skipped. */
void side_needs_ring(void);

/* How much a counter grew in this test. */
long side_counted(const char *name);

/* ---- holder ---- */

/* A service of the executor's uid, on a device of one token; nothing is ended
 * by time. */
struct aif_service_desc side_desc(void);
/* Creates it; the parties that come later use it. */
struct party *holder_new(const struct aif_service_desc *desc);
int holder_drain(struct party *p);
struct aif_ioc_service_describe holder_describe(struct party *p);

/* ---- executor ---- */

struct party *executor_new(enum door_kind kind);
/* Its next requests, as many as there are now: how many, or -errno. */
int executor_take(struct party *p, uint32_t credit);
/* The same, waiting until there is one. */
void executor_begin_take(struct party *p, uint32_t credit);

struct held {
	uint32_t slot, generation, attempt, tag, flags;
};

/* The @i-th request that it took, as its slot shows it. */
struct held executor_held(struct party *p, uint32_t i);
int executor_give(struct party *p, uint32_t i, int result);	/* 0 or -errno */
int executor_echo(struct party *p, uint32_t i);			/* and give */
int executor_progress(struct party *p, uint32_t i, uint32_t produced);
uint32_t executor_events(struct party *p, enum aif_delivery_type type);
/* A ring (inherited by forks) pins the output of the @i-th request. */
int executor_pin(struct party *p, uint32_t i);
int executor_declare(struct party *p, uint32_t pins);

/* ---- client ---- */

struct party *client_new(enum door_kind kind);
/* @n requests, tags from @tag on: how many were accepted, or -errno. */
int client_send(struct party *p, uint32_t tag, uint32_t n);
int client_send_flags(struct party *p, uint32_t tag, uint8_t flags);
int client_send_until(struct party *p, uint32_t tag, uint32_t ms);	/* a deadline */

struct seen {
	uint32_t state;
	int result;
	uint32_t produced, attempt;
};

struct seen client_look(struct party *p, uint32_t tag);
uint32_t client_state(struct party *p, uint32_t tag);
/* The result of a tag that is answered and quiet; anything else fails. */
int client_result(struct party *p, uint32_t tag);
long client_answered(struct party *p);
int client_cancel(struct party *p, uint32_t tag);
void client_begin_wait(struct party *p, uint32_t answered);
void client_begin_quiet(struct party *p, uint32_t tag);
/* Does @tag's output hold what executor_echo() writes? */
bool client_echoed(struct party *p, uint32_t tag);
/* First byte of the output. */
int client_output(struct party *p, uint32_t tag);
int client_pin(struct party *p, uint32_t tag);
int client_declare(struct party *p, uint32_t pins);

/* ---- one of each ---- */

struct trio {
	struct party *holder, *client, *executor;
};

/* @desc NULL: side_desc().  The executor has dealt with the grant. */
struct trio trio_new(const struct aif_service_desc *desc);

/* ---- whoever has inherited ring and pin of another ---- */

/* Keep the ring with the pins and nothing else of AIF's. */
void keeper_keep_pins(struct party *p);
/* Write @byte to the start of the pinned output, as a device would. */
int keeper_write(struct party *p, uint8_t byte);
void keeper_drop(struct party *p);

#endif
