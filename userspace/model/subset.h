/*
 * Subsets of an upstream's endpoints: those whose labels have certain values.
 * subsetSpec of the upstream lists selectors (sets of keys); an endpoint that
 * has every key of one is in the subset of its values there; a destination's
 * subset.values picks the subset whose keys and values are exactly those.
 * A subset is known by the hash of its sorted pairs, so that images, which name
 * it, and endpoint sets, which have it, can travel apart.
 */
#ifndef MODEL_SUBSET_H
#define MODEL_SUBSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBSETS_MAX 8 /* selectors of one upstream */

struct model_pair;

/* Never 0; the order of the pairs does not matter. */
uint64_t subset_identity(const struct model_pair *pairs, size_t count);

struct subset_selector { /* subsetSpec.selectors[] */
	char **keys;
	size_t key_count;
};

/* The pairs have exactly the keys of the selector. */
bool subset_is_of(const struct subset_selector *selector,
	const struct model_pair *pairs, size_t count);

/* Fills out with the subsets of an endpoint that has those labels. */
void subset_list(const struct subset_selector *selectors, size_t selector_count,
	const struct model_pair *labels, size_t label_count,
	uint64_t out[SUBSETS_MAX]);

#endif
