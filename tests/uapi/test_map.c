// SPDX-License-Identifier: MIT
/*
 * Buffers mapped for an engine's device, by means of aif_mock.ko, which then reaches memory
 * only by the addresses that the DMA API gave: who takes what, how long it stays, whose
 * room it is, and that nothing is left, whoever goes first.
 *
 * Loads and unloads aif_mock.ko itself.  With swiotlb=force on the kernel's command line
 * all of it goes through bounce buffers.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mock.h"
#include "tap.h"

#define PAGE		4096u
#define CHUNK		(256u << 10)
#define CHUNKS		4u
#define BYTES		(CHUNKS * CHUNK)
#define SEGMENT		(64u << 10)	/* longest of the mock's device */
#define HUGE		(2u << 20)
#define SECOND		1000000000ll
#define FEATURES	(AIF_F_TRANSFER | AIF_F_URING | AIF_F_MAP | AIF_F_MEMFD)
#define CPU_CHUNKS	ENGINE("cpu/chunks")

static struct raw_client client;
static struct raw_buffer from, to;
static uint32_t engine;		/* the mock's number */

static struct aif_range range_of(uint32_t handle, uint32_t offset, uint32_t n)
{
	return (struct aif_range){ handle, offset, n };
}

static struct aif_desc copy_desc(uint32_t tag, uint32_t at, uint32_t n, uint32_t by)
{
	struct aif_desc d = raw_copy_desc(&client, tag, range_of(from.handle, at, n),
					  range_of(to.handle, at, n));

	d.service = by;
	return d;
}

static struct aif_desc fill_desc(uint32_t tag, uint32_t at, uint32_t n, uint32_t by)
{
	struct aif_desc d = raw_fill_desc(&client, tag, "seven b", 7, range_of(to.handle, at, n));

	d.service = by;
	return d;
}

static uint32_t map(uint32_t handle)
{
	uint32_t number;

	assert_int_equal(raw_map(&client, handle, "mock", &number), 0);
	assert_true(number);
	return number;
}

static void map_both(void)
{
	engine = map(from.handle);
	assert_int_equal(map(to.handle), engine);
}

static void plug(void)
{
	mock_set("maps", 1);
	mock_plug();
}

static struct raw_buffer alloc(size_t bytes)
{
	struct raw_buffer b;

	assert_int_equal(raw_buffer_alloc(&client, bytes, &b), 0);
	return b;
}

static void drop(struct raw_buffer *b)
{
	assert_int_equal(raw_buffer_free(&client, b), 0);
}

static void wait_all_quiet(void)
{
	assert_int_equal(raw_wait_quiet(&client, AIF_TAG_ALL, 60 * SECOND), 0);
}

static int setup(void **state)
{
	mock_plain();
	plug();
	from = alloc(BYTES);
	to = alloc(BYTES);
	raw_scribble(from.base, BYTES, 7);
	memset(to.base, 0xee, BYTES);
	return 0;
}

/* Whatever happened, nothing is mapped when the buffers are gone. */
static int teardown(void **state)
{
	mock_set("quiesce_error", 0);
	mock_set("resume", 1);
	wait_all_quiet();
	drop(&from);
	drop(&to);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	assert_int_equal(raw_alive_becomes("mapped_bytes", 0), 0);
	mock_becomes("mapped", 0);
	mock_plain();
	return 0;
}

static int group_setup(void **state)
{
	mock_shell("modprobe aif_mock");
	return raw_client_init(&client, raw_open_as("/dev/aif", RAW_CLIENT_UID), 64, FEATURES);
}

static int group_teardown(void **state)
{
	raw_client_close(&client);
	mock_shell("rmmod aif_mock");
	return 0;
}

/* ---- who takes it ---- */

/* By name, to the last chunk; and what is mapped is told. */
static void test_named(void **state)
{
	long cpu = mock_read(CPU_CHUNKS);
	struct aif_tenant_now now;

	map_both();
	assert_int_equal(mock_get("mapped"), 2);
	assert_int_equal(raw_alive("mapped_bytes"), 2 * BYTES);
	assert_int_equal(mock_engine("mapped_bytes"), 2 * BYTES);
	assert_int_equal(raw_tenants(client.fd, &now, 1), 1);
	assert_int_equal(now.used.mapped_bytes, 2 * BYTES);
	mock_write(ENGINE("mock/fixed_ns"), "4000000000");	/* dear, and all the same */
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, engine)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	assert_int_equal(mock_read(CPU_CHUNKS), cpu);
}

