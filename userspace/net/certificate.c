/* Certificates and keys as people hand them in. */
#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/pem.h"

/* Before 1970 is 1970: nothing that is of use was issued then. */
static uint64_t
time_ms(const ASN1_TIME *t)
{
	struct tm tm;
	time_t seconds;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	seconds = timegm(&tm);
	return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

static void
fingerprint_print(const X509 *cert, char out[3 * 32])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	out[0] = '\0';
	if (X509_digest(cert, EVP_sha256(), digest, &length) != 1)
		return;
	for (unsigned i = 0; i < length && i < 32; i++)
		snprintf(out + 3 * i, 3 * (size_t)(32 - i), "%02X%s", digest[i],
			i + 1 < length ? ":" : "");
}

static void
facts_take(X509 *cert, struct certificate_facts *out)
{
	uint64_t from = time_ms(X509_get0_notBefore(cert));
	uint64_t to = time_ms(X509_get0_notAfter(cert));

	if (out->count++ == 0) {
		fingerprint_print(cert, out->fingerprint);
		pem_name_print(X509_get_subject_name(cert), out->subject,
			sizeof(out->subject));
		pem_name_print(X509_get_issuer_name(cert), out->issuer,
			sizeof(out->issuer));
		out->not_before_ms = from;
		out->not_after_ms = to;
	}
	if (from > out->not_before_ms)
		out->not_before_ms = from;
	if (to < out->not_after_ms)
		out->not_after_ms = to;
}

int
certificate_read(
	struct slice pem, struct certificate_facts *out, struct error *err)
{
	struct pem_certificates reader;
	X509 *cert;

	memset(out, 0, sizeof(*out));
	pem_certificates_init(&reader, pem);
	while ((cert = pem_certificates_next(&reader, err)) != NULL) {
		facts_take(cert, out);
		X509_free(cert);
	}
	return pem_certificates_fini(&reader);
}

int
certificate_key_fits(
	struct slice cert_pem, struct slice key_pem, struct error *err)
{
	struct pem_certificates reader;
	EVP_PKEY *key = NULL;
	X509 *cert;
	int rc = -1;

	pem_certificates_init(&reader, cert_pem);
	cert = pem_certificates_next(&reader, err);
	reader.done = true;
	if (pem_certificates_fini(&reader) < 0 ||
		(key = pem_key_read(key_pem, err)) == NULL)
		goto out;
	if (X509_check_private_key(cert, key) != 1) {
		error_set(err, ERROR_CONFIG,
			"the key does not belong to the certificate");
		goto out;
	}
	rc = 0;
out:
	ERR_clear_error();
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}
