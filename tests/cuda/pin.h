/* SPDX-License-Identifier: MIT */
/*
 * pin.h - TEST CODE: pages pinned as a GPU's driver pins them, past the end of the process too
 *
 * A process that is killed while its GPU works is gone for the kernel before the GPU is: the
 * pages that were registered stay pinned for some tens of milliseconds, and are written.  The
 * pin is taken by an io_uring with a registered buffer (FOLL_LONGTERM); a child that has no
 * file but the ring outlives its parent, writes once more into the buffer, and lets go.
 */
#ifndef AIF_TEST_CUDA_PIN_H
#define AIF_TEST_CUDA_PIN_H

#include <stddef.h>

/* Pin all pages of it; the late write is at @late.  0 or -errno. */
int pin_take(void *host, size_t bytes, size_t late);
/* Nothing happens to what was not pinned. */
void pin_drop(void *host);

#endif
