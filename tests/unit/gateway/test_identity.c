// SPDX-License-Identifier: MIT
/* Who asks: bearer keys and passwords, and a key file that changes meanwhile. */
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/gateway/rig.h"

static const struct {
	enum identity_api api;
	bool aws;
} apis[] = {
	{ IDENTITY_OPENAI, false }, { IDENTITY_BEDROCK, true }, { IDENTITY_SAGEMAKER, true },
	{ IDENTITY_V2, false },
};

static char header[512];

static const char *bearer(const struct key_secret *secret)
{
	snprintf(header, sizeof(header), "Bearer %s", secret->token);
	return header;
}

static const char *basic(const char *id, const char *password)
{
	char pair[256];
	int n = snprintf(pair, sizeof(pair), "%s:%s", id, password);

	strcpy(header, "Basic ");
	EVP_EncodeBlock((unsigned char *)header + 6, (unsigned char *)pair, n);
	return header;
}

static void test_bearer_is_taken(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct identity_answer a;
	struct identity *identity;
	struct key_secret secret;
	struct aif_why why;

	assert_int_equal(key_tenant_parse("cgroup:/bank/scoring", &key.tenant, &why), 0);
	secret = rig_add(&key);
	identity = rig_open();
	for (size_t i = 0; i < COUNT(apis); i++) {
		assert_int_equal(rig_ask(identity, apis[i].api, true, bearer(&secret), &a),
				 IDENTITY_OK);
		assert_int_equal(a.status, 200);
		assert_null(a.error);
		assert_string_equal(a.message, "");
		assert_string_equal(a.key, key.id);
		assert_int_equal(a.tenant.type, KEY_TENANT_CGROUP);
		assert_string_equal(key_tenant_cgroup(&a.tenant), "/bank/scoring");
	}
	header[0] = 'b';	/* the scheme's case does not matter, nor how many spaces */
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, header, &a), IDENTITY_OK);
	snprintf(header, sizeof(header), "BEARER   %s", secret.token);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, header, &a), IDENTITY_OK);
	identity_close(identity);
}

static void check_refused(const struct identity_answer *a, bool aws, const char *error)
{
	static const struct key_tenant none;

	assert_int_equal(a->status, aws ? 403 : 401);
	assert_string_equal(a->error, error);
	assert_true(*a->message);
	assert_memory_equal(&a->tenant, &none, sizeof(none));
}

/* Any character of it is another: never taken. */
static void test_bearer_changed_anywhere(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct key_secret secret = rig_add(&key);
	struct identity *identity = rig_open();
	struct identity_answer a;

	for (size_t i = 0; i < strlen(secret.token); i++) {
		bearer(&secret);
		header[7 + i] = header[7 + i] == 'x' ? 'y' : 'x';
		assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, header, &a),
				 IDENTITY_UNKNOWN);
		check_refused(&a, true, "UnrecognizedClientException");
		bearer(&secret);
		header[7 + i] = '\0';
		assert_int_not_equal(rig_ask(identity, IDENTITY_BEDROCK, true, header, &a),
				     IDENTITY_OK);
	}
	bearer(&secret);
	strcat(header, "x");
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, header, &a), IDENTITY_UNKNOWN);
	identity_close(identity);
}

static void test_missing(void **state)
{
	struct identity *identity;
	struct identity_answer a;

	rig_write("{\"version\": 1, \"keys\": []}");
	identity = rig_open();
	for (size_t i = 0; i < COUNT(apis); i++) {
		assert_int_equal(rig_ask(identity, apis[i].api, true, NULL, &a), IDENTITY_MISSING);
		check_refused(&a, apis[i].aws, "MissingAuthenticationTokenException");
		assert_string_equal(a.key, "");
	}
	identity_close(identity);
}

static void test_malformed(void **state)
{
	static const char *const headers[] = {
		"", "Bearer", "Bearer ", "Digest username=x", "aif-x", "Basic", "\xff", "Bearerx y",
		"AWS4-HMAC-SHA256",
	};
	struct identity *identity;
	struct identity_answer a;

	rig_write("{\"version\": 1, \"keys\": []}");
	identity = rig_open();
	for (size_t i = 0; i < COUNT(headers); i++) {
		for (size_t k = 0; k < COUNT(apis); k++) {
			assert_int_not_equal(rig_ask(identity, apis[k].api, true, headers[i], &a),
					     IDENTITY_OK);
			assert_int_equal(a.status, apis[k].aws ? 403 : 401);
		}
	}
	identity_close(identity);
}

