// SPDX-License-Identifier: MIT
/* The key file: what it may say, who may read it, and how it is exchanged. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/gateway/rig.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY(more) "{\"id\":\"AIFKAAAAAAAAAAAAAAAA\",\"name\":\"a\",\"created\":\"2027-01-01T00:00:00Z\"" more "}"
#define FILE_OF(keys) "{\"version\":1,\"keys\":[" keys "]}"
#define BEARER ",\"type\":\"bearer\",\"sha256\":\"" SUM "\""

static const struct {
	const char *json, *says;
} refused[] = {
	{ "", "not JSON" },
	{ "[]", "Expected object" },
	{ "{\"version\":1}", "keys" },
	{ "{\"version\":2,\"keys\":[]}", "version 2" },
	{ "{\"version\":1,\"version\":1,\"keys\":[]}", "duplicate" },
	{ "{\"version\":1,\"keys\":{}}", "'keys' is not an array" },
	{ "{\"version\":1,\"keys\":[],\"more\":1}", "more" },
	{ FILE_OF("1"), "key 1: Expected object" },
	{ FILE_OF("{}"), "key 1: Object item not found: id" },
	{ FILE_OF(KEY(BEARER) "," KEY(BEARER)), "AIFKAAAAAAAAAAAAAAAA is there twice" },
	{ FILE_OF(KEY(BEARER ",\"scope\":\"x\"")), "scope" },
	{ FILE_OF(KEY("")), "type" },
	{ FILE_OF(KEY(",\"type\":\"x\"")), "type 'x' is none of" },
	{ FILE_OF(KEY(",\"type\":\"bearer\"")), "sha256 belongs" },
	{ FILE_OF(KEY(",\"type\":\"aws\"")), "secret belongs" },
	{ FILE_OF(KEY(BEARER ",\"secret\":\"x\"")), "secret belongs" },
	{ FILE_OF(KEY(BEARER ",\"session_sha256\":\"" SUM "\"")), "session_sha256 belongs" },
	{ FILE_OF(KEY(BEARER ",\"revoked\":\"2027-01-01T00:00:00Z\"")), "sha256 belongs" },
	{ FILE_OF(KEY(",\"type\":\"aws\",\"secret\":\"\"")), "0 characters" },
	{ FILE_OF(KEY(",\"type\":\"aws\",\"secret\":\"" SUM "\"")), "64 characters" },
	{ FILE_OF(KEY(",\"type\":\"basic\",\"sha256\":\"AB\"")), "sha256 is not 64" },
	{ FILE_OF(KEY(BEARER ",\"expires\":\"2027-02-30T00:00:00Z\"")), "expires: '2027-02-30" },
	{ FILE_OF(KEY(BEARER ",\"expires\":\"tomorrow\"")), "expires: 'tomorrow'" },
	{ FILE_OF(KEY(BEARER ",\"expires\":\"2027-1-1T00:00:00Z\"")), "expires" },
	{ FILE_OF(KEY(BEARER ",\"expires\":\"1969-01-01T00:00:00Z\"")), "expires" },
	{ FILE_OF(KEY(BEARER ",\"tenant\":\"root\"")), "'root' is not a tenant" },
	{ FILE_OF("{\"id\":\"aifk\",\"name\":\"a\",\"created\":\"2027-01-01T00:00:00Z\"" BEARER "}"),
	  "'aifk' is not an id" },
	{ FILE_OF("{\"id\":\"AIFKAAAAAAAAAAAAAAAA\",\"name\":\"a b\",\"created\":\"2027-01-01T00:00:00Z\"" BEARER "}"),
	  "'a b' is not a name" },
};

static void test_parse_refuses(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct keys keys;
		struct aif_why why = { "" };
		int err = keys_parse(refused[i].json, strlen(refused[i].json), &keys, &why);

		if (err != -EBADMSG || !strstr(why.text, refused[i].says))
			fail_msg("%s: %d, '%s' does not say '%s'", refused[i].json, err, why.text,
				 refused[i].says);
		assert_null(keys.list);
		assert_int_equal(keys_parse(refused[i].json, strlen(refused[i].json), &keys, NULL),
				 -EBADMSG);
	}
}

static void test_tenants(void **state)
{
	static const char *const right[] = {
		"", "uid:0", "uid:1001", "uid:4294967294", "cgroup:/a", "cgroup:/a.slice/b\\x2d.service",
		"cgroup:/...", "cgroup:/a b",
	};
	static const char *const wrong[] = {
		"uid:", "uid:-1", "uid: 1", "uid:+1", "uid:4294967295", "uid:99999999999999999999", "uid:1x",
		"cgroup:", "cgroup:/", "cgroup:a", "cgroup:/a/", "cgroup:/a//b", "cgroup:/a/../b",
		"cgroup:/.", "cgroup:/a/./b", "cgroup:/a\nb", "cgroup:/\xc3\xa4", "gid:1", " uid:1",
	};
	struct key_tenant tenant;
	struct aif_why why;

	for (size_t i = 0; i < COUNT(right); i++) {
		assert_int_equal(key_tenant_parse(right[i], &tenant, &why), 0);
		assert_string_equal(tenant.text, right[i]);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		if (key_tenant_parse(wrong[i], &tenant, &why) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i]);
	}
}

/* All that keys can have comes back from the file as it was. */
static void test_round_trip(void **state)
{
	struct key keys_in[] = {
		{ .type = KEY_BEARER, .name = "b", .expires = NOW },
		{ .type = KEY_BASIC, .name = "p" },
		{ .type = KEY_AWS, .name = "a.-_9" },
		{ .type = KEY_AWS, .name = "s", .session = true, .expires = NOW + 3600 },
		{ .type = KEY_AWS, .name = "gone" },
	};
	struct aif_why why;
	struct keys keys;

	assert_int_equal(key_tenant_parse("uid:1001", &keys_in[1].tenant, &why), 0);
	for (size_t i = 0; i < COUNT(keys_in); i++)
		rig_add(&keys_in[i]);
	rig_revoke(keys_in[4].id);
	key_revoke(&keys_in[4], NOW);
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), 0);
	assert_int_equal(keys.count, COUNT(keys_in));
	for (size_t i = 0; i < COUNT(keys_in); i++) {
		const struct key *key = keys_find(&keys, keys_in[i].id, KEY_ID_SIZE - 1);

		assert_non_null(key);
		assert_memory_equal(key, &keys_in[i], sizeof(*key));
	}
	keys_free(&keys);
}

