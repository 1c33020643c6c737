/* SPDX-License-Identifier: MIT */
/* image.h - the compiled kernels that are in this program: a fat binary per operator. */
#ifndef AIF_CUDA_IMAGE_H
#define AIF_CUDA_IMAGE_H

#include <stddef.h>

struct aif_cuda_image {
	const char *name;
	const unsigned char *begin, *end;
};

/* Up to a NULL name; empty in a program that was built without nvcc. */
extern const struct aif_cuda_image aif_cuda_images[];

/*
 * Whether the image is as long as its header says: a driver reads that far, whatever
 * there is.  0 or -EBADMSG.
 */
int aif_cuda_image_check(const struct aif_cuda_image *image);

#endif
