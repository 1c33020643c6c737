/* SPDX-License-Identifier: MIT */
/*
 * What a party does when it is told: single system calls.  It keeps nothing but
 * its ring, so that it may fork, execute and die at any time; who has which file
 * and mapping is known to the fuzzer alone.
 *
 * Bytes go by way of the party's desk, shared memory that both sides see.
 */
#ifndef DEEDS_H
#define DEEDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/recovery/door.h"
#include "tests/recovery/party.h"

#define DESKS		16u
#define DESK_BYTES	16384u

/* Where an ioctl's argument lies. */
enum deed_place {
	PLACE_DESK,
	PLACE_NULL,	/* not mapped */
	PLACE_EDGE,	/* the first bytes are there, the rest is not */
};

/* Shared by the fuzzer and all parties; before the first party is made. */
void deeds_init(void);
/* What KCOV saw in all parties so far; 0 without it. */
uint32_t deeds_covered(void);
/* From now on parties trace what they do in the module; false without KCOV. */
bool deeds_trace(void);

/* The fuzzer's end of a party. */
struct actor {
	struct party *party;
	uint32_t desk;
};

uint8_t *actor_desk(const struct actor *a);
/* First thing in a party that was forked from another. */
void actor_forget(struct actor *a);

/* All return what the system call does, or -errno. */
long actor_open(struct actor *a, const char *path);
long actor_close(struct actor *a, int fd);
long actor_dup(struct actor *a, int fd);
long actor_send(struct actor *from, int fd, struct actor *to);	/* the new fd */
long actor_poll(struct actor *a, int fd);			/* revents */
long actor_eventfd(struct actor *a);
long actor_memfd(struct actor *a, size_t bytes);		/* that can be sealed */
long actor_heap(struct actor *a, size_t bytes);	/* a dma-buf; -ENOENT: no heap is here */
long actor_seal(struct actor *a, int fd, unsigned int seals);	/* F_SEAL_* */
long actor_read_eventfd(struct actor *a, int fd);		/* its count */
/* ioctl; @arg goes to the desk first and comes back from it. */
long actor_call(struct actor *a, int fd, unsigned long cmd, void *arg, size_t bytes,
		enum deed_place place);
/* The same, for what may block: ended by party_end(), outputs on the desk. */
void actor_begin_call(struct actor *a, int fd, unsigned long cmd, const void *arg, size_t bytes);
long actor_mmap(struct actor *a, int fd, uint64_t offset, size_t bytes, int prot, int flags);
long actor_munmap(struct actor *a, uint64_t at, size_t bytes);
long actor_mprotect(struct actor *a, uint64_t at, size_t bytes, int prot);
long actor_madvise(struct actor *a, uint64_t at, size_t bytes, int advice);
/* To a place of the kernel's choice. */
long actor_mremap(struct actor *a, uint64_t at, size_t bytes, size_t new_bytes);
/* Between memory and desk by the kernel's hand: a bad address is -EFAULT. */
long actor_peek(struct actor *a, uint64_t at, void *to, size_t bytes);
long actor_poke(struct actor *a, uint64_t at, const void *from, size_t bytes);
/* The party's memory, without its help: quick, and while it sleeps too. */
long actor_look(const struct actor *a, uint64_t at, void *to, size_t bytes);
long actor_write(const struct actor *a, uint64_t at, const void *from, size_t bytes);
/* Register a page with a ring of its own, as a device driver pins it. */
long actor_pin(struct actor *a, uint64_t at);
long actor_unpin(struct actor *a);
/* The ring for commands. */
long actor_ring_open(struct actor *a, enum door_kind kind);
long actor_ring_close(struct actor *a);
long actor_ring_start(struct actor *a, int fd, uint32_t op, const void *payload);
/* Has it ended, and how? */
bool actor_ring_ended(struct actor *a, long number, int *res);
/* Start it and wait for its end. */
long actor_ring_call(struct actor *a, int fd, uint32_t op, const void *payload);

#endif
