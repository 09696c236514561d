/* The tables of a VirtualService and its virtual host. */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/table.h"
#include "model/model.h"
#include "model/tables.h"

static const struct schema_field host_options_fields[] = {
	{ .name = "headerManipulation",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_virtual_service, headers),
		.sub = &model_headers_schema },
	MODEL_RATE_LIMITS(model_virtual_service),
	{ .name = "ratelimitBasic",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_virtual_service, limits.basic),
		.sub = &model_limit_basic_schema },
	{ .name = "retries",
		.type = SCHEMA_POINTER,
		SCHEMA_AT(model_virtual_service, retries),
		.sub = &model_retries_schema },
	MODEL_OPTIONS_NOT_YET,
	SCHEMA_NOT_YET("corsPolicyMergeSettings"),
	SCHEMA_NOT_YET("includeAttemptCountInResponse"),
	SCHEMA_NOT_YET("includeRequestAttemptCount"),
	SCHEMA_NOT_YET("stats"),
	{ .name = NULL },
};

static int
host_options_check(void *base, struct error *err)
{
	const struct model_virtual_service *vs = base;

	return limits_check(&vs->limits, LIMIT_AT_VIRTUAL_SERVICE, err);
}

static const struct schema host_options_schema = {
	.fields = host_options_fields,
	.size = sizeof(struct model_virtual_service),
	.check = host_options_check,
};

/* The name between the asterisks, or an address; never a port, because hosts
 * are compared without it. */
static bool
domain_valid(const char *domain)
{
	struct addr addr;
	size_t length = strlen(domain);
	const char *text = domain;
	bool valid;
	char *name;

	if (strcmp(domain, "*") == 0)
		return true;
	if (domain[0] == '[' && length > 2 && domain[length - 1] == ']') {
		name = xstrndup(domain + 1, length - 2);
		valid = strchr(name, ':') != NULL &&
			addr_parse_ip(name, 0, &addr) == 0;
		free(name);
		return valid;
	}
	if (strncmp(text, "*.", 2) == 0) {
		text += 2;
		length -= 2;
	} else if (length > 2 && strcmp(text + length - 2, ".*") == 0) {
		/* "10.*" is a prefix although "10" alone is no name. */
		name = xasprintf("%.*s.x", (int)(length - 2), text);
		valid = model_host_check(name, NULL) == 0;
		free(name);
		return valid;
	}
	return length > 0 && strchr(text, ':') == NULL &&
	       text[length - 1] != '.' && model_host_check(text, NULL) == 0;
}

static int
domain_check(const char *text, struct error *err)
{
	if (text[0] != '\0' && domain_valid(text))
		return 0;
	return error_set(err, ERROR_CONFIG,
		"\"%.64s\" is not a domain: a host name or address without "
		"port, \"*.suffix\", \"prefix.*\" or \"*\"",
		text);
}

static int
domains_settle(struct model_virtual_service *vs, struct error *err)
{
	struct table *seen = table_new(NULL);
	int rc = 0;

	for (size_t i = 0; i < vs->domain_count && rc == 0; i++) {
		for (char *p = vs->domains[i]; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		if (table_get(seen, vs->domains[i]) != NULL) {
			error_set(err, ERROR_CONFIG,
				"the domain \"%.64s\" is given twice",
				vs->domains[i]);
			rc = error_prefix(err, ".domains[%zu]", i);
		}
		table_set(seen, vs->domains[i], vs);
	}
	table_free(seen);
	return rc;
}

static int
virtual_host_check(void *base, struct error *err)
{
	return domains_settle(base, err);
}

static const struct schema_field virtual_host_fields[] = {
	{ .name = "domains",
		.type = SCHEMA_STRINGS,
		SCHEMA_ARRAY_AT(model_virtual_service, domains, domain_count),
		.check = domain_check },
	{ .name = "options",
		.type = SCHEMA_STRUCT,
		.sub = &host_options_schema },
	{ .name = "routes",
		.type = SCHEMA_LIST,
		SCHEMA_ARRAY_AT(model_virtual_service, routes, route_count),
		.sub = &model_route_schema },
	SCHEMA_NOT_YET("optionsConfigRefs"),
	{ .name = NULL },
};

static const struct schema virtual_host_schema = {
	.fields = virtual_host_fields,
	.size = sizeof(struct model_virtual_service),
	.check = virtual_host_check,
};

static const struct schema_field virtual_service_fields[] = {
	{ .name = "displayName",
		.type = SCHEMA_STRING,
		SCHEMA_AT(model_virtual_service, display_name),
		.max = 256,
		.check = model_text_check },
	{ .name = "metadata",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		SCHEMA_AT(model_virtual_service, meta),
		.sub = &model_meta_schema },
	{ .name = "namespacedStatuses", .type = SCHEMA_SKIPPED },
	{ .name = "status", .type = SCHEMA_SKIPPED },
	{ .name = "virtualHost",
		.type = SCHEMA_STRUCT,
		.flags = SCHEMA_REQUIRED | SCHEMA_KEEP,
		.sub = &virtual_host_schema },
	SCHEMA_NOT_YET("sslConfig"),
	{ .name = NULL },
};

const struct schema model_virtual_service_schema = {
	.fields = virtual_service_fields,
	.size = sizeof(struct model_virtual_service),
};
