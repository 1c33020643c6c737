/* SPDX-License-Identifier: MIT */
/*
 * safetensors.h - reader of the safetensors weight format
 *
 * A file is: u64 little-endian N; N bytes of JSON, an object from tensor name to
 * {"dtype", "shape", "data_offsets": [begin, end]} and "__metadata__", an object
 * of strings; then the data, which the offsets count from.  Everything is checked
 * before a tensor is handed out, as strictly as the publisher's reader does it:
 *
 *   - N is at most AIF_ST_HEADER_MAX and within the file; the JSON begins with
 *     '{', has no key twice and nothing but spaces after its end
 *   - the dtype is known, the rank at most AIF_ST_RANK_MAX, the product of shape
 *     and element size does not overflow and is exactly end - begin
 *   - the tensors cover the data without overlap and without holes, to the file's
 *     last byte: a file cut short or appended to is refused
 *
 * Errors: -EBADMSG for a file that breaks a rule; -ENOMEM; what open() and mmap() say.
 */
#ifndef AIF_SAFETENSORS_H
#define AIF_SAFETENSORS_H

#include "runtime/model/why.h"

#define AIF_ST_HEADER_MAX (8u << 20)
#define AIF_ST_RANK_MAX 8

/*
 * @name:   as in the file: any UTF-8 without NUL
 * @dtype:  such as "F32"
 * @offset: of the first element, in bytes from the start of the file; the format
 *          does not promise that it is aligned
 */
struct aif_st_tensor {
	const char *name;
	const char *dtype;
	uint32_t rank;
	uint64_t dim[AIF_ST_RANK_MAX];
	uint64_t offset;
	uint64_t bytes;
};

struct aif_safetensors;

/*
 * Check the file whose whole content is @data; reads the header only.  @data is
 * not needed afterwards, except by who reads tensors.
 */
int aif_safetensors_parse(const void *data, size_t len, struct aif_safetensors **st,
			  struct aif_why *why);

/* Map the file at @path read-only and check it. */
int aif_safetensors_open(const char *path, struct aif_safetensors **st, struct aif_why *why);

/* Unmaps what aif_safetensors_open() mapped; NULL is fine. */
void aif_safetensors_close(struct aif_safetensors *st);

/* The mapped file, NULL after aif_safetensors_parse(). */
const void *aif_safetensors_data(const struct aif_safetensors *st, size_t *len);

/* Tensors in the order of their data. */
size_t aif_safetensors_count(const struct aif_safetensors *st);
const struct aif_st_tensor *aif_safetensors_at(const struct aif_safetensors *st, size_t i);
const struct aif_st_tensor *aif_safetensors_find(const struct aif_safetensors *st,
						 const char *name);

#endif
