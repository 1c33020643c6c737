// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What may be asked: request descriptors (for each request, so no loop over
 * more than the ranges and no division) and service descriptions (once).
 */
#include "aif_core.h"

#define TIME_MAX_MS	3600000
#define ALIGNMENT_MAX	4096
#define STEP_TOKENS_MAX	64
#define ATTEMPTS_MAX	16
#define REQ_FLAGS	(AIF_REQ_F_RESTART | AIF_REQ_F_TRANSFER)
#define IO_FLAGS	(AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL)

/* The ranges, or the inline bytes, that the descriptor does not use are zero. */
static bool unused_is_zero(const struct aif_desc *d)
{
	u32 i, rest = 0;

	if (d->inline_length) {
		for (i = d->inline_length; i < AIF_INLINE_MAX; i++)
			rest |= d->input[i];
	} else {
		for (i = d->range_count; i < AIF_RANGES_MAX; i++)
			rest |= d->ranges[i].grant | d->ranges[i].offset | d->ranges[i].length;
	}
	return !rest;
}

int aif_desc_check(const struct aif_desc *d, u32 depth, u64 features, u64 now)
{
	u32 ranges_max = d->inline_length ? 1 : AIF_RANGES_MAX;

	if (d->tag >= depth || d->sched_class >= AIF_CLASS_COUNT || d->flags & ~REQ_FLAGS ||
	    d->range_count < 1 || d->range_count > ranges_max ||
	    d->inline_length > AIF_INLINE_MAX || !unused_is_zero(d))
		return -EINVAL;
	if (d->sched_class == AIF_CLASS_REALTIME && !(features & AIF_F_REALTIME))
		return -EOPNOTSUPP;
	if (d->in_fence && !(features & AIF_F_IN_FENCE))
		return -EOPNOTSUPP;
	if (aif_desc_is_transfer(d) &&
	    (!(features & AIF_F_TRANSFER) || (d->service && !(features & AIF_F_MAP))))
		return -EOPNOTSUPP;
	if (aif_desc_late(d, now))
		return -ETIME;
	return 0;
}

/* No -1 among the entries; those not used are zero. */
static bool shape_is_fixed(const struct aif_io *io)
{
	return (io->shape[0] | io->shape[1] | io->shape[2] | io->shape[3]) >= 0;
}

/* A fixed shape's bytes stand in max_bytes since aif_service_desc_check(). */
static bool length_fits(const struct aif_io *io, u32 length)
{
	if (io->flags & AIF_IO_F_OUTPUT)
		return length >= io->max_bytes || !shape_is_fixed(io);
	return length <= io->max_bytes && !(length & (aif_dtype_size(io->dtype) - 1)) &&
	       (length == io->max_bytes || !shape_is_fixed(io));
}

int aif_desc_check_io(const struct aif_desc *d, const struct aif_io *io, u32 io_count)
{
	u32 first = d->inline_length ? 1 : 0;
	u32 given = first + d->range_count;
	u32 i;

	if (given > io_count || (given < io_count && !(io[given].flags & AIF_IO_F_OPTIONAL)))
		return -EINVAL;
	if (first && (io[0].flags & AIF_IO_F_OUTPUT || !length_fits(&io[0], d->inline_length)))
		return -EINVAL;
	for (i = first; i < given; i++) {
		const struct aif_range *r = &d->ranges[i - first];

		if (r->offset & (io[i].alignment - 1) || !length_fits(&io[i], r->length))
			return -EINVAL;
	}
	return 0;
}

int aif_desc_check_transfer(const struct aif_desc *d)
{
	const struct aif_range *r = d->ranges;

	if (d->flags != AIF_REQ_F_TRANSFER || !r[0].length)
		return -EINVAL;
	if (d->inline_length)
		return 0;
	if (d->range_count != 2 || r[0].length != r[1].length)
		return -EINVAL;
	return r[0].grant == r[1].grant && aif_ranges_meet(&r[0], &r[1]) ? -EINVAL : 0;
}

const struct aif_io *aif_desc_range_io(const struct aif_desc *d, const struct aif_io *io, u32 i)
{
	return &io[i + (d->inline_length ? 1 : 0)];
}

