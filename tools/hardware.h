/* SPDX-License-Identifier: MIT */
/* hardware.h - what this machine can compute with: the processor, CUDA devices, DRM nodes */
#ifndef AIF_TOOLS_HARDWARE_H
#define AIF_TOOLS_HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

enum hardware_kind { HARDWARE_UNKNOWN, HARDWARE_CPU, HARDWARE_CUDA, HARDWARE_DRM };

/*
 * What is not known is empty or 0.
 *
 * @id:     what a service calls it (hardware=ID in its text): "cpu", a CUDA device's
 *          UUID; of a DRM device its first node, "/dev/dri/card0"
 * @name:   for people
 * @target: what code it runs: "avx512", "sm_90"
 * @driver: with its version
 * @pci:    address
 * @render: a DRM device's render node
 * @numa:   nodes, "0" or "0-1"
 * @bytes:  memory of its own
 * @cores:  of the processor, online; @allowed: of them for this process
 */
struct hardware {
	enum hardware_kind kind;
	char id[64];
	char name[128];
	char target[16];
	char driver[64];
	char pci[32];
	char render[64];
	char numa[64];
	uint64_t bytes;
	unsigned int cores, allowed;
};

/*
 * Call @each for all of them; the processor is first.  What cannot be looked at is left
 * out.  CUDA's driver is asked in a process of its own, for 30 s at most.  One thread.
 */
void hardware_each(void (*each)(void *ctx, const struct hardware *h), void *ctx);

/* The same for CUDA devices alone. */
void hardware_each_cuda(void (*each)(void *ctx, const struct hardware *h), void *ctx);

/* After that: why CUDA devices are missing, or there are none; or NULL. */
const char *hardware_no_cuda(void);

#endif
