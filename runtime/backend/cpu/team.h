/* SPDX-License-Identifier: MIT */
/*
 * team.h - a small persistent team of threads that computes one operator at a time
 *
 * The caller of run() is one of the team.  Between operators the others spin
 * for some ten microseconds, then sleep; a run on a sleeping team costs one
 * futex wake.  A thread that the system does not schedule delays nobody: the
 * others take its tasks, and run() waits only for tasks that were begun.
 *
 * The threads stay within the creator's processors as they were then, and off the
 * one that the caller is on, if there are enough.
 *
 * One thread at a time calls run().  Tasks must not call run().
 */
#ifndef AIF_CPU_TEAM_H
#define AIF_CPU_TEAM_H

#include "kernels/host.h"

/* CPUs that this process may run on, at least 1. */
unsigned int aif_cpu_allowed(void);

/*
 * @threads: the caller's included, at least 1
 * @scratch: bytes for each thread; zeroed and touched here, so that no step faults
 * -ENOMEM, or what pthread_create() said.
 */
int aif_team_create(unsigned int threads, size_t scratch, struct aif_team **team);
void aif_team_free(struct aif_team *team);

#endif
