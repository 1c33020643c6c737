/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the device, as a loop uses it for one tenant
 *
 * A backend is a file of the device, a client like any other, and what was opened
 * from it.  A batch is what one HTTP request asks a service: one or many texts that
 * are submitted together, in memory that is granted to the service.
 *
 * The life of a batch: batch_new(), texts put in, batch_submit(); at the end of the
 * loop's turn all that was gathered is submitted with one system call; when all its
 * texts are answered @done is called; batch_free().  It can be freed at any time:
 * what is in flight then is cancelled, and its memory is used again only when no
 * executor has it any more.
 *
 * One thread: the loop's.
 */
#ifndef AIF_GATEWAY_BACKEND_H
#define AIF_GATEWAY_BACKEND_H

#include "libaif.h"

struct backend;
struct batch;
struct exchange;
struct granted;
struct loop;
struct region;
struct tenant;

struct counts {
	int32_t tokens;
	int32_t truncated;
};

/*
 * One text of a batch.
 *
 * @output, @room: the service's first output; @counts: its second, or NULL
 * @result: 0 or more, or -errno; when the batch is done
 */
struct text {
	char *text;
	size_t length;
	char *output;
	size_t room;
	struct counts *counts;
	struct aif_request *request;
	int result;
};

/* The backend of @tenant; NULL with errno: EINPROGRESS its file has to be opened before. */
struct backend *backend_get(struct loop *loop, struct tenant *tenant);

/* Make it, with its file @fd, which is taken over.  0 or -errno. */
int backend_open(struct loop *loop, struct tenant *tenant, int fd);

/* That of a region: its batches may have texts and outputs there, in place. */
struct backend *backend_of_region(struct loop *loop, struct region *region);

/*
 * A batch of @n texts with @bytes in all, for the service.  @room: of the first
 * output of each; 0: what the service's shape says.  NULL with errno: ENOSPC no
 * memory for it now; E2BIG never; ENODEV the service is gone; EAGAIN too much waits.
 */
struct batch *batch_new(struct backend *backend, const struct aif_service_info *service,
			unsigned int n, size_t bytes, size_t room);
unsigned int batch_count(const struct batch *batch);
struct text *batch_text(struct batch *batch, unsigned int i);

/* Where text @i of @length bytes is to be written; texts are put in order. */
char *batch_put(struct batch *batch, unsigned int i, size_t length);

/*
 * Granted memory of @bytes, for a body that holds texts, before it is known how many:
 * NULL with errno as batch_new().  batch_new_in() takes it over; who gives up before
 * that frees it.
 */
struct granted *granted_take(struct backend *backend, const struct aif_service_info *service,
			     size_t bytes);
char *granted_data(const struct granted *granted);
void granted_free(struct granted *granted);
struct batch *batch_new_in(struct granted *granted, unsigned int n);

/* Or where it is already, in granted memory or in the backend's region; and where its output is to go. */
void batch_place(struct batch *batch, unsigned int i, char *text, size_t length);
void batch_place_output(struct batch *batch, unsigned int i, char *output);

/*
 * Submit, before the loop sleeps.  @done: all have a result, or @result of the batch
 * (the first that is an error); called once, never from inside here.
 */
void batch_submit(struct batch *batch, uint64_t deadline_ns,
		  void (*done)(struct batch *batch, void *ctx), void *ctx);
/*
 * After batch_submit(), of a batch with one text: call @progress when more of its output
 * is there, until it is done; batch_produced() says how much.
 */
void batch_watch(struct batch *batch, void (*progress)(struct batch *batch, void *ctx));
size_t batch_produced(const struct batch *batch);

int batch_result(const struct batch *batch);
void batch_free(struct batch *batch);

/* Submit what was gathered; forget all, when nothing is asked any more. */
void backends_submit(struct loop *loop);
void backends_close(struct loop *loop);

/* Those of regions that have ended go, when no batch needs them. */
void backends_tidy(struct loop *loop);

#endif
