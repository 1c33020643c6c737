/* SPDX-License-Identifier: MIT */
/* tensor.h - what a service's inputs and outputs are, and what is in them, for people */
#ifndef AIF_TOOLS_TENSOR_H
#define AIF_TOOLS_TENSOR_H

#include "tools/cli.h"

/* "f32[384]", "u8[*]": at most 96 bytes with the NUL. */
#define TENSOR_TYPE_MAX 96
void tensor_type(const struct aif_service_io *io, char *text);

/* Bytes of a fixed shape; 0 where a dimension is free. */
size_t tensor_bytes(const struct aif_service_io *io);

/* The elements in @bytes at @data, separated by blanks; floats so that they read back exactly. */
void tensor_print(const struct aif_service_io *io, const void *data, size_t bytes, FILE *to);

/* A string if it is utf8, else an array of numbers; not finite ones are null. */
json_t *tensor_json(const struct aif_service_io *io, const void *data, size_t bytes);

#endif
