/* SPDX-License-Identifier: MIT */
/* apart.h - something done in a process of its own */
#ifndef AIFD_APART_H
#define AIFD_APART_H

#include <stddef.h>

/*
 * Let @what fill @answer, of @bytes, in a child: for a driver that does not survive a
 * fork, ends who uses it, or does not return.  0; or -errno with @why, for people: the
 * child ended without an answer, or was killed after @seconds, with all its children.
 * One whom even SIGKILL does not end, in a driver that hangs, is left for the caller's
 * waitpid(-1).  This process must have one thread.
 */
int apart(void (*what)(void *ctx, void *answer), void *ctx, void *answer, size_t bytes,
	  unsigned int seconds, char *why, size_t why_bytes);

#endif
