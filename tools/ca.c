// SPDX-License-Identifier: MIT
#include "tools/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/model/why.h"

#define DAY_S (24 * 60 * 60)
#define BEFORE_S (60 * 60)	/* clocks of clients may be late */
#define DNS_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define NAME_MAX_BYTES 255

/* What libcrypto says of its last error. */
static int crypto_failed(const char *what, struct aif_why *why)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	return aif_why_set(why, -EIO, "%s: %s", what, reason ? reason : "libcrypto failed");
}

/* ---- files ---- */

static int folder_path(const char *folder, const char *name, char path[PATH_MAX],
		       struct aif_why *why)
{
	if (snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX - 4)
		return 0;
	return aif_why_set(why, -ENAMETOOLONG, "%s: too long", folder);
}

static int write_new(const char *path, mode_t mode, const char *text, size_t length)
{
	int fd, err = 0;

	if (unlink(path) && errno != ENOENT)	/* of who was killed */
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	errno = ENOSPC;
	if (write(fd, text, length) != (ssize_t)length || fchmod(fd, mode) || fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

/* The memory of @bio becomes @folder/@name, which it frees. */
static int write_file(const char *folder, const char *name, mode_t mode, BIO *bio,
		      struct aif_why *why)
{
	char path[PATH_MAX], next[PATH_MAX + 4];
	char *text;
	long length = BIO_get_mem_data(bio, &text);
	int err = folder_path(folder, name, path, why);

	if (!err) {
		snprintf(next, sizeof(next), "%s.new", path);
		err = write_new(next, mode, text, (size_t)length);
		if (!err && rename(next, path))
			err = -errno;
		if (err) {
			aif_why_format(why, "%s: %s", next, strerror(-err));
			unlink(next);
		}
	}
	BIO_free(bio);
	return err;
}

/* Only @owner_only files are looked at closely: they hold keys. */
static BIO *open_file(const char *path, bool owner_only, int *err, struct aif_why *why)
{
	struct stat st;

	*err = 0;
	if (stat(path, &st)) {
		*err = aif_why_set(why, -errno, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (owner_only && (st.st_mode & 077 || (st.st_uid && st.st_uid != geteuid()))) {
		*err = aif_why_set(why, -EPERM, "%s: owner %u, mode %04o: others could issue certificates",
				   path, st.st_uid, st.st_mode & 07777);
		return NULL;
	}
	return BIO_new_file(path, "r");
}

/* ---- certificates ---- */

static bool set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *number;
	bool done;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return done;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool done;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	done = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return done;
}

/* What each certificate has; NULL: no memory, or no randomness. */
static X509 *make_cert(EVP_PKEY *key, const char *common_name, unsigned int days)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -BEFORE_S) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_S) &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				       (const unsigned char *)common_name, -1, -1, 0) &&
	    X509_set_pubkey(cert, key))
		return cert;
	X509_free(cert);
	return NULL;
}

/* ---- the authority ---- */

void ca_close(struct ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	*ca = (struct ca){ 0 };
}

static int make(struct ca *ca, struct aif_why *why)
{
	char name[65], host[HOST_NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(name, sizeof(name), "AIF CA of %.50s", host);
	ca->key = EVP_EC_gen("P-256");
	ca->cert = ca->key ? make_cert(ca->key, name, CA_DAYS) : NULL;
	if (ca->cert && X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)) &&
	    add_extension(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_extension(ca->cert, ca->cert, NID_subject_key_identifier, "hash") &&
	    X509_sign(ca->cert, ca->key, EVP_sha256()))
		return 0;
	return crypto_failed("making a CA", why);
}

static BIO *pem_of(EVP_PKEY *key, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio && (!key || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) &&
	    (!cert || PEM_write_bio_X509(bio, cert)))
		return bio;
	BIO_free(bio);
	return NULL;
}

/* The key last: with it the authority is there. */
static int save(const char *folder, const struct ca *ca, struct aif_why *why)
{
	BIO *cert = pem_of(NULL, ca->cert), *key = pem_of(ca->key, NULL);
	int err;

	if (!cert || !key) {
		BIO_free(cert);
		BIO_free(key);
		return crypto_failed("writing a CA", why);
	}
	err = write_file(folder, "ca.pem", 0644, cert, why);
	if (err)
		BIO_free(key);
	return err ? err : write_file(folder, "ca.key", 0600, key, why);
}

