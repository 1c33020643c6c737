// SPDX-License-Identifier: MIT
/*
 * aif_edu.ko, with the card in the machine: real DMA, by bounce buffers or through an
 * IOMMU, real interrupts, and a slot that can be switched off.  The card needs a fifth of
 * a second for 2 KiB, so this is a sample.
 *
 * Loads and unloads aif_edu.ko itself.
 *
 *	test_edu [--iommu]	there is one, which stops what is not mapped
 */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mock.h"
#include "tap.h"

#define PAGE		4096u
#define PIECE		2048u		/* the card's chunk */
#define BYTES		(8 * PIECE)
#define SECOND		1000000000ll
#define PARAMETER(name)	"/sys/module/aif_edu/parameters/" name
#define FEATURES	(AIF_F_TRANSFER | AIF_F_MAP)

static struct raw_client client;
static struct raw_buffer from, to;
static uint32_t engine;
static char name[AIF_ENGINE_NAME_MAX];

static const char *path_of(const char *fact)
{
	static char path[128];

	snprintf(path, sizeof(path), ENGINE("%s/%s"), name, fact);
	return path;
}

static long card(const char *fact)
{
	return mock_read(path_of(fact));
}

static void card_becomes(const char *fact, long value)
{
	mock_file_becomes(path_of(fact), value);
}

static struct aif_desc copy_desc(uint32_t tag, uint32_t source, uint32_t target, uint32_t n)
{
	struct aif_desc d = raw_copy_desc(&client, tag,
					  (struct aif_range){ from.handle, source, n },
					  (struct aif_range){ to.handle, target, n });

	d.service = engine;
	return d;
}

static void map_both(void)
{
	assert_int_equal(raw_map(&client, from.handle, name, &engine), 0);
	assert_int_equal(raw_map(&client, to.handle, name, &engine), 0);
}

static void wait_all_quiet(void)
{
	assert_int_equal(raw_wait_quiet(&client, AIF_TAG_ALL, 120 * SECOND), 0);
}

static void load(void)
{
	glob_t found;

	mock_shell("modprobe aif_edu");
	assert_int_equal(glob(ENGINE("edu-*"), 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	strcpy(name, strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
}

static int setup(void **state)
{
	load();
	assert_int_equal(raw_buffer_alloc(&client, BYTES, &from), 0);
	assert_int_equal(raw_buffer_alloc(&client, BYTES, &to), 0);
	map_both();
	raw_scribble(from.base, BYTES, 7);
	memset(to.base, 0xee, BYTES);
	return 0;
}

static int teardown(void **state)
{
	wait_all_quiet();
	raw_buffer_free(&client, &from);
	raw_buffer_free(&client, &to);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
	assert_int_equal(raw_alive_becomes("mapped_bytes", 0), 0);
	mock_shell("rmmod aif_edu");
	return 0;
}

static int group_setup(void **state)
{
	return raw_client_init(&client, raw_open_as("/dev/aif", RAW_CLIENT_UID), 64, FEATURES);
}

static int group_teardown(void **state)
{
	raw_client_close(&client);
	return 0;
}

/* ---- bytes ---- */

static const struct {
	uint32_t source, target, n;
} sample[] = {
	{ 0, 0, 1 }, { 5, PAGE - 1, 2 }, { PAGE - 3, 7, 100 }, { PIECE, 0, PIECE },
	{ 1, PAGE + 1, PIECE + 1 }, { PAGE - 100, PAGE - 50, 2 * PIECE + 13 },
};

static void test_bytes(void **state)
{
	long cpu = mock_read(ENGINE("cpu/chunks"));
	size_t i;

	for (i = 0; i < COUNT(sample); i++) {
		const uint32_t target = sample[i].target, n = sample[i].n;

		memset(to.base, 0xee, BYTES);
		assert_int_equal(raw_transfer(&client, copy_desc(0, sample[i].source, target, n)), 0);
		assert_true(raw_filled(to.base, target, 0xee));
		assert_memory_equal(to.base + target, from.base + sample[i].source, n);
		assert_true(raw_filled(to.base + target + n, BYTES - target - n, 0xee));
	}
	assert_int_equal(mock_read(ENGINE("cpu/chunks")), cpu);
	assert_true(card("chunks") >= (long)COUNT(sample));
}

/* What the CPU writes beside a chunk, while it is under way, stays. */
static void test_neighbours(void **state)
{
	struct aif_desc d = copy_desc(0, 100, 100, 200);

	assert_int_equal(raw_submit(&client, &d, 1, 0), 1);
	card_becomes("busy", 1);
	memset(to.base, 0x11, 100);
	memset(to.base + 300, 0x22, BYTES - 300);
	wait_all_quiet();
	assert_int_equal(client.done[0].result, 0);
	assert_int_equal(raw_unmap(&client, to.handle, engine), 0);
	assert_true(raw_filled(to.base, 100, 0x11));
	assert_memory_equal(to.base + 100, from.base + 100, 200);
	assert_true(raw_filled(to.base + 300, BYTES - 300, 0x22));
}

/* ---- a card that fails ---- */

/* An interrupt that is lost costs its transfer, after a time, and no other. */
static void test_lost_interrupt(void **state)
{
	mock_write(PARAMETER("lose_irqs"), "1");
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, 0, PIECE)), -EIO);
	assert_int_equal(card("resets"), 1);
	card_becomes("state", ENGINE_READY);
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, 0, PIECE)), 0);
	assert_memory_equal(to.base, from.base, PIECE);
	assert_int_equal(card("chunks"), 1);
}

