/*
 * An upstream of kind azure as it was written: one function app. Gloo's are
 * functionAppName, secretRef and functions; the others are ours.
 */
#ifndef KINDS_AZURE_SPEC_H
#define KINDS_AZURE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"
#include "model/model.h"

/* Most bytes of a request's body, which is collected: by default, and what the
 * platform takes itself. */
#define AZURE_REQUEST_BYTES_DEFAULT (10u << 20)
#define AZURE_REQUEST_BYTES_MAX     (100u << 20)

#define AZURE_KEYS_MASTER  "_master" /* of a secret's apiKeys: as Gloo's */
#define AZURE_KEYS_DEFAULT "default" /* of the host, good for every function   \
				      */

enum azure_level {
	AZURE_ANONYMOUS,
	AZURE_FUNCTION,
	AZURE_ADMIN,
	AZURE_LEVEL_UNKNOWN, /* of a function that nobody described */
};

struct azure_function {
	char *name;
	uint8_t level; /* authLevel: enum azure_level */
	char *route;   /* its template; NULL: the name */
};

/* App Service authentication is on: who calls needs a token. */
struct azure_authentication {
	char *audience; /* of the app's registration: "api://...", a GUID */
};

struct azure_spec {
	char *app_name; /* functionAppName */
	char *slot;     /* or NULL */
	char *hostname; /* instead of <app>[-<slot>].azurewebsites.net, may have
			 * a port; or NULL */
	char *route_prefix; /* NULL: "api", as host.json's routePrefix */
	struct model_ref *secret;
	struct azure_function *functions;
	size_t function_count;
	/* Where the management API has it; both or neither. */
	char *subscription_id, *resource_group;
	char *management_url; /* instead of the settings' */
	struct azure_authentication *authentication;
	char *identity_client_id;   /* managedIdentityClientId; NULL: the only
				     * one of the machine */
	uint32_t request_bytes_max; /* maxRequestBytes */
};

struct azure_destination {
	char *function;
};

extern const struct schema azure_spec_schema, azure_destination_schema;

struct azure_spec *azure_spec_copy(const struct azure_spec *spec);
void azure_spec_free(struct azure_spec *spec); /* NULL is fine */

/* "my-app.azurewebsites.net", without brackets; *port 443 unless said. */
void azure_spec_host(
	const struct azure_spec *spec, struct str *host, uint16_t *port);
/* Where it is for Host: as azure_spec_host, with a port that is not 443. */
void azure_spec_authority(const struct azure_spec *spec, struct str *out);
/* NULL: it is not listed. */
const struct azure_function *azure_spec_function(
	const struct azure_spec *spec, const char *name);
/* The management API can be asked about it. */
bool azure_spec_is_managed(const struct azure_spec *spec);
/* An origin, https:// unless it is this machine's or link-local: tokens go
 * there. */
int azure_origin_check(const char *text, struct error *err);

#endif
