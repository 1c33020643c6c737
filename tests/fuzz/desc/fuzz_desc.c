// SPDX-License-Identifier: MIT
/*
 * Service descriptions and request descriptors with a few bytes changed: the
 * core and the oracle must agree on each verdict, and on what an accepted
 * description became.  An input names a base (one byte) that is right, then
 * changes: u16 {2 bits log2 of the width, 1 bit from the descriptor on, 13 bits
 * offset}, value.  So most inputs stay near the edge, and all can be reached.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "fuzz_desc.h"

#define TEXT	{ .name = "text", .kind = AIF_IO_UTF8, .dtype = AIF_DTYPE_U8, .dims = 1, \
		  .shape = { -1 }, .max_bytes = 1000 }
#define ROWS	{ .name = "rows", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_F16, .dims = 3, \
		  .shape = { 2, -1, 1 }, .alignment = 2, .max_bytes = 1600 }
#define RECORD	{ .name = "record", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_I32, .dims = 1, \
		  .shape = { 6 }, .alignment = 4, .max_bytes = 24 }
#define VECTOR	{ .name = "vector", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_F32, .dims = 1, \
		  .flags = AIF_IO_F_OUTPUT, .shape = { 384 }, .max_bytes = 1536 }
#define FACTS	{ .name = "facts", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_I32, .dims = 4, \
		  .flags = AIF_IO_F_OUTPUT | AIF_IO_F_OPTIONAL, .shape = { 1, 2, 1, -1 }, \
		  .max_bytes = 80 }
#define NAME_63	"abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ_012345678"
#define SERVICE(n, ...) { .name = "service", .device = "cpu", .model = "A model", \
			  .step_tokens = 1, .io_count = (n), .io = { __VA_ARGS__ } }

static const struct fuzz_case bases[] = {
	{ .service = SERVICE(3, TEXT, VECTOR, FACTS), .depth = 256, .buffer_bytes = 4096,
	  .desc = { .sched_class = AIF_CLASS_NORMAL, .range_count = 3,
		    .ranges = { { 1, 0, 9 }, { 1, 64, 1536 }, { 1, 1600, 8 } } } },
	{ .service = SERVICE(3, TEXT, VECTOR, FACTS), .depth = 256, .now = 5,
	  .desc = { .sched_class = AIF_CLASS_IDLE, .range_count = 1, .inline_length = 9,
		    .deadline = 6, .range = { 1, 64, 1536 }, .input = "one word" } },
	{ .service = SERVICE(3, ROWS, RECORD, VECTOR), .depth = 1, .buffer_bytes = 1 << 20,
	  .desc = { .sched_class = AIF_CLASS_NORMAL, .flags = AIF_REQ_F_RESTART, .range_count = 3,
		    .ranges = { { 1, 2, 1598 }, { 1, 1608, 24 }, { 2, 0, 1536 } } } },
	{ .service = SERVICE(2, RECORD, VECTOR), .depth = 2, .features = ~0ull,
	  .desc = { .sched_class = AIF_CLASS_REALTIME, .tag = 1, .in_fence = 4, .range_count = 1,
		    .inline_length = 24, .range = { 1, 0, 1600 },
		    .input = "all twenty-four bytes.." } },
	{ .service = SERVICE(2, RECORD, VECTOR), .depth = 8, .features = AIF_F_TRANSFER,
	  .desc = { .sched_class = AIF_CLASS_NORMAL, .flags = AIF_REQ_F_TRANSFER, .range_count = 2,
		    .ranges = { { 1, 64, 100 }, { 1, 164, 100 } } } },
	{ .service = { .name = NAME_63, .device = NAME_63, .model = NAME_63, .step_tokens = 64,
		       .io_count = 1, .io = { VECTOR } }, .depth = 64, .buffer_bytes = 1536,
	  .desc = { .sched_class = AIF_CLASS_NORMAL, .range_count = 1, .ranges = { { 1, 0, 1536 } } } },
};

/* What a transfer touches is what the core said may be touched. */
static bool check_transfer(const struct aif_desc *d)
{
	int err = aif_desc_check_transfer(d);

	require(err == (oracle_transfer(d) ? 0 : -EINVAL), "transfer");
	return !err;
}

void fuzz_start(void)
{
}

static bool check_service(struct aif_service_desc *desc)
{
	struct aif_service_desc want = *desc, again;
	int err = aif_service_desc_check(desc);

	require(err == (oracle_service(&want) ? 0 : -EINVAL), "service description");
	if (err)
		return false;
	oracle_normal_form(&want);
	require(!memcmp(desc, &want, sizeof(want)), "normal form");
	again = *desc;
	require(!aif_service_desc_check(&again) && !memcmp(desc, &again, sizeof(again)),
		"checked twice");
	return true;
}

static void check_ranges(const struct fuzz_case *c)
{
	const struct aif_desc *d = &c->desc;

	for (u32 i = 0; i < d->range_count; i++) {
		const struct aif_io *io = aif_desc_range_io(d, c->service.io, i);
		u64 end = (u64)d->ranges[i].offset + (u64)d->ranges[i].length;

		require(io == &c->service.io[d->inline_length ? i + 1 : i], "io of a range");
		require(io < c->service.io + c->service.io_count, "io that is there");
		require(!(d->ranges[i].offset % io->alignment), "alignment");
		require(aif_range_inside(&d->ranges[i], c->buffer_bytes) ==
			(end <= c->buffer_bytes), "range inside");
	}
}

static struct fuzz_case unpack(const u8 *data, size_t size)
{
	struct fuzz_case c = bases[size ? data[0] % (sizeof(bases) / sizeof(bases[0])) : 0];
	size_t i = 1;

	while (i + 3 <= size) {
		u32 head = data[i] | data[i + 1] << 8;
		size_t from = head & 0x2000 ? offsetof(struct fuzz_case, desc) : 0;
		size_t offset = from + (head & 0x1fff) % (sizeof(c) - from);
		size_t width = 1u << (head >> 14);

		i += 2;
		if (width > size - i)
			width = size - i;
		if (width > sizeof(c) - offset)
			width = sizeof(c) - offset;
		memcpy((u8 *)&c + offset, data + i, width);
		i += width;
	}
	return c;
}

bool fuzz_one(const u8 *data, size_t size)
{
	struct fuzz_case c = unpack(data, size);
	bool service_ok = check_service(&c.service);
	int err = aif_desc_check(&c.desc, c.depth, c.features, c.now);

	require(err == oracle_desc(&c), "descriptor");
	if (!err && aif_desc_is_transfer(&c.desc))
		return check_transfer(&c.desc);
	if (err == -EINVAL || !service_ok)
		return false;
	err = aif_desc_check_io(&c.desc, c.service.io, c.service.io_count);
	require(err == (oracle_fits(&c.desc, &c.service) ? 0 : -EINVAL), "fit");
	if (!err)
		check_ranges(&c);
	return !err;
}
