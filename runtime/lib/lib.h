/* SPDX-License-Identifier: MIT */
/*
 * lib.h - what the library's files share; see libaif.h for the nouns
 */
#ifndef LIBAIF_LIB_H
#define LIBAIF_LIB_H

#include <pthread.h>

#include <linux/aif.h>

#include "libaif.h"
#include "transport.h"

/* ---- options (opts.c) ---- */

/*
 * Read a caller's option struct, which begins with its size, into @full of
 * @full_size bytes: what the caller's lacks becomes zero, what this library's
 * lacks must be zero.  @first_size: what the first published one had.  NULL is all
 * zeros.  0, -EINVAL, -E2BIG.
 */
int libaif_opts_in(void *full, size_t full_size, size_t first_size, const void *given);

/* Fill a caller's result struct the same way; what this library's lacks becomes zero. */
int libaif_opts_out(void *given, size_t first_size, const void *full, size_t full_size);

/* ---- messages (log.c) ---- */

void libaif_log(enum aif_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Severity of a name as in AIF_LOG_LEVEL; the default for NULL and the unknown. */
enum aif_log_level libaif_log_level(const char *name);

/* ---- pointers and waiting ---- */

/* NULL with errno, for functions that return pointers.  @error is -errno. */
void *libaif_null(int error);

/* The mapping of one of @info's arrays; NULL and errno. */
void *libaif_map_array(struct libaif_file *file, const struct aif_ioc_info *info,
		       enum aif_array_kind kind, int prot);
void libaif_unmap_array(struct libaif_file *file, const struct aif_ioc_info *info,
			enum aif_array_kind kind, const void *address);

static inline uint64_t libaif_load(const void *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

/* ---- clients (client.c) ---- */

/*
 * Requests are the client's tags, for ever.  A request is on ->free, on ->parting
 * (put while an executor had its memory; free when that is quiet), or in the
 * caller's hands.
 *
 * Descriptors are copied into the descriptor ring at consecutive positions that
 * nobody uses.  ->taken says which are used: from the moment a submission is made
 * until the device has read it.  Set under ->lock, cleared without.
 */
struct aif_client {
	struct libaif_file *file;
	struct aif_ioc_info info;
	struct aif_desc *descs;
	const struct aif_completion *completions;
	const struct aif_client_status *status;
	struct aif_request *requests;
	uint8_t *taken;

	pthread_mutex_t lock;	/* all below, and services' grants */
	struct aif_request *free;
	struct aif_request *parting;
	uint32_t cursor;	/* where to look for a free position first */
	uint32_t made;		/* grants, ever; ... */
	uint32_t revoked;	/* ... and of those */
	struct aif_service *services;
	struct aif_buffer *buffers;
};

/* ---- services (service.c) ---- */

/* Grants are sorted by address, a writable one before others of the same buffer. */
struct aif_service {
	struct aif_client *client;
	struct aif_service *next;
	struct aif_service_info *info;
	struct aif_grant **grants;
	unsigned int grant_count;
	unsigned int grant_capacity;
	uint32_t handle;
};

struct aif_service_info *libaif_describe(struct libaif_file *file, uint32_t id);
void libaif_service_free(struct aif_service *service);

/* The library's struct of the ABI's, and back. */
void libaif_io_from_abi(struct aif_service_io *io, const struct aif_io *abi);
int libaif_io_to_abi(struct aif_io *abi, const struct aif_service_io *io);

/* ---- buffers and grants (buffer.c, grant.c) ---- */

struct aif_buffer {
	struct aif_client *client;
	struct aif_buffer *next;
	char *data;
	size_t size;
	size_t carved;
	uint64_t offset;	/* where it is mapped from */
	bool unmapped;		/* @data is the caller's, or NULL */
	bool adopted;		/* the handle is another's to end */
	uint32_t handle;
};

struct aif_grant {
	struct aif_service *service;
	struct aif_buffer *buffer;
	uint32_t handle;
	uint32_t number;	/* client->made when it was made */
	bool writable;
};

void libaif_buffer_free(struct aif_buffer *buffer);

/*
 * Does the handle still name a grant that was there when @made were made?  The
 * device may give a revoked one's to another.  Caller holds the client's lock.
 */
bool libaif_grant_is(const struct aif_client *client, uint32_t handle, uint32_t made);

/*
 * The range that @piece is in a grant of @service, one that the service may write
 * if @write.  False: it lies in none.  Caller holds the client's lock.
 */
bool libaif_grant_find(const struct aif_service *service, const struct iovec *piece, bool write,
		       struct aif_range *range);

/* ---- requests (request.c) ---- */

enum libaif_phase {
	LIBAIF_NEW,
	LIBAIF_PREPARED,
	LIBAIF_PLACED,		/* in the descriptor ring, perhaps not taken yet */
	LIBAIF_SUBMITTED,	/* the device took it: the completion says the rest */
};

/* ->phase is written by whoever uses the request, and looked at by any thread. */
struct aif_request {
	struct aif_client *client;
	struct aif_request *next;
	void *user;
	struct aif_desc desc;
	uint32_t made;		/* of the client, when it was prepared */
	uint32_t revoked;
	uint32_t first;		/* position of the first of its pending submission */
	enum libaif_phase phase;
};

static inline enum libaif_phase libaif_phase(const struct aif_request *r)
{
	return __atomic_load_n(&r->phase, __ATOMIC_RELAXED);
}

static inline void libaif_phase_set(struct aif_request *r, enum libaif_phase phase)
{
	__atomic_store_n(&r->phase, phase, __ATOMIC_RELAXED);
}

/*
 * Copy the descriptors of @count prepared requests of one client to the ring.
 * Returns the first's position, which libaif_descs_release() gives back, or -errno.
 * They are placed until libaif_requests_settle().
 */
int64_t libaif_descs_place(struct aif_request *const *requests, unsigned int count);
void libaif_descs_release(struct aif_client *client, uint32_t first, unsigned int count);

/* The first @accepted of @requests are the device's, the others are prepared again. */
void libaif_requests_settle(struct aif_request *const *requests, unsigned int count,
			    unsigned int accepted);

int libaif_submit_flags(unsigned int flags, uint32_t *abi);

/* ---- executors (executor.c, job.c, mapping.c) ---- */

struct libaif_mapping {
	struct aif_mapping pub;
	unsigned int jobs;	/* that use it */
	int error;		/* why it cannot be used */
	bool revoked;
};

struct libaif_job {
	struct aif_job pub;
	struct aif_executor *executor;
	struct libaif_mapping *mappings[AIF_RANGES_MAX];
	uint32_t slot;
	uint32_t generation;
	bool held;
};

/*
 * The commit ring holds what was answered, from ->commit_first on, ->commits of
 * them, and behind that nothing; before it what a parked turn carries away.  An
 * answer needs its job's slot, so that both together are at most ->slot_count.
 */
struct aif_executor {
	struct libaif_file *file;
	struct aif_ioc_info info;
	struct aif_executor_callbacks callbacks;
	void *ctx;
	struct aif_service_info *service;
	const struct aif_slot *slots;
	const struct aif_delivery *deliveries;
	struct aif_commit *ring;
	const struct aif_executor_status *status;
	struct libaif_job *jobs;
	unsigned int slot_count;
	unsigned int held;		/* jobs in the caller's hands */
	uint32_t commit_first;
	uint32_t commits;
	uint32_t parked;		/* commits of a turn parked in a ring */
	struct libaif_mapping **mappings;	/* sorted by grant id */
	unsigned int mapping_count;
	unsigned int mapping_capacity;
	unsigned int revoked_count;
};

/* Events of grants; the last unmaps what was revoked and is unused, and acknowledges. */
void libaif_mapping_add(struct aif_executor *e, const struct aif_delivery *d);
void libaif_mapping_revoke(struct aif_executor *e, uint32_t grant);
void libaif_mappings_part(struct aif_executor *e, unsigned int room);
void libaif_mappings_fini(struct aif_executor *e);
struct libaif_mapping *libaif_mapping_find(const struct aif_executor *e, uint32_t grant);

/* Make a job of a delivered slot: 0, or -errno that the request must be answered with. */
int libaif_job_fill(struct libaif_job *job, const struct aif_delivery *d);

static inline struct libaif_job *libaif_job_of(struct aif_job *pub)
{
	return (struct libaif_job *)((char *)pub - offsetof(struct libaif_job, pub));
}

/* Append to the commit ring; all of it is on its way to the device. */
void libaif_commit(struct aif_executor *e, const struct aif_commit *commit);
void libaif_commits_sent(struct aif_executor *e);

#endif
