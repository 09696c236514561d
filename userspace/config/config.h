/*
 * Documents to models and back. Every error says where: path in the document
 * ("virtualHost.routes[3].matchers[0].regex") and line (error.line).
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>

#include "base/doc.h"
#include "base/error.h"
#include "model/kind.h"
#include "model/model.h"

/*
 * Reads one resource in any of the accepted spellings: Gloo's of 2019-01
 * (upstreamSpec.<kind>, matcher, routePlugins, virtualHostPlugins,
 * prefixRewrite: {prefixRewrite: /x}), the later one (static: or spec.static,
 * matchers, options) and the Kubernetes form (apiVersion, kind, metadata,
 * spec). status and discoveryMetadata are read over. The type comes from
 * `kind`, else from the keys; *type is checked against it when type_given.
 * NULL and err (ERROR_CONFIG) when anything is wrong: unknown key, wrong type,
 * out of range, a regex that does not compile, duplicate domains.
 */
struct model_object *config_read(const struct doc *d,
	const struct upstream_kind *const *kinds, struct error *err);
/* As config_read; the document must be of that type. */
struct model_object *config_read_type(const struct doc *d,
	enum model_type type, const struct upstream_kind *const *kinds,
	struct error *err);
/* What type a document is, from kind or its keys; -1 and err: cannot tell. */
int config_type(const struct doc *d, enum model_type *type, struct error *err);

/* The canonical form, as the seed prints it, without status. An Upstream has
 * discoveryMetadata, metadata, upstreamSpec; a VirtualService has metadata and
 * virtualHost {domains, routes[{matchers, routeAction|..., options}],
 * options}. config_read(config_print(x)) is x. */
struct doc *config_print(const struct model_object *o);
/* The same for eyes: values of secrets are null. */
struct doc *config_print_shown(const struct model_object *o);
/* The text of err may repeat what was found where a secret is read: only that
 * it cannot be read stays of it, and the line. */
void config_error_hide(struct error *err);
/* d may hold an object of that type with its values: of a secret they are
 * overwritten. NULL is fine. */
void config_doc_free(struct doc *d, enum model_type type);
/* They say the same, whatever their versions and times of making. */
bool config_equal(const struct model_object *a, const struct model_object *b);
/* A canonical document (with or without status) in the Kubernetes form. */
struct doc *config_kube_form(const struct doc *canonical, enum model_type type);

/* "1m30s" to ms and back; durations of Go's form, at most 24h. */
int config_duration_parse(const char *text, uint64_t *ms);
char *config_duration_print(uint64_t ms); /* caller frees */

#endif
