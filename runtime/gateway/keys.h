/* SPDX-License-Identifier: MIT */
/*
 * keys.h - the keys of the gateway's clients, and the file that keeps them
 *
 * The file is one JSON object, {"version": 1, "keys": [...]}, with for each key
 *
 *   id       KEY_ID_SIZE - 1 characters, A-Z and 2-7
 *   name     whose it is, for people
 *   type     "bearer", "basic" or "aws"
 *   tenant   "uid:NUMBER" or "cgroup:/PATH" (of cgroup v2, from its root): who is charged
 *            for its requests; without it, whoever the gateway is
 *   created, expires, revoked
 *            "2027-01-31T12:00:00Z"; the latter two may be left out
 *   sha256   of the secret (bearer, basic), 64 hexadecimal digits
 *   secret   itself (aws): verifying a signature needs it
 *   session_sha256
 *            of the session token that must come with it (aws; may be left out)
 *
 * A revoked key has neither secret nor digests.  Unknown members are an error: written
 * by a newer version, they would be lost.
 *
 * "aws" secrets stand in the file in clear: who can read it can be those clients.  Hence
 * its mode: a regular file; of root, then at most 0640, or of the reader, then at most
 * 0600.
 */
#ifndef AIF_GATEWAY_KEYS_H
#define AIF_GATEWAY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "aif_model.h"
#include "runtime/gateway/key.h"

#define KEYS_PATH "/etc/aif/keys.json"
#define KEYS_FILE_MAX (16u << 20)	/* bytes */

/* Sorted by id; no two have the same. */
struct keys {
	struct key *list;
	size_t count;
};

/*
 * Is it a file for its owner's eyes?  0: root's (and its group may read it), or this
 * user's alone; else -EPERM and @why.  @risk: what others "could".
 */
int keys_check_private(const char *path, const struct stat *st, const char *risk,
		       struct aif_why *why);

/*
 * Read the file, whose owner, mode and members are checked.  @st, if not NULL, is what it
 * was, as far as that is known.  -errno and @why, which begins with the path: of
 * opening it; -EPERM: mode or owner; -EFBIG; -EBADMSG: its contents; -ENOMEM.
 */
int keys_load(const char *path, struct keys *keys, struct stat *st, struct aif_why *why);
/* The same of what stands in memory, without the path. */
int keys_parse(const char *json, size_t length, struct keys *keys, struct aif_why *why);
/* The file's text, which the caller frees; NULL: no memory. */
char *keys_format(const struct keys *keys);
void keys_free(struct keys *keys);

/* NULL: there is none.  Valid until @keys changes. */
struct key *keys_find(const struct keys *keys, const char *id, size_t length);

/* -EEXIST: that id is there; -ENOMEM. */
int keys_add(struct keys *keys, const struct key *key);

/*
 * Change the file: whoever reads it sees what was before or what is after, and of
 * several who change it each waits for the one before.  What is prepared lies in
 * PATH.new, which is also the lock; it is left behind only by who was killed.
 * Begin loads the keys (none, if there is no file) into @edit->keys; commit writes them
 * to the disk with the owner and mode of before, or 0600; either commit or abort
 * ends it.  0 or -errno with @why, and then nothing has changed and it has ended.
 */
struct keys_edit {
	const char *path;
	char *new_path;
	int fd;
	bool replaces;
	struct stat st;
	struct keys keys;
};

int keys_edit_begin(const char *path, struct keys_edit *edit, struct aif_why *why);
int keys_edit_commit(struct keys_edit *edit, struct aif_why *why);
void keys_edit_abort(struct keys_edit *edit);

#endif
