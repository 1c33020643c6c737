// SPDX-License-Identifier: MIT
/*
 * test_disk FOLDER: a file on a disk's file system, mapped shared.  Pinned to be read
 * its pages stay clean; pinned to be written it is refused, as the file system would
 * not know of the writes.  See test_disk.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

#define PAGE	4096u
#define PAGES	16u
#define BYTES	(PAGES * PAGE)
#define DIRTY	(1ull << 4)	/* Documentation/admin-guide/mm/pagemap.rst */

static struct raw_client client;
static struct raw_buffer buffer;
static uint8_t *file;

static int group_setup(void **state)
{
	uint8_t bytes[PAGE];
	uint32_t i;
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (i = 0; i < PAGES; i++) {
		memset(bytes, (int)(i + 1), PAGE);
		assert_int_equal(write(fd, bytes, PAGE), PAGE);
	}
	assert_int_equal(fsync(fd), 0);
	file = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(file != MAP_FAILED);
	close(fd);
	assert_int_equal(raw_client_init(&client, raw_open_as("/dev/aif", RAW_CLIENT_UID), 4,
					 AIF_F_TRANSFER), 0);
	return raw_buffer_alloc(&client, BYTES, &buffer);
}

static int group_teardown(void **state)
{
	raw_buffer_free(&client, &buffer);
	raw_client_close(&client);
	munmap(file, BYTES);
	return unlink("file");
}

static uint64_t entry(const char *path, uint64_t at)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t value;

	assert_int_equal(pread(fd, &value, sizeof(value), (off_t)(at * sizeof(value))),
			 sizeof(value));
	close(fd);
	return value;
}

/* The page must be mapped: it is touched first. */
static bool is_dirty(uint32_t page)
{
	const volatile uint8_t *at = file + page * PAGE;
	uint64_t frame;

	(void)*at;
	frame = entry("/proc/self/pagemap", (uintptr_t)at / PAGE) & ((1ull << 55) - 1);
	assert_true(frame);
	return entry("/proc/kpageflags", frame) & DIRTY;
}

static void test_source_stays_clean(void **state)
{
	int h = raw_pin(&client, file, BYTES, 0);
	uint32_t i;

	assert_true(h > 0);
	assert_int_equal(raw_transfer(&client, raw_copy_desc(&client, 0,
		(struct aif_range){ (uint32_t)h, 0, BYTES },
		(struct aif_range){ buffer.handle, 0, BYTES })), 0);
	assert_memory_equal(buffer.base, file, BYTES);
	for (i = 0; i < PAGES; i++)
		assert_false(is_dirty(i));
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	for (i = 0; i < PAGES; i++)
		assert_false(is_dirty(i));
	file[0] = 1;	/* that it would be seen */
	assert_int_equal(msync(file, BYTES, MS_ASYNC), 0);
	assert_true(is_dirty(0));
	assert_int_equal(msync(file, BYTES, MS_SYNC), 0);
}

static void test_target_is_refused(void **state)
{
	assert_int_equal(raw_pin(&client, file, BYTES, AIF_PIN_F_WRITE), -EFAULT);
	assert_int_equal(raw_pin(&client, file + PAGE - 1, 1, AIF_PIN_F_WRITE), -EFAULT);
	assert_int_equal(raw_alive("pinned_bytes"), 0);
}

/* A private copy of it is memory like any other. */
static void test_private_mapping(void **state)
{
	int fd = open("file", O_RDONLY | O_CLOEXEC), h;
	uint8_t *own = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	assert_true(own != MAP_FAILED);
	h = raw_pin(&client, own, BYTES, AIF_PIN_F_WRITE);
	assert_true(h > 0);
	assert_int_equal(raw_transfer(&client, raw_fill_desc(&client, 0, "p", 1,
		(struct aif_range){ (uint32_t)h, 0, BYTES })), 0);
	assert_int_equal(own[BYTES - 1], 'p');
	assert_int_equal(file[BYTES - 1], PAGES);
	assert_int_equal(raw_unpin(&client, (uint32_t)h), 0);
	munmap(own, BYTES);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_source_stays_clean),
	cmocka_unit_test(test_target_is_refused),
	cmocka_unit_test(test_private_mapping),
};

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: test_disk FOLDER\n");
		return 2;
	}
	return tap_run("disk", tests, group_setup, group_teardown);
}
