// SPDX-License-Identifier: MIT
#include "runtime/gateway/sigv4.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- of requests ---- */

bool identity_text_is(const struct identity_text *text, const char *string)
{
	return text->length == strlen(string) && !memcmp(text->at, string, text->length);
}

bool identity_text_is_name(const struct identity_text *text, const char *name)
{
	return text->length == strlen(name) && !strncasecmp(text->at, name, text->length);
}

size_t identity_header_find(const struct identity_request *request, const char *name,
			    struct identity_text *value)
{
	size_t n = 0;

	*value = (struct identity_text){ "", 0 };
	for (size_t i = 0; i < request->header_count; i++) {
		const struct identity_header *h = &request->headers[i];

		if (!identity_text_is_name(&h->name, name))
			continue;
		if (!n++)
			*value = h->value;
	}
	return n;
}
