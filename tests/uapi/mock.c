// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>

#include "mock.h"
#include "tap.h"

#define PARAMETER(name)	"/sys/module/aif_mock/parameters/" name

void mock_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("%s: %s: %s", path, text, strerror(errno));
	close(fd);
}

long mock_read(const char *path)
{
	FILE *f = fopen(path, "r");
	long n = -1;

	if (!f || fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

void mock_set(const char *name, long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETER("%s"), name);
	snprintf(text, sizeof(text), "%ld", value);
	mock_write(path, text);
}

long mock_get(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETER("%s"), name);
	return mock_read(path);
}

long mock_engine(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), ENGINE("mock/%s"), name);
	return mock_read(path);
}

void mock_file_becomes(const char *path, long value)
{
	int tries;

	for (tries = 0; mock_read(path) != value && tries < 1000; tries++)
		raw_sleep_ms(10);
	assert_int_equal(mock_read(path), value);
}

void mock_engine_becomes(const char *name, long value)
{
	char path[128];

	snprintf(path, sizeof(path), ENGINE("mock/%s"), name);
	mock_file_becomes(path, value);
}

void mock_becomes(const char *name, long value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETER("%s"), name);
	mock_file_becomes(path, value);
}

void mock_kill_client(int (*client)(void *ready), const char *busy, long chunks)
{
	struct raw_gate ready;
	pid_t child;

	assert_int_equal(raw_gate_init(&ready), 0);
	child = raw_spawn(0, client, &ready);
	assert_true(child > 0);
	raw_gate_pass(&ready);
	mock_file_becomes(busy, chunks);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(raw_reap(child), -SIGKILL);
	raw_gate_fini(&ready);
}

/* Cheaper than the CPU for ever. */
static void mock_is_cheap(void)
{
	mock_write(ENGINE("mock/learn"), "0");
	mock_write(ENGINE("mock/fixed_ns"), "0");
	mock_write(ENGINE("mock/ps_byte"), "1");
}

void mock_plug(void)
{
	mock_set("plugged", 0);
	mock_set("plugged", 1);
	mock_is_cheap();
}

/* As loaded, but that it is stopped when a machine would be, however slow, and no test. */
void mock_plain(void)
{
	static const char *const zero[] = {
		"latency_us", "virtual", "refuse", "hang", "lose", "fail", "lie", "twice", "late",
		"reset_error", "quiesce_error", "max_bytes", "fixed_ns", "maps", "mapped_bytes",
		"map_fail", "map_lie", "map_room", "map_us",
	};
	size_t i;

	for (i = 0; i < COUNT(zero); i++)
		mock_set(zero[i], 0);
	mock_set("depth", 4);
	mock_set("alignment", 1);
	mock_set("kinds", 3);
	mock_set("timeout_ms", 60000);
	mock_plug();
}

/* It will be stopped soon if it does not answer. */
void mock_impatient(void)
{
	mock_set("timeout_ms", 1500);
	mock_plug();
}

void mock_shell(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}