/* At rest are digests, where that is enough; and nothing of what was revoked. */
static void test_secrets_at_rest(void **state)
{
	struct key bearer = { .type = KEY_BEARER }, basic = { .type = KEY_BASIC };
	struct key aws = { .type = KEY_AWS, .session = true }, gone = { .type = KEY_AWS };
	struct key_secret secrets[] = { rig_add(&bearer), rig_add(&basic), rig_add(&aws),
					rig_add(&gone) };
	char text[8192];
	int fd;

	rig_revoke(gone.id);
	fd = open(rig_keys, O_RDONLY | O_CLOEXEC);
	text[read(fd, text, sizeof(text) - 1)] = '\0';
	close(fd);
	assert_null(strstr(text, secrets[0].secret));
	assert_null(strstr(text, secrets[1].secret));
	assert_non_null(strstr(text, secrets[2].secret));
	assert_null(strstr(text, secrets[2].session));
	assert_null(strstr(text, secrets[3].secret));
	assert_non_null(strstr(text, gone.id));
}

static void test_modes(void **state)
{
	static const struct {
		mode_t mode;
		bool root, other;
	} rows[] = {
		{ 0600, true, true }, { 0400, true, true }, { 0640, true, false },
		{ 0660, false, false }, { 0604, false, false }, { 0644, false, false },
		{ 0700, false, false }, { 04600, false, false },
	};
	bool root = !geteuid();
	struct aif_why why;
	struct keys keys;

	rig_write(FILE_OF(""));
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool right = root ? rows[i].root : rows[i].other;

		assert_int_equal(chmod(rig_keys, rows[i].mode), 0);
		assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), right ? 0 : -EPERM);
		assert_true(right || strstr(why.text, "chmod"));
		keys_free(&keys);
	}
	assert_int_equal(chmod(rig_keys, 0600), 0);
	if (!root)
		return;
	assert_int_equal(chown(rig_keys, 65534, 65534), 0);
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), -EPERM);
	assert_non_null(strstr(why.text, "owned by uid 65534"));
}

