/* Certificates of a test's own making. */
#include "tests/lib/certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DAY_S (24 * 60 * 60)

static void
must_be(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "certificates: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void
extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *e;

	if (value == NULL)
		return;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	must_be(e != NULL && X509_add_ext(cert, e, -1) == 1, value);
	X509_EXTENSION_free(e);
}

static char *
bio_steal(BIO *bio)
{
	char *bytes, *text;
	long length = BIO_get_mem_data(bio, &bytes);

	text = xstrndup(bytes, (size_t)length);
	BIO_free(bio);
	return text;
}

static void
texts_make(struct certificate *c)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must_be(PEM_write_bio_X509(bio, c->cert) == 1, "write");
	c->cert_pem = bio_steal(bio);
	bio = BIO_new(BIO_s_mem());
	must_be(PEM_write_bio_PKCS8PrivateKey(
			bio, c->key, NULL, NULL, 0, NULL, NULL) == 1,
		"write");
	c->key_pem = bio_steal(bio);
}

void
certificate_make(struct certificate *c, const struct certificate_options *o,
	const struct certificate *issuer)
{
	static long serial;
	bool lasting = o->from_days == 0 && o->to_days == 0;
	X509 *by;
	X509_NAME *name;

	c->key = EVP_EC_gen("P-256");
	c->cert = X509_new();
	must_be(c->key != NULL && c->cert != NULL, "new");
	by = issuer != NULL ? issuer->cert : c->cert;
	X509_set_version(c->cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c->cert),
		(long)(lasting ? -1 : o->from_days) * DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(c->cert),
		(long)(lasting ? 2 : o->to_days) * DAY_S);
	name = X509_get_subject_name(c->cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)o->name, -1, -1, 0);
	X509_set_issuer_name(c->cert, X509_get_subject_name(by));
	X509_set_pubkey(c->cert, c->key);
	extension_add(c->cert, by, NID_basic_constraints,
		o->authority ? "critical,CA:TRUE" : "CA:FALSE");
	extension_add(c->cert, by, NID_subject_alt_name, o->names);
	extension_add(c->cert, by, NID_ext_key_usage, o->purpose);
	must_be(X509_sign(c->cert, issuer != NULL ? issuer->key : c->key,
			EVP_sha256()) > 0,
		"sign");
	texts_make(c);
}

void
certificate_drop(struct certificate *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	free(c->cert_pem);
	free(c->key_pem);
	memset(c, 0, sizeof(*c));
}

void
certificates_make(const struct certificate_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		certificate_make(rows[i].what, &rows[i].o, rows[i].issuer);
}

void
certificates_drop(const struct certificate_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		certificate_drop(rows[i].what);
}

struct slice
certificate_text(const struct certificate *c)
{
	return slice_of(c->cert_pem);
}

struct slice
certificate_key_text(const struct certificate *c)
{
	return slice_of(c->key_pem);
}

char *
certificate_key_locked(const struct certificate *c, const char *phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must_be(PEM_write_bio_PKCS8PrivateKey(bio, c->key, EVP_aes_256_cbc(),
			phrase, (int)strlen(phrase), NULL, NULL) == 1,
		"write");
	return bio_steal(bio);
}
