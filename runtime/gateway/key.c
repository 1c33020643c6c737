// SPDX-License-Identifier: MIT
#include "runtime/gateway/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/model/why.h"

#define TOKEN_PREFIX "aif-"
#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"
#define YEAR_10000 253402300800
#define ID_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define SECRET_BYTES 32

/* ---- secrets ---- */

static int random_bytes(void *bytes, size_t n)
{
	return getrandom(bytes, n, 0) == (ssize_t)n ? 0 : -EIO;
}

/* Said to be a key at first sight, as Amazon's AKIA...; 80 random bits follow. */
static int make_id(char id[KEY_ID_SIZE])
{
	unsigned char bytes[KEY_ID_SIZE - 1 - 4];
	int err = random_bytes(bytes, sizeof(bytes));

	strcpy(id, "AIFK");
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[4 + i] = ID_CHARS[bytes[i] % 32];
	id[KEY_ID_SIZE - 1] = '\0';
	return err;
}

/* base64url: nothing in it that a shell, a URL or a header would take amiss. */
static int make_secret(char secret[KEY_SECRET_SIZE])
{
	unsigned char bytes[SECRET_BYTES], text[KEY_SECRET_SIZE + 1];
	int err = random_bytes(bytes, sizeof(bytes));

	EVP_EncodeBlock(text, bytes, sizeof(bytes));
	for (size_t i = 0; i < KEY_SECRET_SIZE - 1; i++)
		secret[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i];
	secret[KEY_SECRET_SIZE - 1] = '\0';
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

static int digest(const char *text, size_t length, uint8_t sum[KEY_DIGEST_BYTES])
{
	return SHA256((const unsigned char *)text, length, sum) ? 0 : -ENOMEM;
}

int key_make(struct key *key, struct key_secret *s)
{
	int err = make_id(key->id);

	*s = (struct key_secret){ 0 };
	err = err ? err : make_secret(s->secret);
	if (!err && key->type == KEY_AWS)
		strcpy(key->secret, s->secret);
	else if (!err)
		err = digest(s->secret, strlen(s->secret), key->digest);
	if (!err && key->type == KEY_BEARER)
		snprintf(s->token, sizeof(s->token), TOKEN_PREFIX "%s-%s", key->id, s->secret);
	if (!err && key->session)
		err = make_secret(s->session);
	if (!err && key->session)
		err = digest(s->session, strlen(s->session), key->session_digest);
	return err;
}

void key_revoke(struct key *key, int64_t now)
{
	key->revoked = now;
	key->session = false;
	OPENSSL_cleanse(key->secret, sizeof(key->secret));
	OPENSSL_cleanse(key->digest, sizeof(key->digest));
	OPENSSL_cleanse(key->session_digest, sizeof(key->session_digest));
}

static bool is_digest_of(const uint8_t expected[KEY_DIGEST_BYTES], const char *text, size_t length)
{
	uint8_t sum[KEY_DIGEST_BYTES];

	return !digest(text, length, sum) && !CRYPTO_memcmp(sum, expected, sizeof(sum));
}

bool key_has_secret(const struct key *key, const char *secret, size_t length)
{
	return key->type != KEY_AWS && !key->revoked &&
	       is_digest_of(key->digest, secret, length);
}

bool key_has_session(const struct key *key, const char *token, size_t length)
{
	return key->session && !key->revoked && is_digest_of(key->session_digest, token, length);
}

bool key_token_split(const char *token, size_t length, const char **id, const char **secret)
{
	const size_t prefix = sizeof(TOKEN_PREFIX) - 1, id_length = KEY_ID_SIZE - 1;

	if (length != KEY_TOKEN_SIZE - 1 || memcmp(token, TOKEN_PREFIX, prefix) ||
	    token[prefix + id_length] != '-')
		return false;
	*id = token + prefix;
	*secret = *id + KEY_ID_SIZE;
	return true;
}

/* ---- the other parts ---- */

static const char *const type_names[] = {
	[KEY_BEARER] = "bearer", [KEY_BASIC] = "basic", [KEY_AWS] = "aws",
};

const char *key_type_name(enum key_type type)
{
	return type_names[type];
}

bool key_type_parse(const char *name, enum key_type *type)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		*type = (enum key_type)i;
		if (!strcmp(type_names[i], name))
			return true;
	}
	return false;
}

bool key_id_valid(const char *id)
{
	return strlen(id) == KEY_ID_SIZE - 1 && strspn(id, ID_CHARS) == KEY_ID_SIZE - 1;
}

int key_name_check(const char *name, struct aif_why *why)
{
	size_t length = strlen(name);

	if (length && length < KEY_NAME_SIZE && strspn(name, NAME_CHARS) == length)
		return 0;
	return aif_why_set(why, -EINVAL,
			   "'%s' is not a name: 1 to %d of letters, digits, '.', '_', '-'", name,
			   KEY_NAME_SIZE - 1);
}

/* From the root, each step a name: nothing that leads elsewhere. */
static bool is_cgroup(const char *path)
{
	for (const char *c = path; *c; c++) {
		if (*c < ' ' || *c > '~')
			return false;
	}
	while (*path == '/') {
		size_t n = strcspn(++path, "/");

		if (!n || !strncmp(path, ".", n) || !strncmp(path, "..", n))
			return false;
		path += n;
		if (!*path)
			return true;
	}
	return false;
}

/* (uid_t)-1 means "no user" to the kernel. */
static bool parse_uid(const char *text, uid_t *uid)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	*uid = (uid_t)number;
	return *text >= '0' && *text <= '9' && !*end && !errno && number < (uid_t)-1;
}

int key_tenant_parse(const char *text, struct key_tenant *tenant, struct aif_why *why)
{
	*tenant = (struct key_tenant){ 0 };
	if (!*text)
		return 0;
	if (strlen(text) >= sizeof(tenant->text))
		return aif_why_set(why, -EINVAL, "a tenant of %zu bytes: %zu are possible",
				   strlen(text), sizeof(tenant->text) - 1);
	strcpy(tenant->text, text);
	if (!strncmp(text, "uid:", 4) && parse_uid(text + 4, &tenant->uid))
		tenant->type = KEY_TENANT_UID;
	else if (!strncmp(text, "cgroup:", 7) && is_cgroup(text + 7))
		tenant->type = KEY_TENANT_CGROUP;
	else
		return aif_why_set(why, -EINVAL,
				   "'%s' is not a tenant: uid:NUMBER, or cgroup:/PATH from cgroup v2's root",
				   text);
	return 0;
}

const char *key_tenant_cgroup(const struct key_tenant *tenant)
{
	return tenant->text + strlen("cgroup:");
}

bool key_time_parse(const char *text, int64_t *time)
{
	struct tm tm = { 0 };
	char again[KEY_TIME_SIZE];
	const char *end = strptime(text, TIME_FORMAT, &tm);

	if (!end || *end || strlen(text) >= sizeof(again))
		return false;
	*time = timegm(&tm);
	if (*time <= 0)
		return false;
	key_time_format(*time, again);	/* strptime() takes February 31 and ' 3' */
	return !strcmp(text, again);
}

void key_time_format(int64_t time, char text[KEY_TIME_SIZE])
{
	time_t t = time < YEAR_10000 ? (time_t)time : YEAR_10000 - 1;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(text, KEY_TIME_SIZE, TIME_FORMAT, &tm))
		*text = '\0';
}
