/* What those answer who give out tokens: instance metadata, the identity
 * endpoint of App Service, Microsoft Entra's token endpoint. Pure. */
#ifndef KINDS_AZURE_TOKEN_ANSWER_H
#define KINDS_AZURE_TOKEN_ANSWER_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* No token is taken to be good for longer, whatever an answer says: the
 * platform's own are good for a day at most. */
#define AZURE_TOKEN_LIFE_S_MAX (24u * 3600)

struct azure_token_answer {
	char *bearer;        /* "Bearer ..."; the caller wipes and frees it */
	uint64_t expires_ms; /* since 1970 */
};

/* expires_on or expires_in, numbers or texts of any size. -1 and err (a sentence
 * without the token): it is no such answer. */
int azure_token_answer_read(struct slice body, uint64_t now_ms,
	struct azure_token_answer *out, struct error *err);
/* Why there was none, appended: "invalid_client: AADSTS700016: ...", one line;
 * nothing if the body does not say. */
void azure_token_trouble(struct slice body, struct str *out);

#endif
