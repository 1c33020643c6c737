/* SPDX-License-Identifier: MIT */
/* inference.h - what the files of the Open Inference Protocol share */
#ifndef AIF_GATEWAY_INFERENCE_H
#define AIF_GATEWAY_INFERENCE_H

struct aif_service_info;
struct exchange;

/* The service and version that the path names; NULL: there is none, and that was answered. */
const struct aif_service_info *inference_service(struct exchange *x);

#endif
