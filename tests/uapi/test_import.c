// SPDX-License-Identifier: MIT
/*
 * Buffers of dma-bufs: of pages of a memfd, of a heap, of a device; which are taken, who
 * waits for whom, and that nothing of them is left, in whatever order things end.  Where vgem
 * is part of the kernel, drm must be in aif.ko's import_from.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "exporter.h"
#include "tap.h"
#include "vgem.h"

#define PAGE		4096u
#define BYTES		(129u * 2 * PAGE)	/* more than four chunks */
#define FEATURES	(AIF_F_TRANSFER | AIF_F_IMPORT)
#define WRITE		AIF_PIN_F_WRITE

static struct raw_client client;
static struct raw_buffer buffer;	/* BYTES */
static uint8_t *bytes;			/* BYTES */
static int vgem = -ENOENT;

static void client_open(struct raw_client *c, uid_t uid)
{
	memset(c, 0, sizeof(*c));
	assert_int_equal(raw_client_init(c, raw_open_as("/dev/aif", uid), 64,
					 FEATURES | AIF_F_URING), 0);
	assert_int_equal(c->features & FEATURES, FEATURES);
}

static int group_setup(void **state)
{
	if (!system("modprobe -q vgem"))
		vgem = vgem_open();
	client_open(&client, RAW_CLIENT_UID);
	bytes = malloc(BYTES);
	assert_non_null(bytes);
	raw_scribble(bytes, BYTES, 7);
	return raw_buffer_alloc(&client, BYTES, &buffer);
}

static int group_teardown(void **state)
{
	raw_buffer_free(&client, &buffer);
	raw_client_close(&client);
	free(bytes);
	if (vgem >= 0)
		close(vgem);
	return 0;
}

/* ---- exporters ---- */

static int of_heap(size_t n)
{
	return exporter_heap(n, O_RDWR);
}

static int of_vgem(size_t n)
{
	uint32_t handle;

	return vgem < 0 ? vgem : vgem_export(vgem, n, &handle);
}

static const struct exporter {
	const char *name;
	int (*make)(size_t n);
} exporters[] = {
	{ "udmabuf", exporter_udmabuf }, { "the system heap", of_heap }, { "vgem", of_vgem },
};

/* A dma-buf, or the test is skipped. */
static int make(const struct exporter *e, size_t n)
{
	int fd = e->make(n);

	if (fd == -ENOENT) {
		print_message("# no %s here\n", e->name);
		skip();
	}
	assert_true(fd >= 0);
	return fd;
}

