/* SPDX-License-Identifier: MIT */
/*
 * libaif.h - inference as an I/O operation, from C
 *
 * Two sides meet at a device.  A *client* puts input into a buffer that it has
 * granted to a *service*, submits a *request*, and finds the answer in its own
 * memory.  An *executor* takes requests as *jobs*, reads and writes that memory
 * in place, and answers.  A *holder* creates a service and keeps it alive.
 *
 * Devices
 *   "/dev/aif"  the kernel's; executors and holders use "/dev/aif-serve" beside it
 *   "local"     the same rules inside this process, without a module: for tests
 *               and for running a model where no module is.  Services, clients
 *               and executors of one process see each other, nobody else does.
 *               It has no ring door and no transfers, isolates nothing, takes aif_executor_close()
 *               for an executor's death, and ends no wait with -EINTR.  "local:N"
 *               is the same device for a client that N pays for, instead of 0
 *   Every @device argument names the client's node; NULL is "/dev/aif".
 *
 * Errors
 *   int is 0, a positive count where stated, or -errno.  A pointer is NULL with
 *   errno set.  Each function lists what it adds; any of them can answer what its
 *   neighbours in the list say:
 *     -EINVAL      an argument is out of its stated range, or an option struct's
 *                  @size is smaller than its first published one
 *     -E2BIG       an option struct is longer than this library's, and what it
 *                  does not know is not zero
 *     -ENOMEM      no memory
 *     -EOPNOTSUPP  this device, or this kernel, does not have it
 *     -EINTR       a signal arrived while waiting; nothing was lost, ask again
 *   aif_error_text() says in words what an error or a request's result means.
 *   The library never prints, never exits, and asserts nothing about its input.
 *
 * Threads
 *   A client, its services and its grants are shared: any thread may use them at
 *   any time.  A request, a buffer's carving, an executor, a job and a holder are
 *   used by one thread at a time, except for what is marked [any thread].
 *   Closing or freeing needs that nobody else uses the thing.
 *
 * Processes
 *   After fork(2) the child must not touch what the parent opened, not even to
 *   close it: the mappings are not there.  A descriptor (aif_holder_fd()) may be
 *   inherited or passed on.
 *
 * Options
 *   Option structs begin with @size, the caller's sizeof; zero members mean the
 *   default, and NULL for the whole struct means all defaults where allowed.
 *   Structs that the library returns by const pointer may grow at their end.
 *
 * Times are nanoseconds.  A deadline is a point of CLOCK_MONOTONIC; a timeout is
 * relative, 0 looks only, negative has no limit, and its end is -ETIME.
 */
#ifndef LIBAIF_H
#define LIBAIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIF_API __attribute__((visibility("default")))

struct aif_buffer;
struct aif_client;
struct aif_executor;
struct aif_grant;
struct aif_holder;
struct aif_request;
struct aif_service;
struct io_uring_sqe;

/* ------------------------------------------------------------------ */
/* The library								*/

/* "0.1.0"; static. */
AIF_API const char *aif_version(void);

/*
 * What an error of this library, or the result of a request, means: -errno or
 * errno in, a static English phrase out (never NULL).  [any thread]
 */
AIF_API const char *aif_error_text(int error);

enum aif_log_level {
	AIF_LOG_ERROR = 0,
	AIF_LOG_WARN = 1,
	AIF_LOG_INFO = 2,
	AIF_LOG_DEBUG = 3,
};

/* @message: one line, no newline, valid during the call only. */
typedef void (*aif_log_fn)(void *ctx, enum aif_log_level level, const char *message);

/*
 * Receive the library's messages, up to the level that the environment's
 * AIF_LOG_LEVEL names (error, warn, info, debug; warn if unset or unknown; read
 * at each call of this function).  @fn NULL: none, which is how it starts.  @fn is
 * called from any thread that uses the library and must not call it back.  Set it
 * before other threads use the library.
 */
AIF_API void aif_log_set(aif_log_fn fn, void *ctx);

/* ------------------------------------------------------------------ */
/* Client								*/

/*
 * Features to ask for; what a device does not have is not granted, nor is REALTIME to who has
 * neither a tenant with a budget (aif_tenant_set_realtime()) nor CAP_SYS_NICE.
 */
#define AIF_FEATURE_URING	(1ull << 0)	/* aif_prep_*() */
#define AIF_FEATURE_REALTIME	(1ull << 1)	/* AIF_REQUEST_REALTIME */
#define AIF_FEATURE_TRANSFER	(1ull << 3)	/* aif_request_prepare_transfer() */
#define AIF_FEATURE_MEMFD	(1ull << 4)	/* aif_buffer_memfd() */
#define AIF_FEATURE_MAP		(1ull << 5)	/* aif_buffer_map() */
#define AIF_FEATURE_IMPORT	(1ull << 6)	/* aif_buffer_import() */

/*
 * @device:   see above
 * @depth:    requests at once, a power of two; 0: 256
 * @features: AIF_FEATURE_* wanted; ask aif_client_info() what was granted
 * @fd:       a file of @device that somebody opened, perhaps another process, which
 *            pays for all that is done with it: it becomes this client's, and is
 *            closed with it.  Nobody else submits on it; -EINVAL is also "it is none".
 *            0 or less: open @device here.  Not with "local"
 */
struct aif_client_opts {
	size_t size;
	const char *device;
	uint64_t features;
	unsigned int depth;
	int fd;
};

/*
 * Open a device as a client.  The tenant that pays is settled here: this
 * process's cgroup (or uid), unless @fd is given, which stays the caller's if this
 * fails.  errno: ENOENT no such device (is the module
 * loaded?); EACCES; EINVAL a depth that is no power of two or over the device's
 * limit; ENOTTY the path leads to something else.
 */
AIF_API struct aif_client *aif_client_open(const struct aif_client_opts *opts);