static void test_two_authorizations(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct key_secret secret = rig_add(&key);
	struct identity *identity = rig_open();
	struct identity_header headers[] = {
		{ rig_text("authorization"), rig_text(bearer(&secret)) },
		{ rig_text("AUTHORIZATION"), rig_text(bearer(&secret)) },
	};
	struct identity_request request = {
		.api = IDENTITY_BEDROCK, .confidential = true, .method = rig_text("GET"),
		.path = rig_text("/"), .headers = headers, .header_count = 2, .now = NOW,
	};
	struct identity_answer a;

	assert_int_equal(identity_check(identity, &request, &a), IDENTITY_MALFORMED);
	check_refused(&a, true, "IncompleteSignatureException");
	identity_close(identity);
}

static void test_clear_text(void **state)
{
	struct key key = { .type = KEY_BEARER }, password = { .type = KEY_BASIC };
	struct key_secret secret = rig_add(&key), second = rig_add(&password);
	struct identity_opts opts = { .path = rig_keys, .clear_text = true };
	struct identity *identity = rig_open();
	struct identity_answer a;
	struct aif_why why;

	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, false, bearer(&secret), &a),
			 IDENTITY_EXPOSED);
	check_refused(&a, true, "AccessDeniedException");
	assert_int_equal(rig_ask(identity, IDENTITY_V2, false,
				 basic(password.id, second.secret), &a), IDENTITY_EXPOSED);
	assert_int_equal(a.status, 401);
	identity_close(identity);
	identity = identity_open(&opts, &why);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, false, bearer(&secret), &a),
			 IDENTITY_OK);
	identity_close(identity);
}

static void test_basic(void **state)
{
	struct key key = { .type = KEY_BASIC }, other = { .type = KEY_BEARER };
	struct key_secret secret = rig_add(&key), others = rig_add(&other);
	struct identity *identity = rig_open();
	struct identity_answer a;

	assert_int_equal(rig_ask(identity, IDENTITY_V2, true, basic(key.id, secret.secret), &a),
			 IDENTITY_OK);
	assert_string_equal(a.key, key.id);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, header, &a),
			 IDENTITY_MALFORMED);
	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, header, &a),
			 IDENTITY_MALFORMED);
	assert_int_equal(rig_ask(identity, IDENTITY_V2, true, basic(key.id, others.secret), &a),
			 IDENTITY_UNKNOWN);
	check_refused(&a, false, "UnrecognizedClientException");
	/* A bearer key is no password. */
	assert_int_equal(rig_ask(identity, IDENTITY_V2, true, basic(other.id, others.secret), &a),
			 IDENTITY_UNKNOWN);
	for (size_t i = 6; i < strlen(basic(key.id, secret.secret)); i++) {
		basic(key.id, secret.secret);
		header[i] = header[i] == '!' ? '?' : '!';
		assert_int_equal(rig_ask(identity, IDENTITY_V2, true, header, &a),
				 IDENTITY_UNKNOWN);
	}
	identity_close(identity);
}

static void test_expired_and_revoked(void **state)
{
	struct key late = { .type = KEY_BEARER, .expires = NOW };
	struct key early = { .type = KEY_BEARER, .expires = NOW + 1 };
	struct key revoked = { .type = KEY_BEARER };
	struct key_secret late_s = rig_add(&late), early_s = rig_add(&early);
	struct key_secret revoked_s = rig_add(&revoked);
	struct identity *identity;
	struct identity_answer a;

	rig_revoke(revoked.id);
	identity = rig_open();
	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, bearer(&late_s), &a),
			 IDENTITY_EXPIRED);
	check_refused(&a, true, "ExpiredTokenException");
	assert_string_equal(a.message, "This key expired at 2027-01-15T08:00:00Z.");
	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, bearer(&early_s), &a),
			 IDENTITY_OK);
	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, bearer(&revoked_s), &a),
			 IDENTITY_UNKNOWN);
	assert_string_equal(a.reason, "the key was revoked");
	/* Who has no secret is not told that it expired. */
	bearer(&late_s);
	header[strlen(header) - 2] ^= 1;
	assert_int_equal(rig_ask(identity, IDENTITY_BEDROCK, true, header, &a), IDENTITY_UNKNOWN);
	identity_close(identity);
}

