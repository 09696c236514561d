/*
 * Certificates and keys as people hand them in: PEM texts, looked at but not
 * used. Errors name which certificate of the text and what is wrong with it.
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct certificate_facts {
	char fingerprint[3 * 32];       /* SHA-256 of the first, "AB:CD:..." */
	char subject[256], issuer[256]; /* of the first, RFC 2253 */
	uint64_t not_before_ms, not_after_ms; /* since 1970; the chain's soonest
						 end */
	size_t count;                         /* certificates in the text */
};

/* -1: no certificate in it, or one that cannot be read. */
int certificate_read(
	struct slice pem, struct certificate_facts *out, struct error *err);
/* The key can be read without a passphrase and is the first certificate's. */
int certificate_key_fits(
	struct slice cert_pem, struct slice key_pem, struct error *err);

#endif
