/*
 * The spec of a Consul upstream: the instances of a service that have certain
 * tags. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_SPEC_H
#define KINDS_CONSUL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct consul_spec {
	char *service_name;
	char **service_tags;   /* an instance must have all of them */
	char **instance_tags;  /* likewise */
	char **blacklist_tags; /* instanceBlacklistTags: it must have none */
	char **subset_tags;    /* at most CONSUL_SUBSET_TAGS_MAX; subsets.h */
	size_t service_tag_count, instance_tag_count, blacklist_tag_count,
		subset_tag_count;
	char **data_centers; /* none: that of the settings */
	size_t data_center_count;
	bool connect_enabled;        /* true is refused on reading */
	uint8_t consistency;         /* enum consul_consistency */
	struct model_bool use_cache; /* queryOptions.useCache */
};

/* As print makes it; NULL: it is none. */
struct consul_spec *consul_spec_of(const struct doc *d);
struct consul_spec *consul_spec_copy(const struct consul_spec *spec);
void consul_spec_free(struct consul_spec *spec); /* NULL is fine */

/* Every instance that was wants, spec wants as well: the same service, and no
 * more tags asked for. That aside, it is in a data centre that spec asks, too. */
bool consul_spec_covers(
	const struct consul_spec *spec, const struct consul_spec *was);
bool consul_spec_covers_data_centers(
	const struct consul_spec *spec, const struct consul_spec *was);

#endif