/*
 * Close, and free all that was opened from this client.  Requests in flight are
 * cancelled; what an executor still has mapped is freed when it lets go.
 */
AIF_API void aif_client_close(struct aif_client *client);

/*
 * @depth, @features: as granted
 * @max_depth: the device's limit
 * @tenant: id of the cgroup (or uid) that this client charges
 * @tenant_bytes: most buffer bytes the tenant can have
 * @service_bytes: most bytes that can be granted to one service
 * @tenant_requests: most requests the tenant can have in flight
 * @device_requests: most requests that can be queued on an accelerator; a 64th of it
 *           each tenant can always have there, in each class
 * @tenant_pinned: most bytes of its own memory that the tenant can have pinned
 */
struct aif_client_info {
	size_t size;
	uint64_t features;
	uint64_t tenant;
	uint64_t tenant_bytes;
	uint64_t service_bytes;
	uint32_t depth;
	uint32_t max_depth;
	uint32_t tenant_requests;
	uint32_t device_requests;
	uint64_t tenant_pinned;
};

/* Fill @info, whose @size the caller has set. */
AIF_API int aif_client_info(const struct aif_client *client, struct aif_client_info *info);

/*
 * For poll(2) and for io_uring: readable as long as more was answered than a
 * satisfied aif_client_wait() has named.  Take aif_client_answered(), look at your
 * requests, then aif_client_wait() for that number with timeout 0: it is readable
 * again with the next answer.  The client keeps owning it.
 */
AIF_API int aif_client_fd(const struct aif_client *client);

/* Requests answered since the client was opened.  No system call. */
AIF_API uint64_t aif_client_answered(const struct aif_client *client);

/* Wait until aif_client_answered() is at least @answered. */
AIF_API int aif_client_wait(struct aif_client *client, uint64_t answered, int64_t timeout_ns);

/* Wait until no executor has memory of any request of this client any more. */
AIF_API int aif_client_wait_quiet(struct aif_client *client, int64_t timeout_ns);

/* Answer all of this client's requests in flight with -ECANCELED. */
AIF_API int aif_client_cancel_all(struct aif_client *client);

/* End this client's waits that are parked in rings (aif_prep_wait*()) with -ECANCELED. */
AIF_API int aif_client_cancel_waits(struct aif_client *client);

/* Signal the eventfd @fd at every answer; -1 ends it.  -EBADF, -EINVAL: no eventfd. */
AIF_API int aif_client_set_eventfd(struct aif_client *client, int fd);

/* ------------------------------------------------------------------ */
/* Services, as a client sees them					*/

enum aif_kind {
	AIF_KIND_UTF8 = 1,
	AIF_KIND_TENSOR = 2,
};

enum aif_element {
	AIF_ELEMENT_U8 = 1,	/* the element of AIF_KIND_UTF8 */
	AIF_ELEMENT_I8 = 2,
	AIF_ELEMENT_I32 = 3,
	AIF_ELEMENT_I64 = 4,
	AIF_ELEMENT_F16 = 5,
	AIF_ELEMENT_BF16 = 6,
	AIF_ELEMENT_F32 = 7,
	AIF_ELEMENT_F64 = 8,
};

/* Bytes of one element; 0 for an undefined one.  Static "f32" or NULL likewise. */
AIF_API unsigned int aif_element_size(enum aif_element element);
AIF_API const char *aif_element_name(enum aif_element element);

#define AIF_SERVICE_NAME_MAX	64	/* with its terminating NUL */
#define AIF_SERVICE_IO_MAX	3	/* inputs and outputs together */
#define AIF_SERVICE_TEXT_MAX	4096

/*
 * One input or output.  This struct does not grow.
 *
 * @output:    an output; inputs come first
 * @optional:  may be left out (trailing outputs only)
 * @dims:      0 to 4 used entries of @shape
 * @shape:     elements; -1: as many as the length given makes
 * @alignment: of the first byte inside its buffer, a power of two <= 4096; 0: 64
 * @max_bytes: most bytes of an input; most that is written to an output.  An
 *             output of fixed shape needs room for all of it
 */
struct aif_service_io {
	char name[32];
	enum aif_kind kind;
	enum aif_element element;
	bool output;
	bool optional;
	unsigned int dims;
	int64_t shape[4];
	uint32_t alignment;
	uint32_t max_bytes;
	uint64_t reserved;	/* 0 */
};

/*
 * A service at one moment.
 *
 * @owner: uid, as this process's user namespace sees it
 * @model, @digest: name of the model, SHA-256 of its weights in hexadecimal
 * @text: lines of key=value; @text_length without the NUL that is there
 * @answered: requests since it was created; @recovered: those of them that were
 *	queued again after an executor's death
 * The other members are as in struct aif_holder_opts, or counts of now.
 */
struct aif_service_info {
	uint32_t id;
	uint32_t owner;
	char name[AIF_SERVICE_NAME_MAX];
	char device[AIF_SERVICE_NAME_MAX];
	char model[AIF_SERVICE_NAME_MAX];
	char digest[65];
	bool draining;
	uint32_t step_tokens;
	uint32_t max_attempts;
	uint32_t longest_step_ms;
	uint32_t progress_ms;
	uint32_t recovery_ms;
	uint32_t executors;
	uint32_t queued;
	uint32_t fetched;
	uint32_t grants;
	uint64_t granted_bytes;
	uint64_t answered;
	uint64_t recovered;
	uint64_t device_ns;		/* that its requests took */
	unsigned int input_count;
	unsigned int output_count;
	struct aif_service_io io[AIF_SERVICE_IO_MAX];
	const char *text;
	size_t text_length;
};

/*
 * Ids of all services, ascending, into @ids[@capacity].  Returns how many there
 * are, which may be more than @capacity: ask again with more room.
 */
AIF_API int aif_service_list(struct aif_client *client, uint32_t *ids, unsigned int capacity);

