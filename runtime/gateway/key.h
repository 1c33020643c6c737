/* SPDX-License-Identifier: MIT */
/*
 * key.h - a key: what a client of the gateway proves who it is with
 *
 * Secrets are 256 random bits, made here, never chosen by people.  So one SHA-256 is all
 * that hashing at rest takes: a slow hash (bcrypt, argon2) makes guessing dear, and here
 * nobody can guess.  KEY_AWS keeps the secret itself: verifying a signature needs it.
 */
#ifndef AIF_GATEWAY_KEY_H
#define AIF_GATEWAY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aif_model.h"

#define KEY_ID_SIZE 21			/* with the NUL, as all sizes here */
#define KEY_NAME_SIZE 64
#define KEY_SECRET_SIZE 44		/* 32 bytes as base64url */
#define KEY_TENANT_SIZE 512
#define KEY_TIME_SIZE 21
#define KEY_TOKEN_SIZE (4 + KEY_ID_SIZE + KEY_SECRET_SIZE)
#define KEY_DIGEST_BYTES 32

enum key_type { KEY_BEARER, KEY_BASIC, KEY_AWS };

/*
 * @text:   as in the file; empty: the gateway's own
 * @uid:    of KEY_TENANT_UID
 */
enum key_tenant_type { KEY_TENANT_NONE, KEY_TENANT_UID, KEY_TENANT_CGROUP };
struct key_tenant {
	enum key_tenant_type type;
	uid_t uid;
	char text[KEY_TENANT_SIZE];
};

/*
 * @created, @expires, @revoked: seconds since 1970; 0: never
 * @digest:         of the secret: KEY_BEARER, KEY_BASIC
 * @secret:         KEY_AWS
 * @session:        KEY_AWS: a token has to come with it; @session_digest is its
 */
struct key {
	char id[KEY_ID_SIZE];
	char name[KEY_NAME_SIZE];
	enum key_type type;
	struct key_tenant tenant;
	int64_t created, expires, revoked;
	uint8_t digest[KEY_DIGEST_BYTES];
	char secret[KEY_SECRET_SIZE];
	bool session;
	uint8_t session_digest[KEY_DIGEST_BYTES];
};

/* What a new key's owner is told, once; the key keeps as little of it as it can. */
struct key_secret {
	char secret[KEY_SECRET_SIZE];
	char session[KEY_SECRET_SIZE];	/* empty without session */
	char token[KEY_TOKEN_SIZE];	/* of KEY_BEARER: "aif-ID-SECRET" */
};

/* Fill in id, digests and secrets by @key->type and @key->session.  -EIO: no randomness. */
int key_make(struct key *key, struct key_secret *secret);

/* Its secrets are wiped. */
void key_revoke(struct key *key, int64_t now);

/* Of KEY_BEARER or KEY_BASIC, in constant time. */
bool key_has_secret(const struct key *key, const char *secret, size_t length);
/* Of a KEY_AWS with session. */
bool key_has_session(const struct key *key, const char *token, size_t length);

/* "aif-ID-SECRET" in parts; false: it is none. */
bool key_token_split(const char *token, size_t length, const char **id, const char **secret);

const char *key_type_name(enum key_type type);
bool key_type_parse(const char *name, enum key_type *type);

/* -EINVAL and @why. */
int key_tenant_parse(const char *text, struct key_tenant *tenant, struct aif_why *why);
/* The path of KEY_TENANT_CGROUP, from cgroup v2's root: "/bank/scoring". */
const char *key_tenant_cgroup(const struct key_tenant *tenant);
bool key_id_valid(const char *id);
int key_name_check(const char *name, struct aif_why *why);

/* "2027-01-31T12:00:00Z"; false: it is no such time. */
bool key_time_parse(const char *text, int64_t *time);
void key_time_format(int64_t time, char text[KEY_TIME_SIZE]);

#endif
