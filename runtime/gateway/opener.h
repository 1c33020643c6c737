/* SPDX-License-Identifier: MIT */
/*
 * opener.h - a process that opens the device as others
 *
 * To the device a tenant is whoever opened the file.  So somebody has to enter the
 * tenant's cgroup, or become the user, and open it: a child of the opener, which lives for
 * one file and passes it back (SCM_RIGHTS).  The opener itself is forked while there is
 * one thread and nothing secret in memory; it ends with this process.
 *
 * Each socket of it (SOCK_SEQPACKET) belongs to one thread, which asks there, and is
 * answered in any order.  Nobody ever waits for it in a call.
 */
#ifndef AIF_GATEWAY_OPENER_H
#define AIF_GATEWAY_OPENER_H

#include <stdint.h>

#include "runtime/gateway/key.h"

#define OPENER_PATIENCE_S 5	/* for a child: then it is killed, and -ETIME answered */

struct aif_why;
struct opener;

/* Before this process has a second thread.  @sockets: how many.  NULL: see @why. */
struct opener *opener_start(const char *device, unsigned int sockets, struct aif_why *why);
void opener_stop(struct opener *opener);

/* Socket @i: readable when there is an answer, or the opener is gone. */
int opener_socket(const struct opener *opener, unsigned int i);

/* Ask for a file that @tenant pays for.  -EAGAIN: too much is asked; -EPIPE: it is gone. */
int opener_ask(int socket, uint32_t id, const struct key_tenant *tenant);

/*
 * The next answer: 0 with the @id that asked, and @result: a file, which is the caller's;
 * or -errno: EPERM or EACCES it may not become that tenant, ENOENT there is no such cgroup
 * (or device), ETIME, ENOMEM (also the tenant's), EMFILE this process has no descriptor
 * left, or what opening the device says.  -EAGAIN: none yet; -EPIPE: the opener is gone.
 */
int opener_answer(int socket, uint32_t *id, int *result);

#endif