/* Without a name by cost, where both ends are mapped; a fill has one. */
static void test_by_cost(void **state)
{
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, 0)), 0);
	engine = map(from.handle);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, 0)), 0);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, 0)), 0);
	assert_int_equal(mock_engine("chunks"), 0);
	map(to.handle);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, 0)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	assert_int_equal(raw_unmap(&client, from.handle, engine), 0);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, 0)), 0);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, 0)), 0);
	assert_int_equal(mock_engine("chunks"), 2 * CHUNKS);
	mock_write(ENGINE("mock/fixed_ns"), "4000000000");
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, 0)), 0);
	assert_int_equal(mock_engine("chunks"), 2 * CHUNKS);
}

/* What is not mapped at both ends cannot be asked of it, nor can nobody. */
static void test_not_mapped(void **state)
{
	uint32_t other;

	engine = map(to.handle);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, engine)), -ENXIO);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, engine)), 0);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, engine + 1)), -ENXIO);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, ~0u)), -ENXIO);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_int_equal(raw_unmap(&client, to.handle, engine), -ENOENT);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, engine)), -ENXIO);
	map_both();
	plug();		/* another of that name */
	assert_int_equal(raw_alive("mapped_bytes"), 0);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, engine)), -ENXIO);
	assert_int_equal(raw_unmap(&client, to.handle, engine), -ENOENT);
	other = map(to.handle);
	assert_int_not_equal(other, engine);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, BYTES, other)), 0);
}

/* Once is enough, and ends with one UNMAP. */
static void test_twice(void **state)
{
	engine = map(to.handle);
	assert_int_equal(map(to.handle), engine);
	assert_int_equal(mock_get("mapped"), 1);
	assert_int_equal(raw_alive("mapped_bytes"), BYTES);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_int_equal(mock_get("mapped"), 0);
}

/* What its engine refuses others do, and no more than that. */
static void test_refused(void **state)
{
	map_both();
	mock_set("refuse", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, engine)), 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), CHUNKS - 1);
}

/* ---- the bytes ---- */

static const uint32_t places[] = { 0, 1, 63, PAGE - 1, PAGE, SEGMENT - 7, CHUNK + 9 };
static const uint32_t lengths[] = {
	1, 3, 64, PAGE - 1, PAGE + 1, SEGMENT, CHUNK - 1, CHUNK + 1, 2 * CHUNK - PAGE + 13,
};

static void copy_one(uint32_t handle, const uint8_t *bytes, uint32_t source, uint32_t target,
		     uint32_t n)
{
	struct aif_desc d = raw_copy_desc(&client, 0, range_of(handle, source, n),
					  range_of(to.handle, target, n));

	d.service = engine;
	memset(to.base, 0xee, BYTES);
	assert_int_equal(raw_transfer(&client, d), 0);
	assert_true(raw_filled(to.base, target, 0xee));
	assert_memory_equal(to.base + target, bytes + source, n);
	assert_true(raw_filled(to.base + target + n, BYTES - target - n, 0xee));
}

/* Every alignment of both ends, the source a read-only pin that begins at an odd byte. */
static void test_edges(void **state)
{
	uint8_t *own = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long cpu = mock_read(CPU_CHUNKS);
	size_t source, target, n;
	int handle;

	assert_ptr_not_equal(own, MAP_FAILED);
	raw_scribble(own, BYTES, 3);
	handle = raw_pin(&client, own + 5, BYTES - 5, 0);
	assert_true(handle > 0);
	map_both();
	map((uint32_t)handle);
	for (source = 0; source < COUNT(places); source++)
		for (target = 0; target < COUNT(places); target++)
			for (n = (source + target) % 3; n < COUNT(lengths); n += 3)
				copy_one((uint32_t)handle, own + 5, places[source], places[target],
					 lengths[n]);
	assert_int_equal(mock_read(CPU_CHUNKS), cpu);
	assert_int_equal(raw_unpin(&client, (uint32_t)handle), 0);
	munmap(own, BYTES);
}

