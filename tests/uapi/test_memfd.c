// SPDX-License-Identifier: MIT
/*
 * Buffers of memfds: which are taken, which bytes are meant, and that what happens to
 * the file afterwards happens to the file alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

#define PAGE		4096u
#define HUGE		(2u << 20)
#define BYTES		(4u * HUGE)

static struct raw_client client;
static struct raw_buffer buffer;	/* BYTES */
static uint8_t *bytes;			/* BYTES, no two pages alike */

static int group_setup(void **state)
{
	const uint64_t features = AIF_F_TRANSFER | AIF_F_MEMFD;
	size_t i;

	assert_int_equal(raw_client_init(&client, raw_open_as("/dev/aif", RAW_CLIENT_UID), 64,
					 features), 0);
	if (client.features != features)
		return -1;
	bytes = malloc(BYTES);
	assert_non_null(bytes);
	for (i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 13 + i / PAGE);
	return raw_buffer_alloc(&client, BYTES, &buffer);
}

static int group_teardown(void **state)
{
	raw_buffer_free(&client, &buffer);
	raw_client_close(&client);
	free(bytes);
	return 0;
}

static int memfd(unsigned int flags, size_t length, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)length), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static uint8_t *map(int fd, size_t length)
{
	uint8_t *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void copy(uint32_t from, uint32_t from_offset, uint32_t to, uint32_t to_offset, uint32_t n)
{
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
		(struct aif_range){ from, from_offset, n },
		(struct aif_range){ to, to_offset, n })), 0);
}

/* Each piece that a memfd is made a buffer of, out and in again. */
static void pieces(int fd, size_t length)
{
	static const struct { uint64_t offset; uint32_t n; } rows[] = {
		{ 0, 1 }, { PAGE - 1, 2 }, { 5, 3 * PAGE }, { HUGE - 1, 2 }, { HUGE + PAGE, PAGE },
		{ HUGE - 3 * PAGE - 7, HUGE + 5 * PAGE }, { 0, BYTES },
	};
	uint8_t *file = map(fd, length);
	size_t i;
	int h;

	memcpy(file, bytes, length);
	for (i = 0; i < COUNT(rows); i++) {
		h = raw_memfd(&client, fd, rows[i].offset, rows[i].n, AIF_PIN_F_WRITE);
		assert_true(h > 0);
		memset(buffer.base, 0, BYTES);
		copy((uint32_t)h, 0, buffer.handle, 0, rows[i].n);
		assert_memory_equal(buffer.base, bytes + rows[i].offset, rows[i].n);
		memset(file + rows[i].offset, 0, rows[i].n);
		copy(buffer.handle, 0, (uint32_t)h, 0, rows[i].n);
		assert_memory_equal(file, bytes, length);
		assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	}
	munmap(file, length);
}

static void test_small_pages(void **state)
{
	int fd = memfd(0, BYTES, F_SEAL_SHRINK);

	pieces(fd, BYTES);
	close(fd);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"

/* BYTES of huge pages, of which the first @there are. */
static int huge_memfd(off_t there)
{
	int fd;

	write_file(HUGE_PAGES, "4");
	fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB);
	if (fd < 0 || ftruncate(fd, BYTES) || fallocate(fd, 0, 0, there)) {
		print_message("# no four huge pages here\n");
		skip();
	}
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

static void huge_close(int fd)
{
	close(fd);
	write_file(HUGE_PAGES, "0");
}

static void test_huge_pages(void **state)
{
	int fd = huge_memfd(BYTES);

	pieces(fd, BYTES);
	huge_close(fd);
}

static long huge_pages_reserved(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "HugePages_Rsvd: %ld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* One that is not there yet is not made, nor taken from what others have reserved. */
static void test_huge_pages_not_there(void **state)
{
	int fd = huge_memfd(HUGE), h;
	long reserved = huge_pages_reserved();

	assert_int_equal(raw_memfd(&client, fd, 0, BYTES, AIF_PIN_F_WRITE), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, HUGE, 1, 0), -EINVAL);
	assert_int_equal(huge_pages_reserved(), reserved);
	h = raw_memfd(&client, fd, HUGE - 1, 1, 0);
	assert_true(h > 0);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	huge_close(fd);
}

#define SHMEM_THP	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static void test_transparent_huge_pages(void **state)
{
	int fd;

	if (!write_file(SHMEM_THP, "force")) {
		print_message("# no transparent huge pages for files here\n");
		skip();
	}
	fd = memfd(0, BYTES, F_SEAL_SHRINK);
	pieces(fd, BYTES);
	close(fd);
	write_file(SHMEM_THP, "never");
}

/* Pages that nobody has touched are made, and are zero. */
static void test_not_there_yet(void **state)
{
	int fd = memfd(0, BYTES, F_SEAL_SHRINK);
	int h = raw_memfd(&client, fd, 0, BYTES, 0);
	uint32_t i;

	assert_true(h > 0);
	memset(buffer.base, 1, BYTES);
	copy((uint32_t)h, 0, buffer.handle, 0, BYTES);
	for (i = 0; i < BYTES; i++)
		assert_int_equal(buffer.base[i], 0);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	close(fd);
}

static void test_refused(void **state)
{
	static const struct { int seals; uint32_t flags; int err; } rows[] = {
		{ F_SEAL_GROW, 0, -EINVAL },
		{ F_SEAL_GROW | F_SEAL_WRITE, 0, -EINVAL },
		{ F_SEAL_SHRINK, AIF_PIN_F_WRITE, 0 },
		{ F_SEAL_SHRINK | F_SEAL_WRITE, 0, 0 },
		{ F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, 0, 0 },
		{ F_SEAL_SHRINK | F_SEAL_WRITE, AIF_PIN_F_WRITE, -EPERM },
		{ F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, AIF_PIN_F_WRITE, -EPERM },
	};
	int fd, h;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		fd = memfd(0, PAGE, rows[i].seals);
		h = raw_memfd(&client, fd, 0, PAGE, rows[i].flags);
		assert_int_equal(h > 0 ? 0 : h, rows[i].err);
		if (h > 0)
			assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
		close(fd);
	}
	fd = memfd(0, PAGE, F_SEAL_SHRINK);
	assert_int_equal(raw_memfd(&client, fd, 0, 0, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, 0, PAGE + 1, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, PAGE, 1, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, UINT64_MAX, 1, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, UINT64_MAX, 2, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, 1ull << 63, 1, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, 0, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, fd, 0, 1, 2), -EINVAL);
	assert_int_equal(raw_memfd(&client, client.fd, 0, 1, 0), -EINVAL);
	assert_int_equal(raw_memfd(&client, -1, 0, 1, 0), -EBADF);
	close(fd);
}

