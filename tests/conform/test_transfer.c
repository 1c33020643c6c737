// SPDX-License-Identifier: MIT
/*
 * Pinned memory and transfers, through the library.  A device without them must not
 * grant them, and the library then says so.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../uapi/exporter.h"
#include "conform.h"
#include "libaif.h"

#define BYTES	(1u << 20)

static struct aif_client *client;
static struct aif_buffer *buffer, *pinned;
static struct aif_request *request;
static unsigned char *memory;

static void open_sides(void)
{
	struct aif_client_opts opts = {
		.size = sizeof(opts), .device = device(), .depth = 4,
		.features = AIF_FEATURE_TRANSFER | AIF_FEATURE_MEMFD | AIF_FEATURE_MAP |
			    AIF_FEATURE_IMPORT,
	};
	struct aif_client_info info = { .size = sizeof(info) };

	client = aif_client_open(&opts);
	TRUE(client);
	OK(aif_client_info(client, &info));
	if (!(info.features & AIF_FEATURE_TRANSFER))
		skip("the device does not grant transfers");
	TRUE(info.tenant_pinned >= BYTES);
	memory = malloc(BYTES);
	TRUE(memory);
	buffer = aif_buffer_alloc(client, BYTES);
	pinned = aif_buffer_pin(client, memory + 1, BYTES - 1, AIF_PIN_WRITE);
	request = aif_request_get(client);
	TRUE(buffer && pinned && request);
}

static struct aif_transfer_spec copy_spec(void)
{
	return (struct aif_transfer_spec){
		.size = sizeof(struct aif_transfer_spec), .to = buffer, .from = pinned,
		.to_offset = 3, .from_offset = 5, .bytes = BYTES - 100,
	};
}

static int go(const struct aif_transfer_spec *spec)
{
	int err = aif_request_prepare_transfer(request, spec);

	if (!err)
		err = aif_request_submit(&request, 1, AIF_SUBMIT_WAIT_ALL);
	return err == 1 ? aif_request_result(request) : err;
}

static void test_copy(void)
{
	struct aif_outcome o = { .size = sizeof(o) };
	struct aif_transfer_spec spec;
	unsigned char *data;
	size_t i;

	open_sides();
	spec = copy_spec();
	data = aif_buffer_data(buffer);
	for (i = 0; i < BYTES; i++)
		memory[i] = (unsigned char)(i * 7 + i / 251);
	TRUE(aif_buffer_data(pinned) == memory + 1);
	IS(aif_buffer_size(pinned), BYTES - 1);
	OK(go(&spec));
	TRUE(!memcmp(data + 3, memory + 6, BYTES - 100));
	IS(data[2] | data[BYTES - 97], 0);
	OK(aif_request_outcome(request, &o));
	IS(o.produced, BYTES - 100);
	TRUE(o.quiet && o.attempt == 1 && o.device_ns);
	IS(aif_request_state(request), AIF_REQUEST_QUIET);

	memset(memory, 0, BYTES);
	spec.to = pinned;
	spec.from = buffer;
	spec.to_offset = 5;
	spec.from_offset = 3;
	OK(go(&spec));
	TRUE(!memcmp(data + 3, memory + 6, BYTES - 100));
}

static void test_memfd(void)
{
	struct aif_client_info info = { .size = sizeof(info) };
	int fd = memfd_create("conform", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct aif_transfer_spec spec;

	open_sides();
	OK(aif_client_info(client, &info));
	if (!(info.features & AIF_FEATURE_MEMFD))
		skip("the device does not grant memfd buffers");
	OK(ftruncate(fd, BYTES));
	TRUE(!aif_buffer_memfd(client, fd, 0, BYTES, 0) && errno == EINVAL);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	IS(pwrite(fd, "from a memfd", 12, 4090), 12);
	spec = copy_spec();
	spec.from = aif_buffer_memfd(client, fd, 4090, 12, 0);
	TRUE(spec.from && !aif_buffer_data(spec.from));
	spec.from_offset = 0;
	spec.bytes = 12;
	OK(go(&spec));
	TRUE(!memcmp((char *)aif_buffer_data(buffer) + 3, "from a memfd", 12));
	OK(aif_buffer_free(spec.from));
}

static void test_import(void)
{
	struct aif_client_info info = { .size = sizeof(info) };
	int fd = exporter_heap(BYTES, O_RDWR);
	struct aif_transfer_spec spec;

	open_sides();
	OK(aif_client_info(client, &info));
	if (!(info.features & AIF_FEATURE_IMPORT))
		skip("the device does not import dma-bufs");
	if (fd < 0)
		skip("no heap of dma-bufs here");
	spec = copy_spec();
	spec.to = aif_buffer_import(client, fd, AIF_PIN_WRITE);
	TRUE(spec.to && !aif_buffer_data(spec.to));
	IS(aif_buffer_size(spec.to), BYTES);
	IS(go(&spec), -ENXIO);
	IS(aif_buffer_open(spec.to, 2), -EINVAL);
	IS(aif_buffer_open(buffer, 0), -EINVAL);
	OK(aif_buffer_open(spec.to, AIF_PIN_WRITE));
	OK(go(&spec));
	OK(aif_buffer_close(spec.to));
	IS(aif_buffer_close(spec.to), -EALREADY);
	OK(aif_buffer_free(spec.to));
	close(fd);
}

/* The CPU needs no mapping, and no other engine is known to be there. */
static void test_map(void)
{
	struct aif_client_info info = { .size = sizeof(info) };
	struct aif_transfer_spec spec;
	uint32_t number = 7;

	open_sides();
	OK(aif_client_info(client, &info));
	if (!(info.features & AIF_FEATURE_MAP))
		skip("the device does not map buffers");
	IS(aif_buffer_map(buffer, "cpu", &number), -EINVAL);
	IS(aif_buffer_map(buffer, "", &number), -EINVAL);
	IS(aif_buffer_map(buffer, "a2345678901234567890123456789012", &number), -EINVAL);
	IS(aif_buffer_map(pinned, "a234567890123456789012345678901", &number), -ENOENT);
	IS(number, 7);
	IS(aif_buffer_unmap(buffer, 7), -ENOENT);
	spec = copy_spec();
	spec.engine = ~0u;
	IS(go(&spec), -ENXIO);
}

