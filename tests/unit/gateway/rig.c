// SPDX-License-Identifier: MIT
#include "tests/unit/gateway/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char rig_folder[64], rig_keys[96];

int rig_set_up(void **state)
{
	const char *top = getenv("TMPDIR");

	snprintf(rig_folder, sizeof(rig_folder), "%s/aif-keys-XXXXXX", top ? top : "/tmp");
	if (!mkdtemp(rig_folder))
		return -1;
	snprintf(rig_keys, sizeof(rig_keys), "%s/keys.json", rig_folder);
	return 0;
}

int rig_tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", rig_folder);
	return system(command);
}

void rig_write(const char *text)
{
	int fd = open(rig_keys, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct key_secret rig_add(struct key *key)
{
	struct keys_edit edit;
	struct key_secret secret;
	struct aif_why why;

	if (!*key->name)
		strcpy(key->name, "test");
	if (!key->created)
		key->created = NOW - 1000;
	assert_int_equal(key_make(key, &secret), 0);
	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), 0);
	assert_int_equal(keys_add(&edit.keys, key), 0);
	assert_int_equal(keys_edit_commit(&edit, &why), 0);
	return secret;
}

void rig_revoke(const char *id)
{
	struct keys_edit edit;
	struct aif_why why;

	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), 0);
	key_revoke(keys_find(&edit.keys, id, strlen(id)), NOW);
	assert_int_equal(keys_edit_commit(&edit, &why), 0);
}

struct identity *rig_open(void)
{
	struct identity_opts opts = { .path = rig_keys };
	struct aif_why why;
	struct identity *identity = identity_open(&opts, &why);

	if (!identity)
		fail_msg("%s", why.text);
	return identity;
}

struct identity_text rig_text(const char *string)
{
	return (struct identity_text){ string, strlen(string) };
}

enum identity_verdict rig_ask(struct identity *identity, enum identity_api api, bool confidential,
			      const char *authorization, struct identity_answer *answer)
{
	struct identity_header headers[] = {
		{ rig_text("Host"), rig_text("localhost") },
		{ rig_text("Authorization"), rig_text(authorization ? authorization : "") },
	};
	struct identity_request request = {
		.api = api, .confidential = confidential, .method = rig_text("GET"),
		.path = rig_text("/"), .query = rig_text(""), .headers = headers,
		.header_count = authorization ? 2 : 1, .now = NOW,
	};

	return identity_check(identity, &request, answer);
}
