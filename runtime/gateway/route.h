/* SPDX-License-Identifier: MIT */
/* route.h - which API a path belongs to */
#ifndef AIF_GATEWAY_ROUTE_H
#define AIF_GATEWAY_ROUTE_H

#include "runtime/gateway/exchange.h"

/*
 * @path: segments; "{}" is any one, percent-decoded into exchange.param
 * @open: needs no key
 * @place: before a body of @length comes: may put it into granted memory; NULL: never
 */
struct route {
	const char *method;
	const char *path;
	enum api api;
	void (*handle)(struct exchange *x);
	bool open;
	void (*place)(struct exchange *x, size_t length);
};

/* Sets route, api and param of @x.  False: there is none, and that was answered. */
bool route_find(struct exchange *x);

#endif