u32 aif_dtype_size(u32 dtype)
{
	static const u8 sizes[] = {
		[AIF_DTYPE_U8] = 1, [AIF_DTYPE_I8] = 1, [AIF_DTYPE_I32] = 4, [AIF_DTYPE_I64] = 8,
		[AIF_DTYPE_F16] = 2, [AIF_DTYPE_BF16] = 2, [AIF_DTYPE_F32] = 4, [AIF_DTYPE_F64] = 8,
	};

	return dtype < sizeof(sizes) ? sizes[dtype] : 0;
}

static bool is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static bool is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

/*
 * The length of the string in @text, or -EINVAL.  What follows its end is made
 * zero: everybody will be shown these bytes.
 */
static int text_check(char *text, u32 size, bool (*allowed)(char c))
{
	u32 length = 0;

	while (length < size && text[length]) {
		if (!allowed(text[length]))
			return -EINVAL;
		length++;
	}
	if (length == size)
		return -EINVAL;
	memset(text + length, 0, size - length);
	return length;
}

/* Replace zero by @fallback; false if over @max. */
static bool number_check(u32 *value, u32 fallback, u32 max)
{
	if (!*value)
		*value = fallback;
	return *value <= max;
}

/*
 * One row (the entries that are not -1) must fit, so its bytes never overflow.
 * A fixed shape is one row, and all there is: max_bytes becomes that.
 */
static int shape_check(struct aif_io *io)
{
	u32 bytes = aif_dtype_size(io->dtype);
	u32 i;

	if (io->dims > AIF_SHAPE_MAX || bytes > io->max_bytes)
		return -EINVAL;
	for (i = 0; i < io->dims; i++) {
		if (io->shape[i] == -1)
			continue;
		if (io->shape[i] < 1 || io->shape[i] > io->max_bytes / bytes)
			return -EINVAL;
		bytes *= (u32)io->shape[i];
	}
	for (; i < AIF_SHAPE_MAX; i++) {
		if (io->shape[i])
			return -EINVAL;
	}
	if (shape_is_fixed(io))
		io->max_bytes = bytes;
	return 0;
}

static int io_check(struct aif_io *io)
{
	if (text_check(io->name, sizeof(io->name), is_name_char) < 1)
		return -EINVAL;
	if (!aif_dtype_size(io->dtype) || io->flags & ~IO_FLAGS || io->__reserved)
		return -EINVAL;
	if (io->kind == AIF_IO_UTF8) {
		if (io->dtype != AIF_DTYPE_U8 || io->dims != 1)
			return -EINVAL;
	} else if (io->kind != AIF_IO_TENSOR) {
		return -EINVAL;
	}
	if (!number_check(&io->alignment, AIF_ALIGNMENT_DEFAULT, ALIGNMENT_MAX) ||
	    io->alignment & (io->alignment - 1))
		return -EINVAL;
	return shape_check(io);
}

/* Inputs, outputs, optional outputs: the flags' numbers may only go up. */
static int io_order_check(const struct aif_io *io, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (io[i].flags == AIF_IO_F_OPTIONAL || (i && io[i].flags < io[i - 1].flags))
			return -EINVAL;
	}
	return io[count - 1].flags & AIF_IO_F_OUTPUT ? 0 : -EINVAL;
}

static bool io_is_zero(const struct aif_io *io)
{
	static const struct aif_io zero;

	return !memcmp(io, &zero, sizeof(zero));
}

int aif_service_desc_check(struct aif_service_desc *desc)
{
	u32 i;

	if (text_check(desc->name, sizeof(desc->name), is_name_char) < 1 ||
	    text_check(desc->device, sizeof(desc->device), is_name_char) < 1 ||
	    text_check(desc->model, sizeof(desc->model), is_printable) < 0)
		return -EINVAL;
	if (desc->step_tokens < 1 || desc->step_tokens > STEP_TOKENS_MAX ||
	    !number_check(&desc->max_attempts, 2, ATTEMPTS_MAX) ||
	    !number_check(&desc->longest_step_ms, 1000, TIME_MAX_MS) ||
	    !number_check(&desc->progress_ms, 10000, TIME_MAX_MS) ||
	    !number_check(&desc->recovery_ms, 1000, TIME_MAX_MS) || desc->__reserved)
		return -EINVAL;
	if (desc->io_count < 1 || desc->io_count > AIF_IO_MAX)
		return -EINVAL;
	for (i = 0; i < AIF_IO_MAX; i++) {
		if (i < desc->io_count ? io_check(&desc->io[i]) : !io_is_zero(&desc->io[i]))
			return -EINVAL;
	}
	return io_order_check(desc->io, desc->io_count);
}
