/* SPDX-License-Identifier: MIT */
/*
 * embedder.h - many texts through an embedding service, many in flight, in order
 *
 * Errors: 0 or -errno with a sentence in @why.  One thread.
 */
#ifndef AIF_TOOLS_EMBEDDER_H
#define AIF_TOOLS_EMBEDDER_H

#include "tools/cli.h"

struct embedder;

/*
 * One text's result.
 *
 * @index:  of the text, counted from 0
 * @error:  0, or -errno (embedding_error()); then the others are 0
 * @values: embedder_dimensions() floats, during the call only
 */
struct embedding {
	size_t index;
	int error;
	uint32_t tokens;
	bool truncated;
	const float *values;
};

typedef void (*embedding_fn)(void *ctx, const struct embedding *embedding);

/*
 * Where to embed.
 *
 * @device:  "/dev/aif" or another node; "local": in this process
 * @service: name, NULL: that which has @model, or "embed"
 * @owner:   who must own the service: a uid, or AIF_OWNER_TRUSTED
 * @model:   name; with "local" a name or a folder; NULL: any; with "local" the default
 * @backend: with "local", what computes; NULL: the CPU
 * @ids:     what is given are token ids, int32_t, not texts; of a service that takes them
 * @most:    how many texts there will be, at most; 0: unknown
 */
struct embedder_opts {
	const char *device;
	const char *service;
	uint32_t owner;
	const char *model;
	const char *backend;
	bool ids;
	size_t most;
	embedding_fn result;
	void *ctx;
};

/*
 * Options -d, -s, -m, -b and --owner, as a child of a command's own argp; input: struct
 * embedder_opts, which gets its defaults.
 */
extern const struct argp embedder_argp;

int embedder_open(const struct embedder_opts *opts, struct embedder **embedder,
		  struct aif_why *why);
void embedder_close(struct embedder *embedder);
unsigned int embedder_dimensions(const struct embedder *embedder);

/* Give one text, @length bytes; results of earlier ones may be reported meanwhile. */
int embedder_put(struct embedder *embedder, const void *text, size_t length, struct aif_why *why);

/* Report all that is left. */
int embedder_finish(struct embedder *embedder, struct aif_why *why);

/* In words, for a text's @error. */
const char *embedding_error(int error);

#endif
