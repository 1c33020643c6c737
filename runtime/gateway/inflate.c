// SPDX-License-Identifier: MIT
#include "runtime/gateway/inflate.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "runtime/gateway/exchange.h"
#include "runtime/gateway/loop.h"

#define PIECE 65536
#define RESULT_FULL 1000	/* beyond zlib's own */
#define WINDOW_ANY (MAX_WBITS + 32)	/* zlib's or gzip's, by its first bytes */

/* Z_STREAM_END: all of it; Z_BUF_ERROR: more than @most bytes; RESULT_FULL. */
static int inflate_all(struct exchange *x, z_stream *z, struct buf *out, size_t most)
{
	int result = Z_OK;

	while (result == Z_OK) {
		char *to = exchange_reserve(x, PIECE) ? buf_room(out, PIECE) : NULL;

		if (!to)
			return out->failed ? Z_MEM_ERROR : RESULT_FULL;
		z->next_out = (unsigned char *)to;
		z->avail_out = PIECE;
		result = inflate(z, Z_NO_FLUSH);
		buf_grew(out, PIECE - z->avail_out);
		if (out->length > most)
			return Z_BUF_ERROR;
	}
	return result == Z_BUF_ERROR ? Z_DATA_ERROR : result;	/* it is cut off */
}

static bool refuse(struct exchange *x, int result)
{
	if (result == Z_MEM_ERROR)
		exchange_fail(x, ENOMEM, "no memory for the body");
	else if (result == RESULT_FULL)
		exchange_fail(x, FAULT_FULL, "too many requests are being sent here");
	else if (result == Z_BUF_ERROR)
		exchange_fail(x, FAULT_BODY_LARGE, "the body has more than %zu bytes, inflated",
			      x->loop->gateway->opts.body_bytes);
	else
		exchange_fail(x, FAULT_REQUEST, "the body is not what its Content-Encoding says");
	return false;
}

static bool inflate_it(struct exchange *x)
{
	z_stream z = { .next_in = (unsigned char *)x->body.data,
		       .avail_in = (unsigned int)x->body.length };
	struct buf out = { 0 };
	int result = inflateInit2(&z, WINDOW_ANY);

	if (result == Z_OK) {
		result = inflate_all(x, &z, &out, x->loop->gateway->opts.body_bytes);
		if (result == Z_STREAM_END && z.avail_in)
			result = Z_DATA_ERROR;
		inflateEnd(&z);
	}
	if (result != Z_STREAM_END) {
		buf_free(&out);
		return refuse(x, result);
	}
	buf_free(&x->body);
	x->body = out;
	x->inflated = true;
	return true;
}

bool inflate_body(struct exchange *x)
{
	const char *encoding = exchange_header(x, "content-encoding");

	if (x->inflated || !encoding || !strcasecmp(encoding, "identity"))
		return true;
	if (!strcasecmp(encoding, "gzip") || !strcasecmp(encoding, "deflate"))
		return inflate_it(x);
	exchange_fail(x, FAULT_MEDIA_TYPE, "Content-Encoding can be gzip or deflate, not %s",
		      encoding);
	return false;
}
