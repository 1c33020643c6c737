/* SPDX-License-Identifier: MIT */
/*
 * log_access.h - a line of JSON for each request
 *
 * Lines are gathered and written before the loop sleeps, whole lines at once: several
 * loops write to one file.
 */
#ifndef AIF_GATEWAY_LOG_ACCESS_H
#define AIF_GATEWAY_LOG_ACCESS_H

struct batch;
struct exchange;
struct loop;

/* @x's requests are these, submitted: how to find them in the module's trace. */
void log_access_batch(struct exchange *x, struct batch *batch);

void log_access(struct exchange *x);
void log_access_flush(struct loop *loop);

#endif