static int load(const char *folder, const char *key_path, struct ca *ca, struct aif_why *why)
{
	char cert_path[PATH_MAX];
	BIO *bio;
	int err = folder_path(folder, "ca.pem", cert_path, why);

	bio = err ? NULL : open_file(key_path, true, &err, why);
	ca->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!err && !ca->key)
		return aif_why_set(why, -EBADMSG, "%s: not a key in PEM", key_path);
	bio = err ? NULL : open_file(cert_path, false, &err, why);
	ca->cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!err && !ca->cert)
		return aif_why_set(why, -EBADMSG, "%s: not a certificate in PEM", cert_path);
	if (!err && X509_check_private_key(ca->cert, ca->key) != 1)
		return aif_why_set(why, -EBADMSG, "%s: not the certificate of %s", cert_path, key_path);
	return err;
}

int ca_open(const char *folder, struct ca *ca, bool *made, struct aif_why *why)
{
	char path[PATH_MAX];
	int err = folder_path(folder, "ca.key", path, why);

	*ca = (struct ca){ 0 };
	if (err)
		return err;
	*made = access(path, F_OK) && errno == ENOENT;
	if (!*made)
		err = load(folder, path, ca, why);
	else if (mkdir(folder, 0755) && errno != EEXIST)
		err = aif_why_set(why, -errno, "%s: %s", folder, strerror(errno));
	else
		err = make(ca, why);
	if (!err && *made)
		err = save(folder, ca, why);
	if (err)
		ca_close(ca);
	return err;
}

/* ---- servers ---- */

/* "DNS:a,IP:b": only what is checked gets into it. */
static int alternative_names(char *const *names, unsigned int count, char *text,
			     struct aif_why *why)
{
	unsigned char address[16];

	for (unsigned int i = 0; i < count; i++) {
		const char *name = names[i], *dns = name + 2 * !strncmp(name, "*.", 2);
		size_t length = strlen(name);
		bool ip = inet_pton(AF_INET, name, address) == 1 ||
			  inet_pton(AF_INET6, name, address) == 1;

		if (!ip && (length > NAME_MAX_BYTES || !*dns || *dns == '.' || *dns == '-' ||
			    strspn(dns, DNS_CHARS) != strlen(dns)))
			return aif_why_set(why, -EINVAL, "'%s' is neither a DNS name nor an IP address",
					   name);
		text += sprintf(text, "%s%s:%s", i ? "," : "", ip ? "IP" : "DNS", name);
	}
	return 0;
}

static bool ends_before(const struct ca *ca, unsigned int days)
{
	time_t end = time(NULL) + (time_t)days * DAY_S;

	return X509_cmp_time(X509_get0_notAfter(ca->cert), &end) < 0;
}

static X509 *sign_server(const struct ca *ca, EVP_PKEY *key, const char *alternative,
			 unsigned int days)
{
	X509 *cert = make_cert(key, "aif-gateway", days);

	if (cert && X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)) &&
	    add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(cert, ca->cert, NID_ext_key_usage, "serverAuth") &&
	    add_extension(cert, ca->cert, NID_subject_key_identifier, "hash") &&
	    add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(cert, ca->cert, NID_subject_alt_name, alternative) &&
	    X509_sign(cert, ca->key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

int ca_issue(const struct ca *ca, const char *folder, char *const *names, unsigned int count,
	     unsigned int days, struct aif_why *why)
{
	char alternative[CA_NAMES_MAX * (NAME_MAX_BYTES + 6)];
	int err = alternative_names(names, count, alternative, why);
	EVP_PKEY *key;
	X509 *cert;
	BIO *bio;

	if (err)
		return err;
	if (ends_before(ca, days))
		return aif_why_set(why, -EINVAL,
				   "the CA in %s ends before %u days are over: fewer --days, or move it away for a new one",
				   folder, days);
	key = EVP_EC_gen("P-256");
	cert = key ? sign_server(ca, key, alternative, days) : NULL;
	bio = cert ? pem_of(key, cert) : NULL;
	X509_free(cert);
	EVP_PKEY_free(key);
	if (!bio)
		return crypto_failed("making a certificate", why);
	return write_file(folder, "server.pem", 0600, bio, why);
}