/* Pages that follow one another in segments as long as the device takes them. */
static void test_segments(void **state)
{
	int fd = memfd_create("map", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	uint8_t *mapped;
	int handle;

	if (!(client.features & AIF_F_MEMFD) || fd < 0 || ftruncate(fd, HUGE) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		print_message("# no memfd of huge pages here\n");
		skip();
	}
	mock_write("/proc/sys/vm/nr_hugepages", "2");
	mapped = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	memset(mapped, 1, HUGE);
	handle = raw_memfd(&client, fd, 0, HUGE, AIF_PIN_F_WRITE);
	assert_true(handle > 0);
	map((uint32_t)handle);
	assert_int_equal(mock_get("segments"), HUGE / SEGMENT);
	map(to.handle);
	assert_in_range(mock_get("segments"), BYTES / SEGMENT, BYTES / PAGE);
	assert_int_equal(raw_unpin(&client, (uint32_t)handle), 0);
	munmap(mapped, HUGE);
	mock_write("/proc/sys/vm/nr_hugepages", "0");
	close(fd);
}

/* Bytes beside a chunk are the client's, also while it is under way, and when it fails. */
static void test_neighbours(void **state)
{
	struct aif_desc d;

	map_both();
	mock_set("hang", 1);
	d = copy_desc(0, 100, 200, engine);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_becomes("hang", 0);
	memset(to.base, 0x11, 100);
	memset(to.base + 300, 0x22, BYTES - 300);
	memset(from.base, 0x33, 100);
	mock_set("resume", 1);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, 0);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_int_equal(raw_unmap(&client, from.handle, engine), 0);
	assert_true(raw_filled(to.base, 100, 0x11));
	assert_memory_equal(to.base + 100, from.base + 100, 200);
	assert_true(raw_filled(to.base + 300, BYTES - 300, 0x22));
	assert_true(raw_filled(from.base, 100, 0x33));
	map_both();
	mock_set("fail", 1);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 1000, 200, engine)), -EIO);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_true(raw_filled(to.base + 300, 700, 0x22));
	assert_true(raw_filled(to.base + 1200, BYTES - 1200, 0x22));
}

/* The CPU and the device in turn on the same bytes. */
static void test_in_turn(void **state)
{
	uint32_t round;

	map_both();
	for (round = 0; round < 20; round++) {
		raw_scribble(from.base, BYTES, round);
		assert_int_equal(raw_transfer(&client, copy_desc(0, 0, BYTES, engine)), 0);
		assert_memory_equal(to.base, from.base, BYTES);
		memset(to.base + round * 1000, 0x55, 500);
		assert_int_equal(raw_transfer(&client, copy_desc(0, round * 1000 + 200, 100,
								 engine)), 0);
		assert_true(raw_filled(to.base + round * 1000, 200, 0x55));
		assert_memory_equal(to.base + round * 1000 + 200, from.base + round * 1000 + 200, 100);
		assert_true(raw_filled(to.base + round * 1000 + 300, 200, 0x55));
	}
}

/* ---- a driver that lies, fails, or has no room ---- */

static void fails(long want)
{
	uint32_t number;

	assert_int_equal(raw_map(&client, to.handle, "mock", &number), want);
	assert_int_equal(number, 0);
	assert_int_equal(mock_get("mapped"), 0);
	assert_int_equal(raw_alive("mapped_bytes"), 0);
	assert_int_equal(mock_engine("mapped_bytes"), 0);
}

static void test_driver_fails(void **state)
{
	mock_set("map_lie", 1);
	fails(-EIO);
	mock_set("map_fail", 1);
	fails(-ENOSPC);
	mock_set("map_room", PAGE);
	fails(-ENOMEM);
	mock_set("map_room", 0);
	map(to.handle);
}