/* What is service @id?  Free it with aif_service_info_free().  errno: ENOENT. */
AIF_API struct aif_service_info *aif_service_describe(struct aif_client *client, uint32_t id);
AIF_API void aif_service_info_free(struct aif_service_info *info);

/*
 * The value of @key in the text, with its length in @length; NULL if it is not
 * there.  The first of several.  Not NUL-terminated; lives as long as @info.
 */
AIF_API const char *aif_service_info_value(const struct aif_service_info *info, const char *key,
					   size_t *length);

/* Whose service is meant: a name alone could be squatted. */
#define AIF_OWNER_TRUSTED	0xffffffffu	/* mine if I have one, else root's */

/*
 * Open the service @name of @owner (a uid, or AIF_OWNER_TRUSTED).  Opening it
 * twice makes two objects with separate grants.  errno: ENOENT no such service of
 * that owner; ENAMETOOLONG; ENOSPC too many opened.
 */
AIF_API struct aif_service *aif_service_open(struct aif_client *client, const char *name,
					     uint32_t owner);

/* Forget it.  -EBUSY while a grant to it lives.  NULL is 0. */
AIF_API int aif_service_close(struct aif_service *service);

/* What aif_service_open() found; constant, lives as long as @service. */
AIF_API const struct aif_service_info *aif_service_info(const struct aif_service *service);

/* ------------------------------------------------------------------ */
/* Buffers and grants							*/

/*
 * Allocate @bytes (1 to 4 GiB - 1 page, rounded up to pages) of zeroed memory,
 * mapped here.  errno: EDQUOT the tenant's bytes; ENOMEM also the cgroup's limit;
 * ENOSPC too many buffers.
 */
AIF_API struct aif_buffer *aif_buffer_alloc(struct aif_client *client, size_t bytes);

#define AIF_PIN_WRITE	(1u << 0)	/* else only a source of transfers */

/*
 * Pin the @bytes (1 to 4 GiB - 1 page) at @memory, of any alignment, for transfers;
 * such a buffer cannot be granted.  The pages stay pinned until it is freed, by all
 * it was shared with too, and the transfers with it are quiet, whatever is mapped at
 * @memory meanwhile.
 * @flags: AIF_PIN_*; a shared mapping of a file on a disk can be pinned without
 * AIF_PIN_WRITE only.  errno: EFAULT the memory is not there, or not to be written;
 * ENOMEM also RLIMIT_MEMLOCK of this process; EDQUOT the tenant's pinned bytes;
 * ENOSPC too many buffers.
 */
AIF_API struct aif_buffer *aif_buffer_pin(struct aif_client *client, void *memory,
					  size_t bytes, unsigned int flags);

/*
 * The same for @bytes of a memfd from @offset on, which must be sealed with
 * F_SEAL_SHRINK; the buffer's data is NULL.  Needs AIF_FEATURE_MEMFD (EOPNOTSUPP).
 * errno also: EBADF; EACCES @fd is not open for that; EINVAL no memfd, or not so
 * sealed, or shorter; EPERM AIF_PIN_WRITE on one that is sealed against writing.
 */
AIF_API struct aif_buffer *aif_buffer_memfd(struct aif_client *client, int fd, uint64_t offset,
					    size_t bytes, unsigned int flags);

/*
 * The same for all of a dma-buf, another device's memory, that is @fd: for transfers by
 * the CPU, while it is open (aif_buffer_open()).  Needs AIF_FEATURE_IMPORT (EOPNOTSUPP).
 * errno also: EBADF; EACCES @fd is not open for that; EINVAL no dma-buf, or of more than
 * 4 GiB - 1 page; EOPNOTSUPP its exporter is none that the module's parameter import_from
 * names, or does not let the CPU see it as memory.
 */
AIF_API struct aif_buffer *aif_buffer_import(struct aif_client *client, int fd,
					     unsigned int flags);

/*
 * Open an imported buffer for the CPU, to read, and with AIF_PIN_WRITE to write: what other
 * devices have to do with it by its fences is waited for, until a signal comes (-EINTR).
 * Transfers with it are refused (-ENXIO) before.  aif_buffer_close(): other devices see
 * what was written; -EBUSY while a transfer is not quiet.  It is the memory that is open,
 * for all that it is shared with; they cannot open or close it if they are another tenant's
 * clients (-EPERM).  -EALREADY it is open, or closed; -EINVAL not imported; -EACCES; or what
 * the exporter answers.
 */
AIF_API int aif_buffer_open(struct aif_buffer *buffer, unsigned int flags);
AIF_API int aif_buffer_close(struct aif_buffer *buffer);

/*
 * Let the device of the engine called @engine (1 to 31 bytes) reach the buffer, for
 * transfers: *@number names that engine to aif_request_prepare_transfer().  It lasts until
 * aif_buffer_unmap(), aif_buffer_free() or the end of the engine, or until another buffer
 * needs the room: map it again when submit says -ENXIO.  To map it again costs nothing.
 * Needs AIF_FEATURE_MAP (-EOPNOTSUPP).  -ENOENT no such engine; -EINVAL it needs no
 * mapping; -EOPNOTSUPP also: an imported buffer; -ENODEV it does not work any more; -EDQUOT
 * the tenant's mapped bytes; -ENOSPC no room at the engine; -EIO its driver is wrong.
 */
AIF_API int aif_buffer_map(struct aif_buffer *buffer, const char *engine, uint32_t *number);

/* -ENOENT: it is not mapped for that engine. */
AIF_API int aif_buffer_unmap(struct aif_buffer *buffer, uint32_t number);

/*
 * Unmap (unless it was pinned) and free.  Transfers that are under way go on.
 * -EBUSY while a grant of it lives.  NULL is 0.
 */
AIF_API int aif_buffer_free(struct aif_buffer *buffer);

/*
 * Where an `alloc` buffer is, for another process that gets the client's file
 * (aif_client_fd(), over a socket).  This struct does not grow.
 */
