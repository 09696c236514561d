/* Objects as rows of tables (documents in the canonical form). */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/str.h"
#include "model/kind.h"
#include "model/model.h"

/* metadata.name and metadata.namespace; "" if there is none */
const char *describe_name(const struct doc *object);
const char *describe_namespace(const struct doc *object);
/* What a route matches, "/httpbin", and where it leads, "httpbin" or "lambda
 * (hello:1)"; text is appended. */
void describe_matchers(const struct doc *route, struct str *out);
void describe_action(const struct doc *route,
	const struct upstream_kind *const *kinds, struct str *out);

/* status: that of /v1/status for the wide form, or NULL. */
void describe_objects(enum model_type type, const struct doc *items,
	const struct upstream_kind *const *kinds, const struct doc *status,
	struct str *out);
/* Of /v1/endpoints, what belongs to one of the objects: a table of endpoints,
 * and one of what is in use of the limits. */
void describe_endpoints(
	const struct doc *items, const struct doc *objects, struct str *out);
/* The services among items (of /v1/services) that are among objects: who
 * serves each, and its backends. */
void describe_services(
	const struct doc *items, const struct doc *objects, struct str *out);
/* Of /v1/limits; in describe_limits.c. */
void describe_limits(const struct doc *items, bool wide, struct str *out);
/* Of /v1/sources; in describe_sources.c. */
void describe_sources(const struct doc *items, bool wide, struct str *out);
/* All that may be known of secrets; in describe_secrets.c. */
void describe_secrets(const struct doc *items, uint64_t now_ms, bool wide,
	struct str *out);
/* "12 s", "3 min", "2 h", "5 d" */
void describe_age(struct str *s, long long seconds);
void describe_proxies(const struct doc *items, struct str *out);
/* The routes of a virtual service: a table for each kind of action. */
void describe_routes(const struct doc *routes,
	const struct upstream_kind *const *kinds, bool wide, struct str *out);

#endif
