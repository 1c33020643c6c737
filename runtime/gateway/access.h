/* SPDX-License-Identifier: MIT */
/* access.h - may this exchange ask what it asks, and who pays */
#ifndef AIF_GATEWAY_ACCESS_H
#define AIF_GATEWAY_ACCESS_H

#include <stdbool.h>

struct exchange;

/*
 * At the head (@whole false) and again when the body is there: sets the exchange's key
 * and tenant.  False: it was refused, and answered.
 */
bool access_check(struct exchange *x, bool whole);

#endif