struct aif_buffer_place {
	uint64_t offset;
	uint64_t bytes;
	uint32_t handle;
	uint32_t reserved;	/* 0 */
};

/* -EOPNOTSUPP: it is not mapped here: pinned, or accepted without that. */
AIF_API int aif_buffer_place(const struct aif_buffer *buffer, struct aif_buffer_place *place);

/*
 * The buffer that the client's file has at @place, mapped here.  aif_buffer_free()
 * only unmaps it.  It is mapped for reading only if that is all that is allowed.
 * errno: EINVAL no such place.  What it is granted as says the device only when it
 * is: a false @handle is another buffer of the same file, or none.
 */
AIF_API struct aif_buffer *aif_buffer_adopt(struct aif_client *client,
					    const struct aif_buffer_place *place);

#define AIF_ALLOW_READ		(1u << 0)	/* the bytes can be read */
#define AIF_ALLOW_WRITE		(1u << 1)	/* ... and written */
#define AIF_ALLOW_MAP		(1u << 2)	/* mapped, and granted to services */
#define AIF_ALLOW_TRANSFER	(1u << 3)	/* a transfer's source or target */

/*
 * An fd (close-on-exec; the caller closes it) that passes the buffer on to another
 * client, in whatever process it gets to (SCM_RIGHTS, fork).  @allow: AIF_ALLOW_*; 0:
 * all that this buffer allows.  There is no taking back: the memory stays, and
 * charged to this client's tenant, as long as the fd or who accepted it has it.
 * -EACCES more than this buffer allows; -EMFILE, -ENFILE; -EOPNOTSUPP the device has
 * no processes to pass it to (local).
 */
AIF_API int aif_buffer_share(struct aif_buffer *buffer, unsigned int allow);

/*
 * The buffer that @fd passes on, with what it allows; mapped here (for reading only
 * without AIF_ALLOW_WRITE) if that is READ and MAP, else its data is NULL.  @allow:
 * AIF_ALLOW_*; 0: all that the fd allows.  A buffer like others; aif_buffer_free() ends
 * it for this client only.  @fd may be closed.  errno: EBADF; EINVAL not from
 * aif_buffer_share(); EACCES more than the fd allows; ENOSPC too many buffers;
 * EOPNOTSUPP.
 */
AIF_API struct aif_buffer *aif_buffer_accept(struct aif_client *client, int fd,
					     unsigned int allow);

AIF_API void *aif_buffer_data(const struct aif_buffer *buffer);
/* Whole pages, if it was allocated. */
AIF_API size_t aif_buffer_size(const struct aif_buffer *buffer);

/*
 * A convenience for placing inputs and outputs: the next @bytes of the buffer at a
 * multiple of @alignment (a power of two <= 4096; 0: 64), or NULL with errno ENOSPC
 * when they are not there, EINVAL, EOPNOTSUPP it has no data here.
 * aif_buffer_reset() starts again from the front; there is no giving back of one
 * piece.
 */
AIF_API void *aif_buffer_carve(struct aif_buffer *buffer, size_t bytes, size_t alignment);
AIF_API void aif_buffer_reset(struct aif_buffer *buffer);

/*
 * Say how many long-term pins each page of the buffer carries on this client's
 * account (registered with a GPU driver or a ring): declare after pinning,
 * withdraw before unpinning.  At most 1024.  Undeclared pins make a dead executor's
 * requests fail with -EOWNERDEAD instead of being executed again.
 */
AIF_API int aif_buffer_declare_pins(struct aif_buffer *buffer, unsigned int pins);

#define AIF_GRANT_WRITE	(1u << 0)	/* the service may write; else read only */

/*
 * Let a service map a whole buffer, until aif_grant_revoke(): its executors see
 * all of it all the time.  Grant once, not per request.  @flags: AIF_GRANT_*.
 * errno: EDQUOT the service's bytes; ENOSPC too many grants; EINVAL they belong to
 * different clients; ENODEV the service is gone.
 */
AIF_API struct aif_grant *aif_grant_create(struct aif_buffer *buffer, struct aif_service *service,
					   unsigned int flags);

/*
 * Take it back.  On return no executor's CPU reaches the buffer through it, and
 * requests that used it are answered with -EKEYREVOKED.  What a device driver had
 * pinned stays reachable by that driver until it lets go.  @grant is gone also
 * when an error is returned.  NULL is 0.
 */
AIF_API int aif_grant_revoke(struct aif_grant *grant);

/* ------------------------------------------------------------------ */
/* Requests								*/

enum aif_request_class {
	AIF_REQUEST_NORMAL = 0,
	AIF_REQUEST_IDLE = 1,		/* runs when nothing else is queued */
	AIF_REQUEST_REALTIME = 2,	/* needs AIF_FEATURE_REALTIME (-EOPNOTSUPP) */
};

#define AIF_REQUEST_RESTART	(1u << 0)	/* may start over, though output was there */

/*
 * What to compute.
 *
 * @in, @in_count:   the service's inputs, in their order
 * @out, @out_count: its outputs, in theirs; trailing optional ones may be missing
 * @deadline_ns:     0: none.  When it has passed the result is -ETIME
 * @sched_class:     enum aif_request_class
 * @flags:           AIF_REQUEST_*
 *
 * Every piece lies inside one buffer that was granted to the service (outputs:
 * with AIF_GRANT_WRITE).  Two exceptions: a piece of no bytes may lie anywhere,
 * and so may an only input of 1 to 24 bytes beside an only output: it is copied
 * into the request.
 */
struct aif_request_spec {
	size_t size;
	const struct iovec *in;
	const struct iovec *out;
	unsigned int in_count;
	unsigned int out_count;
	uint64_t deadline_ns;
	enum aif_request_class sched_class;
	unsigned int flags;
};

