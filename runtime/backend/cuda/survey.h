/* SPDX-License-Identifier: MIT */
/* survey.h - the CUDA devices of this machine, without opening any */
#ifndef AIF_CUDA_SURVEY_H
#define AIF_CUDA_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#define AIF_CUDA_ID_MAX 48

/*
 * @id:      UUID, as aif_dev_opts.device takes it; @pci: "0000:01:00.0"
 * @bytes:   memory
 * @major, @minor: compute capability
 * @version: of CUDA that the driver speaks, 13000 for 13.0
 */
struct aif_cuda_found {
	char id[AIF_CUDA_ID_MAX];
	char pci[32];
	char name[96];
	size_t bytes;
	int major, minor;
	int version;
};

/*
 * Call @each for every device, in the driver's order.  Returns how many there are, or
 * -errno with one line for people in aif_cuda_why(): -ENODEV: no
 * driver, no device, or a driver that is too old.  The driver stays loaded and started
 * in this process, which must not fork to use it.
 */
int aif_cuda_survey(void (*each)(void *ctx, const struct aif_cuda_found *found), void *ctx);

/* For people: the last failure of this thread. */
const char *aif_cuda_why(void);

#endif
