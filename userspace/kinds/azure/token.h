/*
 * A token of the machine's or the workload's own identity for one resource,
 * kept fresh: instance metadata of a virtual machine, the identity endpoint of
 * App Service, or the token of a workload (a projected file) given to Microsoft
 * Entra; the environment says which, as for Azure's own libraries. Asked for
 * again 5 min before it expires; what there is stays in use until it expires,
 * however often refreshing fails. Never blocks the loop.
 *
 * learn.microsoft.com: "How to use managed identities for Azure resources on an
 * Azure VM to acquire an access token"; "Use managed identities for App Service
 * and Azure Functions", REST endpoint reference; "Microsoft identity platform
 * and the OAuth 2.0 client credentials flow", third case.
 */
#ifndef KINDS_AZURE_TOKEN_H
#define KINDS_AZURE_TOKEN_H

#include <stdint.h>

#define AZURE_TOKEN_EARLY_MS       300000u /* before it expires */
#define AZURE_TOKEN_RETRY_MS_MIN   1000u
#define AZURE_TOKEN_RETRY_MS_MAX   60000u
#define AZURE_TOKEN_REFUSED_MS_MIN 10000u /* between two because of that */

struct azure_shared;
struct azure_token;

/* Another token, none any more, or another problem. */
typedef void azure_token_f(void *arg);

/* resource: "https://management.azure.com", "api://...". client_id: which of
 * the machine's identities; NULL: the only one. cb is never called before this
 * returned; it may free the token. */
struct azure_token *azure_token_new(struct azure_shared *shared,
	const char *resource, const char *client_id, azure_token_f *cb,
	void *arg);
void azure_token_free(struct azure_token *t); /* NULL is fine */
/* "Bearer ..."; NULL: there is none. Valid until cb. */
const char *azure_token_get(const struct azure_token *t);
/* How many there were so far, this one among them. */
unsigned azure_token_number(const struct azure_token *t);
/* Why none can be had (any more), one sentence; NULL: all is well. */
const char *azure_token_problem(const struct azure_token *t);
uint64_t azure_token_expires_ms(const struct azure_token *t); /* since 1970 */
/* "instance metadata", "App Service", "workload identity": for people. */
const char *azure_token_source(const struct azure_token *t);
/* What was given was refused: another is got, not more than once in 10 s. */
void azure_token_refused(struct azure_token *t);
/* The same, and it is used no more: there is none until cb, which comes about
 * as soon even where renewing it failed already. */
void azure_token_drop(struct azure_token *t);

#endif