/*
 * What became of a request.
 *
 * @result:   0 or more: the service's own, 0 unless it says otherwise; or -errno
 *            (aif_error_text())
 * @produced: bytes of the first output that are there
 * @attempt:  executions; 0: it was never fetched
 * @quiet:    no executor has its memory any more.  An answer that the service did
 *            not give (-ECANCELED, -ETIME, -EOWNERDEAD, -EKEYREVOKED) can come
 *            before that, and then outputs may still be written to
 * @submitted_ns, @fetched_ns, @answered_ns: CLOCK_MONOTONIC; 0: it never was
 * @device_ns: device time that was charged
 */
struct aif_outcome {
	size_t size;
	int result;
	uint32_t produced;
	uint32_t attempt;
	bool quiet;
	uint64_t submitted_ns;
	uint64_t fetched_ns;
	uint64_t answered_ns;
	uint64_t device_ns;
};

/*
 * One inference, start to end, in one system call: submits, and returns when it was
 * answered.  Returns the request's result; -EFAULT: a piece does not lie in granted
 * memory; or what aif_request_submit() refuses with, or -EAGAIN: all of the
 * client's requests are in use.  @outcome (may be NULL; its @size set) is zeroed
 * but for @result if the request was refused.
 * A signal: the request is cancelled and -EINTR returned; its output may still be
 * written to until aif_client_wait_quiet().
 */
AIF_API int aif_call(struct aif_service *service, const struct aif_request_spec *spec,
		     struct aif_outcome *outcome);

/*
 * Take one of the client's requests (there are @depth), to be used any number of
 * times.  errno: EAGAIN all are in use.
 */
AIF_API struct aif_request *aif_request_get(struct aif_client *client);

/*
 * Give it back.  One that is still in flight runs on, and its answer is dropped.
 * Not while an aif_prep_submit() of it is pending.  NULL is nothing.
 */
AIF_API void aif_request_put(struct aif_request *request);

/* A pointer for the caller's own use; NULL after aif_request_get(). */
AIF_API void aif_request_set_user(struct aif_request *request, void *user);
AIF_API void *aif_request_user(const struct aif_request *request);

/*
 * Say what it shall do next.  @spec is not needed any more on return, what its
 * pieces point to is.  -EBUSY: it is in flight or not quiet; -EFAULT: a piece does
 * not lie in granted memory; -EINVAL also: @service belongs to another client.
 * Whether lengths and alignments fit the service is for submit to say.
 */
AIF_API int aif_request_prepare(struct aif_request *request, struct aif_service *service,
				const struct aif_request_spec *spec);

/*
 * A copy or a fill by the machine's engines, of which the CPU is one.
 *
 * @to, @to_offset, @bytes: what is written
 * @from, @from_offset: what is copied there; @from NULL: it is filled instead
 * @pattern, @pattern_bytes: 1 to 24 bytes to fill with, repeated; copied at once
 * @engine: number from aif_buffer_map(), which does as much of it as it has places for;
 *	0: whichever does it soonest
 * The two places may be of one buffer, if they have no byte in common.
 */
struct aif_transfer_spec {
	size_t size;
	struct aif_buffer *to;
	struct aif_buffer *from;
	size_t to_offset;
	size_t from_offset;
	size_t bytes;
	const void *pattern;
	uint32_t pattern_bytes;
	enum aif_request_class sched_class;
	uint64_t deadline_ns;
	uint32_t engine;
	uint32_t reserved;
};

/*
 * Make the request a transfer: submitted, waited for, cancelled and looked at like
 * any other.  Its produced bytes grow from the front of the target, its result is 0
 * or -ECANCELED or -ETIME.  Needs AIF_FEATURE_TRANSFER (-EOPNOTSUPP).  -EBUSY: it is
 * in flight or not quiet; -EINVAL also: a buffer of another client, or places outside
 * a buffer.  Submit adds -EACCES: the target is not writable; -ENOENT: a buffer was
 * freed; -ENXIO: a buffer is not mapped for @engine.
 */
AIF_API int aif_request_prepare_transfer(struct aif_request *request,
					 const struct aif_transfer_spec *spec);

#define AIF_SUBMIT_WAIT_ALL	(1u << 0)	/* return when all are answered */
#define AIF_SUBMIT_WAIT_FIRST	(1u << 1)	/* ... when the first is */

/*
 * Submit prepared requests of one client, 1 to depth, in one system call.  Returns
 * how many were taken, in order, up to the first that is refused; if that is the
 * very first, why:
 *   -EINVAL       pieces that do not fit the service's description; one that is not
 *                 prepared, or named twice, whichever it is
 *   -EACCES       an output in a grant without AIF_GRANT_WRITE
 *   -EKEYREVOKED  a grant was revoked since it was prepared: prepare it anew
 *   -ETIME        the deadline has passed already
 *   -EDQUOT       the tenant has too many requests in flight
 *   -EAGAIN       the accelerator's queue is full; or the descriptor ring has not so
 *                 many places in a row, with submissions that wait or stand in rings
 *   -ESHUTDOWN    the service drains
 *   -ENODEV       the service is gone
 * A refused request stays prepared.  -EINTR, only when waiting: those taken are in
 * flight (aif_request_state() says which).
 */
AIF_API int aif_request_submit(struct aif_request *const *requests, unsigned int count,
			       unsigned int flags);

enum aif_request_state {
	AIF_REQUEST_NEW = 0,		/* not prepared */
	AIF_REQUEST_PREPARED = 1,	/* not taken yet */
	AIF_REQUEST_IN_FLIGHT = 2,
	AIF_REQUEST_ANSWERED = 3,	/* but an executor still has its memory */
	AIF_REQUEST_QUIET = 4,		/* answered; may be prepared again */
};

/*
 * The next four make no system call.  [any thread, from the submission until the
 * request is prepared again or put]
 */
AIF_API enum aif_request_state aif_request_state(const struct aif_request *request);

/* Is the answer there?  Once true, result and outputs may be read. */
AIF_API bool aif_request_answered(const struct aif_request *request);