static void test_fill(void)
{
	struct aif_transfer_spec spec = {
		.size = sizeof(spec), .to_offset = 10, .bytes = 1000, .pattern = "abc",
		.pattern_bytes = 3, .sched_class = AIF_REQUEST_IDLE,
	};
	const char *data;

	open_sides();
	data = aif_buffer_data(buffer);
	spec.to = buffer;
	OK(go(&spec));
	TRUE(!memcmp(data + 10, "abcabc", 6) && data[1009] == 'a' && !data[1010] && !data[9]);
}

static void test_refused(void)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = device() };
	struct aif_transfer_spec spec;
	struct aif_client *plain;
	struct aif_buffer *source;

	open_sides();
	source = aif_buffer_pin(client, memory, 1, 0);
	TRUE(source);
#define BAD(field, value, err) do { spec = copy_spec(); spec.field = value; IS(go(&spec), err); } while (0)
	BAD(size, 8, -EINVAL);
	BAD(reserved, 1, -EINVAL);
	BAD(to, NULL, -EINVAL);
	BAD(bytes, 0, -EINVAL);
	BAD(bytes, BYTES - 5, -EINVAL);
	BAD(to_offset, SIZE_MAX, -EINVAL);
	BAD(pattern, "x", -EINVAL);
	BAD(from, buffer, -EINVAL);	/* overlap */
	BAD(deadline_ns, 1, -ETIME);
	BAD(sched_class, AIF_REQUEST_REALTIME, -EOPNOTSUPP);
	spec = copy_spec();
	spec.to = source;
	spec.to_offset = 0;
	spec.bytes = 1;
	IS(go(&spec), -EACCES);
#undef BAD
	spec = copy_spec();
	OK(aif_request_prepare_transfer(request, &spec));
	OK(aif_buffer_free(pinned));
	IS(aif_request_submit(&request, 1, 0), -ENOENT);
	TRUE(!aif_buffer_pin(client, NULL, 1, 0) && errno == EFAULT);
	plain = aif_client_open(&opts);
	TRUE(plain);
	request = aif_request_get(plain);
	IS(aif_request_prepare_transfer(request, &spec), -EOPNOTSUPP);
}

static void test_cancel(void)
{
	struct aif_transfer_spec spec;

	open_sides();
	spec = copy_spec();
	OK(aif_request_prepare_transfer(request, &spec));
	IS(aif_request_submit(&request, 1, 0), 1);
	aif_request_cancel(request);	/* or it is through already */
	OK(aif_request_wait_quiet(request, FOREVER));
	TRUE(aif_request_result(request) == 0 || aif_request_result(request) == -ECANCELED);
	OK(go(&spec));
}

const struct test transfer_tests[] = {
	{ "copy", test_copy },
	{ "memfd", test_memfd },
	{ "import", test_import },
	{ "map", test_map },
	{ "fill", test_fill },
	{ "refused", test_refused },
	{ "cancel", test_cancel },
	{ 0 },
};
