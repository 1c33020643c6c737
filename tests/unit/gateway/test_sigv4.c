// SPDX-License-Identifier: MIT
/*
 * Signatures: AWS's published vectors (the Signature Version 4 test suite), what is
 * signed piece by piece, and requests as botocore signs them, with their refusals.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "runtime/gateway/sigv4.h"
#include "tests/unit/gateway/rig.h"

static void hash(const char *body, uint8_t sum[32])
{
	SHA256((const unsigned char *)body, strlen(body), sum);
}

/* "Name: value" lines, in their order; of the memory that the caller has. */
static size_t split_headers(const char *lines, struct identity_header *headers)
{
	size_t n = 0;

	while (*lines) {
		size_t length = strcspn(lines, "\n"), name = strcspn(lines + 1, ":") + 1;

		headers[n].name = (struct identity_text){ lines, name };
		headers[n++].value = (struct identity_text){ lines + name + 1, length - name - 1 };
		lines += length + (lines[length] == '\n');
	}
	return n;
}

/* ---- published vectors ---- */

#define SUITE_DATE "Host:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\n"
#define UNRESERVED "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const struct {
	const char *name, *method, *path, *query, *headers, *body, *names, *signature;
} suite[] = {
	{ "get-vanilla", "GET", "/", "", SUITE_DATE, "", "host;x-amz-date",
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "post-vanilla", "POST", "/", "", SUITE_DATE, "", "host;x-amz-date",
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", SUITE_DATE, "",
	  "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-query-order-value", "GET", "/", "Param1=value2&Param1=value1", SUITE_DATE, "",
	  "host;x-amz-date", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
	{ "get-vanilla-empty-query-key", "GET", "/", "Param1=value1", SUITE_DATE, "",
	  "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-header-key-duplicate", "GET", "/", "",
	  SUITE_DATE "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n", "",
	  "host;my-header1;x-amz-date",
	  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "get-header-value-order", "GET", "/", "",
	  SUITE_DATE "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2\n", "",
	  "host;my-header1;x-amz-date",
	  "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
	{ "get-header-value-trim", "GET", "/", "",
	  SUITE_DATE "My-Header1: value1\nMy-Header2: \"a   b   c\"\n", "",
	  "host;my-header1;my-header2;x-amz-date",
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "post-x-www-form-urlencoded", "POST", "/", "",
	  SUITE_DATE "Content-Type:application/x-www-form-urlencoded\n", "Param1=value1",
	  "content-type;host;x-amz-date",
	  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "get-relative", "GET", "/example/..", "", SUITE_DATE, "", "host;x-amz-date",
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slashes", "GET", "//example//", "", SUITE_DATE, "", "host;x-amz-date",
	  "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
};

static void test_published_vectors(void **state)
{
	for (size_t i = 0; i < COUNT(suite); i++) {
		struct identity_header headers[8];
		struct identity_request r = {
			.method = rig_text(suite[i].method), .path = rig_text(suite[i].path),
			.query = rig_text(suite[i].query), .headers = headers,
			.header_count = split_headers(suite[i].headers, headers),
		};
		char parameters[512], hex[SIGV4_HEX + 1];
		struct identity_text text;
		struct sigv4 sig;
		uint8_t sum[32];

		snprintf(parameters, sizeof(parameters),
			 "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			 "SignedHeaders=%s, Signature=%s", suite[i].names, suite[i].signature);
		text = rig_text(parameters);
		assert_null(sigv4_read(&r, &text, &sig));
		assert_int_equal(sig.seconds, 1440938160);
		hash(suite[i].body, sum);
		sigv4_hex(sum, hex);
		if (sigv4_verify(&r, &sig, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", hex) != 1)
			fail_msg("%s", suite[i].name);
		assert_int_equal(sigv4_verify(&r, &sig, "other", hex), 0);
	}
}

/* ---- what is signed ---- */

struct collected {
	char text[4096];
	size_t length;
};

static void collect(void *ctx, const char *bytes, size_t length)
{
	struct collected *c = ctx;

	assert_true(c->length + length < sizeof(c->text));
	memcpy(c->text + c->length, bytes, length);
	c->length += length;
}

static const struct {
	const char *path, *query, *signed_path, *signed_query;
} canonical[] = {
	{ "/model/x%3A0/invoke", "", "/model/x%253A0/invoke", "" },
	{ "", "", "/", "" },
	{ "/", "", "/", "" },
	{ "//", "", "/", "" },
	{ "/a/./b//c", "", "/a/b/c", "" },
	{ "/a/b/../c/", "", "/a/c/", "" },
	{ "/../a", "", "/a", "" },
	{ "/a/../../b/..", "", "/", "" },
	{ "/a/...", "", "/a/...", "" },
	{ "/a/%2e%2e/b", "", "/a/%252e%252e/b", "" },
	{ "/" UNRESERVED, "", "/" UNRESERVED, "" },
	{ "/a b:@!$&'()*+,;=", "", "/a%20b%3A%40%21%24%26%27%28%29%2A%2B%2C%3B%3D", "" },
	{ "/\xc3\xa4\xff", "", "/%C3%A4%FF", "" },
	{ "/", "a", "/", "a=" },
	{ "/", "a=", "/", "a=" },
	{ "/", "=", "/", "=" },
	{ "/", "&&a&", "/", "a=" },
	{ "/", "b=1&a=2&a=1", "/", "a=1&a=2&b=1" },
	{ "/", "a-b=1&a=1", "/", "a=1&a-b=1" },
	{ "/", "a=b=c", "/", "a=b%3Dc" },
	{ "/", "a=%7e%2f%2F", "/", "a=~%2F%2F" },
	{ "/", "a=%zz%2", "/", "a=%25zz%252" },
	{ "/", "a=x+y", "/", "a=x%2By" },
	{ "/", "\xc3\xa4=1&z=1", "/", "%C3%A4=1&z=1" },
};

static void test_path_and_query(void **state)
{
	for (size_t i = 0; i < COUNT(canonical); i++) {
		struct identity_request r = {
			.method = rig_text("GET"), .path = rig_text(canonical[i].path),
			.query = rig_text(canonical[i].query),
		};
		const struct sigv4 sig = { .signed_headers = rig_text("") };
		struct collected c = { .length = 0 };
		char expected[1024];

		assert_true(sigv4_canonical(&r, &sig, "payload", collect, &c));
		c.text[c.length] = '\0';
		snprintf(expected, sizeof(expected), "GET\n%s\n%s\n:\n\n\npayload",
			 canonical[i].signed_path, canonical[i].signed_query);
		assert_string_equal(c.text, expected);
	}
}

static void test_header_values(void **state)
{
	struct identity_header headers[8];
	struct identity_request r = {
		.method = rig_text("GET"), .path = rig_text("/"), .query = rig_text(""), .http2 = true,
		.headers = headers,
		.header_count = split_headers(":authority:box:8080\nB:  x   y\t z  \na:\nb:\nB:2\n",
					      headers),
	};
	const struct sigv4 sig = { .signed_headers = rig_text(":authority;a;b;host") };
	struct collected c = { .length = 0 };

	assert_true(sigv4_canonical(&r, &sig, "p", collect, &c));
	c.text[c.length] = '\0';
	assert_string_equal(c.text, "GET\n/\n\n:authority:box:8080\na:\nb:x y z,,2\nhost:box:8080\n\n"
				    ":authority;a;b;host\np");
}

/* Neither makes work without bound. */
static void test_too_many_parts(void **state)
{
	char path[2 * SIGV4_SEGMENTS_MAX + 3] = "", query[2 * SIGV4_QUERY_MAX + 3] = "";
	struct identity_request r = { .method = rig_text("GET") };
	const struct sigv4 sig = { .signed_headers = rig_text("") };
	struct collected c = { .length = 0 };

	for (int i = 0; i < SIGV4_SEGMENTS_MAX; i++)
		strcat(path, "/a");
	for (int i = 0; i < SIGV4_QUERY_MAX; i++)
		strcat(query, "a&");
	r.path = rig_text(path);
	r.query = rig_text(query);
	assert_true(sigv4_canonical(&r, &sig, "p", collect, &c));
	r.query = rig_text(strcat(query, "a"));
	assert_false(sigv4_canonical(&r, &sig, "p", collect, &c));
	r.query = rig_text("");
	r.path = rig_text(strcat(path, "/a"));
	assert_false(sigv4_canonical(&r, &sig, "p", collect, &c));
}

/* ---- requests, as botocore signs them ---- */

#define PLAIN_ID "AIFKAAAAAAAAAAAAAAAA"
#define SESSION_ID "AIFKBBBBBBBBBBBBBBBB"
#define TOKEN "session0123456789session0123456789session01"
#define BODY "{\"inputText\":\"a quiet harbour\"}"
#define AUTH(id, service, names, signature) \
	"Authorization:AWS4-HMAC-SHA256 Credential=" id "/20270115/us-east-1/" service \
	"/aws4_request, SignedHeaders=" names ", Signature=" signature "\n"
#define TYPES "Accept:application/json\nContent-Type:application/json\n"
#define HOST "Host:localhost:8080\n"
#define DATE "X-Amz-Date:20270115T080000Z\n"
#define NAMES "accept;content-type;host;x-amz-date"
#define PLAIN_SIGNATURE "7cd3df9a2990eea2574b8ada851d1909a480dfac79e6d031386b59c1c6d0b779"
#define DECLARED_NAMES "accept;content-type;host;x-amz-content-sha256;x-amz-date"
#define DECLARED_AUTH AUTH(PLAIN_ID, "bedrock", DECLARED_NAMES, \
			   "ba769e15d59bbfe3821c00536c8d8e695cc7a25b88a8b6cc5de622795e952f5e")
#define SESSION_AUTH AUTH(SESSION_ID, "bedrock", NAMES ";x-amz-security-token", \
			  "cbce61c3fd2064ccd0e29527691bfe15656ca092d806ddec25523c59268aa4a3")
#define PLAIN_AUTH AUTH(PLAIN_ID, "bedrock", NAMES, PLAIN_SIGNATURE)
#define PATH "/model/x%3A0/invoke"

static char body_line[128];

/* A row: what is other than in a plain request. */
struct row {
	const char *headers, *path, *query, *body;
	enum identity_api api;
	bool http2, no_body;
	int64_t late;
	enum identity_verdict verdict;
	const char *says;
};

static enum identity_verdict ask(struct identity *identity, const struct row *row,
				 struct identity_answer *answer)
{
	struct identity_header headers[SIGV4_HEADERS_MAX + 2];
	struct identity_request r = {
		.api = row->api ? row->api : IDENTITY_BEDROCK, .http2 = row->http2,
		.method = rig_text("POST"), .path = rig_text(row->path ? row->path : PATH),
		.query = rig_text(row->query ? row->query : ""), .headers = headers,
		.header_count = split_headers(row->headers, headers), .now = NOW + row->late,
	};
	uint8_t sum[32];

	hash(row->body ? row->body : BODY, sum);
	r.body_sha256 = row->no_body ? NULL : sum;
	return identity_check(identity, &r, answer);
}

static int set_up(void **state)
{
	struct key plain = { .id = PLAIN_ID, .name = "plain", .type = KEY_AWS, .created = 1 };
	struct key session = { .id = SESSION_ID, .name = "s", .type = KEY_AWS, .created = 1,
			       .session = true };
	struct keys_edit edit;
	struct aif_why why;
	char hex[SIGV4_HEX + 1];
	uint8_t sum[32];

	assert_int_equal(rig_set_up(state), 0);
	strcpy(plain.secret, "wJalrXUtnFEMI-K7MDENG_bPxRfiCYEXAMPLEKEYabc");
	strcpy(session.secret, plain.secret);
	hash(TOKEN, session.session_digest);
	assert_int_equal(key_tenant_parse("uid:1001", &plain.tenant, &why), 0);
	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), 0);
	assert_int_equal(keys_add(&edit.keys, &plain) | keys_add(&edit.keys, &session), 0);
	assert_int_equal(keys_edit_commit(&edit, &why), 0);
	hash(BODY, sum);
	sigv4_hex(sum, hex);
	snprintf(body_line, sizeof(body_line), "X-Amz-Content-SHA256:%s\n", hex);
	*state = rig_open();
	return 0;
}

static int tear_down(void **state)
{
	identity_close(*state);
	return rig_tear_down(state);
}

static void check_row(struct identity *identity, const struct row *row)
{
	struct identity_answer a;
	enum identity_verdict verdict = ask(identity, row, &a);
	const char *says = row->says ? row->says : "";

	if (verdict != row->verdict || !strstr(a.message, says))
		fail_msg("%s\n%s: %d '%s', expected %d '%s'", row->headers, row->path ? row->path : PATH,
			 verdict, a.message, row->verdict, says);
	assert_int_equal(a.status, verdict > IDENTITY_BODY ? 403 : 200);
	assert_int_equal(!a.error, verdict <= IDENTITY_BODY);
}

static void test_taken(void **state)
{
	char declared[1024];
	const struct row rows[] = {
		{ .headers = PLAIN_AUTH TYPES HOST DATE },
		{ .headers = PLAIN_AUTH TYPES HOST DATE, .no_body = true, .verdict = IDENTITY_BODY },
		{ .headers = PLAIN_AUTH TYPES HOST DATE, .late = 300 },
		{ .headers = PLAIN_AUTH TYPES HOST DATE, .late = -300 },
		{ .headers = DATE HOST TYPES "User-Agent:x\nX-Amzn-Trace-Id:y\n" PLAIN_AUTH },
		{ .headers = PLAIN_AUTH TYPES ":authority:localhost:8080\n" DATE, .http2 = true },
		{ .headers = AUTH(PLAIN_ID, "bedrock", ":authority;accept;content-type;x-amz-date",
				  "65a4ba5c5532bc0d2867b8a2c3741b0a8a7bead6b879d9b2da51e9dd1910fc79")
			     ":authority:localhost:8080\n" TYPES DATE, .http2 = true },
		{ .headers = SESSION_AUTH TYPES HOST DATE "X-Amz-Security-Token:" TOKEN "\n" },
		{ .headers = AUTH(PLAIN_ID, "sagemaker", NAMES,
				  "d11e62a21a6154e90aa850b14154ae01aba884f0c42bee755e6fe0cf1d7c903e")
			     TYPES HOST DATE, .api = IDENTITY_SAGEMAKER,
		  .path = "/endpoints/embed/invocations" },
		{ .headers = declared },
		{ .headers = declared, .no_body = true, .verdict = IDENTITY_BODY },
	};

	snprintf(declared, sizeof(declared), "%s%s", DECLARED_AUTH TYPES HOST DATE, body_line);
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(*state, &rows[i]);
}

static void test_whose_it_is(void **state)
{
	const struct row row = { .headers = PLAIN_AUTH TYPES HOST DATE };
	struct identity_answer a;

	assert_int_equal(ask(*state, &row, &a), IDENTITY_OK);
	assert_string_equal(a.key, PLAIN_ID);
	assert_int_equal(a.tenant.type, KEY_TENANT_UID);
	assert_int_equal(a.tenant.uid, 1001);
}

#define REST TYPES HOST DATE
#define WRONG_SIGNATURE .verdict = IDENTITY_SIGNATURE, .says = "does not match"
#define RAW(parameters) "Authorization:AWS4-HMAC-SHA256 " parameters "\n" REST
#define CREDENTIAL "Credential=" PLAIN_ID "/20270115/us-east-1/bedrock/aws4_request"
#define SIGNATURE "Signature=" PLAIN_SIGNATURE

static void test_refused(void **state)
{
	static const struct row rows[] = {
		{ .headers = PLAIN_AUTH REST, .path = "/model/x:0/invoke", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH REST, .path = "/model/x%253A0/invoke", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH REST, .query = "a=1", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH REST, .body = BODY " ", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH REST, .body = "", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH TYPES "Host:localhost:8081\n" DATE, WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH "Accept:*/*\nContent-Type:application/json\n" HOST DATE,
		  WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH REST "Accept:text/plain\n", WRONG_SIGNATURE },
		{ .headers = PLAIN_AUTH TYPES HOST "X-Amz-Date:20270115T080001Z\n",
		  WRONG_SIGNATURE },
		{ .headers = AUTH(SESSION_ID, "bedrock", NAMES, PLAIN_SIGNATURE) REST,
		  .verdict = IDENTITY_UNKNOWN, .says = "security token" },
		{ .headers = AUTH("AIFKCCCCCCCCCCCCCCCC", "bedrock", NAMES, PLAIN_SIGNATURE) REST,
		  .verdict = IDENTITY_UNKNOWN, .says = "security token" },
		{ .headers = SESSION_AUTH REST "X-Amz-Security-Token:x" TOKEN "\n",
		  .verdict = IDENTITY_UNKNOWN, .says = "security token" },
		{ .headers = SESSION_AUTH REST "X-Amz-Security-Token:" TOKEN "\nX-Amz-Security-Token:" TOKEN "\n",
		  .verdict = IDENTITY_MALFORMED, .says = "twice" },
		{ .headers = PLAIN_AUTH REST, .late = 301, .verdict = IDENTITY_SIGNATURE, .says = "expired" },
		{ .headers = PLAIN_AUTH REST, .late = -301, .verdict = IDENTITY_SIGNATURE,
		  .says = "not yet current" },
		{ .headers = PLAIN_AUTH REST, .api = IDENTITY_SAGEMAKER, .verdict = IDENTITY_SIGNATURE,
		  .says = "service: 'sagemaker'" },
		{ .headers = AUTH(PLAIN_ID, "bedrock", DECLARED_NAMES,
				  "3e42d3cfb9d935d98525ec4431baa693f99a014a2003b310ff45822448d1eefe")
			     REST "X-Amz-Content-SHA256:UNSIGNED-PAYLOAD\n",
		  .verdict = IDENTITY_SIGNATURE, .says = "unsigned" },
		{ .headers = PLAIN_AUTH REST "x-amz-target:x\n", .verdict = IDENTITY_MALFORMED,
		  .says = "does not name" },
		{ .headers = PLAIN_AUTH REST DATE, .verdict = IDENTITY_MALFORMED, .says = "one X-Amz-Date" },
		{ .headers = PLAIN_AUTH TYPES HOST, .verdict = IDENTITY_MALFORMED, .says = "one X-Amz-Date" },
		{ .headers = PLAIN_AUTH TYPES HOST "X-Amz-Date:20270115T250000Z\n",
		  .verdict = IDENTITY_MALFORMED, .says = "is not a time" },
		{ .headers = PLAIN_AUTH TYPES HOST "X-Amz-Date:20270231T080000Z\n",
		  .verdict = IDENTITY_MALFORMED, .says = "is not a time" },
		{ .headers = PLAIN_AUTH TYPES HOST "X-Amz-Date:20270116T080000Z\n",
		  .verdict = IDENTITY_MALFORMED, .says = "is not that of" },
		{ .headers = PLAIN_AUTH TYPES DATE, .verdict = IDENTITY_MALFORMED, .says = "not received" },
		{ .headers = PLAIN_AUTH TYPES DATE ":authority:localhost:8080\n",
		  .verdict = IDENTITY_MALFORMED, .says = "not received" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=accept;x-amz-date, " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "The host is not" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=host;accept;x-amz-date, " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "sorted" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=host;host;x-amz-date, " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "sorted" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=Host;x-amz-date, " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "sorted" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=, " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "does not name" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=" NAMES), .verdict = IDENTITY_MALFORMED,
		  .says = "lacks" },
		{ .headers = RAW(CREDENTIAL ", " CREDENTIAL ", SignedHeaders=" NAMES ", " SIGNATURE),
		  .verdict = IDENTITY_MALFORMED, .says = "twice" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=" NAMES ", " SIGNATURE ", x=y"),
		  .verdict = IDENTITY_MALFORMED, .says = "none of" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=" NAMES ", " SIGNATURE ","),
		  .verdict = IDENTITY_MALFORMED, .says = "none of" },
		{ .headers = RAW("Credential=" PLAIN_ID "/20270115/us-east-1/bedrock, SignedHeaders=" NAMES
				 ", " SIGNATURE), .verdict = IDENTITY_MALFORMED, .says = "ID/DATE/REGION" },
		{ .headers = RAW("Credential=" PLAIN_ID "/20270115/us-east-1/bedrock/aws4_request/x, SignedHeaders="
				 NAMES ", " SIGNATURE), .verdict = IDENTITY_MALFORMED, .says = "ID/DATE/REGION" },
		{ .headers = RAW("Credential=" PLAIN_ID "/20270115/eu-west-1/bedrock/aws4_request, SignedHeaders="
				 NAMES ", " SIGNATURE), .verdict = IDENTITY_SIGNATURE, .says = "'us-east-1'" },
		{ .headers = RAW(CREDENTIAL ", SignedHeaders=" NAMES ", Signature=abc"),
		  .verdict = IDENTITY_MALFORMED, .says = "64 lower-case" },
		{ .headers = HOST, .query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0",
		  .verdict = IDENTITY_MALFORMED, .says = "Signed URLs" },
		{ .headers = HOST, .query = "a=X-Amz-Signature", .verdict = IDENTITY_MISSING },
		{ .headers = "Authorization:AWS4-ECDSA-P256-SHA256 Credential=x\n",
		  .verdict = IDENTITY_MALFORMED, .says = "This kind" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(*state, &rows[i]);
}

/* What was declared lets a request be refused before its body is there. */
static void test_declared_payload(void **state)
{
	char right[1024], wrong[1024];
	struct row row = { .headers = wrong, .no_body = true, .verdict = IDENTITY_SIGNATURE,
			   .says = "does not match" };

	snprintf(right, sizeof(right), "%s%s", DECLARED_AUTH REST, body_line);
	strcpy(wrong, right);
	wrong[strlen(wrong) - 2] ^= 1;
	check_row(*state, &row);
	row = (struct row){ .headers = right, .body = "other", .verdict = IDENTITY_SIGNATURE,
			    .says = "body's SHA-256" };
	check_row(*state, &row);
}

static void test_other_apis_take_none(void **state)
{
	struct identity_header headers[8];
	struct identity_request r = {
		.api = IDENTITY_OPENAI, .method = rig_text("POST"), .path = rig_text(PATH),
		.headers = headers, .header_count = split_headers(PLAIN_AUTH REST, headers), .now = NOW,
	};
	struct identity_answer a;

	assert_int_equal(identity_check(*state, &r, &a), IDENTITY_MALFORMED);
	assert_int_equal(a.status, 401);
	r.api = IDENTITY_V2;
	assert_int_equal(identity_check(*state, &r, &a), IDENTITY_MALFORMED);
}

/* One bit of the signature, any. */
static void test_every_bit_of_the_signature(void **state)
{
	char headers[] = PLAIN_AUTH REST;
	struct row row = { .headers = headers };
	char *signature = strstr(headers, PLAIN_SIGNATURE);

	for (size_t i = 0; i < 8 * SIGV4_HEX; i++) {
		struct identity_answer a;

		signature[i / 8] ^= (char)(1 << i % 8);
		assert_int_not_equal(ask(*state, &row, &a), IDENTITY_OK);
		signature[i / 8] ^= (char)(1 << i % 8);
	}
	check_row(*state, &row);
}

static void test_too_many_headers(void **state)
{
	char headers[SIGV4_HEADERS_MAX * 4 + 1024] = PLAIN_AUTH REST;
	const struct row row = { .headers = headers, .verdict = IDENTITY_MALFORMED,
				 .says = "more headers" };

	for (int i = 0; i < SIGV4_HEADERS_MAX - 4; i++)
		strcat(headers, "x:\n");
	check_row(*state, &row);
}

static void test_expired_and_revoked(void **state)
{
	const struct row plain = { .headers = PLAIN_AUTH REST };
	struct keys_edit edit;
	struct identity_answer a;
	struct aif_why why;

	assert_int_equal(keys_edit_begin(rig_keys, &edit, &why), 0);
	keys_find(&edit.keys, PLAIN_ID, KEY_ID_SIZE - 1)->expires = NOW;
	assert_int_equal(keys_edit_commit(&edit, &why), 0);
	assert_int_equal(identity_refresh(*state, false, &why), 1);
	assert_int_equal(ask(*state, &plain, &a), IDENTITY_EXPIRED);
	assert_string_equal(a.error, "ExpiredTokenException");
	rig_revoke(PLAIN_ID);
	assert_int_equal(identity_refresh(*state, false, &why), 1);
	assert_int_equal(ask(*state, &plain, &a), IDENTITY_UNKNOWN);
	assert_string_equal(a.reason, "the key was revoked");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_vectors),
		cmocka_unit_test(test_path_and_query),
		cmocka_unit_test(test_header_values),
		cmocka_unit_test(test_too_many_parts),
		TEST(test_taken),
		TEST(test_whose_it_is),
		TEST(test_refused),
		TEST(test_declared_payload),
		TEST(test_other_apis_take_none),
		TEST(test_every_bit_of_the_signature),
		TEST(test_too_many_headers),
		TEST(test_expired_and_revoked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
