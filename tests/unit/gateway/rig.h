/* SPDX-License-Identifier: MIT */
/*
 * rig.h - key files and requests for the gateway's tests
 *
 * What cannot do its work fails the test.
 */
#ifndef AIF_TEST_GATEWAY_RIG_H
#define AIF_TEST_GATEWAY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/gateway/identity.h"
#include "runtime/gateway/keys.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW 1800000000			/* 2027-01-15T08:00:00Z */

/* A folder of its own for each test; its path, and that of "keys.json" in it. */
extern char rig_folder[64], rig_keys[96];
int rig_set_up(void **state);
int rig_tear_down(void **state);

/* Write @text to rig_keys with mode 0600. */
void rig_write(const char *text);

/* A new key in rig_keys; @key's type, name, tenant, session and times are taken. */
struct key_secret rig_add(struct key *key);
void rig_revoke(const char *id);

/* Opened on rig_keys. */
struct identity *rig_open(void);

/* The answer to a GET of @api with this Authorization (NULL: none). */
enum identity_verdict rig_ask(struct identity *identity, enum identity_api api, bool confidential,
			      const char *authorization, struct identity_answer *answer);

struct identity_text rig_text(const char *string);

#endif
