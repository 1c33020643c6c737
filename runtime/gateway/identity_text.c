// SPDX-License-Identifier: MIT
#include "runtime/gateway/identity_text.h"

#include <string.h>
#include <strings.h>

bool identity_text_is(const struct identity_text *text, const char *string)
{
	return text->length == strlen(string) &&
	       (!text->length || !memcmp(text->at, string, text->length));
}

bool identity_text_is_lower_of(const struct identity_text *lower, const struct identity_text *name)
{
	return lower->length == name->length &&
	       (!lower->length || !strncasecmp(lower->at, name->at, lower->length));
}

int identity_text_compare(const struct identity_text *a, const struct identity_text *b)
{
	size_t n = a->length < b->length ? a->length : b->length;
	int order = n ? memcmp(a->at, b->at, n) : 0;

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

bool identity_text_cut(struct identity_text *rest, char end, struct identity_text *piece)
{
	const char *found;

	if (!rest->at)
		return false;
	*piece = *rest;
	found = rest->length ? memchr(rest->at, end, rest->length) : NULL;
	if (!found) {
		*rest = (struct identity_text){ NULL, 0 };
		return true;
	}
	piece->length = (size_t)(found - rest->at);
	rest->at = found + 1;
	rest->length -= piece->length + 1;
	return true;
}

size_t identity_header_find(const struct identity_request *request, const char *name,
			    struct identity_text *value)
{
	const struct identity_text lower = { name, strlen(name) };
	size_t n = 0;

	*value = (struct identity_text){ "", 0 };
	for (size_t i = 0; i < request->header_count; i++) {
		const struct identity_header *h = &request->headers[i];

		if (!identity_text_is_lower_of(&lower, &h->name))
			continue;
		if (!n++)
			*value = h->value;
	}
	return n;
}