static void test_no_regular_file(void **state)
{
	struct aif_why why;
	struct keys keys;

	assert_int_equal(keys_load(rig_folder, &keys, NULL, &why), -EPERM);
	assert_int_equal(mkfifo(rig_keys, 0600), 0);
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), -EPERM);
	assert_non_null(strstr(why.text, "not a regular file"));
	assert_int_equal(unlink(rig_keys), 0);
	rig_write("");
	assert_int_equal(truncate(rig_keys, KEYS_FILE_MAX + 1), 0);
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), -EFBIG);
}

static bool new_file_is_there(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.new", rig_keys);
	return !access(path, F_OK);
}

static void test_edit_keeps_mode(void **state)
{
	struct key first = { .type = KEY_BEARER }, second = { .type = KEY_BEARER };
	struct stat st;
	bool root = !geteuid();

	rig_add(&first);
	assert_int_equal(stat(rig_keys, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	if (root)
		assert_int_equal(chown(rig_keys, 0, 65534), 0);
	assert_int_equal(chmod(rig_keys, root ? 0640 : 0400), 0);
	rig_add(&second);
	assert_int_equal(stat(rig_keys, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | (root ? 0640 : 0400));
	assert_true(!root || st.st_gid == 65534);
	assert_false(new_file_is_there());
}

static void test_edit_ends_cleanly(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct keys_edit edit;
	struct aif_why why;
	struct keys keys;

	rig_add(&key);
	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), 0);
	keys_free(&edit.keys);
	keys_edit_abort(&edit);
	assert_false(new_file_is_there());
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), 0);
	assert_int_equal(keys.count, 1);
	assert_int_equal(keys_add(&keys, &key), -EEXIST);
	keys_free(&keys);
	rig_write("{");
	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), -EBADMSG);
	assert_false(new_file_is_there());
	assert_int_equal(keys_edit_begin("/nonexistent/keys.json", &edit, &why), -ENOENT);
}

/* One that was killed half-way is no hindrance, and half of a file is never seen. */
static void test_edit_after_a_kill(void **state)
{
	struct key first = { .type = KEY_BEARER }, second = { .type = KEY_BEARER };
	struct aif_why why;
	struct keys keys;
	int status;
	pid_t pid;

	rig_add(&first);
	pid = fork();
	if (!pid) {
		struct keys_edit edit;

		if (keys_edit_begin(rig_keys, &edit, NULL) || write(edit.fd, "{\"ver", 5) != 5)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(new_file_is_there());
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), 0);
	keys_free(&keys);
	rig_add(&second);
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), 0);
	assert_int_equal(keys.count, 2);
	keys_free(&keys);
	assert_false(new_file_is_there());
}

/* Several at once: none of their keys is lost. */
static void test_edits_at_once(void **state)
{
	enum { WRITERS = 4, EACH = 8 };
	struct aif_why why;
	struct keys keys;
	int status;

	for (int i = 0; i < WRITERS; i++) {
		if (fork())
			continue;
		for (int k = 0; k < EACH; k++) {
			struct key key = { .type = KEY_BEARER };

			rig_add(&key);
		}
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(keys_load(rig_keys, &keys, NULL, &why), 0);
	assert_int_equal(keys.count, WRITERS * EACH);
	keys_free(&keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_tenants),
		TEST(test_round_trip),
		TEST(test_secrets_at_rest),
		TEST(test_modes),
		TEST(test_no_regular_file),
		TEST(test_edit_keeps_mode),
		TEST(test_edit_ends_cleanly),
		TEST(test_edit_after_a_kill),
		TEST(test_edits_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
