/* SPDX-License-Identifier: MIT */
/* inflate.h - bodies that were sent compressed */
#ifndef AIF_GATEWAY_INFLATE_H
#define AIF_GATEWAY_INFLATE_H

#include <stdbool.h>

struct exchange;

/*
 * Undo the body's Content-Encoding (none, identity, gzip, deflate), up to the limit of
 * a body.  False: it could not be, and that was answered.
 */
bool inflate_body(struct exchange *x);

#endif