/* Whoever was used least lately makes room; whoever is used does not. */
static void room(const char *parameter)
{
	bool by_device = !strcmp(parameter, "map_room");
	struct raw_buffer more = alloc(BYTES);
	uint32_t number;

	mock_set(parameter, 2 * BYTES);
	plug();
	map_both();
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, 1, engine)), 0);
	map(more.handle);
	assert_int_equal(mock_get("mapped"), 2);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, 1, engine)), -ENXIO);
	assert_int_equal(raw_transfer(&client, fill_desc(0, 0, 1, engine)), 0);
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, (struct aif_desc[]){ fill_desc(0, 0, 1, engine) }, 1, 0),
			 1);
	mock_becomes("hang", 0);
	map(from.handle);	/* @more was idle */
	assert_int_equal(raw_unmap(&client, more.handle, engine), -ENOENT);
	drop(&more);
	more = alloc(2 * BYTES);
	/* @to cannot go: a chunk of it is under way.  @from does where only that could tell. */
	assert_int_equal(raw_map(&client, more.handle, "mock", &number),
			 by_device ? -ENOMEM : -ENOSPC);
	assert_int_equal(mock_get("mapped"), by_device ? 1 : 2);
	mock_set("resume", 1);
	wait_all_quiet();
	map(more.handle);
	assert_int_equal(mock_get("mapped"), 1);
	drop(&more);
	mock_becomes("mapped", 0);
	more = alloc(2 * BYTES + 1);
	map(to.handle);
	/* What never fits drives nobody out who could stay. */
	if (!by_device)
		assert_int_equal(raw_map(&client, more.handle, "mock", &number), -ENOSPC);
	assert_int_equal(mock_get("mapped"), 1);
	drop(&more);
}

static void test_engine_limit(void **state)
{
	room("mapped_bytes");
}

static void test_device_full(void **state)
{
	room("map_room");
}

/* Of one that says no limit, the module does; a small one where all goes through bounce buffers. */
static void test_default_limit(void **state)
{
	bool bounced = !system("grep -q swiotlb=force /proc/cmdline");
	const char *limit = bounced ? "/sys/module/aif/parameters/engine_bounced" :
				      "/sys/module/aif/parameters/engine_mapped";
	char was[32], bytes[32];

	snprintf(was, sizeof(was), "%ld", mock_read(limit));
	snprintf(bytes, sizeof(bytes), "%u", BYTES);
	mock_write(limit, bytes);
	plug();
	mock_write(limit, was);
	map_both();
	assert_int_equal(mock_get("mapped"), 1);
	assert_int_equal(mock_engine("mapped_bytes"), BYTES);
}

/* To the last page, all files of the tenant together; freed by what is unmapped. */
static void test_tenant_limit(void **state)
{
	struct aif_tenant_limits limits = { .mapped_bytes = BYTES + PAGE };
	struct raw_client second = { 0 };
	struct raw_buffer own, page;
	struct aif_tenant_now now;
	uint32_t number;

	assert_int_equal(raw_client_init(&second, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64,
					 FEATURES), 0);
	assert_int_equal(raw_buffer_alloc(&second, PAGE, &own), 0);
	assert_int_equal(raw_buffer_alloc(&second, 1, &page), 0);
	assert_int_equal(raw_tenants(client.fd, &now, 1), 1);
	assert_int_equal(raw_tenant_set(client.fd, now.id, AIF_TENANT_F_MAPPED, limits), 0);
	engine = map(from.handle);
	assert_int_equal(raw_map(&second, own.handle, "mock", &number), 0);
	assert_int_equal(raw_map(&second, page.handle, "mock", &number), -EDQUOT);
	assert_int_equal(raw_map(&client, to.handle, "mock", &number), -EDQUOT);
	assert_int_equal(raw_tenants(client.fd, &now, 1), 1);
	assert_int_equal(now.flags, AIF_TENANT_F_MAPPED);
	assert_int_equal(now.limits.mapped_bytes, BYTES + PAGE);
	assert_int_equal(now.used.mapped_bytes, BYTES + PAGE);
	assert_int_equal(raw_unmap(&second, own.handle, engine), 0);
	assert_int_equal(raw_map(&second, page.handle, "mock", &number), 0);
	limits.mapped_bytes = 0;
	assert_int_equal(raw_tenant_set(client.fd, now.id, AIF_TENANT_F_MAPPED, limits), 0);
	map(to.handle);
	raw_buffer_free(&second, &own);
	raw_buffer_free(&second, &page);
	raw_client_close(&second);
	assert_int_equal(raw_alive_becomes("mapped_bytes", 2 * BYTES), 0);
}

/* ---- who goes first ---- */

/* A chunk under way keeps its mapping; what comes after it goes elsewhere. */
static void test_unmap_under_way(void **state)
{
	map_both();
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, (struct aif_desc[]){ copy_desc(0, 0, BYTES, engine) },
				    1, 0), 1);
	mock_becomes("hang", 0);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_int_equal(mock_get("mapped"), 2);
	assert_int_equal(raw_unmap(&client, to.handle, engine), -ENOENT);
	mock_set("resume", 1);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(mock_engine("chunks"), 1);
	mock_becomes("mapped", 1);
}

