/*
 * The tokens of service accounts: what one says of itself (a JWT, RFC 7519),
 * and how the API server is asked for another. Pure.
 */
#ifndef KINDS_KUBERNETES_TOKEN_REQUEST_H
#define KINDS_KUBERNETES_TOKEN_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

#define KUBERNETES_TOKEN_MAX        65536u
#define KUBERNETES_TOKEN_LIFE_MIN_S 600u /* the server gives no shorter ones */

struct kubernetes_claims {
	char subject[512]; /* "system:serviceaccount:<namespace>:<name>" */
	uint64_t issued_s, expires_s; /* since 1970 */
};

/* Does not check the signature. -1 and err (without the token's text): it is no
 * such token. */
int kubernetes_token_claims(struct slice token, struct kubernetes_claims *out,
	struct error *err);
bool kubernetes_claims_are_of(const struct kubernetes_claims *c, const char *ns,
	const char *account);
/* When a new one is due: at 80 % of its life. */
uint64_t kubernetes_claims_due_s(const struct kubernetes_claims *c);

/* Where to ask; the caller frees. */
char *kubernetes_token_path(const char *ns, const char *account);
struct doc *kubernetes_token_request(uint64_t life_s);
/* The token in the answer, or NULL. */
const char *kubernetes_token_of(const struct doc *answer);

#endif
