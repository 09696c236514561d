/*
 * subsetTags of a Consul upstream as subsets: an instance has for each of these
 * tags the label "tag_<tag>", "1" if it has the tag and "0" if not (Gloo's
 * ConsulTagKeyPrefix). There is a selector for each label alone, so a
 * destination may ask for tag_canary: "1", or "0"; and, when there are several,
 * one for all of them together. Private to kinds/consul/.
 */
#ifndef KINDS_CONSUL_SUBSETS_H
#define KINDS_CONSUL_SUBSETS_H

#include <stddef.h>
#include <stdint.h>

#include "model/subset.h"

#define CONSUL_SUBSET_TAGS_MAX (SUBSETS_MAX - 1)
#define CONSUL_SUBSET_PREFIX   "tag_"

struct consul_subsets;

/* The tags, at most CONSUL_SUBSET_TAGS_MAX, are copied. */
struct consul_subsets *consul_subsets_new(char *const *tags, size_t tag_count);
void consul_subsets_free(struct consul_subsets *s);
/* At most SUBSETS_MAX; valid as long as s. */
const struct subset_selector *consul_subsets_selectors(
	const struct consul_subsets *s, size_t *count);
/* Those of an instance that has these tags. */
void consul_subsets_list(const struct consul_subsets *s, char *const *tags,
	size_t tag_count, uint64_t out[SUBSETS_MAX]);

#endif