/* Bytes of the first output that are there and may be read. */
AIF_API uint32_t aif_request_produced(const struct aif_request *request);

/* Fill @outcome (@size set by the caller).  -EINPROGRESS: no answer yet. */
AIF_API int aif_request_outcome(const struct aif_request *request, struct aif_outcome *outcome);

/*
 * What the module's tracepoints aif_request_submit, _fetch and _answer call this use of
 * the request: tag and generation, beside a number of its client, which the first of them
 * tells by the tenant and the submitting thread.  For logs; from preparing it until it is
 * prepared again.
 */
AIF_API void aif_request_trace(const struct aif_request *request, uint64_t *tenant, uint32_t *tag,
			       uint32_t *generation);

/* The result alone, for the impatient: 0 or more or -errno; -EINPROGRESS: none yet. */
AIF_API int aif_request_result(const struct aif_request *request);

/*
 * Wait: for the answer, by looking only (no system call, a processor kept busy);
 * for the answer; until more than @bytes are produced, or the answer; until quiet.
 * -EINVAL: it was not submitted.  [any thread]
 */
AIF_API int aif_request_spin(const struct aif_request *request, int64_t timeout_ns);
AIF_API int aif_request_wait(struct aif_request *request, int64_t timeout_ns);
AIF_API int aif_request_wait_produced(struct aif_request *request, uint32_t bytes,
				      int64_t timeout_ns);
AIF_API int aif_request_wait_quiet(struct aif_request *request, int64_t timeout_ns);

/* Answer it with -ECANCELED.  -ENOENT: it is not in flight.  [any thread] */
AIF_API int aif_request_cancel(struct aif_request *request);

/* ------------------------------------------------------------------ */
/* Tenants: for who administers the machine				*/

/*
 * What a tenant may have, or has.  This struct does not grow.
 *
 * @alloc_bytes:  of allocated buffers
 * @pinned_bytes: of pinned memory, all its processes together
 * @mapped_bytes: of buffers, for each engine that they are mapped for
 * @requests:     and transfers, in flight
 * @weight:       share of an accelerator, 1 to 10000, against 100 of others
 * @bytes_second: that its transfers move, 1 to 2^40; 0: no limit.  A transfer over it
 *                waits, up to its deadline
 */
struct aif_tenant_values {
	uint64_t alloc_bytes;
	uint64_t pinned_bytes;
	uint64_t mapped_bytes;
	uint32_t requests;
	uint32_t weight;
	uint64_t bytes_second;
};

#define AIF_TENANT_ALLOC	(1u << 0)
#define AIF_TENANT_PINNED	(1u << 1)
#define AIF_TENANT_REQUESTS	(1u << 2)
#define AIF_TENANT_WEIGHT	(1u << 3)
#define AIF_TENANT_BYTES_SECOND	(1u << 4)
#define AIF_TENANT_REALTIME	(1u << 5)
#define AIF_TENANT_MAPPED	(1u << 6)

/*
 * A budget of real time: @budget_us of the accelerator @device in any @period_us; of the
 * engines that move bytes, if @device is empty.  All zero: none.  This struct does not
 * grow.
 *
 * @period_us: from 1
 * @budget_us: 1 to @period_us, and at most 4000000
 * @device:    as services name it, which need not exist yet; zeros behind its NUL
 */
struct aif_tenant_realtime_budget {
	uint32_t period_us;
	uint32_t budget_us;
	char device[64];
};

/*
 * A tenant at one moment.
 *
 * @id: its cgroup's (the inode number of the directory), or a uid
 * @set: AIF_TENANT_*: which of @limits are its own, not the default
 * @clients: that it has open
 * @limits: that hold for it; @used: what it has (0 from the weight on)
 * @answered, @device_ns, @moved_bytes: requests and transfers answered, device time
 *           spent for it, bytes that its transfers moved.  They grow as long as it is
 *           known: a tenant without a client, a charge or a limit of its own is
 *           forgotten and, when it comes back, begins at 0
 * @realtime: its budget
 */
struct aif_tenant_info {
	uint64_t id;
	uint32_t set;
	uint32_t clients;
	struct aif_tenant_values limits;
	struct aif_tenant_values used;
	uint64_t answered;
	uint64_t device_ns;
	uint64_t moved_bytes;
	struct aif_tenant_realtime_budget realtime;
};

/*
 * All tenants, ascending by id, into @tenants[@capacity].  Returns how many there are,
 * which may be more than @capacity: ask again with more room.  -EPERM without
 * CAP_SYS_RESOURCE; -EOPNOTSUPP.
 */
AIF_API int aif_tenant_list(struct aif_client *client, struct aif_tenant_info *tenants,
			    unsigned int capacity);

/*
 * Set those of tenant @id's limits that @set (AIF_TENANT_*) names; 0 makes one the
 * default again, and those not named must be 0.  The tenant need not have a client yet;
 * what it has over a new limit it keeps.  -ENOENT: no such cgroup; -EPERM; -EINVAL, also
 * of AIF_TENANT_REALTIME, which aif_tenant_set_realtime() sets; -EOPNOTSUPP.
 */
AIF_API int aif_tenant_set(struct aif_client *client, uint64_t id, uint32_t set,
			   const struct aif_tenant_values *limits);

/*
 * Give tenant @id a budget of real time; NULL takes it back.  What its clients, opened
 * with AIF_FEATURE_REALTIME, submit in AIF_REQUEST_REALTIME is then executed within a
 * period, however busy the accelerator is; what is beyond the budget goes on as
 * AIF_REQUEST_NORMAL.  As aif_tenant_set(), and -EBUSY: with it somebody could be late:
 * the longest step of the accelerator's services is too long, or others have too much of
 * it; -ENOSPC: 64 tenants have a budget of it.
 */
AIF_API int aif_tenant_set_realtime(struct aif_client *client, uint64_t id,
				    const struct aif_tenant_realtime_budget *budget);

