/*
 * What /v1/catalog/services says: the services of a data centre, each with the
 * tags that any of its instances has; and which upstreams they make. Pure.
 * Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_SERVICES_H
#define KINDS_CONSUL_SERVICES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "kinds/consul/settings.h"
#include "kinds/upstream_name.h"

#define CONSUL_SERVICES_MAX 65536
/* That of the servers themselves; the catalog always has it. */
#define CONSUL_OWN_SERVICE "consul"

struct consul_service {
	char *name;
	char **tags; /* sorted, each once */
	size_t tag_count;
};

struct consul_services {
	struct consul_service *items; /* sorted by name */
	size_t count;
};

/* -1 and err: it is no such answer. */
int consul_services_read(
	struct slice json, struct consul_services *out, struct error *err);
void consul_services_fini(struct consul_services *s);
const struct consul_service *consul_services_find(
	const struct consul_services *s, const char *name); /* or NULL */
/* Moves into more what only old has, and empties old. */
void consul_services_keep(
	struct consul_services *more, struct consul_services *old);

/* It makes an upstream: it is no sidecar by the name that Consul gives them
 * ("web-sidecar-proxy": it speaks Connect), and its tags are what tagsInclude
 * (one of them) and tagsExclude (none of them) ask for. */
bool consul_service_makes(
	const struct consul_service *s, const struct consul_settings *settings);
/* So does this tag of it: splitByTag. */
bool consul_service_tag_makes(
	const struct consul_settings *settings, const char *tag);

/* "web", "web-v1": lower case, "-" for what may not be in a name (as Gloo), cut
 * as upstream_name_cut says; if nothing is left, "consul-" and its MD5. tag may
 * be NULL. */
void consul_upstream_name(
	const char *service, const char *tag, char out[UPSTREAM_NAME_MAX]);

#endif
