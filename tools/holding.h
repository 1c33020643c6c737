/* SPDX-License-Identifier: MIT */
/* holding.h - buffers of the module, and the files of processes that keep them */
#ifndef AIF_TOOLS_HOLDING_H
#define AIF_TOOLS_HOLDING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What kind of file keeps it. */
enum holding_by {
	HOLDING_CLIENT,		/* a client's, which has a handle of it */
	HOLDING_PASSED,		/* one that passes it on */
	HOLDING_EXECUTOR,	/* an executor's, to whose service it was granted */
};

/* A process that has a buffer, as /proc/PID/fdinfo says it. */
struct holding {
	uint64_t buffer;	/* its number in traces, too */
	char kind[16];		/* "alloc", "pin", ... */
	uint64_t charged;	/* bytes, to @tenant */
	uint64_t tenant;
	char engines[544];	/* that the buffer is mapped for, with blanks between: at most 16 */
	enum holding_by by;
	pid_t pid;
	char name[17];		/* of its program, as comm has it; printable ASCII */
	char rights[5];		/* "rwmt", with '-' for what it may not */
};

/*
 * Look through all processes that the caller may look into, for files of the module whose
 * node @device is: in *@all, to be freed, each once, by buffer, kind of file and pid.
 * Returns how many, or -errno.
 */
int holding_all(const char *device, struct holding **all);

#endif
