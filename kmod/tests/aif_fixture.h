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

static inline struct aif_file *aif_fx_file(struct file *filp)
{
	return filp->private_data;
}

/* A client with @depth tags; without arrays if that is 0. */
struct aif_client *aif_fx_client(struct kunit *test, u32 depth);

/* -errno, or 0 and the file is a holder: an input and an output of up to 64 KiB each. */
int aif_fx_create(struct kunit *test, struct file *filp, const char *name, const char *device,
		  u32 step_tokens);

/* A service of root's; its file, if somebody wants to close it. */
struct aif_service *aif_fx_service(struct kunit *test, const char *name, const char *device,
				   u32 step_tokens, struct file **filp);

/* Handles of what must succeed. */
u32 aif_fx_open_service(struct kunit *test, struct aif_client *c, struct aif_service *s);
u32 aif_fx_buffer(struct kunit *test, struct aif_client *c, u64 bytes);
u32 aif_fx_grant(struct kunit *test, struct aif_client *c, u32 buffer, u32 service);

/*
 * The test's thread becomes a process with an empty address space: what attaches
 * is bound to it.  Left, its mm has no user any more: it is gone.
 */
void aif_fx_process_enter(struct kunit *test);
void aif_fx_process_leave(void);

/* Attached by the current process. */
struct aif_executor *aif_fx_executor(struct kunit *test, struct aif_service *s, u32 slots);

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
