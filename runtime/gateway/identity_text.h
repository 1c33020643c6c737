/* SPDX-License-Identifier: MIT */
/* identity_text.h - looking into the texts of a request */
#ifndef AIF_GATEWAY_IDENTITY_TEXT_H
#define AIF_GATEWAY_IDENTITY_TEXT_H

#include "runtime/gateway/identity.h"

bool identity_text_is(const struct identity_text *text, const char *string);

/* Whether @name, of any case, is @lower in lower case. */
bool identity_text_is_lower_of(const struct identity_text *lower, const struct identity_text *name);

/* By bytes; <0, 0 or >0. */
int identity_text_compare(const struct identity_text *a, const struct identity_text *b);

/*
 * Take from @rest what stands before @end, which is passed over, or all that is left;
 * then @rest->at is NULL.  false: it was already.
 */
bool identity_text_cut(struct identity_text *rest, char end, struct identity_text *piece);

/*
 * How many headers @name (lower-case) are there; the first one's value in @value, which
 * is empty if there is none.
 */
size_t identity_header_find(const struct identity_request *request, const char *name,
			    struct identity_text *value);

#endif
