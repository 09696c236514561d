/* One question to the management API. Private to kinds/azure/. */
#ifndef KINDS_AZURE_INQUIRY_H
#define KINDS_AZURE_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "kinds/azure/management.h"
#include "net/http_client.h"

struct azure_shared;

/* bearer: of azure_token_get. url: whole. events->done is told; arg is theirs.
 */
struct http_call *azure_inquiry_new(struct azure_shared *shared,
	enum azure_question question, const char *bearer, const char *url,
	const struct http_events *events, void *arg);
/* Why it failed, appended, with the permission that is missing if that is why.
 * false: it did not, status 200 with a body. */
bool azure_inquiry_failed(enum azure_question question,
	const struct http_result *r, struct str *why);
/* What Retry-After asks for; 0: nothing. */
uint64_t azure_inquiry_retry_ms(const struct http_call *call);
/* Where the management API of that upstream is; without a slash at its end, the
 * caller frees. */
char *azure_inquiry_origin(
	const struct azure_shared *shared, const struct azure_spec *spec);

#endif