static uint8_t *map(int fd)
{
	uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static uint32_t import_by(struct raw_client *c, int fd, uint32_t flags)
{
	int h = raw_import(c, fd, flags);

	assert_true(h > 0);
	return (uint32_t)h;
}

static uint32_t import(int fd, uint32_t flags)
{
	return import_by(&client, fd, flags);
}

static void sync_ok(uint32_t handle, uint32_t flags)
{
	assert_int_equal(raw_sync(&client, handle, flags), 0);
}

static void free_ok(uint32_t handle)
{
	assert_int_equal(raw_unpin(&client, handle), 0);
}

static struct aif_desc copy(uint32_t from, uint32_t from_at, uint32_t to, uint32_t to_at,
			    uint32_t n)
{
	return raw_copy_desc(&client, 0, (struct aif_range){ from, from_at, n },
			     (struct aif_range){ to, to_at, n });
}

static struct aif_desc fill(uint32_t to, uint32_t at, uint32_t n)
{
	return raw_fill_desc(&client, 0, "0123456", 7, (struct aif_range){ to, at, n });
}

static int by_ioctl(struct aif_desc d)
{
	return raw_transfer(&client, d);
}

static struct io_uring ring;

static int by_ring(struct aif_desc d)
{
	struct aif_cmd_submit cmd = {
		.flags = AIF_SUBMIT_F_WAIT_ALL, .first = client.position, .count = 1,
	};
	int n;

	client.desc[client.position++ % client.depth] = d;
	n = raw_ring_call(&ring, client.fd, AIF_CMD_SUBMIT, &cmd);
	return n < 0 ? n : client.done[d.tag].result;
}

/* ---- bytes ---- */

static const struct { uint32_t at; uint32_t n; } pieces[] = {
	{ 0, 1 }, { PAGE - 1, 2 }, { 5, 3 * PAGE }, { 77, 300000 }, { 0, BYTES },
};

/* Each piece out of it, and into it, at another alignment. */
static void pieces_of(uint8_t *mapped, uint32_t h, int (*door)(struct aif_desc d))
{
	uint32_t i, at, n, to;

	for (i = 0; i < COUNT(pieces); i++) {
		at = pieces[i].at, n = pieces[i].n, to = n == BYTES ? 0 : 3;
		memcpy(mapped, bytes, BYTES);
		memset(buffer.base, 0, BYTES);
		assert_int_equal(door(copy(h, at, buffer.handle, to, n)), 0);
		assert_memory_equal(buffer.base + to, bytes + at, n);
		memset(mapped + at, 0, n);
		assert_int_equal(door(copy(buffer.handle, to, h, at, n)), 0);
		assert_memory_equal(mapped, bytes, BYTES);
	}
}

static void filled(uint8_t *mapped, uint32_t h)
{
	uint32_t i;

	memcpy(mapped, bytes, BYTES);
	assert_int_equal(by_ioctl(fill(h, 9, BYTES - 10)), 0);
	for (i = 0; i < BYTES - 10; i++)
		assert_int_equal(mapped[9 + i], '0' + i % 7);
	assert_memory_equal(mapped, bytes, 9);
	assert_int_equal(mapped[BYTES - 1], bytes[BYTES - 1]);
}

static void through(const struct exporter *e, int (*door)(struct aif_desc d))
{
	int fd = make(e, BYTES);
	uint32_t h = import(fd, WRITE);
	uint8_t *mapped = map(fd);

	sync_ok(h, AIF_SYNC_F_WRITE);
	pieces_of(mapped, h, door);
	filled(mapped, h);
	sync_ok(h, AIF_SYNC_F_END);
	free_ok(h);
	munmap(mapped, BYTES);
	close(fd);
}

static void test_bytes(void **state)
{
	through(*state, by_ioctl);
}

static void test_bytes_by_ring(void **state)
{
	tap_needs_ring_door();
	assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
	through(*state, by_ring);
	io_uring_queue_exit(&ring);
}

/* From one to another, and inside of one. */
static void test_between(void **state)
{
	int a = make(*state, BYTES), b = make(&exporters[1], BYTES);
	uint32_t from = import(a, WRITE), to = import(b, WRITE);
	uint8_t *source = map(a), *target = map(b);

	sync_ok(from, AIF_SYNC_F_WRITE);
	sync_ok(to, AIF_SYNC_F_WRITE);
	memcpy(source, bytes, BYTES);
	assert_int_equal(by_ioctl(copy(from, 0, to, 0, BYTES)), 0);
	assert_memory_equal(target, bytes, BYTES);
	assert_int_equal(by_ioctl(copy(from, 1, from, BYTES / 2, BYTES / 2 - 1)), 0);
	assert_memory_equal(source + BYTES / 2, bytes + 1, BYTES / 2 - 1);
	sync_ok(from, AIF_SYNC_F_END);
	sync_ok(to, AIF_SYNC_F_END);
	free_ok(from);
	free_ok(to);
	munmap(source, BYTES);
	munmap(target, BYTES);
	close(a);
	close(b);
}

/* Whoever made it is gone, and so is every name of it but ours. */
static void test_maker_gone(void **state)
{
	int fd = make(*state, BYTES);
	uint32_t h = import(fd, WRITE);
	uint8_t *mapped = map(fd);

	memcpy(mapped, bytes, BYTES);
	munmap(mapped, BYTES);
	close(fd);
	sync_ok(h, AIF_SYNC_F_WRITE);
	memset(buffer.base, 0, BYTES);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, BYTES)), 0);
	assert_memory_equal(buffer.base, bytes, BYTES);
	free_ok(h);	/* open as it is */
}

/* ---- open and closed ---- */

