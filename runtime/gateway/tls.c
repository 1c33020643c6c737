// SPDX-License-Identifier: MIT
#include "runtime/gateway/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/gateway/keys.h"
#include "runtime/model/why.h"

/* @context: the newest; sessions hold theirs.  Under @lock */
struct tls {
	const char *certificate;
	const char *key;
	pthread_mutex_t lock;
	SSL_CTX *context;
};

/* In our order: a client that can speak h2 does. */
static int choose(SSL *session, const unsigned char **out, unsigned char *length,
		  const unsigned char *in, unsigned int in_length, void *ctx)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	if (SSL_select_next_proto((unsigned char **)out, length, ours, sizeof(ours) - 1, in,
				  in_length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static int error(const char *path, struct aif_why *why)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	if (ERR_SYSTEM_ERROR(e))
		reason = strerror(ERR_GET_REASON(e));
	ERR_clear_error();
	return aif_why_set(why, -EINVAL, "%s: %s", path, reason ? reason : "cannot be used");
}

static void set_up(SSL_CTX *c)
{
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_alpn_select_cb(c, choose, NULL);
}

/* Nobody is there to type one. */
static int no_password(char *to, int room, int writing, void *ctx)
{
	return 0;
}

/* One of another kind than the certificate's would be taken beside it. */
static int take_key(const struct tls *t, SSL_CTX *c, FILE *file, struct aif_why *why)
{
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_password, NULL);
	int err = 0;

	if (!key)
		err = aif_why_set(why, -EINVAL, "%s: not a private key in PEM without a password",
				  t->key);
	else if (SSL_CTX_use_PrivateKey(c, key) != 1 || SSL_CTX_check_private_key(c) != 1)
		err = aif_why_set(why, -EINVAL, "%s: not the key of %s", t->key, t->certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

/* What is checked is what is read. */
static int load_key(const struct tls *t, SSL_CTX *c, struct aif_why *why)
{
	int fd = open(t->key, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct stat st;

	if (!file) {
		err = aif_why_set(why, -errno, "%s: %s", t->key, strerror(errno));
		if (fd >= 0)
			close(fd);
		return err;
	}
	err = fstat(fd, &st) ? aif_why_set(why, -errno, "%s: %s", t->key, strerror(errno)) :
			       keys_check_private(t->key, &st, "pass for this machine", why);
	if (!err)
		err = take_key(t, c, file, why);
	fclose(file);
	return err;
}

static int load(const struct tls *t, SSL_CTX **context, struct aif_why *why)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	int err = 0;

	if (!c)
		return aif_why_set(why, -ENOMEM, "no memory for TLS");
	set_up(c);
	if (SSL_CTX_use_certificate_chain_file(c, t->certificate) != 1)
		err = error(t->certificate, why);
	else
		err = load_key(t, c, why);
	if (err)
		SSL_CTX_free(c);
	else
		*context = c;
	return err;
}

struct tls *tls_open(const char *certificate, const char *key, struct aif_why *why)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	t->certificate = certificate;
	t->key = key;
	pthread_mutex_init(&t->lock, NULL);
	if (!load(t, &t->context, why))
		return t;
	free(t);
	return NULL;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	free(t);
}

int tls_refresh(struct tls *t, struct aif_why *why)
{
	SSL_CTX *fresh, *before;
	int err = load(t, &fresh, why);

	if (err)
		return err;
	pthread_mutex_lock(&t->lock);
	before = t->context;
	t->context = fresh;
	pthread_mutex_unlock(&t->lock);
	SSL_CTX_free(before);
	return 0;
}

SSL *tls_session(struct tls *t, int fd)
{
	SSL *session;

	pthread_mutex_lock(&t->lock);
	session = SSL_new(t->context);
	pthread_mutex_unlock(&t->lock);
	if (session && !SSL_set_fd(session, fd)) {
		SSL_free(session);
		return NULL;
	}
	if (session)
		SSL_set_accept_state(session);
	return session;
}

bool tls_is_h2(const SSL *session)
{
	const unsigned char *name;
	unsigned int length;

	SSL_get0_alpn_selected(session, &name, &length);
	return length == 2 && !memcmp(name, "h2", 2);
}