/* What is claimed goes to a log. */
static void test_claimed_id_is_printable(void **state)
{
	struct identity *identity;
	struct identity_answer a;

	rig_write("{\"version\": 1, \"keys\": []}");
	identity = rig_open();
	rig_ask(identity, IDENTITY_OPENAI, true,
		"Bearer aif-AIFK\x1b[31m\n\x80\xff""23456789-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		&a);
	assert_string_equal(a.key, "AIFK?[31m???23456789");
	identity_close(identity);
}

/* ---- the key file changes ---- */

static void test_refresh(void **state)
{
	struct key first = { .type = KEY_BEARER }, second = { .type = KEY_BEARER };
	struct key_secret first_s = rig_add(&first), second_s;
	struct identity *identity = rig_open();
	struct identity_answer a;
	struct aif_why why;

	assert_int_equal(identity_refresh(identity, false, &why), 0);
	assert_int_equal(identity_refresh(identity, true, &why), 1);
	second_s = rig_add(&second);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, bearer(&second_s), &a),
			 IDENTITY_UNKNOWN);
	assert_int_equal(identity_refresh(identity, false, &why), 1);
	assert_int_equal(identity_refresh(identity, false, &why), 0);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, bearer(&second_s), &a),
			 IDENTITY_OK);
	rig_revoke(first.id);
	assert_int_equal(identity_refresh(identity, false, &why), 1);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, bearer(&first_s), &a),
			 IDENTITY_UNKNOWN);
	identity_close(identity);
}

/* What cannot be read leaves the keys as they were, and is said once. */
static void test_refresh_fails(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct key_secret secret = rig_add(&key);
	struct identity *identity = rig_open();
	struct identity_answer a;
	struct aif_why why;

	assert_int_equal(chmod(rig_keys, 0644), 0);
	assert_int_equal(identity_refresh(identity, false, &why), -EPERM);
	assert_non_null(strstr(why.text, "mode 0644"));
	assert_int_equal(identity_refresh(identity, false, &why), 0);
	assert_int_equal(chmod(rig_keys, 0600), 0);
	assert_int_equal(identity_refresh(identity, false, &why), 1);
	rig_write("{");
	assert_int_equal(identity_refresh(identity, false, &why), -EBADMSG);
	assert_int_equal(unlink(rig_keys), 0);
	assert_int_equal(identity_refresh(identity, false, &why), -ENOENT);
	assert_int_equal(identity_refresh(identity, false, &why), 0);
	assert_int_equal(identity_refresh(identity, true, &why), -ENOENT);
	assert_int_equal(rig_ask(identity, IDENTITY_OPENAI, true, bearer(&secret), &a),
			 IDENTITY_OK);
	identity_close(identity);
}

/* Requests of other threads while the file is exchanged: each is answered, and rightly. */
struct asker {
	struct identity *identity;
	const char *authorization;
	atomic_bool stop;
	atomic_ulong right, wrong;
};

static void *ask_on(void *arg)
{
	struct asker *asker = arg;
	struct identity_answer a;

	while (!asker->stop) {
		if (rig_ask(asker->identity, IDENTITY_OPENAI, true, asker->authorization, &a))
			asker->wrong++;
		else
			asker->right++;
	}
	return NULL;
}

static void test_refresh_drops_nothing(void **state)
{
	struct key key = { .type = KEY_BEARER };
	struct key_secret secret = rig_add(&key);
	struct asker asker = { .identity = rig_open(), .authorization = bearer(&secret) };
	pthread_t threads[2];
	struct aif_why why;

	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asker), 0);
	for (int i = 0; i < 100 || asker.right < 1000; i++)
		assert_int_equal(identity_refresh(asker.identity, true, &why), 1);
	asker.stop = true;
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(asker.wrong, 0);
	identity_close(asker.identity);
}

static void test_open_fails(void **state)
{
	struct identity_opts opts = { .path = "/nonexistent/keys.json" };
	struct aif_why why;

	assert_null(identity_open(&opts, &why));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(why.text, "/nonexistent/keys.json: No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bearer_is_taken),
		TEST(test_bearer_changed_anywhere),
		TEST(test_missing),
		TEST(test_malformed),
		TEST(test_two_authorizations),
		TEST(test_clear_text),
		TEST(test_basic),
		TEST(test_expired_and_revoked),
		TEST(test_claimed_id_is_printable),
		TEST(test_refresh),
		TEST(test_refresh_fails),
		TEST(test_refresh_drops_nothing),
		TEST(test_open_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