static void test_closed(void **state)
{
	int fd = make(*state, BYTES);
	uint32_t h = import(fd, WRITE);

	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, 1)), -ENXIO);
	assert_int_equal(by_ioctl(fill(h, 0, 1)), -ENXIO);
	assert_int_equal(raw_sync(&client, h, AIF_SYNC_F_END), -EALREADY);
	sync_ok(h, 0);
	assert_int_equal(raw_sync(&client, h, AIF_SYNC_F_WRITE), -EALREADY);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, 1)), 0);
	assert_int_equal(by_ioctl(fill(h, 0, 1)), -ENXIO);
	assert_int_equal(by_ioctl(copy(h, 0, h, 8, 1)), -ENXIO);
	sync_ok(h, AIF_SYNC_F_END);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, 1)), -ENXIO);
	sync_ok(h, AIF_SYNC_F_WRITE);
	assert_int_equal(by_ioctl(copy(h, 0, h, 8, 1)), 0);
	sync_ok(h, AIF_SYNC_F_END);
	free_ok(h);
	close(fd);
}

static uint64_t tenant(void)
{
	struct aif_ioc_info info = { .size = sizeof(info) };

	assert_int_equal(raw_call(client.fd, AIF_IOC_INFO, &info), 0);
	return info.out_tenant;
}

/* Of all our transfers, while others go first. */
static void pace(uint64_t rate)
{
	struct aif_tenant_limits to = { .bytes_second = rate };
	int fd = open("/dev/aif-serve", O_RDWR | O_CLOEXEC);

	assert_int_equal(raw_tenant_set(fd, tenant(), AIF_TENANT_F_BYTES_SECOND, to), 0);
	close(fd);
}

/* One that is under way keeps it open, whoever frees what meanwhile. */
static void test_busy(void **state)
{
	int fd = make(*state, BYTES);
	uint32_t h = import(fd, WRITE);
	struct aif_desc d;

	sync_ok(h, AIF_SYNC_F_WRITE);
	pace(1);
	assert_int_equal(by_ioctl(fill(buffer.handle, 0, PAGE)), 0);	/* that is all for hours */
	d = fill(h, 0, PAGE);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	assert_int_equal(raw_sync(&client, h, AIF_SYNC_F_END), -EBUSY);
	assert_int_equal(raw_cancel(&client, d.tag, d.generation), 0);
	assert_int_equal(raw_wait_quiet(&client, d.tag, -1), 0);
	sync_ok(h, AIF_SYNC_F_END);

	sync_ok(h, AIF_SYNC_F_WRITE);
	d = copy(h, 0, buffer.handle, 0, PAGE);
	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	free_ok(h);
	close(fd);
	pace(0);
	assert_int_equal(raw_wait_quiet(&client, d.tag, -1), 0);
	assert_int_equal(client.done[d.tag].result, 0);
}

/* ---- waiting for a device ---- */

static void handled(int sig)
{
	(void)sig;
}

static void alarm_ms(unsigned int ms)
{
	struct itimerval in = { .it_value.tv_usec = (suseconds_t)ms * 1000 };
	struct sigaction act = { .sa_handler = handled };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &in, NULL);
}

/* What another device writes is waited for, what it reads only by who will write. */
static void test_waits_for_a_fence(void **state)
{
	uint32_t handle, h;
	int64_t fence;
	int fd, write;

	if (vgem < 0)
		make(&exporters[2], PAGE);
	fd = vgem_export(vgem, PAGE, &handle);
	h = import(fd, WRITE);
	for (write = 0; write < 2; write++) {
		fence = vgem_fence(vgem, handle, write);
		assert_true(fence > 0);
		if (!write) {
			sync_ok(h, 0);
			sync_ok(h, AIF_SYNC_F_END);
		}
		alarm_ms(50);
		assert_int_equal(raw_sync(&client, h, write ? 0 : AIF_SYNC_F_WRITE), -EINTR);
		assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, 1)), -ENXIO);
		assert_int_equal(vgem_signal(vgem, (uint32_t)fence), 0);
		sync_ok(h, AIF_SYNC_F_WRITE);
		sync_ok(h, AIF_SYNC_F_END);
	}
	free_ok(h);
	close(fd);
}

static int child_waits(void *arg)
{
	const uint32_t *h = arg;

	return raw_sync(&client, *h, 0) ? 1 : 2;
}