/*
 * Mapped again before the first map is undone: each is one of its own.  Where both have
 * the same addresses DMA_API_DEBUG finds two maps and, as for any driver then, none.
 */
static void test_map_again_under_way(void **state)
{
	if (!access("/sys/kernel/debug/dma-api", F_OK)) {
		print_message("# DMA_API_DEBUG takes two maps of one address for none\n");
		skip();
	}
	map_both();
	mock_set("hang", 1);
	assert_int_equal(raw_submit(&client, (struct aif_desc[]){ copy_desc(0, 0, CHUNK, engine) },
				    1, 0), 1);
	mock_becomes("hang", 0);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	map(to.handle);
	assert_int_equal(mock_get("mapped"), 3);
	assert_int_equal(raw_alive("mapped_bytes"), 3 * BYTES);
	mock_set("resume", 1);
	wait_all_quiet();
	mock_becomes("mapped", 2);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, CHUNK, engine)), 0);
}

/* The handle is gone, the transfer is not: undone when it is quiet, then unpinned. */
static void test_free_under_way(void **state)
{
	struct raw_buffer own = alloc(BYTES);
	struct aif_desc d;

	map_both();
	map(own.handle);
	mock_set("hang", 1);
	d = copy_desc(0, 0, BYTES, engine);
	d.ranges[1].grant = own.handle;
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	mock_becomes("hang", 0);
	drop(&own);
	assert_int_equal(mock_get("mapped"), 3);
	mock_set("resume", 1);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, 0);
	assert_int_equal(mock_engine("chunks"), CHUNKS);
	mock_becomes("mapped", 2);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);
}

static void submit_chunks(void)
{
	struct aif_desc d[2 * CHUNKS];
	uint32_t tag;

	for (tag = 0; tag < 2 * CHUNKS; tag++)
		d[tag] = copy_desc(tag, tag * (CHUNK / 2), CHUNK / 2, engine);
	assert_int_equal(raw_submit(&client, d, 2 * CHUNKS, 0), 2 * CHUNKS);
}

static void all_arrived(void)
{
	uint32_t tag;

	wait_all_quiet();
	for (tag = 0; tag < 2 * CHUNKS; tag++)
		assert_int_equal(client.done[tag].result, 0);
	assert_memory_equal(to.base, from.base, BYTES);
}

/* The engine goes under load: its mappings go with it, and no transfer. */
static void test_unplug(void **state)
{
	uint32_t round;

	mock_set("latency_us", 3000);
	for (round = 0; round < 10; round++) {
		map_both();
		memset(to.base, 0xee, BYTES);
		submit_chunks();
		raw_sleep_ms(round);
		mock_set("plugged", 0);
		assert_int_equal(mock_get("mapped"), 0);
		assert_int_equal(raw_alive("mapped_bytes"), 0);
		all_arrived();
		plug();
	}
}

static void test_rmmod(void **state)
{
	map_both();
	mock_set("latency_us", 3000);
	submit_chunks();
	mock_shell("rmmod aif_mock");
	assert_int_equal(raw_alive("mapped_bytes"), 0);
	all_arrived();
	mock_shell("modprobe aif_mock");
}

/* Some map and unmap, others free, while the engine comes and goes. */
static int map_for_ever(void *arg)
{
	uint64_t until = raw_now() + 2 * SECOND;
	struct raw_client c = { 0 };
	struct raw_buffer b;
	uint32_t number, n;
	int err;

	RAW_CHECK(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64, FEATURES) == 0);
	for (n = 0; raw_now() < until; n++) {
		RAW_CHECK(raw_buffer_alloc(&c, 64 * PAGE, &b) == 0);
		err = raw_map(&c, b.handle, "mock", &number);
		RAW_CHECK(!err || err == -ENOENT || err == -ENODEV);
		if (!err && n % 2) {
			err = raw_unmap(&c, b.handle, number);
			RAW_CHECK(!err || err == -ENOENT);
		}
		RAW_CHECK(raw_buffer_free(&c, &b) == 0);
	}
	return 0;
}

static void test_races(void **state)
{
	uint64_t until = raw_now() + 2 * SECOND;
	pid_t child[2];
	size_t i;

	for (i = 0; i < COUNT(child); i++) {
		child[i] = raw_spawn(0, map_for_ever, NULL);
		assert_true(child[i] > 0);
	}
	while (raw_now() < until) {
		mock_set("plugged", 0);
		raw_sleep_ms(5);
		mock_set("plugged", 1);
		raw_sleep_ms(20);
	}
	for (i = 0; i < COUNT(child); i++)
		assert_int_equal(raw_reap(child[i]), 0);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);
	mock_becomes("mapped", 0);
}

