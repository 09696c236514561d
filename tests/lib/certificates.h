/* Certificates of a test's own making, in the process and without files. */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/str.h"

struct certificate {
	X509 *cert;
	EVP_PKEY *key;
	char *cert_pem, *key_pem;
};

struct certificate_options {
	const char *name; /* common name */
	/* As openssl.cnf writes subjectAltName, "DNS:a.test,IP:127.0.0.1"; or
	 * NULL. */
	const char *names;
	int from_days, to_days; /* from now; both 0: from -1 to 2 */
	bool authority;
	const char *purpose; /* extendedKeyUsage, "serverAuth"; or NULL */
};

/* P-256. issuer NULL: self-signed. Ends the program when it cannot. */
void certificate_make(struct certificate *c,
	const struct certificate_options *o, const struct certificate *issuer);
void certificate_drop(struct certificate *c);

/* Several, in this order: an issuer before what it issues. */
struct certificate_row {
	struct certificate *what;
	const struct certificate *issuer; /* or NULL */
	struct certificate_options o;
};
void certificates_make(const struct certificate_row *rows, size_t count);
void certificates_drop(const struct certificate_row *rows, size_t count);

struct slice certificate_text(const struct certificate *c);
struct slice certificate_key_text(const struct certificate *c);
/* PEM, locked with a pass phrase; the caller frees. */
char *certificate_key_locked(const struct certificate *c, const char *phrase);

#endif
