/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients, services and executors for the module's tests: real open files,
 * used from the test's thread as a system call would use them.  All of it ends
 * with the test, and then nothing may be left alive.
 */
#ifndef AIF_FIXTURE_H
#define AIF_FIXTURE_H

#include <kunit/test.h>

#include "aif.h"

/* A suite's .init: nothing is alive now, nor after the test. */
int aif_fx_init(struct kunit *test);

/* Give @var another value until the test ends. */
#define AIF_FX_SET(test, var, value)					\
	do {								\
		typeof(var) __value = (value);				\
									\
		aif_fx_set(test, &(var), &__value, sizeof(__value));	\
	} while (0)
void aif_fx_set(struct kunit *test, void *var, const void *value, size_t size);

/* An open file of /dev/aif or /dev/aif-serve; opened by @euid for the latter. */
struct file *aif_fx_open(struct kunit *test, const struct file_operations *fops);
struct file *aif_fx_open_serve(struct kunit *test, uid_t euid);
void aif_fx_close(struct kunit *test, struct file *filp);
void aif_fx_close_fd(struct kunit *test, int fd);

static inline struct aif_file *aif_fx_file(struct file *filp)
{
	return filp->private_data;
}

/* A client with @depth tags, without arrays if that is 0; its file, if somebody wants it. */
struct aif_client *aif_fx_client_file(struct kunit *test, u32 depth, struct file **filp);

static inline struct aif_client *aif_fx_client(struct kunit *test, u32 depth)
{
	return aif_fx_client_file(test, depth, NULL);
}

/* -errno, or 0 and the file is a holder: an input and an output of up to 64 KiB each. */
int aif_fx_create(struct kunit *test, struct file *filp, const char *name, const char *device,
		  u32 step_tokens);

/* A service of root's; its file, if somebody wants to close it. */
struct aif_service *aif_fx_service(struct kunit *test, const char *name, const char *device,
				   u32 step_tokens, struct file **filp);

static inline struct aif_handle *aif_fx_handle(struct aif_client *c, u32 id)
{
	return xa_load(&c->buffers, id);
}

/* Handles of what must succeed. */
u32 aif_fx_open_service(struct kunit *test, struct aif_client *c, struct aif_service *s);
u32 aif_fx_buffer(struct kunit *test, struct aif_client *c, u64 bytes);
/* @from's buffer, with @rights, as @to has it. */
u32 aif_fx_shared(struct kunit *test, struct aif_client *from, u32 handle,
		  struct aif_client *to, u32 rights);
u32 aif_fx_grant(struct kunit *test, struct aif_client *c, u32 buffer, u32 service);

/*
 * The test's thread becomes a process with an empty address space: what attaches
 * is bound to it.  Left, its mm has no user any more: it is gone.
 */
void aif_fx_process_enter(struct kunit *test);
void aif_fx_process_leave(void);

/* Attached by the current process. */
struct aif_executor *aif_fx_executor(struct kunit *test, struct aif_service *s, u32 slots);

/* All that a request passes: a client whose buffer of AIF_FX_BYTES a service may write. */
struct aif_fx_path {
	struct aif_service *service;
	struct aif_client *client;
	struct aif_executor *executor;	/* once somebody attached one */
	struct file *holder, *file;	/* the service's, the client's */
	struct aif_grant *granted;
	u32 open, buffer, grant;
};

#define AIF_FX_BYTES	(4 * PAGE_SIZE)
#define AIF_FX_OUTPUT	64	/* bytes of a request's output */

void aif_fx_path(struct kunit *test, struct aif_fx_path *p, u32 depth);

/* A request that is right: 1 byte in, AIF_FX_OUTPUT bytes out on the next page. */
struct aif_desc aif_fx_desc(const struct aif_fx_path *p, u32 tag, u32 generation);

/* What SUBMIT says to so many of them. */
int aif_fx_submit(struct aif_fx_path *p, const struct aif_desc *descs, u32 count);

/* What the client is shown of a tag. */
const struct aif_completion *aif_fx_completion(const struct aif_fx_path *p, u32 tag);

/* What COMMIT_FETCH with F_COMMIT_ONLY says to one commit; *@stale counts on. */
int aif_fx_commit(struct aif_executor *ex, const struct aif_commit *commit, u32 *stale);

/*
 * What a long-term pin does to a page of a buffer; aif_pages_kunit.c compares it
 * with the real one.
 */
static inline void aif_fx_pin(struct page *page, int pins)
{
	page_ref_add(page, pins * GUP_PIN_COUNTING_BIAS);
}

/* Wait for what workers do; false after ten seconds. */
bool aif_fx_reaches(const atomic64_t *gauge, s64 value);

#endif
