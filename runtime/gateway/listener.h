/* SPDX-License-Identifier: MIT */
/* listener.h - where connections come from */
#ifndef AIF_GATEWAY_LISTENER_H
#define AIF_GATEWAY_LISTENER_H

#include <stdbool.h>

struct aif_why;
struct loop;
struct sockaddr_storage;

/*
 * "ADDR:PORT" or "[ADDR]:PORT", numbers.  0, or -EINVAL with @why.
 */
int listener_parse(const char *text, struct sockaddr_storage *address, struct aif_why *why);
bool listener_is_loopback(const struct sockaddr_storage *address);

/*
 * A socket of every loop at each address: the kernel divides connections among them.
 */
int listeners_open(struct loop *loop, struct aif_why *why);
void listeners_close(struct loop *loop);

#endif
