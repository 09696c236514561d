/* The tokens of service accounts. */
#include "kinds/kubernetes/token_request.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- what one says of itself */

/* RFC 4648 5, without padding: base64 with two other letters. */
static int
base64url_decode(struct slice text, struct str *out)
{
	struct str usual;
	int rc;

	str_init(&usual);
	str_append(&usual, text.data, text.length);
	for (char *p = usual.data; *p != '\0'; p++)
		*p = (char)(*p == '-' ? '+' : *p == '_' ? '/' : *p);
	while (usual.length % 4 != 0)
		str_putc(&usual, '=');
	rc = base64_decode(usual.data, usual.length, out);
	str_fini(&usual);
	return rc;
}

static int
claims_fill(
	const struct doc *d, struct kubernetes_claims *out, struct error *err)
{
	const char *subject = doc_get_text(d, "sub");
	int64_t issued = doc_get_integer(d, "iat");
	int64_t expires = doc_get_integer(d, "exp");

	if (subject[0] == '\0' || strlen(subject) >= sizeof(out->subject))
		return error_set(err, ERROR_CONFIG, "it names no account");
	if (issued <= 0 || expires <= issued)
		return error_set(err, ERROR_CONFIG, "it does not expire");
	snprintf(out->subject, sizeof(out->subject), "%s", subject);
	out->issued_s = (uint64_t)issued;
	out->expires_s = (uint64_t)expires;
	return 0;
}

/* header.claims.signature */
int
kubernetes_token_claims(struct slice token, struct kubernetes_claims *out,
	struct error *err)
{
	const char *first = memchr(token.data, '.', token.length), *last = NULL;
	struct doc *d = NULL;
	struct str text;
	int rc;

	if (first != NULL)
		last = memchr(first + 1, '.',
			token.length - (size_t)(first + 1 - token.data));
	str_init(&text);
	if (last != NULL &&
		base64url_decode((struct slice){ first + 1,
					 (size_t)(last - first - 1) },
			&text) == 0)
		d = json_doc_read(text.data, text.length, NULL);
	if (doc_type(d) == DOC_MAP)
		rc = claims_fill(d, out, err);
	else
		rc = error_set(err, ERROR_CONFIG,
			"it is not the token of a service account");
	doc_free(d);
	str_fini(&text);
	return rc;
}

bool
kubernetes_claims_are_of(
	const struct kubernetes_claims *c, const char *ns, const char *account)
{
	char subject[sizeof(c->subject)];

	snprintf(subject, sizeof(subject), "system:serviceaccount:%s:%s", ns,
		account);
	return strcmp(subject, c->subject) == 0;
}

uint64_t
kubernetes_claims_due_s(const struct kubernetes_claims *c)
{
	return c->issued_s + (c->expires_s - c->issued_s) / 5 * 4;
}

/* ---- asking for another */

char *
kubernetes_token_path(const char *ns, const char *account)
{
	return xasprintf(
		"/api/v1/namespaces/%s/serviceaccounts/%s/token", ns, account);
}

struct doc *
kubernetes_token_request(uint64_t life_s)
{
	struct doc *d = doc_new_map();
	struct doc *spec = doc_set(d, "spec", doc_new_map());

	if (life_s < KUBERNETES_TOKEN_LIFE_MIN_S)
		life_s = KUBERNETES_TOKEN_LIFE_MIN_S;
	doc_set_string(d, "apiVersion", "authentication.k8s.io/v1");
	doc_set_string(d, "kind", "TokenRequest");
	doc_set(spec, "expirationSeconds", doc_new_integer((int64_t)life_s));
	return d;
}

const char *
kubernetes_token_of(const struct doc *answer)
{
	const char *token =
		doc_string(doc_find(answer, "status", "token", NULL));

	return token != NULL && token[0] != '\0' ? token : NULL;
}
