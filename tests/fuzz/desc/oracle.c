// SPDX-License-Identifier: MIT
/*
 * Told another way than in the core on purpose: strings by strspn(), order by a
 * word, sizes by saturation, unused bytes by building what should be there.
 */
#include "fuzz_desc.h"

#define TOO_LARGE	(1ull << 32)

static const char name_chars[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static bool is_name(const char *s, size_t size)
{
	size_t length = strnlen(s, size);

	return length && length < size && strspn(s, name_chars) == length;
}

static bool is_printable(const char *s, size_t size)
{
	size_t length = strnlen(s, size);

	for (size_t i = 0; i < length; i++) {
		if ((signed char)s[i] < 32 || s[i] == 127)
			return false;
	}
	return length < size;
}

static bool is_zero(const void *p, size_t size)
{
	const unsigned char *c = p;

	while (size && !c[size - 1])
		size--;
	return !size;
}

static u64 element_bytes(u32 dtype)
{
	switch (dtype) {
	case AIF_DTYPE_U8:
	case AIF_DTYPE_I8:
		return 1;
	case AIF_DTYPE_F16:
	case AIF_DTYPE_BF16:
		return 2;
	case AIF_DTYPE_I32:
	case AIF_DTYPE_F32:
		return 4;
	case AIF_DTYPE_I64:
	case AIF_DTYPE_F64:
		return 8;
	}
	return 0;
}

static bool any_length(const struct aif_io *io)
{
	for (u32 i = 0; i < io->dims; i++) {
		if (io->shape[i] == -1)
			return true;
	}
	return false;
}

/* Bytes of one row: -1 counts as 1; at most TOO_LARGE. */
static u64 row_bytes(const struct aif_io *io)
{
	u64 bytes = element_bytes(io->dtype);

	for (u32 i = 0; i < io->dims; i++) {
		u64 entry = io->shape[i] == -1 ? 1 : (u64)io->shape[i];

		bytes = entry < TOO_LARGE ? bytes * entry : TOO_LARGE;
		if (bytes >= TOO_LARGE)
			return TOO_LARGE;
	}
	return bytes;
}

static bool is_shape(const struct aif_io *io)
{
	if (io->dims > AIF_SHAPE_MAX)
		return false;
	for (u32 i = 0; i < AIF_SHAPE_MAX; i++) {
		if (i < io->dims ? io->shape[i] < 1 && io->shape[i] != -1 : io->shape[i] != 0)
			return false;
	}
	return row_bytes(io) <= io->max_bytes;
}

static bool is_io(const struct aif_io *io)
{
	u32 a = io->alignment;
	bool text = io->kind == AIF_IO_UTF8;

	return is_name(io->name, sizeof(io->name)) && (text || io->kind == AIF_IO_TENSOR) &&
	       element_bytes(io->dtype) && (!text || io->dtype == AIF_DTYPE_U8) &&
	       (!text || io->dims == 1) && a <= 4096 && __builtin_popcount(a) <= 1 &&
	       io->max_bytes && is_shape(io) && !io->__reserved;
}

/* i: input, o: output, p: optional output; right are i*o*p* with an o or a p. */
static bool is_order(const struct aif_service_desc *desc)
{
	static const char letters[] = "io?p";
	char word[AIF_IO_MAX + 1] = "";
	const char *rest = word;

	for (u32 i = 0; i < desc->io_count; i++) {
		if (desc->io[i].flags > 3)
			return false;
		word[i] = letters[desc->io[i].flags];
	}
	for (const char *l = "iop"; *l; l++) {
		while (*rest == *l)
			rest++;
	}
	return !*rest && strpbrk(word, "op");
}

static bool is_time(u32 ms)
{
	return ms <= 60 * 60 * 1000;
}

bool oracle_service(const struct aif_service_desc *desc)
{
	if (!is_name(desc->name, sizeof(desc->name)) ||
	    !is_name(desc->device, sizeof(desc->device)) ||
	    !is_printable(desc->model, sizeof(desc->model)) || desc->__reserved ||
	    !desc->step_tokens || desc->step_tokens > 64 || desc->max_attempts > 16 ||
	    !is_time(desc->longest_step_ms) || !is_time(desc->progress_ms) ||
	    !is_time(desc->recovery_ms) || !desc->io_count || desc->io_count > 3)
		return false;
	for (u32 i = 0; i < desc->io_count; i++) {
		if (!is_io(&desc->io[i]))
			return false;
	}
	return is_order(desc) && is_zero(&desc->io[desc->io_count],
					 (3 - desc->io_count) * sizeof(desc->io[0]));
}

static void pad(char *s, size_t size)
{
	size_t length = strnlen(s, size);

	memset(s + length, 0, size - length);
}

void oracle_normal_form(struct aif_service_desc *desc)
{
	pad(desc->name, sizeof(desc->name));
	pad(desc->device, sizeof(desc->device));
	pad(desc->model, sizeof(desc->model));
	desc->max_attempts = desc->max_attempts ?: 2;
	desc->longest_step_ms = desc->longest_step_ms ?: 1000;
	desc->progress_ms = desc->progress_ms ?: 10000;
	desc->recovery_ms = desc->recovery_ms ?: 1000;
	for (u32 i = 0; i < desc->io_count; i++) {
		struct aif_io *io = &desc->io[i];

		pad(io->name, sizeof(io->name));
		io->alignment = io->alignment ?: 64;
		if (!any_length(io))
			io->max_bytes = row_bytes(io);
	}
}

/* The descriptor with all that it does not use left out. */
static struct aif_desc used_part(const struct aif_desc *d)
{
	struct aif_desc used = {
		.deadline = d->deadline, .tag = d->tag, .generation = d->generation,
		.service = d->service, .in_fence = d->in_fence, .sched_class = d->sched_class,
		.flags = d->flags, .range_count = d->range_count,
		.inline_length = d->inline_length,
	};

	memcpy(used.ranges, d->ranges, d->range_count * sizeof(d->ranges[0]));
	memcpy(used.input, d->input, d->inline_length);
	return used;
}

int oracle_desc(const struct fuzz_case *c)
{
	const struct aif_desc *d = &c->desc;
	struct aif_desc used;

	if (d->tag >= c->depth || d->sched_class > AIF_CLASS_IDLE || d->flags > 3)
		return -EINVAL;
	if (d->inline_length ? d->range_count != 1 || d->inline_length > 24 :
			       d->range_count == 0 || d->range_count > 3)
		return -EINVAL;
	used = d->inline_length || d->range_count < 3 ? used_part(d) : *d;
	if (memcmp(&used, d, sizeof(used)))
		return -EINVAL;
	if ((d->sched_class == AIF_CLASS_REALTIME && !(c->features & AIF_F_REALTIME)) ||
	    (d->in_fence != 0 && !(c->features & AIF_F_IN_FENCE)) ||
	    (d->flags >= AIF_REQ_F_TRANSFER && !(c->features & AIF_F_TRANSFER)) ||
	    (d->flags >= AIF_REQ_F_TRANSFER && d->service != 0 && !(c->features & AIF_F_MAP)))
		return -EOPNOTSUPP;
	return d->deadline != 0 && c->now >= d->deadline ? -ETIME : 0;
}

/* What the source's bytes, one by one, would do to the target's. */
bool oracle_transfer(const struct aif_desc *d)
{
	const struct aif_range *from = &d->ranges[0], *to = &d->ranges[1];
	u64 distance;

	if (d->flags & AIF_REQ_F_RESTART || !from->length)
		return false;
	if (d->inline_length)
		return true;
	if (d->range_count != 2 || from->length != to->length)
		return false;
	distance = from->offset > to->offset ? from->offset - to->offset :
					       to->offset - from->offset;
	return from->grant != to->grant || distance >= from->length;
}

static bool fits(const struct aif_io *io, u32 offset, u32 length)
{
	u64 row = row_bytes(io);

	if (offset % io->alignment)
		return false;
	if (io->flags & AIF_IO_F_OUTPUT)
		return any_length(io) || length >= row;
	if (!any_length(io))
		return length == row;
	return length % element_bytes(io->dtype) == 0 && length <= io->max_bytes;
}

bool oracle_fits(const struct aif_desc *d, const struct aif_service_desc *service)
{
	u32 range = 0;

	for (u32 i = 0; i < service->io_count; i++) {
		const struct aif_io *io = &service->io[i];

		if (i == 0 && d->inline_length) {
			if (io->flags || !fits(io, 0, d->inline_length))
				return false;
		} else if (range == d->range_count) {
			if (!(io->flags & AIF_IO_F_OPTIONAL))
				return false;
		} else {
			if (!fits(io, d->ranges[range].offset, d->ranges[range].length))
				return false;
			range++;
		}
	}
	return range == d->range_count;
}
