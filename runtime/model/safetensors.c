// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/safetensors.h"

#define PREFIX_BYTES 8

/* @json owns the names, @map is NULL unless we mapped the file. */
struct aif_safetensors {
	json_t *json;
	void *map;
	size_t map_len;
	size_t count;
	struct aif_st_tensor tensor[];
};

static const struct {
	const char *name;
	unsigned int bytes;
} dtypes[] = {
	{ "BOOL", 1 }, { "U8", 1 }, { "I8", 1 }, { "F8_E5M2", 1 }, { "F8_E4M3", 1 },
	{ "I16", 2 }, { "U16", 2 }, { "F16", 2 }, { "BF16", 2 },
	{ "I32", 4 }, { "U32", 4 }, { "F32", 4 },
	{ "I64", 8 }, { "U64", 8 }, { "F64", 8 },
};

static int parse_dtype(struct aif_st_tensor *t, const json_t *value, uint64_t *bytes,
		       struct aif_why *why)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
		if (strcmp(name, dtypes[i].name))
			continue;
		t->dtype = dtypes[i].name;
		*bytes = dtypes[i].bytes;
		return 0;
	}
	return aif_why_set(why, -EBADMSG, "tensor '%s' has the unknown dtype '%s'", t->name,
			   name ? name : "(not a string)");
}

/* Multiplies the dimensions onto @bytes. */
static int parse_shape(struct aif_st_tensor *t, const json_t *shape, uint64_t *bytes,
		       struct aif_why *why)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(shape) || json_array_size(shape) > AIF_ST_RANK_MAX)
		return aif_why_set(why, -EBADMSG,
				   "tensor '%s': 'shape' must be an array of at most %d numbers",
				   t->name, AIF_ST_RANK_MAX);
	json_array_foreach(shape, i, value) {
		json_int_t dim = json_integer_value(value);

		if (!json_is_integer(value) || dim < 0 ||
		    __builtin_mul_overflow(*bytes, (uint64_t)dim, bytes))
			return aif_why_set(why, -EBADMSG,
					   "tensor '%s': its shape is no size that memory can have",
					   t->name);
		t->dim[i] = dim;
	}
	t->rank = i;
	return 0;
}

static int parse_offsets(struct aif_st_tensor *t, const json_t *offsets, uint64_t bytes,
			 uint64_t data_start, struct aif_why *why)
{
	json_int_t begin, end;

	if (json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
	    !json_is_integer(json_array_get(offsets, 1)))
		return aif_why_set(why, -EBADMSG, "tensor '%s': 'data_offsets' must be two numbers",
				   t->name);
	begin = json_integer_value(json_array_get(offsets, 0));
	end = json_integer_value(json_array_get(offsets, 1));
	if (begin < 0 || end < begin || end > INT64_MAX - (int64_t)data_start)
		return aif_why_set(why, -EBADMSG,
				   "tensor '%s': data_offsets %" JSON_INTEGER_FORMAT " to %"
				   JSON_INTEGER_FORMAT " is no range", t->name, begin, end);
	if ((uint64_t)(end - begin) != bytes)
		return aif_why_set(why, -EBADMSG,
				   "tensor '%s': data_offsets span %" JSON_INTEGER_FORMAT
				   " bytes, its shape needs %" PRIu64, t->name, end - begin, bytes);
	t->offset = data_start + begin;
	t->bytes = bytes;
	return 0;
}

static int parse_tensor(struct aif_st_tensor *t, const json_t *value, uint64_t data_start,
			struct aif_why *why)
{
	uint64_t bytes;
	int ret;

	if (!json_is_object(value))
		return aif_why_set(why, -EBADMSG, "tensor '%s' is not described by an object",
				   t->name);
	ret = parse_dtype(t, json_object_get(value, "dtype"), &bytes, why);
	if (ret)
		return ret;
	ret = parse_shape(t, json_object_get(value, "shape"), &bytes, why);
	if (ret)
		return ret;
	return parse_offsets(t, json_object_get(value, "data_offsets"), bytes, data_start, why);
}

static int check_metadata(const json_t *metadata, struct aif_why *why)
{
	const char *key;
	json_t *value;

	if (!json_is_object(metadata))
		return aif_why_set(why, -EBADMSG, "'__metadata__' is not an object");
	json_object_foreach((json_t *)metadata, key, value)
		if (!json_is_string(value))
			return aif_why_set(why, -EBADMSG, "'__metadata__': '%s' is not a string",
					   key);
	return 0;
}

