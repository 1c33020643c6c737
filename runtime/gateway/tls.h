/* SPDX-License-Identifier: MIT */
/*
 * tls.h - TLS 1.2 and 1.3 by OpenSSL, with ALPN for h2 and http/1.1
 *
 * Certificates are read again by tls_refresh(), so a new one needs no restart.
 */
#ifndef AIF_GATEWAY_TLS_H
#define AIF_GATEWAY_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct aif_why;
struct tls;

/*
 * @certificate: PEM, with what is between it and the CA; @key: PEM, without a password,
 * for its owner's eyes (keys_check_private()).  NULL: see @why.
 */
struct tls *tls_open(const char *certificate, const char *key, struct aif_why *why);
void tls_close(struct tls *tls);

/* Read the files again: 0, or -errno with @why and those of before.  [any thread] */
int tls_refresh(struct tls *tls, struct aif_why *why);

/* A server's side of a connection; NULL: no memory.  [any thread] */
SSL *tls_session(struct tls *tls, int fd);

/* Did the client choose h2?  Once the handshake is done. */
bool tls_is_h2(const SSL *session);

#endif