/* It dies at once, and the fence is still there. */
static void test_killed_waiting(void **state)
{
	uint32_t handle, h;
	int64_t fence;
	pid_t waits, stands_by;
	int fd;

	if (vgem < 0)
		make(&exporters[2], PAGE);
	fd = vgem_export(vgem, PAGE, &handle);
	h = import(fd, WRITE);
	fence = vgem_fence(vgem, handle, 1);
	assert_true(fence > 0);
	waits = raw_spawn(RAW_CLIENT_UID, child_waits, &h);
	stands_by = raw_spawn(RAW_CLIENT_UID, child_waits, &h);
	raw_sleep_ms(50);
	assert_int_equal(kill(stands_by, SIGKILL), 0);
	assert_int_equal(raw_reap(stands_by), -SIGKILL);
	assert_int_equal(kill(waits, SIGKILL), 0);
	assert_int_equal(raw_reap(waits), -SIGKILL);
	assert_int_equal(vgem_signal(vgem, (uint32_t)fence), 0);
	sync_ok(h, 0);
	free_ok(h);
	close(fd);
}

/* ---- kill -9 under running transfers ---- */

#define FLOOD	32u

static int child_floods(void *arg)
{
	const int *fd = arg;
	struct aif_desc d[FLOOD];
	struct raw_client c;
	struct raw_buffer b;
	uint32_t h, i;

	memset(&c, 0, sizeof(c));
	RAW_CHECK(!raw_client_init(&c, open("/dev/aif", O_RDWR | O_CLOEXEC), 64, FEATURES));
	RAW_CHECK(!raw_buffer_alloc(&c, BYTES, &b));
	h = (uint32_t)raw_import(&c, *fd, WRITE);
	RAW_CHECK(!raw_sync(&c, h, AIF_SYNC_F_WRITE));
	for (;;) {
		for (i = 0; i < FLOOD; i++)
			d[i] = raw_copy_desc(&c, i,
				(struct aif_range){ i & 1 ? h : b.handle, 0, BYTES },
				(struct aif_range){ i & 1 ? b.handle : h, 0, BYTES });
		RAW_CHECK(raw_submit(&c, d, FLOOD, 0) == FLOOD);
		RAW_CHECK(!raw_wait_quiet(&c, AIF_TAG_ALL, -1));
	}
	return 0;
}

static void test_killed_under_load(void **state)
{
	int fd = make(*state, BYTES), i;
	long buffers = raw_alive("buffers"), pinned = raw_alive("pinned_bytes");
	pid_t pid;

	for (i = 0; i < 10; i++) {
		pid = raw_spawn(RAW_CLIENT_UID, child_floods, &fd);
		assert_int_equal(raw_alive_becomes("buffers", buffers + 2), 0);
		raw_sleep_ms((unsigned int)i * 5);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(raw_reap(pid), -SIGKILL);
		assert_int_equal(raw_alive_becomes("buffers", buffers), 0);
		assert_int_equal(raw_alive_becomes("pinned_bytes", pinned), 0);
	}
	close(fd);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
	struct aif_ioc_grant grant = { .size = sizeof(grant) };
	int fd = make(*state, PAGE), reader;
	uint32_t h, engine;

	assert_int_equal(raw_import(&client, fd, 2), -EINVAL);
	assert_int_equal(raw_import(&client, -1, 0), -EBADF);
	assert_int_equal(raw_import(&client, client.fd, 0), -EINVAL);
	h = import(fd, 0);
	assert_int_equal(raw_sync(&client, h, AIF_SYNC_F_WRITE), -EACCES);
	assert_int_equal(raw_sync(&client, h, AIF_SYNC_F_END | AIF_SYNC_F_WRITE), -EINVAL);
	assert_int_equal(raw_sync(&client, h, 4), -EINVAL);
	assert_int_equal(raw_sync(&client, buffer.handle, 0), -EINVAL);
	assert_int_equal(raw_sync(&client, 4242, 0), -ENOENT);
	sync_ok(h, 0);
	assert_int_equal(by_ioctl(fill(h, 0, 1)), -EACCES);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, PAGE + 1)), -EINVAL);
	assert_true(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, client.fd, (off_t)h << 32) ==
		    MAP_FAILED && errno == ENODEV);
	assert_true(raw_client_ask(&client, AIF_F_MAP) & AIF_F_MAP);
	assert_int_equal(raw_map(&client, h, "cpu", &engine), -EOPNOTSUPP);
	free_ok(h);
	close(fd);

	reader = exporter_heap(PAGE, O_RDONLY);
	assert_int_equal(raw_import(&client, reader, WRITE), -EACCES);
	free_ok(import(reader, 0));
	close(reader);
}

