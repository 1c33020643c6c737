// SPDX-License-Identifier: MIT
/* The key file: what is taken is formatted, and read again it is the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "runtime/gateway/keys.h"

void fuzz_start(void)
{
}

static void check_key(const struct keys *keys, const struct key *key)
{
	struct key_tenant tenant;

	require(strlen(key->id) == KEY_ID_SIZE - 1 && strlen(key->name) && key->created > 0,
		"what every key has");
	require(keys_find(keys, key->id, strlen(key->id)) == key, "found by its id");
	require(!key_tenant_parse(key->tenant.text, &tenant, NULL), "a tenant");
	require(!*key->secret == (key->type != KEY_AWS || key->revoked), "a secret where it belongs");
	require(!key->session || *key->secret, "a token only beside a secret");
	require(!key_has_secret(key, "guess", 5) && !key_has_session(key, "guess", 5), "no guesses");
}

static void check_again(const struct keys *keys)
{
	char *text = keys_format(keys);
	struct keys again;

	require(text && !keys_parse(text, strlen(text), &again, NULL), "what was written is read");
	require(again.count == keys->count &&
		!memcmp(again.list, keys->list, keys->count * sizeof(*keys->list)), "the same keys");
	keys_free(&again);
	free(text);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct aif_why why = { "" };
	struct keys keys;
	int err = keys_parse((const char *)data, size, &keys, &why);

	require(!err || (err == -EBADMSG && *why.text && !keys.list), "a reason, and nothing else");
	if (err)
		return false;
	for (size_t i = 0; i < keys.count; i++) {
		require(!i || strcmp(keys.list[i - 1].id, keys.list[i].id) < 0, "sorted, once each");
		check_key(&keys, &keys.list[i]);
	}
	check_again(&keys);
	keys_free(&keys);
	return true;
}
