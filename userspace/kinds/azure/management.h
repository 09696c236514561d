/*
 * The management API (Azure Resource Manager) of a function app, as far as the
 * gateway asks it: where, and what its answers say. Pure.
 *
 * learn.microsoft.com, REST API reference "App Service", 2022-03-01: Web Apps -
 * List Functions, List Host Keys, List Function Keys, and the same of slots.
 */
#ifndef KINDS_AZURE_MANAGEMENT_H
#define KINDS_AZURE_MANAGEMENT_H

#include "base/error.h"
#include "base/str.h"
#include "kinds/azure/credentials.h"
#include "kinds/azure/spec.h"

enum azure_question {
	AZURE_ASK_FUNCTIONS,     /* GET; of pages */
	AZURE_ASK_HOST_KEYS,     /* POST */
	AZURE_ASK_FUNCTION_KEYS, /* POST */
};

/* origin without a slash at its end; function of AZURE_ASK_FUNCTION_KEYS.
 * Appended. */
void azure_management_url(const char *origin, const struct azure_spec *spec,
	enum azure_question question, const char *function, struct str *out);
const char *azure_management_method(enum azure_question question);
/* What a role must allow for it: "Microsoft.Web/sites/functions/read". */
const char *azure_management_permission(enum azure_question question);

/* A page of functions: those that HTTP calls and that are not disabled, with
 * level and path, into out. *next: where the next page is, the caller frees;
 * NULL: there is none. It is of that origin, since a token goes there. */
int azure_functions_read(struct slice body, const char *origin,
	const struct azure_spec *spec, struct azure_credentials *out,
	char **next, struct error *err);
/* master and fallback of out are replaced. */
int azure_host_keys_read(
	struct slice body, struct azure_credentials *out, struct error *err);
/* *key: the one named "default", else the first; the caller wipes and frees. */
int azure_function_keys_read(struct slice body, char **key, struct error *err);
/* What a failed answer says, appended: "status 403 AuthorizationFailed". */
void azure_management_trouble(int status, struct slice body, struct str *out);

#endif
