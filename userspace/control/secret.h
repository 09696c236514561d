/* Secrets as control looks at them: whether they hold together, what may be
 * shown of them, who uses them. Nothing here repeats a value. */
#ifndef CONTROL_SECRET_H
#define CONTROL_SECRET_H

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"
#include "control/core.h"
#include "model/model.h"

/* PEM texts, each may be NULL, and where each comes from, for what is said of
 * it. */
struct secret_pem {
	const char *cert, *key, *ca;
	const char *cert_place, *key_place, *ca_place; /* "tls.certChain" */
};

/* Certificates can be read, the key is that of the first. err begins with the
 * place. */
int secret_pem_check(const struct secret_pem *p, struct error *err);
/* -1: it is Rejected, err says why. */
int secret_check(const struct model_secret *s, struct error *err);
struct secret_pem secret_pem_of(const struct model_secret *s);
/* Certificates that are no longer valid, or not yet: nothing if all is well. */
void secret_pem_warn(
	const struct secret_pem *p, uint64_t now_ms, struct str *to);
void secret_warn(
	const struct model_secret *s, uint64_t now_ms, struct str *to);
/* When it was made, ms since 1970: as it says, else when its file was written;
 * 0: not known. */
uint64_t secret_created_ms(const struct control *c, const struct object *o);
/* Under "secret" of its status: type, fingerprint (SHA-256), subject, issuer,
 * notAfter, created, usedBy. */
struct doc *secret_print(const struct control *c, const struct object *o);

#endif
