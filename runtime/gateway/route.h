/* SPDX-License-Identifier: MIT */
/* route.h - which API a path belongs to */
#ifndef AIF_GATEWAY_ROUTE_H
#define AIF_GATEWAY_ROUTE_H

#include "runtime/gateway/exchange.h"

/* What a route needs before it handles an exchange: each needs those before it too. */
enum needs { NEEDS_NOTHING, NEEDS_KEY, NEEDS_DEVICE };

/*
 * @path: segments; "{}" is any one, percent-decoded into exchange.param
 * @place: before a body of @length comes: may put it into granted memory; NULL: never
 */
struct route {
	const char *method;
	const char *path;
	enum api api;
	void (*handle)(struct exchange *x);
	enum needs needs;
	void (*place)(struct exchange *x, size_t length);
};

/* Sets route, api and param of @x.  False: there is none, and that was answered. */
bool route_find(struct exchange *x);

#endif