/* The kernel's log, from now on. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	lseek(fd, 0, SEEK_END);
	return fd;
}

static bool log_says(int fd, const char *a, const char *b)
{
	char line[1024];
	int tries;
	ssize_t n;

	for (tries = 0; tries < 200; tries++, raw_sleep_ms(10)) {
		while ((n = read(fd, line, sizeof(line) - 1)) > 0) {
			line[n] = '\0';
			if (strstr(line, "DMAR:") && strstr(line, a) && strstr(line, b))
				return true;
		}
	}
	return false;
}

/* What was mapped for nobody is not written, and the log says who tried. */
static void test_stray(void **state)
{
	char device[32];
	int fd = log_open();

	snprintf(device, sizeof(device), "device [%.2s:%.4s]", name + 4, name + 7);
	mock_write(PARAMETER("stray"), "1");
	raw_transfer(&client, copy_desc(0, 0, 0, PIECE));
	assert_true(log_says(fd, device, "fault addr 0xbad000"));
	close(fd);
	assert_true(raw_filled(to.base, BYTES, 0xee));
	assert_int_equal(raw_transfer(&client, copy_desc(0, 0, 0, PIECE)), 0);
	assert_memory_equal(to.base, from.base, PIECE);
}

/* ---- who goes ---- */

static void submit_all(void)
{
	struct aif_desc d[BYTES / PIECE];
	uint32_t i;

	for (i = 0; i < COUNT(d); i++)
		d[i] = copy_desc(i, i * PIECE, i * PIECE, PIECE);
	assert_int_equal(raw_submit(&client, d, COUNT(d), 0), COUNT(d));
	card_becomes("busy", 1);
}

static void all_arrived(void)
{
	uint32_t i;

	wait_all_quiet();
	for (i = 0; i < BYTES / PIECE; i++)
		assert_int_equal(client.done[i].result, 0);
	assert_memory_equal(to.base, from.base, BYTES);
	assert_int_equal(raw_alive("mapped_bytes"), 0);
}

static void test_rmmod(void **state)
{
	submit_all();
	mock_shell("rmmod aif_edu");
	all_arrived();
	load();
}

static int transfer_and_die(void *arg)
{
	struct raw_client c = { 0 };
	struct raw_buffer b;
	struct aif_desc d;
	uint32_t number;

	RAW_CHECK(raw_client_init(&c, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 64, FEATURES) == 0);
	RAW_CHECK(raw_buffer_alloc(&c, 2 * PIECE, &b) == 0);
	RAW_CHECK(raw_map(&c, b.handle, name, &number) == 0);
	d = raw_copy_desc(&c, 0, (struct aif_range){ b.handle, 0, PIECE },
			  (struct aif_range){ b.handle, PIECE, PIECE });
	d.service = number;
	RAW_CHECK(raw_submit(&c, &d, 1, 0) == 1);
	raw_gate_open(arg);
	return pause();
}

/* The card reads and writes on for the dead, whose memory stays mapped meanwhile. */
static void test_sigkill(void **state)
{
	mock_kill_client(transfer_and_die, path_of("busy"), 1);
	assert_int_equal(raw_alive_becomes("clients", 1), 0);
	assert_int_equal(raw_alive_becomes("mapped_bytes", 2 * BYTES), 0);
}

/* By the slot's power; a kernel that knows no such slot takes the card off its bus. */
static void unplug(void)
{
	char remove[64];
	glob_t slot;

	if (!glob("/sys/bus/pci/slots/*/power", 0, NULL, &slot)) {
		assert_int_equal(slot.gl_pathc, 1);
		mock_write(slot.gl_pathv[0], "0");
		globfree(&slot);
		return;
	}
	printf("# this kernel does not drive the slot\n");
	snprintf(remove, sizeof(remove), "/sys/bus/pci/devices/0000:%.2s:%s/remove", name + 4, name + 7);
	mock_write(remove, "1");
}

/* The card is not there any more: the last test. */
static void test_unplug(void **state)
{
	submit_all();
	unplug();
	all_arrived();
	assert_int_equal(card("state"), -1);
	assert_int_equal(raw_map(&client, to.handle, name, &engine), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest bounced[] = {
	TEST(test_bytes), TEST(test_neighbours), TEST(test_lost_interrupt), TEST(test_rmmod),
	TEST(test_sigkill), TEST(test_unplug),
};

static const struct CMUnitTest translated[] = {
	TEST(test_bytes), TEST(test_stray), TEST(test_rmmod), TEST(test_sigkill),
	TEST(test_unplug),
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--iommu"))
		return tap_run("edu through an IOMMU", translated, group_setup, group_teardown);
	return tap_run("edu", bounced, group_setup, group_teardown);
}
