/* SPDX-License-Identifier: MIT */
/*
 * shm.h - shared memory of the Open Inference Protocol: buffers of other processes
 *
 * An application that has a buffer of its own file of the device hands both to the
 * gateway over a Unix socket, and gets a random name for it.  Whoever registers that
 * name as a region's key may have requests read and written there in place.  They are
 * submitted on the application's file: its opener pays.  A region ends with its socket.
 *
 * The socket (SOCK_SEQPACKET) takes one message, a struct aif_buffer_place with the file
 * (SCM_RIGHTS), and answers with the name, SHM_NAME_SIZE - 1 hexadecimal digits, or with
 * "error: " and a sentence.
 *
 * A region is shared by the loops, and lives as long as one has a backend for it.
 */
#ifndef AIF_GATEWAY_SHM_H
#define AIF_GATEWAY_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_NAME_SIZE 33

struct aif_why;
struct buf;
struct gateway;
struct loop;
struct region;
struct shm;
struct tenant;

/* @path: of the socket.  NULL: see @why. */
struct shm *shm_open_socket(struct gateway *gateway, const char *path, struct aif_why *why);
void shm_close_socket(struct shm *shm);

/* [any thread] */
void region_get(struct region *region);
void region_put(struct region *region);
bool region_ended(const struct region *region);
struct aif_client *region_client(const struct region *region);
struct aif_buffer *region_buffer(const struct region *region);

/* An eventfd that counts its client's answers: it is never read, so watch its edges. */
int region_answers(const struct region *region);

/*
 * Registrations: names that a tenant gave to parts of regions.  [any thread]
 *
 * shm_register(): -ENOENT there is no region of that key; -ERANGE the part is not inside;
 *      -EEXIST; -ENOSPC; -ENOMEM
 * shm_unregister(): @name NULL: all of the tenant's.  -ENOENT
 * shm_find(): @length bytes at @offset of what is registered, at @data; its region, to be
 *      put.  NULL with errno: ENOENT, ERANGE.  @length 0: all behind @offset
 * shm_status(): JSON of one, or of all (@name NULL).  -ENOENT
 */
int shm_register(struct shm *shm, const struct tenant *tenant, const char *name, const char *key,
		 uint64_t offset, uint64_t bytes);
int shm_unregister(struct shm *shm, const struct tenant *tenant, const char *name);
struct region *shm_find(struct shm *shm, const struct tenant *tenant, const char *name,
			uint64_t offset, uint64_t length, char **data);
int shm_status(struct shm *shm, const struct tenant *tenant, const char *name, struct buf *json);

#endif