static void test_feature(void **state)
{
	int fd = make(*state, PAGE);
	struct raw_client plain;

	assert_int_equal(raw_client_open(&plain, 16), 0);
	assert_int_equal(raw_import(&plain, fd, 0), -EOPNOTSUPP);
	assert_int_equal(raw_sync(&plain, 1, 0), -EOPNOTSUPP);
	assert_true(raw_client_ask(&plain, AIF_F_IMPORT) & AIF_F_IMPORT);
	assert_true(raw_import(&plain, fd, 0) > 0);
	raw_client_close(&plain);
	close(fd);
}

/* ---- whose it is ---- */

static void test_charged(void **state)
{
	struct aif_tenant_now now;
	int serve = open("/dev/aif-serve", O_RDWR | O_CLOEXEC), fd = make(*state, BYTES);
	uint32_t h = import(fd, 0);
	char line[512] = "", path[64];
	bool shown = false;
	FILE *f;

	assert_int_equal(raw_tenant(serve, tenant(), &now), 0);
	assert_int_equal(now.used.pinned_bytes, BYTES);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", client.fd);
	f = fopen(path, "r");
	while (!shown && fgets(line, sizeof(line), f))
		shown = strstr(line, " import ") && strstr(line, "r--t");
	fclose(f);
	assert_true(shown);
	free_ok(h);
	assert_int_equal(raw_tenant(serve, tenant(), &now), 0);
	assert_int_equal(now.used.pinned_bytes, 0);
	close(serve);
	close(fd);
}

/* Who was given it to read opens it to read, and it is open for both. */
static void test_shared(void **state)
{
	int fd = make(*state, PAGE), shared;
	uint32_t h = import(fd, WRITE);
	struct raw_client other;
	struct raw_buffer b;

	client_open(&other, RAW_ATTACKER_UID);
	shared = raw_share(&client, h, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER);
	assert_int_equal(raw_accept(&other, shared, 0, &b), 0);
	assert_int_equal(b.offset, 0);
	close(shared);
	assert_int_equal(raw_sync(&other, b.handle, AIF_SYNC_F_WRITE), -EACCES);
	assert_int_equal(raw_sync(&other, b.handle, 0), 0);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, PAGE)), 0);
	raw_client_close(&other);
	assert_int_equal(by_ioctl(copy(h, 0, buffer.handle, 0, PAGE)), 0);
	sync_ok(h, AIF_SYNC_F_END);
	free_ok(h);
	close(fd);
}

/* ---- each exporter, each test ---- */

/*
 * What is first opened for reading alone udmabuf keeps mapped so for a device of its own, and
 * a debugging DMA API warns of it when that is opened for writing, or ends.
 */
#define READS(test)							\
	{ #test ", heap", test, .initial_state = (void *)&exporters[1] },	\
	{ #test ", vgem", test, .initial_state = (void *)&exporters[2] }
#define EACH(test)							\
	{ #test ", udmabuf", test, .initial_state = (void *)&exporters[0] }, \
	READS(test)

static const struct CMUnitTest tests[] = {
	EACH(test_bytes),
	EACH(test_bytes_by_ring),
	EACH(test_between),
	EACH(test_maker_gone),
	READS(test_closed),
	EACH(test_busy),
	cmocka_unit_test(test_waits_for_a_fence),
	cmocka_unit_test(test_killed_waiting),
	EACH(test_killed_under_load),
	READS(test_refused),
	EACH(test_feature),
	EACH(test_charged),
	READS(test_shared),
};

int main(void)
{
	return tap_run("import", tests, group_setup, group_teardown);
}