/* ------------------------------------------------------------------ */
/* Holders: services, as their maker sees them				*/

/*
 * @device:  the node, see above
 * @name:    1 to 63 of [A-Za-z0-9._-], unique for its owner: this process's euid
 * @accelerator: likewise; services that name the same one share it.  Required
 * @model:   name of the model, printable; NULL: empty
 * @digest:  SHA-256 of the weights, 32 bytes; NULL: zeros
 * @text:    lines of key=value, NUL-terminated, at most 4096 bytes; NULL: none
 * @io, @io_count: 1 to 3 inputs and outputs, inputs first
 * @step_tokens: steps that the accelerator runs at once, 1 to 64; 0: 1
 * @max_attempts: executions of a request before -EIO, 1 to 16; 0: 2
 * @longest_step_ms: an executor that shows no such sign of work for longer lets
 *           others run; 0: 1000
 * @progress_ms: an executor that has jobs and for so long neither takes one, answers
 *           one nor calls aif_job_progress() is detached; 0: 10000
 * @recovery_ms: how long a dead executor's request may wait to be queued again;
 *           0: 1000
 * Times are at most an hour.
 */
struct aif_holder_opts {
	size_t size;
	const char *device;
	const char *name;
	const char *accelerator;
	const char *model;
	const uint8_t *digest;
	const char *text;
	const struct aif_service_io *io;
	unsigned int io_count;
	uint32_t step_tokens;
	uint32_t max_attempts;
	uint32_t longest_step_ms;
	uint32_t progress_ms;
	uint32_t recovery_ms;
};

/*
 * Create a service.  It lives until aif_holder_close() and the end of every
 * inherited copy of its descriptor.  errno: EEXIST this uid has one of that name;
 * EACCES the serving node is not open to this process; ENOSPC too many services;
 * ENOENT no such device; EINVAL the description is not as stated; ETIME with steps of
 * @longest_step_ms somebody who has a budget of real time on @accelerator could be late.
 */
AIF_API struct aif_holder *aif_holder_create(const struct aif_holder_opts *opts);

/* Close.  With its last holder a service is gone: its requests get -ENODEV. */
AIF_API void aif_holder_close(struct aif_holder *holder);

AIF_API uint32_t aif_holder_service(const struct aif_holder *holder);	/* its id */

/*
 * The file: for worker processes, which hand it to aif_executor_open().  It is
 * close-on-exec; clear that, or dup(2) it, to let a worker inherit it.
 */
AIF_API int aif_holder_fd(const struct aif_holder *holder);

/*
 * Take no more requests: submit answers -ESHUTDOWN; what is queued is still
 * executed, and aif_executor_turn() answers -ESHUTDOWN when all is done.
 */
AIF_API int aif_holder_drain(struct aif_holder *holder);

/* As aif_service_describe(), for the holder's own. */
AIF_API struct aif_service_info *aif_holder_describe(struct aif_holder *holder);

/* ------------------------------------------------------------------ */
/* Executors								*/

/*
 * A granted buffer as the executor sees it.
 *
 * @grant: its id in this service; @data, @length: where it is mapped
 * @writable: else stores are a fault
 * @user: for the callbacks' own use (a device's address of it, say)
 */
struct aif_mapping {
	void *data;
	size_t length;
	uint32_t grant;
	bool writable;
	void *user;
};

/*
 * Called inside aif_executor_turn() and aif_executor_close(), by their thread; they
 * must not call the library, except aif_executor_declare_pins().
 *
 * @mapped:   a grant was added and is mapped: register it with a GPU's driver, say.
 *            An error is logged, and requests that use the grant are answered with
 *            it, without becoming jobs
 * @unmapped: it was revoked and no job uses it: unregister; it is unmapped and
 *            acknowledged next.  The memory shows zeroes since the revocation
 * @poisoned: a request of @client with @tag failed with -EIO: its executors died
 *            holding it max_attempts times
 */
struct aif_executor_callbacks {
	size_t size;
	int (*mapped)(void *ctx, struct aif_mapping *mapping);
	void (*unmapped)(void *ctx, struct aif_mapping *mapping);
	void (*poisoned)(void *ctx, uint64_t client, uint32_t tag);
};

/*
 * @service:   id, from aif_holder_service() or a list
 * @holder_fd: the holder's file; 0 or less: none, then this process must own the
 *             service or be root
 * @slots:     jobs at once, 1 to 1024; 0: 64
 * @features:  AIF_FEATURE_*
 */
struct aif_executor_opts {
	size_t size;
	const char *device;
	const struct aif_executor_callbacks *callbacks;	/* copied */
	void *ctx;
	uint64_t features;
	uint32_t service;
	int holder_fd;
	unsigned int slots;
	unsigned int reserved;	/* 0 */
};

/*
 * Attach this process to a service.  Open it before a GPU driver is initialised:
 * files close in an order that lets this one see the process's end late, when
 * the device has stopped writing.  One process may have several.  errno: ENOENT;
 * EACCES not the owner and no holder's file; EBADF @holder_fd is not a holder's.
 */
AIF_API struct aif_executor *aif_executor_open(const struct aif_executor_opts *opts);

/*
 * Detach and free all, jobs included.  To the device that is the executor's death:
 * jobs not answered go to another executor.
 */
AIF_API void aif_executor_close(struct aif_executor *executor);

AIF_API int aif_executor_fd(const struct aif_executor *executor);

/* The service as it was when attached; constant. */
AIF_API const struct aif_service_info *aif_executor_service(const struct aif_executor *executor);

/*
 * One input or output of a job: @length bytes at @data inside @mapping (NULL for
 * input that came inside the request: that is constant, and never written to).  The
 * client can change its own memory while it is read: load what steers the
 * computation once, and check the copy.
 */
struct aif_job_io {
	void *data;
	size_t length;
	const struct aif_mapping *mapping;
};

