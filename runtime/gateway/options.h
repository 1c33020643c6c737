/* SPDX-License-Identifier: MIT */
/* options.h - what the gateway is told on its command line */
#ifndef AIF_GATEWAY_OPTIONS_H
#define AIF_GATEWAY_OPTIONS_H

#include "runtime/gateway/gateway.h"

/* Fills @options; leaves the process with status 2 when they are not right. */
void options_parse(int argc, char **argv, struct options *options);

#endif
