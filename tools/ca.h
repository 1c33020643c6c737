/* SPDX-License-Identifier: MIT */
/*
 * ca.h - a certificate authority in a folder, for the servers of one site
 *
 *   ca.pem      its certificate (0644): what clients are told to trust
 *   ca.key      its key (0600): only issuing needs it, it may be kept elsewhere
 *   server.pem  a server's key and certificate (0600), in one file so that a
 *               renewal replaces both at once
 *
 * Keys are on P-256, signatures with SHA-256: what every TLS library takes.  Each file is
 * whole or not there.
 */
#ifndef AIF_TOOLS_CA_H
#define AIF_TOOLS_CA_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "aif_model.h"

#define CA_DAYS 3650
#define CA_NAMES_MAX 32

struct ca {
	EVP_PKEY *key;
	X509 *cert;
};

/*
 * The one of @folder, made with the folder (0755) if there is none; @made says so.
 * 0, or -errno and @why: files that are there but cannot be read; -EPERM: ca.key is open to
 * others; -EBADMSG: one is no PEM, or they do not belong together.
 */
int ca_open(const char *folder, struct ca *ca, bool *made, struct aif_why *why);
void ca_close(struct ca *ca);

/*
 * Write @folder/server.pem, for @names (DNS names, also "*.site", and IP addresses; 1 to
 * CA_NAMES_MAX), good for @days.  -EINVAL and @why: a name is neither; or the CA ends
 * before.
 */
int ca_issue(const struct ca *ca, const char *folder, char *const *names, unsigned int count,
	     unsigned int days, struct aif_why *why);

#endif
