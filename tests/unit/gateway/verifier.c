// SPDX-License-Identifier: MIT
/*
 * verifier KEYFILE - judge requests that others have signed
 *
 * Reads requests as JSON objects, one a line: api ("bedrock" or "sagemaker"), http2,
 * method, path, query, headers (array of [name, value]), body (hexadecimal; null: it
 * is not there yet) and now.  Answers each with a line: verdict, error name or "-", message.
 */
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gateway/identity.h"

static void die(const char *what)
{
	fprintf(stderr, "verifier: %s\n", what);
	exit(1);
}

static struct identity_text text(json_t *value)
{
	if (!json_is_string(value))
		die("not a string");
	return (struct identity_text){ json_string_value(value), json_string_length(value) };
}

static struct identity_header *read_headers(json_t *list, size_t *count)
{
	struct identity_header *headers = calloc(json_array_size(list) + 1, sizeof(*headers));
	json_t *pair;
	size_t i;

	json_array_foreach(list, i, pair) {
		headers[i].name = text(json_array_get(pair, 0));
		headers[i].value = text(json_array_get(pair, 1));
	}
	*count = json_array_size(list);
	return headers;
}

static void hash_hex(const char *hex, uint8_t sum[32])
{
	size_t n = strlen(hex) / 2;
	uint8_t *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
			die("not hexadecimal");
	}
	SHA256(bytes, n, sum);
	free(bytes);
}

static void judge(struct identity *identity, json_t *line)
{
	const char *body = json_string_value(json_object_get(line, "body"));
	struct identity_answer answer;
	struct identity_request r = {
		.api = strcmp(json_string_value(json_object_get(line, "api")), "bedrock") ?
		       IDENTITY_SAGEMAKER : IDENTITY_BEDROCK,
		.http2 = json_is_true(json_object_get(line, "http2")),
		.method = text(json_object_get(line, "method")),
		.path = text(json_object_get(line, "path")),
		.query = text(json_object_get(line, "query")),
		.now = json_integer_value(json_object_get(line, "now")),
	};
	struct identity_header *headers;
	uint8_t sum[32];
	int verdict;

	headers = read_headers(json_object_get(line, "headers"), &r.header_count);
	r.headers = headers;
	if (body) {
		hash_hex(body, sum);
		r.body_sha256 = sum;
	}
	verdict = identity_check(identity, &r, &answer);
	printf("%d %s %s\n", verdict, answer.error ? answer.error : "-", answer.message);
	free(headers);
}

int main(int argc, char **argv)
{
	struct identity_opts opts = { .path = argv[1] };
	struct aif_why why;
	struct identity *identity = argc == 2 ? identity_open(&opts, &why) : NULL;
	json_t *line;

	if (!identity)
		die(argc == 2 ? why.text : "which key file?");
	while ((line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
		judge(identity, line);
		json_decref(line);
	}
	identity_close(identity);
	return 0;
}