/*
 * A request in this executor's hands, until aif_job_answer().
 *
 * @client, @tag:  who asked (a number for the client's file) and which of its own
 * @tenant:        who pays
 * @deadline_ns:   CLOCK_MONOTONIC, 0: none
 * @attempt:       1; more: earlier executors died holding it
 * @cancelled:     it was answered otherwise (cancelled, expired, revoked): stop, and
 *                 answer it with anything, to give the memory back.  Set by
 *                 aif_executor_turn() and aif_job_progress()
 * @in, @out:      pieces, as the service describes them; a missing optional output
 *                 has @length 0
 * @user:          for the executor's own use; NULL at first
 */
struct aif_job {
	uint64_t client;
	uint64_t tenant;
	uint64_t deadline_ns;
	uint32_t tag;
	uint32_t attempt;
	enum aif_request_class sched_class;
	bool cancelled;
	unsigned int in_count;
	unsigned int out_count;
	struct aif_job_io in[AIF_SERVICE_IO_MAX];
	struct aif_job_io out[AIF_SERVICE_IO_MAX];
	void *user;
};

#define AIF_TURN_NONBLOCK	(1u << 0)

/*
 * Give back what was answered since the last turn, then bring up to @credit jobs
 * into @jobs (0: events only).  Waits until there is something, unless
 * AIF_TURN_NONBLOCK.  Returns the number of jobs; 0 when only events came: look at
 * the @cancelled of the jobs in hand.  Grants are mapped and unmapped here.
 *   -EAGAIN     non-blocking: nothing is queued
 *   -EBUSY      non-blocking: something is, but it is another's turn on the
 *               accelerator: go on with what is in hand and ask again
 *   -ESHUTDOWN  the service drains and all is done
 *   -ENODEV     the service is gone, or this executor was detached
 *   -EPERM      another process attached it
 * Answers are taken whatever it returns.
 */
AIF_API int aif_executor_turn(struct aif_executor *executor, struct aif_job **jobs,
			      unsigned int credit, unsigned int flags);

/* Give back what was answered since the last turn, and take nothing. */
AIF_API int aif_executor_flush(struct aif_executor *executor);

/*
 * A number that changes when a request is queued to the service, for those who spin:
 * take a non-blocking turn when it did.  No system call.
 */
AIF_API uint64_t aif_executor_doorbell(const struct aif_executor *executor);

/* As aif_buffer_declare_pins(), for this executor's registrations of a mapping. */
AIF_API int aif_executor_declare_pins(struct aif_executor *executor,
				      const struct aif_mapping *mapping, unsigned int pins);

/*
 * The job's answer; sent by the next turn or flush, and then the job is gone.
 * @result: 0 or more, or -errno.  @produced: bytes of the first output.
 * @device_ns: device time it took; 0: the time since it was fetched is divided
 * among those given back together.
 */
AIF_API void aif_job_answer(struct aif_job *job, int result, uint32_t produced,
			    uint64_t device_ns);

/*
 * Part of the first output is there: @produced bytes so far.  @device_ns: device
 * time since the last progress; charged.  Returns 1 when the job was answered
 * otherwise (and sets @cancelled), else 0.  [any thread, one per job]
 */
AIF_API int aif_job_progress(struct aif_job *job, uint32_t produced, uint64_t device_ns);

/* ------------------------------------------------------------------ */
/* In an io_uring of one's own						*/

/*
 * These fill an SQE (64 bytes suffice) as liburing's io_uring_prep_*() do: all but
 * user_data; set IOSQE_* flags afterwards.  sqe->fd is the plain descriptor; an app
 * that registered it may replace it by its index and add IOSQE_FIXED_FILE.  They
 * work in plain, SQPOLL and DEFER_TASKRUN rings, and leave the SQE as it was when they
 * return an error.  In a chain (IOSQE_IO_LINK), where the kernel copies an SQE late,
 * add IOSQE_ASYNC to an SQE that is not the first.
 * -EOPNOTSUPP: AIF_FEATURE_URING was not granted (asked for at open).
 */

/*
 * CQE res: how many were taken, or -errno as aif_request_submit(); with a WAIT flag
 * it comes when they are answered.  Call aif_request_submitted() with it before the
 * requests are used again.  -EAGAIN: the descriptor ring is full.
 */
AIF_API int aif_prep_submit(struct io_uring_sqe *sqe, struct aif_request *const *requests,
			    unsigned int count, unsigned int flags);
AIF_API void aif_request_submitted(struct aif_request *const *requests, unsigned int count,
				   int res);

/* CQE res: 0, or -ECANCELED (aif_client_cancel_waits()).  As the functions so named. */
AIF_API int aif_prep_wait(struct io_uring_sqe *sqe, struct aif_client *client, uint64_t answered);
AIF_API int aif_prep_wait_produced(struct io_uring_sqe *sqe, struct aif_request *request,
				   uint32_t bytes);
AIF_API int aif_prep_wait_quiet(struct io_uring_sqe *sqe, struct aif_request *request);
AIF_API int aif_prep_cancel(struct io_uring_sqe *sqe, struct aif_request *request);

/*
 * A turn, parked in the ring.  Answers given so far go with it; those given later go
 * with the next.  One at a time, and not as a link behind what can fail: answers in a
 * command that never began are lost.  Hand the CQE's res to aif_executor_turned(), with
 * the same credit; it returns what aif_executor_turn() would.
 */
AIF_API int aif_prep_turn(struct io_uring_sqe *sqe, struct aif_executor *executor,
			  unsigned int credit, unsigned int flags);
AIF_API int aif_executor_turned(struct aif_executor *executor, struct aif_job **jobs,
				unsigned int credit, int res);

/* CQE res: 1 when the job was answered otherwise, else 0.  Microseconds here. */
AIF_API int aif_prep_progress(struct io_uring_sqe *sqe, struct aif_job *job, uint32_t produced,
			      uint32_t device_us);

#ifdef __cplusplus
}
#endif

#endif