static int transfer_and_die(void *arg)
{
	struct raw_client c = { 0 };
	struct raw_buffer b;
	uint32_t tag, number;
	struct aif_desc d;

	RAW_CHECK(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64, FEATURES) == 0);
	RAW_CHECK(raw_buffer_alloc(&c, BYTES, &b) == 0);
	RAW_CHECK(raw_map(&c, b.handle, "mock", &number) == 0);
	for (tag = 0; tag < 32; tag++) {
		d = raw_copy_desc(&c, tag, range_of(b.handle, 0, BYTES / 2),
				  range_of(b.handle, BYTES / 2, BYTES / 2));
		d.service = number;
		RAW_CHECK(raw_submit(&c, &d, 1, 0) == 1);
	}
	raw_gate_open(arg);
	return pause();
}

static void die_in_the_middle(void)
{
	mock_kill_client(transfer_and_die, ENGINE("mock/busy"), 4);
}

/* The device writes on after SIGKILL, into memory that is still mapped. */
static void test_sigkill(void **state)
{
	mock_set("latency_us", 20000);
	die_in_the_middle();
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);
	mock_becomes("mapped", 0);
	assert_int_equal(mock_engine("busy"), 0);
}

/* Nor is anything unmapped that a device which does not stop may still reach. */
static void test_does_not_stop(void **state)
{
	mock_impatient();
	mock_set("reset_error", EIO);
	mock_set("quiesce_error", EBUSY);
	mock_set("hang", 1);
	die_in_the_middle();
	mock_engine_becomes("state", ENGINE_RETIRED);
	raw_sleep_ms(100);
	assert_int_equal(mock_get("mapped"), 1);
	assert_int_equal(raw_alive("mapped_bytes"), BYTES);
	assert_int_equal(raw_alive("quarantined_bytes"), BYTES);
	assert_int_equal(raw_map(&client, to.handle, "mock", &engine), -ENODEV);
	mock_set("quiesce_error", 0);
	mock_becomes("mapped", 0);
	assert_int_equal(raw_alive_becomes("buffers", 2), 0);
	assert_int_equal(raw_alive("quarantined_bytes"), 0);
}

/* A map that takes its time is waited for by who unplugs, and by who dies. */
static int map_and_die(void *arg)
{
	struct raw_client c = { 0 };
	struct raw_buffer b;
	uint32_t number;

	RAW_CHECK(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64, FEATURES) == 0);
	RAW_CHECK(raw_buffer_alloc(&c, BYTES, &b) == 0);
	raw_gate_open(arg);
	raw_map(&c, b.handle, "mock", &number);
	return pause();
}

static void test_slow_map(void **state)
{
	struct raw_gate ready;
	pid_t child;

	mock_set("map_us", 300000);
	assert_int_equal(raw_gate_init(&ready), 0);
	child = raw_spawn(0, map_and_die, &ready);
	assert_true(child > 0);
	raw_gate_pass(&ready);
	raw_sleep_ms(50);
	assert_int_equal(kill(child, SIGKILL), 0);
	mock_set("plugged", 0);
	assert_int_equal(mock_get("mapped"), 0);
	assert_int_equal(raw_reap(child), -SIGKILL);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	raw_gate_fini(&ready);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(test_named),
	TEST(test_by_cost),
	TEST(test_not_mapped),
	TEST(test_twice),
	TEST(test_refused),
	TEST(test_edges),
	TEST(test_segments),
	TEST(test_neighbours),
	TEST(test_in_turn),
	TEST(test_driver_fails),
	TEST(test_engine_limit),
	TEST(test_device_full),
	TEST(test_default_limit),
	TEST(test_tenant_limit),
	TEST(test_unmap_under_way),
	TEST(test_map_again_under_way),
	TEST(test_free_under_way),
	TEST(test_unplug),
	TEST(test_rmmod),
	TEST(test_races),
	TEST(test_sigkill),
	TEST(test_does_not_stop),
	TEST(test_slow_map),
};

int main(void)
{
	return tap_run("map", tests, group_setup, group_teardown);
}
