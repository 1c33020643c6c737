/* SPDX-License-Identifier: MIT */
/* apis.h - what routes lead to; each answers its exchange exactly once, now or later */
#ifndef AIF_GATEWAY_APIS_H
#define AIF_GATEWAY_APIS_H

struct exchange;

/* api_openai.c */
void openai_embeddings(struct exchange *x);

#endif
