/* SPDX-License-Identifier: MIT */
/* apis.h - what routes lead to; each answers its exchange exactly once, now or later */
#ifndef AIF_GATEWAY_APIS_H
#define AIF_GATEWAY_APIS_H

#include <stdbool.h>
#include <stddef.h>

struct exchange;

/* api_openai.c */
void openai_embeddings(struct exchange *x);
void openai_models(struct exchange *x);
void openai_model(struct exchange *x);

/* api_bedrock.c */
void bedrock_invoke(struct exchange *x);
void bedrock_models(struct exchange *x);
void bedrock_model(struct exchange *x);

/* api_sagemaker.c */
void sagemaker_ping(struct exchange *x);
void sagemaker_invocations(struct exchange *x);
void sagemaker_endpoint(struct exchange *x);

/* api_inference.c: what there is; inference.c: asking it */
void inference_server(struct exchange *x);
void inference_live(struct exchange *x);
void inference_ready(struct exchange *x);
void inference_model(struct exchange *x);
void inference_model_ready(struct exchange *x);
void inference_config(struct exchange *x);
void inference_stats(struct exchange *x);
void inference_index(struct exchange *x);
void inference_infer(struct exchange *x);
void inference_place(struct exchange *x, size_t length);

/* api_shm.c */
void shm_api_register(struct exchange *x);
void shm_api_unregister(struct exchange *x);
void shm_api_status(struct exchange *x);

/* api_echo.c */
void echo_stream(struct exchange *x);

/* api_operations.c */
void operations_metrics(struct exchange *x);
void operations_health(struct exchange *x);
void operations_ready(struct exchange *x);
/* 0, or FAULT_*: why nobody should ask this gateway any more. */
int operations_fault(const struct exchange *x);
/* False: for that reason, which @x was answered with. */
bool operations_stand(struct exchange *x);

#endif
