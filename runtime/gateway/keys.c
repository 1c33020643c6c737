// SPDX-License-Identifier: MIT
#include "runtime/gateway/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/model/why.h"

#define VERSION 1

/* ---- the list ---- */

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct key *)a)->id, ((const struct key *)b)->id);
}

struct key *keys_find(const struct keys *keys, const char *id, size_t length)
{
	struct key key;

	if (!keys->count || length != KEY_ID_SIZE - 1)
		return NULL;
	memcpy(key.id, id, length);
	key.id[length] = '\0';
	return bsearch(&key, keys->list, keys->count, sizeof(key), compare_ids);
}

int keys_add(struct keys *keys, const struct key *key)
{
	struct key *list;

	if (keys_find(keys, key->id, strlen(key->id)))
		return -EEXIST;
	list = reallocarray(keys->list, keys->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	keys->list = list;
	list[keys->count++] = *key;
	qsort(list, keys->count, sizeof(*list), compare_ids);
	return 0;
}

void keys_free(struct keys *keys)
{
	if (keys->list)
		OPENSSL_cleanse(keys->list, keys->count * sizeof(*keys->list));
	free(keys->list);
	*keys = (struct keys){ 0 };
}

/* ---- from JSON ---- */

/* The members of a key; NULL: it does not have that. */
struct members {
	const char *id, *name, *type, *tenant, *created, *expires, *revoked;
	const char *sha256, *secret, *session_sha256;
};

static int unhex(const char *hex)
{
	return *hex >= '0' && *hex <= '9' ? *hex - '0' :
	       *hex >= 'a' && *hex <= 'f' ? *hex - 'a' + 10 : -1;
}

static int parse_digest(const char *member, const char *hex, uint8_t sum[KEY_DIGEST_BYTES],
			struct aif_why *why)
{
	if (strlen(hex) != 2 * KEY_DIGEST_BYTES || strspn(hex, "0123456789abcdef") != strlen(hex))
		return aif_why_set(why, -EBADMSG, "%s is not %d lower-case hexadecimal digits",
				   member, 2 * KEY_DIGEST_BYTES);
	for (int i = 0; i < KEY_DIGEST_BYTES; i++)
		sum[i] = (uint8_t)(unhex(hex + 2 * i) << 4 | unhex(hex + 2 * i + 1));
	return 0;
}

static int parse_time(const char *member, const char *text, int64_t *time, struct aif_why *why)
{
	if (!text || key_time_parse(text, time))
		return 0;
	return aif_why_set(why, -EBADMSG, "%s: '%s' is not a time like 2027-01-31T12:00:00Z",
			   member, text);
}

/* Which secrets a key of its type has, and no other. */
static int check_secrets(const struct key *key, const struct members *m, struct aif_why *why)
{
	bool aws = key->type == KEY_AWS, alive = !key->revoked;

	if (!m->sha256 == (alive && !aws))
		return aif_why_set(why, -EBADMSG, "sha256 belongs to bearer and basic keys that are not revoked");
	if (!m->secret == (alive && aws))
		return aif_why_set(why, -EBADMSG, "secret belongs to aws keys that are not revoked");
	if (m->session_sha256 && !(alive && aws))
		return aif_why_set(why, -EBADMSG, "session_sha256 belongs to aws keys that are not revoked");
	return 0;
}

static int take_secrets(struct key *key, const struct members *m, struct aif_why *why)
{
	int err = check_secrets(key, m, why);

	if (!err && m->sha256)
		err = parse_digest("sha256", m->sha256, key->digest, why);
	if (!err && m->secret && (!*m->secret || strlen(m->secret) >= sizeof(key->secret)))
		err = aif_why_set(why, -EBADMSG, "secret has %zu characters, 1 to %zu are possible",
				  strlen(m->secret), sizeof(key->secret) - 1);
	else if (!err && m->secret)
		strcpy(key->secret, m->secret);
	key->session = m->session_sha256;
	if (!err && m->session_sha256)
		err = parse_digest("session_sha256", m->session_sha256, key->session_digest, why);
	return err;
}

static int take_members(struct key *key, const struct members *m, struct aif_why *why)
{
	int err = 0;

	*key = (struct key){ 0 };
	if (!key_id_valid(m->id))
		return aif_why_set(why, -EBADMSG, "'%s' is not an id: %d of A-Z and 2-7", m->id,
				   KEY_ID_SIZE - 1);
	strcpy(key->id, m->id);
	if (!key_type_parse(m->type, &key->type))
		return aif_why_set(why, -EBADMSG, "type '%s' is none of: bearer, basic, aws",
				   m->type);
	if (key_name_check(m->name, why) ||
	    key_tenant_parse(m->tenant ? m->tenant : "", &key->tenant, why))
		return -EBADMSG;
	strcpy(key->name, m->name);
	err = parse_time("created", m->created, &key->created, why);
	err = err ? err : parse_time("expires", m->expires, &key->expires, why);
	err = err ? err : parse_time("revoked", m->revoked, &key->revoked, why);
	return err ? err : take_secrets(key, m, why);
}

static int parse_key(json_t *value, struct key *key, struct aif_why *why)
{
	struct members m = { 0 };
	json_error_t error;

	if (json_unpack_ex(value, &error, JSON_STRICT,
			   "{s:s, s:s, s:s, s:s, s?s, s?s, s?s, s?s, s?s, s?s}", "id", &m.id, "name",
			   &m.name, "type", &m.type, "created", &m.created, "tenant", &m.tenant,
			   "expires", &m.expires, "revoked", &m.revoked, "sha256", &m.sha256,
			   "secret", &m.secret, "session_sha256", &m.session_sha256))
		return aif_why_set(why, -EBADMSG, "%s", error.text);
	return take_members(key, &m, why);
}

/* Behind the list's last one; which it is, is in @why. */
static int parse_next(json_t *value, struct keys *keys, struct aif_why *why)
{
	int err = parse_key(value, &keys->list[keys->count], why);

	if (err)
		return aif_why_prefix(why, err, "key %zu", keys->count + 1);
	keys->count++;
	return 0;
}

static int parse_list(json_t *list, struct keys *keys, struct aif_why *why)
{
	size_t i, n = json_array_size(list);
	json_t *value;
	int err;

	keys->list = calloc(n + 1, sizeof(*keys->list));
	if (!keys->list)
		return aif_why_set(why, -ENOMEM, "no memory");
	json_array_foreach(list, i, value) {
		err = parse_next(value, keys, why);
		if (err)
			return err;
	}
	qsort(keys->list, n, sizeof(*keys->list), compare_ids);
	for (i = 1; i < n; i++) {
		if (!compare_ids(&keys->list[i - 1], &keys->list[i]))
			return aif_why_set(why, -EBADMSG, "key %s is there twice", keys->list[i].id);
	}
	return 0;
}

static int parse_top(json_t *top, struct keys *keys, struct aif_why *why)
{
	json_error_t error;
	json_t *list;
	int version;

	if (json_unpack_ex(top, &error, JSON_STRICT, "{s:i, s:o}", "version", &version, "keys",
			   &list))
		return aif_why_set(why, -EBADMSG, "%s", error.text);
	if (version != VERSION)
		return aif_why_set(why, -EBADMSG, "version %d: this program knows version %d",
				   version, VERSION);
	if (!json_is_array(list))
		return aif_why_set(why, -EBADMSG, "'keys' is not an array");
	return parse_list(list, keys, why);
}

int keys_parse(const char *json, size_t length, struct keys *keys, struct aif_why *why)
{
	json_error_t error;
	json_t *top = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
	int err;

	*keys = (struct keys){ 0 };
	if (!top)
		return aif_why_set(why, -EBADMSG, "line %d: not JSON: %s", error.line, error.text);
	err = parse_top(top, keys, why);
	json_decref(top);
	if (err)
		keys_free(keys);
	return err;
}

/* ---- to JSON ---- */

static int set_text(json_t *object, const char *name, const char *text)
{
	return *text ? json_object_set_new(object, name, json_string(text)) : 0;
}

static int set_time(json_t *object, const char *name, int64_t time)
{
	char text[KEY_TIME_SIZE] = "";

	if (time)
		key_time_format(time, text);
	return set_text(object, name, text);
}

static int set_digest(json_t *object, const char *name, const uint8_t sum[KEY_DIGEST_BYTES])
{
	char hex[2 * KEY_DIGEST_BYTES + 1];

	for (int i = 0; i < KEY_DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return set_text(object, name, hex);
}

static json_t *format_key(const struct key *key)
{
	json_t *o = json_object();
	int failed = set_text(o, "id", key->id) | set_text(o, "name", key->name) |
		     set_text(o, "type", key_type_name(key->type)) |
		     set_text(o, "tenant", key->tenant.text) |
		     set_time(o, "created", key->created) | set_time(o, "expires", key->expires) |
		     set_time(o, "revoked", key->revoked) | set_text(o, "secret", key->secret);

	if (!key->revoked && key->type != KEY_AWS)
		failed |= set_digest(o, "sha256", key->digest);
	if (key->session)
		failed |= set_digest(o, "session_sha256", key->session_digest);
	if (!failed)
		return o;
	json_decref(o);
	return NULL;
}

char *keys_format(const struct keys *keys)
{
	json_t *top = json_object(), *list = json_array();
	int failed = json_object_set_new(top, "version", json_integer(VERSION)) |
		     json_object_set_new(top, "keys", list);
	char *text;

	for (size_t i = 0; i < keys->count && !failed; i++)
		failed = json_array_append_new(list, format_key(&keys->list[i]));
	text = failed ? NULL : json_dumps(top, JSON_INDENT(1));
	json_decref(top);
	return text;
}

/* ---- the file ---- */

int keys_check_private(const char *path, const struct stat *st, const char *risk,
		       struct aif_why *why)
{
	mode_t allowed = st->st_uid ? 0600 : 0640;

	if (!S_ISREG(st->st_mode))
		return aif_why_set(why, -EPERM, "%s: not a regular file", path);
	if (st->st_uid && st->st_uid != geteuid())
		return aif_why_set(why, -EPERM, "%s: owned by uid %u: it must be root's, or uid %u's",
				   path, st->st_uid, geteuid());
	if (st->st_mode & 07777 & ~allowed)
		return aif_why_set(why, -EPERM, "%s: mode %04o: others could %s; chmod %04o %s",
				   path, st->st_mode & 07777, risk, allowed, path);
	return 0;
}

static int check_file(const char *path, const struct stat *st, struct aif_why *why)
{
	int err = keys_check_private(path, st, "be its keys' owners", why);

	if (err)
		return err;
	if (st->st_size > KEYS_FILE_MAX)
		return aif_why_set(why, -EFBIG, "%s: %lld bytes, at most %u are possible", path,
				   (long long)st->st_size, KEYS_FILE_MAX);
	return 0;
}

static int read_all(int fd, char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t n = read(fd, text + at, length - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

static int load_open(const char *path, int fd, const struct stat *st, struct keys *keys,
		     struct aif_why *why)
{
	size_t length = (size_t)st->st_size;
	int err = check_file(path, st, why);
	char *text;

	if (err)
		return err;
	text = malloc(length + 1);
	if (!text)
		return aif_why_set(why, -ENOMEM, "%s: no memory", path);
	err = read_all(fd, text, length);
	if (err)
		aif_why_format(why, "%s: %s", path, strerror(-err));
	else if ((err = keys_parse(text, length, keys, why)))
		aif_why_format_prefix(why, "%s", path);
	OPENSSL_cleanse(text, length);
	free(text);
	return err;
}

int keys_load(const char *path, struct keys *keys, struct stat *st, struct aif_why *why)
{
	int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat own;

	*keys = (struct keys){ 0 };
	st = st ? st : &own;
	*st = (struct stat){ 0 };
	if (fd < 0 || fstat(fd, st)) {
		err = aif_why_set(why, -errno, "%s: %s", path, strerror(errno));
	} else {
		err = load_open(path, fd, st, keys, why);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* ---- changing it ---- */

/* Locked, and still what the path names: who was before may have renamed it. */
static int lock_new(const char *path)
{
	struct stat a = { 0 }, b;
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) && errno == EINTR)
			;
		if (!fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
		    a.st_dev == b.st_dev)
			break;
		close(fd);
	}
	if (a.st_uid == geteuid() && S_ISREG(a.st_mode))
		return fd;
	close(fd);
	return -EPERM;
}

static void edit_end(struct keys_edit *edit)
{
	keys_free(&edit->keys);
	free(edit->new_path);
	if (edit->fd >= 0)
		close(edit->fd);
}

void keys_edit_abort(struct keys_edit *edit)
{
	unlink(edit->new_path);
	edit_end(edit);
}

int keys_edit_begin(const char *path, struct keys_edit *edit, struct aif_why *why)
{
	int err;

	*edit = (struct keys_edit){ .path = path, .fd = -1 };
	if (asprintf(&edit->new_path, "%s.new", path) < 0)
		return aif_why_set(why, -ENOMEM, "no memory");
	edit->fd = lock_new(edit->new_path);
	if (edit->fd < 0) {
		err = aif_why_set(why, edit->fd, "%s: %s", edit->new_path, strerror(-edit->fd));
		edit_end(edit);
		return err;
	}
	err = keys_load(path, &edit->keys, &edit->st, why);
	edit->replaces = !err;
	if (err && err != -ENOENT)
		keys_edit_abort(edit);
	else
		err = 0;
	return err;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Whole and on the disk, under the owner and mode of what it replaces. */
static int write_new(const struct keys_edit *edit, const char *text)
{
	int err;

	if (ftruncate(edit->fd, 0))
		return -errno;
	if (edit->replaces && fchown(edit->fd, edit->st.st_uid, edit->st.st_gid))
		return -errno;
	if (fchmod(edit->fd, edit->replaces ? edit->st.st_mode & 07777 : 0600))
		return -errno;
	err = write_all(edit->fd, text, strlen(text));
	err = err ? err : write_all(edit->fd, "\n", 1);
	return !err && fsync(edit->fd) ? -errno : err;
}

static int sync_folder_of(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int err = fd < 0 || fsync(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

int keys_edit_commit(struct keys_edit *edit, struct aif_why *why)
{
	char *text = keys_format(&edit->keys);
	int err = text ? write_new(edit, text) : -ENOMEM;

	free(text);
	if (!err && rename(edit->new_path, edit->path))
		err = -errno;
	if (err) {
		aif_why_format(why, "%s: %s; nothing has changed", edit->new_path, strerror(-err));
		keys_edit_abort(edit);
		return err;
	}
	err = sync_folder_of(edit->path);
	if (err)
		aif_why_format(why, "%s: changed, but perhaps not yet on the disk: %s", edit->path,
			       strerror(-err));
	edit_end(edit);
	return err;
}
