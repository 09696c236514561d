/*
 * PEM texts for OpenSSL: certificates one after the other, keys without asking
 * anybody for a passphrase. Private to net/.
 */
#ifndef NET_PEM_H
#define NET_PEM_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

struct pem_certificates { /* a text that is being read */
	BIO *bio;
	size_t count; /* certificates so far */
	bool done, failed;
};

void pem_certificates_init(struct pem_certificates *p, struct slice text);
/* The next one, the caller's; NULL: there are no more, or err says which is no
 * good. Other things in the text are passed over. */
X509 *pem_certificates_next(struct pem_certificates *p, struct error *err);
/* -1: one was no good, or there was none at all. */
int pem_certificates_fini(struct pem_certificates *p);

/* NULL and err; one with a passphrase is refused. What it is read from on the
 * way, and the key itself when it is freed, is wiped. */
EVP_PKEY *pem_key_read(struct slice text, struct error *err);

/* RFC 2253, as much of it as there is room for, on one line. */
void pem_name_print(const X509_NAME *name, char *out, size_t size);
/* What OpenSSL says of its oldest complaint; it then has none any more. */
const char *pem_library_problem(void);

#endif