/* What an fd may not do itself nobody does for it. */
static void test_read_only_fd(void **state)
{
	int fd = memfd(0, PAGE, F_SEAL_SHRINK), reader, h;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	assert_int_equal(raw_memfd(&client, reader, 0, PAGE, AIF_PIN_F_WRITE), -EACCES);
	h = raw_memfd(&client, reader, 0, PAGE, 0);
	assert_true(h > 0);
	assert_int_equal(raw_transfer(&client, raw_fill_desc(&client, 0, "x", 1,
		(struct aif_range){ (uint32_t)h, 0, 1 })), -EACCES);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	close(reader);
	close(fd);
}

static void test_feature(void **state)
{
	struct raw_client plain;
	int fd = memfd(0, PAGE, F_SEAL_SHRINK);

	assert_int_equal(raw_client_open(&plain, 16), 0);
	assert_int_equal(raw_memfd(&plain, fd, 0, PAGE, 0), -EOPNOTSUPP);
	assert_true(raw_client_ask(&plain, AIF_F_MEMFD) & AIF_F_MEMFD);
	assert_true(raw_memfd(&plain, fd, 0, PAGE, 0) > 0);
	raw_client_close(&plain);
	close(fd);
}

/* The buffer keeps the pages it was made of. */
static void test_hole(void **state)
{
	int fd = memfd(0, 4 * PAGE, F_SEAL_SHRINK), h;
	uint8_t *file = map(fd, 4 * PAGE);

	memcpy(file, bytes, 4 * PAGE);
	h = raw_memfd(&client, fd, 0, 4 * PAGE, AIF_PIN_F_WRITE);
	assert_true(h > 0);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE),
			 0);
	copy((uint32_t)h, 0, buffer.handle, 0, 4 * PAGE);
	assert_memory_equal(buffer.base, bytes, 4 * PAGE);
	memset(buffer.base, 0x99, 4 * PAGE);
	copy(buffer.handle, 0, (uint32_t)h, 0, 4 * PAGE);
	assert_int_equal(file[0], 0x99);
	assert_int_equal(file[PAGE], 0);
	assert_int_equal(file[3 * PAGE - 1], 0);
	assert_int_equal(file[3 * PAGE], 0x99);
	assert_int_equal(ftruncate(fd, PAGE), -1);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	munmap(file, 4 * PAGE);
	close(fd);
}

/* Nobody is told that a file cannot change while transfers may write to it. */
static void test_sealed_while_pinned(void **state)
{
	int fd = memfd(0, PAGE, F_SEAL_SHRINK), h;

	h = raw_memfd(&client, fd, 0, PAGE, AIF_PIN_F_WRITE);
	assert_true(h > 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close(fd);
}

/* The file is closed, and its maker gone. */
static int child_makes(void *arg)
{
	int fd = memfd(0, 4 * PAGE, F_SEAL_SHRINK);
	uint8_t *file = map(fd, 4 * PAGE);

	memset(file, 0x44, 4 * PAGE);
	return raw_memfd(&client, fd, 0, 4 * PAGE, 0);
}

static void test_maker_gone(void **state)
{
	int h = raw_run_as(RAW_EXECUTOR_UID, child_makes, NULL);

	assert_true(h > 0);
	copy((uint32_t)h, 0, buffer.handle, 0, 4 * PAGE);
	assert_int_equal(buffer.base[0], 0x44);
	assert_int_equal(buffer.base[4 * PAGE - 1], 0x44);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_small_pages),
	cmocka_unit_test(test_huge_pages),
	cmocka_unit_test(test_huge_pages_not_there),
	cmocka_unit_test(test_transparent_huge_pages),
	cmocka_unit_test(test_not_there_yet),
	cmocka_unit_test(test_refused),
	cmocka_unit_test(test_read_only_fd),
	cmocka_unit_test(test_feature),
	cmocka_unit_test(test_hole),
	cmocka_unit_test(test_sealed_while_pinned),
	cmocka_unit_test(test_maker_gone),
};

int main(void)
{
	return tap_run("memfd", tests, group_setup, group_teardown);
}