static int parse_entries(struct aif_safetensors *st, uint64_t data_start, struct aif_why *why)
{
	const char *key;
	json_t *value;
	int ret = 0;

	json_object_foreach(st->json, key, value) {
		if (!strcmp(key, "__metadata__")) {
			ret = check_metadata(value, why);
		} else {
			struct aif_st_tensor *t = &st->tensor[st->count++];

			t->name = key;
			ret = parse_tensor(t, value, data_start, why);
		}
		if (ret)
			break;
	}
	return ret;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct aif_st_tensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Without overlap, without holes, to the last byte. */
static int check_cover(const struct aif_safetensors *st, uint64_t data_start, uint64_t len,
		       struct aif_why *why)
{
	uint64_t at = data_start;

	for (size_t i = 0; i < st->count; i++) {
		const struct aif_st_tensor *t = &st->tensor[i];

		if (t->offset != at)
			return aif_why_set(why, -EBADMSG,
					   "tensor '%s' begins at byte %" PRIu64 " where %" PRIu64
					   " was due: tensors overlap or leave a hole", t->name,
					   t->offset, at);
		at += t->bytes;
	}
	if (at != len)
		return aif_why_set(why, -EBADMSG,
				   "the header describes %" PRIu64 " bytes, the file has %" PRIu64
				   ": it was %s; fetch it again", at, len,
				   at > len ? "cut short" : "appended to");
	return 0;
}

static int header_length(const uint8_t *data, size_t len, uint64_t *header, struct aif_why *why)
{
	if (len < PREFIX_BYTES)
		return aif_why_set(why, -EBADMSG,
				   "%zu bytes are too few for a safetensors file: it was cut short",
				   len);
	*header = 0;
	for (int i = PREFIX_BYTES - 1; i >= 0; i--)
		*header = *header << 8 | data[i];
	if (*header > AIF_ST_HEADER_MAX)
		return aif_why_set(why, -EBADMSG,
				   "a header of %" PRIu64 " bytes, at most %u are read: "
				   "is this a safetensors file?", *header, AIF_ST_HEADER_MAX);
	if (*header > len - PREFIX_BYTES)
		return aif_why_set(why, -EBADMSG,
				   "the header ends at byte %" PRIu64
				   ", the file has %zu: it was cut short",
				   *header + PREFIX_BYTES, len);
	return 0;
}

static int load_json(const char *text, size_t len, json_t **json, struct aif_why *why)
{
	json_error_t err;

	if (!len || text[0] != '{')
		return aif_why_set(why, -EBADMSG, "the header does not begin with '{'");
	*json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);
	if (*json)
		return 0;
	if (json_error_code(&err) == json_error_out_of_memory)
		return aif_why_set(why, -ENOMEM, "no memory for the header");
	return aif_why_set(why, -EBADMSG, "the header is not JSON: %s at byte %d", err.text,
			   err.position);
}

int aif_safetensors_parse(const void *data, size_t len, struct aif_safetensors **out,
			  struct aif_why *why)
{
	struct aif_safetensors *st;
	uint64_t header;
	json_t *json;
	int ret;

	ret = header_length(data, len, &header, why);
	if (!ret)
		ret = load_json((const char *)data + PREFIX_BYTES, header, &json, why);
	if (ret)
		return ret;
	st = calloc(1, sizeof(*st) + json_object_size(json) * sizeof(st->tensor[0]));
	if (!st) {
		json_decref(json);
		return aif_why_set(why, -ENOMEM, "no memory for the list of tensors");
	}
	st->json = json;
	ret = parse_entries(st, PREFIX_BYTES + header, why);
	if (!ret) {
		qsort(st->tensor, st->count, sizeof(st->tensor[0]), compare_offsets);
		ret = check_cover(st, PREFIX_BYTES + header, len, why);
	}
	if (ret)
		aif_safetensors_close(st);
	else
		*out = st;
	return ret;
}

static int map_file(const char *path, void **map, size_t *len)
{
	struct stat sb;
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &sb))
		ret = -errno;
	else if (!S_ISREG(sb.st_mode))
		ret = -EINVAL;
	else if (!sb.st_size)
		ret = -EBADMSG;
	if (!ret) {
		*len = sb.st_size;
		*map = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (*map == MAP_FAILED)
			ret = -errno;
	}
	close(fd);
	return ret;
}

int aif_safetensors_open(const char *path, struct aif_safetensors **out, struct aif_why *why)
{
	size_t len = 0;
	void *map = NULL;
	int ret;

	ret = map_file(path, &map, &len);
	if (ret == -EBADMSG)
		return aif_why_set(why, ret, "%s: the file is empty", path);
	if (ret)
		return aif_why_set(why, ret, "%s: cannot map it: %s", path, strerror(-ret));
	ret = aif_safetensors_parse(map, len, out, why);
	if (ret) {
		munmap(map, len);
		return aif_why_prefix(why, ret, "%s", path);
	}
	(*out)->map = map;
	(*out)->map_len = len;
	return 0;
}

void aif_safetensors_close(struct aif_safetensors *st)
{
	if (!st)
		return;
	json_decref(st->json);
	if (st->map)
		munmap(st->map, st->map_len);
	free(st);
}

const void *aif_safetensors_data(const struct aif_safetensors *st, size_t *len)
{
	*len = st->map_len;
	return st->map;
}

size_t aif_safetensors_count(const struct aif_safetensors *st)
{
	return st->count;
}

const struct aif_st_tensor *aif_safetensors_at(const struct aif_safetensors *st, size_t i)
{
	return i < st->count ? &st->tensor[i] : NULL;
}

const struct aif_st_tensor *aif_safetensors_find(const struct aif_safetensors *st,
						 const char *name)
{
	for (size_t i = 0; i < st->count; i++)
		if (!strcmp(st->tensor[i].name, name))
			return &st->tensor[i];
	return NULL;
}
