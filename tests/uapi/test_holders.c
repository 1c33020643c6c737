// SPDX-License-Identifier: MIT
/*
 * Who has a buffer, as the fdinfo of files says and `aif buffer list` shows it: clients,
 * who passes it on, executors, engines, and what nobody seems to have.
 *
 * Loads and unloads aif_mock.ko itself.
 */
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter.h"
#include "mock.h"
#include "tap.h"

#define LIST	"build/aif buffer list --json 2>&1"
#define LINES	(64u << 10)

static struct raw_rig rig;

static int setup(void **state)
{
	return raw_rig_open(&rig, NULL);
}

static int teardown(void **state)
{
	raw_rig_close(&rig);
	return raw_all_gone();
}

static const char *list(const char *command)
{
	static char text[LINES];
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	print_message("# %s", text);
	assert_int_equal(pclose(f), 0);
	return text;
}

/* In the list's line of the rig's buffer, this process as @by with @rights. */
static bool listed(const char *text, const char *by, const char *rights)
{
	char what[160];

	snprintf(what, sizeof(what),
		 "{\"pid\":%d,\"name\":\"test_holders\",\"by\":\"%s\",\"rights\":\"%s\"}",
		 getpid(), by, rights);
	return strstr(text, what);
}

static void test_holders(void **state)
{
	int fd = raw_share(&rig.client, rig.buffer.handle, AIF_RIGHT_READ | AIF_RIGHT_TRANSFER);
	const char *text = list(LIST);

	assert_non_null(strstr(text, "\"kind\":\"alloc\",\"bytes\":65536,"));
	assert_non_null(strstr(text, "\"mapped_for\":[]"));
	assert_true(listed(text, "client", "rwmt"));
	assert_true(listed(text, "executor", "rwm-"));
	assert_true(listed(text, "passed", "r--t"));
	assert_null(strstr(text, "\"buffer\":null"));
	close(fd);
	assert_false(listed(list(LIST), "passed", "r--t"));
}

static void test_revoked(void **state)
{
	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_false(listed(list(LIST), "executor", "rwm-"));
	assert_true(listed(list(LIST), "client", "rwmt"));
}

static void test_read_only(void **state)
{
	uint32_t grant;

	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	assert_int_equal(raw_grant(&rig.client, rig.buffer.handle, rig.handle, 0, &grant), 0);
	assert_true(listed(list(LIST), "executor", "r-m-"));
}

static void test_mapped(void **state)
{
	uint32_t engine;

	mock_shell("modprobe aif_mock maps=1");
	assert_true(raw_client_ask(&rig.client, AIF_F_MAP) & AIF_F_MAP);
	assert_int_equal(raw_map(&rig.client, rig.buffer.handle, "mock", &engine), 0);
	assert_non_null(strstr(list(LIST), "\"mapped_for\":[\"mock\"]"));
	mock_shell("rmmod aif_mock");
	assert_non_null(strstr(list(LIST), "\"mapped_for\":[]"));
}

/* Its client's file is closed, and a mapping keeps it. */
static void test_unknown(void **state)
{
	const char *text;

	assert_int_equal(raw_revoke(&rig.client, rig.grant), 0);
	raw_client_close(&rig.client);
	text = list(LIST);
	assert_false(listed(text, "client", "rwmt"));
	assert_non_null(strstr(text, "{\"buffer\":null,\"bytes\":65536,"));
}

/* A dma-buf's name is its user's, and stands in fdinfo as it is. */
static void test_forged(void **state)
{
	int fd = exporter_heap(4096, O_RDWR);

	if (fd == -ENOENT) {
		print_message("# no heap of dma-bufs here\n");
		skip();
	}
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, DMA_BUF_SET_NAME, "\naif-buffer:9a 9bytesoftenant1r"), 0);
	assert_null(strstr(list(LIST), "\"bytes\":9,"));
	close(fd);
}

static int list_as_user(void *arg)
{
	const char *text = list(LIST);

	RAW_CHECK(!strstr(text, "\"buffer\""));
	RAW_CHECK(strstr(text, "only root sees other users' processes"));
	return 0;
}

static void test_user(void **state)
{
	assert_int_equal(raw_run_as(RAW_ATTACKER_UID, list_as_user, NULL), 0);
}

#define HOLDERS_TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDERS_TEST(test_holders),
		HOLDERS_TEST(test_revoked),
		HOLDERS_TEST(test_read_only),
		HOLDERS_TEST(test_mapped),
		HOLDERS_TEST(test_unknown),
		HOLDERS_TEST(test_forged),
		HOLDERS_TEST(test_user),
	};

	return tap_run("holders", tests, NULL, NULL);
}
