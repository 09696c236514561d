/*
 * The settings below "azure", all of which may be left out, and what open makes
 * of them for all upstreams of the kind. Nothing of one app stands here.
 * Private to kinds/azure/.
 */
#ifndef KINDS_AZURE_SETTINGS_H
#define KINDS_AZURE_SETTINGS_H

#include <stdint.h>

#include "base/doc.h"
#include "base/error.h"
#include "base/str.h"

struct http_client;
struct loop;

struct azure_settings {
	char *authority_url;  /* authorityUrl: gives tokens for those of a
			       * workload; NULL: $AZURE_AUTHORITY_HOST, else
			       * https://login.microsoftonline.com */
	char *ca_file;        /* caFile: whom to trust there and at the
			       * management API; NULL: the system's roots */
	uint64_t interval_ms; /* discoveryInterval, 5m: how often the management
			       * API is asked for functions and keys */
	char *management_url; /* managementUrl */
	char *metadata_url;   /* metadataUrl: of instance metadata */
};

struct azure_shared {
	struct loop *loop;
	struct http_client *http;
	struct azure_settings *settings;
	struct str ca; /* what caFile holds */
};

struct azure_settings *azure_settings_read(
	const struct doc *settings, struct error *err);
void azure_settings_free(struct azure_settings *s); /* NULL is fine */

#endif
